"""Whether the groups of this quarter and those of last year's publication are the same kind of groups.

A class that nearly nobody had in one of the two (size in the first year: no annual report to class by) moves all units from the
unknown group into the others: the growth of a group by name would then be that of the classification. Source: docs/methods/monitoring.md.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from pipelines.methods.area_figures import UNKNOWN_CATEGORY
from pipelines.methods.monitoring_terms import Terms

NEARLY_ALL: Final = 0.9
"""Design value: the share of figures in the unknown group from which a classification says nothing."""
APART: Final = 0.05
"""Design value: up to this difference both sides are unknown alike, and the unknown groups compare."""
UNKNOWN_NAMES: Final = {"size": "未划型", "sub_park": "未分园", "section": "行业不明"}
UNLIKE_BEFORE: Final = "上年同期发布时几乎全部单位{},与本期的分组不可比"
UNLIKE_NOW: Final = "本期几乎全部单位{},与上年同期发布的分组不可比"


def unlike_groups(terms: Terms) -> pl.DataFrame:
    """area, breakdown, unlike (the reason, in words) of the groupings that last year's publication cannot be compared with.

    By the number of figures other than zero in the unknown group of this quarter's levels and of the published ones."""
    sides = terms.parts.filter(
        pl.col("term").is_in(["level", "published"]), ~pl.col("administrative"),
        pl.col("breakdown").is_in(list(UNKNOWN_NAMES)),
    )  # fmt: skip

    def unknown_share(term: str) -> pl.Expr:
        own = pl.col("n").filter(pl.col("term") == term)
        nameless = pl.col("n").filter((pl.col("term") == term) & (pl.col("category") == UNKNOWN_CATEGORY))
        return (
            pl.when(own.sum() > 0).then(nameless.sum() / own.sum()).alias(term)
        )  # a side nobody has compares with nothing

    shares = sides.group_by("area", "breakdown").agg(unknown_share("level"), unknown_share("published"))
    now, before = pl.col("level"), pl.col("published")
    apart = (now - before).abs() > APART
    name = pl.col("breakdown").replace_strict(UNKNOWN_NAMES, return_dtype=pl.String)
    said = (
        pl.when((before >= NEARLY_ALL) & (before > now)).then(pl.format(UNLIKE_BEFORE, name))
        .when(now >= NEARLY_ALL).then(pl.format(UNLIKE_NOW, name))
    )  # fmt: skip
    return shares.filter(apart).with_columns(unlike=said).drop_nulls("unlike").select("area", "breakdown", "unlike")
