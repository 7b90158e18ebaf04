"""What can be taken from the drop folder, look by look."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.drop_scan import PATIENCE, SETTLE, SETTLE_UNSURE, STALE_LOCK, Batch, Look, Seen, group_of, scan
from schemas.period import Period
from warehouse.home import Home
from warehouse.ledger.columns import SHANGHAI

T0 = datetime(2025, 4, 2, 9, 0, tzinfo=SHANGHAI)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "inbox").mkdir()
    return Home(tmp_path)


def lay(home: Home, name: str, content: bytes = b"PK", changed: datetime = T0 - timedelta(hours=1)) -> Path:
    path = home.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (changed.timestamp(), changed.timestamp()))
    return path


def paths(batch: Batch) -> list[str]:
    return [f.path for g in batch.groups for f in g.files]


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_a_file_is_taken_at_the_second_look_only(home: Home) -> None:
    lay(home, "a.xlsx")
    first = scan(home, T0)
    assert paths(first) == [] and "稳定" in first.waiting["a.xlsx"]
    assert paths(scan(home, later(1), first.look)) == []
    second = scan(home, later(SETTLE.seconds), first.look)
    assert paths(second) == ["a.xlsx"] and not second.waiting


def test_a_slow_copy_waits_until_it_has_come_to_rest(home: Home) -> None:
    look = None
    for second in range(0, 60, 15):
        lay(home, "big.xlsx", b"x" * (second + 1), changed=later(second))
        batch = scan(home, later(second), look)
        assert paths(batch) == []
        look = batch.look
    look = scan(home, later(60), look).look
    assert paths(scan(home, later(75), look)) == ["big.xlsx"]


def test_a_file_with_its_old_size_but_a_new_time_has_changed(home: Home) -> None:
    lay(home, "a.xlsx")
    look = scan(home, T0).look
    lay(home, "a.xlsx", b"KP", changed=later(15))
    assert paths(scan(home, later(20), look)) == []


@pytest.mark.parametrize(
    ("lock", "book"),
    [
        ("~$a.xlsx", "a.xlsx"),
        ("~$度报表.xlsx", "季季度报表.xlsx"),
        (".~lock.a.xlsx#", "a.xlsx"),
    ],
)
def test_a_file_open_in_a_spreadsheet_program_waits(home: Home, lock: str, book: str) -> None:
    lay(home, book)
    lay(home, lock)
    look = scan(home, T0).look
    held = scan(home, later(600), look)
    assert paths(held) == [] and "打开" in held.waiting[book]
    (home.inbox / lock).unlink()
    assert paths(scan(home, later(601), held.look)) == [book]


def test_a_lock_left_by_a_crash_does_not_hold_for_ever(home: Home) -> None:
    lay(home, "a.xlsx")
    lay(home, "~$a.xlsx", changed=T0 - STALE_LOCK)
    look = scan(home, T0).look
    assert paths(scan(home, later(20), look)) == ["a.xlsx"]


@pytest.mark.parametrize("name", ["a.xlsx.part", "a.xlsx.filepart", "~a.tmp", "a.crdownload"])
def test_a_name_of_an_unfinished_copy_is_never_taken(home: Home, name: str) -> None:
    lay(home, name)
    look = scan(home, T0).look
    batch = scan(home, later(3600), look)
    assert paths(batch) == [] and "未完成" in batch.waiting[name]


@pytest.mark.parametrize("name", ["Thumbs.db", ".DS_Store", "._a.xlsx", "desktop.ini"])
def test_what_desktops_leave_behind_is_passed_over(home: Home, name: str) -> None:
    lay(home, name)
    look = scan(home, T0).look
    batch = scan(home, later(3600), look)
    assert paths(batch) == [] and not batch.waiting


def test_a_stamp_in_the_future_must_lie_still_longer_but_is_taken(home: Home) -> None:
    lay(home, "a.xlsx", changed=T0 + timedelta(days=365))
    look = scan(home, T0).look
    assert paths(scan(home, later(SETTLE.seconds + 1), look)) == []
    assert paths(scan(home, T0 + SETTLE_UNSURE, look)) == ["a.xlsx"]


def test_an_empty_file_may_be_a_place_held_for_a_copy(home: Home) -> None:
    lay(home, "a.xlsx", b"")
    look = scan(home, T0).look
    assert paths(scan(home, later(SETTLE.seconds + 1), look)) == []
    assert paths(scan(home, T0 + SETTLE_UNSURE, look)) == ["a.xlsx"]


def test_a_link_is_never_followed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "secret.xlsx").write_bytes(b"key")
    (home.inbox / "a.xlsx").symlink_to(tmp_path / "secret.xlsx")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.xlsx").write_bytes(b"x")
    (home.inbox / "folder").symlink_to(tmp_path / "elsewhere")
    look = scan(home, T0).look
    batch = scan(home, later(3600), look)
    assert paths(batch) == [] and "a.xlsx" in batch.waiting and "folder/b.xlsx" not in batch.waiting


def test_what_was_processed_is_not_looked_at_again(home: Home) -> None:
    lay(home, "processed/2025-04-02/2025Q1-LBXQ-0001/a.xlsx")
    assert not scan(home, T0).look.files


def test_the_files_of_a_submission_wait_for_each_other(home: Home) -> None:
    lay(home, "LBXQ/2025-Q1/财务.xlsx")
    look = scan(home, T0).look
    lay(home, "LBXQ/2025-Q1/人事.xlsx", changed=later(200))
    batch = scan(home, later(200), look)
    assert paths(batch) == []
    batch = scan(home, later(230), batch.look)
    assert paths(batch) == ["LBXQ/2025-Q1/人事.xlsx", "LBXQ/2025-Q1/财务.xlsx"]
    (group,) = batch.groups
    assert (group.park, group.period) == ("LBXQ", Period(2025, 1))


def test_in_a_shared_folder_others_are_waited_for_only_so_long(home: Home) -> None:
    lay(home, "a.xlsx")
    look = scan(home, T0).look
    lay(home, "b.xlsx", changed=later(20))
    batch = scan(home, later(20), look)
    assert paths(batch) == []
    lay(home, "b.xlsx", b"more", changed=T0 + PATIENCE)
    assert paths(scan(home, T0 + PATIENCE, batch.look)) == ["a.xlsx"]


@pytest.mark.parametrize(
    ("folder", "park", "period"),
    [
        ("", None, None),
        ("LBXQ", "LBXQ", None),
        ("LBXQ/2025-Q1", "LBXQ", "2025-Q1"),
        ("2025Q1/LBXQ", "LBXQ", "2025-Q1"),
        ("财务处/LBXQ/2025", "LBXQ", "2025"),
        ("Downloads", None, None),
    ],
)
def test_folder_names_say_park_and_period(folder: str, park: str | None, period: str | None) -> None:
    group = group_of(folder, ())
    assert (group.park, str(group.period) if group.period else None) == (park, period)


def test_a_clock_set_back_makes_no_file_older(home: Home) -> None:
    lay(home, "a.xlsx")
    back = T0 - timedelta(minutes=30)
    look = scan(home, back, scan(home, T0).look).look
    assert look.files["a.xlsx"].since == back
    assert paths(scan(home, back + SETTLE / 2, look)) == []
    assert paths(scan(home, back + SETTLE, look)) == ["a.xlsx"]


def test_an_inbox_that_is_missing_is_empty(tmp_path: Path) -> None:
    assert scan(Home(tmp_path / "nowhere"), T0).files == 0


SEEN = st.builds(
    Seen,
    path=st.text(min_size=1, max_size=8),
    size=st.integers(0, 2**40),
    mtime_ns=st.integers(-(2**62), 2**62),
    since=st.datetimes(timezones=st.just(SHANGHAI)),
)


@given(st.lists(SEEN, unique_by=lambda s: s.path))
def test_looks_and_batches_survive_json(files: list[Seen]) -> None:
    look = Look({s.path: s for s in files})
    assert Look.from_plain(look.as_plain()) == look
    batch = Batch((group_of("LBXQ/2025-Q1", tuple(files)),), {}, Look())
    assert Batch.from_plain(batch.as_plain()).groups == batch.groups
