"""The guard's reading of an OpenDocument spreadsheet: repetitions are multiplied out, error cells and formulas found.

Source: OASIS OpenDocument 1.3 part 3, sections 9.1 (tables) and 19.642 to 19.676 (repetition, visibility).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from schemas.errors import SubmissionError
from sources.guard_facts import Area, SheetFacts
from sources.guard_limits import (
    MAX_CELLS,
    MAX_COLLECTED,
    MAX_MERGED_AREA,
    MAX_ROWS,
    MAX_SHEETS,
    SHEET_COLUMNS,
)
from sources.guard_refusals import refusal
from sources.guard_sheet import check_box
from sources.guard_xml import Attributes, ElementReader, OpeningsReader, PackageFacts, PartScan, is_malformed
from sources.guard_zip import Entry, chunks, content

ERROR_TEXT = re.compile(r"#(?:NULL!|DIV/0!|VALUE!|REF!|NAME\?|NUM!|N/A|SPILL!|CALC!)|(?:Err|错误):\d{3}")
SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"
VITAL = ("content.xml", "styles.xml")


def scan_ods(data: bytes, entries: list[Entry]) -> tuple[PackageFacts, list[SheetFacts]]:
    """Every byte of every part; the sheets in order. Raises SubmissionError."""
    facts = PackageFacts()
    by_name = {entry.name: entry for entry in entries}
    if "content.xml" not in by_name:
        raise refusal("not_a_workbook")
    if "mimetype" in by_name and not content(data, by_name["mimetype"]).startswith(SPREADSHEET):
        raise refusal("not_a_workbook")
    if any(name.startswith("Basic/") for name in by_name):
        facts.features.add("macros")
    reader = TableReader(facts)
    # The manifest first: it says whether the other parts are encrypted.
    for entry in sorted(entries, key=lambda e: (e.name != "META-INF/manifest.xml", e.start)):
        _scan_part(data, entry, reader)
    for sheet in reader.sheets:
        check_box(sheet)
    return facts, reader.sheets


def _scan_part(data: bytes, entry: Entry, reader: TableReader) -> None:
    scan: PartScan | None = None
    if entry.name.endswith((".xml", ".rdf")):
        # Charts bring contents of their own, with tables of their own: no sheets of this workbook.
        readers: Mapping[str, ElementReader] = {"content.xml": reader, "META-INF/manifest.xml": ManifestReader()}
        of_part = readers.get(entry.name) or LinkReader()
        # OpenOffice and LibreOffice name a DTD in the parts of macros and tool bars, and once did in the manifest.
        scan = PartScan(
            entry.name,
            {"document-content": lambda _: of_part, "manifest": lambda _: of_part},
            may_name_dtd=entry.name not in VITAL,
        )
    for chunk in chunks(data, entry):
        try:
            if scan is not None:
                scan.feed(chunk)
        except SubmissionError as error:
            if entry.name in VITAL or not is_malformed(error):
                raise
            scan = None
    if scan is not None and entry.name in VITAL:
        scan.feed(b"", last=True)


class ManifestReader(OpeningsReader):
    """The manifest: encrypted parts."""

    def start(self, name: str, attributes: Attributes) -> None:
        """An encrypted part needs the password."""
        if name == "encryption-data":
            raise refusal("encrypted", found="ODS 加密")


class LinkReader(OpeningsReader):
    """The content of an embedded object (a chart, a sheet in a sheet): no sheet of the workbook, but it may call programs too."""

    def start(self, name: str, attributes: Attributes) -> None:
        """A call of another program is refused wherever it stands."""
        refuse_conversation(name, attributes)


class TableReader:
    """The content part: all sheets."""

    wants_text = True

    def __init__(self, facts: PackageFacts) -> None:
        self.facts = facts
        self.sheets: list[SheetFacts] = []
        self._hidden_styles: set[str] = set()
        self._style = ""
        self._depth = 0
        self._row = self._column = self._column_definition = 0
        self._row_repeat = 1
        self._cell: Attributes | None = None
        self._aside = 0
        self._text = ""
        self._text_length = 0
        self._row_cells = self._row_text = self._row_end = 0
        self._merged = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """An element opens."""
        match name:
            case "style" if attributes.get("family") == "table":
                self._style = attributes.get("name", "")
            case "table-properties" if attributes.get("display") == "false":
                self._hidden_styles.add(self._style)
            case "table":
                self._start_table(attributes)
            case "table-column":
                repeat = count(attributes, "number-columns-repeated")
                if attributes.get("visibility", "visible") != "visible" and self._column_definition < SHEET_COLUMNS:
                    last = min(self._column_definition + repeat, SHEET_COLUMNS)
                    self._sheet().hidden_columns.update(range(self._column_definition, last))
                self._column_definition += repeat
            case "table-row":
                self._start_row(attributes)
            case "table-cell" | "covered-table-cell" if self._depth == 1:
                self._cell, self._text, self._text_length = attributes, "", 0
            case "annotation":
                self._aside += 1
                self.facts.features.add("comments")
            case _:
                refuse_conversation(name, attributes)

    def text(self, text: str) -> None:
        """Character data of a cell; notes do not count."""
        if self._cell is not None and not self._aside:
            self._text_length += len(text)
            if len(self._text) < 32:
                self._text += text

    def end(self, name: str) -> None:
        """An element closes."""
        match name:
            case "table":
                self._depth -= 1
            case "table-row" if self._depth == 1:
                self._end_row()
            case "table-cell" | "covered-table-cell" if self._depth == 1:
                self._end_cell()
            case "annotation":
                self._aside -= 1

    def _sheet(self) -> SheetFacts:
        if not self.sheets:
            raise refusal("damaged", found="content.xml")
        return self.sheets[-1]

    def _start_table(self, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        hidden = attributes.get("style-name") in self._hidden_styles
        self.sheets.append(SheetFacts(attributes.get("name", ""), "hidden" if hidden else "visible"))
        if len(self.sheets) > MAX_SHEETS:
            raise refusal("too_many_sheets", found=f"{MAX_SHEETS} 张以上", limit=MAX_SHEETS)
        self.sheets[-1].is_protected = attributes.get("protected") == "true"
        self._row = self._column_definition = 0

    def _start_row(self, attributes: Attributes) -> None:
        if self._depth != 1:
            return
        self._column = self._row_cells = self._row_text = self._row_end = 0
        self._row_repeat = count(attributes, "number-rows-repeated")
        if attributes.get("visibility", "visible") != "visible" and self._row < MAX_ROWS:
            self._sheet().hidden_rows.update(range(self._row, min(self._row + self._row_repeat, MAX_ROWS)))

    def _end_cell(self) -> None:
        cell, self._cell = self._cell or {}, None
        repeat = count(cell, "number-columns-repeated")
        holds = "value-type" in cell or "formula" in cell or self._text_length > 0
        if holds:
            self._row_cells += repeat
            self._row_text += repeat * max(self._text_length, len(cell.get("string-value", "")))
            self._row_end = self._column + repeat
            self._note(cell, repeat)
        self._merge(cell)
        self._column += repeat

    def _note(self, cell: Attributes, repeat: int) -> None:
        sheet = self._sheet()
        if "formula" in cell:
            sheet.formulas += 1
        # LibreOffice writes an error as text, and names the type in an attribute of its own of the same local name.
        is_error = cell.get("value-type") == "error" or (
            "formula" in cell and ERROR_TEXT.fullmatch(self._text.strip()) is not None
        )
        is_uncalculated = "formula" in cell and "value-type" not in cell and not self._text
        if not (is_error or is_uncalculated) or repeat * self._row_repeat > MAX_COLLECTED:
            return
        for row in range(self._row, self._row + self._row_repeat):
            for column in range(self._column, self._column + repeat):
                if is_error:
                    sheet.errors[row, column] = self._text.strip() or "#ERR!"
                else:
                    sheet.uncalculated.add((row, column))

    def _merge(self, cell: Attributes) -> None:
        rows, columns = count(cell, "number-rows-spanned"), count(cell, "number-columns-spanned")
        if rows * columns > 1:
            self._merged += rows * columns
            if self._merged > MAX_MERGED_AREA:
                raise refusal("merge_area", sheet=self._sheet().name, found=f"{self._merged} 格")
            merged = Area(self._row, self._column, self._row + rows - 1, self._column + columns - 1)
            self._sheet().merges.append(merged)

    def _end_row(self) -> None:
        sheet = self._sheet()
        if self._row_cells:
            sheet.cells += self._row_cells * self._row_repeat
            sheet.rows = max(sheet.rows, self._row + self._row_repeat)
            sheet.columns = max(sheet.columns, self._row_end)
            self.facts.refer(self._row_text * self._row_repeat)
            if sheet.cells > MAX_CELLS:
                raise refusal("repeat", sheet=sheet.name)
        self._row += self._row_repeat


def refuse_conversation(name: str, attributes: Attributes) -> None:
    """Raise SubmissionError for an element that calls another program (DDE)."""
    if name in ("dde-source", "dde-link"):
        raise refusal("dde", found=attributes.get("dde-application", name))


def count(attributes: Attributes, name: str) -> int:
    """A repetition or span, 1 where it is not said."""
    text = attributes.get(name, "1")
    if not (text.isascii() and text.isdigit()):
        raise refusal("damaged", found=f"{name}={text}")
    return max(int(text[:12]), 1)
