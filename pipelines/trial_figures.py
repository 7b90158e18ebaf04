"""Trials with changed reported figures 试算填报数: the observations of a year with some figures replaced, in memory only.

Everything above is computed again from the observations: ratios of a park, of its city and of the combined area come out of the
same sums as ever, so a trial of figures adds up exactly, as a trial of indicator values cannot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from pipelines.population import Population
from pipelines.recent import Recent
from schemas.model import ValueType
from schemas.period import Period

PUT = {"period": pl.String, "unit": pl.String, "code": pl.String, "value": pl.Float64}


@dataclass(frozen=True)
class Stands:
    """Whether a figure may be changed, and what stands there; ``problem`` is empty where it may."""

    value: float | None = None
    problem: str = ""


def standing_figure(population: Population, unit: str, code: str, year: int, value: float | None) -> Stands:
    """The figure of a park (its own form) or of a unit of a roster in an annual report, and what is wrong with changing it."""
    period = Period(year)
    if not population.programme.covers(period) or not population.has(period):
        return Stands(problem=f"没有 {year} 年的年报")
    indicator = population.edition(period).indicators.get(code)
    if indicator is None:
        return Stands(problem=f"没有填报指标“{code}”")
    if indicator.type is not ValueType.NUMBER:
        return Stands(problem=f"{code} 不是数值,不能试算")
    if indicator.derived:
        return Stands(problem=f"{code} 由别的填报数算出,请改它所依据的数")
    if value is not None and not math.isclose(value, round(value, indicator.decimals), rel_tol=0, abs_tol=1e-9):
        return Stands(problem=f"{code} 最多 {indicator.decimals} 位小数")
    data = population.bare(period)
    for frame, key in ((data.parks, "park"), *((roster, "unit_id") for roster in data.rosters.values())):
        if code in frame.columns and key in frame.columns:
            found = frame.filter(pl.col(key) == unit)
            if found.height:
                now = found[code][0]
                return Stands(None if now is None else float(now))
    return Stands(problem=f"{year} 年没有“{unit}”填报的 {code}")


def with_figures(population: Population, changes: Sequence[tuple[str, str, int, float | None]]) -> Population:
    """The same population with (unit, code, year, value) put in place of what was reported; it shares nothing computed."""
    rows = [(str(Period(year)), unit, code, value) for unit, code, year, value in changes]
    put = pl.DataFrame(rows, schema=PUT, orient="row")
    return replace(population, recent=Recent(), put=put, _has={})
