"""What can carry out a rule: polars always; sql, worksheet formulas, VTL and Chinese text where they can say it, else why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from schemas.chinese_text import to_chinese
from schemas.environment import Environment, environment_for
from schemas.errors import DefinitionError
from schemas.excel_cells import Cells, areas_of_rosters, own_areas, own_cells
from schemas.excel_target import to_excel_rule
from schemas.expression import LAGS, expand, operand_column, parse
from schemas.layout import sheet_layout
from schemas.model import AuditRule, Edition, FormKind, Programme
from schemas.period import Period
from schemas.polars_rows import row_of
from schemas.sql_target import to_sql, unsupported
from schemas.vtl_target import to_vtl

TARGETS = ("polars", "sql", "excel", "vtl", "text")
ROWS = 100
SOMEWHERE = "'_codes'!$A$2:$A$9"
PARK = "LBGX"


def targets_of(rule: AuditRule, programme: Programme, edition: Edition) -> dict[str, str]:
    """Target → reason why it cannot say the rule, empty where it can. Annual rules are compiled for the year."""
    last = edition.last_period or edition.first_period
    period = Period(last.year) if "A" in rule.rounds else Period(last.year, 2)
    env = environment_for(programme, period, edition=edition, units=pl.Series([], dtype=pl.String))
    return {
        "polars": _reason(lambda: [row_of(env.typed(text), env) for text in _texts(rule)]),
        "sql": _reason(lambda: _sql(rule, edition, env)),
        "excel": _reason(lambda: to_excel_rule(rule.expression, rule.applies_if, env, _cells(rule, edition, env))),
        "vtl": _reason(lambda: [to_vtl(text, env) for text in _texts(rule)]),
        "text": _reason(lambda: [to_chinese(text, edition.indicators, edition.derivations) for text in _texts(rule)]),
    }


def _texts(rule: AuditRule) -> list[str]:
    return [text for text in (rule.expression, rule.applies_if) if text]


def _reason(compiled: Callable[[], object]) -> str:
    try:
        compiled()
    except DefinitionError as error:
        return error.message.split(":", 1)[-1]
    return ""


def _sql(rule: AuditRule, edition: Edition, env: Environment) -> None:
    beyond = [f for text in _texts(rule) for f in unsupported(expand(parse(text), edition.derivations), "sql")]
    if beyond:
        raise DefinitionError(f"{'、'.join(sorted(set(beyond)))} 要查其他园区、年份或名册")
    for text in _texts(rule):
        to_sql(text, env)


def _cells(rule: AuditRule, edition: Edition, env: Environment) -> Cells:
    """The cells a template of the rule's form has: its own, figures of other periods by unit, code lists of the round."""
    form = edition.forms.get(rule.form)
    if form is None:
        raise DefinitionError(f"没有表 {rule.form}")
    layout = sheet_layout(edition, form, env.period)
    cells = own_cells(layout)
    if form.kind is FormKind.SHEET or len(form.key) == 1:
        cells = {operand_column(code, lag): cells[code] for code in list(cells) for lag in LAGS} | cells
    areas: Mapping[str, str] = own_areas(layout, ROWS)
    if form.kind is FormKind.SHEET:
        rosters = [sheet_layout(edition, f, env.period) for f in edition.forms.values() if f.asked(env.period)]
        areas = areas_of_rosters((other, ROWS) for other in rosters)
    lists = {name: SOMEWHERE for name in env.codelists if name != "unit_register"}
    keyed = {name: {PARK: SOMEWHERE} for name in env.keyed_codelists}
    return Cells(cells, areas, lists, keyed, PARK)
