"""Documented <-> deployed: the one place that knows how a deployed server differs from the published contract.

The client speaks the names of the contract everywhere else. To drop the deployed dialect one day, delete what uses this
module; nothing else knows of it.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal, cast, get_args

from neptun_sdk.models import ENVELOPES, Project, ProjectImport

Dialect = Literal["documented", "deployed"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

# What a deployed server calls a field of the contract; None: it has no such field.
_DEPLOYED_NAMES: Mapping[type[Any], Mapping[str, str | None]] = {
    Project: {"project_type": "type", "programming_language": "main_language"},
    ProjectImport: {"title": None, "description": None},
}
SWITCH = "dialect={0!r} (NEPTUN_DIALECT={0})"


def unstorable(resource: type[Any], dialect: Dialect, names: Collection[str]) -> list[str]:
    """The fields, of those named, that a server of this dialect has no place for."""
    if dialect == "documented":
        return []
    return [name for name in names if _DEPLOYED_NAMES[resource].get(name, name) is None]


def write(resource: type[Any], dialect: Dialect, fields: Mapping[str, str]) -> dict[str, str]:
    """Give the fields of a request the names by which a server of this dialect knows them."""
    if dialect == "documented":
        return dict(fields)
    return {_DEPLOYED_NAMES[resource].get(name) or name: value for name, value in fields.items()}


def read(resource: type[Any], document: object) -> tuple[Any, Dialect]:
    """Give the body of a 200 the form of the contract, and tell which dialect it was in.

    A deployed server answers with the bare row, under its own names. Whatever is neither is returned as it is.
    """
    envelope = ENVELOPES[resource]
    row = dict(cast("dict[str, object]", document)) if isinstance(document, dict) else {}
    if envelope in row or "id" not in row:
        return cast("Any", document), "documented"
    for name, deployed in _DEPLOYED_NAMES[resource].items():
        if deployed in row and name not in row:
            row[name] = row.pop(deployed)
    return {envelope: row}, "deployed"


def caller_name(resource: type[Any], name: str) -> str:
    """The contract's name for a field that a server calls by its own."""
    return next((ours for ours, theirs in _DEPLOYED_NAMES[resource].items() if theirs == name), name)


def advice(
    resource: type[Any], dialect: Dialect, sent: Mapping[str, str], status_code: int, body: object
) -> str | None:
    """What to do next about an error status that a deployed server gives where the contract would not.

    Args:
        resource: What was to be updated.
        dialect: The dialect in which the request was written.
        sent: The fields of the request, by the contract's names.
        status_code: The status of the answer.
        body: Its body: decoded JSON, else text, else ``None``.

    Returns:
        A sentence, or ``None`` where the two do not differ.
    """
    # A 401 with a ``message``, as in the contract, is about the session; one with a ``statusMessage`` alone is not.
    if status_code == 401 and isinstance(body, dict) and "statusMessage" in body and "message" not in body:
        refused = "The session is valid, but the resource does not exist or is not this user's"
        return f"{refused}. Check user_id and the other ids"
    if status_code in (404, 500) and any("\0" in value for value in sent.values()):
        return "A field holds a NUL character, which a deployed server cannot store: leave it out"
    if status_code == 500 and dialect == "documented" and all(name in _DEPLOYED_NAMES[resource] for name in sent):
        names = ", ".join(sent)
        switch = SWITCH.format("deployed")
        return (
            f"A deployed server fails so where it knows none of the fields sent ({names}); if this is one, set {switch}"
        )
    return None
