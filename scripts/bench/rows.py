"""The rows of the benchmark. Each measures one cost that a service pays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import httpx
import trustme

from bench.contenders import CONTENDERS, COOKIE, VENDORS, Call, Contender, programs
from bench.harness import BASE, OURS, WITHOUT_CLI, Measured, Row, compare, in_batches, take_turns
from bench.server import CLOSING, NAME, BenchmarkServer
from neptun_sdk import NeptunClient
from neptun_sdk.bulk import Update, bulk_update

MIB = 1024 * 1024


def every_row(*, quick: bool, vendors: bool) -> Iterator[Row]:
    """Measure every row against one server."""
    with BenchmarkServer() as server:
        yield one_update(server.base_url, rounds=7 if quick else 31, vendors=vendors)
        yield from larger_responses(server.base_url, rounds=7 if quick else 31)
        yield from over_tls(rounds=7 if quick else 31)
        yield cold_process(server.base_url, rounds=5 if quick else 41)
        yield imports(rounds=5 if quick else 41, vendors=vendors)
        yield further_clients(rounds=3 if quick else 15)
        yield from threads(server.base_url, rounds=3 if quick else 11, calls=300 if quick else 2_000)
        yield bulk(server.base_url, rounds=5 if quick else 21, rows=2_000 if quick else 4_000)
        yield from memory(server.base_url, calls=5_000 if quick else 100_000)
        yield bulk_memory(server.base_url, rows=10_000 if quick else 100_000)


def one_update(base_url: str, *, rounds: int, vendors: bool) -> Row:
    """The CPU time of one update."""
    measured = cpu_time(base_url, 1, CONTENDERS | (VENDORS if vendors else {}), rounds=rounds, scale=1e6)
    return Row(
        subject="one update",
        quantity="CPU time",
        unit="µs",
        target="at most 1.00, rounded to two digits",
        met=round(ratio(measured), 2) <= 1.00,
        measured=measured,
    )


def larger_responses(base_url: str, *, rounds: int) -> Iterator[Row]:
    """The CPU time of one update whose response has many fields outside the contract."""
    contenders = {name: CONTENDERS[name] for name in (BASE, OURS)}
    for project_id, size in ((2, "64 KB"), (3, "1 MB")):
        measured = cpu_time(base_url, project_id, contenders, rounds=rounds, scale=1e3)
        yield Row(
            subject="one update with a larger response",
            case=size,
            quantity="CPU time",
            unit="ms",
            target="at most 1.2",
            met=ratio(measured) <= 1.2,
            measured=measured,
        )


def over_tls(*, rounds: int) -> Iterator[Row]:
    """The CPU time of one update over TLS, on a connection that is open and on a new one."""
    contenders = {name: CONTENDERS[name] for name in (BASE, OURS)}
    with TemporaryDirectory() as folder:
        authority = trustme.CA()
        certificate, authorities = Path(folder) / "server.pem", Path(folder) / "ca.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        authority.cert_pem.write_to_path(str(authorities))
        trusted = patch.dict(os.environ, SSL_CERT_FILE=str(authorities))
        with trusted, BenchmarkServer(str(certificate)) as server:
            for project_id, case in ((1, "an open connection"), (CLOSING, "a new connection")):
                measured = cpu_time(server.base_url, project_id, contenders, rounds=rounds, scale=1e6)
                yield Row(
                    subject="one update over TLS",
                    case=case,
                    quantity="CPU time",
                    unit="µs",
                    target="at most 1.1",
                    met=ratio(measured) <= 1.1,
                    measured=measured,
                )


def cold_process(base_url: str, *, rounds: int) -> Row:
    """The time of a process that imports, makes a client, makes one update and exits."""
    measured = compare(processes(programs(base_url), rounds=rounds), scale=1e3)
    return Row(
        subject="a cold process to its first response",
        quantity="whole process with interpreter start",
        unit="ms",
        target="at most 1.22",
        met=ratio(measured) <= 1.22,
        measured=measured,
    )


def imports(*, rounds: int, vendors: bool) -> Row:
    """The time of an import in a fresh interpreter, less the time of an interpreter that imports nothing."""
    modules = {"httpx": "httpx", OURS: "neptun_sdk"} | ({"stripe": "stripe", "openai": "openai"} if vendors else {})
    samples = processes({"": "pass"} | {name: f"import {module}" for name, module in modules.items()}, rounds=rounds)
    idle = samples.pop("")
    net = {name: [took - start for took, start in zip(samples[name], idle, strict=True)] for name in samples}
    measured = compare(net, scale=1e3)
    return Row(
        subject="import",
        quantity="without interpreter start",
        unit="ms",
        target="at most 1.3",
        met=ratio(measured) <= 1.3,
        measured=measured,
    )


def further_clients(*, rounds: int) -> Row:
    """The wall time of making and closing one more client, for the same user, another user or other options."""
    parent = NeptunClient(COOKIE, 1)
    ours: dict[str, Callable[[], NeptunClient]] = {
        "NeptunClient(…)": lambda: NeptunClient(COOKIE, 1),
        "client.with_session(…)": lambda: parent.with_session(COOKIE, 2),
        "client.with_options(…)": lambda: parent.with_options(timeout=5),
    }

    def closing(make: Callable[[], NeptunClient]) -> Call:
        return lambda: make().close()

    calls: dict[str, Call] = {"httpx.Client()": lambda: httpx.Client().close()}
    calls |= {name: closing(make) for name, make in ours.items()}
    turns = {name: in_batches(call, clock=time.perf_counter) for name, call in calls.items()}
    measured = compare(take_turns(turns, rounds=rounds), scale=1e6)
    _, own, *derived = (each.median for each in measured)
    return Row(
        subject="one more client",
        quantity="wall time",
        unit="µs",
        target="NeptunClient at most 1,000 µs; with_session and with_options at most 300 µs each",
        met=own <= 1_000 and max(derived) <= 300,
        measured=measured,
        ours=tuple(ours),
    )


def threads(base_url: str, *, rounds: int, calls: int) -> Iterator[Row]:
    """The calls a second of many threads on one client. Each contender may open as many connections."""
    for number in (1, 8, 64):
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(number))

            def throughput(call: Call, pool: ThreadPoolExecutor = pool) -> float:
                started = time.perf_counter()
                for future in [pool.submit(call) for _ in range(calls)]:
                    future.result()
                return calls / (time.perf_counter() - started)

            turns = {name: partial(throughput, CONTENDERS[name](base_url, 1, stack)) for name in (BASE, OURS)}
            measured = compare(take_turns(turns, rounds=rounds))
        yield Row(
            subject="one client shared by threads",
            case=f"{number} thread{'s' if number > 1 else ''}",
            quantity="throughput",
            unit="calls/s",
            better="more",
            target="at least 0.9",
            met=ratio(measured) >= 0.9,
            measured=measured,
        )


MEMORY_PROGRAM = """
import json, sys, psutil
from neptun_sdk import NeptunClient

