import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from schemas.errors import RefusalError, StorageError
from schemas.period import Period
from warehouse.ledger import decisions, steps, submissions, trail
from warehouse.ledger.explanations import NewExplanation, explanations_of, finding_key, record_explanations
from warehouse.ledger.intake import clean_file_name
from warehouse.ledger.states import TRANSITIONS, State, require_step
from warehouse.ledger.submissions import CheckResult

Q1 = Period(2025, quarter=1)


def result(blocking: int = 0, to_explain: int = 0, unreadable: str | None = None) -> CheckResult:
    return CheckResult("1", "r", "o", None, None, ("finance",), {"units": 2}, blocking, to_explain, unreadable)


def states_of(office: Any, period: Period = Q1) -> dict[str, str]:
    with office.ledger.read() as session:
        return {one.number: str(one.state) for one in submissions.submissions(session, period=period)}


def test_the_first_submission_is_revision_1_with_its_files_and_the_time_given(office: Any) -> None:
    received = office.receive(b"one", b"two")
    found = received.submission
    assert received.is_new
    assert (found.number, found.revision, found.state) == ("2025Q1-LBXQ-0001", 1, State.RECEIVED)
    assert [(file.name, file.size, office.vault.read(file.sha256)) for file in found.files] == [
        ("0.xlsx", 3, b"one"),
        ("1.xlsx", 3, b"two"),
    ]
    assert found.received_at.isoformat() == "2025-04-01T09:01:00+08:00"
    with office.ledger.read() as session:
        assert submissions.submission(session, found.number) == found


def test_an_annual_submission_and_another_park_count_for_themselves(office: Any) -> None:
    assert office.receive(b"a", period=Period(2025)).submission.number == "2025-LBXQ-0001"
    assert office.receive(b"a", park="LBGX").submission.number == "2025Q1-LBGX-0001"
    assert office.receive(b"a").submission.number == "2025Q1-LBXQ-0001"


@pytest.mark.parametrize("stage", ["received", "unreadable", "failed", "checked", "explained", "reported", "accepted"])
def test_the_same_files_while_open_are_the_same_submission(office: Any, stage: str) -> None:
    number = office.receive(b"one", b"two").submission.number
    match stage:
        case "unreadable":
            office.check(number, result(unreadable="文件有打开密码"))
        case "failed":
            office.check(number, result(blocking=1))
        case "checked":
            office.check(number, result(to_explain=1))
        case "explained" | "reported" | "accepted":
            office.check(number, result())
    if stage in ("reported", "accepted"):
        with office.ledger.write() as session:
            steps.report(session, number, now=office.now, actor="liu")
    if stage == "accepted":
        office.accept(number)
    again = office.receive(b"two", b"one")
    assert (again.submission.number, again.is_new, again.submission.state) == (number, False, stage)
    assert len(states_of(office)) == 1


def test_the_same_files_after_a_return_are_a_new_revision_on_the_same_blobs(office: Any) -> None:
    number = office.reported(b"one")
    office.return_(number)
    again = office.receive(b"one")
    assert again.is_new
    assert again.submission.number == "2025Q1-LBXQ-0002"
    assert len(list(office.vault.blobs())) == 1


def test_going_back_to_earlier_files_is_a_new_revision_not_the_old_receipt(office: Any) -> None:
    office.reported(b"first")
    office.reported(b"second")
    third = office.reported(b"first")
    assert third == "2025Q1-LBXQ-0003"
    with office.ledger.read() as session:
        assert [one.number for one in submissions.latest_reported(session, Q1)] == [third]


