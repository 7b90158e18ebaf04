"""An office whose submissions were read from nowhere: frames put straight into vault and ledger, for tests of what comes after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipelines.intake import Office
from schemas.canonical import frame_bytes
from schemas.catalog import programme
from schemas.findings import BLOCKING, NEEDS_EXPLANATION, as_findings
from schemas.observations import CELL_MAP_COLUMNS, KEY_COLUMNS, Observations
from schemas.period import Period
from warehouse.home import Home, create_home
from warehouse.ledger import decisions
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.explanations import NewExplanation, finding_key, record_explanations
from warehouse.ledger.intake import IncomingFile, record_received
from warehouse.ledger.migrate import create_ledger
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.periods import open_round
from warehouse.ledger.register import UnitEvent, record_unit_events
from warehouse.ledger.steps import mark_explained, record_check, report
from warehouse.ledger.submissions import CheckResult, Submission, submission
from warehouse.vault import Vault

START = datetime(2015, 4, 1, 9, 0, tzinfo=SHANGHAI)
ACTOR = "测试"
INDUSTRIES = {"A": "3911", "B": "3911", "C": "6510", "D": "6510"}
PARKS = ("LBGX", "LBJJ")


@dataclass
class PaperOffice:
    """An office with two parks; ``at`` is the time of the next step."""

    office: Office
    home: Home
    at: datetime = START
    opened: set[str] = field(default_factory=set)

    def open(self, period: Period) -> None:
        """Open the round of a period, once."""
        if str(period) not in self.opened:
            self.opened.add(str(period))
            with self.office.ledger.write() as session:
                open_round(
                    session, period, edition=self.office.programme.edition_for(period).id, now=self.at, actor=ACTOR,
                    deadline=max(self.at, datetime.combine(period.end, datetime.min.time(), SHANGHAI)) + timedelta(days=15),
                )  # fmt: skip

    def file(
        self,
        park: str,
        period: Period,
        figures: Mapping[str, Mapping[str, object]],
        *,
        findings: Sequence[Mapping[str, object]] = (),
        told: tuple[str, str] = ("07", "经与企业逐项核对,系新车间投产所致"),
        upto: str = "accepted",
    ) -> Submission:
        """A submission of ``figures`` (unit → code → figure) with recorded findings, taken as far as ``upto``:
        checked, reported or accepted."""
        self.open(period)
        self.at += timedelta(hours=1)
        office = self.office
        edition = office.programme.edition_for(period)
        forms: dict[str, list[dict[str, object]]] = {}
        for n, (unit, values) in enumerate(figures.items()):
            key = {"park": park, "unit_id": unit, "_file": "f" * 64, "_sheet": "s", "_row": 8 + n}
            own: dict[str, dict[str, object]] = {"basic": {}, "finance": {}, "personnel": {}}
            for code, value in {"B01": unit, "B07": INDUSTRIES.get(unit[:1], "3911"), **values}.items():
                own.setdefault(edition.indicators[code].form, {})[code] = value
            for form, cells in own.items():
                forms.setdefault(form, []).append(key | cells)
        frames = {
            form: pl.DataFrame(
                [{**dict.fromkeys(_codes(rows)), **r} for r in rows],
                schema=KEY_COLUMNS | {c: edition.indicators[c].dtype for c in _codes(rows)},
            )
            for form, rows in forms.items()
        }
        found = as_findings([{"park": park, **f} for f in findings])
        number = self._received(park, period, edition.id)
        blob = office.vault.put(Observations(frames, pl.DataFrame(schema=CELL_MAP_COLUMNS)).to_bytes()).sha256
        result = CheckResult(
            "1", "r" * 64, "o" * 64, blob, office.vault.put(frame_bytes(found)).sha256, tuple(frames),
            {"units": len(figures)}, found.filter(BLOCKING).height, found.filter(NEEDS_EXPLANATION).height,
        )  # fmt: skip
        with office.ledger.write() as session:
            record_check(session, number, result, now=self.at, actor=ACTOR)
            soft = found.filter(NEEDS_EXPLANATION)
            if upto != "checked" and not result.blocking:
                if soft.height:
                    given = [NewExplanation(finding_key(f), *told) for f in soft.iter_rows(named=True)]
                    record_explanations(session, number, given, now=self.at, actor=ACTOR)
                    mark_explained(session, number, now=self.at, actor=ACTOR)
                report(session, number, now=self.at, actor=ACTOR)
            if upto == "accepted":
                decisions.accept(session, number, now=self.at, actor=ACTOR)
            return submission(session, number)

    def _received(self, park: str, period: Period, edition: str) -> str:
        files = [IncomingFile("报表.xlsx", f"{park}{period}{self.at}".encode())]
        return record_received(
            self.office.vault, self.office.ledger, files, park=park, period=period, edition=edition, channel="cli",
            now=self.at, actor=ACTOR,
        ).submission.number  # fmt: skip


def _codes(rows: Sequence[Mapping[str, object]]) -> list[str]:
    return [c for c in dict.fromkeys(c for r in rows for c in r) if c not in KEY_COLUMNS]


def soft_finding(unit: str, rule: str, column: str, found: str, form: str = "finance") -> dict[str, object]:
    """A soft finding as the audit records it."""
    return {
        "rule": rule, "severity": "soft", "form": form, "unit_id": unit, "sheet": "财务状况", "cell": "C8", "row": 8, "column": column,
        "indicator": "营业收入", "found": found, "message": f"工作表“财务状况” C8“营业收入”({column}):填报 {found},变动过大;请核实。",
        "code": "rule", "outcome": "failed", "absorbed_by": "",
    }  # fmt: skip


def firm(revenue: int, staff: int = 10, **more: int | Decimal) -> dict[str, object]:
    """The figures of one enterprise."""
    return {"F01": revenue, "P02": staff, **more}


def paper_office(root: Path, units: Mapping[str, Sequence[str]] | None = None) -> PaperOffice:
    """A new office; ``units``: park → its units in the register."""
    home = create_home(root, now=START, organisation="测试统计局")
    office = Office(Vault.open(home.vault), create_ledger(home), programme())
    with office.ledger.write() as session:
        add_parks(
            session,
            [Park("LBGX", "兰州高新区", kind="zone"), Park("LBJJ", "兰州经济区", kind="zone")],
            now=START,
            actor=ACTOR,
        )
        events = [
            UnitEvent(unit, "entry", date(2013, 1, 1), park, "", {"B02": f"{unit}公司", "B07": INDUSTRIES.get(unit[:1], "3911")}, "批复")
            for park, listed in (units or {}).items()
            for unit in listed
        ]  # fmt: skip
        if events:
            record_unit_events(session, events, now=START, actor=ACTOR)
    return PaperOffice(office, home)
