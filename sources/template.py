"""The template a park fills in: one sheet a form, everything on it generated from the programme.

Same input, same bytes. No macro, no dynamic array, plain functions only; the server decides, not the workbook.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.layout import FORMAT_VERSION, INDEX_SHEET, META_SHEET, SheetLayout, workbook_layout
from schemas.model import Edition, FormKind, Programme
from schemas.period import Period
from sources.template_codes import choices_of, write_code_tables, write_lists
from sources.template_forms import Frame, write_form
from sources.template_index import Cover, write_index
from sources.template_operands import lagged_columns, operand_sheet, write_operands
from sources.template_owed import define_owed_columns, owed_lists
from sources.template_prefill import Known, prefill
from sources.template_rules import asked_lists, audit_sheets, audited_rules, named_lists
from sources.writer import Book, put

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
    other_periods: Mapping[str, pl.DataFrame] | None = None,
    as_of: date | None = None,
    template_id: str = "",
    deadline: str = "",
    contact: str = "",
    kinds: Sequence[FormKind] | None = None,
    unit: str = "",
) -> bytes:
    """The workbook of one park and period, as .xlsx.

    ``units`` (unit_id, name, sub_park, B codes) lists the enterprises of the register; without it the enterprise sheets
    have empty rows. ``previous`` and ``year_earlier`` give, form by form, the last accepted figures and those of the
    same period a year earlier (unit_id and plain codes). ``owing`` limits a form to the units that owe it.
    ``values`` (form frames of a submission) fills the input cells: a fresh template for a park whose own file cannot be marked.
    ``other_periods``: roster → unit_id and operand columns (``F01_prev``), for hard rules that compare with earlier periods.
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
    env = environment_for(programme, period, edition=edition)
    rules = audited_rules(edition.rules_for(period), layouts)
    lagged = lagged_columns(rules, env)
    operands = operand_sheet(layouts, stated, park_code, other_periods or {}, lagged)
    choices = choices_of(programme, edition, period, park_code)
    asked: dict[object, tuple[str, ...]] = dict(owed_lists(layouts, env, stated)) | asked_lists(rules, env, park_code)
    lists = write_lists(book, layouts, choices, asked)
    names = named_lists(book, asked, lists)
    audits = audit_sheets(edition, rules, env, layouts, stated, names, operands.operands, park_code)
    define_owed_columns(book, layouts, stated, env)
    for layout in layouts:
        write_form(book, layout, stated[layout.form.code], Frame(edition, park, lists, audits))
    write_code_tables(book, layouts, lists, division)
    cover = Cover(edition, period, filer, deadline or deadline_text(edition, period), contact, shown_day)
    write_index(book, index, layouts, stated, audits, cover)
    write_operands(book, operands, shown_day, any_lagged=bool(lagged))
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
