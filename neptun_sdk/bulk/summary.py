"""What became of the rows of a file: counted on the way, and printed at the end."""

from __future__ import annotations

import itertools
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neptun_sdk.bulk.content import Content
from neptun_sdk.bulk.options import in_words_of_command
from neptun_sdk.bulk.rows import InputError, Rows
from neptun_sdk.bulk.updates import Outcome, Update

_MAX_REASONS = 20  # that are printed
_MAX_KEPT_REASONS = 200  # reasons that are counted apart
_MAX_ROWS = 100  # of each reason whose lines are known
_MAX_RANGES = 10  # of lines that are printed for a reason
_MEANINGS = {
    "applied": "",
    "refused": "not applied",
    "unknown": "may have been applied",
    "unsent": "not sent",
}
_OTHERS = "other reasons"
_UNDER_WAY = "it was under way when an earlier run ended"


@dataclass
class Reason:
    """Why some rows failed.

    Attributes:
        status: ``refused`` or ``unknown``.
        text: The reason; of many rows, without the values that differ.
        first: The whole text of the first row.
        again: Whether a later run sends the rows again.
        count: How many rows.
        rows: The numbers of the first ones.
    """

    status: str
    text: str
    first: str
    again: bool
    count: int = 0
    rows: array[int] = field(default_factory=lambda: array("q"))


