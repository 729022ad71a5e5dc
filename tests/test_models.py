"""What a caller gets back, and how a response's resource is checked against it."""

import copy
import dataclasses
import json
import pickle
import re
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from neptun_sdk import Project, ProjectImport
from neptun_sdk.models import Resource, contract_fields, first_problem, with_headers

Row = dict[str, object]

CREATED = datetime(2025, 2, 16, 17, 42, 11, tzinfo=UTC)
UPDATED = datetime(2025, 2, 16, 18, 42, 11, tzinfo=UTC)


def make_project(**changes: Any) -> Project:
    values: dict[str, Any] = {
        "id": 123,
        "name": "New name",
        "project_type": "web-site",
        "programming_language": "typescript",
        "created_at": CREATED,
        "updated_at": UPDATED,
        "neptun_user_id": 1,
    }
    return Project(**values | changes)


def make_import(**changes: Any) -> ProjectImport:
    values: dict[str, Any] = {
        "id": 123,
        "source_type": "github",
        "source_path": "username/repository",
        "created_at": CREATED,
        "updated_at": UPDATED,
        "neptun_user_id": 1,
        "project_id": 789,
    }
    return ProjectImport(**values | changes)


RESOURCES = {"project": make_project(extra={"a": [1]}), "import": make_import(extra={"a": [1]})}


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
def test_a_resource_is_frozen(resource: Project | ProjectImport) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        resource.id = 5  # type: ignore[misc]


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
def test_a_resource_has_slots(resource: Project | ProjectImport) -> None:
    """A misspelt attribute is an error in a caller's test, and many resources take little memory."""
    assert not hasattr(resource, "__dict__")


@pytest.mark.parametrize("resource_class", [Project, ProjectImport])
def test_a_resource_takes_keywords_only(resource_class: type[Resource]) -> None:
    """A field that the contract adds in between changes no caller's test."""
    assert all(each.kw_only for each in dataclasses.fields(resource_class))  # type: ignore[arg-type]


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
def test_a_resource_is_hashable_although_extra_is_not(resource: Project | ProjectImport) -> None:
    assert len({resource, copy.copy(resource)}) == 1


def test_resources_with_different_extra_fields_are_not_equal() -> None:
    assert make_project(extra={"a": 1}) != make_project(extra={"a": 2})


