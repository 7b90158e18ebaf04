"""Tracing 溯源: from a published figure down to submissions, sheets and cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from exports.addresses import find_figure
from exports.manifest import read_manifest
from pipelines.imputing_quarters import imputed_list
from pipelines.methods.areas import Area, areas_of
from pipelines.methods.monitoring_imputation import nothing_imputed
from pipelines.methods.monitoring_notes import RESPONDENTS
from schemas import reserved
from schemas.environment import environment_for
from schemas.errors import RefusalError
from schemas.expression import Node, expand, operand_column, operands, parse
from schemas.model import FormKind, Programme
from schemas.observations import KEY_COLUMNS
from schemas.period import Period
from schemas.polars_target import prepare_rows, row_expr
from warehouse import facts

CELLS_SHOWN = 200
MONITORING = ("monitoring_figures", "monitoring_warnings")


@dataclass(frozen=True)
class Trace:
    """One published figure, what it is computed from, and the workbook cells behind it.

    ``sources``: submission, file (vault hash), sheet, cell, unit_id, column, value, period. ``imputed``: the values of units without an
    answer that were put in (``IMPUTED_COLUMNS``): nobody filed them.
    """

    cell: Mapping[str, object]
    codes: tuple[str, ...]
    periods: tuple[str, ...]
    submissions: tuple[str, ...]
    sources: pl.DataFrame
    imputed: pl.DataFrame


def find_cell(release: Path, table: str, cell: str) -> dict[str, object]:
    """The published cell a reader means: an A1 address on a sheet of a mart, or ``row_key:column``.

    Raises DefinitionError or RefusalError where there is none.
    """
    marts = read_manifest(release).document["marts"]
    if table in marts and ":" in cell:
        # by key also where a table was too long for print and has no sheet
        mart, (key, column) = table, cell.rsplit(":", 1)
    else:
        mart, key, column = find_figure(pl.read_parquet(release / "cells.parquet"), table, cell)
    found = pl.read_parquet(release / marts[mart]["parquet"]).filter(row_key=key)
    if found.is_empty():
        raise RefusalError(f"{mart} 里没有 row_key 为 {key} 的数;请照抄数据表 row_key 列,后接“:列名”。")
    return {"mart": mart, "column": column, **found.row(0, named=True)}


def trace(con: duckdb.DuckDBPyConnection, programme: Programme, release: Path, table: str, cell: str) -> Trace:
    """Everything a published figure rests on, as the release knew it.

    A hidden figure is not traced: what protects a unit protects it here too. Raises RefusalError.
    """
    published = find_cell(release, table, cell)
    if published["status"] == "C":
        raise RefusalError("这个数为保护单个单位资料而不公布,不提供溯源。")
    text, code = str(published["formula"] or ""), str(published["indicator"])
    period = Period.parse(str(published["period"]))
    edition = programme.edition_for(period)
    node: Node | None = parse(text) if text else (parse(code) if code in edition.indicators else None)
    if node is None:
        raise RefusalError("这个数由其他指标合成,没有直接的填报单元格;请追溯它的分项。")
    asked = operands(expand(node, edition.derivations))
    refs = read_manifest(release).document["submissions"]
    codes = sorted({c for c, _ in asked if c in edition.indicators})
    if str(published["measure"]) in _WITH_EARLIER:
        asked = asked | {(c, "yoy") for c, lag in asked if not lag}
    periods = _periods(asked, period, str(published["measure"]))
    area = areas_of(programme.codelists["parks"].valid(period.end)).get(str(published["area"]))
    frames = [_cells(con, programme, p, codes, asked, area, published, counted(refs, p)) for p in periods]
    sources = (
        pl.concat([f for f in frames if f.height])
        if any(f.height for f in frames)
        else pl.DataFrame(schema=SOURCE_COLUMNS)
    )
    return Trace(
        published,
        tuple(codes),
        tuple(map(str, periods)),
        tuple(sorted(sources["submission"].unique())),
        sources,
        _imputed(release, codes, area, published),
    )


_WITH_EARLIER = (
    "growth_restated",
    "growth_matched",
    "growth_nominal",
    "year_earlier_restated",
    "growth",
    "growth_uncapped",
    "contribution",
)
IMPUTED_COLUMNS = ("period", "park", "unit_id", "indicator", "value", "method", "base_of", "base", "level", "donor")
SOURCE_COLUMNS = {
    "period": pl.String(), "submission": pl.String(), "park": pl.String(), "unit_id": pl.String(), "form": pl.String(), "column": pl.String(),
    "value": pl.String(), "file": pl.String(), "sheet": pl.String(), "cell": pl.String(),
}  # fmt: skip


def _periods(asked: frozenset[tuple[str, str]], period: Period, measure: str) -> list[Period]:
    lags = {lag for _, lag in asked}
    found = [period]
    if "yoy" in lags or measure in _WITH_EARLIER:
        found.append(period.year_earlier())
    if ("prev" in lags or measure in ("discrete_quarter", "correction", "perimeter")) and (
        previous := period.previous()
    ):
        found.append(previous)
    if "q4" in lags:
        found.append(period.fourth_quarter())
    return found


def counted(refs: Sequence[Mapping[str, Any]], period: Period) -> set[str]:
    """The submissions of a period that counted when the release was made: of each park the accepted one, for a quarter else the
    newest reported one. What has become of them since does not matter: the figure was printed from them."""
    ranks = ("accepted",) if period.round == "A" else ("accepted", "reported", "reopened")
    best: dict[str, tuple[bool, int, str]] = {}
    for ref in refs:
        if ref["period"] == str(period) and ref["state"] in ranks:
            rank = (ref["state"] == "accepted", int(ref["revision"]), str(ref["id"]))
            best[ref["park"]] = max(rank, best.get(ref["park"], rank))
    return {number for _, _, number in best.values()}


def _cells(
    con: duckdb.DuckDBPyConnection, programme: Programme, period: Period, codes: Sequence[str], asked: frozenset[tuple[str, str]], area: Area | None,
    published: Mapping[str, object], listed: set[str],
) -> pl.DataFrame:  # fmt: skip
    """Workbook cells of ``codes`` in one period, of the units in the figure's area and category, in the submissions ``listed``."""
    edition = programme.edition_for(period)
    columns = sorted({operand_column(c, "yoy") for c, lag in asked if lag == "yoy"} | set(codes))
    found = facts.cells_of_submissions(con, programme, str(period), columns, listed)
    if found.is_empty():
        return pl.DataFrame(schema=SOURCE_COLUMNS)
    if area is not None and not area.is_sub_park:
        found = found.filter(pl.col("park").is_in(list(area.zones)) | pl.col("park").is_in([area.code, *area.lookup]))
    units = _units_in_category(con, programme, period, area, published, listed)
    if units is not None:
        sheets = [f.code for f in edition.forms.values() if f.kind is not FormKind.ROSTER]
        found = found.filter(pl.col("unit_id").is_in(units.implode()) | pl.col("form").is_in(sheets))
    return found.select(pl.col(c).cast(t) for c, t in SOURCE_COLUMNS.items()).sort("park", "unit_id", "column")


