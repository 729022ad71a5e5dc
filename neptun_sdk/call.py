"""Make a call: send the request, retry it, limit the size of the response and validate it."""

from __future__ import annotations

import itertools
import json
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Generic, cast

import httpx

from neptun_sdk import dialects, explain, models
from neptun_sdk._contract import CONTRACT
from neptun_sdk._version import __version__
from neptun_sdk.arguments import Settings
from neptun_sdk.connections import Connections
from neptun_sdk.errors import NeptunConnectionError, NeptunError
from neptun_sdk.models import Dialect, ResourceT
from neptun_sdk.network import Deadline
from neptun_sdk.operations import CallInfo
from neptun_sdk.retries import retry_delay
from neptun_sdk.session import Session

# Both decompress to about 1,000 times their size at most; other encodings, or two in a row, have no such bound.
ENCODINGS = ("gzip", "deflate")
MAX_DEPTH = 100  # levels of JSON that an error keeps: to pickle or copy it takes several frames for each
# Bytes of memory that a body may take when decoded, for each byte of max_response_size.
_MAX_MEMORY_RATIO = 6.5
_COMPRESSED_CHUNK_SIZE = 4096  # bytes that are decompressed at once, and so become 4 MiB at most
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": ", ".join(ENCODINGS),
    "User-Agent": (
        f"neptun-sdk/{__version__} contract/{CONTRACT} python/{sys.version.split()[0]} httpx/{httpx.__version__}"
    ),
}
# Python's own decoder accepts NaN and Infinity, which JSON does not have; of these, int raises ValueError.
_STRICT_JSON = json.JSONDecoder(parse_constant=int)
_log = logging.getLogger("neptun_sdk")


