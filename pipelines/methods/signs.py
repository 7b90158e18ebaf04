"""Signs that figures were made up rather than counted, each with its evidence. A sign is a question, never an accusation.

Pure. For statisticians of the province only; nothing of it is shown to a park. Every sign has innocent explanations
(collective wage rounds, registered capital in round sums, units at rest), which docs/methods/signs.md lists with the sources.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from exports.display import figure, grouped

CHANCE: Final = 1e-4
"""A pattern is listed where chance alone would bring it less often than this, however many places were looked at."""

LEAST_UNITS: Final = 4
LEAST_COMPARED: Final = 6
COPIED_SHARE: Final = 0.8
HEAPED_FROM: Final = 1000
PRECISE_FROM: Final = 10_000
NEARLY_ALL: Final = 0.8
NEAR_TARGET: Final = 0.001
SIGNS: Final = {
    "identical_growth": "多家单位增速完全一致",
    "heaping": "整数堆积",
    "target_hit": "恰好达到目标",
    "copied_history": "照抄往期",
    "twins": "两家单位数据雷同",
    "last_hour": "截止前集中改数",
}


@dataclass(frozen=True)
class Sign:
    """One sign. ``units``: whom it is about; ``chance``: how often such a pattern comes by chance, None where not computed."""

    kind: str
    park: str
    code: str
    units: tuple[str, ...]
    evidence: str
    chance: float | None = None


def poisson_tail(count: int, mean: float) -> float:
    """P(X ≥ count) for a Poisson variable."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    term = total = math.exp(-mean)
    for k in range(1, count):
        term *= mean / k
        total += term
    # For far tails 1 − total loses all digits; the first terms of the tail itself do not.
    if 1 - total > 1e-9:
        return 1 - total
    log_term = -mean + count * math.log(mean) - math.lgamma(count + 1)
    return math.exp(log_term) / max(1 - mean / (count + 1), 1e-9)


def binomial_tail(count: int, n: int, p: float) -> float:
    """P(X ≥ count) for a binomial variable."""
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)
        for k in range(count, n + 1)
    ]
    top = max(logs, default=-math.inf)
    return math.exp(top) * sum(math.exp(x - top) for x in logs) if logs else 0.0


def identical_growth(values: pl.DataFrame, *, least: int = LEAST_UNITS) -> list[Sign]:
    """Units of a park whose figures grew by one and the same rate, as if a rate had been put on last year's figures.

    ``values``: unit_id, park, code, now, base. A rate r explains a unit where rounding base × r gives its figure; the rate
    that explains the most units is looked for. Units whose figure did not change, and figures too small for a rate to
    show (base under ``HEAPED_FROM``), are left out. Chance: the rates of the park's units, spread as they are, within the rounding.
    """
    known = values.filter((pl.col("base") >= HEAPED_FROM) & (pl.col("now") > 0) & (pl.col("now") != pl.col("base")))
    found = []
    for (park, code), group in known.group_by("park", "code", maintain_order=True):
        rows = group.select("unit_id", "now", "base").rows()
        if len(rows) < max(least, LEAST_COMPARED):
            continue
        lows = [((now - 0.5) / base, (now + 0.5) / base, unit) for unit, now, base in rows]
        rate, units = _most_covered(lows)
        if (everybody := _nearly_all(rows)) is not None:
            found.append(Sign("identical_growth", str(park), str(code), everybody[1], everybody[0]))
            continue
        ratios = sorted(now / base for _, now, base in rows)
        quarter = len(ratios) // 4
        spread = max(ratios[-1 - quarter] - ratios[quarter], 1e-12)
        width = sum(high - low for low, high, _ in lows) / len(lows)
        # Half of the units lie within the quartiles: that is how dense rates are near the middle.
        chance = min(len(rows) * poisson_tail(len(units) - 1, 0.5 * len(rows) * width / spread), 1.0)
        if len(units) >= least and chance < CHANCE:
            said = f"{len(units)} 家(共 {len(rows)} 家可比)的本期数都等于往期数乘 {figure(rate, 5)}(四舍五入)"
            found.append(Sign("identical_growth", str(park), str(code), tuple(sorted(units)), said, chance))
    return found


def _nearly_all(rows: Sequence[tuple[str, float, float]]) -> tuple[str, tuple[str, ...]] | None:
    """Where one rate explains four in five of the larger units: then the rates have no spread to measure chance by.

    A base of 10,000 tells rates apart that differ in the fourth decimal; no market moves so many units so evenly.
    """
    large = [((now - 0.5) / base, (now + 0.5) / base, unit) for unit, now, base in rows if base >= PRECISE_FROM]
    if len(large) < LEAST_COMPARED:
        return None
    rate, units = _most_covered(large)
    if len(units) < NEARLY_ALL * len(large):
        return None
    said = f"往期数不小于 {PRECISE_FROM} 的 {len(large)} 家中有 {len(units)} 家的本期数都等于往期数乘 {figure(rate, 5)}(四舍五入)"
    return said, tuple(sorted(units))


def _most_covered(intervals: Sequence[tuple[float, float, str]]) -> tuple[float, list[str]]:
    """The point most intervals cover, and whose they are."""
    edges = sorted([(low, 0, n) for n, (low, _, _) in enumerate(intervals)] + [(high, 1, n) for n, (_, high, _) in enumerate(intervals)])  # fmt: skip
    best, depth, start = 0, 0, 0.0
    for at, kind, _ in edges:
        depth += 1 if kind == 0 else -1
        if depth > best:
            best, start = depth, at
    return start, [unit for low, high, unit in intervals if low <= start <= high]


