"""Figures of other periods that rules and templates need, from the evidence in ledger and vault.

They come from the accepted, else the reported submission of the same unit, in whatever park it was then (register
succession). Reading recorded observations rather than the warehouse makes a check see what was accepted a second ago.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl
from sqlalchemy.orm import Session

from schemas.expression import expand, operand_column, operands, parse
from schemas.model import Edition, FormKind, Programme
from schemas.observations import Observations, wide_roster
from schemas.period import Period
from sources.audit import Operands
from warehouse.ledger.register import unit_history
from warehouse.ledger.submissions import Submission, accepted_else_reported, submissions
from warehouse.vault import Vault

LAST_PERIODS_AT_MOST = 24


def needed_operands(edition: Edition, period: Period) -> frozenset[tuple[str, str]]:
    """(code, lag) of every figure of another period that the rules of the round ask for."""
    found: set[tuple[str, str]] = set()
    for rule in edition.rules_for(period):
        for text in filter(None, (rule.expression, rule.applies_if)):
            found |= {(c, lag) for c, lag in operands(expand(parse(text), edition.derivations)) if lag}
    return frozenset(found)


@dataclass
class History:
    """Recorded observations by period and park, each blob read once."""

    vault: Vault
    session: Session
    programme: Programme

    def __post_init__(self) -> None:
        self._blobs: dict[str, Observations] = {}
        self._standing: dict[str, dict[str, Submission]] = {}
        self.used: set[str] = set()

    def standing(self, period: Period) -> dict[str, Submission]:
        """Park → the submission that counts for ``period``."""
        if str(period) not in self._standing:
            found = accepted_else_reported(self.session, period)
            self._standing[str(period)] = {s.park: s for s in found if s.check and s.check.observations_blob}
        return self._standing[str(period)]

    def take(self, period: Period, standing: Mapping[str, Submission]) -> None:
        """Let these submissions (by park) count for a period instead of those accepted, else reported."""
        self._standing[str(period)] = dict(standing)

    def observations(self, submission: Submission) -> Observations:
        """What was read from the files of a checked submission, as recorded then."""
        assert submission.check is not None and submission.check.observations_blob is not None
        blob = submission.check.observations_blob
        self.used.add(f"{submission.number}:{blob}")
        if blob not in self._blobs:
            self._blobs[blob] = Observations.from_bytes(self.vault.read(blob))
        return self._blobs[blob]

    def roster(self, period: Period, park: str, roster: str) -> pl.DataFrame | None:
        """One roster (or ``park`` for the sheet forms) of one park as it stood, or None where nothing was filed."""
        submission = self.standing(period).get(park)
        if submission is None:
            return None
        edition = self.programme.editions[submission.edition]
        observations = self.observations(submission)
        if roster != "park":
            return wide_roster(observations, edition, roster, period)
        frame = pl.DataFrame({"park": [park], "unit_id": [park]})
        complete = observations.with_all_columns(edition, period).frames
        for form in edition.forms.values():
            if form.kind is FormKind.SHEET and form.code in complete:
                own = (
                    complete[form.code].drop("park", "_file", "_sheet", "_row").filter(pl.col("unit_id").is_not_null())
                )
                frame = frame.join(own.unique("unit_id", keep="first"), on="unit_id", how="left")
        return frame

    def units_at(self, period: Period, park: str, roster: str, units: pl.Series) -> pl.DataFrame | None:
        """The rows of ``units`` in ``period``: first from ``park``, then from the parks they belonged to before."""
        own = self.roster(period, park, roster)
        frames = [] if own is None else [own.filter(pl.col("unit_id").is_in(units.implode()))]
        if roster == "enterprise":
            seen = set(frames[0]["unit_id"]) if frames else set()
            elsewhere = {unit for unit in units if unit is not None} - seen
            for other in sorted(
                {p for unit in elsewhere for p in self._parks_before(unit, park)} & self.standing(period).keys()
            ):
                there = self.roster(period, other, roster)
                if there is not None:
                    frames.append(there.filter(pl.col("unit_id").is_in(list(elsewhere))))
        return (
            pl.concat(frames, how="diagonal").unique("unit_id", keep="first", maintain_order=True) if frames else None
        )

    def _parks_before(self, unit: str, park: str) -> Iterator[str]:
        yield from (e.park for e in unit_history(self.session, unit) if e.park and e.park != park)

    def earlier_periods(self, period: Period, park: str) -> list[Period]:
        """Periods before ``period`` for which the park filed anything, latest first."""
        filed = {s.period for s in submissions(self.session, park=park)}
        return sorted((p for p in filed if p < period), reverse=True)[:LAST_PERIODS_AT_MOST]


def operands_for(history: History, period: Period, park: str, rosters: dict[str, pl.Series]) -> Operands:
    """The operand columns of the units of one submission; ``rosters`` maps roster → its unit ids (``park`` → [park])."""
    edition = history.programme.edition_for(period)
    wanted = needed_operands(edition, period)
    history.used.clear()
    frames: dict[str, pl.DataFrame] = {}
    for roster, units in rosters.items():
        codes = {
            i.code
            for f in edition.forms.values()
            if (f.roster == roster or (roster == "park" and f.kind is FormKind.SHEET))
            for i in f.indicators
        }
        mine = {(c, lag) for c, lag in wanted if c in codes}
        frame = units.drop_nulls().unique(maintain_order=True).to_frame("unit_id")
        for lag, at in (
            ("prev", period.previous()),
            ("yoy", period.year_earlier()),
            ("q4", period.fourth_quarter() if period.round == "A" else None),
        ):
            names = [c for c, asked in mine if asked == lag]
            if at is not None and names:
                frame = _joined(frame, history.units_at(at, park, roster, frame["unit_id"]), names, lag)
        latest = [c for c, asked in mine if asked == "last"]
        if latest:
            frame = _latest(frame, history, period, park, roster, latest)
        frames[roster] = frame.select("unit_id", *sorted(c for c in frame.columns if c != "unit_id"))
    digest = hashlib.sha256("\n".join(sorted(history.used)).encode()).hexdigest()
    return Operands(frames, digest, known=True)


def _joined(frame: pl.DataFrame, found: pl.DataFrame | None, codes: Iterable[str], lag: str) -> pl.DataFrame:
    if found is None:
        return frame
    present = [c for c in codes if c in found.columns]
    return frame.join(
        found.select("unit_id", *(pl.col(c).alias(operand_column(c, lag)) for c in present)),
        on="unit_id",
        how="left",
        maintain_order="left",
    )


def _latest(
    frame: pl.DataFrame, history: History, period: Period, park: str, roster: str, codes: list[str]
) -> pl.DataFrame:
    """The latest reported value of any earlier period, column by column."""
    for earlier in history.earlier_periods(period, park):
        found = history.units_at(earlier, park, roster, frame["unit_id"])
        if found is None:
            continue
        present = [c for c in codes if c in found.columns]
        joined = frame.join(
            found.select("unit_id", *(pl.col(c).alias(f"{c} new") for c in present)),
            on="unit_id",
            how="left",
            maintain_order="left",
        )
        for c in present:
            name = operand_column(c, "last")
            joined = joined.with_columns(
                (pl.coalesce(name, f"{c} new") if name in joined.columns else pl.col(f"{c} new")).alias(name)
            ).drop(f"{c} new")
        frame = joined
        if all(
            operand_column(c, "last") in frame.columns and not frame[operand_column(c, "last")].null_count()
            for c in codes
        ):
            break
    return frame
