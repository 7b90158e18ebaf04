"""Signing in through an identity provider: against a real one on this machine, and against one that lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from schemas.errors import RefusalError, StorageError
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import CHEAP, Installation, installation
from warehouse.home import Home, OidcConfig, load_config, secret_of
from warehouse.ledger import access, trail
from ytb.portal.application import create_app, portal_of
from ytb.portal.oidc import NOT_SOUND, Attempt, Provider, has_second_factor, require_safe
from ytb.portal.visit import Portal, Settings

CLERK = "park_reporter-LBGX"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONFIG = OidcConfig("https://id.example", "ytb")
KEY = RSAKey.generate_key(2048, parameters={"kid": "k"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    from oidc_provider_mock import User, run_server_in_thread

    people = [
        User(sub="1", claims={"preferred_username": CLERK}),
        User(sub="2", claims={"preferred_username": "nobody-here"}),
        User(sub="3", claims={"preferred_username": "reviewer"}),
        User(sub="4", claims={"preferred_username": ["reviewer"]}),
    ]
    with run_server_in_thread(user_claims=people) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Installation:
    made = installation(tmp_path_factory.mktemp("oidc") / "home")
    with made.home.config_file.open("a", encoding="utf-8") as file:
        file.write(f'\n[oidc]\nissuer = "{issuer}"\nclient_id = "ytb"\nlabel = "省政务身份认证"\n')
    secret = made.home.keys / "oidc.secret"
    secret.write_text("s3cret/+\n")
    secret.chmod(0o600)
    made.at = datetime.now(UTC)
    made.app = create_app(portal(made))
    return made


def portal(inst: Installation, **settings: Any) -> Portal:
    return portal_of(inst.home, lambda: inst.at, Settings(hasher=CHEAP, **settings), office=inst.office)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def consent(address: str, sub: str, action: str = "allow") -> str:
    """What the provider's own page does when the person agrees: the address it sends the browser back to."""
    body = urlencode({"sub": sub, "action": action}).encode()
    try:
        build_opener(_Stay()).open(Request(address, body, method="POST"), timeout=10)
    except HTTPError as redirect:
        return str(redirect.headers["Location"])
    raise AssertionError("the provider did not redirect")


def path_of(address: str) -> str:
    at = urlsplit(address)
    return f"{at.path}?{at.query}"


def test_the_person_the_claim_names_is_let_in_and_the_trail_says_who_vouched(inst: Installation, issuer: str) -> None:
    browser = Browser(inst.app)
    assert "用省政务身份认证登录" in browser.get("/sign-in").text
    leaving = browser.get("/oidc/start?next=%2Fpark%3Fx%3D1")
    asked = parse_qs(urlsplit(leaving.location).query)
    assert leaving.location.startswith(f"{issuer}/oauth2/authorize?")
    assert asked["code_challenge_method"] == ["S256"] and asked["redirect_uri"] == ["http://127.0.0.1/oidc/return"]
    assert {"state", "nonce", "code_challenge"} <= asked.keys() and asked["scope"] == ["openid profile"]
    returned = consent(leaving.location, "1")
    done = browser.get(path_of(returned))
    assert done.location == "/park?x=1" and browser.get("/park").status == 200
    assert "ytb_oidc" not in browser.cookies
    with inst.office.ledger.read() as session:
        last = trail.last_of(session, "signed_in")
    assert last is not None and last.payload["by"] == issuer
    assert "不能" not in done.text and browser.get(path_of(returned)).status == 422  # the way back serves once


@pytest.mark.parametrize("sub", ["2", "4", "5"])
def test_whom_no_account_is_for_is_not_let_in_and_none_is_made(inst: Installation, sub: str) -> None:
    browser = Browser(inst.app)
    answer = browser.get(path_of(consent(browser.get("/oidc/start").location, sub)))
    assert answer.status == 422 and "没有为您开通账户" in answer.text and "ytb_session" not in browser.cookies
    with inst.office.ledger.read() as session:
        assert access.credentials(session, "nobody-here") is None


