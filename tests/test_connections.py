"""Connections: through httpx's own client and transport, without its cookies and redirects, and closed at once."""

import functools
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpcore
import httpx
import pytest

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError, ResponseError, connections
from neptun_sdk.connections import Connections, Transport, _ProxyConnection
from neptun_sdk.network import Deadline, NetworkBackend
from neptun_sdk.session import Session
from tests.conftest import CANARY, PROJECT, ClientFor
from tests.faults.raw_server import RawServer, response, serves

OK = {"project": PROJECT}


def update(client: NeptunClient) -> object:
    return client.update_project(123, name="New name")


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("method", ["httpx.Client.send", "httpx.HTTPTransport.handle_request"])
def test_every_attempt_goes_through_what_monitoring_tools_hook(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry, Datadog and New Relic replace the first; OpenTelemetry, respx and pytest-httpx the second."""
    owner = {"httpx.Client.send": httpx.Client, "httpx.HTTPTransport.handle_request": httpx.HTTPTransport}[method]
    name = method.rpartition(".")[2]
    original: Callable[..., httpx.Response] = getattr(owner, name)
    statuses: list[int] = []

    def counted(self: object, *arguments: object, **options: object) -> httpx.Response:
        result = original(self, *arguments, **options)
        statuses.append(result.status_code)
        return result

    with (
        RawServer(serves(response(b"", "503 Busy"), response(b"", "429 Busy"), response())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url) as client,
    ):
        monkeypatch.setattr(owner, name, counted)
        update(client)
    assert statuses == [503, 429, 200]


def test_a_cookie_that_a_response_sets_is_neither_sent_nor_kept(client_for: ClientFor) -> None:
    cookies: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers["Cookie"])
        set_cookies = [("Set-Cookie", "neptun-session=another; Path=/"), ("Set-Cookie", "theme=dark")]
        return httpx.Response(200, json=OK, headers=set_cookies)

    client = client_for(respond)
    for _ in range(2):
        update(client)
    assert cookies == [f"neptun-session={CANARY}"] * 2
    assert list(client._connections._client.cookies.jar) == []


LOCATIONS = {
    "another host": "https://elsewhere.test/api/users/1/projects/123",
    "a path": "/elsewhere",
    "no URL": "https://host:port/",
    "an empty A-label": "https://xn--/",
    "another scheme": "ftp://elsewhere.test/",
    "letters outside ASCII": "https://nëptun.test/é",
    "nothing": "",
    "control characters": "https://elsewhere.test/\x01",
    "70,000 characters": f"/{'a' * 70_000}",
}


@pytest.mark.parametrize("location", LOCATIONS.values(), ids=LOCATIONS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_its_location_is_kept(status: int, location: str, client_for: ClientFor) -> None:
    """httpx builds the next request even if it does not follow, and raises its own errors if it cannot."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, headers=[(b"Location", location.encode())])

    with pytest.raises(ResponseError, match="redirects are not followed") as caught:
        update(client_for(respond))
    assert len(requests) == 1
    assert caught.value.status_code == status
    assert caught.value.headers["location"] == location


@pytest.mark.usefixtures("no_waits")
def test_a_location_on_another_status_is_kept_too(client_for: ClientFor) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(201, headers={"Location": "/new"})

    with pytest.raises(ResponseError) as caught:
        update(client_for(respond))
    assert caught.value.headers["location"] == "/new"


@pytest.fixture
def tls_contexts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ssl.SSLContext]]:
    """Every TLS context that is made from here on; none is taken from another test."""
    made: list[ssl.SSLContext] = []
    create = ssl.SSLContext.__new__

    def counted(cls: type[ssl.SSLContext], *arguments: Any, **options: Any) -> ssl.SSLContext:
        made.append(create(cls, *arguments, **options))
        return made[-1]

    connections._cached_tls_context.cache_clear()
    monkeypatch.setattr(ssl.SSLContext, "__new__", counted)
    yield made
    connections._cached_tls_context.cache_clear()


