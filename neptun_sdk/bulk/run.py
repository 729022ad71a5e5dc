"""bulk_update and the run that it returns."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Self

from neptun_sdk.bulk.content import Content
from neptun_sdk.bulk.loop import Loop
from neptun_sdk.bulk.updates import Outcome, Update
from neptun_sdk.client import NeptunClient
from neptun_sdk.errors import ArgumentError, NeptunError


def bulk_update(
    client: NeptunClient,
    updates: Iterable[Update],
    *,
    journal: str | os.PathLike[str] | None = None,
    max_workers: int = 8,
    executor: Executor | None = None,
    max_outage: float = 600.0,
    max_failures: int | None = None,
) -> BulkRun:
    """Send many updates at once, and return an iterator of their outcomes: one for each, as they become known.

    Nothing is sent before the first outcome is asked for. Each update is checked before anything is sent by it. At most
    ``8 * max_workers`` rows are held in memory, half of them with the workers. Updates of the same project, or of the
    same import, are sent one after the other, in the order of the input. If a later run is to send one of them again,
    those after it are left ``unsent``. A definite response ends a row, and so does the third run that learns nothing.

    A request that fails, with a 500 too, is sent again ``client.max_retries`` times, and more often if other rows wait
    for it. A 429 or 503 with ``Retry-After`` pauses all workers. If most requests fail, the run pauses, and tries one
    row at a time until the server responds. A longer outage ends the run, and so does an `AuthenticationError` about
    the session, or an executor that returns nothing for two minutes longer than a call may take: the rest is
    ``unsent``. So it does when the interpreter ends.

    Args:
        client: The client to send with. Another process makes its own client, once, from its environment. There,
            ``NEPTUN_USER_ID``, ``NEPTUN_BASE_URL`` and ``NEPTUN_DIALECT`` must agree with this client.
        updates: Any iterable of `Update`, a generator too. One that can be read again, such as a list, is read once
            before anything is sent, for its hash. Each row of a generator is compared with the journal when it comes.
        journal: A file that records progress. A later run with the same journal sends what is unknown or unsent, and
            not what was applied or refused for good. ``None`` keeps no journal.
        max_workers: How many requests are sent at once. With ``executor``, how many workers it has.
        executor: Any executor, which the run does not shut down; a thread pool by default. With a process pool, or
            ``distributed.Client.get_executor(pure=False)``, the updates are sent elsewhere. It must return a Future for
            each task that it takes, run the task once and soon, and call back once.
        max_outage: The seconds after which an outage ends the run. A server that has never responded in a run ends it
            after half a minute.
        max_failures: How many rows may fail for good before the run ends. By default it ends if the first 50 that it
            sends all fail, unless an earlier run has applied any.

    Raises:
        ArgumentError: An argument cannot be right, or the journal is in use, damaged, or belongs to other work. The
            iterator raises it if a row is not the one that the journal knows, or not an `Update`, and if the executor
            does not do what it must.
        OSError: The journal cannot be written. The iterator raises it too.
    """
    if not isinstance(client, NeptunClient):
        raise ArgumentError(f"client must be a NeptunClient, not {type(client).__name__}; nothing was sent.")
    if type(max_workers) is not int or max_workers < 1:
        raise ArgumentError("max_workers must be an int, 1 or more; nothing was sent.")
    if isinstance(max_outage, bool) or not (isinstance(max_outage, int | float) and 0 <= max_outage < float("inf")):
        raise ArgumentError("max_outage must be a number of seconds, 0 or more; nothing was sent.")
    if max_failures is not None and (type(max_failures) is not int or max_failures < 1):
        raise ArgumentError("max_failures must be an int, 1 or more; nothing was sent.")
    return BulkRun(
        Loop(
            client,
            updates,
            journal=journal,
            max_workers=max_workers,
            executor=executor,
            max_outage=max_outage,
            max_failures=max_failures,
        )
    )


class BulkRun(Iterator[Outcome]):
    """A run: the iterator of outcomes that `bulk_update` returns.

    Leaving the loop early, an exception in it, and `close` all wait for the requests that are under way, and write
    their outcomes to the journal.
    """

    # Apart from `Loop`, and nothing refers back to it: a run that is dropped ends at once, not with the next garbage
    # collection. The type of its argument is not public.

    def __init__(self, loop: Any) -> None:
        self._loop: Loop = loop
        self._outcomes: Generator[Outcome] = loop.run()

    @property
    def ended_by(self) -> NeptunError | None:
        """The error that ended the run before its time, such as an `AuthenticationError` about the session."""
        return self._loop.ended_by

    def stop(self, *, read_rest: bool = True) -> None:
        """Finish what is under way and send nothing more. The iterator still yields its outcomes.

        May be called from any thread, and from a signal handler.

        Args:
            read_rest: Read the rest of the input, and yield an outcome for each of its updates: ``unsent``, or what the
                journal knows of it. ``False`` leaves the rest unread and without outcomes.
        """
        self._loop.stop(read_rest=read_rest)

    def close(self) -> None:
        """Wait for the requests that are under way, write their outcomes to the journal, and close it."""
        self._outcomes.close()
        self._loop.close()  # of a generator that was never begun, nothing runs

    def __next__(self) -> Outcome:
        return next(self._outcomes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def content_before(run: BulkRun) -> Content | None:
    """Return what the journal of a run held when it began, for the command to count unread rows."""
    return run._loop.before  # pyright: ignore[reportPrivateUsage]
