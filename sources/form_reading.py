"""One form on one sheet → its form frame: columns by their codes, rows down to the foot, every cell typed or complained about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

import numpy as np
import polars as pl

from schemas import reserved
from schemas.layout import FOOT, YEAR_EARLIER_REASON, column_letter, sheet_layout
from schemas.model import Edition, Form, Indicator, ValueType
from schemas.observations import ENTERPRISE_ROSTER, KEY_COLUMNS
from sources.cells import CellProblem, CellValue, Normalised, parse_column, plain_codes
from sources.code_names import codes_for_names, names_for, needs_a_look
from sources.forensics import audit_cells_told, rows_told, sheet_told
from sources.form_finding import anchors_of, heading
from sources.grid import Grid
from sources.odd_rows import LONGEST_LABEL, is_header, is_measures, is_numbering, total_label
from sources.reading import Place, Reading
from sources.restated import IssuedFigures, Restated, entrants_without_figure, left_as_issued, restated_cells

UNIT_ID_LIMIT = 80
FIGURES_OF_A_ROW = 3
_CREDIT_CODE = re.compile(r"[0-9A-Z]{15,20}")
_BLANKS = frozenset({True})


def read_form(reading: Reading, grid: Grid, code_row: int, form: Form, issued: IssuedFigures) -> None:
    """A roster form: one row a unit below the code row, until the foot.

    Blank rows are skipped; total rows are left out, and that is said.
    """
    wanted = _columns(reading, grid, code_row, form)
    sheet_told(reading, grid, code_row, form, anchors_of(grid.rows[code_row]))
    if wanted is None:
        return
    _data_above_reported(reading, grid, code_row, form, wanted)
    rows = _data_rows(reading, grid, code_row, form, wanted)
    series: dict[str, pl.Series] = {}
    noted: list[tuple[str, list[CellProblem], list[Normalised]]] = []
    # Turning the kept rows once is far cheaper than picking a column out of every row for each column.
    columns = list(zip(*(grid.rows[r] for r in rows), strict=True))
    audit_cells_told(reading, grid, code_row, rows, columns)
    for column, position in wanted.items():
        values = columns[position] if columns else ()
        series[column], problems, normalised = _typed(reading, grid, column, values)
        if problems or normalised:
            noted.append((column, problems, normalised))
    units = _unit_ids(form, series, len(rows))
    for column, problems, normalised in noted:
        place = Place(form.code, grid.sheet, column=column)
        reading.note_column(place, wanted[column], rows, units, problems, normalised)
    _missing_keys_reported(reading, grid, form, wanted, rows, units)
    frame = _frame(reading, grid, form, series, rows, units)
    _duplicates_reported(reading, grid, form, frame, wanted)
    _covered_reported(reading, grid, form, wanted, rows, units)
    _restated_reported(reading, grid, code_row, form, frame, wanted, issued, rows, columns)
    reading.frames[form.code] = frame
    for column, position in wanted.items():
        reading.map_column(form.code, grid.sheet, column, position)


def _typed(
    reading: Reading, grid: Grid, column: str, values: Sequence[CellValue]
) -> tuple[pl.Series, list[CellProblem], list[Normalised]]:
    indicator = reading.edition.indicators[column.split("_")[0]]
    if indicator.type is ValueType.CODE:
        plain = plain_codes(values, are_credit_codes=indicator.credit_code)
        if plain is not None:
            return plain, [], []
    if indicator.type is ValueType.CODE and needs_a_look(values):
        names = names_for(indicator, reading.programme, reading.period, reading.park)
        taken, asked, repaired = codes_for_names(values, names)
        series, problems, normalised = _parsed(grid, indicator, taken)
        return series, [*asked, *problems], [*repaired, *normalised]
    return _parsed(grid, indicator, values)


def _parsed(
    grid: Grid, indicator: Indicator, values: Sequence[CellValue]
) -> tuple[pl.Series, list[CellProblem], list[Normalised]]:
    return parse_column(
        values,
        "credit_code" if indicator.credit_code else indicator.type.value,
        indicator.decimals,
        unit_measure=indicator.unit_measure,
        code_widths=sorted({len(k) for k in indicator.options}) or [1],
        is_1904=grid.is_1904,
        is_text_file=grid.is_text_file,
    )


def _columns(reading: Reading, grid: Grid, code_row: int, form: Form) -> dict[str, int] | None:
    """Column name → position. A code that stands twice is ambiguous; the sheet is not read until it is clear."""
    wanted: dict[str, int] = {}
    twice = False
    asked = _asked_columns(reading, form)
    for position, anchor in anchors_of(grid.rows[code_row]).items():
        if anchor.column not in asked:
            if anchor.lag != "last" and anchor.code not in reading.edition.indicators:
                place = Place(form.code, grid.sheet, f"{column_letter(position)}{code_row + 1}")
                problem = f"代码 {anchor.code} 不是本期指标,该列未读取;请核对代码行。"
                reading.finding("unknown_code", place, problem, severity="soft")
            continue
        if anchor.column in wanted:
            twice = True
            first = f"{column_letter(wanted[anchor.column])}{code_row + 1}"
            reading.finding(
                "code_twice",
                Place(form.code, grid.sheet, f"{column_letter(position)}{code_row + 1}", anchor.column),
                f"代码 {anchor.column} 在代码行出现两次(另一处在 {first}),不能确定以哪一列为准;请恢复代码行。",
            )
        wanted.setdefault(anchor.column, position)
    missing = [k for k in form.key[:1] if k not in wanted]
    if missing:
        problem = f"代码行缺少主键 {'、'.join(missing)} 列,无法知道每行是哪个单位;请恢复该列。"
        reading.finding("no_key", Place(form.code, grid.sheet), problem)
    return None if twice or missing else wanted


def _asked_columns(reading: Reading, form: Form) -> set[str]:
    """Columns that are taken: figures of the round, identification, 上年同期; never 上期, which the system stated."""
    asked = {reserved.UNIT, reserved.NAME, *form.key} | {i.code for i in form.asked(reading.period)}
    return asked | {f"{i.code}_yoy" for i in form.with_year_earlier(reading.period)}


def _data_rows(reading: Reading, grid: Grid, code_row: int, form: Form, wanted: Mapping[str, int]) -> list[int]:
    """0-based rows below the code row that hold data of a wanted column, up to the foot; total rows are left out."""
    key = wanted[form.key[0]]
    of_wanted: Callable[[Sequence[CellValue]], tuple[CellValue, ...]]
    of_wanted = itemgetter(*wanted.values()) if len(wanted) > 1 else lambda cells: (cells[key],)
    kept: list[int] = []
    left_out: list[int] = []
    headers = _headers(reading, grid, code_row, form, wanted)
    for n in range(code_row + 1, len(grid.rows)):
        cells = grid.rows[n]
        first = cells[0]
        if key == 0 and isinstance(first, str) and len(first) >= LONGEST_LABEL:
            kept.append(n)  # begins with a code of a unit: no foot, no total, not blank
            continue
        head = next((c for c in cells if c is not None and c != ""), None)
        is_blank = _BLANKS.issuperset(map(_is_blank, of_wanted(cells)))
        is_label = isinstance(head, str) and len(head) < LONGEST_LABEL
        if isinstance(head, str) and head.strip().startswith(FOOT) and (is_label or is_blank):
            break
        if is_blank:
            continue
        if is_label or isinstance(head, float):
            label = total_label(cells, cells[key])
            if label is not None:
                place = Place(form.code, grid.sheet, f"{column_letter(key)}{n + 1}")
                reading.normalised(place, "total_row", label, "", "合计行不入库")
                left_out.append(n)
                continue
            if told := _said_above(cells, headers):
                reading.forensic("second_header", grid.sheet, f"A{n + 1}", f"第 {n + 1} 行{told},不作为数据读取。")
                left_out.append(n)
                continue
        kept.append(n)
    rows_told(reading, grid, kept, left_out)
    return kept


def _headers(
    reading: Reading, grid: Grid, code_row: int, form: Form, wanted: Mapping[str, int]
) -> dict[int, frozenset[str]]:
    """Position → what may head the column: as the template printed it, and as it stands above the code row."""
    layout = sheet_layout(reading.edition, form, reading.period)
    above = grid.rows[code_row - 1] if code_row else ()
    printed = {c.anchor: c.header for c in layout.columns}
    return {
        n: frozenset(
            heading(t) for t in (printed.get(column, ""), above[n] if above else "", column) if isinstance(t, str) and t
        )
        for column, n in wanted.items()
    }


def _data_above_reported(reading: Reading, grid: Grid, code_row: int, form: Form, wanted: Mapping[str, int]) -> None:
    """Rows of units above the code row, where nobody reads them: the upper one of two code rows was deleted, or rows were moved."""
    key = wanted[form.key[0]]
    positions = dict.fromkeys(wanted.values(), frozenset[str]())
    for n in range(code_row):
        cells = grid.rows[n]
        code = cells[key]
        figures = sum(isinstance(cells[place], float | int) for place in positions)
        is_row = figures > FIGURES_OF_A_ROW and not _is_blank(code) and not is_numbering(cells, positions)
        if is_row or (isinstance(code, str) and _CREDIT_CODE.fullmatch(code.strip())):
            place = Place(form.code, grid.sheet, f"{column_letter(key)}{n + 1}", form.key[0], n + 1)
            problem = "这一行有数,却在代码行上方,没有读取;请把代码行移到所有数据行的上方。"
            reading.finding("data_above", place, problem, found="" if code is None else str(code))


def _said_above(cells: Sequence[CellValue], headers: Mapping[int, frozenset[str]]) -> str:
    """What a row says that belongs above the data; empty for a row of data."""
    if is_header(cells, headers):
        return "重复了表头"
    if is_measures(cells, headers):
        return "只写了计量单位"
    return "只是栏目序号" if is_numbering(cells, headers) else ""


def _covered_reported(
    reading: Reading,
    grid: Grid,
    form: Form,
    wanted: Mapping[str, int],
    rows: Sequence[int],
    units: pl.Series,
) -> None:
    """Cells under a merged area: a value there nobody sees, so somebody has to say whether it is meant; a blank one nobody can fill."""
    covered = grid.covered_by_merges() if grid.merges else []
    if not covered:
        return
    columns = {n: column for column, n in wanted.items()}
    unit_of = dict(zip(rows, units.to_list(), strict=True))
    told: set[str] = set()
    for row, position, area in covered:
        if row not in unit_of or position not in columns:
            continue
        if area not in told:
            told.add(area)
            reading.forensic("merged", grid.sheet, area, f"{area} 是合并单元格。")
        place = Place(
            form.code, grid.sheet, f"{column_letter(position)}{row + 1}", columns[position], row + 1, unit_of[row]
        )
        if _is_blank(grid.rows[row][position]):
            problem = f"这一格在合并单元格 {area} 里,不能单独填数;请取消合并,逐格填报。"
            reading.finding("merged_blank", place, problem)
        else:
            problem = "这一格被合并单元格盖住,看不见但有数,已照常读取;请取消合并,核对这个数是否要报。"
            reading.finding("merged_over", place, problem, found=str(grid.rows[row][position]), severity="soft")


def _restated_reported(
    reading: Reading,
    grid: Grid,
    code_row: int,
    form: Form,
    frame: pl.DataFrame,
    wanted: Mapping[str, int],
    issued: IssuedFigures,
    rows: Sequence[int],
    cells: Sequence[Sequence[CellValue]],
) -> None:
    """上年同期: a changed figure needs a reason code, an entrant a figure (survey_system 8.6)."""
    restated = [c for c in frame.columns if c.endswith("_yoy")]
    if not restated or not issued.columns or frame.is_empty():
        return
    heads = [n for n, c in enumerate(grid.rows[code_row]) if isinstance(c, str) and c.strip() == YEAR_EARLIER_REASON]
    units = frame["unit_id"].to_list()
    as_issued = left_as_issued(issued, form.roster, units, {c: cells[wanted[c]] for c in restated})
    # A cell nobody touched is either its figure, or the reader has complained about it already.
    changed = {c: frame[c].to_list() for c in restated if c not in as_issued}
    with_blanks = {c: frame[c].to_list() for c in restated if frame[c].null_count()}

    def at(n: int, column: str) -> Place:
        row = rows[n] + 1
        return Place(form.code, grid.sheet, f"{column_letter(wanted[column])}{row}", column, row, units[n])

    def reason_of(n: int) -> str:
        return str(grid.rows[rows[n]][heads[0]] or "").strip() if heads else ""

    for n, cell in restated_cells(issued, form.roster, units, changed, reason_of):
        _change_reported(reading, at(n, cell.column), cell)
    current = {c: frame[c].to_list() for c in frame.columns if f"{c}_yoy" in with_blanks}
    for n, column in entrants_without_figure(issued, form.roster, units, current, with_blanks):
        if not reading.complained_about(rows[n] + 1, column):
            problem = "本期新进入的单位没有填上年同期数;请补填,上年没有发生的填 0。"
            reading.finding("yoy_required", at(n, column), problem)


def _change_reported(reading: Reading, place: Place, changed: Restated) -> None:
    """A changed 上年同期: with a reason code it is listed, without one it is a finding."""
    if place.row is not None and reading.complained_about(place.row, place.column):
        return
    now = "空" if changed.now is None else str(changed.now)
    if changed.reason:
        told = f"{place.cell} 上年同期由 {changed.issued} 改为 {now},原因码 {changed.reason}。"
        reading.forensic("yoy_changed", place.sheet, place.cell, told)
        reading.restated(place, changed.issued, changed.now, changed.reason)
    else:
        before = f"上年同期数改动了(下发 {changed.issued}),但没有选改动原因;"
        reading.finding("yoy_reason", place, before + "请在“上年同期改动原因”列选原因码,或恢复原数。", found=now)


def _is_blank(cell: CellValue) -> bool:
    return cell is None or cell == ""


def _unit_ids(form: Form, series: Mapping[str, pl.Series], height: int) -> pl.Series:
    """The key of each row; of several codes joined by ``|``; null without the first."""
    blank = pl.Series([None], dtype=pl.String).new_from_index(0, height)
    parts = [series[k].cast(pl.String) if k in series else blank for k in form.key]
    if len(parts) == 1:
        (codes,) = parts
        is_short = max(map(len, codes.drop_nulls().to_list()), default=0) <= UNIT_ID_LIMIT
        return codes if is_short else codes.str.slice(0, UNIT_ID_LIMIT)
    rows = zip(*parts, strict=True)
    joined = [None if values[0] is None else "|".join(v or "" for v in values)[:UNIT_ID_LIMIT] for values in rows]
    return pl.Series(joined, dtype=pl.String)


def _missing_keys_reported(
    reading: Reading, grid: Grid, form: Form, wanted: Mapping[str, int], rows: Sequence[int], units: pl.Series
) -> None:
    if not units.null_count():
        return
    key = form.key[0]
    for n in units.is_null().arg_true():
        row = rows[n] + 1
        if not reading.complained_about(row, key):
            place = Place(form.code, grid.sheet, f"{column_letter(wanted[key])}{row}", key, row)
            reading.finding("key_missing", place, "这一行有数但没有填写代码;请补填,否则不知道是哪个单位。")


def _frame(
    reading: Reading, grid: Grid, form: Form, series: Mapping[str, pl.Series], rows: Sequence[int], units: pl.Series
) -> pl.DataFrame:
    """The form frame: keys and addresses, then the form's own codes in the order they stand on the sheet."""
    own = {i.code for i in form.indicators}

    def constant(value: str | None) -> pl.Series:
        return pl.Series([value], dtype=pl.String).new_from_index(0, len(rows))

    keys = {
        "park": constant(reading.park or None),
        "unit_id": units,
        "_file": constant(reading.sha256),
        "_sheet": constant(grid.sheet),
        "_row": pl.Series(values=np.array(rows, dtype=np.int64) + 1),
    }
    figures = {column: values for column, values in series.items() if column.split("_")[0] in own}
    return pl.DataFrame([values.alias(column) for column, values in (keys | figures).items()])


