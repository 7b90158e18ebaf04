"""Whether a set of formulas can hold together, and a record on which they do.

The alternatives of a formula are branched on in code; what remains is a conjunction of linear inequalities, which HiGHS decides
(``linear_points``). A record that is found is checked in exact fractions before it is believed; "impossible" rests on HiGHS,
whose feasibility tolerance is 1e-7.
Sources: branching as in Davis, Putnam, Logemann, Loveland (1962) over linear arithmetic; R validatetools (de Jonge, van der Loo).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

import numpy as np

from pipelines.methods.linear_points import SolverLimitError, feasible_point, short_point, solved
from pipelines.methods.rules_audit_logic import FALSE, All, Any, Flag, Form, Formula, Linear, Member, condition
from pipelines.methods.rules_audit_universe import Universe

MAX_NODES = 4000
OTHER_TEXT = "其他"


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

    def run(
        self, state: _State, formulas: Sequence[Formula], last: Mapping[str, Fraction] | None = None
    ) -> Record | None:
        """A record on which everything holds, or None; ``ran_out`` tells an end of the search from a proof."""
        self.left -= 1
        if self.left < 0:
            self.ran_out = True
            return None
        taken = self._taken(state, formulas)
        if taken is None:
            return None
        state, choices, grown = taken
        point = feasible_point(state.linear, self.universe.whole) if grown or last is None else last
        if point is None:
            return None
        if not choices:
            return self._record(state)
        guess = self._guess(state, point)
        open_ = [c for c in choices if not guess.holds(c)]
        if not open_:
            # The point at hand satisfies every choice in some way: take all those ways at once.
            found = self.run(state, [next(p for p in c.parts if guess.holds(p)) for c in choices], point)
            if found is not None or self.ran_out:
                return found
        # The choice with the fewest ways out first: contradictions show early.
        chosen = min(open_ or choices, key=lambda c: len(c.parts))
        rest = [c for c in choices if c is not chosen]
        for part in sorted(chosen.parts, key=lambda p: not guess.holds(p)):
            found = self.run(state, [part, *rest], point)
            if found is not None or self.ran_out:
                return found
        return None

    def _guess(self, state: _State, point: Mapping[str, Fraction]) -> Record:
        """The point as a record, with texts and flags that are possible so far."""
        names = {*state.allowed, *state.barred}
        texts = {n: t for n in names if (t := self._text(n, state.allowed, state.barred)) is not None}
        return Record(point, texts, state.flags)

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
        found = solved(answer.branch, universe.whole, "closed", (variable, sign))
        if found is None:
            return Verdict.UNDECIDED
        if not np.isfinite(found[1]):
            return None
        best = Fraction(found[0][variable]).limit_denominator(10**6)
    return Verdict.UNDECIDED
