"""Evaluation 综合评价: a scheme scored for its subjects year by year, with rank intervals, grades and changes of place.

Level against fixed goalposts, ranked within the class only; a class below the stated size gets grades and no ranks.
Growth indices are not scored here: they are never ranked (index_system.md 4). Source: index_system.md 4, 9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from pipelines.methods.estimates import ESTIMATED, NORMAL, status_over
from pipelines.methods.evaluation_scheme import Scheme
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.rank_spread import RankSpread, rank_spread, ranks_of
from pipelines.methods.index.robustness import (
    RobustnessPlan,
    laboratory,
    on_nominal_scale,
    random_inputs,
    scores_of,
)
from pipelines.methods.index.score import ScoredYear, prepare, ranks, score_years
from pipelines.methods.index.steps import NOMINAL, Step
from pipelines.methods.index.table import UnitTable

VALUE_COLUMNS: Final = {
    "unit": pl.String(),
    "year": pl.Int64(),
    "indicator": pl.String(),
    "value": pl.Float64(),
    "status": pl.String(),  # as published
    "note": pl.String(),
    "error": pl.String(),  # the kind of doubt, a key of the scheme's [uncertainty] errors; A: none
}
SUBJECT_COLUMNS: Final = {"unit": pl.String(), "year": pl.Int64(), "name": pl.String(), "class": pl.String()}


@dataclass(frozen=True)
class Evaluated:
    """A scored scheme. ``years``: oldest first; ``notes``: (unit, year, indicator) → why a value is missing or special;
    ``statuses``: likewise, the status published where it is not A; ``spread``: what the draws say of the latest year."""

    scheme: Scheme
    years: tuple[ScoredYear, ...]
    notes: Mapping[tuple[str, int, str], str] = field(default_factory=dict)
    statuses: Mapping[tuple[str, int, str], str] = field(default_factory=dict)
    spread: RankSpread | None = None

    def status(self, at: int, row: int, column: int) -> str:
        """The status of an indicator's score in ``years[at]``: of its value, E where the scheme put the value in."""
        year = self.years[at]
        if year.prepared.imputed.filled[row, column]:
            return ESTIMATED
        leaf = self.scheme.system.leaves[column].id
        return self.statuses.get((year.table.units[row], int(year.table.year), leaf), NORMAL)

    @property
    def latest(self) -> ScoredYear:
        """The year evaluated."""
        return self.years[-1]

    @property
    def before(self) -> ScoredYear | None:
        """The year before, where it is on file."""
        return self.year_before(-1)

    def year_before(self, at: int) -> ScoredYear | None:
        """The year before ``years[at]``, where it is on file."""
        earlier = [y for y in self.years if int(y.table.year) == int(self.years[at].table.year) - 1]
        return earlier[-1] if earlier else None


def evaluate(
    scheme: Scheme, values: pl.DataFrame, subjects: pl.DataFrame, *, with_intervals: bool = True
) -> Evaluated | None:
    """Score every year of ``subjects`` (``SUBJECT_COLUMNS``) with ``values`` (``VALUE_COLUMNS``); None without subjects.

    A value that is not there is missing: the scheme's aggregation says what that does. The same values, scheme and seed
    give the same intervals.
    """
    if subjects.is_empty():
        return None
    tables = [
        _table(scheme, values, subjects.filter(year=year).sort("unit"), year)
        for year in sorted(set(subjects["year"].to_list()))
    ]
    years = score_years(scheme.system, tables, {})
    notes, statuses = (
        {
            (u, y, i): said
            for u, y, i, said in values.select("unit", "year", "indicator", c).iter_rows()
            if said != plain
        }
        for c, plain in (("note", ""), ("status", "A"))
    )
    spread = _spread(scheme, tables, years[-1]) if scheme.draws and with_intervals else None
    return Evaluated(scheme, years, notes, statuses, spread)


def _table(scheme: Scheme, values: pl.DataFrame, subjects: pl.DataFrame, year: int) -> UnitTable:
    units, leaves = subjects["unit"].to_list(), scheme.system.leaves
    row, column = {u: n for n, u in enumerate(units)}, {leaf.id: n for n, leaf in enumerate(leaves)}
    figures = np.full((len(units), len(leaves)), np.nan)
    statuses = [["A"] * len(leaves) for _ in units]
    for unit, indicator, value, error in (
        values.filter(year=year).select("unit", "indicator", "value", "error").iter_rows()
    ):
        if unit in row and indicator in column and value is not None:
            figures[row[unit], column[indicator]] = value / leaves[column[indicator]].factor
            statuses[row[unit]][column[indicator]] = error
    return UnitTable(
        year=str(year),
        units=tuple(units),
        names=tuple(subjects["name"].to_list()),
        classes=tuple(subjects["class"].to_list()),
        figures=figures,
        denominators=np.ones_like(figures),
        statuses=tuple(tuple(line) for line in statuses),
    )


def _spread(scheme: Scheme, tables: Sequence[UnitTable], latest: ScoredYear) -> RankSpread:
    system = scheme.system
    plan = RobustnessPlan.of(system)
    alternatives = {m: prepare(system, tables, Step(m))[-1] for m in plan.imputation if m != NOMINAL}
    lab = laboratory(system, latest, alternatives, plan)
    inputs = random_inputs(lab, scheme.draws, np.random.default_rng(scheme.seed))
    scores = scores_of(lab, inputs)
    classes = latest.table.classes if system.rank_within_class else None
    places = ranks_of(scores, classes, system.tie_decimals)
    return rank_spread(scores, places, plan.level, on_nominal_scale(lab, inputs))


