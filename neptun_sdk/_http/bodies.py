"""The body of a response: read within bounds, decompressed, and decoded as JSON."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

import httpx

from neptun_sdk._http.deadline import Deadline
from neptun_sdk._http.secrets import Secrets

# Both decompress to about 1,000 times their size at most; other encodings, or two in a row, have no such bound.
ENCODINGS = ("gzip", "deflate")
MAX_DEPTH = 100  # levels of JSON that an error keeps: to pickle or copy it takes several frames for each
_COMPRESSED_CHUNK_SIZE = 4096  # bytes that are decompressed at once, and so become 4 MiB at most
# Bytes of memory that a body may take when decoded, for each byte of the largest size.
_MAX_MEMORY_RATIO = 6.5
_MAX_BYTES_PER_CHARACTER = 50  # of memory, that any JSON takes when decoded: below, no estimate is needed
# Python's own decoder accepts NaN and Infinity, which JSON does not have; of these, int raises ValueError.
_STRICT_JSON = json.JSONDecoder(parse_constant=int)


class BodyError(Exception):
    """A body that cannot be used. The text completes "the body …"; it is masked."""


class BodyTooLargeError(BodyError):
    """A body takes more than the limit allows."""


def read_body(response: httpx.Response, secrets: Secrets, deadline: Deadline, limit: int) -> bytearray:
    """Read a body, decompressed.

    Raises:
        BodyError: It is larger than ``limit`` bytes, or cannot be decompressed.
        httpx.TransportError: The connection broke, or the deadline has passed.
    """
    encoding = secrets.mask(response.headers.get("Content-Encoding", "").strip())
    if encoding.lower() in ENCODINGS:
        response.stream = _SmallChunks(response.stream)
    elif encoding.lower() not in ("", "identity"):
        raise BodyError(f"is encoded as {encoding[:40]!r}, which was not asked for")
    content = bytearray()
    try:
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > limit:
                raise BodyTooLargeError(f"is larger than max_response_size ({limit:,} bytes); raise that to read it")
            if deadline.remaining() <= 0:  # a caller's transport counts for each read again
                raise httpx.ReadTimeout("the time of the call is over")
    except httpx.DecodingError as exc:
        raise BodyError(f"cannot be decompressed ({secrets.mask(str(exc))})") from None
    return content


def decode_body(content: bytearray, secrets: Secrets, limit: int) -> Any:
    """Decode a body as JSON, masked. ``content`` is emptied, because its memory is needed.

    Raises:
        BodyError: It is not JSON, or takes more than about six times ``limit`` bytes of memory.
    """
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        raise BodyError(f"is not JSON ({type(exc).__name__})") from None
    content.clear()
    text = secrets.mask(text)
    if _is_too_large(text, limit):
        raise BodyTooLargeError(
            f"takes more memory than max_response_size ({limit:,} bytes) allows; raise that to read it"
        )
    try:
        return _decode(text, secrets)
    except RecursionError:
        raise BodyError("is nested too deeply") from None
    except ValueError as exc:
        raise BodyError(f"is not JSON ({type(exc).__name__})") from None


def decode_error_body(content: bytearray, secrets: Secrets, limit: int) -> Any:
    """Decode the body of an error, masked: as JSON, else as text, else ``None`` if it is empty."""
    text = content.decode(errors="replace").removeprefix("\ufeff")
    content.clear()
    text = secrets.mask(text)
    if not text.strip():
        return None
    if _is_too_large(text, limit):
        return text
    try:
        document = _decode(text, secrets)
    except (ValueError, RecursionError):
        return text
    return text if is_deeper(document, MAX_DEPTH) else document


def is_deeper(document: Any, levels: int) -> bool:
    """Tell whether decoded JSON is nested more deeply."""
    layer: list[Any] = [document]
    for _ in range(levels):
        objects: list[dict[str, Any]] = [each for each in layer if isinstance(each, dict)]
        arrays: list[list[Any]] = [each for each in layer if isinstance(each, list)]
        layer = [*itertools.chain(*(each.values() for each in objects), *arrays)]
    return any(isinstance(each, dict | list) for each in layer)


def _decode(text: str, secrets: Secrets) -> Any:
    document: Any = _STRICT_JSON.decode(text)
    # An escape may have hidden a secret. One character is found ten times as fast as two.
    if "\\" in text and ("\\u00" in text or "\\/" in text):
        return secrets.mask_document(document)
    return document


def _is_too_large(text: str, limit: int) -> bool:
    """Estimate whether a JSON text and all that is decoded from it take too much memory; rather too early.

    The strings take as much as the text, in which a single emoji makes every letter take four bytes. Objects, arrays
    and short values take up to thirty times the bytes of their JSON.
    """
    if len(text) <= _MAX_MEMORY_RATIO * limit / _MAX_BYTES_PER_CHARACTER:  # counting takes time
        return False
    structure = 192 * text.count("{") + 96 * text.count("[") + 64 * text.count(",") + 16 * text.count(":")
    return 2 * sys.getsizeof(text) + structure > _MAX_MEMORY_RATIO * limit + 10_000


class _SmallChunks(httpx.SyncByteStream):
    """A compressed body in small chunks: httpx decompresses each at once, however large the result is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def close(self) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            for start in range(0, len(chunk), _COMPRESSED_CHUNK_SIZE):
                yield chunk[start : start + _COMPRESSED_CHUNK_SIZE]
