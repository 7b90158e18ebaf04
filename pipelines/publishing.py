"""Publishing 发布: disclosure control over all marts of a release together, files, manifest, ledger; and its reproduction."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from sqlalchemy.orm import Session

from exports.display import with_display
from exports.manifest import MANIFEST, Manifest, ReleaseMeta, SubmissionRef, file_sha256, read_manifest
from exports.release import write_release
from pipelines.evaluation_production import PUBLISHED as EVALUATION
from pipelines.evaluation_production import schemes_of
from pipelines.imputing_quarters import imputed_list, imputed_values
from pipelines.inputs import Inputs, findings_of, live_inputs
from pipelines.intake import Office
from pipelines.loading import load_all, load_listed
from pipelines.methods.areas import areas_of
from pipelines.methods.disclosure.layouts import release_layout
from pipelines.methods.disclosure.protect import EARLIER_COLUMNS, Protected, Spec, protect_jointly
from pipelines.methods.disclosure.rules import Rules
from pipelines.methods.evaluation_disclosure import shown_sums, stated_sums, with_sums_kept_back
from pipelines.methods.index_disclosure import Scores, with_index_sums_kept_back
from pipelines.methods.monitoring_chain import published_chains
from pipelines.methods.product import Product, composite_parts
from pipelines.methods.warning_disclosure import with_scores_kept_back
from pipelines.methods.warning_levels import Parameters
from pipelines.production import compute, store
from pipelines.release_standing import standing_of
from schemas.canonical import frame_bytes
from schemas.errors import RefusalError
from schemas.marts import PUBLISHED_COLUMNS
from schemas.model import Edition, FormKind, Programme
from schemas.period import Period
from warehouse import facts
from warehouse.home import Home, load_config
from warehouse.ledger.evaluations import provided_figures
from warehouse.ledger.releases import Release, next_release_id, record_release, releases
from warehouse.ledger.restructurings import restructurings, successions_frame
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submission
from warehouse.snapshots import publish_snapshot

INDEX, WARNINGS = "index_scores", "monitoring_warnings"
NOT_IN_FORCE = "本期还没有已验收的报送,不能发布。请先审核验收本期的报送,或换报告期。"


def code_version() -> str:
    """The version of this code as installed."""
    try:
        return version("yitaobiao")
    except PackageNotFoundError:
        return "0"


def protect_products(
    found: Mapping[str, Product], programme: Programme, period: Period, earlier: pl.DataFrame
) -> Protected:
    """All marts of a release through disclosure control in one go, jointly with what earlier releases showed."""
    edition = programme.edition_for(period)
    thresholds = edition.parameters["thresholds"]
    ordinary, innovation = Rules.of_programme(thresholds), Rules.of_programme(thresholds, innovation=True)
    rules = {name: innovation if name == "innovation_tables" else ordinary for name in found}
    spec = Spec(ordinary, release_layout(programme, period), earlier=earlier)
    protected = protect_jointly(
        {name: (p.cells, _complete_parts(p, edition)) for name, p in found.items()}, rules, spec
    )
    return _without_telling_sums(protected, programme, period)


def _without_telling_sums(protected: Protected, programme: Programme, period: Period) -> Protected:
    """Scores of evaluation and warnings and figures of the index that would give away what is hidden are hidden as well."""
    edition = programme.edition_for(period)
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    zones = {a.code: a.zone for a in areas.values() if a.is_sub_park}
    own = {mart: protected.cells.filter(mart=mart) for mart in (EVALUATION, INDEX, WARNINGS)}
    kept = {mart: cells for mart, cells in own.items() if cells.height}
    scores: Scores = {}
    stated: Scores = {}
    if EVALUATION in kept:
        schemes = schemes_of(edition)
        kept[EVALUATION] = with_sums_kept_back(kept[EVALUATION], schemes)
        scores, stated = shown_sums(kept[EVALUATION], schemes), stated_sums(kept[EVALUATION], schemes)
    if INDEX in kept:  # after the evaluation: both show sums over the same values
        system = edition.indexes["development"]
        kept[INDEX] = with_index_sums_kept_back(kept[INDEX], system, zones, scores, period.year, stated)
    if WARNINGS in kept:
        kept[WARNINGS] = with_scores_kept_back(kept[WARNINGS], Parameters.of(edition.warnings[0].definition).floor)
    rest = protected.cells.filter(~pl.col("mart").is_in(list(own)))
    return replace(protected, cells=pl.concat([rest, *kept.values()]))


def _protected(
    found: Mapping[str, Product],
    programme: Programme,
    period: Period,
    earlier: pl.DataFrame,
    progress: Callable[[str], None],
) -> Protected:
    """Protection that leaves nothing within an outsider's reach. Raises RefusalError where that is not possible.

    What only an earlier release of the same period lets an outsider work out is out already and cannot be called back by
    keeping the revision from the public; it is told, and stands in the internal report.
    """
    protected = protect_products(found, programme, period, earlier)
    if protected.exposed.height and earlier.height:
        alone = protect_products(found, programme, period, earlier.clear())
        if alone.exposed.is_empty():
            progress(f"提醒:有 {protected.exposed.height} 个数可由先前的发布推算,本次发布本身没有。")
            return protected
    if protected.exposed.height:
        raise RefusalError(f"披露控制后仍有 {protected.exposed.height} 个数可被推算,不能发布;请减少分组。")
    return protected


def _complete_parts(product: Product, edition: Edition) -> pl.DataFrame:
    """Parts with one more for each figure of a park's own form that names none: it has one provider, who is public."""
    sheets = [i.code for f in edition.forms.values() if f.kind is FormKind.SHEET for i in f.indicators]
    bare = product.cells.filter(pl.col("value").is_not_null() & pl.col("indicator").is_in(sheets)).join(
        product.parts.select("row_key").unique(), on="row_key", how="anti"
    )
    return pl.concat([product.parts, composite_parts(bare)], how="diagonal") if bare.height else product.parts


