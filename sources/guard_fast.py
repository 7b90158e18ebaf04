"""The fast scan of a worksheet: the same facts as guard_sheet from the bytes themselves, at a sixth of calamine's time.

The head and tail of the part go through expat. Between ``<sheetData>`` and its end, where all the bytes are, only tags of a
known shape are taken (``<row …>``, ``<c r="B7" s="2" t="s">``, ``<v>``, ``<f …>``, inline strings); they are found and read as
vectors of machine words. Anything else (comments, CDATA, prefixes, an attribute in another place, another encoding) raises
``NotPlainError``, and the part is scanned again, exactly. So this scan decides only about bytes it has understood completely.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from sources.guard_facts import SheetFacts, column_index, position
from sources.guard_limits import MAX_BOX, MAX_COLLECTED, MAX_COLUMNS, MAX_ROWS
from sources.guard_refusals import refusal
from sources.guard_sheet import settle
from sources.guard_xml import PackageFacts, PartScan

Places = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]

LONGEST_HEAD = 1 << 20
LONGEST_CELL = 1 << 20  # bytes without a new cell: a text no cell can hold
MOST_ODD_CELLS = 20_000  # cells read one by one in Python; more are left to expat
PAD = b"\0" * 16

_OPEN_DATA = re.compile(rb"<sheetData(?:\s[^<>]*)?>")
_PLAIN_ENCODING = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["'](?:utf-8|us-ascii)["']""", re.IGNORECASE)
_CELL_TYPE = re.compile(rb"""\st\s*=\s*["']([^"']*)["']""")
_FORMULA = re.compile(rb"<f(?:\s[^<>]*)?(?:/>|>([^<]*)</f>)(?:<v>([^<]*)</v>|<v/>)?(?:</c>)?\s*\Z")
_HIDDEN = re.compile(rb"""\shidden\s*=\s*["'](?:1|true|on)["']""")
_ROW_NUMBER = re.compile(rb'\sr="([0-9]{1,7})"')


class NotPlainError(Exception):
    """The part has something this scan does not read; expat has to."""


def _word(text: bytes) -> int:
    return int.from_bytes(text, "little")


CELL, ROW, INLINE = (_word(t) for t in (b"c r=", b"row ", b"is>"))
EMPTY_VALUE, CLOSING, ROW_END = _word(b"v/>"), ord("/"), _word(b"/ro")
VALUE, FORMULA, FORMULA_BARE, TEXT, TEXT_ATTRIBUTE = (_word(t) for t in (b"v>", b"f ", b"f>", b"t>", b"t "))
STYLE, TYPE = _word(b' s="'), _word(b' t="')


def is_plain_encoding(part: bytes) -> bool:
    """Whether a part is in UTF-8: in other encodings the bytes of a tag may look otherwise."""
    head = part[:256].removeprefix(b"\xef\xbb\xbf")
    if not head.startswith(b"<") or b"\0" in head:
        return False
    return not head.startswith(b"<?xml") or b"encoding" not in head or _PLAIN_ENCODING.match(head) is not None


