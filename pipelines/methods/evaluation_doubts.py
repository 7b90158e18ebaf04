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
    members = _members(units, areas, chosen)
    size = members.group_by("area").agg(all=pl.len(), estimated=pl.col("estimated").sum())
    read = pl.DataFrame(
        [(indicator, code) for indicator, found in codes.items() for code in sorted(found)],
        schema={"indicator": pl.String, "code": pl.String}, orient="row",
    )  # fmt: skip
    explained = (
        members.join(mine.filter(pl.col("kind") == SOFT).select("unit_id", "code").unique(), on="unit_id")
        .join(read, on="code")
        .group_by("area", "indicator")
        .agg(explained=pl.col("unit_id").n_unique())
    )
    late = set(mine.filter(pl.col("kind") == LATE)["park"])
    is_late = [bool(({areas[c].zone} if areas[c].is_sub_park else set(areas[c].zones)) & late) for c in chosen]
    wanted = pl.DataFrame({"area": list(chosen), "late": is_late}, schema={"area": pl.String, "late": pl.Boolean})

    def is_enough(column: str) -> pl.Expr:
        count = pl.col(column).fill_null(0)
        return (count > 0) & (count >= share * pl.col("all").fill_null(0))

    return (
        wanted.join(pl.DataFrame({"indicator": list(codes)}, schema={"indicator": pl.String}), how="cross")
        .join(size, on="area", how="left", maintain_order="left")
        .join(explained, on=["area", "indicator"], how="left", maintain_order="left")
        .select(
            "area",
            "indicator",
            error=pl.when(is_enough("estimated"))
            .then(pl.lit(ESTIMATED))
            .when(is_enough("explained"))
            .then(pl.lit(SOFT))
            .when("late")
            .then(pl.lit(LATE))
            .otherwise(pl.lit(CERTAIN)),
        )
    )


def _members(units: pl.DataFrame, areas: Mapping[str, Area], chosen: Sequence[str]) -> pl.DataFrame:
    """(area, unit_id, estimated): every unit in every area of ``chosen`` it belongs to."""
    parks = [(zone, c) for c in chosen for zone in areas[c].zones]
    subs = [(c, c) for c in chosen if areas[c].is_sub_park]
    frames = [
        units.join(pl.DataFrame(pairs, schema={column: pl.String, "area": pl.String}, orient="row"), on=column)
        for column, pairs in (("park", parks), ("sub_park", subs))
    ]
    return pl.concat([f.select("area", "unit_id", "estimated") for f in frames])
