"""What became of the rows of a file: counted on the way, and printed at the end."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from neptun_sdk.bulk.content import Content
from neptun_sdk.bulk.rows import InputError, Rows
from neptun_sdk.bulk.updates import Outcome

_MAX_FAILURES = 20  # rows that were not applied that are printed
_MAX_PLACES = 100  # lines of rows that were sent again that are printed
_MEANINGS = {
    "applied": "",
    "refused": "not applied",
    "unknown": "may have been applied",
    "unsent": "not sent",
}


@dataclass
class Totals:
    """What became of the rows so far.

    Attributes:
        total: How many rows the input has.
        passes: How often the input was gone through: once more with ``--retry-unknown``.
        counts: How many rows have each status.
        earlier: How many rows an earlier run has applied.
        sent: How many rows were sent; one that was sent in both passes counts twice.
        again: How many rows a later run sends again.
        failures: The first rows that are refused or unknown.
        resent: The rows that were sent although an earlier run, or pass, may have applied them.
    """

    total: int
    passes: int = 1
    counts: Counter[str] = field(default_factory=Counter[str])
    earlier: int = 0
    sent: int = 0
    again: int = 0
    failures: list[Outcome] = field(default_factory=list[Outcome])
    resent: list[int] = field(default_factory=list[int])

    def add(self, outcome: Outcome) -> None:
        """Count one more row."""
        self.counts[outcome.status] += 1
        self.sent += outcome.attempts > 0
        self.again += outcome.again
        self.earlier += self.passes == 1 and outcome.earlier and outcome.status == "applied"
        if outcome.resent:
            self.resent.append(outcome.row)
        if outcome.status in ("refused", "unknown") and len(self.failures) < _MAX_FAILURES:
            self.failures.append(outcome)

    def recount(self, journal: Content | None) -> None:
        """Count every row as the journal knows it: of a run that an exception ended, not every outcome came back."""
        if journal is None:
            left = self.total - self.done
            self.counts["unsent"] += left
            self.again += left
            return
        entries = [journal.entry(row) for row in range(1, self.total + 1)]
        self.counts = Counter(entry.status if entry else "unsent" for entry in entries)
        self.again = sum(entry is None or entry.again for entry in entries)

    def begin_again(self) -> None:
        """Count every row once more, as what it is after another pass."""
        self.passes += 1
        self.counts.clear()
        self.again = 0
        self.failures.clear()

    @property
    def done(self) -> int:
        """How many rows have an outcome."""
        return self.counts.total()

    @property
    def failed(self) -> int:
        """How many rows are not applied, or not known to be, although they were sent."""
        return self.counts["refused"] + self.counts["unknown"]


def print_summary(
    totals: Totals, rows: Rows, *, seconds: float, problem: str, journal: Path | None, resume: str
) -> None:
    """Print the table, what was not applied, what was sent again, and how to go on."""
    counts = totals.counts
    width = max(len(f"{totals.total:,}"), 5)
    print(f"\n{'status':8} {'rows':>{width}}")
    for status, meaning in _MEANINGS.items():
        if status == "applied" and totals.earlier:
            some = "all" if totals.earlier == counts[status] else f"{totals.earlier:,}"
            meaning = f"{some} of them by an earlier run"
        print(f"{status:8} {counts[status]:>{width},}{f'  {meaning}' if counts[status] and meaning else ''}")
    sent = f"{totals.sent:,} sent in {seconds:.1f} s, {totals.sent / max(seconds, 0.001):,.0f} rows/s"
    print(f"{'total':8} {totals.total:>{width},}  {sent if totals.sent else 'nothing was left to send'}")
    failures, resent = totals.failures, totals.resent
    places = _places(rows, {*(each.row for each in failures), *resent})
    if resent:
        print(
            f"\nSent again, as an earlier run may have applied them: {_joined([places[row] for row in sorted(resent)])}"
        )
    if failures:
        print("\nNot applied, or not known to be:")
        for each in sorted(failures, key=lambda outcome: outcome.row):
            error = each.error or "it was under way when an earlier run ended"
            print(f"  {places[each.row]}, {each.status}: {error}{' (to be sent again)' if each.again else ''}")
        see = f": see {journal}" if journal else ""
        if totals.failed > len(failures):
            print(f"  … and {totals.failed - len(failures):,} more{see}")
    if problem:
        print(f"\nThe run ended early: {problem}")
    if totals.again:
        print(f"\n{resume}")
    elif counts["refused"]:
        print("\nWhat was refused is not sent again: correct these rows, and send them as a file of their own.")


def _joined(places: list[str]) -> str:
    more = f" … and {len(places) - _MAX_PLACES:,} more" if len(places) > _MAX_PLACES else ""
    return ", ".join(places[:_MAX_PLACES]) + more


def _places(rows: Rows, wanted: set[int]) -> dict[int, str]:
    """Return where each of some rows stands: its line, or its number if the file was changed since it was sent."""
    found = {row: f"row {row}" for row in wanted}
    if wanted:
        with suppress(InputError):
            found |= {row: f"line {line}" for row, (line, _) in enumerate(rows.lines(), 1) if row in wanted}
    return found
