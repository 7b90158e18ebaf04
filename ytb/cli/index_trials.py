"""``ytb index what-if`` and ``ytb index movers``: trials and causes of a park's indices, for the statistical office only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.index_what_if import moved, park_what_if, write_trial
from pipelines.inputs import live_inputs
from schemas.period import Period
from warehouse.snapshots import reader
from ytb.cli.output import emit
from ytb.cli.session import CALL

SHOWN = 20
PeriodOption = Annotated[str, typer.Option(help="年度,如 2016")]


def register(index: typer.Typer) -> None:
    """Hang the commands on ``ytb index``."""
    index.command("what-if")(index_what_if)


def index_what_if(
    period: PeriodOption,
    changes: Annotated[Path, typer.Option(help="改动值的 CSV:unit,indicator,value[,year,product,reason]")],
    output: Annotated[Path, typer.Option("-o", "--output", help="结果目录")],
) -> None:
    """试算:园区的指标值改成文件所写,发展指数和评价会变成多少。不保存、不发布,仅供内部使用。"""
    with reader(CALL.home.snapshots) as con:
        trial = park_what_if(live_inputs(CALL.office, con), Period.parse(period), changes)
    write_trial(output, trial)
    totals = trial.results.filter(is_total=True).filter(moved()).sort("product", "area")
    lines = [f"试算(不保存、不发布,仅供内部使用):{period},采用 {sum(bool(c.products) for c in trial.changes)} 处改动"]
    lines += [_line(row) for row in totals.head(SHOWN).iter_rows(named=True)]
    lines += [f"  ……另有 {totals.height - SHOWN} 行,见 what_if.csv。"] if totals.height > SHOWN else []
    lines += [] if totals.height else ["  没有一个总分或总指数因此变动。"]
    emit(trial.to_json(), [*lines, *trial.findings, f"结果:{output}(what_if.csv 等 3 个文件)"])


def _line(row: dict[str, object]) -> str:
    def shown(value: object) -> str:
        return "没有得分" if value is None else f"{value:.2f}"

    ranks = (
        ""
        if row["rank_before"] == row["rank_after"]
        else f",名次 {row['rank_before'] or '—'} → {row['rank_after'] or '—'}"
    )
    return f"  {row['product_name']} {row['area_name']}:{shown(row['before'])} → {shown(row['after'])}{ranks}"
