"""The list of signs of a round 数据质量线索: every method of ``pipelines.methods.signs`` over what was reported.

For province roles only. The list names evidence, not guilt: who looks into it starts from the innocent explanations.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import polars as pl

from pipelines.intake import Office, observations_of
from pipelines.matters import Matters, summable, what_matters
from pipelines.methods.signs import (
    LateChange,
    Sign,
    copied_history,
    heaping,
    identical_growth,
    last_hour_edits,
    target_hits,
    twins,
)
from schemas.expression import Call, Name, parse
from schemas.model import Edition, ValueType
from schemas.observations import ENTERPRISE_ROSTER
from schemas.period import Period
from warehouse.ledger.periods import round_of
from warehouse.ledger.submissions import Submission, submissions

LATE = timedelta(hours=24)


def signs_of(office: Office, period: Period, matters: Matters | None = None) -> list[Sign]:
    """Every sign of a round, by kind, the least likely by chance first within it."""
    found = matters or what_matters(office, period)
    edition = office.programme.edition_for(period)
    reported = found.values.filter(~pl.col("is_missing"))
    # Projects and carriers state agreed sums and floor areas, which are round by nature.
    own = [i.code for i in summable(edition, period).get(ENTERPRISE_ROSTER, [])]
    units = reported.filter(pl.col("code").is_in(own))
    growth = units.select("unit_id", "park", "code", "now", base=pl.coalesce("year_earlier", "before"))
    signs = [
        *identical_growth(growth),
        *heaping(units.select("unit_id", "park", "code", "now")),
        *target_hits(_against_targets(edition, reported, period)),
        *copied_history(units, "year_earlier", "上年同期"),
        *copied_history(units, "before", "上一报告期"),
        *twins(units.select("unit_id", "park", "code", "now")),
        *last_hour_edits(_late_changes(office, period, edition)),
    ]
    order = list(dict.fromkeys(s.kind for s in signs))
    return sorted(signs, key=lambda s: (order.index(s.kind), s.chance if s.chance is not None else 1.0, s.park, s.code, s.units))  # fmt: skip


def _against_targets(edition: Edition, reported: pl.DataFrame, period: Period) -> pl.DataFrame:
    """park, code, name, value, target: targets of a park for this year that are one figure or the sum of one."""
    schema = {"park": pl.String, "code": pl.String, "name": pl.String, "value": pl.Float64, "target": pl.Float64}
    sums = {(p, c): v for p, c, v in reported.group_by("park", "code").agg(pl.col("now").sum()).iter_rows()}
    rows = []
    for target in edition.targets:
        code = _one_code(target.formula)
        if code and target.target_year == period.year and target.target_value and (target.area, code) in sums:
            rows.append((target.area, code, target.name, sums[target.area, code], target.target_value))
    return pl.DataFrame(rows, schema=schema, orient="row")


def _one_code(formula: str) -> str:
    node = parse(formula) if formula else None
    if isinstance(node, Call) and node.function == "SUM" and len(node.arguments) == 1:
        node = node.arguments[0]
    return node.code if isinstance(node, Name) and not node.lag else ""


def _late_changes(office: Office, period: Period, edition: Edition) -> Iterator[LateChange]:
    """Of each park the uploads of the last day before its deadline, against the upload before."""
    with office.ledger.read() as session:
        current = round_of(session, period)
        found = [s for s in submissions(session, period=period) if s.check and s.check.observations_blob]
    if current is None:
        return
    by_park: dict[str, list[Submission]] = {}
    for one in found:
        by_park.setdefault(one.park, []).append(one)
    for park, revisions in by_park.items():
        deadline = current.deadline_of(park)
        for before, after in pairwise(revisions):
            left = deadline - after.received_at
            if timedelta(0) <= left <= LATE:
                yield _change(office, edition, before, after, left.total_seconds() / 3600)


def _change(office: Office, edition: Edition, before: Submission, after: Submission, hours: float) -> LateChange:
    then, now = (_figures(office, edition, one) for one in (before, after))
    both = then.join(now, on=["unit_id", "code"], how="full", coalesce=True, suffix="_now")
    changed = both.filter(pl.col("value").ne_missing(pl.col("value_now")))
    sums = changed.group_by("code").agg(pl.col("value").sum(), pl.col("value_now").sum())
    additive = {c for c, i in edition.indicators.items() if i.additive}
    moved = {c: (float(b), float(a)) for c, b, a in sums.iter_rows() if c in additive}
    units = tuple(sorted(set(changed["unit_id"].drop_nulls().to_list())))
    return LateChange(after.park, after.number, hours, changed.height, units, moved)


def _figures(office: Office, edition: Edition, one: Submission) -> pl.DataFrame:
    """unit_id, code, value of every number of a submission."""
    numbers = {c for c, i in edition.indicators.items() if i.type is ValueType.NUMBER}
    parts = [pl.DataFrame(schema={"unit_id": pl.String, "code": pl.String, "value": pl.Float64})]
    for frame in observations_of(office.vault, one).frames.values():
        codes = [c for c in frame.columns if c in numbers]
        if codes and frame.height:
            wide = frame.unique("unit_id", keep="first", maintain_order=True).select("unit_id", *(pl.col(c).cast(pl.Float64) for c in codes))  # fmt: skip
            parts.append(wide.unpivot(index="unit_id", variable_name="code", value_name="value").drop_nulls("value"))
    return pl.concat(parts)