class FastSheet:
    """Takes the bytes of one worksheet part as they are inflated."""

    def __init__(self, scan: PartScan, facts: PackageFacts, sheet: SheetFacts) -> None:
        self.scan, self.facts, self.sheet = scan, facts, sheet
        self._stage = "head"
        self._kept = b""
        self._odd_cells = 0
        self._shapes = [(letters, digits) for letters in (1, 2, 3) for digits in range(1, 8 - letters)]

    def feed(self, chunk: bytes) -> None:
        """The next bytes. Raises NotPlainError where expat must decide, SubmissionError where the verdict is certain."""
        if self._stage == "tail":
            self.scan.feed(chunk)
        elif self._stage == "head":
            self._head(self._kept + chunk)
        else:
            self._data(self._kept + chunk)

    def finish(self) -> None:
        """The end of the part."""
        if self._stage != "tail":
            raise NotPlainError
        self.scan.feed(b"", last=True)
        sheet = self.sheet
        if sheet.rows * sheet.columns > MAX_BOX or sheet.rows > MAX_ROWS or sheet.columns > MAX_COLUMNS:
            raise NotPlainError  # empty formatted cells count here; the exact scan leaves them out

    def _head(self, head: bytes) -> None:
        self._kept = head
        opening = _OPEN_DATA.search(head)
        if opening is None:
            if len(head) > LONGEST_HEAD:
                raise NotPlainError
            return
        if not is_plain_encoding(head):
            raise NotPlainError
        self.scan.feed(head[: opening.end()])
        if self.scan.root != "worksheet":
            raise NotPlainError
        self._kept = b""
        if opening[0].endswith(b"/>"):
            self._stage = "tail"
            self.scan.feed(head[opening.end() :])
        else:
            self._stage = "data"
            self._data(head[opening.end() :])

    def _data(self, data: bytes) -> None:
        """Scan the complete cells in ``data``; keep the begun one for the next call."""
        begun = data.rfind(b'<c r="')
        end = data.find(b"</sheetData>", max(begun, 0))
        if end >= 0:
            self._scan(data, end)
            self._kept, self._stage = b"", "tail"
            self.scan.feed(data[end:])
        elif begun > 0:
            self._scan(data, begun)
            self._kept = data[begun:]
        elif len(data) > LONGEST_CELL:
            raise NotPlainError
        else:
            self._kept = data

    def _scan(self, data: bytes, count: int) -> None:
        """The first ``count`` bytes, complete cells all of them."""
        if not count:
            return
        chunk = _Chunk(data, count)
        self.sheet.cells += len(chunk.cells)
        self.facts.count_cells(len(chunk.cells), self.sheet.name)
        rows, columns = chunk.extent(self._shapes)
        self.sheet.rows, self.sheet.columns = max(self.sheet.rows, rows), max(self.sheet.columns, columns)
        self._rows(chunk)
        self._values(chunk)
        self._formulas(chunk)

    def _rows(self, chunk: _Chunk) -> None:
        """Hidden rows."""
        for start, end in zip(*chunk.row_tags(), strict=True):
            tag = chunk.data[start:end]
            if b"hidden" in tag and _HIDDEN.search(tag):
                number = _ROW_NUMBER.search(tag)
                if number is None:
                    raise NotPlainError
                if int(number[1]) <= MAX_ROWS:
                    self.sheet.hidden_rows.add(int(number[1]) - 1)

    def _values(self, chunk: _Chunk) -> None:
        """Types of the cells that hold a value: shared strings are looked up, errors noted, anything unusual read singly."""
        cells, values, after = chunk.valued()
        head = chunk.word4[after]
        length = values - after
        unsettled = ((head & 0xFF) != ord(">")) & ((head != STYLE) | (length > 10))
        if not unsettled.any():
            return
        which = np.flatnonzero(unsettled)
        cells, values, head, length = cells[which], values[which], head[which], length[which]
        tail = chunk.word8[np.maximum(values - 8, 0)] >> np.uint64(8)
        is_typed = ((head == TYPE) & (length == 7)) | ((head == STYLE) & (length >= 12) & (length <= 16))
        rest = np.ones(len(which), bool)
        for letter in b"snbe":
            of_type = is_typed & (tail == np.uint64(_word(b' t="' + bytes([letter]) + b'">')))
            rest &= ~of_type
            if letter == ord("s"):
                self._strings(chunk, cells[of_type], values[of_type])
            elif letter == ord("e"):
                rest |= of_type
        for start, value in zip(cells[rest].tolist(), values[rest].tolist(), strict=True):
            self._single(chunk.data, start, value)

    def _strings(self, chunk: _Chunk, cells: Places, values: Places) -> None:
        """Add up the lengths of the shared strings that ``<v>12</v>`` point to."""
        if not len(values):
            return
        words = chunk.word8[values + 3]
        pending = np.ones(len(words), bool)
        lengths = self.facts.string_lengths
        for digits in range(1, 8):
            if not pending.any():
                return
            hit = pending & _shaped(words, 0, digits, ord("<"))
            if not hit.any():
                continue
            pending &= ~hit
            index = _number(words[hit], digits)
            if int(index.max()) >= len(lengths):
                raise refusal("bad_string_index", sheet=self.sheet.name, found=int(index.max()))
            self.facts.refer(int(lengths[index].sum()))
        for start, value in zip(cells[pending].tolist(), values[pending].tolist(), strict=True):
            self._single(chunk.data, start, value)

    def _single(self, data: bytes, start: int, value: int) -> None:
        """One cell read by itself: ``start`` is its tag, ``value`` its ``<v>``."""
        self._odd_cells += 1
        if self._odd_cells > MOST_ODD_CELLS:
            raise NotPlainError
        text = data[value + 3 : data.index(b"<", value + 3)]
        self._settle(data[start:value], {"v": _plain_text(text)})

    def _settle(self, tag: bytes, text: dict[str, str]) -> None:
        reference = tag[6 : tag.index(b'"', 6)].decode("ascii")
        place = position(reference)
        kind = _CELL_TYPE.search(tag)
        if place is None or tag.count(b"<") != 1:
            raise NotPlainError
        settle(self.facts, self.sheet, place, kind[1].decode("ascii", "replace") if kind else "", text)

    def _formulas(self, chunk: _Chunk) -> None:
        for token in chunk.formula_tokens.tolist():
            if token == 0 or not chunk.is_cell[token - 1]:
                raise NotPlainError
            start, formula = int(chunk.starts[token - 1]), int(chunk.starts[token])
            match = _FORMULA.match(chunk.data[formula : chunk.cell_end(token)])
            if match is None:
                raise NotPlainError
            text = {"f": _plain_text(match[1] or b"")}
            if match[2] is not None:
                text["v"] = _plain_text(match[2])
            self._settle(chunk.data[start:formula], text)
        if (
            chunk.value_count != chunk.valued_count + chunk.values_after_formula
            or len(self.sheet.uncalculated) > MAX_COLLECTED
        ):
            raise NotPlainError


