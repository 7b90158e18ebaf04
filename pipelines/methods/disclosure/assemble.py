"""The additive table that suppression and attack work on, from judged atoms."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.methods.disclosure.atoms import Remainder
from pipelines.methods.disclosure.rules import Rules, protection
from pipelines.methods.disclosure.table import AdditiveTable, Equation, Floats, flags


def assemble(
    atoms: pl.DataFrame, remainders: list[Remainder], equal: list[Equation], rules: Rules, *, cost: Floats | None = None
) -> AdditiveTable:
    """The additive table over judged atoms and their remainders, remainders last.

    ``atoms`` has total, n, absolute_total, part, is_count, reason, shown and fixed; row i is cell i of the equations. A
    primary cell of value zero is hidden but asks for no interval: any other hidden cell of its row keeps it open.
    ``cost`` is what hiding an atom loses, by default its value (survey_system.md 10.4: the smallest first).
    """
    extra = len(remainders)
    rest = np.array([r.value for r in remainders], dtype=float)
    few = np.array([r.is_few for r in remainders], dtype=bool)
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
        fixed=np.concatenate([fixed, np.zeros(extra, dtype=bool)]),
        singleton=np.concatenate(
            [(atoms["n"].fill_null(0) == 1).to_numpy(), np.array([r.n == 1 for r in remainders], dtype=bool)]
        ),
        need=np.where(primary & (values != 0), need, 0.0),
        cost=np.concatenate([size if cost is None else cost, np.zeros(extra)]),
        below=below,
        above=above,
        empty=np.concatenate([(values[: atoms.height] == 0) & idle & shown & ~primary[: atoms.height], flags(extra)]),
        equations=tuple(equal),
    )


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
