"""Everything that can go wrong, and the functions that turn an answer or a fault into one of these.

NeptunError                      .operation  .applied  .attempts
├── ArgumentError (ValueError)   refused here; nothing was sent
├── NeptunConnectionError        no usable answer came back  .status_code
│   └── NeptunTimeoutError
├── StatusError                  .status_code  .message  .body
│   ├── BadRequestError          400  .fields
│   ├── AuthenticationError      401
│   ├── PermissionDeniedError    403
│   ├── NotFoundError            404
│   ├── RateLimitError           429  .retry_after
│   └── ServerError              5xx  .retry_after
├── ResponseError                an answer outside the contract
└── UpdateNotAppliedError        .ignored  .resource

What an error says of itself is in its instance dictionary, so that every error pickles and copies.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, cast

import httpx

from neptun_sdk import dialects
from neptun_sdk.dialects import Dialect
from neptun_sdk.models import Project, ProjectImport


class Call:
    """One call, as its errors have to describe it.

    Args:
        operation: The client's method.
        ids: The ids in the path.
        resource: The class of what it updates.
        fields: What it sends, by the names of the contract.
        dialect: The dialect in which it is sent.

    Attributes:
        attempts: How often it was sent so far.
        in_doubt: Whether an attempt before the last one may have been applied.
    """

    def __init__(
        self,
        operation: str,
        ids: Mapping[str, int],
        resource: type[Project] | type[ProjectImport],
        fields: Mapping[str, str],
        dialect: Dialect = "documented",
    ) -> None:
        self.operation = operation
        self.ids = ids
        self.resource: type[Project] | type[ProjectImport] = resource
        self.fields = fields
        self.dialect: Dialect = dialect
        self.attempts = 0
        self.in_doubt = False

    def __str__(self) -> str:
        return f"{self.operation}({', '.join(f'{name}={value}' for name, value in self.ids.items())})"


class NeptunError(Exception):
    """The root of every error that this SDK raises.

    Attributes:
        operation: The client's method, such as ``update_project``; ``None`` where no call was made yet.
        applied: Whether the update was applied on the server: ``True``, ``False``, or ``None`` where it is not known.
        attempts: How many requests were sent, or tried to be, for the call; 0 where it was refused before.
    """

    operation: str | None = None
    applied: bool | None = None
    attempts: int = 0

    def __init__(self, text: str = "", /, **attributes: object) -> None:
        super().__init__(text)
        self.__dict__.update(attributes)


class ArgumentError(NeptunError, ValueError):
    """An argument or a setting was refused here. Nothing was sent."""

    applied: bool | None = False


class NeptunConnectionError(NeptunError):
    """No usable answer came back: no connection, or one that broke. ``__cause__`` is the fault as httpx saw it.

    Attributes:
        status_code: The HTTP status code, where at least the head of an answer came.
    """

    status_code: int | None = None


class NeptunTimeoutError(NeptunConnectionError):
    """The whole answer did not come within the call's ``timeout``."""


class StatusError(NeptunError):
    """The server answered with an error status; statuses without a class of their own raise this one.

    Attributes:
        status_code: The HTTP status code.
        message: What the server said, or the status's standard phrase where it said nothing that can be read.
        body: The body: decoded JSON, else text, else ``None`` where it is empty.
    """

    status_code: int = 0
    message: str = ""
    body: object = None


class BadRequestError(StatusError):
    """400: the server refused the request's parameters.

    Attributes:
        fields: What the server says of each field, ``{"project_type": "Invalid …"}``; empty where it names none.
    """

    fields: Mapping[str, str] = MappingProxyType({})


class AuthenticationError(StatusError):
    """401: the session is missing, unknown or expired; or, from a deployed server, the resource is not this user's."""


class PermissionDeniedError(StatusError):
    """403: the session belongs to another user than ``user_id``."""


class NotFoundError(StatusError):
    """404: there is no such project or import."""


class RateLimitError(StatusError):
    """429: too many requests, usually said by a proxy in front of the server.

    Attributes:
        retry_after: How many seconds the server asks to wait, or ``None`` where it does not say.
    """

    retry_after: float | None = None


class ServerError(StatusError):
    """5xx: the server, or a proxy in front of it, failed.

    Attributes:
        retry_after: How many seconds the server asks to wait, or ``None`` where it does not say.
    """

    retry_after: float | None = None


class ResponseError(NeptunError):
    """The answer is outside the contract: a redirect, no JSON, a field missing or of the wrong type, too large …

    Attributes:
        status_code: The HTTP status code of that answer.
    """

    status_code: int | None = None


class UpdateNotAppliedError(NeptunError):
    """The server answered 200, but at least one field that was sent came back different.

    ``applied`` is ``False``: the update as a whole was not applied. Fields that are not in ``ignored`` were.

    Attributes:
        ignored: ``{field: (sent, returned)}`` for every field that differs.
        resource: The resource as the server returned it.
    """

    ignored: Mapping[str, tuple[str, str | None]] = MappingProxyType({})
    resource: Project | ProjectImport | None = None


