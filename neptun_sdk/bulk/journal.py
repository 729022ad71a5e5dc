"""The journal of a run: JSON Lines that say which rows were sent and what became of each.

The first line is the header. A row is sent only when a line ``{"sending": [[row, digest], …]}`` that names it is on
disk. Once its outcome is final, it has a line of its own, which is written before the outcome is yielded, and is on
disk soon after. So after a crash, or a ``kill -9``, the rows that may have been sent without an outcome are those
that a ``sending`` line names last: at most the window. A row without a line, or whose line says ``unsent``, was not
sent. The last line of a row counts.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import weakref
from array import array
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from neptun_sdk import errors
from neptun_sdk._version import __version__
from neptun_sdk.bulk.updates import Outcome, Status
from neptun_sdk.bulk.worker import Account
from neptun_sdk.errors import ArgumentError, NeptunError

FORMAT = "neptun-bulk journal 1"
_encode = json.JSONEncoder(separators=(",", ":"), default=repr).encode
_START = f'{{"journal":"{FORMAT}"'.encode()
_LOCKED_BYTE = 2**40  # Windows locks a range of bytes, which others cannot read then: one far behind the end
_open: weakref.WeakSet[Journal] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a journal knows of a row.

    Attributes:
        status: As in `Outcome`; of a row that was about to be sent and has no outcome, ``unknown``.
        digest: The digest of its update.
        again: Whether a later run sends it again.
        error: The error that its line names.
    """

    status: Status
    digest: str
    again: bool
    error: NeptunError | None = None

    @property
    def maybe_applied(self) -> bool:
        """Whether the update may have been applied."""
        return self.status == "unknown"


