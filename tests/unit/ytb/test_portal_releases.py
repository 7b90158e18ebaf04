"""Before and after a release on the portal: calendar, checklist, preview, published pages, differences, from a figure to cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exports.manifest import MANIFEST, ReleaseMeta, file_sha256, write_manifest
from pipelines.corrections import grant
from pipelines.methods.reconciliation import RECORD_COLUMNS
from pipelines.previewing import make_preview, preview_mart, read_preview
from pipelines.release_checklist import is_ready, release_checklist
from pipelines.review import reminders
from schemas.canonical import frame_bytes
from schemas.errors import RefusalError
from schemas.period import Period
from sources.pool import Pool
from tests.paper_office import ACTOR, PaperOffice, firm, paper_office
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import CHEAP, PASSWORD
from warehouse import facts
from warehouse.ledger import access
from warehouse.ledger.administrative import record_import
from warehouse.ledger.corrections import ask_correction
from warehouse.ledger.evaluations import LadderStep, record_ladder_step
from warehouse.ledger.models import ROLES
from warehouse.ledger.periods import close_round
from warehouse.ledger.releases import record_release, releases, withdraw_release
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user
from warehouse.snapshots import publish_snapshot
from ytb.cli.main import main
from ytb.portal.application import create_app, portal_of
from ytb.portal.visit import Settings

Q1 = Period(2015, 1)
PARKS = {"LBGX": ["A1", "A2", "A3", "A4", "A5", "A6"], "LBJJ": ["B1", "B2", "B3"]}
FIRST, SECOND = "2015-Q1.r1", "2015-Q1.r2"
TABLE = "tables/monitoring_figures.parquet"


@dataclass
class Desk:
    paper: PaperOffice
    who: dict[str, Browser]
    asked: list[tuple[Period, str]]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A quarter reported; its preview computed; two releases made of the preview's tables, the second with one figure changed."""
    paper = paper_office(tmp_path_factory.mktemp("releases") / "home", PARKS)
    for park, units in PARKS.items():
        paper.file(park, Q1, {u: firm(100) for u in units}, upto="reported")
    make_preview(paper.office, paper.home, Q1, now=paper.at, actor="publisher")
    with facts.writer(paper.home.live) as con:
        publish_snapshot(con, paper.home.snapshots)
    _released(paper, FIRST, "100")
    _released(paper, SECOND, "101")
    kept = CHEAP.hash(PASSWORD)
    people = ("reviewer", "province_statistician", "publisher", "analyst", "assessor")
    with paper.office.ledger.write() as session:
        for name in people:
            add_user(session, name, title=ROLES[name], role=name, now=paper.at, actor=ACTOR)
            access.set_password(session, name, kept, one_time=False, now=paper.at, actor=ACTOR)
    asked: list[tuple[Period, str]] = []

    def preview(period: Period, actor: str) -> str:
        asked.append((period, actor))
        return "园区还没有报送。"

    pool = Pool(workers=1)
    portal = portal_of(
        paper.home, lambda: paper.at, Settings(hasher=CHEAP), office=paper.office, pool=pool, publish=lambda *_: None,
        preview=preview,
    )  # fmt: skip
    app: Any = create_app(portal)
    who = {}
    for name in people:
        who[name] = Browser(app)
        assert who[name].sign_in(name, PASSWORD).status == 303
    yield Desk(paper, who, asked)
    pool.close()


def _released(paper: PaperOffice, release: str, display: str) -> None:
    """A release folder as published, of the preview's figures; the revenue of one park reads ``display``."""
    folder = paper.home.releases / release
    (folder / "tables").mkdir(parents=True)
    marts = {}
    for mart in ("monitoring_figures", "monitoring_warnings"):
        is_it = pl.col("row_key") == "LBGX|total|T|F01|cumulative"
        frame = preview_mart(paper.home, Q1, mart).with_columns(
            release=pl.lit(release), display=pl.when(is_it).then(pl.lit(display)).otherwise("display")
        )
        frame.write_parquet(folder / "tables" / f"{mart}.parquet")
        marts[mart] = {"parquet": f"tables/{mart}.parquet", "rows": frame.height}
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<!doctype html><body><h1>看板</h1></body>", encoding="utf-8")
    meta = ReleaseMeta(release, Q1, paper.office.programme, paper.at, "1", submissions=())
    write_manifest(folder, meta, marts)
    document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    filed = {"id": "2015Q1-LBGX-0001", "park": "LBGX", "period": str(Q1), "revision": 1, "state": "reported"}
    document["submissions"] = [filed]
    (folder / MANIFEST).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    with paper.office.ledger.write() as session:
        record_release(
            session, release, period=Q1, manifest=file_sha256(folder / MANIFEST), now=paper.at, actor=ACTOR, note=""
        )


