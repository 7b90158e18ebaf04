"""Explanations of earlier revisions 沿用说明: what a park, or an enterprise, said of a finding before it uploaded again, to be
confirmed or written anew.

Nothing is entered here. What is offered counts only when it is sent for this revision; the trail then says how many stand word
for word as in an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from pipelines.office import Office, findings_of, return_findings
from schemas.findings import NEEDS_EXPLANATION
from sources.problems import problem_and_remedy
from warehouse.ledger.enterprise_returns import EnterpriseReturn, enterprise_returns, return_explanations_of
from warehouse.ledger.explanations import Explanation, explanations_of, finding_key
from warehouse.ledger.submissions import Submission, submissions

Seen = frozenset[tuple[str, str, str]]
"""Of every place of a finding: the figures found, the outcome, the problem in words without its cell."""


@dataclass(frozen=True)
class Before:
    """What was said of a finding in an earlier ``revision``; ``is_unchanged``: the finding is the same to the figure."""

    told: Explanation
    revision: int
    is_unchanged: bool


def said_before(office: Office, found: Submission) -> dict[str, Before]:
    """Finding key → what the park said of it last in an earlier revision of this period, for findings that still need it.

    The same finding is one with the same key (``finding_key``); unchanged is one whose figures found, outcome and problem are
    the same wherever its row has moved to.
    """
    now = _seen_in(office, found)
    if not now or found.revision < 2:
        return {}
    with office.ledger.read() as session:
        earlier = [
            _Earlier(one.revision, told, partial(_seen_in, office, one))
            for one in submissions(session, park=found.park, period=found.period)
            if one.revision < found.revision and (told := explanations_of(session, one.number))
        ]
    return _said(now, earlier)


def said_before_return(office: Office, found: EnterpriseReturn) -> dict[str, Before]:
    """As ``said_before``, of an enterprise's return. What a park explained of a workbook that came by mail is not put into the
    mouth of the enterprise, nor the other way round."""
    now = _seen_in_return(office, found)
    if not now or found.revision < 2:
        return {}
    with office.ledger.read() as session:
        earlier = [
            _Earlier(one.revision, told, partial(_seen_in_return, office, one))
            for one in enterprise_returns(session, found.park, period=found.period, unit_id=found.unit_id)
            if one.revision < found.revision
            and one.is_own == found.is_own
            and (told := return_explanations_of(session, one.number))
        ]
    return _said(now, earlier)


@dataclass(frozen=True)
class _Earlier:
    revision: int
    told: Mapping[str, Explanation]
    seen: Callable[[], dict[str, Seen]]


def _said(now: Mapping[str, Seen], earlier: Sequence[_Earlier]) -> dict[str, Before]:
    """``earlier`` in the order of the revisions; the last word on a finding counts."""
    said: dict[str, Before] = {}
    for one in reversed(earlier):
        if not (wanted := (now.keys() & one.told.keys()) - said.keys()):
            continue
        then = one.seen()
        said |= {key: Before(one.told[key], one.revision, then.get(key) == now[key]) for key in sorted(wanted)}
    return said


def taken_over(offered: Mapping[str, Before], given: Mapping[str, tuple[str, str]]) -> int:
    """How many of the explanations given are what was offered, word for word."""
    return sum(
        before.is_unchanged and given.get(key) == (before.told.reason_code, before.told.text)
        for key, before in offered.items()
    )


def _seen_in(office: Office, found: Submission) -> dict[str, Seen]:
    is_checked = found.check is not None and found.check.findings_blob is not None
    return _seen(findings_of(office.vault, found)) if is_checked else {}


def _seen_in_return(office: Office, found: EnterpriseReturn) -> dict[str, Seen]:
    is_checked = found.check is not None and found.check.findings_blob is not None
    return _seen(return_findings(office, found)) if is_checked else {}


def _seen(findings: pl.DataFrame) -> dict[str, Seen]:
    soft = findings.filter(NEEDS_EXPLANATION)
    seen: dict[str, set[tuple[str, str, str]]] = {}
    for row in soft.iter_rows(named=True):
        figures = row["found"] or ""
        problem = problem_and_remedy(row["message"] or "", figures)[0].split(":")[-1]
        seen.setdefault(finding_key(row), set()).add((figures, row["outcome"] or "", problem))
    return {key: frozenset(places) for key, places in seen.items()}
