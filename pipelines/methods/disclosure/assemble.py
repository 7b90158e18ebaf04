"""The additive table that suppression and attack work on, from judged atoms."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.methods.disclosure.atoms import Remainder
from pipelines.methods.disclosure.rules import Rules, protection
from pipelines.methods.disclosure.table import AdditiveTable, Equation, Floats, Index, flags


def assemble(
    atoms: pl.DataFrame, remainders: list[Remainder], equal: list[Equation], rules: Rules, *, cost: Floats | None = None
) -> AdditiveTable:
    """The additive table over judged atoms and their remainders, remainders last.

    ``atoms`` has total, n, absolute_total, part, is_count, reason, shown, fixed and kept; row i is cell i of the equations. A
    primary cell of value zero is hidden but asks for no interval: any other hidden cell of its row keeps it open.
    ``cost`` is what hiding an atom loses, by default its value (survey_system.md 10.4: the smallest first).
    """
    extra = len(remainders)
    rest = np.array([r.value for r in remainders], dtype=float)
    few = np.array([r.is_few for r in remainders], dtype=bool)
    # Behind a remainder of one stands a unit of which nothing more is known; numbers of atoms end at their count.
    alone = np.array([atoms.height + 1 + i if r.n == 1 else -1 for i, r in enumerate(remainders)], dtype=np.int64)
    values = np.concatenate([atoms["total"].fill_null(0.0).to_numpy(), rest])
    primary = np.concatenate([atoms["reason"].is_not_null().to_numpy(), few])
    shown = atoms["shown"].to_numpy()
    # Gains and losses may cancel out: such a zero has units behind it and is a figure like any other.
    idle = (atoms["n"].fill_null(0) == 0).to_numpy()
    size = atoms["absolute_total"].fill_null(atoms["total"].abs()).fill_null(0.0).to_numpy()
    fixed = atoms["fixed"].to_numpy()
    need = np.concatenate(
        [atoms.select(protection(rules)).to_series().fill_null(0.0).to_numpy(), rules.p_percent / 100 * np.abs(rest)]
    )
    below, above = _knowledge(atoms, values, rules)
    return AdditiveTable(
        values=values,
        primary=primary,
        free=np.concatenate([~shown & ~fixed, np.ones(extra, dtype=bool)]),
        fixed=np.concatenate([fixed, flags(extra)]),
        kept=np.concatenate([atoms["kept"].to_numpy() & ~fixed, flags(extra)]),
        owner=np.concatenate([_owners(atoms), alone]),
        need=np.where(primary & (values != 0), need, 0.0),
        cost=np.concatenate([size if cost is None else cost, np.zeros(extra)]),
        below=below,
        above=above,
        empty=np.concatenate([(values[: atoms.height] == 0) & idle & shown & ~primary[: atoms.height], flags(extra)]),
        equations=tuple(equal),
    )


def _owners(atoms: pl.DataFrame) -> Index:
    """The single unit behind each atom as a number: by its name where it is given, else one for each group of units.

    A count tells nothing of whose it is, so each is taken for another unit's.
    """
    itself = pl.int_range(pl.len()).cast(pl.String)
    group = [c for c in ("area", "breakdown", "category") if c in atoms.columns]
    whose = pl.when("is_count").then(itself).otherwise(pl.concat_str(group, separator="\n") if group else itself)
    if "max1_unit" in atoms.columns:
        whose = pl.coalesce("max1_unit", whose)
    numbered = whose.rank("dense").cast(pl.Int64)
    single = pl.col("n").fill_null(0) == 1
    return atoms.select(owner=pl.when(single).then(numbered).otherwise(-1))["owner"].to_numpy()


def _knowledge(atoms: pl.DataFrame, values: Floats, rules: Rules) -> tuple[Floats, Floats]:
    """How far each value may lie lower and higher for all an outsider knows beforehand.

    A sum of amounts that cannot be negative reaches down to zero; one with losses in it (absolute total above the total,
    in any atom of its part) has no bounds.
    """
    if rules.attacker_range is not None:
        reach = rules.attacker_range * np.abs(values)
        return reach, reach
    mixed = atoms.select(
        part="part",
        mixed=(pl.col("total") < 0)
        | (pl.col("absolute_total").fill_null(pl.col("total").abs()) > pl.col("total").abs() * (1 + 1e-9)),
    )
    signed = set(mixed.filter("mixed")["part"])
    negative = np.array([p in signed for p in atoms["part"]], dtype=bool)
    below = np.abs(values)
    below[: atoms.height][negative] = np.inf
    below[values < 0] = np.inf
    return below, np.full(len(values), np.inf)
