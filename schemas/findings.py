"""The columns every list of findings 审核问题 has, whoever produced it.

``found`` is what stands there, ``expected`` what should (应不大于 100(营业收入)); empty where no single thing can be said, and
for soft findings always: the bounds of what is only asked about are told to nobody. ``message`` says it all in a sentence.
"""

from __future__ import annotations

import re

import polars as pl

FINDING_COLUMNS: dict[str, pl.DataType] = {
    "rule": pl.String(),
    "severity": pl.String(),
    "form": pl.String(),
    "unit_id": pl.String(),
    "park": pl.String(),
    "file": pl.String(),
    "sheet": pl.String(),
    "cell": pl.String(),
    "row": pl.Int64(),
    "column": pl.String(),
    "indicator": pl.String(),
    "found": pl.String(),
    "expected": pl.String(),
    "message": pl.String(),
    "code": pl.String(),
    "outcome": pl.String(),
    "absorbed_by": pl.String(),
}

_OF_A_RULE = re.compile(r"[A-Z]{1,3}\d+\w*")
_TITLES = {
    "required": "必填项", "missing_row": "缺行", "sign": "负数", "domain": "代码", "duplicate": "重复", "key_missing": "缺主键",
    "yoy_reason": "上年同期改动", "yoy_required": "上年同期未填", "merged_over": "合并单元格", "merged_blank": "合并单元格",
    "error_cell": "错误值", "uncalculated": "公式未计算", "type": "数据类型", "decimals": "小数位", "date": "日期", "code_ambiguous": "代码不明",
    "code_numeric": "代码存为数字", "unit_in_cell": "格内写计量单位", "percent_in_cell": "格内写百分号", "no_code_row": "代码行",
    "data_above": "代码行", "code_twice": "代码行", "unknown_code": "代码行", "no_key": "代码行", "form_twice": "重复的表", "unknown_form": "未知的表",
    "old_edition": "旧版模板", "no_meta": "模板标识", "several_periods": "报告期不符", "no_period": "报告期", "several_parks": "园区不符",
    "no_park": "园区", "overlap": "多文件矛盾", "foreign_unit": "不是本单位", "not_own_form": "不是本单位填的表",
}  # fmt: skip


def shown_rule(rule: str) -> str:
    """What people read for the rule of a finding: its number, or in words what is no rule of the programme."""
    return rule if _OF_A_RULE.fullmatch(rule) else _TITLES.get(rule, "文件与单元格")


BLOCKING = (pl.col("severity") == "hard") & (pl.col("outcome") == "failed")
NEEDS_EXPLANATION = (pl.col("severity") == "soft") & pl.col("outcome").is_in(["failed", "undetermined"])


def no_findings() -> pl.DataFrame:
    """An empty list of findings."""
    return pl.DataFrame(schema=FINDING_COLUMNS)


def as_findings(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Rows with some of the columns, as a findings frame; missing columns are null."""
    complete = [{name: row.get(name) for name in FINDING_COLUMNS} for row in rows]
    return pl.DataFrame(complete, schema=FINDING_COLUMNS) if rows else no_findings()


def complete(recorded: pl.DataFrame) -> pl.DataFrame:
    """Findings on record with every column there is today; those recorded before a column existed have nothing in it."""
    missing = {name: dtype for name, dtype in FINDING_COLUMNS.items() if name not in recorded.columns}
    if not missing:
        return recorded
    return recorded.with_columns(pl.lit(None, dtype=t).alias(n) for n, t in missing.items()).select(
        *FINDING_COLUMNS, *(c for c in recorded.columns if c not in FINDING_COLUMNS)
    )
