"""``python -m bench``: how long reading, checking, loading and publishing take, and how much memory, beside rivals.

One run measures a workbook step by step (``book``), a round of workbooks (``reading``) and the warehouse with its products
(``store``), each in processes of its own. Tables go to stdout, progress to stderr, everything to ``--json FILE``. Read the
ratios: what else the machine does weighs on all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.measure import in_child
from bench.store import JOBS
from bench.tables import reading_table, store_table

BOOKS = {"small": (50,), "province": (50, 500, 2000), "nation": (50, 500, 2000)}
ENGINES = ("polars", "duckdb", "python-calamine", "openpyxl", "pandas", "pandera")


@dataclass(frozen=True)
class RoundSize:
    """A round of workbooks: how many, with how many enterprises each."""

    books: int
    enterprises: int


READING = {"small": RoundSize(8, 50), "province": RoundSize(8, 590), "nation": RoundSize(40, 1300)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--size", choices=("small", "province", "nation"), default="small")
    parser.add_argument("--only", choices=tuple(SECTIONS), action="append", help="one section; may be repeated")
    parser.add_argument("--json", type=Path, help="everything as JSON")
    parser.add_argument("--enterprises", type=int, nargs="+", help="book: enterprises of the workbooks")
    parser.add_argument("--rounds", type=int, default=5, help="book: how often each step is taken; the best counts")
    parser.add_argument("--books", type=int, help="reading: how many workbooks")
    parser.add_argument("--work", type=Path, help="where to work; what stands there is used again and kept")
    asked = parser.parse_args()
    work = asked.work or Path(tempfile.mkdtemp(prefix="ytb-bench-"))
    found: dict[str, Any] = {"size": asked.size, "machine": machine()}
    print(f"# Bench, size {asked.size}\n\n{', '.join(f'{k} {v}' for k, v in found['machine'].items())}\n", flush=True)
    try:
        for name in asked.only or SECTIONS:
            found[name] = SECTIONS[name](asked, work)
            if asked.json:
                asked.json.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    finally:
        if asked.work is None:
            shutil.rmtree(work, ignore_errors=True)


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    cores, load = len(os.sched_getaffinity(0)), round(os.getloadavg()[0], 1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    engines = {name: version(name) for name in ENGINES}
    return {"cores": cores, "memory_gib": round(memory, 1), "load": load, "python": platform.python_version()} | engines


def one_workbook(asked: argparse.Namespace, _work: Path) -> list[dict[str, Any]]:
    """Section ``book``."""
    found = []
    print(
        "## One workbook: guard, read, audit, mark (CPU seconds of one process on one core, best of the rounds)\n",
        flush=True,
    )
    for enterprises in asked.enterprises or BOOKS[asked.size]:
        say(f"one workbook of {enterprises} enterprises")
        arguments = {"enterprises": enterprises, "rounds": asked.rounds, "faults_every": 20}
        measured = in_child("bench.one_book:measured", arguments, on_one_core=True)
        print(measured.pop("table"), flush=True)
        found.append(measured)
    return found


def a_round(asked: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Section ``reading``."""
    size, cores, folder = READING[asked.size], len(os.sched_getaffinity(0)), work / "books"
    shutil.rmtree(folder, ignore_errors=True)
    books = asked.books or size.books
    say(f"{books} workbooks of {size.enterprises} enterprises")
    made = in_child("bench.reading:making", {"folder": str(folder), "books": books, "enterprises": size.enterprises})
    runs = []
    for job in ("calamine", "product", "script"):
        for workers in sorted({1, cores}):
            say(f"{job}, {workers} at work")
            measured = in_child(f"bench.reading:{job}", {"folder": str(folder), "workers": workers})
            runs.append({"who": job, "workers": workers, **measured})
    shutil.rmtree(folder, ignore_errors=True)
    found = {"made": made, "runs": runs}
    print(reading_table(found), flush=True)
    return found


def the_store(asked: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Section ``store``."""
    root, found = work / f"home-{asked.size}", {}
    for job in JOBS:
        if job == "filing" and root.exists():
            continue
        say(f"store, {job}")
        found[job] = in_child(f"bench.store:{job}", {"root": str(root), "size": asked.size})
    print(store_table(found, asked.size), flush=True)
    return found


def say(text: str) -> None:
    """Progress."""
    print(f"{text} …", file=sys.stderr, flush=True)


SECTIONS: Mapping[str, Callable[[argparse.Namespace, Path], Any]] = {
    "book": one_workbook,
    "reading": a_round,
    "store": the_store,
}

if __name__ == "__main__":
    main()
