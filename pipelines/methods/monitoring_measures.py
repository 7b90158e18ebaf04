"""From terms to cells: the measures of monitoring, each with its value, its note, and the names of the sums behind it.

A measure that cannot be given is a cell with status ``M`` and a Chinese note that says why; a measure that has no meaning
for an indicator (a discrete quarter of a stock) is no cell at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.methods import growth
from pipelines.methods.monitoring_groups import unlike_groups
from pipelines.methods.monitoring_notes import CONSTANT, RESPONDENTS, note_of
from pipelines.methods.monitoring_terms import DIMENSIONS, Terms
from schemas.marts import row_key
from schemas.model import Indicator

TABLE: Final = "figures"
PERCENT: Final = "%"
HUNDRED: Final = 100.0
POINTS: Final = "百分点"
MOST_DECIMALS: Final = 6
UNITS: Final = "户"
ROW_KEY: Final = (*DIMENSIONS, "measure")

NOT_REPORTED: Final = "没有单位报送"
NOT_COMPLETE: Final = "有园区未报送,不作合计"
NO_PREVIOUS: Final = "没有上季数据"
NO_PAIRS: Final = "没有上季与本季都报送的单位"
NOT_PUBLISHED: Final = "上年同期未发布"
NO_SUCH_GROUP: Final = "上年同期发布数中没有这一组"
PREVIOUS_NOT_PUBLISHED: Final = "上季未发布"
LOW_COVERAGE: Final = "可比单位所占份额不足规定的比例,不公布"
NO_YEAR_EARLIER: Final = "没有上年同期数据"
TOTAL_UNKNOWN: Final = "合计数没有可比的增量"
MOSTLY_IMPUTED: Final = "填报单位过少,估算所占份额超过规定,不公布"
SHARE_OF_NOTHING: Final = "合计不为正,不计算占比"


@dataclass(frozen=True)
class Measure:
    """``unit`` and ``decimals``: None takes those of the indicator. ``behind``: (term, role) of its own cell, ``whole`` of
    the area's total beside it."""

    name: str
    unit: str | None
    decimals: int | None
    behind: tuple[tuple[str, str], ...]
    whole: tuple[tuple[str, str], ...] = ()


