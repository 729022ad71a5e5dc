"""A loopback server without any HTTP in it: what it does to a connection is a function, however wrong."""

import contextlib
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from tests.conftest import PROJECT

Script = Callable[[socket.socket], None]

BODY = json.dumps({"project": PROJECT}).encode()


class RawServer:
    """Runs one script for each connection, in the order of the connections; the last script serves all that follow.

    Attributes:
        base_url: Its address, for a client.
        port: The port in it.
        connections: How many connections were made.
        max_open: How many of them were open at the same time, at most.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self._scripts: Sequence[Script] = scripts
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._open = 0
        self.connections = 0
        self.max_open = 0
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # the server was closed
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            self._sockets.append(connection)
            thread = threading.Thread(target=self._run, args=(script, connection), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, script: Script, connection: socket.socket) -> None:
        # A client that gives up breaks the connection under the script: that is what most scripts are for.
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(self._count, -1)
            self._count(1)
            stack.callback(connection.close)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                stack.callback(connection.close)
                self._sockets.append(connection)  # the one below it is detached
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            script(connection)

    def _count(self, change: int) -> None:
        with self._lock:
            self._open += change
            self.max_open = max(self.max_open, self._open)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


def receive(connection: socket.socket) -> bytes:
    """Read one request, head and body."""
    content = b""

    def read_more() -> bytes:
        part = connection.recv(65_536)
        if not part:
            raise ConnectionError("the client closed the connection")
        return part

    while b"\r\n\r\n" not in content:
        content += read_more()
    head, _, body = content.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    (length,) = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")]
    while len(body) < length:
        body += read_more()
    return head + b"\r\n\r\n" + body


def reset(connection: socket.socket) -> None:
    """Break the connection with a TCP reset instead of closing it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def until_closed(connection: socket.socket) -> None:
    """Wait until the client sends one more byte or closes the connection."""
    connection.recv(1)


def response(body: bytes = BODY, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """Return the bytes of a response; ``length`` is the Content-Length, if it is not the true one."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def sends(*parts: bytes, then: Script | None = None) -> Script:
    """Make a script that reads a request, sends some bytes, and does one thing more before it closes."""

    def script(connection: socket.socket) -> None:
        receive(connection)
        for part in parts:
            connection.sendall(part)
        if then:
            then(connection)

    return script


def serves(*responses: bytes) -> Script:
    """Make a script that sends these responses to the requests of a connection, the last one again and again."""

    def script(connection: socket.socket) -> None:
        for number in range(1_000_000):
            receive(connection)
            connection.sendall(responses[min(number, len(responses) - 1)])

    return script


def mirrors(connection: socket.socket) -> None:
    """Respond with what was sent, and with who sent it: the user of the path and the session of the cookie."""
    while True:
        head, _, body = receive(connection).partition(b"\r\n\r\n")
        path = re.search(rb"/users/(\d+)/projects/(\d+) ", head)
        cookie = re.search(rb"(?i)cookie: neptun-session=(\S+)", head)
        assert path is not None
        assert cookie is not None
        row = PROJECT | json.loads(body)
        row |= {"id": int(path[2]), "neptun_user_id": int(path[1]), "session": cookie[1].decode()[::-1]}
        set_cookie = "Set-Cookie: neptun-session=somebody-elses-session; Path=/"
        connection.sendall(response(json.dumps({"project": row}).encode(), "200 OK", set_cookie))


@contextlib.contextmanager
def full_backlog(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Listen on a port whose queue of connections is full, so that further ones are not even begun."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
