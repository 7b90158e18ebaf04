"""Correct workbooks to plant faults in: a template filled with the demo panel's figures, and what it says cell by cell.

Nothing here asks the reader: what a book says is known because it was put there.
"""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import openpyxl
import polars as pl
from openpyxl.cell.cell import Cell
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from schemas.catalog import programme
from schemas.layout import CODE_ROW, SheetLayout, workbook_layout
from schemas.model import Edition, FormKind, Indicator
from schemas.period import Period
from sources.template import write_template
from ytb.demo.figures import Figures
from ytb.demo.panel import ZONES, Size, draw

PERIODS = ("2014-Q2", "2015", "2015-Q4", "2016-Q1", "2016", "2025-Q1", "2025-Q3", "2025")
Where = tuple[str, str, str]
"""Form, unit, column of the form frame."""


@dataclass(frozen=True)
class Original:
    """A correct workbook of one park and period: its bytes and its figures, ``says[form, unit, column]``, none of them null."""

    data: bytes
    edition: Edition
    period: Period
    park: str
    says: Mapping[Where, object] = field(repr=False)

    @property
    def layouts(self) -> dict[str, SheetLayout]:
        """Form code → layout."""
        return workbook_layout(self.edition, self.period)


@dataclass(frozen=True)
class Expected:
    """What must come of one fault. ``channel``: finding, normalised, forensics, refused or nothing.

    ``codes`` are the kinds or rules of which one must come; ``cells`` where it may stand (one for all but broken relations),
    as objects that know their address after rows and columns were inserted. ``never`` must not stand at these cells.
    """

    kind: str
    channel: str
    codes: frozenset[str] = frozenset()
    page: Worksheet | None = None
    cells: tuple[Cell, ...] = ()
    never: frozenset[str] = frozenset()


@dataclass
class Book:
    """A workbook while faults are put into it."""

    original: Original
    workbook: Workbook
    pages: dict[str, Worksheet]
    cells: dict[Where, Cell] = field(repr=False)
    says: dict[Where, object] = field(repr=False)
    chance: random.Random
    name: str = "book.xlsx"
    expected: list[Expected] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    is_open: bool = False
    """Whether what was done leaves no telling which findings follow (a form is lost): then only what must come is judged."""
    finishing: list[Callable[[bytes], bytes]] = field(default_factory=list)

    def indicator(self, where: Where) -> Indicator:
        """The indicator of a cell."""
        return self.original.edition.indicators[where[2].split("_")[0]]

    def expect(self, kind: str, channel: str, *codes: str, at: Where | None = None, **more: object) -> None:
        """Note what must come; ``at`` names the cell."""
        cells = (self.cells[at],) if at else ()
        page = self.pages[at[0]] if at else None
        never = frozenset(more.pop("never", ()))  # type: ignore[call-overload]
        of = {"page": page, "cells": cells} | more
        self.expected.append(Expected(kind, channel, frozenset(codes), never=never, **of))  # type: ignore[arg-type]

    def to_bytes(self) -> bytes:
        """The workbook as a clerk's program writes it."""
        buffer = io.BytesIO()
        self.workbook.save(buffer)
        data = buffer.getvalue()
        for finish in self.finishing:
            data = finish(data)
        return data


@lru_cache(maxsize=4)
def _figures(enterprises: int, last_year: int, seed: int) -> Figures:
    of = programme()
    return Figures(of, draw(of, Size.of(enterprises), last_year, seed), {})


@lru_cache(maxsize=64)
def original(seed: int) -> Original:
    """The correct workbook number ``seed``: park, period and 5 to 40 enterprises follow from the number."""
    chance = random.Random(f"original {seed}")
    period = Period.parse(chance.choice(PERIODS))
    figures = _figures(chance.choice((24, 48, 72, 100, 130)), 2016 if period.year < 2020 else 2025, seed % 5)
    parks = [z for z in ZONES if 5 <= figures.year(period.year).filter(park=z).height <= 40]
    park = chance.choice(parks or list(ZONES))
    of = programme()
    edition = of.edition_for(period)
    values = figures_as_filed(figures, edition, park, period)
    issued = {form: _issued(frame) for form, frame in values.items()}
    firms = figures.year(period.year).filter(park=park)
    data = write_template(
        edition,
        of,
        period,
        park,
        units=firms.select(unit_id="B01", name="B02", sub_park="B05"),
        year_earlier={form: frame for form, frame in issued.items() if frame.width > 1},
        values=values,
        as_of=period.end,
    )
    return Original(data, edition, period, park, dict(_said(values)))


