"""The tables of a deployed server: which columns a request may set, and what its validator says of a wrong value."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neptun_sdk.sandbox.api import quoted, refused_value
from neptun_sdk.sandbox.state import IMPORT, OWNER, PROJECT, Resource, Row

MAX_ID = 2_147_483_647
_JSON_TYPES: Mapping[type[Any], str] = {
    str: "string",
    bool: "boolean",
    type(None): "null",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True)
class Column:
    """A column that a request may set.

    Attributes:
        kind: The JSON type of its values: ``string``, ``integer``, or ``any``.
        options: The values of an enum; empty if it is none.
        nullable: Whether null is a value.
        keeps_on_null: Whether null is taken, and leaves the column as it is.
    """

    kind: str
    options: tuple[str, ...] = ()
    nullable: bool = False
    keeps_on_null: bool = False


_LANGUAGES = ("typescript", "javascript", "php", "go", "python", "java", "kotlin", "ruby", "elixir")
COLUMNS: Mapping[Resource, Mapping[str, Column]] = {
    PROJECT: {
        "name": Column("string"),
        "description": Column("string", nullable=True),
        "type": Column("string", options=("web-site", "web-service", "web-app")),
        "main_language": Column("string", options=_LANGUAGES),
    },
    IMPORT: {
        "source_type": Column(
            "string", options=("local_folder", "github_repository_installation", "public_github_repository_url")
        ),
        "source_path": Column("string"),
        "source_ref": Column("string", nullable=True),
        "import_status": Column("string"),
        "error_message": Column("string", nullable=True),
        "file_tree": Column("any", nullable=True),
        OWNER: Column("integer", keeps_on_null=True),
        "project_id": Column("integer", keeps_on_null=True),
    },
}
# What a request cannot set.
_OTHER_COLUMNS: Mapping[Resource, set[str]] = {
    PROJECT: {"id", "created_at", "updated_at", OWNER, "prompt_context"},
    IMPORT: {"id", "created_at", "updated_at"},
}


def row_problems(resource: Resource, row: Row) -> list[str]:
    """Return what is wrong with a whole row."""
    names = {*COLUMNS[resource], *_OTHER_COLUMNS[resource]}
    problems = [f"{name} is no column of it" for name in row if name not in names]
    problems += [f"{name} is missing" for name in sorted(names - row.keys())]
    return problems + [f"{issue['path'][0]}: {issue['message']}" for issue in issues(row, COLUMNS[resource])]


def issues(row: Row, columns: Mapping[str, Column]) -> list[Row]:
    """Return the problems of the fields that are columns, in the order of the columns."""
    return [issue for name, column in columns.items() if name in row for issue in _issue(name, column, row[name])]


def _issue(name: str, column: Column, value: object) -> Iterator[Row]:
    received = json_type(value)
    if column.kind == "any" or (value is None and (column.nullable or column.keeps_on_null)):
        return
    if column.kind == "integer" and isinstance(value, int) and received == "number":
        if not -MAX_ID - 1 <= value <= MAX_ID:
            code = "too_big" if value > 0 else "too_small"
            yield {"code": code, "type": "number", "path": [name], "message": f"Number must not be {code}"}
    elif received != column.kind:
        yield wrong_type(quoted(list(column.options)) or column.kind, received, [name])
    elif column.options and value not in column.options:
        options = list(column.options)
        message = refused_value(options, value)
        yield {"code": "invalid_enum_value", "received": value, "options": options, "path": [name], "message": message}


def id_issues(name: str, text: str) -> Iterator[Row]:
    """Return the problem of an id in a path, if it has one."""
    if re.fullmatch(r"-?[0-9]{1,4000}", text):
        if int(text) < 1:
            yield {"code": "too_small", "minimum": 1, "path": [name], "message": "Number must be greater than 0"}
    elif re.fullmatch(r"-?[0-9]+\.[0-9]+", text):
        yield wrong_type("integer", "float", [name])
    else:
        yield wrong_type("number", "nan", [name])


def wrong_type(expected: str, received: str, path: list[str], message: str | None = None) -> Row:
    """Return the issue of a value of the wrong type."""
    message = message or f"Expected {expected}, received {received}"
    return {"code": "invalid_type", "expected": expected, "received": received, "path": path, "message": message}


def json_type(value: object) -> str:
    """Return the name that JavaScript has for the type of a JSON value."""
    return _JSON_TYPES.get(type(value), "number")
