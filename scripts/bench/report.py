"""The rows as text and as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.harness import Row

# The subjects of the plot and of the table beside it; the long table has all.
SUMMARY = ("one update", "a cold process to its first response", "one more client")


def number(value: float) -> str:
    """Return a number with at least three digits, so that small values stay readable."""
    digits = 0 if value >= 100 or value == 0 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}"


def text(row: Row) -> str:
    """Return a row for the terminal."""
    lines = [f"\n{row.title} (target: {row.target}; {'met' if row.met else 'MISSED'})"]
    for each in row.measured:
        ratios = f"{each.ratio:8.3f}  ({each.low:.3f} to {each.high:.3f})" if row.has_ratios else ""
        lines.append(f"  {each.name:28} {number(each.median) + ' ' + row.unit:>16} {ratios}".rstrip())
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> list[str]:
    """Return a table of the subjects of the plot: what httpx needs, and what neptun-sdk does."""
    lines = ["| median | bare httpx | neptun-sdk |", "|---|---:|---:|"]
    for row in rows:
        if row.subject in SUMMARY:
            ours = next(each for each in row.measured if each.name in row.ours)
            medians = (f"{number(each.median)} {row.unit}" for each in (row.measured[0], ours))
            lines.append(f"| {row.subject} | {' | '.join(medians)} |")
    return lines


def markdown(rows: Sequence[Row]) -> str:
    """Return docs/benchmark.md."""
    lines = [
        "# What a call costs",
        "",
        f"Measured by `make bench` on {datetime.now(UTC):%Y-%m-%d}, with Python {platform.python_version()} on",
        f"{platform.system()} ({platform.machine()}, {os.cpu_count()} cores), on loopback, against a minimal server in",
        "another process. Contenders take turns, round by round. In each round, the value of a contender is divided by",
        "the value of the first contender of its row; the ratio is the median of these. The medians depend on the",
        "machine: compare the ratios. A target without a unit is for the ratio of neptun-sdk.",
        "",
        "All features are enabled in every measurement. Every attempt goes through `httpx.Client.send`. The SDK saves",
        "the time of a cookie jar, sends a request as one piece, and parses the URL of a project once for many updates",
        "of it; it spends this on the checks. A cold process calls over plain http; *loading the CAs* is what https",
        "needs, and what httpx always does.",
        "",
        "![The medians as bars, one panel for each subject](benchmark.svg)",
        "",
        *summary(rows),
        "",
        "## All measurements",
        "",
        "| what | contender | median | ratio | middle half of the ratios | target |",
        "|---|---|---:|---:|---:|---|",
    ]
    for row in rows:
        title, target = row.title, f"{row.target}: {'met' if row.met else '**missed**'}"
        for each in row.measured:
            name = f"**{each.name}**" if each.name in row.ours else each.name
            ratios = f"{each.ratio:.3f} | {each.low:.3f} to {each.high:.3f}" if row.has_ratios else "|"
            lines.append(f"| {title} | {name} | {number(each.median)} {row.unit} | {ratios} | {target} |")
            title = target = ""
    return "\n".join([*lines, ""])
