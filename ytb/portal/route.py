"""What a route is: who may take it, on whose things, and what the trail says of it. The table is in ``routes``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from starlette.responses import Response

from warehouse.ledger.users import User
from ytb.portal.visit import Visit

Handler = Callable[[Visit], Response]


class Owner(Enum):
    """What the address names, and so whose it must be."""

    NOTHING = "nothing"
    PARK = "park"
    ROUND = "park and period"
    SUBMISSION = "submission"
    UNIT = "park and enterprise"
    """With a period or without; an enterprise's account sees its own only, a park those of its register."""
    RETURN = "enterprise return"
    APPLICATION = "application to the register"


@dataclass(frozen=True)
class Route:
    """One address. ``roles`` empty: for everybody, signed in or not.

    ``back``: the page shown again, with the reason on top, where a step is refused. ``reads``: the answer holds figures or
    findings of single units, so the trail says who saw it. ``uploads``: takes files and checks them, one of few at a time.
    ``scope``: what a token of a program must be allowed; with it the route belongs to the interface for programs.
    """

    name: str
    method: str
    path: str
    handler: Handler
    roles: frozenset[str]
    owner: Owner = Owner.NOTHING
    back: Handler | None = None
    reads: bool = False
    uploads: bool = False
    scope: str = ""
    menu: str = ""
    title: str = ""

    @property
    def is_api(self) -> bool:
        """Whether programs use it, with tokens, and get problem+json."""
        return self.path.startswith("/api/")

    @property
    def is_public(self) -> bool:
        """Whether no sign-in is asked for."""
        return not self.roles


def menu_of(routes: Sequence[Route], user: User | None) -> list[Route]:
    """The entries of the menu for a person."""
    return [route for route in routes if route.menu and user is not None and user.role in route.roles]
