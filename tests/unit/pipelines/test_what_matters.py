"""Outliers, predictions and effects: published and hand-worked examples, and what must hold of any figures."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.change_outliers import HB, hidiroglou_berthelot, robust_z
from pipelines.methods.effects import effects, strongest
from pipelines.methods.prediction import predicted


# ── outliers ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_modified_z_scores_of_iglewicz_and_hoaglin() -> None:
    """Their example: ten values with two outliers, M = 0.6745 (x − median) / MAD: 25.9 and 26.3 against a cut of 3.5."""
    x = [2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]
    z = robust_z(pl.DataFrame({"x": x}), "x")["z"].to_list()
    assert [round(v, 1) for v in z[-2:]] == [25.9, 26.3]
    assert [n for n, v in enumerate(z) if abs(v) > 3.5] == [8, 9]
    assert round(z[0], 2) == -1.57


def test_robust_z_needs_values_and_spread() -> None:
    frame = pl.DataFrame({"g": list("aaaaabb"), "x": [1, 1, 1, 1, 9, 1, 2]})
    assert robust_z(frame, "x", ["g"])["z"].to_list() == [None] * 7


def test_effects_of_hidiroglou_and_berthelot_by_hand() -> None:
    """Ratios 1, 1.1, 0.9, 1, 100; median 1; effects s·√max: 0, 0.1·√11, −(1/9)·√10, 0, 99·√1000; quartiles 0 and 0.3317."""
    frame = pl.DataFrame({"now": [10, 11, 9, 10, 1000, None, 0], "before": [10, 10, 10, 10, 10, 10, 10]})
    found = hidiroglou_berthelot(frame)
    assert [None if v is None else round(v, 4) for v in found["effect"]] == [0.0, 0.3317, -0.3514, 0.0, 3130.6549, None, None]  # fmt: skip
    assert found["is_outlier"].to_list() == [False, False, True, False, True, None, None]
    assert round(found["high"][0], 4) == round(4 * 0.1 * math.sqrt(11), 4) and found["low"][0] == 0.0
    assert hidiroglou_berthelot(frame.head(4))["is_outlier"].null_count() == 4


PAIRS = st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=5, max_size=30)


@given(PAIRS, st.sampled_from([0.0, 0.4, 0.5, 1.0]))
def test_the_bounds_of_statistics_norway_say_the_same(pairs: list[tuple[int, int]], u: float) -> None:
    """Their form of the method (Kostra::Hb) turns the bounds of the effect into bounds of the ratio: the same units lie outside."""
    frame = pl.DataFrame(pairs, schema=["now", "before"], orient="row")
    found = hidiroglou_berthelot(frame, parameters=HB(u=u))
    middle = float(frame.select((pl.col("now") / pl.col("before")).median()).item())
    for row in found.to_dicts():
        size = max(row["now"], row["before"]) ** u
        upper = middle * (size + row["high"]) / size if row["high"] >= 0 else middle * size / (size - row["high"])
        lower = middle * size / (size - row["low"]) if row["low"] <= 0 else middle * (size + row["low"]) / size
        if min(abs(row["effect"] - row["low"]), abs(row["effect"] - row["high"])) > 1e-6 * (1 + abs(row["effect"])):
            assert row["is_outlier"] == (row["ratio"] > upper or row["ratio"] < lower)


# ── predictions ────────────────────────────────────────────────────────────────────────────────────────────────────
def panel(*rows: tuple[str, str, str, float | None, float | None, float | None]) -> pl.DataFrame:
    schema = {"unit_id": pl.String, "industry": pl.String, "size": pl.String, "now": pl.Float64, "before": pl.Float64, "year_earlier": pl.Float64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        code=pl.lit("F01"), last_year=pl.when(pl.col("unit_id") == "L").then(400.0)
    )


SIX = [(f"U{n}", "C", "2", 120.0, 100.0, None) for n in range(6)]


def test_the_ratio_of_the_others_in_industry_and_size() -> None:
    found = predicted(panel(*SIX, ("X", "C", "2", 900.0, 200.0, None)))
    row = found.row(6, named=True)
    assert (row["predicted"], row["ratio"], row["level"], row["donors"], row["basis"]) == (240.0, 1.2, "industry×size", 6, "before")  # fmt: skip
    # The figure in question, far out itself, takes no part in the prediction of the others.
    assert found["ratio"].to_list()[:6] == [1.2] * 6


def test_few_units_fall_back_to_the_industry_to_all_and_to_the_base_itself() -> None:
    rows = panel(*SIX, ("X", "C", "1", 1.0, 50.0, None), ("Y", "D", "1", 1.0, 50.0, None))
    assert predicted(rows)["level"].to_list()[6:] == ["industry", "all"]
    lonely = predicted(panel(("X", "C", "1", 70.0, 50.0, None)))
    assert lonely.select("predicted", "level").row(0) == (50.0, "carried")


def test_bases_in_order_and_none() -> None:
    rows = panel(
        *SIX, ("a", "C", "2", 1.0, None, 80.0), ("b", "C", "2", 1.0, None, None), ("c", "C", "2", 1.0, -30.0, None)
    )
    yearly = predicted(panel(*SIX, ("L", "C", "2", 1.0, None, None)))
    assert yearly.select("predicted", "basis", "level").row(6) == (400.0, "last_year", "carried")
    found = predicted(rows).tail(3)
    assert found["basis"].to_list() == ["year_earlier", "", "before"]
    assert found["predicted"].to_list() == [80.0, None, -30.0]


# ── effects ────────────────────────────────────────────────────────────────────────────────────────────────────────
def figures(*rows: tuple[str, str, float | None, float | None, float | None, bool, bool]) -> pl.DataFrame:
    schema = {"unit_id": pl.String, "park": pl.String, "now": pl.Float64, "predicted": pl.Float64, "base": pl.Float64, "is_suspicious": pl.Boolean, "is_missing": pl.Boolean}  # fmt: skip
    made = pl.DataFrame(rows, schema=schema, orient="row")
    return made.with_columns(code=pl.lit("F01"), basis=pl.lit("before"), ratio=pl.lit(1.0), level=pl.lit("all"))


def test_the_worked_example_of_the_documentation() -> None:
    """Park P: 600 and a suspicious 1000 predicted 300, on bases 500 and 250; park Q: 100 on 50, and a unit missing, predicted 200 on 200.

    Reference total 600 + 300 + 100 + 200 = 1200; base 1000, so growth 20 %. The suspicious figure: at stake 700, 58.33 % of the
    total, growth (1200 + 700) / 1000: +70 points; of park P 700 / 900 = 77.78 %, 700 / 750 = 93.33 points. The missing unit:
    −200, −16.67 %; without it growth is 1000 / 800 = 25 %, 5 points more; of park Q −200 / 300, growth 100 / 50 − 300 / 250 = 80 points.
    """
    found = effects(
        figures(
            ("a", "P", 600.0, 610.0, 500.0, False, False),
            ("b", "P", 1000.0, 300.0, 250.0, True, False),
            ("c", "Q", 100.0, 90.0, 50.0, False, False),
            ("d", "Q", None, 200.0, 200.0, False, True),
        )
    )
    shown = found.select("unit_id", *(pl.col(c).round(2) for c in ("at_stake", "total_pct", "growth_points", "park_total_pct", "park_growth_points")))  # fmt: skip
    assert shown.rows() == [("b", 700.0, 58.33, 70.0, 77.78, 93.33), ("d", -200.0, -16.67, 5.0, -66.67, 80.0)]
    best = strongest(found, ["park"])
    assert best.select("park", pl.col("effect").round(2)).rows() == [("P", 70.0), ("Q", 16.67)]


def test_without_a_prediction_the_whole_figure_is_at_stake_and_without_any_figure_nothing_is_known() -> None:
    found = effects(
        figures(
            ("a", "P", 300.0, 300.0, 200.0, False, False),
            ("b", "P", 100.0, None, None, True, False),
            ("c", "P", None, None, None, True, False),
        )
    )
    assert found["at_stake"].to_list() == [100.0, None]
    assert found["total_pct"].to_list() == [pytest.approx(100 / 3), None] and found["growth_points"].to_list() == [None, None]  # fmt: skip
    assert strongest(found, ["unit_id"])["effect"].to_list() == [pytest.approx(100 / 3), None]


def test_no_total_no_effect() -> None:
    (row,) = effects(figures(("a", "P", 5.0, -3.0, -2.0, True, False))).to_dicts()
    assert (row["at_stake"], row["total_pct"], row["growth_points"]) == (8.0, None, None)


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1, 1e6), st.booleans()), min_size=1, max_size=12))  # fmt: skip
def test_putting_the_prediction_in_removes_exactly_the_effect(rows: list[tuple[float, float, float, bool]]) -> None:
    frame = figures(*((f"u{n}", "P", x, p, b, asked, False) for n, (x, p, b, asked) in enumerate(rows)))
    found = effects(frame)
    reference = sum(p if asked else x for x, p, _, asked in rows)
    published = sum(x for x, *_ in rows)
    assert published - float(found["at_stake"].sum()) == pytest.approx(reference)
    assert float(found["total_pct"].sum()) == pytest.approx((published - reference) / reference * 100, abs=1e-6)
    assert found.select(pl.col("total_pct").sub(pl.col("park_total_pct")).abs().max()).item() in (
        None,
        pytest.approx(0),
    )
