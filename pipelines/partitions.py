"""The periods that assets are partitioned by: one definition for all, since assets with different ones share no job."""

from __future__ import annotations

from typing import Final

import dagster as dg

from schemas.period import Period

FIRST_YEAR: Final = 2013
LAST_YEAR: Final = 2035


def all_periods() -> list[Period]:
    """All quarters and years the system will see, in their order: the annual period follows its fourth quarter."""
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    return [p for year in years for p in (*(Period(year, quarter) for quarter in (1, 2, 3, 4)), Period(year))]


PERIODS: Final = dg.StaticPartitionsDefinition([str(period) for period in all_periods()])
"""Partition key = SDMX TIME_PERIOD: 2025-Q1, 2025."""
