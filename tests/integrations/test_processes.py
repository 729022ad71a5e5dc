"""The other tests of this folder rely on this: cases reach loopback only."""

import pytest

from tests.integrations.processes import COOKIE, run, shows_cookie
from tests.integrations.recording_server import recording_server

REFUSED = {
    "look-up": ("socket.getaddrinfo('neptun.test', 9)", "socket.getaddrinfo: 'neptun.test' is not loopback"),
    "connection": ("socket.socket().connect(('192.0.2.1', 9))", "socket.connect: '192.0.2.1' is not loopback"),
}


@pytest.mark.parametrize(("statement", "text"), REFUSED.values(), ids=REFUSED)
def test_a_case_reaches_no_other_machine(statement: str, text: str) -> None:
    script = f"import socket\ntry: {statement}\nexcept ConnectionRefusedError as error: print(error)"
    assert run("-c", script) == f"{text}\n"


def test_a_case_reaches_loopback() -> None:
    with recording_server() as server:
        run("-c", f"import socket; socket.create_connection(('127.0.0.1', {server.server_port}))")


def test_part_of_the_cookie_counts_as_the_cookie() -> None:
    assert shows_cookie(f"neptun-session={COOKIE[20:28]}…")
    assert not shows_cookie("neptun-session=***")
