"""Measure what the SDK costs beside what one would use instead: ``make bench``, or ``make bench-quick`` for daily work.

The full run writes docs/benchmark.md and docs/benchmark.svg. The exit code is 1 where a target is missed.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

from bench import report
from bench.harness import Row
from bench.rows import every_row

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run, without the vendors; writes nothing")
    quick: bool = parser.parse_args().quick
    vendors = not quick and all(importlib.util.find_spec(name) for name in ("stripe", "openai"))
    rows: list[Row] = []
    for row in every_row(quick, vendors):
        rows.append(row)
        print(report.text(row), flush=True)
    if not quick:
        DOCS.mkdir(exist_ok=True)
        (DOCS / "benchmark.md").write_text(report.markdown(rows), encoding="utf-8")
        report.plot(rows, DOCS / "benchmark.svg")
        print(f"\nwritten: {DOCS.name}/benchmark.md and {DOCS.name}/benchmark.svg")
    if missed := [row.what for row in rows if not row.met]:
        sys.exit(f"\nmissed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
