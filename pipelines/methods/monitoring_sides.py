"""The sides of a quarter's growth, a row a unit and indicator: its figure now and in every base it is compared with.

Source: survey_system.md 8.6. Restated 同口径: units with a figure now and in their 上年同期 column. Matched 匹配: units with a
figure now and in last year's accepted data. Nominal 名义: all units, now and as published last year. A discrete quarter runs
over units with a figure in both quarters; the others are the change of perimeter 范围变动.
Amounts are whole multiples of the indicator's last decimal (Int128), so that every sum is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from pipelines.methods.area_figures import classified, surveyed
from pipelines.methods.growth import carried_over, net_changes
from pipelines.methods.successions import HandedOver, handed_over, linked_units, went_into, with_members
from schemas.environment import Environment
from schemas.expression import operand_column
from schemas.model import Edition, FormKind, Indicator, ValueType
from schemas.period_data import PARK, PeriodData
from schemas.polars_target import prepare_rows, row_expr
from schemas.roster_sums import earlier_sizes
from schemas.structural_zeros import NON_RESPONSE

GROUPS: Final = ("park", "sub_park", "section", "division", "size")
ROWS_AT_ONCE: Final = 4_000_000
AMOUNTS: Final = {
    "unit_id": pl.String(),
    **dict.fromkeys(GROUPS, pl.String()),
    "indicator": pl.String(),
    "sheet": pl.Boolean(),
    "flow": pl.Boolean(),
    "weight": pl.Float64(),
    "amount": pl.Int128(),
}
SUCCESSIONS: Final = {"effective": pl.Date(), "predecessor": pl.String(), "successor": pl.String()}
METHODS: Final = {"unit_id": pl.String(), "indicator": pl.String(), "method": pl.String()}
UNITS: Final = {
    **AMOUNTS,
    "estimated": pl.Boolean(),
    "method": pl.String(),  # how it was estimated, null where it is reported
    "estimated_before": pl.Boolean(),  # whether a figure it is compared with was estimated
    "due": pl.Boolean(),
    "silent": pl.Boolean(),  # the unit owes a report and has none in force
    "weigh_by": pl.Int128(),  # last known revenue: how much a due unit counts that gives no base
    "restated": pl.Int128(),
    "accepted": pl.Int128(),
    "before": pl.Int128(),
}


@dataclass(frozen=True)
class MonitoringRound:
    """What one quarter's monitoring is made from.

    ``previous``: the quarter before in the same year as it stands now (revised), ``previous_published`` as it stood when
    that quarter was released; ``year_earlier`` and ``year_earlier_published`` likewise for the same quarter of last year.
    None where there is none; a first quarter has no previous one. ``imputed``: unit_id, indicator, method of the values
    that were put in for units without an answer. ``successions``: the mergers and splits of the register, a row a pair
    (effective, predecessor, successor).
    """

    now: PeriodData
    previous: PeriodData | None = None
    previous_published: PeriodData | None = None
    year_earlier: PeriodData | None = None
    year_earlier_published: PeriodData | None = None
    imputed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=METHODS))
    successions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SUCCESSIONS))


@dataclass(frozen=True)
class Sides:
    """``units``: one row a unit and indicator of this quarter (``UNITS``). ``others``: term → amounts (``AMOUNTS``) of other
    periods (published, previous, printed) and of differences (leavers, perimeter, correction), under their own groups.
    ``compared``: published and previous as merged and split units of now stand for them.
    """

    units: pl.DataFrame
    others: Mapping[str, pl.DataFrame]
    weighted: bool
    compared: Mapping[str, HandedOver]


def additive_indicators(edition: Edition) -> dict[str, tuple[Indicator, ...]]:
    """Roster (``park`` for sheets) → indicators monitoring adds up: numbers marked additive and asked every quarter."""
    found: dict[str, list[Indicator]] = {}
    for form in edition.forms.values():
        if form.kind is FormKind.CONTEXT:
            continue
        roster = PARK if form.kind is FormKind.SHEET else form.roster
        chosen = [i for i in form.indicators if i.additive and "Q" in i.rounds and i.type is ValueType.NUMBER]
        if chosen:
            found.setdefault(roster, []).extend(chosen)
    return {roster: tuple(indicators) for roster, indicators in found.items()}


def sub_park_codes(edition: Edition) -> dict[str, str]:
    """Roster → the code of its forms that names the sub-park."""
    return {
        form.roster: i.code
        for form in edition.forms.values()
        if form.kind is FormKind.ROSTER
        for i in form.indicators
        if i.codelist == "sub_park"
    }


def portions_of(data: PeriodData, edition: Edition) -> list[dict[str, tuple[Indicator, ...]]]:
    """``additive_indicators`` in portions whose sides fit into memory: a nation has millions of rows an indicator set.

    Sums run within an indicator, so portions change no figure.
    """
    portions: list[dict[str, tuple[Indicator, ...]]] = [{}]
    rows = 0
    for roster, indicators in additive_indicators(edition).items():
        height = data.parks.height if roster == PARK else data.rosters[roster].height if roster in data.rosters else 0
        for indicator in indicators:
            if rows and rows + height > ROWS_AT_ONCE:
                portions.append({})
                rows = 0
            portions[-1][roster] = (*portions[-1].get(roster, ()), indicator)
            rows += height
    return portions


def sides_of(
    round_: MonitoringRound, edition: Edition, env: Environment, indicators: Mapping[str, Sequence[Indicator]]
) -> Sides:
    """The sides of one quarter for some indicators (``additive_indicators`` or a portion of them), by roster.

    Operand columns the observations lack are taken from the other periods' figures.
    """
    subs = sub_park_codes(edition)

    def amounts(data: PeriodData | None) -> pl.DataFrame | None:
        if data is None:
            return None
        ready = classified(surveyed(data, env), env, subs)
        return pl.concat(
            [
                pl.DataFrame(schema=AMOUNTS),
                *(_amounts(frame, own, name) for name, frame, own in _rows(ready, indicators)),
            ]
        )

    now = classified(surveyed(round_.now, env), env, subs)
    units = pl.concat(
        [
            pl.DataFrame(schema=UNITS),
            *(_units(frame, own, name, env.with_data(now)) for name, frame, own in _rows(now, indicators)),
        ]
    )
    earlier, published = amounts(round_.year_earlier), amounts(round_.year_earlier_published)
    later = round_.now.period.previous() is not None
    previous, printed = (amounts(d) if later else None for d in (round_.previous, round_.previous_published))
    of_year = (round_.successions, round_.now.period.year_earlier(), round_.now.period)
    of_quarter = (round_.successions, round_.now.period.previous() or round_.now.period, round_.now.period)
    yearly, quarterly = linked_units(*of_year), linked_units(*of_quarter)
    from_year, from_quarter = went_into(*of_year), went_into(*of_quarter)
    answers, compared = units, {}
    if earlier is not None:
        handed = handed_over(earlier, answers, yearly, from_year)
        units = _looked_up(_restated_themselves(units, earlier, yearly), handed.comparable, "accepted").with_columns(
            pl.coalesce("restated", "accepted").alias("restated")
        )
    if published is not None:
        compared["published"] = handed_over(published, answers, yearly, from_year)
    if previous is not None:
        previous = _with_late_entries(previous, units, quarterly)
        compared["previous"] = handed_over(previous, answers, quarterly, from_quarter)
        units = _looked_up(units, compared["previous"].comparable, "before")
    units = _with_methods(units, round_, yearly)
    weighted = bool((units["weight"] != 1.0).any())
    return Sides(units, _others(units, published, previous, printed, compared), weighted, compared)


def _restated_themselves(units: pl.DataFrame, earlier: pl.DataFrame, groups: Mapping[str, str]) -> pl.DataFrame:
    """The units without a restated figure that is only the unit's own earlier one, where it has merged or split since: that
    is what was looked up for a blank, and no restatement of the whole."""
    if not groups:
        return units
    own = earlier.select("unit_id", "indicator", "sheet", pl.col("amount").alias("own"))
    linked = pl.col("unit_id").is_in(list(groups)) & ~pl.col("sheet")
    joined = units.join(own, on=["unit_id", "indicator", "sheet"], how="left", validate="m:1", maintain_order="left")
    stated = pl.when(linked & (pl.col("restated") == pl.col("own"))).then(None).otherwise("restated")
    return joined.with_columns(stated.alias("restated")).select(*UNITS)


def _with_methods(units: pl.DataFrame, round_: MonitoringRound, groups: Mapping[str, str]) -> pl.DataFrame:
    """How each estimate came about, and whether a unit was estimated in a period it is compared with."""
    others = (round_.previous, round_.previous_published, round_.year_earlier_published)
    estimated = [
        frame.filter("imputed")["unit_id"]
        for data in others
        if data is not None
        for frame in data.rosters.values()
        if "imputed" in frame.columns
    ]
    before = pl.concat(estimated).unique() if estimated else pl.Series("unit_id", [], dtype=pl.String)
    if groups:
        before = pl.Series("unit_id", sorted(with_members(before, groups)), dtype=pl.String)
    if before.is_empty() and round_.imputed.is_empty():
        return units
    methods = round_.imputed.select(pl.col(c).cast(t) for c, t in METHODS.items())
    keys = ["unit_id", "indicator"]
    joined = units.drop("method").join(methods, on=keys, how="left", validate="m:1", maintain_order="left")
    known = pl.when(pl.col("estimated") & ~pl.col("sheet")).then("method").alias("method")
    touched = (pl.col("unit_id").is_in(before.implode()) & ~pl.col("sheet")).alias("estimated_before")
    return joined.with_columns(known, touched).select(*UNITS)


def _rows(
    data: PeriodData, indicators: Mapping[str, Sequence[Indicator]]
) -> list[tuple[str, pl.DataFrame, list[Indicator]]]:
    """(roster, frame, indicators the frame has) of everything monitoring adds up."""
    sheet = data.parks.with_columns(pl.col("park").alias("unit_id")) if "park" in data.parks.columns else data.parks
    frames = {**data.rosters, PARK: sheet}
    found = [
        (name, frames[name], [i for i in own if i.code in frames[name].columns])
        for name, own in indicators.items()
        if name in frames
    ]
    return [(name, frame, own) for name, frame, own in found if own]


def _exact(column: str, indicator: Indicator) -> pl.Expr:
    """A figure as a whole number of the indicator's last decimal."""
    if not indicator.decimals:
        return pl.col(column).cast(pl.Int128)
    return pl.col(column).cast(pl.Decimal(38, indicator.decimals)).to_physical().cast(pl.Int128)


