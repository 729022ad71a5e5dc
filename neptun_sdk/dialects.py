"""Documented <-> deployed: the only module that knows how a deployed server differs from the published contract.

Everywhere else the SDK uses the names of the contract. To drop the deployed dialect one day, delete what uses this
module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

from neptun_sdk.models import Dialect, Project, ProjectImport, Resource

if TYPE_CHECKING:
    from neptun_sdk.operations import CallInfo, Operation

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


def wire_name(resource: type[Resource], dialect: Dialect, name: str) -> str | None:
    """Return the name that a server of a dialect has for a field of the contract; ``None`` if it has no such field."""
    return name if dialect == "documented" else DEPLOYED_NAMES.get(resource, {}).get(name, name)


def contract_name(resource: type[Resource], name: str) -> str:
    """Return the contract's name for a field of either dialect."""
    names = DEPLOYED_NAMES.get(resource, {})
    return next((ours for ours, theirs in names.items() if theirs == name), name)


def from_wire(operation: Operation[Any], document: object) -> tuple[object, Dialect]:
    """Find the resource in the decoded body of a 200: in its envelope (documented), or alone (deployed).

    Returns:
        The resource under the contract's names, or what stands in its place, and the dialect of the response.
    """
    if not isinstance(document, dict):
        return None, "documented"
    body = cast("dict[str, object]", document)
    if operation.envelope in body or "id" not in body:
        return body.get(operation.envelope), "documented"
    row: dict[str, object] = {}
    for name, value in body.items():
        ours = contract_name(operation.resource, name)
        row[name if ours in body else ours] = value  # of a field under both names, neither is lost
    return row, "deployed"


def dropped(call: CallInfo[Any], response_dialect: Dialect, names: Iterable[str]) -> list[str]:
    """Return the fields, of those named, that the server does not know by the name under which they were sent."""
    resource = call.operation.resource
    return [
        name for name in names if wire_name(resource, call.dialect, name) != wire_name(resource, response_dialect, name)
    ]


class Meaning(NamedTuple):
    """What an error status of a deployed server means, if the contract gives it another meaning."""

    next_step: str
    reason: str = ""  # stands after the status
    applied: bool | None = None


def may_be_applied(call: CallInfo[Any], status_code: int) -> bool:
    """Tell whether an update may have been applied, although its response has a status that refuses it."""
    return status_code == 404 and call.operation.updates and call.operation.resource in _UNRELIABLE_404


def is_error_body(body: object) -> bool:
    """Tell whether a decoded body has one of the two shapes in which servers of either dialect describe an error."""
    if not isinstance(body, dict):
        return False
    error = cast("dict[str, object]", body)
    return "statusCode" in error or "data" in error or isinstance(error.get("statusMessage"), str)


def meaning(call: CallInfo[Any], status_code: int, body: object) -> Meaning | None:
    """Return what an error status of a deployed server means; ``None`` if it is what the contract says."""
    if not is_error_body(body):
        return None
    error = cast("dict[str, object]", body)
    # An error of a handler has no ``message``; one that was thrown has.
    thrown = bool(error.get("message"))
    by_handler = isinstance(error.get("statusMessage"), str) and not thrown
    # Of the others, a deployed server knows nothing.
    stored = set(call.fields).difference(dropped(call, "deployed", call.fields))
    has_nul = any("\0" in str(call.fields[name]) for name in stored)
    if has_nul and (status_code == 500 or (status_code == 404 and by_handler)):
        applied = False if status_code == 404 else None
        return Meaning("Leave out the NUL character: a deployed server cannot store it", applied=applied)
    if status_code == 401 and by_handler:
        reason = "the session is valid, but the resource does not exist or is not this user's"
        return Meaning("Check user_id and the other ids", reason, applied=False)
    if not thrown and may_be_applied(call, status_code):
        reason = "there is no such resource, or a deployed server's database failed"
        return Meaning("Check the ids, and call again: sending the same values twice is safe", reason)
    if status_code == 404 and str(error.get("message", "")).startswith("Page not found"):
        return Meaning("Check the path of base_url: the server has no such route", applied=False)
    resource = call.operation.resource
    if status_code == 413 and resource in _BODY_LIMITS:
        limit = f"a deployed server takes less than {_BODY_LIMITS[resource]:,} bytes in {call.operation.name}"
        return Meaning(f"Shorten the texts: {limit}", applied=False)
    if status_code != 500:
        return None
    # A user_id as large is a 401.
    if error.get("error") is True and any(value > _MAX_ID for name, value in call.ids.items() if name != "user_id"):
        return Meaning(f"Check the ids: a deployed server has none above {_MAX_ID}", applied=False)
    if call.fields and not stored:
        return Meaning(
            f"A deployed server returns this if it knows none of the fields sent ({', '.join(call.fields)}); if this "
            f"is one, set {HOW_TO_SET.format('deployed')}"
        )
    return None
