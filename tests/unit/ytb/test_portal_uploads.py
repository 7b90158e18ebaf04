"""What stands between an upload and the check: the scanner, the quota of a day, the key of a program's request."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipelines.letting_in import INFECTED, open_office
from sources.antivirus import Scanner
from sources.pool import Pool
from tests.unit.sources.test_antivirus import STAND_IN
from tests.unit.ytb.portal_browser import Answer, Browser
from tests.unit.ytb.portal_office import CHEAP, PASSWORD, UNIT, Installation, installation
from warehouse.home import load_config
from warehouse.ledger import trail
from warehouse.ledger.submissions import submissions
from ytb.portal.application import create_app, portal_of
from ytb.portal.visit import Portal, Settings

CLERK = "park_reporter-LBGX"
API = "/api/v1/parks/LBGX/periods/2015-Q1/submissions"
ROUND = "/park/LBGX/2015-Q1"


@pytest.fixture
def inst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Pool(workers=1) as pool:
        yield installation(tmp_path_factory.mktemp("uploads") / "home", pool)


def portal(inst: Installation, **changed: Any) -> Portal:
    # Nothing is checked here: the answer is the acknowledgement.
    office = replace(inst.office, scanner=changed.pop("scanner", None))
    made = portal_of(inst.home, lambda: inst.at, Settings(hasher=CHEAP, patience=0.0), office=office)
    return replace(made, **changed)


def send(inst: Installation, made: Portal, data: bytes, key: str | None = None) -> Answer:
    headers = {"Authorization": f"Bearer {inst.token(CLERK, 'submit')}"} | (
        {"Idempotency_Key": key} if key is not None else {}
    )
    return Browser(create_app(made)).upload(API, [("报表.csv", data)], **headers)


def filed(inst: Installation) -> list[str]:
    with inst.office.ledger.read() as session:
        return [one.number for one in submissions(session, park="LBGX")]


def test_an_infected_file_is_refused_with_a_code_and_leaves_nothing(inst: Installation) -> None:
    guarded = portal(inst, scanner=Scanner([sys.executable, "-c", STAND_IN]))
    refused = send(inst, guarded, b"EICAR")
    assert refused.status == 422 and json.loads(refused.body)["type"] == "urn:ytb:problem:infected"
    clerk = Browser(create_app(guarded))
    clerk.sign_in(CLERK, PASSWORD)
    page = clerk.upload(f"{ROUND}/submissions", [("报表.xlsx", b"EICAR")], page=ROUND)
    assert page.status == 422 and "没有通过病毒检查" in page.text
    assert filed(inst) == [] and not list((inst.home.vault / "tmp").iterdir())
    with inst.office.ledger.read() as session:
        told = [one for one in trail.events(session) if one.action == INFECTED]
    assert [(one.actor, one.payload["name"]) for one in told] == [(CLERK, "报表.csv"), (CLERK, "报表.xlsx")]
    assert told[0].payload["sha256"] == hashlib.sha256(b"EICAR").hexdigest()
    assert send(inst, guarded, b"clean").status == 201
    silent = portal(inst, scanner=Scanner(["/nonexistent"]))
    assert send(inst, silent, b"other").status == 503 and len(filed(inst)) == 1


def test_a_park_begins_so_many_submissions_a_day_and_no_more(inst: Installation) -> None:
    made = portal(inst, daily_quota=2)
    assert [send(inst, made, data).status for data in (b"a", b"b", b"b")] == [201, 201, 201]
    refused = send(inst, made, b"c")
    assert refused.status == 429 and "每天最多上传 2 次" in json.loads(refused.body)["detail"]
    assert int(refused.headers["retry-after"]) == 14 * 3600 + 1  # it is ten in the morning
    assert send(inst, made, b"b").status == 201 and len(filed(inst)) == 2  # the newest once more is none more
    inst.at += timedelta(hours=14)
    assert send(inst, made, b"c").status == 201
    assert send(inst, portal(inst, daily_quota=0), b"d").status == 201


def test_an_enterprise_hands_in_so_many_workbooks_a_day_and_no_more(inst: Installation) -> None:
    made = portal(inst, daily_quota=2)
    path = f"/api/v1/parks/LBGX/enterprises/{UNIT}/periods/2015-Q1/returns"

    def hand_in(data: bytes, key: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {inst.token('enterprise', 'submit')}"} | (
            {"Idempotency_Key": key} if key else {}
        )
        return Browser(create_app(made)).upload(path, [("本单位.csv", data)], **headers)

    assert [hand_in(data).status for data in (b"a", b"b", b"b")] == [201, 201, 201]
    refused = hand_in(b"c")
    assert refused.status == 429 and "每个企业每天最多上传 2 次" in json.loads(refused.body)["detail"]
    page, firm = f"/enterprises/LBGX/{UNIT}/2015-Q1", Browser(create_app(made))
    firm.sign_in("enterprise", PASSWORD)
    assert firm.upload(f"{page}/returns", [("本单位.csv", b"d")], page=page).status == 429
    assert send(inst, made, b"a").status == 201  # the park's own uploads are counted apart
    inst.at += timedelta(hours=14)
    first = json.loads(hand_in(b"c", "k").body)["return"]
    assert json.loads(hand_in(b"c", "k").body)["return"] == first and hand_in(b"x", "k").status == 409


def test_the_same_key_and_content_is_the_same_submission_and_other_content_is_refused(inst: Installation) -> None:
    made = portal(inst)
    first = json.loads(send(inst, made, b"a", "k-1").body)["submission"]
    assert json.loads(send(inst, made, b"b", "k-2").body)["submission"] != first
    again = send(inst, made, b"a", "k-1")  # without the key this would be a third revision
    assert again.status == 201 and json.loads(again.body)["submission"] == first and len(filed(inst)) == 2
    other = send(inst, made, b"c", "k-1")
    assert other.status == 409 and other.headers["content-type"] == "application/problem+json"
    assert "内容不同" in json.loads(other.body)["detail"] and len(filed(inst)) == 2
    assert json.loads(send(inst, made, b"a").body)["submission"] not in (first,) and len(filed(inst)) == 3


@pytest.mark.parametrize("key", ["", "x" * 65, "a b"])
def test_a_key_that_is_none_is_refused(inst: Installation, key: str) -> None:
    assert send(inst, portal(inst), b"a", key).status == 400 and filed(inst) == []


def test_the_configuration_names_scanner_and_quota(inst: Installation) -> None:
    with inst.home.config_file.open("a", encoding="utf-8") as file:
        file.write('\n[uploads]\ndaily_quota = 7\nscanner = "clamdscan --fdpass {file}"\n')
    opened = open_office(inst.home, inst.office.programme)
    made = portal_of(inst.home, lambda: inst.at, Settings(hasher=CHEAP), office=opened)
    assert made.daily_quota == load_config(inst.home).uploads.daily_quota == 7
    assert opened.scanner is not None and list(opened.scanner.command) == ["clamdscan", "--fdpass", "{file}"]
