"""Python values and JSON: what an annotation lets through, both ways."""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any, Literal

import pytest
from attrs import define

from neptun_openapi.types import UNSET, Unset
from neptun_sdk import Project, ProjectImport
from neptun_sdk.models import Resource
from neptun_sdk.values import Mismatch, fields_of, is_same, kind_of, python_name

Row = dict[str, object]


def problem_of(annotation: Any, value: object) -> str | None:
    """Return what is wrong with decoded JSON, and where; ``None`` if it is of the type."""
    try:
        kind_of(annotation).read(value, "documented")
    except Mismatch as exc:
        return f"{exc.path}: {exc.problem}"
    return None


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Make each kind anew, so that `make mutation` sees what a mutant makes of it."""
    kind_of.cache_clear()
    fields_of.cache_clear()


# From JSON


@pytest.mark.parametrize("absent", [True, False], ids=["absent", "null"])
@pytest.mark.parametrize("name", ["title", "description"])
def test_an_optional_field_may_be_absent_or_null(name: str, *, absent: bool, project_import: Row) -> None:
    if absent:
        del project_import[name]
    else:
        project_import[name] = None
    assert problem_of(ProjectImport, project_import) is None


def test_a_complete_row_has_no_problem(project: Row, project_import: Row) -> None:
    assert problem_of(Project, project) is None
    assert problem_of(ProjectImport, project_import) is None


NO_RESOURCES: dict[str, tuple[object, str]] = {
    "absent": (None, ": missing"),
    "an array": ([], ": expected an object, got list"),
    "an integer": (1, ": expected an object, got int"),
}


@pytest.mark.parametrize(("row", "problem"), NO_RESOURCES.values(), ids=NO_RESOURCES)
def test_a_row_that_is_no_object_is_named(row: object, problem: str) -> None:
    assert problem_of(Project, row) == problem


@pytest.mark.parametrize(
    "name", ["id", "name", "project_type", "programming_language", "created_at", "updated_at", "neptun_user_id"]
)
def test_a_missing_field_is_named(name: str, project: Row) -> None:
    del project[name]
    assert problem_of(Project, project) == f".{name}: missing"


NOT_A_DATE_TIME = "expected a date-time with a time zone, got"
WRONG_FIELDS: dict[str, tuple[str, object, str]] = {
    "id as text": ("id", "1", "expected int, got str"),
    "id true": ("id", True, "expected int, got bool"),
    "id with a fraction": ("id", 1.0, "expected int, got float"),
    "id null": ("id", None, "expected int, got null"),
    "name a number": ("name", 5, "expected str, got int"),
    "name null": ("name", None, "expected str, got null"),
    "description an object": ("description", {}, "expected str, got dict"),
    "date a number": ("created_at", 1739727731, "expected date-time, got int"),
    "date a word": ("created_at", "yesterday", f"{NOT_A_DATE_TIME} 'yesterday'"),
    "date without a zone": ("created_at", "2025-02-16T17:42:11", f"{NOT_A_DATE_TIME} '2025-02-16T17:42:11'"),
    "date as a week": ("created_at", "2025-W07-7T10:00:00Z", f"{NOT_A_DATE_TIME} '2025-W07-7T10:00:00Z'"),
    "date with a comma": ("created_at", "2025-02-16T17:42:11,5Z", f"{NOT_A_DATE_TIME} '2025-02-16T17:42:11,5Z'"),
    "zone without minutes": ("created_at", "2025-02-16T17:42:11+01", f"{NOT_A_DATE_TIME} '2025-02-16T17:42:11+01'"),
    "date without a T": ("created_at", "2025-02-16 17:42:11Z", f"{NOT_A_DATE_TIME} '2025-02-16 17:42:11Z'"),
    "date without dashes": ("created_at", "20250216T174211Z", f"{NOT_A_DATE_TIME} '20250216T174211Z'"),
    "leap second": ("created_at", "2016-12-31T23:59:60Z", f"{NOT_A_DATE_TIME} '2016-12-31T23:59:60Z'"),
    "30 February": ("updated_at", "2025-02-30T17:42:11Z", f"{NOT_A_DATE_TIME} '2025-02-30T17:42:11Z'"),
    "long text": ("updated_at", "é" * 100, f"{NOT_A_DATE_TIME} '" + r"\xe9" * 40 + "'"),
}


@pytest.mark.parametrize(("name", "value", "problem"), WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_a_wrong_field_is_named_by_its_place(name: str, value: object, problem: str, project: Row) -> None:
    row = project | {name: value}
    assert problem_of(Project, row) == f".{name}: {problem}"


def test_the_first_of_several_problems_is_named(project: Row) -> None:
    row = project | {"name": 5, "neptun_user_id": "1"}
    assert problem_of(Project, row) == ".name: expected str, got int"


NUMBERS: dict[str, tuple[object, str | None]] = {
    "without a fraction": (3, None),
    "with a fraction": (3.5, None),
    "text": ("3", ".scale: expected float, got str"),
}


@pytest.mark.parametrize(("value", "problem"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_may_come_without_a_fraction(value: object, problem: str | None) -> None:
    """JSON has one type of number; Python decodes 3 as an int and 3.0 as a float."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Drawing(Resource):
        scale: float
        extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    assert problem_of(Drawing, {"scale": value}) == problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner(Resource):
    """A resource inside another, with a name that Python has itself."""

    id_: int
    next_one: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Resource):
    """A resource with a list of others."""

    corners: tuple[Corner, ...]
    labels: list[str]
    kind: Literal["a", "b"]
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


