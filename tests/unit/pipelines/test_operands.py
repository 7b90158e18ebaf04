"""Figures of earlier reports: which report is the last one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from pipelines.operands import History, operands_for
from schemas.expression import operand_column
from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import tiny_office
from warehouse.ledger.columns import SHANGHAI
from ytb.demo.figures import Figures

PARK = "LBXQ"
THIRD, FOURTH, YEAR = Period(2014, 3), Period(2014, 4), Period(2014)


class WithIndustry(Figures):
    """The same figures, every enterprise outside industry in one class."""

    def __init__(self, figures: Figures, industry: str) -> None:
        super().__init__(figures.programme, figures.panel, figures.counts)
        self.industry = industry

    def enterprises(self, park: str, period: Period) -> dict[str, pl.DataFrame]:
        frames = super().enterprises(park, period)
        own = pl.when(pl.col("B11").cast(pl.Boolean)).then("B07").otherwise(pl.lit(self.industry))
        return frames | {"basic": frames["basic"].with_columns(own.alias("B07"))}


def test_an_annual_report_follows_that_of_its_fourth_quarter(tmp_path: Path) -> None:
    tiny = tiny_office(tmp_path / "home")
    reported: dict[Period, dict[str, str]] = {}
    with Pool(workers=1, preload=("sources.reader",)) as pool:
        for period, industry in ((THIRD, "6511"), (FOURTH, "6512")):
            at = datetime(period.end.year, period.end.month, period.end.day, 18, 0, tzinfo=SHANGHAI) + timedelta(days=1)
            tiny.open_round(period, at)
            filer = replace(tiny, figures=WithIndustry(tiny.figures, industry))
            filer.file_and_accept(PARK, period, pool, at + timedelta(hours=1))
    with tiny.office.ledger.read() as session:
        history = History(tiny.office.vault, session, tiny.office.programme)
        assert history.earlier_periods(YEAR, PARK) == [FOURTH, THIRD]
        for period in (THIRD, FOURTH):
            roster = history.roster(period, PARK, "enterprise")
            assert roster is not None
            reported[period] = dict(roster.select("unit_id", "B07").iter_rows())
        units = pl.Series("unit_id", sorted(reported[FOURTH]))
        found = operands_for(history, YEAR, PARK, {"enterprise": units}).frames["enterprise"]
    assert reported[THIRD] != reported[FOURTH]
    assert dict(found.select("unit_id", operand_column("B07", "last")).iter_rows()) == reported[FOURTH]
