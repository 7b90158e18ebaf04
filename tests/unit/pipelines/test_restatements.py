"""上年同期 changed with a reason code in the workbook: from the cell to the ledger."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from pipelines.checking import IncomingBook
from pipelines.intake import submit
from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import ACTOR, SHANGHAI, tiny_office
from warehouse.ledger.restatements import restatements_of
from ytb.demo.filling import saved


@pytest.mark.slow
def test_a_changed_figure_of_the_year_before_is_kept_with_its_reason(tmp_path: Path) -> None:
    tiny = tiny_office(tmp_path / "home", enterprises=16)
    now = datetime(2015, 1, 6, 9, 0, tzinfo=SHANGHAI)
    before, period = Period(2014, 4), Period(2015, 4)
    tiny.open_round(before, now)
    with Pool(workers=1, preload=("sources.reader",)) as pool:
        tiny.file_and_accept("LBXQ", before, pool, now + timedelta(hours=1))
        later = now + timedelta(days=365)
        tiny.open_round(period, later)
        book = openpyxl.load_workbook(io.BytesIO(tiny.workbook("LBXQ", period)))
        unit, issued = _changed(book)
        files = [IncomingBook("四季度.xlsx", saved(book))]
        outcome = submit(tiny.office, files, pool, now=later + timedelta(hours=1), actor=ACTOR)
        submit(tiny.office, files, pool, now=later + timedelta(hours=2), actor=ACTOR)
    with tiny.office.ledger.read() as session:
        (kept,) = restatements_of(session, outcome.submission.number)
    assert (kept.form, kept.unit_id, kept.column) == ("finance", unit, "F01_yoy")
    assert (kept.issued, kept.stated, kept.reason_code) == (str(issued), str(issued + 7), "05")


def _changed(book: openpyxl.Workbook) -> tuple[str, int]:
    """The first enterprise's revenue of the year before, seven more, with reason 05: whose, and what was issued."""
    for page in book.worksheets:
        for row in page.iter_rows(min_row=1, max_row=20):
            codes = {c.value: c.column for c in row if c.value}
            if {"B01", "F01_yoy", "yoy_reason"} <= codes.keys():
                at = int(row[0].row or 0) + 1
                issued = int(str(page.cell(at, codes["F01_yoy"]).value))
                page.cell(at, codes["F01_yoy"]).value = issued + 7
                page.cell(at, codes["yoy_reason"]).value = "05"
                return str(page.cell(at, codes["B01"]).value), issued
    raise AssertionError("no sheet with F01_yoy and yoy_reason")
