"""Scores of plan targets for the evaluation: in the middle of a plan against the path, at its end against the target.

Source: index_system.md 9.2. Period score 期中: completion ÷ expected progress, held in [0, 120]. Final score 期末: completion, held
in [0, 100], 100 within the tolerance of a target "about" so much. Targets without figures are left out and counted, never 0.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from pipelines.methods.estimates import ESTIMATED, NORMAL
from pipelines.methods.target_progress import TOLERANCE, is_about
from schemas.model import Edition

TARGETS: Final = "target_score"
TASKS: Final = "task_score"
FINAL: Final = "target_final_score"
SCORES: Final = (TARGETS, TASKS, FINAL)
CEILING: Final = 120.0
FULL: Final = 100.0
TRACKED: Final = {"computed": TARGETS, "task_register": TASKS}
COLUMNS: Final = {
    "area": pl.String(),
    "score": pl.String(),
    "value": pl.Float64(),
    "basis": pl.String(),
    "targets": pl.List(pl.String()),
    "status": pl.String(),
}


def target_scores(cells: pl.DataFrame, edition: Edition) -> pl.DataFrame:
    """(area, score, value, basis, targets, status): mean scores of the targets of an area, the codes of those that have one, E where
    the completion of one of them is.

    ``target_score``: computed targets against their path; ``task_score``: targets in the task register likewise;
    ``target_final_score``: both against the target itself. ``cells``: mart ``targets_progress`` of the year. A target
    whose expected progress is 0 or unknown has no period score yet.
    """
    tracked = {f"{t.plan_id}.{t.row_no}": t for t in edition.targets if t.tracking in TRACKED}
    if cells.is_empty() or not tracked:
        return pl.DataFrame(schema=COLUMNS)
    kind = {code: TRACKED[t.tracking] for code, t in tracked.items()}
    wide = (
        cells.filter(pl.col("measure").is_in(["completion", "expected"]) & pl.col("indicator").is_in(list(kind)))
        .select("area", "indicator", "measure", "value")
        .pivot("measure", index=["area", "indicator"], values="value", aggregate_function="first")
        .filter(pl.col("area") != "")
    )
    for name in ("completion", "expected"):
        if name not in wide.columns:
            wide = wide.with_columns(pl.lit(None, dtype=pl.Float64).alias(name))
    rests = cells.filter(pl.col("status") == ESTIMATED, measure="completion").select("area", "indicator").unique()
    wide = wide.join(rests.with_columns(estimated=True), on=["area", "indicator"], how="left")
    about = [code for code, t in tracked.items() if is_about(t)]
    near = pl.col("indicator").is_in(about) & ((pl.col("completion") - FULL).abs() <= TOLERANCE * FULL)
    against_path = (pl.col("completion") / pl.col("expected") * FULL).clip(0.0, CEILING)
    period = wide.with_columns(
        score=pl.col("indicator").replace_strict(kind, return_dtype=pl.String),
        one=pl.when(pl.col("expected") > 0).then(against_path),
    )
    final = wide.with_columns(
        score=pl.lit(FINAL), one=pl.when(near).then(FULL).otherwise(pl.col("completion").clip(0.0, FULL))
    )
    return _means(pl.concat([period, final]))


def _means(scored: pl.DataFrame) -> pl.DataFrame:
    means = scored.group_by("area", "score").agg(
        value=pl.col("one").mean(),
        known=pl.col("one").count(),
        all=pl.len(),
        targets=pl.col("indicator").filter(pl.col("one").is_not_null()).sort(),
        estimated=pl.col("estimated").filter(pl.col("one").is_not_null()).any(),
    )
    status = pl.when("estimated").then(pl.lit(ESTIMATED)).otherwise(pl.lit(NORMAL))
    basis = pl.format("规划目标{}项,其中有得分{}项", "all", "known")
    return (
        means.filter(pl.col("known") > 0)
        .select("area", "score", "value", "targets", basis=basis, status=status)
        .select(pl.col(c).cast(t) for c, t in COLUMNS.items())
        .sort("area", "score")
    )
