"""After a fork, parent and child each have connections of their own: no response reaches the other process."""

import contextlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

import httpx
import pytest

from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk._http.connections import _after_fork
from tests.conftest import CANARY, PROJECT, ClientFor
from tests.faults.raw_server import RawServer, mirrors, receive, response
from tests.http.servers import update

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

PREFORK = """
import os, sys, threading
from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk._http.connections import _after_fork
with NeptunClient("session-of-user-1", 1, base_url=sys.argv[1], timeout=50) as client:
    client.update_project(1, name="in the master")
    busy = threading.Thread(target=lambda: [client.update_project(1, name="busy") for _ in range(200)], daemon=True)
    busy.start()  # so that the pool's lock, and a connection, may be taken when the fork happens
    workers = []
    for worker in range(8):
        child = os.fork()
        if not child:
            names = [f"worker {worker}, call {number}" for number in range(20)]
            right = all(client.update_project(1, name=name).name == name for name in names)
            other = client.with_session("session-of-user-2", 2)
            right = right and other.update_project(1, name="x").neptun_user_id == 2
            client.close()
            os._exit(0 if right else 1)
        workers.append(child)
    ended = [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]
    busy.join()
    assert client.update_project(1, name="in the master again").name == "in the master again"
    assert ended == [0] * 8, ended
"""


def test_workers_that_were_forked_from_a_busy_master_work() -> None:
    with RawServer(mirrors) as server:
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PREFORK, server.base_url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert server.connections >= 9  # the master's, and one for each worker


@contextlib.contextmanager
def forks() -> Iterator[None]:
    """Python 3.12 warns of a fork beside threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def call_in_child(client: NeptunClient, name: str) -> None:
    os._exit(0 if client.update_project(1, name=name).name == name else 1)


def test_multiprocessing_with_fork_works() -> None:
    with RawServer(mirrors) as server, NeptunClient(CANARY, 1, base_url=server.base_url, timeout=50) as client:
        client.update_project(1, name="in the parent")
        process = multiprocessing.get_context("fork").Process(target=call_in_child, args=(client, "in the child"))
        with forks():
            process.start()
        process.join(50)
        assert process.exitcode == 0
        assert client.update_project(1, name="in the parent again").name == "in the parent again"
        assert server.connections == 2


AFTER_FORK = """
import os, socket, sys, threading
from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError
# A hundred calls wait for a response, which is as many as may; one is in the handshake with a SOCKS proxy.
url, proxy = sys.argv[1:]
client = NeptunClient("a-session", 1, base_url=url, timeout=50)
socks = NeptunClient("a-session", 1, base_url="https://neptun.test", proxy=proxy, timeout=50)
closed = NeptunClient("a-session", 1, base_url=url)
closed.close()
outcomes = []
def call(caller, name):
    try:
        outcomes.append(caller.update_project(1, name=name).name)
    except NeptunConnectionError:
        outcomes.append("failed")
threads = [threading.Thread(target=call, args=pair) for pair in [(client, "waits")] * 100 + [(socks, "x")]]
for thread in threads:
    thread.start()
sys.stdin.readline()
child = os.fork()
if not child:
    links = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    sockets = sum("socket:" in link for link in links)
    try:
        closed.update_project(1, name="x")
    except ArgumentError:
        project = client.with_options(timeout=20).update_project(1, name="in the child")
        print("sockets in the child:", sockets, project.name, flush=True)
    client.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("parent waits", flush=True)
for thread in threads:
    thread.join()
print(*sorted(set(outcomes)), len(outcomes), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc")
def test_a_child_closes_its_copies_and_leaves_those_of_its_parent_open() -> None:
    """The threads that use them do not exist in the child; to shut a connection down would do so for the parent."""
    waiting, go_on = threading.Semaphore(0), threading.Event()

    def serves_when_told(connection: socket.socket) -> None:
        while True:
            content = receive(connection)
            if b'"waits"' in content:
                waiting.release()
                go_on.wait(50)
            name = json.loads(content.partition(b"\r\n\r\n")[2])["name"]
            row = PROJECT | {"id": 1, "name": name}
            connection.sendall(response(json.dumps({"project": row}).encode()))

    def handshakes(connection: socket.socket) -> None:
        connection.recv(1)
        waiting.release()
        go_on.wait(50)

    with RawServer(serves_when_told) as server, RawServer(handshakes) as proxy:
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", AFTER_FORK, server.base_url]
        command.append(f"socks5://127.0.0.1:{proxy.port}")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for _ in range(101):
                assert waiting.acquire(timeout=50)
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "sockets in the child: 0 in the child\n"
            assert process.stdout.readline() == "parent waits\n"
            go_on.set()
            assert process.stdout.readline() == "failed waits 101\n"
            assert process.wait(50) == 0


@pytest.mark.parametrize("closes", [False, True], ids=["open", "closed"])
def test_a_client_begins_anew_as_in_a_child(closes: bool) -> None:
    """What is done in a child, in this process: here its lines are counted."""
    with RawServer(mirrors) as server:
        client = NeptunClient(CANARY, 1, base_url=server.base_url, timeout=50)
        derived = client.with_session("another-session", 1)
        assert client.update_project(1, name="before").name == "before"
        if closes:
            client.close()
        _after_fork()
        if closes:
            with pytest.raises(ArgumentError, match="this client is closed"):
                derived.update_project(1, name="after")
        else:
            assert derived.update_project(1, name="after").name == "after"
            client.close()
        assert server.connections == (1 if closes else 2)


def test_a_transport_of_the_callers_own_is_left_alone(client_for: ClientFor) -> None:
    """After a failure of its connection, and after a fork: both are its own to see to."""
    attempts: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        attempts.append(request)
        if len(attempts) == 1:
            raise httpx.ConnectError("no")
        return httpx.Response(200, json={"project": PROJECT})

    client = client_for(respond)
    assert update(client) == 123
    _after_fork()
    assert update(client) == 123
    assert len(attempts) == 3


def test_a_process_without_fork_can_use_the_sdk() -> None:
    """As on Windows."""
    code = """
import httpx, os
del os.register_at_fork
from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk._http.connections import _after_fork
NeptunClient("a-session-cookie", 1).close()
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_a_child_does_not_end_the_call_of_another_thread_of_its_parent() -> None:
    """It only closes its copy: to shut the connection down would do so for the parent too."""
    received, go_on = threading.Event(), threading.Event()

    def waits(connection: socket.socket) -> None:
        receive(connection)
        received.set()
        assert go_on.wait(50)
        connection.sendall(response())

    names: list[str] = []
    with RawServer(waits) as server, NeptunClient(CANARY, 1, base_url=server.base_url, timeout=50) as client:
        thread = threading.Thread(target=lambda: names.append(client.update_project(123, name="New name").name))
        thread.start()
        assert received.wait(50)
        with forks():
            child = os.fork()
        if not child:
            os._exit(0)  # what is to be done after a fork was done by now
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        go_on.set()
        thread.join(50)
    assert names == ["New name"]
