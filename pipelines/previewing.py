"""A preview 预览 of a release: computed and protected like one, written apart, recorded nowhere as published.

For province roles only: what stands in it may still change. It carries the name ``<period>.preview`` in every row.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
from sqlalchemy.orm import Session

from exports.revision import revision_table
from pipelines.inputs import live_inputs
from pipelines.intake import Office
from pipelines.loading import LOADED_STATES, load_all
from pipelines.production import compute
from pipelines.publishing import (
    NOT_IN_FORCE,
    atoms_before,
    earlier_figures,
    earlier_releases,
    protect_products,
    published_frames,
    released_marts,
    used_submissions,
)
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse import facts
from warehouse.home import Home
from warehouse.ledger.releases import next_release_id, releases
from warehouse.ledger.submissions import submissions

FOLDER = ".preview"
ACCOUNT = "preview.json"


@dataclass(frozen=True)
class Preview:
    """What a preview was computed from and found. ``basis`` is compared with ``basis_of`` to see whether it still holds;
    ``exposed``: figures an outsider could work out, with which no release goes out; ``changed``: printed figures that
    differ from the standing release ``previous`` ("" where there is none); ``estimated``: figures with status E."""

    period: str
    computed_at: str
    computed_by: str
    basis: str
    submissions: int
    figures: int
    hidden: int
    exposed: int
    previous: str
    changed: int
    marts: tuple[str, ...]
    estimated: int = 0


def preview_folder(home: Home, period: Period) -> Path:
    """Where the preview of a period lies."""
    return home.releases / FOLDER / str(period)


def basis_of(session: Session) -> str:
    """The hash of what a release made now would rest on: every submission that counts, with its state."""
    lines = sorted(f"{s.number} {s.state}" for s in submissions(session, states=LOADED_STATES))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def make_preview(
    office: Office,
    home: Home,
    period: Period,
    *,
    now: datetime,
    actor: str,
    progress: Callable[[str], None] = lambda _: None,
) -> Preview:
    """Compute the marts of a release and put them through disclosure control; nothing of it is stored or published.

    Raises RefusalError where nothing is in force, as ``publish`` does.
    """
    with facts.writer(home.live) as con:
        load_all(office, con, progress=progress)
        with office.ledger.read() as session:
            basis, release_id = basis_of(session), next_release_id(session, period)
            before = [r for r in releases(session, period) if not r.is_withdrawn]
            series = earlier_releases(home, session, period)
        inputs = live_inputs(office, con)
        listed = used_submissions(inputs, period)
        if not listed:
            raise RefusalError(NOT_IN_FORCE)
        found = compute(inputs, period, progress=progress, to_publish=True)
    progress("披露控制")
    earlier = atoms_before(home, period, release_id)
    protected = protect_products(found, office.programme, period, earlier)
    exposed = protected.exposed.height
    # What only an earlier release lets an outsider work out is out already and does not stop a release (``publish``).
    if exposed and earlier.height:
        exposed = protect_products(found, office.programme, period, earlier.clear()).exposed.height
    frames = published_frames(protected, f"{period}.preview", period, earlier_figures(home, period, series))
    previous = before[-1].id if before else ""
    changed = revision_table(released_marts(home.releases / previous), frames).height if previous else 0
    hidden = sum(frame.filter(status="C").height for frame in frames.values())
    estimated = sum(frame.filter(status="E").height for frame in frames.values())
    made = Preview(
        str(period), now.isoformat(), actor, basis, len(listed), sum(f.height for f in frames.values()), hidden,
        exposed, previous, changed, tuple(frames), estimated,
    )  # fmt: skip
    folder = preview_folder(home, period)
    partial = folder.with_name(f"{period}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "tables").mkdir(parents=True)
    for name, frame in frames.items():
        frame.write_parquet(partial / "tables" / f"{name}.parquet")
    (partial / ACCOUNT).write_text(json.dumps(asdict(made), ensure_ascii=False, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return made


def read_preview(home: Home, period: Period) -> Preview | None:
    """The account of the preview on disk; None where there is none."""
    path = preview_folder(home, period) / ACCOUNT
    if not path.is_file():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    return Preview(**{**document, "marts": tuple(document["marts"])})


def preview_mart(home: Home, period: Period, mart: str) -> pl.DataFrame:
    """One mart of a preview."""
    return pl.read_parquet(preview_folder(home, period) / "tables" / f"{mart}.parquet")
