"""From a response or an exception to an error: its class, its text and what it knows.

A text says in this order: the call, what happened, whether the update was applied, details, the next step, the cause.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar, cast

import httpx

from neptun_sdk import dialects, errors
from neptun_sdk._contract import CONTRACT
from neptun_sdk.dialects import Meaning
from neptun_sdk.models import Dialect, Resource
from neptun_sdk.operations import CallInfo

_CLASSES: Mapping[int, type[errors.StatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    429: errors.RateLimitError,
}
_NO_SESSION = "the session is missing, unknown or expired"
_MEANINGS = {
    400: Meaning("Correct the arguments and call again", applied=False),
    401: Meaning("Log in to Neptun again and pass the new neptun-session cookie", _NO_SESSION, applied=False),
    403: Meaning("Pass the user_id of the session's own user", "the session belongs to another user", applied=False),
    404: Meaning("Check the ids", applied=False),
    # 408, 460 and 499 come from proxies that had passed the request on: it took too long, or the client closed the
    # connection.
    408: Meaning("Call again later"),
    413: Meaning("Shorten the texts: no request of this size is allowed", applied=False),
    429: Meaning("Call again later, and less often", applied=False),
    460: Meaning("Call again later"),
    499: Meaning("Call again later"),
}
_OTHER_4XX = Meaning("Check base_url and the arguments", applied=False)
_5XX = Meaning("Call again later")
_FROM_PROXIES = (408, 413, 429, 460, 499, *range(500, 600))  # statuses that mean the same where a proxy returns them
_NOT_NEPTUN = "something other than Neptun has probably responded"
_OUTCOMES = {
    True: "The update was applied.",
    False: "The update was not applied.",
    None: "The update may have been applied.",
}
_CONNECTION, _TIMEOUT = errors.NeptunConnectionError, errors.NeptunTimeoutError
_RETRY = "Call again: sending the same values twice is safe."
_TIMED_OUT = "timed out after {elapsed} s waiting for {origin}"
_BROKE = "the connection to {origin} broke before the response was complete"
_CORRECT_IT = "Correct the transport: it may raise httpx.TransportError only."
_FEWER_CALLS = "Make fewer calls at once, or allow a longer timeout."
# The exception, the class of the error, whether the update was applied, what happened, and the next step. The first
# row that fits counts; ``False`` stands where nothing was sent yet.
_EXCEPTIONS: tuple[tuple[type[Exception], type[errors.NeptunConnectionError], bool | None, str, str], ...] = (
    (httpx.PoolTimeout, _TIMEOUT, False, "no connection became free within {elapsed} s", _FEWER_CALLS),
    (httpx.ConnectTimeout, _TIMEOUT, False, _TIMED_OUT, _RETRY),
    (httpx.TimeoutException, _TIMEOUT, None, _TIMED_OUT, _RETRY),
    (httpx.ProxyError, _CONNECTION, False, "cannot connect to {origin}", "Check the proxy."),
    (httpx.ConnectError, _CONNECTION, False, "cannot connect to {origin}", "Check base_url."),
    (httpx.UnsupportedProtocol, _CONNECTION, False, "cannot connect to {origin}", "Check base_url."),
    (httpx.TransportError, _CONNECTION, None, _BROKE, _RETRY),
    (Exception, _CONNECTION, None, "the transport for {origin} failed", _CORRECT_IT),
)
_MAX_WORDS = 300  # characters of a text from outside in a message
_MAX_DETAILS = 600  # characters of all problems of a 400 in a message
_MAX_ISSUES = 20  # problems of a 400 that are kept
_MAX_DELAY = 1e9  # seconds; some thirty years, for a Retry-After of any length

AnyCall: TypeAlias = CallInfo[Any]
ErrorT = TypeVar("ErrorT", bound=errors.NeptunError)


def from_response(call: AnyCall, status_code: int, headers: Mapping[str, str], body: object) -> errors.NeptunError:
    """Turn a response that is not a 200 into its error.

    Both are masked: ``headers`` (lower case, no ``Set-Cookie``) and ``body`` (decoded JSON, else text, else ``None``).
    """
    if not 400 <= status_code <= 599:
        return _not_an_error_status(call, status_code, headers)
    error_class = _CLASSES.get(status_code, errors.StatusError if status_code < 500 else errors.ServerError)
    message = _server_message(status_code, body)
    attributes: dict[str, Any] = {"status_code": status_code, "server_message": message, "body": body}
    details, retry_after = "", None
    if error_class is errors.BadRequestError:
        attributes["fields"] = _fields(call, body)
        problems = "".join(f" {name}: {problem}." for name, problem in attributes["fields"].items())
        details = _shortened(problems, _MAX_DETAILS)
    if error_class in (errors.RateLimitError, errors.ServerError):
        attributes["retry_after"] = retry_after = parse_retry_after(headers.get("retry-after"))
    next_step, reason, applied = _meaning(call, status_code, body, retry_after)
    what = f"{status_code} {message}{': ' if reason else ''}{reason}"
    attributes["headers"] = headers
    return _error(error_class, call, what, applied, f"{next_step}.", details=details, **attributes)


def from_exception(
    call: AnyCall,
    exc: Exception,
    origin: str,
    elapsed: float,
    *,
    status_code: int | None = None,
    proxy_variable: str = "",
) -> errors.NeptunError:
    """Turn an exception of httpx, or of the caller's own transport, into an error.

    ``elapsed`` are the seconds since the call began; ``status_code`` is given if the head of a response had come, and
    ``proxy_variable``, the environment variable, if a proxy is used.
    """
    name, words = type(exc).__name__, printable(str(exc))
    _, error_class, applied, what, next_step = next(row for row in _EXCEPTIONS if isinstance(exc, row[0]))
    if _is_refusal(call, status_code):
        applied = False
    if what.startswith("cannot connect"):
        if re.search("SSL|CERTIFICATE", words):
            next_step = "Check base_url and, for a private CA, SSL_CERT_FILE."
        elif proxy_variable:
            next_step = "Check that variable and the proxy."
    if next_step == _RETRY and not call.operation.updates:
        next_step = "Call again."
    cause = f"({name}: {words})" if words and words != name else f"({name})"
    if proxy_variable:
        origin = f"{origin} through the proxy of {proxy_variable}"
    what = what.format(origin=origin, elapsed=f"{round(elapsed, 1 if elapsed >= 1 else 3):g}")
    return _error(error_class, call, what, applied, f"{next_step} {cause}", status_code=status_code)


def closed(call: AnyCall) -> errors.NeptunConnectionError:
    """Return the error of a call whose client was closed before it ended."""
    what, next_step = "the client was closed during the call", "Close a client when its calls have ended."
    return _error(errors.NeptunConnectionError, call, what, False, next_step)


def invalid_body(
    call: AnyCall, status_code: int, headers: Mapping[str, str], problem: str, applied: bool | None = None
) -> errors.ResponseError:
    """Return the error for a body that cannot be used.

    ``problem`` stands after "the body"; ``applied`` is ``True`` if a 200 shows that the resource was updated.
    """
    if _is_refusal(call, status_code):
        applied = False
    again = "Do not send it again. " if applied and call.operation.updates else ""
    next_step = f"{again}Check that base_url is a Neptun server and that this SDK is up to date."
    what = f"{status_code}, but the body {problem}"
    return _error(errors.ResponseError, call, what, applied, next_step, status_code=status_code, headers=headers)


def not_verified(
    call: AnyCall,
    differences: Mapping[str, tuple[str, str | None]],
    resource: Resource,
    response_dialect: Dialect,
) -> errors.UpdateNotVerifiedError:
    """Return the error for a 200 in which fields came back different: ``{field: (sent, returned)}``."""
    shown = "; ".join(f"{name} came back as {_difference(*values)}" for name, values in differences.items())
    verified = [name for name in call.fields if name not in differences]
    rest = f"; {_were(verified)}." if verified else "."
    one = len(differences) == 1
    dropped = dialects.dropped(call, response_dialect, differences)
    changed = [name for name in differences if name not in dropped]
    if dropped:
        outcome = "It was not applied" if one else "They were not applied"
        if changed:
            outcome = f"{_were(dropped)} not applied, {', '.join(changed)} may have been"
        how = dialects.HOW_TO_SET.format(response_dialect)
        applied, next_step = False, f"The server speaks the {response_dialect} dialect: set {how}."
    else:
        applied, outcome = None, f"{'It' if one else 'They'} may have been applied"
        next_step = "Compare error.resource with what you want: another writer, or the server, may have changed it."
    outcome += rest
    error = _error(errors.UpdateNotVerifiedError, call, f"200, but {shown}", applied, next_step, outcome=outcome)
    error.differences, error.resource = dict(differences), resource
    error.applied = applied  # even after an attempt that may have been applied: the server has no such field
    return error


def parse_retry_after(value: str | None) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110: seconds, or a date) as seconds from now; ``None`` if it is neither."""
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text), _MAX_DELAY)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # RFC 9110 knows no other time zone than UTC.
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), _MAX_DELAY)