class Journal:
    """The journal of one run, locked for as long as it is open. Only the thread of the run uses it.

    Args:
        path: The file, which is made if it does not exist.
        account: Whose updates the run sends, and where.
        input_hash: The hash of the whole input; ``None`` if it can be read once only.
        window: How many rows may be under way at once.

    Raises:
        ArgumentError: Another run uses the journal, it belongs to another input or account, or it is damaged.
        OSError: The file cannot be read or written.
    """

    def __init__(self, path: str | os.PathLike[str], account: Account, input_hash: str | None, window: int) -> None:
        self._path = Path(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
        self._fd = os.open(self._path, flags, 0o644)
        self._close = weakref.finalize(self, os.close, self._fd)
        self._lines: list[bytes] = []
        try:
            self._lock()
            self._content = Content(self._path)
            with self._named():
                os.ftruncate(self._fd, self._content.size)  # without a last line that is torn
            self._size = self._synced = self._content.size
            self._content.check(account, input_hash)
            _open.add(self)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            if not self._size:
                self._begin(account, input_hash, window, now)
            else:
                self._add({"resumed": now, "window": window, "neptun_sdk": __version__})
            self.write()
            self.sync()
        except BaseException:
            self.close()
            raise

    def earlier(self, row: int) -> Entry | None:
        """Return what earlier runs have written about a row; ``None`` if it was not sent."""
        return self._content.entry(row)

    def sending(self, rows: list[tuple[int, str]]) -> None:
        """Note that these rows, with their digests, are about to be sent."""
        self._add({"sending": rows})

    def outcome(self, outcome: Outcome, digest: str) -> None:
        """Note the outcome of a row."""
        update, error = outcome.update, outcome.error
        line: dict[str, Any] = {"row": outcome.row, "status": outcome.status, "project_id": update.project_id}
        if update.import_id is not None:
            line["import_id"] = update.import_id
        if error is not None:
            line["error"] = {"class": type(error).__name__, "text": str(error), "applied": error.applied}
        if outcome.again:
            line["again"] = True
        if outcome.resent:
            line["resent"] = True
        self._add({**line, "attempts": outcome.attempts, "digest": digest})

    def end(self, input_hash: str, rows: int) -> None:
        """Note that the whole input was read."""
        self._add({"end": datetime.now(UTC).isoformat(timespec="seconds"), "input": input_hash, "rows": rows})

    def write(self) -> None:
        """Write what was noted. If that fails, the file is as it was before, and the notes are kept."""
        if not self._lines:
            return
        data = memoryview(b"".join(self._lines))
        end = self._size + len(data)
        try:
            with self._named():
                while data:
                    data = data[os.write(self._fd, data) :]
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size = end
        self._lines.clear()

    @property
    def is_synced(self) -> bool:
        """Whether everything that was written is on disk."""
        return self._synced == self._size

    def sync(self) -> None:
        """Wait until what was written so far is on disk. May be called from another thread."""
        size = self._size
        with self._named():
            os.fsync(self._fd)
        self._synced = size

    def close(self) -> None:
        """Close the file, which ends the lock; closing it again does nothing."""
        _open.discard(self)
        self._close()

    def close_in_child(self) -> None:
        """Close the file of a child that was forked: else the lock would last until that ends too."""
        self._close()

    def _add(self, line: Mapping[str, Any]) -> None:
        self._lines.append(_encode(line).encode() + b"\n")

    def _lock(self) -> None:
        """Lock the file. The system ends the lock with the process, however that ends."""
        try:
            try:
                fcntl: Any = importlib.import_module("fcntl")
            except ModuleNotFoundError:
                msvcrt: Any = importlib.import_module("msvcrt")
                os.lseek(self._fd, _LOCKED_BYTE, os.SEEK_SET)
                msvcrt.locking(self._fd, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise ArgumentError(
                f"another run is using the journal {self._path}: wait until it ends, or use another journal. "
                "Nothing was sent."
            ) from None

    @contextmanager
    def _named(self) -> Generator[None]:
        """Name the file in an error of the system: one about a descriptor does not."""
        try:
            yield
        except OSError as exc:
            exc.filename = str(self._path)
            raise

    def _begin(self, account: Account, input_hash: str | None, window: int, now: str) -> None:
        """Write the header, and see to it that the name of the new file is on disk too."""
        self._add(
            {
                "journal": FORMAT,
                "input": input_hash,
                "base_url": account.base_url,
                "dialect": account.dialect,
                "user_id": account.user_id,
                "window": window,
                "started": now,
                "neptun_sdk": __version__,
                "python": sys.version.split()[0],
            }
        )
        with suppress(OSError):  # Windows opens no folders
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


class Content:
    """What a journal holds, read without a lock. It remembers where the line of each row is: eight bytes a row.

    Raises:
        ArgumentError: The file is not a journal, or is damaged.
        OSError: The file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.header: dict[str, Any] = {}
        self.input: str | None = None  # the hash of the whole input
        self.size: int = 0  # without a last line that is torn
        self._path = path
        self._offsets = array("q")  # by row; -1: it has no line
        self._unfinished: dict[int, str] = {}
        self._file = open(path, "rb")  # noqa: SIM115 - closed by the finalizer
        weakref.finalize(self, self._file.close)
        for number, (offset, line) in enumerate(self._complete_lines(), 1):
            try:
                self._read(offset, line)
            except (KeyError, TypeError, ValueError):
                raise self._damaged(number) from None

    def entry(self, row: int) -> Entry | None:
        """Return what is known of a row; ``None`` if it was not sent."""
        if row in self._unfinished:
            return Entry("unknown", self._unfinished[row], again=True)
        if row > len(self._offsets) or self._offsets[row - 1] < 0:
            return None
        self._file.seek(self._offsets[row - 1])
        line = json.loads(self._file.readline())
        if line["status"] == "unsent":
            return None
        return Entry(line["status"], line["digest"], bool(line.get("again")), _error(line.get("error")))

    def check(self, account: Account | None, input_hash: str | None) -> None:
        """Refuse a journal that belongs to other work. What is ``None`` is not known, and not checked."""
        for name in ("base_url", "user_id", "dialect") if account and self.header else ():
            before, now = self.header.get(name), getattr(account, name)
            if before != now:
                raise ArgumentError(
                    f"the journal {self._path} was written with {name} {before!r}, not {now!r}: use the same settings, "
                    "or another journal. Nothing was sent."
                )
        if self.input and input_hash and self.input != input_hash:
            raise ArgumentError(
                f"the input is not the one for which the journal {self._path} was written: pass that input again, or "
                "use another journal, which sends every row. Nothing was sent."
            )

    def _complete_lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the offset of each line and what it holds. A last line that is torn is left out."""
        length = os.fstat(self._file.fileno()).st_size
        for number, raw in enumerate(self._file, 1):
            try:
                line = json.loads(raw) if raw.endswith(b"\n") else None
            except ValueError:
                line = None
            end = self.size + len(raw)
            if not isinstance(line, dict):
                if end == length and (number > 1 or raw == _START[: len(raw)] or raw.startswith(_START)):
                    return
                raise self._damaged(number)
            yield self.size, cast("dict[str, Any]", line)
            self.size = end

    def _read(self, offset: int, line: dict[str, Any]) -> None:
        if not self.header:
            if line["journal"] != FORMAT:
                raise ValueError(FORMAT)
            self.header = line
            self.input = line["input"]
        elif "end" in line:
            self.input = line["input"]
        elif "sending" in line:
            self._unfinished.update(line["sending"])
        elif "row" in line:
            row, _, _ = int(line["row"]), line["status"], line["digest"]
            self._unfinished.pop(row, None)
            self._offsets.extend([-1] * (row - len(self._offsets)))
            self._offsets[row - 1] = offset

    def _damaged(self, number: int) -> ArgumentError:
        what = "it is not a journal of this version" if number == 1 else f"line {number} is no line of a journal"
        return ArgumentError(f"{self._path} cannot be used as the journal: {what}. Use another file. Nothing was sent.")


def _error(recorded: Mapping[str, Any] | None) -> NeptunError | None:
    """Make an error again from what a line says of it."""
    if recorded is None:
        return None
    error_class: Any = getattr(errors, str(recorded["class"]), NeptunError)
    if not (isinstance(error_class, type) and issubclass(error_class, NeptunError)):
        error_class = NeptunError
    return cast("NeptunError", error_class(recorded["text"], applied=recorded["applied"]))


def _close_in_child() -> None:
    for journal in list(_open):
        journal.close_in_child()


with suppress(AttributeError):  # Windows has no forks
    os.register_at_fork(after_in_child=_close_in_child)
