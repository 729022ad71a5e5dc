"""What a caller or the environment gives, checked: whatever cannot be right is refused here, before anything is sent.

Each function returns what it was given, or raises `ArgumentError` with the next step in its text.
"""

import ipaddress
import os
import re
from collections.abc import Mapping

import httpx

from neptun_sdk.dialects import DIALECTS, Dialect
from neptun_sdk.errors import ArgumentError

LONGEST_TIMEOUT = 86_400  # seconds
DEFAULT_BASE_URL = "https://neptun-webui.vercel.app"


def check_id(name: str, value: object) -> int:
    """Return an id if it is a positive integer (as the contract demands), or raise `ArgumentError`."""
    if type(value) is not int:
        raise ArgumentError(f"{name} must be a positive int, not {type(value).__name__}; nothing was sent.")
    if value < 1:
        raise ArgumentError(f"{name} must be a positive int (1 or more); nothing was sent.")
    if value >= 2**63:  # no server counts further, and Python does not even print an int of some thousand digits
        raise ArgumentError(f"{name} is larger than any id (2**63 or more); nothing was sent.")
    return value


def check_fields(given: Mapping[str, str | None]) -> dict[str, str]:
    """Return the fields that were given, or raise `ArgumentError` where one cannot be sent or there is none."""
    fields: dict[str, str] = {}
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(value, str):
            raise ArgumentError(f"{name} must be a str, not {type(value).__name__}; nothing was sent.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ArgumentError(
                f"{name} holds half of a surrogate pair, which UTF-8 cannot carry; nothing was sent."
            ) from None
        fields[name] = value
    if not fields:
        raise ArgumentError(f"no field to update was given; give at least one of {', '.join(given)}. Nothing was sent.")
    return fields


def check_dialect(dialect: str | None) -> Dialect:
    """Return the dialect, else that of ``$NEPTUN_DIALECT``, else the documented one."""
    chosen = os.environ.get("NEPTUN_DIALECT") or "documented" if dialect is None else dialect
    for known in DIALECTS:
        if chosen == known:
            return known
    raise ArgumentError(f"dialect (or NEPTUN_DIALECT) must be {' or '.join(map(repr, DIALECTS))}.")


def check_timeout(timeout: float) -> float:
    """Return a number of seconds if a call can end within it."""
    # bool is an int, NaN fails every comparison, and a socket takes no timeout of a month.
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= LONGEST_TIMEOUT:
        raise ArgumentError(f"timeout must be a positive, finite number of seconds, {LONGEST_TIMEOUT} (a day) at most.")
    return timeout


def check_max_retries(max_retries: int) -> int:
    """Return a number of retries if it is one."""
    if type(max_retries) is not int or max_retries < 0:
        raise ArgumentError("max_retries must be an int, 0 or more; 0 sends every request once.")
    return max_retries


def check_base_url(base_url: str | None, allow_http: bool) -> httpx.URL:
    """Return the server's address, else ``$NEPTUN_BASE_URL``, else the contract's, if a session may go there."""
    text = os.environ.get("NEPTUN_BASE_URL") or DEFAULT_BASE_URL if base_url is None else base_url
    # The text is not quoted below: a base URL with user info holds a password.
    if not isinstance(text, str):
        raise ArgumentError(f"base_url must be a str, not {type(text).__name__}.")
    if re.search(r"[^\x21-\x7E]", text):
        raise ArgumentError("base_url must not hold spaces, control characters or letters outside ASCII.")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ArgumentError(
            "base_url is not a valid URL; it should look like https://host or https://host/prefix."
        ) from None
    if url.scheme not in ("https", "http") or not url.host:
        raise ArgumentError(
            "base_url must start with https:// and name a host, such as https://host or https://host/prefix."
        )
    if "@" in text.split("/")[2]:
        raise ArgumentError(
            "base_url must not hold a user name or password: Neptun knows its users by the session cookie."
        )
    if "?" in text or "#" in text:
        raise ArgumentError(
            "base_url must not have a query or a fragment: leave out everything from the first ? or # on."
        )
    if url.scheme == "http" and not allow_http and not is_loopback(url.host):
        raise ArgumentError(
            "base_url is plain http, over which anyone on the way can read the session cookie: use https://, or set "
            "allow_http=True if the network is trusted."
        )
    return url


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that nobody on the way reads plain http."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
