"""Enterprises report themselves: their own workbooks make the park's submission, and the park neither adds nor changes a figure."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from pipelines.checking import IncomingBook, read_books
from pipelines.collating import Collation, GivenConfirmation, collate, collated_readings, read_confirmations
from pipelines.handing_back import marked_books
from pipelines.intake import Office, Outcome, observations_of, submit
from pipelines.rereading import reread_all
from pipelines.templates import template_for, unit_templates
from schemas.errors import RefusalError, SubmissionError
from schemas.findings import NEEDS_EXPLANATION
from schemas.period import Period
from sources.pool import Pool
from sources.reader import read_file
from tests.tiny_office import ACTOR, SHANGHAI, TinyOffice, tiny_office
from warehouse.home import Home
from warehouse.ledger.confirmations import confirmations_of
from warehouse.ledger.explanations import finding_key
from warehouse.ledger.migrate import open_ledger
from warehouse.ledger.report_gaps import gap_statement_of
from warehouse.ledger.states import State
from warehouse.vault import Vault
from ytb.demo.filling import fill, saved

Q2 = Period(2014, quarter=2)
NOW = datetime(2014, 7, 2, 9, 0, tzinfo=SHANGHAI)
PARK = "LBGX"


@dataclass
class Park:
    """One park of a tiny office with the own workbook of each of its enterprises, filled in."""

    tiny: TinyOffice
    pool: Pool
    books: dict[str, bytes]
    at: datetime = NOW

    @property
    def units(self) -> list[str]:
        return list(self.books)

    def own(self, *units: str) -> list[IncomingBook]:
        return [IncomingBook(f"{unit}.xlsx", self.books[unit]) for unit in units or self.units]

    def collate(self, books: list[IncomingBook], *given: GivenConfirmation, leave_out: bool = False) -> Collation:
        self.at += timedelta(minutes=1)
        return collate(
            self.tiny.office, books, self.pool, now=self.at, actor=ACTOR, confirmations=given, leave_out=leave_out
        )

    def sheets(self) -> IncomingBook:
        """The park's workbook with the park's own forms only."""
        office = self.tiny.office
        template = template_for(office, office.programme, Q2, PARK, as_of=Q2.end)
        return IncomingBook("园区表.xlsx", saved(fill(template, {}, self.tiny.figures.sheet(PARK, Q2))))

    def park_book(self) -> bytes:
        return self.tiny.workbook(PARK, Q2)

    def changed(self, unit: str, form: str, code: str, value: object) -> bytes:
        """The own workbook of an enterprise with another figure."""
        book = openpyxl.load_workbook(io.BytesIO(self.books[unit]))
        sheet = book[form]
        row = next(r for r in range(1, 20) if sheet.cell(r, 1).value == "B01")
        column = next(c for c in range(1, 200) if sheet.cell(row, c).value == code)
        sheet.cell(row + 1, column).value = value  # type: ignore[assignment]
        return saved(book)


def codes(made: Collation) -> list[str]:
    assert made.outcome.checked is not None
    hard = made.outcome.checked.findings.filter(severity="hard")
    return sorted(set(hard["code"]))


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1, preload=("sources.reader",)) as made:
        yield made


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyOffice, dict[str, bytes]]:
    tiny = tiny_office(tmp_path_factory.mktemp("office") / "home", enterprises=16)
    tiny.open_round(Q2, NOW)
    frames = dict(tiny.figures.enterprises(PARK, Q2))
    of = tiny.office
    books = {u: saved(fill(data, frames, {})) for u, data in unit_templates(of, of.programme, Q2, PARK, as_of=Q2.end)}
    assert len(books) > 2
    of.ledger.engine.dispose()
    return tiny, books


@pytest.fixture
def park(made_once: tuple[TinyOffice, dict[str, bytes]], tmp_path: Path, pool: Pool) -> Iterator[Park]:
    tiny, books = made_once
    shutil.copytree(tiny.home.root, tmp_path / "home")
    home = Home(tmp_path / "home")
    office = Office(Vault.open(home.vault), open_ledger(home), tiny.office.programme)
    yield Park(TinyOffice(office, home, tiny.figures), pool, books)
    office.ledger.engine.dispose()


def test_own_workbooks_make_the_submission_and_every_row_knows_its_file(park: Park) -> None:
    made = park.collate([*park.own(), park.sheets()])
    assert codes(made) == []
    assert made.missing.is_empty() and made.registered == len(park.units)
    found = made.outcome.submission
    assert {f.role for f in found.files} == {*park.units, ""}
    owner = {f.sha256: f.role or PARK for f in found.files}
    for form, frame in observations_of(park.tiny.office.vault, found).frames.items():
        assert [owner[sha] for sha in frame["_file"]] == frame["unit_id"].to_list(), form
    (told,) = made.books.filter(unit_id=park.units[0]).rows(named=True)
    assert (told["kind"], told["park"], told["replaces"]) == ("own", PARK, None)


def test_a_template_of_one_enterprise_speaks_of_it_alone(park: Park) -> None:
    unit, other = park.units[:2]
    reading = read_file(park.books[unit], "a.xlsx")
    assert (reading.unit, reading.park, reading.period) == (unit, PARK, Q2)
    assert {u for frame in reading.observations.frames.values() for u in frame["unit_id"]} == {unit}
    text = "".join(str(c) for ws in openpyxl.load_workbook(io.BytesIO(park.books[unit])) for r in ws.values for c in r)
    assert other not in text
    with pytest.raises(RefusalError, match="先进库"):
        template_for(park.tiny.office, park.tiny.office.programme, Q2, "LBXQ", unit=unit)


def test_missing_enterprises_are_listed_and_stop_the_report_until_they_are_explained(park: Park) -> None:
    made = park.collate([*park.own(*park.units[1:]), park.sheets()])
    assert made.missing["unit_id"].to_list() == park.units[:1]
    assert made.missing["name"][0]
    assert made.outcome.submission.state is State.CHECKED
    assert made.outcome.checked is not None
    absent = made.outcome.checked.findings.filter(rule="AB27")
    assert absent["unit_id"].to_list() == park.units[:1]


def test_the_park_cannot_fill_in_for_an_enterprise(park: Park) -> None:
    made = park.collate([IncomingBook("园区.xlsx", park.park_book())])
    assert codes(made) == ["not_own"]
    assert set(made.filed_for["verdict"]) == {"refused"}
    assert made.outcome.submission.state is State.FAILED
    frames = observations_of(park.tiny.office.vault, made.outcome.submission).frames
    assert frames["finance"].is_empty() and frames["park"].height == 1
    assert made.outcome.checked is not None
    message = made.outcome.checked.findings.filter(code="not_own")["message"][0]
    assert "《园区.xlsx》" in message and "园区不能代填" in message


def test_the_park_cannot_change_what_an_enterprise_said_but_may_repeat_it(park: Park) -> None:
    unit = park.units[0]
    same = park.collate([*park.own(), IncomingBook("园区.xlsx", park.park_book())])
    assert codes(same) == [] and set(same.filed_for["verdict"]) == {"repeated"}
    own = [IncomingBook(f"{unit}.xlsx", park.changed(unit, "财务状况", "F01", 7)), *park.own(*park.units[1:])]
    made = park.collate([*own, IncomingBook("园区.xlsx", park.park_book())])
    assert "park_changed" in codes(made)
    finance = observations_of(park.tiny.office.vault, made.outcome.submission).frames["finance"]
    assert finance.filter(unit_id=unit)["F01"].to_list() == [7]
    (finding,) = made.outcome.checked.findings.filter(code="park_changed").rows(named=True)  # type: ignore[union-attr]
    assert (finding["unit_id"], finding["column"]) == (unit, "F01")
    assert f"《{unit}.xlsx》工作表“财务状况”" in finding["message"] and "填报 7" in finding["message"]


def test_a_figure_the_enterprise_left_blank_is_not_added_by_the_park(park: Park) -> None:
    unit = park.units[0]
    own = [IncomingBook(f"{unit}.xlsx", park.changed(unit, "财务状况", "F03", None)), *park.own(*park.units[1:])]
    made = park.collate([*own, IncomingBook("园区.xlsx", park.park_book())])
    finance = observations_of(park.tiny.office.vault, made.outcome.submission).frames["finance"]
    assert finance.filter(unit_id=unit)["F03"].to_list() == [None]


def test_a_confirmation_lets_the_parks_row_count_and_stays_on_record_also_for_the_next_revision(park: Park) -> None:
    data = park.park_book()
    books = [*park.own(*park.units[1:]), IncomingBook("园区.xlsx", data)]
    assert codes(park.collate(books)) == ["not_own"]
    unit = park.units[0]
    said = GivenConfirmation(unit, "王会计", date(2014, 7, 1), "打印盖章", evidence=("确认函.pdf", b"paper"))
    made = park.collate(books, said)
    assert codes(made) == []
    assert dict(made.filed_for.select("unit_id", "verdict").rows())[unit] == "confirmed"
    office, number = park.tiny.office, made.outcome.submission.number
    with office.ledger.read() as session:
        (kept,) = confirmations_of(session, number)
    assert (kept.unit_id, kept.confirmed_by) == (unit, "王会计")
    assert kept.evidence and office.vault.read(kept.evidence) == b"paper"
    later = park.collate([*books[:-2], IncomingBook("园区.xlsx", data)])
    assert later.outcome.submission.number != number
    assert dict(later.filed_for.select("unit_id", "verdict").rows())[unit] == "confirmed"


def test_a_confirmation_of_another_file_does_not_count_and_a_useless_one_is_refused(park: Park) -> None:
    books = [*park.own(*park.units[1:]), IncomingBook("园区.xlsx", park.park_book())]
    wrong = GivenConfirmation(park.units[0], "王会计", date(2014, 7, 1), "电话", code="0000")
    made = park.collate(books, wrong)
    assert codes(made) == ["not_own"]
    assert "确认的不是这个文件" in made.outcome.checked.findings.filter(code="not_own")["message"][0]  # type: ignore[union-attr]
    with pytest.raises(RefusalError, match="不需要确认"):
        park.collate(books, GivenConfirmation(park.units[1], "李", date(2014, 7, 1), "电话"))


def test_an_enterprise_in_two_parks_is_listed_and_stops(park: Park) -> None:
    park.collate(park.own())
    unit = park.units[0]
    book = openpyxl.load_workbook(io.BytesIO(park.books[unit]))
    meta = book["_meta"]
    next(r for r in meta.iter_rows() if r[0].value == "park")[1].value = "LBXQ"
    made = park.collate([IncomingBook("甲.xlsx", saved(book))])
    assert (made.park, made.two_parks.select("unit_id", "park").rows()) == ("LBXQ", [(unit, PARK)])
    assert "two_parks" in codes(made)
    assert made.books["park"].to_list() == [PARK]


@pytest.mark.parametrize(
    ("fact", "value", "code"), [("park", "LBXQ", "other_park"), ("period", "2014-Q1", "other_period")]
)
def test_a_stray_workbook_is_told_and_does_not_stop_the_others(park: Park, fact: str, value: str, code: str) -> None:
    unit = park.units[0]
    book = openpyxl.load_workbook(io.BytesIO(park.books[unit]))
    next(r for r in book["_meta"].iter_rows() if r[0].value == fact)[1].value = value
    made = park.collate([IncomingBook("甲.xlsx", saved(book)), *park.own(*park.units[1:])])
    assert (made.park, made.period) == (PARK, Q2)
    (finding,) = made.outcome.checked.findings.filter(code=code).rows(named=True)  # type: ignore[union-attr]
    assert (finding["unit_id"], finding["file"]) == (unit, "甲.xlsx")
    assert made.missing["unit_id"].to_list() == [unit]
    frames = observations_of(park.tiny.office.vault, made.outcome.submission).frames
    assert unit not in frames["finance"]["unit_id"]


def test_another_enterprise_in_an_own_workbook_is_refused_at_its_cell(park: Park) -> None:
    unit, other = park.units[:2]
    book = openpyxl.load_workbook(io.BytesIO(park.books[unit]))
    sheet = book["财务状况"]
    row = next(r for r in range(1, 20) if sheet.cell(r, 1).value == "B01") + 2
    sheet.cell(row, 1).value, sheet.cell(row, 4).value = other, 12
    reading = read_file(saved(book), "a.xlsx")
    (finding,) = reading.findings.filter(code="foreign_unit").rows(named=True)
    assert (finding["sheet"], finding["cell"], finding["found"]) == ("财务状况", f"A{row}", other)
    assert other not in reading.observations.frames["finance"]["unit_id"].to_list()


def test_a_workbook_nobody_can_read_stops_and_does_not_hide_the_others(park: Park) -> None:
    made = park.collate([*park.own(*park.units[1:]), IncomingBook("坏.xlsx", b"not a workbook")])
    assert made.outcome.submission.state is State.FAILED
    assert made.books.filter(kind="unreadable")["file"].to_list() == ["坏.xlsx"]
    assert (
        observations_of(park.tiny.office.vault, made.outcome.submission).frames["finance"].height == len(park.units) - 1
    )


def test_what_leaves_an_enterprise_out_is_not_reported_with_a_reason_that_says_nothing(park: Park) -> None:
    books, office = [*park.own(*park.units[1:]), park.sheets()], park.tiny.office
    told = {"now": park.at, "actor": ACTOR, "explanations": {}}

    def collated(reason: str) -> Outcome:
        made = collate(office, books, park.pool, gaps_reason=reason, **told).outcome  # type: ignore[arg-type]
        if made.unexplained and made.checked:
            soft = made.checked.findings.filter(NEEDS_EXPLANATION)
            words = "本期订单结算进度与上年同期不同,合同和凭证齐全"
            told["explanations"] = {
                finding_key(f): ("07", f"{f['unit_id']}{words}") for f in soft.iter_rows(named=True)
            }
            return collated(reason)
        return made

    kept = collated("太短")
    assert kept.submission.state is State.EXPLAINED and "未报1家" in kept.gap and "不少于 10 个字" in kept.gap
    made = collated("这家企业停产搬迁,资料下月补报")
    assert (made.submission.number, made.gap) == (kept.submission.number, "")
    assert made.submission.state is State.REPORTED
    with office.ledger.read() as session:
        stated = gap_statement_of(session, made.submission.number)
    assert stated is not None and (stated.absent_units, stated.reason) == (1, "这家企业停产搬迁,资料下月补报")


def test_what_was_collated_is_not_filed_over_by_the_park(park: Park) -> None:
    made = park.collate(park.own())
    with pytest.raises(RefusalError, match="企业自行填报"):
        submit(park.tiny.office, [IncomingBook("园区.xlsx", park.park_book())], park.pool, now=park.at, actor=ACTOR)
    again = park.collate(park.own())
    assert (again.outcome.submission.number, again.outcome.is_new) == (made.outcome.submission.number, False)


def test_a_failed_collation_is_not_checked_again_as_if_the_park_had_filled_it_in(park: Park) -> None:
    books = [IncomingBook("园区.xlsx", park.park_book())]
    assert park.collate(books).outcome.submission.state is State.FAILED
    with pytest.raises(RefusalError, match="企业自行填报"):
        submit(park.tiny.office, books, park.pool, now=park.at, actor=ACTOR, leave_out=True)


def test_enterprises_with_hard_findings_are_left_out_and_listed_on_the_second_thought(park: Park) -> None:
    unit = park.units[0]
    bad = IncomingBook("甲.xlsx", park.changed(unit, "财务状况", "F01", -5))
    books = [bad, *park.own(*park.units[1:]), park.sheets()]
    assert park.collate(books).outcome.submission.state is State.FAILED
    made = park.collate(books, leave_out=True)
    assert made.outcome.submission.state in (State.CHECKED, State.REPORTED)
    frames = observations_of(park.tiny.office.vault, made.outcome.submission).frames
    assert unit not in frames["finance"]["unit_id"] and frames["finance"].height == len(park.units) - 1


def test_a_mended_workbook_of_an_enterprise_is_told_as_a_change(park: Park) -> None:
    first = park.collate(park.own())
    unit = park.units[0]
    made = park.collate([IncomingBook("新.xlsx", park.changed(unit, "财务状况", "F01", 9)), *park.own(*park.units[1:])])
    assert made.books.filter(pl.col("replaces").is_not_null()).select("unit_id", "file", "replaces").rows() == [
        (unit, "新.xlsx", first.outcome.submission.number)
    ]


def test_an_enterprise_is_handed_back_its_own_findings_only(park: Park) -> None:
    unit = park.units[0]
    made = park.collate(
        [IncomingBook("甲.xlsx", park.changed(unit, "财务状况", "F01", -5)), *park.own(*park.units[1:-1])]
    )
    marked = marked_books(park.tiny.office, made.outcome.submission)
    text = {
        name: "".join(str(c) for ws in openpyxl.load_workbook(io.BytesIO(data)) for r in ws.values for c in r)
        for name, data in marked.items()
    }
    assert "甲_审核.xlsx" in text and unit in text["甲_审核.xlsx"]
    assert all(other not in text["甲_审核.xlsx"] for other in park.units[1:])
    (rest,) = (t for name, t in text.items() if name.startswith(made.outcome.submission.number))
    assert park.units[-1] in rest


def test_enterprises_whose_files_have_one_name_are_told_of_their_own_figures(park: Park) -> None:
    first, second = park.units[:2]
    bad = [IncomingBook("报表.xlsx", park.changed(unit, "财务状况", "F01", -5)) for unit in (first, second)]
    made = park.collate(bad)
    assert [f.name for f in made.outcome.submission.files] == ["报表.xlsx", "报表(2).xlsx"]
    marked = marked_books(park.tiny.office, made.outcome.submission)
    for name, own, other in (("报表_审核.xlsx", first, second), ("报表(2)_审核.xlsx", second, first)):
        pages = openpyxl.load_workbook(io.BytesIO(marked[name]))
        text = "".join(str(c) for ws in pages for row in ws.values for c in row)
        assert own in text and other not in text


def test_a_collated_submission_reads_the_same_again(park: Park) -> None:
    books = [*park.own(*park.units[1:]), IncomingBook("园区.xlsx", park.park_book())]
    made = park.collate(books, GivenConfirmation(park.units[0], "王会计", date(2014, 7, 1), "电话"))
    office = park.tiny.office
    with office.ledger.read() as session:
        readings = collated_readings(
            office, session, made.outcome.submission, read_books(books, office.programme, park.pool)
        )
    assert {r.name for r in readings} == {b.name for b in books}
    assert reread_all(office, workers=1) == []


def test_the_list_of_confirmations_is_read_with_chinese_heads_and_says_what_it_lacks() -> None:
    row = {"统一社会信用代码": "91X", "确认人": "王", "确认日期": "2014-07-01", "确认方式": "函", "证明文件": "a.pdf"}
    (one,) = read_confirmations("表.csv", [row], lambda name: name.encode())
    assert one == GivenConfirmation("91X", "王", date(2014, 7, 1), "函", "", ("a.pdf", b"a.pdf"))
    with pytest.raises(SubmissionError, match="第 2 行缺 确认人"):
        read_confirmations("表.csv", [row | {"确认人": ""}], lambda _: b"")
    with pytest.raises(SubmissionError, match="写成 2025-04-08"):
        read_confirmations("表.csv", [row | {"确认日期": "7月1日"}], lambda _: b"")
