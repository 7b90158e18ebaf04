"""The workbook stream of an .xls or .et file: a walk over its records for what readers hide.

Source: [MS-XLS] 2.1.4 (records), 2.4 (record types), 2.5.293 (strings). Formulas are not parsed; results are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from sources.guard_facts import Area, SheetFacts
from sources.guard_limits import MAX_COLLECTED, MAX_MERGED_AREA, MAX_MERGES, MAX_SHEETS
from sources.guard_refusals import refusal
from sources.guard_sheet import check_box
from sources.guard_xlsb import ERRORS
from sources.guard_xml import PackageFacts

BOF, EOF, BOUND_SHEET, FILE_PASS, DATE_MODE, CONTINUE = 0x809, 0x0A, 0x85, 0x2F, 0x22, 0x3C
SST, SUPPORTING_BOOK, EXTERNAL_NAME, PROTECT, WINDOW_PROTECT = 0xFC, 0x1AE, 0x23, 0x12, 0x19
FORMULA, BOOL_ERROR, SHARED, MULTIPLE_RK = 0x06, 0x205, 0xFD, 0xBD
VALUE_CELLS = {0x06, 0x205, 0xFD, 0x203, 0x27E, 0x204, 0xD6, 0x406, 0x206}
ROW, COLUMNS, MERGES, NOTE = 0x208, 0x7D, 0xE5, 0x1C
OLD_CELLS = {0x02, 0x03, 0x04, 0x05}
WORKSHEET, MACRO_SHEET = 0, 1


def scan_biff(stream: bytes) -> tuple[PackageFacts, list[SheetFacts]]:
    """The sheets in order with what is hidden in them. Raises SubmissionError."""
    facts = PackageFacts()
    try:
        sheets = _globals(facts, stream)
        for sheet, start in sheets:
            if sheet.is_worksheet:
                _Sheet(facts, sheet).scan(stream, start)
                check_box(sheet)
    except (struct.error, IndexError):
        raise refusal("truncated") from None
    return facts, [sheet for sheet, _ in sheets]


def _records(stream: bytes, at: int = 0) -> Iterator[tuple[int, int, int]]:
    """(type, start, length) of each record."""
    end = len(stream)
    while at + 4 <= end:
        kind, length = struct.unpack_from("<HH", stream, at)
        at += 4
        if at + length > end:
            raise refusal("truncated")
        yield kind, at, length
        at += length


def _globals(facts: PackageFacts, stream: bytes) -> list[tuple[SheetFacts, int]]:
    sheets: list[tuple[SheetFacts, int]] = []
    version = 0
    conversation = ""
    for kind, at, length in _records(stream):
        if kind == BOF and not version:
            version = struct.unpack_from("<H", stream, at)[0]
        elif kind == FILE_PASS:
            raise refusal("encrypted", found="XLS 加密")
        elif kind == BOUND_SHEET:
            sheets.append(_bound_sheet(stream, at, length, is_biff8=version >= 0x600))
            if len(sheets) > MAX_SHEETS:
                raise refusal("too_many_sheets", found=f"{MAX_SHEETS} 张以上", limit=MAX_SHEETS)
        elif kind == DATE_MODE:
            facts.is_1904 = bool(stream[at])
        elif kind == SST:
            facts.know_strings(np.array(_string_lengths(stream, at - 4), np.int64))
        elif kind == SUPPORTING_BOOK:
            conversation = _conversation(facts, stream, at, length)
        elif kind == EXTERNAL_NAME and conversation:
            # The other kind of link with a service and a topic is to an OLE object; its names carry fOleLink.
            if not struct.unpack_from("<H", stream, at)[0] & 0x10:
                raise refusal("dde", found=conversation)
            conversation = ""
        elif kind == EOF:
            break
    if not sheets:
        raise refusal("not_a_workbook")
    return sheets


def _bound_sheet(stream: bytes, at: int, length: int, *, is_biff8: bool) -> tuple[SheetFacts, int]:
    start, state, kind, count = struct.unpack_from("<LBBB", stream, at)
    if kind == MACRO_SHEET:
        raise refusal("xlm_macro", found="宏表")
    raw = stream[at + 7 : at + length]
    if is_biff8:
        name = (
            raw[1 : 1 + 2 * count].decode("utf-16-le", "replace")
            if raw[0] & 1
            else raw[1 : 1 + count].decode("latin-1")
        )
    else:
        name = raw[:count].decode("gbk", "replace")
    visibility = ("visible", "hidden", "very hidden", "visible")[state & 3]
    return SheetFacts(name, visibility, is_worksheet=kind == WORKSHEET), start


def _conversation(facts: PackageFacts, stream: bytes, at: int, length: int) -> str:
    """``service|topic`` of a supporting book that is a DDE or OLE link, else nothing."""
    if length <= 4:
        return ""
    facts.features.add("external_links")
    _, count, flags = struct.unpack_from("<HHB", stream, at)
    raw = stream[at + 5 : at + length]
    path = raw[: 2 * count].decode("utf-16-le", "replace") if flags & 1 else raw[:count].decode("latin-1")
    return path.replace("\x03", "|") if "\x03" in path else ""


def _string_lengths(stream: bytes, at: int) -> list[int]:
    """The lengths of the shared strings; the table runs on over CONTINUE records, and so may one string."""
    pieces: list[tuple[int, int]] = []
    for kind, start, length in _records(stream, at):
        if pieces and kind != CONTINUE:
            break
        pieces.append((start, start + length))
    total, unique = struct.unpack_from("<LL", stream, pieces[0][0])
    if unique > len(stream) or total > 1 << 31:
        raise refusal("sst_count", found=unique)
    cursor = _Cursor(stream, pieces)
    cursor.skip(8)
    lengths: list[int] = []
    for _ in range(unique):
        if cursor.is_at_end():
            break
        lengths.append(cursor.string())
    return lengths


def _short_and_flags(stream: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(stream[at : at + 2], "little"), stream[at + 2]


class _Cursor:
    """Reads through the pieces of a record and its continuations."""

    def __init__(self, stream: bytes, pieces: list[tuple[int, int]]) -> None:
        self.stream, self.pieces = stream, pieces
        self.piece = 0
        self.at = pieces[0][0]

    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.piece == len(self.pieces) - 1 and self.at >= self.pieces[-1][1]

    def left(self) -> int:
        """Bytes left in this piece."""
        return self.pieces[self.piece][1] - self.at

    def turn(self) -> None:
        """Go to the next piece."""
        self.piece += 1
        if self.piece >= len(self.pieces):
            raise refusal("truncated")
        self.at = self.pieces[self.piece][0]

    def skip(self, count: int) -> None:
        """Pass over bytes that carry no characters."""
        while count > self.left():
            count -= self.left()
            self.turn()
        self.at += count

    def string(self) -> int:
        """Pass over one string; its number of characters."""
        if self.left() == 0:
            self.turn()
        count, flags = _short_and_flags(self.stream, self.at)
        self.at += 3
        runs = extra = 0
        if flags & 0x08:
            (runs,) = struct.unpack_from("<H", self.stream, self.at)
            self.at += 2
        if flags & 0x04:
            (extra,) = struct.unpack_from("<L", self.stream, self.at)
            self.at += 4
        width, left = 1 + (flags & 1), count
        while left:
            here = min(left, self.left() // width)
            self.at += here * width
            left -= here
            if left:
                self.turn()
                # a continued string says its width again
                width = 1 + (self.stream[self.at] & 1)
                self.at += 1
        self.skip(4 * runs + extra)
        return count


class _Sheet:
    """The records of one sheet."""

    def __init__(self, facts: PackageFacts, sheet: SheetFacts) -> None:
        self.facts, self.sheet = facts, sheet
        self._merged = 0

    def scan(self, stream: bytes, start: int) -> None:
        """From its beginning to its end; charts in between have beginnings and ends of their own."""
        if start + 4 > len(stream) or struct.unpack_from("<H", stream, start)[0] & 0xFF != BOF & 0xFF:
            raise refusal("damaged", found=f"工作表 {self.sheet.name} 的位置")
        depth = 0
        for kind, at, length in _records(stream, start):
            if kind == BOF:
                depth += 1
            elif kind == EOF:
                depth -= 1
                if depth <= 0:
                    return
            elif depth == 1:
                if kind in VALUE_CELLS or kind in OLD_CELLS:
                    self._cell(kind, stream, at)
                elif kind == MULTIPLE_RK:
                    row, first = struct.unpack_from("<HH", stream, at)
                    self._reach(row, first + (length - 6) // 6 - 1)
                else:
                    self._other(kind, stream, at, length)

    def _reach(self, row: int, column: int) -> None:
        sheet = self.sheet
        sheet.cells += 1
        sheet.rows, sheet.columns = max(sheet.rows, row + 1), max(sheet.columns, column + 1)

    def _cell(self, kind: int, stream: bytes, at: int) -> None:
        row, column = struct.unpack_from("<HH", stream, at)
        self._reach(row, column)
        errors = self.sheet.errors
        if kind == BOOL_ERROR:
            value, is_error = stream[at + 6], stream[at + 7]
            if is_error and len(errors) < MAX_COLLECTED:
                errors[row, column] = ERRORS.get(value, "#ERR!")
        elif kind == SHARED:
            (index,) = struct.unpack_from("<L", stream, at + 6)
            if index >= len(self.facts.string_lengths):
                raise refusal("bad_string_index", sheet=self.sheet.name, found=index)
            self.facts.refer(int(self.facts.string_lengths[index]))
        elif kind == FORMULA:
            self.sheet.formulas += 1
            result, flags = stream[at + 6 : at + 14], stream[at + 14]
            if result[6:8] == b"\xff\xff":
                if result[0] == 2 and len(errors) < MAX_COLLECTED:
                    errors[row, column] = ERRORS.get(result[2], "#ERR!")
                elif result[0] == 3 and flags & 2 and len(self.sheet.uncalculated) < MAX_COLLECTED:
                    # written by a program without a result, to be calculated on load
                    self.sheet.uncalculated.add((row, column))

    def _other(self, kind: int, stream: bytes, at: int, length: int) -> None:
        sheet = self.sheet
        if kind == ROW:
            if stream[at + 12] & 0x20:
                sheet.hidden_rows.add(struct.unpack_from("<H", stream, at)[0])
        elif kind == COLUMNS:
            first, last = struct.unpack_from("<HH", stream, at)
            if stream[at + 8] & 1:
                sheet.hidden_columns.update(range(first, min(last, 255) + 1))
        elif kind == MERGES:
            (count,) = struct.unpack_from("<H", stream, at)
            for i in range(min(count, (length - 2) // 8)):
                self._merge(*struct.unpack_from("<4H", stream, at + 2 + 8 * i))
        elif kind == PROTECT:
            sheet.is_protected = bool(stream[at])
        elif kind == NOTE:
            self.facts.features.add("comments")

    def _merge(self, first_row: int, last_row: int, first: int, last: int) -> None:
        if first_row > last_row or first > last:
            return
        merged = Area(first_row, first, last_row, last)
        self._merged += merged.size
        self.sheet.merges.append(merged)
        if self._merged > MAX_MERGED_AREA:
            raise refusal("merge_area", sheet=self.sheet.name, found=f"{self._merged} 格")
        if len(self.sheet.merges) > MAX_MERGES:
            raise refusal("merge_count", sheet=self.sheet.name, limit=MAX_MERGES)
