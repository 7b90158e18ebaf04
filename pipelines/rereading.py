"""Reading and checking every recorded submission again with today's reader and rules; differences are told, not kept."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.checking import IncomingBook, check, read_books
from pipelines.collating import collated_readings
from pipelines.history import enterprises_in, history_readings
from pipelines.intake import COLLATED, HISTORY, Office, findings_of, observations_of
from pipelines.operands import History
from sources.pool import Pool
from warehouse.ledger.submissions import submissions

COMPARED = ("rule", "form", "unit_id", "column", "outcome")


def reread_all(office: Office, *, workers: int, progress: Callable[[str], None] = lambda _: None) -> list[str]:
    """One sentence a submission whose observations or findings come out differently today; empty where none does."""
    told: list[str] = []
    with Pool(workers=workers, preload=("sources.reader",)) as pool, office.ledger.read() as session:
        history = History(office.vault, session, office.programme)
        for one in submissions(session):
            if one.check is None or one.check.observations_blob is None:
                continue
            progress(f"重读 {one.number}")
            books = [IncomingBook(f.name, office.vault.read(f.sha256)) for f in one.files]
            units = None
            if one.channel == HISTORY:
                readings = history_readings(office, session, one, pool)
                units = enterprises_in(office, readings, one.period)
            else:
                readings = read_books(books, office.programme, pool)
                if one.channel == COLLATED:
                    readings = collated_readings(office, session, one, readings)
            checked = check(readings, office.programme, history, park=one.park, period=one.period, units=units)
            if checked.observations.to_bytes() != observations_of(
                office.vault, one
            ).to_bytes() and not one.check.counts.get("left_out"):
                told.append(f"{one.number}:读出的数据与当时不同")
            before = sorted(findings_of(office.vault, one).select(COMPARED).iter_rows(), key=str)
            after = sorted(checked.findings.select(COMPARED).iter_rows(), key=str)
            if before != after:
                gone, come = len([f for f in before if f not in after]), len([f for f in after if f not in before])
                told.append(
                    f"{one.number}:审核问题与当时不同(少 {gone} 条,多 {come} 条;规则、名录或其他期的数据可能已变)"
                )
    return told
