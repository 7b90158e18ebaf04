"""Observation status E: one definition, from the rows of a year to levels, totals, intervals and places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import polars as pl
import pytest

from pipelines.index_values import index_values
from pipelines.methods.areas import areas_of
from pipelines.methods.estimates import Estimates, places_with_estimates, status_over, years_read
from pipelines.methods.index.cells import score_cells
from pipelines.methods.index.chain_uncertainty import UncertaintyPlan, interval_cells
from pipelines.methods.index.development import development_chains
from pipelines.population import Population
from schemas.catalog import programme
from schemas.environment import environment_for
from schemas.model import IndexIndicator, IndexSystem
from schemas.period import Period
from schemas.period_data import PeriodData

PROGRAMME = programme()
ENV = replace(environment_for(PROGRAMME, Period(2016)), plan_start=2014, stage=(2015, 2016))
AREAS = areas_of(PROGRAMME.codelists["parks"].valid(Period(2016).end))
ZONES = ("LBGX", "LBXQ")


def year(number: int, put_in: str = "", weight: float = 1.0) -> PeriodData:
    """Two enterprises in each of two zones; in the zone ``put_in`` the second is an estimate; ``weight`` of those of LBXQ."""
    rows = [
        {"unit_id": f"{zone}{n}", "park": zone, "sub_park": None, "B07": "3421", "F01": number - 2000 + n, "P01": 10 * n, "answer_status": "0",
         "imputed": zone == put_in and n == 2, "weight": weight if zone == "LBXQ" else 1.0}
        for zone in ZONES
        for n in (1, 2)
    ]  # fmt: skip
    kinds = {"sub_park": pl.String, "imputed": pl.Boolean, "weight": pl.Float64}
    parks = pl.DataFrame({"park": list(ZONES), "K04": [100, 200], "K26": [number - 2010, 7]})
    return PeriodData(Period(number), {"enterprise": pl.DataFrame(rows, schema_overrides=kinds)}, parks)


def test_the_worst_status_of_what_a_figure_is_made_of_counts() -> None:
    assert [status_over(s) for s in ([], ["A"], ["A", "P"], ["P", "E", "A"])] == ["A", "A", "P", "E"]


@pytest.mark.parametrize(
    ("formula", "years"),
    [
        ("SUM(F01)/SUM(P01)", {2016}),
        ("COUNT(INNO)", {2016}),
        ("K26/K04*100", set()),
        ("SUM(J06)", set()),
        ("SUM(F01)/K04-BASE(SUM(F01)/K04, 2014)", {2014, 2016}),
        ("CUM(SUM(F01))", {2014, 2015, 2016}),
        ("STAGE_DELTA(SUM(F01))", {2014, 2016}),
        ("yoy(SUM(F01))", {2016}),  # restated by those who report now
    ],
)
def test_a_formula_rests_on_the_enterprises_of_the_years_it_reads(formula: str, years: set[int]) -> None:
    assert set(years_read(formula, 2016, ENV)) == years


def test_who_is_put_in_or_stands_for_others_marks_the_areas_it_belongs_to() -> None:
    places = places_with_estimates(year(2016, "LBGX"))
    assert [places.touch(AREAS[a]) for a in ("LBGX", "LBXQ", "LBSYQ")] == [True, False, True]
    assert places_with_estimates(year(2016, weight=1.5)).touch(AREAS["LBXQ"])
    years = {2014: year(2014, "LBGX"), 2016: year(2016)}
    rests = Estimates(years.get)
    assert rests.behind("BASE(SUM(F01), 2014)", AREAS["LBSYQ"], 2016, ENV)
    assert not rests.behind("SUM(F01)", AREAS["LBSYQ"], 2016, ENV)
    assert not rests.behind("K26", AREAS["LBGX"], 2014, ENV)


class Years:
    """What ``index_values`` asks of a population, from three years in memory."""

    programme = PROGRAMME

    def __init__(self, *years: PeriodData) -> None:
        self.years = {y.period: y for y in years}

    def has(self, period: Period) -> bool:
        return period in self.years

    def bare(self, period: Period) -> PeriodData:
        return self.years[period]

    def edition(self, period: Period) -> Any:
        return PROGRAMME.edition_for(period)

    def zeroed(self, data: PeriodData) -> PeriodData:
        return data

    def once(self, key: Any, make: Any) -> Any:
        return (self.years[key[1]], pl.DataFrame()) if key[0] == "weights" else make()


ONE = IndexIndicator(
    "A1", "D1 资源", "甲", "%", "SUM(F01)/SUM(P01)", "positive", 1.0, "A", "growth", None, 0, 1, 50.0, ""
)
SYSTEM = IndexSystem(
    "t", "试", 2014,
    (ONE, replace(ONE, id="A2", formula="K26/K04*100"), replace(ONE, id="A3", dimension="D2 产出", window=2)), {},
)  # fmt: skip


def test_an_estimate_of_one_year_marks_moving_sums_growth_and_levels_from_then_on() -> None:
    years = Years(year(2013), year(2014), year(2015, "LBGX"), year(2016), year(2017))
    values, _ = index_values(cast(Population, years), SYSTEM, AREAS, ["LBGX", "LBXQ"], 2017)
    told = {(a, y, i): s for a, y, i, s in values.select("area", "year", "indicator", "status").iter_rows()}
    assert {key for key, status in told.items() if status == "E"} == {
        ("LBGX", 2015, "A1"), ("LBGX", 2015, "A3"), ("LBGX", 2016, "A3"),
    }  # fmt: skip
    chains = development_chains(values, SYSTEM)
    plan = UncertaintyPlan(draws=20)
    cells = pl.concat(
        [score_cells(chains, SYSTEM, {}), interval_cells(chains, SYSTEM, {}, plan)], how="diagonal_relaxed"
    )
    own = cells.filter(area="LBGX")

    def years_with_e(indicator: str, measure: str) -> list[int]:
        found = own.filter(indicator=indicator, measure=measure, status="E")
        return sorted(int(y) for y in found["period"])

    assert (years_with_e("A1", "value"), years_with_e("A1", "growth")) == ([2015], [2015, 2016])
    assert years_with_e("A1", "index") == [2015, 2016, 2017]  # the level is chained over the estimate
    assert years_with_e("A2", "index") == [] and years_with_e("A2", "contribution") == [2015, 2016, 2017]
    assert years_with_e("TOTAL", "index") == [2015, 2016, 2017]
    assert years_with_e("TOTAL", "growth") == [2015, 2016, 2017]  # the moving sums reach into 2017's base
    assert years_with_e("TOTAL", "index_lower") == [2015, 2016, 2017]
    assert cells.filter(area="LBXQ", status="E").is_empty()
    assert own.filter(measure="index_lower", period="2017")["value"].item() < own.filter(indicator="TOTAL", measure="index", period="2017")["value"].item()  # fmt: skip
