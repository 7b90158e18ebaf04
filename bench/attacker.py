"""``python -m bench.attacker``: the attacker's intervals on one large table, beside a programme from the beginning for every side.

The rival is ``scipy.optimize.linprog`` (HiGHS), called once a hidden cell and side with the same equations and bounds, on a
sample of the cells; the product is asked for all of them. Read the ratio of processor time a cell. A made-up table of three
dimensions with all its margins, two cells in five hidden; both must give the same reach.
"""

from __future__ import annotations

import argparse
import time
from itertools import product

import numpy as np
from scipy import sparse

from pipelines.methods.disclosure import solver
from pipelines.methods.disclosure.table import Equation, Floats, connected

SHAPE = (40, 14, 4)
HIDDEN = 0.4
SAMPLE = 100
TOTAL = 0


def margins(shape: tuple[int, ...]) -> tuple[tuple[int, ...], list[Equation]]:
    """The shape with a total in place 0 of every dimension, and one equation a total, cells numbered row by row."""
    wide = tuple(n + 1 for n in shape)
    number = np.arange(int(np.prod(wide))).reshape(wide)
    equations = []
    for axis in range(len(shape)):
        for place in product(*(range(n) for k, n in enumerate(wide) if k != axis)):
            line = np.moveaxis(number, axis, -1)[place].tolist()
            equations.append(Equation(line[TOTAL], tuple(line[1:])))
    return wide, equations


def programme(shape: tuple[int, ...], seed: int) -> tuple[sparse.csr_matrix, Floats]:
    """Equations and bounds of the largest component of hidden cells."""
    random = np.random.default_rng(seed)
    wide, equations = margins(shape)
    cells = int(np.prod(wide))
    rows = np.repeat(np.arange(len(equations)), [len(e.cells) for e in equations])
    signs = np.concatenate([[1.0] + [-1.0] * len(e.parts) for e in equations])
    matrix = sparse.csr_matrix((signs, (rows, [c for e in equations for c in e.cells])), shape=(len(equations), cells))
    hidden = np.flatnonzero(random.random(cells) < HIDDEN)
    _, label = connected(matrix[:, hidden])
    hidden = hidden[label == np.bincount(label).argmax()]
    own = matrix[:, hidden]
    own = own[np.flatnonzero(np.diff(own.indptr))]
    value = np.exp(random.normal(4, 1.4, len(hidden)))
    return sparse.csr_matrix(own), np.column_stack([-value, np.full(len(hidden), 1e6)])


def from_the_beginning(equal: sparse.csr_matrix, bounds: Floats, targets: list[int]) -> Floats:
    """What ``solver.reaches`` gives, one programme after another."""
    found = np.zeros((len(targets), 2))
    for k, target in enumerate(targets):
        for side, cost in enumerate((1.0, -1.0)):
            objective = np.zeros(len(bounds))
            objective[target] = cost
            solution = solver.least(objective, equal, bounds)
            found[k, side] = 0.0 if solution is None else abs(solution.values[target])
    return found


def main() -> None:
    """Print processor seconds a cell of both and their ratio."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seed", type=int, default=1)
    equal, bounds = programme(SHAPE, asked.parse_args().seed)
    every = np.arange(len(bounds))
    some = every[:: max(1, len(every) // SAMPLE)]
    from_the_beginning(equal, bounds, [0])  # whatever is loaded when first needed
    started = time.process_time()
    alone = from_the_beginning(equal, bounds, some.tolist())
    slow = (time.process_time() - started) / len(some)
    started = time.process_time()
    ours = solver.reaches(equal, bounds, every)
    fast = (time.process_time() - started) / len(every)
    apart = float(np.abs(ours[some] - alone).max() / np.abs(alone).max())
    print(f"{len(every)} hidden cells in {equal.shape[0]} equations")
    print(
        f"ms a cell: {fast * 1e3:.1f}, from the beginning {slow * 1e3:.1f}: {slow / fast:.1f} x; apart at most {apart:.0e}"
    )


if __name__ == "__main__":
    main()
