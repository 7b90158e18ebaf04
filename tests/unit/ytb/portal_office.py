"""A small installation for the portal's tests: two parks, one submission of each, one account a role."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.intake import Office
from schemas.canonical import frame_bytes
from schemas.catalog import programme
from schemas.findings import as_findings
from schemas.observations import Observations
from schemas.period import Period
from sources.pool import Pool
from warehouse.home import Home, create_home
from warehouse.ledger import access
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.enterprise_returns import record_return, record_return_check
from warehouse.ledger.intake import IncomingFile, record_received
from warehouse.ledger.migrate import create_ledger
from warehouse.ledger.models import ROLES
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.periods import open_round
from warehouse.ledger.register import UnitEvent, record_unit_events
from warehouse.ledger.steps import record_check, report
from warehouse.ledger.submissions import CheckResult
from warehouse.ledger.users import add_user
from warehouse.vault import Vault
from ytb.portal.application import create_app, portal_of
from ytb.portal.limits import BodyLimits
from ytb.portal.passwords import Hasher
from ytb.portal.visit import Settings

START = datetime(2015, 4, 1, 9, 0, tzinfo=SHANGHAI)
Q1 = Period(2015, quarter=1)
PASSWORD = "Tuesday-Rain-7"
CHEAP = Hasher(passes=1, memory_kib=8, lanes=1)
NASTY = "<script>alert(1)</script>\"'>"
UNIT = "91620102900001092A"
OTHER_UNIT, UNIT_ELSEWHERE = "91620102900003092A", "91620102900002092A"
"""Another enterprise of the same park, and one of another park."""


@dataclass
class Installation:
    office: Office
    home: Home
    app: Any
    published: list[tuple[int, Period, str, str]] = field(default_factory=list)
    at: datetime = START + timedelta(hours=1)

    def submission(
        self,
        park: str,
        *,
        hard: int = 0,
        soft: int = 0,
        name: str = "报表.xlsx",
        reported: bool = False,
        rows: list[dict[str, object]] | None = None,
        period: Period = Q1,
    ) -> str:
        """A submission with recorded findings, without any workbook behind it. ``rows``: soft findings of the test's own."""
        soft += len(rows or ())
        office, data = self.office, f"{park}{hard}{soft}{name}{self.at}".encode()
        got = record_received(
            office.vault, office.ledger, [IncomingFile(name, data)], park=park, period=period, edition="2015",
            channel="portal", now=self.at, actor=f"park_reporter-{park}",
        ).submission  # fmt: skip
        own = rows or []
        rows = (
            [finding(park, "hard", n) for n in range(hard)]
            + [finding(park, "soft", n) for n in range(soft - len(own))]
            + own
        )
        basic = pl.DataFrame(
            {
                "park": [park],
                "unit_id": [UNIT_ELSEWHERE if park == "LBJJ" else UNIT],
                "_file": ["x"],
                "_sheet": ["s"],
                "_row": [8],
                "B02": [NASTY],
            }
        )
        cells = pl.DataFrame(
            schema={"_file": pl.String, "_sheet": pl.String, "form": pl.String, "column": pl.String, "letter": pl.String, "row": pl.Int64}
        )  # fmt: skip
        blob = office.vault.put(Observations({"basic": basic}, cells).to_bytes()).sha256
        result = CheckResult(
            "1", "r" * 64, "o" * 64, blob, office.vault.put(frame_bytes(as_findings(rows))).sha256,
            ("basic", "finance"), {"units": 1, "cells": 3, "hard": hard, "soft": soft, "normalised": 0, "left_out": 0}, hard, soft,
        )  # fmt: skip
        with office.ledger.write() as session:
            record_check(session, got.number, result, now=self.at, actor="x")
            if reported and not hard and not soft:
                report(session, got.number, now=self.at, actor="x")
        return got.number

    def returned(
        self,
        park: str,
        unit: str,
        *,
        hard: int = 0,
        soft: int = 0,
        rows: list[dict[str, object]] | None = None,
        channel: str = "portal",
    ) -> str:
        """An enterprise's return with recorded findings, without any workbook behind it. ``rows``: soft findings of the test's
        own."""
        office, data = self.office, f"{park}{unit}{hard}{soft}{self.at}".encode()
        got, _ = record_return(
            office.vault, office.ledger, IncomingFile("企业.xlsx", data), park=park, period=Q1, edition="2015", unit_id=unit,
            channel=channel, now=self.at, actor=unit,
        )  # fmt: skip
        own, soft = rows or [], soft + len(rows or ())
        rows = [finding(park, "hard", n) for n in range(hard)]
        rows += [finding(park, "soft", n) for n in range(soft - len(own))] + own
        blob = office.vault.put(frame_bytes(as_findings([row | {"unit_id": unit} for row in rows]))).sha256
        counts = {"units": 1, "cells": 3, "hard": hard, "soft": soft, "normalised": 0}
        result = CheckResult("1", "r" * 64, "o" * 64, None, blob, ("basic",), counts, hard, soft)
        with office.ledger.write() as session:
            record_return_check(session, got.number, result, now=self.at, actor="x")
        return got.number

    def token(self, name: str, *scopes: str) -> str:
        """A key of a program for an account."""
        token = secrets.token_hex(16)
        with self.office.ledger.write() as session:
            access.add_token(
                session, token, name, label="t", scopes=scopes, expires_at=self.at + timedelta(days=1), now=self.at
            )
        return token


