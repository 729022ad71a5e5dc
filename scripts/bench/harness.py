"""Side by side: contenders take turns in short batches, and each is compared with the first in the same round.

A machine that is busy for a while then slows every contender of that round, and the ratio stays what it is.
"""

import statistics
import time
from collections.abc import Callable, Mapping

import attrs

# What an import is timed in: where click and rich are installed, as they are for the tests, httpx loads them for its
# own command line, and everything looks cheap beside that.
WITHOUT_CLI = "import sys; sys.modules.update(click=None, rich=None)"
BASE = "bare httpx"
OURS = "neptun-sdk"
Clock = Callable[[], float]


@attrs.frozen
class Measured:
    """What one contender took, and how that compares.

    Attributes:
        name: The contender.
        median: Its median, in the unit of the row.
        ratio: The median of its ratios to the first contender of the same round.
        low: The first quartile of these ratios.
        high: The third.
    """

    name: str
    median: float
    ratio: float
    low: float
    high: float


@attrs.frozen
class Row:
    """One thing that was measured.

    Attributes:
        what: The thing.
        unit: The unit of the medians.
        target: What it should be, in words.
        measured: The contenders; the first is what the others are compared with.
        met: Whether it is what it should be.
    """

    what: str
    unit: str
    target: str
    measured: list[Measured]
    met: bool

    @property
    def compares(self) -> bool:
        """Whether there is more than one contender."""
        return len(self.measured) > 1


def compare(samples: Mapping[str, list[float]], units: float = 1.0) -> list[Measured]:
    """Compare the samples of each contender with the first one's of the same round.

    Args:
        samples: What was measured, by contender and in the order of the rounds.
        units: How many units of the row one unit of the samples is, such as 1e6 for seconds as microseconds.
    """
    base = next(iter(samples.values()))
    found: list[Measured] = []
    for name, taken in samples.items():
        ratios = [own / first for own, first in zip(taken, base, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        found.append(Measured(name, statistics.median(taken) * units, middle, low, high))
    return found


def side_by_side(
    calls: Mapping[str, Callable[[], object]], rounds: int, batch: float, clock: Clock = time.process_time
) -> dict[str, list[float]]:
    """Let the contenders take turns.

    Args:
        calls: The contenders, by name; the first is what the others are compared with.
        rounds: How often each has its turn.
        batch: Seconds that one turn should take, about.
        clock: What is measured: CPU time of this process, or ``time.perf_counter``.

    Returns:
        For each contender and round, the seconds that one call took.
    """
    counts: dict[str, int] = {}
    for name, call in calls.items():
        call()  # opens the connection
        began = time.perf_counter()
        for _ in range(5):
            call()
        counts[name] = max(1, int(batch / ((time.perf_counter() - began) / 5)))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            began = clock()
            for _ in range(counts[name]):
                call()
            if number:  # the first round warms up
                samples[name].append((clock() - began) / counts[name])
    return samples
