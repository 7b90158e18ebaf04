"""What a portal looks like in the middle of a round: long names, hundreds of findings, something in every state."""

from __future__ import annotations

from datetime import date, timedelta

from schemas.period import Period
from tests.unit.ytb.portal_office import Installation, user_of
from warehouse.ledger import queries
from warehouse.ledger.decisions import return_to_park
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.periods import close_round, open_round
from warehouse.ledger.release_requests import request_release
from warehouse.ledger.steps import report
from warehouse.ledger.users import add_user

LONG = "甘肃省兰州市国家级高新技术产业开发区榆中生态创新城片区管理委员会经济发展与统计监测局(筹)"


def fill(inst: Installation) -> None:
    """Take an empty installation of ``portal_office`` to the middle of its round."""
    at = inst.at
    with inst.office.ledger.write() as session:
        parks = [Park(f"QG{n:03d}", f"{LONG}第{n}分区", kind="zone", city="白银市") for n in range(30)]
        add_parks(session, parks, now=at, actor="root")
        for n in range(25):
            add_user(session, f"reporter-with-a-long-name-{n:02d}", title=f"{LONG}填报员{n}", role="park_reporter",
                     park=f"QG{n:03d}", now=at, actor="root")  # fmt: skip
        for period in (Period(2014), Period(2015, quarter=2), Period(2014, quarter=4)):
            deadline = at + timedelta(days=20)
            open_round(session, period, edition="2015", deadline=deadline, now=at, actor="province_statistician")
        close_round(session, Period(2014, quarter=4), now=at, actor="province_statistician")
        request_release(session, Period(2015, quarter=1), reason=f"首次发布。{LONG * 3}", now=at, actor="publisher")
    inst.at += timedelta(minutes=1)
    first = inst.submission("LBGX", name=f"{LONG}二〇一五年一季度报表(最终版)(2)副本.xlsx", reported=True)
    with inst.office.ledger.write() as session:
        return_to_park(session, first, now=inst.at, actor="reviewer", reason=f"研发经费口径不一致。{LONG * 4}")
    inst.at += timedelta(minutes=1)
    inst.submission("LBGX", hard=150, soft=150, name=f"{LONG}二〇一五年一季度报表(改).xlsx")
    other = inst.submission("LBJJ", name=f"{'a-very-long-file-name-without-any-space' * 3}.xlsx", reported=True)
    for n in range(20):
        inst.at += timedelta(minutes=1)
        number = inst.submission(f"QG{n:03d}", soft=n % 4 and 3, hard=int(n % 5 == 0), name="报表.xlsx")
        if n % 4 == 0 and n % 5:
            with inst.office.ledger.write() as session:
                report(session, number, now=inst.at, actor="x")
    with inst.office.ledger.write() as session:
        for n in range(6):
            queries.ask(
                session, other, form="finance", unit_id=f"9162010290000{n}092A", column="F02", due=date(2015, 4, 20),
                question=f"本期主营业务收入比上年同期增长较多,请说明原因。{LONG * 2}", now=inst.at, actor="reviewer",
            )  # fmt: skip
        queries.answer(
            session, 1, f"新厂投产,订单增加。{LONG * 2}", now=inst.at, actor=user_of("park_reporter", "LBJJ")
        )
