"""The park clerk's own pages: the difference to the last upload, files sent along, what is shown of the way of an upload."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from schemas.period import Period
from tests.paper_office import firm, soft_finding
from tests.unit.ytb.paper_portal import PaperPortal
from warehouse.ledger.submissions import submissions

Q1 = Period(2015, quarter=1)
UNITS = ["A1", "A2", "A3"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> PaperPortal:
    roles = ("park_reporter-LBGX", "park_reporter-LBJJ", "reviewer")
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
    assert clerk.get("/submissions/2015Q1-LBGX-0001/changes.csv").status == 404
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
