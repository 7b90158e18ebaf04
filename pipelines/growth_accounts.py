"""``ytb series growth-accounting``: growth accounting of any table, with its assumptions and what hangs on them (a trial)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import polars as pl

from exports.display import figure
from pipelines.csv_tables import names_its_file, typed_table
from pipelines.methods.growth_accounting import (
    TRIAL,
    Assumptions,
    Contributions,
    accounted,
    at_constant_prices,
    decomposed,
    log_growth,
)
from pipelines.series_tables import Outcome
from schemas.errors import DefinitionError

RATES: Final[dict[str, pl.DataType]] = {
    "series": pl.String(), "output": pl.Float64(), "capital": pl.Float64(), "labour": pl.Float64(), "capital_share": pl.Float64(),
}  # fmt: skip
LEVELS: Final[dict[str, pl.DataType]] = {
    "series": pl.String(), "year": pl.Float64(), "output": pl.Float64(), "capital": pl.Float64(), "investment": pl.Float64(),
    "labour": pl.Float64(), "output_price": pl.Float64(), "investment_price": pl.Float64(),
}  # fmt: skip
ASSUMED: Final = ("capital_share", "depreciation", "initial_growth")


@names_its_file
def of_rates(
    data: Path, capital_shares: Sequence[float], *, named: Mapping[str, str], growth_minimum: float
) -> Outcome:
    """One row a series: growth rates a year in percent taken apart. ``capital_share`` of the file goes before the option."""
    table = typed_table(data, RATES, named, frozenset(("series", "capital_share")))
    rows: list[dict[str, Any]] = []
    for line, row in enumerate(table.iter_rows(named=True), start=1):
        name = row.get("series") or str(line)
        known = [row[c] for c in ("output", "capital", "labour")]
        if None in known:
            raise DefinitionError(
                f"“{name}”缺增速", where=f"{data.name}:{line + 1}", remedy="请补上产出、资本、劳动三个增速。"
            )
        own = row.get("capital_share")
        for share in [own] if own is not None else capital_shares:
            found = decomposed(known[0], known[1], known[2], share, growth_minimum=growth_minimum)
            rows.append({"series": name, "capital_share": share, **_flat(found)})
    return _told(rows, ["资本弹性由文件逐行给出或取 --capital-share 各值"])


@names_its_file
def of_levels(
    data: Path,
    last: int,
    window: int,
    assumed: Mapping[str, Sequence[float]],
    *,
    named: Mapping[str, str],
    growth_minimum: float,
) -> Outcome:
    """Every combination of the assumptions for every series: levels by year, capital given or built from investment.

    Prices (the year before = 100) bring output and investment to prices of the first year of the window; without them the
    figures are taken as being at constant prices. Raises DefinitionError for a gap or a year that is missing.
    """
    optional = frozenset(("series", "capital", "investment", "output_price", "investment_price"))
    table = typed_table(data, LEVELS, named, optional)
    if table.filter(pl.col("year") != pl.col("year").round()).height:
        raise DefinitionError("年份不是整数", where=data.name, remedy="请写成 2020 这样的年份。")
    table = table.with_columns(pl.col("year").cast(pl.Int64))
    if not {"capital", "investment"} & set(table.columns):
        raise DefinitionError("没有 capital 也没有 investment 列", where=data.name, remedy="请给出资本存量或投资额。")
    groups = table.group_by(["series"], maintain_order=True) if "series" in table.columns else [(("",), table)]
    rows: list[dict[str, Any]] = []
    for (name,), frame in groups:
        years = frame["year"].to_list()
        if None in years or len(set(years)) != len(years):
            raise DefinitionError(f"{name}年份为空或重复", remedy="每个序列一年一行。")
        rows += _of_series(str(name), frame, last or max(years), window, assumed, growth_minimum)
    price = "按价格指数缩减" if "output_price" in table.columns else "按不变价给出(未缩减)"
    stock = "资本存量由文件给出" if "capital" in table.columns else "资本存量按永续盘存由投资额推算,用年初数"
    return _told(rows, [f"产出{price};{stock};窗口{window}年,增速为年均对数增速"])


def _of_series(
    name: str,
    frame: pl.DataFrame,
    last: int,
    window: int,
    assumed: Mapping[str, Sequence[float]],
    growth_minimum: float,
) -> list[dict[str, Any]]:
    first = last - window

    def column(code: str, price: str = "") -> dict[int, float]:
        values = _by_year(frame, code)
        return at_constant_prices(values, _by_year(frame, price), first) if price in frame.columns else values

    output, labour = column("output", "output_price"), column("labour")
    if "capital" in frame.columns:
        rates = (log_growth(s, first, last) for s in (output, column("capital", "investment_price"), labour))
        y, k, n = rates
        found = [
            (Assumptions(share, 0.0, 0.0), decomposed(y, k, n, share, growth_minimum=growth_minimum))
            for share in assumed["capital_share"]
        ]
        shown: tuple[str, ...] = ("capital_share",)
    else:
        investment = column("investment", "investment_price")
        combinations = [Assumptions(*values) for values in product(*(assumed[c] for c in ASSUMED))]
        found = [
            (a, accounted(output, investment, labour, last, window, a, growth_minimum=growth_minimum))
            for a in combinations
        ]
        shown = ASSUMED
    head = {"series": name, "from": first, "to": last}
    return [{**head, **{c: getattr(a, c) for c in shown}, **_flat(made)} for a, made in found]


def _by_year(frame: pl.DataFrame, code: str) -> dict[int, float]:
    return {y: v for y, v in frame.select("year", code).iter_rows() if v is not None}


def _flat(found: Contributions) -> dict[str, float | None]:
    return {
        "output_growth": found.output, "capital_growth": found.capital, "labour_growth": found.labour,
        "capital_points": found.capital_points, "labour_points": found.labour_points, "residual": found.residual,
        "residual_share": found.residual_share,
    }  # fmt: skip


def _told(rows: list[dict[str, Any]], assumptions: list[str]) -> Outcome:
    """The table, and for people the assumptions and of every series the range of the residual over them."""
    table = pl.DataFrame(rows, infer_schema_length=None)
    lines, ranges = [f"{TRIAL}。", *assumptions], []
    for (name,), own in table.group_by(["series"], maintain_order=True):
        shares: list[float] = own["residual_share"].drop_nulls().to_list()
        residuals: list[float] = own["residual"].to_list()
        head = f"{name or '合计'}:产出年均增长 {figure(own['output_growth'][0], 2)}%,余值 {figure(min(residuals), 2)} — {figure(max(residuals), 2)} 个百分点"
        if not shares:
            lines.append(f"{head};产出增速过小,余值占比不定")
        else:
            lines.append(f"{head},占 {figure(min(shares), 1)}% — {figure(max(shares), 1)}%({own.height} 种假定)")
        ranges.append(
            {
                "series": name, "combinations": own.height, "undetermined": own.height - len(shares),
                "lowest": min(shares, default=None), "highest": max(shares, default=None),
            }
        )  # fmt: skip
    return Outcome(table, tuple(lines), {"ranges": ranges, "assumptions": assumptions, "trial": TRIAL})
