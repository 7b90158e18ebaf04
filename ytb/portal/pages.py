"""Rendering: one environment, autoescape always, and the words for states. Nothing here decides anything."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from exports.display import figure, grouped, signed
from exports.safe_text import safe_csv
from pipelines.explaining import NOT_SAID_WHY
from schemas.findings import shown_rule
from schemas.observations import shown_unit
from schemas.period import Period
from warehouse.ledger.columns import shown_deadline
from warehouse.ledger.models import ROLES
from warehouse.ledger.queries import open_queries
from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.states import State
from ytb.portal.figures_shown import figures
from ytb.portal.long_names import long_name, with_repeats_shortened
from ytb.portal.people import People, person, person_with_place
from ytb.portal.route import menu_of
from ytb.portal.stacking import stacked
from ytb.portal.visit import BEIJING, Portal, Visit

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
SEE_OTHER = 303
EVERY_ROW = 20_000
"""More rows than this are on no page: a browser does not bear them."""


class Chip(NamedTuple):
    """A state at a glance: sign and word, never colour alone."""

    sign: str
    word: str
    tone: str


NOT_FILED = Chip("○", "未报", "none")
CHIPS = {
    State.RECEIVED: Chip("…", "已接收,审核中", "busy"),
    State.UNREADABLE: Chip("✕", "无法读取", "bad"),
    State.CHECKED: Chip("?", "待说明", "ask"),
    State.FAILED: Chip("✕", "有错误,须改正", "bad"),
    State.EXPLAINED: Chip("→", "待报送", "ask"),
    State.REPORTED: Chip("✓", "已报送", "good"),
    State.RETURNED: Chip("↩", "已退回", "bad"),
    State.ACCEPTED: Chip("✓✓", "已验收", "done"),
    State.REOPENED: Chip("!", "已撤销验收", "ask"),
    State.SUPERSEDED: Chip("–", "已被新修订替代", "none"),
}
AWAITING_APPROVAL = Chip("…", "待本单位审核人确认", "ask")
RETURN_CHIPS = {
    ReturnState.RECEIVED: Chip("…", "已收到,审核中", "busy"),
    ReturnState.FAULTY: Chip("✕", "有错误,须改正", "bad"),
    ReturnState.CLEAN: Chip("?", "没有错误,待确认", "ask"),
    ReturnState.CONFIRMED: Chip("✓", "企业已确认", "good"),
    ReturnState.TAKEN_UP: Chip("✓✓", "园区已汇集", "done"),
}
#: What a page says after a step that went well; the address carries only the key.
SAID = {
    "explained": "情况说明已保存。",
    "reported": "已报送。",
    "approval_asked": "已提交本园区审核人;审核同意后即报送。",
    "approval_declined": "已退回填报人员。",
    "approved": "审核同意,已报送。",
    "under_way": "已收下,正在读取和审核。请过一会儿刷新本页看结果;不要重复提交。",
    "applied": "申请已提交,等待统计人员认定;认定前名录不变。",
    "confirmed_own": "已确认。园区汇集后随园区报送。",
    "confirmed_for": "已登记企业的确认。",
    "accepted": "已验收。",
    "accepted_some": "没有问题的已验收;勾选的其余各份不能一起验收,请逐份审。",
    "waiting": "已记初审意见;须另一人复核后才验收。",
    "unit_data_asked": "申请已提交,待另一人批准。",
    "announced": "发布日程已登记。",
    "previewing": "正在计算预览;完成后刷新本页。",
    "verifying": "正在核验全部留痕,请稍后刷新本页看结果。",
    "reminded": "已登记催报。",
    "reminded_by_system": "催报已发出:园区的填报账户登录后可见,有邮箱、手机号并已设置邮件、短信的另行发送。",
    "taken": "已领取,由您审核。",
    "given_back": "已交回。",
    "assigned": "已分派。",
    "rule_set": "复核界限已更改;放宽或取消的只用于此后收到的报送。",
    "returned": "已退回,园区可以看到退回原因。",
    "reopened": "已撤销验收。",
    "decided": "已处理。",
    "asked": "查询已发出,园区可以看到。",
    "answered": "已答复。",
    "followed": "已处理查询。",
    "opened": "已开网。",
    "closed": "已关网。",
    "extended": "已延期。",
    "requested": "发布申请已提交,请另一人确认。",
    "confirmed": "已确认,正在计算并发布;完成后本页列出结果。",
    "declined": "已处理发布申请。",
    "withdrawn": "已撤回发布。",
    "trying": "正在试算,请稍后刷新本页。",
    "records_kept": "已导入;比对在下一次计算后更新。",
    "records_withdrawn": "已撤回这次导入。",
    "judging": "正在计算,请稍后刷新本页。",
    "ladder_moved": "处置已生效,证据一并留存。",
    "ladder_drafted": "处置已提出,证据一并留存;须由另一人复核后生效。",
    "ladder_dropped": "已撤下等待复核的处置。",
    "ladder_task": "整改事项已更新。",
    "ladder_appeal": "申诉已更新。",
    "disabled": "已停用。",
    "role": "角色已更改;本人须重新登录,程序用的令牌已作废。",
    "ended": "会话已结束。",
    "lifted": "锁定已解除。",
    "contact": "联系方式已更改。",
    "mailed": "一次性代码已生成,将发到本人邮箱。",
    "password": "口令已更改。",
    "factor": "两步验证已启用。请接着生成恢复码,打印或抄写后与手机分开保存。",
    "revoked": "令牌已作废。",
    "posted": "通知已发出,园区登录后可以看到。",
    "notice_withdrawn": "通知已撤回。",
    "correction_asked": "更正申请已提交,统计人员答复后显示在本页。",
    "correction_granted": "已准予更正,园区可以在期限内重新上传、报送。",
    "correction_declined": "已答复不同意。",
    "handover_asked": "交接申请已提交,请等待管理员确认。",
    "handover_confirmed": "交接已确认,原账户已停用。",
    "handover_declined": "已退回交接申请。",
    "out": "您已退出。",
}


def beijing(at: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time as people read it."""
    return at.astimezone(BEIJING).strftime(form) if at else "—"


