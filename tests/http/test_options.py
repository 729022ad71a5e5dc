"""``headers=``, ``ssl_context=`` and ``proxy=``: each works, hides its secret, and keeps the deadline."""

import contextlib
import importlib.util
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from neptun_sdk import NeptunClient, NeptunConnectionError, NeptunError, NeptunTimeoutError, PermissionDeniedError
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, Script, receive, response, serves
from tests.http.servers import HOST, PATIENCE, HTTPProxy, SOCKSProxy, drip, server_context, update

KEY = "gateway-key-0123456789"
PASSWORD = "hunter2#@/ canary"
PROXIES: dict[str, tuple[str, Callable[[str], Script]]] = {
    "http": ("http", HTTPProxy),
    "https": ("https", HTTPProxy),
    "SOCKS5": ("socks5", SOCKSProxy),
}


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that is logged; no secret is in it, whatever the test does."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy", "httpcore.socks"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield caplog
    # Not `caplog.text`: that is of the teardown alone.
    shows_nothing("\n".join(map(logging.Formatter().format, caplog.get_records("call"))))


def shows_nothing(text: str) -> None:
    for secret in (CANARY, KEY, PASSWORD, "hunter2"):
        assert secret not in text


def shown_by(error: BaseException) -> str:
    """Return what an error tracker shows of an error; the frame of the test knows the secrets itself."""
    shown: list[str] = []
    for link in (error, error.__cause__, error.__context__):
        if link is not None:
            shown += [str(link), repr(link), repr(vars(link))]
            frames = link.__traceback__ and link.__traceback__.tb_next and link.__traceback__.tb_next.tb_next
            shown += traceback.TracebackException(type(link), link, frames, capture_locals=True).format()
    return "\n".join(shown)


def client_of(server: RawServer, **settings: Any) -> NeptunClient:
    settings = {"timeout": PATIENCE, "max_retries": 0, **settings}
    return NeptunClient(CANARY, 1, base_url=f"https://{HOST}:{server.port}", **settings)


def gateway(connection: socket.socket) -> None:
    while True:
        is_known = f"x-api-key: {KEY}".encode() in receive(connection).lower()
        connection.sendall(response() if is_known else response(f'{{"message": "not {KEY}"}}'.encode(), "403 No"))


def test_a_gateway_that_asks_for_a_key_gets_it_and_its_echo_is_masked() -> None:
    with RawServer(gateway) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:
        with_key = client.with_options(headers={"X-API-Key": KEY})
        assert update(with_key) == 123
        wrong = client.with_options(headers={"X-API-Key": "another-key", "X-Other": f"Bearer {KEY}"})
        with pytest.raises(NeptunError, match=r"not \*\*\*") as caught:
            update(wrong)
        shows_nothing(shown_by(caught.value) + repr(with_key) + repr(vars(with_key)))
        assert server.connections == 1


