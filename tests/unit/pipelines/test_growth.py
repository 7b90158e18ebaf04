"""Growth arithmetic: worked by hand, and the identities for whatever figures come."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods import growth


def value(expression: pl.Expr, **columns: Any) -> Any:
    return pl.DataFrame({k: [v] for k, v in columns.items()}).select(x=expression)["x"][0]


NOW, BASE = pl.col("now"), pl.col("base")


@pytest.mark.parametrize(
    ("now", "base", "expected", "note"),
    [
        (1100, 1000, 10.0, ""),
        (937, 1000, -6.3, ""),
        (0, 1000, -100.0, ""),
        (500, 0, None, growth.BASE_ZERO),
        (500, -100, None, growth.TURNED_POSITIVE),
        (-500, -100, None, growth.BASE_NEGATIVE),
        (-50, 100, -150.0, growth.TURNED_NEGATIVE),
        (None, 100, None, growth.BASE_MISSING),
        (100, None, None, growth.BASE_MISSING),
    ],
)
def test_growth_is_unknown_on_a_base_that_is_not_positive(now: Any, base: Any, expected: Any, note: str) -> None:
    frame = pl.DataFrame({"now": [now], "base": [base]}, schema={"now": pl.Int64, "base": pl.Int64})
    found = frame.select(g=growth.growth_pct(NOW, BASE), n=growth.growth_note(NOW, BASE)).row(0)
    assert found == (pytest.approx(expected) if expected is not None else None, note)


def test_contribution_rate_and_points_by_hand() -> None:
    # total 1000 → 1100; the part 400 → 460: 60 of 100 is 60 %, 60 of 1000 is 6 points
    columns = {"now": 460, "base": 400, "nt": 1100, "bt": 1000}
    rate = growth.contribution_rate_pct(NOW, BASE, pl.col("nt"), pl.col("bt"))
    points = growth.contribution_points(NOW, BASE, pl.col("bt"))
    assert value(rate, **columns) == pytest.approx(60.0)
    assert value(points, **columns) == pytest.approx(6.0)


def test_contribution_rate_is_unknown_where_the_total_hardly_moved() -> None:
    columns = {"now": 500, "base": 400, "nt": 1009, "bt": 1000}
    assert value(growth.contribution_rate_pct(NOW, BASE, pl.col("nt"), pl.col("bt")), **columns) is None
    columns["nt"] = 1010  # exactly 1 % counts
    assert value(growth.contribution_rate_pct(NOW, BASE, pl.col("nt"), pl.col("bt")), **columns) == pytest.approx(
        1000.0
    )
    # zero total and zero increment: nothing to share out
    columns |= {"nt": 0, "bt": 0}
    assert value(growth.contribution_rate_pct(NOW, BASE, pl.col("nt"), pl.col("bt")), **columns) is None


def test_share_of_a_total_that_is_not_positive_is_unknown() -> None:
    assert value(growth.share_pct(NOW, BASE), now=25, base=200) == pytest.approx(12.5)
    assert value(growth.share_pct(NOW, BASE), now=25, base=0) is None
    assert value(growth.share_pct(NOW, BASE), now=25, base=-5) is None


AMOUNT = st.integers(min_value=0, max_value=10**12)


@given(st.lists(st.tuples(AMOUNT, AMOUNT), min_size=1, max_size=20))
@settings(deadline=None)
def test_contributions_add_up_to_the_growth_of_the_total(parts: list[tuple[int, int]]) -> None:
    frame = pl.DataFrame(parts, schema=["now", "base"], orient="row").with_columns(
        nt=pl.col("now").sum(), bt=pl.col("base").sum()
    )
    found = frame.select(
        points=growth.contribution_points(NOW, BASE, pl.col("bt")),
        rate=growth.contribution_rate_pct(NOW, BASE, pl.col("nt"), pl.col("bt")),
        total=growth.growth_pct(pl.col("nt"), pl.col("bt")),
    )
    total = found["total"][0]
    if total is None:
        assert found["points"].null_count() == len(parts)
        return
    assert found["points"].sum() == pytest.approx(total, rel=1e-9, abs=1e-6)
    if found["rate"].null_count() == 0:
        assert found["rate"].sum() == pytest.approx(100.0, rel=1e-6)


SCHEMA = {"unit_id": pl.String, "g": pl.String, "amount": pl.Int64}


def units(rows: list[tuple[str, str, int | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def perimeter(now: pl.DataFrame, previous: pl.DataFrame) -> pl.DataFrame:
    both = now.join(previous.select("unit_id", before="amount"), on="unit_id", how="left")
    carried = both.with_columns(amount=growth.carried_over(pl.col("amount"), pl.col("before")))
    return growth.net_changes(carried, previous, ["g"])


def test_perimeter_of_entrant_leaver_stayer_and_mover() -> None:
    now = units([("stay", "a", 100), ("new", "a", 30), ("moved", "b", 50), ("silent", "a", None)])
    previous = units([("stay", "a", 60), ("gone", "a", 20), ("moved", "a", 40), ("silent", "a", 5)])
    assert perimeter(now, previous).rows() == [
        ("gone", "a", -20), ("moved", "a", -40), ("moved", "b", 40), ("new", "a", 30), ("silent", "a", -5),
    ]  # fmt: skip


UNITS = st.dictionaries(
    st.sampled_from([f"u{i}" for i in range(8)]), st.tuples(AMOUNT, st.sampled_from("abc")), max_size=8
)


@given(UNITS, UNITS, UNITS)
@settings(deadline=None)
def test_quarter_correction_and_perimeter_telescope_to_the_cumulative_figure(
    now: dict[str, tuple[int, str]], revised: dict[str, tuple[int, str]], published: dict[str, tuple[int, str]]
) -> None:
    current, earlier, printed = (units([(u, g, v) for u, (v, g) in d.items()]) for d in (now, revised, published))
    both = current.join(earlier.select("unit_id", before="amount"), on="unit_id")
    moved = perimeter(current, earlier)
    corrected = growth.net_changes(earlier, printed, ["g"])
    for group in "abc":

        def total(frame: pl.DataFrame, column: str = "amount", group: str = group) -> int:
            return int(frame.filter(g=group)[column].sum())

        discrete = total(both) - total(both, "before")
        assert total(current) == total(printed) + total(corrected) + discrete + total(moved)
