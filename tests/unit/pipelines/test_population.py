"""The population at the edges of what is on file."""

from __future__ import annotations

import duckdb
import pytest

from pipelines.population import Population
from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.period import Period
from warehouse import facts

BEFORE = Period(2012, 4)


def test_before_the_first_edition_there_is_nothing_and_the_first_periods_can_be_computed() -> None:
    of = programme()
    with pytest.raises(DefinitionError, match="2012-Q4"):
        of.edition_for(BEFORE)
    with duckdb.connect() as con:
        facts.create(con, of)
        population = Population(con, of)
        assert not population.has(BEFORE) and population.at(2012) is None
        for first in (Period(2013, 1), Period(2013)):  # they look a year back
            assert not population.has(first)
            assert population.of(first).rosters["enterprise"].is_empty()
