"""Steps on the ladder of praise and warning, and provided figures: recorded once, never changed, each a link of the trail."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.evaluation_models import LadderEventRow, ProvidedFigureRow
from warehouse.ledger.models import ROLES
from warehouse.ledger.users import User, user

FIGURE_COLUMNS = {
    "scheme": pl.String(),
    "unit": pl.String(),
    "year": pl.Int64(),
    "indicator": pl.String(),
    "value": pl.Float64(),
    "basis": pl.String(),
}


@dataclass(frozen=True)
class LadderStep:
    """A step to be recorded. What the fields mean is said in ``LadderEventRow``."""

    kind: str
    park: str
    year: int
    day: date
    from_rung: str = ""
    to_rung: str = ""
    about: int | None = None
    due: date | None = None
    text: str = ""
    document: str = ""
    responsible: str = ""
    evidence: Sequence[str] = ()
    definition: str = ""


@dataclass(frozen=True)
class LadderRecord:
    """A recorded step."""

    id: int
    step: LadderStep
    recorded_at: datetime
    recorded_by: str


def permitted(session: Session, actor: str, roles: Collection[str], what: str) -> User:
    """The person who acts. Raises RefusalError for somebody unknown, disabled, or in another role."""
    found = user(session, actor)
    if found.disabled:
        raise RefusalError(f"用户“{actor}”已停用。")
    if found.role not in roles:
        named = "、".join(ROLES[r] for r in sorted(roles))
        raise RefusalError(f"{what}须由{named}办理,“{actor}”是{found.role_label}。")
    return found


def record_ladder_step(session: Session, step: LadderStep, *, now: datetime, actor: str) -> LadderRecord:
    """Record one step. That it is allowed is for the caller, who has the definition of the ladder."""
    row = {**asdict(step), "evidence": list(step.evidence), "recorded_at": now, "recorded_by": actor}
    head = trail.append(
        session, at=now, actor=actor, action=f"ladder_{step.kind}", subject=f"park/{step.park}", reason=step.text,
        payload={"year": step.year, "document": step.document, "from": step.from_rung, "to": step.to_rung},
        rows=trail.Rows(LadderEventRow, [row]),
    )  # fmt: skip
    return _record(session.scalars(select(LadderEventRow).where(LadderEventRow.trail_seq == head.seq)).one())


def ladder_records(session: Session, park: str | None = None) -> list[LadderRecord]:
    """The recorded steps of a park, or of all, in the order they were taken."""
    query = select(LadderEventRow).order_by(LadderEventRow.id)
    return [
        _record(row) for row in session.scalars(query if park is None else query.where(LadderEventRow.park == park))
    ]


def _record(row: LadderEventRow) -> LadderRecord:
    step = LadderStep(
        row.kind, row.park, row.year, row.day, row.from_rung, row.to_rung, row.about, row.due, row.text, row.document,
        row.responsible, tuple(row.evidence), row.definition,
    )  # fmt: skip
    return LadderRecord(row.id, step, row.recorded_at, row.recorded_by)


def record_figures(session: Session, rows: Iterable[Mapping[str, Any]], *, file: str, now: datetime, actor: str) -> int:
    """Record provided figures (scheme, unit, year, indicator, value as text, basis); how many were new or changed."""
    known = {(r.scheme, r.unit, r.year, r.indicator): (r.value, r.basis) for r in _latest(session)}
    fresh = [
        dict(row) | {"file": file, "recorded_at": now, "recorded_by": actor}
        for row in rows
        if known.get((row["scheme"], row["unit"], row["year"], row["indicator"])) != (row["value"], row["basis"])
    ]
    if fresh:
        trail.append(
            session, at=now, actor=actor, action="figures_provided", subject="evaluation",
            payload={"figures": len(fresh)}, rows=trail.Rows(ProvidedFigureRow, fresh),
        )  # fmt: skip
    return len(fresh)


def provided_figures(session: Session, through: int | None = None) -> pl.DataFrame:
    """The figures that count (``FIGURE_COLUMNS``): of each scheme, unit, year and indicator the latest; withdrawn ones left out.

    ``through``: as it was when the figure of that number was the last on file (``last_figure``).
    """
    rows = [
        (r.scheme, r.unit, r.year, r.indicator, float(r.value), r.basis)
        for r in _latest(session, through)
        if r.value != ""
    ]
    return pl.DataFrame(rows, schema=FIGURE_COLUMNS, orient="row").sort("scheme", "unit", "year", "indicator")


def last_figure(session: Session) -> int:
    """The number of the last figure on file, 0 for none: what a release says it knew."""
    return session.scalar(select(func.max(ProvidedFigureRow.id))) or 0


def _latest(session: Session, through: int | None = None) -> list[ProvidedFigureRow]:
    query = select(ProvidedFigureRow).order_by(ProvidedFigureRow.id)
    if through is not None:
        query = query.where(ProvidedFigureRow.id <= through)
    return list({(r.scheme, r.unit, r.year, r.indicator): r for r in session.scalars(query)}.values())
