"""Which figures of the development index would let an outsider work out a growth that disclosure control has hidden.

V of the total and of a dimension are weighted sums of the growths of indicators with published weights, and so are the
contributions, which also carry V of the total in their scale; a level is the product of all links before it, so the levels
of later years and their growth give a year's V back. A hidden value stands behind two growths, and behind the scores of an
evaluation: the sums of all years of an area, and those of the evaluation, are taken together, the totals first; one is kept
back as soon as it would determine something hidden together with the sums already shown. Source: docs/methods/index.md, 8.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.methods.disclosure.protect import HIDDEN_NOTE
from pipelines.methods.evaluation_disclosure import CONFIDENTIAL, Variable
from pipelines.methods.index.cells import TOTAL, dimension_code
from schemas.model import IndexIndicator, IndexSystem

GROWTH, CONTRIBUTION, LEVEL, VALUE = "growth", "contribution", "index", "value"
DETERMINED: Final = 1.0 - 1e-9
INDEPENDENT: Final = 1e-9
Unknown = tuple[str, str, int]  # "value" or "growth" of an indicator in a year, or what only an evaluation knows
Row = dict[Unknown, float]
Vector = npt.NDArray[np.float64]
Slope = Callable[[str, int], float]
Scores = Mapping[str, Sequence[Mapping[Variable, float]]]  # area → sums of scores shown, by what decides a value
Years = Mapping[int, Mapping[str, str]]  # year → indicator in the chain → status of its growth


def with_index_sums_kept_back(
    cells: pl.DataFrame,
    system: IndexSystem,
    parents: Mapping[str, str] | None = None,
    scores: Scores | None = None,
    scored: int = 0,
    stated: Scores | None = None,
) -> pl.DataFrame:
    """Published cells of ``index_scores`` with every sum hidden (status C, no value) that would give a hidden growth away.

    ``cells``: the mart as disclosure control left it, all years. ``parents``: area → the area whose level it starts from, added to
    the system's own. A total that is kept back takes its level, interval and all contributions with it, in later years too.
    ``scores``: what the evaluation of the year ``scored`` shows of the same values (``evaluation_disclosure.shown_sums``).
    ``stated``: the sums its schemes have; for the years before, whose evaluation is in other releases, all of them count as shown
    that determine nothing by themselves.
    """
    above = {**system.splice, **(parents or {})}
    states: dict[str, dict[int, dict[str, str]]] = {}
    values: dict[str, set[tuple[str, int]]] = {}
    first: dict[str, int] = {}
    own = {i.id for i in system.indicators}
    columns = ("area", "period", "indicator", "measure", "status")
    for area, period, indicator, measure, status in cells.select(columns).iter_rows():
        year = int(period)
        first[area] = min(first.get(area, year), year)
        if measure == GROWTH and indicator in own:
            states.setdefault(area, {}).setdefault(year, {})[indicator] = status
        elif measure == VALUE and indicator in own and status == CONFIDENTIAL:
            values.setdefault(area, set()).add((indicator, year))
    kept = {
        area: _kept_back(
            years,
            system,
            values.get(area, set()),
            [(scored, s) for s in (scores or {}).get(area, ())],
            [(y, s) for y in sorted(years) if y < scored for s in (stated or {}).get(area, ())],
        )
        for area, years in states.items()
    }
    gone = [key for area in first for key in _hidden_keys(area, above, kept, first, cells)]
    found = pl.col("row_key").is_in(sorted(gone)) & pl.col("value").is_not_null()
    return cells.with_columns(
        value=pl.when(found).then(None).otherwise("value"),
        note=pl.when(found).then(pl.lit(HIDDEN_NOTE)).otherwise("note"),
        status=pl.when(found).then(pl.lit(CONFIDENTIAL)).otherwise("status"),
    )


class _Known:
    """What the sums shown so far say of the unknowns: an orthonormal basis of their rows. ``guarded``: what must not follow from
    them, every unknown and every combination given (a growth of which both values are hidden)."""

    def __init__(self, rows: Sequence[Row], guarded: Sequence[Row]) -> None:
        self.place = {u: n for n, u in enumerate(sorted({u for row in (*rows, *guarded) for u in row}))}
        self.basis: list[Vector] = []
        told = [v / np.linalg.norm(v) for v in map(self._vector, guarded) if v.any()]
        self.guarded = np.vstack([np.eye(len(self.place)), *told])
        self.squares = np.zeros(len(self.guarded))

    def _vector(self, row: Row) -> Vector:
        vector = np.zeros(len(self.place))
        for unknown, weight in row.items():
            vector[self.place[unknown]] = weight
        return vector

    def with_sum(self, row: Row) -> Vector | None:
        """The direction a further sum adds; None where it says nothing new."""
        vector = self._vector(row)
        size = float(np.abs(vector).max(initial=0.0))
        if size == 0.0:
            return None
        rest = vector = vector / size
        for _ in range(2):  # twice, against rounding
            for direction in self.basis:
                rest = rest - (rest @ direction) * direction
        length = float(np.linalg.norm(rest))
        return np.asarray(rest / length, dtype=np.float64) if length > INDEPENDENT else None

    def add(self, direction: Vector | None) -> None:
        """Count a sum as shown."""
        if direction is not None:
            self.basis.append(direction)
            self.squares = self.squares + (self.guarded @ direction) ** 2

    def determines(self, direction: Vector) -> bool:
        """Whether something guarded would follow: it lies in the space of the rows."""
        return bool((self.squares + (self.guarded @ direction) ** 2 >= DETERMINED).any())


def _kept_back(
    years: Years,
    system: IndexSystem,
    values: Collection[tuple[str, int]],
    scores: Sequence[tuple[int, Mapping[Variable, float]]],
    stated: Sequence[tuple[int, Mapping[Variable, float]]],
) -> frozenset[tuple[int, str]]:
    """(year, total or dimension) whose V is not shown. ``values``: (indicator, year) whose value is hidden.

    Asked twice: with slopes that differ, as they exactly do, so that two years are two equations; and with equal slopes, as they
    nearly are for small growths, so that what follows but for a little counts as following.
    """
    found: set[tuple[int, str]] = set()
    if not values and not any(CONFIDENTIAL in inside.values() for inside in years.values()):
        return frozenset()
    codes = {(i.formula, i.window, i.deflator or ""): i for i in system.indicators}
    checks = []
    for slope in (_slope, _flat):
        sums = {
            (year, name): _row(year, inside, weights, system, values, slope)
            for year, inside in sorted(years.items())
            for name, weights in _sums(inside, system)
        }
        rows = [_score_row(one, codes, year, None, slope) for year, one in scores]
        perhaps = [_score_row(one, codes, year, values, slope) for year, one in stated]
        growths = [
            _row(year, inside, {code: 1.0}, system, values, slope) for year, inside in years.items() for code in inside
        ]
        known = _Known([*sums.values(), *rows, *perhaps], growths)
        for row in rows:
            known.add(known.with_sum(row))
        for row in perhaps:
            if (direction := known.with_sum(row)) is not None and not known.determines(direction):
                known.add(direction)
        checks.append((sums, known))
    for key in sorted(checks[0][0], key=lambda k: k[1] != TOTAL):
        directions = [known.with_sum(sums[key]) for sums, known in checks]
        if any(d is not None and known.determines(d) for d, (_, known) in zip(directions, checks, strict=True)):
            found.add(key)
        else:
            for direction, (_, known) in zip(directions, checks, strict=True):
                known.add(direction)
    return frozenset(found)


def _row(
    year: int,
    inside: Mapping[str, str],
    weights: Mapping[str, float],
    system: IndexSystem,
    values: Collection[tuple[str, int]],
    slope: Slope,
) -> Row:
    """What a sum says to the first order of the logarithms of hidden values; of a growth none of whose values is hidden, of it."""
    norms = {i.id: i.norm for i in system.indicators}
    row: Row = {}
    for code, status in inside.items():
        if status != CONFIDENTIAL or not weights.get(code):
            continue
        sides = [(t, sign) for t, sign in ((year, 1.0), (year - 1, -1.0)) if (code, t) in values]
        if not sides:
            row[GROWTH, code, year] = weights[code]
        for t, sign in sides:
            row[VALUE, code, t] = sign * weights[code] * (slope(code, year) if norms[code] == GROWTH else 1.0)
    return row


def _score_row(
    one: Mapping[Variable, float],
    codes: Mapping[Variable, IndexIndicator],
    year: int,
    values: Collection[tuple[str, int]] | None,
    slope: Slope,
) -> Row:
    """A sum of scores as a row over the same unknowns, of all its values or of the hidden ``values`` only; a value that is in no
    index is an unknown of its own."""
    row: Row = {}
    for variable, weight in one.items():
        found = codes.get(variable)
        if found is None:
            if values is None:
                row["score", "|".join(map(str, variable)), year] = weight
        elif values is None or (found.id, year) in values:
            row[VALUE, found.id, year] = weight * (slope(found.id, 0) if found.norm == GROWTH else 1.0)
    return row


def _slope(code: str, year: int) -> float:
    """A stand-in for the slope of a growth in the logarithm of its value: which sums determine what does not hang on the
    slopes themselves but on their being different, so a fixed odd number does; it needs no hidden value."""
    return 0.5 + zlib.crc32(f"{code}|{year}".encode()) / 2**32


def _flat(code: str, year: int) -> float:
    """Growth of all values counts alike."""
    return 1.0


def _sums(inside: Collection[str], system: IndexSystem) -> list[tuple[str, dict[str, float]]]:
    """Total and dimensions with the weight of every indicator in the chain (docs/methods/index.md, 4)."""
    dimensions: list[tuple[str, dict[str, float]]] = []
    total: dict[str, float] = {}
    for dimension in system.dimensions:
        members = [i for i in system.indicators if i.dimension == dimension]
        there = {i.id: i.weight for i in members if i.id in inside}
        if there:
            within = sum(there.values())
            own = {code: w / within for code, w in there.items()}
            dimensions.append((dimension_code(dimension)[0], own))
            total |= {code: w * sum(i.weight for i in members) for code, w in own.items()}
    return [(TOTAL, total), *dimensions]


def _hidden_keys(
    area: str,
    above: Mapping[str, str],
    kept: Mapping[str, frozenset[tuple[int, str]]],
    first: Mapping[str, int],
    cells: pl.DataFrame,
) -> list[str]:
    """Keys of the cells of one area that may not be shown."""
    own = kept.get(area, frozenset())
    since = _since(own)
    parent = above.get(area, "")
    for name, year in _since(kept.get(parent, frozenset())).items():
        if year <= first[area]:  # it starts from a level that is not shown
            since[name] = first[area]
    if not since:
        return []
    codes = {name for _, name in own}
    found = []
    rows = cells.filter(pl.col("area") == area).select("row_key", "period", "indicator", "measure")
    for key, period, indicator, measure in rows.iter_rows():
        year = int(period)
        is_level = measure.startswith(LEVEL) and indicator in since and year >= since[indicator]
        is_growth = measure == GROWTH and indicator in codes and (year, indicator) in own
        is_point = measure == CONTRIBUTION and ((year, indicator) in own or year >= since.get(TOTAL, year + 1))
        if is_level or is_growth or is_point:
            found.append(key)
    return found


def _since(kept: Collection[tuple[int, str]]) -> dict[str, int]:
    """Total or dimension → the first year that is kept back."""
    found: dict[str, int] = {}
    for year, name in sorted(kept):
        found.setdefault(name, year)
    return found
