"""Reminders that the system sends itself 系统催报: into the notices of the park's accounts, and out by mail and short message where
those are configured and an address is on file (``pipelines.notifying`` tells every link of the trail once).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from pipelines.notifying import REPORTER, people_of
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.parks import parks
from warehouse.ledger.sent_reminders import BY_SYSTEM, SentReminder, sent_reminders, sent_to
from warehouse.ledger.states import STANDING
from warehouse.ledger.submissions import submissions


@dataclass(frozen=True)
class Reach:
    """Whom a reminder of a park reaches: accounts that read it in the portal, those with a mail address, with a number."""

    accounts: int
    mail: int
    sms: int


def reach(session: Session, of: Iterable[str], day: date) -> dict[str, Reach]:
    """Park → whom a reminder by the system reaches on a day."""
    register = parks(session, day)
    people = {park: people_of(session, REPORTER, park, register) for park in of}
    return {
        park: Reach(len(found), sum(bool(one.email) for one in found), sum(bool(one.telephone) for one in found))
        for park, found in people.items()
    }


def require_sendable(session: Session, period: Period, chosen: Sequence[str], now: datetime) -> None:
    """Raise RefusalError for a park that nobody can sign in for, and for one that the system has reminded of this period today:
    a form sent twice, or by two people, is one reminder."""
    day = now.astimezone(SHANGHAI).date()
    nobody = [park for park, found in reach(session, chosen, day).items() if not found.accounts]
    if nobody:
        raise RefusalError(f"{'、'.join(nobody[:5])} 没有可用的填报账户,系统发不到;请用电话、公函等催报后登记。")
    before: Mapping[str, Sequence[SentReminder]] = sent_reminders(session, period)
    today = [
        park for park in chosen
        if any(one.way == BY_SYSTEM and one.at.astimezone(SHANGHAI).date() == day for one in before.get(park, ()))
    ]  # fmt: skip
    if today:
        raise RefusalError(f"{'、'.join(today[:5])} 今天已由系统催报过,没有再发;请去掉后重新发出。")


def standing_reminders(session: Session, park: str) -> list[SentReminder]:
    """The newest reminder by the system of each period that the park has not reported since; for its people to read."""
    reported = {one.period for one in submissions(session, park=park) if one.state in STANDING}
    newest: dict[Period, SentReminder] = {}
    for one in sent_to(session, park, BY_SYSTEM):
        if one.period not in reported:
            newest.setdefault(one.period, one)
    return list(newest.values())
