"""Contribution to province and city: the published yearbook table, and two zones worked by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.display import displayed
from pipelines.methods.areas import areas_of
from pipelines.methods.contribution import Annual, contribution_figures
from pipelines.methods.contribution_definition import Contribution, Item, Ratio, parse_contribution
from pipelines.methods.contribution_measures import (
    at_last_years_prices,
    contribution_pct,
    growth_pct,
    multiple,
    pull_points,
    share_pct,
)
from schemas.catalog import programme
from schemas.environment import environment_for
from schemas.period import Period
from schemas.period_data import PeriodData

# 青海统计年鉴 2020, 表4-15 三大需求对生产总值增长的贡献率和拉动: year, (贡献率, 拉动) of 消费, 资本形成, 净出口
QINGHAI = {
    2012: ((74.12, 8.30), (43.56, 4.88), (-17.68, -1.98)),
    2018: ((86.28, 6.16), (76.71, 5.48), (-62.99, -4.50)),
    2019: ((43.83, 2.74), (58.42, 3.65), (-2.25, -0.14)),
}


@pytest.mark.parametrize("year", QINGHAI)
def test_the_yearbook_table_of_qinghai_is_reproduced(year: int) -> None:
    """With last year's whole 100 and increments as the published shares say, both columns come out as printed."""
    growth = round(sum(pull for _, pull in QINGHAI[year]), 2)
    for rate, pull in QINGHAI[year]:
        increment = growth * rate / 100
        assert displayed(contribution_pct(30 + increment, 30, 100 + growth, 100), 2, "A") == f"{rate:.2f}"
        assert displayed(pull_points(30 + increment, 30, 100), 2, "A") == f"{pull:.2f}"


def test_what_hardly_moved_has_no_shares() -> None:
    assert contribution_pct(11, 10, 100.9, 100, 1.0) is None
    assert contribution_pct(11, 10, 101, 100, 1.0) == pytest.approx(100)
    assert contribution_pct(11, 10, 100, 100) is None
    assert pull_points(11, 10, 100) == 1  # the pull has a meaning all the same
    assert (share_pct(1, 0), growth_pct(5, 0), multiple(1, None), at_last_years_prices(1, 0)) == (None,) * 4


amounts = st.floats(1.0, 1e6)


@given(parts=st.lists(st.tuples(amounts, amounts), min_size=1, max_size=6))
def test_contributions_of_all_parts_add_up(parts: list[tuple[float, float]]) -> None:
    now, before = sum(p[0] for p in parts), sum(p[1] for p in parts)
    pulls = [pull_points(a, b, before) for a, b in parts]
    growth = growth_pct(now, before)
    assert growth is not None
    assert sum(p for p in pulls if p is not None) == pytest.approx(growth, abs=1e-6)
    rates = [contribution_pct(a, b, now, before, 1.0) for a, b in parts]
    if None not in rates:
        assert sum(r for r in rates if r is not None) == pytest.approx(100, abs=1e-4)
        for rate, pull in zip(rates, pulls, strict=True):
            assert rate is not None and rate * growth / 100 == pytest.approx(pull, abs=1e-6)


DEFINITION = Contribution(
    1.0,
    2014,
    (
        Item("C01", "生产总值", "万元", 0, "province", "K04", "K45", "K50"),
        Item("C06", "技术合同", "万元", 0, "province", "SUM(I17)/10", "K49", ""),
        Item("C11", "生产总值", "万元", 0, "city", "K04", "K41", ""),
    ),
    (
        Ratio("C21", "R&D经费投入强度", "%", 2, "K26/K04*100", "K48/K45*100"),
        Ratio("C25", "人均", "万元/人", 2, "K04/K28", ""),
    ),
)
ZONES = {"LBGX": "620100", "LBBY": "620400"}
ZONE_SHARES = {"LBGX": 3, "LBBY": 1}


def year(number: int, gdp: float, province: float, *, city: float = 1000.0, price: float | None = None) -> PeriodData:
    """Two zones of LBSYQ sharing ``gdp`` three to one, the province and its two cities, three enterprises in LBGX."""
    parks = pl.DataFrame(
        [
            {"park": z, "K04": Decimal(str(gdp * s / 4)), "K26": Decimal(str(gdp * s / 100)), "K28": 100 * s}
            for z, s in ZONE_SHARES.items()
        ],
        schema={"park": pl.String, "K04": pl.Decimal(18, 2), "K26": pl.Decimal(18, 2), "K28": pl.Int64},
    )
    units = [{"unit_id": f"u{n}", "park": "LBGX", "I17": 100 * (number - 2013) * n} for n in (1, 2, 3)]
    enterprise = pl.DataFrame(units, schema={"unit_id": pl.String, "park": pl.String, "I17": pl.Int64})
    rows = [
        {"Y01": "620000", "Y02": number, "K45": province, "K48": province * 0.02, "K49": 1200.0, "K50": price},
        *({"Y01": c, "Y02": number, "K41": city} for c in ZONES.values()),
    ]
    money = ["K45", "K48", "K49", "K50", "K41"]
    schema = {"Y01": pl.String, "Y02": pl.Int64, **dict.fromkeys(money, pl.Float64)}
    context = pl.DataFrame(rows, schema=schema).with_columns(pl.col(money).cast(pl.Decimal(18, 2)))
    return PeriodData(Period(number), {"enterprise": enterprise}, parks, context)


