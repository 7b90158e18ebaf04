"""The programme's folder of a home: remembered, never swapped under its data, moved with care, kept in backups."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from schemas.catalog import PROGRAMMES, load_programme
from schemas.errors import DefinitionError, StorageError
from warehouse import facts
from warehouse.home import Home, load_config, remember_programme
from ytb.cli.main import main
from ytb.cli.session import CALL


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROGRAMMES / "park", tmp_path / "mypark")).resolve()


def ytb(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(words)
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_home_remembers_its_programme_and_no_other_may_act_on_it(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(tmp_path / "home")
    code, said = ytb(capsys, "--home", home, "init", "--programme", str(own))
    assert code == 0 and str(own) in said
    assert ytb(capsys, "--home", home, "status")[0] == 0
    assert CALL.programme_named == str(own)
    code, said = ytb(capsys, "--home", home, "status", "--programme", str(PROGRAMMES / "park"))
    assert code == 1 and "不能临时换成 park" in said and "ytb upgrade --programme" in said
    code, said = ytb(capsys, "--home", home, "init", "--programme", "schemas/programmes/park")
    assert code == 1 and "不能临时换成 park" in said
    monkeypatch.setenv("YTB_PROGRAMME", "/nowhere")
    assert ytb(capsys, "--home", home, "period", "status", "2025-Q1")[0] in (0, 1)  # the home's own goes first
    code, said = ytb(capsys, "--home", str(tmp_path / "none"), "programme", "show", "F01")
    assert code == 2 and "/nowhere:制度目录不存在" in said


def test_an_unsound_programme_makes_no_home(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = own / "2015/rules/finance.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("F02 <= F01", "F02 <= F99", 1), encoding="utf-8")
    code, said = ytb(capsys, "--home", str(tmp_path / "home"), "init", "--programme", str(own))
    assert code == 2 and "F99" in said and "ytb programme lint --programme" in said
    assert not (tmp_path / "home").exists()


def test_a_programme_moves_only_to_one_that_keeps_every_code(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert ytb(capsys, "--home", str(home), "init", "--programme", str(own))[0] == 0
    (other := tmp_path / "elsewhere" / "mypark").parent.mkdir()
    shutil.copytree(own, other)
    code, said = ytb(capsys, "--home", str(home), "upgrade", "--programme", str(PROGRAMMES / "park"))
    assert code == 1 and "制度代码是 mypark" in said
    forms = other / "2015/forms/finance.toml"
    whole = forms.read_text(encoding="utf-8")
    forms.write_text(whole.replace('unit_measure = "千元"', 'unit_measure = "万元"', 1), encoding="utf-8")
    code, said = ytb(capsys, "--home", str(home), "upgrade", "--programme", str(other))
    assert code in (1, 2) and load_config(Home(home)).programme == str(own)


def test_a_move_is_written_into_the_configuration_and_all_else_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    text = (
        '# 说明\nformat = 1\n\n[programme]\ncode = "park"\norganisation = "甲"    # 印在回执上\n\n[ledger]\nurl = ""\n'
    )
    home.config_file.write_text(text, encoding="utf-8")
    remember_programme(home, "/srv/制度/mypark")
    found = home.config_file.read_text(encoding="utf-8")
    assert found == text.replace("format = 1", "format = 2").replace('code = "park"', 'folder = "/srv/制度/mypark"')
    assert load_config(home).programme == "/srv/制度/mypark"
    remember_programme(home, str(tmp_path.resolve() / "programme" / "mypark"))
    assert tomllib.loads(home.config_file.read_text(encoding="utf-8"))["programme"]["folder"] == "programme/mypark"
    assert load_config(home).programme == str(tmp_path.resolve() / "programme" / "mypark")
    remember_programme(home, "park")
    assert home.config_file.read_text(encoding="utf-8") == text


def test_a_backup_holds_the_definitions_and_the_restored_home_uses_them(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, kept, back = (str(tmp_path / name) for name in ("home", "backup", "back"))
    assert ytb(capsys, "--home", home, "init", "--programme", str(own))[0] == 0
    assert ytb(capsys, "--home", home, "backup", kept)[0] == 0
    before = load_programme(own).fingerprint
    shutil.rmtree(own)
    code, said = ytb(capsys, "--home", home, "backup", str(tmp_path / "another"))
    assert code == 1 and f"制度目录 {own} 不存在" in said
    code, said = ytb(capsys, "--home", back, "restore", kept)
    assert code == 0 and "programme/mypark" in said
    restored = Path(load_config(Home(Path(back))).programme)
    assert restored == Path(back).resolve() / "programme" / "mypark"
    assert load_programme(restored).fingerprint == before


def test_facts_are_not_loaded_into_a_column_of_another_type(own: Path) -> None:
    with facts.in_memory() as con:
        facts.create(con, load_programme(own))
        path = own / "2015/forms/finance.toml"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('code = "F32"', 'code = "F32"\ndecimals = 2', 1), encoding="utf-8")
        with pytest.raises(
            DefinitionError, match=r"指标 F32\(表 finance\)已有数据的类型是 BIGINT,现在的定义是 DECIMAL\(18,2\)"
        ):
            facts.create(con, load_programme(own))


def test_readers_do_not_start_on_definitions_changed_meanwhile(own: Path) -> None:
    from pipelines.checking import read_books

    of = load_programme(own)
    (own / "2015/warnings.toml").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="请重新启动"):
        read_books([], of, None)  # type: ignore[arg-type]
