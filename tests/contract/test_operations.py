"""The rows in operations.py are the operations of openapi.yaml."""

import importlib.util
from typing import Any

import attrs
import pytest

from neptun_sdk import StatusError
from neptun_sdk.operations import CallInfo
from neptun_sdk.outcomes import of_status
from tests.contract.described import DESCRIBED, DESCRIBED_ROWS, METHODS, ROWS, SPEC

READING = ("get", "head")
REPEATABLE = (*READING, "put", "patch")
SENT_IN = ["path"]  # where Operation.request puts parameters


def error_statuses() -> list[int]:
    """Return every error status that the contract names for any operation."""
    found = {int(status) for described in DESCRIBED.values() for status in described.responses if status[0] in "45"}
    return sorted(found)


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_operation_is_generated(name: str) -> None:
    described = DESCRIBED[name]
    try:
        spec = importlib.util.find_spec(described.module)
    except ModuleNotFoundError:
        spec = None
    assert spec, f"run `make generate`: generated/ has no {described.module}, for {described.operation_id}"


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_operation_has_a_row(name: str) -> None:
    operation_id = DESCRIBED[name].operation_id
    assert name in ROWS, f"add the row {name.upper()} to neptun_sdk/operations.py, for {operation_id} of openapi.yaml"


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_an_operation(name: str) -> None:
    assert name in DESCRIBED, f"openapi.yaml has no operationId for {name.upper()} in neptun_sdk/operations.py"


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_a_method(name: str) -> None:
    assert name in METHODS, f"add the method {name}, which returns a resource, to neptun_sdk/client.py"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_a_row(name: str) -> None:
    assert name in ROWS, f"add the row {name.upper()} to neptun_sdk/operations.py, or remove {name}() from client.py"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_row_has_the_generated_function_of_its_operation(name: str) -> None:
    module = DESCRIBED[name].module
    assert ROWS[name].build.__module__ == module, f"change build of {name.upper()} in neptun_sdk/operations.py"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_generated_function_is_as_new_as_the_contract(name: str) -> None:
    """A path or a method that changed in openapi.yaml reaches the SDK with the next `make generate`."""
    described, row = DESCRIBED[name], ROWS[name]
    stale = f"run `make generate`: generated/ has another request for {described.operation_id} than openapi.yaml"
    assert list(row.ids) == described.ids, stale
    ids = {name: number for number, name in enumerate(described.ids, start=11)}
    request = row.request(ids, {})
    assert (request["method"], request["url"]) == (described.method, described.path.format(**ids)), stale


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_row_has_the_generated_classes_of_its_operation(name: str) -> None:
    described, row = DESCRIBED[name], ROWS[name]
    body = row.body.__name__ if row.body else None
    expected = described.request.name if described.request else None
    assert body == expected, f"change body of {name.upper()} in neptun_sdk/operations.py: it should be {expected}"
    expected = described.resource.name
    assert row.model.__name__ == expected, f"change model of {name.upper()} in neptun_sdk/operations.py to {expected}"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_generated_class_has_the_fields_of_the_contract(name: str) -> None:
    described, row = DESCRIBED[name], ROWS[name]
    for generated, schema in ((row.body, described.request), (row.model, described.resource)):
        if generated and schema:
            fields = sorted(field.name for field in attrs.fields(generated) if field.init)
            message = f"run `make generate`: {generated.__name__} has other fields in generated/ than in openapi.yaml"
            assert fields == sorted(schema.properties), message


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_row_has_the_envelope_of_its_response(name: str) -> None:
    described, envelope = DESCRIBED[name], ROWS[name].envelope
    properties = list(described.response.properties)
    assert properties == [envelope], f"change envelope of {name.upper()} in neptun_sdk/operations.py to {properties}"
    assert described.response.required == {envelope}, f"openapi.yaml: require {envelope} in {described.response.name}"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_row_reads_or_updates_as_its_method_of_http_does(name: str) -> None:
    """Errors of a reading operation must not speak of updates, and an update must not be repeated after a 200."""
    updates = DESCRIBED[name].method not in READING
    assert ROWS[name].updates is updates, f"change updates of {name.upper()} in neptun_sdk/operations.py to {updates}"


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_operation_may_be_sent_again(name: str) -> None:
    """After a lost response the client sends every operation again: a POST would create a second resource."""
    method = DESCRIBED[name].method
    assert method in REPEATABLE, (
        f"{DESCRIBED[name].operation_id} is a {method.upper()}: change EXCEPTIONS and RETRY in "
        "neptun_sdk/outcomes.py, which take it for safe to send an operation twice"
    )


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_operation_is_addressed_by_ids_that_begin_with_the_users(name: str) -> None:
    """The client takes the first id of a path from the session, and the others from the caller."""
    assert DESCRIBED[name].ids[:1] == ["user_id"], f"{DESCRIBED[name].path}: change neptun_sdk/client.py"


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_operation_has_no_parameter_that_is_not_sent(name: str) -> None:
    described = DESCRIBED[name]
    in_path = sorted(each["name"] for each in described.parameters if each["in"] == "path")
    assert in_path == sorted(described.ids), (
        f"openapi.yaml: declare each {{parameter}} of {described.path}, and no other"
    )
    for place in {each["in"] for each in described.parameters}:
        assert place in SENT_IN, (
            f"{described.operation_id} in openapi.yaml: {place} parameters are not supported by "
            f"neptun_sdk/operations.py yet: teach Operation.request to send them, then add {place!r} to SENT_IN in "
            "tests/contract/test_operations.py"
        )


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_operation_succeeds_with_a_200_only(name: str) -> None:
    successes = DESCRIBED[name].successes
    assert successes == ["200"], f"change neptun_sdk/call.py, which takes nothing but a 200: {successes}"


@pytest.mark.parametrize("status", error_statuses())
def test_an_error_status_of_the_contract_has_a_class_of_its_own(status: int) -> None:
    call = CallInfo(next(iter(ROWS.values())), {"user_id": 1}, {})
    error = of_status(call, status, {}, {"statusCode": status, "message": "no"}).rule.error
    message = f"{status}: add a class to neptun_sdk/errors.py, and its row to neptun_sdk/outcomes.py"
    assert issubclass(error, StatusError), message
    assert error is not StatusError, message


def test_every_id_is_an_int64() -> None:
    """Generators of other languages make 32 bits of an integer without a format."""
    short: list[str] = []

    def look_at(name: str, node: Any) -> None:
        if isinstance(node, dict):
            is_id = name == "id" or name.endswith("_id") or node.get("in") == "path"
            schema = node.get("schema", node)
            if is_id and schema.get("type") == "integer" and schema.get("format") != "int64":
                short.append(name)
            for key, value in node.items():
                look_at(key, value)
        elif isinstance(node, list):
            for item in node:
                look_at(name, item)

    look_at("", SPEC)
    assert short == [], f"openapi.yaml: say `format: int64` of {short}"


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_id_of_a_path_is_a_positive_integer(name: str) -> None:
    ids = [each for each in DESCRIBED[name].parameters if each["in"] == "path"]
    schema = {"type": "integer", "format": "int64", "minimum": 1}
    wrong = [each["name"] for each in ids if each["schema"] != schema or not each["required"]]
    assert wrong == [], f"openapi.yaml: change {wrong} to {schema}, or check_id in neptun_sdk/arguments.py"
