"""Enterprises and their park, over the portal with real workbooks: from the first download to the park's report."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pipelines.templates import template_for
from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import SHANGHAI, TinyOffice, tiny_office
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import CHEAP
from warehouse.ledger import access
from warehouse.ledger.enterprise_accounts import add_enterprise_account
from warehouse.ledger.enterprise_returns import EnterpriseReturn, enterprise_return
from warehouse.ledger.register import UnitEvent, record_unit_events
from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.states import State
from warehouse.ledger.submissions import latest, submission, submissions
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user
from warehouse.ledger.verify import verify_ledger
from ytb.cli.main import main
from ytb.cli.remote import Server
from ytb.demo.filling import fill, saved
from ytb.portal.application import create_app, portal_of
from ytb.portal.visit import Settings

Q2 = Period(2014, quarter=2)
NOW = datetime(2014, 7, 2, 9, 0, tzinfo=SHANGHAI)
PARK, PASSWORD = "LBGX", "Tuesday-Rain-7"
HERE = f"/park/{PARK}/{Q2}"
PDF = b"%PDF-1.4\n%%EOF\n"
SIGNED = {"unit_head": "王负责", "statistics_head": "李统计", "filled_by": "张填表", "telephone": "0931-8888888"}


@dataclass
class Served:
    tiny: TinyOffice
    app: Any
    park: Browser
    firm: Browser
    units: list[str]
    books: dict[str, bytes] = field(default_factory=dict)

    def returned(self, number: str) -> EnterpriseReturn:
        """A return, once its check is made."""
        until = time.monotonic() + 60
        while True:
            with self.tiny.office.ledger.read() as session:
                found = enterprise_return(session, number)
            if found.state is not ReturnState.RECEIVED or time.monotonic() > until:
                return found
            time.sleep(0.05)

    def filled(self, template: bytes) -> bytes:
        """A template with the demo's figures."""
        return saved(fill(template, dict(self.tiny.figures.enterprises(PARK, Q2)), {}))

    def hand_in(self, data: bytes) -> EnterpriseReturn:
        """Upload a workbook as the first enterprise."""
        page = f"/enterprises/{PARK}/{self.units[0]}/{Q2}"
        answer = self.firm.upload(f"{page}/returns", [("报表.xlsx", data)], page=page)
        assert answer.status == 303, answer.text
        return self.returned(answer.location.split("?")[0].removeprefix("/returns/"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    tiny = tiny_office(tmp_path_factory.mktemp("gathering") / "home", enterprises=16)
    tiny.open_round(Q2, NOW)
    of, kept = tiny.office, CHEAP.hash(PASSWORD)
    units = sorted(tiny.figures.year(2014).filter(park=PARK)["B01"])
    with of.ledger.write() as session:
        add_user(session, "park", title="填报员", role="park_reporter", park=PARK, now=NOW, actor="x")
        add_enterprise_account(session, park=PARK, unit_id=units[0], title="张会计", now=NOW, actor="park")
        for name in ("park", units[0]):
            access.set_password(session, name, kept, one_time=False, now=NOW, actor="x")
    pool = Pool(workers=1, preload=("sources.reader",))
    clock = lambda: NOW + timedelta(minutes=5)  # noqa: E731
    portal = portal_of(
        tiny.home, clock, Settings(hasher=CHEAP, patience=300), office=of, pool=pool, publish=lambda *_: None
    )
    app = create_app(portal)
    park, firm = Browser(app), Browser(app, client="10.0.0.2")
    assert park.sign_in("park", PASSWORD).status == firm.sign_in(units[0], PASSWORD).status == 303
    yield Served(tiny, app, park, firm, units)
    with of.ledger.read() as session:
        assert verify_ledger(session).problems == ()
    portal.examiner.close()
    pool.close()


def test_from_the_enterprises_download_to_the_parks_report(served: Served) -> None:
    tiny, units, firm = served.tiny, served.units, served.firm
    # the enterprise: its own workbook, a fault, the marked copy, the right figure, its confirmation
    page = f"/enterprises/{PARK}/{units[0]}/{Q2}"
    template = firm.get(f"{page}/template")
    assert "attachment" in template.headers["content-disposition"]
    right = served.filled(template.body)
    book = openpyxl.load_workbook(io.BytesIO(right))
    sheet = book["财务状况"]
    row = next(r for r in range(1, 20) if sheet.cell(r, 1).value == "B01")
    column = next(c for c in range(1, 200) if sheet.cell(row, c).value == "F01")
    sheet.cell(row + 1, column).value = "一百万"
    faulty = served.hand_in(saved(book))
    shown = firm.get(f"/returns/{faulty.number}").text
    assert faulty.state is ReturnState.FAULTY and "一百万" in shown and "财务状况" in shown and "怎么改" in shown
    marked = firm.get(f"/returns/{faulty.number}/marked")
    assert "审核结果" in openpyxl.load_workbook(io.BytesIO(marked.body)).sheetnames
    assert firm.get(f"/returns/{faulty.number}/file").headers["content-disposition"].startswith("attachment")
    clean = served.hand_in(right)
    assert (clean.state, clean.revision) == (ReturnState.CLEAN, 2)
    at = f"/returns/{clean.number}"
    assert firm.post(f"{at}/confirm", SIGNED, page=at).status == 422  # without the declaration
    assert firm.post(f"{at}/confirm", SIGNED | {"confirmed": "1"}, page=at).location == f"{at}?done=confirmed_own"
    # the park: nothing of it stands in a submission yet
    with tiny.office.ledger.read() as session:
        assert submissions(session) == []
    by_mail(served)
    collate_and_report(served, clean)


def by_mail(served: Served) -> None:
    """The others come by mail, in a zip with the list of confirmations and a paper; one is confirmed on the page."""
    park, units = served.park, served.units
    others, packed = units[1:], io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for unit in others:
            data = park.get(f"/enterprises/{PARK}/{unit}/{Q2}/template").body
            archive.writestr(f"企业/{unit}.xlsx", served.filled(data))
        rows = [f"{unit},赵经理,2014-07-01,打印盖章,盖章.pdf" for unit in others[1:]]
        archive.writestr("确认.csv", "\n".join(["统一社会信用代码,确认人,确认日期,确认方式,证明文件", *rows]))
        archive.writestr("盖章.pdf", PDF)
    refused = park.upload(f"{HERE}/mail", [("x.zip", b"PK\x03\x04")], page=f"{HERE}/collate")
    assert refused.status == 422
    entered = park.upload(f"{HERE}/mail", [("企业.zip", packed.getvalue())], page=f"{HERE}/collate")
    assert entered.status == 200 and f"收下 {len(others)} 个工作簿" in entered.text and "没有收" not in entered.text
    number = f"2014Q2-{PARK}-{others[0]}-01"
    fields = {"confirmed_by": "孙经理", "confirmed_on": "2014-07-01", "basis": "电话"}
    bad = park.upload(f"/returns/{number}/confirm-for", [("a.pdf", b"MZ")], page=f"/returns/{number}", fields=fields)
    assert bad.status == 422 and "不是完整的 PDF" in bad.text
    good = park.upload(f"/returns/{number}/confirm-for", [("a.pdf", PDF)], page=f"/returns/{number}", fields=fields)
    assert good.location == f"/returns/{number}?done=confirmed_for"
    paper = park.get(f"/returns/{number}/evidence")
    assert paper.body == PDF and paper.headers["content-disposition"].startswith("attachment")
    assert served.firm.get(f"/returns/{number}").status == 404


def collate_and_report(served: Served, own: EnterpriseReturn) -> None:
    """One click; then findings, explanations and report as for every submission."""
    tiny, units, park = served.tiny, served.units, served.park
    of = tiny.office
    template = template_for(of, of.programme, Q2, PARK, as_of=Q2.end)
    sheets = saved(fill(template, {}, tiny.figures.sheet(PARK, Q2)))
    assert f"汇集 {len(units)} 家" in park.get(f"{HERE}/collate").text
    answer = park.upload(f"{HERE}/collate", [("园区表.xlsx", sheets)], page=f"{HERE}/collate")
    with of.ledger.read() as session:
        found = latest(session, PARK, Q2)
    assert found is not None and answer.location == f"/submissions/{found.number}"
    assert {f.role for f in found.files} == {*units, ""}
    base = f"/submissions/{found.number}"
    if found.state is State.CHECKED:
        form = park.get(f"{base}/explanations").text
        keys = re.findall(r'name="key" value="([^"]+)"', form)
        texts = [f"{key.split('|')[0]}:经与企业核对系{n}号生产线投产所致" for n, key in enumerate(keys)]
        fields = {"key": keys, "code": ["07"] * len(keys), "text": texts}
        assert park.post(f"{base}/explanations", fields, page=f"{base}/explanations").status == 303
    assert park.post(f"{base}/report", SIGNED | {"confirmed": "1"}, page=f"{base}/report").status == 303
    with of.ledger.read() as session:
        assert submission(session, found.number).state is State.REPORTED
        taken = enterprise_return(session, own.number)
        steps = [e.action for e in events(session, f"return/{own.number}")]
    assert taken.state is ReturnState.TAKEN_UP
    assert steps == ["return_received", "return_checked", "return_confirmed", "return_taken_up"]
    assert "园区已把它汇入本期的报送" in served.firm.get(f"/returns/{own.number}").text
    page = park.get(f"{HERE}").text
    again = park.upload(f"{HERE}/submissions", [("园区.xlsx", tiny.workbook(PARK, Q2))], page=HERE)
    assert "园区不能另报一份" in again.text and "企业" in page


def test_an_enterprise_that_left_the_register_stays_out_of_the_collation(served: Served) -> None:
    gone = served.units[-1]
    event = UnitEvent(gone, "exit", datetime(2014, 6, 1).date(), basis="注销通知")
    with served.tiny.office.ledger.write() as session:
        record_unit_events(session, [event], now=NOW + timedelta(minutes=6), actor="x")
    page = served.park.get(f"{HERE}/collate").text
    assert f"汇集 {len(served.units) - 1} 家" in page and "不在本期名录的" in page
    assert served.park.get(f"/enterprises/{PARK}/{gone}/{Q2}/template").status == 404


def test_an_enterprise_hands_in_by_a_program_and_stands_by_it(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unit, token = served.units[0], "the-token-of-a-program"
    with served.tiny.office.ledger.write() as session:
        access.add_token(
            session, token, unit, label="t", scopes=("read", "submit"), expires_at=NOW + timedelta(days=1), now=NOW
        )

    def asked(server: Server, path: str, body: bytes | None = None, kind: str = "", key: str = "") -> Any:
        headers = {"Authorization": f"Bearer {server.token}", "Content_Type": kind, "Idempotency_Key": key or "-"}
        own = Browser(served.app, client="10.0.0.3")
        answer = own.ask("POST" if body else "GET", path, [body] if body else [], **headers)
        return json.loads(answer.body) | {"status": answer.status}

    monkeypatch.setattr("ytb.cli.remote._ask", asked)
    template = template_for(served.tiny.office, served.tiny.office.programme, Q2, PARK, unit=unit, as_of=Q2.end)
    book = openpyxl.load_workbook(io.BytesIO(served.filled(template)))
    book.properties.creator = "会计系统"  # other bytes, the same figures
    file = tmp_path / "本单位.xlsx"
    file.write_bytes(saved(book))
    words = ["--json", "submit", str(file), "--server", "https://tj.example.cn", "--token", token]
    assert main(words) == 1  # it says itself whose it is; nobody has put a name to it
    first = json.loads(capsys.readouterr().out)
    assert (first["unit_id"], first["state"], first["blocking"], first["confirmed"]) == (unit, "clean", 0, False)
    names = ",".join(SIGNED.values())
    assert main([*words, "--signed", names]) == 0
    second = json.loads(capsys.readouterr().out)
    assert (second["return"], second["state"], second["unexplained"]) == (first["return"], "confirmed", 0)
    with served.tiny.office.ledger.read() as session:
        kept = enterprise_return(session, first["return"])
    assert kept.channel == "api" and kept.is_own
    assert kept.confirmation is not None and kept.confirmation.confirmed_by == SIGNED["unit_head"]
    assert asked(Server("", token), f"/api/v1/returns/{kept.number}/findings")["findings"] == []
    other = f"/api/v1/parks/{PARK}/enterprises/{served.units[1]}/periods/{Q2}/returns"
    assert asked(Server("", token), other)["status"] == 404
    assert main(["submit", str(file), "--unit", unit]) == 2
    assert main([*words, "--leave-out"]) == 1
