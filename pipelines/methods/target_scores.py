"""Scores of plan targets for the evaluation: in the middle of a plan against the path, at its end against the target.

Source: index_system.md 9.2: period score = completion ÷ expected progress, held in [0, 120]; targets without figures are
left out and counted, never taken as 0. Code reads the mart ``targets_progress``.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.model import Edition

TARGETS: Final = "target_score"
TASKS: Final = "task_score"
SCORES: Final = (TARGETS, TASKS)
CEILING: Final = 120.0
TRACKED: Final = {"computed": TARGETS, "task_register": TASKS}
COLUMNS: Final = {"area": pl.String(), "score": pl.String(), "value": pl.Float64(), "basis": pl.String()}


def target_scores(cells: pl.DataFrame, edition: Edition) -> pl.DataFrame:
    """(area, score, value, basis): mean score of the targets of an area, of computed ones and of those in the task register.

    ``cells``: mart ``targets_progress`` of the year. A target whose expected progress is 0 or unknown has no score yet.
    """
    kind = {f"{t.plan_id}.{t.row_no}": TRACKED[t.tracking] for t in edition.targets if t.tracking in TRACKED}
    if cells.is_empty() or not kind:
        return pl.DataFrame(schema=COLUMNS)
    wide = (
        cells.filter(pl.col("measure").is_in(["completion", "expected"]) & pl.col("indicator").is_in(list(kind)))
        .select("area", "indicator", "measure", "value")
        .pivot("measure", index=["area", "indicator"], values="value", aggregate_function="first")
    )
    for name in ("completion", "expected"):
        if name not in wide.columns:
            wide = wide.with_columns(pl.lit(None, dtype=pl.Float64).alias(name))
    ratio = (pl.col("completion") / pl.col("expected") * 100.0).clip(0.0, CEILING)
    scored = wide.filter(pl.col("area") != "").with_columns(
        score=pl.col("indicator").replace_strict(kind, return_dtype=pl.String),
        one=pl.when(pl.col("expected") > 0).then(ratio),
    )
    means = scored.group_by("area", "score").agg(value=pl.col("one").mean(), known=pl.col("one").count(), all=pl.len())
    basis = pl.format("规划目标{}项,其中有得分{}项", "all", "known")
    return (
        means.filter(pl.col("known") > 0)
        .select("area", "score", "value", basis=basis)
        .select(pl.col(c).cast(t) for c, t in COLUMNS.items())
        .sort("area", "score")
    )
