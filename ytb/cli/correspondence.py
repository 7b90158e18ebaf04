"""``ytb notice``, ``ytb correction``, ``ytb handover``: what passes between office and parks besides reports."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipelines import corrections as deciding
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import corrections, handovers, notices
from warehouse.ledger.users import user
from ytb.cli.incoming import taken_in
from ytb.cli.output import beijing, emit, plain
from ytb.cli.session import BEIJING, CALL

notice_app = typer.Typer(no_args_is_help=True, help="通知:统计人员发给园区,一期的或不限报告期的。")
correction_app = typer.Typer(no_args_is_help=True, help="关网后更正申请:园区写明原因、附证明材料,统计人员答复。")
handover_app = typer.Typer(no_args_is_help=True, help="工作交接:园区填报人员写明接任人,管理员确认;历史不变。")
DECISIONS = {None: "待处理", "granted": "已准予", "declined": "未同意", "confirmed": "已确认"}


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.add_typer(notice_app, name="notice")
    root.add_typer(correction_app, name="correction")
    root.add_typer(handover_app, name="handover")


@notice_app.command("post")
def notice_post(
    title: str,
    text: str,
    period: Annotated[str, typer.Option(help="只与这一期有关")] = "",
    park: Annotated[str, typer.Option(help="只发给这个园区")] = "",
) -> None:
    """发通知。"""
    with CALL.office.ledger.write() as session:
        made = notices.post_notice(
            session, title, text, period=Period.parse(period) if period else None, park=park, now=CALL.now, actor=CALL.who
        )  # fmt: skip
    emit(_notice(made), f"第 {made.id} 号通知已发出。")


@notice_app.command("list")
def notice_list(
    park: Annotated[str, typer.Option()] = "", withdrawn: Annotated[bool, typer.Option("--withdrawn")] = False
) -> None:
    """列出通知,新的在前。"""
    with CALL.office.ledger.read() as session:
        found = notices.notices(session, park=park or None, withdrawn=withdrawn)
    lines = [
        f"{n.id} {beijing(n.at)} {n.period or '不限报告期'} {n.park or '全部园区'} {n.title}{'(已撤回)' if n.is_withdrawn else ''}:{n.text}"
        for n in found
    ]
    emit([_notice(n) for n in found], lines or ["没有通知。"])


@notice_app.command("withdraw")
def notice_withdraw(number: int, reason: Annotated[str, typer.Option()]) -> None:
    """撤回一条通知,写明原因。"""
    with CALL.office.ledger.write() as session:
        notices.withdraw_notice(session, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit({"notice": number, "withdrawn": True}, f"第 {number} 号通知已撤回。")


def _notice(one: notices.Notice) -> dict[str, object]:
    return {**plain(one), "period": str(one.period) if one.period else None}


@correction_app.command("ask")
def correction_ask(
    park: str,
    period: str,
    reason: Annotated[str, typer.Option(help="哪些数据有误,为什么")],
    evidence: Annotated[list[Path], typer.Option(help="证明材料,可多次")],
) -> None:
    """园区申请在关网后更正或补报。"""
    papers = [(paper.name, paper.data) for paper in taken_in(evidence, "证明材料")]
    made = deciding.ask(
        CALL.office, park, Period.parse(period), reason, papers, CALL.pool, now=CALL.now, actor=CALL.who
    )  # fmt: skip
    emit(_correction(made), f"第 {made.id} 号更正申请已提交。")


@correction_app.command("list")
def correction_list(
    park: Annotated[str, typer.Option()] = "",
    going: Annotated[bool, typer.Option("--open", help="只列待处理的")] = False,
) -> None:
    """列出更正申请。"""
    with CALL.office.ledger.read() as session:
        found = corrections.corrections(session, park=park or None, only_open=going)
    lines = [
        f"{c.id} {c.park} {c.period} {DECISIONS[c.decision]}{f',至 {beijing(c.until)}' if c.until else ''}:{c.reason}"
        for c in found
    ]
    emit([_correction(c) for c in found], lines or ["没有更正申请。"])


@correction_app.command("grant")
def correction_grant(
    number: int,
    until: Annotated[str, typer.Option(help="可以更正至这一天 24 时,如 2025-04-20")],
    reason: Annotated[str, typer.Option()] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="同时撤销验收,原数据不再计入")] = False,
) -> None:
    """准予更正:园区在期限内可以再报;不加 --withdraw 时原数据继续有效,直到更正的修订验收。"""
    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise RefusalError(f"日期“{until}”无效,请写成 2025-04-20。") from None
    end = datetime.combine(day + timedelta(days=1), time(0), BEIJING)
    made = deciding.grant(
        CALL.office, number, until=end, reason=reason, withdraw=withdraw, now=CALL.now, actor=CALL.who
    )
    emit(_correction(made), f"第 {number} 号更正申请已准予,{made.park} 可以更正至 {until} 24 时。")


@correction_app.command("decline")
def correction_decline(number: int, reason: Annotated[str, typer.Option()]) -> None:
    """不同意,写明原因。"""
    made = deciding.decline(CALL.office, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit(_correction(made), f"第 {number} 号更正申请已答复不同意。")


def _correction(one: corrections.Correction) -> dict[str, object]:
    return {**plain(one), "period": str(one.period)}


@handover_app.command("ask")
def handover_ask(
    from_user: Annotated[str, typer.Argument(help="交出的用户名")],
    to_user: Annotated[str, typer.Argument(help="接任人用户名")],
    title: Annotated[str, typer.Option(help="接任人姓名")],
    reason: Annotated[str, typer.Option()],
    telephone: Annotated[str, typer.Option()] = "",
) -> None:
    """园区填报人员申请把工作交给接任人。"""
    with CALL.office.ledger.write() as session:
        made = handovers.ask_handover(
            session, user(session, from_user), to_user=to_user, to_title=title, telephone=telephone, reason=reason, now=CALL.now
        )  # fmt: skip
    emit(made, f"第 {made.id} 号交接申请已提交,请管理员确认。")


@handover_app.command("list")
def handover_list(park: Annotated[str, typer.Option()] = "") -> None:
    """列出交接。"""
    with CALL.office.ledger.read() as session:
        found = handovers.handovers(session, park=park or None)
    lines = [
        f"{h.id} {h.park} {h.from_user} → {h.to_user}({h.to_title}){DECISIONS[h.decision]}:{h.reason}" for h in found
    ]
    emit(found, lines or ["没有交接。"])


@handover_app.command("confirm")
def handover_confirm(number: int) -> None:
    """管理员确认交接:接任人的账户开通,原账户停用。"""
    with CALL.office.ledger.write() as session:
        made, is_new = handovers.confirm_handover(session, number, now=CALL.now, actor=CALL.who)
    more = f"请用 ytb user code {made.to_user} 打印一次性代码。" if is_new else ""
    emit(made, f"第 {number} 号交接已确认,{made.from_user} 已停用。{more}")


@handover_app.command("decline")
def handover_decline(number: int, reason: Annotated[str, typer.Option()]) -> None:
    """退回交接申请,写明原因。"""
    with CALL.office.ledger.write() as session:
        made = handovers.decline_handover(session, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit(made, f"第 {number} 号交接申请已退回。")
