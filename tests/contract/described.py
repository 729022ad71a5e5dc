"""What openapi.yaml describes and what the SDK has, both found without a list of names, for the tests to compare."""

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from neptun_sdk import CONTRACT, NeptunClient
from neptun_sdk._contract import FACTS
from neptun_sdk.models import Resource

Node = Mapping[str, Any]

METHODS_OF_HTTP = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# The Python type of each type of the contract, and a value as JSON has it. An array and an object are made of these.
TYPES: Mapping[tuple[str, str | None], tuple[Any, Any]] = {
    ("boolean", None): (bool, True),
    ("integer", None): (int, 7),
    ("integer", "int32"): (int, 7),
    ("integer", "int64"): (int, 7),
    ("number", None): (float, 1.5),
    ("number", "double"): (float, 1.5),
    ("string", None): (str, "a text"),
    ("string", "date-time"): (datetime, datetime(2025, 2, 16, tzinfo=UTC).isoformat()),
}
CLIENT = "neptun_sdk/client.py"

CONTENT = (Path(__file__).parents[2] / "openapi.yaml").read_bytes()
SPEC: dict[str, Any] = yaml.safe_load(CONTENT)
IS_GENERATED = CONTRACT.endswith(hashlib.sha256(CONTENT).hexdigest()[:12])

# A row that cannot be made must not keep the tests from being collected: one of them says so.
PROBLEM_OF_THE_TABLE = ""
try:
    from neptun_sdk.operations import Operation, Operations

    TABLE = {name: row for name, row in vars(Operations).items() if isinstance(row, Operation)}
except ImportError as exc:
    PROBLEM_OF_THE_TABLE = f"run `make generate`, or correct the imports of neptun_sdk/operations.py: {exc}"
    TABLE = {}
except Exception as exc:
    PROBLEM_OF_THE_TABLE = f"correct the rows or the imports of neptun_sdk/operations.py: {type(exc).__name__}: {exc}"
    TABLE = {}


def follow(node: Node) -> dict[str, Any]:
    """Return what a node refers to, or the node itself if it is no reference."""
    while "$ref" in node:
        target: Any = SPEC
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return dict(node)


def snake_case(name: str) -> str:
    """Return the name that the generator, and so the SDK, has for an operationId, a field or a header."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|-", "_", name).lower()


def bare(name: str) -> str:
    """Return a name without the ``_`` that it may have because the name is Python's own."""
    return name.removesuffix("_")


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
        node = follow(self.node)
        found = {name: each for part in node.get("allOf", ()) for name, each in Schema(part).properties.items()}
        return found | {name: Schema(each) for name, each in node.get("properties", {}).items()}

    @property
    def required(self) -> set[str]:
        """The names of the properties that must be there."""
        node = follow(self.node)
        return set(node.get("required", ())).union(*(Schema(part).required for part in node.get("allOf", ())))

    @property
    def nullable(self) -> bool:
        """Whether null is a value of it."""
        return bool(follow(self.node).get("nullable", False))

    @property
    def known_values(self) -> list[str]:
        """The values that the contract knows, if the server owns them and may add others; else none."""
        return list(follow(self.node).get("x-extensible-enum", ()))

    @property
    def type(self) -> str:
        """The type of its values, as the Python of this SDK spells it.

        Raises:
            LookupError: The SDK does not know it; the text names the files to change.
        """
        node = follow(self.node)
        kind = str(node.get("type", "object" if self.properties else "any"))
        if self.known_values:
            return f"Literal[{', '.join(map(repr, self.known_values))}] | str"
        if "enum" in node:
            return f"Literal[{', '.join(map(repr, node['enum']))}]"
        if kind == "array":
            return f"list[{Schema(node['items']).type}]"
        if kind == "object" and self.name:
            return self.name
        if (kind, node.get("format")) not in TYPES:
            raise LookupError(
                f"teach the type {kind}{' ' + node['format'] if 'format' in node else ''} to kind_of() in "
                "neptun_sdk/values.py, then add it to TYPES in tests/contract/described.py"
            )
        return written(TYPES[kind, node.get("format")][0])

    def sample(self, salt: str = "") -> Any:
        """Return a value, as JSON has it; that of a text, and of a number, depends on the salt."""
        node = follow(self.node)
        kind = str(node.get("type", "object" if self.properties else "any"))
        if "enum" in node or self.known_values:
            values: list[Any] = node.get("enum") or self.known_values
            return values[len(salt) % len(values)]
        if kind == "array":
            return [Schema(node["items"]).sample(salt)]
        if kind == "object":
            return {name: each.sample(salt) for name, each in self.properties.items()}
        value = TYPES[kind, node.get("format")][1]
        if value == "a text":
            return f"a text {salt}".rstrip()
        return value + len(salt) if type(value) in (int, float) else value


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
        return f"neptun_openapi.api.{self.node.get('tags', ['default'])[0]}.{snake_case(self.operation_id)}"

    @property
    def responses(self) -> dict[str, dict[str, Any]]:
        """Its responses, by status."""
        return {str(status): follow(response) for status, response in self.node["responses"].items()}

    @property
    def request_content(self) -> Node:
        """The body of its request, by media type; empty if it has none."""
        return dict(follow(self.node.get("requestBody", {})).get("content", {}))

    @property
    def status(self) -> int:
        """The status of a success."""
        return min(int(status) for status in self.responses if status[0] == "2")

    @property
    def response(self) -> Schema | None:
        """The schema of a success; ``None`` if it has no body."""
        content = self.responses[str(self.status)].get("content", {})
        return Schema(content["application/json"]["schema"]) if content else None

    @property
    def resource(self) -> Schema:
        """The schema of what stands in the envelope of a success, or of the success; an empty one if it has no body."""
        name = snake_case(self.operation_id)
        row = TABLE.get(name.upper())
        envelope = row.envelope if row and name in FACTS and row.module.__name__ == self.module else ""
        properties = self.response.properties if self.response else {}
        if not envelope and len(properties) == 1 and "$ref" in next(iter(properties.values())).node:
            envelope = next(iter(properties))
        return properties.get(envelope) or self.response or Schema({})

    @property
    def request(self) -> Schema:
        """The schema of its request; an empty one if the request has no body."""
        return Schema(self.request_content["application/json"]["schema"]) if self.request_content else Schema({})

    @property
    def fields(self) -> dict[str, Schema]:
        """The fields of its request."""
        return self.request.properties

    @property
    def options(self) -> dict[str, Schema]:
        """The parameters of its query and header."""
        return {each["name"]: Schema(each["schema"]) for each in self.parameters if each["in"] != "path"}

    @property
    def keywords(self) -> dict[str, Schema]:
        """What its method takes by keyword, by the names of Python: the fields of the request, then the options."""
        return {snake_case(name): schema for name, schema in {**self.fields, **self.options}.items()}

    @property
    def required(self) -> set[str]:
        """The keywords that its method requires."""
        options = {each["name"] for each in self.parameters if each["in"] != "path" and each.get("required")}
        return set(map(snake_case, self.request.required | options))

    @property
    def names(self) -> set[str]:
        """What its method takes besides the user, without the ``_`` of a name that is Python's own."""
        return {bare(snake_case(each)) for each in (*self.ids, *self.keywords) if each != "user_id"}

    def node_of(self, argument: str) -> Node:
        """Return the schema of what a method has as an argument."""
        named = {**{each: self.id_schema(each) for each in self.ids}, **self.fields, **self.options}
        return next(follow(schema.node) for name, schema in named.items() if bare(snake_case(name)) == bare(argument))

    def id_schema(self, name: str) -> Schema:
        """Return the schema of a parameter of the path."""
        return next(Schema(each["schema"]) for each in self.parameters if (each["in"], each["name"]) == ("path", name))


