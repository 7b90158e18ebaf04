"""What people do to the workbook itself: sheets, rows and columns renamed, moved, inserted, hidden, merged, deleted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

from openpyxl.comments import Comment
from openpyxl.worksheet.worksheet import Worksheet

from schemas.layout import FOOT, HEADER_ROW, META_SHEET, OPERANDS_SHEET, Anchor
from tests.oracle.books import Book
from tests.oracle.faults import PLANTED_FORMULA

STRUCTURE: dict[str, Callable[[Book], None]] = {}


def structure(kind: str) -> Callable[[Callable[[Book], None]], Callable[[Book], None]]:
    def noted(change: Callable[[Book], None]) -> Callable[[Book], None]:
        STRUCTURE[kind] = change
        return change

    return noted


def _roster_page(book: Book) -> tuple[str, Worksheet]:
    """An enterprise sheet with data."""
    forms = sorted({f for f, _, c in book.says if c in ("F01", "P01", "B07", "F22")})
    form = book.chance.choice(forms)
    return form, book.pages[form]


def _code_row(page: Worksheet) -> int:
    """Where the code row stands by now, wherever its columns were moved to."""
    return next(r for r in range(1, 40) if sum(Anchor.parse(c.value) is not None for c in page[r]) > 2)


@structure("工作表改名")
def _renamed(book: Book) -> None:
    _, page = _roster_page(book)
    page.title = book.chance.choice(("Sheet1", "表二", "财务(终稿)", "复件 附表"))
    book.expect("工作表改名", "forensics", "sheet_renamed", page=page)


@structure("工作表换位置")
def _reordered(book: Book) -> None:
    _, page = _roster_page(book)
    book.workbook.move_sheet(page, offset=-book.workbook.index(page))
    book.expect("工作表换位置", "nothing")


@structure("上方插入行")
def _rows_above(book: Book) -> None:
    _, page = _roster_page(book)
    page.insert_rows(book.chance.choice((1, 3, HEADER_ROW)), amount=book.chance.randint(1, 4))
    book.expect("上方插入行", "forensics", "rows_inserted", page=page)


@structure("数据之间插入空行")
def _rows_between(book: Book) -> None:
    _, page = _roster_page(book)
    page.insert_rows(_code_row(page) + 3)
    book.expect("数据之间插入空行", "forensics", "rows_inserted", page=page)


@structure("插入列")
def _columns_inserted(book: Book) -> None:
    _, page = _roster_page(book)
    at = book.chance.randint(3, 8)
    page.insert_cols(at)
    page.cell(_header_row(page), at).value = book.chance.choice((None, "备注", "去年数"))
    if page.cell(_header_row(page), at).value:
        page.cell(_code_row(page) + 2, at).value = "自用"
    book.expect("插入列", "forensics", "columns_inserted", page=page)


@structure("插入列并写进代码行")
def _column_in_code_row(book: Book) -> None:
    _, page = _roster_page(book)
    page.insert_cols(4)
    page.cell(_code_row(page), 4).value = "备注"
    page.cell(_code_row(page) + 1, 4).value = "已核"
    book.expect("插入列并写进代码行", "forensics", "columns_inserted", page=page)


def _header_row(page: Worksheet) -> int:
    return _code_row(page) - 1


@structure("列换位置")
def _columns_moved(book: Book) -> None:
    _, page = _roster_page(book)
    row = _code_row(page)
    filled = [
        c for c in range(3, page.max_column) if page.cell(row, c).value and "_" not in str(page.cell(row, c).value)
    ]
    first, second = filled[0], filled[-1]
    for r in range(row - 1, page.max_row + 1):
        a, b = page.cell(r, first), page.cell(r, second)
        page._cells[r, first], page._cells[r, second] = b, a
        a.column, b.column = second, first
    book.expect("列换位置", "forensics", "columns_moved", page=page)


@structure("主键列移到最右")
def _key_moved(book: Book) -> None:
    form, page = _roster_page(book)
    row = _code_row(page)
    last = next(c for c in range(page.max_column, 1, -1) if page.cell(row, c).value) + 1
    for r in range(row - 1, max(int(c.row) for w, c in book.cells.items() if w[0] == form) + 1):
        cell = page.cell(r, 1)
        page._cells[r, last] = cell
        cell.column = last
        del page._cells[r, 1]
    book.expect("主键列移到最右", "forensics", "columns_moved", page=page)


@structure("重复代码行")
def _code_row_again(book: Book) -> None:
    _, page = _roster_page(book)
    row = _code_row(page)
    page.insert_rows(row + 4, amount=2)
    for c in range(1, page.max_column + 1):
        for n in (0, 1):
            page.cell(row + 4 + n, c).value = page.cell(row - 1 + n, c).value
    book.expect("重复代码行", "forensics", "second_header", page=page)


@structure("覆盖校验公式")
def _formula_overwritten(book: Book) -> None:
    _, page = _roster_page(book)
    row = _code_row(page)
    column = next(c.column for c in page[row] if c.value == "audit")
    page.cell(row + 2, column).value = 0
    book.expect("覆盖校验公式", "forensics", "formula_overwritten", page=page)


@structure("旧版模板")
def _old_edition(book: Book) -> None:
    if META_SHEET not in book.workbook.sheetnames:
        return
    page = book.workbook[META_SHEET]
    row = next(r for r in range(1, 20) if page.cell(r, 1).value == "edition")
    page.cell(row, 2).value = "2009"
    book.expect("旧版模板", "finding", "old_edition")


@structure("删除 _ops")
def _no_operands(book: Book) -> None:
    del book.workbook[OPERANDS_SHEET]
    # Without what was issued nobody can tell what was changed.
    lost = {"yoy_reason", "yoy_required", "yoy_changed"}
    book.expected = [e for e in book.expected if not e.codes & lost]
    if META_SHEET in book.workbook.sheetnames:  # without it nobody knows whether there was such a sheet
        book.expect("删除 _ops", "forensics", "no_operands")


@structure("两行表头")
def _second_header(book: Book) -> None:
    _, page = _roster_page(book)
    row = _code_row(page)
    page.insert_rows(row + 1)
    for c in range(1, page.max_column + 1):
        page.cell(row + 1, c).value = page.cell(row - 1, c).value
    book.expect("两行表头", "forensics", "second_header", page=page)


@structure("计量单位行")
def _measures(book: Book) -> None:
    _, page = _roster_page(book)
    row = _code_row(page)
    page.insert_rows(row + 1)
    for c in range(1, page.max_column + 1):
        anchor = Anchor.parse(page.cell(row, c).value)
        measure = book.original.edition.indicators[anchor.code].unit_measure if anchor else "-"
        page.cell(row + 1, c).value = measure if measure != "-" else None
    if sum(page.cell(row + 1, c).value is not None for c in range(1, page.max_column + 1)) > 1:
        book.expect("计量单位行", "forensics", "second_header", page=page)


@structure("栏目序号行")
def _numbering(book: Book) -> None:
    _, page = _roster_page(book)
    row = _code_row(page)
    page.insert_rows(row + 1)
    columns = [c for c in range(1, page.max_column + 1) if Anchor.parse(page.cell(row, c).value)]
    for n, c in enumerate(columns):
        page.cell(row + 1, c).value = "甲乙"[n] if n < 2 else n - 1
    book.expect("栏目序号行", "forensics", "second_header", page=page)


@structure("校验列粘贴为值")
def _pasted(book: Book) -> None:
    _, page = _roster_page(book)
    column = next(c.column for c in page[_code_row(page)] if c.value == "audit")
    for cells in page.iter_rows():
        for cell in cells:
            if cell.data_type == "f" and cell.value != PLANTED_FORMULA:
                cell.value = "通过" if cell.column == column else None
    page.cell(_code_row(page) + 1, column).value = "通过"
    book.expect("校验列粘贴为值", "forensics", "formula_overwritten", page=page)


@structure("末尾合计行")
def _total_row(book: Book) -> None:
    form, page = _roster_page(book)
    last = max(int(cell.row) for (f, _, _), cell in book.cells.items() if f == form)
    page.insert_rows(last + 1)
    page.cell(last + 1, 1).value = book.chance.choice(("合计", "合 计", "总计", "小计"))
    for c in range(5, min(page.max_column, 12)):
        page.cell(last + 1, c).value = 123456
    book.expect("末尾合计行", "forensics", "total_row", page=page)


@structure("隐藏行")
def _hidden_rows(book: Book) -> None:
    _, page = _roster_page(book)
    page.row_dimensions[_code_row(page) + 2].hidden = True
    book.expect("隐藏行", "forensics", "hidden_rows", page=page)


@structure("隐藏列")
def _hidden_columns(book: Book) -> None:
    form, page = _roster_page(book)
    code = {"basic": "B07", "finance": "F01", "personnel": "P01"}.get(form, "F01")
    row = _code_row(page)
    column = next(c for c in page[row] if c.value == code)
    page.column_dimensions[column.column_letter].hidden = True
    book.expect("隐藏列", "forensics", "hidden_columns", page=page)


@structure("隐藏工作表")
def _hidden_sheet(book: Book) -> None:
    _, page = _roster_page(book)
    page.sheet_state = book.chance.choice(("hidden", "veryHidden"))
    book.expect("隐藏工作表", "forensics", "hidden_sheet", page=page)


@structure("筛选")
def _filter(book: Book) -> None:
    _, page = _roster_page(book)
    row = _code_row(page)
    page.auto_filter.ref = f"A{row}:F{row + 6}"
    page.row_dimensions[row + 3].hidden = True
    book.expect("筛选", "forensics", "hidden_rows", page=page)


@structure("合并单元格盖住数据")
def _merged_over(book: Book) -> None:
    form, page = _roster_page(book)
    cells = [w for w in book.cells if w[0] == form and w[2] in ("F01", "P01", "B07", "F22") and w in book.says]
    free = [w for w in cells if w[1] not in book.used]
    pairs = [(a, b) for a in free for b in free if a[2] == b[2] and book.cells[b].row == book.cells[a].row + 1]
    if not pairs:
        book.expect("合并单元格盖住数据", "nothing")
        return
    upper, lower = book.chance.choice(pairs)
    book.used |= {upper[1], lower[1]}
    cell = book.cells[lower]
    page.merged_cells.add(f"{book.cells[upper].coordinate}:{cell.coordinate}")
    book.expect("合并单元格盖住数据", "finding", "merged_over", page=page, cells=(cell,))


@structure("删除 _meta")
def _no_meta(book: Book) -> None:
    del book.workbook[META_SHEET]
    book.expected = [e for e in book.expected if not e.codes & {"old_edition", "no_operands"}]
    book.expect("删除 _meta", "forensics", "no_meta")


@structure("取消保护")
def _unprotected(book: Book) -> None:
    _, page = _roster_page(book)
    page.protection.disable()
    book.expect("取消保护", "forensics", "unprotected", page=page)


@structure("删除代码行")
def _no_code_row(book: Book) -> None:
    form, page = _roster_page(book)
    page.delete_rows(_code_row(page))
    for where in [w for w in book.says if w[0] == form]:
        book.says[where] = None
    book.is_open = True
    # What else was done to this sheet cannot be seen any more.
    book.expected = [e for e in book.expected if e.page is not page]
    # Where the code row had been written twice, the lower one is left, with data above it.
    book.expect("删除代码行", "finding", "no_code_row", "data_above", page=page)


@structure("自加工作表")
def _own_sheet(book: Book) -> None:
    page = book.workbook.create_sheet(book.chance.choice(("草稿", "Sheet9", "联系人")))
    for row in (["序号", "企业", "备注"], [1, "甲公司", "已交"], [2, "乙公司", 3.5]):
        page.append(row)
    book.expect("自加工作表", "forensics", "extra_sheet", page=page)


@structure("批注")
def _comment(book: Book) -> None:
    form, _ = _roster_page(book)
    cell = next(c for w, c in book.cells.items() if w[0] == form and w[2] in ("F01", "P01", "B07", "F22"))
    cell.comment = Comment("请张三核实 123", "李四")
    book.expect("批注", "nothing")


@structure("表尾有人签名")
def _foot(book: Book) -> None:
    _, page = _roster_page(book)
    row = next(r for r in range(page.max_row, 1, -1) if str(page.cell(r, 1).value or "").startswith(FOOT))
    page.cell(row + 2, 1).value = "说明:本表已由各部门核对"
    page.cell(row + 2, 6).value = 20260901
    book.expect("表尾有人签名", "nothing")


@structure("另存为 .xlsm")
def _macros(book: Book) -> None:
    def with_macros(data: bytes) -> bytes:
        buffer = io.BytesIO(data)
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.writestr("xl/vbaProject.bin", b"\0" * 64)
        return buffer.getvalue()

    book.name = "book.xlsm"
    book.finishing.append(with_macros)
    book.expect("另存为 .xlsm", "forensics", "macros")


LAST = ("合并单元格盖住数据", "主键列移到最右", "删除代码行")
"""Done after everything else: merged areas do not move with rows put in later; with the others what else was done is lost."""
