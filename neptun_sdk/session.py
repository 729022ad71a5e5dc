"""The session of a user: the cookie is checked once, put on each request, and masked everywhere else."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Generator
from typing import Any, NoReturn, TypeVar, cast

import httpx

from neptun_sdk.arguments import check_id, environment
from neptun_sdk.errors import ArgumentError

COOKIE_NAME = "neptun-session"

_HOW_TO_GET = f"log in to Neptun, copy the value of {COOKIE_NAME} (browser: F12, Application or Storage, Cookies)"
# What a user may have pasted: the value alone, name=value, a Cookie: line, or curl's -H with one; in quotes or not.
_PASTED = re.compile(r"""(?is)(?:-H\s*(?=["']?(?:set-)?cookie:))?(["']?)((?:set-)?cookie:)?(.*)\1""")
# RFC 6265, section 4.1.1: visible ASCII without the double quote, comma, semicolon and backslash.
_NOT_COOKIE_OCTET = re.compile(r"[^\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]")
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
# Real cookies are far longer. Masking a shorter value would also mask ordinary words that contain it.
MIN_MASKED_LENGTH = 8

Value = TypeVar("Value")


class _Current(threading.local):
    """The sessions of this thread's calls, which may be nested: a transport may make a call of its own."""

    sessions: tuple[Session, ...] = ()


_current = _Current()


class Session(httpx.Auth):
    """One user's session, as httpx's authentication of a request.

    The cookie is set as a header, not in httpx's cookie jar: a jar would print it, send it twice after a server's
    ``Set-Cookie``, and carry it to other hosts. It is kept in a slot, which ``vars()`` does not show. A pasted
    ``neptun-session=…`` or a whole ``Cookie:`` line is understood too.

    Raises:
        ArgumentError: The cookie or the id cannot be right. The message does not quote the cookie.
    """

    __slots__ = ("_cookie", "_echoes", "user_id")

    def __init__(self, cookie: str, user_id: int) -> None:
        self.user_id: int = check_id("user_id", user_id)
        self._cookie = _parse_cookie(cookie)
        # As it is, as repr shows it beside a double quote, and as some encoders of JSON escape it.
        echoes = (self._cookie, self._cookie.replace("'", "\\'"), self._cookie.replace("/", "\\/"))
        self._echoes = dict.fromkeys(echoes) if len(self._cookie) >= MIN_MASKED_LENGTH else {}

    @classmethod
    def from_environment(cls, cookie: str | None, user_id: int | None) -> Session:
        """Make a session; what is ``None`` is taken from ``$NEPTUN_SESSION_COOKIE`` and ``$NEPTUN_USER_ID``."""
        cookie = environment("NEPTUN_SESSION_COOKIE") if cookie is None else cookie
        user_id = _user_id_of_environment() if user_id is None else user_id
        if cookie is None or user_id is None:
            no_id = "user_id is missing: pass user_id= or set NEPTUN_USER_ID to the id of the session's user."
            how = f"{_HOW_TO_GET}, and pass it as session_cookie= or set NEPTUN_SESSION_COOKIE"
            no_cookie = f"session_cookie is missing: {how}."
            raise ArgumentError(" ".join([no_id] * (user_id is None) + [no_cookie] * (cookie is None)))
        return cls(cookie, user_id)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the cookie on a request, and take it off when the request was sent or has failed."""
        request.headers["Cookie"] = f"{COOKIE_NAME}={self._cookie}"
        try:
            yield request
        finally:
            # httpx keeps the request on every response and exception, and does not mask this header.
            del request.headers["Cookie"]

    def mask(self, value: Value) -> Value:
        """Replace the cookie by ``***`` in a text, or in every text of a decoded JSON document."""
        return cast("Value", self._mask(value))

    def _mask(self, value: Any) -> Any:
        if isinstance(value, str):
            for echo in self._echoes:
                value = value.replace(echo, "***")
            return value
        if isinstance(value, bytes):
            return self._mask(value.decode("latin-1")).encode("latin-1")
        if not isinstance(value, dict | list):
            return value
        if isinstance(value, list):
            return [self._mask(item) for item in cast("list[object]", value)]
        items = cast("dict[str, object]", value).items()
        return {self._mask(key): self._mask(item) for key, item in items}

    def mask_exception(self, exc: BaseException) -> bool:
        """Remove the cookie from an exception and its chain.

        Tracebacks go, because frames hold local variables; texts are masked, because a server may echo the cookie.

        Returns:
            Whether none of its texts shows the cookie now; that of an exception group, for one, cannot be changed.
        """
        chain = [exc]
        for link in chain:
            link.__traceback__ = None
            with contextlib.suppress(AttributeError, TypeError):  # an exception may define what cannot be set
                link.args = tuple(self.mask(part) for part in link.args)
                vars(link).update({name: self.mask(value) for name, value in vars(link).items()})
            if isinstance(link, OSError):
                link.strerror = self.mask(link.strerror)  # its text is made from this and the file's name
                if link.filename is not None:
                    link.filename = self.mask(link.filename)
            others = (link.__cause__, link.__context__, *getattr(link, "exceptions", ()))  # the last ones of a group
            seen = {id(known) for known in chain}  # an exception may define an equality of its own
            chain += [other for other in others if other is not None and id(other) not in seen]
        texts = [f"{link!r} {link}" for link in chain]
        return self.mask(texts) == texts

    def __enter__(self) -> None:
        """Mask the cookie in what httpx and httpcore log from this thread, until the ``with`` block ends."""
        _current.sessions = (*_current.sessions, self)

    def __exit__(self, *exc_info: object) -> None:
        _current.sessions = _current.sessions[:-1]

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id}, cookie='***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Session is not pickled or copied, because it holds a secret; make a NeptunClient where it is used"
        )


def mask_current(value: Value) -> Value:
    """Mask the cookies of this thread's calls, as `Session.mask` does."""
    for session in _current.sessions:
        value = session.mask(value)
    return value


def mask_current_exception(exc: BaseException) -> None:
    """Remove the cookies of this thread's calls from an exception and its chain."""
    for session in _current.sessions:
        session.mask_exception(exc)


def mask_library_logs() -> None:
    """Let the loggers of httpx and httpcore mask the cookies in use; calling it again changes nothing."""
    for name in ("httpcore.http11", "httpx"):
        logging.getLogger(name).addFilter(_mask_record)


def _mask_record(record: logging.LogRecord) -> bool:
    if _current.sessions:
        record.msg, record.args = mask_current(record.getMessage()), None
    return True


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
        position = value.index(text) + wrong.start() + 1  # in what was passed, of which the text is a part
        raise ArgumentError(
            f"session_cookie contains {name} at position {position}, which no cookie may have; {_HOW_TO_GET} again."
        )
    return text


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
