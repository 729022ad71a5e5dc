"""Operations that the contract does not have, for tests of what holds for any operation."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from neptun_sdk._contract import Facts
from neptun_sdk.operations import CallInfo, Operation, prepare


def made(name: str, build: Callable[..., dict[str, Any]], facts: Facts, resource: type[Any] | None) -> Operation[Any]:
    """Make a row of an operation that is not in the contract, from what the generator would write for it."""
    module = ModuleType(f"tests.{name}")
    vars(module)["_get_kwargs"] = build
    operation: Operation[Any] = Operation(module, resource)
    vars(operation)["facts"] = facts
    return operation


def build_delete(user_id: int, project_id: int) -> dict[str, Any]:
    return {"method": "delete", "url": f"/api/users/{user_id}/projects/{project_id}"}


DELETE = made("delete_project", build_delete, Facts("DELETE", 204, None, True, {}), None)


def reading(row: Operation[Any]) -> Operation[Any]:
    """Return an operation as if it only read."""
    return made(row.name.replace("update", "get"), row.build, row.facts._replace(method="GET"), row.resource)


def call_of(operation: Operation[Any], arguments: Mapping[str, object]) -> CallInfo[Any]:
    """Return a call of the user 1, in the documented dialect."""
    return prepare(operation, arguments, user_id=1, dialect="documented", mask=str)
