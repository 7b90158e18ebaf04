"""Records of authorities and decisions on parks, taken on the portal: the same use cases as on the command line."""

from __future__ import annotations

import contextlib
import io
import re
import time
from datetime import timedelta

import openpyxl
import polars as pl
import pytest

from pipelines.administrative_records import listed
from pipelines.evaluating import Judgement, ladder_of, standings_on_file
from pipelines.index_what_if import PART_COLUMNS, RESULT_COLUMNS, ParkChange, ParkTrial
from pipelines.methods.ladder import Proposal, Standing
from schemas.catalog import programme
from schemas.period import Period
from sources.pool import Pool
from tests.unit.ytb.portal_browser import Answer, Browser
from tests.unit.ytb.portal_office import CHEAP, PASSWORD, Installation, installation, user_of
from warehouse.ledger import access
from warehouse.ledger.evaluations import ladder_records
from warehouse.ledger.users import add_user
from warehouse.ledger.verify import verify_ledger

LADDER = ladder_of(programme().editions["2015"])
MAP = """
kind = "tax"
authority = "税务局"
title = "2015年入库税额"
[[table]]
head_rows = [1]
period = {value = "2015"}
unit_name = {column = "纳税人名称"}
indicator = {head = 1}
unit_measure = {value = "万元"}
[indicators]
"入库税额" = "F16"
[units]
"甲公司" = "91620102900001092A"
""".encode()


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = installation(tmp_path_factory.mktemp("portal") / "home", Pool(workers=1))
    with made.office.ledger.write() as session:
        for name, title in (("other", "另一位"), ("third", "第三位")):
            add_user(session, name, title=title, role="province_statistician", now=made.at, actor="root")
            access.set_password(session, name, CHEAP.hash(PASSWORD), one_time=False, now=made.at, actor="root")
    return made


def signed_in(inst: Installation, name: str) -> Browser:
    browser = Browser(inst.app)
    assert browser.sign_in(name, PASSWORD).status == 303
    return browser


