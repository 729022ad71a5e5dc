"""Runs in processes of their own, and what a journal says of each row beside what the embedded Neptun has stored."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neptun_sdk.bulk import Update
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.state import PROJECT

PROGRAM = """
import json, sys
from neptun_sdk import NeptunClient
from neptun_sdk.bulk import Update, bulk_update

updates = [Update(number, fields=fields) for number, fields in json.load(open(sys.argv[2]))]
with NeptunClient() as client:
    for outcome in bulk_update(client, updates, journal=sys.argv[1], max_workers=int(sys.argv[3])):
        if outcome.attempts and not outcome.resent:
            print(outcome.row, flush=True)
"""


def renames(neptun: Sandbox, number: int, *, name: str = "Renamed") -> list[Update]:
    """Store projects, and return an update of each, whose values say which row they come from."""
    ids = [neptun.add_project(name="Before", description="Before") for _ in range(number)]
    return [
        Update(project_id, fields={"name": f"{name} {row}", "description": f"Of row {row}"})
        for row, project_id in enumerate(ids, 1)
    ]


def lines(journal: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a journal."""
    return [json.loads(line) for line in journal.read_bytes().split(b"\n")[:-1]]


def statuses(journal: Path) -> dict[int, str]:
    """Return the last status of each row. One that was about to be sent is ``unknown`` until it has a line."""
    found: dict[int, str] = {}
    for line in lines(journal):
        for row, _ in line.get("sending", []):
            found[row] = "unknown"
        if "row" in line:
            found[line["row"]] = line["status"]
    return found


def disagreements(journal: Path, updates: Sequence[Update], neptun: Sandbox) -> list[str]:
    """Return the rows whose status in the journal does not fit what is stored."""
    found: list[str] = []
    known, projects = statuses(journal), neptun._app.state.rows(PROJECT)  # one copy of all
    for row, update in enumerate(updates, 1):
        status = known.get(row, "unsent")
        stored = projects.get(update.project_id, {})
        values = [stored.get(name) for name in update.fields]
        applied = values == list(update.fields.values())
        untouched = values == ["Before"] * len(values) or not stored
        if not {"applied": applied, "refused": untouched, "unsent": untouched, "unknown": True}[status]:
            found.append(f"row {row} is {status}, but stored is {values}")
    return found


def times_sent(neptun: Sandbox, updates: Sequence[Update]) -> Counter[int]:
    """Return how many requests came in for each row."""
    rows = {update.project_id: row for row, update in enumerate(updates, 1)}
    ids = (re.search(r"/projects/(\d+)", request.path) for request in neptun.requests)
    return Counter(rows[int(found[1])] for found in ids if found and int(found[1]) in rows)


def start(neptun: Sandbox, journal: Path, updates: Path, workers: int) -> subprocess.Popen[str]:
    """Start a run with the updates of a file. It prints the number of each row that it sends for the first time."""
    environment = {
        **os.environ,
        "NEPTUN_BASE_URL": neptun.base_url,
        "NEPTUN_SESSION_COOKIE": neptun.session_cookie,
        "NEPTUN_USER_ID": str(neptun.user_id),
    }
    command = [sys.executable, "-c", PROGRAM, str(journal), str(updates), str(workers)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def write(updates: list[Update], path: Path) -> Path:
    """Write updates for `start`."""
    path.write_text(json.dumps([[update.project_id, dict(update.fields)] for update in updates]), encoding="utf-8")
    return path
