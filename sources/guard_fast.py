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

from sources.guard_chunk import STYLE, TYPE, Chunk, NotPlainError, Places, number_of, shaped, word_of
from sources.guard_facts import SheetFacts, position
from sources.guard_limits import MAX_BOX, MAX_COLLECTED, MAX_COLUMNS, MAX_ROWS
from sources.guard_refusals import refusal
from sources.guard_sheet import settle
from sources.guard_xml import PackageFacts, PartScan

LONGEST_HEAD = 1 << 20
LONGEST_CELL = 1 << 20  # bytes without a new cell: a text no cell can hold
MOST_ODD_CELLS = 20_000  # cells read one by one in Python; more are left to expat

_OPEN_DATA = re.compile(rb"<sheetData(?:\s[^<>]*)?>")
_PLAIN_ENCODING = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["'](?:utf-8|us-ascii)["']""", re.IGNORECASE)
_CELL_TYPE = re.compile(rb"""\st\s*=\s*["']([^"']*)["']""")
_FORMULA = re.compile(rb"<f(?:\s[^<>]*)?(?:/>|>([^<]*)</f>)(?:<v>([^<]*)</v>|<v/>)?(?:</c>)?\s*\Z")
_HIDDEN = re.compile(rb"""\shidden\s*=\s*["'](?:1|true|on)["']""")
_ROW_NUMBER = re.compile(rb'\sr="([0-9]{1,7})"')


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
        chunk = Chunk(data, count)
        self.sheet.cells += len(chunk.cells)
        self.facts.count_cells(len(chunk.cells), self.sheet.name)
        rows, columns = chunk.extent(self._shapes)
        self.sheet.rows, self.sheet.columns = max(self.sheet.rows, rows), max(self.sheet.columns, columns)
        self._rows(chunk)
        self._values(chunk)
        self._formulas(chunk)

    def _rows(self, chunk: Chunk) -> None:
        """Hidden rows."""
        for start, end in zip(*chunk.row_tags(), strict=True):
            tag = chunk.data[start:end]
            if b"hidden" in tag and _HIDDEN.search(tag):
                number = _ROW_NUMBER.search(tag)
                if number is None:
                    raise NotPlainError
                if int(number[1]) <= MAX_ROWS:
                    self.sheet.hidden_rows.add(int(number[1]) - 1)

    def _values(self, chunk: Chunk) -> None:
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
            of_type = is_typed & (tail == np.uint64(word_of(b' t="' + bytes([letter]) + b'">')))
            rest &= ~of_type
            if letter == ord("s"):
                self._strings(chunk, cells[of_type], values[of_type])
            elif letter == ord("e"):
                rest |= of_type
        for start, value in zip(cells[rest].tolist(), values[rest].tolist(), strict=True):
            self._single(chunk.data, start, value)

    def _strings(self, chunk: Chunk, cells: Places, values: Places) -> None:
        """Add up the lengths of the shared strings that ``<v>12</v>`` point to."""
        if not len(values):
            return
        words = chunk.word8[values + 3]
        pending = np.ones(len(words), bool)
        lengths = self.facts.string_lengths
        for digits in range(1, 8):
            if not pending.any():
                return
            hit = pending & shaped(words, 0, digits, ord("<"))
            if not hit.any():
                continue
            pending &= ~hit
            index = number_of(words[hit], digits)
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

    def _formulas(self, chunk: Chunk) -> None:
        """Formulas: those with a result of a usual type are only counted, the others read one by one."""
        tokens = chunk.formula_tokens
        if len(tokens):
            if not chunk.is_cell[tokens - 1].all() or tokens[0] == 0:
                raise NotPlainError
            if len(self.sheet.formula_places) < MAX_COLLECTED:
                self.sheet.formula_places += chunk.places(tokens - 1).tolist()
            perhaps_dde = chunk.with_text(tokens, b"|") | chunk.with_text(tokens, b"&#")
            settled = chunk.calculated(tokens, zero_counts=not self.facts.awaits_calculation) & ~perhaps_dde
            if self.facts.awaits_calculation and settled.any():
                self.facts.has_results = True
            if not settled.all():
                settled |= self._without_result(chunk, tokens, ~perhaps_dde)
            self.sheet.formulas += int(np.count_nonzero(settled))
            for token in tokens[~settled].tolist():
                self._formula(chunk, token)
        if chunk.value_count != chunk.valued_count + chunk.values_after_formula:
            raise NotPlainError

    def _without_result(self, chunk: Chunk, tokens: Places, asked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which of the formulas asked for have an empty value; where they stand is noted as the exact scan does (guard_sheet)."""
        of_figures, of_texts = (found & asked for found in chunk.without_result(tokens))
        noted = [(of_figures, self.sheet.uncalculated)]
        if self.facts.awaits_calculation:
            noted.append((of_texts, self.sheet.doubtful))
        for which, places in noted:
            if which.any():
                room = max(MAX_COLLECTED - len(places), 0)
                places.update(chunk.positions(tokens[which] - 1)[:room])
        return of_figures | of_texts

    def _formula(self, chunk: Chunk, token: int) -> None:
        start, formula = int(chunk.starts[token - 1]), int(chunk.starts[token])
        match = _FORMULA.match(chunk.data[formula : chunk.cell_end(token)])
        if match is None:
            raise NotPlainError
        text = {"f": _plain_text(match[1] or b"")}
        if match[2] is not None:
            text["v"] = _plain_text(match[2])
        self._settle(chunk.data[start:formula], text)


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
