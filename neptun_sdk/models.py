"""What a caller gets back: one frozen class per resource of the contract."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import attrs

_MISSING = object()
Resource = TypeVar("Resource", "Project", "ProjectImport")


@attrs.frozen(kw_only=True)
class Project:
    """A project of a user, as it is after an update (contract: *Update Project Endpoint*).

    Datetimes are timezone-aware. ``description`` is ``None`` where the server names none. ``project_type`` and
    ``programming_language`` are open strings: the server owns their values. ``extra`` holds every field of the
    answer that the contract does not name, as decoded JSON.
    """

    id: int
    name: str
    project_type: str
    programming_language: str
    created_at: datetime
    updated_at: datetime
    neptun_user_id: int
    description: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False)


@attrs.frozen(kw_only=True)
class ProjectImport:
    """An import of source material inside a project, as it is after an update.

    Contract: *Update Project Import Endpoint*. Datetimes are timezone-aware. ``title`` and ``description`` are ``None``
    where the server names none. ``source_type`` is an open string: the server owns its values. ``extra`` holds every
    field of the answer that the contract does not name, as decoded JSON.
    """

    id: int
    source_type: str
    source_path: str
    created_at: datetime
    updated_at: datetime
    neptun_user_id: int
    project_id: int
    title: str | None = None
    description: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], hash=False)


_FIELDS: "Mapping[type[Any], tuple[attrs.Attribute[Any], ...]]" = {
    resource: tuple(field for field in attrs.fields(resource) if field.name != "extra")
    for resource in (Project, ProjectImport)
}
# The key of the 200 body under which each resource stands.
ENVELOPES: Mapping[type[Any], str] = {Project: "project", ProjectImport: "import"}


def first_problem(resource: type[Resource], document: object) -> str | None:
    """Say where the body of a 200 first departs from the contract.

    The generated reader converts without checking, so a wrong type would reach the caller unseen.

    Args:
        resource: The class of what the body should hold.
        document: The body, as decoded JSON.

    Returns:
        A sentence that starts with the place (``project.created_at: expected …``), or ``None`` if all is well.
    """
    place = ENVELOPES[resource]
    if not isinstance(document, dict):
        return f"expected an object, got {_kind(document)}"
    row = cast("dict[str, object]", document).get(place, _MISSING)
    if row is _MISSING:
        return f"{place}: missing"
    if not isinstance(row, dict):
        return f"{place}: expected an object, got {_kind(row)}"
    row = cast("dict[str, object]", row)
    for field in contract_fields(resource):
        value = row.get(field.name, _MISSING)
        if value is _MISSING:
            if field.default is attrs.NOTHING:
                return f"{place}.{field.name}: missing"
        elif not (value is None and field.default is None):
            problem = _type_problem(field.type, value)
            if problem:
                return f"{place}.{field.name}: {problem}"
    return None


def contract_fields(resource: type[Any]) -> "tuple[attrs.Attribute[Any], ...]":
    """The fields of a resource that the contract names: all but ``extra``."""
    return _FIELDS[resource]


def _type_problem(expected: object, value: object) -> str | None:
    if expected is int:
        # JSON's true is a Python int.
        return None if type(value) is int else f"expected an integer, got {_kind(value)}"
    if not isinstance(value, str):
        return f"expected a string, got {_kind(value)}"
    if expected is datetime and not _is_datetime(value):
        return f"expected an ISO 8601 date-time with a time zone, got {value[:40]!a}"
    return None


def _is_datetime(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "an object")
