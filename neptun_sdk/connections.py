"""The connections to a server: httpx's client and transport, TLS, proxies, forks and closing."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import queue
import ssl
import threading
import urllib.request
import weakref
from collections.abc import Callable, Generator
from typing import Any

import httpcore
import httpx

from neptun_sdk.arguments import is_loopback
from neptun_sdk.errors import ArgumentError
from neptun_sdk.network import Deadline, NetworkBackend
from neptun_sdk.session import MIN_MASKED_LENGTH, Session, mask_current, mask_current_exception, mask_library_logs

# As many connections are kept open as there may be: httpx's default closes those of more than 20 threads again.
MAX_CONNECTIONS = 100
_KEEPALIVE_EXPIRY = 5.0  # seconds
_NO_STREAM = httpx.ByteStream(b"")


class Connections:
    """The connections that a client shares with all that were made from it.

    A ``transport`` of the caller's own stays theirs to close. ``closed`` is set when the connections are closed.
    ``proxy_variable`` is the environment variable that names the proxy in use, or empty.
    """

    def __init__(self, url: httpx.URL, *, allow_http: bool, transport: httpx.BaseTransport | None) -> None:
        mask_library_logs()
        self.closed: threading.Event = threading.Event()
        self._own_transport = Transport(url, allow_http=allow_http) if transport is None else None
        self._slots = self._new_slots()
        self.proxy_variable: str = self._own_transport.proxy_variable if self._own_transport else ""
        self._client = _HttpClient(self._own_transport or transport)
        _all_connections.add(self)

    @contextlib.contextmanager
    def send(self, request: httpx.Request, session: Session, deadline: Deadline) -> Generator[httpx.Response]:
        """Send a request with a session's cookie; the response is open, and its body unread, in the ``with`` block."""
        slots = self._slots  # `renew` may replace it meanwhile
        if slots is not None:
            # httpcore would wait the whole time again whenever another thread takes the connection that became free.
            try:
                slots.get(timeout=max(0, deadline.remaining()))
            except queue.Empty:
                raise httpx.PoolTimeout("") from None
        try:
            response = self._client.send(request, auth=session, stream=True)
            try:
                response.headers = response.extensions.pop("neptun_headers", response.headers)
                yield response
            finally:
                response.close()
                response.stream = _NO_STREAM  # which holds the response: without the cycle, all of it is freed at once
        finally:
            if slots is not None:
                slots.put(None)

    def may_raise(self, exc: Exception) -> bool:
        """Tell whether sending a request may raise an exception: a transport of the caller's own may raise anything.

        Any other exception is for the caller: that of a signal handler, such as the time limits of Celery and RQ, or of
        a tool that replaces the transport in tests.
        """
        return self._own_transport is None or _package(exc) in _LIBRARIES

    def close(self) -> None:
        """Close the connections, if they are not those of the caller's own transport, and end the calls under way."""
        self.closed.set()
        if self._own_transport is not None:
            self._own_transport.close()

    def renew(self, *, forked: bool = False) -> None:
        """Replace what has a lock or a count, after an exception that may have left either in a wrong state.

        An exception of a signal handler, such as Ctrl-C, can be raised anywhere. Calls of other threads end on what
        they began with; in a forked process there are none.
        """
        self._slots = self._new_slots()
        if self._own_transport is not None:
            self._own_transport.renew(forked=forked)

    def _new_slots(self) -> queue.SimpleQueue[None] | None:
        """Return a queue with an item for each call that may be under way; a caller's own transport has no limit."""
        if self._own_transport is None:
            return None
        slots: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(MAX_CONNECTIONS):
            slots.put(None)
        return slots

    def reset_after_fork(self) -> None:
        """In a child process: start with no connection and with no lock that a thread of the parent may have held."""
        was_closed, self.closed = self.closed.is_set(), threading.Event()
        if was_closed:
            self.closed.set()
        self.renew(forked=True)


_all_connections: weakref.WeakSet[Connections] = weakref.WeakSet()