def published_frames(
    protected: Protected, release: str, period: Period, earlier: pl.DataFrame | None = None
) -> dict[str, pl.DataFrame]:
    """Mart → cells as published: with release, display text and marks. ``earlier``: published monitoring figures of earlier quarters;
    chains of growth are made of what is published, after disclosure control."""
    frames = {}
    for (mart,), of_mart in protected.cells.group_by(["mart"], maintain_order=True):
        cells = of_mart.drop("mart")
        if mart == "monitoring_figures":
            cells = pl.concat([cells, published_chains(cells, earlier, period)], how="diagonal_relaxed")
        shown = with_display(cells).with_columns(release=pl.lit(release))
        frames[str(mart)] = shown.select(pl.col(c).cast(t) for c, t in PUBLISHED_COLUMNS.items()).sort("row_key")
    return dict(sorted(frames.items()))


def publish(
    office: Office,
    home: Home,
    period: Period,
    *,
    now: datetime,
    actor: str,
    reason: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Release, Manifest]:
    """Compute, protect, write and record the next release of ``period``.

    Files are complete in their own directory before it is renamed into place and the ledger knows it. Raises RefusalError
    where nothing is accepted (annual) or reported (quarterly), or a figure would stay within an outsider's reach.
    """
    with facts.writer(home.live) as con:
        load_all(office, con, progress=progress)
        inputs = live_inputs(office, con)
        listed = used_submissions(inputs, period)
        if not listed:
            raise RefusalError(NOT_IN_FORCE)
        with office.ledger.read() as session:
            release_id = next_release_id(session, period)
            before = [r for r in releases(session, period) if not r.is_withdrawn]
            series = earlier_releases(home, session, period)
        register = {p: office.vault.put(frame_bytes(f)).sha256 for p, f in inputs.register.items()}
        meta = release_meta(
            office.programme,
            release_id,
            period,
            now,
            inputs,
            register,
            before[-1].id if before else "",
            reason,
            load_config(home).organisation,
        )
        found = compute(inputs, period, progress=progress, to_publish=True)
        progress("披露控制")
        protected = _protected(found, office.programme, period, atoms_before(home, period, release_id), progress)
        frames = published_frames(protected, release_id, period, earlier_figures(home, period, series))
        progress("写发布文件")
        folder = home.releases / f".{release_id}.partial"
        shutil.rmtree(folder, ignore_errors=True)
        manifest = write_files(home, frames, folder, meta, series)
        _internal(home, release_id, protected, imputed_values(inputs, period))
        _set_aside_unrecorded(home, release_id)
        folder.rename(home.releases / release_id)
        with facts.transaction(con):
            store(con, period, found)
            for name, frame in frames.items():
                facts.write_mart(con, "published", name, frame, release_id)
        with office.ledger.write() as session:
            made = record_release(
                session,
                release_id,
                period=period,
                manifest=file_sha256(home.releases / release_id / MANIFEST),
                now=now,
                actor=actor,
                note=reason,
            )
        publish_snapshot(con, home.snapshots)
    return made, manifest


