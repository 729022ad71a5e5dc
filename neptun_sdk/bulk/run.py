"""bulk_update and the run that it returns."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Self

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
) -> BulkRun:
    """Send many updates at once, and return an iterator of their outcomes: one for each, as they become known.

    Nothing is sent before the first outcome is asked for. Each update is checked before anything is sent by it. At most
    ``8 * max_workers`` rows are held in memory, half of them with the workers. Updates of the same project, or of the
    same import, are sent one after the other, in the order of the input; if it is not known whether one of them was
    applied, or a later run is to send it again, those after it are left ``unsent``.

    A request is sent again as the client does, ``client.max_retries`` times. A 429 or 503 with ``Retry-After`` pauses
    all workers. An `AuthenticationError` about the session ends the run, and so does a server that cannot be reached,
    or an executor that returns nothing for two minutes longer than a call may take: the rest is ``unsent``.

    Args:
        client: The client to send with. In other processes a client is made from the environment there, once, whose
            ``NEPTUN_USER_ID``, ``NEPTUN_BASE_URL`` and ``NEPTUN_DIALECT`` must agree with it.
        updates: Any iterable of `Update`, a generator too. One that can be read again, such as a list, is read once
            before anything is sent, for its hash; of a generator, each row is compared with the journal when it comes.
        journal: A file that remembers what was sent. Run again with the same one, and what was applied is not sent
            again, nor what was refused for good; what is unknown or unsent is. ``None`` keeps no journal.
        max_workers: How many requests are sent at once; with an executor of your own, how many workers it has.
        executor: Any executor, which stays yours to shut down; a thread pool by default. With a process pool, or
            ``distributed.Client.get_executor(pure=False)``, the updates are sent elsewhere.

    Raises:
        ArgumentError: An argument cannot be right, or the journal is in use, damaged, or belongs to other work. The
            iterator raises it if a row is not the one that the journal knows, or no `Update`.
        OSError: The journal cannot be written. The iterator raises it too.
    """
    if not isinstance(client, NeptunClient):
        raise ArgumentError(f"client must be a NeptunClient, not {type(client).__name__}; nothing was sent.")
    if type(max_workers) is not int or max_workers < 1:
        raise ArgumentError("max_workers must be an int, 1 or more; nothing was sent.")
    return BulkRun(Loop(client, updates, journal=journal, max_workers=max_workers, executor=executor))


class BulkRun(Iterator[Outcome]):
    """A run: the iterator of outcomes that `bulk_update` returns.

    Leaving the loop early, an exception in it, and `close` all wait for the requests that are under way, and write
    their outcomes to the journal.
    """

    # A class of its own, which nothing refers back to: a run that is dropped ends at once, not with the next garbage
    # collection. The type of its argument is no part of the public interface.

    def __init__(self, loop: Any) -> None:
        self._loop: Loop = loop
        self._outcomes: Generator[Outcome] = loop.run()

    @property
    def ended_by(self) -> NeptunError | None:
        """The error that ended the run before its time, such as an `AuthenticationError` about the session."""
        return self._loop.ended_by

    def stop(self) -> None:
        """Finish what is under way and send nothing more: the rest is ``unsent``. The iterator goes on to its end.

        May be called from any thread, and from a signal handler.
        """
        self._loop.stop()

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
