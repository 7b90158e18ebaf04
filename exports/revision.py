"""What a revised release changed: the printed figures of two releases of one period, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import polars as pl

from exports.display import number_of
from schemas.marts import PUBLISHED_COLUMNS

REVISIONS: Final = "revisions"
_LABELS: Final = (
    "table", "period", "area", "area_name", "breakdown", "category", "category_name", "indicator", "indicator_name",
    "unit_measure", "measure", "measure_name",
)  # fmt: skip
REVISION_COLUMNS: Final[dict[str, pl.DataType]] = {
    "mart": pl.String(),
    "row_key": pl.String(),
    **{name: PUBLISHED_COLUMNS[name] for name in _LABELS},
    "kind": pl.String(),  # changed, added, dropped, status
    "display_before": pl.String(),
    "display_after": pl.String(),
    "status_before": pl.String(),
    "status_after": pl.String(),
    "difference": pl.String(),  # of the two printed figures, never of the unrounded ones
    "release_before": pl.String(),
    "release_after": pl.String(),
}
KINDS: Final = {"changed": "数字改变", "added": "新增", "dropped": "不再公布", "status": "状态改变"}


def revision_table(before: Mapping[str, pl.DataFrame], after: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every cell whose printed figure or status differs between two sets of published marts; empty when none does.

    The difference is taken between printed figures: unrounded ones could tell what a single unit changed.
    """
    frames = [_of_mart(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]
    changed = [frame for frame in frames if frame is not None and not frame.is_empty()]
    if not changed:
        return pl.DataFrame(schema=REVISION_COLUMNS)
    return pl.concat(changed).sort("mart", "row_key")


def _of_mart(name: str, before: pl.DataFrame | None, after: pl.DataFrame | None) -> pl.DataFrame | None:
    some = after if after is not None else before
    if some is None:
        return None
    keep = ["row_key", *_LABELS, "display", "status", "release"]
    old = (before if before is not None else some.clear()).select(keep)
    new = (after if after is not None else some.clear()).select(keep)
    both = old.join(new, on="row_key", how="full", suffix="_after", coalesce=True)
    kind = (
        pl.when(pl.col("display").is_null())
        .then(pl.lit("added"))
        .when(pl.col("display_after").is_null())
        .then(pl.lit("dropped"))
        .when(pl.col("display") != pl.col("display_after"))
        .then(pl.lit("changed"))
        .when(pl.col("status") != pl.col("status_after"))
        .then(pl.lit("status"))
    )
    changed = both.with_columns(kind.alias("kind")).filter(pl.col("kind").is_not_null())
    difference = [_difference(*pair) for pair in changed.select("display", "display_after").iter_rows()]
    return changed.select(
        pl.lit(name).alias("mart"),
        "row_key",
        *(pl.coalesce(f"{label}_after", label).alias(label) for label in _LABELS),
        "kind",
        pl.col("display").fill_null("").alias("display_before"),
        pl.col("display_after").fill_null("").alias("display_after"),
        pl.col("status").fill_null("").alias("status_before"),
        pl.col("status_after").fill_null("").alias("status_after"),
        pl.Series("difference", difference, dtype=pl.String),
        pl.col("release").fill_null("").alias("release_before"),
        pl.col("release_after").fill_null("").alias("release_after"),
    )


def _difference(before: str | None, after: str | None) -> str:
    if before is None or after is None or number_of(before) is None or number_of(after) is None:
        return ""
    return f"{Decimal(after) - Decimal(before):f}"
