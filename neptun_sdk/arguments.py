"""What a caller or the environment passes in, checked before anything is sent.

Each function returns the checked value, or raises `ArgumentError` with the next step in its text.
"""

import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from neptun_sdk._contract import HEADERS, SERVER
from neptun_sdk._http.proxies import is_exposed
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.errors import ArgumentError
from neptun_sdk.models import Dialect

MAX_TIMEOUT = 86_400  # seconds
_MAX_URL = 2_000  # characters


# What the contract, the session, HTTP or the connection sets.
_RESERVED_HEADERS = (
    *("accept", "accept-encoding", "content-length", "content-type", "cookie", "expect", "host", "proxy-authorization"),
    *("connection", "content-encoding", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    *HEADERS,
    "x-neptun-session-session",  # a deployed server accepts it instead of the cookie
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a client calls its server: one value, checked however it is made. `NeptunClient` says what each part means.

    ``base_url`` has no slash at the end; ``origin`` is the same without a path, for messages.
    """

    base_url: str
    origin: str
    dialect: Dialect
    timeout: float
    max_retries: int
    max_response_size: int
    headers: Mapping[str, str] = field(repr=False)  # names in lower case; the values are secrets
    resend: bool = False

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ArgumentError(f"dialect (or NEPTUN_DIALECT) must be {' or '.join(map(repr, DIALECTS))}.")
        object.__setattr__(self, "timeout", _seconds(self.timeout))
        retries = integer(self.max_retries)
        if retries is None or retries < 0:
            raise ArgumentError("max_retries must be an int, 0 or more; 0 sends every request once.")
        size = integer(self.max_response_size)
        if size is None or size < 1:
            raise ArgumentError("max_response_size must be an int, the number of bytes that a response may have.")
        object.__setattr__(self, "max_retries", retries)
        object.__setattr__(self, "max_response_size", size)


def environment(name: str) -> str | None:
    """Return an environment variable without white space around it; ``None`` if it is unset or empty."""
    return os.environ.get(name, "").strip() or None


def integer(value: object) -> int | None:
    """Return an integer of any class, such as NumPy's or an enum's, as an int; ``None`` if it is not one."""
    if isinstance(value, bool):
        return None
    try:
        return int(operator.index(cast("Any", value)))
    except TypeError:
        return None


def check_id(name: str, value: object) -> int:
    """Return an id, which is an integer from 1 to 2**63 - 1."""
    number = integer(value)
    if number is None:
        raise ArgumentError(f"{name} must be a positive int, not {type(value).__name__}; nothing was sent.")
    if number < 1:
        raise ArgumentError(f"{name} must be a positive int (1 or more); nothing was sent.")
    if number >= 2**63:  # an id is an int64, and Python does not even print an int of some thousand digits
        raise ArgumentError(f"{name} is larger than any id (2**63 or more); nothing was sent.")
    return number


def check_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return headers, else those of ``$NEPTUN_HEADERS`` (one ``Name: value`` a line), with lower-case names.

    No message quotes a value: it may be a key.
    """
    place = "headers"
    if headers is None:
        place = "NEPTUN_HEADERS"
        lines = [line.partition(":") for line in (environment(place) or "").split("\n") if line.strip()]
        # What has no colon may be a key without its name: no name, so that no message shows it.
        entries: list[tuple[Any, Any]] = [
            (name.strip() if colon else "", value.strip()) for name, colon, value in lines
        ]
    elif isinstance(headers, Mapping):
        entries = list(headers.items())
    else:
        raise ArgumentError(f"headers must be a mapping of names to values, not {type(headers).__name__}.")
    checked: dict[str, str] = {}
    for number, (name, value) in enumerate(entries, 1):
        if not (isinstance(name, str) and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)):
            raise ArgumentError(f"{place}: entry {number} does not have the name of a header.")
        if name.lower() in _RESERVED_HEADERS:
            hint = "; pass it in proxy=" if name.lower() == "proxy-authorization" else ""
            raise ArgumentError(f"{place} may not set {name}: the SDK sets it, or it belongs to the connection{hint}.")
        if name.lower() in checked:
            raise ArgumentError(f"{place}: {name} stands twice.")
        check_header(name, value, f"{place}: ")
        checked[name.lower()] = text(value)
    return checked


def text(value: str) -> str:
    """Return a text of any class, such as an enum's, as a plain str."""
    return str.__str__(value)


def check_segment(name: str, value: str) -> str:
    """Return a text that is one segment of a path. What else it holds is percent-encoded."""
    if value in ("", ".", ".."):
        raise ArgumentError(f"{name} must be one segment of a path, not {value!r}; nothing was sent.")
    return value


def check_header(name: str, value: str, place: str = "") -> None:
    """Refuse what cannot be the value of a header. The message does not quote it: it may be a key."""
    if not (isinstance(value, str) and re.fullmatch(r"[\x21-\x7E]([\x20-\x7E\t]*[\x21-\x7E])?", value)):
        raise ArgumentError(f"{place}the value of {name} must be visible ASCII without a line break.")


def check_base_url(base_url: str | None, *, allow_http: bool) -> httpx.URL:
    """Return the server's address, else ``$NEPTUN_BASE_URL``, else the contract's, if a session may be sent there."""
    given = (environment("NEPTUN_BASE_URL") or SERVER) if base_url is None else base_url
    if not isinstance(given, str):
        raise ArgumentError(f"base_url must be a str, not {type(given).__name__}.")
    url, authority = _parse_url(given), "".join(given.split("/")[2:3])
    problems = {
        "is not a valid URL; it should look like https://host or https://host/prefix": url.host == "",
        "must start with https:// or http://": url.scheme not in ("https", "http"),
        "must not hold a user name or password: Neptun knows its users by the session cookie": "@" in authority,
        "must not have a query or a fragment: leave out everything from the first ? or # on": re.search("[?#]", given),
        "must not end in /api: the SDK adds it, so leave it out": url.path.rstrip("/").endswith("/api"),
        "is plain http, over which anyone on the way can read the session cookie: use https://, or set allow_http=True "
        "if the network is trusted": is_exposed(url) and not allow_http,
    }
    for problem, found in problems.items():
        if found:  # no message quotes the text, because user info in it may be a password
            raise ArgumentError(f"base_url {problem}.")
    return url


def _seconds(timeout: Any) -> float:
    try:
        seconds = 0.0 if isinstance(timeout, bool | str | bytes) else float(timeout)
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    if not 0 < seconds <= MAX_TIMEOUT:  # also refuses NaN; a socket takes no timeout of a month
        raise ArgumentError(f"timeout must be a number of seconds above 0, and at most {MAX_TIMEOUT} (a day).")
    return seconds


def _parse_url(text: str) -> httpx.URL:
    """Return a URL, which has no host if the text is not valid."""
    try:
        url = httpx.URL(text if len(text) <= _MAX_URL and re.fullmatch(r"[\x21-\x7E]+", text) else "")
        port = 443 if url.port is None else url.port
        return url if url.host.isprintable() and 0 < port <= 65535 else httpx.URL()  # the host is decoded here
    except (httpx.InvalidURL, ValueError):
        return httpx.URL()
