"""Series: published examples to their printed digits, and what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.series.adjustment import discrete, seasonally_adjusted
from pipelines.methods.series.links import (
    Overlap,
    chain_linked,
    chained,
    deflated,
    denton,
    fixed_base,
    rereferenced,
)
from pipelines.methods.series.periods import Point, consecutive, point
from pipelines.methods.series.stl import StlPlan, stl
from schemas.errors import DefinitionError

MAUNA_LOA = np.array((Path(__file__).parent / "mauna_loa.txt").read_text(encoding="utf-8").split(), dtype=np.float64)


def test_stl_gives_the_figures_of_the_authors_programme() -> None:
    """CO2 at Mauna Loa, 1959–1987, n_p 12, n_s 35, n_t 19, n_l 13, one inner and two robust rounds: seasonal, trend, weight."""
    plan = StlPlan(12, 35, 19, 13, 1, 1, 1, 4, 2, 2, robust=True, inner=1, outer=2)
    made = stl(MAUNA_LOA, plan)
    expected = {
        0: (-0.13125464336066284, 315.55193972532356, 0.94748803176461716),
        3: (2.1332663735877313, 315.83101934204581, 0.95241860894780928),
        47: (-0.96079226033064247, 318.89348422836048, 0.99215257356745090),
        82: (-1.9653380963052129, 320.69461437192018, 0.26516725287030030),
        83: (-0.96192968932759126, 320.76750828114598, 0.78007339809997733),
        147: (2.3800185233733959, 326.32393967871712, 0.10460030870706755),
    }
    for k, figures in expected.items():
        assert (made.seasonal[k], made.trend[k], made.weights[k]) == pytest.approx(figures, abs=1e-10)
    assert made.seasonal + made.trend + made.remainder == pytest.approx(MAUNA_LOA)


def test_a_fixed_pattern_on_a_straight_line_comes_apart_once_the_rounds_settle() -> None:
    pattern = np.tile([3.0, -1.0, -4.0, 2.0], 6)
    made = stl(100 + 2.0 * np.arange(24) + pattern, StlPlan(4, inner=40))
    assert made.seasonal == pytest.approx(pattern, abs=0.02)
    assert made.seasonal[:4] == pytest.approx(made.seasonal[4:8])


@given(st.lists(st.floats(-1e3, 1e3), min_size=12, max_size=30), st.booleans())
def test_parts_always_add_up(values: list[float], robust: bool) -> None:
    y = np.asarray(values)
    made = stl(y, StlPlan(4, 7, robust=robust))
    assert made.seasonal + made.trend + made.remainder == pytest.approx(y, abs=1e-6)


def test_short_gapped_annual_and_negative_series_are_refused_in_words() -> None:
    quarters = [f"{y}Q{q}" for y in range(2019, 2025) for q in range(1, 5)]
    values: list[float | None] = [float(k) for k in range(1, 25)]
    with pytest.raises(DefinitionError, match="少于 3 个整年"):
        seasonally_adjusted(quarters[:11], values[:11], StlPlan(4))
    with pytest.raises(DefinitionError, match="没有数值"):
        seasonally_adjusted(quarters, [*values[:5], None, *values[6:]], StlPlan(4))
    with pytest.raises(DefinitionError, match="缺期"):
        seasonally_adjusted([*quarters[:5], *quarters[6:]], values[:23], StlPlan(4))
    with pytest.raises(DefinitionError, match="乘法模型"):
        seasonally_adjusted(quarters, [0.0, *values[1:]], StlPlan(4), multiplicative=True)
    with pytest.raises(DefinitionError, match="年度序列"):
        seasonally_adjusted(["2020", "2021"], [1.0, 2.0], StlPlan(1))
    assert "意义不大" in seasonally_adjusted(quarters, values, StlPlan(4)).notes[0]


def test_multiplicative_parts_multiply_to_the_series() -> None:
    quarters = [f"{y}Q{q}" for y in range(2019, 2024) for q in range(1, 5)]
    values = [100 * 1.02**k * f for k, f in enumerate([0.8, 1.0, 1.05, 1.2] * 5)]
    made = seasonally_adjusted(quarters, values, StlPlan(4), multiplicative=True).series
    assert (made["seasonal"] * made["trend"] * made["remainder"]).to_list() == pytest.approx(values)
    assert (made["value"] / made["seasonal"]).to_list() == pytest.approx(made["adjusted"].to_list())


def test_cumulative_figures_become_quarters() -> None:
    assert discrete(["2024Q3", "2024Q4", "2025Q1", "2025Q2"], [30.0, 42.0, 11.0, 25.0]) == [None, 12.0, 11.0, 14.0]


def test_periods_are_read_in_their_spellings() -> None:
    assert point("2025Q3") == point("2025-Q3") == point("2025年3季度") == point("2025年第3季度") == Point(2025, 3, 4)
    assert point("2025-03") == point("2025M3") == point("2025年3月") == Point(2025, 3, 12)
    assert point("2025") == Point(2025, 1, 1)
    for wrong in ("2025-13", "Q1", "2025Q5", ""):
        with pytest.raises(DefinitionError):
            point(wrong)
    with pytest.raises(DefinitionError, match="两次"):
        consecutive(["2025Q1", "2025Q1"])


# IMF, Quarterly National Accounts Manual (2017), example 8.8: quarterly Fisher links, their chain, the benchmarked chain.
LINKS = [100.74, 99.92, 100.08, 100.33, 100.18, 100.06, 100.58, 101.07, 100.76, 100.54, 99.94, 99.83]
CHAIN = [100.74, 100.66, 100.74, 101.07, 101.25, 101.31, 101.90, 102.99, 103.77, 104.32, 104.26, 104.08]
BENCHMARKED = [100.73, 100.65, 100.72, 101.04, 101.19, 101.24, 101.82, 102.91, 103.71, 104.27, 104.21, 104.04]


def test_links_chain_as_printed() -> None:
    """The printed links are rounded, so the chain may leave the printed one by as much as their rounding adds up to."""
    made = chained(np.array(LINKS))
    assert made[0] == 100
    for k, printed in enumerate(CHAIN):
        assert made[k + 1] == pytest.approx(printed, abs=0.005 * (k + 1) + 0.005)
    assert [round(v, 2) for v in made[1:6]] == CHAIN[:5]


def test_benchmarking_gives_the_printed_series() -> None:
    made = denton(np.array(CHAIN), np.array([100.79, 101.79, 104.06]), 4, mean=True)
    assert made == pytest.approx(BENCHMARKED, abs=0.0151)
    assert [round(float(v), 2) for v in made[2:10]] == BENCHMARKED[2:10]
    assert made.reshape(3, 4).mean(axis=1) == pytest.approx([100.79, 101.79, 104.06])


def test_a_new_reference_year_gives_the_printed_index() -> None:
    """Spanish GDP volume, 2020 = 100 to 2010 = 100: README of the R package IndexNumberTools."""
    old = np.array([104.90885, 100.95573, 101.05075, 100.40412, 97.52742, 96.13535, 97.59707, 101.56035, 104.52100])
    printed = [103.81798, 99.90596, 100.00000, 99.36010, 96.51331, 95.13571, 96.58224, 100.50430, 103.43417]
    assert rereferenced(old, [2]) == pytest.approx(printed, abs=1.1e-5)


def test_constant_prices_grow_as_printed() -> None:
    """DSEC Macao, Methodology for chain volume measures: $28, $38, $54 at prices of period 0 are 35.71 % and 42.11 %."""
    volume = deflated(np.array([28.0, 45.6, 81.0]), np.array([100.0, 120.0, 150.0]), [0])
    assert volume == pytest.approx([28, 38, 54])
    assert [round((b / a - 1) * 100, 2) for a, b in itertools.pairwise(volume)] == [35.71, 42.11]


def test_an_index_on_the_year_before_is_chained_quarter_by_quarter() -> None:
    assert fixed_base(np.array([102.0, 104.0, 103.0]), 2).tolist() == pytest.approx([100, 100, 102, 104, 105.06])


def two_products(years: int) -> pl.DataFrame:
    """Quantities and prices by hand: 1997 sums 251 and 236 at 7 and 6, then the four quarters of 1998, then again a year."""
    a = [62.75] * 4 + [67.4, 69.4, 71.5, 73.7] + [76.0, 78.3, 80.6, 83.1]
    b = [59.0] * 4 + [57.6, 57.1, 56.5, 55.8] + [55.4, 54.8, 54.2, 53.6]
    price_a = [7.0] * 4 + [6.1, 5.7, 5.3, 5.0] + [4.5, 4.3, 3.8, 3.5]
    price_b = [6.0] * 4 + [8.0, 8.6, 9.4, 10.0] + [10.2, 10.8, 11.4, 12.0]
    rows = []
    for k in range(4 * years):
        period = f"{1997 + k // 4}Q{k % 4 + 1}"
        rows += [(period, "A", a[k] * price_a[k], price_a[k]), (period, "B", b[k] * price_b[k], price_b[k])]
    return pl.DataFrame(rows, schema=["period", "item", "value", "price"], orient="row")


def test_the_three_overlaps_by_hand() -> None:
    """1998Q1 at prices of 1997: 67.4 × 7 + 57.6 × 6 = 817.40; a quarter of 1997: 3,173 / 4 = 793.25; 817.40 / 793.25 = 103.04."""
    found = chain_linked(two_products(2))
    assert found["previous_prices"].to_list()[4:] == pytest.approx([817.4, 828.4, 839.5, 850.7])
    assert [round(v, 2) for v in found["index"].to_list()[4:]] == [103.04, 104.43, 105.83, 107.24]
    for overlap in (Overlap.QUARTER, Overlap.YEAR):  # prices and quantities of 1997 are the same in every quarter
        assert chain_linked(two_products(2), overlap)["index"].to_list() == pytest.approx(found["index"].to_list())


def test_overlaps_join_where_they_say() -> None:
    made = {o: chain_linked(two_products(3), o) for o in Overlap}
    annual = made[Overlap.ANNUAL]["index"].to_numpy().reshape(3, 4).mean(axis=1)
    average = 1998, 2 * 0  # average prices of 1998 are what the year's value over its quantity gives
    frame = two_products(3).with_columns(
        year=pl.col("period").str.slice(0, 4), quantity=pl.col("value") / pl.col("price")
    )
    sums = frame.group_by("year", "item").agg(pl.col("value", "quantity").sum()).sort("year", "item")
    price = (sums.filter(year=str(average[0]))["value"] / sums.filter(year=str(average[0]))["quantity"]).to_list()
    now = sums.filter(year="1999")["quantity"].to_list()
    link = sum(p * q for p, q in zip(price, now, strict=True)) / sums.filter(year="1998")["value"].sum()
    assert annual[2] / annual[1] == pytest.approx(link)
    quarters = frame.filter(pl.col("period").is_in(["1998Q4", "1999Q1"])).sort("period", "item")["quantity"].to_list()
    step = (price[0] * quarters[2] + price[1] * quarters[3]) / (price[0] * quarters[0] + price[1] * quarters[1])
    chain = made[Overlap.QUARTER]["index"].to_list()
    assert chain[8] / chain[7] == pytest.approx(step)
    over = made[Overlap.YEAR]["index"].to_list()
    same = frame.filter(pl.col("period").is_in(["1998Q2", "1999Q2"])).sort("period", "item")["quantity"].to_list()
    assert over[9] / over[5] == pytest.approx(
        (price[0] * same[2] + price[1] * same[3]) / (price[0] * same[0] + price[1] * same[1])
    )


def test_a_chain_refuses_holes() -> None:
    with pytest.raises(DefinitionError, match="缺数值或价格"):
        chain_linked(two_products(2)[:-1])
    with pytest.raises(DefinitionError, match="两次"):
        chain_linked(pl.concat([two_products(2), two_products(1)]))
