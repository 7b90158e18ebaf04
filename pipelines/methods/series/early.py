"""Early estimate 快速估计: the total of a period while some units have not answered, with an interval tested on the past.

Estimate: answered figures + for the silent units their earlier figure × the ratio of the matched units that answered (separate
ratio estimate by stratum; W. G. Cochran, Sampling Techniques, 3rd ed. 1977, 6.2 and 6.10). Interval: the same estimate is made
for every past period with the answers that would then have been there; the errors, on the scale of what was missing, are the
scores of a split conformal interval (V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random World, 2005; J. Lei
et al., JASA 113 (2018), 1094–1111). Its coverage is proven by replay: each past period is judged by the periods before it only.
Documented in docs/methods/early-estimate.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
import scipy

from exports.display import percent
from pipelines.methods.series.periods import point
from schemas.errors import DefinitionError

DONORS: Final = 5
LEAST_HISTORY: Final = 4
ALL: Final = "全部"
NO_INTERVAL: Final = "可回放的过去报告期只有 {n} 个,少于 {least} 个,不给区间"
NOT_REACHED: Final = "过去 {n} 期的误差最多支持 {most} 的区间;要 {wanted} 须有 {needed} 期以上"


@dataclass(frozen=True)
class Estimate:
    """One estimate. ``answered``: sum of figures in hand; ``filled``: what stands for silent units with an earlier figure;
    ``missing_base``: Σ |earlier figure| of those; ``unknown``: silent units without one (not estimated: the total is too low
    by them). ``pooled``: strata whose ratio is that of all units, for want of matched units or a positive base."""

    total: float
    answered: float
    filled: float
    missing_base: float
    units: int
    answered_units: int
    unknown: int
    pooled: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """``lower`` … ``upper`` with the coverage it is entitled to (``nominal`` ≤ wanted when history is short), the coverage
    achieved when replaying, and the exact 95 % limits of that share. None with a Chinese ``note`` where there is no history."""

    lower: float | None
    upper: float | None
    nominal: float | None
    achieved: float | None
    hits: int
    trials: int
    achieved_low: float | None
    achieved_high: float | None
    note: str


@dataclass(frozen=True)
class EarlyEstimate:
    """``replays``: (period, estimate, actual, error, error_pct, score, lower, upper, covered), one row a past period."""

    period: str
    estimate: Estimate
    interval: Interval
    replays: pl.DataFrame


def ratio_estimate(units: pl.DataFrame, donors: int = DONORS) -> Estimate:
    """The estimate from ``units`` (stratum, base, value): null ``value`` is silent, null ``base`` unknown before.

    The ratio of a stratum is Σ value / Σ base over its units with both; a stratum with fewer than ``donors`` of them, or a
    base of zero or below, takes the ratio of all. Raises DefinitionError where even that has no positive base.
    """
    both = units.filter(pl.col("value").is_not_null() & pl.col("base").is_not_null())
    silent = units.filter(pl.col("value").is_null() & pl.col("base").is_not_null())
    now, then = float(both["value"].sum()), float(both["base"].sum())
    if silent.height and then <= 0:
        raise DefinitionError("已报单位的基期合计为零或负,不能按比率推算", remedy="请换基期,或等更多单位报送。")
    by = (
        both.group_by("stratum")
        .agg(pl.len().alias("n"), pl.col("value").sum().alias("now"), pl.col("base").sum().alias("then"))
        .filter((pl.col("n") >= donors) & (pl.col("then") > 0))
        .select("stratum", (pl.col("now") / pl.col("then")).alias("ratio"))
    )
    filled = silent.join(by, on="stratum", how="left", nulls_equal=True)
    ratio = pl.col("ratio").fill_null(now / then if then > 0 else 0.0)
    pooled = filled.filter(pl.col("ratio").is_null())["stratum"].unique().sort().to_list()
    put = float(filled.select((pl.col("base") * ratio).sum()).item())
    answered = units.filter(pl.col("value").is_not_null())
    return Estimate(
        total=float(answered["value"].sum()) + put,
        answered=float(answered["value"].sum()),
        filled=put,
        missing_base=float(silent["base"].abs().sum()),
        units=units.height,
        answered_units=answered.height,
        unknown=units.height - answered.height - silent.height,
        pooled=tuple(str(s) for s in pooled if s is not None),
    )


def conformal_rank(n: int, coverage: float) -> int:
    """Which of ``n`` ordered scores bounds the next one with at least ``coverage``: ⌈(n + 1) coverage⌉; above ``n``: none."""
    return math.ceil((n + 1) * coverage - 1e-12)


def exact_limits(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper–Pearson limits of a share. Source: Biometrika 26 (1934), 404–413."""
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(scipy.stats.beta.ppf(tail, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(scipy.stats.beta.ppf(1 - tail, hits + 1, trials - hits))
    return low, high


def early_estimate(
    frame: pl.DataFrame,
    period: str,
    *,
    lag: int | None = None,
    coverage: float = 0.8,
    within_days: int | None = None,
    donors: int = DONORS,
    lists_due: bool | None = None,
) -> EarlyEstimate:
    """The estimate for ``period`` and its tested interval from ``frame`` (unit, period, stratum, value, days).

    One row a unit and period; null value: has not answered. ``days``: days from the end of the period to the answer, null
    where unknown. ``lag``: periods back to the base (default a year). In a replayed period those count as answered that
    answered ``within_days`` (given), else the units that have answered ``period`` by now. Where ``period`` lists who is due, a unit
    of the base without a row has left; else every unit of the base that has no row is silent. ``lists_due``: whether it does; None:
    where it has rows without a value (it cannot be told where everybody has answered). Units that never answered a replayed period are no part of its truth.
    Raises DefinitionError, in words, for a period or base that is not there and for data that allow no estimate.
    """
    if not 0 < coverage < 1:
        raise DefinitionError("区间的把握程度须在 0 与 1 之间", remedy="例如 0.8。")
    if frame.select("unit", "period").is_duplicated().any():
        raise DefinitionError("同一单位同一报告期有两行", remedy="请合并或删去重复的行。")
    texts = {point(t).ordinal: t for t in frame["period"].unique().to_list()}
    if len({point(t).per_year for t in texts.values()}) > 1:
        raise DefinitionError("报告期混有年、季、月", remedy="一个文件只放一种频率。")
    target = point(period).ordinal
    step = lag if lag is not None else point(period).per_year
    sides = {n: frame.filter(pl.col("period") == text) for n, text in texts.items()}
    for wanted, what in ((target, period), (target - step, f"{period} 的基期")):
        if wanted not in sides:
            raise DefinitionError(f"没有 {what} 的数据", remedy="请检查 --period 与 --lag。")
    now = _answers(sides[target], within_days)
    before = sides[target - step]
    if lists_due or (lists_due is None and sides[target]["value"].null_count()):
        before = before.join(sides[target].select("unit"), on="unit", how="semi")
    estimate = ratio_estimate(_sides(now, before), donors)
    answered = now.filter(pl.col("value").is_not_null())["unit"]
    replays = []
    for n in sorted(sides):
        if n >= target or n - step not in sides:
            continue
        truth = sides[n].filter(pl.col("value").is_not_null())
        base = sides[n - step].join(truth.select("unit"), on="unit", how="semi")
        known = (
            _answers(truth, within_days)
            if within_days is not None
            else truth.with_columns(pl.when(pl.col("unit").is_in(answered.implode())).then("value").alias("value"))
        )
        if replay := _replay(texts[n], known, base, truth, donors):
            replays.append(replay)
    table = _tested(replays, coverage)
    return EarlyEstimate(period, estimate, _interval(estimate, table, coverage), table)


def _answers(side: pl.DataFrame, within_days: int | None) -> pl.DataFrame:
    if within_days is None:
        return side
    return side.with_columns(pl.when(pl.col("days") <= within_days).then("value").alias("value"))


def _sides(now: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """(stratum, base, value) of every unit of either side; the stratum of now, else of the base."""
    before = base.filter(pl.col("value").is_not_null()).select("unit", pl.col("value").alias("base"), "stratum")
    return now.select("unit", "value", "stratum").join(before, on="unit", how="full", coalesce=True).select(
        pl.coalesce("stratum", "stratum_right").alias("stratum"), "base", "value"
    )  # fmt: skip


def _replay(
    period: str, known: pl.DataFrame, base: pl.DataFrame, truth: pl.DataFrame, donors: int
) -> tuple[str, float, float, float] | None:
    """(period, estimate, actual, missing base); None where nothing was missing or no ratio can be had. Silent units without an
    earlier figure belong to the truth and not to the estimate: what that costs is part of the error."""
    sides = _sides(known, base)
    both = sides.filter(pl.col("value").is_not_null() & pl.col("base").is_not_null())
    if both.is_empty() or float(both["base"].sum()) <= 0:
        return None
    made = ratio_estimate(sides, donors)
    if made.missing_base <= 0:
        return None
    return period, made.total, float(truth["value"].sum()), made.missing_base


def _tested(replays: Sequence[tuple[str, float, float, float]], coverage: float) -> pl.DataFrame:
    """The replays with the interval that the periods before each would have given."""
    rows = []
    scores = [abs(actual - made) / missing for _, made, actual, missing in replays]
    for k, (period, made, actual, missing) in enumerate(replays):
        bound, score = _bound(scores[:k], coverage), scores[k]
        covered = None if bound is None else score <= bound
        width = None if bound is None else bound * missing
        rows.append(
            (
                period, made, actual, made - actual, (made / actual - 1) * 100 if actual > 0 else None, score,
                None if width is None else made - width, None if width is None else made + width, covered,
            )
        )  # fmt: skip
    number = pl.Float64()
    schema: dict[str, pl.DataType] = {
        "period": pl.String(), "estimate": number, "actual": number, "error": number, "error_pct": number, "score": number,
        "lower": number, "upper": number, "covered": pl.Boolean(),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _bound(scores: Sequence[float], coverage: float) -> float | None:
    """The score that bounds the next one; with too few for ``coverage`` the largest; None below ``LEAST_HISTORY``."""
    if len(scores) < LEAST_HISTORY:
        return None
    return sorted(scores)[min(conformal_rank(len(scores), coverage), len(scores)) - 1]


def _interval(estimate: Estimate, table: pl.DataFrame, coverage: float) -> Interval:
    tested = table.filter(pl.col("covered").is_not_null())
    hits, trials = int(tested["covered"].sum()), tested.height
    low, high = exact_limits(hits, trials) if trials else (None, None)
    achieved = hits / trials if trials else None
    n = table.height
    bound = _bound(table["score"].to_list(), coverage)
    if bound is None:
        note = NO_INTERVAL.format(n=n, least=LEAST_HISTORY)
        return Interval(None, None, None, achieved, hits, trials, low, high, note)
    rank = conformal_rank(n, coverage)
    most, note = n / (n + 1), ""
    if rank > n:
        needed = math.ceil(coverage / (1 - coverage) - 1e-9)
        note = NOT_REACHED.format(n=n, most=percent(most), wanted=percent(coverage), needed=needed)
    half = bound * estimate.missing_base
    return Interval(
        estimate.total - half, estimate.total + half, min(rank, n) / (n + 1), achieved, hits, trials, low, high, note
    )
