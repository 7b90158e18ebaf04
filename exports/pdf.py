"""PDF pages for paper: A4, Chinese; on one system the same content gives the same bytes.

Where the system has fonts-noto-cjk (SIL Open Font License), the characters used are embedded, and every reader shows them. Elsewhere
the font is STSong-Light, a name for characters that most readers bring along (Adobe-GB1) and nothing is embedded: a reader without
Asian fonts shows blanks. What the font lacks (of STSong-Light: all beyond the first plane of Unicode) is printed as 〓, as printers do.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import segno
from reportlab.graphics.shapes import Drawing, Path
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import LongTable, Paragraph, SimpleDocTemplate, TableStyle

from exports import font_file
from exports.embedded_font import EmbeddedFont, register

EMBEDDED, READERS_OWN = "Embedded-CJK", "STSong-Light"
MISSING = "〓"
INK, QUIET, LINE, HEAD = HexColor("#1b2733"), HexColor("#556472"), HexColor("#8a97a3"), HexColor("#e9eff5")
MARGIN = 18 * mm


def printable(text: str) -> str:
    """Text as the font can print it: no control characters, 〓 for what lies beyond the first plane."""
    shown = (c if c == "\n" or c.isprintable() else " " for c in text)
    font = pdfmetrics.getFont(_font())
    if isinstance(font, EmbeddedFont):
        return "".join(c if c == "\n" or font.has(c) else MISSING for c in shown)
    return "".join(MISSING if ord(c) > 0xFFFF else c for c in shown)


@cache
def style(
    size: float = 10, *, bold: bool = False, centred: bool = False, quiet: bool = False, mono: bool = False
) -> ParagraphStyle:
    """A style of paragraph. The font has no bold cut; ``bold`` gives air around a heading instead. ``mono``: for codes and
    hashes, ASCII only."""
    return ParagraphStyle(
        f"s{size}{bold}{centred}{quiet}{mono}",
        fontName="Courier" if mono else _font(),
        fontSize=size,
        leading=size * 1.45,
        alignment=1 if centred else 0,
        textColor=QUIET if quiet else INK,
        wordWrap="CJK",
        spaceBefore=size * 0.6 if bold else 0,
        spaceAfter=size * 0.4 if bold else 0,
    )


def paragraph(text: object, size: float = 10, **kind: bool) -> Paragraph:
    """One paragraph of plain text; nothing in it is taken for markup."""
    return Paragraph(escape(printable(str(text))).replace("\n", "<br/>"), style(size, **kind))


def table(rows: Sequence[Sequence[Any]], widths: Sequence[float], *, head: int = 0, ruled: bool = True) -> LongTable:
    """A table over as many pages as it needs, its ``head`` rows on each; cells are text or flowables; widths in mm."""
    size = 8.5 if ruled else 9.5
    cells = [[paragraph(cell, size) if isinstance(cell, str | int) else cell for cell in row] for row in rows]
    looks: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if ruled:
        looks.append(("GRID", (0, 0), (-1, -1), 0.5, LINE))
    if head:
        looks.append(("BACKGROUND", (0, 0), (-1, head - 1), HEAD))
    return LongTable(cells, [w * mm for w in widths], repeatRows=head, style=TableStyle(looks), splitInRow=1)


def modules(text: str) -> tuple[int, str]:
    """A QR code as (side in modules with its quiet zone, SVG path of the dark ones): level M, no clock, no colour."""
    code = segno.make(text, error="m", micro=False)
    parts = []
    for y, row in enumerate(code.matrix_iter(border=4)):
        x = 0
        cells = list(row)
        while x < len(cells):
            if not cells[x]:
                x += 1
                continue
            end = x
            while end < len(cells) and cells[end]:
                end += 1
            parts.append(f"M{x} {y}h{end - x}v1h{x - end}z")
            x = end
    return len(cells), "".join(parts)


def qr(text: str, side: float = 34) -> Drawing:
    """A QR code to print, ``side`` mm wide."""
    code = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=4)]
    step = side * mm / len(code)
    drawing = Drawing(side * mm, side * mm)
    path = Path(fillColor=HexColor("#000000"), strokeColor=None, strokeWidth=0)
    for y, row in enumerate(code):
        for x, dark in enumerate(row):
            if dark:
                left, top = x * step, side * mm - y * step
                path.moveTo(left, top)
                path.lineTo(left + step, top)
                path.lineTo(left + step, top - step)
                path.lineTo(left, top - step)
                path.closePath()
    drawing.add(path)
    return drawing


def document(title: str, story: Sequence[Any], *, foot: str, wide: bool = False) -> bytes:
    """The pages of a story with a line at the foot of each. ``wide``: the page lies on its side."""
    target = io.BytesIO()
    size = landscape(A4) if wide else A4

    def decorate(canvas: Any, _: Any) -> None:
        canvas.saveState()
        canvas.setFont(_font(), 8)
        canvas.setFillColor(QUIET)
        canvas.drawString(MARGIN, 10 * mm, printable(foot))
        canvas.drawRightString(size[0] - MARGIN, 10 * mm, f"第 {canvas.getPageNumber()} 页")
        canvas.restoreState()

    made = SimpleDocTemplate(
        target, pagesize=size, invariant=1, title=printable(title), author="", creator="", producer="", lang="zh-CN",
        leftMargin=MARGIN, rightMargin=MARGIN, topMargin=16 * mm, bottomMargin=18 * mm,
    )  # fmt: skip
    made.build(list(story), onFirstPage=decorate, onLaterPages=decorate)
    return target.getvalue()


@cache
def _font() -> str:
    """The name of the font for text, known to reportlab from here on."""
    if (file := font_file.system_font()) is not None:
        register(EMBEDDED, file, MISSING)
        return EMBEDDED
    pdfmetrics.registerFont(UnicodeCIDFont(READERS_OWN))
    return READERS_OWN
