"""What openapi.yaml describes and what the SDK has, both found without a list of names, for the tests to compare."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import attrs
import yaml

from neptun_sdk import Dialect, NeptunClient
from neptun_sdk.dialects import wire_name
from neptun_sdk.models import Resource
from neptun_sdk.operations import Operation, Operations

Node = Mapping[str, Any]

METHODS_OF_HTTP = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
TYPES: Mapping[tuple[str | None, str | None], Any] = {
    ("boolean", None): bool,
    ("integer", "int64"): int,
    ("number", None): float,
    ("string", None): str,
    ("string", "date-time"): datetime,
}
# A value of each type but text, as JSON has it.
SAMPLES: Mapping[Any, object] = {
    bool: True,
    int: 1,
    float: 1.5,
    datetime: datetime(2025, 2, 16, tzinfo=UTC).isoformat(),
}

SPEC: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8"))


def follow(node: Node) -> dict[str, Any]:
    """Return what a node refers to, or the node itself if it is no reference."""
    while "$ref" in node:
        target: Any = SPEC
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return dict(node)


def snake_case(name: str) -> str:
    """Return the name that the generator, and so the SDK, has for an operationId."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@dataclass(frozen=True)
class Schema:
    """A schema of the contract.

    Args:
        node: The schema, or a reference to it.
    """

    node: Node

    @property
    def name(self) -> str | None:
        """Its name below components/schemas; ``None`` if it has none."""
        return self.node["$ref"].rsplit("/", 1)[1] if "$ref" in self.node else None

    @property
    def properties(self) -> dict[str, "Schema"]:
        """The schemas of its properties, by name."""
        return {name: Schema(node) for name, node in follow(self.node).get("properties", {}).items()}

    @property
    def required(self) -> set[str]:
        """The names of the properties that must be there."""
        return set(follow(self.node).get("required", ()))

    @property
    def nullable(self) -> bool:
        """Whether null is a value of it."""
        return bool(follow(self.node).get("nullable", False))

    @property
    def known_values(self) -> list[str]:
        """The values that the contract knows, if the server owns them and may add others; else none."""
        return list(follow(self.node).get("x-extensible-enum", ()))

    @property
    def example(self) -> Any:
        """The example of a value; ``None`` if there is none."""
        return follow(self.node).get("example")

    @property
    def type(self) -> Any:
        """The Python type of its values: an open string with known values is ``Literal[known values] | str``."""
        node = follow(self.node)
        key = (node.get("type"), node.get("format"))
        assert key[0] != "integer" or key in TYPES, f"add `format: int64` in openapi.yaml to the field {node}"
        assert key in TYPES, (
            f"openapi.yaml has a field of the type {key}, which is new: teach it to the checks of "
            "neptun_sdk/models.py, then add it to TYPES in tests/contract/described.py"
        )
        return cast("Any", Literal)[tuple(self.known_values)] | str if self.known_values else TYPES[key]