COMPARED: Final = (("comparable", "numerator"), ("base", "base"))
# What gives the comparable sum gives the rest of 本年累计 too.
APART: Final = (*COMPARED, ("rest", "level"), ("entrants", "level"))
MEASURES: Final[dict[str, Measure]] = {
    "cumulative": Measure("本年累计", None, None, (("level", "level"),)),
    "discrete_quarter": Measure(
        "本季", None, None, (("discrete", "level"), ("kept", "level"), ("kept_before", "base"))
    ),
    "correction": Measure(
        "上季累计订正额", None, None, (("correction", "level"), ("previous", "level"), ("printed", "base"))
    ),
    "perimeter": Measure("范围变动", None, None, (("perimeter", "level"), ("level", "level"), ("previous", "base"))),
    "year_earlier_restated": Measure("上年同期(同口径)", None, None, (("base", "base"), ("entrants", "level"))),
    "year_earlier_matched": Measure(
        "上年同期(匹配)", None, None, (("matched_base", "base"), ("entrants", "level"), ("leavers", "level"))
    ),
    "year_earlier_published": Measure("上年同期(原发布)", None, None, (("published", "base"), ("leavers", "level"))),
    "growth_restated": Measure("同比(同口径)", PERCENT, 1, APART),
    "growth_matched": Measure(
        "同比(匹配)",
        PERCENT,
        1,
        # 本年累计 less the matched units, which base and growth give, is what the others reported.
        (
            ("matched", "numerator"),
            ("matched_base", "base"),
            ("unmatched", "level"),
            ("entrants", "level"),
            ("leavers", "level"),
        ),
    ),
    "growth_nominal": Measure(
        "同比(名义)", PERCENT, 1, (("level", "numerator"), ("published", "base"), ("leavers", "level"))
    ),
    "contribution_rate": Measure(
        "对增长的贡献率",
        PERCENT,
        1,
        APART,
        (("comparable", "denominator"), ("base", "base")),
    ),
    "contribution_points": Measure("拉动", POINTS, 2, APART, (("base", "denominator"),)),
    "share": Measure("占比", PERCENT, 1, (("level", "numerator"),), (("level", "denominator"),)),
    "units_reported": Measure("已报单位数", UNITS, 0, ()),
    "units_due": Measure("应报单位数", UNITS, 0, ()),
    "coverage": Measure("填报率", PERCENT, 1, ()),
    "cumulative_constant": Measure("本年累计(上年价格)", None, None, (("level", "level"),)),
    "growth_real": Measure("同比(不变价)", PERCENT, 1, APART),
    "cumulative_reported": Measure("填报单位合计", None, None, (("answered", "level"), ("estimates", "level"))),
    "growth_reported": Measure(
        "同比(填报单位)",
        PERCENT,
        1,
        (("answered_now", "numerator"), ("answered_base", "base"), ("estimates_now", "level"), ("estimates", "level")),
    ),
    "imputed_share": Measure("估算占比", PERCENT, 1, (("estimates", "numerator"), ("level", "denominator"))),
    "units_imputed": Measure("估算单位数", UNITS, 0, ()),
    "units_unknown": Measure("未报未估单位数", UNITS, 0, ()),
}
FORMULAS: Final = {
    "cumulative": "SUM({x})",
    "discrete_quarter": "SUM({x})-prev(SUM({x}))",
    "year_earlier_restated": "yoy(SUM({x}))",
    "growth_restated": "(SUM({x})/yoy(SUM({x}))-1)*100",
    "growth_real": "(SUM({x})/yoy(SUM({x}))-1)*100",
}
STOCK_NAME: Final = "期末数"
ALWAYS_SHOWN: Final = ("total", "zone")
COUNTS: Final = ("units_reported", "units_due", "coverage", "units_imputed", "units_unknown")
BESIDE: Final = (*CONSTANT, "cumulative_reported", "growth_reported", "imputed_share", "units_imputed", "units_unknown")
COMPARED_BEFORE: Final = ("discrete_quarter", "correction", "perimeter", "year_earlier_published", "growth_nominal")


@dataclass(frozen=True)
class Frame:
    """What the notes and statuses hang on: whether a quarter has an earlier one, and the least share of comparable units."""

    first_quarter: bool
    has_previous: bool
    has_previous_published: bool
    has_year_earlier: bool
    has_year_earlier_published: bool
    weighted: bool
    coverage_minimum: float
    sheet_codes: frozenset[str]
    most_imputed: float = 1.0  # the largest share of estimates in a published level


def _when(*cases: tuple[pl.Expr, str], otherwise: str | pl.Expr = "") -> pl.Expr:
    note = pl.lit(otherwise) if isinstance(otherwise, str) else otherwise
    for condition, text in reversed(cases):
        note = pl.when(condition).then(pl.lit(text)).otherwise(note)
    return note


def with_totals(values: pl.DataFrame) -> pl.DataFrame:
    """Every row with the terms of its area's total beside it, as ``comparable_all``, ``base_all``, ``level_all`` …"""
    wanted = ["level", "comparable", "base", "coverage", "estimates", "no_base"]
    totals = values.filter(pl.col("breakdown") == "total").select(
        "area", "indicator", *(pl.col(c).alias(f"{c}_all") for c in wanted)
    )
    return values.join(totals, on=["area", "indicator"], how="left", validate="m:1", maintain_order="left")


