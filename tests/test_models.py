"""What a caller gets back: complete, typed, frozen; and the first thing wrong with an answer is named by its place."""

import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

import neptun_openapi.models as generated
from neptun_sdk import Project, ProjectImport
from neptun_sdk.models import first_problem
from neptun_sdk.operations import from_generated

Row = dict[str, object]


def test_a_project_is_read_field_by_field(project: Row) -> None:
    read = from_generated(Project, generated.Project.from_dict(project | {"prompt_context": {"a": 1}}))
    assert read == Project(
        id=123,
        name="New name",
        description="About it",
        project_type="web-site",
        programming_language="typescript",
        created_at=datetime(2025, 2, 16, 17, 42, 11, tzinfo=UTC),
        updated_at=datetime(2025, 2, 16, 18, 42, 11, tzinfo=UTC),
        neptun_user_id=1,
        extra={"prompt_context": {"a": 1}},
    )


def test_an_import_is_read_field_by_field(project_import: Row) -> None:
    read = from_generated(ProjectImport, generated.ProjectImport.from_dict(project_import))
    assert read == ProjectImport(
        id=123,
        source_type="github",
        source_path="username/repository",
        title="New title",
        description="About it",
        created_at=datetime(2025, 2, 16, 17, 42, 11, tzinfo=UTC),
        updated_at=datetime(2025, 2, 16, 18, 42, 11, tzinfo=UTC),
        neptun_user_id=1,
        project_id=789,
        extra={},
    )


def test_an_absent_optional_field_reads_as_none(project_import: Row) -> None:
    del project_import["title"], project_import["description"]
    assert first_problem(ProjectImport, {"import": project_import}) is None
    read = from_generated(ProjectImport, generated.ProjectImport.from_dict(project_import))
    assert (read.title, read.description) == (None, None)


def test_a_null_optional_field_reads_as_none(project: Row) -> None:
    project["description"] = None
    assert first_problem(Project, {"project": project}) is None
    assert from_generated(Project, generated.Project.from_dict(project)).description is None


def test_a_resource_is_frozen_hashable_and_pickles(project: Row) -> None:
    read = from_generated(Project, generated.Project.from_dict(project | {"more": []}))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        read.name = "Other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(read)) == read  # noqa: S301
    assert len({read, read}) == 1


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "expected an object, got an array"),
        (None, "expected an object, got null"),
        ({}, "project: missing"),
        ({"project": 1}, "project: expected an object, got an integer"),
    ],
)
def test_a_wrong_envelope_is_named(document: object, problem: str) -> None:
    assert first_problem(Project, document) == problem


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Project) if field.default is attrs.NOTHING])
def test_a_missing_field_is_named(name: str, project: Row) -> None:
    del project[name]
    assert first_problem(Project, {"project": project}) == f"project.{name}: missing"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("id", "1", "expected an integer, got a string"),
        ("id", True, "expected an integer, got a boolean"),
        ("id", 1.0, "expected an integer, got a number"),
        ("id", None, "expected an integer, got null"),
        ("name", 5, "expected a string, got an integer"),
        ("name", None, "expected a string, got null"),
        ("description", {}, "expected a string, got an object"),
        ("created_at", 1739727731, "expected a string, got an integer"),
        ("created_at", "yesterday", "expected an ISO 8601 date-time with a time zone, got 'yesterday'"),
        (
            "created_at",
            "2025-02-16T17:42:11",
            "expected an ISO 8601 date-time with a time zone, got '2025-02-16T17:42:11'",
        ),
        (
            "updated_at",
            "2025-02-30T17:42:11Z",
            "expected an ISO 8601 date-time with a time zone, got '2025-02-30T17:42:11Z'",
        ),
        ("updated_at", "é" * 100, "expected an ISO 8601 date-time with a time zone, got '" + r"\xe9" * 40 + "'"),
    ],
)
def test_a_wrong_field_is_named_by_its_place(name: str, value: Any, problem: str, project: Row) -> None:
    assert first_problem(Project, {"project": project | {name: value}}) == f"project.{name}: {problem}"
