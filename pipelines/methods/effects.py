"""What a suspicious or missing figure does to what is published: to the total and to its growth. Pure; for reviewers only.

Effect = the figure as it stands less its prediction, against the total with every suspicious figure replaced by its prediction
and every missing one put in: so one gross error does not make the next look small. Source and worked example:
docs/methods/what-matters.md.
"""

from __future__ import annotations

from typing import Final

import polars as pl

WHOLE: Final = ""
MEASURES: Final = ("total_pct", "growth_points", "park_total_pct", "park_growth_points")


def effects(values: pl.DataFrame) -> pl.DataFrame:
    """Effect of each suspicious or missing figure: ``unit_id, park, code, now, predicted, basis, ratio, level, at_stake`` and ``MEASURES``.

    ``values``: one row a unit and code, as ``prediction.predicted`` returns it, with ``park``, ``base`` (the figure of the year
    before that growth is published on), ``is_suspicious`` and ``is_missing`` (the unit has not reported).

    ``at_stake`` = now − predicted; without a prediction the whole figure is at stake. ``total_pct``: at_stake in percent of
    the total of all parks, ``growth_points``: by how many percentage points growth of the total would change;
    ``park_…``: the same of the unit's park. Null where the total is not positive, growth also where the unit or the total has no positive base.
    """
    asked = pl.col("is_suspicious") | pl.col("is_missing")
    there = pl.when("is_missing").then(None).otherwise(pl.col("now"))
    sound = pl.when(asked).then(pl.col("predicted").fill_null(0.0)).otherwise(there)
    found = values.with_columns(_there=there, _sound=sound).with_columns(
        # Growth is published on units with a figure in both periods.
        _base=pl.when(pl.col("_sound").is_not_null()).then(pl.col("base").cast(pl.Float64))
    )
    found = found.with_columns(_in_growth=pl.when(pl.col("_base").is_not_null()).then(pl.col("_sound")))
    at_stake = pl.col("_there").fill_null(0.0) - pl.col("predicted").fill_null(0.0)
    unknown = pl.col("_there").is_null() & pl.col("predicted").is_null()
    found = found.with_columns(at_stake=pl.when(~unknown).then(at_stake))
    for name, by in (("", ["code"]), ("park_", ["code", "park"])):
        total = pl.col("_sound").sum().over(by)
        base, matched = pl.col("_base").sum().over(by), pl.col("_in_growth").sum().over(by)
        growth = matched / base
        own = pl.col("_base")
        changed = pl.when(pl.col("_there").is_not_null()).then((matched + pl.col("at_stake")) / base)
        # A unit that is not there takes its base along.
        without = pl.when(pl.col("_there").is_null() & (base - own > 0)).then(
            (matched - pl.col("_in_growth")) / (base - own)
        )
        found = found.with_columns(
            pl.when(total > 0).then(pl.col("at_stake") / total * 100).alias(f"{name}total_pct"),
            pl.when((base > 0) & own.is_not_null())
            .then((pl.coalesce(changed, without) - growth) * 100)
            .alias(f"{name}growth_points"),
        )
    wanted = ("unit_id", "park", "code", "now", "predicted", "basis", "ratio", "level", "is_missing", "at_stake")
    return found.filter(asked).select(*wanted, *MEASURES)


def strongest(found: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Of each group the effect that counts: the one with the largest ``effect`` = max(|total_pct|, |growth_points|).

    ``park_effect`` likewise for the park. A group none of whose effects is known has a null ``effect``.
    """
    scored = found.with_columns(
        effect=pl.max_horizontal(pl.col("total_pct").abs(), pl.col("growth_points").abs()),
        park_effect=pl.max_horizontal(pl.col("park_total_pct").abs(), pl.col("park_growth_points").abs()),
    )
    ordered = scored.sort("effect", "code", descending=[True, False], nulls_last=True, maintain_order=True)
    return ordered.group_by(by, maintain_order=True).first()