def _set_aside_unrecorded(home: Home, release_id: str) -> None:
    """A folder under a number the ledger has not given out: left by a publication that died in between, or by a ledger
    restored from an older backup. It is kept under another name and never stands in the way of the next attempt."""
    stranded, n = home.releases / release_id, 1
    while (aside := home.releases / f".{release_id}.unrecorded-{n}").exists():
        n += 1
    if stranded.exists():
        stranded.rename(aside)


def write_files(
    home: Home, frames: Mapping[str, pl.DataFrame], folder: Path, meta: ReleaseMeta, earlier_names: Sequence[str]
) -> Manifest:
    """The files of a release, with the revision table against the release it revises and the series of earlier ones."""
    previous = released_marts(home.releases / meta.previous) if meta.previous else None
    earlier = earlier_figures(home, meta.period, earlier_names)
    return write_release(frames, folder, meta, previous=previous, earlier=earlier)


def used_submissions(inputs: Inputs, period: Period) -> list[Submission]:
    """Submissions of the period a release rests on: accepted for annual products, reported too for quarterly ones."""
    states = ("accepted",) if period.round == "A" else ("accepted", "reported", "reopened")
    return [s for s in inputs.submissions if s.period == period and s.state.value in states]


def release_meta(
    programme: Programme,
    release_id: str,
    period: Period,
    now: datetime,
    inputs: Inputs,
    register: Mapping[str, str],
    previous: str,
    reason: str,
    publisher: str,
) -> ReleaseMeta:
    """What the release says of itself: every loaded submission with its state, the register as it stood, parameters."""
    listed = [
        SubmissionRef(s.number, s.park, str(s.period), s.revision, s.state.value, tuple(f.sha256 for f in s.files))
        for s in sorted(inputs.submissions, key=lambda s: s.number)
    ]
    parameters: dict[str, Any] = {
        "register": dict(sorted(register.items())),
        "deadlines": {
            p: {park: at.isoformat() for park, at in sorted(d.items())} for p, d in sorted(inputs.deadlines.items())
        },
        "released_at": {p: at.isoformat() for p, at in sorted(inputs.released_at.items())},
        "standing": standing_of(inputs, period, now),
    }
    if inputs.provided_through:
        parameters["evaluation_figures"] = inputs.provided_through
    if inputs.restructured_through:
        parameters["restructurings"] = inputs.restructured_through
    if (imputed := imputed_values(inputs, period)).height:
        known = imputed.filter(pl.col("value").is_not_null())
        parameters["imputed"] = {
            "units": known["unit_id"].n_unique(),
            "values": known.height,
            "values_unknown": imputed.height - known.height,
            "by_method": dict(sorted(known["method"].value_counts().iter_rows())),
        }
    return ReleaseMeta(
        release=release_id, period=period, programme=programme, released_at=now, code_version=code_version(), parameters=parameters,
        submissions=listed, previous=previous, reason=reason, publisher=publisher, title=f"{programme.title} {period.title}",
    )  # fmt: skip


def _internal(home: Home, release_id: str, protected: Protected, imputed: pl.DataFrame) -> None:
    """The account of disclosure control and of imputation: confidential, beside the releases, not in them."""
    folder = home.releases / ".internal"
    folder.mkdir(exist_ok=True)
    (folder / f"{release_id}.atoms.arrow").write_bytes(frame_bytes(protected.published_atoms))
    (folder / f"{release_id}.report.arrow").write_bytes(frame_bytes(protected.report))
    listed = imputed_list(home.releases, release_id)
    listed.unlink(missing_ok=True)  # of an attempt that died before the ledger knew it
    if imputed.height:
        listed.write_bytes(frame_bytes(imputed))


def released_marts(folder: Path) -> dict[str, pl.DataFrame]:
    """The marts of a release as they stand in its files."""
    manifest = read_manifest(folder)
    return {
        name: pl.read_parquet(folder / entry["parquet"])
        for name, entry in manifest.document["marts"].items()
        if name != "monitoring_series"
    }


