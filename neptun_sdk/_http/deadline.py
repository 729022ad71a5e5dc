"""A deadline that every operation of a request shares, and the clock that it is measured by."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

# freezegun replaces `time.monotonic` wherever a module holds it, and the clock then stands still. No tool replaces
# `clock_gettime` for this clock, which Windows lacks.
monotonic: Callable[[], float] = (
    functools.partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    if hasattr(time, "clock_gettime")
    else functools.partial(time.monotonic)
)


class Deadline(float):
    """A deadline that travels as an httpx timeout; ``end`` is a moment of `monotonic`.

    httpx passes timeouts on unchanged, so that a float subclass reaches the socket. Its value is the time left at its
    creation, in seconds, which is what another transport sees; `remaining` is the time left now.
    """

    end: float

    def __new__(cls, end: float, left: float | None = None) -> Deadline:
        left = end - monotonic() if left is None else left
        self = super().__new__(cls, left if left > 0.001 else 0.001)  # 0 means "do not wait" to a socket
        self.end = end
        return self

    def remaining(self) -> float:
        """Return the seconds that are left; 0 or less if there are none."""
        return self.end - monotonic()


def remaining(timeout: float | None, expired: type[Exception]) -> float | None:
    """Return what is left of a timeout now; raise ``expired`` if a deadline has passed."""
    if not isinstance(timeout, Deadline):
        return timeout
    left = timeout.remaining()
    if left <= 0:
        raise expired("the time of the call is over")
    return Deadline(timeout.end, left)