@dataclass(frozen=True)
class Standing:
    """What a scheme says of one unit: score and coverage of the index, rank in its class, grade, and the year before.

    ``coverage``: share of the weight with figures; where missing items keep their weight, the share of full marks that can
    be had (an item some of whose indicators are missing counts whole if its own weights are redistributed).

    ``rank`` is None in a class below the minimum size; ``rank_change`` = last year's rank − this year's, positive is
    progress 进位, None where either is missing or the class has changed.
    """

    unit: str
    name: str
    unit_class: str
    class_size: int
    score: float | None
    coverage: float
    rank: int | None
    grade: int
    grade_note: str
    score_before: float | None = None
    rank_before: int | None = None
    class_before: str = ""

    @property
    def rank_change(self) -> int | None:
        """增比进位."""
        if self.rank is None or self.rank_before is None or self.class_before != self.unit_class:
            return None
        return self.rank_before - self.rank

    @property
    def score_change(self) -> float | None:
        """This year's score less last year's."""
        return None if self.score is None or self.score_before is None else self.score - self.score_before


def standings(evaluated: Evaluated, at: int = -1) -> tuple[Standing, ...]:
    """Every unit of ``years[at]``, the latest where not said, in the order of the table."""
    scheme, year, before = evaluated.scheme, evaluated.years[at], evaluated.year_before(at)
    own, earlier = _ranked(scheme, year), _ranked(scheme, before) if before else {}
    found = []
    for k, unit in enumerate(year.table.units):
        score, coverage, rank, unit_class, size = own[unit]
        figures = {
            v.indicator: float(year.prepared.reported[k, scheme.system.position[v.indicator]]) for v in scheme.vetoes
        }
        known = {name: value for name, value in figures.items() if not np.isnan(value)}
        place, said = (0, "") if not scheme.grades else (0, "没有得分,不定等级。")
        if score is not None and scheme.grades:
            # Where missing items keep their weight, the grade is judged on the share of full marks that could be had.
            judged = score / coverage if scheme.shows_missing and coverage > 0 else score
            place, said = scheme.grade_of(judged, coverage, known)
        then = earlier.get(unit)
        found.append(
            Standing(
                unit, year.table.names[k], unit_class, size, score, coverage, rank, place, said,
                then[0] if then else None, then[2] if then else None, then[3] if then else "",
            )
        )  # fmt: skip
    return tuple(found)


def total_status(evaluated: Evaluated, at: int, row: int, group: str = "") -> str:
    """The status of a unit's total in ``years[at]`` (or of one of its groups): what the scores in it make it."""
    year, system = evaluated.years[at], evaluated.scheme.system
    below = system.leaves_below(group or system.root.id)
    return status_over(evaluated.status(at, row, n) for n in below if not np.isnan(year.scores[row, n]))


def class_statuses(evaluated: Evaluated, at: int) -> dict[str, str]:
    """Class → the status of a place within it in ``years[at]``, which hangs on every score of the class."""
    found: dict[str, list[str]] = {}
    for k, name in enumerate(evaluated.years[at].table.classes):
        found.setdefault(name, []).append(total_status(evaluated, at, k))
    return {name: status_over(statuses) for name, statuses in found.items()}


def full_share(scheme: Scheme, year: ScoredYear) -> Floats:
    """Share of full marks 满分基数 that every unit can reach where missing items keep their weight and earn nothing."""
    share: dict[str, Floats] = {
        leaf.id: np.where(np.isnan(year.scores[:, k]), 0.0, 1.0) for k, leaf in enumerate(scheme.system.leaves)
    }
    for group in scheme.system.groups:
        weights = np.broadcast_to(year.weights[group.id].values, (len(year.table.units), len(group.children)))
        below = np.column_stack([share[child] for child in group.children])
        counted = weights if group.aggregation.options.get("missing") == "base" else weights * (below > 0)
        total = counted.sum(axis=1)
        share[group.id] = np.divide((counted * below).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    return share[scheme.system.root.id]


def _ranked(scheme: Scheme, year: ScoredYear) -> dict[str, tuple[float | None, float, int | None, str, int]]:
    mean = year.means[scheme.system.root.id]
    share = full_share(scheme, year) if scheme.shows_missing else np.nan_to_num(mean.coverage)
    _, within = ranks(scheme.system, year.table, mean.scores)
    scored: dict[str, int] = {}
    for unit_class, score in zip(year.table.classes, mean.scores, strict=True):
        scored[unit_class] = scored.get(unit_class, 0) + int(not np.isnan(score))
    enough = {c: n >= scheme.system.minimum_class_size for c, n in scored.items()}
    return {
        unit: (
            None if np.isnan(mean.scores[k]) else float(mean.scores[k]),
            float(share[k]),
            within[k] if enough[year.table.classes[k]] and not np.isnan(mean.scores[k]) else None,
            year.table.classes[k],
            scored[year.table.classes[k]],
        )
        for k, unit in enumerate(year.table.units)
    }
