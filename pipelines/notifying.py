"""Notices by mail and short message: what happened on the trail, told to whom it concerns. No figure stands in them.

Driven by the trail, so that it is the same whoever decided and through which door; a link is told once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import outbox, trail
from warehouse.ledger.approvals import APPROVER, ASKED, DECLINED
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.models import TrailRow
from warehouse.ledger.office_models import SentReminderRow
from warehouse.ledger.parks import Park, parks
from warehouse.ledger.scopes import within
from warehouse.ledger.sent_reminders import BY_SYSTEM
from warehouse.ledger.submissions import submission
from warehouse.ledger.users import User, user, users

REPORTER, AUDITOR = "park_reporter", "auditor"
OF_CORRESPONDENCE = ("notice_posted", "correction_granted", "correction_declined")
ACTIONS = ("accept", "return", ASKED, DECLINED, "reminded", *OF_CORRESPONDENCE)
_BATCH = 500


@dataclass(frozen=True)
class Notice:
    """What is told to whom."""

    to: User
    subject: str
    body: str


def write_notices(session: Session, channels: tuple[str, ...], *, sender: str, now: datetime) -> int:
    """Put into the outbox what the trail has to tell since the last time; how many messages. The first time there is nothing
    to tell: what happened before messages were set up stays as it is.
    """
    end, done = trail.head(session).seq, outbox.cursor(session)
    if done is None:
        outbox.move_cursor(session, end)
        return 0
    query = (
        select(TrailRow.seq)
        .where(TrailRow.seq > done, TrailRow.seq <= end, TrailRow.action.in_(ACTIONS))
        .order_by(TrailRow.seq)
        .limit(_BATCH)
    )
    found = list(session.scalars(query))
    written = 0
    for seq in found:
        (event,) = trail.events(session, after=seq - 1, most=1)
        for notice in notices_of(session, event, sender):
            for channel in channels:
                written += _write(session, event.seq, channel, notice, now)
    outbox.move_cursor(session, found[-1] if len(found) == _BATCH else end)
    return written


def _write(session: Session, seq: int, channel: str, notice: Notice, now: datetime) -> bool:
    address = notice.to.email if channel == "mail" else notice.to.telephone
    return bool(address) and outbox.enqueue(
        session, key=f"trail/{seq}/{channel}/{notice.to.name}", channel=channel, user=notice.to.name, address=address,
        subject=notice.subject, body=notice.body, now=now, actor="系统",
    )  # fmt: skip


def notices_of(session: Session, event: trail.Event, sender: str) -> Iterator[Notice]:
    """Whom a link of the trail is told to, and in which words."""
    if event.action == "reminded":
        yield from _reminders(session, event, sender)
        return
    if event.action in OF_CORRESPONDENCE:
        yield from _correspondence(session, event, sender)
        return
    try:
        found = submission(session, event.subject)
    except RefusalError:  # another thing of the same action
        return
    what = f"{found.period.title}报表({found.number})"
    register = parks(session, found.period.end)
    if event.action == "accept":
        people, text = people_of(session, REPORTER, found.park, register), f"{what}已验收。"
    elif event.action == "return":
        people = people_of(session, REPORTER, found.park, register)
        text = f"{what}已退回。退回原因请登录系统查看,改正后重新上传、报送。"
    elif event.action == ASKED:
        people, text = people_of(session, APPROVER, found.park, register), f"{what}等待您审核同意后报送。"
    else:
        people = people_of(session, REPORTER, found.park, register)
        text = f"{what}没有获得本园区审核人同意,原因请登录系统查看。"
    for one in people:
        yield Notice(one, f"{sender}:{what}", f"{one.title}:\n{text}\n{sender}")


def _reminders(session: Session, event: trail.Event, sender: str) -> Iterator[Notice]:
    rows = session.scalars(select(SentReminderRow).where(SentReminderRow.trail_seq == event.seq))
    for row in rows:
        if row.way == BY_SYSTEM:
            for one in people_of(session, REPORTER, row.park, parks(session, event.at.date())):
                yield Notice(one, f"{sender}:催报 {row.period}", f"{row.text}\n{sender}")


def _correspondence(session: Session, event: trail.Event, sender: str) -> Iterator[Notice]:
    """A notice posted, for the parks it is for; how a request to correct was decided, for the park that asked."""
    kind, _, rest = event.subject.partition("/")
    park, _, period = rest.partition("/")
    register = parks(session, event.at.date())
    if kind == "notice":
        what, text = f"通知“{event.reason}”", "有一条新的通知,请登录系统查看。"
    elif event.action == "correction_granted":
        what, text = f"{period} 更正申请", f"{period} 的更正申请已准予,请登录系统查看期限,在期限内重新上传、报送。"
    else:
        what, text = f"{period} 更正申请", f"{period} 的更正申请没有同意,原因请登录系统查看。"
    wanted = [one.code for one in register if one.kind == "zone"] if park == "all" else [park]
    people = {one.name: one for code in wanted for one in people_of(session, REPORTER, code, register)}
    for one in people.values():
        yield Notice(one, f"{sender}:{what}", f"{one.title}:\n{text}\n{sender}")


def write_heads(session: Session, *, sender: str, now: datetime) -> int:
    """Send the head of the trail to the auditors with a mail address, once a day: kept away from this machine, it shows later
    that the end of the chain was cut off, or the chain forged anew. How many messages."""
    last, day = trail.head(session), now.astimezone(SHANGHAI).date()
    return sum(
        outbox.enqueue(
            session, key=f"head/{day}/{one.name}", channel="mail", user=one.name, address=one.email,
            subject=f"{sender}:留痕链头 {day}", now=now, actor="系统",
            body=f"{one.title}:\n{day} 留痕链头:\n\n    {last.seq}:{last.hash}\n\n请另行保存。以后核对,在服务器上执行:ytb verify --head {last.seq}:{last.hash}\n"
            "核验不通过的,此条或之前的留痕已被改动、删除。\n",
        )
        for one in users(session)
        if one.role == AUDITOR and one.email and not one.disabled
    )  # fmt: skip


def people_of(session: Session, role: str, park: str, register: list[Park]) -> list[User]:
    """Who acts for a park in a role and can sign in."""
    return [
        one for one in users(session)
        if one.role == role and not one.disabled and park in within(register, one.park or "")
    ]  # fmt: skip


def write_code(session: Session, name: str, code: str, address: str, *, sender: str, now: datetime, actor: str) -> bool:
    """Put a one-time code for a person with a mail address into the outbox; False without one. Never by short message: a
    number may be another's by now, and the account is named beside it."""
    known = user(session, name)
    if not known.email:
        return False
    body = (
        f"{known.title}:\n您在{sender}的账户 {name} 的一次性代码:\n\n    {code}\n\n请打开 {address} ,用它登录并设置口令。"
        "代码 14 天内有效,只能用一次;不是您申请的,请联系统计机构。\n"
    )
    return outbox.enqueue(
        session, key=f"code/{name}/{now.isoformat()}", channel="mail", user=name, address=known.email,
        subject=f"{sender}:账户一次性代码", body=body, now=now, actor=actor,
    )  # fmt: skip
