"""Downloading a park's own accepted figures: workbook, CSV, national layout; by period and for all periods."""

from __future__ import annotations

from starlette.responses import Response

from exports.own_data import national_book, own_book, own_csv
from pipelines.own_data import accepted, own_figures
from schemas.national import national_layout
from warehouse.ledger.parks import park as park_on
from ytb.portal import pages
from ytb.portal.visit import Visit

ZIP = "application/zip"


def listing(visit: Visit) -> Response:
    """What there is to download."""
    code = visit.who.park or ""
    with visit.office.ledger.read() as session:
        park = park_on(session, code, visit.now.date())
    layout = national_layout(visit.office.programme.folder)
    columns = [column for form in layout.forms for column in form.columns]
    return pages.page(
        visit, "own_data", park=park, found=list(accepted(visit.office, code).values()), layout=layout,
        mapped=sum(bool(column.source) for column in columns), columns=len(columns),
    )  # fmt: skip


def book(visit: Visit) -> Response:
    """One period as a workbook."""
    park, period = visit.of
    found = own_figures(visit.office, park.code, [period])
    data = own_book(found, f"{park.name}({park.code}){period.title},已验收数据")
    return pages.download(data, f"{park.code}_{period}_本园区数据.xlsx", pages.XLSX)


def csv_files(visit: Visit) -> Response:
    """One period as CSV."""
    park, period = visit.of
    return pages.download(
        own_csv(own_figures(visit.office, park.code, [period])), f"{park.code}_{period}_本园区数据.zip", ZIP
    )


def national(visit: Visit) -> Response:
    """One year in the layout of the national forms."""
    park, period = visit.of
    found = own_figures(visit.office, park.code, [period])[0]
    layout = national_layout(visit.office.programme.folder)
    data = national_book(found, layout, f"{park.name}({park.code}){period.title},已验收数据")
    return pages.download(data, f"{park.code}_{period}_{layout.title}.xlsx", pages.XLSX)


def all_book(visit: Visit) -> Response:
    """All periods as a workbook."""
    code = visit.who.park or ""
    data = own_book(own_figures(visit.office, code), f"{code} 各期已验收数据")
    return pages.download(data, f"{code}_各期_本园区数据.xlsx", pages.XLSX)


def all_csv(visit: Visit) -> Response:
    """All periods as CSV."""
    code = visit.who.park or ""
    return pages.download(own_csv(own_figures(visit.office, code)), f"{code}_各期_本园区数据.zip", ZIP)
