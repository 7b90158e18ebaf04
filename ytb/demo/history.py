"""The quarters before the first round of the demo, out of a ledger the parks kept: early estimates are replayed on them, and with them the
series is three years long. Imported by the user's own command, as history of any office would be."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from schemas.period import Period
from ytb.demo.figures import Figures
from ytb.demo.panel import ZONES

HISTORY: Final = tuple(Period(2014, quarter) for quarter in (1, 2, 3))
HISTORY_FIGURES: Final = ("F01", "F13", "F21")  # what early estimates and seasonal adjustment are made of
HISTORY_MAP: Final = """title = "示例:2014年前三季度财务台账(历史资料)"

[[table]]
head_rows = [1, 2]
period = {head = 1}
indicator = {head = 2}
park = {column = "A"}
unit = {column = "B"}

[indicators]
"""


def history_files(figures: Figures, folder: Path) -> tuple[Path, Path]:
    """The ledger (one row an enterprise, a column a quarter and figure) and the mapping that takes it over."""
    numbers = "一二三四"
    names = figures.programme.edition_for(HISTORY[0]).indicators
    heads = [
        (f"{p.year}年{numbers[(p.quarter or 1) - 1]}季度", names[c].name) for p in HISTORY for c in HISTORY_FIGURES
    ]
    rows: dict[tuple[str, str], dict[int, object]] = {}
    for n, period in enumerate(HISTORY):
        for park in ZONES:
            frame = figures.enterprises(park, period)["finance"].select("unit_id", *HISTORY_FIGURES)
            for unit, *values in frame.sort("unit_id").iter_rows():
                row = rows.setdefault((park, unit), {})
                row |= {n * len(HISTORY_FIGURES) + k: value for k, value in enumerate(values)}
    path, mapping = folder / "历史台账.csv", folder / "历史台账.toml"
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["园区", "统一社会信用代码", *(head for head, _ in heads)])
        writer.writerow(["", "", *(name for _, name in heads)])
        writer.writerows([*key, *(row.get(n, "") for n in range(len(heads)))] for key, row in sorted(rows.items()))
    labels = "".join(f'"{names[c].name}" = {{code = "{c}", unit_measure = "千元"}}\n' for c in HISTORY_FIGURES)
    mapping.write_text(HISTORY_MAP + labels, encoding="utf-8")
    return path, mapping
