"""The grammar: every expression of the programme and of the domain notes reads, prints and means something."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from schemas.catalog import programme
from schemas.environment import Environment, environment_for
from schemas.errors import DefinitionError
from schemas.expression import (
    Binary,
    Call,
    Logic,
    Name,
    Unary,
    distributed,
    expand,
    functions,
    names,
    operand_column,
    operands,
    parse,
    to_text,
)
from schemas.model import FormKind
from schemas.period import Period
from schemas.polars_target import prepare_rows, row_expr
from schemas.typed_expression import rosters_of

COLLECTED = [
    line
    for line in (Path(__file__).parent / "expressions.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
PARK = programme("park")
# innovation_survey.md, section 3
FLAGS = {
    "PROD": "N01==1 or N02==1",
    "PROC": "N09==1 or N10==1 or N11==1 or N12==1",
    "ORG": "N13==1 or N14==1",
    "MKT": "N15==1",
    "BPI": "PROC or ORG or MKT",
    "INNO": "PROD or BPI",
    "TECH": "PROD or PROC",
    "ACT": "INNO or N17==1 or N18==1 or R04 > 0",
    "ALL4": "PROD and PROC and ORG and MKT",
    "COOP": "N23==1",
    "IUR": "N25==1 or N26==1",
    "HAMP(x)": "x in (2,3)",
}


def environment(edition: str = "2025", period: str = "2025") -> Environment:
    env = environment_for(PARK, Period.parse(period), edition=PARK.editions[edition])
    return Environment(
        **{f: getattr(env, f) for f in Environment.__dataclass_fields__ if f not in ("derivations", "_series")},
        derivations={**env.derivations, **FLAGS},
    )


ENV = environment()


@pytest.mark.parametrize("text", COLLECTED)
def test_every_collected_expression_reads_prints_and_means_something(text: str) -> None:
    node = parse(text)
    assert parse(to_text(node)) == node
    assert distributed(distributed(node)) == distributed(node)
    ENV.typed(node)


@pytest.mark.parametrize("edition", sorted(PARK.editions))
def test_every_expression_of_the_programme_means_something(edition: str) -> None:
    e, env = PARK.editions[edition], environment(edition)
    for rule in e.rules:
        env.typed(rule.expression)
        if rule.applies_if:
            env.typed(rule.applies_if)
    for indicator in e.indicators.values():
        for text in filter(None, (indicator.applies_if, indicator.derived)):
            env.typed(text)
    formulas = [i.formula for index in e.indexes.values() for i in index.indicators]
    formulas += [t.formula for t in e.targets] + [w.formula for w in e.warnings]
    assert len([env.typed(text) for text in formulas if text]) > 100


@pytest.mark.parametrize("height", [0, 1, 3])
def test_every_rule_runs_on_a_park_that_reported_nothing(height: int) -> None:
    edition = PARK.editions["2025"]
    blank = {code: i.dtype for code, i in edition.indicators.items()} | {
        "park": pl.String(),
        "answer_status": pl.String(),
    }
    frame = pl.DataFrame({name: [None] * height for name in blank}, schema=blank)
    rules = {r.id: r for r in edition.rules}
    ready = prepare_rows(frame, [r.expression for r in rules.values()], ENV)
    found = ready.with_columns(row_expr(r.expression, ENV).alias(f"={r.id}") for r in rules.values())
    assert found.height == height
    assert all(found.schema[f"={name}"] == pl.Boolean for name in rules)
    for name, rule in rules.items():
        outcomes = found[f"={name}"].to_list()
        speaks_of_blanks = functions(parse(rule.expression)) & {"isnull", "notnull", "nz", "unique", "in_roster"}
        assert speaks_of_blanks or set(outcomes) <= {None}, name
        single = prepare_rows(frame, [rule.expression], ENV).with_columns(row_expr(rule.expression, ENV).alias("="))
        assert single["="].to_list() == outcomes


def test_rules_stay_on_the_rows_of_their_form() -> None:
    edition = PARK.editions["2025"]
    for rule in edition.rules:
        form = edition.forms[rule.form]
        home = {FormKind.SHEET: "park", FormKind.CONTEXT: "context"}.get(form.kind, form.roster)
        assert rosters_of(ENV.typed(rule.expression)) <= {home}, rule.id


def test_precedence() -> None:
    assert parse("a or b and not c == 1 + 2 * -d") == Logic(
        "or",
        (
            Name("a"),
            Logic(
                "and",
                (
                    Name("b"),
                    Unary("not", parse("c == 1 + 2 * -d")),
                ),
            ),
        ),
    )
    assert parse("1 - 2 - 3") == Binary("-", parse("1 - 2"), parse("3"))
    assert parse("a / b / c") == Binary("/", parse("a / b"), Name("c"))
    assert to_text(parse("a - (b - c)")) == "a - (b - c)"
    assert to_text(parse("((a)) == ((b))")) == "a == b"
    assert to_text(parse("(x > 0) == (y > 0)")) == "(x > 0) == (y > 0)"
    assert to_text(parse("a or (b or c)")) == "a or (b or c)"
    assert to_text(parse("a  in(1,'x',-2)")) == "a in (1, 'x', -2)"
    assert to_text(parse("O02 / O01 <= 0.70")) == "O02 / O01 <= 0.70"


@pytest.mark.parametrize(
    ("text", "where", "complaint"),
    [
        ("", "第1行第1列", "表达式为空"),
        ("F01 = 1", "第1行第5列", "相等写“==”"),
        ("F01 <=", "第1行第7列", "实为结尾"),
        ("(F01", "第1行第5列", "应有“)”"),
        ("F01 < F02 < F03", "第1行第11列", "比较不能连写"),
        ("F01 not in (1)", "第1行第5列", "没有 not in"),
        ("F01 in (F02)", "第1行第9列", "只能是常量"),
        ("F01 == 'a", "第1行第8列", "缺右引号"),
        ('F01 == "a"', "第1行第8列", "请改用半角单引号"),
        ("F01 （1）", "第1行第5列", "半角"),
        ("3F01", "第1行第1列", "数字“3”后不能直接接“F”"),
        ("1.2.3", "第1行第1列", "不能直接接“.”"),
        ("F01 > 0 F02", "第1行第9列", "多余的“F02”"),
        ("F01 >\n  * 2", "第2行第3列", "实为“*”"),
        ("F01 ** 2", "第1行第6列", "实为“*”"),
        ("SUM(, F01)", "第1行第5列", "实为“,”"),
        ("F01 if 1", "第1行第5列", "制度的规则没有 if"),
        ("F01[0]", "第1行第4列", "不认识的符号“[”"),
        ("1234567890123456 > 0", "第1行第1列", "有效数字"),
    ],
)
def test_errors_name_line_and_column_and_what_to_do(text: str, where: str, complaint: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(complaint)) as error:
        parse(text)
    assert error.value.where == where


@pytest.mark.parametrize(
    "text", ["(" * 200 + "a" + ")" * 200, "not " * 500 + "a", "-" * 900 + "a", "+".join("a" * 3000), "a" * 9000]
)
def test_monstrous_expressions_are_refused_without_harm(text: str) -> None:
    with pytest.raises(DefinitionError):
        parse(text)


def test_names_functions_and_operands() -> None:
    node = parse("quarter == 1 or yoy(F01 / nz(F02)) >= prev(F01) and industry('C39') and unique(B01, B03)")
    assert names(node) == {"quarter", "F01", "F02", "B01", "B03"}
    assert functions(node) == {"yoy", "nz", "prev", "industry", "unique"}
    assert operands(node) == {("F01", "yoy"), ("F02", "yoy"), ("F01", "prev"), ("B07", ""), ("B01", "")}
    assert [operand_column(code, lag) for code, lag in (("F01", ""), ("F01", "q4"))] == ["F01", "F01_q4"]


def test_lags_move_to_the_names() -> None:
    assert to_text(distributed(parse("yoy(SUM(F13) / SUM(F01))"))) == "SUM(yoy(F13)) / SUM(yoy(F01))"
    assert to_text(distributed(parse("yoy(COUNT(F13 < 0 and year(B25) == period_year))"))) == (
        "COUNT(yoy(F13) < 0 and year(yoy(B25)) == period_year - 1)"
    )
    assert distributed(parse("yoy(yoy(F01))".replace("yoy(yoy", "nz(yoy"))) == Call("nz", (Name("F01", "yoy"),))
    with pytest.raises(DefinitionError, match="不能嵌套"):
        distributed(parse("yoy(yoy(F01))"))
    with pytest.raises(DefinitionError, match="不能用 quarter"):
        distributed(parse("prev(F01 + quarter)"))


def test_derivations_are_macros() -> None:
    assert to_text(expand(parse("COUNT(INNO) + 1"), FLAGS)).startswith("COUNT((N01 == 1 or N02 == 1) or ((N09 == 1")
    assert to_text(expand(parse("COUNT(HAMP(N32) or HAMP(N33))"), FLAGS)) == "COUNT(N32 in (2, 3) or N33 in (2, 3))"
    assert to_text(expand(parse("TWICE(F01 + 1)"), {"TWICE(x)": "x * 2"})) == "(F01 + 1) * 2"
    with pytest.raises(DefinitionError, match="循环引用:A → B → A"):
        expand(parse("A"), {"A": "B or B", "B": "not A"})
    with pytest.raises(DefinitionError, match="HAMP 要 1 个参数"):
        expand(parse("HAMP"), FLAGS)
    with pytest.raises(DefinitionError, match="名称用字母和数字"):
        expand(parse("F01"), {"nz": "F01"})
    with pytest.raises(DefinitionError, match="没有代码或派生变量“INNO”"):
        Environment(Period(2025), ENV.variables).typed("COUNT(INNO)")


def test_a_parameter_is_not_caught_by_a_derivation_of_the_same_name() -> None:
    rules = {"HIGH(x)": "x in (2, 3)", "x": "N01 == 1"}
    assert to_text(expand(parse("HIGH(N32) or x"), rules)) == "N32 in (2, 3) or N01 == 1"
