"""Measure what a call costs, compared with what one would use instead of the SDK.

``make bench`` writes docs/benchmark.md and docs/benchmark.svg; ``make bench-quick`` is for daily work. The exit code is
1 if a target is missed.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import sys
from pathlib import Path

from bench import report
from bench.harness import Row
from bench.plot import plot
from bench.rows import every_row

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run without the vendors' SDKs; writes nothing")
    quick: bool = parser.parse_args().quick
    vendors = not quick and all(importlib.util.find_spec(name) for name in ("stripe", "openai"))
    # As an installation does. The others are installed; an editable one would compile at each import where
    # PYTHONDONTWRITEBYTECODE is set.
    compileall.compile_dir(ROOT / "neptun_sdk", quiet=1)
    compileall.compile_dir(ROOT / "generated", quiet=1)
    rows: list[Row] = []
    for row in every_row(quick=quick, vendors=vendors):
        rows.append(row)
        print(report.text(row), flush=True)
    if not quick:
        DOCS.mkdir(exist_ok=True)
        (DOCS / "benchmark.md").write_text(report.markdown(rows), encoding="utf-8")
        plot([row for row in rows if row.subject in report.SUMMARY], DOCS / "benchmark.svg")
        print(f"\nwrote {DOCS.name}/benchmark.md and {DOCS.name}/benchmark.svg")
    if missed := [row.title for row in rows if not row.met]:
        sys.exit(f"\nmissed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
