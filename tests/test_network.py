"""Sockets: the deadline of a call on each operation, the look-up of names, TLS, and closing under other threads."""

import errno
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore
import pytest
import trustme

from neptun_sdk import NeptunClient, NeptunConnectionError
from neptun_sdk.network import Deadline, NetworkBackend, _is_ready, _Stream
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, full_backlog, response, serves, until_closed
from tests.faults.test_tls import server_context

PATIENCE = 20  # seconds; nothing here takes any


def update(client: NeptunClient) -> object:
    return client.update_project(123, name="New name")


Address = tuple[int, int, int, str, tuple[str, int]]


def address(host: str, port: int = 443) -> Address:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))


def test_a_name_is_resolved_once_and_its_address_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups: list[object] = []
    connected: list[object] = []

    def look_up(*arguments: object, **options: object) -> list[Address]:
        lookups.append((arguments, options))
        return [address("192.0.2.7", 8443), address("192.0.2.7", 8443)]

    def refuse(_: object, __: object, target: object, ___: object) -> None:
        connected.append(target)
        raise ConnectionRefusedError("refused by 192.0.2.7")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(NetworkBackend, "_connect", refuse)
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test:8443", max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match=r"cannot connect to https://neptun\.test:8443.*refused by 192\.0"),
    ):
        update(client)
    assert lookups == [(("neptun.test", 8443), {"type": socket.SOCK_STREAM})]
    assert connected == [("192.0.2.7", 8443)]


def test_a_name_that_is_unknown_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test", max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match="Name or service not known") as caught,
    ):
        update(client)
    assert caught.value.applied is False


def test_a_name_without_an_address_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test", max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match="the name has no address") as caught,
    ):
        update(client)
    assert caught.value.applied is False


