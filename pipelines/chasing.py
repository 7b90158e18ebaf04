"""Chasing 企业催报: how each enterprise of a park stands in a round, whom to call, and what to write. No figure is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from pipelines.checking import register_of
from pipelines.intake import Office
from pipelines.operands import History
from schemas import reserved
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger.answers import ANSWER_STATUSES, answer_statuses
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.enterprise_accounts import enterprise_accounts
from warehouse.ledger.enterprise_returns import STANDS, EnterpriseReturn, enterprise_returns, last_contacts
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.periods import Round, round_of
from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.users import User

MISSING, FILED, FILED_FAULTY, EXCUSED = "missing", "filed", "filed_faulty", "excused"
STANDINGS = {
    MISSING: "未交",
    str(ReturnState.RECEIVED): "审核中",
    str(ReturnState.FAULTY): "有错误",
    str(ReturnState.CLEAN): "待确认",
    str(ReturnState.CONFIRMED): "已确认",
    str(ReturnState.TAKEN_UP): "已汇集",
    FILED: "园区已报",
    FILED_FAULTY: "园区已报,未通过",
    EXCUSED: "不再报送",
}
#: Somebody still has to be asked.
OUTSTANDING = (MISSING, str(ReturnState.RECEIVED), str(ReturnState.FAULTY), str(ReturnState.CLEAN), FILED_FAULTY)


@dataclass(frozen=True)
class Chased:
    """One enterprise. ``standing`` is a key of STANDINGS, ``said`` in words; ``found``: its newest return; ``days_late``: days
    past the deadline, 0 where in time; ``accounts``: who can sign in for it; ``reminder`` is empty where nothing is owed."""

    unit_id: str
    name: str
    sub_park: str
    standing: str
    said: str
    found: EnterpriseReturn | None
    days_late: int
    contact: str
    accounts: Sequence[User]
    reminder: str

    @property
    def is_outstanding(self) -> bool:
        """Whether it still has to be asked."""
        return self.standing in OUTSTANDING


def chase_list(office: Office, park: str, period: Period, *, now: datetime) -> list[Chased]:
    """Every enterprise of the park's register in the period: the outstanding ones first, the latest on top, then by name.

    Raises RefusalError where the round was never opened.
    """
    with office.ledger.read() as session:
        current = round_of(session, period)
        if current is None:
            raise RefusalError(f"{period} 尚未开网。")
        history = History(office.vault, session, office.programme)
        listed = register_of(history, period, park)
        newest = {one.unit_id: one for one in enterprise_returns(session, park, period=period)}
        statuses = {
            unit: (status, evidence)
            for unit, other, status, evidence in answer_statuses(
                session, period, listed["unit_id"].to_list()
            ).iter_rows()
            if other == park
        }
        accounts = enterprise_accounts(session, park)
        contacts = _contacts(history, session, park, period)
        sender = park_on(session, park, period.end).name
    found = []
    for row in listed.select("unit_id", "name", "sub_park").iter_rows(named=True):
        unit, name = row["unit_id"], row["name"] or row["unit_id"]
        standing, said = _standing(newest.get(unit), statuses.get(unit))
        late = _days_late(newest.get(unit), standing, current, park, now)
        people = accounts.get(unit, ())
        reminder = _reminder(name, standing, current, park, sender, people, now) if standing in OUTSTANDING else ""
        contact = "、".join(filter(None, (f"{p.title} {p.telephone}".strip() for p in people))) or contacts.get(
            unit, ""
        )
        found.append(
            Chased(unit, name, row["sub_park"] or "", standing, said, newest.get(unit), late, contact, people, reminder)
        )
    order = list(STANDINGS)
    return sorted(found, key=lambda one: (order.index(one.standing), -one.days_late, one.name, one.unit_id))


def _contacts(history: History, session: Session, park: str, period: Period) -> dict[str, str]:
    """Enterprise → whom to call: as it confirmed last, else as the last basic form of the park says."""
    known: dict[str, str] = {}
    for earlier in history.earlier_periods(period, park)[:1]:
        submission = history.standing(earlier).get(park)
        basic = history.observations(submission).frames.get(reserved.BASIC) if submission else None
        if basic is not None and reserved.CONTACT in basic.columns:
            known |= dict(basic.select("unit_id", reserved.CONTACT).drop_nulls().iter_rows())
    return known | last_contacts(session, park)


def _standing(found: EnterpriseReturn | None, status: tuple[int, str] | None) -> tuple[str, str]:
    if status is not None and status[0] > 1:
        return EXCUSED, ANSWER_STATUSES[status[0]]
    if found is not None:
        return str(found.state), STANDINGS[str(found.state)]
    if status is not None:
        key = FILED if status[0] == 0 else FILED_FAULTY
        return key, f"{STANDINGS[key]}({status[1]})"
    return MISSING, STANDINGS[MISSING]


def _last_day(current: Round, park: str) -> date:
    # 24时 of a day is 00:00 of the next, and belongs to the day before.
    return (current.deadline_of(park) - timedelta(microseconds=1)).astimezone(SHANGHAI).date()


def _days_late(found: EnterpriseReturn | None, standing: str, current: Round, park: str, now: datetime) -> int:
    if standing in OUTSTANDING:
        day = now.astimezone(SHANGHAI).date()
    elif found is not None and found.state in STANDS and found.confirmation is not None:
        day = found.confirmation.confirmed_on
    else:
        return 0
    return max((day - _last_day(current, park)).days, 0)


_DONE: Mapping[str, str] = {
    MISSING: "还没有交来",
    str(ReturnState.RECEIVED): "已收到,还没有审核完",
    str(ReturnState.FAULTY): "有错误,须改正后重交",
    str(ReturnState.CLEAN): "没有错误,还差单位负责人确认",
    FILED_FAULTY: "审核没有通过,须改正",
}


def _reminder(
    name: str, standing: str, current: Round, park: str, sender: str, people: Sequence[User], now: datetime
) -> str:
    day, today = _last_day(current, park), now.astimezone(SHANGHAI).date()
    left = (day - today).days
    when = f"已逾期 {-left} 天" if left < 0 else "今天截止" if not left else f"距截止还有 {left} 天"
    how = f"请用账户 {people[0].name} 登录系统办理" if people else "请尽快办理"
    return (
        f"{name}:您单位{current.period.title}统计报表{_DONE[standing]},{when}(截止 {day.year} 年 {day.month} 月 {day.day} 日)。"
        f"{how},有疑问请与我们联系。{sender}"
    )
