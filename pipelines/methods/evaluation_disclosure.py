"""Which scores of an evaluation would let an outsider work out a figure that must stay hidden.

The score of a group is a weighted sum of scores of indicators, and goalposts and weights are published. If every other
indicator of a sum is known, the one that is hidden can be computed. So the sums of a unit (the index and its groups) are
taken one after the other, the index first, and one is kept back as soon as it would determine a hidden indicator together
with the sums already shown. Ranks and grades are ordinal and always shown. Source: docs/methods/evaluation.md, 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from pipelines.methods.disclosure.atoms import ATOM_COLUMNS
from pipelines.methods.disclosure.rules import Rules, primary_reason
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import ScoringSystem
from pipelines.methods.index.score import ScoredYear

_DETERMINED: Final = 1.0 - 1e-9
_AS_ATOMS: Final = ("n", "max1", "max2", "total", "administrative")


def sensitive(parts: pl.DataFrame, rules: Rules) -> frozenset[tuple[str, int, str]]:
    """(area, year, indicator) of every value one of whose sums or counts breaks a primary rule of disclosure control.

    ``parts``: area, year, indicator, part and the statistics of ``schemas.marts.PART_COLUMNS``.
    """
    if parts.is_empty():
        return frozenset()
    is_count = pl.col("part").str.contains(r"\bCOUNT\b") & ~pl.col("part").str.contains(r"\bSUM\b")
    judged = (
        parts.with_columns(pl.col(c).cast(ATOM_COLUMNS[c]) for c in _AS_ATOMS)
        .with_columns(is_count=is_count, consented=pl.lit(False), population=pl.lit(0, dtype=pl.Int64))
        .with_columns(least=pl.when("is_count").then(rules.count_threshold).otherwise(rules.threshold))
        .with_columns(reason=primary_reason(rules))
        .filter(pl.col("reason").is_not_null())
    )
    return frozenset(judged.select("area", "year", "indicator").unique().iter_rows())


def kept_back(
    system: ScoringSystem, year: ScoredYear, hidden: frozenset[tuple[str, int, str]]
) -> Mapping[tuple[str, str], Sequence[str]]:
    """(unit, node) → the hidden indicators below, for every sum of the year that may not be shown.

    ``hidden``: as ``sensitive``. A node not in the result is safe together with all others that are not.
    """
    found: dict[tuple[str, str], Sequence[str]] = {}
    rows = {g.id: _row(system, year, g.id) for g in reversed(system.groups)}
    for k, unit in enumerate(year.table.units):
        unknown = [
            n
            for n, leaf in enumerate(system.leaves)
            if (unit, int(year.table.year), leaf.id) in hidden and not np.isnan(year.scores[k, n])
        ]
        if not unknown:
            continue
        shown: list[Floats] = []
        for node, weights in rows.items():
            row = np.where(np.isnan(year.scores[k]), 0.0, weights)[unknown]
            if not row.any():
                continue
            if _determines([*shown, row]):
                found[unit, node] = [system.leaves[n].id for n in unknown if n in system.leaves_below(node)]
            else:
                shown.append(row)
    return found


def _row(system: ScoringSystem, year: ScoredYear, node: str) -> Floats:
    """Weight of every indicator in a node; only whether weights are zero and their proportions within a group matter."""
    weights = np.zeros(len(system.leaves))

    def spread(name: str, share: float) -> None:
        if name in system.position:
            weights[system.position[name]] += share
            return
        own = year.weights[name].values
        own = np.nanmean(own, axis=0) if own.ndim > 1 else own
        for child, weight in zip(system.by_id[name].children, own, strict=True):
            spread(child, share * float(weight))

    spread(node, 1.0)
    return weights


def _determines(rows: Sequence[Floats]) -> bool:
    """Whether the equations fix one of the unknowns: its unit vector lies in the space of the rows."""
    matrix = np.array(rows, dtype=np.float64)
    matrix = matrix / np.abs(matrix).max(axis=1, keepdims=True)
    onto = np.linalg.pinv(matrix) @ matrix
    return bool((np.diag(onto) >= _DETERMINED).any())
