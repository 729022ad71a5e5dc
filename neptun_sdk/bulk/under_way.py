"""What is under way: the tasks that an executor has, and what it makes of them."""

from __future__ import annotations

import concurrent.futures
import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, cast

from neptun_sdk._http.deadline import monotonic
from neptun_sdk.bulk import worker
from neptun_sdk.bulk.targets import Row
from neptun_sdk.bulk.updates import operation_of
from neptun_sdk.bulk.worker import Account, Result, Task
from neptun_sdk.errors import ArgumentError, NeptunConnectionError
from neptun_sdk.outcomes import Rule, with_rule

_MAX_LATENCY = 0.02  # seconds until a result is taken in
_MAX_SILENCE = 120.0  # seconds beyond the timeout of a call; an executor that returns nothing for longer has lost them
_LOST = Rule(NeptunConnectionError, retryable=True)  # a task whose worker died
_log = logging.getLogger("neptun_sdk.bulk")


class UnderWay:
    """The tasks of an executor.

    Attributes:
        problem: How the executor has broken its promise, if it has: then nothing more can be sent.
        max_silence: The seconds after which an executor that returns nothing has lost its tasks.

    Args:
        account: Whose updates they are.
        executor: The caller's executor; ``None`` makes threads.
        max_workers: How many threads.
    """

    def __init__(self, account: Account, executor: Executor | None, max_workers: int) -> None:
        self.problem: ArgumentError | None = None
        self._account = account
        self._max_workers = max_workers
        self.max_silence: float = account.timeout + _MAX_SILENCE
        self._pool: ThreadPoolExecutor | None = None
        self._executor = self._threads() if executor is None else executor
        self._rows: dict[int, Row] = {}
        self._last_sign = 0.0  # when the executor was given a task, or returned a result
        self._finished: deque[tuple[Row, int]] = deque()  # rows, and which of their tasks are done
        self._batch = 1  # how many of them wake up the thread of the run
        self._awake = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    def __len__(self) -> int:
        return len(self._rows)

    def submit(self, row: Row, task: Task) -> bool:
        """Give the executor a task. Return whether it took it: if not, nothing is sent any more."""
        self._rows[row.number] = row
        self._last_sign = monotonic()
        try:
            future = self._executor.submit(worker.send, self._account, task)
        except Exception as exc:  # such as a process pool that has lost a process
            if self._pool is None:
                _log.warning("the executor takes no more work (%s: %s); continuing in threads", type(exc).__name__, exc)
                self._executor = self._threads()
                return self.submit(row, task)
            if "cannot schedule new futures" not in str(exc):  # else the interpreter is ending
                raise
            del self._rows[row.number]
            return False
        if isinstance(cast("Any", future), Future) or hasattr(future, "add_done_callback"):
            row.future, number = future, row.tasks
            future.add_done_callback(lambda _: self._finish(row, number))
        else:
            self._break(f"submit returned {type(future).__name__}, not a Future")
            self._finish(row, row.tasks)
        return True

    def wake(self) -> None:
        """Let `wait` return. May be called from any thread, and from a signal handler."""
        self._wake.put(None)

    def wait(self, until: float | None) -> None:
        """Wait until a moment, or until results are there: half of what is under way, or what came within a moment.

        Each time that the thread of the run wakes up, it waits for the interpreter's lock, and the workers wait for it.
        """
        now = monotonic()
        if self._rows:
            until = min(now + _MAX_LATENCY, now + _MAX_LATENCY if until is None else until)
        self._batch = max(1, len(self._rows) // 2)
        self._awake = False
        if len(self._finished) >= self._batch:
            return
        with suppress(Empty):
            self._wake.get(timeout=None if until is None else max(0.0, until - now))
            while True:
                self._wake.get_nowait()

    def results(self) -> Iterator[tuple[Row, Result]]:
        """Return what is done, and what an executor has lost that was silent for too long."""
        while self._finished:
            row, task = self._finished.popleft()
            if row.called_back == task:
                self._break("it called back twice for one task")
            else:
                row.called_back = task
                yield row, self._take(row)

    def is_silent(self) -> bool:
        """Return whether the executor has lost its tasks, as that of Dask does if its scheduler dies."""
        return bool(self._rows) and monotonic() > self._last_sign + self.max_silence

    def silence(self) -> NeptunConnectionError:
        """Return the error of a run whose executor is silent."""
        return NeptunConnectionError(
            f"the executor has returned no result for {self.max_silence:.0f} s. What it was given may have been "
            "applied. Check its workers and its scheduler, and run again.",
            attempts=0,
        )

    def wait_for_all(self) -> None:
        """Wait for every task, as long as the executor returns any."""
        pending = {row.future for row in self._rows.values() if row.future is not None}
        done = pending
        while pending and done:
            done, pending = concurrent.futures.wait(pending, self.max_silence, concurrent.futures.FIRST_COMPLETED)

    def give_up(self) -> Iterator[tuple[Row, Result]]:
        """Return all that is under way, done or not."""
        rows = list(self._rows.values())
        for row in rows:
            if row.future is not None:
                row.future.cancel()  # else a worker may begin it when a later run has sent the next row of its target
        for row in rows:
            yield row, self._take(row)

    def close(self) -> None:
        """End the threads, if they are the run's own."""
        if self._pool is not None:
            self._pool.shutdown()

    def _threads(self) -> ThreadPoolExecutor:
        self._pool = ThreadPoolExecutor(self._max_workers, thread_name_prefix="neptun-bulk")
        return self._pool

    def _finish(self, row: Row, task: int) -> None:
        """Take note of a task that is done, in the thread of its worker."""
        self._finished.append((row, task))
        if len(self._finished) >= self._batch and not self._awake:
            self._awake = True
            self._wake.put(None)

    def _take(self, row: Row) -> Result:
        """Return the result of a task; if it has none, because its worker died, its update may have been applied."""
        del self._rows[row.number]
        self._last_sign = monotonic()
        future, row.future = row.future, None
        reason = "it did not come back"
        if future is not None and future.done():
            try:
                result: Any = future.result()
            except BaseException as exc:
                reason = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
            else:
                if isinstance(result, Result):
                    return result
                self._break(f"a task returned {type(result).__name__}, not what worker.send returned")
                reason = "no result of worker.send"
        error = NeptunConnectionError(
            f"{operation_of(row.update).name}({row.update}): the worker died or failed ({reason[:300]}). The update "
            "may have been applied. Call again: sending the same values twice is safe.",
            operation=operation_of(row.update).name,
            attempts=1,
        )
        return Result(with_rule(error, _LOST))

    def _break(self, how: str) -> None:
        self.problem = self.problem or ArgumentError(
            f"the executor is not one of concurrent.futures: {how}. It must run each task once, return a Future that "
            "holds what the task returned, and call back once. What it was given may have been applied. Use another "
            "executor, and run again."
        )
