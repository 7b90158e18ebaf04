"""The development index of a year from the population: chains, scores and coverage 发展指数."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.index_values import index_values
from pipelines.index_zeros import with_zeros
from pipelines.methods.areas import Area, areas_of
from pipelines.methods.index.cells import coverage_cells, score_cells
from pipelines.methods.index.chain_uncertainty import interval_cells
from pipelines.methods.index.development import AreaChain, development_chains
from pipelines.methods.monitoring import areas_present
from pipelines.methods.product import Product, composite_parts
from pipelines.population import Population
from schemas.marts import PART_COLUMNS, conform
from schemas.model import IndexSystem, Programme
from schemas.period import Period

TWO_YEARS = ("growth", "growth_uncapped", "contribution", "index")


@dataclass(frozen=True)
class IndexChains:
    """The development index of a year: the chain of every area, with the system, the areas and the parts of the values."""

    chains: Sequence[AreaChain]
    system: IndexSystem
    areas: Mapping[str, Area]
    parts: pl.DataFrame
    values: pl.DataFrame  # ``development.VALUE_COLUMNS``

    def again(self, values: pl.DataFrame) -> Sequence[AreaChain]:
        """The chains of the same areas by the same system on other values."""
        return _chains(values, self.system, self.areas)


def _chains(values: pl.DataFrame, system: IndexSystem, areas: Mapping[str, Area]) -> Sequence[AreaChain]:
    subs = {a.code for a in areas.values() if a.is_sub_park}
    splice = {s: areas[s].zone for s in subs if s in set(values["area"].to_list())}
    return development_chains(values, system, sub_parks=subs, splice=splice)


def index_chains(population: Population, programme: Programme, period: Period) -> IndexChains:
    """The chains of every area that takes part up to the year of ``period``, with those of its sub-parks."""
    system = population.edition(period).indexes["development"]
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    chosen = areas_present(population.of(period), programme)
    chosen += [a.code for a in areas.values() if a.is_sub_park and a.zone in chosen]
    values, parts = index_values(population, system, areas, chosen, period.year)
    values = with_zeros(values, population, system, areas, chosen, period.year)
    return IndexChains(_chains(values, system, areas), system, areas, parts, values)


def index_marts(population: Population, programme: Programme, period: Period) -> dict[str, Product]:
    """Cells and parts of ``index_scores`` and ``index_coverage``."""
    found = index_chains(population, programme, period)
    chains, system, areas, parts = found.chains, found.system, found.areas, found.parts
    names = {a.code: a.short_name or a.name for a in areas.values()}
    scores = pl.concat(
        [score_cells(chains, system, names), interval_cells(chains, system, names)], how="diagonal_relaxed"
    )
    scores, coverage = conform(scores), coverage_cells(chains, system, names)
    return {
        "index_scores": Product(scores, _index_parts(scores, parts)),
        "index_coverage": Product(coverage, composite_parts(coverage)),
    }


def _index_parts(cells: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """An indicator's value carries the parts of its year; growth, contribution and level those of the year before too."""
    if parts.is_empty():
        return composite_parts(cells)
    keyed = cells.select("row_key", "area", "indicator", "measure", year=pl.col("period").cast(pl.Int64, strict=False))
    own = keyed.join(parts, on=["area", "indicator", "year"], how="inner")
    before = (
        keyed.filter(pl.col("measure").is_in(TWO_YEARS))
        .with_columns(pl.col("year") - 1)
        .join(parts, on=["area", "indicator", "year"], how="inner")
        .with_columns(role=pl.lit("base"))
    )
    found = pl.concat([f.select(pl.col(c).cast(t) for c, t in PART_COLUMNS.items()) for f in (own, before)])
    rest = composite_parts(cells.join(found.select("row_key").unique(), on="row_key", how="anti"))
    return pl.concat([found, rest]).unique().sort("row_key", "role", "part")