class _Chunk:
    """A run of complete cells, the first ``count`` bytes of ``data``, as vectors: one element a tag, or a cell."""

    def __init__(self, data: bytes, count: int) -> None:
        self.data = data if len(data) >= count + len(PAD) else data + PAD
        self.count = count
        octets = np.frombuffer(self.data, np.uint8)
        self.word4 = as_strided(np.frombuffer(self.data, "<u4", count=1), shape=(count + 12,), strides=(1,))
        self.word8 = as_strided(np.frombuffer(self.data, "<u8", count=1), shape=(count + 8,), strides=(1,))
        self.starts = np.flatnonzero(octets[:count] == ord("<"))
        self._words = words = self.word4[self.starts + 1]
        words2 = words & 0xFFFF
        self.is_cell = words == CELL
        self._is_value = words2 == VALUE
        is_formula = (words2 == FORMULA) | (words2 == FORMULA_BARE)
        self._check_tags(words2, is_formula)
        self.cell_tokens = np.flatnonzero(self.is_cell)
        self.cells = self.starts[self.cell_tokens]
        if (octets[self.cells + 5] != ord('"')).any():
            raise NotPlainError
        self.formula_tokens = np.flatnonzero(is_formula)
        self.value_count = int(np.count_nonzero(self._is_value))
        self.valued_count = 0
        self._after_reference = np.zeros(len(self.cells), np.intp)

    def _check_tags(self, words2: npt.NDArray[np.integer], is_formula: npt.NDArray[np.bool_]) -> None:
        """Every opening tag must be a known one; comments, CDATA, instructions and prefixed names are none."""
        count, words = np.count_nonzero, self._words
        unknown = len(words) - int(count(self.is_cell) + count(self._is_value) + count(is_formula))
        unknown -= int(count((words & 0xFF) == CLOSING))
        if unknown:
            unknown -= int(count(words == ROW))
        if unknown:
            words3 = words & 0xFFFFFF
            unknown -= int(count((words3 == EMPTY_VALUE) | (words3 == INLINE)))
            unknown -= int(count((words2 == TEXT) | (words2 == TEXT_ATTRIBUTE)))
        if unknown:
            raise NotPlainError

    def row_tags(self) -> tuple[list[int], list[int]]:
        """Where the tags of rows begin and where what follows them begins."""
        rows = np.flatnonzero(self._words == ROW)
        ends = np.append(self.starts, self.count)[rows + 1]
        return self.starts[rows].tolist(), ends.tolist()

    def valued(self) -> tuple[Places, Places, Places]:
        """Of the cells with a value next to their tag: the tag, the value, and where the reference has ended."""
        follows = np.append(self._is_value, False)[self.cell_tokens + 1]
        self.valued_count = int(np.count_nonzero(follows))
        if self.valued_count == len(self.cells):
            return self.cells, self.starts[self.cell_tokens + 1], self._after_reference
        which = np.flatnonzero(follows)
        return self.cells[which], self.starts[self.cell_tokens[which] + 1], self._after_reference[which]

    def extent(self, shapes: list[tuple[int, int]]) -> tuple[int, int]:
        """(rows, columns) the cells span; fills ``_after_reference``, where each ``r="…"`` has ended.

        ``shapes`` are the lengths of references (letters, digits) to try; those found go to the front, for the next chunk.
        """
        words = self.word8[self.cells + 6]
        pending = len(words)
        big_endian = words.byteswap()
        rows = columns = 0
        for shape in tuple(shapes):
            if not pending:
                break
            letters, digits = shape
            hit = _shaped(words, letters, digits, ord('"'))
            found = int(np.count_nonzero(hit))
            if not found:
                continue
            pending -= found
            shapes.remove(shape)
            shapes.insert(0, shape)
            hits = big_endian[hit]
            last_column = int((hits >> np.uint64(64 - 8 * letters)).max()).to_bytes(letters, "big").decode("ascii")
            columns = max(columns, column_index(last_column) + 1)
            numbers = (hits << np.uint64(8 * letters)) >> np.uint64(64 - 8 * digits)
            if int(numbers.min()) == int.from_bytes(b"0" * digits, "big"):
                raise NotPlainError  # there is no row 0
            rows = max(rows, int(int(numbers.max()).to_bytes(digits, "big")))
            self._after_reference[hit] = self.cells[hit] + (7 + letters + digits)
        if pending:
            raise NotPlainError
        return rows, columns

    def cell_end(self, token: int) -> int:
        """Where the cell around ``token`` ends: at the next cell, or at the end of its row."""
        at = token + 1
        while at < len(self.starts) and not self.is_cell[at] and self._words[at] & 0xFFFFFF != ROW_END:
            at += 1
        return int(self.starts[at]) if at < len(self.starts) else self.count

    @property
    def values_after_formula(self) -> int:
        """Values that belong to a formula."""
        if not len(self.formula_tokens):
            return 0
        is_value = np.append(self._is_value, [False, False])
        is_closing = np.append((self._words & 0xFFFFFF) == _word(b"/f>"), [False, False])
        following = self.formula_tokens + 1
        return int(np.count_nonzero(is_value[np.where(is_closing[following], following + 1, following)]))


