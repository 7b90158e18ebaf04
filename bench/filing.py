"""A home with everything a round leaves behind: register, submissions accepted, observations in the vault.

Everything goes through the ledger's own functions, each step a transaction on disk; only workbooks, reading and audit are
left out (bench/reading.py measures those).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from bench.area import ROUNDS, Area, Block, context_of, observations_of
from pipelines.intake import Office
from schemas.canonical import frame_bytes
from schemas.findings import no_findings
from schemas.observations import Observations
from schemas.period import Period
from sources.reader import READER_VERSION
from warehouse.home import Home, create_home, open_home
from warehouse.ledger.answers import AnswerStatus, record_answer_statuses
from warehouse.ledger.decisions import accept
from warehouse.ledger.intake import IncomingFile, record_received
from warehouse.ledger.migrate import create_ledger
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.periods import open_round
from warehouse.ledger.register import UnitEvent, record_unit_events
from warehouse.ledger.steps import record_check, report
from warehouse.ledger.submissions import CheckResult
from warehouse.vault import Vault
from ytb.demo.run import AREA

WHO, NOW = "bench", datetime(2016, 3, 1, 1, 0, tzinfo=UTC)
DEADLINE = NOW + timedelta(days=30)
ATTRIBUTES = ("B02", "B06", "B07", "B08", "B09", "B12")


@dataclass
class Filed:
    """What was put in, and how long the ledger took."""

    submissions: int = 0
    units: int = 0
    cells: int = 0
    register_seconds: float = 0.0
    drawing_seconds: float = 0.0
    filing_seconds: float = 0.0


def office_at(root: Path, area: Area) -> tuple[Office, Home]:
    """The installation at ``root``, with the programme of ``area``; one kept from an older version is brought up to this."""
    home = open_home(root)
    return Office(Vault(home.vault), create_ledger(home), area.programme), home


def file_everything(
    root: Path, area: Area, progress: Callable[[str], None], rounds: Sequence[Period] = ROUNDS
) -> dict[str, Any]:
    """A new home at ``root`` with every submission of ``rounds`` accepted; counts and seconds."""
    home = create_home(root, now=NOW, organisation="示例统计局")
    office = Office(Vault(home.vault), create_ledger(home), area.programme)
    filed = Filed()
    with office.ledger.write() as session:
        add_parks(session, _listed_parks(area), now=NOW, actor=WHO)
        for period in rounds:
            edition = area.programme.edition_for(period).id
            open_round(session, period, edition=edition, deadline=DEADLINE, now=NOW, actor=WHO)
    for n, block in enumerate(area.blocks()):
        progress(f"block {n}: {', '.join(block.parks.values())}")
        _file_block(office, block, filed, rounds)
    for period in rounds:
        if period.round == "A":
            _file(office, AREA, period, context_of(area.programme, period.year), filed)
    return filed.__dict__


def _listed_parks(area: Area) -> list[Park]:
    rows = area.programme.codelists["parks"].rows.iter_rows(named=True)
    return [
        Park(
            r["code"], r["name"], r["short_name"], r["kind"], r["class"], r["zone"], r["province"], r["city"], r["division_code"], r["groups"],
            entry_date=r["valid_from"], exit_date=r["valid_to"], note=r["note"],
        )
        for r in rows
    ]  # fmt: skip


def _file_block(office: Office, block: Block, filed: Filed, rounds: Sequence[Period]) -> None:
    begun = time.perf_counter()
    events = list(_unit_events(block, sorted({period.year for period in rounds})))
    drawn = time.perf_counter()
    with office.ledger.write() as session:
        record_unit_events(session, events, now=NOW, actor=WHO)
    filed.units += sum(e.kind == "entry" for e in events)
    filed.drawing_seconds += drawn - begun
    filed.register_seconds += time.perf_counter() - drawn
    for period in rounds:
        for zone, park in block.parks.items():
            begun = time.perf_counter()
            observations = observations_of(block, zone, period)
            filed.drawing_seconds += time.perf_counter() - begun
            _file(office, park, period, observations, filed)


def _unit_events(block: Block, years: Sequence[int]) -> Iterator[UnitEvent]:
    """Entries and exits of 2014 and 2015; in these years nobody moves."""
    known: set[str] = set()
    for year in years:
        day = date(2013 if year == years[0] else year, 1, 1)
        firms = block.figures.year(year).filter(pl.col("park").is_in(list(block.parks)))
        there = set(firms["B01"])
        for unit in sorted(known - there):
            yield UnitEvent(unit, "exit", day, basis="示例")
        for row in firms.filter(~pl.col("B01").is_in(list(known))).iter_rows(named=True):
            own = {c: str(row[c]) for c in ATTRIBUTES} | {"B11": str(int(row["B11"])), "B16": str(int(row["B16"]))}
            sub_park = row["B05"] if block.is_shipped else ""
            yield UnitEvent(row["B01"], "entry", day, block.parks[row["park"]], sub_park, own, "示例")
        known = there


def _file(office: Office, park: str, period: Period, observations: Observations, filed: Filed) -> None:
    """One submission from its receipt to its acceptance."""
    begun = time.perf_counter()
    blob = observations.to_bytes()
    edition = office.programme.edition_for(period).id
    kind, moment = {"channel": "bench", "actor": WHO}, NOW
    book = IncomingFile(f"{period}_{park}.xlsx", blob)
    number = record_received(
        office.vault, office.ledger, [book], park=park, period=period, edition=edition, now=moment, **kind
    ).submission.number
    check = CheckResult(
        READER_VERSION, "bench", "", office.vault.put(blob).sha256, office.vault.put(frame_bytes(no_findings())).sha256,
        tuple(observations.frames), {}, 0, 0,
    )  # fmt: skip
    with office.ledger.write() as session:
        record_check(session, number, check, now=moment, actor=WHO)
        if "basic" in observations.frames:
            answers = [AnswerStatus(unit, park, 0, number) for unit in observations.frames["basic"]["unit_id"]]
            record_answer_statuses(session, period, answers, now=moment, actor=WHO)
        report(session, number, now=moment, actor=WHO)
        accept(session, number, now=moment, actor=WHO)
    filed.submissions += 1
    frames = observations.frames.values()
    filed.cells += sum(f.height * f.width - sum(f.null_count().row(0)) for f in frames if f.height)
    filed.filing_seconds += time.perf_counter() - begun
