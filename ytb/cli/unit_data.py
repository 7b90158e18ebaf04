"""``ytb unit-data …``: requests for unit data, their approval by another person, and the download while it lasts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipelines import unit_data
from schemas.period import Period
from warehouse.ledger import data_requests
from ytb.cli.output import beijing, emit, table
from ytb.cli.session import CALL

app = typer.Typer(no_args_is_help=True, help="个体数据:申请、批准、下载;每一步留痕,限时,须由另一人批准。")
DAYS = 7


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.add_typer(app, name="unit-data")


@app.command()
def ask(
    period: Annotated[str, typer.Option()],
    forms: Annotated[list[str], typer.Option("--form", help="表的代码,可写几次")],
    purpose: Annotated[str, typer.Option(help="用途")],
    park: Annotated[str, typer.Option(help="只要一个园区的")] = "",
) -> None:
    """申请使用个体数据。"""
    made = unit_data.ask(CALL.office, Period.parse(period), park, forms, purpose, now=CALL.now, actor=CALL.who)
    emit({"request": made.id}, f"申请 {made.id} 已提交,待另一人批准。")


@app.command("list")
def list_() -> None:
    """列出申请。"""
    with CALL.office.ledger.read() as session:
        found = data_requests.data_requests(session)
    rows = [
        (
            r.id,
            str(r.period),
            r.park or "全部",
            " ".join(r.forms),
            r.by,
            r.purpose,
            r.standing(CALL.now).label,
            beijing(r.until),
        )
        for r in found
    ]
    data = [
        {
            "request": r.id, "period": str(r.period), "park": r.park or None, "forms": r.forms, "by": r.by, "purpose": r.purpose,
            "state": r.standing(CALL.now).value, "until": r.until, "decided_by": r.decided_by or None,
        }
        for r in found
    ]  # fmt: skip
    emit(data, table("", ["编号", "报告期", "园区", "表", "申请人", "用途", "状态", "期限"], rows))


@app.command()
def approve(
    number: int,
    days: Annotated[int, typer.Option(min=1, help="批准几天")] = DAYS,
    reason: Annotated[str, typer.Option()] = "",
) -> None:
    """批准他人的申请。"""
    with CALL.office.ledger.write() as session:
        until = CALL.now + timedelta(days=days)
        made = data_requests.approve(session, number, until, reason=reason, now=CALL.now, actor=CALL.who)
    emit({"request": made.id, "until": made.until}, f"申请 {number} 已批准,至 {beijing(made.until)}。")


@app.command()
def decline(number: int, reason: Annotated[str, typer.Option()]) -> None:
    """不批准。"""
    with CALL.office.ledger.write() as session:
        data_requests.decline(session, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit({"request": number, "state": "declined"}, f"申请 {number} 未批准。")


@app.command()
def revoke(number: int, reason: Annotated[str, typer.Option()]) -> None:
    """收回批准。"""
    with CALL.office.ledger.write() as session:
        data_requests.revoke(session, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit({"request": number, "state": "revoked"}, f"申请 {number} 的批准已收回。")


@app.command()
def download(number: int, output: Annotated[Path, typer.Option("-o", "--output", help="ZIP 文件")]) -> None:
    """申请人在批准的期限内下载(CSV 压缩包)。"""
    data = unit_data.serve(CALL.office, number, now=CALL.now, actor=CALL.who)
    output.write_bytes(data)
    emit({"request": number, "file": output, "bytes": len(data)}, f"已写入 {output}。使用期满请删除。")
