"""Roles × routes × owners, from the route table: who is let in, who is sent to sign in, for whom a thing does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ytb.portal_browser import Browser, commands_told
from tests.unit.ytb.portal_office import (
    OTHER_UNIT,
    PASSWORD,
    UNIT,
    UNIT_ELSEWHERE,
    Installation,
    installation,
    user_of,
)
from warehouse.ledger.applications import NewApplication, apply_to_register
from warehouse.ledger.models import ROLES, SCOPED_ROLES
from warehouse.ledger.trail import head
from ytb.portal.route import Owner, Route
from ytb.portal.routes import ROUTES

# Who may take a route, said a second time on purpose: the table and this list are changed together, by two decisions.
ALL = set(ROLES)
PARK, OFFICE = {"park_reporter"}, {"province_statistician", "reviewer"}
WATCH = OFFICE | {"publisher", "analyst"}
RELEASE = {"province_statistician", "publisher"}
ENTERPRISE = {"enterprise"}
PUBLIC: set[str] = set()
STATISTICIAN, ADMINISTRATOR, AUDITOR = {"province_statistician"}, {"administrator"}, {"auditor"}
CITY, SECURITY, APPROVER = {"city"}, {"security_administrator"}, {"park_approver"}
ASSESSOR = {"assessor"}
MADE = (
    "release",
    "release_file",
    "figures_csv",
    "release_preview",
    "release_changes",
    "trace",
    "unit_data_file",
)  # of a release there is not
EXPECTED: dict[str, set[str]] = {
    **dict.fromkeys(["static", "sign_in_page", "sign_in", "leave_for_provider", "come_back_from_provider", "verify", "help", "alive", "api_document"], PUBLIC),
    **dict.fromkeys(["home", "sign_out", "account", "password", "change_password", "second_factor", "set_second_factor"], ALL),
    "make_recovery_codes": ALL,
    **dict.fromkeys(["add_token", "revoke_token"], PARK | ENTERPRISE | OFFICE),
    "api_hand_in": ENTERPRISE,
    **dict.fromkeys(["api_returns", "api_return", "api_return_findings"], ENTERPRISE | PARK),
    **dict.fromkeys(["park_due", "park_round", "template", "upload", "submission", "submission_state", "explanations", "give_explanations"], PARK),
    **dict.fromkeys(["leave_out", "reporting", "report", "api_submit"], PARK),
    **dict.fromkeys(["marked"], PARK | OFFICE),
    **dict.fromkeys(["original", "receipt", "receipt_file", "check_table", "check_table_file"], PARK | APPROVER | OFFICE),
    **dict.fromkeys(["api_submissions", "api_submission", "api_findings", "api_receipt"], PARK | OFFICE),
    **dict.fromkeys(["queue", "accept_clean", "accept_below", "matters", "review", "accept", "return", "reopen"], OFFICE),
    "reminders": OFFICE | CITY,
    **dict.fromkeys(["register", "decide_proposal", "periods", "open_round", "extend_round", "close_round"], STATISTICIAN),
    **dict.fromkeys(["past", "own_data", "own_data_all_book", "own_data_all_csv", "own_data_book", "own_data_csv", "own_data_national", "correction", "ask_correction", "handover", "ask_handover"], PARK),
    **dict.fromkeys(["post_notice", "withdraw_notice", "corrections", "decide_correction"], STATISTICIAN),
    **dict.fromkeys(["handovers", "decide_handover"], SECURITY),
    "correction_evidence": PARK | OFFICE,
    **dict.fromkeys(["changes", "changes_csv"], PARK | APPROVER | OFFICE),
    "own_results": PARK | APPROVER,
    "notices": WATCH | PARK | APPROVER,
    **dict.fromkeys(["query_list", "queries"], PARK | OFFICE),
    **dict.fromkeys(["take", "give_back", "unit_history", "on_site", "rules_fired"], OFFICE),
    "log_reminders": OFFICE | {"city"},
    **dict.fromkeys(["assign", "second_check"], STATISTICIAN),
    **dict.fromkeys(["enterprises", "chase", "chase_file", "add_accounts", "enterprise_accounts", "add_enterprise_account"], PARK),
    **dict.fromkeys(["reset_enterprise_account", "disable_enterprise_account", "collate_page", "collate", "enter_mail"], PARK),
    "return_state": ENTERPRISE | PARK,
    **dict.fromkeys(["applications", "apply"], PARK),
    "application_evidence": PARK | STATISTICIAN,
    "decide_application": STATISTICIAN,
    **dict.fromkeys(["confirm_for", "return_evidence"], PARK),
    **dict.fromkeys(["own_due", "own_round", "hand_in", "confirm_return"], ENTERPRISE),
    **dict.fromkeys(["own_template", "own_return", "return_marked", "return_file", "return_explanations", "explain_return"], ENTERPRISE | PARK),
    "answer_query": PARK,
    **dict.fromkeys(["ask_query", "follow_query"], OFFICE),
    **dict.fromkeys(["approvals", "approval", "approve", "decline_approval"], APPROVER),
    "progress": WATCH | CITY,
    **dict.fromkeys(["releases", "release", "release_file", "figures", "figures_of", "figures_csv"], WATCH | PARK | APPROVER | CITY | ASSESSOR),
    **dict.fromkeys(["announce_release", "start_preview"], RELEASE),
    **dict.fromkeys(["release_check", "release_preview"], RELEASE | OFFICE),
    **dict.fromkeys(["release_changes", "unit_data", "ask_unit_data", "unit_data_file"], WATCH),
    "decide_unit_data": STATISTICIAN,
    "ladder": WATCH | ASSESSOR,
    **dict.fromkeys(["what_if", "try_what_if", "records_import", "take_records", "keep_records", "withdraw_records", "judge", "ladder_park", "ladder_decide", "ladder_confirm", "ladder_drop", "ladder_task"], STATISTICIAN),
    **dict.fromkeys(["ladder_handle", "ladder_appeal", "ladder_appeal_decide"], STATISTICIAN),
    **dict.fromkeys(["own_standing", "own_task", "own_appeal"], PARK),
    "records": OFFICE,
    "trace": OFFICE,
    **dict.fromkeys(["ask_release", "decide_release", "withdraw"], RELEASE),
    **dict.fromkeys(["users", "add_user", "reset_user", "disable_user", "change_role", "set_contact", "code_file", "lockouts", "lift_lockout"], SECURITY),
    **dict.fromkeys(["messages", "send_again", "let_be"], ADMINISTRATOR),
    **dict.fromkeys(["sessions", "end_session"], ADMINISTRATOR | SECURITY),
    **dict.fromkeys(["trail", "trail_csv", "verify_trail"], AUDITOR),
    **dict.fromkeys(["health", "health_json"], ADMINISTRATOR | AUDITOR),
}  # fmt: skip


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = installation(tmp_path_factory.mktemp("matrix") / "home")
    made.submission("LBGX", hard=2)
    made.submission("LBJJ", hard=2)
    for park, unit in (("LBGX", UNIT), ("LBJJ", UNIT_ELSEWHERE)):
        with made.office.ledger.write() as session:
            asked = NewApplication("exit", unit, park, "注销通知")
            apply_to_register(made.office.vault, session, asked, [("注销.pdf", b"%PDF")], now=made.at, actor=park)
    for park, unit in (("LBGX", UNIT), ("LBGX", OTHER_UNIT), ("LBJJ", UNIT_ELSEWHERE)):
        made.returned(park, unit, soft=2)
    return made


@pytest.fixture(scope="module")
def browsers(inst: Installation) -> dict[str, Browser]:
    found = {"": Browser(inst.app)}
    for role in ROLES:
        found[role] = Browser(inst.app)
        assert found[role].sign_in(user_of(role), PASSWORD).status == 303
    return found


APPLICATIONS = {"LBGX": "1", "LBJJ": "2"}
MADE_OF_FILES = ("own_template", "return_marked", "return_evidence")
MADE_OF_FILES = (
    "own_template", "return_marked", "return_evidence", "own_data_all_book", "own_data_all_csv", "own_data_book",
    "own_data_csv", "own_data_national",
)  # fmt: skip
#: Whose things a role may ask for; LBGX where nothing is said.
OWN = {"park_approver": "LBJJ"}


def path_of(route: Route, park: str = "LBGX", unit: str = UNIT) -> str:
    numbers = {
        Owner.SUBMISSION: f"2015Q1-{park}-0001",
        Owner.RETURN: f"2015Q1-{park}-{unit}-01",
        Owner.APPLICATION: APPLICATIONS.get(park, "99"),
    }
    values = {
        "number": numbers.get(route.owner, "1"), "unit": unit, "kind": "csv", "park": park, "period": "2015-Q1", "position": "1",
        "name": "portal.css", "product": "monitoring", "release": "2015-Q1.r1", "path:path": "site/index.html",
    }  # fmt: skip
    path = route.path
    for name, value in values.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, route.path
    return path


def ask(browser: Browser, route: Route, path: str, inst: Installation, role: str) -> int:
    if route.is_api and role and not route.is_public:
        token = inst.token(user_of(role), route.scope)
        return browser.ask(route.method, path, Authorization=f"Bearer {token}").status
    if route.method == "GET":
        answer = browser.get(path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert not commands_told(answer.text), path
        return answer.status
    # Without a form token nothing happens: what is asked is only whether the door would have gone on.
    return browser.post(path, {}).status


def test_every_route_is_in_the_table_of_expected_roles_and_says_the_same() -> None:
    assert {route.name: set(route.roles) for route in ROUTES} == EXPECTED
    assert len({route.name for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("route", [r for r in ROUTES if not r.is_public], ids=lambda r: r.name)
def test_nobody_gets_in_unsigned(route: Route, inst: Installation, browsers: dict[str, Browser]) -> None:
    answer = browsers[""].ask(route.method, path_of(route))
    if route.is_api:
        assert answer.status == 401
        assert answer.headers["content-type"] == "application/problem+json"
    else:
        assert answer.status == 303
        assert answer.location.startswith("/sign-in")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", [r for r in ROUTES if not r.is_public], ids=lambda r: r.name)
def test_a_role_is_let_in_where_the_table_says_so_and_nowhere_else(
    route: Route, role: str, inst: Installation, browsers: dict[str, Browser]
) -> None:
    is_elsewhere = route.name in (
        "sign_out", "marked", "correction_evidence", "template", "changes_csv", *MADE_OF_FILES, *MADE,
    )  # fmt: skip
    if is_elsewhere and role in EXPECTED[route.name]:
        pytest.skip("needs a session of its own, or files; has its own tests")
    status = ask(browsers[role], route, path_of(route, OWN.get(role, "LBGX")), inst, role)
    if role not in EXPECTED[route.name]:
        assert status == 404
    elif route.method == "GET":
        assert status in (200, 303)
    elif route.is_api:
        assert status in (200, 201, 409, 422)
    else:
        assert status == 403  # the form carries no token


@pytest.mark.parametrize("role", sorted(SCOPED_ROLES))
@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.owner is not Owner.NOTHING], ids=lambda r: f"{r.method} {r.name}"
)
def test_what_is_another_parks_does_not_exist(
    route: Route, role: str, inst: Installation, browsers: dict[str, Browser]
) -> None:
    if role not in route.roles:
        pytest.skip("not for this role")
    browser, home = browsers[role], browsers[role].get("/").location
    other = "LBGX" if OWN.get(role) == "LBJJ" else "LBJJ"
    token = inst.token(user_of(role), route.scope) if route.is_api else ""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    unit = UNIT_ELSEWHERE if other == "LBJJ" else UNIT
    for path in (path_of(route, other, unit), path_of(route, "LBXX"), path_of(route, other, OTHER_UNIT)):
        if route.method == "GET":
            foreign = browser.get(path, **headers)
        elif route.is_api:
            foreign = browser.upload(path, [("a.xlsx", b"x")], **headers)
        else:
            foreign = browser.post(path, {}, page=home)
        assert foreign.status == 404, path
        assert other not in foreign.text.replace(f"/{other}/", "")


@pytest.mark.parametrize("owner", [("LBGX", OTHER_UNIT), ("LBJJ", UNIT_ELSEWHERE), ("LBJJ", UNIT), ("LBXX", UNIT)])
@pytest.mark.parametrize(
    "route", [r for r in ROUTES if "enterprise" in r.roles and r.owner is not Owner.NOTHING], ids=lambda r: r.name
)
def test_what_is_another_enterprises_of_the_same_park_or_of_another_does_not_exist(
    route: Route, owner: tuple[str, str], inst: Installation, browsers: dict[str, Browser]
) -> None:
    browser, path = browsers["enterprise"], path_of(route, *owner)
    token = inst.token("enterprise", route.scope) if route.is_api else ""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if route.method == "GET":
        foreign = browser.get(path, **headers)
    elif route.is_api:
        foreign = browser.upload(path, [("a.xlsx", b"x")], **headers)
    else:
        foreign = browser.post(path, {}, page="/own")
    assert foreign.status == 404, path
    assert owner[1] == UNIT or owner[1] not in foreign.text


def test_every_route_with_an_owner_that_an_enterprise_may_take_names_the_enterprise() -> None:
    for route in ROUTES:
        if "enterprise" in route.roles and "{" in route.path and not route.is_public:
            assert route.owner in (Owner.UNIT, Owner.RETURN), route.name


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.reads and "{" in r.path and not r.is_api], ids=lambda r: r.name
)
def test_the_trail_says_who_read_figures_of_units(
    route: Route, inst: Installation, browsers: dict[str, Browser]
) -> None:
    if route.name in ("marked", "correction_evidence", "template", "changes_csv", *MADE_OF_FILES, *MADE):
        pytest.skip("made from files; the journey in tests/integration looks at it")
    role = next(iter(sorted(route.roles)))
    path = path_of(route, OWN.get(role, "LBGX"))
    with inst.office.ledger.read() as session:
        before = head(session).seq
    assert browsers[role].get(path).status == 200
    with inst.office.ledger.read() as session:
        assert head(session).seq == before + 1


def test_paths_that_are_no_route_and_methods_that_no_route_has_are_not_found(browsers: dict[str, Browser]) -> None:
    for browser in (browsers[""], browsers["administrator"]):
        for path in (
            "/nothing",
            "/static/../app.py",
            "/static/%2e%2e%2fvisit.py",
            "/static/portal.py",
            "/api/v1/x",
            "/users/",
        ):
            assert browser.get(path).status == 404, path
        assert browser.ask("DELETE", "/users").status == 404
    assert browsers[""].get("/api/v1/x").headers["content-type"] == "application/problem+json"


def test_every_answer_carries_the_safe_headers(
    inst: Installation, browsers: dict[str, Browser], tmp_path: Path
) -> None:
    for path in ("/sign-in", "/nothing", "/park", "/alive", "/static/portal.css", "/api/v1/x"):
        headers = browsers["park_reporter"].get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store" or path.startswith("/static/")
