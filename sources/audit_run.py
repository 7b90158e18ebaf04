"""One audit run in progress: plan, frames and what is known already; and the raw form of its findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from schemas.environment import Environment
from schemas.model import Form, FormKind, Indicator
from schemas.observations import Observations
from sources.audit_plan import AuditPlan, PlannedForm

RAW = {
    "rule": pl.String, "severity": pl.String, "form": pl.String, "unit_id": pl.String, "column": pl.String,
    "problem": pl.String, "found": pl.String, "expected": pl.String, "code": pl.String, "outcome": pl.String, "absorbed_by": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """``observations`` are complete: every form due, every column. ``known`` are the reader's findings."""

    plan: AuditPlan
    env: Environment
    observations: Observations
    rosters: Mapping[str, pl.DataFrame]
    sheet: pl.DataFrame
    known: pl.DataFrame
    file_names: Mapping[str, str]

    @cached_property
    def unread(self) -> frozenset[str]:
        """Forms whose sheet is there and could not be read: nothing is known of what they hold."""
        return frozenset(self.known.filter(pl.col("code") == "no_code_row")["form"].to_list())

    def frame_of(self, form: Form) -> pl.DataFrame:
        """The frame whose rows the form's rules are asked of."""
        return self.sheet if form.kind is FormKind.SHEET else self.rosters[form.roster]

    def has_row(self, form: Form) -> pl.Expr:
        """Whether the unit of a row stands on the form."""
        return pl.lit(True) if form.kind is FormKind.SHEET else pl.col(f"_in_{form.code}")

    def is_owed(self, planned: PlannedForm, indicator: Indicator | None = None) -> pl.Expr:
        """Where the form, and then the indicator, is owed; unknown counts as not owed (survey_system 8.3)."""
        owed = pl.lit(True)
        for condition in (planned.applies, planned.indicator_applies.get(indicator.code) if indicator else None):
            if condition is not None:
                owed = owed & condition.on(self.env).fill_null(False)
        return owed


def raw_findings(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Findings before they have a place."""
    return pl.DataFrame(rows, schema=RAW) if rows else pl.DataFrame(schema=RAW)


def on_cell(
    form: Form, unit: str, indicator: Indicator, code: str, problem: str, found: str = "", expected: str = ""
) -> dict[str, object]:
    """A hard finding on one cell that is no rule of its own."""
    return {
        "rule": code, "severity": "hard", "form": form.code, "unit_id": unit, "column": indicator.code, "problem": problem,
        "found": found, "expected": expected, "code": code, "outcome": "failed", "absorbed_by": "",
    }  # fmt: skip
