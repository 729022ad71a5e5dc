"""One call on the wire: sent, read within bounds, logged, and checked against the contract before anyone reads it."""

import contextlib
import json
import logging
import threading
import time
from typing import Any, Generic, NoReturn, cast

import attrs
import httpx

import neptun_openapi
from neptun_sdk import dialects, errors, models
from neptun_sdk.dialects import Dialect
from neptun_sdk.errors import Call
from neptun_sdk.models import Resource
from neptun_sdk.session import Session

MAX_ANSWER = 8 * 1024 * 1024  # bytes; a resource is far smaller, and a caller's memory is not the server's to fill

_log = logging.getLogger("neptun_sdk")


@attrs.define
class Server:
    """A server, and the connections to it that all sessions share.

    Attributes:
        http: The connections.
        dialect: What is written to it.
    """

    http: httpx.Client
    dialect: Dialect
    _warned: bool = attrs.field(default=False, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def warn_of_deployed(self) -> None:
        """Say in the log that this server speaks the deployed dialect: once for all threads and sessions."""
        with self._lock:
            warned, self._warned = self._warned, True
        if not warned:
            switch = dialects.SWITCH.format("deployed")
            _log.warning("%s speaks the deployed dialect: set %s", self.http.base_url, switch)


class Exchange(Generic[Resource]):
    """One call of one operation.

    It stands in for the httpx client that a generated function asks for: the function builds the request and hands it
    to `request`, which gives back an answer that the generated reader can read without surprises, or raises a
    `NeptunError`. So one shared `httpx.Client` serves every session, and what belongs to one call is in one object.

    Args:
        resource: The class of what the operation returns.
        call: The operation, its ids and the fields to send.
        server: Where to send it.
        session: Whose call it is.
    """

    def __init__(self, resource: type[Resource], call: Call, server: Server, session: Session) -> None:
        self._resource: type[Resource] = resource
        self._call = call
        self._server = server
        self._http = server.http
        self._session = session
        self._answered_in: Dialect = call.dialect

    def body(self) -> dict[str, str]:
        """The fields to send, under the names of the server's dialect."""
        return dialects.write(self._resource, self._call.dialect, self._call.fields)

    def client(self) -> neptun_openapi.Client:
        """The client to hand to a generated function. Of an httpx client, that function uses ``request`` alone."""
        # The base URL is the shared client's: that of a generated client counts only where it makes its own.
        return neptun_openapi.Client(base_url="").set_httpx_client(cast(httpx.Client, self))

    def request(self, method: str, url: str, **parts: Any) -> httpx.Response:
        """Send the request that a generated function built, and return its checked answer.

        Raises:
            NeptunError: Whatever is not a 200 that the contract describes.
        """
        request = self._http.build_request(method, url, **parts)
        started = time.perf_counter()
        response: httpx.Response | None = None
        try:
            response = self._http.send(request, auth=self._session, stream=True)
            with contextlib.closing(response):
                content = self._read(response)
        except httpx.HTTPError as fault:
            status_code = response.status_code if response is not None else None
            self._log(status_code or type(fault).__name__, started)
            origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
            raise errors.from_fault(self._call, fault, origin, status_code) from fault
        self._log(response.status_code, started)
        if response.status_code != 200:
            body = _decode_error_body(self._session.mask(content.decode(errors="replace")))
            headers = {**response.headers, "location": response.extensions.get("location", "")}
            raise errors.from_answer(self._call, response.status_code, headers, body)
        return _Answer(self._decode(content))

    def finish(self, generated: object) -> Resource:
        """Turn what the generated function read into the resource, and verify that every field sent is in it.

        Raises:
            UpdateNotAppliedError: At least one field came back different.
        """
        resource: Resource = models.from_generated(self._resource, generated)
        ignored = {
            name: (sent, cast("str | None", getattr(resource, name)))
            for name, sent in self._call.fields.items()
            if (getattr(resource, name) or "") != sent  # a text that was cleared may come back empty, null or absent
        }
        if ignored:
            raise errors.not_applied(self._call, ignored, resource, self._answered_in)
        return resource

    def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAX_ANSWER:
                problem = f"it is larger than {MAX_ANSWER // 1024 // 1024} MiB"
                raise errors.bad_body(self._call, response.status_code, problem)
        return bytes(content)

    def _decode(self, content: bytes) -> Any:
        """Decode a 200's body and check it from the envelope down to the type of every field."""
        document: Any = None
        try:
            document = _STRICT_JSON.decode(content.decode("utf-8-sig"))
            document, self._answered_in = dialects.read(self._resource, document)
            problem = models.first_problem(self._resource, document)
        except (ValueError, RecursionError) as fault:
            problem = f"it is not JSON ({type(fault).__name__})"
        # Raised out here, because that exception holds the whole body and must not be chained.
        if problem:
            raise errors.bad_body(self._call, 200, problem)
        if self._answered_in == "deployed" and self._call.dialect == "documented":
            self._server.warn_of_deployed()
        return document

    def _log(self, outcome: object, started: float) -> None:
        _log.debug("%s: %s in %.0f ms", self._call, outcome, (time.perf_counter() - started) * 1000)


def set_location_aside(response: httpx.Response) -> None:
    """Move a redirect's target out of httpx's sight: an event hook for the `httpx.Client` of every exchange.

    httpx builds the next request even where it is not to follow it, and fails if the target is not a URL.
    """
    if "Location" in response.headers:
        response.extensions["location"] = response.headers.pop("Location")


class _Answer(httpx.Response):
    """An answer whose JSON is already decoded and checked, so that the generated reader decodes nothing again."""

    def __init__(self, document: Any) -> None:
        super().__init__(200)
        self._document = document

    def json(self, **kwargs: Any) -> Any:
        return self._document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Python's own decoder takes NaN and Infinity, which JSON does not have.
_STRICT_JSON = json.JSONDecoder(parse_constant=_refuse_constant)


def _decode_error_body(text: str) -> object:
    try:
        return _STRICT_JSON.decode(text) if text.strip() else None
    except (ValueError, RecursionError):
        return text