def test_who_cancels_or_comes_back_with_another_state_or_too_late_is_not_let_in(inst: Installation) -> None:
    browser = Browser(inst.app)
    denied = browser.get(path_of(consent(browser.get("/oidc/start").location, "1", "deny")))
    assert denied.status == 422 and "取消了登录" in denied.text
    mine = consent(browser.get("/oidc/start").location, "1")
    assert Browser(inst.app).get(path_of(mine)).status == 422  # a code planted on another browser
    other = path_of(mine).replace("state=", "state=x")
    assert NOT_SOUND in browser.get(other).text
    late = consent(browser.get("/oidc/start").location, "1")
    inst.at += timedelta(minutes=11)
    assert "用时太长" in browser.get(path_of(late)).text
    inst.at -= timedelta(minutes=11)
    held = browser.get("/oidc/start")
    sealed = browser.cookies["ytb_oidc"]
    browser.cookies["ytb_oidc"] = sealed[:-1] + ("1" if sealed[-1] == "0" else "0")
    assert browser.get(path_of(consent(held.location, "1"))).status == 422
    assert "ytb_session" not in browser.cookies


def test_who_needs_a_second_factor_does_not_get_round_it(inst: Installation) -> None:
    made = portal(inst, second_factor=True)
    browser = Browser(create_app(made))
    answer = browser.get(path_of(consent(browser.get("/oidc/start").location, "3")))
    assert answer.status == 422 and "两步验证" in answer.text
    assert made.provider is not None
    trusted = Provider(replace(made.provider.config, second_factor=True), "s3cret/+")
    browser = Browser(create_app(replace(made, provider=trusted)))
    assert browser.get(path_of(consent(browser.get("/oidc/start").location, "3"))).status == 303


def test_without_configuration_there_is_no_such_way(tmp_path_factory: pytest.TempPathFactory) -> None:
    plain = installation(tmp_path_factory.mktemp("plain") / "home")
    assert "/oidc/" not in Browser(plain.app).get("/sign-in").text
    assert [Browser(plain.app).get(f"/oidc/{way}").status for way in ("start", "return")] == [404, 404]


def test_a_configuration_with_a_slip_of_the_pen_or_an_open_secret_is_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = Home(tmp_path_factory.mktemp("slip"))
    for text in ("issuer = 'x'\nclient_id = 'y'\nclame = 'z'", "issuer = 'x'", "issuer = 1\nclient_id = 'y'"):
        home.config_file.write_text(f"format = 1\n[oidc]\n{text}\n")
        with pytest.raises(StorageError, match=r"\[oidc\] 有误"):
            load_config(home)
    home.keys.mkdir()
    assert secret_of(home, "oidc") == ""
    (home.keys / "oidc.secret").write_text("x")
    (home.keys / "oidc.secret").chmod(0o644)
    with pytest.raises(StorageError, match="可被他人读取"):
        secret_of(home, "oidc")


class Lies:
    """A provider that answers what it is told to."""

    def __init__(self, claims: dict[str, Any], *, algorithm: str = "RS256", **metadata: str) -> None:
        base = "https://id.example"
        self.metadata = {
            "issuer": base, "authorization_endpoint": f"{base}/a", "token_endpoint": f"{base}/t", "jwks_uri": f"{base}/k",
        } | metadata  # fmt: skip
        key: Any = KEY
        self.token = jwt.encode({"alg": algorithm, "kid": "k"}, claims, key, algorithms=[algorithm])
        self.asked: list[str] = []

    def __call__(self, request: Request) -> bytes:
        self.asked.append(request.full_url)
        answers: dict[str, Any] = {
            "/a": {},
            "/t": {"id_token": self.token},
            "/k": {"keys": [KEY.as_dict(private=False)]},
        }
        return json.dumps(answers.get(urlsplit(request.full_url).path, self.metadata)).encode()


