"""The rows of the operations: the requests they build and the resources they read."""

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

import neptun_openapi.models as generated
from neptun_sdk import Project, ProjectImport
from neptun_sdk.operations import CallInfo, Operation, Operations

Row = dict[str, object]

CREATED = datetime(2025, 2, 16, 17, 42, 11, tzinfo=UTC)
UPDATED = datetime(2025, 2, 16, 18, 42, 11, tzinfo=UTC)
JSON_HEADERS = {"Content-Type": "application/json"}


def build_get(user_id: int, project_id: int) -> dict[str, Any]:
    """What the generator writes for an operation without a body."""
    return {"method": "get", "url": f"/api/users/{user_id}/projects/{project_id}"}


class Reading:
    """An operation that the contract may have one day."""

    GET_PROJECT = Operation(
        build=build_get,
        body=None,
        model=generated.Project,
        resource=Project,
        envelope="project",
        updates=False,
    )


def test_a_row_is_named_by_its_place_in_the_table() -> None:
    assert Operations.UPDATE_PROJECT.name == "update_project"
    assert Operations.UPDATE_PROJECT_IMPORT.name == "update_project_import"


def test_a_row_knows_the_ids_of_its_path_in_their_order() -> None:
    assert Operations.UPDATE_PROJECT.ids == ("user_id", "project_id")
    assert Operations.UPDATE_PROJECT_IMPORT.ids == ("user_id", "project_id", "import_id")
    assert Reading.GET_PROJECT.ids == ("user_id", "project_id")


def test_a_row_knows_the_fields_of_its_resource() -> None:
    names = [field.name for field in Operations.UPDATE_PROJECT_IMPORT.fields]
    assert names == [
        "id",
        "source_type",
        "source_path",
        "title",
        "description",
        "created_at",
        "updated_at",
        "neptun_user_id",
        "project_id",
    ]


def test_a_row_knows_which_fields_hold_the_ids_of_its_path() -> None:
    made = replace(Operations.UPDATE_PROJECT_IMPORT)
    assert made.id_fields == {"user_id": "neptun_user_id", "project_id": "project_id", "import_id": "id"}
    assert replace(Operations.UPDATE_PROJECT).id_fields == {"user_id": "neptun_user_id", "project_id": "id"}


def test_a_row_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Operations.UPDATE_PROJECT.updates = False  # type: ignore[misc]


REQUESTS: dict[str, tuple[Operation[Any], dict[str, int], dict[str, str], dict[str, Any]]] = {
    "update a project": (
        Operations.UPDATE_PROJECT,
        {"user_id": 1, "project_id": 123},
        {"name": "New name", "description": ""},
        {
            "method": "patch",
            "url": "/api/users/1/projects/123",
            "json": {"name": "New name", "description": ""},
            "headers": JSON_HEADERS,
        },
    ),
    "update an import": (
        Operations.UPDATE_PROJECT_IMPORT,
        {"user_id": 1, "project_id": 789, "import_id": 123},
        {"title": "New title"},
        {
            "method": "put",
            "url": "/api/users/1/projects/789/resources/imports/123",
            "json": {"title": "New title"},
            "headers": JSON_HEADERS,
        },
    ),
    "names of a deployed server": (
        Operations.UPDATE_PROJECT,
        {"user_id": 1, "project_id": 123},
        {"type": "web-app", "main_language": "go"},
        {
            "method": "patch",
            "url": "/api/users/1/projects/123",
            "json": {"type": "web-app", "main_language": "go"},
            "headers": JSON_HEADERS,
        },
    ),
    "without a body": (
        Reading.GET_PROJECT,
        {"user_id": 1, "project_id": 123},
        {},
        {"method": "get", "url": "/api/users/1/projects/123"},
    ),
}


@pytest.mark.parametrize(("operation", "ids", "fields", "request_parts"), REQUESTS.values(), ids=REQUESTS)
def test_a_row_builds_its_request(
    operation: Operation[Any], ids: dict[str, int], fields: dict[str, str], request_parts: dict[str, Any]
) -> None:
    assert operation.request(ids, fields) == request_parts


def test_a_project_is_read_field_by_field(project: Row) -> None:
    assert Operations.UPDATE_PROJECT.read(project | {"prompt_context": {"a": 1}}, {}) == Project(
        id=123,
        name="New name",
        description="About it",
        project_type="web-site",
        programming_language="typescript",
        created_at=CREATED,
        updated_at=UPDATED,
        neptun_user_id=1,
        extra={"prompt_context": {"a": 1}},
    )


def test_an_import_is_read_field_by_field(project_import: Row) -> None:
    assert Operations.UPDATE_PROJECT_IMPORT.read(project_import, {}) == ProjectImport(
        id=123,
        source_type="github",
        source_path="username/repository",
        title="New title",
        description="About it",
        created_at=CREATED,
        updated_at=UPDATED,
        neptun_user_id=1,
        project_id=789,
        extra={},
    )


def test_an_absent_optional_field_reads_as_none(project_import: Row) -> None:
    """A caller never meets the generated client's ``Unset``."""
    del project_import["title"], project_import["description"]
    read = Operations.UPDATE_PROJECT_IMPORT.read(project_import, {})
    assert (read.title, read.description) == (None, None)


def test_a_null_optional_field_reads_as_none(project: Row) -> None:
    assert Operations.UPDATE_PROJECT.read(project | {"description": None}, {}).description is None


def test_a_field_named_like_the_sdks_own_stays_in_extra(project: Row) -> None:
    assert Operations.UPDATE_PROJECT.read(project | {"extra": 1}, {}).extra == {"extra": 1}


def test_a_call_is_described_by_its_operation_and_ids() -> None:
    ids = {"user_id": 1, "project_id": 789, "import_id": 123}
    call = CallInfo(Operations.UPDATE_PROJECT_IMPORT, ids, {"title": "not shown"})
    assert str(call) == "update_project_import(user_id=1, project_id=789, import_id=123)"


def test_a_row_that_is_replaced_gets_its_name_from_its_own_place() -> None:
    class Table:
        OTHER = replace(Operations.UPDATE_PROJECT, updates=False)

    assert (Table.OTHER.name, Table.OTHER.updates, Table.OTHER.ids) == ("other", False, ("user_id", "project_id"))
