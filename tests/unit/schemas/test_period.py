"""Periods: spelling, order, neighbours."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DefinitionError
from schemas.period import Period

periods = st.builds(Period, st.integers(2000, 2050), st.sampled_from([None, 1, 2, 3, 4]))


@given(periods)
def test_text_and_back(period: Period) -> None:
    assert Period.parse(str(period)) == period
    assert Period.parse(str(period).replace("-", "")) == period


def test_the_order_in_which_reports_are_made() -> None:
    """Whatever order they come in: a year's report follows its fourth quarter and precedes the next first quarter."""
    told = [Period(2024), Period(2025, 3), Period(2025, 4), Period(2025), Period(2026, 1)]
    mixed = [told[n] for n in (4, 2, 0, 3, 1)]
    assert sorted(mixed) == sorted(told) == told
    assert Period(2025, half=1) > Period(2025, 2) and Period(2025, half=2) < Period(2025)


@given(periods, periods)
def test_order_is_total_and_by_the_last_day(a: Period, b: Period) -> None:
    assert (a < b) + (b < a) + (a == b) == 1
    assert a.end <= b.end or b < a


def test_neighbours() -> None:
    assert Period.parse("2025Q1").year_earlier() == Period(2024, 1)
    assert Period(2025, 1).previous() is None
    assert Period(2025, 3).previous() == Period(2025, 2)
    assert Period(2025).fourth_quarter() == Period(2025, 4)
    assert Period(2025, 2).end == date(2025, 6, 30)
    assert Period(2025).end == date(2025, 12, 31)


@pytest.mark.parametrize("text", ["", "2025Q5", "25Q1", "2025-H3", "2025年1季度", "20251"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="报告期"):
        Period.parse(text)


@pytest.mark.parametrize("text", ["2014", "2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4"])
def test_a_title_as_printed_is_read_back(text: str) -> None:
    period = Period.parse(text)
    assert Period.of_title(f"报告期:{period.title}") == period
    assert Period.of_title(f"报告期:{period.title.replace('—', ' - ')}") == period


@pytest.mark.parametrize("text", ["", "报告期:", "2025年1—5月", "2025年3月", "2025-Q1"])
def test_what_no_heading_prints_names_no_period(text: str) -> None:
    assert Period.of_title(text) is None
