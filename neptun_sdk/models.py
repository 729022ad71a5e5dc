"""What a caller gets back: one frozen dataclass for each resource of the contract."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import datetime
from types import MappingProxyType, UnionType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar, Union, cast, get_args, get_origin

Dialect: TypeAlias = Literal["documented", "deployed"]

# The server owns these values and may add others, so that any str is accepted; a test compares the literals with
# x-extensible-enum in openapi.yaml.
ProjectType: TypeAlias = Literal["web-site", "web-service", "web-app"] | str
ProgrammingLanguage: TypeAlias = (
    Literal["typescript", "javascript", "php", "go", "python", "java", "kotlin", "ruby", "elixir"] | str
)
SourceType: TypeAlias = (
    Literal["github", "local_folder", "github_repository_installation", "public_github_repository_url"] | str
)


class Resource:
    """The base class of what operations return: dataclasses with ``extra`` and the fields of the contract."""

    __slots__ = ("__weakref__", "_response_headers")

    if TYPE_CHECKING:
        _response_headers: Mapping[str, str]

        def __init__(self, *, extra: Mapping[str, Any], **fields: Any) -> None: ...

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the response, such as a request id: names in lower case, without ``Set-Cookie``.

        They are no field of the resource: equality, ``repr`` and `dataclasses.asdict` leave them out.
        """
        return getattr(self, "_response_headers", _NO_HEADERS)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {each.name: getattr(self, each.name) for each in fields(cast("Any", self))}
        return _made_again, (type(self), values, dict(self.response_headers))


ResourceT = TypeVar("ResourceT", bound=Resource)
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def with_headers(resource: ResourceT, headers: Mapping[str, str]) -> ResourceT:
    """Keep the headers of the response with a resource that was just made; return it."""
    object.__setattr__(resource, "_response_headers", headers)
    return resource


def _made_again(resource: type[ResourceT], values: Mapping[str, Any], headers: Mapping[str, str]) -> ResourceT:
    return with_headers(resource(**values), headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project(Resource):
    """A project of a user (contract: *Update Project Endpoint*).

    Datetimes are timezone-aware. ``description`` is ``None`` if the server returned none. The server may know other
    values of ``project_type`` and ``programming_language`` than the contract. ``extra`` holds the fields that the
    contract does not name, as decoded JSON. A deployed server stores a later ``updated_at`` just after it has sent the
    response: do not use it to detect changes.
    """

    id: int
    name: str
    description: str | None = None
    project_type: ProjectType
    programming_language: ProgrammingLanguage
    created_at: datetime
    updated_at: datetime
    neptun_user_id: int
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectImport(Resource):
    """An import of source material inside a project (contract: *Update Project Import Endpoint*).

    Datetimes are timezone-aware. ``title`` and ``description`` are ``None`` if the server returned none. The server may
    know other values of ``source_type`` than the contract. ``extra`` and ``updated_at`` are as for `Project`.
    """

    id: int
    source_type: SourceType
    source_path: str
    title: str | None = None
    description: str | None = None
    created_at: datetime
    updated_at: datetime
    neptun_user_id: int
    project_id: int
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


class ContractField(NamedTuple):
    """A field of a resource that the contract names; its kind is a key of `_KINDS`, or ``date-time``."""

    name: str
    kind: str
    optional: bool


def contract_fields(resource: type[Resource]) -> tuple[ContractField, ...]:
    """Return the fields of a resource that the contract names: all but ``extra``."""
    named = [each for each in fields(cast("Any", resource)) if each.name != "extra"]
    return tuple(ContractField(each.name, _kind(each), each.default is None) for each in named)


def first_problem(contract: Iterable[ContractField], row: object, *, place: str) -> str | None:
    """Find where the decoded JSON of a resource, under the contract's names, first departs from the contract.

    The generated models convert without checking, so that a wrong type would reach the caller. Returns a phrase such as
    ``project.id: expected int, got str``, which begins with ``place``, or ``None`` if all is well.
    """
    if not isinstance(row, dict):
        return f"{place}: missing" if row is None else f"{place}: expected an object, got {type(row).__name__}"
    values = cast("dict[str, object]", row)
    for name, kind, optional in contract:
        value = values.get(name, MISSING)
        if value is MISSING:
            if not optional:
                return f"{place}.{name}: missing"
        elif not (value is None and optional):
            problem = _kind_problem(kind, value)
            if problem:
                return f"{place}.{name}: {problem}"
    return None


# The exact types, because JSON's true is a Python int; a number without a fraction is decoded as int.
_KINDS: Mapping[str, tuple[type[Any], ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "str": (str,)}


def _kind(field: Field[Any]) -> str:
    """Return what stands behind an annotation: of ``str | None`` and of ``Literal[…] | str`` it is ``str``.

    A date-time is known by what its class can do: freezegun replaces the class.
    """
    alternatives = get_args(field.type) if get_origin(field.type) in (Union, UnionType) else (field.type,)
    for each in alternatives:
        name = getattr(each, "__name__", "")
        if name in _KINDS:
            return name
        if hasattr(each, "fromisoformat"):
            return "date-time"
    raise TypeError(f"change _KINDS in neptun_sdk/models.py: {field.name} has the new type {field.type}")


def _kind_problem(kind: str, value: object) -> str | None:
    if kind == "date-time" and isinstance(value, str):
        return None if _is_datetime(value) else f"expected a date-time with a time zone, got {value[:40]!a}"
    if type(value) in _KINDS.get(kind, ()):
        return None
    return f"expected {kind}, got {'null' if value is None else type(value).__name__}"


# RFC 3339, section 5.6; Python's own parser also reads week dates, a comma, a zone without minutes and more.
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


def _is_datetime(text: str) -> bool:
    """Tell whether a text is an RFC 3339 date-time that Python can hold, which a leap second is not."""
    try:
        return bool(_DATE_TIME.fullmatch(text.upper()) and datetime.fromisoformat(text.upper()))
    except ValueError:
        return False
