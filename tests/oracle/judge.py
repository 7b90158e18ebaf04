"""Books by number, read and checked, and what came held against what had to come."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from pipelines.checking import Checked, check
from schemas.catalog import programme
from schemas.observations import ADDRESS_COLUMNS
from sources.reader import read_file
from tests.oracle.books import Book, Expected, opened, original
from tests.oracle.faults import FAULTS, plant
from tests.oracle.structure import LAST, STRUCTURE

ORIGINALS = 40
CLEAN_SHARE = 5


@dataclass
class Tally:
    """Counts over books; ``kinds``: fault → Counter of planted, found, exact, confused."""

    books: int = 0
    clean: int = 0
    false_on_clean: int = 0
    false_beside_faults: int = 0
    cells: int = 0
    misread: int = 0
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def planted(self) -> int:
        return sum(c["planted"] for c in self.kinds.values())

    @property
    def recall(self) -> float:
        return sum(c["found"] for c in self.kinds.values()) / max(self.planted, 1)

    @property
    def exact(self) -> float:
        found = sum(c["found"] for c in self.kinds.values())
        return sum(c["exact"] for c in self.kinds.values()) / max(found, 1)

    @property
    def confused(self) -> int:
        return sum(c["confused"] for c in self.kinds.values())

    @property
    def false_a_clean_book(self) -> float:
        return self.false_on_clean / max(self.clean, 1)

    def add(self, other: Tally) -> None:
        """Take the counts of another run in."""
        for name in ("books", "clean", "false_on_clean", "false_beside_faults", "cells", "misread"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for kind, counts in other.kinds.items():
            self.kinds.setdefault(kind, Counter()).update(counts)
        self.notes += other.notes


def book_number(seed: int, only: str = "") -> Book:
    """The book with this number: every fifth one clean, the others with 1 to 6 faults of any kind."""
    chance = random.Random(f"book {seed}")
    book = opened(original(chance.randrange(ORIGINALS)), chance)
    if only:
        (plant(book, only) if only in FAULTS else STRUCTURE[only](book))
        return book
    if seed % CLEAN_SHARE == 0:
        return book
    chosen = chance.sample([*FAULTS, *STRUCTURE], chance.randint(1, 6))
    for kind in (k for k in chosen if k in FAULTS):
        plant(book, kind)
    structural = [k for k in chosen if k in STRUCTURE]
    for kind in sorted(structural, key=lambda k: LAST.index(k) + 1 if k in LAST else 0):
        STRUCTURE[kind](book)
    return book


def judged(seed: int, only: str = "") -> Tally:
    """One book, made, read, checked and held against its faults."""
    book = book_number(seed, only)
    reading = read_file(book.to_bytes(), book.name)
    checked = check([reading], programme())
    tally = Tally(books=1)
    is_clean = not book.expected
    tally.clean = int(is_clean)
    for expected in book.expected:
        _judge(tally, expected, checked, seed)
    _false(tally, book, checked, seed, is_clean=is_clean)
    if not book.is_open:
        _values(tally, book, checked, seed)
    return tally


def _judge(tally: Tally, expected: Expected, checked: Checked, seed: int) -> None:
    counts = tally.kinds.setdefault(expected.kind, Counter())
    counts["planted"] += 1
    if expected.channel == "nothing":
        counts.update(found=1, exact=1)
        return
    sheet = expected.page.title if expected.page is not None else None
    came = _came(expected, checked)
    if sheet:
        came = [c for c in came if c[1] == sheet]
    addresses = {c.coordinate for c in expected.cells}
    here = [c for c in came if not addresses or c[2] in addresses]
    counts["found"] += bool(came)
    counts["exact"] += bool(here)
    standing = checked.findings.select("sheet", "cell", "code").rows()
    confused = sorted(expected.never & {code for on, cell, code in standing if on == sheet and cell in addresses})
    counts["confused"] += bool(confused)
    if not here or confused:
        tally.notes.append(
            f"{seed} {expected.kind}: {sorted(expected.codes)} {sheet} {sorted(addresses)[:3]} came {came[:3]} {confused}"
        )


def _came(expected: Expected, checked: Checked) -> list[tuple[str, str, str]]:
    """(code, sheet, cell) of everything of the wanted kinds."""
    match expected.channel:
        case "finding":
            both = pl.any_horizontal(pl.col(c).is_in(list(expected.codes)) for c in ("rule", "code"))
            return checked.findings.filter(both).select("code", "sheet", "cell").rows()
        case "normalised":
            rows = checked.normalised.select("code", "sheet", "cell").rows()
            return [r for r in rows if expected.codes & set(r[0].split("+"))]
        case "forensics":
            rows = checked.forensics.select("kind", "sheet", "place").rows()
            return [r for r in rows if r[0] in expected.codes]
    return [(r.code, "", "") for r in checked.readings if r.code in expected.codes]


def _false(tally: Tally, book: Book, checked: Checked, seed: int, *, is_clean: bool) -> None:
    """Findings nobody planted: on a clean book all of them, else those of units that were left alone."""
    if book.is_open:
        return
    wanted = {code for e in book.expected if e.channel == "finding" for code in e.codes}
    findings = checked.findings.filter(pl.col("severity") != "trial", pl.col("outcome") != "absorbed")
    planted = {(e.page.title, c.coordinate) for e in book.expected if e.page is not None for c in e.cells}
    false = [
        row
        for row in findings.select("unit_id", "sheet", "cell", "code", "message").iter_rows()
        if row[0] not in book.used and row[1:3] not in planted and not (row[0] is None and row[3] in wanted)
    ]
    if is_clean:
        tally.false_on_clean += len(false)
        tally.notes += [f"{seed} forensics of a clean book: {row}" for row in checked.forensics.rows()]
        tally.false_on_clean += checked.forensics.height
    else:
        tally.false_beside_faults += len(false)
    tally.notes += [f"{seed} false: {row}" for row in false[:3]]


def _values(tally: Tally, book: Book, checked: Checked, seed: int) -> None:
    """Every cell said and every cell read, held together."""
    read = {
        (form, row["unit_id"], column): value
        for form, frame in checked.observations.frames.items()
        for row in frame.drop("park", *ADDRESS_COLUMNS).iter_rows(named=True)
        for column, value in row.items()
        if column != "unit_id" and value is not None
    }
    keyed = {w for w in book.says if w[2] == "B02" and w[0] != "basic"}
    said = {w: v for w, v in book.says.items() if v is not None and w not in keyed}
    lost_rows = {w[:2] for w, v in book.says.items() if v is None and w[2] in book.original.edition.forms[w[0]].key}
    tally.cells += len(said)
    wrong = [w for w in said.keys() | read.keys() if said.get(w) != read.get(w) and w[:2] not in lost_rows and w[1]]
    tally.misread += len(wrong)
    tally.notes += [f"{seed} misread {w}: said {said.get(w)!r}, read {read.get(w)!r}" for w in wrong[:3]]


def run(seeds: Iterable[int]) -> Tally:
    """Many books, one after the other."""
    total = Tally()
    for seed in seeds:
        total.add(judged(seed))
    return total