def printable(text: str) -> str:
    """Return a text from outside as one short line without control characters or lone surrogates."""
    letters = (letter if letter.isprintable() else " " for letter in text[: _MAX_WORDS * 4])
    return _shortened(" ".join("".join(letters).split()).rstrip(".:"))


def _shortened(text: str, limit: int = _MAX_WORDS) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _meaning(call: AnyCall, status_code: int, body: object, retry_after: float | None) -> Meaning:
    """Return what an error status means, whoever returned it."""
    by_status = _by_status(status_code)
    if retry_after and status_code in (429, 503):
        by_status = by_status._replace(next_step=f"Call again after {max(1, round(retry_after))} s")
    if dialects.is_error_body(body):
        return dialects.meaning(call, status_code, body) or by_status
    next_step = "Check base_url, and any proxy on the way"
    if status_code in _FROM_PROXIES:
        next_step = f"{by_status.next_step}. If that does not help, check base_url, and any proxy on the way"
    elif dialects.may_be_applied(call, status_code):
        next_step += "; then call again: sending the same values twice is safe"
    return Meaning(next_step, _NOT_NEPTUN, False if _is_refusal(call, status_code) else None)


def _by_status(status_code: int) -> Meaning:
    """Return what an error status means by itself."""
    return _MEANINGS.get(status_code, _OTHER_4XX if status_code < 500 else _5XX)


