"""Messages: what the trail tells to whom, that none is lost or goes out twice, the mail server, the plug-in."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from pipelines.notifying import write_code, write_notices
from schemas.errors import RefusalError, StorageError
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import CHEAP, PASSWORD, Installation, installation
from warehouse.home import load_config
from warehouse.ledger import outbox, trail
from warehouse.ledger.decisions import accept, return_to_park
from warehouse.ledger.outbox import Message
from warehouse.ledger.users import disable_user, set_contact
from warehouse.ledger.verify import verify_ledger
from ytb.portal.application import create_app, portal_of
from ytb.portal.courier import Courier
from ytb.portal.messengers import (
    FileMessenger,
    NeverError,
    SmtpMessenger,
    TryLaterError,
    UnsureError,
    messengers_of,
)
from ytb.portal.visit import Settings

CLERK = "park_reporter-LBGX"


class Told:
    """A messenger that remembers, and fails as it is told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.faults: list[Exception] = []

    def send(self, message: Message, now: Any) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(message)


@pytest.fixture
def inst(tmp_path: Path) -> Installation:
    made = installation(tmp_path / "home")
    with made.office.ledger.write() as session:
        for name, email, telephone in (
            (CLERK, "clerk@x.gov.cn", "13800000000"),
            ("park_approver", "boss@y.gov.cn", ""),
        ):
            set_contact(session, name, email=email, telephone=telephone, now=made.at, actor="root")
    return made


def courier(inst: Installation, **messengers: Any) -> Courier:
    made = Courier(inst.office, messengers, lambda: inst.at, "测试统计局")
    made.once()  # what happened before stays as it is
    return made


def states(inst: Installation) -> list[tuple[str, str]]:
    with inst.office.ledger.read() as session:
        return [(one.user, one.state) for one in outbox.messages(session)][::-1]


def test_an_acceptance_and_a_return_are_told_once_to_the_reporters_of_the_park_on_every_channel(
    inst: Installation,
) -> None:
    mail, sms = Told(), Told()
    first, second = inst.submission("LBGX", reported=True), inst.submission("LBJJ", reported=True)
    sender = courier(inst, mail=mail, sms=sms)
    with inst.office.ledger.write() as session:
        return_to_park(session, first, reason="营业收入 12345 有误", now=inst.at, actor="reviewer")
        accept(session, second, now=inst.at, actor="reviewer")  # nobody there has an address
    assert sender.once() == 2
    assert sender.once() == 0
    (told,) = mail.sent
    assert (told.user, told.address) == (CLERK, "clerk@x.gov.cn") and "已退回" in told.body
    assert "12345" not in told.body + told.subject  # no figure leaves by mail
    assert [one.address for one in sms.sent] == ["13800000000"]
    with inst.office.ledger.read() as session:
        assert {one.body for one in outbox.messages(session)} == {""}
        assert verify_ledger(session).is_sound


def test_a_message_that_cannot_go_waits_longer_each_time_and_is_then_given_up(inst: Installation) -> None:
    mail = Told()
    sender = courier(inst, mail=mail)
    with inst.office.ledger.write() as session:
        assert write_code(session, CLERK, "CODE", "https://x/sign-in", sender="局", now=inst.at, actor="root")
        assert not write_code(session, "reviewer", "CODE", "https://x", sender="局", now=inst.at, actor="root")
    for pause in outbox.PAUSES:
        mail.faults = [TryLaterError("421")]
        assert sender.once() == 0 and states(inst) == [(CLERK, "waiting")]
        inst.at += pause - timedelta(seconds=1)
        mail.faults = [AssertionError("too early")]
        assert sender.once() == 0 and mail.faults
        inst.at += timedelta(seconds=1)
    mail.faults = [TryLaterError("421")]
    assert sender.once() == 0 and states(inst) == [(CLERK, "failed")]
    with inst.office.ledger.write() as session:
        number = outbox.messages(session)[0].id
        outbox.send_again(session, number, now=inst.at, actor="administrator")
    assert sender.once() == 1 and "CODE" in mail.sent[0].body and states(inst) == [(CLERK, "sent")]
    with pytest.raises(RefusalError), inst.office.ledger.write() as session:
        outbox.send_again(session, number, now=inst.at, actor="administrator")


