"""A run of bytes of a worksheet as vectors of machine words: where its tags are, and what each cell's tag says.

The words are little-endian, eight bytes at every offset, so that ``A12"`` or `` t="s">`` is one comparison for all cells at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from sources.guard_facts import column_index
from sources.guard_limits import SHEET_COLUMNS

Places = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]

PAD = b"\0" * 16
MORE = 4


class NotPlainError(Exception):
    """The part has something this scan does not read; expat has to."""


def word_of(text: bytes) -> int:
    """Text as the number a word holds."""
    return int.from_bytes(text, "little")


CELL, ROW, INLINE = (word_of(t) for t in (b"c r=", b"row ", b"is>"))
EMPTY_VALUE, CLOSING, ROW_END, FORMULA_END = word_of(b"v/>"), ord("/"), word_of(b"/ro"), word_of(b"/f>")
VALUE, FORMULA, FORMULA_BARE, TEXT, TEXT_ATTRIBUTE = (word_of(t) for t in (b"v>", b"f ", b"f>", b"t>", b"t "))
VALUE_END, CELL_END = word_of(b"/v>"), word_of(b"/c>")
SHARED_LENGTH = len(b'<f t="shared" si=""/>')
STYLE, TYPE = word_of(b' s="'), word_of(b' t="')


class Chunk:
    """A run of complete cells, the first ``count`` bytes of ``data``, as vectors: one element a tag, or a cell."""

    def __init__(self, data: bytes, count: int) -> None:
        self.data = data if len(data) >= count + len(PAD) else data + PAD
        self.count = count
        octets = np.frombuffer(self.data, np.uint8)
        self.word4 = as_strided(np.frombuffer(self.data, "<u4", count=1), shape=(count + 12,), strides=(1,))
        self.word8 = as_strided(np.frombuffer(self.data, "<u8", count=1), shape=(count + 8,), strides=(1,))
        self._octets = octets[:count]
        # Four tags more than there are, at the end and unlike any other: what follows the last one may be asked for.
        self._tags = np.append(np.flatnonzero(self._octets == ord("<")), [count] * MORE)
        self.starts = self._tags[:-MORE]
        self._words = words = self.word4[self._tags + 1]
        words[-MORE:] = 0
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
        count, words, words2 = np.count_nonzero, self._words[:-MORE], words2[:-MORE]
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
        return self._tags[rows].tolist(), self._tags[rows + 1].tolist()

    def valued(self) -> tuple[Places, Places, Places]:
        """Of the cells with a value next to their tag: the tag, the value, and where the reference has ended."""
        follows = self._is_value[self.cell_tokens + 1]
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
            hit = shaped(words, letters, digits, ord('"'))
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

    def with_text(self, tokens: Places, text: bytes) -> npt.NDArray[np.bool_]:
        """Which tags have a text of one or two bytes in them, or in what stands between them and the next tag."""
        if self.data.find(text[:1], 0, self.count) < 0:  # one byte is looked for several times faster than two
            return np.zeros(len(tokens), np.bool_)
        places = np.flatnonzero(self._octets == text[0])
        places = places[(self.word4[places] & ((1 << 8 * len(text)) - 1)) == word_of(text)]
        within: npt.NDArray[np.bool_] = np.isin(tokens, np.searchsorted(self.starts, places, side="right") - 1)
        return within

    def calculated(self, tokens: Places, *, zero_counts: bool) -> npt.NDArray[np.bool_]:
        """Which formulas are followed by a result, in a cell without a type or of type number, boolean or text."""
        is_figure, is_text = self._result_types(tokens)
        has_value = (self._words[tokens + 1] & 0xFFFFFF == FORMULA_END) & self._is_value[tokens + 2]
        value = self.word4[self._tags[tokens + 2] + 3]
        has_value &= (value & 0xFF) != ord("<")
        if not zero_counts:
            has_value &= (value & 0xFFFF) != word_of(b"0<")
        settled: npt.NDArray[np.bool_] = has_value & (is_figure | is_text)
        return settled

    def without_result(self, tokens: Places) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which formulas stand before ``<v></v>``: in cells for figures, and in cells of type ``str``.

        The formula is written out, or it is ``<f t="shared" si="12"/>``.
        """
        is_figure, is_text = self._result_types(tokens)
        is_shared = self._is_shared(tokens) & self._is_value[tokens + 1]
        is_written = (self._words[tokens + 1] & 0xFFFFFF == FORMULA_END) & self._is_value[tokens + 2]
        value = tokens + np.where(is_shared, 1, 2)
        is_empty = (is_shared | is_written) & (self._tags[value + 1] == self._tags[value] + 3)
        is_empty &= self._words[value + 1] & 0xFFFFFF == VALUE_END
        is_empty &= self._words[value + 2] & 0xFFFFFF == CELL_END
        return is_empty & is_figure, is_empty & is_text

    def _is_shared(self, tokens: Places) -> npt.NDArray[np.bool_]:
        """Which formulas are ``<f t="shared" si="…"/>`` with a number of one to five digits, and nothing else."""
        at, following = self._tags[tokens], self._tags[tokens + 1]
        is_open = (self.word8[at] == np.uint64(word_of(b'<f t="sh'))) & (following - at <= SHARED_LENGTH + 5)
        is_open &= self.word8[np.minimum(at + 8, self.count)] == np.uint64(word_of(b'ared" si'))
        is_open &= (self.word4[np.minimum(at + 16, self.count)] & 0xFFFF) == word_of(b'="')
        is_open &= (self.word4[np.maximum(following - 3, 0)] & 0xFFFFFF) == word_of(b'"/>')
        number = self.word8[np.minimum(at + 18, self.count)]
        found = np.zeros(len(tokens), np.bool_)
        for digits in range(1, 6):
            which = is_open & (following - at == SHARED_LENGTH + digits)
            if which.any():
                found[which] = shaped(number[which], 0, digits, ord('"'))
        return found

    def positions(self, tokens: Places) -> list[tuple[int, int]]:
        """(row, column), from 0, of the cells whose tags these are."""
        rows, columns = np.divmod(self.places(tokens), SHEET_COLUMNS)
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    def places(self, tokens: Places) -> npt.NDArray[np.int64]:
        """Row × ``SHEET_COLUMNS`` + column, from 0, of the cells whose tags these are."""
        words = self.word8[self.starts[tokens] + 6]
        rows, columns = np.zeros(len(words), np.int64), np.zeros(len(words), np.int64)
        pending = np.ones(len(words), np.bool_)
        for letters in (1, 2, 3):
            for digits in range(1, 8 - letters):
                hit = pending & shaped(words, letters, digits, ord('"'))
                if not hit.any():
                    continue
                pending &= ~hit
                column = np.zeros(int(np.count_nonzero(hit)), np.int64)
                for place in range(letters):
                    octet = ((words[hit] >> np.uint64(8 * place)) & np.uint64(0xFF)).astype(np.int64)
                    column = column * 26 + octet - (ord("A") - 1)
                columns[hit], rows[hit] = column - 1, number_of(words[hit] >> np.uint64(8 * letters), digits) - 1
        if pending.any():
            raise NotPlainError
        return rows * SHEET_COLUMNS + columns

    def _result_types(self, tokens: Places) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which formulas stand in cells for figures (without a type, or of type number or boolean), which in cells of type ``str``."""
        at = self.starts[tokens]
        after = self._after_reference[np.searchsorted(self.cell_tokens, tokens - 1)]
        head, length = self.word4[after], at - after
        last8 = self.word8[np.maximum(at - 8, 0)]
        untyped = ((head & 0xFF) == ord(">")) | ((head == STYLE) & (length <= 10))
        is_short = ((head == TYPE) & (length == 7)) | ((head == STYLE) & (length >= 12) & (length <= 16))
        letter = (last8 >> np.uint64(8)) & ~np.uint64(0xFF << 32)
        is_figure = is_short & (letter == np.uint64(word_of(b' t="\0">')))
        kind = (last8 >> np.uint64(40)) & np.uint64(0xFF)
        is_figure &= (kind == ord("n")) | (kind == ord("b"))
        is_text = ((head == TYPE) & (length == 9)) | ((head == STYLE) & (length >= 14) & (length <= 18))
        is_text &= (last8 == np.uint64(word_of(b't="str">'))) & (self.word4[np.maximum(at - 9, 0)] & 0xFF == ord(" "))
        return untyped | is_figure, is_text

    @property
    def values_after_formula(self) -> int:
        """Values that belong to a formula."""
        if not len(self.formula_tokens):
            return 0
        following = self.formula_tokens + 1
        is_closing = self._words[following] & 0xFFFFFF == FORMULA_END
        return int(np.count_nonzero(self._is_value[following + is_closing]))


def shaped(words: Words, letters: int, digits: int, closing: int) -> npt.NDArray[np.bool_]:
    """Which words begin with so many capital letters, then so many digits, then the byte ``closing``.

    Raises NotPlainError where a byte only nearly is a letter or digit (``@`` or ``:`` share the upper half of the byte).
    """
    high = word_of(b"\xe0" * letters + b"\xf0" * digits + b"\xff")
    want = word_of(b"\x40" * letters + b"\x30" * digits + bytes([closing]))
    hit: npt.NDArray[np.bool_] = (words & np.uint64(high)) == np.uint64(want)
    if hit.any():
        # Letters are 0x41 to 0x5A, digits 0x30 to 0x39: the additions lift what lies above out of the block, the
        # subtraction lowers 0x40 out of it; no byte carries into its neighbour.
        block = words[hit]
        above = block + np.uint64(word_of(b"\x05" * letters + b"\x06" * digits))
        below = block - np.uint64(word_of(b"\x01" * letters))
        letters_high = np.uint64(word_of(b"\xe0" * letters))
        if ((above & np.uint64(high)) != np.uint64(want)).any() or (
            (below & letters_high) != np.uint64(word_of(b"\x40" * letters))
        ).any():
            raise NotPlainError
    return hit


def number_of(words: Words, digits: int) -> npt.NDArray[np.int64]:
    """The decimal numbers of so many digits that the words begin with."""
    total = np.zeros(len(words), np.int64)
    for place in range(digits):
        total = total * 10 + ((words >> np.uint64(8 * place)) & np.uint64(0x0F)).astype(np.int64)
    return total
