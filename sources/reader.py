"""From a workbook to observations: forms are found by ``_meta`` and code row, never by sheet name or place.

Runs inside a limited child process (``sources.pool``). Tolerates inserted, moved, renamed and hidden rows, columns and
sheets; reports what it normalised; where something is ambiguous it says so and guesses nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import polars as pl

from schemas.catalog import programme
from schemas.errors import DefinitionError, SubmissionError
from schemas.findings import as_findings, no_findings
from schemas.layout import FOOT, META_SHEET, OWN_SHEETS, Anchor, column_letter, is_code_row
from schemas.model import Edition, Form, FormKind, Indicator, Programme, ValueType
from schemas.observations import CELL_MAP_COLUMNS, KEY_COLUMNS, Observations
from schemas.period import Period
from sources.cells import CellProblem, CellValue, Normalised, parse_column
from sources.grid import Grid, read_grids

READER_VERSION = "1"
SCANNED_ROWS = 60
TOTALS = re.compile(r"^\s*(合\s*计|总\s*计|小\s*计|本页合计|累\s*计)\s*[::]?\s*$")
NORMALISED_COLUMNS = {
    "file": pl.String(), "sheet": pl.String(), "cell": pl.String(), "form": pl.String(), "column": pl.String(), "unit_id": pl.String(), "code": pl.String(),
    "found": pl.String(), "value": pl.String(), "message": pl.String(),
}  # fmt: skip
CREDIT_CODES = frozenset({"B01", "J15"})
UNIT_ID_LIMIT = 80
LONGEST_LABEL = 18
_BLANKS = frozenset({True})


def no_normalised() -> pl.DataFrame:
    """An empty list of normalised cells."""
    return pl.DataFrame(schema=NORMALISED_COLUMNS)


@dataclass(frozen=True)
class FileReading:
    """What one file says. ``status`` is readable or unreadable (then ``code`` and ``message`` say why)."""

    name: str
    sha256: str
    status: str
    park: str | None = None
    period: Period | None = None
    edition: str | None = None
    forms: tuple[str, ...] = ()
    observations: Observations = field(default_factory=lambda: Observations({}))
    findings: pl.DataFrame = field(default_factory=no_findings)
    normalised: pl.DataFrame = field(default_factory=no_normalised)
    code: str = ""
    message: str = ""

    @classmethod
    def unreadable(cls, name: str, sha256: str, code: str, message: str) -> FileReading:
        """A file nothing could be read from."""
        return cls(
            name, sha256, "unreadable", code=code, message=f"《{name}》{message}" if name not in message else message
        )


def read_file(data: bytes, name: str, programme_code: str = "park") -> FileReading:
    """Guard, read and type one file. A file that cannot be taken in comes back as ``unreadable``, never as an exception."""
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        return _read(read_grids(data, name), name, sha256, programme(programme_code))
    except SubmissionError as refusal:
        return FileReading.unreadable(name, sha256, refusal.code, str(refusal))


def _read(grids: Sequence[Grid], name: str, sha256: str, of: Programme) -> FileReading:
    meta = _meta(grids)
    located = [(grid, row) for grid in grids if grid.sheet not in OWN_SHEETS for row in code_rows(grid)]
    if not located:
        raise SubmissionError(
            "no_form", f"《{name}》里没有找到报表:没有一张工作表带代码行。请使用下发的模板,不要删除代码行。"
        )
    period, park = _period(meta, located), meta.get("park") or _park_in_cells(located)
    if period is None:
        raise SubmissionError("no_period", f"《{name}》里找不到报告期。请使用本期下发的模板填报。")
    try:
        edition = of.edition_for(period)
    except DefinitionError as missing:
        raise SubmissionError("no_edition", f"《{name}》的报告期 {period} 没有适用的制度。请核对报告期。") from missing
    book = _Book(name, sha256, edition, period, park or "")
    _check_meta(book, meta)
    for grid, row in located:
        form = _form_of(grid, row, edition, period)
        if form is None:
            book.finding(
                "unknown_form",
                "",
                grid.sheet,
                f"A{row + 1}",
                "",
                "这张工作表的代码行不属于任何一张本期报表;请核对是否用错了模板。",
            )
            continue
        if form.code in book.seen:
            book.finding(
                "form_twice",
                form.code,
                grid.sheet,
                f"A{row + 1}",
                "",
                f"表“{form.title}”在本工作簿中出现两次(另一处在“{book.seen[form.code]}”);请只保留一处。",
            )
            continue
        book.seen[form.code] = grid.sheet
        (_read_sheet if form.kind is FormKind.SHEET else _read_roster)(book, grid, row, form)
    return book.reading()


# ── finding forms ──────────────────────────────────────────────────────────────────────────────────────────────────
def code_rows(grid: Grid) -> list[int]:
    """0-based rows that are code rows, looking at the top of the sheet."""
    return [n for n, cells in enumerate(grid.rows[:SCANNED_ROWS]) if is_code_row(cells)]


def _meta(grids: Iterable[Grid]) -> dict[str, str]:
    for grid in grids:
        if grid.sheet == META_SHEET:
            return {
                str(r[0]).strip(): str(r[1]).strip()
                for r in grid.rows
                if len(r) > 1 and r[0] not in ("", None) and r[1] not in ("", None)
            }
    return {}


def _anchors(grid: Grid, row: int) -> dict[int, Anchor]:
    return {n: anchor for n, cell in enumerate(grid.rows[row]) if (anchor := Anchor.parse(cell)) is not None}


def _form_of(grid: Grid, row: int, edition: Edition, period: Period) -> Form | None:
    """The form most of whose codes stand in the code row; identification columns do not count."""
    if any(isinstance(c, str) and c.strip() == "value" for c in grid.rows[row]):
        column = next(n for n, c in enumerate(grid.rows[row]) if isinstance(c, str) and c.strip() == "code")
        codes = [str(r[column]).strip() for r in grid.rows[row + 1 :] if len(r) > column and isinstance(r[column], str)]
    else:
        codes = [a.code for a in _anchors(grid, row).values()]
    votes: dict[str, int] = {}
    for code in set(codes):
        indicator = edition.indicators.get(code)
        if indicator is not None:
            votes[indicator.form] = votes.get(indicator.form, 0) + 1
    if "basic" in votes and len(votes) > 1:
        votes["basic"] -= len({"B01", "B02"} & set(codes))
    if not votes:
        return None
    best = max(votes, key=lambda f: votes[f])
    return edition.forms[best]


def _period(meta: dict[str, str], located: Sequence[tuple[Grid, int]]) -> Period | None:
    texts = [meta["period"]] if meta.get("period") else []
    for grid, row in located:
        for n, anchor in _anchors(grid, row).items():
            if anchor.code == "B03" and not anchor.lag:
                texts += [
                    str(r[n]).removesuffix(".0")
                    for r in grid.rows[row + 1 : row + 20]
                    if len(r) > n and r[n] not in ("", None)
                ]
        texts += [
            text
            for r in grid.rows[:row]
            for c in r
            if isinstance(c, str)
            for text in re.findall(r"20\d\d(?:-?Q[1-4])?(?=\s*$)", c)
        ]
    for text in texts:
        try:
            return Period.parse(text)
        except DefinitionError:
            continue
    return None


def _park_in_cells(located: Sequence[tuple[Grid, int]]) -> str | None:
    for grid, row in located:
        for n, anchor in _anchors(grid, row).items():
            if anchor.code == "B04" and not anchor.lag:
                found = {str(r[n]).strip() for r in grid.rows[row + 1 :] if len(r) > n and r[n] not in ("", None)}
                if len(found) == 1:
                    return found.pop()
    return None


def _check_meta(book: _Book, meta: dict[str, str]) -> None:
    if not meta:
        book.finding(
            "no_meta",
            "",
            None,
            None,
            "",
            "工作簿里没有模板标识(隐藏表 _meta 已被删除);已按代码行识别。请今后直接在下发的模板上填报。",
            severity="trial",
        )
    elif meta.get("edition") and meta["edition"] != book.edition.id:
        book.finding(
            "old_edition",
            "",
            None,
            None,
            "",
            f"模板是 {meta['edition']} 版,本期适用 {book.edition.id} 版;请下载本期模板重新填报。",
        )


# ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class _Book:
    name: str
    sha256: str
    edition: Edition
    period: Period
    park: str

    def __post_init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.frames: dict[str, pl.DataFrame] = {}
        self.maps: list[tuple[str, str, str, str, str, int | None]] = []
        self.findings: list[dict[str, object]] = []
        self.notes: list[dict[str, object]] = []

    def finding(
        self,
        code: str,
        form: str,
        sheet: str | None,
        cell: str | None,
        column: str,
        problem: str,
        *,
        unit: str | None = None,
        found: str = "",
        row: int | None = None,
        severity: str = "hard",
    ) -> None:
        indicator = self.edition.indicators.get(column.split("_")[0]) if column else None
        named = f"“{indicator.name}{'上年同期' if column.endswith('_yoy') else ''}”({column})" if indicator else ""
        place = f"工作表“{sheet}”{' ' + cell if cell else ''}" if sheet else f"《{self.name}》"
        self.findings.append({
            "rule": code, "severity": severity, "form": form or None, "unit_id": unit, "park": self.park, "file": self.name, "sheet": sheet, "cell": cell, "row": row,
            "column": column or None, "indicator": indicator.name if indicator else None, "found": found, "message": f"{place}{named}:{problem}", "code": code, "outcome": "failed",
        })  # fmt: skip

    def normalised(
        self,
        form: str,
        sheet: str,
        cell: str,
        column: str,
        unit: str | None,
        code: str,
        found: str,
        value: str,
        message: str,
    ) -> None:
        self.notes.append(
            {
                "file": self.name,
                "sheet": sheet,
                "cell": cell,
                "form": form,
                "column": column,
                "unit_id": unit,
                "code": code,
                "found": found,
                "value": value,
                "message": message,
            }
        )

    def reading(self) -> FileReading:
        cell_map = pl.DataFrame(self.maps, schema=CELL_MAP_COLUMNS, orient="row")
        frames = _without_silent_units(self.frames, self.edition, self.period)
        return FileReading(
            self.name, self.sha256, "readable", self.park or None, self.period, self.edition.id, tuple(self.seen), Observations(frames, cell_map),
            as_findings(self.findings), pl.DataFrame(self.notes, schema=NORMALISED_COLUMNS) if self.notes else no_normalised(),
        )  # fmt: skip


def _kind(indicator: Indicator) -> str:
    if indicator.code in CREDIT_CODES:
        return "credit_code"
    return indicator.type.value


def _parse(
    book: _Book, grid: Grid, indicator: Indicator, values: Sequence[CellValue]
) -> tuple[pl.Series, list[CellProblem], list[Normalised]]:
    widths = sorted({len(k) for k in indicator.options}) or [1]
    return parse_column(
        values,
        _kind(indicator),
        indicator.decimals,
        unit_measure=indicator.unit_measure,
        code_widths=widths,
        is_1904=grid.is_1904,
    )


def _read_roster(book: _Book, grid: Grid, code_row: int, form: Form) -> None:
    """One row a unit below the code row, until the foot; blank rows are skipped, total rows left out and said so."""
    wanted = _roster_columns(book, grid, code_row, form)
    if wanted is None:
        return
    rows = _data_rows(book, grid, code_row, form, wanted)
    series: dict[str, pl.Series] = {}
    noted: list[tuple[str, int, list[CellProblem], list[Normalised]]] = []
    # Turning the kept rows once is far cheaper than picking a column out of every row for each column.
    columns = list(zip(*(grid.rows[r] for r in rows), strict=True))
    for column, position in wanted.items():
        indicator = book.edition.indicators[column.split("_")[0]]
        values = columns[position] if columns else ()
        parsed, problems, normalised = _parse(book, grid, indicator, values)
        series[column] = parsed
        if problems or normalised:
            noted.append((column, position, problems, normalised))
    units = _unit_ids(form, series, len(rows))
    for column, position, problems, normalised in noted:
        _note(book, grid, form, column, position, rows, units, problems, normalised)
    for n, unit in enumerate(units):
        if unit is None:
            key = form.key[0]
            at = wanted.get(key)
            cell = f"{column_letter(at)}{rows[n] + 1}" if at is not None else None
            if not any(f["row"] == rows[n] + 1 and f["column"] == key for f in book.findings):
                book.finding(
                    "key_missing",
                    form.code,
                    grid.sheet,
                    cell,
                    key,
                    "这一行有数但没有填写代码;请补填,否则不知道是哪个单位。",
                    row=rows[n] + 1,
                )
    frame = pl.DataFrame(
        {
            "park": pl.Series([book.park or None] * len(rows), dtype=pl.String),
            "unit_id": pl.Series(units, dtype=pl.String),
            "_file": pl.Series([book.sha256] * len(rows), dtype=pl.String),
            "_sheet": pl.Series([grid.sheet] * len(rows), dtype=pl.String),
            "_row": pl.Series([r + 1 for r in rows], dtype=pl.Int64),
            **{c: s for c, s in series.items() if c.split("_")[0] in {i.code for i in form.indicators}},
        }
    )
    book.frames[form.code] = _duplicates_reported(book, grid, form, frame, wanted)
    book.maps += [(book.sha256, grid.sheet, form.code, c, column_letter(p), None) for c, p in wanted.items()]


def _roster_columns(book: _Book, grid: Grid, code_row: int, form: Form) -> dict[str, int] | None:
    """Column name → position. A code that stands twice is ambiguous; the sheet is not read until it is clear."""
    asked = {i.code for i in form.asked(book.period)} | {"B01", "B02"} | set(form.key)
    restated = {i.code for i in form.with_year_earlier(book.period)}
    wanted: dict[str, int] = {}
    twice = False
    for position, anchor in _anchors(grid, code_row).items():
        if (
            anchor.lag == "last"
            or (anchor.lag == "" and anchor.code not in asked)
            or (anchor.lag == "yoy" and anchor.code not in restated)
        ):
            if anchor.lag != "last" and anchor.code not in book.edition.indicators:
                book.finding(
                    "unknown_code",
                    form.code,
                    grid.sheet,
                    f"{column_letter(position)}{code_row + 1}",
                    "",
                    f"代码 {anchor.code} 不是本期指标,该列未读取;请核对代码行。",
                    severity="soft",
                )
            continue
        if anchor.column in wanted:
            twice = True
            first = f"{column_letter(wanted[anchor.column])}{code_row + 1}"
            book.finding(
                "code_twice",
                form.code,
                grid.sheet,
                f"{column_letter(position)}{code_row + 1}",
                anchor.column,
                f"代码 {anchor.column} 在代码行出现两次(另一处在 {first}),不能确定以哪一列为准;请恢复代码行。",
            )
        wanted.setdefault(anchor.column, position)
    missing = [k for k in form.key[:1] if k not in wanted]
    if missing:
        book.finding(
            "no_key",
            form.code,
            grid.sheet,
            None,
            "",
            f"代码行缺少主键 {'、'.join(missing)} 列,无法知道每行是哪个单位;请恢复该列。",
        )
    return None if twice or missing else wanted


def _data_rows(book: _Book, grid: Grid, code_row: int, form: Form, wanted: dict[str, int]) -> list[int]:
    """0-based rows below the code row that hold data of a wanted column, up to the foot; total rows are left out."""
    key = wanted[form.key[0]]
    of_wanted = itemgetter(*wanted.values()) if len(wanted) > 1 else lambda cells: (cells[key],)
    kept: list[int] = []
    for n in range(code_row + 1, len(grid.rows)):
        cells = grid.rows[n]
        if _BLANKS.issuperset(map(_blank_or_not, of_wanted(cells))):
            first = next((c for c in cells if c not in ("", None)), None)
            if isinstance(first, str) and first.strip().startswith(FOOT):
                break
            continue
        head = next((c for c in cells if c not in ("", None)), None)
        if isinstance(head, str) and len(head) < LONGEST_LABEL:
            if head.strip().startswith(FOOT):
                break
            label = next((c for c in cells[:4] if isinstance(c, str) and TOTALS.match(c)), None)
            if label is not None:
                book.normalised(
                    form.code,
                    grid.sheet,
                    f"{column_letter(key)}{n + 1}",
                    "",
                    None,
                    "total_row",
                    label,
                    "",
                    "合计行不入库",
                )
                continue
        kept.append(n)
    return kept


def _blank_or_not(cell: CellValue) -> bool:
    return cell is None or cell == ""


def _unit_ids(form: Form, series: dict[str, pl.Series], height: int) -> list[str | None]:
    parts = [series[k].cast(pl.String).to_list() if k in series else [None] * height for k in form.key]
    units: list[str | None] = []
    for values in zip(*parts, strict=True):
        units.append(
            None
            if values[0] is None
            else "|".join(v or "" for v in values)[:UNIT_ID_LIMIT]
            if len(values) > 1
            else values[0][:UNIT_ID_LIMIT]
        )
    return units


def _note(
    book: _Book,
    grid: Grid,
    form: Form,
    column: str,
    position: int,
    rows: Sequence[int],
    units: Sequence[str | None],
    problems: list[CellProblem],
    normalised: list[Normalised],
) -> None:
    letter = column_letter(position)
    for p in problems:
        at = rows[p.position] + 1
        book.finding(
            p.code,
            form.code,
            grid.sheet,
            f"{letter}{at}",
            column,
            p.message,
            unit=units[p.position],
            found=p.found,
            row=at,
        )
    for m in normalised:
        at = rows[m.position] + 1
        book.normalised(
            form.code, grid.sheet, f"{letter}{at}", column, units[m.position], m.code, m.found, m.value, m.message
        )


def _duplicates_reported(
    book: _Book, grid: Grid, form: Form, frame: pl.DataFrame, wanted: dict[str, int]
) -> pl.DataFrame:
    """A unit twice on one form: every row after the first is a finding; a rule of the form (unique) may say it instead."""
    has_rule = any(
        r.form == form.code and r.expression.startswith("unique(") for r in book.edition.rules_for(book.period)
    )
    twice = frame.filter(pl.col("unit_id").is_not_null() & ~pl.col("unit_id").is_first_distinct())
    key = form.key[0]
    for row in twice.iter_rows(named=True):
        first = frame.filter(unit_id=row["unit_id"])["_row"][0]
        rule = next(
            (
                r.id
                for r in book.edition.rules_for(book.period)
                if r.form == form.code and r.expression.startswith("unique(")
            ),
            "duplicate",
        )
        message = f"与第 {first} 行重复:同一单位在本表中填了两行;请只保留一行。"
        book.finding(
            "duplicate",
            form.code,
            grid.sheet,
            f"{column_letter(wanted[key])}{row['_row']}",
            key,
            message,
            unit=row["unit_id"],
            found=row["unit_id"],
            row=row["_row"],
        )
        if has_rule:
            book.findings[-1]["rule"] = rule
    return frame


def _read_sheet(book: _Book, grid: Grid, code_row: int, form: Form) -> None:
    """The park itself: one row an indicator, codes down the column headed ``code``."""
    heads = {c.strip(): n for n, c in enumerate(grid.rows[code_row]) if isinstance(c, str) and c.strip()}
    asked = {i.code: i for i in form.asked(book.period)}
    restated = {i.code for i in form.with_year_earlier(book.period)}
    values: dict[str, pl.Series] = {}
    unit = book.park or None
    for n in range(code_row + 1, len(grid.rows)):
        cells = grid.rows[n]
        code = cells[heads["code"]] if len(cells) > heads["code"] else None
        indicator = asked.get(code.strip()) if isinstance(code, str) else None
        if indicator is None:
            continue
        for head, column in (("value", indicator.code), ("value_yoy", f"{indicator.code}_yoy")):
            if head not in heads or (head == "value_yoy" and indicator.code not in restated):
                continue
            position = heads[head]
            if column in values:
                book.finding(
                    "code_twice",
                    form.code,
                    grid.sheet,
                    f"{column_letter(position)}{n + 1}",
                    column,
                    f"代码 {indicator.code} 出现两行,不能确定以哪一行为准;请删去一行。",
                    unit=unit,
                    row=n + 1,
                )
                continue
            cell = cells[position] if len(cells) > position else None
            parsed, problems, normalised = _parse(book, grid, indicator, [cell])
            values[column] = parsed
            book.maps.append((book.sha256, grid.sheet, form.code, column, column_letter(position), n + 1))
            _note(book, grid, form, column, position, [n], [unit], problems, normalised)
    if any(s.null_count() == 0 for s in values.values()):
        keys = {"park": [unit], "unit_id": [unit], "_file": [book.sha256], "_sheet": [grid.sheet], "_row": [None]}
        book.frames[form.code] = pl.DataFrame(keys, schema=KEY_COLUMNS).with_columns(
            s.alias(c) for c, s in values.items()
        )


def _without_silent_units(frames: dict[str, pl.DataFrame], edition: Edition, period: Period) -> dict[str, pl.DataFrame]:
    """Prefilled rows nobody filled in are no answer: rows with only identification, then units with nothing but them."""
    kept: dict[str, pl.DataFrame] = {}
    answered: set[str] = set()
    for code, frame in frames.items():
        form = edition.forms[code]
        own = [
            c
            for c in frame.columns
            if c not in KEY_COLUMNS and c.split("_")[0] not in form.key and not c.endswith("_yoy")
        ]
        numbers = [c for c in own if c in edition.indicators and edition.indicators[c].type is not ValueType.TEXT]
        filled = pl.any_horizontal(pl.col(c).is_not_null() for c in (numbers or own)) if own else pl.lit(True)
        kept[code] = frame.filter(filled)
        if form.roster == "enterprise" and code != "basic":
            answered |= set(kept[code]["unit_id"].drop_nulls())
    others = any(f.roster == "enterprise" and f.code != "basic" and f.code in frames for f in edition.forms.values())
    if "basic" in kept and others:
        kept["basic"] = kept["basic"].filter(pl.col("unit_id").is_in(list(answered)) | pl.col("unit_id").is_null())
    return kept
