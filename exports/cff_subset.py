"""The outlines of a few characters out of a CID-keyed CFF font, as a font of their own for a PDF.

The subset keeps the numbers of its glyphs as CIDs, so text is coded the same in every document. Subroutines are written out
into the glyphs that call them. Source: Adobe Technical Notes #5176 (CFF) and #5177 (Type 2 charstrings); PDF 32000-1, 9.7.4, 9.9.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

CHARSET, CHARSTRINGS, PRIVATE, SUBRS = 15, 17, 18, 19
ROS, CID_COUNT, FD_ARRAY, FD_SELECT, FD_NAME = (12, 30), (12, 34), (12, 36), (12, 37), (12, 38)
FONT_BBOX = 5
#: Operators of charstrings that take their operands from an empty stack: paths, hints, flex.
_STEMS, _MASKS = frozenset({1, 3, 18, 23}), frozenset({19, 20})
_PATHS = frozenset({4, 5, 6, 7, 8, 21, 22, 24, 25, 26, 27, 30, 31})
_FLEXES = frozenset({34, 35, 36, 37})
_CALL, _CALL_GLOBAL, _RETURN, _END, _ESCAPE = 10, 29, 11, 14, 12
_DEEPEST = 10
#: Strings of the subset, beyond the 391 standard ones.
_STRINGS = (b"Adobe", b"Identity", b"Subset")
_FIRST_SID = 391
Operator = int | tuple[int, int]


class UnfitFontError(ValueError):
    """The font is not of the kind this module takes glyphs from."""


class Index:
    """An INDEX: a list of byte strings, read as they are asked for."""

    def __init__(self, data: memoryview, at: int) -> None:
        self.data = data
        (self.count,) = struct.unpack_from(">H", data, at)
        self._width = data[at + 2] if self.count else 0
        self._offsets = at + 3
        self._base = at + 2 + (self.count + 1) * self._width
        self.end = self._base + self._offset(self.count) if self.count else at + 2

    def _offset(self, n: int) -> int:
        start = self._offsets + n * self._width
        return int.from_bytes(self.data[start : start + self._width], "big")

    def __getitem__(self, n: int) -> bytes:
        if not 0 <= n < self.count:
            raise UnfitFontError(f"no element {n}")
        return bytes(self.data[self._base + self._offset(n) : self._base + self._offset(n + 1)])


def entries(dictionary: bytes) -> Iterator[tuple[Operator, list[int], bytes]]:
    """The entries of a DICT: operator, its operands that are integers, the bytes of the whole entry."""
    at = start = 0
    operands: list[int] = []
    while at < len(dictionary):
        first = dictionary[at]
        if first <= 21:
            escaped = first == _ESCAPE
            operator: Operator = (12, dictionary[at + 1]) if escaped else first
            at += 2 if escaped else 1
            yield operator, operands, dictionary[start:at]
            start, operands = at, []
        elif first == 30:  # a real number, in halves of bytes up to an f
            at += 1
            while dictionary[at] & 15 != 15 and dictionary[at] >> 4 != 15:
                at += 1
            at += 1
        else:
            value, at = _number(dictionary, at)
            operands.append(value)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """An integer of a DICT or charstring and where it ends."""
    first = data[at]
    if first == 28:
        return int.from_bytes(data[at + 1 : at + 3], "big", signed=True), at + 3
    if first == 29:
        return int.from_bytes(data[at + 1 : at + 5], "big", signed=True), at + 5
    if first <= 246:
        return first - 139, at + 1
    if first <= 250:
        return (first - 247) * 256 + data[at + 1] + 108, at + 2
    return -(first - 251) * 256 - data[at + 1] - 108, at + 2


class CidFont:
    """A CID-keyed CFF table."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        names = Index(data, data[2])
        tops = Index(data, names.end)
        strings = Index(data, tops.end)
        self.global_subrs = Index(data, strings.end)
        self.top = {operator: (operands, raw) for operator, operands, raw in entries(tops[0])}
        if ROS not in self.top:
            raise UnfitFontError("not CID-keyed")
        self.charstrings = Index(data, self.top[CHARSTRINGS][0][0])
        self.font_dicts = Index(data, self.top[FD_ARRAY][0][0])
        self._select = self.top[FD_SELECT][0][0]

    def font_dict_of(self, glyph: int) -> int:
        """Which of the font dictionaries a glyph goes by."""
        at, kind = self._select + 1, self.data[self._select]
        if kind == 0:
            return self.data[at + glyph]
        (ranges,) = struct.unpack_from(">H", self.data, at)
        low, high = 0, ranges - 1
        while low < high:  # the last range that begins at or before the glyph
            middle = (low + high + 1) // 2
            begins = struct.unpack_from(">H", self.data, at + 2 + 3 * middle)[0]
            low, high = (middle, high) if begins <= glyph else (low, middle - 1)
        return self.data[at + 4 + 3 * low]

    def private(self, number: int) -> tuple[bytes, bytes, Index | None]:
        """Of a font dictionary: its own entries but the name, its private entries but subroutines, and those."""
        font_dict = self.font_dicts[number]
        own, private, subrs = b"", b"", None
        for operator, operands, raw in entries(font_dict):
            if operator == PRIVATE:
                size, offset = operands
                for inner, values, kept in entries(bytes(self.data[offset : offset + size])):
                    if inner == SUBRS:
                        subrs = Index(self.data, offset + values[0])
                    else:
                        private += kept
            elif operator != FD_NAME:
                own += raw
        return own, private, subrs


