"""Expressions by area and breakdown, in one shape: figures, how well they are covered, and what they are made of.

The one bridge between ``schemas.polars_aggregates`` and the products: monitoring, warnings, targets and revisions all ask
here, so that a figure is the same wherever it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from pipelines.methods.areas import SUB_KINDS, Area, areawise
from schemas import reserved
from schemas.classes import section
from schemas.environment import Environment
from schemas.expression import Binary, Call, Name, Node, children, distributed, expand, parse, to_text, walk
from schemas.period_data import CONTEXT, ENTERPRISE, PARK, PeriodData
from schemas.polars_aggregates import aggregate_many
from schemas.structural_zeros import NON_RESPONSE
from schemas.structural_zeros import with_structural_zeros as structural

TOTAL: Final = "T"
UNKNOWN_CATEGORY: Final = "_"
OUTSIDE_POPULATION: Final = ("5", "6", "7", "8")  # survey_system 2.1: closed, moved, duplicate, out of scope
MANUFACTURING: Final = "C"
KEYS: Final = ("area", "breakdown", "category")
STATISTICS: Final = ("n", "max1", "max2", "total", "absolute_total")


@dataclass(frozen=True)
class Breakdown:
    """One way to divide an area. ``column`` holds the category; ``kinds`` the kinds of area it is made for."""

    name: str
    column: str
    kinds: tuple[str, ...]
    rosters_only: bool = True


BREAKDOWNS: Final[dict[str, Breakdown]] = {
    b.name: b
    for b in (
        Breakdown("total", "", ("area", "zone", *SUB_KINDS), rosters_only=False),
        Breakdown("zone", "park", ("area",), rosters_only=False),
        Breakdown("sub_park", "sub_park", ("zone",)),
        Breakdown("section", "section", ("area", "zone")),
        Breakdown("division", "division", ("area", "zone")),
        Breakdown("size", "size", ("area", "zone")),
    )
}


@dataclass(frozen=True)
class AreaFigures:
    """``values``: area, breakdown, category, then one Float64 column a name; ``coverage`` likewise (share 0 to 1, null
    where the expression has no ratio of roster sums); ``parts``: area, breakdown, category, name, part, role, n, max1,
    max2, total, administrative; ``missing_years``: name → years asked for that are not on file."""

    values: pl.DataFrame
    coverage: pl.DataFrame
    parts: pl.DataFrame
    missing_years: Mapping[str, tuple[int, ...]]


def surveyed(data: PeriodData, env: Environment) -> PeriodData:
    """The observations as they count: units outside the population dropped, unanswered ones without figures, structural
    zeros filled in. Figures of a unit that did not answer validly count only as estimates (``imputed``)."""
    counted = replace(data, rosters={name: _counted(frame) for name, frame in data.rosters.items()})
    return structural(counted, env)


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    if "answer_status" not in frame.columns:
        return frame
    inside = frame.filter(~pl.col("answer_status").is_in(OUTSIDE_POPULATION).fill_null(False))
    silent = pl.col("answer_status").is_in(NON_RESPONSE).fill_null(False)
    if "imputed" in frame.columns:
        silent &= ~pl.col("imputed").fill_null(False)
    figures = [n for n, t in frame.schema.items() if t.is_numeric() and n != "weight"]
    return inside.with_columns(pl.when(~silent).then(pl.col(n)).alias(n) for n in figures)


def classified(data: PeriodData, env: Environment, sub_park_codes: Mapping[str, str]) -> PeriodData:
    """The observations with the columns breakdowns need: sub_park, and for enterprises section, division and size.

    ``sub_park_codes``: roster → the code that names the sub-park. Unknown categories are ``_``; a division is given to
    manufacturing only. Size is ``B10`` as the roster has it: a class is derived from annual figures, never from a quarter.
    """
    rosters = {}
    for name, frame in data.rosters.items():
        own = sub_park_codes.get(name, "")
        if "sub_park" not in frame.columns:
            frame = frame.with_columns(
                (pl.col(own) if own in frame.columns else pl.lit(None, pl.String)).alias("sub_park")
            )
        frame = frame.with_columns(pl.col("sub_park").fill_null(UNKNOWN_CATEGORY))
        rosters[name] = frame.with_columns(_classes(frame, env)) if name == ENTERPRISE else frame
    return replace(data, rosters=rosters)


def _classes(frame: pl.DataFrame, env: Environment) -> list[pl.Expr]:
    industry = pl.col(reserved.INDUSTRY) if reserved.INDUSTRY in frame.columns else pl.lit(None, dtype=pl.String)
    size = pl.col(reserved.SIZE) if reserved.SIZE in frame.columns else pl.lit(None, dtype=pl.String)
    letter = section(industry, env.industries)
    return [
        letter.fill_null(UNKNOWN_CATEGORY).alias("section"),
        pl.when(letter == MANUFACTURING).then(industry.str.slice(0, 2)).alias("division"),
        size.fill_null(UNKNOWN_CATEGORY).alias("size"),
    ]


def is_weighted(data: PeriodData) -> bool:
    """Whether some unit stands for others."""
    return any("weight" in frame.columns and bool((frame["weight"] != 1.0).any()) for frame in data.rosters.values())


def area_figures(
    nodes: Mapping[str, str],
    data: PeriodData,
    areas: Mapping[str, Area],
    codes: Iterable[str],
    breakdowns: Sequence[str | Breakdown],
    env: Environment,
) -> AreaFigures:
    """Every expression of ``nodes`` for every area of ``codes`` and every breakdown, sorted by area, breakdown, category.

    ``data`` as ``surveyed`` and ``classified`` left it. Expressions that read sheet figures (K codes) are null in
    breakdowns that only rosters have. Areas without member zones and without sub-park get no row.
    """
    chosen, weighted = [areas[c] for c in codes], is_weighted(data)
    roles = {name: part_roles(text, env) for name, text in nodes.items()}
    found = [
        _one_breakdown(
            nodes, roles, data, areas, chosen, BREAKDOWNS[b] if isinstance(b, str) else b, env, weighted=weighted
        )
        for b in breakdowns
    ]
    return AreaFigures(
        pl.concat([f.values for f in found]).sort(KEYS),
        pl.concat([f.coverage for f in found]).sort(KEYS),
        pl.concat([f.parts for f in found]).sort(*KEYS, "name", "part"),
        {name: years for f in found for name, years in f.missing_years.items()},
    )


def _one_breakdown(
    nodes: Mapping[str, str],
    roles: Mapping[str, Mapping[str, str]],
    data: PeriodData,
    areas: Mapping[str, Area],
    chosen: Sequence[Area],
    breakdown: Breakdown,
    env: Environment,
    *,
    weighted: bool,
) -> AreaFigures:
    codes = [a.code for a in chosen if a.kind in breakdown.kinds]
    by = ["area", *([breakdown.column] if breakdown.column else [])]
    spread = areawise(data, areas, codes)
    if breakdown.rosters_only:
        spread = replace(spread, parks=spread.parks.clear())
    env = replace(env, at=_areawise_at(env.at, areas, codes))
    possible = _divisible(nodes, spread, by, env)
    if not possible:
        return _nothing(nodes)
    found = aggregate_many(possible, spread, by, env, weighted=weighted)

    def keyed(frame: pl.DataFrame) -> pl.DataFrame:
        category = pl.col(breakdown.column) if breakdown.column else pl.lit(TOTAL)
        named = frame.with_columns(pl.lit(breakdown.name).alias("breakdown"), category.alias("category"))
        return named.filter(pl.col("area").is_not_null() & pl.col("category").is_not_null())

    def with_all(frame: pl.DataFrame) -> pl.DataFrame:
        missing = [pl.lit(None, dtype=pl.Float64).alias(n) for n in nodes if n not in frame.columns]
        return keyed(frame).with_columns(missing).select(*KEYS, *(pl.col(n).cast(pl.Float64) for n in nodes))

    values = with_all(found.values)
    parts = [
        _roster_parts(keyed(found.parts), roles, str(data.period), weighted=weighted),
        _sheet_parts(values, possible, roles, env),
    ]
    return AreaFigures(values, with_all(found.coverage), pl.concat(parts), found.missing_years)


def _divisible(nodes: Mapping[str, str], data: PeriodData, by: Sequence[str], env: Environment) -> dict[str, str]:
    """The expressions with at least one roster, or the sheet, that has the columns ``by``; the rest are undetermined.

    Context figures are about whole areas: they have a value for an area, none for a category within it.
    """
    frames = {**data.rosters, PARK: data.parks}
    divisible = {name for name, frame in frames.items() if set(by) <= set(frame.columns) and frame.height}
    if tuple(by) == ("area",) and divisible:
        divisible.add(CONTEXT)
    return {name: text for name, text in nodes.items() if divisible & {e.roster for e in env.typed(text).walk()}}


PART_SCHEMA: Final = {
    **dict.fromkeys(KEYS, pl.String()),
    "name": pl.String(),
    "part": pl.String(),
    "role": pl.String(),
    "n": pl.Int64(),
    "max1": pl.Float64(),
    "max2": pl.Float64(),
    "total": pl.Float64(),
    "absolute_total": pl.Float64(),
    "administrative": pl.Boolean(),
}


def _nothing(nodes: Mapping[str, str]) -> AreaFigures:
    empty = pl.DataFrame(schema={**dict.fromkeys(KEYS, pl.String()), **dict.fromkeys(nodes, pl.Float64())})
    return AreaFigures(empty, empty, pl.DataFrame(schema=PART_SCHEMA), {})


def _roster_parts(
    parts: pl.DataFrame, roles: Mapping[str, Mapping[str, str]], period: str, *, weighted: bool
) -> pl.DataFrame:
    """Parts of the aggregation under the names of the marts; a part of another year carries the year in its text."""
    known = [(name, text, role) for name, texts in roles.items() for text, role in texts.items()]
    if not known or parts.is_empty():
        return pl.DataFrame(schema=PART_SCHEMA)
    role_of = pl.DataFrame(known, schema=["expression", "text", "role"], orient="row")
    total = pl.coalesce("weighted_total", "total") if weighted else pl.col("total")
    dated = pl.format("{}@{}", "text", "period")
    joined = parts.drop("part").join(role_of, on=["expression", "text"], how="left")
    named = joined.select(
        *KEYS,
        pl.col("expression").alias("name"),
        pl.when(pl.col("period") == period).then("text").otherwise(dated).alias("part"),
        pl.col("role").fill_null("level"),
        pl.col("n").cast(pl.Int64),
        *(pl.col(c).cast(pl.Float64) for c in ("max1", "max2")),
        total.cast(pl.Float64).alias("total"),
        pl.col("absolute_total").cast(pl.Float64),
        pl.lit(False).alias("administrative"),
    )
    return named.unique(maintain_order=True)


def _sheet_parts(
    values: pl.DataFrame, nodes: Mapping[str, str], roles: Mapping[str, Mapping[str, str]], env: Environment
) -> pl.DataFrame:
    """One row for every sheet or context figure an expression reads: one provider, exempt by flag (survey_system 10.7)."""
    tables = [pl.DataFrame(schema=PART_SCHEMA)]
    for name, text in nodes.items():
        read = [e.value for e in env.typed(text).walk() if e.op == "column" and e.roster in (PARK, CONTEXT)]
        for code, lag in dict.fromkeys(v for v in read if isinstance(v, tuple)):
            part = to_text(Name(code, lag))
            rows = values.filter(pl.col(name).is_not_null()).select(KEYS)
            filled = rows.with_columns(
                pl.lit(name).alias("name"),
                pl.lit(part).alias("part"),
                pl.lit(roles[name].get(part, "level")).alias("role"),
                *(pl.lit(None, dtype=PART_SCHEMA[c]).alias(c) for c in STATISTICS),
                pl.lit(True).alias("administrative"),
            )
            tables.append(filled.select(*PART_SCHEMA))
    return pl.concat(tables)


def part_roles(text: str, env: Environment) -> dict[str, str]:
    """Text of each sum, count and sheet figure → numerator, denominator, level, or base for figures of a year before."""
    roles: dict[str, str] = {}

    def visit(node: Node, side: str) -> None:
        if isinstance(node, Name) or (isinstance(node, Call) and node.function in ("SUM", "COUNT")):
            lagged = any(isinstance(n, Name) and n.lag == "yoy" for n in walk(node))
            roles.setdefault(to_text(node), "base" if lagged else side)
        elif isinstance(node, Binary) and node.op == "/":
            above, under = ("denominator", "numerator") if side == "denominator" else ("numerator", "denominator")
            visit(node.left, above)
            visit(node.right, under)
        else:
            for child in children(node):
                visit(child, side)

    visit(distributed(expand(parse(text), env.derivations)), "level")
    return roles


def _areawise_at(
    at: Callable[[int], PeriodData | None] | None, areas: Mapping[str, Area], codes: Sequence[str]
) -> Callable[[int], PeriodData | None] | None:
    if at is None:
        return None
    return lambda year: areawise(data, areas, codes) if (data := at(year)) is not None else None
