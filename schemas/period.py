"""Reporting periods 报告期: a year, a quarter or (products only) a half-year."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import total_ordering

from schemas.errors import DefinitionError

_FORMS = re.compile(r"(?P<year>(?:19|20)\d\d)(?:-?(?P<kind>[QHqh])(?P<part>[1-4]))?")
_TITLE = re.compile(r"(?P<year>(?:19|20)\d\d)\s*年\s*(?:1\s*[-‐-―－~～至]\s*(?P<months>3|6|9|12)\s*月|(?!\s*\d))")


@total_ordering
@dataclass(frozen=True)
class Period:
    """One reporting period; ``str`` gives SDMX TIME_PERIOD (``2025``, ``2025-Q1``, ``2025-H1``).

    Ordered by last day, then the longer period later: ``2025-Q4`` before ``2025``, since the annual figure is final.
    """

    year: int
    quarter: int | None = None
    half: int | None = None

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read ``2025``, ``2025-Q1``, ``2025Q1`` (as printed on the form) or ``2025-H1``.

        Raises DefinitionError for anything else.
        """
        found = _FORMS.fullmatch(text.strip())
        if not found or (found["kind"] in ("H", "h") and found["part"] not in ("1", "2")):
            raise DefinitionError(f"报告期“{text}”无效", remedy="年报写 2025,季报写 2025-Q1,半年写 2025-H1。")
        year, part = int(found["year"]), int(found["part"] or 0)
        if not part:
            return cls(year)
        return cls(year, quarter=part) if found["kind"] in "Qq" else cls(year, half=part)

    @classmethod
    def of_title(cls, text: str) -> Period | None:
        """The collected period that a text names as headings print it (``title``), with any dash; None where it names none."""
        found = _TITLE.search(text)
        if not found:
            return None
        months = found["months"]
        return cls(int(found["year"]), quarter=int(months) // 3) if months else cls(int(found["year"]))

    def __str__(self) -> str:
        if self.quarter:
            return f"{self.year}-Q{self.quarter}"
        return f"{self.year}-H{self.half}" if self.half else str(self.year)

    def __lt__(self, other: Period) -> bool:
        return (self.end, self._length) < (other.end, other._length)

    @property
    def _length(self) -> int:
        """Months of the period itself, whatever its figures are counted from."""
        return 3 if self.quarter else 6 if self.half else 12

    @property
    def round(self) -> str:
        """The letter audit rules use for the round: A annual, Q quarterly, H half-year."""
        return "Q" if self.quarter else "H" if self.half else "A"

    @property
    def months(self) -> int:
        """Months a cumulative figure of this period covers, counted from January."""
        return 3 * self.quarter if self.quarter else 6 * self.half if self.half else 12

    @property
    def end(self) -> date:
        """Last day of the period."""
        month = self.months
        following = date(self.year + 1, 1, 1) if month == 12 else date(self.year, month + 1, 1)
        return following - timedelta(days=1)

    @property
    def title(self) -> str:
        """As printed in headings: 2025年, 2025年1—3月 for cumulative quarters."""
        return f"{self.year}年" if self.months == 12 and not self.quarter else f"{self.year}年1—{self.months}月"

    def year_earlier(self) -> Period:
        """The same period of the year before 上年同期."""
        return Period(self.year - 1, self.quarter, self.half)

    def previous(self) -> Period | None:
        """The quarter before in the same year 上季; None for a first quarter and for years."""
        return Period(self.year, self.quarter - 1) if self.quarter and self.quarter > 1 else None

    def fourth_quarter(self) -> Period:
        """The fourth quarter of the same year, whose cumulative figures are the preliminary annual ones 快报."""
        return Period(self.year, 4)
