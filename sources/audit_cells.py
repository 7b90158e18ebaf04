"""Completeness and bounds: rows and cells that are owed and missing, signs and codes that no rule checks."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from schemas.model import ValueType
from schemas.observations import ENTERPRISE_ROSTER
from sources.audit_plan import PlannedForm
from sources.audit_run import Run, on_cell, raw_findings


def missing_rows(run: Run) -> pl.DataFrame:
    """Units that stand on one enterprise form but have no row on another they owe.

    Forms without a single required indicator ask nothing of most units; a blank row would be no row. Of a sheet that could
    not be read as a whole that alone is said.
    """
    rows: list[dict[str, object]] = []
    frame = run.rosters.get(ENTERPRISE_ROSTER)
    for planned in run.plan.forms.values() if frame is not None and frame.height else ():
        form = planned.form
        if form.roster != ENTERPRISE_ROSTER or form.code in run.unread or not any(i.required for i in planned.asked):
            continue
        if frame is None or frame[f"_in_{form.code}"].all():
            continue
        absent = frame.filter(~pl.col(f"_in_{form.code}") & run.is_owed(planned))["unit_id"]
        problem = "表“{}”中没有单位 {} 的行;请补报这一行,各表代码写得不一致的请改为一致。"
        rows += [
            on_cell(form, unit, planned.asked[0], "missing_row", problem.format(form.title, unit)) for unit in absent
        ]
    return raw_findings(rows)


def required_cells(run: Run) -> pl.DataFrame:
    """Required cells that are blank on a row that owes them; a cell the reader complained about is not reported again."""
    rows: list[dict[str, object]] = []
    known = set(run.known.select("form", "unit_id", "column").drop_nulls().iter_rows())
    for planned in run.plan.forms.values():
        rows += _required_on(run, planned, known)
    return raw_findings(rows)


def _required_on(run: Run, planned: PlannedForm, known: set[tuple[str, str, str]]) -> list[dict[str, object]]:
    form = planned.form
    if not planned.is_shown:
        return []
    frame = run.frame_of(form)
    asked = [i for i in planned.asked if i.required and frame[i.code].null_count()]
    if not asked:
        return []
    masks = frame.select(
        (pl.col(i.code).is_null() & run.has_row(form) & run.is_owed(planned, i)).alias(i.code) for i in asked
    )
    rows: list[dict[str, object]] = []
    for i in asked:
        if not masks[i.code].any():
            continue
        remedy = "必填项未填;请补填,没有发生额的填 0。" if i.type is ValueType.NUMBER else "必填项未填;请补填。"
        units = frame["unit_id"].filter(masks[i.code])
        rows += [
            on_cell(form, unit, i, "required", remedy, expected="应填写")
            for unit in units
            if (form.code, unit, i.code) not in known
        ]
    return rows


def cells_out_of_bounds(run: Run) -> pl.DataFrame:
    """Signs and code options that no rule of its own checks: one cause, one finding."""
    rows: list[dict[str, object]] = []
    for planned in run.plan.forms.values():
        rows += _out_of_bounds_on(run, planned)
    return raw_findings(rows)


def _has_negative(figures: pl.Series) -> bool:
    least = figures.min()
    return isinstance(least, int | Decimal) and least < 0


def _out_of_bounds_on(run: Run, planned: PlannedForm) -> list[dict[str, object]]:
    form, bounds = planned.form, planned.bounds
    if not bounds:
        return []
    frame = run.frame_of(form)
    bounds = tuple(b for b in bounds if b.code != "sign" or _has_negative(frame[b.indicator.code]))
    if not bounds:
        return []
    broken = frame.select(b.broken.any().alias(str(n)) for n, b in enumerate(bounds)).row(0)
    rows: list[dict[str, object]] = []
    for bound in (b for b, some in zip(bounds, broken, strict=True) if some):
        code = bound.indicator.code
        hits = frame.filter(bound.broken.fill_null(False) & run.has_row(form)).select("unit_id", code)
        rows += [
            on_cell(form, unit, bound.indicator, bound.code, bound.problem, str(value), bound.expected)
            for unit, value in hits.iter_rows()
        ]
    return rows