def test_a_preview_is_computed_protected_and_published_nowhere(desk: Desk) -> None:
    home = desk.paper.home
    found = read_preview(home, Q1)
    assert found is not None and (found.submissions, found.exposed, found.previous) == (2, 0, "")
    frame = preview_mart(home, Q1, "monitoring_figures")
    assert set(frame["release"]) == {"2015-Q1.preview"}
    assert frame.filter(row_key="LBGX|total|T|F01|cumulative")["value"][0] == 600.0
    with desk.paper.office.ledger.read() as session:
        assert [one.id for one in releases(session)] == [FIRST, SECOND]
    with facts.writer(home.live) as con:
        assert con.sql("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'published'").fetchone() == (0,)


def test_the_checklist_says_what_is_open_until_it_is_done(tmp_path: Path) -> None:
    made = paper_office(tmp_path / "home", PARKS)
    made.file("LBGX", Q1, {u: firm(100) for u in PARKS["LBGX"]}, upto="reported")

    def standing() -> dict[str, str]:
        items = release_checklist(made.office, made.home, Q1, now=made.at)
        assert not is_ready(items)
        return {item.key: item.standing.value for item in items}

    before = standing()
    assert {before[k] for k in ("round", "silent", "undecided", "preview")} == {"open"}
    assert {before[k] for k in ("hard", "mending", "queries", "ledger")} == {"done"} and before["missing"] == "note"
    made.file("LBJJ", Q1, {u: firm(100) for u in PARKS["LBJJ"]}, upto="accepted")
    with made.office.ledger.write() as session:
        close_round(session, Q1, now=made.at, actor=ACTOR)
    after = standing()
    assert (after["round"], after["silent"], after["missing"], after["undecided"]) == ("done", "done", "done", "open")
    assert (after["mending"], after["corrections"]) == ("done", "done")
    by: dict[str, Any] = {"now": made.at, "actor": ACTOR}
    with made.office.ledger.write() as session:
        asked = ask_correction(
            made.office.vault, session, "LBJJ", Q1, "营业收入漏报一家企业", [("说明.pdf", b"x")], **by
        )
    assert standing()["corrections"] == "open"  # waits for an answer
    grant(made.office, asked.id, until=made.at + timedelta(days=3), reason="准予", withdraw=False, **by)
    made.file("LBJJ", Q1, {u: firm(90) for u in PARKS["LBJJ"]}, upto="checked")
    drafted = standing()  # what was accepted stands, the draft is noted
    assert (drafted["mending"], drafted["hard"], drafted["corrections"]) == ("note", "done", "open")
    assert reminders(made.office, Q1, now=made.at, owing=list(PARKS)) == []
    made.file("LBJJ", Q1, {u: firm(95) for u in PARKS["LBJJ"]}, upto="accepted")
    assert standing()["corrections"] == "done"


def test_the_pages_before_a_release(desk: Desk) -> None:
    publisher = desk.who["publisher"]
    text = publisher.get("/release-check?period=2015-Q1").text
    assert "还有 2 项没有完成" in text and "还没有关网" in text and "2 份报送" in text
    shown = publisher.get("/release-preview/2015-Q1?measure=cumulative").text
    assert "预览 · 初步 · 未发布" in shown and "<svg" in shown and "溯源" not in shown
    assert desk.who["analyst"].get("/release-preview/2015-Q1").status == 404
    assert publisher.get("/release-preview/2014-Q1").status == 404
    assert publisher.post("/release-check/preview", {"period": "2015-Q1"}, page="/release-check").status == 303
    while "正在计算" in (text := publisher.get("/release-check?period=2015-Q1").text):
        pass
    assert "上次预览没有完成:园区还没有报送。" in text and desk.asked == [(Q1, "publisher")]


