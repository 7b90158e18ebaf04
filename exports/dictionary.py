"""The data dictionary of a release: ``dictionary.json`` for programs, ``dictionary.xlsx`` for people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from exports.manifest import ReleaseMeta, dump_json
from exports.publication_sheet import BLUE, HEAD, NOTE
from exports.writer import HEAD_FONT, Book, Sheet, Style, lines_of, width_of
from schemas.dictionary import codelist_rows, computed_list, indicator_list, mart_columns, mart_list
from schemas.marts import STATUSES

DICTIONARY_JSON: Final = "dictionary.json"
DICTIONARY_BOOK: Final = "dictionary.xlsx"
_HEADS: Final = {
    "mart": "结果表", "product": "产品", "title": "名称", "rounds": "期别", "definition": "解释", "column": "列",
    "type": "类型", "meaning": "含义", "code": "代码", "mark": "标记", "name": "名称", "name_en": "英文名称",
    "form": "表", "form_number": "表号", "form_title": "表名", "unit_measure": "计量单位", "decimals": "小数位",
    "required": "必填", "additive": "可加总", "year_earlier": "上年同期栏", "codelist": "代码表",
    "applies_if": "适用条件", "derived": "派生公式", "origin": "来源", "kind": "类别", "formula": "公式",
    "group": "所属", "note": "备注", "valid_from": "生效", "valid_to": "失效",
}  # fmt: skip
WIDTHS: Final = (8, 48)


def dictionary_tables(meta: ReleaseMeta) -> dict[str, tuple[str, pl.DataFrame]]:
    """Key → (Chinese title, rows) of every part of the dictionary, in reading order."""
    statuses = pl.DataFrame([{"code": c, "mark": mark, "meaning": title} for c, (mark, title) in STATUSES.items()])
    return {
        "marts": ("结果表", mart_list()),
        "columns": ("结果表的列", mart_columns()),
        "statuses": ("数据状态", statuses),
        "indicators": ("采集指标", indicator_list(meta.edition)),
        "computed": ("计算指标与目标", computed_list(meta.edition)),
        "codelists": ("代码表", codelist_rows(meta.programme)),
    }


def write_dictionary(folder: Path, meta: ReleaseMeta) -> None:
    """Write both files into ``folder``."""
    tables = dictionary_tables(meta)
    dump_json(
        {
            "release": meta.release,
            "programme": meta.programme.code,
            "edition": meta.edition.id,
            "programme_sha256": meta.programme.fingerprint,
            **{key: rows.to_dicts() for key, (_, rows) in tables.items()},
        },
        folder / DICTIONARY_JSON,
    )
    with Book(folder / DICTIONARY_BOOK, f"数据字典 {meta.release}") as book:
        for title, rows in tables.values():
            _sheet(book.sheet(title), title, rows, meta.release)


def _sheet(sheet: Sheet, title: str, rows: pl.DataFrame, release: str) -> None:
    sheet.plain_look()
    low, high = WIDTHS
    widths = []
    for column, name in enumerate(rows.columns):
        longest = max((width_of(str(text)) for text in rows[name].unique().to_list()), default=0)
        widths.append(min(high, max(low, width_of(_HEADS[name]) + 3, longest + 2)))
        sheet.column(column, column, widths[-1])
        sheet.text(1, column, _HEADS[name], replace(HEAD, left=0, right=0, top=2))
    sheet.row(0, 28)
    sheet.merged(0, 0, 0, max(len(widths) - 1, 1), title, Style(font=HEAD_FONT, size=14, colour=BLUE))
    sheet.row(1, 22)
    plain = replace(NOTE, indent=0)
    for at, row in enumerate(rows.iter_rows(), 2):
        for column, value in enumerate(row):
            if isinstance(value, int):
                sheet.number(at, column, value, replace(plain, align="center"))
            else:
                sheet.text(at, column, str(value or ""), plain)
        sheet.row(at, 3 + 13 * max(lines_of(str(v or ""), w, 9.5) for v, w in zip(row, widths, strict=True)))
    sheet.freeze(2, 2)
    sheet.print_on_a4(landscape=True, repeat=(1, 1), last=(rows.height + 1, len(widths) - 1), footer=release)
