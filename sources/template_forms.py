"""One form on its sheet: statutory head and foot, header and code row, input cells with their validations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from schemas import reserved
from schemas.layout import (
    AUDIT,
    CODE_ROW,
    FIRST_ROW,
    FOOT,
    HEADER_ROW,
    PARK_HEAD,
    PERIOD_HEAD,
    Column,
    Role,
    SheetLayout,
)
from schemas.model import Edition, FormKind, Indicator, ValueType
from sources.template_audit import PASSED, AuditSheet
from sources.template_codes import REASONS, YES_NO, CodeList, list_key
from sources.template_prefill import Prefill
from sources.writer import Book, Format, Sheet, fill_formula, put, put_formula, validate

LARGEST = 999_999_999_999_999
GREY, WHITE = "#F2F2F2", "#FFFFFF"
HEADER_FILL: Mapping[Role, str] = {Role.YEAR_EARLIER: "#EBF1DE", Role.REASON: "#EBF1DE", Role.LAST: "#E7E6E6"}
NOTE_AUTHOR = "一套表制度"
BAD = {"bg_color": "#F8D7DA", "font_color": "#9C0006"}
DOUBTFUL = {"bg_color": "#FFF2CC", "font_color": "#7F6000"}
GOOD = {"font_color": "#375623"}
LINE = {"border": 1, "border_color": "#A6A6A6"}
PAGE_WIDTH = 190
SCREEN_WIDTH = 120


@dataclass(frozen=True)
class Frame:
    """What all sheets of one template share."""

    edition: Edition
    park: str
    lists: Mapping[object, CodeList]
    audits: Mapping[str, AuditSheet]
    """Form code → its audit cells."""


def write_form(book: Book, layout: SheetLayout, stated: Prefill, frame: Frame) -> None:
    """Write one form; the table area gets the defined name ``layout.table_name``."""
    sheet = book.sheet(layout.name)
    _columns(book, sheet, layout, frame)
    _head(book, sheet, layout, frame)
    _header(book, sheet, layout)
    if layout.form.kind is FormKind.SHEET:
        _indicator_rows(book, sheet, layout, stated, frame)
    else:
        for column in layout.columns:
            _unit_column(book, sheet, layout, column, stated, frame)
    _foot(book, sheet, layout, stated)
    _page(sheet, layout, stated)
    last = layout.columns[-1].letter
    book.define(layout.table_name, layout.name, f"$A${CODE_ROW}:${last}${layout.last_row(stated.rows)}")
    sheet.protect("", {"format_columns": True, "format_rows": True, "autofilter": True})


def width_of(column: Column) -> float:
    """Width in characters (a Chinese one takes two)."""
    fixed = {"code": 13, "name": 34, "unit_measure": 13, "value": 18, "value_yoy": 18, "value_last": 18, "audit": 48}
    if column.anchor in fixed:
        return fixed[column.anchor]
    if column.indicator is None:
        return 11
    if column.indicator.credit_code:
        return 21
    if column.indicator.code == reserved.PERIOD:
        return 9
    widths = {ValueType.NUMBER: 14, ValueType.TEXT: 24, ValueType.DATE: 12, ValueType.CODE: 11, ValueType.BOOLEAN: 10}
    return 30 if column.indicator.code == reserved.NAME else widths[column.indicator.type]


def _hidden(column: Column, layout: SheetLayout, frame: Frame) -> bool:
    if column.role is Role.AUDIT:
        return not frame.audits[layout.form.code].rules
    return column.role is Role.LAST and layout.form.kind is not FormKind.SHEET


def _columns(book: Book, sheet: Sheet, layout: SheetLayout, frame: Frame) -> None:
    locked = book.style({})
    for column in layout.columns:
        options: dict[str, Any] = {"hidden": _hidden(column, layout, frame)}
        if column.role is Role.LAST and layout.form.kind is not FormKind.SHEET:
            options["level"] = 1
        elif column.role is Role.AUDIT and layout.form.kind is not FormKind.SHEET:
            options["collapsed"] = True
        sheet.set_column(column.index, column.index, width_of(column), locked, options)
    sheet.outline_settings(True, True, True, False)


def _head(book: Book, sheet: Sheet, layout: SheetLayout, frame: Frame) -> None:
    edition, form, period = frame.edition, layout.form, layout.period
    # On several pages the key columns repeat: a title on them is whole on each page, one across the sheet is cut.
    centred = _pages(layout) == 1
    title = book.style({"bold": True, "font_size": 16, **({"center_across": True} if centred else {})})
    across, width = 0, 0.0
    for column in layout.columns:
        if column.role not in (Role.LAST, Role.AUDIT) or layout.form.kind is FormKind.SHEET:
            width += width_of(column)
            if width > SCREEN_WIDTH or column.role is Role.AUDIT:
                break
            if centred or column.index == 0:
                put(sheet, 0, column.index, form.title if column.index == 0 else None, title)
            across = column.index
    text = book.style({"font_color": "#404040"})
    left = (
        f"{PARK_HEAD}:{frame.park}",
        f"{PERIOD_HEAD}:{period.title}",
        f"计量单位:{_usual_unit(layout)}",
        _cumulative(layout),
    )
    year, month = edition.valid_to[:4], edition.valid_to[5:7]
    right = (
        f"表    号:{form.number}表",
        f"制定机关:{edition.authority}",
        f"文    号:{edition.document_number}",
        f"有效期至:{year}年{int(month)}月" if month else "",
    )
    beside = min(3 if layout.form.kind is FormKind.SHEET else 4, across)
    for n, (first, second) in enumerate(zip(left, right, strict=True), start=1):
        put(sheet, n, 0, first, text)
        put(sheet, n, beside, second, text)
    sheet.set_row(0, 27)


def _usual_unit(layout: SheetLayout) -> str:
    units = Counter(i.unit_measure for i in layout.asked if i.unit_measure not in ("", "-"))
    if not units:
        return "—"
    usual = units.most_common(1)[0][0]
    return usual if len(units) == 1 else f"{usual}(另有标明的除外)"


def _cumulative(layout: SheetLayout) -> str:
    flows = any(i.flow for i in layout.asked)
    return "价值量填本年1月至本季末累计数,人数、资产负债填期末数" if layout.period.quarter and flows else ""


def _header(book: Book, sheet: Sheet, layout: SheetLayout) -> None:
    code = book.style({"font_size": 8, "font_color": "#7F7F7F", "align": "center", "bg_color": GREY, **LINE})
    for column in layout.columns:
        fill = HEADER_FILL.get(column.role, "#DCE6F1")
        style = book.style({"bold": True, "text_wrap": True, "align": "center", "bg_color": fill, **LINE})
        put(sheet, HEADER_ROW - 1, column.index, _starred(column), style)
        put(sheet, CODE_ROW - 1, column.index, column.anchor, code)
        if column.indicator and column.role in (Role.KEY, Role.VALUE, Role.YEAR_EARLIER):
            _note(sheet, HEADER_ROW - 1, column.index, explanation(column.indicator, column.role))
    sheet.set_row(HEADER_ROW - 1, 48 if layout.form.kind is not FormKind.SHEET else 24)
    sheet.set_row(CODE_ROW - 1, 13.5)


def _starred(column: Column) -> str:
    required = column.role in (Role.VALUE, Role.KEY) and column.indicator and is_starred(column.indicator)
    return f"*{column.header}" if required else column.header


def is_starred(indicator: Indicator) -> bool:
    """Whether the indicator is marked with * as always required."""
    return indicator.required and not indicator.applies_if


def explanation(indicator: Indicator, role: Role) -> str:
    """The explanation 指标解释 of an indicator, as in the note on its header."""
    lines = [f"{indicator.code} {indicator.label}"]
    if role is Role.YEAR_EARLIER:
        lines.append("上年同期数,已预填上年验收数。口径变化或有订正时可改,改动须选原因;本期新进入的单位必填。")
    if indicator.definition:
        lines.append(f"解释:{indicator.definition}")
    if indicator.options:
        lines.append("代码:" + " ".join(f"{code}{name}" for code, name in indicator.options.items()))
    if indicator.type is ValueType.BOOLEAN:
        lines.append("填“是”或“否”。")
    if indicator.type is ValueType.NUMBER:
        lines.append("保留" + (f"{indicator.decimals}位小数" if indicator.decimals else "整数") + "。没有发生填0。")
    return "\n".join(lines)


def _note(sheet: Sheet, row: int, column: int, text: str) -> None:
    lines = sum(math.ceil(len(line) / 19) for line in text.split("\n"))
    options = {"author": NOTE_AUTHOR, "width": 260, "height": 14 + 17 * lines, "font_size": 9, "color": "#FFFFE1"}
    sheet.write_comment(row, column, text, options)


def _number_format(indicator: Indicator | None) -> dict[str, Any]:
    if indicator is None:
        return {"num_format": "@", "align": "center"}
    match indicator.type:
        case ValueType.NUMBER:
            pattern = "0" if indicator.unit_measure == "年" else "#,##0"
            return {"num_format": pattern + ("." + "0" * indicator.decimals if indicator.decimals else "")}
        case ValueType.DATE:
            return {"num_format": "yyyy-mm-dd", "align": "center"}
        case ValueType.CODE | ValueType.BOOLEAN:
            return {"num_format": "@", "align": "left" if indicator.code == reserved.UNIT else "center"}
    return {"num_format": "@"}


def _cell_style(book: Book, indicator: Indicator | None, *, locked: bool) -> Format:
    fill = {"bg_color": GREY, "font_color": "#595959"} if locked else {}
    look = {**LINE, "locked": locked, **fill}
    return book.style({**look, **_number_format(indicator)})


def _unit_column(book: Book, sheet: Sheet, layout: SheetLayout, column: Column, stated: Prefill, frame: Frame) -> None:
    locked = column.role in (Role.LAST, Role.AUDIT) or column.anchor in stated.locked
    style = _cell_style(book, column.indicator, locked=locked)
    for n, value in enumerate(stated.values(column.anchor)):
        # Hidden locked columns keep their blanks unwritten: they are half of a large book.
        if value is not None or column.role not in (Role.LAST, Role.AUDIT):
            put(sheet, FIRST_ROW - 1 + n, column.index, value, style)
    if column.role is Role.AUDIT:
        _audit_cells(book, sheet, layout, stated, frame)
    if not locked and stated.rows:
        area = (FIRST_ROW - 1, column.index, layout.last_row(stated.rows) - 1, column.index)
        _validate(sheet, area, column.indicator, column.role, frame)


def _indicator_rows(book: Book, sheet: Sheet, layout: SheetLayout, stated: Prefill, frame: Frame) -> None:
    label = book.style({**LINE, "bg_color": GREY})
    with_year_earlier = {i.code for i in layout.form.with_year_earlier(layout.period)}
    columns = {column.anchor: (column, stated.values(column.anchor)) for column in layout.columns}
    for n, indicator in enumerate(layout.asked):
        row = FIRST_ROW - 1 + n
        for column, values in columns.values():
            if column.role is Role.LABEL:
                starred = column.anchor == "name" and is_starred(indicator)
                put(sheet, row, column.index, f"*{values[n]}" if starred else values[n], label)
                continue
            earlier = column.role in (Role.YEAR_EARLIER, Role.REASON)
            locked = column.role in (Role.LAST, Role.AUDIT) or (earlier and indicator.code not in with_year_earlier)
            shown = indicator if column.role is not Role.REASON else None
            put(sheet, row, column.index, values[n], _cell_style(book, shown, locked=locked))
            if not locked:
                _validate(sheet, (row, column.index, row, column.index), shown, column.role, frame)
        name = columns["name"][0].index
        _note(sheet, row, name, explanation(indicator, Role.VALUE))
    _audit_cells(book, sheet, layout, stated, frame)


def _audit_cells(book: Book, sheet: Sheet, layout: SheetLayout, stated: Prefill, frame: Frame) -> None:
    """The column 校验, coloured by what it says; where it names a rule, the key of the row is red as well."""
    column = layout.column(AUDIT)
    style = book.style({**LINE, "locked": True, "bg_color": GREY, "font_color": "#595959", "num_format": "General"})
    audits = frame.audits[layout.form.code]
    if not audits.rules:
        return
    first, last = FIRST_ROW - 1, layout.last_row(stated.rows) - 1
    if audits.filled and stated.rows:
        fill_formula(sheet, (first, last), column.index, audits.filled, style)
    for row, formula in audits.formulas.items():
        put_formula(sheet, row - 1, column.index, formula, style)
    cell = f"${column.letter}{FIRST_ROW}"
    bad, open_, good = (book.workbook.add_format(look) for look in (BAD, DOUBTFUL, GOOD))
    fails = {"type": "formula", "criteria": f'=ISNUMBER(FIND(" ",{cell}))', "format": bad}
    doubtful = {"type": "formula", "criteria": f'=ISNUMBER(FIND(";",{cell}))', "format": open_}
    passed = {"type": "cell", "criteria": "==", "value": f'"{PASSED}"', "format": good}
    for look in (fails, doubtful, passed):
        sheet.conditional_format(first, column.index, last, column.index, look)
    sheet.conditional_format(first, 0, last, 0, fails)


def _validate(
    sheet: Sheet, area: tuple[int, int, int, int], indicator: Indicator | None, role: Role, frame: Frame
) -> None:
    if indicator is None:
        reasons = frame.lists.get(REASONS)
        if role is Role.REASON and reasons:
            named = " ".join(f"{code}{name}" for code, name in reasons.choices)
            validate(sheet, area, _list_rule(reasons, "上年同期改动原因", f"改动了上年同期数的,选一个原因码。{named}"))
        return
    title = f"{indicator.code} {indicator.name}"
    if role is Role.YEAR_EARLIER:
        title = f"{indicator.code} 上年同期"
    rule = _rule(indicator, title, frame.lists)
    if rule:
        validate(sheet, area, rule)


def _list_rule(codelist: CodeList, title: str, message: str) -> dict[str, Any]:
    return {
        "validate": "list",
        "source": codelist.source,
        "input_title": title,
        "input_message": message,
        "error_title": "代码无效",
        "error_message": "请从下拉框选择;代码的名称见“代码表”。",
    }


def _rule(indicator: Indicator, title: str, lists: Mapping[object, CodeList]) -> dict[str, Any]:
    key = list_key(indicator)
    said = {"input_title": title, "input_message": indicator.definition or indicator.name}
    if key is not None and key in lists:
        if key == YES_NO:
            message = f"{indicator.definition}。填“是”或“否”。"
        else:
            names = " ".join(f"{code}{name}" for code, name in lists[key].choices[:20]) if indicator.options else ""
            message = names or f"{indicator.definition}。名称见“代码表”。"
        return _list_rule(lists[key], title, message)
    match indicator.type:
        case ValueType.NUMBER:
            whole = not indicator.decimals
            bounds = "不得为负" if indicator.nonneg else "可为负数"
            digits = "整数" if whole else f"最多{indicator.decimals}位小数"
            unit = f"单位:{indicator.unit_measure}," if indicator.unit_measure not in ("", "-") else ""
            return {
                "validate": "integer" if whole else "decimal",
                "criteria": "between",
                "minimum": 0 if indicator.nonneg else -LARGEST,
                "maximum": LARGEST,
                "input_title": title,
                "input_message": f"{unit}{digits},{bounds}。没有发生填0。\n{indicator.definition}",
                "error_title": "数值无效",
                "error_message": f"应填数字({unit}{digits},{bounds})。不要带单位、空格或文字。",
            }
        case ValueType.DATE:
            return {
                **said,
                "validate": "date",
                "criteria": "between",
                "minimum": date(1900, 1, 1),
                "maximum": date(2099, 12, 31),
                "error_title": "日期无效",
                "error_message": "请按“2025-03-31”的样式填写日期。",
            }
    exact = indicator.credit_code
    return {
        **said,
        "validate": "length",
        "criteria": "==" if exact else "<=",
        "value": 18 if exact else 250,
        "error_title": "长度不符",
        "error_message": "统一社会信用代码为18位,请按文本填写。" if exact else "文字过长,请不超过250字。",
    }


def _foot(book: Book, sheet: Sheet, layout: SheetLayout, stated: Prefill) -> None:
    label = book.style({"align": "right"})
    entry = book.style({"bottom": 1, "locked": False, "num_format": "@"})
    top = layout.foot_row(stated.rows) - 1
    pairs = 2 if layout.form.kind is FormKind.SHEET else 3
    for n, text in enumerate(FOOT):
        row, place = top + n // pairs, 2 * (n % pairs)
        put(sheet, row, place, f"{text}:", label)
        put(sheet, row, place + 1, None, entry)


def _printed(layout: SheetLayout) -> list[Column]:
    return [c for c in layout.columns if c.role not in (Role.LAST, Role.AUDIT) or c.anchor == "value_last"]


def _pages(layout: SheetLayout) -> int:
    """Pages abreast at a legible size; all columns on one page would be print for ants."""
    total = sum(width_of(column) for column in _printed(layout))
    keys = sum(width_of(column) for column in layout.columns[: layout.frozen])
    return max(1, math.ceil((total - keys) / (PAGE_WIDTH - keys)))


def _page(sheet: Sheet, layout: SheetLayout, stated: Prefill) -> None:
    pages = _pages(layout)
    foot_lines = math.ceil(len(FOOT) / (2 if layout.form.kind is FormKind.SHEET else 3))
    sheet.freeze_panes(CODE_ROW, layout.frozen)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.7)
    sheet.fit_to_pages(pages, 0)
    sheet.repeat_rows(0, CODE_ROW - 1)
    if pages > 1:
        sheet.repeat_columns(0, layout.frozen - 1)
    sheet.print_area(0, 0, layout.foot_row(stated.rows) + foot_lines - 2, _printed(layout)[-1].index)
    sheet.set_footer(f"&L&9 {layout.form.number} &A&C&9第 &P 页 共 &N 页&R&9 {layout.period.title}")
    if layout.is_enterprise and stated.rows:
        sheet.autofilter(CODE_ROW - 1, 0, layout.last_row(stated.rows) - 1, layout.columns[-1].index)
