"""The attacker: what a reader of the published table can work out of the hidden cells, by linear programming.

Source: Fischetti, Salazar (2000), Models and algorithms for optimizing cell suppression in tabular data with linear
constraints, J. Am. Stat. Assoc. 95: the attacker's two problems, min and max of one hidden cell under the equations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipelines.methods.disclosure import solver
from pipelines.methods.disclosure.table import AdditiveTable, Flags, Floats, Index, connected, grouped, scaled

_TOLERANCE = 1e-6  # relative to what is asked, against the rounding of the solver
_PATTERNS = 12
_PATIENCE = 2
_MARGIN = 1.2


@dataclass(frozen=True)
class Interval:
    """What the attacker knows of one hidden cell: its smallest and largest possible value."""

    cell: int
    low: float
    high: float


def intervals(table: AdditiveTable, hidden: Flags, targets: Index | None = None) -> list[Interval]:
    """The feasible interval of every hidden cell (or of ``targets``), each by two linear programmes.

    An unbounded side is reported as infinite. Published and empty cells are known exactly.
    """
    small = scaled(table)
    factor = _factor(table, small)
    wanted = set(map(int, np.flatnonzero(hidden) if targets is None else targets))
    found: dict[int, Interval] = {}
    for part in _hidden_components(small, hidden):
        for place in (i for i, cell in enumerate(part.cells) if int(cell) in wanted):
            cell = int(part.cells[place])
            down = _extreme(part, place, -1.0) / factor
            up = _extreme(part, place, 1.0) / factor
            found[cell] = Interval(cell, float(table.values[cell] - down), float(table.values[cell] + up))
    for cell in wanted - found.keys():
        found[cell] = Interval(cell, float(table.values[cell]), float(table.values[cell]))
    return [found[cell] for cell in sorted(wanted)]


def exposed(table: AdditiveTable, hidden: Flags) -> list[int]:
    """Primary cells that the attacker narrows to less than their protection on one side.

    First a few programmes that move many cells at once and so clear most of them; then two for each cell left.
    """
    small = scaled(table)
    found = [int(i) for i in np.flatnonzero(table.primary & (~hidden | table.fixed) & (table.need > 0))]
    for part in _hidden_components(small, hidden):
        targets = np.flatnonzero(small.primary[part.cells] & (small.need[part.cells] > 0))
        if len(targets) == 0:
            continue
        need = small.need[part.cells]
        for place, up in _not_cleared(part, targets, need):
            if not _reaches(part, int(place), 1.0 if up else -1.0, float(need[place])):
                found.append(int(part.cells[place]))
    return sorted(set(found))


@dataclass(frozen=True)
class _Part:
    """Hidden cells that hang together: their equations with everything published taken out."""

    cells: Index
    matrix: sparse.csr_matrix
    below: Floats
    above: Floats

    @property
    def bounds(self) -> Floats:
        """Least and greatest movement of each cell."""
        return np.column_stack([-self.below, self.above])


def _factor(table: AdditiveTable, small: AdditiveTable) -> float:
    largest = int(np.argmax(np.abs(table.values))) if table.size else 0
    return float(small.values[largest] / table.values[largest]) if table.size and table.values[largest] else 1.0


def _hidden_components(table: AdditiveTable, hidden: Flags) -> Iterator[_Part]:
    moving = np.flatnonzero(hidden & ~table.fixed & ~table.empty)
    if len(moving) == 0:
        return
    matrix = table.matrix[:, moving] if table.equations else sparse.csr_matrix((0, len(moving)))
    count, label = connected(matrix)
    columns = matrix.tocsc()
    for inside in grouped(label, count):
        block = columns[:, inside].tocsr()
        rows = np.flatnonzero(np.diff(block.indptr))
        cells = moving[inside]
        yield _Part(cells, block[rows], table.below[cells], table.above[cells])


def _extreme(part: _Part, place: int, direction: float) -> float:
    """How far one cell can move up (+1) or down (-1)."""
    objective = np.zeros(len(part.cells))
    objective[place] = -direction
    if part.matrix.shape[0] == 0:
        limit = part.above[place] if direction > 0 else part.below[place]
        return float(limit)
    found = solver.least(objective, part.matrix, part.bounds)
    return -found.objective if found else 0.0


def _reaches(part: _Part, place: int, direction: float, need: float) -> bool:
    return _extreme(part, place, direction) >= need * (1 - _TOLERANCE)


def _not_cleared(part: _Part, targets: Index, need: Floats) -> list[tuple[int, bool]]:
    """(cell, upwards) that no joint movement has cleared.

    Each programme moves as many of the cells still open as possible, each in a direction it still lacks, until two
    programmes in a row clear nothing more.
    """
    many = len(targets)
    up, down = np.zeros(many, dtype=np.bool_), np.zeros(many, dtype=np.bool_)
    if part.matrix.shape[0] == 0:
        up, down = part.above[targets] >= need[targets], part.below[targets] >= need[targets]
    idle = 0 if many > 1 and part.matrix.shape[0] else _PATIENCE
    round_ = 0
    while idle < _PATIENCE and not (up & down).all():
        pattern = np.where((np.arange(many) >> (round_ // 2)) % 2 == round_ % 2, 1.0, -1.0)
        signs = np.where(up & down, 0.0, np.where(up, -1.0, np.where(down, 1.0, pattern)))
        moved = _joint_move(part, targets, need, signs)
        enough = need[targets] * (1 - _TOLERANCE)
        new = int(((moved >= enough) & ~up).sum() + ((-moved >= enough) & ~down).sum())
        up, down = up | (moved >= enough), down | (-moved >= enough)
        idle, round_ = 0 if new else idle + 1, (round_ + 1) % _PATTERNS
    return [(int(targets[i]), True) for i in np.flatnonzero(~up)] + [
        (int(targets[i]), False) for i in np.flatnonzero(~down)
    ]


def _joint_move(part: _Part, targets: Index, need: Floats, signs: Floats) -> Floats:
    """How far each target moves in the movement that takes as many as possible as far as each needs."""
    # A target may move somewhat more than it needs, but not so far that it uses up what others could move.
    reach = _MARGIN * need[targets]
    bounds = part.bounds
    bounds[targets, 0] = np.maximum(bounds[targets, 0], -reach)
    bounds[targets, 1] = np.minimum(bounds[targets, 1], reach)
    objective = np.zeros(len(part.cells))
    objective[targets] = -signs / need[targets]
    found = solver.least(objective, part.matrix, bounds)
    return found.values[targets] if found is not None and len(found.values) else np.zeros(len(targets))