def published_again(
    office: Office,
    home: Home,
    con: duckdb.DuckDBPyConnection,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """The tables ``published.*`` as the files of the recorded releases have them, into a warehouse that was made anew.

    Returns the releases put back. One whose files are not there is said and passed over: ``ytb verify`` is for that.
    """
    with office.ledger.read() as session:
        recorded = releases(session)
    done = []
    for release in recorded:
        folder = home.releases / release.id
        if not (folder / MANIFEST).is_file():
            progress(f"发布 {release.id} 的文件不在,没有放回 published")
            continue
        with facts.transaction(con):
            for name, frame in sorted(released_marts(folder).items()):
                facts.write_mart(con, "published", name, frame, release.id)
        done.append(release.id)
    return done


def earlier_releases(home: Home, session: Session, period: Period) -> list[str]:
    """Of every earlier quarter its last release that stands, by period: what the series of a new release repeats."""
    last: dict[Period, str] = {}
    for one in releases(session):
        if (
            one.period.round == "Q"
            and one.period < period
            and not one.is_withdrawn
            and (home.releases / one.id).is_dir()
        ):
            last[one.period] = one.id
    return [last[p] for p in sorted(last)]


def earlier_figures(home: Home, period: Period, names: Sequence[str]) -> pl.DataFrame | None:
    """Published monitoring figures of the releases named; None for annual releases and where there is none."""
    paths = [home.releases / name / "tables" / "monitoring_figures.parquet" for name in names]
    frames = [pl.read_parquet(path) for path in paths if path.exists()] if period.round == "Q" else []
    return pl.concat(frames) if frames else None


def reproduce(
    office: Office, home: Home, release_id: str, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Make a release again from its manifest alone, in ``folder``; returns the files whose bytes differ (none: reproduced).

    Submissions and the register come from the vault as the manifest names them; nothing of today enters.
    """
    if not (home.releases / release_id / MANIFEST).is_file():
        raise RefusalError(f"没有发布 {release_id}。", command="全部发布见 ytb releases。", page="全部发布见“发布”页。")
    kept = read_manifest(home.releases / release_id)
    document = kept.document
    period = Period.parse(document["period"])
    with office.ledger.read() as session:
        listed = tuple(_as_then(submission(session, ref["id"]), ref["state"]) for ref in document["submissions"])
        through = int(document["parameters"].get("evaluation_figures", 0))
        provided = provided_figures(session, through)
        linked_through = int(document["parameters"].get("restructurings", 0))
        linked = successions_frame(restructurings(session, through=linked_through))
    with facts.in_memory() as con:
        load_listed(office, con, listed)
        register = {
            p: pl.read_ipc(io.BytesIO(office.vault.read(sha))) for p, sha in document["parameters"]["register"].items()
        }
        inputs = Inputs(
            con,
            office.programme,
            register,
            {s.number: findings_of(office.vault, s) for s in listed},
            listed,
            _deadlines(document),
            _instants(document["parameters"]["released_at"]),
            provided,
            through,
            successions=linked,
            restructured_through=linked_through,
        )
        found = compute(inputs, period, progress=progress, to_publish=True)
        released_at = datetime.fromisoformat(document["released_at"])
        meta = release_meta(
            office.programme,
            release_id,
            period,
            released_at,
            inputs,
            document["parameters"]["register"],
            document.get("previous") or "",
            document.get("reason") or "",
            load_config(home).organisation,
        )
    protected = protect_products(found, office.programme, period, atoms_before(home, period, release_id))
    frames = published_frames(
        protected, release_id, period, earlier_figures(home, period, document.get("earlier_releases") or [])
    )
    again = write_files(home, frames, folder, meta, document.get("earlier_releases") or [])
    before, after = ({f.path: f.sha256 for f in m.files if f.reproducible} for m in (kept, again))
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _deadlines(document: Mapping[str, Any]) -> dict[str, dict[str, datetime]]:
    return {
        p: {k: datetime.fromisoformat(v) for k, v in d.items()} for p, d in document["parameters"]["deadlines"].items()
    }


def _instants(document: Mapping[str, str]) -> dict[str, datetime]:
    return {p: datetime.fromisoformat(at) for p, at in document.items()}


def _as_then(found: Submission, state: str) -> Submission:
    return replace(found, state=State(state))


def atoms_before(home: Home, period: Period, release_id: str) -> pl.DataFrame:
    """What earlier releases of the period showed and hid: a release must not give away together with them what they hid."""
    number = int(release_id.rsplit(".r", 1)[1])
    frames = [
        pl.read_ipc(io.BytesIO(path.read_bytes()))
        for path in sorted((home.releases / ".internal").glob(f"{period}.r*.atoms.arrow"))
        if int(path.name.removesuffix(".atoms.arrow").rsplit(".r", 1)[1]) < number
    ]
    return pl.concat(frames).unique(maintain_order=True) if frames else pl.DataFrame(schema=EARLIER_COLUMNS)
