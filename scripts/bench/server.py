"""The tiny server that everything is measured against: a process of its own, one write an answer, nothing checked.

It answers any method and any path; the last number in the path says how large the answer is.
"""

import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

SIZES = {1: 0, 2: 64 * 1024, 3: 1024 * 1024}  # bytes of fields outside the contract, by project id
NAME = "New name"  # every project is called so, and so every contender sets this name

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


def body(project_id: int) -> bytes:
    """The 200 for a project: small, or with a list of small objects that make it as large as SIZES says."""
    more: list[dict[str, object]] = []
    size = 0
    while size < SIZES[project_id]:
        more.append({"id": len(more), "path": f"src/module_{len(more)}.ts", "lines": 120, "kind": "file"})
        size += len(json.dumps(more[-1])) + 2
    return json.dumps({"project": {**PROJECT, "id": project_id, **({"files": more} if more else {})}}).encode()


def serve(connection: socket.socket, answers: dict[int, bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    taken = b""
    while True:
        while (end := taken.find(b"\r\n\r\n")) < 0:
            part = connection.recv(65_536)
            if not part:
                return
            taken += part
        head = taken[:end]
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        rest = end + 4 + (int(length[1]) if length else 0)
        while len(taken) < rest:
            taken += connection.recv(65_536)
        taken = taken[rest:]
        number = re.search(rb"/projects/(\d+)", head[: head.find(b"\r\n")])
        connection.sendall(answers[int(number[1]) if number else 1])


def main() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    answers = {project_id: head % len(content) + content for project_id in SIZES for content in [body(project_id)]}
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=end_with_parent, args=(listener,), daemon=True).start()
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(connection, answers), daemon=True).start()


def end_with_parent(listener: socket.socket) -> None:
    sys.stdin.read()  # ends when the process that measures does, however it ends
    listener.shutdown(socket.SHUT_RDWR)


class TinyServer:
    """Runs this module as a process of its own, so that its work is not measured."""

    def __enter__(self) -> Self:
        command = [sys.executable, str(Path(__file__))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        said = self._process.stdout.readline() if self._process.stdout else ""
        self.base_url = f"http://127.0.0.1:{int(said)}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate("")


if __name__ == "__main__":
    main()
