"""``python -m bench.corpus FOLDER…``: foreign workbooks through guard, reader and marking, each in a limited child as an upload would be.

For collections that are not ours to ship (the test files of LibreOffice, Apache POI and Gnumeric are in Debian's source packages).
Whatever stands in a folder and has the ending of a workbook counts. Every file must end in data or in a coded Chinese sentence: anything
else is listed, and the command ends with 1. What can be marked is marked in some cells of every sheet, twice, and must then read as before.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipelines.handing_back import MARKABLE
from schemas.errors import SubmissionError
from schemas.findings import as_findings
from sources.cells import CellValue
from sources.forensics import MARKED_SHEETS
from sources.grid import read_grids
from sources.marked import mark
from sources.marked_sheet import address
from sources.pool import ChildError, Limits, Pool
from sources.reader import read_file

ENDINGS = frozenset({".csv", ".et", ".fods", ".ods", ".xls", ".xlsb", ".xlsm", ".xlsx", ".xlt", ".xltm", ".xltx"})
_CHINESE = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Outcome:
    """How one file ended. ``code`` is the refusal's or ``read``; ``fault`` says what must not happen, empty where nothing did."""

    path: Path
    code: str
    seconds: float
    fault: str = ""


def workbooks(folders: Iterable[Path]) -> list[Path]:
    """The files below the folders that are called like workbooks, in order of their paths."""
    return sorted(p for folder in folders for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in ENDINGS)


def outcome(path: Path, pool: Pool) -> Outcome:
    """Read one file as if a park had sent it."""
    data, begun = path.read_bytes(), time.perf_counter()
    try:
        reading = pool.run(read_file, data, path.name)
        code, message = (reading.code, reading.message) if reading.status == "unreadable" else ("read", "读取")
        can_be_read = code in ("read", "no_form", "no_period", "no_edition")
        ending = (
            pool.run("bench.corpus:marked", data, path.name) if can_be_read and path.suffix.lower() in MARKABLE else ""
        )
        fault = "" if ending in ("", "same", "cannot_mark") else ending
        code = f"{code}, {ending}" if ending else code
    except SubmissionError as refusal:
        code, message = refusal.code, str(refusal)
        # The pool says so where a child died; the caller lives, but a parser did not.
        fault = message if "E-" in message else ""
    except ChildError as error:
        code, message, fault = "uncaught", "", str(error).strip().splitlines()[-1]
    if code != "uncaught" and not _CHINESE.search(message):
        fault = f"no Chinese sentence: {message!r}"
    return Outcome(path, code, time.perf_counter() - begun, fault)


def marked(data: bytes, name: str) -> str:
    """Mark every 97th filled cell, then read again: ``same``, ``cannot_mark``, or what differs. For a child process."""
    before = {grid.sheet: grid.rows for grid in read_grids(data, name)}
    lines: list[dict[str, object]] = [
        {"rule": "X", "severity": "hard", "form": "f", "unit_id": "u", "park": "p", "sheet": sheet, "cell": address(row, column),
         "row": row, "column": "c", "indicator": "i", "found": "1", "message": "测试", "code": "rule", "outcome": "failed"}
        for sheet, rows in before.items()
        for row, column in filled(rows)[::97]
    ]  # fmt: skip
    try:
        once = mark(data, as_findings(lines)).data
        twice = mark(once, as_findings(lines)).data
    except SubmissionError as refusal:
        return refusal.code
    for copy in (once, twice):
        after = {grid.sheet: grid.rows for grid in read_grids(copy, name) if grid.sheet not in MARKED_SHEETS}
        if sheets := [sheet for sheet in before if filled(before[sheet]) != filled(after.get(sheet, []))]:
            return f"filled cells differ: {sheets}"
        if sheets := [s for s, rows in before.items() if any(rows[r][c] != after[s][r][c] for r, c in filled(rows))]:
            return f"values differ: {sheets}"
    return "same"


def filled(rows: list[list[CellValue]]) -> list[tuple[int, int]]:
    """Places of the cells that hold something."""
    return [(r, c) for r, row in enumerate(rows) for c, value in enumerate(row) if value not in ("", None)]


def outcomes(paths: Iterable[Path], workers: int, limits: Limits) -> Iterator[Outcome]:
    """All of them, on ``workers`` children, in the order given."""
    with Pool(workers, limits, preload=("sources.reader",)) as pool, ThreadPoolExecutor(workers) as threads:
        yield from threads.map(lambda path: outcome(path, pool), paths)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.corpus", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    found = []
    for one in outcomes(workbooks(asked.folders), asked.workers, Limits()):
        found.append(one)
        if one.fault:
            print(f"{one.path}: {one.code}: {one.fault}", file=sys.stderr, flush=True)
    kinds = sorted({one.path.suffix.lower() for one in found})
    counts = Counter((one.code, one.path.suffix.lower()) for one in found)
    print(f"| end | {' | '.join(kinds)} | all |\n|---|{'---:|' * (len(kinds) + 1)}")
    for code, total in Counter(one.code for one in found).most_common():
        print(f"| {code} | {' | '.join(str(counts[code, kind] or '') for kind in kinds)} | {total} |")
    print(f"\n{len(found)} files, {sum(bool(one.fault) for one in found)} faults; the slowest:")
    for one in sorted(found, key=lambda one: -one.seconds)[:5]:
        print(f"  {one.seconds:.1f} s  {one.code}  {one.path.name}  {one.path.stat().st_size / 2**20:.1f} MiB")
    sys.exit(any(one.fault for one in found))


if __name__ == "__main__":
    main()
