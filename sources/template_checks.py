"""What the first sheet of a template counts: required cells still empty, rows whose audit cell names a rule."""

from __future__ import annotations

from schemas.excel_values import text_literal
from schemas.layout import AUDIT, FIRST_ROW, SheetLayout
from schemas.model import FormKind
from sources.writer import quoted


def rows_saying(layout: SheetLayout, rows: int, pattern: str) -> str:
    """The formula that counts the audit cells of a form with a text in them; ``*`` stands for anything."""
    letter = layout.column(AUDIT).letter
    return f"=COUNTIF({quoted(layout.name)}!${letter}${FIRST_ROW}:${letter}${layout.last_row(rows)},{text_literal(pattern)})"


def blank_required_cells(layout: SheetLayout, rows: int, *, is_conditional: bool = False) -> str | None:
    """The formula that counts empty required cells; None where nothing is required unconditionally.

    On a form that every listed unit owes, all rows count; elsewhere (conditional forms, spare rows) a row counts once
    something is filled in it. ``is_conditional``: the audit cells know who owes the form; then the rows are counted in
    which they miss something.
    """
    required = [i.code for i in layout.asked if i.required and not i.applies_if]
    if not required:
        return None
    if is_conditional:
        return rows_saying(layout, rows, "*缺必填*")
    sheet = quoted(layout.name)
    if layout.form.kind is FormKind.SHEET:
        return "=" + "+".join(f"COUNTBLANK({sheet}!{layout.cell(code)})" for code in required)
    last = layout.last_row(rows)
    areas = [f"{sheet}!${c}${FIRST_ROW}:${c}${last}" for c in (layout.column(code).letter for code in required)]
    if layout.is_enterprise and not layout.form.applies_if:
        return "=" + "+".join(f"COUNTBLANK({area})" for area in areas)
    begun = "+".join(f"(LEN({area})>0)" for area in areas)
    blank = "+".join(f"(LEN({area})=0)" for area in areas)
    return f"=SUMPRODUCT((({begun})>0)*({blank}))"
