"""What every request is held to before any page sees it: size and speed of its body, and the headers of its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1 << 20
CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: browsers then send "Origin: null" with a form, and the origin could not be checked
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}


class BodyTooLargeError(Exception):
    """More was sent than is taken; the rest was not read."""


class BodyTooSlowError(Exception):
    """The body did not come in time; the connection is given up."""


@dataclass(frozen=True)
class BodyLimits:
    """``rate`` bytes a second at least, after ``grace`` seconds, and all within ``total`` seconds."""

    size: int = 20 * MIB + 64 * 1024
    grace: float = 10.0
    rate: int = 4096
    total: float = 120.0

    def wait(self, elapsed: float, received: int) -> float:
        """How long the next chunk may take."""
        return min(self.total, self.grace + received / self.rate) - elapsed


class GuardedBody:
    """ASGI middleware: reading the body raises BodyTooLargeError or BodyTooSlowError; the application answers."""

    def __init__(self, app: ASGIApp, limits: BodyLimits, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.app, self.limits, self.monotonic = app, limits, monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with a receive that watches."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        declared = int(length) if length.isdigit() else 0
        received, started, done = 0, self.monotonic(), False

        async def guarded() -> Message:
            nonlocal received, done
            if done:
                return await receive()
            if declared > self.limits.size:
                raise BodyTooLargeError
            left = self.limits.wait(self.monotonic() - started, received)
            try:
                message = await asyncio.wait_for(receive(), max(left, 0.001))
            except TimeoutError:
                raise BodyTooSlowError from None
            received += len(message.get("body", b""))
            if received > self.limits.size:
                raise BodyTooLargeError
            done = not message.get("more_body", False)
            return message

        await self.app(scope, guarded, send)


class SafeHeaders:
    """ASGI middleware: every answer carries the headers above, unless the page set its own."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self.app = app
        self.headers = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if is_https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on; add the headers to the answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    found.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
