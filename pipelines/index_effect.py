"""What a figure in question does to the development index of its park: the index with it less the index with its prediction.

For annual rounds and province roles only. The index is computed as it would be if what awaits a decision were accepted, once as
reported and once for each of the weightiest cases with the prediction in its place; nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from pipelines.index_production import index_chains
from pipelines.inputs import Inputs, register_frames
from pipelines.intake import Office
from pipelines.loading import load_listed
from pipelines.matters import Matters
from pipelines.methods.index.parts import years_needed
from pipelines.population import Population
from schemas.errors import RefusalError
from schemas.model import Edition
from schemas.observations import ENTERPRISE_ROSTER
from schemas.period import Period
from schemas.period_data import PARK, PeriodData
from warehouse import facts
from warehouse.ledger.states import State
from warehouse.ledger.submissions import in_force, latest_reported

MOST = 10
ANSWERED = "0"
COLUMNS = {
    "park": pl.String, "unit_id": pl.String, "is_missing": pl.Boolean, "codes": pl.String, "index": pl.Float64,
    "index_predicted": pl.Float64, "index_effect": pl.Float64,
}  # fmt: skip


@dataclass
class Altered(Population):
    """A population in which one period is changed; the others are those of ``base``, read once for all."""

    base: Population | None = None
    target: Period | None = None
    change: Callable[[PeriodData], PeriodData] = lambda data: data

    def bare(self, period: Period) -> PeriodData:
        """The figures of one period, the target's changed."""
        assert self.base is not None
        if period != self.target:
            return self.base.bare(period)
        return self.once(("bare", period), lambda: self.change(self.base.bare(period)))  # type: ignore[union-attr]

    def of(self, period: Period) -> PeriodData:
        """Everything of a period."""
        assert self.base is not None
        return super().of(period) if period == self.target else self.base.of(period)


def index_effects(office: Office, matters: Matters, most: int = MOST) -> pl.DataFrame:
    """``COLUMNS``: of the ``most`` weightiest units in question and missing units, by the size of the effect on their park's index.

    A unit's figures in question are replaced together; a missing unit is put in with its predicted figures. Effect null
    where the index of the park is withheld. Raises RefusalError for a quarter: the index is annual.
    """
    period = matters.period
    if period.round != "A":
        raise RefusalError(f"发展指数按年计算,{period} 是季报,没有对指数的影响。")
    edition = office.programme.edition_for(period)
    with facts.in_memory() as con:
        population = _as_if_accepted(office, con, edition, period)
        reported = _levels(population, office, period)
        rows = [
            _row(office, population, period, edition, matters.effects, key, reported) for key in _weightiest(matters, most)
        ]  # fmt: skip
    found = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    return found.sort(pl.col("index_effect").abs(), "unit_id", descending=[True, False], nulls_last=True)


def _weightiest(matters: Matters, most: int) -> list[tuple[str, str, bool]]:
    """(park, unit, is missing) by the largest effect on total and growth."""
    scored = matters.effects.filter(pl.col("predicted").is_not_null()).with_columns(
        size=pl.max_horizontal(pl.col("total_pct").abs(), pl.col("growth_points").abs())
    )
    units = scored.group_by("park", "unit_id", "is_missing", maintain_order=True).agg(pl.col("size").max())
    return list(
        units.sort("size", "unit_id", descending=[True, False], nulls_last=True)
        .head(most)
        .select("park", "unit_id", "is_missing")
        .iter_rows()
    )


def _row(
    office: Office, population: Population, period: Period, edition: Edition, effects: pl.DataFrame, key: tuple[str, str, bool],
    reported: dict[str, float],
) -> tuple[object, ...]:  # fmt: skip
    park, unit, is_missing = key
    own = effects.filter(park=park, unit_id=unit, is_missing=is_missing).drop_nulls("predicted")
    values = dict(own.select("code", "predicted").iter_rows())
    altered = Altered(
        population.con, population.programme, population.source, population.as_of, population.register,
        base=population, target=period, change=lambda data: with_figures(data, edition, unit, values, answered=is_missing),
    )  # fmt: skip
    now, then = reported.get(park), _levels(altered, office, period).get(park)
    return (
        park,
        unit,
        is_missing,
        " ".join(values),
        now,
        then,
        now - then if now is not None and then is not None else None,
    )


def with_figures(
    data: PeriodData, edition: Edition, unit: str, values: dict[str, float], *, answered: bool = False
) -> PeriodData:
    """The period with some figures of one unit put in (rounded as the indicator is); ``answered``: it counts as having reported."""
    rosters = dict(data.rosters)
    parks = data.parks
    for roster in (*rosters, PARK):
        frame = parks if roster == PARK else rosters[roster]
        key = "park" if roster == PARK else "unit_id"
        codes = [c for c in values if c in frame.columns and _is_of(edition, c, roster)]
        if not codes or frame.is_empty():
            continue
        hit = pl.col(key) == unit
        changed = frame.with_columns(
            pl.when(hit).then(pl.lit(round(values[c], edition.indicators[c].decimals)).cast(frame.schema[c])).otherwise(c).alias(c)
            for c in codes
        )  # fmt: skip
        if answered and roster == ENTERPRISE_ROSTER:
            changed = changed.with_columns(pl.when(hit).then(pl.lit(ANSWERED)).otherwise("answer_status").alias("answer_status"))  # fmt: skip
        if roster == PARK:
            parks = changed
        else:
            rosters[roster] = changed
    return replace(data, rosters=rosters, parks=parks)


def _is_of(edition: Edition, code: str, roster: str) -> bool:
    form = edition.form_of(code)
    return roster == PARK if form.kind.value == "sheet" else form.roster == roster


def _as_if_accepted(office: Office, con: duckdb.DuckDBPyConnection, edition: Edition, period: Period) -> Population:
    """The years the index needs, with what was reported for ``period`` counted as accepted."""
    years = years_needed(edition.indexes["development"], period.year)
    with office.ledger.read() as session:
        listed = [s for y in years if y != period.year for s in in_force(session, Period(y))]
        listed += [replace(s, state=State.ACCEPTED) for s in latest_reported(session, period)]
        listed = [s for s in listed if s.check and s.check.observations_blob]
        register = register_frames(session, [Period(y) for y in years])
    load_listed(office, con, listed)
    return Inputs(con, office.programme, register, {}).population("in_force")


def _levels(population: Population, office: Office, period: Period) -> dict[str, float]:
    """Area → the index of the year."""
    if not population.has(period):
        return {}
    chains = index_chains(population, office.programme, period).chains
    found = {}
    for chain in chains:
        if period.year in chain.years:
            level = float(chain.levels[chain.years.index(period.year)])
            if level == level:  # NaN: no index this year
                found[chain.area] = level
    return found
