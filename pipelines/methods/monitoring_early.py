"""Early estimates of a quarter's totals while some units have not answered: internal, for those who follow the round.

For the indicators of ``early_estimates`` of the edition, by area and zone: estimate, interval, nominal and achieved coverage from
the quarters on file. Source: docs/methods/early-estimate.md; units and figures as in docs/methods/monitoring.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import polars as pl

from pipelines.methods.area_figures import TOTAL
from pipelines.methods.areas import Area, areas_of, memberships
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.monitoring_sides import MonitoringRound, additive_indicators, sides_of
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.series.early import EarlyEstimate, early_estimate
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.marts import row_key
from schemas.model import Edition, Indicator, Programme
from schemas.period_data import PeriodData

TABLE: Final = "early"
PERCENT: Final = "%"
DEFAULT_COVERAGE: Final = 0.8
DEFAULT_QUARTERS: Final = 24
MEASURES: Final = {
    "early_estimate": "快速估计",
    "early_lower": "区间下限",
    "early_upper": "区间上限",
    "early_imputed_share": "估算部分占比",
    "early_nominal": "名义把握程度",
    "early_achieved": "回放实际覆盖",
}
AMOUNTS: Final = ("early_estimate", "early_lower", "early_upper")
NO_BASE: Final = "没有上年同期数据,不作快速估计"
NOT_TESTED: Final = "可回放的季度不足,没有检验"
UNIT_ROWS: Final = {
    "unit": pl.String(), "period": pl.String(), "park": pl.String(), "stratum": pl.String(), "indicator": pl.String(),
    "value": pl.Float64(), "days": pl.Float64(),
}  # fmt: skip


def parameters_of(edition: Edition) -> tuple[tuple[str, ...], float, int]:
    """(indicators, coverage, quarters looked back) of the edition's ``early_estimates``; none named: nothing is estimated."""
    given = edition.parameters.get("early_estimates", {})
    return (
        tuple(given.get("indicators", ())),
        float(given.get("coverage", DEFAULT_COVERAGE)),
        int(given.get("quarters", DEFAULT_QUARTERS)),
    )


def portion_of(edition: Edition, codes: Sequence[str]) -> dict[str, tuple[Indicator, ...]]:
    """Roster → those of ``codes`` that monitoring adds up."""
    return {
        roster: tuple(i for i in own if i.code in codes)
        for roster, own in additive_indicators(edition).items()
        if any(i.code in codes for i in own)
    }


def monitoring_estimates(rounds: Iterable[PeriodData], programme: Programme) -> Product:
    """Cells of the internal mart ``monitoring_estimates`` for the first of ``rounds`` (the others: earlier quarters, any order).

    Quarters are compared with the same quarter of the year before; strata are industry section × size.
    """
    now: PeriodData | None = None
    tables = []
    wanted: tuple[str, ...] = ()
    for data in rounds:
        if now is None:
            now = data
            wanted = parameters_of(programme.edition_for(data.period))[0]
        tables.append(unit_rows(data, programme, wanted))
    if now is None or not wanted:
        return product_of([], [])
    edition = programme.edition_for(now.period)
    areas = areas_of(programme.codelists["parks"].valid(now.period.end))
    chosen = [areas[code] for code in areas_present(now, programme)]
    indicators = [edition.indicators[code] for code in wanted if code in edition.indicators]
    cells = _cells(pl.concat(tables), chosen, indicators, str(now.period), parameters_of(edition)[1])
    if cells.is_empty():
        return product_of([], [])
    named = names_of(programme, edition, areas, now.period).named(cells)
    return product_of([named], [administrative_parts(named, "internal")])


