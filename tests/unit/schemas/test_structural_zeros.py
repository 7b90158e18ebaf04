"""Structural zeros: who is not asked counts as zero in R&D and industrial figures, and is out of scope elsewhere."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.index_zeros import resting_on_zeros
from pipelines.methods.areas import areas_of
from schemas.catalog import programme
from schemas.environment import environment_for
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.polars_target import aggregate, structural_zeros, with_structural_zeros

ENV = environment_for(programme("park"), Period.parse("2025"))
UNITS = pl.DataFrame(
    {
        # an industrial unit, a trader without R&D, a trader with R&D cost, a trader that refused, one of unknown industry
        "park": ["A"] * 5,
        "B07": ["3911", "5111", "5111", "5111", None],
        "B11": [True, False, False, False, None],
        "B16": [False, False, False, False, None],
        "B19": [False, False, False, False, None],
        "F01": [100, 200, 300, None, 400],
        "F07": [None, None, 5, None, None],
        "R04": [None, None, 7, None, None],
        "R04_yoy": [None, None, None, None, None],
        "O01": [90, None, None, None, None],
        "L05": [3, None, None, None, None],
        "N22": [None, None, None, None, None],
        "P02": [20, 5, 5, None, 5],
        "answer_status": ["0", "0", "0", "2", "0"],
    },
    schema_overrides=dict.fromkeys(("F07", "R04", "R04_yoy", "O01", "L05", "N22"), pl.Int64),
)


def test_zeros_stand_where_a_form_does_not_ask() -> None:
    filled = structural_zeros(UNITS, ENV)
    assert filled["R04"].to_list() == [None, 0, 7, None, None]
    assert filled["O01"].to_list() == [90, 0, 0, None, None]
    assert filled["L05"].to_list() == [3, None, None, None, None]  # energy_land: out of scope, not zero
    assert filled["N22"].to_list() == [None] * 5
    assert filled["F07"].to_list() == [None, None, 5, None, None]  # finance asks everybody
    assert filled.columns == UNITS.columns
    assert filled.schema == UNITS.schema


def test_a_lagged_figure_follows_the_condition_of_its_own_period() -> None:
    assert structural_zeros(UNITS, ENV)["R04_yoy"].to_list() == [None, 0, None, None, None]
    with_last_year = UNITS.with_columns(B16_yoy=pl.Series([None, True, False, None, None], dtype=pl.Boolean))
    assert structural_zeros(with_last_year, ENV)["R04_yoy"].to_list() == [None, None, None, None, None]


def test_a_reported_figure_is_never_touched() -> None:
    reported = UNITS.with_columns(R04=pl.Series([1, 2, 3, 4, 5]))
    assert structural_zeros(reported, ENV)["R04"].to_list() == [1, 2, 3, 4, 5]


def test_an_indicator_rests_on_structural_zeros_where_its_figures_do() -> None:
    areas = areas_of(programme("park").codelists["parks"].valid(date(2025, 12, 31)))
    frame = UNITS.with_columns(
        park=pl.Series(["LBGX", "LBXQ", "LBGX", "LBGX", "LBGX"]), unit_id=pl.Series(list("abcde"))
    )
    asked = PeriodData(Period.parse("2025"), {"enterprise": frame}, pl.DataFrame(schema={"park": pl.String}))
    formulas = {"rd": "SUM(R04)/SUM(F01)*100", "output": "SUM(O01)/SUM(P02)", "rd_cost": "SUM(F07)/SUM(F01)"}
    found = resting_on_zeros(asked, with_structural_zeros(asked, ENV), formulas, areas, ["LBGX", "LBXQ", "LBSYQ"], ENV)
    told = {(area, name) for area, name, zeros in found.iter_rows() if zeros}
    # the trader b (LBXQ) has no R&D; b and c are no industrial units; of cost everybody is asked
    assert told == {("LBXQ", "rd"), ("LBSYQ", "rd"), ("LBXQ", "output"), ("LBGX", "output"), ("LBSYQ", "output")}


def test_the_share_of_rd_counts_traders_in_the_denominator() -> None:
    data = with_structural_zeros(PeriodData(Period.parse("2025"), {"enterprise": UNITS}), ENV)
    # units 2 and 3: (0 + 7) / (200 + 300); the industrial unit owes R04 and has not given it.
    assert aggregate("SUM(R04) / SUM(F01) * 100", data, [], ENV).values.item() == 7 / 500 * 100
    assert aggregate("SUM(O01) / SUM(F01)", data, [], ENV).values.item() == 90 / 600


def test_the_worked_example_of_the_method_page() -> None:
    """X02 of LBBY in the demo year 2016, its 29 units asked and 22 not asked each as one row (docs/methods/index.md)."""
    rows = {
        "park": ["LBBY", "LBBY"], "B07": ["3911", "5111"], "B11": [True, False], "B16": [False, False], "B19": [False, False],
        "F01": [984_996, 302_952], "F07": [None, None], "R04": [6_028, None], "answer_status": ["0", "0"],
    }  # fmt: skip
    plain = PeriodData(Period.parse("2025"), {"enterprise": pl.DataFrame(rows, schema_overrides={"F07": pl.Int64})})

    def x02(data: PeriodData) -> float:
        return round(float(aggregate("SUM(R04)/SUM(F01)*100", data, [], ENV).values.item()), 2)

    assert x02(with_structural_zeros(plain, ENV)) == 0.47
    assert x02(plain) == 0.61
