"""Sockets: what is left over after a response, idle connections that have died, names, and addresses."""

import _thread
import contextlib
import errno
import gzip
import itertools
import json
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore
import httpx
import pytest
import trustme

from neptun_sdk import NeptunClient, NeptunConnectionError, NeptunTimeoutError
from neptun_sdk._http.sockets import NetworkStream
from tests.conftest import CANARY
from tests.faults.raw_server import BODY, RawServer, Script, full_backlog, receive, response, serves
from tests.http.servers import HOST, PATIENCE, HTTPProxy, server_context, update

# How a server is reached: with TLS or without, and through which proxy.
ROUTES = ("http", "https", "http proxy", "https proxy")
Connect = Callable[..., tuple[RawServer, NeptunClient]]


@pytest.fixture
def connect(request: pytest.FixtureRequest, trusted: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return a function that starts a server with a script, and makes a client that reaches it on a route."""
    route: str = request.param
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)  # retry at once
    with contextlib.ExitStack() as stack:

        def make(script: Script, passes: threading.Event | None = None) -> tuple[RawServer, NeptunClient]:
            tls = None if route == "http" else server_context(trusted, HOST, "127.0.0.1")
            server = stack.enter_context(RawServer(script, tls=tls))
            url, proxy = server.base_url, None
            if "proxy" in route:
                between = RawServer(HTTPProxy(passes=passes), tls=tls if route == "https proxy" else None)
                url, proxy = f"https://{HOST}:{server.port}", stack.enter_context(between).base_url
            return server, stack.enter_context(NeptunClient(CANARY, 1, base_url=url, timeout=PATIENCE, proxy=proxy))

        yield make


def chunked(*parts: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks


EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
RESPONSES = {
    "Content-Length": (response(),),
    "a head in pieces": (response()[:30], response()[30:90], response()[90:]),
    "chunked": (chunked(BODY[:9], BODY[9:]),),
    "chunked, the last chunk in pieces": (chunked(BODY)[:-4], chunked(BODY)[-4:]),
    "1xx before it": (EARLY_HINTS * 3, response()),
    "gzip": (response(gzip.compress(BODY), "200 OK", "Content-Encoding: gzip"),),
}
SECOND = response(b'{"statusCode": 404, "message": "of another session"}', "404 Not Found")


@pytest.mark.parametrize("connect", ROUTES, indirect=True)
@pytest.mark.parametrize("parts", RESPONSES.values(), ids=RESPONSES)
def test_a_connection_serves_the_next_call(parts: tuple[bytes, ...], connect: Connect) -> None:
    def responds(connection: socket.socket) -> None:
        while True:
            receive(connection)
            for part in parts:
                connection.sendall(part)

    server, client = connect(responds)
    assert [update(client), update(client.with_session("another-session", 1)), update(client)] == [123] * 3
    assert server.connections == 1


FOLLOWED = {f"{name}, then a response": (parts, SECOND) for name, parts in RESPONSES.items()} | {
    "chunked, then a chunked response": (RESPONSES["chunked"], chunked(b"{}")),
    "Content-Length, then a line break": (RESPONSES["Content-Length"], b"\r\n"),
}


@pytest.mark.parametrize("connect", ROUTES, indirect=True)
@pytest.mark.parametrize("segments", ["one segment", "two segments"])
@pytest.mark.parametrize(("parts", "excess"), FOLLOWED.values(), ids=FOLLOWED)
def test_what_follows_a_response_is_never_the_next_one(
    parts: tuple[bytes, ...], excess: bytes, segments: str, connect: Connect
) -> None:
    """It would be read by the next call on that connection, of whichever session."""
    sent = threading.Event()  # a proxy passes both segments on at once
    sent.set()

    def responds(connection: socket.socket) -> None:
        while True:
            receive(connection)
            sent.clear()
            end = [parts[-1], excess] if segments == "two segments" else [parts[-1] + excess]
            for part in (*parts[:-1], *end):
                connection.sendall(part)
            sent.set()

    server, client = connect(responds, sent)
    for number, session in enumerate(["a-session", "another-session"], start=1):
        assert update(client.with_session(session, 1)) == 123
        assert sent.wait(PATIENCE)
        assert server.connections == number


@pytest.mark.parametrize("connect", ["http"], indirect=True)
def test_what_follows_a_response_reaches_no_other_thread(connect: Connect) -> None:
    """A connection goes back to the pool only when its end is known, so that no other thread is faster."""
    excess = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"

    def serve(connection: socket.socket) -> None:
        while True:
            dirty = b"session-number-0" in receive(connection)
            connection.sendall(response() + (excess if dirty else b""))

    _, client = connect(serve)
    sessions = [client.with_session(f"session-number-{number}", 1) for number in range(6)]
    with ThreadPoolExecutor(len(sessions)) as pool:
        assert list(pool.map(update, sessions * 60)) == [123] * 360


def test_a_connection_with_bytes_left_over_takes_no_request() -> None:
    """Two threads may get one idle connection before httpcore closes it."""
    stream = NetworkStream(httpcore.MockStream([response() + b"HTTP/1.1"]), None, threading.Event(), threading.Event())
    assert stream.read(1_000).endswith(b"HTTP/1.1")
    stream.end_response(len(BODY), chunked=False)
    with pytest.raises(httpcore.ConnectionNotAvailable):
        stream.write(b"PATCH / HTTP/1.1")


@pytest.mark.parametrize("connect", ["https", "https proxy"], indirect=True)
def test_the_head_and_the_body_of_a_request_are_one_tls_record(connect: Connect) -> None:
    """To send them apart costs a system call, and wakes the server for half a request."""
    records: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        records.append(connection.recv(64 * 1024))  # one record at most
        connection.sendall(response())

    _, client = connect(serve)
    assert update(client) == 123
    head, _, body = records[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PATCH /")
    assert json.loads(body)


class Refusing(httpcore.MockStream):
    """A connection that the server has closed for writing, and on which its response has come."""

    def __init__(self, content: bytes) -> None:
        super().__init__([content])
        self.writes: list[bytes] = []

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as there
        self.writes.append(buffer)
        raise httpcore.WriteError("broken pipe")


REQUESTS: dict[str, tuple[list[bytes], list[bytes]]] = {
    "with a body": ([b"head ", b"body", b""], [b"head body"]),
    "without a body": ([b"head ", b""], [b"head "]),
    "with a body in chunks": ([b"head ", b"one", b"two", b"0\r\n\r\n"], [b"head one", b"two", b"0\r\n\r\n"]),
}


@pytest.mark.parametrize(("written", "sent"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_cannot_be_sent_fails_before_its_response_is_read(
    written: list[bytes], sent: list[bytes]
) -> None:
    """There httpcore expects it, and then reads what the server has responded. Nothing is sent twice."""
    connection = Refusing(response())
    stream = NetworkStream(connection, None, threading.Event(), threading.Event())
    for part in written:
        with contextlib.suppress(httpcore.WriteError):
            stream.write(part)
    assert connection.writes == sent
    assert stream.read(1_000) == response()
    assert connection.writes == sent


@pytest.mark.parametrize("connect", ["http", "https"], indirect=True)
def test_as_many_connections_as_threads_are_opened(connect: Connect) -> None:
    # All threads take turns: one that a busy machine holds up for five seconds would find its connection expired.
    all_here = threading.Barrier(8)

    def serve(connection: socket.socket) -> None:
        while True:
            receive(connection)
            all_here.wait(PATIENCE)
            connection.sendall(response())

    server, client = connect(serve)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: update(client), range(400))) == [123] * 400
    assert server.connections == 8


@pytest.mark.parametrize("connect", ["http"], indirect=True)
def test_a_flood_of_1xx_costs_no_time(connect: Connect) -> None:
    """The search for the end of the heads must not try every way in which they could be split."""
    _, client = connect(serves(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000 + response()))
    began = time.monotonic()
    assert update(client) == 123
    assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize("connect", ROUTES, indirect=True)
@pytest.mark.parametrize("idle", [1, 5, 20])
def test_one_call_survives_the_restart_of_a_server(idle: int, connect: Connect) -> None:
    """Each idle connection takes the request and breaks: a retry must not take the next of them."""
    all_here, restarted = threading.Barrier(idle), threading.Event()

    def serve(connection: socket.socket) -> None:
        is_old = not restarted.is_set()
        while True:
            receive(connection)
            if is_old:
                if restarted.is_set():
                    return
                all_here.wait(PATIENCE)
            connection.sendall(response())

    server, client = connect(serve)
    with ThreadPoolExecutor(idle) as pool:
        assert list(pool.map(lambda _: update(client), range(idle))) == [123] * idle
    assert server.connections == idle
    restarted.set()
    assert update(client) == 123
    assert server.connections == idle + 1


@pytest.mark.parametrize("connect", ["http"], indirect=True)
def test_a_new_connection_that_breaks_costs_no_idle_one(connect: Connect) -> None:
    """It says nothing of the others."""
    numbers, recovered, both_here = itertools.count(1), threading.Event(), threading.Barrier(2)

    def serve(connection: socket.socket) -> None:
        number = next(numbers)
        for request in itertools.count(1):
            receive(connection)
            if number == 2:
                return
            if (number, request) == (1, 2):
                recovered.wait(PATIENCE)
            elif (number, request) in ((1, 3), (3, 2)):
                both_here.wait(PATIENCE)
            connection.sendall(response())
            if number == 3:
                recovered.set()

    server, client = connect(serve)
    with ThreadPoolExecutor(2) as pool:
        assert update(client) == 123
        for _ in range(2):
            assert list(pool.map(lambda _: update(client), range(2))) == [123] * 2
    assert server.connections == 3


def client_of(port: int, host: str = HOST, **settings: Any) -> NeptunClient:
    settings = {"timeout": PATIENCE, "max_retries": 0, "allow_http": True, **settings}
    return NeptunClient(CANARY, 1, base_url=f"http://{host}:{port}", **settings)


@pytest.fixture
def resolving_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let the host name resolve to some addresses; return the names that were looked up."""

    def resolve_to(*hosts: str) -> list[str]:
        look_up, asked = socket.getaddrinfo, []

        def resolve(host: str, *rest: Any, **options: Any) -> Any:
            asked.extend([host] if host == HOST else [])
            names = hosts if host == HOST else (host,)
            return list(itertools.chain.from_iterable(look_up(name, *rest, **options) for name in names))

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return resolve_to


@pytest.mark.usefixtures("look_up_thread")
def test_a_name_is_looked_up_once_for_a_connection(resolving_to: Callable[..., list[str]]) -> None:
    asked = resolving_to("127.0.0.1", "127.0.0.1")
    with RawServer(serves(response())) as server, client_of(server.port) as client:
        assert [update(client) for _ in range(3)] == [123] * 3
    assert asked == [HOST]


UNKNOWN: dict[str, tuple[Exception | None, str]] = {
    "unknown": (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
    "too long a label": (UnicodeError("label too long"), "label too long"),
    "no address": (None, "the name has no address"),
}


@pytest.fixture(params=[True, False], ids=["another thread", "this thread"])
def look_up_thread(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a name be looked up in another thread, or refuse to start one, as at the end of a process."""
    start = _thread.start_new_thread

    def start_new_thread(function: Callable[..., object], *rest: Any) -> int:
        if not request.param and function.__module__.startswith("neptun_sdk"):
            raise RuntimeError("can't start new thread")
        return start(function, *rest)

    monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)


@pytest.mark.usefixtures("look_up_thread")
@pytest.mark.parametrize(("failure", "pattern"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_name_that_leads_nowhere_says_so(
    failure: Exception | None, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: object, **__: object) -> list[object]:
        if failure is not None:
            raise failure
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with client_of(80) as client, pytest.raises(NeptunConnectionError, match=pattern) as caught:
        update(client)
    assert caught.value.applied is False


SHARES = {
    "an address takes 5 s at most while there are others": (60.0, [5, 5, 5, 60]),
    "less time is shared equally": (12.0, [3, 4, 5, 12]),
}


@pytest.mark.parametrize(("timeout", "shares"), SHARES.values(), ids=SHARES)
def test_each_address_of_a_name_gets_its_share_of_the_time(
    timeout: float, shares: list[float], resolving_to: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No time passes here; a name whose first addresses are dead is reached at the last one."""
    given: list[float] = []

    def dead(_: object, seconds: float, **__: object) -> None:
        given.append(seconds)
        raise TimeoutError("timed out")

    resolving_to(*(f"127.0.0.{last}" for last in range(1, 5)))
    monkeypatch.setattr(socket, "create_connection", dead)
    with client_of(80, timeout=timeout) as client, pytest.raises(NeptunTimeoutError) as caught:
        update(client)
    assert caught.value.applied is False
    assert given == pytest.approx(shares, rel=0.1, abs=0.5)


@pytest.mark.block_network(allowed_hosts=["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize("accepts", [False, True], ids=["refuses", "never accepts"])
def test_a_name_is_reached_at_its_second_address(accepts: bool, resolving_to: Callable[..., list[str]]) -> None:
    """One that never accepts gets half of the time, so that as much is left for the other."""
    resolving_to("127.0.0.2", "127.0.0.1")
    with RawServer(serves(response())) as server, contextlib.ExitStack() as stack:
        if accepts:
            stack.enter_context(full_backlog("127.0.0.2", server.port))
        assert update(stack.enter_context(client_of(server.port, timeout=3 if accepts else PATIENCE))) == 123


class Blocked(RuntimeError):
    """What a test tool raises: pytest-socket's exceptions are RuntimeErrors."""


# Python closes a socket only if connecting it raises an OSError.
leaves_a_socket = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@leaves_a_socket
@pytest.mark.parametrize("where", ["connect", "look-up"])
def test_a_tool_that_blocks_the_network_is_obeyed(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own exception says which test reached out; a retry would be another try to do so."""
    tries: list[object] = []

    def block(*arguments: object, **_: object) -> None:
        tries.append(arguments)
        raise Blocked("not in a test")

    owner, name = (socket.socket, "connect") if where == "connect" else (socket, "getaddrinfo")
    with RawServer(serves(response())) as server, client_of(server.port, "localhost", max_retries=2) as client:
        monkeypatch.setattr(owner, name, block)
        with pytest.raises(Blocked, match="not in a test"):
            update(client)
        monkeypatch.undo()
        assert (len(tries), server.connections) == (1, 0)


@leaves_a_socket
@pytest.mark.block_network(allowed_hosts=["127.0.0.2"])
def test_pytest_recording_blocks_the_sdk_too() -> None:
    with RawServer(serves(response())) as server, client_of(server.port, "127.0.0.1", max_retries=2) as client:
        with pytest.raises(RuntimeError, match="Network is disabled"):
            update(client)
        assert server.connections == 0


def test_a_lack_of_descriptors_is_a_failure_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with client_of(80, "127.0.0.1") as client:
        monkeypatch.setattr(socket, "create_connection", none_left)
        with pytest.raises(NeptunConnectionError, match="Too many open files") as caught:
            update(client)
    assert caught.value.applied is False


def test_descriptors_above_1024_work() -> None:
    """`select.select` refuses them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2_000:
        pytest.skip("this system allows too few descriptors")
    with RawServer(serves(response())) as server, contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2_000), hard))
        for _ in range(1_100):
            stack.callback(os.close, os.dup(1))
        client = stack.enter_context(client_of(server.port, "localhost"))
        assert [update(client) for _ in range(3)] == [123] * 3
        assert server.connections == 1


def test_a_large_request_is_written_as_the_server_reads_it(project_import: dict[str, object]) -> None:
    """More than the buffers between two sockets take; each part of it arrives once and in order."""
    text = "".join(map(str, range(600_000)))
    received: list[bytes] = []

    def reads(connection: socket.socket) -> None:
        received.append(receive(connection))
        body = {"import": project_import | {"description": text}}
        connection.sendall(response(json.dumps(body).encode()))

    with RawServer(reads) as server, client_of(server.port, "127.0.0.1") as client:
        assert client.update_project_import(789, 123, description=text).description == text
    assert json.loads(received[0].partition(b"\r\n\r\n")[2])["description"] == text


def test_tracing_tools_see_the_addresses_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of httpcore's own, in ``response.extensions["network_stream"]``."""
    seen: list[object] = []
    send = httpx.Client.send

    def watched(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        found = send(self, request, **options)
        stream = found.extensions["network_stream"]
        seen.extend(stream.get_extra_info(name) for name in ("server_addr", "ssl_object"))
        return found

    monkeypatch.setattr(httpx.Client, "send", watched)
    with RawServer(serves(response())) as server, client_of(server.port, "127.0.0.1") as client:
        update(client)
        assert seen == [("127.0.0.1", server.port), None]
