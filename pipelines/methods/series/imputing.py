"""Imputation for units that did not answer: by ratio, own trend or donor; the large ones one by one, everything flagged.

Sources: ratio and trend as the estimators of T. de Waal, J. Pannekoek and S. Scholtus, Handbook of Statistical Data Editing and
Imputation (2011), chapter 7.3; nearest-neighbour donor within classes: J. Chen and J. Shao, JOS 16 (2000), 113–131.
Documented in docs/methods/imputation.md. Answers to questions are never imputed: only amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from schemas.errors import DefinitionError

TOP: Final = 20
DONORS: Final = 5
CLASSES: Final = (("industry", "size"), ("industry",), ())
LEVEL_NAMES: Final = {("industry", "size"): "行业×规模", ("industry",): "行业", (): "全部单位"}
CONFIRMED, TREND, RATIO, DONOR = "confirmed", "trend", "ratio", "donor"
METHODS: Final = {CONFIRMED: "核定值", TREND: "自身趋势", RATIO: "同类比率", DONOR: "供体"}
ONE_BY_ONE: Final = (CONFIRMED, RATIO, TREND, DONOR)
OTHERS: Final = (CONFIRMED, RATIO, DONOR)
INPUT: Final[dict[str, pl.DataType]] = {
    "unit": pl.String(), "industry": pl.String(), "size": pl.String(), "value": pl.Float64(), "base": pl.Float64(),
    "earlier": pl.Float64(), "above_scale": pl.Boolean(), "confirmed": pl.Float64(), "park": pl.String(),
}  # fmt: skip


def imputed_units(
    units: pl.DataFrame, *, one_by_one: Sequence[str] = ONE_BY_ONE, others: Sequence[str] = OTHERS,
    top: int = TOP, donors: int = DONORS,
) -> pl.DataFrame:  # fmt: skip
    """``units`` (columns of ``INPUT``; those from ``base`` on may be absent) with ``value`` filled, ``imputed``, ``method``,
    ``level`` and ``donor`` behind it, ``is_single`` (large: above scale, or among the ``top`` of their park by base) and the proposals
    ``by_trend``, ``by_ratio``, ``by_donor`` of every silent unit, in the order given.

    ratio: base × Σ value / Σ base of the answering units with both, of industry × size, else industry, else all (at least
    ``donors`` of them and a positive base). trend: base × base / earlier, both positive. donor: base × value / base of the
    answering unit of the class with the nearest base (ties: first by name); all positive. What no method reaches stays null.
    A figure given as ``confirmed`` (an administrative record) for a silent unit goes before all. Source of who is large and of
    the order for those: survey_system.md 2.1. Raises DefinitionError for an unknown method.
    """
    if unknown := {*one_by_one, *others} - METHODS.keys():
        raise DefinitionError(f"没有插补方法 {'、'.join(sorted(unknown))}", remedy=f"可用:{'、'.join(METHODS)}。")
    table = units.with_columns(
        pl.lit(None, dtype=t).alias(c) for c, t in INPUT.items() if c not in units.columns
    ).with_columns(pl.col(c).cast(t) for c, t in INPUT.items())
    if table["unit"].is_duplicated().any():
        raise DefinitionError("同一单位出现两次", remedy="请先合并或删去重复的行。")
    rank = pl.col("base").rank("ordinal", descending=True).over("park")
    table = table.with_row_index("_order").with_columns(
        is_single=pl.col("above_scale").fill_null(False) | (rank <= top).fill_null(False),
        imputed=pl.col("value").is_null(),
    )
    table = _with_ratio(table, donors)
    base, earlier = pl.col("base"), pl.col("earlier")
    table = table.with_columns(by_trend=pl.when((base > 0) & (earlier > 0)).then(base * base / earlier))
    table = table.join(_donors(table), on="unit", how="left", maintain_order="left")
    silent = pl.col("imputed")
    by = {CONFIRMED: "confirmed", TREND: "by_trend", RATIO: "by_ratio", DONOR: "by_donor"}
    orders = [(pl.col("is_single"), one_by_one), (~pl.col("is_single"), others)]
    value = pl.coalesce(pl.when(who).then(pl.coalesce(by[m] for m in order)) for who, order in orders)
    method = pl.coalesce(
        pl.when(who & pl.col(by[m]).is_not_null()).then(pl.lit(m)) for who, order in orders for m in order
    )
    shown = ["by_trend", "by_ratio", "by_donor"]
    return (
        table.with_columns(method=pl.when(silent).then(method).fill_null(""))
        .with_columns(pl.when(silent).then(c).alias(c) for c in shown)  # before ``imputed`` says who was reached
        .with_columns(
            value=pl.when(silent).then(value).otherwise("value"),
            level=pl.when(pl.col("method") == RATIO).then("_level").when(pl.col("method") == DONOR).then("_donor_level"),
            donor=pl.when(pl.col("method") == DONOR).then("_donor"),
            imputed=silent & value.is_not_null(),
        )
        .sort("_order")
        .select(*INPUT, "is_single", "imputed", "method", "level", "donor", *shown)
    )  # fmt: skip


def _with_ratio(table: pl.DataFrame, donors: int) -> pl.DataFrame:
    """``by_ratio`` and the class its ratio comes from."""
    both = pl.col("value").is_not_null() & pl.col("base").is_not_null()
    sides = table.with_columns(
        _now=pl.when(both).then("value").otherwise(0.0), _then=pl.when(both).then("base").otherwise(0.0), _one=both
    )
    ratios, levels = [], []
    for group in CLASSES:
        now, then, count = (
            pl.col(c).sum().over(list(group)) if group else pl.col(c).sum() for c in ("_now", "_then", "_one")
        )
        enough = (count >= donors) & (then > 0)
        ratios.append(pl.when(enough).then(now / then))
        levels.append(pl.when(enough).then(pl.lit(LEVEL_NAMES[group])))
    return sides.with_columns(by_ratio=pl.col("base") * pl.coalesce(ratios), _level=pl.coalesce(levels)).drop(
        "_now", "_then", "_one"
    )


def _donors(table: pl.DataFrame) -> pl.DataFrame:
    """(unit, by_donor, _donor, _donor_level) of every silent unit with a positive base."""
    left = table.filter(pl.col("value").is_null() & (pl.col("base") > 0)).select("unit", "industry", "size", "base")
    giving = table.filter((pl.col("value") > 0) & (pl.col("base") > 0)).select(
        "industry", "size", _donor="unit", _base="base", _value="value"
    )
    found = []
    for group in CLASSES:
        best = _nearest(left, giving, list(group)).select(
            "unit",
            by_donor=pl.col("base") * pl.col("_value") / pl.col("_base"),
            _donor="_donor",
            _donor_level=pl.lit(LEVEL_NAMES[group]),
        )
        found.append(best)
        left = left.join(best.select("unit"), on="unit", how="anti")
    return pl.concat(found)


def _nearest(left: pl.DataFrame, giving: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Of every unit of ``left`` the giving unit of its class with the nearest base, the first by name among equally near."""
    usable, from_ = (f.drop_nulls(by) if by else f for f in (left, giving))
    firsts = from_.sort("_base", "_donor").unique([*by, "_base"], keep="first", maintain_order=True)
    firsts = firsts.drop([c for c in ("industry", "size") if c not in by]).sort("_base").with_columns(base="_base")
    sides = [
        usable.sort("base").join_asof(firsts, on="base", by=by or None, strategy=strategy, check_sortedness=False)
        for strategy in ("backward", "forward")
    ]
    return (
        pl.concat(sides)
        .filter(pl.col("_donor").is_not_null())
        .with_columns(_away=(pl.col("base") - pl.col("_base")).abs())
        .sort("unit", "_away", "_donor")
        .unique("unit", keep="first", maintain_order=True)
    )


def imputed_totals(units: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """by…, total, answered, imputed, imputed_pct, units, units_imputed, units_unknown, status (A, E where anything is
    imputed) of what ``imputed_units`` gives: the flag every figure carries."""
    own = pl.col("value").filter(~pl.col("imputed")).sum()
    put = pl.col("value").filter(pl.col("imputed")).sum()
    measures = {
        "total": own + put,
        "answered": own,
        "imputed_sum": put,
        "imputed_pct": pl.when(own + put > 0).then(put / (own + put) * 100),
        "units": pl.len().cast(pl.Int64),
        "units_imputed": pl.col("imputed").sum().cast(pl.Int64),
        "units_unknown": pl.col("value").is_null().sum().cast(pl.Int64),
        "status": pl.when(pl.col("imputed").any()).then(pl.lit("E")).otherwise(pl.lit("A")),
    }
    found = units.group_by(list(by)).agg(**measures).sort(list(by), nulls_last=True) if by else units.select(**measures)
    return found
