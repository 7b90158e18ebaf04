"""Products that would be computed of nothing, or not as their author means, are said before a park meets them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.programme_check import programme_check
from schemas.catalog import programme
from schemas.lint_products import product_problems
from schemas.model import Codelist, Edition

PROGRAMME = programme()
EDITION = PROGRAMME.editions["2025"]
M02 = next(t for t in EDITION.tables if t.id == "M02")
W01 = EDITION.warnings[0]
T108 = next(t for t in EDITION.targets if t.row_no == 108)
INDEX = EDITION.indexes["development"]


def said(edition: Edition) -> str:
    return "\n".join(f"{where}:{text}" for where, text in product_problems(PROGRAMME, edition))


def with_table(**changed: Any) -> Edition:
    return replace(EDITION, tables=tuple(replace(t, **changed) if t is M02 else t for t in EDITION.tables))


def with_column(**changed: Any) -> Edition:
    return with_table(columns=({**M02.columns[0], **changed}, *M02.columns[1:]))


def with_warning(**changed: Any) -> Edition:
    return replace(EDITION, warnings=(replace(W01, **changed), *EDITION.warnings[1:]))


def with_target(**changed: Any) -> Edition:
    return replace(EDITION, targets=tuple(replace(t, **changed) if t is T108 else t for t in EDITION.targets))


def with_index(**changed: Any) -> Edition:
    return replace(EDITION, indexes={"development": replace(INDEX, **changed)})


def test_the_shipped_programme_has_nothing_to_be_said() -> None:
    assert [said(e) for e in PROGRAMME.editions.values()] == ["", ""]
    assert all(programme_check(PROGRAMME, e).ok for e in PROGRAMME.editions.values())


@pytest.mark.parametrize(
    ("edition", "message"),
    [
        (with_table(rows=("total", "subpark")), "的 M02:不认识行 subpark"),
        (with_column(formula="SUM(Z99)/SUM(F01)"), "“SUM(Z99)/SUM(F01)”不能计算"),
        (with_column(formula="F13/F01*100"), "“F13/F01*100”是逐户的"),
        (with_column(indicator=M02.columns[1]["indicator"]), "两列用同一个指标代码"),
        (with_column(formula=""), "一列缺少 formula"),
        (with_warning(levels={"blue": ("<", 5.0), "red": ("<", 7.0)}), "red 的界限 7 没有比 blue 的 5 更严重"),
        (with_warning(levels={"blue": ("<", 5.0), "red": (">", 7.0)}), "各级界限的方向不一致"),
        (with_warning(formula=""), "没有 formula,算不出值"),
        (with_warning(definition={**W01.definition, "deflator": "Z50"}), "缩减指数 Z50 不是指标"),
        (with_warning(id=EDITION.warnings[1].id), "预警 W02 写了 2 次"),
        (with_target(direction="atleast"), "第 108 号:direction 不认识“atleast”"),
        (with_target(tracking="computedd"), "tracking 不认识“computedd”"),
        (with_target(area="火星物流带"), "区域“火星物流带”不在园区名录内"),
        (with_target(target_year=2010, baseline_year=2014), "目标年 2010 早于基年 2014"),
        (with_index(indicators=(INDEX.indicators[0], *INDEX.indicators)), "指数指标 X01 写了 2 次"),
        (with_index(indicators=(replace(INDEX.indicators[0], norm="grwoth"),)), "norm 写的是“grwoth”"),
        (with_index(indicators=(replace(INDEX.indicators[0], weight=0.0),)), "权重都是 0"),
        (with_index(base_year=1990), "base_year 1990 早于"),
        (with_index(splice={"NOWHERE": "LBSYQ"}), "splice 的 NOWHERE 不在园区名录内"),
    ],
)
def test_a_mistake_is_said(edition: Edition, message: str) -> None:
    assert message in said(edition)


def test_a_plan_that_ends_before_it_begins_is_said() -> None:
    plans = PROGRAMME.codelists["plans"]
    turned = plans.rows.with_columns(
        pl.when(pl.col("code") == "LB").then(pl.lit("2001")).otherwise("last_year").alias("last_year")
    )
    wrong = replace(PROGRAMME, codelists={**PROGRAMME.codelists, "plans": replace(plans, rows=turned)})
    assert isinstance(plans, Codelist)
    assert any("规划 LB 止于 2001 年" in text for _, text in product_problems(wrong, EDITION))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("kind", "zoon", "LBGX 的 kind 不认识“zoon”"), ("zone", "HK99", "分园 LBGX01 所属的 HK99 不是名录中的 zone")],
)
def test_a_park_of_no_kind_or_zone_is_said(column: str, value: str, message: str) -> None:
    parks = PROGRAMME.codelists["parks"]
    code = "LBGX" if column == "kind" else "LBGX01"
    rows = parks.rows.with_columns(pl.when(pl.col("code") == code).then(pl.lit(value)).otherwise(column).alias(column))
    wrong = replace(PROGRAMME, codelists={**PROGRAMME.codelists, "parks": replace(parks, rows=rows)})
    assert any(message in text for _, text in product_problems(wrong, EDITION))


def test_a_file_nothing_reads_is_said(tmp_path: Path) -> None:
    (tmp_path / "2025").mkdir()
    (tmp_path / "2025/warning.toml").write_text("", encoding="utf-8")
    found = list(product_problems(replace(PROGRAMME, folder=tmp_path), EDITION))
    assert [where for where, _ in found] == ["2025/warning.toml"]


@pytest.mark.parametrize(
    ("code", "changed", "message"),
    [
        ("B02", {"additive": True}, "类型 text 不能相加"),
        ("F01", {"codelist": "park"}, "类型 number 没有代码表"),
        ("F01", {"derived": "F01 + F02"}, "F01 的 derived 互相引用成环"),
        ("F01", {"derived": "F02 +"}, "“F02 +”不能计算"),
        ("F01", {"applies_if": "in_codelist(B04, 'nope')"}, "代码表 nope 不存在"),
    ],
)
def test_an_indicator_that_is_not_what_it_says_is_said(code: str, changed: dict[str, Any], message: str) -> None:
    form = EDITION.forms[EDITION.indicators[code].form]
    indicators = tuple(replace(i, **changed) if i.code == code else i for i in form.indicators)
    wrong = replace(EDITION, forms={**EDITION.forms, form.code: replace(form, indicators=indicators)})
    assert any(message in p.message for p in programme_check(PROGRAMME, wrong).problems)


def test_a_rule_of_a_round_that_asks_none_of_its_indicators_is_said() -> None:
    yearly = next(r for r in EDITION.rules if r.rounds == "A" and r.form == "rd")
    wrong = replace(EDITION, rules=(*EDITION.rules, replace(yearly, id="ZZ1", rounds="AQ", expression="R01 <= O02")))
    problems = [p.message for p in programme_check(PROGRAMME, wrong).problems]
    assert "规则 ZZ1 在季报用到未采集的 O02,该轮次将不判定;请核对 rounds。" in problems


def test_a_code_list_there_is_not_is_said() -> None:
    basic = next(r for r in EDITION.rules if r.form == "basic" and r.severity == "hard")
    wrong = replace(EDITION, rules=(*EDITION.rules, replace(basic, id="ZZ2", expression="in_codelist(B09, 'kargo')")))
    assert any("代码表 kargo 不存在" in p.message for p in programme_check(PROGRAMME, wrong).problems)


def test_an_index_system_the_engine_cannot_score_is_said() -> None:
    name = "parks"
    scheme = EDITION.schemes[name]
    groups = [{**g, "parent": "NOWHERE"} if "parent" in g else g for g in scheme.data["group"]]
    broken = replace(scheme, data={**scheme.data, "group": groups})
    report = programme_check(PROGRAMME, replace(EDITION, schemes={**EDITION.schemes, name: broken}))
    assert any("NOWHERE" in p.message and p.severity == "error" for p in report.problems)
