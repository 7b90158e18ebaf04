"""The statistician's pages: sharing out and second person, timeliness, one submission, reminders, releases, published pages."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.period import Period
from sources.pool import Pool
from tests.paper_office import ACTOR, PaperOffice, firm, paper_office, soft_finding
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import CHEAP, PASSWORD
from warehouse.ledger import access
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.models import ROLES
from warehouse.ledger.periods import Timeliness
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submission
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user
from warehouse.ledger.verify import verify_ledger
from ytb.portal.application import create_app, portal_of
from ytb.portal.pages import Chip
from ytb.portal.punctuality import punctuality
from ytb.portal.visit import Settings

Q1, Q2, Q3 = Period(2015, 1), Period(2015, 2), Period(2015, 3)
GX, JJ = ["A1", "A2", "A3", "A4", "A5", "A6"], ["B1", "B2", "B3"]
LARGE, SMALL = "2015Q2-LBGX-0001", "2015Q2-LBJJ-0001"
SECOND = "second"
NAMED = {SECOND: "另一位审核人员"}
PEOPLE = ("reviewer", SECOND, "province_statistician", "publisher", "analyst", "assessor")


@dataclass
class Desk:
    paper: PaperOffice
    app: Any
    who: dict[str, Browser]

    def state(self, number: str) -> State:
        with self.paper.office.ledger.read() as session:
            return submission(session, number).state


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Two parks, a first quarter accepted, a second reported: LBGX with one suspicious figure of great effect."""
    paper = paper_office(tmp_path_factory.mktemp("office") / "home", {"LBGX": GX, "LBJJ": JJ})
    for park, units in (("LBGX", GX), ("LBJJ", JJ)):
        paper.file(park, Q1, {u: firm(100) for u in units})
    leap = soft_finding("A6", "AF15", "F01", "F01=9000")
    paper.file("LBGX", Q2, {u: firm(200) for u in GX[:-1]} | {"A6": firm(9000)}, findings=[leap], upto="reported")
    paper.file("LBJJ", Q2, {"B1": firm(200), "B2": firm(210), "B3": firm(200)}, upto="reported")
    kept = CHEAP.hash(PASSWORD)
    with paper.office.ledger.write() as session:
        for name in PEOPLE:
            role, title = (name, ROLES[name]) if name in ROLES else ("reviewer", NAMED[name])
            add_user(session, name, title=title, role=role, now=paper.at, actor=ACTOR)
            access.set_password(session, name, kept, one_time=False, now=paper.at, actor=ACTOR)
    pool = Pool(workers=1)
    portal = portal_of(
        paper.home, lambda: paper.at, Settings(hasher=CHEAP), office=paper.office, pool=pool, publish=lambda *_: None
    )
    app = create_app(portal)
    who = {}
    for name in PEOPLE:
        who[name] = Browser(app)
        assert who[name].sign_in(name, PASSWORD).status == 303
    yield Desk(paper, app, who)
    pool.close()


def test_submissions_are_taken_assigned_and_given_back_on_the_page(desk: Desk) -> None:
    reviewer, office = desk.who["reviewer"], desk.who["province_statistician"]
    assert "未分派" in reviewer.get("/queue").text
    assert reviewer.post("/queue/take", {}, page="/queue").status == 422
    assert reviewer.post("/queue/take", {"number": [LARGE]}, page="/queue").location == "/queue?done=taken"
    assert LARGE in reviewer.get("/queue?mine=1").text and SMALL not in reviewer.get("/queue?mine=1").text
    taken = desk.who[SECOND].post("/queue/take", {"number": [LARGE]}, page="/queue")
    assert taken.status == 422 and "已由审核人员审核" in taken.text
    asked = {"number": [LARGE], "reviewer": SECOND}
    assert "改派须写明原因" in office.post("/queue/assign", asked, page="/queue").text
    assert office.post("/queue/assign", asked | {"reason": "请假"}, page="/queue").status == 303
    assert "另一位审核人员" in reviewer.get(f"/review/{LARGE}").text
    assert desk.who[SECOND].post("/queue/give-back", {"number": [LARGE]}, page="/queue").status == 303
    assert "没有待审的报送" in desk.who[SECOND].get("/queue?mine=1").text


