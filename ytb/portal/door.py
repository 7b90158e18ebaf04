"""The one door every request goes through: who is it, may they, is it theirs, did they mean it; then the page; then the trail."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from pipelines.letting_in import let_in
from schemas.errors import DefinitionError, RefusalError, StatisticsError, StorageError, SubmissionError
from schemas.period import Period
from warehouse.ledger import access, scopes, trail
from warehouse.ledger.applications import application
from warehouse.ledger.enterprise_returns import enterprise_return
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.register import park_of
from warehouse.ledger.submissions import submission
from warehouse.ledger.users import user as user_of
from ytb.portal import pages, problems
from ytb.portal.ended import is_from_here, session_ended
from ytb.portal.examining import Waiting
from ytb.portal.limits import BodyTooLargeError, BodyTooSlowError
from ytb.portal.multipart import BadFormError
from ytb.portal.problems import PortalError
from ytb.portal.reading import read_form
from ytb.portal.route import Owner, Route
from ytb.portal.visit import Form, Portal, Visit

LOG = logging.getLogger("ytb.portal")
MOST_TAKEN_AT_ONCE = 32
#: So many uploads to acknowledge at one time, and no check is begun.
RUSH = 4
#: Submissions in the queue and to acknowledge, a worker, beyond which nobody is kept waiting for the result.
WORTH_WAITING_FOR = 4
SAFE = frozenset({"GET", "HEAD"})
SIGN_IN = "/sign-in"
#: What somebody whose password is a printed code, or who still lacks the second factor, may do.
ONLY_PASSWORD = frozenset({"password", "change_password", "sign_out"})
ONLY_FACTOR = frozenset({"second_factor", "set_second_factor", "sign_out", "password", "change_password"})
STRONG_ROLES = frozenset(
    {"province_statistician", "reviewer", "publisher", "administrator", "security_administrator", "auditor"}
)


def session_cookie(portal: Portal) -> str:
    """The name of the session's cookie; browsers hold ``__Host-`` to https and this host."""
    return "__Host-ytb" if portal.settings.is_https else "ytb_session"


def visitor_cookie(portal: Portal) -> str:
    """The name of the cookie that binds the sign-in form to a browser."""
    return "__Host-ytb-visit" if portal.settings.is_https else "ytb_visit"


