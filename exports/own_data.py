"""A park's own accepted figures as files: a workbook, CSV in a zip, and the layout of national forms. Equal figures, equal bytes."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

from exports.safe_text import safe_csv
from exports.writer import Book, Sheet, Style
from schemas import reserved
from schemas.errors import RefusalError
from schemas.model import Edition, Form, FormKind
from schemas.national import NationalColumn, NationalLayout
from schemas.observations import ENTERPRISE_ROSTER, names_of_units
from schemas.period import Period

MOST_CELLS = 500_000
"""More than this does not go into one workbook, which is made in memory while the clerk waits; the CSV has no such limit."""
_KEYS = ("park", "unit_id", "_file", "_sheet", "_row")
_STAMP = (1980, 1, 1, 0, 0, 0)
_HEAD = Style(bold=True, fill="#e9eff5", wrap=True, top=1, bottom=1, left=1, right=1)
_CELL = Style(top=7, bottom=7, left=7, right=7)
_TITLE = Style(bold=True, size=14)


@dataclass(frozen=True)
class OwnPeriod:
    """What one accepted submission says; ``frames``: form → form frame with all columns of the round."""

    period: Period
    number: str
    park: str
    edition: Edition
    frames: Mapping[str, pl.DataFrame]

    def names(self) -> dict[str, str]:
        """Unit → name as filed."""
        return names_of_units(self.frames.get(reserved.BASIC))


@dataclass(frozen=True)
class Column:
    """One column of a table: code, name and unit of measure, both as the newest edition among the periods says."""

    code: str
    name: str
    unit_measure: str

    @property
    def head(self) -> str:
        """As one line: F01 营业收入(千元)."""
        unit = f"({self.unit_measure})" if self.unit_measure not in ("", "-") else ""
        return f"{self.code} {self.name}{unit}".strip()


@dataclass(frozen=True)
class OwnTable:
    """One form over some periods: the columns behind period, number, unit and name; the rows come as they are asked for."""

    form: Form
    columns: Sequence[Column]
    periods: Sequence[OwnPeriod]

    @property
    def cells(self) -> int:
        """How many cells it has."""
        rows = sum(one.frames.get(self.form.code, _NONE).height for one in self.periods)
        return rows * (len(self.columns) + len(LEADING))

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Period by period, unit by unit."""
        for one in self.periods:
            yield from _rows(self.form.code, one, self.columns)


LEADING = (Column("", "报告期", ""), Column("", "报送编号", ""), Column("", "单位代码", ""), Column("", "单位名称", ""))


def own_tables(periods: Sequence[OwnPeriod]) -> list[OwnTable]:
    """The forms with anything on them, in printed order; columns are the union over the periods."""
    forms: dict[str, Form] = {}
    for one in periods:
        forms |= {code: form for code, form in one.edition.forms.items() if code in one.frames}
    tables = []
    for code, form in sorted(forms.items(), key=lambda item: item[1].number):
        if form.kind is FormKind.CONTEXT or all(one.frames.get(code, _NONE).is_empty() for one in periods):
            continue
        tables.append(OwnTable(form, _columns(code, periods), periods))
    return tables


_NONE = pl.DataFrame()


def _columns(code: str, periods: Sequence[OwnPeriod]) -> list[Column]:
    """The columns of a form over the periods in printed order, the figure of the year before behind its own."""
    found: dict[str, Column] = {}
    order: dict[str, int] = {}
    for one in periods:
        form = one.edition.forms.get(code)
        if form is None:
            continue
        order |= {indicator.code: n for n, indicator in enumerate(form.indicators)}
        for name in one.frames.get(code, _NONE).columns:
            base = name.removesuffix("_yoy")
            indicator = None if name in _KEYS else one.edition.indicators.get(base)
            if indicator is not None:
                title = f"{indicator.name}(上年同期)" if base != name else indicator.name
                found[name] = Column(name, title, indicator.unit_measure)
    return sorted(found.values(), key=lambda c: (order.get(c.code.removesuffix("_yoy"), len(order)), c.code))


def _rows(code: str, one: OwnPeriod, columns: Sequence[Column]) -> Iterator[tuple[object, ...]]:
    frame = one.frames.get(code, _NONE)
    if frame.is_empty():
        return
    names = one.names()
    shown = frame.sort("unit_id").select(
        "unit_id",
        *(pl.col(c.code) if c.code in frame.columns else pl.lit(None).alias(c.code) for c in columns),
    )
    for unit, *values in shown.iter_rows():
        yield (str(one.period), one.number, unit, names.get(unit, ""), *values)


def own_book(periods: Sequence[OwnPeriod], title: str) -> bytes:
    """A workbook, one sheet a form. Raises RefusalError where it would be too large to open."""
    tables = own_tables(periods)
    cells = sum(table.cells for table in tables)
    if cells > MOST_CELLS:
        raise RefusalError(f"共 {cells:,} 格,超过一个工作簿能方便打开的 {MOST_CELLS:,} 格;请按期下载,或下载 CSV。")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.xlsx"
        with Book(path, title) as book:
            for table in tables:
                _sheet(book.sheet(table.form.title[:31]), table, title)
        return path.read_bytes()