NEEDS_TLS: dict[str, tuple[str, Mapping[str, str], int]] = {
    "plain http": ("http://127.0.0.1:9", {}, 0),
    "plain http through a plain proxy": ("http://neptun.test", {"HTTP_PROXY": "http://proxy.test:1"}, 0),
    "plain http through a proxy with TLS": ("http://neptun.test", {"HTTP_PROXY": "https://proxy.test:1"}, 1),
    "https": ("https://neptun.test", {}, 1),
    "https through a plain proxy": ("https://neptun.test", {"HTTPS_PROXY": "http://proxy.test:1"}, 1),
    "https through a proxy with TLS": ("https://neptun.test", {"HTTPS_PROXY": "https://proxy.test:1"}, 1),
}


@pytest.mark.parametrize(("base_url", "variables", "expected"), NEEDS_TLS.values(), ids=NEEDS_TLS)
def test_certificates_are_loaded_only_if_there_is_tls(
    base_url: str,
    variables: Mapping[str, str],
    expected: int,
    tls_contexts: list[ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Loading them takes as long as many calls."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        NeptunClient(CANARY, 1, base_url=base_url, allow_http=True).close()
    assert len(tls_contexts) == expected


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_the_loggers_of_httpx_are_left_alone_until_the_first_client() -> None:
    code = """
import logging
import neptun_sdk
names = ("httpx", "httpcore.http11")
before = [logging.getLogger(name).filters[:] for name in names]
neptun_sdk.NeptunClient("a-session-cookie", 1, base_url="http://127.0.0.1:9").close()
print(before, [len(logging.getLogger(name).filters) for name in names])
"""
    assert run(code) == "[[], []] [1, 1]"


def test_a_process_without_fork_can_use_the_sdk() -> None:
    code = """
import httpx, os
del os.register_at_fork
from neptun_sdk import NeptunClient
NeptunClient("a-session-cookie", 1).close()
print("fine")
"""
    assert run(code) == "fine"


def our_proxy(url: str) -> str | None:
    proxy, _ = connections._find_proxy(httpx.URL(url), allow_http=True)
    return None if proxy is None else str(proxy.url)


def proxy_of_httpx(url: str) -> str | None:
    with httpx.Client() as client:
        pool = client._transport_for_url(httpx.URL(url))._pool  # type: ignore[attr-defined]
    found = getattr(pool, "_proxy_url", None)
    return None if found is None else f"{found.scheme.decode()}://{found.host.decode()}:{found.port}"


PROXY_VARIABLES: dict[str, Mapping[str, str]] = {
    "none": {},
    "HTTPS_PROXY": {"HTTPS_PROXY": "http://proxy.test:1"},
    "HTTP_PROXY": {"HTTP_PROXY": "http://proxy.test:2"},
    "https_proxy": {"https_proxy": "http://proxy.test:3"},
    "ALL_PROXY": {"ALL_PROXY": "http://proxy.test:4"},
    "ALL_PROXY and HTTPS_PROXY": {"ALL_PROXY": "http://proxy.test:4", "HTTPS_PROXY": "http://proxy.test:5"},
    "no scheme": {"ALL_PROXY": "proxy.test:6"},
    "a proxy with TLS": {"ALL_PROXY": "https://proxy.test:6"},
    "NO_PROXY with the host": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "neptun.test"},
    "NO_PROXY with a domain": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "elsewhere.test, test"},
    "NO_PROXY with everything": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "*"},
    "NO_PROXY with another port": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "neptun.test:3001"},
    "NO_PROXY with this port": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "neptun.test:3000"},
    "NO_PROXY with addresses": {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "192.0.2.7,2001:db8::1"},
    "no_proxy with half a label": {"ALL_PROXY": "http://proxy.test:7", "no_proxy": "ptun.test"},
}


