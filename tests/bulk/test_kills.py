"""A run that is killed, by ``kill -9`` at any moment, loses nothing and sends nothing twice in silence."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from neptun_sdk.bulk.loop import WINDOW
from neptun_sdk.sandbox import Sandbox
from tests.bulk.runs import disagreements, lines, renames, start, statuses, times_sent, write

ROWS, KILLS, WORKERS = 2_500, 10, 8


@pytest.mark.soak
@pytest.mark.without_coverage
def test_ten_kills_lose_no_row_and_every_row_that_is_sent_twice_is_said(recorded: Sandbox, tmp_path: Path) -> None:
    updates, journal = renames(recorded, ROWS), tmp_path / "journal.jsonl"
    file = write(updates, tmp_path / "updates.json")
    moments = random.Random(9)  # noqa: S311 - no secret
    killed_at: list[int] = []
    for _ in range(KILLS):
        process = start(recorded, journal, file, WORKERS)
        assert process.stdout is not None
        assert process.stdout.readline(), process.communicate()
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.communicate()
        assert not disagreements(journal, updates, recorded)
        known = statuses(journal)
        killed_at.append(len(known))
        assert sum(status == "unknown" for status in known.values()) <= WINDOW * WORKERS
    assert killed_at[-1] < ROWS, "every kill must come before the end"

    process = start(recorded, journal, file, WORKERS)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert statuses(journal) == dict.fromkeys(range(1, ROWS + 1), "applied")
    assert not disagreements(journal, updates, recorded)
    twice = {row for row, times in times_sent(recorded, updates).items() if times > 1}
    said = {line["row"] for line in lines(journal) if line.get("resent")}
    assert twice <= said
    assert len(said) <= KILLS * WINDOW * WORKERS
