from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger.answers import AnswerStatus, answer_statuses, record_answer_statuses
from warehouse.ledger.parks import Park, add_parks, park, parks
from warehouse.ledger.proposals import NewProposal, accept_proposal, proposals, record_proposals, reject_proposal
from warehouse.ledger.register import (
    UnitEvent,
    freeze_register,
    frozen_register,
    names_ever,
    record_unit_events,
    register_as_of,
    registers_as_of,
    unit_history,
)

Q1 = Period(2025, quarter=1)
ENTRY = UnitEvent("91A", "entry", date(2024, 1, 1), "LBXQ", "", {"B02": "甲公司", "B07": "3911"}, "营业执照")


def record(office: Any, *events: UnitEvent) -> int:
    with office.ledger.write() as session:
        return record_unit_events(session, events, now=office.now, actor="chen")


def as_of(office: Any, day: date, **kwargs: Any) -> pl.DataFrame:
    with office.ledger.read() as session:
        return register_as_of(session, day, **kwargs)


def test_names_are_found_of_units_that_were_renamed_or_are_gone(office: Any) -> None:
    record(
        office,
        ENTRY,
        UnitEvent("91A", "change", date(2024, 7, 1), attributes={"B02": "甲集团"}, basis="变更通知书"),
        UnitEvent("91B", "entry", date(2024, 6, 1), "LBGX", "", {"B02": "甲公司"}, "营业执照"),
        UnitEvent("91B", "exit", date(2025, 2, 1), basis="注销证明"),
    )
    with office.ledger.read() as session:
        assert names_ever(session) == {"甲公司": {"91A", "91B"}, "甲集团": {"91A"}}


def test_events_add_up_to_the_register_of_a_day(office: Any) -> None:
    assert record(
        office,
        ENTRY,
        UnitEvent("91B", "entry", date(2024, 6, 1), "LBGX", "", {"B02": "乙公司"}, "营业执照"),
        UnitEvent("91A", "change", date(2024, 7, 1), attributes={"B07": "3912", "B08": "112"}, basis="变更通知书"),
        UnitEvent("91A", "move", date(2025, 1, 1), "LBGX", "LBGX01", basis="迁移证明"),
        UnitEvent("91B", "exit", date(2025, 2, 1), basis="注销证明"),
    )
    assert as_of(office, date(2023, 12, 31)).is_empty()
    assert_frame_equal(
        as_of(office, date(2024, 12, 31)),
        pl.DataFrame(
            {
                "unit_id": ["91A", "91B"],
                "park": ["LBXQ", "LBGX"],
                "sub_park": ["", ""],
                "entered": [date(2024, 1, 1), date(2024, 6, 1)],
                "B02": ["甲公司", "乙公司"],
                "B07": ["3912", None],
                "B08": ["112", None],
            }
        ),
    )
    assert as_of(office, date(2025, 1, 1), park="LBGX").rows()[0][:3] == ("91A", "LBGX", "LBGX01")
    assert as_of(office, date(2025, 1, 1), park="LBXQ").filter(unit_id="91A").is_empty()
    assert as_of(office, date(2025, 1, 31)).height == 2
    assert as_of(office, date(2025, 2, 1))["unit_id"].to_list() == ["91A"]
    with office.ledger.read() as session:
        assert [event.kind for event in unit_history(session, "91A")] == ["entry", "change", "move"]


def test_the_registers_of_several_days_are_those_of_each(office: Any) -> None:
    record(office, ENTRY, UnitEvent("91B", "entry", date(2024, 6, 1), "LBGX", basis="营业执照"))
    record(office, UnitEvent("91A", "change", date(2024, 3, 1), attributes={"B02": "改名"}, basis="变更通知"))
    record(office, UnitEvent("91A", "exit", date(2025, 1, 1), basis="注销证明"))
    days = [date(2025, 6, 30), date(2023, 12, 31), date(2024, 2, 1), date(2024, 6, 1), date(2024, 12, 31)]
    with office.ledger.read() as session:
        found = registers_as_of(session, days)
        assert registers_as_of(session, []) == {}
    assert sorted(found) == sorted(days)
    for day in days:
        assert_frame_equal(found[day], as_of(office, day))
    assert [found[day].height for day in sorted(days)] == [0, 1, 2, 2, 1]


