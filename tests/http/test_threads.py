"""One client serves a whole process: many threads, many users, closing, and what it may close."""

import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import trustme

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError, NeptunTimeoutError, Project
from tests.conftest import CANARY, PROJECT
from tests.faults.raw_server import RawServer, mirrors, receive, response, sends
from tests.http.servers import HOST, LARGE, PATIENCE, server_context, update

THREADS = 64
CALLS = 10_000


@pytest.mark.without_coverage
def test_no_response_is_lost_or_crossed_under_64_threads_and_10_000_calls() -> None:
    with (
        RawServer(mirrors) as server,
        NeptunClient("session-of-user-1", 1, base_url=server.base_url, timeout=PATIENCE) as client,
    ):
        users = {number: client.with_session(f"session-of-user-{number}", number) for number in range(1, 51)}

        def call(number: int) -> bool:
            user = number % 50 + 1
            project = users[user].update_project(number + 1, name=f"name {number}")
            own = (project.id, project.name, project.neptun_user_id) == (number + 1, f"name {number}", user)
            return own and project.extra == {"session": f"session-of-user-{user}"[::-1]}

        with ThreadPoolExecutor(THREADS) as pool:
            results = list(pool.map(call, range(CALLS)))
        assert results == [True] * CALLS
        assert server.max_open <= THREADS


def test_a_hundred_calls_are_sent_at_once_and_no_more() -> None:
    """The others wait, for as long as their own timeouts; a call that failed gives its place back."""
    arrived, go_on = threading.Semaphore(0), threading.Event()

    def waits_for_the_others(connection: socket.socket) -> None:
        while True:
            receive(connection)
            arrived.release()
            assert go_on.wait(PATIENCE)
            connection.sendall(response())

    with (
        RawServer(*[sends()] * 101, waits_for_the_others) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=PATIENCE, max_retries=0) as client,
        ThreadPoolExecutor(130) as pool,
    ):
        for _ in range(101):
            with pytest.raises(NeptunConnectionError):
                update(client)
        calls = [pool.submit(update, client) for _ in range(130)]
        for _ in range(100):
            assert arrived.acquire(timeout=PATIENCE)
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError, match="no connection became free") as caught:
            update(client.with_options(timeout=0.2))
        assert 0.2 <= time.monotonic() - began < PATIENCE / 2
        assert caught.value.applied is False
        assert not arrived.acquire(blocking=False)
        assert server.connections == 201
        go_on.set()
        assert [call.result(PATIENCE) for call in calls] == [123] * 130


def test_ten_thousand_sessions_open_no_connection() -> None:
    with RawServer(mirrors) as server, NeptunClient(CANARY, 1, base_url=server.base_url, timeout=PATIENCE) as client:
        sessions = [client.with_session(f"session-of-user-{number}", number) for number in range(1, 10_001)]
        assert server.connections == 0
        assert sessions[-1].update_project(1, name="x").neptun_user_id == 10_000
        assert server.connections == 1


@pytest.fixture
def arrived() -> threading.Event:
    """Set when the call is where it is to be closed."""
    return threading.Event()


@pytest.fixture
def closed() -> threading.Event:
    """Set when the client was closed and its call has ended, or should have."""
    return threading.Event()


def assert_closing_ends(client: NeptunClient, call: Future[Project], closed: threading.Event) -> NeptunConnectionError:
    """Close a client whose call would otherwise take its whole timeout; return the error of the call."""
    client.close()
    try:
        with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
            call.result(PATIENCE / 2)
    finally:
        closed.set()
    with pytest.raises(ArgumentError, match="this client is closed; make a new NeptunClient"):
        update(client)
    return caught.value