_CLASSES: dict[int, type[StatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}

_NEW_SESSION = "Log in to Neptun in a browser again and copy the value of the neptun-session cookie"
_NEXT_STEPS = {
    400: "Correct the fields and call again",
    401: f"The session is missing, unknown or expired. {_NEW_SESSION}",
    403: "The session belongs to another user. Use the user_id of the session's own user",
    404: "Check the ids",
    429: "Call again later, and less often",
}
_CHANGED = {
    True: "The update was applied.",
    False: "Nothing was changed.",
    None: "The update may or may not have been applied.",
}
_FOR_EVER = 1e9  # seconds: some thirty years, for a Retry-After of any length
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


def from_answer(call: Call, status_code: int, headers: Mapping[str, str], body: object) -> NeptunError:
    """Turn any answer but a 200 into its error.

    Args:
        call: The call that was answered.
        status_code: The HTTP status code.
        headers: The headers of the answer, their names in lower case.
        body: Its body: decoded JSON, else text, else ``None``, with the session cookie already masked.
    """
    if not 400 <= status_code <= 599:
        return _outside_contract(call, status_code, headers)
    kind = _CLASSES.get(status_code, StatusError if status_code < 500 else ServerError)
    applied = _applied(call, status_code)
    message = _message(status_code, body)
    next_step = _NEXT_STEPS.get(
        status_code, "Try again later" if status_code >= 500 else "Check base_url and the arguments"
    )
    next_step = dialects.advice(call.resource, call.dialect, call.fields, status_code, body) or next_step
    retry_after = parse_retry_after(headers.get("retry-after"))
    if retry_after is not None and status_code in (429, 503):
        next_step = f"Call again after {retry_after:.0f} seconds"
    fields = _fields(call, body) if status_code == 400 else {}
    details = "".join(f" {name}: {problem}." for name, problem in fields.items())
    text = f"{call}: {status_code} {message}.{details} {_CHANGED[applied]}{_tried(call, status_code)} {next_step}."
    attributes: dict[str, object] = {"status_code": status_code, "message": message, "body": body}
    if kind is BadRequestError:
        attributes["fields"] = fields
    if kind is RateLimitError or kind is ServerError:
        attributes["retry_after"] = retry_after
    return kind(text, **_of(call), applied=applied, **attributes)


def from_fault(call: Call, fault: httpx.HTTPError, origin: str, status_code: int | None) -> NeptunError:
    """Turn an exception of httpx into an error of this SDK.

    Args:
        call: The call in which it happened.
        fault: What httpx raised.
        origin: The server's address, for the message.
        status_code: The status of the answer if its head had come, else ``None``.
    """
    applied = _applied(call, status_code, sent=not isinstance(fault, _NOT_SENT))
    what = str(fault) or type(fault).__name__
    again = "To see the result, send it again" if applied else "Call again later"
    again = f"{again}: sending the same values twice is safe"
    kind: type[NeptunError] = NeptunConnectionError
    if isinstance(fault, httpx.DecodingError):
        kind = ResponseError
        problem = f"the answer's body cannot be decompressed ({what})"
        next_step = f"Check what stands at {origin}"
    elif isinstance(fault, httpx.TimeoutException):
        kind = NeptunTimeoutError
        phase = type(fault).__name__
        what = phase if what == phase else f"{phase}: {what}"
        problem = f"{origin} did not answer within the call's timeout ({what})"
        next_step = f"{again}; or allow more time with timeout="
    elif isinstance(fault, _NOT_SENT):
        problem = f"cannot connect to {origin} ({what})"
        next_step = "Check base_url (NEPTUN_BASE_URL), the network and, for a private CA, SSL_CERT_FILE"
    else:
        problem = f"the connection to {origin} broke before the whole answer had come ({what})"
        next_step = again
    text = f"{call}: {problem}. {_CHANGED[applied]}{_tried(call, status_code)} {next_step}."
    return kind(text, **_of(call), applied=applied, status_code=status_code)


def closed(call: Call) -> NeptunConnectionError:
    """The error for a call whose client was closed while it waited to send the request again."""
    applied = _applied(call, None, sent=False)
    text = f"{call}: the client was closed before the next attempt. {_CHANGED[applied]}{_tried(call)}"
    return NeptunConnectionError(f"{text} Close a client when its calls have ended.", **_of(call), applied=applied)


def bad_body(call: Call, status_code: int, problem: str) -> ResponseError:
    """The error for a body that cannot be used: of a 200 outside the contract, or of any answer that is too large."""
    applied = _applied(call, status_code)
    again = "Do not send it again; check" if applied else "Check"
    return ResponseError(
        f"{call}: the server answered {status_code}, but its body is outside the contract: {problem}. "
        f"{_CHANGED[applied]} {again} that base_url is a Neptun server and that this SDK is up to date.",
        **_of(call),
        applied=applied,
        status_code=status_code,
    )


def not_applied(
    call: Call,
    ignored: Mapping[str, tuple[str, str | None]],
    resource: Project | ProjectImport,
    answered_in: Dialect,
) -> UpdateNotAppliedError:
    """The error for a 200 in which some fields that were sent came back different.

    ``answered_in`` is the dialect of the answer, which tells what the server is.
    """
    differences = "; ".join(f"{name}: sent {_short(was)}, got {_short(came)}" for name, (was, came) in ignored.items())
    rest = ", ".join(name for name in call.fields if name not in ignored)
    next_step = "Compare error.resource with what you want, and check that the values are ones this server accepts"
    if answered_in != call.dialect:
        next_step = f"The server speaks the {answered_in} dialect: set {dialects.SWITCH.format(answered_in)}"
    text = (
        f"{call}: the server answered 200 but did not apply {', '.join(ignored)} ({differences}). "
        f"{'Applied: ' + rest if rest else 'Nothing that was sent was applied'}. "
        f"{next_step}."
    )
    return UpdateNotAppliedError(text, **_of(call), applied=False, ignored=ignored, resource=resource)


def parse_retry_after(value: str | None) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110: seconds, or a date) as seconds from now; ``None`` if there is none."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text), _FOR_EVER)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is UTC: RFC 9110 knows no other.
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _applied(call: Call, status_code: int | None, sent: bool = True) -> bool | None:
    """Whether the update was applied, as far as it can be told from the last attempt's status and those before it."""
    if status_code == 200:
        return True
    refused = not sent or (status_code is not None and 400 <= status_code < 500)
    return False if refused and not call.in_doubt else None


