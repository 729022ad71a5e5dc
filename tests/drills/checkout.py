"""A copy of the repository in which a drill changes what it likes, and runs the contract tests of the copy."""

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "dist", "docs", "mutants")
CONTRACT = ("-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "--color=no", "--tb=no", "-q", "-rfE")
FAILURE = re.compile(r"^(?:FAILED|ERROR) \S.*? - (?:AssertionError: |Failed: |\w+Error: )?(.*)$", re.MULTILINE)


class Checkout:
    """A copy of the repository, without its virtual environment.

    Args:
        folder: Where to put the copy; the folder must not exist.
    """

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT, folder, symlinks=True, ignore=IGNORED)
        self.folder = folder
        # The copy stands before the editable installation, and no bytecode of a file that was changed within the same
        # second is used.
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'generated'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "NEPTUN_SCHEMATHESIS_EXAMPLES": "5",
            "COLUMNS": "1000",  # pytest cuts each message to the width of the terminal
        }
        code = "import neptun_openapi, neptun_sdk; print(neptun_openapi.__file__, neptun_sdk.__file__)"
        imported = [Path(path) for path in self.run("-c", code).stdout.split()]
        assert imported == [folder / "generated/neptun_openapi/__init__.py", folder / "neptun_sdk/__init__.py"]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run this interpreter in the copy."""
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text that is in a file once."""
        found = (self.folder / path).read_text(encoding="utf-8").count(old)
        assert found == 1, f"{path} has {found} times, not once:\n{old}"
        self.replace_all(path, old, new)

    def replace_all(self, path: str, old: str, new: str) -> None:
        """Replace a text wherever it is in a file."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} does not have:\n{old}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def add_before(self, path: str, mark: str, text: str) -> None:
        """Put a text before another one, which is in a file once."""
        self.replace(path, mark, text + mark)

    def generate(self) -> None:
        """Regenerate the low-level client."""
        done = self.run("scripts/generate.py")
        assert done.returncode == 0, done.stderr

    def contract(self, tests: str = "") -> list[str]:
        """Run the contract tests, or one file of them; return their messages, each once, without what pytest adds."""
        done = self.run(*CONTRACT, f"tests/contract/{tests}", "--ignore=tests/contract/test_schemathesis.py")
        messages = list(dict.fromkeys(FAILURE.findall(done.stdout)))
        assert bool(messages) == bool(done.returncode), done.stdout + done.stderr
        return messages

    def changes(self, folder: str) -> dict[str, int]:
        """Return how many lines were added to or changed in each file below a folder."""
        found: dict[str, int] = {}
        for path in sorted((self.folder / folder).rglob("*")):
            if not path.is_file():
                continue
            name = path.relative_to(self.folder)
            original = ROOT / name
            before = original.read_text(encoding="utf-8").splitlines() if original.is_file() else []
            after = path.read_text(encoding="utf-8").splitlines()
            lines = [line for line in difflib.ndiff(before, after) if line.startswith("+ ")]
            if lines:
                found[name.as_posix()] = len(lines)
        return found
