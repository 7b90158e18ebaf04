"""Pages of the three administrators: people, sessions, lockouts, the trail. (The health of the installation: ``health``.)"""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, time, timedelta

from starlette.responses import Response

from exports.code_slip import code_slip
from exports.safe_text import safe_csv
from pipelines.notifying import write_code
from schemas.errors import RefusalError
from warehouse.ledger import access, trail
from warehouse.ledger.columns import shown_instant
from warehouse.ledger.enterprise_accounts import require_in_register
from warehouse.ledger.models import SCOPED_ROLES
from warehouse.ledger.scopes import nodes, require_node
from warehouse.ledger.states import State
from warehouse.ledger.users import ENTERPRISE, add_user, disable_user, set_contact, users
from ytb.portal import pages, passwords
from ytb.portal.visit import BEIJING, Visit

EVENTS_SHOWN = 200
#: What the auditor reads for an action of the trail; one that is not here is shown as it is kept.
ACTIONS = {
    "received": "接收", "read": "读取", "checked": "审核", "failed": "审核未通过", "explained": "说明齐全", "reported": "报送",
    "explanations_given": "填写情况说明", "accept": "验收", "return": "退回", "reopen": "撤销验收", "superseded": "被替代",
    "check_again": "重新审核", "viewed": "查看", "signed_in": "登录", "signed_out": "退出", "sign_in_failed": "登录失败",
    "password_set": "更改口令", "password_reset": "重置口令", "second_factor_set": "启用两步验证",
    "second_factor_removed": "取消两步验证", "token_added": "新建令牌", "token_revoked": "作废令牌", "user_added": "登记用户",
    "user_disabled": "停用用户", "contact_set": "更改联系方式", "approval_asked": "提交园区审核",
    "approval_declined": "园区审核退回", "round_open": "开网", "round_close": "关网", "round_extend": "延期", "released": "发布",
    "withdrawn": "撤回发布", "release_requested": "申请发布", "release_confirmed": "确认发布", "release_declined": "不同意发布",
    "release_made": "发布完成", "release_failed": "发布未完成", "proposals_recorded": "名录变更申请",
    "proposal_accepted": "采纳名录变更", "proposal_rejected": "不采纳名录变更", "unit_events": "名录变动",
    "answer_statuses": "登记回答状态", "register_applied": "申请名录变动", "units_confirmed": "登记企业确认", "mail_entered": "录入邮件收来的工作簿", "return_received": "收到企业自填表", "return_checked": "审核企业自填表",
    "return_check_again": "重新审核企业自填表", "return_explained": "企业填写情况说明", "return_confirmed": "企业确认",
    "return_taken_up": "园区汇集", "application_approved": "同意名录变动申请", "application_declined": "不同意名录变动申请",
    "parks_recorded": "登记园区", "notice_posted": "发通知", "notice_withdrawn": "撤回通知",
    "correction_asked": "申请关网后更正", "correction_granted": "准予更正", "correction_declined": "不同意更正",
    "handover_asked": "申请交接", "handover_confirmed": "确认交接", "handover_declined": "退回交接",
    "lockout_lifted": "解除登录锁定", "recovery_codes_made": "生成恢复码", "recovery_code_used": "用恢复码登录",
    "message_sent": "发出消息", "message_failed": "消息没有发出", "message_unsure": "消息是否发出不确定", "message_again": "再发消息",
    "message_dropped": "作废消息", "backed_up": "备份", "backup_verified": "核对备份", "verified": "核验",
    "infected_refused": "拒收未通过病毒检查的文件",
}  # fmt: skip
USERS_SHOWN = 300
NODE_KINDS = {"province": "省", "city": "市", "area": "区域", "zone": "园区", "sub_park": "分园", "base": "分园"}


