"""Content that lies: every kind of wrong or odd cell, put at a place we know, with the finding or repair that must come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from openpyxl.cell.cell import Cell

from schemas.catalog import programme
from schemas.expression import operands, parse
from schemas.model import Severity, ValueType
from schemas.uscc import is_valid_uscc
from sources.template_codes import choices_of
from sources.template_forms import is_starred
from tests.oracle.books import Book, Where

Change = Callable[[Book, Where], bool]
"""Put the fault there and note what must come; False where it cannot be put there."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault: where it may be put, and how."""

    kind: str
    fits: Callable[[Book, Where], bool]
    change: Change


FAULTS: dict[str, Fault] = {}


def fault(kind: str, fits: Callable[[Book, Where], bool]) -> Callable[[Change], Change]:
    def noted(change: Change) -> Change:
        FAULTS[kind] = Fault(kind, fits, change)
        return change

    return noted


def plant(book: Book, kind: str) -> bool:
    """Put one fault of ``kind`` somewhere; False where the book has no place for it. Every fault has a unit of its own."""
    of = FAULTS[kind]
    places = [w for w in book.says if w[1] not in book.used and w in book.cells and of.fits(book, w)]
    book.chance.shuffle(places)
    for where in places[:20]:
        if of.change(book, where):
            book.used.add(where[1])
            return True
    return False


# ── which cells ────────────────────────────────────────────────────────────────────────────────────────────────────
def _is_key(book: Book, where: Where) -> bool:
    return where[2] in ("B01", "B02", "B03", "B04", *book.original.edition.forms[where[0]].key)


def number(book: Book, where: Where) -> bool:
    return book.indicator(where).type is ValueType.NUMBER and not _is_key(book, where) and "_yoy" not in where[2]


def with_unit(book: Book, where: Where) -> bool:
    return number(book, where) and book.indicator(where).unit_measure not in ("", "-")


def large(book: Book, where: Where) -> bool:
    return number(book, where) and abs(book.says[where]) >= 1000  # type: ignore[arg-type]


def starred(book: Book, where: Where) -> bool:
    form = book.original.edition.forms[where[0]]
    is_asked = is_starred(book.indicator(where)) and not form.applies_if and "_yoy" not in where[2]
    return is_asked and not _is_key(book, where)


def optioned(book: Book, where: Where) -> bool:
    return bool(book.indicator(where).options) and book.indicator(where).type is ValueType.CODE


def listed(book: Book, where: Where) -> bool:
    return bool(book.indicator(where).codelist) and not _is_key(book, where)


def dated(book: Book, where: Where) -> bool:
    return book.indicator(where).type is ValueType.DATE


def text(book: Book, where: Where) -> bool:
    return book.indicator(where).type is ValueType.TEXT and not _is_key(book, where) and len(str(book.says[where])) > 2


def credit(book: Book, where: Where) -> bool:
    return where[0] == "basic" and where[2] == "B01"


def put(book: Book, where: Where, value: object, fmt: str | None = None, *, as_text: bool = False) -> None:
    """What now stands in the cell. Text that begins with = stays text where ``as_text``."""
    cell = book.cells[where]
    cell.value = value  # type: ignore[assignment]
    if as_text:
        cell.data_type = "s"
    if fmt:
        cell.number_format = fmt


def wrong(book: Book, where: Where, kind: str, *codes: str, never: Iterable[str] = ("required",)) -> bool:
    """The cell cannot be taken: it is null, and one finding of these codes stands at its address."""
    book.says[where] = None
    book.expect(kind, "finding", *codes, at=where, never=never)
    return True


def repaired(book: Book, where: Where, kind: str, code: str) -> bool:
    """The cell is taken for what it means, and that is listed at its address."""
    book.expect(kind, "normalised", code, at=where)
    return True


# ── repaired ───────────────────────────────────────────────────────────────────────────────────────────────────────
@fault("数字存为文本", number)
def _text_number(book: Book, where: Where) -> bool:
    put(book, where, str(book.says[where]), "@")
    return repaired(book, where, "数字存为文本", "text_number")


