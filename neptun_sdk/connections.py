"""The connections to a server: httpx's client and transport, TLS, proxies, the deadline on every socket, forks."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import ipaddress
import math
import os
import queue
import socket
import ssl
import threading
import time
import urllib.request
import weakref
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import httpcore
import httpx

from neptun_sdk.arguments import is_loopback
from neptun_sdk.errors import ArgumentError
from neptun_sdk.session import MIN_MASKED_LENGTH, Session, mask_current, mask_current_exception, mask_library_logs

# As many connections are kept open as there may be: httpx's default closes those of more than 20 threads again.
MAX_CONNECTIONS = 100
_KEEPALIVE_EXPIRY = 5.0  # seconds
_POLL_INTERVAL = 0.2  # seconds between looks at whether the client was closed during a look-up
_NO_STREAM = httpx.ByteStream(b"")
_WRITE_SIZE = 16 * 1024  # bytes; small enough to be written at once when the socket takes any

T = TypeVar("T")


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


class Deadline(float):
    """A deadline that travels as an httpx timeout; ``end`` is a moment of `time.monotonic`.

    httpx passes timeouts on unchanged, so that a float subclass reaches the socket. Its value is the time left at its
    creation, in seconds, which is what a transport of the caller's own sees; `remaining` is the time left now.
    """

    end: float

    def __new__(cls, end: float) -> Deadline:
        self = super().__new__(cls, max(0.001, end - time.monotonic()))  # 0 would mean "do not wait" to a socket
        self.end = end
        return self

    def remaining(self) -> float:
        """Return the seconds that are left; 0 or less if there are none."""
        return self.end - time.monotonic()


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
        self._network = _NetworkBackend()
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
            if isinstance(exc, Exception) and not isinstance(exc, _HTTPCORE_ERRORS):
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


class _NetworkBackend(httpcore.SyncBackend):
    """httpcore's sockets, on which a `Deadline` bounds all operations of a call together instead of each alone."""

    def __init__(self) -> None:
        self._is_closed = False
        self._handshakes: set[socket.socket] = set()

    def close(self) -> None:
        """Connect no more, and end the handshakes under way."""
        self._is_closed = True
        for guard in tuple(self._handshakes):
            with contextlib.suppress(OSError):
                guard.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def handshake(self, sock: socket.socket) -> Generator[None]:
        """Let `close` end the handshake in the ``with`` block, by a descriptor that nobody else closes."""
        with socket.fromfd(sock.fileno(), sock.family, sock.type) as guard:
            self._handshakes.add(guard)
            try:
                self._check_open()
                yield
            finally:
                self._handshakes.discard(guard)

    def _check_open(self) -> None:
        if self._is_closed:
            raise httpcore.ConnectError("the client was closed")

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: Any = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        # Resolved here, because httpcore would give each address of a name the whole timeout.
        addresses = self._resolve(host, port, timeout)
        error: Exception = httpcore.ConnectError("the name has no address")
        for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            self._check_open()
            remaining = _remaining(timeout, httpcore.ConnectTimeout)
            share = None if remaining is None else remaining / untried
            try:
                stream = super().connect_tcp(address, port, share, local_address, socket_options)
                return _Stream(stream, timeout, self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                error = exc
        raise error

    def _resolve(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Return the addresses of a host name, each once.

        `socket.getaddrinfo` takes no timeout and can block for over ten seconds, so that it runs in a daemon thread,
        which is abandoned when the time is up or the client is closed. A literal address needs no look-up.
        """
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            found: list[Any] = []

        def look_up() -> None:
            try:
                found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as exc:  # UnicodeError: a label that is empty or too long
                found.append(exc)

        remaining = _remaining(timeout, httpcore.ConnectTimeout)
        end = math.inf if remaining is None else time.monotonic() + remaining
        thread = threading.Thread(target=look_up, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there are too many threads, or the interpreter is about to end
            look_up()
        while not found:
            self._check_open()
            if time.monotonic() >= end:
                raise httpcore.ConnectTimeout(f"looking up {host} took too long")
            thread.join(min(end - time.monotonic(), _POLL_INTERVAL))
        if isinstance(found[0], Exception):
            raise httpcore.ConnectError(str(found[0])) from found[0]
        return list(dict.fromkeys(str(address[0]) for *_, address in found[0]))


class _Stream(httpcore.NetworkStream):
    """A connection of httpcore's, on which a server that sends a byte now and then gains no time by it.

    Closing it under a thread that reads or writes ends that operation, and leaves the rest to that thread: a closed
    descriptor may be another connection's by the time the thread reads it.

    ``timeout`` is that of connecting. The handshake with a SOCKS proxy has it too: httpcore passes none there.
    """

    def __init__(self, stream: httpcore.NetworkStream, timeout: float | None, network: _NetworkBackend) -> None:
        self._stream = stream
        self._timeout = timeout
        self._network = network
        self._below: _Stream | None = None  # what TLS goes over: deleted, it would close the connection
        self._in_use = threading.Lock()
        self._is_closed = False
        self._process = os.getpid()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._use(self._stream.read, max_bytes, _remaining(timeout or self._timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_SIZE):
            part = buffer[start : start + _WRITE_SIZE] if len(buffer) > _WRITE_SIZE else buffer
            self._use(self._stream.write, part, _remaining(timeout or self._timeout, httpcore.WriteTimeout))

    def _use(self, operation: Callable[..., T], *arguments: object) -> T:
        try:
            with self._in_use:
                return operation(*arguments)
        finally:
            if self._is_closed:
                self._stream.close()

    def __del__(self) -> None:
        # httpcore drops the connection of a failed SOCKS handshake, and `renew` those that were in use.
        with contextlib.suppress(AttributeError):  # the constructor may have been interrupted
            self._stream.close()

    def close(self) -> None:
        self._is_closed = True
        if self._in_use.acquire(blocking=False):
            self._stream.close()
            self._in_use.release()
        elif os.getpid() != self._process:  # forked: the thread that held the lock does not exist here
            self._stream.close()
        else:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.get_extra_info("socket"), socket.SHUT_RDWR)  # TLS's own would end TLS first

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        remaining = _remaining(timeout, httpcore.ConnectTimeout)
        with self._network.handshake(self.get_extra_info("socket")):
            stream = self._stream.start_tls(ssl_context, server_hostname, remaining)
        secured = _Stream(stream, timeout, self._network)
        secured._below = self
        return secured

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


_HTTPCORE_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


def _remaining(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float | None:
    """Return the seconds that an operation on a socket may take now; raises ``expired`` if there are none."""
    if not isinstance(timeout, Deadline):
        return timeout
    remaining = timeout.remaining()
    if remaining <= 0:
        raise expired("the time of the call is over")
    return remaining


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
