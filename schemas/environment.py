"""What an expression is evaluated against: period, variables, code lists, other years."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Generic, TypeVar

import polars as pl

from schemas.catalog import codelists_on, keyed_codelists_on
from schemas.classes import SizeRule, sections_by_division, size_rules
from schemas.expression import Node, parse
from schemas.model import Edition, Programme
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.roles import roles_of
from schemas.typed_expression import Typed, Variable, typed, variables_of

LAST_YEAR_OF_ORGANISATION_CODES = 2015
SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Environment:
    """Everything but the rows. ``environment_for`` fills it from a programme; tests fill in what they need.

    variables         code → what the language knows of it (``variables_of(edition)``)
    derivations       named expressions (``INNO``, ``HAMP(x)``)
    codelists         name → codes in force; an absent list leaves ``in_codelist`` undetermined
    keyed_codelists   name → key → codes, for ``in_codelist(x, 'name', key)``
    industries        division (two digits) → section letter
    hightech          industry class → high-tech class; sizes: the size table
    data              the period's observations: for ``in_roster`` and SUM, COUNT in rules of a sheet
    at                year → annual PeriodData, or None where that year is not on file (CUM, BASE, STAGE, CAGR)
    plan_start        first year of CUM; stage: first and last year of STAGE
    areas             area code → codes to look up in the context form, nearest first: itself, its city, its province
    area              the area a total without grouping stands for, for the same look-up
    size              the indicator that measures how large a unit is (``[roles] size``), empty where there is none
    organisation_codes  whether valid_uscc also takes an organisation code (before the credit code, to 2015)
    """

    period: Period
    variables: Mapping[str, Variable]
    derivations: Mapping[str, str] = field(default_factory=dict)
    codelists: Mapping[str, Collection[str]] = field(default_factory=dict)
    keyed_codelists: Mapping[str, Mapping[str, Collection[str]]] = field(default_factory=dict)
    industries: Mapping[str, str] = field(default_factory=dict)
    hightech: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[SizeRule, ...] = ()
    data: PeriodData | None = None
    at: Callable[[int], PeriodData | None] | None = None
    plan_start: int | None = None
    stage: tuple[int, int] | None = None
    areas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    area: str | None = None
    organisation_codes: bool = False
    size: str = ""
    _series: dict[str, pl.Series] = field(default_factory=dict, init=False, compare=False, repr=False)

    def typed(self, node: Node | str) -> Typed:
        """The typed operations of an expression (text or tree). Raises DefinitionError."""
        return _typed(
            parse(node) if isinstance(node, str) else node,
            Same(self.variables),
            tuple(self.derivations.items()),
        )

    def with_data(self, data: PeriodData) -> Environment:
        """The same environment on other observations, whose period it takes."""
        return replace(self, data=data, period=data.period)

    def codes(self, name: str) -> pl.Series | None:
        """A code list as a series, built once; None where the list was not supplied."""
        if name not in self.codelists:
            return None
        if name not in self._series:
            self._series[name] = pl.Series(list(self.codelists[name]), dtype=pl.String)
        return self._series[name]

    def keyed_codes(self, name: str) -> pl.Series | None:
        """A keyed code list as ``key ␟ code`` pairs, built once; None where the list was not supplied."""
        if name not in self.keyed_codelists:
            return None
        slot = f"{name}{SEPARATOR}"
        if slot not in self._series:
            pairs = [f"{key}{SEPARATOR}{code}" for key, codes in self.keyed_codelists[name].items() for code in codes]
            self._series[slot] = pl.Series(pairs, dtype=pl.String)
        return self._series[slot]


_Item = TypeVar("_Item")


class Same(Generic[_Item]):
    """An object that cannot be hashed, as a cache key: the same object, the same meaning. It is kept while cached."""

    def __init__(self, item: _Item) -> None:
        self.item = item

    def __hash__(self) -> int:
        return id(self.item)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.item is other.item


@lru_cache(maxsize=8192)
def _typed(node: Node, variables: Same[Mapping[str, Variable]], derivations: tuple[tuple[str, str], ...]) -> Typed:
    return typed(node, variables.item, dict(derivations))


@lru_cache(maxsize=32)
def _environment(programme: Same[Programme], edition: Same[Edition], period: Period) -> Environment:
    lists = {name: codelist.valid(period.end) for name, codelist in programme.item.codelists.items()}
    return Environment(
        period=period,
        variables=_variables(edition),
        derivations=edition.item.derivations,
        codelists=codelists_on(programme.item, period),
        keyed_codelists=keyed_codelists_on(programme.item, period),
        industries=sections_by_division(lists["gbt4754_class4"]),
        hightech=dict(lists["hightech_class"].select("code", "hightech_class").iter_rows()),
        sizes=size_rules(lists["size_class"]),
        organisation_codes=period.year <= LAST_YEAR_OF_ORGANISATION_CODES,
        size=roles_of(edition.item).size,
    )


@lru_cache(maxsize=32)
def _variables(edition: Same[Edition]) -> dict[str, Variable]:
    return variables_of(edition.item)


def environment_for(
    programme: Programme,
    period: Period,
    *,
    edition: Edition | None = None,
    units: pl.Series | None = None,
    data: PeriodData | None = None,
) -> Environment:
    """The environment of one period of a programme: its edition, and its code lists as in force on the last day.

    ``units``: codes of the unit register of the period; without them rules on ``unit_register`` stay undetermined.
    """
    edition = edition or programme.edition_for(period)
    shared = _environment(Same(programme), Same(edition), period)
    listed = (
        {**shared.codelists, "unit_register": frozenset(units.drop_nulls().to_list())}
        if units is not None
        else shared.codelists
    )
    return replace(shared, codelists=listed, data=data)