def users_page(visit: Visit, code: str = "", of: str = "") -> Response:
    """Everybody, with their roles; ``code`` is the one-time code just made, shown this once."""
    with visit.office.ledger.read() as session:
        every = users(session)
        # Thousands of enterprises would bury everybody else.
        role, who = visit.query("role"), visit.query("who")
        found = [one for one in every if (one.role == role if role else one.role != ENTERPRISE)]
        found = [one for one in found if who in one.name or who in one.title][:USERS_SHOWN]
        known = {one.name: access.credentials(session, one.name) for one in found}
        places = nodes(session, visit.now.date())
    return pages.page(
        visit,
        "users",
        found=found,
        count=len(every),
        filters={"role": role, "who": who},
        known=known,
        places=places,
        kinds=NODE_KINDS,
        code=code,
        of=of,
        may_mail=visit.portal.courier is not None and "mail" in visit.portal.courier.messengers,
    )


def add(visit: Visit) -> Response:
    """Enter a person and make the code to hand over."""
    form, name = visit.form, visit.form.get("name")
    role = form.get("role")
    is_enterprise = role == ENTERPRISE
    park = form.get("park") if is_enterprise or role in SCOPED_ROLES else None
    with visit.office.ledger.write() as session:
        if park:
            require_node(session, park, visit.now.date())
        if is_enterprise:
            require_in_register(session, park or "", form.get("unit_id"), visit.now.date())
        add_user(
            session, name, title=form.get("title"), role=role, park=park, email=form.get("email"),
            unit_id=form.get("unit_id") if is_enterprise else None, telephone=form.get("telephone"), now=visit.now, actor=visit.who.name,
        )  # fmt: skip
    return _with_code(visit, name)


def reset(visit: Visit) -> Response:
    """A new one-time code for somebody who forgot the password; the second factor goes with it."""
    name = visit.request.path_params["name"]
    if name == visit.who.name:
        raise RefusalError("不能重置自己的口令,请用“更改口令”。")
    with visit.office.ledger.write() as session:
        known = access.credentials(session, name)
        if known is not None and known.totp_nonce is not None:
            access.set_second_factor(session, name, None, now=visit.now, actor=visit.who.name)
    return _with_code(visit, name)


def _with_code(visit: Visit, name: str) -> Response:
    code = passwords.one_time_code()
    with visit.portal.hashing:
        kept = visit.portal.settings.hasher.hash(code)
    with visit.office.ledger.write() as session:
        access.set_password(session, name, kept, one_time=True, now=visit.now, actor=visit.who.name)
        is_mailed = (
            visit.portal.courier is not None
            and bool(visit.form.get("by_mail"))
            and write_code(
                session, name, code, f"{_base(visit)}/sign-in", sender=visit.portal.courier.sender, now=visit.now,
                actor=visit.who.name,
            )
        )  # fmt: skip
    # A code that travels by mail is not shown as well.
    return pages.go("/users", "mailed") if is_mailed else users_page(visit, code, name)


def _base(visit: Visit) -> str:
    scheme = "https" if visit.portal.settings.is_https else visit.request.url.scheme
    return f"{scheme}://{visit.request.headers['host']}"


def contact(visit: Visit) -> Response:
    """Change where messages for a person go."""
    form = visit.form
    with visit.office.ledger.write() as session:
        set_contact(
            session, visit.request.path_params["name"], email=form.get("email"), telephone=form.get("telephone"),
            now=visit.now, actor=visit.who.name,
        )  # fmt: skip
    return pages.go("/users", "contact")


def disable(visit: Visit) -> Response:
    """Bar a person; what they did stays theirs."""
    name = visit.request.path_params["name"]
    if name == visit.who.name:
        raise RefusalError("不能停用自己。")
    with visit.office.ledger.write() as session:
        disable_user(session, name, now=visit.now, actor=visit.who.name, reason=visit.form.get("reason"))
        access.end_sessions(session, user=name, now=visit.now, actor=visit.who.name, reason="停用")
    return pages.go("/users", "disabled")


def sessions_page(visit: Visit) -> Response:
    """Who is signed in."""
    with visit.office.ledger.read() as session:
        found = access.open_sessions(session, visit.now)
    return pages.page(visit, "sessions", found=found)