def table(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    for row in (("纳税人名称", "入库税额"), *rows):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_records_are_tried_first_and_kept_when_nothing_is_open(
    inst: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, page = signed_in(inst, "province_statistician"), "/records/import"
    good = table(("甲公司", 12), ("邻居公司", 34))

    def take(*files: tuple[str, bytes], **fields: str) -> Answer:
        return office.upload(page, list(files), page=page, fields=fields)

    def keep(tried: Answer, who: Browser = office, **changed: str) -> Answer:
        form = tried.text.partition('id="keep"')[2].partition("</form>")[0]
        sealed = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', form.replace('value="1" required', "")))
        return who.post(f"{page}/keep", sealed | changed, page=page)

    assert "请选择一个部门的表" in take(("a.toml", MAP)).text
    assert "请选择映射文件" in take(("税.xlsx", good)).text
    broken = take(("税.xlsx", good), ("坏.toml", b"kind = "))
    assert broken.status == 422 and "坏.toml" in broken.text and "/tmp" not in broken.text
    tried = take(("税.xlsx", good), ("a.toml", MAP))
    assert tried.status == 200 and "试运行没有问题" in tried.text, tried.text.split("result")[1][:1500]
    assert "2 个单位,2 个数" in tried.text
    assert list(listed(inst.office)) == []
    stranger = table(("甲公司", 12), ("生面孔公司", 1))
    open_ends = take(("税.xlsx", stranger), ("a.toml", MAP)).text
    assert "没有对应(1)" in open_ends and 'id="keep"' not in open_ends
    odd = table(("甲公司", "约十二"), ("邻居公司", 34))
    left = take(("税.xlsx", odd), ("a.toml", MAP))
    assert "不能采用的格(1)" in left.text
    assert "勾选后再导入" in keep(left).text and list(listed(inst.office)) == []
    for forged in (
        {"book": left.text.partition('name="book" value="')[2][:64]},
        {"seal": "0" * 64},
        {"until": "2099-01-01T00:00:00.000000Z"},
    ):
        assert "没有可以确认的试运行" in keep(tried, **forged).text, forged
    assert "没有可以确认的试运行" in keep(tried, signed_in(inst, "other")).text  # another person's trial
    with monkeypatch.context() as later:
        later.setattr(inst, "at", inst.at + timedelta(minutes=61))
        assert "超过一小时" in keep(tried, signed_in(inst, "province_statistician")).text
    assert list(listed(inst.office)) == []
    assert keep(tried).location == f"{page}?done=records_kept"
    (kept,) = listed(inst.office)
    assert (kept.authority, kept.by) == ("税务局", "province_statistician")
    again = keep(take(("税二.xlsx", table(("甲公司", 13))), map_of=str(kept.id)))
    assert again.location == f"{page}?done=records_kept" and len(list(listed(inst.office))) == 2
    refused = office.post(f"/records/{kept.id}/withdraw", {"reason": ""}, page=page)
    assert refused.status == 422
    assert office.post(f"/records/{kept.id}/withdraw", {"reason": "口径有误"}, page=page).status == 303
    assert "已撤回" in office.get(page).text and len(list(listed(inst.office))) == 1


def judgement(inst: Installation, park: str, to: str) -> Judgement:
    with inst.office.ledger.read() as session:
        now = standings_on_file(session, LADDER).get(park, Standing(park, LADDER.normal))
    made = Proposal(park, 2014, now.rung, LADDER.rung(to), ("土地低效:产出强度得分 49",))
    return Judgement(LADDER, {park: {}}, {park: now}, (made,), {park: park}, {}, {park: "兰州市"})


def test_a_park_is_warned_rectifies_and_appeals_on_the_portal(
    inst: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, other, third, clerk = (
        signed_in(inst, one) for one in ("province_statistician", "other", "third", user_of("park_reporter"))
    )
    page, asked = (
        "/ladder/LBGX",
        {"year": "2014", "rung": "warning", "reason": "产出强度低", "document": "甘科〔2015〕1号"},
    )
    assert (
        f'href="{page}"' in office.get("/ladder").text and page not in signed_in(inst, "assessor").get("/ladder").text
    )
    early = office.post(f"{page}/decide", asked, page=page)
    assert early.status == 422 and "请先计算 2014 年的建议" in early.text
    monkeypatch.setattr("ytb.portal.deciding._judgement", lambda *_: judgement(inst, "LBGX", "warning"))
    monkeypatch.setattr("ytb.portal.deciding._years", lambda *_: [2014])
    assert "建议转为“警告(约谈)”" in office.get(page).text and "产出强度得分 49" in office.get(page).text
    for wrong in ({"document": ""}, {"reason": " "}, {"rung": "leave"}, {"year": "x"}):
        assert office.post(f"{page}/decide", asked | wrong, page=page).status == 422, wrong
    assert office.post(f"{page}/decide", asked, page=page).location == f"{page}?year=2014&done=ladder_drafted"
    assert "<h1>兰州高新区:正常</h1>" in office.get(page).text and "须由另一人复核" in office.get(page).text
    assert "待复核" in other.get("/ladder").text and "待复核" not in signed_in(inst, "assessor").get("/ladder").text
    assert "等待复核" not in clerk.get("/standing").text
    ticked = {"confirmed": "1"}
    alone = office.post(f"{page}/confirm", ticked, page=page)
    assert alone.status == 422 and "由您提出" in alone.text
    assert other.post(f"{page}/confirm", {}, page=page).status == 422
    assert other.post(f"{page}/drop", {"reason": ""}, page=page).status == 422
    assert other.post(f"{page}/drop", {"reason": "文号有误"}, page=page).location == f"{page}?done=ladder_dropped"
    assert other.post(f"{page}/confirm", ticked, page=page).status == 422  # nothing waits any more
    assert office.post(f"{page}/decide", asked, page=page).status == 303
    assert other.post(f"{page}/confirm", ticked, page=page).location == f"{page}?done=ladder_moved"
    recorded = office.get(page).text.partition("全部记录")[2]
    assert "提出," in recorded and "另一位</span> 复核" in recorded and "待复核" not in office.get("/ladder").text
    task = {"text": "盘活闲置用地", "responsible": "管委会国土处", "due": "2015-09-30"}
    assert office.post(f"{page}/tasks", task | {"due": "明天"}, page=page).status == 422
    assert office.post(f"{page}/tasks", task, page=page).status == 303
    own = clerk.get("/standing").text
    assert "警告(约谈)" in own and "盘活闲置用地" in own and "省级统计人员" in own
    with inst.office.ledger.read() as session:
        number = standings_on_file(session, LADDER)["LBGX"].tasks[0].id
    assert clerk.post(f"/standing/tasks/{number}", {"text": ""}, page="/standing").status == 422
    assert clerk.post(f"/standing/tasks/{number}", {"text": "已收回三宗"}, page="/standing").status == 303
    assert "已报完成,待核实" in office.get(page).text
    done = {"text": "现场核实", "outcome": "verify"}
    assert office.post(f"{page}/tasks/{number}", done | {"outcome": "x"}, page=page).status == 400
    assert (
        office.post(f"{page}/tasks/{number}", done, page=page).status == 303 and "已销号" in clerk.get("/standing").text
    )
    assert clerk.post("/standing/appeal", {"text": "口径有误"}, page="/standing").status == 303
    assert "等待办理" in clerk.get("/standing").text
    verdict = {"outcome": "uphold", "reason": "复核后口径确有误", "document": "甘科〔2015〕9号"}
    for maker in (office, other):
        own_verdict = maker.post(f"{page}/appeal/decide", verdict, page=page)
        assert own_verdict.status == 422 and "作出处置以外的人" in own_verdict.text
    assert third.post(f"{page}/appeal/decide", verdict, page=page).status == 303
    assert "<h1>兰州高新区:正常</h1>" in office.get(page).text
    with inst.office.ledger.read() as session:
        kinds = [r.step.kind for r in ladder_records(session, "LBGX")]
        assert kinds == ["move", "task", "report", "verify", "appeal", "upheld"]
        assert verify_ledger(session).problems == ()


def test_another_parks_matters_are_not_the_clerks(inst: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    office, clerk = signed_in(inst, "province_statistician"), signed_in(inst, user_of("park_reporter"))
    monkeypatch.setattr("ytb.portal.deciding._judgement", lambda *_: judgement(inst, "LBJJ", "warning"))
    asked = {"year": "2014", "rung": "warning", "reason": "产出强度低", "document": "2号"}
    assert office.post("/ladder/LBJJ/decide", asked, page="/ladder/LBJJ").status == 303
    confirmed = signed_in(inst, "other").post("/ladder/LBJJ/confirm", {"confirmed": "1"}, page="/ladder/LBJJ")
    assert confirmed.status == 303
    assert office.post("/ladder/LBJJ/tasks", {"text": "整改", "responsible": "某处"}, page="/ladder/LBJJ").status in (
        303,
        422,
    )
    office.post("/ladder/LBJJ/tasks", {"text": "整改", "responsible": "某处", "due": "2015-08-01"}, page="/ladder/LBJJ")
    with inst.office.ledger.read() as session:
        number = standings_on_file(session, LADDER)["LBJJ"].tasks[0].id
    assert clerk.post(f"/standing/tasks/{number}", {"text": "代报"}, page="/standing").status == 422
    assert "整改" not in clerk.get("/standing").text.split("全部记录")[0].replace("等级与整改", "")


def test_proposals_are_computed_behind_the_page_and_what_hinders_is_said(inst: Installation) -> None:
    office = signed_in(inst, "province_statistician")
    assert (
        office.post("/ladder/proposals", {"year": "2014", "park": "LBGX"}, page="/ladder").location
        == "/ladder/LBGX?year=2014&done=judging"
    )
    assert office.post("/ladder/proposals", {"year": "../"}, page="/ladder").status == 422


def trial() -> ParkTrial:
    rows = [
        ("试算", "index", "发展指数", "LBGX", "高新区", "TOTAL", "总指数", True, 100.0, 101.5, 1.5, None, None, None),
        ("试算", "index", "发展指数", "LBJJ", "经济区", "TOTAL", "总指数", True, 90.0, 90.0, 0.0, None, None, None),
    ]
    parts = [("试算", "index", "LBGX", "X01", "研发投入", "contribution", 1.5, 1.5, "")]
    return ParkTrial(
        "2014", (ParkChange(2, "LBGX", "X01", 2014, 3.5, "", "核实", ("index",), 2.0),),
        pl.DataFrame(rows, schema=RESULT_COLUMNS, orient="row"), pl.DataFrame(parts, schema=PART_COLUMNS, orient="row"),
    )  # fmt: skip


def settled(browser: Browser, page: str, word: str) -> str:
    """The page once the work behind it is done."""
    for _ in range(200):
        text = browser.get(page).text
        if word not in text:
            return text
        time.sleep(0.02)
    raise AssertionError(f"{page} still says {word}")


def test_a_trial_is_marked_kept_for_its_maker_alone_and_says_why_where_there_is_none(
    inst: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, other, page, running = (
        signed_in(inst, "province_statistician"),
        signed_in(inst, "other"),
        "/what-if",
        "正在试算",
    )
    inst.submission("LBGX", period=Period(2014))
    asked = {"period": "2014"}
    for files in ([], [("a.xlsx", b"x")], [("a.csv", b"x"), ("b.csv", b"y")]):
        assert office.upload(page, files, page=page, fields=asked).status == 422, files
    assert office.upload(page, [("改.csv", b"unit")], page=page, fields=asked).location == f"{page}?done=trying"
    assert "没有算成" in settled(office, page, running)  # there is no snapshot of this home
    monkeypatch.setattr("ytb.portal.trying.reader", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr("ytb.portal.trying.live_inputs", lambda *_: None)
    monkeypatch.setattr("ytb.portal.trying.park_what_if", lambda *_: trial())
    assert office.upload(page, [("改.csv", b"unit")], page=page, fields=asked).status == 303
    text = settled(office, page, running)
    assert "试算 · 不保存 · 不发布" in text and "101.5000" in text and "+1.5000" in text and "经济区" not in text
    parts = text.partition("变动由哪些指标带来")[2].partition("</table>")[0]
    assert ">发展指数</td>" in parts and ">高新区</td>" in parts and ">index<" not in parts and ">LBGX<" not in parts
    assert "101.5000" not in other.get(page).text
