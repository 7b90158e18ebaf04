"""Mergers and splits: who went before and after stands in the register, and who does not go on leaves it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from schemas.errors import RefusalError, StorageError
from warehouse.ledger.applications import NewApplication, apply_to_register, approve_application
from warehouse.ledger.register import UnitEvent, record_unit_events, register_as_of, unit_history
from warehouse.ledger.restructurings import (
    Restructuring,
    record_restructurings,
    restructuring,
    restructurings,
    successions_frame,
)
from warehouse.ledger.verify import verify_ledger

A, B, C, D = "91620102790000100X", "91620100MA7000018H", "91620100MA7000026C", "91620100MA70000347"
DAY = date(2024, 4, 1)
PAPER = [("合并协议.pdf", b"paper")]


def enter(office: Any, *units: str, day: date = date(2023, 1, 1)) -> None:
    events = [UnitEvent(unit, "entry", day, "LBXQ", "", {"B02": unit[-3:]}, "批复") for unit in units]
    with office.ledger.write() as session:
        record_unit_events(session, events, now=office.now, actor="chen")


def record(office: Any, *made: Restructuring) -> None:
    with office.ledger.write() as session:
        record_restructurings(session, made, now=office.now, actor="chen")


def units(office: Any, day: date) -> list[str]:
    with office.ledger.read() as session:
        return list(register_as_of(session, day)["unit_id"])


def test_a_merger_into_a_new_unit_and_a_takeover_take_the_others_out(office: Any) -> None:
    enter(office, A, B)
    enter(office, C, day=DAY)
    record(office, restructuring("merger", C, (A, B), DAY, "合并协议"))
    assert units(office, date(2024, 3, 31)) == sorted((A, B)) and units(office, DAY) == [C]
    enter(office, D, day=date(2024, 5, 1))
    record(office, restructuring("merger", D, (C,), date(2024, 7, 1), "吸收合并公告"))  # D was in: it goes on
    assert units(office, date(2024, 7, 1)) == [D]
    with office.ledger.read() as session:
        first, second = restructurings(session)
        assert (first.predecessors, first.successors) == (tuple(sorted((A, B))), (C,))
        assert set(second.predecessors) == {C, D} and second.successors == (D,)
        assert restructurings(session, unit_id=A) == [first] and restructurings(session, through=0) == []
        assert [e.kind for e in unit_history(session, A)] == ["entry", "exit"]
        assert unit_history(session, A)[-1].basis == f"合并为 {C}:合并协议"
        assert successions_frame([first]).rows() == [(DAY, *pair) for pair in sorted([(A, C), (B, C)])]
        assert verify_ledger(session).problems == ()


def test_a_split_off_goes_on_and_a_break_up_does_not(office: Any) -> None:
    enter(office, A)
    enter(office, B, C, D, day=DAY)
    record(office, restructuring("split", A, (A, B), DAY, "分立协议"))
    assert units(office, DAY) == sorted((A, B, C, D))
    record(office, restructuring("split", A, (C, D), date(2024, 9, 1), "分立协议"))
    assert units(office, date(2024, 9, 1)) == sorted((B, C, D))


@pytest.mark.parametrize(
    ("kind", "unit", "others", "day", "basis", "said"),
    [
        ("merger", A, (A, B), DAY, "协议", "被合并的单位中有它自己"),
        ("merger", A, (), DAY, "协议", "须写明被合并的单位"),
        ("merger", A, (B, B), DAY, "协议", "写了两次"),
        ("merger", A, (D,), DAY, "协议", f"被合并的单位 {D} 在 2024-04-01 之前不在名录库"),
        ("merger", D, (A, B), DAY, "协议", f"合并后的单位 {D} 在 2024-04-01 不在名录库,请先登记它的新增"),
        ("merger", C, (A,), DAY, "协议", "合并前的单位不足两个"),
        ("split", A, (B,), DAY, "协议", "不足两个;只有一个承继单位的不是分立"),
        ("split", D, (A, B), DAY, "协议", f"分立的单位 {D} 在 2024-04-01 之前不在名录库"),
        ("split", A, (B, D), DAY, "协议", f"分立后的单位 {D} 在"),
        ("split", A, (A, B), date(2023, 1, 1), "协议", "在 2023-01-01 之前不在名录库"),
        ("split", A, (A, B), DAY, " ", "须写明依据"),
    ],
)
def test_what_is_no_merger_or_split_is_refused_and_nothing_enters(
    office: Any, kind: str, unit: str, others: tuple[str, ...], day: date, basis: str, said: str
) -> None:
    enter(office, A, B)
    enter(office, C, day=DAY)
    with pytest.raises(RefusalError, match=said):
        record(office, restructuring(kind, unit, others, day, basis))
    with office.ledger.read() as session:
        assert restructurings(session) == [] and [e.kind for e in unit_history(session, A)] == ["entry"]


def test_a_merger_does_not_take_out_a_unit_that_something_happened_to_afterwards(office: Any) -> None:
    enter(office, A, B)
    with office.ledger.write() as session:
        later = UnitEvent(A, "change", date(2024, 8, 1), attributes={"B02": "新名"}, basis="变更")
        record_unit_events(session, [later], now=office.now, actor="chen")
    with pytest.raises(RefusalError, match="2024-08-01 不在库"):
        record(office, restructuring("merger", B, (A,), DAY, "协议"))
    with office.ledger.read() as session:
        assert restructurings(session) == []


def test_a_record_stays_as_it_was_made(office: Any) -> None:
    enter(office, A, B)
    record(office, restructuring("merger", B, (A,), DAY, "协议"))
    for statement in ("UPDATE unit_restructurings SET kind = 'split'", "DELETE FROM unit_restructurings"):
        with pytest.raises(StorageError, match="相抵触"), office.ledger.write() as session:
            session.execute(text(statement))


def ask(office: Any, kind: str, unit: str, *others: str) -> int:
    with office.ledger.write() as session:
        asked = NewApplication(kind, unit, "LBXQ", "协议", others=others)
        return apply_to_register(office.vault, session, asked, PAPER, now=office.now, actor="liu").id


def test_a_merger_and_a_split_are_applied_for_and_dated_by_the_statistician(office: Any) -> None:
    enter(office, A, B)
    with pytest.raises(RefusalError, match="没有待认定的新增申请"):
        ask(office, "merger", C, A, B)
    with office.ledger.write() as session:
        asked = NewApplication("entry", C, "LBXQ", "执照", "LBXQ", "", {"B02": "丙"})
        entry = apply_to_register(office.vault, session, asked, PAPER, now=office.now, actor="liu").id
    number = ask(office, "merger", C, A, B)
    with pytest.raises(RefusalError, match="正等待统计人员认定"):
        ask(office, "merger", C, B, A)
    with office.ledger.write() as session, pytest.raises(RefusalError, match="请先登记它的新增"):
        approve_application(session, number, DAY, now=office.now, actor="chen")
    with office.ledger.write() as session:
        approve_application(session, entry, DAY, now=office.now, actor="chen")
        done = approve_application(session, number, DAY, now=office.now, actor="chen")
    assert (done.decision, set(done.others)) == ("approved", {A, B}) and units(office, DAY) == [C]
    for kind, unit, others, said in (
        ("split", C, (D,), "不足两个"), ("split", A, (C, D), f"分立的单位 {A} 不在名录库内"), ("merger", C, (D,), f"被合并的单位 {D} 不在"),
        ("merger", C, (C, A), "有它自己"), ("split", C, (C, D), "也没有待认定的新增申请"),
    ):  # fmt: skip
        with pytest.raises(RefusalError, match=said):
            ask(office, kind, unit, *others)
    with office.ledger.read() as session:
        (made,) = restructurings(session)
        assert made.basis == f"申请第 {number} 号:协议" and verify_ledger(session).problems == ()
