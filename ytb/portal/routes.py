"""Every address of the portal: who may take it, on whose things. This table is the only place that says so."""

from __future__ import annotations

from warehouse.ledger.models import ROLES
from ytb.portal import (
    account,
    administration,
    allocating,
    api,
    api_returns,
    approving,
    auditing,
    beside,
    casefile,
    changes,
    chasing,
    collection,
    correspondence,
    enterprise,
    explaining,
    findings,
    gathering,
    handing_over,
    health,
    messaging,
    own_data,
    papers,
    park,
    past,
    preparing,
    proposing,
    published,
    querying,
    registering,
    releasing,
    results,
    reviewing,
    single_sign_on,
    unit_data,
)
from ytb.portal.route import Handler, Owner, Route

ENTERPRISE = frozenset({"enterprise"})
EVERYBODY = frozenset[str]()
SIGNED_IN = frozenset(ROLES)
PARK = frozenset({"park_reporter"})
OFFICE = frozenset({"province_statistician", "reviewer"})
STATISTICIAN = frozenset({"province_statistician"})
RELEASERS = releasing.RELEASERS
CITY = frozenset({"city"})
APPROVER = frozenset({"park_approver"})
ADMINISTRATOR = frozenset({"administrator"})
SECURITY = frozenset({"security_administrator"})
AUDITOR = frozenset({"auditor"})
WATCHERS = frozenset({"province_statistician", "reviewer", "publisher", "analyst"})

ASSESSOR = frozenset({"assessor"})
READERS = WATCHERS | PARK | APPROVER | CITY | ASSESSOR


def _get(name: str, path: str, handler: Handler, roles: frozenset[str], **more: object) -> Route:
    return Route(name, "GET", path, handler, roles, **more)  # type: ignore[arg-type]


def _post(name: str, path: str, handler: Handler, roles: frozenset[str], back: Handler | None, **more: object) -> Route:
    return Route(name, "POST", path, handler, roles, back=back, **more)  # type: ignore[arg-type]


_S, _R, _U, _E = Owner.SUBMISSION, Owner.ROUND, Owner.UNIT, Owner.RETURN

