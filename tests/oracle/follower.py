"""A clerk who reads only our words: mends faulty books by what the marked workbook says, and by nothing else.

The clerk sees the printed columns of the sheet 审核结果 and the workbook itself, and has the firm's own records at hand
(the figures the book was made of) to look up a cell that a line names. A cell that no line names is never touched. Two rounds.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import openpyxl
import polars as pl
from openpyxl.cell.cell import Cell
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from pipelines.checking import Checked, check
from pipelines.explaining import Evidence, weak_explanations
from pipelines.handing_back import marked_book
from schemas.catalog import programme
from schemas.findings import BLOCKING, NEEDS_EXPLANATION
from schemas.layout import YEAR_EARLIER_REASON, Anchor, is_code_row
from sources.marked import explanations_in
from sources.marked_list import SHEET, TITLES
from sources.reader import read_file
from tests.oracle.books import Book, Original
from tests.oracle.judge import book_number
from warehouse.ledger.explanations import finding_key

ROUNDS = 2
REASON = "07"
EXPLANATION = "{unit}的{indicator}变动,查对台账和合同,系本期新投产线和订单集中交付引起"
_PLACE = re.compile(r"^(?P<sheet>.+?)(?: (?P<cell>[A-Z]{1,3}\d+))?$")
_CODE = re.compile(r"(?<![A-Za-z0-9])([A-Z]\d{2,3})(_yoy)?(?![A-Za-z0-9])")
_MISSING = re.compile(r"表“(.+?)”中没有单位 (\w+) 的行")


@dataclass(frozen=True)
class Line:
    """One line of the list as it is printed."""

    kind: str
    sheet: str
    cell: str
    unit: str
    indicator: str
    said: str
    row: int


@dataclass
class Followed:
    """What became of a book: accepted or not, after how many rounds, and what was still said."""

    accepted: bool
    rounds: int
    faults: tuple[str, ...]
    left: list[str] = field(default_factory=list)


def follow(seed: int) -> Followed:
    """Book number ``seed`` through at most two rounds of correction."""
    book = book_number(seed)
    data, name = book.to_bytes(), book.name
    faults = tuple(sorted({e.kind for e in book.expected}))
    for rounds in range(ROUNDS + 1):
        checked = check([read_file(data, name)], programme())
        left = blocking(checked, data)
        if not left or rounds == ROUNDS:
            return Followed(not left, rounds, faults, left)
        data = corrected(book, checked, data, name)
    raise AssertionError


def blocking(checked: Checked, data: bytes) -> list[str]:
    """Messages that keep a book from being reported: hard ones, and soft ones without an explanation that does."""
    if checked.status == "unreadable":
        return checked.findings["message"].to_list()
    told = {
        "|".join(v or "" for v in row[:4]): (row[4] or "", row[5] or "")
        for row in explanations_in(data).select("rule", "form", "unit_id", "column", "reason_code", "text").iter_rows()
    }
    found = checked.findings.filter(BLOCKING)["message"].to_list()
    asked: dict[str, str] = {}
    for row in checked.findings.filter(NEEDS_EXPLANATION).iter_rows(named=True):
        asked[finding_key(row)] = row["message"]
    given = {key: told[key] for key in asked if key in told}
    assert checked.edition is not None
    edition = programme().editions[checked.edition]
    weak = weak_explanations(programme(), edition, Evidence(asked, {}, {}, {}), given)
    return found + [
        f"{message}{weak.get(key, '')}" for key, message in asked.items() if key not in given or key in weak
    ]


def corrected(book: Book, checked: Checked, data: bytes, name: str) -> bytes:
    """The workbook after the clerk worked through the list."""
    findings = checked.findings.filter(pl.col("outcome") != "absorbed")
    original = data if checked.status != "unreadable" else b""
    marked_name, marked = marked_book(name, original, findings, programme(), checked.period, {})
    listed = openpyxl.load_workbook(io.BytesIO(marked))
    workbook = listed if "_审核" in marked_name else openpyxl.load_workbook(io.BytesIO(data))
    page = listed[SHEET] if SHEET in listed.sheetnames else listed.worksheets[0]
    lines = lines_of(page)
    if any("请下载本期模板" in line.said for line in lines):
        return book.original.data  # filled in again from the records, on the template of the period
    clerk = Clerk(book.original, workbook)
    for line in sorted(lines, key=lambda line: "取消合并" not in line.said):  # nothing can be typed into a covered cell
        clerk.work(line, page if page.title in workbook.sheetnames else None)
    clerk.finish()
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def lines_of(page: Worksheet) -> list[Line]:
    """The lines of the list; headings of causes have no number."""
    head = next(r for r in range(1, 20) if page.cell(r, 1).value == TITLES[0])
    at = {str(page.cell(head, c).value): c for c in range(1, len(TITLES) + 1)}
    found = []
    for row in range(head + 1, page.max_row + 1):
        if not page.cell(row, at["序号"]).value:
            continue
        texts = {title: str(page.cell(row, column).value or "") for title, column in at.items()}
        place = _PLACE.match(texts["位置"])
        sheet, cell = (place["sheet"], place["cell"] or "") if place else ("", "")
        said = f"{texts['填报值']} {texts['问题']}。{texts['怎么改']}"
        found.append(Line(texts["类型"], sheet, cell, texts["单位"], texts["指标"], said, row))
    return found


class Clerk:
    """Works through the lines on one workbook. Rows are deleted and put in at the end, so that addresses hold until then."""

    def __init__(self, records: Original, workbook: Workbook) -> None:
        self.records, self.workbook = records, workbook
        self.deleted: dict[str, set[int]] = {}
        self.lost_heads: list[str] = []
        self.raised: dict[str, int] = {}
        self.heads = {page.title: _head(page) for page in workbook.worksheets}
        self.rows: dict[str, list[tuple[str, Mapping[str, object]]]] = {}
        by_unit: dict[tuple[str, str], dict[str, object]] = {}
        for (form, unit, column), value in records.says.items():
            by_unit.setdefault((form, unit), {})[column] = value
        for (form, unit), values in by_unit.items():
            self.rows.setdefault(form, []).append((unit, values))

    def work(self, line: Line, listing: Worksheet | None) -> None:
        """Do what one line says."""
        if line.kind == "核实" and listing is not None:
            told = EXPLANATION.format(unit=line.unit or "本园区", indicator=line.indicator)
            listing.cell(line.row, TITLES.index("原因码") + 1).value = REASON
            listing.cell(line.row, TITLES.index("情况说明") + 1).value = told
        if "请补报这一行" in line.said:
            self._missing_row(line)
            return
        page = self.workbook[line.sheet] if line.sheet in self.workbook.sheetnames else None
        if page is None:
            return
        if "取消合并" in line.said and line.cell:
            for area in [a for a in page.merged_cells.ranges if line.cell in a]:
                page.unmerge_cells(str(area))
            self._look_up(page, page[line.cell])
            return
        if "请恢复代码行" in line.said:
            self.lost_heads.append(page.title)
            return
        if not line.cell:
            return
        cell = page[line.cell]
        if "把代码行移到" in line.said:
            at = int(cell.row)
            self.raised[page.title] = min(self.raised.get(page.title, at), at)
            return
        if "只保留一行" in line.said:
            self.deleted.setdefault(page.title, set()).add(int(cell.row))
            return
        if "选原因码" in line.said:
            self._reason(page, cell)
            return
        before = cell.value
        self._look_up(page, cell)
        if "各表同一单位的代码一并改正" in line.said:
            self._everywhere(before, cell.value)
        for code in dict.fromkeys("".join(found) for found in _CODE.findall(line.said)):
            self._named(page, cell, code)

    def _everywhere(self, before: object, now: object) -> None:
        """The code of a unit on all forms."""
        for page in self.workbook.worksheets:
            head, anchors = self.heads[page.title]
            column = next((c for c, text in anchors.items() if text == "B01"), None)
            for row in range(head + 1, page.max_row + 1) if column else ():
                if page.cell(row, column).value == before:
                    _put(page.cell(row, column), now)  # type: ignore[arg-type]

    def _missing_row(self, line: Line) -> None:
        """A unit that a form lacks: its row stands there under another code, or is written from the records."""
        found = _MISSING.search(line.said)
        if found is None:
            return
        title, unit = found.groups()
        form = next((f for f, layout in self.records.layouts.items() if layout.form.title == title), "")
        values = dict(self.rows.get(form, ())).get(unit)
        pages = [p for p in self.workbook.worksheets if "B01" in self.heads[p.title][1].values()]
        page = next((p for p in pages if self._form(self.heads[p.title][1].values()) == form), None)
        if page is None or values is None:
            return
        head, anchors = self.heads[page.title]
        key = next(c for c, text in anchors.items() if text == "B01")
        last = max(
            r for r in range(head, page.max_row + 1) if r == head or str(page.cell(r, key).value or "")[:1].isdigit()
        )
        row = next((r for r in range(head + 1, last + 1) if self._unit(page, r) == unit), last + 1)
        if row > last:
            _insert_row(page, row)
            for c, text in anchors.items():
                if text in values:
                    _put(page.cell(row, c), values[text])  # type: ignore[arg-type]
        _put(page.cell(row, key), unit)  # type: ignore[arg-type]

    def _reason(self, page: Worksheet, cell: Cell) -> None:
        _, anchors = self.heads[page.title]
        column = next((c for c, text in anchors.items() if text == YEAR_EARLIER_REASON), None)
        if column is not None:
            _put(page.cell(cell.row, column), "05")

    def _look_up(self, page: Worksheet, cell: Cell) -> None:
        """Write what the records say of one cell."""
        found = self._record(page, cell)
        if found is not None:
            _put(cell, found[0])

    def _named(self, page: Worksheet, at: Cell, code: str) -> None:
        """Another figure of the same unit that the line names by its code."""
        head, anchors = self.heads[page.title]
        if "value" in anchors.values():
            for row in range(head + 1, page.max_row + 1):
                named = next(c for c, text in anchors.items() if text == "code")
                if str(page.cell(row, named).value or "").strip() == code.removesuffix("_yoy"):
                    lag = "value_yoy" if code.endswith("_yoy") else "value"
                    column = next((c for c, text in anchors.items() if text == lag), None)
                    if column:
                        self._look_up(page, page.cell(row, column))  # type: ignore[arg-type]
            return
        column = next((c for c, text in anchors.items() if text == code), None)
        if column is not None:
            self._look_up(page, page.cell(at.row, column))  # type: ignore[arg-type]
            return
        unit = self._unit(page, int(at.row))
        for other in self.workbook.worksheets:  # a figure on another form of the same unit
            head, anchors = self.heads[other.title]
            column = next((c for c, text in anchors.items() if text == code), None)
            if unit and column is not None and "value" not in anchors.values():
                for row in range(head + 1, other.max_row + 1):
                    if self._unit(other, row) == unit:
                        self._look_up(other, other.cell(row, column))  # type: ignore[arg-type]

    def _record(self, page: Worksheet, cell: Cell) -> tuple[object] | None:
        """What the records say of a cell, in a tuple of its own since nothing is an answer too; None where they know no such cell."""
        _, anchors = self.heads[page.title]
        says = self.records.says
        if "value" in anchors.values():
            named = next(c for c, text in anchors.items() if text == "code")
            code = str(page.cell(cell.row, named).value or "").strip()
            lag = "_yoy" if anchors.get(cell.column) == "value_yoy" else ""
            return (says.get(("park", self.records.park, f"{code}{lag}")),) if code else None
        text = anchors.get(cell.column, "")
        form = self._form(anchors.values())
        unit = self._unit(page, int(cell.row))
        if not form or not unit or Anchor.parse(text) is None:
            return None
        if text == "B01":
            return (unit,)
        return (says.get((form, unit, text), says.get(("basic", unit, text))),)

    def _form(self, anchors: Iterable[str]) -> str:
        votes = Counter(
            self.records.edition.indicators[a.code].form
            for text in anchors
            if (a := Anchor.parse(text)) and a.code in self.records.edition.indicators and a.code not in ("B01", "B02")
        )
        return votes.most_common(1)[0][0] if votes else "basic"

    def _unit(self, page: Worksheet, row: int) -> str:
        """Whose row this is: by its code, else by the figures that stand in it."""
        _, anchors = self.heads[page.title]
        form = self._form(anchors.values())
        standing = {text: _text(page.cell(row, c).value) for c, text in anchors.items() if Anchor.parse(text)}
        best, most = "", 0
        for unit, values in self.rows.get(form, ()):
            own = {"B01": unit, **values}
            same = sum(_text(own[c]) == text for c, text in standing.items() if c in own and text)
            if form not in ("projects", "incubators", "tasks") and standing.get("B01") == unit:
                return unit
            if same > most:
                best, most = unit, same
        return best

    def finish(self) -> None:
        """Rows that are to go, and code rows put back from the template at hand."""
        for title, rows in self.deleted.items():
            for row in sorted(rows, reverse=True):
                _delete_row(self.workbook[title], row)
        for title, row in self.raised.items():
            page, (head, anchors) = self.workbook[title], self.heads[title]
            _delete_row(page, head)
            _insert_row(page, row)
            for c, text in anchors.items():
                page.cell(row, c).value = text
        if not self.lost_heads:
            return
        template = openpyxl.load_workbook(io.BytesIO(self.records.data))
        for title in self.lost_heads:
            _code_row_put_back(self.workbook[title], template)


def _insert_row(page: Worksheet, at: int) -> None:
    """A row put in as Excel does it: merged areas below move along."""
    page.insert_rows(at)
    for area in page.merged_cells.ranges:
        if area.min_row >= at:
            area.shift(row_shift=1)


def _delete_row(page: Worksheet, at: int) -> None:
    page.delete_rows(at)
    for area in page.merged_cells.ranges:
        if area.min_row > at:
            area.shift(row_shift=-1)


def _code_row_put_back(page: Worksheet, template: Workbook) -> None:
    """The code row of the template's sheet with the same heads, below them."""
    for issued in template.worksheets:
        head, anchors = _head(issued)
        titles = {str(issued.cell(head - 1, c).value): text for c, text in anchors.items()} if anchors else {}
        for row in range(1, 40):
            standing = {
                c: str(page.cell(row, c).value) for c in range(1, page.max_column + 1) if page.cell(row, c).value
            }
            shared = {c: titles[text] for c, text in standing.items() if text in titles}
            if len(shared) > len(titles) / 2:
                _insert_row(page, row + 1)
                for c, text in shared.items():
                    page.cell(row + 1, c).value = text
                return


def _head(page: Worksheet) -> tuple[int, dict[int, str]]:
    """The code row and what stands in it."""
    for row in range(1, 41):
        cells = {
            c: str(page.cell(row, c).value).strip() for c in range(1, page.max_column + 1) if page.cell(row, c).value
        }
        own = [text for text in cells.values() if Anchor.parse(text) or is_code_row([text, "code", "value"])]
        if len(own) > 2 and len(own) >= len(cells) - 3:
            return row, cells
    return 0, {}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "是" if value else "否"
        case Decimal() | float() | int():
            return f"{float(value):.10g}"
        case date():
            return str(value)[:10]
    return str(value).strip()


def _put(cell: Cell, value: object) -> None:
    """What a clerk types into a cell, in a format that fits."""
    match value:
        case bool():
            cell.value, cell.number_format = "是" if value else "否", "General"
        case Decimal():
            cell.value, cell.number_format = float(value), "General"
        case int() | None:
            cell.value, cell.number_format = value, "General"
        case date():
            cell.value, cell.number_format = value, "yyyy-mm-dd"
        case _:
            cell.value, cell.number_format = str(value), "@"
            cell.data_type = "s"
