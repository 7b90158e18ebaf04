"""Expressions asked of areas: every SUM and COUNT of many expressions in one group_by a roster, the rest on top.

Source of the semantics: survey_system.md 8.4, 聚合的范围.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TypeVar, cast

import polars as pl

from schemas import reserved
from schemas.aggregate_plan import Plan, Special
from schemas.environment import Environment
from schemas.errors import DefinitionError
from schemas.expression import Node, operand_column
from schemas.period_data import CONTEXT, PARK, PeriodData
from schemas.polars_rows import aggregate_column, dtype_of, row_of, with_missing_columns
from schemas.roster_sums import STATISTICS, coverage, empty_sums, sums
from schemas.typed_expression import BOOLEAN, Family, Kind, Typed

_T = TypeVar("_T")
_WHOLE = "#whole"
_NO_PARTS: dict[str, pl.DataType] = {
    "expression": pl.String(),
    "part": pl.Int64(),
    "text": pl.String(),
    "roster": pl.String(),
    "period": pl.String(),
    "n": pl.Int64(),
    **{name: pl.Float64() for name in STATISTICS[1:]},
}


@dataclass(frozen=True)
class Aggregation:
    """Figures of areas, with what disclosure control and publication need to know of them.

    values    by…, then one column an expression: Float64, or Boolean for a condition; null is undetermined
    coverage  by…, then one column an expression: share (0–1) of the due units' denominator, else of last period's
              revenue, else of their number, held by the units both sides of its ratios run over; null: no such ratio
    parts     by…, expression, part, text, roster, period, n (units with a contribution other than zero), max1, max2
              (largest contributions, without sign), total, absolute_total, weighted_total (null without weights)
    missing_years  expression → years it asked for that are not on file
    """

    values: pl.DataFrame
    coverage: pl.DataFrame
    parts: pl.DataFrame
    missing_years: Mapping[str, tuple[int, ...]]


def aggregate(
    node: Node | str, data: PeriodData, by: Sequence[str], env: Environment, *, weighted: bool = False
) -> Aggregation:
    """One expression by area; its columns are named ``value``. See ``aggregate_many``."""
    return aggregate_many({"value": node}, data, by, env, weighted=weighted)


def aggregate_many(
    nodes: Mapping[str, Node | str],
    data: PeriodData,
    by: Sequence[str],
    env: Environment,
    *,
    weighted: bool = False,
) -> Aggregation:
    """Expressions by the columns ``by`` (none: one row, the whole), sorted by them.

    The columns stand in the rosters (and in ``data.parks`` for K codes; without them K codes are undetermined). K codes
    are summed over the member parks if additive, undetermined where one of them did not report; context codes are those
    of the row's ``area``, else ``park``, else ``env.area``. ``weighted`` multiplies SUM and COUNT by the column
    ``weight`` (1 where it is missing). Structural zeros are the caller's: ``with_structural_zeros``.
    Raises DefinitionError for an expression that cannot be asked of an area.
    """
    run = _Run(data, tuple(by), env.with_data(data), weighted)
    frame = run.evaluated({name: env.typed(node) for name, node in nodes.items()})
    order = list(by) or [_WHOLE]
    frame = frame.sort(order, nulls_last=True)
    return Aggregation(
        frame.select(*by, *(pl.col(_figure(name)).alias(name) for name in nodes)),
        run.coverage(frame).sort(order, nulls_last=True).select(*by, *nodes),
        run.part_table(frame),
        {name: tuple(sorted(years)) for name, years in run.missing_years.items() if years},
    )


def _figure(name: str) -> str:
    return f"#v:{name}"


def area_values(nodes: Sequence[Typed], data: PeriodData, by: Sequence[str], env: Environment) -> pl.DataFrame:
    """by…, then the value of each SUM, COUNT or COUNT_PARK in a column ``aggregate_column(text)``; unweighted.

    What a rule of a sheet compares with: each aggregate for itself, without the same-unit rule.
    """
    named = {aggregate_column(node.text): node for node in nodes}
    run = _Run(data, tuple(by), env.with_data(data), False)
    frame = run.evaluated(named)
    columns = {name: cast("tuple[str, str]", run.plan.expressions[name].value)[0] for name in named}
    return frame.select(*by, *(pl.col(column).alias(name) for name, column in columns.items()))


@dataclass
class _Run:
    """One evaluation: fixed data, grouping and environment; collects parts and missing years on the way."""

    data: PeriodData
    by: tuple[str, ...]
    env: Environment
    weighted: bool
    plan: Plan = field(default_factory=Plan)
    missing_years: dict[str, set[int]] = field(default_factory=dict)
    elsewhere: dict[str, list[tuple[_Run, pl.DataFrame]]] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        return list(self.by) or [_WHOLE]

    def keyed(self, frame: pl.DataFrame | None) -> pl.DataFrame | None:
        """The frame with the grouping columns; None if it does not have them."""
        if frame is None or not set(self.by) <= set(frame.columns):
            return None
        return frame if self.by else frame.with_columns(pl.lit(0, dtype=pl.Int8).alias(_WHOLE))

    def evaluated(self, expressions: Mapping[str, Typed]) -> pl.DataFrame:
        """keys…, the value of each expression, and on the way all columns of its parts."""
        self.plan = Plan(self.weighted)
        for name, expression in expressions.items():
            self.plan.add(name, expression)
            self.missing_years[name] = set()
        frame = self._areas()
        frame = self._with_sums(frame)
        frame = self._with_sheet(frame)
        frame = self._with_context(frame)
        frame = self._with_specials(frame)
        if "park" not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("park"))
        return frame.with_columns(
            _published(row_of(e, self.env), e.kind).alias(_figure(name)) for name, e in self.plan.expressions.items()
        )

    def _areas(self) -> pl.DataFrame:
        if not self.by:
            return pl.DataFrame({_WHOLE: [0]}, schema={_WHOLE: pl.Int8})
        rosters = {p.roster for p in self.plan.parts.values()}
        frames = [self.keyed(self.data.rosters.get(r)) for r in sorted(rosters)] + [self.keyed(self.data.parks)]
        known = [f.select(self.keys) for f in frames if f is not None]
        if not known:
            raise DefinitionError(f"没有一个名册有分组列 {'、'.join(self.by)}", remedy="请先在名册中加上分组列。")
        return pl.concat(known, how="vertical_relaxed").unique(maintain_order=True)

    def _with_sums(self, frame: pl.DataFrame) -> pl.DataFrame:
        for roster in sorted({p.roster for p in self.plan.parts.values()}):
            parts = [p for p in self.plan.parts.values() if p.roster == roster]
            rows = self.keyed(self.data.rosters.get(roster))
            if rows is None:
                frame = frame.with_columns(empty_sums(parts, weighted=self.weighted))
                continue
            table = sums(rows, parts, self.keys, self.env, weighted=self.weighted)
            frame = frame.join(table, on=self.keys, how="left", nulls_equal=True)
            frame = frame.with_columns(
                *(pl.col(p.column).fill_null(0) for p in parts if p.value is None),
                *(pl.col(f"{p.column}:n").fill_null(0) for p in parts),
                *(
                    pl.col(f"{p.column}:{s}").fill_null(0)
                    for p in parts
                    if p.value is None
                    for s in ("total", "absolute_total")
                ),
            )
        return frame

    def _columns(self, roster: str) -> dict[tuple[str, str], Kind]:
        return {
            cast("tuple[str, str]", e.value): e.kind
            for expression in self.plan.expressions.values()
            for e in expression.walk()
            if e.op == "column" and e.roster == roster
        }

    def _with_sheet(self, frame: pl.DataFrame) -> pl.DataFrame:
        wanted = self._columns(PARK)
        parks = self.keyed(self.data.parks)
        if not wanted:
            return frame
        if parks is None:
            return frame.with_columns(
                pl.lit(None, dtype=dtype_of(kind)).alias(operand_column(*name)) for name, kind in wanted.items()
            )
        parks = with_missing_columns(parks, [Typed("column", k, value=n) for n, k in wanted.items()])
        figures = [self._sheet_figure(name, kind).alias(operand_column(*name)) for name, kind in wanted.items()]
        return frame.join(parks.group_by(self.keys).agg(figures), on=self.keys, how="left", nulls_equal=True)

    def _sheet_figure(self, name: tuple[str, str], kind: Kind) -> pl.Expr:
        column = pl.col(operand_column(*name))
        if kind.is_number and self.env.variables[name[0]].additive:
            wide = pl.Decimal(38, kind.scale) if kind.scale else pl.Int128()
            # A total without one of its members would be too low without saying so.
            return pl.when(column.null_count() == 0).then(column.cast(wide).sum())
        return pl.when(pl.len() == 1).then(column.first())

    def _with_context(self, frame: pl.DataFrame) -> pl.DataFrame:
        wanted = self._columns(CONTEXT)
        if not wanted:
            return frame
        place = next((column for column in ("area", "park") if column in self.by), None)
        areas = frame[place].to_list() if place else [self.env.area] * frame.height
        columns = []
        for (code, lag), kind in wanted.items():
            known = self._context_of(code, lag)
            found = [
                next((known[c] for c in self.env.areas.get(a, (a,)) if c in known), None) if a is not None else None
                for a in areas
            ]
            columns.append(pl.Series(operand_column(code, lag), found, dtype=dtype_of(kind)))
        return frame.with_columns(columns)

    def _context_of(self, code: str, lag: str) -> dict[str, object]:
        """Area → what the context form says of one code in the year, or for ``yoy`` in the year before."""
        context = self.data.context
        year = {"": self.data.period.year, "yoy": self.data.period.year - 1}.get(lag)
        if year is None or code not in context.columns:
            return {}
        rows = context.filter((pl.col(reserved.YEAR) == year) & pl.col(code).is_not_null())
        return dict(rows.select(reserved.AREA, code).iter_rows())

    def _with_specials(self, frame: pl.DataFrame) -> pl.DataFrame:
        counts = [s for s in self.plan.specials.values() if s.node.op == "COUNT_PARK"]
        for special in counts:
            frame = self._with_park_count(frame, special)
        over_years = [s for s in self.plan.specials.values() if s.node.op != "COUNT_PARK"]
        return self._with_years(frame, over_years) if over_years else frame

    def _with_park_count(self, frame: pl.DataFrame, special: Special) -> pl.DataFrame:
        zones = self.keyed(self.data.parks)
        if zones is None or "park" not in zones.columns:
            return frame.with_columns(pl.lit(None, dtype=pl.Int64).alias(special.column))
        if "kind" in zones.columns:
            zones = zones.filter(pl.col("kind") == "zone")
        own = tuple(dict.fromkeys((*self.by, "park")))
        run = _Run(self.data, own, self.env, self.weighted)
        holds = run.evaluated({"holds": special.node.args[0]}).select(*own, pl.col(_figure("holds")).alias("#holds"))
        for user in self.plan.users[special.column]:
            self.missing_years[user] |= run.missing_years["holds"]
        counted = (
            zones.select(*dict.fromkeys((*self.keys, "park")))
            .join(holds, on=list(own), how="left", nulls_equal=True)
            .group_by(self.keys)
            .agg(pl.col("#holds").fill_null(False).sum().cast(pl.Int64).alias(special.column))
        )
        frame = frame.join(counted, on=self.keys, how="left", nulls_equal=True)
        return frame.with_columns(pl.col(special.column).fill_null(0))

    def _with_years(self, frame: pl.DataFrame, specials: Sequence[Special]) -> pl.DataFrame:
        wanted: dict[int, dict[str, Typed]] = {}
        for special in specials:
            for year in _years(special.node, self.data.period.year, self.env):
                wanted.setdefault(year, {})[special.column] = special.node.args[0]
        for year, expressions in sorted(wanted.items()):
            data = self._annual(year)
            columns = {name: f"{name}@{year}" for name in expressions}
            if data is None:
                for name in expressions:
                    for user in self.plan.users[name]:
                        self.missing_years[user].add(year)
                frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(c) for c in columns.values())
                continue
            run = _Run(data, self.by, self.env.with_data(data), self.weighted)
            found = run.evaluated(expressions)
            for name in expressions:
                self.elsewhere.setdefault(name, []).append((run, found))
            values = found.select(*self.keys, *(pl.col(_figure(n)).alias(c) for n, c in columns.items()))
            frame = frame.join(values, on=self.keys, how="left", nulls_equal=True)
        year = self.data.period.year
        return frame.with_columns(_over_years(s, year, self.env).alias(s.column) for s in specials)

    def _annual(self, year: int) -> PeriodData | None:
        if self.data.period.year == year and self.data.period.round == "A":
            return self.data
        return self.env.at(year) if self.env.at else None

    def coverage(self, frame: pl.DataFrame) -> pl.DataFrame:
        """keys…, one column an expression: the least coverage of its ratios."""
        table = frame.select(self.keys)
        columns: dict[str, list[str]] = {name: [] for name in self.plan.ratios}
        for roster in sorted({ratio.roster for own in self.plan.ratios.values() for ratio in own}):
            rows = self.keyed(self.data.rosters.get(roster))
            if rows is None:
                continue
            asked = [(name, r) for name, own in self.plan.ratios.items() for r in own if r.roster == roster]
            found = coverage(rows, [ratio for _, ratio in asked], self.keys, self.env)
            found = found.rename({str(number): f"{roster}:{number}" for number in range(len(asked))})
            table = table.join(found, on=self.keys, how="left", nulls_equal=True)
            for number, (name, _) in enumerate(asked):
                columns[name].append(f"{roster}:{number}")
        unknown = pl.lit(None, dtype=pl.Float64)
        return table.select(
            *self.keys, *((pl.min_horizontal(c) if c else unknown).alias(name) for name, c in columns.items())
        )

    def part_table(self, frame: pl.DataFrame) -> pl.DataFrame:
        """by…, expression, part, text, roster, period and the statistics; also of other years."""
        lazy = frame.lazy()
        tables = [t for name in self.plan.expressions for t in self._parts_of(lazy, name)]
        if not tables:
            return (
                frame.select(*self.by)
                .clear()
                .with_columns(pl.lit(None, dtype=t).alias(n) for n, t in _NO_PARTS.items())
            )
        table = pl.concat(tables).collect()
        return table.sort([*self.by, "expression", "part", "period"], nulls_last=True)

    def _parts_of(self, frame: pl.LazyFrame, name: str) -> Iterator[pl.LazyFrame]:
        by_column = {p.column: p for p in self.plan.parts.values()}
        for number, column in enumerate(self.plan.uses[name]):
            part = by_column[column]
            yield frame.select(
                *self.by,
                pl.lit(name).alias("expression"),
                pl.lit(number, dtype=pl.Int64).alias("part"),
                pl.lit(part.node.text).alias("text"),
                pl.lit(part.roster).alias("roster"),
                pl.lit(str(self.data.period)).alias("period"),
                pl.col(f"{column}:n").cast(pl.Int64).alias("n"),
                *(pl.col(f"{column}:{s}").alias(s) for s in STATISTICS[1:]),
            )
        first = len(self.plan.uses[name])
        for special in self.plan.specials.values():
            if name in self.plan.users[special.column]:
                for run, found in self.elsewhere.get(special.column, ()):
                    for table in run._parts_of(found.lazy(), special.column):
                        yield table.with_columns(pl.lit(name).alias("expression"), pl.col("part") + first)


def _published(value: pl.Expr, kind: Kind) -> pl.Expr:
    if kind.family is Family.EXACT:
        return value.cast(pl.Float64)
    return value if kind != BOOLEAN else value.cast(pl.Boolean)


def _years(node: Typed, report_year: int, env: Environment) -> list[int]:
    """The years a function over years asks for."""
    match node.op:
        case "CUM":
            return list(range(_given(env.plan_start, node, "计划起始年"), report_year + 1))
        case "BASE":
            return [cast(int, node.value)]
        case "CAGR":
            return [cast(int, node.value), report_year]
    first, last = _given(env.stage, node, "目标阶段的起止年")
    last = min(last, report_year)
    if last < first:
        return []
    return list(range(first, last + 1)) if node.op == "STAGE" else [first - 1, last]


def _given(value: _T | None, node: Typed, what: str) -> _T:
    if value is None:
        raise DefinitionError(f"{node.text} 需要{what}", remedy="请由目标的 path 或计划参数给出。")
    return value


def _over_years(special: Special, report_year: int, env: Environment) -> pl.Expr:
    years = _years(special.node, report_year, env)
    columns = {year: pl.col(f"{special.column}@{year}") for year in years}
    unknown = pl.lit(None, dtype=pl.Float64)
    match special.node.op:
        case "CUM" | "STAGE":
            return reduce(add, columns.values()) if columns else unknown
        case "BASE":
            return columns[years[0]]
        case "STAGE_DELTA":
            return columns[years[1]] - columns[years[0]] if columns else unknown
    base, span = cast(int, special.node.value), report_year - cast(int, special.node.value)
    if span <= 0:
        return unknown
    growth = ((columns[report_year] / columns[base]).pow(1 / span) - 1) * 100
    return pl.when((columns[base] > 0) & (columns[report_year] >= 0)).then(growth)
