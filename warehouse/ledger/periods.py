"""Rounds of collection: opened, extended and closed, with the deadline of each park; who reported, late, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.columns import SHANGHAI, read_instant, shown_deadline
from warehouse.ledger.models import RoundEventRow, SubmissionRow, TrailRow
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.parks import parks
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, submissions


@dataclass(frozen=True)
class Round:
    """One round. ``extensions``: park → its own deadline; the later of the two counts for it. ``granted``: park → until when it
    may correct although the round is closed, which moves no deadline: what was late stays late."""

    period: Period
    edition: str
    is_open: bool
    opened_at: datetime
    closed_at: datetime | None
    deadline: datetime
    extensions: Mapping[str, datetime] = field(default_factory=dict)
    granted: Mapping[str, datetime] = field(default_factory=dict)

    def is_open_for(self, park: str, now: datetime) -> bool:
        """Whether a park may file: while the round is open, or within the time granted to it afterwards."""
        return self.is_open or (park in self.granted and now < self.granted[park])

    def deadline_of(self, park: str) -> datetime:
        """Until when a park is in time. 24时 of a day is 00:00 of the next."""
        return max(self.deadline, self.extensions.get(park, self.deadline))


@dataclass(frozen=True)
class Timeliness:
    """How a park stands in a round. ``latest`` is the revision that counts: the newest reported and not taken back, else the
    newest of all; ``draft`` a newer one that is not reported (or returned), None where there is none: it takes nothing from
    what stands. ``reported_at``: its first report, whatever became of it. ``is_late``: the first report came after the deadline; ``is_overdue``: none has, and the deadline is past."""

    park: str
    name: str
    deadline: datetime
    latest: Submission | None
    reported_at: datetime | None
    is_late: bool
    is_overdue: bool
    draft: Submission | None = None


def open_round(
    session: Session, period: Period, *, edition: str, deadline: datetime, now: datetime, actor: str, reason: str = ""
) -> Round:
    """Open 开网 a round, or open a closed one again, which needs a reason. Raises RefusalError for a year after the next."""
    before = round_of(session, period)
    if before is not None and before.is_open:
        raise RefusalError(f"{period} 已开网;要延长期限,请办理延期。")
    if before is not None and not reason.strip():
        raise RefusalError(f"{period} 已关网;重新开网须写明原因。")
    if period.year > now.astimezone(SHANGHAI).year + 1:
        raise RefusalError(f"{period} 还很远:最早在前一年开网,请核对年份。")
    if deadline <= now:
        raise RefusalError(
            f"截止时间 {shown_deadline(deadline)} 已过,请另定截止日期。", command="截止时间用 --deadline 写明。"
        )
    return _record(session, period, "open", edition=edition, deadline=deadline, reason=reason, now=now, actor=actor)


def close_round(session: Session, period: Period, *, now: datetime, actor: str, reason: str = "") -> Round:
    """Close 关网 a round."""
    before = _open_round(session, period)
    return _record(session, period, "close", edition=before.edition, reason=reason, now=now, actor=actor)


def extend_round(
    session: Session,
    period: Period,
    *,
    deadline: datetime,
    reason: str,
    park: str | None = None,
    now: datetime,
    actor: str,
) -> Round:
    """Move the deadline of all, or of one park, to a later time. Raises RefusalError for an earlier one, no reason, or a park
    that is not in the register."""
    before = _open_round(session, period)
    if park:
        park_on(session, park, period.end)
    if not reason.strip():
        raise RefusalError("延长期限须写明原因。")
    current = before.deadline_of(park) if park else before.deadline
    if deadline <= current:
        raise RefusalError(
            f"新的截止时间须晚于现在的截止时间 {shown_deadline(current)}。", command="用 --deadline 写明。"
        )
    return _record(
        session,
        period,
        "extend",
        edition=before.edition,
        deadline=deadline,
        park=park,
        reason=reason,
        now=now,
        actor=actor,
    )


def grant_time(
    session: Session, period: Period, park: str, *, until: datetime, reason: str, now: datetime, actor: str
) -> Round:
    """Let one park file until a time although the round is closed. Raises RefusalError where the round is open or never was,
    for a time that is past, or without a reason."""
    before = round_of(session, period)
    if before is None or before.is_open:
        raise RefusalError(f"{period} {'尚未开网' if before is None else '尚未关网,园区可以直接报送'}。")
    if not reason.strip():
        raise RefusalError("关网后准予更正须写明原因。")
    if until <= now:
        raise RefusalError(f"可以更正的期限 {shown_deadline(until)} 已过,请另定。")
    return _record(
        session, period, "extend", edition=before.edition, deadline=until, park=park, reason=reason, now=now, actor=actor
    )  # fmt: skip


def round_of(session: Session, period: Period) -> Round | None:
    """The round of a period as it stands; None where it was never opened."""
    only = select(RoundEventRow).where(RoundEventRow.period == str(period))
    return _played(session.scalars(only.order_by(RoundEventRow.id))).get(period)


def rounds(session: Session) -> dict[Period, Round]:
    """All rounds, by period."""
    return _played(session.scalars(select(RoundEventRow).order_by(RoundEventRow.id)))


def _played(events: Iterable[RoundEventRow]) -> dict[Period, Round]:
    found: dict[Period, Round] = {}
    for row in events:
        period = Period.parse(row.period)
        match row.action, row.deadline, row.park:
            case "open", datetime() as deadline, _:
                first = found[period].opened_at if period in found else row.at
                extensions = found[period].extensions if period in found else {}
                found[period] = Round(period, row.edition, True, first, None, deadline, extensions)
            case "extend", datetime() as deadline, None:
                found[period] = replace(found[period], deadline=deadline)
            case "extend", datetime() as deadline, str() as park if not found[period].is_open:
                found[period] = replace(found[period], granted={**found[period].granted, park: deadline})
            case "extend", datetime() as deadline, str() as park:
                found[period] = replace(found[period], extensions={**found[period].extensions, park: deadline})
            case _:
                found[period] = replace(found[period], is_open=False, closed_at=row.at, granted={})
    return dict(sorted(found.items()))


def timeliness(
    session: Session, period: Period, *, now: datetime, owing: Collection[str] | None = None
) -> list[Timeliness]:
    """Of every park that owes a report how it stands, by park. ``owing``: their codes; by default every zone in the
    register of parks at the end of the period. Raises RefusalError where the round was never opened."""
    current = round_of(session, period)
    if current is None:
        raise RefusalError(
            f"{period} 尚未开网。", command=f"开网用 ytb period open {period}。", page="开网在“报告期”页办理。"
        )
    names = {one.code: one.name for one in parks(session, period.end) if owing is not None or one.kind == "zone"}
    every = submissions(session, period=period)
    newest = {one.park: one for one in every}
    counting = newest | {one.park: one for one in every if one.state in STANDING}
    first = first_reports(session, period)
    result = []
    for park in sorted(names if owing is None else owing):
        deadline, reported_at = current.deadline_of(park), first.get(park)
        latest, draft = counting.get(park), newest.get(park)
        result.append(
            Timeliness(
                park=park,
                name=names.get(park, park),
                deadline=deadline,
                latest=latest,
                reported_at=reported_at,
                is_late=reported_at is not None and reported_at > deadline,
                is_overdue=reported_at is None and now > deadline,
                draft=draft if draft != latest else None,
            )
        )
    return result


def first_reports(session: Session, period: Period) -> dict[str, datetime]:
    """Park → when it first reported for a period."""
    query = (
        select(SubmissionRow.park, TrailRow.at)
        .join(TrailRow, TrailRow.subject == SubmissionRow.number)
        .where(SubmissionRow.period == str(period), TrailRow.to_state == str(State.REPORTED))
        .order_by(TrailRow.seq.desc())
    )
    return {park: read_instant(at) for park, at in session.execute(query)}


def _open_round(session: Session, period: Period) -> Round:
    found = round_of(session, period)
    if found is None or not found.is_open:
        raise RefusalError(
            f"{period} {'尚未开网' if found is None else '已关网'}。",
            command="各期状态见 ytb period status,开网用 ytb period open。",
            page="各期状态和开网见“报告期”页。",
        )
    return found


def _record(
    session: Session,
    period: Period,
    action: str,
    *,
    edition: str,
    now: datetime,
    actor: str,
    reason: str,
    deadline: datetime | None = None,
    park: str | None = None,
) -> Round:
    row = {
        "period": str(period),
        "action": action,
        "edition": edition,
        "park": park,
        "deadline": deadline,
        "reason": reason.strip(),
        "at": now,
        "by": actor,
    }
    trail.append(
        session,
        at=now,
        actor=actor,
        action=f"round_{action}",
        subject=f"round/{period}",
        reason=reason.strip(),
        rows=trail.Rows(RoundEventRow, [row]),
    )
    return rounds(session)[period]
