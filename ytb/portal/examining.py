"""The checks behind the portal: a queue in the order of arrival, as many at work as the pool has children.

An upload is acknowledged before it stands here, so nothing hangs on this queue: what it had not come to when the process
ended is received, and is examined at the next start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from starlette.responses import Response

from pipelines.intake import Office, Outcome
from pipelines.own_returns import settle_return
from pipelines.receiving import examine, unexamined
from sources.pool import Pool
from warehouse.ledger.enterprise_returns import EnterpriseReturn, unexamined_returns
from warehouse.ledger.signatories import Signatories
from warehouse.ledger.submissions import Submission

T = TypeVar("T")
LOG = logging.getLogger("ytb.portal")
#: Through these the portal receives.
CHANNELS = PORTAL, API = ("portal", "api")
#: Seconds for which a check gives way, at most.
LONGEST_WAY = 20.0


class Waiting(Response):
    """A good answer now (``self``), and the better one that ``then`` makes once ``until`` is done."""

    def __init__(self, now: Response, until: Future[Any], then: Callable[[], Response]) -> None:
        super().__init__(now.body, now.status_code)
        self.raw_headers = now.raw_headers
        self.until, self.then = until, then


class Examiner:
    """The queue of one portal. Safe to call from many threads."""

    def __init__(self, office: Office, pool: Pool, clock: Callable[[], datetime], workers: int) -> None:
        self.office, self.pool, self.clock, self.workers = office, pool, clock, workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="ytb-examine")
        self._guard = threading.Lock()
        self._clear = threading.Event()
        self._clear.set()
        self._queued: dict[str, list[Future[Any]]] = {}
        self._busy: dict[str, threading.Lock] = {}

    def examine(
        self,
        found: Submission,
        *,
        actor: str,
        explanations: Mapping[str, tuple[str, str]] | None = None,
        leave_out: bool = False,
        report_at_once: bool = False,
        signatories: Signatories | None = None,
        gaps_reason: str = "",
    ) -> Future[Outcome]:
        """Put a submission in the queue; the same one twice is examined once after the other."""
        number = found.number

        def job() -> Outcome:
            return examine(
                self.office, number, self.pool, now=self.clock(), actor=actor, explanations=explanations,
                leave_out=leave_out, report_at_once=report_at_once, signatories=signatories,
                gaps_reason=gaps_reason,
            )  # fmt: skip

        return self._queue(number, job)

    def examine_return(
        self,
        number: str,
        *,
        actor: str,
        explanations: Mapping[str, tuple[str, str]] | None = None,
        signatories: Signatories | None = None,
    ) -> Future[EnterpriseReturn]:
        """Put an enterprise's return in the queue, with what a program sent along."""

        def job() -> EnterpriseReturn:
            return settle_return(
                self.office, number, self.pool, explanations=explanations or {}, signatories=signatories,
                now=self.clock(), actor=actor,
            )  # fmt: skip

        return self._queue(number, job)

    def run(self, name: str, work: Callable[[], T]) -> Future[T]:
        """Put any other long piece of work in the queue, under a name of its own."""
        return self._queue(name, work)

    def _queue(self, number: str, work: Callable[[], T]) -> Future[T]:
        def job() -> T:
            self._clear.wait(LONGEST_WAY)
            with self._guard:
                alone = self._busy.setdefault(number, threading.Lock())
            with alone:
                return work()

        with self._guard:
            future = self._threads.submit(job)
            self._queued.setdefault(number, []).append(future)
        future.add_done_callback(lambda done: self._done(number, done))
        return future

    def give_way(self, is_rush: bool) -> None:
        """Begin no check while many uploads wait for their acknowledgement: both want the same processor."""
        if is_rush:
            self._clear.clear()
        else:
            self._clear.set()

    def place(self, number: str) -> int | None:
        """How many submissions are before this one in the queue (0: it is being checked); None: it is not in it."""
        with self._guard:
            waiting = list(self._queued)
        return max(waiting.index(number) - self.workers + 1, 0) if number in waiting else None

    @property
    def length(self) -> int:
        """How many are in the queue, those at work included."""
        with self._guard:
            return len(self._queued)

    def resume(self) -> int:
        """Queue what was acknowledged before the process last ended, and not yet checked; how many. What programs sent along
        was not kept: none of it is reported until the program sends the same files again."""
        with self.office.ledger.read() as session:
            left = unexamined(session, CHANNELS)
            returned = unexamined_returns(session)
        for found in left:
            self.examine(found, actor=found.received_by)
        for one in returned:
            self.examine_return(one.number, actor=one.received_by)
        return len(left) + len(returned)

    def close(self) -> None:
        """Finish what is at work; the rest stays received."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _done(self, number: str, future: Future[Any]) -> None:
        with self._guard:
            left = [one for one in self._queued.get(number, ()) if one is not future]
            if left:
                self._queued[number] = left
            else:
                self._queued.pop(number, None)
                self._busy.pop(number, None)
        if not future.cancelled() and (fault := future.exception()) is not None:
            # No figure and no file name: only what kind of fault it was. The page says that it is not checked yet.
            LOG.error("check of %s: %s", number, type(fault).__name__, exc_info=fault)
