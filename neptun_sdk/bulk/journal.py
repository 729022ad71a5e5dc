"""The journal of a run: JSON Lines that say which rows were sent and what became of each.

The first line is the header. A row is sent only when a line ``{"sending": [[row, digest], …]}`` that names it is on
disk. Once its outcome is final, it gets a line. That is written before the outcome is yielded, and is on disk soon
after. So after a crash, or a ``kill -9``, the rows that may have been sent without an outcome are those
that a ``sending`` line names last: at most the window. A row without a line, or whose line says ``unsent``, was not
sent. The last line of a row counts. Each line ends in a checksum (`neptun_sdk.bulk.content`).
"""

from __future__ import annotations

import errno
import importlib
import os
import stat
import sys
import weakref
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neptun_sdk._version import __version__
from neptun_sdk.bulk.content import FORMAT, Content, Entry, encode_line
from neptun_sdk.bulk.updates import Outcome, Target
from neptun_sdk.bulk.worker import Account
from neptun_sdk.errors import ArgumentError

_LOCKED_BYTE = 2**40  # Windows locks a range of bytes, which others cannot read then: one far behind the end
_open: weakref.WeakSet[Journal] = weakref.WeakSet()


class Journal:
    """The journal of one run, locked for as long as it is open. Only the thread of the run uses it.

    Attributes:
        content: What the file held when the run began.

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
        _check_regular(self._path)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
        self._fd = os.open(self._path, flags, 0o600)  # errors quote values
        self._close = weakref.finalize(self, os.close, self._fd)
        self._lines: list[bytes] = []
        try:
            self._lock()
            self.content: Content = Content(self._path)
            content = self.content
            size = content.size  # without a last line that is torn
            if content.is_binding:
                content.check(account, input_hash)
            elif content.header:
                size = 0  # nothing in it is known of any row: begin again, perhaps for another server or user
            with self._named():
                os.ftruncate(self._fd, size)
            self._size = self._synced = size
            if not size:
                self.content = Content(self._path)
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
        return self.content.entry(row)

    def done_after(self, row: int, target: Target) -> int | None:
        """Return a later row of the same target that an earlier run has brought to its end, if there is one."""
        return self.content.done_after(row, target)

    @property
    def has_applied(self) -> bool:
        """Whether an earlier run has applied a row."""
        return self.content.has_applied

    def sending(self, rows: list[tuple[int, str]]) -> None:
        """Note that these rows, with their digests, are about to be sent."""
        self._add({"sending": rows})

    def outcome(self, outcome: Outcome, digest: str, *, runs: int = 0, size: int | None = None) -> None:
        """Note the outcome of a row. `Entry` says what ``runs`` and ``size`` are."""
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
        if runs:
            line["runs"] = runs
        if size is not None:
            line["size"] = size
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
        self._lines.append(encode_line(line))

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
        except OSError as exc:
            if exc.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
                raise
            raise ArgumentError(
                f"the file system of the journal {self._path} cannot lock files ({exc.strerror}): use another journal, "
                "on a local disk. Nothing was sent."
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


def _check_regular(path: Path) -> None:
    """Refuse what is there and is not a file: a device or a pipe would keep nothing."""
    with suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
            raise ArgumentError(f"{path} cannot be the journal: it is {kind}. Use another journal. Nothing was sent.")


def _close_in_child() -> None:
    for journal in list(_open):
        journal.close_in_child()


with suppress(AttributeError):  # Windows has no forks
    os.register_at_fork(after_in_child=_close_in_child)
