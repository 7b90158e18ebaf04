"""A font file of the system with Chinese characters: which characters it has, how wide they are, and their outlines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont, TTLibError

#: Where systems keep fonts-noto-cjk (SIL Open Font License 1.1), the serif first: it looks as printed matter does.
FOLDERS = (
    "/usr/share/fonts/opentype/noto",
    "/usr/share/fonts/noto-cjk",
    "/usr/share/fonts/google-noto-serif-cjk-vf-fonts",
)
FILES = ("NotoSerifCJK-Regular.ttc", "NotoSansCJK-Regular.ttc")
FACE = "sc-Regular"
"""In a collection: the face whose characters are drawn as in mainland China."""
_MOST_FACES, _POSTSCRIPT_NAME = 64, 6
_OUTLINES = {"GlyphOrder", "head", "maxp", "CFF "}


class UnfitFontError(ValueError):
    """The font is not of the kind whose glyphs can be put into a document."""


@dataclass(frozen=True, eq=False)
class FontFile:
    """One face. ``glyphs``: character → glyph; ``widths``: by glyph; metrics are in thousandths of the size."""

    name: str
    path: Path
    face: int
    glyphs: dict[int, int]
    widths: list[int]
    ascent: int
    descent: int
    box: tuple[int, int, int, int]

    def width(self, glyph: int) -> int:
        """The advance of a glyph."""
        return self.widths[glyph]

    def outlines(self, glyphs: list[int]) -> bytes:
        """A CFF font with these glyphs; the number of each in the file is its CID. Equal glyphs, equal bytes."""
        with TTFont(self.path, fontNumber=self.face, lazy=True) as font:
            for table in set(font.keys()) - _OUTLINES:
                del font[table]
            subsetter = Subsetter(Options(hinting=False, desubroutinize=True, notdef_outline=True))
            subsetter.populate(gids=glyphs)
            subsetter.subset(font)
            return bytes(font.getTableData("CFF "))


@cache
def system_font() -> FontFile | None:
    """The font to embed; None where the system has none of those that are known to be free and fit."""
    for path in (Path(folder) / name for name in FILES for folder in FOLDERS):
        if path.is_file():
            try:
                return open_font(path)
            except (OSError, UnfitFontError, TTLibError):
                continue  # another one may do; without any the characters are those of the reader
    return None


def open_font(path: Path, face: str = FACE) -> FontFile:
    """The face of a font file whose PostScript name ends in ``face``. Raises UnfitFontError where there is none, or where its
    outlines are no CID-keyed CFF of a thousand units, TTLibError where it is no font."""
    for number in range(_MOST_FACES):
        try:
            font = TTFont(path, fontNumber=number, lazy=True)
        except TTLibError:
            if number:
                break
            raise
        with font:
            name = str(font["name"].getDebugName(_POSTSCRIPT_NAME))
            if name.endswith(face):
                return _read(font, path, number, name)
    raise UnfitFontError(f"{path.name} has no face {face}")


def _read(font: TTFont, path: Path, number: int, name: str) -> FontFile:
    if "CFF " not in font or not hasattr(font["CFF "].cff.topDictIndex[0], "ROS"):
        raise UnfitFontError(f"{name} is not CID-keyed")
    head, hhea, order = font["head"], font["hhea"], font.getGlyphOrder()
    if head.unitsPerEm != 1000:
        raise UnfitFontError(f"{head.unitsPerEm} units")
    at = {glyph: n for n, glyph in enumerate(order)}
    if any(glyph != f"cid{n:05d}" for n, glyph in enumerate(order[1:], 1)):
        raise UnfitFontError(f"{name} numbers its glyphs otherwise than its characters")
    metrics = font["hmtx"].metrics
    return FontFile(
        name, path, number, {code: at[glyph] for code, glyph in (font.getBestCmap() or {}).items()},
        [metrics[glyph][0] for glyph in order], hhea.ascent, hhea.descent, (head.xMin, head.yMin, head.xMax, head.yMax),
    )  # fmt: skip