GOOD: dict[str, Any] = {
    "iss": "https://id.example", "aud": "ytb", "sub": "1", "nonce": "n", "exp": int(NOW.timestamp()) + 300,
    "iat": int(NOW.timestamp()), "preferred_username": "li",
}  # fmt: skip
ATTEMPT = Attempt("s", "n", "v" * 50, "/")


def claims_by(provider: Lies) -> Any:
    made = Provider(CONFIG, "", provider)
    return made.come_back(ATTEMPT, "https://x/oidc/return?code=c&state=s", "https://x/oidc/return", NOW)


def test_a_sound_token_is_taken() -> None:
    assert claims_by(Lies(GOOD))["preferred_username"] == "li"
    assert claims_by(Lies(GOOD | {"aud": ["ytb"], "azp": "ytb"}))["sub"] == "1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.example"}, {"aud": "other"}, {"aud": ["other"]}, {"nonce": "m"}, {"nonce": None}, {"sub": None},
        {"exp": int(NOW.timestamp()) - 61}, {"exp": None}, {"iat": None}, {"iat": int(NOW.timestamp()) + 90},
        {"aud": ["ytb", "other"]}, {"azp": "other"},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_for_another_time_or_another_is_not(wrong: dict[str, Any]) -> None:
    claims = {name: value for name, value in (GOOD | wrong).items() if value is not None}
    with pytest.raises(RefusalError, match="没有通过核验"):
        claims_by(Lies(claims))


def test_a_token_of_another_key_of_another_algorithm_or_none_is_not_taken() -> None:
    forged = Lies(GOOD)
    other: Any = RSAKey.generate_key(2048, parameters={"kid": "k"})
    for token in (
        jwt.encode({"alg": "RS256", "kid": "k"}, GOOD, other),
        jwt.encode({"alg": "RS512", "kid": "k"}, GOOD, KEY, algorithms=["RS512"]),
        forged.token.rsplit(".", 1)[0] + ".",
        "eyJhbGciOiJub25lIn0." + forged.token.split(".")[1] + ".",
        "",
    ):
        forged.token = token
        with pytest.raises(RefusalError, match="没有通过核验"):
            claims_by(forged)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"token_endpoint": "https://evil.example/t"}, {"jwks_uri": "http://id.example/k"}, {"issuer": "https://id.example/"},
        {"authorization_endpoint": "https://id.example:444/a"}, {"token_endpoint": "https://u@id.example/t"},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_is_sent_to_a_host_that_is_not_the_issuers(elsewhere: dict[str, str]) -> None:
    provider = Lies(GOOD, **elsewhere)
    with pytest.raises(RefusalError):
        claims_by(provider)
    assert provider.asked == ["https://id.example/.well-known/openid-configuration"]


def test_the_issuer_itself_is_https_but_on_this_machine() -> None:
    require_safe("http://localhost:8/x", "http://localhost:8")
    for address in ("http://id.example", "ftp://id.example", "", "file:///etc/passwd"):
        with pytest.raises(RefusalError):
            require_safe(address, address)


def test_metadata_is_asked_for_once_in_ten_minutes() -> None:
    provider = Lies(GOOD)
    made = Provider(CONFIG, "", provider)
    for minutes in (0, 9, 11):
        made.metadata(NOW + timedelta(minutes=minutes))
    assert len(provider.asked) == 2


def test_a_provider_that_is_not_there_is_told(issuer: str) -> None:
    with pytest.raises(StorageError, match="暂时不能使用"):
        Provider(OidcConfig("http://127.0.0.1:9", "ytb"), "").metadata(NOW)
    assert Provider(OidcConfig(issuer, "ytb"), "").metadata(NOW).keys == f"{issuer}/jwks"


@pytest.mark.parametrize(("amr", "is_two"), [(["pwd"], False), (["pwd", "otp"], True), ("mfa", False), (None, False)])
def test_how_a_provider_says_that_two_factors_were_shown(amr: Any, is_two: bool) -> None:
    assert has_second_factor({"amr": amr}) is is_two
