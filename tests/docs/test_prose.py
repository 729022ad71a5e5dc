"""The prose linter finds the habits that `make prose` is there for, and leaves plain English alone."""

import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VALE = Path(sysconfig.get_path("scripts")) / "vale"

pytestmark = pytest.mark.needs("Vale")

FOUND = {
    "a riddle": ("This is no number.", "is no number"),
    "an owner": ("Pass a transport of your own.", "of your own"),
    "a quotation": ("Send what the contract says.", "what the contract says"),
    "a duty": ("Retries are yours to make.", "yours to"),
    "an old verb": ("The run goes on.", "goes on"),
    "a relative clause": ("It has two parts, one of which is small.", "one of which"),
    "British spelling": ("The organisation behaves.", "organization"),
    "a long sentence": ("One " + "and one " * 20 + "is many.", "more than 36 words"),
}


def lint(text: str, tmp_path: Path, name: str = "page.md") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    command = [str(VALE), f"--config={ROOT / '.vale.ini'}", "--output=line", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.parametrize(("text", "message"), FOUND.values(), ids=FOUND)
def test_a_habit_is_found(text: str, message: str, tmp_path: Path) -> None:
    assert message in lint(text, tmp_path)


def test_a_docstring_and_a_comment_are_read(tmp_path: Path) -> None:
    found = lint('"""It goes on."""\n\nx = "it goes on"  # of its own accord\n', tmp_path, "module.py")
    assert ["goes on" in found, "of its own" in found, found.count("\n")] == [True, True, 2]


def test_plain_words_and_code_are_left_alone(tmp_path: Path) -> None:
    text = "There is no project. Retries are automatic.\n\n`goes on`\n\n```text\nThis is no number.\n```\n"
    assert lint(text, tmp_path) == ""


def test_the_list_of_exceptions_names_files_that_exist() -> None:
    """A path that has moved would be an exception for nothing."""
    ini = (ROOT / ".vale.ini").read_text(encoding="utf-8")
    paths = [path for line in ini.splitlines() if line.startswith("[{") for path in line.strip("[{}]").split(",")]
    assert paths
    missing = [path for path in paths if "_build" not in path and not (ROOT / path.rstrip("*").rstrip("/")).exists()]
    assert missing == []
