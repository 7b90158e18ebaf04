"""Printing: results on stdout, for people in Chinese or for programs as JSON; progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from schemas.errors import DefinitionError
from schemas.period import Period
from ytb.cli.session import BEIJING, CALL

_PROGRESS = Console(stderr=True, highlight=False)


def plain(value: Any) -> Any:
    """A value as JSON knows it: dates as ISO text, exact decimals as numbers, frames as lists of rows."""
    match value:
        case pl.DataFrame():
            return [plain(row) for row in value.iter_rows(named=True)]
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case float() if not math.isfinite(value):  # JSON has no word for it
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case str() | bool() | int() | float() | None:
            return value
        case datetime():
            return value.astimezone(BEIJING).isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Period():
            return str(value)
        case Enum():
            return value.value
        case Iterable():
            return [plain(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):  # field by field: asdict would take a period apart
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    return str(value)


def emit(data: Any, text: str | Table | Iterable[str]) -> None:
    """``data`` as one JSON document where ``--json`` was given, else ``text`` for people."""
    if CALL.json:
        sys.stdout.write(json.dumps(plain(data), ensure_ascii=False, allow_nan=False, indent=1) + "\n")
        CALL.printed = True
        return
    if isinstance(text, Table):
        Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(text)
        return
    for line in [text] if isinstance(text, str) else text:
        sys.stdout.write(line + "\n")


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table for people; numbers to the right."""
    made = Table(title=title or None, header_style="bold", show_edge=False, title_justify="left")
    body = [["" if v is None else str(v) for v in row] for row in rows]
    for n, head in enumerate(heads):
        numeric = bool(body) and all(_is_number(row[n]) for row in body)
        made.add_column(head, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        made.add_row(*row)
    return made


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).replace("%", "").lstrip("-").isdigit() or text in ("", "—")


def not_over(output: Path | None, *inputs: Path | None) -> None:
    """Raise DefinitionError where a result would be written over the file it is made from."""
    for given in inputs:
        if output is not None and given is not None and output.exists() and given.exists() and output.samefile(given):
            raise DefinitionError("结果文件就是数据文件", where=str(output), remedy="请用 -o 写另一个文件名。")


def progress(text: str) -> None:
    """One line on stderr."""
    _PROGRESS.print(text)


def beijing(instant: datetime | None) -> str:
    """A time as people read it."""
    return instant.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M") if instant else "—"
