"""VTL text says what polars says, carried out by the package ``vtlengine``: ``make vtl`` runs it in an environment of its own (tests/vtl.lock)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from schemas.catalog import programme
from schemas.environment import Environment, environment_for
from schemas.errors import DefinitionError
from schemas.expression import Node, operand_column, to_text
from schemas.period import Period
from schemas.polars_rows import columns_of, dtype_of
from schemas.polars_target import evaluate_rows, prepare_rows
from schemas.typed_expression import FLOAT, Typed
from schemas.vtl_target import to_vtl, vtl_ruleset
from tests.generated_expressions import ENV, SCHEMA, conditions, rows
from tests.generated_rows import records

vtlengine = pytest.importorskip("vtlengine", reason="vtlengine wants an older pyarrow than the product: run make vtl")
pytestmark = pytest.mark.slow

PROGRAMME = programme()
AT_ONCE = 20


def vtl_type(dtype: Any) -> str:
    match dtype:
        case pl.Int64():
            return "Integer"
        case pl.Decimal() | pl.Float64():
            return "Number"
        case pl.Boolean():
            return "Boolean"
        case pl.Date():
            return "Date"
    return "String"


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def points_of(frame: pl.DataFrame) -> tuple[dict[str, Any], Any]:
    """The structure of a frame and its rows as the engine takes them."""
    import pandas as pd

    measures = [{"name": n, "type": vtl_type(t), "role": "Measure", "nullable": True} for n, t in frame.schema.items()]
    key = {"name": "Id_", "type": "Integer", "role": "Identifier", "nullable": False}
    structures = {"datasets": [{"name": "DS", "DataStructure": [key, *measures]}]}
    data = {name: [plain(v) for v in frame[name].to_list()] for name in frame.columns}
    return structures, pd.DataFrame({"Id_": range(frame.height), **data}, dtype=object)


def outcomes(texts: Sequence[str], frame: pl.DataFrame) -> list[list[bool | None]]:
    """What the engine makes of each condition on every row."""
    import pandas as pd

    structures, points = points_of(frame)
    found: list[list[bool | None]] = []
    for start in range(0, len(texts), AT_ONCE):
        part = texts[start : start + AT_ONCE]
        names = [f"X{n}" for n in range(len(part))]
        said = ", ".join(f"{name} := {text}" for name, text in zip(names, part, strict=True))
        script = f"R <- DS[calc {said}][keep {', '.join(names)}];"
        # Its pandas engine (1.9.6) puts the rows of an "if" in another order than those of the operands beside it.
        result = vtlengine.run(script, structures, {"DS": points.copy()}, use_duckdb=True)
        table = result["R"].data.sort_values("Id_")
        found += [[None if pd.isna(v) else bool(v) for v in table[name]] for name in names]
    return found


def compared(texts: Mapping[str, str], frame: pl.DataFrame, env: Environment) -> list[tuple[Any, ...]]:
    """Where the engine and polars differ: (expression, VTL text, expected, found, row)."""
    said = outcomes(list(texts.values()), frame)
    wrong: list[tuple[Any, ...]] = []
    for (text, vtl), results in zip(texts.items(), said, strict=True):
        expected = evaluate_rows(text, frame, env).to_list()
        for at, (want, got) in enumerate(zip(expected, results, strict=True)):
            if want is not got:
                wrong.append((text, vtl, want, got, {k: v for k, v in frame.row(at, named=True).items() if k in text}))
    return wrong


def has_fractions(typed: Typed) -> bool:
    """Whether Float64 values are compared: the engine compares them to ten significant digits."""
    return any(node.kind == FLOAT for node in typed.walk())


def test_generated_expressions_have_one_answer() -> None:
    texts: dict[str, str] = {}
    seen: dict[str, dict[str, Any]] = {}

    @settings(max_examples=250, deadline=None)
    @given(conditions, rows)
    def draw(node: Node, batch: list[dict[str, Any]]) -> None:
        typed = ENV.typed(to_text(node))
        if not has_fractions(typed) and columns_of(typed):
            try:
                texts[to_text(node)] = to_vtl(node, ENV)
            except DefinitionError as error:
                assert "不能写成 VTL" in error.message
        seen.update({str(row): {k: None if v == "" else v for k, v in row.items()} for row in batch})

    draw()
    frame = pl.DataFrame(list(seen.values())[:: max(1, len(seen) // 40)], schema=SCHEMA, orient="row")
    wrong = compared(texts, prepare_rows(frame, list(texts), ENV), ENV)
    assert not wrong, wrong[:3]
    assert len(texts) > 60


@pytest.mark.parametrize(("edition_id", "period"), [("2025", Period(2025)), ("2015", Period(2014))])
def test_every_rule_it_can_say_has_one_answer(edition_id: str, period: Period) -> None:
    edition = PROGRAMME.editions[edition_id]
    env = environment_for(PROGRAMME, period, edition=edition)
    texts: dict[str, str] = {}
    kinds: dict[str, Any] = {}
    for rule in edition.rules_for(period):
        try:
            texts[rule.expression] = to_vtl(rule.expression, env)
        except DefinitionError as error:
            assert "不能写成 VTL" in error.message
            continue
        kinds |= {
            operand_column(*name): dtype_of(kind) for name, kind in columns_of(env.typed(rule.expression)).items()
        }
    codes = {name: sorted(found) for name, found in env.codelists.items()}
    drawn = records(edition, sorted(kinds), codes, 60, seed=7)
    frame = pl.DataFrame(drawn, schema={name: kinds[name] for name in sorted(kinds)}, orient="row")
    wrong = compared(texts, frame, env)
    assert not wrong, wrong[:3]
    assert len(texts) > 100


@pytest.mark.parametrize("form", sorted(PROGRAMME.editions["2025"].forms))
def test_the_ruleset_of_a_form_is_valid_vtl_and_says_what_polars_says(form: str) -> None:
    import pandas as pd

    edition = PROGRAMME.editions["2025"]
    env = environment_for(PROGRAMME, Period(2025), edition=edition)
    of_form = [r for r in edition.rules if r.form == form]
    text, left_out = vtl_ruleset(f"{form}_rules", of_form, env)
    rules = [r for r in of_form if r.id not in left_out]
    kinds: dict[str, Any] = {}
    for said in (t for r in rules for t in (r.expression, r.applies_if) if t):
        kinds |= {operand_column(*name): dtype_of(kind) for name, kind in columns_of(env.typed(said)).items()}
    names = sorted(kinds)
    codes = {name: sorted(found) for name, found in env.codelists.items()}
    drawn = records(edition, names, codes, 30, seed=3)
    frame = pl.DataFrame(drawn, schema={name: kinds[name] for name in names}, orient="row")
    structures, points = points_of(frame)
    script = f"{text}\nR <- check_datapoint(DS, {form}_rules all);"
    found = vtlengine.run(script, structures, {"DS": points}, use_duckdb=True)["R"].data
    said_of = {
        (row.ruleid, row.Id_): None if pd.isna(row.bool_var) else bool(row.bool_var) for row in found.itertuples()
    }
    for rule in rules:
        holds = evaluate_rows(rule.expression, frame, env).to_list()
        applies = evaluate_rows(rule.applies_if, frame, env).to_list() if rule.applies_if else [True] * frame.height
        for at, (wanted, asked) in enumerate(zip(holds, applies, strict=True)):
            assert not asked or said_of[rule.id, at] is wanted, (rule.id, drawn[at])
