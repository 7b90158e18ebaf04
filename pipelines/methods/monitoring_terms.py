"""The sums every measure of monitoring is made of: one table of terms, one table of what stands behind each.

Sums are exact: whole numbers in Int128, weighted ones in fixed point of 2^-20 of the indicator's last decimal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.methods.area_figures import BREAKDOWNS, KEYS, TOTAL, Breakdown
from pipelines.methods.areas import Area, memberships
from pipelines.methods.monitoring_sides import GROUPS, ROWS_AT_ONCE, Sides
from pipelines.methods.series.imputing import METHODS as METHOD_NAMES
from schemas.model import Indicator

DIMENSIONS: Final = (*KEYS, "indicator")
FIXED_POINT: Final = 2**20

# term → the sum it is, as printed with the parts; equal texts must mean equal units
NAMES: Final = {
    "level": "SUM({x})",
    "comparable": "SUM({x}, notnull(yoy({x})))",
    "base": "SUM(yoy({x}), notnull({x}))",
    "rest": "SUM({x}, isnull(yoy({x})))",
    "matched": "matched(SUM({x}))",
    "matched_base": "matched(yoy(SUM({x})))",
    "entrants": "entrants({x})",
    "unmatched": "unmatched(SUM({x}))",
    "discrete": "SUM({x} - prev({x}))",
    "kept": "SUM({x}, notnull(prev({x})))",
    "kept_before": "SUM(prev({x}), notnull({x}))",
    "answered": "answered(SUM({x}))",
    "estimates": "imputed(SUM({x}))",
    "answered_now": "answered(SUM({x}, notnull(yoy({x}))))",
    "answered_base": "answered(SUM(yoy({x}), notnull({x})))",
    "estimates_now": "imputed(SUM({x}, notnull(yoy({x}))))",
    "published": "published(yoy(SUM({x})))",
    "leavers": "leavers({x})",
    "previous": "prev(SUM({x}))",
    "printed": "published(prev(SUM({x})))",
    "perimeter": "perimeter({x})",
    "correction": "correction({x})",
}
_ORDER: Final = tuple(NAMES)
_ANSWERED, _PUBLISHED = _ORDER.index("answered"), _ORDER.index("published")
OWN_TERMS: Final = _ORDER[:_ANSWERED]
"""From this quarter's rows."""
ESTIMATE_TERMS: Final = _ORDER[_ANSWERED:_PUBLISHED]
"""Likewise, where anything is estimated; the others come with rows of their own."""
DIFFERENCES: Final = ("leavers", "perimeter", "correction")
STATISTICS: Final = ("known", "missing", "n", "max1", "max2", "fixed", "absolute")
SHEET_TERMS: Final = ("level", "comparable", "base", "published", "previous", "printed")
BY_METHOD: Final = tuple(f"by_{method}" for method in METHOD_NAMES)
COUNTS: Final = ("due", "reported", "imputed", "unknown", "no_base", "no_match", "imputed_before", *BY_METHOD)


@dataclass(frozen=True)
class Terms:
    """``values``: area, breakdown, category, indicator, one Float64 column a term, coverage (share of the due units' base
    that comparable units hold), and ``COUNTS`` (units); ``parts``: the same keys, term, part, n, max1, max2,
    total, absolute_total, administrative."""

    values: pl.DataFrame
    parts: pl.DataFrame


def terms_of(
    sides: Sides,
    indicators: Sequence[Indicator],
    areas: Mapping[str, Area],
    chosen: Sequence[str],
    breakdowns: Sequence[str],
) -> Terms:
    """Every term of every indicator for every area and category that any side has."""
    wanted = [areas[c] for c in chosen]
    sums, counts = [], []
    own_terms = (*OWN_TERMS, *ESTIMATE_TERMS) if bool(sides.units["estimated"].any()) else OWN_TERMS
    for codes in _portions(sides, indicators):
        units = _with_own_terms(sides.units.filter(pl.col("indicator").is_in(codes)))
        others = [
            f.filter(pl.col("indicator").is_in(codes)).with_columns(term=pl.lit(t)) for t, f in sides.others.items()
        ]
        for name in breakdowns:
            keyed = _keyed(units, BREAKDOWNS[name], wanted)
            sums.append(_own_sums(keyed, own_terms, weighted=sides.weighted))
            counts.append(_counts(keyed))
            if others:
                sums.append(_sums(_known(pl.concat(others, how="diagonal")), BREAKDOWNS[name], wanted))
    return _table(pl.concat(sums), pl.concat(counts), indicators)


