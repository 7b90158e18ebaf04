"""A park and its enterprises in the portal: the list, the accounts, what is due; without a workbook behind it."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pytest

from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import (
    OTHER_UNIT,
    PASSWORD,
    START,
    UNIT,
    UNIT_ELSEWHERE,
    Installation,
    installation,
)
from warehouse.ledger import trail
from warehouse.ledger.register import park_of
from warehouse.ledger.restructurings import restructurings
from warehouse.ledger.users import user

LIST = "/park/LBGX/2015-Q1/enterprises"
ACCOUNTS = f"/enterprises/LBGX/{OTHER_UNIT}"


@pytest.fixture
def inst(tmp_path: Path) -> Installation:
    return installation(tmp_path / "home")


@pytest.fixture
def park(inst: Installation) -> Browser:
    found = Browser(inst.app)
    assert found.sign_in("park_reporter-LBGX", PASSWORD).status == 303
    return found


def test_the_list_says_who_filed_who_is_faulty_who_is_missing_and_how_late(inst: Installation, park: Browser) -> None:
    assert park.get("/enterprises").location == LIST
    inst.returned("LBGX", UNIT, hard=3)
    page = park.get(LIST).text
    assert "未交" in page and OTHER_UNIT in page and UNIT_ELSEWHERE not in page
    assert "距截止还有 14 天" in page
    inst.at = START + timedelta(days=17, hours=3)
    park.sign_in("park_reporter-LBGX", PASSWORD)
    late = park.get(LIST)
    assert late.text.count("已逾期 3 天") == 3 and "<script>alert" not in late.text
    only = park.get(f"{LIST}?standing=faulty").text
    assert UNIT in only and "邻居公司" not in only
    assert "没有符合条件" in park.get(f"{LIST}?unit=不存在").text


def test_the_list_goes_out_as_csv_and_workbook_with_harmless_texts(inst: Installation, park: Browser) -> None:
    inst.returned("LBGX", UNIT, hard=3)
    got = park.get(f"{LIST}/list.csv?standing=outstanding")
    assert "attachment" in got.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(got.body.decode("utf-8-sig"))))
    assert {row["统一社会信用代码"]: (row["状态"], row["错误数"]) for row in rows} == {
        UNIT: ("有错误", "3"), OTHER_UNIT: ("未交", ""),
    }  # fmt: skip
    sheet = openpyxl.load_workbook(io.BytesIO(park.get(f"{LIST}/list.xlsx").body)).active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]][:2] == ["单位详细名称", "统一社会信用代码"]
    assert sheet.max_row == 4
    assert park.get(f"{LIST}/list.exe").status == 404


def test_a_park_opens_resets_and_closes_accounts_of_its_enterprises_only(inst: Installation, park: Browser) -> None:
    made = park.post(f"{ACCOUNTS}/accounts", {"title": "王会计", "telephone": "13900000000"}, page=ACCOUNTS)
    code = re.search(r'big-code">([0-9A-Z-]{19})<', made.text)
    assert code is not None
    with inst.office.ledger.read() as session:
        person = user(session, OTHER_UNIT)
    assert (person.role, person.park, person.unit_id) == ("enterprise", "LBGX", OTHER_UNIT)
    firm = Browser(inst.app)
    assert firm.sign_in(OTHER_UNIT, code[1]).location == "/"
    assert firm.get("/own").location == "/password"  # a code only lets its holder choose a password
    second = park.post(f"{ACCOUNTS}/accounts", {"title": "李会计"}, page=ACCOUNTS)
    assert f"{OTHER_UNIT}-2" in second.text
    for pressed in ({}, {"reason": "忘记口令"}, {"confirmed": "1"}, {"reason": " ", "confirmed": "1"}):
        refused = park.post(f"{ACCOUNTS}/reset", {"name": OTHER_UNIT, **pressed}, page=ACCOUNTS)
        assert refused.status == 422 and "原因" in refused.text and "big-code" not in refused.text
    meant = {"name": OTHER_UNIT, "reason": "企业来电:忘记口令", "confirmed": "1"}
    again = park.post(f"{ACCOUNTS}/reset", meant, page=ACCOUNTS)
    assert "big-code" in again.text and code[1] not in again.text
    with inst.office.ledger.read() as session:
        link = [one for one in trail.events(session) if one.action == "password_reset" and one.reason][-1]
    assert (link.subject, link.reason, link.actor) == (f"user/{OTHER_UNIT}", "企业来电:忘记口令", "park_reporter-LBGX")
    for name in (
        "enterprise",
        "reviewer",
        "park_reporter-LBJJ",
    ):  # of another enterprise, of the office, of another park
        assert park.post(f"{ACCOUNTS}/reset", {"name": name}, page=ACCOUNTS).status == 404
        assert park.post(f"{ACCOUNTS}/disable", {"name": name}, page=ACCOUNTS).status == 404
    assert park.post(f"{ACCOUNTS}/disable", {"name": OTHER_UNIT, "reason": "离职"}, page=ACCOUNTS).status == 303
    assert firm.get("/own").location.startswith("/sign-in")
    nobody = park.post(f"{ACCOUNTS}/accounts", {"title": " "}, page=ACCOUNTS)
    assert nobody.status == 422 and "姓名" in nobody.text


def test_slips_for_all_without_an_account(inst: Installation, park: Browser) -> None:
    page = park.post("/park/LBGX/2015-Q1/accounts", page=LIST).text
    assert page.count("big-code") == 1 and OTHER_UNIT in page  # the other one has an account
    again = park.post("/park/LBGX/2015-Q1/accounts", page="/park")
    assert again.status == 422 and "都已开户" in again.text


def test_an_enterprise_sees_what_is_due_and_its_own_findings(inst: Installation) -> None:
    firm = Browser(inst.app)
    firm.sign_in("enterprise", PASSWORD)
    assert firm.get("/").location == "/own"
    due = firm.get("/own").text
    assert "未报" in due and "还有" in due and "邻居公司" not in due
    number = inst.returned("LBGX", UNIT, hard=2)
    page = firm.get(f"/returns/{number}").text
    assert "有 2 处错误" in page and "财务状况" in page and "E8" in page and "请核对两项后更正" in page
    assert "登记企业的确认" not in page
    refused = firm.post(f"/returns/{number}/confirm", {"confirmed": "1"}, page=f"/returns/{number}")
    assert refused.status == 422 and "确认须填写" in refused.text
    assert firm.get(f"/returns/{number}/state").text == '{"state":"faulty","before":null}'


def test_a_park_looks_at_a_return_but_does_not_act_for_an_enterprise_with_an_account(
    inst: Installation, park: Browser
) -> None:
    number = inst.returned("LBGX", UNIT, soft=1)
    page = park.get(f"/returns/{number}").text
    assert "等待企业确认" in page or "需要核实" in page
    assert "confirm-for" not in page
    typed = {"key": "AF26|finance|x|F02", "code": "07", "text": "写明原因的十个字以上的说明"}
    told = park.post(f"/returns/{number}/explanations", typed, page=f"/returns/{number}/explanations")
    assert told.status == 403 or "由企业自己办理" in told.text
    fields = {"confirmed_by": "王", "confirmed_on": "2015-04-01", "basis": "电话"}
    answer = park.upload(f"/returns/{number}/confirm-for", [], page=f"/returns/{number}", fields=fields)
    assert answer.status == 422 and "由企业自己确认" in answer.text


NEW_UNIT = "91620102790000100X"
PDF = b"%PDF-1.4\n%%EOF\n"
ENTRY = {"kind": "entry", "unit_id": NEW_UNIT, "B02": "新来公司", "B07": "3921", "basis": "入区批复 3 号"}


def test_a_park_applies_with_a_paper_and_the_statistician_dates_it_into_the_register(
    inst: Installation, park: Browser
) -> None:
    files = [("批复.pdf", PDF)]
    assert (
        park.upload("/applications", files, page="/applications", fields=ENTRY).location == "/applications?done=applied"
    )
    office = Browser(inst.app)
    office.sign_in("province_statistician", PASSWORD)
    page = office.get("/register").text
    assert "新增:新来公司" in page and "入区批复 3 号" in page and "批复.pdf" in page
    paper = office.get("/applications/1/evidence/1")
    assert paper.body == PDF and "sandbox" in paper.headers["content-security-policy"]
    assert paper.headers["content-disposition"].startswith("attachment") and paper.headers["content-type"] == "application/octet-stream"  # fmt: skip
    assert office.get("/applications/1/evidence/2").status == 404
    undated = office.post("/applications/1/decide", {"decision": "approve"}, page="/register")
    assert undated.status == 422 and "生效日期" in undated.text
    made = {"decision": "approve", "effective": "2015-02-01", "reason": "资料齐全"}
    assert office.post("/applications/1/decide", made, page="/register").location == "/register?done=decided"
    with inst.office.ledger.read() as session:
        assert park_of(session, NEW_UNIT, date(2015, 1, 31)) is None
        assert park_of(session, NEW_UNIT, date(2015, 2, 1)) == "LBGX"
    shown = park.get("/applications").text
    assert "已同意" in shown and "2015-02-01 起生效" in shown and "资料齐全" in shown
    assert NEW_UNIT in park.get(LIST).text
    again = office.post("/applications/1/decide", {"decision": "decline", "reason": "x"}, page="/register")
    assert again.status == 422 and "已处理" in again.text


@pytest.mark.parametrize(
    ("fields", "files", "said"),
    [
        (ENTRY, [], "证明文件"),
        (ENTRY, [("批复.pdf", b"MZ")], "不是完整的 PDF"),
        (ENTRY, [("批复.exe", PDF)], "不是可以收的"),
        (ENTRY | {"B02": ""}, [("批复.pdf", PDF)], "单位详细名称"),
        (ENTRY | {"B07": "9999"}, [("批复.pdf", PDF)], "不在代码表"),
        (ENTRY | {"unit_id": "916201027900001001"}, [("批复.pdf", PDF)], "校验不通过"),
        ({"kind": "exit", "unit_id": UNIT_ELSEWHERE, "basis": "注销"}, [("a.pdf", PDF)], "不在本园区"),
        (
            {"kind": "move", "unit_id": UNIT_ELSEWHERE, "basis": "迁移", "to_park": "LBJJ"},
            [("a.pdf", PDF)],
            "也不迁入本园区",
        ),
        ({"kind": "merger", "unit_id": UNIT, "basis": "协议"}, [("a.pdf", PDF)], "须写明被合并的单位"),
        (
            {"kind": "merger", "unit_id": UNIT, "basis": "协议", "others": f" {UNIT}\r\n{NEW_UNIT}"},
            [("a.pdf", PDF)],
            "有它自己",
        ),
        (
            {"kind": "split", "unit_id": UNIT, "basis": "协议", "others": f"{UNIT};{NEW_UNIT}"},
            [("a.pdf", PDF)],
            "请先申请新增",
        ),
        (
            {"kind": "split", "unit_id": UNIT_ELSEWHERE, "basis": "协议", "others": f"{UNIT_ELSEWHERE} {NEW_UNIT}"},
            [("a.pdf", PDF)],
            "不能由本园区申请",
        ),
        ({"kind": "nothing", "unit_id": UNIT, "basis": "x"}, [("a.pdf", PDF)], "没有"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_a_reason(
    fields: dict[str, str], files: list[tuple[str, bytes]], said: str, refusing: Browser
) -> None:
    answer = refusing.upload("/applications", files, page="/applications", fields=fields)
    assert answer.status == 422 and said in answer.text
    assert "还没有申请过" in answer.text


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    found = Browser(installation(tmp_path_factory.mktemp("refusing") / "home").app)
    found.sign_in("park_reporter-LBGX", PASSWORD)
    return found


def test_a_split_is_applied_for_shown_and_dated(inst: Installation, park: Browser) -> None:
    files = [("批复.pdf", PDF)]
    park.upload("/applications", files, page="/applications", fields=ENTRY)
    split = {"kind": "split", "unit_id": UNIT, "basis": "分立协议", "others": f"{UNIT.lower()}\n{NEW_UNIT}"}
    assert park.upload("/applications", files, page="/applications", fields=split).status == 303
    assert "分立后:" in park.get("/applications").text
    office = Browser(inst.app)
    office.sign_in("province_statistician", PASSWORD)
    assert "分立后的企业" in office.get("/register").text
    made = {"decision": "approve", "effective": "2015-02-01"}
    early = office.post("/applications/2/decide", made, page="/register")
    assert early.status == 422 and "请先登记它的新增" in early.text
    for number in (1, 2):
        assert office.post(f"/applications/{number}/decide", made, page="/register").status == 303
    with inst.office.ledger.read() as session:
        assert [(m.predecessors, m.successors) for m in restructurings(session)] == [((UNIT,), (UNIT, NEW_UNIT))]


def test_an_enterprise_that_moves_in_is_asked_for_by_its_new_park(inst: Installation, park: Browser) -> None:
    fields = {"kind": "move", "unit_id": UNIT_ELSEWHERE, "basis": "迁移证明", "to_park": "LBGX"}
    assert park.upload("/applications", [("a.png", b"x")], page="/applications", fields=fields).status == 422
    assert park.upload("/applications", [("a.pdf", PDF)], page="/applications", fields=fields).status == 303
    office = Browser(inst.app)
    office.sign_in("province_statistician", PASSWORD)
    silent = office.post("/applications/1/decide", {"decision": "decline", "reason": " "}, page="/register")
    assert silent.status == 422 and "原因" in silent.text
    office.post("/applications/1/decide", {"decision": "decline", "reason": "缺迁出地证明"}, page="/register")
    assert "缺迁出地证明" in park.get("/applications").text
