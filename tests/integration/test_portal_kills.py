"""An upload through the portal, killed or failed at its system calls: what was answered is kept, nothing half appears.

The ways are those of ``test_durability``, which has the same for the intake beneath; here the body comes through door, form
and vault as a browser sends it. ``python -m bench.portal --only kill`` does it to ``ytb serve`` as a whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.period import Period
from tests.integration.portal_nursery import COOKIE, PARK
from tests.integration.test_durability import (
    NOW,
    Nursery,
    acknowledged,
    kill_at_random,
    nursery_of,
    require_promise,
    said,
    traced,
)
from warehouse.home import Home, create_home
from warehouse.ledger import access
from warehouse.ledger.migrate import create_ledger
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.periods import open_round
from warehouse.ledger.users import add_user

STEPS = [("fsync", 1), ("rename", 1), ("write", 4), ("pwrite64", 12)]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    yield from nursery_of("portal_nursery.py")


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = create_home(tmp_path_factory.mktemp("blank") / "home", now=NOW)
    ledger = create_ledger(home)
    with ledger.write() as session:
        add_parks(session, [Park(PARK, "兰州新区", kind="zone")], now=NOW, actor="admin")
        deadline = NOW + timedelta(days=9)
        open_round(session, Period(2025, quarter=1), edition="2025", deadline=deadline, now=NOW, actor="admin")
        add_user(session, "clerk", title="填报员", role="park_reporter", park=PARK, now=NOW, actor="admin")
        access.set_password(session, "clerk", "none", one_time=False, now=NOW, actor="admin")
        # A minute before the upload: being seen is written down once a minute, and is not what is killed here.
        seen = NOW + timedelta(hours=9)
        access.start_session(session, COOKIE, "clerk", address="10.0.0.1", agent="x", now=seen)
    ledger.engine.dispose()
    return home.root


@pytest.fixture
def home(blank: Path, tmp_path: Path) -> Home:
    shutil.copytree(blank, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.mark.parametrize(("step", "stride"), STEPS)
def test_an_upload_killed_at_any_system_call_loses_nothing_acknowledged(
    nursery: Nursery, home: Home, step: str, stride: int
) -> None:
    for n in range(1, 200, stride):
        trace = traced(nursery, home, "-e", f"trace={step}", "-e", f"inject={step}:signal=SIGKILL:when={n}")
        require_promise(home)
        if not trace.was_hit:
            assert trace.status == 0
            break
    else:
        pytest.fail("the upload did not come to an end")
    assert acknowledged(home)


@pytest.mark.parametrize(("step", "fault"), [("fsync", "EIO"), ("rename", "ENOSPC"), ("fdatasync", "EIO")])
def test_a_disk_fault_is_answered_in_words_and_the_same_files_go_through_afterwards(
    nursery: Nursery, home: Home, step: str, fault: str
) -> None:
    trace = traced(nursery, home, "-e", f"trace={step}", "-e", f"inject={step}:error={fault}:when=1")
    require_promise(home)
    assert trace.status == 0 and trace.was_hit
    refused, last = said(home)[:-1], said(home)[-1]
    assert "number" in last
    assert refused and all(line["status"] == 503 and "没有收下" in line["refused"] for line in refused)


def test_uploads_killed_at_random_times_lose_nothing_acknowledged(nursery: Nursery, home: Home) -> None:
    kill_at_random(nursery, home, 5)
