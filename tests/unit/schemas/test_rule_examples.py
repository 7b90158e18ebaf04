"""Every rule of both editions has a passing and a failing example, and an undetermined one unless it is always decided."""

from __future__ import annotations

import pytest

from schemas.catalog import programme
from schemas.compile_targets import TARGETS, targets_of
from schemas.rule_examples import example_text, examples_of

PROGRAMME = programme()
DECIDED = ("nz(", "isnull(", "notnull(", "unique(", "in_roster(")


@pytest.mark.parametrize("edition_id", ["2015", "2025"])
def test_every_rule_has_examples(edition_id: str) -> None:
    edition = PROGRAMME.editions[edition_id]
    for rule in edition.rules:
        found = examples_of(rule, PROGRAMME, edition)
        assert {"holds", "fails"} <= found.keys(), rule.id
        assert "undetermined" in found or any(word in rule.expression for word in DECIDED), rule.id


def test_examples_are_plain_and_balances_balanced() -> None:
    edition = PROGRAMME.editions["2025"]
    rules = {rule.id: rule for rule in edition.rules}
    found = examples_of(rules["AF02"], PROGRAMME, edition)
    assert example_text(found["holds"], edition.indicators) == "主营业务收入(F02)=1,营业收入(F01)=1"
    assert example_text(found["undetermined"], edition.indicators) == "主营业务收入(F02)=1,营业收入(F01)=空"
    row = examples_of(rules["AF06"], PROGRAMME, edition)["holds"].rows[0]
    assert row["F22"] == row["F25"] + row["F26"]  # type: ignore[operator]
    assert len(examples_of(rules["AB02"], PROGRAMME, edition)["fails"].rows) == 2
    assert examples_of(rules["AF02"], PROGRAMME, edition) == found


@pytest.mark.parametrize("edition_id", ["2015", "2025"])
def test_rules_are_compiled_or_the_reason_is_given(edition_id: str) -> None:
    edition = PROGRAMME.editions[edition_id]
    for rule in edition.rules:
        reasons = targets_of(rule, PROGRAMME, edition)
        assert tuple(reasons) == TARGETS and not reasons["polars"] and not reasons["text"], rule.id
        assert not (rule.in_template and reasons["excel"]), (rule.id, reasons["excel"])
    said = targets_of(next(r for r in edition.rules if r.id == "AB28"), PROGRAMME, edition)
    assert said["excel"] == "要查各园区的报表" and "COUNT_PARK" in said["sql"] and said["vtl"]
