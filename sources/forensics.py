"""What was done to a workbook since it was handed out: a list of facts with their places, for the clerk and the reviewer.

Facts, no findings: each thing here was understood and read, or is said as a finding as well. A workbook filled in as it was
handed out has none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from schemas.layout import (
    AUDIT,
    CODE_ROW,
    META_SHEET,
    OPERANDS_SHEET,
    OWN_SHEETS,
    Anchor,
    SheetLayout,
    column_letter,
    sheet_layout,
)
from schemas.model import Form
from sources.cells import CellValue
from sources.grid import Grid
from sources.guard import NOTES, Inspection
from sources.guard_facts import SheetFacts, address
from sources.guard_limits import SHEET_COLUMNS
from sources.reading import Reading

ORDINARY = frozenset({"comments", "images", "workbook_protection"})
"""Features a template has itself, or that say nothing about the figures."""

MARKED_SHEETS = frozenset({"审核结果"})
NAMED_PLACES = 5

AUDIT_SAYS = frozenset({"通过", "未填"})
_AUDIT_TEXT = re.compile(r"[A-Z]{1,3}\d{2,}|缺必填")
"""What the formulas of ``sources.template_audit`` say: a word, or a text that begins with a rule or with what is missing."""

CELL_KINDS = {
    "text_number": "格数字存为文本,已按数字读取",
    "full_width": "格用了全角字符,已改为半角读取",
    "thousands": "格数字带千位分隔符,已去掉",
    "unit_text": "格数字后写了计量单位,已去掉",
    "code_name": "格代码处填了名称,已按名称对应的代码读取",
    "missing_mark": "格填“—”“无”等,按未填报处理",
    "date_serial": "格日期存为序号,已按日期读取",
    "text_date": "格日期存为文本,已按日期读取",
    "compact_date": "格日期写成八位数字,已按年月日读取",
    "year_month": "格日期只有年月,已按当月 1 日读取",
    "parentheses": "格数字用括号括起,已按负数读取;不是负数的请去掉括号",
    "currency": "格数字带货币符号,已去掉",
    "total_row": "行合计未入库",
}


def workbook_told(reading: Reading, inspection: Inspection, grids: Sequence[Grid], read: Iterable[str]) -> None:
    """Macros, links and other things of the whole file; sheets hidden, unprotected, renamed, added."""
    for feature in sorted(inspection.features - ORDINARY):
        if feature in NOTES:
            reading.forensic(feature, None, None, NOTES[feature])
    read = set(read)
    facts = {sheet.name: sheet for sheet in inspection.worksheets}
    for grid in grids:
        if grid.sheet in OWN_SHEETS or grid.sheet in MARKED_SHEETS:
            continue
        if grid.sheet not in read:
            if any(c not in ("", None) for cells in grid.rows for c in cells):
                reading.forensic("extra_sheet", grid.sheet, None, "不是本期报表,没有读取。")
            continue
        _hidden_told(reading, grid)
        _protection_told(reading, inspection, facts.get(grid.sheet))
        _formulas_told(reading, inspection, facts.get(grid.sheet), grid)


def _hidden_told(reading: Reading, grid: Grid) -> None:
    if not grid.visible:
        reading.forensic("hidden_sheet", grid.sheet, None, "工作表被隐藏,已照常读取。")
    if grid.hidden_rows:
        # The template has a filter of its own: whether a row was hidden by it or by hand cannot be told.
        rows, how = _some([str(r + 1) for r in sorted(grid.hidden_rows)]), "隐藏或筛掉" if grid.has_filter else "隐藏"
        reading.forensic("hidden_rows", grid.sheet, rows, f"第 {rows} 行被{how},看不见,已照常读取。")


def _protection_told(reading: Reading, inspection: Inspection, facts: SheetFacts | None) -> None:
    if inspection.format == "xlsx" and facts is not None and not facts.is_protected:
        reading.forensic("unprotected", facts.name, None, "工作表保护已取消,锁定的单元格可能被改动。")


def _some(places: Sequence[str]) -> str:
    return "、".join(places[:NAMED_PLACES]) + (f" 等 {len(places)} 处" if len(places) > NAMED_PLACES else "")


def sheet_told(reading: Reading, grid: Grid, code_row: int, form: Form, anchors: dict[int, Anchor]) -> None:
    """How one form's sheet differs from what the template gave: name, rows above, columns."""
    layout = sheet_layout(reading.edition, form, reading.period)
    if grid.is_text_file:
        return
    if grid.sheet != layout.name:
        reading.forensic("sheet_renamed", grid.sheet, None, f"原名“{layout.name}”,已改名;按代码行识别,不影响读取。")
    if code_row + 1 != CODE_ROW:
        moved = code_row + 1 - CODE_ROW
        verb = "插入" if moved > 0 else "删除"
        reading.forensic(
            "rows_inserted", grid.sheet, str(code_row + 1), f"表头上方{verb}了 {abs(moved)} 行,已按代码行读取。"
        )
    if anchors:
        _columns_told(reading, grid, layout, {n: a.column for n, a in anchors.items()})
    _hidden_columns_told(reading, grid, layout, anchors)