@pytest.fixture
def mutual(authority: trustme.CA) -> ssl.SSLContext:
    """The TLS of a server that asks for a client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(authority: trustme.CA, *, with_certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if with_certificate:
        authority.issue_cert("client.test").configure_cert(context)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_client_certificate_is_shown_to_a_server_that_asks_for_it(
    version: ssl.TLSVersion, authority: trustme.CA, mutual: ssl.SSLContext
) -> None:
    with RawServer(serves(response()), tls=mutual) as server:
        for with_certificate in (True, False):
            context = client_context(authority, with_certificate=with_certificate)
            context.maximum_version = version
            with NeptunClient(
                CANARY, 1, base_url=server.base_url, timeout=PATIENCE, max_retries=0, ssl_context=context
            ) as client:
                if with_certificate:
                    assert [update(client), update(client)] == [123] * 2
                    assert server.connections == 1
                else:
                    with pytest.raises(NeptunConnectionError) as caught:
                        update(client)
                    # TLS 1.3 lets a client send before the server has looked at its certificate.
                    assert caught.value.applied is (False if version is ssl.TLSVersion.TLSv1_2 else None)


@pytest.fixture
def server(trusted: trustme.CA) -> Iterator[RawServer]:
    with RawServer(serves(response()), tls=server_context(trusted, HOST)) as made:
        yield made


@pytest.fixture
def proxied(authority: trustme.CA) -> Iterator[Callable[..., str]]:
    """Return a function that starts a proxy and returns its URL."""
    with contextlib.ExitStack() as stack:

        def start(kind: str, credentials: str = "", user_info: str = "", **options: Any) -> str:
            scheme, make = PROXIES[kind]
            tls = server_context(authority, "127.0.0.1") if scheme == "https" else None
            port = stack.enter_context(RawServer(make(credentials, **options), tls=tls)).port
            return f"{scheme}://{user_info}127.0.0.1:{port}"

        yield start


QUOTED = "hunter2%23%40%2F%20canary"
USERS = {"nobody": "", "a wrong password": "user:hunter2-wrong@", "the right password": f"user:{QUOTED}@"}


@pytest.mark.parametrize("user_info", USERS.values(), ids=USERS)
@pytest.mark.parametrize("kind", PROXIES)
def test_a_proxy_that_asks_for_authentication_gets_it(
    kind: str, user_info: str, server: RawServer, proxied: Callable[..., str]
) -> None:
    url = proxied(kind, f"user:{PASSWORD}", user_info)
    with client_of(server, proxy=url) as client:
        if user_info == USERS["the right password"]:
            assert [update(client), update(client)] == [123] * 2
            assert server.connections == 1
        else:
            with pytest.raises(NeptunConnectionError, match=r"cannot connect to .*proxy") as caught:
                update(client)
            assert caught.value.applied is False
            assert server.connections == 0
            shows_nothing(shown_by(caught.value))
        shows_nothing(f"{client!r} {vars(client)} {vars(client._connections)}")


def test_the_context_of_the_caller_is_that_of_its_proxy_too(authority: trustme.CA, proxied: Callable[..., str]) -> None:
    """No environment variable names the authority."""
    context = client_context(authority, with_certificate=False)
    with (
        RawServer(serves(response()), tls=server_context(authority, HOST)) as server,
        client_of(server, proxy=proxied("https"), ssl_context=context) as client,
    ):
        assert update(client) == 123


def test_a_407_over_plain_http_is_the_proxys(proxied: Callable[..., str]) -> None:
    """Nothing was sent to a server."""
    url = proxied("http", f"user:{PASSWORD}")
    with (
        NeptunClient(CANARY, 1, base_url=f"http://{HOST}", proxy=url, allow_http=True, timeout=PATIENCE) as client,
        pytest.raises(NeptunError, match="407") as caught,
    ):
        update(client)
    assert not isinstance(caught.value, PermissionDeniedError)
    allowed = url.replace("//", f"//user:{QUOTED}@")
    with NeptunClient(CANARY, 1, base_url=f"http://{HOST}", proxy=allowed, allow_http=True, timeout=PATIENCE) as client:
        assert update(client) == 123


TIMEOUT = 0.5
OPTIONS = ("headers", "ssl_context", *(f"proxy {kind}" for kind in PROXIES))


@pytest.mark.parametrize("option", OPTIONS)
def test_the_deadline_holds_behind_each_option(
    option: str, trusted: trustme.CA, mutual: ssl.SSLContext, proxied: Callable[..., str]
) -> None:
    """The server sends a byte of its header lines now and then, without end."""

    def drips(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            drip(connection, b"X: a\r\n")

    tls = mutual if option == "ssl_context" else server_context(trusted, HOST, "127.0.0.1")
    settings: dict[str, Any] = {"headers": {"X-API-Key": KEY}}
    if option == "ssl_context":
        settings = {"ssl_context": client_context(trusted, with_certificate=True)}
    with RawServer(drips, tls=tls) as server:
        base_url = server.base_url
        if option.startswith("proxy"):
            settings = {"proxy": proxied(option.removeprefix("proxy "))}
            base_url = f"https://{HOST}:{server.port}"
        assert_ends_in_time(base_url, **settings)


def assert_ends_in_time(base_url: str, *, applied: bool | None = None, **settings: Any) -> None:
    """A busy machine may need a longer timeout to get as far as what drips."""
    for timeout in (TIMEOUT, 2, 8):
        with NeptunClient(CANARY, 1, base_url=base_url, timeout=timeout, max_retries=0, **settings) as client:
            began = time.monotonic()
            with pytest.raises(NeptunTimeoutError) as caught:
                update(client)
            assert timeout <= time.monotonic() - began < timeout + 10
        if caught.value.applied is applied:
            return
    pytest.fail("the call never got as far as what drips")


@pytest.mark.parametrize("what", ["handshake", "record"])
def test_the_deadline_holds_within_the_tls_of_a_proxy(
    what: str, trusted: trustme.CA, proxied: Callable[..., str]
) -> None:
    """Each byte comes in a record of its own, and httpcore restarts its timeout for each of them."""
    drips = threading.Event()
    if what == "handshake":
        drips.set()

    def responds(connection: socket.socket) -> None:
        receive(connection)
        drips.set()
        connection.sendall(response(b" " * 16_000))

    with RawServer(responds, tls=server_context(trusted, HOST)) as server:
        url = proxied("https", drips=drips)
        applied = None if what == "record" else False
        assert_ends_in_time(f"https://{HOST}:{server.port}", applied=applied, proxy=url)


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import ssl, time, threading, trustme
from neptun_sdk import NeptunClient, NeptunTimeoutError
from tests.faults.raw_server import RawServer, response, serves
from tests.http.servers import HOST, HTTPProxy, server_context, update
authority, context, drips = trustme.CA(), ssl.create_default_context(), threading.Event()
authority.configure_trust(context)
tls = server_context(authority, HOST, "127.0.0.1")
with RawServer(serves(response()), tls=tls) as server, RawServer(HTTPProxy(drips=drips), tls=tls) as proxy:
    settings = {"base_url": f"https://{HOST}:{server.port}", "proxy": proxy.base_url, "ssl_context": context}
    with NeptunClient("a-session", 1, timeout=50, **settings) as client:
        print([update(client), update(client)], server.connections)
    drips.set()
    try:
        update(NeptunClient("a-session", 1, timeout=0.5, **settings))
    except NeptunTimeoutError as error:
        print(error.applied)
"""


@pytest.mark.skipif(not importlib.util.find_spec("gevent"), reason="gevent is not installed")
def test_the_tls_of_a_proxy_works_with_greenlets() -> None:
    """gevent's sockets take more arguments than Python's."""
    command = [sys.executable, "-c", GREENLETS]
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[123, 123] 1\nFalse\n", "")
