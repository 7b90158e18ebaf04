"""``ytb series``: adjustment, prices and chains, early estimates, imputation and structure of any table (docs/formats/series.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from exports.display import figure, grouped, percent
from pipelines.csv_tables import names_its_file, typed_table
from pipelines.methods.series.adjustment import discrete, seasonally_adjusted
from pipelines.methods.series.early import EarlyEstimate, early_estimate
from pipelines.methods.series.imputing import INPUT, METHODS, imputed_totals, imputed_units
from pipelines.methods.series.links import (
    Overlap,
    PriceBase,
    chain_linked,
    chained,
    deflated,
    denton,
    fixed_base,
    reference_positions,
    reference_price,
    rereferenced,
)
from pipelines.methods.series.periods import consecutive, point
from pipelines.methods.series.stl import Floats, StlPlan
from pipelines.methods.series.structure import concentration, diffusion, structure_change
from schemas.errors import DefinitionError

TEXT: Final = pl.String()
NUMBER: Final = pl.Float64()
SERIES: Final = frozenset(("series",))


@dataclass(frozen=True)
class Outcome:
    """A table to write, sentences for people, and what ``--json`` prints besides the rows."""

    table: pl.DataFrame
    lines: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def write(outcome: Outcome, path: Path) -> None:
    """The table as UTF-8 CSV with a mark (so that a spreadsheet shows Chinese); the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\xef\xbb\xbf" + outcome.table.write_csv().encode())


