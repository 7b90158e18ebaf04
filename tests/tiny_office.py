"""A tiny office for tests: a home with a register of a few made-up enterprises, made by the use cases themselves.

Workbooks are the office's own templates filled in by the demo's figures, so what goes in is what a park would send.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from pipelines.checking import IncomingBook
from pipelines.intake import Office, submit
from pipelines.review import accept
from pipelines.templates import template_for
from schemas.catalog import programme, register_of_parks
from schemas.findings import NEEDS_EXPLANATION
from schemas.period import Period
from sources.pool import Pool
from warehouse.home import Home, create_home
from warehouse.ledger import parks, periods
from warehouse.ledger import register as unit_register
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.explanations import finding_key
from warehouse.ledger.migrate import open_ledger, upgrade
from warehouse.ledger.session import ledger_of
from warehouse.vault import Vault
from ytb.demo.figures import Figures
from ytb.demo.filling import fill, saved
from ytb.demo.panel import ZONES, Size, draw

ACTOR = "测试"


@dataclass(frozen=True)
class TinyOffice:
    """The office, its home, and the figures the parks will fill in."""

    office: Office
    home: Home
    figures: Figures

    def open_round(self, period: Period, now: datetime) -> None:
        """Open a round with a month to go."""
        edition = self.office.programme.edition_for(period).id
        with self.office.ledger.write() as session:
            periods.open_round(
                session, period, edition=edition, deadline=now + timedelta(days=30), now=now, actor=ACTOR
            )

    def workbook(self, park: str, period: Period) -> bytes:
        """The template of a park, filled in."""
        template = template_for(self.office, self.office.programme, period, park, as_of=period.end)
        edition = self.office.programme.edition_for(period)
        frames = dict(self.figures.enterprises(park, period))
        for code in ("incubators", "projects", "tasks"):
            if edition.forms[code].asked(period):
                frame = getattr(self.figures, code)(park, period)
                asked = [i.code for i in edition.forms[code].asked(period) if i.code in frame.columns]
                frames[code] = frame.select("unit_id", *asked)
        return saved(fill(template, frames, self.figures.sheet(park, period)))

    def file_and_accept(self, park: str, period: Period, pool: Pool, now: datetime) -> str:
        """The workbook of a park filed, its soft findings explained, and accepted; the number of the submission."""
        books = [IncomingBook(f"{park}.xlsx", self.workbook(park, period))]
        outcome = submit(self.office, books, pool, now=now, actor=ACTOR)
        if outcome.unexplained and outcome.checked:
            soft = outcome.checked.findings.filter(NEEDS_EXPLANATION)
            told = {
                finding_key(f): (
                    "07",
                    f"{period}，{f['unit_id']}的{f['indicator']}:经与企业核对,系本期业务结构调整所致",
                )
                for f in soft.iter_rows(named=True)
            }
            outcome = submit(self.office, books, pool, now=now, actor=ACTOR, explanations=told)
        accept(self.office, outcome.submission.number, now=now + timedelta(hours=1), actor=ACTOR)
        return outcome.submission.number


def tiny_office(root: Path, *, enterprises: int = 16, seed: int = 7) -> TinyOffice:
    """A home at ``root`` with the shipped parks and ``enterprises`` enterprises over the four demo zones."""
    of = programme()
    now = datetime(2014, 1, 2, 9, 0, tzinfo=SHANGHAI)
    home = create_home(root, now=now, organisation="测试统计局")
    upgrade(ledger_of(home))
    office = Office(Vault.open(home.vault), open_ledger(home), of)
    figures = Figures(of, draw(of, Size.of(enterprises), 2016, seed), {})
    listed = [
        parks.Park(
            r["code"], r["name"], r["short_name"], r["kind"], r["class"], r["zone"], r["province"], r["city"],
            r["division_code"], r["groups"], r["valid_from"], r["valid_to"], r["note"],
        )
        for r in register_of_parks(of).iter_rows(named=True)
    ]  # fmt: skip
    firms = figures.year(2014)
    with office.ledger.write() as session:
        parks.add_parks(session, listed, now=now, actor=ACTOR)
        unit_register.record_unit_events(
            session, [_entry(r) for r in firms.iter_rows(named=True)], now=now, actor=ACTOR
        )
    return TinyOffice(office, home, figures)


def _entry(row: dict[str, object]) -> unit_register.UnitEvent:
    own: dict[str, str | None] = {c: str(row[c]) for c in ("B02", "B06", "B07", "B08", "B09", "B12")}
    own |= {"B11": str(int(bool(row["B11"]))), "B16": str(int(bool(row["B16"])))}
    return unit_register.UnitEvent(
        str(row["B01"]), "entry", date(2013, 1, 1), str(row["park"]), str(row["B05"]), own, "入区批复"
    )


__all__ = ["ACTOR", "SHANGHAI", "ZONES", "TinyOffice", "tiny_office"]
