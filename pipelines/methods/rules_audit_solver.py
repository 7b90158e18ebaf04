"""Whether a set of formulas can hold together, and a record on which they do.

The alternatives of a formula are branched on in code; what remains is a conjunction of linear inequalities, which HiGHS
(scipy.optimize.milp) decides with columns as wide as the numbers are: no big-M, so no figure is too large. Strict inequalities
share a margin that is made as large as possible and must exceed 1e-8 (rows scaled to a largest coefficient of 1). A record found is turned into short fractions and
checked in exact arithmetic before it is believed; "impossible" rests on HiGHS, whose feasibility tolerance is 1e-7.
Sources: branching as in Davis, Putnam, Logemann, Loveland (1962) over linear arithmetic; R validatetools (de Jonge, van der Loo).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import lcm

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from pipelines.methods.rules_audit_logic import (
    FALSE,
    All,
    Any,
    Flag,
    Form,
    Formula,
    Linear,
    Member,
    Universe,
    condition,
)

MAX_NODES = 4000
MARGIN = 1e-8
INFEASIBLE, UNBOUNDED, OTHER = 2, 3, 4
TIME_LIMIT = 20.0
OTHER_TEXT = "其他"


class SolverLimitError(Exception):
    """HiGHS ended without an answer."""


class Verdict(StrEnum):
    """Whether something can be: a record was found, none exists, or the search ended first."""

    POSSIBLE = "possible"
    IMPOSSIBLE = "impossible"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Record:
    """One record: numbers (dates as day numbers), texts, flags, and the columns that are blank."""

    numbers: Mapping[str, Fraction] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)

    def holds(self, formula: Formula) -> bool:
        """Whether a formula is true of the record, in exact arithmetic."""
        match formula:
            case All(parts=parts):
                return all(map(self.holds, parts))
            case Any(parts=parts):
                return any(map(self.holds, parts))
            case Linear():
                return formula.holds(self.numbers)
            case Member(variable=variable, texts=texts, inside=inside):
                return (self.texts.get(variable, OTHER_TEXT) in texts) == inside
            case Flag(name=name, value=value):
                return self.flags.get(name, name.startswith("present:")) == value
        raise AssertionError(formula)


@dataclass(frozen=True)
class Answer:
    """The verdict; where a record was found, that record and the inequalities of its branch."""

    verdict: Verdict
    record: Record | None = None
    branch: tuple[Linear, ...] = ()


@dataclass
class _State:
    """What has been decided on the way down one branch."""

    linear: tuple[Linear, ...] = ()
    allowed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    barred: Mapping[str, frozenset[str]] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)


class _Search:
    def __init__(self, universe: Universe, nodes: int) -> None:
        self.universe = universe
        self.left = nodes
        self.ran_out = False
        self.branch: tuple[Linear, ...] = ()

    def run(self, state: _State, formulas: Sequence[Formula]) -> Record | None:
        """A record on which everything holds, or None; ``ran_out`` tells an end of the search from a proof."""
        self.left -= 1
        if self.left < 0:
            self.ran_out = True
            return None
        taken = self._taken(state, formulas)
        if taken is None:
            return None
        state, choices, grown = taken
        point = feasible_point(state.linear, self.universe.whole) if grown or not choices else {}
        if point is None:
            return None
        if not choices:
            return self._record(state)
        # The choice with the fewest ways out first: contradictions show early.
        chosen = min(range(len(choices)), key=lambda n: len(choices[n].parts))
        rest = [c for n, c in enumerate(choices) if n != chosen]
        for part in self._likeliest(choices[chosen], state, point):
            found = self.run(state, [part, *rest])
            if found is not None or self.ran_out:
                return found
        return None

    def _likeliest(self, choice: Any, state: _State, point: Mapping[str, Fraction]) -> list[Formula]:
        """What the point at hand already satisfies goes first."""
        record = Record(point, {}, state.flags)
        return sorted(choice.parts, key=lambda p: not (isinstance(p, Linear) and record.holds(p)))

    def _taken(self, state: _State, formulas: Sequence[Formula]) -> tuple[_State, list[Any], bool] | None:
        """The state with every certain fact added, and the choices still open; None for a contradiction."""
        linear, allowed, barred, flags = list(state.linear), dict(state.allowed), dict(state.barred), dict(state.flags)
        known = set(linear)
        todo, choices = list(formulas), list[Any]()
        grown = False
        while todo:
            match todo.pop():
                case All(parts=parts):
                    todo.extend(parts)
                case Any(parts=()):
                    return None
                case Any(parts=(only,)):
                    todo.append(only)
                case Any() as choice:
                    choices.append(choice)
                case Linear() as atom:
                    if atom not in known:
                        known.add(atom)
                        linear.append(atom)
                        grown = True
                case Flag(name=name, value=value):
                    if flags.setdefault(name, value) != value:
                        return None
                case Member(variable=name, texts=texts, inside=inside):
                    if inside:
                        domain = self.universe.domains.get(name)
                        start = texts if domain is None else texts & domain
                        allowed[name] = allowed[name] & start if name in allowed else start
                    else:
                        barred[name] = barred.get(name, frozenset()) | texts
                    if not self._text(name, allowed, barred):
                        return None
        found = _State(tuple(linear), allowed, barred, flags)
        narrowed = [self._narrowed(c, found) for c in choices]
        if any(c == FALSE for c in narrowed):
            return None
        single = [c.parts[0] for c in narrowed if isinstance(c, Any) and len(c.parts) == 1]
        open_ = [c for c in narrowed if isinstance(c, Any) and len(c.parts) > 1]
        if not single:
            return found, open_, grown
        again = self._taken(found, [*single, *open_])
        return None if again is None else (again[0], again[1], grown or again[2])

    def _narrowed(self, choice: Any, state: _State) -> Formula:
        """The choice without alternatives that flags and code sets already rule out; the truth where one already holds."""
        left: list[Formula] = []
        for part in choice.parts:
            verdict = self._already(part, state)
            if verdict:
                return All()
            if verdict is None:
                left.append(part)
        return Any(tuple(left))

    def _already(self, formula: Formula, state: _State) -> bool | None:
        match formula:
            case Flag(name=name, value=value):
                return state.flags[name] == value if name in state.flags else None
            case Member(variable=name, texts=texts, inside=inside):
                possible = state.allowed.get(name, self.universe.domains.get(name))
                if possible is None:
                    return False if inside and texts <= state.barred.get(name, frozenset()) else None
                possible = possible - state.barred.get(name, frozenset())
                if possible <= texts:
                    return inside
                return not inside if not possible & texts else None
            case Linear():
                return True if formula in state.linear else None
            case All(parts=parts):
                verdicts = [self._already(p, state) for p in parts]
                return False if False in verdicts else True if all(verdicts) else None
            case Any(parts=parts):
                verdicts = [self._already(p, state) for p in parts]
                return True if True in verdicts else False if all(v is False for v in verdicts) else None
        raise AssertionError(formula)

    def _text(
        self, name: str, allowed: Mapping[str, frozenset[str]], barred: Mapping[str, frozenset[str]]
    ) -> str | None:
        """A text the column may take, or None."""
        off = barred.get(name, frozenset())
        possible = allowed.get(name, self.universe.domains.get(name))
        if possible is not None:
            return min(possible - off, default=None)
        return next(t for t in (OTHER_TEXT, *(f"{OTHER_TEXT}{n}" for n in range(len(off) + 1))) if t not in off)

    def _record(self, state: _State) -> Record | None:
        numbers = short_point(state.linear, self.universe.whole)
        if numbers is None:
            self.ran_out = True
            return None
        names = {*state.allowed, *state.barred, *(n for n, k in self.universe.kinds.items() if k == "text")}
        self.branch = state.linear
        texts = {n: t for n in sorted(names) if (t := self._text(n, state.allowed, state.barred)) is not None}
        return Record(numbers, texts, dict(state.flags))


def satisfiable(formulas: Iterable[Formula], universe: Universe, nodes: int = MAX_NODES) -> Answer:
    """Whether all formulas can hold on one record."""
    wanted = list(formulas)
    search = _Search(universe, nodes)
    try:
        found = search.run(_State(), wanted)
    except SolverLimitError:
        return Answer(Verdict.UNDECIDED)
    if found is not None and all(map(found.holds, wanted)):
        return Answer(Verdict.POSSIBLE, found, search.branch)
    return Answer(Verdict.UNDECIDED if search.ran_out or found is not None else Verdict.IMPOSSIBLE)


def extreme(formulas: Sequence[Formula], variable: str, sign: int, universe: Universe) -> Fraction | Verdict | None:
    """The largest (sign 1) or smallest (−1) value of a variable: a number, None where there is no bound, or UNDECIDED.

    A bound that a strict inequality keeps from being reached is given all the same. The formulas must be satisfiable.
    """
    best: Fraction | None = None
    for _ in range(200):
        beyond = [] if best is None else [condition(Form({variable: Fraction(sign)}, -sign * best), ">")]
        answer = satisfiable([*formulas, *beyond], universe)
        if answer.verdict is not Verdict.POSSIBLE:
            return best if answer.verdict is Verdict.IMPOSSIBLE and best is not None else Verdict.UNDECIDED
        if not any(v == variable for a in answer.branch for v, _ in a.terms):
            return None
        found = _solved(answer.branch, universe.whole, "closed", (variable, sign))
        if found is None:
            return Verdict.UNDECIDED
        if not np.isfinite(found[1]):
            return None
        best = Fraction(found[0][variable]).limit_denominator(10**6)
    return Verdict.UNDECIDED


def feasible_point(atoms: Sequence[Linear], whole: frozenset[str]) -> dict[str, Fraction] | None:
    """A point (in Float64) on which all inequalities hold, or None where there is none."""
    found = _solved(atoms, whole, "margin")
    return None if found is None else {n: Fraction(v).limit_denominator(10**6) for n, v in found[0].items()}


def short_point(atoms: Sequence[Linear], whole: frozenset[str]) -> dict[str, Fraction] | None:
    """A point with small, whole numbers if there is one, else short fractions; checked exactly, None where that fails."""
    names = frozenset(v for a in atoms for v, _ in a.terms)
    for integers, goal in ((names, "small"), (whole, "small"), (whole, "margin")):
        found = _solved(atoms, integers, goal)
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


def _solved(
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
        margin = _solved(atoms, whole, "margin")
        if margin is None:
            return None
        # A full step where whole numbers leave room for it, else half of what there is.
        least[count] = 1.0 if margin[1] >= 1.0 else margin[1] / 2
    integral = np.array([1 if n in whole else 0 for n in names] + [0] * (width - count))
    found = milp(
        cost,
        constraints=LinearConstraint(np.array(rows), lower, upper) if rows else None,
        bounds=Bounds(least, most),
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
