"""Every Python block of the README and the site runs as it stands against the embedded Neptun; so does every shell
block that can."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pytest_examples import CodeExample, find_examples

from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]
EXAMPLES = [each for page in PAGES for each in find_examples(page) if not each.prefix.startswith("pyi")]
BASH = shutil.which("bash")
FORMATTER = "class JsonFormatter"  # the block whose output has a test of its own
HOST = "https://neptun-webui.vercel.app"  # in the published curl lines; here the embedded Neptun stands for it

# Of pytest: they load all of their packages, and the examples use the SDK's own plugin alone, which they do not name.
OTHER_PLUGINS = [f"-p no:{each.name}" for each in entry_points(group="pytest11") if each.name != "neptun_sandbox"]

# A block whose first line is such a comment is a file, which later blocks of its page import or run.
FILE_NAME = re.compile(r"# (\w+\.py)\n")


def name_of(example: CodeExample) -> str | None:
    """Return the name of the file that a block is, if it is one."""
    found = FILE_NAME.match(example.source)
    return found[1] if found else None


def place(example: CodeExample) -> str:
    page = example.path.relative_to(ROOT) if example.path.is_absolute() else example.path
    return f"{page.as_posix()}:{example.start_line}"


def environment(neptun: Sandbox, folder: Path) -> dict[str, str]:
    scripts = sysconfig.get_path("scripts")
    return {
        **os.environ,
        "NEPTUN_BASE_URL": neptun.base_url,
        "NEPTUN_SESSION_COOKIE": neptun.session_cookie,
        "NEPTUN_USER_ID": str(neptun.user_id),
        "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(folder),
        "PYTHONUTF8": "1",
        # What the test client of starlette deprecates is its own affair.
        "PYTEST_ADDOPTS": " ".join([*OTHER_PLUGINS, "-p no:cacheprovider -W ignore"]),
        "COLUMNS": "80",
    }


def run(example: CodeExample, neptun: Sandbox, folder: Path) -> str:
    """Run a block in a process of its own, which it may end as it likes, and return what it prints.

    One that is a file of tests is run by pytest.
    """
    script = folder / (name_of(example) or "example.py")
    # The lines before it keep the line numbers of the page in a traceback.
    script.write_text("\n" * example.start_line + example.source, encoding="utf-8")
    command = [sys.executable, "-W", "error", str(script)]
    if script.name.startswith("test_"):
        command = [sys.executable, "-m", "pytest", "-q", str(script)]
    done = subprocess.run(
        command, cwd=folder, env=environment(neptun, folder), capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        shown = f"{place(example)}:\n\n{example.source}\n{done.stdout}{done.stderr}"
        pytest.fail(shown, pytrace=False)
    return done.stdout


@dataclass(frozen=True)
class Command:
    """A command of a shell block, and the lines that the page shows as its output."""

    page: Path
    line: int
    text: str
    output: tuple[str, ...]


def commands() -> list[Command]:
    """Return the commands of every shell block: of a ``console`` block each ``$ `` line, of a ``bash`` block all."""
    found: list[Command] = []
    for page in PAGES:
        lines = page.read_text(encoding="utf-8").splitlines()
        for start, fence in enumerate(lines):
            if fence not in ("```console", "```bash", "```sh"):
                continue
            block = lines[start + 1 : lines.index("```", start)]
            if fence != "```console":
                found.append(Command(page, start + 2, "\n".join(block), ()))
                continue
            for number, line in enumerate(block):
                if line.startswith("$ "):
                    output = itertools.takewhile(lambda each: not each.startswith("$ "), block[number + 1 :])
                    found.append(Command(page, start + 2 + number, line[2:], tuple(output)))
    return found


# What no test of a page runs, and why that is no loss.
NOT_RUN = {
    r"make (demo|test)\b": "runs in every check of a change",
    r"make (check-server|generate|docs|docs-serve|sandbox|bench)\b": "has tests of its own, or is one of these tests",
    r"(python3 -m venv|pip|npm|npx) ": "installs from a registry, which no test may reach",
    r"mkdir .* && cd ": "the test has a folder of its own",
    r"neptun-sandbox --port": "runs until it is interrupted; tests/sandbox/test_cli.py runs it",
    r"export ": "only sets a variable, which the tests set themselves",
}
# The pages of other languages are run by the tests of these languages.
COMMANDS = [each for each in commands() if each.page.parent.name != "languages" or "published" in each.page.name]
RUN = [each for each in COMMANDS if not any(re.match(pattern, each.text) for pattern in NOT_RUN)]


def is_run_elsewhere(example: CodeExample) -> bool:
    """Tell whether a block is the formatter, or a file that a shell block of its page runs: see the tests below."""
    name = name_of(example)
    return FORMATTER in example.source or (
        name is not None
        and any(each.page == example.path and re.match(rf"(python|pytest -q) {name}$", each.text) for each in RUN)
    )


def write_files(page: Path, folder: Path, *, before: int) -> None:
    """Write the blocks of a page that are files and stand before a line."""
    for example in EXAMPLES:
        name = name_of(example)
        if name and example.path == page and example.start_line < before:
            (folder / name).write_text(example.source, encoding="utf-8")


@pytest.mark.parametrize("example", [each for each in EXAMPLES if not is_run_elsewhere(each)], ids=place)
def test_the_example_runs(example: CodeExample, neptun: Sandbox, tmp_path: Path) -> None:
    write_files(example.path, tmp_path, before=example.start_line)
    run(example, neptun, tmp_path)


def test_the_json_formatter_writes_one_object_per_line(neptun: Sandbox, tmp_path: Path) -> None:
    (example,) = [each for each in EXAMPLES if FORMATTER in each.source]
    entries = [json.loads(line) for line in run(example, neptun, tmp_path).splitlines()]
    assert [(each["attempt"], each["status_code"]) for each in entries] == [(1, 503), (1, 503), (2, 200)]
    shown = json.loads(re.findall(r"```json\n(.*?)```", example.path.read_text(encoding="utf-8"), re.S)[0])
    assert entries[1].keys() == shown.keys()


@pytest.mark.parametrize("code", ["raise ValueError('a mistake')", "import sys; sys.exit('a mistake')"])
def test_an_example_that_fails_is_shown(code: str, neptun: Sandbox, tmp_path: Path) -> None:
    example = CodeExample.create(code)
    with pytest.raises(pytest.fail.Exception) as caught:
        run(example, neptun, tmp_path)
    assert code in str(caught.value)
    assert "a mistake" in str(caught.value)


def test_every_python_block_is_found() -> None:
    fences = sum(len(re.findall(r"^```(python|py)\b", page.read_text(encoding="utf-8"), re.M)) for page in PAGES)
    assert len(EXAMPLES) == fences >= 25


@pytest.mark.needs("bash", "curl")
@pytest.mark.parametrize("command", RUN, ids=lambda each: f"{each.page.relative_to(ROOT).as_posix()}:{each.line}")
def test_the_shell_command_runs_and_prints_what_the_page_shows(
    command: Command, neptun: Sandbox, tmp_path: Path
) -> None:
    write_files(command.page, tmp_path, before=command.line)
    text = command.text.replace(HOST, neptun.base_url).replace("your-session-cookie", neptun.session_cookie)
    if "curl" in text:
        text = text.replace("curl ", "curl --fail --silent --show-error ")
    done = subprocess.run(
        [str(BASH), "-e", "-c", text],
        cwd=tmp_path,
        env=environment(neptun, tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # `…` stands for anything.
    shown = ".*".join(re.escape(part) for part in "\n".join(command.output).split("…"))
    assert re.match(shown, done.stdout, re.S), (
        f"{command.page.name} shows:\n{command.output}\nbut it is:\n{done.stdout}"
    )


def test_every_reason_not_to_run_a_command_is_used() -> None:
    unused = [pattern for pattern in NOT_RUN if not any(re.match(pattern, each.text) for each in COMMANDS)]
    assert unused == []
    assert len(RUN) >= 5
