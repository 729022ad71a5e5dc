"""What a reader may expect of an operation that only reads; run by `test_new_operation` where there is one.

This repository has none, so that the method is looked up by its name.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import neptun_sdk
from neptun_sdk import Dialect, NeptunClient, Project
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY, PROJECT, ClientFor

OF_UPDATES = re.compile(r"appl(y|ied)|chang|updat|send it again|same values", re.IGNORECASE)


def get_project(client: NeptunClient, project_id: int) -> Any:
    return getattr(client, "get_project")(project_id)  # noqa: B009 - mypy knows of no such method


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture
def server(dialect: Dialect) -> Iterator[Sandbox]:
    with Sandbox(dialect) as sandbox:
        yield sandbox


@pytest.fixture
def reader(server: Sandbox, dialect: Dialect) -> Iterator[NeptunClient]:
    session = (server.session_cookie, server.user_id)
    with NeptunClient(*session, base_url=server.base_url, dialect=dialect, max_retries=1) as client:
        yield client


def assert_reads(error: neptun_sdk.NeptunError) -> None:
    """Hold an error of a reading operation to what a reader expects."""
    assert error.operation == "get_project"
    assert error.applied is None
    assert not OF_UPDATES.search(str(error)), error


def test_it_returns_the_resource(reader: NeptunClient, server: Sandbox) -> None:
    project = get_project(reader, server.project_id)
    assert type(project) is Project
    assert (project.id, project.name, project.neptun_user_id) == (server.project_id, "My project", server.user_id)
    assert (project.project_type, project.programming_language) == ("web-site", "typescript")


def test_it_reads_what_an_update_stored(reader: NeptunClient, server: Sandbox) -> None:
    reader.update_project(server.project_id, name="A new name", project_type="web-app")
    project = get_project(reader, server.project_id)
    assert (project.name, project.project_type) == ("A new name", "web-app")


def test_an_id_is_checked_before_anything_is_sent(reader: NeptunClient, server: Sandbox) -> None:
    with pytest.raises(neptun_sdk.ArgumentError, match="get_project: project_id must be a positive int") as caught:
        get_project(reader, 0)
    assert caught.value.applied is None
    assert server.requests == []


def test_a_project_that_does_not_exist_is_not_found(reader: NeptunClient, dialect: Dialect) -> None:
    """A deployed server has a 401 for it, which says that the session is valid."""
    expected = neptun_sdk.NotFoundError if dialect == "documented" else neptun_sdk.AuthenticationError
    with pytest.raises(expected, match=r"Check .*ids") as caught:
        get_project(reader, 999)
    assert_reads(caught.value)


def test_an_unknown_session_is_refused(reader: NeptunClient, server: Sandbox) -> None:
    stranger = reader.with_session(CANARY, server.user_id)
    with pytest.raises(neptun_sdk.AuthenticationError, match="Log in to Neptun again") as caught:
        get_project(stranger, server.project_id)
    assert_reads(caught.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_of_the_server_is_reported(status: int, reader: NeptunClient, server: Sandbox) -> None:
    server.fail_next(status, times=2)
    with pytest.raises(neptun_sdk.StatusError, match=f": {status} ") as caught:
        get_project(reader, server.project_id)
    assert_reads(caught.value)


def test_a_lost_connection_is_reported(reader: NeptunClient, server: Sandbox) -> None:
    server.fail_next(disconnect=True, times=2)
    with pytest.raises(neptun_sdk.NeptunConnectionError, match=r"broke .*\(2 attempts\)\. Call again") as caught:
        get_project(reader, server.project_id)
    assert_reads(caught.value)


def test_a_lost_connection_is_retried(reader: NeptunClient, server: Sandbox) -> None:
    server.fail_next(disconnect=True)
    assert get_project(reader, server.project_id).id == server.project_id


def test_a_timeout_is_reported(reader: NeptunClient, server: Sandbox) -> None:
    server.fail_next(status=None, delay=5)
    with pytest.raises(neptun_sdk.NeptunTimeoutError) as caught:
        get_project(reader.with_options(timeout=0.1), server.project_id)
    assert_reads(caught.value)


class _Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"project": '
        raise httpx.ReadError("reset")


def test_a_connection_that_breaks_within_a_200_is_retried(client_for: ClientFor) -> None:
    """An update is not sent again after the head of a 200, because it was probably applied; a read is."""
    responses = iter([httpx.Response(200, stream=_Broken()), httpx.Response(200, json={"project": PROJECT})])
    client = client_for(lambda _: next(responses))
    assert get_project(client, 123).id == 123
    assert list(responses) == []


@pytest.mark.parametrize(
    "body", [{}, {"project": {**PROJECT, "name": 5}}, {"project": {**PROJECT, "id": 5}}], ids=["empty", "type", "other"]
)
def test_a_response_outside_the_contract_is_reported(body: object, client_for: ClientFor) -> None:
    client = client_for(lambda _: httpx.Response(200, json=body))
    with pytest.raises(neptun_sdk.ResponseError, match="but the body") as caught:
        get_project(client, 123)
    assert_reads(caught.value)


def test_a_redirect_is_reported(client_for: ClientFor) -> None:
    client = client_for(lambda _: httpx.Response(302, headers={"Location": "https://elsewhere.test/"}))
    with pytest.raises(neptun_sdk.ResponseError, match="redirect") as caught:
        get_project(client, 123)
    assert_reads(caught.value)
