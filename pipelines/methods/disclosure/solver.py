"""The calls of the HiGHS solver that suppression and attack share: a linear programme, a 0-1 programme, a range of programmes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from scipy import sparse

from pipelines.methods.disclosure.table import Flags, Floats, Index

_FROM_THE_LAST_OPTIMUM: dict[str, Any] = {  # primal simplex: the last optimum stays feasible under another objective
    "output_flag": False, "solver": "simplex", "simplex_strategy": 4, "presolve": "off", "threads": 1,
}  # fmt: skip
_NODES = 20_000  # a limit of work, not of time: the same input gives the same pattern


@dataclass(frozen=True)
class Solution:
    """Values of the variables, the least objective, and the reduced cost of each variable."""

    values: Floats
    objective: float
    reduced: Floats


def _optimize() -> Any:
    """scipy.optimize, imported when first needed; its type stubs know fewer arguments than it takes."""
    return scipy.optimize


def _highspy() -> Any:
    """HiGHS with its model kept between calls, which scipy does not offer; loaded when first needed."""
    import highspy

    return highspy


def least(
    objective: Floats, equal: sparse.csr_matrix, bounds: Floats, *, upper: sparse.csr_matrix | None = None
) -> Solution | None:
    """Minimise ``objective`` under ``equal @ x = 0``, ``upper @ x <= 0`` and ``bounds`` (a row a variable, infinities allowed).

    None where no x satisfies them; an objective without limit is minus infinity with no values.
    """
    found = _optimize().linprog(
        objective,
        A_eq=equal,
        b_eq=np.zeros(equal.shape[0]),
        A_ub=upper,
        b_ub=None if upper is None else np.zeros(upper.shape[0]),
        bounds=bounds,
        method="highs",
    )
    if found.status == 3:
        return Solution(np.zeros(0), float("-inf"), np.zeros(0))
    if found.status != 0:
        return None
    return Solution(found.x, float(found.fun), found.lower.marginals + found.upper.marginals)


def reaches(equal: sparse.csr_matrix, bounds: Floats, targets: Index) -> Floats:
    """How far each of ``targets`` can lie from 0, down and up, under ``equal @ x = 0`` and finite ``bounds``: targets × 2.

    One programme a target and side. They differ in their objective alone, so each goes on from the optimum of the one
    before: a few steps instead of a solution from the beginning. A programme that cannot be solved counts as no movement.
    """
    highspy = _highspy()
    matrix, (rows, columns) = equal.tocsc(), equal.shape
    programme = highspy.HighsLp()
    programme.num_col_, programme.num_row_ = columns, rows
    programme.col_cost_ = np.zeros(columns)
    programme.col_lower_, programme.col_upper_ = bounds[:, 0], bounds[:, 1]
    programme.row_lower_ = programme.row_upper_ = np.zeros(rows)
    programme.a_matrix_.start_, programme.a_matrix_.index_ = matrix.indptr, matrix.indices
    programme.a_matrix_.value_ = matrix.data
    highs = highspy.Highs()
    for option, value in _FROM_THE_LAST_OPTIMUM.items():
        highs.setOptionValue(option, value)
    highs.passModel(programme)
    found = np.zeros((len(targets), 2))
    for k, target in enumerate(targets.tolist()):
        for side, cost in enumerate((1.0, -1.0)):
            highs.changeColCost(target, cost)
            found[k, side] = abs(_value(highs, target))
        highs.changeColCost(target, 0.0)
    return found


def _value(highs: Any, target: int) -> float:
    highs.run()
    if highs.getModelStatus().name != "kOptimal":
        highs.clearSolver()
        highs.run()
    optimal = highs.getModelStatus().name == "kOptimal"
    return float(highs.getSolution().col_value[target]) if optimal else 0.0


def choose(cost: Floats, rows: list[Floats], wanted: list[float], must: Flags, may: Flags) -> Flags | None:
    """The cheapest choice (0 or 1 each) with ``rows @ choice >= wanted``; ``must`` are chosen, others only if ``may``.

    None where there is none or it is not proven within the limit of work.
    """
    with _stdout_kept_clean():
        found = _optimize().milp(
            cost,
            integrality=np.ones(len(cost)),
            bounds=scipy.optimize.Bounds(must.astype(float), (may | must).astype(float)),
            constraints=scipy.optimize.LinearConstraint(sparse.csr_matrix(np.array(rows)), np.array(wanted), np.inf),
            options={"node_limit": _NODES, "mip_rel_gap": 0.0},
        )
    if found.status != 0 or found.x is None:
        return None
    chosen: Flags = found.x > 0.5
    return chosen


_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    # HiGHS prints a debugging line to the process's standard output while it mends an incumbent, whatever its options
    # say; results of ours go there. For the time of the call descriptor 1 points to standard error.
    with _ONE_AT_A_TIME:
        sys.stdout.flush()
        kept = os.dup(1)
        try:
            os.dup2(2, 1)
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
