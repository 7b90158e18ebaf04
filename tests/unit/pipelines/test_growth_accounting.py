"""Growth accounting: Young's four economies to the printed digits, perpetual inventory by hand, sensitivity."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.display import displayed
from pipelines.methods.growth_accounting import (
    Assumptions,
    accounted,
    at_constant_prices,
    capital_stock,
    decomposed,
    log_growth,
    sensitivity,
)
from schemas.errors import DefinitionError

# Young, The Tyranny of Numbers, QJE 1995, 1966-1990 (Hong Kong to 1991): output, weighted capital, weighted labour, capital share, TFP
YOUNG = {
    "Hong Kong": (7.3, 8.0, 3.2, 0.372, "2.3"),
    "Singapore": (8.7, 11.5, 5.7, 0.491, "0.2"),
    "South Korea": (10.3, 13.7, 6.4, 0.297, "1.7"),
    "Taiwan": (9.4, 12.3, 4.9, 0.257, "2.6"),
}


@pytest.mark.parametrize("economy", YOUNG)
def test_the_published_residuals_of_young_1995(economy: str) -> None:
    output, capital, labour, share, published = YOUNG[economy]
    assert displayed(decomposed(output, capital, labour, share).residual, 1, "A") == published


def test_perpetual_inventory_by_hand() -> None:
    # 10 / (0.05 + 0.05) = 100 before the first year; 95 + 10 = 105; 99.75 + 20 = 119.75
    stock = capital_stock({2014: 10.0, 2015: 20.0}, Assumptions(0.5, 0.05, 0.05))
    assert stock == pytest.approx({2014: 105.0, 2015: 119.75})


@given(growth=st.floats(-0.02, 0.2), depreciation=st.floats(0.03, 0.2))
def test_steady_investment_makes_capital_grow_as_fast(growth: float, depreciation: float) -> None:
    investment = {2010 + n: 100 * (1 + growth) ** n for n in range(6)}
    stock = capital_stock(investment, Assumptions(0.4, depreciation, growth))
    assert stock[2015] / stock[2014] == pytest.approx(1 + growth)


@given(a=st.floats(-20, 20), k=st.floats(-20, 20), n=st.floats(-20, 20), share=st.floats(0.05, 0.95))
def test_the_parts_add_up_to_growth(a: float, k: float, n: float, share: float) -> None:
    found = decomposed(a, k, n, share)
    assert found.capital_points + found.labour_points + found.residual == pytest.approx(a, abs=1e-9)
    assert (found.residual_share is None) == (abs(a) < 1)


SERIES = {year: 100 * 1.08 ** (year - 2010) for year in range(2010, 2017)}
WORKERS = {year: 50 * 1.02 ** (year - 2010) for year in range(2010, 2017)}


def test_five_years_with_capital_of_the_beginning_of_the_year() -> None:
    found = accounted(SERIES, SERIES, WORKERS, 2016, 5, Assumptions(0.4, 0.05, 0.08))
    grown, hands = math.log(1.08) * 100, math.log(1.02) * 100
    assert (found.output, found.capital, found.labour) == pytest.approx((grown, grown, hands))
    assert found.residual_share == pytest.approx((grown - 0.4 * grown - 0.6 * hands) / grown * 100)


def test_the_range_over_all_assumptions() -> None:
    found = sensitivity(SERIES, SERIES, WORKERS, 2016, 5, [0.4, 0.6], [0.05, 0.1], [0.08])
    assert len(found.outcomes) == 4 and found.undetermined == 0
    assert found.lowest is not None and found.highest is not None and found.lowest < found.highest
    still = dict.fromkeys(SERIES, 100.0)
    assert sensitivity(still, SERIES, WORKERS, 2016, 5, [0.4], [0.05], [0.08]).undetermined == 1


def test_constant_prices_forwards_and_backwards() -> None:
    index = {2014: 110.0, 2015: 100.0, 2016: 105.0}
    found = at_constant_prices({2013: 100.0, 2014: 121.0, 2015: 121.0, 2016: 127.05, 2018: 1.0}, index, 2014)
    assert found == pytest.approx({2013: 110.0, 2014: 121.0, 2015: 121.0, 2016: 121.0})


@pytest.mark.parametrize(
    ("investment", "assumptions"),
    [
        ({2014: 1.0, 2016: 1.0}, Assumptions(0.4, 0.05, 0.05)),
        ({2014: -1.0}, Assumptions(0.4, 0.05, 0.05)),
        ({2014: 1.0}, Assumptions(0.4, 0.05, -0.05)),
        ({}, Assumptions(0.4, 0.05, 0.05)),
    ],
)
def test_what_cannot_be_accounted_is_refused(investment: dict[int, float], assumptions: Assumptions) -> None:
    with pytest.raises(DefinitionError):
        capital_stock(investment, assumptions)


def test_an_elasticity_is_between_zero_and_one() -> None:
    with pytest.raises(DefinitionError):
        decomposed(5, 5, 5, 1.0)
    with pytest.raises(DefinitionError):
        log_growth({2014: 1.0}, 2014, 2015)
