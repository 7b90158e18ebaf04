from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from schemas.errors import StorageError
from warehouse.home import Config, Home, create_home, home_path, load_config, open_home, receipt_key

NOW = datetime(2025, 4, 1, 9, 0, tzinfo=timezone(timedelta(hours=8)))


def test_home_is_the_option_then_the_environment_then_the_default() -> None:
    assert home_path(Path("/a"), {"YTB_HOME": "/b"}) == Path("/a")
    assert home_path(None, {"YTB_HOME": "/b"}) == Path("/b")
    assert home_path(None, {}) == Path.cwd() / "ytb-home"


def test_a_new_home_has_every_folder_a_private_key_and_its_configuration(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home", now=NOW, organisation='甘肃省"科技厅"\\科技组')
    assert open_home(tmp_path / "home") == home == Home(tmp_path / "home")
    for folder in (home.vault, home.snapshots, home.releases, home.inbox, home.outbox, home.quarantine, home.dagster):
        assert folder.is_dir()
    assert home.keys.stat().st_mode & 0o777 == 0o700
    assert home.receipt_key_file.stat().st_mode & 0o777 == 0o600
    assert len(receipt_key(home)) == 32
    assert load_config(home) == Config(organisation='甘肃省"科技厅"\\科技组')


def test_two_homes_have_different_keys(tmp_path: Path) -> None:
    assert receipt_key(create_home(tmp_path / "a", now=NOW)) != receipt_key(create_home(tmp_path / "b", now=NOW))


def test_creating_again_completes_and_overwrites_nothing(tmp_path: Path) -> None:
    home = create_home(tmp_path, now=NOW, organisation="甲")
    key = receipt_key(home)
    home.inbox.rmdir()
    create_home(tmp_path, now=NOW, organisation="乙")
    assert receipt_key(home) == key
    assert load_config(home).organisation == "甲"
    assert home.inbox.is_dir()
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_is_no_home_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="ytb init"):
        open_home(tmp_path)


def test_a_key_others_can_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    home = create_home(tmp_path, now=NOW)
    home.receipt_key_file.chmod(0o644)
    with pytest.raises(StorageError, match="可被他人读取"):
        receipt_key(home)
    home.receipt_key_file.chmod(0o600)
    home.receipt_key_file.write_text("")
    with pytest.raises(StorageError, match="长度不符"):
        receipt_key(home)
    home.receipt_key_file.unlink()
    with pytest.raises(StorageError, match="缺失或损坏"):
        receipt_key(home)


def test_a_configuration_of_a_later_version_or_not_toml_is_refused(tmp_path: Path) -> None:
    home = create_home(tmp_path, now=NOW)
    home.config_file.write_text("format = 99")
    with pytest.raises(StorageError, match="更新的版本"):
        load_config(home)
    home.config_file.write_text("format = ")
    with pytest.raises(StorageError, match="无法读取"):
        load_config(home)
