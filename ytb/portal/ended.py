"""A form sent after the session has ended: said at once, with what was typed given back to copy, and the way back after sign-in.

Nothing is kept: the words go back to the browser that sent them, in the answer to that request, and only where the form stood on a
page of this portal, so that no other site can put words on ours.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from starlette.responses import Response

from schemas.observations import shown_unit
from ytb.portal import pages
from ytb.portal.limits import BodyTooLargeError, BodyTooSlowError
from ytb.portal.multipart import BadFormError
from ytb.portal.problems import came_from
from ytb.portal.reading import content_type, read_form
from ytb.portal.visit import Form, Visit

#: What is never sent back: secrets, and what nobody typed.
NOT_SHOWN = frozenset({"_csrf", "key", "next", "password", "old", "new", "again", "repeated", "secret", "confirmed"})
SECRET_PAGES = ("/password", "/second-factor", "/account", "/sign-in")
SHORTEST = 3
STATUS = 403


async def session_ended(visit: Visit, is_from_here: bool) -> Response:
    """The answer to a form of somebody who is not signed in: what was typed, where there is any, else to sign in and back."""
    onward = came_from(visit) if is_from_here else ""
    sign_in = f"/sign-in?ended=1{'&next=' + quote(onward, safe='') if onward else ''}"
    is_secret = visit.request.url.path.startswith(SECRET_PAGES)
    kind, _ = content_type(visit.request.headers.get("content-type", ""))
    if not is_from_here or is_secret or kind != "application/x-www-form-urlencoded":
        return pages.go(sign_in)
    try:
        form = await read_form(visit.request, visit.office.vault)
    except (BadFormError, BodyTooLargeError, BodyTooSlowError):
        return pages.go(sign_in)
    if not (typed := typed_in(form)):
        return pages.go(sign_in)
    return pages.page(visit, "ended", status=STATUS, typed="\n".join(typed), sign_in=sign_in)


def typed_in(form: Form) -> list[str]:
    """The words typed, one line a field, with the unit and indicator they were about where the form says so."""
    about = [_about(key) for key in form.all("key")]
    lines = []
    for name, values in form.fields.items():
        if name in NOT_SHOWN:
            continue
        for n, value in enumerate(values):
            if len(value.strip()) >= SHORTEST:
                label = about[n] if name == "text" and n < len(about) else ""
                lines.append(f"{label}:{value.strip()}" if label else value.strip())
    return lines


def _about(key: str) -> str:
    _, _, unit, column = [*key.split("|"), "", "", "", ""][:4]
    return " ".join(part for part in (shown_unit(unit), column) if part)


def is_from_here(visit: Visit) -> bool:
    """Whether the form stood on a page of this portal, as the browser says."""
    headers = visit.request.headers
    at = urlsplit(headers.get("origin") or headers.get("referer") or "")
    # Behind a proxy that does not say so the connection looks plain; what the browser shows is https all the same.
    scheme = "https" if visit.portal.settings.is_https else visit.request.url.scheme
    return at.netloc == headers.get("host", "") and at.scheme == scheme
