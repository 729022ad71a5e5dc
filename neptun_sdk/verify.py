"""From the decoded body of a success to the resource, or to what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from neptun_sdk import dialects, outcomes
from neptun_sdk._http.bodies import MAX_DEPTH, is_deeper
from neptun_sdk.dialects import Found
from neptun_sdk.models import Dialect, ResultT, with_headers
from neptun_sdk.operations import CallInfo
from neptun_sdk.outcomes import Outcome, Rule
from neptun_sdk.texts import printable
from neptun_sdk.values import Mismatch, is_same, named_row, python_name


def verify(call: CallInfo[ResultT], document: object, headers: Mapping[str, str]) -> Outcome[ResultT]:
    """Check a success: its types, that it is about the resource asked for, and every field that was sent."""
    operation = call.operation

    def failed(rule: Rule, problem: str) -> Outcome[ResultT]:
        return Outcome(rule=rule, status_code=operation.facts.status, headers=headers, problem=problem)

    success = dialects.from_wire(call, document)
    found, dialect, _ = success
    if operation.resource is None:
        if found is True or type(found) is dict:
            return Outcome(rule=outcomes.VERIFIED, status_code=operation.facts.status, headers=headers)
        return failed(outcomes.NOT_THE_RESOURCE, f"has {printable(repr(found))} for {operation.envelope}, not true")
    # Without an envelope, nothing says which dialect it is: the names of either are read.
    reading = dialect if operation.envelope else "deployed"
    row: Mapping[str, Any] = {}
    if isinstance(found, dict) and operation.resource_fields:
        row = named_row(operation.resource, cast("dict[str, Any]", found), reading)
    repeated = _repeated_ids(call, row)
    other = "; ".join(filter(None, repeated))
    differences, dropped = _differences(call, row, success, reading)
    try:
        resource = operation.kind.read(found, reading)
    except Mismatch as exc:
        is_it_as_sent = repeated and not (other or differences)
        rule = outcomes.NOT_VALID if is_it_as_sent else outcomes.NOT_THE_RESOURCE
        what = operation.what
        return failed(rule, f"is not {'an' if what[0] in 'aeiou' else 'a'} {what} ({what}{exc.path}: {exc.problem})")
    if other:
        return failed(outcomes.NOT_THE_RESOURCE, f"is about another {operation.what} ({other})")
    if differences and is_deeper(row, MAX_DEPTH):
        return failed(outcomes.NOT_THE_RESOURCE, f"is nested more than {MAX_DEPTH} levels deep")
    if hasattr(operation.resource, "response_headers"):
        with_headers(resource, headers)
    rule = outcomes.VERIFIED
    if differences:
        rule = outcomes.DROPPED if len(dropped) == len(call.fields) else outcomes.DIFFERENT
    return Outcome(
        rule=rule,
        status_code=operation.facts.status,
        headers=headers,
        resource=resource,
        differences=differences,
        dropped=dropped,
        dialect=dialect,
    )


def _repeated_ids(call: CallInfo[Any], row: Mapping[str, Any]) -> list[str]:
    """Compare each id that the resource repeats; return what is wrong with it, or an empty text."""
    problems: list[str] = []
    for name, field in call.operation.facts.repeats.items():
        asked, found = call.ids[name], row.get(python_name(field, row))
        if field not in call.fields:  # which may have changed it
            is_it = type(found) is type(asked) and found == asked  # JSON's true equals 1
            problems.append("" if is_it else f"{field} is {printable(repr(found))}, not {asked}")
    return problems


def _differences(
    call: CallInfo[Any], row: Mapping[str, Any], success: Found, reading: Dialect
) -> tuple[dict[str, tuple[Any, Any]], tuple[str, ...]]:
    """Compare what came back with every field that was sent and that the resource has.

    Returns:
        The fields that differ, ``{field: (sent, returned)}``, and those of them that the server does not have.
    """
    known = call.operation.resource_fields
    differences: dict[str, tuple[Any, Any]] = {}
    for name, sent in call.fields.items():
        own = python_name(name, known)
        if own in known and not is_same(known[own].kind, sent, returned := row.get(own), reading):
            differences[name] = (sent, returned)
    if not differences:
        return differences, ()
    dropped = dialects.dropped(call, success.dialect, differences, success.names)
    # A text that was cleared may come back null or absent, if the server has such a field at all.
    for name in differences.keys() - dropped:
        sent, returned = differences[name]
        if returned is None and sent in ("", None) and not known[python_name(name, known)].is_required:
            del differences[name]
    return differences, tuple(dropped)
