from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from pipelines.methods.index.parts import (
    chained_prices,
    deflated,
    price_side,
    ratio_parts,
    window_values,
    window_years,
    years_needed,
)
from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.model import IndexIndicator, IndexSystem

RATIO = IndexIndicator(
    "X", "D1 维", "名", "%", "SUM(F01)/K04*100", "positive", 1.0, "A", "growth", None, 0, 1, 50.0, ""
)
MONEY = {"O02", "O03", "O01", "F16", "K04"}


def system(*indicators: IndexIndicator) -> IndexSystem:
    return IndexSystem("t", "试", 2014, indicators, {})


def test_a_formula_is_taken_apart_into_what_is_summed_above_and_below() -> None:
    assert ratio_parts("(SUM(I17)/10)/K04*100") == ("SUM(I17) * 100", "10 * K04")
    assert ratio_parts("(SUM(P06)+SUM(P09))/SUM(P01)*100") == ("(SUM(P06) + SUM(P09)) * 100", "SUM(P01)")
    assert ratio_parts("K29") == ("K29", "1")


def test_the_side_at_current_prices_is_read_from_the_formula() -> None:
    labour = replace(RATIO, formula="(SUM(O03)/10)/SUM(P02)", deflator="K50")
    energy = replace(
        RATIO, formula="SUM(L01, B11==1 and notnull(O02))/(SUM(O02, B11==1 and notnull(L01))/10)", deflator="K51"
    )
    assert price_side(labour, MONEY) == "numerator"
    assert price_side(energy, MONEY) == "denominator"  # the O02 of the condition above does not count
    with pytest.raises(DefinitionError, match="恰有一侧"):
        price_side(replace(RATIO, formula="SUM(O03)/K04", deflator="K50"), MONEY)


def test_price_links_chain_from_the_base_year_both_ways_and_stop_at_a_gap() -> None:
    links = pl.DataFrame(
        {"area": "LB", "year": [2014, 2015, 2016, 2018], "series": "K50", "value": [125.0, 105.0, 110.0, 120.0]}
    )
    levels = dict(chained_prices(links, 2014).select("year", "level").iter_rows())
    assert levels == pytest.approx({2013: 0.8, 2014: 1.0, 2015: 1.05, 2016: 1.155})  # 2017 is missing: so is 2018


def test_a_missing_price_makes_the_value_missing_and_never_a_current_price() -> None:
    indicator = replace(RATIO, formula="(SUM(O03)/10)/SUM(P02)", deflator="K50")
    parts = pl.DataFrame(
        {
            "area": "LB",
            "year": [2014, 2015, 2016],
            "indicator": "X",
            "numerator": [10.0, 21.0, 30.0],
            "denominator": 1.0,
        }
    )
    prices = chained_prices(pl.DataFrame({"area": ["P"], "year": [2015], "series": ["K50"], "value": [105.0]}), 2014)
    real = deflated(parts, system(indicator), prices, {"X": "numerator"}, {"LB": "P"})
    assert window_values(real, system(indicator))["value"].to_list() == [10.0, pytest.approx(20.0), None]


def test_prices_below_the_line_raise_the_real_denominator_the_other_way() -> None:
    indicator = replace(RATIO, formula="SUM(L01)/SUM(O02)", deflator="K51", direction="negative")
    parts = pl.DataFrame(
        {"area": "LB", "year": [2014, 2015], "indicator": "X", "numerator": 6.0, "denominator": [2.0, 2.2]}
    )
    prices = chained_prices(pl.DataFrame({"area": ["LB"], "year": [2015], "series": ["K51"], "value": [110.0]}), 2014)
    real = deflated(parts, system(indicator), prices, {"X": "denominator"})
    assert window_values(real, system(indicator))["value"].to_list() == pytest.approx([3.0, 3.0])


def test_a_three_year_window_divides_sums_and_wants_every_year() -> None:
    indicator = replace(RATIO, window=3)
    parts = pl.DataFrame(
        {
            "area": "LB",
            "year": [2012, 2013, 2014, 2015, 2016],
            "indicator": "X",
            "numerator": [0.0, 3.0, 3.0, None, 9.0],
            "denominator": [1.0, 1.0, 1.0, 1.0, 1.0],
        }
    )
    assert window_years(indicator, 2014) == (2012, 2013, 2014)
    assert years_needed(system(indicator), 2016) == (2012, 2013, 2014, 2015, 2016)
    assert window_values(parts, system(indicator)).rows() == [
        ("LB", 2014, "X", 2.0),
        ("LB", 2015, "X", None),
        ("LB", 2016, "X", None),
    ]


def test_a_zero_denominator_gives_no_value() -> None:
    parts = pl.DataFrame({"area": "A", "year": 2014, "indicator": "X", "numerator": [1], "denominator": [0]})
    assert window_values(parts, system(RATIO))["value"].to_list() == [None]


def test_every_deflated_indicator_of_the_programme_has_one_side_in_money() -> None:
    edition = programme().editions["2015"]
    money = {c for c, i in edition.indicators.items() if i.unit_measure.startswith(("千元", "万元", "亿元"))}
    sides = {i.id: price_side(i, money) for i in edition.indexes["development"].indicators if i.deflator}
    above, below = "numerator", "denominator"
    assert sides == {"X13": above, "X17": below, "X18": below, "X19": above, "X20": above}
