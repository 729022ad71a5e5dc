"""The session: whose requests these are, and the cookie that proves it."""

import logging
import math
import os
import re
import threading
from collections.abc import Generator
from typing import Any, NoReturn, TypeVar, cast

import httpx

from neptun_sdk.arguments import check_id
from neptun_sdk.errors import ArgumentError

COOKIE_NAME = "neptun-session"

_HELP = (
    "Log in to Neptun in a browser, open the developer tools (F12), Application or Storage, Cookies, and copy the "
    f"value of {COOKIE_NAME}; pass it as session_cookie= or set NEPTUN_SESSION_COOKIE."
)
_HEADER_LINE = re.compile(r"(?:set-)?cookie:", re.IGNORECASE)
# cookie-octet of RFC 6265, section 4.1.1: visible ASCII without the double quote, comma, semicolon and backslash.
_COOKIE_OCTETS = re.compile(r"[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]+")


# Shorter than any real session; blotting out one that short would garble words that only look like it.
_SHORTEST_SECRET = 8

Value = TypeVar("Value")


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
        _here.session = self
        try:
            yield request
        finally:
            # httpx keeps the request on every response and exception, and does not mask this header.
            del request.headers["Cookie"]
            _here.session = None

    def mask(self, value: Value, levels: float = math.inf) -> Value:
        """Blot the cookie out of a text that came from outside, or of every text in a decoded JSON document.

        Args:
            value: The text or the document.
            levels: How deeply the document may be nested.

        Raises:
            ValueError: It is nested more deeply.
        """
        return cast(Value, self._mask(value, levels))

    def _mask(self, value: Any, levels: float) -> Any:
        if isinstance(value, str):
            return value if len(self._cookie) < _SHORTEST_SECRET else value.replace(self._cookie, "***")
        if not isinstance(value, dict | list):
            return value
        if not levels:
            raise ValueError("nested too deeply")
        if isinstance(value, list):
            return [self._mask(item, levels - 1) for item in cast("list[object]", value)]
        items = cast("dict[str, object]", value).items()
        return {self._mask(key, levels): self._mask(item, levels - 1) for key, item in items}

    def clean(self, fault: BaseException) -> None:
        """Take out of an exception and its chain what may show the cookie: frames with local variables, and echoes."""
        chain = [fault]
        for link in chain:
            link.__traceback__ = None
            link.args = tuple(self.mask(part) if isinstance(part, str) else part for part in link.args)
            chain += [other for other in (link.__cause__, link.__context__) if other is not None and other not in chain]

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id}, cookie='***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Session is not pickled or copied, because it holds a secret; make a NeptunClient where it is used"
        )


class _MaskedLog(logging.Filter):
    """Masks what other libraries log of an answer, which may echo the cookie of the session that this thread sends."""

    def filter(self, record: logging.LogRecord) -> bool:
        session: Session | None = getattr(_here, "session", None)
        if session is not None:
            record.msg, record.args = session.mask(record.getMessage()), None
        return True


_here = threading.local()
for _name in ("httpcore.http11", "httpx"):
    logging.getLogger(_name).addFilter(_MaskedLog())


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
