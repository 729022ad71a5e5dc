"""The canary hunt: no error and no echo of a server puts the session into anything that anyone reads."""

import copy
import json
import logging
import pickle
import re
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from rich.traceback import Traceback

import neptun_sdk
from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError, NeptunError, Project
from neptun_sdk._http.sockets import NetworkStream as _Stream
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY, TIMEOUTS, ClientFor
from tests.faults.raw_server import BODY, RawServer, Script, receive, reset, response, serves
from tests.faults.test_faults import FAULTS

TIMEOUT = 60  # seconds; nothing here takes any
LARGE = "x" * 16_000_000  # more than the buffers between two sockets take
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in CANARY)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that the SDK, httpx and httpcore log; the session is not in it, whatever the test does."""
    caplog.set_level(logging.DEBUG)
    for name in ("neptun_sdk", "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield caplog
    assert CANARY not in caplog.text


def with_locals(error: BaseException) -> str:
    """Return a traceback with the local variables of its frames, as debuggers and error trackers show it."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def shown_by(error: BaseException) -> str:
    """Return all that logging, an error tracker, a debugger or a worker queue would show of an error."""
    # What rich shows, before it is laid out and highlighted, which takes ten times as long as the rest.
    rich = Traceback.extract(type(error), error, error.__traceback__, show_locals=True, locals_max_string=1_000_000)
    parts = [repr(rich), with_locals(error)]
    chain: list[BaseException] = [error]
    for link in chain:
        parts += [str(link), repr(link), repr(link.args), repr(vars(link))]
        request = vars(link).get("_request")
        if request is not None:
            parts += [repr(vars(request)), repr(request.headers)]
        chain += [other for other in (link.__cause__, link.__context__) if other is not None and other not in chain]
    parts.append(pickle.dumps(error).decode("latin-1"))
    parts.append(repr(vars(copy.deepcopy(error))))
    return "\n".join(parts)


def call(client: NeptunClient) -> NeptunError | Project:
    try:
        return client.update_project(123, name="New name")
    except NeptunError as error:
        return error


def shown_after_a_call(script: Script) -> str:
    """Return all that is shown after one call to a server with this script."""
    with (
        RawServer(script) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=0) as client,
    ):
        outcome = call(client)
        shown = shown_by(outcome) if isinstance(outcome, NeptunError) else f"{outcome!r} {pickle.dumps(outcome)!r}"
        return f"{shown} {client!r} {client} {vars(client)} {vars(client._connections)}"


@pytest.mark.parametrize("script", [fault.script for fault in FAULTS.values()], ids=FAULTS)
def test_no_fault_shows_the_session(script: Script) -> None:
    assert CANARY not in shown_after_a_call(script)


def test_the_hunt_finds_a_session_in_the_frames_of_an_exception() -> None:
    """Otherwise the tests of this file would prove nothing."""
    with pytest.raises(ValueError, match="x") as caught:
        json.loads(f"x{CANARY}")
    assert CANARY in shown_by(caught.value)


def test_a_write_that_times_out_does_not_show_the_session() -> None:
    """Its frames hold the head of the request."""
    over = threading.Event()

    def never_reads(connection: socket.socket) -> None:
        connection.recv(1)
        over.wait(TIMEOUT)

    with RawServer(never_reads) as server:
        for timeout in TIMEOUTS:
            with (
                NeptunClient(CANARY, 1, base_url=server.base_url, timeout=timeout, max_retries=0) as client,
                pytest.raises(neptun_sdk.NeptunTimeoutError) as caught,
            ):
                client.update_project(123, description=LARGE)
            assert CANARY not in shown_by(caught.value)
            if "WriteTimeout: timed out" in str(caught.value):
                break
        else:
            pytest.fail(f"no write timed out: {caught.value}")
        over.set()


class Interrupted(BaseException):
    """What is no `Exception`: as KeyboardInterrupt, SystemExit and the timeouts of gevent."""


