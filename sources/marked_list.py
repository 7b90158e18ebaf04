"""The list of findings a park works through: the same columns on the sheet 审核结果 and in a workbook of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from schemas.model import Edition
from schemas.observations import shown_unit
from sources.causes import Cause, causes_of
from sources.problems import SOFT, kind_of, problem_and_remedy
from sources.writer import Book, Sheet, put

SHEET = "审核结果"
TITLES = ("序号", "类型", "原因", "位置", "表", "单位", "指标", "填报值", "问题", "怎么改", "原因码", "情况说明")
WIDTHS = (6, 7, 26, 20, 14, 24, 18, 13, 36, 28, 8, 26)
KEYS = ("规则", "表码", "单位代码", "列", "工作表", "单元格", "原底色")
"""Hidden columns behind the printed ones: what names a finding, where it is marked, and what undoes the mark."""

MOST_ROWS = 50_000
MOST_OF_A_TITLE = 40

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

    def printed(self, number: int, cause: str, told: Explanation = ("", "")) -> tuple[str, ...]:
        """The printed columns; an explanation stands with a 核实 only."""
        texts = (cause, self.place, self.form, self.unit, self.indicator, self.found, self.problem, self.remedy)
        return (str(number), self.kind, *texts, *(told if self.kind == SOFT else ("", "")))


@dataclass(frozen=True)
class Group:
    """Lines with one cause, under the heading that stands above them."""

    number: int
    cause: Cause
    lines: Sequence[Listed]

    @property
    def label(self) -> str:
        """What the column 原因 says in each of its lines, to filter by."""
        title = self.cause.title
        return f"{self.number}. {title if len(title) <= MOST_OF_A_TITLE else title[: MOST_OF_A_TITLE - 1] + '…'}"

    def heading(self) -> tuple[str, ...]:
        """The line above its findings: how many, what is wrong, what to do; none above a single finding, which says it all."""
        if self.cause.count == 1 and not self.cause.silenced:
            return ()
        return ("", self.cause.kind, self.label, self.cause.size, "", "", "", "", self.cause.title, self.cause.remedy, "", "")  # fmt: skip


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


def listed(
    findings: pl.DataFrame,
    names: Mapping[str, str],
    forms: Mapping[str, str],
    proposals: Mapping[tuple[str, str], str] | None = None,
    refused: Mapping[FindingKey, str] | None = None,
) -> list[Listed]:
    """Findings as lines, in the order given. ``names``: unit → name, ``forms``: form → title, both only for display.

    ``proposals``: (rule, unit) → what is proposed, put behind the remedy of hard findings; soft ones never get any.
    ``refused``: why the explanation given of a soft finding does not do.
    """
    lines = []
    extra = proposals or {}
    for row in findings.iter_rows(named=True):
        problem, remedy = problem_and_remedy(row["message"] or "", row["found"] or "")
        unit, form = row["unit_id"] or "", row["form"] or ""
        if row["severity"] == "hard" and (row["rule"] or "", unit) in extra:
            remedy = f"{remedy}{extra[row['rule'], unit]}"
        key = (row["rule"] or row["code"] or "", form, unit, row["column"] or "")
        if refused and key in refused:
            remedy = f"{remedy}您填的说明没有采用:{refused[key]}"
        lines.append(
            Listed(
                kind_of(row["severity"]),
                row["sheet"] or "",
                row["cell"] or "",
                forms.get(form) or row["sheet"] or form,
                f"{names[unit]}({shown_unit(unit)})" if unit in names else shown_unit(unit),
                row["indicator"] or row["column"] or "",
                row["found"] or "",
                problem,
                remedy,
                key,
            )
        )
    return lines


def grouped(
    findings: pl.DataFrame, shown: pl.DataFrame, lines: Sequence[Listed], edition: Edition | None
) -> list[Group]:
    """``lines`` (of the findings ``shown``, in their order) by cause, as ``causes_of`` orders them."""
    # What was silenced is counted with its cause; it stands behind, so that the numbers of the members are those of the lines.
    absorbed = findings.filter(pl.col("outcome").fill_null("") == "absorbed")
    causes = causes_of(pl.concat([shown, absorbed.select(shown.columns)]), edition)
    return [Group(n, cause, [lines[m] for m in cause.members]) for n, cause in enumerate(causes, start=1)]


def counted(groups: Sequence[Group]) -> str:
    """The counts on top of the list."""
    kinds = [line.kind for group in groups for line in group.lines]
    soft = kinds.count(SOFT)
    if not kinds:
        return "审核通过,没有需要修改或说明的问题。"
    return (
        f"错误 {len(kinds) - soft} 条(必须改正后才能报送);核实 {soft} 条(请核对,属实的填原因码和情况说明);"
        f"归为 {len(groups)} 种原因,同一原因的排在一起。"
    )


GUIDE = "点击“位置”可跳到单元格;红底为错误,黄底为核实;可按“原因”“类型”“单位”筛选。改好后保存,整本重新报送;本表会自动更新,不必删除。"


def list_of_findings(
    findings: pl.DataFrame,
    *,
    title: str = "",
    names: Mapping[str, str] | None = None,
    forms: Mapping[str, str] | None = None,
    edition: Edition | None = None,
    proposals: Mapping[tuple[str, str], str] | None = None,
    refused: Mapping[FindingKey, str] | None = None,
) -> bytes:
    """A workbook that only lists findings, for files that cannot be marked themselves. Same input, same bytes."""
    shown = to_be_listed(findings)
    groups = grouped(findings, shown, listed(shown, names or {}, forms or {}, proposals, refused), edition)
    book = Book(title=title or SHEET)
    sheet = book.sheet(SHEET)
    sheet.set_tab_color("#C00000")
    put(sheet, 0, 0, title or SHEET, book.style({"bold": True, "font_size": 14}))
    put(sheet, 1, 0, counted(groups), book.style({"bold": True}))
    put(sheet, 2, 0, "请按“位置”所示在原工作簿内改正,保存后重新报送。", book.style({"font_color": "#595959"}))
    head = book.style({"bold": True, "bg_color": "#DCE6F1", "border": 1, "border_color": "#BFBFBF", "align": "center"})
    for column, (text, width) in enumerate(zip(TITLES, WIDTHS, strict=True)):
        sheet.set_column(column, column, width)
        put(sheet, 4, column, text, head)
    last = _put_groups(book, sheet, groups)
    sheet.autofilter(4, 0, max(last, 5), len(TITLES) - 1)
    sheet.freeze_panes(5, 0)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(4)
    sheet.set_footer("&C&9第 &P 页 共 &N 页")
    return book.to_bytes()


def _put_groups(book: Book, sheet: Sheet, groups: Sequence[Group]) -> int:
    """The lines under their headings; the number of the last row."""
    look = {"border": 1, "border_color": "#BFBFBF", "text_wrap": True, "valign": "top", "num_format": "@"}
    plain, strong = book.style(look), book.style({**look, "bold": True, "bg_color": "#EDEDED"})
    tinted = {"错误": book.style({**look, "bg_color": "#FFC8CE"}), SOFT: book.style({**look, "bg_color": "#FFEB9D"})}
    row, n = 4, 0
    for group in groups:
        if n >= MOST_ROWS:
            break
        if heading := group.heading():
            row += 1
            for column, text in enumerate(heading):
                put(sheet, row, column, text, strong)
        for line in group.lines[: MOST_ROWS - n]:
            row, n = row + 1, n + 1
            for column, text in enumerate(line.printed(n, group.label)):
                put(sheet, row, column, text, tinted[line.kind] if column == 1 else plain)
    total = sum(len(group.lines) for group in groups)
    if total > n:
        put(sheet, row + 1, 0, beyond(total), book.style({"bold": True}))
    return row


def beyond(total: int) -> str:
    """What the list says of the lines that did not fit."""
    return f"另有 {total - MOST_ROWS} 条未列出;多为同一原因,请先改正以上问题。"
