"""The workbook part: which sheet is which part, and the place of our own sheet among them."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from sources.marked_list import SHEET
from sources.marked_package import MAIN, RELATIONSHIPS, WORKBOOK_TYPES, Element, Package, cannot_mark
from sources.marked_styles import EMPTY

MARKER = "_ytb_findings"
"""The hidden defined name by which our sheet is known again when somebody has renamed or moved it."""

SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
STYLES_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"
_BEFORE_NAMES = ("sheets", "functionGroups", "externalReferences")


@dataclass(frozen=True)
class BookSheet:
    """One worksheet of the workbook."""

    name: str
    part: str


class WorkbookPart:
    """The workbook part of a package. Raises ``cannot_mark`` for formats other than .xlsx and .xlsm."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.part = next((r.target for r in package.relationships("") if r.kind == "officeDocument"), "")
        if not self.part or package.content_type(self.part) not in WORKBOOK_TYPES:
            raise cannot_mark("不是 .xlsx 或 .xlsm 工作簿")
        self.root = package.tree(self.part)
        if self.root.tag != f"{{{MAIN}}}workbook":
            raise cannot_mark("工作簿采用“严格”格式,请另存为常用的 .xlsx")
        self._targets = {r.id: r for r in package.relationships(self.part)}
        self.styles = self.related("styles") or self._new_styles()
        """The style part, made where the workbook has none."""

    def _child(self, name: str) -> Element | None:
        return self.root.find(f"{{{MAIN}}}{name}")

    def related(self, kind: str) -> str:
        """The one part of this kind, empty where the workbook has none."""
        return next((r.target for r in self._targets.values() if r.kind == kind and not r.is_external), "")

    @property
    def _entries(self) -> list[tuple[Element, BookSheet]]:
        listed = self._child("sheets")
        found = []
        for element in listed if listed is not None else ():
            relationship = self._targets.get(element.get(f"{{{RELATIONSHIPS}}}id") or "")
            if relationship and relationship.kind == "worksheet" and not relationship.is_external:
                found.append((element, BookSheet(element.get("name") or "", relationship.target)))
        return found

    def sheets(self) -> list[BookSheet]:
        """The worksheets in order, our own left out."""
        own = self.own()
        return [sheet for _, sheet in self._entries if own is None or sheet.part != own.part]

    def own(self) -> BookSheet | None:
        """Our sheet from an earlier marking."""
        names = self._child("definedNames")
        for name in names if names is not None else ():
            if name.get("name") == MARKER:
                text = (name.text or "").rsplit("!", 1)[0].strip("'").replace("''", "'")
                return next((sheet for _, sheet in self._entries if sheet.name == text), None)
        return None

    def _new_styles(self) -> str:
        # Some readers look for the usual name instead of following the relationship.
        part = "xl/styles.xml" if not self.package.has("xl/styles.xml") else self.package.unused_name("xl/styles{}.xml")
        self.package.write(part, EMPTY)
        self.package.declare(part=part, content_type=STYLES_TYPE)
        self.package.relate(self.part, "styles", part)
        return part

    def put_own(self, content: bytes) -> None:
        """Write our sheet: in place where it is already there, else as the first one, and open the workbook on it."""
        own = self.own()
        if own is not None:
            self.package.write(own.part, content)
            position = list(self._listed()).index(self._element(own))
        else:
            self._add(content)
            position = 0
        views = self._child("bookViews")
        for view in views if views is not None else ():
            view.set("activeTab", str(position))
            view.attrib.pop("firstSheet", None)
        self.package.write_tree(self.part, self.root)

    def _listed(self) -> Element:
        listed = self._child("sheets")
        if listed is None:
            raise cannot_mark("工作簿没有工作表")
        return listed

    def _element(self, sheet: BookSheet) -> Element:
        return next(element for element, found in self._entries if found.part == sheet.part)

    def _add(self, content: bytes) -> None:
        part = self.package.unused_name("xl/worksheets/ytbFindings{}.xml")
        self.package.write(part, content)
        self.package.declare(part=part, content_type=SHEET_TYPE)
        relationship = self.package.relate(self.part, "worksheet", part)
        listed = self._listed()
        taken = {(element.get("name") or "").casefold() for element in listed}
        name, n = SHEET, 2
        while name.casefold() in taken:
            name, n = f"{SHEET}({n})", n + 1
        numbers = [int(element.get("sheetId") or 0) for element in listed]
        element = etree.Element(f"{{{MAIN}}}sheet", {"name": name, "sheetId": str(max(numbers, default=0) + 1)})
        element.set(f"{{{RELATIONSHIPS}}}id", relationship)
        listed.insert(0, element)
        names = self._names()
        for defined in names:
            # Names that belong to one sheet say so by its position, which moves by one.
            if defined.get("localSheetId") is not None:
                defined.set("localSheetId", str(int(defined.get("localSheetId")) + 1))
        marker = etree.SubElement(names, f"{{{MAIN}}}definedName", {"name": MARKER, "hidden": "1"})
        marker.text = f"'{name}'!$A$1"

    def _names(self) -> Element:
        names = self._child("definedNames")
        if names is None:
            names = etree.Element(f"{{{MAIN}}}definedNames")
            before = [found for name in _BEFORE_NAMES if (found := self._child(name)) is not None]
            self.root.insert(max(self.root.index(element) for element in before) + 1, names)
        return names
