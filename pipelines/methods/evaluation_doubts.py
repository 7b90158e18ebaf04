"""Doubts about the figures behind an evaluation: estimated, explained but not proven, late. They widen the rank intervals.

A doubt never changes a value. A value is taken to be uncertain where the units concerned are at least ``share`` of the units
of its area; how uncertain is said in the scheme ([uncertainty] errors), by kind. Source: issue 4 section 1, input error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from pipelines.methods.areas import Area

DOUBT_COLUMNS: Final = {
    "park": pl.String(),
    "year": pl.Int64(),
    "unit_id": pl.String(),  # empty: the whole report
    "code": pl.String(),  # indicator the doubt is about, empty: all
    "kind": pl.String(),
}
ESTIMATED: Final = "E"
SOFT: Final = "soft"
LATE: Final = "late"
KINDS: Final = (ESTIMATED, SOFT, LATE)  # the gravest first
CERTAIN: Final = "A"


def doubted(
    units: pl.DataFrame,
    doubts: pl.DataFrame,
    year: int,
    codes: Mapping[str, frozenset[str]],
    areas: Mapping[str, Area],
    chosen: Sequence[str],
    share: float,
) -> pl.DataFrame:
    """(area, indicator, error): the gravest kind of doubt about every indicator that reads a roster, ``A`` for none.

    ``units``: unit_id, park, sub_park, estimated of one year; ``codes``: indicator → the codes its formula reads.
    """
    mine = doubts.filter(pl.col("year") == year)
    late = set(mine.filter(pl.col("kind") == LATE)["park"])
    soft = mine.filter(pl.col("kind") == SOFT).select("unit_id", "code").unique()
    rows = []
    for code in chosen:
        area = areas[code]
        inside = (
            units.filter(pl.col("sub_park") == code)
            if area.is_sub_park
            else units.filter(pl.col("park").is_in(area.zones))
        )
        known = set(inside["unit_id"])
        estimated = set(inside.filter("estimated")["unit_id"])
        explained = soft.filter(pl.col("unit_id").is_in(list(known)))
        parks = {area.zone} if area.is_sub_park else set(area.zones)
        for indicator, read in codes.items():
            about = set(explained.filter(pl.col("code").is_in(list(read)))["unit_id"])
            found = {
                ESTIMATED: _is_enough(estimated, known, share),
                SOFT: _is_enough(about, known, share),
                LATE: bool(parks & late),
            }
            rows.append((code, indicator, next((kind for kind in KINDS if found[kind]), CERTAIN)))
    return pl.DataFrame(rows, schema={"area": pl.String, "indicator": pl.String, "error": pl.String}, orient="row")


def _is_enough(some: set[str], known: set[str], share: float) -> bool:
    return bool(known) and len(some) >= share * len(known) and bool(some)