HEADERS = {"x-request-id": "7"}
AGAIN: dict[str, Callable[[Project | ProjectImport], Project | ProjectImport]] = {
    "pickle": lambda resource: pickle.loads(pickle.dumps(resource)),  # noqa: S301 - our own
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
def test_a_resource_pickles_and_copies_with_the_headers_of_its_response(
    resource: Project | ProjectImport, again: Callable[[Project | ProjectImport], Project | ProjectImport]
) -> None:
    twin = again(with_headers(copy.copy(resource), HEADERS))
    assert (twin, twin.response_headers) == (resource, HEADERS)


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
def test_the_headers_of_a_response_are_no_field(resource: Project | ProjectImport) -> None:
    """What is stored or sent on is the resource; a request id would make two equal ones different."""
    other = with_headers(copy.copy(resource), HEADERS)
    assert other == resource
    assert (hash(other), repr(other), dataclasses.asdict(other)) == (
        hash(resource),
        repr(resource),
        dataclasses.asdict(resource),
    )
    assert "response_headers" not in {each.name for each in dataclasses.fields(other)}


def test_a_resource_made_by_hand_has_no_headers_and_a_replaced_one_none_of_the_other() -> None:
    """They are those of a response that this resource did not come in."""
    assert make_project().response_headers == {}
    assert dataclasses.replace(with_headers(make_project(), HEADERS), name="x").response_headers == {}


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
def test_a_resource_can_be_referred_to_weakly(resource: Project | ProjectImport) -> None:
    """Caches keep results so."""
    assert weakref.ref(resource)() is resource


def test_asdict_gives_the_fields_of_the_contract_and_extra() -> None:
    """Web frameworks turn a dataclass into JSON in this way."""
    assert json.loads(json.dumps(dataclasses.asdict(make_import(title="A")), default=datetime.isoformat)) == {
        "id": 123,
        "source_type": "github",
        "source_path": "username/repository",
        "title": "A",
        "description": None,
        "created_at": "2025-02-16T17:42:11+00:00",
        "updated_at": "2025-02-16T18:42:11+00:00",
        "neptun_user_id": 1,
        "project_id": 789,
        "extra": {},
    }


def test_a_resource_made_by_hand_needs_no_optional_field() -> None:
    assert (make_project().description, make_project().extra) == (None, {})
    assert (make_import().title, make_import().description, make_import().extra) == (None, None, {})


def test_extra_is_not_shared_by_two_resources() -> None:
    assert make_project().extra is not make_project().extra


def test_contract_fields_are_all_but_extra() -> None:
    assert contract_fields(Project) == (
        ("id", "int", False),
        ("name", "str", False),
        ("description", "str", True),
        ("project_type", "str", False),
        ("programming_language", "str", False),
        ("created_at", "date-time", False),
        ("updated_at", "date-time", False),
        ("neptun_user_id", "int", False),
    )


@pytest.mark.parametrize(
    ("new_type", "name"), [(bytes, "<class 'bytes'>"), (list[str], "list[str]")], ids=["bytes", "a list of texts"]
)
def test_a_field_of_an_unknown_type_names_the_file_to_change(new_type: Any, name: str) -> None:
    """A new type must get a check, or a wrong value would reach the caller."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Drawing(Resource):
        points: new_type
        extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    expected = f"change _KINDS in neptun_sdk/models.py: points has the new type {name}"
    with pytest.raises(TypeError, match=f"^{re.escape(expected)}$"):
        contract_fields(Drawing)


@pytest.mark.parametrize("absent", [True, False], ids=["absent", "null"])
@pytest.mark.parametrize("name", ["title", "description"])
def test_an_optional_field_may_be_absent_or_null(name: str, *, absent: bool, project_import: Row) -> None:
    if absent:
        del project_import[name]
    else:
        project_import[name] = None
    assert first_problem(contract_fields(ProjectImport), project_import, place="import") is None


def test_a_complete_row_has_no_problem(project: Row, project_import: Row) -> None:
    assert first_problem(contract_fields(Project), project, place="project") is None
    assert first_problem(contract_fields(ProjectImport), project_import, place="import") is None


NO_RESOURCES: dict[str, tuple[object, str]] = {
    "absent": (None, "project: missing"),
    "an array": ([], "project: expected an object, got list"),
    "an integer": (1, "project: expected an object, got int"),
}


@pytest.mark.parametrize(("row", "problem"), NO_RESOURCES.values(), ids=NO_RESOURCES)
def test_a_row_that_is_no_object_is_named(row: object, problem: str) -> None:
    assert first_problem(contract_fields(Project), row, place="project") == problem


@pytest.mark.parametrize(
    "name", ["id", "name", "project_type", "programming_language", "created_at", "updated_at", "neptun_user_id"]
)
def test_a_missing_field_is_named(name: str, project: Row) -> None:
    del project[name]
    assert first_problem(contract_fields(Project), project, place="project") == f"project.{name}: missing"


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
    assert first_problem(contract_fields(Project), row, place="project") == f"project.{name}: {problem}"


def test_the_first_of_several_problems_is_named(project: Row) -> None:
    row = project | {"name": 5, "neptun_user_id": "1"}
    assert first_problem(contract_fields(Project), row, place="project") == "project.name: expected str, got int"


NUMBERS: dict[str, tuple[object, str | None]] = {
    "without a fraction": (3, None),
    "with a fraction": (3.5, None),
    "text": ("3", "drawing.scale: expected float, got str"),
}


@pytest.mark.parametrize(("value", "problem"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_may_come_without_a_fraction(value: object, problem: str | None) -> None:
    """JSON has one type of number; Python decodes 3 as an int and 3.0 as a float."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Drawing(Resource):
        scale: float
        extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    assert first_problem(contract_fields(Drawing), {"scale": value}, place="drawing") == problem
