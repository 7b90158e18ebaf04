"""How the collection went: findings by rule and park, and how each ended."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from schemas.marts import conform, row_key
from schemas.model import Programme
from schemas.period import Period
from warehouse.ledger.submissions import Submission

MEASURES = {"failed": "不成立", "undetermined": "无法审核", "absorbed": "并入其他问题"}


def quality_findings(
    programme: Programme, period: Period, submissions: Mapping[str, Submission], findings: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Cells of the mart ``quality_findings``: number of findings by rule and outcome, for each park and all parks together.

    Counts the last check of every submission reported for ``period``; figures of units do not enter.
    """
    edition = programme.edition_for(period)
    names = dict(programme.codelists["parks"].rows.select("code", "short_name").iter_rows())
    messages = {r.id: r.message.split(";")[0] for r in edition.rules}
    frames = [
        findings[number].select("rule", "severity", "outcome").with_columns(area=pl.lit(s.park))
        for number, s in submissions.items()
        if s.period == period and number in findings
    ]
    if not frames:
        return conform(pl.DataFrame(schema={"row_key": pl.String}))
    listed = pl.concat(frames)
    both = pl.concat([listed, listed.with_columns(area=pl.lit("ALL"))])
    counted = both.group_by("area", "rule", "severity", "outcome").agg(value=pl.len().cast(pl.Float64))
    return conform(
        counted.with_columns(
            table=pl.lit("findings"),
            period=pl.lit(str(period)),
            area_name=pl.col("area").replace_strict({**names, "ALL": "全部园区"}, default=""),
            breakdown=pl.lit("severity"),
            category="severity",
            category_name=pl.col("severity").replace_strict(
                {"hard": "强制性", "soft": "核实性", "trial": "试行"}, default=""
            ),
            indicator="rule",
            indicator_name=pl.col("rule").replace_strict(messages, default=pl.col("rule")),
            unit_measure=pl.lit("条"),
            measure="outcome",
            measure_name=pl.col("outcome").replace_strict(MEASURES, default=pl.col("outcome")),
            decimals=pl.lit(0),
            status=pl.lit("A"),
        )
        .with_columns(row_key("area", "indicator", "category", "measure"))
        .drop("rule", "severity", "outcome")
    )
