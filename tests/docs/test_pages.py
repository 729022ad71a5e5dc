"""What the pages say of the code is so: names, figures, the architecture."""

import logging
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import write_pages

import architecture
import neptun_sdk
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.spec import load_operations
from tests.sandbox.test_reference import open_page

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).is_file()] == []


def rows(page: str) -> list[str]:
    return re.findall(r"^\| `.*", (ROOT / "docs" / "tasks" / page).read_text(encoding="utf-8"), re.M)


def errors_in(cell: str) -> list[str]:
    return re.findall(r"`(\w+Error)`", cell)


@pytest.mark.parametrize("page", ["errors.md", "endpoint.md"])
def test_every_error_has_a_row_that_says_what_to_do(page: str) -> None:
    named = {name for row in rows(page) for name in errors_in(row.split(" | ")[0])}
    errors = {name for name in neptun_sdk.__all__ if name.endswith("Error")} - {"NeptunError"}
    assert errors - named == set()


@pytest.mark.parametrize("name", ["errors", "http", "outcomes", "python"])
def test_a_page_of_the_reference_is_what_the_code_says(name: str) -> None:
    """Else `make pages` writes it."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    text = (write_pages.PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert write_pages.page(text) == text
    assert len(text.splitlines()) > 50
    broken = text.replace("<!-- end -->", "by hand\n\n<!-- end -->")
    assert write_pages.page(broken) == text


def test_the_path_of_an_update_names_what_its_files_have() -> None:
    """Each step links to files that exist, and each name stands in one of those that its step links to."""
    page = ROOT / "docs" / "why" / "path.md"
    steps = re.findall(r"^\d+\. .*(?:\n {2,}.*)*", page.read_text(encoding="utf-8"), re.M)
    assert len(steps) == 10
    for step in steps:
        code = "".join((page.parent / link).read_text("utf-8") for link in re.findall(r"\]\((\S+\.py)\)", step))
        names = re.findall(r"(?<!\[)`([\w.]+)`(?!\])", step)
        missing = [name for name in names if not all(part in code for part in name.split("."))]
        assert [name for name in missing if not name.endswith(".py")] == [], step


def test_every_figure_of_speed_is_one_that_was_measured() -> None:
    measured = (ROOT / "docs" / "benchmark.md").read_text(encoding="utf-8")
    figures = {
        f"{page.name}: {figure}"
        for page in PAGES
        for figure in re.findall(r"\d[\d.,]* ?(?:µs|ms|\u00d7|calls/s)(?!\w)", page.read_text(encoding="utf-8"))
        if figure not in measured
    }
    assert figures == set()


def reachable(edges: dict[str, set[str]], name: str) -> set[str]:
    return edges[name].union(*(reachable(edges, other) for other in edges[name]))


def test_the_drawing_shows_what_the_modules_import() -> None:
    """A line may be left out only if others imply it; none may be added."""
    imports, lines = architecture.imports(), architecture.lines()
    assert all(lines[name] <= imports[name] for name in imports)
    assert {name: reachable(lines, name) for name in imports} == {name: reachable(imports, name) for name in imports}
    assert {"call", "_http", "operations"} <= imports["client"], "an import in a function counts"
    drawing = architecture.drawing()
    assert drawing.count("<path d=") == sum(map(len, lines.values()))
    assert all(f">{name}</text>" in drawing for name in imports)


def test_the_generated_client_and_the_sandbox_are_imported_where_the_page_says() -> None:
    imports = architecture.imports()
    assert {name for name, others in imports.items() if architecture.GENERATED in others} == {"operations", "values"}
    assert [name for name, others in imports.items() if "sandbox" in others] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"novelty": {"models"}}, "PLACES in docs/architecture.py: novelty"),
        ({"models": {"client"}}, "does not run downwards"),
    ],
    ids=["a new module", "a line that climbs"],
)
def test_an_architecture_that_does_not_fit_fails_the_build(
    changes: dict[str, set[str]], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = architecture.imports() | changes
    monkeypatch.setattr(architecture, "imports", lambda: changed)
    with pytest.raises(ValueError, match=re.escape(message)):
        architecture.lines()


@pytest.mark.needs("Node")
def test_every_block_of_javascript_works_as_it_stands(neptun: Sandbox) -> None:
    blocks = [block for block in open_page(neptun).blocks if block.startswith("const response")]
    assert len(blocks) == len(load_operations())
    for block in blocks:
        command = [str(Path(sysconfig.get_path("scripts")) / "node"), "--input-type=module", "--eval", block]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout.startswith("200 {")
    assert neptun.project(789)["name"] == "Updated Project Name"
    assert neptun.project_import(789, 123)["title"] == "Updated GitHub Import"
