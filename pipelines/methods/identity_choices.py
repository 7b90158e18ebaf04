"""Where no single figure can be named as wrong: every smallest set of figures that can be, as choices of cells to look at.

Fellegi and Holt's minimal change over the linear hard rules of one record, all solutions of least weight
(``error_localisation``). A choice carries no value: with several equally good explanations a value would be a suggestion which
figure to bend. It says what slip it looks like where the identities that fail would then hold to the last digit.
Docs: docs/methods/error-localisation.md, section on proposals to parks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from pipelines.methods.error_localisation import Localiser
from pipelines.methods.identities import Identity
from pipelines.methods.rules_audit import ExactRule, variables
from pipelines.methods.rules_audit_logic import NotExactError, meaning_of
from pipelines.methods.rules_audit_universe import Universe
from pipelines.methods.slips import recognised
from schemas.rule_file import TableRule
from schemas.syntax import Binary, Call, Name, Node, Number, to_text, walk

MOST_CHOICES = 12
"""Beyond so many cells a list of choices helps nobody."""


@dataclass(frozen=True)
class Choice:
    """Figures that can be wrong together; ``slips``: figure → what slip it looks like, where it looks like one."""

    fields: tuple[str, ...]
    slips: Mapping[str, str] = field(default_factory=dict)


def tied_choices(
    rules: Mapping[str, Node],
    figures: Mapping[str, Fraction | None],
    failed: Collection[str],
    identities: Sequence[Identity],
    decimals: Mapping[str, int],
    not_negative: Collection[str] = (),
) -> tuple[Choice, ...]:
    """The smallest sets of figures whose change can make all rules hold; empty for a single one, or more than a few.

    ``rules``: the hard rules of the record; those that are not linear over its own figures take no part, nor do those that
    fail without being in ``failed`` (they do not apply). A blank that rules take for zero is a figure that may be missing.
    """
    usable = {rule: node for rule, node in rules.items() if _is_own(node, figures)}
    values = {n: v if v is not None else Fraction(0) for n, v in figures.items()}
    universe = Universe(dict.fromkeys(figures, "number"))
    exact = [
        r for r in _exact(usable, universe) if r.rule.id in failed or r.rule.id not in _broken(r, universe, values)
    ]
    involved = {n for r in exact for n in variables(r.satisfied)}
    exact += _exact({f"≥0 {n}": _not_negative(n) for n in sorted(involved & set(not_negative))}, universe)
    located = Localiser(exact, universe, {}).locate({n: v for n, v in values.items() if n in involved})
    if located.impossible or not located.complete or not 2 <= len(located.solutions) <= MOST_CHOICES:
        return ()
    return tuple(Choice(fields, _slips(fields, values, failed, identities, decimals)) for fields in located.solutions)


def _is_own(node: Node, figures: Mapping[str, Fraction | None]) -> bool:
    """Whether a rule asks only for figures of the record, and for blank ones only as zero."""
    as_zero = {id(c.arguments[0]) for c in walk(node) if isinstance(c, Call) and c.function == "nz"}
    names = [n for n in walk(node) if isinstance(n, Name)]
    return all(n.code in figures and not n.lag and (figures[n.code] is not None or id(n) in as_zero) for n in names)


def _not_negative(name: str) -> Node:
    return Binary(">=", Name(name), Number(Decimal(0)))


def _exact(rules: Mapping[str, Node], universe: Universe) -> list[ExactRule]:
    found = []
    for rule, node in rules.items():
        stated = TableRule(rule, to_text(node), node)
        try:
            found.append(ExactRule(stated, *meaning_of(stated, universe)))
        except NotExactError:
            continue
    return found


def _broken(rule: ExactRule, universe: Universe, values: Mapping[str, Fraction]) -> set[str]:
    return {r.rule.id for r in Localiser([rule], universe, {}).failing(values)}


def _slips(
    fields: tuple[str, ...], values: Mapping[str, Fraction], failed: Collection[str], identities: Sequence[Identity],
    decimals: Mapping[str, int],
) -> dict[str, str]:  # fmt: skip
    if len(fields) != 1:
        return {}
    (name,) = fields
    wanted = {i.solved_for(name, values) for i in identities if i.rule in failed and name in i.form.terms}
    value = wanted.pop() if len(wanted) == 1 else None
    if value is None:
        return {}
    change = recognised(name, values[name], value, decimals.get(name, 0))
    return {name: change.what} if change else {}
