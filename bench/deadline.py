"""A home on the last evening of a round: as many parks as are wanted, each with a clerk signed in and a finished workbook."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bench.books import YEAR, park_book
from schemas.catalog import programme
from warehouse.home import create_home
from warehouse.ledger import access
from warehouse.ledger.migrate import create_ledger
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.periods import open_round
from warehouse.ledger.users import add_user

WHO, TEMPLATE_OF = "bench", "LBGX"


@dataclass(frozen=True)
class Clerk:
    """Somebody with a browser that is signed in: the park, the cookie, the key of a program, and the workbook to upload."""

    park: str
    cookie: str
    token: str
    data: bytes


def deadline_home(root: Path, clerks: int, now: datetime, *, enterprises: int = 120) -> list[Clerk]:
    """A home at ``root`` with the annual round open; the workbook of one park, addressed anew to every other."""
    home = create_home(root, now=now, organisation="示例统计局")
    ledger = create_ledger(home)
    book = park_book(enterprises).data
    made = [
        Clerk(f"QG{n:03d}", f"session-{n}-{'x' * 32}", f"token-{n}-{'x' * 32}", addressed(book, f"QG{n:03d}"))
        for n in range(clerks)
    ]
    with ledger.write() as session:
        parks = [Park(one.park, f"示例高新区{one.park}", kind="zone") for one in made]
        add_parks(session, parks, now=now, actor=WHO)
        edition = programme().edition_for(YEAR).id
        open_round(session, YEAR, edition=edition, deadline=now + timedelta(hours=2), now=now, actor=WHO)
        for one in made:
            name = f"clerk-{one.park}"
            add_user(session, name, title=name, role="park_reporter", park=one.park, now=now, actor=WHO)
            access.set_password(session, name, "none", one_time=False, now=now, actor=WHO)
            access.start_session(session, one.cookie, name, address="127.0.0.1", agent="bench", now=now)
            access.add_token(
                session, one.token, name, label="bench", scopes=("read", "submit"), expires_at=now + timedelta(days=1),
                now=now,
            )  # fmt: skip
    ledger.engine.dispose()
    return made


def addressed(book: bytes, park: str) -> bytes:
    """The same workbook, handed out to another park: its code in the two places where a template names it."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename in ("xl/sharedStrings.xml", "docProps/custom.xml"):
                data = data.replace(f">{TEMPLATE_OF}<".encode(), f">{park}<".encode())
                new.writestr(entry.filename, data)
            else:
                new.writestr(entry, data, compress_type=zipfile.ZIP_STORED if len(data) < 400 else zipfile.ZIP_DEFLATED)
    return out.getvalue()
