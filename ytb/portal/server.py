"""uvicorn's protocol with what it lacks: connections that send no complete request head in time are closed, and one
address holds only so many. (Bodies are watched by ``limits.GuardedBody``.)"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
MOST_OF_AN_ADDRESS = 100


class FirmProtocol(H11Protocol):
    """One connection."""

    held: ClassVar[Counter[str]] = Counter()
    _address = ""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Count the connection and start the clock for its first request head."""
        super().connection_made(transport)
        # Behind a proxy every connection comes from this machine: there the proxy counts.
        self._address = self.client[0] if self.client else ""
        self.held[self._address] += 1
        if self.held[self._address] > MOST_OF_AN_ADDRESS and not self._address.startswith(("127.", "::1")):
            transport.abort()
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Uncount it."""
        self._cancel()
        self.held[self._address] -= 1
        if self.held[self._address] <= 0:
            del self.held[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand the bytes on; the clock runs as long as they make no complete head."""
        if self._is_between_requests() and self._deadline is None:
            self._expect_head()
        super().data_received(data)
        if not self._is_between_requests():
            self._cancel()

    def _is_between_requests(self) -> bool:
        # uvicorn sets the cycle when a head is complete, and marks it when the answer is out.
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._is_between_requests() and not self.transport.is_closing():
            self.transport.close()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
