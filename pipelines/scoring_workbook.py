"""The result workbook of ``ytb index score``: live formulas from a unit's own figures to its score.

Sheets in the order of the computation: figures, values, treated values, parameters, normalised scores, group scores, result.
Change a figure and the score follows. What no plain formula can give stands as a number and is said on the first sheet:
imputed values, outlier bounds and fitted powers, data-driven and expert weights, parameters within a class or over years.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xlsxwriter
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import Group, Leaf, ScoringSystem
from pipelines.methods.index.score import ScoredYear, large_classes, places_of, ranks
from pipelines.methods.index.statuses import WHY, value_status
from pipelines.scoring_formulas import SCORE_FORMULAS, Place, number_text, treatment_formula
from schemas.marts import STATUSES

CREATED: Final = datetime.datetime(2000, 1, 1)  # fixed: the same input gives the same file
MISSING: Final = STATUSES["M"][0]
UNRANKED: Final = STATUSES["Z"][0]
FIRST: Final = 4  # zero-based row of the first unit on every sheet
IDENTITY: Final = 3  # unit, name, class
NOTES: Final = (
    "本工作簿的得分由公式从“数据”表逐步算出:数据 → 指标值 → 处理后 → 参数 → 标准化 → 得分 → 结果。改动“数据”中的数,得分随之变化。",
    "以下各项是数值而非公式:插补值(黄底)、截尾界限与变换参数、由数据或专家得出的权重、按类别或跨年取的参数。",
    "没有数的地方用记号:— 未报或不能计算,… 不适用,* 不公布;0 就是 0。",
)


class _PlainFormulas(Worksheet):
    """A sheet whose formulas use none of the functions that newer Excel knows under another name.

    The writer looks for thirty of them in every formula, which took half the time of a large workbook.
    """

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
        return formula.removeprefix("=")


@dataclass(frozen=True)
class _Book:
    book: Any
    system: ScoringSystem
    year: ScoredYear
    formats: Mapping[str, Any]

    @property
    def last(self) -> int:
        """One-based row of the last unit."""
        return FIRST + len(self.year.table.units)

    def sheet(self, name: str) -> Any:
        """A new sheet with the units down its left side."""
        sheet = self.book.add_worksheet(name, _PlainFormulas)
        sheet.freeze_panes(FIRST, IDENTITY)
        for column, title in enumerate(("单位", "名称", "类别")):
            sheet.write_string(FIRST - 1, column, title, self.formats["head"])
        table = self.year.table
        for row, texts in enumerate(zip(table.units, table.names, table.classes, strict=True), start=FIRST):
            for column, text in enumerate(texts):
                sheet.write_string(row, column, text)
        sheet.set_column(0, 2, 14)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    def number(self, sheet: Any, row: int, column: int, value: float, form: str = "number") -> None:
        """A number, or nothing where it is missing."""
        if np.isfinite(value):
            sheet.write_number(row, column, value, self.formats[form])

    def formula(self, sheet: Any, row: int, column: int, text: str, value: float, mark: str = MISSING) -> None:
        """A formula with the value it has now, a mark where that is missing."""
        sheet.write_formula(row, column, text, self.formats["number"], float(value) if np.isfinite(value) else mark)

    def given_mark(self, row: int, column: int) -> str:
        """What stands for a figure that is missing: by the status it was given with."""
        status = self.year.table.statuses[row][column]
        return STATUSES[status][0] if status in WHY else MISSING

    def mark(self, row: int, column: int) -> str:
        """What stands for a value that is missing: by its status."""
        status = value_status(self.year.prepared, row, column)
        return STATUSES[status][0] if status in WHY else MISSING


def write_workbook(path: Path, system: ScoringSystem, year: ScoredYear) -> None:
    """Write the workbook of one scored year."""
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_numbers": False})
    book.set_properties({"title": system.title, "created": CREATED})
    formats = {
        "head": book.add_format({"bold": True, "text_wrap": True, "bottom": 1, "valign": "top"}),
        "text": book.add_format({"text_wrap": True, "valign": "top"}),
        "number": book.add_format({"num_format": "0.0000"}),
        "imputed": book.add_format({"num_format": "0.0000", "bg_color": "#FFF2CC"}),
        "score": book.add_format(
            {"num_format": "0." + "0" * system.decimals if system.decimals else "0", "bold": True}
        ),
    }
    own = _Book(book, system, year, formats)
    notes = book.add_worksheet("说明")
    notes.set_column(0, 0, 90)
    notes.fit_to_pages(1, 0)
    for row, text in enumerate((system.title, *NOTES)):
        notes.write_string(row, 0, text, formats["text"])
    result = own.sheet("结果")
    figures = _figures(own)
    _values(own, figures)
    _treated(own)
    _parameters(own)
    _normalised(own)
    index = _groups(own)
    _result(own, result, index)
    book.close()


def _head(own: _Book, sheet: Any, column: int, leaf: Leaf, more: str = "") -> None:
    sheet.write_string(FIRST - 2, column, leaf.id, own.formats["head"])
    sheet.write_string(FIRST - 1, column, leaf.name + more, own.formats["head"])


def _figures(own: _Book) -> dict[str, tuple[int, int | None]]:
    """Sheet 数据; the columns of every indicator's figure and denominator."""
    sheet, column = own.sheet("数据"), IDENTITY
    places: dict[str, tuple[int, int | None]] = {}
    for k, leaf in enumerate(own.system.leaves):
        _head(own, sheet, column, leaf, f"({leaf.column})")
        marks = [own.given_mark(row, k) for row in range(len(own.year.table.units))]
        for row, value in enumerate(own.year.table.figures[:, k]):
            own.number(sheet, FIRST + row, column, value)
            if np.isnan(value):
                sheet.write_string(FIRST + row, column, marks[row])
        places[leaf.id] = (column, column + 1 if leaf.denominator else None)
        if leaf.denominator:
            _head(own, sheet, column + 1, leaf, f" 分母({leaf.denominator})")
            for row, value in enumerate(own.year.table.denominators[:, k]):
                own.number(sheet, FIRST + row, column + 1, value)
                if np.isnan(value):
                    sheet.write_string(FIRST + row, column + 1, marks[row])
        column += 2 if leaf.denominator else 1
    return places


