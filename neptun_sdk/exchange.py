"""One call on the wire: sent, sent again where that helps, read within bounds, and checked before anyone reads it."""

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, NoReturn, cast

import httpx

import neptun_openapi
from neptun_sdk import dialects, errors, models, operations, retries
from neptun_sdk.dialects import Dialect
from neptun_sdk.errors import Call, NeptunError, ResponseError
from neptun_sdk.models import Resource
from neptun_sdk.session import Session
from neptun_sdk.transport import Deadline

MAX_ANSWER = 8 * 1024 * 1024  # bytes; a resource is far smaller, and a caller's memory is not the server's to fill
# Both unpack to about 1,000 times their size at most; other encodings, or two in a row, have no such bound.
ENCODINGS = ("gzip", "deflate")
DEEPEST_ERROR = 100  # levels of an error body's JSON; to pickle or copy an error takes several frames for each
_PACKED_SLICE = 4096  # bytes that are unpacked at once, and so become 4 MiB at most

_log = logging.getLogger("neptun_sdk")


class Server:
    """A server, the connections to it that all sessions share, and how it is called.

    Args:
        base_url: Its address, without a slash at the end.
        origin: The same without a path, for messages.
        transport: The connections.
        headers: What every request says.
        dialect: What is written to it.
        timeout: Seconds that a call may take as a whole.
        max_retries: How often a request is sent again.

    Attributes:
        closed: Whether its client was closed.
    """

    def __init__(
        self,
        base_url: str,
        origin: str,
        transport: httpx.BaseTransport,
        headers: Mapping[str, str],
        dialect: Dialect,
        timeout: float,
        max_retries: int,
    ) -> None:
        self.base_url = base_url
        self.origin = origin
        self.transport = transport
        self.headers = headers
        self.dialect: Dialect = dialect
        self.timeout = timeout
        self.max_retries = max_retries
        self.closed = False
        # Taken once and never given back: of many threads one gets it, and no fork can leave it taken halfway.
        self._warning = threading.Lock()

    def run(self, resource: type[Resource], call: Call, session: Session) -> Resource:
        """Make a call, and return the resource as it is after it; raises what `Exchange` does."""
        return Exchange(resource, call, self, session).run()

    def warn_of_deployed(self) -> None:
        """Say in the log that this server speaks the deployed dialect: once for all threads and sessions."""
        if self._warning.acquire(blocking=False):
            switch = dialects.SWITCH.format("deployed")
            _log.warning("%s speaks the deployed dialect: set %s", self.base_url, switch)


