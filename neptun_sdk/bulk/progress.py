"""How far a run is: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from neptun_sdk._http.deadline import monotonic
from neptun_sdk.bulk.summary import Totals

_LINE_INTERVAL = 5.0  # seconds between lines where there is no terminal
_NARROW = 60  # columns, in which a bar leaves no room for the failures
_TICK = 0.5  # seconds between two looks of the bar at the clock


@contextmanager
def show_progress(totals: Totals, *, quiet: bool = False) -> Generator[Bar | Lines | Nothing]:
    """Show the progress, and what the run logs, such as a pause, until the end of the ``with``."""
    progress = Nothing() if quiet else Bar(totals.total) if sys.stderr.isatty() else Lines(totals.sent)
    logger, handler = logging.getLogger("neptun_sdk.bulk"), _LogHandler(progress)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield progress
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        progress.close()


def _columns() -> int:
    """Return how wide the terminal is; 0 if it does not know."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 0


class Bar:
    """The bar of a terminal. It is drawn again while nothing happens too, to keep its clock running."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        self._failed = self._skipped = 0
        self._paused = False
        # A terminal may not know its size, as of `docker exec -t`; tqdm shows nothing then.
        columns = _columns()
        size: dict[str, Any] = {"dynamic_ncols": True} if columns else {"ncols": 80, "nrows": 24}
        if 0 < columns < _NARROW:
            size["bar_format"] = "{percentage:3.0f}% {n_fmt}/{total_fmt}{postfix}, {remaining} left"
        self._bar = tqdm(total=total, unit="row", smoothing=0.1, file=sys.stderr, **size)
        self._closed = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def show(self, totals: Totals) -> None:
        """Show one more row."""
        if totals.failed != self._failed:
            self._failed = totals.failed
            self._set_postfix()
        if totals.skipped == self._skipped:
            self._bar.update()
            return
        # An earlier run has done it: it counts neither for the rate nor for the time that is left.
        self._skipped = totals.skipped
        self._bar.n += 1
        self._bar.initial += 1
        self._bar.last_print_n += 1

    def write(self, text: str, *, paused: bool | None = None) -> None:
        """Write a line above the bar; in an outage, the bar says that the run is paused."""
        if paused is not None:
            self._paused = paused
            self._set_postfix()
        self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._closed.set()
        self._ticker.join()
        self._bar.close()

    def _set_postfix(self) -> None:
        found = ["paused"] * self._paused + [f"{self._failed:,} failed"] * (self._failed > 0)
        self._bar.set_postfix_str(", ".join(found), refresh=False)

    def _tick(self) -> None:
        while not self._closed.wait(_TICK):
            self._bar.refresh()


class Lines:
    """Plain lines for a log, one every few seconds."""

    def __init__(self, sent: int) -> None:
        self._began = self._last = monotonic()
        self._sent = sent  # before

    def show(self, totals: Totals) -> None:
        """Write how far the run is, if it is time."""
        now = monotonic()
        if now - self._last < _LINE_INTERVAL:
            return
        self._last = now
        rate = (totals.sent - self._sent) / (now - self._began)  # what an earlier run has done, no time is needed for
        left = f", {(totals.total - totals.done) / rate:,.0f} s left" if rate else ""
        self.write(
            f"{totals.done:,} of {totals.total:,} rows ({totals.done / totals.total:.0%}), {rate:,.0f} rows/s, "
            f"{totals.failed:,} failed{left}"
        )

    def write(self, text: str, **_: object) -> None:
        """Write a line, if there is still somebody who reads it: the run does not end for that."""
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """There is nothing to end."""


class Nothing:
    """No progress."""

    def show(self, totals: Totals) -> None:
        """Show nothing."""

    def write(self, text: str, **_: object) -> None:
        """Write nothing."""

    def close(self) -> None:
        """There is nothing to end."""


class _LogHandler(logging.Handler):
    def __init__(self, progress: Bar | Lines | Nothing) -> None:
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.write(record.getMessage(), paused=vars(record).get("paused"))
