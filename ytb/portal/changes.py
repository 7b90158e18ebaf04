"""What a park changed since its last upload: findings fixed, left, new; figures cell by cell. As a page and as a file."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from starlette.responses import Response

from pipelines import comparing
from pipelines.comparing import Compared
from schemas.model import Edition
from sources.marked_list import Listed, listed
from ytb.portal import pages
from ytb.portal.findings import unit_names
from ytb.portal.visit import Visit

CELLS_SHOWN = 300
FINDINGS_SHOWN = 100
FINDING_CHANGES = {comparing.FIXED: "已改正", comparing.LEFT: "还在", comparing.NEW: "新出现"}
CELL_CHANGES = {comparing.CHANGED: "改动", comparing.ADDED: "新填", comparing.REMOVED: "清空"}


def one(visit: Visit) -> Response:
    """An upload beside the one before it, with filters that need no script."""
    found = visit.found
    made = comparing.compared(visit.office, found)
    form, unit, change = (visit.query(name) for name in ("form", "unit", "change"))
    edition = visit.office.programme.edition_for(found.period)
    titles = pages.form_titles(visit, found.period)
    names = _names(visit, made)
    cells = _cells(made, form, unit, change, names) if made else pl.DataFrame(schema=comparing.CELL_COLUMNS)
    groups: list[tuple[str, str, list[Listed], int]] = []
    for key, title in FINDING_CHANGES.items():
        mine = made.findings.filter(change=key) if made else pl.DataFrame()
        if mine.height:
            lines = listed(mine.head(FINDINGS_SHOWN), names, titles)
            groups.append((key, title, lines, mine.height))
    return pages.page(
        visit, "changes", found=found, made=made, groups=groups, titles=titles, names=names,
        forms=sorted(set(made.cells["form"])) if made else [], filters={"form": form, "unit": unit, "change": change},
        cells=[row | {"name": column_name(edition, row["column"])} for row in cells.head(CELLS_SHOWN).iter_rows(named=True)],
        count=cells.height, kinds=CELL_CHANGES, counts=made.counted() if made else {},
    )  # fmt: skip


def as_csv(visit: Visit) -> Response:
    """Every cell that differs, as CSV for a spreadsheet; heads alone where there is nothing to compare with."""
    made = comparing.compared(visit.office, visit.found)
    edition = visit.office.programme.edition_for(visit.found.period)
    titles, names = pages.form_titles(visit, visit.found.period), _names(visit, made)
    rows = [
        (
            titles.get(row["form"], row["form"]), row["unit_id"], names.get(row["unit_id"], ""), row["column"],
            column_name(edition, row["column"]), CELL_CHANGES[row["change"]], row["before"] or "", row["after"] or "",
            f"{row['sheet'] or ''} {row['cell'] or ''}".strip(),
        )
        for row in (made.cells.iter_rows(named=True) if made else ())
    ]  # fmt: skip
    heads = ("表", "单位代码", "单位", "代码", "指标", "变化", "上一次", "这一次", "位置")
    return pages.csv_file([heads, *rows], f"{visit.found.number}_逐格对照.csv")


def column_name(edition: Edition, column: str) -> str:
    """What a column is called, the 上年同期 of an indicator as such."""
    code = column.removesuffix("_yoy")
    indicator = edition.indicators.get(code)
    name = indicator.name if indicator else code
    return f"{name}(上年同期)" if code != column else name


def _names(visit: Visit, made: Compared | None) -> Mapping[str, str]:
    if made is None:
        return {}
    return unit_names(visit, made.before) | unit_names(visit, made.after)


def _cells(made: Compared, form: str, unit: str, change: str, names: Mapping[str, str]) -> pl.DataFrame:
    shown = made.cells
    if form:
        shown = shown.filter(form=form)
    if change in CELL_CHANGES:
        shown = shown.filter(change=change)
    if unit:
        named = [code for code, name in names.items() if unit in name]
        shown = shown.filter(pl.col("unit_id").str.contains(unit, literal=True) | pl.col("unit_id").is_in(named))
    return shown
