"""The template a park fills in: one sheet a form, everything on it generated from the programme.

Same input, same bytes. No macro, no dynamic array, plain functions only; the server decides, not the workbook.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from schemas.errors import DefinitionError
from schemas.layout import (
    FORMAT_VERSION,
    INDEX_SHEET,
    META_SHEET,
    OPERANDS_SHEET,
    Role,
    SheetLayout,
    workbook_layout,
)
from schemas.model import Edition, FormKind, Programme
from schemas.period import Period
from sources.template_codes import choices_of, write_code_tables, write_lists
from sources.template_forms import AuditFormula, Frame, write_form
from sources.template_index import Cover, write_index
from sources.template_prefill import Known, Prefill, prefill
from sources.writer import Book, Value, put

PARK_FORMS = (FormKind.ROSTER, FormKind.SHEET)
AREA_FORMS = (FormKind.CONTEXT,)


def write_template(
    edition: Edition,
    programme: Programme,
    period: Period,
    park_code: str,
    *,
    units: pl.DataFrame | None = None,
    previous: Mapping[str, pl.DataFrame] | None = None,
    year_earlier: Mapping[str, pl.DataFrame] | None = None,
    owing: Mapping[str, Collection[str]] | None = None,
    values: Mapping[str, pl.DataFrame] | None = None,
    as_of: date | None = None,
    template_id: str = "",
    deadline: str = "",
    contact: str = "",
    kinds: Sequence[FormKind] | None = None,
    unit: str = "",
    audit_formula: AuditFormula | None = None,
) -> bytes:
    """The workbook of one park and period, as .xlsx.

    ``units`` (unit_id, name, sub_park, B codes) lists the enterprises of the register; without it the enterprise sheets
    have empty rows. ``previous`` and ``year_earlier`` give, form by form, the last accepted figures and those of the
    same period a year earlier (unit_id and plain codes). ``owing`` limits a form to the units that owe it.
    ``values`` (form frames of a submission) fills the input cells: a fresh template for a park whose own file cannot be marked.
    ``kinds`` defaults to the park's own forms; for an area or province code to the background form.
    ``unit``: the own workbook of this one enterprise, which must be the only row of ``units``: the enterprise forms it owes.
    """
    kinds = kinds or (PARK_FORMS if _is_park(programme, period, park_code) else AREA_FORMS)
    layouts = [x for x in workbook_layout(edition, period, kinds).values() if x.is_enterprise or not unit]
    known = Known(units, previous or {}, year_earlier or {}, owing or {}, values or {})
    stated = {layout.form.code: prefill(layout, park_code, known) for layout in layouts}
    if unit:
        layouts = [layout for layout in layouts if stated[layout.form.code].listed]
        _require_one(units, unit)
    name, division = _named(programme, period, park_code)
    park = f"{name}({park_code})" if name else park_code
    filer = f"{_unit_name(units, unit)}({park})" if unit else park
    book = Book(title=f"{edition.title} {period.title} {_unit_name(units, unit) if unit else name or park_code}")
    index = book.sheet(INDEX_SHEET)
    shown_day = as_of.isoformat() if as_of else ""
    lists = write_lists(book, layouts, choices_of(programme, edition, period, park_code))
    for layout in layouts:
        write_form(book, layout, stated[layout.form.code], Frame(edition, park, lists, audit_formula))
    write_code_tables(book, layouts, lists, division)
    cover = Cover(edition, period, filer, deadline or deadline_text(edition, period), contact, shown_day)
    write_index(book, index, layouts, stated, cover)
    _write_operands(book, layouts, stated, park_code, shown_day)
    facts = {
        "format_version": FORMAT_VERSION,
        "programme": programme.code,
        "edition": edition.id,
        "period": str(period),
        "park": park_code,
        **({"unit": unit} if unit else {}),
        "template_id": template_id or _identity(programme, edition, period, f"{park_code}{unit}", shown_day),
        "fingerprint": programme.fingerprint,
        "as_of": shown_day,
    }
    _write_meta(book, facts, layouts)
    return book.to_bytes()


def _require_one(units: pl.DataFrame | None, unit: str) -> None:
    if units is None or units["unit_id"].to_list() != [unit]:
        raise DefinitionError(f"企业 {unit} 的工作簿里只能有它自己", remedy="请只给出名录中的这一行。")


def _unit_name(units: pl.DataFrame | None, unit: str) -> str:
    stated = units["name"][0] if units is not None and units.height and "name" in units.columns else None
    return f"{stated} {unit}" if stated else unit


def deadline_text(edition: Edition, period: Period) -> str:
    """The statutory deadline of a round as printed, such as 2025年4月15日24时前; empty where the edition sets none."""
    rule = edition.parameters.get("deadlines", {}).get(period.round)
    if not rule:
        return ""
    day = (
        date(period.year + 1, rule["month"], rule["day"])
        if "month" in rule
        else period.end + timedelta(days=int(rule["days"]))
    )
    return f"{day.year}年{day.month}月{day.day}日{rule.get('hour', 24)}时前"


def _is_park(programme: Programme, period: Period, code: str) -> bool:
    known = programme.codelists["parks"].valid(period.end).filter(code=code)
    return (known.is_empty() and not code.isdigit()) or bool(known.filter(pl.col("kind") != "area").height)


def _named(programme: Programme, period: Period, code: str) -> tuple[str, str]:
    """Name and division code of a park, area or province."""
    parks = programme.codelists["parks"].valid(period.end).filter(code=code)
    if parks.height:
        return parks["name"][0], parks["division_code"][0]
    above = programme.codelists["division_upper"].valid(period.end).filter(code=code)
    return (above["name"][0] if above.height else "", code)


def _identity(programme: Programme, edition: Edition, period: Period, park_code: str, as_of: str) -> str:
    parts = (FORMAT_VERSION, programme.fingerprint, edition.id, str(period), park_code, as_of)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def _write_meta(book: Book, facts: Mapping[str, str], layouts: Sequence[SheetLayout]) -> None:
    """The hidden identity of the template, and the same facts as custom properties, which survive other programs."""
    sheet = book.sheet(META_SHEET)
    text = book.style({"num_format": "@"})
    rows = [*facts.items(), *((f"form.{layout.form.code}", layout.name) for layout in layouts)]
    for n, (name, value) in enumerate(rows):
        put(sheet, n, 0, name, text)
        put(sheet, n, 1, value, text)
    sheet.set_column(0, 1, 24)
    sheet.hide()
    sheet.protect()
    for name, value in facts.items():
        book.workbook.set_custom_property(f"ytb_{name}", value, "text")


def _write_operands(
    book: Book, layouts: Sequence[SheetLayout], stated: Mapping[str, Prefill], park_code: str, as_of: str
) -> None:
    """The hidden sheet of prefilled 上年同期 figures as they were issued: row 1 the day, row 3 the head, then a row a unit.

    The editable cells may be changed; this copy says what stood there. Last period's figures stay on the forms, locked.
    """
    sheet = book.sheet(OPERANDS_SHEET)
    text = book.style({"num_format": "@"})
    put(sheet, 0, 0, "as_of", text)
    put(sheet, 0, 1, as_of, text)
    issued: dict[tuple[str, str], dict[str, Value]] = {}
    columns: dict[str, int] = {}
    for layout in layouts:
        for unit, column, value in _issued(layout, stated[layout.form.code], park_code):
            columns.setdefault(column, len(columns) + 2)
            issued.setdefault((layout.form.roster, unit), {})[column] = value
    put(sheet, 2, 0, "roster", text)
    put(sheet, 2, 1, "unit_id", text)
    for name, place in columns.items():
        put(sheet, 2, place, name, text)
    for n, ((roster, unit), values) in enumerate(issued.items(), start=3):
        put(sheet, n, 0, roster, text)
        put(sheet, n, 1, unit, text)
        for name, value in values.items():
            put(sheet, n, columns[name], value)
    sheet.hide()
    sheet.protect()


def _issued(layout: SheetLayout, stated: Prefill, park_code: str) -> Iterator[tuple[str, str, Value]]:
    if layout.form.kind is FormKind.SHEET:
        for code, value in zip(stated.values("code"), stated.issued.get("value_yoy", ()), strict=False):
            if value is not None:
                yield park_code, f"{code}_yoy", value
        return
    units = stated.columns.get(layout.columns[0].anchor, ())
    for column in layout.columns:
        if column.role is Role.YEAR_EARLIER:
            for unit, value in zip(units, stated.issued.get(column.anchor, ()), strict=False):
                if value is not None:
                    yield str(unit), column.anchor, value
