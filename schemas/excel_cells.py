"""Where a worksheet formula finds what a rule reads: cells of the row, whole columns, lists of codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.errors import DefinitionError
from schemas.expression import operand_column
from schemas.layout import FIRST_ROW, Role, SheetLayout
from schemas.model import FormKind


@dataclass(frozen=True)
class Cells:
    """The addresses one formula may use.

    cells     operand column (``F01``, ``F01_yoy``) → the cell of the row, such as ``C8``
    areas     operand column → all cells of the column, such as ``$C$8:$C$2007``; for ``unique``, SUM and COUNT
    lists     code list → the range its codes stand in; "" for a list without codes
    keyed     code list asked with a key → key → the range of that key's codes; other keys cannot be judged
    park      the park code the workbook is for
    """

    cells: Mapping[str, str]
    areas: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    keyed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    park: str = ""

    def cell(self, code: str, lag: str) -> str:
        """The cell of an operand in this row. Raises DefinitionError where the workbook has none."""
        name = operand_column(code, lag)
        if name not in self.cells:
            raise not_expressible(f"本表没有 {name}" + (",前期数由系统比对" if lag else ",表间关系由系统核对"))
        return self.cells[name]

    def area(self, code: str, lag: str) -> str:
        """All cells of an operand's column. Raises DefinitionError where the workbook has none."""
        name = operand_column(code, lag)
        if name not in self.areas:
            raise not_expressible(f"工作簿中没有 {name} 整列")
        return self.areas[name]


def not_expressible(reason: str) -> DefinitionError:
    """The error for an expression that plain worksheet functions cannot say, with the reason."""
    return DefinitionError(f"不能写成工作表公式:{reason}", remedy="由系统在报送时审核。")


def own_cells(layout: SheetLayout) -> dict[str, str]:
    """Operand column → its cell on the form itself: in the first data row of a roster, in its own row of a sheet."""
    if layout.form.kind is FormKind.SHEET:
        cells = {code: layout.cell(code) for code in layout.indicator_rows}
        if "value_yoy" in layout.by_anchor:
            restated = layout.form.with_year_earlier(layout.period)
            cells |= {operand_column(i.code, "yoy"): layout.cell(i.code, lag="yoy") for i in restated}
        return cells
    readable = (Role.KEY, Role.VALUE, Role.YEAR_EARLIER)
    return {c.anchor: f"{c.letter}{FIRST_ROW}" for c in layout.columns if c.role in readable}


def own_areas(layout: SheetLayout, rows: int) -> dict[str, str]:
    """Operand column → all its cells, for formulas on the form's own sheet; nothing on a form of kind sheet."""
    if layout.form.kind is FormKind.SHEET:
        return {}
    last = layout.last_row(rows)
    columns = [c for c in layout.columns if c.role in (Role.KEY, Role.VALUE)]
    return {c.anchor: f"${c.letter}${FIRST_ROW}:${c.letter}${last}" for c in columns}


def areas_of_rosters(layouts: Iterable[tuple[SheetLayout, int]]) -> dict[str, str]:
    """Operand column → all its cells, for formulas on other sheets; a code that stands on several is read on the first."""
    found: dict[str, str] = {}
    for layout, rows in layouts:
        name = "'" + layout.name.replace("'", "''") + "'!"
        found = {code: name + area for code, area in own_areas(layout, rows).items()} | found
    return found
