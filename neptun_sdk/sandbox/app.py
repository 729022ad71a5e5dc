"""The embedded Neptun as a WSGI app: the API of one dialect, scripted responses, and a record of requests."""

import errno
import inspect
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx
from werkzeug.wrappers import Request, Response

from neptun_sdk._contract import CONTRACT
from neptun_sdk._version import __version__
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox.api import Api, decode_json, json_response
from neptun_sdk.sandbox.deployed import DeployedApi
from neptun_sdk.sandbox.documented import DocumentedApi
from neptun_sdk.sandbox.gate import refused
from neptun_sdk.sandbox.reference import page
from neptun_sdk.sandbox.script import Script, Step
from neptun_sdk.sandbox.spec import load_spec
from neptun_sdk.sandbox.state import State

MAX_REQUESTS = 1_000  # how many are remembered
MAX_RECORDED = 16 * 1024 * 1024  # bytes of their bodies
CONTROL = "/_sandbox"
READ_TIMEOUT = "neptun_sandbox.read_timeout"  # in the WSGI environment: the seconds that the caller waits

# The reference needs nothing more, and no other site may embed it: it contains a session.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
# Any other response, scripted ones included, runs nothing in a browser.
_INERT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_NOTES: Mapping[Dialect, str] = {
    "documented": "This is an embedded Neptun: the curl lines below work without an edit. For the Python, first set "
    "the variables that `neptun-sandbox` prints. They change only its state in memory.",
    "deployed": "This is an embedded Neptun that responds as a **deployed** server does. It differs from this page: a "
    "project's fields are named `type` and `main_language`, an import has no `title` and no `description`, a resource "
    "comes without an envelope, and errors have other bodies and statuses.",
}

_APIS: Mapping[Dialect, type[Api]] = {api.dialect: api for api in (DocumentedApi, DeployedApi)}


