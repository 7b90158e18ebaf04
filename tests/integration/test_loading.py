"""Loading a home from its ledger and vault: an interrupted load shows nothing, and the next one ends with the same content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

import pipelines.gate
from bench.area import Area, Block, Scale, observations_of
from bench.filing import file_everything, office_at
from pipelines.gate import require_gate
from pipelines.loading import load_all
from schemas.errors import StorageError
from schemas.model import Programme
from schemas.observations import Observations
from schemas.period import Period
from warehouse import facts
from warehouse.ledger.submissions import Submission

QUARTER, YEAR = Period.parse("2014-Q1"), Period.parse("2014")
AREA = Area(Scale(parks=6, enterprises_of_four=24))


def sums(blocks: Sequence[Block]) -> dict[str, int]:
    """Park → revenue of the year, straight from the figures."""
    found = {}
    for block in blocks:
        for zone, park in block.parks.items():
            found[park] = int(observations_of(block, zone, YEAR).frames["finance"]["F01"].sum())
    return found


def test_an_interrupted_load_shows_nothing_and_the_next_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_everything(tmp_path / "home", AREA, lambda _: None, [QUARTER, YEAR])
    office, _ = office_at(tmp_path / "home", AREA)

    def refuse_the_year(of: Programme, period: Period, batch: Sequence[tuple[Submission, Observations]]) -> None:
        if period == YEAR:
            raise StorageError("磁盘空间已满")
        require_gate(of, period, batch)

    with facts.in_memory() as con:
        monkeypatch.setattr(pipelines.gate, "require_gate", refuse_the_year)
        with pytest.raises(StorageError):
            load_all(office, con)
        assert con.sql("SELECT count(*) > 0 FROM accepted.basic WHERE period = '2014-Q1'").fetchall() == [(True,)]
        assert con.sql("SELECT count(*) FROM accepted.basic WHERE period = '2014'").fetchall() == [(0,)]
        assert con.sql("SELECT count(*) FROM in_force.basic").fetchall() == [(0,)]
        assert facts.held_submissions(con) == {}
        monkeypatch.undo()
        loaded = load_all(office, con)
        assert (loaded.new, loaded.kept) == (7, 6)  # six parks and the province's own form; six quarters were there
        completed = facts.content_hashes(con)
        in_force = con.sql("SELECT park, sum(F01)::BIGINT FROM in_force.finance WHERE period = '2014' GROUP BY 1")
        assert dict(in_force.fetchall()) == sums(list(AREA.blocks()))
    with facts.in_memory() as con:
        assert load_all(office, con).new == 13
        assert facts.content_hashes(con) == completed


def test_parks_of_a_made_up_nation_are_told_apart() -> None:
    units = pl.concat(
        [
            observations_of(block, zone, YEAR).frames["basic"].select("park", "unit_id", "B04")
            for block in AREA.blocks()
            for zone in block.parks
        ]
    )
    assert units["park"].unique().sort().to_list() == ["LBBY", "LBGX", "LBJJ", "LBXQ", "QG000", "QG001"]
    assert units["unit_id"].is_unique().all()
    assert units["B04"].equals(units["park"].rename("B04"))