@pytest.mark.parametrize(("literal", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_literal_address_is_not_looked_up(literal: str, family: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread was started"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it was looked up"))
    assert NetworkBackend()._resolve(literal, 443, 5) == [(family, (literal, 443))]


def test_the_zone_of_a_literal_address_is_looked_up() -> None:
    """It names a network interface, of which a socket needs the number."""
    assert NetworkBackend()._resolve("fe80::1%lo", 443, 5) == [
        (socket.AF_INET6, ("fe80::1", 443, 0, socket.if_nametoindex("lo")))
    ]


def test_each_address_of_a_name_gets_its_share_of_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time does not pass here, so that every share is exact."""
    shares: list[float] = []
    deadline = Deadline(1_000_000.0)

    def time_out(_: object, __: object, ___: object, timeout: float) -> None:
        shares.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(Deadline, "remaining", lambda _: 12.0)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address(f"192.0.2.{last}") for last in range(1, 5)])
    monkeypatch.setattr(NetworkBackend, "_connect", time_out)
    with pytest.raises(httpcore.ConnectTimeout):
        NetworkBackend().connect_tcp("neptun.test", 443, deadline)
    assert shares == [3.0, 4.0, 6.0, 12.0]


def test_without_a_deadline_each_address_is_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """As httpx does in a plain client without timeouts."""
    timeouts: list[object] = []

    def refuse(_: object, __: object, ___: object, timeout: object) -> None:
        timeouts.append(timeout)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address("192.0.2.1"), address("192.0.2.2")])
    monkeypatch.setattr(NetworkBackend, "_connect", refuse)
    with pytest.raises(httpcore.ConnectError):
        NetworkBackend().connect_tcp("neptun.test", 443, None)
    assert timeouts == [None, None]


OVER = Deadline(time.monotonic() - 1)
EXPIRED: dict[str, tuple[type[Exception], Callable[[_Stream], object]]] = {
    "connect": (httpcore.ConnectTimeout, lambda _: NetworkBackend().connect_tcp("127.0.0.1", 9, OVER)),
    "TLS": (
        httpcore.ConnectTimeout,
        lambda stream: stream.start_tls(ssl.create_default_context(), "neptun.test", OVER),
    ),
    "write": (httpcore.WriteTimeout, lambda stream: stream.write(b"x", OVER)),
    "read": (httpcore.ReadTimeout, lambda stream: stream.read(10, OVER)),
}


@pytest.mark.parametrize(("expected", "operation"), EXPIRED.values(), ids=EXPIRED)
def test_an_operation_that_begins_after_the_deadline_fails_at_once(
    expected: type[Exception], operation: Callable[[_Stream], object]
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(expected, match=r"^the time of the call is over$"):
        operation(_Stream(ours, None, NetworkBackend()))


@pytest.mark.parametrize("operation", ["read", "write"])
def test_an_operation_without_a_timeout_has_that_of_connecting(operation: str) -> None:
    """httpcore passes no timeout to the handshake with a SOCKS proxy."""
    ours, theirs = socket.socketpair()
    stream = _Stream(ours, OVER, NetworkBackend())
    with ours, theirs, pytest.raises(httpcore.TimeoutException, match=r"^the time of the call is over$"):
        stream.read(10) if operation == "read" else stream.write(b"x")


@pytest.mark.parametrize("seconds", [5.0, -1.0], ids=["to come", "over"])
def test_a_deadline_counts_down_and_is_never_a_timeout_of_zero(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a socket, 0 means that it does not wait at all."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    deadline = Deadline(100.0 + seconds)
    assert float(deadline) == max(seconds, 0.001)
    assert deadline.remaining() == seconds
    monkeypatch.setattr(time, "monotonic", lambda: 101.0)
    assert deadline.remaining() == seconds - 1


def test_nothing_connects_after_closing() -> None:
    network = NetworkBackend()
    network.close()
    with RawServer(serves(response())) as server:
        with pytest.raises(httpcore.ConnectError, match="the client was closed"):
            network.connect_tcp("127.0.0.1", server.port)
        assert server.connections == 0


FAILURES: dict[str, tuple[int, type[Exception]]] = {
    "refused": (errno.ECONNREFUSED, httpcore.ConnectError),
    "timed out by the operating system": (errno.ETIMEDOUT, httpcore.ConnectTimeout),
}


@pytest.mark.parametrize(("number", "expected"), FAILURES.values(), ids=FAILURES)
def test_a_connect_that_fails_says_why(number: int, expected: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: number)
    with pytest.raises(expected) as caught:
        NetworkBackend().connect_tcp("127.0.0.1", 9, 5)
    assert str(caught.value) == f"[Errno {number}] {os.strerror(number)}"
    assert isinstance(caught.value.__cause__, OSError)


def test_a_lack_of_descriptors_is_a_failure_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socket", none_left)
    with pytest.raises(httpcore.ConnectError, match="Too many open files"):
        NetworkBackend().connect_tcp("127.0.0.1", 9, 5)


def test_a_connect_without_a_timeout_waits_until_the_server_accepts() -> None:
    with full_backlog() as port, ThreadPoolExecutor(1) as pool:
        network = NetworkBackend()
        connect = pool.submit(network.connect_tcp, "127.0.0.1", port)
        with pytest.raises(TimeoutError):
            connect.result(0.5)
        network.close()
        with pytest.raises(httpcore.ConnectError, match="the client was closed"):
            connect.result(PATIENCE)


@pytest.mark.parametrize("polls", [True, False], ids=["poll", "select"])
def test_a_socket_is_waited_for_on_every_system(polls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `select.poll`, and `select.select` refuses descriptors from 1,024 on elsewhere."""
    if not polls:
        monkeypatch.delattr(select, "poll")
    else:
        monkeypatch.setattr(select, "select", lambda *_: pytest.fail("a descriptor may be too large"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert _is_ready(ours, to_write=True, timeout=PATIENCE)
        began = time.monotonic()
        assert not _is_ready(ours, to_write=False, timeout=0.05)
        assert time.monotonic() - began > 0.04
        assert not _is_ready(ours, to_write=False, timeout=0)
        theirs.sendall(b"x")
        assert _is_ready(ours, to_write=False, timeout=PATIENCE)


def test_a_connection_tells_its_addresses() -> None:
    """As httpcore's do; tracing tools read them in ``response.extensions["network_stream"]``."""
    with RawServer(until_closed) as server:
        stream = NetworkBackend().connect_tcp("127.0.0.1", server.port, 5)
        connected = stream.get_extra_info("socket")
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
        assert stream.get_extra_info("client_addr") == connected.getsockname()
        assert stream.get_extra_info("ssl_object") is None
        assert not stream.get_extra_info("is_readable")
        stream.close()
        assert stream.get_extra_info("is_readable"), "a closed connection looks like a good one"


def test_a_large_request_is_written_as_the_server_reads_it() -> None:
    content = os.urandom(4_000_000)  # more than the buffers between two sockets take
    received, ended = bytearray(), threading.Event()

    def reads(connection: socket.socket) -> None:
        while data := connection.recv(100_000):
            received.extend(data)
        ended.set()

    with RawServer(reads) as server:
        stream = NetworkBackend().connect_tcp("127.0.0.1", server.port, Deadline(time.monotonic() + PATIENCE))
        stream.write(content)
        stream.close()
        assert ended.wait(PATIENCE)
    assert received == content


def test_a_thread_closes_its_own_connection_after_another_one_ended_its_read() -> None:
    """Until then the descriptor stays open, so that nothing else gets its number."""
    reading, go_on = threading.Event(), threading.Event()
    connected, theirs = socket.socketpair()

    class Reading(socket.socket):
        def recv(self, size: int, flags: int = 0) -> bytes:
            reading.set()
            content = super().recv(size, flags)
            assert go_on.wait(PATIENCE)
            return content

    ours = Reading(fileno=connected.detach())
    stream = _Stream(ours, None, NetworkBackend())
    contents: list[bytes] = []
    thread = threading.Thread(target=lambda: contents.append(stream.read(10, PATIENCE)))
    with ours, theirs:
        thread.start()
        assert reading.wait(PATIENCE)
        stream.close()
        assert ours.fileno() > 0
        go_on.set()
        thread.join(PATIENCE)
        assert contents == [b""]
        assert ours.fileno() == -1


def test_a_connection_that_is_closed_twice_or_was_never_made_is_closed() -> None:
    with socket.socket() as unconnected:
        stream = _Stream(unconnected, None, NetworkBackend())
        with stream._in_use:  # to shut it down fails
            stream.close()
        assert unconnected.fileno() > 0
        stream.close()
        stream.close()
        assert unconnected.fileno() == -1


def test_closing_closes_every_connection_that_is_still_in_use() -> None:
    network = NetworkBackend()
    with RawServer(until_closed) as server:
        streams = [network.connect_tcp("127.0.0.1", server.port, 5) for _ in range(3)]
        deleted = streams.pop().get_extra_info("socket")
        assert deleted.fileno() == -1
        assert len(network._streams) == 2
        network.close()
        assert [stream.get_extra_info("socket").fileno() for stream in streams] == [-1, -1]


def test_a_connection_whose_constructor_was_interrupted_is_deleted_in_silence() -> None:
    stream = _Stream.__new__(_Stream)
    del stream


@pytest.mark.parametrize("operation", ["read", "write"])
def test_an_operation_on_a_closed_connection_says_so(operation: str) -> None:
    ours, theirs = socket.socketpair()
    stream = _Stream(ours, None, NetworkBackend())
    with theirs:
        stream.close()
        with pytest.raises(httpcore.NetworkError, match=r"^\[Errno 9\] Bad file descriptor$") as caught:
            stream.read(10, PATIENCE) if operation == "read" else stream.write(b"x", PATIENCE)
    assert type(caught.value) is (httpcore.ReadError if operation == "read" else httpcore.WriteError)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


Connect = Callable[[Callable[[Any], object]], httpcore.NetworkStream]


@pytest.fixture
def connect(authority: trustme.CA, client_context: ssl.SSLContext) -> Iterator[Connect]:
    """Connect over TLS to a server that does something with its connection."""
    servers: list[RawServer] = []

    def over_tls(script: Callable[[Any], object]) -> httpcore.NetworkStream:
        server = RawServer(script, tls=server_context(authority, "neptun.test"))  # type: ignore[arg-type]
        servers.append(server.__enter__())
        deadline = Deadline(time.monotonic() + PATIENCE)
        stream = NetworkBackend().connect_tcp("127.0.0.1", server.port, deadline)
        return stream.start_tls(client_context, "neptun.test", deadline)

    yield over_tls
    for server in servers:
        server.__exit__(None, None, None)


def test_tls_reads_what_was_received_before_it_asks_for_more(connect: Connect) -> None:
    """All of it comes with one read of the socket, which is empty then: the connection is still readable."""
    sent = threading.Event()

    def sends_two_records(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"first")
        connection.sendall(b"second")
        sent.set()
        until_closed(connection)

    stream = connect(sends_two_records)
    assert sent.wait(PATIENCE)
    assert stream.read(3, PATIENCE) == b"fir"
    assert stream.get_extra_info("is_readable"), "the rest of the record is lost"
    assert stream.read(100, PATIENCE) == b"st"
    assert stream.get_extra_info("is_readable"), "the second record is lost"
    assert stream.read(2, PATIENCE) == b"se"
    assert stream.get_extra_info("is_readable"), "the rest of the second record is lost"
    assert stream.read(100, PATIENCE) == b"cond"
    assert not stream.get_extra_info("is_readable")
    assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
    assert stream.get_extra_info("socket").fileno() > 0
    stream.close()


def test_the_end_of_a_connection_is_read_with_or_without_that_of_tls(connect: Connect) -> None:
    """HTTP knows by itself where a response ends."""

    def ends_tls(connection: ssl.SSLSocket) -> None:
        connection.settimeout(PATIENCE)
        connection.unwrap()

    with_tls_end, without = connect(ends_tls), connect(lambda _: None)
    assert with_tls_end.read(10, PATIENCE) == b""
    assert without.read(10, PATIENCE) == b""


def test_bytes_that_are_not_tls_are_a_failure_to_read(connect: Connect) -> None:
    def sends_plain_text(connection: ssl.SSLSocket) -> None:
        socket.socket.sendall(connection, b"HTTP/1.1 200 OK\r\n\r\n")
        until_closed(connection)

    stream = connect(sends_plain_text)
    with pytest.raises(httpcore.ReadError, match=r"^\[SSL: "):
        stream.read(10, PATIENCE)
    with pytest.raises(httpcore.WriteError):
        stream.write(b"x", PATIENCE)


def test_a_refused_certificate_is_reported_to_the_server(authority: trustme.CA) -> None:
    """So that its log says why."""
    problems: list[str] = []

    def accepts(connection: socket.socket) -> None:
        try:
            server_context(authority, "neptun.test").wrap_socket(connection, server_side=True)
        except ssl.SSLError as exc:
            problems.append(exc.reason)

    with RawServer(accepts) as server:
        stream = NetworkBackend().connect_tcp("127.0.0.1", server.port, 5)
        with pytest.raises(httpcore.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            stream.start_tls(ssl.create_default_context(), "neptun.test", PATIENCE)
        assert stream.get_extra_info("socket").fileno() == -1
    assert problems == ["TLSV1_ALERT_UNKNOWN_CA"]


def test_a_name_that_no_certificate_can_be_for_is_a_failure_to_connect() -> None:
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(httpcore.ConnectError, match="idna"):
        _Stream(ours, None, NetworkBackend()).start_tls(ssl.create_default_context(), "neptun..test", PATIENCE)
    assert ours.fileno() == -1


def test_a_large_request_is_encrypted_piece_by_piece(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it at once would be a second copy in memory."""
    content = os.urandom(1_000_000)
    received = bytearray()
    pieces: list[int] = []
    write = _Stream.write

    def measured(stream: _Stream, buffer: bytes, timeout: float | None = None) -> None:
        pieces.append(len(buffer))
        write(stream, buffer, timeout)

    def reads(connection: socket.socket) -> None:
        while len(received) < len(content):
            received.extend(connection.recv(100_000))
        connection.sendall(b"all of it")
        until_closed(connection)

    stream = connect(reads)
    monkeypatch.setattr(_Stream, "write", measured)
    stream.write(content, PATIENCE)
    assert stream.read(100, PATIENCE) == b"all of it"
    stream.close()
    assert received == content
    assert max(pieces) < 100_000


STALLS: dict[str, tuple[type[Exception], Callable[[httpcore.NetworkStream], object]]] = {
    "read": (httpcore.ReadTimeout, lambda stream: stream.read(10, 0.05)),
    "write": (httpcore.WriteTimeout, lambda stream: stream.write(b"x" * 20_000_000, 0.05)),
}


@pytest.mark.parametrize(("expected", "operation"), STALLS.values(), ids=STALLS)
def test_a_server_that_stalls_over_tls_is_waited_for_as_long_as_httpcore_says(
    expected: type[Exception],
    operation: Callable[[httpcore.NetworkStream], object],
    authority: trustme.CA,
    client_context: ssl.SSLContext,
) -> None:
    over = threading.Event()

    def stalls(_: socket.socket) -> None:
        over.wait(PATIENCE)

    with RawServer(stalls, tls=server_context(authority, "neptun.test")) as server:
        stream = NetworkBackend().connect_tcp("127.0.0.1", server.port, None)
        secured = stream.start_tls(client_context, "neptun.test", PATIENCE)
        with pytest.raises(expected, match=r"^(timed out|The read operation timed out)$"):
            operation(secured)
        over.set()


def test_tls_within_tls_has_a_deadline_of_its_own(connect: Connect, client_context: ssl.SSLContext) -> None:
    """As through a proxy that is reached over TLS."""
    with pytest.raises(httpcore.ConnectTimeout, match=r"^the time of the call is over$"):
        connect(until_closed).start_tls(client_context, "neptun.test", OVER)