def subset(font: CidFont, glyphs: Sequence[int]) -> bytes:
    """The font with these glyphs and no others, each under its own number; ``.notdef`` (0) is always among them.

    Equal glyphs give equal bytes. Raises UnfitFontError.
    """
    kept = sorted({0, *glyphs})
    used = sorted({font.font_dict_of(glyph) for glyph in kept})
    parts = {number: font.private(number) for number in used}
    outlines = [
        written_out(font.charstrings[glyph], font.global_subrs, parts[font.font_dict_of(glyph)][2]) for glyph in kept
    ]
    charset = b"\0" + b"".join(struct.pack(">H", glyph) for glyph in kept[1:])
    select = b"\0" + bytes(used.index(font.font_dict_of(glyph)) for glyph in kept)
    head = bytes((1, 0, 4, 4)) + _index([b"Subset"])
    strings = _index(list(_STRINGS)) + _index([])
    # Every offset takes five bytes, so that the sizes do not hang on their values.
    at = len(head) + len(_index([_top(font, 0, 0, 0, 0)])) + len(strings)
    places = {}
    for name, block in (("charset", charset), ("select", select), ("outlines", _index(outlines))):
        places[name] = at
        at += len(block)
    privates, dicts = b"", []
    for number in used:
        own, private, _ = parts[number]
        dicts.append(own + _entry((12, 38), _FIRST_SID + 2) + _entry(PRIVATE, len(private), at + len(privates)))
        privates += private
    top = _top(font, places["charset"], places["select"], places["outlines"], at + len(privates))
    return head + _index([top]) + strings + charset + select + _index(outlines) + privates + _index(dicts)


def _top(font: CidFont, charset: int, select: int, outlines: int, dicts: int) -> bytes:
    box = font.top[FONT_BBOX][1] if FONT_BBOX in font.top else b""
    return (
        _entry(ROS, _FIRST_SID, _FIRST_SID + 1, 0) + box + _entry(CID_COUNT, 65535) + _entry(CHARSET, charset)
        + _entry(FD_SELECT, select) + _entry(CHARSTRINGS, outlines) + _entry(FD_ARRAY, dicts)
    )  # fmt: skip


def _entry(operator: Operator, *operands: int) -> bytes:
    code = bytes(operator) if isinstance(operator, tuple) else bytes((operator,))
    return b"".join(b"\x1d" + struct.pack(">i", value) for value in operands) + code


def _index(items: Sequence[bytes]) -> bytes:
    if not items:
        return b"\0\0"
    offsets, at = [1], 1
    for item in items:
        at += len(item)
        offsets.append(at)
    return struct.pack(">HB", len(items), 4) + b"".join(struct.pack(">I", o) for o in offsets) + b"".join(items)


class _Writer:
    """Copies a charstring with its subroutines in place of the calls; counts stems, since the length of masks hangs on them."""

    def __init__(self, global_subrs: Index, subrs: Index | None) -> None:
        self.subrs = {_CALL_GLOBAL: global_subrs, _CALL: subrs}
        self.out = bytearray()
        self.operands = 0
        self.stems = 0
        self.last: tuple[int, int] | None = None  # where the last operand begins, and its value

    def run(self, code: bytes, depth: int = 0) -> bool:
        """Copy ``code``; whether the glyph has ended."""
        if depth > _DEEPEST:
            raise UnfitFontError("subroutines call each other too deep")
        at = 0
        while at < len(code):
            first = code[at]
            if first >= 32 or first == 28:
                at = self._operand(code, at)
            elif first in (_CALL, _CALL_GLOBAL):
                at += 1
                if self.run(self._called(first), depth + 1):
                    return True
            elif first == _RETURN:
                return False
            else:
                at = self._operator(code, at)
                if first == _END:
                    return True
        return False

    def _operand(self, code: bytes, at: int) -> int:
        begins = len(self.out)
        value, end = (0, at + 5) if code[at] == 255 else _number(code, at)
        self.out += code[at:end]
        self.operands += 1
        self.last = None if code[at] == 255 else (begins, value)
        return end

    def _called(self, kind: int) -> bytes:
        index = self.subrs[kind]
        if self.last is None or index is None:
            raise UnfitFontError("a call without a number")
        begins, value = self.last
        del self.out[begins:]
        self.operands -= 1
        self.last = None
        bias = 107 if index.count < 1240 else 1131 if index.count < 33900 else 32768
        return index[value + bias]

    def _operator(self, code: bytes, at: int) -> int:
        first, end = code[at], at + 1
        if first in _STEMS or first in _MASKS:
            self.stems += self.operands // 2
            end += (self.stems + 7) // 8 if first in _MASKS else 0
        elif first == _ESCAPE and code[at + 1] in _FLEXES:
            end += 1
        elif first not in _PATHS and first != _END:
            raise UnfitFontError(f"operator {first}")
        self.out += code[at:end]
        self.operands, self.last = 0, None
        return end


def written_out(code: bytes, global_subrs: Index, subrs: Index | None) -> bytes:
    """A charstring that calls nothing. Raises UnfitFontError for operators that fonts of characters do not use."""
    writer = _Writer(global_subrs, subrs)
    writer.run(code)
    return bytes(writer.out)
