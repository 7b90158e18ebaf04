"""An enterprise hands in its own workbook, is told of itself only, and stands by it; the park's submission is not touched."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from pipelines.checking import IncomingBook
from pipelines.collating import Collation, GivenConfirmation
from pipelines.collating_returns import Entered, collate_returns, enter_mail, gathered
from pipelines.intake import Office
from pipelines.own_returns import (
    confirm_for,
    confirm_own,
    explain_return,
    hand_in,
    keys_to_explain,
    marked_return,
    return_findings,
)
from pipelines.templates import template_for, unit_templates
from schemas.errors import RefusalError
from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import ACTOR, SHANGHAI, TinyOffice, tiny_office
from warehouse.home import Home
from warehouse.ledger.enterprise_returns import EnterpriseReturn, enterprise_returns, standing_returns
from warehouse.ledger.explanations import explanations_of
from warehouse.ledger.migrate import open_ledger
from warehouse.ledger.periods import close_round
from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.signatories import Signatories
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submissions
from warehouse.ledger.verify import referenced_blobs, verify_ledger
from warehouse.vault import Vault
from ytb.demo.filling import fill, saved

Q2 = Period(2014, quarter=2)
NOW = datetime(2014, 7, 2, 9, 0, tzinfo=SHANGHAI)
PARK = "LBGX"
SIGNED = Signatories("王负责", "李统计", "张填表", "0931-8888888")
SOUND = ("07", "二季度新产品投产,订单集中交付,收入比上年同期明显增长")


@dataclass
class Firms:
    """The enterprises of one park of a tiny office, each with its own workbook filled in."""

    tiny: TinyOffice
    pool: Pool
    books: dict[str, bytes]
    at: datetime = NOW

    @property
    def units(self) -> list[str]:
        return list(self.books)

    @property
    def office(self) -> Office:
        return self.tiny.office

    def hand_in(self, unit: str, data: bytes | None = None) -> EnterpriseReturn:
        self.at += timedelta(minutes=1)
        book = IncomingBook("报表.xlsx", data if data is not None else self.books[unit])
        return hand_in(
            self.office, book, self.pool, park=PARK, period=Q2, unit=unit, now=self.at, actor=f"{unit}的填表人"
        )

    def explained(self, found: EnterpriseReturn) -> int:
        told = {key: (SOUND[0], f"{SOUND[1]}({key.split('|')[0]})") for key in keys_to_explain(self.office, found)}
        return explain_return(self.office, found.number, told, now=self.at, actor="x").left if told else 0

    def confirmed(self, unit: str) -> EnterpriseReturn:
        found = self.hand_in(unit)
        assert self.explained(found) == 0
        return confirm_own(self.office, found.number, SIGNED, on=self.at.date(), now=self.at, actor="x")

    def changed(self, unit: str, form: str, code: str, value: object) -> bytes:
        """The workbook of an enterprise with another figure."""
        book = openpyxl.load_workbook(io.BytesIO(self.books[unit]))
        sheet = book[form]
        row = next(r for r in range(1, 20) if sheet.cell(r, 1).value == "B01")
        column = next(c for c in range(1, 200) if sheet.cell(row, c).value == code)
        sheet.cell(row + 1, column).value = value  # type: ignore[assignment]
        return saved(book)


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
    of.ledger.engine.dispose()
    return tiny, books


@pytest.fixture
def firms(made_once: tuple[TinyOffice, dict[str, bytes]], tmp_path: Path, pool: Pool) -> Iterator[Firms]:
    tiny, books = made_once
    shutil.copytree(tiny.home.root, tmp_path / "home")
    home = Home(tmp_path / "home")
    office = Office(Vault.open(home.vault), open_ledger(home), tiny.office.programme)
    yield Firms(TinyOffice(office, home, tiny.figures), pool, books)
    with office.ledger.read() as session:
        assert verify_ledger(session).problems == ()
    office.ledger.engine.dispose()


def test_a_return_is_kept_checked_confirmed_and_no_submission_of_the_park(firms: Firms) -> None:
    unit = firms.units[0]
    found = firms.confirmed(unit)
    assert (found.state, found.revision, found.unit_id) == (ReturnState.CONFIRMED, 1, unit)
    assert found.confirmation is not None and found.confirmation.confirmed_by == "王负责"
    assert firms.office.vault.read(found.sha256) == firms.books[unit]
    with firms.office.ledger.read() as session:
        assert submissions(session) == []
        assert {found.sha256} <= referenced_blobs(session)
        assert [one.number for one in standing_returns(session, PARK, Q2)] == [found.number]


def test_the_same_file_again_is_the_same_return_and_another_is_the_next(firms: Firms) -> None:
    unit = firms.units[0]
    first = firms.confirmed(unit)
    assert firms.hand_in(unit).number == first.number
    second = firms.hand_in(unit, firms.changed(unit, "财务状况", "F01", 7_654_321))
    assert second.number == f"2014Q2-{PARK}-{unit}-02"
    with firms.office.ledger.read() as session:
        # until the new one is confirmed the enterprise stands by the old one
        assert [one.number for one in standing_returns(session, PARK, Q2)] == [first.number]
    with pytest.raises(RefusalError, match="更新的"):
        confirm_own(firms.office, first.number, SIGNED, on=NOW.date(), now=firms.at, actor="x")


def test_a_faulty_return_names_cell_found_and_remedy_and_cannot_be_confirmed(firms: Firms) -> None:
    unit = firms.units[0]
    found = firms.hand_in(unit, firms.changed(unit, "财务状况", "F01", "一百万"))
    assert found.state is ReturnState.FAULTY
    findings = return_findings(firms.office, found)
    (hard,) = findings.filter(severity="hard", column="F01", code="type").rows(named=True)
    assert hard["found"] == "一百万" and hard["cell"] and hard["unit_id"] == unit
    name, marked = marked_return(firms.office, found)
    assert name == "报表_审核.xlsx" and "审核结果" in openpyxl.load_workbook(io.BytesIO(marked)).sheetnames
    with pytest.raises(RefusalError, match="不能转为"):
        confirm_own(firms.office, found.number, SIGNED, on=NOW.date(), now=firms.at, actor="x")


def test_the_workbook_of_another_enterprise_is_refused_without_a_word_on_its_figures(firms: Firms) -> None:
    mine, other = firms.units[:2]
    found = firms.hand_in(mine, firms.books[other])
    assert found.state is ReturnState.FAULTY
    findings = return_findings(firms.office, found)
    assert findings["code"].to_list() == ["not_own_book"]
    assert found.check is not None and found.check.observations_blob is None


def test_the_workbook_of_the_park_is_no_enterprises_own(firms: Firms) -> None:
    found = firms.hand_in(firms.units[0], firms.tiny.workbook(PARK, Q2))
    assert return_findings(firms.office, found)["code"].to_list() == ["not_own_book"]


def test_what_cannot_be_read_is_kept_and_told(firms: Firms) -> None:
    found = firms.hand_in(firms.units[0], b"PK\x03\x04 broken")
    assert found.state is ReturnState.FAULTY and found.check is not None and found.check.unreadable
    assert firms.office.vault.read(found.sha256) == b"PK\x03\x04 broken"


def test_soft_findings_are_explained_before_the_enterprise_confirms(firms: Firms) -> None:
    unit = firms.units[0]
    found = firms.hand_in(unit, firms.changed(unit, "财务状况", "F01", 1))
    keys = keys_to_explain(firms.office, found)
    assert found.state is ReturnState.CLEAN and [key.split("|")[0] for key in keys] == ["AF15"]
    with pytest.raises(RefusalError, match="情况说明"):
        confirm_own(firms.office, found.number, SIGNED, on=NOW.date(), now=firms.at, actor="x")
    told = explain_return(
        firms.office, found.number, {keys[0]: ("07", "核实无误"), "foreign|x||": SOUND}, now=firms.at, actor="x"
    )
    assert set(told.weak) == {keys[0]} and told.left == len(keys)
    assert firms.explained(found) == 0
    assert confirm_own(firms.office, found.number, SIGNED, on=NOW.date(), now=firms.at, actor="x").confirmation


def test_names_an_open_round_and_the_register_are_asked_for(firms: Firms) -> None:
    unit = firms.units[0]
    found = firms.hand_in(unit)
    with pytest.raises(RefusalError, match="统计负责人"):
        confirm_own(firms.office, found.number, Signatories("甲", " ", "丙", "1"), on=NOW.date(), now=NOW, actor="x")
    with pytest.raises(RefusalError, match="名录库"):
        firms.hand_in("91620102900001092A", b"x")
    with firms.office.ledger.write() as session:
        close_round(session, Q2, now=firms.at, actor=ACTOR)
    with pytest.raises(RefusalError, match="关网"):
        firms.hand_in(unit, firms.changed(unit, "财务状况", "F01", 5))
    with firms.office.ledger.read() as session:
        assert len(enterprise_returns(session, PARK, period=Q2, unit_id=unit)) == 1


def test_a_park_does_not_confirm_what_came_from_the_enterprises_account(firms: Firms) -> None:
    found = firms.hand_in(firms.units[0])
    with pytest.raises(RefusalError, match="由企业自己确认"):
        confirm_for(
            firms.office, found.number, "王某", date(2014, 7, 2), "电话", None, today=NOW.date(), now=NOW, actor="park"
        )


def by_mail(firms: Firms, *books: IncomingBook, given: tuple[GivenConfirmation, ...] = ()) -> list[Entered]:
    firms.at += timedelta(minutes=1)
    return enter_mail(
        firms.office, books, firms.pool, park=PARK, period=Q2, confirmations=given, today=firms.at.date(), now=firms.at,
        actor="park",
    )  # fmt: skip


def collated(firms: Firms, *own: IncomingBook) -> Collation:
    firms.at += timedelta(minutes=1)
    return collate_returns(firms.office, own, firms.pool, park=PARK, period=Q2, now=firms.at, actor="park")


def of_park(firms: Firms) -> IncomingBook:
    """The workbook with the park's own forms only."""
    template = template_for(firms.office, firms.office.programme, Q2, PARK, as_of=Q2.end)
    return IncomingBook("园区表.xlsx", saved(fill(template, {}, firms.tiny.figures.sheet(PARK, Q2))))


