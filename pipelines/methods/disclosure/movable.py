"""Cells that may move and the equations they must keep: what an attacker cannot tell apart, over a whole table at once.

A *movement* gives every movable cell a shift so that all equations still hold and no value leaves what is known of it
beforehand. It is a proof by itself: a cell that a movement shifts by its protection is protected on that side, however the
movement was found. Components do not touch each other, so that many of them go to the solver in one call: for small
programmes the call costs more than the solving.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipelines.methods.disclosure import solver
from pipelines.methods.disclosure.table import AdditiveTable, Flags, Floats, Index, connected

COLUMNS_A_CALL = 5_000


@dataclass(frozen=True)
class Movable:
    """The movable cells of a table, component by component.

    ``cells``: number in the table of each column; ``label``: component of each column, ascending; ``starts`` and
    ``row_starts``: where a component's columns and rows begin (one more at the end); ``matrix``: the equations with
    everything that cannot move taken out, rows in the order of the components. ``below`` and ``above`` run over columns.
    """

    cells: Index
    label: Index
    starts: Index
    row_starts: Index
    matrix: sparse.csr_matrix
    below: Floats
    above: Floats

    @property
    def count(self) -> int:
        """Number of components."""
        return len(self.starts) - 1

    @property
    def tied(self) -> Flags:
        """Components with an equation; the only cell of any other moves as it likes."""
        found: Flags = np.diff(self.row_starts) > 0
        return found

    def sizes(self) -> Index:
        """Columns of each component."""
        return np.diff(self.starts)

    def columns(self, numbers: Index) -> Index:
        """Columns of some components, ascending."""
        return _ranges(self.starts, numbers)

    def rows(self, numbers: Index) -> Index:
        """Rows of some components, ascending."""
        return _ranges(self.row_starts, numbers)


def movable_cells(table: AdditiveTable, moving: Flags) -> Movable:
    """``moving`` cells of the table; fixed and empty ones are known and do not move."""
    cells = np.flatnonzero(moving & ~table.fixed & ~table.empty)
    matrix = table.matrix[:, cells]
    count, label = connected(matrix)
    order = np.argsort(label, kind="stable")
    matrix, label, cells = matrix[:, order].tocsr(), label[order].astype(np.int64), cells[order].astype(np.int64)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    belongs = label[matrix.indices[matrix.indptr[filled]]] if len(filled) else np.zeros(0, dtype=np.int64)
    row_order = np.argsort(belongs, kind="stable")
    numbers = np.arange(count + 1)
    return Movable(
        cells=cells,
        label=label,
        starts=np.searchsorted(label, numbers).astype(np.int64),
        row_starts=np.searchsorted(belongs[row_order], numbers).astype(np.int64),
        matrix=matrix[filled[row_order]],
        below=table.below[cells],
        above=table.above[cells],
    )


def move(movable: Movable, numbers: Index, objective: Floats, bounds: Floats) -> Floats:
    """The movement of least ``objective`` (over all columns) within ``bounds``, of the components ``numbers``; others rest.

    No movement is always allowed, so there is a least one unless it has no limit; a component without one rests.
    """
    found = np.zeros(len(movable.cells))
    for chunk in chunks(movable.sizes()[numbers], COLUMNS_A_CALL):
        _move_together(movable, numbers[chunk], objective, bounds, found)
    return found


def _move_together(movable: Movable, numbers: Index, objective: Floats, bounds: Floats, found: Floats) -> None:
    columns, rows = movable.columns(numbers), movable.rows(numbers)
    solution = solver.least(objective[columns], movable.matrix[rows][:, columns], bounds[columns])
    if solution is not None and len(solution.values):
        found[columns] = solution.values
    elif len(numbers) > 1:
        half = len(numbers) // 2
        for some in (numbers[:half], numbers[half:]):
            _move_together(movable, some, objective, bounds, found)


def chunks(sizes: Index, limit: int) -> Iterator[slice]:
    """Consecutive stretches of at most ``limit`` in all, or of one where that alone is more."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        end = max(int(np.searchsorted(ends, before + limit, side="right")), start + 1)
        yield slice(start, end)
        start = end


def _ranges(starts: Index, numbers: Index) -> Index:
    sizes = starts[numbers + 1] - starts[numbers]
    offset = np.repeat(starts[numbers] - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    found: Index = offset + np.arange(int(sizes.sum()))
    return found.astype(np.int64)
