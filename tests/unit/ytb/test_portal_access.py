"""Signing in and what guards it: lockout, rotation, idle and absolute time, CSRF, origin, host, one-time codes, second factor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest

from sources.pool import Pool
from tests.unit.ytb.portal_browser import HOST, Browser, token_in
from tests.unit.ytb.portal_office import CHEAP, NASTY, PASSWORD, START, UNIT, Installation, installation
from warehouse.ledger import access
from warehouse.ledger.trail import events, verify_trail
from warehouse.ledger.verify import verify_ledger
from ytb.portal import passwords
from ytb.portal.account import inside
from ytb.portal.application import create_app, portal_of
from ytb.portal.ended import typed_in
from ytb.portal.visit import Form, Settings

CLERK = "park_reporter-LBGX"


@pytest.fixture
def inst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = installation(tmp_path_factory.mktemp("access") / "home")
    yield made


def test_sign_in_leads_to_the_page_of_the_role_and_the_cookie_is_for_http_only(inst: Installation) -> None:
    browser = Browser(inst.app)
    answer = browser.sign_in(CLERK, PASSWORD)
    cookie = next(c for c in answer.set_cookies if c.startswith("ytb_session="))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    assert browser.get("/").location == "/park"
    assert "兰州高新区" in browser.get("/park").text


def test_behind_a_proxy_cookies_are_secure_forms_are_of_the_encrypted_address_and_plain_ones_go_nowhere(
    inst: Installation,
) -> None:
    settings = Settings(hasher=CHEAP, is_https=True, patience=60)
    portal = portal_of(inst.home, lambda: inst.at, settings, office=inst.office, pool=Pool(workers=1))
    browser = Browser(create_app(portal))
    page = browser.get("/sign-in")
    assert page.headers["strict-transport-security"] == "max-age=31536000"
    form = {"name": CLERK, "password": PASSWORD, "_csrf": token_in(page.text)}
    assert browser.post("/sign-in", form).status == 403  # its Origin is the plain address
    answer = browser.post("/sign-in", form, Origin=f"https://{HOST}")
    assert answer.status == 303
    assert all(c.startswith("__Host-ytb") and "Secure" in c and "HttpOnly" in c for c in answer.set_cookies)
    assert browser.get("/park").status == 200
    plain = browser.get("/verify?code=a%2Fb&x=1", X_Forwarded_Proto="http")
    assert (plain.status, plain.location) == (308, f"https://{HOST}/verify?code=a%2Fb&x=1")
    assert plain.set_cookies == []
    foreign = browser.get("//evil.example/%2e", X_Forwarded_Proto="http")
    assert not foreign.location or foreign.location.startswith(f"https://{HOST}/")
    in_clear = browser.post("/sign-in", form, Origin=f"https://{HOST}", X_Forwarded_Proto="http")
    assert in_clear.status == 403 and "https" in in_clear.text
    program = browser.get("/api/v1/submissions/x", Authorization="Bearer abc", X_Forwarded_Proto="http")
    assert program.status == 403
    assert (
        Browser(inst.app).get("/verify", X_Forwarded_Proto="http").status == 200
    )  # not behind a proxy: nothing to believe


def test_a_wrong_name_and_a_wrong_password_get_the_same_words(inst: Installation) -> None:
    one, other = Browser(inst.app).sign_in(CLERK, "wrong"), Browser(inst.app).sign_in("nobody", "wrong")
    assert one.status == other.status == 422
    assert "用户名、口令或验证码不对" in one.text and "用户名、口令或验证码不对" in other.text


def test_five_wrong_passwords_lock_the_account_for_a_quarter_of_an_hour_even_for_the_right_one(
    inst: Installation,
) -> None:
    for n in range(5):
        assert Browser(inst.app, client=f"10.0.1.{n}").sign_in(CLERK, "wrong").status == 422
    assert "已暂停登录" in Browser(inst.app).sign_in(CLERK, PASSWORD).text
    inst.at += timedelta(minutes=15)
    assert Browser(inst.app).sign_in(CLERK, PASSWORD).status == 303


def test_the_session_is_new_at_every_sign_in_and_a_planted_one_is_worth_nothing(inst: Installation) -> None:
    browser = Browser(inst.app, cookies={"ytb_session": "planted"})
    browser.sign_in(CLERK, PASSWORD)
    first = browser.cookies["ytb_session"]
    assert first != "planted"
    token = token_in(browser.get("/park").text)
    browser.post("/sign-in", {"name": CLERK, "password": PASSWORD, "_csrf": token})
    assert browser.cookies["ytb_session"] != first
    assert Browser(inst.app, cookies={"ytb_session": first}).get("/park").status == 303
    assert Browser(inst.app, cookies={"ytb_session": "planted"}).get("/park").status == 303


def test_half_an_hour_idle_or_twelve_hours_end_a_session(inst: Installation) -> None:
    browser = Browser(inst.app)
    browser.sign_in(CLERK, PASSWORD)
    for _ in range(24):
        inst.at += timedelta(minutes=29)
        assert browser.get("/park").status == 200
    inst.at += timedelta(minutes=29)
    assert browser.get("/park").status == 303
    browser.sign_in(CLERK, PASSWORD)
    inst.at += timedelta(minutes=31)
    assert browser.get("/park").status == 303


def test_signing_out_ends_the_session_on_the_server(inst: Installation) -> None:
    browser = Browser(inst.app)
    browser.sign_in(CLERK, PASSWORD)
    held = browser.cookies["ytb_session"]
    assert browser.post("/sign-out", page="/park").location.startswith("/sign-in")
    assert Browser(inst.app, cookies={"ytb_session": held}).get("/park").status == 303


def test_a_form_without_its_token_or_from_elsewhere_does_nothing(inst: Installation) -> None:
    browser = Browser(inst.app)
    browser.sign_in("security_administrator", PASSWORD)
    fields = {"name": "eve", "title": "Eve", "role": "administrator"}
    other = Browser(inst.app)
    other.sign_in("auditor", PASSWORD)
    foreign_token = token_in(other.get("/trail").text)
    token = token_in(browser.get("/users").text)
    assert browser.post("/users", fields).status == 403
    assert browser.post("/users", {**fields, "_csrf": "0" * 40}).status == 403
    assert browser.post("/users", {**fields, "_csrf": foreign_token}).status == 403
    for origin in ("http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:81", ""):
        assert browser.post("/users", {**fields, "_csrf": token}, Origin=origin).status == 403, origin
    assert (
        browser.post("/users", {**fields, "_csrf": token}, Origin="", Referer="http://evil.example/users").status == 403
    )
    assert "eve" not in browser.get("/users").text
    assert browser.post("/users", {**fields, "_csrf": token}).status == 200


def test_the_sign_in_form_of_one_browser_does_not_serve_another(inst: Installation) -> None:
    token = token_in(Browser(inst.app).get("/sign-in").text)
    victim = Browser(inst.app)
    victim.get("/sign-in")
    assert victim.post("/sign-in", {"name": CLERK, "password": PASSWORD, "_csrf": token}).status == 403
    assert "ytb_session" not in victim.cookies


def test_a_host_that_is_not_ours_is_refused(inst: Installation) -> None:
    assert Browser(inst.app).get("/sign-in", Host="evil.example").status == 400


@pytest.mark.parametrize(
    "address", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb", "javascript:x"]
)
def test_no_sign_in_sends_anybody_elsewhere(address: str) -> None:
    assert inside(address) == "/"


def test_after_sign_in_the_page_asked_for_comes(inst: Installation) -> None:
    browser = Browser(inst.app)
    sent = browser.get("/park/LBGX/2015-Q1?x=1")
    assert sent.location == "/sign-in?next=%2Fpark%2FLBGX%2F2015-Q1%3Fx%3D1"
    token = token_in(browser.get(sent.location).text)
    answer = browser.post(
        "/sign-in", {"name": CLERK, "password": PASSWORD, "next": "/park/LBGX/2015-Q1?x=1", "_csrf": token}
    )
    assert answer.location == "/park/LBGX/2015-Q1?x=1"


def test_a_new_person_gets_a_code_once_and_must_change_it_before_anything_else(inst: Installation) -> None:
    admin = Browser(inst.app)
    admin.sign_in("security_administrator", PASSWORD)
    shown = admin.post(
        "/users", {"name": "li", "title": "李", "role": "park_reporter", "park": "LBGX"}, page="/users"
    ).text
    code = shown.split('class="big-code">')[1].split("<")[0]
    assert code not in admin.get("/users").text
    li = Browser(inst.app)
    li.sign_in("li", code)
    assert li.get("/park").location == "/password"
    weak = li.post("/password", {"old": code, "new": "short", "again": "short"}, page="/password")
    assert weak.status == 422 and "口令太弱" in weak.text
    good = {"old": code, "new": "Long-enough-4-me", "again": "Long-enough-4-me"}
    assert li.post("/password", good, page="/password").location == "/park?done=password"
    assert li.get("/park").status == 200
    assert Browser(inst.app).sign_in("li", code).status == 422


def test_disabling_a_person_ends_what_they_are_doing(inst: Installation) -> None:
    clerk, admin = Browser(inst.app), Browser(inst.app)
    clerk.sign_in(CLERK, PASSWORD)
    token = inst.token(CLERK, "read")
    admin.sign_in("security_administrator", PASSWORD)
    assert admin.post(f"/users/{CLERK}/disable", {"reason": "离职"}, page="/users").status == 303
    assert clerk.get("/park").status == 303
    assert clerk.get("/api/v1/submissions/x", Authorization=f"Bearer {token}").status == 401
    assert Browser(inst.app).sign_in(CLERK, PASSWORD).status == 422


def test_the_second_factor_is_asked_for_set_up_and_then_needed(tmp_path_factory: pytest.TempPathFactory) -> None:
    inst = installation(tmp_path_factory.mktemp("factor") / "home", second_factor=True)
    browser = Browser(inst.app)
    browser.sign_in("reviewer", PASSWORD)
    assert browser.get("/queue").location == "/second-factor"
    page = browser.get("/second-factor").text
    nonce = page.split('name="nonce" value="')[1].split('"')[0]
    secret = page.split('class="secret">')[1].split("<")[0].replace(" ", "")
    step = int(inst.at.timestamp()) // 30
    fields = {"nonce": nonce, "password": PASSWORD, "_csrf": token_in(page)}
    assert browser.post("/second-factor", {**fields, "code": "000000"}).status == 422
    assert browser.post("/second-factor", {**fields, "code": passwords.totp_code(secret, step)}).status == 303
    assert browser.get("/queue").status == 200
    inst.at += timedelta(minutes=2)
    code = passwords.totp_code(secret, int(inst.at.timestamp()) // 30)
    assert Browser(inst.app).sign_in("reviewer", PASSWORD).status == 422
    assert Browser(inst.app).sign_in("reviewer", PASSWORD, code).status == 303
    assert Browser(inst.app).sign_in("reviewer", PASSWORD, code).status == 422  # no code serves twice
    clerk = Browser(inst.app)
    clerk.sign_in(CLERK, PASSWORD)
    assert clerk.get("/park").status == 200


def test_the_codes_are_those_of_the_standard() -> None:
    # RFC 6238 appendix B, SHA-1, secret "12345678901234567890", last six of the eight digits
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [passwords.totp_code(secret, at // 30) for at in (59, 1111111109, 1234567890, 20000000000)] == [
        "287082", "081804", "005924", "353130",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "weak",
    [
        "short1A!",
        "alllowercase",
        "Password-123",
        "P@ssw0rd-2025",
        "!!Football77",
        "Qwerty-uiop-1",
        "aaaaaaaaaaaaaaaaaaaa",
        "li-Something-9",
        "x" * 129,
    ],
)
def test_weak_passwords_are_refused(weak: str) -> None:
    with pytest.raises(passwords.RefusalError):
        passwords.require_good_password(weak, "li")


def test_a_password_hash_tells_its_cost_and_only_the_password_matches() -> None:
    hasher = passwords.Hasher(passes=1, memory_kib=8, lanes=1)
    kept = hasher.hash("口令 Pass")
    assert kept.startswith("$argon2id$v=19$m=8,t=1,p=1$") and passwords.matches("口令 Pass", kept)
    assert not passwords.matches("口令 pass", kept)
    assert not passwords.matches("口令 Pass", "$argon2id$damaged")
    assert passwords.Hasher().is_outdated(kept) and not hasher.is_outdated(kept)
    assert hasher.hash("a") != hasher.hash("a")


def test_the_cost_is_the_second_recommended_option_of_the_standard() -> None:
    # RFC 9106 section 4: t=3, p=4, m=2^16 KiB, 128-bit salt, 256-bit tag
    assert passwords.Hasher().hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_hash_of_scrypt_still_lets_in_and_is_renewed(inst: Installation) -> None:
    key = hashlib.scrypt(PASSWORD.encode(), salt=b"salt" * 4, n=16, r=1, p=1, maxmem=1 << 21, dklen=32)
    old = f"scrypt$16$1$1${(b'salt' * 4).hex()}${key.hex()}"
    with inst.office.ledger.write() as session:
        access.set_password(session, CLERK, old, one_time=False, now=inst.at, actor="t")
    assert Browser(inst.app).sign_in(CLERK, "wrong").status == 422
    assert Browser(inst.app).sign_in(CLERK, PASSWORD).status == 303
    with inst.office.ledger.read() as session:
        known = access.credentials(session, CLERK)
    assert known is not None and str(known.password_hash).startswith("$argon2id$")
    assert Browser(inst.app).sign_in(CLERK, PASSWORD).status == 303


def test_the_list_of_common_passwords_is_sound() -> None:
    assert len(passwords.common_passwords()) == 4000
    assert all(word == word.lower().strip() and len(word) >= 6 for word in passwords.common_passwords())


def test_everything_that_happened_is_in_a_sound_trail_without_any_secret(inst: Installation) -> None:
    browser = Browser(inst.app)
    browser.sign_in(CLERK, "wrong-Secret-1")
    browser.sign_in(CLERK, PASSWORD)
    browser.get(f"/submissions/{inst.submission('LBGX', soft=1)}")
    with inst.office.ledger.read() as session:
        told = events(session)
        assert verify_trail(session).is_sound and verify_ledger(session).is_sound
    actions = [one.action for one in told if one.at > START]
    assert actions == ["sign_in_failed", "signed_in", "received", "checked", "viewed"]
    text = str(told)
    assert "wrong-Secret-1" not in text and PASSWORD not in text and browser.cookies["ytb_session"] not in text


def test_no_secret_stands_in_log_ledger_or_home(
    inst: Installation,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was typed, shown or handed out once is nowhere in clear afterwards, also where a page of ours breaks."""
    caplog.set_level("DEBUG")
    browser = Browser(inst.app)
    browser.sign_in(CLERK, "Canary-Mistyped-1")
    browser.sign_in("Canary-As-Name-2", PASSWORD)
    browser.sign_in(CLERK, PASSWORD)
    changed = {"old": PASSWORD, "new": "Canary-Chosen-3", "again": "Canary-Chosen-3"}
    assert browser.post("/password", changed, page="/password").status == 303
    token = inst.token(CLERK, "read")
    api = {"Authorization": f"Bearer {token}"}
    asked = "/api/v1/parks/LBGX/periods/2015-Q1/submissions"
    assert browser.get(asked, **api).status == 200

    def broken(*_: object, **__: object) -> None:
        raise ValueError("broken on purpose")

    monkeypatch.setattr(access, "session_of", broken)
    monkeypatch.setattr(access, "token_of", broken)
    assert browser.get("/park").status == 500 and browser.get(asked, **api).status == 500
    assert "broken on purpose" in caplog.text
    said = "".join(capfd.readouterr()).encode() + caplog.text.encode()
    inst.office.ledger.engine.dispose()
    kept = b"".join(path.read_bytes() for path in inst.home.root.rglob("*") if path.is_file())
    session = browser.cookies["ytb_session"]
    for canary in ("Canary-Mistyped-1", "Canary-As-Name-2", PASSWORD, "Canary-Chosen-3", token, session):
        assert canary.encode() not in said + kept, canary


