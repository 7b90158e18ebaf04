"""The attacker: what a reader of the published table can work out of the hidden cells, by linear programming.

Source: Fischetti, Salazar (2000), Models and algorithms for optimizing cell suppression in tabular data with linear
constraints, J. Am. Stat. Assoc. 95: the attacker's two problems, min and max of one hidden cell under the equations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipelines.methods.disclosure import solver
from pipelines.methods.disclosure.movable import Movable, movable_cells, move
from pipelines.methods.disclosure.table import AdditiveTable, Flags, Floats, Index, flags

TOLERANCE = 1e-6  # relative to what is asked, against the rounding of the solver
_LARGEST = 1e4  # the unit of measure of a joint programme: its largest value is this many
_SMALLEST = 1e-3  # needs below this are asked for one by one in a unit of their own; the solver is exact to 1e-7
_FAR = 1e4  # no cell has to move further than this many times what the one cell asked for needs
_MARGIN = 1.2
_PATIENCE = 2
_PATTERNS = 24


@dataclass(frozen=True)
class Interval:
    """What the attacker knows of one hidden cell: its smallest and largest possible value."""

    cell: int
    low: float
    high: float


@dataclass(frozen=True)
class Open:
    """Per cell of the table: whether it is not yet shown that it can lie its protection higher (``up``), lower (``down``)."""

    up: Flags
    down: Flags

    @property
    def any(self) -> Flags:
        """Cells open on either side."""
        found: Flags = self.up | self.down
        return found

    def close(self, cells: Index, moved: Floats, need: Floats) -> None:
        """Take away what a movement shows."""
        enough = need * (1 - TOLERANCE)
        self.up[cells[moved >= enough]] = False
        self.down[cells[-moved >= enough]] = False


def exposed(table: AdditiveTable, hidden: Flags) -> list[int]:
    """Primary cells that the attacker narrows to less than their protection on one side.

    First programmes that move many cells at once and so clear most of them; then one for each cell and side left.
    """
    bare = table.primary & (~hidden | table.fixed) & (table.need > 0)
    movable = movable_cells(table, hidden)
    left = _unsettled(table, movable, _not_cleared(table, movable))
    return [int(i) for i in np.flatnonzero(bare | left.any)]


def not_cleared(table: AdditiveTable, hidden: Flags) -> Open:
    """Hidden primary cells for which no joint movement shows that they are protected; most, not all, are exposed."""
    return _not_cleared(table, movable_cells(table, hidden))


def intervals(table: AdditiveTable, hidden: Flags, targets: Index | None = None) -> list[Interval]:
    """The feasible interval of every hidden cell (or of ``targets``), each by two linear programmes.

    An unbounded side is reported as infinite. Published and empty cells are known exactly.
    """
    wanted = np.unique(np.flatnonzero(hidden) if targets is None else targets).astype(np.int64)
    movable = movable_cells(table, hidden)
    asked = np.flatnonzero(np.isin(movable.cells, wanted))
    down, up = _extremes(table, movable, asked)
    reach = np.zeros((2, table.size))
    reach[:, movable.cells[asked]] = down, up
    low, high = table.values - reach[0], table.values + reach[1]
    return [Interval(int(cell), float(low[cell]), float(high[cell])) for cell in wanted]


# -- many cells at once -------------------------------------------------------------------------------------------------
def _not_cleared(table: AdditiveTable, movable: Movable) -> Open:
    """What no joint movement clears.

    Each movement takes as many of the cells still open as possible, each in a direction it still lacks, as far as it
    needs; until in two movements running fewer are cleared than there are components, which one programme each could do.
    """
    left = _asked(table, movable)
    need = table.need[movable.cells]
    scale = _scales(table, movable)
    size = need * scale[movable.label]
    large = size >= _SMALLEST
    idle = round_ = 0
    while idle < _PATIENCE and round_ < _PATTERNS:
        targets = np.flatnonzero(left.any[movable.cells] & large & movable.tied[movable.label])
        if len(targets) == 0:
            break
        cells = movable.cells[targets]
        pattern = np.where((np.arange(len(targets)) >> (round_ // 2)) % 2 == round_ % 2, 1.0, -1.0)
        signs = np.where(left.up[cells] & left.down[cells], pattern, np.where(left.up[cells], 1.0, -1.0))
        before = left.up.sum() + left.down.sum()
        numbers = np.unique(movable.label[targets])
        moved = _joint_move(movable, numbers, targets, signs, scale, size)
        left.close(movable.cells[large], moved[large], size[large])
        idle = idle + 1 if before - left.up.sum() - left.down.sum() < len(numbers) else 0
        round_ += 1
    return left


def _asked(table: AdditiveTable, movable: Movable) -> Open:
    """What has to be shown: the hidden primary cells, less those no equation ties."""
    asked = flags(table.size)
    asked[movable.cells] = True
    asked &= table.primary & (table.need > 0)
    tied = flags(table.size)
    tied[movable.cells] = movable.tied[movable.label]
    return Open(asked & (tied | (table.above < table.need)), asked & (tied | (table.below < table.need)))


def _scales(table: AdditiveTable, movable: Movable) -> Floats:
    largest = np.zeros(movable.count)
    np.maximum.at(largest, movable.label, np.abs(table.values[movable.cells]))
    return _LARGEST / np.where(largest > 0, largest, _LARGEST)


def _joint_move(movable: Movable, numbers: Index, targets: Index, signs: Floats, scale: Floats, size: Floats) -> Floats:
    """The scaled movement that takes as many targets as possible, each by its sign, as far as each needs.

    A target may move somewhat more than it needs, but not so far that it uses up what others could move.
    """
    bounds = _bounds(movable, scale)
    reach = _MARGIN * size[targets]
    bounds[targets, 0] = np.maximum(bounds[targets, 0], -reach)
    bounds[targets, 1] = np.minimum(bounds[targets, 1], reach)
    objective = np.zeros(len(movable.cells))
    objective[targets] = -signs / size[targets]
    return move(movable, numbers, objective, bounds)


def _bounds(movable: Movable, scale: Floats) -> Floats:
    factor = scale[movable.label]
    return np.column_stack([-movable.below * factor, movable.above * factor])


# -- one cell a component -----------------------------------------------------------------------------------------------
def _unsettled(table: AdditiveTable, movable: Movable, left: Open) -> Open:
    """What is exposed for certain: of each component one cell and side a call, in a unit in which it needs 1."""
    exposed_ = Open(flags(table.size), flags(table.size))
    for cell in np.flatnonzero(left.any & ~_within(table, movable)):
        exposed_.up[cell], exposed_.down[cell] = left.up[cell], left.down[cell]
        left.up[cell] = left.down[cell] = False
    need = table.need[movable.cells]
    while (open_columns := np.flatnonzero(left.any[movable.cells])).size:
        numbers, first = np.unique(movable.label[open_columns], return_index=True)
        targets = open_columns[first]
        cells = movable.cells[targets]
        up = left.up[cells]
        scale = np.ones(movable.count)
        scale[numbers] = 1.0 / need[targets]
        moved = _single_moves(movable, numbers, targets, np.where(up, 1.0, -1.0), scale)
        size = need * scale[movable.label]
        fair = (size >= _SMALLEST) & np.isin(movable.label, numbers)
        left.close(movable.cells[fair], moved[fair], size[fair])
        for side, here in ((left.up, up), (left.down, ~up)):
            failed = cells[here & side[cells]]
            (exposed_.up if side is left.up else exposed_.down)[failed] = True
            side[failed] = False
    return exposed_


def _within(table: AdditiveTable, movable: Movable) -> Flags:
    """Cells tied by an equation to others that move."""
    found = flags(table.size)
    found[movable.cells] = movable.tied[movable.label]
    return found


def _single_moves(movable: Movable, numbers: Index, targets: Index, signs: Floats, scale: Floats) -> Floats:
    bounds = np.clip(_bounds(movable, scale), -_FAR, _FAR)
    bounds[targets, 0] = np.maximum(bounds[targets, 0], -_MARGIN)
    bounds[targets, 1] = np.minimum(bounds[targets, 1], _MARGIN)
    objective = np.zeros(len(movable.cells))
    objective[targets] = -signs
    return move(movable, numbers, objective, bounds)


# -- whole intervals ----------------------------------------------------------------------------------------------------
def _extremes(table: AdditiveTable, movable: Movable, asked: Index) -> tuple[Floats, Floats]:
    """How far each of the columns ``asked`` can move down and up."""
    scale = _scales(table, movable)
    bounds = _bounds(movable, scale)
    reach = np.full((2, len(asked)), np.inf)
    for number in np.unique(movable.label[asked]).tolist():
        here = np.flatnonzero(movable.label[asked] == number)
        if not movable.tied[number]:
            reach[:, here] = movable.below[asked[here]], movable.above[asked[here]]
            continue
        own = bounds[movable.starts[number] : movable.starts[number + 1]]
        # A side without limit shows as a movement beyond all that the limited cells together could bring about.
        cap = 100 * max(float(np.abs(own[np.isfinite(own)]).sum()), _LARGEST)
        targets = asked[here] - movable.starts[number]
        moved = solver.reaches(_block(movable, number), np.clip(own, -cap, cap), targets).T
        reach[:, here] = np.where(moved > cap / 10, np.inf, moved / scale[number])
    return reach[0], reach[1]


def _block(movable: Movable, number: int) -> sparse.csr_matrix:
    one = np.array([number], dtype=np.int64)
    return movable.matrix[movable.rows(one)][:, movable.columns(one)]
