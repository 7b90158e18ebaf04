"""The administrators' pages: lockouts, recovery codes, the slip with a code, the health of the installation, the trail's filters."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest

from tests.unit.ytb.portal_browser import Browser, token_in
from tests.unit.ytb.portal_office import PASSWORD, Installation, installation
from warehouse.ledger import access, trail
from warehouse.ledger.chain_checks import last_check
from warehouse.ledger.trail import events
from ytb.portal import passwords

CLERK = "park_reporter-LBGX"


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    yield installation(tmp_path_factory.mktemp("administration") / "home")


def signed_in(inst: Installation, name: str) -> Browser:
    browser = Browser(inst.app)
    assert browser.sign_in(name, PASSWORD).status == 303
    return browser


def note(inst: Installation, action: str, problems: int) -> None:
    with inst.office.ledger.write() as session:
        trail.append(
            session, at=inst.at, actor="root", action=action, subject="care/store", payload={"problems": problems}
        )


def test_a_lockout_is_seen_and_lifted_and_the_trail_says_by_whom(inst: Installation) -> None:
    guard = signed_in(inst, "security_administrator")
    assert "没有锁定的账户或地址" in guard.get("/lockouts").text
    for n in range(5):
        Browser(inst.app, client=f"10.1.0.{n}").sign_in(CLERK, "wrong")
    assert Browser(inst.app).sign_in(CLERK, PASSWORD).status == 422
    assert CLERK in guard.get("/lockouts").text
    hasty = guard.post("/lockouts/lift", {"kind": "account", "of": CLERK, "reason": " "}, page="/lockouts")
    assert hasty.status == 422 and "原因" in hasty.text and Browser(inst.app).sign_in(CLERK, PASSWORD).status == 422
    asked = {"kind": "account", "of": CLERK, "reason": "本人来电,回拨核实"}
    lifted = guard.post("/lockouts/lift", asked, page="/lockouts")
    assert lifted.location == "/lockouts?done=lifted"
    assert Browser(inst.app).sign_in(CLERK, PASSWORD).status == 303
    assert guard.post("/lockouts/lift", asked, page="/lockouts").status == 422
    with inst.office.ledger.read() as session:
        last = trail.last_of(session, "lockout_lifted")
    assert last is not None and (last.actor, last.subject) == ("security_administrator", f"access/{CLERK}")
    assert last.reason == "本人来电,回拨核实"


def test_a_recovery_code_stands_in_once_for_the_authenticator(inst: Installation) -> None:
    browser = signed_in(inst, "reviewer")
    assert browser.post("/account/recovery-codes", {"password": PASSWORD}, page="/account").status == 422
    with inst.office.ledger.write() as session:
        access.set_second_factor(session, "reviewer", "n" * 32, now=inst.at, actor="reviewer")
    assert browser.post("/account/recovery-codes", {"password": "wrong"}, page="/account").status == 422
    shown = browser.post("/account/recovery-codes", {"password": PASSWORD}, page="/account").text
    codes = re.findall(r"<li>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</li>", shown)
    assert len(set(codes)) == 10 and codes[0] not in browser.get("/account").text
    assert Browser(inst.app).sign_in("reviewer", PASSWORD).status == 422
    assert Browser(inst.app).sign_in("reviewer", "wrong", codes[0]).status == 422
    assert Browser(inst.app).sign_in("reviewer", PASSWORD, codes[0].lower().replace("-", " ")).status == 303
    assert Browser(inst.app).sign_in("reviewer", PASSWORD, codes[0]).status == 422
    assert Browser(inst.app).sign_in("park_reporter-LBJJ", PASSWORD, codes[1]).status == 303  # has no second factor
    with inst.office.ledger.write() as session:
        assert access.recovery_codes_left(session, "reviewer") == 9
        access.set_second_factor(session, "reviewer", None, now=inst.at, actor="security_administrator")
        assert access.recovery_codes_left(session, "reviewer") == 0


def test_the_slip_is_printed_from_the_code_in_force_and_from_no_other(inst: Installation) -> None:
    guard = signed_in(inst, "security_administrator")
    page = guard.post("/users", {"name": "zhou", "title": "周", "role": "city", "park": "兰州市"}, page="/users").text
    code = page.split('class="big-code">')[1].split("<")[0]
    fields = {"code": code, "_csrf": token_in(page)}
    slip = guard.post("/users/zhou/slip.pdf", fields)
    assert slip.status == 200 and slip.body.startswith(b"%PDF") and "attachment" in slip.headers["content-disposition"]
    assert guard.post("/users/zhou/slip.pdf", fields | {"code": passwords.one_time_code()}).status == 422
    assert guard.post(f"/users/{CLERK}/slip.pdf", fields | {"code": PASSWORD}).status == 422  # no code, a password
    assert guard.post("/users/nobody/slip.pdf", fields).status == 422


def test_an_account_for_a_place_that_is_not_in_the_register_is_refused(inst: Installation) -> None:
    guard = signed_in(inst, "security_administrator")
    fields = {"name": "wu", "title": "吴", "role": "city", "park": "火星市"}
    assert "没有“火星市”" in guard.post("/users", fields, page="/users").text
    assert guard.post("/users", fields | {"park": ""}, page="/users").status == 422


def test_health_tells_of_backups_and_verifications_and_fails_on_an_unsound_store(inst: Installation) -> None:
    operator = signed_in(inst, "administrator")
    fresh = operator.get("/health").text
    assert "还没有备份过" in fresh and "没有核验过" in fresh and operator.get("/health.json").status == 200
    note(inst, "backed_up", 0)
    note(inst, "verified", 0)
    assert "✓ 正常" in operator.get("/health").text
    start = inst.at
    try:
        inst.at = start + timedelta(days=3)
        operator.sign_in("administrator", PASSWORD)
        assert "已超过 2 天" in operator.get("/health").text
        note(inst, "verified", 2)
        assert operator.get("/health.json").status == 503 and "✕ 需要处理" in operator.get("/health").text
        note(inst, "verified", 0)
        assert operator.get("/health.json").status == 200
    finally:
        inst.at = start


def test_the_trail_goes_out_piece_by_piece_whole_and_in_order(
    inst: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = signed_in(inst, "auditor")
    with inst.office.ledger.read() as session:
        end = trail.head(session).seq
    monkeypatch.setattr("ytb.portal.auditing.LINES_AT_A_TIME", 7)
    got = auditor.get("/trail.csv")
    rows = list(csv.DictReader(io.StringIO(got.body.decode("utf-8-sig"))))
    assert [int(one["序号"]) for one in rows] == list(range(end, 0, -1))
    assert got.headers["content-disposition"].startswith("attachment") and got.headers["cache-control"] == "no-store"


def test_the_trail_is_filtered_by_person_action_object_and_day(inst: Installation) -> None:
    auditor = signed_in(inst, "auditor")

    def rows(query: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(auditor.get(f"/trail.csv?{query}").body.decode("utf-8-sig"))))

    assert {one["人员"] for one in rows("actor=security_administrator")} == {"security_administrator"}
    assert {one["动作"] for one in rows("action=user_added")} == {"user_added"}
    assert all("zhou" in one["对象"] for one in rows("subject=user%2Fzhou")) and rows("subject=user%2Fzhou")
    assert rows("subject=%E7%94%A8%E6%88%B7%20zhou") == rows("subject=user%2Fzhou")  # 用户 zhou, as the page shows it
    assert rows("subject=%25") == []  # a wildcard is a letter here
    assert rows("until=2015-03-31") == [] and rows("from=2030-01-01") == []
    on_the_day = rows("from=2015-04-01&until=2015-04-01")
    assert on_the_day and all(one["时间"].startswith("2015-04-01") for one in on_the_day)
    numbers = [int(one["序号"]) for one in rows("from=nonsense")]
    assert len(numbers) > len(on_the_day) and numbers == sorted(numbers, reverse=True)
    assert "条" in auditor.get("/trail?actor=auditor").text
    for action in ("signed_in", quote("登录")):  # as it is kept, and as the page calls it
        assert "没有符合条件的记录" not in auditor.get(f"/trail?action={action}").text


def test_the_whole_trail_is_verified_on_request_and_the_page_says_up_to_where(inst: Installation) -> None:
    auditor = signed_in(inst, "auditor")
    assert "还没有在这里核验过" in auditor.get("/trail").text
    assert auditor.post("/trail/verify", page="/trail").location == "/trail?done=verifying"
    page, until = "", time.monotonic() + 30
    while "没有问题" not in page and time.monotonic() < until:
        page = auditor.get("/trail").text
    with inst.office.ledger.read() as session:
        made = last_check(session)
    assert made is not None and made.by == "auditor" and made.problems == 0
    assert f"核验第 1 至 {made.head.seq} 条,没有问题" in page and "打开本页时已核验,与之衔接" in page
    assert f"第 {made.head.seq} 条以前的记录,要再核验全部才看得出" in page
    kept = f"{made.head.seq}:{made.head.hash[:16]}"
    assert f"到那时第 1 至 {made.head.seq} 条没有改动过" in auditor.get(f"/trail?head={kept}").text
    assert "与另存的不同" in auditor.get(f"/trail?head={made.head.seq}:{'0' * 16}").text
    assert "末尾记录已被删除" in auditor.get(f"/trail?head={made.head.seq + 999}:{'0' * 16}").text
    with inst.office.ledger.read() as session:
        end = trail.head(session)
    assert "再核验全部" in auditor.get(f"/trail?head={end.seq}:{end.hash}").text
    assert "不是链头" in auditor.get("/trail?head=x%3Cb%3E").text


def test_where_messages_for_a_person_go_is_changed_and_the_trail_does_not_say_to_what(inst: Installation) -> None:
    guard = signed_in(inst, "security_administrator")
    fields = {"email": "li@x.gov.cn", "telephone": "13800000000"}
    assert guard.post(f"/users/{CLERK}/contact", fields, page="/users").location == "/users?done=contact"
    assert "li@x.gov.cn" in guard.get("/users").text
    assert guard.post(f"/users/{CLERK}/contact", {"email": "x"}, page="/users").status == 422
    other = {"email": "elsewhere@x.gov.cn", "telephone": "13800000000"}
    hasty = guard.post(f"/users/{CLERK}/contact", other, page="/users")
    assert hasty.status == 422 and "须写明原因" in hasty.text
    assert guard.post(f"/users/{CLERK}/contact", other | {"reason": "换单位邮箱"}, page="/users").status == 303
    with inst.office.ledger.read() as session:
        last = trail.last_of(session, "contact_set")
    assert last is not None and last.subject == f"user/{CLERK}" and not last.payload
    assert last.reason == "换单位邮箱"


def test_a_code_that_nobody_used_in_a_fortnight_lets_nobody_in_and_a_reset_ends_the_keys_of_programs(
    inst: Installation,
) -> None:
    clerk = "park_reporter-LBJJ"
    token, start = inst.token(clerk, "read"), inst.at
    address, bearer = "/api/v1/parks/LBJJ/periods/2015-Q1/submissions", f"Bearer {token}"
    assert Browser(inst.app).get(address, Authorization=bearer).status == 200
    guard = signed_in(inst, "security_administrator")
    for lacking in ({"reason": "忘记口令"}, {"confirmed": "1", "reason": " "}):
        assert "须写明原因,并勾选确认" in guard.post(f"/users/{clerk}/reset", lacking, page="/users").text
    assert Browser(inst.app).get(address, Authorization=bearer).status == 200
    page = guard.post(f"/users/{clerk}/reset", {"reason": "忘记口令", "confirmed": "1"}, page="/users").text
    code = page.split('class="big-code">')[1].split("<")[0]
    assert Browser(inst.app).get(address, Authorization=bearer).status == 401
    with inst.office.ledger.read() as session:
        assert [e.reason for e in events(session, f"user/{clerk}") if e.action == "password_reset"][-1] == "忘记口令"
    try:
        inst.at = start + timedelta(days=14, seconds=1)
        assert "已超过 14 天" in Browser(inst.app).sign_in(clerk, code).text
        assert "已超过" not in Browser(inst.app).sign_in(clerk, "wrong").text
        inst.at = start + timedelta(days=14)
        assert Browser(inst.app).sign_in(clerk, code).status == 303
    finally:
        inst.at = start