def _duplicates_reported(
    reading: Reading, grid: Grid, form: Form, frame: pl.DataFrame, wanted: Mapping[str, int]
) -> None:
    """A unit twice on one form: every row after the first is a finding, under the form's own rule ``unique(…)`` where it has one."""
    known = frame["unit_id"].drop_nulls()
    if known.n_unique() == known.len():
        return
    key = form.key[0]
    rules = reading.edition.rules_for(reading.period)
    rule = next((r.id for r in rules if r.form == form.code and r.expression.startswith("unique(")), "duplicate")
    first: dict[str, int] = {}
    for unit, row in frame.select("unit_id", "_row").drop_nulls("unit_id").iter_rows():
        if first.setdefault(unit, row) != row:
            place = Place(form.code, grid.sheet, f"{column_letter(wanted[key])}{row}", key, row, unit)
            problem = f"与第 {first[unit]} 行重复:同一单位在本表中填了两行;请只保留一行,其中一行是另一家单位的,请改正那一行的代码。"
            reading.finding("duplicate", place, problem, rule=rule, found=unit)


def read_sheet_form(reading: Reading, grid: Grid, code_row: int, form: Form, issued: IssuedFigures) -> None:
    """A form of kind sheet, the park itself: one row an indicator, codes down the column headed ``code``."""
    heads = {c.strip(): n for n, c in enumerate(grid.rows[code_row]) if isinstance(c, str) and c.strip()}
    asked = {i.code: i for i in form.asked(reading.period)}
    restated = {i.code for i in form.with_year_earlier(reading.period)}
    values: dict[str, pl.Series] = {}
    unit = reading.park or None
    sheet_told(reading, grid, code_row, form, {})
    for n in range(code_row + 1, len(grid.rows)):
        cells = grid.rows[n]
        code = cells[heads["code"]]
        indicator = asked.get(code.strip()) if isinstance(code, str) else None
        if indicator is None:
            continue
        for column, position in _cells_of(indicator, heads, restated):
            place = Place(form.code, grid.sheet, f"{column_letter(position)}{n + 1}", column, n + 1, unit)
            if column in values:
                problem = f"代码 {indicator.code} 出现两行,不能确定以哪一行为准;请删去一行。"
                reading.finding("code_twice", place, problem)
                continue
            values[column], problems, normalised = _typed(reading, grid, column, [cells[position]])
            reading.map_column(form.code, grid.sheet, column, position, n + 1)
            reading.note_column(place, position, [n], [unit], problems, normalised)
            if column.endswith("_yoy"):
                reason = str(cells[heads[YEAR_EARLIER_REASON]] or "").strip() if YEAR_EARLIER_REASON in heads else ""
                figures = {column: values[column].to_list()}
                for _, changed in restated_cells(issued, form.roster, [unit], figures, [reason].__getitem__):
                    _change_reported(reading, place, changed)
    if any(s.null_count() == 0 for s in values.values()):
        keys = {"park": [unit], "unit_id": [unit], "_file": [reading.sha256], "_sheet": [grid.sheet], "_row": [None]}
        reading.frames[form.code] = pl.DataFrame(keys, schema=KEY_COLUMNS).with_columns(
            s.alias(c) for c, s in values.items()
        )


