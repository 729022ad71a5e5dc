"""Ctrl-C and SIGTERM while ``neptun-bulk`` runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

from neptun_sdk.bulk.run import BulkRun


class Interrupted(BaseException):
    """A signal came before anything was sent."""


class Signals:
    """The first signal ends the run in good order, the second ends the process at once.

    Attributes:
        number: The signal that came last; 0 if none came.
        run: The run to stop; ``None`` before anything is sent.
    """

    def __init__(self) -> None:
        self.number: int = 0
        self.run: BulkRun | None = None

    @classmethod
    @contextmanager
    def handled(cls) -> Generator[Signals]:
        """Handle both until the end of the ``with``, except one that the parent process has set to be ignored."""
        signals = cls()
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
        for number in handled:
            signal.signal(number, signals._handle)
        try:
            yield signals
        finally:
            for number in handled:
                signal.signal(number, before[number])

    @property
    def exit_code(self) -> int:
        """What a shell makes of a process that was ended by the signal."""
        return 128 + self.number

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        again, self.number = self.number, number
        # Not through sys.stderr: this may interrupt a write to it.
        if again:
            with suppress(OSError):
                os.write(2, b"\nneptun-bulk: ended at once; what was under way may have been applied\n")
            os._exit(self.exit_code)
        if self.run is None:
            raise Interrupted
        self.run.stop(read_rest=False)
        with suppress(OSError):  # the terminal may be closed
            os.write(2, b"\nneptun-bulk: finishing what is under way (a second time ends at once)\n")
