"""From published cells to what they reveal: the sums and counts behind them, and the equations between those.

An *atom* is one sum or count of one group of units: (part, period, area, breakdown, category). The same atom may stand
behind cells of many tables and products; it is judged and hidden once, so the same cell is hidden everywhere
(survey_system.md 10.5). ``area`` and ``breakdown`` are brought into one form first: the row 园区=LBGX of an area's table
is the total of LBGX.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from pipelines.methods.disclosure.table import Equation
from schemas.period import Period

TOTAL: Final = "T"
WHOLE: Final = "total"
CROSS: Final = "×"
SEPARATOR: Final = "|"
KEYS: Final = ("part", "period", "area", "breakdown", "category")
_ROUNDING: Final = 1e-6

ATOM_COLUMNS: Final[dict[str, pl.DataType]] = {
    "part": pl.String(),
    "period": pl.String(),
    "area": pl.String(),
    "breakdown": pl.String(),
    "category": pl.String(),
    "variant": pl.Int64(),  # 0; higher where two producers gave one text to different figures
    "n": pl.Int64(),
    "max1": pl.Float64(),
    "max2": pl.Float64(),
    "total": pl.Float64(),
    "absolute_total": pl.Float64(),
    "population": pl.Int64(),
    "administrative": pl.Boolean(),
    "max1_unit": pl.String(),
    "is_count": pl.Boolean(),
    "least": pl.Int64(),
    "shown": pl.Boolean(),  # a cell with a value shows it, or shows a figure made of it
}


@dataclass(frozen=True)
class Term:
    """One part of an identity; ``back`` is "" for the period itself, "previous" for the quarter before."""

    part: str
    back: str = ""


@dataclass(frozen=True)
class Identity:
    """``total`` is the sum of ``parts`` in every area, breakdown and category: 研发费用 = 人员 + 直接投入 + …, 累计 = 上季累计 + 单季."""

    total: Term
    parts: tuple[Term, ...]


@dataclass(frozen=True)
class Layout:
    """How groups of units nest.

    ``area_parents``: area → the areas it is added up into. ``area_breakdowns``: breakdowns whose categories are areas.
    ``parents``: (breakdown, category) → the (breakdown, category) it is part of, where that is not the total. A breakdown
    named ``A×B`` with categories ``a|b`` adds up to both A and B.
    """

    area_parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    area_breakdowns: frozenset[str] = frozenset({"zone", "sub_park", "park"})
    parents: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    identities: tuple[Identity, ...] = ()


def atoms_of(cells: pl.DataFrame, parts: pl.DataFrame, layout: Layout, *, least: int, count_least: int) -> pl.DataFrame:
    """(row_key, role, ATOM_COLUMNS…): one row a part of a cell, not yet merged.

    ``parts`` has ``schemas.marts.PART_COLUMNS`` and may have ``period``, ``area``, ``breakdown``, ``category`` (where a part
    is about another group than its cell: the denominator of a share), ``absolute_total``, ``population``, ``max1_unit``.
    ``administrative`` applies where one provider, not several units, stands behind the figure.
    """
    where = cells.select(
        "row_key", "period", "area", "breakdown", "category", pl.col("value").is_not_null().alias("shown")
    )
    given = parts.with_columns(
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in ATOM_COLUMNS.items()
        if name not in parts.columns and name not in ("is_count", "least", "shown", "variant")
    )
    joined = given.join(where, on="row_key", how="inner", suffix="_cell", maintain_order="left")
    own = {
        name: pl.when(pl.col(name).is_not_null() & (pl.col(name) != "")).then(pl.col(name)).otherwise(f"{name}_cell")
        for name in ("period", "area", "breakdown", "category")
    }
    is_count = pl.col("part").str.contains(r"\bCOUNT\b") & ~pl.col("part").str.contains(r"\bSUM\b")
    placed = joined.with_columns(
        **own,
        is_count=is_count,
        administrative=pl.col("administrative").fill_null(False),
        variant=pl.lit(0, dtype=pl.Int64),
    )
    placed = placed.with_columns(
        least=pl.when("is_count").then(count_least).otherwise(least).cast(pl.Int64),
        population=pl.coalesce("population", pl.lit(0, dtype=pl.Int64)),
    )
    return canonical(placed, layout).select("row_key", "role", *(pl.col(c).cast(t) for c, t in ATOM_COLUMNS.items()))


def canonical(atoms: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The same atoms with every group named in one way only."""
    total = pl.col("category").is_in([TOTAL, ""])
    is_area = pl.col("breakdown").is_in(sorted(layout.area_breakdowns)) & ~total
    return atoms.with_columns(
        area=pl.when(is_area).then("category").otherwise("area"),
        breakdown=pl.when(is_area | total).then(pl.lit(WHOLE)).otherwise("breakdown"),
        category=pl.when(is_area | total).then(pl.lit(TOTAL)).otherwise("category"),
    )


