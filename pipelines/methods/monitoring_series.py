"""The quarter in its series: chained growth without changes of perimeter, and the quarter seasonally adjusted. Internal.

Chain: links are the restated growth rates (同口径) of the cumulative figures over a year, joined quarter by quarter (lag 4), the first
year on file = 100. Adjustment: discrete quarters of the totals, STL with a fixed pattern (docs/methods/series.md), refused in
words where the series is too short or has gaps. For the indicators of ``early_estimates`` that are flows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from pipelines.methods.area_figures import TOTAL
from pipelines.methods.areas import Area, areas_of, memberships
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_early import parameters_of, portion_of
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.monitoring_sides import MonitoringRound, sides_of
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.series.adjustment import discrete, seasonally_adjusted
from pipelines.methods.series.stl import StlPlan
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.marts import row_key
from schemas.model import Indicator, Programme
from schemas.period import Period
from schemas.period_data import PeriodData

TABLE: Final = "series"
QUARTERS: Final = 4
SUMS: Final = ("area", "indicator", "period")
MEASURES: Final = {
    "chained_index": ("同口径链式指数(首年同季=100)", "点", 1),
    "adjusted_quarter": ("季节调整后本季", "", None),
    "adjusted_growth": ("季节调整后环比", "%", 1),
}
NO_CHAIN: Final = "某一年缺可比的上年同期数,不能相连"
NOT_POSITIVE: Final = "上季调整后为零或负,不计算环比"


def monitoring_series(rounds: Iterable[PeriodData], programme: Programme) -> Product:
    """Cells of the internal mart ``monitoring_series`` for the first of ``rounds`` (the others: the quarters before it on file)."""
    now: PeriodData | None = None
    tables = []
    areas: Mapping[str, Area] = {}
    chosen: list[Area] = []
    indicators: list[Indicator] = []
    for data in rounds:
        if now is None:
            now, edition = data, programme.edition_for(data.period)
            areas = areas_of(programme.codelists["parks"].valid(data.period.end))
            chosen = [areas[code] for code in areas_present(data, programme)]
            wanted = [edition.indicators[c] for c in parameters_of(edition)[0] if c in edition.indicators]
            indicators = [i for i in wanted if i.flow]
        tables.append(quarter_sums(data, programme, [i.code for i in indicators], chosen))
    if now is None or not indicators:
        return product_of([], [])
    sums = pl.concat(tables)
    rows = [r for a in chosen for i in indicators for r in _rows(sums, a.code, i, now.period)]
    if not rows:
        return product_of([], [])
    cells = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.lit(TABLE).alias("table"), pl.lit(str(now.period)).alias("period"), pl.lit("total").alias("breakdown"),
        pl.lit(TOTAL).alias("category"), pl.col("value").cast(pl.Float64), pl.col("decimals").cast(pl.Int8),
    ).with_columns(row_key("area", "breakdown", "category", "indicator", "measure"))  # fmt: skip
    named = names_of(programme, programme.edition_for(now.period), areas, now.period).named(cells)
    return product_of([named], [administrative_parts(named, "internal")])


def quarter_sums(data: PeriodData, programme: Programme, codes: Sequence[str], areas: Sequence[Area]) -> pl.DataFrame:
    """area, indicator, period, level, comparable, base: cumulative sums of one quarter, and those of units with both sides."""
    edition = programme.edition_for(data.period)
    units = sides_of(
        MonitoringRound(data), edition, environment_for(programme, data.period), portion_of(edition, codes)
    ).units
    factor = {c: 10.0 ** -edition.indicators[c].decimals for c in codes if c in edition.indicators}
    both = pl.col("amount").is_not_null() & pl.col("restated").is_not_null()
    scale = pl.col("indicator").replace_strict(factor, default=1.0, return_dtype=pl.Float64).first()
    return (
        units.filter(pl.col("indicator").is_in(list(factor)) & ~pl.col("sheet"))
        .join(memberships(areas), on="park", how="inner")
        .group_by("area", "indicator")
        .agg(
            level=pl.when(pl.col("amount").count() > 0).then(pl.col("amount").sum().cast(pl.Float64) * scale),
            comparable=pl.when(both.any()).then(pl.col("amount").filter(both).sum().cast(pl.Float64) * scale),
            base=pl.when(both.any()).then(pl.col("restated").filter(both).sum().cast(pl.Float64) * scale),
        )
        .with_columns(period=pl.lit(str(data.period)))
        .select(*SUMS, "level", "comparable", "base")
        .sort(SUMS)
    )


def _rows(sums: pl.DataFrame, area: str, indicator: Indicator, period: Period) -> list[dict[str, Any]]:
    own = sums.filter(area=area, indicator=indicator.code).sort("period")
    if own.filter(period=str(period)).is_empty():
        return []
    index, why_index = chain_of(own, period)
    adjusted, growth, why = _adjusted(own)
    found = {"chained_index": (index, why_index), "adjusted_quarter": (adjusted, why), "adjusted_growth": (growth, why)}
    made = []
    for measure, (name, unit, decimals) in MEASURES.items():
        value, note = found[measure]
        if value is None and not note:
            note = NOT_POSITIVE
        made.append(
            {
                "area": area, "indicator": indicator.code, "indicator_name": indicator.name, "measure": measure,
                "measure_name": name, "unit_measure": unit or indicator.unit_measure, "value": value, "note": note,
                "decimals": indicator.decimals if decimals is None else decimals, "status": "M" if value is None else "P",
            }
        )  # fmt: skip
    return made


def chain_of(sums: pl.DataFrame, period: Period) -> tuple[float | None, str]:
    """(index, note): the restated growth of every year since the first on file multiplied up for the quarter of ``period``.

    ``sums``: period, comparable, base of one area and indicator. Null where a year between has no positive base."""
    known = {p: (c, b) for p, c, b in sums.select("period", "comparable", "base").iter_rows()}
    years = sorted(int(p[:4]) for p in known if p.endswith(f"Q{period.quarter}"))
    first, index = years[0], 100.0
    for year in range(first + 1, period.year + 1):
        comparable, base = known.get(str(Period(year, period.quarter)), (None, None))
        if comparable is None or base is None or base <= 0:
            return None, NO_CHAIN
        index *= comparable / base
    return index, f"{first}年同季为100"


def _adjusted(sums: pl.DataFrame) -> tuple[float | None, float | None, str]:
    """(the last quarter adjusted, its growth on the quarter before in percent, what to know about it)."""
    periods = sums["period"].to_list()
    try:
        values = discrete(periods, sums["level"].to_list())
        start = next((k for k, v in enumerate(values) if v is not None), len(values))
        found = seasonally_adjusted(periods[start:], values[start:], StlPlan(QUARTERS))
    except DefinitionError as error:
        return None, None, error.message
    *_, before, last = found.series["adjusted"].to_list()
    note = "".join(found.notes)
    return last, (last / before - 1) * 100 if before > 0 else None, note