def _values(own: _Book, places: Mapping[str, tuple[int, int | None]]) -> None:
    sheet, prepared = own.sheet("指标值"), own.year.prepared
    for k, leaf in enumerate(own.system.leaves):
        _head(own, sheet, IDENTITY + k, leaf)
        above, below = places[leaf.id]
        for row in range(len(own.year.table.units)):
            at = FIRST + row
            if prepared.imputed.filled[row, k]:
                own.number(sheet, at, IDENTITY + k, float(prepared.imputed.values[row, k]), "imputed")
                continue
            figure = f"数据!{_cell(above, at)}"
            text = f'=IF(ISNUMBER({figure}),{figure}*{number_text(leaf.factor)},{figure}&"")'
            if below is not None:
                under = f"数据!{_cell(below, at)}"
                ratio = f'IF({under}=0,"{MISSING}",{figure}/{under}*{number_text(leaf.factor)})'
                text = f'=IF(ISNUMBER({figure}),IF(ISNUMBER({under}),{ratio},{under}&""),{figure}&"")'
            own.formula(sheet, at, IDENTITY + k, text, float(prepared.imputed.values[row, k]), own.mark(row, k))


def _treated(own: _Book) -> None:
    sheet = own.sheet("处理后")
    for k, leaf in enumerate(own.system.leaves):
        _head(own, sheet, IDENTITY + k, leaf)
        for row in range(len(own.year.table.units)):
            source = f"指标值!{_cell(IDENTITY + k, FIRST + row)}"
            text = f'=IF(ISNUMBER({source}),{treatment_formula(own.year.prepared.treatments[k], source)},{source}&"")'
            own.formula(
                sheet, FIRST + row, IDENTITY + k, text, float(own.year.prepared.treated[row, k]), own.mark(row, k)
            )


# parameters of every method: (name in Scores.parameters, formula over the treated column where it can be live)
_PARAMETERS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "minmax": (("worst", "MIN"), ("best", "MAX")),
    "goalposts": (("worst", ""), ("best", "")),
    "efficacy": (("worst", ""), ("best", "")),
    "zscore": (("mean", "AVERAGE"), ("deviation", "STDEV")),
    "distance_to_target": (("target", ""),),
    "distance_to_best": (("best", "MAX"),),
    "base_growth": (("base", ""),),
    "bounded_growth": (("previous", ""),),
    "difference": (("previous", ""),),
}


def _parameters(own: _Book) -> None:
    """Two columns an indicator: worst and best, mean and deviation, target, or last year's value."""
    sheet = own.sheet("参数")
    for k, leaf in enumerate(own.system.leaves):
        options = leaf.normalisation.options
        is_live = options.get("within") != "class" and options.get("reference", "year") == "year"
        for place, (name, function) in enumerate(_PARAMETERS.get(leaf.normalisation.method, ())):
            column = IDENTITY + 2 * k + place
            _head(own, sheet, column, leaf, f" {name}")
            if leaf.direction < 0:
                function = {"MIN": "MAX", "MAX": "MIN"}.get(function, function)
            for row, value in enumerate(own.year.parameters[k][name], start=FIRST):
                if function and is_live:
                    own.formula(
                        sheet, row, column, f"={function}({_column(own, '处理后', IDENTITY + k)})", float(value)
                    )
                else:
                    own.number(sheet, row, column, float(value))


