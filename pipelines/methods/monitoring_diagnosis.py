"""Diagnosis cards 诊断卡 of industries and enterprises, concentration and diffusion: internal, never published.

Industry cards: how many units a total rests on, how many grew, where the structure moved. Enterprise cards: the large units of
every park and those whose growth lies far from their industry's, each with a Chinese sentence.
Source: docs/methods/structure.md; robust z as in docs/methods/what-matters.md. Figures as in docs/methods/monitoring.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from exports.display import displayed
from pipelines.methods.area_figures import TOTAL
from pipelines.methods.areas import areas_of, memberships
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_early import portion_of
from pipelines.methods.monitoring_names import Names, names_of
from pipelines.methods.monitoring_sides import MonitoringRound, sides_of
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.series.structure import SAME_PCT, structure_change
from schemas.environment import environment_for
from schemas.marts import row_key
from schemas.model import Edition, Programme

INDUSTRIES: Final = "industries"
UNITS: Final = "units"
PERCENT: Final = "%"
BY: Final = ("area", "breakdown", "category", "indicator")
LEAST_UNITS: Final = 5
LEAST_SPREAD: Final = 0.05
MAD: Final = 1.4826
NO_SHARES: Final = "有负数或合计不为正,份额没有意义"
NO_PAIRS: Final = "没有可比单位"
GROUP_MEASURES: Final = {
    "concentration_cr4": ("前4家占比", PERCENT, 1, NO_SHARES),
    "concentration_hhi": ("赫芬达尔指数", "点", 0, NO_SHARES),
    "growth_median": ("单位增速中位数", PERCENT, 1, NO_PAIRS),
    "diffusion": ("扩散指数", "点", 1, NO_PAIRS),
    "share_shift": ("占比变动", "百分点", 2, NO_SHARES),
    "structure_change": ("结构变动", "百分点", 2, NO_SHARES),
}
UNIT_MEASURES: Final = {
    "unit_growth": ("同比", PERCENT, 1),
    "industry_median": ("同行业增速中位数", PERCENT, 1),
    "unit_share": ("占园区比重", PERCENT, 1),
    "unit_points": ("拉动园区", "百分点", 2),
}


@dataclass(frozen=True)
class DiagnosisPlan:
    """Which indicators are looked at; ``top`` units of a park always have a card; ``far``: robust z beyond which one gets it."""

    indicators: tuple[str, ...]
    top: int
    far: float

    @classmethod
    def of(cls, edition: Edition) -> DiagnosisPlan:
        """From the table ``diagnosis`` of the edition."""
        given: Mapping[str, Any] = edition.parameters.get("diagnosis", {})
        return cls(tuple(given.get("indicators", ())), int(given.get("top", 20)), float(given.get("far", 3.5)))


def monitoring_diagnosis(round_: MonitoringRound, programme: Programme) -> Product:
    """Cells of the internal mart ``monitoring_diagnosis`` for one quarter (cumulative figures, restated bases)."""
    period = round_.now.period
    edition = programme.edition_for(period)
    plan = DiagnosisPlan.of(edition)
    known = [c for c in plan.indicators if c in edition.indicators]
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    chosen = [areas[code] for code in areas_present(round_.now, programme)]
    factor = {c: 10.0 ** -edition.indicators[c].decimals for c in known}
    sides = sides_of(round_, edition, environment_for(programme, period), portion_of(edition, known)).units
    units = (
        sides.filter(pl.col("indicator").is_in(known) & ~pl.col("sheet") & ~pl.col("estimated"))
        .with_columns(scale=pl.col("indicator").replace_strict(factor, default=1.0, return_dtype=pl.Float64))
        .select(
            "unit_id", "park", "section", "size", "indicator",
            now=pl.col("amount").cast(pl.Float64) * pl.col("scale"),
            base=pl.col("restated").cast(pl.Float64) * pl.col("scale"),
        )
        .filter(pl.col("now").is_not_null())
        .join(memberships(chosen), on="park", how="inner")
    )  # fmt: skip
    if units.is_empty():
        return product_of([], [])
    names = names_of(programme, edition, areas, period)
    labels = {c: edition.indicators[c].name for c in known}
    tables = [_group_cells(units, labels), _unit_cells(units, labels, plan, names)]
    cells = [
        names.named(t.with_columns(pl.lit(str(period)).alias("period"))).with_columns(row_key("table", *BY, "measure"))
        for t in tables
        if t.height
    ]
    return product_of(cells, [administrative_parts(c, "internal") for c in cells])


def group_figures(units: pl.DataFrame) -> pl.DataFrame:
    """``BY``, units, now, base, and the first four of ``GROUP_MEASURES`` with ``up``, ``compared`` for the total, section and size."""
    now, base = pl.col("now"), pl.col("base")
    level = (now - base).abs() <= SAME_PCT / 100 * base.abs()
    shares = (now.min() >= 0) & (now.sum() > 0)
    both = now.is_not_null() & base.is_not_null()
    tables = []
    for breakdown, column in (("total", ""), ("section", "section"), ("size", "size")):
        category = pl.col(column) if column else pl.lit(TOTAL)
        keyed = units.with_columns(breakdown=pl.lit(breakdown), category=category).filter(
            pl.col("category").is_not_null()
        )
        tables.append(
            keyed.group_by(BY).agg(
                units=pl.len(),
                now=now.sum(),
                base=base.sum(),
                compared=both.sum(),
                up=(both & ~level & (now > base)).sum(),
                concentration_cr4=pl.when(shares).then(now.top_k(4).sum() / now.sum() * 100),
                concentration_hhi=pl.when(shares).then((now**2).sum() / now.sum() ** 2 * 10_000),
                growth_median=((now / base - 1) * 100).filter(base > 0).median(),
                diffusion=pl.when(both.sum() > 0).then(
                    ((both & ~level & (now > base)).sum() + (both & level).sum() / 2) / both.sum() * 100
                ),
            )
        )
    return pl.concat(tables).sort(BY)


def _group_cells(units: pl.DataFrame, labels: Mapping[str, str]) -> pl.DataFrame:
    figures = group_figures(units)
    moved, changed = [], []
    divided = figures.filter(pl.col("breakdown") != "total").select("area", "breakdown", "indicator")
    for area, breakdown, indicator in divided.unique(maintain_order=True).iter_rows():
        # Only units with both sides: a unit that did not exist moved no structure, it changed the perimeter.
        shares, measures = structure_change(_matched(units, area, breakdown, indicator))
        keys = {"area": area, "breakdown": breakdown, "indicator": indicator}
        moved.append(
            shares.select("category", share_shift="shift").with_columns(pl.lit(v).alias(k) for k, v in keys.items())
        )
        changed.append({**keys, "category": TOTAL, "structure_change": measures["change"]})
    shifts = (
        pl.concat(moved) if moved else pl.DataFrame(schema={**dict.fromkeys(BY, pl.String), "share_shift": pl.Float64})
    )
    wide = figures.join(shifts, on=list(BY), how="left")
    tables = []
    for measure, (name, unit, decimals, why) in GROUP_MEASURES.items():
        if measure == "structure_change":
            rows = pl.DataFrame(changed, schema={**dict.fromkeys(BY, pl.String), measure: pl.Float64})
        elif measure == "share_shift":
            rows = wide.filter(pl.col("breakdown") != "total")
        else:
            rows = wide
        note = _card() if measure == "diffusion" else pl.lit("")
        tables.append(_measured(rows, measure, name, unit, decimals, why, note))
    return pl.concat(tables).with_columns(
        pl.lit(INDUSTRIES).alias("table"), indicator_name=pl.col("indicator").replace_strict(labels)
    )


def _matched(units: pl.DataFrame, area: str, breakdown: str, indicator: str) -> pl.DataFrame:
    own = units.filter(pl.col("base").is_not_null(), area=area, indicator=indicator)
    return (
        own.with_columns(category=pl.col(breakdown))
        .filter(pl.col("category").is_not_null())
        .group_by("category")
        .agg(pl.col("now").sum(), before=pl.col("base").sum())
        .sort("category")
    )


def _card() -> pl.Expr:
    """The sentence of a group: how many grew, and what the total rests on."""
    return pl.format(
        "{}户可比单位中{}户增长,增速中位数{}%;前4家占{}%", "compared", "up",
        _printed("growth_median"), _printed("concentration_cr4"),
    )  # fmt: skip


def _printed(column: str, decimals: int = 1) -> pl.Expr:
    """A figure in a sentence, rounded as it is printed elsewhere; unknown is the mark of a missing one."""
    return pl.col(column).map_elements(
        lambda value: displayed(value, decimals, "A"), return_dtype=pl.String, skip_nulls=True
    ).fill_null("—")  # fmt: skip


def _measured(
    rows: pl.DataFrame, measure: str, name: str, unit: str, decimals: int, why: str, note: pl.Expr
) -> pl.DataFrame:
    value = pl.col(measure).cast(pl.Float64)
    missing = value.is_null()
    return rows.select(
        *BY,
        pl.lit(measure).alias("measure"),
        pl.lit(name).alias("measure_name"),
        pl.lit(unit).alias("unit_measure"),
        pl.lit(decimals, dtype=pl.Int8).alias("decimals"),
        value.alias("value"),
        pl.when(missing).then(pl.lit("M")).otherwise(pl.lit("P")).alias("status"),
        pl.when(missing).then(pl.lit(why)).otherwise(note).alias("note"),
    )


def unit_figures(units: pl.DataFrame, plan: DiagnosisPlan) -> pl.DataFrame:
    """Units with a card, a row a park, unit and indicator: growth, its industry's median and robust z, share and points.

    The industry is the section over all parks of the round, with at least ``LEAST_UNITS`` comparable units; the z is of the
    logarithm of now / base over 1.4826 × median absolute deviation (at least 5 %). Needs both figures positive.
    """
    own = units.filter(pl.col("kind") == "zone")
    ratio = pl.when((pl.col("now") > 0) & (pl.col("base") > 0)).then((pl.col("now") / pl.col("base")).log())
    group, park = ["section", "indicator"], ["area", "indicator"]
    away = pl.col("_log") - pl.col("_middle")
    return (
        own.with_columns(_log=ratio)
        .with_columns(_middle=pl.col("_log").median().over(group), _n=pl.col("_log").count().over(group))
        .with_columns(_spread=pl.max_horizontal(away.abs().median().over(group) * MAD, LEAST_SPREAD))
        .with_columns(
            z=pl.when(pl.col("_n") >= LEAST_UNITS).then(away / pl.col("_spread")),
            unit_growth=(pl.col("_log").exp() - 1) * 100,
            industry_median=pl.when(pl.col("_n") >= LEAST_UNITS).then((pl.col("_middle").exp() - 1) * 100),
            unit_share=pl.when(pl.col("now").sum().over(park) > 0).then(pl.col("now") / pl.col("now").sum().over(park) * 100),
            unit_points=pl.when(pl.col("base").sum().over(park) > 0).then(
                (pl.col("now") - pl.col("base")) / pl.col("base").sum().over(park) * 100
            ),
            place=pl.col("base").rank("ordinal", descending=True).over(park),
        )
        .filter((pl.col("place") <= plan.top) | (pl.col("z").abs() > plan.far))
    )  # fmt: skip


def _unit_cells(units: pl.DataFrame, labels: Mapping[str, str], plan: DiagnosisPlan, names: Names) -> pl.DataFrame:
    sections = {c: n for (b, c), n in names.categories.items() if b == "section"}
    found = unit_figures(units, plan).with_columns(
        breakdown=pl.lit("unit"), category=pl.col("unit_id"),
        _section=pl.col("section").replace_strict(sections, default=pl.col("section")),
    )  # fmt: skip
    said = (
        pl.when(pl.col("z") > plan.far)
        .then(pl.format("增速远高于同行业({},偏离{}倍标准差),请核实或总结经验", "_section", _printed("z")))
        .when(pl.col("z") < -plan.far)
        .then(pl.format("增速远低于同行业({},偏离{}倍标准差),请核实或走访", "_section", _printed("z")))
        .when(_printed("unit_growth").str.contains("^0(\\.0*)?$"))
        .then(pl.format("园区第{}位,同比持平", "place"))
        .when(pl.col("unit_growth") < 0)
        .then(pl.format("园区第{}位,同比下降", "place"))
        .otherwise(pl.format("园区第{}位", "place"))
    )
    tables = [
        _measured(found, measure, name, unit, decimals, NO_PAIRS, said if measure == "unit_growth" else pl.lit(""))
        for measure, (name, unit, decimals) in UNIT_MEASURES.items()
    ]
    return pl.concat(tables).with_columns(
        pl.lit(UNITS).alias("table"), indicator_name=pl.col("indicator").replace_strict(labels)
    )
