"""The loop of a run: it reads updates, keeps the pace, writes the journal and yields the outcomes.

One thread does all of it, the one that iterates; workers only send requests. A row that was read is in one place at a
time: ``_fresh`` until the journal says that it is about to be sent, ``_noted`` until that is on disk, ``_ready`` to be
sent, ``_under_way`` in the executor, ``_waiting`` for its next attempt, or ``_queued`` behind another row of the same
target. All of them together are never more than the window. The journal is written ahead, so that no worker waits for
the disk.
"""

from __future__ import annotations

import concurrent.futures
import copy
import hashlib
import heapq
import logging
import os
import uuid
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from neptun_sdk._http.deadline import monotonic
from neptun_sdk.bulk import worker
from neptun_sdk.bulk.journal import Entry, Journal
from neptun_sdk.bulk.updates import Outcome, Status, Update, check, content_of, digest, hash_of, operation_of, target_of
from neptun_sdk.bulk.worker import Result, Task
from neptun_sdk.call import backoff
from neptun_sdk.client import NeptunClient
from neptun_sdk.errors import ArgumentError, NeptunConnectionError, NeptunError, RateLimitError
from neptun_sdk.outcomes import Rule, rule_of, with_rule

WINDOW = 8  # rows for each worker that are read and not done: enough to send while the journal is written to disk
_UNDER_WAY = 4  # of these, in the executor: one that is sent, and some that follow
_MAX_LATENCY = 0.02  # seconds until a result is taken in
_SYNC_INTERVAL = 0.1  # seconds
_MAX_PAUSES = 20  # how often a row is sent again because the server asked to wait
_MAX_PAUSE = 3600.0  # seconds; a server that asks for more ends the run
_MAX_SILENCE = 120.0  # seconds beyond the timeout of a call; an executor that returns nothing for longer ends the run
_STATUSES: dict[bool | None, Status] = {True: "applied", False: "refused", None: "unknown"}

_LOST = Rule(NeptunConnectionError, retryable=True)  # a task whose worker died
_log = logging.getLogger("neptun_sdk.bulk")


@dataclass(slots=True, eq=False)
class _Row:
    """A row that was read and is not done.

    Attributes:
        entry: What the journal knew of it when this run began.
        attempts: How many tasks were made for it.
        requests: How many requests these sent, or tried to.
        pauses: How many of the attempts ended with the server asking to wait.
        noted: Whether the journal says that it is sent.
        maybe_applied: Whether an attempt, of an earlier run too, may have applied it.
        error: The error of the last attempt.
    """

    number: int
    update: Update
    digest: str
    entry: Entry | None
    fields: dict[str, str] = field(default_factory=dict[str, str])
    attempts: int = 0
    requests: int = 0
    pauses: int = 0
    noted: bool = False
    maybe_applied: bool = False
    error: NeptunError | None = None
    future: Future[Result] | None = None


