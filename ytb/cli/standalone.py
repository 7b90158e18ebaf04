"""Commands that work on any table, without home or programme."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from exports.display import figure, signed
from pipelines.protecting import protect_file
from pipelines.scoring import score
from pipelines.scoring_what_if import Trial, what_if
from ytb.cli import index_trials
from ytb.cli.output import emit, not_over

SHOWN = 20
SUMMARY = {
    "cells": "格数", "primary": "主抑制", "hidden": "共隐去", "exact_parts": "精确求解的部分", "heuristic_parts": "近似求解的部分",
    "overlapping_totals": "类别有重叠的合计", "exposed": "仍可推算",
}  # fmt: skip

index_app = typer.Typer(no_args_is_help=True, help="综合指数:任何“单位 × 指标”的表。")


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    index_trials.register(index_app)
    root.add_typer(index_app, name="index")
    root.command("protect")(protect)


@index_app.callback()
def _index() -> None:
    """综合指数。"""


@index_app.command("score")
def index_score(
    system: Annotated[Path, typer.Option(help="指标体系定义(docs/formats/index-system.md)")],
    data: Annotated[Path, typer.Option(help="单位 × 指标的 CSV")],
    output: Annotated[Path, typer.Option("-o", "--output", help="结果目录")],
    previous: Annotated[Path | None, typer.Option(help="上一年的 CSV")] = None,
    published: Annotated[
        Path | None, typer.Option("--previous-published", help="上一年的 CSV 公布时的版本:修订的影响在分解中单列")
    ] = None,
    draws: Annotated[int, typer.Option(min=0, help="蒙特卡罗抽样次数,0 为不做")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="随机数种子")] = 0,
    changes: Annotated[
        Path | None,
        typer.Option("--what-if", help="试算:改动值的 CSV(unit,indicator,value[,year,reason]);只出改前改后的比较"),
    ] = None,
) -> None:
    """按定义给任何一张表打分:得分、名次、分解、不确定性、体检,附自动计算的结果工作簿。"""
    if changes is not None:
        _what_if(what_if(system, data, changes, previous, output), output)
        return
    made = score(system, data, previous, draws, seed, output, published)
    years = "、".join(year for year in made.years if year)
    lines = [f"{made.title}:{made.units} 个单位,{made.indicators} 项指标{',' + years if years else ''}"]
    lines += [_ranked(row) for row in made.ranking[:SHOWN]]
    if len(made.ranking) > SHOWN:
        lines.append(f"  ……另有 {len(made.ranking) - SHOWN} 个单位,见 scores.csv。")
    lines += [*made.findings, f"结果:{output}({len(made.files)} 个文件)"]
    emit(made.to_json(), lines)


def _what_if(trial: Trial, output: Path) -> None:
    """What a trial moved, and where the whole of it stands."""
    lines, d = [f"试算(不保存、不发布):{trial.title},采用 {trial.used} 处改动"], trial.decimals
    top = trial.results.filter((pl.col("level") == 0) & (pl.col("score_change") != 0))
    top = top.sort(pl.col("score_change").abs(), "unit", descending=[True, False])
    lines += [
        f"  {r['unit_name']}{'(' + r['year'] + ')' if r['year'] else ''}  {figure(r['score_before'], d)} → {figure(r['score_after'], d)}"
        f"({signed(r['score_change'], d)}),名次 {r['rank_before']} → {r['rank_after']}"
        for r in top.head(SHOWN).to_dicts()
    ]
    lines += [f"  ……另有 {top.height - SHOWN} 个单位,见 what_if.csv。"] if top.height > SHOWN else []
    emit(trial.to_json(), [*lines, *trial.findings, f"结果:{output}(what_if.csv 等 4 个文件)"])


def _ranked(row: Mapping[str, Any]) -> str:
    """One unit of the ranking: its rank, name, score, and where there are draws the interval of its rank."""
    name = row["unit"] if row["name"] == row["unit"] else f"{row['name']}({row['unit']})"
    score = "没有得分" if row["score"] is None else row["display"]
    low, high = row["rank_low"], row["rank_high"]
    interval = "" if low is None else f"  名次区间 {low}–{high}"
    kind = f"  {row['class']}" if row["class"] else ""
    return f"  {row['rank_display']:>3}  {name}{kind}  {score}{interval}"


def protect(
    table: Annotated[Path, typer.Option(help="要公布的表(CSV)")],
    spec: Annotated[Path, typer.Option(help="维度、层级与规则(docs/formats/protect-spec.md)")],
    output: Annotated[Path, typer.Option("-o", "--output")],
) -> None:
    """给任何一张汇总表做披露控制:主抑制、次级抑制、攻击者检验。"""
    not_over(output, table, spec)
    made = protect_file(table, spec, output)
    counts = ",".join(f"{SUMMARY.get(k, k)} {v}" for k, v in made.summary.items())
    lines = [f"已写 {made.output};内部审计 {made.audit}", counts]
    if made.exposed.height:
        lines.append(f"仍有 {made.exposed.height} 格可被推算,不能公布;见审计文件。")
    emit(made.as_dict(), lines)
    raise typer.Exit(1 if made.exposed.height else 0)
