"""Publication workbooks 统计出版表: one book a product, a cover, contents with links, one table a sheet, definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from exports.layout import Table, tables_of
from exports.manifest import ReleaseMeta
from exports.ordering import Ordering, mart_product, ordering_of, publication
from exports.publication_sheet import BLUE, GREY, HEAD, HEAD_FILL, NOTE, write_table
from exports.writer import HEAD_FONT, Book, Sheet, Style, lines_of
from schemas.dictionary import computed_list, indicator_list, of_which
from schemas.marts import MARTS, STATUSES

FOLDER: Final = "publication"
COVER: Final = "封面"
CONTENTS: Final = "目录"
DEFINITIONS: Final = "指标解释"

IndexRow = tuple[str, str, int, str, str, str, str, str]

_LINK: Final = Style(size=10.5, colour="#1f4e8c", underline=True, wrap=True)
_PLAIN: Final = Style(size=10.5, wrap=True)
_CODE: Final = Style(size=9.5, colour=GREY, font="Consolas")


@dataclass(frozen=True)
class BookPlan:
    """The tables of one workbook, numbered in order; ``left_out`` names tables too long for print and their files."""

    product: str
    file: str
    title: str
    tables: tuple[Table, ...]
    left_out: tuple[tuple[str, int, str], ...]


def book_plans(marts: Mapping[str, pl.DataFrame], meta: ReleaseMeta) -> tuple[BookPlan, ...]:
    """What each workbook of a release will hold; products without a single cell get no book."""
    ordering = ordering_of(meta.programme)
    parents = of_which(meta.edition)
    products: dict[str, list[str]] = {}
    for name in (*(m for m in MARTS if m in marts), *sorted(marts.keys() - MARTS.keys())):
        if not marts[name].is_empty():
            products.setdefault(mart_product(name), []).append(name)
    known = {book["product"]: book for book in publication()["book"]}
    plans = []
    for product in (*(p for p in known if p in products), *(p for p in products if p not in known)):
        book = known.get(product, {"file": product, "title": product})
        tables, left_out = _tables(products[product], marts, ordering, parents)
        plans.append(BookPlan(product, f"{book['file']}.xlsx", book["title"], tables, left_out))
    return tuple(plans)


def _tables(
    names: Sequence[str], marts: Mapping[str, pl.DataFrame], ordering: Ordering, parents: Mapping[str, str]
) -> tuple[tuple[Table, ...], tuple[tuple[str, int, str], ...]]:
    taken = {name.lower() for name in (COVER, CONTENTS, DEFINITIONS)}
    kept: list[Table] = []
    left_out: list[tuple[str, int, str]] = []
    for name in names:
        for table in tables_of(name, marts[name], ordering, parents, taken):
            if table.left_out:
                left_out.append((table.title, table.left_out, f"tables/{name}.csv"))
            else:
                kept.append(table)
    return tuple(kept), tuple(left_out)


def write_publication(marts: Mapping[str, pl.DataFrame], folder: Path, meta: ReleaseMeta) -> list[IndexRow]:
    """Write all workbooks below ``folder``/publication; returns the rows of the cell index."""
    target = folder / FOLDER
    target.mkdir()
    rows: list[IndexRow] = []
    for plan in book_plans(marts, meta):
        rows += _book(plan, target / plan.file, meta, marts)
    return rows


def _book(plan: BookPlan, path: Path, meta: ReleaseMeta, marts: Mapping[str, pl.DataFrame]) -> list[IndexRow]:
    placed: list[IndexRow] = []
    with Book(path, f"{meta.heading} {plan.title}") as book:
        _cover(book.sheet(COVER), plan, meta)
        contents = book.sheet(CONTENTS)
        _contents(contents, plan, meta)
        sheet_no: dict[str, int] = {}
        for number, table in enumerate(plan.tables, 1):
            sheet = book.sheet(table.tab)
            sheet_no[table.mart] = sheet_no.get(table.mart, 0) + 1
            notes = (f"资料来源:{meta.issuer},{meta.edition.title}({meta.edition.document_number})。",)
            for p in write_table(sheet, table, str(number), meta.release, notes):
                placed.append(
                    (
                        f"{FOLDER}/{plan.file}", table.tab, sheet_no[table.mart], p.cell, table.mart, p.figure.row_key,
                        "value", p.figure.display,
                    )
                )  # fmt: skip
        _definitions(book.sheet(DEFINITIONS), plan, meta, marts)
    return placed


def _cover(sheet: Sheet, plan: BookPlan, meta: ReleaseMeta) -> None:
    sheet.plain_look()
    sheet.column(0, 0, 6)
    sheet.column(1, 1, 18)
    sheet.column(2, 2, 58)
    centre = Style(font=HEAD_FONT, size=26, colour=BLUE, align="center", wrap=True)
    sheet.row(3, 44)
    sheet.merged(3, 0, 3, 2, plan.title, centre)
    sheet.row(4, 28)
    sheet.merged(4, 0, 4, 2, meta.period.title, replace(centre, size=16))
    sheet.row(5, 24)
    sheet.merged(5, 0, 5, 2, meta.heading, replace(centre, size=12, colour=GREY))
    facts = [
        ("发布号", meta.release),
        ("报告期", f"{meta.period.title}({meta.period})"),
        ("发布单位", meta.issuer),
        ("发布时间", f"{meta.released_text}(北京时间)"),
        ("调查制度", f"{meta.edition.title} {meta.edition.id} 版 {meta.edition.document_number}"),
        ("法律依据", meta.edition.legal_basis),
        ("使用许可", f"{meta.licence_title}({meta.licence_name})"),
    ]
    if meta.feedback_text:
        facts.append(("差错反馈", meta.feedback_text))
    if meta.standing_text:
        facts.insert(4, ("发布状态", meta.standing_text))
    if meta.previous:
        facts.append(("修订", f"本次发布修订 {meta.previous}。{meta.reason}修订对照见“修订对照”文件。"))
    at = 8
    for label, text in facts:
        sheet.row(at, 6 + 15 * lines_of(text, 58))
        sheet.text(at, 1, label, Style(size=11, colour=GREY))
        sheet.text(at, 2, text, Style(size=11, wrap=True))
        at += 1
    at += 1
    for text in (
        "数字按所列小数位四舍五入;合计数与分项之和不等系修约误差,未作机械调整。",
        ";".join(f"“{mark}”{meaning}" for mark, meaning in STATUSES.values() if mark)
        + ";“0”数值为零;“#”其中的主要项。",
        "公布前各表均经披露检验;每个数字可由发布号、数据表与单元格追溯到所依据的报表。",
    ):
        sheet.row(at, 4 + 14 * lines_of(text, 76))
        sheet.merged(at, 1, at, 2, text, Style(size=9.5, colour=GREY, wrap=True))
        at += 1
    sheet.print_on_a4(landscape=False, repeat=None, last=(at, 2), footer=meta.release)


def _contents(sheet: Sheet, plan: BookPlan, meta: ReleaseMeta) -> None:
    sheet.plain_look()
    for column, width in enumerate((7, 46, 30, 10, 26)):
        sheet.column(column, column, width)
    sheet.row(0, 30)
    sheet.merged(0, 0, 0, 4, "目录", Style(font=HEAD_FONT, size=16, colour=BLUE, align="center"))
    sheet.row(1, 22)
    for column, head in enumerate(("表号", "表名", "工作表", "数字个数", "数据表(追溯用)")):
        sheet.text(1, column, head, replace(HEAD, left=0, right=0, top=2))
    at = 2
    titles = [table.title for table in plan.tables]
    for number, table in enumerate(plan.tables, 1):
        # The subtitle only where it tells tables of one title apart.
        name = f"{table.title}({table.subtitle})" if titles.count(table.title) > 1 and table.subtitle else table.title
        sheet.row(at, 4 + 15 * max(lines_of(name, 46), lines_of(table.tab, 30)))
        sheet.text(at, 0, f"表{number}", _PLAIN)
        sheet.link(at, 1, table.tab, name, _LINK)
        sheet.text(at, 2, table.tab, _PLAIN)
        sheet.number(at, 3, table.figures, Style(size=10.5, font="Times New Roman", align="right", indent=1))
        sheet.text(at, 4, table.mart, _CODE)
        at += 1
    sheet.text(at, 0, "附", _PLAIN)
    sheet.link(at, 1, DEFINITIONS, DEFINITIONS, _LINK)
    at += 2
    for title, figures, file in plan.left_out:
        sheet.merged(at, 0, at, 4, f"“{title}”共 {figures} 个数字,篇幅过大未排版,见 {file}。", _PLAIN)
        at += 1
    sheet.freeze(2, 0)
    sheet.print_on_a4(landscape=False, repeat=(0, 1), last=(at, 4), footer=meta.release)


def _definitions(sheet: Sheet, plan: BookPlan, meta: ReleaseMeta, marts: Mapping[str, pl.DataFrame]) -> None:
    """Name, unit and meaning of every indicator that stands in the book, so that it can be read by itself."""
    used = pl.concat(
        [
            marts[name].select("indicator", "indicator_name", "unit_measure", "formula")
            for name in dict.fromkeys(t.mart for t in plan.tables)
        ]
        or [pl.DataFrame(schema=dict.fromkeys(("indicator", "indicator_name", "unit_measure", "formula"), pl.String()))]
    ).sort("indicator", "formula", descending=[False, True])
    used = used.unique("indicator", keep="first", maintain_order=True)
    collected = {row["code"]: row for row in indicator_list(meta.edition).iter_rows(named=True)}
    computed = {row["code"]: row for row in computed_list(meta.edition).iter_rows(named=True)}
    ordering = ordering_of(meta.programme)
    sheet.plain_look()
    for column, width in enumerate((13, 34, 14, 64)):
        sheet.column(column, column, width)
    sheet.row(0, 30)
    sheet.merged(0, 0, 0, 3, DEFINITIONS, Style(font=HEAD_FONT, size=16, colour=BLUE, align="center"))
    sheet.row(1, 22)
    for column, head in enumerate(("代码", "指标", "计量单位", "解释或公式")):
        sheet.text(1, column, head, replace(HEAD, left=0, right=0, top=2, fill=HEAD_FILL))
    at = 2
    rows = sorted(used.iter_rows(named=True), key=lambda row: ordering.rank("indicator", row["indicator"]))
    for row in rows:
        code = row["indicator"]
        entry, formula = collected.get(code, {}), computed.get(code, {})
        unit = entry.get("unit_measure") or formula.get("unit_measure") or row["unit_measure"]
        meaning = entry.get("definition") or formula.get("formula") or row["formula"]
        sheet.row(at, 4 + 14 * max(lines_of(meaning, 64), lines_of(row["indicator_name"], 34)))
        for column, text in enumerate((code, row["indicator_name"], unit, meaning)):
            sheet.text(at, column, text, NOTE)
        at += 1
    sheet.freeze(2, 0)
    sheet.print_on_a4(landscape=True, repeat=(0, 1), last=(at, 3), footer=meta.release)