class Door:
    """Serves the routes of one portal."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        # Uploads on their way, in all and by account.
        self.taken_in, self.waiting = 0, Counter[str]()
        # Uploads whose body is here and that are not acknowledged yet; slow senders are not among them.
        self.arrived = 0
        # Fewer than there are threads, so that pages are served while uploads are taken in.
        self.taking = asyncio.Semaphore(MOST_TAKEN_AT_ONCE)

    def endpoint(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """What the router calls for a route."""

        async def serve(request: Request) -> Response:
            visit = self._visit(request, route)
            try:
                return await self._serve(visit)
            except ClientDisconnect:
                return Response(status_code=400)
            except BodyTooLargeError:
                problem = problems.TOO_LARGE
            except BodyTooSlowError:
                problem = problems.TOO_SLOW
            except BadFormError:
                problem = problems.BAD_FORM
            except PortalError as error:
                problem = error
            except StatisticsError as error:
                problem = problem_of(error)
            except Exception as error:  # our fault is said to be ours; the clerk sees no trace of it
                LOG.error("%s %s: %s", request.method, route.path, traceback.format_exc(limit=20))
                problem = problems.ours(type(error).__name__)
            return await run_in_threadpool(answered, visit, problem)

        return serve

    async def nowhere(self, request: Request) -> Response:
        """The answer for an address or a method that no route has."""
        is_api = request.url.path.startswith("/api/")
        route = Route("nowhere", "GET", "/api/" if is_api else "/", _no_page, frozenset())
        visit = self._visit(request, route)
        try:
            visit = visit if is_api else await run_in_threadpool(identify, visit)
        except StatisticsError as error:
            return problems.answer(visit, problem_of(error))
        return problems.answer(visit, problems.NOT_FOUND)

    def _visit(self, request: Request, route: Route) -> Visit:
        client = request.client.host if request.client else ""
        visitor = request.cookies.get(visitor_cookie(self.portal), "")
        return Visit(self.portal, request, route, self.portal.clock(), client, visitor=visitor)

    async def _serve(self, visit: Visit) -> Response:
        if visit.request.headers.get("host", "").rsplit(":", 1)[0] not in self.portal.settings.hosts:
            raise problems.WRONG_HOST
        if (onward := _to_https(visit)) is not None:
            return onward
        entered = await run_in_threadpool(enter, visit)
        if isinstance(entered, Response):
            if visit.request.method not in SAFE and entered.headers.get("location") == SIGN_IN:
                return await session_ended(visit, is_from_here(visit))
            return entered
        visit = entered
        if visit.route.uploads:
            return await self._upload(visit)
        form = await self._form(visit)
        try:
            return await run_in_threadpool(act, replace(visit, form=form))
        finally:
            form.close()

    async def _form(self, visit: Visit) -> Form:
        form = await read_form(visit.request, self.portal.office.vault)
        if not visit.route.is_api:
            wanted = pages.csrf_token(self.portal, pages.holder_of(visit))
            if not secrets.compare_digest(form.get("_csrf").encode(), wanted.encode()):
                form.close()
                raise problems.STALE_FORM
        if form.files and self.portal.office.scanner is not None:
            try:
                await run_in_threadpool(looked_at, visit, form)
            except BaseException:
                form.close()
                raise
        return form

    async def _upload(self, visit: Visit) -> Response:
        settings, name = self.portal.settings, visit.who.name
        if self.taken_in >= settings.most_waiting or self.waiting[name] >= settings.most_of_one:
            raise problems.BUSY
        self.taken_in += 1
        self.waiting[name] += 1
        try:
            form = await self._form(visit)
            self.arrived += 1
            self.portal.examiner.give_way(self.arrived > RUSH)
            try:
                async with self.taking:
                    answer = await run_in_threadpool(act, replace(visit, form=form))
            finally:
                self.arrived -= 1
                self.portal.examiner.give_way(self.arrived > RUSH)
                form.close()
        finally:
            self.taken_in -= 1
            self.waiting[name] -= 1
            if not self.waiting[name]:
                del self.waiting[name]
        return await self._better(answer) if isinstance(answer, Waiting) else answer

    async def _better(self, answer: Waiting) -> Response:
        """The answer with the result of the check, where that comes soon; else the acknowledgement alone."""
        examiner = self.portal.examiner
        if examiner.length + self.arrived > WORTH_WAITING_FOR * examiner.workers:
            return answer
        # Not wrap_future: giving up waiting must not cancel the check.
        done, loop = asyncio.Event(), asyncio.get_running_loop()
        answer.until.add_done_callback(lambda _: _tell(loop, done))
        try:
            await asyncio.wait_for(done.wait(), self.portal.settings.patience)
        except TimeoutError:
            return answer
        return await run_in_threadpool(answer.then)


def _to_https(visit: Visit) -> Response | None:
    """To the encrypted address, for who came to a proxy without encryption, as the proxy says; None for everybody else.

    Raises NOT_ENCRYPTED for a form or a program: what it sent has been on the way in clear, and is to be seen as known.
    """
    request = visit.request
    came = request.headers.get("x-forwarded-proto", "https").split(",")[0].strip().lower()
    if not visit.portal.settings.is_https or came != "http":
        return None
    if request.method not in SAFE or visit.route.is_api:
        raise problems.NOT_ENCRYPTED
    query = f"?{request.url.query}" if request.url.query else ""
    host = request.headers["host"].rsplit(":", 1)[0]
    return RedirectResponse(f"https://{host}{quote(request.url.path)}{query}", 308)


def answered(visit: Visit, problem: PortalError) -> Response:
    """The page of a problem, with the menu of whoever is signed in, so that there is a way back. Where the fault is ours the
    ledger is not asked again: there is a page whatever is broken."""
    if not visit.route.is_api and problem.status < 500 and problem is not problems.WRONG_HOST:
        with contextlib.suppress(StatisticsError):
            visit = identify(visit)
    return problems.answer(visit, problem)


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # nobody waits any more: the server is going down
        loop.call_soon_threadsafe(done.set)


def looked_at(visit: Visit, form: Form) -> None:
    """Let the scanner see every file before anything else does. Raises SubmissionError, StorageError."""
    actor = visit.user.name if visit.user else ""
    let_in(visit.office, [(one.name, one.staged) for one in form.files], now=visit.now, actor=actor)


def _no_page(_: Visit) -> Response:
    raise problems.NOT_FOUND


def enter(visit: Visit) -> Visit | Response:
    """Who it is, may they, did they mean it: the answer for who is turned away and for who only looks, else the visit.

    Whose the thing is is asked before a byte of an upload is read. One step and, for an upload, one reading of the ledger, since at
    the deadline every change of thread and every transaction counts.
    """
    with visit.office.ledger.read() as session:
        visit = identified(visit, session)
        turned = turned_away(visit)
        if visit.route.uploads and turned is None:
            if not visit.route.is_api:
                require_same_origin(visit)
            return _owned(visit, session)
    _note_seen(visit)
    if turned is not None:
        return turned
    if visit.request.method in SAFE:
        return show(visit)
    if not visit.route.is_api:
        require_same_origin(visit)
    return visit


def identify(visit: Visit) -> Visit:
    """Who it is: by session cookie, or for programs by token. Nobody is somebody disabled."""
    with visit.office.ledger.read() as session:
        return identified(visit, session)


def identified(visit: Visit, session: Session) -> Visit:
    """``identify`` in a transaction that is open."""
    if visit.route.is_api:
        return _by_token(visit, session)
    held = visit.request.cookies.get(session_cookie(visit.portal), "")
    found = access.session_of(session, held, visit.now) if held else None
    known = access.credentials(session, found.user) if found else None
    if found is None or known is None or known.user.disabled:
        return visit
    return replace(visit, user=known.user, session=found, credentials=known)


def _note_seen(visit: Visit) -> None:
    """Not before an upload: at the deadline the ledger has other things to write, and the page after it notes it."""
    if visit.session is not None and access.is_worth_noting(visit.session, visit.now):
        with visit.office.ledger.write() as session:
            access.note_seen(session, visit.session, visit.now)


def _by_token(visit: Visit, session: Session) -> Visit:
    kind, _, token = visit.request.headers.get("authorization", "").partition(" ")
    if visit.route.is_public or kind.lower() != "bearer" or not token:
        return visit
    found = access.token_of(session, token.strip(), visit.now)
    person = user_of(session, found.user) if found else None
    if found is None or person is None or person.disabled:
        return visit
    if visit.route.scope not in found.scopes:
        raise problems.NO_SCOPE
    return replace(visit, user=person)


def turned_away(visit: Visit) -> Response | None:
    """The answer for somebody who may not take this route, None for who may. What is not theirs does not exist."""
    if visit.route.is_public:
        return None
    if visit.user is None:
        if visit.route.is_api:
            raise problems.NO_TOKEN
        url = visit.request.url
        wanted = f"{url.path}?{url.query}" if url.query else url.path
        onward = f"?next={quote(wanted, safe='')}" if visit.request.method in SAFE and wanted != "/" else ""
        return pages.go(f"{SIGN_IN}{onward}")
    if not visit.route.is_api and (detour := _detour(visit)):
        return pages.go(detour)
    if visit.user.role not in visit.route.roles:
        raise problems.NOT_FOUND
    return None


def _detour(visit: Visit) -> str:
    if (known := visit.credentials) is None:
        return ""
    if known.is_one_time and visit.route.name not in ONLY_PASSWORD:
        return "/password"
    wanted = visit.portal.settings.second_factor and visit.who.role in STRONG_ROLES
    if wanted and known.totp_nonce is None and not known.is_one_time and visit.route.name not in ONLY_FACTOR:
        return "/second-factor"
    return ""


def require_same_origin(visit: Visit) -> None:
    """A form of another site is refused. Browsers say where a form stood in Origin, old ones in Referer."""
    if not is_from_here(visit):
        raise problems.FOREIGN_FORM


def owned(visit: Visit) -> Visit:
    """The visit with what its address names. What does not exist and what is another park's are the same answer."""
    with visit.office.ledger.read() as session:
        return _owned(visit, session)


