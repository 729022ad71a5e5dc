"""The updates of a file: CSV and JSON Lines."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from attrs import define

from neptun_openapi.types import UNSET, Unset
from neptun_sdk.bulk import Update, updates
from neptun_sdk.bulk.rows import Format, InputError, Rows
from neptun_sdk.operations import Operations
from neptun_sdk.values import fields_of
from tests.operations import made


def rows(text: str | bytes, form: Format | None = None, **options: Any) -> Rows:
    return Rows(io.BytesIO(text if isinstance(text, bytes) else text.encode()), form, **options)


CSV = "project_id,import_id,name,title\n789,,Shop,\n789,123,,New title\n"
JSON = '{"project_id": 789, "name": "Shop"}\n{"project_id": 789, "import_id": 123, "title": "New title"}\n'
BOTH = [Update(789, fields={"name": "Shop"}), Update(789, 123, {"title": "New title"})]


@pytest.mark.parametrize("text", [CSV, JSON, CSV.replace("\n", "\r\n"), f"\ufeff{CSV}", f"\ufeff{JSON}", f"\n {JSON}"])
def test_a_file_is_csv_or_json_lines(text: str) -> None:
    assert list(rows(text)) == BOTH


def test_a_file_is_read_again_each_time() -> None:
    both = rows(CSV)
    assert list(both) == list(both) == BOTH


def test_an_empty_cell_leaves_a_field_and_a_word_clears_it() -> None:
    text = "project_id,name,description\n1,,<clear>\n2,<CLEAR>,\n"
    assert list(rows(text)) == [Update(1, fields={"description": ""}), Update(2, fields={"name": "<CLEAR>"})]
    assert list(rows("project_id,name\n1,-\n", clear="-")) == [Update(1, fields={"name": ""})]


def test_null_leaves_a_field_and_an_empty_text_clears_it() -> None:
    text = '{"project_id": 1, "import_id": null, "name": null, "description": ""}\n'
    assert list(rows(text)) == [Update(1, fields={"name": None, "description": ""})]


def test_fields_may_stand_in_an_object_of_their_own() -> None:
    assert list(rows('{"project_id": 1, "fields": {"name": "a"}}\n')) == [Update(1, fields={"name": "a"})]


def test_a_cell_keeps_its_spaces_lines_and_quotes_and_lines_are_counted() -> None:
    text = 'project_id,name\n\n1," two\nlines "\n2,"a ""b"", c"\n3,last'
    assert list(rows(text).lines()) == [
        (3, Update(1, fields={"name": " two\nlines "})),
        (5, Update(2, fields={"name": 'a "b", c'})),
        (6, Update(3, fields={"name": "last"})),
    ]


def test_a_text_may_be_long() -> None:
    long = "x" * 300_000
    assert list(rows(f"project_id,name\n1,{long}\n")) == [Update(1, fields={"name": long})]


BAD_ROWS = {
    "no id": ("project_id,name\n,a\n", "project_id is missing"),
    "an id of words": ("project_id,name\nseven,a\n", "project_id must be a positive integer, not 'seven'"),
    "a fraction": ("project_id,name\n1.5,a\n", "project_id must be a positive integer, not '1.5'"),
    "a negative import": ("project_id,import_id,title\n1,-1,a\n", "import_id must be a positive integer, not '-1'"),
    "a cell too many": ("project_id,name\n1,a,b\n", "it has 3 cells, but the header has 2"),
    "a cell too few": ("project_id,name\n1\n", "it has 1 cell, but the header has 2"),
    "no JSON": ('{"project_id": 1,\n', "it is not JSON (Expecting"),
    "no object": ('{"project_id": 1}\n[1]\n', 'it must be a JSON object, such as {"project_id": 789,'),
    "deep": ('{"project_id": ' + "[" * 100_000 + "\n", "it is nested too deeply"),
    "a key twice": ('{"project_id": 1, "name": "a", "name": "b"}\n', "a key appears twice"),
    "an array": ('[{"project_id": 1, "name": "a"}]\n', 'it must be a JSON object, such as {"project_id": 789,'),
    "a field in fields too": (
        '{"project_id": 1, "name": "a", "fields": {"name": "b"}}\n',
        "name: in fields, and beside it",
    ),
    "fields of text": ('{"project_id": 1, "fields": "a"}\n', "fields must be a JSON object"),
    "no id in JSON": ('{"name": "a"}\n', "project_id is missing"),
}


@pytest.mark.parametrize(("text", "problem"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_reported_with_its_line(text: str, problem: str) -> None:
    *_, (line, found) = rows(text).lines()
    assert line == max(1, text.count("\n"))
    assert isinstance(found, str)
    assert problem in found
    with pytest.raises(InputError):
        list(rows(text))


BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "it is empty"),
    "blank": (" \n\n", "it is empty"),
    "no header": (
        "789,Shop\n",
        "line 1 is not a valid header: column project_id is missing. Columns, separated by commas: project_id",
    ),
    "other columns after semicolons": ("project_id;nmae\n1;a\n", "there is no field 'nmae' (--ignore-columns leaves"),
    "unknown": ("project_id,nmae,Naem\n", "there is no field 'nmae', 'Naem'"),
    "twice": ("project_id,name,name\n", "a column appears twice"),
    "an open quote": ('project_id,name\n1,"a\n', "line 2 is not CSV (unexpected end of data)"),
    "Latin-1": (
        "project_id,name\n1,é\n".encode("latin-1"),
        "line 2 is not UTF-8 (invalid continuation byte): save it as UTF-8",
    ),
}


@pytest.mark.parametrize(("text", "problem"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_read_says_why(text: str | bytes, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        list(rows(text).lines())
    assert problem in str(caught.value)


def test_the_format_can_be_chosen() -> None:
    with pytest.raises(InputError, match="line 1 is not a valid header"):
        list(rows(JSON, "csv").lines())


def test_a_file_that_is_closed_before_its_last_row_is_no_traceback() -> None:
    """Python would print what the end of a generator raises."""
    file = io.BytesIO(CSV.encode())
    lines = Rows(file).lines()
    next(lines)
    file.close()
    lines.close()


def test_a_pipe_is_copied_and_a_file_is_not(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        file.write(CSV.encode())
    with os.fdopen(reader, "rb") as pipe:
        piped = Rows(pipe)
        assert list(piped) == list(piped) == BOTH
    path = tmp_path / "updates.csv"
    path.write_text(CSV, encoding="utf-8")
    opened: BinaryIO
    with path.open("rb") as opened:
        assert Rows(opened)._file is opened


@define
class Typed:
    """What the generator would write for a body with fields that are not texts."""

    name: str | Unset = UNSET
    position: int | Unset = UNSET
    archived: bool | Unset = UNSET
    due_at: datetime | Unset | None = UNSET
    labels: list[str] | Unset = UNSET


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> object:
    """Let a project have fields of other types, of which one may be null; return what stands for null."""
    null = object()
    fields = dict(fields_of(Typed))
    fields["due_at"] = fields["due_at"]._replace(kind=fields["due_at"].kind._replace(null=null))
    operation = made("update_project", build, Operations.UPDATE_PROJECT.facts, None)
    vars(operation).update(fields=fields)
    monkeypatch.setattr(updates, "operation_of", lambda _: operation)
    monkeypatch.setattr("neptun_sdk.bulk.rows._FIELDS", tuple(fields))
    return null


def build(user_id: int, project_id: int) -> dict[str, Any]:
    return {"method": "patch", "url": f"{user_id}/{project_id}"}


DUE = datetime(2025, 2, 16, tzinfo=UTC)


def test_a_cell_has_the_type_of_its_field(typed: object) -> None:
    header = "project_id,name,position,archived,due_at,labels\n"
    (read,) = rows(f'{header}1,5,5,true,2025-02-16T00:00:00Z,"[""a"",""b""]"\n')
    assert read.fields == {"name": "5", "position": 5, "archived": True, "due_at": DUE, "labels": ["a", "b"]}
    (read,) = rows(f"{header}1,,,,<null>,\n")
    assert read.fields == {"due_at": typed}


def test_json_has_the_types_of_json_and_text_for_a_date_time(typed: object) -> None:
    (read,) = rows('{"project_id": 1, "position": 5, "due_at": "2025-02-16T00:00:00Z", "labels": ["a"], "name": null}')
    assert read.fields == {"position": 5, "due_at": DUE, "labels": ["a"], "name": None}
    (read,) = rows('{"project_id": 1, "due_at": null}')
    assert read.fields == {"due_at": typed}


WRONG_CELLS = {
    "a word for a number": ("position", "five", "position: expected int, got str"),
    "a number for a yes or no": ("archived", "1", "archived: expected bool, got int"),
    "a day for a date-time": (
        "due_at",
        "2025-02-16",
        "due_at: expected a date-time with a time zone, got '2025-02-16'",
    ),
    "null for what has none": ("position", "<null>", "position cannot be null"),
    "null for a text that has none": ("name", "<null>", "name cannot be null"),
}


@pytest.mark.usefixtures("typed")
@pytest.mark.parametrize(("field", "cell", "problem"), WRONG_CELLS.values(), ids=WRONG_CELLS)
def test_a_cell_of_another_type_is_named(field: str, cell: str, problem: str) -> None:
    assert list(rows(f"project_id,{field}\n1,{cell}\n").lines()) == [(2, problem)]
