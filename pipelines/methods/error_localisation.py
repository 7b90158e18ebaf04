"""Which fields of a record must be wrong: the fewest, by weight, whose change can make all hard rules hold.

Fellegi and Holt (1976). Solved as set covering, as in the original paper, with the covered sets found on demand: every set of
fields whose values contradict the rules (a *conflict*) must contain a field that is changed; HiGHS finds the cheapest cover;
whether the other fields can then stay is asked of the rules themselves (``rules_audit_solver``); if not, a smallest conflict
among them is added. The first cover that works is optimal, since every solution covers every conflict. No big-M: figures of
any size, and exact. All solutions of least weight are listed. Blank fields are free: to fill a blank is no change.
Sources: Fellegi and Holt, JASA 71 (1976), 17–35; de Waal, Pannekoek, Scholtus, Handbook of Statistical Data Editing (2011),
chapters 3–4; R errorlocate and editrules (de Jonge, van der Loo).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import scipy  # its parts are loaded when first asked for: a check that proposes nothing does not wait for them

from pipelines.methods.rules_audit import ExactRule, variables
from pipelines.methods.rules_audit_logic import FALSE, TRUE, All, Any, Flag, Formula, Linear, Member, both, either
from pipelines.methods.rules_audit_solver import Verdict, satisfiable
from pipelines.methods.rules_audit_universe import Universe

MAX_SOLUTIONS = 20
MAX_CONFLICTS = 200
Value = Fraction | str | bool


@dataclass(frozen=True)
class Localisation:
    """The solutions of least weight, each a set of fields in the order of the table.

    ``complete``: all of them are listed. ``impossible``: no change of the permitted fields helps.
    """

    solutions: tuple[tuple[str, ...], ...]
    weight: Decimal = Decimal(0)
    complete: bool = True
    impossible: bool = False


def known_as(formula: Formula, values: Mapping[str, Value]) -> Formula:
    """The formula with the fields of a record put in; what is decided disappears."""
    match formula:
        case All(parts=parts):
            return both(*(known_as(p, values) for p in parts))
        case Any(parts=parts):
            return either(*(known_as(p, values) for p in parts))
        case Linear(terms=terms, constant=constant, op=op):
            left = tuple((n, c) for n, c in terms if n not in values)
            moved = constant + sum((c * _number(values[n]) for n, c in terms if n in values), Fraction(0))
            reduced = Linear(left, moved, op)
            return reduced if left else TRUE if reduced.holds({}) else FALSE
        case Member(variable=name, texts=texts, inside=inside) if name in values:
            return TRUE if (str(values[name]) in texts) == inside else FALSE
        case Flag(name=name, value=value):
            kind, _, column = name.partition(":")
            if column not in values:
                return formula
            said = True if kind == "present" else values[column] is True
            return TRUE if said == value else FALSE
    return formula


def _number(value: Value) -> Fraction:
    return value if isinstance(value, Fraction) else Fraction(0)


class Localiser:
    """Finds the faulty fields of records under one set of rules; conflicts are searched anew for every record."""

    def __init__(
        self,
        rules: Sequence[ExactRule],
        universe: Universe,
        weights: Mapping[str, Decimal],
        untouched: Collection[str] = (),
    ) -> None:
        self.rules = tuple(rules)
        self.universe = universe
        self.weights = weights
        self.untouched = frozenset(untouched)
        self.fields = {r.rule.id: frozenset(variables(r.satisfied)) for r in rules}

    def failing(self, values: Mapping[str, Value]) -> list[ExactRule]:
        """The rules a record breaks; a rule with a blank it hangs on is not broken."""
        blanks = {**values}
        return [r for r in self.rules if _with_blanks(r.broken, blanks, self.universe) == TRUE]

    def undetermined(self, values: Mapping[str, Value]) -> list[ExactRule]:
        """The rules that apply and neither hold nor fail."""
        return [
            r
            for r in self.rules
            if _with_blanks(r.satisfied, values, self.universe) != TRUE
            and _with_blanks(r.broken, values, self.universe) != TRUE
        ]

    def locate(self, values: Mapping[str, Value]) -> Localisation:
        """The cheapest sets of fields to change. ``values`` holds the fields that are filled."""
        block = self._block(values)
        names = sorted({n for r in block for n in self.fields[r.rule.id]} & values.keys(), key=list(values).index)
        permitted = [n for n in names if n not in self.untouched]
        conflicts = [self.fields[r.rule.id] & set(permitted) for r in block if known_as(r.satisfied, values) == FALSE]
        if any(not c for c in conflicts) or not self._possible(
            block, {n: values[n] for n in names if n in self.untouched}
        ):
            return Localisation((), impossible=True)
        found: list[tuple[str, ...]] = []
        best = Decimal(0)
        place = {n: i for i, n in enumerate(names)}

        def answer(complete: bool) -> Localisation:
            return Localisation(tuple(sorted(found, key=lambda s: [place[n] for n in s])), best, complete)

        for _ in range(MAX_CONFLICTS):
            cover = _cheapest_cover(conflicts, found, permitted, self.weights)
            weight = sum((self._weight(n) for n in cover), Decimal(0)) if cover is not None else None
            if cover is None or (found and weight is not None and weight > best):
                return answer(True)
            kept = {n: values[n] for n in names if n not in cover}
            if self._possible(block, kept):
                found.append(tuple(n for n in names if n in cover))
                best = weight or Decimal(0)
                if len(found) >= MAX_SOLUTIONS:
                    return answer(False)
            else:
                conflicts.append(frozenset(self._conflict(block, kept)) & set(permitted))
        return answer(False)

    def allows(self, values: Mapping[str, Value]) -> bool:
        """Whether the blanks of a record can be filled so that all rules of its fields hold."""
        touched = {n for r in self.rules for n in self.fields[r.rule.id] if n in values}
        block = [r for r in self.rules if self.fields[r.rule.id] & touched]
        return self._possible(block, values)

    def _weight(self, name: str) -> Decimal:
        return self.weights.get(name, Decimal(1))

    def _block(self, values: Mapping[str, Value]) -> list[ExactRule]:
        """The rules that hang together with a rule that does not hold: what else there is stays as it is."""
        chosen = [r for r in self.rules if known_as(r.satisfied, values) != TRUE]
        names = {n for r in chosen for n in self.fields[r.rule.id]}
        while True:
            more = [r for r in self.rules if r not in chosen and self.fields[r.rule.id] & names]
            if not more:
                return [r for r in self.rules if r in chosen]
            chosen += more
            names |= {n for r in more for n in self.fields[r.rule.id]}

    def _possible(self, block: Sequence[ExactRule], kept: Mapping[str, Value]) -> bool:
        formulas = [known_as(r.satisfied, kept) for r in block]
        if FALSE in formulas:
            return False
        return satisfiable([f for f in formulas if f != TRUE], self.universe).verdict is Verdict.POSSIBLE

    def _conflict(self, block: Sequence[ExactRule], kept: Mapping[str, Value]) -> list[str]:
        """A smallest part of the kept values that cannot stand together."""
        needed = dict(kept)
        for name in kept:
            if name in self.untouched:
                continue
            fewer = {n: v for n, v in needed.items() if n != name}
            if not self._possible(block, fewer):
                needed = fewer
        return list(needed)


def _with_blanks(formula: Formula, values: Mapping[str, Value], universe: Universe) -> Formula:
    """The formula of a record as it is, blanks included: what is not filled is not present."""
    known = known_as(formula, values)
    return _absent(known, values)


def _absent(formula: Formula, values: Mapping[str, Value]) -> Formula:
    match formula:
        case All(parts=parts):
            return both(*(_absent(p, values) for p in parts))
        case Any(parts=parts):
            return either(*(_absent(p, values) for p in parts))
        case Flag(name=name, value=value) if name.startswith("present:"):
            return FALSE if value else TRUE
    return formula


def _cheapest_cover(
    conflicts: Sequence[Collection[str]],
    barred: Sequence[Sequence[str]],
    names: Sequence[str],
    weights: Mapping[str, Decimal],
) -> set[str] | None:
    """The cheapest set of fields with one of every conflict, none of the barred sets among its subsets; None: there is none.

    Set covering in yes and no, by HiGHS. Among equals the earlier fields of the table.
    """
    if not conflicts:
        return None if barred else set()
    place = {n: i for i, n in enumerate(names)}
    rows, lower, upper = [], [], []
    for conflict in conflicts:
        row = np.zeros(len(names))
        for name in conflict:
            row[place[name]] = 1.0
        rows.append(row)
        lower.append(1.0)
        upper.append(np.inf)
    for solution in barred:
        row = np.zeros(len(names))
        for name in solution:
            row[place[name]] = 1.0
        rows.append(row)
        lower.append(-np.inf)
        upper.append(len(solution) - 1.0)
    cost = np.array([float(weights.get(n, Decimal(1))) for n in names])
    scaled = cost / cost.min()
    nudge = 1e-7 * np.arange(len(names))
    found = scipy.optimize.milp(
        scaled + nudge,
        constraints=scipy.optimize.LinearConstraint(np.array(rows), lower, upper),
        integrality=np.ones(len(names), dtype=np.int64),
        bounds=scipy.optimize.Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    return None if found.x is None else {n for n, x in zip(names, found.x.tolist(), strict=True) if x > 0.5}
