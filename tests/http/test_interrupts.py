"""An exception of a signal handler, such as Ctrl-C or a task's time limit, can be raised anywhere within a call."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpcore
import pytest

from neptun_sdk import NeptunClient
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, response, serves
from tests.http.servers import PATIENCE, update

# Prints the modules that calls import. It imports none of the tests', which would import some of those too.
IMPORTS = r"""
import socket, sys, threading
from neptun_sdk import NeptunClient, NeptunError

main, calling, imported = threading.get_ident(), threading.Event(), []

def audit(event, arguments):
    if event == "import" and calling.is_set() and threading.get_ident() == main:
        imported.append(arguments[0])

def head(status, *headers):
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""]).encode()

responses = [
    head("200 OK") + b"{}",
    head("302 Found", "Location: https://b\xfccher.test/"),
    head("400 Bad Request") + b'{"statusCode": 400, "data": {"issues": [{"path": ["name"], "message": "No"}]}}',
    head("429 Busy", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT") + b"<title>Busy</title>",
    head("500 Failed", "Content-Type: text/plain; charset=koi8-r") + b"\xff",
    head("200 OK", "Content-Encoding: gzip") + b"no gzip",
    b"no HTTP",
]

def serve(listener):
    for content in responses:
        connection, _ = listener.accept()
        with connection:
            received = b""
            while b"}" not in received:
                received += connection.recv(65536)
            connection.sendall(content)

listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
url = f"http://localhost:{listener.getsockname()[1]}"
with NeptunClient("a-session-cookie", 1, base_url=url, max_retries=0) as client:
    sys.addaudithook(audit)
    for _ in responses:
        calling.set()
        try:
            client.update_project(123, name="New name")
        except NeptunError as error:
            print(type(error).__name__)
        calling.clear()
print(*imported)
"""
ROOT = Path(__file__).parent.parent.parent
INTERRUPTS = int(os.environ.get("NEPTUN_TEST_INTERRUPTS", "200"))

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timer")


def interrupt(how: str) -> dict[str, Any]:
    """Interrupt calls in a process of their own, and return what came of it."""
    command = [sys.executable, "-m", "tests.http.interrupts", how, str(INTERRUPTS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120 + INTERRUPTS, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("how", ["alone", "by_name", "over_tls"])
def test_a_client_lives_through_interrupts_at_any_moment(how: str) -> None:
    result = interrupt(how)
    assert result.pop("struck") > INTERRUPTS / 2
    assert result.pop("longest") < 30, "a call hung"
    assert result.pop("leaked") <= 2
    assert result == {"shown": 0, "crossed": 0, "failures": [], "threads": 0}


def test_calls_of_other_threads_end_well_beside_interrupts() -> None:
    """Only the main thread runs signal handlers; the connections of the others stay theirs."""
    assert interrupt("beside_others") == {"failures": [], "hung": 0}


def test_a_lock_that_an_interrupt_leaves_taken_stops_no_other_thread(
    submit: Callable[..., Future[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Python 3.14, a signal handler can raise between the two steps of a ``with`` statement."""
    assign = "_assign_requests_to_connections"  # what httpcore does while it holds the lock of its pool
    others: list[Future[int]] = []
    with RawServer(serves(response())) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:

        def strike(pool: Any) -> None:
            monkeypatch.undo()
            others.append(submit(update, client))
            pool._optional_thread_lock.__enter__()
            raise KeyboardInterrupt

        monkeypatch.setattr(httpcore.ConnectionPool, assign, strike)
        with pytest.raises(KeyboardInterrupt):
            update(client)
        assert others[0].result(PATIENCE) == 123


def test_a_call_imports_nothing() -> None:
    """An interrupt within an import can leave its lock taken, so that every other thread hangs."""
    command = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    *outcomes, imported = done.stdout.split("\n")[:-1]
    assert outcomes == [
        "ResponseError",
        "ResponseError",
        "BadRequestError",
        "RateLimitError",
        "ServerError",
        "ResponseError",
        "NeptunConnectionError",
    ]
    assert imported == ""
