"""The marked workbook 标注: the park's own .xlsx with every finding at its cell, and a sheet that lists them all.

Values, cached results, formulas, validations, protection, names, charts and existing notes stay as they are; what changes is
the fill of marked cells, our notes, our sheet 审核结果 in front, and which tab is open. A workbook that comes back marked
loses the old marks first. What cannot be edited safely is refused (``cannot_mark``); ``list_of_findings`` serves instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from schemas.model import Edition
from sources.marked_findings import Earlier, MarkedLine, findings_sheet, read_earlier
from sources.marked_list import FindingKey, Listed, grouped, list_of_findings, listed, to_be_listed
from sources.marked_notes import annotate
from sources.marked_package import Package
from sources.marked_sheet import SheetPart, address, check_well_formed, place_of
from sources.marked_styles import Styles
from sources.marked_workbook import BookSheet, WorkbookPart
from sources.problems import SOFT

__all__ = ["MarkedWorkbook", "explanations_in", "list_of_findings", "mark"]

SELECTED = b"tabSelected="


@dataclass(frozen=True)
class MarkedWorkbook:
    """``data`` is the workbook; ``marked`` counts marked cells; ``unplaced`` are findings that only the list shows."""

    data: bytes
    marked: int
    unplaced: pl.DataFrame


def mark(
    original: bytes,
    findings: pl.DataFrame,
    *,
    heading: str = "",
    names: Mapping[str, str] | None = None,
    forms: Mapping[str, str] | None = None,
    reasons: Sequence[tuple[str, str]] = (),
    edition: Edition | None = None,
    proposals: Mapping[tuple[str, str], str] | None = None,
    refused: Mapping[FindingKey, str] | None = None,
) -> MarkedWorkbook:
    """Write ``findings`` (schemas.findings) of one workbook into it. The guard must have let the workbook through.

    Hard findings are red, soft ones yellow; absorbed and trial ones are left out, absorbed ones counted with their cause.
    ``names`` (unit → name) and ``forms`` (form → title) are for display, ``reasons`` the reason codes offered beside the
    explanation of a soft finding; ``edition`` says what rules are about, by which findings are grouped (``sources.causes``);
    ``proposals`` what stands behind the remedy of a hard finding, by (rule, unit), ``refused`` why an explanation does not do.
    Explanations that the park has typed on an earlier list are kept. Same input, same bytes; marking twice changes nothing.
    """
    package = Package(original)
    book = WorkbookPart(package)
    styles = Styles(package.read(book.styles))
    own = book.own()
    earlier = read_earlier(package, own.part, book.related("sharedStrings")) if own else Earlier()

    shown = to_be_listed(findings)
    lines = listed(shown, names or {}, forms or {}, proposals, refused)
    sheets = book.sheets()
    at = {sheet.name: [line for line in lines if line.sheet == sheet.name and place_of(line.cell)] for sheet in sheets}
    marked: dict[int, MarkedLine] = {}
    old_marks = styles.marks()
    for sheet in sheets:
        marked |= _mark_sheet(package, sheet, at[sheet.name], styles, earlier, old_marks)
    in_order = [marked.get(id(line), MarkedLine(line)) for line in lines]
    groups = grouped(findings, shown, lines, edition)
    book.put_own(findings_sheet(groups, marked, styles, earlier.explanations, heading, reasons))
    package.write(book.styles, styles.to_bytes())
    cells = {(m.line.sheet, m.cell) for m in in_order if m.cell}
    without_place = pl.Series([not m.cell for m in in_order], dtype=pl.Boolean)
    return MarkedWorkbook(package.to_bytes(), len(cells), shown.filter(without_place))


def explanations_in(workbook: bytes) -> pl.DataFrame:
    """What a park has explained on the sheet 审核结果 of a marked workbook: rule, form, unit_id, column, reason_code, text."""
    package = Package(workbook)
    book = WorkbookPart(package)
    own = book.own()
    earlier = read_earlier(package, own.part, book.related("sharedStrings")) if own else Earlier()
    rows = [(*key, *told) for key, told in earlier.explanations.items()]
    columns = ("rule", "form", "unit_id", "column", "reason_code", "text")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String()), orient="row").sort(columns[:4])


def _mark_sheet(
    package: Package,
    sheet: BookSheet,
    lines: Sequence[Listed],
    styles: Styles,
    earlier: Earlier,
    marks: frozenset[int],
) -> dict[int, MarkedLine]:
    """Mark one sheet. Returns line → line with its cell and the fill that was there."""
    is_selected = SELECTED in package.head(sheet.part)
    if not lines and not marks and not is_selected:
        return {}
    part = SheetPart.of(package.read(sheet.part))
    if is_selected:
        part = SheetPart(part.without_selection())
    placed: dict[tuple[int, int], list[Listed]] = {}
    for line in lines:
        place = place_of(line.cell)
        if place:
            placed.setdefault(part.anchor_of(place), []).append(line)
    severities = {at: "soft" if all(line.kind == SOFT for line in there) else "hard" for at, there in placed.items()}
    origins: dict[tuple[int, int], str] = {}

    def restyle(row: int, column: int, style: int) -> int:
        if style in marks:
            style = styles.restored(style, earlier.origins.get((sheet.name, address(row, column))))
        severity = severities.get((row, column))
        if severity is None:
            return style
        origins[row, column] = styles.origin(style)
        return styles.marked(style, severity)

    wanted: dict[int, set[int]] = {}
    for row, column in placed:
        wanted.setdefault(row, set()).add(column)
    part = SheetPart(part.restyled({row: frozenset(columns) for row, columns in wanted.items()}, marks, restyle))
    notes = {at: "\n".join(dict.fromkeys(line.said for line in there)) for at, there in placed.items()}
    edited = annotate(package, sheet.part, part, notes)
    check_well_formed(edited)
    package.write(sheet.part, edited)
    return {
        id(line): MarkedLine(line, address(*at), origins.get(at, "")) for at, there in placed.items() for line in there
    }
