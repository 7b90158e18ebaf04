"""Administrative records: dry run first, kept apart, compared unit by unit; nothing is ever changed."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from pipelines.administrative_records import (
    RecordsPlan,
    commit_records,
    listed,
    plan_records,
    reconciliation,
    withdraw_records,
)
from pipelines.checking import IncomingBook
from pipelines.methods.reconciliation import FORM_COLUMNS, RECORD_COLUMNS, reconciled, summary
from schemas.errors import RefusalError
from schemas.period import Period
from schemas.records_map import read_records_map, records_map_of
from sources.pool import Pool
from tests.tiny_office import ACTOR, SHANGHAI, TinyOffice, tiny_office
from warehouse import facts
from warehouse.ledger.register import register_as_of
from warehouse.ledger.submissions import submissions
from warehouse.ledger.verify import referenced_blobs, verify_ledger
from ytb.cli.main import main

NOW = datetime(2016, 3, 1, 9, 0, tzinfo=SHANGHAI)
YEAR = Period(2015)
MAP = """
kind = "tax"
authority = "税务局"
title = "2015年入库税额"
[tolerance]
percent = 1.0
amount = 5
[[table]]
head_rows = [1]
period = {value = "2015"}
unit = {column = "统一社会信用代码"}
unit_name = {column = "纳税人名称"}
indicator = {head = 1}
[indicators]
"入库税额" = "F16"
"营业收入" = {code = "F01", tolerance_percent = 3}
"""


def records(*rows: tuple[str, str, float | None, str | None, int]) -> pl.DataFrame:
    plain = {"kind": "tax", "authority": "税务局", "period": "2015", "tolerance_percent": 1.0, "tolerance_amount": 5.0}
    made = [
        {**dict.fromkeys(RECORD_COLUMNS), **plain, "unit_id": u, "indicator": i, "value": v, "text": t, "import": n}
        for u, i, v, t, n in rows
    ]
    return pl.DataFrame(made, schema=RECORD_COLUMNS)


def forms(*rows: tuple[str, bool, str, float | None, str | None]) -> pl.DataFrame:
    made = [(u, "LBXQ", answered, i, v, t) for u, answered, i, v, t in rows]
    return pl.DataFrame(made, schema=FORM_COLUMNS, orient="row")


def test_outcomes_by_hand() -> None:
    """1 % of 1,000 is 10; of 100 it is 1, so the amount of 5 counts; the newest import goes before an older one."""
    found = reconciled(
        records(
            ("same", "F16", 1000, None, 1), ("within", "F16", 1000, None, 1), ("beyond", "F16", 1000, None, 1),
            ("small", "F16", 100, None, 1), ("larger", "F16", 100, None, 1), ("zero", "F16", 0, None, 1),
            ("silent", "F16", 7, None, 1), ("blank", "F16", 7, None, 1), ("stranger", "F16", 7, None, 1),
            ("flag", "B16", None, "true", 1), ("same", "B16", None, "false", 1), ("newer", "F16", 1, None, 1), ("newer", "F16", 50, None, 2),
        ),
        forms(
            ("same", True, "F16", 1000, None), ("within", True, "F16", 1010, None), ("beyond", True, "F16", 1011, None),
            ("small", True, "F16", 105, None), ("larger", True, "F16", 106, None), ("zero", True, "F16", 3, None),
            ("silent", False, "F16", None, None), ("blank", True, "F16", None, None), ("more", True, "F16", 9, None),
            ("nothing", True, "F16", 0, None), ("flag", True, "B16", None, "false"), ("same", True, "B16", None, "false"),
            ("newer", True, "F16", 50, None),
        ),
    )  # fmt: skip
    outcomes = {(r["unit_id"], r["indicator"]): r["outcome"] for r in found.iter_rows(named=True)}
    assert outcomes == {
        ("same", "F16"): "equal", ("within", "F16"): "within", ("beyond", "F16"): "beyond", ("small", "F16"): "within",
        ("larger", "F16"): "beyond", ("zero", "F16"): "within", ("silent", "F16"): "silent", ("blank", "F16"): "blank",
        ("stranger", "F16"): "not_in_register", ("more", "F16"): "not_on_record", ("flag", "B16"): "beyond", ("same", "B16"): "equal",
        ("newer", "F16"): "equal",
    }  # fmt: skip
    first = found.row(0, named=True)
    assert (first["unit_id"], first["difference"], first["tolerance"]) == ("beyond", 11, 10)
    assert first["difference_percent"] == pytest.approx(1.1)
    counts = summary(found).filter(indicator="F16", park="LBXQ").row(0, named=True)
    assert (counts["beyond"], counts["within"], counts["equal"]) == (2, 3, 2)
    assert (counts["record_sum"], counts["form_sum"]) == (3250, 3285)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1, preload=("sources.reader",)) as made:
        yield made


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyOffice]:
    made = tiny_office(tmp_path_factory.mktemp("office") / "home", enterprises=12)
    yield made
    made.office.ledger.engine.dispose()


@pytest.fixture(scope="module")
def units(tiny: TinyOffice) -> list[tuple[str, str]]:
    with tiny.office.ledger.read() as session:
        return list(register_as_of(session, YEAR.end).select("unit_id", "B02").iter_rows())


def book(rows: Sequence[Sequence[object]]) -> IncomingBook:
    workbook = openpyxl.Workbook()
    page = workbook.active
    assert page is not None
    for row in [["统一社会信用代码", "纳税人名称", "入库税额(万元)", "营业收入(元)"], *rows]:
        page.append(list(row))
    out = io.BytesIO()
    workbook.save(out)
    return IncomingBook("税务.xlsx", out.getvalue())


def plan(tiny: TinyOffice, pool: Pool, rows: Sequence[Sequence[object]], text: str = MAP) -> RecordsPlan:
    mapping = records_map_of(tomllib.loads(text))
    return plan_records(tiny.office, book(rows), IncomingBook("映射.toml", text.encode()), mapping, pool)


def test_a_dry_run_finds_units_by_code_or_name_and_converts(tiny: TinyOffice, pool: Pool, units: Any) -> None:
    (code, name), (other, other_name) = units[:2]
    made = plan(tiny, pool, [[code, name, 12.34, 1_000_500], [None, other_name, 5, None], ["合计", None, 17.34, None]])
    rows = {(r["unit_id"], r["indicator"]): r for r in made.records.iter_rows(named=True)}
    assert rows[code, "F16"]["value"] == 123  # 12.34 万元 = 123.4 千元, rounded to whole ones
    assert rows[code, "F01"]["value"] == 1001 and rows[code, "F01"]["tolerance_percent"] == 3
    assert rows[other, "F16"]["value"] == 50 and rows[other, "F16"]["cell"] == "C3"
    assert rows[code, "F16"]["unit_name"] == name
    assert made.is_complete and made.problems.is_empty() and len(made.skipped) == 1
    assert dict(made.conversions.select("indicator", "rounded").iter_rows()) == {"F16": 1, "F01": 1}
    assert list(listed(tiny.office)) == []


def test_what_is_not_mapped_or_contradicts_itself_is_said_and_not_kept(
    tiny: TinyOffice, pool: Pool, units: Any
) -> None:
    code = units[0][0]
    made = plan(tiny, pool, [["不是代码", "没有的公司", 1, None], [code, None, 1, None], [code, None, 2, None]])
    assert made.unmapped["text"].to_list() == ["没有的公司"] and not made.is_complete
    assert "出现两次而数值不同" in made.problems["message"][0]
    with pytest.raises(RefusalError, match="没有对应"):
        commit_records(tiny.office, made, now=NOW, actor=ACTOR)
    with pytest.raises(RefusalError, match="没有读出"):
        commit_records(tiny.office, plan(tiny, pool, []), now=NOW, actor=ACTOR)


def test_records_are_kept_once_compared_and_withdrawn_and_change_nothing(
    tiny: TinyOffice, pool: Pool, units: Any
) -> None:
    office = tiny.office
    made = plan(tiny, pool, [[units[0][0], units[0][1], 12, None]])
    kept = commit_records(office, made, now=NOW, actor=ACTOR)
    with pytest.raises(RefusalError, match="已按同一映射导入"):
        commit_records(office, made, now=NOW, actor=ACTOR)
    with facts.in_memory() as con:
        facts.create(con, office.programme)
        found = reconciliation(office, con, YEAR).row(0, named=True)
        assert (found["unit_id"], found["outcome"], found["record_value"]) == (units[0][0], "silent", 120)
        assert (found["import"], found["cell"]) == (kept.id, "C2")
        withdraw_records(office, kept.id, reason="换新文件", now=NOW, actor=ACTOR)
        assert reconciliation(office, con, YEAR).is_empty()
    assert [one.is_withdrawn for one in listed(office, withdrawn=True)] == [True]
    with pytest.raises(RefusalError, match="已撤回"):
        withdraw_records(office, kept.id, reason="再撤", now=NOW, actor=ACTOR)
    with office.ledger.read() as session:
        assert submissions(session) == []
        assert verify_ledger(session).is_sound
        assert {made.book.sha256} <= referenced_blobs(session)


def test_the_command(tiny: TinyOffice, units: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping, file, out = tmp_path / "m.toml", tmp_path / "税务.csv", tmp_path / "核实单.csv"
    mapping.write_text(MAP, encoding="utf-8")
    assert read_records_map(mapping).kind == "tax"
    code, name = units[2]
    file.write_text(f"统一社会信用代码,纳税人名称,入库税额(万元)\n{code},{name},3\n", encoding="utf-8")
    home = ["--home", str(tiny.home.root), "--json"]
    assert main([*home, "records", "import", str(file), "--map", str(mapping)]) == 0
    assert json.loads(capsys.readouterr().out)["import"] is None
    assert main([*home, "records", "import", str(file), "--map", str(mapping), "--commit"]) == 0
    number = json.loads(capsys.readouterr().out)["import"]
    assert main([*home, "records", "reconcile", "--period", "2015", "-o", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outcomes"]["有记录,单位未报"] == 1 and told["rows"][0]["unit_id"] == code
    assert code in out.read_text(encoding="utf-8-sig")
    assert main([*home, "records", "list"]) == 0
    assert number in [one["id"] for one in json.loads(capsys.readouterr().out)]
    assert main([*home, "records", "withdraw", str(number), "--reason", "试"]) == 0
