"""The courier: a thread of the portal that writes what the trail has to tell into the outbox, and sends what is due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime

from pipelines.intake import Office
from pipelines.notifying import write_heads, write_notices
from schemas.errors import StatisticsError
from warehouse.ledger import outbox
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.outbox import Message
from ytb.portal.messengers import Messenger, NeverError, TryLaterError, UnsureError

LOG = logging.getLogger("ytb.portal")
PAUSE = 20.0


class Courier:
    """Of one portal. There is one portal at a time that sends: what another was sending at its start is taken as interrupted."""

    def __init__(
        self, office: Office, messengers: Mapping[str, Messenger], clock: Callable[[], datetime], sender: str
    ) -> None:
        self.office, self.messengers, self.clock, self.sender = office, messengers, clock, sender or "统计机构"
        self._headed: date | None = None  # the day on which the auditors were last told the head of the trail
        self._stop, self._thread = (
            threading.Event(),
            threading.Thread(target=self._run, name="ytb-courier", daemon=True),
        )

    def start(self) -> None:
        """Begin; nothing happens where no messenger is configured."""
        if self.messengers:
            self._thread.start()

    def close(self) -> None:
        """Let the message at hand end, and stop."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def begin(self) -> None:
        """What the last process was sending when it ended is unsure."""
        with self.office.ledger.write() as session:
            outbox.interrupted(session, now=self.clock())

    def once(self) -> int:
        """Write notices and send everything that is due; how many went out."""
        channels, now = tuple(self.messengers), self.clock()
        with self.office.ledger.write() as session:
            write_notices(session, channels, sender=self.sender, now=now)
            if "mail" in channels and self._headed != (today := now.astimezone(SHANGHAI).date()):
                write_heads(session, sender=self.sender, now=now)
                self._headed = today
        count = 0
        while not self._stop.is_set():
            with self.office.ledger.write() as session:
                message = outbox.claim(session, self.clock(), channels)
            if message is None:
                break
            count += self._send(message)
        return count

    def _send(self, message: Message) -> bool:
        try:
            self.messengers[message.channel].send(message, self.clock())
        except TryLaterError as fault:
            with self.office.ledger.write() as session:
                outbox.put_off(session, message.id, str(fault), now=self.clock())
        except NeverError as fault:
            with self.office.ledger.write() as session:
                outbox.give_up(session, message.id, str(fault), now=self.clock())
        except Exception as fault:  # a plug-in may raise anything; whether the message left is then not known
            kind = str(fault) if isinstance(fault, UnsureError) else type(fault).__name__
            with self.office.ledger.write() as session:
                outbox.give_up(session, message.id, kind, now=self.clock(), is_sure=False)
        else:
            with self.office.ledger.write() as session:
                outbox.sent(session, message.id, now=self.clock())
            return True
        return False

    def _run(self) -> None:
        is_begun = False
        while not self._stop.is_set():
            try:
                if not is_begun:
                    self.begin()
                    is_begun = True
                self.once()
            except StatisticsError as fault:  # the ledger is busy or the disk full: the next round tries again
                LOG.error("courier: %s", fault)
            self._stop.wait(PAUSE)
