"""A park and its enterprises in the portal: the list, the accounts, what is due; without a workbook behind it."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
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
    again = park.post(f"{ACCOUNTS}/reset", {"name": OTHER_UNIT}, page=ACCOUNTS)
    assert "big-code" in again.text and code[1] not in again.text
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
