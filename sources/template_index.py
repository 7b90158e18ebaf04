"""The first sheet of a template, 填报说明与自检: how to fill in short sentences, and what is still missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.layout import Role, SheetLayout
from schemas.model import Edition
from schemas.period import Period
from sources.template_audit import OPEN, AuditSheet, failing_text
from sources.template_checks import blank_required_cells, rows_saying
from sources.template_forms import BAD, GOOD
from sources.template_prefill import Prefill
from sources.writer import Book, Sheet, Value, lines_of, put, put_formula, put_link, quoted

WIDTHS = (11, 52, 24, 12, 12, 12, 12)
LINE_HEIGHT = 15


@dataclass(frozen=True)
class Cover:
    """What the first sheet states beside the checks."""

    edition: Edition
    period: Period
    park: str
    deadline: str
    contact: str
    as_of: str


def write_index(
    book: Book,
    sheet: Sheet,
    layouts: Sequence[SheetLayout],
    stated: Mapping[str, Prefill],
    audits: Mapping[str, AuditSheet],
    cover: Cover,
) -> None:
    """Fill the first sheet. Its counts are formulas; the system's own audit decides, as the sheet says."""
    for column, width in enumerate(WIDTHS):
        sheet.set_column(column, column, width)
    sheet.hide_gridlines(2)
    row = _title(book, sheet, cover)
    row = _instructions(book, sheet, row, layouts)
    row = _forms(book, sheet, row, layouts, stated, audits)
    _relations(book, sheet, row, layouts, stated, audits)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&9&A&C&9第 &P 页 共 &N 页")
    sheet.protect("", {"format_columns": True, "format_rows": True})
    sheet.activate()
    sheet.set_first_sheet()


def _title(book: Book, sheet: Sheet, cover: Cover) -> int:
    edition = cover.edition
    big = book.style({"bold": True, "font_size": 16})
    label, text = book.style({"font_color": "#595959"}), book.style({})
    strong = book.style({"bold": True, "font_color": "#9C0006"})
    put(sheet, 0, 0, f"{edition.title} {cover.period.title}", big)
    sheet.set_row(0, 28)
    facts: list[tuple[str, str, object]] = [
        ("填报单位", cover.park, text),
        ("报送截止", cover.deadline or "以通知为准", strong),
        ("联系方式", cover.contact or "以通知为准", text),
        ("制定机关", f"{edition.authority}  文号:{edition.document_number}  有效期至:{edition.valid_to}", text),
        ("法律依据", f"{edition.legal_basis}。企业独立报送,任何人不得代填代报、不得授意填报指定数。", text),
        ("预填数据", f"截至 {cover.as_of} 的名录与已验收数据" if cover.as_of else "无预填数据", text),
    ]
    for n, (name, value, style) in enumerate(facts, start=1):
        put(sheet, n, 0, name, label)
        put(sheet, n, 1, value, style)
    return len(facts) + 2


def _instructions(book: Book, sheet: Sheet, row: int, layouts: Sequence[SheetLayout]) -> int:
    section, text = _section(book), book.style({})
    put(sheet, row, 0, "怎样填", section)
    with_year_earlier = any(column.role is Role.YEAR_EARLIER for layout in layouts for column in layout.columns)
    lines = [
        "白色单元格填写;灰色单元格由系统预填并锁定,不用填。",
        "带“*”的指标必填。没有发生填 0;确实不掌握的留空。0 与空白含义不同。",
        "按表头的计量单位填数字,不要加单位、空格和文字。鼠标停在表头上可看指标解释。",
        "代码从下拉框选择,名称见“代码表”。单元格里只填代码。",
        "“上年同期”已预填上年验收数;有改动须选改动原因,本期新进入的单位必须填。" if with_year_earlier else "",
        "“上期”数在表右侧的隐藏列,选中该区域后“取消隐藏”即可对照。",
        "名单上没有的企业,请先办理名录入库,再填数。名单上已关闭、迁出的,不填数,向园区登记情况。",
        "不要删除表头下的代码行(小号灰字);系统靠它识别各列。",
        "每行末尾的“校验”列说明本行是否通过。填完看下面两张表:必填空格与不符的行都为 0 时再报送。最终以系统审核为准。",
    ]
    for n, line in enumerate((line for line in lines if line), start=1):
        put(sheet, row + n, 0, f"{n}. {line}", text)
    return row + sum(bool(line) for line in lines) + 2


