"""What was made recently, kept up to a number of bytes: a quarter of a nation takes gigabytes, that of a province nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import polars as pl

from schemas.period_data import PeriodData

V = TypeVar("V")
KEPT_BYTES = 3 * 2**30


class Recent:
    """Values by key, each made once while it is among the latest ``limit`` bytes; the newest is always kept."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self.limit = limit
        self._made: dict[Hashable, tuple[object, int]] = {}

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """What stands under ``key``, else what ``make`` gives."""
        if key not in self._made:
            value = make()
            self._made[key] = (value, bytes_of(value))
            while len(self._made) > 1 and sum(size for _, size in self._made.values()) > self.limit:
                del self._made[next(iter(self._made))]
        return cast("V", self._made[key][0])


def bytes_of(value: object) -> int:
    """Bytes of the frames in a value; columns that frames share count in each."""
    match value:
        case pl.DataFrame():
            return int(value.estimated_size())
        case PeriodData():
            return sum(bytes_of(f) for f in (*value.rosters.values(), value.parks, value.context))
        case tuple():
            return sum(bytes_of(v) for v in value)
    return 0