def test_the_register_as_it_was_known_leaves_out_what_was_recorded_later(office: Any) -> None:
    record(office, ENTRY)
    known = office.now
    record(office, UnitEvent("91A", "exit", date(2024, 3, 1), basis="注销证明"))
    assert as_of(office, date(2025, 1, 1)).is_empty()
    assert as_of(office, date(2025, 1, 1), known_at=known).height == 1


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([ENTRY, ENTRY], "已在库,不能重复新增"),
        ([UnitEvent("91C", "exit", date(2024, 1, 1), basis="x")], "不在库,不能办理退出"),
        ([ENTRY, UnitEvent("91A", "move", date(2023, 1, 1), "LBGX", basis="x")], "不在库,不能办理迁移"),
        ([UnitEvent("91A", "entry", date(2024, 1, 1), "NONE", basis="x")], "“NONE”在 2024-01-01 不在园区名录内"),
        ([UnitEvent("91A", "entry", date(2024, 1, 1), "LBXQ", basis=" ")], "新增须写明依据"),
        ([UnitEvent("91A", "rename", date(2024, 1, 1), basis="x")], "没有“rename”这种名录变动"),
    ],
)
def test_an_event_that_does_not_fit_is_refused_and_none_is_entered(
    office: Any, events: list[UnitEvent], message: str
) -> None:
    with pytest.raises(RefusalError, match=message):
        record(office, *events)
    assert as_of(office, date(2026, 1, 1)).is_empty()


def test_a_unit_that_left_may_enter_again(office: Any) -> None:
    record(office, ENTRY, UnitEvent("91A", "exit", date(2024, 3, 1), basis="规下"))
    record(office, UnitEvent("91A", "entry", date(2025, 1, 1), "LBGX", basis="升规"))
    assert as_of(office, date(2025, 1, 1)).select("park", "entered").row(0) == ("LBGX", date(2025, 1, 1))


def test_a_frozen_register_stays_as_it_was(office: Any) -> None:
    record(office, ENTRY)
    with office.ledger.write() as session:
        first = freeze_register(office.vault, session, Q1, now=office.now, actor="chen")
        assert freeze_register(office.vault, session, Q1, now=office.now, actor="chen") == first
        assert (first.revision, first.units, first.day) == (1, 1, date(2025, 3, 31))
    record(office, UnitEvent("91B", "entry", date(2025, 3, 1), "LBGX", basis="营业执照"))
    with office.ledger.write() as session:
        frozen = frozen_register(office.vault, session, Q1)
        assert frozen is not None
        assert frozen["unit_id"].to_list() == ["91A"]
        with pytest.raises(RefusalError, match="重新冻结须写明原因"):
            freeze_register(office.vault, session, Q1, now=office.now, actor="chen")
        again = freeze_register(office.vault, session, Q1, now=office.now, actor="chen", reason="漏登 91B")
        assert (again.revision, again.units) == (2, 2)
        assert frozen_register(office.vault, session, Period(2025, quarter=2)) is None


def test_a_report_proposes_and_a_statistician_dates_the_change(office: Any) -> None:
    record(office, ENTRY)
    number = office.receive(b"a").submission.number
    differences = [
        NewProposal("91A", "B07", "3911", "3912"),
        NewProposal("91A", "park", "LBXQ", "LBGX"),
        NewProposal("91A", "sub_park", "", "LBGX01"),
        NewProposal("91A", "B02", "甲公司", "甲有限公司"),
    ]
    with office.ledger.write() as session:
        assert record_proposals(session, number, differences, now=office.now, actor="system") == 4
        assert record_proposals(session, number, differences, now=office.now, actor="system") == 0
    assert as_of(office, date(2025, 3, 31))["B07"].to_list() == ["3911"]
    with office.ledger.write() as session:
        ids = [one.id for one in proposals(session, period=Q1, park="LBXQ")]
        for proposal_id in ids[:3]:
            accepted = accept_proposal(session, proposal_id, date(2025, 2, 1), now=office.now, actor="chen")
            assert accepted.decision == "accepted"
        with pytest.raises(RefusalError, match="须写明原因"):
            reject_proposal(session, ids[3], now=office.now, actor="chen", reason="")
        reject_proposal(session, ids[3], now=office.now, actor="chen", reason="营业执照未变更")
        with pytest.raises(RefusalError, match="已处理"):
            accept_proposal(session, ids[3], date(2025, 2, 1), now=office.now, actor="chen")
        assert proposals(session) == []
        assert [one.decision for one in proposals(session, only_open=False)] == ["accepted"] * 3 + ["rejected"]
    unit = as_of(office, date(2025, 2, 1)).row(0, named=True)
    assert (unit["park"], unit["sub_park"], unit["B07"], unit["B02"]) == ("LBGX", "LBGX01", "3912", "甲公司")


