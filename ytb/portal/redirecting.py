"""The plain port beside an encrypted portal: it leads to https and does nothing else."""

from __future__ import annotations

from collections.abc import Collection

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

HTTPS_PORT = 443
SAFE = ("GET", "HEAD")


class ToHttps:
    """ASGI application: the same address by https, for who only looks. A form or a program is refused, since what it carries has been
    on the way in clear; a host that is not ours is not led anywhere."""

    def __init__(self, hosts: Collection[str], port: int) -> None:
        self.hosts = hosts
        self.port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "http":
            await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in self.hosts:
            return PlainTextResponse("网址不对,请用系统公布的网址访问。", 400)
        if request.method not in SAFE:
            return PlainTextResponse("提交的内容没有加密,没有办理。请用 https 网址,并更改口令。", 403)
        port = "" if self.port == HTTPS_PORT else f":{self.port}"
        raw = request.scope["raw_path"].decode("ascii", "replace")
        query = request.scope["query_string"].decode("ascii", "replace")
        path = "/" + raw.lstrip("/")
        return RedirectResponse(f"https://{host}{port}{path}{'?' if query else ''}{query}", 308)
