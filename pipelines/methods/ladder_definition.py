"""The ladder of praise and warning 等级与处置 as data: rungs, triggers, upgrade conditions, cycles. Format: docs/formats/ladder.schema.json."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.definitions import Definition
from schemas.errors import DefinitionError

Fact = float | str
Facts = Mapping[int, Mapping[str, Fact]]  # year → fact → value; a fact that is not there is unknown
OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
}  # fmt: skip
TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class Condition:
    """One comparison of a fact with a bound."""

    fact: str
    op: str
    value: Fact

    def holds(self, found: Fact | None) -> bool | None:
        """True, False, or None where the fact is unknown. Numbers closer than a rounding are equal."""
        if found is None:
            return None
        if isinstance(found, str) or isinstance(self.value, str):
            return OPERATORS[self.op](str(found), str(self.value))
        if abs(found - self.value) <= TOLERANCE:
            return self.op in ("<=", ">=", "==")
        return OPERATORS[self.op](found, self.value)


@dataclass(frozen=True)
class Rung:
    """One rung; the fields are explained in the definition file."""

    id: str
    name: str
    level: int
    to: tuple[str, ...]
    escalate: str
    recover: str
    recovery_years: int
    term_months: int
    requires_tasks: bool
    overdue: str
    city: bool


@dataclass(frozen=True)
class Criterion:
    """Conditions that must all hold in each of the last ``years`` years; ``proposes`` is empty for an upgrade condition."""

    id: str
    name: str
    conditions: tuple[Condition, ...]
    years: int
    proposes: str = ""

    def outcome(self, facts: Facts, year: int) -> bool | None:
        """Kleene logic over conditions and years: one that fails settles it, else one unknown leaves it open."""
        found = [
            c.holds(facts.get(y, {}).get(c.fact))
            for y in range(year - self.years + 1, year + 1)
            for c in self.conditions
        ]
        return False if False in found else None if None in found else True


@dataclass(frozen=True)
class Cycle:
    """Years between two evaluations of a kind of subject, and how often one who did well may be left out."""

    subject: str
    name: str
    years: int
    exemptions: int

    def is_due(self, last: int | None, year: int, exempted: int = 0) -> bool:
        """Whether an evaluation is due in ``year``, the last one having been in ``last``; each exemption used adds a cycle."""
        return last is None or year >= last + self.years * (1 + min(exempted, self.exemptions))


@dataclass(frozen=True)
class Ladder:
    """A checked ladder. ``rungs`` from the best to the worst."""

    title: str
    version: str
    source: str
    roles: tuple[str, ...]
    appeal_days: int
    rungs: tuple[Rung, ...]
    triggers: tuple[Criterion, ...]
    upgrades: tuple[Criterion, ...]
    figures: Mapping[str, str]
    cycles: tuple[Cycle, ...]

    def rung(self, name: str) -> Rung:
        """A rung by id or printed name. Raises DefinitionError for an unknown one."""
        for one in self.rungs:
            if name in (one.id, one.name):
                return one
        known = "、".join(f"{r.id}({r.name})" for r in self.rungs)
        raise DefinitionError(f"没有等级“{name}”", remedy=f"可用:{known}。")

    @property
    def normal(self) -> Rung:
        """Where a park stands of which nothing was ever decided."""
        return next(r for r in self.rungs if r.level == 0)

    @property
    def years(self) -> int:
        """How many years of facts some test looks at, counting changes against the year before."""
        return max([t.years for t in (*self.triggers, *self.upgrades)] + [r.recovery_years for r in self.rungs])


def parse_ladder(definition: Definition) -> Ladder:
    """The ladder of a definition file. Raises DefinitionError with place and remedy."""
    data = definition.data
    rungs = tuple(
        sorted(
            (
                Rung(
                    r["id"], r["name"], int(r["level"]), tuple(r["to"]), r.get("escalate", ""), r.get("recover", ""),
                    int(r.get("recovery_years", 1)), int(r.get("term_months", 0)), bool(r.get("requires_tasks", False)),
                    r.get("overdue", ""), bool(r.get("city", False)),
                )
                for r in data["rung"]
            ),
            key=lambda r: -r.level,
        )
    )  # fmt: skip
    ladder = Ladder(
        title=data["title"],
        version=str(data.get("version", "1")),
        source=data.get("source", ""),
        roles=tuple(data["decision"]["roles"]),
        appeal_days=int(data["decision"]["appeal_days"]),
        rungs=rungs,
        triggers=tuple(_test(t) for t in data.get("trigger", ())),
        upgrades=tuple(_test(t) for t in data.get("upgrade", ())),
        figures={f["id"]: f["formula"] for f in data.get("figure", ())},
        cycles=tuple(
            Cycle(c["subject"], c["name"], int(c["years"]), int(c.get("exemptions", 0))) for c in data.get("cycle", ())
        ),
    )
    _check(ladder, definition)
    return ladder


def _test(entry: Mapping[str, Any]) -> Criterion:
    conditions = tuple(
        Condition(c["fact"], c["op"], c["value"] if isinstance(c["value"], str) else float(c["value"]))
        for c in entry["all"]
    )
    return Criterion(entry["id"], entry["name"], conditions, int(entry.get("years", 1)), entry.get("proposes", ""))


def _check(ladder: Ladder, definition: Definition) -> None:
    ids = [r.id for r in ladder.rungs]
    levels = [r.level for r in ladder.rungs]
    place = definition.line_of("title", ladder.title)
    if len(set(ids)) < len(ids) or len(set(levels)) < len(levels) or 0 not in levels:
        raise DefinitionError("等级的代码与高低须各不相同,且有一级为 0", where=place, remedy="请改 [[rung]]。")
    for rung in ladder.rungs:
        named: Sequence[str] = [*rung.to, *filter(None, (rung.escalate, rung.recover, rung.overdue))]
        if unknown := sorted(set(named) - set(ids)):
            raise DefinitionError(
                f"等级 {rung.id} 提到不存在的 {'、'.join(unknown)}", where=definition.line_of("id", rung.id)
            )
        proposed = {rung.escalate, rung.recover, rung.overdue} - {""}
        if lost := sorted(proposed - set(rung.to)):
            raise DefinitionError(
                f"等级 {rung.id} 建议去 {'、'.join(lost)},但 to 不允许",
                where=definition.line_of("id", rung.id),
                remedy="请补入 to。",
            )
    for trigger in ladder.triggers:
        if trigger.proposes not in ids:
            raise DefinitionError(f"触发条件 {trigger.id} 的等级不存在", where=definition.line_of("id", trigger.id))
