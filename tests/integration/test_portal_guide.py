"""The pages of a statistician, a park, an enterprise and an auditor with figures in them: axe-core, no overflow, pictures for the guides.

``YTB_SCREENSHOTS=docs/images`` makes the pictures that the guides show; without it only the pages with charts and histories are
opened, which the tests of pages without figures (``test_portal_accessible``) do not see.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exports.manifest import MANIFEST, ReleaseMeta, file_sha256, write_manifest
from pipelines.methods.reconciliation import RECORD_COLUMNS
from pipelines.previewing import make_preview, preview_mart
from schemas.canonical import frame_bytes
from schemas.period import Period
from schemas.uscc import check_character, organisation_check_character
from tests.paper_office import ACTOR, PaperOffice, firm, soft_finding
from tests.served_portal import DESK, PHONE, chromium, serving
from tests.unit.ytb.paper_portal import PaperPortal
from tests.unit.ytb.portal_office import PASSWORD
from warehouse import facts
from warehouse.ledger.administrative import record_import
from warehouse.ledger.register import UnitEvent, record_unit_events
from warehouse.ledger.releases import record_release
from warehouse.snapshots import publish_snapshot

BEFORE, EARLIER, NOW = Period(2014, quarter=2), Period(2015, quarter=1), Period(2015, quarter=2)
LARGE = "2015Q2-LBGX-0001"


def code(n: int) -> str:
    """A credit code that nobody has."""
    body = f"X{n:07d}"
    first = f"91620102{body}{organisation_check_character(body)}"
    return first + check_character(first)


UNITS = {"LBGX": [code(n) for n in range(24)], "LBJJ": [code(100 + n) for n in range(9)]}
KINDS = ("新材料", "生物制药", "石化装备", "精密仪器", "软件", "环保科技", "种业", "光电")
ROLES = (
    "reviewer", "province_statistician", "publisher", "analyst", "auditor", "park_reporter-LBGX", "park_reporter-LBJJ",
)  # fmt: skip
#: What of an A4 page lies between its margins, in the pixels of a browser.
PAPER = {"width": 680, "height": 960}
#: Picture → who looks, at which page.
PAGES = {
    "casefile": ("reviewer", f"/review/{LARGE}#scatter"),
    "unit-history": ("reviewer", f"/review/{LARGE}/units/{UNITS['LBGX'][3]}"),
    "on-site": ("reviewer", f"/review/{LARGE}/on-site"),
    "check-table": ("reviewer", f"/submissions/{LARGE}/check-table"),
    "matters": ("reviewer", "/matters?period=2015-Q2"),
    "records": ("reviewer", "/records?period=2015-Q1&indicator=F01"),
    "rules-fired": ("reviewer", "/rules-fired?period=2015-Q2"),
    "trace": ("reviewer", "/releases/2015-Q1.r1/trace?table=monitoring_figures&cell=LBGX%7Ctotal%7CT%7CF01%7Ccumulative:value"),
    "reminders": ("province_statistician", "/reminders?period=2015-Q2"),
    "release-check": ("province_statistician", "/release-check?period=2015-Q1"),
    "unit-data": ("province_statistician", "/unit-data"),
    "figures": ("analyst", "/figures/monitoring?indicator=F01&measure=cumulative"),
    "release-changes": ("analyst", "/releases/2015-Q1.r2/changes"),
    "trail": ("auditor", "/trail"),
    "park-results": ("park_reporter-LBGX", "/results"),
    "park-data": ("park_reporter-LBGX", "/data"),
    "park-enterprises": ("park_reporter-LBGX", "/park/LBGX/2015-Q2/enterprises"),
    "park-changes": ("park_reporter-LBJJ", "/submissions/2015Q2-LBJJ-0002/changes"),
}  # fmt: skip

WITH_CHARTS = ("casefile", "check-table", "unit-history", "records", "trace", "park-results")


def revenue(n: int, period: Period) -> int:
    """Figures that grow by some per cent a year, each unit at its own pace."""
    return (1 + n * n) * 1000 * (100 + (period.year - 2014) * (n % 7)) // 100 * (period.quarter or 4)


def name_of(n: int) -> str:
    return f"甘肃{KINDS[n % 8]}{n + 1}号有限公司"


def figures(park: str, period: Period) -> dict[str, dict[str, object]]:
    return {unit: firm(revenue(n, period), 20 + n) | {"B02": name_of(n)} for n, unit in enumerate(UNITS[park])}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> PaperPortal:
    portal = PaperPortal(tmp_path_factory.mktemp("guide") / "home", UNITS, ROLES)
    paper = portal.paper
    named = [
        UnitEvent(unit, "change", date(2013, 1, 2), park, "", {"B02": name_of(n)}, "营业执照")
        for park, units in UNITS.items() for n, unit in enumerate(units)
    ]  # fmt: skip
    with paper.office.ledger.write() as session:
        record_unit_events(session, named, now=paper.at, actor=ACTOR)
    for period in (BEFORE, EARLIER):
        for park in UNITS:
            paper.file(park, period, figures(park, period))
    suspect, other = UNITS["LBGX"][3], UNITS["LBGX"][9]
    leap = [soft_finding(suspect, "AF15", "F01", "F01=940000"), soft_finding(other, "AF15", "F01", "F01=12")]
    reported = figures("LBGX", NOW)
    reported[suspect] |= {"F01": 940_000}
    reported[other] |= {"F01": 12}
    paper.file("LBGX", NOW, reported, findings=leap, upto="reported")
    wrong = {**soft_finding(UNITS["LBJJ"][1], "AF02", "F01", "F01=5"), "severity": "hard"}
    first = figures("LBJJ", NOW)
    first[UNITS["LBJJ"][1]] |= {"F01": 5}
    paper.file("LBJJ", NOW, first, findings=[wrong], upto="checked")
    paper.file("LBJJ", NOW, figures("LBJJ", NOW), findings=[leap[1] | {"unit_id": UNITS["LBJJ"][2]}], upto="checked")
    make_preview(paper.office, paper.home, EARLIER, now=paper.at, actor="publisher")
    with facts.writer(paper.home.live) as con:
        publish_snapshot(con, paper.home.snapshots)
    for release, factor in (("2015-Q1.r1", 1), ("2015-Q1.r2", 2)):
        released(paper, release, factor)
    records(paper)
    return portal


def released(paper: PaperOffice, release: str, factor: int) -> None:
    """A release of the preview's figures; in the second one figure reads otherwise."""
    folder, marts = paper.home.releases / release, {}
    (folder / "tables").mkdir(parents=True)
    for mart in ("monitoring_figures", "monitoring_warnings"):
        changed = pl.when((pl.col("row_key") == "LBGX|total|T|F01|cumulative") & (factor > 1))
        frame = preview_mart(paper.home, EARLIER, mart).with_columns(
            release=pl.lit(release),
            display=changed.then(pl.lit("4467120")).otherwise("display"),
            value=changed.then(pl.lit(4_467_120.0)).otherwise("value"),
        )
        frame.write_parquet(folder / "tables" / f"{mart}.parquet")
        marts[mart] = {"parquet": f"tables/{mart}.parquet", "rows": frame.height}
    write_manifest(folder, ReleaseMeta(release, EARLIER, paper.office.programme, paper.at, "1", submissions=()), marts)
    document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    document["submissions"] = [
        {"id": f"2015Q1-{park}-0001", "park": park, "period": str(EARLIER), "revision": 1, "state": "accepted"}
        for park in UNITS
    ]
    (folder / MANIFEST).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    with paper.office.ledger.write() as session:
        record_release(
            session,
            release,
            period=EARLIER,
            manifest=file_sha256(folder / MANIFEST),
            now=paper.at,
            actor=ACTOR,
            note="",
        )


