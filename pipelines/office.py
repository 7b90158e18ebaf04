"""The office 统计机构: vault, ledger and programme that every use case works with, and what is on record of a check."""

from __future__ import annotations

import io
from dataclasses import dataclass

import polars as pl

from schemas.errors import RefusalError
from schemas.findings import complete
from schemas.model import Programme
from schemas.observations import Observations
from sources.antivirus import Scanner
from warehouse.ledger.enterprise_returns import EnterpriseReturn
from warehouse.ledger.session import Ledger
from warehouse.ledger.submissions import Submission
from warehouse.vault import Vault


@dataclass(frozen=True)
class Office:
    """What every use case of an installation works with."""

    vault: Vault
    ledger: Ledger
    programme: Programme
    scanner: Scanner | None = None
    """What looks at files from outside (``pipelines.letting_in``); None where nothing is configured."""


def findings_of(vault: Vault, found: Submission) -> pl.DataFrame:
    """The recorded findings of the latest check. Raises RefusalError where nothing was checked."""
    if found.check is None or found.check.findings_blob is None:
        raise RefusalError(f"{found.number} 还没有审核结果。")
    return complete(pl.read_ipc(io.BytesIO(vault.read(found.check.findings_blob))))


def observations_of(vault: Vault, found: Submission) -> Observations:
    """The recorded observations of the latest check. Raises RefusalError where the files could not be read."""
    if found.check is None or found.check.observations_blob is None:
        raise RefusalError(f"{found.number} 没有可读的数据。")
    return Observations.from_bytes(vault.read(found.check.observations_blob))


def return_findings(office: Office, found: EnterpriseReturn) -> pl.DataFrame:
    """The recorded findings of the latest check. Raises RefusalError where nothing was checked."""
    if found.check is None or found.check.findings_blob is None:
        raise RefusalError(f"{found.number} 还没有审核结果;请把同一个文件再上传一次。")
    return complete(pl.read_ipc(io.BytesIO(office.vault.read(found.check.findings_blob))))
