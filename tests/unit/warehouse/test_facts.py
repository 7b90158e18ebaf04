"""Facts: idempotent loads, in force and as of, cells with addresses, content hashes that ignore load order."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from schemas.catalog import programme
from schemas.errors import StorageError
from schemas.observations import CELL_MAP_COLUMNS, Observations
from warehouse import facts, snapshots

PARK = programme()
JAN, FEB, MAR = (datetime(2015, m, 1, tzinfo=UTC) for m in (1, 2, 3))


def observations(revenue: int) -> Observations:
    frame = pl.DataFrame(
        {"park": ["LBXQ"], "unit_id": ["U1"], "_file": ["f1"], "_sheet": ["财务状况"], "_row": [9], "F01": [revenue]},
        schema_overrides={"_row": pl.Int64},
    )
    cell_map = pl.DataFrame([("f1", "财务状况", "finance", "F01", "D", None)], schema=CELL_MAP_COLUMNS, orient="row")
    return Observations({"finance": frame}, cell_map)


def row(name: str, revision: int, start: datetime | None, end: datetime | None) -> facts.SubmissionRow:
    return facts.SubmissionRow(name, name, "LBXQ", "2014", "2015", revision, "accepted", JAN, start, end)


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    facts.create(connection, PARK)
    return connection


def fill(con: duckdb.DuckDBPyConnection, order: list[str]) -> None:
    rows = {"s1": (row("s1", 1, JAN, FEB), 100), "s2": (row("s2", 2, FEB, None), 120)}
    with facts.transaction(con):
        for name in order:
            facts.load(con, PARK, [(rows[name][0], observations(rows[name][1]), facts.STAGES)])
        facts.replace_submissions(con, [rows["s1"][0], rows["s2"][0]])


def test_in_force_is_the_latest_acceptance_and_as_of_the_one_known_then(con: duckdb.DuckDBPyConnection) -> None:
    fill(con, ["s1", "s2"])
    finance = PARK.editions["2015"].forms["finance"]
    assert facts.facts(con, finance, "2014")["F01"].to_list() == [120]
    assert facts.facts(con, finance, "2014", as_of=datetime(2015, 1, 15, tzinfo=UTC))["F01"].to_list() == [100]
    assert facts.facts(con, finance, "2014", as_of=MAR)["F01"].to_list() == [120]


def test_loading_twice_or_in_another_order_gives_the_same_content(con: duckdb.DuckDBPyConnection) -> None:
    fill(con, ["s1", "s2"])
    first = facts.content_hashes(con)
    fill(con, ["s2", "s1", "s2"])
    assert facts.content_hashes(con) == first
    con.execute("UPDATE accepted.finance SET F01 = 121 WHERE submission_id = 's2'")
    assert facts.content_hashes(con) != first


def test_a_cell_knows_its_workbook_address(con: duckdb.DuckDBPyConnection) -> None:
    fill(con, ["s1", "s2"])
    cells = con.sql(
        'SELECT submission_id, file, sheet, cell, "column", value FROM meta.cells WHERE "column" = \'F01\''
    ).fetchall()
    assert cells == [("s2", "f1", "财务状况", "D9", "F01", "120")]


def test_the_cells_of_a_submission_are_found_after_another_has_taken_its_place(con: duckdb.DuckDBPyConnection) -> None:
    fill(con, ["s1", "s2"])
    for number, value in (("s1", "100"), ("s2", "120")):
        cells = facts.cells_of_submissions(con, PARK, "2014", ["F01"], [number])
        assert cells.select("submission", "cell", "value").rows() == [(number, "D9", value)]
        held = facts.facts_of_submissions(con, PARK.editions["2015"].forms["finance"], "2014", [number])
        assert held["F01"].to_list() == [int(value)]
    assert facts.cells_of_submissions(con, PARK, "2014", ["F01"], []).is_empty()
    assert facts.cells_of_submissions(con, PARK, "2014", ["nothing"], ["s1"]).is_empty()


def test_a_snapshot_stays_readable_while_the_writer_goes_on(tmp_path: Path) -> None:
    with facts.writer(tmp_path / "live.duckdb") as con:
        facts.create(con, PARK)
        fill(con, ["s1", "s2"])
        snapshots.publish_snapshot(con, tmp_path / "snapshots")
        con.execute("DELETE FROM accepted.finance")
        with snapshots.reader(tmp_path / "snapshots") as reading:
            assert reading.sql("SELECT count(*) FROM in_force.finance").fetchall() == [(1,)]


def test_a_failed_transaction_leaves_nothing_half_done(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(StorageError), facts.transaction(con):
        facts.load(con, PARK, [(row("s1", 1, JAN, None), observations(1), facts.STAGES)])
        con.execute("SELECT * FROM nowhere")
    assert con.sql("SELECT count(*) FROM accepted.finance").fetchall() == [(0,)]


def test_without_a_snapshot_the_reader_is_told_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="还没有可读的快照") as refused:
        snapshots.current_snapshot(tmp_path)
    assert "ytb run" in refused.value.command


def test_no_connection_draws_a_progress_bar_on_standard_output(tmp_path: Path) -> None:
    asked = "SELECT current_setting('enable_progress_bar')"
    with facts.in_memory() as memory, facts.writer(tmp_path / "live.duckdb") as con:
        snapshots.publish_snapshot(con, tmp_path / "snapshots")
        with snapshots.reader(tmp_path / "snapshots") as reading:
            assert [c.sql(asked).fetchall() for c in (memory, con, reading)] == [[(False,)]] * 3
