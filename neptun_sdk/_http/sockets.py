"""httpcore's own sockets, with a deadline for each operation, and closing under other threads."""

from __future__ import annotations

import _thread
import codecs
import contextlib
import ipaddress
import queue
import re
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import httpcore

from neptun_sdk._http.deadline import remaining

_PIECE_SIZE = 16 * 1024  # bytes that are written at once, a TLS record: httpcore restarts the timeout for each send
_MAX_SHARE = 5.0  # seconds that an address of a name may take while there are others to try
_MAX_HEAD = 256 * 1024  # bytes that are kept to find the end of a head; h11 takes fewer
# The heads of 1xx responses, and the head of the response itself.
_HEADS = re.compile(rb"(?>HTTP/1\.[01] 1(?:[^\n]*\n)+?\r?\n)*+(?!HTTP/1\.[01] 1)(?:[^\n]*\n)+?\r?\n")
_LAST_CHUNK = b"\r\n0\r\n\r\n"

T = TypeVar("T")

# The first look-up of a name, and the first host name outside ASCII, would import these. A call imports nothing: an
# interrupt within an import can leave its lock taken.
codecs.lookup("idna")
codecs.lookup("punycode")


class NetworkBackend(httpcore.NetworkBackend):
    """httpcore's connections, on which a `Deadline` bounds all operations together.

    Attributes:
        closed: Set when the client is closed: nothing is sent after it.
        stale: Set here when a connection that was idle turns out to be dead: others may be as old.
    """

    def __init__(self, closed: threading.Event) -> None:
        self.closed: threading.Event = closed
        self.stale: threading.Event = threading.Event()
        self._backend = httpcore.SyncBackend()
        # Not all of them are in the pool: not during the handshake with a SOCKS proxy, nor after an interrupt.
        self._streams: weakref.WeakValueDictionary[int, NetworkStream] = weakref.WeakValueDictionary()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _look_up(host, port, timeout)
        error: Exception = httpcore.ConnectError("the name has no address")
        for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = remaining(timeout, httpcore.ConnectTimeout)
            if share is not None and untried > 1:
                share = min(share / untried, _MAX_SHARE)
            try:
                inner = self._backend.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                error = exc
                continue
            stream = NetworkStream(inner, timeout, self.closed, self.stale)
            self._streams[id(stream)] = stream
            stream.check_open()
            return stream
        raise error

    def close(self) -> None:
        """End the reads and writes under way; ``closed`` is set."""
        for stream in self._open_streams():
            stream.close()

    def discard(self) -> None:
        """After a fork: close this process's copies, and leave the connections of the parent as they are."""
        self.stale = threading.Event()  # whose lock a thread of the parent may have held
        for stream in self._open_streams():
            stream.discard()

    def _open_streams(self) -> Iterable[NetworkStream]:
        return filter(None, [reference() for reference in self._streams.valuerefs()])


