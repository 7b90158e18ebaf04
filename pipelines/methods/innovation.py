"""The innovation survey's output tables: weighted figures by area and row group, with parts, precision and checks.

All tables stand in ``tables/innovation.toml``; here is the one way to compute them. Every figure is an expression of the
rule language (``Column.formula``), so index and tables take the same sums. Source: innovation_survey.md, survey_system.md
8.4; documented in docs/methods/innovation.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from exports.display import figure
from pipelines.methods.area_figures import UNKNOWN_CATEGORY, classified, is_weighted
from pipelines.methods.areas import Area, areas_of, areawise, lookups
from pipelines.methods.disclosure.atoms import Identity
from pipelines.methods.innovation_definition import (
    Column,
    Definitions,
    RowGroup,
    for_factor,
    identities_of,
    innovation_definitions,
    part_texts,
)
from pipelines.methods.innovation_precision import Precision, group_column, precision_of
from pipelines.methods.product import Product, product_of
from pipelines.methods.weighting import VALID
from schemas import reserved
from schemas.environment import Environment, environment_for
from schemas.marts import row_key
from schemas.model import Edition, Programme
from schemas.period_data import ENTERPRISE, PeriodData
from schemas.polars_aggregates import aggregate_many
from schemas.polars_target import evaluate_rows
from schemas.structural_zeros import with_structural_zeros

TOTAL: Final = "T"
MEASURE: Final = "value"
NOTHING_ASKED: Final = "没有适用的单位"
COVERAGE_LOW: Final = "可比单位不足,不发布"
ESTIMATED: Final = "含估算"
_REGISTER: Final = "register"


@dataclass(frozen=True)
class InnovationTables:
    """``product``: cells and parts of the mart ``innovation_tables``. ``precision``: row_key, standard_error, cv_pct, grade
    of every weighted figure (internal, for notes and for ``precision_cells``). ``identities``: sums for disclosure."""

    product: Product
    precision: pl.DataFrame
    identities: tuple[Identity, ...]


def innovation_tables(
    data: PeriodData,
    programme: Programme,
    *,
    register: pl.DataFrame | None = None,
    strata: pl.DataFrame | None = None,
    areas_wanted: Sequence[str] | None = None,
    only: Collection[str] = (),
) -> InnovationTables:
    """All tables of one year, or those named in ``only``.

    ``data``: annual observations as ``weighting.with_weights`` left them. ``register``: the units of the register of the
    period with park, sub_park, answer_status and B-codes; units that did not file are counted from it in the response
    table. ``strata``: (unit_id, stratum, population, sample) for standard errors; without it every unit is certain.
    ``areas_wanted``: codes of areas or zones; by default the areas with a member park in the data, else its zones.
    """
    period = data.period
    edition = programme.edition_for(period)
    definitions = innovation_definitions(edition)
    if only:
        definitions = replace(definitions, tables=tuple(t for t in definitions.tables if t.id in only))
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    env = replace(environment_for(programme, period, edition=edition), areas=lookups(areas.values()))
    codes = tuple(areas_wanted) if areas_wanted is not None else _areas_with_units(data, areas)
    survey = _Survey(definitions, edition, programme, env, areas, codes)
    answered = _answered(with_structural_zeros(data, env))
    everyone = _everyone(data, register)
    return survey.computed(answered, everyone, strata)


def _areas_with_units(data: PeriodData, areas: Mapping[str, Area]) -> tuple[str, ...]:
    parks = set(data.rosters[ENTERPRISE]["park"].unique())
    above = [a.code for a in areas.values() if a.kind == "area" and parks & set(a.zones)]
    return tuple(above or [a.code for a in areas.values() if a.kind == "zone" and a.code in parks])


def _answered(data: PeriodData) -> PeriodData:
    """The units that answered validly, and those estimated one by one."""
    frame = data.rosters[ENTERPRISE]
    kept = frame.filter(pl.col("answer_status").eq_missing(VALID) | pl.col("imputed").fill_null(False))
    return replace(data, rosters={**data.rosters, ENTERPRISE: kept})


def _everyone(data: PeriodData, register: pl.DataFrame | None) -> PeriodData:
    """All units of the population, filed or not, without figures; estimates are not answers."""
    filed = data.rosters[ENTERPRISE].filter(~pl.col("imputed").fill_null(False))
    attributes = ["unit_id", "park", "sub_park", "answer_status"]
    attributes += [c for c in filed.columns if c.startswith("B") and c[1:].isdigit()]
    frame = filed.select(c for c in attributes if c in filed.columns)
    if register is not None:
        rest = register.join(frame, on="unit_id", how="anti", maintain_order="left")
        frame = pl.concat([frame, rest.select(c for c in frame.columns if c in rest.columns)], how="diagonal_relaxed")
    # In the register the unit is its code; a count asks the roster for it.
    frame = frame.with_columns(pl.col("unit_id").alias(reserved.UNIT))
    return PeriodData(data.period, {ENTERPRISE: frame}, data.parks.clear(), data.context.clear())


@dataclass(frozen=True)
class _Group:
    """One row group of one population: its category column in the frame, and the columns asked of it."""

    row: RowGroup
    by: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class _Survey:
    definitions: Definitions
    edition: Edition
    programme: Programme
    env: Environment
    areas: Mapping[str, Area]
    codes: tuple[str, ...]

    def computed(self, answered: PeriodData, everyone: PeriodData, strata: pl.DataFrame | None) -> InnovationTables:
        answered, everyone = self._prepared(answered), self._prepared(everyone)
        found = [self._row_group(row, answered, everyone, strata) for row in self._rows_asked()]
        cells = pl.concat([f[0] for f in found])
        parts = pl.concat([f[1] for f in found])
        precision = pl.concat([f[2] for f in found])
        noted = _with_precision(cells, precision)
        return InnovationTables(
            product_of([noted], [parts]), precision.sort("row_key"), identities_of(self.definitions, self.env)
        )

    def _prepared(self, data: PeriodData) -> PeriodData:
        """The observations with a category column for every row group, one copy of a unit an area it belongs to."""
        ready = classified(data, self.env, {ENTERPRISE: reserved.SUB_PARK})
        frame = ready.rosters[ENTERPRISE]
        env = self.env.with_data(ready)
        for row in self.definitions.rows.values():
            if not row.cross and not row.factor:
                frame = frame.with_columns(_categories(row, frame, env).alias(group_column(row.id)))
        for row in self.definitions.rows.values():
            if row.cross:
                sides = [pl.col(group_column(side)) for side in row.cross]
                frame = frame.with_columns(pl.concat_str(sides, separator="|").alias(group_column(row.id)))
        return areawise(replace(ready, rosters={**ready.rosters, ENTERPRISE: frame}), self.areas, self.codes)

    def _rows_asked(self) -> list[RowGroup]:
        asked = dict.fromkeys(name for table in self.definitions.tables for name in table.rows)
        return [self.definitions.rows[name] for name in asked]

    def _row_group(
        self, row: RowGroup, answered: PeriodData, everyone: PeriodData, strata: pl.DataFrame | None
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """(cells, parts, precision) of every column of every table that has this row group."""
        columns = [c for table in self.definitions.tables if row.id in table.rows for c in table.columns]
        response = [c for c in columns if c.kind == "response"]
        spread = [c for c in columns if c.kind == "weight_cv"]
        survey = [c for c in columns if c not in response and c not in spread]
        pieces = []
        if survey:
            pieces.append(self._figures(row, survey, answered, strata, weighted=is_weighted(answered)))
        if response:
            pieces.append(self._figures(row, response, everyone, None, weighted=False))
        if spread:
            pieces.append(self._weight_spread(row, spread, answered))
        cells, parts, precision = (pl.concat([p[i] for p in pieces], how="diagonal_relaxed") for i in range(3))
        return self._named(cells, row), parts, precision

    def _figures(
        self, row: RowGroup, columns: Sequence[Column], data: PeriodData, strata: pl.DataFrame | None, *, weighted: bool
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """(cells, parts, precision) of some columns for one row group."""
        variants = [(code, [for_factor(c, code) for c in columns]) for code in row.factor] or [("", list(columns))]
        cells, parts, precision = [], [], []
        for factor, asked in variants:
            by = ["area"] if factor or row.id == self._whole() else ["area", group_column(row.id)]
            found = aggregate_many({c.indicator: c.formula for c in asked}, data, by, self.env, weighted=weighted)
            category = pl.lit(factor or TOTAL) if len(by) == 1 else pl.col(by[1])
            keyed = {
                name: getattr(found, name)
                .with_columns(category=category)
                .filter(pl.col("area").is_not_null() & pl.col("category").is_not_null())
                for name in ("values", "coverage", "parts")
            }
            cells.append(self._cells(asked, row, keyed, _estimated(data, by)))
            parts.append(_parts(keyed["parts"], asked, row, self.env, weighted=weighted))
            if strata is not None:
                precision.append(precision_of(asked, data.rosters[ENTERPRISE], strata, by, category, row, self.env))
        return pl.concat(cells), pl.concat(parts), pl.concat(precision) if precision else _no_precision()

    def _whole(self) -> str:
        return next((r.id for r in self.definitions.rows.values() if r.breakdown == "total"), "")

    def _cells(
        self, columns: Sequence[Column], row: RowGroup, found: Mapping[str, pl.DataFrame], estimated: pl.DataFrame
    ) -> pl.DataFrame:
        """Cells of some columns. ``found``: values, coverage and parts of the aggregation with area and category."""
        keys, names = ["area", "category"], [c.indicator for c in columns]
        floor = float(self.edition.parameters.get("thresholds", {}).get("same_unit_coverage", 0.7))
        long = {
            name: found[name]
            .with_columns(pl.col(names).cast(pl.Float64))
            .unpivot(names, index=keys, variable_name="indicator", value_name=name)
            for name in ("values", "coverage")
        }
        base = found["parts"].group_by(*keys, indicator="expression").agg(base=pl.col("n").min())
        about = _about(columns)
        frame = (
            long["values"]
            .join(long["coverage"], on=[*keys, "indicator"], how="left")
            .join(base, on=[*keys, "indicator"], how="left")
            .join(estimated, on=[k for k in keys if k in estimated.columns], how="left")
            .join(about, on="indicator", how="left")
        )
        low = (pl.col("coverage") < floor).fill_null(False)
        missing = pl.col("values").is_null()
        nothing = missing & (pl.col("base").fill_null(0) == 0)
        guessed = pl.col("estimated").fill_null(False) & pl.col("kind").is_in(["sum", "ratio", "mean"])
        status = pl.when(low).then(pl.lit("M")).when(nothing).then(pl.lit("Z")).when(missing).then(pl.lit("M"))
        note = pl.when(low).then(pl.lit(COVERAGE_LOW)).when(nothing).then(pl.lit(NOTHING_ASKED))
        return frame.select(
            *keys,
            value=pl.when(~low).then("values"),
            status=status.when(guessed).then(pl.lit("E")).otherwise(pl.lit("A")),
            note=note.when(guessed & ~missing).then(pl.lit(ESTIMATED)).otherwise(pl.lit("")),
            breakdown=pl.lit(row.breakdown),
            **{name: pl.col(name) for name in about.columns if name != "kind"},
        )

    def _weight_spread(
        self, row: RowGroup, columns: Sequence[Column], data: PeriodData
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Coefficient of variation of the weights of the answered units, and the count it rests on."""
        frame = data.rosters[ENTERPRISE].filter(answer_status=VALID)
        category = pl.lit(TOTAL) if row.id == self._whole() else pl.col(group_column(row.id))
        keyed = frame.select("area", category.alias("category"), "weight").drop_nulls()
        found = keyed.group_by("area", "category").agg(
            value=(pl.col("weight").std(ddof=0) / pl.col("weight").mean()).round_sig_figs(12), n=pl.len().cast(pl.Int64)
        )
        cells, parts = [], []
        for column in columns:
            values = found.with_columns(indicator=pl.lit(column.indicator)).join(_about([column]), on="indicator")
            cells.append(
                values.drop("n", "kind").with_columns(
                    status=pl.lit("A"), note=pl.lit(""), breakdown=pl.lit(row.breakdown)
                )
            )
            parts.append(
                found.select(
                    _key(row, column.indicator), part=pl.lit(part_texts(f"COUNT({column.numerator})", self.env)[0]), role=pl.lit("level"),
                    n="n", max1=pl.lit(1.0), max2=pl.lit(1.0), total=pl.col("n").cast(pl.Float64),
                    administrative=pl.lit(False),
                )
            )  # fmt: skip
        return pl.concat(cells), pl.concat(parts), _no_precision()

    def _named(self, cells: pl.DataFrame, row: RowGroup) -> pl.DataFrame:
        names = self._category_names(row)
        area_names = {code: self.areas[code].name for code in self.codes}
        unknown = pl.lit("未归类")
        return cells.with_columns(
            table=pl.col("indicator").str.split(".").list.first(),
            period=pl.lit(str(self.env.period)),
            area_name=pl.col("area").replace_strict(area_names, default=""),
            category_name=pl.col("category").replace_strict(names, default=unknown, return_dtype=pl.String),
            measure=pl.lit(MEASURE),
            measure_name=pl.lit("数值"),
        ).with_columns(row_key("indicator", "area", "breakdown", "category"))

    def _category_names(self, row: RowGroup) -> dict[str, str]:
        if row.cross:
            left, right = (self._category_names(self.definitions.rows[side]) for side in row.cross)
            return {f"{a}|{b}": f"{x}·{y}" for a, x in left.items() for b, y in right.items()}
        if row.factor:
            return {c: self.edition.indicators[c].name.split(":")[-1] for c in row.factor}
        if row.categories:
            return {c.code: c.name for c in row.categories}
        if row.codelist:
            valid = self.programme.codelists[row.codelist].valid(self.env.period.end)
            label = "short_name" if "short_name" in valid.columns else "name"
            return dict(valid.select("code", pl.col(label).replace("", None).fill_null(pl.col("name"))).iter_rows())
        if row.code:
            return dict(self.edition.indicators[row.code].options)
        return {TOTAL: row.name}


