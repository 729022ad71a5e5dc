"""The wheel, not the tree: built, installed alone into a fresh environment, and used there against a real server."""

import json
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
# Filled by the Makefile, so that this test needs no network.
WHEELS = ROOT / ".venv" / "wheels"

# httpx, attrs and tenacity, and what they bring on any supported Python.
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
    "tenacity",
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
files.append(resources.files("neptun_sdk") / "openapi.yaml")
print(json.dumps({
    "name": name,
    "from": neptun_openapi.__file__,
    "files": all(file.is_file() for file in files),
    "installed": sorted({dist.name.lower().replace("_", "-") for dist in metadata.distributions()}),
}))
"""


def run(*command: str, **environment: str) -> str:
    """Run a command that must succeed and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def fresh_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an environment in which the wheel, and nothing else, was asked for."""
    assert WHEELS.is_dir(), "run `make test`, which downloads what this test installs"
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={folder}", str(ROOT))
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "fresh", with_pip=False)
    python = str(folder / "fresh" / "bin" / "python")
    pip = (sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-index", f"--find-links={WHEELS}", str(wheel), PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="")
    return python


def test_the_wheel_alone_makes_a_call(fresh_python: str, neptun: Sandbox, tmp_path: Path) -> None:
    script = tmp_path / "call.py"
    script.write_text(CALL)
    said = run(
        fresh_python,
        str(script),
        str(neptun.project_id),
        NEPTUN_BASE_URL=neptun.base_url,
        NEPTUN_SESSION_COOKIE=neptun.session_cookie,
        NEPTUN_USER_ID=str(neptun.user_id),
    )
    found = json.loads(said)
    assert found["name"] == "From the wheel"
    assert str(ROOT / "generated") not in found["from"]
    assert found["files"], "py.typed or openapi.yaml is not in the wheel"
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
    assert required == ["httpx", "httpcore", "attrs", "tenacity"]
