"""Notes on cells: the comments part and the drawing that shows it, with ours added to what the park already has."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lxml import etree

from sources.marked_package import MAIN, Element, Package, cannot_mark, cell_text, parse
from sources.marked_sheet import SheetPart, address, place_of

AUTHOR = "一套表审核"
OPENING = f"【{AUTHOR}】"
"""First line of our text: from here on a note is ours, before it stands what the park or the form wrote."""

COMMENTS_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
VML_TYPE = "application/vnd.openxmlformats-officedocument.vmlDrawing"
SHAPES_A_BLOCK = 1023
MOST_CHARACTERS = 1_500

_SHAPE = re.compile(rb"<v:shape\b.*?</v:shape>\s*", re.DOTALL)
_SHAPE_ID = re.compile(rb"_x0000_s(\d+)")
_ID_MAP = re.compile(rb"(<o:idmap\b[^>]*?\bdata=)([\"'])([\d,\s]*)\2")
_SHAPE_TYPE = (
    b'<v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
    b'<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
)
_USUAL = {
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "x": "urn:schemas-microsoft-com:office:excel",
}
_OPEN_VML = b"<xml " + " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in _USUAL.items()).encode() + b">"
_NEW_VML = (
    _OPEN_VML + b'<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data=""/></o:shapelayout>' + _SHAPE_TYPE + b"</xml>"
)


@dataclass(frozen=True)
class _Places:
    comments: str
    drawing: str


def annotate(package: Package, part: str, sheet: SheetPart, notes: Mapping[tuple[int, int], str]) -> bytes:
    """Put ``notes`` ((row, column) → text) on the cells of a worksheet part; earlier notes of ours go. Returns its bytes.

    A cell with a note keeps it, ours follows. Cells with a threaded conversation are left alone: the program that shows
    the thread would drop our text.
    """
    relationships = package.relationships(part)
    comments = next((r.target for r in relationships if r.kind == "comments" and not r.is_external), "")
    threads = [r.target for r in relationships if r.kind == "threadedComment" and not r.is_external]
    talked = {place for target in threads for place in _threaded(package, target)}
    notes = {place: text for place, text in sorted(notes.items()) if place not in talked}
    if not comments and not notes:
        return sheet.xml
    root = package.tree(comments) if comments else parse(_empty_comments(), "comments")
    author = _author(root)
    left, removed = _without_ours(root)
    if not notes and not removed:
        return sheet.xml
    _write(root, notes, author)
    xml = sheet.xml
    if not comments:
        comments = package.unused_name("xl/comments{}.xml")
        package.declare(part=comments, content_type=COMMENTS_TYPE)
        package.relate(part, "comments", comments)
    package.write_tree(comments, root)
    drawing, xml = _drawing(package, part, sheet)
    shapes = _usual(package.read(drawing)) if package.has(drawing) else _NEW_VML
    shapes = _without_shapes(shapes, removed - left - notes.keys())
    shown = _shown(shapes)
    missing = [place for place in notes if place not in shown]
    package.write(drawing, _with_shapes(shapes, missing, _taken_blocks(package, drawing)))
    return xml


def _empty_comments() -> bytes:
    return f'<comments xmlns="{MAIN}"><authors/><commentList/></comments>'.encode()


def _threaded(package: Package, part: str) -> Iterable[tuple[int, int]]:
    for element in package.tree(part).iter():
        place = place_of(element.get("ref") or "") if isinstance(element.tag, str) else None
        if place:
            yield place


def _author(root: Element) -> int:
    authors = root.find(f"{{{MAIN}}}authors")
    if authors is None or root.find(f"{{{MAIN}}}commentList") is None:
        raise cannot_mark("批注部件不是常用格式")
    names = [author.text or "" for author in authors]
    if AUTHOR not in names:
        etree.SubElement(authors, f"{{{MAIN}}}author").text = AUTHOR
        names.append(AUTHOR)
    return names.index(AUTHOR)


def _without_ours(root: Element) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Cut our text from all notes. Returns the cells that still have one, and the cells where something was cut."""
    listed = root.find(f"{{{MAIN}}}commentList")
    left, cut = set(), set()
    for comment in list(listed):
        place = place_of(comment.get("ref") or "")
        if place is None:
            continue
        text = comment.find(f"{{{MAIN}}}text")
        if text is not None and _cut(text):
            cut.add(place)
            if not "".join(t.text or "" for t in text.iter(f"{{{MAIN}}}t")).strip():
                listed.remove(comment)
                continue
        left.add(place)
    return left, cut


