"""What a program reads from the command line: JSON that is JSON, and a word for every code that does not exist."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse import facts
from ytb.cli.main import main
from ytb.cli.output import plain


@dataclass(frozen=True)
class Record:
    period: Period
    day: date


def test_a_period_inside_a_record_is_one_text() -> None:
    assert plain([Record(Period.parse("2016-Q1"), date(2016, 4, 1))]) == [{"period": "2016-Q1", "day": "2016-04-01"}]


def test_what_json_has_no_number_for_is_a_text() -> None:
    told = plain({"a": [float("nan"), float("inf"), -float("inf"), 1.5]})
    assert json.loads(json.dumps(told, allow_nan=False)) == {"a": ["NaN", "Infinity", "-Infinity", 1.5]}


def test_one_statement_at_a_time() -> None:
    with facts.in_memory() as con:
        assert facts.query(con, "select 1 as x;")["x"].to_list() == [1]
        with pytest.raises(RefusalError, match="一次只能执行一条"):
            facts.query(con, "select 1; select 2")
        with pytest.raises(RefusalError, match="SQL 不能执行"):
            facts.query(con, "selct 1")


def test_a_kind_of_park_and_a_park_to_remind_must_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert main([*home, "init"]) == 0
    assert main([*home, "park", "add", "XX", "新园", "--kind", "abc"]) == 1
    assert "类型“abc”不存在,可写 area、zone、sub_park、base" in capsys.readouterr().err
    assert main([*home, "period", "open", "2025-Q1", "--deadline", "2099-01-01"]) == 0
    assert main([*home, "remind", "2025-Q1", "--park", "NOPE"]) == 1
    assert "NOPE 不在 2025-Q1 应报的园区之内" in capsys.readouterr().err
    assert main(["unit-data", "download", "5"]) == 2
    assert "缺少选项 -o(--output)。" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["2099-04-15", "2099-04-15T24:00"])
def test_a_day_is_a_deadline_to_its_end_and_a_past_one_says_what_to_write(
    typed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert main([*home, "init"]) == 0
    assert main([*home, "period", "open", "2016-Q1"]) == 1
    assert "已过,请另定截止日期" in capsys.readouterr().err
    assert main([*home, "period", "open", "2016-Q1", "--deadline", "月底"]) == 2
    assert "截止时间“月底”无效" in capsys.readouterr().err
    assert main([*home, "--json", "period", "open", "2016-Q1", "--deadline", typed]) == 0
    assert json.loads(capsys.readouterr().out)["deadline"] == "2099-04-16T00:00:00+08:00"


def test_a_name_that_is_too_long_for_a_file_is_the_callers_matter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.csv").write_text("period,value,price\n2024,1,1\n2025,2,1\n", encoding="utf-8")
    words = ["series", "deflate", "--data", str(tmp_path / "d.csv"), "-o", str(tmp_path / ("长" * 90 + ".csv"))]
    assert main(words) == 2
    assert "文件名过长" in capsys.readouterr().err


def test_an_upgrade_neither_meets_a_later_ledger_nor_makes_a_lost_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert main([*home, "init"]) == 0
    with closing(sqlite3.connect(tmp_path / "home" / "ledger.db")) as book, book:
        book.execute("UPDATE alembic_version SET version_num = '9999'")
    assert main([*home, "upgrade"]) == 3
    assert "台账由更新的程序版本建立" in capsys.readouterr().err
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (tmp_path / "home" / name).unlink(missing_ok=True)
    assert main([*home, "upgrade"]) == 3
    assert "没有台账 ledger.db" in capsys.readouterr().err and not (tmp_path / "home" / "ledger.db").exists()
