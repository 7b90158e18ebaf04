"""Importing history from foreign workbooks: dry run first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from pipelines.history import HistoryLoad, HistoryPlan, commit_history, plan_history
from schemas.history_map import read_history_map
from ytb.cli.incoming import taken_in
from ytb.cli.output import emit, progress
from ytb.cli.session import CALL

SHOWN = 30


def register(root: typer.Typer) -> None:
    """Hang the command on the root."""
    root.command("import-history")(import_history)


def import_history(
    file: Annotated[Path, typer.Argument(help="外来工作簿,任何能读的格式")],
    map_: Annotated[Path, typer.Option("--map", help="映射文件(docs/formats/history-map.md)")],
    commit: Annotated[bool, typer.Option("--commit", help="入库;缺省只试运行,不留任何记录")] = False,
) -> None:
    """从其他版式的工作簿导入历史数据:先试运行,列出将入库的、没有对应的、单位换算和已有的数据。"""
    mapping = read_history_map(map_)
    book, of_map = taken_in([file, map_])
    plan = plan_history(CALL.office, book, of_map, mapping, CALL.pool, progress=progress)
    done = commit_history(CALL.office, plan, now=CALL.now, actor=CALL.who) if commit else []
    data = {
        "file": book.name,
        "sha256": book.sha256,
        "title": plan.title,
        "committed": commit,
        "loads": [_load(load) for load in plan.loads],
        "submissions": [s.number for s in done],
        "unmapped": plan.unmapped,
        "conversions": plan.conversions,
        "conflicts": plan.conflicts,
        "problems": plan.problems.select("sheet", "cell", "column", "unit_id", "found", "code", "message"),
        "skipped": [{"sheet": sheet, "row": row, "label": label} for sheet, row, label in plan.skipped],
        "ignored": plan.ignored,
    }
    emit(data, [*_lines(plan), *_outcome(plan, [s.number for s in done], commit=commit)])
    raise typer.Exit(0 if plan.is_complete and plan.conflicts.filter(pl.col("kind") != "imported").is_empty() else 1)


def _load(load: HistoryLoad) -> dict[str, object]:
    found = load.checked.findings.filter(pl.col("outcome") != "absorbed")
    return {
        "park": load.park,
        "period": str(load.period),
        "forms": list(load.reading.forms),
        "units": load.units,
        "cells": load.cells,
        "adds_to": load.before.number if load.before else None,
        "findings": {"hard": found.filter(severity="hard").height, "soft": found.filter(severity="soft").height},
        "rules": dict(Counter(found["rule"]).most_common()),
    }


def _lines(plan: HistoryPlan) -> list[str]:
    lines = [f"《{plan.book.name}》按映射“{plan.title}”:"]
    total = sum(load.cells for load in plan.loads)
    lines.append(f"将入库 {len(plan.loads)} 个园区、报告期,{total} 个数:")
    for load in plan.loads:
        told = _load(load)
        found = told["findings"]
        assert isinstance(found, dict)
        adds = f",并入 {load.before.number}" if load.before else ""
        lines.append(
            f"  {load.park} {load.period}:{'、'.join(load.reading.forms)} {load.units} 个单位 {load.cells} 个数"
            f"(审核:错误 {found['hard']},核实 {found['soft']},只列示不阻断{adds})"
        )
    lines += _listed(
        "没有对应",
        [
            f"{k}“{t}”({n} 格,首见 {at}):{why}{f'可能是 {s}' if s else ''}"
            for k, t, n, at, why, s in plan.unmapped.rows()
        ],
    )
    lines += _listed(
        "单位换算",
        [
            f"{code} {name}:{here}→{there} ×{times},{n} 格{f',其中四舍五入 {r} 格' if r else ''};例:{example}"
            for code, name, here, there, times, n, r, example in plan.conversions.rows()
        ],
    )
    lines += _listed(
        "与已有数据冲突,不入库",
        [
            message + (f"(相同 {equal} 格,不同 {other} 格)" if equal or other else "")
            for message, equal, other in plan.conflicts.select("message", "equal", "different").rows()
        ],
    )
    lines += _listed("不能读取的格", plan.problems["message"].to_list())
    lines += _listed("没有读的合计与说明行", [f"“{s}”第 {r} 行 {label}" for s, r, label in plan.skipped])
    if plan.ignored:
        lines.append(f"按映射不要的 {plan.ignored} 格没有读。")
    return lines


def _listed(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = [f"  ……共 {len(items)} 条,其余见 --json。"] if len(items) > SHOWN else []
    return [f"{title} {len(items)}:", *(f"  {item}" for item in items[:SHOWN]), *more]


def _outcome(plan: HistoryPlan, numbers: list[str], *, commit: bool) -> list[str]:
    if commit:
        return [f"已入库 {len(numbers)} 份,标为历史数据:{'、'.join(numbers)}" if numbers else "没有可入库的数据。"]
    if not plan.is_complete:
        return ["试运行:没有入库。请补全映射,不要的写在 [ignore] 里,再加 --commit 入库。"]
    return ["试运行:没有入库。核对无误后加 --commit 入库。"]
