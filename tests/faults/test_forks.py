"""After a fork, parent and child each have connections of their own: no answer reaches the other process."""

import multiprocessing
import os
import subprocess
import sys
import warnings

from neptun_sdk import NeptunClient
from neptun_sdk.transport import Transport, _after_fork
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, answer, serves
from tests.faults.test_threads import mirrors

PREFORK = """
import os, sys, threading
from neptun_sdk import NeptunClient
with NeptunClient("session-of-user-1", 1, base_url=sys.argv[1], timeout=20) as client:
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
            os._exit(0 if right and other.update_project(1, name="x").neptun_user_id == 2 else 1)
        workers.append(child)
    ended = [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers]
    busy.join()
    assert client.update_project(1, name="in the master again").name == "in the master again"
    assert ended == [0] * 8, ended
"""


def test_workers_that_were_forked_from_a_busy_master_work() -> None:
    with RawServer(mirrors) as server:
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PREFORK, server.base_url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert server.connections >= 9  # the master's, and one for each worker


def call_in_child(client: NeptunClient, name: str) -> None:
    os._exit(0 if client.update_project(1, name=name).name == name else 1)


def test_multiprocessing_with_fork_works() -> None:
    with RawServer(mirrors) as server, NeptunClient(CANARY, 1, base_url=server.base_url, timeout=20) as client:
        client.update_project(1, name="in the parent")
        process = multiprocessing.get_context("fork").Process(target=call_in_child, args=(client, "in the child"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads
            process.start()
        process.join(20)
        assert process.exitcode == 0
        assert client.update_project(1, name="in the parent again").name == "in the parent again"
        assert server.connections == 2


def test_a_child_drops_its_copies_and_begins_with_no_connection() -> None:
    with RawServer(serves(answer())) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:
        client.update_project(123, name="New name")
        transport = client._server.transport
        assert isinstance(transport, Transport)
        pool = transport._pool
        (connection,) = pool.connections
        with pool._optional_thread_lock:  # as a thread of the parent may have held it
            _after_fork()
        assert connection.is_closed()
        assert transport._pool is not pool
        client.update_project(123, name="New name")
        assert server.connections == 2
