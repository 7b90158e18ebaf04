"""What people see and do on the pages, without workbooks: explanations, reporting, receipts, review, releases, the trail."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from urllib.parse import quote

import pytest

from pipelines.intake import Office
from pipelines.matters import Matters, what_matters
from schemas.findings import shown_rule
from schemas.period import Period
from tests.unit.ytb.portal_browser import Browser, token_in
from tests.unit.ytb.portal_office import NASTY, PASSWORD, Installation, installation
from warehouse.ledger import queries, release_requests
from warehouse.ledger.report_gaps import gap_statement_of
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submission
from warehouse.ledger.trail import events
from ytb.portal import pages, publishing, weighing


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return installation(tmp_path_factory.mktemp("pages") / "home")


@pytest.fixture(scope="module")
def who(inst: Installation) -> dict[str, Browser]:
    found = {}
    for name in (
        "park_reporter-LBGX",
        "reviewer",
        "province_statistician",
        "publisher",
        "administrator",
        "security_administrator",
        "auditor",
    ):
        found[name.partition("-")[0]] = Browser(inst.app)
        assert found[name.partition("-")[0]].sign_in(name, PASSWORD).status == 303
    return found


def state_of(inst: Installation, number: str) -> State:
    with inst.office.ledger.read() as session:
        return submission(session, number).state


SIGNED = {"unit_head": "张三", "statistics_head": "李四", "filled_by": "王五", "telephone": "1", "confirmed": "1"}
GAP = {"gap_confirmed": "1", "gap_reason": "邻居公司停业整顿,资料封存,下月补报"}


def test_soft_findings_are_explained_reported_reviewed_and_accepted(
    inst: Installation, who: dict[str, Browser]
) -> None:
    clerk, reviewer = who["park_reporter"], who["reviewer"]
    number = inst.submission("LBGX", soft=2)
    base = f"/submissions/{number}"
    assert "有 2 处需要核实" in clerk.get(base).text
    form = clerk.get(f"{base}/explanations").text
    keys = [part.split('"')[0] for part in form.split('name="key" value="')[1:]]
    assert len(keys) == 2
    early = clerk.post(f"{base}/report", SIGNED, page=f"{base}/explanations")
    assert early.status == 422 and "不能报送" in early.text
    said = {"key": keys, "code": ["07", "07"], "text": ["企业停产半年后恢复,已核对凭证", "核实无误"]}
    weak = clerk.post(f"{base}/explanations", said, page=f"{base}/explanations")
    assert weak.status == 422 and "没有写明原因" in weak.text and "企业停产半年后恢复" in weak.text
    assert state_of(inst, number) is State.CHECKED
    said["text"][1] = "新建厂房投产,收入增加,合同附后"
    assert (
        clerk.post(f"{base}/explanations", said, page=f"{base}/explanations").location
        == f"{base}/report?done=explained"
    )
    nameless = clerk.post(f"{base}/report", SIGNED | {"unit_head": ""}, page=f"{base}/report")
    assert nameless.status == 422 and "单位负责人" in nameless.text and state_of(inst, number) is State.EXPLAINED
    assert (
        clerk.post(
            f"{base}/report", {k: v for k, v in SIGNED.items() if k != "confirmed"}, page=f"{base}/report"
        ).status
        == 422
    )
    asked = clerk.get(f"{base}/report").text
    assert "本次报送不全" in asked and "应报企业 2 家,未报 1 家" in asked and "邻居公司" in asked
    assert "应报 5 张表,本次只含 1 张" in asked and "孵化载体情况" in asked
    for part in ({}, {"gap_confirmed": "1"}, {"gap_reason": GAP["gap_reason"]}, GAP | {"gap_reason": "以后再报"}):
        unsaid = clerk.post(f"{base}/report", SIGNED | part, page=f"{base}/report")
        assert unsaid.status == 422 and "本次报送不全" in unsaid.text and state_of(inst, number) is State.EXPLAINED
    assert clerk.post(f"{base}/report", SIGNED | GAP, page=f"{base}/report").location == f"{base}/receipt?done=reported"
    assert state_of(inst, number) is State.REPORTED
    with inst.office.ledger.read() as session:
        reported = [one for one in events(session, number) if one.action == "reported"]
    assert reported[0].payload["unit_head"] == "张三"
    receipt = clerk.get(f"{base}/receipt").text
    code = receipt.split('class="mono">')[1].split("<")[0]
    shown = Browser(inst.app).get(f"/verify?number={number}&code={code}").text
    assert "回执属实" in shown
    wrong = Browser(inst.app).get(f"/verify?number={number}&code=AAAA-AAAA-AAAA-AAAA").text
    missing = Browser(inst.app).get("/verify?number=2015Q1-XXXX-0001&code=AAAA-AAAA-AAAA-AAAA").text
    told = "编号或核验码不符"
    assert told in wrong and told in missing and "已报送" not in wrong
    assert GAP["gap_reason"] in receipt and "未报1家" in receipt
    queue, dossier = reviewer.get("/queue").text, reviewer.get(f"/review/{number}").text
    assert "企业 1 家" in queue and "表 4/5 张" in queue
    assert "报送不全" in dossier and GAP["gap_reason"] in dossier
    assert "单位负责人" in receipt and "张三" in receipt and 'role="img"' in receipt
    paper, again = clerk.get(f"{base}/receipt.pdf"), reviewer.get(f"{base}/receipt.pdf")
    assert paper.body == again.body and paper.body.startswith(b"%PDF-")
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.headers["content-disposition"].startswith("attachment")
    assert clerk.get(f"{base}/check-table.pdf").body.startswith(b"%PDF-")
    checked = clerk.get(f"{base}/check-table").text
    assert "企业停产半年后恢复" in checked and "示统制〔2014〕1号" in checked and "有效期至:2025-12-31" in checked
    page = reviewer.get(f"/review/{number}").text
    assert "新建厂房投产" in page
    assert number in reviewer.get("/queue").text
    figure = reviewer.post(f"/review/{number}/return", {"reason": "营业收入应为 938"}, page=f"/review/{number}")
    assert figure.status == 422 and "不得写明要填报的数值" in figure.text and "营业收入应为 938" in figure.text
    assert reviewer.post(f"/review/{number}/return", {"reason": ""}, page=f"/review/{number}").status == 422
    assert (
        reviewer.post(f"/review/{number}/return", {"reason": "说明不充分,请补充"}, page=f"/review/{number}").status
        == 303
    )
    assert "说明不充分,请补充" in clerk.get(base).text
    assert state_of(inst, number) is State.RETURNED


def test_a_clean_submission_is_accepted_from_the_queue_and_reopened(
    inst: Installation, who: dict[str, Browser]
) -> None:
    reviewer = who["reviewer"]
    number = inst.submission("LBJJ", reported=True)
    soft_number = inst.submission("LBGX", soft=1, name="另一份.xlsx")
    assert reviewer.post("/queue/accept", {}, page="/queue").status == 422
    answer = reviewer.post("/queue/accept", {"number": [number, soft_number]}, page="/queue")
    assert answer.status == 303
    assert (state_of(inst, number), state_of(inst, soft_number)) == (State.ACCEPTED, State.CHECKED)
    assert reviewer.post(f"/review/{number}/reopen", {"reason": "复核"}, page=f"/review/{number}").status == 303
    assert state_of(inst, number) is State.REOPENED


def test_an_older_upload_cannot_be_reported_or_explained_once_there_is_a_newer(
    inst: Installation, who: dict[str, Browser]
) -> None:
    clerk = who["park_reporter"]
    old = inst.submission("LBGX", name="旧.xlsx")
    inst.submission("LBGX", name="新.xlsx")
    refused = clerk.post(f"/submissions/{old}/report", SIGNED, page=f"/submissions/{old}/report")
    assert refused.status == 422 and "已上传更新的" in refused.text


def test_the_queue_goes_by_effect_and_what_lies_below_is_accepted_in_one_stroke(
    inst: Installation, who: dict[str, Browser]
) -> None:
    number, reviewer = inst.submission("LBJJ", reported=True, name="再报.xlsx"), who["reviewer"]
    page = reviewer.get("/queue").text
    assert "影响大的在前" in page and number in page
    assert reviewer.get("/matters").status == 200
    asked = {"period": "2015-Q1", "below": "很小"}
    assert "不是数字" in reviewer.post("/queue/accept-below", asked, page="/queue").text
    assert reviewer.post("/queue/accept-below", {**asked, "below": "0.1"}, page="/queue").status == 303
    assert number not in reviewer.get("/queue").text and state_of(inst, number) is State.ACCEPTED
    assert "低于 0.1" in reviewer.get(f"/review/{number}").text


def test_effects_are_computed_once_until_something_changes(
    inst: Installation, who: dict[str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(office: Office, period: Period) -> Matters:
        made.append(str(period))
        return what_matters(office, period)

    monkeypatch.setattr(weighing, "what_matters", counted)
    inst.submission("LBJJ", reported=True, name="算一次.xlsx")
    for _ in range(3):
        assert who["reviewer"].get("/matters").status == 200 and who["reviewer"].get("/queue").status == 200
    assert made == ["2015-Q1"]
    inst.submission("LBJJ", reported=True, name="再算一次.xlsx")
    assert who["reviewer"].get("/queue").status == 200 and made == ["2015-Q1"] * 2


def test_a_query_goes_to_the_park_is_answered_and_followed(inst: Installation, who: dict[str, Browser]) -> None:
    clerk, reviewer = who["park_reporter"], who["reviewer"]
    number = inst.submission("LBGX", soft=1, name="问.xlsx")
    page = f"/submissions/{number}/queries"
    form = reviewer.get(page).text
    about = form.split('<option value="AF26')[1].split('"')[0]
    asked = {"about": f"AF26{about}", "question": "这是什么业务?", "due": "2015-04-20"}
    assert "不得写明" in reviewer.post(f"{page}/ask", {**asked, "question": "应为 938"}, page=page).text
    assert reviewer.post(f"{page}/ask", {**asked, "due": "明天"}, page=page).status == 422
    assert reviewer.post(f"{page}/ask", asked, page=page).status == 303
    assert "1 条查询等您答复" in clerk.get(f"/submissions/{number}").text
    assert "这是什么业务?" in clerk.get("/queries").text and "新的查询" not in clerk.get(page).text
    with inst.office.ledger.read() as session:
        (query,) = [q for q in queries.queries(session, park="LBGX") if q.submission == number]
    told = {"query": str(query.id), "text": "新签总包合同,三月完工"}
    assert clerk.post(f"{page}/answer", {**told, "query": "999"}, page=page).status == 404
    assert clerk.post(f"{page}/answer", told, page=page).status == 303
    assert "新签总包合同" in reviewer.get(page).text
    assert reviewer.post(f"{page}/follow", {"query": str(query.id), "text": "在哪里备案?"}, page=page).status == 303
    closed = {"query": str(query.id), "outcome": "withdrawn", "text": ""}
    assert reviewer.post(f"{page}/follow", closed, page=page).status == 303
    assert "撤回" in clerk.get("/queries").text and "等您答复" not in clerk.get(f"/submissions/{number}").text


def test_three_hundred_findings_come_grouped_with_what_changed(inst: Installation, who: dict[str, Browser]) -> None:
    clerk = who["park_reporter"]
    inst.submission("LBGX", hard=290, name="前.xlsx")
    number = inst.submission("LBGX", hard=300, soft=3, name="后.xlsx")
    text = clerk.get(f"/submissions/{number}").text
    assert text.count('<details class="cause') == 2
    assert "看全部 300 处" in text and "还在 290" in text and "新出现 13" in text and "已改正 0" in text
    assert text.count('class="place">') == 20 + 3
    assert clerk.get(f"/submissions/{number}?all=1").text.count('class="place">') == 303
    only_soft = clerk.get(f"/submissions/{number}?kind={quote('核实')}").text
    assert only_soft.count('class="place">') == 3
    assert clerk.get(f"/submissions/{number}?unit={quote('没有这家')}").text.count('class="place">') == 0
    fixed = inst.submission("LBGX", hard=1, name="再.xlsx")
    assert "已改正 302" in clerk.get(f"/submissions/{fixed}").text


def test_cell_text_file_names_and_people_never_become_markup(inst: Installation, who: dict[str, Browser]) -> None:
    clerk = who["park_reporter"]
    number = inst.submission("LBGX", hard=1, soft=1, name=f"{NASTY}.xlsx")
    inst.submission("LBJJ", soft=1, name=f"{NASTY}.xlsx")
    for path in ("/park", "/park/LBGX/2015-Q1", f"/submissions/{number}", f"/submissions/{number}/explanations", f"/submissions/{number}/receipt",
                 f"/submissions/{number}/check-table", f"/submissions/{number}?unit={NASTY}"):  # fmt: skip
        text = clerk.get(path.replace("<", "%3C").replace(">", "%3E").replace('"', "%22")).text
        assert "<script>alert" not in text and "javascript:" not in text, path
    assert "&lt;script&gt;" in clerk.get(f"/submissions/{number}").text
    for name, path in (
        ("reviewer", f"/review/{number}"),
        ("reviewer", "/queue"),
        ("administrator", "/health"),
        ("security_administrator", "/users"),
        ("auditor", "/trail"),
    ):
        assert "<script>alert" not in who[name].get(path).text


def test_files_leave_as_attachments_with_names_in_both_spellings(inst: Installation, who: dict[str, Browser]) -> None:
    number = inst.submission("LBGX", name='报"表\r\n;.xlsx')
    answer = who["park_reporter"].get(f"/submissions/{number}/files/1")
    assert (
        answer.headers["content-disposition"]
        == "attachment; filename=\"____.xlsx\"; filename*=UTF-8''%E6%8A%A5%22%E8%A1%A8%3B.xlsx"
    )
    assert "sandbox" in answer.headers["content-security-policy"]
    for position in ("0", "2", "x", "-1", "1.0", "１"):
        assert who["park_reporter"].get(f"/submissions/{number}/files/{position}").status == 404


def test_uploads_that_are_no_workbooks_are_told_apart(inst: Installation, who: dict[str, Browser]) -> None:
    clerk, at = who["park_reporter"], "/park/LBGX/2015-Q1"
    for files, words in (
        ([], "没有选择文件"),
        ([("空.xlsx", b"")], "是空文件"),
        ([("a.exe", b"MZ")], "不是表格文件"),
        ([("..\\..\\x/../大.pdf", b"x")], "《大.pdf》不是表格文件"),
    ):
        answer = clerk.upload(f"{at}/submissions", files, page=at)
        assert answer.status == 422 and words in answer.text, words


def test_a_form_that_breaks_off_or_is_too_large_changes_nothing(inst: Installation, who: dict[str, Browser]) -> None:
    clerk, at = who["park_reporter"], "/park/LBGX/2015-Q1/submissions"
    headers = {"Content_Type": "multipart/form-data; boundary=B", "Origin": "http://127.0.0.1"}
    assert clerk.ask("POST", at, [b"--B\r\nContent-Disposition: form-data"], **headers).status == 400
    large = clerk.ask("POST", at, [b"x" * 100], Content_Length=str(1 << 30), **headers)
    assert large.status == 413 and large.received == 0 and "不能超过 20 MB" in large.text
    assert large.headers["connection"] == "close"
    endless = clerk.ask(
        "POST",
        at,
        [b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n', *[b"x" * (1 << 20)] * 30],
        **headers,
    )
    assert endless.status == 413 and endless.received < (22 << 20)
    assert (
        clerk.ask("POST", "/sign-out", [b"{}"], Content_Type="application/json", Origin="http://127.0.0.1").status
        == 400
    )


def test_a_release_is_asked_for_by_one_and_confirmed_by_another(inst: Installation, who: dict[str, Browser]) -> None:
    asker, other = who["province_statistician"], who["publisher"]
    unready = asker.post("/releases/requests", {"period": "2015-Q1", "reason": " "}, page="/releases")
    assert unready.status == 422 and "项没有完成(已关网、" in unready.text and "为什么现在发布" in unready.text
    assert asker.post("/releases/requests", {"period": "2015-Q1", "reason": "首次"}, page="/releases").status == 303
    own = asker.post("/releases/requests/1", {"decision": "confirm"}, page="/releases")
    assert own.status == 422 and "须由另一人确认" in own.text and inst.published == []
    page = other.get("/releases").text
    assert "现在发布,将带着以下缺口" in page and "还没有关网" in page and "/release-check?period=2015-Q1" in page
    unseen = other.post("/releases/requests/1", {"decision": "confirm"}, page="/releases")
    assert unseen.status == 422 and "请看过核对表" in unseen.text and inst.published == []
    seen = {"decision": "confirm", "seen": "1"}
    assert other.post("/releases/requests/1", seen, page="/releases").status == 303
    assert [(number, str(period)) for number, period, _, _ in inst.published] == [(1, "2015-Q1")]
    assert other.post("/releases/requests/1", {"decision": "confirm"}, page="/releases").status == 422
    assert len(inst.published) == 1


def test_rounds_are_opened_extended_and_closed_with_reasons(inst: Installation, who: dict[str, Browser]) -> None:
    at = who["province_statistician"]
    assert at.post("/periods/open", {"period": "2015-Q2"}, page="/periods").status == 303
    assert "2015-07-15 24:00" in at.get("/periods").text
    assert at.post("/periods/open", {"period": "2015-Q9"}, page="/periods").status == 422
    assert (
        at.post(
            "/periods/extend", {"period": "2015-Q2", "deadline": "2015-07-20", "reason": ""}, page="/periods"
        ).status
        == 422
    )
    moved = {"period": "2015-Q2", "deadline": "2015-07-20", "reason": "系统维护", "park": "LBJJ"}
    assert at.post("/periods/extend", moved, page="/periods").status == 303
    assert at.post("/periods/close", {"period": "2015-Q2"}, page="/periods").status == 422
    assert at.post("/periods/close", {"period": "2015-Q2", "confirmed": "1"}, page="/periods").status == 303
    clerk = who["park_reporter"]
    late = clerk.upload("/park/LBGX/2015-Q2/submissions", [("a.xlsx", b"PK")], page="/park")
    assert late.status == 422 and "已关网" in late.text


def test_the_trail_is_exported_harmless_for_spreadsheets(inst: Installation, who: dict[str, Browser]) -> None:
    number = inst.submission("LBJJ", reported=True, name="公式.xlsx")
    reason = '=HYPERLINK("http://x")请核对'
    assert who["reviewer"].post(f"/review/{number}/return", {"reason": reason}, page=f"/review/{number}").status == 303
    data = who["auditor"].get("/trail.csv?action=return").body.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(data)))
    assert any(cell == "'" + reason for row in rows for cell in row)
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    assert who["auditor"].get("/trail?actor=nobody").text.count("没有符合条件的记录") == 1


def test_a_program_that_leaves_something_out_is_asked_why(inst: Installation) -> None:
    program, data = Browser(inst.app), f"LBGX00程序缺报.xlsx{inst.at}".encode()
    number = inst.submission("LBGX", name="程序缺报.xlsx")
    token = f"Bearer {inst.token('park_reporter-LBGX', 'submit')}"
    path, files = "/api/v1/parks/LBGX/periods/2015-Q1/submissions", [("程序缺报.xlsx", data)]
    refused = program.upload(path, files, fields={"gaps_reason": "没有"}, Authorization=token)
    said = json.loads(refused.body)
    assert (refused.status, said["type"]) == (409, "urn:ytb:problem:gaps")
    assert refused.headers["content-type"] == "application/problem+json"
    assert said["detail"].startswith("本次报送不全(应报") and "不少于 10 个字" in said["detail"]
    assert number in said["detail"]
    with inst.office.ledger.read() as session:
        assert submission(session, number).state is State.EXPLAINED and gap_statement_of(session, number) is None
    reason = "其余各表由主管部门下月统一补报"
    taken = program.upload(path, files, fields={"gaps_reason": reason}, Authorization=token)
    assert (taken.status, json.loads(taken.body)["state"]) == (201, "reported")
    with inst.office.ledger.read() as session:
        stated = gap_statement_of(session, number)
    assert stated is not None and stated.reason == reason and stated.missing_forms


def test_a_program_that_says_nothing_of_what_it_leaves_out_reports_and_that_is_on_record(inst: Installation) -> None:
    program, data = Browser(inst.app), f"LBGX00程序不说.xlsx{inst.at}".encode()
    number = inst.submission("LBGX", name="程序不说.xlsx")
    token = f"Bearer {inst.token('park_reporter-LBGX', 'submit')}"
    path, files = "/api/v1/parks/LBGX/periods/2015-Q1/submissions", [("程序不说.xlsx", data)]
    taken = program.upload(path, files, Authorization=token)
    assert (taken.status, json.loads(taken.body)["state"]) == (201, "reported")
    with inst.office.ledger.read() as session:
        stated = gap_statement_of(session, number)
    assert stated is not None and stated.reason == "报送时没有说明" and stated.missing_forms


def test_programs_get_the_same_by_token_and_nothing_without_the_scope(inst: Installation) -> None:
    program = Browser(inst.app)
    number = inst.submission("LBGX", hard=1, soft=1, name="程序.xlsx")
    read, submit = (f"Bearer {inst.token('park_reporter-LBGX', scope)}" for scope in ("read", "submit"))
    answer = program.get(f"/api/v1/submissions/{number}", Authorization=read)
    assert (answer.status, json.loads(answer.body)["state"]) == (200, "failed")
    assert (
        program.get(f"/api/v1/submissions/{number}", Authorization=read, If_None_Match=answer.headers["etag"]).status
        == 304
    )
    found = json.loads(program.get(f"/api/v1/submissions/{number}/findings", Authorization=read).body)["findings"]
    assert [one["severity"] for one in found] == ["hard", "soft"]
    refused = program.get(f"/api/v1/submissions/{number}", Authorization=submit)
    assert refused.status == 403 and json.loads(refused.body)["title"] == "令牌没有这项权限"
    assert program.get(f"/api/v1/submissions/{number}", Authorization="Bearer nonsense").status == 401
    assert program.get(f"/api/v1/submissions/{number}").headers["www-authenticate"] == "Bearer"
    # A browser's session is no token: no other site can make a browser act through the interface for programs.
    clerk = Browser(inst.app)
    clerk.sign_in("park_reporter-LBGX", PASSWORD)
    assert clerk.get(f"/api/v1/submissions/{number}").status == 401
    inst.at += timedelta(days=2)
    assert program.get(f"/api/v1/submissions/{number}", Authorization=read).status == 401
    inst.at -= timedelta(days=2)


def test_the_openapi_document_lists_every_route_of_the_interface(inst: Installation) -> None:
    from ytb.portal.routes import ROUTES

    document = json.loads(Browser(inst.app).get("/api/v1/openapi.json").body)
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(route.method, route.path) for route in ROUTES if route.is_api}
    assert all(op["summary"] for methods in document["paths"].values() for op in methods.values())


def test_a_form_left_open_over_a_new_sign_in_is_told_to_be_stale(inst: Installation) -> None:
    browser = Browser(inst.app)
    browser.sign_in("security_administrator", PASSWORD)
    token = token_in(browser.get("/users").text)
    browser.post("/sign-out", page="/users")
    browser.sign_in("security_administrator", PASSWORD)
    answer = browser.post("/users", {"name": "x1", "title": "x", "role": "analyst", "_csrf": token})
    assert answer.status == 403 and "页面已过期" in answer.text


@pytest.mark.parametrize(
    ("hours", "words"), [(49, "还有 2 天 1 小时"), (5, "还有 5 小时 0 分钟"), (-26, "已逾期 1 天 2 小时")]
)
def test_the_countdown_in_words(inst: Installation, hours: int, words: str) -> None:
    assert pages.countdown(inst.at + timedelta(hours=hours), inst.at) == words


@pytest.mark.sqlite  # publishes in a process of its own
def test_a_release_that_cannot_be_made_says_why_and_one_that_was_interrupted_is_closed(inst: Installation) -> None:
    at, period = inst.at, Period.parse("2013-Q4")
    office = inst.office
    with office.ledger.write() as session:
        asked = release_requests.request_release(session, period, reason="", now=at, actor="province_statistician")
        release_requests.confirm_release(session, asked.id, now=at, actor="publisher")
    message = publishing.make(inst.home, period, "--reason=x", "publisher")
    assert message.startswith("错误:") and "不能发布" in message
    publishing.fail_interrupted(office, at)
    with office.ledger.read() as session:
        found = release_requests.release_requests(session)[0]
    assert (found.state, found.release) == ("failed", None) and "重新申请" in (found.message or "")


@pytest.mark.parametrize(
    ("rule", "shown"),
    [("AF02", "AF02"), ("AB14", "AB14"), ("required", "必填项"), ("text_as_workbook", "文件与单元格")],
)
def test_what_is_no_rule_of_the_programme_is_shown_in_words(rule: str, shown: str) -> None:
    assert shown_rule(rule) == shown
