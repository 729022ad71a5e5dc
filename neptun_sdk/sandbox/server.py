"""The embedded Neptun as a context manager: the app on a loopback port, in a thread of its own."""

import threading
from types import TracebackType
from typing import Any, Self, cast

import httpx
from cheroot.wsgi import Server

from neptun_sdk.dialects import DIALECTS, Dialect
from neptun_sdk.sandbox.app import App
from neptun_sdk.sandbox.state import Account


class Sandbox:
    """A Neptun to test against: a real HTTP server on loopback, with everything in memory.

    In the documented dialect it serves the contract: requests and its own answers are validated against
    ``openapi.yaml``. It starts with two users, who have a project and an import each; a new sandbox starts anew.

    Args:
        dialect: ``documented``, or ``deployed`` for what a server built from Neptun's public source really answers.
        port: The loopback port to listen on; 0 lets the system choose a free one.

    Attributes:
        session_cookie: The first user's session.
        user_id: The first user's id.
        project_id: The id of the first user's project.
        import_id: The id of the import in that project.
        accounts: Both users, each with the same four attributes.
    """

    def __init__(self, dialect: Dialect = "documented", *, port: int = 0) -> None:
        if dialect not in DIALECTS:
            raise ValueError(f"dialect must be {' or '.join(map(repr, DIALECTS))}, not {dialect!r}")
        self._app = App(dialect)
        self._port = port
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self.accounts: list[Account] = self._app.state.accounts
        first = self.accounts[0]
        self.session_cookie: str = first.session_cookie
        self.user_id: int = first.user_id
        self.project_id: int = first.project_id
        self.import_id: int = first.import_id

    @property
    def base_url(self) -> str:
        """The address to pass as ``base_url=``.

        Raises:
            RuntimeError: The sandbox is not running; use it in a ``with`` statement.
        """
        if self._server is None:
            raise RuntimeError("this Sandbox is not running; use it as `with Sandbox() as neptun: …`")
        _, port = cast(Any, self._server).bind_addr  # cheroot does not say its type
        return f"http://127.0.0.1:{port}"

    def transport(self) -> httpx.BaseTransport:
        """The same app in process, to pass as ``transport=``: no socket, no thread, the same state."""
        return httpx.WSGITransport(app=self._app)

    def fail_next(self, status: int = 503, times: int = 1, retry_after: int | None = None) -> None:
        """Answer the next requests with an error, whatever they ask for, and without applying them.

        A client sends a request again after a 429, 502, 503 or 504: to see the error of one, answer so more often than
        its ``max_retries``, or ask it to wait longer than its ``timeout``.

        Args:
            status: The status of the answers, from 400 to 599.
            times: How many requests to answer so.
            retry_after: Seconds for a ``Retry-After`` header; none is sent by default.

        Raises:
            ValueError: An argument is out of range.
        """
        self._app.fail_next(status, times, retry_after)

    def __enter__(self) -> Self:
        if self._server is not None:
            raise RuntimeError("this Sandbox is running already")
        server = Server(("127.0.0.1", self._port), self._app, numthreads=8, server_name="127.0.0.1", shutdown_timeout=1)
        server.expiration_interval = 0.05  # seconds between looks at whether to stop
        server.prepare()
        self._thread = threading.Thread(target=server.serve, name="neptun-sandbox", daemon=True)
        self._thread.start()
        self._server = server
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
            self._server = self._thread = None

    def __repr__(self) -> str:
        where = self.base_url if self._server is not None else "not running"
        return f"<Sandbox {where}>"
