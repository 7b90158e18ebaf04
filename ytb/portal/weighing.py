"""Effects for the pages of reviewers: computed once for each state of the ledger, since a queue is looked at again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pipelines.gaps import gap_of
from pipelines.matters import Matters, what_matters
from schemas.period import Period
from warehouse.ledger.submissions import Submission
from warehouse.ledger.trail import last_change
from ytb.portal.visit import Visit

KEPT, FORMS_KEPT = 8, 2000
_LOCK = threading.Lock()
_FOUND: OrderedDict[tuple[str, str, int, str], Matters] = OrderedDict()
_FORMS: OrderedDict[tuple[str, str, str], tuple[int, int]] = OrderedDict()


def weighed(visit: Visit, period: Period) -> Matters:
    """What matters in a round, as the ledger stands. Only for routes of province roles: parks see no effect."""
    with visit.office.ledger.read() as session:
        end = last_change(session)  # every look at a page is a link of the trail, too
    key = (str(visit.portal.home.root), str(period), end.seq, end.hash)
    # One computation at a time: two reviewers opening the queue at once would do the same work twice.
    with _LOCK:
        if key not in _FOUND:
            _FOUND[key] = what_matters(visit.office, period)
            while len(_FOUND) > KEPT:
                _FOUND.popitem(last=False)
        _FOUND.move_to_end(key)
        return _FOUND[key]


def missing_forms(visit: Visit, found: Submission) -> tuple[int, int]:
    """How many forms of the round a submission leaves out, and of how many; what was read never changes."""
    blob = found.check.observations_blob if found.check else None
    if blob is None:
        return 0, 0
    key = (str(visit.portal.home.root), found.number, blob)
    with _LOCK:
        if key in _FORMS:
            return _FORMS[key]
    with visit.office.ledger.read() as session:
        gap = gap_of(visit.office, session, found)
    with _LOCK:
        _FORMS[key] = len(gap.missing), len(gap.forms)
        while len(_FORMS) > FORMS_KEPT:
            _FORMS.popitem(last=False)
        return _FORMS[key]
