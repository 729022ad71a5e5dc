"""No response takes more than eight times max_response_size: the peak is measured in a process of its own."""

import contextlib
import itertools
import json
import socket
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import httpx
import pytest

from neptun_sdk import NeptunClient, NeptunError
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, Script, receive, response, sends

pytestmark = pytest.mark.without_coverage

MIB = 1024 * 1024

CALL = """
import sys, tracemalloc
from neptun_sdk import NeptunClient, NeptunError
settings = eval(sys.argv[2])
with NeptunClient("a-session-cookie", 1, base_url=sys.argv[1], timeout=60, max_retries=0, **settings) as client:
    tracemalloc.start()
    try:
        outcome = client.update_project(123, name="New name").name
    except NeptunError as error:
        outcome = error
    print(tracemalloc.get_traced_memory()[1], outcome)
"""


def measure(script: Script, **settings: int) -> tuple[int, str]:
    """Return the bytes that a call takes at its peak, and the name that it returned or the text of its error."""
    with RawServer(script) as server:
        command = [sys.executable, "-c", CALL, server.base_url, repr(settings)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    peak, _, text = done.stdout.partition(" ")
    return int(peak), text.strip()


def endless(head: bytes, part: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
        while True:
            connection.sendall(part)

    return script


def decompresses_to_one_gibibyte() -> Script:
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)  # with the header of gzip

    def compress(data: bytes) -> bytes:
        return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)

    # After a full flush the same data is the same bytes again, so that only two of the mebibytes are compressed.
    compressed = compress(bytes(MIB)) + 1023 * compress(bytes(MIB))
    assert len(compressed) < 2 * MIB
    return sends(response(compressed, "200 OK", "Content-Encoding: gzip"))


LARGE: dict[str, tuple[Callable[[], Script], int, str]] = {
    "endless": (lambda: endless(b"200 OK", b" " * 65_536), 200, "The update may have been applied."),
    "endless 404": (lambda: endless(b"404 Not Found", b" " * 65_536), 404, "The update was not applied."),
    "endless chunks": (
        lambda: endless(b"200 OK\r\nTransfer-Encoding: chunked", b"ffff\r\n" + b" " * 65_535 + b"\r\n"),
        200,
        "The update may have been applied.",
    ),
    "1 GiB of zeros as 1 MiB of gzip": (decompresses_to_one_gibibyte, 200, "The update may have been applied."),
}


@pytest.mark.parametrize(("make", "status", "outcome"), LARGE.values(), ids=LARGE)
def test_a_response_that_is_too_large_takes_less_than_64_mib(
    make: Callable[[], Script], status: int, outcome: str
) -> None:
    peak, text = measure(make())
    assert f"{status}" in text.partition("(its body is")[0] or f"{status}, but the body is larger" in text
    assert "larger than max_response_size (16,777,216 bytes)" in text
    assert outcome in text
    assert peak < 64 * MIB


def test_max_response_size_bounds_what_is_read() -> None:
    peak, text = measure(endless(b"200 OK", b" " * 65_536), max_response_size=1_000)
    assert "the body is larger than max_response_size (1,000 bytes)" in text
    assert peak < 16 * MIB


Row = dict[str, object]
URL = "https://neptun.test"
LIMIT = MIB // 4
# What fills a body, by itself over and over again; each takes another multiple of its bytes when it is decoded.
SHAPES = {
    "empty arrays": "[],",
    "empty objects": "{},",
    "objects of one value": '{"":0},',
    "nested arrays": "[[[[]]]],",
    "objects, each with a key of its own": '{"%x":0},',
    "objects of six keys of their own": '{"a%x":0,"b%x":0,"c%x":0,"d%x":0,"e%x":0,"f%x":0},',
    "numbers": "999,",
    "fractions": "1.5,",
    "short texts": '"ab",',
    "emojis": '"\N{ROCKET}",',
    "escapes": '"a\\u0041bc\\/",',
    "a file tree": '{"path":"src/a/b%06d.py","type":"file","mode":"100644","size":1%d},',
}


def filled(row: Row, shape: str, size: int) -> bytes:
    """Return a body of at most ``size`` bytes: a project with a field that one shape fills."""
    parts = ((shape % ((number,) * shape.count("%"))).encode() for number in itertools.count())
    head = json.dumps({"project": row | {"name": "New name"}}).encode()[:-2] + b', "files": ['
    body, room = bytearray(head), size - len(b"0]}}")
    for part in parts:
        if len(body) + len(part) > room:
            return bytes(body + b"0]}}")
        body += part
    raise AssertionError("unreachable")


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_shape_of_json_takes_eight_times_max_response_size(shape: str, status: int, project: Row) -> None:
    """A body just below the limit, and smaller ones, of which some are just small enough to be decoded."""
    peaks: dict[float, int] = {}
    for part in (1, 0.7, 0.48, 0.35, 0.24, 0.12):
        body = filled(project, shape, int(part * LIMIT))
        transport = httpx.MockTransport(lambda _, body=body: httpx.Response(status, content=body))
        with NeptunClient(CANARY, 1, base_url=URL, transport=transport, max_response_size=LIMIT) as client:
            tracemalloc.start()
            with contextlib.suppress(NeptunError):
                client.update_project(123, name="New name")
            _, peaks[part] = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert max(peaks.values()) < 8 * LIMIT, peaks
