"""Whether an acceptance needs two people 复核, as the rule of the house says it. Effects: ``pipelines.matters``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exports.display import figure
from pipelines.intake import Office
from pipelines.matters import what_matters
from warehouse.ledger.second_checks import FirstOpinion, bound_of, first_opinion
from warehouse.ledger.submissions import Submission


@dataclass(frozen=True)
class SecondCheck:
    """Whether a submission needs two people, and why. ``bound`` None: none is asked for in this park. ``effect`` None: it
    cannot be computed, or was not since the bound is 0. ``opinion``: that of the first of them, where it has been given."""

    needed: bool
    bound: Decimal | None
    effect: float | None
    unknown: int
    opinion: FirstOpinion | None

    @property
    def why(self) -> str:
        """For reviewers."""
        if not self.needed:
            return ""
        if self.bound == 0:
            return "按规定每份都须两人审核"
        if self.unknown:
            return f"有 {self.unknown} 处问题的影响无法估计,须两人审核"
        if self.effect is None:
            return "影响无法估计,须两人审核"
        return f"影响 {figure(self.effect, 2)} 不低于复核界限 {self.bound},须两人审核"


def second_check(
    office: Office, found: Submission, effects: Mapping[str, Mapping[str, Any]] | None = None
) -> SecondCheck:
    """What the rule asks for a submission that awaits a decision.

    ``effects``: number → row of ``Matters.submissions`` where it is known already. An effect that cannot be computed is
    not a small one: it needs two people wherever a bound is set.
    """
    with office.ledger.read() as session:
        bound, opinion = bound_of(session, found.number), first_opinion(session, found.number)
    if bound is None:
        return SecondCheck(False, None, None, 0, opinion)
    if bound == 0:
        return SecondCheck(True, bound, None, 0, opinion)
    if effects is None:
        effects = {row["number"]: row for row in what_matters(office, found.period).submissions.to_dicts()}
    row = effects.get(found.number, {})
    gap, unknown = row.get("gap"), int(row.get("unknown") or 0)
    if gap is None and row.get("absent"):
        unknown += 1
    effect = None if row.get("effect") is None else max(row["effect"], gap or 0.0)
    needed = effect is None or unknown > 0 or effect >= float(bound)
    return SecondCheck(needed, bound, effect, unknown, opinion)