def _ordered(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """(name, rows in order of time) of every series of a table; the name is empty where there is only one."""
    if table["period"].null_count():
        raise DefinitionError("有的行没有报告期", remedy="请补上报告期。")
    named = "series" in table.columns
    for (name,), rows in table.with_columns(series=pl.col("series").fill_null("") if named else pl.lit("")).group_by(
        ["series"], maintain_order=True
    ):
        order = rows["period"].map_elements(lambda t: point(t).ordinal, return_dtype=pl.Int64)
        yield str(name), rows.with_columns(_at=order).sort("_at").drop("_at")


@names_its_file
def adjust(data: Path, plan: StlPlan, *, named: Mapping[str, str], multiplicative: bool, cumulative: bool) -> Outcome:
    """Every series of ``data`` (period, value, series) seasonally adjusted; ``plan.n_p`` 0 is taken from the periods.

    A series that does not allow it is refused in words and left out; DefinitionError where none is left."""
    table = typed_table(data, {"series": TEXT, "period": TEXT, "value": NUMBER}, named, SERIES)
    made, lines, facts, refused = [], [], {}, []
    for name, rows in _ordered(table):
        periods, values = rows["period"].to_list(), rows["value"].to_list()
        try:
            own = replace(plan, n_p=plan.n_p or point(periods[0]).per_year)
            if cumulative:
                values = discrete(periods, values)
                first = next((k for k, v in enumerate(values) if v is not None), 0)
                periods, values = periods[first:], values[first:]
            found = seasonally_adjusted(periods, values, own, multiplicative=multiplicative, name=name)
        except DefinitionError as error:
            refused.append(error)
            lines.append(f"未作季节调整:{error}")
            continue
        label = f"{name}:" if name else ""
        made.append(found.series.with_columns(series=pl.lit(name)))
        lines.append(
            f"{label}{len(periods)} 期,季节强度 {figure(found.seasonal_strength, 3)},趋势强度 {figure(found.trend_strength, 3)}"
        )
        lines += [f"  {note}" for note in found.notes]
        facts[name or "series"] = {
            "periods": len(periods), "seasonal_strength": found.seasonal_strength,
            "trend_strength": found.trend_strength, "notes": list(found.notes),
        }  # fmt: skip
    if not made:
        raise refused[0]
    body = pl.concat(made)
    head = ["series"] if "series" in table.columns else []
    shown = body.select(*head, *(c for c in body.columns if c != "series"))
    return Outcome(shown, tuple(lines), {"series": facts, "refused": [str(e) for e in refused]})


@names_its_file
def deflate(data: Path, prices: Path | None, *, named: Mapping[str, str], base: PriceBase, reference: str) -> Outcome:
    """Values (period, value, series) at constant prices by an index (``price`` in the same file or in ``prices``)."""
    wanted: dict[str, pl.DataType] = {"series": TEXT, "period": TEXT, "value": NUMBER}
    if prices is None:
        table = typed_table(data, wanted | {"price": NUMBER}, named, SERIES)
    else:
        table = typed_table(data, wanted, {k: v for k, v in named.items() if k != "price"}, SERIES)
        index = typed_table(prices, {"period": TEXT, "price": NUMBER}, {k: v for k, v in named.items() if k != "value"})
        if index["period"].is_duplicated().any():
            raise DefinitionError("同一报告期有两个价格指数", where=prices.name)
        table = table.join(index, on="period", how="left", maintain_order="left")
    made = [(name, *_deflated(name, rows, base, reference)) for name, rows in _ordered(table)]
    body = pl.concat([frame for _, frame, _ in made])
    common = {at for _, _, at in made}
    said = next(iter(common)) if len(common) == 1 else ",".join(f"{name} {at}" for name, _, at in made)
    if "series" not in table.columns:
        body = body.drop("series")
    lines = (f"不变价:按 {said} 的价格计算(价格指数以它为 100)",)
    return Outcome(body, lines, {"reference": {name: at for name, _, at in made} if len(made) > 1 else said})


def _deflated(name: str, rows: pl.DataFrame, base: PriceBase, reference: str) -> tuple[pl.DataFrame, str]:
    """The series at the prices of its reference, and which period or year that is."""
    periods = rows["period"].to_list()
    points = consecutive(periods, f"{name}:" if name else "")
    lag = {PriceBase.FIXED: 0, PriceBase.YEAR_EARLIER: points[0].per_year, PriceBase.PREVIOUS: 1}[base]
    prices, values = rows["price"].to_list(), rows["value"].to_list()
    for text, price, value in zip(periods[lag:], prices[lag:], values[lag:], strict=True):
        if price is None or value is None:
            raise DefinitionError(f"{name + ':' if name else ''}{text} 缺数值或价格指数", remedy="缩减须每期都有。")
    if any(v is None for v in values[:lag]):
        raise DefinitionError(f"{name}开头有期没有数值", remedy="请截短序列。")
    index = np.asarray(prices[lag:], dtype=np.float64)
    fixed = fixed_base(index, lag) if lag else index
    current = np.asarray(values, dtype=np.float64)
    at = reference_positions(points, reference, periods) if reference else [0]
    if base is PriceBase.YEAR_EARLIER and points[0].per_year > 1:
        at = reference_positions(points, reference or str(points[0].year), periods)
        if len(at) != points[0].per_year or points[at[0]].year != points[0].year:
            raise DefinitionError(
                "上年同期=100 的指数只能以首年为参考期", remedy="请去掉 --reference,或给定基价格指数。"
            )
        volume, shown = current / fixed * 100, fixed
    else:
        volume, shown = deflated(current, fixed, at), fixed / reference_price(current, fixed, at) * 100
    shown_at = periods[at[0]] if len(at) == 1 else f"{points[at[0]].year}年"
    made = pl.DataFrame(
        {
            "series": [name] * len(periods), "period": periods, "value": current, "price_index": shown,
            "constant_prices": volume, "growth_nominal": _growth(current, points[0].per_year),
            "growth_real": _growth(volume, points[0].per_year), "growth_real_previous": _growth(volume, 1),
        }
    )  # fmt: skip
    return made, shown_at


def _growth(values: Floats, lag: int) -> list[float | None]:
    """Growth on ``lag`` periods earlier in percent; null where the base is not positive."""
    before = [None] * min(lag, values.size) + values[:-lag].tolist()
    return [None if b is None or b <= 0 else (float(v) / b - 1) * 100 for v, b in zip(values, before, strict=True)]


@names_its_file
def link(data: Path, *, named: Mapping[str, str], overlap: Overlap, reference: str, lag: int, links: bool) -> Outcome:
    """A chain: of items with values and prices (period, item, value, price), or with ``links`` of ready links (period, link)."""
    if not links:
        wanted = {"series": TEXT, "period": TEXT, "item": TEXT, "value": NUMBER, "price": NUMBER}
        table = typed_table(data, wanted, named, SERIES)
        made = []
        for name, rows in _ordered(table):
            found = chain_linked(rows, overlap, reference)
            per_year = point(found["period"][0]).per_year
            index = found["index"].to_numpy()
            made.append(
                found.with_columns(
                    series=pl.lit(name), growth=pl.Series(_growth(index, per_year), dtype=NUMBER),
                    growth_previous=pl.Series(_growth(index, 1), dtype=NUMBER),
                )
            )  # fmt: skip
        body = pl.concat(made)
        body = body if "series" in table.columns else body.drop("series")
        return Outcome(body, ("链式物量:各项不可加总到总量,只有参考年及其后一年可加。",), {"overlap": str(overlap)})
    table = typed_table(data, {"series": TEXT, "period": TEXT, "link": NUMBER}, named, SERIES)
    chains = []
    for name, rows in _ordered(table):
        periods = rows["period"].to_list()
        points = consecutive(periods, f"{name}:" if name else "")
        given = rows["link"].to_list()
        start = next((k for k, v in enumerate(given) if v is not None), len(given))
        if start not in (0, lag) or any(v is None for v in given[start:]):
            raise DefinitionError(f"{name}有期缺环比(同比)指数", remedy=f"首 {lag} 期可以空,其余每期都要有。")
        if any(v <= 0 for v in given[start:]):
            raise DefinitionError(f"{name}环比(同比)指数须为正数", remedy="指数写成上期(上年同期)=100。")
        chain = chained(np.asarray(given[start:], dtype=np.float64), lag)[lag - start :]
        if reference:
            chain = rereferenced(chain, reference_positions(points, reference, periods))
        chains.append(pl.DataFrame({"series": [name] * len(periods), "period": periods, "link": given, "index": chain}))
    body = pl.concat(chains)
    return Outcome(body if "series" in table.columns else body.drop("series"))


@names_its_file
def benchmark(data: Path, annual: Path, *, named: Mapping[str, str], mean: bool) -> Outcome:
    """A quarterly or monthly series (period, value) fitted to annual figures (period, value) by proportional Denton."""
    table = typed_table(data, {"period": TEXT, "value": NUMBER}, named)
    totals = typed_table(annual, {"period": TEXT, "value": NUMBER}, {})
    (_, rows), (_, years) = next(_ordered(table)), next(_ordered(totals))
    points, year_points = consecutive(rows["period"].to_list()), consecutive(years["period"].to_list())
    if points[0].number != 1 or year_points[0].per_year != 1 or year_points[0].year != points[0].year:
        raise DefinitionError("序列须从首个年度数那一年的第一期开始", remedy="请对齐两个文件的起点。")
    for file, given in ((data, rows), (annual, years)):
        if (blank := given.filter(pl.col("value").is_null())).height:
            raise DefinitionError(f"{blank['period'][0]} 缺数值", where=file.name, remedy="衔接须每期都有数。")
    values = rows["value"].to_numpy()
    made = denton(values, years["value"].to_numpy(), points[0].per_year, mean=mean)
    return Outcome(rows.select("period", "value", benchmarked=pl.Series(made), ratio=pl.Series(made / values)))


@names_its_file
def estimate(
    data: Path, period: str, *, named: Mapping[str, str], lag: int | None, coverage: float, within_days: int | None,
    by: str = "",
) -> Outcome:  # fmt: skip
    """Early estimates of ``period`` (unit, period, value, stratum, days), one of every group ``by`` and of all."""
    wanted: dict[str, pl.DataType] = {"unit": TEXT, "period": TEXT, "value": NUMBER, "stratum": TEXT, "days": NUMBER}
    columns = {**named, **({"group": by} if by else {})}
    table = typed_table(data, wanted | ({"group": TEXT} if by else {}), columns, frozenset(("stratum", "days")))
    if within_days is not None and "days" not in table.columns:
        raise DefinitionError("按报送天数回放要有 days 列", remedy="days 为报告期末到报送的天数。")
    table = table.with_columns(
        pl.lit(None, dtype=wanted[c]).alias(c) for c in ("stratum", "days") if c not in table.columns
    )
    groups = [("合计", table)]
    if by:
        groups = [(str(g), rows) for (g,), rows in table.group_by(["group"], maintain_order=True)] + groups
    rows, lines, replays = [], [], []
    for name, frame in groups:
        found = early_estimate(frame, period, lag=lag, coverage=coverage, within_days=within_days)
        rows.append({"group": name, "period": period, **_flat(found)})
        replays.append(found.replays.with_columns(group=pl.lit(name)))
        lines += _sentences(name, found, coverage)
    return Outcome(pl.DataFrame(rows, infer_schema_length=None), tuple(lines), {"replays": pl.concat(replays)})


def _flat(found: EarlyEstimate) -> dict[str, Any]:
    return {**asdict(found.estimate), "pooled": "、".join(found.estimate.pooled), **asdict(found.interval)}


def _sentences(name: str, found: EarlyEstimate, coverage: float) -> list[str]:
    e, i = found.estimate, found.interval
    head = f"{name} {found.period}:估计 {grouped(e.total, 2)},已报 {e.answered_units}/{e.units} 户,已报数 {grouped(e.answered, 2)}"
    if i.lower is None or i.upper is None or i.nominal is None:
        return [head, f"  {i.note}"]
    lines = [
        head,
        f"  区间 {grouped(i.lower, 2)} — {grouped(i.upper, 2)},名义把握 {percent(i.nominal)}(要求 {percent(coverage)})",
    ]
    if i.achieved is not None and i.achieved_low is not None and i.achieved_high is not None:
        lines.append(
            f"  回放:{i.trials} 期中 {i.hits} 期落在区间内,实际覆盖 {percent(i.achieved)}"
            f"(95% 精确界 {percent(i.achieved_low)} — {percent(i.achieved_high)})"
        )
    else:
        lines.append("  回放期数不足,实际覆盖无法检验。")
    lines += [f"  {i.note}"] if i.note else []
    if e.unknown:
        lines.append(f"  {e.unknown} 户未报且没有基期数,未估算,合计偏低。")
    return lines


@names_its_file
def impute(data: Path, *, named: Mapping[str, str], top: int, donors: int) -> Outcome:
    """Silent units (blank ``value``) imputed, large ones listed one by one; the share of imputation of every industry."""
    optional = frozenset(c for c in INPUT if c not in ("unit", "value", "base"))
    table = imputed_units(typed_table(data, INPUT, named, optional), top=top, donors=donors)
    totals = imputed_totals(table)
    one = totals.row(0, named=True)
    share = "—" if one["imputed_pct"] is None else f"{figure(one['imputed_pct'], 1)}%"
    lines = [f"合计 {grouped(one['total'], 2)},其中插补 {grouped(one['imputed_sum'], 2)}({share}),{one['units_imputed']} 户;"
             f"未能插补 {one['units_unknown']} 户。"]  # fmt: skip
    for row in table.filter(pl.col("is_single") & (pl.col("imputed") | pl.col("value").is_null())).iter_rows(
        named=True
    ):
        value = "无法插补" if row["value"] is None else f"{grouped(row['value'], 2)}({METHODS[row['method']]})"
        lines.append(f"  逐户核定:{row['unit']} {value}")
    return Outcome(table, tuple(lines), {"totals": totals, "by_industry": imputed_totals(table, ["industry"])})


@names_its_file
def structure(data: Path, *, named: Mapping[str, str], same_pct: float) -> Outcome:
    """Concentration, and with ``before`` diffusion, of every ``group`` and of all; with groups the shift of structure."""
    wanted = {"group": TEXT, "unit": TEXT, "value": NUMBER, "before": NUMBER}
    table = typed_table(data, wanted, named, frozenset(("group", "unit", "before")))
    if "unit" in table.columns and (twice := table.drop_nulls("unit").filter(pl.col("unit").is_duplicated())).height:
        raise DefinitionError(
            f"单位 {twice['unit'][0]} 有几行", where=data.name, remedy="一个单位一行;几期在一张表里的,请先取一期。"
        )
    groups = [("合计", table)]
    if "group" in table.columns:
        groups += [(str(g), rows) for (g,), rows in table.sort("group").group_by(["group"], maintain_order=True)]
    rows = []
    for name, own in groups:
        found: dict[str, Any] = {"group": name, **concentration(own["value"].drop_nulls().to_list())}
        if "before" in own.columns:
            moves = diffusion(own["value"].to_list(), own["before"].to_list(), same_pct)
            found |= {("compared" if k == "units" else k): (None if v != v else v) for k, v in moves.items()}
        rows.append(found)
    facts: dict[str, Any] = {}
    lines = [f"{r['group']}:有负数或合计为 0,集中度没有意义,不计算" for r in rows if r["units"] and r["hhi"] is None]
    if {"group", "before"} <= set(table.columns):
        sums = table.group_by("group").agg(now=pl.col("value").sum(), before=pl.col("before").sum()).sort("group")
        shares, facts = structure_change(sums.rename({"group": "category"}))
        if facts["change"] is not None:
            lines.append(f"结构变动 {figure(facts['change'], 2)} 个百分点(0 为不变,100 为全变)")
        facts = {**facts, "shares": shares}
    return Outcome(pl.DataFrame(rows, infer_schema_length=None), tuple(lines), facts)
