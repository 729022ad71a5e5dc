"""The embedded Neptun serves every operation of openapi.yaml, in both dialects, and stores each of its fields."""

import functools
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_origin

import pytest

from neptun_sdk import Dialect, NeptunClient, NeptunError
from neptun_sdk.dialects import DIALECTS, wire_name
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.spec import load_operations
from tests.contract.described import COMPLETE, DESCRIBED, METHODS, ROWS, Schema, bare, follow, snake_case
from tests.contract.test_methods import KEYWORD_ONLY, POSITIONAL, parameters


def cases() -> Iterator[tuple[str, tuple[str, Dialect, str | None]]]:
    """Yield each optional field of each operation, in each dialect that has it; ``None`` for what is required alone."""
    for name in COMPLETE:
        described = DESCRIBED[name]
        optional = [each for each in described.keywords if each not in described.required]
        for dialect in DIALECTS:
            known = [each for each in optional if wire_name(ROWS[name].resource, dialect, each)]
            is_update = described.method in ("patch", "put") and described.fields and not described.request.required
            must = [] if is_update else [None]
            yield from ((f"{name}, {dialect}, {each}", (name, dialect, each)) for each in [*must, *known] or [None])


CASES = dict(cases())


def valid(schema: Schema, name: str) -> Any:
    """Return a value that servers of both dialects take, as an argument."""
    node = follow(schema.node)
    if schema.known_values:
        return schema.known_values[-1]
    if schema.type == "datetime":
        return datetime.fromisoformat(schema.sample())
    return node.get("example", node.get("minimum", schema.sample(f"for {name}")))


@functools.cache
def problem(dialect: Dialect) -> str:
    """Return what keeps the sandbox from starting, which it says itself, with the file to change; empty if nothing."""
    try:
        Sandbox(dialect)
    except RuntimeError as exc:
        return str(exc)
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
    described = DESCRIBED[name]
    neptun = Sandbox(dialect)
    (operation,) = [each for each in load_operations().values() if each.operation_id == described.operation_id]
    samples = {snake_case(each.name): each.sample for each in operation.parameters}
    taken = {each: parameter.name for each, parameter in parameters(name, POSITIONAL, KEYWORD_ONLY).items()}
    given = {each: samples[each] for each in map(snake_case, described.ids) if each != "user_id"}
    for each in described.required | ({field} if field else set()):
        given[each] = samples.get(each, valid(described.keywords[each], each))
    arguments = {taken[bare(each)]: value for each, value in given.items() if bare(each) in taken}
    session = (neptun.session_cookie, neptun.user_id)
    url = "http://127.0.0.1"  # never asked: the transport has no socket
    with NeptunClient(*session, base_url=url, dialect=dialect, max_retries=0, transport=neptun.transport()) as client:
        try:
            result = METHODS[name](client, **arguments)
        except NeptunError as error:
            table = (
                "DEPLOYED_NAMES in neptun_sdk/dialects.py" if field else f"{name.upper()} in neptun_sdk/operations.py"
            )
            what = f"have {field} of {name}" if field else f"serve {name}"
            where = f"{table}, or the {dialect} dialect in neptun_sdk/sandbox/"
            pytest.fail(f"change {where}, to {what}\n{error}", pytrace=False)
    expected = ROWS[name].resource
    assert isinstance(result, get_origin(expected) or expected or type(None))