def _owned(visit: Visit, session: Session) -> Visit:
    if visit.route.owner is Owner.NOTHING:
        return visit
    try:
        visit = _with_named(visit, session)
    except (RefusalError, DefinitionError):
        raise problems.NOT_FOUND from None
    if visit.who.unit_id is not None and (visit.unit, visit.park and visit.park.code) != (
        visit.who.unit_id,
        visit.who.park,
    ):
        raise problems.NOT_FOUND
    if visit.who.park is not None and not _is_within(visit, visit.who.park, session):
        raise problems.NOT_FOUND
    return visit


def _with_named(visit: Visit, session: Session) -> Visit:
    """With the submission, round, park, application or enterprise of the address. Raises RefusalError, DefinitionError."""
    names, today = visit.request.path_params, visit.now.date()
    match visit.route.owner:
        case Owner.SUBMISSION:
            found = submission(session, names["number"])
            park = park_on(session, found.park, found.period.end)
            return replace(visit, submission=found, park=park, period=found.period)
        case Owner.ROUND:
            period = Period.parse(names["period"])
            return replace(visit, period=period, park=park_on(session, names["park"], period.end))
        case Owner.PARK:
            return replace(visit, park=park_on(session, names["park"], today))
        case Owner.APPLICATION:
            number = names["number"]
            is_number = number.isascii() and number.isdigit() and len(number) < 12
            asked = application(session, int(number) if is_number else 0)
            return replace(visit, application=asked, park=park_on(session, asked.park, today))
        case Owner.RETURN:
            returned = enterprise_return(session, names["number"])
            park = park_on(session, returned.park, returned.period.end)
            return replace(visit, returned=returned, park=park, period=returned.period, unit=returned.unit_id)
        case Owner.UNIT:
            period_of = Period.parse(names["period"]) if "period" in names else None
            day = period_of.end if period_of else today
            park, unit = park_on(session, names["park"], day), names["unit"]
            if park_of(session, unit, day) != park.code:
                raise problems.NOT_FOUND
            return replace(visit, park=park, period=period_of, unit=unit)
    return visit