@pytest.mark.parametrize(
    ("fault", "state"), [(NeverError("550"), "failed"), (UnsureError("timeout"), "unsure"), (KeyError("bug"), "unsure")]
)
def test_what_is_not_known_to_have_failed_never_goes_out_again_by_itself(
    inst: Installation, fault: Exception, state: str
) -> None:
    mail = Told()
    sender = courier(inst, mail=mail)
    with inst.office.ledger.write() as session:
        write_code(session, CLERK, "CODE", "https://x", sender="局", now=inst.at, actor="root")
    mail.faults = [fault]
    inst.at += timedelta(days=9)
    assert (sender.once(), sender.once(), mail.sent, states(inst)) == (0, 0, [], [(CLERK, state)])


def test_a_process_that_ends_while_sending_leaves_the_message_for_a_person(inst: Installation) -> None:
    mail = Told()
    sender = courier(inst, mail=mail)
    with inst.office.ledger.write() as session:
        write_code(session, CLERK, "CODE", "https://x", sender="局", now=inst.at, actor="root")
        assert outbox.claim(session, inst.at, ("mail",)) is not None
        assert outbox.claim(session, inst.at, ("mail",)) is None  # another process does not take it as well
    assert sender.once() == 0
    sender.begin()
    assert sender.once() == 0 and states(inst) == [(CLERK, "unsure")] and mail.sent == []
    operator = Browser(
        create_app(
            replace(portal_of(inst.home, lambda: inst.at, Settings(hasher=CHEAP), office=inst.office), courier=sender)
        )
    )
    operator.sign_in("administrator", PASSWORD)
    page = operator.get("/messages").text
    assert "不确定" in page and "CODE" not in page
    assert operator.post("/messages/drop", {"number": "1"}, page="/messages").status == 303
    assert operator.post("/messages/again", {"number": "1"}, page="/messages").status == 422
    with inst.office.ledger.read() as session:
        assert outbox.messages(session)[0].body == ""


def test_the_approver_is_told_that_a_report_waits_and_only_that_parks(inst: Installation) -> None:
    from warehouse.ledger.approvals import ask_approval

    mail = Told()
    number = inst.submission("LBJJ")
    sender = courier(inst, mail=mail)
    with inst.office.ledger.write() as session:
        ask_approval(session, number, None, now=inst.at, actor="park_reporter-LBJJ")
    assert sender.once() == 1 and mail.sent[0].user == "park_approver"


def test_a_reminder_by_the_system_is_read_in_the_portal_and_sent_once_where_messages_are_set_up(
    inst: Installation,
) -> None:
    mail = Told()
    plain = portal_of(inst.home, lambda: inst.at, Settings(hasher=CHEAP), office=inst.office)
    sender = courier(inst, mail=mail)
    fields = {"period": "2015-Q1", "park": ["LBGX", "LBJJ"], "way": "system"}
    office = Browser(create_app(replace(plain, courier=sender)))
    office.sign_in("province_statistician", PASSWORD)
    page = "/reminders?period=2015-Q1"
    assert "填报账户 1 个,有邮箱 1 个" in office.get(page).text
    sent = office.post("/reminders", fields, page=page)
    assert sent.location == f"{page}&done=reminded_by_system"
    assert sender.once() == 1 and "尚未报送" in mail.sent[0].body and mail.sent[0].user == CLERK
    again = office.post("/reminders", fields, page=page)  # the other click, or a colleague
    assert again.status == 422 and "LBGX、LBJJ 今天已由系统催报过" in again.text and sender.once() == 0
    clerk, neighbour = Browser(create_app(plain)), Browser(create_app(plain))
    clerk.sign_in(CLERK, PASSWORD)
    neighbour.sign_in("park_reporter-LBJJ", PASSWORD)
    for at in ("/park", "/park/LBGX/2015-Q1", "/notices"):
        assert "催报" in clerk.get(at).text and "兰州高新区:您单位" in clerk.get(at).text
    assert (
        "兰州经济区:您单位" in neighbour.get("/notices").text and "兰州高新区:您" not in neighbour.get("/notices").text
    )
    inst.submission("LBGX", reported=True)
    assert "您单位" not in clerk.get("/park").text and "您单位" not in clerk.get("/notices").text
    inst.at += timedelta(days=1)
    office.sign_in("province_statistician", PASSWORD)
    assert "不必催报" in office.post("/reminders", fields, page=page).text
    assert office.post("/reminders", fields | {"park": ["LBJJ"]}, page=page).status == 303 and sender.once() == 0
    with inst.office.ledger.read() as session:
        told = [one for one in trail.events(session, "round/2015-Q1") if one.action == "reminded"]
        assert [(one.payload["way"], one.payload["parks"]) for one in told] == [
            ("system", ["LBGX", "LBJJ"]), ("system", ["LBJJ"])
        ]  # fmt: skip


