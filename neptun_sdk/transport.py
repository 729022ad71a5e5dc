"""The connections to a server: one TLS context for the process, the proxy variables, the deadline of a call, forks."""

import functools
import os
import socket
import ssl
import threading
import time
import urllib.request
import weakref
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

import httpcore
import httpx

from neptun_sdk.arguments import is_loopback
from neptun_sdk.errors import ArgumentError

# As many connections stay open as there may be: more threads than httpx keeps for by default would reconnect for ever.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=5.0)

_WRITE_SIZE = 16 * 1024  # bytes; small enough to go in one piece once the socket takes any


class Deadline(float):
    """The end of a call, in the form in which httpx hands a timeout down to the socket.

    As a float it is the seconds that were left when it was made, which is what a transport of the caller's own sees;
    `left` is what is left now.

    Args:
        end: The moment of `time.monotonic` at which nothing is left.
    """

    def __new__(cls, end: float) -> "Deadline":
        self = super().__new__(cls, max(0.001, end - time.monotonic()))  # 0 would mean "do not wait" to a socket
        self.end = end
        return self

    end: float

    def left(self) -> float:
        """Seconds that are left; 0 or less where there are none."""
        return self.end - time.monotonic()


class Transport(httpx.HTTPTransport):
    """httpx's own transport, with a deadline for each call as a whole, and connections that no fork shares.

    Args:
        url: The server. The proxy variables (``HTTPS_PROXY`` …) are looked up for it, as httpx does.
        allow_http: Allow a proxy that is not on this machine to read plain http.

    Raises:
        ArgumentError: ``SSL_CERT_FILE`` or a proxy variable cannot be used.
    """

    def __init__(self, url: httpx.URL, allow_http: bool) -> None:
        self._proxy = _proxy(url, allow_http)
        self._tls = _tls_context()
        try:
            self._connect_anew()
        except ImportError:
            raise ArgumentError("a SOCKS proxy needs one more package: pip install 'httpx[socks]'.") from None
        _transports.add(self)

    def _connect_anew(self) -> None:
        super().__init__(verify=self._tls, proxy=self._proxy, limits=LIMITS)
        # httpcore's seam for a network of one's own; httpx 0.28 does not hand it through.
        self._pool._network_backend = _Network()  # pyright: ignore[reportPrivateUsage]

    def leave_to_parent(self) -> None:
        """In a child process: drop this process's copies of the parent's connections, and start with none."""
        # Without the pool's lock, which a thread that does not exist here may hold for ever.
        for connection in self._pool.connections:
            connection.close()
        self._connect_anew()


_transports: "weakref.WeakSet[Transport]" = weakref.WeakSet()


def _after_fork() -> None:
    for transport in _transports:
        transport.leave_to_parent()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)


class _Network(httpcore.SyncBackend):
    """httpcore's sockets, on which a `Deadline` bounds all operations of a call together instead of each alone."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        # Looked up here, because a timeout counts anew for every address that a name stands for.
        failed: Exception | None = None
        for *_, address in _look_up(host, port, _left(timeout, httpcore.ConnectTimeout)):
            try:
                left = _left(timeout, httpcore.ConnectTimeout)
                return _Stream(super().connect_tcp(str(address[0]), port, left, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as fault:
                failed = fault
        raise failed or httpcore.ConnectError("the name stands for no address")


class _Stream(httpcore.NetworkStream):
    """A connection of httpcore's. A server that drips a byte now and then gets no more time by it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_SIZE):
            part = buffer[start : start + _WRITE_SIZE]
            self._stream.write(part, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _look_up(host: str, port: int, timeout: float | None) -> list[Any]:
    """The addresses of a name, as `socket.getaddrinfo` gives them.

    That knows no timeout, and takes ten seconds and more where no name server answers. So a thread of its own calls it,
    and is left behind where the time is over; it ends when the operating system gives up.
    """
    found: Future[list[Any]] = Future()

    def look_up() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as fault:  # raised again by whoever waits
            found.set_exception(fault)

    thread = threading.Thread(target=look_up, daemon=True)
    try:
        thread.start()
    except RuntimeError:  # there are too many, or the interpreter is about to end
        look_up()
    else:
        thread.join(timeout)
    if not found.done():
        raise httpcore.ConnectTimeout(f"looking up {host} took too long")
    try:
        return found.result()
    except (OSError, UnicodeError) as fault:  # UnicodeError: a label that is empty or too long
        raise httpcore.ConnectError(str(fault)) from fault


def _left(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float | None:
    if not isinstance(timeout, Deadline):
        return timeout
    left = timeout.left()
    if left <= 0:
        raise expired("the time of the call is over")
    return left


def _tls_context() -> ssl.SSLContext:
    """httpx's TLS context, made once for all clients of the process: it takes longer than many calls."""
    try:
        ca_file = os.environ.get("SSL_CERT_FILE")
        written = os.stat(ca_file).st_mtime_ns if ca_file else None  # a CA that was renewed counts for new clients
        return _made_tls_context(ca_file, os.environ.get("SSL_CERT_DIR"), os.environ.get("SSLKEYLOGFILE"), written)
    except OSError as fault:
        raise ArgumentError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ({fault}); correct the "
            "variable, or unset it to trust the public CAs."
        ) from None


@functools.lru_cache(maxsize=8)
def _made_tls_context(*environment: object) -> ssl.SSLContext:
    """Make the context; ``environment`` is all that it is made from."""
    return httpx.create_ssl_context()


def _proxy(url: httpx.URL, allow_http: bool) -> httpx.Proxy | None:
    """The proxy that the environment names for a server, if any."""
    proxies = urllib.request.getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    host = url.host if url.port is None else f"{url.host}:{url.port}"
    if not found or urllib.request.proxy_bypass(host):
        return None
    # The text is not quoted below: a proxy's address may hold a password.
    try:
        proxy = httpx.Proxy(found if "://" in found else f"http://{found}")
    except (ValueError, httpx.InvalidURL):
        raise ArgumentError(
            f"the proxy variable for {url.scheme} (such as {url.scheme.upper()}_PROXY or ALL_PROXY) is not a proxy's "
            "URL; it should look like http://host:port."
        ) from None
    if url.scheme == "http" and not (allow_http or is_loopback(proxy.url.host)):
        raise ArgumentError(
            "base_url is plain http, and HTTP_PROXY or ALL_PROXY would send it through a proxy on another machine, "
            "where anyone on the way can read the session cookie: name the host in NO_PROXY, or set allow_http=True if "
            "the network is trusted."
        )
    return proxy
