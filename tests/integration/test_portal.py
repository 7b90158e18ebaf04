"""The portal as it is served: a real server on this machine, real workbooks, a real browser."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import openpyxl
import pytest
import uvicorn

from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import SHANGHAI, TinyOffice, tiny_office
from warehouse.ledger import access
from warehouse.ledger.states import State
from warehouse.ledger.submissions import latest, submissions
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user
from warehouse.ledger.verify import verify_ledger
from ytb.cli.main import main
from ytb.portal.application import create_app, portal_of
from ytb.portal.limits import BodyLimits
from ytb.portal.passwords import Hasher
from ytb.portal.server import FirmProtocol
from ytb.portal.visit import Settings

NOW = datetime(2015, 4, 2, 22, 0, tzinfo=SHANGHAI)
Q1 = Period(2015, quarter=1)
PASSWORD = "Night-Shift-22"
CHEAP = Hasher(passes=1, memory_kib=8, lanes=1)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PARKS = ("LBGX", "LBJJ", "LBXQ", "LBBY")


TITLES = {"reviewer": "王审核", "province": "陈统计", "publisher": "刘发布"}


@dataclass
class Served:
    tiny: TinyOffice
    address: str
    port: int
    published: list[Any]

    def token(self, name: str) -> str:
        token = f"token-of-{name}-{time.monotonic_ns()}"
        with self.tiny.office.ledger.write() as session:
            access.add_token(
                session,
                token,
                name,
                label="测试",
                scopes=("read", "submit"),
                expires_at=datetime(2016, 1, 1, tzinfo=SHANGHAI),
                now=NOW,
            )
        return token


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    tiny = tiny_office(tmp_path_factory.mktemp("portal") / "home")
    tiny.open_round(Q1, NOW)
    accounts = [(f"clerk-{park.lower()}", "park_reporter", park) for park in PARKS] + [
        ("reviewer", "reviewer", None), ("province", "province_statistician", None), ("publisher", "publisher", None),
    ]  # fmt: skip
    with tiny.office.ledger.write() as session:
        for name, role, park in accounts:
            add_user(session, name, title=TITLES.get(name, "张填报"), role=role, park=park, now=NOW, actor="测试")
            access.set_password(session, name, CHEAP.hash(PASSWORD), one_time=False, now=NOW, actor="测试")
    published: list[Any] = []
    settings = Settings(hasher=CHEAP, workers=2, limits=BodyLimits(grace=1.0), most_of_one=60, patience=60)
    portal = portal_of(
        tiny.home,
        lambda: NOW,
        settings,
        office=tiny.office,
        pool=Pool(workers=2, preload=("sources.reader",)),
        publish=lambda *what: published.append(what),
    )
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(portal),
            host="127.0.0.1",
            port=port,
            http=FirmProtocol,
            log_level="error",
            access_log=False,
            lifespan="on",
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield Served(tiny, f"http://127.0.0.1:{port}", port, published)
    server.should_exit = True
    thread.join(30)
    with tiny.office.ledger.read() as session:
        assert verify_ledger(session).is_sound


def broken(data: bytes) -> bytes:
    """A workbook with a text where a figure belongs."""
    book = openpyxl.load_workbook(io.BytesIO(data))
    sheet = book["财务状况"]
    for row in sheet.iter_rows(min_row=8):
        for cell in row:
            if isinstance(cell.value, int | float) and cell.column > 4:
                cell.value = "1,2O0"
                out = io.BytesIO()
                book.save(out)
                return out.getvalue()
    raise AssertionError("no figure to break")


def multipart(data: bytes, name: str) -> tuple[bytes, dict[str, str]]:
    head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return head + data + b"\r\n--B--\r\n", {"Content-Type": "multipart/form-data; boundary=B"}


def call(
    served: Served, method: str, path: str, token: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    asked = Request(served.address + path, body, {"Authorization": f"Bearer {token}", **(headers or {})}, method=method)
    try:
        with urlopen(asked, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as refused:
        return refused.code, json.loads(refused.read())


def test_a_program_submits_twice_and_gets_one_receipt(served: Served) -> None:
    token, data = served.token("clerk-lbby"), broken(served.tiny.workbook("LBBY", Q1))
    body, headers = multipart(data, "白银.xlsx")
    path = "/api/v1/parks/LBBY/periods/2015-Q1/submissions"
    status, first = call(served, "POST", path, token, body, headers)
    assert (status, first["state"], first["blocking"]) == (201, "failed", 1)
    _, again = call(served, "POST", path, token, body, headers)
    assert again["submission"] == first["submission"] and again["receipt"]["code"] == first["receipt"]["code"]
    _, found = call(served, "GET", f"/api/v1/submissions/{first['submission']}/findings", token)
    assert [(one["rule"], one["found"]) for one in found["findings"]] == [("type", "1,2O0")]
    status, problem = call(served, "POST", "/api/v1/parks/LBGX/periods/2015-Q1/submissions", token, body, headers)
    assert (status, problem["type"]) == (404, "urn:ytb:problem:not_found")
    status, problem = call(served, "POST", path, token, *multipart(b"no workbook at all", "报表.xlsx"))
    assert status in (201, 422) and (problem.get("state") == "unreadable" or problem["detail"])


def test_ytb_submit_over_the_portal(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = tmp_path / "白银.xlsx"
    book.write_bytes(broken(served.tiny.workbook("LBBY", Q1)))
    token = served.token("clerk-lbby")
    own = ["--json", "submit", str(book), "--server", served.address, "--token"]
    assert main([*own, token]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["park"], found["period"], found["state"]) == ("LBBY", "2015-Q1", "failed")
    assert main([*own, "nonsense"]) == 1
    assert "令牌" in capsys.readouterr().err
    assert main(["submit", str(book), "--server", "http://example.org", "--token", token]) == 1
    assert "https" in capsys.readouterr().err


def test_a_body_that_stalls_is_cut_off_while_an_honest_one_goes_through(served: Served) -> None:
    token = served.token("clerk-lbby")
    stalled = []
    for _ in range(40):
        one = socket.create_connection(("127.0.0.1", served.port))
        one.sendall(
            f"POST /api/v1/parks/LBBY/periods/2015-Q1/submissions HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000\r\n\r\n--B\r\n".encode()
        )
        stalled.append(one)
    status, listed = call(served, "GET", "/api/v1/parks/LBBY/periods/2015-Q1/submissions", token)
    assert status == 200 and listed["submissions"]
    answers = []
    for one in stalled:
        one.settimeout(60)
        answers.append(one.recv(4096).split(b"\r\n")[0])
        one.close()
    assert set(answers) == {b"HTTP/1.1 408 Request Timeout"}


def test_a_gigabyte_is_refused_before_it_is_sent(served: Served) -> None:
    token = served.token("clerk-lbby")
    with socket.create_connection(("127.0.0.1", served.port)) as line:
        line.sendall(
            f"POST /api/v1/parks/LBBY/periods/2015-Q1/submissions HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {1 << 30}\r\n\r\n".encode()
        )
        line.settimeout(60)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413")
    assert "不能超过 20 MB".encode() in answer


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("没有安装 chromium,浏览器测试跳过 / chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--lang=zh-CN"])
        yield made
        made.close()


class Person:
    """Somebody at a browser, whose clicks are counted."""

    def __init__(self, browser: Any, served: Served, name: str, **how: Any) -> None:
        self.context = browser.new_context(locale="zh-CN", **({"viewport": {"width": 1366, "height": 768}} | how))
        self.page = self.context.new_page()
        self.clicks = 0
        self.complaints: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if "Content Security" in m.text else None)
        self.page.goto(f"{served.address}/")
        self.page.fill("#name", name)
        self.page.fill("#password", PASSWORD)
        self.click("button.button:has-text('登录')")

    def click(self, what: str) -> None:
        self.clicks += 1
        self.page.click(what)
        self.page.wait_for_load_state()

    def shot(self, name: str) -> None:
        """A picture for the guides, where they are being made (YTB_SCREENSHOTS names the folder)."""
        if folder := os.environ.get("YTB_SCREENSHOTS"):
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"))

    def choose(self, name: str, data: bytes) -> None:
        self.page.set_input_files("#file", {"name": name, "mimeType": "application/octet-stream", "buffer": data})

    def report(self) -> None:
        for field, value in (("unit_head", "张三"), ("statistics_head", "李四"), ("telephone", "0931-1234567")):
            self.page.fill(f"#{field}", value)
        self.clicks += 1
        self.page.check("[name=confirmed]")
        self.click("button.button:has-text('报送')")

    def explain(self) -> None:
        """Say why each soft finding is right as it stands, where there are any."""
        if self.page.locator("a:has-text('填写情况说明')").count():
            self.click("a:has-text('填写情况说明')")
            for choice in self.page.locator(".explain .row select").all():
                choice.select_option("07")
            for text in self.page.locator(".explain .row textarea").all():
                text.fill("企业停产半年后恢复生产,已核对凭证")
            self.click("button:has-text('保存情况说明')")
        else:
            self.click("a:has-text('去报送')")


def file_clean(clerk: Person, served: Served, park: str) -> None:
    """A clean book of the park from the upload page to the receipt."""
    clerk.page.goto(f"{served.address}/park/{park}/2015-Q1")
    clerk.choose("报表.xlsx", served.tiny.workbook(park, Q1))
    clerk.click("button:has-text('上传并审核')")
    clerk.explain()
    clerk.report()
    assert state_of(served, park) is State.REPORTED, clerk.page.inner_text("main")


def newest(served: Served, park: str) -> str:
    """The number of the newest submission of a park."""
    with served.tiny.office.ledger.read() as session:
        return submissions(session, park=park, period=Q1)[-1].number


def state_of(served: Served, park: str) -> State:
    with served.tiny.office.ledger.read() as session:
        found = latest(session, park, Q1)
        assert found is not None
        return found.state


SIZES: dict[str, dict[str, Any]] = {
    "desk": {},
    "phone_without_javascript": {"viewport": {"width": 390, "height": 844}, "java_script_enabled": False},
}


@pytest.mark.slow
@pytest.mark.parametrize(("how", "park"), [("desk", "LBGX"), ("phone_without_javascript", "LBXQ")])
def test_a_clean_book_from_sign_in_to_accepted_in_under_ten_clicks(
    served: Served, browser: Any, how: str, park: str
) -> None:
    clerk = Person(browser, served, f"clerk-{park.lower()}", **SIZES[how])
    is_shown = how == "desk"
    if is_shown:
        clerk.shot("park-due")
    clerk.click("a.button:has-text('开始填报')")
    if is_shown:
        clerk.shot("park-upload")
    with clerk.page.expect_download() as template:
        clerk.page.click("a:has-text('下载本期模板')")
    assert template.value.suggested_filename == f"2015-Q1_{park}_填报模板.xlsx"
    clerk.choose("报表.xlsx", served.tiny.workbook(park, Q1))
    clerk.click("button:has-text('上传并审核')")
    clerk.explain()
    clerk.report()
    if is_shown:
        clerk.shot("park-receipt")
    assert "本回执表示数据已报送" in clerk.page.inner_text("main")
    assert state_of(served, park) is State.REPORTED
    reviewer = Person(browser, served, "reviewer", **SIZES[how])
    if is_shown:
        reviewer.shot("progress")
    reviewer.click("nav >> text=待审")
    reviewer.click(f"a:has-text('2015Q1-{park}')")
    if is_shown:
        reviewer.shot("review")
    reviewer.click("button:has-text('验收')")
    assert state_of(served, park) is State.ACCEPTED
    assert clerk.clicks + reviewer.clicks < 12 and clerk.clicks < 10
    assert clerk.complaints == reviewer.complaints == []
    assert clerk.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") if how == "desk" else True
    with served.tiny.office.ledger.read() as session:
        number = submissions(session, park=park, period=Q1)[-1].number
        seen = {(one.actor, one.action) for one in events(session, number)}
    assert {
        (f"clerk-{park.lower()}", "viewed"),
        ("reviewer", "viewed"),
        (f"clerk-{park.lower()}", "reported"),
        ("reviewer", "accept"),
    } <= seen
    clerk.context.close()
    reviewer.context.close()


@pytest.mark.slow
def test_a_faulty_book_is_marked_corrected_and_the_difference_is_shown(served: Served, browser: Any) -> None:
    clerk, right = Person(browser, served, "clerk-lbjj"), served.tiny.workbook("LBJJ", Q1)
    clerk.click("a.button:has-text('开始填报')")
    clerk.choose("报表.xlsx", broken(right))
    clerk.click("button:has-text('上传并审核')")
    said = clerk.page.inner_text("main")
    clerk.shot("park-findings")
    assert "处错误,须改正后才能报送" in said and "1,2O0" in said
    with clerk.page.expect_download() as marked:
        clerk.page.click("a:has-text('下载标注工作簿')")
    assert marked.value.suggested_filename == "报表_审核.xlsx"
    assert "审核结果" in openpyxl.load_workbook(io.BytesIO(Path(marked.value.path()).read_bytes())).sheetnames
    clerk.click("a:has-text('重新上传')")
    clerk.choose("报表.xlsx", right)
    clerk.click("button:has-text('上传并审核')")
    assert "已改正 1" in clerk.page.inner_text("main")
    clerk.explain()
    clerk.report()
    assert state_of(served, "LBJJ") is State.REPORTED
    clerk.context.close()


class Keys(Person):
    """Somebody without a mouse: tabs until the thing wanted has the focus, and sees at every stop where that is."""

    def reach(self, what: str, most: int = 150) -> None:
        """Go on with Tab until a control of this name has the focus."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            at = self.page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return [e.innerText || e.id || e.name || '', s.outlineStyle, e.name || '', e.id || '']; })()"
            )
            if what in at[0] or what in at[2:]:
                assert at[1] != "none", f"{what}: the focus is not seen"
                return
        raise AssertionError(f"{what} is not reached with the keyboard on {self.page.url}")

    def press(self, what: str) -> None:
        """Reach a link or button and press it."""
        self.reach(what)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def type(self, where: str, text: str) -> None:
        """Reach a field and write."""
        self.reach(where)
        self.page.keyboard.type(text)


