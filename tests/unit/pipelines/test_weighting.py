"""Weights, strata and estimates: hand-worked frames and what must hold for any register."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.weighting import UNIT_COLUMNS, WeightRules, imputed, sampling, weigh, with_weights
from schemas.period import Period
from schemas.period_data import PeriodData

NO_LARGEST = WeightRules(largest=0, least=5)


def register(*groups: tuple[str, str, str, int], above_scale: bool = False) -> pl.DataFrame:
    """Units by (industry, size, answer status, number)."""
    rows = [
        (f"{industry}{size}{status}{i}", "P1", status, industry, size, above_scale, 1.0)
        for industry, size, status, number in groups
        for i in range(number)
    ]
    return pl.DataFrame(rows, schema=UNIT_COLUMNS, orient="row")


def weight_of(units: pl.DataFrame, rules: WeightRules = NO_LARGEST) -> dict[str, float | None]:
    found = weigh(units, rules).units
    return dict(found.select("unit_id", "weight").iter_rows())


def test_answered_units_stand_for_the_silent_ones_of_their_stratum() -> None:
    found = weight_of(register(("C", "3", "0", 5), ("C", "3", "2", 3), ("C", "3", "1", 1), ("C", "3", "3", 1)))
    assert found["C300"] == 10 / 5 and found["C320"] is None and found["C310"] is None


def test_stopped_units_stand_for_themselves_and_others_outside_have_no_weight() -> None:
    units = register(("C", "3", "0", 5), ("C", "3", "4", 2), ("C", "3", "5", 3), ("C", "3", "6", 1), ("C", "3", "8", 1))
    found = weight_of(units)
    assert found["C300"] == 1.0 and found["C340"] == 1.0 and "C350" not in found
    assert weigh(units, NO_LARGEST).summary["due"] == 7


def test_above_scale_units_and_the_largest_of_a_park_are_certain() -> None:
    units = pl.DataFrame(
        [(f"U{i:02d}", "P1" if i < 30 else "P2", "0", "C", "3", i == 0, float(i)) for i in range(40)],
        schema=UNIT_COLUMNS,
        orient="row",
    )
    certain = set(weigh(units).units.filter("certain")["unit_id"])
    assert certain == {"U00", *(f"U{i:02d}" for i in range(10, 30)), *(f"U{i:02d}" for i in range(30, 40))}


def test_a_small_stratum_joins_its_neighbour_in_size_and_this_is_recorded() -> None:
    found = weigh(register(("C", "2", "0", 3), ("C", "2", "2", 3), ("C", "3", "0", 9), ("C", "4", "0", 6)), NO_LARGEST)
    assert found.strata.select("stratum", "population", "valid").rows() == [("C|2+3", 15, 12), ("C|4", 6, 6)]
    assert found.strata["merged"].to_list() == ["规模 2、3 有效单位过少,与相邻规模合并", ""]
    assert dict(found.units.select("unit_id", "weight").iter_rows())["C200"] == 15 / 12


def test_the_smallest_class_joins_the_next_larger() -> None:
    found = weigh(register(("C", "3", "0", 5), ("C", "4", "0", 2)), NO_LARGEST)
    assert found.strata["stratum"].to_list() == ["C|3+4"]


def test_industries_left_with_too_few_are_pooled() -> None:
    found = weigh(register(("A", "4", "0", 3), ("B", "4", "0", 4), ("C", "3", "0", 8)), NO_LARGEST)
    assert found.strata.select("stratum", "population").rows() == [("*|4", 7), ("C|3", 8)]
    assert "合并为一层" in found.strata["merged"][0]


def test_a_pool_still_too_small_joins_the_largest_stratum() -> None:
    found = weigh(register(("A", "4", "2", 2), ("C", "3", "0", 8)), NO_LARGEST)
    assert found.strata.select("population", "valid", "weight").rows() == [(10, 8, 1.25)]


def test_nobody_answered_leaves_no_weight_rather_than_infinity() -> None:
    assert weigh(register(("C", "3", "2", 4)), NO_LARGEST).strata["weight"].to_list() == [None]


def test_rates_and_dispersion() -> None:
    found = weigh(register(("C", "3", "0", 5), ("C", "3", "2", 5), ("G", "3", "0", 5)), NO_LARGEST).summary
    assert (found["due"], found["valid"], found["reported"]) == (15, 10, 10)
    assert found["effective_rate"] == pytest.approx(10 / 15)
    assert found["weight_cv"] == pytest.approx(0.5 / 1.5)  # weights 2 and 1, five each
    assert found["design_effect"] == pytest.approx(1 + 1 / 9)


@st.composite
def registers(draw: st.DrawFn) -> pl.DataFrame:
    unit = st.tuples(
        st.sampled_from(["P1", "P2"]), st.sampled_from("000012345678"), st.sampled_from("ABC"), st.sampled_from("1234"),
        st.booleans(), st.integers(0, 9),
    )  # fmt: skip
    rows = draw(st.lists(unit, min_size=1, max_size=80))
    return pl.DataFrame(
        [(f"U{i:03d}", p, s, k, z, a and z == "1", float(v)) for i, (p, s, k, z, a, v) in enumerate(rows)],
        schema=UNIT_COLUMNS,
        orient="row",
    )


@settings(max_examples=50, deadline=None)
@given(registers())
def test_weights_add_up_to_the_population(units: pl.DataFrame) -> None:
    found = weigh(units, WeightRules(largest=2, least=5))
    valid_somewhere = found.strata.filter(pl.col("valid") == 0).is_empty()
    inside = units.filter(pl.col("answer_status").is_in(["0", "1", "2", "3", "4"])).height
    if valid_somewhere:
        total = (found.units["weight"].sum() or 0.0) + found.summary["certain_missing"]
        assert total == pytest.approx(inside)
    assert (found.units.filter("certain")["weight"].drop_nulls() == 1.0).all()
    assert (
        found.strata["population"].sum() + found.units.filter(pl.col("stratum").is_in(["certain", "idle"])).height
        == found.units.height
    )


@settings(max_examples=20, deadline=None)
@given(registers())
def test_the_order_of_the_register_does_not_matter(units: pl.DataFrame) -> None:
    assert weigh(units).units.equals(weigh(units.reverse()).units)


def answered() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "unit_id": ["a", "b", "c", "d"],
            "industry": ["C", "C", "G", "G"],
            "size": ["3"] * 4,
            "F01": [110, 130, 50, None],
            "F01_yoy": [100, 100, 100, 70],
            "R03": [Decimal("1.5"), Decimal("3.0"), None, None],
            "R03_yoy": [Decimal("1.0"), Decimal("2.0"), None, None],
        },
        schema_overrides={"R03": pl.Decimal(18, 1), "R03_yoy": pl.Decimal(18, 1)},
    )


def test_a_missing_certain_unit_is_estimated_by_the_growth_of_its_group() -> None:
    missing = pl.DataFrame(
        {
            "unit_id": ["x", "y", "z"],
            "industry": ["C", "G", "Q"],
            "size": ["3", "3", "3"],
            "F01_yoy": [200, 200, 290],
            "R03_yoy": [Decimal("4.0"), None, Decimal("4.0")],
        },
        schema_overrides={"R03_yoy": pl.Decimal(18, 1)},
    )
    found = imputed(answered(), missing, ["F01", "R03"], by=["industry", "size"])
    # C: 240/200 = 1.2; G: only c is matched, 50/100; Q: all matched units together, 290/300.
    assert found["F01"].to_list() == [240, 100, 280]
    assert found["R03"].to_list() == [Decimal("6.0"), None, Decimal("6.0")]
    assert found["imputed"].all()


def test_period_data_get_weights_and_estimates_but_no_invented_answers() -> None:
    roster = answered().with_columns(
        park=pl.lit("P1"), sub_park=pl.lit(None, pl.String), answer_status=pl.Series(["0", "0", "0", "1"]),
        imputed=pl.lit(False), weight=pl.lit(1.0), N23=pl.Series([True, False, True, True]), B09=pl.lit("1"),
    )  # fmt: skip
    units = pl.DataFrame(
        [("a", "0", "C", False), ("b", "0", "C", False), ("c", "0", "G", False), ("d", "1", "G", False), ("x", "2", "C", True)],
        schema=["unit_id", "answer_status", "industry", "above_scale"],
        orient="row",
    ).with_columns(
        park=pl.lit("P1"), size=pl.lit("3"), revenue_before=pl.lit(0.0), F01_yoy=pl.lit(200), B09=pl.lit("3"),
        N23=pl.lit(True),
    )  # fmt: skip
    data = PeriodData(Period(2025), {"enterprise": roster})
    weights = weigh(units, WeightRules(largest=0, least=1))
    found = with_weights(data, units, weights, ["F01"]).rosters["enterprise"].sort("unit_id")
    assert dict(found.select("unit_id", "weight").iter_rows()) == {"a": 1.0, "b": 1.0, "c": 2.0, "d": 0.0, "x": 1.0}
    assert found.filter("imputed").select("unit_id", "F01", "N23", "B09").rows() == [("x", 240, None, "3")]


def test_sampling_gives_each_unit_the_size_of_its_stratum() -> None:
    found = sampling(weigh(register(("C", "3", "0", 5), ("C", "3", "2", 5)), NO_LARGEST))
    assert found.select("stratum", "population", "sample").unique().rows() == [("C|3", 10, 5)]
