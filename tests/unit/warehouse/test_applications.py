"""The register first: what is asked for changes nothing until a statistician dates it; confirmations stay on record."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from schemas.errors import RefusalError, StorageError
from warehouse.ledger.applications import (
    Application,
    NewApplication,
    applications,
    apply_to_register,
    approve_application,
    decline_application,
)
from warehouse.ledger.confirmations import Confirmation, confirmations_of, record_confirmations
from warehouse.ledger.register import register_as_of, unit_history
from warehouse.ledger.verify import referenced_blobs, verify_ledger

UNIT = "91620102790000100X"
LICENCE = [("营业执照.pdf", b"licence")]
ENTRY = NewApplication("entry", UNIT, "LBXQ", "入区批复〔2024〕3号", "LBXQ", "", {"B02": "甲公司", "B07": "3911"})
DAY = date(2024, 3, 1)


def apply(office: Any, asked: NewApplication = ENTRY, evidence: Any = LICENCE) -> Application:
    with office.ledger.write() as session:
        return apply_to_register(office.vault, session, asked, evidence, now=office.now, actor="liu")


def approve(office: Any, number: int, day: date = DAY) -> Application:
    with office.ledger.write() as session:
        return approve_application(session, number, day, now=office.now, actor="chen")


def units(office: Any, day: date) -> list[tuple[str, str]]:
    with office.ledger.read() as session:
        return list(register_as_of(session, day).select("unit_id", "park").iter_rows())


def test_an_application_changes_nothing_until_it_is_approved_and_then_from_its_day_on(office: Any) -> None:
    made = apply(office)
    assert units(office, date(2030, 1, 1)) == []
    done = approve(office, made.id)
    assert (done.decision, done.effective, done.decided_by) == ("approved", DAY, "chen")
    assert units(office, date(2024, 2, 29)) == []
    assert units(office, DAY) == [(UNIT, "LBXQ")]
    with office.ledger.read() as session:
        (event,) = unit_history(session, UNIT)
        assert event.basis == f"申请第 {made.id} 号:入区批复〔2024〕3号"
        assert applications(session) == []
        assert [a.decision for a in applications(session, only_open=False)] == ["approved"]


def test_change_move_and_exit_are_applied_for_in_the_same_way(office: Any) -> None:
    approve(office, apply(office).id)
    approve(office, apply(office, NewApplication("change", UNIT, "LBXQ", "变更通知书", attributes={"B07": "3912"})).id)
    move = apply(office, NewApplication("move", UNIT, "LBGX", "迁移证明", "LBGX"))
    approve(office, move.id, date(2025, 1, 1))
    gone = apply(office, NewApplication("exit", UNIT, "LBGX", "注销通知"))
    approve(office, gone.id, date(2025, 6, 1))
    assert units(office, date(2024, 12, 31)) == [(UNIT, "LBXQ")]
    assert units(office, date(2025, 5, 31)) == [(UNIT, "LBGX")]
    assert units(office, date(2025, 6, 1)) == []


@pytest.mark.parametrize(
    ("asked", "evidence", "said"),
    [
        (ENTRY, [], "附证明文件"),
        (NewApplication("entry", UNIT, "LBXQ", " ", "LBXQ"), LICENCE, "写明依据"),
        (NewApplication("entry", UNIT[:-1] + "B", "LBXQ", "批复", "LBXQ"), LICENCE, "校验不通过"),
        (NewApplication("entry", UNIT, "LBXQ", "批复"), LICENCE, "归入哪个园区"),
        (NewApplication("exit", UNIT, "LBXQ", "注销"), LICENCE, "不在名录库内"),
        (NewApplication("close", UNIT, "LBXQ", "关闭"), LICENCE, "没有“close”"),
    ],
)
def test_what_can_never_be_approved_is_refused_at_once(office: Any, asked: Any, evidence: Any, said: str) -> None:
    with pytest.raises(RefusalError, match=said):
        apply(office, asked, evidence)


def test_the_same_application_waits_once_and_a_unit_that_is_in_does_not_enter_again(office: Any) -> None:
    made = apply(office)
    with pytest.raises(RefusalError, match="正等待"):
        apply(office)
    approve(office, made.id)
    with pytest.raises(RefusalError, match="已在名录库内"):
        apply(office)


def test_a_decision_stands_and_a_declined_application_says_why(office: Any) -> None:
    made = apply(office)
    with office.ledger.write() as session, pytest.raises(RefusalError, match="原因"):
        decline_application(session, made.id, now=office.now, actor="chen", reason=" ")
    with office.ledger.write() as session:
        decline_application(session, made.id, now=office.now, actor="chen", reason="不在规划范围")
    with pytest.raises(RefusalError, match="已处理"):
        approve(office, made.id)
    with pytest.raises(StorageError, match="相抵触"), office.ledger.write() as session:
        session.execute(text("UPDATE register_applications SET decision = 'approved'"))
    with pytest.raises(StorageError, match="相抵触"), office.ledger.write() as session:
        session.execute(text("DELETE FROM register_applications"))


def test_evidence_is_in_the_vault_and_counted_as_held(office: Any) -> None:
    made = apply(office)
    ((sha256, name),) = made.evidence
    assert (office.vault.read(sha256), name) == (b"licence", "营业执照.pdf")
    with office.ledger.read() as session:
        assert sha256 in referenced_blobs(session)
        assert verify_ledger(session).problems == ()


def test_confirmations_stay_with_their_submission_and_a_changed_one_shows(office: Any) -> None:
    number = office.reported(b"1")
    one = Confirmation(UNIT, "a" * 64, "王会计", date(2025, 4, 8), "电话核对并盖章回传")
    with office.ledger.write() as session:
        assert record_confirmations(session, number, [one, one], now=office.now, actor="liu") == 1
        assert record_confirmations(session, number, [one], now=office.now, actor="liu") == 0
    with office.ledger.read() as session:
        assert confirmations_of(session, number) == [one]
        assert verify_ledger(session).problems == ()
    with pytest.raises(StorageError, match="相抵触"), office.ledger.write() as session:
        session.execute(text("UPDATE unit_confirmations SET confirmed_by = 'x'"))


def test_a_confirmation_names_who_and_how(office: Any) -> None:
    number = office.reported(b"1")
    with office.ledger.write() as session, pytest.raises(RefusalError, match="确认人和确认方式"):
        nameless = Confirmation(UNIT, "a" * 64, "", date(2025, 4, 8), "电话")
        record_confirmations(session, number, [nameless], now=office.now, actor="liu")
