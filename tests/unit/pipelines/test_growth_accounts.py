"""``ytb series growth-accounting``: Young's printed figures from a file, levels by hand, sensitivity, refusals."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipelines.growth_accounts import of_levels, of_rates
from schemas.errors import DefinitionError

YOUNG = """series,output,capital,labour,capital_share
香港,7.3,8.0,3.2,0.372
新加坡,8.7,11.5,5.7,0.491
韩国,10.3,13.7,6.4,0.297
台湾,9.4,12.3,4.9,0.257
"""
ASSUMED = {"capital_share": [0.5], "depreciation": [0.05], "initial_growth": [0.05]}


def file(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_young_1995_to_the_printed_digit(tmp_path: Path) -> None:
    made = of_rates(file(tmp_path, YOUNG), [0.5], named={}, growth_minimum=1.0)
    assert [round(r, 1) for r in made.table["residual"]] == [2.3, 0.2, 1.7, 2.6]
    assert any("试算" in line for line in made.lines)


def test_levels_by_hand(tmp_path: Path) -> None:
    """Output doubles at prices that rise by half: real growth ln(2 / 1.5) over one year. Investment of 10 and 20, δ = g = 5 %:
    stock 100 before 2019, 105 at its end, 119.75 a year later: what works in 2020 and in 2021. Labour stands still. α = 0.5."""
    text = (
        "year,output,investment,labour,output_price,investment_price\n"
        "2019,,10,50,,\n2020,100,20,50,100,100\n2021,200,30,50,150,100\n"
    )
    made = of_levels(file(tmp_path, text), 2021, 1, ASSUMED, named={}, growth_minimum=1.0)
    row = made.table.row(0, named=True)
    growth, capital = math.log(2 / 1.5) * 100, math.log(119.75 / 105) * 100
    assert (row["output_growth"], row["capital_growth"]) == pytest.approx((growth, capital))
    assert row["residual"] == pytest.approx(growth - 0.5 * capital)
    assert row["residual_share"] == pytest.approx((growth - 0.5 * capital) / growth * 100)


def test_a_given_stock_and_the_range_over_elasticities(tmp_path: Path) -> None:
    text = "year,output,capital,labour\n2019,100,100,100\n2021,121,144,100\n"
    wide = {**ASSUMED, "capital_share": [0.25, 0.5]}
    made = of_levels(file(tmp_path, text), 0, 2, wide, named={}, growth_minimum=1.0)
    y, k = math.log(1.1) * 100, math.log(1.2) * 100
    assert made.table["residual"].to_list() == pytest.approx([y - 0.25 * k, y - 0.5 * k])
    (spread,) = made.facts["ranges"]
    assert (spread["combinations"], spread["undetermined"]) == (2, 0)
    assert spread["lowest"] == pytest.approx((y - 0.5 * k) / y * 100)


def test_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="investment"):
        of_levels(file(tmp_path, "year,output,labour\n2020,1,1\n"), 0, 1, ASSUMED, named={}, growth_minimum=1.0)
    with pytest.raises(DefinitionError, match="缺数"):
        text = "year,output,capital,labour\n2020,1,1,1\n"
        of_levels(file(tmp_path, text), 0, 5, ASSUMED, named={}, growth_minimum=1.0)
    with pytest.raises(DefinitionError, match="增速"):
        of_rates(file(tmp_path, "output,capital,labour\n1,,2\n"), [0.5], named={}, growth_minimum=1.0)
