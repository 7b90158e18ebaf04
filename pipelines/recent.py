"""What was asked for recently, kept up to a number of bytes: a quarter of a nation takes gigabytes, that of a province nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar, cast

import polars as pl

from schemas.period_data import PeriodData

V = TypeVar("V")
KEPT_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
"""A quarter of this machine's memory: two years of a nation need 4.5 GiB."""


class Recent:
    """Values by key, each made once while it is among what was asked for last and all of it takes at most ``limit`` bytes.

    The newest is always kept. Frames made of one another share most of their columns, and what is shared counts once.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self.limit = limit
        self._made: dict[Hashable, object] = {}
        self._most: dict[Hashable, int] = {}  # bytes, if nothing were shared
        self._buffers: dict[Hashable, dict[int, int]] = {}  # address and bytes, once it matters

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """What stands under ``key``, else what ``make`` gives."""
        if key in self._made:
            self._made[key] = self._made.pop(key)
            return cast("V", self._made[key])
        value = make()
        self._made[key], self._most[key] = value, sum(int(f.estimated_size()) for f in frames_of(value))
        while len(self._made) > 1 and sum(self._most.values()) > self.limit and self._held() > self.limit:
            self._forget(next(iter(self._made)))
        return value

    def _held(self) -> int:
        together: dict[int, int] = {}
        for key, value in self._made.items():
            if key not in self._buffers:
                self._buffers[key] = buffers_of(value)
            together |= self._buffers[key]
        return sum(together.values())

    def _forget(self, key: Hashable) -> None:
        del self._made[key], self._most[key]
        self._buffers.pop(key, None)


def frames_of(value: object) -> Iterator[pl.DataFrame]:
    """The frames in a value."""
    match value:
        case pl.DataFrame():
            yield value
        case PeriodData():
            yield from (*value.rosters.values(), value.parks, value.context)
        case tuple():
            for one in value:
                yield from frames_of(one)


def buffers_of(value: object) -> dict[int, int]:
    """Address and bytes of every buffer behind the frames in a value."""
    return {
        buffer.address: buffer.size
        for frame in frames_of(value)
        for column in frame.to_arrow(compat_level=pl.CompatLevel.newest()).columns
        for chunk in column.chunks
        for buffer in chunk.buffers()
        if buffer is not None
    }
