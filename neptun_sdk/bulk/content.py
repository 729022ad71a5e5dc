"""What a journal holds: its lines, their checksums, and what they say of each row."""

from __future__ import annotations

import json
import os
import re
import weakref
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from neptun_sdk import errors
from neptun_sdk.bulk.updates import FILE_HASH, Status, Target
from neptun_sdk.bulk.worker import Account
from neptun_sdk.errors import ArgumentError, NeptunError

FORMAT = "neptun-bulk journal 2"
_WITHOUT_CHECKSUMS = "neptun-bulk journal 1"
_STARTS = [f'{{"journal":"{name}"'.encode() for name in (FORMAT, _WITHOUT_CHECKSUMS)]
_CHECKSUM = b',"crc":"%08x"}\n'
_CHECKSUM_SIZE = len(_CHECKSUM % 0)
_APPLIED, _FAILED = 1, 2
_KINDS = {"applied": _APPLIED, "refused": _FAILED, "unknown": _FAILED}
_encode = json.JSONEncoder(separators=(",", ":"), default=repr).encode


@dataclass(frozen=True, slots=True)
class Entry:
    """What a journal knows of a row.

    Attributes:
        status: As in `Outcome`; of a row that was about to be sent and has no outcome, ``unknown``.
        digest: The digest of its update.
        again: Whether a later run sends it again.
        error: The error that its line names.
        runs: How many runs have sent it without learning what became of it.
        size: The ``max_response_size`` for which its response was too large; ``None`` if it was not.
    """

    status: Status
    digest: str
    again: bool
    error: NeptunError | None = None
    runs: int = 0
    size: int | None = None

    @property
    def maybe_applied(self) -> bool:
        """Whether the update may have been applied."""
        return self.status == "unknown"


def encode_line(line: Mapping[str, Any]) -> bytes:
    """Return a line of a journal. Its last value is a checksum of the bytes before it."""
    body = _encode(line)[:-1].encode()
    return body + _CHECKSUM % zlib.crc32(body)


