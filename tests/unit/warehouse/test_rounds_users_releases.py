from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.columns import SHANGHAI, shown_deadline, stored_instant
from warehouse.ledger.periods import close_round, extend_round, open_round, round_of, rounds, timeliness
from warehouse.ledger.releases import (
    current_release,
    next_release_id,
    record_release,
    release,
    releases,
    withdraw_release,
)
from warehouse.ledger.states import State
from warehouse.ledger.users import add_user, disable_user, user, users

Q1 = Period(2025, quarter=1)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2025, 4, day, hour, tzinfo=SHANGHAI)


def test_a_round_is_opened_extended_closed_and_opened_again(office: Any) -> None:
    with office.ledger.write() as session:
        assert round_of(session, Q1) is None
        opened = open_round(session, Q1, edition="2025", deadline=at(11), now=at(1), actor="chen")
        assert (opened.is_open, opened.deadline, opened.edition) == (True, at(11), "2025")
        with pytest.raises(RefusalError, match="NOPE"):
            extend_round(session, Q1, deadline=at(20), park="NOPE", reason="x", now=at(2), actor="chen")
        with pytest.raises(RefusalError, match="已开网"):
            open_round(session, Q1, edition="2025", deadline=at(11), now=at(1), actor="chen")
        extend_round(session, Q1, deadline=at(20), park="LBGX", reason="系统故障", now=at(2), actor="chen")
        extended = extend_round(session, Q1, deadline=at(12), reason="清明假期", now=at(2), actor="chen")
        assert (extended.deadline_of("LBXQ"), extended.deadline_of("LBGX")) == (at(12), at(20))
        with pytest.raises(RefusalError, match="须晚于"):
            extend_round(session, Q1, deadline=at(19), park="LBGX", reason="x", now=at(2), actor="chen")
        with pytest.raises(RefusalError, match="须写明原因"):
            extend_round(session, Q1, deadline=at(25), reason=" ", now=at(2), actor="chen")
        closed = close_round(session, Q1, now=at(21), actor="chen")
        assert (closed.is_open, closed.closed_at) == (False, at(21))
        with pytest.raises(RefusalError, match="已关网"):
            close_round(session, Q1, now=at(21), actor="chen")
        with pytest.raises(RefusalError, match="重新开网须写明原因"):
            open_round(session, Q1, edition="2025", deadline=at(30), now=at(22), actor="chen")
        with pytest.raises(RefusalError, match="已过"):
            open_round(session, Q1, edition="2025", deadline=at(20), now=at(22), actor="chen", reason="补报")
        again = open_round(session, Q1, edition="2025", deadline=at(30), now=at(22), actor="chen", reason="补报")
        assert (again.is_open, again.opened_at, again.closed_at) == (True, at(1), None)
        assert list(rounds(session)) == [Q1]


def test_a_round_years_ahead_is_a_slip_of_the_pen(office: Any) -> None:
    with office.ledger.write() as session, pytest.raises(RefusalError, match="请核对年份"):
        open_round(session, Period(2030, quarter=1), edition="2025", deadline=at(30), now=at(1), actor="chen")


def test_who_is_in_time_late_overdue_or_still_has_time(office: Any) -> None:
    with office.ledger.write() as session:
        open_round(session, Q1, edition="2025", deadline=at(1, 10), now=at(1), actor="chen")
    office.return_(office.reported(b"first"))  # reported at 9:03, then returned: still in time
    office.minutes = 90
    number = office.reported(b"second")
    with office.ledger.read() as session:
        early, late = (timeliness(session, Q1, now=now) for now in (at(1, 9), at(1, 11)))
        assert [(one.park, one.is_late, one.is_overdue) for one in late] == [
            ("LBGX", False, True),
            ("LBXQ", False, False),
        ]
        assert not early[0].is_overdue
        assert late[1].latest is not None
        assert late[1].latest.number == number
        assert late[0].name == "兰州高新技术产业开发区"
        assert late[1].reported_at == at(1, 9).replace(minute=3)
    office.reported(b"x", park="LBGX")
    with office.ledger.read() as session:
        (only,) = timeliness(session, Q1, now=at(2), owing=["LBGX"])
        assert (only.is_late, only.is_overdue) == (True, False)
        with pytest.raises(RefusalError, match="尚未开网"):
            timeliness(session, Period(2025), now=at(2))


def test_a_bad_later_upload_takes_nothing_from_what_was_reported(office: Any) -> None:
    with office.ledger.write() as session:
        open_round(session, Q1, edition="2025", deadline=at(2), now=at(1), actor="chen")
    first = office.accept(office.reported(b"good")).number
    bad = office.receive(b"wrong file").submission.number
    office.check(
        bad, replace(office.clean, observations_blob=None, findings_blob=None, forms=(), unreadable="不是报表")
    )
    only_bad = office.receive(b"wrong too", park="LBGX").submission.number
    with office.ledger.read() as session:
        silent, filed = timeliness(session, Q1, now=at(1, 12))
    assert filed.latest is not None and filed.draft is not None
    assert (filed.latest.number, filed.latest.state, filed.draft.number) == (first, State.ACCEPTED, bad)
    assert silent.latest is not None and (silent.latest.number, silent.draft) == (only_bad, None)
    better = office.reported(b"better")
    with office.ledger.read() as session:
        (filed,) = timeliness(session, Q1, now=at(1, 12), owing=["LBXQ"])
    assert filed.latest is not None and (filed.latest.number, filed.draft) == (better, None)


