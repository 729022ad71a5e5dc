"""``timeout`` is the whole call: however a server stalls it, the call ends on time, over real sockets.

A busy machine may be late, so that the upper bounds are generous: each is far below what the call would take without a
deadline, which is without end.
"""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from neptun_sdk import NeptunClient, NeptunConnectionError, NeptunTimeoutError, NotFoundError, Project, ServerError
from tests.conftest import CANARY, TIMEOUTS
from tests.faults.raw_server import (
    BODY,
    RawServer,
    Script,
    full_backlog,
    receive,
    response,
    sends,
    serves,
    until_closed,
)

OK = b"HTTP/1.1 200 OK\r\n"
TIMEOUT = 0.3  # seconds
LATE = 10.0  # seconds by which a busy machine may end a call after its deadline
LARGE = "x" * 16_000_000  # more than the buffers between two sockets take
ADDRESS = (socket.AF_INET, socket.SOCK_STREAM, 6, "")


def update(client: NeptunClient) -> Project:
    return client.update_project(123, name="New name")


@contextlib.contextmanager
def ends_within(most: float, *, at_least: float = 0.0) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert at_least <= time.monotonic() - began < most


def ends_at_the_deadline() -> contextlib.AbstractContextManager[None]:
    return ends_within(TIMEOUT + LATE, at_least=TIMEOUT)


def drips(first: bytes, rest: bytes, pause: float = 0.02) -> Script:
    """Make a script that sends some bytes at once, and then one at a time without end."""

    def script(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(first)
        while True:
            for byte in rest:
                connection.sendall(bytes([byte]))
                time.sleep(pause)

    return script


def floods(data: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        receive(connection)
        while True:
            connection.sendall(data)

    return script


def drips_then_stalls(connection: socket.socket) -> None:
    """Send bytes for most of the time, and then nothing: the last read must not have the whole timeout again."""
    receive(connection)
    connection.sendall(OK + b"\r\n")
    for _ in range(6):
        connection.sendall(b" ")
        time.sleep(TIMEOUTS[0] / 8)
    until_closed(connection)


STALLS: dict[str, tuple[Script, int | None]] = {
    "no response": (sends(then=until_closed), None),
    "a status line that drips": (drips(b"", b"HTTP/1.1 200 OK\r\n"), None),
    "header lines that drip": (drips(OK, b"X: a\r\n"), None),
    "1xx that drip": (drips(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause=0), None),
    "a flood of 1xx": (floods(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100), None),
    "a body that drips": (drips(OK + b"\r\n", b" "), 200),
    "a body that drips and then stalls": (drips_then_stalls, 200),
    "a body that stalls": (sends(OK + b"Content-Length: 9\r\n\r\n{", then=until_closed), 200),
    "a chunk header that drips": (drips(OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"a"), 200),
    "trailers that drip": (drips(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a"), 200),
}


@pytest.mark.parametrize(("script", "status_code"), STALLS.values(), ids=STALLS)
def test_timeout_bounds_every_kind_of_stall(script: Script, status_code: int | None) -> None:
    for timeout in TIMEOUTS:
        with (
            RawServer(script) as server,
            NeptunClient(CANARY, 1, base_url=server.base_url, timeout=timeout) as client,
            ends_within(timeout + LATE, at_least=timeout),
            pytest.raises(NeptunTimeoutError, match=r"timed out after ") as caught,
        ):
            update(client)
        if (caught.value.status_code, type(caught.value.__cause__)) == (status_code, httpx.ReadTimeout):
            break
    assert caught.value.applied is None  # the head of a 200 alone does not prove that the update was applied
    assert caught.value.status_code == status_code
    assert repr(caught.value.__cause__) in (
        "ReadTimeout('the time of the call is over')",  # noticed before a read
        "ReadTimeout('timed out')",  # or by it
    )


def test_timeout_bounds_the_body_of_an_error() -> None:
    """The status is an error of its own, with or without the rest of the body."""
    with (
        RawServer(drips(b"HTTP/1.1 404 Not Found\r\n\r\n", b" ")) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT) as client,
        ends_at_the_deadline(),
        pytest.raises(NotFoundError),
    ):
        update(client)


def test_timeout_bounds_a_large_request_that_is_read_slowly() -> None:
    def reads_slowly(connection: socket.socket) -> None:
        while connection.recv(65_536):
            time.sleep(0.1)

    for timeout in TIMEOUTS:
        with (
            RawServer(reads_slowly) as server,
            NeptunClient(CANARY, 1, base_url=server.base_url, timeout=timeout) as client,
            ends_within(timeout + LATE, at_least=timeout),
            pytest.raises(NeptunTimeoutError) as caught,
        ):
            client.update_project(123, description=LARGE)
        if isinstance(caught.value.__cause__, httpx.WriteTimeout):
            break
    assert (type(caught.value.__cause__), caught.value.applied) == (httpx.WriteTimeout, None)


def test_timeout_bounds_all_attempts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda *_: 0.01)
    with (
        RawServer(serves(response(b"", "503 Busy"))) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=1, max_retries=1_000_000) as client,
        ends_within(1 + LATE),
        pytest.raises((ServerError, NeptunTimeoutError), match=r" attempts\)") as caught,
    ):
        update(client)
    assert caught.value.attempts > 1


def test_a_wait_that_would_end_after_the_deadline_is_not_begun() -> None:
    with (
        RawServer(serves(response(b"", "503 Busy", "Retry-After: 3600"))) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=60) as client,
        ends_within(LATE),
        pytest.raises(ServerError, match="Call again after 3600 s") as caught,
    ):
        update(client)
    assert (caught.value.attempts, caught.value.retry_after) == (1, 3600)