def figures_as_filed(figures: Figures, edition: Edition, park: str, period: Period) -> dict[str, pl.DataFrame]:
    """Form → the figures a park files for a period, those of the sheet forms under the park's code."""
    values = dict(figures.enterprises(park, period))
    for code in ("incubators", "projects", "tasks"):
        form = edition.forms[code]
        if form.asked(period):
            frame: pl.DataFrame = getattr(figures, code)(park, period)
            values[code] = frame.select("unit_id", *(i.code for i in form.asked(period) if i.code in frame.columns))
    sheet = figures.sheet(park, period)
    types = {i.code: i.dtype for i in edition.forms["park"].indicators}
    schema = {"unit_id": pl.String()} | {c: types[c.split("_")[0]] for c in sheet}
    values["park"] = pl.DataFrame([{"unit_id": park, **sheet}], schema=schema)
    return values


def _issued(frame: pl.DataFrame) -> pl.DataFrame:
    """The figures of the year before, as the system knew them when it issued the template."""
    restated = [c for c in frame.columns if c.endswith("_yoy")]
    if restated:  # an entrant has no figure of the year before; it states one itself
        frame = frame.filter(pl.any_horizontal(pl.col(c).fill_null(0) != 0 for c in restated))
    return frame.select("unit_id", *(pl.col(c).alias(c.removesuffix("_yoy")) for c in restated))


def _said(values: Mapping[str, pl.DataFrame]) -> Iterator[tuple[Where, object]]:
    for form, frame in values.items():
        for row in frame.iter_rows(named=True):
            for column, value in row.items():
                if column != "unit_id" and value is not None:
                    yield (form, row["unit_id"], column), value


def _cell(page: Worksheet, row: int, column: int) -> Cell:
    cell: Cell = page.cell(row, column)  # type: ignore[assignment]
    return cell


@lru_cache(maxsize=64)
def _loaded(data: bytes) -> bytes:
    """A workbook once parsed, as a pickle: ten times cheaper to open again than the file."""
    return pickle.dumps(openpyxl.load_workbook(io.BytesIO(data)), protocol=5)


def opened(of: Original, chance: random.Random) -> Book:
    """A copy of a correct workbook to work on, with every cell found by form, unit and column."""
    workbook: Workbook = pickle.loads(_loaded(of.data))
    for page in workbook.worksheets:  # what a pickle loses: how a dimension is made when first asked for
        page.row_dimensions.default_factory = page._add_row
        page.column_dimensions.default_factory = page._add_column
    pages: dict[str, Worksheet] = {form: workbook[layout.name] for form, layout in of.layouts.items()}
    cells: dict[Where, Cell] = {}
    for form, layout in of.layouts.items():
        page = pages[form]
        if layout.form.kind is FormKind.SHEET:
            for i in layout.asked:
                for lag in ("", "yoy"):
                    anchor = "value_yoy" if lag else "value"
                    if anchor in layout.by_anchor:
                        column = f"{i.code}_{lag}" if lag else i.code
                        cells[form, of.park, column] = page[layout.cell(i.code, lag=lag)]
            continue
        units = list(dict.fromkeys(unit for said, unit, _ in of.says if said == form))
        by_key = {unit.split("|")[0]: unit for unit in units}
        for row in range(CODE_ROW + 1, page.max_row + 1):
            unit = by_key.get(str(page.cell(row, 1).value))
            if unit is not None:
                for standing in layout.columns:
                    cells[form, unit, standing.anchor] = _cell(page, row, standing.index + 1)
    return Book(of, workbook, pages, cells, dict(of.says), chance)
