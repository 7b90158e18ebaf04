"""The portal on an office of frames: figures and findings as a test wants them, one account a role it names."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from sources.pool import Pool
from tests.paper_office import START, PaperOffice, paper_office
from tests.unit.ytb.portal_browser import Browser
from tests.unit.ytb.portal_office import CHEAP, PASSWORD
from warehouse.ledger import access
from warehouse.ledger.users import add_user
from ytb.portal.application import create_app, portal_of
from ytb.portal.visit import Settings


class PaperPortal:
    """``who(role)``, or ``who(role-PARK)``: a browser that is signed in; filing moves the clock, which ends sessions."""

    def __init__(self, root: Path, units: dict[str, list[str]], roles: tuple[str, ...]) -> None:
        self.paper: PaperOffice = paper_office(root, units)
        self.accounts(roles)
        settings = Settings(hasher=CHEAP)
        portal = portal_of(
            self.paper.home, lambda: self.paper.at, settings, office=self.paper.office, pool=Pool(workers=1),
            publish=lambda *_: None,
        )  # fmt: skip
        self.app: Any = create_app(portal)
        self._signed_in: dict[str, tuple[datetime, Browser]] = {}

    def accounts(self, roles: tuple[str, ...]) -> None:
        """An account a role; a role with a park has it behind a hyphen."""
        kept = CHEAP.hash(PASSWORD)
        with self.paper.office.ledger.write() as session:
            for name in roles:
                role, _, park = name.partition("-")
                add_user(session, name, title=f"{name}某", role=role, park=park or None, now=START, actor="root")
                access.set_password(session, name, kept, one_time=False, now=START, actor="root")

    def who(self, name: str) -> Browser:
        """A browser signed in as ``name``."""
        at, browser = self._signed_in.get(name, (START, Browser(self.app)))
        if name not in self._signed_in or at != self.paper.at:
            browser = Browser(self.app)
            assert browser.sign_in(name, PASSWORD).status == 303
            self._signed_in[name] = (self.paper.at, browser)
        return browser
