"""``make api-diff`` tells changes of the Python interface that break somebody from those that do not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import api_diff
import pytest
from api_snapshot import snapshot
from changes import Level, highest

import neptun_sdk
import neptun_sdk.sandbox

pytestmark = pytest.mark.without_coverage

ROOT = Path(__file__).parent.parent
CLIENT, ERRORS, MODELS = "neptun_sdk/client.py", "neptun_sdk/errors.py", "neptun_sdk/models.py"
SERVER = "neptun_sdk/sandbox/server.py"


class Edit(NamedTuple):
    """A change of the code: a file, a text that is in it once, what replaces it, and what the diff says of it."""

    path: str
    old: str
    new: str
    expected: str


UPDATE = (
    "    def update_project(\n        self,\n        project_id: int,\n        *,\n        name: str | None = None,\n"
)
BREAKING = {
    "a method is removed": Edit(
        CLIENT, "    def close(self)", "    def _close(self)", "NeptunClient.close: public object"
    ),
    "a method is renamed": Edit(
        CLIENT,
        "    def update_project_import(",
        "    def update_import(",
        "NeptunClient.update_project_import: public object",
    ),
    "a name is no longer exported": Edit(
        "neptun_sdk/__init__.py", '    "SourceType",\n', "", "neptun_sdk.SourceType: public object was removed"
    ),
    "a name that others mention is no longer exported": Edit(
        "neptun_sdk/__init__.py",
        '    "Project",\n',
        "",
        r"neptun_sdk\.Project: is no longer exported \(breaks those who import it\)",
    ),
    "a base of others is no longer exported": Edit(
        "neptun_sdk/__init__.py", '    "StatusError",\n', "", r"neptun_sdk\.StatusError: is no longer exported"
    ),
    "a class of the sandbox is no longer exported": Edit(
        "neptun_sdk/sandbox/__init__.py", '"Account", ', "", r"neptun_sdk\.sandbox\.Account: is no longer exported"
    ),
    "a parameter is renamed": Edit(
        CLIENT, UPDATE, UPDATE.replace("name:", "title:"), "update_project: parameter was removed: name"
    ),
    "a parameter becomes required": Edit(
        CLIENT, UPDATE, UPDATE.replace(" = None", ""), "update_project: parameter is now required: name"
    ),
    "a required parameter is added": Edit(
        CLIENT,
        UPDATE,
        UPDATE.replace("name:", "reason: str,\n        name:"),
        "parameter was added as required: reason",
    ),
    "a parameter takes another type": Edit(
        CLIENT,
        UPDATE,
        UPDATE.replace("project_id: int", "project_id: str"),
        r"update_project\(project_id\): the type went from int to str \(breaks those who call it\)",
    ),
    "a parameter no longer takes None": Edit(
        CLIENT,
        UPDATE,
        UPDATE.replace("name: str | None = None", 'name: str = ""'),
        r"update_project\(name\): the type went from str \| None to str",
    ),
    "a parameter has another default": Edit(
        CLIENT,
        "        timeout: float = 30.0,\n",
        "        timeout: float = 60.0,\n",
        r"NeptunClient\.__init__: parameter default was changed: timeout = 30\.0, now 60\.0",
    ),
    "two parameters change places": Edit(
        CLIENT,
        "        project_id: int,\n        import_id: int,\n",
        "        import_id: int,\n        project_id: int,\n",
        "update_project_import: positional parameter was moved: project_id",
    ),
    "a parameter may only be a keyword": Edit(
        CLIENT,
        "def with_session(self, session_cookie: str, user_id: int)",
        "def with_session(self, session_cookie: str, *, user_id: int)",
        "with_session: parameter kind was changed: user_id",
    ),
    "a keyword of every client is removed": Edit(
        CLIENT, "    allow_http: bool\n", "", r"_Settings\.allow_http: public object was removed"
    ),
    "a method returns another type": Edit(
        CLIENT,
        "programming_language: ProgrammingLanguage | None = None,\n    ) -> Project:",
        "programming_language: ProgrammingLanguage | None = None,\n    ) -> Project | None:",
        r"update_project\(\): the type went from Project to Project \| None \(breaks those who use what it returns\)",
    ),
    "a method must be awaited": Edit(
        CLIENT, "    def close(self)", "    async def close(self)", "close: async was added"
    ),
    "a constructor becomes a method": Edit(CLIENT, "    @classmethod\n", "", r"shared: the decorators went from \['cl"),
    "a known value is removed": Edit(
        MODELS,
        ', "web-service"',
        "",
        r"ProjectType: no longer takes Literal\['web-service'\] \(breaks those who check types",
    ),
    "an alias no longer takes any text": Edit(
        MODELS, '"web-app"] | str', '"web-app"]', "ProjectType: no longer takes str"
    ),
    "a field is removed": Edit(
        MODELS, "    neptun_user_id: int\n    project_id", "    project_id", "neptun_user_id: public"
    ),
    "a field becomes required": Edit(
        MODELS,
        "    title: str | None = None\n",
        "    title: str | None\n",
        r"ProjectImport\.__init__: parameter is now required: title",
    ),
    "a field has another type": Edit(
        MODELS,
        "    created_at: datetime\n    updated_at: datetime\n    neptun_user_id: int\n    project_id",
        "    created_at: str\n    updated_at: datetime\n    neptun_user_id: int\n    project_id",
        r"ProjectImport\.created_at: the type went from datetime to str",
    ),
    "a resource can be changed": Edit(
        MODELS,
        "@dataclass(frozen=True, slots=True, kw_only=True)\nclass ProjectImport",
        "@dataclass(slots=True, kw_only=True)\nclass ProjectImport",
        r"ProjectImport: the decorators went from",
    ),
    "an error has another base": Edit(
        ERRORS,
        "class NotFoundError(StatusError)",
        "class NotFoundError(NeptunError)",
        r"NotFoundError: is no longer a StatusError \(breaks those who catch or check for it\)",
    ),
    "an error loses one of two bases": Edit(
        ERRORS,
        "class ArgumentError(NeptunError, ValueError)",
        "class ArgumentError(NeptunError)",
        "no longer a ValueError",
    ),
    "an attribute of an error has another type": Edit(
        ERRORS,
        "    retry_after: float | None = None\n\n\nclass ServerError",
        "    retry_after: str | None = None\n\n\nclass ServerError",
        r"RateLimitError\.retry_after: the type went from float \| None to str \| None",
    ),
    "an attribute of an error has another default": Edit(
        ERRORS,
        "    status_code: int = 404\n",
        "    status_code: int = 410\n",
        r"NotFoundError\.status_code: its default",
    ),
    "a property of the sandbox becomes a method": Edit(
        SERVER,
        "    @property\n    def requests",
        "    def requests",
        r"Sandbox\.requests: public object points to a different",
    ),
    "the fixture has another name": Edit(
        "pytest_neptun.py",
        "def neptun_sandbox(",
        "def sandbox(",
        "pytest_neptun.neptun_sandbox: public object was removed",
    ),
}

HARMLESS: dict[str, tuple[Edit, Level]] = {
    "a docstring": (Edit(ERRORS, '"""404: there is no such', '"""404: no such', ""), "none"),
    "a private method": (
        Edit(CLIENT, "    def close(self)", "    def _ping(self) -> None: ...\n\n    def close(self)", ""),
        "none",
    ),
    "a module that moves": (
        Edit("neptun_sdk/__init__.py", "from neptun_sdk.client import", "from .client import", ""),
        "none",
    ),
    "the order of fields that are keywords": (
        Edit(
            MODELS,
            "    source_type: SourceType\n    source_path: str\n",
            "    source_path: str\n    source_type: SourceType\n",
            "",
        ),
        "patch",
    ),
    "an optional parameter": (
        Edit(
            CLIENT, UPDATE, UPDATE + "        homepage: str | None = None,\n", "optional parameter homepage was added"
        ),
        "minor",
    ),
    "a parameter that takes more": (
        Edit(CLIENT, UPDATE, UPDATE.replace("project_id: int", "project_id: int | str"), "from int to int | str"),
        "minor",
    ),
    "a parameter that becomes optional": (
        Edit(CLIENT, "user_id: int) -> Self", "user_id: int = 1) -> Self", "user_id became optional"),
        "minor",
    ),
    "a known value": (Edit(MODELS, ', "web-app"]', ', "web-app", "cli"]', r"takes Literal\['cli'\] too"), "minor"),
    "a method": (
        Edit(
            CLIENT, "    def close(self)", "    def ping(self) -> bool: ...\n\n    def close(self)", "ping: was added"
        ),
        "minor",
    ),
    "a method that is deprecated": (
        Edit(
            CLIENT, "    def close(self)", '    @deprecated("Use with.")\n    def close(self)', "close: is deprecated"
        ),
        "minor",
    ),
    "a base that is exported": (
        Edit(
            "neptun_sdk/__init__.py",
            "ProjectType, SourceType\n\n__all__ = [\n",
            'ProjectType, Resource, SourceType\n\n__all__ = [\n    "Resource",\n',
            "neptun_sdk.Resource: is exported now",
        ),
        "minor",
    ),
    "an optional field": (
        Edit(
            MODELS,
            "    title: str | None = None\n",
            "    title: str | None = None\n    site: str | None = None\n",
            "site",
        ),
        "minor",
    ),
    "an attribute that is never None": (
        Edit(ERRORS, "    resource: Resource | None = None", "    resource: Resource = None", "to Resource"),
        "minor",
    ),
    "a base between two errors": (
        Edit(
            ERRORS,
            "class NotFoundError(StatusError)",
            'class GoneError(StatusError):\n    """4xx."""\n\n\nclass NotFoundError(GoneError)',
            "is now a GoneError too",
        ),
        "minor",
    ),
}


@pytest.fixture(scope="module")
def released() -> str:
    return snapshot(ROOT)


# The modules that hold what is public: to read the others for each change takes four times as long.
PUBLIC = {"_contract", "_version", "app", "client", "errors", "models", "run", "server", "state", "updates", "__init__"}


@pytest.fixture(scope="module")
def public(released: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, reduced to what the snapshot is made from."""

    def internal(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if (Path(folder) / name).is_file() and Path(name).stem not in PUBLIC}

    folder = tmp_path_factory.mktemp("public")
    shutil.copytree(ROOT / "neptun_sdk", folder / "neptun_sdk", ignore=internal)
    shutil.copy(ROOT / "pytest_neptun.py", folder)
    assert snapshot(folder) == released, "add to PUBLIC the module from which a public name comes now"
    return folder


