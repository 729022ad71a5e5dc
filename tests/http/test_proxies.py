"""Which proxy a request takes, as httpx's users expect, and what a proxy sees; over real loopback proxies."""

import contextlib
import gc
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
import trustme

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError, NeptunTimeoutError
from neptun_sdk._http.sockets import NetworkStream
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, receive, response, sends, serves, until_closed
from tests.http.servers import HOST, PATIENCE, HTTPProxy, SOCKSProxy, drip, server_context, update


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every address that a client connects to; none of them accepts."""
    addresses: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> None:
        addresses.append(address)
        raise ConnectionRefusedError("refused")

    def look_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return addresses


def connect_to(url: str, proxy: str | None = None) -> None:
    settings: dict[str, Any] = {"timeout": PATIENCE, "max_retries": 0, "allow_http": True, "proxy": proxy}
    with (
        NeptunClient(CANARY, 1, base_url=url, **settings) as client,
        contextlib.suppress(NeptunConnectionError),
    ):
        update(client)


VARIABLES: dict[str, Mapping[str, str]] = {
    "none": {},
    "HTTPS_PROXY": {"HTTPS_PROXY": "http://proxy.test:1"},
    "HTTP_PROXY": {"HTTP_PROXY": "http://proxy.test:2"},
    "https_proxy": {"https_proxy": "http://proxy.test:3"},
    "ALL_PROXY": {"ALL_PROXY": "http://proxy.test:4"},
    "ALL_PROXY and HTTPS_PROXY": {"ALL_PROXY": "http://proxy.test:4", "HTTPS_PROXY": "http://proxy.test:5"},
    "no scheme": {"ALL_PROXY": "proxy.test:6"},
    "a proxy with TLS": {"ALL_PROXY": "https://proxy.test:6"},
    "SOCKS": {"ALL_PROXY": "socks5://proxy.test:6"},
    "NO_PROXY with the host": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": HOST},
    "NO_PROXY with a domain": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "elsewhere.test, test"},
    "NO_PROXY with everything": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "*"},
    "NO_PROXY with another port": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": f"{HOST}:3001"},
    "NO_PROXY with this port": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": f"{HOST}:3000"},
    "NO_PROXY with addresses": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "192.0.2.7,2001:db8::1"},
    "no_proxy with half a label": {"ALL_PROXY": "http://proxy.test:7", "no_proxy": "ptun.test"},
}
URLS = (f"https://{HOST}", f"http://{HOST}", f"https://{HOST}:3000", "https://192.0.2.7:3000", "https://[2001:db8::1]")


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
def test_the_proxy_is_the_one_that_httpx_would_take(
    variables: Mapping[str, str], url: str, connected: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    connect_to(url)
    with httpx.Client() as client, contextlib.suppress(httpx.ConnectError):
        client.get(url)
    ours, of_httpx = connected
    assert ours == of_httpx


PROXY = ("proxy.test", 7)
BLOCKS = {
    "an address in it": ("10.0.0.0/8, 192.0.2.0/24", "https://192.0.2.7", ("192.0.2.7", 443)),
    "host bits": ("192.0.2.9/24", "https://192.0.2.7", ("192.0.2.7", 443)),
    "IPv6": ("2001:db8::/32", "https://[2001:db8::1]:3000", ("2001:db8::1", 3000)),
    "behind one that is malformed": ("10.0.0.0/99,a/b,192.0.2.0/24", "https://192.0.2.7", ("192.0.2.7", 443)),
    "an address outside": ("10.0.0.0/8,2001:db8::/32", "https://192.0.2.7", PROXY),
    "a name": ("192.0.2.0/24", f"https://{HOST}", PROXY),
}


@pytest.mark.parametrize(("no_proxy", "url", "expected"), BLOCKS.values(), ids=BLOCKS)
def test_no_proxy_understands_blocks_of_addresses(
    no_proxy: str,
    url: str,
    expected: tuple[str, int],
    connected: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As curl, Go and Kubernetes write them; httpx would take the proxy."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:7")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    connect_to(url)
    assert connected == [expected]


@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
def test_every_name_of_a_socks_proxy_is_understood(scheme: str, connected: list[tuple[str, int]]) -> None:
    connect_to(f"https://{HOST}", proxy=f"{scheme}://proxy.test:7")
    assert connected == [PROXY]


LOOPBACK = {"http://127.0.0.1:3": True, "http://localhost:3": True, "https://[::1]:3": True, "https://127.1.2.3": True}


@pytest.mark.parametrize("url", LOOPBACK)
def test_loopback_is_reached_through_a_proxy_only_if_it_is_given(
    url: str, connected: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy on another machine would reach its own loopback, and show it the session."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.test:1")
    connect_to(url)
    assert connected == [(httpx.URL(url).host, httpx.URL(url).port or 443)]
    connect_to(url, proxy="http://proxy.test:7")
    assert connected[1:] == [PROXY]


NOT_A_URL = "is not the URL of a proxy; it should look like http://host:port."
QUOTE = "holds one of # / ? @ in its user name or password: percent-encode it, as in %23 for #."
WRONG = {
    "another scheme": ("ftp://user:hunter2@proxy.test", NOT_A_URL),
    "a port that is not a number": ("http://user:hunter2@proxy.test:port", NOT_A_URL),
    "the port 0": ("http://user:hunter2@proxy.test:0", NOT_A_URL),
    "a port that is too large": ("http://user:hunter2@proxy.test:65536", NOT_A_URL),
    "no host": ("http://user:hunter2@:80", NOT_A_URL),
    **{f"a raw {each}": (f"http://user:hunter2{each}x@proxy.test:1", QUOTE) for each in "#/?@"},
    "a raw # without a scheme": ("user:1#hunter2@proxy.test:1", QUOTE),
}


@pytest.mark.parametrize("name", ["proxy", "HTTPS_PROXY"])
@pytest.mark.parametrize(("value", "problem"), WRONG.values(), ids=WRONG)
def test_a_proxy_that_cannot_be_right_is_refused_without_its_password(
    value: str, problem: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    given = value if name == "proxy" else None
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1, base_url=f"https://{HOST}", proxy=given)
    assert str(caught.value) == f"{name} {problem}"


def test_a_proxy_must_be_a_text() -> None:
    with pytest.raises(ArgumentError, match=r"^proxy must be a str, not URL\.$"):
        NeptunClient(CANARY, 1, proxy=httpx.URL("http://proxy.test"))  # type: ignore[arg-type]


def test_a_socks_proxy_without_socksio_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1, proxy="socks5://127.0.0.1:1080")
    assert str(caught.value) == "a SOCKS proxy needs one more package: pip install 'httpx[socks]'."


@pytest.mark.parametrize("url", [f"http://{HOST}", "http://127.0.0.1"])
def test_plain_http_does_not_leave_this_machine_through_a_proxy(url: str) -> None:
    with pytest.raises(ArgumentError, match=r"^base_url is plain http"):
        NeptunClient(CANARY, 1, base_url=url, proxy="http://proxy.test:3128")
    NeptunClient(CANARY, 1, base_url=url, proxy="http://proxy.test:3128", allow_http=True).close()
    NeptunClient(CANARY, 1, base_url="http://127.0.0.1", proxy="http://127.0.0.1:3128").close()


@pytest.fixture
def server(trusted: trustme.CA) -> Iterator[RawServer]:
    with RawServer(serves(response()), tls=server_context(trusted, HOST)) as made:
        yield made


def through(proxy: RawServer, port: int = 443, *, variable: str = "HTTPS_PROXY", **settings: Any) -> NeptunClient:
    """Make a client that a variable leads through a proxy."""
    url = proxy.base_url.replace("http", "socks5") if variable == "ALL_PROXY" else proxy.base_url
    scheme = "http" if variable == "HTTP_PROXY" else "https"
    settings = {"timeout": PATIENCE, "max_retries": 0, "allow_http": True, **settings}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, url)
        return NeptunClient(CANARY, 1, base_url=f"{scheme}://{HOST}:{port}", **settings)


@pytest.mark.parametrize("with_tls", [False, True], ids=["http proxy", "https proxy"])
def test_a_tunnel_does_not_show_the_session(with_tls: bool, authority: trustme.CA, server: RawServer) -> None:
    proxy = HTTPProxy()
    tls = server_context(authority, "127.0.0.1") if with_tls else None
    with RawServer(proxy, tls=tls) as between, through(between, server.port) as client:
        assert [update(client) for _ in range(3)] == [123] * 3
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {HOST}:{server.port} HTTP/1.1".encode())
    assert CANARY.encode() not in head


def test_https_goes_through_a_socks_proxy(server: RawServer) -> None:
    with RawServer(SOCKSProxy()) as between, through(between, server.port, variable="ALL_PROXY") as client:
        assert [update(client) for _ in range(2)] == [123] * 2
        assert between.connections == 1


def test_plain_http_is_forwarded_and_shows_nothing_in_an_error() -> None:
    proxy = HTTPProxy()
    with RawServer(proxy, sends()) as between, through(between, 80, variable="HTTP_PROXY") as client:
        assert update(client) == 123
        with pytest.raises(NeptunConnectionError) as caught:
            update(client)
    assert proxy.heads[0].startswith(f"PATCH http://{HOST}/api/users/1/projects/123 HTTP/1.1".encode())
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert CANARY not in "".join(shown.format())


def refuses(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


def test_a_proxy_that_refuses_is_named_by_its_variable() -> None:
    with RawServer(refuses) as between, through(between) as client, pytest.raises(NeptunConnectionError) as caught:
        update(client)
    assert "cannot connect to https://neptun.test through the proxy of HTTPS_PROXY. The update was not applied" in str(
        caught.value
    )
    assert caught.value.applied is False


def drips(connection: socket.socket) -> None:
    connection.recv(65_536)
    while True:
        drip(connection, b"H")


def stalls(connection: socket.socket) -> None:
    connection.recv(65_536)
    until_closed(connection)


SLOW = {"CONNECT that drips": (drips, "HTTPS_PROXY"), "SOCKS that stalls": (stalls, "ALL_PROXY")}


@pytest.mark.parametrize(("script", "variable"), SLOW.values(), ids=SLOW)
def test_a_slow_proxy_ends_at_the_deadline(script: Callable[[socket.socket], None], variable: str) -> None:
    """httpcore passes no timeout to the handshake with a SOCKS proxy."""
    with RawServer(script) as between, through(between, variable=variable, timeout=0.3) as client:
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError) as caught:
            update(client)
        assert time.monotonic() - began < PATIENCE / 2
    assert CANARY not in str(caught.value)


def no_tls(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    connection.recv(65_536)
    connection.sendall(b"this is not TLS")


def test_tunnels_whose_tls_fails_leave_nothing_behind(server: RawServer) -> None:
    """httpcore alone keeps each for good, and looks at all of them in each call."""

    def connections() -> int:
        gc.collect()
        return sum(type(each) is NetworkStream for each in gc.get_objects())

    with RawServer(*[no_tls] * 5, HTTPProxy()) as between, through(between, server.port) as client:
        before = connections()
        for _ in range(5):
            with pytest.raises(NeptunConnectionError, match="cannot connect to ") as caught:
                update(client)
            assert caught.value.applied is False
        assert connections() <= before
        assert update(client) == 123


FAULTS = {
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an immediate end": b"",
    "another authentication": b"\x05\x02",
}


@pytest.mark.parametrize("content", FAULTS.values(), ids=FAULTS)
def test_a_socks_proxy_that_fails_applied_nothing(content: bytes) -> None:
    """Its package raises exceptions of its own, and some of Python's."""

    def responds(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(content)

    pattern = r"cannot connect to .* the proxy of ALL_PROXY"
    with (
        RawServer(responds) as between,
        through(between, variable="ALL_PROXY") as client,
        pytest.raises(NeptunConnectionError, match=pattern) as caught,
    ):
        update(client)
    assert caught.value.applied is False


class TooSlow(ValueError):
    """The time limit of a job."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timer")
def test_a_time_limit_through_a_socks_proxy_is_raised_as_it_is(trusted: trustme.CA) -> None:
    """It comes while the server works: nothing may say that the handshake with the proxy failed."""
    received = threading.Event()

    def end(*_: object) -> None:
        raise TooSlow

    def responds(connection: socket.socket) -> None:
        receive(connection)
        received.set()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        connection.recv(1)

    before = signal.signal(signal.SIGALRM, end)
    try:
        with (
            RawServer(responds, tls=server_context(trusted, HOST)) as server,
            RawServer(SOCKSProxy()) as between,
            through(between, server.port, variable="ALL_PROXY") as client,
            pytest.raises(TooSlow),
        ):
            update(client)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert received.is_set()
