"""The embedded Neptun serves every operation of openapi.yaml, in both dialects, and stores each of its fields."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from neptun_sdk import Dialect, NeptunClient, NeptunError
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.state import OWNER, RESOURCES, SEED_IDS, Row
from tests.contract.described import CALLABLE, DESCRIBED, ROWS, Schema, fields_to_send, sample


def cases() -> Iterator[tuple[str, tuple[str, Dialect, str | None]]]:
    """Yield each field of each operation, in each dialect that has it; ``None`` for an operation without fields."""
    for name in CALLABLE:
        for dialect in DIALECTS:
            fields: list[str | None] = [*fields_to_send(name, dialect)] or [None]
            yield from ((f"{name}, {dialect}, {field}", (name, dialect, field)) for field in fields)


CASES = dict(cases())


def valid(field: str, schema: Schema) -> Any:
    """Return a value that servers of both dialects take."""
    if schema.known_values:
        return schema.known_values[-1]
    return sample(schema, f"a new {field}") if schema.example is None else schema.example


def stored_ids(names: list[str]) -> list[int]:
    """Return the ids of the first user's rows that a path names, which is to name none but these."""
    ids: dict[str, int] = {}
    for name in reversed(names):
        resource = RESOURCES[name]
        rows: list[Row] = [row for row in SEED_IDS.get(resource, ()) if row[OWNER] == 1]
        assert rows, (
            f"SEED_IDS in neptun_sdk/sandbox/state.py has no {resource.name} of the user 1: add one, and its fields to "
            "SEEDS"
        )
        row = next((row for row in rows if row["id"] == ids.get(name)), rows[-1])
        ids |= {name: row["id"]} | ({resource.parent.path_id: row[resource.parent.path_id]} if resource.parent else {})
    return [ids[name] for name in names]


@functools.cache
def problem(dialect: Dialect) -> str:
    """Return what keeps the sandbox from starting, which it says itself, with the file to change; empty if nothing."""
    try:
        Sandbox(dialect)
    except RuntimeError as exc:
        return str(exc)
    except KeyError as exc:
        return (
            f"the {dialect} dialect of the sandbox finds no {exc}: declare it in openapi.yaml if it is a parameter, "
            "else add it to SEEDS in neptun_sdk/sandbox/state.py, or to COLUMNS in neptun_sdk/sandbox/columns.py"
        )
    return ""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_sandbox_fits_the_contract(dialect: Dialect) -> None:
    """The tests below need a sandbox: without one, this test alone fails."""
    if problem(dialect):
        pytest.fail(problem(dialect), pytrace=False)


@pytest.mark.parametrize(("name", "dialect", "field"), CASES.values(), ids=CASES)
def test_the_sandbox_stores_every_field(name: str, dialect: Dialect, field: str | None) -> None:
    """The client verifies what comes back. A field that a deployed server has not, or by another name, is dropped."""
    if problem(dialect):
        pytest.skip(problem(dialect))
    neptun = Sandbox(dialect)
    ids = stored_ids(DESCRIBED[name].ids[1:])
    sent = {field: valid(field, DESCRIBED[name].fields[field])} if field else {}
    session = (neptun.session_cookie, neptun.user_id)
    url = "http://127.0.0.1"  # never asked: the transport has no socket
    with NeptunClient(*session, base_url=url, dialect=dialect, max_retries=0, transport=neptun.transport()) as client:
        try:
            resource = getattr(client, name)(*ids, **sent)
        except NeptunError as error:
            where = f"DEPLOYED_NAMES in neptun_sdk/dialects.py, or the {dialect} dialect in neptun_sdk/sandbox/"
            pytest.fail(f"change {where}, to have {field} of {name}\n{error}", pytrace=False)
    assert type(resource) is ROWS[name].resource
