"""The HTTP server below the app: cheroot with limits. It passes on whole requests and refuses malformed ones."""

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

from cheroot.errors import MaxSizeExceeded
from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest, SizeCheckWrapper
from cheroot.wsgi import Server

from neptun_sdk.sandbox.gate import WsgiApp

MAX_BODY = 64 * 1024 * 1024  # bytes; a deployed server takes a PATCH of any size
MAX_HEAD = 16 * 1024  # bytes of the request line and the headers: Node's own limit
_THREADS = 20  # at the start, and how many more at a time
_SPARE_THREADS = 5  # cheroot counts a thread as idle until just after it took a connection
_MAX_THREADS = 1_000
_MAX_CONNECTIONS = 10_000  # kept open between requests
_BACKLOG = 128  # connections that wait to be accepted; cheroot's own 5 reset the others

_ONCE = (b"Content-Length", b"Host")
_CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


class HttpServer(Server):
    """An HTTP server on a loopback port. It starts more threads while requests are delayed.

    Args:
        app: The WSGI app to serve.
        port: The port to listen on; 0 lets the system choose a free one.
    """

    def __init__(self, app: WsgiApp, port: int) -> None:
        cast("Any", super()).__init__(
            ("127.0.0.1", port),
            app,
            numthreads=_THREADS,
            max=_MAX_THREADS,
            request_queue_size=_BACKLOG,
            server_name="127.0.0.1",
            shutdown_timeout=1,
        )
        self.ConnectionClass = _Connection
        self.max_request_header_size = MAX_HEAD
        self.expiration_interval: float = 0.02  # seconds between checks whether to stop
        self.keep_alive_conn_limit = _MAX_CONNECTIONS  # by default only ten connections are kept open

    def process_conn(self, conn: HTTPConnection) -> None:
        """Queue a connection for a thread. A client that stalls, or a scripted delay, blocks its thread."""
        pool = self.requests
        if self.ready and pool.idle < pool.qsize + _SPARE_THREADS:
            pool.grow(_THREADS)
        cast("Any", super()).process_conn(conn)


class _Headers(dict[bytes, bytes]):
    """The headers of a request. It refuses to repeat a header that may occur once."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name in _ONCE and name in self:
            raise ValueError("a header that may occur once")
        super().__setitem__(name, value)


class _Request(HTTPRequest):
    """A request that is read completely before the app sees it. A malformed one gets Node's status, without a body."""

    server: Any  # cheroot's own types are incomplete
    conn: Any
    request_protocol: bytes

    def __init__(self, server: Any, conn: Any) -> None:
        # In proxy mode cheroot leaves the path to the app; otherwise it refuses one that starts with two slashes.
        cast("Any", super()).__init__(server, conn, proxy_mode=True)
        self.inheaders: dict[bytes, bytes] = _Headers()

    def parse_request(self) -> None:
        self.rfile = cast("Any", SizeCheckWrapper)(self.conn.rfile, MAX_HEAD)
        try:
            self.ready = bool(cast("Any", self).read_request_line()) and self.read_request_headers()
        except MaxSizeExceeded:
            self.simple_response("431 Request Header Fields Too Large")
        except ValueError:  # a path such as //[
            self.simple_response("404 Not Found")

    def read_request_headers(self) -> bool:
        if not cast("Any", super()).read_request_headers():
            return False
        length = self.inheaders.get(b"Content-Length")
        nameless = self.request_protocol == b"HTTP/1.1" and b"Host" not in self.inheaders
        if nameless or (length is not None and (self.chunked_read or not length.isdigit())):
            self.simple_response("400 Bad Request")
            return False
        return True

    def respond(self) -> None:
        try:
            body = self._read_body()
        except (MaxSizeExceeded, ValueError) as exc:
            too_large = isinstance(exc, MaxSizeExceeded)
            self.simple_response("413 Payload Too Large" if too_large else "400 Bad Request")
            self.close_connection = True
            return
        self.rfile = io.BytesIO(body)
        self.server.gateway(self).respond()

    def simple_response(self, status: str, msg: str = "") -> None:  # noqa: ARG002
        """Refuse a malformed request."""
        refused = "400 Bad Request" if status[:3] in ("501", "505") else status
        cast("Any", super()).simple_response(refused)

    def _read_body(self) -> bytes:
        blocks: list[bytes] = []
        left = MAX_BODY
        for size in self._sizes():
            left -= size
            if left < 0:
                raise MaxSizeExceeded
            blocks.append(self.conn.rfile.read(size))
            if len(blocks[-1]) < size:
                raise ValueError("the body breaks off")
        return b"".join(blocks)

    def _sizes(self) -> Iterator[int]:
        """Yield how many bytes to read next: the Content-Length, or the size of each chunk."""
        if not self.chunked_read:
            yield int(self.inheaders.get(b"Content-Length", 0))
            return
        stream = self.conn.rfile
        while (found := _CHUNK_HEAD.fullmatch(stream.readline(MAX_HEAD))) and (size := int(found[1], 16)):
            yield size
            if stream.read(2) != b"\r\n":
                raise ValueError("a chunk does not end where its size says")
        if not found:
            raise ValueError("not the size of a chunk")
        cast("Any", HeaderReader())(cast("Any", SizeCheckWrapper)(stream, MAX_HEAD))  # trailers


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request

    def close(self) -> None:
        try:
            cast("Any", super()).close()
        finally:
            # cheroot leaves the writer to the garbage collector. There, an unsent rest of a response raises an
            # exception that nobody catches: Python 3.13 reports it, and pytest turns it into a warning.
            with suppress(OSError):
                cast("Any", self).wfile.close()
