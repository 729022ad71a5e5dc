"""What one attempt showed, and what follows from it: the one table of statuses and exceptions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Generic, NamedTuple

import httpx

from neptun_sdk import dialects, errors
from neptun_sdk.models import Dialect, ResultT
from neptun_sdk.operations import CallInfo

_NONE: Mapping[str, Any] = MappingProxyType({})
_MAX_DELAY = 1e9  # seconds; some thirty years, for a Retry-After of any length


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table: what follows from a status, an exception, or the body of a success.

    Attributes:
        error: The class of the error; `NeptunError` where there is none to raise.
        applied: Whether this attempt applied the update; ``None`` if that cannot be known.
        retryable: Whether another attempt may succeed.
        reason: What happened, or why.
        next_step: What the caller can do.
        also_from_proxy: The status means the same where a proxy returns it.
        about_session: The session is at fault, not the request.
        needs_larger_limit: Only a larger ``max_response_size`` helps.
        never_applied: No attempt can have been applied, whatever the earlier ones showed.
    """

    error: type[errors.NeptunError]
    _: KW_ONLY
    applied: bool | None = None
    retryable: bool = False
    reason: str = ""
    next_step: str = ""
    also_from_proxy: bool = False
    about_session: bool = False
    needs_larger_limit: bool = False
    never_applied: bool = False

    @property
    def is_final(self) -> bool:
        """Whether a further attempt cannot learn more: the server has refused the request, or returned the resource."""
        is_definite = self.applied is not None or self.error is errors.UpdateNotVerifiedError
        return is_definite and not self.retryable and not self.about_session


RETRY = "Call again: sending the same values twice is safe."
_CHECK_SERVER = "Check that base_url is a Neptun server and that this SDK is up to date."
_LATER = "Call again later"

STATUSES: Mapping[int, Rule] = {
    400: Rule(errors.BadRequestError, applied=False, next_step="Correct the arguments and call again"),
    401: Rule(
        errors.AuthenticationError,
        applied=False,
        reason="the session is missing, unknown or expired",
        next_step="Log in to Neptun again and pass the new neptun-session cookie",
        about_session=True,
    ),
    403: Rule(
        errors.PermissionDeniedError,
        applied=False,
        reason="the session belongs to another user",
        next_step="Pass the user_id of the session's own user",
    ),
    404: Rule(errors.NotFoundError, applied=False, next_step="Check the ids"),
    # 408, 460 and 499 come from proxies that had passed the request on: it took too long, or the client closed the
    # connection.
    408: Rule(errors.StatusError, next_step=_LATER, also_from_proxy=True),
    413: Rule(
        errors.StatusError,
        applied=False,
        next_step="Shorten the texts: no request of this size is allowed",
        also_from_proxy=True,
    ),
    429: Rule(
        errors.RateLimitError,
        applied=False,
        retryable=True,
        next_step="Call again later, and less often",
        also_from_proxy=True,
    ),
    460: Rule(errors.StatusError, next_step=_LATER, also_from_proxy=True),
    499: Rule(errors.StatusError, next_step=_LATER, also_from_proxy=True),
    502: Rule(errors.ServerError, retryable=True, next_step=_LATER, also_from_proxy=True),
    503: Rule(errors.ServerError, retryable=True, next_step=_LATER, also_from_proxy=True),
    504: Rule(errors.ServerError, retryable=True, next_step=_LATER, also_from_proxy=True),
}
# How a status differs if Neptun did not write its body.
FOREIGN_STATUSES: Mapping[int, Mapping[str, Any]] = {
    413: {"applied": None, "next_step": "Shorten the texts: the request, or the response, is too large for a proxy"}
}
OTHER_4XX = Rule(errors.StatusError, applied=False, next_step="Check base_url and the arguments")
OTHER_5XX = Rule(errors.ServerError, next_step=_LATER, also_from_proxy=True)
REDIRECT = Rule(
    errors.ResponseError,
    reason="a redirect, and redirects are not followed",
    next_step="Check base_url (http for https, another host, a missing path), and the session.",
)
OTHER_STATUS = Rule(
    errors.ResponseError, reason="which the contract does not know", next_step="Check that base_url is a Neptun server."
)