def test_a_park_collates_confirmed_returns_and_nothing_else(firms: Firms) -> None:
    with pytest.raises(RefusalError, match="还没有企业确认"):
        collated(firms)
    first, second, *rest = firms.units
    confirmed = [firms.confirmed(unit) for unit in (first, *rest)]
    waiting = firms.hand_in(second)
    ready = gathered(firms.office, PARK, Q2)
    assert [one.number for one in ready.waiting] == [waiting.number]
    assert ready.missing["unit_id"].to_list() == [second]
    made = collated(firms, of_park(firms))
    found = made.outcome.submission
    assert found.state is not State.REPORTED  # the park looks at it first
    assert {(f.role, f.sha256) for f in found.files if f.role} == {(one.unit_id, one.sha256) for one in confirmed}
    assert made.missing["unit_id"].to_list() == [second]
    with firms.office.ledger.read() as session:
        states = {one.unit_id: one.state for one in enterprise_returns(session, PARK, period=Q2)}
    assert states == dict.fromkeys((first, *rest), ReturnState.TAKEN_UP) | {second: ReturnState.CLEAN}
    # once more, with the last one: the park's own workbook is carried over
    firms.explained(waiting)
    confirm_own(firms.office, waiting.number, SIGNED, on=NOW.date(), now=firms.at, actor="x")
    again = collated(firms)
    assert again.missing.is_empty() and again.outcome.submission.revision == 2
    assert [f.name for f in again.outcome.submission.files if not f.role] == ["园区表.xlsx"]


