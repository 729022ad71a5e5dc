"""The contract in Swagger UI and in Scalar: offline, without an error, and with the right example for each status."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.docs.conftest import served
from tests.needs import require

ROOT = Path(__file__).parents[2]
LIBRARIES = ROOT / ".venv" / "lib"
# Of each operation: its tag, the method with the path, and the statuses of its errors.
OPERATIONS = {
    operation["operationId"]: (
        operation["tags"][0],
        f"{method.upper()}{path}",
        [status for status in operation["responses"] if status != "200"],
    )
    for path, item in yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
PAGE = """<!doctype html><meta charset="utf-8"><title>Neptun</title><link rel="icon" href="data:,">
<div id="app"></div><script src="{script}"></script><script>{start}</script>"""
SWAGGER_UI = "SwaggerUIBundle({url: 'openapi.yaml', dom_id: '#app', docExpansion: 'full'})"
SCALAR = """Scalar.createApiReference('#app', {url: 'openapi.yaml', telemetry: false, withDefaultFonts: false,
  agent: {disabled: true}, expandAllResponses: true, defaultOpenAllTags: true})"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder with both, and the contract, on loopback."""
    require("Chromium", "Swagger UI and Scalar")
    folder = tmp_path_factory.mktemp("renderers")
    for path in ("node_modules/swagger-ui-dist/swagger-ui-bundle.js", "scalar/standalone.js"):
        shutil.copy(LIBRARIES / path, folder)
    shutil.copy(ROOT / "openapi.yaml", folder)
    for name, script, start in (("swagger", "swagger-ui-bundle", SWAGGER_UI), ("scalar", "standalone", SCALAR)):
        (folder / f"{name}.html").write_text(PAGE.format(script=f"{script}.js", start=start), encoding="utf-8")
    with served(folder) as address:
        yield address


class Shown:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page, origin: str, name: str) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", lambda each: self.wrong.append(each.text) if each.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on(
            "request",
            lambda each: None if each.url.startswith((origin, "data:", "blob:")) else self.wrong.append(each.url),
        )
        page.goto(f"{origin}/{name}.html")


def test_swagger_ui_shows_the_example_of_each_status(origin: str, browser: Browser) -> None:
    page = browser.new_page()
    shown = Shown(page, origin, "swagger")
    for operation, (_, _, statuses) in OPERATIONS.items():
        block = page.locator(f"[id$='-{operation}']")
        for status in statuses:
            row = block.locator(f"tr.response[data-code='{status}']")
            assert f'"statusCode": {status}' in row.locator(".example").first.inner_text(), (operation, status)
    assert shown.wrong == []
    page.close()


def test_scalar_shows_the_example_of_each_status(origin: str, browser: Browser) -> None:
    page = browser.new_page()
    shown = Shown(page, origin, "scalar")
    for tag, place, statuses in OPERATIONS.values():
        page.goto(f"{origin}/scalar.html#tag/{tag}/{place}")  # what is far below is drawn when it is looked for
        block = page.locator(f"section[id$='{place}']")
        for status in statuses:
            block.get_by_role("tab", name=status).click()
            example = block.get_by_role("region", name="Status: 200").locator("code")
            expect(example).to_contain_text(re.compile(rf'"statusCode":\s*{status}'))
    assert shown.wrong == []
    page.close()
