"""Applications to the unit register: asked for with evidence, dated by a statistician."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from pipelines.applying import apply_for
from schemas.errors import DefinitionError
from warehouse.ledger import applications as papers
from warehouse.ledger.restructurings import REGISTER_KINDS
from ytb.cli.incoming import taken_in
from ytb.cli.output import beijing, emit, table
from ytb.cli.session import CALL

DECISIONS = {None: "待认定", "approved": "已同意", "declined": "未同意"}


def hang_on(register_app: typer.Typer) -> None:
    """Hang the commands on ``ytb register``."""
    register_app.command("apply")(register_apply)
    register_app.command("applications")(register_applications)
    register_app.command("approve")(register_approve)
    register_app.command("decline")(register_decline)


def day_of(text: str, option: str) -> date:
    """A day typed as 2025-01-31. Raises DefinitionError for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DefinitionError(f"日期“{text}”无效", where=option, remedy="请写成 2025-01-31。") from None


def pairs_of(items: Iterable[str]) -> dict[str, str | None]:
    """What ``--set`` names; an empty value clears one. Raises DefinitionError for what is no 代码=值, or a code said twice."""
    values: dict[str, str | None] = {}
    for item in items:
        code, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not code:
            raise DefinitionError(f"“{item}”不是 代码=值", where="--set", remedy="请写成 B02=某公司。")
        if code in values:
            raise DefinitionError(f"{code} 写了两次", where="--set", remedy="请只写一次。")
        values[code] = value or None
    return values


def register_apply(
    kind: Annotated[str, typer.Argument(help="entry 新增、change 变更、move 迁移、exit 退出、merger 合并、split 分立")],
    unit: Annotated[str, typer.Argument(help="统一社会信用代码")],
    park: Annotated[str, typer.Option(help="申请的园区")],
    basis: Annotated[str, typer.Option(help="依据,如批复文号")],
    evidence: Annotated[list[Path], typer.Option(help="证明文件 PDF、PNG、JPG、XLSX,可多个")],
    to_park: Annotated[str, typer.Option(help="归入的园区;新增时缺省为申请的园区")] = "",
    sub_park: Annotated[str, typer.Option(help="归入的分园")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="登记事项,代码=值,如 B02=某公司")] = None,
    other: Annotated[list[str] | None, typer.Option(help="合并:被合并的单位;分立:分立后的单位;可多个")] = None,
) -> None:
    """申请名录变动:附证明文件,等待统计人员认定;认定前名录不变。"""
    files = [(paper.name, paper.data) for paper in taken_in(evidence, "证明文件")]
    values = pairs_of(set_ or ())
    asked = papers.NewApplication(
        kind, unit, park, basis, to_park or (park if kind == "entry" else ""), sub_park, values, tuple(other or ())
    )
    made = apply_for(CALL.office, asked, files, CALL.pool, now=CALL.now, actor=CALL.who)
    emit(made, f"已提交第 {made.id} 号{REGISTER_KINDS[kind]}申请({unit}),等待统计人员认定。")


def register_applications(
    park: Annotated[str | None, typer.Option()] = None,
    all_: Annotated[bool, typer.Option("--all", help="包括已处理的")] = False,
) -> None:
    """列出名录变动申请。"""
    with CALL.office.ledger.read() as session:
        found = papers.applications(session, park=park, only_open=not all_)
    rows = [
        (
            a.id,
            REGISTER_KINDS[a.kind],
            a.unit_id,
            a.park,
            " ".join(
                filter(None, (a.to_park, a.sub_park, *(f"{c}={v or ''}" for c, v in a.attributes.items()), *a.others))
            ),
            a.basis,
            "、".join(name for _, name in a.evidence),
            beijing(a.applied_at),
            DECISIONS[a.decision],
        )
        for a in found
    ]
    emit(found, table("", ["编号", "变动", "单位", "申请园区", "内容", "依据", "证明文件", "申请时间", "状态"], rows))


def register_approve(
    number: Annotated[int, typer.Argument(help="申请编号")],
    effective: Annotated[str, typer.Option(help="生效日期,由统计人员认定")],
    reason: Annotated[str, typer.Option()] = "",
) -> None:
    """同意名录变动申请,写明生效日期;从这一天起在名录中生效。"""
    day = day_of(effective, "--effective")
    with CALL.office.ledger.write() as session:
        made = papers.approve_application(session, number, day, now=CALL.now, actor=CALL.who, reason=reason)
    emit(made, f"已同意第 {number} 号申请:{made.unit_id} {REGISTER_KINDS[made.kind]},{day} 起生效。")


def register_decline(
    number: Annotated[int, typer.Argument(help="申请编号")], reason: Annotated[str, typer.Option()]
) -> None:
    """不同意名录变动申请,写明原因。"""
    with CALL.office.ledger.write() as session:
        made = papers.decline_application(session, number, now=CALL.now, actor=CALL.who, reason=reason)
    emit(made, f"未同意第 {number} 号申请。")
