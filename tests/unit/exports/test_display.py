from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.display import displayed, figure, number_format, number_of, percent, signed, significant, with_display
from schemas.errors import DefinitionError
from schemas.marts import STATUSES


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [
        (2.675, 2, "2.68"),  # half up on what was written, not on the binary neighbour below it
        (-2.675, 2, "-2.68"),
        (0.285 * 100, 0, "29"),  # 28.499999999999996 is noise of the last digit
        (12.0, 1, "12.0"),
        (1173287650.0, 0, "1173287650"),
        (0.0, 1, "0"),  # a true zero
        (-0.0, 2, "0"),
        (18.7 - 18.6 - 0.1, 1, "0"),  # 1e-15: equal figures, not a small difference
        (0.04, 1, "0.0"),  # rounds to zero, but is none
        (-0.04, 1, "0.0"),
        (99.95, 1, "100.0"),
        (5.0, None, "5"),
        (123456789012345680.0, 0, "123456789012345680"),
        (549755813888.2578, 4, "549755813888.2578"),  # more digits than 15: as it is, no digit lost
        (1e30, 1, "1" + "0" * 30 + ".0"),
    ],
)
def test_figures_are_rounded_half_up_once(value: float, decimals: int | None, shown: str) -> None:
    assert displayed(value, decimals, "A") == shown


@pytest.mark.parametrize(("status", "mark"), [("M", "—"), ("Z", "…"), ("C", "*")])
def test_marks_hide_the_value(status: str, mark: str) -> None:
    assert displayed(3.0, 1, status) == mark


@pytest.mark.parametrize("status", ["A", "E", "P"])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_figure_that_is_not_there_prints_the_mark_of_a_missing_one(value: float | None, status: str) -> None:
    assert displayed(value, 1, status) == "—"


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(DefinitionError, match="状态"):
        displayed(1.0, 0, "X")


def test_with_display_adds_one_column() -> None:
    cells = pl.DataFrame({"value": [1.25, None, None], "decimals": [1, 1, 1], "status": ["A", "C", "M"]})
    assert with_display(cells)["display"].to_list() == ["1.3", "*", "—"]


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=4), st.integers(0, 4))
def test_decimal_input_is_rounded_as_by_hand(number: Decimal, decimals: int) -> None:
    expected = number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    assert Decimal(displayed(float(number), decimals, "A")) == expected


@given(st.floats(-1e10, 1e10), st.integers(0, 4))
def test_what_is_shown_reads_back_as_the_number_of_a_workbook(value: float, decimals: int) -> None:
    shown = displayed(value, decimals, "A")
    number = number_of(shown)
    assert number is not None
    digits = len(number_format(shown).partition(".")[2])
    assert f"{number:.{digits}f}" == shown


def test_marks_are_no_numbers() -> None:
    assert [number_of(mark) for mark, _ in STATUSES.values()] == [None] * len(STATUSES)
    assert number_of("-") is None


def test_figures_within_sentences_follow_the_same_rounding() -> None:
    assert [figure(v, 2) for v in (30.625, 2.675, 1.005, None)] == ["30.63", "2.68", "1.01", "—"]
    assert [signed(v, 2) for v in (1.005, -0.125, 0.0, 0.001)] == ["+1.01", "-0.13", "0", "+0.00"]
    assert [significant(v) for v in (12345.67, 1234.5, 1.00005, 0.00123456, -2.5)] == ["12346", "1235", "1.000", "0.001235", "-2.500"]  # fmt: skip
    assert [percent(v) for v in (0.625, 0.6, 0.596, 1.0, 0.0005)] == ["62.5%", "60%", "59.6%", "100%", "0.1%"]
