"""A CSV file of any origin as cells of text: the tables that commands outside the programme work on."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

import polars as pl

from exports.safe_text import safe_csv_columns
from schemas.errors import DefinitionError, SubmissionError
from sources.delimited import decode, delimiter_of

P = ParamSpec("P")
T = TypeVar("T")
MISSING = frozenset(("", "—", "-", "NA", "NaN", "nan", "null", "..", "…"))
LINE: Final = "_line"
"""The column in which ``csv_text`` says in which line of the file a row begins."""
LARGEST: Final = 1e100  # sums and squares of anything below stay finite


def csv_cells(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows and the line each row begins in. Raises DefinitionError for what is no table.

    UTF-8 (with or without mark), UTF-16 with a mark, or GB18030; comma, semicolon or tab.
    """
    where = str(path)
    try:
        text = decode(path.read_bytes())
    except FileNotFoundError:
        raise DefinitionError("文件不存在", where=where, remedy="请检查路径。") from None
    except IsADirectoryError:
        raise DefinitionError("这是文件夹,不是文件", where=where, remedy="请给出 CSV 文件。") from None
    except SubmissionError as error:
        raise DefinitionError(str(error), where=where, remedy="请另存为 UTF-8 的 CSV。") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    header: list[str] | None = None
    begins = 1
    try:
        for row in reader:
            line, begins = begins, reader.line_num + 1
            if header is None:
                if any(cell.strip() for cell in row):
                    header = _header(row, where, line)
            elif row or len(header) == 1:
                rows.append(_padded(row, len(header), where, line))
                lines.append(line)
    except csv.Error as error:
        raise DefinitionError(
            f"引号没有成对({error})", where=f"{where}:{reader.line_num}", remedy="请更正这一行。"
        ) from None
    if header is None:
        raise DefinitionError("文件是空的", where=where, remedy="第一行要写列名。")
    return header, rows, lines


def _header(row: Sequence[str], where: str, line: int) -> list[str]:
    names = [cell.strip() for cell in row]
    if names.count("") == 1 and names[0] == "":
        names[0] = "row"  # R writes its row names under an empty head
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        shown = "、".join(n or "(空)" for n in doubled)
        raise DefinitionError(f"列名重复:{shown}", where=f"{where}:{line}", remedy="每列要有自己的名字。")
    return names


def _padded(row: list[str], width: int, where: str, line: int) -> list[str]:
    if len(row) > width and any(cell.strip() for cell in row[width:]):
        raise DefinitionError(
            f"这一行有 {len(row)} 格,列名只有 {width} 个",
            where=f"{where}:{line}",
            remedy="含分隔符的内容要用双引号括起。",
        )
    if row and len(row) < width:
        raise DefinitionError(
            f"这一行只有 {len(row)} 格,列名有 {width} 个", where=f"{where}:{line}", remedy="请补齐分隔符。"
        )
    return [*row[:width], *[""] * (width - len(row))]


def csv_text(path: Path) -> pl.DataFrame:
    """All columns as text, blank rows left out, and the line of every row (``LINE``). DefinitionError as ``csv_cells``."""
    header, rows, lines = csv_cells(path)
    if LINE in header:
        raise DefinitionError(f"列名不能是 {LINE}", where=f"{path}:1", remedy="请改列名。")
    filled = [k for k, row in enumerate(rows) if any(cell.strip() for cell in row)]
    frame = pl.DataFrame([rows[k] for k in filled], schema=dict.fromkeys(header, pl.String), orient="row")
    return frame.with_columns(pl.Series(LINE, [lines[k] for k in filled], dtype=pl.Int64))


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame for people's spreadsheet programs: text that would run as a formula is made safe, a mark says that it is UTF-8."""
    safe_csv_columns(frame).write_csv(path, include_bom=True)


def plain_number(text: str) -> float | None:
    """A figure as written, without separators; None for what is no finite number of an ordinary size."""
    if "_" in text:  # Python reads 1_000
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST else None


def typed_table(
    path: Path, wanted: Mapping[str, pl.DataType], named: Mapping[str, str], optional: frozenset[str] = frozenset()
) -> pl.DataFrame:
    """The columns ``wanted`` of a CSV, typed; ``named`` gives the header of a column where it is not the column's own name.

    Numbers may have thousands separators; blank, ``—``, ``NA`` are null. An ``optional`` column that is not there is left out.
    Raises DefinitionError naming file, line and column for a header that is missing or a cell that is no number, and for a
    table without rows.
    """
    text = csv_text(path)
    made = []
    for column, dtype in wanted.items():
        header = named.get(column, column)
        if header not in text.columns:
            if column in optional and column not in named:
                continue
            raise DefinitionError(
                f"没有“{header}”列",
                where=path.name,
                remedy=f"现有列:{'、'.join(c for c in text.columns if c != LINE)};列名见 docs/formats/series.md。",
            )
        made.append(_typed(text[header].to_list(), text[LINE].to_list(), column, header, dtype, path))
    if text.is_empty():
        raise DefinitionError("表里只有表头,没有行", where=path.name, remedy="请检查文件。")
    return pl.DataFrame(made)


def names_its_file(use_case: Callable[Concatenate[Path, P], T]) -> Callable[Concatenate[Path, P], T]:
    """A use case on one table: what its methods, which know no files, find wrong is told with the file's name."""

    @wraps(use_case)
    def told(data: Path, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return use_case(data, *args, **kwargs)
        except DefinitionError as error:
            if error.where:
                raise
            raise DefinitionError(error.message, where=data.name, remedy=error.remedy) from error

    return told


def _typed(cells: list[str], lines: list[int], column: str, header: str, dtype: pl.DataType, path: Path) -> pl.Series:
    words = [None if c.strip() in MISSING else c.strip() for c in cells]
    if dtype == pl.String():
        return pl.Series(column, words, dtype=dtype)
    if dtype == pl.Boolean():
        return pl.Series(column, [None if w is None else w in ("1", "true", "True", "TRUE", "是") for w in words])
    found: list[float | None] = []
    for line, word in zip(lines, words, strict=True):
        number = None if word is None else plain_number(word.replace(",", ""))
        if word is not None and number is None:
            raise DefinitionError(
                f"“{header}”列填的是“{word}”,不是数字(或大得不像数)",
                where=f"{path.name}:{line}",
                remedy="请填数字,没有数就留空。",
            )
        found.append(number)
    return pl.Series(column, found, dtype=pl.Float64())
