"""A round of workbooks: read and checked as ``ytb check`` does, beside the pandas script, beside calamine's bare read.

Jobs for processes of their own. All read the same files from disk, one park a file; where two processes are at work, so are
they for the rivals. Before anything is timed the script must have found the very same, rule by rule.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl
from python_calamine import CalamineWorkbook

from bench.books import YEAR, park_book
from bench.measure import processor_seconds
from bench.rival import check_book
from pipelines.checking import Checked, IncomingBook, check, read_books
from schemas.catalog import programme
from sources.pool import Pool
from sources.reader import read_file
from ytb.demo.panel import ZONES

CELL_KINDS = ("required", "sign", "domain")
FAULTS_EVERY = 20
SEEDS = 2


def bare(data: bytes) -> int:
    """calamine alone: every sheet to Python lists."""
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return sum(len(workbook.get_sheet_by_name(name).to_python()) for name in workbook.sheet_names)


def whole_check(data: bytes) -> Checked:
    """Guard, reader and every rule that needs no other period, in this process."""
    return check([read_file(data, "报表.xlsx")], programme())


def found_by(checked: Checked) -> dict[str, int]:
    """Rule, or kind of cell finding → enterprises it was found at, on the enterprise forms."""
    edition = programme().edition_for(YEAR)
    forms = [f.code for f in edition.forms.values() if f.roster == "enterprise"]
    rules = [r.id for r in edition.rules_for(YEAR) if r.form in forms]
    found = checked.outcomes.filter(pl.col("rule").is_in(rules) & (pl.col("failed") > 0)).select("rule", "failed")
    cells = checked.findings.filter(pl.col("rule").is_in(CELL_KINDS) & pl.col("form").is_in(forms))
    return dict(found.rows()) | dict(cells.group_by("rule").len().rows())


def script_finds(data: bytes, park: str) -> dict[str, int]:
    """What the pandas script finds: rule → enterprises, those it finds nothing at left out."""
    return {rule: count for rule, count in check_book(data, programme(), YEAR, park).items() if count}


def making(folder: str, books: int, enterprises: int) -> dict[str, Any]:
    """Job: the workbooks of a round, and that both ways of checking find the same in every different one."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    made = []
    for n in range(books):
        park, seed = ZONES[n % len(ZONES)], n // len(ZONES) % SEEDS
        if n < SEEDS * len(ZONES):
            made.append(park_book(enterprises, seed=seed, park=park, faults_every=FAULTS_EVERY))
            ours, theirs = found_by(whole_check(made[-1].data)), script_finds(made[-1].data, park)
            if ours != theirs:
                raise RuntimeError(f"the two ways of checking do not agree: {ours} {theirs}")
        book = made[n % len(made)]
        (Path(folder) / f"{n:03d}_{park}.xlsx").write_bytes(book.data)
    of = programme().edition_for(YEAR)
    used = [made[n % len(made)] for n in range(books)]
    return {
        "books": books,
        "enterprises": sum(b.enterprises for b in used),
        "filled_cells": sum(b.cells for b in used),
        "megabytes": sum(len(b.data) for b in used) / 1e6,
        "planted": sum(b.faults for b in used),
        "rules": len(of.rules_for(YEAR)),
        "rules_of_the_script": len(check_book(made[0].data, programme(), YEAR, ZONES[0])) - len(CELL_KINDS),
    }


def product(folder: str, workers: int) -> dict[str, Any]:
    """Job: what ``ytb check *.xlsx`` does with the files it is given, without a home."""
    of = programme()
    with Pool(workers=workers, preload=("sources.reader",)) as pool:

        def checked(files: list[tuple[str, bytes]]) -> int:
            books = [IncomingBook(name, data) for name, data in files]
            return sum(check([reading], of).findings.height for reading in read_books(books, of, pool))

        return _timed(checked, folder, workers)


def script(folder: str, workers: int) -> dict[str, Any]:
    """Job: the pandas script on the same files."""
    return _rival(_script_on, folder, workers)


def calamine(folder: str, workers: int) -> dict[str, Any]:
    """Job: calamine on the same files, nothing else."""
    return _rival(_bare_on, folder, workers)


def _script_on(book: tuple[str, bytes]) -> int:
    return sum(script_finds(book[1], book[0].split("_")[1].removesuffix(".xlsx")).values())


def _bare_on(book: tuple[str, bytes]) -> int:
    bare(book[1])
    return 0


def _rival(work: Callable[[tuple[str, bytes]], int], folder: str, workers: int) -> dict[str, Any]:
    if workers == 1:
        return _timed(lambda files: sum(map(work, files)), folder, workers)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        return _timed(lambda files: sum(processes.map(work, files)), folder, workers)


def _timed(work: Callable[[list[tuple[str, bytes]]], int], folder: str, workers: int) -> dict[str, Any]:
    """All files through ``work``; processes are started and definitions loaded by a first few, which do not count."""
    files = [(path.name, path.read_bytes()) for path in sorted(Path(folder).glob("*.xlsx"))]
    work(files[: 2 * workers])
    used, begun = processor_seconds(), time.perf_counter()
    found = work(files)
    taken, used = time.perf_counter() - begun, processor_seconds() - used
    return {"seconds": taken, "cpu_seconds": used, "findings": found}