def _cut(text: Element) -> bool:
    """Remove our part of one note: from the opening to the end. Whether there was one."""
    is_ours = False
    for child in list(text):
        if etree.QName(child).localname not in ("t", "r"):
            continue
        piece = child if etree.QName(child).localname == "t" else child.find(f"{{{MAIN}}}t")
        written = (piece.text or "") if piece is not None else ""
        if not is_ours and OPENING in written:
            is_ours = True
            kept = written[: written.index(OPENING)].rstrip("\n")
            if kept:
                piece.text = kept
                continue
        if is_ours:
            text.remove(child)
    return is_ours


def _write(root: Element, notes: Mapping[tuple[int, int], str], author: int) -> None:
    listed = root.find(f"{{{MAIN}}}commentList")
    there = {place_of(comment.get("ref") or ""): comment for comment in listed}
    for place, body in notes.items():
        comment = there.get(place)
        if comment is None:
            comment = etree.SubElement(listed, f"{{{MAIN}}}comment", {"ref": address(*place), "authorId": str(author)})
            etree.SubElement(comment, f"{{{MAIN}}}text")
        text = comment.find(f"{{{MAIN}}}text")
        if text is None:
            text = etree.SubElement(comment, f"{{{MAIN}}}text")
        plain = text.find(f"{{{MAIN}}}t")
        if plain is not None:
            # A plain text and runs may not stand side by side, so the park's own text becomes the first run.
            run = etree.Element(f"{{{MAIN}}}r")
            text.replace(plain, run)
            run.append(plain)
        opening = f"\n{OPENING}\n" if len(text) else f"{OPENING}\n"
        _run(text, opening, bold=True)
        _run(text, clipped(body), bold=False)


def clipped(body: str) -> str:
    """The text of one note; what does not fit is read on the sheet of findings."""
    return body if len(body) <= MOST_CHARACTERS else body[: MOST_CHARACTERS - 20] + "……\n(其余见“审核结果”)"


def _run(text: Element, content: str, *, bold: bool) -> None:
    run = etree.SubElement(text, f"{{{MAIN}}}r")
    properties = etree.SubElement(run, f"{{{MAIN}}}rPr")
    if bold:
        etree.SubElement(properties, f"{{{MAIN}}}b")
    etree.SubElement(properties, f"{{{MAIN}}}sz", {"val": "9"})
    etree.SubElement(properties, f"{{{MAIN}}}rFont", {"val": "宋体"})
    piece = etree.SubElement(run, f"{{{MAIN}}}t")
    piece.text = cell_text(content)
    piece.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")


def _drawing(package: Package, part: str, sheet: SheetPart) -> tuple[str, bytes]:
    """The drawing part of the sheet, made known where it is new, and the bytes of the sheet that refer to it."""
    relationship = sheet.legacy_drawing()
    if relationship:
        target = next((r.target for r in package.relationships(part) if r.id == relationship), "")
        if not target or not package.has(target):
            raise cannot_mark("批注的图形部件缺失")
        return target, sheet.xml
    drawing = package.unused_name("xl/drawings/vmlDrawing{}.vml")
    package.declare(extension=posixpath.splitext(drawing)[1][1:], content_type=VML_TYPE)
    return drawing, sheet.with_legacy_drawing(package.relate(part, "vmlDrawing", drawing))


def _usual(drawing: bytes) -> bytes:
    """The drawing with the prefixes everybody uses; programs that write through an XML library make up their own."""
    if all(f'xmlns:{prefix}="{name}"'.encode() in drawing for prefix, name in _USUAL.items()):
        return drawing
    root = parse(_OPEN_VML + b"</xml>", "vmlDrawing")
    for child in list(parse(drawing, "vmlDrawing")):
        root.append(child)
    etree.cleanup_namespaces(root, keep_ns_prefixes=list(_USUAL))
    return bytes(etree.tostring(root))


