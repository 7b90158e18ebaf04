"""Worksheets of formulas recalculated by LibreOffice: rows in, the values of the formulas out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from python_calamine import load_workbook

from schemas.layout import column_letter
from sources.writer import Book, Value, put, put_formula

needs_libreoffice = [
    pytest.mark.libreoffice,
    pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice (soffice) is not installed"),
]
OUTCOMES = {1.0: True, 0.0: False, 0.5: None}
FIRST_ROW = 2


def addresses(names: Sequence[str], row: int) -> dict[str, str]:
    """Operand column → its cell in a row of the data sheet."""
    return {name: f"{column_letter(n)}{row}" for n, name in enumerate(names)}


def columns(names: Sequence[str], rows: int) -> dict[str, str]:
    """Operand column → all its cells in the data sheet."""
    last = FIRST_ROW + rows - 1
    return {name: f"${column_letter(n)}${FIRST_ROW}:${column_letter(n)}${last}" for n, name in enumerate(names)}


def saved(data: bytes, folder: Path, kind: str = "xlsx") -> Path:
    """The file LibreOffice makes of a workbook, everything recalculated."""
    source = folder / "in" / "book.xlsx"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    command = ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", kind]
    subprocess.run([*command, "--outdir", str(folder), str(source)], check=True, capture_output=True, timeout=300)
    return folder / f"book.{kind}"


class Formula(str):
    """A cell that holds a formula instead of a value, such as one that gives an error."""


def written(value: Any) -> Value:
    """A value as the template holds it: flags as 是 and 否."""
    if isinstance(value, bool):
        return "是" if value else "否"
    return value if value != "" else None


def recalculated(
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    formulas: Sequence[Sequence[str]],
    lists: Mapping[str, Sequence[str]],
    folder: Path,
) -> list[list[float]]:
    """The values of ``formulas`` (one list a row of data). ``lists`` stand on a sheet of that name, each in column A."""
    book = Book(title="agreement")
    sheet = book.sheet("data")
    for n, name in enumerate(names):
        put(sheet, 0, n, name)
    day = book.style({"num_format": "yyyy-mm-dd"})
    for at, (row, texts) in enumerate(zip(rows, formulas, strict=True), start=FIRST_ROW - 1):
        for n, name in enumerate(names):
            if isinstance(row[name], Formula):
                put_formula(sheet, at, n, row[name])
            else:
                put(sheet, at, n, written(row[name]), day if hasattr(row[name], "isoformat") else None)
        for n, text in enumerate(texts, start=len(names)):
            put_formula(sheet, at, n, f"={text}")
    for name, codes in lists.items():
        beside = book.sheet(name)
        for at, code in enumerate(codes):
            put(beside, at, 0, code)
    found = (
        load_workbook(str(saved(book.to_bytes(), folder))).get_sheet_by_name("data").to_python(skip_empty_area=False)
    )
    return [row[len(names) : len(names) + len(formulas[0])] for row in found[FIRST_ROW - 1 :]]