def test_a_deadline_at_midnight_is_2400_of_the_day_before() -> None:
    assert shown_deadline(at(16)) == "2025-04-15 24:00"
    assert shown_deadline(datetime(2025, 4, 15, 20, 52, tzinfo=UTC)) == "2025-04-16 04:52"
    assert shown_deadline(datetime(2025, 4, 15, 16, tzinfo=UTC)) == "2025-04-15 24:00"


def test_people_are_entered_once_and_barred_for_good(office: Any) -> None:
    with office.ledger.write() as session:
        liu = add_user(session, "liu", title="刘工", role="park_reporter", park="LBXQ", now=office.now, actor="admin")
        assert (liu.role_label, liu.park, liu.disabled) == ("园区填报人员", "LBXQ", False)
        add_user(session, "chen", title="", role="province_statistician", now=office.now, actor="admin")
        assert disable_user(session, "liu", now=office.now, actor="admin", reason="离职").disabled
        assert disable_user(session, "liu", now=office.now, actor="admin", reason="离职").disabled
        assert [(one.name, one.title) for one in users(session)] == [("chen", "chen"), ("liu", "刘工")]
        for wrong, message in (
            ({"name": "liu", "role": "reviewer"}, "已存在"),
            ({"name": "x y", "role": "reviewer"}, "无效"),
            ({"name": "wang", "role": "boss"}, "没有角色“boss”"),
            ({"name": "wang", "role": "park_reporter"}, "须指定所属园区"),
        ):
            with pytest.raises(RefusalError, match=message):
                add_user(session, title="", now=office.now, actor="admin", **wrong)
        with pytest.raises(RefusalError, match="没有用户“wang”"):
            user(session, "wang")
        with pytest.raises(RefusalError, match="没有用户“wang”"):
            disable_user(session, "wang", now=office.now, actor="admin", reason="离职")


def test_releases_are_numbered_in_turn_and_withdrawn_with_a_reason(office: Any) -> None:
    with office.ledger.write() as session:
        assert next_release_id(session, Q1) == "2025-Q1.r1"
        first = record_release(session, "2025-Q1.r1", period=Q1, manifest="a" * 64, now=office.now, actor="chen")
        assert (first.number, first.is_withdrawn) == (1, False)
        with pytest.raises(RefusalError, match=r"与应有的 2025-Q1\.r2 不符"):
            record_release(session, "2025-Q1.r1", period=Q1, manifest="b" * 64, now=office.now, actor="chen")
        record_release(session, "2025-Q1.r2", period=Q1, manifest="b" * 64, now=office.now, actor="chen")
        record_release(session, "2025.r1", period=Period(2025), manifest="c" * 64, now=office.now, actor="chen")
        assert [one.id for one in releases(session)] == ["2025-Q1.r1", "2025-Q1.r2", "2025.r1"]
        with pytest.raises(RefusalError, match="须写明原因"):
            withdraw_release(session, "2025-Q1.r2", reason="", now=office.now, actor="chen")
        gone = withdraw_release(session, "2025-Q1.r2", reason="单位口径有误", now=office.now, actor="chen")
        assert (gone.is_withdrawn, gone.withdrawal_reason) == (True, "单位口径有误")
        with pytest.raises(RefusalError, match="已撤回"):
            withdraw_release(session, "2025-Q1.r2", reason="x", now=office.now, actor="chen")
        assert current_release(session, Q1) == first
        assert current_release(session, Period(2024)) is None
        assert next_release_id(session, Q1) == "2025-Q1.r3"
        with pytest.raises(RefusalError, match="没有发布"):
            release(session, "2024.r1")


def test_a_release_that_took_a_while_does_not_set_the_trail_back(office: Any) -> None:
    begun, meanwhile = office.now, office.now + timedelta(minutes=20)
    with office.ledger.write() as session:
        add_user(session, "mei", title="梅某", role="reviewer", park=None, now=meanwhile, actor="admin")
        made = record_release(session, "2025-Q1.r1", period=Q1, manifest="a" * 64, now=begun, actor="chen")
        link = trail.events(session, "release/2025-Q1.r1")[0]
        later = record_release(session, "2025.r1", period=Period(2025), manifest="b" * 64, now=meanwhile, actor="chen")
        plain = trail.events(session, "release/2025.r1")[0]
    assert (made.released_at, link.at) == (begun, meanwhile)
    assert link.payload == {"manifest": "a" * 64, "begun": stored_instant(begun)}
    assert (later.released_at, plain.at, plain.payload) == (meanwhile, meanwhile, {"manifest": "b" * 64})
