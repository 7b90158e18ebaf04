"""The calendar of releases 发布日程: when each is announced for. Announced once, a date moves only with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.columns import shown_instant
from warehouse.ledger.office_models import ReleaseDateRow


@dataclass(frozen=True)
class ReleaseDate:
    """When the release of a period is announced for; ``changes``: how often the date was moved, ``reason`` why it was last."""

    period: Period
    due: datetime
    changes: int
    reason: str
    at: datetime
    by: str


def announce_release(
    session: Session, period: Period, due: datetime, *, reason: str = "", now: datetime, actor: str
) -> ReleaseDate:
    """Announce a release, or move an announced one. Raises RefusalError for a time that is past, for a move without a
    reason, and for no change."""
    if due <= now:
        raise RefusalError(f"发布时间 {shown_instant(due)} 已过,请另定。")
    before = release_dates(session).get(period)
    if before is not None and before.due == due:
        raise RefusalError(f"{period} 的发布时间已是 {shown_instant(due)}。")
    if before is not None and not reason.strip():
        raise RefusalError(f"{period} 已预告 {shown_instant(before.due)} 发布;改期须写明原因。")
    row = {"period": str(period), "due": due, "reason": reason.strip(), "at": now, "by": actor}
    trail.append(
        session, at=now, actor=actor, action="release_announced" if before is None else "release_date_moved",
        subject=f"release_date/{period}", reason=reason.strip(), rows=trail.Rows(ReleaseDateRow, [row]),
    )  # fmt: skip
    return release_dates(session)[period]


def release_dates(session: Session) -> dict[Period, ReleaseDate]:
    """Period → when its release is announced for, by date."""
    found: dict[Period, ReleaseDate] = {}
    for row in session.scalars(select(ReleaseDateRow).order_by(ReleaseDateRow.id)):
        period = Period.parse(row.period)
        changes = found[period].changes + 1 if period in found else 0
        found[period] = ReleaseDate(period, row.due, changes, row.reason, row.at, row.by)
    return dict(sorted(found.items(), key=lambda one: (one[1].due, str(one[0]))))
