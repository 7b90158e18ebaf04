"""Revision of the fourth quarter's preliminary figures by the annual ones."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.methods import monitoring_sides
from pipelines.methods.revisions import monitoring_revisions
from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.period import Period
from schemas.period_data import PeriodData

SCHEMA = {"unit_id": pl.String, "park": pl.String, "F01": pl.Int64, "F13": pl.Int64, "L01": pl.Decimal(18, 2)}


def data(period: str, rows: list[dict[str, Any]], **gdp: int | None) -> PeriodData:
    frame = pl.DataFrame([{**dict.fromkeys(SCHEMA), **r} for r in rows], schema=SCHEMA, orient="row")
    parks = pl.DataFrame({"park": list(gdp), "K05": list(gdp.values())}, schema={"park": pl.String, "K05": pl.Int64})
    return PeriodData(Period.parse(period), {"enterprise": frame}, parks)


QUARTER = data("2015-Q4", [
    {"unit_id": "a", "park": "LBXQ", "F01": 1000, "F13": -10},
    {"unit_id": "b", "park": "LBXQ", "F01": 500, "F13": 5},
    {"unit_id": "d", "park": "LBGX", "F01": 400},
], LBXQ=10, LBGX=4)  # fmt: skip
YEAR = data("2015", [
    {"unit_id": "a", "park": "LBXQ", "F01": 1060, "F13": -10},
    {"unit_id": "b", "park": "LBXQ", "F01": 500, "F13": 8},
    {"unit_id": "c", "park": "LBXQ", "F01": 90},  # reported for the year only
], LBXQ=11, LBGX=None)  # fmt: skip
PRODUCT = monitoring_revisions(YEAR, QUARTER, programme())


def value(area: str, indicator: str, measure: str) -> Any:
    rows = PRODUCT.cells.filter(area=area, indicator=indicator, measure=measure, breakdown="total")
    assert rows.height == 1
    return rows["value"][0]


def test_portions_of_indicators_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring_sides, "ROWS_AT_ONCE", 2 * YEAR.rosters["enterprise"].height)
    again = monitoring_revisions(YEAR, QUARTER, programme())
    assert_frame_equal(again.cells, PRODUCT.cells)
    assert_frame_equal(again.parts, PRODUCT.parts)


def test_difference_and_percent_of_preliminary_to_final() -> None:
    assert [value("LBXQ", "F01", m) for m in ("preliminary", "final", "revision")] == [1500, 1650, 150]
    assert value("LBXQ", "F01", "revision_pct") == pytest.approx(10.0)
    assert [value("LBXQ", "K05", m) for m in ("preliminary", "final", "revision")] == [10, 11, 1]


def test_no_percentage_of_a_preliminary_figure_that_is_not_positive() -> None:
    row = PRODUCT.cells.filter(area="LBXQ", indicator="F13", measure="revision_pct", breakdown="total").row(
        0, named=True
    )
    assert (value("LBXQ", "F13", "revision"), row["value"], row["note"]) == (
        3, None, "快报数为零或为负,不计算修订幅度",
    )  # fmt: skip


def test_what_one_round_lacks_is_missing_and_says_which() -> None:
    row = PRODUCT.cells.filter(area="LBGX", indicator="F01", measure="final", breakdown="total").row(0, named=True)
    assert (row["value"], row["status"], row["note"]) == (None, "M", "年报没有报送")
    assert value("LBSYQ", "K05", "final") is None  # one member park did not report


def test_mean_absolute_revision() -> None:
    # LBXQ: F01 10 %, K05 10 %; F13 has no percentage
    assert value("LBXQ", "mean", "mean_absolute_revision") == pytest.approx(10.0)


def test_a_revision_carries_the_units_that_changed() -> None:
    parts = PRODUCT.parts.filter(row_key="LBXQ|total|T|F01|revision")
    rows = {p: (n, m) for p, n, m in parts.select("part", "n", "max1").iter_rows()}
    assert rows == {"revision(F01)": (2, 90.0), "SUM(F01)": (3, 1060.0), "q4(SUM(F01))": (2, 1000.0)}


def test_only_a_year_and_its_own_fourth_quarter_are_compared() -> None:
    with pytest.raises(DefinitionError, match="不是同一年"):
        monitoring_revisions(YEAR, data("2014-Q4", []), programme())


def test_who_did_not_answer_is_said_of_the_figure_that_lacks_them() -> None:
    def silent(of: PeriodData, *units: str) -> PeriodData:
        roster = of.rosters["enterprise"].with_columns(answer_status=pl.lit("0"))
        rows = [{"unit_id": u, "park": "LBXQ", "answer_status": "2"} for u in units]
        more = pl.DataFrame(rows, schema={"unit_id": pl.String, "park": pl.String, "answer_status": pl.String})
        return PeriodData(of.period, {"enterprise": pl.concat([roster, more], how="diagonal")}, of.parks)

    made = monitoring_revisions(silent(YEAR, "x", "y"), silent(QUARTER, "x"), programme()).cells
    notes = {(r["area"], r["measure"]): r["note"] for r in made.filter(indicator="F01", breakdown="total").to_dicts()}
    assert notes["LBXQ", "final"] == "未含2个未报单位" and notes["LBXQ", "preliminary"] == "未含1个未报单位"
    assert (
        notes["LBXQ", "revision"]
        == "年报数未含2个未报单位,四季度快报数未含1个未报单位"
        == notes["LBSYQ", "revision_pct"]
    )
    assert notes["LBGX", "preliminary"] == "" and notes["LBGX", "final"] == "年报没有报送"
    assert set(PRODUCT.cells.filter(pl.col("value").is_not_null(), pl.col("indicator") != "mean")["note"]) == {""}
