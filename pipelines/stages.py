"""The stages of a period as use cases: load, compute, publish unless nothing changed. What assets call, and nothing more."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import polars as pl

from exports.manifest import SubmissionRef, read_manifest
from pipelines.inputs import live_inputs
from pipelines.intake import Office
from pipelines.loading import Loaded, load_all
from pipelines.methods.product import PART_FIELDS, Product
from pipelines.production import DUE, compute, store
from pipelines.publishing import code_version, publish
from schemas.errors import DefinitionError
from schemas.marts import MARTS, conform
from schemas.model import Form, Programme
from schemas.period import Period
from warehouse import facts
from warehouse.home import Home
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import first_reports
from warehouse.ledger.register import register_as_of
from warehouse.ledger.releases import Release, current_release
from warehouse.ledger.submissions import Submission, accepted_else_reported
from warehouse.snapshots import publish_snapshot
from warehouse.stages import StageProfile, stage_profile


@dataclass(frozen=True)
class PeriodState:
    """How far a period has come: parks that owe, have reported, are accepted; what counts now, by park and state."""

    owing: int
    reported: int
    accepted: int
    by_state: pl.DataFrame
    sha256: str


@dataclass(frozen=True)
class LoadedPeriod:
    """A load, and what the warehouse holds of one period afterwards: (stage, form) → profile."""

    loaded: Loaded
    profiles: Mapping[tuple[str, str], StageProfile]
    state: PeriodState


def asked_forms(programme: Programme, period: Period) -> dict[str, Form]:
    """The forms collected for a period, by code; none where no edition is in force."""
    try:
        edition = programme.edition_for(period)
    except DefinitionError:
        return {}
    return {code: form for code, form in edition.forms.items() if form.asked(period)}


def load_period(
    office: Office,
    home: Home,
    period: Period,
    wanted: Collection[tuple[str, str]],
    progress: Callable[[str], None] = lambda _: None,
) -> LoadedPeriod:
    """Bring the warehouse up to the ledger (all periods: a load is one step) and profile ``wanted`` of one period."""
    forms = asked_forms(office.programme, period)
    with facts.writer(home.live) as con:
        loaded = load_all(office, con, progress=progress)
        profiles = {
            (stage, code): stage_profile(
                con, office.programme, stage, code, str(period), tuple(i.code for i in forms[code].asked(period))
            )
            for stage, code in sorted(wanted)
            if code in forms
        }
    return LoadedPeriod(loaded, profiles, period_state(office, period))


def period_state(office: Office, period: Period) -> PeriodState:
    """How far a period has come, from the ledger."""
    with office.ledger.read() as session:
        standing = accepted_else_reported(session, period)
        reported = first_reports(session, period)
        units = register_as_of(session, period.end)
        zones = {p.code for p in parks(session, period.end) if p.kind == "zone"}
    owing = set(units["park"].to_list()) & zones if units.height else zones
    rows = [(s.park, s.number, s.revision, s.state.label) for s in standing]
    frame = pl.DataFrame(rows, schema=["园区", "报送编号", "修订", "状态"], orient="row")
    digest = hashlib.sha256("\n".join(f"{s.number} {s.state}" for s in standing).encode()).hexdigest()
    accepted = sum(1 for s in standing if s.state.value == "accepted")
    return PeriodState(len(owing), len(owing & reported.keys()), accepted, frame, digest)


def compute_period(
    office: Office,
    home: Home,
    period: Period,
    wanted: Collection[str],
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Product]:
    """Compute and keep the marts ``wanted`` of a period, and publish a snapshot for everybody who reads.

    A mart that is due but has nothing to be computed from yet is kept empty, so that no earlier run shines through; one that
    is not due is not in the result.
    """
    due = [name for name in DUE.get(period.round, ()) if name in wanted]
    if not due:
        return {}
    products = sorted({MARTS[name].product for name in due})
    with facts.writer(home.live) as con:
        facts.create(con, office.programme)
        found: dict[str, Product] = {}
        if str(period) in facts.periods_on_file(con, "effective"):
            found = compute(live_inputs(office, con), period, products, progress)
        kept = {name: found.get(name, _nothing()) for name in due}
        with facts.transaction(con):
            store(con, period, kept)
        publish_snapshot(con, home.snapshots)
    return kept


def _nothing() -> Product:
    return Product(conform(pl.DataFrame(schema={"row_key": pl.String})), pl.DataFrame(schema=PART_FIELDS))


def publish_if_changed(
    office: Office,
    home: Home,
    period: Period,
    *,
    now: datetime,
    actor: str,
    reason: str = "",
    again: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Release, bool]:
    """The release that says what is known of a period: the standing one where it rests on exactly the same submissions,
    register, programme and code, else a new one. ``again`` makes a new one in any case. (release, whether it is new)"""
    with office.ledger.read() as session:
        standing = current_release(session, period)
    if standing is not None and not again and not _has_changed(office, home, standing):
        return standing, False
    made, _ = publish(office, home, period, now=now, actor=actor, reason=reason, progress=progress)
    return made, True


def _has_changed(office: Office, home: Home, standing: Release) -> bool:
    """Whether a release made now would rest on anything else. Registers are compared by content, the rest as written."""
    folder = home.releases / standing.id
    if not folder.is_dir():
        return True
    document = read_manifest(folder).document
    with facts.writer(home.live) as con:
        load_all(office, con)
        inputs = live_inputs(office, con)
    basis = release_basis(office.programme, inputs.submissions)
    registers: Mapping[str, str] = document["parameters"].get("register", {})
    return (
        any(document.get(key) != value for key, value in basis.items())
        or document["parameters"].get("evaluation_figures", 0) != inputs.provided_through
        or document["parameters"].get("restructurings", 0) != inputs.restructured_through
        or registers.keys() != inputs.register.keys()
        or any(
            not pl.read_ipc(io.BytesIO(office.vault.read(sha))).equals(inputs.register[period])
            for period, sha in registers.items()
        )
    )


def release_basis(programme: Programme, listed: Sequence[Submission]) -> dict[str, object]:
    """What a release made now would rest on, the register aside, as its manifest would say it."""
    refs = [
        SubmissionRef(s.number, s.park, str(s.period), s.revision, s.state.value, tuple(f.sha256 for f in s.files))
        for s in listed
    ]
    plain = [asdict(ref) for ref in sorted(refs, key=lambda r: (r.park, r.period, r.revision, r.id))]
    return {
        "submissions": json.loads(json.dumps(plain)),
        "programme_sha256": programme.fingerprint,
        "code_version": code_version(),
    }
