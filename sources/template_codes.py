"""Code lists as the template offers them: what a drop-down lists, and the printed 代码表 with names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from schemas.layout import CODES_SHEET, LISTS_SHEET, SheetLayout, column_letter
from schemas.model import Edition, Indicator, Programme, ValueType
from schemas.period import Period
from sources.writer import Book, put, quoted

Choice: TypeAlias = tuple[str, str]

YES_NO: tuple[Choice, ...] = (("是", ""), ("否", ""))
REASONS = "reason_code"


@dataclass(frozen=True)
class CodeList:
    """One list of a template: the codes with their names, and the range a drop-down refers to."""

    choices: tuple[Choice, ...]
    source: str


def choices_of(programme: Programme, edition: Edition, period: Period, park_code: str) -> dict[str, tuple[Choice, ...]]:
    """Code list name → (code, name) in force at the end of ``period``; sub-parks are those of ``park_code`` only."""
    parks = programme.codelists["parks"].valid(period.end)
    below = parks.filter(pl.col("kind").is_in(["sub_park", "base"]))
    own = below.filter(zone=park_code) if parks.filter(code=park_code, kind="zone").height else below
    found = {name: _pairs(codelist.valid(period.end)) for name, codelist in programme.codelists.items()}
    found["park"] = _pairs(parks.filter(kind="zone"))
    found["sub_park"] = _pairs(own)
    found["base"] = _pairs(own.filter(kind="base"))
    found["area"] = _pairs(parks) + _pairs(programme.codelists["division_upper"].valid(period.end))
    found["task"] = tuple(
        (str(t.row_no), f"{t.area}:{t.name}") for t in edition.targets if t.tracking == "task_register"
    )
    return found


def _pairs(rows: pl.DataFrame) -> tuple[Choice, ...]:
    return tuple(rows.select("code", "name").iter_rows())


def list_key(indicator: Indicator) -> object:
    """What identifies the list of an indicator: its code list, its own options, yes/no, or None where any value goes."""
    if indicator.type is ValueType.BOOLEAN:
        return YES_NO
    if indicator.options:
        return tuple(indicator.options.items())
    return indicator.codelist or None


def write_lists(
    book: Book,
    layouts: Sequence[SheetLayout],
    choices: Mapping[str, Sequence[Choice]],
    asked: Mapping[object, Sequence[str]],
) -> dict[object, CodeList]:
    """Write the hidden sheet of lists; code and name side by side, all text. Returns list key → list, empty ones left out.

    ``asked``: further lists of codes that audit formulas need, under keys of their own; an equal list is written once.
    """
    sheet = book.sheet(LISTS_SHEET)
    text = book.style({"num_format": "@"})
    lists: dict[object, CodeList] = {}
    keys: list[object] = [REASONS]
    keys += [list_key(i) for layout in layouts for i in _indicators(layout)]
    for key in dict.fromkeys(k for k in keys if k is not None):
        pairs = tuple(key) if isinstance(key, tuple) else tuple(choices.get(str(key), ()))
        if not pairs:
            continue
        column = 2 * len(lists)
        put(sheet, 0, column, str(key) if isinstance(key, str) else "", text)
        for n, (code, name) in enumerate(pairs, start=1):
            put(sheet, n, column, code, text)
            put(sheet, n, column + 1, name, text)
        letter = column_letter(column)
        lists[key] = CodeList(pairs, f"={quoted(LISTS_SHEET)}!${letter}$2:${letter}${len(pairs) + 1}")
    column = 2 * len(lists)
    for key, codes in asked.items():
        same = next((found for found in lists.values() if {code for code, _ in found.choices} == set(codes)), None)
        if same is None and codes:
            for n, code in enumerate(sorted(codes), start=1):
                put(sheet, n, column, code, text)
            letter = column_letter(column)
            source = f"={quoted(LISTS_SHEET)}!${letter}$2:${letter}${len(codes) + 1}"
            same, column = CodeList(tuple((code, "") for code in sorted(codes)), source), column + 1
        if same is not None:
            lists[key] = same
    sheet.hide()
    sheet.protect()
    return lists


def write_code_tables(
    book: Book, layouts: Sequence[SheetLayout], lists: Mapping[object, CodeList], division: str
) -> None:
    """Write the visible 代码表, one list beside the other, headed by the indicators that use it.

    Counties are shown for the province of ``division`` only: the whole country hides one's own.
    """
    sheet = book.sheet(CODES_SHEET)
    head = book.style({"bold": True, "bg_color": "#DCE6F1", "border": 1, "text_wrap": True, "align": "center"})
    body = book.style({"num_format": "@", "border": 1, "border_color": "#BFBFBF"})
    put(sheet, 0, 0, "代码表", book.style({"bold": True, "font_size": 14}))
    put(
        sheet,
        1,
        0,
        "单元格内填代码,不填名称。行业、区划等长表可按 Ctrl+F 查找名称。",
        book.style({"font_color": "#595959"}),
    )
    users: dict[object, list[str]] = {REASONS: ["上年同期改动原因"]}
    for layout in layouts:
        for indicator in _indicators(layout):
            users.setdefault(list_key(indicator), []).append(f"{indicator.code} {indicator.name}")
    column = 0
    for key, codelist in lists.items():
        if key == YES_NO or key not in users:
            continue
        titles = list(dict.fromkeys(users.get(key, [])))
        title = titles[0] + (f" 等{len(titles)}项" if len(titles) > 1 else "")
        sheet.merge_range(3, column, 3, column + 1, title, head)
        shown = [
            c for c in codelist.choices if key != "division_county" or c[0][:2] == division[:2]
        ] or codelist.choices
        for n, (code, name) in enumerate(shown, start=4):
            put(sheet, n, column, code, body)
            put(sheet, n, column + 1, name, body)
        longest = max(len(name) for _, name in shown)
        sheet.set_column(column, column, 9)
        sheet.set_column(column + 1, column + 1, min(max(2 * longest + 2, 12), 40))
        sheet.set_column(column + 2, column + 2, 2)
        column += 3
    sheet.set_row(3, 32)
    sheet.freeze_panes(4, 0)
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(2, 0)
    sheet.repeat_rows(3)
    sheet.set_footer("&L&A&C第 &P 页 共 &N 页")
    sheet.protect("", {"format_columns": True, "autofilter": True})


def _indicators(layout: SheetLayout) -> list[Indicator]:
    keyed = [c.indicator for c in layout.columns if c.indicator is not None]
    return list({indicator.code: indicator for indicator in [*keyed, *layout.asked]}.values())
