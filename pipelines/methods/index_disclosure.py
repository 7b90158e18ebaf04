"""Which figures of the development index would let an outsider work out a growth that disclosure control has hidden.

V of the total and of a dimension are weighted sums of the growths of indicators with published weights, and so are the
contributions, which also carry V of the total in their scale; a level is the product of all links before it, so the levels
of later years and their growth give a year's V back. All sums of an area and year are taken together, the total first; one is
kept back as soon as it would determine a hidden growth together with the sums already shown. Source: docs/methods/index.md, 8.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import polars as pl

from pipelines.methods.disclosure.protect import HIDDEN_NOTE
from pipelines.methods.evaluation_disclosure import CONFIDENTIAL, determines
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.cells import TOTAL, dimension_code
from schemas.model import IndexSystem

GROWTH, CONTRIBUTION, LEVEL = "growth", "contribution", "index"
Years = Mapping[int, Mapping[str, str]]  # year → indicator in the chain → status of its growth


def with_index_sums_kept_back(
    cells: pl.DataFrame, system: IndexSystem, parents: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Published cells of ``index_scores`` with every sum hidden (status C, no value) that would give a hidden growth away.

    ``cells``: the mart as disclosure control left it, all years. ``parents``: area → the area whose level it starts from, added to
    the system's own. A total that is kept back takes its level, interval and all contributions with it, in later years too.
    """
    above = {**system.splice, **(parents or {})}
    states: dict[str, dict[int, dict[str, str]]] = {}
    first: dict[str, int] = {}
    own = {i.id for i in system.indicators}
    columns = ("area", "period", "indicator", "measure", "status")
    for area, period, indicator, measure, status in cells.select(columns).iter_rows():
        year = int(period)
        first[area] = min(first.get(area, year), year)
        if measure == GROWTH and indicator in own:
            states.setdefault(area, {}).setdefault(year, {})[indicator] = status
    kept = {area: _kept_back(years, system) for area, years in states.items()}
    gone = [key for area in first for key in _hidden_keys(area, above, kept, first, cells)]
    found = pl.col("row_key").is_in(sorted(gone)) & pl.col("value").is_not_null()
    return cells.with_columns(
        value=pl.when(found).then(None).otherwise("value"),
        note=pl.when(found).then(pl.lit(HIDDEN_NOTE)).otherwise("note"),
        status=pl.when(found).then(pl.lit(CONFIDENTIAL)).otherwise("status"),
    )


def _kept_back(years: Years, system: IndexSystem) -> frozenset[tuple[int, str]]:
    """(year, total or dimension) whose V is not shown."""
    found: set[tuple[int, str]] = set()
    for year, inside in years.items():
        hidden = [code for code, status in inside.items() if status == CONFIDENTIAL]
        shown: list[Floats] = []
        for name, weights in _sums(inside, system):
            row = np.array([weights.get(code, 0.0) for code in hidden])
            if not row.any():
                continue
            if determines([*shown, row]):
                found.add((year, name))
            else:
                shown.append(row)
    return frozenset(found)


def _sums(inside: Collection[str], system: IndexSystem) -> list[tuple[str, dict[str, float]]]:
    """Total and dimensions with the weight of every indicator in the chain (docs/methods/index.md, 4)."""
    dimensions: list[tuple[str, dict[str, float]]] = []
    total: dict[str, float] = {}
    for dimension in system.dimensions:
        members = [i for i in system.indicators if i.dimension == dimension]
        there = {i.id: i.weight for i in members if i.id in inside}
        if there:
            within = sum(there.values())
            own = {code: w / within for code, w in there.items()}
            dimensions.append((dimension_code(dimension)[0], own))
            total |= {code: w * sum(i.weight for i in members) for code, w in own.items()}
    return [(TOTAL, total), *dimensions]


def _hidden_keys(
    area: str,
    above: Mapping[str, str],
    kept: Mapping[str, frozenset[tuple[int, str]]],
    first: Mapping[str, int],
    cells: pl.DataFrame,
) -> list[str]:
    """Keys of the cells of one area that may not be shown."""
    own = kept.get(area, frozenset())
    since = _since(own)
    parent = above.get(area, "")
    for name, year in _since(kept.get(parent, frozenset())).items():
        if year <= first[area]:  # it starts from a level that is not shown
            since[name] = first[area]
    if not since:
        return []
    codes = {name for _, name in own}
    found = []
    rows = cells.filter(pl.col("area") == area).select("row_key", "period", "indicator", "measure")
    for key, period, indicator, measure in rows.iter_rows():
        year = int(period)
        is_level = measure.startswith(LEVEL) and indicator in since and year >= since[indicator]
        is_growth = measure == GROWTH and indicator in codes and (year, indicator) in own
        is_point = measure == CONTRIBUTION and ((year, indicator) in own or year >= since.get(TOTAL, year + 1))
        if is_level or is_growth or is_point:
            found.append(key)
    return found


def _since(kept: Collection[tuple[int, str]]) -> dict[str, int]:
    """Total or dimension → the first year that is kept back."""
    found: dict[str, int] = {}
    for year, name in sorted(kept):
        found.setdefault(name, year)
    return found
