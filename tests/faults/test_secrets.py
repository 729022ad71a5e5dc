"""The canary hunt: whatever goes wrong, and whatever a server echoes, the session is in nothing that anyone reads."""

import copy
import io
import json
import logging
import pickle
import re
import socket
import time
import traceback
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console
from rich.traceback import Traceback

import neptun_sdk
from neptun_sdk import ArgumentError, NeptunClient, NeptunError, Project
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY
from tests.faults.raw_server import BODY, RawServer, Script, answer, receive, reset, serves
from tests.faults.test_faults import FAULTS

LARGE = "x" * 16_000_000  # more than the buffers between two sockets take
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in CANARY)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that the SDK and what it stands on log; whatever test runs, the session is not in it."""
    caplog.set_level(logging.DEBUG)
    for name in ("neptun_sdk", "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield caplog
    assert CANARY not in caplog.text


def shown_by(error: BaseException) -> str:
    """All that logging, an error tracker, a debugger or a worker queue would show of an error."""
    told = io.StringIO()
    Console(file=told, width=2_000, soft_wrap=True).print(
        Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True, locals_max_string=1_000_000)
    )
    lines = [told.getvalue()]
    lines += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    chain: list[BaseException] = [error]
    for link in chain:
        lines += [str(link), repr(link), repr(link.args), repr(vars(link))]
        request = vars(link).get("_request")
        lines += [repr(vars(request)), repr(request.headers)] if request is not None else []
        chain += [other for other in (link.__cause__, link.__context__) if other is not None and other not in chain]
    lines.append(pickle.dumps(error).decode("latin-1"))
    lines.append(repr(vars(copy.deepcopy(error))))
    return "\n".join(lines)


def call(client: NeptunClient) -> NeptunError | Project:
    try:
        return client.update_project(123, name="New name")
    except NeptunError as error:
        return error


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_shows_the_session(fault: str) -> None:
    with (
        RawServer(FAULTS[fault][0]) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5, max_retries=0) as client,
    ):
        outcome = call(client)
        shown = shown_by(outcome) if isinstance(outcome, NeptunError) else repr(outcome)
    assert CANARY not in shown


def test_a_write_that_times_out_shows_no_session() -> None:
    def never_reads(connection: socket.socket) -> None:
        connection.recv(1)
        time.sleep(0.4)

    with (
        RawServer(never_reads) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=0.2, max_retries=0) as client,
        pytest.raises(neptun_sdk.NeptunTimeoutError, match="WriteTimeout") as caught,
    ):
        client.update_project(123, description=LARGE)
    # Without rich, which would highlight every letter of the field.
    assert CANARY not in "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    )


def echoes(make: Callable[[str], bytes]) -> Script:
    """A script that puts the session it was sent into its answer."""

    def script(connection: socket.socket) -> None:
        found = re.search(rb"(?i)cookie: neptun-session=(\S+)", receive(connection))
        assert found is not None
        assert found[1].decode() == CANARY
        connection.sendall(make(found[1].decode()))

    return script


def project(**changes: object) -> bytes:
    document = json.loads(BODY)
    document["project"].update(changes)
    return answer(json.dumps(document).encode())


ECHOES: dict[str, Callable[[str], bytes]] = {
    "Set-Cookie on a 200": lambda it: answer(BODY, "200 OK", f"Set-Cookie: neptun-session={it}; Path=/; HttpOnly"),
    "a header on a 200": lambda it: answer(BODY, "200 OK", f"X-Session: {it}"),
    "Set-Cookie on a 401": lambda it: answer(b"{}", "401 No", f"Set-Cookie: neptun-session={it}"),
    "the reason phrase": lambda it: answer(b"{}", f"400 {it}"),
    "Location": lambda it: answer(b"", "302 Found", f"Location: https://elsewhere.test/{it}?s={it}"),
    "Location's host": lambda it: answer(b"", "302 Found", f"Location: https://{it}.test/"),
    "Retry-After": lambda it: answer(b"", "503 Away", f"Retry-After: {it}"),
    "Content-Encoding": lambda it: answer(BODY, "200 OK", f"Content-Encoding: {it}"),
    "the text of an error": lambda it: answer(f"You sent {it}".encode(), "500 Oh"),
    "the HTML of an error": lambda it: answer(f"<title>{it}</title>".encode(), "502 Oh"),
    "the JSON of an error": lambda it: answer(json.dumps({"message": it, it: [it, {"a": it}]}).encode(), "400 Bad"),
    "escapes in the JSON of an error": lambda it: answer(f'{{"message": "{ESCAPED}"}}'.encode(), "400 Bad"),
    "a problem of a field": lambda it: answer(
        json.dumps({"data": {"issues": [{"path": ["name", it], "message": f"bad {it}"}]}}).encode(), "400 Bad"
    ),
    "a malformed status line": lambda it: f"HTTP/1.1 {it}\r\n\r\n".encode(),
    "a malformed header": lambda it: f"HTTP/1.1 200 OK\r\n{it}\r\n\r\n".encode(),
    "a malformed chunk": lambda it: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{it}\r\n".encode(),
    "a wrong field of a 200": lambda it: project(created_at=it),
    "a wrong field of a 200, escaped": lambda it: answer(BODY.replace(b"2025-02-16T17:42:11.000Z", ESCAPED.encode())),
    "a field that was not applied": lambda it: project(name=it),
    "a field that was not applied, escaped": lambda it: answer(BODY.replace(b"New name", ESCAPED.encode())),
    "a field outside the contract": lambda it: project(more={it: [it]}),
    "the text of a 200": lambda it: answer(it.encode()),
}


@pytest.mark.parametrize("place", ECHOES)
def test_a_server_that_echoes_the_session_does_not_make_it_seen(place: str) -> None:
    with (
        RawServer(echoes(ECHOES[place])) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5, max_retries=0) as client,
    ):
        outcome = call(client)
        shown = shown_by(outcome) if isinstance(outcome, NeptunError) else repr(outcome)
        shown += f"{client!r} {client} {vars(client)}"
    assert CANARY not in shown


@pytest.mark.parametrize(
    "wrong", [f"{CANARY}\r\nX-Injected: 1", f"{CANARY};", f"{CANARY},x", f"{CANARY}é", f"{CANARY}\x7f"]
)
def test_a_refused_session_is_not_in_its_error(wrong: str) -> None:
    with NeptunClient(CANARY, 1) as client:
        for make in (NeptunClient, client.with_session):
            with pytest.raises(ArgumentError) as caught:
                make(wrong, 1)
            # The frame of this test knows the session; those below it, which are the SDK's, must not.
            assert caught.tb.tb_next is not None
            assert CANARY not in shown_by(caught.value.with_traceback(caught.tb.tb_next))


def test_a_refused_setting_shows_no_session() -> None:
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1, timeout=-1)
    assert CANARY not in shown_by(caught.value)


def test_a_field_that_holds_the_session_is_refused_and_not_shown() -> None:
    with RawServer(serves(answer())) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:
        with pytest.raises(ArgumentError, match=r"description holds the session cookie.*nothing was sent") as caught:
            client.update_project(123, description=f"curl -H 'Cookie: neptun-session={CANARY}'")
        assert CANARY not in str(caught.value)
        assert server.connections == 0


def test_a_session_as_short_as_a_word_is_not_blotted_out_of_words() -> None:
    with (
        RawServer(serves(answer())) as server,
        NeptunClient("name", 1, base_url=server.base_url, timeout=5) as client,
    ):
        assert client.update_project(123, name="New name").name == "New name"


def test_only_the_configured_origin_gets_the_session() -> None:
    def refuses(connection: socket.socket) -> None:
        reset(connection)

    with RawServer(refuses) as elsewhere:
        moved = answer(
            b"", "307 Moved", f"Location: {elsewhere.base_url}/", f'Alt-Svc: h2="127.0.0.1:{elsewhere.port}"'
        )
        with (
            RawServer(serves(moved)) as server,
            NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5) as client,
        ):
            for _ in range(3):
                with pytest.raises(neptun_sdk.ResponseError, match="redirected"):
                    client.update_project(123, name="New name")
        assert elsewhere.connections == 0


def test_the_sandbox_shows_a_session_of_a_client_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    with Sandbox() as neptun, NeptunClient(CANARY, 1, base_url=neptun.base_url) as client:
        with pytest.raises(neptun_sdk.AuthenticationError):
            client.update_project(neptun.project_id, name="x")
        shown = f"{neptun!r} {vars(neptun)} {capfd.readouterr()}"
        assert CANARY not in shown
        assert neptun.session_cookie not in f"{neptun!r} {neptun.accounts!r}"
