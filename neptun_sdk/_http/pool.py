"""The connection pools, to a server or to a proxy."""

from __future__ import annotations

import contextlib
import importlib
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpcore
import httpx

from neptun_sdk._http.secrets import mask_current_exception
from neptun_sdk._http.sockets import NetworkStream

_KEEPALIVE_EXPIRY = 5.0  # seconds
# What a malformed response makes the SOCKS handshake raise, beside the exceptions of httpcore.
_SOCKS_ERRORS = (AssertionError, AttributeError, LookupError, OverflowError, ValueError)


def pool_factory(
    proxy: httpx.Proxy | None, tls: ssl.SSLContext | None, backend: httpcore.NetworkBackend
) -> Callable[[], Pool]:
    """Return a function that makes an empty connection pool, to the server or to a proxy.

    A pool keeps every connection open: how many requests are sent at once is limited elsewhere.
    """
    options: dict[str, Any] = {
        "ssl_context": tls,
        "max_connections": None,
        "keepalive_expiry": _KEEPALIVE_EXPIRY,
        "network_backend": backend,
    }
    kind: type[Pool] = Pool
    if proxy is not None:
        options |= {"proxy_url": str(proxy.url), "proxy_auth": proxy.raw_auth}
        kind = _SOCKSProxy
        if not proxy.url.scheme.startswith("socks5"):
            kind = _HTTPProxy
            proxy_tls = tls if proxy.url.scheme == "https" else None  # httpcore refuses one for any other
            options |= {"proxy_headers": proxy.headers.raw, "proxy_ssl_context": proxy_tls}
    return lambda: kind(**options)  # not a partial, whose repr shows the password of a proxy


class Pool(httpcore.ConnectionPool):
    """httpcore's pool, which masks secrets in its exceptions: OpenTelemetry records their texts.

    It also notes where a response ends, before another request may have the connection.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # httpcore takes its own lock in a Python function, in which an interrupt can leave it taken. In a ``with``
        # statement on a lock of Python's, none can, but in Python 3.14: so this one can tell whose it is.
        self._lock = threading.RLock()
        self._optional_thread_lock = self._lock  # type: ignore[assignment] # pyright: ignore

    def release_lock(self) -> None:
        """Release the lock if an interrupt has left it taken by this thread: other threads wait for it."""
        with contextlib.suppress(RuntimeError):  # it is not this thread's
            while True:
                self._lock.release()

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        try:
            response = super().handle_request(request)
        except Exception as exc:
            mask_current_exception(exc)
            raise
        found: Any = response
        connection = found.extensions.get("network_stream")
        if isinstance(connection, NetworkStream):  # respx stands in for httpcore's pool, and has none
            response.stream = _NotedStream(response, connection)
        return response


class _NotedStream:
    """The body of a response, whose end is noted before its connection goes back to the pool."""

    def __init__(self, response: httpcore.Response, connection: NetworkStream) -> None:
        self._stream: Any = response.stream
        self._connection = connection
        self._is_chunked = any(name.lower() == b"transfer-encoding" for name, _ in response.headers)
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            self._size += len(part)
            yield part

    def close(self) -> None:
        self._connection.end_response(self._size, chunked=self._is_chunked)
        self._stream.close()


class _HTTPProxy(Pool, httpcore.HTTPProxy):
    """The connections through an HTTP proxy."""


class _SOCKSProxy(Pool, httpcore.SOCKSProxy):
    """The connections through a SOCKS proxy, whose handshake raises exceptions that are not httpcore's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._errors = (*_SOCKS_ERRORS, importlib.import_module("socksio").SOCKSError)

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        events: list[str] = []

        def note(name: str, _info: object) -> None:
            events.append(name)

        found: Any = request
        found.extensions = {**found.extensions, "trace": note}
        try:
            return super().handle_request(request)
        except self._errors as exc:
            if "socks.setup_socks5_connection.failed" not in events:
                raise  # of a signal handler, for one: the request may have been sent
            raise httpcore.ProxyError(f"the SOCKS handshake failed ({type(exc).__name__}: {exc})") from exc