def joined(terms: Sequence[Terms]) -> Terms:
    """The terms of disjoint portions of indicators as one."""
    return Terms(
        pl.concat([t.values for t in terms]).sort(DIMENSIONS),
        pl.concat([t.parts for t in terms]).sort(*DIMENSIONS, "term"),
    )


def sums_by_area(
    amounts: Mapping[str, pl.DataFrame],
    indicators: Sequence[Indicator],
    areas: Sequence[Area],
    breakdowns: Sequence[str],
) -> Terms:
    """Terms over amounts of one's own (``monitoring_sides.AMOUNTS``) under the names of ``NAMES``; nothing is counted."""
    frame = pl.concat([f.with_columns(term=pl.lit(t)) for t, f in amounts.items()], how="diagonal_relaxed")
    known = _known(frame.filter(pl.col("indicator").is_in([i.code for i in indicators])))
    sums = pl.concat([_sums(known, BREAKDOWNS[name], areas) for name in breakdowns])
    nothing = (
        sums.select(DIMENSIONS)
        .unique()
        .with_columns(
            pl.lit(None, dtype=pl.Float64).alias("coverage"), *(pl.lit(None, dtype=pl.Int64).alias(c) for c in COUNTS)
        )
    )
    return _table(sums, nothing, indicators)


