"""The observations of one reporting period, as expressions see them (architecture.md, contract 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from schemas import reserved
from schemas.period import Period

ENTERPRISE = "enterprise"
PARK = "park"
CONTEXT = "context"


@dataclass(frozen=True)
class PeriodData:
    """Everything an expression may reach in one period.

    ``rosters``: name → wide frame, one row a unit, with ``unit_id``, ``park`` and the codes; the enterprise frame also
    has ``sub_park``, ``answer_status``, ``weight``, ``imputed`` and operand columns (``F01_yoy``).
    ``parks``: one row a member park (also those that reported nothing, with nulls), K codes in columns, ``park``; a
    ``kind`` column, where present, says which rows are zones. Any grouping column asked of an aggregate must stand in the
    rosters and, for K codes, in ``parks``.
    ``context``: one row an area and year (Y01, Y02, codes).
    """

    period: Period
    rosters: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    parks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"park": pl.String}))
    context: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={reserved.AREA: pl.String, reserved.YEAR: pl.Int64})
    )