def _keys(frame: pl.DataFrame, indicator: Indicator, roster: str) -> list[pl.Expr]:
    groups = [pl.col(g) if g in frame.columns else pl.lit(None, dtype=pl.String).alias(g) for g in GROUPS]
    weight = pl.col("weight").fill_null(1.0) if "weight" in frame.columns else pl.lit(1.0)
    return [
        pl.col("unit_id"),
        *groups,
        pl.lit(indicator.code).alias("indicator"),
        pl.lit(roster == PARK).alias("sheet"),
        pl.lit(indicator.flow).alias("flow"),
        weight.alias("weight"),
        _exact(indicator.code, indicator).alias("amount"),
    ]


def _amounts(frame: pl.DataFrame, indicators: Sequence[Indicator], roster: str) -> pl.DataFrame:
    return pl.concat([frame.lazy().select(_keys(frame, i, roster)) for i in indicators]).collect()


def _units(frame: pl.DataFrame, indicators: Sequence[Indicator], roster: str, env: Environment) -> pl.DataFrame:
    """One row a unit and indicator. A unit owes an indicator unless a form it lies outside of does not ask it."""
    scopes = {
        i.code: env.variables[i.code].applies_if
        for i in indicators
        if env.variables[i.code].absent == "outside" and env.variables[i.code].applies_if
    }
    ready = prepare_rows(frame, list(scopes.values()), env)
    estimated = pl.col("imputed").fill_null(False) if "imputed" in frame.columns else pl.lit(False)
    status = pl.col("answer_status") if "answer_status" in frame.columns else pl.lit(None, dtype=pl.String)
    silent = status.is_in(NON_RESPONSE).fill_null(False)
    sizes = [pl.col(c).cast(pl.Int128).abs() for c in (*earlier_sizes(env), env.size) if c in frame.columns]
    size = pl.coalesce(sizes) if sizes else pl.lit(None, dtype=pl.Int128)

    def lagged(indicator: Indicator, lag: str, name: str) -> pl.Expr:
        column = operand_column(indicator.code, lag)
        found = _exact(column, indicator) if column in frame.columns else pl.lit(None, dtype=pl.Int128)
        return found.alias(name)

    def due(indicator: Indicator) -> pl.Expr:
        if indicator.code not in scopes:
            return pl.lit(True).alias("due")
        asked = row_expr(scopes[indicator.code], env).fill_null(False)
        return (asked | pl.col(indicator.code).is_not_null()).alias("due")

    rows = [
        ready.lazy().select(
            *_keys(frame, i, roster),
            estimated.alias("estimated"),
            pl.lit(None, dtype=pl.String).alias("method"),
            pl.lit(False).alias("estimated_before"),
            due(i),
            silent.alias("silent"),
            size.alias("weigh_by"),
            lagged(i, "yoy", "restated"),
            pl.lit(None, dtype=pl.Int128).alias("accepted"),
            lagged(i, "prev", "before"),
        )
        for i in indicators
    ]
    return pl.concat(rows).collect()


