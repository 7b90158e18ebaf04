"""Values of index indicators from their numerators and denominators: constant prices first, then moving sums, then the ratio."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

from schemas.errors import DefinitionError
from schemas.expression import Binary, Call, Name, Node, Number, Unary, children, parse, to_text
from schemas.model import IndexIndicator, IndexSystem

NUMERATOR: Final = "numerator"
DENOMINATOR: Final = "denominator"
SERIES_BASE: Final = 100.0


def window_years(indicator: IndexIndicator, year: int) -> tuple[int, ...]:
    """The years whose numerator and denominator are summed for the value of ``year``, oldest first."""
    return tuple(range(year - indicator.window + 1, year + 1))


def years_needed(system: IndexSystem, last: int) -> tuple[int, ...]:
    """Every year some indicator needs for the chain from the base year to ``last``: the windows reach further back."""
    widest = max(i.window for i in system.indicators)
    return tuple(range(system.base_year - widest + 1, last + 1))


def ratio_parts(formula: str) -> tuple[str, str]:
    """Numerator and denominator of an index formula as texts of the expression language; the denominator may be ``1``.

    ``(SUM(I17)/10)/K04*100`` gives ``SUM(I17) * 100`` and ``10 * K04``: their quotient is the value, and both can be
    summed over years. Only the outer products and quotients are taken apart; sums and functions stay whole.
    """
    above: list[Node] = []
    below: list[Node] = []

    def collect(node: Node, over: list[Node], under: list[Node]) -> None:
        match node:
            case Binary(op="*", left=left, right=right):
                collect(left, over, under)
                collect(right, over, under)
            case Binary(op="/", left=left, right=right):
                collect(left, over, under)
                collect(right, under, over)
            case _:
                over.append(node)

    collect(parse(formula), above, below)
    return _product(above), _product(below)


def _product(factors: list[Node]) -> str:
    texts = [f"({to_text(f)})" if isinstance(f, Binary | Unary) else to_text(f) for f in factors]
    return " * ".join(texts) if texts else "1"


def price_side(indicator: IndexIndicator, money: Collection[str]) -> str:
    """Which side of a deflated indicator holds the value at current prices: ``numerator`` or ``denominator``.

    ``money`` are the codes measured in money. Conditions (the second argument of SUM and COUNT) do not count.
    Raises DefinitionError where not exactly one side holds one: one deflator cannot serve two price aggregates.
    """
    sides = {
        side: _codes(parse(text)) & set(money)
        for side, text in zip((NUMERATOR, DENOMINATOR), ratio_parts(indicator.formula), strict=True)
    }
    found = [side for side, codes in sides.items() if codes]
    if len(found) != 1:
        raise DefinitionError(
            f"指标 {indicator.id} 规定用 {indicator.deflator} 缩减,但公式 {indicator.formula} 的分子分母中应恰有一侧是价值量",
            remedy="请改公式或删去 deflator。",
        )
    return found[0]


def _codes(node: Node) -> set[str]:
    match node:
        case Name(code=code):
            return {code}
        case Call(function="SUM", arguments=arguments):
            return _codes(arguments[0])
        case Call(function="COUNT") | Number():
            return set()
        case _:
            return set().union(*(_codes(child) for child in children(node)))


def chained_prices(series: pl.DataFrame, base_year: int) -> pl.DataFrame:
    """Price level of every area and series, base year = 1, from links "previous year = 100".

    Takes (area, year, series, value); returns (area, year, series, level). A missing link leaves every year beyond it
    without a level: what cannot be brought to base-year prices is missing, never taken at current prices.
    """
    rows: list[tuple[str, int, str, float]] = []
    for (area, code), group in series.sort("area", "series", "year").group_by(["area", "series"], maintain_order=True):
        links = {int(y): v for y, v in group.select("year", "value").iter_rows() if v is not None and v > 0}
        if not links:
            continue
        level, year = 1.0, base_year
        rows.append((str(area), base_year, str(code), 1.0))
        while (year := year + 1) in links:
            level *= links[year] / SERIES_BASE
            rows.append((str(area), year, str(code), level))
        level, year = 1.0, base_year
        while year in links:
            level /= links[year] / SERIES_BASE
            year -= 1
            rows.append((str(area), year, str(code), level))
    schema = {"area": pl.String, "year": pl.Int64, "series": pl.String, "level": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("area", "series", "year")


def deflated(
    parts: pl.DataFrame,
    system: IndexSystem,
    prices: pl.DataFrame,
    sides: Mapping[str, str],
    price_area: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """``parts`` with the price side of every indicator that names a deflator at base-year prices.

    ``parts``: (area, year, indicator, numerator, denominator, …); ``prices``: result of ``chained_prices``; ``sides``:
    indicator → side; ``price_area``: area → area whose price series applies, itself where not listed. Without a level
    the side becomes null.
    """
    deflators = {i.id: i.deflator for i in system.indicators if i.deflator}
    if missing := deflators.keys() - sides.keys():
        raise DefinitionError(f"指标 {'、'.join(sorted(missing))} 要缩减,但未指明分子还是分母是价值量")
    columns = parts.columns
    keyed = parts.with_columns(
        _series=pl.col("indicator").replace_strict(deflators, default=None, return_dtype=pl.String),
        _side=pl.col("indicator").replace_strict(dict(sides), default=None, return_dtype=pl.String),
        _area=pl.col("area").replace(dict(price_area or {})),
        year=pl.col("year").cast(pl.Int64),
    )
    levels = prices.rename({"area": "_area", "series": "_series", "level": "_level"})
    joined = keyed.join(levels, on=["_area", "year", "_series"], how="left", validate="m:1", maintain_order="left")

    def at_base_prices(side: str) -> pl.Expr:
        concerned = pl.col("_series").is_not_null() & (pl.col("_side") == side)
        return pl.when(concerned).then(pl.col(side) / pl.col("_level")).otherwise(pl.col(side)).alias(side)

    return joined.with_columns(at_base_prices(NUMERATOR), at_base_prices(DENOMINATOR)).select(columns)


def window_values(parts: pl.DataFrame, system: IndexSystem) -> pl.DataFrame:
    """The value of every indicator: sum of numerators over sum of denominators of its window.

    Takes (area, year, indicator, numerator, denominator), one row a key; returns (area, year, indicator, value) for
    every year from the base year on that has a row. Null where a year of the window is missing on either side or the
    denominators sum to zero: a shorter window is another indicator, and nothing divided by zero is a figure.
    """
    windows = pl.DataFrame(
        {
            "indicator": [i.id for i in system.indicators for _ in range(i.window)],
            "window": [i.window for i in system.indicators for _ in range(i.window)],
            "back": [back for i in system.indicators for back in range(i.window)],
        },
        schema={"indicator": pl.String, "window": pl.Int64, "back": pl.Int64},
    )
    keys = ["area", "year", "indicator"]
    rows = parts.select(
        *keys[:1],
        pl.col("year").cast(pl.Int64),
        "indicator",
        *(pl.col(c).cast(pl.Float64) for c in (NUMERATOR, DENOMINATOR)),
    )
    wanted = rows.filter(pl.col("year") >= system.base_year).select(keys).unique()
    steps = wanted.join(windows, on="indicator").with_columns(year_of=pl.col("year") - pl.col("back"))
    found = steps.join(
        rows.rename({"year": "year_of"}), on=["area", "year_of", "indicator"], how="left", validate="m:1"
    )
    both = pl.col(NUMERATOR).is_not_null() & pl.col(DENOMINATOR).is_not_null()
    sums = (
        found.sort([*keys, "back"])
        .group_by(keys, maintain_order=True)
        .agg(
            complete=(both.sum() == pl.col("window").first()),
            above=pl.col(NUMERATOR).sum(),
            below=pl.col(DENOMINATOR).sum(),
        )
    )
    usable = pl.col("complete") & (pl.col("below") != 0)
    return sums.select(*keys, value=pl.when(usable).then(pl.col("above") / pl.col("below"))).sort(keys)
