"""A programme outside the source tree: an author's copy of the shipped one, and what is said where it is broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.catalog import PROGRAMMES, is_as_loaded, load_programme, named_by, programme
from schemas.errors import DefinitionError
from schemas.lint import lint

TARGET = "9001,MY,行动计划,兰州新区,数据资产,亿元,2024,0,2027,10,at_least,,自拟,computed,SUM(F22)/100000,enterprise,linear,\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROGRAMMES / "park", tmp_path / "mypark"))


def test_a_folder_is_a_programme_of_its_own_and_the_shipped_one_keeps_its_code(own: Path) -> None:
    assert named_by(PROGRAMMES / "park") == "park"
    found = programme(named_by(own))
    assert (found.code, found.folder) == ("mypark", own.resolve())
    assert found is programme(str(own.resolve())) and found is not programme()
    assert is_as_loaded(found)
    with (own / "2015/warnings.toml").open("a", encoding="utf-8") as handle:
        handle.write("# a word\n")
    assert not is_as_loaded(found)


def test_an_edition_adds_targets_to_those_of_its_parent(own: Path) -> None:
    before = load_programme(own).editions["2025"].targets
    head = (own / "2015/plans/LB.csv").read_text(encoding="utf-8").partition("\n")[0]
    (own / "2025/plans").mkdir()
    (own / "2025/plans/MY.csv").write_text(f"{head}\n{TARGET}", encoding="utf-8")
    found = load_programme(own)
    assert found.editions["2015"].targets == before
    assert [t.row_no for t in found.editions["2025"].targets] == [*(t.row_no for t in before), 9001]
    said = [p.message for p in lint(found, found.editions["2025"]).problems]
    assert said == ["规划 MY 不在 codelists/plans.csv 内;请补上它的起止年份。"]
    (own / "2025/plans/MY.csv").write_text(f"{head}\n{TARGET}{TARGET}", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"MY\.csv:3:目标 9001 有两行"):
        load_programme(own)


def _rewrite(name: str, change: Callable[[str], bytes]) -> Callable[[Path], None]:
    def broken(own: Path) -> None:
        path = own / name
        path.write_bytes(change(path.read_text(encoding="utf-8")))

    return broken


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (_rewrite("codelists/plans.csv", lambda t: t.encode("gb18030")), r"plans\.csv:文件不是 UTF-8 编码"),
        (_rewrite("2015/index/parks.toml", lambda t: t.encode("gb18030")), r"parks\.toml:文件不是 UTF-8 编码"),
        (_rewrite("codelists/plans.csv", lambda t: b""), "缺列 code"),
        (_rewrite("codelists/plans.csv", lambda t: (t + "X\n").encode()), r"plans\.csv:7:格数少于列名"),
        (_rewrite("codelists/plans.csv", lambda t: (t + "X,a,,,1,2,b,c\n").encode()), r"plans\.csv:7:格数多于列名"),
        (_rewrite("codelists/plans.csv", lambda t: (t + "LB,a,,,1,2,b\n").encode()), "代码 LB 同时有两行在用"),
        (_rewrite("codelists/plans.csv", lambda t: (t + "X,a,2020/1/1,,1,2,b\n").encode()), "日期不是 2025-01-31"),
        (_rewrite("codelists/plans.csv", lambda t: (t + 'X,"a,,,1,2,b\n').encode()), "引号没有成对"),
        (lambda own: (own / "codelists/parks.csv").unlink(), r"缺代码表 parks\.csv"),
        (lambda own: [shutil.rmtree(own / e) for e in ("2015", "2025")], "没有任何版次"),
    ],
)
def test_what_is_broken_is_said_with_file_and_line(own: Path, broken: Callable[[Path], object], said: str) -> None:
    broken(own)
    with pytest.raises(DefinitionError, match=said):
        load_programme(own)


def test_the_folder_above_or_below_the_programme_is_told_apart(own: Path) -> None:
    with pytest.raises(DefinitionError, match=f"这是一个版次的目录.*{own}"):
        load_programme(own / "2015")
    with pytest.raises(DefinitionError, match=f"没有任何版次.*如 {own}"):
        load_programme(own.parent)


def test_no_note_of_a_shipped_code_list_is_cut_off_at_a_comma() -> None:
    rows = load_programme(PROGRAMMES / "park").codelists["size_class"].rows
    assert rows.filter(code="01")["note"].item().endswith("收入与资产单位万元")
