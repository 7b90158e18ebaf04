"""Versions of targets: the one in force on a day, both completions side by side, no change without a document."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipelines.methods.target_versions import basis_of, changed, changes_on
from pipelines.methods.targets import targets_progress
from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.model import TargetChange
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.plan_files import read_changes

FIRST = TargetChange(108, date(2016, 7, 1), 2020, 1200.0, "示政发〔2016〕1号", "中期调整")
SECOND = TargetChange(108, date(2018, 7, 1), 2021, 1300.0, "示政发〔2018〕2号", "再次调整")


def test_the_latest_change_in_force_counts() -> None:
    assert changes_on([SECOND, FIRST], date(2016, 6, 30)) == {}
    assert changes_on([SECOND, FIRST], date(2016, 7, 1)) == {108: FIRST}
    assert changes_on([SECOND, FIRST], date(2020, 1, 1)) == {108: SECOND}


def test_a_changed_target_names_its_document() -> None:
    own = next(t for t in programme().editions["2015"].targets if t.row_no == 108)
    made = changed(own, SECOND)
    assert (made.target_year, made.target_value, made.baseline_value) == (2021, 1300.0, own.baseline_value)
    assert made.scope_note.startswith(own.scope_note) and made.scope_note.endswith(basis_of(SECOND))


def test_progress_by_both_versions() -> None:
    shipped = programme()
    edition = replace(shipped.editions["2015"], target_changes=(FIRST,))
    source = replace(shipped, editions={**shipped.editions, "2015": edition})
    parks = pl.DataFrame({"park": ["LBBY", "LBGX", "LBJJ", "LBXQ"], "K04": [Decimal("1650000.00")] * 4})
    cells = targets_progress(PeriodData(Period(2016), {}, parks), source).cells.filter(indicator="LB.108")
    found = dict(cells.select("measure", "value").iter_rows())
    assert (found["target"], found["target_planned"], found["actual"]) == (1200, 1377, 660)
    assert found["completion"] == pytest.approx((660 - 552.4) / (1200 - 552.4) * 100)
    assert found["completion_planned"] == pytest.approx((660 - 552.4) / (1377 - 552.4) * 100)
    assert "示政发〔2016〕1号" in cells.filter(measure="target_planned")["note"][0]
    before = targets_progress(PeriodData(Period(2015), {}, parks), source).cells.filter(indicator="LB.108")
    assert before.filter(measure="target_planned").is_empty() and before.filter(measure="target")["value"][0] == 1377


@pytest.mark.parametrize(
    "row",
    [
        "108,2016-07-01,2020,1200,,中期调整",
        "108,2016-07-01,2020,1200,甲号,",
        "108,七月,2020,1200,甲号,乙",
        "108,2016-07-01,2020,多,甲号,乙",
    ],
)
def test_a_change_needs_a_document_a_reason_and_figures(tmp_path: Path, row: str) -> None:
    folder = tmp_path / "plans" / "changes"
    folder.mkdir(parents=True)
    (folder / "LB.csv").write_text(
        f"row_no,effective,target_year,target_value,document,reason\n{row}\n", encoding="utf-8"
    )
    with pytest.raises(DefinitionError):
        read_changes(tmp_path, None)


def test_changes_are_read_in_order_on_top_of_the_parent(tmp_path: Path) -> None:
    folder = tmp_path / "plans" / "changes"
    folder.mkdir(parents=True)
    (folder / "LB.csv").write_text(
        "row_no,effective,target_year,target_value,document,reason\n108,2018-07-01,2021,1300,示政发〔2018〕2号,再次调整\n",
        encoding="utf-8",
    )
    parent = replace(programme().editions["2015"], target_changes=(FIRST,))
    assert read_changes(tmp_path, parent) == (FIRST, SECOND)
