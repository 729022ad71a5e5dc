"""A loopback server without any HTTP in it: what it does to a connection is a function, however wrong."""

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from tests.conftest import PROJECT

Script = Callable[[socket.socket], None]

BODY = json.dumps({"project": PROJECT}).encode()


class RawServer:
    """Runs one script for each connection, in the order of the connections; the last script serves all that follow.

    Attributes:
        connections: How many connections came.
        most: How many of them were open at the same time, at the most.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self._scripts: Sequence[Script] = scripts
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._now = 0
        self.connections = 0
        self.most = 0
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # the server has ended
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._run, args=(script, connection), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, script: Script, connection: socket.socket) -> None:
        # A client that gives up breaks the connection under the script: that is what most of them are for.
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(self._count, -1)
            self._count(1)
            stack.callback(connection.close)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                stack.callback(connection.close)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            script(connection)

    def _count(self, change: int) -> None:
        with self._lock:
            self._now += change
            self.most = max(self.most, self._now)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


def receive(connection: socket.socket) -> bytes:
    """Take one request, head and body; nothing where the client has gone."""
    taken = b""
    while b"\r\n\r\n" not in taken:
        part = connection.recv(65_536)
        if not part:
            raise ConnectionError("the client has gone")
        taken += part
    head, _, body = taken.partition(b"\r\n\r\n")
    (length,) = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def reset(connection: socket.socket) -> None:
    """Break the connection, rather than end it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(body: bytes = BODY, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """The bytes of an answer; ``length`` is what it claims, where that is not the truth."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def sends(*parts: bytes, then: Script = lambda connection: None) -> Script:
    """A script that takes a request, sends some bytes, and does one thing more before it closes."""

    def script(connection: socket.socket) -> None:
        receive(connection)
        for part in parts:
            connection.sendall(part)
        then(connection)

    return script


def serves(*answers: bytes) -> Script:
    """A script that gives these answers to the requests of a connection, the last one for ever."""

    def script(connection: socket.socket) -> None:
        for number in range(1_000_000):
            receive(connection)
            connection.sendall(answers[min(number, len(answers) - 1)])

    return script
