"""``ytb submit --server``: the same submission over the portal's interface for programs."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pipelines.checking import IncomingBook
from schemas.errors import RefusalError, StorageError, SubmissionError
from warehouse.ledger.signatories import Signatories

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECONDS = 180
#: Pauses between looks, each half as long again as the one before: ten minutes in all.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 200.0


@dataclass(frozen=True)
class Server:
    """Where to, and as whom."""

    url: str
    token: str

    def require_sound(self) -> None:
        """Raise RefusalError where the token would travel in the open, or is missing."""
        at = urlsplit(self.url)
        if at.scheme != "https" and not (at.scheme == "http" and at.hostname in LOOPBACK):
            raise RefusalError("--server 须为 https 地址:令牌和数据不能明文传送。")
        if not self.token:
            raise RefusalError("请用 --token 或环境变量 YTB_TOKEN 给出令牌;令牌在门户“账户”页申请。")


class _NoRedirect(HTTPRedirectHandler):
    """The token goes to the server named and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def submit_to(
    server: Server,
    books: Sequence[IncomingBook],
    *,
    park: str,
    period: str,
    unit: str = "",
    explanations: Mapping[str, tuple[str, str]],
    signatories: Signatories | None = None,
    gaps_reason: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """What the server says of the files, once it has checked them; after ten minutes of waiting, that it has received them.

    ``unit``: the file is the own workbook of this enterprise, handed in with a token of its account. Raises RefusalError,
    SubmissionError or StorageError in the server's words.
    """
    server.require_sound()
    body, kind = multipart(books, explanations, signatories, gaps_reason)
    of, when = quote(park, safe=""), quote(period, safe="")
    own = f"/api/v1/parks/{of}/enterprises/{quote(unit, safe='')}/periods/{when}/returns"
    path = own if unit else f"/api/v1/parks/{of}/periods/{when}/submissions"
    # What is sent again after a broken connection is the same request, also where the park has been given it back by then.
    key = secrets.token_urlsafe(24)
    try:
        found = _ask(server, path, body, kind, key)
    except StorageError as fault:
        if fault.__cause__ is None:  # the server did answer
            raise
        progress("连接中断,再试一次……")
        time.sleep(FIRST_PAUSE)
        found = _ask(server, path, body, kind, key)
    # Where many report at once the server acknowledges first and checks later.
    pause = FIRST_PAUSE
    while found.get("state") == "received" and pause < LONGEST_PAUSE:
        number = str(found["return" if unit else "submission"])
        progress(f"{number} 已收到,正在审核……")
        time.sleep(pause)
        pause *= 1.5
        number = quote(number, safe="")
        found |= _ask(server, f"/api/v1/{'returns' if unit else 'submissions'}/{number}")
        if not unit:
            found["receipt"] = _ask(server, f"/api/v1/submissions/{number}/receipt")
    return found


def _ask(server: Server, path: str, body: bytes | None = None, kind: str = "", key: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.token}", "Accept": "application/json"}
    headers |= {"Content-Type": kind} if kind else {}
    headers |= {"Idempotency-Key": key} if key else {}
    asked = Request(server.url.rstrip("/") + path, body, headers, method="POST" if body is not None else "GET")
    try:
        with build_opener(_NoRedirect()).open(asked, timeout=SECONDS) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except HTTPError as refused:
        raise _error_of(refused) from None
    except (URLError, HTTPException, TimeoutError, ConnectionError, ValueError) as cause:
        raise StorageError(
            f"连接 {urlsplit(server.url).netloc} 失败({cause});没有得到回执,请稍后再试,重复报送不会重复登记。"
        ) from cause


def _error_of(refused: HTTPError) -> RefusalError | SubmissionError | StorageError:
    try:
        problem = json.loads(refused.read())
        message, code = str(problem["detail"]), str(problem["type"]).rsplit(":", 1)[-1]
    except (ValueError, KeyError, TypeError):
        return StorageError(f"服务器答复 {refused.code},不是本系统的接口;请核对 --server。")
    if refused.code >= 500:
        return StorageError(message)
    return SubmissionError(code, message) if refused.code in (400, 408, 413, 422) else RefusalError(message)


def multipart(
    books: Sequence[IncomingBook],
    explanations: Mapping[str, tuple[str, str]],
    signatories: Signatories | None = None,
    gaps_reason: str = "",
) -> tuple[bytes, str]:
    """The files, explanations and names as a form: body and Content-Type."""
    boundary = secrets.token_hex(16)
    parts = []
    for book in books:
        name = book.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        parts.append(head.encode() + book.data + b"\r\n")
    if explanations:
        told = json.dumps({key: list(value) for key, value in explanations.items()}, ensure_ascii=False)
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="explanations"\r\n\r\n{told}\r\n'.encode())
    fields = signatories.payload() if signatories else {}
    for name, text in (fields | ({"gaps_reason": gaps_reason} if gaps_reason else {})).items():
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode())
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"
