"""One client serves a whole process: many threads, many users, closing, and what it may close."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError, Project
from neptun_sdk.connections import MAX_CONNECTIONS
from neptun_sdk.network import _is_ready
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, Script, full_backlog, mirrors, receive, response, until_closed
from tests.faults.test_tls import server_context

THREADS = 64
CALLS = 10_000
LARGE = "x" * 16_000_000  # more than the buffers between two sockets take
PATIENCE = 50  # seconds; nothing in this file takes any


@pytest.mark.soak
@pytest.mark.without_coverage
def test_no_response_is_lost_or_crossed_under_64_threads_and_10_000_calls() -> None:
    with (
        RawServer(mirrors) as server,
        NeptunClient("session-of-user-1", 1, base_url=server.base_url, timeout=PATIENCE) as client,
    ):
        users = {number: client.with_session(f"session-of-user-{number}", number) for number in range(1, 51)}

        def update(number: int) -> bool:
            user = number % 50 + 1
            project = users[user].update_project(number + 1, name=f"name {number}")
            own = (project.id, project.name, project.neptun_user_id) == (number + 1, f"name {number}", user)
            return own and project.extra == {"session": f"session-of-user-{user}"[::-1]}

        with ThreadPoolExecutor(THREADS) as pool:
            results = list(pool.map(update, range(CALLS)))
        assert results == [True] * CALLS
        assert server.max_open <= THREADS


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection is kept until as many are open as there may be, or the last calls have come."""
    monkeypatch.setattr("neptun_sdk.connections._KEEPALIVE_EXPIRY", PATIENCE)  # a busy machine leaves some unused
    assert MAX_CONNECTIONS == 100
    arrived = threading.Semaphore(0)
    go_on = threading.Event()

    def waits_for_the_others(connection: socket.socket) -> None:
        while True:
            receive(connection)
            arrived.release()
            assert go_on.wait(PATIENCE)
            connection.sendall(response())

    with (
        RawServer(waits_for_the_others) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=PATIENCE) as client,
        ThreadPoolExecutor(130) as pool,
    ):
        calls = [pool.submit(client.update_project, 123, name="New name") for _ in range(130)]
        for _ in range(100):
            assert arrived.acquire(timeout=PATIENCE)
        assert not arrived.acquire(timeout=0.2)  # the other thirty wait
        assert server.connections == 100
        go_on.set()
        assert [call.result(PATIENCE).id for call in calls] == [123] * 130
        assert server.connections == 100


def test_ten_thousand_sessions_open_no_connection() -> None:
    with RawServer(mirrors) as server, NeptunClient(CANARY, 1, base_url=server.base_url, timeout=PATIENCE) as client:
        sessions = [client.with_session(f"session-of-user-{number}", number) for number in range(1, 10_001)]
        assert server.connections == 0
        assert sessions[-1].update_project(1, name="x").neptun_user_id == 10_000
        assert server.connections == 1