@dataclass
class Totals:
    """What became of the rows so far.

    Attributes:
        total: How many rows the input has.
        keeps_rejects: Whether the reason of each row that failed for good is needed.
        passes: How often the input was gone through: once more with ``--retry-unknown``.
        counts: How many rows have each status.
        earlier: How many rows an earlier run has applied.
        sent: How many rows were sent; one that was sent in both passes counts twice.
        skipped: How many rows were not sent because an earlier run had brought them to an end.
        waiting: How many rows were not sent because another one of the same target may be sent again.
        again: How many rows a later run sends again.
        reasons: Why rows are refused or unknown.
        rejects: The reason of each row that failed for good.
        resent: The rows that were sent although an earlier run, or pass, may have applied them.
    """

    total: int
    keeps_rejects: bool = False
    passes: int = 1
    counts: Counter[str] = field(default_factory=Counter[str])
    earlier: int = 0
    sent: int = 0
    skipped: int = 0
    waiting: int = 0
    again: int = 0
    reasons: dict[tuple[str, bool, str], Reason] = field(default_factory=dict[tuple[str, bool, str], Reason])
    rejects: dict[int, str] = field(default_factory=dict[int, str])
    resent: set[int] = field(default_factory=set[int])

    def add(self, outcome: Outcome) -> None:
        """Count one more row."""
        self.counts[outcome.status] += 1
        self.sent += outcome.attempts > 0
        self.skipped += outcome.earlier
        self.again += outcome.again
        self.earlier += self.passes == 1 and outcome.earlier and outcome.status == "applied"
        self.waiting += outcome.status == "unsent" and outcome.error is not None and not outcome.attempts
        if outcome.resent:
            self.resent.add(outcome.row)
        if outcome.status in ("refused", "unknown"):
            text = reason_of(outcome)
            self._add_reason(outcome, text)
            if self.keeps_rejects and not outcome.again:
                self.rejects[outcome.row] = text

    def _add_reason(self, outcome: Outcome, text: str) -> None:
        # Quoted values differ from row to row.
        short = re.sub(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", "…", text)
        key = (outcome.status, outcome.again, short)
        if key not in self.reasons and len(self.reasons) >= _MAX_KEPT_REASONS:
            key, short, text = (outcome.status, outcome.again, _OTHERS), _OTHERS, _OTHERS
        reason = self.reasons.setdefault(key, Reason(outcome.status, short, text, outcome.again))
        reason.count += 1
        if len(reason.rows) < _MAX_ROWS:
            reason.rows.append(outcome.row)

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

    def add_unread(self, before: Content | None) -> None:
        """Count the rows that a run which was stopped did not read. Their state is what its journal held before."""
        read = self.done
        if before is not None:
            applied = before.applied_after(read)
            self.counts["applied"] += applied
            self.skipped += applied
            self.earlier += applied if self.passes == 1 else 0
            for row, entry in before.failed_after(read):
                self.add(Outcome(Update(0), entry.status, entry.error, row=row, earlier=True, again=entry.again))
        unsent = self.total - self.done
        self.counts["unsent"] += unsent
        self.again += unsent

    def begin_again(self) -> None:
        """Count every row once more, as what it is after another pass."""
        self.passes += 1
        self.counts.clear()
        self.again = self.waiting = 0
        self.reasons.clear()
        self.rejects.clear()

    @property
    def done(self) -> int:
        """How many rows have an outcome."""
        return self.counts.total()

    @property
    def failed(self) -> int:
        """How many rows are not applied, or not known to be, although they were sent."""
        return self.counts["refused"] + self.counts["unknown"]


def reason_of(outcome: Outcome) -> str:
    """Return why a row failed, in the words of the command, and without what its line says already."""
    if outcome.error is None:
        return _UNDER_WAY
    return in_words_of_command(re.sub(r"^\w+\([^)]*\): |^\w+: ", "", str(outcome.error)))


def print_summary(
    totals: Totals, rows: Rows, *, seconds: float, problem: str, journal: Path | None, notes: Iterable[str]
) -> None:
    """Print the table, what was not applied, what was sent again, and what to do next."""
    counts = totals.counts
    width = max(len(f"{totals.total:,}"), 5)
    print(f"\n{'status':8} {'rows':>{width}}")
    for status, meaning in _MEANINGS.items():
        if status == "applied" and totals.earlier:
            some = "all" if totals.earlier == counts[status] else f"{totals.earlier:,}"
            meaning = f"{some} of them by an earlier run"
        elif status == "unsent" and totals.waiting:
            meaning = f"{totals.waiting:,} of them wait for an unconfirmed row of the same project or import"
        print(f"{status:8} {counts[status]:>{width},}{f'  {meaning}' if counts[status] and meaning else ''}")
    sent = f"{totals.sent:,} sent in {seconds:.1f} s, {totals.sent / max(seconds, 0.001):,.0f} rows/s"
    print(f"{'total':8} {totals.total:>{width},}  {sent if totals.sent else 'nothing was left to send'}")
    places = places_of(totals, rows)
    if totals.resent:
        print(f"\nSent again, as an earlier run may have applied them: {ranges(places, totals.resent, 100)}")
    if totals.reasons:
        print("\nFailed or unconfirmed rows:")
        for reason in _in_order(totals)[:_MAX_REASONS]:
            print(f"  {_shown(reason, places)}")
        if len(totals.reasons) > _MAX_REASONS:
            see = f": see {journal}" if journal else ""
            print(f"  … and {len(totals.reasons) - _MAX_REASONS:,} more reasons{see}")
    if problem:
        print(f"\nThe run ended early: {problem}")
    for note in notes:
        print(f"\n{note}")


def as_json(totals: Totals, rows: Rows, *, seconds: float, problem: str) -> dict[str, Any]:
    """Return the same as one JSON object."""
    places = places_of(totals, rows)
    reasons = [
        {
            "status": reason.status,
            "count": reason.count,
            "reason": reason.first if reason.count == 1 else reason.text,
            "again": reason.again,
            "lines": [places.get(row) for row in sorted(reason.rows)],
        }
        for reason in _in_order(totals)
    ]
    return {
        "total": totals.total,
        **{status: totals.counts[status] for status in _MEANINGS},
        "earlier": totals.earlier,
        "sent": totals.sent,
        "again": totals.again,
        "seconds": round(seconds, 1),
        "ended_early": problem or None,
        "sent_again": [places.get(row) for row in sorted(totals.resent)],
        "reasons": reasons,
    }


def places_of(totals: Totals, rows: Rows) -> Mapping[int, int]:
    """Return the line of each row that is to be named; a file that was changed since may lack some."""
    wanted = {row for reason in totals.reasons.values() for row in reason.rows} | totals.resent
    found: dict[int, int] = {}
    if wanted:
        with suppress(InputError):
            until_last = itertools.islice(rows.places(), max(wanted))
            found = {row: line for row, line in enumerate(until_last, 1) if row in wanted}
    return found


def ranges(places: Mapping[int, int], rows: Iterable[int], most: int, count: int = 0) -> str:
    """Return where rows stand: ``lines 2-5, 9``. Of ``count`` rows, ``rows`` may be the first ones."""
    numbers = sorted(rows)
    count = max(count, len(numbers))
    noun = "line" if all(row in places for row in numbers) else "row"
    found: list[list[int]] = []
    shown = 0
    for row in numbers:
        number = places[row] if noun == "line" else row
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        elif len(found) == most:
            break
        else:
            found.append([number])
        shown += 1
    text = ", ".join("-".join(map(str, each)) for each in found)
    more = f" … and {count - shown:,} more" if count > shown else ""
    return f"{noun}{'' if count == 1 else 's'} {text}{more}"


def _in_order(totals: Totals) -> list[Reason]:
    return sorted(totals.reasons.values(), key=lambda reason: min(reason.rows))


def _shown(reason: Reason, places: Mapping[int, int]) -> str:
    where = ranges(places, reason.rows, _MAX_RANGES, reason.count)
    status = reason.status + (" (to be sent again)" if reason.again else "")
    if reason.count == 1:
        return f"{where}, {status}: {reason.first}"
    return f"{reason.count:,} \N{MULTIPLICATION SIGN} {status}: {reason.text.rstrip('.')}: {where}"
