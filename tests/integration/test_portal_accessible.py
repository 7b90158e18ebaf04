"""Every page a person of any role comes to by links: axe-core finds nothing serious, nothing runs out of the window.

Once on an installation where nothing has happened yet, by a park, a statistician and an administrator, once with long names,
hundreds of findings and every state, by everybody. A page that two roles see in the same make is looked at once;
YTB_EVERY_ROLE=1 looks at all, YTB_PAGES=DIR keeps pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.served_portal import DESK, PHONE, chromium, pages_by_links, serving
from tests.unit.ytb.portal_browser import commands_told
from tests.unit.ytb.portal_office import PASSWORD, Installation, installation, user_of
from tests.unit.ytb.portal_story import fill
from warehouse.ledger.models import ROLES

GRAVE = ("serious", "critical")
FIRST_TO_COME = ("park_reporter", "province_statistician", "administrator")
OUTSIDE = ("/sign-in", "/verify", "/help")


@dataclass
class Looked:
    browser: Any
    address: str
    inst: Installation
    axe: Any
    known: set[tuple[object, ...]]

    def enter(self, role: str) -> Any:
        """A context in which somebody of this role is signed in."""
        context = self.browser.new_context(locale="zh-CN", viewport=DESK)
        page = context.new_page()
        page.goto(f"{self.address}/sign-in")
        page.fill("#name", user_of(role))
        page.fill("#password", PASSWORD)
        page.click("button.button")
        page.wait_for_load_state()
        assert "/sign-in" not in page.url, role
        return context

    def complaints(self, context: Any, paths: list[str], shots: str = "") -> list[str]:
        """What is wrong with these pages, on a desk and on a phone."""
        page, found = context.pages[0], []
        errors: list[str] = []
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        for path in paths:
            page.set_viewport_size(DESK)
            page.goto(self.address + path)
            found += [f"{path} [{v['impact']}] {v['id']}: {v['nodes'][0]['html'][:160]}"
                      for v in self.axe.run(page).response["violations"] if v["impact"] in GRAVE]  # fmt: skip
            found += [f"{path} tells a command: {line[:120]}" for line in commands_told(page.inner_text("body"))]
            self._shot(page, shots, path, "desk")
            for size in (DESK, PHONE):
                page.set_viewport_size(size)
                wide = page.evaluate("document.documentElement.scrollWidth")
                found += [f"{path} is {wide} wide in a window of {size['width']}"] if wide > size["width"] else []
            self._shot(page, shots, path, "phone")
        return found + errors

    def new_among(self, paths: dict[str, tuple[object, ...]]) -> list[str]:
        """The pages that no other role has shown in the same make; all of them where YTB_EVERY_ROLE is set."""
        new = [p for p, made_of in paths.items() if made_of not in self.known or os.environ.get("YTB_EVERY_ROLE")]
        self.known |= set(paths.values())
        return sorted(new)

    def _shot(self, page: Any, shots: str, path: str, size: str) -> None:
        if folder := os.environ.get("YTB_PAGES"):
            name = f"{shots}{path}".replace("/", "_").replace("?", "_").replace("&", "_")[:100]
            page.screenshot(path=str(Path(folder) / f"{name}-{size}.png"), full_page=True)


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looked]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    made = installation(tmp_path_factory.mktemp("looked") / "home")
    with chromium() as browser, serving(made.app) as address:
        yield Looked(browser, address, made, axe.Axe(), set())


@pytest.fixture(scope="module")
def filled(looked: Looked) -> Looked:
    """The installation once much has happened; for the tests after the first."""
    fill(looked.inst)
    return looked


@pytest.mark.slow
def test_every_page_before_anything_has_happened(looked: Looked) -> None:
    found: list[str] = []
    for role in ROLES if os.environ.get("YTB_EVERY_ROLE") else FIRST_TO_COME:
        context = looked.enter(role)
        paths, dead = pages_by_links(context, looked.address)
        assert len(paths) > 2, role
        found += dead
        found += looked.complaints(context, looked.new_among(paths), f"empty_{role}")
        context.close()
    outside = looked.browser.new_context(locale="zh-CN", viewport=DESK)
    outside.new_page()
    found += looked.complaints(outside, list(OUTSIDE), "empty")
    outside.close()
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_every_page_with_long_names_and_hundreds_of_findings(filled: Looked) -> None:
    looked = filled
    found, met = list[str](), set[str]()
    for role in ROLES:
        context = looked.enter(role)
        paths, dead = pages_by_links(context, looked.address)
        found += dead
        met |= set(paths)
        found += looked.complaints(context, looked.new_among(paths), f"full_{role}")
        context.close()
    assert not found, "\n".join(found)
    assert met


@pytest.mark.slow
def test_words_for_the_blind_in_a_wide_table_do_not_widen_the_page_of_a_phone(looked: Looked) -> None:
    context = looked.enter("reviewer")
    page = context.pages[0]
    page.set_viewport_size(PHONE)
    page.goto(f"{looked.address}/figures")
    # A table of figures as of a release: the links 溯源 stand in its last column, behind the edge of the window.
    cells = "".join(f"<td class='t'>第 {n} 列的一个长名称</td>" for n in range(8))
    link = "<td><a href='#'>溯源<span class='hidden-text'> 兰州高新区</span></a></td>"
    page.evaluate(
        "html => document.querySelector('main').insertAdjacentHTML('beforeend', html)",
        f"<div class='table-wrap'><table><tbody><tr>{cells}{link}</tr></tbody></table></div>",
    )
    assert page.evaluate("document.querySelector('.table-wrap').scrollWidth") > PHONE["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()


@pytest.mark.slow
def test_on_a_phone_findings_stand_as_cards_that_are_still_a_table_and_all_of_the_queue_is_chosen_at_once(
    filled: Looked,
) -> None:
    looked = filled
    context = looked.enter("province_statistician")
    page = context.pages[0]
    page.set_viewport_size(PHONE)
    page.goto(f"{looked.address}/queue")
    boxes = "main input[type=checkbox][name=number]"
    count = page.locator(boxes).count()
    assert count > 1
    page.click("button:has-text('全选')")
    assert page.locator(f"{boxes}:checked").count() == count
    page.click("button:has-text('全不选')")
    assert page.locator(f"{boxes}:checked").count() == 0
    page.goto(f"{looked.address}/review/2015Q1-LBGX-0002")
    assert page.evaluate(
        "[...document.querySelectorAll('.findings')].every(t => t.parentElement.scrollWidth <= t.parentElement.clientWidth)"
    )
    table = page.get_by_role("table").and_(page.locator(".findings")).first
    assert table.get_by_role("columnheader", name="填报值").count() == 1
    assert table.get_by_role("row").count() > 2 and table.get_by_role("cell").count() > 2
    said = page.evaluate("getComputedStyle(document.querySelector('.findings td.place'), '::before').content")
    assert "位置" in said
    context.close()