def written(annotation: Any) -> str:
    """Return a type as this SDK spells it: the words of ``typing`` differ from one version of Python to the next."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " | ".join(map(written, arguments))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin in (list, tuple, Sequence):
        return f"list[{written(arguments[0])}]"
    if annotation is NoneType or annotation is None:
        return "None"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def fits(annotation: Any, expected: str, *, optional: bool = False) -> bool:
    """Tell whether an annotation is of a type; an optional one allows None, and may have a class for null."""
    found = written(annotation)
    if not optional:
        return found == expected
    return bool(re.fullmatch(rf"{re.escape(expected)}( \| Null)? \| None", found))


ROWS = {name.lower(): row for name, row in TABLE.items()}


def method_names() -> list[str]:
    """Return the methods of the client that make a call of the table."""
    # `make mutation` adds the variants of each method, under names that are not ASCII.
    public = {name: method for name, method in vars(NeptunClient).items() if name[0] != "_" and name.isascii()}
    calling = [name for name, method in public.items() if "_operations" in getattr(_code(method), "co_names", ())]
    returning = [name for name, method in public.items() if Resource in getattr(_returned(method), "__mro__", ())]
    return list(dict.fromkeys([*calling, *returning, *(name for name in ROWS if name in public)]))


def _code(method: Any) -> Any:
    return getattr(method, "__code__", None)


def _returned(method: Any) -> Any:
    return get_type_hints(method).get("return") if inspect.isfunction(method) and not problem_of(method) else None


def problem_of(method: Any) -> str:
    """Return why the types of a method cannot be looked at; empty if they can."""
    try:
        get_type_hints(method)
    except NameError as exc:
        return f"correct the imports of {CLIENT}, or the types of {method.__name__}(): {exc}"
    return ""


def taken(name: str) -> set[str]:
    """Return the names of what a method takes, without the ``_`` of a name that is Python's own."""
    return set(map(bare, inspect.signature(METHODS[name]).parameters))


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


# All three under the name of the method: the operationId in snake case.
DESCRIBED = {snake_case(each.operation_id): each for each in _described()}
METHODS: dict[str, Callable[..., Any]] = {name: getattr(NeptunClient, name) for name in method_names()}
# What is missing has a test of its own; the others compare what is there.
DESCRIBED_ROWS = [name for name in DESCRIBED if name in ROWS and name in FACTS]
DESCRIBED_METHODS = [name for name in DESCRIBED if name in METHODS and not problem_of(METHODS[name])]
COMPLETE = [
    name
    for name in DESCRIBED_ROWS
    if ROWS[name].module.__name__ == DESCRIBED[name].module
    if IS_GENERATED and name in DESCRIBED_METHODS and DESCRIBED[name].names <= taken(name)
]
