"""Imputation of the quarterly totals: what due units that did not answer are put in with, value by value.

Amounts of the enterprise roster only, by ``series.imputing`` within section × size; above-scale units and the largest of each
park are treated one by one. Nothing filed is ever replaced; answers to questions, projects and sheets are never imputed.
Source: survey_system.md 2.1; docs/methods/imputation.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from pipelines.methods.area_figures import MANUFACTURING, UNKNOWN_CATEGORY
from pipelines.methods.monitoring_sides import additive_indicators
from pipelines.methods.series.imputing import CONFIRMED, DONORS, ONE_BY_ONE, OTHERS, TOP, imputed_units
from schemas import reserved
from schemas.classes import section
from schemas.environment import Environment
from schemas.expression import operand_column
from schemas.model import Edition, Indicator
from schemas.period_data import ENTERPRISE, PeriodData

SILENT: Final = ("1", "2", "3")  # due, without valid figures
BASES: Final = {"yoy": "上年同期", "prev": "上季"}
ATTRIBUTES: Final = (
    reserved.SUB_PARK,
    reserved.INDUSTRY,
    reserved.SIZE,
    reserved.ABOVE_SCALE,
)  # what places a silent unit: as it last stated
FOUND: Final[dict[str, pl.DataType]] = {
    "period": pl.String(), "park": pl.String(), "unit_id": pl.String(), "indicator": pl.String(), "value": pl.Float64(),
    "method": pl.String(), "base_of": pl.String(), "base": pl.Float64(), "level": pl.String(), "donor": pl.String(),
    "is_single": pl.Boolean(), "by_trend": pl.Float64(), "by_ratio": pl.Float64(), "by_donor": pl.Float64(),
    "sub_park": pl.String(), "section": pl.String(), "division": pl.String(), "size": pl.String(),
}  # fmt: skip


@dataclass(frozen=True)
class ImputationRules:
    """The section ``[imputation]`` of an edition. Without it, or with ``enabled = false``, nothing is imputed.

    ``most_imputed``: a published level of which a larger share is imputed is withheld.
    """

    enabled: bool = False
    one_by_one: tuple[str, ...] = ONE_BY_ONE
    others: tuple[str, ...] = OTHERS
    top: int = TOP
    donors: int = DONORS
    most_imputed: float = 0.5

    @classmethod
    def of(cls, edition: Edition) -> ImputationRules:
        """The rules an edition states."""
        given = edition.parameters.get("imputation", {})
        return cls(
            enabled=bool(given.get("enabled", False)),
            one_by_one=(CONFIRMED, *given.get("one_by_one", ONE_BY_ONE[1:])),
            others=(CONFIRMED, *given.get("others", OTHERS[1:])),
            top=int(given.get("top", TOP)),
            donors=int(given.get("donors", DONORS)),
            most_imputed=float(given.get("most_imputed", 0.5)),
        )


def nothing_imputed() -> pl.DataFrame:
    """An empty frame of imputed values."""
    return pl.DataFrame(schema=FOUND)


def imputations(
    data: PeriodData,
    earlier: Mapping[str, pl.DataFrame],
    edition: Edition,
    env: Environment,
    rules: ImputationRules,
    confirmed: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """One row (``FOUND``) a silent unit and additive quarterly amount, with the value no method reached left null.

    ``data`` has its operand columns (``F01_yoy``, ``F01_prev``). ``earlier``: base (``yoy``, ``prev``) → roster of the year before that base, for the trend.
    ``confirmed``: unit_id, indicator, value known from elsewhere. Flows are carried from the same quarter of last year, else from the last
    quarter; stocks the other way round. A cumulative amount that cannot be negative is never put below what the unit itself reported for the quarter before.
    """
    roster = data.rosters.get(ENTERPRISE)
    if not rules.enabled or roster is None or roster.is_empty() or "answer_status" not in roster.columns:
        return nothing_imputed()
    silent = pl.col("answer_status").is_in(SILENT).fill_null(False)
    inside = roster.filter(silent | (pl.col("answer_status") == "0"))
    if inside.filter(silent).is_empty():
        return nothing_imputed()
    placed = placed_as_stated(inside)
    industry = pl.col(reserved.INDUSTRY) if reserved.INDUSTRY in placed.columns else pl.lit(None, dtype=pl.String)
    units = placed.with_columns(
        _industry=section(industry, env.industries),
        _size=_text(placed, reserved.SIZE),
        _above=pl.col(reserved.ABOVE_SCALE).cast(pl.Boolean)
        if reserved.ABOVE_SCALE in placed.columns
        else pl.lit(None, dtype=pl.Boolean),
        _silent=silent,
    )
    known = [i for i in additive_indicators(edition).get(ENTERPRISE, ()) if i.code in units.columns]
    tables = [_of_indicator(units, i, earlier, rules, confirmed) for i in known]
    found = pl.concat([t for t in tables if t.height]) if any(t.height for t in tables) else nothing_imputed()
    places = units.select(
        "unit_id",
        sub_park=pl.coalesce(_text(units, "sub_park"), _text(units, reserved.SUB_PARK)),
        section=pl.col("_industry").fill_null(UNKNOWN_CATEGORY),
        division=pl.when(pl.col("_industry") == MANUFACTURING).then(_text(units, reserved.INDUSTRY).str.slice(0, 2)),
        size=pl.col("_size").fill_null(UNKNOWN_CATEGORY),
    )
    found = found.drop(places.columns[1:]).join(places, on="unit_id", how="left", validate="m:1")
    return (
        found.with_columns(period=pl.lit(str(data.period)))
        .select(pl.col(c).cast(t) for c, t in FOUND.items())
        .sort("park", "unit_id", "indicator")
    )


def placed_as_stated(roster: pl.DataFrame) -> pl.DataFrame:
    """The roster with what places a unit (industry, size, scale) filled from its report a quarter or a year ago."""
    fills = []
    for code in ATTRIBUTES:
        sources = [c for c in (code, operand_column(code, "prev"), operand_column(code, "yoy")) if c in roster.columns]
        if sources and (code in roster.columns or code == reserved.SIZE):
            fills.append(pl.coalesce(sources).alias(code))
    return roster.with_columns(fills)


def with_imputations(data: PeriodData, found: pl.DataFrame) -> PeriodData:
    """The observations with the imputed values put in and ``imputed`` set; units without any value stay as they are."""
    values = found.filter(pl.col("value").is_not_null())
    if values.is_empty():
        return data
    roster = data.rosters[ENTERPRISE]
    codes = sorted(values["indicator"].unique())
    wide = values.pivot(on="indicator", on_columns=codes, index="unit_id", values="value", aggregate_function="first")
    wide = wide.select("unit_id", pl.lit(True).alias("_put"), *(pl.col(c).alias(f"{c} put") for c in codes))
    stated = placed_as_stated(roster)
    joined = stated.join(wide, on="unit_id", how="left", validate="m:1", maintain_order="left")
    put = pl.col("_put").fill_null(False)
    figures = [c for c, t in roster.schema.items() if t.is_numeric() and len(c) == 3 and c[1:].isdigit()]
    places = [c for c in ATTRIBUTES if c in stated.columns]
    sub_park = (
        [pl.when(put).then(pl.coalesce("sub_park", reserved.SUB_PARK)).otherwise("sub_park").alias("sub_park")]
        if {"sub_park", reserved.SUB_PARK} <= set(stated.columns)
        else []
    )
    before = {
        c: pl.Series(c, roster[c]) if c in roster.columns else pl.lit(None, dtype=stated.schema[c]) for c in places
    }
    filled = joined.with_columns(
        *(
            pl.when(put)
            .then(_typed(f"{c} put", roster.schema[c]) if c in codes else None)
            .otherwise(pl.col(c))
            .alias(c)
            for c in figures
        ),
        *(pl.when(put).then(pl.col(c)).otherwise(before[c]).alias(c) for c in places),
        *sub_park,
        pl.when(put).then(True).otherwise(pl.col("imputed") if "imputed" in roster.columns else False).alias("imputed"),
    ).drop("_put", *(f"{c} put" for c in codes))
    return replace(data, rosters={**data.rosters, ENTERPRISE: filled})


def _text(frame: pl.DataFrame, code: str) -> pl.Expr:
    return pl.col(code).cast(pl.String) if code in frame.columns else pl.lit(None, dtype=pl.String)


def _typed(column: str, dtype: pl.DataType) -> pl.Expr:
    """A value rounded to what the indicator can hold."""
    digits = dtype.scale if isinstance(dtype, pl.Decimal) else 0 if dtype.is_integer() else None
    value = pl.col(column)
    return (value if digits is None else value.round(digits, mode="half_away_from_zero")).cast(dtype)


def _of_indicator(
    units: pl.DataFrame,
    indicator: Indicator,
    earlier: Mapping[str, pl.DataFrame],
    rules: ImputationRules,
    confirmed: pl.DataFrame | None,
) -> pl.DataFrame:
    """The imputed values of one indicator: the second base only where the first gave nothing."""
    order: Sequence[str] = ("yoy", "prev") if indicator.flow else ("prev", "yoy")
    given = confirmed.filter(indicator=indicator.code) if confirmed is not None else None
    left, tables = units, []
    for base in (b for b in order if operand_column(indicator.code, b) in units.columns):
        column = operand_column(indicator.code, base)
        if left.filter(pl.col("_silent") & pl.col(column).is_not_null()).is_empty() and given is None:
            continue
        made = imputed_units(
            _table(left, indicator.code, column, earlier.get(base), given),
            one_by_one=rules.one_by_one, others=rules.others, top=rules.top, donors=rules.donors,
        ).filter("imputed")  # fmt: skip
        tables.append(made.with_columns(base_of=pl.lit(BASES[base])))
        left = left.filter(~pl.col("unit_id").is_in(made["unit"].implode()))
        given = None
    silent = left.filter("_silent").select(pl.col("unit_id").alias("unit"), "park")
    found = pl.concat([*tables, silent], how="diagonal_relaxed").rename({"unit": "unit_id"})
    missing = [pl.lit(None, dtype=t).alias(c) for c, t in FOUND.items() if c not in found.columns]
    found = found.with_columns(missing).with_columns(
        indicator=pl.lit(indicator.code), method=pl.col("method").fill_null(""), base_of=pl.col("base_of").fill_null("")
    )
    reported = operand_column(indicator.code, "prev")
    if indicator.flow and indicator.nonneg and reported in units.columns:
        floor = units.select("unit_id", _floor=pl.col(reported).cast(pl.Float64))
        found = found.join(floor, on="unit_id", how="left", maintain_order="left").with_columns(
            value=pl.when(pl.col("value") < pl.col("_floor")).then("_floor").otherwise("value")
        )
    digits = pl.col("value").cast(pl.Float64).round(indicator.decimals, mode="half_away_from_zero")
    return found.with_columns(value=digits).select(pl.col(c).cast(t) for c, t in FOUND.items())


def _table(
    units: pl.DataFrame, code: str, base: str, earlier: pl.DataFrame | None, given: pl.DataFrame | None
) -> pl.DataFrame:
    """The units as ``imputed_units`` takes them."""
    table = units.select(
        pl.col("unit_id").alias("unit"),
        pl.col("_industry").alias("industry"),
        pl.col("_size").alias("size"),
        pl.when(~pl.col("_silent")).then(pl.col(code).cast(pl.Float64)).alias("value"),
        pl.col(base).cast(pl.Float64).alias("base"),
        pl.col("_above").alias("above_scale"),
        "park",
    )
    if earlier is not None and code in earlier.columns:
        then = earlier.select(pl.col("unit_id").alias("unit"), pl.col(code).cast(pl.Float64).alias("earlier"))
        table = table.join(then.unique("unit", keep="first"), on="unit", how="left", maintain_order="left")
    if given is not None:
        known = given.select(pl.col("unit_id").alias("unit"), pl.col("value").cast(pl.Float64).alias("confirmed"))
        table = table.join(known.unique("unit", keep="first"), on="unit", how="left", maintain_order="left")
    return table