def _is_refusal(call: AnyCall, status_code: int | None) -> bool:
    """Tell whether a status says by itself, whatever the body, that the update was not applied."""
    if status_code is None or status_code < 400 or dialects.may_be_applied(call, status_code):
        return False
    return _by_status(status_code).applied is False


def _error(
    error_class: type[ErrorT],
    call: AnyCall,
    what: str,
    applied: bool | None,
    next_step: str,
    *,
    outcome: str = "",
    details: str = "",
    **attributes: Any,
) -> ErrorT:
    """Put an error together. That of a reading operation says nothing of an update."""
    if applied is False and call.maybe_applied:
        applied = None
    if call.operation.updates:
        outcome = f" {outcome or _OUTCOMES[applied]}"
    else:
        applied, outcome = None, ""
    attempts = f" ({call.attempts} attempts)" if call.attempts > 1 else ""
    contract = f" (contract {CONTRACT})" if error_class is errors.ResponseError else ""
    text = f"{call}: {what}{attempts}.{outcome}{details} {next_step}{contract}"
    return error_class(text, operation=call.operation.name, attempts=call.attempts, applied=applied, **attributes)


def _not_an_error_status(call: AnyCall, status_code: int, headers: Mapping[str, str]) -> errors.ResponseError:
    what, next_step = f"{status_code}, which the contract does not know", "Check that base_url is a Neptun server."
    if 300 <= status_code < 400:
        try:
            target = str(httpx.URL(headers.get("location", "")).copy_with(userinfo=b"", query=None, fragment=None))
        except (httpx.InvalidURL, ValueError):
            target = ""
        what = f"{status_code}, a redirect{f' to {_quoted(target)}' if target else ''}, and redirects are not followed"
        next_step = "Check base_url (http for https, another host, a missing path), and the session."
    return _error(errors.ResponseError, call, what, None, next_step, status_code=status_code, headers=headers)


def _server_message(status_code: int, body: object) -> str:
    """Return the best sentence of an error body, in either of the two JSON shapes or in none."""
    candidates = [_object(body).get(key) for key in ("message", "statusMessage", "error", "detail")]
    if isinstance(body, str):
        title = re.search(r"<title[^>]*>([^<]*)</title>", body[:10_000], re.IGNORECASE)
        candidates = [title and title[1]] if body.lstrip().startswith("<") else [body]
    for candidate in candidates:
        words = printable(candidate) if isinstance(candidate, str) else ""
        if words:
            return words
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return "(no message)"


def _fields(call: AnyCall, body: object) -> dict[str, str]:
    """Return the problems of a 400 by field, which the server lists in ``data.issues``."""
    problems: dict[str, list[str]] = {}
    for issue in _list(_object(_object(body).get("data")).get("issues"))[:_MAX_ISSUES]:
        path = [_shortened(printable(str(step)), 80) for step in _list(_object(issue).get("path"))[:5]]
        if path:
            name = ".".join((dialects.contract_name(call.operation.resource, path[0]), *path[1:]))
            problems.setdefault(name, []).append(printable(str(_object(issue).get("message") or "invalid")))
    return {name: _shortened("; ".join(dict.fromkeys(texts))) for name, texts in problems.items()}


def _were(names: list[str]) -> str:
    return f"{', '.join(names)} {'was' if len(names) == 1 else 'were'}"


def _difference(sent: object, returned: object) -> str:
    """Show what came back for what was sent: both, or where two long texts begin to differ and how long they are."""
    if not isinstance(sent, str) or not isinstance(returned, str) or max(len(sent), len(returned)) <= 80:
        return f"{_quoted(returned)}, not {_quoted(sent)}"
    pairs = zip(sent, returned, strict=False)
    at = next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(sent), len(returned)))
    return (
        f"{len(returned)} characters, not {len(sent)}: from character {at + 1} on "
        f"{_quoted(returned[at : at + 40])}, not {_quoted(sent[at : at + 40])}"
    )


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return repr(_shortened(value, 80))
    return "nothing" if value is None else _shortened(repr(value), 80)


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
