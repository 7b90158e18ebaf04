"""How messages leave the house: the protocol of a messenger, the one for mail built in, and an example for short messages.

``config.toml`` names one a channel: ``[mail] sender = "smtp"``, or ``[sms] sender = "package.module:factory"``. A factory takes
the home and the table of the configuration, and gives an object with ``send``. See docs/operations.md.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from typing import Protocol

from schemas.errors import StorageError
from warehouse.durable import create_durably
from warehouse.home import Config, Home, secret_of
from warehouse.ledger.outbox import Message

SECONDS = 20.0
GREETED = 250
OFTEN_LATER = range(400, 500)


class TryLaterError(Exception):
    """It certainly did not go out, and may the next time."""


class NeverError(Exception):
    """It certainly did not go out, and never will as it is."""


class UnsureError(Exception):
    """It may have gone out."""


class Messenger(Protocol):
    """Sends one message. To return is to have handed it over for good; otherwise it raises one of the three errors above.
    ``message.key`` is the same for the same message: a service that takes such a key never sends it twice."""

    def send(self, message: Message, now: datetime) -> None:
        """Hand a message over."""


@dataclass(frozen=True)
class SmtpMessenger:
    """Mail over one SMTP server. ``security``: ``tls`` from the start, ``starttls``, or ``none`` (this machine only)."""

    host: str
    sender: str
    port: int = 465
    security: str = "tls"
    user: str = ""
    password: str = ""

    def send(self, message: Message, now: datetime) -> None:
        """Hand a mail over; the server's word after the last byte decides."""
        wire = self._mail(message, now).as_bytes(policy=WIRE)
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException) as fault:
            raise TryLaterError(type(fault).__name__) from None
        try:
            for said in (server.mail(self.sender), server.rcpt(message.address)):
                _require(said[0])
        except (OSError, smtplib.SMTPException) as fault:
            server.close()
            raise TryLaterError(type(fault).__name__) from None
        except (TryLaterError, NeverError):
            server.close()
            raise
        try:
            code, _ = server.data(wire)
        except smtplib.SMTPDataError as fault:  # refused before the first byte of the mail
            server.close()
            _require(fault.smtp_code)
            raise NeverError(str(fault.smtp_code)) from None
        except (OSError, smtplib.SMTPException) as fault:
            server.close()
            raise UnsureError(type(fault).__name__) from None
        server.close()
        _require(code)

    def _connected(self) -> smtplib.SMTP:
        trusted = ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=trusted)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        try:
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                server.starttls(context=trusted)
                server.ehlo()
            if self.user:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, message: Message, now: datetime) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, message.address, " ".join(message.subject.split())
        mail["Date"] = format_datetime(now)
        name = hashlib.sha256(message.key.encode()).hexdigest()[:32]
        mail["Message-ID"] = f"<{name}@{self.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body)
        return mail


def _require(code: int) -> None:
    if code in OFTEN_LATER:
        raise TryLaterError(str(code))
    if not 200 <= code < 300:
        raise NeverError(str(code))


def smtp(home: Home, table: Mapping[str, object]) -> Messenger:
    """The messenger of ``[mail] sender = "smtp"``; the password lies in ``keys/mail.secret``."""
    host, sender = str(table.get("host", "")), str(table.get("from", ""))
    security, port = str(table.get("security", "tls")), table.get("port", 465)
    known = {"sender", "host", "from", "security", "port", "user"}
    if (
        not host
        or "@" not in sender
        or security not in ("tls", "starttls", "none")
        or type(port) is not int
        or table.keys() - known
    ):
        raise StorageError("config.toml 的 [mail] 有误:须有 host、from,security 为 tls、starttls 或 none。")
    if security == "none" and host not in ("127.0.0.1", "localhost", "::1"):
        raise StorageError("config.toml 的 [mail] 有误:security = none 只能用于本机的邮件服务。")
    return SmtpMessenger(host, sender, port, security, str(table.get("user", "")), secret_of(home, "mail"))


@dataclass(frozen=True)
class FileMessenger:
    """An example for short messages: a file a message in ``HOME/outbox/sms``, for a gateway of the office to fetch."""

    home: Home

    def send(self, message: Message, now: datetime) -> None:
        """Write the file, whole and once: the same message is the same file."""
        folder = self.home.outbox / "sms"
        folder.mkdir(parents=True, exist_ok=True)
        said = {"key": message.key, "to": message.address, "text": message.body, "at": now.isoformat()}
        name = hashlib.sha256(message.key.encode()).hexdigest()[:32]
        try:
            create_durably(folder / f"{name}.json", json.dumps(said, ensure_ascii=False).encode(), mode=0o640)
        except StorageError as fault:
            raise TryLaterError(str(fault)) from None


def sms_to_files(home: Home, table: Mapping[str, object]) -> Messenger:
    """The messenger of ``[sms] sender = "ytb.portal.messengers:sms_to_files"``."""
    if table.keys() - {"sender"}:
        raise StorageError("config.toml 的 [sms] 有误:这个发送方式没有别的设置。")
    return FileMessenger(home)


Factory = Callable[[Home, Mapping[str, object]], Messenger]


def messengers_of(home: Home, config: Config) -> dict[str, Messenger]:
    """Channel → messenger, as configured; empty where nothing is. Raises StorageError for what cannot be loaded."""
    found = {}
    for channel, table in (("mail", config.mail), ("sms", config.sms)):
        if table is not None:
            found[channel] = _factory(channel, str(table.get("sender", "")))(home, table)
    return found


def _factory(channel: str, named: str) -> Factory:
    if channel == "mail" and named == "smtp":
        return smtp
    module, _, name = named.partition(":")
    try:
        found: Factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as cause:
        raise StorageError(f"config.toml 的 [{channel}] 有误:找不到发送方式“{named}”。") from cause
    return found