class Disconnected(ConnectionResetError):
    """Close the connection without a response: cheroot does so for an exception of this type."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "closed without a response")


class WaitedTooLong(TimeoutError):
    """The response takes longer than the caller in this process waits."""


@dataclass(frozen=True)
class RecordedRequest:
    """A request that the sandbox received.

    Attributes:
        method: Its method, such as ``PATCH``.
        path: Its path, decoded, without a query.
        body: Its body: decoded if it is JSON, else as text; None if it is empty.
        status: The status of the response; None if the connection was closed without one.
    """

    method: str
    path: str
    body: Any
    status: int | None


class _Record(deque[tuple[str, str, bytes, int | None]]):
    """The newest requests, with their bodies as bytes: decoded, they need more memory."""

    def append(self, request: tuple[str, str, bytes, int | None], /) -> None:
        super().append(request)
        while len(self) > MAX_REQUESTS or (len(self) > 1 and sum(len(each[2]) for each in self) > MAX_RECORDED):
            self.popleft()


class App:
    """A WSGI app that speaks one dialect. It may be called from many threads at once.

    Args:
        dialect: Which one.
        session_cookie: The first user's session; None makes one.
    """

    def __init__(self, dialect: Dialect, session_cookie: str | None = None) -> None:
        self.api: Api = _APIS[dialect](session_cookie)
        self.state: State = self.api.state
        self.script: Script = Script()
        self._lock = threading.Lock()
        self._requests = _Record()
        self.stopping: threading.Event = threading.Event()  # ends every delay
        self._controls: Mapping[tuple[str, str], Callable[..., object]] = {
            ("POST", "fail-next"): self.script.fail_next,
            ("POST", "respond"): self.script.respond,
            ("POST", "reset"): self.reset,
            ("GET", "requests"): lambda: [vars(request) for request in self.requests()],
            ("GET", ""): lambda: {"version": __version__, "dialect": dialect, "contract": CONTRACT},
        }

    def reset(self) -> None:
        """Restore the initial state."""
        self.script.clear()
        self.state.reset()
        with self._lock:
            self._requests.clear()

    def requests(self) -> list[RecordedRequest]:
        """Return the recorded requests, oldest first."""
        with self._lock:
            newest = list(self._requests)
        return [RecordedRequest(method, path, _decoded(content), status) for method, path, content, status in newest]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # Break the cycle request → environment → request, to free the body now.
        request = Request(environ, populate_request=False)
        if _is_browser_at_root(request):
            return self._reference(request)(environ, start_response)
        is_control = f"{request.path}/".startswith(f"{CONTROL}/")
        response = self._control(request) if is_control else self._respond(request)
        response.headers.update(_INERT_HEADERS)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        """Respond to a request to the API, or as scripted."""
        content = request.get_data()
        step = self.script.take()
        response = self.api.respond(request) if step.status is None else self._scripted(request, step, step.status)
        status = None if step.disconnect else response.status_code
        # Record before the response is sent: a client that has it must find its request in the record.
        with self._lock:
            self._requests.append((request.method, request.path, content, status))
        self._wait(step.delay, request.environ.get(READ_TIMEOUT))
        if step.disconnect:
            raise Disconnected
        return response

    def _scripted(self, request: Request, step: Step, status: int) -> Response:
        if step.content is not None:
            response = Response(step.content, status)
            # Remove the type that werkzeug adds.
            response.headers.clear()
        else:
            response = self.api.fail(request, status)
        response.headers.update(step.headers)
        return response

    def _wait(self, delay: float, timeout: float | None) -> None:
        if timeout is not None and delay > timeout:
            self.stopping.wait(timeout)
            raise WaitedTooLong
        self.stopping.wait(delay)

    def _reference(self, request: Request) -> Response:
        """Return the HTTP reference. Its curl lines work against this sandbox without an edit."""
        dialect = self.api.dialect
        text = page(
            load_spec(),
            base_url=request.host_url,
            session_cookie=self.state.accounts[0].session_cookie,
            note=_NOTES[dialect],
        )
        return Response(text, content_type="text/html; charset=utf-8", headers=_PAGE_HEADERS)

    def _control(self, request: Request) -> Response:
        """Respond to a request to the sandbox itself."""
        name = request.path.removeprefix(CONTROL).removeprefix("/")
        allowed = [method for method, known in self._controls if known == name]
        if not allowed:
            names = ", ".join(f"{method} {CONTROL}/{known}".removesuffix("/") for method, known in self._controls)
            return refused(404, f"there is no {request.path}, only {names}")
        if request.method not in allowed:
            return refused(405, f"{request.path} takes {allowed[0]} only", {"Allow": allowed[0]})
        content = request.get_data()
        # A web page of another site can send the other types without a CORS preflight.
        if (content or request.mimetype) and request.mimetype != "application/json":
            return refused(415, f"{request.path} takes application/json only: send it as the Content-Type")
        try:
            control = self._controls[request.method, name]
            result = control(**_arguments(control, decode_json(content or b"{}")))
        except ValueError as exc:
            return refused(400, str(exc))
        return json_response({"ok": True} if result is None else result)


def _is_browser_at_root(request: Request) -> bool:
    """Tell a browser from a client of the API, which gets a 404 at ``/``."""
    asks_for_html = "text/html" in request.accept_mimetypes.values()
    return request.path == "/" and request.method in ("GET", "HEAD") and asks_for_html


class InProcessTransport(httpx.BaseTransport):
    """The app without a socket. A connection that would fail is an exception, as from a real transport."""

    def __init__(self, app: App) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        timeout = request.extensions.get("timeout", {}).get("read")

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            target = request.url.raw_path.decode("ascii")
            return self._app({**environ, "REQUEST_URI": target, READ_TIMEOUT: timeout}, start_response)

        try:
            return httpx.WSGITransport(app=app).handle_request(request)
        except Disconnected as exc:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request) from exc
        except WaitedTooLong as exc:
            raise httpx.ReadTimeout("timed out", request=request) from exc


def _arguments(control: Callable[..., object], options: object) -> dict[str, Any]:
    """Return the arguments of a control request from its decoded body."""
    if not isinstance(options, dict):
        raise ValueError("the body must be a JSON object")
    arguments = cast("dict[str, Any]", options)
    known = inspect.signature(control).parameters
    for name in arguments:
        if name not in known:
            raise ValueError(f"there is no {name!r}, only {', '.join(known) or 'an empty object'}")
    return arguments


def _decoded(content: bytes) -> Any:
    if not content:
        return None
    try:
        return decode_json(content)
    except ValueError:
        return content.decode("utf-8", "replace")
