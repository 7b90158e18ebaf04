"""Aggregates, outliers and sequences within groups.

Statistics of exact numbers are taken on whole numbers of the last decimal and divided once, so that the mean of 0.1, 0.2 and
0.3 is 0.2. A record whose group is blank belongs to no group: unknown. Sources: quantiles, Hyndman and Fan (1996), type 7;
Hidiroglou and Berthelot (1986), Survey Methodology 12, 73–83; fences, Tukey (1977).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import cast

import polars as pl

from schemas.table_engine import Engine, Operation, combined, dtype_of, finite, frame_of, period_step, unscaled
from schemas.table_terms import Aggregate
from schemas.typed_expression import Typed
from schemas.variables import INTEGER, Family

V = pl.col("c0")
_POWER = {"var": 2, "cor": 0, "top_share": 0}


def _grouped(expression: pl.Expr, groups: int, first: int) -> pl.Expr:
    """An aggregate over the groups in columns ``c<first>`` …; unknown where a group is blank."""
    if not groups:
        return expression
    keys = [pl.col(f"c{first + n}") for n in range(groups)]
    known = reduce(and_, (k.is_not_null() for k in keys))
    return pl.when(known).then(expression.over(keys))


def _statistic(form: Aggregate, many: int) -> pl.Expr:
    """The aggregate of ``c0`` (and ``c1``) over the rows of one group, blanks left out."""
    quantile = float(form.number or 0)
    plain: Mapping[str, Callable[[], pl.Expr]] = {
        "sum": lambda: pl.when(V.count() > 0).then(V.sum()),
        "mean": lambda: V.sum().cast(pl.Float64) / V.count(),
        "median": lambda: V.median(),
        "quantile": lambda: V.quantile(quantile, "linear"),
        "sd": lambda: V.std(ddof=1),
        "var": lambda: V.var(ddof=1),
        "max": lambda: V.max(),
        "min": lambda: V.min(),
        "n_distinct": lambda: V.drop_nulls().n_unique(),
        "cor": lambda: pl.corr(V, pl.col("c1")),
        "top_share": lambda: V.drop_nulls().sort(descending=True).head(int(quantile)).sum() / V.sum(),
        "any": lambda: pl.when(V.any()).then(True).when(V.null_count() > 0).then(None).otherwise(False),
        "all": lambda: pl.when(~V.all()).then(False).when(V.null_count() > 0).then(None).otherwise(True),
        "count": lambda: (pl.len() if not many else V.sum() if form.number is None else V.count()).cast(pl.Int64),
    }
    return plain[form.function]()


def aggregate_of(form: Aggregate, frame: pl.DataFrame, kinds: tuple[Family, ...], groups: int) -> pl.Series:
    """One aggregate over ``c0`` … with the groups behind the values; one value a row, or one in all without groups."""
    many = len(frame.columns) - groups
    scale = 0
    if many and form.function not in ("sum", "max", "min", "count", "n_distinct", "any", "all"):
        columns = [unscaled(frame[f"c{n}"]) for n in range(many)]
        scale = columns[0][1]
        frame = frame.with_columns(c.alias(f"c{n}") for n, (c, _) in enumerate(columns))
    if form.function == "count" and many and kinds[0] is not Family.BOOLEAN:
        form = Aggregate("count", form.groups, True, Decimal(1))
    if form.function == "cor" and form.skip:
        both = pl.col("c0").is_not_null() & pl.col("c1").is_not_null()
        frame = frame.with_columns(pl.when(both).then(pl.col(c)).alias(c) for c in ("c0", "c1"))
    expression = _deviation(frame, form, groups, many) if form.function == "mad" else _statistic(form, many)
    if not form.skip and many and form.function not in ("any", "all"):
        blank = reduce(or_, (pl.col(f"c{n}").null_count() > 0 for n in range(many)))
        expression = pl.when(~blank).then(expression)
    frame = _with_deviation(frame, groups, many) if form.function == "mad" else frame
    found = frame.select(_grouped(expression, groups, many).alias("v"))["v"]
    if scale and form.function not in _POWER:
        found = found / 10.0**scale
    elif scale and form.function == "var":
        found = found / 10.0 ** (2 * scale)
    return found.to_frame().select(finite(pl.col("v")))["v"] if found.dtype == pl.Float64 else found


def _with_deviation(frame: pl.DataFrame, groups: int, many: int) -> pl.DataFrame:
    median = _grouped(V.median(), groups, many)
    return frame.with_columns((V - median).abs().alias("deviation"))


def _deviation(frame: pl.DataFrame, form: Aggregate, groups: int, many: int) -> pl.Expr:
    return pl.col("deviation").median() * float(form.number or 1)


def _aggregate(e: Engine, t: Typed) -> pl.Series:
    form = cast(Aggregate, t.value)
    columns = e.args(t)
    height = e.height
    if not columns:
        return pl.Series("v", [height], dtype=dtype_of(INTEGER))
    found = aggregate_of(form, frame_of(columns, height), tuple(a.kind.family for a in t.args), form.groups)
    return found.cast(dtype_of(t.kind))


def _exists(e: Engine, t: Typed) -> pl.Series:
    form = cast(Aggregate, t.value)
    frame = frame_of(e.args(t), e.height)
    true, unknown = V.sum(), V.null_count()
    if t.op == "exists_any":
        outcome = pl.when(true > 0).then(True).when(unknown > 0).then(None).otherwise(False)
    else:
        outcome = pl.when(true > 1).then(False).when(unknown > 0).then(None).otherwise(true == 1)
    found = frame.select(_grouped(outcome, form.groups, 1).alias("v"))["v"].cast(pl.Boolean)
    return e.full(found) if len(found) == 1 else found


def _rank(e: Engine, t: Typed) -> pl.Series:
    form = cast(Aggregate, t.value)
    frame = frame_of(e.args(t), e.height)
    return frame.select(_grouped(V.rank("min", descending=True), form.groups, 1).alias("v"))["v"].cast(dtype_of(t.kind))


def _value_of(e: Engine, t: Typed) -> pl.Series:
    form = cast(Aggregate, t.value)
    frame = frame_of(e.args(t), e.height)
    chosen = pl.col("c1")
    one = (chosen.sum() == 1) & (chosen.null_count() == 0)
    value = pl.when(one).then(V.filter(chosen.fill_null(False)).first())
    found = frame.select(_grouped(value, form.groups, 2).alias("v"))["v"]
    return e.full(found) if len(found) == 1 else found


def _lag(e: Engine, t: Typed) -> pl.Series:
    form = cast(Aggregate, t.value)
    frame = frame_of(e.args(t), e.height).with_row_index("row")
    keys = [f"c{n + 2}" for n in range(form.groups)]
    shifted = pl.col("c0").shift(int(form.number or 1))
    ordered = frame.sort([*keys, "c1", "row"], nulls_last=True).with_columns(
        (shifted.over(keys) if keys else shifted).alias("v")
    )
    known = reduce(and_, (pl.col(c).is_not_null() for c in ("c1", *keys)))
    return ordered.sort("row").select(pl.when(known).then(pl.col("v")).alias("v"))["v"]


def _score(e: Engine, t: Typed) -> pl.Series:
    """How far a value lies out, by the statistics of its group without the blanks."""
    form = cast(Aggregate, t.value)
    frame = frame_of(e.args(t), e.height)

    def of(expression: pl.Expr) -> pl.Expr:
        return _grouped(expression, form.groups, 1)

    match t.op:
        case "z_score":
            score = (V - of(V.mean())) / of(V.std(ddof=1))
        case "robust_z":
            frame = _with_deviation(frame, form.groups, 1)
            score = (V - of(V.median())) / (of(pl.col("deviation").median()) * 1.4826)
        case "hb":
            frame = frame.with_columns((V / of(V.median())).alias("ratio"))
            ratio = pl.col("ratio")
            score = pl.when(ratio > 0).then(pl.max_horizontal(ratio, 1 / ratio) - 1)
        case _:
            low, high = of(V.quantile(0.25, "linear")), of(V.quantile(0.75, "linear"))
            reach = float(form.number if form.number is not None else Decimal("1.5")) * (high - low)
            return frame.select(((low - reach <= V) & (high + reach >= V)).alias("v"))["v"]
    return frame.select(finite(score).alias("v"))["v"]


def _hb_against(e: Engine, t: Typed) -> pl.Series:
    def score(value: pl.Expr, reference: pl.Expr) -> pl.Expr:
        ratio = value / reference
        return finite(pl.when(ratio > 0).then(pl.max_horizontal(ratio, 1 / ratio) - 1))

    return combined(score, *e.args(t))


def _hidiroglou_berthelot(e: Engine, t: Typed) -> pl.Series:
    """The effect E of a change, or whether it lies within the bounds. Both values must be positive, else unknown."""
    groups, u, a, c, pct = cast("tuple[int, Decimal, Decimal, Decimal, Decimal]", t.value)
    frame = frame_of(e.args(t), e.height)

    def of(expression: pl.Expr) -> pl.Expr:
        return _grouped(expression, groups, 2)

    now, before, ratio, middle = pl.col("c0"), pl.col("c1"), pl.col("ratio"), pl.col("middle")
    frame = frame.with_columns(pl.when((now > 0) & (before > 0)).then(now / before).alias("ratio"))
    frame = frame.with_columns(of(ratio.median()).alias("middle"))
    turned = pl.when(ratio < middle).then(1 - middle / ratio).otherwise(ratio / middle - 1)
    effect = turned * pl.max_horizontal(now, before) ** float(u)
    frame = frame.with_columns(pl.when(ratio.is_not_null() & middle.is_not_null()).then(effect).alias("effect"))
    found = pl.col("effect")
    if t.op == "hb_effect":
        return frame.select(finite(found).alias("v"))["v"]
    median = of(found.median())
    low, high = (of(found.quantile(p, "linear")) for p in (float(pct), 1 - float(pct)))
    least = (float(a) * median).abs()
    below = pl.max_horizontal(median - low, least)
    above = pl.max_horizontal(high - median, least)
    within = (found >= median - float(c) * below) & (found <= median + float(c) * above)
    return frame.select(within.alias("v"))["v"]


def _sequence_outcome(e: Engine, t: Typed) -> pl.Series:
    groups, has_begin, has_end, _ = cast("tuple[int, bool, bool, Decimal]", t.value)
    ends = has_begin + has_end
    columns = e.args(t)
    numbers = [unscaled(c)[0] for c in columns[: 1 + ends]]
    if len({unscaled(c)[1] for c in columns[: 1 + ends]}) > 1:
        numbers = [c.cast(pl.Float64) for c in columns[: 1 + ends]]
    frame = frame_of([*numbers, *columns[1 + ends :]], e.height)
    steps = V.sort().diff().drop_nulls()
    outcome = (steps.max() - steps.min()).fill_null(0.0) <= 1e-9 * V.abs().max().fill_null(0.0)
    if has_begin:
        outcome = outcome & (V.min() == pl.col("c1").first())
    if has_end:
        outcome = outcome & (V.max() == pl.col(f"c{1 + has_begin}").first())
    # Two unknowns or one are a sequence of whatever kind (R validate), unless it is said where it begins or ends.
    nothing = (pl.len() <= 2) & (V.count() == 0)
    judged = pl.when(nothing).then(not ends).when(V.null_count() > 0).then(None).otherwise(outcome)
    return frame.select(_grouped(judged, groups, 1 + ends).alias("v"))["v"].cast(pl.Boolean)


def _in_linear_sequence(e: Engine, t: Typed) -> pl.Series:
    found = _sequence_outcome(e, t)
    return e.full(found) if len(found) == 1 else found


def _is_linear_sequence(e: Engine, t: Typed) -> pl.Series:
    if not e.height:
        return pl.Series("v", [True], dtype=pl.Boolean)
    found = _sequence_outcome(e, t)
    holds = False if (~found).any() else None if found.null_count() else True
    return pl.Series("v", [holds], dtype=pl.Boolean)


def _no_gaps(e: Engine, t: Typed) -> pl.Series:
    groups, *_, step = cast("tuple[int, bool, bool, Decimal]", t.value)
    value, *by = e.args(t)
    numbers, scale = unscaled(value)
    size = pl.Series("s", [float(step) * 10.0**scale])
    if t.args[0].op == "period_index":
        text = e.series(t.args[0].args[0])
        size = combined(lambda a: period_step(a).cast(pl.Float64) * float(step), text)
    frame = frame_of([numbers, size, *by], e.height)
    steps, size_ = V.sort().diff().drop_nulls(), pl.col("c1")
    regular = (steps.min().fill_null(size_.min()) == size_.min()) & (steps.max().fill_null(size_.min()) == size_.min())
    outcome = regular & (size_.min() == size_.max())
    judged = pl.when(V.null_count() > 0).then(None).otherwise(outcome)
    found = frame.select(_grouped(judged, groups, 2).alias("v"))["v"].cast(pl.Boolean)
    return e.full(found) if len(found) == 1 else found


GROUP_OPERATIONS: Mapping[str, Operation] = {
    "agg": _aggregate,
    "exists_any": _exists,
    "exists_one": _exists,
    "rank": _rank,
    "value_of": _value_of,
    "lag": _lag,
    **dict.fromkeys(("z_score", "robust_z", "within_fences", "hb"), _score),
    "hb_against": _hb_against,
    "hb_effect": _hidiroglou_berthelot,
    "hb_within": _hidiroglou_berthelot,
    "is_linear_sequence": _is_linear_sequence,
    "in_linear_sequence": _in_linear_sequence,
    "no_gaps": _no_gaps,
}
