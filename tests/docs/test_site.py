"""The site in a real browser, with the network blocked: every page loads, reads and can be found."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urldefrag, urljoin

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request
from sphinx.util.inventory import InventoryFile

import neptun_sdk
from neptun_sdk import bulk, sandbox
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.spec import load_operations
from tests.docs import conftest

ROOT = conftest.ROOT
SCREENSHOTS = ROOT / "docs" / "_build" / "screenshots"  # ignored; for a person to look at
WIDE, NARROW = (1280, 900), (360, 740)
PAGES = sorted(
    path.relative_to(ROOT / "docs").with_suffix("").as_posix()
    for path in (ROOT / "docs").rglob("*.md")
    if "_build" not in path.parts
)
PICTURES = ["start", "tasks/errors", "reference/http", "why/architecture"]


@dataclass
class Visited:
    """What was found on one page."""

    headings: int = 0
    errors: list[str] = field(default_factory=list[str])
    elsewhere: list[str] = field(default_factory=list[str])
    too_wide: list[str] = field(default_factory=list[str])
    broken_headers: list[str] = field(default_factory=list[str])
    violations: list[str] = field(default_factory=list[str])


class Visit:
    """A page that stays open, and what goes wrong on it."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.found = Visited()
        self.origin = origin
        self.looks: dict[str, list[str]] = {"light": [], "dark": []}  # whose colours were examined
        context.on("request", self._request)
        # Compiled once for all pages; in a page that has loaded, it would be compiled for each.
        context.add_init_script(Axe().axe_script)
        self.page: Page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.found.errors.append(str(error)))

    def open(self, path: str) -> Page:
        """Open a page, and begin to collect again."""
        self.found = Visited()
        response = self.page.goto(f"{self.origin}/{path}", wait_until="load")
        assert response is not None
        assert response.ok, f"{path}: {response.status}"
        return self.page

    def examine(self, path: str, *, in_dark: bool = True) -> Visited:
        """Open a page and look at it in light and dark, wide and as on a phone."""
        page = self.open(path)
        found = self.found
        found.headings = page.locator("h1").count()
        found.broken_headers = page.evaluate(_BROKEN_HEADERS)
        violations = [("light", each) for each in page.evaluate(_AXE, _RULES)]
        for scheme in ("light", "dark") if in_dark else ("light",):
            page.emulate_media(color_scheme=scheme)
            looks, of_colours = page.evaluate(_CONTRAST, self.looks[scheme])
            self.looks[scheme] += looks
            violations += [(scheme, each) for each in of_colours]
        found.violations = [
            f"{scheme}: {each['id']}: {each['nodes'][0]['html'][:160]}"
            for scheme, each in violations
            if each["impact"] in ("serious", "critical")
        ]
        page.emulate_media(color_scheme="light")
        size(page, NARROW)
        found.too_wide = page.evaluate(_TOO_WIDE)
        if page.evaluate("document.documentElement.scrollWidth") > NARROW[0]:
            found.too_wide.append("the page as a whole")
        size(page, WIDE)
        return found

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.found.elsewhere.append(request.url)


_AXE = "async options => (await axe.run(document, options)).violations"
# What axe would load again, style sheets and media, is for rules that are experimental or only moderate.
_RULES = {"resultTypes": ["violations"], "rules": {"color-contrast": {"enabled": False}}, "preload": False}
# The contrast of colours takes longer than all other rules together, and most of what has a text looks like something
# before: it has the same tag, class and style, and so has each element around it. The first of these is examined.
_CONTRAST = """
async known => {
  const look = each => each === document.body ? '' :
    `${look(each.parentElement)} ${each.tagName}.${each.getAttribute('class')}.${each.getAttribute('style')}`;
  const hasText = each => each.matches('input, select, textarea') ||
    [...each.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const seen = new Set(known), found = new Map();
  for (const each of [...document.querySelectorAll('body *')].filter(hasText)) {
    const its = look(each);
    if (!seen.has(its) && !found.has(its)) found.set(its, each);
  }
  const options = {resultTypes: ['violations'], runOnly: ['color-contrast']};
  const violations = found.size ? (await axe.run({include: [...found.values()]}, options)).violations : [];
  return [[...found.keys()], violations];
}
"""
# The words of table headers that take more than one line.
_BROKEN_HEADERS = """
[...document.querySelectorAll('table.docutils th')].flatMap(head => {
  const broken = [], walker = document.createTreeWalker(head, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const word of walker.currentNode.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, word.index);
      range.setEnd(walker.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(each => Math.round(each.top))).size > 1) broken.push(word[0]);
    }
  }
  return broken;
})
"""
# Elements that reach over the edge, but for code, which wraps.
_TOO_WIDE = """
[...document.querySelectorAll('main *, article *')]
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('pre, svg'))
  .map(each => each.outerHTML.slice(0, 120))
"""


