"""What is proposed for one record that breaks hard rules: the slip that explains it, else the fewest fields that must be wrong.

Nothing is applied. A value is proposed only where a recognised slip gives it or the identities of the record fix it from the
fields that stay, and only if the record then breaks no rule it did not break before. Where several explanations are equally
good, what they agree on is proposed and the rest is 须核实, with all of them as alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from pipelines.methods.error_localisation import Localisation, Localiser, Value, known_as
from pipelines.methods.identities import Identity, fixed_values
from pipelines.methods.rules_audit import ExactRule
from pipelines.methods.rules_audit_logic import TRUE
from pipelines.methods.slips import (
    Slip,
    distance,
    figure_text,
    rounding_slips,
    sign_slips,
    together,
    typing_slips,
    unit_slips,
)
from schemas.rule_file import Correction

VERIFY = "须核实"
LOCALISED, DEDUCED = "localised", "deduced"
MAX_DEPTH = 3


@dataclass(frozen=True)
class Solution:
    """Fields that can be wrong together, and the values the identities then fix; the others are absent."""

    fields: tuple[str, ...]
    values: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """One field of one record. ``value`` None: to be verified. ``kind``: the slip, ``deduced`` or ``localised``."""

    field: str
    value: Fraction | None
    kind: str
    reason: str


@dataclass(frozen=True)
class Correctable:
    """What is proposed for a record, and everything that was considered.

    ``alternatives`` are the other equally cheap solutions and the other slips, in Chinese.
    """

    broken: tuple[str, ...]
    proposals: tuple[Proposal, ...]
    slips: tuple[Slip, ...]
    solutions: tuple[Solution, ...]
    weight: Decimal
    complete: bool
    impossible: bool
    alternatives: tuple[str, ...]


@dataclass(frozen=True)
class Corrector:
    """Everything but the record."""

    localiser: Localiser
    identities: tuple[tuple[Identity, ExactRule], ...]
    decimals: Mapping[str, int]
    options: Correction

    def correct(self, values: Mapping[str, Value], depth: int = 0) -> Correctable | None:
        """The proposals for a record, or None where nothing is wrong with it. ``values`` holds the filled fields."""
        broken = tuple(r.rule.id for r in self.localiser.failing(values))
        located = self.localiser.locate(values)
        if not broken and located.solutions == ((),):
            return None
        slips = self.slips(values, broken)
        solutions = self.ranked(self.solved(values, located), values, broken)
        proposals, alternatives = self.proposed(values, slips, solutions, depth)
        return Correctable(
            broken, proposals, slips, solutions, located.weight, located.complete, located.impossible, alternatives
        )

    def active(self, values: Mapping[str, Value]) -> list[Identity]:
        """The identities that apply to a record."""
        return [i for i, rule in self.identities if known_as(rule.applies.true, values) == TRUE]

    # ── slips ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def slips(self, values: Mapping[str, Value], broken: Sequence[str]) -> tuple[Slip, ...]:
        """Every slip that explains something, the most likely first."""
        # Days are numbers for the solver, but no figures to lose a sign or a digit.
        figures = {
            n: v
            for n, v in values.items()
            if isinstance(v, Fraction) and self.localiser.universe.kinds.get(n) == "number"
        }
        identities = self.active(values)
        options = self.options
        fixate = options.fixate | self.localiser.untouched
        slack = Fraction(options.rounding)

        def conflicts(after: Mapping[str, Fraction]) -> frozenset[str]:
            new = [r for r in self.localiser.failing({**values, **after}) if r.rule.id not in broken]
            return frozenset(n for r in new for n in self.localiser.fields[r.rule.id])

        def acceptable(after: Mapping[str, Fraction]) -> bool:
            return not conflicts(after)

        flips = [n for n in (options.sign if options.sign is not None else figures) if n not in fixate]
        swaps = options.swap
        found = [
            *sign_slips(
                identities,
                figures,
                flips=flips,
                swaps=swaps,
                slack=slack,
                actions=options.actions,
                acceptable=acceptable,
            ),
            *typing_slips(
                identities, figures, self.decimals, fixate=fixate, typos=options.typos, acceptable=acceptable
            ),
            *unit_slips(identities, figures, self.decimals, fixate=fixate, conflicts=conflicts),
            *rounding_slips(identities, figures, self.decimals, slack=slack, fixate=fixate, acceptable=acceptable),
        ]
        kept: dict[frozenset[tuple[str, Fraction]], Slip] = {}
        for slip in [*found, *together(found)]:
            after = {c.field: c.value for c in slip.changes}
            if not after.keys() & fixate and acceptable(after):
                left = self.localiser.failing({**values, **after})
                whole = replace(slip, complete=not left)
                kept.setdefault(frozenset((c.field, c.value) for c in slip.changes), whole)
        return tuple(sorted(kept.values(), key=_rank))

    # ── fields ────────────────────────────────────────────────────────────────────────────────────────────────────
    def solved(self, values: Mapping[str, Value], located: Localisation) -> list[Solution]:
        """The located sets of fields with the values that identities fix."""
        figures = {n: v for n, v in values.items() if isinstance(v, Fraction)}
        identities = self.active(values)
        blanks = [n for i in identities for n in i.form.terms if n not in values]
        found = []
        for fields in located.solutions:
            kept = {n: v for n, v in figures.items() if n not in fields}
            unknown = list(dict.fromkeys([*fields, *blanks]))
            fixed = fixed_values(identities, kept, unknown)
            usable = {
                n: v for n, v in fixed.items() if n in fields and figure_text(v, self.decimals.get(n, 0)) is not None
            }
            rest = {n: v for n, v in values.items() if n not in fields}
            if usable and not self.localiser.allows({**rest, **usable}):
                usable = {}
            found.append(Solution(fields, usable))
        return found

    def ranked(
        self, solutions: Sequence[Solution], values: Mapping[str, Value], broken: Sequence[str]
    ) -> tuple[Solution, ...]:
        """Fewest fields first, then the more plausible: values close to what is written, fields of many broken rules."""
        failing = [self.localiser.fields[r] for r in broken]
        sound = [f for r, f in self.localiser.fields.items() if r not in broken]

        def likelihood(solution: Solution) -> tuple[int, int, int, int]:
            apart = 0
            for name in solution.fields:
                written = values.get(name)
                decimals = self.decimals.get(name, 0)
                texts = [
                    figure_text(v, decimals) for v in (written, solution.values.get(name)) if isinstance(v, Fraction)
                ]
                apart += distance(texts[0] or "", texts[1] or "") if len(texts) == 2 else 9
            hit = sum(1 for f in failing if f & set(solution.fields))
            spared = sum(1 for f in sound if f & set(solution.fields))
            return len(solution.fields), apart, -hit, spared

        return tuple(sorted(solutions, key=likelihood))

    # ── proposals ─────────────────────────────────────────────────────────────────────────────────────────────────
    def proposed(
        self, values: Mapping[str, Value], slips: Sequence[Slip], solutions: Sequence[Solution], depth: int = 0
    ) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
        """The proposals and, in words, the other explanations."""
        if slips:
            return self._by_slip(values, slips, solutions, depth)
        if not solutions:
            return (), ()
        best, *others = solutions
        alternatives = tuple(self._solution_text(s) for s in others)
        sure = not others
        proposals = []
        for name in best.fields:
            value = best.values.get(name) if sure else None
            reason = "由恒等式和其余各项唯一确定" if value is not None else "改动最少的字段"
            if not sure:
                reason = f"改动最少的字段之一,另有 {len(others)} 种同样少的改法"
            proposals.append(Proposal(name, value, DEDUCED if value is not None else LOCALISED, reason))
        if not sure and best.values:
            alternatives = (self._solution_text(best), *alternatives)
        return tuple(proposals), alternatives

    def _by_slip(
        self, values: Mapping[str, Value], slips: Sequence[Slip], solutions: Sequence[Solution], depth: int = 0
    ) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
        first = slips[0]
        rivals = [s for s in slips if _rank(s) == _rank(first)]
        agreed = [c for c in first.changes if all(c in s.changes for s in rivals)]
        doubtful = [c for s in rivals for c in s.changes if c not in agreed]
        proposals = [Proposal(c.field, c.value, c.kind, c.what) for c in agreed]
        for change in {c.field: c for c in doubtful}.values():
            if change.field not in {p.field for p in proposals}:
                proposals.append(Proposal(change.field, None, change.kind, "几种差错都说得通"))
        chosen = set() if len(rivals) > 1 else {(c.field, c.value) for c in first.changes}
        alternatives = [
            _slip_text(s, self.decimals) for s in slips if not {(c.field, c.value) for c in s.changes} <= chosen
        ]
        if agreed and not doubtful and not first.complete and depth < MAX_DEPTH:
            more = self.correct({**values, **{c.field: c.value for c in agreed}}, depth + 1)
            for other in more.proposals if more else ():
                if other.field not in {p.field for p in proposals}:
                    proposals.append(_after_slip(other))
            alternatives += more.alternatives if more else ()
        alternatives += [self._solution_text(s) for s in solutions if not _same(s, first)]
        return tuple(proposals), tuple(dict.fromkeys(alternatives))

    def _solution_text(self, solution: Solution) -> str:
        parts = []
        for name in solution.fields:
            value = solution.values.get(name)
            parts.append(name if value is None else f"{name} 应为 {figure_text(value, self.decimals.get(name, 0))}")
        return "若错在 " + "、".join(parts)


def _after_slip(proposal: Proposal) -> Proposal:
    """What is left to do after a slip that explains only part: a value that hangs on a guess is not proposed."""
    if proposal.kind != DEDUCED:
        return proposal
    return Proposal(proposal.field, None, LOCALISED, "上述差错改正后仍须改动的字段")


def _rank(slip: Slip) -> tuple[bool, int, int]:
    """The best slip first: all rules hold again, most identities resolved, fewest things gone wrong."""
    return not slip.complete, -len(slip.resolves), slip.actions


def _same(solution: Solution, slip: Slip) -> bool:
    return {c.field: c.value for c in slip.changes} == dict(solution.values) and len(solution.fields) == len(
        slip.changes
    )


def _slip_text(slip: Slip, decimals: Mapping[str, int]) -> str:
    return "、".join(f"{c.field} {c.what}(应为 {figure_text(c.value, decimals.get(c.field, 0))})" for c in slip.changes)
