"""The proxy variables work as httpx's users expect, over real loopback proxies that see no session in a tunnel."""

import base64
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from neptun_sdk import NeptunClient, NeptunConnectionError, NeptunTimeoutError
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, response, sends, serves, until_closed
from tests.faults.test_tls import server_context

TIMEOUT = 60  # seconds; nothing here takes any, but where it says so
HOST = "neptun.test"  # a name that only the proxies know: loopback would be reached without them


class Proxy:
    """A proxy that forwards plain requests, and makes a tunnel to a port of this machine for CONNECT.

    Attributes:
        heads: The heads of the requests that it got.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)  # one byte at a time: what follows CONNECT is not the proxy's to read
        self.heads.append(head)
        target = re.match(rb"CONNECT \S+:(\d+) ", head)
        if target is None:
            connection.sendall(response())
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        forward(connection, int(target[1]))


def forward(connection: socket.socket, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as upstream:
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


def update(client: NeptunClient) -> int:
    return client.update_project(123, name="New name").id


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[RawServer]:
    with RawServer(serves(response()), tls=server_context(authority, HOST)) as made:
        yield made


@pytest.mark.parametrize("with_tls", [False, True], ids=["http proxy", "https proxy"])
def test_https_goes_through_a_tunnel_that_does_not_see_the_session(
    with_tls: bool, authority: trustme.CA, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy()
    with RawServer(proxy, tls=server_context(authority, "127.0.0.1") if with_tls else None) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.base_url)
        with NeptunClient(CANARY, 1, base_url=f"https://{HOST}:{server.port}", timeout=TIMEOUT) as client:
            assert [update(client) for _ in range(3)] == [123] * 3
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {HOST}:{server.port} HTTP/1.1".encode())
    assert CANARY.encode() not in head


def test_plain_http_goes_through_a_proxy_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy()
    with RawServer(proxy) as between:
        monkeypatch.setenv("HTTP_PROXY", between.base_url)
        with NeptunClient(CANARY, 1, base_url=f"http://{HOST}", timeout=TIMEOUT, allow_http=True) as client:
            assert update(client) == 123
    assert proxy.heads[0].startswith(f"PATCH http://{HOST}/api/users/1/projects/123 HTTP/1.1".encode())


def test_the_password_of_a_proxy_is_sent_to_the_proxy_only(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy()
    with RawServer(proxy) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.base_url.replace("//", "//user:hunter2@"))
        with NeptunClient(CANARY, 1, base_url=f"https://{HOST}:{server.port}", timeout=TIMEOUT) as client:
            assert update(client) == 123
            assert "hunter2" not in f"{client!r} {vars(client)} {vars(client._connections)}"
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"user:hunter2") in proxy.heads[0]


def test_no_proxy_goes_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **options: Any) -> Any:
        return look_up("127.0.0.1" if host == HOST else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with RawServer(serves(response())) as server, RawServer(Proxy()) as between:
        monkeypatch.setenv("HTTP_PROXY", between.base_url)
        monkeypatch.setenv("NO_PROXY", HOST)
        url = f"http://{HOST}:{server.port}"
        with NeptunClient(CANARY, 1, base_url=url, timeout=TIMEOUT, allow_http=True) as client:
            assert update(client) == 123
        assert between.connections == 0


def test_loopback_is_reached_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(serves(response())) as server, RawServer(Proxy()) as between:
        monkeypatch.setenv("ALL_PROXY", between.base_url)
        with NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT) as client:
            assert update(client) == 123
        assert between.connections == 0


def refuses(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


def test_a_proxy_that_refuses_applied_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(refuses) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.base_url)
        with (
            NeptunClient(CANARY, 1, base_url=f"https://{HOST}", timeout=TIMEOUT, max_retries=0) as client,
            pytest.raises(NeptunConnectionError) as caught,
        ):
            update(client)
    assert str(caught.value) == (
        "update_project(user_id=1, project_id=123): cannot connect to https://neptun.test through the proxy of "
        "HTTPS_PROXY. The update was not applied. Check that variable and the proxy. (ProxyError: 407 Proxy "
        "Authentication Required)"
    )
    assert caught.value.applied is False


def test_a_tunnel_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    def drips(connection: socket.socket) -> None:
        connection.recv(65_536)
        while True:
            connection.sendall(b"H")
            time.sleep(0.02)

    with RawServer(drips) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.base_url)
        with NeptunClient(CANARY, 1, base_url=f"https://{HOST}", timeout=0.3) as client:
            began = time.monotonic()
            with pytest.raises(NeptunTimeoutError) as caught:
                update(client)
            assert time.monotonic() - began < TIMEOUT / 2
    assert CANARY not in str(caught.value)


def no_tls(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    connection.recv(65_536)
    connection.sendall(b"this is not TLS")


def test_tunnels_whose_tls_fails_do_not_use_up_the_connections(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """httpcore alone counts each as in use for good, so that a hundred of them stop a service."""
    monkeypatch.setattr("neptun_sdk.connections.MAX_CONNECTIONS", 2)
    with RawServer(*[no_tls] * 5, Proxy()) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.base_url)
        url = f"https://{HOST}:{server.port}"
        with NeptunClient(CANARY, 1, base_url=url, timeout=TIMEOUT, max_retries=0) as client:
            for _ in range(5):
                with pytest.raises(NeptunConnectionError, match="cannot connect to ") as caught:
                    update(client)
                assert caught.value.applied is False
            assert update(client) == 123


def test_an_error_behind_a_plain_proxy_does_not_show_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(sends()) as between:
        monkeypatch.setenv("HTTP_PROXY", between.base_url)
        with (
            NeptunClient(
                CANARY, 1, base_url=f"http://{HOST}", timeout=TIMEOUT, max_retries=0, allow_http=True
            ) as client,
            pytest.raises(NeptunConnectionError) as caught,
        ):
            update(client)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert CANARY not in "".join(shown.format())


class SocksProxy:
    """A SOCKS5 proxy without authentication; a name leads to a port of this machine."""

    def __call__(self, connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"\x05\x00")
        request = connection.recv(65_536)
        connection.sendall(b"\x05\x00\x00\x01\0\0\0\0\0\0")
        forward(connection, int.from_bytes(request[-2:], "big"))


@pytest.fixture
def socks_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., NeptunClient]]:
    """Make a client of a server behind a SOCKS proxy."""
    pytest.importorskip("socksio")
    made: list[NeptunClient] = []

    def make(proxy: RawServer, server: RawServer, timeout: float = TIMEOUT) -> NeptunClient:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{proxy.port}")
        made.append(NeptunClient(CANARY, 1, base_url=f"https://{HOST}:{server.port}", timeout=timeout, max_retries=0))
        return made[0]

    yield make
    for client in made:
        client.close()


def test_https_goes_through_a_socks_proxy(server: RawServer, socks_client: Callable[..., NeptunClient]) -> None:
    with RawServer(SocksProxy()) as between:
        client = socks_client(between, server)
        assert [update(client) for _ in range(2)] == [123] * 2
        assert between.connections == 1


# httpcore forgets the socket of a handshake that failed: it is closed with its last reference, of which Python warns.
forgets_sockets = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@forgets_sockets
def test_a_socks_handshake_that_stalls_ends_at_the_deadline(
    server: RawServer, socks_client: Callable[..., NeptunClient]
) -> None:
    """httpcore passes no timeout to it."""

    def stalls(connection: socket.socket) -> None:
        connection.recv(65_536)
        until_closed(connection)

    with RawServer(stalls) as between:
        client = socks_client(between, server, timeout=0.3)
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError):
            update(client)
        assert time.monotonic() - began < TIMEOUT / 2


SOCKS_FAULTS = {
    "another protocol": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the SOCKS handshake failed"),
    "an immediate end": (b"", "the SOCKS handshake failed"),
    "another authentication": (b"\x05\x02", "Requested NO AUTHENTICATION REQUIRED"),
}


@forgets_sockets
@pytest.mark.parametrize(("content", "pattern"), SOCKS_FAULTS.values(), ids=SOCKS_FAULTS)
def test_a_socks_proxy_that_fails_applied_nothing(
    content: bytes, pattern: str, server: RawServer, socks_client: Callable[..., NeptunClient]
) -> None:
    def responds(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(content)

    with RawServer(responds) as between:
        client = socks_client(between, server)
        with pytest.raises(
            NeptunConnectionError, match=f"cannot connect to .* through the proxy of ALL_PROXY.*ProxyError: {pattern}"
        ) as caught:
            update(client)
    assert caught.value.applied is False
