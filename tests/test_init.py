"""``import neptun_sdk`` is cheap and changes nothing outside it; the first client loads the rest."""

import inspect
import json
import subprocess
import sys

import pytest
from bench.harness import WITHOUT_CLI

import neptun_sdk

CLIENT = "from neptun_sdk import NeptunClient; NeptunClient('a-session-cookie', 1).close()"
FRAMEWORKS = {"neptun_sdk.sandbox", "openapi_schema_validator", "werkzeug", "cheroot", "yaml", "pydantic", "asyncio"}

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
    assert names == sorted(names)


def test_nothing_else_is_public() -> None:
    """A name that is imported for use inside would become a promise."""
    named = {name for name, value in vars(neptun_sdk).items() if not inspect.ismodule(value)}
    assert {name for name in named if name[0] != "_"} == {name for name in neptun_sdk.__all__ if name[0] != "_"}


@pytest.mark.parametrize("name", [name for name, _ in inspect.getmembers(neptun_sdk, inspect.isclass)])
def test_a_public_class_is_documented(name: str) -> None:
    assert getattr(neptun_sdk, name).__doc__
