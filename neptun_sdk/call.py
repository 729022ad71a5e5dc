"""One call: attempts, until an outcome is good or final."""

from __future__ import annotations

import functools
import logging
import random
import sys
from collections.abc import Mapping
from typing import Any, Generic, cast

import httpx

from neptun_sdk import outcomes
from neptun_sdk._contract import CONTRACT
from neptun_sdk._http.bodies import ENCODINGS, BodyError, BodyTooLargeError, decode_body, decode_error_body, read_body
from neptun_sdk._http.connections import Connections
from neptun_sdk._http.deadline import Deadline, monotonic
from neptun_sdk._version import __version__
from neptun_sdk.arguments import Settings
from neptun_sdk.errors import ArgumentError, NeptunConnectionError, NeptunError
from neptun_sdk.models import ResultT
from neptun_sdk.operations import CallInfo, Operation, prepare
from neptun_sdk.outcomes import Outcome
from neptun_sdk.session import NO_SESSION, Session
from neptun_sdk.texts import error_of
from neptun_sdk.verify import verify

_HEADERS = httpx.Headers(
    {
        "Accept": "application/json",
        "Accept-Encoding": ", ".join(ENCODINGS),
        "User-Agent": (
            f"neptun-sdk/{__version__} contract/{CONTRACT} python/{sys.version.split()[0]} httpx/{httpx.__version__}"
        ),
    }
)
# Full jitter: before retry n, wait a random time between 0 and min(MAX_BACKOFF, BASE_BACKOFF * 2 ** (n - 1)) seconds,
# or Retry-After if that is longer.
BASE_BACKOFF = 0.5
MAX_BACKOFF = 8.0
_logger = logging.getLogger("neptun_sdk")


# To parse a URL takes as long as to verify an update. Attempts share one, and so do calls about the same resource.
_parsed = functools.lru_cache(httpx.URL)


def backoff(attempt: int) -> float:
    """Return the seconds to wait after an attempt, which counts from 1."""
    limit = min(MAX_BACKOFF, BASE_BACKOFF * 2 ** min(attempt - 1, 10))  # 2 ** 1_000_000 would take its time
    return random.uniform(0, limit)  # noqa: S311 - jitter, not a secret


def run(
    operation: Operation[ResultT],
    arguments: Mapping[str, object],
    settings: Settings,
    connections: Connections,
    session: Session | None,
    *,
    is_closed: bool,
) -> ResultT | NeptunError:
    """Check the arguments of a call and make it; return its result, verified, or the error to raise."""
    try:
        if is_closed or connections.closed.is_set():
            raise ArgumentError("this client is closed; make a new NeptunClient. Nothing was sent.")
        if session is None:
            raise ArgumentError(NO_SESSION)
        info = prepare(
            operation,
            arguments,
            user_id=session.user_id,
            dialect=settings.dialect,
            mask=session.mask,
            resend=settings.resend,
        )
    except ArgumentError as exc:
        applied = None if operation.is_safe else False
        return ArgumentError(f"{operation.name}: {exc}", operation=operation.name, applied=applied)
    return _Call(info, settings, connections, session).run()


