"""Worksheet formulas say what polars and DuckDB say: generated expressions on generated rows with gaps, recalculated."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from schemas.excel_target import Cells, to_excel
from schemas.expression import Node, to_text
from schemas.polars_rows import row_of
from schemas.polars_target import evaluate_rows, prepare_rows
from schemas.typed_expression import FLOAT, Typed
from tests.generated_expressions import CODELISTS, ENV, SCHEMA, conditions, rows
from tests.worksheets import FIRST_ROW, OUTCOMES, Formula, addresses, needs_libreoffice, recalculated

pytestmark = [*needs_libreoffice, pytest.mark.slow]

NAMES = tuple(SCHEMA)
LISTS = {"owner": tuple(CODELISTS["owner"])}
RANGES = {"owner": "owner!$A$1:$A$3", "none": ""}
CLOSE = 1e-9


def close_calls(expression: Typed, frame: pl.DataFrame) -> list[bool]:
    """Rows on which two Float64 values differ in their last digits only: a worksheet takes 15 digits for the whole."""
    doubtful = pl.lit(False)
    for node in expression.walk():
        pairs = node.op in ("eq", "ne", "lt", "le", "gt", "ge", "add", "sub")
        if pairs and all(arg.kind == FLOAT for arg in node.args):
            left, right = (row_of(arg, ENV) for arg in node.args)
            near = ((left.abs() - right.abs()).abs() <= CLOSE * left.abs()).fill_null(False)
            doubtful = doubtful | (near & (left != right).fill_null(False))
    return frame.with_columns(doubtful.alias("#doubtful"))["#doubtful"].to_list()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agreement")


def drawn(examples: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Distinct expressions and distinct rows, as hypothesis draws them: a conversion is dear, so one takes them all."""
    texts: dict[str, None] = {}
    records: dict[str, dict[str, Any]] = {}

    @settings(max_examples=examples, deadline=None)
    @given(conditions, rows)
    def draw(node: Node, batch: list[dict[str, Any]]) -> None:
        texts[to_text(node)] = None
        for row in batch:
            records[str(row)] = {k: None if v == "" else v for k, v in row.items()}

    draw()
    return list(texts), list(records.values())


def test_generated_expressions_have_one_answer(folder: Path) -> None:
    texts, records = drawn(400)
    data = records[:: max(1, len(records) // 40)]
    frame = pl.DataFrame(data, schema=SCHEMA, orient="row")
    cells = [Cells(addresses(NAMES, at), lists=RANGES) for at in range(FIRST_ROW, FIRST_ROW + len(data))]
    formulas = [[to_excel(text, ENV, row) for text in texts] for row in cells]
    found = recalculated(NAMES, data, formulas, LISTS, folder)
    compared, disagreements = 0, []
    for n, text in enumerate(texts):
        expected = evaluate_rows(text, frame, ENV).to_list()
        doubtful = close_calls(ENV.typed(text), prepare_rows(frame, [text], ENV))
        for at, row in enumerate(found):
            if not doubtful[at]:
                compared += 1
                if OUTCOMES.get(row[n], row[n]) is not expected[at]:
                    disagreements.append((text, expected[at], row[n], formulas[at][n], data[at]))
    assert not disagreements, disagreements[:3]
    assert compared > 5000


STRANGE = ("abc", "12", "1,200", "—", " ", "１２", Formula("=1/0"), Formula("=NA()"))
POSSIBLE: dict[str, list[Any]] = {
    "F01": [None, 0, -3, 50],
    "F02": [None, 0, 7, 100],
    "P01": [None, 0, 1, 99],
    "R03": [None, Decimal("0.00"), Decimal("0.50"), Decimal("-12.34")],
    "B11": [None, True, False],
    "B12": [None, date(2012, 2, 29), date(2025, 12, 31)],
}


def test_a_cell_that_holds_something_strange_never_settles_what_its_value_could_change(folder: Path) -> None:
    """Text in a number column, an error: the worksheet says only what is so whatever the reader makes of the cell."""
    texts, records = drawn(200)
    asked = [text for text in texts if any(code in text for code in POSSIBLE)][:120]
    chance = Random(5)
    data, spoilt = [], []
    for row in records[:: max(1, len(records) // 30)]:
        code = chance.choice(sorted(POSSIBLE))
        spoilt.append((row, code))
        data.append({**row, code: chance.choice(STRANGE)})
    cells = [Cells(addresses(NAMES, at), lists=RANGES) for at in range(FIRST_ROW, FIRST_ROW + len(data))]
    formulas = [[to_excel(text, ENV, row) for text in asked] for row in cells]
    found = recalculated(NAMES, data, formulas, LISTS, folder)
    settled = 0
    for at, (row, code) in enumerate(spoilt):
        frame = pl.DataFrame([{**row, code: value} for value in POSSIBLE[code]], schema=SCHEMA, orient="row")
        for n, text in enumerate(asked):
            said = OUTCOMES.get(found[at][n], found[at][n])
            if said is None or any(close_calls(ENV.typed(text), prepare_rows(frame, [text], ENV))):
                continue
            settled += 1
            assert set(evaluate_rows(text, frame, ENV).to_list()) == {said}, (text, code, data[at], formulas[at][n])
    assert settled > 500
