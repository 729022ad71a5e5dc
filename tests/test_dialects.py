"""Useful against both servers: what is sent, read, warned of and said, in either dialect."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

import neptun_sdk
from neptun_sdk import ArgumentError, NeptunClient, UpdateNotAppliedError
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY


@pytest.fixture
def server() -> Iterator[Sandbox]:
    with Sandbox("deployed") as sandbox:
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


def test_every_field_of_a_project_is_written_and_read_by_its_deployed_name(
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


@pytest.mark.parametrize("fields", [{"title": "a"}, {"description": "a", "source_path": "b"}])
def test_what_a_deployed_server_cannot_store_is_refused_before_it_is_sent(fields: dict[str, Any]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise AssertionError("sent")

    with (
        NeptunClient(CANARY, 1, transport=httpx.MockTransport(fail), dialect="deployed") as client,
        pytest.raises(ArgumentError, match=r"cannot be stored by a server of the deployed dialect") as caught,
    ):
        client.update_project_import(1, 1, **fields)
    assert (caught.value.operation, caught.value.applied) == ("update_project_import", False)


def test_a_silently_dropped_field_is_found_out_and_the_dialect_is_named(
    server: Sandbox, documented: NeptunClient
) -> None:
    with pytest.raises(UpdateNotAppliedError, match=r"Applied: name.*set dialect='deployed'") as caught:
        documented.update_project(server.project_id, name="New", project_type="web-app")
    error = caught.value
    assert error.ignored == {"project_type": ("web-app", "web-site")}
    assert isinstance(error.resource, neptun_sdk.Project)
    assert error.resource.name == "New"
    assert error.applied is False


def test_a_dropped_title_is_found_out_too(server: Sandbox, documented: NeptunClient) -> None:
    with pytest.raises(UpdateNotAppliedError) as caught:
        documented.update_project_import(server.project_id, server.import_id, source_path="./x", title="New")
    assert caught.value.ignored == {"title": ("New", None)}


def test_the_other_way_round_the_documented_dialect_is_named(neptun: Sandbox) -> None:
    with (
        NeptunClient(neptun.session_cookie, neptun.user_id, base_url=neptun.base_url, dialect="deployed") as client,
        pytest.raises(UpdateNotAppliedError, match="set dialect='documented'"),
    ):
        client.update_project(neptun.project_id, project_type="web-app")


def test_a_bare_row_is_read_in_the_documented_dialect_with_one_warning_per_client(
    server: Sandbox, documented: NeptunClient, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("One", "Two"):
        project = documented.update_project(server.project_id, name=name)
        assert (project.name, project.project_type, project.programming_language) == (name, "web-site", "typescript")
    second = server.accounts[1]
    documented.with_session(second.session_cookie, second.user_id).update_project(second.project_id, name="x")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [
        f"{server.base_url} speaks the deployed dialect: set dialect='deployed' (NEPTUN_DIALECT=deployed)"
    ]


def test_many_threads_at_once_give_one_warning(caplog: pytest.LogCaptureFixture, project: dict[str, object]) -> None:
    together = threading.Barrier(16)

    def answer(request: httpx.Request) -> httpx.Response:
        together.wait(10)
        return httpx.Response(200, json=project)

    with NeptunClient(CANARY, 1, transport=httpx.MockTransport(answer)) as client, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: client.update_project(123, name="New name"), range(16)))
    assert [record.levelno for record in caplog.records if record.levelno >= logging.WARNING] == [logging.WARNING]


def test_a_bare_row_with_both_names_loses_neither(project: dict[str, object]) -> None:
    row = project | {"type": "kept"}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=row))
    with NeptunClient(CANARY, 1, transport=transport, dialect="deployed") as client:
        read = client.update_project(123, name="New name")
    assert (read.project_type, read.extra) == ("web-site", {"type": "kept"})


def test_in_the_deployed_dialect_a_bare_row_is_no_news(
    server: Sandbox, deployed: NeptunClient, caplog: pytest.LogCaptureFixture
) -> None:
    deployed.update_project(server.project_id, name="x")
    assert not [record for record in caplog.records if record.name == "neptun_sdk" and record.levelno > logging.DEBUG]


@pytest.mark.parametrize(("field", "value"), [("project_type", "nope"), ("programming_language", "cobol")])
def test_a_400_speaks_the_callers_names(field: str, value: str, server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.BadRequestError, match=f"{field}: Invalid enum value") as caught:
        deployed.update_project(server.project_id, **{field: value})
    assert list(caught.value.fields) == [field]


def test_the_two_kinds_of_401_are_told_apart(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.AuthenticationError, match="session is valid, but the resource does not exist"):
        deployed.update_project(999, name="x")
    with pytest.raises(neptun_sdk.AuthenticationError, match="Log in to Neptun"):
        deployed.with_session(CANARY, 1).update_project(server.project_id, name="x")


@pytest.mark.parametrize("fields", [{"project_type": "web-app"}, {"programming_language": "go"}])
def test_a_500_to_fields_that_are_not_known_there_names_the_dialect(
    fields: dict[str, Any], server: Sandbox, documented: NeptunClient
) -> None:
    with pytest.raises(
        neptun_sdk.ServerError, match=r"knows none of the fields sent.*set dialect='deployed'"
    ) as caught:
        documented.update_project(server.project_id, **fields)
    assert caught.value.applied is None


def test_a_500_to_the_published_example_names_the_dialect(server: Sandbox, documented: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.ServerError, match=r"\(title, description\).*set dialect='deployed'"):
        documented.update_project_import(server.project_id, server.import_id, title="a", description="b")


def test_a_500_to_known_fields_names_no_dialect(server: Sandbox, documented: NeptunClient) -> None:
    server.fail_next(500)
    with pytest.raises(neptun_sdk.ServerError) as caught:
        documented.update_project(server.project_id, name="x", project_type="web-app")
    assert "dialect" not in str(caught.value)


def test_a_nul_character_is_named_as_the_cause(server: Sandbox, deployed: NeptunClient) -> None:
    told = r"applied\..* A field holds a NUL character, which a deployed server cannot store: leave it out\.$"
    with pytest.raises(neptun_sdk.ServerError, match=told):
        deployed.update_project(server.project_id, name="a\0b")
    with pytest.raises(neptun_sdk.NotFoundError, match="NUL character"):
        deployed.update_project_import(server.project_id, server.import_id, source_path="a\0b")


def test_an_import_that_is_too_large_is_a_413(server: Sandbox, deployed: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.StatusError) as caught:
        deployed.update_project_import(server.project_id, server.import_id, source_path="x" * 2_000_000)
    assert (type(caught.value), caught.value.status_code) == (neptun_sdk.StatusError, 413)
    assert caught.value.applied is False


def test_the_dialect_comes_from_the_argument_else_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "dialect='documented'" in repr(NeptunClient(CANARY, 1))
    monkeypatch.setenv("NEPTUN_DIALECT", "deployed")
    assert "dialect='deployed'" in repr(NeptunClient(CANARY, 1))
    assert "dialect='documented'" in repr(NeptunClient(CANARY, 1, dialect="documented"))


def test_a_dialect_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match="must be 'documented' or 'deployed'"):
        NeptunClient(CANARY, 1, dialect="klingon")  # type: ignore[arg-type]
    monkeypatch.setenv("NEPTUN_DIALECT", "klingon")
    with pytest.raises(ArgumentError, match="NEPTUN_DIALECT"):
        NeptunClient(CANARY, 1)
    with pytest.raises(ValueError, match="must be 'documented' or 'deployed'"):
        Sandbox("klingon")  # type: ignore[arg-type]