ROUTES: tuple[Route, ...] = (
    # for everybody
    _get("static", "/static/{name}", account.static, EVERYBODY),
    _get("sign_in_page", "/sign-in", account.sign_in_page, EVERYBODY),
    _post("sign_in", "/sign-in", account.sign_in, EVERYBODY, account.sign_in_page),
    _get("leave_for_provider", "/oidc/start", single_sign_on.leave, EVERYBODY),
    _get("come_back_from_provider", "/oidc/return", single_sign_on.come_back, EVERYBODY),
    _get("verify", "/verify", account.verify, EVERYBODY),
    _get("help", "/help", account.help_page, EVERYBODY),
    _get("alive", "/alive", health.alive, EVERYBODY),
    # one's own account
    _get("home", "/", account.home, SIGNED_IN),
    _post("sign_out", "/sign-out", account.sign_out, SIGNED_IN, None),
    _get("account", "/account", account.account, SIGNED_IN),
    _get("password", "/password", account.password, SIGNED_IN),
    _post("change_password", "/password", account.change_password, SIGNED_IN, account.password),
    _get("second_factor", "/second-factor", account.second_factor, SIGNED_IN),
    _post("set_second_factor", "/second-factor", account.set_second_factor, SIGNED_IN, account.second_factor),
    _post("make_recovery_codes", "/account/recovery-codes", account.make_recovery_codes, SIGNED_IN, account.account),
    _post("add_token", "/account/tokens", account.add_token, PARK | ENTERPRISE | OFFICE, account.account),
    _post("revoke_token", "/account/tokens/revoke", account.revoke_token, PARK | ENTERPRISE | OFFICE, account.account),
    # the park
    _get("park_due", "/park", park.due, PARK, menu="我的报表"),
    _get("park_round", "/park/{park}/{period}", park.one_round, PARK, owner=_R),
    _get("template", "/park/{park}/{period}/template", park.template, PARK, owner=_R, reads=True),
    _post("upload", "/park/{park}/{period}/submissions", park.upload, PARK, park.one_round, owner=_R, uploads=True),
    _get("submission", "/submissions/{number}", findings.one, PARK, owner=_S, reads=True),
    _get("submission_state", "/submissions/{number}/state", findings.state, PARK, owner=_S),
    _get("marked", "/submissions/{number}/marked/{position}", findings.marked, PARK | OFFICE, owner=_S, reads=True),
    _get("original", "/submissions/{number}/files/{position}", findings.original, PARK | APPROVER | OFFICE, owner=_S, reads=True),
    _get("explanations", "/submissions/{number}/explanations", explaining.explanations, PARK, owner=_S, reads=True),
    _post("give_explanations", "/submissions/{number}/explanations", explaining.give_explanations, PARK, explaining.explanations, owner=_S),
    _post("leave_out", "/submissions/{number}/leave-out", park.leave_out, PARK, findings.one, owner=_S, uploads=True),
    _get("reporting", "/submissions/{number}/report", papers.reporting, PARK, owner=_S),
    _post("report", "/submissions/{number}/report", papers.report, PARK, papers.reporting, owner=_S),
    _get("receipt", "/submissions/{number}/receipt", papers.receipt, PARK | APPROVER | OFFICE, owner=_S),
    _get("check_table", "/submissions/{number}/check-table", papers.check_table, PARK | APPROVER | OFFICE, owner=_S, reads=True),
    _get("receipt_file", "/submissions/{number}/receipt.pdf", papers.receipt_file, PARK | APPROVER | OFFICE, owner=_S),
    _get("check_table_file", "/submissions/{number}/check-table.pdf", papers.check_table_file, PARK | APPROVER | OFFICE, owner=_S, reads=True),
    _get("changes", "/submissions/{number}/changes", changes.one, PARK | APPROVER | OFFICE, owner=_S, reads=True),
    _get("changes_csv", "/submissions/{number}/changes.csv", changes.as_csv, PARK | APPROVER | OFFICE, owner=_S, reads=True),
    _get("past", "/past", past.periods, PARK),
    _get("correction", "/park/{park}/{period}/correction", correspondence.correction_page, PARK, owner=_R),
    _post("ask_correction", "/park/{park}/{period}/correction", correspondence.ask, PARK, correspondence.correction_page, owner=_R, uploads=True),
    _get("correction_evidence", "/park/{park}/{period}/correction/{number}/files/{position}", correspondence.evidence, PARK | OFFICE, owner=_R, reads=True),
    _get("handover", "/handover", handing_over.own, PARK),
    _post("ask_handover", "/handover", handing_over.ask, PARK, handing_over.own),
    _get("handovers", "/handovers", handing_over.every, SECURITY, menu="交接"),
    _post("decide_handover", "/handovers/{number}", handing_over.decide, SECURITY, handing_over.every),
    _get("query_list", "/queries", querying.listing, PARK | OFFICE, reads=True, menu="查询"),
    _get("queries", "/submissions/{number}/queries", querying.of_submission, PARK | OFFICE, owner=_S, reads=True),
    _post("answer_query", "/submissions/{number}/queries/answer", querying.answer, PARK, querying.of_submission, owner=_S),
    _post("ask_query", "/submissions/{number}/queries/ask", querying.ask, OFFICE, querying.of_submission, owner=_S),
    _post("follow_query", "/submissions/{number}/queries/follow", querying.follow, OFFICE, querying.of_submission, owner=_S),
    # the park's approver
    _get("approvals", "/approvals", approving.listing, APPROVER, menu="待审核"),
    _get("approval", "/approvals/{number}", approving.one, APPROVER, owner=_S, reads=True),
    _post("approve", "/approvals/{number}/approve", approving.approve, APPROVER, approving.one, owner=_S),
    _post("decline_approval", "/approvals/{number}/decline", approving.decline, APPROVER, approving.one, owner=_S),
    # an enterprise on its own
    _get("own_due", "/own", enterprise.due, ENTERPRISE, menu="我的报表"),
    _get("own_round", "/enterprises/{park}/{unit}/{period}", enterprise.one_round, ENTERPRISE, owner=_U),
    _get("own_template", "/enterprises/{park}/{unit}/{period}/template", enterprise.template, ENTERPRISE | PARK, owner=_U, reads=True),
    _post("hand_in", "/enterprises/{park}/{unit}/{period}/returns", enterprise.upload, ENTERPRISE, enterprise.one_round, owner=_U, uploads=True),
    _get("own_return", "/returns/{number}", enterprise.one, ENTERPRISE | PARK, owner=_E, reads=True),
    _get("return_state", "/returns/{number}/state", enterprise.state, ENTERPRISE | PARK, owner=_E),
    _get("return_marked", "/returns/{number}/marked", enterprise.marked, ENTERPRISE | PARK, owner=_E, reads=True),
    _get("return_file", "/returns/{number}/file", enterprise.original, ENTERPRISE | PARK, owner=_E, reads=True),
    _get("return_explanations", "/returns/{number}/explanations", enterprise.explanations, ENTERPRISE | PARK, owner=_E, reads=True),
    _post("explain_return", "/returns/{number}/explanations", enterprise.give_explanations, ENTERPRISE | PARK, enterprise.explanations, owner=_E),
    _post("confirm_return", "/returns/{number}/confirm", enterprise.confirm, ENTERPRISE, enterprise.one, owner=_E),
    # a park and its enterprises
    _get("enterprises", "/enterprises", chasing.entry, PARK, menu="企业"),
    _get("chase", "/park/{park}/{period}/enterprises", chasing.listing, PARK, owner=_R, reads=True),
    _get("chase_file", "/park/{park}/{period}/enterprises/list.{kind}", chasing.listing_file, PARK, owner=_R, reads=True),
    _post("add_accounts", "/park/{park}/{period}/accounts", chasing.add_accounts, PARK, chasing.listing, owner=_R),
    _get("enterprise_accounts", "/enterprises/{park}/{unit}", chasing.accounts, PARK, owner=_U),
    _post("add_enterprise_account", "/enterprises/{park}/{unit}/accounts", chasing.add_account, PARK, chasing.accounts, owner=_U),
    _post("reset_enterprise_account", "/enterprises/{park}/{unit}/reset", chasing.reset_account, PARK, chasing.accounts, owner=_U),
    _post("disable_enterprise_account", "/enterprises/{park}/{unit}/disable", chasing.disable_account, PARK, chasing.accounts, owner=_U),
    _get("collate_page", "/park/{park}/{period}/collate", gathering.page, PARK, owner=_R, reads=True),
    _post("collate", "/park/{park}/{period}/collate", gathering.collate, PARK, gathering.page, owner=_R, uploads=True),
    _post("enter_mail", "/park/{park}/{period}/mail", gathering.mail, PARK, gathering.page, owner=_R, uploads=True),
    _post("confirm_for", "/returns/{number}/confirm-for", gathering.confirm_for, PARK, enterprise.one, owner=_E, uploads=True),
    _get("return_evidence", "/returns/{number}/evidence", gathering.evidence, PARK, owner=_E, reads=True),
    # applications to the register
    _get("applications", "/applications", registering.listing, PARK, menu="名录申请"),
    _post("apply", "/applications", registering.apply, PARK, registering.listing, uploads=True),
    _get("application_evidence", "/applications/{number}/evidence/{position}", registering.evidence, PARK | STATISTICIAN, owner=Owner.APPLICATION, reads=True),
    _post("decide_application", "/applications/{number}/decide", registering.decide, STATISTICIAN, proposing.listing, owner=Owner.APPLICATION),
    # the statistician
    _get("progress", "/progress", collection.progress, WATCHERS | CITY, menu="报送进度"),
    _get("queue", "/queue", reviewing.queue, OFFICE, menu="待审"),
    _post("accept_clean", "/queue/accept", reviewing.accept_clean, OFFICE, reviewing.queue),
    _post("accept_below", "/queue/accept-below", reviewing.accept_below, OFFICE, reviewing.queue),
    _post("take", "/queue/take", allocating.take, OFFICE, reviewing.queue),
    _post("give_back", "/queue/give-back", allocating.give_back, OFFICE, reviewing.queue),
    _post("assign", "/queue/assign", allocating.assign, STATISTICIAN, reviewing.queue),
    _post("second_check", "/queue/second-check", allocating.set_rule, STATISTICIAN, reviewing.queue),
    _get("matters", "/matters", reviewing.matters, OFFICE, reads=True),
    _get("review", "/review/{number}", reviewing.one, OFFICE, owner=_S, reads=True),
    _get("unit_history", "/review/{number}/units/{unit}", casefile.unit, OFFICE, owner=_S, reads=True),
    _get("on_site", "/review/{number}/on-site", casefile.visit_list, OFFICE, owner=_S, reads=True),
    _post("accept", "/review/{number}/accept", reviewing.accept, OFFICE, reviewing.one, owner=_S),
    _post("return", "/review/{number}/return", reviewing.return_to_park, OFFICE, reviewing.one, owner=_S),
    _post("reopen", "/review/{number}/reopen", reviewing.reopen, OFFICE, reviewing.one, owner=_S),
    _get("reminders", "/reminders", collection.reminder_texts, OFFICE | CITY, menu="催报"),
    _post("log_reminders", "/reminders", collection.log_reminders, OFFICE | CITY, collection.reminder_texts),
    _get("rules_fired", "/rules-fired", collection.rules_that_fire, OFFICE),
    _get("register", "/register", proposing.listing, STATISTICIAN, reads=True, menu="名录变更"),
    _post("decide_proposal", "/register/{number}", proposing.decide, STATISTICIAN, proposing.listing),
    _get("periods", "/periods", collection.rounds_page, STATISTICIAN, menu="报告期"),
    _post("open_round", "/periods/open", collection.open_round, STATISTICIAN, collection.rounds_page),
    _post("extend_round", "/periods/extend", collection.extend_round, STATISTICIAN, collection.rounds_page),
    _post("close_round", "/periods/close", collection.close_round, STATISTICIAN, collection.rounds_page),
    _get("notices", "/notices", correspondence.notices_page, PARK | APPROVER | WATCHERS, menu="通知"),
    _post("post_notice", "/notices", correspondence.post, STATISTICIAN, correspondence.notices_page),
    _post("withdraw_notice", "/notices/{number}/withdraw", correspondence.withdraw, STATISTICIAN, correspondence.notices_page),
    _get("own_data", "/data", own_data.listing, PARK, menu="本园区数据"),
    _get("own_data_all_book", "/data/all.xlsx", own_data.all_book, PARK, reads=True),
    _get("own_data_all_csv", "/data/all.zip", own_data.all_csv, PARK, reads=True),
    _get("own_data_book", "/park/{park}/{period}/data.xlsx", own_data.book, PARK, owner=_R, reads=True),
    _get("own_data_csv", "/park/{park}/{period}/data.zip", own_data.csv_files, PARK, owner=_R, reads=True),
    _get("own_data_national", "/park/{park}/{period}/national.xlsx", own_data.national, PARK, owner=_R, reads=True),
    _get("own_results", "/results", results.own, PARK | APPROVER, menu="本园区结果"),
    _get("corrections", "/corrections", correspondence.corrections_page, STATISTICIAN, menu="更正申请"),
    _post("decide_correction", "/corrections/{number}", correspondence.decide, STATISTICIAN, correspondence.corrections_page),
    # releases
    _get("releases", "/releases", releasing.releases_page, READERS, menu="发布"),
    _post("ask_release", "/releases/requests", releasing.ask, RELEASERS, releasing.releases_page),
    _post("decide_release", "/releases/requests/{number}", releasing.decide, RELEASERS, releasing.releases_page),
    _post("announce_release", "/releases/dates", preparing.announce, RELEASERS, releasing.releases_page),
    _get("release_check", "/release-check", preparing.checklist, RELEASERS | OFFICE),
    _post("start_preview", "/release-check/preview", preparing.start_preview, RELEASERS, preparing.checklist),
    _get("release_preview", "/release-preview/{period}", published.preview, RELEASERS | OFFICE),
    _get("release_changes", "/releases/{release}/changes", preparing.changes, WATCHERS),
    _get("trace", "/releases/{release}/trace", preparing.trace_figure, OFFICE, reads=True),
    _get("ladder", "/ladder", beside.ladder, WATCHERS | ASSESSOR, menu="评价等级"),
    _get("records", "/records", beside.records, OFFICE, reads=True),
    _get("unit_data", "/unit-data", unit_data.listing, WATCHERS, menu="个体数据"),
    _post("ask_unit_data", "/unit-data", unit_data.ask, WATCHERS, unit_data.listing),
    _post("decide_unit_data", "/unit-data/{number}", unit_data.decide, STATISTICIAN, unit_data.listing),
    _get("unit_data_file", "/unit-data/{number}/download", unit_data.download, WATCHERS, reads=True),
    _get("figures", "/figures", published.overview, READERS, menu="统计数据"),
    _get("figures_of", "/figures/{product}", published.product, READERS),
    _get("figures_csv", "/figures/{product}/csv", published.product_csv, READERS),
    _get("release", "/releases/{release}", releasing.one, READERS),
    _post("withdraw", "/releases/{release}/withdraw", releasing.withdraw, RELEASERS, releasing.releases_page),
    _get("release_file", "/releases/{release}/files/{path:path}", releasing.file, READERS),
    # three administrators kept apart: accounts and rights, operation, trail
    _get("users", "/users", administration.users_page, SECURITY, menu="用户"),
    _post("add_user", "/users", administration.add, SECURITY, administration.users_page),
    _post("reset_user", "/users/{name}/reset", administration.reset, SECURITY, administration.users_page),
    _post("disable_user", "/users/{name}/disable", administration.disable, SECURITY, administration.users_page),
    _post("change_role", "/users/{name}/role", administration.role, SECURITY, administration.users_page),
    _post("set_contact", "/users/{name}/contact", administration.contact, SECURITY, administration.users_page),
    _post("code_file", "/users/{name}/slip.pdf", administration.code_file, SECURITY, administration.users_page),
    _get("lockouts", "/lockouts", administration.lockouts_page, SECURITY, menu="锁定"),
    _post("lift_lockout", "/lockouts/lift", administration.lift_lockout, SECURITY, administration.lockouts_page),
    _get("sessions", "/sessions", administration.sessions_page, ADMINISTRATOR | SECURITY, menu="会话"),
    _post("end_session", "/sessions/end", administration.end_session, ADMINISTRATOR | SECURITY, administration.sessions_page),
    _get("messages", "/messages", messaging.messages_page, ADMINISTRATOR, menu="消息"),
    _post("send_again", "/messages/again", messaging.send_again, ADMINISTRATOR, messaging.messages_page),
    _post("let_be", "/messages/drop", messaging.let_be, ADMINISTRATOR, messaging.messages_page),
    _get("trail", "/trail", auditing.trail_page, AUDITOR, reads=True, menu="留痕"),
    _post("verify_trail", "/trail/verify", auditing.verify, AUDITOR, auditing.trail_page),
    _get("trail_csv", "/trail.csv", auditing.trail_csv, AUDITOR, reads=True),
    _get("health", "/health", health.health_page, ADMINISTRATOR | AUDITOR, menu="运行状态"),
    _get("health_json", "/health.json", health.health_json, ADMINISTRATOR | AUDITOR),
    # programs
    _get("api_document", "/api/v1/openapi.json", api.document, EVERYBODY, title="本接口的说明"),
    _post("api_submit", "/api/v1/parks/{park}/periods/{period}/submissions", api.submit, PARK, None, owner=_R, uploads=True, scope="submit", title="报送一个园区一期的工作簿"),
    _get("api_submissions", "/api/v1/parks/{park}/periods/{period}/submissions", api.listing, PARK | OFFICE, owner=_R, scope="read", title="一个园区一期的报送"),
    _get("api_submission", "/api/v1/submissions/{number}", api.status, PARK | OFFICE, owner=_S, scope="read", title="一份报送的状态"),
    _get("api_findings", "/api/v1/submissions/{number}/findings", api.findings, PARK | OFFICE, owner=_S, reads=True, scope="read", title="一份报送的问题"),
    _get("api_receipt", "/api/v1/submissions/{number}/receipt", api.receipt, PARK | OFFICE, owner=_S, scope="read", title="一份报送的回执"),
    _post("api_hand_in", "/api/v1/parks/{park}/enterprises/{unit}/periods/{period}/returns", api_returns.hand_in, ENTERPRISE, None, owner=_U, uploads=True, scope="submit", title="企业交自己的工作簿;写明签署人的,没有问题即确认"),
    _get("api_returns", "/api/v1/parks/{park}/enterprises/{unit}/periods/{period}/returns", api_returns.listing, ENTERPRISE | PARK, owner=_U, scope="read", title="一家企业一期的自填表"),
    _get("api_return", "/api/v1/returns/{number}", api_returns.status, ENTERPRISE | PARK, owner=_E, scope="read", title="一份企业自填表的状态"),
    _get("api_return_findings", "/api/v1/returns/{number}/findings", api_returns.findings, ENTERPRISE | PARK, owner=_E, reads=True, scope="read", title="一份企业自填表的问题"),
)  # fmt: skip