def with_year_before(now: PeriodData, before: PeriodData) -> PeriodData:
    parks = now.parks.join(
        before.parks.select("park", K04_yoy="K04", K26_yoy="K26", K28_yoy="K28"), on="park", how="left"
    )
    units = before.rosters["enterprise"].select("unit_id", I17_yoy="I17")
    return replace(
        now, parks=parks, rosters={"enterprise": now.rosters["enterprise"].join(units, on="unit_id", how="left")}
    )


def figures(
    years: dict[int, PeriodData],
    definition: Contribution = DEFINITION,
    chosen: tuple[str, ...] = ("LBSYQ", "LBGX", "LBBY"),
) -> Any:
    last = max(years)
    data = with_year_before(years[last], years[last - 1]) if last - 1 in years else years[last]
    edition = programme()
    areas = areas_of(edition.codelists["parks"].valid(data.period.end))
    areas = {**areas, "LBSYQ": replace(areas["LBSYQ"], zones=tuple(sorted(ZONES)))}
    env = environment_for(edition, data.period)
    return contribution_figures(definition, Annual(data, years.get, env, areas, chosen, {}))


# 2015: 400 of 10,000; 2016: 460 of 10,800 at 104 % prices
YEARS = {
    2014: year(2014, 320, 9_000),
    2015: year(2015, 400, 10_000),
    2016: year(2016, 460, 10_800, city=1100, price=104.0),
}
MADE = figures(YEARS)


def cell(area: str, indicator: str, measure: str, made: Any = MADE) -> dict[str, Any]:
    found = made.cells.filter(area=area, indicator=indicator, measure=measure)
    assert found.height == 1, (area, indicator, measure)
    return dict(found.row(0, named=True))


def test_share_contribution_and_pull_of_an_area() -> None:
    assert cell("LBSYQ", "C01", "share")["value"] == pytest.approx(460 / 10_800 * 100)
    assert cell("LBSYQ", "C01", "share_change")["value"] == pytest.approx(460 / 108 - 4)
    assert cell("LBSYQ", "C01", "contribution_rate")["value"] == pytest.approx(7.5)  # 60 of 800
    assert cell("LBSYQ", "C01", "contribution_points")["value"] == pytest.approx(0.6)  # 7.5 % of 8 %
    assert cell("LBSYQ", "C01", "growth_since_base")["value"] == pytest.approx(43.75)
    assert cell("LBSYQ", "C01", "growth_since_base")["measure_name"] == "本区比2014年增长"
    assert cell("LBGX", "C01", "own")["value"] == 345


def test_increments_at_last_years_prices() -> None:
    real, whole = 460 / 1.04, 10_800 / 1.04
    assert cell("LBSYQ", "C01", "contribution_rate_constant")["value"] == pytest.approx(
        (real - 400) / (whole - 10_000) * 100
    )
    assert cell("LBSYQ", "C01", "growth_whole_constant")["value"] == pytest.approx((whole / 10_000 - 1) * 100)
    assert "价格指数K50" in cell("LBSYQ", "C01", "growth_whole_constant")["note"]
    assert MADE.cells.filter(indicator="C06", measure="growth_own_constant").is_empty()


def test_every_formula_can_be_read_by_the_language() -> None:
    env = environment_for(programme(), Period(2016))
    texts = MADE.cells.filter(pl.col("formula") != "")["formula"].unique().to_list()
    assert len(texts) >= 20
    for text in texts:
        env.typed(text)


def test_a_city_is_counted_once_and_cities_are_added_up() -> None:
    assert cell("LBGX", "C11", "share")["value"] == pytest.approx(345 / 1100 * 100)
    assert cell("LBSYQ", "C11", "whole")["value"] == 2200
    assert cell("LBSYQ", "C11", "contribution_rate")["value"] == pytest.approx(60 / 200 * 100)
    assert cell("LBSYQ", "C11", "share")["measure_name"] == "占所在市比重"


def test_a_share_of_an_increment_that_hardly_moved_is_undetermined() -> None:
    still = figures({2014: year(2014, 320, 9_950), 2015: year(2015, 400, 10_000)})
    rate = cell("LBSYQ", "C01", "contribution_rate", still)
    assert (rate["value"], rate["status"], rate["note"]) == (None, "Z", "全省增量不足上年的1%,贡献率不定")
    assert cell("LBSYQ", "C01", "contribution_points", still)["value"] == pytest.approx(80 / 99.5)


def test_what_is_missing_is_named() -> None:
    first = figures({2014: year(2014, 320, 9_000)})
    lacking = cell("LBSYQ", "C01", "contribution_rate", first)
    assert (lacking["value"], lacking["status"]) == (None, "M")
    assert lacking["note"].startswith("缺上年数据")
    assert cell("LBSYQ", "C01", "share", first)["value"] == pytest.approx(320 / 90)
    assert first.cells.filter(measure="growth_since_base").is_empty()
    assert "K50" in cell("LBSYQ", "C01", "growth_own_constant", first)["note"]