def _shaped(words: Words, letters: int, digits: int, closing: int) -> npt.NDArray[np.bool_]:
    """Which words begin with so many capital letters, then so many digits, then the byte ``closing``.

    Raises NotPlainError where a byte only nearly is a letter or digit (``@`` or ``:`` share the upper half of the byte).
    """
    high = _word(b"\xe0" * letters + b"\xf0" * digits + b"\xff")
    want = _word(b"\x40" * letters + b"\x30" * digits + bytes([closing]))
    hit: npt.NDArray[np.bool_] = (words & np.uint64(high)) == np.uint64(want)
    if hit.any():
        # Letters are 0x41 to 0x5A, digits 0x30 to 0x39: the additions lift what lies above out of the block, the
        # subtraction lowers 0x40 out of it; no byte carries into its neighbour.
        block = words[hit]
        above = block + np.uint64(_word(b"\x05" * letters + b"\x06" * digits))
        below = block - np.uint64(_word(b"\x01" * letters))
        letters_high = np.uint64(_word(b"\xe0" * letters))
        if ((above & np.uint64(high)) != np.uint64(want)).any() or (
            (below & letters_high) != np.uint64(_word(b"\x40" * letters))
        ).any():
            raise NotPlainError
    return hit


def _number(words: Words, digits: int) -> npt.NDArray[np.int64]:
    """The decimal numbers of so many digits that the words begin with."""
    total = np.zeros(len(words), np.int64)
    for place in range(digits):
        total = total * 10 + ((words >> np.uint64(8 * place)) & np.uint64(0x0F)).astype(np.int64)
    return total


def _plain_text(text: bytes) -> str:
    """Character data as a string; entities other than the five of XML leave the decision to expat."""
    if b"&" in text:
        for entity, character in ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&apos;", b"'")):
            text = text.replace(entity, character)
        if re.search(rb"&(?!amp;)", text):
            raise NotPlainError
        text = text.replace(b"&amp;", b"&")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise NotPlainError from None
