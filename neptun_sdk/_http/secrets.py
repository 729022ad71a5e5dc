"""Header values that are secrets: on a request only while it is sent, and masked wherever they come back."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
import traceback
from collections.abc import Generator, Iterable, Mapping
from typing import Any, NoReturn, cast

import httpx

# Real secrets are longer. Masking a shorter value would also mask ordinary words that contain it.
MIN_MASKED_LENGTH = 8


class _Current(threading.local):
    """The secrets of this thread's calls, which may be nested: a transport may make a call itself."""

    secrets: tuple[Secrets, ...] = ()


_current = _Current()


class Secrets(httpx.Auth):
    """The secret headers of a request, as httpx's authentication of it.

    They are kept in slots, which ``vars()`` does not show.

    Args:
        headers: The headers to set on each request.
        values: The texts to mask: the values of headers, or the parts of them that are secret.
    """

    __slots__ = ("_echoes", "_headers")

    def __init__(self, headers: Mapping[str, str], values: Iterable[str]) -> None:
        self._headers = dict(headers)
        # Four spellings: verbatim; \' from repr; \/ from PHP's JSON; as any JSON. The longest first, which may hold
        # another.
        found = sorted({value for value in values if len(value) >= MIN_MASKED_LENGTH}, key=len, reverse=True)
        spellings = (
            (each, each.replace("'", "\\'"), each.replace("/", "\\/"), json.dumps(each)[1:-1]) for each in found
        )
        self._echoes = tuple(dict.fromkeys(echo for four in spellings for echo in four))

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the headers on a request, and take them off when the request was sent or has failed."""
        headers = request.headers
        for name, value in self._headers.items():
            headers[name] = value  # `update` would make `httpx.Headers` of them first
        try:
            yield request
        finally:
            # httpx keeps the request on every response and exception, and does not mask these headers.
            for name in self._headers:
                request.headers.pop(name, None)  # a hook or a transport may have removed it

    def mask(self, text: str) -> str:
        """Replace the secrets in a text by ``***``."""
        for echo in self._echoes:
            text = text.replace(echo, "***")
        return text

    def mask_document(self, document: Any) -> Any:
        """Mask every text of a decoded JSON document, which is changed in place; return it."""
        if not hasattr(document, "__setitem__"):
            return self.mask(document) if isinstance(document, str) else document
        rest: list[Any] = [document]
        while rest:  # without recursion, and without a copy: a document may be deep and large
            node = rest.pop()
            if hasattr(node, "items"):
                for key in [key for key in node if self.mask(key) != key]:
                    node[self.mask(key)] = node.pop(key)
            for key, value in _entries(node):
                if isinstance(value, str):
                    node[key] = self.mask(value)
                elif hasattr(value, "__setitem__"):
                    rest.append(value)
        return document

    def mask_headers(self, headers: httpx.Headers) -> dict[str, str]:
        """Return the headers of a response, masked, with lower-case names and without ``Set-Cookie``."""
        found = dict(headers.items())
        found.pop("set-cookie", None)
        text = "\n".join([*found, *found.values()])
        if self.mask(text) == text:
            return found
        return {self.mask(name): self.mask(value) for name, value in found.items()}

    def mask_exception(self, exc: BaseException) -> bool:
        """Remove the secrets from an exception and its chain.

        Tracebacks go, because frames hold local variables; texts are masked, because a server may echo a secret.

        Returns:
            Whether none of its texts shows a secret now; that of an exception group, for one, cannot be changed.
        """
        chain = [exc]
        for link in chain:
            link.__traceback__ = None
            with contextlib.suppress(AttributeError, TypeError):  # an exception may define what cannot be set
                link.args = tuple(self._mask(part) for part in link.args)
                vars(link).update({name: self._mask(value) for name, value in vars(link).items()})
            if isinstance(link, OSError):
                link.strerror = self._mask(link.strerror)  # its text is made from this and the file's name
                if link.filename is not None:
                    link.filename = self._mask(link.filename)
            others: list[BaseException | None] = [link.__cause__, link.__context__]
            if isinstance(link, BaseExceptionGroup):
                others += cast("BaseExceptionGroup[BaseException]", link).exceptions
            seen = {id(known) for known in chain}  # an exception may define __eq__
            chain += [other for other in others if other is not None and id(other) not in seen]
        text = "\n".join(f"{link!r} {link}" for link in chain)
        return self.mask(text) == text

    def release(self, exc: BaseException) -> None:
        """Prepare an exception of the caller's code, or an interrupt, to be raised: a note keeps where it came from."""
        place = "".join(traceback.format_tb(exc.__traceback__)).rstrip()
        self.mask_exception(exc)
        if isinstance(exc, Exception):
            exc.add_note(self.mask(f"It was raised here (frames without local variables):\n{place}"))

    def __enter__(self) -> None:
        """Mask the secrets in what httpx and httpcore log from this thread, until the ``with`` block ends."""
        _current.secrets = (*_current.secrets, self)

    def __exit__(self, *exc_info: object) -> None:
        _current.secrets = _current.secrets[:-1]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}=***' for name in self._headers)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not pickled or copied, because it holds a secret")

    def _mask(self, value: Any) -> Any:
        """Mask what an exception holds: a copy, because it may be the caller's."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, bytes):
            return self.mask(value.decode("latin-1")).encode("latin-1")
        if type(value) in (list, tuple):
            return type(value)(map(self._mask, value))
        if isinstance(value, dict):
            items = cast("dict[object, object]", value).items()
            return {self._mask(key): self._mask(item) for key, item in items}
        return value


def _entries(node: Any) -> Iterable[tuple[Any, Any]]:
    return cast("Iterable[tuple[Any, Any]]", node.items() if hasattr(node, "items") else enumerate(node))


def mask_current(value: bytes) -> bytes:
    """Mask the secrets of this thread's calls in a header or a reason phrase."""
    return _mask_current_text(value.decode("latin-1")).encode("latin-1")


def _mask_current_text(text: str) -> str:
    for secrets in _current.secrets:
        text = secrets.mask(text)
    return text


def mask_current_exception(exc: BaseException) -> None:
    """Remove the secrets of this thread's calls from an exception and its chain."""
    for secrets in _current.secrets:
        secrets.mask_exception(exc)


def mask_library_logs() -> None:
    """Let the loggers of httpx and httpcore mask the secrets in use; calling it again changes nothing."""
    import httpcore  # loaded with the first client, to which this belongs

    for name in (f"{httpcore.__name__}.http11", httpx.__name__):  # httpx2 may stand in for httpx
        logging.getLogger(name).addFilter(_mask_record)
    logging.getLogger(f"{httpcore.__name__}.socks").addFilter(_mask_login)


def _mask_login(record: logging.LogRecord) -> bool:
    """Mask the user and the password of a SOCKS proxy: httpcore logs the arguments of the handshake."""
    record.msg, record.args = re.sub(r" auth=\(.*\)", " auth=***", record.getMessage()), None
    return True


def _mask_record(record: logging.LogRecord) -> bool:
    if _current.secrets:
        record.msg, record.args = _mask_current_text(record.getMessage()), None
    return True
