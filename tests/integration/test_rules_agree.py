"""Every rule of the shipped programme says the same in polars, in DuckDB and in a recalculated worksheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from schemas.catalog import programme
from schemas.environment import Environment, environment_for
from schemas.errors import DefinitionError
from schemas.excel_target import Cells, to_excel_rule
from schemas.expression import expand, functions, operand_column, parse
from schemas.model import AuditRule, Edition
from schemas.period import Period
from schemas.polars_rows import columns_of, dtype_of
from schemas.polars_target import evaluate_rows, prepare_rows
from schemas.sql_target import to_sql, unsupported
from tests.generated_rows import records
from tests.worksheets import FIRST_ROW, OUTCOMES, addresses, columns, needs_libreoffice, recalculated

pytestmark = pytest.mark.slow

PROGRAMME = programme()
CASES = [("2025", Period(2025)), ("2025", Period(2025, 2)), ("2015", Period(2014)), ("2015", Period(2014, 2))]
PARK = "LBGX"
ROWS = 60
DUCKDB = duckdb.connect()


def rules_of(edition: Edition, period: Period) -> list[AuditRule]:
    return [r for r in edition.rules_for(period) if not rule_functions(r, edition) & {"SUM", "COUNT", "COUNT_PARK"}]


def rule_functions(rule: AuditRule, edition: Edition) -> frozenset[str]:
    return functions(expand(parse(rule.expression), edition.derivations))


class Generated:
    """One frame with every column the rules of a period read."""

    def __init__(self, edition_id: str, period: Period) -> None:
        self.edition = PROGRAMME.editions[edition_id]
        self.env: Environment = environment_for(PROGRAMME, period, edition=self.edition)
        self.rules = rules_of(self.edition, period)
        kinds = {}
        for rule in self.rules:
            for text in filter(None, (rule.expression, rule.applies_if)):
                kinds |= {operand_column(*name): kind for name, kind in columns_of(self.env.typed(text)).items()}
        self.names = tuple(sorted(kinds))
        codes = {name: sorted(found) for name, found in self.env.codelists.items()}
        self.rows = records(self.edition, self.names, codes, ROWS, seed=period.year + (period.quarter or 0))
        for row in self.rows:
            if "B04" in row:
                row["B04"] = PARK if row["B04"] is not None else None
        schema = {name: dtype_of(kinds[name]) for name in self.names}
        self.frame = pl.DataFrame(self.rows, schema=schema, orient="row").with_columns(
            park=pl.lit(PARK), answer_status=pl.lit(None, dtype=pl.String)
        )

    def expected(self, rule: AuditRule) -> list[bool | None]:
        holds = evaluate_rows(rule.expression, self.frame, self.env).to_list()
        if not rule.applies_if:
            return holds
        applies = evaluate_rows(rule.applies_if, self.frame, self.env).to_list()
        return [h if a else True for h, a in zip(holds, applies, strict=True)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def generated(request: pytest.FixtureRequest) -> Generated:
    return Generated(*request.param)


def test_sql_says_what_polars_says(generated: Generated) -> None:
    compared = 0
    for rule in generated.rules:
        node = expand(parse(rule.expression), generated.edition.derivations)
        if unsupported(node, "sql"):
            continue
        frame = prepare_rows(generated.frame, [rule.expression], generated.env).with_row_index("#row")
        DUCKDB.register("frame", frame)
        text = to_sql(rule.expression, generated.env)
        found = DUCKDB.sql(f'select v from (select "#row", {text} as v from frame) order by "#row"').fetchall()
        expected = evaluate_rows(rule.expression, generated.frame, generated.env).to_list()
        assert [v for (v,) in found] == expected, rule.id
        compared += len(expected)
    assert compared > 40 * ROWS


@pytest.mark.libreoffice
@needs_libreoffice[1]
def test_a_worksheet_says_what_polars_says(generated: Generated, tmp_path: Path) -> None:
    env, names = generated.env, generated.names
    lists = {name: f"{name}!$A$1:$A${len(codes)}" if codes else "" for name, codes in env.codelists.items()}
    keyed = {name: {PARK: f"{name}_of!$A$1:$A${len(found[PARK])}"} for name, found in env.keyed_codelists.items()}
    area = columns(names, ROWS)
    cells = [Cells(addresses(names, at), area, lists, keyed, PARK) for at in range(FIRST_ROW, FIRST_ROW + ROWS)]
    told, formulas = [], []
    for rule in generated.rules:
        try:
            formulas.append([to_excel_rule(rule.expression, rule.applies_if, env, row) for row in cells])
            told.append(rule)
        except DefinitionError as error:
            assert "不能写成工作表公式" in error.message
    beside: dict[str, Any] = {name: sorted(codes) for name, codes in env.codelists.items() if codes}
    beside |= {f"{name}_of": sorted(found[PARK]) for name, found in env.keyed_codelists.items()}
    found = recalculated(names, generated.rows, list(zip(*formulas, strict=True)), beside, tmp_path)
    outcomes = {True: 0, False: 0, None: 0}
    for n, rule in enumerate(told):
        for at, expected in enumerate(generated.expected(rule)):
            assert OUTCOMES.get(found[at][n], found[at][n]) is expected, (rule.id, rule.expression, generated.rows[at])
            outcomes[expected] += 1
    assert min(outcomes.values()) > 200 and len(told) > 40
