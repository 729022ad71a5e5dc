"""Loopback proxies, and TLS for servers."""

import base64
import functools
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable

import trustme

from neptun_sdk import NeptunClient
from tests.faults.raw_server import response

HOST = "neptun.test"  # a name that only the proxies know: loopback would be reached without them
PATIENCE = 50  # seconds; nothing that uses it takes any
LARGE = "x" * 16_000_000  # more than the buffers between two sockets take


def update(client: NeptunClient) -> int:
    return client.update_project(123, name="New name").id


@functools.cache
def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


class HTTPProxy:
    """A proxy that answers plain requests itself, and makes a tunnel to a port of this machine for CONNECT.

    Args:
        credentials: What it asks for, as ``user:password``; else nothing.
        drips: Once this is set, it passes on one byte now and then.
        passes: While this is not set, it holds back what the server sends, and then passes it on at once.

    Attributes:
        heads: The heads of the requests that it got.
    """

    def __init__(
        self, credentials: str = "", drips: threading.Event | None = None, passes: threading.Event | None = None
    ) -> None:
        self.heads: list[bytes] = []
        self._credentials = base64.b64encode(credentials.encode())
        self._drips = drips
        self._passes = passes

    def __call__(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            byte = connection.recv(1)  # what follows CONNECT is not the proxy's to read
            if not byte:
                return
            head += byte
        self.heads.append(head)
        target = re.match(rb"CONNECT \S+:(\d+) ", head)
        if self._credentials and b"Proxy-Authorization: Basic " + self._credentials not in head:
            connection.sendall(response(b"", "407 Proxy Authentication Required"))
        elif target is None:
            connection.sendall(response())
        else:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            forward(connection, int(target[1]), self._drips, self._passes)


class SOCKSProxy:
    """A SOCKS5 proxy; each name leads to a port of this machine."""

    def __init__(self, credentials: str = "") -> None:
        user, _, password = credentials.encode().partition(b":")
        self._login = b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password if credentials else b""

    def __call__(self, connection: socket.socket) -> None:
        methods = connection.recv(65_536)[2:]
        method = 2 if self._login else 0
        if method not in methods:
            connection.sendall(b"\x05\xff")
            return
        connection.sendall(bytes([5, method]))
        if self._login:
            is_known = connection.recv(65_536) == self._login
            connection.sendall(b"\x01\x00" if is_known else b"\x01\x01")
            if not is_known:
                return
        request = connection.recv(65_536)
        connection.sendall(b"\x05\x00\x00\x01\0\0\0\0\0\0")
        forward(connection, int.from_bytes(request[-2:], "big"))


def forward(
    connection: socket.socket,
    port: int,
    drips: threading.Event | None = None,
    passes: threading.Event | None = None,
) -> None:
    """Pass bytes on, both ways, until one side ends; in one thread, because OpenSSL allows no two for a connection."""
    with socket.create_connection(("127.0.0.1", port)) as upstream:
        while True:
            for source in select.select([connection, upstream], [], [])[0]:
                if source is upstream and passes is not None:
                    passes.wait(PATIENCE)
                data = source.recv(65_536)
                if not data:
                    return
                if source is connection:
                    upstream.sendall(data)
                elif drips is None or not drips.is_set():
                    connection.sendall(data)
                else:
                    drip(connection, data)


def drip(connection: socket.socket, data: bytes) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def in_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread
