"""Notices, corrections after closing, handovers: what is asked, what is decided, what stays as it was; all on the trail."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines import corrections as deciding
from pipelines.intake import require_open
from pipelines.notifying import OF_CORRESPONDENCE, notices_of
from schemas.errors import RefusalError, StatisticsError
from schemas.period import Period
from tests.paper_office import ACTOR, PaperOffice, firm, paper_office
from warehouse.ledger import access
from warehouse.ledger.corrections import ask_correction, corrections
from warehouse.ledger.handovers import ask_handover, confirm_handover, decline_handover, handovers
from warehouse.ledger.notices import notices, post_notice, withdraw_notice
from warehouse.ledger.periods import close_round, open_round, round_of
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submission
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user, user, users
from warehouse.ledger.verify import referenced_blobs, verify_ledger
from ytb.cli.main import main

Q1 = Period(2015, quarter=1)
WHY = "甲公司营业收入单位填错,已由企业更正"


@pytest.fixture
def paper(tmp_path: Path) -> PaperOffice:
    return paper_office(tmp_path / "home", {"LBGX": ["A1"], "LBJJ": ["B1"]})


def closed(paper: PaperOffice) -> str:
    number = paper.file("LBGX", Q1, {"A1": firm(900)}).number
    with paper.office.ledger.write() as session:
        close_round(session, Q1, now=paper.at, actor=ACTOR)
    return number


def ask(paper: PaperOffice, reason: str = WHY, papers: tuple[tuple[str, bytes], ...] = (("说明.pdf", b"%PDF"),)) -> int:
    with paper.office.ledger.write() as session:
        return ask_correction(
            paper.office.vault, session, "LBGX", Q1, reason, papers, now=paper.at, actor="park"
        ).id  # fmt: skip


def test_notices_are_for_a_period_or_all_for_a_park_or_all_and_taken_back_with_a_reason(paper: PaperOffice) -> None:
    with paper.office.ledger.write() as session:
        every = post_notice(session, "开网", "一季报开网。", period=Q1, now=paper.at, actor=ACTOR)
        own = post_notice(session, "补材料", "请补材料。", park="LBJJ", now=paper.at, actor=ACTOR)
        with pytest.raises(RefusalError, match="标题和内容"):
            post_notice(session, "空", " ", now=paper.at, actor=ACTOR)
        assert [n.id for n in notices(session, park="LBGX")] == [every.id]
        assert [n.id for n in notices(session, park="LBJJ")] == [own.id, every.id]
        with pytest.raises(RefusalError, match="原因"):
            withdraw_notice(session, own.id, reason="", now=paper.at, actor=ACTOR)
        withdraw_notice(session, own.id, reason="发错", now=paper.at, actor=ACTOR)
        with pytest.raises(RefusalError, match="已撤回"):
            withdraw_notice(session, own.id, reason="再撤", now=paper.at, actor=ACTOR)
        assert [n.id for n in notices(session, park="LBJJ")] == [every.id]
        assert [(n.id, n.is_withdrawn) for n in notices(session, withdrawn=True)] == [(own.id, True), (every.id, False)]
        assert verify_ledger(session).problems == ()
        assert [e.action for e in events(session, "notice/LBJJ")] == ["notice_posted", "notice_withdrawn"]


def test_a_correction_is_asked_for_only_after_closing_once_with_reason_and_evidence(paper: PaperOffice) -> None:
    paper.file("LBGX", Q1, {"A1": firm(900)})
    with pytest.raises(RefusalError, match="不必申请"):
        ask(paper)
    with paper.office.ledger.write() as session:
        close_round(session, Q1, now=paper.at, actor=ACTOR)
    with pytest.raises(RefusalError, match="请写清"):
        ask(paper, "填错了")
    with pytest.raises(RefusalError, match="证明材料"):
        ask(paper, papers=())
    number = ask(paper)
    with pytest.raises(RefusalError, match="正等待"):
        ask(paper)
    with paper.office.ledger.read() as session:
        one = corrections(session, park="LBGX", only_open=True)[0]
        assert (one.id, one.decision, one.reason) == (number, None, WHY)
        assert {sha256 for sha256, _ in one.evidence} <= referenced_blobs(session)
        assert paper.office.vault.read(one.evidence[0][0]) == b"%PDF"
        assert verify_ledger(session).problems == ()


def test_a_grant_opens_the_round_for_that_park_until_then_and_the_accepted_figures_stay_in_force(
    paper: PaperOffice,
) -> None:
    filed = closed(paper)
    number, until = ask(paper), paper.at + timedelta(days=3)
    made = deciding.grant(paper.office, number, until=until, reason="", withdraw=False, now=paper.at, actor=ACTOR)
    assert (made.decision, made.until, made.reopened) == ("granted", until, "")
    with paper.office.ledger.read() as session:
        current = round_of(session, Q1)
        assert current is not None and not current.is_open
        assert submission(session, filed).state is State.ACCEPTED
        assert current.deadline_of("LBGX") == current.deadline  # time to correct is no later deadline
        assert verify_ledger(session).problems == ()
    require_open(current, Q1, "LBGX", paper.at)
    require_open(current, Q1, "LBGX", until - timedelta(seconds=1))
    for park, at in (("LBJJ", paper.at), ("LBGX", until)):
        with pytest.raises(RefusalError, match="已关网"):
            require_open(current, Q1, park, at)
    with pytest.raises(RefusalError, match="已处理"):
        deciding.decline(paper.office, number, reason="不同意", now=paper.at, actor=ACTOR)
    again = paper.file("LBGX", Q1, {"A1": firm(90)})
    with paper.office.ledger.read() as session:
        assert submission(session, filed).state is State.SUPERSEDED and again.state is State.ACCEPTED


def test_a_grant_may_withdraw_the_acceptance_and_a_new_round_forgets_old_grants(paper: PaperOffice) -> None:
    filed = closed(paper)
    until = paper.at + timedelta(days=3)
    made = deciding.grant(paper.office, ask(paper), until=until, reason="", withdraw=True, now=paper.at, actor=ACTOR)
    assert made.reopened == filed
    with paper.office.ledger.write() as session:
        assert submission(session, filed).state is State.REOPENED
        open_round(session, Q1, edition="2015", deadline=until, now=paper.at, actor=ACTOR, reason="补报")
        again = close_round(session, Q1, now=paper.at, actor=ACTOR)
        assert not again.is_open_for("LBGX", paper.at)


def test_what_cannot_be_granted_changes_nothing(paper: PaperOffice) -> None:
    paper.open(Q1)
    with paper.office.ledger.write() as session:
        close_round(session, Q1, now=paper.at, actor=ACTOR)
    number = ask(paper)
    for until, withdraw, why in ((paper.at, False, "已过"), (paper.at + timedelta(days=1), True, "没有已验收")):
        with pytest.raises(RefusalError, match=why):
            deciding.grant(
                paper.office, number, until=until, reason="", withdraw=withdraw, now=paper.at, actor=ACTOR
            )  # fmt: skip
    with pytest.raises(RefusalError, match="写明原因"):
        deciding.decline(paper.office, number, reason=" ", now=paper.at, actor=ACTOR)
    with paper.office.ledger.read() as session:
        assert corrections(session)[0].decision is None
        assert not round_of(session, Q1).is_open_for("LBGX", paper.at)  # type: ignore[union-attr]
    assert deciding.decline(paper.office, number, reason="材料不足", now=paper.at, actor=ACTOR).answer == "材料不足"


def reporter(paper: PaperOffice, name: str, park: str = "LBGX") -> None:
    with paper.office.ledger.write() as session:
        add_user(session, name, title="张三", role="park_reporter", park=park, now=paper.at, actor="root")


def test_duties_go_to_a_successor_and_what_the_predecessor_did_stays_his(paper: PaperOffice) -> None:
    reporter(paper, "zhang")
    with paper.office.ledger.write() as session:
        access.start_session(session, "s" * 43, "zhang", address="a", agent="b", now=paper.at)
        access.add_token(
            session, "t", "zhang", label="x", scopes=["read"], expires_at=paper.at + timedelta(9), now=paper.at
        )
        zhang = user(session, "zhang")
        asked = ask_handover(
            session, zhang, to_user="li", to_title="李四", telephone="0931-1", reason="调岗", now=paper.at
        )  # fmt: skip
        with pytest.raises(RefusalError, match="已经提交"):
            ask_handover(session, zhang, to_user="wu", to_title="吴", telephone="", reason="调岗", now=paper.at)
        for actor in ("zhang", "li"):
            with pytest.raises(RefusalError, match="另一人"):
                confirm_handover(session, asked.id, now=paper.at, actor=actor)
        made, is_new = confirm_handover(session, asked.id, now=paper.at, actor="safe")
        assert (made.decision, is_new) == ("confirmed", True)
        li = user(session, "li")
        assert (li.park, li.role, li.title, li.disabled) == ("LBGX", "park_reporter", "李四", False)
        assert user(session, "zhang").disabled
        assert not access.open_sessions(session, paper.at)
        assert access.token_of(session, "t", paper.at) is None
        assert verify_ledger(session).problems == ()
        with pytest.raises(RefusalError, match="已处理"):
            decline_handover(session, asked.id, reason="x", now=paper.at, actor="safe")


def test_a_successor_may_have_an_account_of_the_same_park_and_of_no_other(paper: PaperOffice) -> None:
    for name, park in (("zhang", "LBGX"), ("li", "LBGX"), ("wang", "LBJJ")):
        reporter(paper, name, park)
    with paper.office.ledger.write() as session:
        zhang = user(session, "zhang")
        for to_user, why in (("wang", "已被使用"), ("zhang", "您自己"), ("李四", "无效"), ("", "写明")):
            with pytest.raises(RefusalError, match=why):
                ask_handover(session, zhang, to_user=to_user, to_title="某", telephone="", reason="调岗", now=paper.at)
        first = ask_handover(session, zhang, to_user="li", to_title="李四", telephone="", reason="调岗", now=paper.at)
        assert (
            decline_handover(session, first.id, reason="先办完本期", now=paper.at, actor="safe").answer == "先办完本期"
        )
        again = ask_handover(session, zhang, to_user="li", to_title="李四", telephone="", reason="调岗", now=paper.at)
        assert confirm_handover(session, again.id, now=paper.at, actor="safe")[1] is False
        assert len(users(session)) == 3 and len(handovers(session, park="LBGX")) == 2


def test_history_refuses_to_be_changed(paper: PaperOffice) -> None:
    from sqlalchemy import text

    with paper.office.ledger.write() as session:
        post_notice(session, "开网", "一季报开网。", now=paper.at, actor=ACTOR)
    for change in ("UPDATE notices SET text = 'x'", "DELETE FROM notices"):
        with pytest.raises(StatisticsError, match="相抵触"), paper.office.ledger.write() as session:
            session.execute(text(change))


def test_notices_and_answers_are_told_to_the_reporters_they_are_for_without_a_figure(paper: PaperOffice) -> None:
    reporter(paper, "zhang")
    reporter(paper, "wang", "LBJJ")
    closed(paper)
    number = ask(paper)
    deciding.grant(
        paper.office, number, until=paper.at + timedelta(days=3), reason="", withdraw=False, now=paper.at, actor=ACTOR
    )  # fmt: skip
    with paper.office.ledger.write() as session:
        post_notice(session, "开网", "一季报开网。", now=paper.at, actor=ACTOR)
        post_notice(session, "补材料", "请补材料。", park="LBJJ", now=paper.at, actor=ACTOR)
        told = [
            (event.action, notice.to.name, notice.body)
            for event in events(session)
            if event.action in OF_CORRESPONDENCE
            for notice in notices_of(session, event, "测试统计局")
        ]
    assert [(action, name) for action, name, _ in told] == [
        ("correction_granted", "zhang"), ("notice_posted", "zhang"), ("notice_posted", "wang"), ("notice_posted", "wang"),
    ]  # fmt: skip
    assert "2015-Q1 的更正申请已准予" in told[0][2] and not any("甲公司" in body for _, _, body in told)


def test_a_receipt_is_written_as_pdf_from_the_command_line(
    paper: PaperOffice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = paper.file("LBGX", Q1, {"A1": firm(900)}, upto="reported").number
    words = ["--home", str(paper.home.root), "receipt", "show", number, "--pdf", str(tmp_path / "r.pdf")]
    assert main(words) == 2
    assert main([*words, "--verify-at", "https://x/verify"]) == 0
    first = (tmp_path / "r.pdf").read_bytes()
    assert first.startswith(b"%PDF-") and main([*words, "--verify-at", "https://x/verify"]) == 0
    assert (tmp_path / "r.pdf").read_bytes() == first
    assert "回执 2015Q1-LBGX-0001" in capsys.readouterr().out
