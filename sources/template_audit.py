"""The audit cell 校验 of a template: the hard rules of a sheet that its own cells can settle, one cell a row.

A row nobody has begun is 未填, a row on which all is well, or whose unit does not owe the form, 通过; else the cell names each rule that fails with what is
wrong, each that hangs on a blank (待核), and how many required cells are empty. Soft rules never appear: their bounds are
not for respondents. The text is made of plain functions by ``schemas.excel_target``; the server decides, not the workbook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.environment import Environment
from schemas.errors import DefinitionError
from schemas.excel_cells import areas_of_rosters, own_areas, own_cells
from schemas.excel_target import Cells, to_excel_rule
from schemas.excel_values import calls, ranges, text_literal
from schemas.expression import operand_column
from schemas.layout import FIRST_ROW, OPERANDS_SHEET, Role, SheetLayout
from schemas.model import AuditRule, Edition, FormKind, Severity
from sources.audit_plan import marked_column
from sources.template_owed import owed_formula
from sources.template_prefill import Prefill
from sources.writer import quoted

PASSED, UNTOUCHED, OPEN = "通过", "未填", "待核"
LONGEST_CELL = 7_500
"""Characters of an audit cell. Excel also limits what a formula takes once read in, to 16,384 bytes: two a character."""

FIRST_OPERAND_ROW = 4


@dataclass(frozen=True)
class Operands:
    """Figures of other periods on the hidden sheet: roster → (first row, last row), and column → its letter."""

    rows: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    letters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditSheet:
    """The audit cells of one form; the rules told in them, and those that only the server can judge.

    ``filled``: on a roster, the formula of the first row, for all of them. ``formulas``: on a sheet form, row → formula.
    """

    filled: str
    formulas: Mapping[int, str]
    rules: tuple[AuditRule, ...]
    left_out: tuple[tuple[AuditRule, str], ...]
    is_conditional: bool = False
    """Whether the cells first ask if the unit owes the form."""


@dataclass(frozen=True)
class Workbook:
    """What the audit cells of all sheets share. ``lists`` and ``keyed``: see ``schemas.excel_cells.Cells``."""

    edition: Edition
    env: Environment
    layouts: Sequence[SheetLayout]
    stated: Mapping[str, Prefill]
    rules: Sequence[AuditRule]
    park: str
    lists: Mapping[str, str]
    keyed: Mapping[str, Mapping[str, str]]
    operands: Operands


def template_rules(rules: Iterable[AuditRule], form: str) -> list[AuditRule]:
    """The rules of a form that may stand in a template: hard ones marked so."""
    return [r for r in rules if r.form == form and r.in_template and r.severity is Severity.HARD]


def audit_sheet(book: Workbook, layout: SheetLayout) -> AuditSheet:
    """The audit cells of one form."""
    cells = _cells(book, layout)
    told: list[tuple[AuditRule, str]] = []
    left_out: list[tuple[AuditRule, str]] = []
    for rule in template_rules(book.rules, layout.form.code):
        try:
            told.append((rule, _outcome(rule, book.env, cells)))
        except DefinitionError as error:
            left_out.append((rule, error.message))
    formulas, filled = {}, ""
    if layout.form.kind is FormKind.SHEET:
        formulas = _indicator_formulas(book.edition, layout, told)
        return AuditSheet(filled, formulas, tuple(rule for rule, _ in told), tuple(left_out))
    stated = book.stated[layout.form.code]
    try:
        owed = owed_formula(layout, book.layouts, book.env, book.lists)
    except DefinitionError as error:  # who owes the form only the server can tell: nothing is asked here
        return AuditSheet("", {}, (), (*left_out, *((rule, error.message) for rule, _ in told)))
    told, dropped = _within_one_cell(layout, stated, told, owed)
    left_out += [(rule, "校验格写不下") for rule in dropped]
    filled = _row_formula(layout, stated, [text for _, text in told], owed)
    return AuditSheet(filled, formulas, tuple(rule for rule, _ in told), tuple(left_out), bool(owed))


def _within_one_cell(
    layout: SheetLayout, stated: Prefill, told: list[tuple[AuditRule, str]], owed: str
) -> tuple[list[tuple[AuditRule, str]], list[AuditRule]]:
    """As many rules as one formula holds, in printed order, and those for which there is no room."""
    kept = list(told)
    while kept and len(_row_formula(layout, stated, [text for _, text in kept], owed)) > LONGEST_CELL:
        kept.pop()
    return kept, [rule for rule, _ in told[len(kept) :]]


def failing_text(rule: AuditRule) -> str:
    """What the audit cell says of a failing rule; ``id`` and a space, by which the summary counts."""
    said = " ".join(rule.message.replace(";", ";").split(";")[0].split())
    return f"{rule.id} {said};"


def _outcome(rule: AuditRule, env: Environment, cells: Cells) -> str:
    """The text of one rule in a cell: empty where it holds."""
    result = to_excel_rule(rule.expression, rule.applies_if, env, cells)
    unknown = '""'
    if rule.kind != "conditional_required":
        # Nothing reported, nothing to ask: a rule is open only where one of its operands is filled.
        asked = {
            cells.cell(*named)
            for named in _operands(env, rule)
            if operand_column(*named) in cells.cells and not named[1]
        }
        open_text = text_literal(f"{rule.id}{OPEN};")
        unknown = f'IF({calls("COUNTA", asked)}>0,{open_text},"")' if asked else open_text
    return f'CHOOSE(1+2*{result},{text_literal(failing_text(rule))},{unknown},"")'


def _operands(env: Environment, rule: AuditRule) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for text in filter(None, (rule.expression, rule.applies_if)):
        for node in env.typed(text).walk():
            if node.op == "column" and isinstance(node.value, tuple):
                found[node.value] = None
    return list(found)


def _combined(outcomes: Iterable[str], begun: str, untouched: str) -> str:
    # The outcomes are needed twice, to be shown and to see whether there are any. Between two spaces they are named once:
    # only where there is nothing between them do the spaces meet.
    text = "&".join(outcomes)
    return f'=IF({begun},{untouched},TRIM(SUBSTITUTE(" "&{text}&" ","  ",{text_literal(PASSED)})))'


def _row_formula(layout: SheetLayout, stated: Prefill, outcomes: Sequence[str], owed: str) -> str:
    filled = [
        f"{c.letter}{FIRST_ROW}"
        for c in layout.columns
        if c.role in (Role.VALUE, Role.KEY) and c.anchor not in stated.locked
    ]
    if not outcomes or not filled:
        return ""
    required = [i.code for i in layout.asked if i.required and not i.applies_if and i.code not in stated.locked]
    blanks = _blanks([f"{layout.column(code).letter}{FIRST_ROW}" for code in required])
    key = f"{layout.columns[0].letter}{FIRST_ROW}"
    untouched = f'IF({key}="","",{text_literal(UNTOUCHED)})'
    asked = [*outcomes, *blanks]
    if owed:
        asked = [f'IF({owed}=1,{"&".join(asked)},"")']
    return _combined(asked, f"{calls('COUNTA', filled)}=0", untouched)


def _blanks(cells: Sequence[str]) -> list[str]:
    """How many required cells are empty, as text; nothing where none is."""
    if not cells:
        return []
    count = "+".join(f"COUNTBLANK({area})" for area in ranges(cells))
    return [f'TEXT({count},"""缺必填""0""项;"";;")']


