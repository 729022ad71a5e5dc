"""The rows in operations.py are the operations of openapi.yaml."""

import importlib.util
from typing import Any

import pytest

import neptun_sdk
from neptun_sdk import NeptunError, errors
from neptun_sdk._contract import FACTS
from tests.contract.described import (
    CLIENT,
    DESCRIBED,
    DESCRIBED_ROWS,
    IS_GENERATED,
    METHODS,
    PROBLEM_OF_THE_TABLE,
    ROWS,
    SPEC,
    bare,
    snake_case,
)

TABLE = "neptun_sdk/operations.py"


def test_what_is_generated_is_of_this_contract() -> None:
    """What changes in openapi.yaml reaches the SDK with the next `make generate`."""
    assert IS_GENERATED, "run `make generate`: generated/ and neptun_sdk/_contract.py are of another openapi.yaml"


def test_the_table_can_be_made() -> None:
    assert not PROBLEM_OF_THE_TABLE, PROBLEM_OF_THE_TABLE


@pytest.mark.parametrize("name", DESCRIBED if IS_GENERATED else ())
def test_an_operation_is_generated(name: str) -> None:
    module = DESCRIBED[name].module
    assert importlib.util.find_spec(module), f"run `make generate`: generated/ has no {module}"
    assert name in FACTS, f"run `make generate`: neptun_sdk/_contract.py has no {name}"


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_operation_has_a_row(name: str) -> None:
    operation_id = DESCRIBED[name].operation_id
    assert name in ROWS or PROBLEM_OF_THE_TABLE, f"add the row {name.upper()} to {TABLE}, for {operation_id}"


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_an_operation(name: str) -> None:
    assert name in DESCRIBED, f"openapi.yaml has no operationId for {name.upper()} in {TABLE}"


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_a_method(name: str) -> None:
    assert name in METHODS, f"add the method {name} to {CLIENT}"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_a_row(name: str) -> None:
    assert name in ROWS or PROBLEM_OF_THE_TABLE, (
        f"add the row {name.upper()} to {TABLE}, or remove {name}() from {CLIENT}"
    )


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_row_has_the_generated_module_of_its_operation(name: str) -> None:
    assert ROWS[name].module.__name__ == DESCRIBED[name].module, f"change the module of {name.upper()} in {TABLE}"


@pytest.mark.parametrize("name", [name for name in DESCRIBED_ROWS if IS_GENERATED])
def test_the_types_of_a_request_are_known(name: str) -> None:
    """A type without a check would be sent whatever it is."""
    row, described = ROWS[name], DESCRIBED[name]
    if row.module.__name__ != described.module:
        return
    try:
        found = {*map(bare, row.ids), *map(bare, row.fields)}
    except TypeError as exc:
        pytest.fail(str(exc), pytrace=False)
    expected = {bare(snake_case(each)) for each in (*described.ids, *described.fields)}
    assert found == expected, f"change fields_of() in neptun_sdk/values.py: {name} has {expected}, and is sent {found}"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_row_has_a_class_where_there_is_a_resource(name: str) -> None:
    """What was sent is compared with what came back: that needs the resource."""
    row, described = ROWS[name], DESCRIBED[name]
    if row.facts.envelope is None:
        assert row.resource is None, f"change the class of {name.upper()} in {TABLE} to None: a success has no body"
    elif row.resource is None:
        schema = described.response.properties.get(row.envelope) if described.response else None
        assert getattr(schema, "type", None) == "bool", (
            f"give {name.upper()} in {TABLE} a class for its response, instead of None: it returns "
            "more than a yes or no"
        )


STATUSES_OF_THE_CONTRACT = {status for described in DESCRIBED.values() for status in described.responses}


@pytest.mark.parametrize("status", sorted(int(each) for each in STATUSES_OF_THE_CONTRACT if each.isdecimal()))
def test_an_error_status_of_the_contract_has_a_meaning_of_its_own(status: int) -> None:
    if PROBLEM_OF_THE_TABLE:
        pytest.skip(PROBLEM_OF_THE_TABLE)
    # Not above: it imports the table, and what keeps that from being made has a test of its own.
    from neptun_sdk.outcomes import OTHER_4XX, OTHER_5XX, STATUSES

    known = status < 400 or status in STATUSES or status == 500
    assert known, (
        f"{status}: add a row to STATUSES in neptun_sdk/outcomes.py, and, if callers want to catch it, a class to "
        "neptun_sdk/errors.py"
    )
    assert issubclass(STATUSES.get(status, OTHER_5XX if status >= 500 else OTHER_4XX).error, NeptunError)


@pytest.mark.parametrize("name", [name for name, each in vars(errors).items() if name.endswith("Error")])
def test_an_error_is_public(name: str) -> None:
    is_public = getattr(neptun_sdk, name, None) is getattr(errors, name) and name in neptun_sdk.__all__
    assert is_public, f"add {name} to the imports and to __all__ in neptun_sdk/__init__.py"


def test_every_id_is_an_int64() -> None:
    """Generators of other languages make 32 bits of an integer without a format."""
    short: list[str] = []

    def look_at(name: str, node: Any) -> None:
        if isinstance(node, dict):
            is_id = name == "id" or name.endswith("_id") or node.get("in") == "path"
            schema = node.get("schema", node)
            if is_id and schema.get("type") == "integer" and schema.get("format") != "int64":
                short.append(name or str(node.get("name")))
            for key, value in node.items():
                look_at(key, value)
        elif isinstance(node, list):
            for item in node:
                look_at("", item)

    look_at("", SPEC)
    assert short == [], f"openapi.yaml: say `format: int64` of {short}"


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_operation_needs_a_session(name: str) -> None:
    """The client sends the cookie with each request."""
    security = DESCRIBED[name].node.get("security", SPEC["security"])
    (scheme,) = SPEC["components"]["securitySchemes"]
    assert security == [{scheme: []}], (
        f"{name} in openapi.yaml has another security: add a class beside Session in neptun_sdk/session.py, and choose "
        f"it in {CLIENT}"
    )
