"""The facade and openapi.yaml name the same things; where they part, the message says which file to change."""

import inspect
from datetime import datetime
from typing import Any

import attrs
import pytest

from neptun_sdk import NeptunClient, Project, ProjectImport
from neptun_sdk.arguments import DEFAULT_BASE_URL
from neptun_sdk.models import ENVELOPES, contract_fields
from neptun_sdk.session import COOKIE_NAME

OPERATIONS = {
    "update_project": ("UpdateProjectRequest", "ProjectEnvelope", Project),
    "update_project_import": ("UpdateProjectImportRequest", "ProjectImportEnvelope", ProjectImport),
}
TYPES: dict[object, dict[str, Any]] = {
    int: {"type": "integer", "format": "int64"},
    str: {"type": "string"},
    str | None: {"type": "string", "nullable": True},
    datetime: {"type": "string", "format": "date-time"},
}


def signature(method: str, kind: object) -> list[str]:
    parameters = inspect.signature(getattr(NeptunClient, method)).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is kind and parameter.name != "self"]


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def test_every_operation_has_a_method(spec: dict[str, Any]) -> None:
    ids = [
        item[method]["operationId"] for item in spec["paths"].values() for method in ("patch", "put") if method in item
    ]
    wanted = {snake(name) for name in ids}
    assert wanted == set(OPERATIONS), "change neptun_sdk/client.py (and this test): a method for each operationId"
    assert all(callable(getattr(NeptunClient, name, None)) for name in wanted), "change neptun_sdk/client.py"


@pytest.mark.parametrize("method", OPERATIONS)
def test_a_method_takes_every_field_of_its_request_and_no_other(method: str, spec: dict[str, Any]) -> None:
    request = OPERATIONS[method][0]
    fields = list(spec["components"]["schemas"][request]["properties"])
    taken = signature(method, inspect.Parameter.KEYWORD_ONLY)
    assert taken == fields, f"change {method}() in neptun_sdk/client.py to take the fields of {request} in openapi.yaml"


@pytest.mark.parametrize("method", OPERATIONS)
def test_a_method_takes_every_id_of_its_path_but_the_users(method: str, spec: dict[str, Any]) -> None:
    path = next(
        item
        for item in spec["paths"].values()
        if method in (snake(item[verb]["operationId"]) for verb in ("patch", "put") if verb in item)
    )
    names = [reference["$ref"].rsplit("/", 1)[1] for reference in path["parameters"]]
    ids = [spec["components"]["parameters"][name]["name"] for name in names]
    taken = signature(method, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert ["user_id", *taken] == ids, f"change {method}() in neptun_sdk/client.py to take the ids of its path"


@pytest.mark.parametrize("method", OPERATIONS)
def test_a_resource_has_every_field_of_its_schema_with_its_type(method: str, spec: dict[str, Any]) -> None:
    _, response, resource = OPERATIONS[method]
    schema = spec["components"]["schemas"][resource.__name__]
    stated = {
        name: {key: field[key] for key in ("type", "format", "nullable") if key in field}
        for name, field in schema["properties"].items()
    }
    ours = {field.name: TYPES[field.type] for field in contract_fields(resource)}
    assert ours == stated, f"change {resource.__name__} in neptun_sdk/models.py to the fields of openapi.yaml"
    required = {field.name for field in contract_fields(resource) if field.default is attrs.NOTHING}
    assert required == set(schema["required"]), f"change {resource.__name__} in neptun_sdk/models.py"
    envelope = list(spec["components"]["schemas"][response]["properties"])
    assert [ENVELOPES[resource]] == envelope, "change ENVELOPES in neptun_sdk/models.py"


def test_the_default_server_is_the_one_of_the_contract(spec: dict[str, Any]) -> None:
    assert spec["servers"][0]["url"] == DEFAULT_BASE_URL, "change DEFAULT_BASE_URL in neptun_sdk/arguments.py"


def test_the_cookie_is_the_one_of_the_contract(spec: dict[str, Any]) -> None:
    name = spec["components"]["securitySchemes"]["sessionCookie"]["name"]
    assert name == COOKIE_NAME, "change COOKIE_NAME in neptun_sdk/session.py"
