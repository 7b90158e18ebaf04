"""Files in: rule files and CSV tables of any shape, for ``ytb rules check``, ``ytb rules audit`` and ``ytb correct``.

Formats: docs/formats/rule-file.md. A table is UTF-8 (with or without byte order mark) or GB18030, separated by comma, tab
or semicolon, its first line the column names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipelines.csv_tables import csv_cells
from schemas.definitions import read_toml
from schemas.errors import DefinitionError
from schemas.rule_file import KeySet, RuleFile, rule_file
from schemas.table_model import PREVIOUS, REGISTER, Column, Table, Tables, Unreadable
from schemas.table_values import Declared, read_column
from schemas.variables import TEXT

DATA = "data"
_EXPECTED = {"number": "数字", "date": "日期(YYYY-MM-DD)", "boolean": "是或否", "text": "文字"}


def read_rule_file(path: Path) -> RuleFile:
    """The rules of a TOML file. Raises DefinitionError with file, line and remedy."""
    definition = read_toml(path, "rule-file")

    def rows_beside(name: str) -> list[dict[str, str]]:
        header, rows, _ = csv_cells(path.parent / name)
        return [dict(zip(header, row, strict=True)) for row in rows]

    return rule_file(definition.data, lambda rule_id: definition.line_of("id", rule_id), rows_beside)


def read_tables(
    rules: RuleFile,
    data: Path,
    *,
    previous: Path | None = None,
    register: Path | None = None,
    others: Mapping[str, Path] | None = None,
) -> Tables:
    """The table to be checked and those beside it. Raises DefinitionError for a file that cannot be read."""
    paths = dict(others or {})
    if previous is not None:
        paths[PREVIOUS] = previous
    if register is not None:
        paths[REGISTER] = register
    checked = read_table(data, rules, DATA)
    beside = {name: read_table(path, rules, name, checked.columns) for name, path in paths.items()}
    beside |= {keys.name: _of_keyset(keys) for keys in rules.keysets if keys.name not in beside}
    return Tables(checked, beside, rules.codelists)


def read_table(path: Path, rules: RuleFile, name: str = DATA, like: Mapping[str, Column] | None = None) -> Table:
    """One CSV as a table. Columns declared in the rule file have that type, others the one their cells have.

    A table of earlier periods takes the declarations of the table that is checked.
    """
    header, rows, lines = csv_cells(path)
    missing = frozenset(rules.missing)
    declared = {n: c.declared for n, c in rules.columns.items() if c.declared} if name in (DATA, PREVIOUS) else {}
    columns: dict[str, Column] = {}
    values: list[pl.Series] = []
    raw: list[pl.Series] = []
    unreadable: list[Unreadable] = []
    notes: list[str] = []
    for place, column in enumerate(header):
        cells = [None if not row[place].strip() or row[place].strip() in missing else row[place] for row in rows]
        wanted = declared.get(column)
        if wanted is None and name == PREVIOUS and like and column in like and like[column].kind == TEXT:
            wanted = Declared("text")
        found = read_column(column, cells, wanted)
        columns[column] = found.column
        values.append(found.values)
        # A cell that was read as blank is blank as a text, too.
        blanks = set(found.blanks_read)
        raw.append(pl.Series(column, [None if c in blanks else c for c in cells], dtype=pl.String))
        if blanks:
            notes.append(f"列 {column}:{'、'.join(sorted(blanks))} 按空值读")
        if found.inexact:
            notes.append(f"列 {column}:位数过多,按浮点数计算")
        expected = _EXPECTED[wanted.type] if wanted else ""
        if wanted and wanted.decimals is not None:
            expected += f",至多 {wanted.decimals} 位小数"
        unreadable += [Unreadable(r + 1, lines[r], column, cells[r] or "", expected) for r in found.wrong]
    key = rules.key if name == DATA else rules.other_keys.get(name, ())
    if name == PREVIOUS and not key:
        key = rules.key
    absent = [c for c in key if c not in columns]
    if absent and name != REGISTER:
        raise DefinitionError(f"没有键列 {'、'.join(absent)}", where=str(path), remedy="请核对规则文件里的 key。")
    if name == DATA:
        _require(path, columns, {"parent": rules.parent, "period": rules.period})
        strange = [c for c in rules.columns if c not in columns]
        notes += [f"规则文件 [columns] 里的 {c} 不在数据里" for c in strange]
    period = rules.period if name in (DATA, PREVIOUS) and rules.period in columns else ""
    frame, texts = pl.DataFrame(values), pl.DataFrame(raw)
    return Table(
        name, columns, frame, texts, tuple(lines), key, rules.parent if name == DATA else "", period,
        tuple(sorted(unreadable, key=lambda u: u.row)), tuple(notes),
    )  # fmt: skip


def _require(path: Path, columns: Mapping[str, Column], wanted: Mapping[str, str]) -> None:
    for role, column in wanted.items():
        if column and column not in columns:
            raise DefinitionError(f"[table] {role} 的列 {column} 不在数据里", where=str(path), remedy="请核对列名。")


def _of_keyset(keys: KeySet) -> Table:
    frame = pl.DataFrame(
        {c: [row[n] or None for row in keys.rows] for n, c in enumerate(keys.columns)},
        schema=dict.fromkeys(keys.columns, pl.String()),
    )
    columns = {c: Column(c, TEXT, True) for c in keys.columns}
    return Table(keys.name, columns, frame, frame, tuple(range(1, len(keys.rows) + 1)), keys.columns)