SHAPE: Row = {"corners": [{"id": 1, "nextOne": "x", "more": 2}], "labels": ["l"], "kind": "a"}


def test_a_resource_is_read_with_all_that_is_in_it() -> None:
    """Names become Python's: ``nextOne`` is ``next_one``, and ``id`` may be ``id_``."""
    corner = Corner(id_=1, next_one="x", extra={"more": 2})
    assert kind_of(Shape).read(SHAPE, "documented") == Shape(corners=(corner,), labels=["l"], kind="a")


INSIDE: dict[str, tuple[Row, str]] = {
    "no list": ({"corners": {}}, ".corners: expected a list, got dict"),
    "an item": ({"corners": [{"id": 1}, 5]}, ".corners[1]: expected an object, got int"),
    "a field of an item": ({"corners": [{"id": "1"}]}, ".corners[0].id_: expected int, got str"),
    "a value that the contract does not have": ({"kind": "c"}, ".kind: expected 'a' or 'b', got 'c'"),
    "a long value": ({"kind": "c" * 100}, f".kind: expected 'a' or 'b', got '{'c' * 40}'"),
}


@pytest.mark.parametrize(("change", "problem"), INSIDE.values(), ids=INSIDE)
def test_a_problem_is_named_by_its_place(change: Row, problem: str) -> None:
    assert problem_of(Shape, SHAPE | change) == problem