class Loop:
    """The state of a run. `bulk_update` describes the arguments."""

    def __init__(
        self,
        client: NeptunClient,
        updates: Iterable[Update],
        *,
        journal: str | os.PathLike[str] | None,
        max_workers: int,
        executor: Executor | None,
    ) -> None:
        self.ended_by: NeptunError | None = None
        self._client = client
        settings, session = worker.parts_of(client)
        self._account = worker.account_of(client)
        self._mask = session.mask
        self._max_retries = settings.max_retries
        self._max_workers = max_workers
        self._window = WINDOW * max_workers
        self._max_under_way = _UNDER_WAY * max_workers
        self._max_silence = self._account.timeout + _MAX_SILENCE
        self._pool: ThreadPoolExecutor | None = None
        self._executor = self._threads() if executor is None else executor
        self._id = uuid.uuid4().hex
        self._updates = iter(updates)
        self._hash = hashlib.sha256()
        self._read = 0
        self._exhausted = False
        self._failure: Exception | None = None  # of the input: raised when nothing is under way any more
        self._input_hash = None if journal is None or self._updates is updates else hash_of(updates)
        self._journal = None if journal is None else Journal(journal, self._account, self._input_hash, self._window)
        self._stopping = False
        self._paused_until = 0.0
        self._sync_due = 0.0
        self._sync: Future[None] | None = None
        self._syncer: ThreadPoolExecutor | None = None
        self._held = 0  # rows in all places
        self._fresh: deque[_Row] = deque()
        self._noted: deque[_Row] = deque()
        self._ready: deque[_Row] = deque()
        self._under_way: dict[int, _Row] = {}
        self._last_sign = 0.0  # when the executor was given a task, or returned a result
        self._waiting: list[tuple[float, int, _Row]] = []  # a heap, by the time of the next attempt
        self._queued: dict[tuple[int, int | None], deque[_Row]] = {}  # a key for each target that is in another place
        self._unreachable = 0  # rows in succession for which no connection held
        self._unresolved: set[tuple[int, int | None]] = set()  # targets of which a row is left to a later run
        self._finished: deque[_Row] = deque()  # whose tasks are done
        self._batch = 1  # how many of them wake this thread up
        self._awake = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._outcomes: deque[Outcome] = deque()

    def run(self) -> Generator[Outcome]:
        """Send everything, and yield the outcomes."""
        worker.register(self._id, self._client)
        try:
            while self._held or self._outcomes or not self._exhausted:
                self._fill()
                self._send_ready()
                while self._outcomes:
                    yield self._outcomes.popleft()
                if self._held:
                    self._collect()
            if self._failure is not None:
                raise self._failure
        finally:
            try:
                self._drain()
            finally:
                self.close()

    def stop(self) -> None:
        """Send nothing more. May be called from any thread, and from a signal handler."""
        self._stopping = True
        self._wake.put(None)

    def close(self) -> None:
        """Give back what the run has taken. Nothing may be under way; closing again does nothing."""
        worker.unregister(self._id)
        for pool in (self._pool, self._syncer):
            if pool is not None:
                pool.shutdown()
        if self._journal is not None:
            self._journal.close()

    @property
    def _is_over(self) -> bool:
        return self._stopping or self.ended_by is not None

    def _fill(self) -> None:
        """Read rows until the window is full."""
        while not self._exhausted and self._held < self._window and len(self._outcomes) < self._window:
            try:
                update = next(self._updates)
                self._read += 1
                content = content_of(self._read, update)
                if self._journal is None:
                    self._admit(_Row(self._read, update, "", None))
                else:
                    self._hash.update(content)
                    entry = self._journal.earlier(self._read)
                    self._admit(_Row(self._read, update, digest(content), entry))
            except StopIteration:
                self._exhausted = True
                if self._journal is not None:
                    self._end_input(self._journal)
            except Exception as exc:
                self._exhausted = True
                self._failure = exc

    def _end_input(self, journal: Journal) -> None:
        """Note that the whole input was read, if it is the one that was hashed."""
        whole = self._hash.hexdigest()
        if self._input_hash in (None, whole):
            journal.end(whole, self._read)
        else:
            self._failure = ArgumentError(
                "updates gave other rows when they were read for the second time, to be sent, than for the first, for "
                "their hash: pass a list, or an iterator, such as iter(updates), which is read once. What was sent is "
                "in the journal."
            )

    def _admit(self, row: _Row) -> None:
        """Find the place of a row that was read, or its outcome."""
        entry = row.entry
        if entry is not None and entry.digest != row.digest:
            raise ArgumentError(
                f"row {row.number} of the input is not the one in the journal: pass the input for which it was "
                "written, or use another journal, which sends every row. This row was not sent."
            )
        if entry is not None and not entry.again:
            self._outcomes.append(_earlier(row, entry))
            return
        row.maybe_applied = entry is not None and entry.maybe_applied
        try:
            row.fields = check(row.update, self._account.dialect, self._mask)
        except ArgumentError as error:
            row.error = error
            self._note(row, again=False)
            return
        target = target_of(row.update)
        if self._is_over or target in self._unresolved:
            self._leave(row)
            return
        self._held += 1
        if target in self._queued:
            self._queued[target].append(row)
        else:
            self._queued[target] = deque()
            self._fresh.append(row)

    def _send_ready(self) -> None:
        """Write the journal, and give the executor every row that may be sent now."""
        now = monotonic()
        while self._waiting and (self._waiting[0][0] <= now or self._is_over):
            self._ready.append(heapq.heappop(self._waiting)[2])
        if self._is_over:
            for place in (self._fresh, self._noted, self._ready):
                while place:
                    self._conclude(place.popleft())
        self._write_journal()
        while self._ready and now >= self._paused_until and len(self._under_way) < self._max_under_way:
            self._submit(self._ready.popleft())

    def _write_journal(self) -> None:
        """Write what happened, and which rows are next. They are ready once another thread has it on disk."""
        if self._journal is None:
            self._ready.extend(self._fresh)
            self._fresh.clear()
            return
        if self._sync is not None and self._sync.done():
            self._sync.result()
            self._sync = None
            self._ready.extend(self._noted)
            self._noted.clear()
        # Rarely: a sync takes its time from the workers.
        starving = len(self._ready) < self._max_under_way
        if self._sync is None and starving and self._fresh:
            self._journal.sending([(row.number, row.digest) for row in self._fresh])
            self._noted, self._fresh = self._fresh, self._noted
            for row in self._noted:
                row.noted = True
        self._journal.write()
        if self._sync is None and (self._noted or monotonic() > self._sync_due) and not self._journal.is_synced:
            if self._syncer is None:
                self._syncer = ThreadPoolExecutor(1, thread_name_prefix="neptun-bulk-journal")
            self._sync_due = monotonic() + _SYNC_INTERVAL
            self._sync = self._syncer.submit(self._journal.sync)
            self._sync.add_done_callback(lambda _: self._wake.put(None))

    def _submit(self, row: _Row) -> None:
        row.attempts += 1
        update = row.update
        ids = (update.project_id,) if update.import_id is None else (update.project_id, update.import_id)
        task = Task(self._id, row.number, row.attempts, operation_of(update).name, ids, row.fields)
        self._under_way[row.number] = row
        self._last_sign = monotonic()
        try:
            row.future = self._executor.submit(worker.send, self._account, task)
        except Exception as exc:  # such as a process pool that has lost a process
            if self._pool is not None:
                raise
            _log.warning("the executor takes no more work (%s: %s); going on in threads", type(exc).__name__, exc)
            self._executor = self._threads()
            row.future = self._executor.submit(worker.send, self._account, task)
        row.future.add_done_callback(lambda _: self._finish(row))

    def _threads(self) -> ThreadPoolExecutor:
        self._pool = ThreadPoolExecutor(self._max_workers, thread_name_prefix="neptun-bulk")
        return self._pool

    def _collect(self) -> None:
        """Wait until something can be done, and take in every result that is there.

        Half of what is under way at once, or what came within a moment: each time that this thread wakes up, it waits
        for the interpreter's lock, and the workers wait for this thread.
        """
        now = monotonic()
        times = [self._waiting[0][0]] if self._waiting else []
        if self._ready and self._paused_until > now:
            times.append(self._paused_until)
        if self._under_way:
            times.append(now + _MAX_LATENCY)
        self._batch = max(1, len(self._under_way) // 2)
        self._awake = False
        if len(self._finished) < self._batch:
            with suppress(Empty):
                self._wake.get(timeout=max(0.0, min(times) - now) if times else None)
                while True:
                    self._wake.get_nowait()
        while self._finished:
            self._settle(self._finished.popleft())
        if self._under_way and monotonic() > self._last_sign + self._max_silence:
            self._give_up()

    def _give_up(self) -> None:
        """End the run: the executor has lost its tasks, as that of Dask does if the scheduler dies."""
        self.ended_by = self.ended_by or NeptunConnectionError(
            f"the executor has returned no result for {self._max_silence:.0f} s. What it was given may have been "
            "applied. Check its workers and its scheduler, and run again.",
            attempts=0,
        )
        rows = list(self._under_way.values())
        for future in filter(None, [row.future for row in rows]):
            future.cancel()  # else a worker may send it after all, when a later run has sent the next row of its target
        for row in rows:
            self._settle(row)

    def _finish(self, row: _Row) -> None:
        """Take note of a task that is done, in the thread of its worker."""
        self._finished.append(row)
        if len(self._finished) >= self._batch and not self._awake:
            self._awake = True
            self._wake.put(None)

    def _settle(self, row: _Row) -> None:
        """Take in the result of an attempt: its row is done, or is sent again later."""
        del self._under_way[row.number]
        self._last_sign = monotonic()
        result = _result(row)
        if result.held:
            row.attempts -= 1
            self._pause(result.held)
            self._ready.appendleft(row)
            return
        error = row.error = result.error
        row.requests += 1 if error is None else error.attempts
        if error is None:
            self._conclude(row)
            return
        row.maybe_applied = row.maybe_applied or error.applied is None
        wait = worker.retry_after(error)
        if not result.usable or wait > _MAX_PAUSE or rule_of(error).about_session:
            self.ended_by = self.ended_by or error
        self._pause(wait)
        delay = self._delay(row, error, wait)
        if delay is None or self._is_over:
            self._conclude(row)
        else:
            heapq.heappush(self._waiting, (monotonic() + delay, row.number, row))

    def _pause(self, seconds: float) -> None:
        """Send nothing for some seconds."""
        until = monotonic() + seconds
        is_new = until > self._paused_until + 0.5  # else it is the same pause, as another worker has met it
        if seconds and is_new and not self._is_over:
            _log.info("the server asks to wait: all workers pause for %.0f s", max(1.0, seconds))
        self._paused_until = max(self._paused_until, until)

    def _delay(self, row: _Row, error: NeptunError, wait: float) -> float | None:
        """Return the seconds until a row is sent again, or ``None`` if it is not."""
        if not self._max_retries or not rule_of(error).retryable:
            return None
        if wait or isinstance(error, RateLimitError):
            row.pauses += 1
            return max(wait, backoff(row.pauses)) if row.pauses <= _MAX_PAUSES else None
        failures = row.attempts - row.pauses
        return backoff(failures) if failures <= self._max_retries else None

    def _conclude(self, row: _Row) -> None:
        """End a row that is in no place any more: after its last attempt, or before its first one."""
        self._held -= 1
        error, target = row.error, target_of(row.update)
        if not row.attempts:
            self._leave(row)
        else:
            if row.maybe_applied and error is not None and error.applied is False:
                row.error = _maybe_applied(error)
            again = error is not None and not (rule_of(error).is_final and self._is_about_row(error))
            if again:
                self._unresolved.add(target)
            self._unreachable = self._unreachable + 1 if isinstance(error, NeptunConnectionError) else 0
            if error is not None and self._unreachable == self._window:
                self.ended_by = self.ended_by or error
            self._note(row, again=again)
        queued = self._queued.pop(target)
        if queued and target not in self._unresolved and not self._is_over:
            self._fresh.append(queued.popleft())
            self._queued[target] = queued
            return
        for other in queued:
            self._held -= 1
            self._leave(other)

    def _is_about_row(self, error: NeptunError) -> bool:
        """Tell whether it is the row that was refused, and not the session or the client."""
        return error is not self.ended_by and not isinstance(error, ArgumentError)

    def _note(self, row: _Row, *, again: bool) -> None:
        """Note the outcome of a row, which is in the journal before it is yielded."""
        error = row.error
        status = "applied" if error is None else _STATUSES[error.applied]
        resent = bool(row.attempts and row.entry and row.entry.maybe_applied)
        outcome = Outcome(row.update, status, error, row=row.number, attempts=row.requests, again=again, resent=resent)
        if self._journal is not None:
            self._journal.outcome(outcome, row.digest)
        self._outcomes.append(outcome)

    def _leave(self, row: _Row) -> None:
        """Yield the outcome of a row that this run does not send: what an earlier run knows of it stays true."""
        if not self._is_over:  # else nothing is sent any more, and the rest of a long input would be kept in memory
            self._unresolved.add(target_of(row.update))
        outcome = _earlier(row, row.entry) if row.entry else Outcome(row.update, "unsent", row=row.number, again=True)
        if self._journal is not None and row.noted:
            self._journal.outcome(outcome, row.digest)
        self._outcomes.append(outcome)

    def _drain(self) -> None:
        """Wait for the requests under way, and write their outcomes to the journal. Nobody asks for them any more."""
        self._stopping = True
        rows = [row for row in self._under_way.values() if row.future is not None]
        pending = {row.future for row in rows if row.future is not None}
        done = pending
        while pending and done:
            done, pending = concurrent.futures.wait(pending, self._max_silence, concurrent.futures.FIRST_COMPLETED)
        for row in rows:
            self._settle(row)
        self._send_ready()
        if self._journal is not None:
            self._journal.sync()


def _earlier(row: _Row, entry: Entry) -> Outcome:
    """Return the outcome of a row as earlier runs have left it."""
    return Outcome(row.update, entry.status, entry.error, row=row.number, earlier=True, again=entry.again)


def _result(row: _Row) -> Result:
    """Return the result of a task; if it has none, because its worker died, its update may have been applied."""
    future, row.future = row.future, None
    if future is None or future.cancelled() or not future.done():
        exc: BaseException | None = CancelledError()
    else:
        exc = future.exception()
        if exc is None:
            return future.result()
    reason = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    error = NeptunConnectionError(
        f"{operation_of(row.update).name}({row.update}): the worker died or failed ({reason[:300]}). The update may "
        "have been applied. Call again: sending the same values twice is safe.",
        operation=operation_of(row.update).name,
        attempts=1,
    )
    return Result(with_rule(error, _LOST))


def _maybe_applied(error: NeptunError) -> NeptunError:
    """Return the error of a last attempt that was refused, after another one that may have been applied."""
    changed = copy.copy(error)
    changed.applied = None
    before, now = "The update was not applied.", "An earlier attempt may have been applied."
    text = str(error)
    changed.args = (text.replace(before, now) if before in text else f"{text} {now}",)
    return changed
