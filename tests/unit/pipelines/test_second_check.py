"""Sharing out the queue, and acceptance by two people where the rule of the house asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines import allocating, review
from pipelines.second_check import second_check
from schemas.errors import RefusalError
from schemas.period import Period
from tests.paper_office import ACTOR, PaperOffice, firm, paper_office, soft_finding
from warehouse.ledger.assignments import assignments
from warehouse.ledger.second_checks import bound_of, first_opinion, set_second_check
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submission
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user, disable_user
from warehouse.ledger.verify import verify_ledger
from ytb.cli.main import main

Q1, Q2 = Period(2015, 1), Period(2015, 2)
GX, JJ = ["A1", "A2", "A3", "A4", "A5", "A6"], ["B1", "B2", "B3"]
LARGE, SMALL, WORDS = "2015Q2-LBGX-0001", "2015Q2-LBJJ-0001", "2015Q2-LBJJ-0002"
LEAP = soft_finding("A6", "AF15", "F01", "F01=9000")
SLIP = soft_finding("B2", "AF15", "F01", "F01=210")


@pytest.fixture
def paper(tmp_path: Path) -> PaperOffice:
    """LBGX with an effect of 489, LBJJ with one of 0.56 (worked out in test_matters.py); nothing stated about two people."""
    made = paper_office(tmp_path / "home", {"LBGX": GX, "LBJJ": JJ})
    for park, units in (("LBGX", GX), ("LBJJ", JJ)):
        made.file(park, Q1, {u: firm(100) for u in units})
    made.file("LBGX", Q2, {u: firm(200) for u in GX[:-1]} | {"A6": firm(9000)}, findings=[LEAP], upto="reported")
    made.file("LBJJ", Q2, {"B1": firm(200), "B2": firm(210), "B3": firm(200)}, findings=[SLIP], upto="reported")
    with made.office.ledger.write() as session:
        for name in ("li", "wang", "zhao"):
            role = "province_statistician" if name == "zhao" else "reviewer"
            add_user(session, name, title=name, role=role, now=made.at, actor=ACTOR)
        add_user(session, "clerk", title="clerk", role="park_reporter", park="LBGX", now=made.at, actor=ACTOR)
    return made


def state(paper: PaperOffice, number: str) -> State:
    with paper.office.ledger.read() as session:
        return submission(session, number).state


def ask_for_two(paper: PaperOffice, above: str, park: str = "") -> None:
    with paper.office.ledger.write() as session:
        set_second_check(session, above, park=park, reason="内控规定", now=paper.at, actor="zhao")


def accept(paper: PaperOffice, number: str, actor: str) -> State:
    return review.accept(paper.office, number, now=paper.at, actor=actor, reason="同意").state


def test_without_a_rule_one_person_accepts(paper: PaperOffice) -> None:
    assert accept(paper, LARGE, "li") is State.ACCEPTED


def test_a_large_effect_needs_two_people_and_a_small_one_does_not(paper: PaperOffice) -> None:
    ask_for_two(paper, "1")
    assert accept(paper, SMALL, "li") is State.ACCEPTED
    assert accept(paper, LARGE, "li") is State.REPORTED
    with pytest.raises(RefusalError, match="须由另一人复核"):
        accept(paper, LARGE, "li")
    assert state(paper, LARGE) is State.REPORTED
    with paper.office.ledger.read() as session:
        opinion = first_opinion(session, LARGE)
    assert opinion is not None and (opinion.by, opinion.text) == ("li", "同意")
    assert accept(paper, LARGE, "wang") is State.ACCEPTED
    with paper.office.ledger.read() as session:
        actions = [(e.action, e.actor) for e in events(session, LARGE)][-2:]
        assert actions == [("first_opinion", "li"), ("accept", "wang")]
        assert verify_ledger(session).problems == ()


def test_zero_is_every_submission_and_a_parks_own_rule_comes_first(paper: PaperOffice) -> None:
    ask_for_two(paper, "", park="LBJJ")
    ask_for_two(paper, "0")
    assert accept(paper, SMALL, "li") is State.ACCEPTED
    assert accept(paper, LARGE, "li") is State.REPORTED
    with paper.office.ledger.read() as session:
        found = submission(session, LARGE)
    assert second_check(paper.office, found).why == "按规定每份都须两人审核"


def test_an_effect_that_cannot_be_computed_is_not_a_small_one(tmp_path: Path, paper: PaperOffice) -> None:
    """A finding on an industry code weighs on no figure: its effect is unknown, so two people look whatever the bound."""
    words = soft_finding("B1", "AB29", "B07", "B07=3911", form="basic")
    paper.file("LBJJ", Q2, {"B1": firm(200), "B2": firm(200)}, findings=[words], upto="reported")
    ask_for_two(paper, "1000")
    assert accept(paper, WORDS, "li") is State.REPORTED
    with paper.office.ledger.read() as session:
        found = submission(session, WORDS)
    assert "无法估计" in second_check(paper.office, found).why


def test_after_a_withdrawn_acceptance_both_look_again(paper: PaperOffice) -> None:
    ask_for_two(paper, "1")
    accept(paper, LARGE, "li")
    accept(paper, LARGE, "wang")
    review.reopen(paper.office, LARGE, reason="复核", now=paper.at, actor="zhao")
    assert accept(paper, LARGE, "wang") is State.REOPENED
    assert accept(paper, LARGE, "li") is State.ACCEPTED


def test_a_returned_submission_takes_no_opinion(paper: PaperOffice) -> None:
    ask_for_two(paper, "0")
    review.return_to_park(paper.office, LARGE, reason="请核实", now=paper.at, actor="li")
    with pytest.raises(RefusalError, match="已退回"):
        accept(paper, LARGE, "li")


def test_in_one_stroke_those_for_two_people_wait(paper: PaperOffice) -> None:
    ask_for_two(paper, "0.5")
    done = review.accept_below(paper.office, Q2, 1.0, now=paper.at, actor="li")
    assert (done.accepted, dict(done.refused), done.waiting) == ([], {}, [SMALL])
    again = review.accept_below(paper.office, Q2, 1.0, now=paper.at, actor="li")
    assert "另一人" in again.refused[SMALL]
    assert review.accept_below(paper.office, Q2, 1.0, now=paper.at, actor="wang").accepted == [SMALL]


def test_clean_ones_together_and_why_not_the_others(paper: PaperOffice) -> None:
    paper.file("LBJJ", Q2, {"B1": firm(200), "B2": firm(200), "B3": firm(200)}, upto="reported")
    ask_for_two(paper, "0")
    done = review.accept_clean(paper.office, [WORDS, LARGE, "2015Q2-LBJJ-0009"], now=paper.at, actor="li")
    assert done.waiting == [WORDS] and set(done.refused) == {LARGE, "2015Q2-LBJJ-0009"}
    done = review.accept_clean(paper.office, [WORDS, LARGE], now=paper.at, actor="wang")
    assert done.accepted == [WORDS] and "逐份审" in done.refused[LARGE]


@pytest.mark.parametrize("laxer", ["", "1000"])
@pytest.mark.parametrize("park", ["", "LBGX"])
def test_a_bound_taken_away_or_raised_does_not_free_what_has_been_received(
    paper: PaperOffice, laxer: str, park: str
) -> None:
    ask_for_two(paper, "1")
    ask_for_two(paper, laxer, park=park)
    assert accept(paper, LARGE, "zhao") is State.REPORTED  # who changed the bound is still only the first of two
    with pytest.raises(RefusalError, match=r"不低于复核界限 1,"):
        accept(paper, LARGE, "zhao")
    review.return_to_park(paper.office, LARGE, reason="请核实", now=paper.at, actor="li")
    paper.file("LBGX", Q2, {u: firm(200) for u in GX[:-1]} | {"A6": firm(9001)}, findings=[LEAP], upto="reported")
    assert accept(paper, "2015Q2-LBGX-0002", "li") is State.ACCEPTED


def test_a_stricter_bound_counts_at_once_and_the_strictest_since_then_stays(paper: PaperOffice) -> None:
    with paper.office.ledger.read() as session:
        assert bound_of(session, LARGE) is None
    for above, then in (("5", "5"), ("3", "3"), ("", "3"), ("4", "3"), ("2", "2")):
        ask_for_two(paper, above)
        with paper.office.ledger.read() as session:
            assert bound_of(session, LARGE) == Decimal(then)


@pytest.mark.parametrize("above", ["-1", "nan", "很大", "Infinity"])
def test_a_bound_is_a_number_of_zero_or_more_and_has_a_reason(paper: PaperOffice, above: str) -> None:
    with pytest.raises(RefusalError, match="复核界限"):
        ask_for_two(paper, above)
    with pytest.raises(RefusalError, match="原因"), paper.office.ledger.write() as session:
        set_second_check(session, "1", reason=" ", now=paper.at, actor="zhao")


def test_a_submission_is_taken_given_back_and_given_to_another(paper: PaperOffice) -> None:
    def held() -> dict[str, str]:
        with paper.office.ledger.read() as session:
            return {park: one.reviewer for (park, _), one in assignments(session, Q2).items()}

    allocating.take(paper.office, [LARGE, SMALL], now=paper.at, actor="li")
    assert held() == {"LBGX": "li", "LBJJ": "li"}
    assert allocating.take(paper.office, [LARGE], now=paper.at, actor="li") == []
    with pytest.raises(RefusalError, match="已由li审核"):
        allocating.take(paper.office, [LARGE], now=paper.at, actor="wang")
    with pytest.raises(RefusalError, match="不在您\\(wang\\)名下"):
        allocating.release(paper.office, [SMALL], now=paper.at, actor="wang")
    allocating.release(paper.office, [SMALL], now=paper.at, actor="li")
    with pytest.raises(RefusalError, match="改派须写明原因"):
        allocating.assign(paper.office, [LARGE], "wang", now=paper.at, actor="zhao")
    allocating.assign(paper.office, [LARGE], "wang", now=paper.at, actor="zhao", reason="请假")
    assert held() == {"LBGX": "wang"}
    # A later revision of the round is the same reviewer's.
    second = paper.file("LBGX", Q2, {u: firm(201) for u in GX}, upto="reported")
    with pytest.raises(RefusalError, match="已由wang"):
        allocating.take(paper.office, [second.number], now=paper.at, actor="li")
    with paper.office.ledger.read() as session:
        assert verify_ledger(session).problems == ()
        assert [e.action for e in events(session, "review/LBGX/2015-Q2")] == ["review_assigned", "review_assigned"]


def test_only_people_who_review_get_submissions_and_all_or_none(paper: PaperOffice) -> None:
    for name in ("clerk", "nobody"):
        with pytest.raises(RefusalError, match="不是可以审核的账户"):
            allocating.assign(paper.office, [LARGE], name, now=paper.at, actor="zhao")
    with paper.office.ledger.write() as session:
        disable_user(session, "wang", now=paper.at, actor=ACTOR, reason="离职")
    with pytest.raises(RefusalError, match="不是可以审核的账户"):
        allocating.take(paper.office, [SMALL, LARGE], now=paper.at, actor="wang")
    with pytest.raises(RefusalError, match="没有"):
        allocating.take(paper.office, [SMALL, "2015Q2-LBGX-0099"], now=paper.at, actor="li")
    with paper.office.ledger.read() as session:
        assert assignments(session) == {}


@pytest.fixture
def ytb(paper: PaperOffice, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*words: str) -> tuple[int, str]:
        code = main(["--home", str(paper.home.root), *words])
        return code, capsys.readouterr().out

    return call


def test_the_commands_share_out_and_ask_for_a_second_person(ytb: Callable[..., tuple[int, str]]) -> None:
    assert "一人即可验收" in ytb("review", "second")[1]
    assert ytb("--user", "zhao", "review", "second", "--above", "1", "--reason", "内控")[0] == 0
    assert json.loads(ytb("--json", "review", "second")[1]) == [{"park": None, "above": "1", "reason": "内控"}]
    assert ytb("--user", "li", "review", "take", LARGE)[0] == 0
    code, out = ytb("--user", "li", "--json", "review", "accept", LARGE)
    assert code == 1 and json.loads(out) == {"accepted": [], "waiting_second": [LARGE]}
    (row, _) = json.loads(ytb("--json", "review", "list", "2015-Q2")[1])
    assert (row["reviewer"], row["first_opinion_by"]) == ("li", "li")
    assert "初审通过" in ytb("review", "show", LARGE)[1]
    assert ytb("--user", "li", "review", "accept", LARGE)[0] == 1
    assert ytb("--user", "wang", "review", "accept", LARGE)[0] == 0
    assert ytb("--user", "li", "review", "release", LARGE)[0] == 0
    assert ytb("--user", "zhao", "review", "assign", SMALL, "--to", "wang")[0] == 0
