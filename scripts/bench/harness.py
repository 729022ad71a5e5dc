"""Side-by-side measurement: contenders take turns, and each is compared with the first one of the same round.

A machine that is busy for a while slows every contender of that round, so the ratio stays the same.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

# Code that runs before an import is timed. httpx imports click and rich for its command line if they are installed, as
# they are for the tests. Their import takes longer than everything else, and a service does not have them.
WITHOUT_CLI = "import sys; sys.modules.update(click=None, rich=None)"

BASE = "bare httpx"
OURS = "neptun-sdk"
GENERATED = "the generated client alone"

# Runs a contender and returns what was measured.
Turn = Callable[[], float]


@dataclass(frozen=True)
class Measured:
    """The result of one contender.

    Attributes:
        name: The contender.
        median: Its median, in the unit of the row.
        ratio: The median of its ratios to the first contender of the same round.
        low: The first quartile of these ratios.
        high: The third quartile of these ratios.
    """

    name: str
    median: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        subject: What was measured. The rows of one subject share a panel of the plot.
        case: Which of several rows of the subject this is.
        quantity: What the values are, such as "CPU time".
        unit: The unit of the medians.
        better: Whether a smaller or a larger value is better.
        target: The target, in words.
        met: Whether the target is met.
        measured: The results; the first contender is the one that the others are compared with.
        ours: The contenders that belong to this repository.
    """

    subject: str
    case: str = ""
    quantity: str
    unit: str
    better: Literal["less", "more"] = "less"
    target: str
    met: bool
    measured: list[Measured]
    ours: tuple[str, ...] = (OURS,)

    @property
    def title(self) -> str:
        """The subject, the case and the quantity."""
        return ", ".join(filter(None, (self.subject, self.case, self.quantity)))

    @property
    def has_ratios(self) -> bool:
        """Whether there is more than one contender."""
        return len(self.measured) > 1


def compare(samples: Mapping[str, list[float]], *, scale: float = 1.0) -> list[Measured]:
    """Compare each contender with the first one, round by round.

    Args:
        samples: The samples of each contender, in the order of the rounds.
        scale: What converts a sample to the unit of the row, such as 1e6 from seconds to microseconds.
    """
    base = next(iter(samples.values()))
    results: list[Measured] = []
    for name, values in samples.items():
        ratios = [value / base_value for value, base_value in zip(values, base, strict=True)]
        low, median_ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
        results.append(Measured(name, statistics.median(values) * scale, median_ratio, low, high))
    return results


def take_turns(turns: Mapping[str, Turn], *, rounds: int) -> dict[str, list[float]]:
    """Give every contender one turn in each round, and return the samples of each.

    One more round comes first, as a warm-up. Its samples are dropped.
    """
    samples: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, turn in turns.items():
            sample = turn()
            if number > 0:
                samples[name].append(sample)
    return samples


def in_batches(call: Callable[[], object], *, clock: Callable[[], float] = time.process_time) -> Turn:
    """Return a turn that repeats a call for about 50 ms, and returns the seconds of one call.

    Args:
        call: The call. It is made a few times at once, to open its connection and to find the size of a batch.
        clock: The clock to read: CPU time of this process, or ``time.perf_counter`` for wall time.
    """
    call()
    started = time.perf_counter()
    for _ in range(5):
        call()
    size = max(1, int(0.05 / ((time.perf_counter() - started) / 5)))

    def turn() -> float:
        started = clock()
        for _ in range(size):
            call()
        return (clock() - started) / size

    return turn
