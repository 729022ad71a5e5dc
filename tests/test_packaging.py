"""The wheel, not the tree: built from the sdist, installed alone into a fresh environment, and used there against a
real server; and the contract, whose only copy is at the root, in every form in which this repository travels."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
# Filled by the Makefile, so that this test needs no network.
WHEELS = ROOT / ".venv" / "wheels"

# httpx and attrs, and what they bring on any supported Python.
ALLOWED = {
    "neptun-sdk",
    "httpx",
    "attrs",
    "anyio",
    "certifi",
    "h11",
    "httpcore",
    "idna",
    "sniffio",
    "typing-extensions",
}

CALL = """
import json, sys
from importlib import metadata, resources
import neptun_openapi
from neptun_sdk import NeptunClient
with NeptunClient() as client:
    name = client.update_project(int(sys.argv[1]), name="From the wheel").name
files = [resources.files("neptun_sdk") / "py.typed", resources.files("neptun_openapi") / "py.typed"]
print(json.dumps({
    "name": name,
    "from": neptun_openapi.__file__,
    "typed": all(file.is_file() for file in files),
    "contract": (resources.files("neptun_sdk") / "openapi.yaml").read_text(encoding="utf-8"),
    "plugins": [point.value for point in metadata.entry_points(group="pytest11", name="neptun_sandbox")],
    "installed": sorted({dist.name.lower().replace("_", "-") for dist in metadata.distributions()}),
}))
"""


def run(*command: str, **environment: str) -> str:
    """Run a command that must succeed and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", f"--outdir={folder}", str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an environment in which the wheel, and nothing else, was asked for."""
    assert WHEELS.is_dir(), "run `make test`, which downloads what this test installs"
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "fresh", with_pip=False)
    python = str(folder / "fresh" / "bin" / "python")
    pip = (sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-index", f"--find-links={WHEELS}", str(wheel), PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="")
    return python


def test_the_wheel_alone_makes_a_call(fresh_python: str, neptun: Sandbox, tmp_path: Path) -> None:
    script = tmp_path / "call.py"
    script.write_text(CALL)
    printed = run(
        fresh_python,
        str(script),
        str(neptun.project_id),
        NEPTUN_BASE_URL=neptun.base_url,
        NEPTUN_SESSION_COOKIE=neptun.session_cookie,
        NEPTUN_USER_ID=str(neptun.user_id),
    )
    found = json.loads(printed)
    assert found["name"] == "From the wheel"
    assert str(ROOT / "generated") not in found["from"]
    assert found["typed"], "py.typed is not in the wheel"
    assert found["contract"] == (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    assert found["plugins"] == ["pytest_neptun"]
    assert {"neptun-sdk", "httpx", "attrs"} <= set(found["installed"]) <= ALLOWED


def test_the_sandbox_says_which_extra_it_needs(fresh_python: str) -> None:
    done = subprocess.run(
        [fresh_python, "-c", "import neptun_sdk.sandbox"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "neptun-sdk[sandbox]" in done.stderr


def test_only_what_is_imported_is_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [requirement.split(">")[0] for requirement in project["dependencies"]]
    assert required == ["httpx", "httpcore", "attrs"]


def build_wheel(folder: Path) -> Path:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={folder}", str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def build_editable(folder: Path) -> Path:
    code = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def modules(wheel: Path) -> set[str]:
    """The files of a wheel without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


# Read at run time: the contract, and the page that the embedded Neptun shows to a browser.
FILES = {"neptun_sdk/openapi.yaml", "neptun_sdk/sandbox/reference.html", "pytest_neptun.py"}


def test_a_wheel_of_the_tree_and_one_of_the_sdist_hold_the_same(wheel: Path, tmp_path: Path) -> None:
    assert modules(build_wheel(tmp_path)) == modules(wheel) > FILES


def test_an_editable_install_holds_no_copy_of_anything(tmp_path: Path) -> None:
    """A copy of openapi.yaml would become outdated with the next edit."""
    assert {Path(name).suffix for name in modules(build_editable(tmp_path))} == {".pth"}


def test_the_sdist_has_the_vectors_and_what_runs_them(wheel: Path) -> None:
    """For clients in other languages, and for those who test what they package."""
    (sdist,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    folder = "tests/portability"
    assert {f"{folder}/run.py", f"{folder}/README.md", f"{folder}/vectors/vectors.schema.json"} <= names
    assert f"{folder}/vectors/update_project.json" in names


FIND = "import neptun_sdk.sandbox.spec as spec; print(spec.__file__, len(spec.load_spec()['paths']), sep='\\n')"


@pytest.mark.needs("git", "a checkout")
def test_a_zip_of_the_repository_and_a_checkout_without_links_have_the_contract(tmp_path: Path) -> None:
    for name in run("git", "-C", str(ROOT), "ls-files", "-z").split("\0"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            # What git writes for a link where core.symlinks is false.
            target.write_text(os.readlink(source), encoding="utf-8")
        elif source.is_file():
            shutil.copy(source, target)
    where, paths = run(sys.executable, "-P", "-c", FIND, PYTHONPATH=f"{tmp_path}").split()
    assert Path(where) == tmp_path / "neptun_sdk" / "sandbox" / "spec.py"
    assert int(paths) >= 2
