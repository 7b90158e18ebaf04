"""Where a worksheet formula finds what a rule reads: cells of the row, whole columns, lists of codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.errors import DefinitionError
from schemas.expression import operand_column


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
