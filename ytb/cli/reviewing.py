"""``ytb review …`` and ``ytb remind``: the reviewer's side."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from pipelines import review
from schemas.findings import NEEDS_EXPLANATION
from schemas.period import Period
from warehouse.ledger.explanations import finding_key
from ytb.cli.administration import owing_parks
from ytb.cli.output import beijing, emit, table
from ytb.cli.session import BEIJING, CALL

app = typer.Typer(no_args_is_help=True, help="验收:待审、查看、验收、退回、撤销验收。")


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.add_typer(app, name="review")
    root.command("remind")(remind)


@app.command("list")
def review_list(period: Annotated[str | None, typer.Argument()] = None) -> None:
    """待审的报送。"""
    found = review.queue(CALL.office, Period.parse(period) if period else None)
    rows = [
        (
            s.number,
            s.park,
            str(s.period),
            s.revision,
            s.state.label,
            beijing(s.state_at),
            s.check.to_explain if s.check else 0,
        )
        for s in found
    ]
    emit(found, table("", ["编号", "园区", "报告期", "修订", "状态", "时间", "已说明问题"], rows))


@app.command()
def show(number: str) -> None:
    """一份报送:问题、说明、与上一修订的差异、历次处理。"""
    file = review.dossier(CALL.office, number)
    soft = file.findings.filter(NEEDS_EXPLANATION)
    lines = [
        f"{number} {file.submission.park} {file.submission.period} 第 {file.submission.revision} 次:{file.submission.state.label}"
    ]
    for row in soft.iter_rows(named=True):
        given = file.explanations.get(finding_key(row))
        lines.append(f"  [核实] {row['message']}")
        lines.append(f"         说明:{given.reason_code} {given.text}({given.by})" if given else "         没有说明")
    if file.changes.height:
        lines.append(f"与上一修订相比改动 {file.changes.height} 格:")
        lines += [
            f"  {r['form']} {r['unit_id']} {r['column']}:{r['before'] or '空'} → {r['after'] or '空'}"
            for r in file.changes.head(30).iter_rows(named=True)
        ]
    lines += [f"{beijing(d.at)} {d.by} {d.action} {d.reason}" for d in file.decisions]
    emit(
        {
            "submission": file.submission,
            "findings": file.findings.filter(pl.col("outcome") != "absorbed"),
            "explanations": file.explanations,
            "changes": file.changes,
            "decisions": file.decisions,
        },
        lines,
    )


@app.command()
def accept(numbers: list[str], reason: Annotated[str, typer.Option()] = "") -> None:
    """验收一份或几份报送。"""
    done = [review.accept(CALL.office, number, now=CALL.now, actor=CALL.who, reason=reason) for number in numbers]
    emit({"accepted": [s.number for s in done]}, [f"{s.number} 已验收。" for s in done])


@app.command("return")
def return_(number: str, reason: Annotated[str, typer.Option(help="原因,不得写任何数值")]) -> None:
    """退回,写明原因。"""
    found = review.return_to_park(CALL.office, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit({"returned": found.number}, f"{number} 已退回。")


@app.command()
def reopen(number: str, reason: Annotated[str, typer.Option()]) -> None:
    """撤销验收。"""
    found = review.reopen(CALL.office, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit({"reopened": found.number}, f"{number} 已撤销验收。")


def remind(period: str) -> None:
    """催报:列出没有完成报送的园区和催报文字。"""
    p = Period.parse(period)
    found = review.reminders(CALL.office, p, now=CALL.now.astimezone(BEIJING), owing=owing_parks(CALL.office, p))
    emit(
        [{"park": t.park, "deadline": t.deadline, "overdue": t.is_overdue, "text": text} for t, text in found],
        [text for _, text in found] or ["全部园区已报送。"],
    )
