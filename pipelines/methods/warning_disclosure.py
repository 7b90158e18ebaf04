"""Which figures of the early-warning table would let an outsider work out a level that disclosure control has hidden.

The score of an area is a weighted mean of its levels with published weights, and the note of the combined level counts them by
colour: with the other levels shown, both say what a hidden one is. The combined level itself is an order and stays.
Source: docs/methods/warnings.md.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from pipelines.methods.disclosure.protect import HIDDEN_NOTE
from pipelines.methods.warnings import COMBINED

CONFIDENTIAL: Final = "C"


def with_scores_kept_back(cells: pl.DataFrame) -> pl.DataFrame:
    """Published cells of ``monitoring_warnings``: no score, and no count of levels, of an area and quarter one of whose levels is hidden."""
    hidden = cells.filter(measure="level", status=CONFIDENTIAL).select("area", "period").unique()
    concerned = pl.struct("area", "period").is_in(hidden.to_struct().implode()) & (pl.col("indicator") == COMBINED)
    score, level = concerned & (pl.col("measure") == "score"), concerned & (pl.col("measure") == "level")
    return cells.with_columns(
        value=pl.when(score).then(None).otherwise("value"),
        status=pl.when(score).then(pl.lit(CONFIDENTIAL)).otherwise("status"),
        note=pl.when(score).then(pl.lit(HIDDEN_NOTE)).when(level).then(pl.lit("")).otherwise("note"),
    )
