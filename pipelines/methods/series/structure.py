"""Concentration, diffusion and structure of a group of units.

Sources: A. O. Hirschman 1945 and O. C. Herfindahl 1950 (index of concentration; U.S. Department of Justice and FTC, Horizontal
Merger Guidelines 2010, 5.3, for its scale of 10,000 and example); C. Gini 1912; H. Theil, Economics and Information Theory, 1967;
G. H. Moore, Diffusion Indexes, 1955 (The Conference Board counts a half for no change); V. Stoikov 1966 and OECD for the norm of
absolute shifts of structure; D. M. Lilien, JPE 90 (1982). Documented in docs/methods/structure.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

LEADERS: Final = (1, 4, 8, 20)
SAME_PCT: Final = 0.5
NEGATIVE: Final = "有负数,份额没有意义,不计算集中度"
NOTHING: Final = "合计为零,没有集中度"


def concentration(values: Sequence[float], leaders: Sequence[int] = LEADERS) -> dict[str, float | None]:
    """Measures of how few units a total rests on: ``cr1`` … shares of the largest in percent, ``hhi`` 0–10,000,
    ``equivalent`` number of units of equal size, ``gini`` 0–1 and ``theil`` over all units, ``units``.

    Zero is a unit without share. All null for a negative figure or a total of zero: shares then mean nothing.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))[::-1]
    names = [*(f"cr{n}" for n in leaders), "hhi", "equivalent", "gini", "theil"]
    if x.size == 0 or x.sum() <= 0 or x[-1] < 0:
        return {**dict.fromkeys(names), "units": float(x.size)}
    share = x / x.sum()
    hhi = float((share**2).sum())
    rank = np.arange(1, x.size + 1)
    positive = share[share > 0]
    found: dict[str, float | None] = {f"cr{n}": float(share[:n].sum()) * 100 for n in leaders}
    return found | {
        "hhi": hhi * 10_000,
        "equivalent": 1 / hhi,
        "gini": float(((x.size + 1 - 2 * rank) * share).sum()) / x.size,
        "theil": float((positive * np.log(positive * x.size)).sum()),
        "units": float(x.size),
    }


def diffusion(
    now: Sequence[float | None], before: Sequence[float | None], same_pct: float = SAME_PCT
) -> dict[str, float]:
    """Share of units up, level and down and the index 0–100 = up + half of level, over units with both figures.

    Level: a change of at most ``same_pct`` percent of the earlier figure's size (of zero: no change at all). Every unit counts
    the same, whatever its size. NaN where no unit has both.
    """
    pairs = [(n, b) for n, b in zip(now, before, strict=True) if n is not None and b is not None]
    moves = [0 if abs(n - b) <= same_pct / 100 * abs(b) else (1 if n > b else -1) for n, b in pairs]
    count = len(moves)
    up, level, down = (100 * moves.count(k) / count if count else float("nan") for k in (1, 0, -1))
    return {"units": float(count), "up": up, "level": level, "down": down, "diffusion": up + level / 2}


def structure_change(parts: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, float | None]]:
    """(category, now, before, share, share_before, shift), and ``change`` = Σ |shift| / 2 in points (0: the same structure,
    100: nothing in common), ``lilien``: weighted standard deviation of the categories' log growth about the total's.

    ``parts``: category, now, before (not negative; null counts as zero here: the category is not there).
    """
    known = parts.select("category", pl.col("now", "before").cast(pl.Float64).fill_null(0.0))
    whole, earlier = float(known["now"].sum()), float(known["before"].sum())
    if whole <= 0 or earlier <= 0 or known.select(pl.min_horizontal("now", "before").min()).item() < 0:
        empty = known.with_columns(pl.lit(None, dtype=pl.Float64).alias(c) for c in ("share", "share_before", "shift"))
        return empty, {"change": None, "lilien": None}
    shares = known.with_columns(
        share=pl.col("now") / whole * 100, share_before=pl.col("before") / earlier * 100
    ).with_columns(shift=pl.col("share") - pl.col("share_before"))
    both = shares.filter((pl.col("now") > 0) & (pl.col("before") > 0))
    away = ((pl.col("now") / pl.col("before")).log() - np.log(whole / earlier)) ** 2
    lilien = float(both.select((away * pl.col("share")).sum() / 100).item()) ** 0.5
    return shares, {"change": float(shares["shift"].abs().sum()) / 2, "lilien": lilien}
