"""What a caller or the environment passes in, checked before anything is sent.

Each function returns the checked value, or raises `ArgumentError` with the next step in its text.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from neptun_sdk.dialects import DIALECTS, wire_name
from neptun_sdk.errors import ArgumentError
from neptun_sdk.models import Dialect, Resource

MAX_TIMEOUT = 86_400  # seconds
DEFAULT_BASE_URL = "https://neptun-webui.vercel.app"
_MAX_URL = 2_000  # characters


@dataclass(frozen=True)
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

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ArgumentError(f"dialect (or NEPTUN_DIALECT) must be {' or '.join(map(repr, DIALECTS))}.")
        object.__setattr__(self, "timeout", _seconds(self.timeout))
        if type(self.max_retries) is not int or self.max_retries < 0:
            raise ArgumentError("max_retries must be an int, 0 or more; 0 sends every request once.")
        if type(self.max_response_size) is not int or self.max_response_size < 1:
            raise ArgumentError("max_response_size must be an int, the number of bytes that a response may have.")


def environment(name: str) -> str | None:
    """Return an environment variable without white space around it; ``None`` if it is unset or empty."""
    return os.environ.get(name, "").strip() or None


def check_id(name: str, value: object) -> int:
    """Return an id if it is a positive int below 2**63."""
    if type(value) is not int:
        raise ArgumentError(f"{name} must be a positive int, not {type(value).__name__}; nothing was sent.")
    if value < 1:
        raise ArgumentError(f"{name} must be a positive int (1 or more); nothing was sent.")
    if value >= 2**63:  # an id is an int64, and Python does not even print an int of some thousand digits
        raise ArgumentError(f"{name} is larger than any id (2**63 or more); nothing was sent.")
    return value


def check_fields(values: Mapping[str, object]) -> dict[str, str]:
    """Return the fields to send, which are those that are not ``None``; there must be at least one."""
    fields: dict[str, str] = {}
    for name, value in values.items():
        if value is None:
            continue
        if not isinstance(value, str):
            raise ArgumentError(f"{name} must be a str, not {type(value).__name__}; nothing was sent.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ArgumentError(f"{name} has a lone surrogate, which UTF-8 cannot encode; nothing was sent.") from None
        fields[name] = value
    if not fields:
        raise ArgumentError(f"no field was given: pass at least one of {', '.join(values)}. Nothing was sent.")
    return fields


def check_sendable(
    fields: Mapping[str, str], resource: type[Resource], dialect: Dialect, mask: Callable[[str], str]
) -> None:
    """Refuse a field that holds the session, which ``mask`` takes out of a text, or that the server does not have."""
    for name, text in fields.items():
        if mask(text) != text:
            raise ArgumentError(f"{name} holds the session cookie, which is a secret; nothing was sent.")
        if wire_name(resource, dialect, name) is None:
            raise ArgumentError(f"a deployed server has no {name}: leave it out. Nothing was sent.")


def check_base_url(base_url: str | None, *, allow_http: bool) -> httpx.URL:
    """Return the server's address, else ``$NEPTUN_BASE_URL``, else the contract's, if a session may be sent there."""
    text = (environment("NEPTUN_BASE_URL") or DEFAULT_BASE_URL) if base_url is None else base_url
    if not isinstance(text, str):
        raise ArgumentError(f"base_url must be a str, not {type(text).__name__}.")
    url, authority = _parse_url(text), "".join(text.split("/")[2:3])
    problems = {
        "is not a valid URL; it should look like https://host or https://host/prefix": url.host == "",
        "must start with https:// or http://": url.scheme not in ("https", "http"),
        "must not hold a user name or password: Neptun knows its users by the session cookie": "@" in authority,
        "must not have a query or a fragment: leave out everything from the first ? or # on": re.search("[?#]", text),
        "must not end in /api: the SDK adds it, so leave it out": url.path.rstrip("/").endswith("/api"),
        "is plain http, over which anyone on the way can read the session cookie: use https://, or set allow_http=True "
        "if the network is trusted": url.scheme == "http" and not allow_http and not is_loopback(url.host),
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


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
