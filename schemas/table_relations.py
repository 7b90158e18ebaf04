"""Relations between records: other tables, earlier periods, superiors and subordinates, parts and wholes, key sets.

Keys are compared as written in the files, so that 03 is never 3. A key that occurs more than once identifies nothing: what is
looked up by it is unknown, and a note says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_
from typing import cast

import polars as pl

from schemas.table_engine import (
    Engine,
    Operation,
    close_enough,
    combined,
    dtype_of,
    frame_of,
    glob_pattern,
    period_months,
    period_step,
)
from schemas.table_groups import aggregate_of
from schemas.table_model import PREVIOUS
from schemas.table_terms import Aggregate, Pattern, Tolerance
from schemas.typed_expression import Typed
from schemas.variables import Family


def _keys(e: Engine, columns: tuple[str, ...]) -> list[pl.Series]:
    return [e.table.raw[c].str.strip_chars().alias(f"k{n}") for n, c in enumerate(columns)]


def _asked(e: Engine, columns: list[pl.Series]) -> pl.DataFrame:
    return pl.DataFrame([e.full(c).str.strip_chars().alias(f"k{n}") for n, c in enumerate(columns)]).with_columns(
        pl.lit(0).alias("row") if not e.height else pl.int_range(e.height).alias("row")
    )


def _names(columns: object) -> list[str]:
    return [f"k{n}" for n in range(len(cast("tuple[str, ...]", columns)))]


def _all_known(names: list[str]) -> pl.Expr:
    return reduce(and_, (pl.col(n).is_not_null() for n in names))


def _single(there: Engine, name: str, columns: tuple[str, ...], value: pl.Series) -> pl.DataFrame:
    """Key → value, keys that occur twice left out."""
    listed = pl.DataFrame([*_keys(there, columns), there.full(value).alias("v")])
    names = _names(columns)
    once = listed.filter(_all_known(names) & (pl.len().over(names) == 1))
    if once.height < listed.filter(_all_known(names)).height:
        there.note(f"表 {name} 的键 {'、'.join(columns)} 有重复,按重复的键查找的值作不定")
    return once


def _other_value(e: Engine, t: Typed) -> pl.Series:
    name, columns = cast("tuple[str, tuple[str, ...]]", t.value)
    there = e.on(name)
    listed = _single(there, name, columns, there.series(t.args[0]))
    asked = _asked(e, [e.series(a) for a in t.args[1:]])
    found = asked.join(listed, on=_names(columns), how="left", maintain_order="left")["v"]
    _carry_notes(e, there)
    return found


def _carry_notes(e: Engine, there: Engine) -> None:
    for text in there.notes:
        e.note(text)


def _in_other(e: Engine, t: Typed) -> pl.Series:
    name, columns = cast("tuple[str, tuple[str, ...]]", t.value)
    names = _names(columns)
    listed = pl.DataFrame(_keys(e.on(name), columns)).unique().with_columns(pl.lit(True).alias("found"))
    asked = _asked(e, e.args(t)).join(listed, on=names, how="left", maintain_order="left")
    return asked.select(pl.when(_all_known(names)).then(pl.col("found").fill_null(False)).alias("v"))["v"]


def _aggregated(form: Aggregate, keys: list[pl.Series], value: pl.Series | None, kind: Family) -> pl.DataFrame:
    """Key → aggregate of the rows with that key."""
    columns = [*([] if value is None else [value]), *keys]
    frame = frame_of(columns, len(keys[0]))
    found = aggregate_of(form, frame, (kind,), len(keys))
    names = [k.name for k in keys]
    return pl.DataFrame([*keys, found.alias("v")]).filter(_all_known(names)).unique(names, keep="first")


def _joined_aggregate(e: Engine, t: Typed, asked: pl.DataFrame, listed: pl.DataFrame, names: list[str]) -> pl.Series:
    """The aggregate for each record of ours; no rows are a count and a sum of zero."""
    there = pl.lit(True).alias("found")
    joined = asked.join(listed.with_columns(there), on=names, how="left", maintain_order="left")
    form = next(
        v
        for v in cast("tuple[object, ...]", t.value if isinstance(t.value, tuple) else (t.value,))
        if isinstance(v, Aggregate)
    )
    value = pl.col("v").cast(dtype_of(t.kind))
    if form.function in ("count", "sum"):
        value = pl.when(pl.col("found").is_null()).then(pl.lit(0).cast(dtype_of(t.kind))).otherwise(value)
    return joined.select(pl.when(_all_known(names)).then(value).alias("v"))["v"]


def _other_aggregate(e: Engine, t: Typed) -> pl.Series:
    name, columns, form, values = cast("tuple[str, tuple[str, ...], Aggregate, int]", t.value)
    there = e.on(name)
    value = there.full(there.series(t.args[0])) if values else None
    kind = t.args[0].kind.family if values else Family.BOOLEAN
    listed = _aggregated(form, _keys(there, columns), value, kind)
    return _joined_aggregate(e, t, _asked(e, [e.series(a) for a in t.args[values:]]), listed, _names(columns))


def _parent_key(e: Engine) -> pl.Series:
    return e.table.raw[e.table.parent]


def _parent(e: Engine, t: Typed) -> pl.Series:
    listed = _single(e, "本表", e.table.key, e.series(t.args[0]))
    return _asked(e, [_parent_key(e)]).join(listed, on="k0", how="left", maintain_order="left")["v"]


def _has_parent(e: Engine, t: Typed) -> pl.Series:
    (key,) = _keys(e, e.table.key)
    return combined(lambda a: a.str.strip_chars().is_in(key.drop_nulls().implode()).fill_null(False), _parent_key(e))


def _children(e: Engine, t: Typed) -> pl.Series:
    form = cast(Aggregate, t.value)
    value = e.full(e.series(t.args[0])) if t.args else None
    kind = t.args[0].kind.family if t.args else Family.BOOLEAN
    above = _parent_key(e).str.strip_chars().alias("k0")
    listed = _aggregated(form, [above], value, kind)
    return _joined_aggregate(e, t, _asked(e, [e.table.raw[e.table.key[0]]]), listed, ["k0"])


def _earlier(e: Engine, t: Typed) -> pl.Series:
    """The value of the same unit in an earlier period, from this table and the one of earlier periods."""
    keys = tuple(k for k in e.table.key if k != e.table.period)
    pools = [_dated(e, keys, e.series(t.args[0]))]
    if len(t.args) > 1 and e.table.period in e.on(PREVIOUS).table.columns:
        there = e.on(PREVIOUS)
        pools.append(_dated(there, keys, there.series(t.args[1]), e.table.period))
    pool = pl.concat([p.with_columns(pl.col("v").cast(dtype_of(t.kind))) for p in pools], how="vertical")
    # The table that is checked goes before the one of earlier periods, where both have a record.
    names = [f"k{n}" for n in range(len(keys))]
    pool = pool.drop_nulls([*names, "month", "step"]).unique(
        [*names, "month", "step"], keep="first", maintain_order=True
    )
    own = _dated(e, keys, e.series(t.args[0])).with_row_index("row")
    if t.op == "last":
        known = pool.filter(pl.col("v").is_not_null()).sort("month")
        asked = own.select("row", *names, "month", "step").drop_nulls([*names, "month", "step"]).sort("month")
        found = asked.join_asof(
            known,
            on="month",
            by=[*names, "step"],
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
    else:
        back = pl.col("step") if t.op == "prev" else pl.lit(12)
        asked = own.select("row", *names, (pl.col("month") - back).alias("month"), "step")
        found = asked.join(pool, on=[*names, "month", "step"], how="left")
    rows = own.select("row").join(found.select("row", "v"), on="row", how="left", maintain_order="left")
    return rows["v"]


def _dated(e: Engine, keys: tuple[str, ...], value: pl.Series, period: str = "") -> pl.DataFrame:
    text = e.table.raw[period or e.table.period].str.strip_chars().alias("period")
    frame = pl.DataFrame([*_keys(e, keys), e.full(value).alias("v"), text])
    return frame.with_columns(
        period_months(pl.col("period")).alias("month"), period_step(pl.col("period")).alias("step")
    ).drop("period")


def _label_test(pattern: Pattern, label: pl.Expr) -> pl.Expr:
    if pattern.kind == "fixed":
        return label.is_in(list(pattern.texts))
    patterns = [p if pattern.kind == "rx" else glob_pattern(p) for p in pattern.texts]
    return reduce(or_, (label.str.contains(p) for p in patterns))


def _agrees(whole: pl.Expr, parts: pl.Expr, tolerance: Tolerance, scale: int | None) -> pl.Expr:
    return close_enough(whole, parts, tolerance, scale) if tolerance else whole == parts


def _scale(e: Engine, column: pl.Series, tolerance: Tolerance) -> tuple[pl.Series, int | None]:
    if not isinstance(column.dtype, pl.Decimal):
        return column, None
    scale = max(column.dtype.scale, -int(tolerance.absolute.as_tuple().exponent))
    return column.cast(pl.Decimal(38, scale)), scale


def _part_whole(e: Engine, t: Typed) -> pl.Series:
    """Every record that is part or whole: whether the parts of its group add up to the one whole."""
    groups, skip, tolerance, whole, part = cast("tuple[int, bool, Tolerance, Pattern, Pattern | None]", t.value)
    value, label, *by = e.args(t)
    value, scale = _scale(e, value, tolerance)
    frame = frame_of([value, label, *by], e.height)
    keys = [f"c{n + 2}" for n in range(groups)]
    v, text = pl.col("c0"), pl.col("c1")
    frame = frame.with_columns(_label_test(whole, text).alias("whole"))
    is_part = _label_test(part, text) if part else ~pl.col("whole")
    frame = frame.with_columns(is_part.alias("part"))
    in_whole, in_part = pl.col("whole").fill_null(False), pl.col("part").fill_null(False)
    zero = pl.lit(0).cast(frame["c0"].dtype)
    total = pl.when(in_part).then(v.fill_null(zero)).otherwise(zero).sum()
    the_whole = v.filter(in_whole).first()
    blank = the_whole.is_null() if skip else the_whole.is_null() | (v.is_null() & in_part).any()
    outcome = (
        pl.when(in_whole.sum() != 1)
        .then(False)
        .when(blank)
        .then(None)
        .otherwise(_agrees(the_whole, total, tolerance, scale))
    )
    judged = pl.when(_all_known(keys)).then(outcome.over(keys)) if keys else outcome
    concerned = pl.when(text.is_null()).then(None).when(in_whole | in_part).then(judged).otherwise(True)
    return frame.select(concerned.alias("v"))["v"].cast(pl.Boolean)


def _hierarchy(e: Engine, t: Typed) -> pl.Series:
    """Every record: whether all sums of the hierarchy it takes part in hold, as parent or as child."""
    groups, skip, tolerance, name = cast("tuple[int, bool, Tolerance, str]", t.value)
    value, label, *by = e.args(t)
    value, scale = _scale(e, value, tolerance)
    frame = frame_of([value, label, *by], e.height).with_row_index("row")
    keys = [f"c{n + 2}" for n in range(groups)]
    pairs = pl.DataFrame(e.tables.codelists[name].parents, schema={"c1": pl.String, "above": pl.String}, orient="row")
    as_child = frame.join(pairs, on="c1").with_columns(pl.lit(False).alias("is_parent"))
    tops = pairs.select(pl.col("above").alias("c1")).unique().with_columns(pl.col("c1").alias("above"))
    as_parent = frame.join(tops, on="c1").with_columns(pl.lit(True).alias("is_parent"))
    taking_part = pl.concat([as_child, as_parent], how="diagonal")
    v, parent = pl.col("c0"), pl.col("is_parent")
    zero = pl.lit(0).cast(frame["c0"].dtype)
    total, whole = pl.when(parent).then(zero).otherwise(v.fill_null(zero)).sum(), v.filter(parent).first()
    blank = whole.is_null() if skip else v.null_count() > 0
    outcome = (
        pl.when((parent.sum() != 1) | (~parent).sum().eq(0))
        .then(False)
        .when(blank)
        .then(None)
        .otherwise(_agrees(whole, total, tolerance, scale))
    )
    judged = taking_part.with_columns(outcome.over([*keys, "above"]).cast(pl.Boolean).alias("holds"))
    holds = pl.col("holds")
    of_record = judged.group_by("row").agg(
        pl.when(~holds.all()).then(False).when(holds.null_count() > 0).then(None).otherwise(True).alias("holds"),
        pl.lit(True).alias("concerned"),
    )
    rows = frame.join(of_record, on="row", how="left", maintain_order="left")
    known = _all_known(["c1", *keys])
    answer = pl.when(~known).then(None).when(pl.col("concerned").is_null()).then(True).otherwise(holds)
    return rows.select(answer.alias("v"))["v"].cast(pl.Boolean)


def _contains(e: Engine, t: Typed) -> pl.Series:
    name, groups, columns = cast("tuple[str, int, tuple[str, ...]]", t.value)
    there = e.on(name)
    wanted = pl.DataFrame(_keys(there, columns)).unique()
    found = e.args(t)
    frame = frame_of(found, e.height)
    own = [f"c{n}" for n in range(len(columns))]
    by = [f"c{len(columns) + n}" for n in range(groups)]
    patterns = any(cell is not None and "*" in cell for row in wanted.iter_rows() for cell in row)
    if t.op in ("does_not_contain", "contains_at_most") and patterns:
        tests = [
            reduce(and_, (pl.col(c).str.contains(glob_pattern(text)) for c, text in zip(own, row, strict=True) if text))
            for row in wanted.iter_rows()
            if any(row)
        ]
        listed = frame.select(reduce(or_, tests).alias("v"))["v"]
    else:
        marked = wanted.rename({f"k{n}": c for n, c in enumerate(own)}).with_columns(pl.lit(True).alias("v"))
        joined = frame.with_columns(pl.col(c).str.strip_chars() for c in own).join(
            marked, on=own, how="left", maintain_order="left"
        )
        listed = joined.select(pl.when(_all_known(own)).then(pl.col("v").fill_null(False)).alias("v"))["v"]
    if t.op == "contains_at_most":
        return listed
    if t.op == "does_not_contain":
        return combined(lambda a: ~a, listed)
    frame = frame.with_columns(listed.alias("listed"))
    combination = pl.struct(own)
    every = combination.filter(pl.col("listed").fill_null(False)).n_unique() == wanted.height
    if t.op == "contains_exactly":
        every = every & pl.col("listed").fill_null(False).all() & (combination.n_unique() == pl.len())
    if not groups:
        return e.full(frame.select(every.alias("v"))["v"])
    return frame.select(pl.when(_all_known(by)).then(every.over(by)).alias("v"))["v"]


RELATION_OPERATIONS: Mapping[str, Operation] = {
    "other_value": _other_value,
    "in_other": _in_other,
    "other_agg": _other_aggregate,
    "parent": _parent,
    "has_parent": _has_parent,
    "children": _children,
    **dict.fromkeys(("prev", "yoy", "last"), _earlier),
    "part_whole": _part_whole,
    "hierarchy": _hierarchy,
    **dict.fromkeys(("contains_exactly", "contains_at_least", "contains_at_most", "does_not_contain"), _contains),
}
