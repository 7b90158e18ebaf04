"""What may be proposed for a record whose accounting identities fail: the slip that explains it, else the one figure it can be.

Pure. Only identities take part (a hard rule |Σ a·x + c| ≤ tolerance); a value comes from the record's own cells or not at
all, and only where every explanation equally good agrees on it. Nothing is applied. Red lines: design section 5, issue 3 §4.
Method: docs/methods/error-localisation.md, section on proposals to parks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipelines.methods.identities import Identity
from pipelines.methods.rules_audit_logic import Form
from pipelines.methods.slips import Slip, failing, figure_text, sign_slips, typing_slips, unit_slips
from schemas.syntax import Binary, Call, Logic, Name, Node, Number, Unary

DEDUCED = "deduced"
Figures = Mapping[str, Fraction]


@dataclass(frozen=True)
class Proposed:
    """One field with the value under which the failing identities hold; ``rules`` are those identities."""

    field: str
    value: Fraction
    kind: str
    reason: str
    rules: tuple[str, ...]


def identity_in(rule: str, node: Node, blank: frozenset[str]) -> Identity | None:
    """The identity a rule states for a record in which the codes ``blank`` are not reported; None where it states none.

    Known shapes: ``abs(linear) <= number``, and the same as the last alternative of an ``or``. ``nz(x)`` of a blank is zero.
    """
    if isinstance(node, Logic) and node.op == "or":
        node = node.operands[-1]
    if not (isinstance(node, Binary) and node.op in ("<=", "==") and isinstance(node.right, Number)):
        return None
    left, bound = node.left, Fraction(node.right.value)
    if node.op == "<=" and not (isinstance(left, Call) and left.function == "abs" and len(left.arguments) == 1):
        return None
    inside = left.arguments[0] if isinstance(left, Call) and left.function == "abs" else left
    form = _linear(inside, blank)
    if form is None or len(form.terms) < 2:
        return None
    return Identity(rule, form.plus(Form({}, -bound)) if node.op == "==" else form, bound if node.op == "<=" else Fraction(0))  # fmt: skip


def _linear(node: Node, blank: frozenset[str]) -> Form | None:
    match node:
        case Number(value=value):
            return Form({}, Fraction(value))
        case Name(code=code, lag="") if code[:1].isupper():
            return Form({code: Fraction(1)})
        case Call(function="nz", arguments=(Name(code=code, lag=""),)):
            return Form({}) if code in blank else Form({code: Fraction(1)})
        case Unary(op="-", operand=inner):
            form = _linear(inner, blank)
            return form.times(Fraction(-1)) if form else None
        case Binary(op=op, left=left, right=right) if op in ("+", "-", "*"):
            first, second = _linear(left, blank), _linear(right, blank)
            if first is None or second is None:
                return None
            if op != "*":
                return first.plus(second, Fraction(1 if op == "+" else -1))
            if first.is_constant:
                return second.times(first.constant)
            return first.times(second.constant) if second.is_constant else None
    return None


def proposals(
    identities: Sequence[Identity],
    figures: Figures,
    decimals: Mapping[str, int],
    acceptable: Callable[[Figures], bool] = lambda figures: True,
) -> tuple[Proposed, ...]:
    """The proposals for one record; empty where the identities do not tell which figure is wrong, or what it was.

    A slip counts only if every failing identity then holds exactly. Of several equally short explanations only what all of
    them agree on is proposed. Without a slip a figure is proposed only if it is the single one that all failing identities
    and no sound one contain.
    """
    broken = failing(identities, figures)
    if not broken:
        return ()

    def sound(after: Figures) -> bool:
        whole = {**figures, **after}
        return acceptable(whole) and not failing(identities, whole)

    found = [
        *sign_slips(identities, figures, actions=1, acceptable=acceptable),
        *typing_slips(identities, figures, decimals, acceptable=acceptable),
        *unit_slips(identities, figures, decimals),
    ]
    complete = [s for s in found if sound({c.field: c.value for c in s.changes}) and _is_exact(s, broken, figures)]
    rules = tuple(i.rule for i in broken)
    if complete:
        return _agreed(complete, rules)
    return _deduced(identities, broken, figures, decimals, sound, rules)


def _is_exact(slip: Slip, broken: Sequence[Identity], figures: Figures) -> bool:
    """Whether the failing identities then hold to the last digit: within their tolerance much would pass for a slip."""
    after = {**figures, **{c.field: c.value for c in slip.changes}}
    rounded = slip.kind == "magnitude" and len(slip.changes) > 1
    return all(rounded or not i.gap(after) for i in broken)


def _agreed(slips: Sequence[Slip], rules: tuple[str, ...]) -> tuple[Proposed, ...]:
    fewest = min(s.actions for s in slips)
    best = {frozenset((c.field, c.value) for c in s.changes): s for s in slips if s.actions == fewest}
    common = frozenset.intersection(*best)
    chosen = next(iter(best.values()))
    return tuple(
        Proposed(c.field, c.value, c.kind, c.what, rules) for c in chosen.changes if (c.field, c.value) in common
    )


def _deduced(
    identities: Sequence[Identity],
    broken: Sequence[Identity],
    figures: Figures,
    decimals: Mapping[str, int],
    sound: Callable[[Figures], bool],
    rules: tuple[str, ...],
) -> tuple[Proposed, ...]:
    held = {n for i in identities if i not in broken and i.gap(figures) is not None for n in i.form.terms}
    common = set.intersection(*(set(i.form.terms) for i in broken)) - held
    if len(common) != 1:
        return ()
    (name,) = common
    wanted = {i.solved_for(name, figures) for i in broken}
    if len(wanted) != 1:
        return ()
    value = wanted.pop()
    if value is None or figure_text(value, decimals.get(name, 0)) is None or not sound({name: value}):
        return ()
    return (Proposed(name, value, DEDUCED, "其余各项都符合别的审核关系,只有这一项对不上", rules),)
