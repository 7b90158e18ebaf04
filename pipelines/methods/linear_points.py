"""A conjunction of linear inequalities decided by HiGHS, and exact points in it.

No big-M: columns are as wide as the numbers are. Strict inequalities share a margin that is made as large as possible and must
exceed 1e-8 (rows scaled to a largest coefficient of 1). Points are turned into short fractions and checked exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import lcm

import numpy as np
import scipy  # its parts are loaded when first asked for: a check that proposes nothing does not wait for them

from pipelines.methods.rules_audit_logic import Linear

MARGIN = 1e-8
INFEASIBLE, UNBOUNDED, OTHER = 2, 3, 4
TIME_LIMIT = 20.0


class SolverLimitError(Exception):
    """HiGHS ended without an answer."""


def feasible_point(atoms: Sequence[Linear], whole: frozenset[str]) -> dict[str, Fraction] | None:
    """A point (in Float64) on which all inequalities hold, or None where there is none."""
    found = solved(atoms, whole, "margin")
    return None if found is None else {n: Fraction(v).limit_denominator(10**6) for n, v in found[0].items()}


def short_point(atoms: Sequence[Linear], whole: frozenset[str]) -> dict[str, Fraction] | None:
    """A point with small, whole numbers if there is one, else short fractions; checked exactly, None where that fails."""
    names = frozenset(v for a in atoms for v, _ in a.terms)
    for integers, goal in ((names, "small"), (whole, "small"), (whole, "margin")):
        found = solved(atoms, integers, goal)
        if found is None:
            continue
        for digits in (1, 100, 10**4, 10**6):
            point = {n: Fraction(v).limit_denominator(digits) for n, v in found[0].items()}
            point = {n: Fraction(round(v)) if n in integers else v for n, v in point.items()}
            if all(a.holds(point) for a in atoms):
                return point
        snapped = _snapped(atoms, found[0], integers)
        if snapped is not None:
            return snapped
    return None


def _snapped(atoms: Sequence[Linear], near: Mapping[str, float], whole: frozenset[str]) -> dict[str, Fraction] | None:
    """An exact point by the one found: equations, and the inequalities it touches, solved in fractions.

    What they leave free is rounded; the result is checked, None where it fails.
    """
    names = sorted(near)
    equations = [a for a in atoms if a.op == "=="]
    touched = [
        a for a in atoms if a.op == "<=" and abs(_at(a, near)) <= 1e-6 * max(1.0, *(abs(float(c)) for _, c in a.terms))
    ]
    for chosen in (equations, [*equations, *touched]):
        rows = [[dict(a.terms).get(n, Fraction(0)) for n in names] + [-a.constant] for a in chosen]
        pivots = reduced(rows, len(names))
        if any(not any(row[:-1]) and row[-1] for row in rows):
            continue
        bound = {names[column]: rows[r] for r, column in pivots}
        for digits in (1, 100, 10**6, 10**12):
            point = {n: Fraction(near[n]).limit_denominator(digits) for n in names if n not in bound}
            for name, row in bound.items():
                others = sum((c * point[n] for n, c in zip(names, row[:-1], strict=True) if n in point), Fraction(0))
                point[name] = row[-1] - others
            if all(a.holds(point) for a in atoms) and all(point[n].denominator == 1 for n in names if n in whole):
                return point
    return None


def _at(atom: Linear, near: Mapping[str, float]) -> float:
    return sum((float(c) * near[v] for v, c in atom.terms), float(atom.constant))


def reduced(rows: list[list[Fraction]], width: int) -> list[tuple[int, int]]:
    """Reduced row echelon form in place; (row, column) of the pivots."""
    pivots: list[tuple[int, int]] = []
    top = 0
    for column in range(width):
        found = next((r for r in range(top, len(rows)) if rows[r][column]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        divisor = rows[top][column]
        rows[top] = [v / divisor for v in rows[top]]
        for r in range(len(rows)):
            if r != top and (factor := rows[r][column]):
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[top], strict=True)]
        pivots.append((top, column))
        top += 1
    return pivots


def _tightened(atom: Linear, whole: frozenset[str]) -> Linear:
    """Over whole numbers, less than is less by a whole step: 2x − y < 0 is 2x − y ≤ −1."""
    if atom.op != "<" or not all(v in whole for v, _ in atom.terms):
        return atom
    step = lcm(atom.constant.denominator, *(c.denominator for _, c in atom.terms))
    return Linear(atom.terms, atom.constant + Fraction(1, step), "<=")


def solved(
    atoms: Sequence[Linear], whole: frozenset[str], goal: str, largest: tuple[str, int] | None = None
) -> tuple[dict[str, float], float] | None:
    """HiGHS on a conjunction: ``margin`` makes strict inequalities as slack as can be, ``small`` wants small numbers,
    ``closed`` takes strict inequalities as not strict and makes one variable large (an infinite margin: no bound).

    Columns: the variables, the margin, and for ``small`` the magnitude of each variable.
    """
    atoms = [_tightened(a, whole) for a in atoms]
    names = sorted({v for a in atoms for v, _ in a.terms})
    if not names:
        return ({}, 1.0) if all(a.holds({}) for a in atoms) else None
    place = {n: i for i, n in enumerate(names)}
    count, small = len(names), goal == "small"
    width = count + 1 + (count if small else 0)
    rows: list[np.ndarray] = []
    lower: list[float] = []
    upper: list[float] = []
    for atom in atoms:
        scale = float(max(abs(c) for _, c in atom.terms))
        row = np.zeros(width)
        for variable, coefficient in atom.terms:
            row[place[variable]] = float(coefficient) / scale
        bound = -float(atom.constant) / scale
        if atom.op == "<":
            row[count] = 1.0
        rows.append(row)
        lower.append(bound if atom.op == "==" else -np.inf)
        upper.append(bound)
    if small:
        for i in range(count):
            for sign in (1.0, -1.0):
                row = np.zeros(width)
                row[i], row[count + 1 + i] = sign, -1.0
                rows.append(row)
                lower.append(-np.inf)
                upper.append(0.0)
    cost = np.zeros(width)
    least = np.full(width, -np.inf)
    most = np.full(width, np.inf)
    if small:
        cost[count + 1 :] = 1.0
        least[count + 1 :] = 0.0
    strict = any(a.op == "<" for a in atoms) and goal != "closed"
    if largest is not None:
        cost[place[largest[0]]] = -float(largest[1])
    cost[count] = -1.0 if goal == "margin" else 0.0
    least[count], most[count] = (0.0, 0.0 if goal == "closed" else 1.0)
    if small and strict:
        margin = solved(atoms, whole, "margin")
        if margin is None:
            return None
        # A full step where whole numbers leave room for it, else half of what there is.
        least[count] = 1.0 if margin[1] >= 1.0 else margin[1] / 2
    integral = np.array([1 if n in whole else 0 for n in names] + [0] * (width - count))
    found = scipy.optimize.milp(
        cost,
        constraints=scipy.optimize.LinearConstraint(np.array(rows), lower, upper) if rows else None,
        bounds=scipy.optimize.Bounds(least, most),
        integrality=integral,
        options={"time_limit": TIME_LIMIT},
    )
    if found.x is None:
        if goal == "closed" and found.status in (UNBOUNDED, OTHER):
            return {}, float("inf")
        if found.status != INFEASIBLE:
            raise SolverLimitError(str(found.message))
        return None
    margin_found = float(found.x[count])
    if strict and margin_found <= MARGIN:
        return None
    return {n: float(found.x[place[n]]) for n in names}, margin_found
