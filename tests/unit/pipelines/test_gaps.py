"""What a submission leaves out of its round, counted against the register and the forms the round asks for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.gaps import Gap, gap_of, require_stated
from schemas.errors import RefusalError
from schemas.period import Period
from tests.paper_office import ACTOR, PaperOffice, firm, paper_office
from warehouse.ledger.answers import AnswerStatus, record_answer_statuses
from warehouse.ledger.approvals import ask_approval
from warehouse.ledger.report_gaps import GapStatement, gap_statement_of

Q1 = Period(2015, 1)
UNITS = ["A1", "A2", "A3", "A4"]


@pytest.fixture
def paper(tmp_path: Path) -> PaperOffice:
    return paper_office(tmp_path / "home", {"LBGX": UNITS})


def gap(paper: PaperOffice, units: list[str]) -> Gap:
    found = paper.file("LBGX", Q1, {unit: firm(100) for unit in units}, upto="checked")
    with paper.office.ledger.read() as session:
        return gap_of(paper.office, session, found)


def test_enterprises_without_a_row_are_named_and_those_that_owe_nothing_are_not(paper: PaperOffice) -> None:
    told = [AnswerStatus("A2", "LBGX", 4, "停业通知"), AnswerStatus("A3", "LBGX", 5, "注销公告")]
    with paper.office.ledger.write() as session:
        record_answer_statuses(session, Q1, told, now=paper.at, actor=ACTOR)
    found = gap(paper, ["A1"])
    assert [(one.unit_id, one.name, one.status) for one in found.absent] == [
        ("A2", "A2公司", "停业未报"),
        ("A4", "A4公司", ""),
    ]
    assert found.owing == 3 and "应报企业3家,未报2家" in found.said


def test_a_form_that_nobody_there_owes_is_not_missing_and_sheets_are(paper: PaperOffice) -> None:
    """Beside enterprises with rows a form without rows is one nobody owes; the park's own sheets and lists are not there."""
    missing = {form.title for form in gap(paper, UNITS).missing}
    assert missing == {"招商引资项目情况", "园区综合情况", "孵化载体情况", "计划任务进展情况"}
    assert "财务状况" in {form.title for form in gap(paper, []).missing}


def test_what_is_left_out_is_confirmed_with_a_reason_and_kept_through_the_approval(paper: PaperOffice) -> None:
    found = gap(paper, UNITS[:3])
    for confirmed, reason in ((False, "资料封存,下月补报完毕"), (True, ""), (True, "以后 再报 吧")):
        with pytest.raises(RefusalError, match="本次报送不全"):
            require_stated(found, is_confirmed=confirmed, reason=reason)
    stated = require_stated(found, is_confirmed=True, reason="A4 资料封存,下月补报完毕")
    assert stated is not None and (stated.absent_units, stated.owing_units) == (1, 4)
    number = paper.file("LBGX", Q1, {unit: firm(100) for unit in UNITS[:3]}, upto="checked").number
    with paper.office.ledger.write() as session:
        ask_approval(session, number, None, now=paper.at, actor=ACTOR, gap=stated)
        ask_approval(
            session, number, None, now=paper.at + timedelta(hours=1), actor=ACTOR
        )  # a program asks again, without words
        assert gap_statement_of(session, number) == stated


def test_nothing_left_out_asks_for_nothing() -> None:
    assert require_stated(Gap([], [], 4), is_confirmed=False, reason="") is None
    assert GapStatement(0, 11, 0, 4, "").said == ""