def unit_rows(data: PeriodData, programme: Programme, codes: Sequence[str]) -> pl.DataFrame:
    """``UNIT_ROWS`` of one quarter: a row a unit due and indicator; estimated or missing figures are null."""
    edition = programme.edition_for(data.period)
    env = environment_for(programme, data.period)
    units = sides_of(MonitoringRound(data), edition, env, portion_of(edition, codes)).units
    known = [c for c in codes if c in edition.indicators]
    factor = pl.col("indicator").replace_strict(
        {c: 10.0 ** -edition.indicators[c].decimals for c in known}, default=1.0, return_dtype=pl.Float64
    )
    return (
        units.filter(pl.col("indicator").is_in(known) & ~pl.col("sheet") & pl.col("due"))
        .select(
            pl.col("unit_id").alias("unit"),
            pl.lit(str(data.period)).alias("period"),
            "park",
            pl.concat_str(pl.col("section").fill_null("_"), pl.col("size").fill_null("_"), separator="|").alias(
                "stratum"
            ),
            "indicator",
            pl.when(~pl.col("estimated")).then(pl.col("amount").cast(pl.Float64) * factor).alias("value"),
            pl.lit(None, dtype=pl.Float64).alias("days"),
        )
        .select(pl.col(c).cast(t) for c, t in UNIT_ROWS.items())
    )


def _cells(
    units: pl.DataFrame, areas: Sequence[Area], indicators: Sequence[Indicator], period: str, coverage: float
) -> pl.DataFrame:
    parks = memberships(areas)
    rows: list[dict[str, Any]] = []
    for area in areas:
        own = units.join(parks.filter(area=area.code).select("park"), on="park", how="semi")
        for indicator in indicators:
            frame = own.filter(indicator=indicator.code).unique(["unit", "period"], keep="first", maintain_order=True)
            if frame.filter(period=period).is_empty():
                continue
            try:
                found = early_estimate(frame, period, lag=4, coverage=coverage, lists_due=True)
            except DefinitionError:
                found = None
            rows += _rows(area.code, indicator, period, found)
    if not rows:
        return pl.DataFrame()
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.with_columns(
        pl.lit(TABLE).alias("table"), pl.lit("total").alias("breakdown"), pl.lit(TOTAL).alias("category"),
        pl.col("value").cast(pl.Float64), pl.col("decimals").cast(pl.Int8),
    ).with_columns(row_key("area", "breakdown", "category", "indicator", "measure"))  # fmt: skip


def _rows(area: str, indicator: Indicator, period: str, found: EarlyEstimate | None) -> list[dict[str, Any]]:
    head = {"area": area, "period": period, "indicator": indicator.code, "indicator_name": indicator.name}
    values, notes = _values(found), _notes(found)
    made = []
    for measure, name in MEASURES.items():
        value, is_amount = values[measure], measure in AMOUNTS
        made.append(
            {
                **head, "measure": measure, "measure_name": name, "value": value,
                "unit_measure": indicator.unit_measure if is_amount else PERCENT,
                "decimals": indicator.decimals if is_amount else 1,
                "status": "M" if value is None else ("E" if is_amount else "A"),
                "note": notes[measure] if value is None or measure == "early_estimate" else "",
            }
        )  # fmt: skip
    return made


def _values(found: EarlyEstimate | None) -> dict[str, float | None]:
    if found is None:
        return dict.fromkeys(MEASURES)
    e, i = found.estimate, found.interval
    return {
        "early_estimate": e.total,
        "early_lower": i.lower,
        "early_upper": i.upper,
        "early_imputed_share": e.filled / e.total * 100 if e.total > 0 else None,
        "early_nominal": None if i.nominal is None else i.nominal * 100,
        "early_achieved": None if i.achieved is None else i.achieved * 100,
    }


def _notes(found: EarlyEstimate | None) -> dict[str, str]:
    if found is None:
        return dict.fromkeys(MEASURES, NO_BASE)
    e, i = found.estimate, found.interval
    said = f"已报{e.answered_units}户,应报{e.units}户"
    if e.unknown:
        said += f",{e.unknown}户未报且没有上年同期数,未估算"
    if i.trials:
        said += f";回放{i.trials}个季度,{i.hits}个落在区间内"
    short = i.note or NOT_TESTED
    return {**dict.fromkeys(MEASURES, short), "early_estimate": said, "early_imputed_share": "合计不为正,不计算占比"}
