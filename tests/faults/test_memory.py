"""An answer that is too large is refused before it is held: peak memory is measured in a process of its own."""

import gzip
import io
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.faults.raw_server import RawServer, Script, answer, receive, sends

MIB = 1024 * 1024

CALL = """
import resource, sys
from neptun_sdk import NeptunClient, ResponseError
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
with NeptunClient("a-session-cookie", 1, base_url=sys.argv[1], timeout=30) as client:
    idle = peak()
    try:
        client.update_project(1, name="x")
    except ResponseError as error:
        assert "larger than 8 MiB" in str(error), error
        print(peak() - idle)
"""


def endless(head: bytes, part: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
        while True:
            connection.sendall(part)

    return script


def unpacks_to_one_gibibyte() -> Script:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(1024):
            file.write(bytes(MIB))
    assert len(packed.getvalue()) < 2 * MIB
    return sends(answer(packed.getvalue(), "200 OK", "Content-Encoding: gzip"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: endless(b"200 OK", b" " * 65_536),
        lambda: endless(b"404 Not Found", b" " * 65_536),
        lambda: endless(b"200 OK\r\nTransfer-Encoding: chunked", b"ffff\r\n" + b" " * 65_535 + b"\r\n"),
        unpacks_to_one_gibibyte,
    ],
    ids=["endless", "endless 404", "endless chunks", "1 GiB of zeros as 1 MiB of gzip"],
)
def test_an_answer_that_is_too_large_takes_less_than_64_mib(make: Callable[[], Script]) -> None:
    with RawServer(make()) as server:
        command = [sys.executable, "-c", CALL, server.base_url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 64 * MIB
