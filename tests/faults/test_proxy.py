"""The proxy variables work as httpx's users expect, over a real loopback proxy that sees no session in a tunnel."""

import re
import socket
import threading
import traceback
from pathlib import Path

import pytest
import trustme

from neptun_sdk import NeptunClient, NeptunConnectionError
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, answer, sends, serves
from tests.faults.test_tls import server_context


class Proxy:
    """A proxy that forwards plain requests, and tunnels for CONNECT."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)  # one byte at a time: what follows CONNECT is not the proxy's to read
        self.asked.append(head)
        target = re.match(rb"CONNECT (\S+):(\d+) ", head)
        if target is None:
            connection.sendall(answer())
            return
        with socket.create_connection((target[1].decode(), int(target[2]))) as upstream:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(upstream, connection), daemon=True)
            back.start()
            pump(connection, upstream)
            back.join(5)


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_https_goes_through_a_tunnel_that_does_not_see_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    proxy = Proxy()
    with RawServer(serves(answer()), tls=server_context(authority, "127.0.0.1")) as server, RawServer(proxy) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.base_url)
        with NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5) as client:
            for _ in range(3):
                assert client.update_project(123, name="New name").id == 123
    (asked,) = proxy.asked
    assert asked.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1".encode())
    assert CANARY.encode() not in asked


def test_plain_http_goes_through_a_proxy_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy()
    with RawServer(proxy) as between:
        monkeypatch.setenv("HTTP_PROXY", between.base_url)
        with NeptunClient(CANARY, 1, base_url="http://127.0.0.1:9", timeout=5) as client:
            assert client.update_project(123, name="New name").id == 123
    assert proxy.asked[0].startswith(b"PATCH http://127.0.0.1:9/api/users/1/projects/123 HTTP/1.1")


def test_no_proxy_goes_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(serves(answer())) as server, RawServer(Proxy()) as between:
        monkeypatch.setenv("HTTP_PROXY", between.base_url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5) as client:
            assert client.update_project(123, name="New name").id == 123
        assert between.connections == 0


def test_a_proxy_that_refuses_changed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with RawServer(refuses) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.base_url)
        with (
            NeptunClient(CANARY, 1, timeout=5, max_retries=0) as client,
            pytest.raises(NeptunConnectionError, match=r"cannot connect.*407 Proxy Authentication Required") as caught,
        ):
            client.update_project(123, name="New name")
    assert caught.value.applied is False


def test_a_tunnel_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    def drips(connection: socket.socket) -> None:
        connection.recv(65_536)
        while True:
            connection.sendall(b"H")
            threading.Event().wait(0.02)

    with RawServer(drips) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.base_url)
        with (
            NeptunClient(CANARY, 1, timeout=0.3) as client,
            pytest.raises(NeptunConnectionError, match="within the call's timeout") as caught,
        ):
            client.update_project(123, name="New name")
    assert CANARY not in str(caught.value)


def test_a_fault_behind_a_plain_proxy_shows_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(sends()) as between:
        monkeypatch.setenv("HTTP_PROXY", between.base_url)
        with (
            NeptunClient(CANARY, 1, base_url="http://127.0.0.1:9", timeout=5, max_retries=0) as client,
            pytest.raises(NeptunConnectionError) as caught,
        ):
            client.update_project(123, name="New name")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert CANARY not in "".join(shown.format())
