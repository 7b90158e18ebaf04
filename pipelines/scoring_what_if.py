"""``ytb index score --what-if``: the scores as they would be with some figures changed, beside the scores as they are.

A trial 试算: nothing is stored, and no release reads it. Everything is computed twice by the same engine, so a changed figure also
moves extremes, moments and data-driven weights, and with them the scores and ranks of units whose figures did not change.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from pipelines.csv_tables import LINE, csv_text, plain_number, write_table
from pipelines.methods.index.decompose import difference, standing
from pipelines.methods.index.definition import ScoringSystem
from pipelines.methods.index.results import differences_frame
from pipelines.methods.index.score import ScoredYear, places_of, score_years
from pipelines.methods.index.score_tables import frame_of, levels, rank_display
from pipelines.methods.index.statuses import node_statuses
from pipelines.methods.index.table import MARKS, STATUS_SUFFIX
from pipelines.scoring import read_system, tables_of
from schemas.errors import DefinitionError

TRIAL: Final = "试算"
NEEDED: Final = ("unit", "indicator", "value")
UNKNOWN: Final = "未采用"
USED: Final = "已采用"
SAME: Final = "与原值相同"
NAMED: Final = 20  # units that one sentence names
NOISE: Final = 1e-9


@dataclass(frozen=True)
class Change:
    """One row of the file of changed values. ``column`` is empty and ``problem`` says why where it cannot be used.

    A row that repeats the figure that stands there changes nothing, its status neither.
    """

    line: int
    unit: str
    indicator: str
    year: str
    value: str
    reason: str
    column: str = ""
    before: str = ""
    problem: str = ""

    @property
    def is_used(self) -> bool:
        """Whether the row changes a figure."""
        return bool(self.column) and not self.is_same

    @property
    def is_same(self) -> bool:
        """Whether the row repeats what stands in the data: the same number however it is written, or the same mark."""
        if not self.column:
            return False
        if self.value in MARKS or self.before in MARKS:
            return self.value in MARKS and self.before in MARKS and MARKS[self.value] == MARKS[self.before]
        return plain_number(self.value) == plain_number(self.before)

    @property
    def why_not(self) -> str:
        """Why the row is not used; empty where it is."""
        return SAME if self.is_same else self.problem


@dataclass(frozen=True)
class Trial:
    """A finished trial: the changes, scores and ranks before and after at every node, and parts of every difference."""

    title: str
    changes: tuple[Change, ...]
    results: pl.DataFrame
    parts: pl.DataFrame
    findings: tuple[str, ...]
    decimals: int = 2  # of the scores, as the definition says

    @property
    def used(self) -> int:
        """How many rows changed a figure."""
        return sum(c.is_used for c in self.changes)

    def to_json(self) -> dict[str, Any]:
        """As plain data for ``--json``: the changes and what moved at the index itself."""
        moved = self.results.filter(
            (pl.col("level") == 0) & ((pl.col("score_change") != 0) | (pl.col("rank_before") != pl.col("rank_after")))
        )
        return {
            "mark": TRIAL,
            "title": self.title,
            "changes": [
                {"line": c.line, "unit": c.unit, "indicator": c.indicator, "year": c.year, "before": c.before, "value": c.value,
                 "reason": c.reason, "problem": c.why_not}
                for c in self.changes
            ],
            "moved": moved.to_dicts(),
            "findings": list(self.findings),
        }  # fmt: skip


def what_if(system_path: Path, data_path: Path, changes_path: Path, previous: Path | None, out: Path) -> Trial:
    """Score twice and write the comparison to ``out``. Raises DefinitionError for what cannot be read; nothing is written then.

    Rows about units, years or indicators that are not in the data are left out and said; where no row is left, it is an error.
    """
    system, experts = read_system(system_path)
    frame = csv_text(data_path)
    changes = read_changes(changes_path, system, frame)
    if not any(c.is_used for c in changes):
        raise DefinitionError(
            "没有一行改动能用",
            where=changes_path.name,
            remedy=";".join(f"第 {c.line} 行:{c.why_not}" for c in changes[:5]),
        )
    before = score_years(system, tables_of(system, frame, data_path, previous), experts)
    after = score_years(system, tables_of(system, changed(system, frame, changes), data_path, previous), experts)
    results = pl.concat([_compared(system, a, b) for a, b in zip(before, after, strict=True)])
    said = tuple(_findings(changes, results))
    trial = Trial(system.title, changes, results, _parts(system, before, after), said, system.decimals)
    _write(out, trial)
    return trial


def read_changes(path: Path, system: ScoringSystem, frame: pl.DataFrame) -> tuple[Change, ...]:
    """The rows of the file, each with the column of the data it changes.

    Columns ``unit``, ``indicator`` (an indicator's id, meaning its figure, or a column of figures or denominators), ``value``
    (blank or a mark: no figure), optionally ``year`` and ``reason``. Raises DefinitionError for a value that is no number and
    for two rows about the same figure.
    """
    rows = csv_text(path)
    if missing := [c for c in NEEDED if c not in rows.columns]:
        raise DefinitionError(
            f"缺列 {'、'.join(missing)}", where=f"{path.name}:1", remedy="列:unit,indicator,value[,year,reason]。"
        )
    found: list[Change] = []
    for row in rows.iter_rows(named=True):
        text = {c: (row.get(c) or "").strip() for c in (*NEEDED, "year", "reason")}
        where = f"{path.name}:{row[LINE]}"
        if text["value"] not in MARKS and plain_number(text["value"]) is None:
            raise DefinitionError(f"“{text['value']}”不是数", where=where, remedy="请只写数字,撤去一个数就留空。")
        change = _placed(
            Change(row[LINE], text["unit"], text["indicator"], text["year"], text["value"], text["reason"]),
            system,
            frame,
        )
        same = [
            c for c in found if c.column and (c.unit, c.column, c.year) == (change.unit, change.column, change.year)
        ]
        if same:
            raise DefinitionError(f"与第 {same[0].line} 行改的是同一个数", where=where, remedy="每个数只改一次。")
        found.append(change)
    if not found:
        raise DefinitionError("没有改动", where=f"{path.name}:1", remedy="每个改动一行。")
    return tuple(found)


def _placed(change: Change, system: ScoringSystem, frame: pl.DataFrame) -> Change:
    """The change with the column it is about and the figure that stands there; or with its problem."""
    columns = {leaf.id: leaf.column for leaf in system.leaves}
    read = {c for leaf in system.leaves for c in (leaf.column, leaf.denominator) if c}
    column = columns.get(change.indicator) or (change.indicator if change.indicator in read else "")
    year = change.year
    if system.year_column and not year:
        year = max(y or "" for y in frame[system.year_column].to_list())
    problem = ""
    rows = frame.filter(pl.col(system.unit_column).str.strip_chars() == change.unit)
    if system.year_column and rows.height:
        rows = rows.filter(pl.col(system.year_column).str.strip_chars() == year)
    if not column:
        problem = f"指标体系中没有“{change.indicator}”"
    elif change.indicator in columns and change.indicator in read - {column}:
        problem = f"“{change.indicator}”既是指标代码又是另一列的列名,分不清改哪个"
    elif year and not system.year_column:
        problem = "数据没有年份列,不能指定年份"
    elif rows.is_empty():
        problem = f"数据中没有单位“{change.unit}”" + (f"的 {year} 年" if system.year_column else "")
    if problem:
        return Change(change.line, change.unit, change.indicator, year, change.value, change.reason, problem=problem)
    before = (rows[column][0] or "").strip()
    return Change(change.line, change.unit, change.indicator, year, change.value, change.reason, column, before)


def changed(system: ScoringSystem, frame: pl.DataFrame, changes: Sequence[Change]) -> pl.DataFrame:
    """The rows of the data with the usable changes put in; a status said of a changed figure no longer holds."""
    for change in changes:
        if not change.is_used:
            continue
        hit = pl.col(system.unit_column).str.strip_chars() == change.unit
        if system.year_column:
            hit &= pl.col(system.year_column).str.strip_chars() == change.year
        status = change.column + STATUS_SUFFIX
        put = {change.column: change.value} | ({status: ""} if status in frame.columns else {})
        frame = frame.with_columns(pl.when(hit).then(pl.lit(v)).otherwise(c).alias(c) for c, v in put.items())
    return frame


RESULT_COLUMNS: Final = {
    "mark": pl.String, "year": pl.String, "unit": pl.String, "unit_name": pl.String, "unit_class": pl.String, "level": pl.Int64,
    "node": pl.String, "node_name": pl.String, "score_before": pl.Float64, "status_before": pl.String, "score_after": pl.Float64,
    "status_after": pl.String, "score_change": pl.Float64, "rank_before": pl.String, "rank_after": pl.String, "rank_change": pl.Int64,
}  # fmt: skip


def _compared(system: ScoringSystem, before: ScoredYear, after: ScoredYear) -> pl.DataFrame:
    """Every unit and node of a year; ``rank_change`` > 0 is a better place."""
    table, rows = before.table, []
    statuses = node_statuses(system, before), node_statuses(system, after)
    for node, level in levels(system).items():
        old, new = before.node(system, node), after.node(system, node)
        ranks = places_of(system, table, old), places_of(system, after.table, new)
        for k, unit in enumerate(table.units):
            was, is_ = ranks[0][k], ranks[1][k]
            rows.append(
                (TRIAL, table.year, unit, table.names[k], table.classes[k], level, node, system.name_of(node), float(old[k]),
                 statuses[0][node][k], float(new[k]), statuses[1][node][k], _step(float(old[k]), float(new[k])),
                 rank_display(was, float(old[k])), rank_display(is_, float(new[k])), None if was is None or is_ is None else was - is_)
            )  # fmt: skip
    return frame_of(rows, RESULT_COLUMNS)


def _step(before: float, after: float) -> float:
    """The change of a score; what the last binary digits of two computations differ by is none."""
    change = after - before
    return 0.0 if abs(change) < NOISE else change


def _parts(system: ScoringSystem, before: Sequence[ScoredYear], after: Sequence[ScoredYear]) -> pl.DataFrame:
    """The difference of every unit whose index moved, in parts that sum to it: figures, weights, parameters, coverage."""
    found = []
    for old, new in zip(before, after, strict=True):
        was, is_ = (year.means[system.root.id].scores for year in (old, new))
        for k, unit in enumerate(old.table.units):
            if not np.isnan(was[k]) and not np.isnan(is_[k]) and _step(float(was[k]), float(is_[k])):
                found.append(difference(system, standing(system, old, unit), standing(system, new, unit)))
    parts = differences_frame(system, [d for d in found if d is not None])
    return parts.select(
        pl.lit(TRIAL).alias("mark"), pl.col("unit_before").alias("unit"), pl.col("year_before").alias("year"), "part", "part_name",
        "kind", "points", "total", "note",
    )  # fmt: skip


def _findings(changes: Sequence[Change], results: pl.DataFrame) -> list[str]:
    said = [f"第 {c.line} 行{UNKNOWN}:{c.problem}。" for c in changes if c.problem]
    if same := [str(c.line) for c in changes if c.is_same]:
        said.append(f"第 {'、'.join(same)} 行{SAME},不算改动,状态也不变。")
    top = results.filter(level=0)
    own = {c.unit for c in changes if c.is_used}
    moved = top.filter(pl.col("score_change") != 0)
    others = moved.filter(~pl.col("unit").is_in(sorted(own)))
    if others.height:
        said.append(f"另有 {others.height} 个单位的数据没有改,得分因极值、矩或权重变动而变。")
    passed = top.filter((pl.col("score_change") == 0) & (pl.col("rank_before") != pl.col("rank_after")))
    if passed.height:
        named = [
            f"{r['unit_name']}{'(' + r['year'] + ')' if r['year'] else ''} {r['rank_before']} → {r['rank_after']}"
            for r in passed.head(NAMED).iter_rows(named=True)
        ]
        more = f" 等 {passed.height} 个" if passed.height > NAMED else ""
        said.append(f"得分没有变、名次因其他单位而变:{'、'.join(named)}{more}。")
    still = sorted(own - set(moved["unit"]))
    if still:
        said.append(f"{'、'.join(still)} 的数据改了,总得分不变或没有得分。")
    return said


def _write(out: Path, trial: Trial) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rows = [
        (
            TRIAL,
            c.line,
            c.unit,
            c.indicator,
            c.column,
            c.year,
            c.before,
            c.value,
            c.reason,
            USED if c.is_used else SAME if c.is_same else UNKNOWN,
            c.problem,
        )
        for c in trial.changes
    ]
    names = ("mark", "line", "unit", "indicator", "column", "year", "before", "value", "reason", "outcome", "problem")
    changes = frame_of(rows, dict.fromkeys(names, pl.String) | {"line": pl.Int64})
    for name, frame in (
        ("what_if", trial.results),
        ("what_if_changes", changes),
        ("what_if_decomposition", trial.parts),
    ):
        write_table(out / f"{name}.csv", frame)
    text = json.dumps(trial.to_json(), ensure_ascii=False, indent=2, allow_nan=False)
    (out / "what_if.json").write_text(text + "\n", encoding="utf-8")
