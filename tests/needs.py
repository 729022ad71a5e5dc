"""What tests need of the machine and not every machine has: the only table that knows it.

A test that needs Chromium is marked ``@pytest.mark.needs("Chromium")``, or its fixture calls ``require("Chromium")``.
Without Chromium it is skipped, and the first lines of pytest name it. With ``CI=true`` it fails instead, unless
pyproject.toml leaves the package out on this version of Python.
"""

import importlib.metadata
import os
import platform
import shutil
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement

_ROOT = Path(__file__).parent.parent
_SCRIPTS = sysconfig.get_path("scripts")
_PYTHON = ".".join(platform.python_version_tuple()[:2])


@dataclass(frozen=True)
class Need:
    """Something that a machine may lack.

    Attributes:
        found: Whether it is here.
        tests: The tests that are skipped without it.
        hint: How to get it, or why it is not to be had.
        excused: Whether CI does without it too.
    """

    found: bool
    tests: str
    hint: str
    excused: bool = False


def _left_out() -> set[str]:
    """Return the packages that pyproject.toml leaves out here, because they have no wheel for this Python."""
    groups = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    requirements = [Requirement(each) for group in groups.values() for each in group if isinstance(each, str)]
    return {each.name for each in requirements if each.marker and not each.marker.evaluate()}


def _package(name: str, tests: str, hint: str = "make test") -> Need:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        excused = name in _left_out()
        return Need(False, tests, f"it has no wheel for Python {_PYTHON}" if excused else hint, excused)
    return Need(True, tests, hint)


def _command(*names: str, tests: str, hint: str, path: str | None = None) -> Need:
    return Need(any(shutil.which(name, path=path) for name in names), tests, hint)


NEEDS = {
    "Chromium": _command(
        "chromium", "chromium-browser", tests="the site and the reference in a browser", hint="apt install chromium"
    ),
    "oasdiff": _command(
        "oasdiff", path=_SCRIPTS, tests="changes of the contract, and releases", hint="install Go, then make test"
    ),
    "Java": _command("java", tests="changes of the contract, and releases", hint="install Java 11 or newer"),
    "Redocly": _command("redocly", path=_SCRIPTS, tests="changes of the contract, and releases", hint="make test"),
    "TypeScript": _command("tsc", path=_SCRIPTS, tests="the published TypeScript", hint="make test"),
    "Swagger UI and Scalar": Need(
        (_ROOT / ".venv/lib/scalar/standalone.js").is_file(), "the contract as vendors show it", "make test"
    ),
    "Vale": _command("vale", path=_SCRIPTS, tests="the rules for words", hint="install Go, then make prose"),
    "Node": _command("node", path=_SCRIPTS, tests="the JavaScript of the HTTP reference", hint="make test"),
    "bash": _command("bash", tests="the shell blocks of the site", hint="apt install bash"),
    "curl": _command("curl", tests="the curl lines of the site and the sandbox", hint="apt install curl"),
    "git": _command("git", tests="releases, and the files of a checkout", hint="apt install git"),
    "a checkout": Need((_ROOT / ".git").exists(), "the files of a checkout", "git clone, instead of a zip"),
    "cattrs": _package("cattrs", "cattrs"),
    "celery": _package("celery", "Celery"),
    "distributed": _package("distributed", "bulk updates on a Dask cluster"),
    "ddtrace": _package("ddtrace", "Datadog"),
    "django": _package("django", "web frameworks"),
    "fakeredis": _package("fakeredis", "RQ"),
    "fastapi": _package("fastapi", "web frameworks"),
    "flask": _package("flask", "web frameworks"),
    "freezegun": _package("freezegun", "clocks that stand still"),
    "gevent": _package("gevent", "gevent"),
    "httpx2": _package("httpx2", "httpx2"),
    "matplotlib": _package("matplotlib", "the plot of the benchmark", "make check"),
    "msgspec": _package("msgspec", "msgspec"),
    "mypy": _package("mypy", "the types of the examples, and of what drills add", "make check"),
    "newrelic": _package("newrelic", "New Relic"),
    "numpy": _package("numpy", "NumPy"),
    "opentelemetry-instrumentation-httpx": _package("opentelemetry-instrumentation-httpx", "OpenTelemetry"),
    "pydantic": _package("pydantic", "web frameworks"),
    "pyright": _package("pyright", "the types of what drills add", "make check"),
    "pytest-httpx": _package("pytest-httpx", "pytest-httpx"),
    "pytest-socket": _package("pytest-socket", "pytest-socket"),
    "respx": _package("respx", "respx"),
    "rq": _package("rq", "RQ"),
    "sentry-sdk": _package("sentry-sdk", "Sentry"),
    "time-machine": _package("time-machine", "clocks that are moved"),
}


def require(*names: str) -> None:
    """Skip the test if something is missing; where every change is tested, fail."""
    for name in names:
        need = NEEDS[name]
        if not need.found:
            reason = f"needs {name} ({need.hint})"
            if os.environ.get("CI") and not need.excused:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


def missing() -> list[str]:
    """Return one line for each thing that is missing, with the tests that are skipped."""
    return [
        f"without {name} ({need.hint}), these are skipped: {need.tests}"
        for name, need in NEEDS.items()
        if not need.found
    ]