_TIMED_OUT = "timed out after {elapsed} s waiting for {origin}"
_CANNOT_CONNECT = "cannot connect to {origin}"
# The first row that fits counts. Nothing was sent where ``applied`` is ``False``.
EXCEPTIONS: Mapping[type[Exception], Rule] = {
    httpx.PoolTimeout: Rule(
        errors.NeptunTimeoutError,
        applied=False,
        retryable=True,
        reason="no connection became free within {elapsed} s",
        next_step="Make fewer calls at once, or allow a longer timeout.",
    ),
    httpx.ConnectTimeout: Rule(
        errors.NeptunTimeoutError, applied=False, retryable=True, reason=_TIMED_OUT, next_step=RETRY
    ),
    httpx.TimeoutException: Rule(errors.NeptunTimeoutError, retryable=True, reason=_TIMED_OUT, next_step=RETRY),
    httpx.ProxyError: Rule(
        errors.NeptunConnectionError,
        applied=False,
        retryable=True,
        reason=_CANNOT_CONNECT,
        next_step="Check the proxy.",
    ),
    httpx.ConnectError: Rule(
        errors.NeptunConnectionError, applied=False, retryable=True, reason=_CANNOT_CONNECT, next_step="Check base_url."
    ),
    httpx.TransportError: Rule(
        errors.NeptunConnectionError,
        retryable=True,
        reason="the connection to {origin} broke before the response was complete",
        next_step=RETRY,
    ),
    OSError: Rule(
        errors.NeptunConnectionError, retryable=True, reason="the connection to {origin} failed", next_step=RETRY
    ),
}
CLOSED = Rule(
    errors.NeptunConnectionError,
    applied=False,
    retryable=True,  # by another client
    reason="the client was closed during the call",
    next_step="Close a client when its calls have ended.",
)

# Of a success, by its body.
VERIFIED = Rule(errors.NeptunError, applied=True)
NOT_THE_RESOURCE = Rule(errors.ResponseError, next_step=_CHECK_SERVER)
TOO_LARGE = Rule(errors.ResponseError, next_step=_CHECK_SERVER, needs_larger_limit=True)
NOT_VALID = Rule(errors.ResponseError, applied=True, next_step=_CHECK_SERVER)  # but every field came as sent
DROPPED = Rule(errors.UpdateNotVerifiedError, applied=False, never_applied=True)  # every field
DIFFERENT = Rule(
    errors.UpdateNotVerifiedError,
    next_step="Compare error.resource with what you want: another writer, or the server, may have changed it.",
)


# A tuple, because each call makes one: a frozen dataclass takes five times as long.
class Outcome(NamedTuple, Generic[ResultT]):
    """What one attempt showed; all of it is masked.

    Attributes:
        rule: The row of the table.
        status_code: The status of the response; ``None`` if no response came back.
        headers: The headers of the response.
        body: The body of an error: decoded JSON, else text, else ``None``.
        problem: What is wrong with the body; completes "the body …".
        cause: The exception that ended the attempt.
        resource: What a success returned.
        differences: The fields that came back different: ``{field: (sent, returned)}``.
        dropped: Those of them that the server does not have.
        dialect: What the response is written in.
        attempts: How many attempts the call has made.
        maybe_applied: Whether an earlier one may have applied the update.
    """

    rule: Rule
    status_code: int | None = None
    headers: Mapping[str, str] = _NONE
    body: object = None
    problem: str = ""
    cause: Exception | None = None
    resource: ResultT | None = None
    differences: Mapping[str, tuple[Any, Any]] = _NONE
    dropped: tuple[str, ...] = ()
    dialect: Dialect = "documented"
    attempts: int = 1
    maybe_applied: bool = False

    @property
    def applied(self) -> bool | None:
        """Whether the update was applied, by this attempt or an earlier one."""
        is_doubtful = self.rule.applied is False and self.maybe_applied and not self.rule.never_applied
        return None if is_doubtful else self.rule.applied

    @property
    def retry_after(self) -> float | None:
        """How many seconds the server asks to wait; ``None`` if it does not say, or if waiting does not help."""
        if self.status_code is None or not hasattr(self.rule.error, "retry_after"):
            return None
        return parse_retry_after(self.headers.get("retry-after"), self.headers.get("date"))

    def after(self, earlier: Outcome[ResultT] | None) -> Outcome[ResultT]:
        """Return this outcome as the one that followed another."""
        if earlier is None:
            return self
        maybe_applied = earlier.applied is not False
        return self._replace(attempts=earlier.attempts + 1, maybe_applied=maybe_applied)