class _Call(Generic[ResultT]):
    """One call of one operation: ``info`` says which, and ``session`` for whom."""

    def __init__(self, info: CallInfo[ResultT], settings: Settings, connections: Connections, session: Session) -> None:
        self._info = info
        self._settings = settings
        self._connections = connections
        self._session = session
        self._began = monotonic()

    def run(self) -> ResultT | NeptunError:
        """Return the result, of an update with every field as it was sent, or the error to raise.

        Not raised here: what an attempt raises is the caller's, even if it is a `NeptunError`. And a traceback keeps
        its frames alive: those of an attempt hold the response before masking.
        """
        end = self._began + self._settings.timeout
        outcome: Outcome[ResultT] | None = None
        while True:
            outcome = self._attempt(Deadline(end), outcome.attempts + 1 if outcome else 1).after(outcome)
            if outcome.rule is outcomes.VERIFIED:
                return cast("ResultT", outcome.resource)
            if self._connections.closed.is_set() and issubclass(outcome.rule.error, NeptunConnectionError):
                outcome = self._closed(outcome)
                break
            delay = self._delay(outcome, end - monotonic())
            if delay is None:
                break
            what = outcome.status_code or type(outcome.cause).__name__
            of = f"attempt {outcome.attempts} of {self._settings.max_retries + 1}"
            self._log(logging.INFO, f"{self._info}: {what} in {of}; retrying in {delay:.2f} s", outcome, retry_in=delay)
            if self._connections.closed.wait(delay):
                outcome = self._closed(outcome)
                break
            outcome = outcome._replace(body=None)  # its memory may be needed for the next response
        error = self._error(outcome)
        if outcome.attempts > 1:
            kind = type(error).__name__ + (f" ({outcome.status_code})" if outcome.status_code else "")
            self._log(logging.WARNING, f"{self._info}: given up after {outcome.attempts} attempts: {kind}", outcome)
        return error

    def _error(self, outcome: Outcome[ResultT]) -> NeptunError:
        """Make the error of the call from the outcome of its last attempt, which knows of the earlier ones."""
        elapsed = monotonic() - self._began
        origin, proxy_name = self._settings.origin, self._connections.proxy_name
        error = error_of(self._info, outcome, origin=origin, proxy_name=proxy_name, elapsed=elapsed)
        error.args = (self._session.mask(str(error)), *error.args[1:])  # not every exception's text can be changed
        if outcome.cause is not None and self._session.mask_exception(outcome.cause):
            error.__cause__ = outcome.cause
        return error

    def _delay(self, outcome: Outcome[ResultT], remaining: float) -> float | None:
        """Return the seconds to wait before the next attempt, or ``None`` to give up.

        A wait that would not end before the call's time is over is not begun.
        """
        if outcome.attempts > self._settings.max_retries or not outcome.rule.retryable:
            return None
        delay = max(backoff(outcome.attempts), outcome.retry_after or 0.0)
        return delay if delay < remaining else None

    def _closed(self, outcome: Outcome[ResultT]) -> Outcome[ResultT]:
        """Return the outcome of a call whose client was closed after an attempt."""
        closed: Outcome[ResultT] = Outcome(rule=outcomes.CLOSED)
        return closed.after(outcome)._replace(attempts=outcome.attempts)  # it is not an attempt

    def _attempt(self, deadline: Deadline, attempt: int) -> Outcome[ResultT]:
        """Send the request once."""
        started = monotonic()
        limit = self._settings.max_response_size
        request = self._request(deadline)
        status_code = 0  # until the head of a response has come
        headers: Mapping[str, str] = {}
        result: object = "no response"
        try:
            with self._session, self._connections.send(request, self._session, deadline) as response:
                result = status_code = response.status_code
                headers = self._session.mask_headers(response.headers)
                content = read_body(response, self._session, deadline, limit)
        except BodyError as exc:
            return self._without_body(status_code, headers, exc)
        except Exception as exc:
            result = type(exc).__name__
            if not outcomes.is_connection_failure(exc):
                raise
            self._session.mask_exception(exc)
            return outcomes.of_exception(self._info, exc, status_code or None, headers)
        finally:
            if _logger.isEnabledFor(logging.DEBUG):
                milliseconds = (monotonic() - started) * 1000
                text = f"{self._info}: attempt {attempt}: {result} in {milliseconds:.0f} ms"
                seen: Outcome[Any] = Outcome(rule=outcomes.VERIFIED, attempts=attempt, status_code=status_code or None)
                self._log(logging.DEBUG, text, seen, duration_ms=round(milliseconds, 1))
        facts = self._info.operation.facts
        if status_code != facts.status:
            return outcomes.of_status(
                self._info, status_code, headers, decode_error_body(content, self._session, limit)
            )
        if facts.envelope is None:
            return Outcome(rule=outcomes.VERIFIED, status_code=status_code, headers=headers)
        try:
            document = decode_body(content, self._session, limit)
        except BodyError as exc:
            return self._without_body(status_code, headers, exc)
        return verify(self._info, document, headers)

    def _without_body(self, status_code: int, headers: Mapping[str, str], exc: BodyError) -> Outcome[ResultT]:
        if status_code == self._info.operation.facts.status:
            rule = outcomes.TOO_LARGE if isinstance(exc, BodyTooLargeError) else outcomes.NOT_THE_RESOURCE
            return Outcome(rule=rule, status_code=status_code, headers=headers, problem=str(exc))
        return outcomes.of_status(self._info, status_code, headers, None, problem=str(exc))

    def _request(self, deadline: Deadline) -> httpx.Request:
        """Build the request, for each attempt again: tracing tools add headers to it."""
        parts = dict(self._info.request)
        parts["url"] = _parsed(self._settings.base_url + parts["url"])
        headers = _HEADERS.copy()
        for name, value in parts.get("headers", {}).items():
            headers[name] = value
        parts["headers"] = headers
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), deadline)
        return httpx.Request(**parts, extensions={"timeout": timeouts})

    def _log(self, level: int, text: str, outcome: Outcome[Any], **facts: float) -> None:
        """Write a log record: text and plain values, and nothing that the caller sends."""
        info = self._info
        seen = {"attempt": outcome.attempts, "status_code": outcome.status_code}
        _logger.log(level, text, extra={"operation": info.operation.name, **info.ids, **seen, **facts})
