"""The exact scan of the XML parts of a workbook: every byte through expat, nothing resolved, nothing kept that is not asked for.

A ``PartScan`` looks at a part's root element and hands the rest to the reader of that kind of part. Namespaces are not
resolved: calamine goes by local names too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from schemas.errors import SubmissionError
from sources.guard_limits import MAX_ATTRIBUTES, MAX_CELLS, MAX_DEPTH, MAX_SHEETS, MAX_STRINGS, MIB
from sources.guard_refusals import refusal

TRUE = ("1", "true", "on")


@dataclass(frozen=True)
class Relationship:
    """One relationship of a part; ``kind`` is the last segment of its type."""

    id: str
    kind: str
    target: str
    is_external: bool


@dataclass(frozen=True)
class SheetEntry:
    """One sheet as the workbook part lists it."""

    name: str
    visibility: str
    relationship: str


@dataclass
class PackageFacts:
    """What the parts of one package say together. ``string_lengths`` are upper bounds, one a shared string."""

    sheets: list[SheetEntry] = field(default_factory=list)
    relationships: dict[str, list[Relationship]] = field(default_factory=dict)
    string_lengths: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    strings_referenced: int = 0
    cells: int = 0
    is_1904: bool = False
    awaits_calculation: bool = False
    has_results: bool = False
    features: set[str] = field(default_factory=set)

    def refer(self, characters: int) -> None:
        """Count referenced shared strings. Raises SubmissionError once all of them together are too long."""
        self.strings_referenced += characters
        if self.strings_referenced > MAX_STRINGS:
            raise refusal("string_amplification", limit=f"{MAX_STRINGS // MIB} MB")

    def count_cells(self, cells: int, sheet: str) -> None:
        """Count cells of any sheet. Raises SubmissionError once the whole workbook has too many."""
        self.cells += cells
        if self.cells > MAX_CELLS:
            raise refusal("too_many_cells", sheet=sheet, limit=MAX_CELLS)

    @contextmanager
    def scanning_again(self) -> Iterator[None]:
        """What is counted inside does not count: the cells are known already."""
        before = self.strings_referenced, self.cells
        yield
        self.strings_referenced, self.cells = before

    def know_strings(self, lengths: npt.NDArray[np.int64]) -> None:
        """Take the lengths of a shared string table; should there be two, the longer string counts."""
        both = np.zeros(max(len(lengths), len(self.string_lengths)), np.int64)
        both[: len(lengths)] = lengths
        both[: len(self.string_lengths)] = np.maximum(both[: len(self.string_lengths)], self.string_lengths)
        self.string_lengths = both


Attributes = dict[str, str]


class ElementReader(Protocol):
    """Reads the elements of one kind of part below its root."""

    wants_text: bool

    def start(self, name: str, attributes: Attributes) -> None:
        """An element opens; ``name`` and the attribute names are local."""

    def end(self, name: str) -> None:
        """An element closes."""

    def text(self, text: str) -> None:
        """Character data."""


def local(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


class PartScan:
    """One part through expat. ``readers`` maps the root's local name to the reader of such a part.

    ``may_name_dtd``: a DOCTYPE that only names a document type, and declares nothing itself, is let pass; it is never fetched.
    """

    def __init__(
        self, part: str, readers: dict[str, Callable[[Attributes], ElementReader]], *, may_name_dtd: bool = False
    ) -> None:
        self.part = part
        self.root = ""
        self.reader: ElementReader | None = None
        self._readers = readers
        self._depth = 0
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._named_dtd if may_name_dtd else self._doctype
        parser.EntityDeclHandler = self._doctype
        # An external DTD subset or parameter entity is never fetched; asking for one is reason enough to refuse.
        parser.ExternalEntityRefHandler = self._doctype

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        """Take the next bytes. Raises SubmissionError for what a limit forbids and for XML that is not well formed."""
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise refusal("bad_xml", found=f"{self.part},第 {error.lineno} 行") from None
        except (ValueError, LookupError):  # an encoding of several bytes, or none at all
            raise refusal("bad_xml", found=f"{self.part} 的编码") from None

    def _doctype(self, *_: object) -> int:
        raise refusal("doctype", found=self.part)

    def _named_dtd(self, _name: str, _system: str | None, _public: str | None, declares: int) -> None:
        if declares:
            self._doctype()

    def _start(self, name: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise refusal("too_deep", found=self.part)
        if len(attributes) > MAX_ATTRIBUTES:
            raise refusal("too_many_attributes", found=self.part)
        if self._depth == 1:
            self.root = local(name)
            if make := self._readers.get(self.root):
                self.reader = make(attributes)
                if self.reader.wants_text:
                    self._parser.CharacterDataHandler = self.reader.text
        elif self.reader is not None:
            if attributes and ":" in "".join(attributes):
                attributes = {local(key): value for key, value in attributes.items() if not key.startswith("xmlns")}
            self.reader.start(local(name) if ":" in name else name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self.reader is not None and self._depth:
            self.reader.end(local(name) if ":" in name else name)


class OpeningsReader:
    """A reader that looks at opening elements only."""

    wants_text = False

    def end(self, name: str) -> None:
        """Nothing to do."""

    def text(self, text: str) -> None:
        """Nothing to do."""


class WorkbookReader(OpeningsReader):
    """The workbook part: its sheets, the date system, whether formulas still wait for a calculation."""

    def __init__(self, facts: PackageFacts) -> None:
        self.facts = facts

    def start(self, name: str, attributes: Attributes) -> None:
        """Sheets in their order; more than the limit are refused."""
        facts = self.facts
        if name == "sheet":
            state = {"hidden": "hidden", "veryHidden": "very hidden"}.get(attributes.get("state", ""), "visible")
            facts.sheets.append(SheetEntry(attributes.get("name", ""), state, attributes.get("id", "")))
            if len(facts.sheets) > MAX_SHEETS:
                raise refusal("too_many_sheets", found=f"{MAX_SHEETS} 张以上", limit=MAX_SHEETS)
        elif name == "workbookPr":
            facts.is_1904 = attributes.get("date1904") in TRUE
        elif name == "calcPr":
            facts.awaits_calculation = attributes.get("fullCalcOnLoad") in TRUE
        elif name == "workbookProtection":
            facts.features.add("workbook_protection")


class RelationshipReader(OpeningsReader):
    """A .rels part."""

    def __init__(self, facts: PackageFacts, part: str) -> None:
        self.into = facts.relationships.setdefault(part, [])

    def start(self, name: str, attributes: Attributes) -> None:
        """Each relationship as it stands; targets are resolved by the package."""
        if name == "Relationship":
            kind = attributes.get("Type", "").rpartition("/")[2]
            is_external = attributes.get("TargetMode") == "External"
            self.into.append(Relationship(attributes.get("Id", ""), kind, attributes.get("Target", ""), is_external))


class ExternalLinkReader(OpeningsReader):
    """An external link: cached values of another workbook are reported, a DDE conversation is refused."""

    def __init__(self, facts: PackageFacts) -> None:
        self.facts = facts
        facts.features.add("external_links")

    def start(self, name: str, attributes: Attributes) -> None:
        """DDE starts programs."""
        if name == "ddeLink":
            raise refusal("dde", found=f"{attributes.get('ddeService', '')}|{attributes.get('ddeTopic', '')}")


class StringTableReader:
    """The shared strings, exactly: how long each is."""

    wants_text = True

    def __init__(self, facts: PackageFacts, attributes: Attributes, part_size: int) -> None:
        check_string_counts(attributes.get("count"), attributes.get("uniqueCount"), part_size)
        self.facts = facts
        self.lengths: list[int] = []

    def start(self, name: str, attributes: Attributes) -> None:
        """A string item opens."""
        if name == "si":
            self.lengths.append(0)

    def text(self, text: str) -> None:
        """Phonetic text counts too: the bound stays one."""
        if self.lengths:
            self.lengths[-1] += len(text)

    def end(self, name: str) -> None:
        """Nothing to do."""

    def finish(self) -> None:
        """Hand the lengths over; not before the part has been read to its end."""
        self.facts.know_strings(np.array(self.lengths, np.int64))


def check_string_counts(count: str | None, unique: str | None, part_size: int) -> None:
    """Refuse counts no table of this size can have: calamine allocates ``uniqueCount`` strings before it reads one."""
    for declared, most in ((unique, max(part_size, 10_000)), (count, 1 << 31)):
        if declared is None:
            continue
        if not (declared.isascii() and declared.isdigit()) or int(declared[:20]) > most:
            raise refusal("sst_count", found=declared)


def refuse_macro_sheet(_: Attributes) -> ElementReader:
    """An Excel 4.0 macro sheet is a program."""
    raise refusal("xlm_macro", found="macrosheet")


def is_malformed(error: SubmissionError) -> bool:
    """Whether a part was refused only because it is no XML (and not because of what it holds)."""
    return error.code == "bad_xml"
