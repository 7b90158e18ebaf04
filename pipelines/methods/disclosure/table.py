"""An additive table: cells tied together by equations, the object of complementary suppression and of its attackers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Index: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Equation:
    """``values[total]`` is the sum of ``values[i] for i in parts``."""

    total: int
    parts: tuple[int, ...]

    @property
    def cells(self) -> tuple[int, ...]:
        """Total and parts."""
        return (self.total, *self.parts)


@dataclass(frozen=True)
class AdditiveTable:
    """Cells and equations. Arrays run parallel over the cells.

    ``primary``: must be hidden and protected by ``need`` on both sides. ``free``: not published anyway, so hidden at no
    cost. ``fixed``: known to the public, cannot be hidden. ``kept``: hidden before for the sake of others. ``owner``: -1, or where one single unit is behind a cell, which
    knows the value itself, the number of that unit; cells of one number may be the same unit's. ``below`` and ``above``: how far an outsider's knowledge lets the value fall or rise. ``cost``: what
    hiding loses. ``empty``: nothing is behind it and everybody knows: hiding it protects nobody.
    """

    values: Floats
    primary: Flags
    free: Flags
    fixed: Flags
    kept: Flags
    owner: Index
    need: Floats
    cost: Floats
    below: Floats
    above: Floats
    empty: Flags
    equations: tuple[Equation, ...]

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.values)

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """One row an equation: +1 at the total, -1 at the parts."""
        rows, columns, signs = [], [], []
        for number, equation in enumerate(self.equations):
            rows += [number] * (len(equation.parts) + 1)
            columns += list(equation.cells)
            signs += [1.0] + [-1.0] * len(equation.parts)
        return sparse.csr_matrix((signs, (rows, columns)), shape=(len(self.equations), self.size))

    @cached_property
    def candidates(self) -> Flags:
        """Cells that may be hidden to protect others."""
        found: Flags = ~(self.fixed | self.empty)
        return found

    def hidden_at_first(self) -> Flags:
        """What is hidden before any complement is chosen."""
        found: Flags = ((self.primary | self.kept) & ~self.fixed) | self.free
        return found


def components(table: AdditiveTable) -> Iterator[tuple[Index, Index]]:
    """(cells, numbers of the equations) of each part that hangs together and has something to protect, ascending."""
    if not table.equations:
        return
    count, label = connected(table.matrix)
    cells = grouped(label, count)
    equations = grouped(label[[e.total for e in table.equations]], count)
    for number in range(count):
        if len(cells[number]) > 1 and (table.primary | table.kept)[cells[number]].any():
            yield cells[number], equations[number]


def connected(matrix: sparse.csr_matrix) -> tuple[int, npt.NDArray[Any]]:
    """(number of components, component of each column): columns that share an equation, directly or through others."""
    rows, columns = matrix.nonzero()
    size = matrix.shape[1] + matrix.shape[0]
    graph = sparse.coo_matrix((np.ones(len(rows)), (columns, rows + matrix.shape[1])), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    found, numbered = np.unique(label[: matrix.shape[1]], return_inverse=True)
    return len(found), numbered


def grouped(label: npt.NDArray[Any], count: int) -> list[Index]:
    """Positions of each label, ascending."""
    order = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[order], np.arange(count + 1))
    return [order[starts[n] : starts[n + 1]].astype(np.int64) for n in range(count)]


def subtable(table: AdditiveTable, members: Index, numbers: Index) -> AdditiveTable:
    """The table restricted to whole components: ``members`` with the equations ``numbers`` among them."""
    place = {int(cell): number for number, cell in enumerate(members)}
    equations = tuple(
        Equation(place[e.total], tuple(place[i] for i in e.parts)) for e in (table.equations[n] for n in numbers)
    )
    arrays = ("values", "primary", "free", "fixed", "kept", "owner", "need", "cost", "below", "above", "empty")
    return AdditiveTable(**{name: getattr(table, name)[members] for name in arrays}, equations=equations)


def scaled(table: AdditiveTable) -> AdditiveTable:
    """The same table in a unit of measure in which the largest value is 10,000, where solvers' tolerances are small."""
    largest = float(np.max(np.abs(table.values), initial=0.0))
    factor = 1e4 / largest if largest > 0 else 1.0
    return replace(
        table,
        values=table.values * factor,
        need=table.need * factor,
        below=table.below * factor,
        above=table.above * factor,
    )


def hidden_cells(table: AdditiveTable, equation: Equation, hidden: Flags) -> list[int]:
    """Hidden cells of one equation."""
    return [i for i in equation.cells if hidden[i]]


def alone(table: AdditiveTable, hidden: Flags) -> list[int]:
    """Equations in which exactly one cell is hidden, and one that matters: anyone can work it out.

    What is merely not published (free, not primary) may be worked out.
    """
    if not table.equations:
        return []
    matrix = abs(table.matrix)
    counts = np.asarray(matrix @ hidden.astype(float)).ravel()
    guarded = np.asarray(matrix @ (hidden & (table.primary | ~table.free)).astype(float)).ravel()
    return [int(i) for i in np.flatnonzero((counts == 1) & (guarded == 1))]


def opened_by_singletons(table: AdditiveTable, hidden: Flags) -> list[int]:
    """Equations in which only two parts are hidden, both primary and one a single unit's: it can work the other out.

    A pair of the total and one part is no such pair: what the unit learns of the total is its own figure and what is shown.
    """
    if not table.equations:
        return []
    parts = (table.matrix < 0).astype(float)
    primary = hidden & table.primary
    pair = np.asarray(abs(table.matrix) @ hidden.astype(float)).ravel() == 2
    both = np.asarray(parts @ primary.astype(float)).ravel() == 2
    found = []
    for number in np.flatnonzero(pair & both).tolist():
        first, second = (i for i in table.equations[number].parts if hidden[i])
        if tells_another(table, first, second):
            found.append(number)
    return found


def tells_another(table: AdditiveTable, first: int, second: int) -> bool:
    """Whether a single unit behind one of two cells whose sum is known learns of another unit by it.

    Not where both are its own: what left a group stands there with either sign.
    """
    mine, other = int(table.owner[first]), int(table.owner[second])
    cancels = abs(table.values[first] + table.values[second]) <= 1e-9 * abs(table.values[first])
    return max(mine, other) >= 0 and not (mine == other and cancels)


def flags(size: int, members: Sequence[int] | Index = ()) -> Flags:
    """A flag array of ``size`` with ``members`` set."""
    found = np.zeros(size, dtype=np.bool_)
    found[np.asarray(members, dtype=np.int64)] = True
    return found
