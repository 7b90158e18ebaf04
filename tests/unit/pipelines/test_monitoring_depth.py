"""Early estimates and diagnosis cards of a round, on a handful of enterprises."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipelines.methods.monitoring_diagnosis import DiagnosisPlan, monitoring_diagnosis, unit_figures
from pipelines.methods.monitoring_early import monitoring_estimates
from pipelines.methods.monitoring_series import monitoring_series
from pipelines.methods.monitoring_sides import MonitoringRound
from pipelines.methods.product import Product
from schemas.catalog import programme
from schemas.marts import MARTS
from schemas.period import Period
from schemas.period_data import PeriodData

PARK_PROGRAMME = programme()
COLUMNS = {
    "unit_id": pl.String, "park": pl.String, "B07": pl.String, "B10": pl.String, "answer_status": pl.String,
    "weight": pl.Float64, "imputed": pl.Boolean, "F01": pl.Int64, "F01_yoy": pl.Int64,
}  # fmt: skip


def quarter(period: str, figures: dict[str, int | None], earlier: dict[str, int] | None = None) -> PeriodData:
    rows = [
        {
            "unit_id": unit, "park": "LBXQ", "B07": "2710", "B10": "3", "answer_status": "0" if value is not None else "3",
            "weight": 1.0, "imputed": False, "F01": value, "F01_yoy": (earlier or {}).get(unit),
        }
        for unit, value in figures.items()
    ]  # fmt: skip
    parks = pl.DataFrame({"park": ["LBXQ"]}, schema={"park": pl.String})
    return PeriodData(Period.parse(period), {"enterprise": pl.DataFrame(rows, schema=COLUMNS, orient="row")}, parks)


def value(product: Product, measure: str, **keys: Any) -> Any:
    found = product.cells.filter(measure=measure, **{"area": "LBXQ", "indicator": "F01", **keys})
    assert found.height == 1, (measure, keys)
    return found["value"][0]


def test_an_early_estimate_of_a_round_and_its_replays() -> None:
    """Everybody grows by a tenth a year: the silent unit is 1.1 × its earlier figure, all replays hit, 7 are on file."""
    base = {"a": 1000, "b": 2000, "c": 3000, "d": 500, "e": 700, "f": 900}
    rounds = []
    for year in range(2020, 2015, -1):
        for q in (2, 1):
            scale = 11 ** (year - 2016) * 10 ** (2020 - year) * q
            figures: dict[str, int | None] = {u: v * scale for u, v in base.items()}
            if (year, q) == (2020, 2):
                figures["c"] = None
            rounds.append(quarter(f"{year}-Q{q}", figures))
    made = monitoring_estimates(rounds, PARK_PROGRAMME)
    truth = sum(base.values()) * 11**4 * 2
    assert value(made, "early_estimate") == pytest.approx(truth)
    assert value(made, "early_lower") == pytest.approx(truth) == value(made, "early_upper")
    assert value(made, "early_nominal") == pytest.approx(100 * 7 / 8)
    assert value(made, "early_achieved") == 100
    assert value(made, "early_imputed_share") == pytest.approx(3000 / 8100 * 100)
    estimate = made.cells.filter(measure="early_estimate", area="LBXQ", indicator="F01").row(0, named=True)
    assert estimate["status"] == "E" and "已报5户,应报6户" in estimate["note"] and "回放3个季度" in estimate["note"]


def test_without_a_year_before_there_is_a_reason() -> None:
    made = monitoring_estimates([quarter("2020-Q1", {"a": 5, "b": None})], PARK_PROGRAMME)
    found = made.cells.filter(measure="early_estimate", area="LBXQ", indicator="F01").row(0, named=True)
    assert found["status"] == "M" and found["value"] is None and "没有上年同期" in found["note"]


NOW = {"a": 110, "b": 220, "c": 330, "d": 440, "e": 550, "far": 900}
BEFORE = {"a": 100, "b": 200, "c": 300, "d": 400, "e": 500, "far": 100}


def test_industry_cards_by_hand() -> None:
    """CR4 of 2,550: 900 + 550 + 440 + 330 = 2,220; six of six grew; the median growth is 10 %."""
    made = monitoring_diagnosis(MonitoringRound(quarter("2020-Q1", {**NOW}, BEFORE)), PARK_PROGRAMME)
    keys = {"table": "industries", "breakdown": "section", "category": "C"}
    assert value(made, "concentration_cr4", **keys) == pytest.approx(2220 / 2550 * 100)
    assert value(made, "growth_median", **keys) == pytest.approx(10)
    assert value(made, "diffusion", **keys) == 100
    assert value(made, "share_shift", **keys) == pytest.approx(0)
    assert "6户可比单位中6户增长" in made.cells.filter(measure="diffusion", breakdown="section")["note"][0]


def test_enterprise_cards_name_the_one_that_lies_far_off() -> None:
    made = monitoring_diagnosis(MonitoringRound(quarter("2020-Q1", {**NOW}, BEFORE)), PARK_PROGRAMME)
    keys = {"table": "units", "breakdown": "unit", "category": "far"}
    assert value(made, "unit_growth", **keys) == pytest.approx(800)
    assert value(made, "unit_points", **keys) == pytest.approx(800 / 1600 * 100)
    card = made.cells.filter(measure="unit_growth", category="far", area="LBXQ").row(0, named=True)
    assert "远高于同行业" in card["note"]
    assert MARTS["monitoring_diagnosis"].is_internal and MARTS["monitoring_estimates"].is_internal


def test_only_the_largest_and_the_far_have_a_card() -> None:
    rows = [("LBXQ", "zone", u, "C", "F01", float(NOW[u]), float(BEFORE[u])) for u in NOW]
    frame = pl.DataFrame(rows, schema=["area", "kind", "unit_id", "section", "indicator", "now", "base"], orient="row")
    found = unit_figures(frame, DiagnosisPlan(("F01",), 1, 3.5))
    assert sorted(found["unit_id"]) == ["e", "far"]


def seasons(years: range) -> list[PeriodData]:
    """Two units, growth 5 % a year restated, the last quarter of a year twice the others; newest first."""
    rounds = []
    for year in years:
        total = 0
        for q in range(1, 5):
            total += (2 if q == 4 else 1) * 1000 * (year - 2000)
            figures: dict[str, int | None] = {"a": total, "b": 2 * total}
            rounds.append(quarter(f"{year}-Q{q}", figures, {u: round((v or 0) / 1.05) for u, v in figures.items()}))
    return rounds[::-1]


def test_a_quarter_in_its_series() -> None:
    """Chain over two years: 1.05² = 110.25. Adjusted, the fourth quarter falls back to about the size of the others."""
    made = monitoring_series(seasons(range(2018, 2021)), PARK_PROGRAMME)
    assert value(made, "chained_index") == pytest.approx(110.25, abs=0.01)
    assert 60_000 < value(made, "adjusted_quarter") < 95_000  # as filed 120,000
    row = made.cells.filter(measure="adjusted_quarter", area="LBXQ", indicator="F01").row(0, named=True)
    assert "不足 5 年" in row["note"] and row["status"] == "P"


def test_a_short_series_is_refused_in_the_note() -> None:
    made = monitoring_series(seasons(range(2019, 2021)), PARK_PROGRAMME)
    row = made.cells.filter(measure="adjusted_quarter", area="LBXQ", indicator="F01").row(0, named=True)
    assert row["value"] is None and "少于 3 个整年" in row["note"]
    holes = [d for d in seasons(range(2018, 2021)) if str(d.period) != "2019-Q4"]
    gap = monitoring_series(holes, PARK_PROGRAMME)
    assert value(gap, "chained_index") is None
    assert "缺期" in gap.cells.filter(measure="adjusted_quarter", area="LBXQ", indicator="F01")["note"][0]
