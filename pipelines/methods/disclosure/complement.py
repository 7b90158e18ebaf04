"""Complementary suppression: which further cells are hidden so that no hidden cell can be worked out (survey_system 10.4).

Small tables are solved exactly, large ones by a chain of linear programmes; both end only when the attacker of
``disclosure.attack`` finds no primary cell within its protection, no hidden cell is alone in an equation, and no single
unit can subtract itself out of a pair of primary cells.

Source: Fischetti, Salazar (2000), J. Am. Stat. Assoc. 95 (exact, by cutting planes); Kelly, Golden, Assad (1992), Networks
22 (heuristic: the cheapest movement that protects one cell after the other); singletons: Handbook on SDC 4.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipelines.methods.disclosure import attack, solver
from pipelines.methods.disclosure.table import (
    AdditiveTable,
    Flags,
    Floats,
    alone,
    components,
    hidden_cells,
    opened_by_singletons,
    scaled,
    subtable,
)

EXACT_CELLS = 60
EXACT_PRIMARIES = 12
_CUTS = 60
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Suppression:
    """The pattern: ``hidden`` per cell, primary cells that nothing can protect, and how many parts were solved exactly."""

    hidden: Flags
    exposed: tuple[int, ...]
    exact: int
    heuristic: int


def suppress(table: AdditiveTable, *, exact: bool | None = None) -> Suppression:
    """The cheapest pattern that protects every primary cell.

    ``exact`` forces (True) or forbids (False) the exact method; by default it is used where a connected part has at most
    ``EXACT_CELLS`` cells that may be hidden and ``EXACT_PRIMARIES`` primaries. Cells hidden at first stay hidden: a
    further primary never makes another cell visible in the heuristic. ``exposed`` is empty unless fixed cells forbid it.
    """
    hidden = table.hidden_at_first()
    left = {int(i) for i in np.flatnonzero(table.primary & table.fixed)}
    done = {"exact": 0, "heuristic": 0}
    for members, equations in components(table):
        part = scaled(subtable(table, members, equations))
        found = None
        small = int(part.candidates.sum()) <= EXACT_CELLS and int(part.primary.sum()) <= EXACT_PRIMARIES
        if exact is True or (exact is None and small):
            found = exact_pattern(part)
            done["exact"] += found is not None
        if found is None:
            found, given_up = heuristic_pattern(part)
            left.update(int(members[i]) for i in given_up)
            done["heuristic"] += 1
        hidden[members] |= found
    for number in alone(table, hidden):
        left.update(i for i in hidden_cells(table, table.equations[number], hidden) if table.primary[i])
    for number in opened_by_singletons(table, hidden):
        left.update(hidden_cells(table, table.equations[number], hidden))
    return Suppression(hidden, tuple(sorted(left)), done["exact"], done["heuristic"])


# -- heuristic ----------------------------------------------------------------------------------------------------------
def heuristic_pattern(table: AdditiveTable) -> tuple[Flags, set[int]]:
    """(hidden cells, primary cells nothing protects) by one linear programme a primary cell, the largest first; then no cell alone, no singleton open."""
    hidden = table.hidden_at_first()
    _close_equations(table, hidden)
    given_up: set[int] = set()
    for _ in range(table.size + 1):
        left = [cell for cell in attack.exposed(table, hidden) if cell not in given_up and not table.fixed[cell]]
        if not left:
            break
        for cell in sorted(left, key=lambda i: (-table.values[i], i)):
            if not all(_protect_cell(table, hidden, cell, direction) for direction in (1.0, -1.0)):
                given_up.add(cell)
        _close_equations(table, hidden)
    return hidden, given_up


def _protect_cell(table: AdditiveTable, hidden: Flags, cell: int, direction: float) -> bool:
    """Hide what the cheapest movement needs that shifts ``cell`` by its protection; False where no movement exists.

    First only cells that can carry the whole movement: a few of them do instead of many small ones.
    """
    large = table.below >= table.need[cell]
    return any(
        _move(table, hidden, cell, direction, (hidden | (table.candidates & able)) & ~table.fixed)
        for able in (large, np.ones(table.size, dtype=np.bool_))
    )


def _move(table: AdditiveTable, hidden: Flags, cell: int, direction: float, may_move: Flags) -> bool:
    size, need = table.size, float(table.need[cell])
    cost = np.where(hidden, 0.0, table.cost)
    up = np.where(may_move, table.above, 0.0)
    down = np.where(may_move, table.below, 0.0)
    # A hidden cell that already moves is free; a shown one costs once however far it moves, which a linear cost only
    # approximates: cost is therefore spread over the distance that is asked for.
    objective = np.concatenate([cost, cost]) / max(need, 1e-12) + 1e-9
    bounds = np.column_stack([np.zeros(2 * size), np.concatenate([up, down])])
    bounds[cell] = (need, need) if direction > 0 else (0.0, 0.0)
    bounds[size + cell] = (0.0, 0.0) if direction > 0 else (need, need)
    if need > (up[cell] if direction > 0 else down[cell]) * (1 + _TOLERANCE):
        return False
    matrix = sparse.hstack([table.matrix, -table.matrix], format="csr")
    found = solver.least(objective, matrix, bounds)
    if found is None:
        return False
    moved = np.abs(found.values[:size] - found.values[size:])
    hidden |= (moved > need * 1e-9) & may_move
    return True


def _close_equations(table: AdditiveTable, hidden: Flags) -> None:
    """Hide the cheapest further cell in every equation with one hidden cell, or with a pair a single unit can open."""
    stuck: set[int] = set()
    while True:
        open_now = [n for n in (*alone(table, hidden), *opened_by_singletons(table, hidden)) if n not in stuck]
        if not open_now:
            return
        before = hidden.copy()
        for number in open_now:
            cells = table.equations[number].cells
            if any(hidden[i] != before[i] for i in cells):
                continue  # another equation's cell has closed this one as well, or it is looked at again
            choice = [i for i in cells if table.candidates[i] and not hidden[i]]
            if not choice:
                stuck.add(number)
                continue
            large_enough = max((float(table.need[i]) for i in cells if hidden[i]), default=0.0)
            hidden[min(choice, key=lambda i: (abs(table.values[i]) < large_enough, table.cost[i], i))] = True


# -- exact --------------------------------------------------------------------------------------------------------------
def exact_pattern(table: AdditiveTable) -> Flags | None:
    """The cheapest pattern by cutting planes, or None where it cannot be proven within the limits (or does not exist).

    Master: which cells to hide (0 or 1). Attacker: for each primary cell and direction, how far it can move; where that is
    too little, the dual of the attacker's programme is a constraint the master has missed.
    """
    certain = table.hidden_at_first()
    if (table.primary & table.fixed).any():
        return None
    allowed = table.candidates | certain
    limit = 10 * float(np.abs(table.values).sum() + 1.0)
    below, above = np.minimum(table.below, limit), np.minimum(table.above, limit)
    rows, wanted = _first_constraints(table, certain)
    dearest = float(np.max(table.cost, initial=1e-9))
    cost = np.where(certain, 0.0, np.ceil(table.cost / dearest * 1e5) + 1.0)
    for _ in range(_CUTS):
        hidden = solver.choose(cost, rows, wanted, certain, allowed)
        if hidden is None:
            return None
        cuts = _cuts(table, hidden, below, above)
        if not cuts:
            return hidden
        for coefficients, least in cuts:
            rows.append(coefficients)
            wanted.append(least)
    return None


def _first_constraints(table: AdditiveTable, certain: Flags) -> tuple[list[Floats], list[float]]:
    rows: list[Floats] = []
    least: list[float] = []
    for equation in table.equations:
        cells = [i for i in equation.cells if not table.empty[i] and not (table.fixed[i] and not certain[i])]
        for cell in (i for i in cells if table.primary[i] or not table.free[i]):
            row = np.zeros(table.size)
            row[cells] = 1.0
            row[cell] = -1.0
            rows.append(row)
            least.append(0.0)
        primaries = [i for i in cells if table.primary[i]]
        if len(primaries) == 2 and equation.total not in primaries and table.singleton[primaries].any():
            row = np.zeros(table.size)
            row[[i for i in cells if i not in primaries]] = 1.0
            rows.append(row)
            least.append(1.0)
    return rows, least


def _cuts(table: AdditiveTable, hidden: Flags, below: Floats, above: Floats) -> list[tuple[Floats, float]]:
    cuts = []
    for cell in np.flatnonzero(table.primary & (table.need > 0)):
        for direction in (1.0, -1.0):
            reach = _missed(table, hidden, below, above, int(cell), direction)
            if reach is None:
                continue
            # Rounded up, so that the constraint stays valid and the solver meets no coefficients of the size of its
            # tolerance; and a cover: what is hidden now does not suffice, so one of the others must come in.
            cuts.append((np.ceil(reach * 1e6) / 1e6, 1.0))
            cuts.append((((reach > 1e-7) & ~hidden).astype(float), 1.0))
    return cuts


def _missed(
    table: AdditiveTable, hidden: Flags, below: Floats, above: Floats, cell: int, direction: float
) -> Floats | None:
    """What each cell would add to the movement of ``cell`` if hidden, in units of its protection; None where it is safe."""
    need = float(table.need[cell])
    objective = np.zeros(table.size)
    objective[cell] = -direction
    bounds = np.column_stack([np.where(hidden, -below, 0.0), np.where(hidden, above, 0.0)])
    found = solver.least(objective, table.matrix, bounds)
    if found is None or -found.objective >= need * (1 - _TOLERANCE):
        return None
    # The solver books the reduced cost of a fixed variable (0 to 0) on either side; its sign says which bound binds.
    reach = np.maximum(found.reduced, 0.0) * below + np.maximum(-found.reduced, 0.0) * above
    share: Floats = np.minimum(reach, need) / need
    return share
