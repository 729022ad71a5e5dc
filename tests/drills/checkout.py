"""A copy of the repository in which a drill changes what it likes, and runs the contract tests of the copy."""

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from changes import Level, at_least

from tests.needs import require

ROOT = Path(__file__).parents[2]
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "dist", "docs", "mutants")
PYTEST = ("pytest", "-p", "no:cacheprovider", "-o", "addopts=", "--color=no", "-q")
FAILURE = re.compile(r"^(?:FAILED|ERROR) \S.*? - (?:AssertionError: |Failed: |\w+Error: )?(.*)$", re.MULTILINE)


def checklist(title: str) -> list[str]:
    """Return the files and targets that the steps of a checklist in CONTRIBUTING.md begin with."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, found, rest = text.partition(f"\n### {title}\n")
    assert found, f"CONTRIBUTING.md has no checklist: {title}"
    return re.findall(r"^[0-9]+\. `([^`]+)`", re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0], re.MULTILINE)


class Checkout:
    """A copy of the repository, without its virtual environment; to be closed.

    Args:
        folder: Where to put the copy; the folder must not exist.
    """

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT, folder, symlinks=True, ignore=IGNORED)
        self.folder = folder
        self.steps: list[str] = []  # the files that were changed and the targets that were run, each once, in order
        # The copy stands before the editable installation.
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'generated'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "NEPTUN_SCHEMATHESIS_EXAMPLES": "5",
            "COLUMNS": "1000",  # pytest cuts each message to the width of the terminal
        }
        self._compile()
        code = "import neptun_openapi, neptun_sdk; print(neptun_openapi.__file__, neptun_sdk.__file__)"
        imported = [Path(path) for path in self.run("-c", code).stdout.split()]
        assert imported == [folder / "generated/neptun_openapi/__init__.py", folder / "neptun_sdk/__init__.py"]
        self._forks = subprocess.Popen(
            [sys.executable, "-m", "tests.drills.forks"],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _compile(self) -> None:
        """Write bytecode that is used while the text is the same, and not only its size and second."""
        done = self.run(
            "-m", "compileall", "-qq", "--invalidation-mode=checked-hash", "generated", "neptun_sdk", "tests"
        )
        assert done.returncode == 0, done.stdout

    def close(self) -> None:
        """End the process that belongs to the copy."""
        self._forks.communicate()

    def pytest(self, *arguments: str) -> tuple[int, str]:
        """Run tests of the copy; return pytest's return code and what it printed."""
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        print(json.dumps([*PYTEST, *arguments]), file=self._forks.stdin, flush=True)
        code, output = json.loads(self._forks.stdout.readline())
        return code, output

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
        self._note(path)

    def add_before(self, path: str, mark: str, text: str) -> None:
        """Put a text before another one, which is in a file once."""
        self.replace(path, mark, text + mark)

    def append(self, path: str, text: str) -> None:
        """Put a text at the end of a file."""
        file = self.folder / path
        file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
        self._note(path)

    def import_names(self, path: str, line: str) -> None:
        """Put an import before the first one that is not of the future; `sort` gives it its place."""
        text = (self.folder / path).read_text(encoding="utf-8")
        first = re.findall("^(?:import|from (?!__future__)).*\n", text, re.MULTILINE)[0]
        self.replace(path, f"\n{first}", f"\n{line}\n{first}")

    def sort(self, path: str) -> None:
        """Let ruff sort the imports and ``__all__`` of a file."""
        done = self.run("-m", "ruff", "check", "--quiet", "--fix", "--select", "I,RUF022", path)
        assert done.returncode == 0, done.stdout

    def generate(self) -> None:
        """Regenerate the low-level client."""
        done = self.run("scripts/generate.py")
        assert done.returncode == 0, done.stderr
        self._compile()
        self._note("make generate")

    def check_style(self) -> None:
        """Check the format and the types of neptun_sdk/, as ``make check`` does."""
        require("mypy", "pyright")
        for command in (
            ("ruff", "format", "--check", "neptun_sdk"),
            ("ruff", "check", "neptun_sdk"),
            ("mypy", "neptun_sdk/client.py"),
            ("pyright", "--pythonpath", sys.executable, "neptun_sdk/client.py"),
        ):
            done = self.run("-m", *command)
            assert done.returncode == 0, done.stdout + done.stderr

    def release_notes(self, kind: str, text: str) -> None:
        """Write the snapshot of the Python interface, and a line of the CHANGELOG."""
        done = self.run("scripts/api_snapshot.py")
        assert done.returncode == 0, done.stderr
        self._note("make changes")
        self.replace("CHANGELOG.md", "## [Unreleased]\n", f"## [Unreleased]\n\n### {kind}\n\n- {text}\n")

    def raise_contract(self, level: Level) -> None:
        """Raise the version of the contract by what a change of a level calls for."""
        before, now = (
            re.findall(r"^  version: .*$", (folder / "openapi.yaml").read_text(encoding="utf-8"), re.MULTILINE)[0]
            for folder in (ROOT, self.folder)
        )
        self.replace("openapi.yaml", now, f"  version: {at_least(before.split()[-1], level)}")

    def levels(self) -> tuple[str, str]:
        """Compare with the original as ``make check`` does: return the levels of the contract and of the interface."""
        require("oasdiff", "Redocly")  # the rest of the drill has passed
        levels: list[str] = []
        for command in (
            ("scripts/spec_diff.py", "--check-version", f"{ROOT}/openapi.yaml", "openapi.yaml"),
            ("scripts/api_snapshot.py", "--check"),
            ("scripts/api_diff.py", "--check-version", f"{ROOT}/interfaces/python.txt", "interfaces/python.txt"),
        ):
            done = self.run(*command)
            assert done.returncode == 0, done.stdout + done.stderr
            levels += re.findall(r"^level: (.*)$", done.stdout, re.MULTILINE)
        of_contract, of_python = levels
        return of_contract, of_python

    def _note(self, step: str) -> None:
        if step not in self.steps:
            self.steps.append(step)

    def contract(self, tests: str = "") -> list[str]:
        """Run the contract tests, or one file of them; return their messages, each once, without what pytest adds.

        Each names a file or a target.
        """
        code, output = self.pytest(
            "--tb=no",
            "-rfE",
            "--assert=plain",
            f"tests/contract/{tests}",
            "--ignore=tests/contract/test_schemathesis.py",
        )
        messages = list(dict.fromkeys(FAILURE.findall(output)))
        assert bool(messages) == bool(code), output
        assert [each for each in messages if not re.search(r"\w\.(py|yaml)|make \w", each)] == []
        return messages

    def changes(self, folder: str) -> dict[str, int]:
        """Return how many lines, blank ones aside, were added to or changed in each file below a folder."""
        found: dict[str, int] = {}
        for path in sorted((self.folder / folder).rglob("*.py")):
            if not path.is_file():
                continue
            name = path.relative_to(self.folder)
            original = ROOT / name
            before = original.read_text(encoding="utf-8").splitlines() if original.is_file() else []
            after = path.read_text(encoding="utf-8").splitlines()
            lines = [line for line in difflib.ndiff(before, after) if line.startswith("+ ") and line[2:].strip()]
            if lines:
                found[name.as_posix()] = len(lines)
        return found