@pytest.mark.parametrize(
    "url",
    [
        "https://neptun.test",
        "http://neptun.test",
        "https://neptun.test:3000",
        "https://192.0.2.7:3000",
        "https://[2001:db8::1]",
    ],
)
@pytest.mark.parametrize("variables", PROXY_VARIABLES.values(), ids=PROXY_VARIABLES)
def test_the_proxy_is_the_one_that_httpx_would_take(
    variables: Mapping[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert our_proxy(url) == proxy_of_httpx(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:3000", "http://localhost:3000", "https://[::1]", "https://127.1.2.3"]
)
def test_loopback_is_never_reached_through_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy on another machine would reach its own loopback, and show it the session."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:1")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:2")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3")
    assert our_proxy(url) is None
    assert Transport(httpx.URL(url), allow_http=False).proxy_variable == ""


WRONG_PROXIES = {
    "another scheme": "ftp://user:hunter2@proxy.test",
    "a port that is no number": "http://user:hunter2@proxy.test:port",
}


@pytest.mark.parametrize("value", WRONG_PROXIES.values(), ids=WRONG_PROXIES)
def test_a_proxy_variable_that_is_no_proxy_is_refused_without_its_password(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1)
    assert str(caught.value) == "HTTPS_PROXY is not the URL of a proxy; it should look like http://host:port."


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_without_socksio_is_refused(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:1080")
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1)
    assert str(caught.value) == "a SOCKS proxy needs one more package: pip install 'httpx[socks]'."


def test_a_socks_proxy_gets_a_pool_of_its_own_kind() -> None:
    """Without socksio, which a test environment may lack, no pool is made of it."""
    factory = connections._pool_factory(httpx.Proxy("socks5://user:hunter2@127.0.0.1:1080"), None, NetworkBackend())
    assert isinstance(factory, functools.partial)
    assert factory.func is connections._SOCKSProxy
    assert factory.keywords["proxy_url"] == "socks5://127.0.0.1:1080"
    assert factory.keywords["proxy_auth"] == (b"user", b"hunter2")


def test_plain_http_does_not_leave_this_machine_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    with pytest.raises(ArgumentError) as caught:
        connections._find_proxy(httpx.URL("http://neptun.test"), allow_http=False)
    assert str(caught.value) == (
        "base_url is plain http, and HTTP_PROXY would let a proxy on another machine read the session cookie: name the "
        "host in NO_PROXY, or set allow_http=True if the network is trusted."
    )


ALLOWED_PROXIES = {
    "plain http, allowed": ("http://neptun.test", "HTTP_PROXY", "http://proxy.test:3128", True),
    "plain http, a proxy on this machine": ("http://neptun.test", "HTTP_PROXY", "http://127.0.0.1:3128", False),
    "https": ("https://neptun.test", "HTTPS_PROXY", "http://proxy.test:3128", False),
}


@pytest.mark.parametrize(("url", "variable", "proxy", "allow_http"), ALLOWED_PROXIES.values(), ids=ALLOWED_PROXIES)
def test_a_proxy_that_may_read_what_it_gets_is_taken(
    url: str, variable: str, proxy: str, allow_http: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy)
    found, named = connections._find_proxy(httpx.URL(url), allow_http=allow_http)
    assert found is not None
    assert named == variable
    assert str(found.url) == proxy


def test_in_a_plain_httpx_client_it_is_httpxs_own_transport() -> None:
    with RawServer(serves(response())) as server:
        transport = Transport(httpx.URL(server.base_url), allow_http=False)
        with httpx.Client(transport=transport, timeout=20) as client:
            assert client.patch(server.base_url, json={}).status_code == 200


def test_a_wait_between_two_attempts_ends_when_the_client_is_closed() -> None:
    """Retry-After asks for a wait of a minute."""

    def respond(_: httpx.Request) -> httpx.Response:
        threading.Timer(0.05, client.close).start()
        return httpx.Response(429, headers={"Retry-After": "60"})

    client = NeptunClient(
        CANARY, 1, base_url="https://neptun.test", timeout=100, transport=httpx.MockTransport(respond)
    )
    began = time.monotonic()
    with pytest.raises(NeptunConnectionError) as caught:
        update(client)
    assert time.monotonic() - began < 30
    assert str(caught.value) == (
        "update_project(user_id=1, project_id=123): the client was closed during the call. The update was not "
        "applied. Close a client when its calls have ended."
    )
    assert (caught.value.applied, caught.value.attempts) == (False, 1)