@fault("全角数字", number)
def _full_width(book: Book, where: Where) -> bool:
    wide = {ord(c): chr(ord(c) + 0xFEE0) for c in "0123456789.-"}
    put(book, where, str(book.says[where]).translate(wide), "@")
    return repaired(book, where, "全角数字", "full_width")


@fault("千分位", large)
def _thousands(book: Book, where: Where) -> bool:
    put(book, where, f"{book.says[where]:,}", "@")
    return repaired(book, where, "千分位", "thousands")


@fault("货币符号", large)
def _currency(book: Book, where: Where) -> bool:
    put(book, where, f"{book.chance.choice('¥￥')}{book.says[where]}", "@")
    return repaired(book, where, "货币符号", "currency")


@fault("数字后带计量单位", with_unit)
def _unit_text(book: Book, where: Where) -> bool:
    put(book, where, f"{book.says[where]}{book.indicator(where).unit_measure}", "@")
    return repaired(book, where, "数字后带计量单位", "unit_text")


@fault("数字前后空格", number)
def _number_spaces(book: Book, where: Where) -> bool:
    put(book, where, f"\u00a0 {book.says[where]} \u3000", "@")
    return repaired(book, where, "数字前后空格", "text_number")


@fault("零宽字符(数字)", number)
def _number_zero_width(book: Book, where: Where) -> bool:
    put(book, where, f"\u200b{book.says[where]}\ufeff", "@")
    return repaired(book, where, "零宽字符(数字)", "text_number")


@fault("文字前后空格", text)
def _text_spaces(book: Book, where: Where) -> bool:
    put(book, where, f" {book.says[where]} ")
    return repaired(book, where, "文字前后空格", "spaces")


@fault("信用代码带零宽字符", credit)
def _credit_zero_width(book: Book, where: Where) -> bool:
    value = str(book.says[where])
    put(book, where, value[:9] + "\u200b" + value[9:])
    return repaired(book, where, "信用代码带零宽字符", "spaces")


@fault("信用代码小写带空格", credit)
def _credit_lower(book: Book, where: Where) -> bool:
    value = str(book.says[where])
    put(book, where, f"{value[:8]} {value[8:]}".lower())
    return repaired(book, where, "信用代码小写带空格", "credit_code")


@fault("日期存为文本", dated)
def _text_date(book: Book, where: Where) -> bool:
    day = book.says[where]
    assert isinstance(day, date)
    style = book.chance.choice(("{y}-{m:02}-{d:02}", "{y}/{m}/{d}", "{y}年{m}月{d}日", "{y}.{m}.{d}"))
    put(book, where, style.format(y=day.year, m=day.month, d=day.day), "@")
    return repaired(book, where, "日期存为文本", "text_date")


@fault("日期只剩序号", dated)
def _serial_date(book: Book, where: Where) -> bool:
    day = book.says[where]
    assert isinstance(day, date)
    put(book, where, (day - date(1899, 12, 30)).days, "General")
    return repaired(book, where, "日期只剩序号", "date_serial")


@fault("代码处填了名称", optioned)
def _name_for_code(book: Book, where: Where) -> bool:
    options = book.indicator(where).options
    code = str(book.says[where])
    name = options.get(code, "")
    if not name or list(options.values()).count(name) != 1 or name in options:
        return False
    put(book, where, book.chance.choice((name, f"{code} {name}", f"{code}{name}", f"{code}-{name}")))
    return repaired(book, where, "代码处填了名称", "code_name")


@fault("代码表名称", listed)
def _listed_name(book: Book, where: Where) -> bool:
    of = book.original
    pairs = choices_of(programme(), of.edition, of.period, of.park).get(book.indicator(where).codelist, ())
    names = [name for _, name in pairs]
    name = dict(pairs).get(str(book.says[where]))
    if not name or names.count(name) != 1:
        return False
    put(book, where, book.chance.choice((name, f"{book.says[where]} {name}")))
    return repaired(book, where, "代码表名称", "code_name")