def _portions(sides: Sides, indicators: Sequence[Indicator]) -> Iterator[list[str]]:
    """Codes a portion, so that a nation's round does not stand in memory at once."""
    present = set(sides.units["indicator"].unique())
    for frame in sides.others.values():
        present |= set(frame["indicator"].unique())
    codes = [i.code for i in indicators if i.code in present]
    each = max(1, sides.units.height * len(NAMES) // max(1, len(codes)))
    step = max(1, ROWS_AT_ONCE // each)
    for start in range(0, len(codes), step):
        yield codes[start : start + step]


def _with_own_terms(units: pl.DataFrame) -> pl.DataFrame:
    """The units with a column for every term that comes from this quarter's rows."""
    now, restated, accepted, before = (pl.col(c) for c in ("amount", "restated", "accepted", "before"))
    both, matched, kept = (now.is_not_null() & other.is_not_null() for other in (restated, accepted, before))
    quarter = kept & pl.col("flow")
    answered = ~pl.col("estimated")
    return units.with_columns(
        level=now,
        comparable=pl.when(both).then(now),
        base=pl.when(both).then(restated),
        rest=pl.when(restated.is_null()).then(now),
        matched=pl.when(matched & answered).then(now),
        matched_base=pl.when(matched & answered).then(accepted),
        entrants=pl.when(both & accepted.is_null()).then(restated),
        unmatched=pl.when(~(matched & answered)).then(now),
        discrete=pl.when(quarter).then(now - before),
        kept=pl.when(quarter).then(now),
        kept_before=pl.when(quarter).then(before),
        answered=pl.when(answered).then(now),
        estimates=pl.when(~answered).then(now),
        answered_now=pl.when(answered & both).then(now),
        answered_base=pl.when(answered & both).then(restated),
        estimates_now=pl.when(~answered & both).then(now),
    )


def _own_sums(keyed: pl.DataFrame, own_terms: Sequence[str], *, weighted: bool) -> pl.DataFrame:
    """All terms of ``_with_own_terms`` in one group_by, a row a term; terms of no unit are left out, but for sheets."""
    wide = keyed.group_by(DIMENSIONS).agg(
        pl.col("sheet").first(),
        *(e.alias(f"{term}:{name}") for term in own_terms for name, e in _statistics(term, weighted=weighted).items()),
    )
    tables = []
    for term in own_terms:
        asked = pl.col("sheet") if term in SHEET_TERMS else pl.lit(False)
        rows = wide.filter(asked | ((pl.col(f"{term}:known") > 0) & ~pl.col("sheet")))
        tables.append(
            rows.select(
                *DIMENSIONS, pl.lit(term).alias("term"), "sheet", *(pl.col(f"{term}:{n}").alias(n) for n in STATISTICS)
            )
        )
    return pl.concat(tables)


def _statistics(column: str, *, weighted: bool) -> dict[str, pl.Expr]:
    """What a sum needs: its exact value in fixed point, and the largest contributions behind it."""
    value = pl.col(column)
    size = value.abs()
    largest = size.top_k(2)  # promises no order among the two
    if weighted:
        fixed, absolute = _fixed(value).sum(), _fixed(value).abs().sum()
    else:
        fixed, absolute = value.sum() * FIXED_POINT, size.sum() * FIXED_POINT
    return {
        "known": value.count().cast(pl.Int64),
        "missing": value.null_count().cast(pl.Int64),
        "n": (value != 0).sum().cast(pl.Int64),
        "max1": largest.max(),
        "max2": pl.when(value.count() > 1).then(largest.min()),
        "fixed": fixed,
        "absolute": absolute,
    }


def _fixed(amount: pl.Expr) -> pl.Expr:
    """The weighted amount in fixed point: sums of it do not depend on the order of units."""
    weight = pl.col("weight")
    weighted = (amount.cast(pl.Float64) * weight * FIXED_POINT).round().cast(pl.Int128)
    return pl.when(weight == 1.0).then(amount * FIXED_POINT).otherwise(weighted)


def _known(amounts: pl.DataFrame) -> pl.DataFrame:
    return amounts.filter(pl.col("amount").is_not_null() | pl.col("sheet"))


def _keyed(frame: pl.DataFrame, breakdown: Breakdown, areas: Sequence[Area]) -> pl.DataFrame:
    """The rows once for every area of the breakdown's kinds they belong to, with the category; other groups dropped."""
    rows = frame.filter(~pl.col("sheet")) if breakdown.rosters_only else frame
    category = pl.col(breakdown.column) if breakdown.column else pl.lit(TOTAL)
    needed = [c for c in frame.columns if c not in (*GROUPS, "unit_id")]
    narrow = rows.select("park", category.alias("category"), *needed).filter(pl.col("category").is_not_null())
    member = memberships([a for a in areas if a.kind in breakdown.kinds]).select("park", "area")
    joined = narrow.join(member, on="park", how="inner")
    return joined.with_columns(pl.lit(breakdown.name).alias("breakdown"))


def _sums(amounts: pl.DataFrame, breakdown: Breakdown, areas: Sequence[Area]) -> pl.DataFrame:
    """As ``_own_sums`` for amounts that come with their term in a column.

    In a difference a unit that moved between two groups counts once, with its net change, wherever both groups are inside.
    """
    weighted = bool((amounts["weight"] != 1.0).any())
    difference = pl.col("term").is_in(DIFFERENCES)
    keyed = _keyed(amounts.with_columns(unit=pl.when(difference).then("unit_id")), breakdown, areas)
    nets = (
        keyed.filter(difference)
        .group_by(*DIMENSIONS, "term", "unit")
        .agg(pl.col("sheet", "weight").first(), pl.col("amount").sum())
        .filter(pl.col("amount") != 0)
    )
    rows = pl.concat([keyed.filter(~difference).select(nets.columns), nets])
    return (
        rows.group_by(*DIMENSIONS, "term")
        .agg(pl.col("sheet").first(), **_statistics("amount", weighted=weighted))
        .select(*DIMENSIONS, "term", "sheet", *STATISTICS)
    )


def _counts(keyed: pl.DataFrame) -> pl.DataFrame:
    """Units due, reported, estimated and silent without an estimate; those without a figure to compare with; and how much of the
    due units' base the comparable ones hold. A blank that an answering unit left is no silence.

    By the base itself where every due unit gives one, else by last known revenue, else by number (survey_system 8.4).
    """
    had, base, weigh = pl.col("amount").is_not_null(), pl.col("restated").abs(), pl.col("weigh_by")
    due, estimated, silent = pl.col("due"), pl.col("estimated"), pl.col("silent")
    matched = pl.col("accepted").is_not_null() & ~estimated
    pair = due & had & ~estimated & base.is_not_null()

    def share(of: pl.Expr) -> pl.Expr:
        held, whole = of.filter(pair).sum().cast(pl.Float64), of.filter(due).sum().cast(pl.Float64)
        return pl.when(whole > 0).then(held / whole)

    by_base = pl.when(base.filter(due).null_count() == 0).then(share(base))
    by_number = pl.when(due.sum() > 0).then(pair.sum() / due.sum())
    return keyed.group_by(DIMENSIONS).agg(
        due=due.sum().cast(pl.Int64),
        reported=(had & ~estimated).sum().cast(pl.Int64),
        imputed=(had & estimated).sum().cast(pl.Int64),
        unknown=(due & silent & ~had).sum().cast(pl.Int64),
        no_base=(had & pl.col("restated").is_null()).sum().cast(pl.Int64),
        no_match=(had & ~matched).sum().cast(pl.Int64),
        imputed_before=pl.col("estimated_before").sum().cast(pl.Int64),
        **{f"by_{m}": (had & (pl.col("method") == m)).sum().cast(pl.Int64) for m in METHOD_NAMES},
        coverage=pl.coalesce(by_base, share(weigh), by_number),
    )


def _table(sums: pl.DataFrame, counts: pl.DataFrame, indicators: Sequence[Indicator]) -> Terms:
    scales = pl.DataFrame(
        {"indicator": [i.code for i in indicators], "scale": [float(10**i.decimals) for i in indicators]},
        schema={"indicator": pl.String, "scale": pl.Float64},
    )
    scaled = sums.join(scales, on="indicator", how="left").with_columns(
        # A sheet total without one of its members would be too low without saying so.
        pl.when(~pl.col("sheet") | (pl.col("missing") == 0))
        .then(pl.col("fixed").cast(pl.Float64) / FIXED_POINT / pl.col("scale"))
        .alias("total"),
        (pl.col("absolute").cast(pl.Float64) / FIXED_POINT / pl.col("scale")).alias("absolute_total"),
        *((pl.col(c).cast(pl.Float64) / pl.col("scale")).alias(c) for c in ("max1", "max2")),
    )
    wide = scaled.pivot(
        on="term", on_columns=list(NAMES), index=list(DIMENSIONS), values="total", aggregate_function="first"
    )
    values = wide.join(counts, on=DIMENSIONS, how="full", coalesce=True).sort(DIMENSIONS)
    known = scaled.filter(pl.col("total").is_not_null())
    text = pl.col("term").replace_strict(NAMES, return_dtype=pl.String)
    own = pl.when("sheet").then(text.str.replace_all("SUM({x})", "{x}", literal=True)).otherwise(text)
    parts = known.select(
        *DIMENSIONS,
        "term",
        own.str.replace_all("{x}", pl.col("indicator"), literal=True).alias("part"),
        "n",
        "max1",
        "max2",
        "total",
        "absolute_total",
        pl.col("sheet").alias("administrative"),
    ).sort(*DIMENSIONS, "term")
    return Terms(values.select(*DIMENSIONS, *NAMES, "coverage", *COUNTS), parts)


def estimated_cells(terms: Terms, most_imputed: float, *, weighted: bool) -> pl.DataFrame:
    """``DIMENSIONS``, withheld of every level with an estimate behind it (all of them where units stand for others).

    ``withheld``: estimates hold more than ``most_imputed`` of it."""
    rows = terms.values if weighted else terms.values.filter(pl.col("imputed") > 0)
    mostly = (pl.col("estimates").abs() > most_imputed * pl.col("level").abs()) & (pl.col("level") != 0)
    return rows.select(*DIMENSIONS, withheld=mostly.fill_null(False)).sort(DIMENSIONS)


def silent_units(units: pl.DataFrame, areas: Sequence[Area], breakdowns: Sequence[str]) -> pl.DataFrame:
    """``DIMENSIONS``, silent: how many due units of ``monitoring_sides.UNITS`` have neither a report nor an estimate; only where some."""
    missing = units.filter(pl.col("silent") & pl.col("due") & pl.col("amount").is_null())
    keyed = [_keyed(missing, BREAKDOWNS[name], areas) for name in breakdowns]
    return pl.concat(keyed).group_by(DIMENSIONS).agg(silent=pl.len().cast(pl.Int64)).sort(DIMENSIONS)


def silent_cells(terms: Terms) -> pl.DataFrame:
    """``DIMENSIONS``, silent: of every level how many due units without a report are not in it, estimates aside; only where some are."""
    return terms.values.filter(pl.col("unknown") > 0).select(*DIMENSIONS, silent="unknown").sort(DIMENSIONS)
