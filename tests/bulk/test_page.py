"""docs/tasks/bulk.md: its programs run, its command prints what it shows, and its picture is there."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pytest_examples import CodeExample, find_examples

from neptun_sdk.sandbox import Sandbox

PAGE = Path(__file__).parents[2] / "docs" / "tasks" / "bulk.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = list(find_examples(PAGE))
BLOCKS = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
SCRIPT = str(Path(sysconfig.get_path("scripts")) / "neptun-bulk")


@pytest.fixture(autouse=True)
def settings(neptun: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("base_url", "session_cookie", "user_id"):
        monkeypatch.setenv(f"NEPTUN_{name.upper()}", str(getattr(neptun, name)))
    monkeypatch.chdir(tmp_path)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line {example.start_line}")
def test_the_example_runs(example: CodeExample) -> None:
    script = Path("example.py")
    script.write_text("\n" * example.start_line + example.source, encoding="utf-8")
    done = run(sys.executable, "-X", "utf8", "-W", "error", str(script))
    assert done.returncode == 0, done.stderr


def test_every_python_block_is_found() -> None:
    assert len(EXAMPLES) == TEXT.count("```python") == 3


def test_the_command_does_what_the_page_shows(neptun: Sandbox) -> None:
    file, shown = BLOCKS[0], next(block for block in BLOCKS if "--dry-run" in block)
    Path("moves.csv").write_text(file, encoding="utf-8")
    done = run(SCRIPT, "moves.csv", "--dry-run")
    printed = f"{done.stdout}{done.stderr}".replace(neptun.base_url, "https://neptun.example")
    assert f"$ neptun-bulk moves.csv --dry-run\n{printed}" == shown
    assert run(SCRIPT, "moves.csv").returncode == 0
    assert neptun.project(789)["name"] == "Shop"
    stored = neptun.project_import(789, 123)
    assert (stored["source_path"], stored["description"]) == ("new-org/shop", "")


def test_the_picture_has_text_and_loads_nothing() -> None:
    (name,) = re.findall(r"\]\((\w+\.svg)\)", TEXT)
    content = (PAGE.parent / name).read_text(encoding="utf-8")
    text = "".join(ElementTree.fromstring(content).itertext()).replace("\xa0", " ")  # noqa: S314 - our own
    assert "neptun-bulk renames.csv" in text
    assert "3000/3000 [" in text
    assert "refused      1  not applied" in text
    assert "url(http" not in content
