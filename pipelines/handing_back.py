"""Handing back 退改: what a park gets on a submission that did not get through, made from the recorded findings.

From the record and not from a check at hand, so that it can be made again at any time: after an interruption, or on request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath

import polars as pl

from pipelines.intake import Office, findings_of, observations_of, weak_among
from pipelines.proposing import proposal_texts
from schemas import reserved
from schemas.errors import RefusalError, StatisticsError, SubmissionError
from schemas.findings import BLOCKING, NEEDS_EXPLANATION
from schemas.model import Programme
from schemas.observations import names_of_units
from schemas.period import Period
from sources.marked import explanations_in, list_of_findings, mark
from sources.marked_list import FindingKey
from sources.pool import Pool
from warehouse.ledger.explanations import explanations_of
from warehouse.ledger.proposed_values import proposed_values_of
from warehouse.ledger.register import register_as_of
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, SubmittedFile

MARKABLE = (".xlsx", ".xlsm")


def marked_books(office: Office, found: Submission) -> dict[str, bytes]:
    """File name → workbook, for every file with findings to mend or explain; empty once the park has reported.

    The park's own workbook with marks; where it cannot be edited safely, or was not readable, a list of the findings.
    """
    if found.check is None or found.state in STANDING:
        return {}
    findings = findings_of(office.vault, found)
    with office.ledger.read() as session:
        register = register_as_of(session, found.period.end, park=found.park)
        proposed = proposed_values_of(session, found.number)
    # An enterprise that is not in the files is called what the register calls it.
    names = names_in({reserved.BASIC: register}) | _unit_names(office, found)
    texts = proposal_texts(proposed, office.programme.edition_for(found.period))
    books: dict[str, bytes] = {}
    of_all = pl.col("file").is_null()
    for file in found.files:
        # An enterprise is told of its own figures only.
        beside = of_all & (pl.col("unit_id") == file.role) if file.role else of_all
        mine = findings.filter(beside | pl.col("file").is_in([file.name, file.sha256]))
        if mine.filter(BLOCKING | NEEDS_EXPLANATION).is_empty():
            continue
        original = office.vault.read(file.sha256) if found.state is not State.UNREADABLE else b""
        refused = _refused(office, found, file.name, original)
        name, data = marked_book(file.name, original, mine, office.programme, found.period, names, texts, refused)
        books[_unique(name, file, books)] = data
    owners = [file.role for file in found.files]
    rest = findings.filter(of_all & ~pl.col("unit_id").is_in(owners).fill_null(False))
    if all(owners) and rest.filter(BLOCKING | NEEDS_EXPLANATION).height:
        name, data = marked_book(f"{found.number}.xlsx", b"", rest, office.programme, found.period, names)
        books[name] = data
    return books


def _refused(office: Office, found: Submission, name: str, original: bytes) -> dict[FindingKey, str]:
    """Why explanations typed in a workbook were not taken, by finding, for the park to see where it typed them."""
    if found.state is not State.CHECKED or PurePath(name).suffix.lower() not in MARKABLE:
        return {}
    try:
        told = explanations_in(original).rows()
    except SubmissionError:
        return {}  # not a package we mark in: it has no such sheet either
    given = {"|".join(row[:4]): (row[4], row[5]) for row in told}
    with office.ledger.read() as session:
        taken = explanations_of(session, found.number)
    weak = weak_among(office, found, {key: one for key, one in given.items() if key not in taken}) if given else {}
    keys = {"|".join(row[:4]): (row[0], row[1], row[2], row[3]) for row in told}
    return {keys[key]: why for key, why in weak.items()}


def marked_book(
    name: str,
    original: bytes,
    findings: pl.DataFrame,
    programme: Programme,
    period: Period | None,
    names: Mapping[str, str],
    proposals: Mapping[tuple[str, str], str] | None = None,
    refused: Mapping[FindingKey, str] | None = None,
) -> tuple[str, bytes]:
    """(file name, workbook): the park's own workbook with marks, a list of the findings where it cannot be edited safely
    or nothing is given. ``names``: unit → name for display; ``proposals``: what the ledger has on record as proposed;
    ``refused``: why an explanation typed in the workbook does not do."""
    edition = programme.edition_for(period) if period else None
    forms = {code: form.title for code, form in edition.forms.items()} if edition else {}
    reasons = list(programme.codelists["reason_code"].rows.select("code", "name").iter_rows())
    path = PurePath(name)
    if original and path.suffix.lower() in MARKABLE:
        try:
            data = mark(
                original,
                findings,
                names=names,
                forms=forms,
                reasons=reasons,
                edition=edition,
                proposals=proposals,
                refused=refused,
            ).data
            return f"{path.stem}_审核{path.suffix}", data
        except SubmissionError:
            pass  # a workbook that cannot be edited safely: the list serves instead
    return f"{path.stem}_问题清单.xlsx", list_of_findings(
        findings, names=names, forms=forms, edition=edition, proposals=proposals
    )


def typed_explanations(books: Iterable[tuple[str, bytes]], pool: Pool) -> dict[str, tuple[str, str]]:
    """What the park has typed on the sheet 审核结果 of its marked workbooks (name, bytes): finding key → (reason code, text)."""
    given: dict[str, tuple[str, str]] = {}
    jobs = [(data,) for name, data in books if PurePath(name).suffix.lower() in MARKABLE]
    for told in pool.map(explanations_in, jobs):
        if isinstance(told, StatisticsError):
            continue  # not a package we mark in: it has no such sheet either
        for row in told.iter_rows(named=True):
            given["|".join(row[c] or "" for c in ("rule", "form", "unit_id", "column"))] = (
                row["reason_code"],
                row["text"],
            )
    return given


def _unique(name: str, file: SubmittedFile, taken: dict[str, bytes]) -> str:
    path = PurePath(name)
    return name if name not in taken else f"{path.stem}_{file.sha256[:8]}{path.suffix}"


def _unit_names(office: Office, found: Submission) -> dict[str, str]:
    """Unit → name as filed, for display."""
    try:
        frames = observations_of(office.vault, found).frames
    except RefusalError:
        return {}
    return names_in(frames)


def names_in(frames: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Unit → name as the basic form states it."""
    return names_of_units(frames.get(reserved.BASIC))
