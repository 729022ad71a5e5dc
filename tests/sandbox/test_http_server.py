"""HTTP below the app, over raw sockets: malformed requests, limits, clients that stall."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from neptun_sdk.dialects import DIALECTS
from neptun_sdk.sandbox import Sandbox

PROJECT = "/api/users/1/projects/789"
HOST = b"Host: 127.0.0.1\r\n"
PUT = b"PUT /nope HTTP/1.1\r\n" + HOST
CHUNKED = PUT + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module", params=DIALECTS)
def neptun(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(request.param) as sandbox:
        yield sandbox


def connect(neptun: Sandbox) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(neptun.base_url.rsplit(":", 1)[1])), timeout=10)


def exchange(neptun: Sandbox, content: bytes, *, until_close: bool = True) -> bytes:
    """Send bytes and return what comes back, before the server closes the connection or with it."""
    with connect(neptun) as connection:
        connection.sendall(content)
        if until_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while block := connection.recv(65_536):
            received += block
        return received


MALFORMED = {
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "Host twice": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "no version": b"GET /\r\n" + HOST + b"\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "a line feed alone": b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
    "a head that breaks off": b"GET / HTTP/1.1\r\n" + HOST,
    "an unknown encoding": PUT + b"Transfer-Encoding: gzip\r\n\r\n",
    "Content-Length twice": PUT + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "Content-Length -1": PUT + b"Content-Length: -1\r\n\r\n{}",
    "Content-Length +2": PUT + b"Content-Length: +2\r\n\r\n{}",
    "Content-Length 1_0": PUT + b"Content-Length: 1_0\r\n\r\n0123456789",
    "Content-Length and chunks": PUT + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a body that breaks off": PUT + b"Content-Length: 10\r\n\r\nshort",
    "a chunk without a size": CHUNKED + b"nonsense\r\n\r\n",
    "a chunk of size -1": CHUNKED + b"-1\r\n\r\n",
    "a chunk of size 0x2": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk of size 1_0": CHUNKED + b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"2\r\n{}{}\r\n0\r\n\r\n",
    "a chunk without an end": CHUNKED + b"2\r\n{}xx0\r\n\r\n",
    "a chunk that breaks off": CHUNKED + b"a\r\n{}",
    "chunks that break off": CHUNKED + b"2\r\n{}\r\n",
    "a size that breaks off": CHUNKED + b"2",
    "trailers that break off": CHUNKED + b"0\r\na: b\r\n",
    "a malformed trailer": CHUNKED + b"0\r\nnonsense\r\n\r\n",
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_400_without_a_body(
    content: bytes, neptun: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    neptun.reset()
    head, _, body = exchange(neptun, content).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert body == b""
    assert neptun.requests == []
    assert capfd.readouterr().err == ""


TOO_LARGE = {
    "a header": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 17_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 3_000 + b"\r\n", 431),
    "endless headers": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 20_000, 431),
    "a path": (b"GET /" + b"x" * 17_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    "a body": (PUT + b"Content-Length: 999999999999\r\n\r\n", 413),
    "a chunk": (CHUNKED + b"ffffffff\r\n", 413),
    "chunks": (CHUNKED + b"2000000\r\n" + b"x" * 0x2000000 + b"\r\n2000001\r\n", 413),
    "trailers": (CHUNKED + b"0\r\n" + b"A: b\r\n" * 3_000 + b"\r\n", 413),
}


@pytest.mark.parametrize(("content", "status"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_too_large_is_refused_without_being_read(content: bytes, status: int, neptun: Sandbox) -> None:
    head, _, body = exchange(neptun, content, until_close=False).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert body == b""


def test_a_client_sees_that_its_headers_are_too_large(neptun: Sandbox) -> None:
    for size in (16_000, 17_000, 100_000):
        response = httpx.get(neptun.base_url, headers={"A": "x" * size})
        assert (response.status_code, response.text == "") == ((404, False) if size < 16_384 else (431, True))


WELL_FORMED = {
    "chunks": CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    "chunks with an extension and trailers": CHUNKED + b"01 ;a=b\r\n{\r\n1\r\n}\r\n0\r\nA: b\r\n\r\n",
    "a length": PUT + b"Content-Length: 2\r\n\r\n{}",
    "a whole address": PUT.replace(b"/nope", b"http://127.0.0.1/nope") + b"Content-Length: 2\r\n\r\n{}",
    "asked first": PUT + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("content", WELL_FORMED.values(), ids=WELL_FORMED)
def test_the_connection_takes_the_next_request_after_a_well_formed_one(content: bytes, neptun: Sandbox) -> None:
    neptun.reset()
    received = exchange(neptun, content + content.replace(b"nope", b"next"))
    assert received.count(b"HTTP/1.1 404 ") == 2
    assert [(request.path, request.body) for request in neptun.requests] == [("/nope", {}), ("/next", {})]


HALF_OPEN = {
    "nothing": b"",
    "half a head": b"PATCH /api HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    "half a body": PUT + b"Content-Length: 10\r\n\r\nshort",
    "half a chunk": CHUNKED + b"a\r\n{}",
}


@pytest.mark.parametrize("content", HALF_OPEN.values(), ids=HALF_OPEN)
def test_half_open_requests_do_not_use_up_the_threads(content: bytes) -> None:
    with ExitStack() as stack, Sandbox() as neptun:
        for _ in range(150):
            stack.enter_context(connect(neptun)).sendall(content)
        headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
        for _ in range(3):
            began = time.monotonic()
            response = httpx.patch(f"{neptun.base_url}{PROJECT}", json={"name": "x"}, headers=headers, timeout=8)
            assert json.loads(response.content)["project"]["name"] == "x"
            assert time.monotonic() - began < 5, "a client that stalls is given up after 10 seconds"
