"""History out of foreign workbooks: dry run first, marked, traceable, never over a submission."""

from __future__ import annotations

import io
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import loading
from pipelines.checking import IncomingBook
from pipelines.history import HistoryPlan, commit_history, plan_history
from pipelines.history_cells import converted, exact, period_of_text
from pipelines.intake import Office, observations_of
from pipelines.operands import History
from pipelines.rereading import reread_all
from schemas.errors import RefusalError
from schemas.history_map import history_map_of
from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import ACTOR, SHANGHAI, TinyOffice, tiny_office
from warehouse import facts
from warehouse.home import Home
from warehouse.ledger import decisions
from warehouse.ledger.migrate import open_ledger
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submissions
from warehouse.ledger.verify import verify_ledger
from warehouse.vault import Vault

NOW = datetime(2016, 3, 1, 9, 0, tzinfo=SHANGHAI)
SUMMARY = [
    ["兰州高新区主要指标"],
    ["指标名称", "计量单位", "2013年", "2014年"],
    ["园区生产总值", "亿元", 101.23, 120],
    ["注册企业数", "家", 300, 340],
    ["R&D人员", "万人", 0.51, 0.62],
    ["合计", None, 1, 1],
]
MAP = """
title = "高新区历年汇总"
[[table]]
sheet = "汇总"
head_rows = [2]
period = {head = 2}
park = {value = "兰州高新技术产业开发区"}
indicator = {column = "指标名称"}
unit_measure = {column = "计量单位"}
[indicators]
"园区生产总值" = "K04"
"注册企业数" = "K05"
"""


@dataclass
class Desk:
    """The statistician's desk: a home, and foreign workbooks to take over."""

    office: Office
    home: Home
    tiny: TinyOffice
    pool: Pool

    def plan(self, rows: Sequence[Sequence[object]], text: str = MAP, name: str = "旧表.xlsx") -> HistoryPlan:
        workbook = openpyxl.Workbook()
        page = workbook.active
        assert page is not None
        page.title = "汇总"
        for row in rows:
            page.append(list(row))
        out = io.BytesIO()
        workbook.save(out)
        return self.again(out.getvalue(), text, name)

    def again(self, data: bytes, text: str = MAP, name: str = "旧表.xlsx") -> HistoryPlan:
        mapping = history_map_of(tomllib.loads(text))
        return plan_history(
            self.office, IncomingBook(name, data), IncomingBook("映射.toml", text.encode()), mapping, self.pool
        )

    def commit(self, plan: HistoryPlan) -> list[str]:
        return [s.number for s in commit_history(self.office, plan, now=NOW, actor=ACTOR)]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1, preload=("sources.reader",)) as made:
        yield made


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyOffice:
    made = tiny_office(tmp_path_factory.mktemp("office") / "home", enterprises=12)
    made.office.ledger.engine.dispose()
    return made


@pytest.fixture
def desk(tiny: TinyOffice, tmp_path: Path, pool: Pool) -> Iterator[Desk]:
    shutil.copytree(tiny.home.root, tmp_path / "home")
    home = Home(tmp_path / "home")
    office = Office(Vault.open(home.vault), open_ledger(home), tiny.office.programme)
    yield Desk(office, home, tiny, pool)
    office.ledger.engine.dispose()


def test_a_dry_run_says_what_would_be_loaded_and_what_is_not_mapped_and_keeps_nothing(desk: Desk) -> None:
    plan = desk.plan(SUMMARY)
    assert [(x.park, str(x.period), x.cells) for x in plan.loads] == [("LBGX", "2013", 2), ("LBGX", "2014", 2)]
    assert plan.unmapped.select("kind", "text", "cells", "first", "suggestion").rows() == [
        ("indicator", "R&D人员", 2, "汇总!C5", "K27")
    ]
    assert plan.conversions.select("indicator", "from", "to", "factor", "cells").rows() == [
        ("K04", "亿元", "万元", "10000", 2)
    ]
    assert plan.skipped == (("汇总", 6, "合计"),)
    with desk.office.ledger.read() as session:
        assert submissions(session) == []


def test_what_is_not_mapped_is_not_loaded_until_it_is_mapped_or_ignored(desk: Desk) -> None:
    plan = desk.plan(SUMMARY)
    with pytest.raises(RefusalError, match="1 处没有对应"):
        desk.commit(plan)
    assert desk.plan(SUMMARY, MAP + '\n[ignore]\nindicators = ["R&D人员"]\n').is_complete
    mapped = desk.plan(SUMMARY, MAP + '"R&D人员" = "K27"\n')
    assert mapped.is_complete and [x.cells for x in mapped.loads] == [3, 3]