@pytest.mark.slow
def test_the_keyboard_alone_files_a_report(served: Served, browser: Any) -> None:
    clerk = Keys(browser, served, "clerk-lbby")
    clerk.page.keyboard.press("Tab")
    assert clerk.page.evaluate("document.activeElement.innerText") == "跳到正文"
    clerk.press("办理" if clerk.page.locator("a:has-text('继续办理')").count() else "开始填报")
    if "/submissions/" in clerk.page.url:
        clerk.page.goto(f"{served.address}/park/LBBY/2015-Q1")
    clerk.reach("file")
    clerk.choose("报表.xlsx", served.tiny.workbook("LBBY", Q1))
    clerk.press("上传并审核")
    if clerk.page.locator("a:has-text('填写情况说明')").count():
        clerk.press("填写情况说明")
        for n in range(1, 1 + clerk.page.locator(".explain .row select").count()):
            clerk.reach(f"code-{n}")
            clerk.page.keyboard.type("07")
            clerk.type(f"text-{n}", "企业停产半年后恢复生产,已核对凭证")
        clerk.press("保存情况说明")
    else:
        clerk.press("去报送")
    for field, value in (("unit_head", "张三"), ("statistics_head", "李四"), ("telephone", "0931-1234567")):
        clerk.reach(field)
        clerk.page.keyboard.press("Control+A")
        clerk.page.keyboard.type(value)
    clerk.reach("confirmed")
    clerk.page.keyboard.press("Space")
    clerk.press("报送")
    assert "本回执表示数据已报送" in clerk.page.inner_text("main")
    assert state_of(served, "LBBY") is State.REPORTED
    clerk.context.close()