def _categories(row: RowGroup, frame: pl.DataFrame, env: Environment) -> pl.Series:
    """The category of every unit, so that the rows of a group add up to the whole: ``_`` where its code is not known.

    Null (in no row) where a condition is open, or where the group divides only a part of the units.
    """
    nobody = pl.Series([None] * frame.height, dtype=pl.String)
    if row.column:
        found = frame[row.column] if row.column in frame.columns else nobody
        return found.replace(UNKNOWN_CATEGORY, None) if row.part_of else found.fill_null(UNKNOWN_CATEGORY)
    if row.code:
        code = frame[row.code].cast(pl.String) if row.code in frame.columns else nobody
        return code.str.slice(0, row.digits or None).fill_null(UNKNOWN_CATEGORY)
    if row.categories:
        found = pl.Series([None] * frame.height, dtype=pl.String)
        for category in row.categories:
            holds = evaluate_rows(category.when, frame, env).fill_null(False)
            found = pl.Series(pl.select(pl.when(holds).then(pl.lit(category.code)).otherwise(found)).to_series())
        return found
    return pl.Series([TOTAL] * frame.height, dtype=pl.String)


def _estimated(data: PeriodData, by: Sequence[str]) -> pl.DataFrame:
    frame = data.rosters[ENTERPRISE]
    if "imputed" not in frame.columns:
        frame = frame.with_columns(imputed=pl.lit(False))
    found = frame.group_by(list(by)).agg(estimated=pl.col("imputed").fill_null(False).any())
    return found.rename({by[1]: "category"}) if len(by) > 1 else found


