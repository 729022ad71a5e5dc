"""Ten thousand rows over HTTP, from a server that does everything wrong that it can."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from neptun_sdk.bulk import Update
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.script import Step
from tests.bulk.runs import disagreements, lines, renames, start, statuses, times_sent, write

ROWS, MISSING, WORKERS = 10_000, 12, 8
# Every so many requests. A connection is dropped after the update was applied, or instead of it.
FAULTS = {
    3_000: Step(429, {"Retry-After": "1"}),
    89: Step(503),
    97: Step(503, {"Retry-After": "0"}),
    101: Step(None, disconnect=True),
    103: Step(503, disconnect=True),
    107: Step(500),
}
DROPPED = 211  # every so many updates, the server stores one field only


@contextmanager
def faults(neptun: Sandbox) -> Generator[None]:
    """Let the sandbox fail, until the end of the ``with``."""
    app = neptun._app
    requests, updates, update = itertools.count(1), itertools.count(1), app.state.update

    def take() -> Step:
        number = next(requests)
        return next((step for every, step in FAULTS.items() if number % every == 0), Step(None))

    def drop(row: Any, changes: Any) -> Any:
        if next(updates) % DROPPED == 0:
            changes = {"name": changes["name"]}
        return update(row, changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.script, "take", take)
        patch.setattr(app.state, "update", drop)
        yield


@pytest.mark.soak
@pytest.mark.without_coverage
def test_the_journal_and_the_server_agree_row_by_row(recorded: Sandbox, tmp_path: Path) -> None:
    """A definite response ends a row, also one that stays unknown because an earlier attempt failed."""
    updates, journal = renames(recorded, ROWS), tmp_path / "journal.jsonl"
    missing = set(range(1, ROWS + 1, ROWS // MISSING))
    for row in missing:
        updates[row - 1] = Update(10**9 + row, fields={"name": "Missing", "description": ""})
    file = write(updates, tmp_path / "updates.json")

    with faults(recorded):
        process = start(recorded, journal, file, WORKERS)
        _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    first = statuses(journal)
    assert not disagreements(journal, updates, recorded)
    assert len(first) == ROWS
    assert {first[row] for row in missing} <= {"refused", "unknown"}
    assert {row for row, status in first.items() if status == "refused"} <= missing
    assert Counter(first.values())["unknown"] >= ROWS // DROPPED // 2, "a field that was dropped is not applied"
    refusals = [line["error"]["class"] for line in lines(journal) if line.get("status") == "refused"]
    assert set(refusals) == {"NotFoundError"}

    ended = {line["row"]: line for line in lines(journal) if "row" in line}
    final = {row for row, line in ended.items() if line["status"] == "unknown" and not line.get("again")}
    assert {ended[row]["error"]["class"] for row in final} <= {"UpdateNotVerifiedError", "NotFoundError"}
    assert len(final) >= ROWS // DROPPED // 2, "of some, the response that said so was lost"

    before = times_sent(recorded, updates)
    process = start(recorded, journal, file, WORKERS)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    now = statuses(journal)
    assert {row for row, status in now.items() if status != "applied"} == missing | final
    assert {row: now[row] for row in final} == {row: first[row] for row in final}
    assert not disagreements(journal, updates, recorded)
    sent_again = set(times_sent(recorded, updates) - before)
    assert sent_again == {row for row, status in first.items() if status == "unknown"} - final
