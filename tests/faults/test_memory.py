"""A response that is too large is refused before it is in memory: the peak is measured in a process of its own."""

import gzip
import io
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.faults.raw_server import RawServer, Script, receive, response, sends

pytest.importorskip("resource", reason="this system does not measure the memory of a process")

MIB = 1024 * 1024

CALL = """
import resource, sys
from neptun_sdk import NeptunClient, ResponseError
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
with NeptunClient("a-session-cookie", 1, base_url=sys.argv[1], timeout=60, **eval(sys.argv[2])) as client:
    idle = peak()
    try:
        client.update_project(1, name="x")
    except ResponseError as error:
        print(peak() - idle, error)
"""


def measure(script: Script, **settings: int) -> tuple[int, str]:
    """Return the bytes that a call takes at its peak, and the text of its error."""
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
    compressed = io.BytesIO()
    with gzip.GzipFile(fileobj=compressed, mode="wb") as file:
        for _ in range(1024):
            file.write(bytes(MIB))
    assert len(compressed.getvalue()) < 2 * MIB
    return sends(response(compressed.getvalue(), "200 OK", "Content-Encoding: gzip"))


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
    assert text == (
        f"update_project(user_id=1, project_id=1): {status}, but the body is larger than max_response_size (16,777,216 "
        f"bytes). {outcome} Check that base_url is a Neptun server and that this SDK is up to date."
    )
    assert peak < 64 * MIB


def test_max_response_size_bounds_what_is_read() -> None:
    peak, text = measure(endless(b"200 OK", b" " * 65_536), max_response_size=1_000)
    assert "the body is larger than max_response_size (1,000 bytes)" in text
    assert peak < 16 * MIB
