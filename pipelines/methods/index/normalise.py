"""Normalisation 无量纲化: an indicator's values as scores on a common scale, higher always better.

Every function takes values with units along the last axis and any leading axes (draws), NaN where missing, and keeps the
shape. Sources: OECD/JRC, Handbook on Constructing Composite Indicators (2008), step 5; index_system 4.1. See
docs/methods/index-engine.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import scipy

from pipelines.methods.index.bounded import Flags, Floats, Integers, bounded_growth, capped, difference
from pipelines.methods.index.definition import Leaf
from pipelines.methods.index.steps import OVER_TIME, Step
from schemas.errors import DefinitionError

MIDDLE: Final = 0.5
# methods that look at each unit alone, not at the other units of the year
UNIT_BY_UNIT: Final = OVER_TIME | {"goalposts", "efficacy", "distance_to_target", "none"}


@dataclass(frozen=True)
class Reference:
    """What scores are measured against besides the values themselves.

    ``pool``: values of other years that count when extremes and moments are taken; ``previous``: last year's value of each
    unit, NaN where there is none; ``classes``: the class of each unit.
    """

    classes: tuple[str, ...]
    pool: Floats | None = None
    pool_classes: tuple[str, ...] = ()
    previous: Floats | None = None
    places: tuple[str, ...] = ()  # where each unit stands in its file, for complaints

    def at(self, values: Floats) -> str:
        """Where the unit with the smallest of ``values`` (units last) stands, in brackets; nothing where that is not known."""
        if not self.places or np.isnan(values).all():
            return ""
        return f"({self.places[int(np.nanargmin(values)) % values.shape[-1]]})"


@dataclass(frozen=True)
class Scores:
    """Scores in the shape of the values, and the parameters they were computed with: name → value per unit (last axes)."""

    values: Floats
    parameters: Mapping[str, Floats] = field(default_factory=dict)


def normalised(x: Floats, leaf: Leaf, reference: Reference) -> Scores:
    """The scores of one indicator. Raises DefinitionError where the method may not be used on these values."""
    x = np.asarray(x, dtype=np.float64)
    step = leaf.normalisation
    method = METHODS[step.method]
    if step.method in OVER_TIME and step.method != "base_growth" and reference.previous is None:
        raise DefinitionError(
            f"指标 {leaf.id} 用 {step.method},需要上期数据",
            where=leaf.place,
            remedy="请给出 --previous,或在数据中加年份列并含上一年。",
        )
    if step.effective.get("within") != "class":
        return method(x, leaf, step, reference)
    values = np.full_like(x, np.nan)
    parameters: dict[str, Floats] = {}
    for name in sorted(set(reference.classes)):
        inside = np.array([c == name for c in reference.classes])
        part = method(x[..., inside], leaf, step, _of_class(reference, name, inside))
        values[..., inside] = part.values
        for key, column in part.parameters.items():
            whole = parameters.setdefault(key, np.full(x.shape, np.nan))
            whole[..., inside] = column
    return Scores(values, parameters)


def _of_class(reference: Reference, name: str, inside: Flags) -> Reference:
    pool = reference.pool
    if pool is not None:
        pool = pool[np.array([c == name for c in reference.pool_classes], dtype=bool)]
    previous = None if reference.previous is None else reference.previous[inside]
    places = tuple(np.array(reference.places, dtype=str)[inside]) if reference.places else ()
    return replace(reference, classes=(name,) * int(inside.sum()), pool=pool, previous=previous, places=places)


def of_rows(reference: Reference, rows: Integers) -> Reference:
    """What some of the units are measured against, by a method that looks at each unit alone."""
    previous = None if reference.previous is None else reference.previous[rows]
    places = tuple(reference.places[k] for k in rows) if reference.places else ()
    return replace(reference, classes=tuple(reference.classes[k] for k in rows), previous=previous, places=places)


def _pooled(x: Floats, step: Step, reference: Reference) -> Floats:
    if step.effective["reference"] != "pooled" or reference.pool is None:
        return x
    return np.concatenate([x, np.broadcast_to(reference.pool, (*x.shape[:-1], reference.pool.size))], axis=-1)


def _extremes(x: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(x)
    if x.shape[-1] and known.all():
        return x.min(axis=-1, keepdims=True), x.max(axis=-1, keepdims=True)
    low = np.where(known, x, np.inf).min(axis=-1, keepdims=True, initial=np.inf)
    high = np.where(known, x, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
    return low, high


def _line(x: Floats, zero: Floats, one: Floats, low: float, high: float) -> Floats:
    """Scores on the line through (zero, low) and (one, high); the middle where both are the same."""
    usable = np.isfinite(zero) & np.isfinite(one) & (one != zero)  # a column with no figure at all has no extremes
    if usable.all():
        return np.asarray(low + (x - zero) / (one - zero) * (high - low), dtype=np.float64)
    width = np.where(usable, one, 1.0) - np.where(usable, zero, 0.0)
    start = np.where(usable, zero, 0.0)
    share = np.divide(x - start, width, out=np.full(np.broadcast(x, zero).shape, MIDDLE), where=usable)
    return np.asarray(np.where(np.isnan(x), np.nan, low + share * (high - low)), dtype=np.float64)


def _clipped(scores: Floats, step: Step) -> Floats:
    floor, ceiling = step.effective["floor"], step.effective["ceiling"]
    if floor is None and ceiling is None:
        return scores
    return np.asarray(np.clip(scores, floor, ceiling), dtype=np.float64)


def _minmax(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    worst, best = _extremes(_pooled(x, step, reference))
    if leaf.direction < 0:
        worst, best = best, worst
    scores = _line(x, worst, best, step.number("low"), step.number("high"))
    return Scores(scores, {"worst": _spread(worst, x), "best": _spread(best, x)})


def _spread(value: Floats, x: Floats) -> Floats:
    return np.broadcast_to(value, x.shape)


def goalposts(leaf: Leaf, classes: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Worst and best of every unit's class. Raises DefinitionError for a class without goalposts."""
    options = leaf.normalisation.options
    rows = []
    for name in classes:
        post = options.get("by_class", {}).get(name, options)
        if "worst" not in post:
            raise DefinitionError(
                f"指标 {leaf.id} 没有类别“{name}”的目标柱", where=leaf.place, remedy="请在 by_class 中补上。"
            )
        rows.append((float(post["worst"]), float(post["best"])))
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _goalposts(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    worst, best = goalposts(leaf, reference.classes)
    parameters = {"worst": _spread(worst, x), "best": _spread(best, x)}
    if step.effective["log"]:
        if np.nanmin(x, initial=np.inf) <= 0 or min(worst.min(initial=1), best.min(initial=1)) <= 0:
            raise DefinitionError(f"指标 {leaf.id} 取对数,值与目标柱都须大于 0{reference.at(x)}", where=leaf.place)
        x, worst, best = np.log(x), np.log(worst), np.log(best)
    low, high = step.number("low"), step.number("high")
    return Scores(_clipped(_line(x, worst, best, low, high), step), parameters)


def _efficacy(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    worst, best = goalposts(leaf, reference.classes)
    scores = _line(x, worst, best, step.number("base"), 100.0)
    return Scores(_clipped(scores, step), {"worst": _spread(worst, x), "best": _spread(best, x)})


def _zscore(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    base = _pooled(x, step, reference)
    count = (~np.isnan(base)).sum(axis=-1, keepdims=True)
    least = int(step.number("minimum_units"))
    if x.shape[-1] and int(count.min(initial=least)) < least:
        raise DefinitionError(
            f"指标 {leaf.id} 有数的单位少于 {least} 个,不能用 zscore",
            where=leaf.place,
            remedy="请改用目标柱或功效系数。",
        )
    mean = np.nansum(base, axis=-1, keepdims=True) / count
    deviation = np.sqrt(np.nansum((base - mean) ** 2, axis=-1, keepdims=True) / (count - 1))
    if (deviation > 0).all():
        scores = step.number("centre") + step.number("spread") * leaf.direction / deviation * (x - mean)
    else:
        z = leaf.direction * np.divide(x - mean, deviation, out=np.zeros_like(x), where=deviation > 0)
        scores = np.where(np.isnan(x), np.nan, step.number("centre") + step.number("spread") * z)
    return Scores(_clipped(scores, step), {"mean": _spread(mean, x), "deviation": _spread(deviation, x)})


def _distance_to_target(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    target = step.number("target")
    return Scores(_clipped(_ratio(x, np.array(target), leaf, reference), step), {"target": np.full(x.shape, target)})


def _distance_to_best(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    low, high = _extremes(_pooled(x, step, reference))
    best = high if leaf.direction > 0 else low
    return Scores(_ratio(x, best, leaf, reference), {"best": _spread(best, x)})


def _ratio(x: Floats, mark: Floats, leaf: Leaf, reference: Reference) -> Floats:
    """x / mark, or mark / x where less is better, in percent; values must be positive for the second."""
    if leaf.direction < 0 and np.nanmin(x, initial=np.inf) <= 0:
        raise DefinitionError(
            f"指标 {leaf.id} 是负向指标且有 0 或负值{reference.at(x)},不能取倒数",
            where=leaf.place,
            remedy="请改用目标柱或功效系数。",
        )
    above, below = (x, mark) if leaf.direction > 0 else (mark, x)
    shape = np.broadcast(above, below).shape
    ratio = np.divide(above, below, out=np.full(shape, np.nan), where=np.broadcast_to(below != 0, shape))
    return np.asarray(ratio * 100.0, dtype=np.float64)


def ranks_from_worst(x: Floats, direction: int) -> Floats:
    """Rank of every unit counted from the worst, 1 for the worst, ties at their average; NaN stays NaN."""
    missing = np.isnan(x)
    filled = np.where(missing, np.inf, direction * x)
    return np.where(missing, np.nan, scipy.stats.rankdata(filled, method="average", axis=-1))


def _rank(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    return Scores(ranks_from_worst(x, leaf.direction))


def _percentile(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    count = (~np.isnan(x)).sum(axis=-1, keepdims=True)
    place = ranks_from_worst(x, leaf.direction) - 1.0
    scores = np.divide(place, count - 1.0, out=np.full_like(x, MIDDLE), where=count > 1) * 100.0
    return Scores(np.where(np.isnan(x), np.nan, scores))


def _borda(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    return Scores(ranks_from_worst(x, leaf.direction) - 1.0)


def _base_growth(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    if "base" in step.options:
        base = np.full(x.shape[-1:], step.number("base"))
    elif reference.previous is not None:
        base = reference.previous
    else:
        raise DefinitionError(f"指标 {leaf.id} 用 base_growth,需要 base 或上期数据", where=leaf.place)
    refuse_negative(leaf, reference, x, base)
    return Scores(_clipped(_ratio(x, base, leaf, reference), step), {"base": _spread(base, x)})


def refuse_negative(leaf: Leaf, reference: Reference, *values: Floats) -> None:
    """Raise DefinitionError where growth is asked of values that can be negative: it would be meaningless or reversed."""
    for v in values:
        least = float(np.nanmin(v.astype(np.float64), initial=np.inf))
        if least >= 0:
            continue
        raise DefinitionError(
            f"指标 {leaf.id} 有负值 {least:.15g}{reference.at(v)},增速类无量纲化不适用",
            where=leaf.place,
            remedy="请改用 difference 并给出 scale,或用目标柱。",
        )


def _bounded(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    before = np.full(x.shape[-1:], np.nan) if reference.previous is None else reference.previous
    refuse_negative(leaf, reference, x, before)
    v = leaf.direction * bounded_growth(x, before)
    return Scores(capped(v, step.number("cap")), {"previous": _spread(before, x)})


def _difference(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    before = np.full(x.shape[-1:], np.nan) if reference.previous is None else reference.previous
    v = leaf.direction * difference(x, before, step.number("scale"))
    return Scores(capped(v, step.limit("cap", np.inf)), {"previous": _spread(before, x)})


def _none(x: Floats, leaf: Leaf, step: Step, reference: Reference) -> Scores:
    return Scores(leaf.direction * x)


METHODS: Final[dict[str, Callable[[Floats, Leaf, Step, Reference], Scores]]] = {
    "minmax": _minmax,
    "goalposts": _goalposts,
    "zscore": _zscore,
    "efficacy": _efficacy,
    "distance_to_target": _distance_to_target,
    "distance_to_best": _distance_to_best,
    "rank": _rank,
    "percentile": _percentile,
    "borda": _borda,
    "base_growth": _base_growth,
    "bounded_growth": _bounded,
    "difference": _difference,
    "none": _none,
}