def test_timeout_bounds_a_connection_that_is_never_accepted() -> None:
    with (
        full_backlog() as port,
        NeptunClient(CANARY, 1, base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT) as client,
        ends_at_the_deadline(),
        pytest.raises(NeptunTimeoutError) as caught,
    ):
        update(client)
    assert caught.value.applied is False


def test_a_transport_of_the_callers_own_is_bounded_between_two_reads() -> None:
    class Dripping(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                time.sleep(0.02)
                yield b" "

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping()))
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=TIMEOUT, transport=transport) as client,
        ends_at_the_deadline(),
        pytest.raises(NeptunTimeoutError) as caught,
    ):
        update(client)
    assert caught.value.applied is None
    assert caught.value.status_code == 200
    assert repr(caught.value.__cause__) == "ReadTimeout('the time of the call is over')"


def test_a_transport_of_the_callers_own_gets_the_remaining_time_as_httpx_timeouts() -> None:
    timeouts: list[dict[str, float]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        timeouts.append(dict(request.extensions["timeout"]))
        return httpx.Response(200, content=BODY)

    transport = httpx.MockTransport(respond)
    with NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=60, transport=transport) as client:
        update(client)
    assert set(timeouts[0]) == {"connect", "read", "write", "pool"}
    assert all(60 - LATE < seconds <= 60 for seconds in timeouts[0].values())


@pytest.mark.parametrize("closes", [False, True], ids=["open", "closed meanwhile"])
def test_timeout_bounds_the_look_up_of_a_name(closes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def no_name_server(*_: object, **__: object) -> None:
        if closes:
            client.close()
        given_up.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_name_server)
    pattern = "the client was closed" if closes else r"looking up neptun\.test took too long"
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=TIMEOUT) as client,
        ends_at_the_deadline(),
        pytest.raises(NeptunConnectionError, match=pattern) as caught,
    ):
        update(client)
    given_up.set()
    assert caught.value.applied is False


def test_an_address_that_uses_up_the_time_leaves_none_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connect may overrun its share: it is not httpcore's to interrupt."""
    hosts: list[str] = []

    def refuse_late(address: tuple[str, int], *_: object, **__: object) -> None:
        hosts.append(address[0])
        time.sleep(TIMEOUT)
        raise ConnectionRefusedError("refused")

    addresses = [(*ADDRESS, (host, 443)) for host in ("127.0.0.1", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(socket, "create_connection", refuse_late)
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=TIMEOUT) as client,
        pytest.raises(NeptunTimeoutError),
    ):
        update(client)
    assert hosts == ["127.0.0.1"]


FROZEN = """
import asyncio, http.server, queue, ssl, sys, time
time.monotonic = lambda: 0.0
time.time = lambda: 0.0
from neptun_sdk import NeptunClient, NeptunTimeoutError
try:
    NeptunClient("a-session", 1, base_url=sys.argv[1], timeout=0.3).update_project(1, name="x")
except NeptunTimeoutError:
    print("in time")
"""


def test_the_deadline_has_a_clock_that_no_test_tool_stops() -> None:
    """freezegun replaces ``time.monotonic``, often before the first client is made; the call would never end."""
    with RawServer(drips(OK, b"X: a\r\n")) as server:
        command = [sys.executable, "-c", FROZEN, server.base_url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "in time\n"
