"""Accounts on the portal: another role, the first sign-in, help for every role, accounts of the demo."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from schemas.errors import RefusalError, StorageError
from tests.paper_office import paper_office
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import CHEAP, PASSWORD, UNIT, UNIT_ELSEWHERE, Installation, installation, user_of
from warehouse.ledger import access
from warehouse.ledger.models import ROLES, UserRow
from warehouse.ledger.role_changes import change_role
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user, disable_user, user, users
from warehouse.ledger.verify import verify_ledger
from ytb.portal.demo_accounts import seed_demo_accounts

CODE = "ABCD-EFGH-JKMN-PQRS"


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = installation(tmp_path_factory.mktemp("portal") / "home")
    kept = CHEAP.hash(PASSWORD)
    with made.office.ledger.write() as session:
        for name in ("zhou", "wu", "zheng"):
            add_user(session, name, title=f"{name}某", role="reviewer", now=made.at, actor="root")
            access.set_password(session, name, kept, one_time=False, now=made.at, actor="root")
    return made


def signed_in(inst: Installation, name: str, password: str = PASSWORD) -> Browser:
    browser = Browser(inst.app)
    assert browser.sign_in(name, password).status == 303
    return browser


def test_a_role_is_changed_with_a_reason_and_the_person_signs_in_anew(inst: Installation) -> None:
    keeper, person, token = (
        signed_in(inst, "security_administrator"),
        signed_in(inst, "zhou"),
        inst.token("zhou", "read"),
    )
    asked = {"role": "park_reporter", "park": "LBGX", "reason": "调入高新区"}
    for wrong in (
        {"reason": " "},
        {"park": ""},
        {"park": "LBXX"},
        {"role": "king"},
        {"role": "enterprise"},
        {"role": "reviewer", "park": ""},
    ):
        assert keeper.post("/users/zhou/role", asked | wrong, page="/users").status == 422, wrong
    refused = keeper.post("/users/zhou/role", asked | {"reason": ""}, page="/users").text
    assert (
        "更改 zhou某(zhou)的角色" in refused
        and 'id="change"' not in keeper.get("/users?change=security_administrator").text
    )
    assert "更改 wu某(wu)的角色" in keeper.get("/users?change=wu").text
    assert keeper.post("/users/nobody/role", asked, page="/users").status == 422
    assert keeper.post("/users/zhou/role", asked, page="/users").location == "/users?done=role"
    assert person.get("/queue").status == 303  # signed out
    again = signed_in(inst, "zhou")
    assert again.get("/park").status == 200 and again.get("/queue").status == 404
    with inst.office.ledger.read() as session:
        assert (user(session, "zhou").role, user(session, "zhou").park) == ("park_reporter", "LBGX")
        assert access.token_of(session, token, inst.at) is None
        (change,) = [one for one in events(session, "user/zhou") if one.action == "role_changed"]
        assert change.reason == "调入高新区" and change.payload["role_before"] == "reviewer"
        assert change.actor == "security_administrator"
        assert verify_ledger(session).problems == ()


def test_nobody_raises_themselves_and_the_last_administrator_stays(inst: Installation) -> None:
    with inst.office.ledger.write() as session:
        how: dict[str, Any] = {"park": None, "reason": "轮岗", "now": inst.at}
        with pytest.raises(RefusalError, match="不能更改自己的角色"):
            change_role(
                session, "security_administrator", role="province_statistician", actor="security_administrator", **how
            )
        for last in ("administrator", "auditor", "province_statistician"):
            with pytest.raises(RefusalError, match="唯一在用"):
                change_role(session, last, role="analyst", actor="security_administrator", **how)
        out: dict[str, Any] = {"now": inst.at, "actor": "security_administrator"}
        for name, reason, why in (
            ("administrator", "离职", "唯一在用"), ("auditor", "离职", "唯一在用"), ("province_statistician", "离职", "唯一在用"),
            ("zheng", " ", "须写明原因"), ("security_administrator", "离职", "不能停用自己"),
        ):  # fmt: skip
            with pytest.raises(RefusalError, match=why):
                disable_user(session, name, reason=reason, **out)
        with pytest.raises(RefusalError, match="唯一在用的安全管理员"):
            disable_user(session, "security_administrator", reason="离职", now=inst.at, actor="root")
        with pytest.raises(RefusalError, match="与企业绑定"):
            change_role(session, "enterprise", role="analyst", actor="security_administrator", **how)
        change_role(session, "wu", role="auditor", actor="security_administrator", **how)
        change_role(session, "auditor", role="analyst", actor="security_administrator", **how)
        change_role(session, "auditor", role="auditor", actor="security_administrator", **how)
    with inst.office.ledger.read() as session:
        assert verify_ledger(session).problems == ()


def test_the_table_itself_refuses_a_role_that_no_link_of_the_trail_tells(inst: Installation) -> None:
    with pytest.raises(StorageError, match="相抵触"), inst.office.ledger.write() as session:
        session.execute(update(UserRow).where(UserRow.name == "zheng").values(role="administrator"))
    with pytest.raises(StorageError, match="相抵触"), inst.office.ledger.write() as session:
        session.execute(update(UserRow).where(UserRow.name == "zheng").values(park="LBGX"))


def given_code(inst: Installation, name: str) -> None:
    with inst.office.ledger.write() as session:
        access.set_password(
            session, name, CHEAP.hash(CODE), one_time=True, now=inst.at, actor="root", reason="忘记口令"
        )


def test_the_one_time_code_is_typed_once(inst: Installation) -> None:
    given_code(inst, "zheng")
    browser = signed_in(inst, "zheng", CODE)
    assert browser.get("/queue").location == "/password"
    page = browser.get("/password").text
    assert "不必再输" in page and 'name="old"' not in page
    for new in (CODE, "short"):
        assert browser.post("/password", {"new": new, "again": new}, page="/password").status == 422
    chosen = {"new": "Friday-Snow-8", "again": "Friday-Snow-8"}
    assert browser.post("/password", chosen, page="/password").location == "/progress?done=password"
    # From then on the password is asked for, as for every change of it.
    assert 'name="old"' in browser.get("/password").text
    assert browser.post("/password", {"new": "Friday-Snow-9", "again": "Friday-Snow-9"}, page="/password").status == 422


def test_a_code_shown_a_while_ago_is_asked_for_again(inst: Installation) -> None:
    given_code(inst, "zheng")
    browser = signed_in(inst, "zheng", CODE)
    inst.at += timedelta(minutes=11)
    assert 'name="old"' in browser.get("/password").text
    chosen = {"new": "Friday-Snow-7", "again": "Friday-Snow-7"}
    assert browser.post("/password", chosen, page="/password").status == 422
    assert browser.post("/password", chosen | {"old": CODE}, page="/password").status == 303


WORDS = {
    "park_reporter": "确认缺报", "park_approver": "同意以前", "enterprise": "统一社会信用代码", "city": "只列所属园区", "reviewer": "初审意见",
    "province_statistician": "生效日期", "publisher": "须由另一人确认", "analyst": "写明用途", "assessor": "看不到任何单个单位",
    "administrator": "/health.json", "security_administrator": "更改角色", "auditor": "链头",
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_its_own_help(inst: Installation, role: str) -> None:
    page = signed_in(inst, user_of(role)).get("/help").text
    assert WORDS[role] in page and "申请重新开网" not in page
    others = {word for other, word in WORDS.items() if other != role}
    assert sum(word in page for word in others) <= 4


def test_the_demo_has_an_account_for_every_role_under_a_name(tmp_path: Path) -> None:
    paper = paper_office(tmp_path / "home", {"LBGX": [UNIT], "LBJJ": [UNIT_ELSEWHERE]})
    made = seed_demo_accounts(paper.office, paper.at)
    with paper.office.ledger.read() as session:
        people = users(session)
    assert {one.name for one in people} == {name for _, name, _ in made}
    assert {one.role for one in people} == set(ROLES) - {"city"}  # these parks lie in no city
    assert all(one.title not in ROLES.values() for one in people)
    assert [one.park for one in people if one.role == "park_approver"] == ["LBJJ"]
    assert seed_demo_accounts(paper.office, paper.at) == []
