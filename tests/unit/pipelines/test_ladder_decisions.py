"""Decisions on parks in the ledger: who may, what is kept, how an appeal ends; and figures provided by file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from pipelines import ladder_decisions as doing
from pipelines.evaluating import Judgement, ladder_of, provide, standings_on_file
from pipelines.intake import Office
from pipelines.methods.ladder import Kind, Proposal, Standing
from schemas.catalog import programme
from schemas.errors import RefusalError, StorageError, SubmissionError
from warehouse.home import create_home
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.evaluations import ladder_records, last_figure, provided_figures
from warehouse.ledger.ladder_drafts import pending_draft
from warehouse.ledger.migrate import create_ledger
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user, disable_user
from warehouse.ledger.verify import referenced_blobs, verify_ledger
from warehouse.vault import Vault

NOW = datetime(2017, 5, 31, 9, tzinfo=SHANGHAI)
EDITION = programme().editions["2015"]
LADDER = ladder_of(EDITION)
PEOPLE = (("wang", "province_statistician", None), ("li", "province_statistician", None), ("qian", "province_statistician", None), ("chen", "reviewer", None),
          ("zhao", "park_reporter", "LBGX"), ("sun", "park_reporter", "LBBY"))  # fmt: skip


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Office:
    home = create_home(tmp_path_factory.mktemp("home"), now=NOW)
    office = Office(Vault.open(home.vault), create_ledger(home), programme())
    with office.ledger.write() as session:
        for name, role, park in PEOPLE:
            add_user(session, name, title=name, role=role, park=park, now=NOW, actor="admin")
    return office


def judgement(park: str, to: str = "warning") -> Judgement:
    standing = Standing(park, LADDER.normal)
    made = Proposal(park, 2016, LADDER.normal, LADDER.rung(to), ("土地低效:产出强度得分 49",))
    return Judgement(LADDER, {park: {}}, {park: standing}, (made,), {park: park}, {}, {park: "兰州市"})


def decide(office: Office, park: str, to: str, actor: str = "wang", now: datetime = NOW) -> int:
    put_forward(office, park, to, actor, now)
    return doing.confirm(office, LADDER, park, now=now, actor="qian").id


def put_forward(office: Office, park: str, to: str, actor: str = "wang", now: datetime = NOW) -> None:
    doing.draft(office, judgement(park), park, to, year=2016, reason="产出强度低", document="文1", now=now, actor=actor)


def standing(office: Office, park: str) -> Standing:
    with office.ledger.read() as session:
        return standings_on_file(session, LADDER)[park]


def test_only_the_role_of_the_ladder_moves_a_park_and_the_evidence_stays_with_it(blank: Office) -> None:
    for actor, said in (("chen", "须由省级统计人员办理"), ("zhao", "须由省级统计人员办理"), ("nobody", "没有用户")):
        with pytest.raises(RefusalError, match=said):
            decide(blank, "LBXQ", "warning", actor)
    with blank.ledger.read() as session:
        assert ladder_records(session, "LBXQ") == []
    decide(blank, "LBXQ", "warning")
    with blank.ledger.read() as session:
        (record,) = ladder_records(session, "LBXQ")
    assert record.step.evidence == ("建议:警告(约谈)", "土地低效:产出强度得分 49")
    assert (record.recorded_by, record.step.responsible) == ("qian", "wang")
    assert (record.step.definition, record.step.day) == ("1", date(2017, 5, 31))
    assert standing(blank, "LBXQ").rung.id == "warning"


def test_one_person_alone_neither_warns_a_park_nor_takes_the_warning_away(blank: Office) -> None:
    with pytest.raises(RefusalError, match="没有等待复核的处置"):
        doing.confirm(blank, LADDER, "LBXQ", now=NOW, actor="li")
    put_forward(blank, "LBXQ", "watch")  # the warning of the test above would end
    with blank.ledger.read() as session:
        assert standings_on_file(session, LADDER)["LBXQ"].rung.id == "warning"
        waiting = pending_draft(session, "LBXQ")
    assert waiting is not None and (waiting.by, waiting.to_rung) == ("wang", "watch")
    with pytest.raises(RefusalError, match="由您提出,须由另一人复核"):
        doing.confirm(blank, LADDER, "LBXQ", now=NOW, actor="wang")
    with pytest.raises(RefusalError, match="须由省级统计人员办理"):
        doing.confirm(blank, LADDER, "LBXQ", now=NOW, actor="chen")
    with pytest.raises(RefusalError, match="wang提出的处置等待复核"):
        put_forward(blank, "LBXQ", "watch", "li")
    with pytest.raises(RefusalError, match="须写明原因"):
        doing.drop(blank, LADDER, "LBXQ", reason=" ", now=NOW, actor="li")
    doing.drop(blank, LADDER, "LBXQ", reason="证据不足", now=NOW, actor="li")
    with blank.ledger.read() as session:
        assert pending_draft(session, "LBXQ") is None and len(ladder_records(session, "LBXQ")) == 1
        told = [(e.action, e.actor, e.reason) for e in events(session, "park/LBXQ")]
    assert told == [
        ("ladder_drafted", "wang", "产出强度低"), ("ladder_move", "qian", "产出强度低"), ("ladder_drafted", "wang", "产出强度低"),
        ("ladder_dropped", "li", "证据不足"),
    ]  # fmt: skip


def test_a_term_runs_from_the_confirmation_and_a_park_that_has_moved_since_is_not_moved_by_an_old_draft(
    blank: Office,
) -> None:
    put_forward(blank, "LBXQ", "watch")
    later = NOW + timedelta(days=3)
    other = replace(LADDER, version="2")
    with pytest.raises(RefusalError, match="有变化"):
        doing.confirm(blank, other, "LBXQ", now=later, actor="li")
    assert doing.confirm(blank, LADDER, "LBXQ", now=later, actor="li").step.day == date(2017, 6, 3)


def test_a_disabled_person_decides_nothing(blank: Office) -> None:
    with blank.ledger.write() as session:
        add_user(session, "gone", title="gone", role="province_statistician", now=NOW, actor="admin")
        disable_user(session, "gone", now=NOW, actor="admin", reason="离职")
    with pytest.raises(RefusalError, match="已停用"):
        decide(blank, "LBJJ", "warning", "gone")


def test_a_park_outside_the_evaluation_is_not_moved(blank: Office) -> None:
    with pytest.raises(RefusalError, match="不在 2016 年评价之内"):
        doing.draft(
            blank, judgement("LBJJ"), "GZGY", "watch", year=2016, reason="x", document="y", now=NOW, actor="wang"
        )


def test_from_warning_to_rectification_and_back(blank: Office) -> None:
    def by(actor: str, text: str = "已完成") -> dict[str, object]:
        return {"text": text, "document": "", "now": NOW, "actor": actor}

    decide(blank, "LBBY", "warning")
    with pytest.raises(RefusalError, match="须写明期限"):
        doing.set_task(blank, LADDER, "LBBY", "盘活用地", due=None, responsible="管委会", now=NOW, actor="wang")
    decide(blank, "LBBY", "rectify")
    task = doing.set_task(blank, LADDER, "LBBY", "盘活用地", due=None, responsible="管委会", now=NOW, actor="wang")
    assert task.step.due == date(2018, 5, 31)
    with pytest.raises(RefusalError, match="只能办理 LBGX"):
        doing.handle_task(blank, LADDER, "LBBY", task.id, Kind.REPORT, **by("zhao"))  # type: ignore[arg-type]
    doing.handle_task(blank, LADDER, "LBBY", task.id, Kind.REPORT, **by("sun"))  # type: ignore[arg-type]
    with pytest.raises(RefusalError, match="须由省级统计人员"):
        doing.handle_task(blank, LADDER, "LBBY", task.id, Kind.VERIFY, **by("sun"))  # type: ignore[arg-type]
    with pytest.raises(RefusalError, match="没有全部销号"):
        decide(blank, "LBBY", "watch")
    doing.handle_task(blank, LADDER, "LBBY", task.id, Kind.VERIFY, **by("li"))  # type: ignore[arg-type]
    decide(blank, "LBBY", "watch")
    assert standing(blank, "LBBY").rung.id == "watch"


def test_an_appeal_is_decided_by_another_person_and_may_undo_the_move(blank: Office) -> None:
    number = decide(blank, "LBGX", "warning")
    late = NOW + timedelta(days=31)
    with pytest.raises(RefusalError, match="已过期"):
        doing.appeal(blank, LADDER, "LBGX", text="数据有误", document="", now=late, actor="zhao")
    doing.appeal(blank, LADDER, "LBGX", text="数据有误", document="", now=NOW, actor="zhao")
    for maker in ("wang", "qian"):
        with pytest.raises(RefusalError, match="以外的人"):
            doing.decide_appeal(blank, LADDER, "LBGX", upheld=True, reason="a", document="b", now=NOW, actor=maker)
    made = doing.decide_appeal(
        blank, LADDER, "LBGX", upheld=True, reason="核实属实", document="文3", now=NOW, actor="li"
    )
    assert (made.step.about, made.step.from_rung, made.step.to_rung) == (number, "warning", "normal")
    assert standing(blank, "LBGX").rung.id == "normal"


def test_what_was_recorded_is_chained_and_cannot_be_changed(blank: Office) -> None:
    decide(blank, "LBJJ", "watch")
    with blank.ledger.read() as session:
        assert verify_ledger(session).is_sound
    for statement in (
        "UPDATE ladder_events SET to_rung = 'praise'",
        "DELETE FROM ladder_events",
        "DELETE FROM evaluation_figures",
    ):
        if "figures" in statement:
            write(blank, "qinghai_eleven,LBGX,2016,Q53,90,环保厅函\n")
        with pytest.raises(StorageError, match="相抵触"), blank.ledger.write() as session:
            session.execute(text(statement))


def write(office: Office, rows: str, actor: str = "wang") -> int:
    path = Path(str(office.vault.root)) / ".." / "figures.csv"
    path.write_text("scheme,unit,year,indicator,value,basis\n" + rows, encoding="utf-8")
    return provide(office, path, EDITION, now=NOW, actor=actor)


def test_provided_figures_the_latest_counts_and_earlier_ones_stay_known(blank: Office) -> None:
    assert write(blank, "land,LBGX,2016,T3,1.2,自然资源局函\nland,LBXQ,2016,T3,0.9,自然资源局函\n") == 2
    with blank.ledger.read() as session:
        then = last_figure(session)
    assert write(blank, "land,LBGX,2016,T3,1.3,更正函\nland,LBXQ,2016,T3,,撤回函\nland,LBGX,2016,T3,1.3,更正函\n") >= 2
    assert write(blank, "land,LBGX,2016,T3,1.3,更正函\n") == 0
    with blank.ledger.read() as session:
        now = provided_figures(session).filter(scheme="land")
        assert now.select("unit", "value").rows() == [("LBGX", 1.3)]
        assert provided_figures(session, then).filter(scheme="land")["value"].to_list() == [1.2, 0.9]
        assert all(blank.vault.read(sha) for sha in referenced_blobs(session))


@pytest.mark.parametrize(("rows", "said"), [
    ("land,LBGX,2016,X19,1,函\n", "没有由文件提供的指标 X19"), ("land,NOWHERE,2016,T3,1,函\n", "不在园区名录"),
    ("land,LBGX,2016,T3,一,函\n", ":2:“一”不是数"), ("land,LBGX,16,T3,1,函\n", "四位数字"), ("land,LBGX,2016,T3,1,\n", "依据不能为空"),
    ("nothing,LBGX,2016,T3,1,函\n", "方案 nothing"), ("land,LBGX,2016,T3,inf,函\n", "不是数"), ("", "至少一行"),
])  # fmt: skip
def test_a_faulty_row_keeps_all_others_out(blank: Office, rows: str, said: str) -> None:
    with blank.ledger.read() as session:
        before = last_figure(session)
    with pytest.raises(SubmissionError, match=said):
        write(blank, rows + "land,LBGX,2015,T3,1.1,函\n" if rows else rows)
    with blank.ledger.read() as session:
        assert last_figure(session) == before


def test_only_the_office_provides_figures(blank: Office) -> None:
    with pytest.raises(RefusalError, match="须由省级统计人员"):
        write(blank, "land,LBGX,2014,T3,1,函\n", actor="chen")
