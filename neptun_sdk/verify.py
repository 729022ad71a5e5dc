"""From the decoded body of a success to the resource, or to what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from neptun_sdk import dialects, outcomes
from neptun_sdk._http.bodies import MAX_DEPTH, is_deeper
from neptun_sdk.models import ResourceT, first_problem
from neptun_sdk.operations import CallInfo
from neptun_sdk.outcomes import Outcome, Rule
from neptun_sdk.texts import printable


def verify(call: CallInfo[ResourceT], document: object, headers: Mapping[str, str]) -> Outcome[ResourceT]:
    """Check a 200 field by field: its types, that it is about the resource asked for, and every field that was sent."""
    operation = call.operation

    def failed(rule: Rule, problem: str) -> Outcome[ResourceT]:
        return Outcome(rule=rule, status_code=200, headers=headers, problem=problem)

    found, dialect, names = dialects.from_wire(operation, document)
    envelope = operation.envelope
    problem = first_problem(operation.fields, found, place=envelope)
    row: dict[str, Any] = cast("Any", found) if isinstance(found, dict) else {}
    other = _other_ids(call, row)
    unknown = dialects.dropped(call, dialect, call.fields, names)
    differences = _differences(call, row, unknown)
    if problem:
        rule = outcomes.NOT_THE_RESOURCE if other or differences else outcomes.NOT_VALID
        return failed(rule, f"is not {'an' if envelope[0] in 'aeiou' else 'a'} {envelope} ({problem})")
    if other:
        return failed(outcomes.NOT_THE_RESOURCE, f"is about another {envelope} ({other})")
    if differences and is_deeper(row, MAX_DEPTH):
        return failed(outcomes.NOT_THE_RESOURCE, f"is nested more than {MAX_DEPTH} levels deep")
    resource = operation.read(row, headers)
    if not differences:
        return Outcome(rule=outcomes.VERIFIED, status_code=200, headers=headers, resource=resource)
    dropped = tuple(name for name in differences if name in unknown)
    return Outcome(
        rule=outcomes.DROPPED if len(dropped) == len(call.fields) else outcomes.DIFFERENT,
        status_code=200,
        headers=headers,
        resource=resource,
        differences=differences,
        dropped=dropped,
        dialect=dialect,
    )


def _other_ids(call: CallInfo[Any], row: Mapping[str, Any]) -> str:
    """Name the ids of a resource that are not those of the call; empty if there are none."""
    problems: list[str] = []
    for name, asked in call.ids.items():
        field = call.operation.id_fields.get(name)
        if field and not (type(row.get(field)) is int and row[field] == asked):  # JSON's true equals 1
            problems.append(f"{field} is {printable(repr(row.get(field)))}, not {asked}")
    return "; ".join(problems)


def _differences(call: CallInfo[Any], row: Mapping[str, Any], unknown: list[str]) -> dict[str, tuple[str, Any]]:
    """Compare what came back with every field that was sent, and return ``{field: (sent, returned)}``.

    ``unknown`` are the fields that the server does not have.
    """
    fields = call.fields
    if all(row.get(name) == sent for name, sent in fields.items()):
        return {}
    # A text that was cleared may come back null or absent, if the server has such a field at all.
    clearable = {field.name for field in call.operation.fields if field.optional}.difference(unknown)
    returned = {name: "" if name in clearable and row.get(name) is None else row.get(name) for name in fields}
    return {name: (sent, row.get(name)) for name, sent in fields.items() if returned[name] != sent}