def _looked_up(units: pl.DataFrame, source: pl.DataFrame, name: str) -> pl.DataFrame:
    """The column ``name`` filled from ``source``, by unit and indicator."""
    figures = source.select("unit_id", "indicator", "sheet", pl.col("amount").alias(name))
    keys = ["unit_id", "indicator", "sheet"]
    return units.drop(name).join(figures, on=keys, how="left", validate="m:1", maintain_order="left").select(*UNITS)


def _with_late_entries(previous: pl.DataFrame, units: pl.DataFrame, groups: Mapping[str, str]) -> pl.DataFrame:
    """The revised previous quarter with the earlier cumulative figures that late entrants reported afterwards.

    A unit the previous quarter already has keeps what it has there; what merged or split units did before stands under their
    predecessors. Source: survey_system.md 8.6.
    """
    known = previous.select("unit_id", "sheet").unique()
    late = units.filter(pl.col("before").is_not_null() & ~pl.col("unit_id").is_in(list(groups))).join(
        known, on=["unit_id", "sheet"], how="anti"
    )
    return pl.concat([previous, late.with_columns(pl.col("before").alias("amount")).select(*AMOUNTS)])


def _others(
    units: pl.DataFrame,
    published: pl.DataFrame | None,
    previous: pl.DataFrame | None,
    printed: pl.DataFrame | None,
    compared: Mapping[str, HandedOver],
) -> dict[str, pl.DataFrame]:
    by = [*GROUPS, "indicator", "sheet", "flow"]
    summed = ~pl.col("sheet")
    found: dict[str, pl.DataFrame] = {}

    def difference(term: str, plus: pl.DataFrame, minus: pl.DataFrame) -> None:
        nets = net_changes(plus.filter(summed), minus.filter(summed), by)
        found[term] = nets.with_columns(pl.lit(1.0).alias("weight")).select(*AMOUNTS)

    if published is not None:
        found["published"] = published
        base = pl.when(pl.col("amount").is_not_null()).then("accepted")
        difference("leavers", compared["published"].amounts, units.with_columns(base.alias("amount")))
    if previous is not None:
        found["previous"] = previous.filter("flow")
        carried = units.filter("flow").with_columns(carried_over(pl.col("amount"), pl.col("before")).alias("amount"))
        difference("perimeter", carried, compared["previous"].amounts.filter("flow"))
    if previous is not None and printed is not None:
        found["printed"] = printed.filter("flow")
        difference("correction", found["previous"], found["printed"])
    return found
