"""From a file in the drop folder to a submission with its answer; the parks' own templates, filled in."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pipelines import drop_folder
from pipelines.drop_folder import Batch, Taken, scan, take
from pipelines.intake import Office
from pipelines.templates import template_for
from schemas.errors import StorageError
from schemas.period import Period
from sources.antivirus import Scanner
from sources.pool import Pool
from tests.tiny_office import SHANGHAI, TinyOffice, tiny_office
from tests.unit.sources.test_antivirus import STAND_IN
from warehouse.home import Home
from warehouse.ledger.migrate import open_ledger
from warehouse.ledger.submissions import submissions
from warehouse.vault import Vault
from ytb.demo.filling import saved

NOW = datetime(2015, 4, 2, 9, 0, tzinfo=SHANGHAI)
Q1 = Period(2015, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyOffice, bytes]:
    """An office with an open round, and the workbook of one park."""
    tiny = tiny_office(tmp_path_factory.mktemp("office") / "home")
    tiny.open_round(Q1, NOW - timedelta(days=1))
    book = tiny.workbook("LBXQ", Q1)
    tiny.office.ledger.engine.dispose()
    return tiny, book


@pytest.fixture
def office(made: tuple[TinyOffice, bytes], tmp_path: Path) -> tuple[Office, Home]:
    """The same office, fresh for every test."""
    shutil.copytree(made[0].home.root, tmp_path / "home")
    home = Home(tmp_path / "home")
    return Office(Vault.open(home.vault), open_ledger(home), made[0].office.programme), home


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1, preload=("sources.reader",)) as pool:
        yield pool


def lay(home: Home, name: str, content: bytes) -> None:
    path = home.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    hour_ago = (NOW - timedelta(hours=1)).timestamp()
    os.utime(path, (hour_ago, hour_ago))


def at_rest(home: Home) -> Batch:
    return scan(home, NOW, scan(home, NOW - timedelta(minutes=10)).look)


def taken(office: tuple[Office, Home], pool: Pool, now: datetime = NOW) -> Taken:
    return take(*office, at_rest(office[1]), pool, now=now, actor="投递箱")


def below(folder: Path) -> list[str]:
    return sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and ".clearing" not in p.parts
    )


def altered(book: bytes, code: str, change: Callable[[Any], object]) -> bytes:
    """The workbook with the figure of the first enterprise under one code changed."""
    opened = openpyxl.load_workbook(io.BytesIO(book))
    for page in opened.worksheets:
        for row in page.iter_rows(min_row=1, max_row=20):
            codes = {c.value: c.column for c in row if c.value}
            if code in codes:
                cell = page.cell(row[0].row + 1, codes[code])
                cell.value = change(cell.value)
                return saved(opened)
    raise AssertionError(f"no sheet with {code}")


def with_a_fault(book: bytes) -> bytes:
    """Words where revenue should stand: a hard finding."""
    return altered(book, "F01", lambda _: "一千多万")


def with_a_leap(book: bytes) -> bytes:
    """Revenue nine times that of a year before: soft findings, to be explained."""
    return altered(book, "F01_yoy", lambda value: int(value) // 9)


@pytest.mark.parametrize("name", ["LBXQ/2015-Q1/一季度.xlsx", "一季度.xlsx", "LBXQ/一季度.xlsx", "收件/一季度.xlsx"])
def test_a_workbook_is_reported_and_answered(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes], name: str
) -> None:
    home = office[1]
    lay(home, name, made[1])
    (result,) = taken(office, pool).results
    assert (result.number, result.state, result.park, result.period) == (
        "2015Q1-LBXQ-0001",
        "reported",
        "LBXQ",
        "2015-Q1",
    )
    folder = "processed/2015-04-02/2015Q1-LBXQ-0001"
    assert below(home.inbox) == [f"{folder}/一季度.xlsx", f"{folder}/回执.txt"]
    assert below(home.outbox) == ["2015Q1-LBXQ-0001/回执.txt"]
    receipt = (home.outbox / "2015Q1-LBXQ-0001/回执.txt").read_text(encoding="utf-8")
    assert "状态:已报送" in receipt and receipt == (home.inbox / folder / "回执.txt").read_text(encoding="utf-8")
    assert (home.inbox / folder / "一季度.xlsx").read_bytes() == made[1]
    with office[0].ledger.read() as session:
        (found,) = submissions(session)
    assert (found.channel, found.received_by) == ("inbox", "投递箱")


def test_a_faulty_workbook_comes_back_marked(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes]
) -> None:
    home = office[1]
    lay(home, "LBXQ/2015-Q1/一季度.xlsx", with_a_fault(made[1]))
    (result,) = taken(office, pool).results
    assert result.state == "failed"
    assert below(home.outbox) == ["2015Q1-LBXQ-0001/一季度_审核.xlsx", "2015Q1-LBXQ-0001/回执.txt"]
    marked = openpyxl.load_workbook(home.outbox / "2015Q1-LBXQ-0001/一季度_审核.xlsx")
    assert "审核结果" in marked.sheetnames
    listed = [[c.value for c in row] for row in marked["审核结果"].iter_rows()]
    assert any("错误" in row for row in listed)


def test_the_same_files_again_give_the_same_submission(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes]
) -> None:
    lay(office[1], "LBXQ/2015-Q1/一季度.xlsx", made[1])
    taken(office, pool)
    lay(office[1], "再投一次.xlsx", made[1])
    (result,) = taken(office, pool).results
    assert (result.number, result.is_new, result.state) == ("2015Q1-LBXQ-0001", False, "reported")
    assert "再投一次.xlsx" not in below(office[1].inbox)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("坏.xlsx", b"not a workbook at all", "坏.xlsx"),
        ("LBXQ/2015-Q1/坏.xlsx", b"not a workbook at all", "坏.xlsx"),
        ("空.xlsx", b"", "空.xlsx"),
        ("说明.txt", "请查收".encode(), "说明.txt"),
    ],
)
def test_what_cannot_be_read_lies_in_quarantine_with_the_reason(
    office: tuple[Office, Home], pool: Pool, name: str, content: bytes, reason: str
) -> None:
    home = office[1]
    lay(home, name, content)
    (result,) = taken(office, pool).results
    assert reason in result.quarantined and not below(home.inbox)
    (text,) = [p for p in below(home.quarantine) if p.endswith("原因.txt")]
    assert result.quarantined in (home.quarantine / text).read_text(encoding="utf-8")
    (kept,) = [p for p in below(home.quarantine) if not p.endswith(".txt") or p.endswith("说明.txt")]
    assert (home.quarantine / kept).read_bytes() == content


def test_a_round_that_is_not_open_is_said(office: tuple[Office, Home], pool: Pool) -> None:
    template = template_for(office[0], office[0].programme, Period(2015, 2), "LBXQ")
    lay(office[1], "二季度.xlsx", template)
    (result,) = taken(office, pool).results
    assert "尚未开网" in result.quarantined


def test_a_folder_that_contradicts_the_file_is_refused(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes]
) -> None:
    lay(office[1], "LBGX/2015-Q1/一季度.xlsx", made[1])
    (result,) = taken(office, pool).results
    assert "LBGX" in result.quarantined and "LBXQ" in result.quarantined
    with office[0].ledger.read() as session:
        assert submissions(session) == []


def test_a_huge_file_is_not_even_read(
    office: tuple[Office, Home], pool: Pool, monkeypatch: pytest.MonkeyPatch, made: tuple[TinyOffice, bytes]
) -> None:
    lay(office[1], "大.xlsx", b"x" * (len(made[1]) + 1))
    lay(office[1], "一季度.xlsx", made[1])
    monkeypatch.setattr("pipelines.drop_scan.MAX_FILE", len(made[1]))
    results = taken(office, pool).results
    assert [r.quarantined for r in results] == [drop_folder.TOO_LARGE, ""]
    assert [r.state for r in results] == ["", "reported"]


def test_an_infected_file_is_put_aside_unopened_and_the_others_go_on(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes]
) -> None:
    lay(office[1], "坏.xlsx", b"EICAR")
    lay(office[1], "一季度.xlsx", made[1])
    lay(office[1], "LBXQ/2015-Q1/坏.xlsx", b"x EICAR")
    lay(office[1], "LBXQ/2015-Q1/好.xlsx", b"belongs to it")
    guarded = replace(office[0], scanner=Scanner([sys.executable, "-c", STAND_IN]))
    results = taken((guarded, office[1]), pool).results
    refused = [r for r in results if r.quarantined]
    assert {r.files for r in refused} == {("坏.xlsx",), ("LBXQ/2015-Q1/坏.xlsx", "LBXQ/2015-Q1/好.xlsx")}
    assert all("《坏.xlsx》没有通过病毒检查" in r.quarantined for r in refused)
    assert [r.state for r in results if not r.quarantined] == ["reported"] and below(office[1].inbox / "LBXQ") == []
    assert not office[0].vault.has(hashlib.sha256(b"EICAR").hexdigest())


def test_without_a_verdict_everything_stays_in_the_inbox(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes]
) -> None:
    lay(office[1], "一季度.xlsx", made[1])
    result = taken((replace(office[0], scanner=Scanner(["/nonexistent"])), office[1]), pool)
    assert not result.results and "病毒检查暂时不能进行" in result.faults[0]
    assert below(office[1].inbox) == ["一季度.xlsx"]


def test_a_file_changed_since_the_look_is_left(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes]
) -> None:
    lay(office[1], "LBXQ/2015-Q1/a.xlsx", b"old")
    lay(office[1], "LBXQ/2015-Q1/b.xlsx", made[1])
    batch = at_rest(office[1])
    (office[1].inbox / "LBXQ/2015-Q1/a.xlsx").write_bytes(b"newer")
    result = take(*office, batch, pool, now=NOW, actor="投递箱")
    assert result.left == ("LBXQ/2015-Q1/a.xlsx",) and not result.results
    assert below(office[1].inbox) == ["LBXQ/2015-Q1/a.xlsx", "LBXQ/2015-Q1/b.xlsx"]


def test_a_fault_of_ours_holds_up_nobody_else(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(office[1], "a/坏.xlsx", b"broken")
    lay(office[1], "b/一季度.xlsx", made[1])
    real = drop_folder._quarantine

    def full_disk(*args: object, **kwargs: object) -> object:
        raise StorageError("磁盘空间已满")

    with monkeypatch.context() as patched:
        patched.setattr(drop_folder, "_quarantine", full_disk)
        result = taken(office, pool)
    assert [r.state for r in result.results] == ["reported"]
    assert len(result.faults) == 1 and "磁盘空间已满" in result.faults[0]
    assert (office[1].inbox / "a/坏.xlsx").exists()
    assert drop_folder._quarantine is real
    assert taken(office, pool).results[0].quarantined


def test_two_at_once_are_refused(office: tuple[Office, Home], pool: Pool) -> None:
    with drop_folder._alone(office[1]), pytest.raises(StorageError, match="另一个进程"):
        taken(office, pool)


class Killed(BaseException):
    pass


def test_explanations_typed_into_the_marked_workbook_are_taken_along(
    office: tuple[Office, Home], pool: Pool, made: tuple[TinyOffice, bytes]
) -> None:
    lay(office[1], "LBXQ/2015-Q1/一季度.xlsx", with_a_leap(made[1]))
    (result,) = taken(office, pool).results
    assert result.state == "checked"
    marked = openpyxl.load_workbook(office[1].outbox / "2015Q1-LBXQ-0001/一季度_审核.xlsx")
    page = marked["审核结果"]
    columns = {
        c.value: c.column for row in page.iter_rows(max_row=10) for c in row if c.value in ("原因码", "情况说明")
    }
    told = 0
    for row in page.iter_rows():
        if any(c.value == "核实" for c in row):
            page.cell(row[0].row, columns["原因码"]).value = "07"
            page.cell(row[0].row, columns["情况说明"]).value = "上年同期停产检修三个月,本年恢复正常生产"
            told += 1
    assert told
    empty = [c for row in page.iter_rows() for c in row if c.value == "上年同期停产检修三个月,本年恢复正常生产"]
    for cell in empty:
        cell.value = "经核实,数据无误,情况属实。"
    lay(office[1], "LBXQ/2015-Q1/空话_审核.xlsx", saved(marked))
    (weak,) = taken(office, pool).results
    assert weak.state == "checked"
    ((back),) = (office[1].outbox / weak.number).glob("*_审核*.xlsx")
    sheet = openpyxl.load_workbook(back)["审核结果"]
    assert any("您填的说明没有采用" in str(c.value) for row in sheet.iter_rows() for c in row)
    for cell in empty:
        cell.value = "上年同期停产检修三个月,本年恢复正常生产"
    lay(office[1], "LBXQ/2015-Q1/一季度_审核.xlsx", saved(marked))
    (again,) = taken(office, pool).results
    assert (again.number, again.state) == ("2015Q1-LBXQ-0003", "reported")


@pytest.mark.slow
@pytest.mark.parametrize("after", ["submit", "marked_books", "_answer", "write_durably", "clear"])
def test_killed_between_any_two_steps_nothing_is_filed_twice(
    office: tuple[Office, Home],
    pool: Pool,
    made: tuple[TinyOffice, bytes],
    monkeypatch: pytest.MonkeyPatch,
    after: str,
) -> None:
    home = office[1]
    lay(home, "LBXQ/2015-Q1/一季度.xlsx", with_a_fault(made[1]))
    real = getattr(drop_folder, after)

    def then_killed(*args: object, **kwargs: object) -> object:
        real(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(drop_folder, after, then_killed)
        with pytest.raises(Killed):
            taken(office, pool)
    taken(office, pool, NOW + timedelta(days=1))
    with office[0].ledger.read() as session:
        assert [s.number for s in submissions(session)] == ["2015Q1-LBXQ-0001"]
    assert below(home.outbox) == ["2015Q1-LBXQ-0001/一季度_审核.xlsx", "2015Q1-LBXQ-0001/回执.txt"]
    assert [p.rsplit("/", 1)[1] for p in below(home.inbox)] == ["一季度.xlsx", "回执.txt"]
