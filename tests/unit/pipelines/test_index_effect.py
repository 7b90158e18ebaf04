"""The effect on a park's index: figures put in for one unit, everything else as it was."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.index_effect import Altered, index_effects, with_figures
from pipelines.matters import what_matters
from pipelines.population import Population
from schemas.catalog import programme
from schemas.errors import RefusalError
from schemas.period import Period
from schemas.period_data import PeriodData
from tests.paper_office import firm, paper_office

EDITION = programme().editions["2015"]
DATA = PeriodData(
    Period(2015),
    {
        "enterprise": pl.DataFrame(
            {
                "unit_id": ["a", "b"],
                "park": ["P", "P"],
                "F01": [100, 200],
                "P02": [5, None],
                "answer_status": ["0", "3"],
            }
        )
    },
    pl.DataFrame({"park": ["P", "Q"], "K04": [10, 20]}),
)


def test_figures_of_one_unit_are_put_in_as_the_indicator_is_rounded() -> None:
    changed = with_figures(DATA, EDITION, "a", {"F01": 61.6, "P02": 4.4}).rosters["enterprise"]
    assert changed.rows() == [("a", "P", 62, 4, "0"), ("b", "P", 200, None, "3")]
    assert changed.schema == DATA.rosters["enterprise"].schema


def test_a_missing_unit_is_put_in_as_if_it_had_answered() -> None:
    changed = with_figures(DATA, EDITION, "b", {"P02": 7.0}, answered=True).rosters["enterprise"]
    assert changed.rows() == [("a", "P", 100, 5, "0"), ("b", "P", 200, 7, "0")]


def test_a_figure_of_the_park_itself() -> None:
    changed = with_figures(DATA, EDITION, "Q", {"K04": 25.0})
    assert changed.parks["K04"].to_list() == [10, 25] and changed.rosters == DATA.rosters


def test_an_altered_population_changes_one_period_only(tmp_path: Path) -> None:
    class Given(Population):
        def bare(self, period: Period) -> PeriodData:
            return DATA

    base = Given(None, programme())  # type: ignore[arg-type]
    other = Altered(
        None, programme(), base=base, target=Period(2015), change=lambda d: with_figures(d, EDITION, "a", {"F01": 1.0})  # type: ignore[arg-type]
    )  # fmt: skip
    assert other.bare(Period(2015)).rosters["enterprise"]["F01"].to_list() == [1, 200]
    assert other.bare(Period(2014)).rosters["enterprise"]["F01"].to_list() == [100, 200]


def test_a_quarter_has_no_effect_on_the_annual_index(tmp_path: Path) -> None:
    made = paper_office(tmp_path / "home", {"LBGX": ["A1"]})
    made.file("LBGX", Period(2015, 1), {"A1": firm(5)}, upto="reported")
    with pytest.raises(RefusalError, match="按年计算"):
        index_effects(made.office, what_matters(made.office, Period(2015, 1)))
