"""What a page works with: the portal, and one request of a known person on something that is theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from starlette.requests import Request

from pipelines.intake import Office
from schemas.period import Period
from sources.pool import Pool
from warehouse.home import Home
from warehouse.ledger.access import Credentials, SignedIn
from warehouse.ledger.applications import Application
from warehouse.ledger.enterprise_returns import EnterpriseReturn
from warehouse.ledger.parks import Park
from warehouse.ledger.scopes import parks_within
from warehouse.ledger.submissions import Submission
from warehouse.ledger.users import User
from warehouse.vault import StagedFile
from ytb.portal.limits import BodyLimits
from ytb.portal.passwords import Hasher

if TYPE_CHECKING:
    from ytb.portal.courier import Courier
    from ytb.portal.examining import Examiner
    from ytb.portal.oidc import Provider
    from ytb.portal.previews import Previews
    from ytb.portal.route import Route

BEIJING = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Settings:
    """How an installation runs its portal. ``hosts``: the names it answers to.

    ``most_waiting``: uploads on their way at one time, ``most_of_one`` of one account; ``patience``: for how many seconds an
    answer waits for the check where the queue is short.
    """

    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})
    is_https: bool = False
    second_factor: bool = False
    workers: int = 2
    most_waiting: int = 1000
    most_of_one: int = 20
    patience: float = 10.0
    limits: BodyLimits = field(default_factory=BodyLimits)
    hasher: Hasher = field(default_factory=Hasher)


@dataclass(frozen=True)
class Portal:
    """One running portal. It never opens the live warehouse; what it keeps, it keeps in ledger and vault."""

    office: Office
    home: Home
    pool: Pool
    clock: Callable[[], datetime]
    key: bytes
    organisation: str
    settings: Settings
    routes: Sequence[Route]
    """Every address, for menus and for the description of the interface."""
    examiner: Examiner
    publish: Callable[[int, Period, str, str], None]
    """Starts a release in a process of its own: number of the request, period, reason, who confirmed."""
    previews: Previews
    provider: Provider | None = None
    courier: Courier | None = None
    """Where messages can be sent at all."""
    daily_quota: int = 0
    hashing: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2))


@dataclass(frozen=True)
class UploadedFile:
    """A file of a form: its name as sent; its bytes lie in the vault's folder for what is not kept yet."""

    name: str
    staged: StagedFile

    def read(self) -> bytes:
        """All bytes."""
        return self.staged.read()


@dataclass(frozen=True)
class Form:
    """A posted form."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Sequence[UploadedFile] = ()

    def close(self) -> None:
        """Let go of the files; those that no step kept vanish."""
        for one in self.files:
            one.staged.close()

    def get(self, name: str) -> str:
        """The first value of a field, trimmed; empty where it is missing."""
        return (self.fields.get(name) or [""])[0].strip()

    def all(self, name: str) -> Sequence[str]:
        """Every value of a field."""
        return self.fields.get(name) or ()


@dataclass(frozen=True)
class Visit:
    """One request. ``park``, ``period``, ``submission``, ``unit`` and ``returned`` are set where the address names them, and are the visitor's to see."""

    portal: Portal
    request: Request
    route: Route
    now: datetime
    address: str
    user: User | None = None
    session: SignedIn | None = None
    credentials: Credentials | None = None
    form: Form = field(default_factory=Form)
    park: Park | None = None
    period: Period | None = None
    submission: Submission | None = None
    unit: str | None = None
    returned: EnterpriseReturn | None = None
    application: Application | None = None
    error: str = ""
    visitor: str = ""

    @property
    def office(self) -> Office:
        """Vault, ledger, programme."""
        return self.portal.office

    @property
    def who(self) -> User:
        """The person; on every route that is not public there is one."""
        assert self.user is not None
        return self.user

    @property
    def found(self) -> Submission:
        """The submission the address names."""
        assert self.submission is not None
        return self.submission

    @property
    def of(self) -> tuple[Park, Period]:
        """The park and period the address names."""
        assert self.park is not None and self.period is not None
        return self.park, self.period

    def parks_in_scope(self, day: date) -> frozenset[str] | None:
        """The parks the visitor may see in a list on a day; None: all."""
        with self.office.ledger.read() as session:
            return parks_within(session, self.who.park, day)

    @property
    def handed_in(self) -> EnterpriseReturn:
        """The enterprise's return that the address names."""
        assert self.returned is not None
        return self.returned

    @property
    def asked(self) -> Application:
        """The application to the register that the address names."""
        assert self.application is not None
        return self.application

    @property
    def enterprise(self) -> tuple[Park, str]:
        """The park and the enterprise that the address names."""
        assert self.park is not None and self.unit is not None
        return self.park, self.unit

    def query(self, name: str) -> str:
        """A parameter of the address, trimmed and not endless."""
        return self.request.query_params.get(name, "").strip()[:200]
