"""What a caller gets back: one frozen dataclass for each resource of the contract."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import datetime
from types import UnionType
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

    __slots__ = ()

    if TYPE_CHECKING:

        def __init__(self, *, extra: Mapping[str, Any], **fields: Any) -> None: ...


ResourceT = TypeVar("ResourceT", bound=Resource)


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
    """A field of a resource that the contract names; its type is int, float, bool, str or datetime."""

    name: str
    type: type[Any]
    optional: bool


def contract_fields(resource: type[Resource]) -> tuple[ContractField, ...]:
    """Return the fields of a resource that the contract names: all but ``extra``."""
    named = [each for each in fields(cast("Any", resource)) if each.name != "extra"]
    return tuple(ContractField(each.name, _plain_type(each), each.default is None) for each in named)


def first_problem(contract: Iterable[ContractField], row: object, *, place: str) -> str | None:
    """Find where the decoded JSON of a resource, under the contract's names, first departs from the contract.

    The generated models convert without checking, so that a wrong type would reach the caller. Returns a phrase such as
    ``project.id: expected int, got str``, which begins with ``place``, or ``None`` if all is well.
    """
    if not isinstance(row, dict):
        return f"{place}: missing" if row is None else f"{place}: expected an object, got {type(row).__name__}"
    values = cast("dict[str, object]", row)
    for name, expected, optional in contract:
        value = values.get(name, MISSING)
        if value is MISSING:
            if not optional:
                return f"{place}.{name}: missing"
        elif not (value is None and optional):
            problem = _type_problem(expected, value)
            if problem:
                return f"{place}.{name}: {problem}"
    return None


_CHECKED_TYPES = (int, float, bool, str, datetime)


def _plain_type(field: Field[Any]) -> type[Any]:
    """Return the type behind an annotation: of ``str | None`` and of ``Literal[…] | str`` it is ``str``."""
    alternatives = get_args(field.type) if get_origin(field.type) in (Union, UnionType) else (field.type,)
    for each in alternatives:
        if each in _CHECKED_TYPES:
            return cast("type[Any]", each)
    raise TypeError(f"change _type_problem in neptun_sdk/models.py: {field.name} has the new type {field.type}")


def _type_problem(expected: type[Any], value: object) -> str | None:
    if expected is datetime and isinstance(value, str):
        return None if _is_datetime(value) else f"expected a date-time with a time zone, got {value[:40]!a}"
    # The exact type, because JSON's true is a Python int; a number without a fraction is decoded as int.
    if type(value) is expected or (expected is float and type(value) is int):
        return None
    return f"expected {expected.__name__}, got {'null' if value is None else type(value).__name__}"


# RFC 3339, section 5.6; Python's own parser also reads week dates, a comma, a zone without minutes and more.
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


def _is_datetime(text: str) -> bool:
    """Tell whether a text is an RFC 3339 date-time that Python can hold, which a leap second is not."""
    try:
        return bool(_DATE_TIME.fullmatch(text.upper()) and datetime.fromisoformat(text.upper()))
    except ValueError:
        return False