def test_uploads_at_once_give_one_submission_for_the_same_files_and_an_order_for_others(office: Any) -> None:
    start = threading.Barrier(8)
    numbers: dict[int, list[str]] = {n: [] for n in range(8)}

    def upload(worker: int) -> None:
        start.wait()
        numbers[worker].append(office.receive(b"same", park="LBGX").submission.number)
        numbers[worker].append(office.receive(b"own %d" % worker).submission.number)

    workers = [threading.Thread(target=upload, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {first for first, _ in numbers.values()} == {"2025Q1-LBGX-0001"}
    assert sorted(own for _, own in numbers.values()) == [f"2025Q1-LBXQ-{n:04d}" for n in range(1, 9)]
    with office.ledger.read() as session:
        assert trail.verify_trail(session).is_sound


def test_nothing_without_files_or_from_an_unknown_park_is_taken(office: Any) -> None:
    with pytest.raises(RefusalError, match="没有收到文件"):
        office.receive()
    with pytest.raises(RefusalError, match="“XXXX”在 2025-03-31 不在园区名录内"):
        office.receive(b"a", park="XXXX")
    assert states_of(office) == {}


def test_a_file_name_is_shown_without_folders_and_tricks() -> None:
    assert clean_file_name("C:\\报表\\一季度.xlsx") == "一季度.xlsx"
    assert clean_file_name("../../etc/passwd") == "passwd"
    assert clean_file_name("a\u202excod.exe\x00\n.xlsx") == "axcod.exe.xlsx"
    assert clean_file_name("甲" * 300 + ".xlsx")[-6:] == "甲.xlsx"
    assert clean_file_name("///") == "未命名"


def test_a_check_without_findings_leads_to_explained_and_the_report(office: Any) -> None:
    number = office.receive(b"a").submission.number
    assert office.check(number, result()).state == State.EXPLAINED
    with office.ledger.write() as session:
        assert steps.report(session, number, now=office.now, actor="liu").state == State.REPORTED
    with office.ledger.read() as session:
        assert [(e.action, e.from_state, e.to_state) for e in trail.events(session, number)] == [
            ("received", None, "received"),
            ("checked", "received", "checked"),
            ("explained", "checked", "explained"),
            ("reported", "explained", "reported"),
        ]


def test_a_soft_finding_must_be_explained_before_the_report(office: Any) -> None:
    number = office.receive(b"a").submission.number
    assert office.check(number, result(to_explain=2)).state == State.CHECKED
    keys = [
        finding_key({"rule": rule, "code": "rule", "form": "finance", "unit_id": "91X", "column": None})
        for rule in ("R1", "R2")
    ]
    assert keys == ["R1|finance|91X|", "R2|finance|91X|"]
    with office.ledger.write() as session, pytest.raises(RefusalError, match="还有 2 条"):
        steps.mark_explained(session, number, now=office.now, actor="liu")
    given = [NewExplanation(keys[0], "07", "新生产线投产"), NewExplanation(keys[0], "08", "并入子公司")]
    with office.ledger.write() as session:
        assert record_explanations(session, number, given, now=office.now, actor="liu") == 1
        assert record_explanations(session, number, given[1:], now=office.now, actor="liu") == 0
    with office.ledger.write() as session, pytest.raises(RefusalError, match="还有 1 条"):
        steps.mark_explained(session, number, now=office.now, actor="liu")
    with office.ledger.write() as session:
        last = [NewExplanation(keys[1], "06", "价格上涨 1234 元")]
        record_explanations(session, number, last, now=office.now, actor="liu")
        assert steps.mark_explained(session, number, now=office.now, actor="liu").state == State.EXPLAINED
        assert [(one.reason_code, one.text, one.by) for one in explanations_of(session, number).values()] == [
            ("08", "并入子公司", "liu"),
            ("06", "价格上涨 1234 元", "liu"),
        ]
        with pytest.raises(RefusalError, match="只有待说明"):
            record_explanations(session, number, last, now=office.now, actor="liu")
    with office.ledger.read() as session:
        assert "1234" not in str([event.payload for event in trail.events(session)])


def test_a_failed_check_stays_on_record_when_the_same_files_are_checked_again(office: Any) -> None:
    number = office.receive(b"a").submission.number
    assert office.check(number, result(blocking=3)).state == State.FAILED
    with office.ledger.write() as session, pytest.raises(RefusalError, match="“审核未通过”,不能转为“已报送”"):
        steps.report(session, number, now=office.now, actor="liu")
    with office.ledger.write() as session:
        steps.check_again(session, number, reason="名录已补登", now=office.now, actor="chen")
    found = office.check(number, result())
    assert found.state == State.EXPLAINED
    assert found.check is not None
    assert (found.check.attempt, found.check.blocking) == (2, 0)
    with office.ledger.read() as session:
        assert session.scalar(text("SELECT count(*) FROM checks")) == 2


def test_in_force_is_the_latest_accepted_and_earlier_ones_are_superseded(office: Any) -> None:
    first = office.reported(b"1")
    office.accept(first)
    second = office.reported(b"2")
    with office.ledger.read() as session:
        assert [one.number for one in submissions.in_force(session, Q1)] == [first]
        assert [one.number for one in submissions.latest_reported(session, Q1)] == [second]
        assert [one.number for one in submissions.accepted_else_reported(session, Q1)] == [first]
        assert [one.number for one in decisions.awaiting_decision(session, Q1)] == [second]
    other = office.reported(b"3", park="LBGX")
    assert office.accept(second).state == State.ACCEPTED
    with office.ledger.read() as session:
        assert [one.number for one in submissions.in_force(session, Q1)] == [second]
        assert [one.number for one in submissions.accepted_else_reported(session, Q1)] == [other, second]
    assert states_of(office)[first] == "superseded"


def test_an_older_revision_is_not_accepted_once_a_newer_one_is_reported(office: Any) -> None:
    first, second = office.reported(b"1"), office.reported(b"2")
    with pytest.raises(RefusalError, match=second):
        office.accept(first)
    office.return_(second)
    assert office.accept(first).state == State.ACCEPTED


def test_a_withdrawn_acceptance_is_not_in_force_and_can_go_both_ways(office: Any) -> None:
    number = office.reported(b"1")
    office.accept(number)
    assert office.reopen(number).state == State.REOPENED
    with office.ledger.read() as session:
        assert submissions.in_force(session, Q1) == []
        assert [one.number for one in submissions.latest_reported(session, Q1)] == [number]
        assert [one.number for one in decisions.awaiting_decision(session)] == [number]
    office.accept(number)
    office.reopen(number)
    assert office.return_(number).state == State.RETURNED
    with office.ledger.read() as session:
        assert submissions.latest_reported(session, Q1) == []
        assert [(one.action, one.reason) for one in decisions.decisions_of(session, number)] == [
            ("accept", ""),
            ("reopen", "发现漏报单位"),
            ("accept", ""),
            ("reopen", "发现漏报单位"),
            ("return", "从业人员与上年同期差异过大,请核实"),
        ]


def test_a_return_needs_a_reason_that_names_no_figure(office: Any) -> None:
    number = office.reported(b"1")
    with pytest.raises(RefusalError, match="须写明原因"):
        office.return_(number, "  ")
    for reason in ("营业收入改为 1200", "F01应填:35000千元", "请将增速控制在8%", "产值不低于三千万"):
        with pytest.raises(RefusalError, match="不得写明要填报的数值"):
            office.return_(number, reason)
    assert states_of(office)[number] == "reported"
    assert office.return_(number, "第 12 行 F01 比上年同期减少 95%,请核实").state == State.RETURNED


def test_as_of_gives_what_stood_at_an_instant(office: Any) -> None:
    first = office.reported(b"1")
    before_acceptance = office.now
    accepted_at = office.accept(first).state_at
    second = office.reported(b"2")
    office.accept(second)
    superseded_at = office.now
    office.reopen(second)
    with office.ledger.read() as session:

        def stood(instant: Any, *states: State) -> list[tuple[str, str]]:
            found = submissions.as_of(session, Q1, instant, states or (State.ACCEPTED,))
            return [(one.number, str(one.state)) for one in found]

        assert stood(before_acceptance - timedelta(days=1)) == []
        assert stood(before_acceptance) == []
        assert stood(before_acceptance, State.REPORTED, State.ACCEPTED) == [(first, "reported")]
        assert stood(accepted_at) == [(first, "accepted")]
        assert stood(superseded_at) == [(second, "accepted")]
        assert stood(office.now) == []


def test_as_of_knows_the_check_of_that_time(office: Any) -> None:
    number = office.receive(b"1").submission.number
    failed_at = office.check(number, result(blocking=1)).state_at
    with office.ledger.write() as session:
        steps.check_again(session, number, reason="名录已补登", now=office.now, actor="chen")
    office.check(number, result())
    with office.ledger.read() as session:
        (then,) = submissions.as_of(session, Q1, failed_at, {State.FAILED})
        assert then.check is not None
        assert then.check.blocking == 1


def test_a_clock_that_was_set_back_does_not_change_the_order_of_steps(office: Any) -> None:
    number = office.reported(b"1")
    office.accept(number)
    office.minutes -= 3
    office.reopen(number)
    with office.ledger.read() as session:
        assert submissions.as_of(session, Q1, office.now + timedelta(hours=1)) == []
        assert [event.seq for event in trail.events(session, number)] == [2, 3, 4, 5, 6, 7]
        assert trail.verify_trail(session).is_sound


@pytest.mark.parametrize("current", list(State))
@pytest.mark.parametrize("wanted", list(State))
def test_every_step_not_in_the_table_is_refused_in_chinese(current: State, wanted: State) -> None:
    if wanted in TRANSITIONS[current]:
        require_step("2025Q1-LBXQ-0001", current, wanted)
    else:
        with pytest.raises(RefusalError, match=f"当前状态为“{current.label}”,不能转为“{wanted.label}”"):
            require_step("2025Q1-LBXQ-0001", current, wanted)


def test_the_table_of_steps_is_the_life_of_a_submission() -> None:
    onward = {(str(a), str(b)) for a in State for b in TRANSITIONS[a] if b not in (State.SUPERSEDED, State.RECEIVED)}
    assert onward == {
        ("received", "unreadable"),
        ("received", "checked"),
        ("checked", "failed"),
        ("checked", "explained"),
        ("explained", "reported"),
        ("reported", "returned"),
        ("reported", "accepted"),
        ("accepted", "reopened"),
        ("reopened", "accepted"),
        ("reopened", "returned"),
    }


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE submissions SET park = 'LBGX'",
        "UPDATE submissions SET received_at = '2020-01-01T00:00:00.000000Z'",
        "UPDATE submissions SET files_digest = 'x'",
        "DELETE FROM submissions",
        pytest.param("INSERT OR REPLACE INTO submissions SELECT * FROM submissions", marks=pytest.mark.sqlite),
        "UPDATE submission_files SET sha256 = 'x'",
        "DELETE FROM submission_files",
        "UPDATE checks SET blocking = 0",
        "DELETE FROM decisions",
        "UPDATE decisions SET reason = ''",
        "UPDATE trail SET actor = 'x'",
        "DELETE FROM trail",
        "INSERT INTO trail SELECT seq + 7, at, actor, action, subject, from_state, to_state, reason, payload, "
        "prev_hash, hash FROM trail WHERE seq = 1",
        "UPDATE submissions SET state = 'published'",
    ],
)
def test_the_database_itself_refuses_to_change_history(office: Any, statement: str) -> None:
    office.accept(office.reported(b"1"))
    with pytest.raises(StorageError, match="相抵触"), office.ledger.write() as session:
        session.execute(text(statement))
    with office.ledger.read() as session:
        assert trail.verify_trail(session).is_sound


def test_an_unknown_number_is_refused(office: Any) -> None:
    with office.ledger.read() as session, pytest.raises(RefusalError, match="没有编号为“2025Q1-LBXQ-0009”"):
        submissions.submission(session, "2025Q1-LBXQ-0009")