def size(page: Page, wide_and_high: tuple[int, int]) -> None:
    page.set_viewport_size({"width": wide_and_high[0], "height": wide_and_high[1]})


def new_visit(browser: Browser, origin: str) -> Iterator[Visit]:
    with browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}) as context:
        yield Visit(context, origin)


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Visit]:
    yield from new_visit(browser, site)


@pytest.fixture(scope="module")
def visited(browser: Browser, site: str) -> dict[str, Visited]:
    """Every page, examined once for all tests."""
    for visit in new_visit(browser, site):
        return {name: visit.examine(f"{name}.html", in_dark=name in PICTURES) for name in [*PAGES, "search"]}
    raise AssertionError


def test_every_page_loads_without_an_error_or_a_request_to_another_origin(visited: dict[str, Visited]) -> None:
    assert {
        name: (each.errors, each.elsewhere) for name, each in visited.items() if each.errors or each.elsewhere
    } == {}
    assert {name for name, each in visited.items() if each.headings != 1} <= {"search"}


def test_every_page_fits_a_phone(visited: dict[str, Visited]) -> None:
    """Nothing scrolls sideways at 360 pixels."""
    assert {name: each.too_wide for name, each in visited.items() if each.too_wide} == {}


def test_every_page_is_accessible(visited: dict[str, Visited]) -> None:
    """By the rules of axe-core that it calls serious or critical; some pages stand for all in the dark colours."""
    assert {name: each.violations for name, each in visited.items() if each.violations} == {}


def test_every_public_name_is_in_the_reference(built: Path) -> None:
    with (built / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda *parts: "/".join(parts))
    documented = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    names = {f"neptun_sdk.{name}" for name in neptun_sdk.__all__ if name != "__version__"}
    names |= {f"neptun_sdk.sandbox.{name}" for name in sandbox.__all__}
    names |= {f"neptun_sdk.bulk.{name}" for name in bulk.__all__}
    assert names <= documented


def test_no_internal_link_or_anchor_is_dead(built: Path) -> None:
    """Read from the files: Sphinx checks its own references, but not what a person wrote as a plain link."""
    texts = {path.relative_to(built).as_posix(): path.read_text(encoding="utf-8") for path in built.rglob("*.html")}
    anchors = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in texts.items()}
    links = 0
    for name, text in texts.items():
        for link in re.findall(r'<a [^>]*href="([^"]+)"', text):
            if re.match(r"[a-z]+:", link):
                continue
            target, anchor = urldefrag(urljoin(f"http://site/{name}", link).removeprefix("http://site/"))
            assert (built / target).is_file(), f"{name}: {link}"
            assert not anchor or target not in anchors or anchor in anchors[target], f"{name}: {link}"
            links += 1
    assert links > 500


FOUND_BY = {
    "UpdateNotVerifiedError": "reference/errors.html",
    "idempotency": "tasks/timeouts-and-retries.html",
    "Django": "tasks/endpoint.html",
    "rate limit": "tasks/endpoint.html",
}


@pytest.mark.parametrize(("words", "expected"), FOUND_BY.items(), ids=FOUND_BY)
def test_search_finds_the_page(words: str, expected: str, visit: Visit) -> None:
    page = visit.page
    visit.open("search.html")
    page.fill("input[name=q]", words)
    page.press("input[name=q]", "Enter")
    page.wait_for_function("document.querySelector('#search-results p')?.textContent.startsWith('Search finished')")
    found = [link.get_attribute("href") or "" for link in page.locator("#search-results li a").all()]
    assert any(expected in link for link in found), found
    assert (visit.found.errors, visit.found.elsewhere) == ([], [])