def _after_fork() -> None:
    for connections in _all_connections:
        connections.reset_after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)


class _NoCookies(httpx.Cookies):
    """A cookie jar that takes nothing: a jar would mix up sessions, and costs a tenth of a call."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Take nothing."""


class _HttpClient(httpx.Client):
    """httpx's client, whose ``send`` monitoring tools hook, without cookies, redirects, history or environment."""

    cookies: httpx.Cookies = _NoCookies()  # type: ignore[override] # pyright: ignore - a property there

    def __init__(self, transport: httpx.BaseTransport | None) -> None:
        super().__init__(transport=transport, trust_env=False, event_hooks={"response": [_protect]})


def _protect(response: httpx.Response) -> None:
    """Mask an echo of the cookie in the reason phrase, which Sentry records, and hide ``Location`` from httpx.

    httpx builds the next request from it even if it does not follow, which may raise.
    """
    reason = response.extensions.get("reason_phrase", b"")
    if len(reason) >= MIN_MASKED_LENGTH:
        response.extensions["reason_phrase"] = mask_current(reason)
    if response.has_redirect_location:
        response.extensions["neptun_headers"] = response.headers
        response.headers = response.headers.copy()
        del response.headers["Location"]


class Transport(httpx.HTTPTransport):
    """httpx's transport, with a deadline for each call as a whole and connections that no fork shares.

    The proxy variables (``HTTPS_PROXY`` …) are looked up for ``url``. httpx's own constructor is not called: it would
    build a pool without our network backend.
    """

    def __init__(self, url: httpx.URL, *, allow_http: bool) -> None:
        proxy, variable = _find_proxy(url, allow_http=allow_http)
        self.proxy_variable: str = variable
        # Plain http needs no CAs, and loading them takes as long as many calls.
        tls = _tls_context() if "https" in (url.scheme, proxy and proxy.url.scheme) else None
        self._network = NetworkBackend()
        self._new_pool = _pool_factory(proxy, tls, self._network)
        self._pool = self._new_pool()

    def close(self) -> None:
        self._network.close()
        super().close()

    def renew(self, *, forked: bool) -> None:
        """Start with no connection; close the old ones, but for those that other threads of this process use."""
        old, self._pool = self._pool, self._new_pool()
        for connection in old.connections:
            if forked or connection.is_idle():
                connection.close()


def _pool_factory(
    proxy: httpx.Proxy | None, tls: ssl.SSLContext | None, network: httpcore.NetworkBackend
) -> Callable[[], httpcore.ConnectionPool]:
    """Return a function that makes an empty connection pool, to the server or to a proxy."""
    options: dict[str, Any] = {
        "ssl_context": tls,
        "max_connections": MAX_CONNECTIONS,
        "max_keepalive_connections": MAX_CONNECTIONS,
        "keepalive_expiry": _KEEPALIVE_EXPIRY,
        "network_backend": network,
    }
    if proxy is None:
        return functools.partial(_Pool, **options)
    options |= {"proxy_url": str(proxy.url), "proxy_auth": proxy.raw_auth}
    if proxy.url.scheme.startswith("socks5"):
        return functools.partial(_SOCKSProxy, **options)
    proxy_tls = tls if proxy.url.scheme == "https" else None  # httpcore refuses one for any other
    options |= {"proxy_headers": proxy.headers.raw, "proxy_ssl_context": proxy_tls}
    return functools.partial(_HTTPProxy, **options)