class Content:
    """What a journal holds, read without a lock. It remembers where the line of each row is: 13 bytes a row.

    Raises:
        ArgumentError: The file is not a journal, or is damaged.
        OSError: The file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.header: dict[str, Any] = {}
        self.input: str | None = None  # the hash of the whole input
        self.size: int = 0  # without a last line that is torn
        self.has_applied: bool = False
        self.is_binding: bool = False  # whether a row was applied, refused for good, or sent without an outcome
        self._path = path
        self._offsets = array("q")  # by row; -1: it has no line
        self._kinds = bytearray()  # by row: whether it is applied, failed, or neither
        self._targets = array("I")  # by row: a hash of the target of one that is done; 0: it is not
        self._done: array[int] | None = None  # the same, sorted: the hash, then the row
        self._last_done = 0
        self._unfinished: dict[int, str] = {}
        self._has_checksums = False
        self._file = open(path, "rb")  # noqa: SIM115 - closed by the finalizer
        weakref.finalize(self, self._file.close)
        for number, (offset, line) in enumerate(self._complete_lines(), 1):
            try:
                self._read(offset, line)
            except (KeyError, TypeError, ValueError):
                raise self._damaged(number) from None
        self.is_binding = self.is_binding or bool(self._unfinished)

    def entry(self, row: int) -> Entry | None:
        """Return what is known of a row; ``None`` if it was not sent."""
        line = self._line(row)
        if row in self._unfinished:
            return Entry("unknown", self._unfinished[row], again=True, runs=line.get("runs", 0) if line else 0)
        if line is None or line["status"] == "unsent":
            return None
        again = bool(line.get("again"))
        return Entry(
            line["status"], line["digest"], again, _error(line.get("error")), line.get("runs", 0), line.get("size")
        )

    def applied_after(self, row: int) -> int:
        """Return how many rows after this one are applied."""
        return self._kinds.count(_APPLIED, row)

    def failed_after(self, row: int) -> Iterator[tuple[int, Entry]]:
        """Yield the number of each row after this one that is refused or unknown, and what is known of it."""
        failed = {number for number, kind in enumerate(self._kinds[row:], row + 1) if kind == _FAILED}
        for number in sorted(failed.union(each for each in self._unfinished if each > row)):
            yield number, cast("Entry", self.entry(number))

    def done_after(self, row: int, target: Target) -> int | None:
        """Return a later row of the same target that is done, if there is one."""
        if row >= self._last_done:
            return None
        if self._done is None:
            pairs = enumerate(self._targets, 1)
            self._done = array("Q", sorted(key << 32 | number for number, key in pairs if key))
        key = _key(target)
        for packed in self._done[bisect_right(self._done, key << 32 | row) :]:
            if packed >> 32 != key:
                break
            later = packed & 0xFFFFFFFF
            line = self._line(later)
            if line and (line["project_id"], line.get("import_id")) == target:  # the hash of another may be the same
                return later
        return None

    def check(self, account: Account | None, input_hash: str | None) -> None:
        """Refuse a journal that belongs to other work. What is ``None`` is not known, and not checked."""
        for name in ("base_url", "user_id", "dialect") if account and self.header else ():
            before, now = self.header.get(name), getattr(account, name)
            if before != now:
                raise ArgumentError(
                    f"the journal {self._path} was written with {name} {before!r}, not {now!r}: use the same settings, "
                    "or another journal. Nothing was sent."
                )
        before, now = self.input or "", input_hash or ""
        is_comparable = before.startswith(FILE_HASH) == now.startswith(FILE_HASH)
        if before and now and is_comparable and before != now:
            raise ArgumentError(
                f"the input has changed since the journal {self._path} was written: restore it, or use another "
                "journal, which sends every row. Nothing was sent."
            )

    def _line(self, row: int) -> dict[str, Any] | None:
        """Return the line of a row; ``None`` if it has none."""
        if row > len(self._offsets) or self._offsets[row - 1] < 0:
            return None
        self._file.seek(self._offsets[row - 1])
        return cast("dict[str, Any]", json.loads(self._file.readline()))

    def _complete_lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the offset of each line and what it holds. A last line that is torn is left out."""
        length = os.fstat(self._file.fileno()).st_size
        for number, raw in enumerate(self._file, 1):
            end = self.size + len(raw)
            # Of a line that was not on disk at a power failure, zeros may be left.
            if end == length and (not raw.endswith(b"\n") or b"\0" in raw):
                if number > 1 or any(raw.startswith(start[: len(raw)]) for start in _STARTS):
                    return
                raise self._damaged(number)
            try:
                line = json.loads(self._checked(raw))
            except ValueError:
                raise self._damaged(number) from None
            if not isinstance(line, dict):
                raise self._damaged(number)
            yield self.size, cast("dict[str, Any]", line)
            self.size = end

    def _checked(self, raw: bytes) -> bytes:
        """Return a line whose checksum is right. Those of a journal of the first format need not have one."""
        body, checksum = raw[:-_CHECKSUM_SIZE], raw[-_CHECKSUM_SIZE:]
        if checksum == _CHECKSUM % zlib.crc32(body):
            self._has_checksums = True
        elif self._has_checksums or checksum[:8] == _CHECKSUM[:8] or raw.startswith(_STARTS[0]):
            raise ValueError
        return raw

    def _read(self, offset: int, line: dict[str, Any]) -> None:
        if not self.header:
            if line["journal"] not in (FORMAT, _WITHOUT_CHECKSUMS):
                raise ValueError
            self.header = line
            self.input = _valid(line, "input", _is_hash)
        elif "end" in line:
            self.input = _valid(line, "input", _is_hash)
        elif "sending" in line:
            for row, digest in line["sending"]:
                self._unfinished[_valid({"row": row}, "row", _is_row)] = _valid({"d": digest}, "d", _is_digest)
        elif "row" in line:
            self._read_row(offset, line)
        elif "resumed" not in line:
            raise ValueError

    def _read_row(self, offset: int, line: dict[str, Any]) -> None:
        for name, is_valid in _VALUES.items():
            _valid(line, name, is_valid)
        row, status, again = line["row"], line["status"], line.get("again")
        self._unfinished.pop(row, None)
        missing = row - len(self._offsets)
        if missing > 0:
            self._offsets.extend([-1] * missing)
            self._kinds.extend(bytes(missing))
            self._targets.extend([0] * missing)
        self._offsets[row - 1] = offset
        self._kinds[row - 1] = _KINDS.get(status, 0)
        is_done = status != "unsent" and not again
        self.has_applied = self.has_applied or status == "applied"
        self.is_binding = self.is_binding or status in ("applied", "unknown") or (is_done and line["attempts"] > 0)
        # What was refused here and never sent does not come before or after anything.
        is_sent = is_done and line["attempts"] > 0
        self._targets[row - 1] = _key((line["project_id"], line.get("import_id"))) if is_sent else 0
        if is_sent:
            self._last_done = max(self._last_done, row)

    def _damaged(self, number: int) -> ArgumentError:
        if number == 1:
            return ArgumentError(
                f"{self._path} cannot be used as the journal: it is not a journal of this version. Use another "
                "journal. Nothing was sent."
            )
        return ArgumentError(
            f"{self._path} cannot be used as the journal: line {number} is damaged. Restore the file from a copy, or "
            "use another journal, which sends every row. Nothing was sent."
        )


def _key(target: Target) -> int:
    """Return 32 bits, never 0, that are the same for the same target."""
    return (hash(target) & 0xFFFFFFFF) or 1


def _valid(line: Mapping[str, Any], name: str, is_valid: Callable[[Any], bool]) -> Any:
    value = line.get(name)
    if not is_valid(value):
        raise ValueError(name)
    return value


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_row(value: Any) -> bool:
    return _is_count(value) and 0 < value <= 0xFFFFFFFF


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value) is not None


def _is_hash(value: Any) -> bool:
    return value is None or (
        isinstance(value, str) and re.fullmatch(f"({FILE_HASH})?[0-9a-f]{{64}}", value) is not None
    )


def _is_flag(value: Any) -> bool:
    return value is None or value is True


def _is_error(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    error = cast("dict[str, Any]", value)
    texts = isinstance(error.get("class"), str) and isinstance(error.get("text"), str)
    return texts and error.get("applied", 0) in (True, False, None) and type(error["applied"]) is not int


# Of a row that was refused here, project_id may be anything.
_VALUES: Mapping[str, Callable[[Any], bool]] = {
    "row": _is_row,
    "status": lambda value: value in get_args(Status),
    "digest": _is_digest,
    "attempts": _is_count,
    "again": _is_flag,
    "resent": _is_flag,
    "error": _is_error,
    "runs": lambda value: value is None or _is_count(value),
    "size": lambda value: value is None or _is_count(value),
}


def _error(recorded: Mapping[str, Any] | None) -> NeptunError | None:
    """Make an error from its record in a line."""
    if recorded is None:
        return None
    error_class: Any = getattr(errors, recorded["class"], NeptunError)
    if not (isinstance(error_class, type) and issubclass(error_class, NeptunError)):
        error_class = NeptunError
    return cast("NeptunError", error_class(recorded["text"], applied=recorded["applied"]))
