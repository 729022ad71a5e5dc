"""The embedded Neptun as a context manager: the app on a loopback port, in background threads."""

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, cast

import httpx

from neptun_sdk.dialects import DIALECTS
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox.app import App, InProcessTransport, RecordedRequest
from neptun_sdk.sandbox.gate import Gate
from neptun_sdk.sandbox.http_server import HttpServer
from neptun_sdk.sandbox.resources import Resource
from neptun_sdk.sandbox.state import IMPORT, OWNER, PROJECT, Account, Row


class Sandbox:
    """A Neptun to test against: a real HTTP server on loopback, with everything in memory.

    In the documented dialect it serves the contract: requests, and its own responses, are validated against
    ``openapi.yaml``. It starts with two users. The first owns project 123, and project 789 with import 123 in it, as in
    the published examples. The second owns project 790 with import 124.

    A browser gets the HTTP reference at ``/``; its curl lines work against the sandbox without an edit.

    Every method may be called from many threads at once. Clients in other languages script responses over HTTP:
    ``neptun-sandbox --help`` says how.

    Args:
        dialect: ``documented``, or ``deployed`` for the responses of a server built from Neptun's public source.
        port: The loopback port to listen on; 0 lets the system choose a free one.
        session_cookie: The first user's session; by default a new one is made.
        host_names: Host names to serve beside those of loopback, such as that of a container in a compose file.
            Requests to any other name, and those that a web page of another origin sends, get a 403.

    Attributes:
        session_cookie: The first user's session.
        user_id: The first user's id.
        project_id: The id of the first user's project that has an import.
        import_id: The id of the import in that project.
        accounts: Both users, each with the same four attributes.

    Raises:
        ValueError: ``dialect`` is neither of the two, or ``session_cookie`` is not a valid cookie value.
        RuntimeError: The sandbox does not fit ``openapi.yaml``; the message names the file to change.
    """

    def __init__(
        self,
        dialect: Dialect = "documented",
        *,
        port: int = 0,
        session_cookie: str | None = None,
        host_names: Iterable[str] = (),
    ) -> None:
        if dialect not in DIALECTS:
            raise ValueError(f"dialect must be {' or '.join(map(repr, DIALECTS))}, not {dialect!r}")
        self._app = App(dialect, session_cookie)
        self._gate = Gate(self._app, host_names)
        self._port = port
        self._server: HttpServer | None = None
        self._thread: threading.Thread | None = None
        self.accounts: list[Account] = list(self._app.state.accounts)
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
        return f"http://127.0.0.1:{cast('Any', self._server).bind_addr[1]}"  # cheroot does not say its type

    @property
    def requests(self) -> list[RecordedRequest]:
        """The last 1,000 requests, oldest first. Headers are not recorded, so a record never contains a cookie.

        There are fewer if their bodies together are larger than 16 MiB.
        """
        return self._app.requests()

    def transport(self) -> httpx.BaseTransport:
        """Return the same app in process, to pass as ``transport=``: no sockets or threads, and the same state."""
        return InProcessTransport(self._app)

    def fail_next(
        self,
        status: int | None = 503,
        times: int = 1,
        retry_after: int | None = None,
        *,
        disconnect: bool = False,
        delay: float = 0.0,
    ) -> None:
        """Make the next requests fail, for any path and method.

        Several calls add up. `reset` clears the rest, and so does the end of the ``with``.

        A client retries after a 429, 502, 503 or 504. To see the error, fail more requests than its ``max_retries``,
        or set ``retry_after`` above its ``timeout``.

        Args:
            status: The status of the responses, from 400 to 599; the request changes nothing. None: the request is
                handled as usual, which makes sense with ``disconnect`` or ``delay``.
            times: The number of requests.
            retry_after: Seconds for a ``Retry-After`` header; not sent by default.
            disconnect: Close the connection instead of sending a response. With ``status=None`` an update is applied,
                and its response is lost.
            delay: Seconds to wait before the response is sent, or the connection is closed. The request itself is
                handled at once. ``fail_next(status=None, delay=2)`` responds as usual, but late.

        Raises:
            ValueError: An argument is out of range, or they contradict each other.
        """
        self._app.script.fail_next(status, times, retry_after, disconnect=disconnect, delay=delay)

    def add_project(self, **fields: Any) -> int:
        """Store one more project.

        Args:
            **fields: Its fields, by the names of the contract, or in the deployed dialect by the names there; the rest
                is as in the projects of the start. ``neptun_user_id`` is its owner, by default the first user.

        Returns:
            Its id.

        Raises:
            ValueError: A field does not exist, cannot be chosen, or has a value that the server would not store.
        """
        return self._add(PROJECT, {OWNER: self.user_id, **fields})

    def add_project_import(self, project_id: int, **fields: Any) -> int:
        """Store one more import in a project.

        Args:
            project_id: The id of the project.
            **fields: As for `add_project`; its owner is by default that of the project.

        Returns:
            Its id.

        Raises:
            LookupError: There is no such project.
            ValueError: As for `add_project`.
        """
        owner = self.project(project_id)[OWNER]
        return self._add(IMPORT, {OWNER: owner, **fields, PROJECT.path_id: project_id})

    def project(self, project_id: int) -> dict[str, Any]:
        """Return a copy of a stored project, whoever owns it.

        The fields are those of the contract; in the deployed dialect, the columns of that server.

        Raises:
            LookupError: There is no such project.
        """
        row = self._app.state.rows(PROJECT).get(project_id)
        if row is None:
            raise LookupError(f"there is no project {project_id}")
        return row

    def project_import(self, project_id: int, import_id: int) -> dict[str, Any]:
        """Return a copy of a stored import, as `project` does.

        Raises:
            LookupError: There is no such import in such a project.
        """
        row = self._app.state.rows(IMPORT).get(import_id)
        if row is None or row[PROJECT.path_id] != project_id:
            raise LookupError(f"there is no import {import_id} in project {project_id}")
        return row

    def reset(self) -> None:
        """Restore the initial rows, and clear scripted failures and recorded requests. Sessions stay valid."""
        self._app.reset()

    def __enter__(self) -> Self:
        if self._server is not None:
            raise RuntimeError("this Sandbox is running already")
        server = HttpServer(self._gate, self._port)
        listening: Future[None] = Future()
        # cheroot's threads are daemons if the thread that starts them is one. Otherwise a process that never leaves
        # the `with` could not exit.
        thread = threading.Thread(target=_serve, args=(server, listening), name="neptun-sandbox", daemon=True)
        thread.start()
        listening.result()
        self._server, self._thread = server, thread
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._app.script.clear()
        if self._server is not None and self._thread is not None:
            self._app.stopping.set()
            self._server.stop()
            self._thread.join()
            self._app.stopping.clear()
            self._server = self._thread = None

    def __repr__(self) -> str:
        return f"<Sandbox {'not running' if self._server is None else self.base_url}>"

    def _add(self, resource: Resource, fields: Row) -> int:
        if "id" in fields:
            raise ValueError("id cannot be set: the sandbox assigns it and returns it")
        state = self._app.state
        users = [account.user_id for account in self.accounts]
        with state.lock:
            row = state.new_row(resource, fields)
            problems = self._app.api.row_problems(resource, row)
            if row[OWNER] not in users:
                problems.append(f"{OWNER}: there are only the users {users}")
            if problems:
                raise ValueError(f"this {resource.name} cannot be stored: {'; '.join(problems)}")
            state.add(resource, row)
        return cast("int", row["id"])


def _serve(server: HttpServer, listening: "Future[None]") -> None:
    try:
        server.prepare()
    except BaseException as exc:
        listening.set_exception(exc)
    else:
        listening.set_result(None)
        server.serve()
