"""The server that every contender calls. It does as little as possible: no checks, and one write for each response.

It accepts any method and path. The last number in the path selects the size of the response.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

# Bytes of fields outside the contract, by project id; any other project has none.
RESPONSE_SIZES = {1: 0, 2: 64 * 1024, 3: 1024 * 1024}
CLOSING = 4  # the project whose response closes its connection
NAME = "New name"  # The name of every project. Every contender sends it, so that the SDK can verify the update.

PROJECT = {
    "id": 1,
    "name": NAME,
    "description": "About it",
    "project_type": "web-site",
    "programming_language": "typescript",
    "created_at": "2025-02-16T17:42:11.000Z",
    "updated_at": "2025-02-16T18:42:11.000Z",
    "neptun_user_id": 1,
}


class BenchmarkServer:
    """Run this module in another process, so that the CPU time of the server is not measured.

    Args:
        certificate: A file with a key and its certificate for 127.0.0.1, to serve over TLS.
    """

    def __init__(self, certificate: str = "") -> None:
        self._certificate = certificate

    def __enter__(self) -> Self:
        command = [sys.executable, str(Path(__file__)), self._certificate]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        port = self._process.stdout.readline() if self._process.stdout else ""
        self.base_url = f"{'https' if self._certificate else 'http'}://127.0.0.1:{int(port)}"
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate("")


def response_body(project_id: int) -> bytes:
    """Return a project as JSON, with a list of small objects that fills it up to its size in RESPONSE_SIZES."""
    files: list[dict[str, object]] = []
    size = 0
    while size < RESPONSE_SIZES.get(project_id, 0):
        files.append({"id": len(files), "path": f"src/module_{len(files)}.ts", "lines": 120, "kind": "file"})
        size += len(json.dumps(files[-1])) + 2
    return json.dumps({"project": {**PROJECT, "id": project_id, **({"files": files} if files else {})}}).encode()


def response(project_id: int) -> bytes:
    """Return a whole response: head and body."""
    body = response_body(project_id)
    close = b"Connection: close\r\n" if project_id == CLOSING else b""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n" % (close, len(body))
    return head + body


def serve(connection: socket.socket, responses: dict[int, bytes], tls: ssl.SSLContext | None) -> None:
    """Read requests from a connection and respond to each, until one of the two closes it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is not None:
        connection = tls.wrap_socket(connection, server_side=True)
    received = b""
    while True:
        while (head_end := received.find(b"\r\n\r\n")) < 0:
            chunk = connection.recv(65_536)
            if not chunk:
                return
            received += chunk
        head = received[:head_end]
        content_length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        request_end = head_end + 4 + (int(content_length[1]) if content_length else 0)
        while len(received) < request_end:
            received += connection.recv(65_536)
        received = received[request_end:]
        found = re.search(rb"/projects/(\d+)", head[: head.find(b"\r\n")])
        project_id = int(found[1]) if found else 1
        connection.sendall(responses.get(project_id) or response(project_id))
        if project_id == CLOSING:
            connection.close()
            return


def stop_with_parent(listener: socket.socket) -> None:
    """Stop accepting connections when stdin closes, which it also does if the parent is killed."""
    sys.stdin.read()
    listener.shutdown(socket.SHUT_RDWR)


def main() -> None:
    responses = {project_id: response(project_id) for project_id in (*RESPONSE_SIZES, CLOSING)}
    tls = None
    if sys.argv[1]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=stop_with_parent, args=(listener,), daemon=True).start()
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(connection, responses, tls), daemon=True).start()


if __name__ == "__main__":
    main()
