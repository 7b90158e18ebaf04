"""Mergers 合并 and splits 分立 in the unit register: which units went before, which came after, from which day.

Several units become one, or one becomes several; a unit may go on itself (a takeover, a split-off). New units enter the register by
an entry of their own; units that do not go on leave it on the day. Source: Eurostat and OECD, Manual on Business Demography
Statistics (2007), chapter on demographic events: merger, take-over, break-up, split-off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.register import EVENT_KINDS, UnitEvent, park_of, record_unit_events
from warehouse.ledger.unit_models import RestructuringRow

MERGER: Final = "merger"
SPLIT: Final = "split"
RESTRUCTURING_KINDS: Final = {MERGER: "合并", SPLIT: "分立"}
REGISTER_KINDS: Final = EVENT_KINDS | RESTRUCTURING_KINDS
"""Everything that may be recorded of units or applied for, with its name."""
SUCCESSIONS: Final = {"effective": pl.Date, "predecessor": pl.String, "successor": pl.String}


@dataclass(frozen=True)
class Restructuring:
    """One merger or split. ``predecessors`` were in the register until ``effective``, ``successors`` are from then on; a unit that
    goes on stands in both."""

    kind: str
    effective: date
    predecessors: tuple[str, ...]
    successors: tuple[str, ...]
    basis: str = ""

    @property
    def leaving(self) -> tuple[str, ...]:
        """The units that are no longer in the register from the day on."""
        return tuple(unit for unit in self.predecessors if unit not in self.successors)


def restructuring(kind: str, unit_id: str, others: Sequence[str], effective: date, basis: str) -> Restructuring:
    """A merger into ``unit_id`` of ``others``, or a split of ``unit_id`` into ``others`` (itself among them where it goes on).

    Raises RefusalError for what can be none, whatever the register holds.
    """
    if problem := list_problem(kind, unit_id, others):
        raise RefusalError(f"{problem}。")
    if kind == MERGER:
        return Restructuring(kind, effective, tuple(others), (unit_id,), basis)
    return Restructuring(kind, effective, (unit_id,), tuple(others), basis)


def list_problem(kind: str, unit_id: str, others: Sequence[str]) -> str:
    """What is wrong with the list of units of a merger or split, empty where nothing is."""
    named = f"单位 {unit_id} 的{RESTRUCTURING_KINDS[kind]}"
    twice = sorted({one for one in others if others.count(one) > 1})
    if twice:
        return f"{named}:{'、'.join(twice)} 写了两次"
    if kind == MERGER:
        if not others:
            return f"{named}:须写明被合并的单位(predecessors)"
        if unit_id in others:
            return f"{named}:被合并的单位中有它自己;合并后仍用原代码的单位不必写在被合并的单位里"
        return ""
    if len(others) < 2:
        return f"{named}:分立后的单位(successors)不足两个;只有一个承继单位的不是分立;原单位存续的,把它自己也写在内"
    return ""


def record_restructurings(session: Session, new: Sequence[Restructuring], *, now: datetime, actor: str) -> int:
    """Enter mergers and splits, and the exits of the units that do not go on. How many.

    Raises RefusalError, and enters none, where one has no basis, a predecessor was not in the register the day before, a
    successor is not in it on the day, or a merger has fewer than two predecessors. A successor of a merger that was in the
    register before counts among its predecessors.
    """
    complete = [_with_itself(session, one) for one in new]
    if problems := [said for one in complete if (said := _problem(session, one))]:
        raise RefusalError("\n".join(f"{said}。" for said in problems[:20]))
    exits = [UnitEvent(unit, "exit", one.effective, basis=_exit_basis(one)) for one in complete for unit in one.leaving]
    record_unit_events(session, exits, now=now, actor=actor)
    rows = [
        {
            "kind": one.kind, "effective": one.effective, "predecessors": list(one.predecessors), "successors": list(one.successors),
            "basis": one.basis.strip(), "recorded_at": now, "recorded_by": actor,
        }
        for one in complete
    ]  # fmt: skip
    if rows:
        trail.append(
            session, at=now, actor=actor, action="restructurings", subject="register",
            payload={kind: sum(one.kind == kind for one in complete) for kind in RESTRUCTURING_KINDS},
            rows=trail.Rows(RestructuringRow, rows),
        )  # fmt: skip
    return len(rows)


def _with_itself(session: Session, one: Restructuring) -> Restructuring:
    """A merger with the successors that were in the register before among its predecessors."""
    if one.kind != MERGER:
        return one
    kept = [unit for unit in one.successors if park_of(session, unit, one.effective - timedelta(days=1)) is not None]
    both = tuple(sorted({*one.predecessors, *kept}))
    return Restructuring(one.kind, one.effective, both, one.successors, one.basis)


def _problem(session: Session, one: Restructuring) -> str:
    word = RESTRUCTURING_KINDS[one.kind]
    subject = one.successors[0] if one.kind == MERGER else one.predecessors[0]
    named = f"单位 {subject} 的{word}"
    if not one.basis.strip():
        return f"{named}须写明依据(合并或分立协议、变更登记通知书等)"
    before = one.effective - timedelta(days=1)
    gone = [unit for unit in one.predecessors if park_of(session, unit, before) is None]
    if gone:
        what = "被合并的单位" if one.kind == MERGER else "分立的单位"
        return f"{named}:{what} {'、'.join(gone)} 在 {one.effective} 之前不在名录库,请核对代码和生效日期"
    missing = [unit for unit in one.successors if park_of(session, unit, one.effective) is None]
    if missing:
        what = "合并后的单位" if one.kind == MERGER else "分立后的单位"
        return (
            f"{named}:{what} {'、'.join(missing)} 在 {one.effective} 不在名录库,请先登记它的新增,生效日期不晚于这一天"
        )
    if one.kind == MERGER and len(one.predecessors) < 2:
        return f"{named}:合并前的单位不足两个;一个单位换了代码不是合并,请登记退出和新增"
    return ""


def _exit_basis(one: Restructuring) -> str:
    into = "、".join(one.successors)
    return f"合并为 {into}:{one.basis.strip()}" if one.kind == MERGER else f"分立为 {into}:{one.basis.strip()}"


def last_restructuring(session: Session) -> int:
    """The number of the merger or split that was recorded last, 0 where there is none."""
    return session.scalar(select(func.max(RestructuringRow.id))) or 0


def restructurings(
    session: Session, *, unit_id: str = "", known: datetime | None = None, through: int | None = None
) -> list[Restructuring]:
    """All mergers and splits in the order they take effect; of one unit; only those recorded before ``known``, or up to number
    ``through``."""
    query = select(RestructuringRow).order_by(RestructuringRow.effective, RestructuringRow.id)
    if through is not None:
        query = query.where(RestructuringRow.id <= through)
    if known is not None:
        query = query.where(RestructuringRow.recorded_at < known)
    found = [
        Restructuring(row.kind, row.effective, tuple(row.predecessors), tuple(row.successors), row.basis)
        for row in session.scalars(query)
    ]
    return [one for one in found if not unit_id or unit_id in (*one.predecessors, *one.successors)]


def successions_frame(found: Iterable[Restructuring]) -> pl.DataFrame:
    """``SUCCESSIONS``: one row a pair of predecessor and successor, sorted."""
    pairs = sorted({(one.effective, a, b) for one in found for a in one.predecessors for b in one.successors})
    return pl.DataFrame(pairs, schema=SUCCESSIONS, orient="row")
