"""Unit data: nobody serves himself, nobody else downloads, and nothing is served after its time."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines import unit_data
from schemas.errors import RefusalError
from schemas.period import Period
from tests.paper_office import PaperOffice, firm, paper_office
from warehouse.ledger import data_requests
from warehouse.ledger.data_requests import Standing
from ytb.cli.main import main

Q1 = Period(2015, 1)
PURPOSE = "省里的投入产出研究,只出汇总表"


@pytest.fixture
def paper(tmp_path: Path) -> PaperOffice:
    made = paper_office(tmp_path / "home", {"LBGX": ["A1", "A2"], "LBJJ": ["B1"]})
    made.file("LBGX", Q1, {"A2": firm(7), "A1": firm(5)})
    made.file("LBJJ", Q1, {"B1": firm(9)}, upto="reported")
    return made


def asked(paper: PaperOffice, **more: str) -> int:
    return unit_data.ask(paper.office, Q1, more.get("park", ""), ["finance"], PURPOSE, now=paper.at, actor="li").id


def approved(paper: PaperOffice, number: int, days: int = 7) -> None:
    with paper.office.ledger.write() as session:
        data_requests.approve(session, number, paper.at + timedelta(days=days), now=paper.at, actor="wang")


def test_what_is_in_force_is_served_sorted_marked_and_the_same_every_time(paper: PaperOffice) -> None:
    number = asked(paper)
    approved(paper, number)
    data = unit_data.serve(paper.office, number, now=paper.at, actor="li")
    assert data == unit_data.serve(paper.office, number, now=paper.at + timedelta(hours=1), actor="li")
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        lines = package.read("2015-Q1_finance.csv").decode("utf-8-sig").splitlines()
        note = package.read("说明.txt").decode("utf-8-sig")
    head = lines[0].split(",")
    rows = [dict(zip(head, line.split(","), strict=True)) for line in lines[1:]]
    assert [(r["unit_id"], r["F01"], r["request"]) for r in rows] == [("A1", "5", "申请1"), ("A2", "7", "申请1")]
    assert PURPOSE in note and "wang" in note and "不得" in note


def test_only_who_asked_only_while_it_lasts(paper: PaperOffice) -> None:
    number = asked(paper)
    with pytest.raises(RefusalError, match="待批准"):
        unit_data.serve(paper.office, number, now=paper.at, actor="li")
    with pytest.raises(RefusalError, match="不能批准自己"), paper.office.ledger.write() as session:
        data_requests.approve(session, number, paper.at + timedelta(days=1), now=paper.at, actor="li")
    with pytest.raises(RefusalError, match="31 天"):
        approved(paper, number, days=32)
    approved(paper, number)
    with pytest.raises(RefusalError, match="只有申请人"):
        unit_data.serve(paper.office, number, now=paper.at, actor="wang")
    with pytest.raises(RefusalError, match="已到期"):
        unit_data.serve(paper.office, number, now=paper.at + timedelta(days=7), actor="li")
    with pytest.raises(RefusalError, match="不能这样办理"):
        approved(paper, number)
    with paper.office.ledger.write() as session:
        data_requests.revoke(session, number, reason="用途有变", now=paper.at, actor="wang")
        assert data_requests.data_request(session, number).standing(paper.at) is Standing.REVOKED
    with pytest.raises(RefusalError, match="已收回"):
        unit_data.serve(paper.office, number, now=paper.at, actor="li")


def test_what_there_is_not_cannot_be_asked_for(paper: PaperOffice) -> None:
    for forms, park, said in ((["nothing"], "", "没有表"), (["context"], "", "没有表"), ([], "", "至少选一张表")):
        with pytest.raises(RefusalError, match=said):
            unit_data.ask(paper.office, Q1, park, forms, PURPOSE, now=paper.at, actor="li")
    with pytest.raises(RefusalError):
        unit_data.ask(paper.office, Q1, "LBXX", ["finance"], PURPOSE, now=paper.at, actor="li")
    with pytest.raises(RefusalError, match="用途"):
        unit_data.ask(paper.office, Q1, "", ["finance"], "研究", now=paper.at, actor="li")


def test_the_commands(paper: PaperOffice, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ytb(*words: str, user: str = "li") -> int:
        return main(["--home", str(paper.home.root), "--user", user, "unit-data", *words])

    assert ytb("ask", "--period", "2015-Q1", "--form", "finance", "--purpose", PURPOSE) == 0
    assert ytb("approve", "1") == 1 and ytb("approve", "1", "--days", "3", user="wang") == 0
    target = tmp_path / "data.zip"
    assert ytb("download", "1", "-o", str(target), user="wang") == 1 and not target.exists()
    assert ytb("download", "1", "-o", str(target)) == 0 and zipfile.is_zipfile(target)
    assert ytb("revoke", "1", "--reason", "用途有变", user="wang") == 0
    capsys.readouterr()
    assert ytb("list") == 0 and "已收回" in capsys.readouterr().out
