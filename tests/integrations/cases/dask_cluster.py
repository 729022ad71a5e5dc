"""A Dask cluster of two processes over TCP, one of which is killed; then the command, on the same cluster."""

import json
import os
import signal
import sys
from collections import Counter

from distributed import Client, LocalCluster

from neptun_sdk import NeptunClient
from neptun_sdk.bulk import Update, bulk_update, cli


def main() -> None:
    folder, first, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.chdir(folder)
    updates = [
        Update(first + row, fields={"name": f"Renamed {row + 1}", "description": f"Of row {row + 1}"})
        for row in range(number)
    ]
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2,
            threads_per_worker=2,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            worker_dashboard_address=None,
            local_directory=folder,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as dask,  # type: ignore[no-untyped-call]
        NeptunClient() as client,
    ):
        dask.wait_for_workers(2)
        processes = set(dask.run(os.getpid).values())
        counts: Counter[str] = Counter()
        executor = dask.get_executor(pure=False)
        for outcome in bulk_update(client, updates, journal="journal.jsonl", max_workers=4, executor=executor):
            counts[outcome.status] += 1
            if counts.total() == number // 4:
                os.kill(min(processes), signal.SIGKILL)
        dask.wait_for_workers(2)
        with open("rows.jsonl", "w", encoding="utf-8") as file:
            for row in range(50):
                print(json.dumps({"project_id": first + number + row, "name": f"By the command {row}"}), file=file)
        code = cli.main(["rows.jsonl", "--scheduler", cluster.scheduler_address])
        found = {"counts": counts, "code": code, "other processes": len(processes - {os.getpid()})}
    with open("found.json", "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