def _columns_told(reading: Reading, grid: Grid, layout: SheetLayout, actual: dict[int, str]) -> None:
    """Columns inserted, moved or removed, compared with the order of anchors in the template."""
    issued = [c.anchor for c in layout.columns if Anchor.parse(c.anchor)]
    standing = [column for _, column in sorted(actual.items())]
    known = [c for c in dict.fromkeys(standing) if c in set(issued)]
    if removed := [c for c in issued if c not in set(standing)]:
        reading.forensic("columns_removed", grid.sheet, None, f"缺少模板里的列:{_some(removed)}。")
    if known != [c for c in issued if c in set(known)]:
        where = {column: column_letter(n) for n, column in actual.items()}
        moved = [f"{c}(现在 {where[c]} 列)" for c in _out_of_order(known, issued)]
        reading.forensic("columns_moved", grid.sheet, None, f"列换了位置:{_some(moved)};已按代码行读取。")
    last = max(n for n, column in actual.items())
    others = {c.index for c in layout.columns if not Anchor.parse(c.anchor)}
    free = [n for n in range(last) if n not in actual]
    inserted = free[: max(len(free) - sum(n < last for n in others), 0)]
    if inserted:
        letters = _some([column_letter(n) for n in inserted])
        reading.forensic("columns_inserted", grid.sheet, letters, f"插入了 {letters} 列,未作为填报数据读取。")


def _out_of_order(standing: Sequence[str], issued: Sequence[str]) -> list[str]:
    """The columns that do not stand where the order of the template has them among the columns that are there."""
    expected = [c for c in issued if c in set(standing)]
    return [c for c, other in zip(standing, expected, strict=True) if c != other]


def _hidden_columns_told(reading: Reading, grid: Grid, layout: SheetLayout, anchors: dict[int, Anchor]) -> None:
    """Columns hidden by somebody; the template itself hides 上期."""
    ours = {n for n, anchor in anchors.items() if anchor.lag == "last"} | {
        c.index for c in layout.columns if c.anchor in ("value_last", AUDIT)
    }
    hidden = sorted(n for n in grid.hidden_columns - ours if n < len(grid.rows[0]) and (not anchors or n in anchors))
    if hidden:
        letters = _some([column_letter(n) for n in hidden])
        reading.forensic("hidden_columns", grid.sheet, letters, f"{letters} 列被隐藏,已照常读取。")


def rows_told(reading: Reading, grid: Grid, rows: Sequence[int], left_out: Sequence[int]) -> None:
    """Blank rows between the data rows of a roster; ``left_out`` are totals and repeated heads."""
    if not rows:
        return
    between = sum(rows[0] < r < rows[-1] for r in left_out)
    if (gap := rows[-1] - rows[0] + 1 - len(rows) - between) > 0:
        reading.forensic("rows_inserted", grid.sheet, None, f"数据行之间有 {gap} 个空行,已跳过。")


