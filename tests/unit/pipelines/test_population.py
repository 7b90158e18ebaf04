"""The population at the edges of what is on file."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest

from pipelines.population import Population
from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.period import Period
from schemas.period_data import PeriodData
from warehouse import facts

BEFORE = Period(2012, 4)


def test_before_the_first_edition_there_is_nothing_and_the_first_periods_can_be_computed() -> None:
    of = programme()
    with pytest.raises(DefinitionError, match="2012-Q4"):
        of.edition_for(BEFORE)
    with duckdb.connect() as con:
        facts.create(con, of)
        population = Population(con, of)
        assert not population.has(BEFORE) and population.at(2012) is None
        for first in (Period(2013, 1), Period(2013)):  # they look a year back
            assert not population.has(first)
            assert population.of(first).rosters["enterprise"].is_empty()


def test_a_unit_whose_report_has_gone_back_is_no_longer_answered() -> None:
    """Its status was recorded when its park reported; without figures in force it is one that could not be reached."""
    of, period = programme(), Period(2016, 2)
    register = pl.DataFrame(
        {"unit_id": ["a", "b", "c"], "park": ["LBXQ"] * 3, "sub_park": [None] * 3, "status": [0, 2, None]},
        schema={"unit_id": pl.String, "park": pl.String, "sub_park": pl.String, "status": pl.Int64},
    )
    with duckdb.connect() as con:
        facts.create(con, of)
        roster = Population(con, of, register=lambda _: register).bare(period).rosters["enterprise"]
    assert dict(roster.select("unit_id", "answer_status").iter_rows()) == {"a": "3", "b": "2", "c": "3"}


def test_a_quarter_takes_the_size_of_the_newest_annual_report_and_never_of_quarterly_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a first quarter the report of the year before is not in: the year before that counts; the newcomer has no size."""
    of = programme()
    sizes = {2015: {"both": "3", "new": "4"}, 2014: {"both": "2", "old": "1"}, 2013: {"older": "1"}}

    def annual(_: Population, period: Period) -> PeriodData:
        known = sizes.get(period.year, {})
        roster = pl.DataFrame(
            {"unit_id": list(known), "B10": list(known.values())}, schema_overrides={"B10": pl.String}
        )
        return PeriodData(period, {"enterprise": roster}, pl.DataFrame({"park": ["LBXQ"]}))

    monkeypatch.setattr(Population, "bare", annual)
    units = ["both", "new", "old", "older", "newcomer"]
    frame = pl.DataFrame({"unit_id": units, "park": ["LBXQ"] * 5, "F01": [1] * 5, "B10": ["2"] * 5})
    with duckdb.connect() as con:
        period = Period(2016, 1)
        found = Population(con, of)._derived(frame, of.edition_for(period), "enterprise", period)
    expected = {"both": "3", "new": "4", "old": "1", "older": None, "newcomer": None}
    assert dict(found.select("unit_id", "B10").iter_rows()) == expected
