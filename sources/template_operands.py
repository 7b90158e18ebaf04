"""The hidden sheet ``_ops``: figures of other periods as they were issued, with their day.

Row 1 the day, row 3 the head, then a row a unit. 上年同期 figures stand there because the cells on the forms may be changed:
this copy says what stood in them. Figures that hard rules need and no form shows (``F01_prev``) stand beside; the audit
cells look them up by the unit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from schemas.environment import Environment
from schemas.errors import DefinitionError
from schemas.expression import operand_column
from schemas.layout import OPERANDS_SHEET, Role, SheetLayout, column_letter
from schemas.model import AuditRule, FormKind
from schemas.typed_expression import Typed
from sources.template_audit import FIRST_OPERAND_ROW, Operands, operand_name
from sources.template_prefill import Prefill
from sources.writer import Book, Value, put


@dataclass(frozen=True)
class OperandSheet:
    """What stands on the sheet: (roster, unit) → column → figure, rosters together, and the columns in order."""

    figures: Mapping[tuple[str, str], Mapping[str, Value]]
    columns: tuple[str, ...]

    @property
    def operands(self) -> Operands:
        """Where the audit cells find them."""
        rows: dict[str, tuple[int, int]] = {}
        for n, (roster, _) in enumerate(self.figures, start=FIRST_OPERAND_ROW):
            rows[roster] = (rows.get(roster, (n, n))[0], n)
        letters = {name: column_letter(n) for n, name in enumerate(self.columns, start=2)}
        return Operands(rows, letters)


def lagged_columns(rules: Iterable[AuditRule], env: Environment) -> frozenset[str]:
    """The operands of other periods that these rules ask for."""
    found: set[str] = set()
    for node in nodes_of(rules, env):
        if isinstance(node.value, tuple) and node.op == "column" and node.value[1]:
            found.add(operand_column(*node.value))
    return frozenset(found)


def nodes_of(rules: Iterable[AuditRule], env: Environment) -> Iterator[Typed]:
    """Every node of the rules and their conditions; a text that has no meaning is left to lint, a template is made all the same."""
    for rule in rules:
        for text in filter(None, (rule.expression, rule.applies_if)):
            with contextlib.suppress(DefinitionError):
                yield from list(env.typed(text).walk())


def operand_sheet(
    layouts: Sequence[SheetLayout],
    stated: Mapping[str, Prefill],
    park_code: str,
    other_periods: Mapping[str, pl.DataFrame],
    wanted: frozenset[str],
) -> OperandSheet:
    """The figures issued on the forms, and of ``other_periods`` (roster → unit_id and operand columns) those wanted."""
    figures: dict[tuple[str, str], dict[str, Value]] = {}
    for layout in layouts:
        for unit, column, value in _issued(layout, stated[layout.form.code], park_code):
            figures.setdefault((layout.form.roster, unit), {})[column] = value
    for roster in sorted({layout.form.roster for layout in layouts} & other_periods.keys()):
        frame = other_periods[roster]
        asked = sorted(wanted & set(frame.columns))
        if asked:
            # A row for each unit that stands on the forms, so that looking it up never fails, and for no other: an
            # enterprise's own workbook tells nothing of its neighbours.
            known = {str(unit): values for unit, *values in frame.select("unit_id", *asked).iter_rows()}
            for unit in _units(layouts, stated, roster, park_code):
                own = figures.setdefault((roster, unit), {})
                values = known.get(unit, [])
                own |= {c: v for c, v in zip(asked, values, strict=False) if v is not None and c not in own}
    order = {layout.form.roster: n for n, layout in reversed(list(enumerate(layouts)))}
    together = dict(sorted(figures.items(), key=lambda item: order[item[0][0]]))
    columns = dict.fromkeys(column for own in figures.values() for column in own)
    return OperandSheet(together, tuple(columns))


def _units(layouts: Sequence[SheetLayout], stated: Mapping[str, Prefill], roster: str, park_code: str) -> list[str]:
    own = [layout for layout in layouts if layout.form.roster == roster]
    if any(layout.form.kind is FormKind.SHEET for layout in own):
        return [park_code]
    keys = (stated[layout.form.code].columns.get(layout.columns[0].anchor, ()) for layout in own)
    return list(dict.fromkeys(str(unit) for units in keys for unit in units if unit is not None))


def write_operands(book: Book, operands: OperandSheet, as_of: str, *, any_lagged: bool) -> None:
    """Write the hidden sheet. ``any_lagged``: its columns get names, by which audit cells look figures up."""
    sheet = book.sheet(OPERANDS_SHEET)
    text = book.style({"num_format": "@"})
    put(sheet, 0, 0, "as_of", text)
    put(sheet, 0, 1, as_of, text)
    for n, name in enumerate(("roster", "unit_id", *operands.columns)):
        put(sheet, FIRST_OPERAND_ROW - 2, n, name, text)
    places = {name: n for n, name in enumerate(operands.columns, start=2)}
    for row, ((roster, unit), values) in enumerate(operands.figures.items(), start=FIRST_OPERAND_ROW - 1):
        put(sheet, row, 0, roster, text)
        put(sheet, row, 1, unit, text)
        for name, value in values.items():
            put(sheet, row, places[name], value)
    sheet.hide()
    sheet.protect()
    found = operands.operands
    for roster, (first, last) in found.rows.items() if any_lagged else ():
        book.define(operand_name(roster), OPERANDS_SHEET, f"$B${first}:$B${last}")
        for name, letter in found.letters.items():
            book.define(operand_name(roster, name), OPERANDS_SHEET, f"${letter}${first}:${letter}${last}")


def _issued(layout: SheetLayout, stated: Prefill, park_code: str) -> Iterator[tuple[str, str, Value]]:
    if layout.form.kind is FormKind.SHEET:
        for code, value in zip(stated.values("code"), stated.issued.get("value_yoy", ()), strict=False):
            if value is not None:
                yield park_code, f"{code}_yoy", value
        return
    units = stated.columns.get(layout.columns[0].anchor, ())
    for column in layout.columns:
        if column.role is Role.YEAR_EARLIER:
            for unit, value in zip(units, stated.issued.get(column.anchor, ()), strict=False):
                if value is not None:
                    yield str(unit), column.anchor, value
