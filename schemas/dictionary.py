"""The data dictionary 数据字典: what every indicator, form, code list and mart column means, generated from the definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from schemas.marts import CELL_COLUMNS, PUBLISHED_COLUMNS, PUBLISHED_MARTS, STATUSES
from schemas.model import Edition, Indicator, Programme

ROUND_TITLES: Final = {"A": "年报", "Q": "季报", "H": "半年报", "AQ": "年报、季报", "QA": "季报、年报"}
TYPE_TITLES: Final = {"number": "数值", "code": "代码", "text": "文本", "boolean": "是否", "date": "日期"}

COLUMN_MEANINGS: Final[dict[str, tuple[str, str]]] = {
    # column: (Chinese name, meaning)
    "row_key": ("行键", "在一张结果表内唯一标识一个数;追溯时写 row_key:value"),
    "table": ("表", "产品内的表,如 figures、warnings、T02"),
    "period": ("报告期", "2015 为年度,2015-Q2 为季度(SDMX TIME_PERIOD)"),
    "area": ("区域代码", "汇总区域、园区或分园的代码"),
    "area_name": ("区域", "区域名称"),
    "breakdown": (
        "分组方式",
        "total 合计,zone 园区,sub_park 分园,industry 行业,size 规模,registration 登记注册类型 等",
    ),
    "category": ("组别代码", "分组方式内的代码,合计为 T"),
    "category_name": ("组别", "组别名称"),
    "indicator": ("指标代码", "指标、预警、指数或目标的代码;见指标目录"),
    "indicator_name": ("指标", "指标名称"),
    "unit_measure": ("计量单位", "数值的计量单位"),
    "measure": ("数据项代码", "cumulative 累计、discrete 单季、growth_… 增速 等"),
    "measure_name": ("数据项", "数据项名称"),
    "value": ("数值", "未经修约的数值;未报、不适用、不公布时为空"),
    "decimals": ("小数位", "显示时保留的小数位数,四舍五入一次"),
    "status": ("数据状态", "、".join(f"{code} {title}" for code, (_, title) in STATUSES.items())),
    "note": ("说明", "预警原因、缺数原因、估算说明等"),
    "formula": ("公式", "数值所依据的表达式,用指标代码书写;非单一表达式时为空"),
    "display": ("显示值", "出版表与看板上所见的文字:修约后的数字或标记"),
    "release": ("发布号", "数字所属的发布,如 2015-Q2.r1"),
}


def mart_columns() -> pl.DataFrame:
    """One row a column of the published marts: name, Chinese name, type, meaning, in the order of the files."""
    assert CELL_COLUMNS.keys() <= COLUMN_MEANINGS.keys()
    return pl.DataFrame(
        [
            {"column": name, "title": COLUMN_MEANINGS[name][0], "type": str(dtype), "meaning": COLUMN_MEANINGS[name][1]}
            for name, dtype in PUBLISHED_COLUMNS.items()
        ]
    )


def mart_list() -> pl.DataFrame:
    """One row a mart: name, product, Chinese title, rounds and definition."""
    return pl.DataFrame(
        [
            {
                "mart": mart.name,
                "product": mart.product,
                "title": mart.title,
                "rounds": ROUND_TITLES.get(mart.rounds, mart.rounds),
                "definition": mart.definition,
            }
            for mart in PUBLISHED_MARTS.values()
        ]
    )


def indicator_list(edition: Edition) -> pl.DataFrame:
    """One row an indicator of ``edition``, in printed order of forms and indicators."""
    return pl.DataFrame(
        [_indicator_row(edition, i) for form in edition.forms.values() for i in form.indicators],
        infer_schema_length=None,
    )


def _indicator_row(edition: Edition, indicator: Indicator) -> dict[str, str | int]:
    form = edition.forms[indicator.form]
    return {
        "code": indicator.code,
        "name": indicator.name,
        "name_en": indicator.name_en,
        "form": indicator.form,
        "form_number": form.number,
        "form_title": form.title,
        "unit_measure": "" if indicator.unit_measure == "-" else indicator.unit_measure,
        "type": TYPE_TITLES[indicator.type],
        "decimals": indicator.decimals,
        "rounds": ROUND_TITLES.get(indicator.rounds, indicator.rounds),
        "required": "是" if indicator.required else "",
        "additive": "是" if indicator.additive else "",
        "year_earlier": ROUND_TITLES.get(indicator.year_earlier, indicator.year_earlier),
        "codelist": indicator.codelist,
        "applies_if": indicator.applies_if,
        "derived": indicator.derived,
        "definition": indicator.definition,
        "origin": indicator.origin,
    }


def _of_scheme(data: Mapping[str, Any]) -> list[dict[str, str]]:
    names = {group["id"]: group.get("name", group["id"]) for group in data["group"]}
    return [
        {
            "kind": data["title"],
            "code": item["id"],
            "name": item.get("name", item["id"]),
            "unit_measure": item.get("unit_measure", "-"),
            "formula": item.get("formula", ""),
            "group": names[item["parent"]],
            "note": ";".join(filter(None, (f"权重 {item.get('weight', 1):g}", item.get("note", "")))),
        }
        for item in data["indicator"]
    ]


def computed_list(edition: Edition) -> pl.DataFrame:
    """One row an index indicator, warning or target: code, name, unit, formula, where it belongs."""
    rows: list[dict[str, str]] = []
    for system in edition.indexes.values():
        rows += [
            {
                "kind": system.title,
                "code": i.id,
                "name": i.name,
                "unit_measure": i.unit_measure,
                "formula": i.formula,
                "group": i.dimension,
                "note": f"权重 {i.weight:g}",
            }
            for i in system.indicators
        ]
    for scheme in edition.schemes.values():
        if not scheme.data.get("internal", False):
            rows += _of_scheme(scheme.data)
    rows += [
        {
            "kind": "预警指标",
            "code": w.id,
            "name": w.name,
            "unit_measure": w.unit,
            "formula": w.formula,
            "group": "",
            "note": "",
        }
        for w in edition.warnings
    ]
    rows += [
        {
            "kind": "规划目标",
            "code": f"{t.plan_id}.{t.row_no}",
            "name": t.name,
            "unit_measure": t.unit_measure,
            "formula": t.formula,
            "group": t.plan_name,
            "note": t.scope_note,
        }
        for t in edition.targets
    ]
    columns = ("kind", "code", "name", "unit_measure", "formula", "group", "note")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String()))


def codelist_rows(programme: Programme, limit: int = 5_000) -> pl.DataFrame:
    """Every code list as (codelist, code, name, valid_from, valid_to); lists above ``limit`` rows are left to their files."""
    frames = [
        source.rows.select(
            pl.lit(name).alias("codelist"), *(pl.col(c) for c in ("code", "name", "valid_from", "valid_to"))
        )
        for name, source in sorted(programme.codelists.items())
        if source.rows.height <= limit
    ]
    schema = dict.fromkeys(("codelist", "code", "name", "valid_from", "valid_to"), pl.String())
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


_PART_OF: Final = re.compile(r"([A-Z]\d{2})\s*(?:的)?其中项")


def of_which(edition: Edition) -> dict[str, str]:
    """Indicator → the indicator it is an of-which item 其中项 of, as its definition or the printed form says.

    On a form an item named 其中:… belongs to the nearest item above that is not itself one.
    """
    known = edition.indicators
    found: dict[str, str] = {}
    for form in edition.forms.values():
        above = ""
        for indicator in form.indicators:
            stated = _PART_OF.search(indicator.definition)
            if stated and stated[1] in known and stated[1] != indicator.code:
                found[indicator.code] = stated[1]
            elif indicator.name.startswith("其中") and above:
                found[indicator.code] = above
            if not indicator.name.startswith("其中"):
                above = indicator.code
    return found
