"""The shipped programme is complete, and a wrong definition names file, line and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from schemas.catalog import PROGRAMMES, codelists_on, edition_for_filer, keyed_codelists_on, load_programme, programme
from schemas.errors import DefinitionError
from schemas.lint import lint
from schemas.model import ValueType
from schemas.period import Period


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "park"
    shutil.copytree(PROGRAMMES / "park", target)
    return target


def test_the_programme_has_everything_the_domain_lists() -> None:
    park = programme()
    assert list(park.editions) == ["2015", "2025"]
    for edition in park.editions.values():
        report = lint(park, edition)
        assert report.ok, report.problems
        counted = {
            k: report.counts[k] for k in ("forms", "indicators", "rules", "index_indicators", "warnings", "targets")
        }
        assert counted == {
            "forms": 14,
            "indicators": 289,
            "rules": 197,
            "index_indicators": 24,
            "warnings": 16,
            "targets": 331,
        }
        assert sum(t.product == "innovation" for t in edition.tables) == 34
        assert sum(i.weight for i in edition.indexes["development"].indicators) == 100


def test_dimension_weights_are_those_of_the_design() -> None:
    weights = programme().editions["2025"].indexes["development"].dimensions
    assert list(weights.values()) == [22, 22, 26, 16, 14]


@pytest.mark.parametrize(
    ("period", "edition"), [("2013", "2015"), ("2024-Q4", "2015"), ("2025-Q1", "2025"), ("2030", "2025")]
)
def test_a_period_belongs_to_one_edition(period: str, edition: str) -> None:
    assert programme().edition_for(Period.parse(period)).id == edition


def test_a_period_before_all_editions_is_refused() -> None:
    with pytest.raises(DefinitionError, match="2012"):
        programme().edition_for(Period(2012))


def test_money_and_counts_are_exact() -> None:
    indicators = programme().editions["2025"].indicators
    assert indicators["F01"].dtype == pl.Int64()
    assert indicators["L01"].dtype == pl.Decimal(18, 2)
    assert not [c for c, i in indicators.items() if i.type is ValueType.NUMBER and i.dtype == pl.Float64()]


def test_registration_codes_change_with_the_regulation() -> None:
    park = programme()
    assert "173" in codelists_on(park, Period(2022))["reg_category"]
    assert "173" not in codelists_on(park, Period(2023))["reg_category"]
    assert "112" in codelists_on(park, Period(2023))["reg_category"]


def test_a_park_named_by_its_city_covers_the_counties() -> None:
    counties = keyed_codelists_on(programme(), Period(2014))["park_counties"]
    assert {"620102", "620105"} <= counties["LBGX"]
    assert "620402" not in counties["LBGX"]


def test_an_area_files_background_forms_and_a_park_the_others() -> None:
    park = programme()
    edition = park.edition_for(Period(2014))
    assert list(edition_for_filer(park, edition, "LBSYQ").forms) == ["context"]
    assert "context" not in edition_for_filer(park, edition, "LBGX").forms


def test_a_syntax_error_names_the_file(copy: Path) -> None:
    (copy / "2015" / "forms" / "finance.toml").write_text("number = ", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"finance\.toml.*TOML"):
        load_programme(copy)


def test_a_wrong_entry_names_its_line(copy: Path) -> None:
    path = copy / "2015" / "forms" / "finance.toml"
    text = path.read_text(encoding="utf-8")
    line = text[: text.index('code = "F02"')].count("\n") + 1
    path.write_text(text.replace('code = "F02"\n', 'code = "F02"\nunit = "元"\n', 1), encoding="utf-8")
    with pytest.raises(DefinitionError, match=rf"finance\.toml:{line}"):
        load_programme(copy)


def test_an_indicator_on_two_forms_is_refused(copy: Path) -> None:
    path = copy / "2025" / "forms" / "ip.toml"
    path.write_text('[[indicator]]\ncode = "F01"\nname = "营业收入"\ntype = "number"\nrounds = "A"\n', encoding="utf-8")
    with pytest.raises(DefinitionError, match="只在一张表采集一次"):
        load_programme(copy)


def test_a_code_keeps_its_unit_over_editions(copy: Path) -> None:
    path = copy / "2025" / "forms" / "finance.toml"
    path.write_text(
        path.read_text(encoding="utf-8") + '\n[[indicator]]\ncode = "F01"\nunit_measure = "万元"\n', encoding="utf-8"
    )
    with pytest.raises(DefinitionError, match="F01"):
        load_programme(copy)


def test_editions_that_extend_each_other_are_refused(copy: Path) -> None:
    path = copy / "2015" / "programme.toml"
    path.write_text('extends = "2025"\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(DefinitionError, match="互相继承"):
        load_programme(copy)


def test_an_edition_may_drop_and_add(copy: Path) -> None:
    path = copy / "2025" / "forms" / "finance.toml"
    added = 'drop = ["F32"]\n\n' + path.read_text(encoding="utf-8")
    added += '\n[[indicator]]\ncode = "F33"\nname = "数据资产"\nunit_measure = "千元"\ntype = "number"\nrounds = "A"\n'
    path.write_text(added, encoding="utf-8")
    loaded = load_programme(copy)
    assert "F32" not in loaded.editions["2025"].indicators
    assert loaded.editions["2025"].indicators["F33"].form == "finance"
    assert "F32" in loaded.editions["2015"].indicators
    # a rule that still uses the dropped code is found by the lint, at its line
    report = lint(loaded, loaded.editions["2025"])
    assert any("F32" in p.message and "finance.toml:" in p.where for p in report.problems)


RULE = 'severity = "soft"\nkind = "cross_form"\nrounds = "Q"\nexpression = "F13 <= F01"\nmessage = "研发费用大于营业收入;请核对"\n'


def added(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as handle:
        handle.write("\n" + text)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "2015/rules/finance.toml",
            '[[rule]]\nid = "AF01"\n' + RULE,
            "规则号 AF01 已经用过(2015/rules/finance.toml:2)",
        ),
        ("2015/rules/operations.toml", '[[rule]]\nid = "AF15"\n' + RULE, "规则号 AF15 已经用过"),
        ("2025/rules/operations.toml", '[[rule]]\nid = "AF15"\n' + RULE, "规则号 AF15 在上一版属于 finance 表"),
        ("2025/rules/finance.toml", f'[[rule]]\nid = "AF90"\n{RULE}[[rule]]\nid = "AF90"\n{RULE}', "已经用过"),
        (
            "2025/rules/finance.toml",
            '[[rule]]\nid = "AF90"\nvalid_from = "下季"\n' + RULE,
            "应为报告期,如 2025 或 2025-Q3",
        ),
        (
            "2025/rules/finance.toml",
            '[[rule]]\nid = "AF90"\n' + RULE.replace("cross_form", "banana"),
            "“banana”不在可用的值",
        ),
        (
            "2025/rules/finance.toml",
            '[[rule]]\nid = "AF90"\nmessage = "不对"\n' + RULE.replace("message", "rationale"),
            "太短,至少 4",
        ),
        (
            "2025/rules/finance.toml",
            '[[rule]]\nid = "AF90"\nrounds = "Q"\n',
            "规则 AF90 缺少 severity、expression、message",
        ),
    ],
)
def test_a_slip_in_a_rule_is_told_and_never_takes_the_place_of_another(
    copy: Path, file: str, text: str, said: str
) -> None:
    added(copy / file, text)
    with pytest.raises(DefinitionError) as told:
        load_programme(copy)
    assert said in str(told.value) and told.value.where.startswith(file), str(told.value)


def test_a_rule_that_can_never_be_judged_is_an_error(copy: Path) -> None:
    added(copy / "2025/rules/finance.toml", '[[rule]]\nid = "AF90"\n' + RULE.replace("F13", "F10"))
    park = load_programme(copy)
    (problem,) = lint(park, park.editions["2025"]).problems
    assert problem.severity == "error" and "永远不能判定" in problem.message
