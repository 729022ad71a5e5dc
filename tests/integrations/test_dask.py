"""A bulk run on a real Dask cluster."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from neptun_sdk import NeptunClient
from neptun_sdk.bulk import bulk_update
from neptun_sdk.sandbox import Sandbox
from tests.bulk.runs import disagreements, lines, renames, statuses
from tests.integrations.processes import CASES, run
from tests.needs import require

ROWS = 400


def test_a_cluster_that_loses_a_worker_updates_every_row(neptun: Sandbox, tmp_path: Path) -> None:
    """Dask gives up a task with its first worker here, as it does with the fourth by default."""
    require("distributed")
    updates = renames(neptun, ROWS)
    by_command = [neptun.add_project() for _ in range(50)]
    environment = {"NEPTUN_SESSION_COOKIE": neptun.session_cookie, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    arguments = (str(tmp_path), str(updates[0].project_id), str(ROWS))
    printed = run(str(CASES / "dask_cluster.py"), *arguments, base_url=neptun.base_url, **environment)

    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found == {"counts": {"applied": ROWS}, "code": 0, "other processes": 2}
    journal = tmp_path / "journal.jsonl"
    assert not disagreements(journal, updates, neptun)
    assert any(line.get("attempts", 0) > 1 for line in lines(journal)), "no row was with the worker that was killed"
    assert neptun.session_cookie not in journal.read_text(encoding="utf-8")
    assert [neptun.project(each)["name"] for each in by_command] == [f"By the command {row}" for row in range(50)]
    assert "applied     50" in printed


def test_a_scheduler_that_dies_ends_the_run(neptun: Sandbox, tmp_path: Path) -> None:
    """What was under way is unknown, the rest is unsent, and a run without a cluster resumes from the journal."""
    require("distributed")
    updates = renames(neptun, ROWS)
    arguments = (str(tmp_path), str(updates[0].project_id), str(ROWS))
    case = str(CASES / "dask_scheduler.py")
    run(case, *arguments, base_url=neptun.base_url, NEPTUN_SESSION_COOKIE=neptun.session_cookie)

    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    counts = Counter(found["counts"])
    assert "the executor has returned no result for 6 s" in found["ended by"]
    assert "Check its workers and its scheduler, and run again." in found["ended by"]
    assert (found["rows"], counts["refused"]) == (ROWS, 0)
    assert 0 < counts["unknown"] <= 16, "at most the window: one that was lost may wait for its next attempt"
    assert counts["unsent"] > ROWS // 2
    journal = tmp_path / "journal.jsonl"
    assert not disagreements(journal, updates, neptun)

    with NeptunClient(neptun.session_cookie, neptun.user_id, base_url=neptun.base_url) as client:
        again = Counter(outcome.status for outcome in bulk_update(client, updates, journal=journal))
    assert again == {"applied": ROWS}
    assert set(statuses(journal).values()) == {"applied"}
