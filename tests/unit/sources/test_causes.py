"""One cause, one group: whatever many findings one mistake raises."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import programme
from schemas.findings import as_findings
from sources.causes import Cause, causes_of

EDITION = programme().editions["2015"]


def row(unit: str, rule: str, column: str, found: str, severity: str = "soft", **more: object) -> dict[str, object]:
    of = next(r for r in EDITION.rules if r.id == rule)
    return {
        "rule": rule, "severity": severity, "form": of.form, "unit_id": unit, "sheet": "s", "cell": "B2", "row": 2, "column": column,
        "indicator": column, "found": found, "message": f"工作表“s” B2“x”({column}):填报 {found},{of.message}。", "code": "rule",
        "outcome": "failed", "absorbed_by": "", **more,
    }  # fmt: skip


def blank(unit: str, column: str) -> dict[str, object]:
    said = f"工作表“s” B2“x”({column}):必填项未填;请补填,没有发生额的填 0。"
    return {**row(unit, "AF01", column, "", "hard"), "rule": "", "code": "required", "message": said}


def causes(*rows: dict[str, object]) -> list[Cause]:
    return causes_of(as_findings(list(rows)), EDITION)


def test_a_column_in_the_wrong_unit_is_one_cause_with_all_that_follows() -> None:
    magnitudes = [row(f"U{n}", "AF15", "F01", "F01=9000000") for n in range(4)]
    following = [row(f"U{n}", "AF02", "F02", "F02=8,F01=9000000", "hard") for n in range(2)]
    silent = row("U0", "AF14", "F01", "F01=9000000,P02=5", outcome="absorbed", absorbed_by="AF15")
    elsewhere = row("U9", "AF02", "F02", "F02=8,F01=7", "hard")
    first, second = causes(*magnitudes, *following, silent, elsewhere)
    assert (first.kind, first.rules, first.count, first.units, first.silenced) == ("错误", ("AF02", "AF15"), 6, 4, 1)
    assert first.title == "“财务状况”的“营业收入(F01)”整列疑似计量单位填错(4 家单位)"
    assert "千元" in first.remedy and first.size == "6 处,4 家,另有 1 处随之而来未单列"
    assert (second.title, second.count, second.members) == ("主营业务收入大于营业收入", 1, (7,))


def test_several_columns_in_the_wrong_unit_are_the_book_as_a_whole() -> None:
    revenue = [row(f"U{n}", "AF15", "F01", "F01=9000000") for n in range(3)]
    assets = [row(f"U{n}", "AF17", "F22", "F22=9000000") for n in range(3)]
    (only,) = causes(*revenue, *assets, row("U1", "AF02", "F02", "F02=8,F01=9000000", "hard"))
    assert only.title == "整本报表疑似计量单位填错(营业收入(F01)、资产总计(F22),3 家单位)"
    assert (only.count, only.units, only.kind) == (7, 3, "错误")


def test_one_figure_in_the_wrong_unit_takes_what_follows_from_it_along() -> None:
    (only,) = causes(row("U1", "AF15", "F01", "F01=9000000"), row("U1", "AF12", "F01", "F01=9000000,F13=1"))
    assert only.title == "“营业收入(F01)”的数量级异常,疑似计量单位填错" and only.count == 2


def test_one_missing_code_used_by_many_units_is_one_cause() -> None:
    same = [row(f"U{n}", "AB07", "B07", "B07=9999", "hard") for n in range(3)]
    other = row("U8", "AB07", "B07", "B07=12", "hard")
    first, second = causes(*same, other)
    assert (first.title, first.count) == ("“行业小类代码(B07)”填了同一个无效代码“9999”", 3)
    assert (second.count, second.title) == (1, "行业小类代码无效")


def test_blank_rows_and_blank_columns_are_told_apart() -> None:
    one_row = [blank("U1", c) for c in ("F01", "F03", "F05")]
    one_column = [blank(f"U{n}", "F22") for n in range(2, 6)]
    found = causes(*one_row, *one_column)
    assert [(c.count, c.units) for c in found] == [(4, 4), (3, 1)]
    assert "资产总计" in found[0].title and "整行" in found[1].title


def test_without_an_edition_findings_go_by_rule() -> None:
    findings = as_findings([row("U1", "AF02", "F02", "x", "hard"), row("U2", "AF02", "F02", "y", "hard")])
    (only,) = causes_of(findings)
    assert (only.title, only.remedy, only.count) == ("主营业务收入大于营业收入", "请核对两项后更正。", 2)


RULES = st.sampled_from([("AF15", "F01"), ("AF02", "F02"), ("AB07", "B07"), ("AF14", "F01"), ("AF09", "F16")])
ROWS = st.lists(
    st.tuples(RULES, st.sampled_from("ABCD"), st.sampled_from(["F01=1", "B07=9"]), st.sampled_from(["hard", "soft", "trial"]),
              st.sampled_from(["failed", "undetermined", "absorbed"])), max_size=30)  # fmt: skip


@given(ROWS)
def test_every_finding_to_act_on_has_exactly_one_cause(
    drawn: list[tuple[tuple[str, str], str, str, str, str]],
) -> None:
    rows = [
        row(u, r, c, f, s, outcome=o, absorbed_by="AF15" if o == "absorbed" else "") for (r, c), u, f, s, o in drawn
    ]
    findings = as_findings(rows)
    members = sorted(m for c in causes_of(findings, EDITION) for m in c.members)
    wanted = pl.col("severity").is_in(["hard", "soft"]) & (pl.col("outcome") != "absorbed")
    assert members == findings.with_row_index("n").filter(wanted)["n"].to_list()
