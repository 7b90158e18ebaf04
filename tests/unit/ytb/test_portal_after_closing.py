"""What a park is told of what waits for it: a query, a period that has closed, a correction that was granted."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.own_returns import explain_return
from pipelines.reporting import explain
from schemas.errors import RefusalError
from tests.unit.ytb import portal_office
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import PASSWORD, Q1, UNIT, Installation, finding, installation
from warehouse.ledger import queries
from warehouse.ledger.enterprise_returns import return_explanations_of
from warehouse.ledger.explanations import explanations_of
from warehouse.ledger.periods import close_round, grant_time


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return installation(tmp_path_factory.mktemp("closing") / "home")


def signed_in(inst: Installation, name: str) -> Browser:
    browser = Browser(inst.app)
    assert browser.sign_in(name, PASSWORD).status == 303
    return browser


def test_a_park_sees_its_query_the_closing_and_the_way_to_a_correction(inst: Installation) -> None:
    clerk, other = signed_in(inst, "park_reporter-LBGX"), signed_in(inst, "park_reporter-LBJJ")
    assert "等您答复" not in clerk.get("/park").text and ">查询</a>" in clerk.get("/park").text
    reported, draft = inst.submission("LBGX", reported=True), inst.submission("LBJJ", soft=1)
    with inst.office.ledger.write() as session:
        asked = queries.ask(
            session, reported, form="finance", unit_id=UNIT, column="F02", question="从业人员为什么减半?",
            due=date(2015, 4, 9), now=inst.at, actor="reviewer",
        )  # fmt: skip
    home = clerk.get("/park").text
    assert f'href="/submissions/{reported}/queries#query-{asked.id}"' in home and "从业人员为什么减半?" in home
    assert ">查询(1)</a>" in home and ">查询</a>" in other.get("/park").text

    base = f"/submissions/{draft}"
    assert "填写情况说明" in other.get(base).text and "已关网" not in other.get(base).text
    with inst.office.ledger.write() as session:
        close_round(session, Q1, now=inst.at, actor="province_statistician")
    for page in (base, f"{base}/explanations", f"{base}/report"):
        text = other.get(page).text
        assert "已关网" in text and 'href="/park/LBJJ/2015-Q1/correction"' in text
        assert "填写情况说明</a>" not in text and "<textarea" not in text and 'name="unit_head"' not in text
    assert "已关网,这一份没有报送" not in clerk.get(f"/submissions/{reported}").text

    assert "上传更正" not in clerk.get("/park").text
    with inst.office.ledger.write() as session:
        grant_time(
            session,
            Q1,
            "LBGX",
            until=inst.at + timedelta(days=5),
            reason="更正",
            now=inst.at,
            actor="province_statistician",
        )
    card = clerk.get("/park").text.split('class="card due"')[1].split("</li>")[0]
    assert '<a class="button" href="/park/LBGX/2015-Q1#file">上传更正</a>' in card
    assert f'<a class="button secondary" href="/submissions/{reported}">查看回执和报表</a>' in card


def test_a_workbook_without_a_marked_cell_is_not_said_to_have_red_ones(
    inst: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    park, own = signed_in(inst, "park_reporter-LBJJ"), signed_in(inst, "enterprise")
    inst.at += timedelta(minutes=1)
    placed, returned = inst.submission("LBJJ", hard=1, name="有格.xlsx"), inst.returned("LBGX", UNIT, hard=1)
    assert "在红色格子上改正" in park.get(f"/submissions/{placed}").text
    assert "在红色格子上改正" in own.get(f"/returns/{returned}").text
    nowhere = {"sheet": None, "cell": None, "row": None}
    monkeypatch.setattr(portal_office, "finding", lambda *told: finding(*told) | nowhere)
    inst.at += timedelta(minutes=1)
    wrong, empty = inst.submission("LBJJ", hard=1, name="错表.xlsx"), inst.returned("LBGX", UNIT, hard=1)
    assert "按下面列出的问题改正" in park.get(f"/submissions/{wrong}").text
    text = own.get(f"/returns/{empty}").text
    assert "是不是本期、本单位的工作簿" in text and "红色格子" not in text and "下载标注工作簿" not in text


def test_after_closing_no_explanation_is_taken_by_whatever_door(tmp_path: Path) -> None:
    inst = installation(tmp_path / "home")
    clerk, own = signed_in(inst, "park_reporter-LBJJ"), signed_in(inst, "enterprise")
    draft, returned = inst.submission("LBJJ", soft=1), inst.returned("LBGX", UNIT, soft=1)
    key = f"AF26|finance|{UNIT[:14]}0000|F02"
    form = {"key": key, "code": "01", "text": "新厂房二季度投产,订单比上年同期增加"}
    pages = (clerk, f"/submissions/{draft}/explanations"), (own, f"/returns/{returned}/explanations")
    assert all("<textarea" in browser.get(page).text for browser, page in pages)
    with inst.office.ledger.write() as session:
        close_round(session, Q1, now=inst.at, actor="province_statistician")
    for browser, page in pages:
        # The form that was opened before the closing is sent after it.
        answer = browser.post(page, form, page="/account")
        assert answer.status == 422 and "2015-Q1 已关网,不能再填写情况说明" in answer.text
    for call in (
        lambda: explain(inst.office, draft, {key: ("01", form["text"])}, now=inst.at, actor="x"),
        lambda: explain_return(inst.office, returned, {key: ("01", form["text"])}, now=inst.at, actor="x"),
    ):
        with pytest.raises(RefusalError, match="不能再填写情况说明"):
            call()
    with inst.office.ledger.read() as session:
        assert not explanations_of(session, draft) and not return_explanations_of(session, returned)
    until = inst.at + timedelta(days=5)
    with inst.office.ledger.write() as session:
        grant_time(session, Q1, "LBJJ", until=until, reason="更正", now=inst.at, actor="province_statistician")
    assert explain(inst.office, draft, {key: ("01", form["text"])}, now=inst.at, actor="x").taken == 1