def test_a_client_that_was_closed_after_an_attempt_in_doubt_says_so() -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        client.close()
        return httpx.Response(503)

    client = NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(respond))
    with pytest.raises(NeptunConnectionError, match="The update may have been applied") as caught:
        update(client)
    assert caught.value.applied is None


@pytest.fixture
def own_connections() -> Iterator[Connections]:
    made = Connections(httpx.URL("http://127.0.0.1:9"), allow_http=False, transport=None)
    yield made
    made.close()


@pytest.mark.parametrize("closed", [True, False])
def test_after_a_fork_no_lock_of_the_parent_is_taken(closed: bool, own_connections: Connections) -> None:
    """A thread of the parent may hold the event's lock and every slot, and does not exist in the child."""
    if closed:
        own_connections.close()
    event, slots = own_connections.closed, own_connections._slots
    with vars(event)["_cond"]:
        own_connections.reset_after_fork()
        assert own_connections.closed is not event
        assert own_connections._slots is not slots
        assert own_connections.closed.is_set() is closed
        own_connections.close()


def test_after_a_fork_a_transport_of_the_callers_own_is_left_alone() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=OK))
    client = NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport)
    client._connections.reset_after_fork()
    update(client)


def test_closing_leaves_a_transport_of_the_callers_own_open() -> None:
    class Closing(httpx.MockTransport):
        def close(self) -> None:
            pytest.fail("closed")

    with NeptunClient(
        CANARY,
        1,
        base_url="https://neptun.test",
        transport=Closing(lambda request: httpx.Response(200, json={"project": PROJECT | json.loads(request.content)})),
    ) as client:
        update(client)


class Broken(httpcore.ConnectionInterface):
    """A connection whose handshake raises an exception."""

    def __init__(self, exc: BaseException) -> None:
        self._exc = exc
        self.closed = False

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        assert request.method == b"PATCH"
        raise self._exc

    def close(self) -> None:
        self.closed = True


class TimeLimit(Exception):
    """What the signal handler of a task queue raises."""


def test_a_time_limit_ends_the_call_and_shows_no_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[httpx.Request] = []

    def over(_: object, request: httpx.Request) -> httpx.Response:
        attempts.append(request)
        raise TimeLimit(f"while sending {CANARY}")

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", over)
    with (
        NeptunClient(CANARY, 1, base_url="http://127.0.0.1") as client,
        pytest.raises(TimeLimit, match=r"^while sending \*\*\*$"),
    ):
        update(client)
    assert len(attempts) == 1


HANDSHAKES: dict[str, tuple[BaseException, type[BaseException], str, bool]] = {
    "a timeout": (httpcore.ConnectTimeout("late"), httpcore.ConnectTimeout, "late", True),
    "a refusal": (httpcore.ProxyError("407"), httpcore.ProxyError, "407", True),
    "an interrupt": (KeyboardInterrupt(), KeyboardInterrupt, "", True),
    "a time limit": (TimeLimit("over"), TimeLimit, "over", True),
    "an exception of socksio": (
        ValueError("Malformed reply"),
        httpcore.ProxyError,
        "the SOCKS handshake failed (ValueError: Malformed reply)",
        True,
    ),
    "a connection that another thread has taken": (
        httpcore.ConnectionNotAvailable(),
        httpcore.ConnectionNotAvailable,
        "",
        False,
    ),
}


POSSIBLE: dict[str, tuple[Exception, bool]] = {
    "of httpx": (httpx.ReadError("reset"), True),
    "of the system": (OSError(24, "Too many open files"), True),
    "of the name service": (socket.gaierror(-2, "Name or service not known"), True),
    "a bug": (KeyError("headers"), True),
    "a time limit": (TimeLimit("over"), False),
}


