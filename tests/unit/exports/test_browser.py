"""The dashboard in a real browser, opened from the folder: no script error, no request outside, choices show published figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Page, sync_playwright

from exports.manifest import ReleaseMeta
from exports.release import write_release

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the dashboard is not tried in a browser"),
]
PAGES = ("index", "parks", "series", "warnings", "development", "evaluation", "targets", "innovation", "quality")
WIDTHS = {"desk": (1366, 768), "phone": (390, 844)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, marts: Any, meta: ReleaseMeta, earlier: Any) -> Path:
    target = tmp_path_factory.mktemp("browser") / "r"
    write_release(marts, target, meta, earlier=earlier)
    return target


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = WIDTHS[request.param]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": width, "height": height})
        browser.close()


def test_every_page_opens_from_the_folder_without_error_or_request_outside(page: Page, folder: Path) -> None:
    problems: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda asked: requests.append(asked.url))
    for name in PAGES:
        page.goto((folder / f"site/{name}.html").as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert wide, f"{name} is wider than the screen"
        drawn = page.evaluate(
            "[...document.querySelectorAll('.chart .canvas')].filter(c => c.offsetParent && !c.querySelector('svg')).length"
        )
        assert drawn == 0, f"{name} has a chart that was not drawn"
    assert problems == []
    assert all(url.startswith(("file://", "data:")) for url in requests)


def test_a_choice_shows_the_published_figures(page: Page, folder: Path) -> None:
    page.goto((folder / "site/parks.html").as_uri())
    page.select_option("form[data-page=parks] select[name=indicator]", "P01")
    rows = page.eval_on_selector_all(
        "#parks-table tbody tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    )
    figures = pl.read_parquet(folder / "tables/monitoring_figures.parquet").filter(indicator="P01", breakdown="total")
    cube = json.loads((folder / "site/data/parks.js").read_text(encoding="utf-8")[len("window.YTB = ") : -2])["cube"]
    names = {name: code for code, name, _ in cube["areas"]}
    assert [row[0] for row in rows] == [name for _, name, _ in cube["areas"]]
    for name, *shown in rows:
        own = {row["measure"]: row["display"] for row in figures.filter(area=names[name]).to_dicts()}
        assert shown == [own[measure] for measure, _ in cube["measures"] if measure in cube["units"]["P01"]]


def test_the_search_of_targets_hides_what_does_not_match(page: Page, folder: Path) -> None:
    page.goto((folder / "site/targets.html").as_uri())
    page.fill("form[data-page=filter] input[name=text]", "众创空间")
    assert page.locator("main tbody tr:visible").count() == 1
    assert page.locator(".count").inner_text() == "找到 1 行"


def test_the_keyboard_reaches_the_content_and_the_choices(page: Page, folder: Path) -> None:
    page.goto((folder / "site/parks.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "indicator"
