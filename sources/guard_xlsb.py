"""The binary parts of an .xlsb package: a walk over the records that say what readers hide.

Source: [MS-XLSB] 2.1.4 (records) and 2.4 (record types). Formulas are not parsed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from sources.guard_facts import Area, SheetFacts
from sources.guard_limits import (
    MAX_COLLECTED,
    MAX_MERGED_AREA,
    MAX_MERGES,
    MAX_ROWS,
    MAX_SHEETS,
    SHEET_COLUMNS,
    SHEET_ROWS,
)
from sources.guard_refusals import refusal
from sources.guard_xml import PackageFacts, SheetEntry, check_string_counts

BINARY_PARTS = ("xl/workbook.bin", "xl/worksheets/", "xl/sharedstrings.bin", "xl/externallinks/")

ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
ROW, BLANK, ERROR, SHARED, FORMULA_ERROR, LAST_CELL, STRING_ITEM = 0, 1, 3, 7, 11, 11, 19
COLUMNS, WORKBOOK_PROPERTIES, BUNDLE_SHEET, STRING_TABLE, MERGE, SUPPORTING_BOOK, PROTECTION = (
    60,
    153,
    156,
    159,
    176,
    360,
    535,
)


def records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(type, start, length) of each record. Raises SubmissionError where a record runs past the end."""
    at, end = 0, len(data)
    while at < end:
        kind = data[at]
        at += 1
        if kind & 0x80:
            if at >= end:
                raise refusal("truncated")
            kind = (kind & 0x7F) | ((data[at] & 0x7F) << 7)
            at += 1
        length = shift = 0
        for _ in range(4):
            if at >= end:
                raise refusal("truncated")
            octet = data[at]
            at += 1
            length |= (octet & 0x7F) << shift
            shift += 7
            if not octet & 0x80:
                break
        if at + length > end:
            raise refusal("truncated")
        yield kind, at, length
        at += length


def scan_binary_part(facts: PackageFacts, name: str, data: bytes) -> None:
    """Workbook, shared strings and external links."""
    try:
        if name == "xl/workbook.bin":
            _scan_workbook(facts, data)
        elif name == "xl/sharedstrings.bin":
            _scan_strings(facts, data)
        elif name.startswith("xl/externallinks/"):
            _scan_external_link(facts, data)
    except struct.error:
        raise refusal("damaged", found=name) from None


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A wide string and where it ends."""
    (count,) = struct.unpack_from("<I", data, at)
    if count == 0xFFFFFFFF:
        return "", at + 4
    end = at + 4 + 2 * count
    if end > len(data):
        raise refusal("truncated")
    return data[at + 4 : end].decode("utf-16-le", "replace"), end


def _scan_workbook(facts: PackageFacts, data: bytes) -> None:
    for kind, at, length in records(data):
        if kind == BUNDLE_SHEET:
            (state,) = struct.unpack_from("<I", data, at)
            relationship, after = _text(data, at + 8)
            name, _ = _text(data, after)
            visibility = {1: "hidden", 2: "very hidden"}.get(state, "visible")
            facts.sheets.append(SheetEntry(name, visibility, relationship))
            if len(facts.sheets) > MAX_SHEETS:
                raise refusal("too_many_sheets", found=f"{MAX_SHEETS} 张以上", limit=MAX_SHEETS)
        elif kind == WORKBOOK_PROPERTIES and length >= 4:
            facts.is_1904 = bool(data[at] & 1)


def _scan_strings(facts: PackageFacts, data: bytes) -> None:
    lengths: list[int] = []
    for kind, at, _ in records(data):
        if kind == STRING_TABLE:
            total, unique = struct.unpack_from("<II", data, at)
            check_string_counts(str(total), str(unique), len(data))
        elif kind == STRING_ITEM:
            (count,) = struct.unpack_from("<I", data, at + 1)
            if count > len(data):
                raise refusal("sst_count", found=count)
            lengths.append(count)
    facts.know_strings(np.array(lengths, np.int64))


def _scan_external_link(facts: PackageFacts, data: bytes) -> None:
    facts.features.add("external_links")
    for kind, at, _ in records(data):
        if kind == SUPPORTING_BOOK:
            (link_kind,) = struct.unpack_from("<H", data, at)
            if link_kind == 1:
                service, after = _text(data, at + 2)
                raise refusal("dde", found=f"{service}|{_text(data, after)[0]}")


def scan_binary_sheet(facts: PackageFacts, sheet: SheetFacts, data: bytes) -> None:
    """One worksheet: extent, error cells, hidden rows and columns, merges, shared strings."""
    try:
        _scan_sheet(facts, sheet, data)
    except struct.error:
        raise refusal("damaged", found=f"工作表 {sheet.name}") from None


def _scan_sheet(facts: PackageFacts, sheet: SheetFacts, data: bytes) -> None:
    row, area = 0, 0
    for kind, at, length in records(data):
        if kind == ROW:
            (row,) = struct.unpack_from("<I", data, at)
            if row >= SHEET_ROWS:
                raise refusal("bad_cell_ref", sheet=sheet.name, found=row + 1)
            if length > 11 and data[at + 11] & 0x10 and row < MAX_ROWS:
                sheet.hidden_rows.add(row)
        elif kind <= LAST_CELL:
            _cell(facts, sheet, row, kind, data, at)
        elif kind == COLUMNS:
            first, last = struct.unpack_from("<II", data, at)
            (flags,) = struct.unpack_from("<H", data, at + 16)
            if flags & 1 and first <= last < SHEET_COLUMNS:
                sheet.hidden_columns.update(range(first, last + 1))
        elif kind == MERGE:
            first_row, last_row, first, last = struct.unpack_from("<4I", data, at)
            if not (first_row <= last_row < SHEET_ROWS and first <= last < SHEET_COLUMNS):
                raise refusal("bad_cell_ref", sheet=sheet.name, found="合并单元格")
            merged = Area(first_row, first, last_row, last)
            area += merged.size
            sheet.merges.append(merged)
            if area > MAX_MERGED_AREA:
                raise refusal("merge_area", sheet=sheet.name, found=f"{area} 格")
            if len(sheet.merges) > MAX_MERGES:
                raise refusal("merge_count", sheet=sheet.name, limit=MAX_MERGES)
        elif kind == PROTECTION:
            sheet.is_protected = True


def _cell(facts: PackageFacts, sheet: SheetFacts, row: int, kind: int, data: bytes, at: int) -> None:
    (column,) = struct.unpack_from("<I", data, at)
    sheet.cells += 1
    if column >= SHEET_COLUMNS:
        raise refusal("bad_cell_ref", sheet=sheet.name, found=f"第 {column + 1} 列")
    facts.count_cells(1, sheet.name)
    if kind == BLANK:
        return
    sheet.rows, sheet.columns = max(sheet.rows, row + 1), max(sheet.columns, column + 1)
    if kind in (ERROR, FORMULA_ERROR) and len(sheet.errors) < MAX_COLLECTED:
        sheet.errors[row, column] = ERRORS.get(data[at + 8], "#ERR!")
    elif kind == SHARED:
        (index,) = struct.unpack_from("<I", data, at + 8)
        if index >= len(facts.string_lengths):
            raise refusal("bad_string_index", sheet=sheet.name, found=index)
        facts.refer(int(facts.string_lengths[index]))
    if 8 <= kind <= FORMULA_ERROR:
        sheet.formulas += 1
