"""``make changes`` tells changes of the Python interface that break somebody from those that do not."""

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
PROJECT = "pyproject.toml"


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
        CLIENT, "    def close(self)", "    def _close(self)", "NeptunClient.close: was removed or renamed"
    ),
    "a method is renamed": Edit(
        CLIENT,
        "    def update_project_import(",
        "    def update_import(",
        "NeptunClient.update_project_import: was removed or renamed",
    ),
    "a name is no longer exported": Edit(
        "neptun_sdk/__init__.py", '    "SourceType",\n', "", "neptun_sdk.SourceType: is no longer exported"
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
        CLIENT, UPDATE, UPDATE.replace("name:", "title:"), "update_project: the parameter name was removed or renamed"
    ),
    "a parameter becomes required": Edit(
        CLIENT, UPDATE, UPDATE.replace(" = None", ""), "update_project: the parameter name is required now"
    ),
    "a required parameter is added": Edit(
        CLIENT,
        UPDATE,
        UPDATE.replace("name:", "reason: str,\n        name:"),
        "the parameter reason was added as required",
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
        r"update_project\(name\): the type went from None \| str to str",
    ),
    "a parameter has another default": Edit(
        CLIENT,
        "        timeout: float = 30.0,\n",
        "        timeout: float = 60.0,\n",
        r"NeptunClient\.__init__: the default of timeout went from 30\.0 to 60\.0",
    ),
    "two parameters change places": Edit(
        CLIENT,
        "        project_id: int,\n        import_id: int,\n",
        "        import_id: int,\n        project_id: int,\n",
        "update_project_import: the parameter project_id moved from place 1 to 2",
    ),
    "a parameter may only be a keyword": Edit(
        CLIENT,
        "def with_session(self, session_cookie: str, user_id: int)",
        "def with_session(self, session_cookie: str, *, user_id: int)",
        "with_session: the parameter user_id is keyword-only now, no longer positional or keyword",
    ),
    "a keyword of every client is removed": Edit(
        CLIENT, "    allow_http: bool\n", "", r"_Settings\.allow_http: was removed or renamed"
    ),
    "a method returns another type": Edit(
        CLIENT,
        "programming_language: ProgrammingLanguage | None = None,\n    ) -> Project:",
        "programming_language: ProgrammingLanguage | None = None,\n    ) -> Project | None:",
        r"update_project\(\): the type went from Project to None \| Project \(breaks those who use what it returns\)",
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
        MODELS, "    neptun_user_id: int\n    project_id", "    project_id", "neptun_user_id: was removed or renamed"
    ),
    "a field becomes required": Edit(
        MODELS,
        "    title: str | None = None\n",
        "    title: str | None\n",
        r"ProjectImport\.__init__: the parameter title is required now",
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
        r"RateLimitError\.retry_after: the type went from None \| float to None \| str",
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
        r"Sandbox\.requests: is a function, no longer an attribute",
    ),
    "a default that is another number": Edit(
        MODELS, "= 16 * 1024", "= 16 * 1000", "Sample.limit: its default went from"
    ),
    "a flag in the place of a number": Edit(
        MODELS, "size: int = 2", "size: int = True", "the default of size went from 2"
    ),
    "a property that can no longer be set": Edit(
        MODELS,
        "    @width.setter\n    def width(self, value: int | str) -> None: ...\n\n",
        "",
        r"Sample\.width: can no longer be set \(breaks those who set it\)",
    ),
    "a setter that takes less": Edit(
        MODELS,
        "value: int | str) -> None",
        "value: int) -> None",
        r"Sample\.width =: the type went from int \| str to int",
    ),
    "an attribute that becomes a property": Edit(
        MODELS,
        '    label: str = "a"\n',
        "    @property\n    def label(self) -> str: ...\n\n",
        "Sample.label: can no longer be set",
    ),
    "an overload is removed": Edit(
        MODELS,
        "    @overload\n    def find(self, key: str) -> list[Project]: ...\n\n",
        "    @overload\n    def find(self, key: float) -> float: ...\n\n",
        r"Sample\.find",
    ),
    "an overload returns something else": Edit(
        MODELS, "-> list[Project]: ...", "-> tuple[Project, ...]: ...", r"find\(\): the type went from list\[Project\]"
    ),
    "a value that is only returned": Edit(
        MODELS,
        'Literal["low", "high"]',
        'Literal["low", "middle", "high"]',
        r"Level: takes Literal\['middle'\] too \(breaks those who match each value of what is returned\)",
    ),
    "a member of an enum that is returned": Edit(
        MODELS,
        '    BLUE = "blue"\n',
        '    BLUE = "blue"\n    GREEN = "green"\n',
        "Color.GREEN: was added .*those who match",
    ),
    "a member of an enum is removed": Edit(MODELS, '    BLUE = "blue"\n', "", "Color.BLUE: was removed or renamed"),
    "a value is no longer accepted": Edit(
        MODELS, 'Literal["up", "down"]', 'Literal["up"]', r"Order: no longer takes Literal\['down'\]"
    ),
    "a private alias that is accepted": Edit(
        MODELS, '"Mapping[str, int]"', '"dict[str, int]"', r"_Pairs: no longer takes Mapping\[str, int\]"
    ),
    "another bound of a TypeVar": Edit(MODELS, "bound=str)", "bound=bytes)", "Key: went from Key = TypeVar"),
    "another base of a NewType": Edit(
        MODELS, 'NewType("Number", int)', 'NewType("Number", float)', "Number: went from"
    ),
    "an alias becomes a class": Edit(
        MODELS, 'Order: TypeAlias = Literal["up", "down"]', "class Order: ...", "Order: is a class, no longer a name"
    ),
    "a method of a protocol is added": Edit(
        MODELS,
        "    def write(self, text: str) -> int: ...\n",
        "    def write(self, text: str) -> int: ...\n\n    def flush(self) -> None: ...\n",
        r"Sink\.flush: was added \(breaks those who implement it\)",
    ),
    "a method of a protocol gets an optional parameter": Edit(
        MODELS,
        "def write(self, text: str) -> int",
        'def write(self, text: str, end: str = "") -> int',
        r"Sink\.write: the optional parameter end was added \(breaks those who implement it\)",
    ),
    "a method of a protocol accepts more": Edit(
        MODELS,
        "def write(self, text: str) -> int",
        "def write(self, text: str | bytes) -> int",
        r"Sink\.write\(text\): .* \(breaks those who implement it\)",
    ),
    "an abstract method is added": Edit(
        MODELS,
        "    def save(self) -> None: ...\n",
        "    def save(self) -> None: ...\n\n    @abstractmethod\n    def drop(self) -> None: ...\n",
        r"Store\.drop: was added \(breaks those who implement it\)",
    ),
    "a method becomes abstract": Edit(
        MODELS, "    def save(self)", "    @abstractmethod\n    def save(self)", "Store.save: is abstract now"
    ),
    "a tuple has a field more": Edit(
        MODELS,
        "    x: int\n    y: int\n",
        "    x: int\n    y: int\n    z: int\n",
        "Point.z: was added .breaks those who make or unpack it",
    ),
    "a tuple has its fields in another order": Edit(
        MODELS, "    x: int\n    y: int\n", "    y: int\n    x: int\n", "Point: the order of its fields changed"
    ),
    "a class that can no longer be derived from": Edit(
        MODELS, "class Sample:", "@final\nclass Sample:", r"Sample: is final now \(breaks those who derive from it\)"
    ),
    "a static method becomes one of an object": Edit(
        MODELS, "    @staticmethod\n    def level(", "    def level(", "Sample.level: the decorators went from"
    ),
    "further arguments are no longer taken": Edit(
        MODELS, ", **more: object", "", r"Sample\.__init__: the parameter \*\* was removed"
    ),
    "a list is returned that may not be changed": Edit(
        MODELS,
        "def names(self) -> Sequence[str]",
        "def names(self) -> Iterable[str]",
        r"names\(\): the type went from Seq",
    ),
    "a parameter takes lists only": Edit(
        MODELS, "of: Sequence[int]", "of: list[int]", r"color\(of\): the type went from Sequence\[int\] to list\[int\]"
    ),
    "a number of another kind is returned": Edit(
        MODELS, "def width(self) -> int", "def width(self) -> float", r"Sample\.width: the type went from int to float"
    ),
    "a key of a TypedDict becomes required": Edit(
        CLIENT,
        "    allow_http: bool\n",
        "    allow_http: Required[bool]\n",
        r"_Settings\.allow_http: the type went from bool",
    ),
    "a version of a dependency is excluded": Edit(
        PROJECT,
        '"attrs>=23.2"',
        '"attrs>=23.2,!=24.1"',
        "attrs >=23.2 is now !=24.1,>=23.2 .*those who have attrs 24.1",
    ),
    "a module is renamed": Edit(
        "neptun_sdk/bulk/__init__.py",
        "",
        "",
        "neptun_sdk.bulk: the module was removed or renamed .*those who import it",
    ),
    "a command is renamed": Edit(
        PROJECT, "neptun-bulk = ", "neptun-update = ", r"packaging commands: neptun-bulk was removed .*those who run it"
    ),
    "the plugin has another name": Edit(
        PROJECT, "neptun_sandbox = ", "neptun = ", "packaging plugins: pytest11 neptun_sandbox was removed"
    ),
    "an extra is removed": Edit(
        PROJECT,
        'dask = ["distributed>=2025.1"]\n',
        "",
        r"packaging extras: \[dask\] was removed .*those who install it",
    ),
    "a newer Python is required": Edit(
        PROJECT,
        'requires-python = ">=3.11"',
        'requires-python = ">=3.12"',
        "Python >=3.11 is now >=3.12 .*who have Python 3.11",
    ),
    "a newest Python": Edit(
        PROJECT,
        'requires-python = ">=3.11"',
        'requires-python = ">=3.11,<3.15"',
        "Python >=3.11 is now .*those who have Python 3.15",
    ),
    "a newer dependency is required": Edit(
        PROJECT, '"attrs>=23.2"', '"attrs>=24"', "attrs >=23.2 is now >=24 .*attrs 23.2"
    ),
    "a lower ceiling of a dependency": Edit(
        PROJECT, '"httpcore>=1.0.5,<2"', '"httpcore>=1.0.5,<1.1"', "httpcore <2,>=1.0.5 is now .*who have httpcore 1.1"
    ),
    "an extra requires a newer version": Edit(
        PROJECT, '"tqdm>=4.66"', '"tqdm>=4.67"', r"\[bulk\] tqdm >=4.66 is now >=4.67"
    ),
    "the distribution has another name": Edit(
        PROJECT, 'name = "neptun-sdk"', 'name = "neptun"', "packaging name: neptun-sdk was removed or renamed"
    ),
    "the types are no longer declared": Edit(
        "neptun_sdk/py.typed", "", "", "packaging typed: neptun_sdk was removed .*those who check types"
    ),
    "the fixture has another name": Edit(
        "pytest_neptun.py",
        "def neptun_sandbox(",
        "def sandbox(",
        "pytest_neptun.neptun_sandbox: was removed or renamed",
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
    "a default that is written as a product": (
        Edit(MODELS, "= 16 * 1024", "= 16384", ""),
        "patch",
    ),
    "a default that is written with a point": (Edit(MODELS, "size: int = 2", "size: int = 2.0", ""), "patch"),
    "the order of a union": (Edit(MODELS, "value: int | str) ->", "value: str | int) ->", ""), "patch"),
    "an old spelling of a type": (
        Edit(MODELS, "value: int | str) ->", "value: Union[int, str]) ->", ""),
        "patch",
    ),
    "the name of further arguments": (Edit(MODELS, "*tags: str", "*labels: str", ""), "patch"),
    "the name of a parameter that is no keyword": (
        Edit(MODELS, "order: Order, pairs", "way: Order, pairs", ""),
        "patch",
    ),
    "a forward reference": (Edit(MODELS, "-> Color: ...", '-> "Color": ...', ""), "none"),
    "a flag of a dataclass that is off": (
        Edit(
            MODELS,
            "@dataclass(frozen=True, slots=True, kw_only=True)\nclass ProjectImport",
            "@dataclass(frozen=True, kw_only=True, slots=True, order=False)\nclass ProjectImport",
            "",
        ),
        "patch",
    ),
    "a setter": (
        Edit(
            MODELS,
            "    @overload\n    def find(self, key: int)",
            "    @property\n    def depth(self) -> int: ...\n\n    @overload\n    def find(self, key: int)",
            "Sample.depth: was added",
        ),
        "minor",
    ),
    "a setter that takes more": (
        Edit(MODELS, "value: int | str) ->", "value: int | str | None) ->", "Sample.width =: the type went from"),
        "minor",
    ),
    "an overload": (
        Edit(
            MODELS,
            "    def find(self, key: object)",
            "    @overload\n    def find(self, key: bytes) -> None: ...\n\n    def find(self, key: object)",
            "Sample.find: an overload was added",
        ),
        "minor",
    ),
    "a value that is only accepted": (
        Edit(MODELS, 'Literal["up", "down"]', 'Literal["up", "down", "left"]', r"Order: takes Literal\['left'\] too"),
        "minor",
    ),
    "a list in the place of any sequence": (
        Edit(
            MODELS,
            "def names(self) -> Sequence[str]",
            "def names(self) -> list[str]",
            r"names\(\): the type went from Seq",
        ),
        "minor",
    ),
    "a parameter that takes anything to count over": (
        Edit(MODELS, "of: Sequence[int]", "of: Iterable[int]", r"color\(of\): the type went from"),
        "minor",
    ),
    "a parameter that takes fractions": (
        Edit(MODELS, "size: int = 2", "size: float = 2", "from int to float"),
        "minor",
    ),
    "a parameter that may be a keyword": (
        Edit(MODELS, "pairs: _Pairs, /)", "pairs: _Pairs)", "the parameter order is positional or keyword now"),
        "minor",
    ),
    "a method that moves to a base": (
        Edit(
            MODELS,
            "class Sample:\n",
            "class Named:\n    def names(self) -> Sequence[str]: ...\n\n\nclass Sample(Named):\n",
            "Sample: is now a Named too",
        ),
        "minor",
    ),
    "a class with a type parameter": (
        Edit(MODELS, "class Sample:\n", "class Sample(Generic[Key]):\n", "Sample: is now a Generic too"),
        "minor",
    ),
    "a command": (
        Edit(
            PROJECT, "neptun-bulk = ", 'neptun-try = "x:y"\nneptun-bulk = ', "packaging commands: neptun-try was added"
        ),
        "minor",
    ),
    "a command of another module": (
        Edit(PROJECT, '"neptun_sdk.bulk.cli:main"', '"neptun_sdk.bulk.main:main"', ""),
        "patch",
    ),
    "an extra": (
        Edit(PROJECT, "bulk = [", 'extra = ["rich"]\nbulk = [', r"packaging extras: \[extra\] was added"),
        "minor",
    ),
    "an older dependency": (Edit(PROJECT, '"attrs>=23.2"', '"attrs>=23"', "attrs >=23.2 is now >=23"), "minor"),
    "a higher ceiling of a dependency": (
        Edit(PROJECT, '"httpcore>=1.0.5,<2"', '"httpcore>=1.0.5,<3"', "httpcore <2,>=1.0.5 is now"),
        "minor",
    ),
    "a dependency": (Edit(PROJECT, '"attrs>=23.2"', '"attrs>=23.2", "rich"', "packaging dependencies: rich"), "minor"),
    "an older Python": (Edit(PROJECT, '">=3.11"', '">=3.10"', "Python >=3.11 is now >=3.10"), "minor"),
    "the way a requirement is written": (Edit(PROJECT, '"httpcore>=1.0.5,<2"', '"httpcore <2, >=1.0.5"', ""), "none"),
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


# What the SDK does not have, or not yet: added to a copy of its models.
SAMPLE = """

Level: TypeAlias = Literal["low", "high"]
Order: TypeAlias = Literal["up", "down"]
Key = TypeVar("Key", bound=str)
Number = NewType("Number", int)
_Pairs: TypeAlias = "Mapping[str, int]"


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Sink(Protocol):
    def write(self, text: str) -> int: ...


class Store(ABC):
    @abstractmethod
    def load(self) -> str: ...

    def save(self) -> None: ...


class Point(NamedTuple):
    x: int
    y: int


class Sample:
    label: str = "a"
    limit: ClassVar[int] = 16 * 1024

    def __init__(self, size: int = 2, *tags: str, wait: float = 1.5, **more: object) -> None: ...

    @property
    def width(self) -> int: ...

    @width.setter
    def width(self, value: int | str) -> None: ...

    @overload
    def find(self, key: int) -> Project: ...

    @overload
    def find(self, key: str) -> list[Project]: ...

    def find(self, key: object) -> object: ...

    @staticmethod
    def level(order: Order, pairs: _Pairs, /) -> Level: ...

    def color(self, of: Sequence[int]) -> Color: ...

    def names(self) -> Sequence[str]: ...

    def sink(self, sink: Sink, store: Store, key: Key, number: Number) -> Point: ...
"""
IMPORTS = """
from abc import ABC, abstractmethod
from enum import Enum
from typing import ClassVar, Generic, NamedTuple, NewType, Protocol, TypeVar, Union, final, overload
"""
EXPORTED = ["Color", "Key", "Level", "Number", "Order", "Point", "Sample", "Sink", "Store"]

# The modules that hold what is public: to read the others for each change takes four times as long.
PUBLIC = {"_contract", "_version", "app", "client", "errors", "models", "run", "server", "state", "updates", "__init__"}


@pytest.fixture(scope="module")
def snapshot_of_the_sdk() -> str:
    return snapshot(ROOT)


@pytest.fixture(scope="module")
def public(snapshot_of_the_sdk: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, reduced to what the snapshot is made from, and with the sample."""

    def internal(_: str, names: list[str]) -> set[str]:
        return {name for name in names if Path(name).suffix == ".py" and Path(name).stem not in PUBLIC}

    folder = tmp_path_factory.mktemp("public")
    shutil.copytree(ROOT / "neptun_sdk", folder / "neptun_sdk", ignore=internal)
    (folder / "generated" / "neptun_openapi").mkdir(parents=True)
    (folder / "generated" / "neptun_openapi" / "py.typed").touch()
    for name in ("pytest_neptun.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    assert snapshot(folder) == snapshot_of_the_sdk, "add to PUBLIC the module from which a public name comes now"
    with (folder / MODELS).open("a", encoding="utf-8") as models:
        models.write(f"\n{IMPORTS}{SAMPLE}")
    with (folder / "neptun_sdk" / "__init__.py").open("a", encoding="utf-8") as init:
        init.write(f"\nfrom neptun_sdk.models import {', '.join(EXPORTED)}\n__all__ += {EXPORTED}\n")
    return folder


@pytest.fixture(scope="module")
def released(public: Path) -> str:
    return snapshot(public)


def edited(edit: Edit, public: Path, folder: Path) -> str:
    """Return the snapshot of a copy of the code with a change; without a text to replace, the file is removed."""
    shutil.copytree(public, folder, dirs_exist_ok=True)
    file = folder / edit.path
    if edit.old:
        text = file.read_text(encoding="utf-8")
        assert text.count(edit.old) == 1, f"{edit.path} has {text.count(edit.old)} times, not once:\n{edit.old}"
        file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    else:
        file.unlink()
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


@pytest.mark.parametrize(
    "added",
    [
        "from httpx import HTTPError",
        "from nowhere import HTTPError",
        "from neptun_sdk import errors as HTTPError",
        "HTTPError = NeptunError",
        "HTTPError = ParamSpec('HTTPError')",
        "HTTPError = lambda: None",
        "HTTPError = {'a': [1, 2]}",
    ],
)
def test_whatever_is_exported_gets_a_verdict(added: str, public: Path, released: str, tmp_path: Path) -> None:
    shutil.copytree(public, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "neptun_sdk" / "__init__.py").open("a", encoding="utf-8") as init:
        init.write(f"\n{added}\n__all__ += ['HTTPError']\n")
    changes = api_diff.compare(released, snapshot(tmp_path))
    assert [(change.level, change.what) for change in changes] == [("minor", "was added")]


def test_a_name_that_does_not_exist_is_refused(public: Path, tmp_path: Path) -> None:
    shutil.copytree(public, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "neptun_sdk" / "__init__.py").open("a", encoding="utf-8") as init:
        init.write("\n__all__ += ['Missing']\n")
    with pytest.raises(SystemExit, match="__all__ of neptun_sdk has 'Missing', which the module does not have"):
        snapshot(tmp_path)


def test_there_are_enough_changes() -> None:
    assert len(BREAKING) + len(HARMLESS) >= 60


def test_the_snapshot_has_every_public_name(snapshot_of_the_sdk: str) -> None:
    for module in (neptun_sdk, neptun_sdk.sandbox):
        section = snapshot_of_the_sdk.split(f"# from {module.__name__}\n")[1].split("# from ")[0]
        for name in module.__all__:
            assert re.search(rf"^(class {name}[(:]|{name}: )", section, re.MULTILINE), name


def test_the_snapshot_has_no_more_than_types(snapshot_of_the_sdk: str) -> None:
    """A docstring or a private default may change without a release."""
    code = snapshot_of_the_sdk.partition("# from pyproject.toml")[0]
    assert '"""' not in code
    assert not re.search(r"= .*\b_[a-z]|= _[A-Z]", code)
    assert f"neptun-sdk {neptun_sdk.__version__}," in code.splitlines()[0]


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
    expected = rf"api-diff: {re.escape(str(path))} .*; `make changes` writes one\.\n"
    assert re.fullmatch(expected, done.stderr), done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the snapshot is made from, and of the snapshot."""
    for folder in ("scripts", "neptun_sdk", "generated", "interfaces"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pytest_neptun.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
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
    assert "run `make changes` and commit the result" in done.stderr
    assert snapshot_script(checkout).stdout == "wrote interfaces/python.txt\n"
    assert snapshot_script(checkout, "--check").returncode == 0
