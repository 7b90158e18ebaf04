"""What an area's figure needs: the sums and counts to take, and over which units both sides of a ratio run.

Source: survey_system.md 8.4, 同单位规则. In a division with sums over the same roster on both sides, both sides run over
the units for which every indicator used on either side is known; the outermost such division governs those inside it.
Under ``nz(…)`` the author has said that a blank counts as zero, so nothing is asked of the unit there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from schemas.errors import DefinitionError
from schemas.typed_expression import (
    BOOLEAN,
    FLOAT,
    ROSTER_AGGREGATES,
    YEAR_FUNCTIONS,
    Family,
    Kind,
    Typed,
    require_aggregate_level,
)

_BLANK_IS_FINE = frozenset({"nz", "isnull", "notnull"})


@dataclass(frozen=True)
class Part:
    """One SUM or COUNT of an expression. ``common``: the sums whose operands a unit must have for it to take part."""

    node: Typed
    common: tuple[Typed, ...]
    column: str

    @property
    def roster(self) -> str:
        """The frame it runs over."""
        return self.node.roster

    @property
    def value(self) -> Typed | None:
        """What is added up; None for a count."""
        return self.node.args[0] if self.node.op == "SUM" else None

    @property
    def condition(self) -> Typed | None:
        """Which rows take part, besides the common units."""
        conditions = self.node.args if self.node.op == "COUNT" else self.node.args[1:]
        return conditions[0] if conditions else None


@dataclass(frozen=True)
class Ratio:
    """A division under the same-unit rule: the sums of its denominator, and what makes a unit common."""

    roster: str
    denominators: tuple[Typed, ...]
    common: tuple[Typed, ...]


@dataclass(frozen=True)
class Special:
    """A COUNT_PARK or a function over years, whose value comes from another evaluation."""

    node: Typed
    column: str


@dataclass
class Plan:
    """Everything several expressions need of one period, each part once.

    ``uses``: expression → its parts' columns. ``users``: a special's column → the expressions that read it.
    """

    weighted: bool = False
    parts: dict[tuple[str, ...], Part] = field(default_factory=dict)
    specials: dict[str, Special] = field(default_factory=dict)
    expressions: dict[str, Typed] = field(default_factory=dict)
    uses: dict[str, list[str]] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    ratios: dict[str, list[Ratio]] = field(default_factory=dict)

    def add(self, name: str, expression: Typed) -> None:
        """Plan one expression under ``name``. Raises DefinitionError if it cannot be asked of an area."""
        require_aggregate_level(expression, name)
        if any(e.op == "context" and e.value == "answer_status" for e in _outside_aggregates(expression)):
            raise DefinitionError(f"{name}:区域没有回答状态", remedy="answer_status 只能用在 SUM、COUNT 之内。")
        self.uses[name], self.ratios[name] = [], []
        self.expressions[name] = self._planned(name, expression, {})

    def _planned(self, name: str, node: Typed, masks: Mapping[str, tuple[Typed, ...]]) -> Typed:
        if node.op in ROSTER_AGGREGATES:
            return self._part(name, node, masks.get(node.roster, ()))
        if node.op == "COUNT_PARK" or node.op in YEAR_FUNCTIONS:
            special = self.specials.setdefault(node.text, Special(node, f"#s{len(self.specials)}"))
            users = self.users.setdefault(special.column, [])
            if name not in users:
                users.append(name)
            kind = FLOAT if node.op != "COUNT_PARK" else node.kind
            return Typed("column", kind, value=(special.column, ""))
        if node.op == "div":
            masks = {**self._masks(name, node, masks), **masks}
        return _retyped(node, tuple(self._planned(name, arg, masks) for arg in node.args))

    def _part(self, name: str, node: Typed, common: tuple[Typed, ...]) -> Typed:
        key = (node.text, *(c.text for c in common))
        part = self.parts.setdefault(key, Part(node, common, f"#p{len(self.parts)}"))
        if part.column not in self.uses[name]:
            self.uses[name].append(part.column)
        return Typed("column", FLOAT if self.weighted else node.kind, value=(part.column, ""))

    def _masks(self, name: str, node: Typed, above: Mapping[str, tuple[Typed, ...]]) -> dict[str, tuple[Typed, ...]]:
        numerator, denominator = ({a.roster for a in _aggregates(side)} for side in node.args)
        found: dict[str, tuple[Typed, ...]] = {}
        for roster in sorted((numerator & denominator) - above.keys()):
            sums = {a.text: a for a in _needed(node) if a.op == "SUM" and a.roster == roster}
            if sums:
                found[roster] = tuple(sums[text] for text in sorted(sums))
                below = tuple(a for a in _needed(node.args[1]) if a.roster == roster)
                self.ratios[name].append(Ratio(roster, below, found[roster]))
        return found


def _aggregates(node: Typed) -> Iterator[Typed]:
    """SUM and COUNT of this period and area: not those inside COUNT_PARK or other years."""
    if node.op in ROSTER_AGGREGATES:
        yield node
    elif node.op != "COUNT_PARK" and node.op not in YEAR_FUNCTIONS:
        for arg in node.args:
            yield from _aggregates(arg)


def _needed(node: Typed) -> Iterator[Typed]:
    """As ``_aggregates``, without those whose blank counts as zero."""
    if node.op in ROSTER_AGGREGATES:
        yield node
    elif node.op != "COUNT_PARK" and node.op not in YEAR_FUNCTIONS | _BLANK_IS_FINE:
        for arg in node.args:
            yield from _needed(arg)


def _outside_aggregates(node: Typed) -> Iterator[Typed]:
    if node.op not in ROSTER_AGGREGATES:
        yield node
        for arg in node.args:
            yield from _outside_aggregates(arg)


def _retyped(node: Typed, args: tuple[Typed, ...]) -> Typed:
    """The operation on its planned operands: weighted sums are Float64 where plain ones were exact."""
    if any(a.kind == FLOAT for a in args) and all(a.kind.is_number for a in args):
        if node.op == "float":
            return args[0]
        kind = node.kind if node.kind == BOOLEAN else FLOAT
        return replace(node, kind=kind, args=tuple(a if a.kind == FLOAT else Typed("float", FLOAT, (a,)) for a in args))
    return replace(node, args=args)


def result_kind(expression: Typed) -> Kind:
    """The kind of a figure of an area: Boolean, or Float64 for every number."""
    return expression.kind if expression.kind.family in (Family.BOOLEAN, Family.TEXT, Family.DATE) else FLOAT