@dataclass(frozen=True)
class Described:
    """An operation as openapi.yaml describes it.

    Args:
        method: The method of HTTP, in lower case.
        path: The path, with its parameters in braces.
        parameters: The parameters of the path and of the operation.
        node: The operation.
    """

    method: str
    path: str
    parameters: list[dict[str, Any]]
    node: Node

    @property
    def operation_id(self) -> str:
        """Its operationId."""
        return str(self.node["operationId"])

    @property
    def ids(self) -> list[str]:
        """The names of the parameters in its path, in their order."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def module(self) -> str:
        """The generated module that belongs to it."""
        return f"neptun_openapi.api.{self.node['tags'][0]}.{snake_case(self.operation_id)}"

    @property
    def responses(self) -> dict[str, dict[str, Any]]:
        """Its responses, by status."""
        return {str(status): follow(response) for status, response in self.node["responses"].items()}

    @property
    def request_content(self) -> Node:
        """The body of its request, by media type; empty if it has none."""
        return dict(follow(self.node.get("requestBody", {})).get("content", {}))

    @property
    def successes(self) -> list[str]:
        """The statuses of its responses that are no errors."""
        return [status for status in self.responses if status[0] in "123"]

    @property
    def response_content(self) -> Node:
        """The body of its response if it succeeds, by media type; empty if it has none."""
        return dict(self.responses[self.successes[0]].get("content", {})) if self.successes else {}

    @property
    def request(self) -> Schema | None:
        """The schema of its request; ``None`` if the request has no body."""
        return Schema(self.request_content["application/json"]["schema"]) if self.request_content else None

    @property
    def fields(self) -> dict[str, Schema]:
        """The fields of its request."""
        return self.request.properties if self.request else {}

    @property
    def query(self) -> dict[str, Schema]:
        """The parameters of its query."""
        return {each["name"]: Schema(each["schema"]) for each in self.parameters if each["in"] == "query"}

    @property
    def keywords(self) -> dict[str, Schema]:
        """What its method takes by keyword: the fields of the request, then the parameters of the query."""
        return {**self.fields, **self.query}

    @property
    def response(self) -> Schema:
        """The schema of its response if it succeeds: the envelope; an empty one if it has no body."""
        return Schema(self.response_content.get("application/json", {}).get("schema", {}))

    @property
    def resource(self) -> Schema:
        """The schema of what stands in the envelope; an empty one if that is not one property."""
        properties = list(self.response.properties.values())
        return properties[0] if len(properties) == 1 else Schema({})


def written(annotation: Any) -> str:
    """Return a type as code spells it: the words of ``typing`` differ from one version of Python to the next."""
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(map(written, get_args(annotation)))
    if get_origin(annotation) is Literal:
        return f"Literal[{', '.join(map(repr, get_args(annotation)))}]"
    if annotation is NoneType:
        return "None"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def sample(schema: Schema, text: str) -> Any:
    """Return a value of the schema's type, as JSON has it: the text, if it is a text."""
    return SAMPLES.get(schema.type, text)


def _described() -> list[Described]:
    return [
        Described(
            method=method,
            path=path,
            parameters=[follow(each) for each in (*item.get("parameters", ()), *item[method].get("parameters", ()))],
            node=item[method],
        )
        for path, item in SPEC["paths"].items()
        for method in METHODS_OF_HTTP
        if method in item
    ]


def _rows() -> list[Operation[Any]]:
    return [value for value in vars(Operations).values() if isinstance(value, Operation)]


def _methods() -> dict[str, Callable[..., Any]]:
    """Return the methods of the client that are operations: the public ones that return a resource."""
    # `make mutation` adds the variants of each method, under names that are not ASCII.
    names = [name for name in vars(NeptunClient) if name[0] != "_" and name.isascii()]
    public = {name: vars(NeptunClient)[name] for name in names if inspect.isfunction(vars(NeptunClient)[name])}
    returned: dict[str, Any] = {name: get_type_hints(method).get("return") for name, method in public.items()}
    return {name: method for name, method in public.items() if Resource in getattr(returned[name], "__mro__", ())}


def _is_callable(described: Described, row: Operation[Any]) -> bool:
    """Tell whether the generated class and the resource have the fields of the contract, which a call needs."""
    generated = {field.name for field in attrs.fields(row.model) if field.init}
    return generated == {field.name for field in row.fields} == described.resource.properties.keys()


# All three under the name of the method: the operationId in snake case.
DESCRIBED = {snake_case(each.operation_id): each for each in _described()}
ROWS = {row.name: row for row in _rows()}
METHODS = _methods()
# What is missing has a test of its own; the others compare what is there.
DESCRIBED_ROWS = [name for name in DESCRIBED if name in ROWS]
DESCRIBED_METHODS = [name for name in DESCRIBED if name in METHODS]
COMPLETE = [name for name in DESCRIBED_ROWS if name in METHODS]
CALLABLE = [name for name in COMPLETE if _is_callable(DESCRIBED[name], ROWS[name])]


def fields_to_send(name: str, dialect: Dialect) -> list[str]:
    """Return the fields of a request that its method takes and a server of a dialect has."""
    taken = inspect.signature(METHODS[name]).parameters
    known = [field for field in DESCRIBED[name].fields if wire_name(ROWS[name].resource, dialect, field)]
    return [field for field in known if field in taken]
