"""The auditor's pages of the trail: filtered, as a file, and whether the chain holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from urllib.parse import unquote_plus, urlencode

from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from exports.safe_text import safe_csv
from pipelines.verification import kept_head
from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.chain_checks import ChainCheck, check_whole_trail, last_check
from warehouse.ledger.columns import read_instant, shown_instant
from warehouse.ledger.models import ROLES
from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.states import State
from warehouse.ledger.users import users
from ytb.portal import pages
from ytb.portal.people import People
from ytb.portal.visit import BEIJING, Visit

WORK = "trail"
#: Links behind the last verification of the whole that a look at the page verifies; more wait for the next one.
VERIFIED_AT_A_LOOK = 5000
LINES_AT_A_TIME = 1000
HEADS = (
    "序号", "时间", "人员", "姓名", "角色和所属", "动作", "动作名称", "对象", "对象名称", "原状态", "原状态名称", "新状态", "新状态名称", "原因",
    "内容", "校验值",
)  # fmt: skip
EVENTS_SHOWN = 200
STATES = {str(state): state.label for state in (*ReturnState, *State)}
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
    "message_dropped": "作废消息", "backed_up": "备份", "backup_verified": "核对备份", "verified": "核验", "trail_verified": "核验全部留痕",
    "infected_refused": "拒收未通过病毒检查的文件", "figures_provided": "录入文件提供的数", "first_opinion": "初审",
    "preview_asked": "计算发布预览", "query_ask": "发出查询", "query_asked": "发出查询", "query_answer": "答复查询",
    "query_close": "了结查询", "query_reopen": "追问", "register_events": "名录变动", "restructurings": "登记合并分立", "register_frozen": "锁定本期名录",
    "release_announced": "登记发布日程", "reminded": "催报", "restatements": "登记上年同期数更正", "review_assigned": "分派审核",
    "second_check_set": "更改复核界限", "unit_data_asked": "申请个体数据", "unit_data_approved": "批准个体数据",
    "unit_data_declined": "不批准个体数据", "unit_data_served": "下载个体数据", "index_movers_served": "查看企业对指标的影响",
    "values_proposed": "提出更正建议",
    "ladder_move": "等级变动", "ladder_drafted": "提出等级变动", "ladder_dropped": "撤下等级变动", "ladder_task": "登记整改事项", "ladder_report": "报整改完成", "ladder_verify": "整改销号",
    "ladder_reject": "退回整改", "ladder_appeal": "申诉", "ladder_upheld": "申诉成立", "ladder_dismissed": "申诉驳回",
    "trial_asked": "试算指数", "role_changed": "更改角色", "records_imported": "导入部门记录", "records_tried": "试运行部门记录", "records_withdrawn": "撤回部门记录",
}  # fmt: skip


#: What the page calls the facts of a link; the file keeps their keys.
FACTS = {
    "address": "地址", "page": "页面", "asked": "查看内容", "channel": "渠道", "edition": "制度版", "attempt": "第几次审核",
    "blocking": "错误", "to_explain": "须说明", "explanations": "说明", "bytes": "字节", "files": "文件", "files_digest": "文件校验值",
    "findings": "问题校验值", "observations": "数据校验值", "operand_hash": "比较数校验值", "rule_set_hash": "规则校验值",
    "taken_over": "其中沿用上次说明并确认(处)",
    "rows": "行数", "table": "表", "sha256": "校验值", "park": "园区", "role": "角色", "park_before": "原所属", "role_before": "原角色",
    "unit_id": "企业", "proposals": "条数", "manifest": "清单校验值", "unit_head": "单位负责人", "statistics_head": "统计负责人",
    "filled_by": "填表人", "telephone": "联系电话", "gap": "缺报说明", "asked_by": "提交人", "request": "申请", "above": "界限",
    "to": "接任人", "by": "身份提供者", "query": "查询", "evidence": "证明材料", "period": "报告期", "release": "发布", "forms": "表",
    "submissions": "报送", "decision": "决定", "until": "期限",
    "begun": "开始计算",
}  # fmt: skip


def _told(one: trail.Event, pages_: Mapping[str, str]) -> list[tuple[str, str]]:
    """The facts of a link in words, as far as there are words for them. ``pages_``: the name of a route → what its page is called."""
    return [(FACTS.get(key, key), _in_words(key, value, pages_)) for key, value in one.payload.items()]


#: What stands before the stroke of a subject, in words.
SUBJECTS = {
    "access": "登录", "answers": "回答状态", "care": "维护", "correction": "更正申请", "evaluation": "评价", "file": "文件", "handover": "交接",
    "index": "指数", "mail": "邮件收来的工作簿", "message": "消息", "notice": "通知", "park": "园区", "parks": "园区名录", "preview": "发布预览",
    "records": "部门记录", "register": "名录", "release": "发布", "release_date": "发布日程", "release_request": "发布申请", "return": "企业自填表",
    "review": "分派", "round": "报告期", "second_check": "复核界限", "unit_data": "个体数据", "user": "用户",
}  # fmt: skip


def subject_in_words(subject: str, pages_: Mapping[str, str]) -> str:
    """What a link is about as people read it: the kind in words, then what it is called. A page that is of nothing in particular
    by its own name; the number of a submission, and what is not known, as it is kept."""
    kind, stroke, of = subject.partition("/")
    if kind in SUBJECTS:
        return f"{SUBJECTS[kind]} {'全部' if of in ('*', 'all') else '全部留痕' if subject == 'care/trail' else of}".strip()
    return subject if stroke else pages_.get(subject, subject)


def _kept_subject(typed: str, pages_: Mapping[str, str]) -> str:
    """The subject as it is kept, for what was typed: as the page shows it, or as it is kept."""
    page = next((name for name, word in pages_.items() if word == typed and name not in SUBJECTS), "")
    kind, _, of = typed.partition(" ")
    code = next((code for code, word in SUBJECTS.items() if word == kind), "")
    if code and of:
        return {"全部留痕": "care/trail", "全部": f"{code}/{'all' if code == 'notice' else '*'}"}.get(
            of, f"{code}/{of}"
        )
    return code or page or typed


def _pages(visit: Visit) -> dict[str, str]:
    """The name of a route → what its page is called."""
    return {route.name: route.menu or route.title for route in visit.portal.routes if route.menu or route.title}


def _in_words(key: str, value: object, pages_: Mapping[str, str]) -> str:
    """A fact as people read it; one that is not there is said not to be."""
    if value is None or value == "":
        return "无"
    if key in ("role", "role_before"):
        return ROLES.get(str(value), str(value))
    if key == "asked":
        return unquote_plus(str(value))
    if key == "begun":
        return shown_instant(read_instant(str(value)))
    return pages_.get(str(value), str(value)) if key == "page" else str(value)


def _wanted(visit: Visit) -> trail.Wanted:
    """The filters of the address; days are days in Beijing."""

    def midnight(name: str, days: int) -> datetime | None:
        try:
            day = date.fromisoformat(visit.query(name))
        except ValueError:
            return None
        return datetime.combine(day, time(0), BEIJING) + timedelta(days=days)

    typed = visit.query("action").strip()
    action = next(
        (code for code, word in ACTIONS.items() if word == typed), typed
    )  # as the page shows it, or as it is kept
    about = _kept_subject(visit.query("subject").strip(), _pages(visit))
    since, until = midnight("from", 0), midnight("until", 1)
    return trail.Wanted("", action, about, since, until, _actors(visit))


def _actors(visit: Visit) -> frozenset[str]:
    """Who is meant by what was typed: the login as it stands, and everybody whose name or login has it in it."""
    typed = visit.query("actor")
    if not typed:
        return frozenset()
    with visit.office.ledger.read() as session:
        return frozenset({typed, *(one.name for one in users(session) if typed in one.title or typed in one.name)})


def trail_page(visit: Visit) -> Response:
    """The trail, filtered; when the whole chain was verified last, and whether what came since follows on it."""
    text = visit.query("below")
    below = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
    wanted = _wanted(visit)
    with visit.office.ledger.read() as session:
        found, count = trail.search(session, wanted, most=EVENTS_SHOWN + 1, below=below)
        end, checked = trail.head(session), last_check(session)
        since = trail.verify_trail(session, after=checked.head, most=VERIFIED_AT_A_LOOK) if checked else None
        verdict = _compared(session, visit.query("head"), checked)
    actions = sorted(ACTIONS, key=lambda action: ACTIONS[action])
    more, found = len(found) > EVENTS_SHOWN, found[:EVENTS_SHOWN]
    filters = {name: visit.query(name) for name in ("actor", "action", "subject", "from", "until")}
    query = urlencode({name: value for name, value in filters.items() if value})
    return pages.page(
        visit, "trail", found=found, count=count, actions=actions, end=end, checked=checked, since=since, verdict=verdict, kept=visit.query("head"),
        is_running=visit.portal.examiner.place(WORK) is not None, filters=filters, query=query, more=more, below=below, told={one.seq: _told(one, _pages(visit)) for one in found}, words=ACTIONS, states=STATES,
        about={one.seq: subject_in_words(one.subject, _pages(visit)) for one in found},
    )  # fmt: skip


def _compared(session: Session, text: str, checked: ChainCheck | None) -> tuple[bool, str] | None:
    """Whether the trail still has a head that was kept elsewhere, and a sentence on it; None where none was typed."""
    if not text:
        return None
    try:
        kept = kept_head(text)
    except RefusalError as why:
        return False, str(why)
    found = trail.hash_at(session, kept.seq)
    if found is None:
        return False, f"留痕没有第 {kept.seq} 条:末尾记录已被删除。"
    if not found.startswith(kept.hash):
        return False, f"第 {kept.seq} 条与另存的不同:此条或之前的留痕已被改动。"
    if checked is not None and not checked.problems and checked.head.seq >= kept.seq:
        at = shown_instant(checked.at)
        return True, f"第 {kept.seq} 条与另存的一致;全部留痕 {at} 核验没有问题,到那时第 1 至 {kept.seq} 条没有改动过。"
    return True, f"第 {kept.seq} 条与另存的一致;再核验全部,才能说明之前的各条没有改动过。"


def verify(visit: Visit) -> Response:
    """Verify the whole chain, behind the page: with millions of links it takes a while."""
    examiner, who = visit.portal.examiner, visit.who.name
    if examiner.place(WORK) is not None:
        raise RefusalError("正在核验,请稍后刷新本页看结果。")
    examiner.run(WORK, lambda: check_whole_trail(visit.office.ledger, now=visit.portal.clock(), actor=who))
    return pages.go("/trail", "verifying")


def trail_csv(visit: Visit) -> Response:
    """The same as a file, piece by piece: a trail has millions of links. Texts that a spreadsheet would take for a formula are
    made harmless."""
    wanted = _wanted(visit)
    people, called = People(visit.office.ledger), _pages(visit)
    with visit.office.ledger.read() as session:
        end = trail.head(session).seq

    def pieces() -> Iterator[bytes]:
        yield ("\ufeff" + _line(HEADS)).encode()
        below = end + 1  # what comes while the file is on its way, its own link first, is not in it
        while True:
            with visit.office.ledger.read() as session:
                found = trail.wanted_below(session, wanted, below, LINES_AT_A_TIME)
            if not found:
                return
            yield "".join(_line(_cells(one, people, subject_in_words(one.subject, called))) for one in found).encode()
            below = found[-1].seq

    return StreamingResponse(pieces(), headers=pages.attachment("留痕.csv"), media_type="text/csv; charset=utf-8")


def _cells(one: trail.Event, people: People, about: str) -> list[object]:
    payload = ";".join(f"{name}={value}" for name, value in one.payload.items())
    before, after = one.from_state or "", one.to_state or ""
    texts = (
        one.actor, people.title(one.actor), people.place(one.actor), one.action, ACTIONS.get(one.action, ""), one.subject, about,
        before, STATES.get(before, ""), after, STATES.get(after, ""), one.reason, payload,
    )  # fmt: skip
    return [one.seq, shown_instant(one.at), *map(safe_csv, texts), one.hash]


def _line(cells: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