@pytest.mark.parametrize("operation", ["read", "write"])
def test_an_interrupted_call_does_not_show_the_session(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupt itself passes through: an error tracker may show its frames."""

    def interrupt(*_: object, **__: object) -> None:
        raise Interrupted(f"while sending {CANARY}")

    monkeypatch.setattr(_Stream, operation, interrupt)
    with (
        RawServer(serves(response())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT) as client,
        pytest.raises(Interrupted) as caught,
    ):
        call(client)
    # The frame of `interrupt` is this test's own, and was removed with those of httpcore.
    assert CANARY not in shown_by(caught.value)


def test_a_call_after_an_interrupted_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise Interrupted

    monkeypatch.setattr("neptun_sdk._http.connections.MAX_CONNECTIONS", 1)
    with (
        RawServer(serves(response())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=0) as client,
    ):
        with monkeypatch.context() as patched:
            patched.setattr(_Stream, "read", interrupt)
            for _ in range(3):
                with pytest.raises(Interrupted):
                    call(client)
        assert isinstance(call(client), Project)


class FixedError(httpx.TransportError):
    """An exception whose text cannot be changed."""

    def __init__(self, text: str) -> None:
        super().__init__("")
        self.text: Callable[[], str] = lambda: text

    def __str__(self) -> str:
        return self.text()


def test_an_error_does_not_show_the_session_if_the_exception_behind_it_cannot_be_changed(
    client_for: ClientFor,
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise FixedError(f"failed: {request.headers['Cookie']}")

    with pytest.raises(NeptunConnectionError) as caught:
        client_for(fail).with_options(max_retries=0).update_project(123, name="New name")
    assert "failed: neptun-session=***" in str(caught.value)
    assert caught.value.__cause__ is None
    assert CANARY not in shown_by(caught.value)


@pytest.mark.parametrize("kind", [httpx.ReadError, OSError, ValueError, neptun_sdk.ServerError])
def test_an_exception_of_a_transport_does_not_show_the_session(kind: type[Exception], client_for: ClientFor) -> None:
    """A transport of the caller may raise anything, with the request's headers in its text and frames."""

    def fail(request: httpx.Request) -> httpx.Response:
        cookie = request.headers["Cookie"]
        try:
            raise OSError(5, cookie)
        except OSError as exc:
            raise kind(f"cannot send {cookie}") from exc

    with pytest.raises((NeptunError, kind)) as caught:
        client_for(fail).with_options(max_retries=0).update_project(123, name="New name")
    assert "cannot send neptun-session=***" in str(caught.value)
    assert CANARY not in shown_by(caught.value)


def test_an_exception_of_a_transport_says_where_it_was_raised(client_for: ClientFor) -> None:
    """Without its frames, a traceback ends in the SDK."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise ValueError("of the transport")

    with pytest.raises(ValueError, match="of the transport") as caught:
        client_for(fail).update_project(123, name="New name")
    (note,) = caught.value.__notes__
    first, second, *_, last = note.split("\n")
    assert first == "It was raised here (frames without local variables):"
    assert second.startswith('  File "')
    assert last == '    raise ValueError("of the transport")'


def test_what_tools_see_at_their_two_hooks_does_not_show_an_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry records the reason phrase behind ``Client.send``, OpenTelemetry the exceptions of the transport."""
    seen: list[str] = []
    send, handle_request = httpx.Client.send, httpx.HTTPTransport.handle_request

    def watched_send(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        response = send(self, request, **options)
        seen.append(response.reason_phrase)
        return response

    def watched_handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        try:
            return handle_request(self, request)
        except httpx.TransportError as exc:
            seen.append(str(exc))
            raise

    monkeypatch.setattr(httpx.Client, "send", watched_send)
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", watched_handle_request)
    for head in ("HTTP/1.1 500 {}", "HTTP/1.1 {} OK"):
        script = echoes(f"{head}\r\nContent-Length: 0\r\n\r\n".format)
        with RawServer(script) as server, NeptunClient(CANARY, 1, base_url=server.base_url, max_retries=0) as client:
            assert isinstance(call(client), NeptunError)
    assert seen == ["***", "illegal status line: bytearray(b'HTTP/1.1 *** OK')"]


def echoes(make: Callable[[str], bytes | str]) -> Script:
    """Make a script that puts the session of the request into its response."""

    def script(connection: socket.socket) -> None:
        found = re.search(rb"(?i)cookie: neptun-session=(\S+)", receive(connection))
        assert found is not None
        made = make(found[1].decode())
        connection.sendall(made.encode() if isinstance(made, str) else made)

    return script


def project(**changes: object) -> bytes:
    document = json.loads(BODY)
    document["project"].update(changes)
    return response(json.dumps(document).encode())


ECHOES: dict[str, Callable[[str], bytes]] = {
    "Set-Cookie on a 200": lambda it: response(BODY, "200 OK", f"Set-Cookie: neptun-session={it}; Path=/; HttpOnly"),
    "a header on a 200": lambda it: response(BODY, "200 OK", f"X-Session: {it}"),
    "Set-Cookie on a 401": lambda it: response(b"{}", "401 No", f"Set-Cookie: neptun-session={it}"),
    "a header on a 500": lambda it: response(b"{}", "500 Error", f"X-Request-Id: {it}"),
    "the reason phrase": lambda it: response(b"{}", f"400 {it}"),
    "Location": lambda it: response(b"", "302 Found", f"Location: https://elsewhere.test/{it}?s={it}"),
    "Location's host": lambda it: response(b"", "302 Found", f"Location: https://{it}.test/"),
    "Retry-After": lambda it: response(b"", "503 Busy", f"Retry-After: {it}"),
    "Content-Encoding": lambda it: response(BODY, "200 OK", f"Content-Encoding: {it}"),
    "the text of an error": lambda it: response(f"You sent {it}".encode(), "500 Error"),
    "the HTML of an error": lambda it: response(f"<title>{it}</title>".encode(), "502 Error"),
    "the JSON of an error": lambda it: response(json.dumps({"message": it, it: [it, {"a": it}]}).encode(), "400 Bad"),
    "escapes in the JSON of an error": lambda _: response(f'{{"message": "{ESCAPED}"}}'.encode(), "400 Bad"),
    "a problem of a field": lambda it: response(
        json.dumps({"data": {"issues": [{"path": ["name", it], "message": f"bad {it}"}]}}).encode(), "400 Bad"
    ),
    "a malformed status line": lambda it: f"HTTP/1.1 {it}\r\n\r\n".encode(),
    "a malformed header": lambda it: f"HTTP/1.1 200 OK\r\n{it}\r\n\r\n".encode(),
    "a malformed chunk": lambda it: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{it}\r\n".encode(),
    "a wrong field of a 200": lambda it: project(created_at=it),
    "a wrong field of a 200, escaped": lambda _: response(BODY.replace(b"2025-02-16T17:42:11.000Z", ESCAPED.encode())),
    "another id": lambda it: project(id=it),
    "a field that came back different": lambda it: project(name=it),
    "a field that came back different, escaped": lambda _: response(BODY.replace(b"New name", ESCAPED.encode())),
    "a field outside the contract": lambda it: project(more={it: [it]}),
    "a field outside the contract, escaped": lambda _: response(BODY.replace(b"About it", ESCAPED.encode())),
    "the text of a 200": lambda it: response(it.encode()),
}


@pytest.mark.parametrize("make", ECHOES.values(), ids=ECHOES)
def test_an_echo_of_the_session_is_masked(make: Callable[[str], bytes]) -> None:
    sessions: list[str] = []

    def recorded(it: str) -> bytes:
        sessions.append(it)
        return make(it)

    assert CANARY not in shown_after_a_call(echoes(recorded))
    assert sessions == [CANARY]


QUOTED = "Fe26.2**it's-the/canary"  # these two characters are escaped by some: by repr beside a double quote, in JSON
ESCAPES = {
    "by repr, in what httpcore logs": (response(b"", "500 Error", f'X-Echo: "{QUOTED}"'), QUOTED.replace("'", r"\'")),
    "in JSON that is none": (response(rb'{"a": "Fe26.2**it' + rb"'s-the\/canary" + b'"', "500 Error"), r"the\/canary"),
    "in JSON": (response(rb'{"a": "Fe26.2**it\u0027s-the\/canary"}', "500 Error"), "the/canary"),
}


@pytest.mark.parametrize(("content", "echo"), ESCAPES.values(), ids=ESCAPES)
def test_an_escaped_echo_of_the_session_is_masked(content: bytes, echo: str, log: pytest.LogCaptureFixture) -> None:
    with (
        RawServer(serves(content)) as server,
        NeptunClient(QUOTED, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=0) as client,
    ):
        outcome = call(client)
    assert isinstance(outcome, neptun_sdk.ServerError)
    shown = f"{outcome} {outcome.body} {dict(outcome.headers)} {log.text}"
    assert "***" in shown
    assert echo not in shown
    assert QUOTED not in shown


WRONG = {
    "a line break": f"{CANARY}\r\nX-Injected: 1",
    "a semicolon": f"{CANARY};",
    "a comma": f"{CANARY},x",
    "a letter outside ASCII": f"{CANARY}é",
    "a control character": f"{CANARY}\x7f",
    "two cookies": f"neptun-session={CANARY}; neptun-session=x",
}


@pytest.mark.parametrize("how", ["a new client", "with_session"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_refused_session_is_not_in_its_error(wrong: str, how: str) -> None:
    with NeptunClient(CANARY, 1) as client:
        make = client.with_session if how == "with_session" else NeptunClient
        with pytest.raises(ArgumentError) as caught:
            make(wrong, 1)
        # The frame of this test knows the session; those below it, which are the SDK's, must not.
        assert caught.tb.tb_next is not None
        assert CANARY not in shown_by(caught.value.with_traceback(caught.tb.tb_next))


def test_a_refused_session_of_the_environment_is_not_in_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", f"{CANARY};")
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(user_id=1)
    assert CANARY not in shown_by(caught.value)


def test_a_refused_setting_does_not_show_the_session() -> None:
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1, timeout=-1)
    assert CANARY not in shown_by(caught.value)


@pytest.mark.parametrize("take", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
def test_a_client_is_not_pickled(take: Callable[[object], object]) -> None:
    with NeptunClient(CANARY, 1) as client, pytest.raises(TypeError) as caught:
        take(client)
    assert CANARY not in shown_by(caught.value)


def test_a_field_that_holds_the_session_is_refused_and_not_shown() -> None:
    with RawServer(serves(response())) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:
        with pytest.raises(ArgumentError, match=r"description holds the session cookie.*nothing was sent") as caught:
            client.update_project(123, description=f"curl -H 'Cookie: neptun-session={CANARY}'")
        assert CANARY not in str(caught.value)
        assert server.connections == 0


def test_a_session_as_short_as_a_word_is_not_masked_in_words() -> None:
    with (
        RawServer(serves(response())) as server,
        NeptunClient("name", 1, base_url=server.base_url, timeout=TIMEOUT) as client,
    ):
        assert client.update_project(123, name="New name").name == "New name"


def test_only_the_configured_origin_gets_the_session() -> None:
    with RawServer(reset) as elsewhere:
        moved = response(
            b"", "307 Moved", f"Location: {elsewhere.base_url}/", f'Alt-Svc: h2="127.0.0.1:{elsewhere.port}"'
        )
        with (
            RawServer(serves(moved)) as server,
            NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT) as client,
        ):
            for _ in range(3):
                with pytest.raises(neptun_sdk.ResponseError, match="redirects are not followed"):
                    client.update_project(123, name="New name")
        assert elsewhere.connections == 0


def test_the_sandbox_shows_no_session(capfd: pytest.CaptureFixture[str]) -> None:
    with Sandbox() as neptun, NeptunClient(CANARY, 1, base_url=neptun.base_url) as client:
        with pytest.raises(neptun_sdk.AuthenticationError):
            client.update_project(neptun.project_id, name="x")
        assert len(neptun.requests) == 1
        assert CANARY not in f"{neptun!r} {vars(neptun)} {neptun.requests} {capfd.readouterr()}"
        assert neptun.session_cookie not in repr(neptun)