def end_session(visit: Visit) -> Response:
    """End a session."""
    number = visit.form.get("number")
    if len(number) < 16:
        raise RefusalError("没有这个会话。")
    with visit.office.ledger.write() as session:
        access.end_sessions(session, number=number, now=visit.now, actor=visit.who.name, reason="管理员结束")
    return pages.go("/sessions", "ended")


def lockouts_page(visit: Visit) -> Response:
    """Which accounts and addresses are locked."""
    with visit.office.ledger.read() as session:
        found = access.lockouts(session, visit.now)
    return pages.page(
        visit, "lockouts", found=found, of_account=access.FAILURES_OF_ACCOUNT, of_address=access.FAILURES_OF_ADDRESS
    )


def lift_lockout(visit: Visit) -> Response:
    """Let somebody try again before the time is over."""
    kind, name = visit.form.get("kind"), visit.form.get("of")
    with visit.office.ledger.write() as session:
        access.lift_lockout(session, kind, name, now=visit.now, actor=visit.who.name)
    return pages.go("/lockouts", "lifted")


def code_file(visit: Visit) -> Response:
    """The slip as PDF. The code is not kept anywhere: it comes back from the page that shows it, and must be the one in force."""
    name, code = visit.request.path_params["name"], visit.form.get("code")
    with visit.office.ledger.read() as session:
        known = access.credentials(session, name)
    with visit.portal.hashing:
        is_it = bool(known and known.is_one_time and known.password_hash) and passwords.matches(
            code[: passwords.LONGEST], str(known.password_hash if known else "")
        )
    if known is None or not is_it:
        raise RefusalError("这个一次性代码已经失效,请重新生成。")
    data = code_slip(
        organisation=visit.portal.organisation, name=name, title=known.user.title, role=known.user.role_label,
        place=known.user.park or "", code=code, address=f"{_base(visit)}/sign-in",
        made_at=shown_instant(known.password_set_at or visit.now),
    )  # fmt: skip
    return pages.download(data, f"账户交接单_{name}.pdf", "application/pdf")


def _wanted(visit: Visit) -> trail.Wanted:
    """The filters of the address; days are days in Beijing."""

    def midnight(name: str, days: int) -> datetime | None:
        try:
            day = date.fromisoformat(visit.query(name))
        except ValueError:
            return None
        return datetime.combine(day, time(0), BEIJING) + timedelta(days=days)

    return trail.Wanted(
        visit.query("actor"), visit.query("action"), visit.query("subject"), midnight("from", 0), midnight("until", 1)
    )


def trail_page(visit: Visit) -> Response:
    """The trail, filtered; and whether the chain holds."""
    with visit.office.ledger.read() as session:
        found, count = trail.search(session, _wanted(visit), most=EVENTS_SHOWN)
        report = trail.verify_trail(session)
    actions = sorted(ACTIONS, key=lambda action: ACTIONS[action])
    query = str(visit.request.url.query)
    filters = {name: visit.query(name) for name in ("actor", "action", "subject", "from", "until")}
    return pages.page(
        visit, "trail", found=found, count=count, actions=actions, report=report, filters=filters,
        query=query, words=ACTIONS, states={str(state): state.label for state in State},
    )  # fmt: skip


def trail_csv(visit: Visit) -> Response:
    """The same as a file. Texts that a spreadsheet would take for a formula are made harmless."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["序号", "时间", "人员", "动作", "对象", "原状态", "新状态", "原因", "内容", "校验值"])
    with visit.office.ledger.read() as session:
        found, _ = trail.search(session, _wanted(visit))
    for one in found:
        payload = ";".join(f"{name}={value}" for name, value in one.payload.items())
        texts = (one.actor, one.action, one.subject, one.from_state or "", one.to_state or "", one.reason, payload)
        writer.writerow([one.seq, shown_instant(one.at), *map(safe_csv, texts), one.hash])
    data = "\ufeff" + out.getvalue()
    return pages.download(data.encode(), "留痕.csv", "text/csv; charset=utf-8")
