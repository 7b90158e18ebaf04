"""Cell formats for marks: clones of the formats in use, with our fill; and the way back to the original format."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from lxml import etree

from sources.marked_package import MAIN, Element, cannot_mark, parse, serialise

FILLS: Mapping[str, str] = {"hard": "FFFFC8CE", "soft": "FFFFEB9D"}
"""One step beside Excel's own light red and yellow, so that our marks are told from the park's colours."""

MOST_FORMATS = 64_000
COMPATIBILITY = "http://schemas.openxmlformats.org/markup-compatibility/2006"
_GROUPS = ("numFmts", "fonts", "fills", "borders", "cellStyleXfs", "cellXfs")

EMPTY = f"""<styleSheet xmlns="{MAIN}"><fonts count="1"><font><sz val="11"/><name val="宋体"/></font></fonts>\
<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>\
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>\
<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs></styleSheet>""".encode()


class Styles:
    """The style part of a workbook. Equal formats are found again, so that marking twice adds nothing."""

    def __init__(self, content: bytes) -> None:
        self._content, self._is_changed = content, False
        self.root = parse(content, "styles.xml")
        if self.root.tag != f"{{{MAIN}}}styleSheet":
            raise cannot_mark("样式部件不是常用格式")
        self._groups = {name: self._group(name) for name in ("fonts", "fills", "borders", "cellXfs")}
        self._known: dict[str, dict[str, int]] = {
            name: {_key(element): n for n, element in reversed(list(enumerate(group)))}
            for name, group in self._groups.items()
        }
        # Other programs write our fill in their own words, so it is known by its colour.
        self._ours = {n for n, fill in enumerate(self._groups["fills"]) if _colour(fill) in FILLS.values()}
        self._marked: dict[tuple[int, str], int] = {}

    def _group(self, name: str) -> Element:
        found = self.root.find(f"{{{MAIN}}}{name}")
        if found is not None:
            return found
        group = etree.Element(f"{{{MAIN}}}{name}", {"count": "0"})
        before = [self.root.find(f"{{{MAIN}}}{other}") for other in _GROUPS[: _GROUPS.index(name)]]
        place = max((self.root.index(element) + 1 for element in before if element is not None), default=0)
        self.root.insert(place, group)
        if name in ("fills", "borders", "fonts", "cellXfs"):
            basis = parse(EMPTY, "styles.xml").find(f"{{{MAIN}}}{name}")
            group.extend(copy.deepcopy(list(basis)))
            group.set("count", str(len(group)))
        return group

    def _add(self, group: str, element: Element) -> int:
        known, members = self._known[group], self._groups[group]
        key = _key(element)
        if key not in known:
            if group == "cellXfs" and len(members) >= MOST_FORMATS:
                raise cannot_mark("单元格格式过多")
            self._is_changed = True
            known[key] = len(members)
            members.append(element)
            members.set("count", str(len(members)))
        return known[key]

    def _format(self, style: int) -> Element:
        formats = self._groups["cellXfs"]
        found = formats[style if 0 <= style < len(formats) else 0]
        # Hancom writes a choice between its own format and the usual one; marks go on the usual one.
        usual = found.find(f"{{{COMPATIBILITY}}}Fallback/{{{MAIN}}}xf")
        return found if usual is None else usual

    def marked(self, style: int, severity: str) -> int:
        """The format ``style`` with the fill of a mark."""
        key = (style, severity)
        if key not in self._marked:
            clone = copy.deepcopy(self._format(style))
            clone.set("fillId", str(self._add("fills", _solid(FILLS[severity]))))
            clone.set("applyFill", "1")
            self._marked[key] = self._add("cellXfs", clone)
        return self._marked[key]

    def marks(self) -> frozenset[int]:
        """The formats that carried our fill when the part was read."""
        return frozenset(n for n, xf in enumerate(self._groups["cellXfs"]) if _number(xf.get("fillId")) in self._ours)

    def origin(self, style: int) -> str:
        """What ``restored`` needs to undo a mark: whether the fill applied, and the fill."""
        xf = self._format(style)
        fills, index = self._groups["fills"], _number(xf.get("fillId"))
        fill = fills[index] if 0 <= index < len(fills) else fills[0]
        return f"{xf.get('applyFill') or ''}|{bytes(etree.tostring(fill, method='c14n', exclusive=True, with_comments=False)).decode()}"

    def restored(self, style: int, origin: str | None) -> int:
        """The format ``style`` with its original fill; with none where ``origin`` is not known."""
        clone = copy.deepcopy(self._format(style))
        applied, _, text = (origin or "|").partition("|")
        fill = _fill_of(text)
        clone.set("fillId", str(self._add("fills", fill)) if fill is not None else "0")
        clone.attrib.pop("applyFill", None)
        if applied in ("0", "1"):
            clone.set("applyFill", applied)
        return self._add("cellXfs", clone)

    def to_bytes(self) -> bytes:
        """The style part; as it was read where nothing was added."""
        return serialise(self.root) if self._is_changed else self._content

    def own(self, font: str, fill: str, alignment: str, *, border: bool = True, size: int = 10) -> int:
        """A format for our own sheet from XML snippets (without namespace); empty ones mean the default."""
        line = '<{0} style="thin"><color rgb="FFBFBFBF"/></{0}>'
        sides = "".join(line.format(side) for side in ("left", "right", "top", "bottom"))
        font_id = self._add("fonts", _own(f'<font>{font}<sz val="{size}"/><name val="宋体"/></font>'))
        fill_id = self._add("fills", _solid(fill)) if fill else 0
        border_id = self._add("borders", _own(f"<border>{sides}<diagonal/></border>")) if border else 0
        return self._add(
            "cellXfs",
            _own(
                f'<xf numFmtId="49" fontId="{font_id}" fillId="{fill_id}" borderId="{border_id}" xfId="0" '
                'applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1">'
                f'<alignment vertical="top"{alignment}/></xf>'
            ),
        )


def _own(snippet: str) -> Element:
    root = etree.fromstring(f'<root xmlns="{MAIN}">{snippet}</root>')
    return root[0]


def _colour(fill: Element) -> str:
    found = fill.find(f"{{{MAIN}}}patternFill/{{{MAIN}}}fgColor")
    return (found.get("rgb") or "").upper() if found is not None else ""


def _solid(colour: str) -> Element:
    return _own(
        f'<fill><patternFill patternType="solid"><fgColor rgb="{colour}"/><bgColor indexed="64"/></patternFill></fill>'
    )


def _fill_of(text: str) -> Element | None:
    if not text.startswith("<") or "<!" in text:
        return None
    try:
        element = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return None
    return element if element.tag == f"{{{MAIN}}}fill" else None


def _key(element: Element) -> str:
    """One spelling for equal elements, whatever their prefixes and the order of their attributes; no fill is fill 0."""
    stated = {name: value for name, value in element.attrib.items() if (name, value) != ("fillId", "0")}
    attributes = "".join(f" {name}={value!r}" for name, value in sorted(stated.items()))
    inner = "".join(_key(child) for child in element if isinstance(child.tag, str))
    return f"<{element.tag}{attributes}>{inner}"


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