def test_on_this_page_is_beside_the_text_on_a_small_screen(visit: Visit) -> None:
    page = visit.open("tasks/errors.html")
    contents = page.locator(".toc-tree").bounding_box()
    text = page.locator("article").bounding_box()
    assert contents is not None
    assert text is not None
    assert text["x"] + text["width"] <= contents["x"]
    assert contents["x"] + contents["width"] <= WIDE[0]


def test_no_header_of_a_table_breaks_within_a_word(visited: dict[str, Visited]) -> None:
    """A header of code stays on one line; other words break at spaces only."""
    assert {name: each.broken_headers for name, each in visited.items() if each.broken_headers} == {}


def test_search_works_in_a_page_that_was_opened_as_a_file(browser: Browser, built: Path) -> None:
    """`make docs` names the file. From one, a browser fetches no other: a search does without excerpts."""
    for visit in new_visit(browser, "file://"):
        page = visit.page
        page.goto(f"{built.as_uri()}/search.html?q=UpdateNotVerifiedError")
        page.wait_for_function("document.querySelector('#search-results p')?.textContent.startsWith('Search finished')")
        assert page.locator("#search-results li a").count() > 5
        assert (visit.found.errors, visit.found.elsewhere) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_name_of_a_module_in_code_is_not_underlined_like_a_link(
    scheme: Literal["light", "dark"], visit: Visit
) -> None:
    page = visit.open("tasks/endpoint.html")
    page.emulate_media(color_scheme=scheme)
    lines = page.locator("div.highlight .nn").evaluate_all(
        "all => all.map(e => getComputedStyle(e).textDecorationLine)"
    )
    assert set(lines) == {"none"}


def test_both_operations_are_visible_in_the_http_reference(visit: Visit) -> None:
    page = visit.open("reference/http.html")
    for operation in load_operations().values():
        assert page.get_by_text(f"{operation.method} {operation.path}", exact=True).first.is_visible()
    for heading in ("Update a project import", "200: Successfully updated import", "404: Import not found"):
        assert page.get_by_role("heading", name=heading).is_visible()
    for body in ('"statusCode": 403', '"title": "Updated GitHub Import"'):
        assert page.get_by_text(body).first.is_visible()


def test_an_example_of_the_http_reference_has_tabs_and_its_response_beside_them(visit: Visit) -> None:
    """The language that a reader chooses in one example is shown in all."""
    page = visit.open("reference/http.html")
    examples = page.locator(".example").all()
    assert len(examples) == len(load_operations())
    for example in examples:
        request, response = example.locator(".sd-tab-set").bounding_box(), example.locator(".response").bounding_box()
        assert request is not None
        assert response is not None
        assert request["x"] + request["width"] <= response["x"]
    examples[0].get_by_text("Python SDK").click()
    for example in examples:
        assert example.get_by_text("NeptunClient").first.is_visible()
        assert example.get_by_text("curl -X").first.is_hidden()


def test_the_page_of_the_sandbox_is_as_good(browser: Browser) -> None:
    """At ``/`` of its port, without leaving a trace in the requests that a test reads."""
    with Sandbox() as neptun:
        for visit in new_visit(browser, neptun.base_url):
            assert visit.examine("") == Visited(headings=1)
            for name, scheme, wide_and_high in (
                ("wide", "light", WIDE),
                ("dark", "dark", WIDE),
                ("narrow", "light", NARROW),
            ):
                visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                size(visit.page, wide_and_high)
                picture(visit.page, f"sandbox-{name}")
        assert neptun.requests == []


def test_screenshots_for_a_person_to_look_at(visit: Visit) -> None:
    for name in PICTURES:
        visit.open(f"{name}.html")
        for wide_and_high in (WIDE, NARROW):
            size(visit.page, wide_and_high)
            taken = picture(visit.page, f"{name.replace('/', '-')}-{wide_and_high[0]}")
            assert taken.stat().st_size > 10_000


def picture(page: Page, name: str) -> Path:
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
