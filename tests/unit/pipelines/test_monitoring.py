"""Monitoring figures on a handful of enterprises, worked by hand, and the identities on any figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.methods import monitoring_sides
from pipelines.methods.monitoring import monitoring_figures
from pipelines.methods.monitoring_perimeter import monitoring_perimeter
from pipelines.methods.monitoring_sides import MonitoringRound, additive_indicators
from pipelines.methods.product import Product
from schemas.catalog import programme
from schemas.marts import MARTS
from schemas.period import Period
from schemas.period_data import PeriodData

PARK_PROGRAMME = programme()
ROSTER = {
    "unit_id": pl.String,
    "park": pl.String,
    "B05": pl.String,
    "B07": pl.String,
    "B10": pl.String,
    "answer_status": pl.String,
    "weight": pl.Float64,
    "imputed": pl.Boolean,
    "F01": pl.Int64,
    "F01_yoy": pl.Int64,
    "F13": pl.Int64,
    "F13_yoy": pl.Int64,
    "P01": pl.Int64,
    "P01_yoy": pl.Int64,
}


def roster(rows: list[dict[str, Any]]) -> pl.DataFrame:
    plain = {"park": "LBXQ", "B07": "2710", "B10": "3", "answer_status": "0", "weight": 1.0, "imputed": False}
    full = [{**dict.fromkeys(ROSTER), **plain, **row} for row in rows]
    return pl.DataFrame(full, schema=ROSTER, orient="row")


def quarter(period: str, rows: list[dict[str, Any]], **parks: int | None) -> PeriodData:
    sheet = pl.DataFrame(
        {"park": list(parks), "K05": list(parks.values())}, schema={"park": pl.String, "K05": pl.Int64}
    )
    return PeriodData(Period.parse(period), {"enterprise": roster(rows)}, sheet)


def value(
    product: Product, area: str, indicator: str, measure: str, breakdown: str = "total", category: str = "T"
) -> Any:
    found = product.cells.filter(
        area=area, indicator=indicator, measure=measure, breakdown=breakdown, category=category
    )
    assert found.height == 1, (area, indicator, measure, breakdown, category)
    return found["value"][0]


def cell(
    product: Product, area: str, indicator: str, measure: str, breakdown: str = "total", category: str = "T"
) -> Any:
    return product.cells.filter(
        area=area, indicator=indicator, measure=measure, breakdown=breakdown, category=category
    ).row(0, named=True)


NOW = quarter(
    "2016-Q2",
    [
        {"unit_id": "a", "F01": 1100, "F01_yoy": 1000, "F13": -50, "F13_yoy": 100, "P01": 10, "P01_yoy": 10},
        {"unit_id": "b", "F01": 600, "F01_yoy": 500, "F13": 30, "F13_yoy": -20, "P01": 20, "P01_yoy": 25, "B07": "6510"},
        # entered this year: last year's figure stands in the 上年同期 column only
        {"unit_id": "new", "F01": 300, "F01_yoy": 200, "P01": 5, "P01_yoy": 0, "park": "LBGX"},
        {"unit_id": "c", "F01": 400, "F01_yoy": 400, "P01": 9, "P01_yoy": 9, "park": "LBGX"},
        {"unit_id": "refused", "answer_status": "2", "park": "LBGX"},
        {"unit_id": "closed", "answer_status": "5", "park": "LBGX", "F01": 999},
    ],
    LBXQ=10, LBGX=20,
)  # fmt: skip
YEAR_EARLIER = quarter(
    "2015-Q2",
    [
        {"unit_id": "a", "F01": 990, "P01": 10},  # corrected since: restated 1000
        {"unit_id": "b", "F01": 500, "P01": 25, "B07": "6510"},
        {"unit_id": "c", "F01": 400, "P01": 9, "park": "LBGX"},
        {"unit_id": "gone", "F01": 250, "P01": 3, "park": "LBGX"},
    ],
    LBXQ=8, LBGX=20,
)  # fmt: skip
FIRST = quarter(
    "2016-Q1",
    [
        {"unit_id": "a", "F01": 520, "P01": 10},  # revised: 500 was published
        {"unit_id": "b", "F01": 250, "P01": 20, "B07": "6510"},
        {"unit_id": "c", "F01": 180, "P01": 9, "park": "LBGX"},
        {"unit_id": "left", "F01": 70, "P01": 3, "park": "LBGX"},
    ],
    LBXQ=9, LBGX=20,
)  # fmt: skip
FIRST_PUBLISHED = replace(
    FIRST, rosters={"enterprise": FIRST.rosters["enterprise"].with_columns(F01=pl.col("F01").replace({520: 500}))}
)
ROUND = MonitoringRound(NOW, FIRST, FIRST_PUBLISHED, YEAR_EARLIER, YEAR_EARLIER)
FIGURES = monitoring_figures(ROUND, PARK_PROGRAMME)


def test_the_three_growth_rates_are_kept_apart() -> None:
    # restated: 2400 / (1000 + 500 + 200 + 400); matched: (1100 + 600 + 400) / (990 + 500 + 400); nominal: 2400 / 2140
    assert value(FIGURES, "LBSYQ", "F01", "cumulative") == 2400
    assert value(FIGURES, "LBSYQ", "F01", "year_earlier_restated") == 2100
    assert value(FIGURES, "LBSYQ", "F01", "year_earlier_matched") == 1890
    assert value(FIGURES, "LBSYQ", "F01", "year_earlier_published") == 2140
    assert value(FIGURES, "LBSYQ", "F01", "growth_restated") == pytest.approx((2400 / 2100 - 1) * 100)
    assert value(FIGURES, "LBSYQ", "F01", "growth_matched") == pytest.approx((2100 / 1890 - 1) * 100)
    assert value(FIGURES, "LBSYQ", "F01", "growth_nominal") == pytest.approx((2400 / 2140 - 1) * 100)


def test_a_discrete_quarter_runs_over_units_with_both_and_the_rest_is_perimeter() -> None:
    # a 580, b 350, c 220; the revision of a (+20) is a correction; new comes in with 300, left goes out with 70
    assert value(FIGURES, "LBSYQ", "F01", "discrete_quarter") == 580 + 350 + 220
    assert value(FIGURES, "LBSYQ", "F01", "correction") == 20
    assert value(FIGURES, "LBSYQ", "F01", "perimeter") == 300 - 70
    assert 2400 == 1000 + 20 + 1150 + 230
    assert value(FIGURES, "LBXQ", "F01", "perimeter") == 0
    assert value(FIGURES, "LBXQ", "F01", "correction") == 20


def test_a_first_quarter_is_its_own_discrete_quarter_and_has_no_correction() -> None:
    figures = monitoring_figures(MonitoringRound(FIRST), PARK_PROGRAMME)
    assert value(figures, "LBSYQ", "F01", "discrete_quarter") == 1020
    assert figures.cells.filter(pl.col("measure").is_in(["correction", "perimeter"])).is_empty()
    row = cell(figures, "LBSYQ", "F01", "growth_nominal")
    assert (row["value"], row["status"], row["note"]) == (None, "M", "上年同期未发布")


def test_stocks_have_no_discrete_quarter() -> None:
    measures = set(FIGURES.cells.filter(indicator="P01")["measure"])
    assert not measures & {"discrete_quarter", "correction", "perimeter"}
    assert cell(FIGURES, "LBSYQ", "P01", "cumulative")["measure_name"] == "期末数"


def test_growth_on_a_negative_base_is_missing_and_says_so() -> None:
    # LBXQ: 100 - 20 = 80 → -50 + 30 = -20; services: -20 → 30
    turned = cell(FIGURES, "LBXQ", "F13", "growth_restated")
    assert turned["value"] == pytest.approx(-125.0) and turned["note"] == "由正转负(转亏)"
    recovered = cell(FIGURES, "LBXQ", "F13", "growth_restated", "section", "I")
    assert recovered["value"] is None and recovered["status"] == "M"
    assert recovered["note"] == "由负转正(扭亏),不计算增速"


def test_contributions_add_up_to_the_growth_of_the_total() -> None:
    growth = value(FIGURES, "LBSYQ", "F01", "growth_restated")
    for breakdown in ("zone", "section", "size"):
        rows = FIGURES.cells.filter(area="LBSYQ", indicator="F01", breakdown=breakdown)
        assert rows.filter(measure="contribution_points")["value"].sum() == pytest.approx(growth)
        assert rows.filter(measure="contribution_rate")["value"].sum() == pytest.approx(100)
        assert rows.filter(measure="share")["value"].sum() == pytest.approx(100)


def test_divisions_are_those_of_manufacturing() -> None:
    rows = FIGURES.cells.filter(area="LBSYQ", indicator="F01", breakdown="division", measure="cumulative")
    assert rows.select("category", "category_name", "value").rows() == [("27", "医药制造业", 1800.0)]


def test_units_due_and_reported_follow_the_answer_status() -> None:
    assert value(FIGURES, "LBGX", "F01", "units_due") == 3  # new, c, refused; closed is outside the population
    assert value(FIGURES, "LBGX", "F01", "units_reported") == 2
    assert value(FIGURES, "LBGX", "F01", "coverage") == pytest.approx(200 / 3)
    assert cell(FIGURES, "LBGX", "F01", "units_due")["status"] == "A"


def test_quarterly_figures_are_preliminary_and_estimates_are_marked() -> None:
    assert cell(FIGURES, "LBXQ", "F01", "cumulative")["status"] == "P"
    estimated = NOW.rosters["enterprise"].with_columns(
        imputed=pl.col("unit_id") == "refused", F01=pl.when(pl.col("unit_id") == "refused").then(77).otherwise("F01")
    )
    figures = monitoring_figures(MonitoringRound(replace(NOW, rosters={"enterprise": estimated})), PARK_PROGRAMME)
    row = cell(figures, "LBGX", "F01", "cumulative")
    assert (row["value"], row["status"], row["note"]) == (777.0, "E", "含1户估算数")
    assert cell(figures, "LBXQ", "F01", "cumulative")["status"] == "P"
    assert value(figures, "LBGX", "F01", "units_reported") == 2


def test_sheet_figures_are_administrative_and_need_every_member() -> None:
    assert value(FIGURES, "LBSYQ", "K05", "cumulative") == 30
    key = cell(FIGURES, "LBSYQ", "K05", "cumulative")["row_key"]
    assert FIGURES.parts.filter(row_key=key)["administrative"].to_list() == [True]
    silent = replace(NOW, parks=NOW.parks.with_columns(K05=pl.when(pl.col("park") == "LBXQ").then(10)))
    row = cell(monitoring_figures(MonitoringRound(silent), PARK_PROGRAMME), "LBSYQ", "K05", "cumulative")
    assert (row["value"], row["status"], row["note"]) == (None, "M", "有园区未报送,不作合计")


def test_every_figure_of_a_roster_comes_with_what_stands_behind_it() -> None:
    parts = FIGURES.parts.filter(row_key="LBSYQ|total|T|F01|cumulative")
    assert parts.select("part", "role", "n", "max1", "max2", "total", "administrative").rows() == [
        ("SUM(F01)", "level", 4, 1100.0, 600.0, 2400.0, False)
    ]
    behind = FIGURES.parts.filter(row_key="LBSYQ|total|T|F01|perimeter", part="perimeter(F01)")
    assert behind.select("n", "max1", "max2", "total").row(0) == (2, 300.0, 70.0, 230.0)
    behind = FIGURES.parts.filter(row_key="LBSYQ|total|T|F01|correction", part="correction(F01)")
    assert behind.select("n", "max1").row(0) == (1, 20.0)  # one unit revised: its revision must not be published
    valued = FIGURES.cells.filter(pl.col("value").is_not_null())["row_key"]
    assert set(valued) == set(FIGURES.parts["row_key"].unique()) & set(valued)


def test_a_perimeter_in_which_nothing_changed_is_zero_to_the_last_digit() -> None:
    """7.6 - 6.29 - 1.31 is -4.4e-16 in Float64; a reader of the file must not take that for a unit that came or went."""

    def energy(period: str, figures: list[str]) -> PeriodData:
        data = quarter(period, [{"unit_id": u} for u in "abc"], LBXQ=1)
        values = pl.Series("L01", figures).cast(pl.Decimal(18, 2))
        return replace(data, rosters={"enterprise": data.rosters["enterprise"].with_columns(values)})

    now, before = energy("2016-Q2", ["2.04", "4.25", "1.31"]), energy("2016-Q1", ["0.15", "0.23", "0.93"])
    product = monitoring_figures(MonitoringRound(now, before, before), PARK_PROGRAMME)
    assert value(product, "LBXQ", "L01", "discrete_quarter") == 6.29
    assert value(product, "LBXQ", "L01", "perimeter") == 0
    assert value(product, "LBXQ", "L01", "correction") == 0


def test_a_unit_that_changes_its_industry_is_no_change_of_perimeter_of_the_area() -> None:
    moved = FIRST.rosters["enterprise"].with_columns(
        B07=pl.when(pl.col("unit_id") == "a").then(pl.lit("6510")).otherwise("B07")
    )
    round_ = replace(ROUND, previous=replace(FIRST, rosters={"enterprise": moved}))
    product = monitoring_figures(round_, PARK_PROGRAMME)
    assert value(product, "LBXQ", "F01", "perimeter") == 0
    assert product.parts.filter(row_key="LBXQ|total|T|F01|perimeter", part="perimeter(F01)").is_empty()
    inside = product.parts.filter(row_key="LBXQ|section|C|F01|perimeter", part="perimeter(F01)")
    assert inside.select("n", "max1").row(0) == (1, 520.0)


def test_growth_is_not_published_where_too_little_is_comparable() -> None:
    thin = NOW.rosters["enterprise"].with_columns(
        F01_yoy=pl.when(pl.col("unit_id") == "c").then("F01_yoy"), F01=pl.col("F01")
    )
    figures = monitoring_figures(MonitoringRound(replace(NOW, rosters={"enterprise": thin})), PARK_PROGRAMME)
    row = cell(figures, "LBSYQ", "F01", "growth_restated")
    assert row["value"] is None and "可比单位" in row["note"]


def test_ratios_come_from_the_programme() -> None:
    assert value(FIGURES, "LBXQ", "M02.profit", "ratio") == pytest.approx(-20 / 1700 * 100)
    assert value(FIGURES, "LBXQ", "M02.profit", "ratio_year_earlier") == pytest.approx(80 / 1500 * 100)
    change = value(FIGURES, "LBXQ", "M02.profit", "ratio_change")
    assert change == pytest.approx(-20 / 1700 * 100 - 80 / 1500 * 100)
    assert cell(FIGURES, "LBXQ", "M02.profit", "ratio_change")["unit_measure"] == "百分点"


def test_the_order_of_rows_changes_nothing() -> None:
    shuffled = replace(NOW, rosters={"enterprise": NOW.rosters["enterprise"].reverse()})
    again = monitoring_figures(replace(ROUND, now=shuffled), PARK_PROGRAMME)
    assert_frame_equal(again.cells, FIGURES.cells)
    assert_frame_equal(again.parts, FIGURES.parts)


def test_portions_of_indicators_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    edition = PARK_PROGRAMME.edition_for(NOW.period)
    monkeypatch.setattr(monitoring_sides, "ROWS_AT_ONCE", 2 * NOW.rosters["enterprise"].height)
    assert len(monitoring_sides.portions_of(NOW, edition)) > 3
    again = monitoring_figures(ROUND, PARK_PROGRAMME)
    assert_frame_equal(again.cells, FIGURES.cells)
    assert_frame_equal(again.parts, FIGURES.parts)


def test_without_entrants_and_exits_restated_is_matched() -> None:
    rows = [
        {"unit_id": "a", "F01": 1100, "F01_yoy": 1000},
        {"unit_id": "b", "F01": 500, "F01_yoy": 700},
    ]
    now = quarter("2016-Q2", rows)
    then = quarter("2015-Q2", [{"unit_id": r["unit_id"], "F01": r["F01_yoy"]} for r in rows])
    figures = monitoring_figures(MonitoringRound(now, None, None, then, then), PARK_PROGRAMME)
    rates = [value(figures, "LBXQ", "F01", f"growth_{g}") for g in ("restated", "matched", "nominal")]
    assert rates == [pytest.approx((1600 / 1700 - 1) * 100)] * 3


def test_a_late_entrant_that_reported_its_earlier_quarters_joins_the_discrete_quarter() -> None:
    late = NOW.rosters["enterprise"].with_columns(F01_prev=pl.when(pl.col("unit_id") == "new").then(100))
    figures = monitoring_figures(replace(ROUND, now=replace(NOW, rosters={"enterprise": late})), PARK_PROGRAMME)
    assert value(figures, "LBSYQ", "F01", "discrete_quarter") == 1150 + 200
    assert value(figures, "LBSYQ", "F01", "correction") == 20 + 100
    assert value(figures, "LBSYQ", "F01", "perimeter") == -70


def test_weights_enter_sums_and_the_identity_still_holds() -> None:
    heavy = NOW.rosters["enterprise"].with_columns(weight=pl.when(pl.col("unit_id") == "c").then(1.5).otherwise(1.0))
    figures = monitoring_figures(replace(ROUND, now=replace(NOW, rosters={"enterprise": heavy})), PARK_PROGRAMME)
    assert value(figures, "LBSYQ", "F01", "cumulative") == pytest.approx(2600)
    published = FIRST_PUBLISHED.rosters["enterprise"]["F01"].sum()
    pieces = sum(value(figures, "LBSYQ", "F01", m) for m in ("discrete_quarter", "correction", "perimeter"))
    assert published + pieces == pytest.approx(2600)


def test_every_additive_indicator_of_the_quarterly_forms_is_there() -> None:
    wanted = {i.code for found in additive_indicators(PARK_PROGRAMME.edition_for(NOW.period)).values() for i in found}
    assert {"F01", "O01", "P01", "V01", "L01", "J06", "H06", "K04"} <= wanted
    assert {"F01", "K05", "P01"} <= set(FIGURES.cells["indicator"])


def test_a_table_of_the_programme_says_which_measures_a_breakdown_has() -> None:
    divisions = set(FIGURES.cells.filter(breakdown="division")["measure"])
    assert divisions - {"units_unknown"} == {
        "cumulative",
        "discrete_quarter",
        "growth_restated",
        "contribution_points",
        "share",
    }
    assert "coverage" in set(FIGURES.cells.filter(breakdown="section")["measure"])


def test_a_figure_says_which_due_units_are_missing_from_it() -> None:
    """The unit that refused is missing from LBGX and from the area, in every figure of this quarter; LBXQ is complete."""
    missing = "未含1个未报单位"
    for area in ("LBGX", "LBSYQ"):
        assert value(FIGURES, area, "F01", "units_unknown") == 1
        for measure in ("cumulative", "discrete_quarter", "perimeter", "growth_restated", "growth_nominal"):
            assert missing in cell(FIGURES, area, "F01", measure)["note"], (area, measure)
    assert cell(FIGURES, "LBGX", "F01", "cumulative")["status"] == "P"
    assert missing in cell(FIGURES, "LBSYQ", "F01", "cumulative", "zone", "LBGX")["note"]
    assert cell(FIGURES, "LBSYQ", "F01", "correction")["note"] == ""  # of the quarter before
    whole = FIGURES.cells.filter(area="LBXQ", breakdown="total").filter(pl.col("note").str.contains("未报单位"))
    assert whole.is_empty() and FIGURES.cells.filter(area="LBXQ", measure="units_unknown").is_empty()


def test_a_ratio_says_who_is_missing_and_that_it_runs_over_common_units() -> None:
    rows = [
        {"unit_id": "a", "F01": 100, "F13": 10}, {"unit_id": "b", "F01": 300, "F13": 20}, {"unit_id": "c", "F01": 50},
        {"unit_id": "silent", "answer_status": "3", "park": "LBGX"},
        *({"unit_id": f"d{n}", "F01": 10, "F13": 1, "park": "LBGX"} for n in range(4)),
    ]  # fmt: skip
    made = monitoring_figures(MonitoringRound(quarter("2016-Q1", rows)), PARK_PROGRAMME)
    own, silent = (cell(made, area, "M02.profit", "ratio") for area in ("LBXQ", "LBGX"))
    assert (own["value"], own["note"]) == (7.5, "只含分子、分母都有数的单位")  # 30 of 400, not of 450
    assert (silent["value"], silent["note"]) == (10.0, "未含1个未报单位")  # the only reason is said once
    both = cell(made, "LBSYQ", "M02.profit", "ratio")
    assert both["note"] == "未含1个未报单位。只含分子、分母都有数的单位"  # c of the other park answered without F13


def test_a_blank_that_an_answering_unit_left_is_no_silence() -> None:
    data = quarter("2016-Q1", [{"unit_id": "a", "F01": 10}, {"unit_id": "b", "F01": 20, "P01": 3}])
    made = monitoring_figures(MonitoringRound(data), PARK_PROGRAMME)
    assert made.cells.filter(measure="units_unknown").is_empty()
    assert cell(made, "LBXQ", "P01", "cumulative")["note"] == ""


def test_a_growth_that_is_not_the_quotient_of_the_totals_says_why() -> None:
    """1,200 of 1,000 is no growth of a tenth: 1,100 / 1,000 is; the unit without a figure of last year is in the total only."""
    rows = [{"unit_id": "a", "F01": 1100, "F01_yoy": 1000}, {"unit_id": "entrant", "F01": 100}]
    made = monitoring_figures(MonitoringRound(quarter("2016-Q1", rows)), PARK_PROGRAMME)
    assert (value(made, "LBXQ", "F01", "cumulative"), value(made, "LBXQ", "F01", "year_earlier_restated")) == (
        1200,
        1000,
    )
    rows += [{"unit_id": f"c{n}", "F01": 10, "F01_yoy": 10, "B10": "4"} for n in range(4)]
    made = monitoring_figures(MonitoringRound(quarter("2016-Q1", rows)), PARK_PROGRAMME)
    found = cell(made, "LBXQ", "F01", "growth_restated")
    assert found["value"] == pytest.approx((1140 / 1040 - 1) * 100)
    assert found["note"] == "按同口径计算:只含两期都有数的单位,1个单位没有上年同期数、不在其内"
    assert cell(made, "LBXQ", "F01", "growth_restated", "size", "4")["note"] == ""
    points = cell(made, "LBXQ", "F01", "contribution_points", "size", "4")
    assert points["note"] == "按同口径增量计算:1个单位没有上年同期数、不在其内"
    matched = cell(FIGURES, "LBGX", "F01", "growth_matched")["note"]
    assert matched == "未含1个未报单位。按匹配单位计算:1个单位没有上年验收数、不在其内"


@given(st.lists(st.tuples(st.integers(0, 99), st.none() | st.integers(1, 99)), min_size=1, max_size=8))
@settings(max_examples=6, deadline=None)
def test_a_growth_without_a_note_is_the_quotient_of_the_totals_shown(units: list[tuple[int, int | None]]) -> None:
    rows = [{"unit_id": f"u{n}", "F01": now, "F01_yoy": base} for n, (now, base) in enumerate(units)]
    made = monitoring_figures(MonitoringRound(quarter("2016-Q1", rows)), PARK_PROGRAMME)
    shown, note = (cell(made, "LBXQ", "F01", "growth_restated")[c] for c in ("value", "note"))
    if shown is not None and "同口径" not in note:
        now, base = (value(made, "LBXQ", "F01", m) for m in ("cumulative", "year_earlier_restated"))
        assert shown == pytest.approx((now / base - 1) * 100)


UNIT = st.fixed_dictionaries(
    {
        "park": st.sampled_from(["LBXQ", "LBGX"]),
        "B07": st.sampled_from(["2710", "6510", "0111"]),
        "F01": st.one_of(st.none(), st.integers(0, 10**12)),
        "F01_yoy": st.one_of(st.none(), st.integers(0, 10**12)),
    }
)
ROSTERS = st.dictionaries(st.sampled_from([f"u{n}" for n in range(6)]), UNIT, max_size=6)


def of(period: str, units: dict[str, dict[str, Any]]) -> PeriodData:
    return quarter(period, [{"unit_id": u, **row} for u, row in units.items()], LBXQ=1, LBGX=1)


@given(ROSTERS, ROSTERS, ROSTERS)
@settings(deadline=None, max_examples=8)
def test_quarters_corrections_and_perimeter_telescope_in_every_cell(
    now: dict[str, Any], revised: dict[str, Any], published: dict[str, Any]
) -> None:
    round_ = MonitoringRound(of("2016-Q2", now), of("2016-Q1", revised), of("2016-Q1", published))
    figures = monitoring_figures(round_, PARK_PROGRAMME)
    printed = monitoring_figures(MonitoringRound(of("2016-Q1", published)), PARK_PROGRAMME)

    def sums(product: Product, *measures: str) -> dict[tuple[str, str, str], int]:
        rows = product.cells.filter(pl.col("measure").is_in(measures), indicator="F01").filter(
            pl.col("breakdown") != "division"
        )
        total: dict[tuple[str, str, str], int] = {}
        for area, breakdown, category, number in rows.select("area", "breakdown", "category", "value").iter_rows():
            total[area, breakdown, category] = total.get((area, breakdown, category), 0) + int(number or 0)
        return total

    whole, before = sums(figures, "cumulative"), sums(printed, "cumulative")
    pieces = sums(figures, "discrete_quarter", "correction", "perimeter")
    for key in whole.keys() | before.keys():
        assert whole.get(key, 0) == before.get(key, 0) + pieces.get(key, 0), key


@given(ROSTERS)
@settings(deadline=None, max_examples=8)
def test_contributions_of_any_roster_add_up_and_categories_sum_to_totals(now: dict[str, Any]) -> None:
    cells = monitoring_figures(MonitoringRound(of("2016-Q2", now)), PARK_PROGRAMME).cells.filter(indicator="F01")
    for area in ("LBSYQ", "LBXQ"):
        own = cells.filter(area=area)
        total = dict(own.filter(breakdown="total").select("measure", "value").iter_rows())
        for breakdown in set(own["breakdown"]) - {"total", "division"}:
            rows = own.filter(breakdown=breakdown)
            assert (rows.filter(measure="cumulative")["value"].sum() or 0) == (total.get("cumulative") or 0)
            points = rows.filter(measure="contribution_points")["value"]
            if points.len() and points.null_count() == 0 and total.get("growth_restated") is not None:
                assert points.sum() == pytest.approx(total["growth_restated"], rel=1e-9, abs=1e-6)


def test_what_the_unmatched_reported_stands_behind_the_growth_of_the_matched() -> None:
    """本年累计 − 上年同期(匹配) × (1 + 同比(匹配)) is the sum of the units without an accepted year earlier: one entrant's own figure
    unless disclosure control knows of it. Contributions give the comparable sum away in the same manner."""
    rows = [
        {"unit_id": "a", "F01": 1100, "F01_yoy": 1000},
        {"unit_id": "b", "F01": 500, "F01_yoy": 700},
        {"unit_id": "new", "F01": 653},
    ]
    then = quarter("2015-Q2", [{"unit_id": r["unit_id"], "F01": r["F01_yoy"]} for r in rows[:2]])
    figures = monitoring_figures(MonitoringRound(quarter("2016-Q2", rows), None, None, then, then), PARK_PROGRAMME)
    base, rate = (value(figures, "LBXQ", "F01", m) for m in ("year_earlier_matched", "growth_matched"))
    assert value(figures, "LBXQ", "F01", "cumulative") - base * (1 + rate / 100) == pytest.approx(653)

    def behind(measure: str, part: str, breakdown: str = "total|T") -> list[tuple[object, ...]]:
        row_key = f"LBXQ|{breakdown}|F01|{measure}"
        return figures.parts.filter(row_key=row_key, part=part).select("n", "max1", "total").rows()

    assert behind("growth_matched", "unmatched(SUM(F01))") == [(1, 653.0, 653.0)]
    for measure in ("growth_restated", "contribution_points", "contribution_rate"):
        assert behind(measure, "SUM(F01, isnull(yoy(F01)))", "section|C") == [(1, 653.0, 653.0)], measure


def causes(product: Product, table: str, area: str, indicator: str = "F01") -> dict[str, float]:
    found = product.cells.filter(table=table, area=area, indicator=indicator)
    return dict(found.select("measure", "value").iter_rows())


def test_the_perimeter_is_taken_apart_by_what_became_of_the_units() -> None:
    made = monitoring_perimeter(ROUND, PARK_PROGRAMME)
    assert causes(made, "quarter", "LBGX") == {
        "continuing": 220, "continuing_units": 1, "entry": 300, "entry_units": 1, "exit": -70, "exit_units": 1,
    }  # fmt: skip
    assert causes(made, "quarter", "LBXQ") == {"continuing": 930, "continuing_units": 2}
    assert causes(made, "year", "LBGX") == {
        "continuing": 0, "continuing_units": 1, "entry": 300, "entry_units": 1, "exit": -250, "exit_units": 1,
    }  # fmt: skip
    assert causes(made, "year", "LBSYQ")["continuing"] == 210  # 1,100 and 600 after 990 and 500, 400 after 400
    assert MARTS["monitoring_perimeter"].is_internal and "K05" not in set(made.cells["indicator"])
    first = MonitoringRound(quarter("2016-Q1", [{"unit_id": "a", "F01": 1}]))
    assert monitoring_perimeter(first, PARK_PROGRAMME).cells.is_empty()


def test_moves_and_answers_are_no_entries_and_exits() -> None:
    before = quarter("2016-Q1", [
        {"unit_id": "mover", "F01": 40}, {"unit_id": "late", "answer_status": "3"}, {"unit_id": "silent", "F01": 30},
    ])  # fmt: skip
    now = quarter("2016-Q2", [
        {"unit_id": "mover", "F01": 100, "park": "LBGX"}, {"unit_id": "late", "F01": 9}, {"unit_id": "silent", "answer_status": "2"},
        {"unit_id": "other", "F01": 1, "park": "LBGX"},
    ])  # fmt: skip
    made = monitoring_perimeter(MonitoringRound(now, before, before), PARK_PROGRAMME)
    assert {k: v for k, v in causes(made, "quarter", "LBXQ").items() if "units" not in k} == {
        "moved_out": -40, "answered": 9, "unanswered": -30,
    }  # fmt: skip
    assert causes(made, "quarter", "LBGX") == {  # it brought 40 along; the 60 since are its quarter
        "continuing": 60, "continuing_units": 0, "moved_in": 40, "moved_in_units": 1, "entry": 1, "entry_units": 1,
    }  # fmt: skip
    assert causes(made, "quarter", "LBSYQ")["continuing"] == 60  # within the area it only went on


@given(st.lists(st.tuples(st.sampled_from(["LBXQ", "LBGX"]), st.none() | st.integers(0, 99), st.none() | st.integers(0, 99),
                          st.sampled_from(["LBXQ", "LBGX"])), min_size=1, max_size=6))  # fmt: skip
@settings(max_examples=5, deadline=None)
def test_the_causes_add_up_to_the_published_perimeter_and_increment(
    units: list[tuple[str, int | None, int | None, str]],
) -> None:
    now = quarter("2016-Q2", [{"unit_id": f"u{n}", "park": p, "F01": v} for n, (p, v, _, _) in enumerate(units)])
    before = [{"unit_id": f"u{n}", "park": p, "F01": v} for n, (_, _, v, p) in enumerate(units)]
    last_year, last = quarter("2015-Q2", before), quarter("2016-Q1", before)
    round_ = MonitoringRound(now, last, last, last_year, last_year)
    figures, made = monitoring_figures(round_, PARK_PROGRAMME), monitoring_perimeter(round_, PARK_PROGRAMME)
    for area in ("LBSYQ", "LBXQ", "LBGX"):
        told = {
            r["measure"]: r["value"]
            for r in figures.cells.filter(area=area, indicator="F01", breakdown="total", category="T").to_dicts()
        }
        for table, total in (("quarter", told.get("perimeter")), ("year", None)):
            parts = {k: v for k, v in causes(made, table, area).items() if not k.endswith("_units")}
            if table == "quarter" and total is not None:
                assert sum(v for k, v in parts.items() if k != "continuing") == total
            if table == "year":
                level, published = told.get("cumulative") or 0, told.get("year_earlier_published") or 0
                assert sum(parts.values()) == level - published


def test_groups_that_last_year_had_no_classification_for_have_no_nominal_growth() -> None:
    """Nobody was classed last year: _ fell from 900 to 100, and neither that nor the growth of any class is one."""
    now = [
        {"unit_id": f"u{n}", "F01": 100, "F01_yoy": 90, "B10": None if n == 0 else "3" if n < 6 else "2"}
        for n in range(10)
    ]
    before = [{"unit_id": f"u{n}", "F01": 90, "B10": None} for n in range(10)]
    this, last = quarter("2016-Q1", now), quarter("2015-Q1", before)
    made = monitoring_figures(MonitoringRound(this, None, None, last, last), PARK_PROGRAMME)
    said = "上年同期发布时几乎全部单位未划型,与本期的分组不可比"
    for category in ("_", "2", "3"):
        row = cell(made, "LBXQ", "F01", "growth_nominal", "size", category)
        assert (row["value"], row["status"], row["note"]) == (None, "M", said)
    # the same units by today's groups compare: restated growth, contributions; and so do sections and the total
    assert value(made, "LBXQ", "F01", "growth_restated", "size", "3") == pytest.approx(100 / 9)
    assert value(made, "LBXQ", "F01", "growth_nominal") == pytest.approx(100 / 9)
    assert value(made, "LBXQ", "F01", "growth_nominal", "section", "C") == pytest.approx(100 / 9)
    back = monitoring_figures(
        MonitoringRound(quarter("2016-Q1", before), None, None, None, quarter("2015-Q1", now)), PARK_PROGRAMME
    )
    row = cell(back, "LBXQ", "F01", "growth_nominal", "size", "_")
    assert (row["value"], row["note"]) == (None, "本期几乎全部单位未划型,与上年同期发布的分组不可比")
    alike = monitoring_figures(
        MonitoringRound(quarter("2016-Q1", before), None, None, None, quarter("2015-Q1", before)), PARK_PROGRAMME
    )
    assert value(alike, "LBXQ", "F01", "growth_nominal", "size", "_") == 0
    # a zone that nobody published last year is told so, and not that nobody was classed
    elsewhere = [{"unit_id": "x", "F01": 7, "park": "LBGX"}]
    alone = monitoring_figures(
        MonitoringRound(quarter("2016-Q1", now), None, None, None, quarter("2015-Q1", elsewhere)), PARK_PROGRAMME
    )
    assert cell(alone, "LBXQ", "F01", "growth_nominal", "size", "3")["note"] == "上年同期发布数中没有这一组"