def test_above_the_bound_the_first_gives_an_opinion_and_another_accepts(desk: Desk) -> None:
    reviewer, office, page = desk.who["reviewer"], desk.who["province_statistician"], f"/review/{LARGE}"
    assert office.post("/queue/second-check", {"above": "0,5", "reason": ""}, page="/queue").status == 422
    assert office.post("/queue/second-check", {"above": "0,5", "reason": "内控"}, page="/queue").status == 303
    assert 'data-check-all="number"' in reviewer.get("/queue").text
    assert "不低于 0.5" in reviewer.get("/queue").text and "须两人审核" in reviewer.get(page).text
    assert reviewer.post(f"{page}/accept", {"reason": "新厂投产"}, page=page).location == f"{page}?done=waiting"
    assert desk.state(LARGE) is State.REPORTED
    assert "由您初审" in reviewer.get(page).text and "待复核" in reviewer.get("/queue").text
    assert "须由另一人复核" in reviewer.post(f"{page}/accept", {}, page=page).text
    assert "新厂投产" in desk.who[SECOND].get(page).text
    assert desk.who[SECOND].post(f"{page}/accept", {}, page=page).location == f"{page}?done=accepted"
    assert desk.state(LARGE) is State.ACCEPTED
    decided = reviewer.get(page).text.partition("已作决定")[2].partition("各次修订")[0]
    assert decided.index("初审通过") < decided.index("新厂投产") < decided.index("验收 ")
    office.post(f"{page}/reopen", {"reason": "复核练习"}, page=page)


def test_what_cannot_be_accepted_together_is_said(desk: Desk) -> None:
    refused = desk.who["reviewer"].post("/queue/accept", {"number": [LARGE]}, page="/queue")
    assert refused.status == 422 and "请逐份审" in refused.text
    both = desk.who["reviewer"].post("/queue/accept", {"number": [LARGE, SMALL]}, page="/queue")
    assert both.location == "/queue?done=accepted_some" and desk.state(SMALL) is State.ACCEPTED


def _timeliness(reported: datetime | None, *, now: datetime) -> Chip:
    one = Timeliness(
        "P", "园区", DEADLINE, None, reported, bool(reported and reported > DEADLINE), not reported and now > DEADLINE
    )
    return punctuality(one, now)


DEADLINE = datetime(2015, 7, 16, 0, 0, tzinfo=SHANGHAI)  # 24时 of 15 July


@pytest.mark.parametrize(
    ("reported", "sign", "word"),
    [
        (datetime(2015, 7, 15, 23, 59, tzinfo=SHANGHAI), "✓", "当天"),
        (datetime(2015, 7, 12, 0, 30, tzinfo=SHANGHAI), "✓", "早 3 天"),
        (datetime(2015, 7, 16, 8, 0, tzinfo=SHANGHAI), "!", "迟不足 1 天"),
        (datetime(2015, 7, 18, 8, 0, tzinfo=SHANGHAI), "!", "迟 2 天"),
    ],
)
def test_how_early_or_late_a_park_was(reported: datetime, sign: str, word: str) -> None:
    chip = _timeliness(reported, now=DEADLINE + timedelta(days=30))
    assert (chip.sign, chip.word) == (sign, word)


def test_who_has_not_reported_is_overdue_or_has_time() -> None:
    assert _timeliness(None, now=DEADLINE + timedelta(days=5, hours=2))[:2] == ("✕", "逾期 5 天未报")
    assert _timeliness(None, now=DEADLINE - timedelta(days=3))[:2] == ("○", "未报,还有 3 天")


def test_the_heat_map_has_parks_forms_and_rounds(desk: Desk) -> None:
    for name in ("reviewer", "analyst"):
        text = desk.who[name].get("/progress?period=2015-Q2").text
        assert "园区 × 报表" in text and "园区 × 报告期的及时性" in text and "2015年1—6月明细表" in text
        assert ("/review/" in text) == (name == "reviewer")


def test_one_submission_on_one_screen_with_chart_outliers_and_the_units_history(desk: Desk) -> None:
    reviewer = desk.who["reviewer"]
    text = reviewer.get(f"/review/{LARGE}").text
    assert "与往期相比变动离群" in text and "现场核查表" in text and "各指标合计与上年同期" in text
    page = reviewer.get(f"/review/{LARGE}/units/A6").text
    assert "9,000" in page and "2015Q1-LBGX-0001" in page
    assert reviewer.get(f"/review/{LARGE}/units/B1").status == 404
    visit = reviewer.get(f"/review/{LARGE}/on-site").text
    assert "AF15" in visit and "科目余额表" in visit and "被核查单位" in visit and "预测值" in visit
    assert "没有需要现场核查的单位" in reviewer.get("/review/2015Q1-LBGX-0001/on-site").text
    with desk.paper.office.ledger.read() as session:
        seen = [e.payload["page"] for e in events(session, LARGE) if e.action == "viewed"]
    assert seen[-2:] == ["unit_history", "on_site"]


