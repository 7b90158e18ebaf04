"""A font file of the system with Chinese characters: which characters it has, how wide they are, and their outlines."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from exports.cff_subset import CidFont, UnfitFontError, subset

#: Where systems keep fonts-noto-cjk (SIL Open Font License 1.1), the serif first: it looks as printed matter does.
FOLDERS = (
    "/usr/share/fonts/opentype/noto",
    "/usr/share/fonts/noto-cjk",
    "/usr/share/fonts/google-noto-serif-cjk-vf-fonts",
)
FILES = ("NotoSerifCJK-Regular.ttc", "NotoSansCJK-Regular.ttc")
FACE = b"sc-Regular"
"""In a collection: the face whose characters are drawn as in mainland China."""
_POSTSCRIPT_NAME = 6


@dataclass(frozen=True, eq=False)
class FontFile:
    """One face. ``glyphs``: character → glyph; metrics are in thousandths of the size."""

    name: str
    glyphs: dict[int, int]
    ascent: int
    descent: int
    box: tuple[int, int, int, int]
    _widths: bytes
    _metrics: int
    _cff: CidFont

    def width(self, glyph: int) -> int:
        """The advance of a glyph."""
        at = min(glyph, self._metrics - 1) * 4
        return int(struct.unpack_from(">H", self._widths, at)[0])

    def outlines(self, glyphs: list[int]) -> bytes:
        """A CFF font with these glyphs, each under its own number. Equal glyphs, equal bytes."""
        return subset(self._cff, glyphs)


@cache
def system_font() -> FontFile | None:
    """The font to embed; None where the system has none of those that are known to be free and fit."""
    for path in (Path(folder) / name for name in FILES for folder in FOLDERS):
        if path.is_file():
            try:
                return open_font(path)
            except (OSError, UnfitFontError, struct.error, LookupError):
                continue  # another one may do; without any the characters are those of the reader
    return None


def open_font(path: Path, face: bytes = FACE) -> FontFile:
    """The face of a font file whose PostScript name ends in ``face``. Raises UnfitFontError where there is none, or where its
    outlines are no CID-keyed CFF."""
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    for at in _faces(data):
        tables = _tables(data, at)
        name = _name(tables[b"name"])
        if name.endswith(face) and b"CFF " in tables:
            break
    else:
        raise UnfitFontError(f"{path.name} has no face {face!r}")
    ascent, descent = struct.unpack_from(">hh", tables[b"hhea"], 4)
    (metrics,) = struct.unpack_from(">H", tables[b"hhea"], 34)
    (units,) = struct.unpack_from(">H", tables[b"head"], 18)
    if units != 1000:
        raise UnfitFontError(f"{units} units")
    left, bottom, right, top = struct.unpack_from(">4h", tables[b"head"], 36)
    return FontFile(
        name.decode("ascii"), _characters(tables[b"cmap"]), ascent, descent, (left, bottom, right, top), bytes(tables[b"hmtx"]),
        metrics, CidFont(tables[b"CFF "]),
    )  # fmt: skip


def _faces(data: memoryview) -> list[int]:
    if bytes(data[:4]) != b"ttcf":
        return [0]
    (count,) = struct.unpack_from(">I", data, 8)
    return list(struct.unpack_from(f">{count}I", data, 12))


def _tables(data: memoryview, at: int) -> dict[bytes, memoryview]:
    (count,) = struct.unpack_from(">H", data, at + 4)
    found = {}
    for n in range(count):
        tag, _, offset, length = struct.unpack_from(">4s3I", data, at + 12 + 16 * n)
        found[tag] = data[offset : offset + length]
    return found


def _name(table: memoryview) -> bytes:
    """The PostScript name."""
    count, texts = struct.unpack_from(">HH", table, 2)
    for n in range(count):
        platform, _, _, kind, length, offset = struct.unpack_from(">6H", table, 6 + 12 * n)
        if kind == _POSTSCRIPT_NAME:
            text = bytes(table[texts + offset : texts + offset + length])
            return text.decode("utf-16-be").encode("ascii") if platform == 3 else text
    raise UnfitFontError("no name")


def _characters(table: memoryview) -> dict[int, int]:
    """Character → glyph, from the table of all planes (format 12)."""
    (count,) = struct.unpack_from(">H", table, 2)
    for n in range(count):
        _, _, offset = struct.unpack_from(">HHI", table, 4 + 8 * n)
        kind, groups = struct.unpack_from(">H", table, offset)[0], struct.unpack_from(">I", table, offset + 12)[0]
        if kind == 12:
            found: dict[int, int] = {}
            for at in range(offset + 16, offset + 16 + 12 * groups, 12):
                first, last, glyph = struct.unpack_from(">3I", table, at)
                found.update(zip(range(first, last + 1), range(glyph, glyph + last - first + 1), strict=True))
            return found
    raise UnfitFontError("no map of characters")