def _forms(
    book: Book,
    sheet: Sheet,
    row: int,
    layouts: Sequence[SheetLayout],
    stated: Mapping[str, Prefill],
    audits: Mapping[str, AuditSheet],
) -> int:
    put(sheet, row, 0, "各表自检", _section(book))
    row += 1
    titles = ("表号", "表名(点击前往)", "填报", "预列行数", "必填空格", "不符的行", "待核的行")
    _head(book, sheet, row, titles)
    cell, number = _body(book, {}), _body(book, {"align": "center", "num_format": "0"})
    link = _body(book, {"font_color": "#1F4E79", "underline": 1})
    first = row + 1
    for layout in layouts:
        row += 1
        prefilled = stated[layout.form.code]
        put(sheet, row, 0, layout.form.number, cell)
        put_link(sheet, row, 1, f"{quoted(layout.name)}!A1", layout.name, link)
        put(sheet, row, 2, layout.form.respondent, cell)
        put(sheet, row, 3, prefilled.listed, number)
        of_form = audits[layout.form.code]
        blanks = blank_required_cells(layout, prefilled.rows, is_conditional=of_form.is_conditional)
        _count(sheet, row, 4, blanks, number)
        audited = bool(of_form.rules)
        for column, pattern in ((5, "* *"), (6, f"*{OPEN}*")):
            _count(sheet, row, column, rows_saying(layout, prefilled.rows, pattern) if audited else None, number)
    _colour(book, sheet, (first, 4, row, 5))
    return row + 2


def _relations(
    book: Book,
    sheet: Sheet,
    row: int,
    layouts: Sequence[SheetLayout],
    stated: Mapping[str, Prefill],
    audits: Mapping[str, AuditSheet],
) -> None:
    put(sheet, row, 0, "审核关系自检", _section(book))
    row += 1
    _head(book, sheet, row, ("编号", "不成立时请核对", "表名", "不符的行", "待核的行"))
    cell, number = _body(book, {"text_wrap": True}), _body(book, {"align": "center", "num_format": "0"})
    first = row + 1
    for layout in layouts:
        rows = stated[layout.form.code].rows
        for rule in audits[layout.form.code].rules:
            row += 1
            values: tuple[Value, ...] = (rule.id, rule.message, layout.name)
            for column, value in enumerate(values):
                put(sheet, row, column, value, cell)
            if (lines := lines_of(rule.message, WIDTHS[1])) > 1:
                sheet.set_row(row, LINE_HEIGHT * lines)
            said = failing_text(rule).split(" ")[0]
            put_formula(sheet, row, 3, rows_saying(layout, rows, f"*{said} *"), number)
            put_formula(sheet, row, 4, rows_saying(layout, rows, f"*{said}{OPEN}*"), number)
    if row >= first:
        _colour(book, sheet, (first, 3, row, 3))
    put(
        sheet,
        row + 1,
        0,
        "“待核”是因有空格或文字还不能判断;表间、跨期和名录类审核由系统在报送时进行。",
        book.style({"font_color": "#595959"}),
    )


def _count(sheet: Sheet, row: int, column: int, formula: str | None, style: object) -> None:
    if formula is None:
        put(sheet, row, column, "—", style)
    else:
        put_formula(sheet, row, column, formula, style)


def _head(book: Book, sheet: Sheet, row: int, titles: Sequence[str]) -> None:
    style = book.style({"bold": True, "bg_color": "#DCE6F1", "border": 1, "align": "center"})
    for column, title in enumerate(titles):
        put(sheet, row, column, title, style)


def _section(book: Book) -> object:
    return book.style({"bold": True, "font_size": 12, "font_color": "#1F4E79"})


def _body(book: Book, properties: Mapping[str, object]) -> object:
    return book.style({"border": 1, "border_color": "#BFBFBF", **properties})


def _colour(book: Book, sheet: Sheet, area: tuple[int, int, int, int]) -> None:
    bad, good = book.workbook.add_format(BAD), book.workbook.add_format(GOOD)
    sheet.conditional_format(
        *area, {"type": "cell", "criteria": "between", "minimum": 1, "maximum": 10**9, "format": bad}
    )
    sheet.conditional_format(*area, {"type": "cell", "criteria": "==", "value": 0, "format": good})
