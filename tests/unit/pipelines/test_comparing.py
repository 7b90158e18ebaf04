"""Two uploads side by side: findings fixed, left, new; cells changed, added, removed, with the place they stand at."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.comparing import cell_changes, compared, finding_changes
from schemas.canonical import frame_bytes
from schemas.findings import as_findings
from schemas.observations import CELL_MAP_COLUMNS, Observations
from tests.unit.ytb.portal_office import Q1, installation
from warehouse.ledger.intake import IncomingFile, record_received
from warehouse.ledger.steps import record_check
from warehouse.ledger.submissions import CheckResult, submission


def frame(rows: list[tuple[str, int, int | None, int | None]], file: str = "f") -> pl.DataFrame:
    return pl.DataFrame(
        [("LBGX", unit, file, "财务状况", row, a, b) for unit, row, a, b in rows], orient="row",
        schema={"park": pl.String, "unit_id": pl.String, "_file": pl.String, "_sheet": pl.String, "_row": pl.Int64, "F01": pl.Int64, "F01_yoy": pl.Int64},
    )  # fmt: skip


def observations(rows: list[tuple[str, int, int | None, int | None]], file: str = "f") -> Observations:
    cells = pl.DataFrame(
        [(file, "财务状况", "finance", "F01", "E", None), (file, "财务状况", "finance", "F01_yoy", "F", None)],
        schema=CELL_MAP_COLUMNS, orient="row",
    )  # fmt: skip
    return Observations({"finance": frame(rows, file)}, cells)


def test_every_cell_that_differs_is_listed_with_its_place_and_no_other() -> None:
    before = observations([("A1", 8, 100, 90), ("A2", 9, 7, None), ("A3", 10, 5, 5)])
    after = observations([("A1", 12, 101, 90), ("A2", 13, None, 3), ("A4", 14, 1, None)], "g")
    found = cell_changes(before, after).select("unit_id", "column", "before", "after", "change", "sheet", "cell").rows()
    assert found == [
        ("A1", "F01", "100", "101", "changed", "财务状况", "E12"),
        ("A2", "F01", "7", None, "removed", "财务状况", "E9"),
        ("A2", "F01_yoy", None, "3", "added", "财务状况", "F13"),
        ("A3", "F01", "5", None, "removed", "财务状况", "E10"),
        ("A3", "F01_yoy", "5", None, "removed", "财务状况", "F10"),
        ("A4", "F01", None, "1", "added", "财务状况", "E14"),
    ]


def test_a_form_that_came_or_went_and_a_sheet_form_with_rows_of_its_own() -> None:
    cells = pl.DataFrame([("f", "园区表", "park", "K01", "D", 6)], schema=CELL_MAP_COLUMNS, orient="row")
    sheet = pl.DataFrame(
        {"park": ["LBGX"], "unit_id": ["LBGX"], "_file": ["f"], "_sheet": ["园区表"], "_row": [None], "K01": [3]},
        schema_overrides={"_row": pl.Int64},
    )
    came = cell_changes(Observations({}), Observations({"park": sheet}, cells))
    assert came.rows() == [("park", "LBGX", "K01", None, "3", "added", "园区表", "D6")]
    went = cell_changes(Observations({"park": sheet}, cells), Observations({}))
    assert went.select("change", "cell").rows() == [("removed", "D6")]


ROWS = st.dictionaries(
    st.sampled_from(["A1", "A2", "A3"]), st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(0, 3))
)


@given(ROWS, ROWS)
def test_applying_the_changes_to_the_first_upload_gives_the_second(
    old: dict[str, tuple[int | None, int | None]], new: dict[str, tuple[int | None, int | None]]
) -> None:
    before, after = (
        observations([(unit, n + 8, *values) for n, (unit, values) in enumerate(one.items())]) for one in (old, new)
    )
    state = {
        (u, c): v for u, values in old.items() for c, v in zip(("F01", "F01_yoy"), values, strict=True) if v is not None
    }
    for row in cell_changes(before, after).iter_rows(named=True):
        key = (row["unit_id"], row["column"])
        assert str(state.get(key)) == str(row["before"])
        state.pop(key, None)
        if row["after"] is not None:
            state[key] = int(row["after"])
    assert state == {
        (u, c): v for u, values in new.items() for c, v in zip(("F01", "F01_yoy"), values, strict=True) if v is not None
    }
    assert cell_changes(after, after).is_empty()


def finding(
    unit: str, rule: str = "AF02", severity: str = "hard", outcome: str = "failed", row: int = 8
) -> dict[str, object]:
    return {"rule": rule, "severity": severity, "form": "finance", "unit_id": unit, "column": "F02", "row": row, "outcome": outcome, "code": "rule"}  # fmt: skip


def test_findings_are_fixed_left_or_new_wherever_their_rows_have_moved() -> None:
    before = as_findings([finding("A1"), finding("A2"), finding("A3", severity="trial")])
    after = as_findings([finding("A2", row=90), finding("A4"), finding("A5", outcome="absorbed")])
    found = finding_changes(before, after).sort("unit_id").select("unit_id", "change", "row").rows()
    assert found == [("A1", "fixed", 8), ("A2", "left", 90), ("A4", "new", 8)]
    assert finding_changes(before.clear(), before.clear()).is_empty()


def test_what_an_unreadable_upload_does_not_say_is_not_mended(tmp_path: Path) -> None:
    inst = installation(tmp_path / "home")
    first = inst.submission("LBGX", hard=3)
    office = inst.office
    got = record_received(
        office.vault, office.ledger, [IncomingFile("坏.xlsx", b"x")], park="LBGX", period=Q1, edition="2015", channel="portal",
        now=inst.at, actor="x",
    ).submission  # fmt: skip
    blob = office.vault.put(
        frame_bytes(as_findings([{"rule": "truncated", "severity": "hard", "code": "truncated"}]))
    ).sha256
    with office.ledger.write() as session:
        broken = CheckResult("1", "r" * 64, "o" * 64, None, blob, (), {}, 1, 0, unreadable="文件不完整。")
        record_check(session, got.number, broken, now=inst.at, actor="x")
    third = inst.submission("LBGX", hard=1, name="再报.xlsx")
    with office.ledger.read() as session:
        unreadable, again = submission(session, got.number), submission(session, third)
    assert compared(office, unreadable) is None
    found = compared(office, again)
    assert found is not None and found.before.number == first
    assert found.counted() == {"fixed": 2, "left": 1, "new": 0}