def test_what_an_enterprise_explained_counts_in_the_parks_submission(firms: Firms) -> None:
    unit = firms.units[0]
    found = firms.hand_in(unit, firms.changed(unit, "财务状况", "F01", 1))
    assert firms.explained(found) == 0
    confirm_own(firms.office, found.number, SIGNED, on=NOW.date(), now=firms.at, actor="x")
    for other in firms.units[1:]:
        firms.confirmed(other)
    made = collated(firms, of_park(firms))
    with firms.office.ledger.read() as session:
        told = explanations_of(session, made.outcome.submission.number)
    assert {k for k in told if k.split("|")[2] == unit} == set(keys_to_explain(firms.office, found))


def test_a_park_that_writes_a_figure_of_an_enterprise_into_its_own_workbook_is_stopped(firms: Firms) -> None:
    for unit in firms.units:
        firms.confirmed(unit)
    book = openpyxl.load_workbook(io.BytesIO(firms.tiny.workbook(PARK, Q2)))
    sheet = book["财务状况"]
    row = next(r for r in range(1, 20) if sheet.cell(r, 1).value == "B01")
    column = next(c for c in range(1, 200) if sheet.cell(row, c).value == "F01")
    sheet.cell(row + 1, column).value = 4_242_424
    made = collated(firms, IncomingBook("园区.xlsx", saved(book)))
    assert made.outcome.submission.state is State.FAILED
    assert made.outcome.checked is not None
    assert "park_changed" in made.outcome.checked.findings["code"].to_list()


