"""openapi.yaml is valid, and says what Neptun's two published pages say, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from openapi_spec_validator import validate

from tests.contract.described import DESCRIBED, SPEC, Described, Schema, snake_case

HERE = "tests/contract/test_spec.py"
ERRORS = {
    "400": "Bad request (invalid parameters)",
    "401": "Unauthorized (invalid or missing session)",
    "403": "Forbidden (user_id mismatch)",
    "500": "Server error",
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a published page says of its operation.

    Attributes:
        method: The method, in lower case.
        path: The route.
        statuses: The statuses, and what they mean.
        fields: The fields of the request body; all are optional. One that is no string
            stands with its type, as in ``"archived: boolean"``.
        interface: The TypeScript interface of the resource, as name and types.
        enums: The fields whose values the server owns, each with its published example.
        notes: Words of the notes that must be found in the description.
        examples: The published bodies: of the request, and of responses by their status.
    """

    method: str
    path: str
    statuses: Mapping[str, str]
    fields: tuple[str, ...] = ()
    interface: tuple[str, Mapping[str, str]]
    enums: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()
    examples: Mapping[str, object] = field(default_factory=dict[str, object])


# By operationId: the pages that are published.
PAGES = {
    "updateProject": Page(
        method="patch",
        path="/api/users/{user_id}/projects/{project_id}",
        statuses={**ERRORS, "200": "Successfully updated project", "404": "Project not found"},
        fields=("name", "description", "project_type", "programming_language"),
        interface=(
            "Project",
            {
                "id": "number",
                "name": "string",
                "description?": "string",
                "project_type": "string",
                "programming_language": "string",
                "created_at": "string",
                "updated_at": "string",
                "neptun_user_id": "number",
            },
        ),
        enums={"project_type": "web-site", "programming_language": "typescript"},
        notes=(
            "must belong to the user",
            "Only the provided fields",
            "`project_type` must be a valid enum value",
            "`programming_language` must be a valid language identifier",
            "`updated_at` is updated automatically",
        ),
        examples={
            "request": {
                "name": "Updated Project Name",
                "description": "Updated project description",
                "project_type": "web-site",
                "programming_language": "typescript",
            },
            "200": {
                "project": {
                    "id": 123,
                    "name": "Updated Project Name",
                    "description": "Updated project description",
                    "project_type": "web-site",
                    "programming_language": "typescript",
                    "created_at": "2025-02-16T17:42:11.000Z",
                    "updated_at": "2025-02-16T18:42:11.000Z",
                    "neptun_user_id": 456,
                }
            },
            "404": {"statusCode": 404, "message": "Project not found"},
        },
    ),
    "updateProjectImport": Page(
        method="put",
        path="/api/users/{user_id}/projects/{project_id}/resources/imports/{import_id}",
        statuses={**ERRORS, "200": "Successfully updated import", "404": "Import not found"},
        fields=("source_type", "source_path", "title", "description"),
        interface=(
            "ProjectImport",
            {
                "id": "number",
                "source_type": "string",
                "source_path": "string",
                "title?": "string",
                "description?": "string",
                "created_at": "string",
                "updated_at": "string",
                "neptun_user_id": "number",
                "project_id": "number",
            },
        ),
        enums={"source_type": "github"},
        notes=(
            "must belong to the user",
            "Only the provided fields",
            "`source_type` must be a valid enum value",
            "`source_path` must have a format that matches the `source_type`",
            "`updated_at` is updated automatically",
            "GitHub imports require appropriate GitHub installation permissions",
        ),
        examples={
            "request": {"title": "Updated GitHub Import", "description": "Updated import from GitHub repository"},
            "200": {
                "import": {
                    "id": 123,
                    "source_type": "github",
                    "source_path": "username/repository",
                    "title": "Updated GitHub Import",
                    "description": "Updated import from GitHub repository",
                    "created_at": "2025-02-16T17:42:11.000Z",
                    "updated_at": "2025-02-16T18:42:11.000Z",
                    "neptun_user_id": 456,
                    "project_id": 789,
                }
            },
            "404": {"statusCode": 404, "message": "Import not found"},
        },
    ),
}


def described(operation_id: str) -> Described:
    return DESCRIBED[snake_case(operation_id)]


