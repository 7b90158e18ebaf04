"""Backups: what is in them, and that damage in one is found before it is needed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import RefusalError
from warehouse.backup import damaged_in_backup, make_backup, restore_backup
from warehouse.home import Home, create_home
from warehouse.ledger import trail
from warehouse.ledger.care import BACKED_UP, note_care
from warehouse.ledger.migrate import create_ledger
from warehouse.vault import Vault

NOW = datetime(2025, 4, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = create_home(tmp_path / "home", now=NOW)
    note_care(create_ledger(made), BACKED_UP, problems=0, now=NOW, actor="root", files=3)
    Vault.open(made.vault).put(b"abc")
    return made


def test_a_backup_holds_what_is_kept_and_not_what_is_on_its_way(home: Home, tmp_path: Path) -> None:
    staged = Vault(home.vault).stage()
    staged.write(b"half of a workbook")
    made = make_backup(home, tmp_path / "backup")
    staged.close()
    assert not list((tmp_path / "backup" / "vault").glob("tmp/*")) and made.head_seq == 1
    assert damaged_in_backup(tmp_path / "backup") == []
    assert Vault(restore_backup(tmp_path / "backup", tmp_path / "again").vault).scrub().is_sound


def test_what_is_missing_or_changed_in_a_backup_is_named(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    make_backup(home, folder)
    (blob,) = (path for path in (folder / "vault").rglob("*") if path.is_file())
    blob.chmod(0o640)
    blob.write_bytes(b"abd")
    (folder / "config.toml").unlink()
    assert damaged_in_backup(folder) == ["config.toml", blob.relative_to(folder).as_posix()]
    with pytest.raises(RefusalError, match="不是备份目录"):
        damaged_in_backup(tmp_path / "nothing")


def test_care_is_on_the_trail_and_is_no_change_of_what_is_kept(home: Home) -> None:
    with create_ledger(home).read() as session:
        last = trail.last_of(session, BACKED_UP)
        assert last is not None and last.payload == {"problems": 0, "files": 3}
        assert trail.last_change(session) == trail.Head(0, trail.GENESIS)
