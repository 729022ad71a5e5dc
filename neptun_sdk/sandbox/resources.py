"""The targets of operations: the resource that a path names, and where the bodies of the contract hold its rows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cached_property
from typing import Any

from neptun_sdk.sandbox.spec import Operation, Parameter, Schema

USER_ID = "user_id"  # the path parameter that names the owner of the rows


@dataclass(frozen=True)
class Resource:
    """A kind of row.

    Attributes:
        name: What the contract calls it in envelopes and messages.
        path_id: The path parameter that holds its id; rows of its children hold the id in a field of this name.
        parent: The resource it belongs to, if any.
    """

    name: str
    path_id: str
    parent: "Resource | None" = None


USER = Resource("user", USER_ID)


class Kind(Enum):
    """The kind of target of an operation."""

    ITEM = auto()  # the row that the path names
    LIST = auto()  # the rows of a collection
    CREATE = auto()  # a new row
    ONE = auto()  # a single row per user, or per row that the path names


@dataclass(frozen=True)
class Step:
    """A parameter of a path, and the rows from which it selects.

    Attributes:
        parameter: The parameter.
        resource: The resource of the rows.
        key: The field of a row that is compared with it.
    """

    parameter: Parameter
    resource: Resource
    key: str


@dataclass(frozen=True)
class Place:
    """Where a body holds rows.

    Attributes:
        envelope: The key of the body that holds them; None for the whole body.
        row: The schema of a row.
        many: Whether it is a list of them.
    """

    envelope: str | None
    row: Schema
    many: bool = False


@dataclass(frozen=True)
class Target:
    """The target of an operation.

    Attributes:
        operation: The operation.
        kind: The kind of target.
        resource: The resource of the rows that it reads or changes.
        steps: The parameters of its path, without the user's.
        user: The parameter of its path that names the owner of the rows, if there is one.
        place: Where the body of a success holds rows; None if it holds none.
    """

    operation: Operation
    kind: Kind
    resource: Resource
    steps: tuple[Step, ...]
    user: str | None
    place: Place | None


@dataclass
class Table:
    """What the contract contains about a resource.

    Attributes:
        resource: The resource.
        schemas: The schemas of its rows, one for each operation that returns a row.
        keys: The parameters that select a row, by the field of the row.
        example: The row of an example in the contract; empty if there is none.
        version: The header that holds the version of a row in a request, if an operation has one.
    """

    resource: Resource
    schemas: list[Schema] = field(default_factory=list[Schema])
    keys: dict[str, Parameter] = field(default_factory=dict[str, Parameter])
    example: dict[str, Any] = field(default_factory=dict[str, Any])
    version: Parameter | None = None

    @cached_property
    def fields(self) -> dict[str, Schema]:
        """The fields of its rows."""
        return {name: each for schema in reversed(self.schemas) for name, each in schema.fields.items()}


def read_targets(operations: Iterable[Operation], known: Iterable[Resource]) -> dict[str, Target]:
    """Derive the target of each operation, by operationId; ``known`` are resources that are given."""
    reader = _Reader(known)
    # A path that ends in an id determines the rows; the others follow from it.
    ordered = sorted(operations, key=lambda each: (not each.path.endswith("}"), each.path.count("/")))
    return {operation.operation_id: reader.target(operation) for operation in ordered}


def read_tables(targets: Iterable[Target], known: Iterable[Resource]) -> dict[Resource, Table]:
    """Return a table for each resource, parents first; ``known`` are those that the contract need not contain."""
    tables = {resource: Table(resource) for resource in known}
    for target in targets:
        table = tables.setdefault(target.resource, Table(target.resource))
        for parameter in target.operation.parameters:
            table.version = parameter if parameter.is_if_match else table.version
        for step in target.steps:
            tables.setdefault(step.resource, Table(step.resource)).keys.setdefault(step.key, step.parameter)
        if target.place:
            table.schemas.append(target.place.row)
            table.example = table.example or _example(target, target.place)
    return dict(sorted(tables.items(), key=lambda item: len(_lineage(item[0]))))


def _lineage(resource: Resource) -> list[Resource]:
    return [resource, *(_lineage(resource.parent) if resource.parent else [])]


def _example(target: Target, place: Place) -> dict[str, Any]:
    reply = target.operation.reply(target.operation.success)
    found: Any = reply.content.example if reply and reply.content else None
    if found is not None and place.envelope is not None:
        found = found[place.envelope]
    return dict((found[0] if place.many else found) or {}) if found else {}


class _Reader:
    """The resources that the operations read so far have shown."""

    def __init__(self, known: Iterable[Resource]) -> None:
        self._resources = {resource.name: resource for resource in known}
        self._items: dict[str, list[Place]] = {}  # by resource: the rows of operations whose path ends in an id
        self._keys: dict[tuple[str, str], str] = {}  # by resource and parameter

    def target(self, operation: Operation) -> Target:
        steps, user = self._steps(operation)
        if operation.path.endswith("}"):
            return self._item(operation, steps, user)
        last = steps[-1].resource if steps else None
        name = _singular(operation.path.rsplit("/", 1)[-1])
        own = self._resources.get(name) or Resource(name, f"{name}_id", last)
        place = self._place(operation, own, steps)
        # A body with a row of another resource targets that one, such as …/projects/{project_id}/archive.
        alike = [each for each, rows in self._items.items() if any(_same(place, row) for row in rows)]
        is_collection = name in self._items
        resource = own if is_collection or not alike else self._resources[alike[0]]
        if operation.method == "POST" and (operation.success == 201 or is_collection or (place and not alike)):
            kind = Kind.CREATE
        elif is_collection or (place and place.many):
            kind = Kind.LIST
        elif last and (resource == last or (place is None and operation.method != "DELETE")):
            kind, resource = Kind.ITEM, last
        else:
            kind = Kind.ONE
        self._resources.setdefault(resource.name, resource)
        return Target(operation, kind, resource, steps, user, place)

    def _item(self, operation: Operation, steps: tuple[Step, ...], user: str | None) -> Target:
        *before, step = steps
        place = self._place(operation, step.resource, steps)
        fields = place.row.fields if place else {}
        if step.key not in fields and "id" in fields and fields["id"].kind == step.parameter.schema.kind:
            step = replace(step, key="id")
        self._keys.setdefault((step.resource.name, step.parameter.name), step.key)
        self._resources.setdefault(step.resource.name, step.resource)
        self._items.setdefault(step.resource.name, []).extend([place] if place else [])
        return Target(operation, Kind.ITEM, step.resource, (*before, step), user, place)

    def _steps(self, operation: Operation) -> tuple[tuple[Step, ...], str | None]:
        """Return the parameters of a path, and separately the name of the parameter for the user."""
        steps: list[Step] = []
        user = None
        collection = ""
        for segment in operation.path.split("/"):
            for name in re.findall(r"{([^{}]+)}", segment):
                parameter = operation.path_parameters[name]
                snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", name).lower()
                kind = _singular(collection) or snake.removesuffix("_id")
                if kind == USER.name or snake == USER_ID:
                    user = name
                    continue
                resource = self._resources.get(kind) or Resource(
                    kind, f"{kind}_id", steps[-1].resource if steps else None
                )
                # {project_id} and {project} both mean the id.
                short = snake.removeprefix(f"{kind}_")
                key = self._keys.get((kind, name)) or ("id" if short == kind else short)
                steps.append(Step(parameter, resource, key))
            collection = "" if "{" in segment else segment
        if user and operation.path.endswith(f"{{{user}}}"):
            steps.append(Step(operation.path_parameters[user], USER, "id"))
        return tuple(steps), user

    def _place(self, operation: Operation, resource: Resource, steps: tuple[Step, ...]) -> Place | None:
        """Find the rows in the body of a success."""
        schema = success_schema(operation)
        if schema is None:
            return None
        if schema.kind == "array":
            return Place(None, schema.items, many=True) if schema.items.fields else None
        objects = [Place(name, each) for name, each in schema.fields.items() if each.fields]
        lists = [Place(name, each.items, many=True) for name, each in schema.fields.items() if each.items.fields]
        named = [place for place in objects if place.envelope == resource.name]
        keys = {"id", *(step.key for step in steps[-1:] if step.resource == resource)}
        bare = [Place(None, schema)] if keys & schema.fields.keys() else []
        is_one = operation.path.endswith("}") or operation.success == 201
        found = [*named, *bare, *([*objects, *lists] if is_one else [*lists, *objects])]
        if found or operation.method in ("DELETE", "POST"):
            return found[0] if found else None
        # An object without an id is a row too, if it shares a field with the rows that other operations return.
        known = {name for place in self._items.get(resource.name, ()) for name in place.row.fields}
        return Place(None, schema) if not known or known & schema.fields.keys() else None


def success_schema(operation: Operation) -> Schema | None:
    """Return the schema of the JSON in a success; None if it has none."""
    reply = operation.reply(operation.success)
    return reply.content.schema if reply and reply.content else None


def _same(place: Place | None, other: Place) -> bool:
    return place is not None and place.row.node == other.row.node


def _singular(collection: str) -> str:
    """Return the singular of a collection: ``project`` of ``projects``, ``api_key`` of ``api-keys``."""
    word = collection.lower().replace("-", "_")
    if word.endswith("ies"):
        return word.removesuffix("ies") + "y"
    if re.search("(ss|sh|ch|x)es$", word):
        return word.removesuffix("es")
    return word if re.search("(ss|us|is)$", word) else word.removesuffix("s")
