"""``timeout`` is the whole call: however a server holds a call up, it ends on time, over real sockets."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from neptun_sdk import NeptunClient, NeptunTimeoutError, Project, ServerError
from neptun_sdk.transport import Deadline
from tests.conftest import CANARY
from tests.faults.raw_server import BODY, RawServer, Script, answer, receive, sends, serves

OK = b"HTTP/1.1 200 OK\r\n"
TIMEOUT = 0.4  # seconds
LONG = 1.6  # where it matters that no operation gets the whole timeout anew: that would end more than LATE after it
LATE = 1.0  # no call is held past its deadline by more than this


def drips(first: bytes, rest: bytes, pause: float = 0.02) -> Script:
    """Send some bytes at once, and then one at a time, for ever."""

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


def waits(connection: socket.socket) -> None:
    connection.recv(1)


def reads_slowly(connection: socket.socket) -> None:
    while connection.recv(1024):
        time.sleep(0.02)


def drips_then_stalls(connection: socket.socket) -> None:
    """Use up most of the time, and then be silent: the last read may not have the whole timeout again."""
    receive(connection)
    connection.sendall(OK + b"\r\n")
    for _ in range(6):
        connection.sendall(b" ")
        time.sleep(LONG / 8)
    connection.recv(1)


HELD_UP: dict[str, tuple[Script, bool | None]] = {
    "no answer": (sends(then=waits), None),
    "a status line that drips": (drips(b"", b"HTTP/1.1 200 OK\r\n"), None),
    "header lines that drip": (drips(OK, b"X: a\r\n"), None),
    "1xx that drip": (drips(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause=0), None),
    "a flood of 1xx": (floods(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100), None),
    "a body that drips": (drips(OK + b"\r\n", b" "), True),
    "a body that drips and then stalls": (drips_then_stalls, True),
    "a body that stalls": (sends(OK + b"Content-Length: 9\r\n\r\n{", then=waits), True),
    "a chunk header that drips": (drips(OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"a"), True),
    "trailers that drip": (drips(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a"), True),
    "the body of a 404 that drips": (drips(b"HTTP/1.1 404 Not Found\r\n\r\n", b" "), False),
}


@pytest.mark.parametrize("case", HELD_UP)
def test_a_server_that_holds_a_call_up_does_so_until_the_deadline_only(case: str) -> None:
    script, applied = HELD_UP[case]
    timeout = LONG if "then" in case else TIMEOUT
    with RawServer(script) as server, NeptunClient(CANARY, 1, base_url=server.base_url, timeout=timeout) as client:
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError, match=r"did not answer within the call's timeout") as caught:
            client.update_project(123, name="New name")
        assert timeout <= time.monotonic() - began < timeout + LATE
    assert caught.value.applied is applied
    assert repr(caught.value.__cause__) in (
        "ReadTimeout('the time of the call is over')",  # known before the read
        "ReadTimeout('timed out')",  # or found out by it
    )


def test_a_server_that_reads_slowly_holds_a_large_request_up_until_the_deadline_only() -> None:
    with (
        RawServer(reads_slowly) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT) as client,
    ):
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError) as caught:
            client.update_project(123, description="x" * 16_000_000)
        assert time.monotonic() - began < TIMEOUT + LATE
    assert caught.value.applied is None


def test_a_server_that_is_away_for_ever_is_asked_until_the_deadline_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda shortest, longest: 0.05)
    with (
        RawServer(serves(answer(b"", "503 Away"))) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=1_000) as client,
    ):
        began = time.monotonic()
        with pytest.raises(ServerError, match="attempts were made") as caught:
            client.update_project(123, name="New name")
        assert time.monotonic() - began < TIMEOUT + LATE
    assert caught.value.attempts > 2


def test_a_wait_that_the_server_asks_for_and_the_deadline_does_not_leave_is_not_begun() -> None:
    with (
        RawServer(serves(answer(b"", "503 Away", "Retry-After: 3600"))) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=30) as client,
    ):
        began = time.monotonic()
        with pytest.raises(ServerError, match="Call again after 3600 seconds") as caught:
            client.update_project(123, name="New name")
        assert time.monotonic() - began < 1
    assert (caught.value.attempts, caught.value.retry_after) == (1, 3600)


def test_a_connection_that_nobody_accepts_is_given_up_at_the_deadline() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:  # they fill the queue, so that the next connection is not even begun
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        with NeptunClient(CANARY, 1, base_url=f"http://127.0.0.1:{full.getsockname()[1]}", timeout=TIMEOUT) as client:
            began = time.monotonic()
            with pytest.raises(NeptunTimeoutError) as caught:
                client.update_project(123, name="New name")
            assert time.monotonic() - began < TIMEOUT + LATE
        for each in waiting:
            each.close()
    assert caught.value.applied is False


def test_a_name_that_is_looked_up_for_ever_is_waited_for_until_the_deadline_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_up = threading.Event()

    def no_name_server(*_: object, **__: object) -> None:
        given_up.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_name_server)
    before = set(threading.enumerate())
    with NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=TIMEOUT) as client:
        began = time.monotonic()
        with pytest.raises(
            NeptunTimeoutError, match=r"\(ConnectTimeout: looking up neptun\.test took too long\)"
        ) as caught:
            client.update_project(123, name="New name")
        assert TIMEOUT <= time.monotonic() - began < TIMEOUT + LATE
    assert [thread.daemon for thread in set(threading.enumerate()) - before] == [True]  # no process waits for it to end
    given_up.set()
    assert caught.value.applied is False


def test_where_no_thread_can_be_started_a_name_is_looked_up_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if threading.current_thread() is not threading.main_thread():
            return start(thread)  # the server's own
        raise RuntimeError("can't start new thread")

    with RawServer(serves(answer())) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert client.update_project(123, name="New name").id == 123


def test_the_addresses_of_a_name_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))] * 5
    tried: list[float] = []

    def no_answer(address: object, timeout: float, **_: object) -> None:
        tried.append(timeout)
        time.sleep(timeout / 2)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: silent)
    monkeypatch.setattr(socket, "create_connection", no_answer)
    with NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=LONG, max_retries=0) as client:
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError):
            client.update_project(123, name="New name")
        assert time.monotonic() - began < LONG + LATE
    assert len(tried) == 5
    assert all(later < earlier for earlier, later in itertools.pairwise(tried))


def test_an_address_that_uses_the_time_up_leaves_none_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def refuse_late(address: object, *_: object, **__: object) -> None:
        tried.append(address)
        time.sleep(TIMEOUT)
        raise ConnectionRefusedError("refused")

    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 443)) for host in ("127.0.0.1", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(socket, "create_connection", refuse_late)
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=TIMEOUT) as client,
        pytest.raises(NeptunTimeoutError, match=r"\(ConnectTimeout: the time of the call is over\)"),
    ):
        client.update_project(123, name="New name")
    assert tried == [("127.0.0.1", 443)]


def test_a_name_whose_first_address_refuses_is_reached_at_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def both(host: str, *rest: Any, **options: Any) -> Any:
        hosts = ("::1", "127.0.0.1") if host == "localhost" else (host,)  # nothing listens on the first
        return [entry for name in hosts for entry in look_up(name, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with (
        RawServer(serves(answer())) as server,
        NeptunClient(CANARY, 1, base_url=f"http://localhost:{server.port}", timeout=5, max_retries=0) as client,
    ):
        assert client.update_project(123, name="New name").id == 123


def test_a_transport_of_the_callers_own_is_bounded_between_two_reads() -> None:
    class Dripping(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                time.sleep(0.02)
                yield b" "

    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Dripping()))
    with NeptunClient(CANARY, 1, base_url="https://neptun.test", timeout=TIMEOUT, transport=transport) as client:
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError) as caught:
            client.update_project(123, name="New name")
        assert time.monotonic() - began < TIMEOUT + LATE
    assert caught.value.applied is True
    assert repr(caught.value.__cause__) == "ReadTimeout('the time of the call is over')"


def test_a_transport_of_the_callers_own_gets_the_time_that_is_left_as_httpx_timeouts() -> None:
    given: list[dict[str, float]] = []

    def answer_with(request: httpx.Request) -> httpx.Response:
        given.append(dict(request.extensions["timeout"]))
        return httpx.Response(200, content=BODY)

    with NeptunClient(
        CANARY, 1, base_url="https://neptun.test", timeout=7, transport=httpx.MockTransport(answer_with)
    ) as client:
        assert isinstance(client.update_project(123, name="New name"), Project)
    assert set(given[0]) == {"connect", "read", "write", "pool"}
    assert all(6 < seconds <= 7 for seconds in given[0].values())


def test_a_call_that_waits_for_a_free_connection_does_so_until_the_deadline_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("neptun_sdk.transport.LIMITS", httpx.Limits(max_connections=1))
    with (
        RawServer(sends(OK + b"\r\n", then=waits)) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT) as client,
        httpx.Client(transport=client._server.transport, timeout=30) as other,
        other.stream("PATCH", server.base_url, json={}),  # has the only connection, and keeps it
    ):
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError, match="PoolTimeout") as caught:
            client.update_project(123, name="New name")
        assert time.monotonic() - began < TIMEOUT + LATE
    assert caught.value.applied is False


@pytest.mark.parametrize("seconds", [5.0, -1.0])
def test_a_deadline_counts_down_and_is_never_a_timeout_of_zero(seconds: float) -> None:
    deadline = Deadline(time.monotonic() + seconds)
    assert deadline == pytest.approx(max(seconds, 0.001), abs=0.1)
    assert deadline.left() == pytest.approx(seconds, abs=0.1)
