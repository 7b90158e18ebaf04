"""The portal as an ASGI application, and the process that serves it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Address
from starlette.types import ASGIApp

from pipelines.intake import Office
from pipelines.letting_in import open_office
from schemas.period import Period
from sources.pool import Pool
from warehouse.home import Home, load_config, receipt_key, secret_of
from ytb.portal.courier import Courier
from ytb.portal.door import Door
from ytb.portal.examining import Examiner
from ytb.portal.limits import GuardedBody, SafeHeaders
from ytb.portal.messengers import messengers_of
from ytb.portal.oidc import Provider
from ytb.portal.previews import Previews, previews
from ytb.portal.publishing import fail_interrupted, publisher
from ytb.portal.routes import ROUTES
from ytb.portal.visit import Portal, Settings


def portal_of(
    home: Home,
    clock: Callable[[], datetime],
    settings: Settings,
    *,
    office: Office | None = None,
    pool: Pool | None = None,
    publish: Callable[[int, Period, str, str], None] | None = None,
    preview: Callable[[Period, str], str] | None = None,
) -> Portal:
    """Everything the pages work with. The key of forms and second factors is derived from that of the receipts."""
    the_office = office or open_office(home)
    config = load_config(home)
    messengers = messengers_of(home, config)
    the_pool = pool or Pool(workers=settings.workers, preload=("sources.reader",))
    return Portal(
        office=the_office,
        home=home,
        pool=the_pool,
        examiner=Examiner(the_office, the_pool, clock, the_pool.workers),
        clock=clock,
        key=hmac.new(receipt_key(home), b"portal", hashlib.sha256).digest(),
        organisation=config.organisation,
        settings=settings,
        routes=ROUTES,
        publish=publish or publisher(the_office, home, clock),
        courier=Courier(the_office, messengers, clock, config.organisation) if messengers else None,
        daily_quota=config.uploads.daily_quota,
        provider=Provider(config.oidc, secret_of(home, "oidc")) if config.oidc else None,
        previews=Previews(preview) if preview else previews(home),
    )


def create_app(portal: Portal) -> ASGIApp:
    """The application: every address of the table and no other, behind the limits and headers."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        fail_interrupted(portal.office, portal.clock())
        portal.examiner.resume()
        if portal.courier is not None:
            portal.courier.start()
        try:
            yield
        finally:
            if portal.courier is not None:
                portal.courier.close()
            portal.examiner.close()
            portal.pool.close()

    door = Door(portal)
    addresses = [Address(route.path, door.endpoint(route), methods=[route.method], name=route.name) for route in ROUTES]

    async def missing(request: Request, _: Exception) -> Response:
        return await door.nowhere(request)

    app = Starlette(routes=addresses, exception_handlers={404: missing, 405: missing}, lifespan=lifespan)
    app.router.redirect_slashes = False
    return SafeHeaders(GuardedBody(app, portal.settings.limits), is_https=portal.settings.is_https)
