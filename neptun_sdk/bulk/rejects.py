"""A file of the rows that failed, as they were given, with the reason: ready to be corrected and run."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neptun_sdk.bulk.rows import REASON, Rows, column_name


def write_rejects(path: Path, rows: Rows, reasons: Mapping[int, str], mask: Callable[[str], str]) -> str:
    """Write the rows that have a reason, by their numbers. Return the name of the older file that was kept, if any.

    Args:
        path: The file. What it held is kept beside it: it may have been corrected.
        rows: The input.
        reasons: Why each of them failed.
        mask: What takes the secrets out of a text: one that holds a secret was refused for that.
    """
    kept, last = _keep(path), max(reasons)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as file:
        if rows.form == "jsonl":
            for number, (_, text) in enumerate(itertools.islice(rows.texts(), last), 1):
                if number in reasons:
                    row: dict[str, Any] = json.loads(mask(text))
                    file.write(json.dumps({**row, REASON: reasons[number]}, ensure_ascii=False) + "\n")
            return kept
        writer = csv.writer(file, delimiter=rows.delimiter, lineterminator="\n")
        used: list[int] = []
        for number, (_, cells) in enumerate(itertools.islice(rows.records(), last + 1)):
            if not number:  # the header; the reasons of an earlier run are left out, and empty columns at its end
                names = [column_name(cell) for cell in cells]
                used = [place for place, name in enumerate(names) if name != REASON and any(names[place:])]
            elif number not in reasons:
                continue
            writer.writerow([*(mask(cells[place]) for place in used), reasons[number] if number else REASON])
    return kept


def _keep(path: Path) -> str:
    """Move an older file out of the way; return its new name."""
    if not path.exists():
        return ""
    kept = next(each for number in range(1, 10**6) if not (each := path.with_name(f"{path.name}.{number}")).exists())
    path.rename(kept)
    return str(kept)
