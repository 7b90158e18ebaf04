"""Small literal marts: every status mark, long names, several periods, all products; and the release they go into."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from exports.display import with_display
from exports.manifest import ReleaseMeta, SubmissionRef
from schemas.catalog import programme
from schemas.marts import conform
from schemas.period import Period

RELEASE = "2015-Q2.r1"
AREAS = {
    "LBSYQ": "兰白试验区",
    "LBXQ": "兰州新区",
    "LBGX": "兰州高新技术产业开发区",
    "LBJJ": "兰州经济技术开发区",
    "LBBY": "白银高新技术产业开发区",
}
MEASURES = {
    "cumulative": ("本年累计", "", 0),
    "discrete_quarter": ("本季", "", 0),
    "growth_restated": ("同口径同比", "%", 1),
    "growth_nominal": ("名义同比", "%", 1),
    "contribution_points": ("拉动", "百分点", 2),
}


def cell(**given: Any) -> dict[str, Any]:
    """One cell with what most cells share; ``row_key`` from all dimensions unless given."""
    base = {
        "table": "figures", "period": "2015-Q2", "area": "LBSYQ", "breakdown": "total", "category": "T",
        "category_name": "合计", "indicator": "F01", "indicator_name": "营业收入", "unit_measure": "千元",
        "measure": "cumulative", "measure_name": "本年累计", "value": 1.0, "decimals": 0, "status": "A", "note": "",
        "formula": "",
    }  # fmt: skip
    row = {**base, **given}
    row.setdefault("area_name", AREAS.get(row["area"], row["area"]))
    keys = ("table", "period", "area", "breakdown", "category", "indicator", "measure")
    row.setdefault("row_key", "|".join(row[k] for k in keys))
    return row


def published(cells: Iterable[dict[str, Any]], release: str = RELEASE) -> pl.DataFrame:
    """Cells as they stand in ``published``: conformed, displayed, with their release."""
    return with_display(conform(pl.DataFrame(list(cells), infer_schema_length=None))).with_columns(
        release=pl.lit(release)
    )


def empty(release: str = RELEASE) -> pl.DataFrame:
    """A mart without a cell."""
    return published([cell()], release).clear()


def monitoring(period: str = "2015-Q2", shift: float = 0.0) -> list[dict[str, Any]]:
    """Quarterly figures of five areas, four indicators, five measures, with every status; one industry breakdown."""
    indicators = {
        "F01": ("营业收入", "千元", 117_328_765.0),
        "F16": ("实际上缴税费总额", "千元", 5_120_004.0),
        "F17": ("其中:增值税", "千元", 2_100_300.0),
        "P01": ("从业人员期末人数", "人", 183_204.0),
    }
    rows = []
    for a, area in enumerate(AREAS):
        for i, (code, (name, unit, size)) in enumerate(indicators.items()):
            values = (
                size / (a + 1) + shift,
                size / (2 * a + 2) + shift,
                12.345 - 3 * a - i,
                11.25 - 4 * a,
                0.125 * (i - a),
            )
            for (measure, (title, own_unit, decimals)), value in zip(MEASURES.items(), values, strict=True):
                status = {("LBBY", "F17"): "C", ("LBJJ", "P01"): "M", ("LBXQ", "F16"): "E"}.get((area, code), "A")
                if measure == "discrete_quarter" and code == "P01":
                    status = "Z"
                rows.append(
                    cell(
                        period=period, area=area, indicator=code, indicator_name=name, measure=measure,
                        measure_name=title, unit_measure=own_unit or unit, decimals=decimals, status=status,
                        value=None if status in "CMZ" else float(round(value)) if not own_unit else value,
                        note="本期未报,催报中。" if status == "M" else "", formula=f"SUM({code})",
                    )
                )  # fmt: skip
    for n, (code, name) in enumerate({"T": "合计", "C": "制造业", "I": "信息传输、软件和信息技术服务业"}.items()):
        rows.append(
            cell(
                period=period, breakdown="section", category=code, category_name=name, value=float(90_000 - n * 30_000)
            )
        )
    return rows


def warnings() -> list[dict[str, Any]]:
    """Two warning indicators in two areas: value and level with a reason."""
    rows = []
    for area in ("LBSYQ", "LBGX"):
        for code, name, value, level, note in (
            ("W01", "营业收入同比增速", -3.25, 2.0, "营业收入同口径同比 -3.3%,低于 0%(黄色界限)。"),
            ("W02", "亏损面", 0.0, 0.0, ""),
        ):
            shared = {"table": "warnings", "area": area, "indicator": code, "indicator_name": name, "note": note}
            rows.append(
                cell(**shared, measure="value", measure_name="指标值", unit_measure="%", value=value, decimals=1)
            )
            rows.append(cell(**shared, measure="level", measure_name="预警等级", unit_measure="", value=level))
    return rows


def response() -> list[dict[str, Any]]:
    """Units due, reported and the response rate of three areas."""
    rows = []
    for area, (due, reported) in {"LBSYQ": (1200, 1150), "LBXQ": (400, 390), "LBGX": (800, 760)}.items():
        for code, name, unit, value, decimals in (
            ("due", "应报单位数", "家", float(due), 0),
            ("reported", "已报单位数", "家", float(reported), 0),
            ("response_rate", "回答率", "%", reported / due * 100, 1),
        ):
            rows.append(
                cell(
                    table="response", area=area, indicator=code, indicator_name=name, measure="value", measure_name="数值",
                    unit_measure=unit, value=value, decimals=decimals,
                )
            )  # fmt: skip
    return rows


def index_scores() -> list[dict[str, Any]]:
    """Three years of a total index, two dimensions and two indicators in two areas."""
    rows = []
    names = {
        "TOTAL": "兰白试验区发展指数",
        "D1": "创新资源",
        "X01": "R&D经费投入强度",
        "D3": "产业质效",
        "X14": "每百元营业收入成本费用及其他净支出",
    }
    for area in ("LBSYQ", "LBXQ"):
        for year in (2014, 2015, 2016):
            for n, (code, name) in enumerate(names.items()):
                shared = {
                    "table": "scores", "period": str(year), "area": area, "indicator": code, "indicator_name": name,
                    "row_key": f"{area}|{year}|{code}|",
                }  # fmt: skip
                for measure, title, unit, value in (
                    ("index", "指数", "base=100", 100.0 + (year - 2014) * (4.05 + n)),
                    ("contribution", "对总指数变动的贡献", "点", (n - 2) * 0.835),
                ):
                    if measure == "contribution" and (year == 2014 or code == "TOTAL"):
                        continue
                    key = {**shared, "row_key": shared["row_key"] + measure}
                    late = code == "X14" and year == 2014
                    rows.append(
                        cell(
                            **key, measure=measure, measure_name=title, unit_measure=unit, decimals=1 if measure == "index" else 2,
                            value=None if late else value, status="M" if late else "A",
                            note="首年有数,只作底数,下一年进入链。" if late else "",
                        )
                    )  # fmt: skip
    return rows


def innovation() -> list[dict[str, Any]]:
    """Two tables by size with a suppressed share."""
    rows = []
    for table in ("T02", "T24"):
        for k, (code, name) in enumerate({"T": "合计", "1": "大型", "2": "中型", "3": "小型", "4": "微型"}.items()):
            for c, column in enumerate(("企业数", "有创新活动企业数", "有创新活动企业占比")):
                hidden = code == "4" and c > 0
                rows.append(
                    cell(
                        table=table, period="2015", breakdown="total" if code == "T" else "size", category=code,
                        category_name=name, indicator=f"{table}.c{c + 1}", indicator_name=column, measure="value",
                        measure_name="数值", unit_measure="%" if c == 2 else "家", decimals=1 if c == 2 else 0,
                        value=None if hidden else 1000.0 / (k + 1) / (c + 1), status="C" if hidden else "A",
                    )
                )  # fmt: skip
    return rows


def targets() -> list[dict[str, Any]]:
    """Three targets: reached, behind, not computable."""
    rows = []
    for number, name, unit, figures, note in (
        (
            "LB.2",
            "地区生产总值(含兰州新区、兰州高新区、兰州经开区、白银高新区全口径)",
            "亿元",
            (1000.0, 610.0, 61.0, 40.0),
            "",
        ),
        ("LB.10", "高新技术企业数", "家", (250.0, 90.0, 36.0, 40.0), "落后时序进度。"),
        ("LB.11", "众创空间", "个", (30.0, None, None, 40.0), "缺 K13 的年报数。"),
    ):
        for (measure, title, own, decimals), value in zip(
            (
                ("target", "目标值", unit, 1),
                ("actual", "完成值", unit, 1),
                ("completion", "完成率", "%", 1),
                ("expected", "应达进度", "%", 1),
            ),
            figures,
            strict=True,
        ):
            rows.append(
                cell(
                    table="progress", period="2015", indicator=number, indicator_name=name, measure=measure,
                    measure_name=title, unit_measure=own, value=value, decimals=decimals, note=note,
                    status="A" if value is not None else "M",
                )
            )  # fmt: skip
    return rows


def evaluation() -> list[dict[str, Any]]:
    """A scheme of two parks: total, grade, a rank that is not given, and an indicator with a suppressed value."""
    rows = []
    for area, total in (("LBGX", 88.125), ("LBXQ", 92.5)):
        for node, name, measure, title, unit, value, decimals, status in (
            ("T", "园区综合评价", "grade", "等级", "", 2.0 if total < 90 else 1.0, 0, "A"),
            ("T", "园区综合评价", "rank", "同类名次", "位", None, 0, "Z"),
            ("T", "园区综合评价", "total", "总分", "分", total, 2, "A"),
            ("X02", "企业研究开发费用占营业收入比重", "value", "指标值", "%", None, 2, "C"),
        ):
            rows.append(
                cell(
                    row_key=f"parks|{area}|2015|{node}|{measure}", table="parks", period="2015", area=area, indicator=node,
                    indicator_name=name, measure=measure, measure_name=title, unit_measure=unit, value=value,
                    decimals=decimals, status=status, note="同类只有2个有得分,少于5个,只列等级不列名次。" if measure == "rank" else "",
                )
            )  # fmt: skip
    return rows


@pytest.fixture(scope="session")
def marts() -> dict[str, pl.DataFrame]:
    return {
        "monitoring_figures": published(monitoring()),
        "monitoring_warnings": published(warnings()),
        "monitoring_response": published(response()),
        "monitoring_revisions": empty(),
        "index_scores": published(index_scores()),
        "innovation_tables": published(innovation()),
        "evaluation_scores": published(evaluation()),
        "targets_progress": published(targets()),
    }


@pytest.fixture(scope="session")
def meta() -> ReleaseMeta:
    return ReleaseMeta(
        release=RELEASE,
        period=Period.parse("2015-Q2"),
        programme=programme(),
        released_at=datetime(2015, 7, 20, 1, 0, tzinfo=UTC),
        code_version="0.1.0",
        parameters={"seed": 7, "disclosure_minimum": 3},
        submissions=(
            SubmissionRef("S2", "LBXQ", "2015-Q2", 2, "accepted", ("b" * 64,)),
            SubmissionRef("S1", "LBGX", "2015-Q2", 1, "accepted", ("a" * 64,)),
        ),
    )


@pytest.fixture(scope="session")
def make() -> tuple[Callable[..., dict[str, Any]], Callable[..., pl.DataFrame]]:
    """``cell`` and ``published``, for tests that build their own marts."""
    return cell, published


@pytest.fixture(scope="session")
def earlier() -> pl.DataFrame:
    """Monitoring figures of four earlier quarters, as released then."""
    quarters = (("2014-Q2", -5e5), ("2014-Q3", -3e5), ("2014-Q4", -2e5), ("2015-Q1", -1e5))
    frames = [published(monitoring(period, shift), f"{period}.r1") for period, shift in quarters]
    # As in monitoring, where a key does not say its period.
    short = pl.col("row_key").str.replace(r"\|20\d\d-Q\d", "")
    return pl.concat(frames).with_columns(short)


@pytest.fixture(scope="session")
def previous() -> dict[str, pl.DataFrame]:
    """The same quarter as released before its revision: every absolute figure three lower … and one cell more."""
    gone = cell(indicator="F99", indicator_name="停用指标", value=5.0)
    return {"monitoring_figures": published([*monitoring(shift=-3.0), gone], "2015-Q2.r0")}
