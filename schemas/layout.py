"""Where everything stands in a workbook 报表: sheets, head rows, columns and rows of each form in one round.

Pure: derived from form and period alone, so that template, reader, audit formulas and marked workbook agree without
asking each other. The reader must not rely on rows and letters (parks insert and move): it looks for the *code row*,
recognised by ``is_code_row``, and for the anchors in it, read by ``Anchor.parse``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from schemas import reserved
from schemas.environment import Same
from schemas.errors import DefinitionError
from schemas.model import Edition, Form, FormKind, Indicator
from schemas.period import Period

FORMAT_VERSION = "1"

INDEX_SHEET = "填报说明与自检"
CODES_SHEET = "代码表"
META_SHEET = "_meta"
OPERANDS_SHEET = "_ops"
LISTS_SHEET = "_codes"
OWN_SHEETS = frozenset({INDEX_SHEET, CODES_SHEET, META_SHEET, OPERANDS_SHEET, LISTS_SHEET})

TITLE_ROW, HEADER_ROW, CODE_ROW, FIRST_ROW = 1, 6, 7, 8
"""Rows as Excel counts them. Rows 2 to 5 hold the statutory head."""

FOOT = ("单位负责人", "统计负责人", "填表人", "联系电话", "报出日期")
"""Labels of the form foot; a row whose first filled cell starts with one of them ends the data rows."""

PARK_HEAD, PERIOD_HEAD = "填报单位", "报告期"
"""What the lines of the statutory head begin with that say whose form it is, ``…(CODE)``, and of when."""

IDENTIFICATION = (reserved.UNIT, reserved.NAME)
"""Codes that name the enterprise on every enterprise form; they are collected on the first one only."""

YEAR_EARLIER_REASON = "yoy_reason"
AUDIT = "audit"
SHEET_ANCHORS = ("code", "name", "unit_measure", "value", "value_yoy", YEAR_EARLIER_REASON, "value_last", AUDIT)
"""The code row of a form of kind *sheet*: there the indicator codes run down the column ``code``."""

_CODE = re.compile(r"(?P<code>[A-Z][0-9]{2,3})(?:_(?P<lag>yoy|last))?")
_LONGEST_ANCHOR = len("A000_last")
_FORBIDDEN_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\]")


class Role(StrEnum):
    """What a column is for. Only ``value``, ``key`` and ``yoy`` are read back as figures; ``reason`` as an explanation."""

    KEY = "key"
    VALUE = "value"
    YEAR_EARLIER = "yoy"
    REASON = "reason"
    LAST = "last"
    AUDIT = "audit"
    LABEL = "label"


@dataclass(frozen=True)
class Anchor:
    """What one cell of a code row says: an indicator code, and whether it heads 本期, 上年同期 (``yoy``) or 上期 (``last``)."""

    code: str
    lag: str = ""

    @classmethod
    def parse(cls, text: object) -> Anchor | None:
        """Read ``F01``, ``F01_yoy``, ``F01_last``; None for anything else, ``yoy_reason`` and ``audit`` included."""
        code = text.strip() if isinstance(text, str) else ""
        return _anchor(code) if 2 < len(code) <= _LONGEST_ANCHOR else None

    @property
    def column(self) -> str:
        """The column of the form frame."""
        return f"{self.code}_{self.lag}" if self.lag else self.code


@lru_cache(maxsize=4096)
def _anchor(text: str) -> Anchor | None:
    found = _CODE.fullmatch(text)
    return Anchor(found["code"], found["lag"] or "") if found else None


def is_code_row(cells: Iterable[object]) -> bool:
    """Whether these cells of one row are the code row of a roster or a sheet form; blank cells do not matter.

    At least two cells are filled, each is an anchor; or ``code`` and ``value`` are among them and all are SHEET_ANCHORS.
    """
    filled = [c.strip() if isinstance(c, str) else c for c in cells if c is not None and c != ""]
    filled = [c for c in filled if c != ""]
    if len(filled) < 2:
        return False
    if "code" in filled and "value" in filled:
        return all(c in SHEET_ANCHORS for c in filled)
    return any(Anchor.parse(c) for c in filled) and all(
        Anchor.parse(c) or c in (YEAR_EARLIER_REASON, AUDIT) for c in filled
    )


def column_letter(index: int) -> str:
    """Letters of a column counted from 0: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@dataclass(frozen=True)
class Column:
    """One column of a sheet. ``anchor`` stands in the code row, ``header`` above it."""

    index: int
    anchor: str
    header: str
    role: Role
    indicator: Indicator | None = None

    @cached_property
    def letter(self) -> str:
        """The column as Excel names it."""
        return column_letter(self.index)