def test_the_latest_answer_status_of_a_unit_counts_and_needs_evidence(office: Any) -> None:
    first = [AnswerStatus("91A", "LBXQ", 2, "函告拒报"), AnswerStatus("91B", "LBXQ", 0, "2025Q1-LBXQ-0001")]
    with office.ledger.write() as session:
        assert record_answer_statuses(session, Q1, first, now=office.now, actor="liu") == 2
        assert record_answer_statuses(session, Q1, first, now=office.now, actor="liu") == 0
        later = [AnswerStatus("91A", "LBXQ", 5, "注销公告")]
        assert record_answer_statuses(session, Q1, later, now=office.now, actor="liu") == 1
        assert answer_statuses(session, Q1).rows() == [
            ("91A", "LBXQ", 5, "注销公告"),
            ("91B", "LBXQ", 0, "2025Q1-LBXQ-0001"),
        ]
        assert answer_statuses(session, Q1, ["91A", "91Z"]).rows() == [("91A", "LBXQ", 5, "注销公告")]
        assert answer_statuses(session, Q1, []).is_empty()
        assert answer_statuses(session, Period(2025)).is_empty()
        with pytest.raises(RefusalError, match="拒报”须附依据"):
            record_answer_statuses(session, Q1, [AnswerStatus("91C", "LBXQ", 2, "")], now=office.now, actor="liu")
        with pytest.raises(RefusalError, match="应为 0 至 8"):
            record_answer_statuses(session, Q1, [AnswerStatus("91C", "LBXQ", 9, "x")], now=office.now, actor="liu")


def test_a_park_that_is_upgraded_has_two_lines_and_one_on_each_day(office: Any) -> None:
    before = Park("GZZY", "遵义高新区", class_="省级", exit_date="2024-12-31")
    after = Park("GZZY", "遵义国家高新区", class_="国家级", entry_date="2025-01-01")
    with office.ledger.write() as session:
        first = Park("GZZY", "遵义高新区", class_="省级")
        assert add_parks(session, [first], now=office.now, actor="admin") == 1
        assert add_parks(session, [before, after], now=office.now, actor="admin") == 2
        assert add_parks(session, [before, after], now=office.now, actor="admin") == 0
        assert park(session, "GZZY", date(2024, 12, 31)) == before
        assert park(session, "GZZY", date(2025, 1, 1)) == after
        assert [one.code for one in parks(session, date(2025, 1, 1))] == ["GZZY", "LBGX", "LBGX01", "LBXQ"]
        assert len(parks(session)) == 5
        with pytest.raises(RefusalError, match="不改旧行"):
            add_parks(session, [Park("GZZY", "改名", class_="省级")], now=office.now, actor="admin")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Park("gzzy", "x"), "“gzzy”无效"),
        (Park("A-B", "x"), "“A-B”无效"),
        (Park("GZZY", "x", entry_date="2025/1/1"), "日期“2025/1/1”无效"),
        (Park("GZZY", "x", entry_date="2025-01-01", exit_date="2024-01-01"), "早于进入日期"),
    ],
)
def test_an_impossible_park_is_refused(office: Any, wrong: Park, message: str) -> None:
    with office.ledger.write() as session, pytest.raises(RefusalError, match=message):
        add_parks(session, [wrong], now=office.now, actor="admin")


def test_known_at_and_a_clock_set_back_do_not_stop_the_reading(office: Any) -> None:
    record(office, ENTRY)
    earlier = office.now - timedelta(days=1)
    with office.ledger.write() as session:
        change = UnitEvent("91A", "change", date(2024, 2, 1), attributes={"B07": "1"}, basis="x")
        record_unit_events(session, [change], now=earlier, actor="chen")
    assert as_of(office, date(2025, 1, 1), known_at=earlier).is_empty()