def _sheet(sheet: Sheet, table: OwnTable, title: str) -> None:
    columns = [*LEADING, *table.columns]
    sheet.text(0, 0, f"{table.form.number} {table.form.title}", _TITLE)
    sheet.text(1, 0, title, Style())
    for n, column in enumerate(columns):
        for row, text in ((2, column.name), (3, column.unit_measure), (4, column.code)):
            sheet.text(row, n, text, _HEAD)
    sheet.column(0, 1, 16)
    sheet.column(2, 3, 24)
    sheet.column(4, max(len(columns) - 1, 4), 14)
    sheet.freeze(5, 4)
    for at, values in enumerate(table.rows(), start=5):
        _line(sheet, at, values)


def _line(sheet: Sheet, at: int, values: Sequence[object]) -> None:
    for n, value in enumerate(values):
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            sheet.number(at, n, float(value), _CELL)
        else:
            sheet.text(at, n, text_of(value), _CELL)


def text_of(value: object) -> str:
    """A value as text: exact decimals as they stand, 是 and 否, days as ISO; empty for what is not reported."""
    match value:
        case None:
            return ""
        case bool():
            return "是" if value else "否"
        case date():
            return value.isoformat()
    return str(value)


def own_csv(periods: Sequence[OwnPeriod]) -> bytes:
    """A zip with one CSV a form: UTF-8 with a byte order mark, no cell that a spreadsheet program would run."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in own_tables(periods):
            lines = io.StringIO()
            writer = csv.writer(lines)
            writer.writerow([column.head for column in (*LEADING, *table.columns)])
            for row in table.rows():
                writer.writerow([safe_csv(text_of(value)) for value in row])
            entry = zipfile.ZipInfo(f"{table.form.number}_{table.form.title}.csv", _STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, lines.getvalue().encode("utf-8-sig"))
    return buffer.getvalue()


def national_book(one: OwnPeriod, layout: NationalLayout, title: str) -> bytes:
    """The figures of one year in the layout of national forms: only columns that are declared equal; the others stay empty
    and stand on the first sheet with the reason. Raises RefusalError for a quarter: these are annual forms."""
    if one.period.round != "A":
        raise RefusalError("国家表式是年报;请选择年报的报告期。")
    wide = _wide(one)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "national.xlsx"
        with Book(path, layout.title) as book:
            _notes(book.sheet("说明"), one, layout, title)
            for form in layout.forms:
                sheet = book.sheet(f"{form.number} {form.title}"[:31])
                sheet.text(0, 0, f"{form.number} {form.title}", _TITLE)
                sheet.text(1, 0, f"{layout.authority} {layout.document_number};{title}", Style())
                heads = _with_unit(form.columns)
                for n, column in enumerate(heads):
                    for row, text in ((2, column.name), (3, column.unit_measure), (4, column.code)):
                        sheet.text(row, n, text, _HEAD)
                sheet.column(0, 1, 24)
                sheet.column(2, len(heads), 14)
                sheet.freeze(5, 2)
                for at, values in enumerate(wide.iter_rows(named=True), start=5):
                    _line(sheet, at, [values.get(column.source) if column.source else None for column in heads])
        return path.read_bytes()


def _with_unit(columns: Sequence[NationalColumn]) -> list[NationalColumn]:
    """Columns behind credit code and name, which every form of the layout starts with."""
    own = [c for c in columns if c.source not in (reserved.UNIT, reserved.NAME)]
    lead = [
        NationalColumn("", "统一社会信用代码", "", reserved.UNIT, ""),
        NationalColumn("", "单位详细名称", "", reserved.NAME, ""),
    ]
    return [*lead, *own]


def _wide(one: OwnPeriod) -> pl.DataFrame:
    """The enterprises of a period with the columns of all their forms, by unit."""
    forms = [f for f in one.edition.forms.values() if f.roster == ENTERPRISE_ROSTER and f.code in one.frames]
    wide = pl.DataFrame(schema={"unit_id": pl.String})
    for form in forms:
        frame = one.frames[form.code].unique("unit_id", keep="first")
        own = [c for c in frame.columns if c not in _KEYS and not c.endswith("_yoy") and c not in wide.columns]
        wide = wide.join(frame.select("unit_id", *own), on="unit_id", how="full", coalesce=True)
    if reserved.UNIT not in wide.columns:
        wide = wide.with_columns(pl.lit(None, pl.String).alias(reserved.UNIT))
    return wide.with_columns(pl.coalesce(reserved.UNIT, "unit_id").alias(reserved.UNIT)).sort("unit_id")


def _notes(sheet: Sheet, one: OwnPeriod, layout: NationalLayout, title: str) -> None:
    lines = [layout.title, f"{layout.authority} {layout.document_number}", title, f"报送编号 {one.number}", layout.note,
             "只填定义和计量单位相同的列;其余列留空,原因如下。"]  # fmt: skip
    for row, text in enumerate(lines):
        sheet.text(row, 0, text, _TITLE if not row else Style())
    start = len(lines) + 1
    for n, head in enumerate(("表号", "代码", "名称", "计量单位", "本制度指标", "说明")):
        sheet.text(start, n, head, _HEAD)
    at = start + 1
    for form in layout.forms:
        for column in form.columns:
            indicator = one.edition.indicators.get(column.source)
            ours = f"{column.source} {indicator.name}" if indicator else "(空列)"
            for n, text in enumerate((form.number, column.code, column.name, column.unit_measure, ours, column.note)):
                sheet.text(at, n, text, _CELL)
            at += 1
    sheet.column(0, 1, 12)
    sheet.column(2, 2, 34)
    sheet.column(3, 3, 10)
    sheet.column(4, 5, 40)