@dataclass(frozen=True)
class SheetLayout:
    """One form on its sheet in one period. Rows are Excel rows, counted from 1."""

    form: Form
    period: Period
    name: str
    columns: tuple[Column, ...]
    asked: tuple[Indicator, ...]
    frozen: int

    @cached_property
    def by_anchor(self) -> dict[str, Column]:
        """Anchor → column, in sheet order."""
        return {column.anchor: column for column in self.columns}

    def column(self, anchor: str) -> Column:
        """The column with this anchor. Raises DefinitionError where the form does not have it in this period."""
        try:
            return self.by_anchor[anchor]
        except KeyError:
            raise DefinitionError(
                f"表“{self.name}”在 {self.period} 没有列 {anchor}", remedy="请核对轮次与代码。"
            ) from None

    def address(self, anchor: str, row: int) -> str:
        """A1 address of a column in a row."""
        return f"{self.column(anchor).letter}{row}"

    @cached_property
    def indicator_rows(self) -> dict[str, int]:
        """Indicator → row on a form of kind sheet; empty for the others."""
        if self.form.kind is not FormKind.SHEET:
            return {}
        return {indicator.code: FIRST_ROW + n for n, indicator in enumerate(self.asked)}

    def cell(self, code: str, row: int | None = None, lag: str = "") -> str:
        """A1 address of a figure: on a roster in ``row``, on a sheet form in the indicator's own row."""
        if self.form.kind is FormKind.SHEET:
            return self.address(f"value_{lag}" if lag else "value", self.indicator_rows[code])
        if row is None:
            raise DefinitionError(f"表“{self.name}”每个单位一行,须指明行号")
        return self.address(f"{code}_{lag}" if lag else code, row)

    def last_row(self, rows: int) -> int:
        """The last data row when the sheet has ``rows`` of them (at least one is kept)."""
        return FIRST_ROW + max(rows, 1) - 1

    def foot_row(self, rows: int) -> int:
        """The first row of the foot: one blank row below the data."""
        return self.last_row(rows) + 2

    @property
    def table_name(self) -> str:
        """Defined name of the table area, code row to last data row."""
        return f"ytb_{self.form.code}"

    @property
    def is_enterprise(self) -> bool:
        """Whether a row is an enterprise of the unit register."""
        return self.form.roster == "enterprise"


def printed_period(period: Period) -> str:
    """The report period as it stands in cells and on forms: 2025 or 2025Q1 (stored as 2025-Q1)."""
    return str(period).replace("-", "")


def sheet_name(form: Form) -> str:
    """The sheet name of a form: its title, without characters that Excel forbids, at most 31 long."""
    return _FORBIDDEN_IN_SHEET_NAMES.sub("", form.title).strip("'")[:31]


def forms_due(
    edition: Edition, period: Period, kinds: Sequence[FormKind] = (FormKind.ROSTER, FormKind.SHEET)
) -> tuple[Form, ...]:
    """Forms with at least one indicator asked in ``period``, in printed order.

    A park files rosters and sheets; ``context`` forms are the province's own.
    """
    return tuple(form for form in edition.forms.values() if form.kind in kinds and form.asked(period))


def sheet_layout(edition: Edition, form: Form, period: Period) -> SheetLayout:
    """The layout of one form in one period."""
    return _sheet_layout(Same(edition), Same(form), period)


@lru_cache(maxsize=256)
def _sheet_layout(same_edition: Same[Edition], same_form: Same[Form], period: Period) -> SheetLayout:
    edition, form = same_edition.item, same_form.item
    asked = form.asked(period)
    if form.kind is FormKind.SHEET:
        return SheetLayout(form, period, sheet_name(form), tuple(_sheet_columns(form, period)), asked, 3)
    columns = tuple(_roster_columns(edition, form, period))
    keys = sum(column.role is Role.KEY for column in columns)
    return SheetLayout(form, period, sheet_name(form), columns, asked, max(keys, 1))


def workbook_layout(
    edition: Edition, period: Period, kinds: Sequence[FormKind] = (FormKind.ROSTER, FormKind.SHEET)
) -> dict[str, SheetLayout]:
    """Form code → layout, for every form due in ``period``, in the order of the sheets."""
    layouts = {form.code: sheet_layout(edition, form, period) for form in forms_due(edition, period, kinds)}
    names = [layout.name for layout in layouts.values()]
    if len({*names, *OWN_SHEETS}) != len(names) + len(OWN_SHEETS):
        raise DefinitionError(f"{edition.id} 版有同名的表,或与固定工作表重名", remedy="请修改 forms/*.toml 的 title。")
    return layouts


def _roster_columns(edition: Edition, form: Form, period: Period) -> Iterable[Column]:
    asked = {indicator.code: indicator for indicator in form.asked(period)}
    keys = [
        code for code in (IDENTIFICATION if form.roster == "enterprise" else form.key) if code in edition.indicators
    ]
    with_year_earlier = {indicator.code for indicator in form.with_year_earlier(period)}
    plan: list[tuple[str, str, Role, Indicator | None]] = [
        (code, edition.indicators[code].label, Role.KEY, edition.indicators[code]) for code in keys
    ]
    for code, indicator in asked.items():
        if code not in keys:
            plan.append((code, indicator.label, Role.VALUE, indicator))
            if code in with_year_earlier:
                plan.append((f"{code}_yoy", f"{indicator.name}上年同期", Role.YEAR_EARLIER, indicator))
    if with_year_earlier:
        plan.append((YEAR_EARLIER_REASON, "上年同期改动原因", Role.REASON, None))
    plan += [
        (f"{code}_last", f"{indicator.name}上期", Role.LAST, indicator)
        for code, indicator in asked.items()
        if code not in keys and indicator.type == "number"
    ]
    plan.append((AUDIT, "校验", Role.AUDIT, None))
    return (Column(n, *item) for n, item in enumerate(plan))


def _sheet_columns(form: Form, period: Period) -> Iterable[Column]:
    plan = [
        ("code", "代码", Role.LABEL),
        ("name", "指标名称", Role.LABEL),
        ("unit_measure", "计量单位", Role.LABEL),
        ("value", "本期", Role.VALUE),
    ]
    if form.with_year_earlier(period):
        plan += [("value_yoy", "上年同期", Role.YEAR_EARLIER), (YEAR_EARLIER_REASON, "上年同期改动原因", Role.REASON)]
    plan += [("value_last", "上期", Role.LAST), (AUDIT, "校验", Role.AUDIT)]
    return (Column(n, *item) for n, item in enumerate(plan))
