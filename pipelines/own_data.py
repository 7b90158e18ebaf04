"""A park's own accepted figures 本园区数据: out of the recorded observations of what is in force, never the live warehouse."""

from __future__ import annotations

from collections.abc import Sequence

from exports.own_data import OwnPeriod
from pipelines.intake import Office, observations_of
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submissions


def accepted(office: Office, park: str) -> dict[Period, Submission]:
    """Of each period the park's submission in force: the latest accepted, the newest period first."""
    with office.ledger.read() as session:
        found = submissions(session, park=park, states={State.ACCEPTED})
    # Ordered by revision within a period, so that the latest stands.
    newest = {one.period: one for one in found}
    return dict(sorted(newest.items(), reverse=True))


def own_period(office: Office, found: Submission) -> OwnPeriod:
    """The figures of one submission, every form with every column of its round."""
    edition = office.programme.edition_for(found.period)
    frames = observations_of(office.vault, found).with_all_columns(edition, found.period).frames
    return OwnPeriod(found.period, found.number, found.park, edition, frames)


def own_figures(office: Office, park: str, periods: Sequence[Period] | None = None) -> list[OwnPeriod]:
    """The accepted figures of some periods, or of all; the oldest first. Raises RefusalError where there are none."""
    standing = accepted(office, park)
    wanted = [period for period in sorted(standing) if periods is None or period in periods]
    if not wanted:
        raise RefusalError("没有已验收的数据可以下载;验收后会出现在“本园区数据”里。")
    return [own_period(office, standing[period]) for period in wanted]
