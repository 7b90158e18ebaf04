"""The audit run 审核: every rule with three outcomes, every required cell, every bound, as findings with their cells.

Pure: observations, operands and register come in as frames. Nothing is changed, filled or rounded here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from schemas.catalog import edition_for_filer
from schemas.environment import environment_for
from schemas.findings import no_findings
from schemas.model import Edition, Programme
from schemas.observations import Observations
from schemas.period import Period
from schemas.period_data import CONTEXT, PARK, PeriodData
from sources.audit_cells import cells_out_of_bounds, missing_rows, required_cells
from sources.audit_places import located
from sources.audit_plan import marked_column, plan_for
from sources.audit_rosters import Operands, park_sheet, rosters_of
from sources.audit_rules import rule_results
from sources.audit_run import Run

__all__ = ["AuditResult", "Operands", "audit", "marked_column", "park_sheet", "rosters_of", "rule_set_hash"]


@dataclass(frozen=True)
class AuditResult:
    """``findings`` with every problem; ``outcomes``: rule, holds, failed, undetermined, not_applicable counts;
    ``not_run``: rules that need figures of other periods or the register, which a check without a home does not have;
    ``rosters``, ``sheet``: the wide frames the rules ran over."""

    findings: pl.DataFrame
    outcomes: pl.DataFrame
    not_run: tuple[str, ...]
    rule_set_hash: str
    rosters: Mapping[str, pl.DataFrame]
    sheet: pl.DataFrame


def rule_set_hash(edition: Edition, period: Period) -> str:
    """SHA-256 over the rules of the round as they are evaluated."""
    text = "\n".join(
        f"{r.id}\t{r.severity}\t{r.applies_if}\t{r.expression}\t{';'.join(r.absorbed_by)}"
        for r in edition.rules_for(period)
    )
    return hashlib.sha256(text.encode()).hexdigest()


def audit(
    observations: Observations,
    programme: Programme,
    period: Period,
    *,
    park: str,
    operands_of_other_periods: Operands | None = None,
    register: pl.DataFrame | None = None,
    known: pl.DataFrame | None = None,
    file_names: Mapping[str, str] | None = None,
) -> AuditResult:
    """Audit one submission of ``park`` for ``period``.

    ``register``: the units that owe a report, one row a unit with ``unit_id``, ``name`` and ``answer_status`` (null where
    nothing is recorded). ``known``: findings of the reader on the same cells; a cell the reader complained about is not
    reported again as missing. Findings are sorted by form, row, unit, column and rule.
    """
    whole = programme.edition_for(period)
    edition = edition_for_filer(programme, whole, park)
    other = operands_of_other_periods or Operands()
    complete = observations.with_all_columns(edition, period)
    rosters = rosters_of(complete, edition, period, other)
    sheet = park_sheet(complete, edition, period, other, park)
    own_rosters = {name: frame for name, frame in rosters.items() if name not in (PARK, CONTEXT)}
    data = PeriodData(period, own_rosters, sheet, rosters.get(CONTEXT, pl.DataFrame()))
    units = register["unit_id"] if register is not None else None
    run = Run(
        plan_for(programme, whole, edition, period),
        environment_for(programme, period, edition=whole, units=units, data=data),
        complete,
        rosters,
        sheet,
        known if known is not None else no_findings(),
        file_names or {},
    )
    missing = pl.concat([missing_rows(run), cells_out_of_bounds(run), required_cells(run)])
    results = rule_results(run, missing, operands_known=other.known, register=register)
    findings = located(run, pl.concat([missing, results.findings]))
    return AuditResult(findings, results.outcomes, results.not_run, rule_set_hash(whole, period), rosters, sheet)
