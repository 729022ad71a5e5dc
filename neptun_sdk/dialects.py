"""Documented <-> deployed: the only module that knows how a deployed server differs from the published contract.

Everywhere else the SDK uses the names of the contract. To drop the deployed dialect one day, delete what uses this
module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

from neptun_sdk.errors import ArgumentError
from neptun_sdk.models import Dialect, Project, ProjectImport, Resource

if TYPE_CHECKING:
    from neptun_sdk.operations import CallInfo

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
HOW_TO_SET = "dialect={0!r} (NEPTUN_DIALECT={0})"

# The name that a deployed server has for a field of the contract; None: it has no such field.
DEPLOYED_NAMES: Mapping[type[Resource], Mapping[str, str | None]] = {
    Project: {"project_type": "type", "programming_language": "main_language"},
    ProjectImport: {"title": None, "description": None},
}
# A deployed server returns 404 for an update of these whenever its database fails, even after the update was stored.
_UNRELIABLE_404 = (ProjectImport,)
_MAX_ID = 2_147_483_647  # of the columns of a deployed server's database
_BODY_LIMITS: Mapping[type[Resource], int] = {ProjectImport: 2_000_000}  # bytes; a deployed server takes fewer


def wire_name(resource: type[Any] | None, dialect: Dialect, name: str) -> str | None:
    """Return the name that a server of a dialect has for a field of the contract; ``None`` if it has no such field."""
    return name if dialect == "documented" else _names(resource).get(name, name)


def to_wire(resource: type[Any] | None, dialect: Dialect, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a request under the names of a dialect; refuse a field that its servers do not have."""
    if dialect == "documented":
        return fields
    written: dict[str, Any] = {}
    for name, value in fields.items():
        theirs = wire_name(resource, dialect, name)
        if theirs is None:
            raise ArgumentError(f"a deployed server has no {name}: leave it out. Nothing was sent.")
        written[theirs] = value
    return written


def contract_name(resource: type[Any] | None, name: str) -> str:
    """Return the contract's name for a field of either dialect."""
    return next((ours for ours, theirs in _names(resource).items() if theirs == name), name)


def _names(resource: type[Any] | None) -> Mapping[str, str | None]:
    return DEPLOYED_NAMES.get(resource, {}) if resource else {}


class Found(NamedTuple):
    """What the body of a success holds.

    Attributes:
        value: The resource as the body has it, or what the body has instead.
        dialect: The dialect of the response; if it cannot be told, that of the request.
        names: The names that the fields have on the wire.
    """

    value: object
    dialect: Dialect
    names: frozenset[str]


def from_wire(call: CallInfo[Any], document: object) -> Found:
    """Find the resource in the decoded body of a success: in its envelope (documented), or alone (deployed)."""
    envelope, dialect, found = call.operation.envelope, call.dialect, document
    if envelope:
        body = cast("dict[str, object]", document) if isinstance(document, dict) else {}
        is_alone = "id" in body and envelope not in body
        found, dialect = (body, "deployed") if is_alone else (body.get(envelope), "documented")
    return Found(found, dialect, frozenset(cast("dict[str, object]", found) if isinstance(found, dict) else ()))


def contract_row(resource: type[Resource], row: Mapping[str, Any], dialect: Dialect) -> Mapping[str, Any]:
    """Return the JSON object of a resource under the contract's names; of a field under both names, neither is lost."""
    if dialect == "documented" or resource not in DEPLOYED_NAMES:
        return row
    ours = {name: contract_name(resource, name) for name in row}
    return {name if ours[name] in row else ours[name]: value for name, value in row.items()}


def dropped(
    call: CallInfo[Any], response_dialect: Dialect, names: Iterable[str], returned: Collection[str] = ()
) -> list[str]:
    """Return the fields, of those named, that the server does not know by the name under which they were sent.

    It knows the names that it ``returned``, whatever its dialect is.
    """
    resource = call.operation.resource
    sent = {name: wire_name(resource, call.dialect, name) for name in names}
    return [name for name, its in sent.items() if its not in (wire_name(resource, response_dialect, name), *returned)]


def may_be_applied(call: CallInfo[Any], status_code: int) -> bool:
    """Tell whether an update may have been applied, although its response has a status that refuses it."""
    return status_code == 404 and not call.operation.is_safe and call.operation.resource in _UNRELIABLE_404


def is_error_body(body: object) -> bool:
    """Tell whether a decoded body has a shape in which Neptun describes an error.

    Servers of either dialect have one each, their platform has ``{"error": {"code", "message"}}``, and the contract may
    document the one of RFC 9457.
    """
    if not isinstance(body, dict):
        return False
    error = cast("dict[str, object]", body)
    platform = cast("dict[str, object]", error["error"]) if isinstance(error.get("error"), dict) else {}
    return (
        "statusCode" in error
        or "data" in error
        or isinstance(error.get("statusMessage"), str)
        or platform.keys() >= {"code", "message"}
        or (isinstance(error.get("title"), str) and not error.keys().isdisjoint(("type", "status", "detail", "errors")))
    )


def meaning(call: CallInfo[Any], status_code: int, body: object) -> dict[str, Any]:
    """Return how the meaning of an error differs, if a deployed server wrote its body: changes of a `Rule`."""
    error = cast("dict[str, object]", body)
    # An error of a handler has no ``message``; one that was thrown has.
    thrown = bool(error.get("message"))
    by_handler = isinstance(error.get("statusMessage"), str) and not thrown
    stored = set(call.fields).difference(dropped(call, "deployed", call.fields))
    if by_handler and status_code in (404, 500) and any("\0" in str(call.fields[name]) for name in stored):
        step = "Leave out the NUL character: a deployed server cannot store it"
        return {"next_step": step, "applied": False, "never_applied": True}
    if status_code == 401 and by_handler:
        reason = "the session is valid, but the resource does not exist or is not this user's"
        return {"next_step": "Check user_id and the other ids", "reason": reason, "about_session": False}
    is_certain = "statusCode" in error and isinstance(error.get("message"), str) and thrown
    if not is_certain and may_be_applied(call, status_code):
        reason = "there is no such resource, or a deployed server's database failed"
        step = "Check the ids, and call again: sending the same values twice is safe"
        return {"next_step": step, "reason": reason, "applied": None, "retryable": True}
    if status_code == 404 and str(error.get("message", "")).startswith("Page not found"):
        return {"next_step": "Check the path of base_url: the server has no such route"}
    resource = call.operation.resource
    if status_code == 413 and resource is not None and resource in _BODY_LIMITS:
        limit = f"a deployed server takes less than {_BODY_LIMITS[resource]:,} bytes in {call.operation.name}"
        return {"next_step": f"Shorten the texts: {limit}"}
    if status_code != 500:
        return {}
    # Not user_id: a server returns 401 for one that it does not know.
    ids = [value for name, value in call.ids.items() if name != "user_id" and isinstance(value, int)]
    if error.get("error") is True and any(value > _MAX_ID for value in ids):
        step = f"Check the ids: a deployed server has none above {_MAX_ID}"
        return {"next_step": step, "applied": False, "never_applied": True}
    if call.fields and not stored:
        return {
            "next_step": f"A deployed server returns this if it knows none of the fields sent "
            f"({', '.join(call.fields)}); if this is one, set {HOW_TO_SET.format('deployed')}"
        }
    return {}