def _indicator_formulas(edition: Edition, layout: SheetLayout, told: Sequence[tuple[AuditRule, str]]) -> dict[int, str]:
    """On a sheet form each rule is told in the row of the indicator on which the server would put its finding."""
    rows = layout.indicator_rows
    by_row: dict[int, list[str]] = {}
    for rule, text in told:
        row = rows.get(marked_column(rule, layout.form, edition), FIRST_ROW)
        by_row.setdefault(row, []).append(text)
    for indicator in layout.asked:
        if indicator.required and not indicator.applies_if:
            by_row.setdefault(rows[indicator.code], []).extend(_blanks([layout.cell(indicator.code)]))
    filled = calls("COUNTA", [layout.cell(code) for code in rows])
    return {row: _combined(texts, f"{filled}=0", '""') for row, texts in sorted(by_row.items())}


def _cells(book: Workbook, layout: SheetLayout) -> Cells:
    if layout.form.kind is FormKind.SHEET:
        areas = areas_of_rosters((other, book.stated[other.form.code].rows) for other in book.layouts)
    else:
        areas = own_areas(layout, book.stated[layout.form.code].rows)
    cells = {**_lagged(book.operands, layout), **own_cells(layout)}
    return Cells(cells, areas, book.lists, book.keyed, book.park)


def _lagged(operands: Operands, layout: SheetLayout) -> dict[str, str]:
    """Figures of other periods, looked up by the unit on the hidden sheet."""
    roster = layout.form.roster
    if roster not in operands.rows or len(layout.form.key) > 1:
        return {}
    if layout.form.kind is FormKind.SHEET:
        first, sheet = operands.rows[roster][0], quoted(OPERANDS_SHEET)
        return {name: f"{sheet}!${letter}${first}" for name, letter in operands.letters.items()}
    key = f"${layout.columns[0].letter}{FIRST_ROW}"
    found = f"MATCH({key},{operand_name(roster)},0)"
    return {name: f"INDEX({operand_name(roster, name)},{found})" for name in operands.letters}


def operand_name(roster: str, column: str = "unit_id") -> str:
    """The defined name of a column of the hidden sheet of operands, over the rows of one roster."""
    return f"ytb_ops_{roster}_{column}"