def edited(edit: Edit, public: Path, folder: Path) -> str:
    """Return the snapshot of a copy of the code with a change."""
    shutil.copytree(public, folder, dirs_exist_ok=True)
    file = folder / edit.path
    text = file.read_text(encoding="utf-8")
    assert text.count(edit.old) == 1, f"{edit.path} has {text.count(edit.old)} times, not once:\n{edit.old}"
    file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return snapshot(folder)


@pytest.mark.parametrize("edit", BREAKING.values(), ids=BREAKING)
def test_a_breaking_change_is_major_and_says_whom_it_breaks(
    edit: Edit, released: str, public: Path, tmp_path: Path
) -> None:
    major = [str(each) for each in api_diff.compare(released, edited(edit, public, tmp_path)) if each.level == "major"]
    assert any(re.search(edit.expected, line) for line in major), major
    assert all(re.search(r"\(breaks .+\)$", line) for line in major)


@pytest.mark.parametrize(("edit", "level"), HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_change_breaks_nobody(edit: Edit, level: Level, released: str, public: Path, tmp_path: Path) -> None:
    changes = api_diff.compare(released, edited(edit, public, tmp_path))
    assert highest(changes) == level, changes
    assert not edit.expected or any(re.search(edit.expected, str(change)) for change in changes), changes


def test_the_snapshot_has_every_public_name(released: str) -> None:
    for module in (neptun_sdk, neptun_sdk.sandbox):
        section = released.split(f"# from {module.__name__}\n")[1].split("# from ")[0]
        for name in module.__all__:
            assert re.search(rf"^(class {name}[(:]|{name}: )", section, re.MULTILINE), name


def test_the_snapshot_has_no_more_than_types(released: str) -> None:
    """A docstring or a private default may change without a release."""
    assert '"""' not in released
    assert not re.search(r"= .*\b_[a-z]|= _[A-Z]", released)
    assert f"neptun-sdk {neptun_sdk.__version__}," in released.splitlines()[0]


def run(*arguments: str | Path, script: str = "api_diff.py") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def snapshots(folder: Path, released: str, version: str) -> tuple[Path, Path]:
    """Write two snapshots: release 1.0.0, and one with a new method and a version."""
    old, new = folder / "old.txt", folder / "new.txt"
    header, _, rest = released.partition("\n")
    name = f"neptun-sdk {neptun_sdk.__version__}"
    old.write_text(f"{header.replace(name, 'neptun-sdk 1.0.0')}\n{rest}", encoding="utf-8")
    rest = rest.replace("    def close(self)", "    def ping(self) -> bool: ...\n    def close(self)", 1)
    new.write_text(f"{header.replace(name, f'neptun-sdk {version}')}\n{rest}", encoding="utf-8")
    return old, new


def test_the_diff_comes_first_and_the_level_last(released: str, tmp_path: Path) -> None:
    old, new = snapshots(tmp_path, released, "1.0.0")
    done = run("--check-version", old, new)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"--- {old}", f"+++ {new}"]
    assert "+    def ping(self) -> bool: ..." in lines
    assert lines[-3:] == [
        "minor  neptun_sdk.NeptunClient.ping: was added",
        "the next release: 1.1.0 or more",
        "level: minor",
    ]


