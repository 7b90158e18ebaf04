"""What the way of one workbook costs, as ratios against bare readers measured in the same run.

Rivals: python-calamine reading every sheet into Python lists (the fastest reader we know, and the one inside ours), and
openpyxl in read-only mode. Times are CPU seconds of this process, bound to one core, the rounds taken in turn, the best of each kept: what
else the machine does then weighs on all of them alike.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

from openpyxl import load_workbook

from bench.books import Book, park_book
from bench.reading import bare, whole_check
from sources.guard import inspect
from sources.marked import mark
from sources.reader import read_file

NAME = "测试.xlsx"


def openpyxl(data: bytes) -> int:
    """The same by openpyxl, read-only, results of formulas."""
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    return sum(len(list(sheet.iter_rows(values_only=True))) for sheet in book.worksheets)


def check_and_mark(data: bytes) -> bytes:
    """What `ytb check` does: findings, and the sender's own workbook with the marks in it."""
    return mark(data, whole_check(data).findings).data


RIVAL = "calamine, nothing else"
STEPS: dict[str, Callable[[bytes], object]] = {
    RIVAL: bare,
    "openpyxl read-only, nothing else": openpyxl,
    "guard": lambda data: inspect(data, NAME),
    "guard + read + type": lambda data: read_file(data, NAME),
    "… + audit": whole_check,
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


def measured(enterprises: int, rounds: int, faults_every: int) -> dict[str, Any]:
    """Job: one book of so many enterprises, all steps."""
    book = park_book(enterprises, faults_every=faults_every)
    best = best_of(rounds, book.data)
    size = {"enterprises": book.enterprises, "cells": book.cells, "bytes": len(book.data), "faults": book.faults}
    times = {step: seconds / best[RIVAL] for step, seconds in best.items()}
    return {**size, "cpu_seconds": best, "times_calamine": times, "table": report(book, best)}