def _on_last_decimal(difference: pl.Expr, frame: Frame) -> pl.Expr:
    """A difference of sums back on the indicator's last decimal, where Float64 has left some 1e-12: nothing changed is 0.

    Weighted sums are no multiples of it and stay as they are.
    """
    if frame.weighted:
        return difference
    decimals = pl.col("indicator_decimals")
    rounded = [pl.when(decimals == d).then(difference.round(d) + 0.0) for d in range(MOST_DECIMALS + 1)]
    return pl.coalesce(*rounded, difference)


def measure_values(frame: Frame) -> dict[str, tuple[pl.Expr, pl.Expr, pl.Expr]]:
    """Measure → (value, note, whether the cell exists) over the columns of ``with_totals`` and the indicator's."""
    c = pl.col
    level, comparable, base = c("level"), c("comparable"), c("base")
    sheet, flow, whole = c("indicator").is_in(sorted(frame.sheet_codes)), c("flow"), c("breakdown") == "total"
    summed = ~sheet
    yes = pl.lit(True)
    zero = pl.lit(0.0)
    thin, thin_all = mostly_imputed(frame), mostly_imputed(frame, "_all")
    told = pl.when(~thin).then(level)  # the level as published
    some_imputed = c("imputed").fill_null(0) > 0
    priced = c("price").is_not_null() & c("breakdown").is_in(ALWAYS_SHOWN)
    covered = c("coverage").fill_null(1.0) >= frame.coverage_minimum
    covered_all = c("coverage_all").fill_null(1.0) >= frame.coverage_minimum
    later = flow & pl.lit(not frame.first_quarter)
    between = _on_last_decimal(level - c("previous"), frame)
    discrete = level if frame.first_quarter else pl.when(sheet).then(between).otherwise(c("discrete"))
    no_earlier = _when((pl.lit(not frame.has_previous), NO_PREVIOUS), otherwise=NO_PAIRS)
    revised = c("previous").is_not_null() | c("printed").is_not_null()
    missing = pl.when(sheet).then(pl.lit(NOT_COMPLETE)).otherwise(pl.lit(NOT_REPORTED))
    unpublished = pl.lit(NO_SUCH_GROUP if frame.has_year_earlier_published else NOT_PUBLISHED)
    # A side that nobody has is said once, at the total, not in every category.
    has_earlier, has_published = (
        whole | pl.lit(frame.has_year_earlier),
        whole | pl.lit(frame.has_year_earlier_published),
    )
    contributed = ~whole & base.is_not_null() & comparable.is_not_null()
    least = growth.increment_speaks(c("comparable_all"), c("base_all"))
    return {
        "cumulative": (told, _when((thin, MOSTLY_IMPUTED), otherwise=missing), yes),
        "discrete_quarter": (pl.when(~thin).then(discrete), _when((thin, MOSTLY_IMPUTED), otherwise=no_earlier), flow),
        "correction": (
            _on_last_decimal(c("previous").fill_null(zero) - c("printed").fill_null(zero), frame)
            if frame.has_previous_published
            else pl.lit(None, dtype=pl.Float64),
            pl.lit(PREVIOUS_NOT_PUBLISHED),
            later & revised,
        ),
        "perimeter": (
            _on_last_decimal(
                level.fill_null(zero) - c("discrete").fill_null(zero) - c("previous").fill_null(zero), frame
            )
            if frame.has_previous
            else pl.lit(None, dtype=pl.Float64),
            pl.lit(NO_PREVIOUS),
            later & summed & (level.is_not_null() | c("previous").is_not_null()),
        ),
        "year_earlier_restated": (base, pl.lit(growth.BASE_MISSING), yes),
        "year_earlier_matched": (c("matched_base"), pl.lit(NO_YEAR_EARLIER), summed & has_earlier),
        "year_earlier_published": (c("published"), unpublished, has_published),
        "growth_restated": (
            pl.when(covered).then(growth.growth_pct(comparable, base)),
            pl.when(covered | base.is_null())
            .then(growth.growth_note(comparable, base))
            .otherwise(pl.lit(LOW_COVERAGE)),
            yes,
        ),
        "growth_matched": (
            growth.growth_pct(c("matched"), c("matched_base")),
            growth.growth_note(c("matched"), c("matched_base")),
            summed & has_earlier,
        ),
        "growth_nominal": (
            pl.when(c("unlike").is_null()).then(growth.growth_pct(told, c("published"))),
            pl.when(c("unlike").is_not_null())
            .then(c("unlike"))
            .when(c("published").is_null())
            .then(unpublished)
            .otherwise(_when((thin, MOSTLY_IMPUTED), otherwise=growth.growth_note(level, c("published")))),
            has_published,
        ),
        "contribution_rate": (
            pl.when(covered_all).then(
                growth.contribution_rate_pct(comparable, base, c("comparable_all"), c("base_all"))
            ),
            _when((~covered_all, LOW_COVERAGE), (~least, growth.INCREMENT_SMALL), otherwise=TOTAL_UNKNOWN),
            contributed,
        ),
        "contribution_points": (
            pl.when(covered_all).then(growth.contribution_points(comparable, base, c("base_all"))),
            _when((~covered_all, LOW_COVERAGE), (c("base_all") <= 0, growth.BASE_ZERO), otherwise=TOTAL_UNKNOWN),
            contributed,
        ),
        "share": (
            pl.when(~thin & ~thin_all).then(growth.share_pct(level, c("level_all"))),
            _when((thin | thin_all, MOSTLY_IMPUTED), otherwise=missing),
            ~whole & c("nonneg"),
        ),
        "units_reported": (c("reported"), missing, c("due").is_not_null()),
        "units_due": (c("due"), missing, c("due").is_not_null()),
        "coverage": (growth.share_pct(c("reported"), c("due")), missing, c("due").is_not_null()),
        "cumulative_constant": (told / c("price"), pl.lit(MOSTLY_IMPUTED), priced & level.is_not_null()),
        "growth_real": (
            (pl.when(covered).then(growth.growth_pct(comparable, base)) / HUNDRED + 1) / c("price") * HUNDRED - HUNDRED,
            pl.when(covered | base.is_null())
            .then(growth.growth_note(comparable, base))
            .otherwise(pl.lit(LOW_COVERAGE)),
            priced,
        ),
        "cumulative_reported": (c("answered"), missing, some_imputed),
        "growth_reported": (
            pl.when(covered).then(growth.growth_pct(c("answered_now"), c("answered_base"))),
            pl.when(covered)
            .then(growth.growth_note(c("answered_now"), c("answered_base")))
            .otherwise(pl.lit(LOW_COVERAGE)),
            some_imputed,
        ),
        "imputed_share": (growth.share_pct(c("estimates"), level), pl.lit(SHARE_OF_NOTHING), some_imputed),
        "units_imputed": (c("imputed"), missing, some_imputed),
        "units_unknown": (c("unknown"), missing, some_imputed | (c("unknown").fill_null(0) > 0)),
    }


