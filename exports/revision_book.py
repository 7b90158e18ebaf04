"""``修订对照.xlsx``: what a revised release changed, for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from exports.display import number_format, number_of
from exports.manifest import ReleaseMeta
from exports.ordering import mart_title, ordering_of
from exports.publication_sheet import BLUE, FIGURE, HEAD, NOTE, SIDE
from exports.revision import KINDS
from exports.writer import HEAD_FONT, Book, Sheet, Style, lines_of

REVISION_BOOK: Final = "publication/修订对照.xlsx"
_HEADS: Final = ("结果表", "区域", "组别", "指标", "数据项", "报告期", "计量单位", "修订前", "修订后", "差额", "种类")
_WIDTHS: Final = (16, 24, 16, 28, 16, 13, 11, 14, 14, 13, 11)
_FIGURES: Final = (7, 8, 9)
_NONE: Final = "本次发布与上一次发布的数字完全一致。"


def write_revision_book(revisions: pl.DataFrame, folder: Path, meta: ReleaseMeta) -> None:
    """Write the workbook below ``folder``."""
    with Book(folder / REVISION_BOOK, f"修订对照 {meta.release}") as book:
        _sheet(book.sheet("修订对照"), revisions, meta)


def _sheet(sheet: Sheet, revisions: pl.DataFrame, meta: ReleaseMeta) -> None:
    sheet.plain_look()
    last = len(_HEADS) - 1
    for column, width in enumerate(_WIDTHS):
        sheet.column(column, column, width)
    sheet.row(0, 30)
    sheet.merged(0, 0, 0, last, "修订对照", Style(font=HEAD_FONT, size=16, colour=BLUE, align="center"))
    text = f"{meta.previous or '上一次发布'} → {meta.release}  共 {revisions.height} 处。{meta.reason}"
    sheet.row(1, 4 + 14 * lines_of(text, sum(_WIDTHS), 10))
    sheet.merged(1, 0, 1, last, text, replace(SIDE, wrap=True))
    sheet.row(2, 22)
    for column, head in enumerate(_HEADS):
        sheet.text(2, column, head, replace(HEAD, left=0, right=0, top=2))
    if revisions.is_empty():
        sheet.merged(3, 0, 3, last, _NONE, NOTE)
    ordering = ordering_of(meta.programme)
    for at, row in enumerate(revisions.iter_rows(named=True), 3):
        texts = _texts(row, ordering.label("period", row["period"]))
        for column, shown in enumerate(texts):
            number = number_of(shown) if column in _FIGURES else None
            if number is not None:
                sheet.number(at, column, number, replace(FIGURE, number_format=number_format(shown)))
            else:
                sheet.text(at, column, shown, FIGURE if column in _FIGURES else replace(NOTE, indent=0))
        sheet.row(at, 4 + 13 * max(lines_of(t, w, 9.5) for t, w in zip(texts, _WIDTHS, strict=True)))
    sheet.freeze(3, 0)
    sheet.print_on_a4(landscape=True, repeat=(2, 2), last=(max(revisions.height, 1) + 2, last), footer=meta.release)


def _texts(row: Mapping[str, Any], period: str) -> tuple[str, ...]:
    return (
        mart_title(row["mart"]), row["area_name"] or row["area"], row["category_name"] or row["category"],
        row["indicator_name"] or row["indicator"], row["measure_name"] or row["measure"], period, row["unit_measure"],
        row["display_before"], row["display_after"], row["difference"], KINDS[row["kind"]],
    )  # fmt: skip
