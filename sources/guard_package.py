"""An Office Open XML package as a whole: which parts are read how, and what they add up to."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from schemas.errors import SubmissionError
from sources.guard_chunk import NotPlainError
from sources.guard_facts import SheetFacts
from sources.guard_fast import FastSheet
from sources.guard_limits import MAX_BOXES, MAX_CELLS
from sources.guard_refusals import refusal
from sources.guard_sheet import SheetReader, check_box, settle_doubts
from sources.guard_strings import LARGEST, scan_strings_fast
from sources.guard_xlsb import BINARY_PARTS, scan_binary_part, scan_binary_sheet
from sources.guard_xml import (
    Attributes,
    ElementReader,
    ExternalLinkReader,
    PackageFacts,
    PartScan,
    Relationship,
    RelationshipReader,
    StringTableReader,
    WorkbookReader,
    is_malformed,
    refuse_macro_sheet,
)
from sources.guard_zip import Entry, chunks, content

SMALL = 1 << 14  # below this expat is done before the vectors are set up
VITAL = {"worksheet", "sharedStrings", "styles"}
WORKSHEET_ROOTS = ("worksheet", "dialogsheet")

# What a package may carry besides values: accepted, ignored, and reported under these names.
FEATURES: tuple[tuple[str, str], ...] = (
    ("vbaproject", "macros"),
    ("/embeddings/", "embeddings"),
    ("/activex/", "activex"),
    ("/connections.", "connections"),
    ("/querytables/", "connections"),
    ("/comments", "comments"),
    ("/threadedcomments", "comments"),
    ("/media/", "images"),
    ("/externallinks/", "external_links"),
)


@dataclass
class _DeferredError(Exception):
    """A worksheet under an unexpected name: it is scanned after the shared strings."""

    entry: Entry


class Package:
    """Scans the parts of one package and keeps what they say."""

    def __init__(self, data: bytes, entries: list[Entry]) -> None:
        self.data, self.entries = data, entries
        self.facts = PackageFacts()
        self.sheets: dict[str, SheetFacts] = {}
        self._is_fast: set[str] = set()
        self._by_name = {normal(entry.name): entry for entry in entries}

    def scan(self) -> list[SheetFacts]:
        """Every byte of every part; the sheets in the workbook's order. Raises SubmissionError."""
        first = [e for e in self.entries if e.name.endswith((".rels", "[Content_Types].xml"))]
        for entry in first:
            self._scan_part(entry, is_vital=True)
        workbook = self._workbook_part()
        kinds = {normal(target): kind for kind, target in self._targets(workbook)}
        self._note_features(kinds)
        later: list[Entry] = []
        for entry in sorted(set(self.entries) - set(first), key=lambda e: (normal(e.name) != workbook, e.start)):
            if kinds.get(normal(entry.name)) == "worksheet" or normal(entry.name).startswith("xl/worksheets/sheet"):
                later.append(entry)
                continue
            if name_is_binary(entry):
                scan_binary_part(self.facts, normal(entry.name), content(self.data, entry))
                continue
            try:
                self._scan_part(entry, is_vital=self._is_vital(normal(entry.name), workbook, kinds))
            except _DeferredError as deferred:
                later.append(deferred.entry)
        self._name_sheets(workbook)
        for entry in later:
            self._scan_sheet(entry)
        self._check_boxes()
        settle_doubts(self.facts, self.sheets.values())
        return self._in_order(workbook)

    def _workbook_part(self) -> str:
        for relationship in self.facts.relationships.get("_rels/.rels", []):
            if relationship.kind == "officeDocument":
                name = normal(posixpath.normpath(relationship.target.lstrip("/")))
                if name in self._by_name:
                    return name
        for name in ("xl/workbook.xml", "xl/workbook.bin"):
            if name in self._by_name:
                return name
        raise refusal("not_a_workbook")

    def _targets(self, workbook: str) -> list[tuple[str, str]]:
        """(kind, part) of the workbook's relationships."""
        return [(r.kind, resolve(workbook, r)) for r in self._relationships(workbook) if not r.is_external]

    def _relationships(self, part: str) -> list[Relationship]:
        folder, _, name = part.rpartition("/")
        return self.facts.relationships.get(f"{folder}/_rels/{name}.rels", [])

    def _note_features(self, kinds: dict[str, str]) -> None:
        for name in self._by_name:
            if "/macrosheets/" in name:
                raise refusal("xlm_macro", found=name)
            self.facts.features.update(feature for fragment, feature in FEATURES if fragment in "/" + name)
        if any("Macrosheet" in kind for kind in kinds.values()):
            raise refusal("xlm_macro", found="macrosheet")
        if any(r.is_external and r.kind == "oleObject" for rs in self.facts.relationships.values() for r in rs):
            self.facts.features.add("external_links")

    def _scan_part(self, entry: Entry, *, is_vital: bool) -> None:
        """One part other than a worksheet. Parts without which a workbook can be read may be malformed, but never hostile."""
        if SMALL < entry.size <= LARGEST and posixpath.basename(normal(entry.name)).startswith("sharedstrings"):
            try:
                scan_strings_fast(PartScan(entry.name, self._readers(entry)), self.facts, content(self.data, entry))
            except NotPlainError:
                pass
            else:
                return
        scan: PartScan | None = None
        name = normal(entry.name)
        is_markup = name.endswith((".xml", ".rels"))
        # Real Excel files hold VML that is no XML (unclosed <br>), and people insert SVG pictures with a DOCTYPE.
        is_opaque = name.endswith((".vml", ".svg")) or "/media/" in name
        for number, chunk in enumerate(chunks(self.data, entry)):
            if number == 0 and (is_vital or not is_opaque) and (is_markup or looks_like_markup(chunk)):
                scan = PartScan(entry.name, self._readers(entry))
            if scan is not None:
                try:
                    scan.feed(chunk)
                except SubmissionError as error:
                    if (is_vital and is_markup) or not is_malformed(error):
                        raise
                    scan = None
        if scan is not None:
            self._finish(scan, is_vital=is_vital and is_markup)

    @staticmethod
    def _is_vital(name: str, workbook: str, kinds: dict[str, str]) -> bool:
        return name == workbook or kinds.get(name) in VITAL

    def _finish(self, scan: PartScan, *, is_vital: bool) -> None:
        try:
            scan.feed(b"", last=True)
        except SubmissionError as error:
            if is_vital or not is_malformed(error):
                raise
            return
        if isinstance(scan.reader, StringTableReader):
            scan.reader.finish()

    def _readers(self, entry: Entry) -> dict[str, Callable[[Attributes], ElementReader]]:
        facts = self.facts

        def defer(_: Attributes) -> ElementReader:
            raise _DeferredError(entry)

        return {
            "workbook": lambda _: WorkbookReader(facts),
            "Relationships": lambda _: RelationshipReader(facts, normal(entry.name)),
            "sst": lambda attributes: StringTableReader(facts, attributes, entry.size),
            "externalLink": lambda _: ExternalLinkReader(facts),
            "macrosheet": refuse_macro_sheet,
            **dict.fromkeys(WORKSHEET_ROOTS, defer),
        }

    def _name_sheets(self, workbook: str) -> None:
        """Which part is which sheet, before the sheets are read: a refusal names the sheet."""
        targets = {r.id: resolve(workbook, r) for r in self._relationships(workbook)}
        for listed in self.facts.sheets:
            part = targets.get(listed.relationship, "")
            self.sheets.setdefault(part, SheetFacts(listed.name, listed.visibility, part))

    def _scan_sheet(self, entry: Entry) -> None:
        part = normal(entry.name)
        known = self.sheets.get(part, SheetFacts(entry.name, part=part))
        before = self.facts.strings_referenced, self.facts.cells
        if entry.size > SMALL and not name_is_binary(entry):
            sheet = SheetFacts(known.name, known.visibility, part)
            fast = FastSheet(self._sheet_scan(entry, sheet), self.facts, sheet)
            try:
                for chunk in chunks(self.data, entry):
                    fast.feed(chunk)
                fast.finish()
            except NotPlainError:
                self.facts.strings_referenced, self.facts.cells = before
            else:
                self.sheets[part] = sheet
                self._is_fast.add(part)
                return
        self._scan_exactly(entry, known)

    def _scan_exactly(self, entry: Entry, known: SheetFacts) -> None:
        sheet = SheetFacts(known.name, known.visibility, known.part)
        if name_is_binary(entry):
            scan_binary_sheet(self.facts, sheet, content(self.data, entry))
            self.sheets[known.part] = sheet
            check_box(sheet)
            return
        if sum(chunk.count(b"<c") for chunk in chunks(self.data, entry)) > MAX_CELLS:
            raise refusal("too_many_cells", sheet=sheet.name, limit=MAX_CELLS)  # expat would need half a minute
        scan = self._sheet_scan(entry, sheet)
        for chunk in chunks(self.data, entry):
            scan.feed(chunk)
        scan.feed(b"", last=True)
        sheet.is_worksheet = scan.root in WORKSHEET_ROOTS
        self.sheets[known.part] = sheet
        check_box(sheet)

    def _sheet_scan(self, entry: Entry, sheet: SheetFacts) -> PartScan:
        readers = self._readers(entry)
        readers.update(dict.fromkeys(WORKSHEET_ROOTS, lambda _: SheetReader(self.facts, sheet)))
        return PartScan(entry.name, readers)

    def _check_boxes(self) -> None:
        """All rectangles together; where upper bounds add up to too much, the exact extents decide."""
        if sum(s.rows * s.columns for s in self.sheets.values()) <= MAX_BOXES:
            return
        for part in self._is_fast:
            with self.facts.scanning_again():
                self._scan_exactly(self._by_name[part], self.sheets[part])
        if sum(s.rows * s.columns for s in self.sheets.values()) > MAX_BOXES:
            largest = max(self.sheets.values(), key=lambda s: s.rows * s.columns)
            raise refusal("sparse_box", sheet=largest.name, found=f"第 {largest.rows} 行")

    def _in_order(self, workbook: str) -> list[SheetFacts]:
        kinds = {normal(target): kind for kind, target in self._targets(workbook)}
        listed: list[SheetFacts] = []
        for entry in self.facts.sheets:
            found = next((s for s in self.sheets.values() if s.name == entry.name), None)
            sheet = found or SheetFacts(entry.name, entry.visibility)
            # The macro modules of Excel 5 and 95 live on as sheets that refer to nothing.
            is_somewhere = bool(sheet.part or entry.relationship)
            sheet.is_worksheet = (
                sheet.is_worksheet and is_somewhere and kinds.get(sheet.part, "worksheet") == "worksheet"
            )
            listed.append(sheet)
        return listed


def normal(name: str) -> str:
    """A part name as it is compared: forward slashes, lower case, no leading slash."""
    return name.replace("\\", "/").lstrip("/").lower()


def resolve(part: str, relationship: Relationship) -> str:
    """The part a relationship of ``part`` points to."""
    target = relationship.target.replace("\\", "/")
    joined = target if target.startswith("/") else posixpath.join(posixpath.dirname(part), target)
    return normal(posixpath.normpath(joined))


def name_is_binary(entry: Entry) -> bool:
    """Whether a part of an .xlsb package is in the binary record format (printer settings and macros are not)."""
    name = normal(entry.name)
    return name.endswith(".bin") and name.startswith(BINARY_PARTS)


def looks_like_markup(chunk: bytes) -> bool:
    """Whether bytes begin as XML does, in UTF-8 or UTF-16."""
    start = chunk[:64].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
    return start.startswith(b"<")