# ── missing ────────────────────────────────────────────────────────────────────────────────────────────────────────
@fault("必填项空白", starred)
def _blank(book: Book, where: Where) -> bool:
    put(book, where, None)
    return wrong(book, where, "必填项空白", "required", "rule", never=("error_cell", "uncalculated"))


@fault("必填项填“—”", starred)
def _dash(book: Book, where: Where) -> bool:
    if book.indicator(where).type is ValueType.TEXT:
        return False
    put(book, where, book.chance.choice(("—", "/", "无", "……")))
    if book.indicator(where).type is ValueType.BOOLEAN and book.cells[where].value == "无":
        put(book, where, "—")
    wrong(book, where, "必填项填“—”", "required", "rule", never=("error_cell", "uncalculated"))
    return repaired(book, where, "“—”按未填报", "missing_mark")


# ── refused cells ──────────────────────────────────────────────────────────────────────────────────────────────────
@fault("错误值", lambda b, w: number(b, w) or dated(b, w) or optioned(b, w))
def _error(book: Book, where: Where) -> bool:
    put(book, where, book.chance.choice(("#REF!", "#DIV/0!", "#N/A", "#VALUE!", "#NAME?")))
    book.cells[where].data_type = "e"
    return wrong(book, where, "错误值", "error_cell")


PLANTED_FORMULA = "=1+1"


@fault("公式未计算", number)
def _uncalculated(book: Book, where: Where) -> bool:
    put(book, where, PLANTED_FORMULA)
    return wrong(book, where, "公式未计算", "uncalculated")


@fault("字母混入数字", number)
def _letters(book: Book, where: Where) -> bool:
    digits = str(book.says[where])
    put(book, where, digits.replace("0", "O", 1) if "0" in digits else digits + "l", "@")
    return wrong(book, where, "字母混入数字", "type")


@fault("文字填入数字", number)
def _words(book: Book, where: Where) -> bool:
    put(book, where, book.chance.choice(("约", "同上", "见附表", "待定")))
    return wrong(book, where, "文字填入数字", "type")


@fault("单元格带万、亿", number)
def _magnitude(book: Book, where: Where) -> bool:
    # What the indicator is measured in is no mistake behind a figure.
    behind = book.chance.choice([m for m in ("万", "亿", "万元") if m != book.indicator(where).unit_measure])
    put(book, where, f"3.5{behind}")
    return wrong(book, where, "单元格带万、亿", "unit_in_cell")


@fault("百分号", lambda b, w: number(b, w) and b.indicator(w).unit_measure != "%")
def _percent(book: Book, where: Where) -> bool:
    put(book, where, "12.5%", "@")
    return wrong(book, where, "百分号", "percent_in_cell")


@fault("小数位过多", number)
def _decimals(book: Book, where: Where) -> bool:
    places = book.indicator(where).decimals + 1
    value = Decimal(int(Decimal(str(book.says[where])))) + Decimal(3).scaleb(-places)
    put(book, where, float(value))
    return wrong(book, where, "小数位过多", "decimals")


@fault("超过15位", number)
def _digits(book: Book, where: Where) -> bool:
    put(book, where, book.chance.choice((1234567890123456789, "1234567890123456789")))
    return wrong(book, where, "超过15位", "digits")


@fault("科学计数法文本", number)
def _scientific(book: Book, where: Where) -> bool:
    put(book, where, "1.2E+05", "@")
    return wrong(book, where, "科学计数法文本", "scientific")


@fault("数字格式成日期", number)
def _date_in_number(book: Book, where: Where) -> bool:
    put(book, where, datetime(2026, 9, 1), "yyyy-mm-dd")
    return wrong(book, where, "数字格式成日期", "date_in_number")


@fault("日期不明", dated)
def _no_date(book: Book, where: Where) -> bool:
    put(book, where, book.chance.choice(("去年9月", "2026年13月1日", "2026-02-30", "不详")), "@")
    return wrong(book, where, "日期不明", "date")


