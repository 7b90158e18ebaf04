"""The two calls of the HiGHS solver that suppression and attack share: a linear programme and a 0-1 programme."""

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

from pipelines.methods.disclosure.table import Flags, Floats

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
