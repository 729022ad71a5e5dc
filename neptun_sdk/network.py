"""The sockets of connections: the deadline of a call on each, the look-up of names, and closing under other threads."""

from __future__ import annotations

import codecs
import contextlib
import errno
import ipaddress
import math
import os
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import httpcore

_POLL_INTERVAL = 0.2  # seconds between looks at whether the client was closed during a look-up or while connecting
_PIECE_SIZE = 64 * 1024  # bytes that TLS reads or writes at once, some four records
_IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)  # of connecting without waiting

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


class NetworkBackend(httpcore.NetworkBackend):
    """Connections on which a `Deadline` bounds all operations of a call together, and which another thread may end."""

    def __init__(self) -> None:
        self._is_closed = False
        # Not all of them are in the pool: not during the handshake with a SOCKS proxy, nor after an interrupt.
        self._streams: dict[int, weakref.ref[_Stream]] = {}

    def close(self) -> None:
        """Connect no more, and end the operations under way."""
        self._is_closed = True
        for stream in filter(None, [reference() for reference in tuple(self._streams.values())]):
            stream.close()

    def forget(self, stream: _Stream) -> None:
        """Keep nothing of a connection that is deleted."""
        self._streams.pop(id(stream), None)

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: Any = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        del local_address, socket_options  # our pools set neither
        addresses = self._resolve(host, port, timeout)
        error: Exception = httpcore.ConnectError("the name has no address")
        for untried, (family, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            remaining = _remaining(timeout, httpcore.ConnectTimeout)
            share = None if remaining is None else remaining / untried
            try:
                stream = _Stream(self._connect(family, address, share), timeout, self)
            except OSError as exc:
                error_class = httpcore.ConnectTimeout if isinstance(exc, TimeoutError) else httpcore.ConnectError
                error = error_class(str(exc))
                error.__cause__ = exc
                continue
            self._streams[id(stream)] = weakref.ref(stream)
            self._check_open()
            return stream
        raise error

    def _check_open(self) -> None:
        if self._is_closed:
            raise httpcore.ConnectError("the client was closed")

    def _resolve(self, host: str, port: int, timeout: float | None) -> list[tuple[int, Any]]:
        """Return the family and the address of a socket for each address of a host name, each once.

        `socket.getaddrinfo` takes no timeout and can block for over ten seconds, so that it runs in a daemon thread,
        which is abandoned when the time is up or the client is closed. A literal address needs no look-up, unless it
        has a zone, as ``fe80::1%eth0`` has.
        """
        try:
            literal = ipaddress.ip_address(host.replace("%", " "))
            return [(socket.AF_INET if literal.version == 4 else socket.AF_INET6, (host, port))]
        except ValueError:
            found: list[Any] = []

        def look_up() -> None:
            try:
                found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as exc:  # UnicodeError: a label that is empty or too long
                found.append(exc)

        end = _end(timeout)
        thread = threading.Thread(target=look_up, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there are too many threads, or the interpreter is about to end
            look_up()
        while not found:
            self._check_open()
            remaining = end - time.monotonic()
            if remaining <= 0:
                raise httpcore.ConnectTimeout(f"looking up {host} took too long")
            thread.join(min(remaining, _POLL_INTERVAL))
        if isinstance(found[0], Exception):
            raise httpcore.ConnectError(str(found[0])) from found[0]
        return list(dict.fromkeys((family, address) for family, *_, address in found[0]))

    def _connect(self, family: int, address: Any, timeout: float | None) -> socket.socket:
        """Return a socket that is connected, or raise `OSError`. Closing the client ends it."""
        self._check_open()
        end = _end(timeout)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            error = sock.connect_ex(address)
            while error in _IN_PROGRESS:
                self._check_open()
                remaining = end - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError("timed out")
                if _is_ready(sock, to_write=True, timeout=min(remaining, _POLL_INTERVAL)):
                    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
        except BaseException:
            sock.close()
            raise
        return sock


class _Stream(httpcore.NetworkStream):
    """A connection on which a server that sends a byte now and then gains no time by it.

    Closing it under a thread that reads or writes ends that operation, and leaves the rest to that thread: a closed
    descriptor may be another connection's by the time the thread reads it.

    ``timeout`` is that of connecting. The handshake with a SOCKS proxy has it too: httpcore passes none there.
    """

    def __init__(self, sock: socket.socket, timeout: float | None, network: NetworkBackend) -> None:
        self._socket = sock
        self._timeout = timeout
        self._network = network
        self._in_use = threading.Lock()
        self._is_closed = False
        self._process = os.getpid()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._use(self._socket.recv, max_bytes, timeout, httpcore.ReadTimeout, httpcore.ReadError)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            sent = self._use(self._socket.send, rest, timeout, httpcore.WriteTimeout, httpcore.WriteError)
            rest = rest[sent:]

    def _use(
        self,
        operation: Callable[..., T],
        argument: object,
        timeout: float | None,
        expired: type[httpcore.TimeoutException],
        failed: type[httpcore.NetworkError],
    ) -> T:
        remaining = _remaining(timeout or self._timeout, expired)
        try:
            with self._in_use:
                self._socket.settimeout(remaining)
                return operation(argument)
        except TimeoutError as exc:
            raise expired(str(exc)) from exc
        except OSError as exc:
            raise failed(str(exc)) from exc
        finally:
            if self._is_closed:
                self._socket.close()

    def __del__(self) -> None:
        # httpcore drops the connection of a failed SOCKS handshake, and `renew` those that were in use.
        with contextlib.suppress(AttributeError):  # the constructor may have been interrupted
            self._socket.close()
            self._network.forget(self)

    def close(self) -> None:
        self._is_closed = True
        if self._in_use.acquire(blocking=False):
            self._socket.close()
            self._in_use.release()
        elif os.getpid() != self._process:  # forked: the thread that held the lock does not exist here
            self._socket.close()
        else:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TLSStream(self, ssl_context, server_hostname, timeout)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # or closed
            return self._socket.fileno() < 0 or _is_ready(self._socket, to_write=False, timeout=0)
        if info == "client_addr":
            return self._socket.getsockname()
        if info == "server_addr":
            return self._socket.getpeername()
        return self._socket if info == "socket" else None


class _TLSStream(httpcore.NetworkStream):
    """TLS over another connection, which may be TLS itself, to a proxy.

    Its bytes are read and written there, and nowhere else: so the deadline and closing hold for its handshake too.
    """

    def __init__(
        self,
        stream: httpcore.NetworkStream,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None,
        timeout: float | None,
    ) -> None:
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._tls = ssl_context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
            self._run(self._tls.do_handshake, timeout=timeout)
        except (httpcore.TimeoutException, httpcore.NetworkError, ssl.SSLError, ValueError) as exc:
            # ValueError: the name is none that a certificate can be for, such as one with an empty label.
            self.close()
            expired = isinstance(exc, httpcore.TimeoutException)
            raise (httpcore.ConnectTimeout if expired else httpcore.ConnectError)(str(exc)) from exc

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._run(self._tls.read, max_bytes, timeout=timeout)
        except ssl.SSLEOFError:  # without TLS's own end, which HTTP does not need
            return b""
        except ssl.SSLError as exc:
            raise httpcore.ReadError(str(exc)) from exc

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        try:
            while rest:  # in pieces, so that no second copy of a large request is in memory
                written = self._run(self._tls.write, rest[:_PIECE_SIZE], timeout=timeout)
                rest = rest[written:]
        except ssl.SSLError as exc:
            raise httpcore.WriteError(str(exc)) from exc

    def _run(self, operation: Callable[..., T], *arguments: object, timeout: float | None) -> T:
        """Run an operation of TLS, and read and write as many bytes as it needs."""
        while True:
            try:
                result = operation(*arguments)
            except ssl.SSLWantReadError:
                self._send(timeout)
                received = self._stream.read(_PIECE_SIZE, timeout)
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                with contextlib.suppress(httpcore.NetworkError, httpcore.TimeoutException):
                    self._send(timeout)  # an alert, which says why
                raise
            else:
                self._send(timeout)
                return result

    def _send(self, timeout: float | None) -> None:
        if self._outgoing.pending:
            self._stream.write(self._outgoing.read(), timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TLSStream(self, ssl_context, server_hostname, timeout)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._tls
        if info == "is_readable" and (self._incoming.pending or self._tls.pending()):
            return True
        return self._stream.get_extra_info(info)


def _is_ready(sock: socket.socket, *, to_write: bool, timeout: float) -> bool:
    """Wait, for at most ``timeout`` seconds, until a socket can be read from or written to; tell whether it can."""
    if not hasattr(select, "poll"):  # Windows
        sockets = [sock]
        return any(select.select([] if to_write else sockets, sockets if to_write else [], sockets, timeout))
    poll = select.poll()  # select refuses descriptors from 1,024 on
    poll.register(sock, select.POLLOUT if to_write else select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def _end(timeout: float | None) -> float:
    """Return the moment of `time.monotonic` at which the time of connecting is over."""
    remaining = _remaining(timeout, httpcore.ConnectTimeout)
    return math.inf if remaining is None else time.monotonic() + remaining


def _remaining(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float | None:
    """Return the seconds that an operation on a socket may take now; raises ``expired`` if there are none."""
    if not isinstance(timeout, Deadline):
        return timeout
    remaining = timeout.remaining()
    if remaining <= 0:
        raise expired("the time of the call is over")
    return remaining
