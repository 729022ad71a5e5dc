"""The operations of the contract, one row each: the only table that knows them.

This module loads the generated client, which takes longer than the rest of the SDK: the first client imports it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from neptun_openapi import models
from neptun_openapi.api.imports import update_project_import
from neptun_openapi.api.projects import update_project
from neptun_openapi.types import Unset
from neptun_sdk.models import ContractField, Dialect, Project, ProjectImport, ResourceT, contract_fields, with_headers


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[ResourceT]):
    """One operation of the contract: how to build its request, and what its response holds.

    Args:
        build: The generated function that builds the request from the ids of the path and, if there is one, the body.
        body: The generated class of the request's body; ``None`` if the request has none.
        model: The generated class of what the response holds.
        resource: The class that a caller gets back, with the fields of ``model``.
        envelope: The key of the response's JSON object under which it stands.
        updates: Whether the operation updates the resource; else it reads it.

    Attributes:
        name: The operationId in snake case, which is the name of the client's method.
        ids: The names of the path's parameters, in their order.
        fields: The fields of the resource.
        id_fields: For each id of the path that the resource has too, the name of its field.
    """

    build: Callable[..., dict[str, Any]]
    body: type[Any] | None
    model: type[Any]
    resource: type[ResourceT]
    envelope: str
    updates: bool
    name: str = field(init=False)
    ids: tuple[str, ...] = field(init=False)
    fields: tuple[ContractField, ...] = field(init=False)
    id_fields: Mapping[str, str] = field(init=False, hash=False)

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.build).parameters.values()
        ids = tuple(each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "fields", contract_fields(self.resource))
        names = {name: name for name in ids} | {"user_id": "neptun_user_id", ids[-1]: "id"}
        known = {each.name for each in self.fields}
        object.__setattr__(self, "id_fields", {name: own for name, own in names.items() if own in known})

    def __set_name__(self, owner: type[Any], name: str) -> None:
        object.__setattr__(self, "name", name.lower())

    def request(self, ids: Mapping[str, int], fields: Mapping[Any, str]) -> dict[str, Any]:
        """Return ``method``, ``url`` (a path) and, if there is a body, ``json`` and ``headers`` for `httpx.Request`."""
        return self.build(**ids) if self.body is None else self.build(**ids, body=self.body.from_dict(fields))

    def read(self, row: Mapping[str, Any], headers: Mapping[str, str]) -> ResourceT:
        """Turn the decoded, checked JSON object of a resource into its class; an absent field becomes ``None``.

        ``headers`` are those of the response, masked.
        """
        # The generated model reads a date-time as Python does, which knows no lower-case letters there.
        dates = [name for name, kind, _ in self.fields if kind == "date-time" and row.get(name)]
        lower = {name: row[name].upper() for name in dates if not row[name].isupper()}
        model = self.model.from_dict({**row, **lower} if lower else row)
        values: dict[str, Any] = {}
        for name, _, _ in self.fields:
            value = getattr(model, name)
            values[name] = None if isinstance(value, Unset) else value
        return with_headers(self.resource(**values, extra=model.additional_properties), headers)


@dataclass(frozen=True, slots=True)
class CallInfo(Generic[ResourceT]):
    """What a call is about. The fields stand under the contract's names."""

    operation: Operation[ResourceT]
    ids: Mapping[str, int]
    fields: Mapping[str, str]
    dialect: Dialect = "documented"

    def __str__(self) -> str:
        return f"{self.operation.name}({', '.join(f'{name}={value}' for name, value in self.ids.items())})"


class Operations:
    """The rows, in the order of openapi.yaml; each becomes a method of the client."""

    UPDATE_PROJECT = Operation(
        build=update_project._get_kwargs,  # pyright: ignore[reportPrivateUsage]
        body=models.UpdateProjectRequest,
        model=models.Project,
        resource=Project,
        envelope="project",
        updates=True,
    )
    UPDATE_PROJECT_IMPORT = Operation(
        build=update_project_import._get_kwargs,  # pyright: ignore[reportPrivateUsage]
        body=models.UpdateProjectImportRequest,
        model=models.ProjectImport,
        resource=ProjectImport,
        envelope="import",
        updates=True,
    )
