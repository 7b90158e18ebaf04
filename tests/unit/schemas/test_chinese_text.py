"""Rules read as Chinese sentences."""

from __future__ import annotations

import pytest

from schemas.catalog import programme
from schemas.chinese_text import to_chinese

EDITION = programme().editions["2025"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("F02 <= F01", "主营业务收入 ≤ 营业收入"),
        ("F01 >= F02 and F01 > 0", "营业收入 ≥ 主营业务收入 且 营业收入 > 0"),
        ("abs(F22 - (F25 + F26)) <= 5", "资产总计 = 负债合计 + 所有者权益合计(容许相差 5)"),
        ("B16 != 1 or notnull(B17)", "若 高新技术企业标志 为“是”,则 高企证书编号 已填"),
        ("B16 == 1 or isnull(B17)", "高新技术企业标志 为“是” 或 高企证书编号 为空"),
        ("nz(F23) <= F22", "流动资产合计(空作0) ≤ 资产总计"),
        ("nz(N01) == 1", "推出新货物(空作否) 为“是”"),
        ("B09 in (1, 2)", "企业控股情况 为 “1国有”、“2集体” 之一"),
        ("F01 >= yoy(F01)", "营业收入 ≥ 上年同期营业收入"),
        ("F13 - (F10 - F12) * 2 > 1", "利润总额 − (营业利润 − 营业外支出) × 2 > 1"),
        ("not (F01 > 0)", "营业收入 ≤ 0"),
        ("not (F01 > 0 and F02 > 0)", "并非(营业收入 > 0 且 主营业务收入 > 0)"),
        ("isnull(B05) or in_codelist(B05, 'sub_park', B04)", "若 所属分园代码 已填,则 所属分园代码 在分园名录(所属园区代码 之下)内"),
        ("B11", "规模以上工业标志"),
        ("K09 >= SUM(V01) * 0.95", "高新技术企业数 ≥ (各单位 本年完成固定资产投资额 的合计) × 0.95"),
    ],
)  # fmt: skip
def test_an_expression_reads_as_a_sentence(text: str, sentence: str) -> None:
    assert to_chinese(text, EDITION.indicators, EDITION.derivations) == sentence


def test_every_rule_can_be_read_and_no_code_is_left_in_it() -> None:
    for rule in EDITION.rules:
        said = to_chinese(rule.expression, EDITION.indicators, EDITION.derivations)
        assert not [code for code in EDITION.indicators if code in said.replace("R&D", "")], (rule.id, said)