class Exchange(Generic[Resource]):
    """One call of one operation.

    It stands in for the httpx client that a generated function asks for, and of which that uses `request` alone: the
    function builds the request and hands it to `request`, which gives back an answer that the generated reader can read
    without surprises, or raises a `NeptunError`. What belongs to one call is in one object; what calls share is in
    `Server`. Its transport is used without an `httpx.Client` around it: no cookie jar, no redirects, no history that
    could keep a secret.

    Args:
        resource: The class of what the operation returns.
        call: The operation, its ids and the fields to send.
        server: Where to send it.
        session: Whose call it is.
    """

    _answered_in: Dialect  # known once a 200 was decoded

    def __init__(self, resource: type[Resource], call: Call, server: Server, session: Session) -> None:
        self._resource: type[Resource] = resource
        self._call = call
        self._server = server
        self._session = session
        self._end = time.monotonic() + server.timeout

    def run(self) -> Resource:
        """Make the call by way of the generated client, and verify that every field sent is in what came back.

        Raises:
            NeptunError: It was not applied as a whole, or that is not known.
        """
        # The base URL is the server's: that of a generated client counts only where it makes its own httpx client.
        client = neptun_openapi.Client(base_url="").set_httpx_client(cast(httpx.Client, self))
        body = dialects.write(self._resource, self._call.dialect, self._call.fields)
        resource: Resource = operations.update(self._resource, client, self._call.ids, body)
        ignored = {
            name: (sent, cast("str | None", getattr(resource, name)))
            for name, sent in self._call.fields.items()
            if (getattr(resource, name) or "") != sent  # a text that was cleared may come back empty, null or absent
        }
        if ignored:
            raise errors.not_applied(self._call, ignored, resource, self._answered_in)
        return resource

    def request(self, method: str, url: str, *, headers: Mapping[str, str], **parts: Any) -> httpx.Response:
        """Send the request that a generated function built, and return its checked answer.

        Raises:
            NeptunError: Whatever is not a 200 that the contract describes.
        """
        headers = {**self._server.headers, **headers}
        request = httpx.Request(method, self._server.base_url + url, headers=headers, **parts)
        try:
            return self._attempt(request)
        except NeptunError as error:
            if not (self._server.max_retries and self._may_go_on(error)):
                raise
            failed = error
        left = self._end - time.monotonic()
        return retries.try_again(
            lambda: self._attempt(request), failed, self._server.max_retries, left, go_on=self._may_go_on
        )

    def _may_go_on(self, error: BaseException) -> bool:
        return retries.is_passing(error) and not self._server.closed

    def _attempt(self, request: httpx.Request) -> httpx.Response:
        """Send the request once, and read and check its answer."""
        if self._server.closed:
            raise errors.closed(self._call)
        self._call.attempts += 1
        outcome = self._send(request)
        if isinstance(outcome, NeptunError):
            self._call.in_doubt = self._call.in_doubt or outcome.applied is None
            # Raised here, and not where it was made: the frames down there hold what the server sent, as it came.
            raise outcome
        return cast(httpx.Response, outcome)

    def _send(self, request: httpx.Request) -> "_Answer | NeptunError":
        started = time.perf_counter()
        deadline = Deadline(self._end)
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), deadline)
        response: httpx.Response | None = None
        told: object = "no answer"
        signing = self._session.auth_flow(request)
        next(signing)
        try:
            response = self._server.transport.handle_request(request)
            told = response.status_code
            try:
                content = self._read(response, deadline)
            finally:
                response.close()
            return self._check(response, content)
        except httpx.HTTPError as fault:
            told = type(fault).__name__
            self._session.clean(fault)
            status_code = None if response is None else response.status_code
            error = errors.from_fault(self._call, fault, self._server.origin, status_code)
            error.__cause__ = fault
            return error
        except ResponseError as error:
            return error.with_traceback(None)
        finally:
            signing.close()
            elapsed = (time.perf_counter() - started) * 1000
            _log.debug("%s: attempt %d: %s in %.0f ms", self._call, self._call.attempts, told, elapsed)

    def _read(self, response: httpx.Response, deadline: Deadline) -> bytearray:
        """Read a body within the deadline and MAX_ANSWER, whatever it unpacks to."""
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding in ENCODINGS:
            response.stream = _Sliced(cast(httpx.SyncByteStream, response.stream))
        elif encoding not in ("", "identity"):
            problem = f"it is encoded as {self._session.mask(encoding)[:40]!a}, which was not asked for"
            raise errors.bad_body(self._call, response.status_code, problem)
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAX_ANSWER:
                problem = f"it is larger than {MAX_ANSWER // 1024 // 1024} MiB"
                raise errors.bad_body(self._call, response.status_code, problem)
            if deadline.left() <= 0:  # a transport of the caller's own counts each read anew
                raise httpx.ReadTimeout("the time of the call is over")
        return content

    def _check(self, response: httpx.Response, content: bytearray) -> "_Answer | NeptunError":
        if response.status_code != 200:
            headers = self._session.mask(dict(response.headers))
            body = self._decode_error(content)
            return errors.from_answer(self._call, response.status_code, headers, body)
        document, problem = self._decode(content)
        if problem:
            return errors.bad_body(self._call, 200, problem)
        if self._answered_in == "deployed" and self._call.dialect == "documented":
            self._server.warn_of_deployed()
        return _Answer(document)

    def _decode(self, content: bytearray) -> tuple[Any, str | None]:
        """Decode a 200's body and check it from the envelope down to the type of every field."""
        try:
            text = self._session.mask(content.decode("utf-8-sig"))
            document: Any = _STRICT_JSON.decode(text)
            if "\\" in text:
                document = self._session.mask(document)  # an escape may have hidden the cookie
        except (ValueError, RecursionError) as fault:
            return None, f"it is not JSON ({type(fault).__name__})"
        document, self._answered_in = dialects.read(self._resource, document)
        return document, models.first_problem(self._resource, document)

    def _decode_error(self, content: bytearray) -> object:
        """The body of an error: decoded JSON, else text, else ``None`` where it is empty."""
        text = content.decode("utf-8-sig", errors="replace")
        try:
            return self._session.mask(_STRICT_JSON.decode(text), DEEPEST_ERROR) if text.strip() else None
        except (ValueError, RecursionError):
            return self._session.mask(text)


class _Sliced(httpx.SyncByteStream):
    """A packed body in small slices: httpx unpacks each as a whole, however much comes out of it."""

    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            for start in range(0, len(chunk), _PACKED_SLICE):
                yield chunk[start : start + _PACKED_SLICE]

    def close(self) -> None:
        self._stream.close()


class _Answer:
    """A 200 whose JSON is already decoded and checked. Of a response, a generated reader uses these four."""

    status_code = 200
    content = b""
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, document: Any) -> None:
        self._document = document

    def json(self) -> Any:
        return self._document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Python's own decoder takes NaN and Infinity, which JSON does not have.
_STRICT_JSON = json.JSONDecoder(parse_constant=_refuse_constant)
