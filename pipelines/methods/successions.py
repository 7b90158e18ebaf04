"""Merged and split units in a comparison of two periods: what went before is held against what came after, as one.

The units that mergers and splits of the register link between the two periods are one group. If the whole group answered, the
earlier figure of each of its units passes to the units it went into that report now, in proportion to their present figures of the indicator, so that
the group continues; no sum of the earlier period changes, not by area or industry either. If a unit of the group is silent, or estimated, the
group cannot be compared: its units are in no matched panel. Source: Eurostat and OECD, Manual on Business Demography Statistics
(2007), demographic events: the activity of enterprises that merge or split goes on, it is neither birth nor death.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from schemas.period import Period

FOR_NOBODY = pl.DataFrame(schema={"unit_id": pl.String, "indicator": pl.String})


def linked_units(successions: pl.DataFrame, before: Period, now: Period) -> dict[str, str]:
    """Unit → the first id of its group, of mergers and splits after the end of ``before`` and up to the end of ``now``.

    ``successions``: effective, predecessor, successor.
    """
    lead: dict[str, str] = {}

    def head(unit: str) -> str:
        while lead.setdefault(unit, unit) != unit:
            unit = lead[unit]
        return unit

    for one, other in _between(successions, before, now):
        first, second = sorted((head(one), head(other)))
        lead[second] = first
    return {unit: head(unit) for unit in sorted(lead)}


def went_into(successions: pl.DataFrame, before: Period, now: Period) -> dict[str, frozenset[str]]:
    """Unit → the units it went into between the ends of two periods, step by step; itself among them where it went on."""
    after: dict[str, set[str]] = {}
    for one, other in _between(successions, before, now):
        after.setdefault(one, set()).add(other)
    found = {}
    for unit in sorted(after):
        reached: set[str] = set()
        waiting = [unit]
        while waiting:
            new = after.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        found[unit] = frozenset(reached)
    return found


def _between(successions: pl.DataFrame, before: Period, now: Period) -> list[tuple[str, str]]:
    rows = successions.filter((pl.col("effective") > before.end) & (pl.col("effective") <= now.end))
    return list(rows.select("predecessor", "successor").iter_rows())


@dataclass(frozen=True)
class HandedOver:
    """``amounts``: the earlier figures, those of linked units under the units they went to (several rows a unit where it has
    several predecessors; park and other groups stay those of the origin). ``apart``: unit_id, indicator of the linked units
    that cannot be compared."""

    amounts: pl.DataFrame
    apart: pl.DataFrame

    @property
    def comparable(self) -> pl.DataFrame:
        """One row a unit and indicator: unit_id, indicator, sheet, amount of what may be held against its present figure."""
        kept = self.amounts.join(self.apart, on=["unit_id", "indicator"], how="anti", maintain_order="left")
        whole = pl.when(pl.col("amount").null_count() == 0).then(pl.col("amount").sum())
        return kept.group_by("unit_id", "indicator", "sheet", maintain_order=True).agg(whole.alias("amount"))


def handed_over(
    earlier: pl.DataFrame, units: pl.DataFrame, groups: Mapping[str, str], into: Mapping[str, frozenset[str]]
) -> HandedOver:
    """``earlier`` (unit_id, indicator, sheet, amount and groups) as the linked units of now stand for it.

    ``units``: unit_id, indicator, sheet, amount, due, estimated of the present period; ``groups`` as ``linked_units``, ``into`` as
    ``went_into``. A figure none of whose unit's own heirs reports goes to all of the group that do.
    """
    linked = pl.col("unit_id").is_in(list(groups)) & ~pl.col("sheet")
    then, now = earlier.filter(linked), units.filter(linked)
    if then.is_empty() and now.is_empty():
        return HandedOver(earlier, FOR_NOBODY)
    heirs: dict[tuple[str, str], dict[str, int]] = {}
    apart: set[tuple[str, str]] = set()
    for unit, indicator, amount, due, estimated in now.select(
        "unit_id", "indicator", "amount", "due", "estimated"
    ).iter_rows():
        key = (groups[unit], indicator)
        if amount is not None:
            heirs.setdefault(key, {})[unit] = amount
        if estimated or (amount is None and due):
            apart.add(key)
    rows: list[dict[str, object]] = []
    missing = then.filter(pl.col("amount").is_null())
    apart |= {(groups[u], i) for u, i in missing.select("unit_id", "indicator").iter_rows()}
    for row in then.iter_rows(named=True):
        key = (groups[row["unit_id"]], row["indicator"])
        if key in apart or key not in heirs:
            rows.append(row)
            continue
        there = heirs[key]
        own = {unit: there[unit] for unit in into.get(row["unit_id"], (row["unit_id"],)) if unit in there}
        parts = shared(row["amount"], own or there)
        rows += [row | {"unit_id": unit, "amount": part} for unit, part in parts.items()]
    members: dict[str, list[str]] = {}
    for unit, group in groups.items():
        members.setdefault(group, []).append(unit)
    outside = sorted((unit, indicator) for group, indicator in apart for unit in members[group])
    moved = pl.DataFrame(rows, schema=earlier.schema)
    return HandedOver(
        pl.concat([earlier.filter(~linked), moved]), pl.DataFrame(outside, schema=FOR_NOBODY.schema, orient="row")
    )


def shared(amount: int, heirs: Mapping[str, int]) -> dict[str, int]:
    """``amount`` in whole parts in proportion to the figures of the heirs, by largest remainder; they sum to it exactly.

    Equal parts where a figure is negative or all are zero: then there is no proportion.
    """
    names = sorted(heirs)
    weights = [heirs[name] for name in names]
    if min(weights) < 0 or sum(weights) == 0:
        weights = [1] * len(names)
    whole = sum(weights)
    parts = [amount * weight // whole for weight in weights]
    rest = amount - sum(parts)
    order = sorted(range(len(names)), key=lambda k: (-(amount * weights[k] % whole), names[k]))
    for k in order[:rest]:
        parts[k] += 1
    return dict(zip(names, parts, strict=True))


def with_members(units: Iterable[str], groups: Mapping[str, str]) -> set[str]:
    """The units and all that are linked with one of them."""
    found = set(units)
    touched = {groups[unit] for unit in found & groups.keys()}
    return found | {unit for unit, group in groups.items() if group in touched}