class _Pool(httpcore.ConnectionPool):
    """httpcore's pool, which masks an echo of the cookie in its exceptions: OpenTelemetry records their texts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # httpcore takes its own lock in a Python function, in which an interrupt can leave it taken. In a ``with``
        # statement on a lock of Python's, none can.
        self._optional_thread_lock = threading.Lock()  # type: ignore[assignment] # pyright: ignore

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        try:
            return super().handle_request(request)
        except Exception as exc:
            mask_current_exception(exc)
            raise


class _ProxyPool(_Pool):
    def create_connection(self, origin: httpcore.Origin) -> httpcore.ConnectionInterface:
        return _ProxyConnection(super().create_connection(origin))


class _HTTPProxy(_ProxyPool, httpcore.HTTPProxy):
    """The connections through an HTTP proxy."""


class _SOCKSProxy(_ProxyPool, httpcore.SOCKSProxy):
    """The connections through a SOCKS proxy."""


class _ProxyConnection(httpcore.ConnectionInterface):
    """A connection through a proxy, closed if it fails: httpcore counts one whose TLS failed as in use without end."""

    def __init__(self, connection: httpcore.ConnectionInterface) -> None:
        self._connection = connection

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        try:
            return self._connection.handle_request(request)
        except httpcore.ConnectionNotAvailable:
            raise
        except BaseException as exc:
            self._connection.close()
            if isinstance(exc, Exception) and _package(exc) in _LIBRARIES - {"httpcore"}:
                raise httpcore.ProxyError(f"the SOCKS handshake failed ({type(exc).__name__}: {exc})") from exc
            raise

    def close(self) -> None:
        self._connection.close()

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return self._connection.can_handle_request(origin)

    def is_available(self) -> bool:
        return self._connection.is_available()

    def has_expired(self) -> bool:
        return self._connection.has_expired()

    def is_idle(self) -> bool:
        return self._connection.is_idle()

    def is_closed(self) -> bool:
        return self._connection.is_closed()


# The packages whose exceptions sending a request may raise.
_LIBRARIES = frozenset({"builtins", "h11", "httpcore", "httpx", "socket", "socksio", "ssl"})


def _package(exc: Exception) -> str:
    """Return the name of the package that an exception's class is from."""
    return type(exc).__module__.partition(".")[0]


def _tls_context() -> ssl.SSLContext:
    """Return httpx's TLS context, made once for all clients of the process: it takes longer than many calls."""
    try:
        ca_file = os.environ.get("SSL_CERT_FILE")
        modified = os.stat(ca_file).st_mtime_ns if ca_file else None  # a renewed CA counts for new clients
        return _cached_tls_context(ca_file, os.environ.get("SSL_CERT_DIR"), os.environ.get("SSLKEYLOGFILE"), modified)
    except OSError as exc:
        raise ArgumentError(
            f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read ({exc}); correct the variable, or unset "
            "it to trust the public CAs."
        ) from None


@functools.lru_cache(maxsize=8)
def _cached_tls_context(*_environment: object) -> ssl.SSLContext:
    """Make the context; the arguments are all that it is made from."""
    return httpx.create_ssl_context()


def _find_proxy(url: httpx.URL, *, allow_http: bool) -> tuple[httpx.Proxy | None, str]:
    """Return the proxy that the environment names for a server, and the variable; this machine needs none."""
    proxies = urllib.request.getproxies()
    scheme = url.scheme if proxies.get(url.scheme) else "all"
    value, variable = proxies.get(scheme), f"{scheme.upper()}_PROXY"
    host = url.host if url.port is None else f"{url.host}:{url.port}"
    if not value or is_loopback(url.host) or urllib.request.proxy_bypass(host):
        return None, ""
    # No message quotes the value, because user info in it may be a password.
    try:
        proxy = httpx.Proxy(value if "://" in value else f"http://{value}")
    except (ValueError, httpx.InvalidURL):
        raise ArgumentError(f"{variable} is not the URL of a proxy; it should look like http://host:port.") from None
    if url.scheme == "http" and not (allow_http or is_loopback(proxy.url.host)):
        raise ArgumentError(
            f"base_url is plain http, and {variable} would let a proxy on another machine read the session cookie: "
            "name the host in NO_PROXY, or set allow_http=True if the network is trusted."
        )
    if proxy.url.scheme.startswith("socks5") and not importlib.util.find_spec("socksio"):
        raise ArgumentError("a SOCKS proxy needs one more package: pip install 'httpx[socks]'.")
    return proxy, variable
