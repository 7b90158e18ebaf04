"""Identities between the figures of one record, and what they fix: exact linear algebra in fractions.

An identity is a hard rule ``Σ a·x = c`` without tolerance that applies to the record. A figure is *fixed* when the identities
leave it one value, given the figures that stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipelines.methods.linear_points import reduced
from pipelines.methods.rules_audit_logic import Form, NotExactError, pieces_of
from pipelines.methods.rules_audit_universe import Universe
from schemas.rule_file import TableRule
from schemas.syntax import Binary


@dataclass(frozen=True)
class Identity:
    """``form`` is zero, up to ``tolerance``."""

    rule: str
    form: Form
    tolerance: Fraction = Fraction(0)

    def gap(self, values: Mapping[str, Fraction]) -> Fraction | None:
        """How far from zero, or None where a figure is blank."""
        if not self.form.terms.keys() <= values.keys():
            return None
        return sum((c * values[n] for n, c in self.form.terms.items()), self.form.constant)

    def fails(self, values: Mapping[str, Fraction], slack: Fraction = Fraction(0)) -> bool:
        gap = self.gap(values)
        return gap is not None and abs(gap) > max(self.tolerance, slack)

    def solved_for(self, name: str, values: Mapping[str, Fraction]) -> Fraction | None:
        """The value of one figure that the others ask for, or None where one of them is blank."""
        rest = {n: c for n, c in self.form.terms.items() if n != name}
        if not rest.keys() <= values.keys():
            return None
        others = sum((c * values[n] for n, c in rest.items()), self.form.constant)
        return -others / self.form.terms[name]


def identity_of(rule: TableRule, universe: Universe) -> Identity | None:
    """The identity a rule states, or None where it states something else."""
    node = rule.node
    if not isinstance(node, Binary) or node.op != "==" or rule.tolerance.relative:
        return None
    try:
        left, right = pieces_of(node.left, universe), pieces_of(node.right, universe)
    except NotExactError:
        return None
    if len(left) != 1 or len(right) != 1:
        return None
    form = left[0][1].plus(right[0][1], Fraction(-1))
    if not form.terms or any("(" in n for n in form.terms):
        return None
    return Identity(rule.id, form, Fraction(rule.tolerance.absolute))


def fixed_values(
    identities: Iterable[Identity], values: Mapping[str, Fraction], unknown: Sequence[str]
) -> dict[str, Fraction]:
    """The unknown figures that the identities fix, given the others; those left free are absent.

    Row reduction: a figure is fixed where its row has no other unknown. Contradictory identities fix nothing.
    """
    place = {n: i for i, n in enumerate(unknown)}
    rows: list[list[Fraction]] = []
    for identity in identities:
        if identity.tolerance or not place.keys() & identity.form.terms.keys():
            continue
        known = {n: c for n, c in identity.form.terms.items() if n not in place}
        if not known.keys() <= values.keys():
            continue
        row = [identity.form.terms.get(n, Fraction(0)) for n in unknown]
        row.append(-identity.form.constant - sum((c * values[n] for n, c in known.items()), Fraction(0)))
        rows.append(row)
    pivots = reduced(rows, len(unknown))
    if any(not any(row[:-1]) and row[-1] for row in rows):
        return {}
    return {
        unknown[column]: rows[r][-1]
        for r, column in pivots
        if all(not rows[r][other] for other in range(len(unknown)) if other != column)
    }