base_url, calls, cookie, name = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
resident = lambda: psutil.Process().memory_info().rss
with NeptunClient(cookie, 1, base_url=base_url) as client:
    for _ in range(1000):
        client.update_project(1, name=name)
    before = resident()
    for _ in range(calls):
        client.update_project(1, name=name)
    growth_by_calls = resident() - before
    before = resident()
    sessions = [client.with_session(f"Fe26.2**{number:0433}", number) for number in range(1, 10_001)]
    print(json.dumps([growth_by_calls, resident() - before]))
"""


def memory(base_url: str, *, calls: int) -> Iterator[Row]:
    """The growth of memory by many calls after the first 1,000, and by many sessions that are alive at once."""
    command = [sys.executable, "-c", MEMORY_PROGRAM, base_url, str(calls), COOKIE, NAME]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    by_calls, by_sessions = (growth / MIB for growth in json.loads(done.stdout))
    for case, growth, limit in (
        (f"{calls:,} further calls", by_calls, 1),
        ("10,000 sessions of 441 B", by_sessions, 100),
    ):
        yield Row(
            subject="memory growth",
            case=case,
            quantity="resident set",
            unit="MiB",
            target=f"at most {limit} MiB",
            met=growth <= limit,
            measured=[Measured(OURS, growth, 1, 1, 1)],
        )


def bulk(base_url: str, *, rounds: int, rows: int) -> Row:
    """The rows a second of a bulk run with a journal, beside the same number of threads that call the SDK."""
    workers = 8
    ids = range(10, 10 + rows)
    with (
        TemporaryDirectory() as folder,
        NeptunClient(COOKIE, 1, base_url=base_url) as client,
        ThreadPoolExecutor(workers) as pool,
    ):
        journal = Path(folder) / "journal.jsonl"

        def threads() -> float:
            started = time.perf_counter()
            for future in [pool.submit(client.update_project, number, name=NAME) for number in ids]:
                future.result()
            return rows / (time.perf_counter() - started)

        def run() -> float:
            journal.unlink(missing_ok=True)
            updates = [Update(number, fields={"name": NAME}) for number in ids]
            started = time.perf_counter()
            for outcome in bulk_update(client, updates, journal=journal, max_workers=workers):
                if outcome.error is not None:
                    raise outcome.error
            return rows / (time.perf_counter() - started)

        turns = {f"neptun-sdk in {workers} threads": threads, "bulk_update with a journal": run}
        measured = compare(take_turns(turns, rounds=rounds))
    return Row(
        subject="many updates",
        case=f"{workers} workers",
        quantity="throughput",
        unit="rows/s",
        better="more",
        target="at least 0.9",
        met=measured[-1].ratio >= 0.9,
        measured=measured,
        ours=tuple(turns),
    )


BULK_MEMORY_PROGRAM = """
import sys, psutil
from neptun_sdk import NeptunClient
from neptun_sdk.bulk import Update, bulk_update