def of_exception(
    call: CallInfo[Any], exc: Exception, status_code: int | None = None, headers: Mapping[str, str] = _NONE
) -> Outcome[Any]:
    """Return the outcome of an attempt that ended in an exception, perhaps after the head of a response.

    What an error status says stays true without its body. After the head of a success, an update is not sent again: it
    was probably applied.
    """
    if status_code is not None and status_code >= 400:
        return of_status(call, status_code, headers, None, problem="did not come as a whole", cause=exc)
    rule = next(rule for kind, rule in EXCEPTIONS.items() if isinstance(exc, kind))
    if status_code is not None:
        rule = replace(rule, applied=None, retryable=call.operation.is_safe)
    return Outcome(rule=_for_call(call, rule), cause=exc, status_code=status_code, headers=headers)


def of_status(
    call: CallInfo[Any],
    status_code: int,
    headers: Mapping[str, str],
    body: object,
    *,
    problem: str = "",
    cause: Exception | None = None,
) -> Outcome[Any]:
    """Return the outcome of a response that is not a success. ``problem`` says why there is no body."""
    if not 400 <= status_code <= 599:
        rule = REDIRECT if 300 <= status_code < 400 else OTHER_STATUS
    else:
        rule = STATUSES.get(status_code, OTHER_4XX if status_code < 500 else OTHER_5XX)
        if dialects.is_error_body(body):
            rule = replace(rule, **dialects.meaning(call, status_code, body))
        else:
            rule = _without_neptuns_body(call, status_code, rule, is_foreign=not problem)
        rule = _for_call(call, rule)
    return Outcome(rule=rule, status_code=status_code, headers=headers, body=body, problem=problem, cause=cause)


def _for_call(call: CallInfo[Any], rule: Rule) -> Rule:
    """Return a rule as it holds for a call: what may have been applied is sent again only where that is safe."""
    if rule.applied is not None or call.may_repeat or call.operation.is_safe:
        return rule
    step = f"Check whether the {call.operation.noun} was applied before you call again."
    return replace(rule, retryable=False, next_step=step)


def is_connection_failure(exc: Exception) -> bool:
    """Tell a failed connection from an exception of a signal handler, a test tool, or the caller's transport."""
    # pytest-httpx refuses a request with the base class of all timeouts, which httpx itself never raises.
    is_refusal = type(exc) is httpx.TimeoutException
    return not is_refusal and any(isinstance(exc, kind) for kind in EXCEPTIONS)


def rule_of(error: errors.NeptunError) -> Rule:
    """Return the rule by which the error of a call was made; of one made by hand, that of its status."""
    status_code: int | None = getattr(error, "status_code", None)
    return vars(error).get("_rule") or STATUSES.get(status_code or 0) or Rule(type(error))


def with_rule(error: errors.NeptunError, rule: Rule) -> errors.NeptunError:
    """Keep a rule with an error that was just made; return it."""
    vars(error)["_rule"] = rule
    return error


def parse_retry_after(value: str | None, date: str | None = None) -> float | None:
    """Read ``Retry-After`` (RFC 9110: seconds, or a date) as seconds from now; ``None`` if it is neither.

    Proxies write fractions, and the header twice: the longest wait counts. A date is compared with the response's
    own ``Date``, because the clocks may differ.
    """
    now = _parse_date(date) or datetime.now(UTC)
    waits: list[float] = []
    for part in re.findall(r"[A-Za-z]+,[^,]*|[^,]+", value or ""):
        text = part.strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            waits.append(float(text))
        elif when := _parse_date(text):
            waits.append((when - now).total_seconds())
    return min(max(0.0, *waits), _MAX_DELAY) if waits else None


def _parse_date(text: str | None) -> datetime | None:
    try:
        when = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)  # RFC 9110 knows no other time zone


def _without_neptuns_body(call: CallInfo[Any], status_code: int, rule: Rule, *, is_foreign: bool) -> Rule:
    """Return what a status means without its body, which cannot be read or is not Neptun's."""
    rule = replace(rule, **FOREIGN_STATUSES.get(status_code, {}))
    is_uncertain = dialects.may_be_applied(call, status_code)
    if is_uncertain:
        rule = replace(rule, applied=None, retryable=True)
    if not is_foreign:
        return rule
    next_step = "Check base_url, and any proxy on the way"
    if rule.also_from_proxy:
        next_step = f"{rule.next_step}. If that does not help, check base_url, and any proxy on the way"
    elif is_uncertain:
        next_step += "; then call again: sending the same values twice is safe"
    return replace(rule, next_step=next_step, reason="something other than Neptun has probably responded")
