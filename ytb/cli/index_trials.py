"""``ytb index what-if`` and ``ytb index movers``: trials and causes of a park's indices, for the statistical office only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from exports.display import figure, signed, significant
from pipelines.csv_tables import write_table
from pipelines.index_movers import movers_for
from pipelines.index_what_if import moved, trial_for, write_trial
from pipelines.inputs import live_inputs
from schemas.period import Period
from warehouse.snapshots import reader
from ytb.cli.output import emit
from ytb.cli.session import CALL

SHOWN = 20
MOST = 3
PeriodOption = Annotated[str, typer.Option(help="年度,如 2016")]


def register(index: typer.Typer) -> None:
    """Hang the commands on ``ytb index``."""
    index.command("what-if")(index_what_if)
    index.command("movers")(movers)


def index_what_if(
    period: PeriodOption,
    changes: Annotated[
        Path, typer.Option(help="改动值的 CSV:unit,indicator,value[,year,product,reason];填报数写表内代码")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="结果目录")],
) -> None:
    """试算:指标值或填报数改成文件所写,发展指数和评价会变成多少。不保存、不发布,仅供内部使用。"""
    with reader(CALL.home.snapshots) as con:
        inputs = live_inputs(CALL.office, con)
        trial = trial_for(CALL.office, inputs, Period.parse(period), changes, now=CALL.now, actor=CALL.who)
    write_trial(output, trial)
    totals = trial.results.filter(is_total=True).filter(moved()).sort("product", "area")
    lines = [f"试算(不保存、不发布,仅供内部使用):{period},采用 {sum(bool(c.products) for c in trial.changes)} 处改动"]
    lines += [_line(row) for row in totals.head(SHOWN).iter_rows(named=True)]
    lines += [f"  ……另有 {totals.height - SHOWN} 行,见 what_if.csv。"] if totals.height > SHOWN else []
    lines += [] if totals.height else ["  没有一个总分或总指数因此变动。"]
    emit(trial.to_json(), [*lines, *trial.findings, f"结果:{output}(what_if.csv 等 3 个文件)"])


def movers(
    period: PeriodOption,
    park: Annotated[str, typer.Option(help="园区或区域代码")],
    output: Annotated[Path, typer.Option("-o", "--output", help="结果目录")],
    indicator: Annotated[list[str] | None, typer.Option(help="只看这些指标,可写多次")] = None,
) -> None:
    """发展指数各指标比上年的变动是哪些企业带来的:逐户相加恰为变动。单个企业的数,仅供内部使用,查看留痕。"""
    year = Period.parse(period)
    with reader(CALL.home.snapshots) as con:
        found = movers_for(
            CALL.office, live_inputs(CALL.office, con), CALL.home.releases, year, park, indicator or [], now=CALL.now, actor=CALL.who
        )  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    for name, frame in (("movers", found.units), ("movers_totals", found.totals), ("index_parts", found.parts)):
        write_table(output / f"{name}.csv", frame)
    lines = [f"{park} {period} 各指标比上年的变动(单个企业的数,仅供内部使用,不得发布):"]
    lines += _parts_lines(found.parts)
    for total in found.totals.iter_rows(named=True):
        lines.append(_moved_line(total))
        own = found.units.filter(pl.col("effect") != 0, indicator=total["indicator"]).head(MOST)
        lines += [
            f"    {r['unit_name'] or r['unit_id'] or '园区数'}({r['kind']}) {_signed(r['effect'])}"
            for r in own.iter_rows(named=True)
        ]
    emit(
        {"totals": found.totals, "units": found.units, "parts": found.parts},
        [*lines, f"结果:{output}(movers.csv、movers_totals.csv、index_parts.csv)"],
    )


def _parts_lines(parts: pl.DataFrame) -> list[str]:
    if parts.is_empty():
        return []
    revised, added = (float(parts.filter(kind=k)["points"].sum()) for k in ("revised", "contribution"))
    if parts.filter(kind="revised").is_empty():
        return [f"  总指数比上年 {signed(added, 3)} 点(上年没有发布,修订不单列)"]
    return [
        f"  总指数比上年公布数 {signed(parts['total'][0], 3)} 点:上年数据修订 {signed(revised, 3)},本年各指标 {signed(added, 3)}"
    ]


def _moved_line(total: dict[str, Any]) -> str:
    head = f"  {total['indicator']} {total['indicator_name']}"
    if total["sum_of_effects"] is None:
        return f"{head}:{total['note']}"
    return f"{head}:{significant(total['value_before'])} → {significant(total['value_after'])}({_signed(total['change'])}),{total['units']} 个单位"


def _signed(value: float) -> str:
    """A change of unknown size."""
    return ("+" if value > 0 else "") + significant(value)


def _line(row: dict[str, Any]) -> str:
    def shown(value: float | None) -> str:
        return "没有得分" if value is None else figure(value, 2)

    ranks = (
        ""
        if row["rank_before"] == row["rank_after"]
        else f",名次 {row['rank_before'] or '—'} → {row['rank_after'] or '—'}"
    )
    return f"  {row['product_name']} {row['area_name']}:{shown(row['before'])} → {shown(row['after'])}{ranks}"
