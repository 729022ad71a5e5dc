"""A Neptun that keeps the headers of every request, which the embedded one does not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.conftest import PROJECT

BREAK = 0  # in place of a status: close the connection without a response


class RecordingServer(ThreadingHTTPServer):
    """Returns the scripted statuses in turn, then 200 for every update of a project.

    Attributes:
        requests: The headers of each request, in pairs, with the names in lower case.
    """

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.requests: list[list[tuple[str, str]]] = []
        self.base_url = f"http://127.0.0.1:{self.server_port}"

    def values(self, name: str) -> list[list[str]]:
        """Return the values of a header, one list for each request."""
        return [[value for key, value in headers if key == name] for headers in self.requests]


@contextmanager
def recording_server(*statuses: int) -> Iterator[RecordingServer]:
    """Run a `RecordingServer` in a thread."""
    with RecordingServer(*statuses) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RecordingServer

    def do_PATCH(self) -> None:
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append([(name.lower(), value) for name, value in self.headers.items()])
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == BREAK:
            self.close_connection = True
            return
        project = {**PROJECT, "id": int(self.path.rsplit("/", 1)[1]), **fields}
        error = {"error": True, "statusCode": status, "message": "scripted"}
        body = json.dumps({"project": project} if status == 200 else error).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Print nothing."""
