"""The own workbook of one enterprise 企业自填: it speaks for nobody else, neither another enterprise nor the park."""

from __future__ import annotations

import polars as pl

from schemas.observations import ENTERPRISE_ROSTER
from sources.reading import Place, Reading


def own_book_told(reading: Reading, unit: str) -> None:
    """Findings on every row of another enterprise and on every form of the park; what they say is dropped from the frames."""
    for code, frame in list(reading.frames.items()):
        form = reading.edition.forms[code]
        if form.roster != ENTERPRISE_ROSTER:
            problem = f"这是企业 {unit} 自己的工作簿,不能填园区的表;请删去这张表,由园区另行填报。"
            reading.finding("not_own_form", Place(code, reading.seen[code], unit=unit), problem)
            del reading.frames[code]
            continue
        foreign = frame.filter(pl.col("unit_id").is_not_null() & (pl.col("unit_id") != unit))
        for other, row in foreign.select("unit_id", "_row").iter_rows():
            place = Place(code, reading.seen[code], f"{_key_letter(reading, code)}{row}", form.key[0], row, unit)
            problem = f"这是企业 {unit} 自己的工作簿,这一行却是 {other} 的;请删去这一行,由该企业在自己的工作簿里填报。"
            reading.finding("foreign_unit", place, problem, found=str(other))
        if foreign.height:
            reading.frames[code] = frame.filter(pl.col("unit_id").is_null() | (pl.col("unit_id") == unit))


def _key_letter(reading: Reading, code: str) -> str:
    key = reading.edition.forms[code].key[0]
    return next(letter for _, _, form, column, letter, _ in reading.maps if (form, column) == (code, key))
