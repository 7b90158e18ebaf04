"""Collating: a park's submission out of the workbooks that its enterprises filled in themselves."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from exports.receipt import receipt_text
from pipelines.collating import CONFIRMATION_HEADS, Collation, GivenConfirmation, collate, read_confirmations
from pipelines.handing_back import typed_explanations
from schemas.errors import SubmissionError
from schemas.period import Period
from warehouse.home import receipt_key
from warehouse.ledger.receipts import receipt
from warehouse.ledger.states import STANDING
from ytb.cli.collection import as_json, hand_back, lines_of, read_explanations
from ytb.cli.incoming import taken_in
from ytb.cli.output import emit, progress
from ytb.cli.session import CALL

SHOWN_UNITS = 20
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".et", ".csv")


def register(root: typer.Typer) -> None:
    """Hang the command on the root."""
    root.command("collate")(collate_command)


def collate_command(
    files: Annotated[list[Path], typer.Argument(help="企业自填的工作簿,可带园区填自己各表的工作簿;也可给目录")],
    park: Annotated[str | None, typer.Option()] = None,
    period: Annotated[str | None, typer.Option()] = None,
    confirm: Annotated[
        Path | None, typer.Option(help=f"企业确认登记表 CSV:{'、'.join(CONFIRMATION_HEADS.values())}")
    ] = None,
    explain: Annotated[Path | None, typer.Option(help="情况说明 CSV")] = None,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="有强制性问题的企业不报,按未报列名")] = False,
    gaps_reason: Annotated[str, typer.Option(help="缺报原因:有没有填的表或没有报的企业时须写明,否则不报送")] = "",
) -> None:
    """汇集企业自填的工作簿成为园区的报送:园区不增改企业的数,缺报和两处报的企业列名。"""
    books = taken_in(_workbooks(files, {p.resolve() for p in (confirm, explain) if p}))
    given = typed_explanations([(b.name, b.data) for b in books], CALL.pool)
    given |= read_explanations(explain) if explain else {}
    made = collate(
        CALL.office, books, CALL.pool, now=CALL.now, actor=CALL.who, park=park, period=Period.parse(period) if period else None,
        confirmations=_confirmations(confirm) if confirm else (), explanations=given, leave_out=leave_out, gaps_reason=gaps_reason, progress=progress,
    )  # fmt: skip
    outcome, number = made.outcome, made.outcome.submission.number
    returned = hand_back(outcome)
    with CALL.office.ledger.read() as session:
        slip = receipt(session, number, receipt_key(CALL.home))
    state = outcome.submission.state
    data = {
        "submission": number,
        "receipt": slip.receipt_number,
        "code": slip.code,
        "state": state.value,
        "is_new": outcome.is_new,
        "park": made.park,
        "period": str(made.period),
        "registered": made.registered,
        "books": made.books,
        "missing": made.missing,
        "two_parks": made.two_parks,
        "filed_for": made.filed_for,
        "unexplained": outcome.unexplained,
        "gap": outcome.gap,
        "marked": [str(p) for p in returned],
        "check": as_json(None, outcome.checked) if outcome.checked else None,
    }
    lines = [receipt_text(slip), *_listed(made)]
    if outcome.checked and state not in STANDING:
        lines += lines_of(outcome.checked, f"{made.park} {made.period} 汇集")
    if outcome.unexplained:
        lines.append(f"还有 {outcome.unexplained} 条核实性问题没有情况说明;请填写说明文件后用 --explain 再汇集一次。")
    if outcome.gap and gaps_reason.strip():
        lines.append(f"没有报送:{outcome.gap}改好后再汇集一次。")
    elif outcome.gap:
        lines.append(f"提醒:{outcome.gap}原因可在报送时用 --gaps-reason 写明。")
    lines += [f"标注工作簿:{p}" for p in returned]
    emit(data, lines)
    unreadable = made.books.filter(kind="unreadable").height or state.value == "unreadable"
    raise typer.Exit(0 if state in STANDING else 2 if unreadable else 1)


def _workbooks(files: list[Path], papers: set[Path]) -> list[Path]:
    """The files given, and the workbooks in the folders given, in the order of their names. ``papers`` that lie among them, and
    what a folder hides, are left out."""
    found: list[Path] = []
    for path in files:
        if not path.is_dir():
            found.append(path)
            continue
        inside = (p for p in sorted(path.iterdir()) if p.is_file() and p.name[0] not in ".~")
        found += [p for p in inside if p.suffix.lower() in WORKBOOKS and p.resolve() not in papers]
    if not found:
        raise SubmissionError("no_file", "没有要汇集的工作簿;请核对目录。")
    return found


def _confirmations(path: Path) -> list[GivenConfirmation]:
    if not path.is_file():
        raise SubmissionError("no_file", f"找不到企业确认登记表 {path};请核对文件名。")

    def paper(name: str) -> bytes:
        (found,) = taken_in([path.parent / name], "登记表所在目录中的证明文件")
        return found.data

    with path.open(encoding="utf-8-sig", newline="") as handle:
        return read_confirmations(path.name, csv.DictReader(handle), paper)


def _listed(made: Collation) -> list[str]:
    """Who is in the submission and who is not, for people."""
    own, for_others = made.books.filter(kind="own"), made.filed_for
    confirmed = for_others.filter(verdict="confirmed").height
    lines = [
        f"{made.park} {made.period}:名录应报 {made.registered} 家,企业自填 {own['unit_id'].n_unique()} 家,园区代填并经企业确认 {confirmed} 家,"
        f"缺报 {made.missing.height} 家。"
    ]
    if made.books.filter(kind="park").is_empty():
        lines.append(
            "  没有园区自己的工作簿:园区填报的各表(园区情况、项目、任务等)请另填园区模板,与企业工作簿一起汇集。"
        )
    lines += _some("缺报", [f"{u} {n or ''}" for u, n in made.missing.iter_rows()])
    lines += _some("两个园区都报", [f"{u} {n or ''}({p},{s})" for u, n, p, s in made.two_parks.iter_rows()])
    stray = own.filter(pl.col("park").is_null() | (pl.col("park") != made.park))
    lines += _some(
        "不在本园区名录",
        [
            f"{u}《{f}》({'名录在 ' + p if p else '不在库'})"
            for u, f, p in stray.select("unit_id", "file", "park").rows()
        ],
    )
    changed = own.filter(pl.col("replaces").is_not_null())
    lines += _some(
        "企业改过", [f"{u}《{f}》(与 {r} 的不同)" for u, f, r in changed.select("unit_id", "file", "replaces").rows()]
    )
    refused = for_others.filter(~pl.col("verdict").is_in(["confirmed", "repeated"]))
    lines += _some("园区填报而不采用", [f"{u}《{f}》" for u, f in refused.select("unit_id", "file").rows()])
    lines += _some("无法读取", made.books.filter(kind="unreadable")["file"].to_list())
    return lines


def _some(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = f"……共 {len(items)} 家,其余见 --json" if len(items) > SHOWN_UNITS else ""
    return [f"  {title} {len(items)}:{'、'.join(item.strip() for item in items[:SHOWN_UNITS])}{more}"]
