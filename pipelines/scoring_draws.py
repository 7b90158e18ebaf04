"""How many draws a table can have, how many an interval needs, and what is said of the intervals made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import polars as pl

from exports.display import percent
from pipelines.methods.index.definition import ScoringSystem
from pipelines.methods.index.drawn_weights import held_groups
from pipelines.methods.index.rank_spread import RankSpread
from pipelines.methods.index.robustness import RobustnessPlan
from pipelines.methods.index.table import UnitTable
from schemas.errors import DefinitionError

MOST_DRAWS: Final = 1_000_000
MOST_NUMBERS: Final = 10_000_000  # draws × (units + indicators); 7 million took 2.5 GB at the peak
ADVISED_DRAWS: Final = 1000


def check_draws(system: ScoringSystem, table: UnitTable, draws: int) -> None:
    """Raise DefinitionError for more draws than fit in memory for a table of this size."""
    most = max(1, min(MOST_DRAWS, MOST_NUMBERS // (len(table.units) + len(system.leaves))))
    if draws > most:
        raise DefinitionError(
            f"draws 为 {draws},这张表({len(table.units)} 个单位,{len(system.leaves)} 项指标)最多 {most}",
            remedy=f"请写 {ADVISED_DRAWS} 到 {most} 之间的数;再多不改变结论,只占内存。",
        )


def draws_needed(level: float) -> int:
    """The fewest draws of which one is expected beyond each end of an interval of this level: 20 for 90 %."""
    return math.ceil(round(2.0 / (1.0 - level), 9))


def said_of_draws(
    system: ScoringSystem, intervals: pl.DataFrame, spread: RankSpread, plan: RobustnessPlan, draws: int, seed: int
) -> Iterator[str]:
    """The width of the intervals, and what they cannot be used for."""
    if held := held_groups(system):
        yield f"{'、'.join(held)} 的权重来自得分,但不随抽样重新估计(逐单位取最有利的权重,或逐次求解太慢):名次区间不含这一部分。"
    least = draws_needed(plan.level)
    if draws < least:
        yield (
            f"{draws} 次抽样太少:{percent(plan.level)} 区间的每一端要有抽样落在外面,至少 {least} 次(建议 {ADVISED_DRAWS} 次以上);"
            "现在的区间只是抽到的最小值和最大值,不宜使用。"
        )
    elif 0 < spread.score_draws < least:
        yield f"得分区间只有 {spread.score_draws} 次抽样可用,{percent(plan.level)} 的区间至少要 {least} 次:得分区间不宜使用。"
    wide = intervals.select((pl.col("rank_high") - pl.col("rank_low")).median()).item()
    if wide is not None:
        yield f"{draws} 次抽样(种子 {seed}),{percent(plan.level)} 名次区间宽度的中位数为 {wide:g} 位;名次应连同区间使用。"
    if not spread.score_draws:
        yield "没有一次抽样用本定义的无量纲化,得分的尺度不同:不给得分区间,只给名次区间。"
    elif spread.score_draws < draws:
        yield f"得分区间只取用本定义无量纲化的 {spread.score_draws} 次抽样;其余抽样的得分尺度不同,只用于名次。"
