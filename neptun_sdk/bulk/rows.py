"""The updates of a file: CSV or JSON Lines, with the line on which each stands."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Literal, TypeAlias, cast, get_args

from neptun_sdk.bulk.updates import FILE_HASH, Update, all_fields, of_file

Format: TypeAlias = Literal["csv", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)
CLEAR = "<clear>"  # in a cell of a CSV file: clear the text

REASON = "reason"  # the column of a file of rejected rows that says why

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_BINARY = {
    b"PK\x03\x04": "an Excel workbook (.xlsx)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_IDS = ("project_id", "import_id")
_FIELDS = all_fields()
_Line: TypeAlias = tuple[int, Update | str]


class InputError(ValueError):
    """A file cannot be read as rows at all. The text says why, and on which line."""


class Rows(Iterable[Update]):
    """The updates of a file, read again each time. It keeps no row in memory.

    Args:
        file: The file, in bytes. What cannot be read twice, such as a pipe, is copied to a temporary file.
        form: ``csv`` or ``jsonl``; ``None`` looks at the first character: JSON Lines begin with a brace.
        clear: The text of a CSV cell that clears a text: an empty cell leaves it as it is.
        delimiter: What separates the cells of CSV; ``None`` takes the one with which the header has a ``project_id``.
        ignore: Columns, or keys, that are left out, beside ``reason``, which a file of rejected rows has.

    Raises:
        InputError: The file is empty, or has no header that can be used.
        OSError: The file cannot be read.
    """

    def __init__(
        self,
        file: BinaryIO,
        form: Format | None = None,
        *,
        clear: str = CLEAR,
        delimiter: str | None = None,
        ignore: Iterable[str] = (),
    ) -> None:
        self._file = file
        if not _is_regular(file):
            self._file = _copied(file)
            weakref.finalize(self, self._file.close)
        self._clear = clear
        self._lines: dict[int, int] | None = None
        self._ignored = {REASON, *map(column_name, ignore)}
        beginning = self._beginning()
        self.form: Format = form or ("jsonl" if beginning[:1] in "{[" else "csv")
        self.delimiter: str = delimiter or _delimiter(beginning)

    def __iter__(self) -> Iterator[Update]:
        for row, (line, update) in enumerate(self.lines(), 1):
            if self._lines is not None:
                self._lines[row] = line
            if isinstance(update, str):  # the file was changed since it was checked
                raise InputError(f"line {line} of the input: {update}")
            yield update

    def remember_lines(self) -> dict[int, int]:
        """Return where the line of each row is put when it is read from now on, to be taken out when it is done."""
        self._lines = {}
        return self._lines

    def input_hash(self) -> str:
        """Return a hash of the file, and of what its rows depend on. To hash a million updates takes ten seconds."""
        self._file.seek(0)
        found = hashlib.file_digest(cast("Any", self._file), "sha256")
        found.update(repr((self.form, self.delimiter, self._clear, sorted(self._ignored))).encode())
        return FILE_HASH + found.hexdigest()

    def lines(self) -> Generator[_Line]:
        """Yield each row: the line on which it begins, and its update, or what is wrong with it."""
        if self.form == "jsonl":
            for line, text in self.texts():
                yield line, _json_update(text, self._ignored)
            return
        records = self.records()
        header: list[str | None] = []
        for line, cells in records:
            if header:
                yield line, self._csv_update(header, cells)
            else:
                header = self._header(cells, line)

    def places(self) -> Iterator[int]:
        """Return the line on which each row begins."""
        if self.form == "jsonl":
            return (line for line, _ in self.texts())
        return (line for line, _ in itertools.islice(self.records(), 1, None))

    def records(self) -> Generator[tuple[int, list[str]]]:
        """Yield the cells of the header of a CSV file and of each row, with its line. Empty rows are left out."""
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a text may be longer than the 128 KiB that are the default
        with self._text() as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            before = 0
            try:
                for cells in reader:
                    line, before = before + 1, reader.line_num
                    if "".join(cells).strip():
                        yield line, cells
            except csv.Error as exc:
                raise InputError(f"line {max(1, reader.line_num)} is not CSV ({exc})") from None

    def texts(self) -> Generator[tuple[int, str]]:
        """Yield the text of each row of JSON Lines, with its line. Empty lines are left out."""
        with self._text() as text:
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield number, line

    @contextmanager
    def _text(self) -> Generator[io.TextIOWrapper]:
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", errors="strict", newline="")
        try:
            yield text
        except UnicodeDecodeError as exc:
            raise InputError(f"line {self._undecodable()} is not UTF-8 ({exc.reason}): save it as UTF-8") from None
        finally:
            with suppress(ValueError):  # the file was closed before its last row was read
                text.detach()

    def _undecodable(self) -> int:
        """Return the first line that is not UTF-8."""
        self._file.seek(0)
        for number, raw in enumerate(self._file, 1):
            try:
                raw.decode()
            except UnicodeDecodeError:
                return number
        raise AssertionError("the file was changed")  # pragma: no cover

    def _beginning(self) -> str:
        """Return the beginning of the text, from its first character that is not white space."""
        self._file.seek(0)
        for magic, kind in _BINARY.items():
            if self._file.read(len(magic)) == magic:
                raise InputError(f"it is {kind}: save it as CSV UTF-8, and pass that")
            self._file.seek(0)
        while chunk := self._file.read(65_536):
            if stripped := chunk.removeprefix(b"\xef\xbb\xbf").lstrip():
                return stripped.decode("utf-8", "replace")
        raise InputError("it is empty")

    def _header(self, cells: list[str], line: int) -> list[str | None]:
        """Return the names of the columns, ``None`` for one that is ignored, or say which of them cannot be."""
        names = [column_name(cell) for cell in cells]
        while not names[-1]:  # as spreadsheets leave them
            names.pop()
        used = [None if name in self._ignored else name for name in names]
        problem = ""
        if "project_id" not in used:
            problem = "column project_id is missing"
        elif unknown := [cell for name, cell in zip(used, cells, strict=False) if name not in (None, *_IDS, *_FIELDS)]:
            problem = f"there is no field {', '.join(map(repr, unknown))} (--ignore-columns leaves columns out)"
        elif any(used.count(name) > 1 for name in used if name):
            problem = "a column appears twice"
        if problem:
            known = f"Columns, separated by {_DELIMITERS.get(self.delimiter, repr(self.delimiter))}"
            raise InputError(f"line {line} is not a valid header: {problem}. {known}: {', '.join(_IDS + _FIELDS)}")
        return used

    def _csv_update(self, header: list[str | None], cells: list[str]) -> Update | str:
        if len(cells) != len(header):
            if any(cell.strip() for cell in cells[len(header) :]) or len(cells) < len(header):
                return f"it has {len(cells)} {'cell' if len(cells) == 1 else 'cells'}, but the header has {len(header)}"
            cells = cells[: len(header)]
        row = {name: cell for name, cell in zip(header, cells, strict=True) if cell and name}
        ids: list[int | None] = []
        for name in _IDS:
            cell = row.pop(name, "").strip()
            if not cell:
                ids.append(None)
            elif cell.isascii() and cell.isdecimal() and len(cell) < 20:
                ids.append(int(cell))
            else:
                return f"{name} must be a positive integer, not {cell[:40]!r}"
        project_id, import_id = ids
        if project_id is None:
            return "project_id is missing"
        if self._clear in cells:
            row = {name: "" if cell == self._clear else cell for name, cell in row.items()}
        return of_file(project_id, import_id, row, are_cells=True)


def column_name(cell: str) -> str:
    """Return the name of a column, whatever its case and spaces: ``project_id`` for ``Project ID``."""
    return re.sub(r"[\s_]+", "_", cell.strip().lower())


def _delimiter(beginning: str) -> str:
    """Return the delimiter with which a header has a ``project_id``; the comma if none has."""
    line = beginning.splitlines()[0]
    for delimiter in _DELIMITERS:
        with suppress(csv.Error):
            if "project_id" in map(column_name, next(csv.reader([line], delimiter=delimiter))):
                return delimiter
    return ","


def _json_update(line: str, ignored: Collection[str]) -> Update | str:
    try:
        row: Any = json.loads(line, object_pairs_hook=_unique)
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as exc:
        return f"it is not JSON ({exc})"
    if not isinstance(row, dict):
        return 'it must be a JSON object, such as {"project_id": 789, "name": "New name"}'
    values = {name: value for name, value in cast("dict[str, Any]", row).items() if name not in ignored}
    given: Any = values.pop("fields", {})
    if not isinstance(given, dict):
        return "fields must be a JSON object"
    fields = cast("dict[str, Any]", given)
    if twice := values.keys() & fields.keys():
        return f"{', '.join(sorted(twice))}: in fields, and beside it"
    project_id, import_id = values.pop("project_id", None), values.pop("import_id", None)
    if project_id is None:
        return "project_id is missing"
    return of_file(project_id, import_id, {**values, **fields}, are_cells=False)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object. A key that appears twice would lose one of its values."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key appears twice")
    return made


def _is_regular(file: BinaryIO) -> bool:
    with suppress(OSError, ValueError):
        return file.seekable() and not os.isatty(file.fileno())
    return file.seekable()


def _copied(file: BinaryIO) -> BinaryIO:
    copied = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - it lasts as long as the rows
    shutil.copyfileobj(file, copied)
    return copied
