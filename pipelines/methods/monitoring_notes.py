"""What a figure of monitoring says of itself: what was put in for whom, who is missing, why it is no plain quotient.

Expressions over the columns of ``monitoring_measures.with_totals``. Source: docs/methods/monitoring.md, "What a figure says of itself".
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from pipelines.methods import growth
from pipelines.methods.area_figures import UNKNOWN_CATEGORY
from pipelines.methods.series.imputing import METHODS as METHOD_NAMES

RESPONDENTS: Final = ("growth_matched", "year_earlier_matched", "cumulative_reported", "growth_reported")
CONSTANT: Final = ("cumulative_constant", "growth_real")
OF_BEFORE: Final = ("correction", "year_earlier_published", "cumulative_reported", "growth_reported")
"""Figures of another round, and those that say by name that only respondents are in them."""
WITHOUT_SIZE: Final = "前两年没有年报资料,不能按划分办法划型"
SILENT: Final = "未含{}个未报单位"
ONLY_PAIRS: Final = "按同口径计算:只含两期都有数的单位,{}个单位没有上年同期数、不在其内"
ONLY_PAIRS_TOTAL: Final = "按同口径增量计算:{}个单位没有上年同期数、不在其内"
OF_PAIRS: Final = {
    "growth_restated": ("no_base", ONLY_PAIRS),
    "growth_real": ("no_base", ONLY_PAIRS),
    "growth_reported": ("no_base", "按同口径计算:只含两期都有数的填报单位"),
    "growth_matched": ("no_match", "按匹配单位计算:{}个单位没有上年验收数、不在其内"),
    "contribution_rate": ("no_base_all", ONLY_PAIRS_TOTAL),
    "contribution_points": ("no_base_all", ONLY_PAIRS_TOTAL),
}
"""Comparisons that leave units out which the total of this quarter has: what a reader who divides the totals has to know."""


def note_of(code: str, sheet_codes: Collection[str], *, weighted: bool) -> pl.Expr:
    """The note of a figure that there is: a change of sign, its deflator, estimates, missing units, units a comparison leaves out."""
    said: list[pl.Expr] = [pl.when(pl.col("why") == growth.TURNED_NEGATIVE).then("why")]
    if code in CONSTANT:
        said.append(pl.format("按{}缩减", "deflator"))
    if code not in RESPONDENTS:
        plain = pl.lit("按权数推算" if weighted and code == "cumulative" else None, dtype=pl.String)
        said.append(pl.when(pl.col("imputed").fill_null(0) > 0).then(_imputed_note()).otherwise(plain))
    if code not in OF_BEFORE:
        said.append(_silent_note(code))
    said.append(_apart_note(code, sheet_codes))
    unclassed = (pl.col("breakdown") == "size") & (pl.col("category") == UNKNOWN_CATEGORY)
    said.append(pl.when(unclassed).then(pl.lit(WITHOUT_SIZE)))
    return pl.concat_str(said, separator="。", ignore_nulls=True)


def _silent_note(code: str) -> pl.Expr:
    """That due units without a report are not in the figure; null where none is missing, or the note of estimates counts them."""
    missing, imputed = pl.col("unknown").fill_null(0), pl.col("imputed").fill_null(0)
    left_out = imputed + missing if code in RESPONDENTS else pl.when(imputed == 0).then(missing)
    return pl.when(left_out > 0).then(pl.format(SILENT, left_out))


def _apart_note(code: str, sheet_codes: Collection[str]) -> pl.Expr:
    """That a comparison leaves units out which the total beside it has; null where it is the quotient of what stands beside it."""
    if code not in OF_PAIRS:
        return pl.lit(None, dtype=pl.String)
    counted, text = OF_PAIRS[code]
    left_out = pl.col(counted).fill_null(0)
    some = (left_out > 0) & ~pl.col("indicator").is_in(sorted(sheet_codes))
    return pl.when(some).then(pl.format(text, left_out) if "{}" in text else pl.lit(text))


def _imputed_note() -> pl.Expr:
    """How many units a figure has estimates of, by what method, and how many nothing is known of."""
    pieces = [
        pl.when(pl.col(f"by_{m}") > 0).then(pl.format(f"{name}{{}}户", pl.col(f"by_{m}")))
        for m, name in METHOD_NAMES.items()
    ]
    methods = pl.concat_str(pieces, separator="、", ignore_nulls=True)
    how = pl.when(methods != "").then(pl.format("({})", methods)).otherwise(pl.lit(""))
    left = (
        pl.when(pl.col("unknown") > 0)
        .then(pl.format(",另有{}户未报、无从估算", pl.col("unknown")))
        .otherwise(pl.lit(""))
    )
    return pl.format("含{}户估算数{}{}", pl.col("imputed"), how, left)