def _imputed(release: Path, codes: Sequence[str], area: Area | None, published: Mapping[str, object]) -> pl.DataFrame:
    """What was put in behind the figure, from the confidential list kept beside the release."""
    path = imputed_list(release.parent, release.name)
    found = pl.read_ipc(path) if path.exists() else nothing_imputed()
    found = found.filter(pl.col("value").is_not_null() & pl.col("indicator").is_in(list(codes)))
    if str(published["mart"]) not in MONITORING or str(published["measure"]) in RESPONDENTS:
        return found.clear().select(IMPUTED_COLUMNS)
    if area is not None:
        own = pl.col("sub_park") == area.code if area.is_sub_park else pl.col("park").is_in(list(area.zones))
        found = found.filter(own)
    breakdown, category = str(published["breakdown"]), published["category"]
    column = "park" if breakdown == "zone" else breakdown
    if column in ("park", "sub_park", "section", "division", "size"):
        found = found.filter(pl.col(column) == category)
    return found.select(IMPUTED_COLUMNS).sort("park", "unit_id", "indicator")


def _units_in_category(
    con: duckdb.DuckDBPyConnection,
    programme: Programme,
    period: Period,
    area: Area | None,
    published: Mapping[str, object],
    listed: set[str],
) -> pl.Series | None:
    """Enterprises of the figure's sub-park, industry or size; None where all of the area count."""
    breakdown, category = str(published["breakdown"]), str(published["category"])
    sub_park = area.code if area is not None and area.is_sub_park else category if breakdown == "sub_park" else ""
    if not sub_park and breakdown not in ("section", "division"):
        return None
    edition = programme.edition_for(period)
    basic = facts.facts_of_submissions(con, edition.forms[reserved.BASIC], str(period), listed).drop(
        "submission_id", *(c for c in KEY_COLUMNS if c not in ("unit_id", "park"))
    )
    if sub_park:
        return basic.filter(pl.col(reserved.SUB_PARK) == sub_park)["unit_id"]
    env = environment_for(programme, period, edition=edition)
    test = f"section({reserved.INDUSTRY}) == '{category}'" if breakdown == "section" else f"industry('C{category}')"
    ready = prepare_rows(basic, [test], env)
    return ready.filter(row_expr(test, env).fill_null(False))["unit_id"]
