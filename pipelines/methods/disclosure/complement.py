"""Complementary suppression: which further cells are hidden so that no hidden cell can be worked out (survey_system 10.4).

Small connected parts are solved exactly (``disclosure.exact``), large ones by a chain of linear programmes over all parts
at once; both end only when the attacker of ``disclosure.attack`` finds no primary cell within its protection, no hidden
cell is alone in an equation, and no single unit can subtract itself out of a pair of primary cells.

Source: Kelly, Golden, Assad (1992), Networks 22 (the cheapest movement that protects one cell after the other, the largest
first); singletons: Handbook on SDC 4.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.methods.disclosure import attack
from pipelines.methods.disclosure.exact import exact_patterns
from pipelines.methods.disclosure.protection import protect_open
from pipelines.methods.disclosure.table import (
    AdditiveTable,
    Flags,
    alone,
    components,
    hidden_cells,
    opened_by_singletons,
    scaled,
    subtable,
)

EXACT_CELLS = 60
EXACT_PRIMARIES = 12


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
    further primary never makes another cell visible in the heuristic. ``exposed`` is what the attacker finds in the
    finished pattern, whichever method made it, and empty unless fixed cells forbid protection.
    """
    hidden = table.hidden_at_first()
    parts = list(components(table))
    small = [
        (members, scaled(subtable(table, members, equations)))
        for members, equations in parts
        if exact is not False and (exact or _is_small(table, members))
    ]
    found = exact_patterns([part for _, part in small])
    for (members, _), pattern in zip(small, found, strict=True):
        if pattern is not None:
            hidden[members] |= pattern
    solved = sum(pattern is not None for pattern in found)
    if solved < len(parts):
        complete(table, hidden)
    left = set(attack.exposed(table, hidden)) | {int(i) for i in np.flatnonzero(table.primary & table.fixed)}
    guarded = table.primary | table.kept
    for number in alone(table, hidden):
        left.update(i for i in hidden_cells(table, table.equations[number], hidden) if guarded[i])
    for number in opened_by_singletons(table, hidden):
        left.update(hidden_cells(table, table.equations[number], hidden))
    return Suppression(hidden, tuple(sorted(left)), solved, len(parts) - solved)


def _is_small(table: AdditiveTable, members: np.ndarray) -> bool:
    return int(table.candidates[members].sum()) <= EXACT_CELLS and int(table.primary[members].sum()) <= EXACT_PRIMARIES


def complete(table: AdditiveTable, hidden: Flags) -> None:
    """Hide what is still missing, in place: no cell alone, no singleton open, no primary cell within its protection.

    What is cleared once stays so, since hiding more never narrows an interval.
    """
    _close_equations(table, hidden)
    protect_open(table, hidden, attack.not_cleared(table, hidden))
    _close_equations(table, hidden)


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
