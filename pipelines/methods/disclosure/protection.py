"""The heuristic's programmes: the cheapest movement that shifts a cell by its protection, and the cells it needs hidden.

One programme a call holds, for every component, cells that share no equation; so each finds the movement it would find
alone, the largest first (Kelly, Golden, Assad 1992), while a whole table takes as many calls as its busiest component.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipelines.methods.disclosure import solver
from pipelines.methods.disclosure.attack import TOLERANCE, Open
from pipelines.methods.disclosure.movable import COLUMNS_A_CALL, Movable, chunks, movable_cells
from pipelines.methods.disclosure.table import AdditiveTable, Flags, Floats, Index

_CLASS = 2.0  # cells of one programme need no more than this many times as much as each other
_FAR = 1e4
_EVERY = 1e-4  # what hiding any cell loses besides its value, in units of the dearest cell
_REWARD = 1e3  # of protecting a cell, in the same units: more than any pattern costs
_MOVES = 1e-7  # the solver's own accuracy


@dataclass
class _Work:
    """What is still open and how often the largest cell of a component failed: with large cells only, with all."""

    table: AdditiveTable
    hidden: Flags
    left: Open
    movable: Movable
    incidence: sparse.csc_matrix
    failed: Index
    single: set[int]
    place: Index


def protect_open(table: AdditiveTable, hidden: Flags, left: Open) -> None:
    """Hide, in place, what the cheapest movements need that shift every open cell; what nothing can shift stays open.

    First only cells that can carry the whole movement: a few of them do instead of many small ones.
    """
    movable = movable_cells(table, table.candidates | hidden)
    place = np.full(table.size, -1, dtype=np.int64)
    place[movable.cells] = np.arange(len(movable.cells))
    incidence = movable.matrix.tocsc()
    work = _Work(table, hidden, left, movable, incidence, np.zeros(table.size, dtype=np.int64), set(), place)
    left.up[place < 0] = left.down[place < 0] = False
    while True:
        batches = _batches(work)
        if not batches:
            return
        for chunk in chunks(movable.sizes()[[number for number, _ in batches]], COLUMNS_A_CALL):
            _protect_together(work, batches[chunk])


def _batches(work: _Work) -> list[tuple[int, Index]]:
    """(component, columns) to protect next: its largest open cell, and others of like need that share no equation."""
    open_columns = work.place[np.flatnonzero(work.left.any)]
    if not len(open_columns):
        return []
    need = work.table.need[work.movable.cells[open_columns]]
    order = np.lexsort((open_columns, -need, work.movable.label[open_columns]))
    open_columns, need = open_columns[order], need[order]
    numbers, starts = np.unique(work.movable.label[open_columns], return_index=True)
    found = []
    for number, columns, needs in zip(
        numbers.tolist(), np.split(open_columns, starts[1:]), np.split(need, starts[1:]), strict=True
    ):
        if number in work.single or work.failed[work.movable.cells[columns[0]]]:
            work.single.discard(number)
            found.append((int(number), columns[:1]))
            continue
        taken: set[int] = set()
        chosen = []
        for column in columns[needs * _CLASS >= needs[0]].tolist():
            rows = work.incidence.indices[work.incidence.indptr[column] : work.incidence.indptr[column + 1]].tolist()
            if taken.isdisjoint(rows):
                taken.update(rows)
                chosen.append(column)
        found.append((int(number), np.array(chosen, dtype=np.int64)))
    return found


def _protect_together(work: _Work, batches: list[tuple[int, Index]]) -> None:
    table, movable = work.table, work.movable
    numbers = np.array([number for number, _ in batches], dtype=np.int64)
    heads = np.array([columns[0] for _, columns in batches], dtype=np.int64)
    targets = np.concatenate([columns for _, columns in batches])
    unit = np.ones(movable.count)
    unit[numbers] = table.need[movable.cells[heads]]
    everything = np.zeros(movable.count, dtype=np.bool_)
    everything[numbers] = work.failed[movable.cells[heads]] > 0
    columns = movable.columns(numbers)
    label = movable.label[columns]
    columns = columns[work.hidden[movable.cells[columns]] | everything[label] | (movable.below[columns] >= unit[label])]
    shift = _cheapest(work, numbers, columns, targets, unit)
    if shift is None and len(batches) > 1:
        for some in (batches[: len(batches) // 2], batches[len(batches) // 2 :]):
            _protect_together(work, some)
        return
    moved = np.zeros(len(movable.cells))
    if shift is not None:
        moved[columns] = shift * unit[movable.label[columns]]
    done = np.ones(movable.count, dtype=np.bool_)
    need = table.need[movable.cells[targets]] * (1 - TOLERANCE)
    done[movable.label[targets[np.abs(moved[targets]) < need]]] = False
    _book(work, columns[done[movable.label[columns]]], moved, unit)
    for number, chosen in batches:
        if not done[number]:
            _count_failure(work, number, chosen)


def _book(work: _Work, columns: Index, moved: Floats, unit: Floats) -> None:
    """Hide what moved and take away what is shown by it; where all can move the other way too, that side as well."""
    movable, shift = work.movable, moved[columns]
    cells, label = movable.cells[columns], movable.label[columns]
    need, slack = work.table.need[cells], _MOVES * unit[label]
    work.hidden[cells[np.abs(shift) > slack]] = True
    work.left.close(cells, shift, need)
    too_far = (shift > movable.below[columns] + slack) | (-shift > movable.above[columns] + slack)
    one_way = np.zeros(movable.count, dtype=np.bool_)
    one_way[label[too_far]] = True
    both = ~one_way[label]
    work.left.close(cells[both], -shift[both], need[both])


def _count_failure(work: _Work, number: int, chosen: Index) -> None:
    """Next time the largest cell by itself, then with every cell that may be hidden, then no more."""
    if len(chosen) > 1:
        work.single.add(number)
        return
    cell = int(work.movable.cells[chosen[0]])
    work.failed[cell] += 1
    if work.failed[cell] > 1:
        work.failed[cell] = 0
        side = work.left.up if work.left.up[cell] else work.left.down
        side[cell] = False


def _cheapest(work: _Work, numbers: Index, columns: Index, targets: Index, unit: Floats) -> Floats | None:
    """The movement of ``columns``, in each component's unit, that shifts the targets at the least cost of hiding."""
    table, movable = work.table, work.movable
    cells, label, size = movable.cells[columns], movable.label[columns], len(columns)
    dearest = np.zeros(movable.count)
    np.maximum.at(dearest, label, table.cost[cells])
    price = table.cost[cells] / np.where(dearest > 0, dearest, 1.0)[label] + _EVERY
    price = np.where(work.hidden[cells], 0.0, price) + 1e-9
    up = np.minimum(movable.above[columns] / unit[label], _FAR)
    down = np.minimum(movable.below[columns] / unit[label], _FAR)
    objective = np.concatenate([price, price])
    bounds = np.column_stack([np.zeros(2 * size), np.concatenate([up, down])])
    place = np.full(len(movable.cells), -1, dtype=np.int64)
    place[columns] = np.arange(size)
    here = place[targets]
    upwards = work.left.up[movable.cells[targets]]
    need = table.need[movable.cells[targets]] / unit[movable.label[targets]]
    wanted, other = np.where(upwards, here, here + size), np.where(upwards, here + size, here)
    objective[wanted] -= _REWARD
    bounds[wanted, 1] = np.minimum(bounds[wanted, 1], need)
    bounds[other, 1] = 0.0
    matrix = movable.matrix[movable.rows(numbers)][:, columns]
    found = solver.least(objective, sparse.hstack([matrix, -matrix], format="csr"), bounds)
    if found is None or not len(found.values):
        return None
    result: Floats = found.values[:size] - found.values[size:]
    return result
