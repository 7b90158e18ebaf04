"""Files in: rule files and CSV tables of any shape, for ``ytb rules check``, ``ytb rules audit`` and ``ytb correct``.

Formats: docs/formats/rule-file.md. A table is UTF-8 (with or without byte order mark) or GB18030, separated by comma, tab
or semicolon, its first line the column names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from schemas.definitions import read_toml
from schemas.errors import DefinitionError, SubmissionError
from schemas.rule_file import KeySet, RuleFile, rule_file
from schemas.table_model import PREVIOUS, REGISTER, Column, Table, Tables, Unreadable
from schemas.table_values import Declared, read_column
from schemas.variables import TEXT
from sources.delimited import decode, delimiter_of

DATA = "data"
_EXPECTED = {"number": "数字", "date": "日期(YYYY-MM-DD)", "boolean": "是或否", "text": "文字"}


def read_rule_file(path: Path) -> RuleFile:
    """The rules of a TOML file. Raises DefinitionError with file, line and remedy."""
    definition = read_toml(path, "rule-file")

    def rows_beside(name: str) -> list[dict[str, str]]:
        header, rows, _ = _cells(path.parent / name)
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
    header, rows, lines = _cells(path)
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


def _cells(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows and the line each row begins in. Raises DefinitionError for what is no table."""
    where = str(path)
    try:
        text = decode(path.read_bytes())
    except FileNotFoundError:
        raise DefinitionError("文件不存在", where=where, remedy="请检查路径。") from None
    except IsADirectoryError:
        raise DefinitionError("这是文件夹,不是文件", where=where, remedy="请给出 CSV 文件。") from None
    except SubmissionError as error:
        raise DefinitionError(str(error), where=where, remedy="请另存为 UTF-8 的 CSV。") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    header: list[str] | None = None
    begins = 1
    try:
        for row in reader:
            line, begins = begins, reader.line_num + 1
            if header is None:
                if any(cell.strip() for cell in row):
                    header = _header(row, where, line)
            elif row or len(header) == 1:
                rows.append(_padded(row, len(header), where, line))
                lines.append(line)
    except csv.Error as error:
        raise DefinitionError(
            f"引号没有成对({error})", where=f"{where}:{reader.line_num}", remedy="请更正这一行。"
        ) from None
    if header is None:
        raise DefinitionError("文件是空的", where=where, remedy="第一行要写列名。")
    return header, rows, lines


def _header(row: Sequence[str], where: str, line: int) -> list[str]:
    names = [cell.strip() for cell in row]
    if names.count("") == 1 and names[0] == "":
        names[0] = "row"  # R writes its row names under an empty head
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        shown = "、".join(n or "(空)" for n in doubled)
        raise DefinitionError(f"列名重复:{shown}", where=f"{where}:{line}", remedy="每列要有自己的名字。")
    return names


def _padded(row: list[str], width: int, where: str, line: int) -> list[str]:
    if len(row) > width and any(cell.strip() for cell in row[width:]):
        raise DefinitionError(
            f"这一行有 {len(row)} 格,列名只有 {width} 个",
            where=f"{where}:{line}",
            remedy="含分隔符的内容要用双引号括起。",
        )
    if row and len(row) < width:
        raise DefinitionError(
            f"这一行只有 {len(row)} 格,列名有 {width} 个", where=f"{where}:{line}", remedy="请补齐分隔符。"
        )
    return [*row[:width], *[""] * (width - len(row))]
