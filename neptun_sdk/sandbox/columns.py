"""The tables of a deployed server: the columns that a request may set, and its messages about wrong values."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neptun_sdk.sandbox.resources import Resource
from neptun_sdk.sandbox.spec import quoted, refused_value
from neptun_sdk.sandbox.state import IMPORT, OWNER, PROJECT, Row

MAX_ID = 2_147_483_647
_JSON_TYPES: Mapping[type[Any], str] = {
    str: "string",
    bool: "boolean",
    type(None): "null",
    list: "array",
    dict: "object",
}
# Texts that JavaScript's Number() accepts. A path is not decoded, so it contains no white space.
_DECIMAL = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_WITH_BASE = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+")


@dataclass(frozen=True)
class Column:
    """A column that a request may set.

    Attributes:
        kind: The JSON type of its values: ``string``, ``integer``, or ``any``.
        options: The values of an enum; empty for any other column.
        nullable: Whether null is a value.
    """

    kind: str
    options: tuple[str, ...] = ()
    nullable: bool = False


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
        OWNER: Column("integer"),
        "project_id": Column("integer", nullable=True),
    },
}
# Columns that a request cannot set.
_OTHER_COLUMNS: Mapping[Resource, set[str]] = {
    PROJECT: {"id", "created_at", "updated_at", OWNER, "prompt_context"},
    IMPORT: {"id", "created_at", "updated_at"},
}


def row_problems(resource: Resource, row: Row, keys: Iterable[str] = ()) -> list[str]:
    """Return the problems of a whole row; ``keys`` are further fields by which operations find it."""
    names = {*COLUMNS[resource], *_OTHER_COLUMNS[resource]}
    problems = [f"{name} is not one of its columns" for name in row if name not in {*names, *keys}]
    problems += [f"{name} is missing" for name in sorted(names - row.keys())]
    return problems + [f"{issue['path'][0]}: {issue['message']}" for issue in issues(row, COLUMNS[resource])]


def issues(row: Row, columns: Mapping[str, Column]) -> list[Row]:
    """Return the problems of the fields that are columns, in the order of the columns."""
    return [issue for name, column in columns.items() if name in row for issue in _issue(name, column, row[name])]


def _issue(name: str, column: Column, value: object) -> Iterator[Row]:
    received = json_type(value)
    if column.kind == "any" or (value is None and column.nullable):
        return
    if column.kind == "integer":
        if isinstance(value, int | float) and received == "number":
            yield from number_issues(name, value, minimum=-MAX_ID - 1, maximum=MAX_ID)
        else:
            yield wrong_type("number", received, [name])
    elif received != column.kind:
        yield wrong_type(quoted(list(column.options)) or column.kind, received, [name])
    elif column.options and value not in column.options:
        options = list(column.options)
        message = refused_value(options, value)
        yield {"code": "invalid_enum_value", "received": value, "options": options, "path": [name], "message": message}


def number_issues(
    name: str, number: float, *, minimum: float, maximum: float = math.inf, inclusive: bool = True
) -> Iterator[Row]:
    """Return the problems of a number that must be an integer within limits."""
    if not float(number).is_integer():
        yield wrong_type("integer", "float", [name])
    rest = {"type": "number", "inclusive": inclusive, "exact": False, "path": [name]}
    if number < minimum or (number == minimum and not inclusive):
        message = f"Number must be greater than {'or equal to ' if inclusive else ''}{minimum}"
        yield {"code": "too_small", "minimum": minimum, **rest, "message": message}
    if number > maximum:
        message = f"Number must be less than or equal to {maximum}"
        yield {"code": "too_big", "maximum": maximum, **rest, "message": message}


def read_id(name: str, text: str) -> tuple[float, list[Row]]:
    """Read an id in a path as JavaScript's ``Number()`` does, and return it with its problems."""
    number = _javascript_number(text)
    if math.isnan(number):
        return number, [wrong_type("number", "nan", [name])]
    return number, list(number_issues(name, number, minimum=0, inclusive=False))


def _javascript_number(text: str) -> float:
    if _WITH_BASE.fullmatch(text):
        number = int(text, 0)
        return number if number.bit_length() < 1024 else math.inf
    return float(text) if _DECIMAL.fullmatch(text) else math.nan


def wrong_type(expected: str, received: str, path: list[str], message: str | None = None) -> Row:
    """Return the issue of a value of the wrong type."""
    message = message or f"Expected {expected}, received {received}"
    return {"code": "invalid_type", "expected": expected, "received": received, "path": path, "message": message}


def json_type(value: object) -> str:
    """Return the name that JavaScript has for the type of a JSON value."""
    return _JSON_TYPES.get(type(value), "number")
