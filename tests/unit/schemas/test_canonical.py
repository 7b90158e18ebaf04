"""Equal frames give equal bytes, however they came about."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.canonical import frame_bytes, read_frame

TEXT = st.one_of(st.sampled_from(["", "甲", "F01"]), st.text(max_size=40))
KINDS: dict[str, tuple[pl.DataType, st.SearchStrategy[object]]] = {
    "integer": (pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    "decimal": (pl.Decimal(18, 2), st.decimals(-(10**9), 10**9, places=2)),
    "number": (pl.Float64(), st.floats(allow_infinity=True, allow_nan=True)),
    "flag": (pl.Boolean(), st.booleans()),
    "day": (pl.Date(), st.dates(date(1900, 1, 1), date(2100, 1, 1))),
    "text": (pl.String(), TEXT),
    "list": (pl.List(pl.String()), st.lists(st.none() | TEXT, max_size=4)),
    "record": (
        pl.Struct({"code": pl.String(), "value": pl.Int64()}),
        st.fixed_dictionaries({"code": st.none() | TEXT, "value": st.none() | st.integers(-9, 9)}),
    ),
}


def columns_of(kind: str) -> st.SearchStrategy[list[object]]:
    return st.lists(st.none() | KINDS[kind][1], max_size=40)


def ways(values: list[object], other: list[object], dtype: pl.DataType, cut: int) -> dict[str, pl.DataFrame]:
    """One frame made in the ways that leave different remains in memory."""
    frame = pl.DataFrame({"c": pl.Series(values, dtype=dtype)})
    beside = pl.DataFrame({"c": pl.Series(other, dtype=dtype)})
    whole, before = pl.concat([beside, frame, beside]), beside.height
    is_own = pl.Series([before <= n < before + frame.height for n in range(whole.height)], dtype=pl.Boolean)
    known = pl.Series([v is not None for v in values], dtype=pl.Boolean)
    return {
        "as it is": frame,
        "slice of chunks": whole.slice(before, frame.height),
        "slice of one chunk": whole.rechunk().slice(before, frame.height),
        "filtered": whole.filter(is_own),
        "put together": pl.concat([frame.slice(0, cut), frame.slice(cut)]),
        "picked": frame[list(range(frame.height))],
        "turned twice": frame.reverse().reverse().cast({"c": dtype}),
        "hidden under nulls": frame.select(
            pl.when(known).then(pl.col("c").fill_null(strategy="backward")).cast(dtype).alias("c")
        ),
        "read back": read_frame(frame_bytes(frame)),
    }


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_equal_frames_give_equal_bytes(kind: str, data: st.DataObject) -> None:
    values, other = data.draw(columns_of(kind)), data.draw(columns_of(kind))
    made = ways(values, other, KINDS[kind][0], data.draw(st.integers(0, len(values))))
    for name, frame in made.items():
        assert_frame_equal(frame, made["as it is"])
        assert frame_bytes(frame) == frame_bytes(made["as it is"]), name


def test_a_sorted_frame_is_the_frame_that_was_typed_in_order() -> None:
    typed = pl.DataFrame({"unit_id": ["甲", "乙"], "F01": [1, 2], "R": [Decimal("1.50"), None]})
    assert frame_bytes(typed.reverse().sort("F01")) == frame_bytes(typed)


def test_zero_has_no_sign_and_not_a_number_one_spelling() -> None:
    assert frame_bytes(pl.DataFrame({"x": [-0.0]})) == frame_bytes(pl.DataFrame({"x": [0.0]}))


def test_another_value_another_type_or_another_order_gives_other_bytes() -> None:
    some = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    others = [some.reverse(), some.select("b", "a"), some.cast({"a": pl.Int32}), some.with_columns(a=pl.lit(1))]
    assert len({frame_bytes(frame) for frame in [some, *others]}) == 5
