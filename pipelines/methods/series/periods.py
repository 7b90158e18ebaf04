"""Periods of a table of series: years, quarters or months, in order and without gaps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.errors import DefinitionError

_QUARTER: Final = re.compile(r"(\d{4})(?:-?[Qq]|年第?)([1-4])(?:季度|季)?")
_MONTH: Final = re.compile(r"(\d{4})(?:-M|-|M|m|年|/)(\d{1,2})月?")
_YEAR: Final = re.compile(r"(\d{4})年?")
NAMES: Final = {1: "年", 4: "季", 12: "月"}


@dataclass(frozen=True, order=True)
class Point:
    """One period: ``number`` counts quarters or months within the year from 1; 1 for a year."""

    year: int
    number: int
    per_year: int

    @property
    def ordinal(self) -> int:
        """A number that grows by one from period to period."""
        return self.year * self.per_year + self.number - 1


def point(text: str) -> Point:
    """``2025Q1`` ``2025-Q1`` ``2025年1季度`` ``2025-03`` ``2025M3`` ``2025``. DefinitionError for anything else."""
    word = text.strip()
    quarter = _QUARTER.fullmatch(word)
    if quarter and (word[-1] == "季" or word.endswith("季度") or "q" in word.lower()):
        return Point(int(quarter[1]), int(quarter[2]), 4)
    month = _MONTH.fullmatch(word)
    if month and 1 <= int(month[2]) <= 12:
        return Point(int(month[1]), int(month[2]), 12)
    year = _YEAR.fullmatch(word)
    if year:
        return Point(int(year[1]), 1, 1)
    raise DefinitionError(f"看不懂报告期“{text}”", remedy="请写 2025Q1(季)、2025-03(月)或 2025(年)。")


def consecutive(texts: Sequence[str], whose: str = "") -> list[Point]:
    """The points of a series already in order. DefinitionError for mixed frequencies, repeats and gaps, naming them."""
    points = [point(t) for t in texts]
    if len({p.per_year for p in points}) > 1:
        raise DefinitionError(f"{whose}同一序列里混有年、季、月", remedy="一个文件只放一种频率。")
    for before, now, text in zip(points, points[1:], texts[1:], strict=False):
        if now.ordinal == before.ordinal:
            raise DefinitionError(f"{whose}报告期 {text} 出现两次", remedy="同一序列每期只能有一行。")
        if now.ordinal != before.ordinal + 1:
            raise DefinitionError(f"{whose}报告期 {text} 之前缺期", remedy="序列须连续;缺的期请先补齐或截短。")
    return points
