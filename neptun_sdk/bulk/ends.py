"""How a row ends: the status of its outcome, and whether a later run sends it again."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from neptun_sdk.bulk.content import Entry
from neptun_sdk.bulk.targets import Row
from neptun_sdk.bulk.updates import Outcome, Status, operation_of
from neptun_sdk.errors import NeptunError
from neptun_sdk.outcomes import rule_of

_MAX_RUNS = 3  # that send a row without learning what became of it
_FIRST_ROWS = 50  # if all of them fail, the run ends: it is not the rows that are wrong
_STATUSES: dict[bool | None, Status] = {True: "applied", False: "refused", None: "unknown"}


@dataclass(frozen=True, slots=True)
class End:
    """How a row ends in this run. `Entry` says what ``runs`` and ``size`` are."""

    status: Status
    error: NeptunError
    again: bool
    runs: int
    size: int | None = None


def end_of(row: Row, error: NeptunError, max_response_size: int, *, may_pass: bool, is_over: bool) -> End:
    """Return how a row ends whose last attempt failed.

    Args:
        row: The row.
        error: The error of its last attempt.
        max_response_size: The limit of this run.
        may_pass: Whether the error is about the session, the client or the connection, and not about the row.
        is_over: Whether the run has ended, so that the row was not sent as often as it might have been.
    """
    rule, runs = rule_of(error), row.entry.runs if row.entry else 0
    if row.maybe_applied and error.applied is False and not rule.never_applied:
        error = maybe_applied(error)
    status = _STATUSES[error.applied] if row.sent or row.maybe_applied else "unsent"
    if rule.needs_larger_limit:
        return End(status, error, again=False, runs=runs, size=max_response_size)
    if rule.is_final and not may_pass:
        return End(status, error, again=False, runs=runs)
    if status == "unknown" and not may_pass and not is_over:
        runs += 1
        if runs >= _MAX_RUNS:
            error = _with_text(error, f"{runs} runs have sent it without learning more: it is not sent again.")
            return End(status, error, again=False, runs=runs)
    return End(status, error, again=True, runs=runs)


class Failures:
    """How many rows have failed, and when that is too many.

    Attributes:
        has_applied: Whether any row was applied, by an earlier run too.

    Args:
        most: How many rows may fail; ``None`` ends a run only if nothing but failures comes back.
    """

    def __init__(self, most: int | None, *, has_applied: bool) -> None:
        self.has_applied = has_applied
        self._most = most
        self._count = 0
        self._first = 0  # those before the first row that was applied

    def count(self, error: NeptunError) -> NeptunError | None:
        """Count one more; return the error that ends the run, if it is one too many."""
        self._count += 1
        self._first += not self.has_applied
        if self._most is None and self._first >= _FIRST_ROWS:
            return NeptunError(
                f"the first {_FIRST_ROWS} rows that were sent all failed: check the server, the user and the dialect "
                f"before the rows. The last: {error}"
            )
        if self._most is not None and self._count >= self._most:
            return NeptunError(f"{self._count} rows have failed, which is the most that may. The last: {error}")
        return None


def earlier(row: Row, entry: Entry) -> Outcome:
    """Return the outcome of a row as earlier runs have left it."""
    return Outcome(row.update, entry.status, entry.error, row=row.number, earlier=True, again=entry.again)


def superseded(row: Row, later: int) -> Outcome:
    """Return the outcome of a row that must not be sent: its values are older than those of another row."""
    error = NeptunError(
        f"{operation_of(row.update).name}({row.update}): the journal does not say what became of it, and row {later} "
        "of the same target is done. It is not sent, because its values are older. Check the resource, and send the "
        "row from another file if it is wanted.",
        operation=operation_of(row.update).name,
    )
    return Outcome(row.update, "unknown", error, row=row.number, earlier=True)


def maybe_applied(error: NeptunError) -> NeptunError:
    """Return the error of a last attempt that was refused, after another one that may have been applied."""
    before, now = "The update was not applied.", "An earlier attempt may have been applied."
    text = str(error)
    changed = copy.copy(error)
    changed.applied = None
    changed.args = (text.replace(before, now) if before in text else f"{text} {now}",)
    return changed


def _with_text(error: NeptunError, text: str) -> NeptunError:
    """Return an error with one more sentence."""
    changed = copy.copy(error)
    changed.args = (f"{error} {text}", *error.args[1:])
    return changed
