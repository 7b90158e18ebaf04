"""People by the name they go by 姓名: who acted, as clerks and reviewers know them. The login stays in the tooltip."""

from __future__ import annotations

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger.parks import parks
from warehouse.ledger.session import Ledger
from warehouse.ledger.users import User, user

OPERATOR = "系统维护人员"
"""Who acted by command line under a name that is no account."""


class People:
    """The accounts of one installation, each looked up once a page."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, User | None] = {}
        self._parks: dict[str, str] | None = None

    def get(self, name: str) -> User | None:
        """The account behind a name; None where it is none."""
        if name not in self._known:
            with self._ledger.read() as session:
                self._known[name] = _found(session, name)
        return self._known[name]

    def title(self, name: str) -> str:
        """What a person is called; several names divided by commas are several people."""
        return ",".join(self._title(one) for one in name.split(",")) if name else ""

    def _title(self, name: str) -> str:
        known = self.get(name)
        if known is not None:
            return known.title
        return OPERATOR if name.isascii() else name

    def place(self, name: str) -> str:
        """Role and park of a person; empty where the name is no account."""
        known = self.get(name)
        if known is None:
            return ""
        return f"{known.role_label},{self.park(known.park)}" if known.park else known.role_label

    def park(self, code: str) -> str:
        """The short name of a park; a node that is none is called what it is."""
        if self._parks is None:
            with self._ledger.read() as session:
                self._parks = {one.code: one.short_name or one.name for one in parks(session)}
        return self._parks.get(code, code)


def _found(session: Session, name: str) -> User | None:
    try:
        return user(session, name)
    except RefusalError:
        return None


def _marked(people: People, name: str, *, with_place: bool) -> Markup:
    place = people.place(name)
    hint = f"登录名 {name}" + (f",{place}" if place else ",不是本系统的账户" if name.isascii() else "")
    shown = Markup('<span class="person" title="{}">{}</span>').format(hint, people.title(name))
    return (
        shown + Markup(' <span class="quiet">({})</span>').format(place)
        if with_place and place not in ("", people.title(name))
        else shown
    )


def _listed(context: Context, names: str | None, *, with_place: bool) -> Markup:
    """One name, or several with commas between."""
    each = names.split(",") if names else ()
    return Markup("、").join(_marked(context["who_is"], one, with_place=with_place) for one in each)


@pass_context
def person(context: Context, name: str | None) -> Markup:
    """A person in a page: the name; role, park and login in the tooltip."""
    return _listed(context, name, with_place=False)


@pass_context
def person_with_place(context: Context, name: str | None) -> Markup:
    """A person in a page, with role and park behind the name."""
    return _listed(context, name, with_place=True)