def _is_within(visit: Visit, node: str, session: Session) -> bool:
    """Whether the park of the address lies at or below the node its visitor acts for, as the tree stood in that period."""
    if visit.park is None:
        return False
    if visit.park.code == node:  # as the tree of any day says; at the deadline nearly everybody
        return True
    return scopes.covers(session, node, visit.park.code, visit.period.end if visit.period else visit.now.date())


def show(visit: Visit) -> Response:
    """A page to look at; the trail says who saw figures or findings of units before they leave."""
    visit = owned(visit)
    response = visit.route.handler(visit)
    if visit.route.reads and response.status_code < 400:
        record_view(visit)
    return response


def record_view(visit: Visit) -> None:
    """Who looked at what."""
    named = visit.submission or visit.returned
    subject = named.number if named else "/".join(map(str, _place(visit))) or visit.route.name
    payload = {"page": visit.route.name, "address": visit.address}
    if visit.route.owner is Owner.NOTHING and (
        asked := "/".join([*visit.request.path_params.values(), visit.request.url.query]).strip("/")
    ):
        payload["asked"] = asked[:300]  # which figure was traced, which request was served
    with visit.office.ledger.write() as session:
        trail.append(session, at=visit.now, actor=visit.who.name, action="viewed", subject=subject, payload=payload)


def _place(visit: Visit) -> list[object]:
    asked = f"register/{visit.application.id}" if visit.application else None
    return [one for one in (visit.park.code if visit.park else None, visit.period, visit.unit, asked) if one]


def act(visit: Visit) -> Response:
    """A step; where the rules of the house refuse it, the page again with the reason."""
    visit = owned(visit) if visit.park is None and visit.returned is None else visit
    try:
        return visit.route.handler(visit)
    except (RefusalError, SubmissionError, DefinitionError) as refused:
        if visit.route.back is None:
            raise
        return visit.route.back(replace(visit, error=refused.on_a_page))


def problem_of(error: StatisticsError) -> PortalError:
    """What a visitor reads for an error of ours."""
    match error:
        case SubmissionError():
            return PortalError(422, error.code, "文件不能接收", error.on_a_page)
        case RefusalError() | DefinitionError():
            return PortalError(409, "refused", "没有办理", error.on_a_page)
        case StorageError():
            LOG.error("storage: %s", error)
            return PortalError(
                503, "storage", "系统暂时不能办理", f"{error.on_a_page}没有办理,上传的文件没有收下,请稍后再试。"
            )
    return problems.ours(type(error).__name__)