def _cells_of(indicator: Indicator, heads: Mapping[str, int], restated: set[str]) -> list[tuple[str, int]]:
    """(column, position) of an indicator's cells in its row: 本期, and 上年同期 where it is asked."""
    found = [(indicator.code, heads["value"])]
    if "value_yoy" in heads and indicator.code in restated:
        found.append((f"{indicator.code}_yoy", heads["value_yoy"]))
    return found


def without_silent_units(frames: Mapping[str, pl.DataFrame], edition: Edition) -> dict[str, pl.DataFrame]:
    """Prefilled rows nobody filled in are no answer: rows with only identification, then units with nothing but them."""
    kept = {code: _answered(frame, edition.forms[code], edition) for code, frame in frames.items()}
    others = [c for c in kept if edition.forms[c].roster == ENTERPRISE_ROSTER and c != reserved.BASIC]
    if reserved.BASIC in kept and others:
        units = kept[reserved.BASIC]["unit_id"]
        if not any(kept[c]["unit_id"].equals(units) for c in others):
            answered = pl.concat([kept[c]["unit_id"] for c in others]).drop_nulls().implode()
            is_answer = units.is_in(answered) | units.is_null()
            kept[reserved.BASIC] = kept[reserved.BASIC] if is_answer.all() else kept[reserved.BASIC].filter(is_answer)
    return kept


def _answered(frame: pl.DataFrame, form: Form, edition: Edition) -> pl.DataFrame:
    """The rows with more than identification, prefilled text and 上年同期."""
    own = [
        c for c in frame.columns if c not in KEY_COLUMNS and c.split("_")[0] not in form.key and not c.endswith("_yoy")
    ]
    answers = [c for c in own if edition.indicators[c].type is not ValueType.TEXT] or own
    if not answers or any(frame[c].null_count() == 0 for c in answers):
        return frame
    return frame.filter(pl.any_horizontal(pl.col(c).is_not_null() for c in answers))
