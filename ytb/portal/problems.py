"""Error pages, and the same as problem+json (RFC 9457) for programs; in words a clerk can act on."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from ytb.portal.pages import page
from ytb.portal.visit import Visit


class PortalError(Exception):
    """An answer that is not the page asked for."""

    def __init__(self, status: int, code: str, title: str, detail: str, *, retry_after: int = 0) -> None:
        self.status, self.code, self.title, self.detail, self.retry_after = status, code, title, detail, retry_after
        super().__init__(title)


NOT_FOUND = PortalError(404, "not_found", "没有找到这一页", "网址不存在,或不属于您的单位。请从菜单重新进入。")
WRONG_HOST = PortalError(400, "host", "网址不对", "请用系统公布的网址访问。")
NOT_ENCRYPTED = PortalError(
    403, "not_encrypted", "没有办理", "提交的内容没有经过加密的网址(https)。请用 https 网址重新登录后再试,并更改口令。"
)
NO_TOKEN = PortalError(401, "token", "须要令牌", "请在 Authorization 头中带上有效的令牌(Bearer)。")
NO_SCOPE = PortalError(403, "scope", "令牌没有这项权限", "请在“账户”页新建带有所需权限的令牌。")
FOREIGN_FORM = PortalError(403, "origin", "没有办理", "请求不是从本系统的页面发出的。请从菜单重新进入后再试。")
STALE_FORM = PortalError(
    403, "form_expired", "页面已过期", "登录状态已变化,没有办理。请返回上一页刷新后再提交;已填写的文字请先复制保存。"
)
TOO_LARGE = PortalError(
    413, "too_large", "文件太大", "一次上传不能超过 20 MB。请删除多余的图片和空白行,或分几个文件上传。"
)
TOO_SLOW = PortalError(
    408, "too_slow", "上传没有完成", "网络太慢,文件没有收全,未作登记。请检查网络后再传;多次不成请联系统计机构。"
)
BAD_FORM = PortalError(400, "bad_form", "提交的内容不完整", "没有收到完整的表单,未作登记。请返回上一页再试一次。")
BUSY = PortalError(
    503, "busy", "现在报送的人很多", "正在排队的文件太多,您的文件没有收下。请过两分钟再传一次。",
    retry_after=120,
)  # fmt: skip
BAD_KEY = PortalError(400, "idempotency_key", "Idempotency-Key 无效", "请用 1 至 64 个可打印的 ASCII 字符。")


def used_up(quota: int, seconds: int, who: str = "园区") -> PortalError:
    """The park, or the enterprise, has begun as many submissions today as it may."""
    return PortalError(
        429, "quota", "今天上传的次数已满", f"每个{who}每天最多上传 {quota} 次,明天 0 时起可以再传;确有需要请联系统计机构。",
        retry_after=seconds,
    )  # fmt: skip


def withdrawn(release: str, when: str, reason: str) -> PortalError:
    """A release that was published and withdrawn: its figures are shown to nobody who only reads."""
    return PortalError(
        410, "withdrawn", "这一发布已撤回", f"{release} 已于 {when} 撤回,不再提供,请不要引用其中的数。原因:{reason or '未写明'}",
    )  # fmt: skip


def ours(kind: str) -> PortalError:
    """A fault of ours."""
    return PortalError(500, kind, "系统出错了", "这是系统的问题,不是您的操作造成的。请稍后再试;仍不行请联系统计机构。")


def _back(visit: Visit) -> str:
    """The page of this portal the visitor came from; empty where there is none, or it is the one that failed."""
    came = came_from(visit)
    return came if came.partition("?")[0] != visit.request.url.path else ""


def came_from(visit: Visit) -> str:
    """The page of this portal the visitor came from, as path and query; empty where there is none."""
    came = urlsplit(visit.request.headers.get("referer", ""))
    is_ours = came.netloc == visit.request.headers.get("host", "") and came.path.startswith("/")
    is_safe = is_ours and not came.path.startswith(("//", "/\\")) and came.path.isprintable()
    return f"{came.path}{'?' if came.query else ''}{came.query}" if is_safe else ""


def answer(visit: Visit, problem: PortalError) -> Response:
    """The problem as a page, or for programs as problem+json."""
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after else {}
    if problem.status in (408, 413):
        headers["Connection"] = "close"
    if visit.route.is_api:
        if problem.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        body = {
            "type": f"urn:ytb:problem:{problem.code}",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
        }
        return JSONResponse(body, problem.status, headers, media_type="application/problem+json")
    found = page(visit, "problem", status=problem.status, problem=problem, back=_back(visit))
    found.headers.update(headers)
    return found
