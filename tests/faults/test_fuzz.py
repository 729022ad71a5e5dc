"""Responses that nobody thought of: a right one, broken at random, over a real socket."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neptun_sdk import NeptunClient, NeptunError, Project
from tests.conftest import CANARY
from tests.faults.raw_server import BODY, RawServer, receive, response

pytestmark = pytest.mark.without_coverage

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
RIGHT = [
    response(),
    CHUNKED,
    response(b'{"statusCode":404,"message":"Project not found"}', "404 Not Found"),
    response(b"", "307 Moved", "Location: https://elsewhere.test/"),
    response(b"", "503 Unavailable", "Retry-After: 1", "Content-Type: text/plain"),
]
# Where to cut or to insert something, and what: bytes that mean something to HTTP or JSON, or any at all.
CHANGES = st.tuples(
    st.integers(0, 400),
    st.integers(0, 8),
    st.sampled_from([b"\r\n", b"\r\n\r\n", b"\0", b":", b'"', b"}", b"[", b"-1", b"9" * 20, b"\xff", b"\\u", b" "])
    | st.binary(max_size=12),
)


class Broken:
    """A script that sends what the test gives it, and closes."""

    content = b""

    def __call__(self, connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(self.content)


@pytest.fixture(scope="module")
def broken() -> Iterator[tuple[Broken, NeptunClient]]:
    script = Broken()
    with (
        RawServer(script) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=60, max_retries=0) as client,
    ):
        yield script, client


def outcome(client: NeptunClient) -> Project | NeptunError:
    try:
        return client.update_project(123, name="New name")
    except NeptunError as error:
        return error


@pytest.mark.soak
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(right=st.sampled_from(RIGHT), changes=st.lists(CHANGES, min_size=1, max_size=4))
def test_a_broken_response_gives_a_verified_resource_or_a_typed_error(
    broken: tuple[Broken, NeptunClient], right: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    script, client = broken
    content = right
    for place, cut, insertion in changes:
        content = content[:place] + insertion + content[place + cut :]
    script.content = content
    result = outcome(client)
    if isinstance(result, Project):
        assert (result.id, result.neptun_user_id, result.name) == (123, 1, "New name")
    else:
        assert result.attempts == 1
        assert str(result).startswith("update_project(user_id=1, project_id=123): ")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_any_bytes_at_all_give_a_typed_error(broken: tuple[Broken, NeptunClient], content: bytes) -> None:
    script, client = broken
    script.content = content
    assert isinstance(outcome(client), NeptunError)


ANYTHING = st.integers() | st.floats() | st.text() | st.none() | st.booleans() | st.binary()


@pytest.mark.soak
@settings(max_examples=500, deadline=None)
@given(
    cookie=st.text(max_size=30) | st.builds("neptun-session={}".format, st.text(max_size=30)) | ANYTHING,
    user_id=ANYTHING,
    base_url=st.text(max_size=40) | st.builds("https://{}".format, st.text(max_size=30)) | ANYTHING,
    timeout=ANYTHING | st.decimals() | st.fractions(),
)
def test_any_setting_at_all_is_accepted_or_refused_with_a_typed_error(
    cookie: object, user_id: object, base_url: object, timeout: object
) -> None:
    with contextlib.suppress(NeptunError):
        NeptunClient(cookie, user_id, base_url=base_url, timeout=timeout).close()  # type: ignore[arg-type]


@settings(max_examples=500, deadline=None)
@given(project_id=ANYTHING, name=ANYTHING)
def test_any_argument_at_all_is_accepted_or_refused_with_a_typed_error(project_id: object, name: object) -> None:
    with (
        NeptunClient(CANARY, 1, base_url="http://127.0.0.1:9", max_retries=0) as client,
        pytest.raises(NeptunError),  # at best, nobody listens there
    ):
        client.update_project(project_id, name=name)  # type: ignore[arg-type]
