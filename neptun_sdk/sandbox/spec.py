"""The contract, as the embedded Neptun reads it from ``openapi.yaml``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker

_PACKAGE = Path(__file__).resolve().parent.parent
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True)
class Issue:
    """One problem of a value: the field it is about ("" for the value as a whole), and what is wrong with it."""

    field: str
    message: str


class Schema:
    """A schema of the contract.

    Args:
        definition: The schema itself, or a reference to it.
        document: The whole contract, into which references point.
    """

    def __init__(self, definition: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        self._definition = resolve(definition, document)
        self._document = document
        # References start at the root, so the components have to be there.
        root = {**self._definition, "components": document.get("components", {})}
        self._validator = OAS30Validator(root, format_checker=oas30_format_checker)

    def issues(self, value: object) -> list[Issue]:
        """Return what is wrong with a value, in the order of the schema."""
        errors = self._validator.iter_errors(value)
        # A message quotes the value, which may be large.
        return [Issue(str(error.path[0]) if error.path else "", error.message[:200]) for error in errors]

    @cached_property
    def fields(self) -> dict[str, "Schema"]:
        """The schemas of the properties, by name."""
        properties: Mapping[str, Any] = self._definition.get("properties", {})
        return {name: Schema(definition, self._document) for name, definition in properties.items()}

    @property
    def known_values(self) -> list[str]:
        """The values that the contract knows for a field whose values the server owns; empty for any other field."""
        values: list[str] = self._definition.get("x-extensible-enum", [])
        return values


@dataclass(frozen=True)
class Operation:
    """An operation of the contract: a path, a method, and the schemas of what goes in and out."""

    operation_id: str
    method: str
    path: str
    path_parameters: Mapping[str, Schema]
    body: Schema | None
    responses: Mapping[int, Schema | None]

    @property
    def success(self) -> int:
        """The status of a response that succeeded."""
        return min(self.responses)


@cache
def load_spec() -> dict[str, Any]:
    """Read ``openapi.yaml``.

    Raises:
        FileNotFoundError: It is in neither of the places where an installation or a checkout has it.
    """
    # A wheel has it inside the package; a checkout, an sdist and an editable install have it beside the package.
    candidates = [folder / "openapi.yaml" for folder in (_PACKAGE, _PACKAGE.parent)]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise FileNotFoundError(f"there is no openapi.yaml: looked for {' and '.join(map(str, candidates))}")
    spec: dict[str, Any] = yaml.safe_load(found.read_text(encoding="utf-8"))
    return spec


def load_operations() -> dict[str, Operation]:
    """Return the operations of the contract, by operationId."""
    return {operation.operation_id: operation for operation in _operations(load_spec())}


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method in filter(item.__contains__, METHODS):
            operation = item[method]
            declared = [
                resolve(parameter, document)
                for parameter in (*item.get("parameters", ()), *operation.get("parameters", ()))
            ]
            schemas = {(parameter["in"], parameter["name"]): parameter["schema"] for parameter in declared}
            body = operation.get("requestBody")
            yield Operation(
                operation_id=operation["operationId"],
                method=method.upper(),
                path=path,
                path_parameters={
                    name: Schema(schemas["path", name], document) for name in re.findall(r"{(\w+)}", path)
                },
                body=body and _content(body, document),
                responses={
                    int(status): _content(response, document) for status, response in operation["responses"].items()
                },
            )


def _content(node: Mapping[str, Any], document: Mapping[str, Any]) -> Schema | None:
    """Return the schema of the JSON in a request body or response; None if it has no content."""
    content = resolve(node, document).get("content")
    return Schema(content["application/json"]["schema"], document) if content else None


def resolve(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference within the document."""
    while "$ref" in node:
        target: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node