@pytest.mark.parametrize(("exc", "possible"), POSSIBLE.values(), ids=POSSIBLE)
def test_an_exception_of_a_signal_handler_is_not_taken_for_one_of_the_connection(
    exc: Exception, possible: bool, own_connections: Connections
) -> None:
    """A time limit that became a `NeptunConnectionError` would be retried, and the task would go on."""
    assert own_connections.may_raise(exc) is possible
    with httpx.MockTransport(lambda _: httpx.Response(200)) as transport:
        assert Connections(httpx.URL("https://neptun.test"), allow_http=False, transport=transport).may_raise(exc)


@pytest.mark.parametrize(("exc", "expected", "text", "closes"), HANDSHAKES.values(), ids=HANDSHAKES)
def test_a_proxy_connection_that_fails_is_closed(
    exc: BaseException, expected: type[BaseException], text: str, closes: bool
) -> None:
    """Otherwise httpcore would count it as in use, and a hundred of them would use up the pool for good."""
    inner = Broken(exc)
    with pytest.raises(expected) as caught:
        _ProxyConnection(inner).handle_request(httpcore.Request("PATCH", "http://neptun.test/"))
    assert str(caught.value) == text
    assert inner.closed is closes


def test_a_session_is_put_on_its_own_requests_only(own_connections: Connections) -> None:
    """Connections hold no session: each request is sent with its own."""
    with RawServer(serves(response())) as server:
        request = httpx.Request("PATCH", server.base_url, json={})
        with own_connections.send(request, Session(CANARY, 1), Deadline(time.monotonic() + 20)) as found:
            assert found.status_code == 200
        assert found.is_closed
        assert "Cookie" not in request.headers


class FakeConnection:
    """A connection in a pool, idle or in use."""

    def __init__(self, *, idle: bool) -> None:
        self._idle = idle
        self.closed = False

    def is_idle(self) -> bool:
        return self._idle

    def close(self) -> None:
        self.closed = True


RENEWALS: dict[str, tuple[Callable[[Connections], None], bool]] = {
    "an interrupt": (Connections.renew, False),
    "a fork": (Connections.reset_after_fork, True),
}


@pytest.mark.parametrize(("renew", "closes_used"), RENEWALS.values(), ids=RENEWALS)
def test_a_connection_in_use_is_closed_after_a_fork_only(
    renew: Callable[[Connections], None], closes_used: bool
) -> None:
    """After an interrupt another thread may use it; in a child there is no other thread."""
    connections = Connections(httpx.URL("http://127.0.0.1"), allow_http=False, transport=None)
    idle, used = FakeConnection(idle=True), FakeConnection(idle=False)
    transport: Any = connections._own_transport
    transport._pool._connections[:] = [idle, used]
    renew(connections)
    assert (idle.closed, used.closed) == (True, closes_used)
    assert transport._pool.connections == []


def test_the_number_of_connections_has_a_limit_after_an_interrupt_too() -> None:
    connections = Connections(httpx.URL("http://127.0.0.1"), allow_http=False, transport=None)
    connections.renew()
    assert connections._slots is not None
    assert connections._slots.qsize() == 100


def test_httpx_takes_nothing_from_the_environment() -> None:
    """Such as a password for the host in ~/.netrc."""
    connections = Connections(httpx.URL("http://127.0.0.1"), allow_http=False, transport=None)
    assert connections._client.trust_env is False


@pytest.mark.parametrize(("proxy", "has_tls"), [("https://proxy.test:1", True), ("http://proxy.test:1", False)])
def test_a_proxy_has_a_tls_context_if_it_speaks_tls(proxy: str, has_tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    pool: Any = Transport(httpx.URL("https://neptun.test"), allow_http=False)._pool
    assert (pool._proxy_ssl_context is not None) is has_tls