def test_a_release_is_announced_and_moves_only_with_a_reason(desk: Desk) -> None:
    publisher, due = desk.who["publisher"], (desk.paper.at + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    assert (
        "请填写发布时间"
        in publisher.post("/releases/dates", {"period": "2015-Q2", "due": "明天"}, page="/releases").text
    )
    past = publisher.post("/releases/dates", {"period": "2015-Q2", "due": "2014-01-01T09:00"}, page="/releases")
    assert past.status == 422 and "已过" in past.text
    asked = {"period": "2015-Q2", "due": due}
    assert publisher.post("/releases/dates", asked, page="/releases").location == "/releases?done=announced"
    assert "还有 " in desk.who["assessor"].get("/releases").text
    later = asked | {"due": (desk.paper.at + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M")}
    assert "改期须写明原因" in publisher.post("/releases/dates", later, page="/releases").text
    assert publisher.post("/releases/dates", later | {"reason": "节假日"}, page="/releases").status == 303
    assert "改过 1 次:节假日" in publisher.get("/releases").text


def test_published_figures_are_chosen_drawn_and_downloaded(desk: Desk) -> None:
    assessor = desk.who["assessor"]
    assert assessor.get("/").location == "/figures"
    assert "季度监测" in assessor.get("/figures").text
    page = "/figures/monitoring?area=LBGX&indicator=F01&measure=cumulative"
    text = assessor.get(page).text
    assert 'role="img"' in text and SECOND in text and "溯源" not in text and "101" in text
    assert assessor.get("/figures/nothing").status == 404
    assert "还没有发布" in assessor.get("/figures/index").text and assessor.get("/figures/index/csv").status == 404
    file = assessor.get("/figures/monitoring/csv?area=LBGX&indicator=F01&measure=cumulative")
    lines = file.body.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("发布,表,") and any("LBGX" in line and ",101," in line for line in lines[1:])
    assert assessor.get("/queue").status == 404 and assessor.get(f"/releases/{SECOND}/trace").status == 404
    page_of = f"/releases/{SECOND}"
    hasty = desk.who["publisher"].post(f"{page_of}/withdraw", {"reason": "练习撤回"}, page=page_of)
    assert (
        hasty.status == 422 and "须勾选确认" in hasty.text and 'value="练习撤回"' in hasty.text
    )  # on the release's own page
    with desk.paper.office.ledger.write() as session:
        withdraw_release(session, SECOND, reason="练习", now=desk.paper.at, actor=ACTOR)
    assert SECOND not in assessor.get(page).text and FIRST in assessor.get(page).text


def test_a_withdrawn_release_is_closed_to_all_but_who_releases_and_marked_for_them(desk: Desk) -> None:
    files = [f"/releases/{SECOND}{rest}" for rest in ("", "/files/site/index.html", f"/files/{TABLE}", "/changes")]
    for role in ("assessor", "analyst", "reviewer"):
        for page in files if role != "assessor" else files[:3]:
            answer = desk.who[role].get(page)
            assert answer.status == 410 and "这一发布已撤回" in answer.text and "原因:练习" in answer.text
    assert desk.who["reviewer"].get(f"/releases/{SECOND}/trace").status == 410
    publisher = desk.who["publisher"]
    own = publisher.get(files[0]).text
    assert "已撤回" in own and "练习" in own and "打开看板" not in own
    site = publisher.get(files[1])
    assert site.status == 200 and '<body><p role="alert"' in site.text and "已撤回,不得引用。原因:练习" in site.text
    assert "%E5%B7%B2%E6%92%A4%E5%9B%9E_" in publisher.get(files[2]).headers["content-disposition"]
    assert "打开看板" in desk.who["assessor"].get(f"/releases/{FIRST}").text
    assert "role=" not in desk.who["assessor"].get(f"/releases/{FIRST}/files/site/index.html").text
    listed = desk.who["assessor"].get("/releases").text
    assert f"/releases/{FIRST}/files/site" in listed and f"/releases/{SECOND}/files/site" not in listed
    assert SECOND not in desk.who["analyst"].get(f"/releases/{FIRST}/changes?against={SECOND}").text


def test_what_a_release_changed(desk: Desk) -> None:
    analyst, publisher = desk.who["analyst"], desk.who["publisher"]
    text = publisher.get(f"/releases/{SECOND}/changes").text
    assert "共 1 处" in text and "营业收入" in text and "<strong>101</strong>" in text
    assert "没有可比的发布" not in publisher.get(f"/releases/{FIRST}/changes?against={SECOND}").text
    assert analyst.get("/releases/2014-Q1.r1/changes").status == 404


def test_from_a_figure_to_its_cells_and_the_trail_says_which(desk: Desk) -> None:
    reviewer, page = desk.who["reviewer"], f"/releases/{FIRST}/trace"
    assert "从一个数到单元格" in reviewer.get(page).text
    asked = f"{page}?table=monitoring_figures&cell=LBGX%7Ctotal%7CT%7CF01%7Ccumulative:value"
    text = reviewer.get(asked).text
    assert "营业收入" in text and "报送(" in text
    assert "没有 row_key" in reviewer.get(f"{page}?table=monitoring_figures&cell=X:value").text
    with desk.paper.office.ledger.read() as session:
        seen = [e.payload for e in events(session, "trace")]
    assert any("F01" in str(one.get("asked")) for one in seen)


def test_the_commands(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(desk.paper.home.root)]
    assert main([*home, "--json", "publish", "--check", "--period", "2015-Q1"]) == 1
    assert {i["key"]: i["standing"] for i in json.loads(capsys.readouterr().out)}["ledger"] == "done"
    assert main([*home, "releases", "--announce", "2016-Q1", "--at", "2999-04-20T10:00"]) == 0
    assert "2999-04-20 10:00" in capsys.readouterr().out
    assert main([*home, "releases", "--announce", "2016-Q1", "--at", "bald"]) == 2
    assert main([*home, "diff", FIRST, SECOND]) == 0
    assert "101" in capsys.readouterr().out


def test_one_preview_at_a_time(desk: Desk) -> None:
    import threading

    from ytb.portal.previews import RUNNING, Previews

    go_on = threading.Event()
    slow = Previews(lambda *_: "" if go_on.wait(30) else "x")
    slow.start(Q1, "a")
    assert slow.said(Q1) == RUNNING
    with pytest.raises(RefusalError, match="正在计算另一个预览"):
        slow.start(Period(2015, 2), "a")
    go_on.set()


def test_an_assessor_reads_the_ladder_with_reasons_and_no_unit_data(desk: Desk) -> None:
    step = LadderStep(
        "move", "LBGX", 2015, desk.paper.at.date(), "normal", "warning", text="综合评价同类后百分之十", document="甘统〔2015〕1号",
        evidence=["综合评价得分 40.1"],
    )  # fmt: skip
    with desk.paper.office.ledger.write() as session:
        record_ladder_step(session, step, now=desk.paper.at, actor="province_statistician")
    text = desk.who["assessor"].get("/ladder").text
    assert "综合评价同类后百分之十" in text and "甘统〔2015〕1号" in text and "综合评价得分 40.1" in text
    for path in ("/unit-data", "/records", "/matters", f"/releases/{FIRST}/trace", "/review/2015Q1-LBGX-0001"):
        assert desk.who["assessor"].get(path).status == 404


def test_records_of_authorities_are_compared_and_what_differs_is_listed(desk: Desk) -> None:
    reviewer, vault = desk.who["reviewer"], desk.paper.office.vault
    assert "没有导入部门记录" in reviewer.get("/records?period=2015-Q1").text
    shared = {
        "import": 1,
        "kind": "tax",
        "authority": "税务局",
        "period": "2015-Q1",
        "indicator": "F01",
        "sheet": "s",
        "cell": "B2",
    }
    rows = [
        {
            **shared,
            "unit_id": unit,
            "unit_name": f"{unit}公司",
            "value": value,
            "text": None,
            "tolerance_percent": 1.0,
            "tolerance_amount": 0.0,
        }
        for unit, value in (("A1", 100.0), ("A2", 250.0))
    ]
    frame = pl.DataFrame(rows, schema=RECORD_COLUMNS)
    blobs = [vault.put(content).sha256 for content in (b"book", b"map", frame_bytes(frame))]
    with desk.paper.office.ledger.write() as session:
        record_import(
            session, "tax", "税务局", "增值税申报", "税务.xlsx", book=blobs[0], mapping=blobs[1], records=blobs[2],
            now=desk.paper.at, actor=ACTOR,
        )  # fmt: skip
    text = reviewer.get("/records?period=2015-Q1&indicator=F01").text
    assert "A2公司" in text and "A1公司</th>" not in text and "超出容差" in text and "-150" in text
    assert "标出 1 点:A2公司" in text and "增值税申报" in text