def finding(park: str, severity: str, n: int) -> dict[str, object]:
    return {
        "rule": "AF02" if severity == "hard" else "AF26", "severity": severity, "form": "finance",
        "unit_id": f"{UNIT[:14]}{n:04d}", "park": park, "sheet": "财务状况", "cell": f"E{8 + n}", "row": 8 + n,
        "column": "F02", "indicator": "主营业务收入", "found": NASTY if n == 0 else f"F01={n},F02=9", "outcome": "failed",
        "message": f"工作表“财务状况” E{8 + n}“主营业务收入”(F02):填报 F01={n},F02=9,主营业务收入大于营业收入;请核对两项后更正。",
        "code": "rule",
    }  # fmt: skip


def user_of(role: str, park: str = "LBGX") -> str:
    return f"{role}-{park}" if role == "park_reporter" else role


#: Where a role that acts for a part of the tree stands; the approver is the other park's, so that LBGX reports alone.
NODES = {"park_approver": "LBJJ", "city": "兰州市", "enterprise": "LBGX"}


def installation(
    root: Path, pool: Pool | None = None, *, second_factor: bool = False, limits: BodyLimits | None = None
) -> Installation:
    home = create_home(root, now=START, organisation="测试统计局")
    ledger = create_ledger(home)
    office = Office(Vault.open(home.vault), ledger, programme())
    kept = CHEAP.hash(PASSWORD)
    with ledger.write() as session:
        add_parks(
            session,
            [
                Park("LBGX", "兰州高新区", kind="zone", province="甘肃省", city="兰州市"),
                Park("LBJJ", "兰州经济区", kind="zone", province="甘肃省", city="白银市"),
                Park("LBGX01", "雁滩园区", kind="sub_park", zone="LBGX", province="甘肃省", city="兰州市"),
            ],
            now=START,
            actor="root",
        )
        for park in ("LBGX", "LBJJ"):
            unit = f"9162010290000{'1' if park == 'LBGX' else '2'}092A"
            record_unit_events(
                session,
                [UnitEvent(unit, "entry", date(2013, 1, 1), park, "", {"B02": NASTY}, "批复")],
                now=START,
                actor="root",
            )
            add_user(
                session,
                user_of("park_reporter", park),
                title=NASTY,
                role="park_reporter",
                park=park,
                now=START,
                actor="root",
            )
        for role in ROLES:
            if role != "park_reporter":
                add_user(
                    session,
                    role,
                    title=ROLES[role],
                    role=role,
                    park=NODES.get(role),
                    unit_id=UNIT if role == "enterprise" else None,
                    now=START,
                    actor="root",
                )
        record_unit_events(
            session, [UnitEvent(OTHER_UNIT, "entry", date(2013, 1, 1), "LBGX", "", {"B02": "邻居公司"}, "批复")], now=START,
            actor="root",
        )  # fmt: skip
        for name in [
            *(user_of("park_reporter", p) for p in ("LBGX", "LBJJ")),
            *(r for r in ROLES if r != "park_reporter"),
        ]:
            access.set_password(session, name, kept, one_time=False, now=START, actor="root")
        open_round(
            session, Q1, edition="2015", deadline=START + timedelta(days=14), now=START, actor="province_statistician"
        )
    made = Installation(office, home, None)
    clock: Callable[[], datetime] = lambda: made.at  # noqa: E731
    settings = Settings(hasher=CHEAP, second_factor=second_factor, limits=limits or BodyLimits(), patience=60)
    portal = portal_of(
        home,
        clock,
        settings,
        office=office,
        pool=pool or Pool(workers=1),
        publish=lambda *what: made.published.append(what),
    )
    made.app = create_app(portal)
    return made
