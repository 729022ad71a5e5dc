"""The contract, read from ``openapi.yaml``."""

import copy
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker

_PACKAGE = Path(__file__).resolve().parent.parent
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
JSON = "application/json"
SAMPLE_TIME = "2025-02-16T17:42:11.000Z"

_NO_FACTS: Mapping[str, Any] = MappingProxyType({})
_MAX_DEPTH = 5  # of a sample: a schema may contain itself
_IGNORED_HEADERS = ("accept", "authorization", "content-type")  # other parts of the contract name them
_SAMPLES = {
    "byte": "TmVwdHVu",
    "date": "2025-02-16",
    "date-time": SAMPLE_TIME,
    "email": "user@neptun.example",
    "hostname": "neptun.example",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "time": "17:42:11Z",
    "uri": "https://neptun.example/",
    "url": "https://neptun.example/",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
_TEXTS = ("sample", "Sample", "a", "A", "1", "v1", "1.0.0", "A1")  # tried in turn against a pattern


@dataclass(frozen=True)
class Issue:
    """One problem of a value: its field ("" for the value as a whole), and a message."""

    field: str
    message: str


class Schema:
    """A schema of the contract.

    Args:
        definition: The schema itself, or a reference to it.
        document: The whole contract, into which references point.

    Attributes:
        node: The definition with references followed and ``allOf`` merged.
    """

    def __init__(self, definition: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        self._definition = resolve(definition, document)
        self._document = document
        self.node: Mapping[str, Any] = _merged(self._definition, document)

    @cached_property
    def _validator(self) -> Any:
        # References start at the root, so the components have to be there.
        root = {**self._definition, "components": self._document.get("components", {})}
        return OAS30Validator(root, format_checker=oas30_format_checker)

    def issues(self, value: object) -> list[Issue]:
        """Return what is wrong with a value, in the order of the schema."""
        errors = self._validator.iter_errors(value)
        # A message quotes the value, which may be large.
        return [Issue(str(error.path[0]) if error.path else "", error.message[:200]) for error in errors]

    @property
    def kind(self) -> str:
        """The JSON type of its values; empty if it has none."""
        found: str = self.node.get("type", "object" if "properties" in self.node else "")
        return found

    @cached_property
    def fields(self) -> dict[str, "Schema"]:
        """The schemas of the properties, by name."""
        properties: Mapping[str, Any] = self.node.get("properties", {})
        return {name: Schema(definition, self._document) for name, definition in properties.items()}

    @cached_property
    def items(self) -> "Schema":
        """The schema of an array's items."""
        return Schema(self.node.get("items", {}), self._document)

    @property
    def required(self) -> Sequence[str]:
        """The names of the properties that an object must have."""
        names: Sequence[str] = self.node.get("required", ())
        return names

    @property
    def known_values(self) -> list[str]:
        """The values that the contract knows for a field whose values the server owns; empty for any other field."""
        values: list[str] = self.node.get("x-extensible-enum", [])
        return values

    def unknown(self, value: object) -> list[Issue]:
        """Return an issue if the server does not know a value; for an object, one for each such field."""
        if isinstance(value, dict):
            row = cast("Mapping[str, object]", value)
            found = [(name, field.unknown(row[name])) for name, field in self.fields.items() if name in row]
            return [Issue(name, issue.message) for name, issues in found for issue in issues]
        known = self.known_values
        return [Issue("", refused_value(known, value))] if known and value not in known else []

    def read(self, texts: Sequence[str]) -> object:
        """Convert the texts of a parameter. A text that cannot be converted stays a text, and is an issue."""
        if self.kind == "array":
            return [self.items.read([text]) for text in texts]
        text = texts[0]
        # Python reads " 1", "1_0" and "+1" as integers too; a URL should not.
        if self.kind in ("integer", "number") and re.fullmatch(r"-?(?:0|[1-9][0-9]{0,18})", text):
            return int(text)
        if self.kind == "number" and re.fullmatch(r"-?[0-9]{1,19}\.[0-9]{1,19}", text):
            return float(text)
        return {"true": True, "false": False}.get(text, text) if self.kind == "boolean" else text

    def sample(self, facts: Mapping[str, Any] = _NO_FACTS, *, whole: bool = True, depth: int = 0) -> Any:
        """Return a value that the schema allows: its example, else one that is made from its type.

        Args:
            facts: Values of properties by name, at any depth. One that the schema does not allow is left out.
            whole: Whether to give an object its optional properties too.
            depth: How deep in another sample it is.
        """
        node = self.node
        given = [node[key] for key in ("example", "default") if key in node]
        given += [value for key in ("enum", "x-extensible-enum") for value in node.get(key, [])[:1]]
        if self.kind == "object":
            return self._object(cast("dict[str, Any]", given[0]) if given else None, facts, whole=whole, depth=depth)
        if given:
            return copy.deepcopy(given[0])
        if self.kind == "array":
            return [self.items.sample(depth=depth + 1) for _ in range(node.get("minItems", int(depth < _MAX_DEPTH)))]
        if self.kind in ("integer", "number"):
            return self._number()
        return True if self.kind == "boolean" else self._text()

    def _object(self, example: dict[str, Any] | None, facts: Mapping[str, Any], *, whole: bool, depth: int) -> Any:
        made: dict[str, Any] = {}
        for name, field in self.fields.items():
            if name in facts and not field.issues(facts[name]):
                made[name] = facts[name]
            elif example is not None and name in example and not field.fields:
                made[name] = copy.deepcopy(example[name])
            elif name in self.required or (name in example if example is not None else whole and depth < _MAX_DEPTH):
                made[name] = field.sample(facts, whole=whole, depth=depth + 1)
        return made

    def _number(self) -> float:
        node = self.node
        low: float = node.get("minimum", min(1, node.get("maximum", 1)))
        low += node.get("multipleOf", 1) if node.get("exclusiveMinimum") else 0
        step = node.get("multipleOf", 1 if self.kind == "integer" else None)
        return math.ceil(low / step) * step if step else low

    def _text(self) -> str:
        node = self.node
        if node.get("format") in _SAMPLES:
            return _SAMPLES[node["format"]]
        lengths = (node.get("minLength", 0), node.get("maxLength", 1_000))
        texts = [text[: lengths[1]].ljust(lengths[0], "x") for text in _TEXTS]
        return next((text for text in texts if re.search(node.get("pattern", ""), text)), texts[0])


@dataclass(frozen=True)
class Parameter:
    """A parameter in the path, the query or the headers of a request."""

    name: str
    place: str
    schema: Schema
    required: bool
    definition: Mapping[str, Any]

    @property
    def sample(self) -> Any:
        """A value for it: its example, else one made from its schema; also the tag of a row before its first update."""
        if "example" in self.definition:
            return self.definition["example"]
        for example in self.definition.get("examples", {}).values():
            return example["value"]
        return '"1"' if self.is_if_match and "example" not in self.schema.node else self.schema.sample()

    @property
    def is_if_match(self) -> bool:
        """Whether it holds the version of a row."""
        return self.place == "header" and self.name.lower() == "if-match"

    def read(self, texts: Sequence[str]) -> object:
        """Convert its texts in a request."""
        split = self.schema.kind == "array" and not self.definition.get("explode", self.place == "query")
        return self.schema.read(texts[0].split(",") if split else texts)


@dataclass(frozen=True)
class Content:
    """A body of a request or a response: its media type, and its schema if it is JSON."""

    media_type: str
    schema: Schema | None
    example: Any = None


@dataclass(frozen=True)
class Reply:
    """A response of the contract: its body, if it has one, and the names and schemas of its headers."""

    content: Content | None
    headers: Mapping[str, Schema]


@dataclass(frozen=True)
class Operation:
    """An operation of the contract: a path, a method, and what goes in and out."""

    operation_id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    body: Content | None
    body_required: bool
    responses: Mapping[str, Reply]

    @property
    def success(self) -> int:
        """The status of a response that succeeded."""
        found = [int(status) for status in self.responses if re.fullmatch("2[0-9][0-9]", status)] or [200]
        return 201 if self.method == "POST" and 201 in found else min(found)

    @property
    def path_parameters(self) -> Mapping[str, Parameter]:
        """The parameters of the path by name, in their order there."""
        declared = {each.name: each for each in self.parameters if each.place == "path"}
        return {name: declared[name] for name in re.findall(r"{([^{}]+)}", self.path)}

    def reply(self, status: int) -> Reply | None:
        """Return the response of the contract for a status; None if there is none."""
        keys = (str(status), f"{status // 100}XX", "default")
        return next((self.responses[key] for key in keys if key in self.responses), None)


@cache
def load_spec() -> dict[str, Any]:
    """Read ``openapi.yaml``.

    Raises:
        FileNotFoundError: It is missing in the installation and in the checkout.
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
            declared = (*item.get("parameters", ()), *operation.get("parameters", ()))
            parameters = tuple(read_parameters(declared, document))
            name: str = operation["operationId"]
            for missing in {*re.findall(r"{([^{}]+)}", path)}.difference(
                each.name for each in parameters if each.place == "path"
            ):
                raise RuntimeError(
                    f"the path of {name} in openapi.yaml has {{{missing}}}, but no parameter of that name: add it to "
                    "the parameters of the path in openapi.yaml"
                )
            body = resolve(operation.get("requestBody", {}), document)
            yield Operation(
                operation_id=name,
                method=method.upper(),
                path=path,
                parameters=parameters,
                body=_content(body, document),
                body_required=body.get("required", False),
                responses={
                    str(status).upper().replace("DEFAULT", "default"): _reply(resolve(response, document), document)
                    for status, response in operation["responses"].items()
                },
            )


def read_parameters(declared: Sequence[Mapping[str, Any]], document: Mapping[str, Any]) -> Iterator[Parameter]:
    """Yield the parameters of an operation, without the headers that other parts of the contract name."""
    nodes = [resolve(each, document) for each in declared]
    # A parameter of an operation overrides that of its path.
    for node in {(each["in"], each["name"]): each for each in nodes}.values():
        if node["in"] != "header" or node["name"].lower() not in _IGNORED_HEADERS:
            schema = Schema(node.get("schema", {}), document)
            yield Parameter(node["name"], node["in"], schema, node.get("required", False), node)


def _reply(node: Mapping[str, Any], document: Mapping[str, Any]) -> Reply:
    headers = {name: resolve(each, document) for name, each in node.get("headers", {}).items()}
    return Reply(
        _content(node, document), {name: Schema(each.get("schema", {}), document) for name, each in headers.items()}
    )


def _content(node: Mapping[str, Any], document: Mapping[str, Any]) -> Content | None:
    """Return the body of a request or a response, as JSON if it may be JSON; None if it has none."""
    content: Mapping[str, Any] = node.get("content", {})
    for media_type in sorted(content, key=lambda name: (name != JSON, not is_json(name))):
        found = content[media_type]
        examples = [each["value"] for each in found.get("examples", {}).values() if "value" in each]
        schema = Schema(found.get("schema", {}), document) if is_json(media_type) else None
        return Content(media_type, schema, found.get("example", next(iter(examples), None)))
    return None


def is_json(media_type: str) -> bool:
    """Tell whether a media type is JSON: ``application/json``, or another with the suffix ``+json``."""
    return re.fullmatch(r"application/(?:[^;]+\+)?json", media_type.partition(";")[0].strip().lower()) is not None


def resolve(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference within the document."""
    while "$ref" in node:
        target: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return node


def _merged(definition: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a definition with the parts of an ``allOf`` in one; of an ``anyOf`` or ``oneOf``, the first part."""
    parts = [*definition.get("allOf", ()), *definition.get("anyOf", ())[:1], *definition.get("oneOf", ())[:1]]
    merged: dict[str, Any] = {}
    for part in [*(_merged(resolve(each, document), document) for each in parts), definition]:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged |= part
        merged |= {"properties": properties} if properties else {}
        merged |= {"required": required} if required else {}
    return merged


def quoted(options: list[str]) -> str:
    """Return the values of an enum, as an error lists them."""
    return " | ".join(f"'{option}'" for option in options)


def refused_value(options: list[str], value: object) -> str:
    """Return the message of a server for a value that is not in an enum."""
    return f"Invalid enum value. Expected {quoted(options)}, received '{value}'"