@pytest.fixture
def submit() -> Iterator[Callable[..., Future[Project]]]:
    """Run a call in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


def never_responds(connection: socket.socket) -> None:
    receive(connection)
    arrived.set()
    until_closed(connection)


def stalls_in_the_body(connection: socket.socket) -> None:
    receive(connection)
    connection.sendall(response(length=5000))
    arrived.set()
    until_closed(connection)


def never_reads(connection: socket.socket) -> None:
    connection.recv(1)
    arrived.set()
    client_closed.wait(PATIENCE)


arrived, client_closed = threading.Event(), threading.Event()
IN_FLIGHT = {
    "no response": never_responds,
    "a body that stalls": stalls_in_the_body,
    "a request that is not read": never_reads,
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain http", "TLS"])
@pytest.mark.parametrize("script", IN_FLIGHT.values(), ids=IN_FLIGHT)
def test_closing_a_client_ends_its_calls_at_once(
    script: Script,
    tls: bool,
    submit: Callable[..., Future[Project]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A descriptor that was closed under a thread that reads could be another connection's, and another user's."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    arrived.clear()
    client_closed.clear()
    with RawServer(script, tls=server_context(authority, "127.0.0.1") if tls else None) as server:
        client = NeptunClient(CANARY, 1, base_url=server.base_url, timeout=2 * PATIENCE)
        call = submit(client.update_project, 123, description=LARGE)
        assert arrived.wait(PATIENCE)
        client.close()
        with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
            call.result(PATIENCE)
        client_closed.set()
        assert server.connections == 1
    assert (caught.value.applied, caught.value.attempts) == (None, 1)
    with pytest.raises(ArgumentError, match="this client is closed; make a new NeptunClient"):
        client.update_project(123, name="New name")


def test_closing_a_client_ends_a_tls_handshake_at_once(
    submit: Callable[..., Future[Project]],
) -> None:
    """The server accepts the connection and says nothing."""
    arrived.clear()

    def silent(connection: socket.socket) -> None:
        connection.recv(1)
        arrived.set()
        until_closed(connection)

    with RawServer(silent) as server:
        url = server.base_url.replace("http://", "https://")
        client = NeptunClient(CANARY, 1, base_url=url, timeout=2 * PATIENCE)
        call = submit(client.update_project, 123, name="New name")
        assert arrived.wait(PATIENCE)
        client.close()
        with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
            call.result(PATIENCE)
    assert caught.value.applied is False


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # as in test_proxy.py
def test_closing_a_client_ends_a_socks_handshake_at_once(
    submit: Callable[..., Future[Project]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy accepts the connection and says nothing; httpcore's pool knows no connection yet."""
    pytest.importorskip("socksio")
    arrived.clear()

    def silent(connection: socket.socket) -> None:
        connection.recv(1)
        arrived.set()
        until_closed(connection)
        client_closed.wait(PATIENCE)

    client_closed.clear()
    with RawServer(silent) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{proxy.port}")
        client = NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=2 * PATIENCE)
        call = submit(client.update_project, 123, name="New name")
        assert arrived.wait(PATIENCE)
        client.close()
        try:
            with pytest.raises(NeptunConnectionError, match="the client was closed during the call"):
                call.result(PATIENCE / 2)
        finally:
            client_closed.set()


def test_closing_a_client_ends_a_call_that_began_before_an_interrupt(submit: Callable[..., Future[Project]]) -> None:
    """The interrupted thread has replaced the pool of the others' connections."""
    arrived.clear()
    with RawServer(never_responds) as server:
        client = NeptunClient(CANARY, 1, base_url=server.base_url, timeout=PATIENCE)
        call = submit(client.update_project, 123, name="New name")
        assert arrived.wait(PATIENCE)
        client._connections.renew()
        client.close()
        with pytest.raises(NeptunConnectionError, match="the client was closed during the call"):
            call.result(PATIENCE / 2)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["a literal address", "a name"])
def test_closing_a_client_ends_a_connect_at_once(
    host: str, submit: Callable[..., Future[Project]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server accepts no connection: its backlog is full."""
    connecting = threading.Event()

    def is_ready(*arguments: Any, **options: Any) -> bool:
        connecting.set()
        return _is_ready(*arguments, **options)

    monkeypatch.setattr("neptun_sdk.network._is_ready", is_ready)
    with full_backlog() as port:
        client = NeptunClient(CANARY, 1, base_url=f"http://{host}:{port}", timeout=2 * PATIENCE)
        call = submit(client.update_project, 123, name="New name")
        assert connecting.wait(PATIENCE)
        client.close()
        with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
            call.result(PATIENCE)
    assert caught.value.applied is False


def test_closing_a_client_ends_a_look_up_at_once(
    submit: Callable[..., Future[Project]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, given_up = threading.Event(), threading.Event()

    def no_name_server(*_: object, **__: object) -> None:
        asked.set()
        given_up.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_name_server)
    client = NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=2 * PATIENCE)
    call = submit(client.update_project, 123, name="New name")
    assert asked.wait(PATIENCE)
    client.close()
    with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
        call.result(PATIENCE)
    given_up.set()
    assert caught.value.applied is False


def test_renewing_leaves_the_connection_of_another_call_alone(submit: Callable[..., Future[Project]]) -> None:
    """As after Ctrl-C in the main thread, while another thread waits for a response."""
    arrived.clear()

    def responds_late(connection: socket.socket) -> None:
        receive(connection)
        arrived.set()
        client_closed.wait(PATIENCE)
        connection.sendall(response())

    client_closed.clear()
    with RawServer(responds_late) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:
        call = submit(client.update_project, 123, name="New name")
        assert arrived.wait(PATIENCE)
        client._connections.renew()
        client_closed.set()
        assert call.result(PATIENCE).name == "New name"
