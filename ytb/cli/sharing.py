"""``ytb review take|release|assign|second``: who reviews what, and from which effect on two people accept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from pipelines import allocating
from warehouse.ledger.assignments import Assignment
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.second_checks import second_check_rules, set_second_check
from ytb.cli.output import beijing, emit, table
from ytb.cli.session import CALL


def register(app: typer.Typer) -> None:
    """Hang the commands on ``ytb review``."""
    app.command("take")(take)
    app.command("release")(release)
    app.command("assign")(assign)
    app.command("second")(second)


def take(numbers: Annotated[list[str], typer.Argument(help="报送编号")]) -> None:
    """领取:由自己(--user)审核这些报送,同期以后的修订也在内。"""
    _tell(allocating.take(CALL.office, numbers, now=CALL.now, actor=CALL.who))


def release(
    numbers: Annotated[list[str], typer.Argument(help="报送编号")], reason: Annotated[str, typer.Option()] = ""
) -> None:
    """交回自己名下的报送。"""
    _tell(allocating.release(CALL.office, numbers, now=CALL.now, actor=CALL.who, reason=reason))


def assign(
    numbers: Annotated[list[str], typer.Argument(help="报送编号")],
    to: Annotated[str, typer.Option("--to", help="审核人员的用户名")],
    reason: Annotated[str, typer.Option(help="改派他人名下的须写")] = "",
) -> None:
    """分派给一名审核人员。"""
    _tell(allocating.assign(CALL.office, numbers, to, now=CALL.now, actor=CALL.who, reason=reason))


def _tell(made: Sequence[Assignment]) -> None:
    lines = [f"{a.park} {a.period} {f'由 {a.reviewer} 审核' if a.reviewer else '已交回'}。" for a in made]
    data = [{"park": a.park, "period": str(a.period), "reviewer": a.reviewer or None} for a in made]
    emit(data, lines or ["没有变化。"])


def second(
    above: Annotated[str | None, typer.Option("--above", help="影响不低于这个数的须两人审核;0 为每份")] = None,
    off: Annotated[bool, typer.Option("--off", help="不再要求复核")] = False,
    park: Annotated[str, typer.Option("--park", help="只对一个园区")] = "",
    reason: Annotated[str, typer.Option()] = "",
) -> None:
    """复核界限:从多大的影响起,验收须由两人作出。不带选项列出现行规定。放宽或取消的只用于此后收到的报送。"""
    if above is not None and off:
        raise typer.BadParameter("--above 与 --off 只能写一个。")
    if above is not None or off:
        with CALL.office.ledger.write() as session:
            if park:
                park_on(session, park, CALL.now.date())
            set_second_check(session, above or "", park=park, reason=reason, now=CALL.now, actor=CALL.who)
    with CALL.office.ledger.read() as session:
        found = list(second_check_rules(session).values())
    rows = [
        (r.park or "全部园区", "不要求" if r.above is None else f"影响 ≥ {r.above}", r.reason, r.by, beijing(r.at))
        for r in found
    ]
    data = [
        {"park": r.park or None, "above": None if r.above is None else str(r.above), "reason": r.reason} for r in found
    ]
    emit(data, table("", ["园区", "须两人审核", "原因", "规定人", "时间"], rows) if rows else "没有规定:一人即可验收。")
