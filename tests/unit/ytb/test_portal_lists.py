"""Long lists on the portal: changes of the register filtered and a page at a time, the trail beyond its first page."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import quote

import pytest

from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import OTHER_UNIT, PASSWORD, UNIT, Installation, installation
from warehouse.ledger import proposals, trail
from warehouse.ledger.proposals import NewProposal, record_proposals
from ytb.portal import auditing
from ytb.portal.routes import ROUTES

ODD = "91620102900004{:03d}X"


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """120 differences of one park, two of another."""
    made = installation(tmp_path_factory.mktemp("portal") / "home")
    many, few = made.submission("LBGX"), made.submission("LBJJ")
    with made.office.ledger.write() as session:
        record_proposals(
            session, many,
            [NewProposal(ODD.format(n), "B07" if n % 2 else "B08", "3911", f"39{n:03d}") for n in range(119)]
            + [NewProposal(OTHER_UNIT, "B02", "邻居公司", "新邻居公司")],
            now=made.at, actor="x",
        )  # fmt: skip
        record_proposals(
            session, few, [NewProposal(UNIT, code, "1", "2") for code in ("B07", "B11")], now=made.at, actor="x"
        )
    return made


def signed_in(inst: Installation, name: str) -> Browser:
    browser = Browser(inst.app)
    assert browser.sign_in(name, PASSWORD).status == 303
    return browser


def shown(page: str) -> list[str]:
    return re.findall(r'class="card proposal" id="p(\d+)"', page)


def test_changes_of_the_register_are_filtered_and_come_a_page_at_a_time(inst: Installation) -> None:
    office = signed_in(inst, "province_statistician")
    first, last = office.get("/register").text, office.get("/register?page=3").text
    assert len(shown(first)) == 50 and len(shown(last)) == 22 and not set(shown(first)) & set(shown(last))
    assert "第 3 页,共 3 页" in last and "兰州高新区" in first
    assert len(shown(office.get("/register?park=LBJJ").text)) == 2
    assert len(shown(office.get("/register?park=LBJJ&code=B07").text)) == 1
    found = office.get("/register?text=%E9%82%BB%E5%B1%85").text  # 邻居
    assert len(shown(found)) == 1 and "单位详细名称" in found
    assert "没有符合条件" in office.get("/register?text=%25&state=all").text
    assert len(shown(office.get("/register?page=999&code=..%2F&state=nonsense").text)) == 0


def test_after_a_decision_the_list_stays_where_it_was(inst: Installation) -> None:
    office = signed_in(inst, "province_statistician")
    (number,) = shown(office.get("/register?park=LBJJ&code=B11").text)
    carried = {"filters": "park=LBJJ&code=B11&page=1"}
    refused = office.post(f"/register/{number}", carried | {"decision": "reject", "reason": ""}, page="/register")
    assert refused.status == 422 and shown(refused.text) == [number]
    done = office.post(f"/register/{number}", carried | {"decision": "reject", "reason": "名录无误"}, page="/register")
    assert done.location == "/register?park=LBJJ&code=B11&page=1&done=decided"
    decided = office.get("/register?park=LBJJ&state=rejected").text
    assert shown(decided) == [number] and "名录无误" in decided and ">省级统计人员</span>" in decided
    with inst.office.ledger.read() as session:
        assert {one.decision for one in proposals.proposals(session, park="LBJJ", only_open=False)} == {
            None,
            "rejected",
        }
    # What a form carries along names a page of ours and nothing else.
    (other,) = shown(office.get("/register?park=LBJJ").text)
    odd = office.post(
        f"/register/{other}",
        {"filters": "page=1&text=//evil", "decision": "reject", "reason": "名录无误"},
        page="/register",
    )
    assert odd.location.startswith("/register?text=")


def test_the_trail_goes_on_behind_its_first_page_and_finds_people_by_name(
    inst: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ytb.portal.auditing.EVENTS_SHOWN", 5)
    auditor = signed_in(inst, "auditor")
    seen: list[int] = []
    page = auditor.get("/trail?action=%E7%99%BB%E8%AE%B0%E7%94%A8%E6%88%B7").text  # 登记用户
    while True:
        rows = [int(n) for n in re.findall(r'data-label="序号" class="v">(\d+)</td>', page)]
        assert 0 < len(rows) <= 5
        seen += rows
        onward = re.search(r'href="(/trail\?[^"]*below=\d+)"', page)
        if not onward:
            break
        page = auditor.get(onward[1].replace("&amp;", "&")).text
    with inst.office.ledger.read() as session:
        wanted, count = trail.search(session, trail.Wanted(action="user_added"))
    assert seen == [one.seq for one in wanted] and count == len(seen) > 5
    assert auditor.get("/trail?below=%E4%B8%80").status == 200

    def rows_of(query: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(auditor.get(f"/trail.csv?{query}").body.decode("utf-8-sig"))))

    by_name = rows_of("actor=%E5%AE%A1%E8%AE%A1%E7%AE%A1%E7%90%86%E5%91%98")  # 审计管理员
    assert {one["人员"] for one in by_name} == {"auditor"} == {one["人员"] for one in rows_of("actor=auditor")}
    assert {(one["姓名"], one["角色和所属"]) for one in by_name} == {("审计管理员", "审计管理员")}
    assert {(one["动作"], one["动作名称"]) for one in by_name} >= {("signed_in", "登录"), ("viewed", "查看")}
    assert {(one["新状态"], one["新状态名称"]) for one in rows_of("action=received")} == {("received", "已接收")}


def test_the_trail_tells_pages_states_and_what_is_missing_in_words(inst: Installation) -> None:
    assert [route.name for route in ROUTES if route.reads and not (route.menu or route.title)] == []
    number = inst.returned("LBGX", UNIT, hard=1)
    assert signed_in(inst, "enterprise").get(f"/returns/{number}").status == 200
    auditor = signed_in(inst, "auditor")
    assert auditor.get("/trail").status == 200  # a page that is of nothing in particular
    page = auditor.get("/trail").text
    body = page.split("<tbody")[1].split("</tbody>")[0]
    assert "页面 企业自填表" in page and "own_return" not in page
    assert ">留痕</td>" in body and ">trail<" not in body
    found = auditor.get(f"/trail?subject={quote('留痕')}").text.split("<tbody")[1]
    assert ">留痕</td>" in found and "企业自填表" not in found
    assert (
        auditing._in_words("asked", "2015.r1/cell=LBGX%7Ctotal%3Avalue&text=%E5%85%B0", {})
        == "2015.r1/cell=LBGX|total:value&text=兰"
    )
    assert ">用户 reviewer</td>" in body and ">登录 auditor</td>" in body and ">user/" not in body
    kept = {
        "用户 reviewer": "user/reviewer", "user/reviewer": "user/reviewer", "通知 全部": "notice/all", "复核界限 全部": "second_check/*",
        "维护 全部留痕": "care/trail", "发布": "release", "留痕": "trail", "2015Q1-LBGX": "2015Q1-LBGX", "企业自填表 R1": "return/R1",
    }  # fmt: skip
    called = {route.name: route.menu or route.title for route in ROUTES if route.menu or route.title}
    assert {typed: auditing._kept_subject(typed, called) for typed in kept} == kept
    for subject in ("user/li", "notice/all", "second_check/*", "care/trail", "round/2015-Q1", "records/3"):
        assert auditing._kept_subject(auditing.subject_in_words(subject, called), called) == subject
    assert "→ faulty" not in page and "None" not in body
