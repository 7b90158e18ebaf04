"""The status of every value and score of an index, and why one is missing: codes and marks of ``schemas.marts.STATUSES``.

A value put in for one that is missing is E; what is computed from values of several statuses follows the least certain of them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.methods.estimates import ESTIMATED, NORMAL, status_over
from pipelines.methods.index.definition import Leaf, ScoringSystem
from pipelines.methods.index.score import Prepared, ScoredYear
from pipelines.methods.index.steps import OVER_TIME
from schemas.marts import STATUSES

MISSING: Final = "M"
WHY: Final = {"M": "未报", "Z": "不适用", "C": "不公布"}


def value_status(prepared: Prepared, row: int, column: int) -> str:
    """The status of the value an indicator is scored on: as its figures say, E where it was put in, M where it is missing."""
    if prepared.imputed.filled[row, column]:
        return ESTIMATED
    given = prepared.table.statuses[row][column]
    if np.isnan(prepared.reported[row, column]):
        return given if given in WHY else MISSING
    return given


def published(status: str) -> str:
    """A status as results carry it: kinds of doubt that only the draws know are plain figures."""
    return status if status in STATUSES else NORMAL


def cell_note(system: ScoringSystem, year: ScoredYear, row: int, column: int) -> str:
    """What is to be said of a value: why there is none, that it was put in, that its denominator is negative, why no score."""
    prepared, leaf = year.prepared, system.leaves[column]
    figure, below = year.table.figures[row, column], year.table.denominators[row, column]
    said = []
    if np.isnan(prepared.reported[row, column]):
        given = year.table.statuses[row][column]
        if below == 0.0 and not np.isnan(figure):
            said.append("分母为 0,没有值")
        else:
            sides = (
                [name for name, v in (("数据", figure), ("分母", below)) if np.isnan(v)] if leaf.denominator else [""]
            )
            said.append(f"{'和'.join(sides)}{WHY.get(given, WHY[MISSING])}")
    elif below < 0:
        said.append(f"分母为负({below:.15g}),请核对")
    if prepared.imputed.filled[row, column]:
        said.append(f"按 {leaf.imputation.method} 插补")
    if np.isnan(year.scores[row, column]) and not np.isnan(prepared.treated[row, column]):
        said.append("上期没有数,不能算增速" if leaf.normalisation.method in OVER_TIME else "除数为 0,没有得分")
    return ";".join(said) + "。" if said else ""


def node_statuses(system: ScoringSystem, year: ScoredYear) -> dict[str, list[str]]:
    """Node → the status of every unit's score: of the value, and of last year's where growth is scored; above, of all below."""
    units = range(len(year.table.units))
    found = {leaf.id: [_leaf_status(leaf, year, row, k) for row in units] for k, leaf in enumerate(system.leaves)}
    for group in system.groups:
        scores = year.means[group.id].scores
        found[group.id] = [
            MISSING
            if np.isnan(scores[row])
            else status_over(found[c][row] for c in group.children if found[c][row] not in WHY)
            for row in units
        ]
    return found


def _leaf_status(leaf: Leaf, year: ScoredYear, row: int, column: int) -> str:
    own = published(value_status(year.prepared, row, column))
    if np.isnan(year.scores[row, column]):
        return own if own in WHY else MISSING
    if leaf.normalisation.method in OVER_TIME and year.prepared.before is not None:
        return status_over((own, published(year.prepared.before[row][column])))
    return own


def doubtful_denominators(system: ScoringSystem, year: ScoredYear) -> list[str]:
    """One sentence an indicator some of whose denominators are zero (no value) or negative (a value of the wrong sign)."""
    said = []
    for k, leaf in enumerate(system.leaves):
        below = year.table.denominators[:, k]
        for units, what in (
            (below == 0.0, "为 0,没有值"),
            (below < 0, "为负,比值的正负号因此相反,请核对"),
        ):
            named = [year.table.units[row] for row in np.flatnonzero(units)]
            if leaf.denominator and named:
                more = f" 等 {len(named)} 个单位的" if len(named) > 5 else ""
                said.append(f"{leaf.id} 的分母 {leaf.denominator}:{'、'.join(named[:5])}{more} {what}。")
    return said
