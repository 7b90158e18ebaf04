"""What is kept, and what has to go."""

from __future__ import annotations

import polars as pl

from pipelines.recent import Recent, bytes_of
from schemas.period import Period
from schemas.period_data import PeriodData

EIGHT = pl.DataFrame({"a": [1]})


def test_a_value_is_made_once_while_there_is_room() -> None:
    made: list[str] = []

    def make(name: str) -> pl.DataFrame:
        made.append(name)
        return EIGHT

    recent = Recent(limit=16)
    for name in ("a", "b", "a", "c", "b", "a"):
        assert recent.get(name, lambda name=name: make(name)) is EIGHT  # type: ignore[misc]
    assert made == ["a", "b", "c", "a"]  # c drove out a; b stayed


def test_a_value_larger_than_the_limit_is_still_given() -> None:
    recent = Recent(limit=1)
    assert recent.get("a", lambda: EIGHT) is EIGHT
    assert recent.get("a", lambda: EIGHT.clone()) is EIGHT


def test_bytes_are_those_of_all_frames() -> None:
    data = PeriodData(Period(2025), {"enterprise": EIGHT, "projects": EIGHT}, EIGHT, EIGHT)
    assert (bytes_of(data), bytes_of((data, EIGHT, "text"))) == (32, 40)
