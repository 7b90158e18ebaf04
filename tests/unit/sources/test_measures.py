"""Units of measure are converted by exact factors, or not at all."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import programme
from sources.measures import factor, is_measure, without_measure

MONEY = ("元", "千元", "万元", "百万元", "亿元", "万亿元")
AREA = ("平方米", "亩", "公顷", "平方公里", "万平方米")


@pytest.mark.parametrize(
    ("foreign", "ours", "expected"),
    [
        ("亿元", "千元", Fraction(100_000)),
        ("万元", "千元", Fraction(10)),
        ("元", "万元", Fraction(1, 10_000)),
        ("单位:亿元", "万元", Fraction(10_000)),
        ("万人", "人", Fraction(10_000)),
        ("户", "家", Fraction(1)),
        ("公顷", "亩", Fraction(15)),
        ("平方公里", "公顷", Fraction(100)),
        ("亿千瓦时", "万千瓦时", Fraction(10_000)),
        ("万吨标煤", "吨标准煤", Fraction(10_000)),
        ("公斤", "吨", Fraction(1, 1000)),
        ("‰", "%", Fraction(1, 10)),
        ("台(套)", "台(套)", Fraction(1)),
    ],
)
def test_factors(foreign: str, ours: str, expected: Fraction) -> None:
    assert factor(foreign, ours) == expected


@pytest.mark.parametrize(
    ("foreign", "ours"), [("美元", "元"), ("人", "家"), ("吨", "吨标准煤"), ("斤", "吨"), ("", "元")]
)
def test_different_things_have_no_factor(foreign: str, ours: str) -> None:
    assert factor(foreign, ours) is None


@given(st.sampled_from([MONEY, AREA]), st.data())
def test_there_and_back_is_the_same_and_ways_agree(kind: tuple[str, ...], data: st.DataObject) -> None:
    a, b, c = (data.draw(st.sampled_from(kind)) for _ in range(3))
    ab, ba, bc, ac = factor(a, b), factor(b, a), factor(b, c), factor(a, c)
    assert ab and ba and bc and ac
    assert ab * ba == 1 and ab * bc == ac


def test_every_unit_of_measure_of_the_programme_is_known() -> None:
    measures = {i.unit_measure for e in programme().editions.values() for i in e.indicators.values()} - {"-", ""}
    assert {m for m in measures if not is_measure(m)} == set()


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("工业总产值(亿元)", ("工业总产值", "亿元")),
        ("工业总产值 (单位:万元)", ("工业总产值", "万元")),
        ("设备(台(套))", ("设备", "台(套)")),
        ("生产总值(全口径)", ("生产总值(全口径)", "")),
        ("其中: 税收", ("其中:税收", "")),
    ],
)
def test_a_unit_in_brackets_behind_a_label(label: str, expected: tuple[str, str]) -> None:
    assert without_measure(label) == expected
