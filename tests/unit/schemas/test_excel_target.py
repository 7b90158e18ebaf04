"""Worksheet formulas: what they look like, their limits, and the reasons for what they cannot say.

That they mean what the rules mean is held by recalculation in tests/integration/test_excel_agreement.py.
"""

from __future__ import annotations

import pytest

from schemas.errors import DefinitionError
from schemas.excel_target import MAX_FORMULA, Cells, to_excel, to_excel_rule
from schemas.excel_values import calls_of, one_of, ranges, text_literal
from tests.generated_expressions import ENV

CELLS = Cells(
    {"F01": "C8", "F02": "D8", "P01": "F8", "R03": "G8", "L01": "H8", "B11": "J8", "B09": "K8", "B01": "A8", "B04": "B8", "B07": "L8", "B12": "M8"},
    {"F01": "$C$8:$C$9", "B01": "$A$8:$A$9", "B04": "$B$8:$B$9"},
    {"owner": "'_codes'!$A$2:$A$4", "none": ""},
    {"sub_park": {"A": "'_codes'!$B$2:$B$3"}},
    "A",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("F02 <= F01", "IF(COUNT(C8:D8)=2,--(D8<=C8),0.5)"),
        ("F01 >= 0", "IF(ISNUMBER(C8),--(C8>=0),0.5)"),
        ("nz(F02) <= nz(F01)", "IF(COUNT(C8:D8)=COUNTA(C8:D8),--(N(D8)<=N(C8)),0.5)"),
        # Decimals are rounded to those of the indicators on both sides, whole numbers are exact as they are.
        ("R03 + R03 == L01", "IF(COUNT(G8:H8)=2,--(ROUND(G8+G8,4)=H8),0.5)"),
        ("F01 / F02 > 1", "IF(COUNT(C8:D8)=2,IFERROR(--(C8/D8>1),0.5),0.5)"),
        ("B11 == 1", '(0.5+((J8="是")-(J8="否"))/2)'),
        ("isnull(F01) or F01 > 0", "MAX(IF(ISNUMBER(C8),0,IF(LEN(C8)=0,1,0.5)),IF(ISNUMBER(C8),--(C8>0),0.5))"),
        ("not isnull(B09)", '(1-(TRIM(K8)=""))'),
        ("B09 == 1", 'IF(TRIM(K8)="",0.5,--EXACT(TRIM(K8),"1"))'),
        ("B09 in (1, 2)", 'IF(TRIM(K8)="",0.5,--ISNUMBER(FIND("|"&TRIM(K8)&"|","|1|2|")))'),
        ("year(B12) <= period_year", "IF(ISNUMBER(M8),--(YEAR(INT(M8))<=2025),0.5)"),
        ("B12 <= period_end", "IF(ISNUMBER(M8),--(INT(M8)<=45838),0.5)"),
        ("max(F01, F02) > 5", "IF(COUNT(C8:D8)=2,--(MAX(C8,D8)>5),0.5)"),
    ],
)
def test_a_condition_is_one_zero_or_a_half(text: str, formula: str) -> None:
    assert to_excel(text, ENV, CELLS) == f"IFERROR({formula},0.5)"


def test_a_rule_that_does_not_apply_is_no_failure() -> None:
    assert to_excel_rule("F01 > 0", "B11 == 1", ENV, CELLS) == (
        'IFERROR(IF((0.5+((J8="是")-(J8="否"))/2)=1,IF(ISNUMBER(C8),--(C8>0),0.5),1),0.5)'
    )


def test_code_lists_take_no_wildcard_and_case_counts() -> None:
    assert "EXACT(INDEX('_codes'!$A$2:$A$4,MATCH(TRIM(K8),'_codes'!$A$2:$A$4,0)),TRIM(K8))" in to_excel(
        "in_codelist(B09, 'owner')", ENV, CELLS
    )
    assert to_excel("in_codelist(B09, 'none')", ENV, CELLS) == 'IFERROR(IF(TRIM(K8)="",0.5,--FALSE),0.5)'
    keyed = to_excel("in_codelist(B09, 'sub_park', B04)", ENV, CELLS)
    assert 'IF(EXACT(TRIM(B8),"A"),' in keyed and keyed.endswith(",0.5)),0.5)")


def test_uniqueness_compares_texts_as_they_are() -> None:
    # COUNTIF would take 91…1234 and 91…1235 for the same number of 15 digits.
    assert to_excel("unique(B01, B03)", ENV, CELLS) == (
        'IFERROR(IF(A8="",0.5,--(SUMPRODUCT(--EXACT($A$8:$A$9,A8))=1)),0.5)'
    )
    assert 'EXACT($A$8:$A$9&"|"&$B$8:$B$9,A8&"|"&B8)' in to_excel("unique(B01, B04)", ENV, CELLS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("F01 >= prev(F01)", "本表没有 F01_prev"),
        ("B13 >= B12", "本表没有 B13"),
        ("in_codelist(B09, 'unit_register')", "没有代码表 unit_register"),
        ("in_roster(B01)", "名册"),
        ("COUNT_PARK(in_roster(B01)) <= 1", "各园区"),
        ("B09 == size_class(B07, P01, F01, F02)", "企业规模划分表"),
        ("K07 >= SUM(F02)", "整列"),
        ("K07 >= COUNT(F01 > 0)", "不是一列的计数"),
        ("industry('C3')", "只有一位数字"),
        ("F01 + 1", "不是判断"),
        (" + ".join(["F01"] * 100) + " > " + " + ".join(["nz(nz(F02 / F01) / P01)"] * 100), "8192"),
    ],
)
def test_what_plain_functions_cannot_say_is_refused_with_the_reason(text: str, reason: str) -> None:
    cells = Cells({**CELLS.cells, "K07": "D9"}, CELLS.areas, CELLS.lists, CELLS.keyed, CELLS.park)
    with pytest.raises(DefinitionError, match=reason):
        to_excel(text, ENV, cells)


def test_formulas_nest_no_deeper_than_a_worksheet_allows() -> None:
    deep = "F01"
    for _ in range(34):
        deep = f"nz({deep} / F02)"
    with pytest.raises(DefinitionError, match="嵌套超过 64 层"):
        to_excel(f"{deep} > 0", ENV, CELLS)
    assert len(to_excel("F01 > 0", ENV, CELLS)) < MAX_FORMULA


def test_neighbouring_cells_become_ranges() -> None:
    assert ranges({"C8", "D8", "F8", "E8", "AA8", "AB8"}) == ["C8:F8", "AA8:AB8"]
    assert ranges({"D8", "D9", "D11"}) == ["D8:D9", "D11"]
    assert ranges({"$C$8", "D8"}) == ["$C$8", "D8"] or ranges({"$C$8", "D8"}) == ["D8", "$C$8"]
    assert ranges(["INDEX(x,1)"]) == ["INDEX(x,1)"]


def test_more_arguments_than_a_function_takes_are_split() -> None:
    many = [f"x{n}" for n in range(600)]
    assert calls_of("MIN", many).count("MIN(") == 4 and calls_of("COUNT", many, "+").count("+COUNT(") == 2


def test_text_constants_hold_quotes_and_any_length() -> None:
    assert text_literal('a"b') == '"a""b"'
    long = text_literal("x" * 600)
    assert long.count('"&"') == 2 and max(map(len, long.strip("()").split("&"))) <= 255
    assert one_of("t", ["a|b", "c"]) == 'ISNUMBER(FIND(";"&t&";",";a|b;c;"))'
