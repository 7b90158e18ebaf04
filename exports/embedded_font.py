"""A font for reportlab that goes into the document with the characters used and no others, so that every reader shows them.

Text is coded by glyph, two bytes each; what a reader copies or reads aloud is told by a map back to the characters.
"""

from __future__ import annotations

import hashlib
from typing import Any
from weakref import WeakKeyDictionary

from reportlab.pdfbase import pdfdoc, pdfmetrics

from exports.font_file import FontFile

_CMAP = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
{blocks}endcmap
CMapName currentdict /CMap defineresource pop
end
end"""


class EmbeddedFont:
    """What reportlab asks of a font that grows with its document; one object serves any number of documents at a time."""

    _multiByte = 1  # noqa: N815 - reportlab's names
    _dynamicFont = 1  # noqa: N815
    shapable = False

    def __init__(self, name: str, file: FontFile, instead: str) -> None:
        """``instead``: the character printed for one that the font lacks."""
        self.fontName, self.file = name, file
        self.ascent, self.descent = file.ascent, file.descent
        self.face, self.name = self, file.name
        self._instead = file.glyphs[ord(instead)]
        self._used: WeakKeyDictionary[Any, dict[int, int]] = WeakKeyDictionary()

    def has(self, character: str) -> bool:
        """Whether the font can print it."""
        return ord(character) in self.file.glyphs

    def stringWidth(self, text: str, size: float, encoding: str = "utf-8") -> float:  # noqa: N802 - reportlab's name
        """How wide a text is."""
        return sum(self.file.width(self.file.glyphs.get(ord(c), self._instead)) for c in text) * size / 1000

    def splitString(self, text: str | bytes, doc: Any, encoding: str = "utf-8") -> list[tuple[int, bytes]]:  # noqa: N802
        """The text as codes of the one subset of the document, which now has its glyphs."""
        used = self._used.setdefault(doc, {})
        coded = bytearray()
        for character in text.decode(encoding) if isinstance(text, bytes) else text:
            code = 32 if character == "\xa0" else ord(character)
            glyph = self.file.glyphs.get(code, self._instead)
            used.setdefault(glyph, code)
            coded += glyph.to_bytes(2, "big")
        return [(0, bytes(coded))]

    def getSubsetInternalName(self, subset: int, doc: Any) -> str:  # noqa: N802
        """The name of the font in the document's pages."""
        if self.fontName not in doc.fontMapping:
            doc.fontMapping[self.fontName] = f"/F{len(doc.fontMapping) + 1}"
            doc.delayedFonts.append(self)
        return str(doc.fontMapping[self.fontName]) + f"+{subset}"

    def addObjects(self, doc: Any) -> None:  # noqa: N802
        """Put the font into a document that is complete."""
        used = self._used.pop(doc, {})
        glyphs = sorted(used)
        tag = "".join(chr(65 + b % 26) for b in hashlib.sha256(repr(glyphs).encode()).digest()[:6])
        name, internal = f"{tag}+{self.file.name}", self.getSubsetInternalName(0, doc)[1:]
        outlines = _stream(doc, self.file.outlines(glyphs), Subtype=pdfdoc.PDFName("CIDFontType0C"))
        descriptor = pdfdoc.PDFDictionary({
            "Type": pdfdoc.PDFName("FontDescriptor"), "FontName": pdfdoc.PDFName(name), "Flags": 6, "ItalicAngle": 0,
            "FontBBox": pdfdoc.PDFArray(self.file.box), "Ascent": self.ascent, "Descent": self.descent, "CapHeight": 730,
            "StemV": 80, "FontFile3": doc.Reference(outlines, f"outlines:{name}"),
        })  # fmt: skip
        widths = pdfdoc.PDFArray([part for g in glyphs for part in (g, pdfdoc.PDFArray([self.file.width(g)]))])
        system = pdfdoc.PDFDictionary({
            "Registry": pdfdoc.PDFString("Adobe"), "Ordering": pdfdoc.PDFString("Identity"), "Supplement": 0,
        })  # fmt: skip
        descendant = pdfdoc.PDFDictionary({
            "Type": pdfdoc.PDFName("Font"), "Subtype": pdfdoc.PDFName("CIDFontType0"), "BaseFont": pdfdoc.PDFName(name),
            "CIDSystemInfo": system, "DW": 1000, "W": widths,
            "FontDescriptor": doc.Reference(descriptor, f"descriptor:{name}"),
        })  # fmt: skip
        back = _stream(doc, _back_to_characters(used))
        font = pdfdoc.PDFDictionary({
            "Type": pdfdoc.PDFName("Font"), "Subtype": pdfdoc.PDFName("Type0"), "Encoding": pdfdoc.PDFName("Identity-H"),
            "BaseFont": pdfdoc.PDFName(f"{name}-Identity-H"),
            "DescendantFonts": pdfdoc.PDFArray([doc.Reference(descendant, f"descendant:{name}")]),
            "ToUnicode": doc.Reference(back, f"characters:{name}"),
        })  # fmt: skip
        doc.idToObject["BasicFonts"].dict[internal] = doc.Reference(font, internal)


def register(name: str, file: FontFile, instead: str) -> EmbeddedFont:
    """Make a font known to reportlab under a name."""
    made = EmbeddedFont(name, file, instead)
    pdfmetrics.registerFont(made)
    return made


def _stream(doc: Any, content: bytes, **entries: object) -> Any:
    made = pdfdoc.PDFStream(pdfdoc.PDFDictionary(dict(entries)), content)
    made.filters = [pdfdoc.PDFZCompress]
    return made


def _back_to_characters(used: dict[int, int]) -> bytes:
    """Glyph → character, at most a hundred a block as the format asks."""
    lines = [f"<{glyph:04X}> <{chr(code).encode('utf-16-be').hex().upper()}>" for glyph, code in sorted(used.items())]
    blocks = ""
    for at in range(0, len(lines), 100):
        block = lines[at : at + 100]
        blocks += f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n"
    return _CMAP.replace("{blocks}", blocks).encode("ascii")