def test_a_park_without_an_account_is_not_reminded_by_the_system(inst: Installation) -> None:
    with inst.office.ledger.write() as session:
        disable_user(session, "park_reporter-LBJJ", now=inst.at, actor="root", reason="离职")
    made = portal_of(inst.home, lambda: inst.at, Settings(hasher=CHEAP), office=inst.office)
    office, page = Browser(create_app(made)), "/reminders?period=2015-Q1"
    office.sign_in("province_statistician", PASSWORD)
    assert "没有填报账户,系统发不到" in office.get(page).text
    refused = office.post("/reminders", {"period": "2015-Q1", "park": ["LBJJ"], "way": "system"}, page=page)
    assert refused.status == 422 and "LBJJ 没有可用的填报账户" in refused.text
    fields = {"period": "2015-Q1", "park": ["LBJJ"], "way": "letter"}
    assert office.post("/reminders", fields, page=page).location == f"{page}&done=reminded"


def test_a_code_sent_by_mail_is_not_shown(inst: Installation) -> None:
    mail = Told()
    sender = courier(inst, mail=mail)
    made = replace(portal_of(inst.home, lambda: inst.at, Settings(hasher=CHEAP), office=inst.office), courier=sender)
    guard = Browser(create_app(made))
    guard.sign_in("security_administrator", PASSWORD)
    sent = guard.post(f"/users/{CLERK}/reset", {"by_mail": "1", "reason": "忘记口令", "confirmed": "1"}, page="/users")
    assert sent.location == "/users?done=mailed" and sender.once() == 1
    code = mail.sent[0].body.split("一次性代码:")[1].split()[0]
    assert Browser(create_app(made)).sign_in(CLERK, code).status == 303
    assert (
        guard.post(
            "/users/reviewer/reset", {"by_mail": "1", "reason": "忘记口令", "confirmed": "1"}, page="/users"
        ).status
        == 200
    )  # no address: on paper


def test_nothing_is_written_where_nothing_is_configured(inst: Installation) -> None:
    made = portal_of(inst.home, lambda: inst.at, Settings(hasher=CHEAP), office=inst.office)
    assert made.courier is None and states(inst) == []