@fault("信用代码存为数字", lambda b, w: w[0] == "finance" and w[2] == "F01")
def _numeric_credit(book: Book, where: Where) -> bool:
    key = (where[0], where[1], "B01")
    digits = int("".join(c for c in where[1] if c.isdigit()).ljust(18, "0")[:18])
    put(book, key, digits, "0")
    book.expect("信用代码存为数字", "finding", "code_numeric", at=key)
    _forget_row(book, where)
    return True


def _forget_row(book: Book, where: Where) -> None:
    """The row is nobody's now: nothing of it counts for the unit."""
    for said in [s for s in book.says if s[:2] == where[:2]]:
        book.says[said] = None


# ── taken as typed, and found wrong by a rule ──────────────────────────────────────────────────────────────────────
def judged(book: Book, where: Where, kind: str, value: object, *codes: str) -> bool:
    """The cell is read as it stands; completeness, bounds or rules find it."""
    book.says[where] = value
    book.expect(kind, "finding", *codes, at=where)
    return True


@fault("代码不在代码表", optioned)
def _wrong_code(book: Book, where: Where) -> bool:
    put(book, where, "97")
    return judged(book, where, "代码不在代码表", "97", "domain", "rule")


@fault('行业代码 ="0012"', lambda b, w: w[2] == "B07")
def _quoted_code(book: Book, where: Where) -> bool:
    put(book, where, f'="{book.says[where]}"', as_text=True)
    return repaired(book, where, '行业代码 ="0012"', "quoted_text")


@fault("负数", lambda b, w: number(b, w) and b.indicator(w).nonneg)
def _negative(book: Book, where: Where) -> bool:
    value = -abs(int(book.says[where]) or 5)  # type: ignore[call-overload]
    put(book, where, value)
    return judged(book, where, "负数", value, "sign", "rule")


@fault("校验位错", credit)
def _check_character(book: Book, where: Where) -> bool:
    value = str(book.says[where])
    other = next(c for c in "0123456789ABCDEFGH" if not is_valid_uscc(value[:-1] + c))
    return _renamed(book, where[1], value[:-1] + other, "校验位错", "AB01")


@fault("信用代码形近字", credit)
def _look_alike(book: Book, where: Where) -> bool:
    value = str(book.says[where])
    if "0" not in value[2:]:
        return False
    at = value.index("0", 2)
    return _renamed(book, where[1], value[:at] + "O" + value[at + 1 :], "信用代码形近字", "AB01")


def _renamed(book: Book, unit: str, code: str, kind: str, rule: str) -> bool:
    """The unit goes by another code on every form of the workbook."""
    for form in {f for f, u, _ in book.cells if u == unit}:
        book.cells[form, unit, "B01"].value = code
    for said in [s for s in book.says if s[1] == unit]:
        value = book.says.pop(said)
        book.says[said[0], code, said[2]] = code if said[2] == "B01" else value
    book.used.add(code)
    book.expect(kind, "finding", rule, at=("basic", unit, "B01"))
    return True


@fault("同一单位两行", lambda b, w: w[2] in ("F01", "P01", "B07"))
def _duplicate(book: Book, where: Where) -> bool:
    page, cell = book.pages[where[0]], book.cells[where]
    row = int(cell.row)
    page.insert_rows(row + 1)
    for column in range(1, page.max_column + 1):
        page.cell(row + 1, column).value = page.cell(row, column).value
    book.expect("同一单位两行", "finding", "duplicate", page=page, cells=(_cell(page, row + 1, 1),))
    return True


def _cell(page: object, row: int, column: int) -> Cell:
    return page.cell(row, column)  # type: ignore[attr-defined, no-any-return]


@fault("单位错 ×1000", lambda b, w: w[2] == "F01" and (b.says.get((*w[:2], "F01_yoy")) or 0) > 0 and large(b, w))  # type: ignore[operator]
def _thousandfold(book: Book, where: Where) -> bool:
    value = int(book.says[where]) * 1000  # type: ignore[call-overload]
    put(book, where, value)
    book.says[where] = value
    return _relation(book, where, "单位错 ×1000", lambda rule: True)


