"""A Dask cluster whose scheduler is killed in the middle of a run."""

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from distributed import Client

from neptun_sdk import NeptunClient
from neptun_sdk.bulk import Update, bulk_update, under_way

# With the timeout of the client below, an executor is given up that has returned nothing for six seconds.
under_way._MAX_SILENCE = 3.0
ALONE = ("--no-nanny", "--death-timeout", "10", "--lifetime", "60")  # it ends by itself, if nothing else ends it


def start(stack: ExitStack, module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start a program of Dask, which ends with the stack."""
    here = ("--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
    command = [sys.executable, "-m", f"distributed.cli.{module}", *here, *arguments]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    stack.callback(process.kill)
    return process


def main() -> None:
    folder, first, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.chdir(folder)
    updates = [
        Update(first + row, fields={"name": f"Renamed {row + 1}", "description": f"Of row {row + 1}"})
        for row in range(number)
    ]
    with ExitStack() as stack:
        scheduler = start(
            stack, "dask_scheduler", "--port", "0", "--scheduler-file", "scheduler.json", "--idle-timeout", "60"
        )
        start(stack, "dask_worker", "--scheduler-file", "scheduler.json", "--nthreads", "2", *ALONE)
        dask = stack.enter_context(Client(scheduler_file="scheduler.json", timeout=20))  # type: ignore[no-untyped-call]
        dask.wait_for_workers(1, timeout=20)
        client = stack.enter_context(NeptunClient(timeout=3))
        counts: Counter[str] = Counter()
        executor = dask.get_executor(pure=False)
        run = bulk_update(client, updates, journal="journal.jsonl", max_workers=2, executor=executor)
        for outcome in run:
            counts[outcome.status] += 1
            if counts.total() == number // 4:
                scheduler.kill()
        found = {"counts": counts, "ended by": str(run.ended_by), "rows": counts.total()}
        Path("found.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
