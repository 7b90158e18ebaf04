"""Installation, parks, users, rounds and the unit register."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from pipelines.applying import require_attributes
from pipelines.intake import Office
from pipelines.register_file import read_register_file
from schemas import reserved
from schemas.catalog import register_of_parks
from schemas.errors import DefinitionError, RefusalError
from schemas.model import Edition
from schemas.period import Period
from warehouse.home import create_home, load_config, open_home
from warehouse.ledger import answers, parks, periods, proposals, users
from warehouse.ledger import register as unit_register
from warehouse.ledger.columns import shown_deadline
from warehouse.ledger.migrate import current_revision, existing_ledger, upgrade
from warehouse.ledger.restructurings import record_restructurings, restructurings
from warehouse.ledger.session import ledger_of, reachable
from ytb.cli import applications, people, programmes, restructuring
from ytb.cli.output import beijing, emit, table
from ytb.cli.session import BEIJING, CALL

park_app = typer.Typer(no_args_is_help=True, help="园区名录。")
period_app = typer.Typer(no_args_is_help=True, help="报告期:开网、关网、延期、进度。")
register_app = typer.Typer(no_args_is_help=True, help="单位名录库:先进库、后有数。")


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.command("init")(init)
    root.command("upgrade")(upgrade_home)
    root.add_typer(park_app, name="park")
    root.add_typer(people.user_app, name="user")
    root.add_typer(period_app, name="period")
    applications.hang_on(register_app)
    restructuring.hang_on(register_app)
    root.add_typer(register_app, name="register")


def init(
    organisation: Annotated[str, typer.Option(help="本机构名称,印在回执上")] = "",
    ledger: Annotated[
        str, typer.Option(help="台账数据库 postgresql+psycopg://用户@主机/库;缺省为数据目录里的 SQLite")
    ] = "",
) -> None:
    """建立数据目录:文件库、台账、密钥,并载入制度所附园区名录。"""
    now, named = CALL.now, CALL.programme_named
    if CALL.has_home:
        _ = CALL.home  # refuses another programme than the one the home has
    elif named != "park":
        programmes.require_sound(CALL.programme)
    home = create_home(
        CALL.root,
        now=now,
        organisation=organisation,
        ledger_url=reachable(ledger) if ledger else "",
        programme=named,
    )
    book = ledger_of(home)
    upgrade(book)
    rows = register_of_parks(CALL.programme).iter_rows(named=True)
    listed = [
        parks.Park(
            r["code"], r["name"], r["short_name"], r["kind"], r["class"], r["zone"], r["province"], r["city"], r["division_code"], r["groups"],
            r["valid_from"], r["valid_to"], r["note"],
        )
        for r in rows
    ]  # fmt: skip
    with book.write() as session:
        added = parks.add_parks(session, listed, now=now, actor=CALL.who)
    emit(
        {"home": home.root, "parks": added, "programme": named},
        [
            f"数据目录:{home.root}",
            f"制度:{CALL.programme.title}({named})",
            f"园区名录:{added} 行",
            "下一步:ytb register import 名录.csv,ytb period open 报告期",
        ],
    )


def upgrade_home() -> None:
    """把台账升级到本版本;同时给出 --programme 的,从此改用那个制度目录。"""
    home = open_home(CALL.root)
    moved = programmes.move_to(home, CALL.programme_option) if CALL.programme_option else ""
    ledger = existing_ledger(home)
    before = current_revision(ledger)
    upgrade(ledger)
    after = current_revision(ledger)
    said = ["台账已是本版本。" if before == after else f"台账已由结构版本 {before or '无'} 升级到 {after}。"]
    with ledger.read() as session:
        roles = {one.role for one in users.users(session) if not one.disabled}
    if "administrator" in roles and "security_administrator" not in roles:
        # Until revision 0009 the administrator also kept the accounts.
        said.append(
            "账户和权限现由安全管理员管理,还没有这样的用户:ytb user add 用户名 security_administrator --title 姓名"
        )
    said += [moved] if moved else []
    emit({"ok": True, "from": before, "to": after, "programme": load_config(home).programme}, said)


# ── parks ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@park_app.command("add")
def park_add(
    code: str,
    name: str,
    kind: Annotated[str, typer.Option(help="area、zone、sub_park 或 base")] = "zone",
    zone: str = "",
    province: str = "",
    city: str = "",
    division: Annotated[str, typer.Option(help="行政区划代码")] = "",
    groups: Annotated[str, typer.Option(help="所属汇总区域,分号分隔")] = "",
    entry: Annotated[str, typer.Option(help="起始日期")] = "",
    exit_: Annotated[str, typer.Option("--exit", help="退出日期")] = "",
) -> None:
    """登记一个园区、分园或区域;升级、更名另起一行。"""
    one = parks.Park(
        code,
        name,
        name,
        kind,
        "",
        zone or (code if kind == "zone" else ""),
        province,
        city,
        division,
        groups,
        entry,
        exit_,
    )
    with CALL.office.ledger.write() as session:
        added = parks.add_parks(session, [one], now=CALL.now, actor=CALL.who)
    emit({"added": added}, f"已登记 {name}({code})。" if added else "没有变化。")


@park_app.command("list")
def park_list(on: Annotated[str | None, typer.Option("--on", help="某日在册的")] = None) -> None:
    """列出园区名录。"""
    with CALL.office.ledger.read() as session:
        found = parks.parks(session, applications.day_of(on, "--on") if on else None)
    emit(
        found,
        table(
            "",
            ["代码", "名称", "类型", "所属园区", "省", "市", "区域"],
            [(p.code, p.name, p.kind, p.zone, p.province, p.city, p.groups) for p in found],
        ),
    )


# ── rounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def statutory_deadline(edition: Edition, period: Period) -> datetime:
    """The deadline the edition sets for a period; 24时 of a day is 00:00 of the next. Raises DefinitionError without one."""
    rule = edition.parameters.get("deadlines", {}).get(period.round)
    if not rule:
        raise DefinitionError(f"{edition.id} 版没有{period.round}轮次的截止时间", remedy="请用 --deadline 写明。")
    day = (
        date(period.year + 1, rule["month"], rule["day"])
        if "month" in rule
        else period.end + timedelta(days=int(rule["days"]))
    )
    return datetime.combine(day, time(0), BEIJING) + timedelta(hours=int(rule.get("hour", 24)))


def _deadline(text: str | None, period: Period) -> datetime:
    """A deadline as typed: a day, which counts to its end, or a time of it, 24:00 among them; the programme's where none is."""
    if text is None:
        return statutory_deadline(CALL.programme.edition_for(period), period)
    day, _, hour = text.partition("T")
    try:
        given = datetime.fromisoformat(day if hour in ("24:00", "24:00:00") else text)
    except ValueError:
        raise DefinitionError(
            f"截止时间“{text}”无效", where="--deadline", remedy="请写成 2025-04-15(到当日 24 时)或 2025-04-15T17:00。"
        ) from None
    if hour in ("24:00", "24:00:00"):
        text = day
    return given if given.tzinfo else (given if len(text) > 10 else given + timedelta(days=1)).replace(tzinfo=BEIJING)