@fault("恒等式不平", lambda b, w: number(b, w) and w[0] in ("finance", "rd", "personnel", "ip", "operations"))
def _identity(book: Book, where: Where) -> bool:
    if not any(_equalities(book, where)):
        return False
    value = int(book.says[where]) + 100_000  # type: ignore[call-overload]
    put(book, where, value)
    book.says[where] = value
    return _relation(book, where, "恒等式不平", lambda rule: rule.severity is Severity.HARD)


def _equalities(book: Book, where: Where) -> Iterable[bool]:
    for rule in book.original.edition.rules_for(book.original.period):
        if rule.kind == "row_sum" and not rule.applies_if and rule.severity is Severity.HARD:
            codes = {c for c, _ in operands(parse(rule.expression))}
            yield where[2] in codes and all((where[0], where[1], c) in book.says for c in codes)


def _relation(book: Book, where: Where, kind: str, wanted: Callable[..., bool]) -> bool:
    """A relation with this operand breaks; the finding may stand at any operand of the unit's own row."""
    rules = [
        r
        for r in book.original.edition.rules_for(book.original.period)
        if where[2] in {c for c, _ in operands(parse(r.expression))} and wanted(r)
    ]
    own = {c for r in rules for c, _ in operands(parse(r.expression))}
    cells = tuple(book.cells[f, u, c] for f, u, c in book.cells if (f, u) == where[:2] and c in own)
    book.expect(kind, "finding", *(r.id for r in rules), page=book.pages[where[0]], cells=cells)
    return True


@fault("改上年同期无原因码", lambda b, w: w[2].endswith("_yoy") and number(b, (w[0], w[1], w[2][:-4])))
def _restated(book: Book, where: Where) -> bool:
    return _restated_as(book, where, "改上年同期无原因码")


def _restated_as(book: Book, where: Where, kind: str) -> bool:
    form, unit, _ = where
    if not any(v for (f, u, c), v in book.says.items() if (f, u) == (form, unit) and c.endswith("_yoy")):
        return False  # an entrant on this form: nothing was issued
    value = int(book.says[where]) + 1  # type: ignore[call-overload]
    put(book, where, value)
    book.says[where] = value
    book.expect(kind, "finding", "yoy_reason", at=where)
    return True


@fault("园区表改上年同期", lambda b, w: w[0] == "park" and w[2].endswith("_yoy") and number(b, (*w[:2], w[2][:-4])))
def _park_restated(book: Book, where: Where) -> bool:
    return _restated_as(book, where, "园区表改上年同期")


@fault("改上年同期并选原因码", lambda b, w: w[2] == "F01_yoy")
def _restated_with_reason(book: Book, where: Where) -> bool:
    if not book.says[where]:
        return False
    value = int(book.says[where]) + 1  # type: ignore[call-overload]
    put(book, where, value)
    put(book, (where[0], where[1], "yoy_reason"), "05")
    book.says[where] = value
    book.expect("改上年同期并选原因码", "forensics", "yoy_changed", page=book.pages[where[0]])
    return True


def entrant(book: Book, where: Where) -> bool:
    """A cell of 上年同期 of an enterprise for which the template stated none, while it stated some of others."""
    form, unit, column = where
    if not column.endswith("_yoy") or form == "park" or (form, unit, column[:-4]) not in book.says:
        return False
    own = [v for (f, u, c), v in book.says.items() if u == unit and c.endswith("_yoy") and f != "park"]
    others = [v for (f, u, c), v in book.says.items() if (f, c) == (form, column) and u != unit]
    return not any(own) and any(others)


@fault("新进入单位未填上年同期", entrant)
def _entrant(book: Book, where: Where) -> bool:
    put(book, where, None)
    return wrong(book, where, "新进入单位未填上年同期", "yoy_required", never=("error_cell",))