class Call(Generic[ResourceT]):
    """One call of one operation: ``info`` says which, and ``session`` for whom."""

    def __init__(
        self, info: CallInfo[ResourceT], settings: Settings, connections: Connections, session: Session
    ) -> None:
        self._info = info
        self._operation = info.operation
        self._settings = settings
        self._connections = connections
        self._session = session
        self._began = time.monotonic()

    def run(self) -> ResourceT:
        """Return the resource, after an update with every field as it was sent, or raise a `NeptunError`."""
        info, end = self._info, self._began + self._settings.timeout
        while True:
            outcome = self._attempt(Deadline(end))
            if not isinstance(outcome, NeptunError):
                return outcome
            info.maybe_applied = info.maybe_applied or outcome.applied is None
            if self._connections.closed.is_set() and isinstance(outcome, NeptunConnectionError):
                outcome = explain.closed(info)
                break
            retries = self._settings.max_retries
            delay = retry_delay(outcome, info, max_retries=retries, remaining=end - time.monotonic())
            if delay is None:
                break
            what = getattr(outcome, "status_code", None) or type(outcome.__cause__).__name__
            _log.info("%s: %s in attempt %d of %d; retrying in %.2f s", info, what, info.attempts, retries + 1, delay)
            if self._connections.closed.wait(delay):
                outcome = explain.closed(info)
                break
        if info.attempts > 1:
            _log.warning("given up: %s", outcome)
        try:
            # Not in `_attempt`: a traceback keeps its frames alive, and those hold the response before masking.
            raise outcome
        finally:
            del outcome  # which holds this frame by its traceback

    def _attempt(self, deadline: Deadline) -> ResourceT | NeptunError:
        """Send the request once; return the resource, or the error to raise."""
        info, started = self._info, time.monotonic()
        info.attempts += 1
        response: httpx.Response | None = None
        result: object = "no response"
        try:
            with self._session, self._connections.send(self._request(deadline), self._session, deadline) as response:
                result = response.status_code
                content = self._read(response, deadline)
        except Exception as exc:
            result = type(exc).__name__
            if not self._connections.may_raise(exc):
                raise
            is_clean = self._session.mask_exception(exc)
            status_code = None if response is None else response.status_code
            elapsed = time.monotonic() - self._began
            failure = explain.from_exception(
                info,
                exc,
                self._settings.origin,
                elapsed,
                status_code=status_code,
                proxy_variable=self._connections.proxy_variable,
            )
            failure.args = (self._session.mask(str(failure)),)  # not every text of an exception can be changed
            failure.__cause__ = exc if is_clean else None
            return failure
        finally:
            milliseconds = (time.monotonic() - started) * 1000
            _log.debug("%s: attempt %d: %s in %.0f ms", info, info.attempts, result, milliseconds)
        return content if isinstance(content, NeptunError) else self._outcome(response, content)

    def _request(self, deadline: Deadline) -> httpx.Request:
        """Build the request, for each attempt again: tracing tools add headers to it."""
        resource, dialect = self._operation.resource, self._info.dialect
        body = {dialects.wire_name(resource, dialect, name): value for name, value in self._info.fields.items()}
        parts = self._operation.request(self._info.ids, body)
        parts["url"] = self._settings.base_url + parts["url"]
        parts["headers"] = {**_HEADERS, **parts.get("headers", {})}
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), deadline)
        return httpx.Request(**parts, extensions={"timeout": timeouts})

    def _read(self, response: httpx.Response, deadline: Deadline) -> bytearray | NeptunError:
        """Read a body within the deadline and the largest size; return it decompressed, or the error to raise."""
        encoding = self._session.mask(response.headers.get("Content-Encoding", "").strip())
        if encoding.lower() in ENCODINGS:
            response.stream = _SmallChunks(response.stream)
        elif encoding.lower() not in ("", "identity"):
            problem = f"is encoded as {explain.printable(encoding)[:40]!r}, which was not asked for"
            return self._invalid_body(response, problem)
        limit = self._settings.max_response_size
        content = bytearray()
        try:
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > limit:
                    return self._invalid_body(response, f"is larger than max_response_size ({limit:,} bytes)")
                if deadline.remaining() <= 0:  # a transport of the caller's own counts for each read again
                    raise httpx.ReadTimeout("the time of the call is over")
        except httpx.DecodingError as exc:
            problem = f"cannot be decompressed ({explain.printable(self._session.mask(str(exc)))})"
            return self._invalid_body(response, problem)
        return content

    def _outcome(self, response: httpx.Response, content: bytearray) -> ResourceT | NeptunError:
        """Check a response; return the resource, or the error to raise."""
        is_error = response.status_code != 200
        try:
            text = content.decode(errors="replace" if is_error else "strict").removeprefix("\ufeff")
        except UnicodeDecodeError as exc:
            return self._invalid_body(response, f"is not JSON ({type(exc).__name__})")
        content.clear()  # the memory is needed below
        text = self._session.mask(text)
        limit = self._settings.max_response_size
        # A smaller one cannot take as much: no JSON takes more than some fifty times its size. Counting takes time.
        too_large = len(text) > limit // 8 and _decoded_size(text) > _MAX_MEMORY_RATIO * limit + 10_000
        if is_error:
            body = text if too_large else self._decode_error(text)
            return explain.from_response(self._info, response.status_code, self._masked_headers(response), body)
        if too_large:
            return self._invalid_body(response, f"takes more memory than max_response_size ({limit:,} bytes) allows")
        try:
            document = self._decode(text)
        except (ValueError, RecursionError) as exc:
            return self._invalid_body(response, f"is not JSON ({type(exc).__name__})")
        found, dialect = dialects.from_wire(self._operation, document)
        envelope = self._operation.envelope
        problem = models.first_problem(self._operation.fields, found, place=envelope)
        row: dict[str, Any] = cast("Any", found) if isinstance(found, dict) else {}
        other = self._other_ids(row)
        differences = self._differences(row, dialect)
        if problem:
            applied = None if other or differences else True
            article = "an" if envelope[0] in "aeiou" else "a"
            return self._invalid_body(response, f"is not {article} {envelope} ({problem})", applied)
        if other:
            return self._invalid_body(response, f"is about another {envelope} ({other})")
        resource = self._operation.read(row)
        if not differences:
            return resource
        if is_deeper(row, MAX_DEPTH):
            return self._invalid_body(response, f"is nested more than {MAX_DEPTH} levels deep")
        return explain.not_verified(self._info, differences, resource, dialect)

    def _other_ids(self, row: Mapping[str, Any]) -> str:
        """Name the ids of a resource that are not those of the call; empty if there are none."""
        problems: list[str] = []
        for name, asked in self._info.ids.items():
            field = self._operation.id_fields.get(name)
            if field and not (type(row.get(field)) is int and row[field] == asked):
                problems.append(f"{field} is {explain.printable(repr(row.get(field)))}, not {asked}")
        return "; ".join(problems)

    def _differences(self, row: Mapping[str, Any], dialect: Dialect) -> dict[str, tuple[str, str | None]]:
        """Compare what came back with every field that was sent, and return ``{field: (sent, returned)}``."""
        fields = self._info.fields
        if all(row.get(name) == sent for name, sent in fields.items()):
            return {}
        # A text that was cleared may come back null or absent, if the server has such a field at all.
        clearable = {field.name for field in self._operation.fields if field.optional}
        clearable.difference_update(dialects.dropped(self._info, dialect, fields))
        returned = {name: "" if name in clearable and row.get(name) is None else row.get(name) for name in fields}
        return {name: (sent, row.get(name)) for name, sent in fields.items() if returned[name] != sent}

    def _invalid_body(self, response: httpx.Response, problem: str, applied: bool | None = None) -> NeptunError:
        headers = self._masked_headers(response)
        return explain.invalid_body(self._info, response.status_code, headers, problem, applied)

    def _masked_headers(self, response: httpx.Response) -> dict[str, str]:
        headers = self._session.mask(dict(response.headers))
        headers.pop("set-cookie", None)
        return headers

    def _decode(self, text: str) -> object:
        """Decode a masked text; raises `ValueError` or `RecursionError` if it is not JSON."""
        # An escape may have hidden the cookie. One character is found ten times as fast as two. No JSON has a NUL.
        if "\\" in text and ("\\u00" in text or "\\/" in text) and "\0" not in text:
            # Piece by piece, because each replacement takes more memory than the text that it replaces.
            text = self._session.mask("".join(map(_unescaped, _PIECE.findall(text))))
        return _STRICT_JSON.decode(text)

    def _decode_error(self, text: str) -> object:
        """Return the body of an error: decoded JSON, else text, else ``None`` if it is empty."""
        try:
            body = self._decode(text) if text.strip() else None
        except (ValueError, RecursionError):
            return text
        return text if is_deeper(body, MAX_DEPTH) else body


