"""``import neptun_sdk`` is cheap and changes nothing outside it; the first client loads the rest."""

import hashlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints
from unittest.mock import create_autospec

import pytest
import yaml
from bench.harness import WITHOUT_CLI

import neptun_sdk
import neptun_sdk.bulk
import neptun_sdk.sandbox
from neptun_sdk import NeptunClient
from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
CLIENT = "from neptun_sdk import NeptunClient; NeptunClient('a-session-cookie', 1).close()"
FRAMEWORKS = {
    "neptun_sdk.sandbox",
    "neptun_sdk.bulk",
    "tqdm",
    "distributed",
    "openapi_schema_validator",
    "werkzeug",
    "cheroot",
    "yaml",
    "pydantic",
    "asyncio",
}

# What a library might change when it is imported. httpx, which neptun_sdk imports, is imported before the first look.
STATE = """
import json, locale, logging, os, signal, sys, threading, warnings
import httpx

def state():
    loggers = {name: logging.getLogger(name) for name in ("", "httpx", "httpcore", "httpcore.http11")}
    return {
        "logging": {name: repr((each.handlers, each.filters, each.level)) for name, each in loggers.items()},
        "root": repr((logging.root.handlers, logging.root.level)),
        "warnings": repr(warnings.filters),
        "locale": locale.setlocale(locale.LC_ALL),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "excepthook": repr((sys.excepthook, threading.excepthook)),
        "threads": threading.active_count(),
        "signals": repr([signal.getsignal(each) for each in signal.valid_signals()]),
        "directory": os.getcwd(),
    }

before = state()
import neptun_sdk
print(json.dumps([before, state()]))
"""


def run(code: str) -> str:
    """Run some code in a fresh interpreter, and return what it prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after some code."""
    return set(run(f"{WITHOUT_CLI}; {code}; print(*(name for name in sys.modules))").split())


def test_an_import_loads_httpx_and_the_standard_library_only() -> None:
    loaded = loaded_by("import neptun_sdk")
    assert {"neptun_sdk", "httpx"} <= loaded
    assert not {"neptun_openapi", "attr", "httpcore", "h11", *FRAMEWORKS} & loaded


def test_the_first_client_loads_the_generated_client_and_httpcore() -> None:
    loaded = loaded_by(CLIENT)
    assert {"neptun_openapi", "attr", "httpcore"} <= loaded
    assert not FRAMEWORKS & loaded


def test_no_call_imports_anything(neptun: Sandbox) -> None:
    """An exception of a signal handler can leave the lock of a module taken, so that the calls of all threads hang."""
    code = (
        "import sys\n"
        "from neptun_sdk import NeptunClient, NeptunError\n"
        f"with NeptunClient({neptun.session_cookie!r}, 1, base_url={neptun.base_url!r}) as client:\n"
        "    before = set(sys.modules)\n"
        "    for project_id in (789, 999):\n"
        "        try:\n"
        "            client.update_project(project_id, name='x')\n"
        "        except NeptunError as error:\n"
        "            str(error)\n"
        "    print(*(set(sys.modules) - before))\n"
    )
    assert run(code).split() == []
    assert [request.status for request in neptun.requests] == [200, 404]


def test_an_import_changes_nothing_outside() -> None:
    before, after = json.loads(run(STATE))
    assert after == before


def test_an_import_warns_of_nothing_and_prints_nothing() -> None:
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", "import neptun_sdk"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_public_name_is_there_and_in_order() -> None:
    names = neptun_sdk.__all__
    assert all(hasattr(neptun_sdk, name) for name in names)
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))


def test_the_contract_is_named_by_its_version_and_hash() -> None:
    """Its SHA-256 is that of the file as it is checked out, so that ``sha256sum openapi.yaml`` finds it again."""
    content = (ROOT / "openapi.yaml").read_bytes()
    version = yaml.safe_load(content)["info"]["version"]
    digest = hashlib.sha256(content).hexdigest()[:12]
    assert f"{version}+{digest}" == neptun_sdk.CONTRACT


@pytest.mark.needs("git", "a checkout")
def test_the_contract_has_the_same_hash_in_every_checkout() -> None:
    """Also in one on Windows, where git may be set to write CRLF."""
    assert b"\r" not in (ROOT / "openapi.yaml").read_bytes()
    files = ["openapi.yaml", "interfaces/released.yaml", "interfaces/released.txt", "interfaces/python.txt"]
    command = ["git", "-C", str(ROOT), "check-attr", "eol", "--", *files]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.splitlines() == [f"{file}: eol: lf" for file in files]


def test_nothing_else_is_public() -> None:
    """A name that is imported for use inside would become a promise."""
    named = {name for name, value in vars(neptun_sdk).items() if not inspect.ismodule(value)}
    assert {name for name in named if name[0] != "_"} == {name for name in neptun_sdk.__all__ if name[0] != "_"}


MODULES = (neptun_sdk, neptun_sdk.bulk, neptun_sdk.sandbox)
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
}


@pytest.mark.parametrize("public", PUBLIC.values(), ids=PUBLIC)
def test_the_type_hints_of_a_public_name_can_be_read(public: Any) -> None:
    """Frameworks read them when a program runs: a name that only type checkers know would be a NameError."""
    get_type_hints(public)
    for name, member in inspect.getmembers(public):
        if name[0] != "_" or name == "__init__":
            for function in (member, getattr(member, "fget", None)):
                if inspect.isfunction(function) or inspect.ismethod(function):
                    get_type_hints(function)


def test_a_client_can_be_replaced_by_a_mock_that_knows_its_methods() -> None:
    client = create_autospec(NeptunClient, instance=True, spec_set=True)
    client.update_project.side_effect = neptun_sdk.NotFoundError("no", applied=False)
    with pytest.raises(neptun_sdk.NotFoundError):
        client.update_project(1, name="x")
    with pytest.raises(TypeError):
        client.update_project(1, nam="x")
    with pytest.raises(AttributeError):
        client.update_projects(1)
    made: Any = create_autospec(NeptunClient)("cookie", 1, headers={})
    made.with_options(headers={}).with_session("cookie", 1)


@pytest.mark.parametrize("name", [name for name, _ in inspect.getmembers(neptun_sdk, inspect.isclass)])
def test_a_public_class_is_documented(name: str) -> None:
    assert getattr(neptun_sdk, name).__doc__
