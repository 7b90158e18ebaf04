"""Explanations of earlier revisions 沿用说明: what the park said of a finding before it uploaded again, to be confirmed or written anew.

Nothing is entered here. What is offered counts only when the park sends it for this revision; the trail then says how many
stand word for word as in an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.intake import Office, findings_of
from schemas.findings import NEEDS_EXPLANATION
from sources.problems import problem_and_remedy
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
    now = _seen(office, found)
    if not now or found.revision < 2:
        return {}
    with office.ledger.read() as session:
        earlier = [
            (one, told)
            for one in submissions(session, park=found.park, period=found.period)
            if one.revision < found.revision and (told := explanations_of(session, one.number))
        ]
    said: dict[str, Before] = {}
    for one, told in reversed(earlier):
        if not (wanted := (now.keys() & told.keys()) - said.keys()):
            continue
        then = _seen(office, one)
        said |= {key: Before(told[key], one.revision, then.get(key) == now[key]) for key in sorted(wanted)}
    return said


def taken_over(offered: Mapping[str, Before], given: Mapping[str, tuple[str, str]]) -> int:
    """How many of the explanations given are what was offered, word for word."""
    return sum(
        before.is_unchanged and given.get(key) == (before.told.reason_code, before.told.text)
        for key, before in offered.items()
    )


def _seen(office: Office, found: Submission) -> dict[str, Seen]:
    if found.check is None or found.check.findings_blob is None:
        return {}
    soft: pl.DataFrame = findings_of(office.vault, found).filter(NEEDS_EXPLANATION)
    seen: dict[str, set[tuple[str, str, str]]] = {}
    for row in soft.iter_rows(named=True):
        figures = row["found"] or ""
        problem = problem_and_remedy(row["message"] or "", figures)[0].split(":")[-1]
        seen.setdefault(finding_key(row), set()).add((figures, row["outcome"] or "", problem))
    return {key: frozenset(places) for key, places in seen.items()}
