"""The connections of a client: httpx's client and transport, the limit on them, forks and closing."""

from __future__ import annotations

import contextlib
import os
import queue
import ssl
import threading
import weakref
from collections.abc import Generator

import httpx

from neptun_sdk._http.deadline import Deadline
from neptun_sdk._http.pool import Pool, pool_factory
from neptun_sdk._http.proxies import find_proxy, is_exposed
from neptun_sdk._http.secrets import MIN_MASKED_LENGTH, Secrets, mask_current, mask_library_logs
from neptun_sdk._http.sockets import NetworkBackend
from neptun_sdk._http.tls import default_context

MAX_CONNECTIONS = 100
_NO_STREAM = httpx.ByteStream(b"")


class Connections:
    """The connections that a client shares with all that were made from it.

    Args:
        url: The server.
        allow_http: Whether plain http may leave this machine.
        ssl_context: The TLS context, else `default_context`.
        proxy: The URL of a proxy, else the one that the environment names.
        transport: Sends in place of all this; it stays the caller's to close.

    Attributes:
        closed: Set when the connections are closed.
        proxy_name: What names the proxy in use: ``proxy``, an environment variable, or empty.

    Raises:
        ValueError: A setting, or the environment variable in its place, cannot be used.
    """

    def __init__(
        self,
        url: httpx.URL,
        *,
        allow_http: bool,
        ssl_context: ssl.SSLContext | None,
        proxy: str | None,
        transport: httpx.BaseTransport | None,
    ) -> None:
        mask_library_logs()
        self.closed: threading.Event = threading.Event()
        self.proxy_name: str = ""
        self._own_transport: Transport | None = None
        if transport is None:
            found, self.proxy_name = find_proxy(url, proxy)
            if found and is_exposed(url, found) and not allow_http:
                raise ValueError(
                    f"base_url is plain http, which the proxy ({self.proxy_name}) could read: use https://, or set "
                    "allow_http=True if the network is trusted."
                )
            # Plain http needs no CAs, and loading them takes as long as many calls.
            needs_tls = "https" in (url.scheme, found and found.url.scheme)
            tls = (ssl_context or default_context()) if needs_tls else None
            transport = self._own_transport = Transport(found, tls, self.closed)
        self._slots = self._new_slots()
        self._client = _HttpClient(transport)
        _all_connections.add(self)

    @contextlib.contextmanager
    def send(self, request: httpx.Request, secrets: Secrets, deadline: Deadline) -> Generator[httpx.Response]:
        """Send a request with its secret headers; the response is open, and its body unread, in the ``with`` block."""
        slots = self._slots  # `reset` may replace it meanwhile
        if slots is not None:
            try:
                # Wait here: httpcore restarts its timeout each time another thread is faster.
                slots.get(timeout=max(0, deadline.remaining()))
            except queue.Empty:
                raise httpx.PoolTimeout("") from None
        try:
            try:
                response = self._client.send(request, auth=secrets, stream=True)
            except httpx.TransportError as exc:
                if self._own_transport is not None:
                    self._own_transport.recover(exc)
                raise
            try:
                response.headers = response.extensions.pop("own_headers", response.headers)
                yield response
            finally:
                response.close()
                response.stream = _NO_STREAM  # break the cycle response → stream → response, to free the body now
        finally:
            if slots is not None:
                slots.put(None)

    def close(self) -> None:
        """Close the connections, if they are not those of a caller's transport, and end the calls under way."""
        self.closed.set()
        if self._own_transport is not None:
            self._own_transport.close()

    def reset(self) -> None:
        """Replace the pool and the slots: an interrupt may have left a lock taken or a slot not returned."""
        self._slots = self._new_slots()
        if self._own_transport is not None:
            self._own_transport.replace_pool()

    def reset_after_fork(self) -> None:
        """In a child process: start with no connection and with no lock that a thread of the parent may have held."""
        was_closed, self.closed = self.closed.is_set(), threading.Event()
        if was_closed:
            self.closed.set()
        if self._own_transport is not None:
            self._own_transport.backend.closed = self.closed
            self._own_transport.backend.discard()
        self.reset()

    def _new_slots(self) -> queue.SimpleQueue[None] | None:
        """Return a queue with an item for each call that may be under way; a caller's transport has no limit."""
        if self._own_transport is None:
            return None
        slots: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(MAX_CONNECTIONS):
            slots.put(None)
        return slots


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
    """httpx's client, whose ``send`` monitoring tools hook, without cookies, redirects or history."""

    cookies: httpx.Cookies = _NoCookies()  # type: ignore[override] # pyright: ignore - a property there

    def __init__(self, transport: httpx.BaseTransport) -> None:
        super().__init__(transport=transport, event_hooks={"response": [_protect]})


def _protect(response: httpx.Response) -> None:
    """Mask an echo of a secret in the reason phrase, which Sentry records, and hide ``Location`` from httpx.

    httpx builds the next request from it even if it does not follow, which may raise.
    """
    reason = response.extensions.get("reason_phrase", b"")
    if len(reason) >= MIN_MASKED_LENGTH:
        response.extensions["reason_phrase"] = mask_current(reason)
    if response.has_redirect_location:
        response.extensions["own_headers"] = response.headers
        response.headers = response.headers.copy()
        del response.headers["Location"]


class Transport(httpx.HTTPTransport):
    """httpx's transport, with a deadline for each call as a whole and connections that no fork shares.

    httpx's own constructor is not called: it would build a pool without our network backend.
    """

    _pool: Pool

    def __init__(self, proxy: httpx.Proxy | None, tls: ssl.SSLContext | None, closed: threading.Event) -> None:
        self.backend: NetworkBackend = NetworkBackend(closed)
        self._has_proxy = proxy is not None
        self._new_pool = pool_factory(proxy, tls, self.backend)
        self._pool = self._new_pool()

    def close(self) -> None:
        self.backend.close()
        super().close()

    def recover(self, exc: httpx.TransportError) -> None:
        """Start with no connection after a failure that is not this request's alone."""
        # httpcore keeps a tunnel whose TLS failed for good.
        is_tunnel = self._has_proxy and isinstance(exc, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
        if is_tunnel or self.backend.stale.is_set():
            self.replace_pool()

    def replace_pool(self) -> None:
        """Start with no connection. The old ones close when nothing refers to them: when no thread uses them."""
        self.backend.stale.clear()
        before, self._pool = self._pool, self._new_pool()
        before.release_lock()