@pytest.mark.parametrize(("version", "code"), [("1.0.1", 1), ("0.9.0", 1), ("1.1.0", 0), ("2.0.0", 0)])
def test_a_version_that_was_raised_must_be_high_enough(version: str, code: int, released: str, tmp_path: Path) -> None:
    done = run("--check-version", *snapshots(tmp_path, released, version))
    assert done.returncode == code
    message = f"api-diff: __version__ is {version}: after 1.0.0, 1.1.0 is the lowest that fits.\n"
    assert done.stderr == (message if code else "")


@pytest.mark.parametrize("version", ["0.1", "1.0.0rc1", "1.0.0.dev0"])
def test_a_version_that_is_none_is_named(version: str, released: str, tmp_path: Path) -> None:
    done = run("--check-version", *snapshots(tmp_path, released, version))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"api-diff: __version__ is {version!r}; write three numbers, such as '1.2.3'.\n"


@pytest.mark.parametrize("text", ["Notes\n", None], ids=["other text", "no file"])
def test_a_file_that_is_no_snapshot_is_refused(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    if text:
        path.write_text(text, encoding="utf-8")
    done = run(path, path)
    assert done.returncode == 1
    expected = rf"api-diff: {re.escape(str(path))} .*; `make api-snapshot` writes one\.\n"
    assert re.fullmatch(expected, done.stderr), done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the snapshot is made from, and of the snapshot."""
    for folder in ("scripts", "neptun_sdk", "api"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pytest_neptun.py", tmp_path)
    return tmp_path


def snapshot_script(checkout: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "scripts/api_snapshot.py", *options]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_what_is_committed_is_what_the_code_says(checkout: Path) -> None:
    assert snapshot_script(checkout, "--check").returncode == 0


def test_a_snapshot_that_is_not_up_to_date_is_found_out_with_a_diff(checkout: Path) -> None:
    client = checkout / CLIENT
    client.write_text(
        client.read_text(encoding="utf-8").replace("timeout: float = 30.0", "timeout: float = 5"), encoding="utf-8"
    )
    done = snapshot_script(checkout, "--check")
    assert done.returncode == 1
    assert "-        timeout: float = 30.0,\n+        timeout: float = 5,\n" in done.stdout
    assert "run `make api-snapshot` and commit the result" in done.stderr
    assert snapshot_script(checkout).stdout == "wrote api/python.txt\n"
    assert snapshot_script(checkout, "--check").returncode == 0
