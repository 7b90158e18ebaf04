"""A browser without a screen for the tests: speaks ASGI to the application, keeps cookies, fills in forms."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp

HOST = "127.0.0.1"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    set_cookies: list[str]
    body: bytes
    received: int = 0

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


async def call(
    app: ASGIApp, method: str, path: str, headers: dict[str, str], chunks: list[bytes], client: str
) -> Answer:
    target, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": target, "raw_path": target.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
        "client": (client, 5555), "server": (HOST, 80),
    }  # fmt: skip
    waiting = list(chunks) or [b""]
    sent: list[dict[str, Any]] = []
    taken = 0
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if not waiting:  # the browser stays until it has the answer
            await gone.wait()
            return {"type": "http.disconnect"}
        chunk = waiting.pop(0)
        taken += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)  # type: ignore[arg-type]
    start = sent[0]
    pairs = [(k.decode(), v.decode("latin-1")) for k, v in start["headers"]]
    body = b"".join(m.get("body", b"") for m in sent[1:])
    return Answer(start["status"], dict(pairs), [v for k, v in pairs if k == "set-cookie"], body, taken)


@dataclass
class Browser:
    app: ASGIApp
    cookies: dict[str, str] = field(default_factory=dict)
    client: str = "10.0.0.1"

    def ask(self, method: str, path: str, chunks: list[bytes] | None = None, **headers: str) -> Answer:
        own = {"Host": HOST, "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        own |= {k.replace("_", "-"): v for k, v in headers.items()}
        answer = asyncio.run(call(self.app, method, path, own, chunks or [], self.client))
        for one in answer.set_cookies:
            name, _, rest = one.partition("=")
            value = rest.partition(";")[0].strip('"')
            if "Max-Age=0" in one:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: dict[str, Any] | None = None, page: str = "", **headers: str) -> Answer:
        """Post a form; its token is that of ``page``, which is fetched first."""
        values = dict(fields or {})
        if page:
            values["_csrf"] = token_in(self.get(page).text)
        body = urlencode(values, doseq=True).encode()
        own = {"Content_Type": "application/x-www-form-urlencoded", "Origin": f"http://{HOST}"} | headers
        return self.ask("POST", path, [body], Content_Length=str(len(body)), **own)

    def upload(
        self,
        path: str,
        files: list[tuple[str, bytes]],
        page: str = "",
        fields: dict[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        """Post files as a browser does, in chunks."""
        token = token_in(self.get(page).text) if page else ""
        parts = [b'--B\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n' + token.encode() + b"\r\n"]
        parts += [
            f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
            for name, text in (fields or {}).items()
        ]
        parts += [
            f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/x\r\n\r\n'.encode()
            + data + b"\r\n"
            for name, data in files
        ]  # fmt: skip
        body = b"".join([*parts, b"--B--\r\n"])
        chunks = [body[i : i + 7000] for i in range(0, len(body), 7000)]
        own = {"Content_Type": "multipart/form-data; boundary=B", "Origin": f"http://{HOST}"} | headers
        return self.ask("POST", path, chunks, Content_Length=str(len(body)), **own)

    def sign_in(self, name: str, password: str, code: str = "") -> Answer:
        return self.post("/sign-in", {"name": name, "password": password, "code": code}, page="/sign-in")


def token_in(text: str) -> str:
    found = re.search(r'name="_csrf" value="([0-9a-f]+)"', text)
    return found[1] if found else ""


def commands_told(page: str) -> list[str]:
    """The lines of a page that tell a person in a browser a command; what is done on the server only must say so."""
    return [line for line in page.splitlines() if re.search(r"\bytb [a-z]", line) and "在服务器上执行" not in line]