def test_a_long_trail_is_told_in_portions_without_a_gap(inst: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.notifying._BATCH", 2)
    numbers = [inst.submission("LBGX", reported=True, name=f"{n}.xlsx") for n in range(5)]
    with inst.office.ledger.write() as session:
        assert write_notices(session, ("mail",), sender="局", now=inst.at) == 0
        for number in numbers:
            return_to_park(session, number, reason="请核对", now=inst.at, actor="reviewer")
        assert [write_notices(session, ("mail",), sender="局", now=inst.at) for _ in range(4)] == [2, 2, 1, 0]


class _Smtp(socketserver.StreamRequestHandler):
    """A mail server that keeps what it is given; ``answers``: command → another answer."""

    answers: dict[str, bytes]
    kept: list[bytes]

    def handle(self) -> None:
        self.wfile.write(b"220 x\r\n")
        while line := self.rfile.readline():
            command = line.split(b":")[0].strip().upper().decode()
            word = command.split(" ")[0]
            if (told := self.answers.get(command, self.answers.get(word))) is not None:
                if told == b"":
                    return
                self.wfile.write(told)
                continue
            if word == "DATA":
                self.wfile.write(b"354 go\r\n")
                body = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    body += part
                end = self.answers.get("END")
                if end == b"":
                    return
                if end is None:
                    self.kept.append(body)
                self.wfile.write(end or b"250 ok\r\n")
            elif word == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@contextmanager
def mail_server(**answers: bytes) -> Iterator[tuple[SmtpMessenger, list[bytes]]]:
    kept: list[bytes] = []
    handler = type("Handler", (_Smtp,), {"answers": {k.replace("_", " "): v for k, v in answers.items()}, "kept": kept})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield SmtpMessenger("127.0.0.1", "tj@x.gov.cn", server.server_address[1], "none"), kept
        finally:
            server.shutdown()
            thread.join()


def letter(inst: Installation, subject: str = "催报\r\nBcc: evil@example.org") -> Message:
    return Message(
        1, "trail/1", "mail", "li", "li@y.gov.cn", subject, "李工:\n.请报送\n", inst.at, "sending", 1, None, ""
    )


def test_a_mail_arrives_with_its_words_and_a_number_of_its_own(inst: Installation) -> None:
    with mail_server() as (messenger, kept):
        messenger.send(letter(inst), inst.at)
        messenger.send(letter(inst), inst.at)
    first, second = (message_from_bytes(one.replace(b"\r\n..", b"\r\n."), policy=default) for one in kept)
    assert first["Message-ID"] == second["Message-ID"]  # who gets it twice after all can tell
    assert (first["To"], first["From"], first["Bcc"]) == ("li@y.gov.cn", "tj@x.gov.cn", None)
    assert first["Subject"] == "催报 Bcc: evil@example.org"
    body = first.get_body()
    assert body is not None and body.get_content().replace("\r\n", "\n") == "李工:\n.请报送\n"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"MAIL_FROM": b"451 later\r\n"}, TryLaterError), ({"RCPT_TO": b"550 no\r\n"}, NeverError), ({"RCPT_TO": b"450 busy\r\n"}, TryLaterError),
        ({"EHLO": b"", "HELO": b""}, TryLaterError), ({"DATA": b"554 no\r\n"}, NeverError), ({"DATA": b"452 full\r\n"}, TryLaterError),
        ({"END": b""}, UnsureError), ({"END": b"451 later\r\n"}, TryLaterError), ({"END": b"554 spam\r\n"}, NeverError),
    ],
    ids=str,
)  # fmt: skip
def test_the_servers_word_says_whether_the_mail_went(
    inst: Installation, answers: dict[str, bytes], error: type[Exception]
) -> None:
    with mail_server(**answers) as (messenger, kept), pytest.raises(error):
        messenger.send(letter(inst), inst.at)
    assert kept == []


def test_a_server_that_is_not_there_is_tried_later(inst: Installation) -> None:
    with pytest.raises(TryLaterError):
        SmtpMessenger("127.0.0.1", "tj@x.gov.cn", 9, "none").send(letter(inst), inst.at)


def test_the_example_for_short_messages_writes_one_file_a_message(inst: Installation) -> None:
    messenger = FileMessenger(inst.home)
    for _ in range(2):
        messenger.send(letter(inst), inst.at)
    (file,) = (inst.home.outbox / "sms").glob("*.json")
    assert json.loads(file.read_text())["to"] == "li@y.gov.cn"


def test_messengers_are_named_in_the_configuration_and_errors_there_are_told(inst: Installation) -> None:
    plain = inst.home.config_file.read_text(encoding="utf-8")

    def configured(text: str) -> dict[str, Any]:
        inst.home.config_file.write_text(f"{plain}\n{text}\n", encoding="utf-8")
        return dict(messengers_of(inst.home, load_config(inst.home)))

    assert configured("") == {}
    found = configured(
        '[mail]\nsender = "smtp"\nhost = "mail.x.gov.cn"\nfrom = "tj@x.gov.cn"\n[sms]\nsender = "ytb.portal.messengers:sms_to_files"'
    )
    assert isinstance(found["mail"], SmtpMessenger) and isinstance(found["sms"], FileMessenger)
    for wrong in (
        '[mail]\nsender = "nowhere:x"', '[sms]\nsender = "smtp"', '[mail]\nsender = "smtp"', "[[mail]]",
        '[mail]\nsender = "smtp"\nhost = "mail.x"\nfrom = "a@b"\nsecurity = "none"',
        '[mail]\nsender = "smtp"\nhost = "h"\nfrom = "a@b"\npasword = "x"',
    ):  # fmt: skip
        with pytest.raises(StorageError, match="有误"):
            configured(wrong)
    inst.home.config_file.write_text(plain, encoding="utf-8")
