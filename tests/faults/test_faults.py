"""Whatever a network or a server does, a call ends in a verified resource or in one typed error.

Each row of FAULTS is one thing that can happen on the wire; SECURITY.md has the same table for readers.
"""

import copy
import gzip
import json
import pickle
import re
import socket
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

import neptun_sdk
from neptun_sdk import (
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    Project,
    ResponseError,
    UpdateNotAppliedError,
)
from tests.conftest import CANARY, PROJECT
from tests.faults.raw_server import BODY, RawServer, Script, answer, receive, reset, sends, serves

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Outcome(NamedTuple):
    kind: type[NeptunError] | type[Project]
    applied: bool | None
    words: str


def then_reset(connection: socket.socket) -> None:
    time.sleep(0.05)  # so that what was sent is read before the connection breaks
    reset(connection)


def reset_unread(connection: socket.socket) -> None:
    connection.recv(1, socket.MSG_PEEK)  # so that the connection is not broken before it is made
    reset(connection)


def gzipped(content: bytes) -> bytes:
    return answer(gzip.compress(content), "200 OK", "Content-Encoding: gzip")


def with_extra(json_text: str) -> bytes:
    """A 200 whose project has one more field."""
    return answer(BODY[:-2] + b', "more": ' + json_text.encode() + b"}}")


def lost(applied: bool | None, words: str = "broke before the whole answer had come") -> Outcome:
    return Outcome(NeptunConnectionError, applied, words)


def outside(words: str, applied: bool | None = True) -> Outcome:
    return Outcome(ResponseError, applied, words)


READ = Outcome(Project, True, "")