def mostly_imputed(frame: Frame, suffix: str = "") -> pl.Expr:
    """Whether estimates hold more than the allowed share of a level: it is then no figure of those who answered."""
    level, estimates = pl.col(f"level{suffix}"), pl.col(f"estimates{suffix}")
    return ((level != 0) & (estimates.abs() > frame.most_imputed * level.abs())).fill_null(False)


def _status(code: str, frame: Frame) -> pl.Expr:
    """Of a figure that there is: E with an estimate in it, on either side of a comparison; counts of units are A."""
    if code in COUNTS:
        return pl.lit("A")
    estimated = pl.lit(frame.weighted)
    if code not in RESPONDENTS:
        estimated = (pl.col("imputed").fill_null(0) > 0) | estimated
    if code in COMPARED_BEFORE:
        estimated |= pl.col("imputed_before").fill_null(0) > 0
    return pl.when(estimated).then(pl.lit("E")).otherwise(pl.lit("P"))


NO_PRICES: Final = pl.DataFrame(
    schema={"area": pl.String(), "breakdown": pl.String(), "category": pl.String(), "indicator": pl.String(),
            "price": pl.Float64(), "deflator": pl.String()}
)  # fmt: skip


def cells_of_indicators(
    terms: Terms, indicators: Sequence[Indicator], frame: Frame, period: str, prices: pl.DataFrame = NO_PRICES
) -> pl.DataFrame:
    """One row a cell, with the codes of its dimensions; names are added afterwards.

    ``prices`` (as ``NO_PRICES``): the price level against last year of what an indicator is deflated by; without one there is no figure
    at constant prices."""
    described = pl.DataFrame(
        [(i.code, i.name, i.unit_measure, i.decimals, i.flow, i.nonneg) for i in indicators],
        schema=["indicator", "indicator_name", "indicator_unit", "indicator_decimals", "flow", "nonneg"],
        orient="row",
    )
    rows = with_totals(terms.values).join(described, on="indicator", how="inner", maintain_order="left")
    rows = rows.join(unlike_groups(terms), on=["area", "breakdown"], how="left", validate="m:1", maintain_order="left")
    rows = rows.join(prices, on=DIMENSIONS, how="left", validate="1:1", maintain_order="left")
    # A category in which no side has a figure is no row; a total without one says why.
    some = pl.any_horizontal(pl.col(t).is_not_null() for t in ("level", "previous", "printed", "published"))
    rows = rows.filter(some | pl.col("breakdown").is_in(ALWAYS_SHOWN))
    tables = []
    for code, (value, note, exists) in measure_values(frame).items():
        measure = MEASURES[code]
        cells = rows.filter(exists).with_columns(value.cast(pl.Float64).alias("value"), note.alias("why"))
        tables.append(
            cells.select(
                *DIMENSIONS,
                "indicator_name",
                pl.lit(TABLE).alias("table"),
                pl.lit(period).alias("period"),
                pl.lit(code).alias("measure"),
                _measure_name(code),
                (pl.lit(measure.unit) if measure.unit else pl.col("indicator_unit")).alias("unit_measure"),
                (pl.lit(measure.decimals) if measure.decimals is not None else pl.col("indicator_decimals"))
                .cast(pl.Int8)
                .alias("decimals"),
                "value",
                pl.when(pl.col("value").is_null()).then(pl.lit("M")).otherwise(_status(code, frame)).alias("status"),
                _note(code, frame).alias("note"),
                _formula(code, frame).alias("formula"),
            )
        )
    return pl.concat(tables).with_columns(row_key(*ROW_KEY))


