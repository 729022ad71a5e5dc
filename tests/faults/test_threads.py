"""One client serves a whole process: many threads, many users, closing, and what it may close."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError
from neptun_sdk.transport import LIMITS
from tests.conftest import CANARY, PROJECT
from tests.faults.raw_server import RawServer, answer, receive, sends

THREADS = 64
CALLS = 10_000


def mirrors(connection: socket.socket) -> None:
    """Answer with what was sent, and with who sent it: the user of the path and the session of the cookie."""
    while True:
        head, _, body = receive(connection).partition(b"\r\n\r\n")
        path = re.search(rb"/users/(\d+)/projects/(\d+) ", head)
        cookie = re.search(rb"(?i)cookie: neptun-session=(\S+)", head)
        assert path is not None
        assert cookie is not None
        row = PROJECT | json.loads(body)
        row |= {"id": int(path[2]), "neptun_user_id": int(path[1]), "session": cookie[1].decode()[::-1]}
        set_cookie = "Set-Cookie: neptun-session=somebody-elses-session; Path=/"
        connection.sendall(answer(json.dumps({"project": row}).encode(), "200 OK", set_cookie))


def test_no_answer_is_lost_or_crossed_under_64_threads_and_10_000_calls() -> None:
    with (
        RawServer(mirrors) as server,
        NeptunClient("session-of-user-1", 1, base_url=server.base_url, timeout=60) as client,
    ):
        users = {number: client.with_session(f"session-of-user-{number}", number) for number in range(2, 51)} | {
            1: client
        }

        def update(number: int) -> bool:
            user = number % 50 + 1
            project = users[user].update_project(number + 1, name=f"name {number}")
            mine = (project.id, project.name, project.neptun_user_id) == (number + 1, f"name {number}", user)
            return mine and project.extra == {"session": f"session-of-user-{user}"[::-1]}

        with ThreadPoolExecutor(THREADS) as pool:
            answered = list(pool.map(update, range(CALLS)))
        assert answered == [True] * CALLS
        assert server.most <= 100


def test_connections_are_bounded() -> None:
    def slow(connection: socket.socket) -> None:
        receive(connection)
        time.sleep(0.3)
        connection.sendall(answer())

    with (
        RawServer(slow) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=30) as client,
        ThreadPoolExecutor(130) as pool,
    ):
        list(pool.map(lambda number: client.update_project(123, name="New name"), range(130)))
    assert LIMITS.max_connections == 100
    assert 64 < server.most <= 100


def test_ten_thousand_sessions_open_no_connection() -> None:
    with RawServer(mirrors) as server, NeptunClient(CANARY, 1, base_url=server.base_url, timeout=30) as client:
        sessions = [client.with_session(f"session-of-user-{number}", number) for number in range(1, 10_001)]
        assert server.connections == 0
        assert sessions[-1].update_project(1, name="x").neptun_user_id == 10_000
        assert server.connections == 1


def test_a_call_that_is_cut_off_by_closing_its_client_is_not_tried_again() -> None:
    with RawServer(sends(then=lambda connection: time.sleep(0.4))) as server:
        client = NeptunClient(CANARY, 1, base_url=server.base_url, timeout=30)
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(client.update_project, 123, name="New name")
            time.sleep(0.2)
            client.close()
            with pytest.raises(NeptunConnectionError) as caught:
                call.result(10)
        assert (caught.value.applied, caught.value.attempts) == (None, 1)
        with pytest.raises(ArgumentError, match="this client is closed; make a new NeptunClient"):
            client.update_project(123, name="New name")
