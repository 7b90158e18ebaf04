"""Heads of the trail that are kept away from the machine: mailed to the auditors, and held against the chain later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.verification import kept_head
from schemas.errors import RefusalError
from tests.unit.ytb.portal_office import installation
from warehouse.ledger import trail
from warehouse.ledger.outbox import Message
from warehouse.ledger.trail import Head
from warehouse.ledger.users import set_contact
from ytb.cli.main import main
from ytb.portal.courier import Courier


class Told:
    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message, now: Any) -> None:
        self.sent.append(message)


def test_the_head_is_mailed_once_a_day_and_tells_a_shorter_or_another_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, told = installation(tmp_path / "home"), Told()
    with made.office.ledger.write() as session:
        set_contact(session, "auditor", email="audit@x.gov.cn", telephone="", now=made.at, actor="root")
        end = trail.head(session)
    courier = Courier(made.office, {"mail": told}, lambda: made.at, "测试统计局")
    assert (courier.once(), courier.once()) == (1, 0)
    again = Courier(made.office, {"mail": told}, lambda: made.at, "测试统计局")  # after a restart
    assert again.once() == 0
    (first,) = told.sent
    assert first.user == "auditor" and f"ytb verify --head {end.seq}:{end.hash}" in first.body
    made.at += timedelta(days=1)
    assert again.once() == 1 and f"{end.seq}:" not in told.sent[1].body
    home = ["--home", str(made.home.root), "verify", "--head"]
    assert main([*home, f"{end.seq}:{end.hash[:16].upper()}"]) == 0
    assert main([*home, f"{end.seq}:{'0' * 16}"]) == 1 and "与另存的校验值不符" in capsys.readouterr().out
    assert main([*home, f"{end.seq + 999}:{end.hash}"]) == 1 and "末尾记录已被删除" in capsys.readouterr().out
    assert main([*home, "12"]) == 1 and "不是链头" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["", "12", "12:abc", "x:" + "0" * 16, "12:" + "g" * 16, "12:" + "0" * 65, "-1:" + "0" * 16]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(RefusalError, match="不是链头"):
        kept_head(text)


def test_a_head_is_read_as_it_was_noted_down() -> None:
    assert kept_head(" 41:9F86d081884c7d65 ") == Head(41, "9f86d081884c7d65")
