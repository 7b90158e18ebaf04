"""``ytb protect``: files in, protected table and audit out. Format: docs/formats/protect-spec.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from exports.display import displayed
from pipelines.csv_tables import LINE, csv_text, plain_number
from pipelines.methods.disclosure.generic import Dimension, TableSpec, protect_table
from pipelines.methods.disclosure.rules import Rules
from schemas.definitions import read_toml
from schemas.errors import DefinitionError

__all__ = ["ProtectionRun", "protect_file", "read_spec"]

ANY, NOT_NEGATIVE, COUNT = "数字", "不小于 0 的数", "不小于 0 的整数"


@dataclass(frozen=True)
class ProtectionRun:
    """Where the two files stand and what was done; ``exposed`` must be empty before anything is published."""

    output: Path
    audit: Path
    summary: Mapping[str, int]
    exposed: pl.DataFrame

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "output": str(self.output),
            "audit": str(self.audit),
            **self.summary,
            "exposed_cells": self.exposed.to_dicts(),
        }


def protect_file(table: Path, spec: Path, output: Path) -> ProtectionRun:
    """Read a CSV and its specification, write the protected CSV and, beside it, ``<name>.audit.csv`` for the office only.

    The output has the dimension columns, value, status (A, C, M) and display; the audit n, reason and the interval an
    outsider can work out. Raises DefinitionError for a specification or a table that does not fit.
    """
    definition = read_spec(spec)
    found = protect_table(_read_table(table, definition), definition)
    shown = [displayed(v, definition.decimals, s) for v, s in found.cells.select("value", "status").iter_rows()]
    audit = output.with_suffix(".audit.csv")
    found.cells.with_columns(pl.Series("display", shown, dtype=pl.String)).write_csv(output)
    found.audit.write_csv(audit)
    return ProtectionRun(output, audit, found.summary, found.exposed)


def read_spec(path: Path) -> TableSpec:
    """The specification of one table; hierarchy files are looked for beside it."""
    data = read_toml(path, "protect").data
    known = {f.name for f in fields(Rules)}
    rules = {key: value for key, value in data.get("rules", {}).items() if key in known}
    contributors = data.get("contributors", {})
    return TableSpec(
        dimensions=tuple(_dimension(entry, path) for entry in data["dimension"]),
        value=data["value"],
        kind=data.get("kind", "sum"),
        n=contributors.get("n", "n"),
        max1=contributors.get("max1", "max1"),
        max2=contributors.get("max2", "max2"),
        unit=data.get("unit", ""),
        weight=data.get("weight", ""),
        published=data.get("published", ""),
        cost=data.get("cost", "value"),
        decimals=data.get("decimals", 0),
        rules=Rules(**rules),
    )


def _dimension(entry: Mapping[str, Any], spec: Path) -> Dimension:
    total = entry.get("total", "T")
    parents: dict[tuple[str, int], list[str]] = {}
    for number, hierarchy in enumerate(entry.get("hierarchy", [])):
        pairs = hierarchy["children"].items() if "children" in hierarchy else _hierarchy_file(spec, hierarchy["file"])
        for parent, children in pairs:
            parents.setdefault((parent, number), []).extend(children)
    if "codes" in entry:
        parents.setdefault((total, -1), []).extend(entry["codes"])
    if not parents:
        raise DefinitionError(
            f"“{entry['column']}”没有层级", where=str(spec), remedy="请写 codes,或一个以上的 [[dimension.hierarchy]]。"
        )
    return Dimension(entry["column"], total, tuple((parent, tuple(c)) for (parent, _), c in sorted(parents.items())))


def _hierarchy_file(spec: Path, name: str) -> list[tuple[str, list[str]]]:
    path = spec.parent / name
    frame = _csv(path)
    if not {"code", "parent"} <= set(frame.columns):
        raise DefinitionError("层级文件缺列 code 或 parent", where=str(path), remedy="每行写一个代码和它的上级代码。")
    grouped = frame.drop(LINE).filter(pl.col("parent") != "").group_by("parent", maintain_order=True).agg("code")
    return [(parent, list(codes)) for parent, codes in grouped.iter_rows()]


def _read_table(path: Path, spec: TableSpec) -> pl.DataFrame:
    frame = _csv(path)
    counts = [spec.n, *([spec.value] if spec.kind == "count" else [])]
    numbers = [spec.value, spec.weight, spec.n, spec.max1, spec.max2, spec.cost]
    for column in dict.fromkeys(numbers):
        if column in frame.columns and column not in spec.columns:
            # What is said of contributors decides what is hidden: a slip there must not pass as a figure.
            bound = COUNT if column in counts else NOT_NEGATIVE if column != spec.value else ANY
            frame = frame.with_columns(_numbers(frame, column, path, bound))
    if spec.published and spec.published in frame.columns:
        frame = frame.with_columns(pl.col(spec.published).str.to_lowercase().is_in(["1", "true", "是"]))
    return frame.drop(LINE)


def _numbers(frame: pl.DataFrame, column: str, path: Path, bound: str) -> pl.Series:
    found: list[float | None] = []
    for text, line in frame.select(column, LINE).iter_rows():
        word = text.strip()
        number = plain_number(word)
        wrong = number is None or (bound != ANY and number < 0) or (bound == COUNT and not float(number).is_integer())
        if word and wrong:
            raise DefinitionError(
                f"“{column}”列填的是“{word}”,不是{bound}", where=f"{path.name}:{line}", remedy="没有数就留空。"
            )
        found.append(number)
    return pl.Series(column, found, dtype=pl.Float64)


def _csv(path: Path) -> pl.DataFrame:
    # Codes are text: 03 is not 3.
    return csv_text(path).with_columns(pl.exclude(LINE).str.strip_chars())
