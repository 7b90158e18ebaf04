"""Handing back 退改: what a park gets on a submission that did not get through, made from the recorded findings.

From the record and not from a check at hand, so that it can be made again at any time: after an interruption, or on request.
"""

from __future__ import annotations

from pathlib import PurePath

import polars as pl

from pipelines.intake import Office, findings_of, observations_of
from schemas.errors import RefusalError, SubmissionError
from schemas.findings import BLOCKING, NEEDS_EXPLANATION
from sources.marked import list_of_findings, mark
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, SubmittedFile

MARKABLE = (".xlsx", ".xlsm")


def marked_books(office: Office, found: Submission) -> dict[str, bytes]:
    """File name → workbook, for every file with findings to mend or explain; empty once the park has reported.

    The park's own workbook with marks; where it cannot be edited safely, or was not readable, a list of the findings.
    """
    if found.check is None or found.state in STANDING:
        return {}
    findings = findings_of(office.vault, found).filter(pl.col("outcome") != "absorbed")
    edition = office.programme.edition_for(found.period)
    forms = {code: form.title for code, form in edition.forms.items()}
    reasons = list(office.programme.codelists["reason_code"].rows.select("code", "name").iter_rows())
    names = _unit_names(office, found)
    books: dict[str, bytes] = {}
    for file in found.files:
        mine = findings.filter(pl.col("file").is_null() | pl.col("file").is_in([file.name, file.sha256]))
        if mine.filter(BLOCKING | NEEDS_EXPLANATION).is_empty():
            continue
        path = PurePath(file.name)
        name, data = f"{path.stem}_问题清单.xlsx", b""
        if found.state is not State.UNREADABLE and path.suffix.lower() in MARKABLE:
            try:
                data = mark(office.vault.read(file.sha256), mine, names=names, forms=forms, reasons=reasons).data
                name = f"{path.stem}_审核{path.suffix}"
            except SubmissionError:
                data = b""  # a workbook that cannot be edited safely: the list serves instead
        books[_unique(name, file, books)] = data or list_of_findings(mine, names=names, forms=forms)
    return books


def _unique(name: str, file: SubmittedFile, taken: dict[str, bytes]) -> str:
    path = PurePath(name)
    return name if name not in taken else f"{path.stem}_{file.sha256[:8]}{path.suffix}"


def _unit_names(office: Office, found: Submission) -> dict[str, str]:
    """Unit → name as filed, for display."""
    try:
        frames = observations_of(office.vault, found).frames
    except RefusalError:
        return {}
    basic = frames.get("basic")
    if basic is None or "B02" not in basic.columns:
        return {}
    return dict(basic.select("unit_id", "B02").drop_nulls().iter_rows())
