"""The tests of the SDK on every Python that is found here: ``make matrix``.

They leave out what concerns this repository only: its site, its drills and its scripts. A version of Python that is not
here is named as skipped. ``make matrix SESSIONS="edges lowest" OPTIONS='-m "not soak"'`` chooses sessions and tests.
"""

import os
import shutil
import sys
import tomllib
from pathlib import Path

import nox
from packaging.requirements import Requirement

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSIONS = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if "Python :: 3." in each]
NOT_OF_THE_SDK = (
    "docs",
    "drills",
    "integrations",
    "test_api_diff.py",
    "test_bench.py",
    "test_check_server.py",
    "test_contract_artefact.py",
    "test_needs.py",
    "test_packaging.py",
    "test_portability.py",
    "test_readme_typescript.py",
    "test_record.py",
    "test_release.py",
    "test_repository.py",
    "test_scripts.py",
    "test_spec_diff.py",
)

# pyenv's own names on the PATH run only the versions that were chosen with it.
PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
os.environ["PATH"] = os.pathsep.join([*map(str, PYENV.glob("versions/3.*/bin")), os.environ["PATH"]])
FOUND = [version for version in VERSIONS if shutil.which(f"python{version}")]
TESTED = f"{sys.version_info.major}.{sys.version_info.minor}"  # by `make test`, in .venv

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile everything again

nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False


def install(session: nox.Session, *options: str) -> None:
    session.install("--quiet", "--no-compile", "--group", "sdk", "--editable", ".[sandbox]", *options)


def run(session: nox.Session, *options: str) -> None:
    ignored = [f"--ignore=tests/{name}" for name in NOT_OF_THE_SDK]
    parallel = ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder")
    session.run("python", "-m", "pytest", "-q", "--no-header", *parallel, *ignored, *options, *session.posargs)


@nox.session(python=VERSIONS)
def pinned(session: nox.Session) -> None:
    """The versions of constraints.txt, on every Python."""
    install(session, "--constraint", "constraints.txt")
    run(session)


@nox.session(python=[version for version in dict.fromkeys((FOUND[0], FOUND[-1])) if version != TESTED], default=False)
def edges(session: nox.Session) -> None:
    """The same on the oldest and the newest Python found, but for that of `make test`."""
    pinned(session)


@nox.session(python=FOUND[0])
def lowest(session: nox.Session) -> None:
    """The lowest versions that pyproject.toml allows."""
    install(session, "--constraint", "constraints.txt")
    extras = PROJECT["optional-dependencies"]
    requirements = map(Requirement, [*PROJECT["dependencies"], *extras["sandbox"], *extras["bulk"]])
    bounds = [(each.name, bound) for each in requirements for bound in each.specifier if bound.operator == ">="]
    session.install("--quiet", *(f"{name}=={bound.version}" for name, bound in bounds))
    run(session)


@nox.session(python=FOUND[-1])
def newest(session: nox.Session) -> None:
    """The newest versions of everything, today."""
    install(session, "--upgrade", "--upgrade-strategy=eager")
    run(session)


@nox.session(python=FOUND[-1])
def httpx2(session: nox.Session) -> None:
    """What concerns the wire, under ``httpx2.alias_httpx()``."""
    install(session, "httpx2", "--constraint", "constraints.txt")
    run(session, "-p", "tests.alias", "--ignore=tests/sandbox", "--ignore=tests/contract")
