"""Explanations of an earlier revision: offered where nothing has changed, shown beside where something has, entered only by the park."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.carrying_over import Before, said_before, taken_over
from pipelines.explaining import NOT_SAID_WHY
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import PASSWORD, UNIT, Installation, finding, installation
from warehouse.ledger.enterprise_returns import MAIL, return_explanations_of
from warehouse.ledger.explanations import Explanation, explanations_of
from warehouse.ledger.submissions import submission
from warehouse.ledger.trail import events

PLANT, MERGED, IDLE = (
    "新建厂房投产,收入增加,合同附后",
    "两家分厂并入本企业核算,手续已办",
    "全年停产检修设备,九月恢复生产",
)
OFFERED = '<span class="chip ask">沿用上次的说明,请核对</span>'


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return installation(tmp_path_factory.mktemp("said") / "home")


@pytest.fixture(scope="module")
def clerk(inst: Installation) -> Browser:
    found = Browser(inst.app)
    assert found.sign_in("park_reporter-LBGX", PASSWORD).status == 303
    return found


def at(n: int, found: str, cell: str = "E9") -> dict[str, object]:
    message = f"工作表“财务状况” {cell}“主营业务收入”(F02):填报 {found},主营业务收入大于营业收入;请核对两项后更正。"
    return finding("LBGX", "soft", n) | {"found": found, "cell": cell, "message": message}


def keys_of(page: str) -> list[str]:
    return [part.split('"')[0] for part in page.split('name="key" value="')[1:]]


def test_what_was_said_comes_back_to_be_confirmed(inst: Installation, clerk: Browser) -> None:
    first = inst.submission("LBGX", rows=[at(1, "F01=1,F02=9"), at(2, "F01=2,F02=9"), at(3, "F01=3,F02=9")])
    page = f"/submissions/{first}/explanations"
    keys = keys_of(clerk.get(page).text)
    told = {"key": keys, "code": ["07", "08", "09"], "text": [PLANT, MERGED, IDLE]}
    assert "done=explained" in clerk.post(page, told, page=page).location
    assert OFFERED not in clerk.get(page).text

    inst.at += timedelta(minutes=1)
    rows = [at(1, "F01=1,F02=9", "E20"), at(2, "F01=2,F02=10"), at(3, "F01=3,F02=9"), at(4, "F01=4,F02=9")]
    again = inst.submission("LBGX", rows=rows, name="再传.xlsx")
    base = f"/submissions/{again}"
    with inst.office.ledger.read() as session:
        said = said_before(inst.office, submission(session, again))
        assert explanations_of(session, again) == {}
    assert [(key[-18 - 4 :], one.is_unchanged, one.revision) for key, one in said.items()] == [
        (f"{UNIT[:14]}000{n}|F02", n != 2, 1) for n in (1, 2, 3)
    ]
    assert "(0 处已说明)" in clerk.get(base).text and "其中 2 处的数据与上次相同" in clerk.get(base).text
    form = clerk.get(f"{base}/explanations").text
    assert form.count(OFFERED) == 2
    assert f">{PLANT}</textarea>" in form and f">{IDLE}</textarea>" in form and f">{MERGED}</textarea>" not in form
    assert f"第 1 次上传时的说明:08 {MERGED}" in form and form.count("数据已有变动") == 1
    # The field for all findings of the cause is empty: nothing old is said of the changed and of the new one.
    assert 'name="text-1" rows="2" maxlength="1000"></textarea>' in form

    confirmed = {"key": keys_of(form), "code": ["07", "", "09", ""], "text": [PLANT, "", IDLE, ""]}
    clerk.post(f"{base}/explanations", confirmed, page=f"{base}/explanations")
    with inst.office.ledger.read() as session:
        assert {one.text for one in explanations_of(session, again).values()} == {PLANT, IDLE}
        given = [one for one in events(session, again) if one.action == "explanations_given"]
    assert [(one.actor, one.payload["rows"], one.payload["taken_over"]) for one in given] == [
        ("park_reporter-LBGX", 2, 2)
    ]
    left = clerk.get(f"{base}/explanations").text
    assert OFFERED not in left and f"第 1 次上传时的说明:08 {MERGED}" in left


def test_only_word_for_word_counts_as_taken_over(inst: Installation) -> None:
    told = Explanation("a", "07", PLANT, "x", inst.at)
    offered = {"a": Before(told, 1, True), "b": Before(told, 1, False), "c": Before(told, 1, True)}
    assert taken_over(offered, {"a": ("07", PLANT), "b": ("07", PLANT), "c": ("07", MERGED)}) == 1
    assert taken_over(offered, {"a": ("08", PLANT)}) == 0


def test_a_cause_that_has_not_changed_at_all_comes_back_whole(inst: Installation, clerk: Browser) -> None:
    inst.at += timedelta(minutes=1)
    first = inst.submission("LBGX", rows=[at(5, "F01=5,F02=9"), at(6, "F01=6,F02=9")], name="甲.xlsx")
    page = f"/submissions/{first}/explanations"
    shared = {"code-1": "07", "text-1": "两家企业的租金收入记在营业外"}
    assert "done=explained" in clerk.post(page, shared, page=page).location
    inst.at += timedelta(minutes=1)
    again = inst.submission("LBGX", rows=[at(5, "F01=5,F02=9"), at(6, "F01=6,F02=9")], name="乙.xlsx")
    page = f"/submissions/{again}/explanations"
    form = clerk.get(page).text
    assert form.count(OFFERED) == 1 and form.count(f">{shared['text-1']}</textarea>") == 1
    assert clerk.post(page, shared, page=page).location == f"/submissions/{again}/report?done=explained"


def test_what_an_enterprise_said_comes_back_on_its_next_workbook(inst: Installation) -> None:
    own, clerk = Browser(inst.app), Browser(inst.app)
    assert own.sign_in("enterprise", PASSWORD).status == 303
    assert clerk.sign_in("park_reporter-LBGX", PASSWORD).status == 303
    other = {"column": "F03"}  # in a return everything is of one enterprise
    rows = [at(1, "F01=1,F02=9"), at(2, "F01=2,F02=9") | other]
    by_mail = inst.returned("LBGX", UNIT, rows=rows, channel=MAIL)
    told = {
        "key": keys_of(clerk.get(f"/returns/{by_mail}/explanations").text),
        "code": ["07", "08"],
        "text": [IDLE, MERGED],
    }
    clerk.post(f"/returns/{by_mail}/explanations", told, page=f"/returns/{by_mail}/explanations")
    inst.at += timedelta(minutes=1)
    first = inst.returned("LBGX", UNIT, rows=rows)
    page = f"/returns/{first}/explanations"
    form = own.get(page).text
    assert OFFERED not in form and IDLE not in form, "what the park said of a mail is not what the enterprise says"
    told = {"key": keys_of(form), "code": ["07", "08"], "text": [PLANT, MERGED]}
    assert "done=explained" in own.post(page, told, page=page).location
    inst.at += timedelta(minutes=1)
    again = inst.returned("LBGX", UNIT, rows=[at(1, "F01=1,F02=9", "E20"), at(2, "F01=2,F02=10") | other])
    page = f"/returns/{again}/explanations"
    assert "其中 1 处的数据与上次相同" in own.get(f"/returns/{again}").text
    form = own.get(page).text
    assert form.count(OFFERED) == 1 and f">{PLANT}</textarea>" in form
    assert f">{MERGED}</textarea>" not in form and f"次上传时的说明:08 {MERGED}" in form
    with inst.office.ledger.read() as session:
        assert return_explanations_of(session, again) == {}
    told = {"key": keys_of(form), "code": ["07", "08"], "text": [PLANT, "另一家分厂三月并入,手续已办"]}
    assert "done=explained" in own.post(page, told, page=page).location
    with inst.office.ledger.read() as session:
        assert {one.text for one in return_explanations_of(session, again).values()} == set(told["text"])
        (given,) = [one for one in events(session, f"return/{again}") if one.action == "return_explained"]
    assert (given.payload["explanations"], given.payload["taken_over"]) == (2, 1)


def test_what_leaves_open_why_is_marked_for_the_reviewer_and_not_for_the_park(
    inst: Installation, clerk: Browser
) -> None:
    inst.at += timedelta(minutes=1)
    number = inst.submission("LBGX", rows=[at(7, "F01=7,F02=9"), at(8, "F01=8,F02=9")], name="说明.xlsx")
    page = f"/submissions/{number}/explanations"
    told = {
        "key": keys_of(clerk.get(page).text), "code": ["07", "19"], "text": [PLANT, "感谢各位领导长期以来的关心支持"],
    }  # fmt: skip
    assert "done=explained" in clerk.post(page, told, page=page).location
    reviewer = Browser(inst.app)
    reviewer.sign_in("reviewer", PASSWORD)
    review = reviewer.get(f"/review/{number}").text
    assert review.count(NOT_SAID_WHY) == 1 and "1 处说明没有提到原因或数字" in review
    assert review.index("感谢各位领导") < review.index(NOT_SAID_WHY)
    assert NOT_SAID_WHY not in clerk.get(f"/submissions/{number}").text
