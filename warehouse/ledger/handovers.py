"""Handing over 交接: a park reporter names a successor, an administrator confirms. What each did stays in their own name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import access, trail
from warehouse.ledger.correspondence_models import HandoverDecisionRow, HandoverRow
from warehouse.ledger.users import User, add_user, disable_user, require_user_name, user

HANDED_OVER = "park_reporter"
_PLAIN_TELEPHONE = re.compile(r"\+?[0-9]{5,20}")


@dataclass(frozen=True)
class Handover:
    """A handover on record; ``decision``: confirmed, declined, None while it waits."""

    id: int
    park: str
    from_user: str
    to_user: str
    to_title: str
    telephone: str
    reason: str
    asked_at: datetime
    decision: str | None = None
    answer: str = ""
    decided_at: datetime | None = None
    decided_by: str = ""


def ask_handover(
    session: Session,
    from_user: User,
    *,
    to_user: str,
    to_title: str,
    telephone: str,
    reason: str,
    now: datetime,
) -> Handover:
    """Name a successor: a new account, or one of the same park that exists. Raises RefusalError where it cannot be one."""
    to_user, to_title, reason = to_user.strip(), to_title.strip(), reason.strip()
    if from_user.role != HANDED_OVER or from_user.park is None:
        raise RefusalError("只有园区填报人员的账户可以这样交接。")
    if not to_user or not to_title or not reason:
        raise RefusalError("请写明接任人姓名、接任人用户名和交接原因。")
    require_user_name(to_user)
    if to_user == from_user.name:
        raise RefusalError("接任人不能是您自己。")
    _require_fit(session, to_user, from_user.park)
    if any(one.decision is None for one in handovers(session, park=from_user.park) if one.from_user == from_user.name):
        raise RefusalError("您的交接申请已经提交,正等待管理员确认;要改,请先请管理员退回。")
    row = {
        "park": from_user.park, "from_user": from_user.name, "to_user": to_user, "to_title": to_title,
        "telephone": telephone.strip(), "reason": reason, "at": now, "by": from_user.name,
    }  # fmt: skip
    trail.append(
        session, at=now, actor=from_user.name, action="handover_asked", subject=f"handover/{from_user.name}", reason=reason,
        payload={"to": to_user}, rows=trail.Rows(HandoverRow, [row]),
    )  # fmt: skip
    return handovers(session, park=from_user.park)[0]


def confirm_handover(session: Session, number: int, *, now: datetime, actor: str) -> tuple[Handover, bool]:
    """Let the successor in and the predecessor out: the account named is made where it is not there, the old one is
    disabled, its sessions end and its tokens are void. Whether an account was made, so that its code must be printed."""
    found = _waiting(session, number)
    if actor in (found.from_user, found.to_user):
        raise RefusalError("交接须由另一人确认。")
    before = user(session, found.from_user)
    if before.disabled:
        raise RefusalError(f"用户“{found.from_user}”已停用,请退回这份申请,另行登记接任人。")
    is_new = _require_fit(session, found.to_user, found.park)
    _decide(session, found, "confirmed", "", now=now, actor=actor)
    if is_new:
        telephone = found.telephone if _PLAIN_TELEPHONE.fullmatch(found.telephone) else ""
        add_user(
            session, found.to_user, title=found.to_title, role=before.role, park=before.park, telephone=telephone, now=now,
            actor=actor,
        )  # fmt: skip
    disable_user(session, before.name, now=now, actor=actor, reason=f"交接给 {found.to_user}:{found.reason}")
    access.end_sessions(session, user=before.name, now=now, actor=actor, reason="交接")
    for token in access.tokens(session, before.name):
        if token.revoked_at is None:
            access.revoke_token(session, before.name, token.id, now=now)
    return handover(session, number), is_new


def decline_handover(session: Session, number: int, *, reason: str, now: datetime, actor: str) -> Handover:
    """Leave things as they are, and say why."""
    if not reason.strip():
        raise RefusalError("退回交接申请须写明原因。")
    _decide(session, _waiting(session, number), "declined", reason.strip(), now=now, actor=actor)
    return handover(session, number)


def handovers(session: Session, *, park: str | None = None) -> list[Handover]:
    """All handovers, the newest first."""
    query = select(HandoverRow).order_by(HandoverRow.id.desc())
    if park is not None:
        query = query.where(HandoverRow.park == park)
    decided = {row.handover: row for row in session.scalars(select(HandoverDecisionRow))}
    found = []
    for row in session.scalars(query):
        end = decided.get(row.id)
        asked = (row.id, row.park, row.from_user, row.to_user, row.to_title, row.telephone, row.reason, row.at)
        found.append(Handover(*asked, *((end.decision, end.reason, end.at, end.by) if end else ())))
    return found


def handover(session: Session, number: int) -> Handover:
    """One handover. Raises RefusalError for an unknown number."""
    for one in handovers(session):
        if one.id == number:
            return one
    raise RefusalError(f"没有第 {number} 号交接申请。")


def _waiting(session: Session, number: int) -> Handover:
    found = handover(session, number)
    if found.decision is not None:
        raise RefusalError(f"第 {number} 号交接申请已处理。")
    return found


def _decide(session: Session, found: Handover, decision: str, reason: str, *, now: datetime, actor: str) -> None:
    row = {"handover": found.id, "decision": decision, "reason": reason, "at": now, "by": actor}
    trail.append(
        session, at=now, actor=actor, action=f"handover_{decision}", subject=f"handover/{found.from_user}", reason=reason,
        payload={"to": found.to_user}, rows=trail.Rows(HandoverDecisionRow, [row]),
    )  # fmt: skip


def _require_fit(session: Session, name: str, park: str) -> bool:
    """Whether the account is still to be made; RefusalError where it is somebody else's."""
    known = access.credentials(session, name)
    if known is None:
        return True
    if known.user.role != HANDED_OVER or known.user.park != park or known.user.disabled:
        raise RefusalError(f"用户名“{name}”已被使用,请另取一个。")
    return False
