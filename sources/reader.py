"""From a workbook to observations: forms are found by ``_meta`` and code row, never by sheet name or place.

Runs inside a limited child process (``sources.pool``). Tolerates inserted, moved, renamed and hidden rows, columns and
sheets; reports what it normalised; where something is ambiguous it says so and guesses nothing.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import polars as pl

from schemas.catalog import programme
from schemas.errors import DefinitionError, SubmissionError
from schemas.findings import no_findings
from schemas.layout import META_SHEET, OPERANDS_SHEET, OWN_SHEETS, forms_due, sheet_layout, sheet_name
from schemas.model import FormKind, Programme
from schemas.observations import Observations
from schemas.period import Period
from sources.forensics import cells_told, meta_told, operands_told, workbook_told
from sources.form_finding import code_rows, form_of, looks_like, meta_of, park_in_cells, period_of
from sources.form_reading import read_form, read_sheet_form, without_silent_units
from sources.grid import Grid, read_inspected
from sources.guard import Inspection, inspect
from sources.own_book import own_book_told
from sources.reading import (
    FORENSICS_COLUMNS,
    NORMALISED_COLUMNS,
    Place,
    Reading,
    no_forensics,
    no_normalised,
    no_restated,
)
from sources.restated import IssuedFigures, issued_figures

__all__ = [
    "FORENSICS_COLUMNS",
    "NORMALISED_COLUMNS",
    "READER_VERSION",
    "FileReading",
    "no_forensics",
    "no_normalised",
    "read_file",
]

READER_VERSION = "1"
NOT_READ = OWN_SHEETS - {META_SHEET, OPERANDS_SHEET}
"""Sheets the template brings along for the clerk: lists, code tables, instructions. They hold no figures."""


@dataclass(frozen=True)
class FileReading:
    """What one file says. ``status`` is readable or unreadable (then ``code`` and ``message`` say why).

    ``unit``: the enterprise whose own workbook it says it is, None for the workbook of a park.
    """

    name: str
    sha256: str
    status: str
    park: str | None = None
    period: Period | None = None
    edition: str | None = None
    forms: tuple[str, ...] = ()
    observations: Observations = field(default_factory=lambda: Observations({}))
    findings: pl.DataFrame = field(default_factory=no_findings)
    normalised: pl.DataFrame = field(default_factory=no_normalised)
    forensics: pl.DataFrame = field(default_factory=no_forensics)
    code: str = ""
    message: str = ""
    unit: str | None = None
    restated: pl.DataFrame = field(default_factory=no_restated)

    @classmethod
    def unreadable(cls, name: str, sha256: str, code: str, message: str) -> FileReading:
        """A file nothing could be read from."""
        return cls(
            name, sha256, "unreadable", code=code, message=f"《{name}》{message}" if name not in message else message
        )


def read_file(data: bytes, name: str, named: str = "park") -> FileReading:
    """Guard, read and type one file by the programme ``named`` (as ``schemas.catalog.programme``). A file that cannot be taken in comes back as ``unreadable``, never as an exception."""
    sha256 = hashlib.sha256(data).hexdigest()
    of = programme(named)
    try:
        with _collector_paused():
            inspection = inspect(data, name)
            return _read(inspection, read_inspected(inspection, leave_out=NOT_READ), sha256, of)
    except SubmissionError as refusal:
        return FileReading.unreadable(name, sha256, refusal.code, str(refusal))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the cyclic garbage collector: it would walk every row of every sheet several times and find nothing to free."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(inspection: Inspection, grids: Sequence[Grid], sha256: str, of: Programme) -> FileReading:
    meta, name = meta_of(grids), inspection.name
    located = [(grid, row) for grid in grids if grid.sheet not in OWN_SHEETS for row in code_rows(grid)]
    if not located:
        raise SubmissionError(
            "no_form", f"《{name}》里没有找到报表:没有一张工作表带代码行。请使用下发的模板,不要删除代码行。"
        )
    period, park = period_of(meta, located), meta.get("park") or park_in_cells(located)
    if period is None:
        raise SubmissionError("no_period", f"《{name}》里找不到报告期。请使用本期下发的模板填报。")
    try:
        edition = of.edition_for(period)
    except DefinitionError as missing:
        raise SubmissionError("no_edition", f"《{name}》的报告期 {period} 没有适用的制度。请核对报告期。") from missing
    reading = Reading(name, sha256, edition, period, park or "", str(of.folder))
    _check_meta(reading, meta)
    issued = issued_figures(grids)
    operands_told(reading, grids, meta)
    for grid, row in located:
        _read_located(reading, grid, row, issued)
    _lost_forms(reading, grids, meta)
    unit = meta.get("unit") or None
    if unit is not None:
        own_book_told(reading, unit)
    workbook_told(reading, inspection, grids, reading.seen.values())
    cells_told(reading)
    frames = without_silent_units(reading.frames, edition)
    return FileReading(
        name, sha256, "readable", park, period, edition.id, tuple(reading.seen), Observations(frames, reading.cell_map), reading.findings,
        reading.normalised_cells, reading.forensics, unit=unit, restated=reading.restated_figures,
    )  # fmt: skip


def _read_located(reading: Reading, grid: Grid, row: int, issued: IssuedFigures) -> None:
    """The form whose code row stands there, unless it is unknown or was read from another place already."""
    form = form_of(grid, row, reading.edition)
    place = Place(form.code if form else "", grid.sheet, f"A{row + 1}")
    if form is None:
        problem = "这张工作表的代码行不属于任何一张本期报表;请核对是否用错了模板。"
        reading.finding("unknown_form", place, problem)
    elif form.code in reading.seen:
        problem = f"表“{form.title}”在本工作簿中出现两次(另一处在“{reading.seen[form.code]}”);请只保留一处。"
        reading.finding("form_twice", place, problem)
    else:
        reading.seen[form.code] = grid.sheet
        if form.kind is FormKind.SHEET:
            read_sheet_form(reading, grid, row, form, issued)
        else:
            read_form(reading, grid, row, form, issued)


def _lost_forms(reading: Reading, grids: Sequence[Grid], meta: dict[str, str]) -> None:
    """Sheets that bear the name of a form but have no code row: without it nobody can tell which column is which."""
    unread = {g.sheet: g for g in grids if g.sheet not in OWN_SHEETS and g.sheet not in reading.seen.values()}
    for form in forms_due(reading.edition, reading.period):
        if not unread or form.code in reading.seen:
            continue
        named = meta.get(f"form.{form.code}") or sheet_name(form)
        layout = sheet_layout(reading.edition, form, reading.period)
        alike = [name for name, grid in unread.items() if looks_like(grid, layout)]
        sheet = named if named in unread else alike[0] if alike else ""
        if sheet and any(c not in ("", None) for cells in unread[sheet].rows for c in cells):
            problem = "这张表没有代码行(表头下面写着指标代码的一行),无法对应指标,整张表没有读取;请恢复代码行,或在下发的模板上重填。"
            reading.finding("no_code_row", Place(form.code, sheet), problem)


def _check_meta(reading: Reading, meta: dict[str, str]) -> None:
    meta_told(reading, meta)
    if not meta:
        problem = "工作簿里没有模板标识(隐藏表 _meta 已被删除);已按代码行识别。请今后直接在下发的模板上填报。"
        reading.finding("no_meta", Place("", None), problem, severity="trial")
    elif meta.get("edition") and meta["edition"] != reading.edition.id:
        problem = f"模板是 {meta['edition']} 版,本期适用 {reading.edition.id} 版;请下载本期模板重新填报。"
        reading.finding("old_edition", Place("", None), problem)
