"""Fault injection: anything a network or a server does ends in a verified resource or in one typed error.

Each row of FAULTS is one thing that can happen on the wire; docs/reference/faults.md has the same table for readers.
"""

import copy
import gzip
import pickle
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

import neptun_sdk
from neptun_sdk import (
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    NotFoundError,
    Project,
    RateLimitError,
    ResponseError,
    ServerError,
    UpdateNotVerifiedError,
)
from tests.conftest import CANARY, PROJECT, ClientFor, Respond
from tests.faults.raw_server import BODY, RawServer, Script, receive, reset, response, sends, serves

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TIMEOUT = 60  # seconds; no fault in this file takes any


class Outcome(NamedTuple):
    """What a call ends in: the class, ``.applied``, and a pattern of the error's text."""

    kind: type[NeptunError] | type[Project]
    applied: bool | None
    pattern: str


class Fault(NamedTuple):
    script: Script
    outcome: Outcome


def sends_then_resets(content: bytes) -> Script:
    """Make a script that resets the connection after the client has read what was sent."""

    def script(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(content)
        # Some systems drop what was sent and not yet read when a reset arrives; Linux does not.
        time.sleep(0.05)
        reset(connection)

    return script


def resets_unread(connection: socket.socket) -> None:
    connection.recv(1, socket.MSG_PEEK)  # so that the connection is not reset before it is made
    reset(connection)


def gzipped(content: bytes) -> bytes:
    return response(gzip.compress(content), "200 OK", "Content-Encoding: gzip")


def with_extra(json_text: str) -> bytes:
    """Return a 200 whose project has one more field."""
    return response(BODY[:-2] + b', "more": ' + json_text.encode() + b"}}")


def broken(applied: bool | None = None, pattern: str = "broke before the response was complete") -> Outcome:
    return Outcome(NeptunConnectionError, applied, pattern)


def outside(pattern: str, applied: bool | None = None) -> Outcome:
    return Outcome(ResponseError, applied, pattern)


READ = Outcome(Project, True, "")
UNREADABLE = "its body did not come as a whole"

FAULTS: dict[str, Fault] = {
    # Connections
    "reset before the request was read": Fault(resets_unread, broken()),
    "reset after the request": Fault(sends(then=reset), broken()),
    "closed without a response": Fault(sends(), broken(pattern="without sending a response")),
    "reset within the status line": Fault(sends_then_resets(b"HTTP/1.1 200 O"), broken()),
    "reset within the head": Fault(sends_then_resets(OK + b"Content-"), broken()),
    "reset within the body of a 200": Fault(sends_then_resets(response(length=5000)), broken()),
    "reset within the body of a 404 for a project": Fault(
        sends_then_resets(response(b"{", "404 Not Found", length=9)), Outcome(NotFoundError, False, UNREADABLE)
    ),
    "reset within the body of a 429": Fault(
        sends_then_resets(response(b"{", "429 Busy", length=9)), Outcome(RateLimitError, False, UNREADABLE)
    ),
    "reset within the body of a 500": Fault(
        sends_then_resets(response(b"{", "500 Error", length=9)), Outcome(ServerError, None, UNREADABLE)
    ),
    # Framing
    "a body shorter than its Content-Length": Fault(
        sends(response(length=5000)), broken(pattern="incomplete|complete message")
    ),
    "a body longer than its Content-Length": Fault(sends(response() + b"more"), READ),
    "a body cut by its Content-Length": Fault(sends(response(length=20)), outside("the body is not JSON")),
    "two different Content-Lengths": Fault(sends(response(BODY, "200 OK", "Content-Length: 3")), broken()),
    "a negative Content-Length": Fault(sends(response(length=-5)), broken()),
    "no Content-Length": Fault(sends(OK + b"\r\n" + BODY), READ),
    "a chunk without a size": Fault(sends(CHUNKED + b"zz\r\nabc\r\n"), broken(pattern="illegal chunk header")),
    "a chunk that ends early": Fault(sends(CHUNKED + b"5\r\nab"), broken()),
    "a good chunked body": Fault(sends(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)), READ),
    # The head
    "a malformed status line": Fault(sends(b"HTPP/9 200 OK\r\n\r\n"), broken(pattern="illegal status line")),
    "TLS where HTTP was asked for": Fault(sends(b"\x15\x03\x01\x00\x02\x02\x46" * 4), broken()),
    "a body without a head": Fault(sends(BODY), broken()),
    "a status of two digits": Fault(sends(b"HTTP/1.1 20 OK\r\n\r\n"), broken(pattern="illegal status line")),
    "a header without a colon": Fault(sends(OK + b"Bad\r\n\r\n"), broken(pattern="illegal header line")),
    "headers of 100 KB": Fault(
        sends(response(BODY, "200 OK", *[f"X-{number}: {'a' * 1000}" for number in range(100)])), READ
    ),
    "a header of 1 MB": Fault(sends(response(BODY, "200 OK", "X: " + "a" * 1_000_000)), broken(pattern="too long")),
    "a header that is not ASCII": Fault(sends(response(BODY, "200 OK", "X: \xe9")), READ),
    # Statuses
    "a thousand 1xx before the response": Fault(sends(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + response()), READ),
    "a switch of protocols": Fault(
        sends(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n" + BODY), broken(pattern="_SWITCH_")
    ),
    "204": Fault(sends(b"HTTP/1.1 204 No Content\r\n\r\n"), outside("204, which the contract does not know")),
    "299": Fault(sends(response(status="299 Odd")), outside("299, which the contract does not know")),
    "304": Fault(
        sends(b"HTTP/1.1 304 Not Modified\r\n\r\n"), outside("304, a redirect, and redirects are not followed")
    ),
    "999": Fault(sends(response(status="999 Odd")), outside("999, which the contract does not know")),
    "307 with a Location": Fault(
        sends(response(b"", "307 Moved", "Location: https://elsewhere.test/")),
        outside("307, a redirect to 'https://elsewhere.test/', and redirects are not followed"),
    ),
    "307 without a Location": Fault(
        sends(response(b"", "307 Moved")), outside("307, a redirect, and redirects are not followed")
    ),
    "307 with an invalid Location": Fault(
        sends(response(b"", "307 Moved", "Location: https://host:port/")),
        outside("307, a redirect, and redirects are not followed"),
    ),
    "307 whose Location is not ASCII": Fault(
        sends(response(b"", "307 Moved", "Location: /\xe9")), outside("307, a redirect to '/.*', and redirects are not")
    ),
    "520": Fault(sends(response(b"", "520 Odd")), Outcome(neptun_sdk.ServerError, None, "520 ")),
    "429 that asks to wait for centuries": Fault(
        sends(response(b"", "429 Slow down", "Retry-After: 99999999999")),
        Outcome(neptun_sdk.RateLimitError, False, "Call again after 1000000000 s"),
    ),
    # Bodies
    "HTML": Fault(sends(response(b"<html>Welcome</html>")), outside(r"the body is not JSON \(JSONDecodeError\)")),
    "text": Fault(sends(response(b"fine")), outside("the body is not JSON")),
    "nothing": Fault(sends(response(b"")), outside("the body is not JSON")),
    "invalid UTF-8": Fault(sends(response(BODY.replace(b"New", b"\xff"))), outside("the body is not JSON")),
    "UTF-16": Fault(sends(response(BODY.decode().encode("utf-16"))), outside("the body is not JSON")),
    "a byte order mark": Fault(sends(response(b"\xef\xbb\xbf" + BODY)), READ),
    "an unknown charset": Fault(sends(response(BODY, "200 OK", "Content-Type: application/json; charset=none")), READ),
    "100,000 nested arrays": Fault(
        sends(with_extra("[" * 100_000 + "]" * 100_000)), outside("the body is nested too deeply")
    ),
    "NaN": Fault(sends(with_extra("NaN")), outside(r"the body is not JSON \(ValueError\)")),
    "a number of 5,000 digits": Fault(sends(with_extra("1" * 5000)), outside("the body is not JSON")),
    "another project": Fault(
        sends(response(BODY.replace(b"123", b"124"))), outside("the body is about another project")
    ),
    "a field of a wrong type, the rest as sent": Fault(
        sends(response(BODY.replace(b'"2025-02-16T17:42:11.000Z"', b"5"))),
        outside(r"the body is not a project \(project.created_at: expected ", applied=True),
    ),
    "a field of a wrong type, another project": Fault(
        sends(response(BODY.replace(b'"2025-02-16T17:42:11.000Z"', b"5").replace(b"123", b"124"))),
        outside(r"the body is not a project \(project.created_at: expected "),
    ),
    "a key twice, first right": Fault(
        sends(response(BODY[:-2] + b', "name": "Other"}}')),
        Outcome(UpdateNotVerifiedError, None, "name came back as 'Other', not 'New name'"),
    ),
    "a key twice, last right": Fault(sends(response(b'{"project": null, ' + BODY[1:])), READ),
    # Encodings
    "good gzip": Fault(sends(gzipped(BODY)), READ),
    "invalid gzip": Fault(
        sends(response(BODY, "200 OK", "Content-Encoding: gzip")), outside("the body cannot be decompressed")
    ),
    "gzip that ends early": Fault(
        sends(response(gzip.compress(BODY)[:-30], "200 OK", "Content-Encoding: gzip")), outside("the body is not JSON")
    ),
    "gzip in gzip": Fault(
        sends(response(gzip.compress(gzip.compress(BODY)), "200 OK", "Content-Encoding: gzip, gzip")),
        outside("the body is encoded as 'gzip, gzip', which was not asked for"),
    ),
    "an encoding without a name": Fault(sends(response(BODY, "200 OK", "Content-Encoding:")), READ),
    "the encoding identity": Fault(sends(response(BODY, "200 OK", "Content-Encoding: Identity")), READ),
    "an error in an encoding that was not asked for": Fault(
        sends(response(b"x", "403 Forbidden", "Content-Encoding: zstd")),
        Outcome(neptun_sdk.PermissionDeniedError, False, "its body is encoded as 'zstd'"),
    ),
    "an encoding that was not asked for": Fault(
        sends(response(BODY, "200 OK", "Content-Encoding: br")),
        outside("the body is encoded as 'br', which was not asked for"),
    ),
}


@pytest.mark.parametrize(("script", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_has_one_typed_outcome(script: Script, expected: Outcome) -> None:
    with (
        RawServer(script) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=0) as client,
    ):
        try:
            outcome: Project | NeptunError = client.update_project(123, name="New name")
        except NeptunError as error:
            outcome = error
    assert type(outcome) is expected.kind, outcome
    if isinstance(outcome, NeptunError):
        assert outcome.applied is expected.applied
        assert re.search(expected.pattern, str(outcome)), outcome
        assert str(outcome).startswith("update_project(user_id=1, project_id=123): ")
        assert outcome.attempts == 1


FAILING = {name: fault.script for name, fault in FAULTS.items() if fault.outcome.kind is not Project}


def wait_until_closed(client: NeptunClient) -> None:
    """Wait until the client could notice that the server closed every connection that is kept open."""
    transport = client._connections._own_transport
    assert transport is not None
    for connection in transport._pool.connections:
        for _ in range(1_000):
            if connection.has_expired():
                break
            time.sleep(0.01)
        assert connection.has_expired()


@pytest.mark.parametrize("script", FAILING.values(), ids=FAILING)
def test_after_a_fault_the_next_call_succeeds(script: Script) -> None:
    with (
        RawServer(script, serves(response())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=0) as client,
    ):
        with pytest.raises(NeptunError):
            client.update_project(123, name="New name")
        wait_until_closed(client)
        assert client.update_project(123, name="New name").id == 123


def test_a_refused_connection_applied_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        NeptunClient(CANARY, 1, base_url=f"http://127.0.0.1:{port}", max_retries=0) as client,
        pytest.raises(
            NeptunConnectionError, match=r"cannot connect to .*The update was not applied.*refused"
        ) as caught,
    ):
        client.update_project(123, name="New name")
    assert caught.value.applied is False
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


HOSTS = {"unknown": "no-such-host.invalid", "a label too long": f"{'a' * 64}.test", "an empty label": "two..dots.test"}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_name_that_cannot_be_resolved_applied_nothing(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if host.endswith(".invalid"):  # looking it up would leave this machine; the other two never do
        monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    with (
        NeptunClient(CANARY, 1, base_url=f"https://{host}", max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match="cannot connect to https://") as caught,
    ):
        client.update_project(123, name="New name")
    assert caught.value.applied is False


def test_a_connection_that_the_server_closed_between_two_calls_is_replaced() -> None:
    with (
        RawServer(sends(response()), serves(response())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=0) as client,
    ):
        client.update_project(123, name="New name")
        wait_until_closed(client)
        client.update_project(123, name="New name")
        assert server.connections == 2


def test_a_connection_that_the_server_closes_during_the_next_call_is_replaced() -> None:
    def responds_once_and_resets(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(response())
        receive(connection)
        reset(connection)

    with (
        RawServer(responds_once_and_resets, serves(response())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT) as client,
    ):
        client.update_project(123, name="New name")
        assert client.update_project(123, name="New name").id == 123
        assert server.connections == 2


VALUES: dict[str, object] = {
    "null": None,
    "true": True,
    "0": 0,
    "-1": -1,
    "1.5": 1.5,
    "a text": "text",
    "an empty text": "",
    "an array": [],
    "an array of one": [1],
    "an object": {},
    "an object of one": {"a": 1},
}
TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(PROJECT, (str,)),
    "id": (int,),
    "neptun_user_id": (int,),
    "description": (str, type(None)),
    "created_at": (),
    "updated_at": (),
}
WRONG_TYPES = {
    f"{name} is {case}": (name, value)
    for name in PROJECT
    for case, value in VALUES.items()
    if type(value) not in TYPES[name]
}
RIGHT_TYPES = {
    f"{name} is {case}": (name, value)
    for name in PROJECT
    for case, value in VALUES.items()
    if type(value) in TYPES[name]
}


def respond_with(name: str, value: object) -> Respond:
    """Return a project in which one field has another value."""
    return lambda _: httpx.Response(200, json={"project": {**PROJECT, name: value}})


@pytest.mark.parametrize(("name", "value"), WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_a_wrong_json_type_in_any_field_is_a_typed_error(name: str, value: object, client_for: ClientFor) -> None:
    with pytest.raises(ResponseError, match=rf"\(project\.{name}: expected ") as caught:
        client_for(respond_with(name, value)).update_project(123, name="New name")
    # Only with the ids that were asked for, and the value that was sent, does the body show that it was applied.
    assert caught.value.applied is (None if name in ("id", "neptun_user_id", "name") else True)


@pytest.mark.parametrize(("name", "value"), RIGHT_TYPES.values(), ids=RIGHT_TYPES)
def test_a_right_json_type_is_read_or_compared(name: str, value: object, client_for: ClientFor) -> None:
    client = client_for(respond_with(name, value))
    if name in ("id", "neptun_user_id"):
        with pytest.raises(ResponseError, match="the body is about another project"):
            client.update_project(123, name="New name")
    elif name == "name":
        with pytest.raises(UpdateNotVerifiedError):
            client.update_project(123, name="New name")
    else:
        assert getattr(client.update_project(123, name="New name"), name) == value


DEEP = {
    "90 arrays": b"[" * 90 + b"]" * 90,
    "900 arrays": b"[" * 900 + b"]" * 900,
    "500 objects": b'{"a":' * 500 + b"1" + b"}" * 500,
}
COPIES: dict[str, Callable[[NeptunError], NeptunError]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("content", DEEP.values(), ids=DEEP)
def test_an_error_body_nested_deeply_still_pickles_and_copies(
    content: bytes, duplicate: Callable[[NeptunError], neptun_sdk.ServerError], client_for: ClientFor
) -> None:
    with pytest.raises(neptun_sdk.ServerError) as caught:
        client_for(lambda _: httpx.Response(500, content=content)).update_project(123, name="New name")
    twin = duplicate(caught.value)
    assert twin.body == caught.value.body is not None
    assert str(twin) == str(caught.value)


def test_an_encoding_of_any_length_is_named_in_short(client_for: ClientFor) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(BODY), headers={"Content-Encoding": "x" * 1000})

    with pytest.raises(ResponseError, match=f"the body is encoded as '{'x' * 40}', which was not asked for"):
        client_for(respond).update_project(123, name="New name")


# The rows of that table that other tests hold, most of them in the files beside this one.
TESTED_ELSEWHERE = {
    "a connection that is refused, or a name that is unknown": ("NeptunConnectionError", "False"),
    "a certificate that is not trusted, or is for another host": ("NeptunConnectionError", "False"),
    "a proxy that refuses, or that is not a proxy": ("NeptunConnectionError", "False"),
    "no connection in time, or a name server that does not respond": ("NeptunTimeoutError", "False"),
    "no response in time; header lines or 1xx that drip": ("NeptunTimeoutError", "None"),
    "the body of a 200 that drips or stalls": ("NeptunTimeoutError", "None"),
    "the body of a 404 for a project that drips or stalls": ("NotFoundError", "False"),
    "a 200 larger than `max_response_size`, as sent or decompressed": ("ResponseError", "None"),
    "a connection that the server closed between two calls": ("Project", "True"),
    "the client closed by another thread while it connects to the server or to an HTTP proxy": (
        "NeptunConnectionError",
        "False",
    ),
    "the client closed by another thread later, such as while that proxy connects": ("NeptunConnectionError", "None"),
}


def test_the_published_table_of_faults_is_the_tested_one() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "reference" / "faults.md").read_text(encoding="utf-8")
    rows = {
        row[0]: row[1:] for row in re.findall(r"^\| (.+) \| `(\w+)` \| `(True|False|None)` \|$", text, re.MULTILINE)
    }
    tested = {name: (fault.outcome.kind.__name__, str(fault.outcome.applied)) for name, fault in FAULTS.items()}
    assert rows == TESTED_ELSEWHERE | tested