class NetworkStream(httpcore.NetworkStream):
    """A connection on which a server that sends a byte now and then gains no time by it.

    Closing it under a thread that reads or writes ends that operation, and leaves the rest to that thread: a closed
    descriptor may be another connection's by the time the thread reads it.

    Args:
        stream: httpcore's connection.
        timeout: That of connecting. The handshake with a SOCKS proxy has it too: httpcore passes none there.
        closed: As for `NetworkBackend`.
        stale: As for `NetworkBackend`.
    """

    def __init__(
        self,
        stream: httpcore.NetworkStream,
        timeout: float | None,
        closed: threading.Event,
        stale: threading.Event,
    ) -> None:
        self._stream = stream
        self._timeout = timeout
        self._client_closed = closed
        self._stale = stale
        self._was_idle = False
        self._in_use = threading.Lock()
        self._is_closed = False
        self._is_writing = False  # since the last read
        self._unsent = b""  # what httpcore has written, and the socket has not
        self._received = 0  # bytes since the last request
        self._head = self._tail = b""  # the first and the last of them
        self._has_excess = False
        self._is_within_tls = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._is_writing = False
        if self._unsent:  # of the handshake with a SOCKS proxy, which has no such end
            self._send(timeout)
        data = b""
        try:
            data = self._use(self._stream.read, max_bytes, remaining(timeout or self._timeout, httpcore.ReadTimeout))
        finally:
            if not data and not self._received and self._was_idle:
                self._stale.set()
        self._received += len(data)
        if len(self._head) < _MAX_HEAD:
            self._head += data
        self._tail = self._tail[-len(_LAST_CHUNK) :] + data
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._has_excess:  # two requests may get one idle connection: httpcore finds another for this one
            raise httpcore.ConnectionNotAvailable
        is_first, self._is_writing = not self._is_writing, True
        if is_first:
            self._received, self._head, self._tail = 0, b"", b""
        # The head of a request waits for the next write, so that its body goes with it in one piece. If it has none,
        # httpcore writes nothing (b"") at its end.
        self._unsent += buffer
        if not is_first or not buffer:
            self._send(timeout)

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = remaining(timeout, httpcore.ConnectTimeout)
        connected = self._stream.get_extra_info("socket")
        if isinstance(connected, _OuterTLS.__bases__):  # gevent may have replaced `ssl.SSLSocket` since
            self._is_within_tls = True
            connected.__class__ = _OuterTLS
        try:
            (server_hostname or "").encode("idna")  # Python checks it too, but then leaves the socket open
        except ValueError as exc:  # no certificate can be for such a name, as one with an empty label
            self.close()
            raise httpcore.ConnectError(str(exc)) from exc
        self._stream = self._use(self._stream.start_tls, ssl_context, server_hostname, seconds)
        self.check_open()
        return self

    def check_open(self) -> None:
        """Close the connection, and raise an exception, if the client is closed."""
        if self._client_closed.is_set():
            self.close()
            raise httpcore.ConnectError("the client was closed")

    def end_response(self, body_size: int, *, chunked: bool) -> None:
        """Note that a response was read to its end, with a body of ``body_size`` bytes as it was sent.

        h11 takes the bytes that follow for the beginning of the next response. So a connection that has received any
        counts as readable between two requests, at which httpcore closes it. If the end is not found, it counts too.
        """
        if chunked:
            self._has_excess = self._tail.find(_LAST_CHUNK) != len(self._tail) - len(_LAST_CHUNK)
        else:
            heads = _HEADS.match(self._head)
            self._has_excess = not heads or self._received != heads.end() + body_size
        if self._is_within_tls and not self._has_excess:
            # What the outer TLS has received, but the inner one has not, does not show on the socket.
            with contextlib.suppress(httpcore.ReadError):  # there is none
                self._stream.read(1, timeout=0)
                self._has_excess = True
        self._head = self._tail = b""
        self._was_idle = True

    def close(self) -> None:
        self._is_closed = True
        if self._in_use.acquire(blocking=False):
            self._stream.close()
            self._in_use.release()
        else:
            with contextlib.suppress(OSError):
                # Not the method of an `ssl.SSLSocket`: after that, another thread would send without TLS.
                socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)

    def discard(self) -> None:
        """Close this process's copy: the thread that used the connection does not exist here."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return (info == "is_readable" and self._has_excess) or self._stream.get_extra_info(info)

    def _send(self, timeout: float | None) -> None:
        unsent, self._unsent = self._unsent, b""
        for start in range(0, len(unsent), _PIECE_SIZE):
            piece = unsent[start : start + _PIECE_SIZE]
            self._use(self._stream.write, piece, remaining(timeout or self._timeout, httpcore.WriteTimeout))

    def _use(self, operation: Callable[..., T], *arguments: object) -> T:
        try:
            with self._in_use:
                return operation(*arguments)
        finally:
            if self._is_closed:
                self._stream.close()

    def __del__(self) -> None:
        # httpcore drops the connection of a failed SOCKS handshake, and a replaced pool those that were in use.
        with contextlib.suppress(AttributeError):  # the constructor may have been interrupted
            self._stream.close()


class _OuterTLS(ssl.SSLSocket):
    """A connection to a proxy, within whose TLS that of the server runs: httpcore sets its timeout for many reads."""

    _timeout: float | None = None

    def settimeout(self, value: float | None) -> None:
        self._timeout = value
        super().settimeout(value)

    def recv(self, *arguments: Any, **options: Any) -> bytes:
        super().settimeout(remaining(self._timeout, TimeoutError))
        return super().recv(*arguments, **options)

    def send(self, *arguments: Any, **options: Any) -> int:
        super().settimeout(remaining(self._timeout, TimeoutError))
        return super().send(*arguments, **options)


def _look_up(host: str, port: int, timeout: float | None) -> list[str]:
    """Return the addresses of a host name, each once.

    `socket.getaddrinfo` takes no timeout and can block for over ten seconds, so that it runs in a thread, which is
    abandoned when the time is up. A literal address needs no look-up.
    """
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return [host]
    found: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(address[0]) for *_, address in entries)))
        except Exception as exc:
            found.put(exc)

    try:
        _thread.start_new_thread(look_up, ())  # an interrupt in `threading.Thread.start` leaves an entry behind
    except RuntimeError:  # there are too many threads, or the interpreter is about to end
        look_up()
    try:
        result = found.get(timeout=remaining(timeout, httpcore.ConnectTimeout))
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"looking up {host} took too long") from None
    if isinstance(result, OSError | UnicodeError):  # UnicodeError: a label that is empty or too long
        raise httpcore.ConnectError(str(result)) from result
    if isinstance(result, Exception):
        raise result
    return result
