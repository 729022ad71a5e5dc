"""The rows as text, as Markdown and as a plot."""
# pyright: reportUnknownMemberType=false
# (matplotlib types its keyword arguments in part only.)

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.harness import OURS, Measured, Row

_OURS = (OURS, "neptun_sdk", "NeptunClient(…)", "client.with_session(…)")


def text(row: Row) -> str:
    lines = [f"\n{row.what} (target: {row.target}; {'met' if row.met else 'MISSED'})"]
    for each in row.measured:
        compared = f"{each.ratio:8.3f}  ({each.low:.3f} to {each.high:.3f})" if row.compares else ""
        lines.append(f"  {each.name:28} {_median(row, each):>16} {compared}".rstrip())
    return "\n".join(lines)


def markdown(rows: Sequence[Row]) -> str:
    lines = [
        "# What a call costs",
        "",
        f"Measured by `make bench` on {datetime.now(UTC):%Y-%m-%d}, with Python {platform.python_version()} on",
        f"{platform.system()} ({platform.machine()}, {os.cpu_count()} cores), on loopback, against a tiny server in a",
        "process of its own. Contenders took turns in short batches; a ratio is the median of the ratios to the first",
        "contender of its row in the same round. The absolute figures are that machine's; compare the ratios.",
        "",
        "![The ratios as bars](benchmark.svg)",
        "",
        "| what | who | median | ratio | middle half of the ratios | target |",
        "|---|---|---:|---:|---:|---|",
    ]
    for row in rows:
        what, target = row.what, f"{row.target}: {'met' if row.met else '**missed**'}"
        for each in row.measured:
            name = f"**{each.name}**" if each.name in _OURS else each.name
            ratio = f"{each.ratio:.3f} | {each.low:.3f} to {each.high:.3f}" if row.compares else "|"
            lines.append(f"| {what} | {name} | {_median(row, each)} | {ratio} | {target} |")
            what = target = ""
    return "\n".join([*lines, ""])


def plot(rows: Sequence[Row], target: Path) -> None:
    """Draw the ratios of all but the first contender of each row."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "neptun-sdk"  # so that the same figures give the same file
    from matplotlib import pyplot

    shown = [(row, each) for row in rows if row.compares for each in row.measured[1:]]
    labels = [f"{row.what} ({row.unit})\n{each.name} / {row.measured[0].name}" for row, each in shown]
    values = [each.ratio for _, each in shown]
    spread = [[each.ratio - each.low for _, each in shown], [each.high - each.ratio for _, each in shown]]
    colours = ["#1f6feb" if each.name in _OURS else "#8b949e" for _, each in shown]
    figure, axes = pyplot.subplots(figsize=(10, 0.5 * len(shown) + 1))
    axes.barh(labels, values, xerr=spread, color=colours, height=0.6)
    axes.axvline(1, color="#d1242f", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("ratio (1: the same; logarithmic); lines: the middle half")
    axes.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


def _median(row: Row, each: Measured) -> str:
    digits = 0 if each.median >= 100 else 1 if each.median >= 10 else 3
    return f"{each.median:,.{digits}f} {row.unit}"
