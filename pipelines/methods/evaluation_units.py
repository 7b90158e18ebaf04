"""Points of single units (enterprises 企业创新积分, incubators 运行评估) and lists of candidates: internal, never published.

Source: index_system.md 6, 9.6; statistics law on figures of single units. The marts these cells go to are marked internal and no
release reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from pipelines.methods.area_figures import surveyed
from pipelines.methods.evaluation_scheme import Scheme
from pipelines.methods.index.score import ScoredYear, ranks, score_years
from pipelines.methods.index.table import UnitTable
from schemas.environment import Environment
from schemas.marts import conform
from schemas.model import Edition
from schemas.period_data import PeriodData
from schemas.polars_target import evaluate_rows

UNCLASSED: Final = "未分类"
UNIT: Final = "unit"


def unit_cells(scheme: Scheme, data: PeriodData, env: Environment, edition: Edition) -> pl.DataFrame:
    """Cells of one scheme: points of the index and its groups, rank in the class, membership of the candidate lists.

    ``data``: a year's observations. A figure not reported earns nothing where the scheme's aggregation says so; a condition
    that cannot be judged is not met. One row a unit, group and measure; ``area`` is the park, ``category`` the unit.
    """
    counted = surveyed(data, env)
    roster = counted.rosters.get(scheme.roster, pl.DataFrame(schema={"park": pl.String, "unit_id": pl.String})).sort(
        "park", "unit_id"
    )
    if roster.is_empty():
        return conform(pl.DataFrame(schema={"row_key": pl.String}))
    env = env.with_data(counted)
    year = _scored(scheme, roster, env, edition, data.period.year)
    names = (
        dict(zip(data.parks["park"], data.parks["park_name"], strict=True)) if "park_name" in data.parks.columns else {}
    )
    base = roster.select(area="park", category="unit_id").with_columns(
        area_name=pl.col("area").replace_strict(names, default=pl.col("area")), category_name=pl.col("category")
    )
    system, tables = scheme.system, []
    for group in reversed(system.groups):
        values = year.means[group.id].scores
        tables.append(
            _cells(
                scheme, base, group.id, group.name, "points", "得分", "分", values, system.decimals, str(data.period)
            )
        )
    within = ranks(system, year.table, year.means[system.root.id].scores)[1]
    tables.append(
        _cells(
            scheme,
            base,
            system.root.id,
            system.root.name,
            "rank",
            "同类名次",
            "位",
            np.array(within, dtype=np.float64),
            0,
            str(data.period),
        )
    )
    for entry in scheme.lists:
        met = evaluate_rows(entry.condition, roster, env).fill_null(False).cast(pl.Float64).to_numpy()
        listed = _cells(
            scheme, base, entry.id, entry.name, "listed", "列入名单", "-", met, 0, str(data.period), entry.condition
        )
        tables.append(listed.filter(pl.col("value") > 0).with_columns(note=pl.lit(entry.source)))
    return conform(pl.concat(tables, how="diagonal_relaxed"))


def _scored(scheme: Scheme, roster: pl.DataFrame, env: Environment, edition: Edition, year: int) -> ScoredYear:
    columns = [
        evaluate_rows(scheme.formulas[leaf.id], roster, env).cast(pl.Float64).to_numpy()
        if leaf.id in scheme.formulas
        else np.full(roster.height, np.nan)
        for leaf in scheme.system.leaves
    ]
    figures = np.column_stack(columns).astype(np.float64)
    figures[~np.isfinite(figures)] = np.nan
    table = UnitTable(
        year=str(year), units=tuple(roster["unit_id"].to_list()), names=tuple(roster["unit_id"].to_list()),
        classes=tuple(_classes(scheme, roster, edition)), figures=figures, denominators=np.ones_like(figures),
        statuses=(("A",) * figures.shape[1],) * roster.height,
    )  # fmt: skip
    return score_years(scheme.system, [table], {})[-1]


def _classes(scheme: Scheme, roster: pl.DataFrame, edition: Edition) -> Sequence[str]:
    if not scheme.class_codes:
        return [scheme.class_name] * roster.height
    words = [
        (pl.col(code).cast(pl.String) if code in roster.columns else pl.lit(None, pl.String))
        .replace_strict(dict(edition.indicators[code].options), default=pl.lit(UNCLASSED))
        .fill_null(UNCLASSED)
        for code in scheme.class_codes
    ]
    return roster.select(pl.concat_str(words, separator="·").alias("class"))["class"].to_list()


def _cells(
    scheme: Scheme,
    base: pl.DataFrame,
    code: str,
    name: str,
    measure: str,
    measure_name: str,
    unit_measure: str,
    values: Any,
    decimals: int,
    period: str,
    formula: str = "",
) -> pl.DataFrame:
    return base.with_columns(
        row_key=pl.concat_str([pl.lit(scheme.id), "area", "category", pl.lit(code), pl.lit(measure)], separator="|"),
        table=pl.lit(scheme.id),
        period=pl.lit(period),
        breakdown=pl.lit(UNIT),
        indicator=pl.lit(code),
        indicator_name=pl.lit(name),
        unit_measure=pl.lit(unit_measure),
        measure=pl.lit(measure),
        measure_name=pl.lit(measure_name),
        value=pl.Series(values, dtype=pl.Float64).fill_nan(None),
        decimals=pl.lit(decimals, dtype=pl.Int8),
        formula=pl.lit(formula),
    ).with_columns(status=pl.when(pl.col("value").is_null()).then(pl.lit("M")).otherwise(pl.lit("A")))