@pytest.mark.slow
def test_a_reviewer_returns_and_accepts_and_a_release_takes_two_people(served: Served, browser: Any) -> None:
    clerk, reviewer = Person(browser, served, "clerk-lbjj"), Person(browser, served, "reviewer")
    if state_of(served, "LBJJ") is not State.REPORTED:
        file_clean(clerk, served, "LBJJ")
    reviewer.click("nav >> text=待审")
    reviewer.shot("queue")
    reviewer.click("a:has-text('2015Q1-LBJJ')")
    reviewer.click("button.danger:has-text('退回')")
    assert reviewer.page.locator(".error-summary").count() == 1, "a return without a reason goes through"
    reviewer.page.fill("#reason", "研发经费与研发人员口径不一致,请核实")
    reviewer.click("button.danger:has-text('退回')")
    assert state_of(served, "LBJJ") is State.RETURNED
    clerk.page.goto(f"{served.address}/park")
    clerk.click("section a:has-text('2015年1')")
    clerk.page.goto(f"{served.address}/submissions/{newest(served, 'LBJJ')}")
    assert "研发经费与研发人员口径不一致" in clerk.page.inner_text("main")
    clerk.shot("park-returned")
    file_clean(clerk, served, "LBJJ")
    reviewer.page.goto(f"{served.address}/queue")
    reviewer.click(f"a:has-text('{newest(served, 'LBJJ')}')")
    reviewer.click("button:has-text('验收')")
    assert state_of(served, "LBJJ") is State.ACCEPTED
    reviewer.click("nav >> text=报送进度")
    assert "兰州经济" in reviewer.page.inner_text("main")
    reviewer.shot("progress")
    asker, other = Person(browser, served, "province"), Person(browser, served, "publisher")
    asker.click("nav >> text=发布")
    asker.click("summary:has-text('申请发布')")
    asker.page.select_option("#period", "2015-Q1")
    asker.page.fill("#reason", "首次发布")
    asker.click("button:has-text('提交申请')")
    assert "须由另一人确认" in asker.page.inner_text("main")
    asker.shot("release-request")
    other.click("nav >> text=发布")
    if other.page.locator("[name=seen]").count():
        other.page.check("[name=seen]")
    other.click("button:has-text('确认发布')")
    assert [str(one[1]) for one in served.published] == ["2015-Q1"]
    assert reviewer.complaints == asker.complaints == other.complaints == []
    for one in (clerk, reviewer, asker, other):
        one.context.close()
