"""The sockets of connections: the deadline of a call on each, the look-up of names, and closing under other threads."""

from __future__ import annotations

import codecs
import contextlib
import ipaddress
import math
import os
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import httpcore

_POLL_INTERVAL = 0.2  # seconds between looks at whether the client was closed during a look-up
_WRITE_SIZE = 16 * 1024  # bytes; small enough to be written at once when the socket takes any

T = TypeVar("T")

# Import what the first look-up of a name, and the first host name outside ASCII, would import; see NeptunClient.
codecs.lookup("idna")
codecs.lookup("punycode")


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


class NetworkBackend(httpcore.SyncBackend):
    """httpcore's sockets, on which a `Deadline` bounds all operations of a call together instead of each alone."""

    def __init__(self) -> None:
        self._is_closed = False
        self._handshakes: set[socket.socket] = set()
        # Not all of them are in the pool: not during the handshake with a SOCKS proxy, nor after an interrupt.
        self._streams: dict[int, weakref.ref[_Stream]] = {}

    def close(self) -> None:
        """Connect no more, and end the handshakes and the operations under way."""
        self._is_closed = True
        for guard in tuple(self._handshakes):
            with contextlib.suppress(OSError):
                guard.shutdown(socket.SHUT_RDWR)
        for stream in filter(None, [reference() for reference in tuple(self._streams.values())]):
            stream.close()

    def stream(self, stream: httpcore.NetworkStream, timeout: float | None) -> _Stream:
        """Wrap a connection, for `close` to close."""
        wrapped = _Stream(stream, timeout, self)
        self._streams[id(wrapped)] = weakref.ref(wrapped)
        self._check_open()
        return wrapped

    def forget(self, stream: _Stream) -> None:
        """Keep nothing of a connection that is deleted."""
        self._streams.pop(id(stream), None)

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
                return self.stream(stream, timeout)
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

    def __init__(self, stream: httpcore.NetworkStream, timeout: float | None, network: NetworkBackend) -> None:
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
            self._network.forget(self)

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
        with self._in_use, self._network.handshake(self.get_extra_info("socket")):
            stream = self._stream.start_tls(ssl_context, server_hostname, remaining)
        secured = self._network.stream(stream, timeout)
        secured._below = self
        return secured

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _remaining(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float | None:
    """Return the seconds that an operation on a socket may take now; raises ``expired`` if there are none."""
    if not isinstance(timeout, Deadline):
        return timeout
    remaining = timeout.remaining()
    if remaining <= 0:
        raise expired("the time of the call is over")
    return remaining