def test_history_is_loaded_marked_in_force_traceable_and_an_operand_of_later_periods(desk: Desk) -> None:
    numbers = desk.commit(desk.plan(SUMMARY, MAP + '"R&D人员" = "K27"\n'))
    assert numbers == ["2013-LBGX-0001", "2014-LBGX-0001"]
    with desk.office.ledger.read() as session:
        found = submissions(session)
        assert {(s.channel, s.state) for s in found} == {("history", State.ACCEPTED)}
        assert [f.role for f in found[0].files] == ["history", "map"]
        assert verify_ledger(session).problems == ()
        earlier = History(desk.office.vault, session, desk.office.programme).roster(Period(2013), "LBGX", "park")
        assert earlier is not None and earlier.select("K04", "K05", "K27").rows() == [
            (Decimal("1012300.00"), 300, 5100)
        ]
    loading.refresh(desk.office, desk.home)
    with facts.writer(desk.home.live) as con:
        cells = facts.cells_of(con, "2013", ["K04", "K05", "K27"])
        assert cells.select("column", "value", "sheet", "cell").rows() == [
            ("K04", "1012300.00", "汇总", "C3"), ("K05", "300", "汇总", "C4"), ("K27", "5100", "汇总", "C5"),
        ]  # fmt: skip
        assert con.sql("SELECT DISTINCT channel FROM meta.submissions").fetchall() == [("history",)]
    assert reread_all(desk.office, workers=1) == []


def test_findings_are_listed_and_recorded_and_do_not_stop_history(desk: Desk) -> None:
    text = MAP + '"R&D人员" = "K27"\n"新注册" = "K08"\n'
    plan = desk.plan([*SUMMARY[:-1], ["新注册", "家", -5, "#N/A"]], text)
    hard = plan.loads[0].checked.findings.filter(severity="hard", outcome="failed")
    assert "K08" in hard["column"].to_list()
    number = desk.commit(plan)[0]
    with desk.office.ledger.read() as session:
        (found,) = [s for s in submissions(session) if s.number == number]
    assert found.state is State.ACCEPTED and found.check is not None
    assert found.check.counts["hard"] == hard.height > 0 and found.check.blocking == 0


def test_an_error_cell_and_more_decimals_than_allowed_are_problems_never_rounded_by_themselves(desk: Desk) -> None:
    text = MAP.replace("[indicators]", '[indicators]\n"人员" = "K27"')
    rows = [*SUMMARY[:2], ["园区生产总值", "元", 12345.678, "文字"], ["人员", "万人", 0.51234, 1]]
    plan = desk.plan(rows, text)
    assert plan.problems.select("cell", "column", "code").rows() == [
        ("C3", "K04", "decimals"), ("D3", "K04", "type"), ("C4", "K27", "decimals"),
    ]  # fmt: skip
    rounded = desk.plan(rows, 'rounding = "nearest"\n' + text)
    assert rounded.problems["code"].to_list() == ["type"]
    frame = rounded.loads[0].reading.observations.frames["park"]
    assert frame.select("K04", "K27").rows() == [(Decimal("1.23"), 5123)]
    assert rounded.conversions["rounded"].sum() == 2


def test_a_submission_of_the_park_is_never_overwritten_and_the_difference_is_counted(desk: Desk) -> None:
    year = Period(2014)
    desk.tiny = TinyOffice(desk.office, desk.home, desk.tiny.figures)
    desk.tiny.open_round(year, NOW - timedelta(days=9))
    desk.tiny.file_and_accept("LBGX", year, desk.pool, NOW - timedelta(days=8))
    plan = desk.plan(SUMMARY, MAP + '"R&D人员" = "K27"\n')
    assert [str(x.period) for x in plan.loads] == ["2013"]
    (conflict,) = plan.conflicts.rows(named=True)
    assert (conflict["kind"], conflict["period"]) == ("submitted", "2014")
    assert conflict["equal"] + conflict["different"] == 3
    assert desk.commit(plan) == ["2013-LBGX-0001"]


def test_the_same_again_is_nothing_and_more_of_the_same_year_adds_without_replacing(desk: Desk) -> None:
    first = desk.plan(SUMMARY[:4])
    desk.commit(first)
    again = desk.again(first.book.data)
    assert again.loads == () and set(again.conflicts["kind"]) == {"imported"}
    unit = desk.tiny.figures.year(2014).filter(park="LBGX")["B01"][0]
    firms = 'title = "企业"\n[[table]]\nhead_rows = [1]\nperiod = {value = "2014"}\npark = {value = "LBGX"}\nunit = {column = "A"}\nindicator = {head = 1}\n[ignore]\nindicators = ["企业"]\n'
    more = desk.plan([["企业", "F01(万元)"], [unit, 12.5]], firms, "企业.xlsx")
    assert [x.before.number for x in more.loads if x.before] == ["2014-LBGX-0001"]
    (number,) = desk.commit(more)
    with desk.office.ledger.read() as session:
        found = {s.number: s for s in submissions(session)}
    assert found["2014-LBGX-0001"].state is State.SUPERSEDED
    frames = observations_of(desk.office.vault, found[number]).frames
    assert frames["finance"].select("unit_id", "F01").rows() == [(unit, 125)]
    assert frames["park"]["K05"].to_list() == [340]
    other = desk.plan([*SUMMARY[:3], ["注册企业数", "家", 1, 2]], name="另表.xlsx")
    assert other.loads == () and set(other.conflicts["kind"]) == {"imported"}
    assert reread_all(desk.office, workers=1) == []


