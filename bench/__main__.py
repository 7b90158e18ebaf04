"""``python -m bench``: what the way of one workbook costs, as ratios against bare readers measured in the same run.

Rivals: python-calamine reading every sheet into Python lists (the fastest reader we know, and the one inside ours), and
openpyxl in read-only mode. Times are CPU seconds of this process, the rounds taken in turn, the best of each kept: what
else the machine does then weighs on all of them alike.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from bench.books import Book, park_book
from pipelines.checking import Checked, check
from schemas.catalog import programme
from sources.guard import inspect
from sources.marked import mark
from sources.reader import read_file

NAME = "测试.xlsx"


def calamine(data: bytes) -> int:
    """Every row of every sheet as Python values, no typing, no guard."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return sum(len(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names)


def openpyxl(data: bytes) -> int:
    """The same by openpyxl, read-only, results of formulas."""
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    return sum(len(list(sheet.iter_rows(values_only=True))) for sheet in book.worksheets)


def checked(data: bytes) -> Checked:
    """Guard, reader and every audit rule that needs no other period."""
    return check([read_file(data, NAME)], programme())


def check_and_mark(data: bytes) -> bytes:
    """What `ytb check` does: findings, and the sender's own workbook with the marks in it."""
    return mark(data, checked(data).findings).data


RIVAL = "calamine, nothing else"
STEPS: dict[str, Callable[[bytes], object]] = {
    RIVAL: calamine,
    "openpyxl read-only, nothing else": openpyxl,
    "guard": lambda data: inspect(data, NAME),
    "guard + read + type": lambda data: read_file(data, NAME),
    "… + audit": checked,
    "… + marked workbook": check_and_mark,
}


def best_of(rounds: int, data: bytes) -> dict[str, float]:
    """Best CPU seconds of every step."""
    best = dict.fromkeys(STEPS, float("inf"))
    for _ in range(rounds):
        for name, step in STEPS.items():
            start = time.process_time()
            step(data)
            best[name] = min(best[name], time.process_time() - start)
    return best


def report(book: Book, best: dict[str, float]) -> str:
    """A Markdown table of one book."""
    lines = [
        f"### {book.enterprises} enterprises, {book.cells} filled cells, {len(book.data) / 1e6:.1f} MB, "
        f"{book.faults} planted faults",
        "",
        "| step | CPU s | × calamine | × openpyxl |",
        "|---|--:|--:|--:|",
    ]
    rivals = best[RIVAL], best["openpyxl read-only, nothing else"]
    lines += [
        f"| {name} | {seconds:.3f} | {seconds / rivals[0]:.2f} | {seconds / rivals[1]:.2f} |"
        for name, seconds in best.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--enterprises", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--faults-every", type=int, default=20, help="three faults in every so-many-th enterprise")
    parser.add_argument("--json", type=Path, help="the same as JSON, with the peak memory of the whole run")
    asked = parser.parse_args()
    results = []
    for enterprises in asked.enterprises:
        print(f"{enterprises} …", file=sys.stderr)
        book = park_book(enterprises, faults_every=asked.faults_every)
        best = best_of(asked.rounds, book.data)
        print(report(book, best), flush=True)
        size = {"enterprises": book.enterprises, "cells": book.cells, "bytes": len(book.data), "faults": book.faults}
        results.append({**size, "cpu_seconds": best, "times_calamine": {k: v / best[RIVAL] for k, v in best.items()}})
    if asked.json:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # Linux counts in KiB
        text = json.dumps({"books": results, "peak_memory_mib": peak}, ensure_ascii=False, indent=1)
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