def _place_of_shape(shape: bytes) -> tuple[int, int] | None:
    row = re.search(rb"<x:Row>\s*(\d+)\s*</x:Row>", shape)
    column = re.search(rb"<x:Column>\s*(\d+)\s*</x:Column>", shape)
    is_note = re.search(rb"ObjectType=[\"']Note[\"']", shape)
    return (int(row[1]) + 1, int(column[1])) if row and column and is_note else None


def _shown(drawing: bytes) -> set[tuple[int, int]]:
    return {place for shape in _SHAPE.findall(drawing) if (place := _place_of_shape(shape))}


def _without_shapes(drawing: bytes, places: set[tuple[int, int]]) -> bytes:
    if not places:
        return drawing
    return _SHAPE.sub(lambda shape: b"" if _place_of_shape(shape[0]) in places else shape[0], drawing)


def _taken_blocks(package: Package, drawing: str) -> set[int]:
    """Blocks of shape numbers in use in other drawings: they are unique in a workbook."""
    taken: set[int] = set()
    for name in package.parts():
        if name.lower().endswith(".vml") and name.lower() != drawing.lower():
            for match in _ID_MAP.finditer(package.read(name)):
                taken |= {int(n) for n in match[3].replace(b",", b" ").split()}
    return taken


def _with_shapes(drawing: bytes, places: list[tuple[int, int]], taken: set[int]) -> bytes:
    """The drawing with one hidden note shape for each place. Drawings are text here: real ones are not always XML."""
    if not places:
        return drawing
    end = drawing.rfind(b"</xml>")
    if end < 0:
        raise cannot_mark("批注的图形部件不是常用格式")
    listed = _ID_MAP.search(drawing)
    own = [int(n) for n in listed[3].replace(b",", b" ").split()] if listed else []
    used = {int(n) for n in _SHAPE_ID.findall(drawing)}
    numbers = _numbers(len(places), own, used, taken)
    shapes = b"".join(_shape(number, *place) for number, place in zip(numbers, places, strict=True))
    if b'id="_x0000_t202"' not in drawing:
        shapes = _SHAPE_TYPE + shapes
    drawing = drawing[:end] + shapes + drawing[end:]
    blocks = ",".join(str(block) for block in sorted({*own, *(number // 1024 for number in numbers)})).encode()
    if listed:
        return _ID_MAP.sub(lambda m: m[1] + m[2] + blocks + m[2], drawing, count=1)
    layout = b'<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="' + blocks + b'"/></o:shapelayout>'
    start = re.search(rb"<xml\b[^>]*>", drawing)
    return drawing[: start.end()] + layout + drawing[start.end() :] if start else drawing


def _numbers(count: int, own: list[int], used: set[int], taken: set[int]) -> list[int]:
    """Free shape numbers: first in the drawing's own blocks, then in blocks that nobody uses."""
    numbers: list[int] = []
    block, blocks = 0, sorted(set(own) - taken)
    while len(numbers) < count:
        if blocks:
            block = blocks.pop(0)
        else:
            block += 1
            if block in taken or block in own:
                continue
        free = [n for n in range(block * 1024 + 1, (block + 1) * 1024) if n not in used]
        numbers += free[: count - len(numbers)]
    return numbers


def _shape(number: int, row: int, column: int) -> bytes:
    anchor = f"{column + 1}, 15, {max(row - 2, 0)}, 10, {column + 5}, 15, {max(row - 2, 0) + 7}, 4"
    return (
        f'<v:shape id="_x0000_s{number}" type="#_x0000_t202" style="position:absolute;margin-left:60pt;margin-top:2pt;'
        'width:220pt;height:96pt;z-index:1;visibility:hidden" fillcolor="#ffffe1" o:insetmode="auto">'
        '<v:fill color2="#ffffe1"/><v:shadow on="t" color="black" obscured="t"/><v:path o:connecttype="none"/>'
        '<v:textbox style="mso-direction-alt:auto"><div style="text-align:left"></div></v:textbox>'
        f'<x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/><x:Anchor>{anchor}</x:Anchor>'
        f"<x:AutoFill>False</x:AutoFill><x:Row>{row - 1}</x:Row><x:Column>{column}</x:Column></x:ClientData></v:shape>"
    ).encode()
