"""Calls of operations that the contract does not have: what deletes, creates, lists, and is found by a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from attrs import define

from neptun_openapi.types import UNSET, Unset
from neptun_sdk import NeptunClient, NeptunConnectionError, NotFoundError, Project, ProjectImport, ResponseError
from neptun_sdk._contract import Facts
from neptun_sdk.models import Resource
from neptun_sdk.operations import Operation, Operations
from tests.conftest import CANARY, PROJECT
from tests.operations import DELETE, made

OF_THE_USER = {"user_id": "neptun_user_id"}


def build_list(user_id: int) -> dict[str, Any]:
    return {"method": "get", "url": f"/api/users/{user_id}/projects"}


DELETE_AND_SAY = made("delete_project", DELETE.build, Facts("DELETE", 200, "success", True, {}), None)
LIST = made("list_projects", build_list, Facts("GET", 200, "projects", True, {}), list[Project])
CREATE = made("create", Operations.UPDATE_PROJECT.build, Facts("POST", 201, "project", False, OF_THE_USER), Project)

Step = httpx.Response | Exception


def call(operation: Operation[Any], *steps: Step, resend: bool = False, **arguments: object) -> tuple[Any, int]:
    """Make a call whose attempts meet these steps; return its result or its error, and how many were sent."""
    rest = list(steps)

    def respond(_: httpx.Request) -> httpx.Response:
        step = rest.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    transport = httpx.MockTransport(respond)
    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport, max_retries=1) as client:
        try:
            result = client.with_options(resend=resend)._call(operation, arguments)
        except Exception as exc:
            result = exc
    return result, len(steps) - len(rest)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)


def test_a_deletion_without_a_body_returns_none() -> None:
    assert call(DELETE, httpx.Response(204), project_id=1) == (None, 1)


def test_a_deletion_that_says_so_returns_none() -> None:
    assert call(DELETE_AND_SAY, httpx.Response(200, json={"success": True}), project_id=1) == (None, 1)


NO_SUCCESSES: dict[str, Any] = {"false": {"success": False}, "a text": {"success": "true"}, "nothing": {}, "a list": []}


@pytest.mark.parametrize("body", NO_SUCCESSES.values(), ids=NO_SUCCESSES)
def test_a_deletion_that_does_not_say_so_is_an_error(body: object) -> None:
    error, _ = call(DELETE_AND_SAY, httpx.Response(200, json=body), project_id=1)
    assert isinstance(error, ResponseError)
    assert error.applied is None
    assert "for success, not true. The deletion may have been applied" in str(error)


def test_a_deletion_that_was_lost_and_is_gone_at_the_second_try_has_probably_been_applied() -> None:
    gone = httpx.Response(404, json={"statusCode": 404, "message": "Project not found"})
    error, sent = call(DELETE, httpx.ReadError("lost"), gone, project_id=1)
    assert (type(error), error.applied, sent) == (NotFoundError, None, 2)
    assert "An earlier attempt of this call has probably deleted it." in str(error)


def test_a_list_is_a_list_of_resources() -> None:
    (project,), _ = call(LIST, httpx.Response(200, json={"projects": [PROJECT]}))
    assert type(project) is Project
    error, _ = call(LIST, httpx.Response(200, json={"projects": {}}))
    assert "is not a projects (projects: expected a list, got dict)" in str(error)


@pytest.mark.parametrize(("resend", "attempts"), [(False, 1), (True, 2)], ids=["by itself", "if asked for"])
def test_what_creates_is_not_sent_again_after_a_lost_response(*, resend: bool, attempts: int) -> None:
    created = httpx.Response(201, json={"project": {**PROJECT, "name": "a"}})
    result, sent = call(CREATE, httpx.ReadError("lost"), created, resend=resend, project_id=1, name="a")
    assert sent == attempts
    if resend:
        assert result.name == "a"
    else:
        assert type(result) is NeptunConnectionError
        assert "The creation may have been applied. Check whether the creation was applied before" in str(result)


def test_what_creates_is_not_sent_again_after_a_503() -> None:
    error, sent = call(CREATE, httpx.Response(503), project_id=1, name="a")
    assert (error.applied, sent) == (None, 1)


def test_a_field_that_the_resource_does_not_have_is_not_compared(project_import: dict[str, object]) -> None:
    """Such as a password, which no response has."""
    operation = made(
        "update", Operations.UPDATE_PROJECT.build, Facts("PATCH", 200, "import", True, OF_THE_USER), ProjectImport
    )
    row = {**project_import, "description": "new"}
    result, _ = call(operation, httpx.Response(200, json={"import": row}), project_id=1, name="a", description="new")
    assert result.description == "new"


@define
class Renaming:
    """What the generator would write for a body with the text by which a resource is found."""

    slug: str | Unset = UNSET

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "Renaming":
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        return {"slug": self.slug}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Resource):
    """A resource that is found by a text."""

    slug: str
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


def build_renaming(name: str, *, body: Renaming) -> dict[str, Any]:
    return {"method": "patch", "url": f"/api/projects/{name}", "json": body.to_dict()}


def build_named(name: str) -> dict[str, Any]:
    return {"method": "get", "url": f"/api/projects/{name}"}


RENAME = made("rename", build_renaming, Facts("PATCH", 200, "", True, {"name": "slug"}), Named)


def test_an_id_that_the_call_changes_is_compared_with_what_was_sent() -> None:
    result, _ = call(RENAME, httpx.Response(200, json={"slug": "b"}), name="a", slug="b")
    assert result == Named(slug="b")


def test_a_text_that_names_another_resource_is_told() -> None:
    read = made("get", build_named, Facts("GET", 200, "", True, {"name": "slug"}), Named)
    assert call(read, httpx.Response(200, json={"slug": "a"}), name="a")[0] == Named(slug="a")
    error, _ = call(read, httpx.Response(200, json={"slug": "b"}), name="a")
    assert "is about another named (slug is 'b', not a)" in str(error)
