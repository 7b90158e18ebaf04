"""From last year's index as it was published to this year's: revised data, then what every indicator added. Parts sum exactly.

The chain makes both additive: a level is its beginning plus the points every indicator added in every year since
(``docs/methods/index.md``, 5), so the revision of last year's level is the sum of the revisions of those points.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import polars as pl

from pipelines.index_production import IndexChains
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.cells import TOTAL
from pipelines.methods.index.development import AreaChain, indicator_contributions
from pipelines.methods.index.score_tables import frame_of

PART_COLUMNS: Final = dict.fromkeys(("area", "kind", "part", "part_name"), pl.String) | {
    "points": pl.Float64, "total": pl.Float64, "note": pl.String,
}  # fmt: skip
REST: Final = "其余(起点,或公布时隐去、不计的部分)"


def index_parts(index: IndexChains, chain: AreaChain, year: int, published: pl.DataFrame | None) -> pl.DataFrame:
    """The change from last year's level to this year's in points: kind ``revised`` and ``contribution``, by indicator.

    ``published``: cells of ``index_scores`` of last year's release, None where there is none; then the change is measured from
    last year's level as it is computed now, and nothing is said of revisions. Empty where a level is missing.
    """
    at = chain.years.index(year)
    if at == 0 or np.isnan(chain.levels[[at - 1, at]]).any():
        return frame_of([], PART_COLUMNS)
    now, before = float(chain.levels[at]), float(chain.levels[at - 1])
    points = np.nan_to_num(indicator_contributions(chain))
    cells = None if published is None else published.filter(area=chain.area)
    then = _level(cells, year - 1)
    start = before if then is None else then
    total = now - start
    rows: list[tuple[object, ...]] = []
    if cells is not None and then is not None:
        rows = _revisions(index, chain, points[:at], cells, before - then, total)
    elif published is not None:
        rows = [
            (chain.area, "revised", "", "", None, total, f"{year - 1} 年发布时没有公布该区域的总指数,修订不能单列。")
        ]
    rows += [
        (chain.area, "contribution", one.id, one.name, float(points[at, k]), total, "")
        for k, one in enumerate(index.system.indicators)
    ]
    return frame_of(rows, PART_COLUMNS)


def _level(cells: pl.DataFrame | None, year: int) -> float | None:
    if cells is None:
        return None
    found = cells.filter(indicator=TOTAL, measure="index", period=str(year))["value"].drop_nulls()
    return float(found[0]) if len(found) else None


def _revisions(
    index: IndexChains, chain: AreaChain, points: Floats, cells: pl.DataFrame, revised: float, total: float
) -> list[tuple[object, ...]]:  # fmt: skip
    """What revisions did to last year's level, by indicator; what cannot be told apart stands in one row."""
    shown = cells.filter(measure="contribution").select("indicator", "period", "value")
    rows: list[tuple[object, ...]] = []
    rest = revised
    years = chain.years[chain.start + 1 : len(points)]
    for k, one in enumerate(index.system.indicators):
        own = dict(shown.filter(indicator=one.id).select("period", "value").iter_rows())
        if any(own.get(str(y), 0.0) is None for y in years):
            continue  # hidden in the release: its revision is in the rest
        step = sum(float(points[chain.years.index(y), k]) - float(own.get(str(y)) or 0.0) for y in years)
        rest -= step
        rows.append((chain.area, "revised", one.id, one.name, step, total, ""))
    rows.append((chain.area, "revised", "", REST, 0.0 if math.isclose(rest, 0.0, abs_tol=1e-9) else rest, total, ""))
    return rows
