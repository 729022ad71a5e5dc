"""The updates of a file: CSV or JSON Lines, with the line on which each stands."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Literal, TypeAlias, cast, get_args

from neptun_sdk.bulk.updates import Update, field_names
from neptun_sdk.operations import Operations

Format: TypeAlias = Literal["csv", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)
CLEAR = "<clear>"  # in a cell of a CSV file: clear the text

_IDS = ("project_id", "import_id")
_FIELDS = tuple(dict.fromkeys(field_names(Operations.UPDATE_PROJECT) + field_names(Operations.UPDATE_PROJECT_IMPORT)))
_Line: TypeAlias = tuple[int, Update | str]


class InputError(ValueError):
    """A file cannot be read as rows at all. The text says why, and on which line."""


class Rows(Iterable[Update]):
    """The updates of a file, read again each time: nothing of it is kept in memory.

    Args:
        file: The file, in bytes. What cannot be read twice, such as a pipe, is copied to a temporary file.
        form: ``csv`` or ``jsonl``; ``None`` looks at the first character: JSON Lines begin with a brace.
        clear: The text of a CSV cell that clears a text: an empty cell leaves it as it is.

    Raises:
        InputError: The file is empty, or has no header that can be used.
        OSError: The file cannot be read.
    """

    def __init__(self, file: BinaryIO, form: Format | None = None, *, clear: str = CLEAR) -> None:
        self._file = file
        if not _is_regular(file):
            self._file = _copied(file)
            weakref.finalize(self, self._file.close)
        self._clear = clear
        self.form: Format = form or ("jsonl" if self._first_character() in "{[" else "csv")

    def __iter__(self) -> Iterator[Update]:
        for line, update in self.lines():
            if isinstance(update, str):  # the file was changed since it was checked
                raise InputError(f"line {line} of the input: {update}")
            yield update

    def lines(self) -> Generator[_Line]:
        """Yield each row: the line on which it begins, and its update, or what is wrong with it."""
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", errors="strict", newline="")
        try:
            yield from self._csv_lines(text) if self.form == "csv" else self._json_lines(text)
        except UnicodeDecodeError as exc:
            raise InputError(f"it is not UTF-8 ({exc.reason}): save it as UTF-8") from None
        finally:
            with suppress(ValueError):  # the file was closed before its last row was read
                text.detach()

    def _first_character(self) -> str:
        self._file.seek(0)
        while chunk := self._file.read(65_536):
            if stripped := chunk.removeprefix(b"\xef\xbb\xbf").lstrip():
                return stripped[:1].decode("ascii", "replace")
        raise InputError("it is empty")

    def _csv_lines(self, text: Iterable[str]) -> Iterator[_Line]:
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a text may be longer than the 128 KiB that are the default
        reader = csv.reader(text, strict=True)
        header: list[str] = []
        before = 0
        try:
            for cells in reader:
                line, before = before + 1, reader.line_num
                if not cells:
                    continue
                if not header:
                    header = _header(cells, line)
                else:
                    yield line, self._csv_update(header, cells)
        except csv.Error as exc:
            raise InputError(f"line {max(1, reader.line_num)} is not CSV ({exc})") from None

    def _csv_update(self, header: list[str], cells: list[str]) -> Update | str:
        if len(cells) != len(header):
            return f"it has {len(cells)} {'cell' if len(cells) == 1 else 'cells'}, but the header has {len(header)}"
        row = {name: cell for name, cell in zip(header, cells, strict=True) if cell != ""}
        ids: dict[str, int] = {}
        for name in _IDS:
            cell = row.pop(name, "").strip()
            if cell:
                if not (cell.isascii() and cell.isdecimal() and len(cell) < 20):
                    return f"{name} must be a positive integer, not {cell[:40]!r}"
                ids[name] = int(cell)
        if "project_id" not in ids:
            return "project_id is missing"
        return Update(**ids, fields={name: "" if cell == self._clear else cell for name, cell in row.items()})

    def _json_lines(self, text: Iterable[str]) -> Iterator[_Line]:
        for number, line in enumerate(text, 1):
            if line.strip():
                yield number, _json_update(line)


def _header(cells: list[str], line: int) -> list[str]:
    """Return the names of the columns, or say which of them cannot be."""
    names = [cell.strip() for cell in cells]
    problem = ""
    if "project_id" not in names:
        problem = "it has no column project_id"
    elif unknown := [name for name in names if name not in _IDS + _FIELDS]:
        problem = f"there is no field {', '.join(map(repr, unknown))}"
    elif len(set(names)) < len(names):
        problem = "a column stands there twice"
    if problem:
        known = ", ".join(_IDS + _FIELDS)
        raise InputError(f"line {line} is no header that can be used: {problem}. Columns, separated by commas: {known}")
    return names


def _json_update(line: str) -> Update | str:
    try:
        row: Any = json.loads(line, object_pairs_hook=_unique)
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as exc:
        return f"it is not JSON ({exc})"
    if not isinstance(row, dict):
        return 'it must be a JSON object, such as {"project_id": 789, "name": "New name"}'
    values = cast("dict[str, Any]", row)
    given: Any = values.pop("fields", {})
    if not isinstance(given, dict):
        return "fields must be a JSON object"
    fields = cast("dict[str, Any]", given)
    if twice := values.keys() & fields.keys():
        return f"{', '.join(sorted(twice))}: in fields, and beside it"
    project_id, import_id = values.pop("project_id", None), values.pop("import_id", None)
    if project_id is None:
        return "project_id is missing"
    return Update(project_id, import_id, {**values, **fields})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object. A key that stands there twice would lose one of its values."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands there twice")
    return made


def _is_regular(file: BinaryIO) -> bool:
    with suppress(OSError, ValueError):
        return file.seekable() and not os.isatty(file.fileno())
    return file.seekable()


def _copied(file: BinaryIO) -> BinaryIO:
    copied = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - it lasts as long as the rows
    shutil.copyfileobj(file, copied)
    return copied
