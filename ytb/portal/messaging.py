"""The administrator's page of messages: what is out, what is not, what nobody is sure of. Words of messages are not shown."""

from __future__ import annotations

from starlette.responses import Response

from schemas.errors import RefusalError
from warehouse.ledger import outbox
from ytb.portal import pages
from ytb.portal.visit import Visit


def messages_page(visit: Visit) -> Response:
    """The newest messages."""
    with visit.office.ledger.read() as session:
        found = outbox.messages(session)
    return pages.page(visit, "messages", found=found, is_set_up=visit.portal.courier is not None)


def send_again(visit: Visit) -> Response:
    """A message that is failed or unsure goes out (again)."""
    with visit.office.ledger.write() as session:
        outbox.send_again(session, _number(visit), now=visit.now, actor=visit.who.name)
    return pages.go("/messages", "decided")


def let_be(visit: Visit) -> Response:
    """A message that is failed or unsure stays where it is."""
    with visit.office.ledger.write() as session:
        outbox.let_be(session, _number(visit), now=visit.now, actor=visit.who.name)
    return pages.go("/messages", "decided")


def _number(visit: Visit) -> int:
    text = visit.form.get("number")
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise RefusalError("没有这条消息。")
    return int(text)
