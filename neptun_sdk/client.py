"""NeptunClient: one method per operation of the contract."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypedDict, Unpack, cast

import httpx

from neptun_sdk.arguments import (
    Settings,
    check_base_url,
    check_headers,
    environment,
)
from neptun_sdk.errors import ArgumentError, NeptunError
from neptun_sdk.models import Dialect, ProgrammingLanguage, Project, ProjectImport, ProjectType, ResultT, SourceType
from neptun_sdk.session import NO_SESSION, Session

if TYPE_CHECKING:
    from neptun_sdk.operations import Operation


class _Settings(TypedDict, total=False):
    """The keywords of `NeptunClient`, for the type of `NeptunClient.shared`."""

    base_url: str | None
    dialect: Dialect | None
    timeout: float
    max_retries: int
    max_response_size: int
    allow_http: bool
    headers: Mapping[str, str] | None
    ssl_context: ssl.SSLContext | None
    proxy: str | None
    transport: httpx.BaseTransport | None


_NO_SESSION: Any = object()


class NeptunClient:
    """Updates the projects and project imports of a Neptun user.

    One client serves a whole process: it is safe to use from many threads at once and keeps its connections open.
    Close it with `close` or use it in a ``with`` statement.

    Args:
        session_cookie: The value of the user's ``neptun-session`` cookie, else ``$NEPTUN_SESSION_COOKIE``.
        user_id: The id of that user, else ``$NEPTUN_USER_ID``.
        base_url: The server, such as ``https://host`` or ``https://host/prefix``; else ``$NEPTUN_BASE_URL``, else the
            production server that the contract names.
        dialect: The dialect of requests: ``documented`` (the published contract) or ``deployed`` (the names that a
            server built from Neptun's public source knows); else ``$NEPTUN_DIALECT``, else ``documented``. Responses
            are read in either dialect.
        timeout: The seconds that the whole call may take: every attempt, the waits between them, and reading the
            response.
        max_retries: How often a request is sent again after a connection that failed or broke, or a 429, 502, 503 or
            504; 0 switches this off. Both operations are idempotent, so sending one twice is safe.
        max_response_size: The largest response that is read, in bytes as decompressed.
        allow_http: Allow plain http, which anyone on the way can read, to a host that is not loopback.
        headers: Headers that are sent with each request, such as a gateway's key; else ``$NEPTUN_HEADERS``, one
            ``Name: value`` a line. Their values are masked as the cookie is.
        ssl_context: The TLS context, for own CAs, truststore or client certificates; else httpx's, with
            ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``.
        proxy: The URL of a proxy (``http``, ``https`` or ``socks5``), used for loopback too; else the one that
            ``HTTPS_PROXY``, ``HTTP_PROXY`` or ``ALL_PROXY`` names.
        transport: The `httpx.BaseTransport` to send with, for tests and mocks, in place of ``ssl_context`` and
            ``proxy``. The caller closes it. It may overrun ``timeout``, because its timeouts restart with each read.

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
        max_response_size: int = 16 * 1024 * 1024,
        allow_http: bool = False,
        headers: Mapping[str, str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        checked: Mapping[str, str] = {}
        try:
            checked = check_headers(headers)
            shared = session_cookie is _NO_SESSION
            self._session = None if shared else Session.from_environment(session_cookie, user_id, checked)
            url = check_base_url(base_url, allow_http=allow_http)
            if not (ssl_context is None or isinstance(ssl_context, ssl.SSLContext)):
                raise ArgumentError(f"ssl_context must be an ssl.SSLContext, not {type(ssl_context).__name__}.")
            if not (transport is None or isinstance(transport, httpx.BaseTransport)):
                raise ArgumentError(f"transport must be an httpx.BaseTransport, not {type(transport).__name__}.")
            if transport is not None and not (ssl_context is None and proxy is None):
                raise ArgumentError("transport excludes ssl_context and proxy: it makes its own connections.")
            self._settings = Settings(
                base_url=str(url).rstrip("/"),
                origin=str(url.copy_with(raw_path=b"/")).rstrip("/"),
                dialect=dialect
                if dialect is not None
                else cast("Dialect", environment("NEPTUN_DIALECT") or "documented"),
                timeout=timeout,
                max_retries=max_retries,
                max_response_size=max_response_size,
                headers=checked,
            )
            # The generated client and httpcore are loaded with the first client, so that importing the SDK costs
            # little. A call imports nothing: an interrupt within an import can leave its lock taken, so that all other
            # calls hang.
            from neptun_sdk._http.connections import Connections
            from neptun_sdk.call import run
            from neptun_sdk.operations import Operations

            self._operations, self._run = Operations, run
            problem = ""
            try:
                self._connections = Connections(
                    url, allow_http=allow_http, ssl_context=ssl_context, proxy=proxy, transport=transport
                )
            except ValueError as exc:
                problem = str(exc)
            if problem:
                raise ArgumentError(problem)  # not above, where exceptions whose frames hold the URL were its context
        except ArgumentError as error:
            raise error.with_traceback(None) from None  # the frames below hold the arguments
        finally:
            # A traceback that shows local variables must not show a secret; the URL of a proxy may hold a password.
            del session_cookie, headers, checked, proxy
        self._owns_connections = True
        self._is_closed = False

    @classmethod
    def shared(cls, **settings: Unpack[_Settings]) -> Self:
        """Make a client without a session, for a service that acts for its users only.

        It makes no calls: `with_session` returns a client that makes them, on the same connections. Neither reads
        ``$NEPTUN_SESSION_COOKIE`` or ``$NEPTUN_USER_ID``, so a request acts as its own user only.

        Args:
            settings: The keywords of `NeptunClient` from ``base_url`` on.

        Raises:
            ArgumentError: An argument, or the environment variable in its place, cannot be right.
        """
        return cls(_NO_SESSION, **settings)

    def update_project(
        self,
        project_id: int,
        *,
        name: str | None = None,
        description: str | None = None,
        project_type: ProjectType | None = None,
        programming_language: ProgrammingLanguage | None = None,
    ) -> Project:
        """Update the details of a project of this user (contract: *Update Project Endpoint*, PATCH).

        Only the fields given are sent and changed: ``None`` leaves a field as it is, ``""`` clears a text. When the
        call returns, every field sent has come back as it was sent.

        Args:
            project_id: The id of the project, a positive int.
            name: The new name.
            description: The new description.
            project_type: The new type, one of the server's values, such as ``web-site``.
            programming_language: The new main programming language, one of the server's values, such as ``typescript``.

        Returns:
            The project as the server returned it. A deployed server stores a later ``updated_at`` just afterwards.

        Raises:
            ArgumentError: An argument cannot be right, or no field was given; nothing was sent.
            NeptunConnectionError: No usable response came back (`NeptunTimeoutError`: not in time).
            StatusError: The server refused or failed; the classes for 400, 401, 403, 404, 429 and 5xx derive from it.
            ResponseError: The response is outside the contract.
            UpdateNotVerifiedError: The server returned 200, but a field came back different.
        """
        return self._call(self._operations.UPDATE_PROJECT, locals())

    def update_project_import(
        self,
        project_id: int,
        import_id: int,
        *,
        source_type: SourceType | None = None,
        source_path: str | None = None,
        title: str | None = None,
        description: str | None = None,
    ) -> ProjectImport:
        """Update an import inside a project of this user (contract: *Update Project Import Endpoint*, PUT).

        Only the fields given are sent and changed, although the method is PUT: ``None`` leaves a field as it is, ``""``
        clears a text. When the call returns, every field sent has come back as it was sent.

        Args:
            project_id: The id of the project, a positive int.
            import_id: The id of the import, a positive int.
            source_type: The new type of the source, one of the server's values, such as ``github``.
            source_path: The new path or identifier of the source; its format must match the source type. GitHub imports
                need appropriate GitHub installation permissions.
            title: The new title.
            description: The new description.

        Returns:
            The import as the server returned it. A deployed server stores a later ``updated_at`` just afterwards.

        Raises:
            ArgumentError: An argument cannot be right, or no field was given; nothing was sent.
            NeptunConnectionError: No usable response came back (`NeptunTimeoutError`: not in time).
            StatusError: The server refused or failed; the classes for 400, 401, 403, 404, 429 and 5xx derive from it.
            ResponseError: The response is outside the contract.
            UpdateNotVerifiedError: The server returned 200, but a field came back different.
        """
        return self._call(self._operations.UPDATE_PROJECT_IMPORT, locals())

    def with_session(self, session_cookie: str, user_id: int) -> Self:
        """Return a client for another user, on the same connections and with the same settings.

        Closing it leaves this client's connections open; closing this client ends both.

        Args:
            session_cookie: The other user's cookie; never taken from the environment.
            user_id: The other user's id; never taken from the environment.

        Raises:
            ArgumentError: One of the two is missing or cannot be right.
        """
        try:
            return self._derive(_session=Session(session_cookie, user_id, self._settings.headers))
        except ArgumentError as error:
            raise error.with_traceback(None) from None
        finally:
            del session_cookie

    def with_options(
        self,
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
        resend: bool | None = None,
    ) -> Self:
        """Return a client for the same user, on the same connections, with other settings.

        Closing it leaves this client's connections open; closing this client ends both.

        Args:
            timeout: The seconds that the whole call may take; ``None`` keeps the setting.
            max_retries: How often a request is sent again; ``None`` keeps the setting.
            headers: Headers that are added to this client's, or replace those of the same name.
            resend: Retry operations that are not idempotent too, such as one that creates, although that may apply
                them twice. ``None`` keeps the setting. Both present operations are idempotent.

        Raises:
            ArgumentError: One of them cannot be right.
        """
        given = {"timeout": timeout, "max_retries": max_retries, "resend": resend}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        session = self._session
        try:
            if headers is not None:
                changes["headers"] = {**self._settings.headers, **check_headers(headers)}
                session = session and session.with_headers(changes["headers"])
            return self._derive(_settings=replace(self._settings, **changes), _session=session)
        except ArgumentError as error:
            raise error.with_traceback(None) from None
        finally:
            del headers, changes

    def close(self) -> None:
        """Close the connections that this client opened; calling it again does nothing."""
        self._is_closed = True
        if self._owns_connections:
            self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_connections"):
            return f"<{type(self).__name__}, whose arguments were refused>"
        url, dialect = self._settings.base_url, self._settings.dialect
        return f"{type(self).__name__}(base_url={url!r}, dialect={dialect!r}, session={self._session!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a NeptunClient is not pickled or copied, because it holds a session and connections; make one in each "
            "process, or use with_options()"
        )

    def _derive(self, **changes: object) -> Self:
        """Make a client from this one: the only way in which connections come to be shared."""
        derived = self.__new__(type(self))
        vars(derived).update(vars(self), _owns_connections=False, **changes)
        return derived

    def _call(self, operation: Operation[ResultT], arguments: Mapping[str, Any]) -> ResultT:
        """Make the call of a method; ``arguments`` are its own ``locals()``, so that no parameter can be forgotten."""
        session = self._session
        try:
            result = self._run(
                operation, arguments, self._settings, self._connections, session, is_closed=self._is_closed
            )
        except BaseException as exc:
            # Such as KeyboardInterrupt, which can be raised anywhere, or an exception of a caller's transport: also a
            # `NeptunError`, which is another call's.
            if session is not None:
                session.release(exc)
            self._connections.reset()
            raise
        if not isinstance(result, NeptunError):
            return result
        try:
            raise result
        finally:
            del result  # which holds this frame by its traceback


def parts_of(client: NeptunClient) -> tuple[Settings, Session]:
    """Return how a client calls its server, and for whom; raise `ArgumentError` if it has no session."""
    settings, session = client._settings, client._session  # pyright: ignore[reportPrivateUsage] - of this module
    if session is None:
        raise ArgumentError(NO_SESSION)
    return settings, session