def heaping(values: pl.DataFrame) -> list[Sign]:
    """Parks and indicators with far more round figures than counting gives: of figures from 1,000 on, 1 in 100 ends in 00.

    ``values``: unit_id, park, code, now. Decimals are left out. Source of the expectation: terminal digits of measured
    figures are uniform (J. Mosimann et al., Accountability in Research 4 (1995), 31–55).
    """
    whole = values.filter((pl.col("now") >= HEAPED_FROM) & (pl.col("now") % 1 == 0))
    found = []
    for by in (["park", "code"], ["park"]):
        for key, group in whole.group_by(by, maintain_order=True):
            round_ = group.filter(pl.col("now") % 100 == 0)
            n, count = group.height, round_.height
            chance = binomial_tail(count, n, 0.01) if count else 1.0
            if count >= LEAST_UNITS and chance < CHANCE:
                code = str(key[1]) if len(key) > 1 else ""
                said = f"{n} 个不小于 {HEAPED_FROM} 的数中有 {count} 个以 00 结尾(通常约 {figure(n / 100, 1)} 个)"
                units = tuple(sorted(set(round_["unit_id"].to_list())))
                found.append(Sign("heaping", str(key[0]), code, units, said, chance))
    # What one indicator explains is not said of the park as a whole once more.
    by_code = {(s.park, s.units) for s in found if s.code}
    return [s for s in found if s.code or (s.park, s.units) not in by_code]


def target_hits(actual: pl.DataFrame) -> list[Sign]:
    """Figures that reach their target by a hair: at or above it, by no more than 1 in 1,000.

    ``actual``: park, code, name, value, target. One such hit may be chance; the list says how many targets were compared.
    """
    compared = actual.filter(pl.col("value").is_not_null() & (pl.col("target") > 0))
    over = pl.col("value") / pl.col("target") - 1
    hits = compared.filter((over >= 0) & (over <= NEAR_TARGET))
    return [
        Sign(
            "target_hit", row["park"], row["code"], (), f"“{row['name']}”目标 {row['target']:g},实际 {row['value']:g}(共比对 {compared.height} 项)"
        )
        for row in hits.to_dicts()
    ]  # fmt: skip


def copied_history(values: pl.DataFrame, base: str, title: str) -> list[Sign]:
    """Units that report the figures of another period again: at least 80 % of six or more figures are equal and not zero.

    ``values``: unit_id, park, code, now and ``base``. A unit at rest repeats stocks (registered capital, land), which is why
    single equal figures say nothing.
    """
    both = values.filter(
        pl.col("now").is_not_null() & pl.col(base).is_not_null() & ((pl.col("now") != 0) | (pl.col(base) != 0))
    )
    per_unit = both.group_by("park", "unit_id", maintain_order=True).agg(
        n=pl.len(), same=(pl.col("now") == pl.col(base)).sum()
    )
    copied = per_unit.filter((pl.col("n") >= LEAST_COMPARED) & (pl.col("same") >= COPIED_SHARE * pl.col("n")))
    return [
        Sign("copied_history", r["park"], "", (r["unit_id"],), f"{r['n']} 个非零数中有 {r['same']} 个与{title}完全相同")
        for r in copied.to_dicts()
    ]


def twins(values: pl.DataFrame) -> list[Sign]:
    """Two or more units of one roster with the same figures throughout: six or more that are not zero.

    ``values``: unit_id, park, code, now."""
    filled = values.filter(pl.col("now").is_not_null() & (pl.col("now") != 0)).sort("code")
    per_unit = filled.group_by("park", "unit_id", maintain_order=True).agg(
        n=pl.len(), line=(pl.col("code") + "=" + pl.col("now").cast(pl.String)).str.join(";")
    )
    same = per_unit.filter(pl.col("n") >= LEAST_COMPARED).group_by("line", maintain_order=True).agg(
        "unit_id", "park", n=pl.col("n").first()
    )  # fmt: skip
    return [
        Sign("twins", "、".join(sorted(set(r["park"]))), "", tuple(sorted(r["unit_id"])), f"{r['n']} 个非零数逐项相同")
        for r in same.filter(pl.col("unit_id").list.len() > 1).to_dicts()
    ]


@dataclass(frozen=True)
class LateChange:
    """What one upload shortly before the deadline changed against the one before: hours left, cells, sums by indicator."""

    park: str
    number: str
    hours_left: float
    cells: int
    units: tuple[str, ...]
    sums: Mapping[str, tuple[float, float]]


def last_hour_edits(changes: Iterable[LateChange], *, hours: float = 24.0, least: int = 10) -> list[Sign]:
    """Uploads in the last day that changed ten or more cells, with what that did to the sums of the park."""
    found = []
    for one in changes:
        if not 0 <= one.hours_left <= hours or one.cells < least:
            continue
        moved = sorted(
            ((code, before, after) for code, (before, after) in one.sums.items() if before != after),
            key=lambda m: -abs(m[2] - m[1]) / max(abs(m[1]), 1.0),
        )
        told = ",".join(f"{c} 合计 {grouped(b)} → {grouped(a)}" for c, b, a in moved[:3])
        said = f"{one.number}:截止前 {figure(one.hours_left, 1)} 小时改动 {one.cells} 格" + (f";{told}" if told else "")
        found.append(Sign("last_hour", one.park, moved[0][0] if moved else "", one.units, said))
    return found
