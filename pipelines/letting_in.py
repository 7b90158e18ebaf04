"""Letting files in: what comes from outside, over whichever door, is looked at for viruses before anything opens it.

The portal's forms, the interface for programs, the drop folder and the command line all call ``let_in``; which command looks is
said in ``config.toml`` (``[uploads]``) and kept by the office, so that no door has to know.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable
from datetime import datetime

from pipelines.intake import Office
from schemas.catalog import programme
from schemas.errors import SubmissionError
from schemas.model import Programme
from sources.antivirus import Scanner
from warehouse.home import Config, Home, load_config
from warehouse.ledger import trail
from warehouse.ledger.intake import clean_file_name
from warehouse.ledger.migrate import open_ledger
from warehouse.vault import StagedFile, Vault

INFECTED = "infected_refused"
"""The action on the trail for a file that was not let in."""


def scanner_of(config: Config) -> Scanner | None:
    """What looks at files from outside; None where nothing is configured."""
    words = shlex.split(config.uploads.scanner)
    return Scanner(words) if words else None


def open_office(home: Home, of: Programme | None = None) -> Office:
    """Vault, ledger, programme and scanner of a home: how every door opens it. Raises StorageError."""
    config = load_config(home)
    return Office(Vault.open(home.vault), open_ledger(home), of or programme(config.programme), scanner_of(config))


def let_in(office: Office, files: Iterable[tuple[str, bytes | StagedFile]], *, now: datetime, actor: str) -> None:
    """Return where every file is clean, or where nothing is configured to look.

    The scanner sees the very bytes that are taken in, in the vault's folder for what is not kept yet; an empty file is not shown
    to it. Raises SubmissionError ``infected`` for a file that is not clean, which the trail then holds by name and hash, and
    StorageError without a verdict: a scanner that does not work lets nothing in.
    """
    if office.scanner is None:
        return
    for name, content in files:
        shown = clean_file_name(name)
        try:
            if isinstance(content, StagedFile):
                _look(office.scanner, content, shown)
            else:
                _look_at_copy(office.vault, office.scanner, content, shown)
        except SubmissionError:
            sha256 = content.sha256 if isinstance(content, StagedFile) else hashlib.sha256(content).hexdigest()
            with office.ledger.write() as session:
                trail.append(
                    session, at=now, actor=actor, action=INFECTED, subject=f"file/{sha256[:16]}",
                    payload={"name": shown, "sha256": sha256},
                )  # fmt: skip
            raise


def _look(scanner: Scanner, staged: StagedFile, shown: str) -> None:
    if staged.size:
        scanner.look_at(staged.path, shown)


def _look_at_copy(vault: Vault, scanner: Scanner, data: bytes, shown: str) -> None:
    staged = vault.stage()
    try:
        staged.write(data)
        _look(scanner, staged, shown)
    finally:
        staged.close()
