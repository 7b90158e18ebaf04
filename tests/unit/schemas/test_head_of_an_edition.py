"""What is wrong with the head of an edition is said with its file, its line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.catalog import PROGRAMMES, programme
from schemas.errors import DefinitionError

SHIPPED = PROGRAMMES / "park"
HEAD = (SHIPPED / "2015/programme.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ('first_period = "2013"', 'first_period = "2022-Q7"', r"programme.toml:\d+:first_period:报告期“2022-Q7”无效"),
        ('last_period = "2024"', 'last_period = "2012"', r"programme.toml:\d+:last_period 2012 早于 first_period 2013"),
        ('title = "园', 'extends = "1999"\ntitle = "园', r"programme.toml:1:extends 的版次 1999 不存在"),
        ("p_percent = 15", 'p_percent = "15"', r"programme.toml:\d+:thresholds.p_percent:“15”的类型不对,应为数"),
        ("p_percent = 15", "p_precent = 15", r"programme.toml:\d+:thresholds:不认识 p_precent"),
        ("[diagnosis]", "[diagnose]", r"programme.toml:\d+:不认识 diagnose|programme.toml.*不认识 diagnose"),
        (
            'email = "feedback@tongji.example"\naddress = "示范市示范路1号"\n',
            "",
            r"feedback:要至少写其中一种:telephone 或",
        ),
    ],
)
def test_a_wrong_head_is_refused(tmp_path: Path, was: str, becomes: str, message: str) -> None:
    assert was in HEAD
    folder = tmp_path / "own"
    (folder / "2015").mkdir(parents=True)
    for shared in ("codelists", "concordance.csv"):
        (folder / shared).symlink_to(SHIPPED / shared)
    (folder / "2015/programme.toml").write_text(HEAD.replace(was, becomes), encoding="utf-8")
    with pytest.raises(DefinitionError, match=message):
        programme(str(folder))