def _of(call: Call) -> dict[str, Any]:
    return {"operation": call.operation, "attempts": call.attempts}


def _tried(call: Call, status_code: int | None = None) -> str:
    """How often the call was tried; of a plain refusal that came at once there is nothing to tell."""
    if call.attempts > 1:
        return f" {call.attempts} attempts were made."
    return "" if status_code and status_code < 429 else " 1 attempt was made."


def _outside_contract(call: Call, status_code: int, headers: Mapping[str, str]) -> ResponseError:
    if 300 <= status_code < 400:
        try:
            target = httpx.URL(headers.get("location", "")).copy_with(userinfo=b"", query=None, fragment=None)
        except httpx.InvalidURL:
            target = httpx.URL("")
        where = f" to {_short(str(target))}" if str(target) else ""
        what = f"redirected{where}, and redirects are not followed"
        next_step = (
            "base_url is probably wrong (http for https, another host, a missing path), or the session is missing"
        )
    else:
        what = "answered with a status that the contract does not know"
        next_step = "Check that base_url is a Neptun server"
    return ResponseError(
        f"{call}: {status_code}: the server {what}. {_CHANGED[None]} {next_step}.",
        **_of(call),
        applied=None,
        status_code=status_code,
    )


def _message(status_code: int, body: object) -> str:
    """The best sentence that an error body offers, in either of the two JSON shapes or in none."""
    candidates = [_get(body, key) for key in ("message", "statusMessage", "error", "detail")]
    if isinstance(body, str):
        title = re.search(r"<title[^>]*>([^<]*)</title>", body[:10_000], re.IGNORECASE)
        candidates = [title and title[1]] if body.lstrip().startswith("<") else [body]
    for candidate in candidates:
        words = _printable(candidate) if isinstance(candidate, str) else ""
        if words:
            return words
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return "no message"


def _fields(call: Call, body: object) -> dict[str, str]:
    """The problems of a 400, by field: the server lists them under ``data.issues``."""
    fields: dict[str, str] = {}
    issues = _get(_get(body, "data"), "issues")
    for issue in cast("list[object]", issues) if isinstance(issues, list) else []:
        path = _get(issue, "path")
        if isinstance(path, list) and path:
            first, *rest = (str(step) for step in cast("list[object]", path))
            name = ".".join((dialects.caller_name(call.resource, first), *rest))
            problem = _printable(str(_get(issue, "message") or "invalid"))
            fields[name] = f"{fields[name]}; {problem}" if name in fields else problem
    return fields


def _printable(text: str) -> str:
    """A server's words as one line that any terminal or log takes: no control characters, no half of a character."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split()).rstrip(".")
    return words if len(words) <= 300 else f"{words[:300]}…"


def _get(value: object, key: str) -> object:
    return cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None


def _short(value: str | None) -> str:
    return "nothing" if value is None else ascii(value if len(value) <= 80 else f"{value[:80]}…")
