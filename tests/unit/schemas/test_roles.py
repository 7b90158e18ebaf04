"""Codes with a meaning of their own: reserved ones, and those a programme names by role."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.lint import lint
from schemas.model import Edition, ValueType
from schemas.reserved import BASIC, INDUSTRY, NAME, RESERVED, SIZE
from schemas.roles import Roles, roles_of

PROGRAMME = programme()
EDITION = PROGRAMME.editions["2025"]
ROOT = Path(__file__).parents[3]
ENGINES = ("exports", "pipelines", "schemas", "sources", "warehouse", "ytb")
A_CODE = re.compile(r"""["'][A-Z][0-9]{2}(?:_[a-z0-9]+)?["']""")
ONLY_EXAMPLES = {"schemas/reserved.py", "schemas/typed_expression.py", "schemas/expression.py"}


def with_indicator(code: str, **changed: Any) -> Edition:
    form = EDITION.forms[EDITION.indicators[code].form]
    indicators = tuple(replace(i, **changed) if i.code == code else i for i in form.indicators)
    return replace(EDITION, forms={**EDITION.forms, form.code: replace(form, indicators=indicators)})


def without(code: str) -> Edition:
    form = EDITION.forms[EDITION.indicators[code].form]
    kept = tuple(i for i in form.indicators if i.code != code)
    return replace(EDITION, forms={**EDITION.forms, form.code: replace(form, indicators=kept)})


def said(edition: Edition) -> list[str]:
    return [p.message for p in lint(PROGRAMME, edition).problems if p.severity == "error"]


def test_the_shipped_programme_uses_every_reserved_code_for_what_it_means() -> None:
    assert said(EDITION) == []
    assert all(EDITION.indicators[code].form == asked.form for code, asked in RESERVED.items())


def test_a_reserved_code_of_another_type_or_missing_is_said() -> None:
    assert any("保留给行业代码" in m and "code" in m for m in said(with_indicator(INDUSTRY, type=ValueType.TEXT)))
    assert any(m.startswith(f"缺少 {NAME}") for m in said(without(NAME)))
    assert not any(SIZE in m and "保留" in m for m in said(without(SIZE)))  # not needed


def test_a_role_names_an_indicator_there_is() -> None:
    roles = {**EDITION.parameters["roles"], "size": "Z99"}
    assert "[roles] size 的 Z99 不是指标;请改正代码。" in said(
        replace(EDITION, parameters={**EDITION.parameters, "roles": roles})
    )
    with pytest.raises(DefinitionError, match=r"\[roles\] 没有 weight"):
        roles_of(replace(EDITION, parameters={"roles": {"weight": "F01"}}))
    assert roles_of(replace(EDITION, parameters={})) == Roles()
    bare = {k: v for k, v in EDITION.parameters.items() if k != "roles"}
    problems = lint(PROGRAMME, replace(EDITION, parameters=bare)).problems
    assert [p.severity for p in problems if p.message.startswith("没有 [roles]")] == ["warning"]


def test_the_guide_tells_of_every_reserved_code_and_role() -> None:
    guide = (ROOT / "docs/programme-author.md").read_text(encoding="utf-8")
    assert {c for c in RESERVED if f"`{c}`" not in guide} == set()
    assert {one.name for one in fields(Roles) if f"`{one.name}`" not in guide} == set()


def test_no_engine_knows_an_indicator_by_its_code() -> None:
    listed = subprocess.run(["git", "ls-files", *ENGINES], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [
        f for f in listed.split() if f.endswith(".py") and not f.startswith("ytb/demo/") and f not in ONLY_EXAMPLES
    ]
    assert len(files) > 300
    found = {f: A_CODE.findall((ROOT / f).read_text(encoding="utf-8")) for f in files}
    assert {f: codes for f, codes in found.items() if codes} == {}


def test_the_basic_form_is_where_units_are_known_by() -> None:
    assert {code for code, asked in RESERVED.items() if asked.is_needed} <= {
        i.code for i in EDITION.forms[BASIC].indicators
    }


@pytest.mark.parametrize(
    ("table", "given", "message"),
    [
        ("thresholds", {"p_percent": 15}, "[thresholds] 缺 dominance_one,披露控制和覆盖率要用;请补上。"),
        ("constant_prices", {"F01": "Z50"}, "[constant_prices] 的 Z50 不是指标;请改正代码。"),
        ("early_estimates", {"indicators": ["Z01"]}, "[early_estimates] 的 Z01 不是指标;请改正代码。"),
        ("diagnosis", {"indicators": ["Z02"]}, "[diagnosis] 的 Z02 不是指标;请改正代码。"),
        ("clusters", {"indicator": "Z03"}, "[clusters] 的 Z03 不是指标;请改正代码。"),
        ("structural", {"zero": ["rnd"]}, "[structural] zero 的 rnd 不是报表;请改正。"),
        ("burden", {"units": [{"name": "小店", "Z04": 1}]}, "[burden] 小店 的 Z04 不是指标;请改正代码。"),
    ],
)
def test_tables_of_the_head_name_what_there_is(table: str, given: object, message: str) -> None:
    assert message in said(replace(EDITION, parameters={**EDITION.parameters, table: given}))


def test_a_day_that_does_not_exist_is_said() -> None:
    assert "valid_from 的“2022-13-01”不是日期;请改写为“2025-01-31”的样式。" in said(
        replace(EDITION, valid_from="2022-13-01")
    )