def _normalised(own: _Book) -> None:
    sheet = own.sheet("标准化")
    for k, leaf in enumerate(own.system.leaves):
        _head(own, sheet, IDENTITY + k, leaf)
        for row in range(len(own.year.table.units)):
            at = FIRST + row
            x = f"处理后!{_cell(IDENTITY + k, at)}"
            first, second = (f"参数!{_cell(IDENTITY + 2 * k + p, at)}" for p in (0, 1))
            treated, classes = (_column(own, "处理后", c) for c in (IDENTITY + k, 2))
            place = Place(x, first, second, treated, classes, f"$C{at + 1}")
            formula = SCORE_FORMULAS[leaf.normalisation.method](leaf, place)
            known = f"ISNUMBER({x})"
            if leaf.normalisation.method in ("bounded_growth", "difference", "base_growth"):
                known = f"AND(ISNUMBER({x}),ISNUMBER({first}))"
            otherwise = f'IF(ISNUMBER({x}),"{MISSING}",{x}&"")'
            mark = own.mark(row, k) if np.isnan(own.year.prepared.treated[row, k]) else MISSING
            own.formula(
                sheet, at, IDENTITY + k, f"=IF({known},{formula},{otherwise})", float(own.year.scores[row, k]), mark
            )


def _groups(own: _Book) -> int:
    """Sheet 得分, one block of columns a group: children, their coverage, transformed children, coverage, score.

    Weights stand in row 1 above the children. Returns the column of the index.
    """
    sheet, column = own.sheet("得分"), IDENTITY
    places: dict[str, tuple[int, int]] = {}  # group → columns of coverage and score
    for group in own.system.groups:
        column = _group_block(own, sheet, group, column, places)
    return places[own.system.root.id][1]


def _group_block(own: _Book, sheet: Any, group: Group, column: int, places: dict[str, tuple[int, int]]) -> int:
    size, weights = len(group.children), own.year.weights[group.id].values
    per_unit = weights.ndim > 1
    blocks = 2 + (group.power != 1.0) + per_unit
    starts = [column + b * size for b in range(blocks)]
    cover_at = column + blocks * size
    places[group.id] = (cover_at, cover_at + 1)
    for k, child in enumerate(group.children):
        name = own.system.name_of(child)
        for start, more in zip(
            starts,
            ("", " 覆盖", *((" 变换",) if group.power != 1.0 else ()), *((" 权重",) if per_unit else ())),
            strict=True,
        ):
            sheet.write_string(FIRST - 2, start + k, child, own.formats["head"])
            sheet.write_string(FIRST - 1, start + k, name + more, own.formats["head"])
        if not per_unit:
            own.number(sheet, 0, starts[0] + k, float(weights[k]))
    for place, more in enumerate((" 覆盖率", "")):
        sheet.write_string(FIRST - 2, cover_at + place, group.id, own.formats["head"])
        sheet.write_string(FIRST - 1, cover_at + place, group.name + more, own.formats["head"])
    for row in range(len(own.year.table.units)):
        _group_row(own, sheet, group, row, starts, places, weights[row] if per_unit else None)
    return cover_at + 2


def _group_row(
    own: _Book,
    sheet: Any,
    group: Group,
    row: int,
    starts: list[int],
    places: Mapping[str, tuple[int, int]],
    weights: Floats | None,
) -> None:
    at, size = FIRST + row, len(group.children)
    for k, child in enumerate(group.children):
        leaf = own.system.position.get(child)
        source = f"标准化!{_cell(IDENTITY + leaf, at)}" if leaf is not None else _cell(places[child][1], at)
        value = float(own.year.node(own.system, child)[row])
        here = _cell(starts[0] + k, at)
        mark = own.mark(row, leaf) if leaf is not None and np.isnan(own.year.prepared.treated[row, leaf]) else MISSING
        own.formula(sheet, at, starts[0] + k, f'=IF(ISNUMBER({source}),{source},{source}&"")', value, mark)
        covered = "1" if leaf is not None else _cell(places[child][0], at)
        share = 1.0 if leaf is not None else float(own.year.means[child].coverage[row])
        own.formula(
            sheet, at, starts[1] + k, f"=IF(ISNUMBER({here}),{covered},0)", share if np.isfinite(value) else 0.0
        )
        if group.power != 1.0:
            floor = group.aggregation.number("floor")
            raised = f"MAX({here},{number_text(floor)})"
            text = f"LN({raised})" if group.power == 0.0 else f"{raised}^{number_text(group.power)}"
            high = max(value, floor) if np.isfinite(value) else np.nan
            shown = float(np.log(high) if group.power == 0.0 else high**group.power)
            own.formula(sheet, at, starts[2] + k, f'=IF(ISNUMBER({here}),{text},"{MISSING}")', shown)
        if weights is not None:
            own.number(sheet, at, starts[-1] + k, float(weights[k]))
    used = (
        _span(starts[-1], size, at)
        if weights is not None
        else f"{_cell(starts[0], 0, True)}:{_cell(starts[0] + size - 1, 0, True)}"
    )
    children, covers = _span(starts[0], size, at), _span(starts[1], size, at)
    mean = own.year.means[group.id]
    cover_at, score_at = places[group.id]
    covered = (
        f"SUM({covers})/{size}"
        if group.is_best_case
        else f"IF(SUM({used})=0,0,SUMPRODUCT({used},{covers})/SUM({used}))"
    )
    own.formula(sheet, at, cover_at, f"={covered}", float(mean.coverage[row]))
    text = _mean_formula(group, used, children, _span(starts[2], size, at) if group.power != 1.0 else children, size)
    options = group.aggregation.effective
    least = 1.0 if options["missing"] == "null" else float(options["minimum_coverage"])
    present = f"SUMPRODUCT({used},--ISNUMBER({children}))"
    if group.is_best_case:
        present = f"IF(COUNT({used})={size},COUNT({children}),0)"
    own.formula(
        sheet,
        at,
        score_at,
        f'=IF({present}=0,"{MISSING}",IF({_cell(cover_at, at)}<{number_text(least)}-0.000000000001,"{MISSING}",{text}))',
        float(mean.scores[row]),
    )


