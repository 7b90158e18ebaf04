"""Effects for the pages of reviewers: computed once for each state of the ledger, since a queue is looked at again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pipelines.matters import Matters, what_matters
from schemas.period import Period
from warehouse.ledger.trail import last_change
from ytb.portal.visit import Visit

KEPT = 8
_LOCK = threading.Lock()
_FOUND: OrderedDict[tuple[str, str, int, str], Matters] = OrderedDict()


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
