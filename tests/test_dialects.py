"""Useful against both servers: what is sent, read and explained in either dialect."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from neptun_sdk import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    NeptunClient,
    NotFoundError,
    Project,
    ProjectImport,
    ServerError,
    StatusError,
    UpdateNotVerifiedError,
)
from neptun_sdk.dialects import contract_name, dropped, from_wire, may_be_applied, meaning, wire_name
from neptun_sdk.models import Dialect, Resource
from neptun_sdk.operations import CallInfo, Operations
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY, PROJECT

Row = dict[str, object]


class Reading:
    """An operation that only reads."""

    GET_PROJECT_IMPORT = replace(Operations.UPDATE_PROJECT_IMPORT, updates=False)


PATCH: CallInfo[Any] = CallInfo(Operations.UPDATE_PROJECT, {"user_id": 1, "project_id": 123}, {"name": "a"})
PUT: CallInfo[Any] = CallInfo(
    Operations.UPDATE_PROJECT_IMPORT, {"user_id": 1, "project_id": 789, "import_id": 123}, {"source_path": "a"}
)

NAMES: dict[str, tuple[type[Resource], Dialect, str, str | None]] = {
    "documented project_type": (Project, "documented", "project_type", "project_type"),
    "documented title": (ProjectImport, "documented", "title", "title"),
    "deployed project_type": (Project, "deployed", "project_type", "type"),
    "deployed programming_language": (Project, "deployed", "programming_language", "main_language"),
    "deployed name": (Project, "deployed", "name", "name"),
    "deployed description of a project": (Project, "deployed", "description", "description"),
    "deployed description of an import": (ProjectImport, "deployed", "description", None),
    "deployed title": (ProjectImport, "deployed", "title", None),
    "deployed source_path": (ProjectImport, "deployed", "source_path", "source_path"),
    "a resource without differences": (Resource, "deployed", "title", "title"),
}


@pytest.mark.parametrize(("resource", "dialect", "name", "on_the_wire"), NAMES.values(), ids=NAMES)
def test_a_field_has_a_name_in_each_dialect(
    resource: type[Resource], dialect: Dialect, name: str, on_the_wire: str | None
) -> None:
    assert wire_name(resource, dialect, name) == on_the_wire


CONTRACT_NAMES: dict[str, tuple[type[Resource], str, str]] = {
    "type of a project": (Project, "type", "project_type"),
    "main_language of a project": (Project, "main_language", "programming_language"),
    "the contract's own": (Project, "project_type", "project_type"),
    "the same in both": (Project, "name", "name"),
    "type of an import": (ProjectImport, "type", "type"),
    "a resource without differences": (Resource, "type", "type"),
}


@pytest.mark.parametrize(("resource", "name", "ours"), CONTRACT_NAMES.values(), ids=CONTRACT_NAMES)
def test_a_name_of_either_dialect_has_its_name_in_the_contract(resource: type[Resource], name: str, ours: str) -> None:
    assert contract_name(resource, name) == ours


DOCUMENTS: dict[str, tuple[object, object, Dialect]] = {
    "documented": ({"project": {"id": 1, "project_type": "a"}}, {"id": 1, "project_type": "a"}, "documented"),
    "deployed": (
        {"id": 1, "name": "a", "type": "b", "main_language": "c", "prompt_context": None},
        {"id": 1, "name": "a", "project_type": "b", "programming_language": "c", "prompt_context": None},
        "deployed",
    ),
    "both": ({"project": {"id": 1}, "id": 2}, {"id": 1}, "documented"),
    "null in the envelope": ({"project": None, "id": 2}, None, "documented"),
    "an empty object": ({}, None, "documented"),
    "another API's object": ({"ok": True}, None, "documented"),
    "a row under the contract's names": ({"id": 1, "project_type": "a"}, {"id": 1, "project_type": "a"}, "deployed"),
    "a row under both names": (
        {"id": 1, "type": "a", "project_type": "b"},
        {"id": 1, "type": "a", "project_type": "b"},
        "deployed",
    ),
    "a row under both names, the other way round": (
        {"id": 1, "project_type": "b", "type": "a"},
        {"id": 1, "project_type": "b", "type": "a"},
        "deployed",
    ),
    "an array": ([], None, "documented"),
    "null": (None, None, "documented"),
}


@pytest.mark.parametrize(("document", "row", "dialect"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_200_holds_its_resource_in_an_envelope_or_alone(document: object, row: object, dialect: Dialect) -> None:
    assert from_wire(Operations.UPDATE_PROJECT, document) == (row, dialect)


DROPPED: dict[str, tuple[CallInfo[Any], Dialect, list[str]]] = {
    "documented to documented": (PATCH, "documented", []),
    "documented to deployed": (PATCH, "deployed", ["project_type", "programming_language"]),
    "deployed to deployed": (replace(PATCH, dialect="deployed"), "deployed", []),
    "deployed to documented": (
        replace(PATCH, dialect="deployed"),
        "documented",
        ["project_type", "programming_language"],
    ),
}


@pytest.mark.parametrize(("call", "dialect", "names"), DROPPED.values(), ids=DROPPED)
def test_a_server_of_the_other_dialect_does_not_know_some_names(
    call: CallInfo[Any], dialect: Dialect, names: list[str]
) -> None:
    sent = ["name", "description", "project_type", "programming_language"]
    assert dropped(call, dialect, sent) == names


def test_a_deployed_server_has_no_title_or_description_of_an_import() -> None:
    assert dropped(PUT, "deployed", ["source_path", "title", "description"]) == ["title", "description"]


def test_a_404_of_an_import_may_hide_an_update_that_was_applied() -> None:
    assert may_be_applied(PUT, 404)
    assert not may_be_applied(replace(PUT, operation=Reading.GET_PROJECT_IMPORT), 404)
    assert not may_be_applied(PUT, 400)
    assert not may_be_applied(PATCH, 404)


HANDLER = {"statusCode": 0, "statusMessage": "Server Error", "stack": []}
THROWN = {"error": True, "url": "/", "statusCode": 0, "statusMessage": "Server Error", "message": "Server Error"}
MAX_ID = 2_147_483_647
# The call, the status and the body of its response, and whether the update was applied: "none" if it has the meaning
# that the contract gives it.
MEANINGS: dict[str, tuple[CallInfo[Any], int, object, object]] = {
    "400 of a handler": (PATCH, 400, HANDLER, "none"),
    "401 of a handler": (PATCH, 401, HANDLER, False),
    "401 with a status message that is none": (PATCH, 401, HANDLER | {"statusMessage": 5}, "none"),
    "401 thrown": (PATCH, 401, THROWN, "none"),
    "401 of text": (PATCH, 401, "Unauthorized", "none"),
    "403 of a handler": (PATCH, 403, HANDLER, "none"),
    "404 of a handler, project": (PATCH, 404, HANDLER, "none"),
    "404 of a handler, import": (PUT, 404, HANDLER, None),
    "404 of a handler, without its statusCode": (PUT, 404, {"statusMessage": "Not Found."}, None),
    "404 of a handler, whose message is empty": (PUT, 404, HANDLER | {"message": ""}, None),
    "404 with a status code alone": (PUT, 404, {"statusCode": 404}, None),
    "404 with a status message that is none": (PUT, 404, {"statusMessage": 5}, "none"),
    "404 of a handler, NUL in a field that it drops": (replace(PUT, fields={"title": "\0"}), 404, HANDLER, None),
    "404 of a handler, read": (replace(PUT, operation=Reading.GET_PROJECT_IMPORT), 404, HANDLER, "none"),
    "404 of a handler, NUL": (replace(PUT, fields={"source_path": "\0"}), 404, HANDLER, False),
    "404 thrown, import": (PUT, 404, THROWN, "none"),
    "404 thrown, NUL": (replace(PUT, fields={"source_path": "\0"}), 404, THROWN, "none"),
    "404 of a route": (PUT, 404, THROWN | {"message": "Page not found: /the/path"}, False),
    "404 of a route, read": (
        replace(PUT, operation=Reading.GET_PROJECT_IMPORT),
        404,
        THROWN | {"message": "Page not found: /the/path"},
        False,
    ),
    "404 with a number as its message": (PUT, 404, {"message": 5}, "none"),
    "413": (PUT, 413, THROWN, False),
    "413, project": (PATCH, 413, THROWN, "none"),
    "413 of text": (PUT, 413, "Payload Too Large", "none"),
    "500": (PATCH, 500, HANDLER, "none"),
    "500 of no body": (PATCH, 500, None, "none"),
    "500, NUL": (replace(PATCH, fields={"name": "a\0b"}), 500, HANDLER, None),
    "500 thrown, project_id too large": (
        replace(PATCH, ids={"user_id": 1, "project_id": MAX_ID + 1}),
        500,
        THROWN,
        False,
    ),
    "500 thrown, import_id too large": (
        replace(PUT, ids=dict(PUT.ids) | {"import_id": MAX_ID + 1}),
        500,
        THROWN,
        False,
    ),
    "500 thrown, largest id": (replace(PATCH, ids={"user_id": 1, "project_id": MAX_ID}), 500, THROWN, "none"),
    "500 thrown, user_id too large": (
        replace(PATCH, ids={"user_id": MAX_ID + 1, "project_id": 1}),
        500,
        THROWN,
        "none",
    ),
    "500 of a handler, id too large": (
        replace(PATCH, ids={"user_id": 1, "project_id": MAX_ID + 1}),
        500,
        HANDLER,
        "none",
    ),
    "500, none of the fields known": (replace(PATCH, fields={"project_type": "a"}), 500, HANDLER, None),
    "500, some of the fields known": (replace(PATCH, fields={"name": "a", "project_type": "a"}), 500, HANDLER, "none"),
    "500, fields under deployed names": (
        replace(PATCH, fields={"project_type": "a"}, dialect="deployed"),
        500,
        HANDLER,
        "none",
    ),
    "500, no fields": (replace(PATCH, fields={}), 500, HANDLER, "none"),
    "503, NUL": (replace(PATCH, fields={"name": "a\0b"}), 503, HANDLER, "none"),
    "503, none of the fields known": (replace(PATCH, fields={"project_type": "a"}), 503, HANDLER, "none"),
}


@pytest.mark.parametrize(("call", "status_code", "body", "applied"), MEANINGS.values(), ids=MEANINGS)
def test_some_errors_of_a_deployed_server_have_another_meaning(
    call: CallInfo[Any], status_code: int, body: object, applied: object
) -> None:
    """Their texts are in test_explain.py."""
    found = meaning(call, status_code, body)
    assert (found.applied if found else "none") is applied


@pytest.fixture
def server() -> Iterator[Sandbox]:
    with Sandbox(dialect="deployed") as sandbox:
        yield sandbox


@pytest.fixture
def documented(server: Sandbox) -> Iterator[NeptunClient]:
    """A client that takes the deployed server for a documented one."""
    with NeptunClient(server.session_cookie, server.user_id, base_url=server.base_url) as client:
        yield client


@pytest.fixture
def deployed(server: Sandbox) -> Iterator[NeptunClient]:
    with NeptunClient(server.session_cookie, server.user_id, base_url=server.base_url, dialect="deployed") as client:
        yield client


def test_every_field_of_a_project_is_sent_and_read_by_its_deployed_name(
    server: Sandbox, deployed: NeptunClient
) -> None:
    fields: dict[str, Any] = {
        "name": "Ünïcode 🚀",
        "description": "",
        "project_type": "web-app",
        "programming_language": "go",
    }
    project = deployed.update_project(server.project_id, **fields)
    assert {name: getattr(project, name) for name in fields} == fields
    assert project.extra == {"prompt_context": None}


def test_an_import_of_a_deployed_server_has_no_title(server: Sandbox, deployed: NeptunClient) -> None:
    updated = deployed.update_project_import(server.project_id, server.import_id, source_path="./here")
    assert (updated.source_path, updated.title, updated.description) == ("./here", None, None)
    assert set(updated.extra) == {"source_ref", "import_status", "error_message", "file_tree"}


@pytest.mark.parametrize("name", ["title", "description"])
def test_a_field_that_a_deployed_server_does_not_have_is_refused_before_it_is_sent(name: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"sent {request.content!r}")

    fields: dict[str, Any] = {"source_path": "b", name: "a"}
    with (
        NeptunClient(CANARY, 1, transport=httpx.MockTransport(fail), dialect="deployed") as client,
        pytest.raises(ArgumentError, match=f"a deployed server has no {name}") as caught,
    ):
        client.update_project_import(1, 1, **fields)
    assert (caught.value.operation, caught.value.applied) == ("update_project_import", False)


def test_a_silently_dropped_field_is_found_and_the_dialect_is_named(server: Sandbox, documented: NeptunClient) -> None:
    expected = r"It was not applied; name was\. .*set dialect='deployed'"
    with pytest.raises(UpdateNotVerifiedError, match=expected) as caught:
        documented.update_project(server.project_id, name="New", project_type="web-app")
    error = caught.value
    assert error.differences == {"project_type": ("web-app", "web-site")}
    assert isinstance(error.resource, Project)
    assert (error.resource.name, error.applied) == ("New", False)


@pytest.mark.parametrize("title", ["New", ""], ids=["set", "cleared"])
def test_a_dropped_title_is_found(title: str, server: Sandbox, documented: NeptunClient) -> None:
    """A server without such a field returns none, which must not pass for a text that was cleared."""
    with pytest.raises(UpdateNotVerifiedError) as caught:
        documented.update_project_import(server.project_id, server.import_id, source_path="./x", title=title)
    assert (caught.value.differences, caught.value.applied) == ({"title": (title, None)}, False)


def test_the_other_way_round_the_documented_dialect_is_named(neptun: Sandbox) -> None:
    with (
        NeptunClient(neptun.session_cookie, neptun.user_id, base_url=neptun.base_url, dialect="deployed") as client,
        pytest.raises(UpdateNotVerifiedError, match="set dialect='documented'") as caught,
    ):
        client.update_project(neptun.project_id, project_type="web-app")
    assert caught.value.applied is False


@pytest.mark.parametrize("sends", ["documented", "deployed"])
def test_a_bare_row_is_read_in_either_dialect(
    sends: Dialect, server: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="neptun_sdk")
    with NeptunClient(server.session_cookie, server.user_id, base_url=server.base_url, dialect=sends) as client:
        project = client.update_project(server.project_id, name="One")
    assert (project.name, project.project_type, project.programming_language) == ("One", "web-site", "typescript")
    assert [record for record in caplog.records if record.name == "neptun_sdk"] == []


def test_an_envelope_is_read_in_the_deployed_dialect(neptun: Sandbox) -> None:
    with NeptunClient(neptun.session_cookie, neptun.user_id, base_url=neptun.base_url, dialect="deployed") as client:
        assert client.update_project(neptun.project_id, name="One").name == "One"


def test_a_bare_row_with_both_names_loses_neither() -> None:
    row = PROJECT | {"type": "kept"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=row))
    with NeptunClient(CANARY, 1, transport=transport, dialect="deployed") as client:
        read = client.update_project(123, name="New name")
    assert (read.project_type, read.extra) == ("web-site", {"type": "kept"})


@pytest.mark.parametrize(("field", "value"), [("project_type", "nope"), ("programming_language", "cobol")])
def test_a_400_has_the_names_of_the_contract(field: str, value: str, server: Sandbox, deployed: NeptunClient) -> None:
    fields: dict[str, Any] = {field: value}
    with pytest.raises(BadRequestError, match=f"{field}: Invalid enum value") as caught:
        deployed.update_project(server.project_id, **fields)
    assert list(caught.value.fields) == [field]


def test_a_401_about_the_resource_does_not_ask_for_a_new_session(deployed: NeptunClient) -> None:
    with pytest.raises(AuthenticationError, match="the session is valid, but the resource does not exist") as caught:
        deployed.update_project(999_999, name="x")
    assert "Log in" not in str(caught.value)


def test_a_401_about_the_session_asks_for_a_new_one(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(AuthenticationError, match="Log in to Neptun"):
        deployed.with_session(CANARY, 1).update_project(server.project_id, name="x")


UNKNOWN_FIELDS: dict[str, Callable[[NeptunClient, Sandbox], object]] = {
    "project_type": lambda client, server: client.update_project(server.project_id, project_type="web-app"),
    "programming_language": lambda client, server: client.update_project(server.project_id, programming_language="go"),
    "the published example of an import": lambda client, server: client.update_project_import(
        server.project_id, server.import_id, title="a", description="b"
    ),
}


@pytest.mark.parametrize("update", UNKNOWN_FIELDS.values(), ids=UNKNOWN_FIELDS)
def test_a_500_to_fields_that_a_deployed_server_does_not_know_names_the_dialect(
    update: Callable[[NeptunClient, Sandbox], object], server: Sandbox, documented: NeptunClient
) -> None:
    with pytest.raises(ServerError, match=r"knows none of the fields sent.*set dialect='deployed'") as caught:
        update(documented, server)
    assert caught.value.applied is None


def test_a_500_to_known_fields_names_no_dialect(server: Sandbox, documented: NeptunClient) -> None:
    server.fail_next(status=500)
    with pytest.raises(ServerError) as caught:
        documented.update_project(server.project_id, name="x", project_type="web-app")
    assert "dialect" not in str(caught.value)


NUL = r"Leave out the NUL character: a deployed server cannot store it\.$"


def test_a_nul_character_in_a_project_is_named_as_the_cause(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(ServerError, match=NUL) as caught:
        deployed.update_project(server.project_id, name="a\0b")
    assert caught.value.applied is None


def test_a_nul_character_in_an_import_is_named_as_the_cause(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(NotFoundError, match=NUL) as caught:
        deployed.update_project_import(server.project_id, server.import_id, source_path="a\0b")
    assert (caught.value.applied, caught.value.attempts) == (False, 1)


def test_an_import_that_is_too_large_is_a_413(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(StatusError, match="Shorten the texts") as caught:
        deployed.update_project_import(server.project_id, server.import_id, source_path="x" * 2_000_000)
    assert (type(caught.value), caught.value.status_code, caught.value.applied) == (StatusError, 413, False)


def test_the_dialect_comes_from_the_argument_else_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "dialect='documented'" in repr(NeptunClient(CANARY, 1))
    monkeypatch.setenv("NEPTUN_DIALECT", "deployed")
    assert "dialect='deployed'" in repr(NeptunClient(CANARY, 1))
    assert "dialect='documented'" in repr(NeptunClient(CANARY, 1, dialect="documented"))


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ArgumentError, match="must be 'documented' or 'deployed'"):
        NeptunClient(CANARY, 1, dialect="klingon")  # type: ignore[arg-type]


def test_an_unknown_dialect_of_the_environment_is_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_DIALECT", "klingon")
    with pytest.raises(ArgumentError, match="NEPTUN_DIALECT"):
        NeptunClient(CANARY, 1)
