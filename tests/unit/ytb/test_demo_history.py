"""The demo's ledger of earlier quarters: one row an enterprise, every figure under its quarter and name, a mapping for all of it."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

from schemas.catalog import programme
from schemas.period import Period
from ytb.demo.figures import Figures
from ytb.demo.history import HISTORY_FIGURES, history_files
from ytb.demo.panel import Size, draw


def test_the_ledger_holds_what_the_panel_had_and_the_mapping_names_every_figure(tmp_path: Path) -> None:
    of = programme()
    figures = Figures(of, draw(of, Size.of(40), 2014, 3), {})
    path, mapping = history_files(figures, tmp_path)
    with path.open(encoding="utf-8-sig", newline="") as handle:
        periods, names, *rows = list(csv.reader(handle))
    assert periods[2::3] == ["2014年一季度", "2014年二季度", "2014年三季度"] and len(rows) == 40
    assert len({unit for _, unit, *_ in rows}) == 40
    finance = figures.enterprises("LBGX", Period(2014, 2))["finance"]
    known = {unit: row for park, unit, *row in rows if park == "LBGX"}
    for unit, *values in finance.select("unit_id", *HISTORY_FIGURES).iter_rows():
        assert known[unit][3:6] == [str(v) for v in values]
    mapped = tomllib.loads(mapping.read_text(encoding="utf-8"))["indicators"]
    assert set(names[2:]) == set(mapped) and {m["code"] for m in mapped.values()} == set(HISTORY_FIGURES)
