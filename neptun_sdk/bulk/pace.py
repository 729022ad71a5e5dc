"""The pace of a run: the waits that a server asks for, and what an outage makes of it."""

from __future__ import annotations

import logging

from neptun_sdk._http.deadline import monotonic
from neptun_sdk.errors import NeptunConnectionError, ServerError
from neptun_sdk.outcomes import Rule

_OUTAGE = 5  # failures in succession, of more than one row, that are an outage
_FIRST_WAIT = 0.5  # seconds until one row is tried; twice as long each time
_MAX_WAIT = 30.0  # seconds
_MAX_TRIES = 6  # rows that are tried if the server has not responded in this run at all: half a minute
_log = logging.getLogger("neptun_sdk.bulk")


class Pace:
    """How many requests may be under way. It is told of every response, failure and wait.

    An outage begins when requests fail one after the other. Then one row at a time is tried, with growing waits, until
    the server responds.

    Args:
        most: How many may be under way at best.
        max_outage: The seconds after which an outage ends the run.
    """

    def __init__(self, most: int, max_outage: float) -> None:
        self.paused_until: float = 0.0
        self._most = most
        self._max_outage = max_outage
        self._has_responded = False
        self._failures = 0
        self._failed: set[int] = set()  # rows; all that matters is whether there is more than one
        self._outage_since: float | None = None
        self._tries = 0

    @property
    def in_outage(self) -> bool:
        """Whether the server does not respond: a failure is not the row's own."""
        return self._outage_since is not None

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        if monotonic() < self.paused_until:
            return 0
        return 1 if self.in_outage else self._most

    @property
    def outage(self) -> float | None:
        """The seconds that an outage has lasted, if that is too long."""
        if self._outage_since is None:
            return None
        seconds = monotonic() - self._outage_since
        is_over = seconds > self._max_outage or (not self._has_responded and self._tries >= _MAX_TRIES)
        return seconds if is_over else None

    def respond(self) -> None:
        """Take note of a response that says what became of a row."""
        if self._outage_since is not None:
            seconds = monotonic() - self._outage_since
            _log.info("the server responds again, after %.0f s", seconds, extra={"paused": False})
            self._outage_since = None
        self._has_responded = True
        self._failures = self._tries = 0
        self._failed.clear()

    def fail(self, row: int) -> float:
        """Take note of a failure; return for how many seconds nothing may be sent."""
        now = monotonic()
        self._failures += 1
        if len(self._failed) < 2:
            self._failed.add(row)
        if self._outage_since is None:
            if self._failures < _OUTAGE or len(self._failed) < 2:
                return 0.0
            self._outage_since = now
            limit = self._max_outage if self._has_responded else _FIRST_WAIT * 2**_MAX_TRIES
            _log.info(
                "most requests fail: paused; one row at a time is tried, for up to %.0f s",
                limit,
                extra={"paused": True},
            )
        elif now < self.paused_until:  # it was under way when the last one failed
            return 0.0
        wait: float = min(_MAX_WAIT, _FIRST_WAIT * 2 ** min(self._tries, 10))
        self._tries += 1
        self.paused_until = max(self.paused_until, now + wait)
        return wait

    def wait(self, seconds: float, *, is_asked: bool = True) -> None:
        """Send nothing for some seconds, as the server has asked."""
        until = monotonic() + seconds
        is_new = until > self.paused_until + 0.5  # else it is the same pause, as another worker has met it
        if seconds and is_new and is_asked:
            _log.info("the server asks to wait: all workers pause for %.0f s", max(1.0, seconds))
        self.paused_until = max(self.paused_until, until)


def is_failure(rule: Rule) -> bool:
    """Tell whether an attempt ended without a definite response: no connection, a broken one, or a 5xx."""
    return not rule.is_final and issubclass(rule.error, (NeptunConnectionError, ServerError))