def test_workbooks_by_mail_become_returns_with_a_recorded_confirmation(firms: Firms) -> None:
    first, second, third = firms.units[:3]
    confirmed_by_itself = firms.confirmed(third)
    given = (
        GivenConfirmation(first, "赵经理", date(2014, 7, 1), "打印盖章", "", ("盖章.pdf", b"%PDF")),
        GivenConfirmation("91620102MA74NOBODY", "钱某", date(2014, 7, 1), "电话"),
    )
    books = [IncomingBook("报表.xlsx", firms.books[u]) for u in (first, second, third)]
    entered = by_mail(firms, *books, IncomingBook("坏.xlsx", b"PK\x03\x04"), of_park(firms), given=given)
    assert [bool(e.found) for e in entered] == [True, True, False, False, False, False]
    one, two = entered[0].found, entered[1].found
    assert one is not None and two is not None and one.confirmation is not None
    assert (one.state, one.channel, one.confirmation.basis) == (ReturnState.CONFIRMED, "mail", "打印盖章")
    assert one.confirmation.evidence is not None
    assert firms.office.vault.read(one.confirmation.evidence) == b"%PDF"
    assert two.state is ReturnState.CLEAN
    assert "以企业的为准" in entered[2].said and confirmed_by_itself.unit_id in entered[2].said
    assert "没有它的工作簿" in entered[5].said
    with pytest.raises(RefusalError, match="还没有到"):
        confirm_for(
            firms.office, two.number, "孙", date(2030, 1, 1), "电话", None, today=NOW.date(), now=NOW, actor="park"
        )
    again = by_mail(firms, books[0])[0].found
    assert again is not None and again.number == one.number


def test_each_return_of_a_batch_is_told_of_itself_only(firms: Firms) -> None:
    first, second = firms.units[:2]
    wrong = firms.changed(first, "财务状况", "F01", "很多")
    one, two = (
        e.found for e in by_mail(firms, IncomingBook("a.xlsx", wrong), IncomingBook("a.xlsx", firms.books[second]))
    )
    assert one is not None and two is not None
    assert (one.state, two.state) == (ReturnState.FAULTY, ReturnState.CLEAN)
    for found in (one, two):
        assert set(return_findings(firms.office, found)["unit_id"].drop_nulls()) <= {found.unit_id}
