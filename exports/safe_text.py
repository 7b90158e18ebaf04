"""Text from data may not act in the reader's spreadsheet program (OWASP, CSV injection)."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

# What starts a formula; full-width forms are folded by some programs.
_TRIGGER: Final = frozenset("=+-@＝＋－＠")
_CONTROL: Final = frozenset("\t\r\n\x00")
# Format characters no ``isspace`` knows, which programs skip all the same.
_INVISIBLE: Final = frozenset("\ufeff\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u00ad")
_HARMLESS: Final = re.compile(r"-?\d+(?:\.\d+)?|-")
# Characters XML 1.0 has no place for; a workbook with one of them does not open.
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def is_dangerous(text: str) -> bool:
    """Whether a spreadsheet program might run ``text`` as a formula when it opens or edits it.

    Blanks and invisible characters before the trigger do not hide it; a plain negative number, and a dash that stands for no unit
    of measure, are harmless.
    """
    if text[:1] in _CONTROL and text:
        return True
    if _HARMLESS.fullmatch(text):
        return False
    start = next((c for c in text if not c.isspace() and c not in _INVISIBLE and ord(c) >= 32), "")
    return start in _TRIGGER and start != ""


def safe_csv(text: str) -> str:
    """``text`` as it may stand in a CSV cell: an apostrophe goes before anything a program would run.

    Reversible: one apostrophe is to be taken off where what follows all apostrophes is dangerous.
    """
    return f"'{text}" if is_dangerous(text.lstrip("'")) else text


def safe_csv_columns(table: pl.DataFrame) -> pl.DataFrame:
    """``table`` with every text column made safe; numbers, dates and nulls are untouched."""
    safe = []
    for name, dtype in table.schema.items():
        if dtype == pl.String:
            # Each distinct text once, and none that begins with a letter or digit.
            distinct = table[name].drop_nulls().unique()
            distinct = distinct.filter(distinct.str.contains(r"^[^\p{L}\p{N}]"))
            changed = {text: safe_csv(text) for text in distinct if safe_csv(text) != text}
            if changed:
                safe.append(pl.col(name).replace(changed))
    return table.with_columns(safe)


def for_xml(text: str) -> str:
    """``text`` without the control characters a workbook part cannot hold."""
    return _NOT_IN_XML.sub("", text)
