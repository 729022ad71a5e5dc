"""NeptunClient: one method per operation of the contract, and the one path that every call takes."""

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from neptun_sdk import dialects
from neptun_sdk._version import __version__
from neptun_sdk.arguments import (
    check_base_url,
    check_dialect,
    check_fields,
    check_id,
    check_max_retries,
    check_timeout,
)
from neptun_sdk.dialects import Dialect
from neptun_sdk.errors import ArgumentError, Call
from neptun_sdk.models import Project, ProjectImport, Resource
from neptun_sdk.session import Session

USER_AGENT = f"neptun-sdk/{__version__} python/{sys.version.split()[0]} httpx/{httpx.__version__}"


class NeptunClient:
    """Updates the projects and project imports of a Neptun user.

    One client serves a whole process: it is safe to use from many threads at once and keeps its connections open.
    Close it with `close` or use it in a ``with`` statement.

    Args:
        session_cookie: The value of the user's ``neptun-session`` cookie, else ``$NEPTUN_SESSION_COOKIE``.
        user_id: The id of that user, else ``$NEPTUN_USER_ID``.
        base_url: The server, such as ``https://host`` or ``https://host/prefix``; else ``$NEPTUN_BASE_URL``, else the
            production server that the contract names.
        dialect: What the server speaks: ``documented`` (the published contract) or ``deployed`` (what a server built
            from Neptun's public source speaks); else ``$NEPTUN_DIALECT``, else ``documented``. Answers are read in
            either.
        timeout: Seconds that a call may take as a whole: every attempt, the waits between them, and reading the answer.
        max_retries: How often a call is sent again after a connection that failed or was lost, or a 429, 502, 503 or
            504; 0 switches this off. Both operations set absolute values, so that sending one twice is safe.
        allow_http: Allow plain http, which anyone on the way can read, to a host that is not loopback.
        transport: The `httpx.BaseTransport` to send with, for tests, custom CAs or own proxies. It stays the caller's
            to close, the proxy variables (``HTTPS_PROXY`` …) do not apply to it, and it may overrun ``timeout`` by the
            length of one operation, because it counts each read anew.

    Raises:
        ArgumentError: An argument, or the environment variable in its place, is missing or cannot be right.
    """

    def __init__(
        self,
        session_cookie: str | None = None,
        user_id: int | None = None,
        *,
        base_url: str | None = None,
        dialect: Dialect | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        allow_http: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            self._session = Session(session_cookie, user_id)
        except ArgumentError as refused:
            raise refused.with_traceback(None) from None  # the frames below hold what was given
        finally:
            del session_cookie  # a traceback that shows local variables must not show it
        url = check_base_url(base_url, allow_http)
        # The generated client and httpcore are loaded with the first client, so that importing the SDK costs little.
        from neptun_sdk.exchange import ENCODINGS, Server
        from neptun_sdk.transport import Transport

        self._server: Server = Server(
            base_url=str(url).rstrip("/"),
            origin=str(url.copy_with(raw_path=b"/")).rstrip("/"),
            headers={"Accept": "application/json", "Accept-Encoding": ", ".join(ENCODINGS), "User-Agent": USER_AGENT},
            dialect=check_dialect(dialect),
            timeout=check_timeout(timeout),
            max_retries=check_max_retries(max_retries),
            transport=Transport(url, allow_http) if transport is None else transport,
        )
        self._owns_server = True
        self._owns_transport = transport is None
        self._closed = False

    def update_project(
        self,
        project_id: int,
        *,
        name: str | None = None,
        description: str | None = None,
        project_type: str | None = None,
        programming_language: str | None = None,
    ) -> Project:
        """Update the details of a project of this user (contract: *Update Project Endpoint*, PATCH).

        Only the fields given are sent and changed: ``None`` leaves a field as it is, ``""`` clears a text. A call that
        returns has been applied, field by field.

        Args:
            project_id: The id of the project, a positive int.
            name: The new name.
            description: The new description.
            project_type: The new type, one of the server's values, such as ``web-site``.
            programming_language: The new main programming language, one of the server's values, such as ``typescript``.

        Returns:
            The project as it is after the update.

        Raises:
            ArgumentError: An argument cannot be right, or no field was given; nothing was sent.
            NeptunConnectionError: No usable answer came back (`NeptunTimeoutError`: not in time).
            StatusError: The server refused or failed; the classes for 400, 401, 403, 404, 429 and 5xx derive from it.
            ResponseError: The answer is outside the contract.
            UpdateNotAppliedError: The server answered 200 without applying every field.
        """
        return self._call(
            Project,
            "update_project",
            {"project_id": project_id},
            {
                "name": name,
                "description": description,
                "project_type": project_type,
                "programming_language": programming_language,
            },
        )

    def update_project_import(
        self,
        project_id: int,
        import_id: int,
        *,
        source_type: str | None = None,
        source_path: str | None = None,
        title: str | None = None,
        description: str | None = None,
    ) -> ProjectImport:
        """Update an import inside a project of this user (contract: *Update Project Import Endpoint*, PUT).

        Only the fields given are sent and changed, although the method is PUT: ``None`` leaves a field as it is, ``""``
        clears a text. A call that returns has been applied, field by field.

        Args:
            project_id: The id of the project, a positive int.
            import_id: The id of the import, a positive int.
            source_type: The new type of the source, one of the server's values, such as ``github``.
            source_path: The new path or identifier of the source; its format must match the source type. GitHub imports
                need appropriate GitHub installation permissions.
            title: The new title.
            description: The new description.

        Returns:
            The import as it is after the update.

        Raises:
            ArgumentError: An argument cannot be right, or no field was given; nothing was sent.
            NeptunConnectionError: No usable answer came back (`NeptunTimeoutError`: not in time).
            StatusError: The server refused or failed; the classes for 400, 401, 403, 404, 429 and 5xx derive from it.
            ResponseError: The answer is outside the contract.
            UpdateNotAppliedError: The server answered 200 without applying every field.
        """
        return self._call(
            ProjectImport,
            "update_project_import",
            {"project_id": project_id, "import_id": import_id},
            {"source_type": source_type, "source_path": source_path, "title": title, "description": description},
        )

    def with_session(self, session_cookie: str | None, user_id: int | None) -> "NeptunClient":
        """Return a client for another user that shares this client's connections and settings.

        Args:
            session_cookie: The other user's cookie, as for `NeptunClient`.
            user_id: The other user's id, as for `NeptunClient`.

        Returns:
            A client of its own. Closing it closes nothing of this one's; closing this one ends both.

        Raises:
            ArgumentError: One of the two is missing or cannot be right.
        """
        other = object.__new__(NeptunClient)
        try:
            other._session = Session(session_cookie, user_id)
        except ArgumentError as refused:
            raise refused.with_traceback(None) from None
        finally:
            del session_cookie
        other._server = self._server
        other._owns_server = other._owns_transport = False
        other._closed = self._closed
        return other

    def close(self) -> None:
        """Close the connections that this client opened; calling it again does nothing."""
        self._closed = True
        if self._owns_server:
            self._server.closed = True
        if self._owns_transport:
            self._server.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_server"):
            return "<NeptunClient, of which an argument was refused>"
        url, dialect = self._server.base_url, self._server.dialect
        return f"NeptunClient(base_url={url!r}, dialect={dialect!r}, session={self._session!r})"

    def _call(
        self, resource: type[Resource], operation: str, ids: Mapping[str, int], given: Mapping[str, str | None]
    ) -> Resource:
        """Check a call's arguments, which nothing is sent without, and make the call."""
        try:
            if self._closed or self._server.closed:
                raise ArgumentError("this client is closed; make a new NeptunClient. Nothing was sent.")
            for name, value in ids.items():
                check_id(name, value)
            fields = check_fields(given)
            for name, text in fields.items():
                if self._session.mask(text) != text:
                    raise ArgumentError(f"{name} holds the session cookie, which is a secret; nothing was sent.")
            if unstorable := dialects.unstorable(resource, self._server.dialect, fields):
                raise ArgumentError(
                    f"{' and '.join(unstorable)} cannot be stored by a server of the deployed dialect, which has no "
                    "such field; leave out what it cannot store. Nothing was sent."
                )
        except ArgumentError as error:
            raise ArgumentError(f"{operation}: {error}", operation=operation) from None
        call = Call(operation, {"user_id": self._session.user_id, **ids}, resource, fields, self._server.dialect)
        return self._server.run(resource, call, self._session)