def test_what_was_typed_before_the_session_ended_is_given_back_to_the_browser_that_sent_it(inst: Installation) -> None:
    number = inst.submission("LBGX", soft=1, name="超时.xlsx")
    page = f"/submissions/{number}/explanations"
    browser = Browser(inst.app)
    typed = {"key": [f"AF26|finance|{UNIT}|F02"], "code": ["07"], "text": [f"扩建 {NASTY}"], "text-1": "两家分厂并入"}
    ended = browser.post(page, typed, Referer=f"http://127.0.0.1{page}?all=1", Cookie="ytb_session=gone")
    assert ended.status == 403 and "登录已超时" in ended.text and "没有保存" in ended.text
    assert f"{UNIT} F02:扩建 &lt;script&gt;" in ended.text and "<script>alert" not in ended.text
    assert "两家分厂并入" in ended.text and "AF26" not in ended.text
    onward = f"/sign-in?ended=1&amp;next={quote(page + '?all=1', safe='')}"
    assert onward in ended.text
    again = browser.get(onward.replace("&amp;", "&"))
    assert "登录已超时" in again.text and f'name="next" value="{page}?all=1"' in again.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_another_site_cannot_put_words_on_a_page_of_ours(inst: Installation, origin: str) -> None:
    answer = Browser(inst.app).post("/notices", {"text": "请把口令发来"}, Origin=origin, Referer="")
    assert (answer.status, answer.location, answer.body) == (303, "/sign-in?ended=1", b"")


def test_no_secret_is_sent_back(inst: Installation) -> None:
    answer = Browser(inst.app).post("/password", {"password": "Tuesday-Rain-8", "other": "Tuesday-Rain-9"})
    assert answer.status == 303 and answer.location.startswith("/sign-in?ended=1")
    sent = typed_in(Form({"password": ["Tuesday-Rain-8"], "_csrf": ["abcdef"], "text": [" 停产检修 ", "无"]}))
    assert sent == ["停产检修"]
