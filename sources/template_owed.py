"""Which rows of a form are owed, as a worksheet formula: a form's ``applies_if`` over the figures of the unit's other forms.

A firm fills the innovation form where its personnel form says ten staff or more. The audit cell asks nothing of the others,
as the server does (``sources.audit_run.Run.is_owed``): unknown counts as not owed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from schemas.environment import Environment
from schemas.excel_cells import Cells, own_cells
from schemas.excel_target import to_excel
from schemas.layout import FIRST_ROW, Role, SheetLayout
from schemas.model import FormKind
from sources.template_prefill import Prefill
from sources.writer import Book


def owed_formula(
    layout: SheetLayout, layouts: Sequence[SheetLayout], env: Environment, lists: Mapping[str, str]
) -> str:
    """1 where the unit of the first row owes the form; "" where every row does.

    Raises DefinitionError where plain functions over the workbook cannot say it.
    """
    if not is_conditional(layout):
        return ""
    key = f"${layout.columns[0].letter}{FIRST_ROW}"
    elsewhere = {
        code: f"INDEX({column_name(other, code)},MATCH({key},{column_name(other, _key(other))},0))"
        for code, other in _elsewhere(layout, layouts, env).items()
    }
    return to_excel(layout.form.applies_if, env, Cells({**elsewhere, **own_cells(layout)}, lists=lists))


def is_conditional(layout: SheetLayout) -> bool:
    """Whether a form is owed by some rows only."""
    return bool(layout.form.applies_if) and layout.form.kind is FormKind.ROSTER and len(layout.form.key) == 1


def owed_lists(
    layouts: Sequence[SheetLayout], env: Environment, stated: Mapping[str, Prefill]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """(list, "") → codes of the lists these conditions look into; of lists of units only those the workbook names itself."""
    listed = {
        str(unit)
        for layout in layouts
        if layout.is_enterprise
        for unit in stated[layout.form.code].values(_key(layout))
    }
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for layout in filter(is_conditional, layouts):
        for node in env.typed(layout.form.applies_if).walk():
            name = str(node.value)
            if node.op != "in_codelist" or len(node.args) != 1 or name not in env.codelists:
                continue
            codes: Collection[str] = env.codelists[name]
            is_of_units = node.args[0].op == "column" and node.args[0].value == (_key(layout), "")
            found[(name, "")] = tuple(sorted(set(codes) & listed if is_of_units else codes))
    return found


def define_owed_columns(
    book: Book, layouts: Sequence[SheetLayout], stated: Mapping[str, Prefill], env: Environment
) -> None:
    """Name the columns on other forms that the conditions read: a formula that is filled down names no other sheet."""
    wanted: dict[str, tuple[SheetLayout, str]] = {}
    for layout in filter(is_conditional, layouts):
        for code, other in _elsewhere(layout, layouts, env).items():
            wanted |= {column_name(other, c): (other, c) for c in (code, _key(other))}
    for name, (other, code) in sorted(wanted.items()):
        letter, last = other.column(code).letter, other.last_row(max(stated[other.form.code].rows, 1))
        book.define(name, other.name, f"${letter}${FIRST_ROW}:${letter}${last}")


def column_name(layout: SheetLayout, code: str) -> str:
    """The defined name of a column of a form, over its data rows."""
    return f"ytb_form_{layout.form.code}_{code}"


def _key(layout: SheetLayout) -> str:
    return layout.columns[0].anchor


def _elsewhere(layout: SheetLayout, layouts: Sequence[SheetLayout], env: Environment) -> dict[str, SheetLayout]:
    """Code → the form of the same roster on which the condition finds it, where its own form does not ask it."""
    own = own_cells(layout)
    asked = {
        node.value[0]
        for node in env.typed(layout.form.applies_if).walk()
        if node.op == "column" and isinstance(node.value, tuple) and not node.value[1] and node.value[0] not in own
    }
    found: dict[str, SheetLayout] = {}
    for other in layouts:
        if other is layout or other.form.roster != layout.form.roster or other.form.kind is not FormKind.ROSTER:
            continue
        standing = {c.anchor for c in other.columns if c.role in (Role.KEY, Role.VALUE)}
        found |= {code: other for code in sorted(asked & standing) if code not in found}
    return found
