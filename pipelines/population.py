"""The population of a period: facts, register and areas put together as the data that methods evaluate on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import duckdb
import polars as pl

from pipelines.recent import Recent
from schemas import reserved
from schemas.catalog import register_of_parks
from schemas.environment import environment_for
from schemas.expression import operand_column, operands, parse
from schemas.model import Edition, FormKind, Indicator, Programme
from schemas.observations import KEY_COLUMNS, Observations, from_text, wide_roster
from schemas.period import Period
from schemas.period_data import CONTEXT, ENTERPRISE, PARK, PeriodData
from schemas.polars_target import prepare_rows, row_expr
from schemas.structural_zeros import with_structural_zeros
from warehouse import facts

ANSWERED, UNREACHED = "0", "3"
YEARS_BACK = 2  # in a first quarter the report of the year before is not in yet
V = TypeVar("V")


@dataclass
class Population:
    """Period data by period, each read once while it is recent. ``source`` is ``in_force`` or ``effective`` (see ``warehouse.facts``).

    ``register``: period → the units of the register: (unit_id, park, sub_park, status, B codes as text). ``put``: figures that stand in
    for what was reported (period, unit, code, value), in trials only.
    """

    con: duckdb.DuckDBPyConnection
    programme: Programme
    source: str = "in_force"
    as_of: datetime | None = None
    register: Callable[[Period], pl.DataFrame] | None = None
    recent: Recent = field(default_factory=Recent, repr=False)
    put: pl.DataFrame | None = field(default=None, repr=False)
    _has: dict[Period, bool] = field(default_factory=dict, repr=False)

    @cached_property
    def _on_file(self) -> frozenset[str]:
        """The periods that have facts now; methods ask for many years back that nobody ever filed."""
        return frozenset(facts.periods_on_file(self.con, self.source))

    def edition(self, period: Period) -> Edition:
        """The edition that governs a period."""
        return self.programme.edition_for(period)

    def has(self, period: Period) -> bool:
        """Whether anything was filed for ``period``, or stands in the register of it."""
        if period not in self._has:
            bare = self.bare(period)
            self._has[period] = any(f.height for f in bare.rosters.values()) or bool(bare.parks["filed"].any())
        return self._has[period]

    def at(self, year: int) -> PeriodData | None:
        """Annual data of ``year``, None where that year is not on file; what CUM, BASE, STAGE and CAGR ask."""
        period = Period(year)
        return self.of(period) if self.has(period) else None

    def of(self, period: Period) -> PeriodData:
        """Everything of a period, with operands of other periods beside (``F01_yoy``, ``F01_prev``, ``F01_q4``)."""
        return self.once(("full", period), lambda: self._with_others(period))

    def _with_others(self, period: Period) -> PeriodData:
        bare = self.bare(period)
        others = {"yoy": self.bare(period.year_earlier())}
        if (previous := period.previous()) is not None:
            others["prev"] = self.bare(previous)
        if period.round == "A":
            others["q4"] = self.bare(period.fourth_quarter())
        rosters = {
            name: _beside(frame, {lag: d.rosters[name] for lag, d in others.items()}, "unit_id")
            for name, frame in bare.rosters.items()
        }
        parks = _beside(bare.parks, {lag: d.parks for lag, d in others.items()}, "park")
        return replace(bare, rosters=rosters, parks=parks)

    def bare(self, period: Period) -> PeriodData:
        """The figures of one period alone, derived indicators computed; empty before the first edition of the programme."""
        return self.once(("bare", period), lambda: self._read(period))

    def once(self, key: Hashable, make: Callable[[], V]) -> V:
        """What ``make`` gives, made once for all products of a run while it is among what was asked for recently."""
        return self.recent.get((self.source, self.as_of, key), make)

    def zeroed(self, data: PeriodData) -> PeriodData:
        """``with_structural_zeros`` of data of this population, computed once for the same object."""

        def make() -> tuple[PeriodData, PeriodData]:
            env = environment_for(self.programme, data.period, edition=self.edition(data.period))
            return data, with_structural_zeros(data, env)  # data is kept, so that its id stays its own

        return self.once(("zeros", id(data)), make)[1]

    def _read(self, period: Period) -> PeriodData:
        if not self.programme.covers(period):
            return _nothing(period, self._rosters())
        edition = self.edition(period)
        frames: dict[str, pl.DataFrame] = {}
        if self.as_of is not None or str(period) in self._on_file:
            for form in edition.forms.values():
                if form.shown(period):
                    frames[form.code] = facts.facts(self.con, form, str(period), source=self.source, as_of=self.as_of)
        observations = Observations(frames)
        rosters = {
            name: self._put_in(wide_roster(observations, edition, name, period), "unit_id", period)
            for name in self._rosters()
        }
        rosters = {name: self._derived(frame, edition, name, period) for name, frame in rosters.items()}
        rosters[ENTERPRISE] = self._with_register(rosters[ENTERPRISE], edition, period)
        context = frames.get("context", pl.DataFrame(schema={reserved.AREA: pl.String, reserved.YEAR: pl.Int64})).drop(
            "submission_id", *KEY_COLUMNS, strict=False
        )
        parks = self._put_in(self._parks(observations, edition, period), "park", period)
        data = PeriodData(period, rosters, parks, context)
        return replace(data, parks=self._derived_parks(data, edition, period))

    def _rosters(self) -> list[str]:
        """Those of all editions, so that a population stands beside an earlier period that did not have it yet."""
        named = (roster for edition in self.programme.editions.values() for roster in edition.rosters)
        return list(dict.fromkeys((ENTERPRISE, *named)))

    def _put_in(self, frame: pl.DataFrame, key: str, period: Period) -> pl.DataFrame:
        """The frame with the figures of a trial, each in the type of its column."""
        if self.put is None or key not in frame.columns:
            return frame
        for unit, code, value in self.put.filter(period=str(period)).select("unit", "code", "value").iter_rows():
            if code in frame.columns:
                figure = pl.lit(value).cast(frame.schema[code])
                frame = frame.with_columns(pl.when(pl.col(key) == unit).then(figure).otherwise(code).alias(code))
        return frame

    def _derived(self, frame: pl.DataFrame, edition: Edition, roster: str, period: Period) -> pl.DataFrame:
        """Computed indicators. One made of cumulative figures (the size class) is a matter of whole years: a quarter takes
        it from the newest annual report of the last ``YEARS_BACK`` years, or units would change class from quarter to quarter."""
        formulas = {
            i.code: i for f in edition.forms.values() if f.roster == roster for i in f.shown(period) if i.derived
        }
        if not formulas or frame.is_empty():
            return frame
        yearly = {c for c, i in formulas.items() if period.quarter and _of_flows(i, edition)}
        env = environment_for(self.programme, period, edition=edition)
        now = {c: i for c, i in formulas.items() if c not in yearly}
        ready = prepare_rows(frame, [i.derived for i in now.values()], env)
        values = ready.select(row_expr(i.derived, env).cast(i.dtype).alias(c) for c, i in now.items())
        frame = frame.with_columns(values)
        if yearly:
            frame = frame.drop(*yearly, strict=False)
            for back in range(1, YEARS_BACK + 1):
                frame = _filled_from(frame, self.bare(Period(period.year - back)).rosters[roster], sorted(yearly))
        return frame

    def _derived_parks(self, data: PeriodData, edition: Edition, period: Period) -> pl.DataFrame:
        formulas = {
            i.code: i for f in edition.forms.values() if f.kind is FormKind.SHEET for i in f.shown(period) if i.derived
        }
        if not formulas or data.parks.is_empty():
            return data.parks
        env = environment_for(self.programme, period, edition=edition, data=data)
        ready = prepare_rows(data.parks, [i.derived for i in formulas.values()], env)
        return data.parks.with_columns(
            ready.select(row_expr(i.derived, env).cast(i.dtype).alias(code) for code, i in formulas.items())
        )

    def _with_register(self, frame: pl.DataFrame, edition: Edition, period: Period) -> pl.DataFrame:
        """Answer status, weight and sub-park; units of the register that did not file come along without figures.

        A unit nobody has dealt with counts as one that could not be reached: it stays in the population and unanswered.
        """
        register = self.register(period) if self.register else None
        sub_park = pl.col(reserved.SUB_PARK) if reserved.SUB_PARK in frame.columns else pl.lit(None, dtype=pl.String)
        frame = frame.with_columns(sub_park=sub_park, answer_status=pl.lit("0"))
        if register is not None and register.height:
            absent = register.filter(~pl.col("unit_id").is_in(frame["unit_id"].implode()))
            known = [c for c in register.columns if c in frame.columns and c in edition.indicators]
            types = {c: edition.indicators[c].dtype for c in known}
            rows = absent.select(
                "unit_id", "park", "sub_park",
                # Answered once, but the report has gone back: without figures in force nothing is answered.
                answer_status=pl.col("status").cast(pl.String).replace({ANSWERED: UNREACHED}).fill_null(UNREACHED),
                **{c: from_text(c, t) for c, t in types.items() if c not in ("unit_id", "park")},
            )  # fmt: skip
            withdrawn = register.filter(pl.col("status").is_in([5, 6, 7, 8])).select(
                "unit_id", gone=pl.col("status").cast(pl.String)
            )
            frame = pl.concat([frame, rows.cast({"sub_park": pl.String})], how="diagonal")
            frame = (
                frame.join(withdrawn, on="unit_id", how="left", maintain_order="left")
                .with_columns(answer_status=pl.coalesce("gone", "answer_status"))
                .drop("gone")
            )
        return frame.with_columns(weight=pl.lit(1.0), imputed=pl.lit(False)).sort("park", "unit_id")

    def _parks(self, observations: Observations, edition: Edition, period: Period) -> pl.DataFrame:
        """One row a zone that has units in the register, whether it filed or not; K codes in columns, the register's attributes beside."""
        listed = register_of_parks(self.programme)
        day = period.end.isoformat()
        there = ((pl.col("valid_from") == "") | (pl.col("valid_from") <= day)) & (
            (pl.col("valid_to") == "") | (pl.col("valid_to") >= day)
        )
        frame = listed.filter(there & (pl.col("kind") == "zone")).select(
            park="code",
            park_name="short_name",
            kind="kind",
            groups="groups",
            province="province",
            city="city",
            division_code="division_code",
        )
        complete = observations.with_all_columns(edition, period).frames
        filed = (
            pl.concat([f.select("park") for f in observations.frames.values()])["park"].unique().implode()
            if observations.frames
            else pl.Series([[]], dtype=pl.List(pl.String))
        )
        frame = frame.with_columns(filed=pl.col("park").is_in(filed))
        # A zone of the shipped register that has no unit here and files nothing is not part of this survey.
        register = self.register(period) if self.register else None
        with_units = register["park"].unique().implode() if register is not None and register.height else filed
        frame = frame.filter(pl.col("filed") | pl.col("park").is_in(with_units))
        for form in edition.forms.values():
            if form.kind is FormKind.SHEET and form.code in complete:
                own = (
                    complete[form.code]
                    .drop(*(c for c in KEY_COLUMNS if c != "park"))
                    .unique("park", keep="first", maintain_order=True)
                )
                frame = frame.join(own, on="park", how="left", maintain_order="left")
        return frame.sort("park")


