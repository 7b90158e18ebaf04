"""Imputed quarterly totals: a handful of enterprises, worked by hand (docs/methods/imputation.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from pipelines.imputing_quarters import monitoring_imputations
from pipelines.methods.monitoring import monitoring_figures
from pipelines.methods.monitoring_imputation import ImputationRules, imputations, with_imputations
from pipelines.methods.monitoring_sides import METHODS, MonitoringRound
from pipelines.methods.product import Product
from schemas.catalog import programme
from schemas.environment import environment_for
from schemas.period import Period
from schemas.period_data import PeriodData

PROGRAMME = programme()
PERIOD = Period.parse("2016-Q2")
EDITION = PROGRAMME.edition_for(PERIOD)
RULES = ImputationRules.of(EDITION)
COLUMNS = {
    "unit_id": pl.String, "park": pl.String, "B05": pl.String, "B07": pl.String, "B10": pl.String, "B10_yoy": pl.String,
    "B11": pl.Boolean, "answer_status": pl.String, "weight": pl.Float64, "imputed": pl.Boolean, "F01": pl.Int64,
    "F01_yoy": pl.Int64, "F01_prev": pl.Int64, "P01": pl.Int64, "P01_yoy": pl.Int64, "P01_prev": pl.Int64,
}  # fmt: skip
# Σ now 1,760 of Σ then 1,600 over the six that answered: every one of its class grew by a tenth.
ANSWERED = {"a": (110, 100), "b": (220, 200), "c": (330, 300), "d": (440, 400), "e": (550, 500), "f": (110, 100)}


def quarter(rows: list[dict[str, Any]]) -> PeriodData:
    plain = {"park": "LBXQ", "B07": "2710", "B10": "3", "answer_status": "0", "weight": 1.0, "imputed": False}
    full = [{**dict.fromkeys(COLUMNS), **plain, **row} for row in rows]
    frame = pl.DataFrame(full, schema=COLUMNS, orient="row")
    return PeriodData(PERIOD, {"enterprise": frame}, pl.DataFrame({"park": ["LBXQ"]}))


def answered() -> list[dict[str, Any]]:
    return [
        {"unit_id": u, "F01": now, "F01_yoy": then, "P01": 10, "P01_yoy": 10} for u, (now, then) in ANSWERED.items()
    ]


def silent(unit: str, **more: Any) -> dict[str, Any]:
    return {"unit_id": unit, "answer_status": "3", "B10": None, "B10_yoy": "3", **more}


DATA = quarter(
    [
        *answered(),
        silent("ratio", F01_yoy=200),
        silent("floored", F01_yoy=100, F01_prev=150),
        silent("newcomer", F01_prev=40),
        silent("unknown"),
        {"unit_id": "closed", "answer_status": "5", "F01_yoy": 999},
    ]
)


def found(data: PeriodData = DATA, **rules: Any) -> pl.DataFrame:
    own = replace(RULES, **rules)
    return imputations(data, {}, EDITION, environment_for(PROGRAMME, PERIOD), own)


def figures(data: PeriodData = DATA) -> Product:
    made = found(data)
    put = made.filter(pl.col("value").is_not_null()).select("unit_id", "indicator", "method")
    return monitoring_figures(MonitoringRound(with_imputations(data, made), imputed=put), PROGRAMME)


def cell(product: Product, measure: str, indicator: str = "F01", breakdown: str = "total", category: str = "T") -> Any:
    keys = {"area": "LBXQ", "indicator": indicator, "measure": measure, "breakdown": breakdown, "category": category}
    return product.cells.filter(**keys).row(0, named=True)


def test_each_silent_unit_by_hand() -> None:
    """ratio: 200 × 1,760 / 1,600 = 220. floored: 110 would be less than the 150 it reported for the first quarter.
    newcomer: no figure of last year; of the last quarter nobody gives a ratio and no donor: it stays unknown."""
    values = {r["unit_id"]: r for r in found().filter(indicator="F01").iter_rows(named=True)}
    assert values.keys() == {"ratio", "floored", "newcomer", "unknown"}
    assert (values["ratio"]["value"], values["ratio"]["method"], values["ratio"]["level"]) == (
        220,
        "ratio",
        "行业×规模",
    )
    assert values["floored"]["value"] == 150 and values["floored"]["base_of"] == "上年同期"
    assert values["newcomer"]["value"] is None is values["unknown"]["value"]
    assert values["ratio"]["is_single"] and values["ratio"]["by_donor"] == pytest.approx(220)


def test_a_newcomer_is_carried_from_the_last_quarter() -> None:
    """Σ F01 1,760 of Σ previous quarter 880 (half of it each): 40 × 2 = 80."""
    rows = [{**r, "F01_prev": r["F01"] // 2} for r in answered()]
    made = found(quarter([*rows, silent("newcomer", F01_prev=40)])).filter(indicator="F01")
    assert made.select("value", "method", "base_of").row(0) == (80, "ratio", "上季")


def test_totals_are_flagged_and_respondents_stand_beside() -> None:
    """1,760 answered + 220 + 150 = 2,130; the estimates are 370 of it, 17.37 %."""
    made = figures()
    total = cell(made, "cumulative")
    assert (total["value"], total["status"]) == (2130, "E")
    assert total["note"] == "含2户估算数(同类比率2户),另有2户未报、无从估算"
    assert (cell(made, "cumulative_reported")["value"], cell(made, "cumulative_reported")["status"]) == (1760, "P")
    assert cell(made, "imputed_share")["value"] == pytest.approx(370 / 2130 * 100)
    assert (cell(made, "units_imputed")["value"], cell(made, "units_unknown")["value"]) == (2, 2)
    assert cell(made, "units_reported")["value"] == 6 and cell(made, "units_due")["value"] == 10
    # growth: restated with the estimates 2,130 / 1,900, of respondents 1,760 / 1,600
    assert cell(made, "growth_restated")["value"] == pytest.approx((2130 / 1900 - 1) * 100)
    assert (cell(made, "growth_restated")["status"], cell(made, "growth_reported")["status"]) == ("E", "P")
    assert cell(made, "growth_reported")["value"] == pytest.approx(10)
    # the silent units are placed where they last said they belong
    assert cell(made, "cumulative", breakdown="size", category="3")["value"] == 2130
    assert cell(made, "cumulative", breakdown="section", category="C")["status"] == "E"


def test_what_hides_a_single_silent_unit_stands_with_the_figures_of_respondents() -> None:
    """The total less the respondents is the estimate of two units: their sum is a part of both, so control sees n = 2."""
    made = figures()
    key = cell(made, "cumulative_reported")["row_key"]
    parts = {r["part"]: r["n"] for r in made.parts.filter(row_key=key).iter_rows(named=True)}
    assert parts == {"answered(SUM(F01))": 6, "imputed(SUM(F01))": 2}


def test_a_level_that_is_mostly_estimated_is_withheld() -> None:
    rows = [*answered(), silent("big", F01_yoy=2000)]
    made = figures(quarter(rows))
    withheld = cell(made, "cumulative")
    assert (withheld["value"], withheld["status"]) == (None, "M") and "不公布" in withheld["note"]
    assert cell(made, "cumulative_reported")["value"] == 1760
    assert cell(made, "imputed_share")["value"] == pytest.approx(2200 / 3960 * 100)
    # comparable units that answered hold 1,600 of 3,600: too little for a growth rate, whatever was put in
    assert cell(made, "growth_restated")["status"] == "M"


def test_growth_goes_by_the_share_of_those_who_answered() -> None:
    rows = [*answered(), silent("big", F01_yoy=700)]
    made = figures(quarter(rows))
    assert cell(made, "cumulative")["value"] == 1760 + 770
    assert cell(made, "growth_restated")["status"] == "M" and "不足规定" in cell(made, "growth_restated")["note"]


def test_with_everybody_answering_nothing_changes() -> None:
    data = quarter(answered())
    assert found(data).is_empty() and with_imputations(data, found(data)) is data
    plain = monitoring_figures(MonitoringRound(data), PROGRAMME)
    assert figures(data).cells.equals(plain.cells)
    assert plain.cells.filter(
        pl.col("measure").is_in(["imputed_share", "cumulative_reported", "units_imputed"])
    ).is_empty()


def test_the_edition_decides() -> None:
    assert RULES.enabled
    assert found(enabled=False).is_empty()
    assert not ImputationRules.of(replace(EDITION, parameters={})).enabled
    assert found(others=("confirmed",), one_by_one=("confirmed",))["value"].null_count() == found().height


def test_a_confirmed_value_goes_before_all() -> None:
    known = pl.DataFrame({"unit_id": ["ratio", "unknown"], "indicator": ["F01", "F01"], "value": [300.0, 7.0]})
    made = imputations(DATA, {}, EDITION, environment_for(PROGRAMME, PERIOD), RULES, known).filter(indicator="F01")
    values = dict(made.select("unit_id", "value").iter_rows())
    assert (values["ratio"], values["unknown"]) == (300, 7)
    assert made.filter(unit_id="unknown")["method"][0] == "confirmed"


def test_a_discrete_quarter_after_an_estimated_one_is_flagged() -> None:
    before = quarter([{"unit_id": "a", "F01": 50}, {"unit_id": "b", "F01": 90, "imputed": True, "answer_status": "3"}])
    before = replace(before, period=Period.parse("2016-Q1"))
    now = quarter([{"unit_id": "a", "F01": 110, "F01_yoy": 100}, {"unit_id": "b", "F01": 200, "F01_yoy": 180}])
    made = monitoring_figures(MonitoringRound(now, previous=before, previous_published=before), PROGRAMME)
    assert (cell(made, "discrete_quarter")["value"], cell(made, "discrete_quarter")["status"]) == (170, "E")
    assert cell(made, "cumulative")["status"] == "P"


def test_the_internal_list_names_method_and_proposals() -> None:
    listed = monitoring_imputations(found(), PROGRAMME, PERIOD).cells.filter(indicator="F01", category="ratio")
    values = dict(listed.select("measure", "value").iter_rows())
    assert values["imputed_value"] == 220 and values["by_donor"] == pytest.approx(220)
    note = listed.filter(measure="imputed_value")["note"][0]
    assert note == "同类比率,上年同期为底,行业×规模,逐户估算"
    missing = monitoring_imputations(found(), PROGRAMME, PERIOD).cells.filter(category="unknown", indicator="F01")
    assert missing["status"].to_list() == ["M"]


def test_methods_of_a_round_have_one_shape() -> None:
    assert MonitoringRound(DATA).imputed.schema == METHODS
