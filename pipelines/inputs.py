"""What products are computed from 加工的输入: facts, register, findings and submissions, as they stand or as a manifest names them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import polars as pl
from sqlalchemy.orm import Session

from pipelines.intake import Office
from pipelines.loading import LOADED_STATES
from pipelines.methods.evaluation_doubts import DOUBT_COLUMNS, LATE, SOFT
from pipelines.methods.reconciliation import RECORD_COLUMNS
from pipelines.population import Population
from pipelines.recent import Recent
from pipelines.records_comparison import kept_records
from schemas.findings import NEEDS_EXPLANATION
from schemas.model import Programme
from schemas.period import Period
from schemas.period_data import PeriodData
from warehouse.ledger.answers import answer_statuses
from warehouse.ledger.evaluations import FIGURE_COLUMNS, last_figure, provided_figures
from warehouse.ledger.periods import rounds
from warehouse.ledger.register import registers_as_of
from warehouse.ledger.releases import releases
from warehouse.ledger.restructurings import SUCCESSIONS, last_restructuring, restructurings, successions_frame
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submissions
from warehouse.vault import Vault


@dataclass
class Inputs:
    """What products are computed from, and nothing else: loaded facts, the register by period, findings by submission."""

    con: duckdb.DuckDBPyConnection
    programme: Programme
    register: Mapping[str, pl.DataFrame]
    findings: Mapping[str, pl.DataFrame]
    submissions: tuple[Submission, ...] = ()
    deadlines: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    released_at: Mapping[str, datetime] = field(default_factory=dict)
    provided: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FIGURE_COLUMNS))
    provided_through: int = 0
    records: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RECORD_COLUMNS))
    successions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SUCCESSIONS))
    restructured_through: int = 0
    _populations: dict[tuple[str, datetime | None], Population] = field(default_factory=dict, repr=False)
    _recent: Recent = field(default_factory=Recent, repr=False)

    def population(self, source: str, as_of: datetime | None = None) -> Population:
        """Facts of ``source`` (``in_force`` or ``effective``), shared by the products of one run."""
        key = (source, as_of)
        if key not in self._populations:
            self._populations[key] = Population(self.con, self.programme, source, as_of, self._register, self._recent)
        return self._populations[key]

    def _register(self, period: Period) -> pl.DataFrame:
        return self.register.get(
            str(period),
            pl.DataFrame(schema={"unit_id": pl.String, "park": pl.String, "sub_park": pl.String, "status": pl.Int64}),
        )

    def silent_parks(self, period: Period) -> list[str]:
        """Parks with units on the register of an annual round whose report is not accepted."""
        filed = {s.park for s in self.submissions if s.period == period and s.state is State.ACCEPTED}
        return sorted(set(self._register(period)["park"].drop_nulls().to_list()) - filed)

    def fourth_quarter(self, year: int) -> PeriodData | None:
        """The observations of a year's last quarter, which hold projects and tasks; None where nobody filed."""
        quarters, period = self.population("effective"), Period(year, 4)
        return quarters.bare(period) if quarters.has(period) else None


def register_frames(
    session: Session, periods: Iterable[Period], *, known: datetime | None = None
) -> dict[str, pl.DataFrame]:
    """Period → register at its end with the answer status that counts: unit_id, park, sub_park, status, B codes.

    ``known``: only from what was recorded before then."""
    found = {}
    wanted = list(periods)
    registers = registers_as_of(session, [period.end for period in wanted], known=known)
    for period in wanted:
        statuses = answer_statuses(session, period, known=known).select("unit_id", "status")
        found[str(period)] = registers[period.end].join(statuses, on="unit_id", how="left", maintain_order="left")
    return found


def live_inputs(office: Office, con: duckdb.DuckDBPyConnection) -> Inputs:
    """Inputs from the ledger as it stands and the loaded warehouse."""
    with office.ledger.read() as session:
        standing = tuple(s for s in submissions(session) if s.state in LOADED_STATES and s.check)
        register = register_frames(session, sorted({s.period for s in standing}, key=str))
        deadlines = {
            str(p): {s.park: r.deadline_of(s.park) for s in standing if s.period == p}
            for p, r in rounds(session).items()
        }
        released = {str(r.period): r.released_at for r in releases(session) if not r.is_withdrawn}
        provided, through = provided_figures(session), last_figure(session)
        records = kept_records(office.vault, session)
        linked, last = successions_frame(restructurings(session)), last_restructuring(session)
    findings = {s.number: findings_of(office.vault, s) for s in standing}
    kept = {p: d for p, d in deadlines.items() if d}
    return Inputs(
        con, office.programme, register, findings, standing, kept, released, provided, through, records, linked, last
    )


def findings_of(vault: Vault, submission: Submission) -> pl.DataFrame:
    """The recorded findings of a checked submission."""
    assert submission.check is not None and submission.check.findings_blob is not None
    return pl.read_ipc(io.BytesIO(vault.read(submission.check.findings_blob)))


def doubts(inputs: Inputs) -> pl.DataFrame:
    """What is doubtful in the annual reports in force: soft findings that were explained, reports after the deadline."""
    frames = [pl.DataFrame(schema=DOUBT_COLUMNS)]
    first: dict[tuple[str, Period], datetime] = {}
    for one in inputs.submissions:
        key = (one.park, one.period)
        first[key] = min(first.get(key, one.received_at), one.received_at)
    for one in inputs.submissions:
        if one.period.round != "A" or one.state is not State.ACCEPTED:
            continue
        of = {"park": pl.lit(one.park), "year": pl.lit(one.period.year, dtype=pl.Int64)}
        findings = inputs.findings[one.number].filter(NEEDS_EXPLANATION)
        code = pl.col("column").fill_null("").str.strip_suffix("_yoy")
        frames.append(findings.select(**of, unit_id=pl.col("unit_id").fill_null(""), code=code, kind=pl.lit(SOFT)))
        closed = inputs.deadlines.get(str(one.period), {}).get(one.park)
        if closed is not None and first[one.park, one.period] > closed:
            row = (one.park, one.period.year, "", "", LATE)
            frames.append(pl.DataFrame([row], schema=DOUBT_COLUMNS, orient="row"))
    return pl.concat(frames)
