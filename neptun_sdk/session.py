"""The session: whose requests these are, and the cookie that proves it."""

import os
import re
from collections.abc import Generator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NoReturn

import httpx

from neptun_sdk.errors import ArgumentError

COOKIE_NAME = "neptun-session"

_HELP = (
    "Log in to Neptun in a browser, open the developer tools (F12), Application or Storage, Cookies, and copy the "
    f"value of {COOKIE_NAME}; pass it as session_cookie= or set NEPTUN_SESSION_COOKIE."
)
_HEADER_LINE = re.compile(r"(?:set-)?cookie:", re.IGNORECASE)
# cookie-octet of RFC 6265, section 4.1.1: visible ASCII without the double quote, comma, semicolon and backslash.
_COOKIE_OCTETS = re.compile(r"[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]+")


class Session(httpx.Auth):
    """One user's session cookie, put on each request as it leaves and taken off again.

    The cookie is in a slot, so that ``vars()`` does not show it, and this class never shows it either. It is set as a
    header, not through httpx's cookie jar: a jar would print it, send it twice after a server's ``Set-Cookie``, and
    carry it to other hosts.

    Args:
        cookie: The cookie's value, else ``$NEPTUN_SESSION_COOKIE``. A pasted ``neptun-session=…`` or a whole
            ``Cookie:`` or ``Set-Cookie:`` line is understood too.
        user_id: The id of the user whose session it is, else ``$NEPTUN_USER_ID``.

    Raises:
        ArgumentError: One of the two is missing or cannot be right.
    """

    __slots__ = ("_cookie", "user_id")

    def __init__(self, cookie: str | None, user_id: int | None) -> None:
        self.user_id: int = _parse_user_id(user_id)
        self._cookie = _parse_cookie(cookie)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the cookie on a request, and take it off when the request was sent or has failed."""
        request.headers["Cookie"] = f"{COOKIE_NAME}={self._cookie}"
        try:
            yield request
        finally:
            # httpx keeps the request on every response and exception, and does not mask this header.
            del request.headers["Cookie"]

    def mask(self, text: str) -> str:
        """Blot the cookie out of a text that came from outside, such as an error page that echoes the request."""
        return text.replace(self._cookie, "***")

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id}, cookie='***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Session is not pickled or copied, because it holds a secret; make a NeptunClient where it is used"
        )


def no_cookies() -> CookieJar:
    """A jar that stays empty: no cookie of an answer is adopted, as a 401 may bring a fresh anonymous session."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def check_id(name: str, value: object) -> int:
    """Return an id if it is a positive integer (as the contract demands), or raise `ArgumentError`."""
    if type(value) is not int:
        raise ArgumentError(f"{name} must be a positive int, not {type(value).__name__}; nothing was sent.")
    if value < 1:
        raise ArgumentError(f"{name} must be a positive int (1 or more); nothing was sent.")
    return value


def _parse_user_id(value: int | None) -> int:
    if value is not None:
        return check_id("user_id", value)
    text = os.environ.get("NEPTUN_USER_ID", "").strip()
    if not text:
        raise ArgumentError("user_id is missing: pass user_id= or set NEPTUN_USER_ID to the id of the session's user.")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ArgumentError("NEPTUN_USER_ID must be a positive integer.")
    return check_id("NEPTUN_USER_ID", int(text))


def _parse_cookie(value: str | None) -> str:
    # No message below quotes what was given: even a malformed cookie is a secret.
    if value is None:
        value = os.environ.get("NEPTUN_SESSION_COOKIE")
    if value is None:
        raise ArgumentError(f"The session cookie is missing. {_HELP}")
    if not isinstance(value, str):
        raise ArgumentError(f"session_cookie must be a str, not {type(value).__name__}. {_HELP}")
    text = value.strip(" \t")
    line = _HEADER_LINE.match(text)
    if line:
        text = text[line.end() :]
    if line or f"{COOKIE_NAME}=" in text:
        pairs = [part.strip(" \t").partition("=") for part in text.split(";")]
        found = {content.strip(" \t") for name, _, content in pairs if name.strip(" \t") == COOKIE_NAME}
        if len(found) != 1:
            raise ArgumentError(
                f"session_cookie holds {len(found) or 'no'} {COOKIE_NAME} cookies; one is needed. {_HELP}"
            )
        text = found.pop()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not text:
        raise ArgumentError(f"The session cookie is empty. {_HELP}")
    if not _COOKIE_OCTETS.fullmatch(text):
        raise ArgumentError(
            "session_cookie holds a character that no cookie value may have, such as a space, a line break, a quote, a "
            f"comma, a semicolon or a letter outside ASCII. {_HELP}"
        )
    return text
