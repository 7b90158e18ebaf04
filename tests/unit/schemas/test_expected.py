"""What rules expect, read off their expressions: every hard rule of every edition, and rules made for the purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.catalog import programme
from schemas.expected import expectations, expected_of
from schemas.model import Edition, Severity

PROGRAMME = programme()
EDITIONS = list(PROGRAMME.editions.values())

SENTENCE_ONLY = {"AB20", "AB28", "AI09", "AN02", "AN03", "AN06", "AN07"}
"""Rules that several changes would satisfy, or that look at all parks: nothing single is expected of a cell."""


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.id)
def test_every_hard_rule_expects_something_or_is_known_not_to(edition: Edition) -> None:
    hard = [rule for rule in edition.rules if rule.severity is Severity.HARD]
    assert {rule.id for rule in hard if not expectations(rule, edition)} == SENTENCE_ONLY


def made(expression: str) -> list[tuple[str, str, tuple[str, ...]]]:
    edition = PROGRAMME.editions["2025"]
    rule = replace(edition.rules[0], form="finance", expression=expression)
    return [(e.subject, e.words, e.values) for e in expectations(rule, edition)]


def test_a_bound_written_the_other_way_round_is_the_same() -> None:
    assert made("0 <= F01") == made("F01 >= 0") == [("F01", "不小于 0", ())]
    assert made("F01 > 0") == [("F01", "大于 0", ())]


def test_what_stands_on_another_row_or_asks_two_questions_expects_nothing() -> None:
    assert made("F01 <= SUM(F01)") == []
    assert made("(F01 > 0) == (F02 > 0)") == []
    assert made("F01 > 0 or F02 > 0") == []


def test_a_condition_asks_nothing_of_its_own_premise() -> None:
    assert made("isnull(F28) or F28 <= F23") == [("F28", "不大于 {0}(流动资产合计)", ("F23",))]


def test_a_cell_holds_what_its_indicator_declares() -> None:
    known = PROGRAMME.editions["2025"].indicators
    assert expected_of(known["F01"]) == "应为数字(千元),没有小数"
    assert expected_of(known["B14"]) == "应为数字(万元),小数不超过 2 位"
    assert [expected_of(known[code]) for code in ("B16", "B12", "B01", "B02")] == [
        "应为“是”或“否”", "应为日期", "应为文本格式的代码", "",
    ]  # fmt: skip
