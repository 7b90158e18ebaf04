"""Which figures of the early-warning table would let an outsider work out a level that disclosure control has hidden.

The score of an area is a weighted mean of its levels with published weights, and the note of the combined level counts them by
colour: with the other levels shown, both say what a hidden one is. The combined level itself is an order and stays.
Source: docs/methods/warnings.md.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from pipelines.methods.disclosure.protect import HIDDEN_NOTE
from pipelines.methods.warning_levels import RED, floor_sentence
from pipelines.methods.warnings import COMBINED

CONFIDENTIAL: Final = "C"
PARTLY_HIDDEN: Final = "依据中有为保护单位资料不公布的数"


def with_scores_kept_back(cells: pl.DataFrame, floor: int) -> pl.DataFrame:
    """Published cells of ``monitoring_warnings``: no score, and no count of levels, of an area and quarter one of whose levels is hidden.

    The combined level says instead that not all it rests on is published, and which red indicators hold it at ``floor`` (the least
    level where one is red; 0 without such a rule): only those that are published as red themselves.
    """
    hidden = cells.filter(measure="level", status=CONFIDENTIAL).select("area", "period").unique()
    concerned = pl.struct("area", "period").is_in(hidden.to_struct().implode()) & (pl.col("indicator") == COMBINED)
    score, level = concerned & (pl.col("measure") == "score"), concerned & (pl.col("measure") == "level")
    reds = cells.filter(
        pl.col("measure") == "level", pl.col("value") == RED, pl.col("status") != CONFIDENTIAL,
        pl.col("indicator") != COMBINED,
    )  # fmt: skip
    shown: dict[tuple[str, str], list[str]] = {}
    for area, period, indicator in reds.sort("indicator").select("area", "period", "indicator").iter_rows():
        shown.setdefault((area, period), []).append(indicator)
    told = [
        "。".join(filter(None, (floor_sentence(shown.get((area, period), []), value, floor), PARTLY_HIDDEN)))
        for area, period, value in cells.select("area", "period", "value").iter_rows()
    ]
    return cells.with_columns(
        value=pl.when(score).then(None).otherwise("value"),
        status=pl.when(score).then(pl.lit(CONFIDENTIAL)).otherwise("status"),
        note=pl.when(score).then(pl.lit(HIDDEN_NOTE)).when(level).then(pl.Series(told)).otherwise("note"),
    )
