"""The operations of the contract, one row each: the only table that knows them.

This module loads the generated client, which takes longer than the rest of the SDK: the first client imports it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Generic, NamedTuple, cast, get_args, get_type_hints, overload

from neptun_openapi.api.imports import update_project_import
from neptun_openapi.api.projects import update_project
from neptun_openapi.types import UNSET
from neptun_sdk import dialects
from neptun_sdk._contract import FACTS, Facts
from neptun_sdk.arguments import check_header, check_id, check_segment
from neptun_sdk.errors import ArgumentError
from neptun_sdk.models import Dialect, Project, ProjectImport, ResultT
from neptun_sdk.values import Field, Kind, Mismatch, fields_of, kind_of, make, python_name, take_all


class Operation(Generic[ResultT]):
    """One operation of the contract: what the generated module and the contract's facts say of it.

    Args:
        module: The generated module of the operation.
        resource: The class that a caller gets back; ``None`` if a success returns nothing.
    """

    @overload
    def __init__(self: Operation[None], module: ModuleType, resource: None) -> None: ...
    @overload
    def __init__(self, module: ModuleType, resource: type[ResultT]) -> None: ...

    def __init__(self, module: ModuleType, resource: type[Any] | None) -> None:
        self.module = module
        self.resource = resource
        self.name: str = module.__name__.rpartition(".")[2]  # which is the name of the client's method

    def __repr__(self) -> str:
        return f"<Operation {self.name}>"

    # What follows is looked up with the first call, so that a row costs nothing before, and a wrong one says so then.

    @cached_property
    def facts(self) -> Facts:
        """The contract's facts about this operation."""
        if self.name not in FACTS:
            raise LookupError(f"neptun_sdk/_contract.py has no {self.name}: run `make generate`")
        return FACTS[self.name]

    @property
    def is_safe(self) -> bool:
        """Whether it only reads."""
        return self.facts.method in ("GET", "HEAD", "OPTIONS", "TRACE")  # RFC 9110, section 9.2.1

    @property
    def updates(self) -> bool:
        """Whether it sets fields of a resource that there is."""
        return self.facts.method in ("PATCH", "PUT")

    @property
    def noun(self) -> str:
        """What a call is, for messages."""
        if self.facts.method == "POST":
            return "creation" if self.facts.status == 201 else "request"
        return "deletion" if self.facts.method == "DELETE" else "update" if self.updates else "request"

    @cached_property
    def envelope(self) -> str:
        """The key under which the resource stands in a success; empty if the whole body is the resource."""
        name = self.facts.envelope or ""
        return "" if name in self.resource_fields else name

    @property
    def what(self) -> str:
        """What a success holds, for messages."""
        return self.envelope or re.sub("(?<=[a-z])(?=[A-Z])", " ", getattr(self.resource, "__name__", "list")).lower()

    @cached_property
    def kind(self) -> Kind:
        """What stands in a success."""
        return kind_of(cast("Any", self.resource))

    @cached_property
    def resource_fields(self) -> Mapping[str, Field]:
        """The fields of the resource, if it is one."""
        return fields_of(cast("Any", self.resource)) if is_dataclass(self.resource) else {}

    @property
    def build(self) -> Callable[..., dict[str, Any]]:
        """The generated function that builds the request."""
        build: Callable[..., dict[str, Any]] = self.module._get_kwargs
        return build

    @cached_property
    def parameters(self) -> Mapping[str, Field]:
        """The parameters of the path, the query and the header."""
        return fields_of(self.build)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The names of the parameters of the path, in their order."""
        parameters = inspect.signature(self.build).parameters
        return tuple(name for name in self.parameters if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY)

    @cached_property
    def options(self) -> tuple[str, ...]:
        """The names of the parameters of the query and the header."""
        return tuple(name for name in self.parameters if name not in self.ids)

    @cached_property
    def keywords(self) -> Mapping[str, Field]:
        """What a call takes beside its ids."""
        return {**{name: self.parameters[name] for name in self.options}, **self.fields}

    @cached_property
    def body(self) -> type[Any] | None:
        """The generated class of the request's body; ``None`` if the request has none."""
        hint = get_type_hints(self.build).get("body")
        return next((each for each in (hint, *get_args(hint)) if hasattr(each, "from_dict")), None)

    @cached_property
    def is_body_optional(self) -> bool:
        """Whether a request may come without a body, or never has one."""
        return get_type_hints(self.build).get("body") is not self.body or self.body is None

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The fields of the body."""
        return fields_of(cast("Any", self.body)) if self.body else {}


# A tuple, because each call makes one: a frozen dataclass takes five times as long.
class CallInfo(NamedTuple, Generic[ResultT]):
    """What a call is about, checked.

    Attributes:
        operation: What is called.
        ids: The parameters of the path.
        fields: The fields that are sent, under the names of the contract, as JSON.
        dialect: What the request is written in.
        request: ``method``, ``url`` (a path), and what else the request has, for `httpx.Request`.
        may_repeat: Whether the request may be sent again when it may have been applied.
    """

    operation: Operation[ResultT]
    ids: Mapping[str, Any]
    fields: Mapping[str, Any]
    dialect: Dialect
    request: Mapping[str, Any]
    may_repeat: bool

    def __str__(self) -> str:
        ids = (f"{name}={value if isinstance(value, int) else repr(value)}" for name, value in self.ids.items())
        return f"{self.operation.name}({', '.join(ids)})"


def prepare(
    operation: Operation[ResultT],
    arguments: Mapping[str, object],
    *,
    user_id: int,
    dialect: Dialect,
    mask: Callable[[str], str],
    resend: bool = False,
) -> CallInfo[ResultT]:
    """Check the arguments of a call and build its request.

    Args:
        operation: The operation.
        arguments: The ``locals()`` of the client's method; ``None`` leaves a field or an option out.
        user_id: The id of the session's user, for a path that has one.
        dialect: What the request is written in.
        mask: What takes secrets out of a text: no argument may hold one.
        resend: The caller allows to send the request again when it may have been applied.

    Raises:
        ArgumentError: An argument cannot be right.
    """
    given = {name: value for name, value in arguments.items() if value is not None and name != "self"}
    ids: dict[str, Any] = {}
    for name in operation.ids:
        field, value = operation.parameters[name], given.pop(name, user_id if name == "user_id" else None)
        is_text = field.kind.is_text
        ids[name] = check_segment(name, _take({name: field}, {name: value})[name]) if is_text else check_id(name, value)
    taken = _take(operation.keywords, given)
    texts = "\n".join(map(str, (*ids.values(), *taken.values())))
    if mask(texts) != texts:
        name = next(name for name, value in {**ids, **taken}.items() if mask(str(value)) != str(value))
        raise ArgumentError(
            f"{name} holds the session cookie or a value of headers, which are secrets; nothing was sent."
        )
    options = {name: taken.pop(name, UNSET) for name in operation.options}
    if operation.updates and operation.fields and not taken:
        raise ArgumentError(
            f"no field was given: pass at least one of {', '.join(operation.fields)}. Nothing was sent."
        )
    body = {} if operation.is_body_optional and not taken else {"body": make(operation.body, taken)}
    request = operation.build(**ids, **options, **body)
    if options:
        for name, value in request.get("headers", {}).items():
            check_header(name, value)
    fields: dict[str, Any] = {}
    if body:
        fields = {python_name(name, operation.fields): value for name, value in request["json"].items()}
        request["json"] = dialects.to_wire(operation.resource, dialect, request["json"])
    return CallInfo(operation, ids, fields, dialect, request, may_repeat=operation.facts.is_idempotent or resend)


def _take(known: Mapping[str, Field], given: Mapping[str, object]) -> dict[str, Any]:
    """Return what generated code takes for arguments, or refuse them by the name of the first that is wrong."""
    try:
        return take_all(known, given)
    except Mismatch as exc:
        raise ArgumentError(f"{exc.path[1:]} {exc.problem}; nothing was sent.") from None


class Operations:
    """The rows, in the order of openapi.yaml; each becomes a method of the client."""

    UPDATE_PROJECT = Operation(update_project, Project)
    UPDATE_PROJECT_IMPORT = Operation(update_project_import, ProjectImport)


ROWS: Sequence[Operation[Any]] = [row for name, row in vars(Operations).items() if not name.startswith("_")]
