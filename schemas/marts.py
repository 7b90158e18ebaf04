"""The one shape of every mart: a long table of cells, so that disclosure, display, export and trace are written once.

A *cell* is one figure of one product. A *part* is one sum or count a cell is made of (numerator, denominator, the two
sides of a difference); disclosure control judges the parts (survey_system 10.3), never the ratio alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.errors import DefinitionError

CELL_COLUMNS: Final[dict[str, pl.DataType]] = {
    "row_key": pl.String(),  # identifies the cell within its mart: the dimension values joined by "|"
    "table": pl.String(),  # table of the product, e.g. figures, warnings, T02
    "period": pl.String(),
    "area": pl.String(),  # code of area, zone or sub-park
    "area_name": pl.String(),
    "breakdown": pl.String(),  # total, zone, sub_park, industry, size, registration, …
    "category": pl.String(),  # code within the breakdown; "T" for the total
    "category_name": pl.String(),
    "indicator": pl.String(),  # F01, W03, X14, D2, LB.118, T02.c3 …
    "indicator_name": pl.String(),
    "unit_measure": pl.String(),
    "measure": pl.String(),  # cumulative, growth_restated, index, contribution, completion …
    "measure_name": pl.String(),
    "value": pl.Float64(),
    "decimals": pl.Int8(),  # digits of the display, rounded half up once, here and nowhere else
    "status": pl.String(),  # see STATUSES
    "note": pl.String(),  # a Chinese sentence: reason of a warning, why a figure is missing, what was imputed
    "formula": pl.String(),  # expression in the rule language, "" where the cell is not one expression
}
PUBLISHED_COLUMNS: Final[dict[str, pl.DataType]] = {**CELL_COLUMNS, "display": pl.String(), "release": pl.String()}

PART_COLUMNS: Final[dict[str, pl.DataType]] = {
    "row_key": pl.String(),
    "part": pl.String(),  # text of the sum or count
    "role": pl.String(),  # numerator, denominator, base, level; band: behind a level that tells bounds only
    "n": pl.Int64(),  # units with a non-zero contribution
    "max1": pl.Float64(),
    "max2": pl.Float64(),
    "total": pl.Float64(),
    "administrative": pl.Boolean(),  # a figure of the park or of an authority: one provider, exempt by flag
}

STATUSES: Final[dict[str, tuple[str, str]]] = {
    # status: (mark shown instead of a value, meaning)
    "A": ("", "正常"),
    "E": ("", "含估算"),
    "P": ("", "初步数"),
    "M": ("—", "未报或无数据"),
    "Z": ("…", "不适用"),
    "C": ("*", "为保护单个单位资料而不公布"),
}


@dataclass(frozen=True)
class Mart:
    """One mart: its table in ``published``, its product, Chinese title and the rounds it is due in."""

    name: str
    product: str
    title: str
    rounds: str
    definition: str
    sums_over: tuple[str, ...] = ("breakdown", "category")
    is_internal: bool = False  # computed and kept, never published: figures of single units, trials


MARTS: Final[dict[str, Mart]] = {
    mart.name: mart
    for mart in (
        Mart("monitoring_figures", "monitoring", "季度监测指标", "Q", "各指标累计、单季、三种同比、拉动与覆盖"),
        Mart("monitoring_warnings", "monitoring", "预警信号", "Q", "16 项预警指标的值、等级与原因"),
        Mart("monitoring_response", "monitoring", "报送与覆盖", "QA", "应报、已报、验收、缺报单位数与回答率"),
        Mart("monitoring_revisions", "monitoring", "快报与年报修订", "A", "四季度快报数与年报终核数之差"),
        Mart(
            "monitoring_estimates",
            "monitoring",
            "快速估计(内部)",
            "Q",
            "部分单位已报时的合计估计、区间、名义与回放覆盖,只供内部",
            is_internal=True,
        ),
        Mart(
            "monitoring_series",
            "monitoring",
            "本季在序列中(内部)",
            "Q",
            "同口径链式指数,季节调整后的本季与环比,只供内部",
            is_internal=True,
        ),
        Mart(
            "monitoring_diagnosis",
            "monitoring",
            "行业与企业诊断卡(内部)",
            "Q",
            "行业集中度、扩散与结构变动,企业增速与同行业之差,个体数据,只供内部",
            is_internal=True,
        ),
        Mart(
            "monitoring_perimeter",
            "monitoring",
            "范围变动分解(内部)",
            "Q",
            "合计变动中持续、新增、退出、迁移单位与报送变化各占多少,只供内部",
            is_internal=True,
        ),
        Mart(
            "monitoring_imputations",
            "monitoring",
            "未报单位估算清单(内部)",
            "Q",
            "未报单位逐户逐项的估算值、方法、依据与备选值,个体数据,只供内部",
            is_internal=True,
        ),
        Mart(
            "monitoring_clusters",
            "monitoring",
            "首位产业与集群(内部)",
            "Q",
            "首位产业、潜力产业、集群的比重、区位商、拉动与集中度,只供内部",
            is_internal=True,
        ),
        Mart("index_scores", "index", "发展指数", "A", "总指数、分维度与分指标指数、指标值、增速与贡献"),
        Mart("index_coverage", "index", "发展指数覆盖", "A", "每年进入链的指标与权重"),
        Mart("innovation_tables", "innovation", "创新调查表", "A", "34 张企业创新调查输出表"),
        Mart("targets_progress", "targets", "规划目标进展", "A", "331 项目标的完成值、完成率、应达进度与状态"),
        Mart("targets_breakdown", "targets", "目标年度分解", "A", "分解到各区各年的目标值、完成值与完成率"),
        Mart(
            "targets_lists",
            "targets",
            "门槛名单(内部)",
            "A",
            "达到门槛的单位与项目,个体数据,只供内部",
            is_internal=True,
        ),
        Mart(
            "projects_rates",
            "projects",
            "招商引资项目",
            "Q",
            "签约项目的履约率、开工率、投产率与资金到位率,按园区、产业基地、类别",
        ),
        Mart(
            "projects_risks",
            "projects",
            "招商项目风险清单(内部)",
            "Q",
            "须关注的项目,个体数据,只供内部",
            is_internal=True,
        ),
        Mart(
            "contribution_figures",
            "contribution",
            "对全省和所在市的贡献",
            "A",
            "占比、贡献率、拉动、为平均的倍数、比基期增长,现价与可比价",
        ),
        Mart(
            "evaluation_scores",
            "evaluation",
            "综合评价",
            "A",
            "各评价方案与单项榜的得分、同类名次与区间、等级、进位、强弱项",
        ),
        Mart(
            "evaluation_reference",
            "evaluation",
            "对照评价(内部)",
            "A",
            "国家评价指标体系对照等试算方案,只供内部",
            is_internal=True,
        ),
        Mart(
            "evaluation_units",
            "evaluation",
            "企业积分、培育名单与载体评估(内部)",
            "A",
            "企业创新积分、各培育名单、孵化载体运行评估,个体数据,只供内部",
            is_internal=True,
        ),
        Mart("quality_findings", "quality", "审核问题统计", "QA", "按规则与园区的审核问题数与结局"),
        Mart(
            "records_reconciliation",
            "quality",
            "部门行政记录比对(内部)",
            "QA",
            "税务、市场监管等行政记录与报表逐户比对的差异,个体数据,只供内部",
            is_internal=True,
        ),
    )
}

PUBLISHED_MARTS: Final[dict[str, Mart]] = {name: mart for name, mart in MARTS.items() if not mart.is_internal}


def conform(cells: pl.DataFrame) -> pl.DataFrame:
    """Cells with exactly ``CELL_COLUMNS``, typed and sorted by ``row_key``; missing text columns become empty.

    Raises DefinitionError for a column that no mart has or a ``row_key`` that is not unique.
    """
    unknown = set(cells.columns) - CELL_COLUMNS.keys()
    if unknown:
        raise DefinitionError(f"结果表有多余的列 {'、'.join(sorted(unknown))}", remedy="列名见 schemas/marts.py。")
    filled = cells.with_columns(
        pl.lit("" if dtype == pl.String() else None, dtype=dtype).alias(name)
        for name, dtype in CELL_COLUMNS.items()
        if name not in cells.columns
    )
    typed = filled.select(pl.col(name).cast(dtype) for name, dtype in CELL_COLUMNS.items())
    typed = typed.with_columns(
        pl.col(name).fill_null("") for name, dtype in CELL_COLUMNS.items() if dtype == pl.String()
    )
    if typed["row_key"].is_duplicated().any():
        twice = typed.filter(pl.col("row_key").is_duplicated())["row_key"][0]
        raise DefinitionError(f"结果表的 row_key 重复:{twice}", remedy="请在 row_key 中写全区分它们的维度。")
    return typed.sort("row_key")


def row_key(*columns: str) -> pl.Expr:
    """The key of a cell: the named dimension columns joined by ``|`` in the given order."""
    return pl.concat_str([pl.col(c).fill_null("") for c in columns], separator="|").alias("row_key")
