"""Where the targets of an area stand (W15): the median gap over the targets that still run, of which year, of how many.

A target whose target year (of a stage, the last year of its window) lies before the quarter is finished: it is judged by its
final score and warns of nothing any more. Source: index_system.md 5; docs/methods/warnings.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

import polars as pl

from pipelines.methods.product import Product
from pipelines.methods.target_versions import changed, changes_on
from schemas.model import Edition
from schemas.period import Period
from schemas.target_paths import window_of

GAP: Final = "gap"
EXPECTED: Final = "expected"
NO_PROGRESS: Final = "上年没有年报,目标进展未计算"
NO_TARGETS: Final = "没有本区的规划目标"
FINISHED: Final = "本区规划目标均已到期(最晚{}年),不再预警"
NOT_BEGUN: Final = "本区规划目标均未到起算时间"
NO_FIGURES: Final = "本区规划目标缺少计算进度的数据"
RESTS_ON: Final = "依据截至{}年底的{}项未到期目标"


@dataclass(frozen=True)
class TargetGap:
    """The median gap in percentage points over ``count`` targets and what it rests on; without one ``problem`` says why."""

    value: float | None
    count: int | None = None
    rests_on: str = ""
    problem: str = ""


def last_years(edition: Edition, period: Period) -> dict[str, int]:
    """plan.row of every target with a last year → that year, in the version in force at the end of the period."""
    changes = changes_on(edition.target_changes, period.end)
    found: dict[str, int] = {}
    for planned in edition.targets:
        target = changed(planned, changes[planned.row_no]) if planned.row_no in changes else planned
        window = window_of(target)
        last = target.target_year if target.target_year is not None else window[1] if window else None
        if last is not None:
            found[f"{target.plan_id}.{target.row_no}"] = last
    return found


def target_gap(targets: Product | None, area: str, ends: Mapping[str, int], period: Period) -> TargetGap:
    """The median gap of the area's targets that are not finished before ``period``; ``ends`` as of ``last_years``."""
    if targets is None:
        return TargetGap(None, problem=NO_PROGRESS)
    own = targets.cells.filter(pl.col("area") == area)
    if own.is_empty():
        return TargetGap(None, problem=NO_TARGETS)
    finished = {name for name in own["indicator"].unique() if ends.get(name, period.year) < period.year}
    running = own.filter(~pl.col("indicator").is_in(sorted(finished)))
    gaps = running.filter(pl.col("measure") == GAP, pl.col("value").is_not_null())
    if gaps.height:
        year = gaps["period"][0]
        return TargetGap(median(gaps["value"].to_list()), gaps.height, RESTS_ON.format(year, gaps.height))
    if finished and running.filter(pl.col("measure") == EXPECTED).is_empty():
        return TargetGap(None, problem=FINISHED.format(max(ends[name] for name in finished)))
    due = running.filter(pl.col("measure") == EXPECTED, pl.col("value") > 0)
    return TargetGap(None, problem=NO_FIGURES if due.height else NOT_BEGUN)