IN_FLIGHT: dict[str, Callable[[socket.socket], object]] = {
    "no response": receive,
    "a body that stalls": lambda it: it.sendall(response(length=5000)) if receive(it) else None,
    "a request that is not read": lambda it: it.recv(1),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain http", "TLS"])
@pytest.mark.parametrize("begins", IN_FLIGHT.values(), ids=IN_FLIGHT)
def test_closing_a_client_ends_its_reads_and_writes_at_once(
    begins: Callable[[socket.socket], object],
    tls: bool,
    submit: Callable[..., Future[Project]],
    arrived: threading.Event,
    closed: threading.Event,
    trusted: trustme.CA,
) -> None:
    """The server closes nothing before the call has ended."""

    def script(connection: socket.socket) -> None:
        begins(connection)
        arrived.set()
        closed.wait(PATIENCE)

    with RawServer(script, tls=server_context(trusted, "127.0.0.1") if tls else None) as server:
        client = NeptunClient(CANARY, 1, base_url=server.base_url, timeout=2 * PATIENCE)
        call = submit(client.update_project, 123, description=LARGE)
        assert arrived.wait(PATIENCE)
        error = assert_closing_ends(client, call, closed)
        assert server.connections == 1
    assert (error.applied, error.attempts) == (None, 1)


def test_closing_a_client_ends_a_socks_handshake_at_once(
    submit: Callable[..., Future[Project]], arrived: threading.Event, closed: threading.Event
) -> None:
    """httpcore's pool knows no connection yet."""

    def silent(connection: socket.socket) -> None:
        connection.recv(1)
        arrived.set()
        closed.wait(PATIENCE)

    with RawServer(silent) as proxy:
        url = f"socks5://127.0.0.1:{proxy.port}"
        client = NeptunClient(CANARY, 1, base_url=f"https://{HOST}", timeout=2 * PATIENCE, proxy=url)
        call = submit(client.update_project, 123, name="New name")
        assert arrived.wait(PATIENCE)
        assert_closing_ends(client, call, closed)


class Interrupted(BaseException):
    """What a signal handler raises."""


@pytest.mark.parametrize("closes", [False, True], ids=["its response comes", "the client is closed"])
def test_an_interrupted_call_leaves_that_of_another_thread_alone(
    closes: bool,
    submit: Callable[..., Future[Project]],
    arrived: threading.Event,
    closed: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Ctrl-C in the main thread: that of another goes on, in a pool that is no longer the client's."""

    def waits(connection: socket.socket) -> None:
        receive(connection)
        arrived.set()
        closed.wait(PATIENCE)
        connection.sendall(response())

    def interrupt(*_: object) -> httpx.Response:
        raise Interrupted

    with RawServer(waits) as server:
        client = NeptunClient(CANARY, 1, base_url=server.base_url, timeout=2 * PATIENCE)
        call = submit(client.update_project, 123, name="New name")
        assert arrived.wait(PATIENCE)
        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", interrupt)
        with pytest.raises(Interrupted):
            update(client)
        if closes:
            assert_closing_ends(client, call, closed)
        else:
            closed.set()
            assert call.result(PATIENCE).name == "New name"
            client.close()


CONNECTING = {
    "a look-up": "getaddrinfo",
    "a connect": "create_connection",
}


@pytest.mark.parametrize("function", CONNECTING.values(), ids=CONNECTING)
def test_nothing_is_sent_after_closing_during(
    function: str,
    submit: Callable[..., Future[Project]],
    arrived: threading.Event,
    closed: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends by its deadline; its connection is closed as soon as it is made."""
    received: list[bytes] = []
    original: Callable[..., Any] = getattr(socket, function)

    def late(*arguments: Any, **options: Any) -> Any:
        arrived.set()
        closed.wait(PATIENCE)
        return original(*arguments, **options)

    with RawServer(lambda it: received.append(it.recv(1))) as server:
        client = NeptunClient(CANARY, 1, base_url=f"http://localhost:{server.port}", timeout=2 * PATIENCE)
        with monkeypatch.context() as patched:
            patched.setattr(socket, function, late)
            call = submit(client.update_project, 123, name="New name")
            assert arrived.wait(PATIENCE)
            client.close()
            closed.set()
            with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
                call.result(PATIENCE)
    assert caught.value.applied is False
    assert b"".join(received) == b""


def test_nothing_is_sent_after_closing_during_a_tls_handshake(
    submit: Callable[..., Future[Project]],
    arrived: threading.Event,
    closed: threading.Event,
    trusted: trustme.CA,
) -> None:
    """The server completes the handshake after the client was closed, and gets no byte of the request."""
    received: list[bytes] = []

    def handshakes_late(connection: socket.socket) -> None:
        arrived.set()
        closed.wait(PATIENCE)
        with server_context(trusted, "127.0.0.1").wrap_socket(connection, server_side=True) as secure:
            received.append(secure.recv(1))

    with RawServer(handshakes_late) as server:
        url = f"https://127.0.0.1:{server.port}"
        client = NeptunClient(CANARY, 1, base_url=url, timeout=2 * PATIENCE)
        call = submit(client.update_project, 123, name="New name")
        assert arrived.wait(PATIENCE)
        client.close()
        closed.set()
        with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
            call.result(PATIENCE)
    assert caught.value.applied is False
    assert b"".join(received) == b""


def test_closing_twice_closes_once_and_every_connection() -> None:
    ended = threading.Semaphore(0)
    barrier = threading.Barrier(3)

    def serve(connection: socket.socket) -> None:
        receive(connection)
        barrier.wait(PATIENCE)
        connection.sendall(response())
        if not connection.recv(1):
            ended.release()

    with RawServer(serve) as server, ThreadPoolExecutor(3) as pool:
        client = NeptunClient(CANARY, 1, base_url=server.base_url, timeout=PATIENCE)
        list(pool.map(lambda _: update(client), range(3)))
        client.close()
        client.close()
        for _ in range(3):
            assert ended.acquire(timeout=PATIENCE)


def test_closing_ends_the_calls_of_every_thread(closed: threading.Event) -> None:
    all_here = threading.Barrier(4)

    def waits(connection: socket.socket) -> None:
        receive(connection)
        all_here.wait(PATIENCE)
        closed.wait(PATIENCE)

    with RawServer(waits) as server, ThreadPoolExecutor(3) as pool:
        client = NeptunClient(CANARY, 1, base_url=server.base_url, timeout=2 * PATIENCE)
        calls = [pool.submit(update, client) for _ in range(3)]
        all_here.wait(PATIENCE)
        client.close()
        try:
            for call in calls:
                with pytest.raises(NeptunConnectionError, match="the client was closed during the call"):
                    call.result(PATIENCE / 2)
        finally:
            closed.set()


def test_closing_leaves_a_transport_of_the_callers_own_open() -> None:
    class Closing(httpx.MockTransport):
        def close(self) -> None:
            pytest.fail("closed")

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"project": PROJECT | json.loads(request.content)})

    with NeptunClient(CANARY, 1, base_url=f"https://{HOST}", transport=Closing(respond)) as client:
        update(client)


@pytest.mark.parametrize(("status", "applied"), [(429, False), (503, None)])
def test_a_wait_between_two_attempts_ends_when_the_client_is_closed(status: int, applied: bool | None) -> None:
    """Retry-After asks for a wait of a minute."""

    def respond(_: httpx.Request) -> httpx.Response:
        threading.Timer(0.05, client.close).start()
        return httpx.Response(status, headers={"Retry-After": "60"})

    transport = httpx.MockTransport(respond)
    client = NeptunClient(CANARY, 1, base_url=f"https://{HOST}", timeout=100, transport=transport)
    began = time.monotonic()
    with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
        update(client)
    assert time.monotonic() - began < PATIENCE / 2
    assert (caught.value.applied, caught.value.attempts) == (applied, 1)
