"""Which units moved a ratio of sums between two years: exact, the parts of all units sum to the change.

A ratio x = N / D with N = Σ n_u and D = Σ d_u changes by Σ_u [½ (1/D₀ + 1/D₁) (n_u1 − n_u0) − ½ (N₀ + N₁)/(D₀ D₁) (d_u1 − d_u0)]: the
Shapley value of numerator and denominator (each moving first in one of the two orders), which is a sum over units on either side. A unit
that is there in one year only has 0 in the other. Source: A. Shorrocks, J. Economic Inequality 11 (2013); L. Shapley (1953).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.expression import Binary, Call, Node, Number, Unary, parse, to_text

PARK: Final = ""
"""The key of a figure that no unit has: one of the park itself, or of the context form."""


@dataclass(frozen=True)
class Side:
    """The numerator or denominator of a year by unit; 0 for a unit that has none."""

    by_unit: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Sum over units."""
        return sum(self.by_unit.values())

    def plus(self, other: Side) -> Side:
        """Both sides added, unit by unit: the years of a window."""
        keys = dict.fromkeys((*self.by_unit, *other.by_unit))
        return Side({u: self.by_unit.get(u, 0.0) + other.by_unit.get(u, 0.0) for u in keys})

    def times(self, factor: float) -> Side:
        """The side brought to other prices or to another population."""
        return Side({u: v * factor for u, v in self.by_unit.items()})


@dataclass(frozen=True)
class Moved:
    """What one unit did to the ratio: its figures of both years and its effects through numerator and denominator."""

    unit: str
    numerator: tuple[float, float]
    denominator: tuple[float, float]
    by_numerator: float
    by_denominator: float

    @property
    def effect(self) -> float:
        """Both effects together, in units of the ratio."""
        return self.by_numerator + self.by_denominator


def moved_by(before: tuple[Side, Side], after: tuple[Side, Side]) -> tuple[Moved, ...] | None:
    """Every unit's part of the change of numerator over denominator, in order of the units; None where a ratio is undefined."""
    (n0, d0), (n1, d1) = before, after
    if d0.total == 0 or d1.total == 0:
        return None
    above = 0.5 * (1 / d0.total + 1 / d1.total)
    below = -0.5 * (n0.total + n1.total) / (d0.total * d1.total)
    found = []
    for unit in sorted({*n0.by_unit, *n1.by_unit, *d0.by_unit, *d1.by_unit}):
        n, d = ((a.by_unit.get(unit, 0.0), b.by_unit.get(unit, 0.0)) for a, b in ((n0, n1), (d0, d1)))
        if any((*n, *d)):
            found.append(Moved(unit, n, d, above * (n[1] - n[0]), below * (d[1] - d[0])))
    return tuple(found)


def linear_terms(text: str) -> dict[str, float] | None:
    """Aggregate → coefficient of one side of a ratio that is linear in its SUMs and COUNTs; None where it is not, or has other figures.

    ``(SUM(P06) + SUM(P09)) * 100`` gives 100 for each of the two.
    """
    return _terms(parse(text))


def _terms(node: Node) -> dict[str, float] | None:
    match node:
        case Call(function="SUM" | "COUNT"):
            return {to_text(node): 1.0}
        case Unary(op="-", operand=operand):
            return _scaled(_terms(operand), -1.0)
        case Binary(op="+" | "-" as op, left=left, right=right):
            first, second = _terms(left), _scaled(_terms(right), 1.0 if op == "+" else -1.0)
            if first is None or second is None:
                return None
            return {k: first.get(k, 0.0) + second.get(k, 0.0) for k in dict.fromkeys((*first, *second))}
        case Binary(op="*", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                if (factor := _constant(one)) is not None:
                    return _scaled(_terms(other), factor)
        case Binary(op="/", left=left, right=right):
            if factor := _constant(right):
                return _scaled(_terms(left), 1.0 / factor)
    return None


def _scaled(terms: dict[str, float] | None, factor: float) -> dict[str, float] | None:
    return None if terms is None else {k: v * factor for k, v in terms.items()}


def _constant(node: Node) -> float | None:
    match node:
        case Number(value=value):
            return float(value)
        case Unary(op="-", operand=operand):
            inner = _constant(operand)
            return None if inner is None else -inner
        case Binary(op="*" | "/" as op, left=left, right=right):
            first, second = _constant(left), _constant(right)
            if first is None or second is None or (op == "/" and second == 0):
                return None
            return first * second if op == "*" else first / second
    return None