def _about(columns: Sequence[Column]) -> pl.DataFrame:
    """What the cells of each column say of themselves."""
    return pl.DataFrame(
        [(c.indicator, c.kind, c.name, c.unit_measure, c.decimals, c.formula) for c in columns],
        schema={
            "indicator": pl.String(), "kind": pl.String(), "indicator_name": pl.String(), "unit_measure": pl.String(),
            "decimals": pl.Int8(), "formula": pl.String(),
        },
        orient="row",
    )  # fmt: skip


def _key(row: RowGroup, indicator: str | pl.Expr) -> pl.Expr:
    named = pl.lit(indicator) if isinstance(indicator, str) else indicator
    return pl.concat_str([named, pl.col("area"), pl.lit(row.breakdown), pl.col("category")], separator="|").alias(
        "row_key"
    )


def _parts(
    parts: pl.DataFrame, columns: Iterable[Column], row: RowGroup, env: Environment, *, weighted: bool
) -> pl.DataFrame:
    roles = pl.DataFrame(
        [(c.indicator, text, role) for c in columns for text, role in _roles(c, env)],
        schema=["expression", "text", "role"],
        orient="row",
    )
    total = pl.coalesce("weighted_total", "total") if weighted else pl.col("total")
    return (
        parts.join(roles, on=["expression", "text"], how="left")
        .select(
            _key(row, pl.col("expression")),
            part="text",
            role=pl.col("role").fill_null("level"),
            n=pl.col("n").cast(pl.Int64),
            max1=pl.col("max1").cast(pl.Float64),
            max2=pl.col("max2").cast(pl.Float64),
            total=total.cast(pl.Float64),
            administrative=pl.lit(False),
        )
        .unique(maintain_order=True)
    )