def _decoded_size(text: str) -> int:
    """Estimate how many bytes of memory a JSON text and all that is decoded from it take; rather too many.

    The strings take as much as the text, in which a single emoji makes every letter take four bytes. Objects, arrays
    and short values take up to thirty times the bytes of their JSON.
    """
    structure = 192 * text.count("{") + 96 * text.count("[") + 64 * text.count(",") + 16 * text.count(":")
    return 2 * sys.getsizeof(text) + structure


# A piece of a text, which does not end within an escape.
_PIECE = re.compile(r"(?:[^\\]|\\(?:u[0-9A-Fa-f]{4}|.|$)){1,65536}+", re.DOTALL)
_ESCAPE = re.compile(r"\\u00([2-7][0-9A-Fa-f])")  # of visible ASCII


def _unescaped(piece: str) -> str:
    """Replace the JSON escapes of characters that may stand unescaped in JSON and be part of a cookie."""
    # An escaped backslash is set aside as a NUL: what follows it is no escape.
    piece = piece.replace("\\\\", "\0").replace("\\/", "/")
    return _ESCAPE.sub(_character, piece).replace("\0", "\\\\")


def _character(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return escape[0] if character in ('"', "\\") else character


def is_deeper(document: Any, levels: int) -> bool:
    """Tell whether decoded JSON is nested more deeply."""
    layer: list[Any] = [document]
    for _ in range(levels):
        objects: list[dict[str, Any]] = [each for each in layer if isinstance(each, dict)]
        arrays: list[list[Any]] = [each for each in layer if isinstance(each, list)]
        layer = [*itertools.chain(*(each.values() for each in objects), *arrays)]
    return any(isinstance(each, dict | list) for each in layer)


class _SmallChunks(httpx.SyncByteStream):
    """A compressed body in small chunks: httpx decompresses each at once, however large the result is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            for start in range(0, len(chunk), _COMPRESSED_CHUNK_SIZE):
                yield chunk[start : start + _COMPRESSED_CHUNK_SIZE]

    def close(self) -> None:
        self._stream.close()
