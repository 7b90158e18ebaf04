"""Exact complementary suppression of small tables, many of them side by side.

Source: Fischetti, Salazar (2000), J. Am. Stat. Assoc. 95 (cutting planes). Master: which cells to hide (0 or 1). Attacker:
for each primary cell and direction, how far it can move; where that is too little, the dual of the attacker's programme is
a constraint the master has missed. The tables do not touch each other; they go through the rounds together so that all
attackers of a round are one programme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pipelines.methods.disclosure import solver
from pipelines.methods.disclosure.attack import TOLERANCE
from pipelines.methods.disclosure.movable import COLUMNS_A_CALL, chunks
from pipelines.methods.disclosure.table import AdditiveTable, Flags, Floats, tells_another

_CUTS = 60


@dataclass
class _Master:
    """The 0-1 programme of one table as it grows."""

    table: AdditiveTable
    certain: Flags
    allowed: Flags
    cost: Floats
    below: Floats
    above: Floats
    rows: list[Floats]
    wanted: list[float]

    def add(self, cuts: Sequence[tuple[Floats, float]]) -> None:
        """What the attackers found missing."""
        for coefficients, least in cuts:
            self.rows.append(coefficients)
            self.wanted.append(least)


def exact_patterns(tables: Sequence[AdditiveTable]) -> list[Flags | None]:
    """Of each table the cheapest pattern, or None where it cannot be proven within the limits (or does not exist)."""
    found: list[Flags | None] = [None] * len(tables)
    open_ = {number: _master(table) for number, table in enumerate(tables) if not (table.primary & table.fixed).any()}
    for _ in range(_CUTS):
        chosen = {number: choice for number, master in open_.items() if (choice := _choice(master)) is not None}
        cuts = _cuts([open_[number] for number in chosen], list(chosen.values()))
        found_now = {number for number, more in zip(chosen, cuts, strict=True) if not more}
        for number, more in zip(chosen, cuts, strict=True):
            open_[number].add(more)
        for number in found_now:
            found[number] = chosen[number]
        open_ = {number: open_[number] for number in chosen if number not in found_now}
        if not open_:
            break
    return found


def _master(table: AdditiveTable) -> _Master:
    certain = table.hidden_at_first()
    limit = 10 * float(np.abs(table.values).sum() + 1.0)
    rows, wanted = _first_constraints(table, certain)
    dearest = float(np.max(table.cost, initial=1e-9))
    return _Master(
        table=table,
        certain=certain,
        allowed=table.candidates | certain,
        cost=np.where(certain, 0.0, np.ceil(table.cost / dearest * 1e5) + 1.0),
        below=np.minimum(table.below, limit),
        above=np.minimum(table.above, limit),
        rows=rows,
        wanted=wanted,
    )


def _choice(master: _Master) -> Flags | None:
    if not master.rows or (np.array(master.rows) @ master.certain >= master.wanted).all():
        return master.certain.copy()  # costs nothing
    return solver.choose(master.cost, master.rows, master.wanted, master.certain, master.allowed)


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
        if len(primaries) == 2 and equation.total not in primaries and tells_another(table, *primaries):
            row = np.zeros(table.size)
            row[[i for i in cells if i not in primaries]] = 1.0
            rows.append(row)
            least.append(1.0)
    return rows, least


def _cuts(masters: Sequence[_Master], choices: Sequence[Flags]) -> list[list[tuple[Floats, float]]]:
    """Of each table the constraints its master has missed; none where every primary cell is protected."""
    jobs = [
        (number, int(cell), direction)
        for number, master in enumerate(masters)
        for cell in np.flatnonzero(master.table.primary & (master.table.need > 0))
        for direction in (1.0, -1.0)
    ]
    found: list[list[tuple[Floats, float]]] = [[] for _ in masters]
    sizes = np.array([masters[number].table.size for number, _, _ in jobs], dtype=np.int64)
    for chunk in chunks(sizes, COLUMNS_A_CALL):
        for (number, _, _), reach in zip(jobs[chunk], _missed(masters, choices, jobs[chunk]), strict=True):
            if reach is None:
                continue
            # Rounded up, so that the constraint stays valid and the solver meets no coefficients of the size of its
            # tolerance; and a cover: what is hidden now does not suffice, so one of the others must come in.
            found[number].append((np.ceil(reach * 1e6) / 1e6, 1.0))
            found[number].append((((reach > 1e-7) & ~choices[number]).astype(float), 1.0))
    return found


def _missed(
    masters: Sequence[_Master], choices: Sequence[Flags], jobs: Sequence[tuple[int, int, float]]
) -> list[Floats | None]:
    """Of each job (table, cell, direction) what every cell would add to the movement of the cell if hidden, in units of
    its protection; None where it is safe. All jobs in one programme, each in a copy of its table."""
    starts = np.cumsum([0, *(masters[number].table.size for number, _, _ in jobs)])
    bounds = np.vstack(
        [
            np.column_stack(
                [
                    np.where(choices[number], -masters[number].below, 0.0),
                    np.where(choices[number], masters[number].above, 0.0),
                ]
            )
            for number, _, _ in jobs
        ]
    )
    objective = np.zeros(int(starts[-1]))
    for (_, cell, direction), start in zip(jobs, starts, strict=False):
        objective[start + cell] = -direction
    equal = sparse.csr_matrix(sparse.block_diag([masters[number].table.matrix for number, _, _ in jobs]))
    solution = solver.least(objective, equal, bounds)
    found: list[Floats | None] = []
    for (number, cell, direction), start in zip(jobs, starts, strict=False):
        master = masters[number]
        need = float(master.table.need[cell])
        here = slice(int(start), int(start) + master.table.size)
        if solution is None or direction * solution.values[start + cell] >= need * (1 - TOLERANCE):
            found.append(None)
            continue
        # The solver books the reduced cost of a fixed variable (0 to 0) on either side; its sign says which bound binds.
        reduced = solution.reduced[here]
        reach = np.maximum(reduced, 0.0) * master.below + np.maximum(-reduced, 0.0) * master.above
        found.append(np.minimum(reach, need) / need)
    return found
