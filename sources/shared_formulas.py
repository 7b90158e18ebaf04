"""Worksheets that write a formula filled down a column once, as Excel itself does, and not again in every row.

The audit cells of 2,000 enterprises are tens of megabytes as text of their own and take a minute to write; shared, they
take no longer than any other column, and the workbook is as quick to open and to read back as before. A shared formula
may name other sheets by absolute references only, and holds no array constants.
"""

from __future__ import annotations

from typing import Any

from xlsxwriter.worksheet import Worksheet

from schemas.layout import column_letter


class SharedFormulaSheet(Worksheet):
    """A worksheet of xlsxwriter with ``share_formula``."""

    def __init__(self) -> None:
        super().__init__()
        self._shared: dict[str, str] = {}

    def share_formula(self, first_row: int, last_row: int, column: int, formula: str, style: Any) -> None:
        """The formula of the first row in every row, its relative references moved; rows and column count from 0.

        Without a cached value: nobody shall read a result that was never calculated.
        """
        group = len(self._shared) // 2
        head, rest = f"ytb.shared.{group}", f"ytb.shared.{group}.below"
        letter = column_letter(column)
        area = f"{letter}{first_row + 1}:{letter}{last_row + 1}"
        text = self._escape_data(formula.removeprefix("="))
        self._shared[head] = f'<f t="shared" ref="{area}" si="{group}">{text}</f>'
        self._shared[rest] = f'<f t="shared" si="{group}"/>'
        for row in range(first_row, last_row + 1):
            self.write_formula(row, column, f"={head if row == first_row else rest}", style, "")

    def _xml_formula_element(self, formula: str, result: object, attributes: Any = ()) -> None:
        element = self._shared.get(formula)
        if element is None:
            super()._xml_formula_element(formula, result, attributes)
            return
        written = "".join(f' {name}="{self._escape_attributes(value)}"' for name, value in attributes)
        self.fh.write(f"<c{written}>{element}<v></v></c>")
