"""What the make targets run: the demo shows what it says, and generating is repeatable and loud."""

import filecmp
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REQUEST = "            schema:\n              $ref: '#/components/schemas/UpdateProjectRequest'"
ROOT = Path(__file__).parent.parent


def run(*command: str, **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def demo() -> "subprocess.CompletedProcess[str]":
    return run(sys.executable, "scripts/demo.py")


def test_the_demo_shows_both_updates_and_two_errors(demo: "subprocess.CompletedProcess[str]") -> None:
    assert demo.returncode == 0, demo.stderr
    for shown in (
        "My project → Updated Project Name",
        "GitHub import → Updated GitHub Import",
        "unchanged: id, description, project_type, created_at, neptun_user_id",
        "NotFoundError: ",
        "401",
    ):
        assert shown in demo.stdout
    assert "\033" not in demo.stdout, "coloured although this is no terminal"
    next_steps = demo.stdout.splitlines()[-3:]
    pages = [page for line in next_steps for page in re.findall(r"docs/\S+\.md", line)]
    assert pages == ["docs/start.md", "docs/tasks/endpoint.md"]
    assert all((ROOT / page).is_file() for page in pages)


def test_make_alone_lists_every_target() -> None:
    listed = run("/usr/bin/make", "--no-print-directory", "PYTHON=unused").stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = [target for line in makefile.splitlines() if line.startswith(".PHONY:") for target in line.split()[1:]]
    assert {"demo", "test", "check", "bench"} <= set(phony)
    assert all(f"make {target} " in listed for target in phony)


def test_the_help_of_make_fits_80_columns() -> None:
    assert [
        line
        for line in run("/usr/bin/make", "--no-print-directory", "PYTHON=unused").stdout.splitlines()
        if len(line) > 80
    ] == []


def test_what_a_change_needs_each_day_stands_under_develop() -> None:
    groups = run("/usr/bin/make", "--no-print-directory", "PYTHON=unused").stdout.split("\n\n")
    listed = {group.splitlines()[0]: re.findall(r"^  make (\S+)", group, re.M) for group in groups}
    assert list(listed) == ["Start here", "Develop", "Maintain"]
    daily = {"lint", "types", "lint-spec", "check-generated", "check", "bench-quick", "profile"}
    assert daily <= set(listed["Develop"])


def test_the_demo_fits_80_columns(demo: "subprocess.CompletedProcess[str]") -> None:
    assert [line for line in demo.stdout.splitlines() if len(line) > 80] == []


# It would make an environment, in which nothing can be installed.
OLD_PYTHON = """\
case "$1" in
-c) exit 1 ;;
*) mkdir -p "$4/bin" && printf '#!/bin/sh' > "$4/bin/pip" && chmod +x "$4/bin/pip" ;;
esac
"""
# As on Debian without the package python3-venv.
PYTHON_WITHOUT_VENV = f"""\
case "$1" in
-c) exec {shlex.quote(sys.executable)} "$@" ;;
*) mkdir -p "$4/bin"; exit 1 ;;
esac
"""


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("python", ["", "/no/such/python"], ids=["none", "one that does not exist"])
def test_without_a_python_make_says_so(python: str, tmp_path: Path) -> None:
    done = run("/usr/bin/make", "demo", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_an_old_python_leaves_no_environment_behind(tmp_path: Path) -> None:
    """Every later call of make would use it, and fail."""
    python = fake_python(tmp_path, OLD_PYTHON)
    done = run("/usr/bin/make", "demo", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert f"needs Python 3.11 or newer, and {python} is older" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_an_environment_that_was_not_finished_is_removed(tmp_path: Path) -> None:
    python = fake_python(tmp_path, PYTHON_WITHOUT_VENV)
    done = run("/usr/bin/make", "demo", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "apt install python3-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_find_python_passes_over_what_is_too_old_or_does_not_run(tmp_path: Path) -> None:
    old = fake_python(tmp_path, OLD_PYTHON)
    assert run("scripts/find-python", old, "/no/such/python", sys.executable).stdout == f"{sys.executable}\n"


@pytest.mark.parametrize("code", [1, 2])
def test_make_turns_every_exit_code_of_check_server_into_2(code: int, tmp_path: Path) -> None:
    """As docs/tasks/which-server.md says; GNU make has no other for a command that failed."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    python.chmod(0o755)
    for stamp in (".python", ".demo"):
        (folder / stamp).touch()
    done = run("/usr/bin/make", "check-server", "PYTHON=unused", f"VENV={folder}")
    assert (done.returncode, f"Error {code}" in done.stderr) == (2, True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what generating needs, to break."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copytree(ROOT / "generated", tmp_path / "generated", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "openapi.yaml", tmp_path)
    (tmp_path / "neptun_sdk").mkdir()
    shutil.copy(ROOT / "neptun_sdk" / "_contract.py", tmp_path / "neptun_sdk")
    return tmp_path


def generate(checkout: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return run(sys.executable, str(checkout / "scripts" / "generate.py"), *options)


def test_what_is_committed_is_what_the_contract_gives(checkout: Path) -> None:
    done = generate(checkout, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_generating_again_gives_the_same_bytes_and_leaves_nothing_stale(checkout: Path) -> None:
    (checkout / "generated" / "neptun_openapi" / "stale.py").touch()
    assert generate(checkout).returncode == 0
    made = checkout / "generated" / "neptun_openapi"
    committed = ROOT / "generated" / "neptun_openapi"
    files = sorted(path.relative_to(committed) for path in committed.rglob("*") if path.suffix in (".py", ".typed"))
    assert sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file()) == files
    _, different, unread = filecmp.cmpfiles(committed, made, [str(file) for file in files], shallow=False)
    assert (different, unread) == ([], [])


def test_a_client_that_was_edited_is_found_out_with_a_diff(checkout: Path) -> None:
    with (checkout / "generated" / "neptun_openapi" / "types.py").open("a") as file:
        file.write("# edited by hand\n")
    done = generate(checkout, "--check")
    assert done.returncode != 0
    assert "-# edited by hand" in done.stdout
    assert "run `make generate`" in done.stderr


def test_a_contract_of_another_name_is_found_out_and_named_anew(checkout: Path) -> None:
    """A comment changes its hash, and nothing that is generated."""
    with (checkout / "openapi.yaml").open("a") as file:
        file.write("# A comment\n")
    done = generate(checkout, "--check")
    assert done.returncode != 0
    assert "neptun_sdk/_contract.py names another contract; run `make generate`" in done.stderr
    assert generate(checkout).returncode == 0
    assert generate(checkout, "--check").returncode == 0
    module = "neptun_sdk/_contract.py"
    changed = [path.read_text(encoding="utf-8").splitlines() for path in (ROOT / module, checkout / module)]
    assert len(set(changed[1]) - set(changed[0])) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("$ref: '#/components/schemas/UpdateProjectRequest'", "$ref: '#/components/schemas/NoSuch'"),
        (f"application/json:\n{REQUEST}", "application/xml:\n            schema:\n              type: string"),
        ("openapi: 3.0.3", "openapi: 2.0"),
    ],
    ids=["a broken reference", "a body that the generator cannot write", "another version"],
)
def test_a_warning_stops_generating_and_replaces_nothing(old: str, new: str, checkout: Path) -> None:
    document = checkout / "openapi.yaml"
    text = document.read_text(encoding="utf-8")
    assert old in text
    document.write_text(text.replace(old, new), encoding="utf-8")
    before = (checkout / "generated" / "neptun_openapi" / "client.py").read_bytes()
    done = generate(checkout)
    assert done.returncode != 0
    assert "generate: openapi-python-client" in done.stderr
    assert (checkout / "generated" / "neptun_openapi" / "client.py").read_bytes() == before


def test_a_missing_ruff_stops_generating(checkout: Path) -> None:
    script = checkout / "scripts" / "generate.py"
    code = script.read_text(encoding="utf-8").replace(
        '"openapi-python-client", "ruff"', '"openapi-python-client", "no-ruff"'
    )
    script.write_text(code, encoding="utf-8")
    done = generate(checkout)
    assert done.returncode != 0
    assert "no-ruff is not installed" in done.stderr
