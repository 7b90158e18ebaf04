"""Protection of any table: dimensions with hierarchies, a value, and its contributors (``ytb protect``).

Source of the method: survey_system.md 10; see ``disclosure.protect`` for the marts. Here the table is a full crossing of
its dimensions and every parent code of every hierarchy gives one equation a combination of the other dimensions.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipelines.methods.disclosure import attack, complement
from pipelines.methods.disclosure.assemble import assemble
from pipelines.methods.disclosure.atoms import equations
from pipelines.methods.disclosure.rules import REASONS, Rules, contributions, primary_reason
from schemas.errors import DefinitionError


@dataclass(frozen=True)
class Dimension:
    """One classifying column. ``parents``: parent code → its children, over all hierarchies; ``total`` is the top code."""

    column: str
    total: str
    parents: tuple[tuple[str, tuple[str, ...]], ...]

    def ancestors(self, code: str) -> tuple[str, ...]:
        """The code itself and everything it is added up into."""
        found, open_codes = [code], [code]
        while open_codes:
            below = open_codes.pop()
            for parent, children in self.parents:
                if below in children and parent not in found:
                    found.append(parent)
                    open_codes.append(parent)
        return tuple(found)


@dataclass(frozen=True)
class TableSpec:
    """What ``protect_table`` goes by.

    ``value``: the figure. ``kind``: "sum" or "count" (a count is judged by the count threshold). ``n``, ``max1``,
    ``max2``: columns of the contributors in an aggregated table; ``unit``: the column that names the unit where a row is
    one contribution and the table is still to be added up, with ``weight`` where the sample is weighted. ``published``: a
    Boolean column of cells that are public already. ``cost``: "value", "count" (every cell the same) or a column.
    """

    dimensions: tuple[Dimension, ...]
    value: str
    kind: str = "sum"
    n: str = "n"
    max1: str = "max1"
    max2: str = "max2"
    unit: str = ""
    weight: str = ""
    published: str = ""
    cost: str = "value"
    decimals: int = 0
    rules: Rules = field(default_factory=Rules)

    @property
    def columns(self) -> list[str]:
        """The dimension columns."""
        return [d.column for d in self.dimensions]


@dataclass(frozen=True)
class ProtectedTable:
    """``cells``: dimensions, value (null where hidden), status; ``audit`` is internal: n, reason, kind, low, high.

    ``exposed``: rows of the audit an outsider narrows below their protection although all that can be hidden is hidden.
    """

    cells: pl.DataFrame
    audit: pl.DataFrame
    exposed: pl.DataFrame
    summary: Mapping[str, int]


def protect_table(rows: pl.DataFrame, spec: TableSpec, *, exact: bool | None = None) -> ProtectedTable:
    """A table with primary and complementary suppression. ``rows`` are cells, or contributions where ``spec.unit`` is set.

    Raises DefinitionError for missing columns, a code that no hierarchy knows, or the same cell twice.
    """
    cells = _cells(rows, spec)
    judged = _judged(cells, spec)
    found = _groups(judged, spec)
    equal, remainders, overlapping = equations(judged, found)
    cost = {"value": None, "count": np.ones(judged.height)}.get(spec.cost, judged["_cost"].to_numpy())
    table = assemble(judged, remainders, equal, spec.rules, cost=cost)
    pattern = complement.suppress(table, exact=exact)
    gone = pl.Series(pattern.hidden[: judged.height]) | judged["reason"].is_not_null()
    seen = attack.intervals(table, pattern.hidden, np.flatnonzero(gone.to_numpy() & ~judged["fixed"].to_numpy()))
    bounds = pl.DataFrame(
        [(i.cell, i.low, i.high) for i in seen],
        schema={"atom": pl.Int64, "low": pl.Float64, "high": pl.Float64},
        orient="row",
    )
    marked = judged.with_columns(hidden=gone).join(bounds, on="atom", how="left", maintain_order="left")
    kind = pl.when(~pl.col("hidden")).then(pl.lit("")).when(pl.col("reason").is_null()).then(pl.lit("complement"))
    audit = marked.select(
        *spec.columns,
        pl.col("total").alias("value"),
        "n",
        kind=kind.otherwise(pl.lit("primary")),
        reason=pl.when("hidden").then(pl.coalesce("reason", pl.lit("complement"))).replace_strict(REASONS, default=""),
        low="low",
        high="high",
    )
    hidden_value = pl.when("hidden").then(None).otherwise("total").alias("value")
    status = (
        pl.when("hidden").then(pl.lit("C")).when(pl.col("total").is_null()).then(pl.lit("M")).otherwise(pl.lit("A"))
    )
    exposed = audit.filter(pl.Series([i in pattern.exposed for i in range(judged.height)], dtype=pl.Boolean))
    return ProtectedTable(
        marked.select(*spec.columns, hidden_value, status.alias("status")),
        audit,
        exposed,
        {
            "cells": judged.height,
            "primary": int(judged["reason"].is_not_null().sum()),
            "hidden": int(gone.sum()),
            "exact_parts": pattern.exact,
            "heuristic_parts": pattern.heuristic,
            "overlapping_totals": len(overlapping),
            "exposed": len(pattern.exposed),
        },
    )


def _cells(rows: pl.DataFrame, spec: TableSpec) -> pl.DataFrame:
    """(dimensions, n, max1, max2, total, absolute_total, population, fixed, _cost), every combination of codes present."""
    contributors = [spec.unit] if spec.unit else [spec.n] if spec.kind == "count" else [spec.n, spec.max1, spec.max2]
    extra = [c for c in (spec.weight, spec.published) if c] + (
        [spec.cost] if spec.cost not in ("value", "count") else []
    )
    missing = [c for c in (*spec.columns, spec.value, *contributors, *extra) if c not in rows.columns]
    if missing:
        raise DefinitionError(f"数据缺列 {'、'.join(missing)}", remedy="请核对说明文件中的列名与数据表的表头。")
    _check_codes(rows, spec)
    if spec.unit:
        return _added_up(rows, spec)
    found = rows.select(
        *spec.columns,
        n=pl.col(spec.n).cast(pl.Int64),
        max1=pl.col(spec.max1).cast(pl.Float64) if spec.max1 in rows.columns else pl.lit(0.0),
        max2=pl.col(spec.max2).cast(pl.Float64) if spec.max2 in rows.columns else pl.lit(0.0),
        total=pl.col(spec.value).cast(pl.Float64),
        fixed=pl.col(spec.published).cast(pl.Boolean) if spec.published else pl.lit(False),
        _cost=pl.col(spec.cost).cast(pl.Float64) if spec.cost in rows.columns else pl.lit(1.0),
    ).with_columns(absolute_total=pl.col("total").abs(), population=pl.lit(0, dtype=pl.Int64))
    if found.select(spec.columns).is_duplicated().any():
        raise DefinitionError("数据中同一格出现两次", remedy="请先汇总,使各维代码的组合唯一。")
    return found.sort(spec.columns)


def _added_up(rows: pl.DataFrame, spec: TableSpec) -> pl.DataFrame:
    spread = rows
    for dimension in spec.dimensions:
        codes = spread[dimension.column].unique().to_list()
        up = {code: list(dimension.ancestors(code)) for code in codes}
        spread = spread.with_columns(
            pl.col(dimension.column).replace_strict(up, return_dtype=pl.List(pl.String))
        ).explode(dimension.column)
    size = spread.with_columns(pl.col(spec.value).abs())
    found = contributions(spread, spec.value, spec.columns, weight=spec.weight, unit=spec.unit)
    absolute = contributions(size, spec.value, spec.columns, weight=spec.weight, unit=spec.unit)
    found = found.join(
        absolute.select(*spec.columns, absolute_total="total"), on=spec.columns, how="left", maintain_order="left"
    ).drop("max1_unit")
    known = [sorted({c for code in rows[d.column].unique() for c in d.ancestors(code)}) for d in spec.dimensions]
    grid = pl.DataFrame(list(itertools.product(*known)), schema=dict.fromkeys(spec.columns, pl.String), orient="row")
    return (
        grid.join(found, on=spec.columns, how="left", maintain_order="left")
        .with_columns(pl.col("n", "max1", "max2", "total", "absolute_total", "population").fill_null(0))
        .with_columns(fixed=pl.lit(False), _cost=pl.lit(1.0))
        .sort(spec.columns)
    )


def _check_codes(rows: pl.DataFrame, spec: TableSpec) -> None:
    for dimension in spec.dimensions:
        known = {dimension.total} | {c for parent, children in dimension.parents for c in (parent, *children)}
        strange = sorted(set(rows[dimension.column].drop_nulls().unique()) - known)
        if strange or rows[dimension.column].null_count():
            what = f"代码 {'、'.join(strange[:5])}" if strange else "空代码"
            raise DefinitionError(
                f"“{dimension.column}”列的{what}不在层级中", remedy="请在说明文件的层级中补上,或更正数据。"
            )


def _judged(cells: pl.DataFrame, spec: TableSpec) -> pl.DataFrame:
    is_count = spec.kind == "count"
    rule = primary_reason(spec.rules)
    prepared = cells.with_row_index("atom").with_columns(
        pl.col("atom").cast(pl.Int64),
        part=pl.lit(spec.value),
        is_count=pl.lit(is_count),
        least=pl.lit(spec.rules.count_threshold if is_count else spec.rules.threshold, dtype=pl.Int64),
        administrative=pl.lit(False),
        consented=pl.lit(False),
        shown=pl.lit(True),
        kept=pl.lit(False),
        _signed=pl.col("total"),
    )
    size = prepared if is_count else prepared.with_columns(total=pl.col("absolute_total"))
    return size.with_columns(reason=rule).with_columns(total=pl.col("_signed")).drop("_signed")


def _groups(cells: pl.DataFrame, spec: TableSpec) -> list[tuple[int, Sequence[int]]]:
    place = {tuple(row[1:]): row[0] for row in cells.select("atom", *spec.columns).iter_rows()}
    found: list[tuple[int, Sequence[int]]] = []
    for number, dimension in enumerate(spec.dimensions):
        for parent, children in dimension.parents:
            for codes, total in place.items():
                if codes[number] != parent:
                    continue
                below = [place.get((*codes[:number], child, *codes[number + 1 :])) for child in children]
                parts = [b for b in below if b is not None]
                if parts:
                    found.append((total, parts))
    return found
