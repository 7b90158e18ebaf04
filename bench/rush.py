"""Clients that press on a portal: uploads at once, retries, connections that stall. Raw sockets, so that they cost little."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.books import YEAR
from bench.deadline import Clerk

HOST = "127.0.0.1"
PATIENCE = 120.0


@dataclass(frozen=True)
class Ending:
    """How one request ended: seconds from opening the connection to the whole answer."""

    status: int
    location: str
    body: bytes
    seconds: float


@dataclass
class Portal:
    """A portal at work, as its clients know it."""

    port: int
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(self, head: Sequence[str], body: bytes = b"") -> Ending:
        """One request on a connection of its own. Status 0: the connection broke."""
        begun = time.perf_counter()
        lines = [*head, f"Host: {HOST}:{self.port}", f"Origin: http://{HOST}:{self.port}", "Connection: close"]
        lines += [f"Content-Length: {len(body)}"] if body else []
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                try:
                    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                    await writer.drain()
                    answer = await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return Ending(0, "", b"", time.perf_counter() - begun)
        seconds = time.perf_counter() - begun
        top, _, rest = answer.partition(b"\r\n\r\n")
        status = int(top.split(b" ", 2)[1]) if top.startswith(b"HTTP/1.1 ") else 0
        found = re.search(rb"(?im)^location: *(\S+)", top)
        return Ending(status, found[1].decode() if found else "", rest, seconds)

    async def look(self, clerk: Clerk, path: str) -> Ending:
        """A page."""
        return await self.ask([f"GET {path} HTTP/1.1", f"Cookie: ytb_session={clerk.cookie}"])

    async def learn_token(self, clerk: Clerk) -> None:
        """Open the upload page, as a clerk has before the rush, and keep its form token."""
        answer = await self.look(clerk, f"/park/{clerk.park}/{YEAR}")
        found = re.search(rb'name="_csrf" value="([0-9a-f]+)"', answer.body)
        if answer.status != 200 or found is None:
            raise RuntimeError(f"{clerk.park}: {answer.status}")
        self.tokens[clerk.park] = found[1].decode()

    async def upload(self, clerk: Clerk) -> Ending:
        """The form of the upload page, as a browser posts it."""
        parts = [
            f'--B\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n{self.tokens[clerk.park]}\r\n'.encode(),
            f'--B\r\nContent-Disposition: form-data; name="file"; filename="{clerk.park}.xlsx"\r\n\r\n'.encode(),
            clerk.data,
            b"\r\n--B--\r\n",
        ]
        head = [
            f"POST /park/{clerk.park}/{YEAR}/submissions HTTP/1.1", f"Cookie: ytb_session={clerk.cookie}",
            "Content-Type: multipart/form-data; boundary=B",
        ]  # fmt: skip
        return await self.ask(head, b"".join(parts))


async def together(jobs: Sequence[Callable[[], Awaitable[Ending]]]) -> list[Ending]:
    """All at once."""
    return list(await asyncio.gather(*(job() for job in jobs)))


def stalling_heads(port: int, clerks: Sequence[Clerk]) -> Iterator[bytes]:
    """What connections send before they stall, for ever: nothing, half a head, a body that never comes."""
    while True:
        for clerk in clerks:
            yield b""
            yield f"GET / HTTP/1.1\r\nHost: {HOST}:{port}\r\nX-Slow: ".encode()
            yield (
                f"POST /sign-in HTTP/1.1\r\nHost: {HOST}:{port}\r\nOrigin: http://{HOST}:{port}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\nname="
            ).encode()
            yield (
                f"POST /park/{clerk.park}/{YEAR}/submissions HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
                f"Origin: http://{HOST}:{port}\r\nCookie: ytb_session={clerk.cookie}\r\n"
                "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 300000\r\n\r\n--B\r\n"
            ).encode()


class Stalled:
    """So many connections that stall; one that is cut off is opened again."""

    def __init__(self, port: int, count: int, clerks: Sequence[Clerk]) -> None:
        self.port, self.count = port, count
        self.heads = stalling_heads(port, clerks)
        self.open, self.cut = 0, 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Stalled:
        self._tasks = [asyncio.create_task(self._stall()) for _ in range(self.count)]
        while self.open < self.count:
            await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _stall(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                self.open += 1
                try:
                    writer.write(next(self.heads))
                    await writer.drain()
                    await reader.read()
                    self.cut += 1
                finally:
                    self.open -= 1
                    writer.close()
            await asyncio.sleep(0.05)
