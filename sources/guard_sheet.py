"""The exact scan of one worksheet: every cell, through expat callbacks. Slow (about twice calamine); see guard_fast."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sources.guard_facts import SheetFacts, address, area, position
from sources.guard_limits import (
    MAX_BOX,
    MAX_COLLECTED,
    MAX_COLUMNS,
    MAX_MERGED_AREA,
    MAX_MERGES,
    MAX_ROWS,
    SHEET_COLUMNS,
    SHEET_ROWS,
)
from sources.guard_refusals import refusal
from sources.guard_xml import TRUE, Attributes, PackageFacts

_LONGEST_TEXT = 32_767  # the longest cell text; anything beyond would only cost time
_NOT_AN_OPERATOR = re.compile(r"\"[^\"]*\"|'[^']*'|\[[^\[\]]*\]")


class SheetReader:
    """Reads a worksheet part; ``sheet`` is what it found, ``facts`` what the package knows (strings, calculation)."""

    wants_text = True

    def __init__(self, facts: PackageFacts, sheet: SheetFacts) -> None:
        self.facts, self.sheet = facts, sheet
        self._in_data = False
        self._row = self._column = -1
        self._type = ""
        self._open = ""
        self._text: dict[str, str] = {}
        self._merged_area = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """An element opens."""
        if not self._in_data:
            self._outside(name, attributes)
        elif name == "v" or name == "f" or name == "t":
            self._open = name
            self._text.setdefault(name, "")
        elif name == "c":
            self._place(attributes.get("r"))
            self._type = attributes.get("t", "")
            self._text = {}
        elif name == "row":
            self._start_row(attributes)

    def text(self, text: str) -> None:
        """Character data; only that of a value, formula or inline string is kept."""
        if self._open and len(self._text[self._open]) < _LONGEST_TEXT:
            self._text[self._open] += text

    def end(self, name: str) -> None:
        """An element closes."""
        self._open = ""
        if name == "c" and self._in_data:
            self._end_cell()
        elif name == "sheetData":
            self._in_data = False

    def _end_cell(self) -> None:
        sheet, text = self.sheet, self._text
        sheet.cells += 1
        self.facts.count_cells(1, sheet.name)
        if text:
            if "f" in text and len(sheet.formula_places) < MAX_COLLECTED:
                sheet.formula_places.append(self._row * SHEET_COLUMNS + self._column)
            settle(self.facts, sheet, (self._row, self._column), self._type, text)

    def _outside(self, name: str, attributes: Attributes) -> None:
        sheet = self.sheet
        if name == "sheetData":
            self._in_data = True
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))
        elif name == "col" and attributes.get("hidden") in TRUE:
            first, last = attributes.get("min", ""), attributes.get("max", "")
            if first.isdigit() and last.isdigit() and int(last) <= SHEET_COLUMNS:
                sheet.hidden_columns.update(range(int(first) - 1, int(last)))
        elif name == "sheetProtection":
            sheet.is_protected = attributes.get("sheet") in TRUE
        elif name == "autoFilter":
            sheet.has_filter = True

    def _start_row(self, attributes: Attributes) -> None:
        number = attributes.get("r")
        if number is None:
            self._row += 1
        elif number.isascii() and number.isdigit() and 1 <= int(number[:8]) <= SHEET_ROWS:
            self._row = int(number) - 1
        else:
            raise refusal("bad_cell_ref", sheet=self.sheet.name, found=number)
        self._column = -1
        if attributes.get("hidden") in TRUE and self._row < MAX_ROWS:
            self.sheet.hidden_rows.add(self._row)

    def _place(self, reference: str | None) -> None:
        if reference is None:
            self._column += 1
            place = (max(self._row, 0), self._column) if self._column < SHEET_COLUMNS else None
        else:
            place = position(reference)
        if place is None:
            raise refusal("bad_cell_ref", sheet=self.sheet.name, found=reference or "超出最后一列")
        self._row, self._column = place

    def _merge(self, reference: str) -> None:
        merged = area(reference)
        if merged is None:
            raise refusal("bad_cell_ref", sheet=self.sheet.name, found=reference)
        self._merged_area += merged.size
        if self._merged_area > MAX_MERGED_AREA:
            raise refusal("merge_area", sheet=self.sheet.name, found=reference)
        self.sheet.merges.append(merged)
        if len(self.sheet.merges) > MAX_MERGES:
            raise refusal("merge_count", sheet=self.sheet.name, limit=MAX_MERGES)


def settle(facts: PackageFacts, sheet: SheetFacts, place: tuple[int, int], kind: str, text: dict[str, str]) -> None:
    """Book one finished cell: ``kind`` is its type attribute, ``text`` its value ``v``, formula ``f``, inline text ``t``."""
    value = text.get("v", "")
    if value or text.get("t") or "f" in text:
        sheet.rows, sheet.columns = max(sheet.rows, place[0] + 1), max(sheet.columns, place[1] + 1)
    if kind == "s" and value.strip():
        facts.refer(_string_length(facts, sheet, value.strip()))
    elif kind == "e" and value and len(sheet.errors) < MAX_COLLECTED:
        sheet.errors[place] = value
    if "f" in text:
        sheet.formulas += 1
        if "|" in text["f"]:
            refuse_conversation(text["f"])
        _book_result(facts, sheet, place, kind, value)


def _book_result(facts: PackageFacts, sheet: SheetFacts, place: tuple[int, int], kind: str, value: str) -> None:
    """Whether a formula has a result that can be believed.

    Excel and WPS save the empty text as ``t="str"`` with an empty value. Programs that write formulas without calculating them
    save the same, or 0, and ask for a calculation on load. Such results are doubtful, until one formula anywhere in
    the workbook shows a result: then somebody has calculated it.
    """
    if not value and kind != "str":
        if len(sheet.uncalculated) < MAX_COLLECTED:
            sheet.uncalculated.add(place)
    elif value not in ("", "0"):
        facts.has_results = True
    elif facts.awaits_calculation and len(sheet.doubtful) < MAX_COLLECTED:
        sheet.doubtful.add(place)


def settle_doubts(facts: PackageFacts, sheets: Iterable[SheetFacts]) -> None:
    """After all sheets: doubtful results are none where the workbook was never calculated."""
    for sheet in sheets:
        if not facts.has_results:
            sheet.uncalculated |= sheet.doubtful
        sheet.doubtful = set()


def refuse_conversation(formula: str) -> None:
    """Refuse a DDE call ``program|topic!item``; a bar inside text or a name is harmless."""
    if "|" in _NOT_AN_OPERATOR.sub("", formula):
        raise refusal("dde", found=formula)


def _string_length(facts: PackageFacts, sheet: SheetFacts, index: str) -> int:
    if not (index.isascii() and index.isdigit()) or int(index[:10]) >= len(facts.string_lengths):
        raise refusal("bad_string_index", sheet=sheet.name, found=index)
    return int(facts.string_lengths[int(index)])


def check_box(sheet: SheetFacts) -> None:
    """Refuse a sheet whose content spans more rows, columns or area than a reader may allocate."""
    if sheet.rows * sheet.columns > MAX_BOX:
        raise refusal("sparse_box", sheet=sheet.name, found=address(sheet.rows - 1, sheet.columns - 1))
    if sheet.rows > MAX_ROWS:
        raise refusal("too_many_rows", sheet=sheet.name, found=sheet.rows, limit=MAX_ROWS)
    if sheet.columns > MAX_COLUMNS:
        raise refusal("too_many_columns", sheet=sheet.name, found=sheet.columns, limit=MAX_COLUMNS)
