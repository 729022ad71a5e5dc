"""The session of a user: its cookie is understood, checked, and put on each request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from neptun_sdk._contract import COOKIE_NAME
from neptun_sdk._http.secrets import Secrets
from neptun_sdk.arguments import check_id, environment
from neptun_sdk.errors import ArgumentError

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
NO_SESSION = "a shared client has no session; call with_session first. Nothing was sent."

_HOW_TO_GET = f"log in to Neptun, copy the value of {COOKIE_NAME} (browser: F12, Application or Storage, Cookies)"
# What a user may have pasted: the value alone, name=value, a Cookie: line, or curl's -H with one; in quotes or not.
_PASTED = re.compile(r"""(?is)(?:-H\s*(?=["']?(?:set-)?cookie:))?(["']?)((?:set-)?cookie:)?(.*)\1""")
# RFC 6265, section 4.1.1: visible ASCII without the double quote, comma, semicolon and backslash.
_NOT_COOKIE_OCTET = re.compile(r"[^\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]")
# Headers whose values are not secrets, and that servers are meant to log or to return.
_PUBLIC_HEADERS = ("traceparent", "tracestate", "user-agent", "x-correlation-id", "x-request-id")
_NUMBER = re.compile(r"[0-9TZ.:+-]{1,24}")
_NAMES = {
    " ": "a space",
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a line break",
    '"': "a quote",
    ",": "a comma",
    ";": "a semicolon",
    "\\": "a backslash",
}


class Session(Secrets):
    """One user's session: the cookie, and the headers that a client sends with each request.

    The cookie is set as a header, not in httpx's cookie jar: a jar would print it, send it twice after a server's
    ``Set-Cookie``, and carry it to other hosts. A pasted ``neptun-session=…`` or a whole ``Cookie:`` line is
    understood too.

    Args:
        cookie: The value of the cookie.
        user_id: The id of the user whose session it is.
        headers: Checked headers, whose values are masked as the cookie is.

    Raises:
        ArgumentError: The cookie or the id cannot be right. The message does not quote the cookie.
    """

    __slots__ = ("_cookie", "user_id")

    def __init__(self, cookie: str, user_id: int, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        self.user_id: int = check_id("user_id", user_id)
        self._cookie = _parse_cookie(cookie)
        secret = [value for name, value in headers.items() if name not in _PUBLIC_HEADERS]
        # Of "Bearer abc", a server may echo the second word alone. A number or a date is not a key, and a resource has
        # such values too.
        words = [word for value in secret for word in (value, value.split()[-1]) if not _NUMBER.fullmatch(word)]
        super().__init__({**headers, "Cookie": f"{COOKIE_NAME}={self._cookie}"}, [self._cookie, *words])

    def with_headers(self, headers: Mapping[str, str]) -> Session:
        """Return the same session with other headers."""
        return Session(self._cookie, self.user_id, headers)

    @classmethod
    def from_environment(cls, cookie: str | None, user_id: int | None, headers: Mapping[str, str]) -> Session:
        """Make a session; ``None`` stands for ``$NEPTUN_SESSION_COOKIE`` and ``$NEPTUN_USER_ID``."""
        cookie = environment("NEPTUN_SESSION_COOKIE") if cookie is None else cookie
        user_id = _user_id_of_environment() if user_id is None else user_id
        if cookie is None or user_id is None:
            no_id = "user_id is missing: pass user_id= or set NEPTUN_USER_ID to the id of the session's user."
            how = f"{_HOW_TO_GET}, and pass it as session_cookie= or set NEPTUN_SESSION_COOKIE"
            no_cookie = f"session_cookie is missing: {how}."
            raise ArgumentError(" ".join([no_id] * (user_id is None) + [no_cookie] * (cookie is None)))
        return cls(cookie, user_id, headers)

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id}, cookie='***')"


def _user_id_of_environment() -> int | None:
    text = environment("NEPTUN_USER_ID")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ArgumentError("NEPTUN_USER_ID must be a positive integer.")
    return check_id("NEPTUN_USER_ID", int(text))


def _parse_cookie(value: object) -> str:
    # No message quotes the value: even a malformed cookie is a secret.
    if not isinstance(value, str):
        reason = "the request carries no session" if value is None else f"it must be a str, not {type(value).__name__}"
        raise ArgumentError(f"session_cookie: {reason}; nothing was sent. Pass the user's {COOKIE_NAME} cookie.")
    pasted = cast("re.Match[str]", _PASTED.fullmatch(value.strip(" \t")))
    text = pasted[3]
    if pasted[2] or f"{COOKIE_NAME}=" in text:
        pairs = [part.partition("=") for part in text.split(";")]
        found = {_unquoted(content.strip(" \t")) for name, _, content in pairs if name.strip(" \t") == COOKIE_NAME}
        if len(found) != 1:
            raise ArgumentError(
                f"session_cookie holds {len(found)} {COOKIE_NAME} cookies; one is needed: {_HOW_TO_GET}."
            )
        text = found.pop()
    if not text:
        raise ArgumentError(f"session_cookie is empty, so there is no session: {_HOW_TO_GET}, and pass it.")
    wrong = _NOT_COOKIE_OCTET.search(text)
    if wrong:
        name = _NAMES.get(wrong[0], f"the character U+{ord(wrong[0]):04X}")
        position = value.index(text) + wrong.start() + 1  # in the passed value, which contains the text
        raise ArgumentError(
            f"session_cookie contains {name} at position {position}, which no cookie may have; {_HOW_TO_GET} again."
        )
    return text


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
