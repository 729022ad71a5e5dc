"""openapi.yaml holds together: it is valid, its published examples fit its schemas, and it says what the pages say."""

from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from openapi_spec_validator import validate

STATUSES = {
    "200": "Successfully updated {}",
    "400": "Bad request (invalid parameters)",
    "401": "Unauthorized (invalid or missing session)",
    "403": "Forbidden (user_id mismatch)",
    "404": "{} not found",
    "500": "Server error",
}
PAGES = {
    "updateProject": ("patch", "/api/users/{user_id}/projects/{project_id}", "project"),
    "updateProjectImport": (
        "put",
        "/api/users/{user_id}/projects/{project_id}/resources/imports/{import_id}",
        "import",
    ),
}


def resolve(spec: dict[str, Any], node: Any) -> Any:
    """Replace every ``$ref`` below a node by what it points to."""
    if isinstance(node, list):
        return [resolve(spec, item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = spec
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return resolve(spec, target)
    return {key: resolve(spec, value) for key, value in node.items()}


def test_the_document_is_valid_openapi(spec: dict[str, Any]) -> None:
    validate(spec)
    assert spec["openapi"] == "3.0.3"


def test_it_has_the_two_operations_and_no_other(spec: dict[str, Any]) -> None:
    found = {
        operation["operationId"]: (method, path)
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    assert found == {name: (method, path) for name, (method, path, _) in PAGES.items()}


@pytest.mark.parametrize("operation", PAGES)
def test_every_published_status_is_described_as_published(operation: str, spec: dict[str, Any]) -> None:
    method, path, noun = PAGES[operation]
    responses = resolve(spec, spec["paths"][path][method]["responses"])
    published = {code: text.format(noun.capitalize() if code == "404" else noun) for code, text in STATUSES.items()}
    assert {code: response["description"] for code, response in responses.items()} == published


@pytest.mark.parametrize("operation", PAGES)
def test_every_example_fits_its_schema(operation: str, spec: dict[str, Any]) -> None:
    method, path, _ = PAGES[operation]
    described = resolve(spec, spec["paths"][path][method])
    bodies = [described["requestBody"], *described["responses"].values()]
    contents = [body["content"]["application/json"] for body in bodies]
    examples = [
        (example["value"], content["schema"])
        for content in contents
        for example in content.get("examples", {}).values()
    ]
    assert len(examples) == 3  # the request, the 200 and the 404
    for value, schema in examples:
        OAS30Validator(schema, format_checker=oas30_format_checker).validate(value)


def test_every_path_parameter_is_a_positive_integer(spec: dict[str, Any]) -> None:
    parameters = spec["components"]["parameters"].values()
    assert [parameter["name"] for parameter in parameters] == ["user_id", "project_id", "import_id"]
    assert all(parameter["required"] and parameter["in"] == "path" for parameter in parameters)
    assert all(parameter["schema"] == {"type": "integer", "format": "int64", "minimum": 1} for parameter in parameters)


def test_values_that_the_server_owns_are_open_strings_that_name_the_known_ones(spec: dict[str, Any]) -> None:
    schemas = spec["components"]["schemas"]
    for name in ("project_type", "programming_language"):
        for schema in ("Project", "UpdateProjectRequest"):
            assert len(schemas[schema]["properties"][name]["x-extensible-enum"]) >= 3
            assert "enum" not in schemas[schema]["properties"][name]
    for schema in ("ProjectImport", "UpdateProjectImportRequest"):
        assert "github" in schemas[schema]["properties"]["source_type"]["x-extensible-enum"]


def test_a_session_cookie_is_required(spec: dict[str, Any]) -> None:
    assert spec["security"] == [{"sessionCookie": []}]
    scheme = spec["components"]["securitySchemes"]["sessionCookie"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "cookie", "neptun-session")


@pytest.mark.parametrize(
    "words",
    [
        "Only the provided fields",
        "`updated_at` is updated automatically",
        "`project_type` must be a valid enum value",
        "`programming_language` must be a valid language identifier",
        "`source_type` must be a valid enum value",
        "`source_path` must have a format that matches the `source_type`",
        "GitHub imports require appropriate GitHub installation permissions",
        "must belong to the user",
    ],
)
def test_every_published_note_is_in_it(words: str, spec: dict[str, Any]) -> None:
    descriptions = [
        item[method]["description"] for item in spec["paths"].values() for method in ("patch", "put") if method in item
    ]
    assert words in " ".join(descriptions)