def _roles(column: Column, env: Environment) -> list[tuple[str, str]]:
    numerator, denominator = part_texts(column.formula, env)
    return [
        (numerator, "numerator" if denominator else "level"),
        *([(denominator, "denominator")] if denominator else []),
    ]


def _no_precision() -> pl.DataFrame:
    return pl.DataFrame(schema=Precision)


def _with_precision(cells: pl.DataFrame, precision: pl.DataFrame) -> pl.DataFrame:
    rough = precision.filter(pl.col("grade").is_in(["D", "E"])).select("row_key", "cv_pct")
    warned = pl.format(
        "抽样变异系数{}%,请谨慎使用", pl.col("cv_pct").map_elements(lambda cv: figure(cv, 0), return_dtype=pl.String)
    )
    joined = cells.join(rough, on="row_key", how="left", maintain_order="left")
    note = pl.when(pl.col("cv_pct").is_not_null() & pl.col("value").is_not_null()).then(
        pl.concat_str([pl.col("note"), warned], separator=";").str.strip_chars_start(";")
    )
    return joined.with_columns(note=note.otherwise("note")).drop("cv_pct")


def precision_cells(tables: InnovationTables) -> pl.DataFrame:
    """The standard errors as cells of the same mart (measure ``standard_error``), for editions that publish them."""
    shown = tables.product.cells.join(tables.precision, on="row_key", how="inner")
    return shown.with_columns(
        row_key=pl.concat_str(["row_key", pl.lit("se")], separator="|"),
        value="standard_error",
        measure=pl.lit("standard_error"),
        measure_name=pl.lit("标准误"),
        formula=pl.lit(""),
    ).select(tables.product.cells.columns)