def test_what_was_imported_wrongly_is_taken_back_and_imported_anew(desk: Desk) -> None:
    number = desk.commit(desk.plan(SUMMARY[:4]))[0]
    with desk.office.ledger.write() as session:
        decisions.reopen(session, number, now=NOW, actor=ACTOR, reason="映射有误")
    with desk.office.ledger.write() as session:
        decisions.return_to_park(session, number, now=NOW, actor=ACTOR, reason="映射有误,重新导入")
    plan = desk.plan([*SUMMARY[:3], ["注册企业数", "家", 301, 340]])
    assert [str(x.period) for x in plan.loads] == ["2013"]
    (again,) = desk.commit(plan)
    with desk.office.ledger.read() as session:
        found = {s.number: s for s in submissions(session)}
    assert (found[number].state, found[again].state) == (State.RETURNED, State.ACCEPTED)
    assert observations_of(desk.office.vault, found[again]).frames["park"]["K05"].to_list() == [301]


def test_enterprises_by_name_a_row_each_keep_their_row(desk: Desk) -> None:
    firms = desk.tiny.figures.year(2014).filter(park="LBGX").select("B01", "B02").rows()
    rows = [
        ["企业名称", "营业收入", "年末人数"],
        *([name, 1000 + n, 10 + n] for n, (_, name) in enumerate(firms)),
        ["无名公司", 1, 1],
    ]
    text = """
title = "企业"
[[table]]
head_rows = [1]
period = {value = "2014"}
park = {value = "LBGX"}
unit = {column = "企业名称"}
indicator = {head = 1}
[indicators]
"营业收入" = {code = "F01", unit_measure = "千元"}
"年末人数" = {code = "P01", unit_measure = "人"}
"""
    plan = desk.plan(rows, text)
    assert plan.unmapped.select("kind", "text", "cells").rows() == [("unit", "无名公司", 2)]
    (load,) = plan.loads
    frame = load.reading.observations.frames["finance"]
    assert frame.select("unit_id", "F01", "_row").rows() == [(u, 1000 + n, 2 + n) for n, (u, _) in enumerate(firms)]
    assert plan.problems.is_empty()


def test_figures_that_contradict_each_other_in_the_same_file_are_both_left_out(desk: Desk) -> None:
    plan = desk.plan([*SUMMARY[:4], ["注册企业数", "家", 301, 340]])
    assert plan.conflicts.select("kind", "period").rows() == [("said_twice", "2013")]
    assert "C4" in plan.conflicts["message"][0] and "C5" in plan.conflicts["message"][0]
    assert [x.reading.observations.frames["park"].columns[-1] for x in plan.loads] == ["K04", "K05"]


def test_totals_over_enterprises_have_nowhere_to_go_and_say_so(desk: Desk) -> None:
    plan = desk.plan([*SUMMARY[:2], ["营业收入", "万元", 1, 2]], MAP + '"营业收入" = "F01"\n')
    assert plan.loads == ()
    assert "园区合计不能入库" in plan.unmapped["why"][0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2013", "2013"), ("2013年", "2013"), ("2013年度", "2013"), ("2013 年 一季度", "2013-Q1"), ("2013年1—6月", "2013-Q2"),
        ("2013年前三季度", "2013-Q3"), ("2013Q4", "2013-Q4"), ("2013-Q1", "2013-Q1"), ("2013年第2季度", "2013-Q2"),
        ("2013年1-12月", None), ("2013年末", None), ("去年", None), ("", None),
    ],
)  # fmt: skip
def test_report_periods_as_people_write_them(text: str, expected: str | None) -> None:
    found = period_of_text(text)
    assert (str(found) if found else None) == expected


@given(
    st.integers(-(10**12), 10**12), st.integers(0, 4), st.sampled_from([Fraction(1), Fraction(10), Fraction(1, 1000)])
)
def test_conversion_is_exact_or_refused_or_rounded_once(scaled: int, decimals: int, times: Fraction) -> None:
    value = Fraction(scaled, 10**4) * times
    ours, was_rounded = converted(value, decimals, rounds=False)
    nearest, _ = converted(value, decimals, rounds=True)
    assert nearest is not None and not was_rounded
    assert abs(Fraction(nearest) - value) <= Fraction(1, 2 * 10**decimals)
    assert ours is None or Fraction(ours) == value == Fraction(nearest)


def test_cells_are_taken_as_a_spreadsheet_shows_them() -> None:
    assert exact(0.1 + 0.2, "亿元") == (Fraction(3, 10), "")
    assert exact("1,234.5", "万元") == (Fraction(2469, 2), "")
    assert exact("—", "万元")[0] is None
