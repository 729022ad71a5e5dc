"""What is written ahead: rows that wait until the journal says, on disk, that they are sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from neptun_sdk._http.deadline import monotonic
from neptun_sdk.bulk.journal import Journal
from neptun_sdk.bulk.targets import Row

_SYNC_INTERVAL = 0.1  # seconds


class Ahead:
    """Rows before they are sent: ``_fresh`` until a line names them, ``_noted`` until that is on disk, then ready.

    Another thread waits for the disk, so that no worker does. Without a journal every row is ready at once.

    Args:
        journal: The journal of the run.
        enough: How many ready rows keep the workers busy, so that nothing need be written for them now.
        wake: Called, in another thread, when the disk has answered.
    """

    def __init__(self, journal: Journal | None, enough: int, wake: Callable[[], None]) -> None:
        self._journal = journal
        self._enough = enough
        self._wake = wake
        self._fresh: deque[Row] = deque()
        self._noted: deque[Row] = deque()
        self._ready: deque[Row] = deque()
        self._sync: Future[None] | None = None
        self._sync_due = 0.0
        self._thread: ThreadPoolExecutor | None = None

    def add(self, row: Row) -> None:
        """Take in a row that was not sent in this run."""
        (self._ready if self._journal is None else self._fresh).append(row)

    def add_ready(self, row: Row, *, first: bool = False) -> None:
        """Take in a row again that the journal names already."""
        if first:
            self._ready.appendleft(row)
        else:
            self._ready.append(row)

    @property
    def has_ready(self) -> bool:
        """Whether there is a row to send."""
        return bool(self._ready)

    def take(self) -> Row:
        """Return the next row to send."""
        return self._ready.popleft()

    def take_all(self) -> Iterator[Row]:
        """Return every row, in any state: nothing is sent any more."""
        for place in (self._fresh, self._noted, self._ready):
            while place:
                yield place.popleft()

    def write(self) -> None:
        """Write what happened, and which rows are next."""
        journal = self._journal
        if journal is None:
            return
        if self._sync is not None and self._sync.done():
            self._sync.result()
            self._sync = None
            self._ready.extend(self._noted)
            self._noted.clear()
        # Rarely: a sync takes its time from the workers.
        if self._sync is None and len(self._ready) < self._enough and self._fresh:
            journal.sending([(row.number, row.digest) for row in self._fresh])
            self._noted, self._fresh = self._fresh, self._noted
            for row in self._noted:
                row.noted = True
        journal.write()
        if self._sync is None and (self._noted or monotonic() > self._sync_due) and not journal.is_synced:
            self._begin_sync(journal)

    def close(self) -> None:
        """Wait for the disk, if it was asked."""
        if self._thread is not None:
            self._thread.shutdown()

    def _begin_sync(self, journal: Journal) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="neptun-bulk-journal")
        self._sync_due = monotonic() + _SYNC_INTERVAL
        try:
            self._sync = self._thread.submit(journal.sync)
        except RuntimeError:  # the interpreter is ending, and starts no more threads
            journal.sync()
            self._sync = Future()
            self._sync.set_result(None)
        # While rows are ready, the next result wakes the run in time: each wake-up takes the interpreter from a worker.
        self._sync.add_done_callback(lambda _: None if self._ready else self._wake())
