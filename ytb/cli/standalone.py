"""Commands that work on any table, without home or programme."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.protecting import protect_file
from pipelines.scoring import score
from ytb.cli.output import emit

index_app = typer.Typer(no_args_is_help=True, help="综合指数:任何“单位 × 指标”的表。")


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
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
    draws: Annotated[int, typer.Option(help="蒙特卡罗抽样次数,0 为不做")] = 0,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """按定义给任何一张表打分:得分、名次、分解、不确定性、体检,附自动计算的结果工作簿。"""
    made = score(system, data, previous, draws, seed, output)
    lines = [f"{made.title}:{made.units} 个单位,{made.indicators} 项指标,{'、'.join(made.years)}"]
    lines += ["  " + "  ".join(f"{v}" for v in row.values()) for row in made.ranking[:20]]
    lines += [*made.findings, f"结果:{output}({len(made.files)} 个文件)"]
    emit(made.to_json(), lines)


def protect(
    table: Annotated[Path, typer.Option(help="要公布的表(CSV)")],
    spec: Annotated[Path, typer.Option(help="维度、层级与规则(docs/formats/protect-spec.md)")],
    output: Annotated[Path, typer.Option("-o", "--output")],
) -> None:
    """给任何一张汇总表做披露控制:主抑制、次级抑制、攻击者检验。"""
    made = protect_file(table, spec, output)
    counts = ",".join(f"{k} {v}" for k, v in made.summary.items())
    lines = [f"已写 {made.output};内部审计 {made.audit}", counts]
    if made.exposed.height:
        lines.append(f"仍有 {made.exposed.height} 格可被推算,不能公布;见审计文件。")
    emit(made.as_dict(), lines)
    raise typer.Exit(1 if made.exposed.height else 0)
