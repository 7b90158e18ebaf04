"""Which annual figures are estimates: one definition of observation status E for index, evaluation, targets and contribution.

A figure is E where a formula reads enterprises of an area some of whose rows, in a year it reads, were put in for a unit that
did not answer or stand for others (a weight other than one); and where anything it is computed from is E. Source: SDMX code
list CL_OBS_STATUS; survey_system.md 2.1. Quarterly figures: docs/methods/monitoring.md (Exactness, weights, status); the
innovation tables, a survey with weights and stated errors, mark amounts that were put in (docs/methods/innovation.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from pipelines.methods.areas import Area
from schemas.environment import Environment
from schemas.expression import expand
from schemas.parser import parse
from schemas.period_data import ENTERPRISE, PeriodData
from schemas.syntax import Call, Name, Node, Number, children

NORMAL: Final = "A"
ESTIMATED: Final = "E"
PRELIMINARY: Final = "P"


def status_over(statuses: Iterable[str]) -> str:
    """The status of what is computed from figures of these: E before P before A."""
    found = set(statuses)
    return ESTIMATED if ESTIMATED in found else PRELIMINARY if PRELIMINARY in found else NORMAL


@dataclass(frozen=True)
class Places:
    """Parks and sub-parks some of whose enterprises are estimated or stand for others."""

    parks: frozenset[str] = frozenset()
    sub_parks: frozenset[str] = frozenset()

    def touch(self, area: Area) -> bool:
        """Whether some of them belong to the area."""
        return area.code in self.sub_parks if area.is_sub_park else not self.parks.isdisjoint(area.zones)


def places_with_estimates(data: PeriodData) -> Places:
    """Where a year's enterprises are not all their own; nowhere in data without weights."""
    frame = data.rosters.get(ENTERPRISE)
    if frame is None or not {"weight", "imputed"} <= set(frame.columns):
        return Places()
    filled = pl.col("imputed").fill_null(False) | (pl.col("weight").fill_null(1.0) != 1.0)
    some = frame.filter(filled)
    subs = some["sub_park"].drop_nulls().to_list() if "sub_park" in some.columns else []
    return Places(frozenset(some["park"].drop_nulls().to_list()), frozenset(subs))


@dataclass
class Estimates:
    """Answers which formulas rest on estimates; looks at every year's data once. ``at``: year → data, None if not on file."""

    at: Callable[[int], PeriodData | None]
    _places: dict[int, Places] = field(default_factory=dict)
    _years: dict[tuple[str, int, object], frozenset[int]] = field(default_factory=dict)

    def behind(self, formula: str, area: Area, year: int, env: Environment) -> bool:
        """Whether the value of ``formula`` for an area at the end of ``year`` is an estimate."""
        key = (formula, year, (env.plan_start, env.stage))
        if key not in self._years:
            self._years[key] = frozenset(years_read(formula, year, env))
        return any(self._in(y).touch(area) for y in self._years[key])

    def _in(self, year: int) -> Places:
        if year not in self._places:
            data = self.at(year)
            self._places[year] = Places() if data is None else places_with_estimates(data)
        return self._places[year]


def years_read(formula: str, year: int, env: Environment) -> Iterator[int]:
    """The years whose enterprises a formula reads; none where it reads sheets, projects or context only."""
    return _read(expand(parse(formula), env.derivations), (year,), year, env)


def _read(node: Node, years: tuple[int, ...], year: int, env: Environment) -> Iterator[int]:
    if isinstance(node, Name):
        known = env.variables.get(node.code)
        if known is not None and known.roster == ENTERPRISE:
            yield from years
        return
    below: list[tuple[Node, tuple[int, ...]]]
    match node:
        case Call(function="BASE", arguments=(inner, Number(value=base))):
            below = [(inner, (int(base),))]
        case Call(function="CAGR", arguments=(inner, Number(value=base))):
            below = [(inner, (int(base), year))]
        case Call(function="CUM", arguments=(inner, *_)):
            below = [(inner, tuple(range(env.plan_start or year, year + 1)))]
        case Call(function="STAGE" | "STAGE_DELTA", arguments=(inner, *_)) if env.stage is not None:
            first, last = env.stage[0], min(env.stage[1], year)
            below = [(inner, tuple(range(first, last + 1)) if node.function == "STAGE" else (first - 1, last))]
        case _:
            below = [(child, years) for child in children(node)]
    for child, of in below:
        yield from _read(child, of, year, env)