def test_reminders_are_entered_as_sent_for_a_selection(desk: Desk) -> None:
    desk.paper.open(Q3)
    reviewer, page = desk.who["reviewer"], "/reminders?period=2015-Q3"
    assert reviewer.get(page).text.count("还没有催过") == 2
    chosen = {"period": "2015-Q3", "park": ["LBGX"], "way": "telephone"}
    assert "没有选中" in reviewer.post("/reminders", chosen | {"park": []}, page=page).text
    assert "没有催报方式" in reviewer.post("/reminders", chosen | {"way": "鸽子"}, page=page).text
    assert "不必催报" in reviewer.post("/reminders", chosen | {"period": "2015-Q2"}, page=page).text
    assert reviewer.post("/reminders", chosen, page=page).location == f"{page}&done=reminded"
    text = reviewer.get(page).text
    assert text.count("还没有催过") == 1 and "已催 1 次" in text and "电话" in text
    with desk.paper.office.ledger.read() as session:
        (entry,) = [e for e in events(session, "round/2015-Q3") if e.action == "reminded"]
        assert entry.payload["parks"] == ["LBGX"] and verify_ledger(session).problems == ()


def test_which_rules_fire_most_and_how_it_ended(desk: Desk) -> None:
    reviewer = desk.who["reviewer"]
    text = reviewer.get("/rules-fired?period=2015-Q2").text
    assert "AF15" in text and "<svg" in text and "已说明" in text
    assert "各园区的问题" in reviewer.get("/rules-fired?period=2015-Q2&by=park").text
    assert "这一期没有问题" in reviewer.get("/rules-fired?period=2015-Q1").text


def test_a_return_carries_its_code(desk: Desk) -> None:
    reviewer, page = desk.who["reviewer"], f"/review/{LARGE}"
    wrong = reviewer.post(f"{page}/return", {"code": ["R9"]}, page=page)
    assert wrong.status == 422 and "没有退回原因" in wrong.text
    done = reviewer.post(f"{page}/return", {"code": ["R1", "R6"], "reason": "见核查表"}, page=page)
    assert done.location == f"{page}?done=returned"
    text = reviewer.get(page).text
    assert "[R1] 个别指标" in text and "[R6]" in text and "见核查表" in text


def test_unit_data_are_asked_for_approved_by_another_and_downloaded_by_who_asked(desk: Desk) -> None:
    analyst, office, page = desk.who["analyst"], desk.who["province_statistician"], "/unit-data"
    asked = {"period": "2015-Q1", "park": "LBGX", "form": ["finance"], "purpose": "省里的投入产出研究,只出汇总表"}
    assert "用途" in analyst.post(page, asked | {"purpose": "研究"}, page=page).text
    assert "至少选一张表" in analyst.post(page, asked | {"form": []}, page=page).text
    assert analyst.post(page, asked, page=page).location == f"{page}?done=unit_data_asked"
    assert "投入产出研究" in office.get(page).text and "投入产出研究" not in desk.who["reviewer"].get(page).text
    assert analyst.get(f"{page}/1/download").status == 404
    until = (desk.paper.at + timedelta(days=3)).date().isoformat()
    assert "31 天以内" in office.post(f"{page}/1", {"decision": "approve", "until": "2099-01-01"}, page=page).text
    assert office.post(f"{page}/1", {"decision": "approve", "until": until}, page=page).status == 303
    file = analyst.get(f"{page}/1/download")
    assert file.status == 200 and file.headers["content-disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(file.body)) as package:
        assert sorted(package.namelist()) == ["2015-Q1_finance.csv", "说明.txt"]
        lines = package.read("2015-Q1_finance.csv").decode("utf-8-sig").splitlines()
    assert len(lines) == 1 + len(GX) and "申请1" in lines[1] and "_file" not in lines[0]
    assert office.get(f"{page}/1/download").status == 404
    assert desk.who["assessor"].get(page).status == 404
    own = office.post(page, asked | {"form": ["personnel"]}, page=page)
    assert own.status == 303 and "须由另一人批准" in office.get(page).text
    assert "不能批准自己的申请" in office.post(f"{page}/2", {"decision": "approve", "until": until}, page=page).text
    assert office.post(f"{page}/1", {"decision": "revoke", "reason": "用途有变"}, page=page).status == 303
    assert analyst.get(f"{page}/1/download").status == 404
    with desk.paper.office.ledger.read() as session:
        served = [e for e in events(session, "unit_data/2015-Q1/LBGX") if e.action == "unit_data_served"]
        assert [e.actor for e in served] == ["analyst"] and verify_ledger(session).problems == ()
