"""Administrative records: taken in by a mapping, dry run first; compared with the forms, changing nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines import loading
from pipelines.administrative_records import (
    RecordsPlan,
    commit_records,
    listed,
    plan_records,
    reconciliation,
    withdraw_records,
)
from pipelines.methods.reconciliation import OUTCOMES, TO_VERIFY, summary
from schemas.period import Period
from schemas.records_map import read_records_map
from warehouse import facts
from ytb.cli.incoming import taken_in
from ytb.cli.output import beijing, emit, progress, table
from ytb.cli.session import CALL

SHOWN = 30
records_app = typer.Typer(no_args_is_help=True, help="部门行政记录:导入、撤回、与报表逐户比对。")


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.add_typer(records_app, name="records")


@records_app.callback()
def _records() -> None:
    """部门行政记录。"""


@records_app.command("import")
def import_records(
    file: Annotated[Path, typer.Argument(help="部门的表,任何能读的格式")],
    map_: Annotated[Path, typer.Option("--map", help="映射文件(docs/formats/administrative-map.md)")],
    commit: Annotated[bool, typer.Option("--commit", help="保存;缺省只试运行,不留任何记录")] = False,
) -> None:
    """按映射导入税务、市场监管等部门记录:先试运行;单独保存,从不改动填报数。"""
    mapping = read_records_map(map_)
    book, of_map = taken_in([file, map_])
    plan = plan_records(CALL.office, book, of_map, mapping, CALL.pool, progress=progress)
    kept = commit_records(CALL.office, plan, now=CALL.now, actor=CALL.who) if commit else None
    data = {
        "file": book.name, "sha256": book.sha256, "kind": plan.kind, "authority": plan.authority, "title": plan.title,
        "import": kept.id if kept else None, "records": plan.records.height, "units": plan.records["unit_id"].n_unique(),
        "periods": plan.records["period"].unique().sort().to_list(), "indicators": plan.records["indicator"].unique().sort().to_list(),
        "unmapped": plan.unmapped, "conversions": plan.conversions, "problems": plan.problems,
        "skipped": [{"sheet": sheet, "row": row, "label": label} for sheet, row, label in plan.skipped], "ignored": plan.ignored,
    }  # fmt: skip
    lines = _plan_lines(plan)
    if kept:
        lines.append(f"已保存为第 {kept.id} 号导入。比对:ytb records reconcile --period …")
    else:
        lines.append(
            "试运行:没有保存。"
            + ("核对无误后加 --commit 保存。" if plan.is_complete else "请补全映射,不要的写在 [ignore] 里。")
        )
    emit(data, lines)
    raise typer.Exit(0 if plan.is_complete and plan.problems.is_empty() else 1)


def _plan_lines(plan: RecordsPlan) -> list[str]:
    found = plan.records
    lines = [
        f"《{plan.book.name}》{plan.authority}“{plan.title}”:{found['unit_id'].n_unique()} 个单位,{found.height} 个数,"
        f"指标 {'、'.join(found['indicator'].unique().sort())},报告期 {'、'.join(found['period'].unique().sort())}"
    ]
    groups = {
        "没有对应": [f"{k}“{t}”({n} 格,首见 {at}):{why}{f'可能是 {s}' if s else ''}" for k, t, n, at, why, s in plan.unmapped.rows()],
        "单位换算": [f"{code} {name}:{here}→{there} ×{times},{n} 格{f',其中四舍五入 {r} 格' if r else ''}" for code, name, here, there, times, n, r, _ in plan.conversions.rows()],
        "不能采用的格": [f"{r['sheet']}!{r['cell']} {r['message']}" for r in plan.problems.iter_rows(named=True)],
        "没有读的合计与说明行": [f"“{sheet}”第 {row} 行 {label}" for sheet, row, label in plan.skipped],
    }  # fmt: skip
    for title, items in groups.items():
        if items:
            lines += [f"{title} {len(items)}:", *(f"  {item}" for item in items[:SHOWN])]
            lines += [f"  ……共 {len(items)} 条,其余见 --json。"] if len(items) > SHOWN else []
    return lines


@records_app.command("list")
def list_records() -> None:
    """已导入的部门记录,含撤回的。"""
    found = list(listed(CALL.office, withdrawn=True))
    rows = [
        (one.id, one.kind, one.authority, one.title, one.name, beijing(one.at), one.by, "已撤回" if one.is_withdrawn else "")
        for one in found
    ]  # fmt: skip
    if not found and not CALL.json:
        emit([], "还没有导入部门行政记录;导入用 ytb records import。")
        return
    emit(found, table("", ["编号", "类别", "部门", "名称", "文件", "导入时间", "导入人", ""], rows))


@records_app.command("withdraw")
def withdraw(
    number: Annotated[int, typer.Argument(help="导入编号")], reason: Annotated[str, typer.Option(help="原因")]
) -> None:
    """撤回一次导入,写明原因;文件仍在文件库。"""
    withdraw_records(CALL.office, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit({"withdrawn": number}, f"第 {number} 号导入已撤回。")


@records_app.command("reconcile")
def reconcile(
    period: Annotated[str, typer.Option()],
    every: Annotated[bool, typer.Option("--all", help="也列出一致和容差内的")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="核实单 CSV(个体数据,只供内部)")] = None,
) -> None:
    """部门记录与报表逐户比对:超出容差的、一方缺的逐条列出,供核实;不改动任何数。"""
    p = Period.parse(period)
    with facts.writer(CALL.home.live) as con:
        loading.load_all(CALL.office, con, progress=progress)
        found = reconciliation(CALL.office, con, p)
    counts = summary(found)
    shown = found if every else found.filter(found["outcome"].is_in(TO_VERIFY))
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(b"\xef\xbb\xbf" + shown.write_csv().encode())
    totals = {name: int(counts[o].sum()) for o, name in OUTCOMES.items()}
    lines = [f"{p}:比对 {found.height} 项," + ",".join(f"{name} {n}" for name, n in totals.items() if n) + "。"]
    if found.is_empty():
        lines = [f"{p} 没有导入部门记录。"]
    lines += [
        f"  {OUTCOMES[r['outcome']]} {r['park'] or '—'} {r['unit_id']} {r['indicator']}:"
        f"记录 {_told(r['record_value'], r['record_text'])},报表 {_told(r['form_value'], r['form_text'])}"
        + (f",差 {r['difference']:.15g}(容差 {r['tolerance']:.6g})" if r["outcome"] == "beyond" and r["difference"] is not None else "")
        for r in shown.head(SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    lines += [f"  ……共 {shown.height} 条,全部见 --json 或 -o。"] if shown.height > SHOWN else []
    emit({"period": str(p), "outcomes": totals, "counts": counts, "rows": shown, "output": output}, lines)


def _told(value: float | None, text: str | None) -> str:
    return f"{value:.15g}" if value is not None else text or "—"
