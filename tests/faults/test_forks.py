"""After a fork, parent and child each have connections of their own: no response reaches the other process."""

import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from neptun_sdk import NeptunClient
from neptun_sdk.connections import Transport, _after_fork
from neptun_sdk.network import NetworkBackend, _Stream
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, mirrors, receive, response, serves

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

PREFORK = """
import os, sys, threading
from neptun_sdk import NeptunClient
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


def own_transport(client: NeptunClient) -> Transport:
    transport = client._connections._own_transport
    assert transport is not None
    return transport


def test_a_child_closes_its_copies_and_begins_without_a_connection() -> None:
    with RawServer(serves(response())) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:
        client.update_project(123, name="New name")
        pool = own_transport(client)._pool
        (connection,) = pool.connections
        with pool._optional_thread_lock:  # as a thread of the parent may have held it
            _after_fork()
        assert connection.is_closed()
        assert own_transport(client)._pool is not pool
        client.update_project(123, name="New name")
        assert server.connections == 2


def test_a_child_closes_its_copy_of_a_connection_that_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that used it does not exist in the child, and the parent's copy must stay as it is."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.dup() as of_the_parent:
        stream = _Stream(ours, None, NetworkBackend())
        monkeypatch.setattr(stream, "_process", -1)
        with stream._in_use:
            stream.close()
        assert ours.fileno() == -1
        of_the_parent.sendall(b"still open")
        assert theirs.recv(100) == b"still open"


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
