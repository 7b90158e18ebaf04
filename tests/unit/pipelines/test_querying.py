"""Queries: asked on a cell, answered in writing, ended with a reason; and how findings ended."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from pipelines import querying, review
from schemas.errors import RefusalError
from schemas.period import Period
from tests.paper_office import ACTOR, PaperOffice, firm, paper_office, soft_finding
from warehouse.ledger import queries
from warehouse.ledger.queries import QueryState
from warehouse.ledger.restatements import Restatement, record_restatements, restatements_of
from warehouse.ledger.verify import verify_ledger
from ytb.cli.main import main

Q1 = Period(2015, 1)
DUE = date(2015, 4, 9)
KEY = "AF15|finance|A1|F01"
FINDING = soft_finding("A1", "AF15", "F01", "F01=900")
HARD = {**soft_finding("A1", "AF02", "F02", "F02=9,F01=8"), "severity": "hard"}


@pytest.fixture
def paper(tmp_path: Path) -> PaperOffice:
    return paper_office(tmp_path / "home", {"LBGX": ["A1", "A2"], "LBJJ": ["B1"]})


def asked(
    paper: PaperOffice, number: str, about: str = KEY, question: str = "收入增加这么多,是什么业务?"
) -> queries.Query:
    return querying.ask(paper.office, number, about, question, due=DUE, now=paper.at, actor="审核员")


def test_a_query_is_asked_answered_and_ends_confirmed_with_the_acceptance(paper: PaperOffice) -> None:
    number = paper.file("LBGX", Q1, {"A1": firm(900)}, findings=[FINDING], upto="reported").number
    query = asked(paper, number)
    assert (query.park, str(query.period), query.unit_id, query.column, query.state) == ("LBGX", "2015-Q1", "A1", "F01", QueryState.OPEN)  # fmt: skip
    assert query.is_overdue(date(2015, 4, 10)) and not query.is_overdue(DUE)
    with pytest.raises(RefusalError, match="没有答复"):
        review.accept(paper.office, number, now=paper.at, actor=ACTOR)
    with paper.office.ledger.write() as session:
        assert (
            queries.answer(session, query.id, "新签两个总包合同,三月完工", now=paper.at, actor="园区").state
            is QueryState.ANSWERED
        )
        again = queries.ask_again(session, query.id, "合同备案在哪里?", now=paper.at, actor="审核员")
        assert again.state is QueryState.OPEN
        queries.answer(session, query.id, "已在兰州新区备案,附件已交", now=paper.at, actor="园区")
    review.accept(paper.office, number, now=paper.at, actor=ACTOR)
    with paper.office.ledger.read() as session:
        ended = queries.query(session, query.id)
        assert (ended.state, ended.outcome, len(ended.messages)) == (QueryState.CLOSED, "confirmed", 4)
        assert verify_ledger(session).problems == ()
    with paper.office.ledger.write() as session, pytest.raises(RefusalError, match="已了结"):
        queries.answer(session, query.id, "补充", now=paper.at, actor="园区")


def test_a_cell_that_changed_was_corrected_whether_answered_or_not(paper: PaperOffice) -> None:
    first = paper.file("LBGX", Q1, {"A1": firm(900)}, findings=[FINDING], upto="reported").number
    query = asked(paper, first)
    review.return_to_park(paper.office, first, reason="请核对收入", now=paper.at, actor=ACTOR)
    second = paper.file("LBGX", Q1, {"A1": firm(90)}, upto="reported").number
    review.accept(paper.office, second, now=paper.at, actor=ACTOR)
    with paper.office.ledger.read() as session:
        assert queries.query(session, query.id).outcome == "corrected"


def test_what_may_not_be_asked(paper: PaperOffice) -> None:
    number = paper.file("LBGX", Q1, {"A1": firm(900)}, findings=[FINDING], upto="reported").number
    for about, question, said in (
        (KEY, "营业收入应为 938", "不得写明要填报的数值"),
        (KEY, " ", "不能是空的"),
        ("AF99|finance|A1|F01", "为什么?", "没有“AF99"),
        ("finance|A7|F01", "为什么?", "没有“finance"),
        ("F01", "为什么?", "写明问的是哪一格"),
    ):
        with pytest.raises(RefusalError, match=said):
            asked(paper, number, about, question)
    asked(paper, number, "finance|A1|F01")
    with pytest.raises(RefusalError, match="未了结的查询"):
        asked(paper, number)
    with paper.office.ledger.write() as session, pytest.raises(RefusalError, match="了结方式"):
        queries.close(session, 1, "whatever", now=paper.at, actor=ACTOR)


def test_how_findings_ended_by_rule_park_and_period(paper: PaperOffice) -> None:
    """Park LBGX corrects the hard finding in its second revision and explains the soft one; LBJJ has one still open, one on trial."""
    paper.file("LBGX", Q1, {"A1": firm(900)}, findings=[HARD, FINDING], upto="checked")
    paper.file("LBGX", Q1, {"A1": firm(900)}, findings=[FINDING], upto="reported")
    trial = {**soft_finding("B1", "AX01", "F01", "F01=1"), "severity": "trial"}
    paper.file("LBJJ", Q1, {"B1": firm(1)}, findings=[soft_finding("B1", "AF15", "F01", "F01=1"), trial], upto="checked")  # fmt: skip
    endings = querying.finding_endings(paper.office)
    assert endings.select("park", "rule", "first", "last", "ending").rows() == [
        ("LBGX", "AF02", 1, 1, "corrected"),
        ("LBGX", "AF15", 1, 2, "explained"),
        ("LBJJ", "AF15", 1, 1, "open"),
        ("LBJJ", "AX01", 1, 1, "counted"),
    ]
    by_rule = querying.ending_counts(endings, ["rule"])
    assert by_rule.row(0, named=True) == {"rule": "AF15", "findings": 2, "units": 2, "corrected": 0, "explained": 1, "left_out": 0, "open": 1, "counted": 0}  # fmt: skip
    assert querying.ending_counts(endings, ["park", "period"])["findings"].to_list() == [2, 2]
    assert querying.finding_endings(paper.office, Q1, "LBJJ").height == 2
    assert querying.finding_endings(paper.office, Period(2014, 1)).is_empty()


def test_reasons_for_changed_figures_of_the_year_before_are_kept_once(paper: PaperOffice) -> None:
    number = paper.file("LBGX", Q1, {"A1": firm(900)}, upto="checked").number
    cells = [("finance", "A1", "F01_yoy", "800", "750", "05")]
    with paper.office.ledger.write() as session:
        assert record_restatements(session, number, cells, now=paper.at, actor=ACTOR) == 1
        assert record_restatements(session, number, cells, now=paper.at, actor=ACTOR) == 0
        assert restatements_of(session, number) == [Restatement(*cells[0])]
        assert verify_ledger(session).problems == ()


def test_the_commands(paper: PaperOffice, capsys: pytest.CaptureFixture[str]) -> None:
    number = paper.file("LBGX", Q1, {"A1": firm(900)}, findings=[FINDING], upto="reported").number

    def ytb(*words: str) -> tuple[int, str]:
        code = main(["--home", str(paper.home.root), "--json", *words])
        return code, capsys.readouterr().out

    code, out = ytb("query", "ask", number, KEY, "这是什么业务?")
    assert code == 0 and json.loads(out)["state"] == "open"
    assert ytb("query", "answer", "1", "新签两个总包合同")[0] == 0
    assert ytb("query", "again", "1", "合同在哪里备案?")[0] == 0
    (row,) = json.loads(ytb("query", "list", "--park", "LBGX", "--open")[1])
    assert (row["period"], row["state"], len(row["messages"])) == ("2015-Q1", "open", 2)
    assert ytb("query", "close", "1", "withdrawn")[0] == 0
    assert json.loads(ytb("query", "list", "--open")[1]) == []
    assert json.loads(ytb("query", "statistics", "--by", "rule,park")[1])[0]["explained"] == 1
    assert ytb("query", "statistics", "--by", "colour")[0] == 2
    assert ytb("query", "ask", number, KEY, "为什么?", "--due", "明天")[0] == 1
    assert main(["--home", str(paper.home.root), "query", "list"]) == 0
    assert "撤回" in capsys.readouterr().out