def merged(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(atoms, rows with their ``atom`` number): equal keys and equal totals are one atom.

    One text may stand for different figures, where the same-unit rule leaves out units of one ratio and not of another.
    These are variants: variant 0 runs over the most units and enters the equations; all are judged, and what hides one
    hides them all. The strictest threshold of all cells that show an atom holds.
    """
    ordered = rows.sort(*KEYS, "total", nulls_last=True, maintain_order=True).drop("variant")
    # Equal keys stand together now; numbers for them cost a fraction of what five texts do, and a nation has millions of rows.
    is_same = pl.all_horizontal(pl.col(k).eq_missing(pl.col(k).shift(1)) for k in KEYS) & (pl.int_range(pl.len()) > 0)
    ordered = ordered.with_columns(_same=is_same).with_columns(_key=(~pl.col("_same")).cum_sum())
    scale = pl.col("total").abs().max().over("_key").fill_null(0.0) * _ROUNDING + 1e-9
    # Totals closer than the rounding belong together: number them by the gaps in their order.
    jump = ((pl.col("total") - pl.col("total").shift(1)).abs() > scale).fill_null(False)
    jump |= pl.col("total").is_null() != pl.col("total").is_null().shift(1)
    ordered = ordered.with_columns(_one=(~pl.col("_same") | jump.fill_null(False)).cum_sum()).drop("_same", "_key")
    atoms = (
        ordered.group_by("_one", maintain_order=True)
        .agg(
            pl.col(*KEYS, "is_count").first(),
            pl.col("n", "max1", "max2", "total", "absolute_total", "max1_unit").drop_nulls().first(),
            pl.col("population", "least").max(),
            pl.col("administrative").all(),
            pl.col("shown").any(),
        )
        .sort(
            *KEYS, pl.col("n").fill_null(-1), pl.col("total").abs().fill_null(-1.0), descending=[False] * 5 + [True] * 2
        )
        .with_columns(variant=pl.int_range(pl.len(), dtype=pl.Int64).over(KEYS))
        .with_row_index("atom")
        .with_columns(pl.col("atom").cast(pl.Int64))
    )
    numbered = ordered.join(atoms.select("_one", "atom"), on="_one", how="left", maintain_order="left")
    return atoms.select("atom", *ATOM_COLUMNS), numbered.drop("_one")


def groups(atoms: pl.DataFrame, layout: Layout) -> list[tuple[int, tuple[int, ...]]]:
    """(total, parts) by atom number: every group of atoms that is part of another one in the data."""
    main = atoms.filter(variant=0).select("atom", *KEYS)
    found = [
        *_nested(_by_category(main, layout), main),
        *_nested(_by_area(main, layout), main),
        *_by_identity(main, layout),
    ]
    return sorted({(total, tuple(sorted(parts))) for total, parts in found})


def _by_category(main: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    below = main.filter(pl.col("category") != TOTAL)
    parents = pl.DataFrame(
        [(b, c, pb, pc) for (b, c), (pb, pc) in sorted(layout.parents.items())],
        schema=dict.fromkeys(("breakdown", "category", "up_breakdown", "up_category"), pl.String),
        orient="row",
    )
    plain = (
        below.filter(~pl.col("breakdown").str.contains(CROSS, literal=True))
        .join(parents, on=["breakdown", "category"], how="left", maintain_order="left")
        .with_columns(
            pl.col("up_breakdown").fill_null(WHOLE), pl.col("up_category").fill_null(TOTAL), side=pl.col("breakdown")
        )
    )
    crossed = below.filter(pl.col("breakdown").str.contains(CROSS, literal=True))
    sides = []
    for side in (0, 1):
        up = pl.col("breakdown").str.split(CROSS).list.get(side, null_on_oob=True)
        code = pl.col("category").str.split(SEPARATOR).list.get(side, null_on_oob=True)
        sides.append(
            crossed.with_columns(up_breakdown=up, up_category=code, side=pl.concat_str("breakdown", pl.lit(f"/{side}")))
        )
    return pl.concat([frame.with_columns(up_area="area") for frame in (plain, *sides)], how="diagonal")


def _by_area(main: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    pairs = pl.DataFrame(
        [(area, up) for area, ups in sorted(layout.area_parents.items()) for up in ups],
        schema={"area": pl.String, "up_area": pl.String},
        orient="row",
    )
    return main.join(pairs, on="area", how="inner", maintain_order="left").with_columns(
        up_breakdown="breakdown", up_category="category", side=pl.lit("area")
    )


def _nested(below: pl.DataFrame, main: pl.DataFrame) -> list[tuple[int, tuple[int, ...]]]:
    above = main.rename(
        {"atom": "total_atom", "area": "up_area", "breakdown": "up_breakdown", "category": "up_category"}
    )
    keys = ["part", "period", "up_area", "up_breakdown", "up_category"]
    joined = below.join(above, on=keys, how="inner", maintain_order="left")
    grouped = joined.group_by("total_atom", "side", maintain_order=True).agg(pl.col("atom"))
    return [(total, tuple(parts)) for total, parts in grouped.select("total_atom", "atom").iter_rows()]


def _by_identity(main: pl.DataFrame, layout: Layout) -> list[tuple[int, tuple[int, ...]]]:
    if not layout.identities:
        return []
    place = {tuple(row[1:]): row[0] for row in main.iter_rows()}
    found = []
    for identity in layout.identities:
        here = main.filter(part=identity.total.part)
        for row in here.iter_rows():
            members = [place.get((term.part, _back(row[2], term.back), *row[3:])) for term in identity.parts]
            known = tuple(m for m in members if m is not None)
            if known:
                found.append((row[0], known))
    return found


def _back(period: str, back: str) -> str:
    if back != "previous":
        return period
    earlier = Period.parse(period).previous()
    return str(earlier) if earlier else ""


@dataclass(frozen=True)
class Remainder:
    """What a total holds beyond its listed parts: units without a category, or categories not published.

    ``n``: units behind it, where known; ``is_few``: fewer than a published cell would need.
    """

    value: float
    n: int | None
    is_few: bool


def equations(
    atoms: pl.DataFrame, found: Sequence[tuple[int, Sequence[int]]]
) -> tuple[list[Equation], list[Remainder], list[int]]:
    """Equations that hold on the figures, the remainders they need as further cells, and totals that do not add up.

    Remainders are numbered on from the last atom. A group is left out (third result) where its parts come to more than its
    total although nothing can be negative: the categories overlap and reveal nothing by subtraction.
    """
    totals = atoms["total"].to_numpy().astype(float)
    numbers, least = atoms["n"].to_list(), atoms["least"].to_list()
    positive = np.asarray(
        (atoms["absolute_total"].fill_null(atoms["total"].abs()) - atoms["total"]).abs().fill_null(1.0) < 1e-6
    )
    result: list[Equation] = []
    remainders: list[Remainder] = []
    overlapping: list[int] = []
    for total, parts in found:
        members = [total, *parts]
        if np.isnan(totals[members]).any():
            continue
        rest = float(totals[total] - totals[list(parts)].sum())
        size = float(np.abs(totals[members]).max(initial=0.0))
        counts = [numbers[i] for i in members]
        left = None if any(c is None for c in counts) else int(counts[0]) - sum(int(c) for c in counts[1:])
        if abs(rest) <= _ROUNDING * max(size, 1e-9):
            result.append(Equation(total, tuple(parts)))
            continue
        if rest < 0 and positive[members].all():
            overlapping.append(total)
            continue
        few = left is not None and 0 < left < least[total]
        remainders.append(Remainder(rest, left, few))
        result.append(Equation(total, (*parts, len(totals) + len(remainders) - 1)))
    return result, remainders, overlapping
