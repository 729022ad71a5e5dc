"""The replay server: hands out the responses of the vectors, and checks each request on the way.

The value of the session cookie selects the vector (``neptun-session=vector.<id>``), and the number of requests with it
the exchange. `Replay` runs it in a test; ``python replay.py --port 8080`` in the foreground.
"""

import argparse
import json
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from judge import Vector, json_differences, load_vectors, session

COOKIE = "neptun-session"


class Replay:
    """The server, which listens on loopback inside a ``with`` statement."""

    def __init__(self, vectors: Iterable[Vector], *, port: int = 0, verbose: bool = False) -> None:
        self._vectors = {session(vector): vector for vector in vectors}
        self._came: dict[str, list[list[str]]] = {name: [] for name in self._vectors}  # what is wrong with each request
        self._strays: list[str] = []
        self._lock = threading.Lock()
        self._verbose = verbose
        handler = type("Handler", (_Handler,), {"replay": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def base_url(self) -> str:
        """The address, without a slash at the end; requests go to ``/api/…`` below it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def strays(self) -> list[str]:
        """The requests that belong to no vector, such as those without a session cookie."""
        return list(self._strays)

    def differences(self) -> dict[str, list[str]]:
        """Return what is wrong with the requests of each vector, by its id; too few and too many are named too."""
        found: dict[str, list[str]] = {}
        for name, vector in self._vectors.items():
            requests, wanted = self._came[name], len(vector["exchanges"])
            problems = [f"request {number}: {each}" for number, all_ in enumerate(requests, 1) for each in all_]
            if len(requests) != wanted:
                problems.append(f"expected {wanted} requests, got {len(requests)}")
            found[vector["id"]] = problems
        return found

    def respond(self, method: str, target: str, headers: Mapping[str, list[str]], body: bytes) -> Mapping[str, Any]:
        """Check a request, and return the response that its vector has for it."""
        values = cookies(headers).get(COOKIE, [])
        name = values[0] if values else ""
        with self._lock:
            if name not in self._vectors:
                stray = f"{method} {target} with {f'{COOKIE}={name}' if values else f'no cookie {COOKIE}'}"
                self._strays.append(stray)
                self._print(stray)
                return _refusal(401, f"There is no vector for {stray}")
            vector, came = self._vectors[name], self._came[name]
            exchanges = vector["exchanges"][len(came) :]
            problems = (
                _request_differences(exchanges[0]["expect"], name, method, target, headers, body) if exchanges else []
            )
            came.append(problems)
        self._print(f"{vector['id']}: {method} {target}", *(problems if exchanges else ["too many requests"]))
        return exchanges[0]["response"] if exchanges else _refusal(500, "The vector has no more exchanges")

    def _print(self, *lines: str) -> None:
        if self._verbose:
            print("\n    ".join(lines), flush=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def cookies(headers: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the cookies of a request, by name: all values of each."""
    found: dict[str, list[str]] = {}
    for pair in ";".join(headers.get("cookie", [])).split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            found.setdefault(name, []).append(value)
    return found


def _request_differences(
    expect: Vector, name: str, method: str, target: str, headers: Mapping[str, list[str]], body: bytes
) -> list[str]:
    problems = json_differences(expect["method"], method, "method") + json_differences(expect["path"], target, "path")
    for header, value in expect.get("headers", {}).items():
        wanted, sent = (value or "").replace("$SESSION", name), ", ".join(headers.get(header, []))
        if not _header_fits(header, wanted, sent):
            problems.append(f"header {header}: expected {wanted or 'nothing'}, got {sent or 'nothing'}")
    came = cookies(headers)
    for cookie, value in expect.get("cookies", {}).items():
        problems += json_differences([value.replace("$SESSION", name)], came.get(cookie, []), f"cookie {cookie}")
    if "json" in expect:
        try:
            problems += json_differences(expect["json"], json.loads(body.decode()), "json")
        except ValueError:
            problems.append(f"json: the body is not JSON in UTF-8: {body[:200]!r}")
    return problems


def _header_fits(header: str, expected: str, sent: str) -> bool:
    """Compare a header: a Content-Type without its parameters, and an Accept by whether it admits the media type."""
    types = [part.partition(";")[0].strip().lower() for part in sent.split(",")]
    if header == "content-type":
        return types == [expected]
    if header == "accept":
        return bool({expected, f"{expected.partition('/')[0]}/*", "*/*"}.intersection(types))
    return sent == expected


def _refusal(status: int, message: str) -> Mapping[str, Any]:
    return {"status": status, "json": {"statusCode": status, "message": message}}


class _Handler(BaseHTTPRequestHandler):
    replay: Replay
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet
    timeout = 60  # seconds that an idle connection stays open

    def _handle(self) -> None:
        headers = {name.lower(): self.headers.get_all(name, []) for name in self.headers}
        response = self.replay.respond(self.command, self.path, headers, self._body())
        if response.get("disconnect"):
            self.close_connection = True
            return
        content = json.dumps(response["json"], ensure_ascii=False) if "json" in response else response.get("body", "")
        sent = {"Content-Type": "application/json"} if "json" in response else {}
        sent |= {name.title(): value for name, value in response.get("headers", {}).items()}
        self.send_response(response["status"])
        if response["status"] != 204:  # which has neither a body nor its length
            sent["Content-Length"] = str(len(content.encode()))
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content.encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def log_message(self, *_: Any) -> None:
        """Write nothing: the requests are in the report."""


def main() -> None:
    """Serve the vectors until Ctrl-C, and print each request with what is wrong with it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=8080)
    with Replay(load_vectors(), port=parser.parse_args().port, verbose=True) as replay:
        print(f"NEPTUN_BASE_URL={replay.base_url}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
