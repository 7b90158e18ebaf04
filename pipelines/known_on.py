"""As known on a day 某日所知: a period computed from what the ledger had recorded by then, whatever came later.

Submissions in the state they had, the register from the events and answers recorded by then, releases made and not withdrawn by then.
Made in memory; nothing is stored. Figures of evaluations given by file, and administrative records, are taken as they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from pipelines.inputs import Inputs, findings_of, live_inputs, register_frames
from pipelines.intake import Office
from pipelines.loading import LOADED_STATES, load_listed, state_history
from pipelines.methods.product import Product
from pipelines.production import compute
from schemas.errors import DefinitionError, RefusalError
from schemas.period import Period
from warehouse import facts
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.releases import releases
from warehouse.ledger.restructurings import restructurings, successions_frame
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submissions


def end_of_day(text: str) -> datetime:
    """The end (24时) of a day in China. Raises DefinitionError for what is no date."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise DefinitionError(f"“{text}”不是日期", remedy="请写成 2015-08-01。") from None
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + timedelta(days=1)


def computed_as_known(
    office: Office,
    period: Period,
    products: Sequence[str],
    instant: datetime,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Product]:
    """The marts of a period as they would have come out at ``instant``. Raises RefusalError where nothing of it was filed by then."""
    with office.ledger.read() as session:
        listed = tuple(known_submissions(session, instant))
        released = {
            str(r.period): r.released_at
            for r in releases(session)
            if r.released_at < instant and not (r.withdrawn_at is not None and r.withdrawn_at < instant)
        }
        register = register_frames(session, sorted({s.period for s in listed}, key=str), known=instant)
        linked = successions_frame(restructurings(session, known=instant))
    if not any(s.period == period for s in listed):
        raise RefusalError(f"{period} 到那时还没有报送;请换较晚的日期或别的报告期。")
    with facts.in_memory() as con:
        load_listed(office, con, listed)
        now = live_inputs(office, con)
        inputs = Inputs(
            con, office.programme, register, {s.number: findings_of(office.vault, s) for s in listed}, listed,
            now.deadlines, released, now.provided, now.provided_through, now.records, linked,
        )  # fmt: skip
        return compute(inputs, period, products, progress)


def known_submissions(session: Session, instant: datetime) -> list[Submission]:
    """Every submission that had been reported by ``instant``, in the state it had then."""
    found = []
    for one in submissions(session):
        history = [(at, state) for at, state in state_history(session, one.number) if at < instant]
        if one.check is None or not any(state is State.REPORTED for _, state in history):
            continue
        at, state = history[-1]
        if state in LOADED_STATES:
            found.append(replace(one, state=state, state_at=at))
    return found