def cells_told(reading: Reading) -> None:
    """How many cells of each sheet were taken for something else than they literally say; the cells stand in ``normalised``."""
    cells = reading.normalised_cells
    counts: Counter[tuple[str, str]] = Counter()
    for sheet, code in cells.select("sheet", "code").iter_rows():
        counts.update((sheet, step) for step in code.split("+") if step in CELL_KINDS)
    for (sheet, code), count in sorted(counts.items()):
        reading.forensic(code, sheet, None, f"有 {count} {CELL_KINDS[code]}。")


def audit_cells_told(
    reading: Reading, grid: Grid, code_row: int, rows: Sequence[int], columns: Sequence[Sequence[CellValue]]
) -> None:
    """Our own formulas typed over: what the formulas never say can only stand in the column 校验 where somebody put it.

    ``columns`` are the cells of ``rows``, column by column.
    """
    heads = [n for n, cell in enumerate(grid.rows[code_row]) if isinstance(cell, str) and cell.strip() == AUDIT]
    if not heads or not rows:
        return
    standing = columns[heads[0]]
    typed = {cell for cell in set(standing) if _is_typed(cell)}
    places = [address(r, heads[0]) for r, cell in zip(rows, standing, strict=True) if cell in typed] if typed else []
    if places:
        reading.forensic(
            "formula_overwritten", grid.sheet, places[0], f"“校验”列的公式被改写({_some(places)});不影响审核。"
        )


def _is_typed(cell: CellValue) -> bool:
    """Whether something stands in an audit cell that our formula never says."""
    if isinstance(cell, str):
        text = cell.strip()
        return bool(text) and text not in AUDIT_SAYS and not _AUDIT_TEXT.match(text)
    return isinstance(cell, float | int)


def _formulas_told(reading: Reading, inspection: Inspection, facts: SheetFacts | None, grid: Grid) -> None:
    """The column 校验 pasted as values: what our formulas say stands there, and no formula."""
    if inspection.format != "xlsx" or facts is None or facts.formulas > len(facts.formula_places):
        return
    for row, cells in enumerate(grid.rows[:60]):
        heads = [n for n, cell in enumerate(cells) if isinstance(cell, str) and cell.strip() == AUDIT]
        if heads:
            with_formula = {
                place // SHEET_COLUMNS for place in facts.formula_places if place % SHEET_COLUMNS == heads[0]
            }
            pasted = [
                n
                for n, below in enumerate(grid.rows[row + 1 :], row + 1)
                if n not in with_formula and below[heads[0]] not in ("", None) and not _is_typed(below[heads[0]])
            ]
            if pasted:
                places = _some([address(n, heads[0]) for n in pasted])
                told = f"“校验”列的公式已换成数值或文字({places});不影响审核。"
                reading.forensic("formula_overwritten", grid.sheet, address(pasted[0], heads[0]), told)
            return


def operands_told(reading: Reading, grids: Sequence[Grid], meta: dict[str, str]) -> None:
    """The sheet that says which 上年同期 was issued: without it nobody can tell what was changed."""
    if meta and all(grid.sheet != OPERANDS_SHEET for grid in grids):
        told = "下发的上年同期数(隐藏表 _ops)已被删除,不能核对上年同期是否改动。"
        reading.forensic("no_operands", None, OPERANDS_SHEET, told)


def meta_told(reading: Reading, meta: dict[str, str]) -> None:
    """The template's identity: lost, or of another edition."""
    if not meta:
        reading.forensic("no_meta", None, META_SHEET, "模板标识(隐藏表 _meta)已被删除,已按代码行识别。")
    elif meta.get("edition") and meta["edition"] != reading.edition.id:
        reading.forensic(
            "old_edition", None, META_SHEET, f"模板是 {meta['edition']} 版,本期适用 {reading.edition.id} 版。"
        )
