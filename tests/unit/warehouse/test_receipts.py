import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import RefusalError
from warehouse.home import receipt_key
from warehouse.ledger import trail
from warehouse.ledger.receipts import (
    ReceiptFile,
    check_character,
    receipt,
    receipt_number,
    submission_number,
    verify_receipt,
)
from warehouse.ledger.states import State


def test_the_check_character_is_that_of_iso_7064() -> None:
    assert check_character("A12425GABC1234002") == "M"  # the example of the GRID standard


@given(st.text(string.ascii_uppercase + string.digits, min_size=2, max_size=20), st.data())
def test_a_wrong_character_and_swapped_neighbours_show(number: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from(string.ascii_uppercase + string.digits))
    changed = number[:place] + wrong + number[place + 1 :]
    assert (check_character(changed) == check_character(number)) == (changed == number)


def test_a_number_typed_from_paper_is_read_and_a_slip_refused() -> None:
    number = "2025Q1-LBXQ-0003"
    printed = receipt_number(number)
    assert printed.startswith(number + "-")
    assert (
        submission_number(printed) == submission_number(f" {printed.lower()} ") == submission_number(number) == number
    )
    assert submission_number(printed.replace("-", "-")) == number
    with pytest.raises(RefusalError, match="校验位不符"):
        submission_number(printed.replace("0003", "0008"))


def test_a_receipt_prints_what_was_received_and_the_head_of_the_trail(office: Any) -> None:
    number = office.receive(b"abc", b"d").submission.number
    key = receipt_key(office.home)
    with office.ledger.read() as session:
        printed = receipt(session, number, key)
        assert receipt(session, number, key) == printed
        assert printed.head == trail.head(session)
    assert printed.receipt_number == receipt_number("2025Q1-LBXQ-0001")
    assert (printed.park_name, printed.received_at) == ("兰州新区", "2025-04-01 09:01:00")
    assert printed.files[0] == ReceiptFile(
        "0.xlsx", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3
    )
    assert printed.files[0].short_hash == "ba78 16bf 8f01"
    assert "不代表审核通过" in printed.notice
    assert len(printed.code) == 19


def test_every_state_has_its_own_genuine_receipt(office: Any) -> None:
    key = receipt_key(office.home)
    number = office.reported(b"1")
    receipts = []
    with office.ledger.read() as session:
        receipts.append(receipt(session, number, key))
    office.accept(number)
    with office.ledger.read() as session:
        receipts.append(receipt(session, number, key))
        assert receipts[0].code != receipts[1].code
        assert receipts[1].forms == ("finance", "basic")
        assert receipts[1].counts["units"] == 2
        assert ["已报送,尚未验收" in receipts[0].notice, "已通过验收" in receipts[1].notice] == [True, True]
        first = verify_receipt(session, receipts[0].receipt_number, receipts[0].code, key)
        assert (first.is_genuine, first.attested) == (True, State.REPORTED)
        assert "为“已报送”,现状态为“已验收”" in first.message
        second = verify_receipt(session, number, receipts[1].code.lower().replace("-", " "), key)
        assert (second.is_genuine, second.attested) == (True, State.ACCEPTED)


def test_an_altered_or_foreign_receipt_is_told(office: Any) -> None:
    key = receipt_key(office.home)
    number, other = office.reported(b"1"), office.reported(b"2")
    with office.ledger.read() as session:
        printed = receipt(session, number, key)
        assert not verify_receipt(session, other, printed.code, key).is_genuine
        assert not verify_receipt(session, number, printed.code, b"another key of thirty-two bytes!").is_genuine
        for place, character in enumerate(printed.code):
            swapped = "0" if character != "0" else "1"
            if character != "-":
                altered = printed.code[:place] + swapped + printed.code[place + 1 :]
                assert not verify_receipt(session, number, altered, key).is_genuine
        unknown = verify_receipt(session, "2025Q1-LBXQ-0099", printed.code, key)
        assert (unknown.is_genuine, "没有编号" in unknown.message) == (False, True)
        assert not verify_receipt(session, number, "", key).is_genuine


def test_letters_misread_on_paper_are_forgiven(office: Any) -> None:
    key = receipt_key(office.home)
    codes = {}
    for n in range(12):
        number = office.receive(b"%d" % n).submission.number
        with office.ledger.read() as session:
            codes[number] = receipt(session, number, key).code
    misread = {number: code.replace("0", "O").replace("1", "l") for number, code in codes.items()}
    assert misread != codes
    with office.ledger.read() as session:
        assert all(verify_receipt(session, number, code, key).is_genuine for number, code in misread.items())