@period_app.command("open")
def period_open(
    period: str,
    deadline: Annotated[str | None, typer.Option(help="截止时间,如 2025-04-15(到当日 24 时);缺省按制度")] = None,
    reason: Annotated[str, typer.Option(help="重新开网的原因")] = "",
) -> None:
    """开网。"""
    p = Period.parse(period)
    with CALL.office.ledger.write() as session:
        made = periods.open_round(
            session,
            p,
            edition=CALL.programme.edition_for(p).id,
            deadline=_deadline(deadline, p),
            now=CALL.now,
            actor=CALL.who,
            reason=reason,
        )
    emit(made, f"{p} 已开网({made.edition} 版),截止 {shown_deadline(made.deadline)}。")


@period_app.command("close")
def period_close(period: str, reason: Annotated[str, typer.Option()] = "") -> None:
    """关网。"""
    with CALL.office.ledger.write() as session:
        made = periods.close_round(session, Period.parse(period), now=CALL.now, actor=CALL.who, reason=reason)
    emit(made, f"{period} 已关网。")


@period_app.command("extend")
def period_extend(
    period: str,
    deadline: Annotated[str, typer.Option()],
    reason: Annotated[str, typer.Option()],
    park: Annotated[str | None, typer.Option()] = None,
) -> None:
    """延期,可只对一个园区。"""
    p = Period.parse(period)
    with CALL.office.ledger.write() as session:
        made = periods.extend_round(
            session, p, deadline=_deadline(deadline, p), reason=reason, park=park, now=CALL.now, actor=CALL.who
        )
    emit(
        made,
        f"{p}{' ' + park if park else ''} 延期至 {shown_deadline(made.deadline_of(park) if park else made.deadline)}。",
    )