def resolve(node: Any) -> Any:
    """Return a node with every reference below it replaced by what it refers to."""
    if isinstance(node, list):
        return [resolve(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = SPEC
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return resolve(target)
    return {key: resolve(value) for key, value in node.items()}


def examples(operation_id: str, *names: str) -> dict[str, tuple[object, Any]]:
    """Return the examples of an operation, each with its schema; with names, those only."""
    operation = described(operation_id)
    contents = {"request": operation.request_content}
    contents |= {status: response.get("content", {}) for status, response in operation.responses.items()}
    return {
        place: (example["value"], resolve(media_type["schema"]))
        for place, content in contents.items()
        for media_type in content.values()
        for name, example in media_type.get("examples", {}).items()
        if not names or name in names
    }


def test_the_document_is_valid_openapi() -> None:
    validate(SPEC)


def test_it_is_openapi_3_0() -> None:
    """3.1 breaks generators of other languages."""
    assert SPEC["openapi"] == "3.0.3"


def test_the_spec_fixture_is_the_same_document(spec: dict[str, Any]) -> None:
    """The embedded Neptun reads the file of the repository, not a copy."""
    assert spec == SPEC


def test_it_has_the_operations_of_the_pages() -> None:
    found = {each.operation_id: (each.method, each.path) for each in DESCRIBED.values()}
    published = {name: (page.method, page.path) for name, page in PAGES.items()}
    assert published.items() <= found.items(), f"change PAGES in {HERE} if Neptun has published it otherwise"


@pytest.mark.parametrize("operation_id", PAGES)
def test_every_published_status_is_described_as_published(operation_id: str) -> None:
    found = {status: each["description"] for status, each in described(operation_id).responses.items()}
    found.pop("429")  # a proxy's, which every client must expect: no page has it
    assert found == PAGES[operation_id].statuses, f"change statuses of {operation_id} in {HERE} to the page"


@pytest.mark.parametrize("operation_id", PAGES)
def test_a_request_has_the_published_fields_and_requires_none(operation_id: str) -> None:
    operation, page = described(operation_id), PAGES[operation_id]
    types = {name: resolve(schema.node)["type"] for name, schema in operation.fields.items()}
    found = tuple(name if kind == "string" else f"{name}: {kind}" for name, kind in types.items())
    assert found == page.fields, f"change fields of {operation_id} in {HERE} to the page"
    required = operation.request.required if operation.request else set()
    assert required == set(), f"change this test and Page.fields in {HERE}: {operation_id} requires {required}"


@pytest.mark.parametrize("operation_id", PAGES)
def test_a_resource_has_the_published_interface(operation_id: str) -> None:
    name, interface = PAGES[operation_id].interface
    resource = described(operation_id).resource
    types = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
    found = {
        each if each in resource.required else f"{each}?": types.get(resolve(schema.node)["type"], "a new type")
        for each, schema in resource.properties.items()
    }
    message = f"change interface of {operation_id} in {HERE} to the page"
    assert (resource.name, found) == (name, interface), message


@pytest.mark.parametrize("operation_id", PAGES)
def test_every_published_example_is_in_it(operation_id: str) -> None:
    found = {place: example for place, (example, _) in examples(operation_id, "published").items()}
    assert found == PAGES[operation_id].examples, f"change examples of {operation_id} in {HERE} to the page"


@pytest.mark.parametrize("operation_id", PAGES)
def test_every_error_has_an_example_of_its_own(operation_id: str) -> None:
    """Swagger UI shows a body that it makes up for each that has none, and that was the one of a 404."""
    found: dict[str, Any] = {status: example for status, (example, _) in examples(operation_id).items()}
    errors = (*ERRORS, "404", "429")
    assert {status: found[status]["statusCode"] for status in errors} == {status: int(status) for status in errors}


@pytest.mark.parametrize("operation_id", PAGES)
def test_every_example_fits_its_schema(operation_id: str) -> None:
    for example, schema in examples(operation_id).values():
        OAS30Validator(schema, format_checker=oas30_format_checker).validate(example)


@pytest.mark.parametrize("operation_id", PAGES)
def test_every_published_note_is_in_it(operation_id: str) -> None:
    description = described(operation_id).node["description"]
    missing = [words for words in PAGES[operation_id].notes if words not in description]
    assert missing == [], f"change notes of {operation_id} in {HERE} to the page"


@pytest.mark.parametrize("operation_id", PAGES)
def test_requests_and_responses_are_json(operation_id: str) -> None:
    """The pages require ``Accept`` and ``Content-Type: application/json``; an error may be what RFC 9457 has."""
    operation = described(operation_id)
    contents = {"request": operation.request_content}
    contents |= {status: response.get("content", {}) for status, response in operation.responses.items()}
    for place, content in contents.items():
        known = {"application/json"} | ({"application/problem+json"} if place[0] in "45" else set())
        assert set(content) <= known, f"teach {set(content)}, of {place} in {operation_id}, to neptun_sdk/call.py"


@pytest.mark.parametrize("operation_id", PAGES)
def test_every_error_has_a_body_of_errors(operation_id: str) -> None:
    for status, response in described(operation_id).responses.items():
        content = response.get("content", {}).get("application/json") if status[0] in "45" else None
        name = Schema(content["schema"]).name if content else "ErrorBody"
        assert name == "ErrorBody", (
            f"teach {name}, of {status} in {operation_id}, to is_error_body() in neptun_sdk/dialects.py, then to {HERE}"
        )


@pytest.mark.parametrize("schema", SPEC["components"]["schemas"])
def test_values_that_the_server_owns_are_open_strings(schema: str) -> None:
    """A closed enum would make generated clients refuse a value that the server adds."""
    properties = Schema(SPEC["components"]["schemas"][schema]).properties
    closed = [name for name, each in properties.items() if "enum" in resolve(each.node)]
    assert closed == [], f"openapi.yaml: say x-extensible-enum instead of enum for {closed} of {schema}"


@pytest.mark.parametrize("operation_id", PAGES)
def test_values_that_the_server_owns_name_the_known_ones(operation_id: str) -> None:
    """The pages give one value of each as an example, which must be among them."""
    operation, page = described(operation_id), PAGES[operation_id]
    tables = [operation.resource.properties, operation.fields] if page.fields else [operation.resource.properties]
    for schemas in tables:
        known = {name: schema.known_values for name, schema in schemas.items() if schema.known_values}
        message = f"change enums of {operation_id} in {HERE} to the page"
        assert known.keys() == page.enums.keys(), message
        assert all(published in known[name] for name, published in page.enums.items()), message
        assert all(len(values) >= 3 for values in known.values()), message


def test_a_session_cookie_is_required() -> None:
    assert SPEC["security"] == [{"sessionCookie": []}]
    scheme = SPEC["components"]["securitySchemes"]["sessionCookie"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "cookie", "neptun-session")
