"""Rows that were read and are not done, and whose turn it is: those of one target are sent one after the other."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from neptun_sdk.bulk.content import Entry
from neptun_sdk.bulk.updates import Target, Update, target_of
from neptun_sdk.bulk.worker import Result
from neptun_sdk.errors import NeptunError


@dataclass(slots=True, eq=False)
class Row:
    """A row that was read and is not done.

    Attributes:
        entry: What the journal knew of it when this run began.
        tasks: How many tasks were made for it.
        called_back: The last of them that was called back.
        attempts: How many of them sent, or tried to send, a request.
        requests: How many requests these sent, or tried to send.
        pauses: How many of the attempts ended with the server asking to wait.
        failures: How many others failed while the server responded to other rows.
        noted: Whether the journal says that it is sent.
        sent: Whether an attempt of this run may have reached the server.
        maybe_applied: Whether an attempt, of an earlier run too, may have applied it.
        error: The error of the last attempt.
        future: The task that is under way.
        target: What it updates.
    """

    number: int
    update: Update
    digest: str
    entry: Entry | None
    fields: dict[str, str] = field(default_factory=dict[str, str])
    tasks: int = 0
    called_back: int = 0
    attempts: int = 0
    requests: int = 0
    pauses: int = 0
    failures: int = 0
    noted: bool = False
    sent: bool = False
    maybe_applied: bool = False
    error: NeptunError | None = None
    future: Future[Result] | None = None
    target: Target = field(init=False)

    def __post_init__(self) -> None:
        self.target = target_of(self.update)


class Targets:
    """Whose turn it is. A target is here while a row of it is on its way, or if a row of it is left to a later run."""

    def __init__(self) -> None:
        self._queues: dict[Target, deque[Row]] = {}
        self._blocked: dict[Target, int] = {}

    def is_first(self, row: Row) -> bool:
        """Take a row in; return whether it may be sent now, and not only after another one."""
        queue = self._queues.setdefault(row.target, deque())
        queue.append(row)
        return len(queue) == 1

    def has_followers(self, row: Row) -> bool:
        """Return whether other rows wait for the one whose turn it is."""
        return len(self._queues[row.target]) > 1

    def following(self, row: Row) -> Row | None:
        """End the turn of a row; return the one whose turn is next."""
        queue = self._queues[row.target]
        queue.popleft()
        if queue:
            return queue[0]
        del self._queues[row.target]
        return None

    def withdraw(self, row: Row) -> list[Row]:
        """End the turn of a row; return all that waited for it, and which are not sent."""
        return list(self._queues.pop(row.target))[1:]

    def block(self, row: Row) -> None:
        """Leave all further rows of a target to a later run, which sends this one first."""
        self._blocked.setdefault(row.target, row.number)

    def blocked_by(self, row: Row) -> int | None:
        """Return the number of the row that a later run sends before this one; ``None`` if there is none."""
        return self._blocked.get(row.target)
