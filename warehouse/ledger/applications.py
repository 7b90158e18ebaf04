"""Applications to the register 名录变动申请: entry, change, move, exit, merger and split, with evidence; dated by a statistician.

First in the register, then figures 先进库后有数: an application changes nothing until it is approved.
Source: survey_system.md section 2, 变更须先申请.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.uscc import is_valid_uscc
from warehouse.ledger import trail
from warehouse.ledger.register import UnitEvent, newest_event, record_unit_events, unit_history
from warehouse.ledger.restructurings import (
    MERGER,
    REGISTER_KINDS,
    RESTRUCTURING_KINDS,
    list_problem,
    record_restructurings,
    restructuring,
)
from warehouse.ledger.unit_models import ApplicationRow
from warehouse.vault import Vault


@dataclass(frozen=True)
class NewApplication:
    """What is asked for. ``park`` is who asks; ``to_park`` and ``sub_park`` where the unit shall belong (entry, move).
    ``others``: the units merged into it, or those it is split into (itself among them where it goes on)."""

    kind: str
    unit_id: str
    park: str
    basis: str
    to_park: str = ""
    sub_park: str = ""
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Application(NewApplication):
    """An application on record; ``decision`` is approved, declined or None while it waits; ``evidence``: (hash, name)."""

    id: int = 0
    evidence: tuple[tuple[str, str], ...] = ()
    applied_at: datetime | None = None
    applied_by: str = ""
    decision: str | None = None
    effective: date | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None


def apply_to_register(
    vault: Vault,
    session: Session,
    asked: NewApplication,
    evidence: Sequence[tuple[str, bytes]],
    *,
    now: datetime,
    actor: str,
) -> Application:
    """Put an application and its evidence (name, bytes) on record. Raises RefusalError for one that can never be approved."""
    _require_sense(session, asked, evidence)
    kept = [(vault.put(data).sha256, name) for name, data in evidence]
    row = ApplicationRow(
        kind=asked.kind,
        unit_id=asked.unit_id,
        park=asked.park,
        to_park=asked.to_park,
        sub_park=asked.sub_park,
        attributes=dict(asked.attributes),
        basis=asked.basis.strip(),
        evidence=[list(one) for one in kept],
        others=list(asked.others),
        applied_at=now,
        applied_by=actor,
    )
    session.add(row)
    session.flush()
    trail.append(
        session, at=now, actor=actor, action="register_applied", subject=f"register/{asked.unit_id}", reason=asked.basis.strip(),
        payload={"application": row.id, "kind": asked.kind, "park": asked.park, "evidence": [sha256 for sha256, _ in kept]},
    )  # fmt: skip
    return _application(row)


def _require_sense(session: Session, asked: NewApplication, evidence: Sequence[tuple[str, bytes]]) -> None:
    if asked.kind not in REGISTER_KINDS:
        raise RefusalError(f"没有“{asked.kind}”这种名录变动;可以申请:{'、'.join(REGISTER_KINDS)}。")
    named = f"单位 {asked.unit_id} 的{REGISTER_KINDS[asked.kind]}申请"
    if not asked.basis.strip() or not evidence:
        raise RefusalError(f"{named}须写明依据并附证明文件(营业执照、入区批复、迁移证明、注销通知等)。")
    if asked.kind == "entry" and not is_valid_uscc(asked.unit_id):
        raise RefusalError(f"{named}:统一社会信用代码“{asked.unit_id}”校验不通过,请按营业执照核对 18 位代码。")
    if asked.kind in ("entry", "move") and not asked.to_park:
        raise RefusalError(f"{named}须写明归入哪个园区。")
    if asked.kind == "change" and not asked.attributes:
        raise RefusalError(f"{named}须写明变更哪个登记事项(代码=值)。")
    waiting = [one for one in applications(session, unit_id=asked.unit_id) if one.kind == asked.kind]
    if any(_wish(one) == _wish(asked) for one in waiting):
        raise RefusalError(f"{named}已经提交(第 {waiting[0].id} 号),正等待统计人员认定。")
    if asked.kind in RESTRUCTURING_KINDS:
        _require_units(session, asked)
        return
    is_in = _is_in(session, asked.unit_id)
    if asked.kind == "entry" and is_in:
        raise RefusalError(f"{named}:该单位已在名录库内;由别的园区迁来的,请申请 move(迁移)。")
    if asked.kind != "entry" and not is_in:
        raise RefusalError(f"{named}:该单位不在名录库内,请先申请 entry(新增)。")


def _is_in(session: Session, unit_id: str) -> bool:
    life = unit_history(session, unit_id)
    return bool(life) and life[-1].kind != "exit"


def _require_units(session: Session, asked: NewApplication) -> None:
    """Those that went before are in the register; those that come after are in it or their entry is applied for."""
    if problem := list_problem(asked.kind, asked.unit_id, asked.others):
        raise RefusalError(f"{problem}。")
    named = f"单位 {asked.unit_id} 的{RESTRUCTURING_KINDS[asked.kind]}申请"
    merged = asked.kind == MERGER
    before, after = (asked.others, (asked.unit_id,)) if merged else ((asked.unit_id,), asked.others)
    if gone := [unit for unit in before if not _is_in(session, unit)]:
        what = "被合并的单位" if merged else "分立的单位"
        raise RefusalError(f"{named}:{what} {'、'.join(gone)} 不在名录库内,请核对代码。")
    new = [unit for unit in after if not _is_in(session, unit)]
    unasked = [u for u in new if not any(one.kind == "entry" for one in applications(session, unit_id=u))]
    if unasked:
        what = "合并后的单位" if merged else "分立后的单位"
        raise RefusalError(f"{named}:{what} {'、'.join(unasked)} 不在名录库内,也没有待认定的新增申请,请先申请新增。")
    if merged and new and len(asked.others) < 2:
        raise RefusalError(f"{named}:合并前的单位不足两个;一个单位换了代码不是合并,请申请退出和新增。")


def _wish(asked: NewApplication) -> tuple[str, str, dict[str, str | None], tuple[str, ...]]:
    return asked.to_park, asked.sub_park, dict(asked.attributes), tuple(sorted(asked.others))


def applications(
    session: Session, *, park: str | None = None, unit_id: str | None = None, only_open: bool = True
) -> list[Application]:
    """The applications asked for, oldest first."""
    query = select(ApplicationRow).order_by(ApplicationRow.id)
    if park is not None:
        query = query.where(ApplicationRow.park == park)
    if unit_id is not None:
        query = query.where(ApplicationRow.unit_id == unit_id)
    if only_open:
        query = query.where(ApplicationRow.decision.is_(None))
    return [_application(row) for row in session.scalars(query)]


def application(session: Session, number: int) -> Application:
    """One application. Raises RefusalError for an unknown number."""
    row = session.get(ApplicationRow, number)
    if row is None:
        raise RefusalError(f"没有第 {number} 号名录变动申请。")
    return _application(row)


def approve_application(
    session: Session, number: int, effective: date, *, now: datetime, actor: str, reason: str = ""
) -> Application:
    """Take what was asked for into the register from a day on. Raises RefusalError where it does not fit the unit's life."""
    row = _waiting(session, number)
    basis = f"申请第 {row.id} 号:{row.basis}"
    if row.kind in RESTRUCTURING_KINDS:
        made = restructuring(row.kind, row.unit_id, tuple(row.others), effective, basis)
        record_restructurings(session, [made], now=now, actor=actor)
        changed = next(iter(made.leaving), "")  # the exit it made, if any
    else:
        event = UnitEvent(
            row.unit_id, row.kind, effective, row.to_park, row.sub_park, dict(row.attributes), basis
        )  # fmt: skip
        record_unit_events(session, [event], now=now, actor=actor)
        changed = row.unit_id
    row.event_id, row.effective = newest_event(session, changed), effective
    return _decide(session, row, "approved", now=now, actor=actor, reason=reason)


