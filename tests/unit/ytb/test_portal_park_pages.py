"""The park clerk's own pages: the difference to the last upload, files sent along, what is shown of the way of an upload."""

from __future__ import annotations

import io
import re
import zipfile
from urllib.parse import quote

import pytest

from schemas.period import Period
from tests.paper_office import firm, soft_finding
from tests.unit.exports.test_own_results import EVALUATION, INDEX, release, table
from tests.unit.ytb.paper_portal import PaperPortal
from tests.unit.ytb.portal_browser import Browser
from warehouse.ledger.periods import close_round
from warehouse.ledger.releases import record_release, withdraw_release
from warehouse.ledger.submissions import submissions
from warehouse.ledger.trail import head

Q1 = Period(2015, quarter=1)
UNITS = ["A1", "A2", "A3"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> PaperPortal:
    roles = ("park_reporter-LBGX", "park_reporter-LBJJ", "reviewer", "province_statistician", "security_administrator")
    portal = PaperPortal(tmp_path_factory.mktemp("park") / "home", {"LBGX": UNITS, "LBJJ": ["B1"]}, roles)
    hard = {**soft_finding("A1", "AF02", "F01", "F01=900"), "severity": "hard"}
    left = soft_finding("A2", "AF15", "F01", "F01=7")
    portal.paper.file("LBGX", Q1, {"A1": firm(900, B02="甲公司"), "A2": firm(7)}, findings=[hard, left], upto="checked")
    new = soft_finding("A3", "AF15", "F01", "F01=5")
    portal.paper.file(
        "LBGX", Q1, {"A1": firm(90, B02="甲公司"), "A2": firm(7), "A3": firm(5)}, findings=[left, new], upto="checked"
    )
    return portal


def test_the_difference_to_the_last_upload_is_shown_by_finding_and_by_cell(made: PaperPortal) -> None:
    clerk = made.who("park_reporter-LBGX")
    number = "2015Q1-LBGX-0002"
    page = clerk.get(f"/submissions/{number}").text
    assert "已改正 1" in page and "还在 1" in page and "新出现 1" in page
    whole = clerk.get(f"/submissions/{number}/changes").text
    assert "甲公司" in whole and ">900<" in whole and ">90<" in whole and "第 1 次" in whole
    only = clerk.get(f"/submissions/{number}/changes?unit={quote('甲公司')}&change=changed").text
    assert "符合条件 1 格" in only
    assert "没有符合条件" in clerk.get(f"/submissions/{number}/changes?unit={quote('乙')}").text
    first = clerk.get("/submissions/2015Q1-LBGX-0001/changes").text
    assert "没有可以对照的上一次" in first
    listed = clerk.get(f"/submissions/{number}/changes.csv")
    rows = listed.body.decode("utf-8-sig").splitlines()
    assert rows[0].startswith("表,单位代码,单位,代码,指标,变化,上一次,这一次") and any(
        "A1,甲公司,F01" in row and "900,90" in row for row in rows
    )
    assert len(clerk.get("/submissions/2015Q1-LBGX-0001/changes.csv").text.splitlines()) == 1
    assert made.who("reviewer").get(f"/submissions/{number}/changes").status == 200
    assert made.who("park_reporter-LBJJ").get(f"/submissions/{number}/changes").status == 404


def test_findings_are_filtered_by_severity_form_unit_and_sort_without_script(made: PaperPortal) -> None:
    clerk = made.who("park_reporter-LBGX")
    base = "/submissions/2015Q1-LBGX-0001"
    assert "现在显示 2 处" in clerk.get(base).text
    assert "现在显示 1 处" in clerk.get(f"{base}?kind={quote('错误')}").text
    assert "现在显示 1 处" in clerk.get(f"{base}?unit={quote('甲公司')}").text
    assert "现在显示 2 处" in clerk.get(f"{base}?sort=rule&form=finance").text
    assert "没有符合条件的问题" in clerk.get(f"{base}?sort=missing").text


def test_a_file_of_the_last_upload_goes_along_and_a_new_one_of_its_name_takes_its_place(made: PaperPortal) -> None:
    clerk, round_page = made.who("park_reporter-LBJJ"), "/park/LBJJ/2015-Q1"
    ledger = made.paper.office.ledger
    assert "一并提交" not in clerk.get(round_page).text
    first = clerk.upload(f"{round_page}/submissions", [("财务部.csv", b"x"), ("科技部.csv", b"y")], page=round_page)
    assert first.status == 303
    with ledger.read() as session:
        files = submissions(session, park="LBJJ")[-1].files
    page = clerk.get(round_page).text
    assert "财务部.csv" in page and files[0].sha256 in page
    keep = {"keep": files[0].sha256}
    assert clerk.upload(f"{round_page}/submissions", [("科技部.csv", b"z")], round_page, keep).status == 303
    with ledger.read() as session:
        second = submissions(session, park="LBJJ")[-1]
    assert second.revision == 2 and {f.name for f in second.files} == {"财务部.csv", "科技部.csv"}
    assert files[0].sha256 in {f.sha256 for f in second.files} and files[1].sha256 not in {
        f.sha256 for f in second.files
    }
    assert clerk.upload(f"{round_page}/submissions", [("财务部.csv", b"w")], round_page, keep).status == 303
    with ledger.read() as session:
        assert [f.name for f in submissions(session, park="LBJJ")[-1].files] == ["财务部.csv"]


def test_a_notice_is_posted_seen_by_its_park_and_taken_back(made: PaperPortal) -> None:
    office, clerk, other = (
        made.who("province_statistician"),
        made.who("park_reporter-LBGX"),
        made.who("park_reporter-LBJJ"),
    )
    assert "没有通知" in clerk.get("/notices").text
    fields = {"title": "一季报注意<b>", "text": "请核对名录。\n谢谢。", "period": "2015-Q1", "park": "LBGX"}
    assert office.post("/notices", fields | {"text": ""}, page="/notices").status == 422
    assert office.post("/notices", fields | {"park": "XXXX"}, page="/notices").status == 422
    assert office.post("/notices", fields, page="/notices").location == "/notices?done=posted"
    for path in ("/notices", "/park", "/park/LBGX/2015-Q1"):
        assert "一季报注意&lt;b&gt;" in clerk.get(path).text, path
    assert "一季报注意" not in other.get("/notices").text and "一季报注意" not in other.get("/park").text
    assert "发通知" not in clerk.get("/notices").text
    assert clerk.post("/notices", fields, page="/notices").status == 404
    assert office.post("/notices/1/withdraw", {"reason": "改期"}, page="/notices").status == 303
    assert "一季报注意" not in clerk.get("/notices").text and "已撤回" in office.get("/notices").text


def test_after_closing_a_park_asks_to_correct_and_a_statistician_grants(made: PaperPortal) -> None:
    office, page = made.who("province_statistician"), "/park/LBGX/2015-Q1/correction"
    clerk = made.who("park_reporter-LBGX")
    assert "不必申请" in clerk.get(page).text
    with made.paper.office.ledger.write() as session:
        close_round(session, Q1, now=made.paper.at, actor="x")
    assert "申请关网后更正或补报" in clerk.get("/park/LBGX/2015-Q1").text
    assert 'name="file" multiple accept' not in clerk.get("/park/LBGX/2015-Q1").text
    why = {"reason": "甲公司收入单位填错,企业已更正"}
    papers = [("说明.pdf", b"%PDF-1\n%%EOF")]
    assert clerk.upload(page, [("x.exe", b"MZ")], page, why).status == 422
    assert clerk.upload(page, [("x.pdf", b"MZ")], page, why).status == 422
    assert clerk.upload(page, [], page, why).status == 422
    assert clerk.upload(page, papers, page, why).location == f"{page}?done=correction_asked"
    assert "等待答复" in clerk.get(page).text
    paper = clerk.get(f"{page}/1/files/1")
    assert paper.body == b"%PDF-1\n%%EOF" and paper.headers["content-disposition"].startswith("attachment")
    for path in (f"{page}/1/files/2", f"{page}/9/files/1", "/park/LBGX/2015-Q2/correction/1/files/1"):
        assert clerk.get(path).status == 404, path
    assert made.who("park_reporter-LBJJ").get(f"{page}/1/files/1").status == 404
    assert "企业已更正" in office.get("/corrections").text
    refused = office.post("/corrections/1", {"decision": "decline", "reason": ""}, page="/corrections")
    assert refused.status == 422 and "写明原因" in refused.text
    assert (
        office.post("/corrections/1", {"decision": "grant", "until": "2015-04-31"}, page="/corrections").status == 422
    )
    granted = office.post("/corrections/1", {"decision": "grant", "until": "2015-04-20"}, page="/corrections")
    assert granted.location == "/corrections?done=correction_granted"
    again = clerk.get("/park/LBGX/2015-Q1").text
    assert "准予更正" in again and "2015-04-20 24:00" in again and "上传并审核" in again
    assert "准予更正至 2015-04-20 24:00" in clerk.get("/park").text
    assert "上传并审核" not in made.who("park_reporter-LBJJ").get("/park/LBJJ/2015-Q1").text


def test_past_periods_keep_every_submission_with_its_papers(made: PaperPortal) -> None:
    page = made.who("park_reporter-LBGX").get("/past").text
    for word in (
        "2015Q1-LBGX-0001",
        "2015Q1-LBGX-0002",
        "/submissions/2015Q1-LBGX-0001/receipt.pdf",
        "第 1 号更正申请",
    ):
        assert word in page, word
    assert "LBJJ-0001" not in page


def test_a_successor_is_named_and_let_in(made: PaperPortal) -> None:
    clerk, keeper = made.who("park_reporter-LBJJ"), made.who("security_administrator")
    fields = {"to_title": "李四", "to_user": "lisi", "telephone": "", "reason": "调岗"}
    taken = clerk.post("/handover", fields | {"to_user": "reviewer"}, page="/handover")
    assert taken.status == 422 and "已被使用" in taken.text and "李四" in taken.text
    assert clerk.post("/handover", fields, page="/handover").location == "/handover?done=handover_asked"
    assert "等待管理员确认" in clerk.get("/handover").text
    assert "李四" in keeper.get("/handovers").text
    assert keeper.post("/handovers/1", {"decision": "decline", "reason": ""}, page="/handovers").status == 422
    done = keeper.post("/handovers/1", {"decision": "confirm"}, page="/handovers").text
    code = done.split('class="big-code">')[1].split("<")[0]
    assert clerk.get("/park").status == 303  # signed out
    successor = Browser(made.app)
    assert successor.sign_in("lisi", code).location == "/"
    assert successor.get("/park").location == "/password"


def test_a_park_sees_what_is_published_of_it_and_nothing_that_was_withdrawn(made: PaperPortal) -> None:
    clerk, other = made.who("park_reporter-LBGX"), made.who("park_reporter-LBJJ")
    assert "还没有发布" in clerk.get("/results").text
    home, ledger = made.paper.home, made.paper.office.ledger
    figures = table(
        ("f", "2015-Q1", "LBGX", "F01", "cumulative", 5.0, "5", ""), ("f", "2015-Q1", "LBGX", "F01", "growth_restated", 8.8, "8.8", ""),
    )  # fmt: skip
    warned = table(("w", "2015-Q1", "LBGX", "W01", "level", 2.0, "2", "低于界限"))
    for name, period, tables in (
        ("2014.r1", Period(2014), {"index_scores": INDEX, "evaluation_scores": EVALUATION}),
        ("2015-Q1.r1", Q1, {"monitoring_figures": figures, "monitoring_warnings": warned}),
    ):
        release(home.releases, name, period, tables)
        with ledger.write() as session:
            record_release(session, name, period=period, manifest="0" * 64, now=made.paper.at, actor="x")
    page = clerk.get("/results").text
    for word in ("F01名", "8.8", "黄色预警", "低于界限", "102.5 至 103.5", "-2.00", "2 至 5", "为保护单个单位资料"):
        assert word in page, word
    assert page.count('role="img"') == 3  # growth, index, what moved it; one quarter alone has no series
    assert "9.00" not in page and "F01名" not in other.get("/results").text
    with ledger.write() as session:
        withdraw_release(session, "2014.r1", reason="有误", now=made.paper.at, actor="x")
    assert "102.5 至 103.5" not in clerk.get("/results?year=2014.r1").text


def test_a_park_downloads_its_own_accepted_figures_and_no_others(made: PaperPortal) -> None:
    made.paper.file("LBGX", Period(2014), {"A1": firm(900, B02="甲公司")})
    made.paper.file("LBJJ", Period(2014), {"B1": firm(777, B02="乙公司")})
    made.paper.file("LBGX", Period(2014), {"A1": firm(901, B02="甲公司")}, upto="reported")
    clerk = made.who("park_reporter-LBGX")
    page = clerk.get("/data").text
    assert "2014-LBGX-0001" in page and "2014-LBGX-0002" not in page and "国家火炬表式" in page
    for path, start in (
        ("/park/LBGX/2014/data.xlsx", b"PK"), ("/park/LBGX/2014/data.zip", b"PK"), ("/park/LBGX/2014/national.xlsx", b"PK"),
        ("/data/all.xlsx", b"PK"), ("/data/all.zip", b"PK"),
    ):  # fmt: skip
        with made.paper.office.ledger.read() as session:
            before = head(session).seq
        answer = clerk.get(path)
        assert answer.status == 200 and answer.body.startswith(start), path
        assert answer.headers["content-disposition"].startswith("attachment")
        with made.paper.office.ledger.read() as session:
            assert head(session).seq == before + 1, path
    with zipfile.ZipFile(io.BytesIO(clerk.get("/data/all.zip").body)) as archive:
        text = archive.read("园企103_财务状况.csv").decode("utf-8-sig")
    assert ",900" in text and "901" not in text and "777" not in text
    assert clerk.get("/park/LBJJ/2014/data.xlsx").status == 404
    assert clerk.get("/park/LBGX/2013/data.xlsx").status == 409


def test_the_check_table_lists_every_form_of_the_round_and_counts_every_finding(made: PaperPortal) -> None:
    page = made.who("park_reporter-LBGX").get("/submissions/2015Q1-LBGX-0001/check-table").text
    rows = re.findall(r'"表号">(\S+)</td><th [^>]*>([^<]+)</th><td [^>]*>(\d+)</td><td [^>]*>(\d+)</td>', page)
    of = {number: (title, int(hard), int(soft)) for number, title, hard, soft in rows}
    assert of["园企103"] == ("财务状况", 1, 1)
    assert of["园企102"] == ("生产经营情况(没有填报)", 0, 0)
    assert "园企105" not in of  # not asked in a first quarter
    assert sum(hard + soft for _, hard, soft in of.values()) == 2
