"""The rows of the benchmark: each measures one thing that a service pays for."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx

from bench.contenders import CONTENDERS, COOKIE, VENDORS, Contender
from bench.harness import BASE, OURS, WITHOUT_CLI, Measured, Row, compare, side_by_side
from bench.server import NAME, TinyServer
from neptun_sdk import NeptunClient

KIB = 1024


def cpu_of_a_call(base_url: str, contenders: dict[str, Contender], project_id: int, rounds: int) -> list[Measured]:
    """The CPU time of one update, in microseconds."""
    with ExitStack() as stack:
        calls = {name: make(base_url, project_id, stack) for name, make in contenders.items()}
        samples = side_by_side(calls, rounds, batch=0.05)
    return compare(samples, units=1e6)


def ratio_of(measured: list[Measured], name: str = OURS) -> float:
    return next(each.ratio for each in measured if each.name == name)


def calls(base_url: str, rounds: int, vendors: bool) -> Iterator[Row]:
    contenders = {**CONTENDERS, **(VENDORS if vendors else {})}
    small = cpu_of_a_call(base_url, contenders, 1, rounds)
    yield Row("one update, CPU time", "µs", "at most 1.15", small, ratio_of(small) <= 1.15)
    two = {name: CONTENDERS[name] for name in (BASE, OURS)}
    for project_id, size in ((2, "64 KB"), (3, "1 MB")):
        large = cpu_of_a_call(base_url, two, project_id, rounds)
        yield Row(f"one update with an answer of {size}, CPU time", "µs", "at most 1.2", large, ratio_of(large) <= 1.2)


def clients(rounds: int) -> Iterator[Row]:
    """What it costs to have one more client, and one more user."""
    parent = NeptunClient(COOKIE, 1)

    def own(make: Callable[[], NeptunClient]) -> Callable[[], None]:
        return lambda: make().close()

    made = side_by_side(
        {
            "httpx.Client()": lambda: httpx.Client().close(),
            "NeptunClient(…)": own(lambda: NeptunClient(COOKIE, 1)),
            "client.with_session(…)": own(lambda: parent.with_session(COOKIE, 2)),
        },
        rounds=rounds,
        batch=0.05,
        clock=time.perf_counter,
    )
    measured = compare(made, units=1e3)
    medians = {each.name: each.median for each in measured}
    met = medians["NeptunClient(…)"] <= 1 and medians["client.with_session(…)"] <= 0.3
    yield Row("one more client, one more user", "ms", "at most 1 ms, at most 0.3 ms", measured, met)


def imports(rounds: int, vendors: bool) -> Iterator[Row]:
    """What an import costs in a fresh interpreter, without what the interpreter itself costs."""
    modules = ["httpx", "neptun_sdk", *(["stripe", "openai"] if vendors else [])]
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for number in range(rounds + 1):
        idle = start(WITHOUT_CLI)
        for module in modules:
            seconds = start(f"{WITHOUT_CLI}; import {module}") - idle
            if number:
                taken[module].append(seconds)
    measured = compare(taken, units=1e3)
    yield Row("import", "ms", "at most 1.5", measured, ratio_of(measured, "neptun_sdk") <= 1.5)


def start(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
    return time.perf_counter() - began


def threads(base_url: str, rounds: int, amount: int) -> Iterator[Row]:
    """Calls a second of many threads on one client, with as many connections for each contender."""
    for number in (1, 8, 64):
        samples: dict[str, list[float]] = {BASE: [], OURS: []}
        with ExitStack() as stack:
            ready = {name: CONTENDERS[name](base_url, 1, stack) for name in samples}
            pool = stack.enter_context(ThreadPoolExecutor(number))
            for turn in range(rounds + 1):
                for name, call in ready.items():
                    began = time.perf_counter()
                    for done in [pool.submit(call) for _ in range(amount)]:
                        done.result()
                    if turn:
                        samples[name].append(amount / (time.perf_counter() - began))
        measured = compare(samples)
        what = f"{number} thread{'s' if number > 1 else ''} on one client"
        yield Row(what, "calls/s", "at least 0.9", measured, ratio_of(measured) >= 0.9)


MEMORY = """
import json, sys, psutil
from neptun_sdk import NeptunClient
base_url, calls, cookie, name = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
rss = psutil.Process().memory_info
with NeptunClient(cookie, 1, base_url=base_url) as client:
    for number in range(calls + 1000):
        client.update_project(1, name=name)
        if number == 999:
            before = rss().rss
    grown = rss().rss - before
    before = rss().rss
    sessions = [client.with_session(f"Fe26.2**{number:0433}", number) for number in range(1, 10_001)]
    print(json.dumps([grown, rss().rss - before]))
"""


def memory(base_url: str, amount: int) -> Iterator[Row]:
    """What stays in memory, in a process of its own."""
    command = [sys.executable, "-c", MEMORY, base_url, str(amount), COOKIE, NAME]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    grown, sessions = (value / KIB / KIB for value in json.loads(done.stdout))
    for what, value, most in (
        (f"{amount:,} calls after the first 1,000", grown, 1),
        ("10,000 sessions of 441 characters", sessions, 100),
    ):
        yield Row(f"memory of {what}", "MiB", f"at most {most} MiB", [Measured(OURS, value, 1, 1, 1)], value <= most)


def every_row(quick: bool, vendors: bool) -> Iterator[Row]:
    """Measure everything against one server."""
    with TinyServer() as server:
        yield from calls(server.base_url, rounds=7 if quick else 31, vendors=vendors)
        yield from clients(rounds=3 if quick else 15)
        yield from imports(rounds=3 if quick else 21, vendors=vendors)
        yield from threads(server.base_url, rounds=3 if quick else 11, amount=300 if quick else 2_000)
        yield from memory(server.base_url, amount=5_000 if quick else 100_000)