def decline_application(session: Session, number: int, *, now: datetime, actor: str, reason: str) -> Application:
    """Leave the register as it is, and say why."""
    if not reason.strip():
        raise RefusalError("不同意名录变动申请须写明原因。")
    return _decide(session, _waiting(session, number), "declined", now=now, actor=actor, reason=reason)


def _waiting(session: Session, number: int) -> ApplicationRow:
    row = session.get(ApplicationRow, number)
    if row is None:
        raise RefusalError(f"没有第 {number} 号名录变动申请。")
    if row.decision is not None:
        raise RefusalError(f"第 {number} 号名录变动申请已处理。")
    return row


def _decide(
    session: Session, row: ApplicationRow, decision: str, *, now: datetime, actor: str, reason: str
) -> Application:
    # One statement: once the decision stands there, nothing of the row changes any more.
    row.decision, row.decided_at, row.decided_by, row.reason = decision, now, actor, reason.strip()
    session.flush()
    trail.append(
        session, at=now, actor=actor, action=f"application_{decision}", subject=f"register/{row.unit_id}", reason=reason.strip(),
        payload={"application": row.id, "kind": row.kind, "effective": row.effective.isoformat() if row.effective else None},
    )  # fmt: skip
    return _application(row)


def _application(row: ApplicationRow) -> Application:
    return Application(
        row.kind, row.unit_id, row.park, row.basis, row.to_park, row.sub_park, dict(row.attributes), tuple(row.others), row.id,
        tuple((sha256, name) for sha256, name in row.evidence), row.applied_at, row.applied_by, row.decision, row.effective,
        row.decided_at, row.decided_by, row.reason,
    )  # fmt: skip