base_url, rows, journal, cookie, name = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
updates = (Update(number, fields={"name": name}) for number in range(10, 10 + rows))
with NeptunClient(cookie, 1, base_url=base_url) as client:
    for outcome in bulk_update(client, updates, journal=journal):
        assert outcome.status == "applied", outcome
        if outcome.row == 1_000:
            before = psutil.Process().memory_info().rss
    print(psutil.Process().memory_info().rss - before)
"""


def bulk_memory(base_url: str, *, rows: int) -> Row:
    """The growth of memory of a bulk run with a journal after its first 1,000 rows."""
    with TemporaryDirectory() as folder:
        journal = str(Path(folder) / "journal.jsonl")
        command = [sys.executable, "-c", BULK_MEMORY_PROGRAM, base_url, str(rows), journal, COOKIE, NAME]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    growth = int(done.stdout) / MIB
    return Row(
        subject="memory growth",
        case=f"a bulk run from 1,000 to {rows:,} rows",
        quantity="resident set",
        unit="MiB",
        target="at most 1 MiB",
        met=growth <= 1,
        measured=[Measured(OURS, growth, 1, 1, 1)],
    )


def cpu_time(
    base_url: str, project_id: int, contenders: dict[str, Contender], *, rounds: int, scale: float
) -> list[Measured]:
    """Compare the CPU time of one update of a project."""
    with ExitStack() as stack:
        turns = {name: in_batches(make(base_url, project_id, stack)) for name, make in contenders.items()}
        return compare(take_turns(turns, rounds=rounds), scale=scale)


def processes(programs: dict[str, str], *, rounds: int) -> dict[str, list[float]]:
    """Run each program in a fresh interpreter, and return the seconds of the whole processes."""

    def process(program: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"{WITHOUT_CLI}\n{program}"], check=True)  # noqa: S603
        return time.perf_counter() - started

    return take_turns({name: partial(process, program) for name, program in programs.items()}, rounds=rounds)


def ratio(measured: list[Measured]) -> float:
    """Return the ratio of neptun-sdk."""
    return next(each.ratio for each in measured if each.name == OURS)