def test_a_base_of_zero_is_the_reason_and_not_missing_data() -> None:
    made = figures({2014: year(2014, 0, 9_000), 2015: year(2015, 0, 10_000), 2016: year(2016, 460, 10_800)})
    grown = cell("LBGX", "C01", "growth_own", made)
    assert (grown["value"], grown["status"], grown["note"]) == (None, "M", "本区上年数为零,不计算增速")
    assert cell("LBGX", "C01", "growth_since_base", made)["note"] == "本区2014年数为零,不计算增速"
    assert cell("LBGX", "C01", "contribution_points", made)["value"] == pytest.approx(345 / 100)
    empty = figures({2015: year(2015, 400, 0), 2016: year(2016, 460, 0)})
    assert cell("LBGX", "C01", "share", empty)["note"] == "全省数为零,不计算占比"
    assert cell("LBGX", "C01", "contribution_rate", empty)["note"] == "全省上年数为零,不计算贡献"


def test_a_year_before_that_was_restated_is_said() -> None:
    assert cell("LBSYQ", "C01", "growth_own")["note"] == ""
    lower = YEARS[2015].parks.with_columns(K04=pl.col("K04") - 5)
    data = with_year_before(YEARS[2016], YEARS[2015])  # the form of 2016 says 400, that of 2015 said 390
    edition = programme()
    areas = areas_of(edition.codelists["parks"].valid(data.period.end))
    areas = {**areas, "LBSYQ": replace(areas["LBSYQ"], zones=tuple(sorted(ZONES)))}
    years = {**YEARS, 2015: replace(YEARS[2015], parks=lower)}
    annual = Annual(data, years.get, environment_for(edition, data.period), areas, ("LBSYQ",), {})
    made = contribution_figures(DEFINITION, annual)
    assert cell("LBSYQ", "C01", "growth_own", made)["note"] == "上年数取本年报表的上年同期(可比口径),与上年所报不同"
    assert cell("LBSYQ", "C01", "growth_own_constant", made)["note"].endswith("与上年所报不同")
    assert cell("LBSYQ", "C01", "growth_whole", made)["note"] == ""


def test_multiples_of_the_average() -> None:
    # 4 % of GDP against 2 % in the province; the zones have the same ratio, so each is once the average of its group
    assert cell("LBGX", "C21", "ratio_own")["value"] == pytest.approx(4)
    assert cell("LBGX", "C21", "multiple")["value"] == pytest.approx(2)
    assert cell("LBGX", "C21", "multiple_group")["value"] == pytest.approx(1)
    assert "试验区" in cell("LBGX", "C21", "ratio_group")["note"]
    assert MADE.cells.filter(area="LBSYQ", measure="multiple_group").is_empty()
    assert MADE.cells.filter(indicator="C25", measure="multiple").is_empty()


def test_sheet_figures_are_public_and_sums_of_units_are_judged() -> None:
    parts = {k: f for (k,), f in MADE.parts.group_by("row_key")}
    assert parts["LBGX|C01|share"]["administrative"].all()
    own = parts["LBGX|C06|share"].filter(~pl.col("administrative"))
    assert own["n"].to_list() == [3] and own["max1"].to_list() == [900.0]
    assert set(parts["LBGX|C06|contribution_rate"]["role"]) >= {"base"}
    assert set(MADE.cells["row_key"]) == set(parts)
    assert parts["LBGX|C21|ratio_group"]["area"].unique().to_list() == ["LBSYQ"]


def put_in(data: PeriodData) -> PeriodData:
    """The same figures, the first enterprise's put in for it."""
    frame = data.rosters["enterprise"].with_columns(weight=pl.lit(1.0), imputed=pl.col("unit_id") == "u1")
    return replace(data, rosters={"enterprise": frame})


def test_figures_of_units_tell_that_they_hold_estimates_of_any_year_in_them() -> None:
    def told(years: dict[int, PeriodData], area: str) -> dict[tuple[str, str], str]:
        cells = figures(years).cells.filter(area=area)
        return {(i, m): s for i, m, s in cells.select("indicator", "measure", "status").iter_rows()}

    assert "E" not in told(YEARS, "LBGX").values()
    now = told({**YEARS, 2016: put_in(YEARS[2016])}, "LBGX")
    assert (now["C06", "own"], now["C06", "share"], now["C01", "own"], now["C06", "whole"]) == ("E", "E", "A", "A")
    base = told({**YEARS, 2014: put_in(YEARS[2014])}, "LBGX")
    assert (base["C06", "own"], base["C06", "growth_since_base"]) == ("A", "E")
    assert "E" not in told({**YEARS, 2016: put_in(YEARS[2016])}, "LBBY").values()


def test_the_shipped_definition_is_read() -> None:
    shipped = programme().editions["2015"].contribution
    assert shipped is not None
    parsed = parse_contribution(shipped)
    assert {i.reference for i in parsed.items} == {"province", "city"} and parsed.ratios
    assert programme().editions["2025"].contribution == shipped
