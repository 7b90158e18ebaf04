import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.period import Period
from warehouse.home import Home, create_home
from warehouse.ledger import decisions, steps
from warehouse.ledger.answers import AnswerStatus, record_answer_statuses
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.explanations import NewExplanation, record_explanations
from warehouse.ledger.intake import IncomingFile, Received, record_received
from warehouse.ledger.migrate import create_ledger, open_ledger
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.periods import open_round
from warehouse.ledger.register import UnitEvent, freeze_register, record_unit_events
from warehouse.ledger.releases import record_release
from warehouse.ledger.session import Ledger
from warehouse.ledger.submissions import CheckResult, Submission
from warehouse.ledger.users import add_user
from warehouse.vault import Vault

START = datetime(2025, 4, 1, 9, 0, tzinfo=SHANGHAI)
Q1 = Period(2025, quarter=1)


def result(blocking: int = 0, to_explain: int = 0, unreadable: str | None = None) -> CheckResult:
    return CheckResult(
        reader_version="1",
        rule_set_hash="r" * 64,
        operand_hash="o" * 64,
        observations_blob=None if unreadable else "a" * 64,
        findings_blob=None if unreadable else "b" * 64,
        forms=() if unreadable else ("finance", "basic"),
        counts={"units": 2, "hard": blocking, "soft": to_explain},
        blocking=blocking,
        to_explain=to_explain,
        unreadable=unreadable,
    )


@dataclass
class Office:
    """A home with two parks and a clock that goes on by one minute a step."""

    home: Home
    vault: Vault
    ledger: Ledger
    minutes: int = 0
    clean: CheckResult = field(default_factory=lambda: result())

    @property
    def now(self) -> datetime:
        self.minutes += 1
        return START + timedelta(minutes=self.minutes)

    def receive(self, *contents: bytes, park: str = "LBXQ", period: Period = Q1) -> Received:
        files = [IncomingFile(f"{n}.xlsx", content) for n, content in enumerate(contents)]
        return record_received(
            self.vault,
            self.ledger,
            files,
            park=park,
            period=period,
            edition="2025",
            channel="cli",
            now=self.now,
            actor="liu",
        )

    def check(self, number: str, outcome: CheckResult) -> Submission:
        with self.ledger.write() as session:
            return steps.record_check(session, number, outcome, now=self.now, actor="system")

    def reported(self, *contents: bytes, park: str = "LBXQ", period: Period = Q1) -> str:
        number = self.receive(*contents, park=park, period=period).submission.number
        self.check(number, result())
        with self.ledger.write() as session:
            steps.report(session, number, now=self.now, actor="liu")
        return number

    def accept(self, number: str) -> Submission:
        with self.ledger.write() as session:
            return decisions.accept(session, number, now=self.now, actor="chen")

    def return_(self, number: str, reason: str = "从业人员与上年同期差异过大,请核实") -> Submission:
        with self.ledger.write() as session:
            return decisions.return_to_park(session, number, now=self.now, actor="chen", reason=reason)

    def reopen(self, number: str) -> Submission:
        with self.ledger.write() as session:
            return decisions.reopen(session, number, now=self.now, actor="chen", reason="发现漏报单位")


@pytest.fixture(scope="session")
def blank_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home made once and copied for each test: migrations take a while."""
    root = tmp_path_factory.mktemp("blank")
    home = create_home(root, now=START)
    ledger = create_ledger(home)
    with ledger.write() as session:
        zones = [Park("LBXQ", "兰州新区"), Park("LBGX", "兰州高新技术产业开发区")]
        zones.append(Park("LBGX01", "雁滩园区", kind="sub_park", zone="LBGX"))
        add_parks(session, zones, now=START, actor="admin")
    ledger.engine.dispose()
    return root


@pytest.fixture(scope="session")
def full_home(tmp_path_factory: pytest.TempPathFactory, blank_home: Path) -> Home:
    """A home with something in every table; copy it before changing it."""
    root = tmp_path_factory.mktemp("full") / "home"
    shutil.copytree(blank_home, root)
    home = Home(root)
    office = Office(home, Vault.open(home.vault), open_ledger(home))
    office.accept(office.reported(b"1"))
    office.accept(office.reported(b"2"))
    office.return_(office.reported(b"3"))
    explained = office.receive(b"4").submission.number
    office.check(explained, result(to_explain=1))
    office.reopen(office.accept(office.reported(b"5", park="LBGX")).number)
    with office.ledger.write() as session:
        by: dict[str, Any] = {"now": office.now, "actor": "chen"}
        record_explanations(session, explained, [NewExplanation("R1|finance|91X|", "07", "投产")], **by)
        open_round(session, Q1, edition="2025", deadline=START + timedelta(days=10), **by)
        entry = UnitEvent("91X", "entry", date(2024, 1, 1), "LBXQ", "", {"B07": "3911"}, "营业执照")
        record_unit_events(session, [entry], **by)
        freeze_register(office.vault, session, Q1, **by)
        record_answer_statuses(session, Q1, [AnswerStatus("91X", "LBXQ", 0, explained)], **by)
        record_release(session, "2025-Q1.r1", period=Q1, manifest="c" * 64, **by)
        add_user(session, "wang", title="王工", role="reviewer", **by)
    office.ledger.engine.dispose()
    return home


@pytest.fixture
def office(tmp_path: Path, blank_home: Path) -> Iterator[Office]:
    shutil.copytree(blank_home, tmp_path / "home")
    home = Home(tmp_path / "home")
    ledger = open_ledger(home)
    yield Office(home, Vault.open(home.vault), ledger)
    ledger.engine.dispose()


@pytest.fixture(scope="session")
def office_in() -> Callable[[Path], Office]:
    """The office of a home that a test copied itself."""
    return lambda root: Office(Home(root), Vault.open(root / "vault"), open_ledger(Home(root)))