@period_app.command("status")
def period_status(period: str) -> None:
    """谁报了,谁没报,谁迟报。"""
    p = Period.parse(period)
    with CALL.office.ledger.read() as session:
        found = periods.timeliness(session, p, now=CALL.now, owing=owing_parks(CALL.office, p))
    rows = [
        (
            t.park,
            t.name,
            t.latest.state.label if t.latest else "未报",
            t.latest.number if t.latest else "",
            beijing(t.reported_at),
            "迟报" if t.is_late else "逾期" if t.is_overdue else "",
            f"{t.draft.number} {t.draft.state.label}" if t.draft else "",
        )
        for t in found
    ]
    data = [
        {"park": t.park, "name": t.name, "state": t.latest.state.value if t.latest else None, "submission": t.latest.number if t.latest else None,
         "reported_at": t.reported_at, "deadline": t.deadline, "late": t.is_late, "overdue": t.is_overdue,
         "newer_upload": t.draft.number if t.draft else None, "newer_upload_state": t.draft.state.value if t.draft else None}
        for t in found
    ]  # fmt: skip
    emit(
        {"period": str(p), "parks": data},
        table(f"{p} 报送进度", ["园区", "名称", "状态", "报送编号", "报送时间", "", "另有新上传(未报送)"], rows),
    )


def owing_parks(office: Office, period: Period) -> list[str]:
    """Zones that have a unit in the register at the end of the period, else all zones."""
    with office.ledger.read() as session:
        units = unit_register.register_as_of(session, period.end)
        zones = [p.code for p in parks.parks(session, period.end) if p.kind == "zone"]
    with_units = set(units["park"].to_list()) if units.height else set()
    return [z for z in zones if z in with_units] or zones


# ── unit register ──────────────────────────────────────────────────────────────────────────────────────────────────
@register_app.command("import")
def register_import(
    file: Path,
    basis: Annotated[str, typer.Option(help="依据,如批复文号")],
    effective: Annotated[str, typer.Option(help="生效日期")] = "2013-01-01",
) -> None:
    """从 CSV 批量入库:列 unit_id、park、sub_park,其余列为基本情况代码(B02 …);可有 kind、effective、basis 列。"""
    with CALL.office.ledger.read() as session:
        known = parks.parks(session)
    found = read_register_file(file, CALL.programme, known, basis=basis, effective=effective)
    with CALL.office.ledger.write() as session:
        entered = unit_register.record_unit_events(session, found.events, now=CALL.now, actor=CALL.who)
        entered += record_restructurings(session, found.restructurings, now=CALL.now, actor=CALL.who)
    lines = [f"已登记 {entered} 条名录变动。"]
    if found.doubtful:
        shown = "、".join(found.doubtful[:5]) + (" 等" if len(found.doubtful) > 5 else "")
        lines.append(f"其中 {len(found.doubtful)} 家的统一社会信用代码校验位不符,填报时会通不过审核,请核对:{shown}")
    emit({"entered": entered, "doubtful": found.doubtful}, lines)


@register_app.command("move")
def register_move(
    unit: str,
    park: str,
    effective: Annotated[str, typer.Option()],
    basis: Annotated[str, typer.Option()],
    sub_park: Annotated[str, typer.Option()] = "",
) -> None:
    """迁移到另一园区或分园。"""
    _one(
        unit_register.UnitEvent(unit, "move", applications.day_of(effective, "--effective"), park, sub_park, {}, basis)
    )


@register_app.command("exit")
def register_exit(unit: str, effective: Annotated[str, typer.Option()], basis: Annotated[str, typer.Option()]) -> None:
    """退库。"""
    _one(unit_register.UnitEvent(unit, "exit", applications.day_of(effective, "--effective"), basis=basis))


@register_app.command("change")
def register_change(
    unit: str,
    set_: Annotated[list[str], typer.Option("--set", help="代码=值")],
    effective: Annotated[str, typer.Option()],
    basis: Annotated[str, typer.Option()],
) -> None:
    """变更名称、行业等登记事项。"""
    day = applications.day_of(effective, "--effective")
    kept = require_attributes(CALL.programme, applications.pairs_of(set_), day)
    _one(unit_register.UnitEvent(unit, "change", day, attributes=kept, basis=basis))


def _one(event: unit_register.UnitEvent) -> None:
    with CALL.office.ledger.write() as session:
        unit_register.record_unit_events(session, [event], now=CALL.now, actor=CALL.who)
    emit(event, f"已登记 {event.unit_id} 的变动,{event.effective} 起生效。")