def _measure_name(code: str) -> pl.Expr:
    name = pl.lit(MEASURES[code].name)
    return (pl.when("flow").then(name).otherwise(pl.lit(STOCK_NAME)) if code == "cumulative" else name).alias(
        "measure_name"
    )


def _note(code: str, frame: Frame) -> pl.Expr:
    """Why there is no figure; of one that there is, what it says of itself (``monitoring_notes``). Counts of units say nothing."""
    said = pl.lit("") if code in COUNTS else note_of(code, frame.sheet_codes, weighted=frame.weighted)
    return pl.when(pl.col("value").is_not_null()).then(said).otherwise("why")


def _formula(code: str, frame: Frame) -> pl.Expr:
    text = FORMULAS.get(code, "")
    if not text or (code == "discrete_quarter" and frame.first_quarter):
        text = FORMULAS["cumulative"] if text else ""
    sheet = text.replace("SUM({x})", "{x}")
    on = pl.col("indicator")
    if "{x}" not in text:
        return pl.lit("")
    of_sheet = on.is_in(sorted(frame.sheet_codes))
    return pl.when(of_sheet).then(_filled(sheet)).otherwise(_filled(text))


def _filled(text: str) -> pl.Expr:
    return pl.format(text.replace("{x}", "{}"), *([pl.col("indicator")] * text.count("{x}")))
