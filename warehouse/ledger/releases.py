"""Releases 发布: numbered within their period, never changed, withdrawn with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.columns import stored_instant
from warehouse.ledger.models import ReleaseRow


@dataclass(frozen=True)
class Release:
    """One release; ``manifest`` is the SHA-256 of its manifest, which names everything it was made of and contains."""

    id: str
    period: Period
    number: int
    manifest: str
    released_at: datetime
    released_by: str
    note: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawal_reason: str | None

    @property
    def is_withdrawn(self) -> bool:
        """Whether it must not be used any more."""
        return self.withdrawn_at is not None


def next_release_id(session: Session, period: Period) -> str:
    """The name the next release of a period will have: 2025-Q2.r1, then .r2."""
    last = session.scalar(select(func.max(ReleaseRow.number)).where(ReleaseRow.period == str(period)))
    return f"{period}.r{(last or 0) + 1}"


def record_release(
    session: Session, release_id: str, *, period: Period, manifest: str, now: datetime, actor: str, note: str = ""
) -> Release:
    """Enter a release whose files and manifest are on disk. Raises RefusalError where its turn is not now.

    ``now`` is when it was begun, and its time of release. Others go on while it is computed: its link of the trail has the time of
    the last of theirs where that is later, and says when it was begun, so that the trail does not go back in time.
    """
    if release_id != (expected := next_release_id(session, period)):
        raise RefusalError(f"发布编号 {release_id} 与应有的 {expected} 不符:可能有另一发布刚刚完成,请重新发布。")
    session.add(
        ReleaseRow(
            id=release_id,
            period=str(period),
            number=int(release_id.rsplit(".r", 1)[1]),
            manifest=manifest,
            released_at=now,
            released_by=actor,
            note=note,
        )
    )
    session.flush()
    at = max(now, trail.last_instant(session) or now)
    trail.append(
        session,
        at=at,
        actor=actor,
        action="released",
        subject=f"release/{release_id}",
        to_state="published",
        reason=note,
        payload={"manifest": manifest} | ({"begun": stored_instant(now)} if at > now else {}),
    )
    return release(session, release_id)


def withdraw_release(session: Session, release_id: str, *, reason: str, now: datetime, actor: str) -> Release:
    """Withdraw 撤回 a release; its files stay, marked."""
    row = _row(session, release_id)
    if not reason.strip():
        raise RefusalError("撤回发布须写明原因。")
    if row.withdrawn_at is not None:
        raise RefusalError(f"{release_id} 已撤回。")
    row.withdrawn_at, row.withdrawn_by, row.withdrawal_reason = now, actor, reason.strip()
    session.flush()
    trail.append(
        session,
        at=now,
        actor=actor,
        action="withdrawn",
        subject=f"release/{release_id}",
        from_state="published",
        to_state="withdrawn",
        reason=reason.strip(),
    )
    return _release(row)


def release(session: Session, release_id: str) -> Release:
    """One release. Raises RefusalError for an unknown one."""
    return _release(_row(session, release_id))


def releases(session: Session, period: Period | None = None) -> list[Release]:
    """All releases, or those of a period, in the order of their period and number."""
    query = select(ReleaseRow).where(ReleaseRow.period == str(period)) if period else select(ReleaseRow)
    return sorted(map(_release, session.scalars(query)), key=lambda one: (one.period, one.number))


def current_release(session: Session, period: Period) -> Release | None:
    """The newest release of a period that was not withdrawn."""
    standing = [one for one in releases(session, period) if not one.is_withdrawn]
    return standing[-1] if standing else None


def _row(session: Session, release_id: str) -> ReleaseRow:
    row = session.get(ReleaseRow, release_id)
    if row is None:
        raise RefusalError(
            f"没有发布“{release_id}”。", command="全部发布见 ytb releases。", page="全部发布见“发布”页。"
        )
    return row


def _release(row: ReleaseRow) -> Release:
    return Release(
        row.id,
        Period.parse(row.period),
        row.number,
        row.manifest,
        row.released_at,
        row.released_by,
        row.note,
        row.withdrawn_at,
        row.withdrawn_by,
        row.withdrawal_reason,
    )
