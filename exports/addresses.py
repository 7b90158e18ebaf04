"""Which published figure stands in which cell of a publication workbook: the index ``ytb trace`` reads."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from exports.ordering import mart_title
from schemas.errors import DefinitionError

CELL_INDEX_COLUMNS: Final[dict[str, pl.DataType]] = {
    "workbook": pl.String(),  # path within the release
    "sheet": pl.String(),
    "sheet_no": pl.Int64(),  # 1 is the sheet an A1 address without a sheet means
    "cell": pl.String(),  # A1 address
    "mart": pl.String(),
    "row_key": pl.String(),
    "column": pl.String(),  # column of the mart the cell shows
    "display": pl.String(),
}
_A1: Final = re.compile(r"\$?([A-Za-z]{1,3})\$?([1-9]\d{0,6})")


def cell_index(rows: list[tuple[str, str, int, str, str, str, str, str]]) -> pl.DataFrame:
    """The index as a frame, ordered by mart, sheet and place in the sheet."""
    frame = pl.DataFrame(rows, schema=CELL_INDEX_COLUMNS, orient="row")
    return (
        frame.with_columns(
            letters=pl.col("cell").str.extract(r"^([A-Z]+)"), line=pl.col("cell").str.extract(r"(\d+)$").cast(pl.Int64)
        )
        .sort("mart", "sheet_no", "line", pl.col("letters").str.len_chars(), "letters")
        .drop("letters", "line")
    )


def find_figure(index: pl.DataFrame, table: str, cell: str) -> tuple[str, str, str]:
    """(mart, row_key, column) of what ``ytb trace REL TABLE CELL`` names.

    TABLE is a mart, its Chinese title or one of its sheets; CELL is ``B7``, ``sheet!B7`` or ``row_key:column``. Without a
    sheet an A1 address means the first sheet of the mart. Raises DefinitionError where no published figure stands there.
    """
    mart, sheet = _table(index, table)
    named, _, place = cell.rpartition("!")
    found = _A1.fullmatch(place.strip())
    if not found:
        return _by_key(index, mart, cell)
    own = index.filter(pl.col("mart") == mart)
    sheets = own.unique(["sheet", "sheet_no"]).sort("sheet_no")["sheet"].to_list()
    chosen = named.strip().strip("'") or sheet or sheets[0]
    if chosen not in sheets:
        raise DefinitionError(f"结果表 {mart} 没有工作表“{chosen}”", remedy=f"它的工作表有:{'、'.join(sheets)}。")
    hit = own.filter(pl.col("sheet") == chosen, pl.col("cell") == f"{found[1].upper()}{found[2]}")
    if hit.is_empty():
        elsewhere = own.filter(pl.col("cell") == f"{found[1].upper()}{found[2]}")["sheet"].to_list()
        hint = (
            f"如指其他工作表,请写 工作表!单元格,如 {elsewhere[0]}!{place}。"
            if elsewhere
            else "请选择数字所在的单元格。"
        )
        raise DefinitionError(f"工作表“{chosen}”的 {place} 没有发布的数字", remedy=hint)
    return mart, hit["row_key"][0], hit["column"][0]


def _table(index: pl.DataFrame, table: str) -> tuple[str, str]:
    marts = index["mart"].unique(maintain_order=True).to_list()
    for mart in marts:
        if table in (mart, mart_title(mart)):
            return mart, ""
    sheets = index.filter(pl.col("sheet") == table)
    if sheets.is_empty():
        raise DefinitionError(f"本次发布没有结果表“{table}”", remedy=f"可用的有:{'、'.join(marts)}。")
    return sheets["mart"][0], table


def _by_key(index: pl.DataFrame, mart: str, text: str) -> tuple[str, str, str]:
    row_key, _, column = text.rpartition(":")
    if not row_key:
        row_key, column = text, "value"
    if index.filter(pl.col("mart") == mart, pl.col("row_key") == row_key).is_empty():
        raise DefinitionError(
            f"结果表 {mart} 没有 row_key 为“{row_key}”的行", remedy="row_key 见 tables 目录下的同名文件。"
        )
    return mart, row_key, column