def test_a_key_whose_name_in_python_is_taken_stays_under_its_own() -> None:
    read = kind_of(Corner).read({"id": 1, "next_one": "ours", "nextOne": "theirs"}, "documented")
    assert (read.next_one, read.extra) == ("ours", {"nextOne": "theirs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Board(Resource):
    """A resource with others in each kind of place."""

    project: Project
    parent: Project | None = None
    others: tuple[Project, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


@pytest.mark.parametrize("name", ["project", "parent", "others"])
def test_resources_inside_of_others_are_read_in_the_names_of_the_contract(name: str, project: Row) -> None:
    deployed: Row = {key: value for key, value in project.items() if key != "project_type"} | {"type": "web-site"}
    others = [deployed] if name == "others" else []
    board = {"project": project, "others": others} | ({} if others else {name: deployed})
    place = f".{name}[0]" if others else f".{name}"
    assert problem_of(Board, board) == f"{place}.project_type: missing"


def test_a_field_that_is_absent_is_none() -> None:
    assert kind_of(Corner).read({"id": 1}, "documented").next_one is None


@pytest.mark.parametrize(("annotation", "is_text"), [(Literal["a", "b"], True), (Literal[1, 2], False), (str, True)])
def test_a_closed_list_of_texts_is_text(annotation: Any, *, is_text: bool) -> None:
    assert kind_of(annotation).is_text is is_text


def test_resources_inside_of_others_are_read_in_the_names_of_a_deployed_server(project: Row) -> None:
    deployed = {**project, "type": project.pop("project_type"), "main_language": project.pop("programming_language")}
    (read,) = kind_of(list[Project]).read([{**project, **deployed}], "deployed")
    assert (read.project_type, read.programming_language) == ("web-site", "typescript")


# From an argument


class Color(enum.StrEnum):
    RED = "red"


class Count(enum.IntEnum):
    ONE = 1


BERLIN = timezone(timedelta(hours=1))
NOON = datetime(2025, 2, 16, 12, tzinfo=BERLIN)
TAKEN: dict[str, tuple[Any, object, object]] = {
    "an int": (int, 5, 5),
    "an enum of ints": (int, Count.ONE, 1),
    "the smallest int": (int, -(2**63), -(2**63)),
    "the largest int": (int, 2**63 - 1, 2**63 - 1),
    "a number": (float, 1.5, 1.5),
    "a number without a fraction": (float, 2, 2),
    "a number of another class": (float, Fraction(3, 2), 1.5),
    "a bool": (bool, False, False),
    "a text": (str, "a", "a"),
    "an enum of texts": (str, Color.RED, "red"),
    "an open list": (Literal["a"] | str, "b", "b"),
    "one of a closed list": (Literal["red", "blue"], Color.RED, "red"),
    "a datetime": (datetime, NOON, datetime(2025, 2, 16, 11, tzinfo=UTC)),
    "a list": (list[int], (1, Count.ONE), [1, 1]),
    "an optional one": (int | None, 5, 5),
}


@pytest.mark.parametrize(("annotation", "value", "taken"), TAKEN.values(), ids=TAKEN)
def test_an_argument_of_any_like_class_becomes_a_plain_value(annotation: Any, value: object, taken: object) -> None:
    found = kind_of(annotation).take(value)
    assert found == taken
    assert type(found) is type(taken)


REFUSED: dict[str, tuple[Any, object, str]] = {
    "a text for an int": (int, "3", "must be an int, not str"),
    "a bool for an int": (int, True, "must be an int, not bool"),
    "a fraction for an int": (int, 1.5, "must be an int, not float"),
    "an int that is too small": (int, -(2**63) - 1, "must be an int64, from -2**63 to 2**63 - 1"),
    "an int that is too large": (int, 2**63, "must be an int64, from -2**63 to 2**63 - 1"),
    "a text for a number": (float, "3", "must be a number, not str"),
    "a bool for a number": (float, True, "must be a number, not bool"),
    "nothing for a number": (float, None, "must be a number, not NoneType"),
    "infinity": (float, math.inf, "must be a finite number: JSON has no other"),
    "an int for a bool": (bool, 1, "must be a bool, not int"),
    "bytes for a text": (str, b"a", "must be a str, not bytes"),
    "half a character": (str, "\ud800", "has a lone surrogate, which UTF-8 cannot encode"),
    "a text for a datetime": (datetime, "2025-02-16T12:00:00Z", "must be a datetime, not str"),
    "a datetime without a time zone": (datetime, datetime(2025, 2, 16), "must be a datetime with a time zone"),
    "another value than those of a list": (Literal["a", "b"], "c", "must be 'a' or 'b'"),
    "a text for a list": (list[str], "ab", "must be a list, not str"),
    "bytes for a list": (list[str], b"ab", "must be a list, not bytes"),
    "a mapping for a list": (list[str], {"a": 1}, "must be a list, not dict"),
    "an int for a list": (list[str], 5, "must be a list, not int"),
}


@pytest.mark.parametrize(("annotation", "value", "problem"), REFUSED.values(), ids=REFUSED)
def test_an_argument_of_another_type_is_refused(annotation: Any, value: object, problem: str) -> None:
    with pytest.raises(Mismatch) as caught:
        kind_of(annotation).take(value)
    assert caught.value.problem == problem


def test_an_item_of_a_list_is_refused_by_its_place() -> None:
    with pytest.raises(Mismatch) as caught:
        kind_of(list[int]).take([1, "2"])
    assert (caught.value.path, caught.value.problem) == ("[1]", "must be an int, not str")


@define
class Size:
    """What the generator writes for an object of a request."""

    width: int
    height: int | Unset = 3

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "Size":
        raise NotImplementedError


def test_an_object_is_taken_from_a_mapping_without_defaults() -> None:
    assert kind_of(Size).take({"width": 1}) == Size(width=1, height=UNSET)
    assert kind_of(Size).read({"width": 1}, "documented") == {"width": 1}


SIZES: dict[str, tuple[Any, str, str]] = {
    "no mapping": (5, "", "must be a mapping, not int"),
    "an unknown field": ({"depth": 1}, ".depth", "is not one of width, height"),
    "a wrong field": ({"width": "1"}, ".width", "must be an int, not str"),
    "a missing field": ({"height": 1}, ".width", "is missing"),
}


@pytest.mark.parametrize(("value", "path", "problem"), SIZES.values(), ids=SIZES)
def test_an_object_is_refused_by_the_place_of_its_problem(value: Any, path: str, problem: str) -> None:
    with pytest.raises(Mismatch) as caught:
        kind_of(Size).take(value)
    assert (caught.value.path, caught.value.problem) == (path, problem)


UNKNOWN_TYPES: dict[str, Any] = {"bytes": bytes, "a mapping": dict[str, int], "two types": int | str}


@pytest.mark.parametrize("annotation", UNKNOWN_TYPES.values(), ids=UNKNOWN_TYPES)
def test_a_type_without_a_check_names_the_file_to_change(annotation: Any) -> None:
    """Otherwise a wrong value would reach the caller, or the server."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Drawing(Resource):
        points: annotation

    with pytest.raises(
        TypeError, match=r"^points of Drawing: teach the type .* to kind_of\(\) in neptun_sdk/values.py$"
    ):
        fields_of(Drawing)


# Both ways

SAME: dict[str, tuple[Any, object, object, bool]] = {
    "a text": (str, "a", "a", True),
    "another text": (str, "a", "b", False),
    "an instant in another time zone": (datetime, "2025-02-16T12:00:00+00:00", "2025-02-16T13:00:00.000+01:00", True),
    "another instant": (datetime, "2025-02-16T12:00:00Z", "2025-02-16T12:00:01Z", False),
    "a number with and without a fraction": (float, 1, 1.0, True),
    "true for one": (int, 1, True, False),
    "null for null": (int | None, None, None, True),
    "null for one": (int | None, 1, None, False),
    "a list": (tuple[int, ...], [1, 2], [1, 2], True),
    "a list in another order": (tuple[int, ...], [1, 2], [2, 1], False),
}


@pytest.mark.parametrize(("annotation", "sent", "returned", "expected"), SAME.values(), ids=SAME)
def test_what_came_back_is_compared_by_its_value(
    annotation: Any, sent: object, returned: object, *, expected: bool
) -> None:
    assert is_same(kind_of(annotation), sent, returned, "documented") is expected


PYTHON_NAMES = {"name": "name", "perPage": "per_page", "If-Match": "if_match", "type": "type_", "other": "other"}


@pytest.mark.parametrize(("name", "expected"), PYTHON_NAMES.items(), ids=PYTHON_NAMES)
def test_a_name_of_the_contract_has_one_in_python(name: str, expected: str) -> None:
    known = dict.fromkeys(("name", "per_page", "if_match", "type_"))
    assert python_name(name, known) == expected
    assert python_name("type_", {"type": None}) == "type"
