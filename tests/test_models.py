"""What a caller gets back, and how a response's resource is checked against it."""

import copy
import dataclasses
import json
import pickle
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from neptun_sdk import Project, ProjectImport
from neptun_sdk.models import Resource, with_headers

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
