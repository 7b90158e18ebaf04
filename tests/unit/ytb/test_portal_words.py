"""What a person reads on the portal: names of people, states as they are, a way back from every error."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.observations import shown_unit
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import (
    OTHER_UNIT,
    PASSWORD,
    Q1,
    UNIT,
    UNIT_ELSEWHERE,
    Installation,
    finding,
    installation,
    user_of,
)
from warehouse.ledger.explanations import explanations_of
from warehouse.ledger.intake import IncomingFile, record_received
from warehouse.ledger.steps import record_check
from warehouse.ledger.submissions import CheckResult, submission
from ytb.portal.pages import environment
from ytb.portal.people import People

APPROVED = {
    "unit_head": "赵", "statistics_head": "钱", "filled_by": "孙", "telephone": "0931-1", "confirmed": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return installation(tmp_path_factory.mktemp("portal") / "home")


@pytest.fixture(scope="module")
def who(inst: Installation) -> dict[str, Browser]:
    found = {}
    for role, park in (
        ("park_reporter", "LBGX"),
        ("park_reporter", "LBJJ"),
        ("park_approver", ""),
        ("reviewer", ""),
        ("auditor", ""),
    ):
        browser = Browser(inst.app)
        assert browser.sign_in(user_of(role, park), PASSWORD).status == 303
        found[f"{role}-{park}" if park else role] = browser
    return found


def test_an_error_page_keeps_the_menu_and_a_way_back(who: dict[str, Browser]) -> None:
    clerk = who["park_reporter-LBGX"]
    for answer in (
        clerk.get("/submissions/2015Q1-LBJJ-0009", Referer="http://127.0.0.1/park?x=1"),
        clerk.get("/nowhere", Referer="http://127.0.0.1/park?x=1"),
        clerk.post("/applications", {}, Referer="http://127.0.0.1/park?x=1"),  # 403: no token
    ):
        assert answer.status in (403, 404) and 'href="/park" ' in answer.text.replace(">", " >")
        assert "退出" in answer.text and 'href="/park?x=1">返回上一页' in answer.text
    elsewhere = clerk.get("/nowhere", Referer="http://evil.example/park").text
    assert "evil.example" not in elsewhere and "返回上一页" not in elsewhere and "回到首页" in elsewhere
    assert "退出" not in Browser(clerk.app).get("/nowhere").text


def test_people_are_shown_by_name_and_the_login_stays_in_the_tooltip(
    inst: Installation, who: dict[str, Browser]
) -> None:
    number = inst.submission("LBJJ", name="名字.xlsx")
    page = who["park_reporter-LBJJ"].get(f"/submissions/{number}").text
    assert 'title="登录名 park_reporter-LBJJ,园区填报人员,兰州经济区"' in page
    trail = who["auditor"].get("/trail").text
    assert ">审计管理员</span>" in trail and ">系统维护人员</span>" in trail and ">root<" not in trail
    people = People(inst.office.ledger)
    assert people.title("reviewer,publisher") == "审核人员,发布人员" and people.title("系统") == "系统"


def test_what_waits_for_the_approver_is_not_said_to_wait_for_the_reporter(
    inst: Installation, who: dict[str, Browser]
) -> None:
    clerk, number = who["park_reporter-LBJJ"], inst.submission("LBJJ", name="待确认.xlsx")
    assert "待报送" in clerk.get("/park").text
    gap = {"gap_confirmed": "1", "gap_reason": "其余各表由主管部门下月统一补报"}
    sent = clerk.post(f"/submissions/{number}/report", APPROVED | gap, page=f"/submissions/{number}/report")
    assert sent.location.endswith("done=approval_asked")
    for address in ("/park", "/park/LBJJ/2015-Q1", "/past", f"/submissions/{number}", f"/submissions/{number}/report"):
        page = clerk.get(address).text
        assert "待本单位审核人确认" in page, address
    assert "→</span> 待报送" not in clerk.get("/park").text + clerk.get(f"/submissions/{number}").text
    assert "待本单位审核人确认" in who["reviewer"].get("/progress").text
    asked = who["park_approver"].get(f"/approvals/{number}").text
    assert "报送不全" in asked and gap["gap_reason"] in asked
    approved = who["park_approver"].post(
        f"/approvals/{number}/approve", {"confirmed": "1"}, page=f"/approvals/{number}"
    )
    assert approved.status == 303
    assert gap["gap_reason"] in clerk.get(f"/submissions/{number}/receipt").text


def test_files_that_cannot_be_read_have_no_papers(inst: Installation, who: dict[str, Browser]) -> None:
    clerk, number = who["park_reporter-LBGX"], _unreadable(inst)
    page = clerk.get(f"/submissions/{number}").text
    assert "文件无法读取" in page and "/receipt" not in page and "/check-table" not in page
    assert f"/submissions/{number}/receipt" not in clerk.get("/past").text
    for paper in ("receipt", "receipt.pdf", "check-table", "check-table.pdf"):
        answer = clerk.get(f"/submissions/{number}/{paper}")
        assert answer.status == 409 and "没有回执" in answer.text


def _unreadable(inst: Installation) -> str:
    inst.at += timedelta(seconds=1)
    got = record_received(
        inst.office.vault, inst.office.ledger, [IncomingFile("坏.xlsx", b"broken")], park="LBGX", period=Q1, edition="2015",
        channel="portal", now=inst.at, actor="park_reporter-LBGX",
    ).submission  # fmt: skip
    with inst.office.ledger.write() as session:
        result = CheckResult("1", "r" * 64, "o" * 64, None, None, (), {}, 0, 0, "不是工作簿。")
        record_check(session, got.number, result, now=inst.at, actor="x")
        assert submission(session, got.number).state.value == "unreadable"
    return got.number


def test_one_explanation_does_for_a_cause_and_a_finding_may_differ(inst: Installation, who: dict[str, Browser]) -> None:
    clerk, number = who["park_reporter-LBGX"], inst.submission("LBGX", soft=3, name="一因多处.xlsx")
    page, form = f"/submissions/{number}/explanations", clerk.get(f"/submissions/{number}/explanations").text
    keys = [part.split('"')[0] for part in form.split('name="key" value="')[1:]]
    assert len(keys) == 3 and "对本组 3 处同用" in form and form.count('class="card"') == 1
    blank = {"key": keys, "code": ["", "", ""], "text": ["", "", ""]}
    weak = clerk.post(page, blank | {"code-1": "07", "text-1": "核实无误"}, page=page)
    summary = weak.text.split('id="errors"')[1].split("</div>")[0]
    assert weak.status == 422 and summary.count("<li>") == 1 and "3 处" in summary and "没有写明原因" in summary
    differs = blank | {
        "code": ["", "08", ""],
        "text": ["", "同上", ""],
        "code-1": "07",
        "text-1": "新建厂房投产,收入增加,合同附后",
    }
    weak = clerk.post(page, differs, page=page)
    summary = weak.text.split('id="errors"')[1].split("</div>")[0]
    assert summary.count("<li>") == 1 and f"{UNIT[:14]}0001 · 主营业务收入:" in summary
    differs["text"][1] = "两家分厂并入本企业核算,手续已办"
    done = clerk.post(page, differs, page=page)
    assert done.location == f"/submissions/{number}/report?done=explained"
    with inst.office.ledger.read() as session:
        told = {key: (one.reason_code, one.text) for key, one in explanations_of(session, number).items()}
    assert told[keys[1]] == ("08", "两家分厂并入本企业核算,手续已办")
    assert told[keys[0]] == told[keys[2]] == ("07", "新建厂房投产,收入增加,合同附后")
    shown = clerk.get(page).text
    assert shown.count("新建厂房投产") == 3 and "两家分厂" in shown  # for the cause, and beside each finding


def test_an_absent_enterprise_is_called_by_its_name_and_nothing_is_said_to_be_filled_in(
    inst: Installation, who: dict[str, Browser]
) -> None:
    absent = finding("LBGX", "soft", 0) | {
        "rule": "AB27", "form": "basic", "unit_id": OTHER_UNIT, "sheet": None, "cell": None, "row": None, "column": "B01",
        "indicator": "统一社会信用代码", "found": "", "message": "名录库中的应报单位未出现在报表中。请补报该单位。",
    }  # fmt: skip
    clerk, number = who["park_reporter-LBGX"], inst.submission("LBGX", name="缺一家.xlsx", rows=[absent])
    page = clerk.get(f"/submissions/{number}/explanations").text
    assert f"邻居公司({OTHER_UNIT})" in page and "填报值" not in page and "<p>,填" not in page


def test_a_key_of_several_codes_is_shown_without_its_bars() -> None:
    assert (shown_unit("122|"), shown_unit("122|LBGX01"), shown_unit(UNIT)) == ("122", "122 LBGX01", UNIT)


def test_the_menu_of_a_phone_is_never_pushed_sideways() -> None:
    style = Path("ytb/portal/static/portal.css").read_text(encoding="utf-8")
    menu = style.split(".nav ul {", 1)[1].split("}", 1)[0]
    assert "flex-wrap: wrap" in menu and ".nav ul { flex-wrap: nowrap" not in style


SERVER_ONLY = {
    "warehouse/backup.py",  # seen where a backup is made or restored, on the server
    "warehouse/home.py",  # a home that is none: no portal starts on it
    "warehouse/ledger/migrate.py",  # an old ledger: no portal starts on it
    "pipelines/correcting.py",  # the report of ytb correct
    "schemas/definitions.py",  # what is wrong with a rule file, for its author
}


def test_what_is_said_to_everybody_names_no_command() -> None:
    """Commands stand in what is told at the command line only (``command=``), or are said to be run on the server."""
    told = []
    for folder in ("schemas", "sources", "warehouse", "pipelines", "exports", "ytb/portal"):
        for file in sorted(Path(folder).rglob("*.py")):
            if str(file) in SERVER_ONLY:
                continue
            tree = ast.parse(file.read_text(encoding="utf-8"))
            aside = {
                id(n) for k in ast.walk(tree) if isinstance(k, ast.keyword) and k.arg == "command" for n in ast.walk(k)
            }
            aside |= {
                id(n)
                for k in ast.walk(tree)
                if isinstance(k, ast.Expr) and isinstance(k.value, ast.Constant)
                for n in ast.walk(k)
            }
            aside |= {
                id(n)
                for k in ast.walk(tree)
                if isinstance(k, ast.AnnAssign) and ast.unparse(k.target) == "HOW_TO_NAME"
                for n in ast.walk(k)
            }
            told += [f"{file}:{n.lineno} {n.value}" for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
                     and id(n) not in aside and re.search(r"\bytb [a-z]", n.value) and "在服务器上执行" not in n.value]  # fmt: skip
    assert told == []


def test_a_long_list_is_listed_whole_by_a_link(inst: Installation, who: dict[str, Browser]) -> None:
    macro = environment().get_template("parts.html.j2").module.rest_of
    assert str(macro(300, 300, "条", "?rows=all")) == ""
    assert '<a href="?period=2015-Q1&amp;rows=all">列出全部 301 条</a>' in macro(
        301, 300, "条", "?period=2015-Q1&rows=all"
    )


def test_a_reviewer_asks_about_a_cell_that_has_no_finding(inst: Installation, who: dict[str, Browser]) -> None:
    number = inst.submission("LBJJ", name="没有问题.xlsx", reported=True)
    page, reviewer = f"/submissions/{number}/queries", who["reviewer"]
    assert ">问哪一格</legend>" in reviewer.get(page).text
    cell = {"form": "basic", "unit": UNIT_ELSEWHERE, "column": "B02", "question": "名称为什么改?", "due": "2015-04-20"}
    wrong = reviewer.post(f"{page}/ask", cell | {"column": "F09"}, page=page)
    assert wrong.status == 422 and "没有“basic|" in wrong.text and "名称为什么改?" in wrong.text
    assert "请写明问的是哪一格" in reviewer.post(f"{page}/ask", cell | {"unit": ""}, page=page).text
    assert reviewer.post(f"{page}/ask", cell, page=page).status == 303
    assert "名称为什么改?" in who["park_reporter-LBJJ"].get(page).text
