"""``ytb series``: series over time of any table, without home or programme."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines import growth_accounts, series_tables
from pipelines.methods.series.links import Overlap, PriceBase
from pipelines.methods.series.stl import StlPlan
from pipelines.series_tables import Outcome
from ytb.cli.output import emit, not_over

series_app = typer.Typer(no_args_is_help=True, help="时间序列:任何“报告期 × 数值”的表(docs/formats/series.md)。")
PERIODIC = "periodic"
COLUMNS = (
    "series", "period", "value", "price", "item", "link", "unit", "stratum", "days", "group", "base", "industry", "size",
    "earlier", "above_scale", "confirmed", "park", "before",
)  # fmt: skip

Data = Annotated[Path, typer.Option(help="数据 CSV")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="结果 CSV")]
Column = Annotated[list[str] | None, typer.Option("--column", help="列名对应,如 value=营业收入;可多次")]


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.add_typer(series_app, name="series")


@series_app.callback()
def _series() -> None:
    """时间序列。"""


def _named(columns: list[str] | None) -> dict[str, str]:
    found = {}
    for pair in columns or []:
        name, sign, header = pair.partition("=")
        if not sign or not header:
            raise typer.BadParameter(f"--column 应写成 名=列名,现为“{pair}”")
        if name not in COLUMNS:
            raise typer.BadParameter(f"--column 不认识“{name}”,可写 {'、'.join(COLUMNS)}")
        found[name] = header
    return found


def _say(outcome: Outcome, output: Path | None) -> None:
    if output is not None:
        series_tables.write(outcome, output)
    lines = list(outcome.lines)
    lines.append(f"结果:{output}({outcome.table.height} 行)" if output else outcome.table.write_csv().rstrip())
    emit({"rows": outcome.table, **outcome.facts, "output": output}, lines)


@series_app.command("adjust")
def adjust(
    data: Data,
    output: Output = None,
    column: Column = None,
    cycle: Annotated[int, typer.Option(min=0, help="一个周期的期数;0 为按报告期(季 4、月 12)")] = 0,
    window: Annotated[str, typer.Option(help="季节窗口:periodic 或不小于 7 的奇数")] = PERIODIC,
    trend: Annotated[int, typer.Option(help="趋势窗口(奇数),0 为默认")] = 0,
    low_pass: Annotated[int, typer.Option(help="低通窗口(奇数),0 为默认")] = 0,
    degree: Annotated[int, typer.Option(min=0, max=1, help="季节的局部多项式次数 0 或 1")] = 0,
    trend_degree: Annotated[int, typer.Option(min=0, max=1, help="趋势(与低通)的次数 0 或 1")] = 1,
    jump: Annotated[int, typer.Option(min=0, help="插值步长,0 为窗口的十分之一,1 为逐点")] = 0,
    robust: Annotated[bool, typer.Option(help="稳健迭代")] = False,
    inner: Annotated[int, typer.Option(min=0, help="内循环次数,0 为默认")] = 0,
    outer: Annotated[int, typer.Option(min=-1, help="外循环次数,-1 为默认")] = -1,
    log: Annotated[bool, typer.Option(help="乘法模型:在对数上分解")] = False,
    cumulative: Annotated[bool, typer.Option(help="数值是年初累计,先还原成单期")] = False,
) -> None:
    """季节调整(STL,Cleveland 等 1990);太短、有缺、年度的序列以文字拒绝。"""
    not_over(output, data)
    if window != PERIODIC and not window.isdigit():
        raise typer.BadParameter("--window 为 periodic 或整数")
    for name, given in (("--trend", trend), ("--low-pass", low_pass)):
        if given and (given < 3 or given % 2 == 0):
            raise typer.BadParameter(f"{name} 应为不小于 3 的奇数,0 为默认")
    step = jump or None
    plan = StlPlan(
        cycle, None if window == PERIODIC else int(window), trend or None, low_pass or None, degree, trend_degree, None,
        step, step, step, robust, inner or None, None if outer < 0 else outer,
    )  # fmt: skip
    _say(series_tables.adjust(data, plan, named=_named(column), multiplicative=log, cumulative=cumulative), output)


@series_app.command("deflate")
def deflate(
    data: Data,
    output: Output = None,
    column: Column = None,
    prices: Annotated[Path | None, typer.Option(help="价格指数 CSV(period、price);不给则在 data 的 price 列")] = None,
    price_base: Annotated[PriceBase, typer.Option(help="价格指数以什么为 100")] = PriceBase.FIXED,
    reference: Annotated[str, typer.Option(help="参考期或参考年,默认首期")] = "",
) -> None:
    """按价格指数缩减为不变价,并给名义与实际增速。"""
    not_over(output, data, prices)
    _say(series_tables.deflate(data, prices, named=_named(column), base=price_base, reference=reference), output)


@series_app.command("link")
def link(
    data: Data,
    output: Output = None,
    column: Column = None,
    overlap: Annotated[Overlap, typer.Option(help="annual 年度重叠、quarter 季度重叠、year 同期重叠")] = Overlap.ANNUAL,
    reference: Annotated[str, typer.Option(help="参考期或参考年(=100)")] = "",
    links: Annotated[bool, typer.Option(help="数据是现成的环比(同比)指数,列 period、link")] = False,
    lag: Annotated[int, typer.Option(min=1, help="--links 时:上期为 1,季度同比为 4,月度同比为 12")] = 1,
) -> None:
    """链式序列:由各项的数值与价格(period、item、value、price),或由现成的环比指数。"""
    not_over(output, data)
    _say(
        series_tables.link(data, named=_named(column), overlap=overlap, reference=reference, lag=lag, links=links),
        output,
    )


@series_app.command("benchmark")
def benchmark(
    data: Data,
    annual: Annotated[Path, typer.Option(help="年度数 CSV(period、value)")],
    output: Output = None,
    column: Column = None,
    mean: Annotated[bool, typer.Option("--mean", help="年度数是各期平均(指数),而不是合计")] = False,
) -> None:
    """把季度或月度序列衔接到年度数(按比例 Denton)。"""
    not_over(output, data, annual)
    _say(series_tables.benchmark(data, annual, named=_named(column), mean=mean), output)


@series_app.command("estimate")
def estimate(
    data: Data,
    period: Annotated[str, typer.Option(help="要估计的报告期")],
    output: Output = None,
    column: Column = None,
    lag: Annotated[int, typer.Option(min=0, help="基期在几期以前,0 为上年同期")] = 0,
    coverage: Annotated[float, typer.Option(min=0.01, max=0.999, help="要求的区间把握程度")] = 0.8,
    within_days: Annotated[
        int, typer.Option(min=0, help="回放:只算期末后几天内报的(要有 days 列),0 为现已报的单位")
    ] = 0,
    by: Annotated[str, typer.Option(help="分组列,如园区")] = "",
) -> None:
    """部分单位已报时的快速估计,区间的覆盖由回放过去各期检验。"""
    not_over(output, data)
    made = series_tables.estimate(
        data, period, named=_named(column), lag=lag or None, coverage=coverage, within_days=within_days or None, by=by
    )
    _say(made, output)


@series_app.command("impute")
def impute(
    data: Data,
    output: Output = None,
    column: Column = None,
    top: Annotated[int, typer.Option(min=0, help="每个园区按基期排前几位的逐户核定")] = 20,
    donors: Annotated[int, typer.Option(min=1, help="同类比率至少要有的单位数")] = 5,
) -> None:
    """未报单位的插补:同类比率、自身趋势、供体;大单位逐户列出,全部标明。"""
    not_over(output, data)
    _say(series_tables.impute(data, named=_named(column), top=top, donors=donors), output)


@series_app.command("structure")
def structure(
    data: Data,
    output: Output = None,
    column: Column = None,
    same: Annotated[float, typer.Option(min=0, help="变动不超过百分之几算持平")] = 0.5,
) -> None:
    """集中度(CR、HHI、基尼、泰尔)、扩散指数、结构变动。"""
    not_over(output, data)
    _say(series_tables.structure(data, named=_named(column), same_pct=same), output)


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise typer.BadParameter(f"{option} 应写成用逗号分开的数,现为“{text}”") from None


@series_app.command("growth-accounting")
def growth_accounting(
    data: Data,
    output: Output = None,
    column: Column = None,
    rates: Annotated[
        bool, typer.Option("--rates", help="数据已是年增速(%):series、output、capital、labour[、capital_share]")
    ] = False,
    capital_share: Annotated[str, typer.Option(help="资本弹性 α,可给几个作敏感性")] = "0.4,0.5,0.6",
    depreciation: Annotated[str, typer.Option(help="折旧率 δ(由投资额推算资本时)")] = "0.05,0.096,0.15",
    initial_growth: Annotated[str, typer.Option(help="首年以前投资的年增速 g(由投资额推算资本时)")] = "0.05,0.1",
    last: Annotated[int, typer.Option(help="末年,0 为数据的末年")] = 0,
    window: Annotated[int, typer.Option(min=1, help="窗口年数")] = 5,
    growth_minimum: Annotated[float, typer.Option(help="产出年增速低于它(%)时余值占比不定")] = 1.0,
) -> None:
    """增长核算(试算):产出增速中资本、劳动与余值各多少,连同假定与敏感性;不作考核依据。"""
    not_over(output, data)
    shares = _numbers(capital_share, "--capital-share")
    if rates:
        made = growth_accounts.of_rates(data, shares, named=_named(column), growth_minimum=growth_minimum)
    else:
        assumed = {
            "capital_share": shares,
            "depreciation": _numbers(depreciation, "--depreciation"),
            "initial_growth": _numbers(initial_growth, "--initial-growth"),
        }
        made = growth_accounts.of_levels(
            data, last, window, assumed, named=_named(column), growth_minimum=growth_minimum
        )
    _say(made, output)
