from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from schemas.errors import RefusalError, StorageError
from warehouse.home import Home, create_home
from warehouse.ledger import access_models, trail
from warehouse.ledger.migrate import create_ledger, current_revision, open_ledger, upgrade
from warehouse.ledger.migrations import HEAD
from warehouse.ledger.models import Base
from warehouse.ledger.parks import Park, add_parks, parks
from warehouse.ledger.session import connect, ledger_of, reachable
from warehouse.ledger.verify import verify_ledger

NOW = datetime(2025, 4, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create_home(tmp_path / "home", now=NOW)


@pytest.mark.parametrize(
    ("url", "said"),
    [("nonsense", "无法识别"), ("mysql://x@y/z", "不能放在 mysql"), ("postgresql://x@127.0.0.1:1/y", "检查数据库服务")],
)
def test_a_database_that_cannot_be_the_ledger_is_refused_before_anything_is_made(url: str, said: str) -> None:
    with pytest.raises((RefusalError, StorageError), match=said):
        reachable(url)


def test_models_and_migrations_agree_and_head_is_the_newest(home: Home) -> None:
    ledger = create_ledger(home)
    assert access_models.MessageRow.__tablename__ in Base.metadata.tables  # whatever is declared is compared
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    config = Config()
    config.set_main_option("script_location", str(Path("warehouse/ledger/migrations").absolute()))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD
    assert current_revision(ledger) == HEAD


def test_a_home_of_the_first_migration_is_refused_until_it_is_upgraded_and_keeps_its_content(home: Home) -> None:
    old = ledger_of(home)
    upgrade(old, "0001")
    with old.write() as session:
        add_parks(session, [Park("LBXQ", "兰州新区")], now=NOW, actor="admin")
    old.engine.dispose()
    with pytest.raises(StorageError, match="ytb upgrade"):
        open_ledger(home)
    upgrade(ledger_of(home))
    ledger = open_ledger(home)
    with ledger.read() as session:
        assert [one.code for one in parks(session)] == ["LBXQ"]
        assert verify_ledger(session).problems == ()
    with pytest.raises(StorageError, match="相抵触"), ledger.write() as session:
        session.execute(text("DELETE FROM trail"))


def test_an_upgrade_again_changes_nothing(home: Home) -> None:
    ledger = create_ledger(home)
    with ledger.write() as session:
        trail.append(session, at=NOW, actor="a", action="b", subject="c")
    upgrade(ledger)
    with ledger.read() as session:
        assert trail.head(session).seq == 1


@pytest.mark.sqlite
def test_an_upgrade_that_fails_leaves_the_tables_as_they_were(home: Home) -> None:
    ledger = ledger_of(home)
    upgrade(ledger, "0001")
    with ledger.write() as session:  # takes the name of a trigger of the second revision
        session.execute(
            text("CREATE TRIGGER users_no_delete BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'mine'); END")
        )
    with pytest.raises(StorageError):
        upgrade(ledger)
    assert current_revision(ledger) == "0001"
    with ledger.read() as session:
        assert session.scalar(text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")) == 1


@pytest.mark.sqlite
def test_a_missing_or_newer_or_damaged_ledger_is_told_in_chinese(home: Home) -> None:
    with pytest.raises(StorageError, match="没有台账"):
        open_ledger(home)
    ledger = create_ledger(home)
    with ledger.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="请先升级程序"):
        open_ledger(home)
    ledger.engine.dispose()
    for leftover in home.root.glob("ledger.db-*"):
        leftover.unlink()
    home.ledger.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match="已损坏"):
        open_ledger(home)


@pytest.mark.sqlite
def test_commits_are_durable_and_the_file_is_private(home: Home) -> None:
    ledger = create_ledger(home)
    assert home.ledger.stat().st_mode & 0o777 == 0o600
    with ledger.read() as session:
        pragma = {
            name: session.scalar(text(f"PRAGMA {name}")) for name in ("synchronous", "journal_mode", "foreign_keys")
        }
    assert pragma == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}


def test_a_block_that_raises_writes_nothing(home: Home) -> None:
    ledger = create_ledger(home)
    with pytest.raises(ZeroDivisionError), ledger.write() as session:
        trail.append(session, at=NOW, actor="a", action="b", subject="c")
        _ = 1 // 0
    with ledger.read() as session:
        assert trail.head(session).seq == 0


def test_a_reader_sees_one_state_while_a_writer_goes_on(home: Home) -> None:
    ledger = create_ledger(home)
    with ledger.read() as reader:
        assert trail.head(reader).seq == 0
        with ledger.write() as writer:
            trail.append(writer, at=NOW, actor="a", action="b", subject="c")
        assert trail.head(reader).seq == 0
    with ledger.read() as reader:
        assert trail.head(reader).seq == 1


def test_an_instant_without_a_zone_is_refused(home: Home) -> None:
    ledger = create_ledger(home)
    with pytest.raises(ValueError, match="time zone"), ledger.write() as session:
        trail.append(session, at=datetime(2025, 4, 1), actor="a", action="b", subject="c")


def test_a_url_that_leads_nowhere_is_told_without_its_details(tmp_path: Path) -> None:
    ledger = connect(f"sqlite:///{tmp_path}/missing/ledger.db")
    with pytest.raises(StorageError, match="台账无法打开"), ledger.read() as session:
        trail.head(session)


def test_a_reading_block_cannot_write(home: Home) -> None:
    ledger = create_ledger(home)
    with pytest.raises(StorageError, match=r"READONLY|ReadOnly"), ledger.read() as session:
        trail.append(session, at=NOW, actor="a", action="b", subject="c")
    with ledger.write() as session:
        assert trail.append(session, at=NOW, actor="a", action="b", subject="c").seq == 1
