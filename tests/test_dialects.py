"""Useful against both servers: what is sent, read and explained in either dialect."""

import logging
from collections.abc import Callable, Iterator
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
    ServerError,
    StatusError,
    UpdateNotVerifiedError,
)
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY, PROJECT

Row = dict[str, object]


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
    assert (error.resource.name, error.applied) == ("New", None)
    assert server.project(server.project_id)["name"] == "New"


@pytest.mark.parametrize("title", ["New", ""], ids=["set", "cleared"])
def test_a_dropped_title_is_found(title: str, server: Sandbox, documented: NeptunClient) -> None:
    """A server without such a field returns none, which must not pass for a text that was cleared."""
    with pytest.raises(UpdateNotVerifiedError) as caught:
        documented.update_project_import(server.project_id, server.import_id, source_path="./x", title=title)
    assert (caught.value.differences, caught.value.applied) == ({"title": (title, None)}, None)
    assert server.project_import(server.project_id, server.import_id)["source_path"] == "./x"


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


NUL = r"Leave out the NUL character: a deployed server cannot store it\.$"


def test_a_nul_character_in_a_project_is_named_as_the_cause(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(ServerError, match=NUL) as caught:
        deployed.update_project(server.project_id, name="a\0b")
    assert caught.value.applied is False


def test_a_nul_character_in_an_import_is_named_as_the_cause(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(NotFoundError, match=NUL) as caught:
        deployed.update_project_import(server.project_id, server.import_id, source_path="a\0b")
    assert (caught.value.applied, caught.value.attempts) == (False, 1)


def test_an_import_that_is_too_large_is_a_413(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(StatusError, match="Shorten the texts") as caught:
        deployed.update_project_import(server.project_id, server.import_id, source_path="x" * 2_000_000)
    assert (type(caught.value), caught.value.status_code, caught.value.applied) == (StatusError, 413, False)
