"""The tree of parks at the door, the park's approver, the city: who sees what, and that a report waits for its approver."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.intake import report_or_ask
from pipelines.reporting import approve_report
from schemas.errors import RefusalError
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import CHEAP, PASSWORD, START, Installation, installation
from warehouse.ledger import access
from warehouse.ledger.approvals import approval_of, awaiting_approval, has_approver
from warehouse.ledger.signatories import signatories_of
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submission
from warehouse.ledger.users import add_user, disable_user
from warehouse.ledger.verify import verify_ledger

NAMES = {
    "unit_head": "赵",
    "statistics_head": "钱",
    "filled_by": "孙",
    "telephone": "0931-1",
    "confirmed": "1",
    "gap_confirmed": "1",
    "gap_reason": "其余企业的资料下月补报,已与企业核对",
}


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = installation(tmp_path_factory.mktemp("scopes") / "home")
    kept = CHEAP.hash(PASSWORD)
    with made.office.ledger.write() as session:
        for name, role, node in (("sub", "park_reporter", "LBGX01"), ("province", "city", "甘肃省")):
            add_user(session, name, title=name, role=role, park=node, now=START, actor="root")
            access.set_password(session, name, kept, one_time=False, now=START, actor="root")
    return made


def signed_in(inst: Installation, name: str) -> Browser:
    browser = Browser(inst.app)
    assert browser.sign_in(name, PASSWORD).status == 303
    return browser


def test_a_zone_sees_its_sub_park_and_a_sub_park_sees_only_itself(inst: Installation) -> None:
    of_zone, of_sub = inst.submission("LBGX", soft=1), inst.submission("LBGX01", soft=1)
    zone, sub = signed_in(inst, "park_reporter-LBGX"), signed_in(inst, "sub")
    assert [zone.get(f"/submissions/{n}").status for n in (of_zone, of_sub)] == [200, 200]
    assert [sub.get(f"/submissions/{n}").status for n in (of_zone, of_sub)] == [404, 200]
    assert zone.get("/park/LBGX01/2015-Q1").status == 200
    assert sub.get("/park/LBGX/2015-Q1").status == 404


def test_a_city_sees_the_progress_of_its_parks_and_no_figures(inst: Installation) -> None:
    number = inst.submission("LBJJ", soft=1)
    city, province = signed_in(inst, "city"), signed_in(inst, "province")
    assert city.get("/").location == "/progress"
    for path in ("/progress", "/reminders?period=2015-Q1"):
        assert "兰州高新区" in city.get(path).text and "兰州经济区" not in city.get(path).text, path
        assert "兰州经济区" in province.get(path).text, path
    for path in (f"/submissions/{number}", f"/review/{number}", f"/submissions/{number}/files/1", "/queue", "/matters"):
        assert city.get(path).status == 404, path


def test_what_a_park_with_an_approver_files_is_reported_when_the_approver_says_so(inst: Installation) -> None:
    number = inst.submission("LBJJ", name="一.xlsx")
    clerk, approver = signed_in(inst, "park_reporter-LBJJ"), signed_in(inst, "park_approver")
    assert approver.get("/").location == "/approvals"
    sent = clerk.post(f"/submissions/{number}/report", NAMES, page=f"/submissions/{number}/report")
    assert sent.location == f"/submissions/{number}?done=approval_asked"
    assert "等待本园区审核人同意" in clerk.get(f"/submissions/{number}").text
    assert clerk.post(f"/approvals/{number}/approve", {"confirmed": "1"}, page="/park").status == 404
    page = f"/approvals/{number}"
    assert number in approver.get("/approvals").text and "赵" in approver.get(page).text
    assert approver.post(f"{page}/decline", {"reason": " "}, page=page).status == 422
    assert approver.post(f"{page}/approve", {}, page=page).status == 422
    assert approver.post(f"{page}/decline", {"reason": "漏了两家企业"}, page=page).status == 303
    assert "漏了两家企业" in clerk.get(f"/submissions/{number}").text
    assert approver.post(f"{page}/approve", {"confirmed": "1"}, page=page).status == 422
    clerk.post(f"/submissions/{number}/report", NAMES, page=f"/submissions/{number}/report")
    assert approver.post(f"{page}/approve", {"confirmed": "1"}, page=page).status == 303
    with inst.office.ledger.read() as session:
        assert submission(session, number).state is State.REPORTED
        signed = signatories_of(session, number)
        assert signed is not None and signed.unit_head == "赵"
        assert awaiting_approval(session, None) == []
        assert verify_ledger(session).is_sound
    assert approver.get(f"/submissions/{number}/receipt").status == 200


def test_a_program_cannot_pass_by_the_approver_and_nobody_confirms_what_they_asked(inst: Installation) -> None:
    number = inst.submission("LBJJ", name="二.xlsx")
    with inst.office.ledger.write() as session:
        found = submission(session, number)
        for _ in range(2):  # the same files again ask the same question
            assert report_or_ask(session, found, None, now=inst.at, actor="program").state is State.EXPLAINED
        asked = approval_of(session, number)
        assert asked is not None and asked.is_waiting and asked.signatories is None
        assert [one.number for one, _ in awaiting_approval(session, {"LBJJ"})] == [number]
        assert awaiting_approval(session, {"LBGX"}) == []
    with pytest.raises(RefusalError, match="另一人"):
        approve_report(inst.office, number, now=inst.at, actor="program")
    assert approve_report(inst.office, number, now=inst.at, actor="other").state is State.REPORTED
    with pytest.raises(RefusalError, match="没有等待"):
        approve_report(inst.office, number, now=inst.at, actor="other")


def test_an_approver_who_left_holds_nothing_up(tmp_path: Path) -> None:
    inst = installation(tmp_path / "home")
    with inst.office.ledger.write() as session:
        assert has_approver(session, "LBJJ", START.date()) and not has_approver(session, "LBGX", START.date())
        disable_user(session, "park_approver", now=inst.at, actor="x", reason="离职")
        assert not has_approver(session, "LBJJ", START.date())