def until(deadline: datetime) -> str:
    """A deadline as the programme writes it: midnight is 24:00 of the day before."""
    return shown_deadline(deadline)


def countdown(deadline: datetime, now: datetime) -> str:
    """How long there is still, or how long it is past."""
    left = deadline - now
    past = left < timedelta(0)
    left = abs(left)
    hours = left.seconds // 3600
    text = f"{left.days} 天 {hours} 小时" if left.days else f"{hours} 小时 {left.seconds % 3600 // 60} 分钟"
    return f"已逾期 {text}" if past else f"还有 {text}"


def urgency(deadline: datetime, now: datetime) -> str:
    """late, soon (three days) or calm."""
    return "late" if deadline < now else "soon" if deadline - now <= timedelta(days=3) else "calm"


def size(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / (1 << 20):.1f} MB" if count >= 1 << 20 else f"{max(count // 1024, 1)} KB"


@cache
def environment() -> Environment:
    """The templates. A name that is missing is an error, not an empty place."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "beijing": beijing,
        "until": until,
        "size": size,
        "rule_shown": shown_rule,
        "figures": figures,
        "figure": figure,
        "signed": signed,
        "grouped": grouped,
        "unit_shown": shown_unit,
        "person": person,
        "person_with_place": person_with_place,
        "stacked": stacked,
        "long": long_name,
        "path": lambda text: quote(str(text), safe=""),
    }
    made.globals |= {
        "chip": lambda state, awaits=False: (
            AWAITING_APPROVAL
            if awaits and state is State.EXPLAINED
            else CHIPS[state]
            if state is not None
            else NOT_FILED
        ),
        "return_chip": lambda state: RETURN_CHIPS[state] if state is not None else NOT_FILED,
        "ReturnState": ReturnState,
        "NOT_SAID_WHY": NOT_SAID_WHY,
        "countdown": countdown,
        "urgency": urgency,
        "ROLES": ROLES,
        "State": State,
        "style": static_version("portal.css"),
        "script": static_version("portal.js"),
    }
    return made


@cache
def static_version(name: str) -> str:
    """The address of a static file, with its hash, so that browsers may keep it for ever."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def csrf_token(portal: Portal, holder: str) -> str:
    """The token a form must carry: bound to a session, or to the visitor before sign-in."""
    return hmac.new(portal.key, f"csrf|{holder}".encode(), hashlib.sha256).hexdigest()[:40]


def holder_of(visit: Visit) -> str:
    """Whom a form's token is bound to."""
    return visit.session.id if visit.session else visit.visitor


def page(visit: Visit, template: str, *, status: int = 200, **data: Any) -> HTMLResponse:
    """A page. ``visit.error`` stands on top of it, as does what was done just before."""
    shared: Mapping[str, Any] = {
        "visit": visit,
        "user": visit.user,
        "now": visit.now,
        "csrf": csrf_token(visit.portal, holder_of(visit)),
        "organisation": visit.portal.organisation,
        "programme": visit.office.programme.title,
        "menu": menu_of(visit.portal.routes, visit.user),
        "here": visit.request.url.path,
        "said": SAID.get(visit.query("done"), ""),
        "error": visit.error,
        "every_row_at": every_row_at(visit),
        "waiting_at": lambda path: _waiting_at(visit, path),
        "who_is": People(visit.office.ledger),
    }
    text = environment().get_template(f"{template}.html.j2").render({**shared, **data})
    return HTMLResponse(with_repeats_shortened(text), status_code=422 if visit.error and status == 200 else status)


def most_rows(visit: Visit, first: int) -> int:
    """How many rows of a long list are shown: the ``first``, or every one where the visitor asked for that."""
    return EVERY_ROW if visit.query("rows") == "all" else first


def every_row_at(visit: Visit) -> str:
    """The address of this page with every row of its long list."""
    kept = [(name, value) for name, value in visit.request.query_params.multi_items() if name not in ("rows", "done")]
    return f"?{urlencode([*kept, ('rows', 'all')])}"


def _waiting_at(visit: Visit, path: str) -> int:
    """How many things behind an entry of the menu wait for the park; it alone answers queries."""
    if path != "/queries" or visit.user is None or visit.user.role != "park_reporter" or not visit.user.park:
        return 0
    with visit.office.ledger.read() as session:
        return open_queries(session, visit.user.park)


def go(path: str, done: str = "") -> Response:
    """To another page after a step, with what was done."""
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}done={done}" if done else path, SEE_OTHER)


def download(data: bytes, name: str, media_type: str) -> Response:
    """A file to keep, never shown in the browser."""
    return Response(data, media_type=media_type, headers=attachment(name))


def attachment(name: str) -> dict[str, str]:
    """The headers of a file to keep. Source: RFC 6266, RFC 8187."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name) or "file"
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {"Content-Disposition": disposition, "Content-Security-Policy": "sandbox; default-src 'none'"}


def csv_file(rows: Iterable[Sequence[object]], name: str) -> Response:
    """Rows as CSV for a spreadsheet program: with a byte order mark, and no cell that it would run."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([safe_csv(cell) if isinstance(cell, str) else cell for cell in row])
    return download(buffer.getvalue().encode("utf-8-sig"), name, "text/csv; charset=utf-8")


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def form_titles(visit: Visit, period: Period) -> dict[str, str]:
    """Form → title in the edition of a period."""
    return {code: form.title for code, form in visit.office.programme.edition_for(period).forms.items()}
