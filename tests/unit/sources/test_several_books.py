"""Workbooks of one submission: forms and units add up, prefilled rows come back once, contradictions name both places."""

from __future__ import annotations

import polars as pl

from schemas.catalog import programme
from schemas.observations import CELL_MAP_COLUMNS, Observations
from schemas.period import Period
from sources.reader import FileReading
from sources.several_books import put_together

EDITION = programme().edition_for(Period.parse("2025-Q1"))
UNIT, OTHER = "91620100224369270Y", "91620100MA72PQRT0X"


def book(name: str, **forms: list[dict[str, object]]) -> FileReading:
    """A file with these rows; column C holds the first code, D the second, and so on."""
    frames, places = {}, []
    for form, rows in forms.items():
        codes = list(dict.fromkeys(c for row in rows for c in row if c != "unit_id"))
        keys = [
            {"park": "LBGX", "unit_id": row["unit_id"], "_file": name, "_sheet": "表", "_row": 8 + n}
            for n, row in enumerate(rows)
        ]
        schema = {"park": pl.String, "unit_id": pl.String, "_file": pl.String, "_sheet": pl.String, "_row": pl.Int64}
        figures = pl.DataFrame([{c: row.get(c) for c in codes} for row in rows], schema=dict.fromkeys(codes, pl.Int64))
        frames[form] = pl.concat([pl.DataFrame(keys, schema=schema), figures], how="horizontal")
        places += [(name, "表", form, c, chr(67 + n), None) for n, c in enumerate(codes)]
    cell_map = pl.DataFrame(places, schema=CELL_MAP_COLUMNS, orient="row")
    return FileReading(f"{name}.xlsx", name, "readable", observations=Observations(frames, cell_map))


def test_different_forms_and_units_add_up() -> None:
    first = book("甲", finance=[{"unit_id": UNIT, "F01": 1}])
    second = book("乙", finance=[{"unit_id": OTHER, "F01": 2}], personnel=[{"unit_id": UNIT, "P01": 3}])
    whole = put_together([first, second], EDITION, "LBGX")
    assert whole.findings.is_empty() and whole.forensics.is_empty()
    assert whole.observations.frames["finance"]["F01"].to_list() == [1, 2]
    assert whole.observations.frames["personnel"]["P01"].to_list() == [3]


def test_contradicting_rows_are_a_finding_that_names_both_files_and_cells() -> None:
    first = book("甲", finance=[{"unit_id": OTHER, "F01": 9}, {"unit_id": UNIT, "F01": 1, "F03": 5}])
    second = book("乙", finance=[{"unit_id": UNIT, "F01": 1, "F03": 6}])
    found = put_together([first, second], EDITION, "LBGX").findings.row(0, named=True)
    assert (found["code"], found["severity"], found["unit_id"], found["found"]) == ("overlap", "hard", UNIT, "5 / 6")
    assert (found["file"], found["sheet"], found["cell"]) == ("乙.xlsx", "表", "D8")
    assert "《乙.xlsx》工作表“表” D8" in found["message"] and "《甲.xlsx》工作表“表” D9" in found["message"]


def test_two_parts_of_one_row_are_not_put_together_by_guess() -> None:
    first = book("甲", finance=[{"unit_id": UNIT, "F01": 1}])
    second = book("乙", finance=[{"unit_id": UNIT, "F03": 6}])
    found = put_together([first, second], EDITION, "LBGX").findings
    assert found.select("cell", "column", "found").row(0) == ("C8", "F03", "空 / 6")


def test_a_row_that_says_nothing_new_is_kept_once_and_that_is_told() -> None:
    first = book("甲", finance=[{"unit_id": UNIT, "F01": 1}, {"unit_id": OTHER, "F01": 2, "F03": 4}])
    second = book("乙", finance=[{"unit_id": UNIT, "F01": 1, "F03": 3}, {"unit_id": OTHER, "F01": 2}])
    whole = put_together([first, second], EDITION, "LBGX")
    assert whole.findings.is_empty()
    frame = whole.observations.frames["finance"]
    assert sorted(frame.select("unit_id", "F01", "F03").rows()) == [(UNIT, 1, 3), (OTHER, 2, 4)]
    assert whole.forensics["kind"].to_list() == ["repeated_rows"]


def test_the_same_file_twice_counts_once() -> None:
    first = book("甲", finance=[{"unit_id": UNIT, "F01": 1}])
    assert put_together([first, first], EDITION, "LBGX").observations.frames["finance"].height == 1
