"""The checklist before publishing 发布前核对: what is done, what is open, said in words. It decides nothing: two people do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from exports.display import figure
from pipelines.intake import Office
from pipelines.matters import Matters, what_matters
from pipelines.previewing import basis_of, read_preview
from schemas.period import Period
from warehouse.home import Home
from warehouse.ledger import queries
from warehouse.ledger.columns import shown_deadline
from warehouse.ledger.corrections import corrections
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import Timeliness, round_of, timeliness
from warehouse.ledger.register import register_as_of
from warehouse.ledger.release_dates import release_dates
from warehouse.ledger.second_checks import first_opinion
from warehouse.ledger.states import State
from warehouse.ledger.submissions import in_force
from warehouse.ledger.verify import verify_ledger

NAMED = 8
_MENDING = (State.FAILED, State.UNREADABLE, State.CHECKED, State.EXPLAINED, State.RETURNED)


class Standing(StrEnum):
    """Whether an item is done, open, or only to be known."""

    DONE = "done"
    OPEN = "open"
    NOTE = "note"


@dataclass(frozen=True)
class Item:
    """One line of the checklist."""

    key: str
    title: str
    standing: Standing
    detail: str


def release_checklist(
    office: Office,
    home: Home,
    period: Period,
    *,
    now: datetime,
    matters: Matters | None = None,
    with_ledger: bool = True,
) -> list[Item]:
    """Everything to look at before a release of ``period``, in the order of the work.

    ``with_ledger``: False leaves out the verification of the ledger, which takes its time, where only the gaps are asked for.
    """
    with office.ledger.read() as session:
        current = round_of(session, period)
        units = register_as_of(session, period.end)
        with_units = set(units["park"].to_list()) if units.height else set()
        zones = [p.code for p in parks(session, period.end) if p.kind == "zone"]
        owing = [z for z in zones if z in with_units] or zones
        standing = timeliness(session, period, now=now, owing=owing) if current is not None else []
        waiting = {t.park for t in standing if t.latest and first_opinion(session, t.latest.number)}
        asked = [q for q in queries.queries(session, period=period) if q.state is not queries.QueryState.CLOSED]
        problems = verify_ledger(session).problems if with_ledger else ()
        revising = _granted(session, period, now)
        basis, announced = basis_of(session), release_dates(session).get(period)
    closed = current is not None and not current.is_open
    items = [
        Item(
            "round", "已关网", _done(closed),
            "已关网。" if closed else "还没有开过网。" if current is None else "还没有关网,园区仍可报送。",
        ),
        *_of_parks(standing, waiting),
        Item(
            "corrections", "没有准予更正而未办完的园区", _done(not revising),
            f"关网后准予更正,更正的修订还没有验收:{_named(revising)}。" if revising else "没有。",
        ),
        _missing(matters or what_matters(office, period)),
        Item("queries", "查询已了结", _done(not asked), f"还有 {len(asked)} 条未了结。" if asked else "没有未了结的查询。"),
        *([Item("ledger", "台账与留痕核验", _done(not problems), problems[0] if problems else "台账与留痕一致;文件和发布的完整核验由管理员另行办理。")]
          if with_ledger else []),
        _previewed(home, period, basis),
        Item(
            "date", "发布日程", Standing.NOTE,
            f"预告 {announced.due:%Y-%m-%d %H:%M} 发布。" if announced else "没有预告发布时间。",
        ),
    ]  # fmt: skip
    return items


def gaps(items: Sequence[Item]) -> list[Item]:
    """What a release made now would lack: whatever is open, and who has not reported."""
    return [
        item
        for item in items
        if item.standing is Standing.OPEN or (item.key == "missing" and item.standing is Standing.NOTE)
    ]


def is_ready(items: Sequence[Item]) -> bool:
    """Whether nothing is open."""
    return all(item.standing is not Standing.OPEN for item in items)


def _done(done: bool) -> Standing:
    return Standing.DONE if done else Standing.OPEN


def _named(names: Sequence[str]) -> str:
    return "、".join(names[:NAMED]) + (f" 等 {len(names)} 个" if len(names) > NAMED else "")


def _of_parks(standing: Sequence[Timeliness], waiting: set[str]) -> list[Item]:
    silent = [t.name for t in standing if t.latest is None]
    mending = [t.name for t in standing if t.latest and t.latest.state in _MENDING]
    drafts = [f"{t.name}({t.draft.state.label})" for t in standing if t.draft and t.draft.state is not State.RETURNED]
    hard = [t.name for t in standing if t.latest and t.latest.state in (State.FAILED, State.UNREADABLE)]
    undecided = [t.name for t in standing if t.latest and t.latest.state in (State.REPORTED, State.REOPENED)]
    second = [t.name for t in standing if t.park in waiting]
    return [
        Item("silent", "应报园区都已报送", _done(not silent), f"没有报送:{_named(silent)}。" if silent else "没有缺报的园区。"),
        Item("hard", "没有未改正的错误", _done(not hard), f"有错误或无法读取:{_named(hard)}。" if hard else "没有。"),
        Item(
            "mending", "没有办理中的修订", Standing.OPEN if mending else Standing.NOTE if drafts else Standing.DONE,
            f"还在办理:{_named(mending)}。" if mending
            else f"已报送的照常计入;另有新上传、未报送的修订:{_named(drafts)}。" if drafts else "没有。",
        ),
        Item("undecided", "报送都已验收", _done(not undecided), f"待审:{_named(undecided)}。" if undecided else "没有待审的报送。"),
        Item("second", "复核都已完成", _done(not second), f"待复核:{_named(second)}。" if second else "没有待复核的报送。"),
    ]  # fmt: skip


def _granted(session: Session, period: Period, now: datetime) -> list[str]:
    """Parks with a correction granted after closing whose time has not run out, and whose corrected revision is not accepted,
    and those whose request waits for an answer."""
    accepted = {one.park: one.state_at for one in in_force(session, period)}
    names = {one.code: one.name for one in parks(session, period.end)}
    found = []
    for one in corrections(session, period=period):
        name = names.get(one.park, one.park)
        if one.decision is None:
            found.append(f"{name}(申请未答复)")
        elif one.until is not None and now < one.until:
            done = one.park in accepted and one.decided_at is not None and accepted[one.park] > one.decided_at
            found += [] if done else [f"{name}(可更正至 {shown_deadline(one.until)})"]
    return found


def _missing(matters: Matters) -> Item:
    count = matters.missing["unit_id"].n_unique() if matters.missing.height else 0
    if not count:
        return Item("missing", "未报单位", Standing.DONE, "没有未报单位。")
    largest = matters.missing["effect"].max()
    said = f",影响最大的 {figure(largest, 2)}" if isinstance(largest, float) else ""
    return Item("missing", "未报单位", Standing.NOTE, f"未报 {count} 家{said};发布时按规定估算或列缺。")


def _previewed(home: Home, period: Period, basis: str) -> Item:
    title, found = "披露控制已试算(预览)", read_preview(home, period)
    if found is None:
        return Item("preview", title, Standing.OPEN, "还没有预览。")
    if found.basis != basis:
        return Item("preview", title, Standing.OPEN, "预览之后报送有变化,请重新预览。")
    if found.exposed:
        return Item("preview", title, Standing.OPEN, f"披露控制后仍有 {found.exposed} 个数可被推算,不能发布。")
    changed = f";与 {found.previous} 相比 {found.changed} 个数有变化" if found.previous else ""
    return Item(
        "preview",
        title,
        Standing.DONE,
        f"{found.figures} 个数,其中估算 {found.estimated} 个,不公布 {found.hidden} 个,没有可被推算的{changed}。",
    )