def records(paper: PaperOffice) -> None:
    """What the tax office says of the park's revenues: mostly the same."""
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
        shared | {"unit_id": unit, "unit_name": name_of(n), "value": revenue(n, EARLIER) * (1.6 if n in (4, 11) else 1.0),
                  "text": None, "tolerance_percent": 1.0, "tolerance_amount": 0.0}
        for n, unit in enumerate(UNITS["LBGX"])
    ]  # fmt: skip
    vault = paper.office.vault
    blobs = [vault.put(c).sha256 for c in (b"book", b"map", frame_bytes(pl.DataFrame(rows, schema=RECORD_COLUMNS)))]
    with paper.office.ledger.write() as session:
        record_import(
            session, "tax", "税务局", "增值税申报", "税务.xlsx", book=blobs[0], mapping=blobs[1], records=blobs[2],
            now=paper.at, actor=ACTOR,
        )  # fmt: skip


@pytest.fixture(scope="module")
def seats(made: PaperPortal) -> Iterator[dict[str, Any]]:
    """A page of the browser for everybody, signed in."""
    with chromium() as browser, serving(made.app) as address:
        found = {}
        for name in ROLES:
            page = browser.new_context(locale="zh-CN", viewport=DESK, base_url=address).new_page()
            page.goto("/sign-in")
            page.fill("#name", name)
            page.fill("#password", PASSWORD)
            page.click("button.button")
            page.wait_for_load_state()
            found[name] = page
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("picture", PAGES if os.environ.get("YTB_SCREENSHOTS") else WITH_CHARTS)
def test_a_page_with_figures_in_it_can_be_read_by_everybody(picture: str, seats: dict[str, Any]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    who, path = PAGES[picture]
    page, complaints = seats[who], list[str]()
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.set_viewport_size(DESK)
    answer = page.goto(path)
    assert answer is None or answer.status == 200
    grave = [v for v in axe.run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    assert not grave, [(v["id"], v["nodes"][0]["html"][:200]) for v in grave]
    shot(page, picture)
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], size
    shot(page, picture, "YTB_PAGES")
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"], "cut off on paper"
    page.emulate_media(media="screen")
    assert not complaints


def shot(page: Any, name: str, folder: str = "YTB_SCREENSHOTS") -> None:
    if at := os.environ.get(folder):
        suffix = "" if folder == "YTB_SCREENSHOTS" else "-phone"
        page.screenshot(path=str(Path(at) / f"{name}{suffix}.png"), full_page=folder != "YTB_SCREENSHOTS")