@register_app.command("list")
def register_list(
    period: Annotated[str, typer.Option(help="报告期末在库的")], park: Annotated[str | None, typer.Option()] = None
) -> None:
    """列出名录库。"""
    with CALL.office.ledger.read() as session:
        frame = unit_register.register_as_of(session, Period.parse(period).end, park=park)
    told = ("unit_id", reserved.NAME, "park", "sub_park", reserved.INDUSTRY, reserved.ABOVE_SCALE)
    shown = [c for c in told if c in frame.columns]
    emit(frame, table(f"{period} 期末在库 {frame.height} 家", shown, frame.select(shown).iter_rows()))


@register_app.command("history")
def register_history(unit: str) -> None:
    """一个单位的入库、变更、迁移、退出。"""
    with CALL.office.ledger.read() as session:
        found = unit_register.unit_history(session, unit)
        made = restructurings(session, unit_id=unit)
    if not found:
        raise RefusalError(f"名录库里没有 {unit};请核对代码。")
    emit(
        [*found, *made],
        table(
            unit,
            ["生效", "变动", "园区", "分园", "事项", "依据"],
            sorted(
                [(e.effective, e.kind, e.park, e.sub_park, dict(e.attributes) or "", e.basis) for e in found]
                + [
                    (m.effective, m.kind, "", "", f"{'、'.join(m.predecessors)} → {'、'.join(m.successors)}", m.basis)
                    for m in made
                ],
                key=lambda row: str(row[0]),
            ),
        ),
    )


@register_app.command("freeze")
def register_freeze(period: str, reason: Annotated[str, typer.Option()] = "") -> None:
    """冻结报告期末的名录(同比用同口径)。"""
    with CALL.office.ledger.write() as session:
        made = unit_register.freeze_register(
            CALL.office.vault, session, Period.parse(period), now=CALL.now, actor=CALL.who, reason=reason
        )
    emit(made, f"{period} 名录已冻结:{made.units} 家(第 {made.revision} 版)。")


@register_app.command("answer")
def register_answer(
    unit: str,
    period: str,
    status: Annotated[int, typer.Argument(help="2拒报 3联系不上 4停业 5关闭 6迁出 7重复 8范围外")],
    evidence: Annotated[str, typer.Option()],
) -> None:
    """登记没有报表的单位的回答状态及依据。"""
    p = Period.parse(period)
    with CALL.office.ledger.write() as session:
        there = unit_register.register_as_of(session, p.end).filter(pl.col("unit_id") == unit)
        if there.is_empty():
            raise RefusalError(f"{unit} 在 {p} 期末不在名录库。")
        answers.record_answer_statuses(
            session, p, [answers.AnswerStatus(unit, there["park"][0], status, evidence)], now=CALL.now, actor=CALL.who
        )
    emit({"unit_id": unit, "period": str(p), "status": status}, f"已登记 {unit} 的回答状态 {status}。")


@register_app.command("proposals")
def register_proposals(
    period: Annotated[str | None, typer.Option()] = None, park: Annotated[str | None, typer.Option()] = None
) -> None:
    """报表与名录库不一致之处,等待统计人员认定。"""
    with CALL.office.ledger.read() as session:
        found = proposals.proposals(session, period=Period.parse(period) if period else None, park=park)
    emit(
        found,
        table(
            "",
            ["编号", "单位", "代码", "名录", "报表", "报送"],
            [(p.id, p.unit_id, p.code, p.register_value, p.reported_value, p.number) for p in found],
        ),
    )


@register_app.command("accept")
def register_accept(
    proposal: int, effective: Annotated[str, typer.Option()], reason: Annotated[str, typer.Option()] = ""
) -> None:
    """采纳一条名录变更申请,写明生效日期。"""
    with CALL.office.ledger.write() as session:
        made = proposals.accept_proposal(
            session,
            proposal,
            applications.day_of(effective, "--effective"),
            now=CALL.now,
            actor=CALL.who,
            reason=reason,
        )
    emit(made, f"已采纳第 {proposal} 号申请。")


@register_app.command("reject")
def register_reject(proposal: int, reason: Annotated[str, typer.Option()]) -> None:
    """不采纳一条名录变更申请。"""
    with CALL.office.ledger.write() as session:
        made = proposals.reject_proposal(session, proposal, now=CALL.now, actor=CALL.who, reason=reason)
    emit(made, f"未采纳第 {proposal} 号申请。")
