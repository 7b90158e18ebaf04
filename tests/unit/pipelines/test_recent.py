"""What is kept, and what has to go."""

from __future__ import annotations

import polars as pl

from pipelines.recent import Recent, buffers_of, frames_of
from schemas.period import Period
from schemas.period_data import PeriodData


def eight() -> pl.DataFrame:
    return pl.DataFrame({"a": [1]})


def test_a_value_is_made_once_while_there_is_room_and_what_was_not_asked_for_longest_goes() -> None:
    made: list[str] = []

    def make(name: str) -> pl.DataFrame:
        made.append(name)
        return eight()

    recent = Recent(limit=16)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert recent.get(name, lambda name=name: make(name)).equals(eight())  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]  # c drove out b, since a had been asked for again


def test_a_value_larger_than_the_limit_is_still_given() -> None:
    recent, one = Recent(limit=1), eight()
    assert recent.get("a", lambda: one) is one
    assert recent.get("a", lambda: eight()) is one


def test_columns_that_frames_share_count_once() -> None:
    whole = pl.DataFrame({f"c{n}": [n] * 1000 for n in range(10)})
    recent = Recent(limit=2 * whole.estimated_size())
    for n in range(20):
        recent.get(n, lambda n=n: whole.with_columns(extra=pl.lit(n)))  # type: ignore[misc]
    made = recent.get(0, lambda: pl.DataFrame())
    assert made.height == 1000


def test_frames_are_found_in_data_and_tuples() -> None:
    data = PeriodData(Period(2025), {"enterprise": eight(), "projects": eight()}, eight(), eight())
    assert len(list(frames_of((data, eight(), "text")))) == 5
    assert sum(buffers_of((data, eight(), "text")).values()) >= 40