def _nothing(period: Period, rosters: Sequence[str]) -> PeriodData:
    units = pl.DataFrame(schema={"unit_id": pl.String, "park": pl.String})
    return PeriodData(
        period, dict.fromkeys(rosters, units), pl.DataFrame(schema={"park": pl.String, "filed": pl.Boolean})
    )


def _of_flows(indicator: Indicator, edition: Edition) -> bool:
    return any(edition.indicators[c].flow for c, _ in operands(parse(indicator.derived)) if c in edition.indicators)


def _filled_from(frame: pl.DataFrame, older: pl.DataFrame, codes: list[str]) -> pl.DataFrame:
    """``frame`` with the ``codes`` of the same unit in ``older`` where it has none of its own."""
    there = [c for c in codes if c in older.columns]
    known = older.select("unit_id", *(pl.col(c).alias(f"{c} older") for c in there)).unique("unit_id", keep="first")
    joined = frame.join(known, on="unit_id", how="left", maintain_order="left")
    filled = [(pl.coalesce(c, f"{c} older") if c in frame.columns else pl.col(f"{c} older")).alias(c) for c in there]
    return joined.with_columns(filled).drop(f"{c} older" for c in there)


def _beside(frame: pl.DataFrame, others: Mapping[str, pl.DataFrame], key: str) -> pl.DataFrame:
    """``frame`` with the codes of other periods as ``<code>_<lag>``.

    What the unit itself restated for last year counts before last year's figure (survey_system 8.6).
    """
    attributes = {
        PARK,
        CONTEXT,
        "unit_id",
        "park",
        "kind",
        "groups",
        "filed",
        "weight",
        "imputed",
        "answer_status",
        "sub_park",
    }
    for lag, other in others.items():
        codes = [c for c in other.columns if c not in attributes and len(c) == 3 and c[1:].isdigit()]
        lagged = other.select(key, *(pl.col(c).alias(f"{operand_column(c, lag)} other") for c in codes)).unique(
            key, keep="first"
        )
        frame = frame.join(lagged, on=key, how="left", maintain_order="left")
        for c in codes:
            name = operand_column(c, lag)
            value = pl.col(f"{name} other")
            frame = frame.with_columns((pl.coalesce(name, value) if name in frame.columns else value).alias(name)).drop(
                f"{name} other"
            )
    return frame
