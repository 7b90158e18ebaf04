"""The gate 入库检验 into ``accepted``: the generated pandera schema of every form, the hard rules on a unit's own figures included.

Findings were reported long before, by the audit; the gate proves by a second engine that nothing slipped through.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandera.errors as pe
import polars as pl

from schemas.environment import Environment, environment_for
from schemas.errors import StorageError
from schemas.expression import expand, functions, operands, parse
from schemas.frame import frame_schema
from schemas.model import AuditRule, Edition, Programme, Severity
from schemas.observations import Observations
from schemas.period import Period
from schemas.polars_target import prepare_rows, row_expr
from sources.audit import Operands, park_sheet, rosters_of
from warehouse.ledger.submissions import Submission

_BEYOND_THE_UNIT = {"SUM", "COUNT", "COUNT_PARK", "in_codelist", "in_roster", "unique"}
_SHOWN_OF_A_CHECK = 60
_CODELISTS = ("gbt4754_class4", "reg_category")


def require_gate(programme: Programme, period: Period, batch: Sequence[tuple[Submission, Observations]]) -> None:
    """Validate submissions of one period together.

    Raises StorageError naming them: what fails here is a fault of ours, and is not loaded.
    """
    edition = programme.edition_for(period)
    codelists = {
        n: frozenset(c.valid(period.end)["code"].to_list()) for n, c in programme.codelists.items() if n in _CODELISTS
    }
    rules = _row_rules(edition, period)
    env = environment_for(programme, period, edition=edition)
    gated: dict[str, list[pl.DataFrame]] = {}
    for submission, observations in batch:
        complete = observations.with_all_columns(edition, period)
        rosters = rosters_of(observations, edition, period)
        rosters["park"] = park_sheet(complete, edition, period, Operands(), submission.park)
        held = _held(edition, rules, rosters, env)
        for code, frame in complete.frames.items():
            rows = frame.filter(pl.col("unit_id").is_not_null())
            if code in held:
                rows = rows.join(held[code], on="unit_id", how="left", maintain_order="left")
            gated.setdefault(code, []).append(rows.with_columns(submission_id=pl.lit(submission.number)))
    for code, frames in gated.items():
        names = tuple(rule.id for rule in rules.get(code, ()))
        schema = frame_schema(edition.forms[code], period, codelists, names, by_submission=True)
        body = pl.concat(frames, how="diagonal")
        try:
            schema.validate(body, lazy=True)
        except (pe.SchemaErrors, pe.SchemaError) as error:
            numbers = "、".join(submission.number for submission, _ in batch)
            raise StorageError(f"{numbers} 的 {code} 表没有通过入库检验,未入库:{_first_failures(error)}") from None


def _first_failures(error: pe.SchemaErrors | pe.SchemaError) -> str:
    cases = getattr(error, "failure_cases", None)
    if not isinstance(cases, pl.DataFrame):
        return str(error)[:_SHOWN_OF_A_CHECK]
    shown = cases.head(3).select("column", "check", "failure_case").iter_rows()
    return ";".join(f"{column} {str(check)[:_SHOWN_OF_A_CHECK]} {value}" for column, check, value in shown)


def _row_rules(edition: Edition, period: Period) -> dict[str, list[AuditRule]]:
    """Form → its hard rules over the unit's own figures of the period."""
    found: dict[str, list[AuditRule]] = {}
    for rule in edition.rules_for(period):
        node = expand(parse(rule.expression), edition.derivations)
        own = not functions(node) & _BEYOND_THE_UNIT and not any(lag for _, lag in operands(node))
        if rule.severity is Severity.HARD and own and edition.forms[rule.form].shown(period):
            found.setdefault(rule.form, []).append(rule)
    return found


def _held(
    edition: Edition, rules: dict[str, list[AuditRule]], rosters: dict[str, pl.DataFrame], env: Environment
) -> dict[str, pl.DataFrame]:
    """Form → unit_id and ``rule:<id>``: whether the rule holds, null where it does not apply or stays undetermined."""
    found = {}
    for code, own in rules.items():
        form = edition.forms[code]
        conditions = {rule.id: [t for t in (rule.applies_if, form.applies_if) if t] for rule in own}
        texts = [t for rule in own for t in (rule.expression, *conditions[rule.id])]
        frame = prepare_rows(rosters[form.roster], list(dict.fromkeys(texts)), env)
        found[code] = frame.select(
            "unit_id",
            *(
                pl.when(*(row_expr(t, env).fill_null(False) for t in conditions[rule.id]), True)
                .then(row_expr(rule.expression, env))
                .alias(f"rule:{rule.id}")
                for rule in own
            ),
        )
    return found
