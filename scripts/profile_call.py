"""Where the time of one call goes: CPU time by package, then by function, of update_project on loopback."""

import cProfile
import pstats
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, cast

from bench.server import BenchmarkServer

from neptun_sdk import NeptunClient

CALLS = 3_000
PACKAGES = ("neptun_sdk", "neptun_openapi", "httpx", "httpcore", "h11", "json", "logging", "attr")


def package_of(path: str, function: str) -> str:
    """The package of a profiled function; what is written in C counts as itself where it waits for the network."""
    found = [part for part in Path(path).parts if part in PACKAGES]
    if found:
        return found[-1]
    waits = ("socket", "poll", "select")
    return "the socket" if path == "~" and any(word in function for word in waits) else "the rest of Python"


def main() -> None:
    with BenchmarkServer() as server, NeptunClient("a-session-cookie", 1, base_url=server.base_url) as client:
        for _ in range(200):
            client.update_project(1, name="New name")
        profile = cProfile.Profile()
        profile.enable()
        for _ in range(CALLS):
            client.update_project(1, name="New name")
        profile.disable()
    stats = pstats.Stats(profile, stream=sys.stdout)
    totals: dict[str, float] = defaultdict(float)
    entries: Any = cast(Any, stats).stats  # its public form has one entry for all functions of a name
    for (path, _, function), (_, _, own, _, _) in entries.items():
        totals[package_of(path, function)] += own
    whole = sum(totals.values())
    print(f"{CALLS} calls under cProfile, which makes Python code look slower than it is:\n")
    for name, own in sorted(totals.items(), key=lambda item: -item[1]):
        print(f"  {name:20} {own / CALLS * 1e6:7.1f} µs a call  {own / whole:6.1%}")
    print()
    stats.sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