def _mean_formula(group: Group, weights: str, children: str, transformed: str, size: int) -> str:
    present = f"SUMPRODUCT({weights},--ISNUMBER({children}))"
    if group.is_best_case:
        return f"SUMPRODUCT({weights},{children})"
    if group.aggregation.options.get("missing") == "base":
        return f"SUMPRODUCT({weights},{children})/SUM({weights})"
    mean = f"SUMPRODUCT({weights},{transformed})/{present}"
    if group.power == 1.0:
        return mean
    return f"EXP({mean})" if group.power == 0.0 else f"({mean})^({number_text(1.0 / group.power)})"


def _result(own: _Book, sheet: Any, index: int) -> None:
    """Score and ranks; where ranks are within the class there is none among all units."""
    table, scores = own.year.table, own.year.means[own.system.root.id].scores
    by_class = own.system.rank_within_class
    shown, within = places_of(own.system, table, scores), ranks(own.system, table, scores)[1]
    large = large_classes(own.system, table, scores)
    titles = (
        "得分",
        "同类名次" if by_class else "总名次",
        *(("同类名次",) if own.system.class_column and not by_class else ()),
    )
    for place, title in enumerate(titles):
        sheet.write_string(FIRST - 1, IDENTITY + place, title, own.formats["head"])
    column, classes = _column(own, "", IDENTITY), _column(own, "", 2)
    better = f"ISNUMBER({column})*({column}>{{here}}+{number_text(0.5 * 10.0**-own.system.tie_decimals)})"
    for row in range(len(scores)):
        at = FIRST + row
        source, here = f"得分!{_cell(index, at)}", _cell(IDENTITY, at)
        missing = not np.isfinite(scores[row])
        sheet.write_formula(
            at, IDENTITY, f'=IF(ISNUMBER({source}),{source},{source}&"")', own.formats["score"],
            MISSING if missing else float(scores[row]),
        )  # fmt: skip
        ahead = better.format(here=here)
        among_all = f"SUMPRODUCT({ahead})+1"
        size = f"SUMPRODUCT(ISNUMBER({column})*({classes}=$C{at + 1}))"
        in_class = (
            f'IF({size}<{own.system.minimum_class_size},"{UNRANKED}",SUMPRODUCT({ahead}*({classes}=$C{at + 1}))+1)'
        )
        unranked = UNRANKED if table.classes[row] not in large else MISSING
        for place, (text, rank) in enumerate(
            [(in_class if by_class else among_all, shown[row]), (in_class, within[row])][: len(titles) - 1], start=1
        ):
            value = MISSING if missing else rank or unranked
            sheet.write_formula(at, IDENTITY + place, f'=IF(ISNUMBER({here}),{text},"{MISSING}")', None, value)


def _cell(column: int, row: int, is_fixed: bool = False) -> str:
    name = xl_col_to_name(column)
    return f"${name}${row + 1}" if is_fixed else f"{name}{row + 1}"


def _span(start: int, size: int, row: int) -> str:
    return f"{_cell(start, row)}:{_cell(start + size - 1, row)}"


def _column(own: _Book, sheet: str, column: int) -> str:
    name = xl_col_to_name(column)
    return f"{sheet}{'!' if sheet else ''}${name}${FIRST + 1}:${name}${own.last}"
