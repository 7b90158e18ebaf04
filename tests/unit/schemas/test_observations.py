"""Observations: archives of equal bytes, forms joined to one row a unit, files one below the other."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.catalog import programme
from schemas.observations import KEY_COLUMNS, Observations, merge, wide_roster
from schemas.period import Period

PERIOD = Period.parse("2014")
EDITION = programme().edition_for(PERIOD)


def form_frame(rows: list[tuple[str | None, int | None]], code: str, *, sheet: str = "表") -> pl.DataFrame:
    """Rows of (unit, figure) as a form frame with one indicator."""
    keys = pl.DataFrame(
        [("LBGX", unit, "f1", sheet, n + 8) for n, (unit, _) in enumerate(rows)], schema=KEY_COLUMNS, orient="row"
    )
    return keys.with_columns(pl.Series(code, [figure for _, figure in rows], dtype=pl.Int64))


FRAME = pl.DataFrame(
    {
        "n": [1, None, 3, None],
        "d": [Decimal("1.50"), None, None, Decimal("2.25")],
        "s": ["甲", None, "一个长得放不进视图的名称,一个长得放不进视图的名称", ""],
        "b": [True, None, False, None],
        "t": [date(2014, 1, 1), None, None, date(2015, 1, 1)],
        "all_null": pl.Series([None] * 4, dtype=pl.String),
    },
    schema_overrides={"d": pl.Decimal(18, 2)},
)


def _by_masking(frame: pl.DataFrame) -> pl.DataFrame:
    rubbish = {
        "n": 99,
        "d": Decimal("9.99"),
        "s": "藏在空值下面的文字,长得放不进视图",
        "b": True,
        "t": date(1999, 9, 9),
    }
    return frame.with_columns(
        pl.when(pl.col(n).is_not_null()).then(pl.col(n).fill_null(pl.lit(v, dtype=frame.schema[n])))
        for n, v in rubbish.items()
    )


@pytest.mark.parametrize(
    "made",
    [
        _by_masking(FRAME),
        pl.concat([FRAME.head(1), FRAME.slice(1)], rechunk=False),
        pl.concat([FRAME, FRAME.with_columns(s=pl.lit("剩下的文字,剩下的文字,剩下的文字"))]).head(4),
        FRAME.with_row_index("k").sort("k", descending=True).sort("k").drop("k"),
    ],
    ids=["values under nulls", "chunks", "text no row shows", "sorted"],
)
def test_equal_observations_give_equal_bytes_however_they_came_about(made: pl.DataFrame) -> None:
    assert_frame_equal(made, FRAME)
    assert Observations({"basic": made}).to_bytes() == Observations({"basic": FRAME}).to_bytes()


def test_different_observations_give_different_bytes() -> None:
    blank_for_null = FRAME.with_columns(pl.col("s").fill_null(""))
    assert Observations({"basic": blank_for_null}).to_bytes() != Observations({"basic": FRAME}).to_bytes()


def test_an_archive_reads_back_as_it_was_written() -> None:
    again = Observations.from_bytes(Observations({"basic": FRAME, "finance": FRAME.head(0)}).to_bytes())
    assert set(again.frames) == {"basic", "finance"}
    assert_frame_equal(again.frames["basic"], FRAME)
    assert_frame_equal(again.frames["finance"], FRAME.head(0))
    assert again.cell_map.height == 0


def test_forms_of_a_roster_are_joined_on_the_unit_whatever_their_order() -> None:
    observations = Observations(
        {
            "finance": form_frame([("A", 10), ("B", 20)], "F01"),
            "personnel": form_frame([("B", 2), (None, 5), ("C", 3), ("C", 4)], "P01"),
        }
    )
    wide = wide_roster(observations, EDITION, "enterprise", PERIOD)
    assert wide.select("park", "unit_id", "F01", "P01").rows() == [
        ("LBGX", "A", 10, None),
        ("LBGX", "B", 20, 2),
        ("LBGX", "C", None, 3),
    ]
    assert "_row" not in wide.columns


def test_forms_that_list_the_same_units_in_the_same_order_keep_every_figure() -> None:
    observations = Observations(
        {"finance": form_frame([("A", 10), ("B", 20)], "F01"), "personnel": form_frame([("A", 1), ("B", 2)], "P01")}
    )
    wide = wide_roster(observations, EDITION, "enterprise", PERIOD)
    assert wide.select("unit_id", "F01", "P01").rows() == [("A", 10, 1), ("B", 20, 2)]


@given(
    st.lists(st.tuples(st.sampled_from(["A", "B", "C", None]), st.integers(0, 99)), max_size=6),
    st.lists(st.tuples(st.sampled_from(["A", "B", "D", None]), st.integers(0, 99)), max_size=6),
)
def test_a_wide_roster_has_each_unit_once_with_the_figure_of_its_first_row(
    finance: list[tuple[str | None, int]], personnel: list[tuple[str | None, int]]
) -> None:
    frames = {"finance": form_frame(finance, "F01"), "personnel": form_frame(personnel, "P01")}
    wide = wide_roster(Observations(frames), EDITION, "enterprise", PERIOD)
    first = [{}, {}]  # type: list[dict[str, int]]
    for found, rows in zip(first, (finance, personnel), strict=True):
        for unit, figure in rows:
            if unit is not None:
                found.setdefault(unit, figure)
    order = list(dict.fromkeys([*first[0], *first[1]]))
    assert wide.select("unit_id", "F01", "P01").rows() == [(u, first[0].get(u), first[1].get(u)) for u in order]


def test_files_of_one_submission_stand_one_below_the_other() -> None:
    one, two = form_frame([("A", 1)], "F01"), form_frame([("B", 2)], "F01").with_columns(F02=pl.lit(7))
    merged = merge([Observations({"finance": one}), Observations({"finance": two})]).frames["finance"]
    assert merged.select("unit_id", "F01", "F02").rows() == [("A", 1, None), ("B", 2, 7)]


def test_every_form_of_the_round_is_there_with_all_its_columns() -> None:
    complete = Observations({"finance": form_frame([("A", 1)], "F01")}).with_all_columns(EDITION, PERIOD)
    assert complete.frames["finance"]["F03"].to_list() == [None]
    assert complete.frames["finance"].schema["F03"] == pl.Int64
    assert complete.frames["personnel"].height == 0
    assert "P01" in complete.frames["personnel"].columns
