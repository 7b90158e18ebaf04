"""Planted faults: one of every kind, put into a filled workbook at a cell we know, with the finding that must come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl
from openpyxl.cell.cell import Cell
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from schemas.layout import is_code_row


@dataclass(frozen=True)
class Fault:
    """What is done to one cell, and what must be found there. ``wanted`` chooses the unit from the figures."""

    id: str
    title: str
    form: str
    code: str
    rule: str
    severity: str
    change: Callable[[Cell], None]
    wanted: pl.Expr
    rounds: str = "A"


@dataclass(frozen=True)
class Planted:
    """A fault in its place: sheet and cell as the park will read them."""

    fault: Fault
    unit_id: str
    sheet: str
    cell: str


def _set(value: object) -> Callable[[Cell], None]:
    def change(cell: Cell) -> None:
        cell.value = value  # type: ignore[assignment]

    return change


def _by(change_of: Callable[[float], object]) -> Callable[[Cell], None]:
    def change(cell: Cell) -> None:
        cell.value = change_of(float(cell.value or 0))  # type: ignore[arg-type, assignment]

    return change


def _error_cell(cell: Cell) -> None:
    cell.value, cell.data_type = "#REF!", "e"


SERVICE = ~pl.col("industrial") & ~pl.col("B16") & (pl.col("F01") > 3000)
ANY = pl.col("F01") > 2000
INDUSTRIAL = pl.col("industrial") & ~pl.col("B16") & ~pl.col("B11")

FAULTS: tuple[Fault, ...] = (
    Fault("identity", "净利润与利润总额、所得税不平", "finance", "F15", "AF05", "hard", _by(lambda v: int(v) + 1000), ANY),
    Fault("part", "其中项大于总项", "finance", "F02", "AF02", "hard", _by(lambda v: int(v) * 2), SERVICE),
    Fault("code", "行业代码不存在", "basic", "B07", "AB07", "hard", _set("9999"), SERVICE),
    Fault("letters", "数字里混了字母", "finance", "F03", "type", "hard", _set("1,2O0"), SERVICE),
    Fault("error", "公式错误值", "finance", "F05", "error_cell", "hard", _error_cell, SERVICE),
    Fault("uncalculated", "公式没有结果", "finance", "F08", "uncalculated", "hard", _set("=1+1"), SERVICE),
    Fault("blank", "必填项空白", "personnel", "P06", "required", "hard", _set(None), SERVICE),
    Fault("sign", "负数", "personnel", "P05", "sign", "hard", _set(-1), ANY),
    Fault("decimals", "小数位过多", "finance", "F04", "decimals", "hard", _set(123.456), SERVICE),
    Fault("unit_text", "单元格里写了单位", "finance", "F12", "unit_in_cell", "hard", _set("3.5万"), SERVICE),
    Fault("of_which", "发明专利多于专利", "ip", "I02", "AI01", "hard", _by(lambda v: int(v) + 90), ANY),
    Fault("questionnaire", "占比之和不是 100", "innovation", "N05", "AN01", "hard", _by(lambda v: v + 10), pl.col("product") & (pl.col("P02") >= 10)),
    Fault("park", "财政科技支出大于财政支出", "park", "K22", "AK03", "hard", _by(lambda v: v * 1000), ANY),
    Fault("incubator", "载体类型代码无效", "incubators", "H03", "AH02", "hard", _set("9"), ANY),
    Fault("magnitude", "元误作千元", "finance", "F01", "AF15", "soft", _by(lambda v: int(v) * 1000), SERVICE, "Q"),
    Fault("renovation", "技改投资大于总投资", "investment", "V02", "AV01", "hard", _by(lambda v: int(v) + 500_000), pl.col("V01") > 0, "Q"),
    Fault("funds", "应到位资金大于协议额", "projects", "J05", "AJ02", "hard", _by(lambda v: v * 100 + 1e6), ANY, "Q"),
    Fault("evidence", "有完成值没有佐证", "tasks", "G05", "AT03", "hard", _set(None), ANY, "Q"),
    Fault("contracts", "合同项数与金额不配", "ip", "I16", "AI09", "hard", _set(0), pl.col("I17") > 0, "Q"),
    Fault("percent", "百分数填在绝对数里", "finance", "F16", "percent_in_cell", "hard", _set("12%"), SERVICE, "Q"),
)  # fmt: skip


def plant(book: Workbook, faults: list[Fault], firms: pl.DataFrame, used: set[str]) -> Iterator[Planted]:
    """Put each fault into ``book`` at a unit of its own; ``firms`` has the figures that ``wanted`` looks at."""
    for fault in faults:
        place = _place(book, fault, firms, used)
        if place is not None:
            page, row, column, unit = place
            cell = page.cell(row, column)
            fault.change(cell)  # type: ignore[arg-type]
            used.add(unit)
            yield Planted(fault, unit, page.title, cell.coordinate)


def _place(book: Workbook, fault: Fault, firms: pl.DataFrame, used: set[str]) -> tuple[Worksheet, int, int, str] | None:
    for page in book.worksheets:
        heads = _heads(page)
        if heads is None:
            continue
        head, cells = heads
        if "value" in cells and fault.form == "park":
            for row in range(head + 1, page.max_row + 1):
                if page.cell(row, cells["code"]).value == fault.code:
                    return page, row, cells["value"], "park"
        elif fault.code in cells and "value" not in cells:
            return _roster_place(page, head, cells, fault, firms, used)
    return None


def _roster_place(
    page: Worksheet, head: int, cells: Mapping[str, int], fault: Fault, firms: pl.DataFrame, used: set[str]
) -> tuple[Worksheet, int, int, str] | None:
    chosen = set(firms.filter(fault.wanted)["B01"]) if "B01" in cells else None
    key = min(cells.values())
    for row in range(head + 1, page.max_row + 1):
        unit = page.cell(row, key).value
        if unit in (None, "") or str(unit) in used or (chosen is not None and unit not in chosen):
            continue
        if page.cell(row, cells[fault.code]).value in (None, "") and fault.code != "V02":
            continue
        return page, row, cells[fault.code], str(unit)
    return None


def _heads(page: Worksheet) -> tuple[int, dict[str, int]] | None:
    for row in page.iter_rows(min_row=1, max_row=20):
        if is_code_row([c.value for c in row]):
            return int(row[0].row or 0), {str(c.value).strip(): int(c.column) for c in row if c.value not in (None, "")}
    return None
