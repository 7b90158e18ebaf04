"""The list of findings a park works through: the same columns on the sheet 审核结果 and in a workbook of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from sources.problems import SOFT, kind_of, problem_and_remedy
from sources.writer import Book, put

SHEET = "审核结果"
TITLES = ("序号", "类型", "位置", "表", "单位", "指标", "填报值", "问题", "怎么改", "原因码", "情况说明")
WIDTHS = (6, 7, 20, 14, 24, 18, 13, 36, 28, 8, 26)
KEYS = ("规则", "表码", "单位代码", "列", "工作表", "单元格", "原底色")
"""Hidden columns behind the printed ones: what names a finding, where it is marked, and what undoes the mark."""

MOST_ROWS = 50_000

FindingKey: TypeAlias = tuple[str, str, str, str]
"""Rule, form, unit_id, column: what an explanation belongs to."""

Explanation: TypeAlias = tuple[str, str]
"""Reason code and text."""


@dataclass(frozen=True)
class Listed:
    """One line of the list. ``cell`` is empty where the finding has no place in the workbook."""

    kind: str
    sheet: str
    cell: str
    form: str
    unit: str
    indicator: str
    found: str
    problem: str
    remedy: str
    key: FindingKey

    @property
    def place(self) -> str:
        """Sheet and cell as people read them."""
        return f"{self.sheet} {self.cell}".strip()

    @property
    def said(self) -> str:
        """The finding in one breath, as in a note on the cell."""
        return f"{self.kind}:{self.problem}。{self.remedy}".replace("。。", "。")

    def printed(self, number: int, told: Explanation = ("", "")) -> tuple[str, ...]:
        """The printed columns; an explanation stands with a 核实 only."""
        texts = (self.place, self.form, self.unit, self.indicator, self.found, self.problem, self.remedy)
        return (str(number), self.kind, *texts, *(told if self.kind == SOFT else ("", "")))


def to_be_listed(findings: pl.DataFrame) -> pl.DataFrame:
    """The findings a park has to act on: hard and soft, not absorbed by another; hard ones first, then by place."""
    return (
        findings.filter(
            pl.col("severity").is_in(["hard", "soft"])
            & pl.col("outcome").fill_null("failed").is_in(["failed", "undetermined"])
        )
        .with_columns(_soft=pl.col("severity") == "soft")
        .sort(["_soft", "form", "sheet", "row", "unit_id", "column", "rule", "message"], nulls_last=True)
        .drop("_soft")
    )


def listed(findings: pl.DataFrame, names: Mapping[str, str], forms: Mapping[str, str]) -> list[Listed]:
    """Findings as lines, in the order given. ``names``: unit → name, ``forms``: form → title, both only for display."""
    lines = []
    for row in findings.iter_rows(named=True):
        problem, remedy = problem_and_remedy(row["message"] or "", row["found"] or "")
        unit, form = row["unit_id"] or "", row["form"] or ""
        lines.append(
            Listed(
                kind_of(row["severity"]),
                row["sheet"] or "",
                row["cell"] or "",
                forms.get(form) or row["sheet"] or form,
                f"{names[unit]}({unit})" if unit in names else unit,
                row["indicator"] or row["column"] or "",
                row["found"] or "",
                problem,
                remedy,
                (row["rule"] or row["code"] or "", form, unit, row["column"] or ""),
            )
        )
    return lines


def counted(lines: Sequence[Listed]) -> str:
    """The counts on top of the list."""
    soft = sum(line.kind == SOFT for line in lines)
    hard = len(lines) - soft
    if not lines:
        return "审核通过,没有需要修改或说明的问题。"
    return f"错误 {hard} 条(必须改正后才能报送);核实 {soft} 条(请核对,属实的填原因码和情况说明)。"


GUIDE = "点击“位置”可跳到单元格;红底为错误,黄底为核实。改好后保存,整本重新报送;本表会自动更新,不必删除。"


def list_of_findings(
    findings: pl.DataFrame,
    *,
    title: str = "",
    names: Mapping[str, str] | None = None,
    forms: Mapping[str, str] | None = None,
) -> bytes:
    """A workbook that only lists findings, for files that cannot be marked themselves. Same input, same bytes."""
    lines = listed(to_be_listed(findings), names or {}, forms or {})
    book = Book(title=title or SHEET)
    sheet = book.sheet(SHEET)
    sheet.set_tab_color("#C00000")
    put(sheet, 0, 0, title or SHEET, book.style({"bold": True, "font_size": 14}))
    put(sheet, 1, 0, counted(lines), book.style({"bold": True}))
    put(sheet, 2, 0, "请按“位置”所示在原工作簿内改正,保存后重新报送。", book.style({"font_color": "#595959"}))
    head = book.style({"bold": True, "bg_color": "#DCE6F1", "border": 1, "border_color": "#BFBFBF", "align": "center"})
    for column, (text, width) in enumerate(zip(TITLES, WIDTHS, strict=True)):
        sheet.set_column(column, column, width)
        put(sheet, 4, column, text, head)
    look = {"border": 1, "border_color": "#BFBFBF", "text_wrap": True, "valign": "top", "num_format": "@"}
    plain = book.style(look)
    tinted = {"错误": book.style({**look, "bg_color": "#FFC8CE"}), SOFT: book.style({**look, "bg_color": "#FFEB9D"})}
    for n, line in enumerate(lines[:MOST_ROWS]):
        for column, text in enumerate(line.printed(n + 1)):
            put(sheet, 5 + n, column, text, tinted[line.kind] if column == 1 else plain)
    if len(lines) > MOST_ROWS:
        put(sheet, 5 + MOST_ROWS, 0, beyond(lines), book.style({"bold": True}))
    sheet.freeze_panes(5, 0)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(4)
    sheet.set_footer("&C&9第 &P 页 共 &N 页")
    return book.to_bytes()


def beyond(lines: Sequence[Listed]) -> str:
    """What the list says of the lines that did not fit."""
    return f"另有 {len(lines) - MOST_ROWS} 条未列出;多为同一原因,请先改正以上问题。"