FAULTS: dict[str, tuple[Script, Outcome]] = {
    # Connections
    "reset before the request was read": (reset_unread, lost(None)),
    "reset after the request": (sends(then=reset), lost(None)),
    "closed without an answer": (sends(), lost(None, "without sending a response")),
    "reset within the status line": (sends(b"HTTP/1.1 200 O", then=then_reset), lost(None)),
    "reset within the head": (sends(OK + b"Content-", then=then_reset), lost(None)),
    "reset within the body of a 200": (sends(answer(length=5000), then=then_reset), lost(True)),
    "reset within the body of a 404": (sends(answer(b"{", "404 Not Found", length=9), then=then_reset), lost(False)),
    "reset within the body of a 500": (sends(answer(b"{", "500 Oh", length=9), then=then_reset), lost(None)),
    # Framing
    "a body shorter than its Content-Length": (sends(answer(length=5000)), lost(True, "incomplete|complete message")),
    "a body longer than its Content-Length": (sends(answer() + b"more"), READ),
    "a body cut by its Content-Length": (sends(answer(length=20)), outside("it is not JSON")),
    "two different Content-Lengths": (sends(answer(BODY, "200 OK", "Content-Length: 3")), lost(None)),
    "a negative Content-Length": (sends(answer(length=-5)), lost(None)),
    "no Content-Length": (sends(OK + b"\r\n" + BODY), READ),
    "a chunk without a size": (sends(CHUNKED + b"zz\r\nabc\r\n"), lost(True, "illegal chunk header")),
    "a chunk that ends early": (sends(CHUNKED + b"5\r\nab"), lost(True)),
    "a good chunked body": (sends(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)), READ),
    # The head
    "a malformed status line": (sends(b"HTPP/9 200 OK\r\n\r\n"), lost(None, "illegal status line")),
    "TLS where HTTP was asked for": (sends(b"\x15\x03\x01\x00\x02\x02\x46" * 4), lost(None)),
    "a body without a head": (sends(BODY), lost(None)),
    "a status of two digits": (sends(b"HTTP/1.1 20 OK\r\n\r\n"), lost(None, "illegal status line")),
    "a header without a colon": (sends(OK + b"Bad\r\n\r\n"), lost(None, "illegal header line")),
    "headers of 100 KB": (sends(answer(BODY, "200 OK", *[f"X-{n}: {'a' * 1000}" for n in range(100)])), READ),
    "a header of 1 MB": (sends(answer(BODY, "200 OK", "X: " + "a" * 1_000_000)), lost(None, "too long")),
    "a header that is not ASCII": (sends(answer(BODY, "200 OK", "X: \xe9")), READ),
    # Statuses
    "a thousand 1xx before the answer": (sends(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + answer()), READ),
    "a switch of protocols": (sends(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n" + BODY), lost(None, "_SWITCH_")),
    "204": (sends(b"HTTP/1.1 204 No Content\r\n\r\n"), outside("204: .*status that the contract does not know", None)),
    "299": (sends(answer(status="299 Odd")), outside("299: .*status that the contract does not know", None)),
    "304": (sends(b"HTTP/1.1 304 Not Modified\r\n\r\n"), outside("304: the server redirected", None)),
    "999": (sends(answer(status="999 Odd")), outside("999: .*status that the contract does not know", None)),
    "307 with a Location": (
        sends(answer(b"", "307 Moved", "Location: https://elsewhere.test/")),
        outside("redirected to 'https://elsewhere.test/', and redirects are not followed", None),
    ),
    "307 without a Location": (sends(answer(b"", "307 Moved")), outside("redirected, and redirects are not", None)),
    "307 to what is no URL": (
        sends(answer(b"", "307 Moved", "Location: https://host:port/")),
        outside("redirected, and", None),
    ),
    "520": (sends(answer(b"", "520 Odd")), Outcome(neptun_sdk.ServerError, None, "520 no message")),
    "429 that asks to wait for ever": (
        sends(answer(b"", "429 Slow down", "Retry-After: 99999999999")),
        Outcome(neptun_sdk.RateLimitError, False, "Call again after 1000000000 seconds"),
    ),
    # Bodies
    "HTML": (sends(answer(b"<html>Welcome</html>")), outside(r"it is not JSON \(JSONDecodeError\)\.")),
    "text": (sends(answer(b"fine")), outside("it is not JSON")),
    "nothing": (sends(answer(b"")), outside("it is not JSON")),
    "invalid UTF-8": (sends(answer(BODY.replace(b"New", b"\xff"))), outside("it is not JSON")),
    "UTF-16": (sends(answer(BODY.decode().encode("utf-16"))), outside("it is not JSON")),
    "a byte order mark": (sends(answer(b"\xef\xbb\xbf" + BODY)), READ),
    "an unknown charset": (sends(answer(BODY, "200 OK", "Content-Type: application/json; charset=none")), READ),
    "100,000 nested arrays": (sends(with_extra("[" * 100_000 + "]" * 100_000)), outside("it is not JSON")),
    "NaN": (sends(with_extra("NaN")), outside(r"it is not JSON \(ValueError\)\.")),
    "a number of 5,000 digits": (sends(with_extra("1" * 5000)), outside("it is not JSON")),
    "a key twice, first right": (
        sends(answer(BODY[:-2] + b', "name": "Other"}}')),
        Outcome(UpdateNotAppliedError, False, "did not apply name"),
    ),
    "a key twice, last right": (sends(answer(b'{"project": null, ' + BODY[1:])), READ),
    # Encodings
    "good gzip": (sends(gzipped(BODY)), READ),
    "gzip that is none": (sends(answer(BODY, "200 OK", "Content-Encoding: gzip")), outside("decompressed")),
    "gzip that ends early": (
        sends(answer(gzip.compress(BODY)[:-30], "200 OK", "Content-Encoding: gzip")),
        outside("it is not JSON"),
    ),
    "gzip in gzip": (
        sends(answer(gzip.compress(gzip.compress(BODY)), "200 OK", "Content-Encoding: gzip, gzip")),
        outside("encoded as 'gzip, gzip', which was not asked for"),
    ),
    "an encoding of no name": (sends(answer(BODY, "200 OK", "Content-Encoding:")), READ),
    "the encoding identity": (sends(answer(BODY, "200 OK", "Content-Encoding: Identity")), READ),
    "an encoding that was not asked for": (
        sends(answer(BODY, "200 OK", "Content-Encoding: br")),
        outside("encoded as 'br', which was not asked for"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_one_typed_outcome(fault: str) -> None:
    script, expected = FAULTS[fault]
    with (
        RawServer(script) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5, max_retries=0) as client,
    ):
        try:
            outcome: Project | NeptunError = client.update_project(123, name="New name")
        except NeptunError as error:
            outcome = error
    assert type(outcome) is expected.kind, outcome
    if isinstance(outcome, NeptunError):
        assert outcome.applied is expected.applied
        assert re.search(expected.words, str(outcome)), outcome
        assert str(outcome).startswith("update_project(user_id=1, project_id=123): ")
        assert outcome.attempts == 1


@pytest.mark.parametrize("fault", [name for name, (_, expected) in FAULTS.items() if expected.kind is not Project])
def test_after_a_fault_the_next_call_is_answered(fault: str) -> None:
    script, _ = FAULTS[fault]
    with (
        RawServer(script, serves(answer())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5, max_retries=0) as client,
    ):
        with pytest.raises(NeptunError):
            client.update_project(123, name="New name")
        time.sleep(0.05)  # the server's end of the connection arrives
        assert client.update_project(123, name="New name").id == 123


def test_a_refused_connection_changed_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        NeptunClient(CANARY, 1, base_url=f"http://127.0.0.1:{port}", max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match=r"cannot connect.*refused.*Nothing was changed") as caught,
    ):
        client.update_project(123, name="New name")
    assert caught.value.applied is False
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("host", ["no-such-host.invalid", f"{'a' * 64}.test", "two..dots.test"])
def test_a_name_that_cannot_be_resolved_changed_nothing(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if host.endswith(".invalid"):  # a real look-up would leave this machine; the other two never do
        monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    with (
        NeptunClient(CANARY, 1, base_url=f"https://{host}", max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match="cannot connect to https://") as caught,
    ):
        client.update_project(123, name="New name")
    assert caught.value.applied is False


def test_a_connection_that_the_server_closed_between_two_calls_is_replaced() -> None:
    with (
        RawServer(sends(answer()), serves(answer())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5, max_retries=0) as client,
    ):
        client.update_project(123, name="New name")
        time.sleep(0.05)  # the server's end of the connection arrives
        client.update_project(123, name="New name")
        assert server.connections == 2


def test_a_connection_that_the_server_closes_while_the_next_call_is_on_its_way_is_replaced() -> None:
    def answers_once_and_drops_the_next(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(answer())
        receive(connection)
        reset(connection)

    with (
        RawServer(answers_once_and_drops_the_next, serves(answer())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5) as client,
    ):
        client.update_project(123, name="New name")
        assert client.update_project(123, name="New name").id == 123
        assert server.connections == 2


WRONG: list[object] = [None, True, 0, -1, 1.5, "text", "", [], [1], {}, {"a": 1}]


@pytest.mark.parametrize("name", PROJECT)
def test_a_wrong_json_type_in_any_field_is_a_typed_error(name: str) -> None:
    answers = [answer(json.dumps({"project": {**PROJECT, name: value}}).encode()) for value in WRONG]
    right = {"id": (int,), "neptun_user_id": (int,), "description": (str, type(None))}.get(name, (str,))
    with (
        RawServer(serves(*answers)) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5, max_retries=0) as client,
    ):
        for value in WRONG:
            if type(value) in right and not name.endswith("_at"):
                try:
                    client.update_project(123, name="New name")
                except UpdateNotAppliedError:
                    assert name == "name"
            else:
                with pytest.raises(ResponseError, match=f"project.{name}: expected") as caught:
                    client.update_project(123, name="New name")
                assert caught.value.applied is True


@pytest.mark.parametrize(
    "content", [b"[" * 90 + b"]" * 90, b"[" * 900 + b"]" * 900, b'{"a":' * 500 + b"1" + b"}" * 500]
)
def test_an_error_body_nested_deeply_still_pickles_and_copies(content: bytes) -> None:
    with (
        RawServer(sends(answer(content, "500 Oh"))) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5) as client,
        pytest.raises(neptun_sdk.ServerError) as caught,
    ):
        client.update_project(123, name="New name")
    for twin in (pickle.loads(pickle.dumps(caught.value)), copy.deepcopy(caught.value)):  # noqa: S301
        assert twin.body == caught.value.body is not None


def test_an_encoding_of_any_length_is_named_in_short() -> None:
    with (
        RawServer(sends(answer(BODY, "200 OK", f"Content-Encoding: {'x' * 1000}"))) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5) as client,
        pytest.raises(ResponseError, match=f"it is encoded as '{'x' * 40}', which was not asked for"),
    ):
        client.update_project(123, name="New name")


def test_the_table_of_faults_in_security_md_is_the_one_that_is_tested() -> None:
    text = (Path(__file__).parent.parent.parent / "SECURITY.md").read_text(encoding="utf-8")
    applied = {True: "`True`", False: "`False`", None: "`None`"}
    for fault, (_, expected) in FAULTS.items():
        told = f"`{expected.kind.__name__}` | {applied[expected.applied]} |"
        assert f"| {fault} | {told}" in text, f"change the row of {fault!r} in SECURITY.md to {told}"
