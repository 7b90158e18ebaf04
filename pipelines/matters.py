"""What matters first 影响排序: for a reviewer, each soft finding and each missing unit with its effect on what is published.

From the evidence in ledger and vault, so that it stands the moment a park has reported. Predictions and effects are for
province roles only: nothing of this module is shown to a park. Method: docs/methods/what-matters.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl
from sqlalchemy.orm import Session

from pipelines.intake import Office, findings_of
from pipelines.methods.change_outliers import hidiroglou_berthelot, robust_z
from pipelines.methods.effects import MEASURES, effects, strongest
from pipelines.methods.prediction import predicted
from pipelines.operands import History
from schemas import reserved
from schemas.classes import section
from schemas.environment import environment_for
from schemas.findings import NEEDS_EXPLANATION
from schemas.model import Edition, FormKind, Indicator, ValueType
from schemas.observations import ENTERPRISE_ROSTER
from schemas.period import Period
from schemas.period_data import PARK
from schemas.polars_target import prepare_rows, row_expr
from warehouse.ledger.answers import answer_statuses
from warehouse.ledger.explanations import finding_key
from warehouse.ledger.register import register_as_of
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, latest_reported

OUTSIDE = (5, 6, 7, 8)  # closed, moved, duplicate, out of scope: survey_system 2.1
MANUFACTURING = "C"
UNKNOWN = "_"
BROAD = 0.5
PANEL: dict[str, pl.DataType] = {
    "unit_id": pl.String(), "park": pl.String(), "industry": pl.String(), "size": pl.String(), "code": pl.String(),
    "now": pl.Float64(), "before": pl.Float64(), "year_earlier": pl.Float64(), "last_year": pl.Float64(), "latest": pl.Float64(), "base": pl.Float64(), "is_missing": pl.Boolean(),
}  # fmt: skip
_CODE = re.compile(r"([A-Z]\d{2,3})(?:_\w+)?=")


@dataclass(frozen=True)
class Matters:
    """``values``: every additive figure of the round with its prediction, one row a unit and code. ``effects``: of every
    suspicious and missing figure. ``findings``: one row a soft finding awaiting a decision (``number``, ``key``, place,
    ``code`` the indicator it weighs most on, ``MEASURES``, ``effect``, ``park_effect``; effect null where none can be
    computed). ``missing``: one row a unit that has not reported. ``submissions``: one row a submission awaiting a decision,
    with what its findings do (``effect``) and what its ``absent`` units do together (``gap``, null where none of them has a
    base), ordered by the larger. The others are ordered by effect, the largest first."""

    period: Period
    values: pl.DataFrame
    effects: pl.DataFrame
    findings: pl.DataFrame
    missing: pl.DataFrame
    submissions: pl.DataFrame

    def outliers(self) -> pl.DataFrame:
        """Figures whose change since the base lies outside the bounds of Hidiroglou and Berthelot within their industry, with
        the robust z of the logarithm of the change; ordered by size of the effect E."""
        both = self.values.filter(~pl.col("is_missing")).with_columns(before=pl.coalesce("before", "year_earlier"))
        judged = hidiroglou_berthelot(both, ["code", "industry"])
        scored = robust_z(judged.with_columns(_log=pl.col("ratio").log()), "_log", ["code", "industry"])
        wanted = ("unit_id", "park", "code", "industry", "now", "before", "ratio", "effect", "low", "high", "z")
        return scored.filter("is_outlier").sort(pl.col("effect").abs(), descending=True).select(wanted)


def what_matters(office: Office, period: Period) -> Matters:
    """Everything that awaits a decision in a round, and everybody who has not reported, by effect."""
    with office.ledger.read() as session:
        filed = {s.park: s for s in latest_reported(session, period) if s.check and s.check.observations_blob}
        panel = _panel(office, session, period, filed)
    awaiting = {s.number: s for s in filed.values() if s.state is not State.ACCEPTED}
    found = _soft(office, awaiting.values())
    asked = _operands(found, set(panel["code"].unique()))
    marked = panel.join(
        asked.select("park", "unit_id", "code", is_suspicious=True).unique(),
        on=["park", "unit_id", "code"],
        how="left",
        maintain_order="left",
    )
    values = _carried(predicted(marked.with_columns(pl.col("is_suspicious").fill_null(False))))
    weighed = effects(values)
    missing = strongest(
        weighed.filter(pl.col("is_missing") & pl.col("code").is_in(broad_codes(values))), ["park", "unit_id"]
    )
    missing = missing.sort("effect", "unit_id", descending=[True, False], nulls_last=True)
    findings = _findings(found, asked, weighed, missing)
    return Matters(
        period, values, weighed, findings, missing, _by_submission(awaiting, findings, _gaps_of_parks(values))
    )


def _carried(values: pl.DataFrame) -> pl.DataFrame:
    """A missing unit without a base of the year or the year before counts with its last accepted figure, as it was."""
    last = pl.col("is_missing") & pl.col("predicted").is_null() & pl.col("latest").is_not_null()
    return values.with_columns(
        predicted=pl.when(last).then("latest").otherwise("predicted"),
        ratio=pl.when(last).then(1.0).otherwise("ratio"),
        level=pl.when(last).then(pl.lit("carried")).otherwise("level"),
        basis=pl.when(last).then(pl.lit("latest")).otherwise("basis"),
    )


def broad_codes(values: pl.DataFrame) -> list[str]:
    """The indicators of missing units that most units have something to report on; all, where there is none.

    What is missing is weighed on these: one unit more or less of an indicator that few units have is much of its total and
    tells nothing of the unit. Where nobody reports an indicator of theirs, what is predicted of them says how common it is.
    """
    gone = values.filter("is_missing")
    asked = values.filter(pl.col("code").is_in(gone["code"].unique().implode())) if gone.height else values
    there = asked.filter(~pl.col("is_missing"))
    figure = pl.col("now") if there.height else pl.col("predicted")
    filled = (there if there.height else asked).group_by("code").agg(share=(figure.fill_null(0.0) != 0).mean())
    broad = filled.filter(pl.col("share") >= BROAD)["code"].sort().to_list()
    return broad or asked["code"].unique().sort().to_list()


def park_effects(matters: Matters) -> pl.DataFrame:
    """What is missing of each park as one: ``park, units, code, MEASURES, effect``, the largest effect first."""
    return _gaps_of_parks(matters.values)


def _gaps_of_parks(values: pl.DataFrame) -> pl.DataFrame:
    weighed = values.filter(pl.col("code").is_in(broad_codes(values)))
    gone = weighed.filter("is_missing")
    if gone.is_empty():
        return pl.DataFrame(
            schema={"park": pl.String, "units": pl.UInt32, "code": pl.String, **dict.fromkeys((*MEASURES, "effect"), pl.Float64)}
        )  # fmt: skip
    units = gone.group_by("park").agg(units=pl.col("unit_id").n_unique())
    there = pl.when("is_suspicious").then("predicted").otherwise("now")
    known = weighed.with_columns(_now=pl.when("is_missing").then(None).otherwise(there))
    # A park's missing units weigh together: their sum is missing from the total, and their base from its growth.
    of_base = pl.col("base").filter(pl.coalesce("_now", "predicted").is_not_null())
    sums = known.group_by("park", "code", "is_missing", maintain_order=True).agg(
        now=pl.col("_now").sum(),
        base=of_base.sum(),
        predicted=pl.when(pl.col("predicted").count() > 0).then(pl.col("predicted").sum()),
    )
    whole = sums.with_columns(
        unit_id=pl.col("park"), is_suspicious=pl.lit(False), basis=pl.lit(""), ratio=pl.lit(None, pl.Float64),
        level=pl.lit(""), base=pl.when(pl.col("base") > 0).then("base"),
    )  # fmt: skip
    best = strongest(effects(whole), ["park"]).join(units, on="park")
    return best.select("park", "units", "code", *MEASURES, "effect").sort("effect", descending=True, nulls_last=True)


def effect_of_findings(matters: Matters, number: str) -> dict[str, dict[str, object]]:
    """Finding key → its row, of one submission."""
    return {row["key"]: row for row in matters.findings.filter(number=number).to_dicts()}


# ── the panel ──────────────────────────────────────────────────────────────────────────────────────────────────────
def summable(edition: Edition, period: Period) -> dict[str, list[Indicator]]:
    """Roster (``park`` for sheets) → numbers that add up and are asked in the round."""
    found: dict[str, list[Indicator]] = {}
    for form in edition.forms.values():
        if form.kind is not FormKind.CONTEXT:
            chosen = [i for i in form.asked(period) if i.additive and i.type is ValueType.NUMBER]
            found.setdefault(PARK if form.kind is FormKind.SHEET else form.roster, []).extend(chosen)
    return {roster: indicators for roster, indicators in found.items() if indicators}


def _panel(office: Office, session: Session, period: Period, filed: Mapping[str, Submission]) -> pl.DataFrame:
    """Every figure of the round that adds up, of units that reported and of those that owe a report, with its bases."""
    edition = office.programme.edition_for(period)
    history = History(office.vault, session, office.programme)
    history.take(period, filed)
    rosters = summable(edition, period)
    register = register_as_of(session, period.end)
    statuses = answer_statuses(session, period)
    gone = statuses.filter(pl.col("status").is_in(OUTSIDE))["unit_id"].implode()
    parts = [pl.DataFrame(schema=PANEL)]
    parks = sorted({*filed, *(register["park"].to_list() if register.height else ())})
    for park in parks:
        for roster, indicators in rosters.items():
            frame = history.roster(period, park, roster)
            frame = None if frame is None else frame.filter(pl.col("unit_id").is_not_null())
            parts.append(_of_roster(office, history, period, park, roster, indicators, frame, missing=False))
            if roster == ENTERPRISE_ROSTER and register.height:
                present = frame["unit_id"].implode() if frame is not None else pl.Series([[]], dtype=pl.List(pl.String))
                owing = register.filter(
                    (pl.col("park") == park) & ~pl.col("unit_id").is_in(present) & ~pl.col("unit_id").is_in(gone)
                )
                parts.append(_of_roster(office, history, period, park, roster, indicators, owing, missing=True))
    return pl.concat(parts)


def _of_roster(
    office: Office, history: History, period: Period, park: str, roster: str, indicators: list[Indicator],
    frame: pl.DataFrame | None, *, missing: bool,
) -> pl.DataFrame:  # fmt: skip
    """The panel rows of one park's roster. ``frame``: its rows now, or the register's rows of units that are missing."""
    if frame is None or frame.is_empty():
        return pl.DataFrame(schema=PANEL)
    codes = [i.code for i in indicators]
    near = period.fourth_quarter() if period.round == "A" else period.previous()
    units = frame["unit_id"]
    before = history.units_at(near, park, roster, units) if near else None
    earlier = history.units_at(period.year_earlier(), park, roster, units)
    year = Period(period.year - 1) if history.standing(Period(period.year - 1)) else Period(period.year - 1, 4)
    last_year = history.units_at(year, park, roster, units) if period.quarter else None
    now = frame.select("unit_id") if missing else frame
    long = _long(now, codes, "now", keep=True)
    latest = _latest(history, period, park, roster, units) if missing else None
    for name, base in (("before", before), ("year_earlier", earlier), ("last_year", last_year), ("latest", latest)):
        long = long.join(_long(base, codes, name), on=["unit_id", "code"], how="left", maintain_order="left")
    restated = {f"{c}_yoy": c for c in codes if f"{c}_yoy" in frame.columns} if not missing else {}
    own = _long(frame.select("unit_id", *restated).rename(restated), codes, "restated") if restated else None
    if own is not None:
        long = long.join(own, on=["unit_id", "code"], how="left", maintain_order="left")
    year_ago = pl.coalesce("restated", "year_earlier") if own is not None else pl.col("year_earlier")
    groups = _groups(office, history, period, park, roster, frame)
    found = long.join(groups, on="unit_id", how="left", maintain_order="left").with_columns(
        park=pl.lit(park), is_missing=pl.lit(missing), base=year_ago, year_earlier=year_ago
    )
    return found.select(pl.col(n).cast(t) for n, t in PANEL.items())


def _latest(history: History, period: Period, park: str, roster: str, units: pl.Series) -> pl.DataFrame | None:
    """The units' rows in the latest earlier period of the same kind the park filed: a quarter's last quarter, a year's last year."""
    for earlier in history.earlier_periods(period, park):
        if earlier.round == period.round:
            frame = history.units_at(earlier, park, roster, units)
            if frame is not None and frame.height:
                return frame
    return None


def _long(frame: pl.DataFrame | None, codes: list[str], name: str, *, keep: bool = False) -> pl.DataFrame:
    """unit_id, code, figure. ``keep``: with a row for every code, reported or not."""
    schema = {"unit_id": pl.String, "code": pl.String, name: pl.Float64}
    if frame is None or frame.is_empty():
        return pl.DataFrame(schema=schema)
    there = [c for c in codes if c in frame.columns]
    missing = [pl.lit(None, dtype=pl.Float64).alias(c) for c in codes if c not in frame.columns] if keep else []
    wide = frame.unique("unit_id", keep="first", maintain_order=True).select(
        "unit_id", *(pl.col(c).cast(pl.Float64) for c in there), *missing
    )
    long = wide.unpivot(index="unit_id", variable_name="code", value_name=name) if wide.width > 1 else None
    return pl.DataFrame(schema=schema) if long is None else long if keep else long.drop_nulls(name)


def _groups(
    office: Office, history: History, period: Period, park: str, roster: str, frame: pl.DataFrame
) -> pl.DataFrame:
    """unit_id, industry (section, division in manufacturing), size (class by the figures of the year before)."""
    unknown = frame.select("unit_id", industry=pl.lit(UNKNOWN), size=pl.lit(UNKNOWN)).unique("unit_id")
    if roster != ENTERPRISE_ROSTER or reserved.INDUSTRY not in frame.columns:
        return unknown
    env = environment_for(office.programme, period)
    code = pl.col(reserved.INDUSTRY).cast(pl.String)
    letter = section(code, env.industries)
    industry = pl.when(letter == MANUFACTURING).then(code.str.slice(0, 2)).otherwise(letter).fill_null(UNKNOWN)
    found = frame.select("unit_id", industry=industry).unique("unit_id", keep="first", maintain_order=True)
    return found.join(_sizes(office, history, period, park, frame["unit_id"]), on="unit_id", how="left").with_columns(
        pl.col("size").fill_null(UNKNOWN)
    )


def _sizes(office: Office, history: History, period: Period, park: str, units: pl.Series) -> pl.DataFrame:
    """The size class is a matter of whole years: it comes from the annual report of the year before."""
    year = Period(period.year - 1)
    nothing = pl.DataFrame(schema={"unit_id": pl.String, "size": pl.String})
    if not history.standing(year):
        return nothing
    edition = office.programme.edition_for(year)
    formula = next((i.derived for i in edition.indicators.values() if i.code == reserved.SIZE), "")
    frame = history.units_at(year, park, ENTERPRISE_ROSTER, units)
    if not formula or frame is None or frame.is_empty():
        return nothing
    env = environment_for(office.programme, year, edition=edition)
    ready = prepare_rows(frame, [formula], env)
    return ready.select("unit_id", size=row_expr(formula, env).cast(pl.String)).unique("unit_id", keep="first")


# ── findings ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _soft(office: Office, awaiting: Iterable[Submission]) -> pl.DataFrame:
    """The soft findings of submissions, with ``number`` and ``key``."""
    frames = []
    for one in awaiting:
        soft = findings_of(office.vault, one).filter(NEEDS_EXPLANATION)
        keys = [finding_key(row) for row in soft.iter_rows(named=True)]
        frames.append(
            soft.with_columns(
                pl.col("unit_id").fill_null(one.park),
                number=pl.lit(one.number),
                filer=pl.lit(one.park),
                key=pl.Series(keys, dtype=pl.String),
            )
        )
    text = ("number", "filer", "key", "rule", "form", "unit_id", "sheet", "cell", "column", "indicator", "found", "message")  # fmt: skip
    empty = pl.DataFrame(schema=dict.fromkeys(text, pl.String))
    return pl.concat([empty, *(f.select(text) for f in frames)]).unique(["number", "key"], maintain_order=True)


def _operands(found: pl.DataFrame, codes: set[str]) -> pl.DataFrame:
    """number, key, park, unit_id, code: the figures each finding is about."""
    rows = [
        (r["number"], r["key"], r["filer"], r["unit_id"], code)
        for r in found.to_dicts()
        for code in dict.fromkeys([(r["column"] or "").split("_")[0], *_CODE.findall(r["found"] or "")])
        if code in codes
    ]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("number", "key", "park", "unit_id", "code"), pl.String), orient="row"
    )


_WEIGHED = ("code", "now", "predicted", "basis", "at_stake", *MEASURES, "effect", "park_effect")


def _findings(found: pl.DataFrame, asked: pl.DataFrame, weighed: pl.DataFrame, missing: pl.DataFrame) -> pl.DataFrame:
    """The findings with the figure each weighs most on. That a unit has not reported weighs as much as the unit does."""
    both = asked.join(weighed, on=["park", "unit_id", "code"], how="inner", maintain_order="left")
    best = strongest(both, ["number", "key"]).select("number", "key", *_WEIGHED)
    absent = missing.select("park", "unit_id", *_WEIGHED)
    joined = (
        found.rename({"filer": "park"})
        .join(best, on=["number", "key"], how="left", maintain_order="left")
        .join(absent, on=["park", "unit_id"], how="left", maintain_order="left", suffix="#absent")
        .with_columns(pl.coalesce(name, f"{name}#absent") for name in _WEIGHED)
        .drop(f"{name}#absent" for name in _WEIGHED)
    )
    return joined.sort("effect", "number", "key", descending=[True, False, False], nulls_last=True)


def _by_submission(awaiting: Mapping[str, Submission], findings: pl.DataFrame, gaps: pl.DataFrame) -> pl.DataFrame:
    """number, park, soft (findings), unknown (findings whose effect cannot be computed), effect, park_effect (the largest);
    absent (units of the park that have not reported), gap (what they do together; null where that cannot be computed)."""
    sums = findings.group_by("number").agg(
        soft=pl.len(), unknown=pl.col("effect").is_null().sum(), effect=pl.col("effect").max(), park_effect=pl.col("park_effect").max()
    )  # fmt: skip
    every = pl.DataFrame(
        [(n, s.park) for n, s in awaiting.items()], schema={"number": pl.String, "park": pl.String}, orient="row"
    )
    # Nothing found, no effect; an effect that cannot be computed is not none.
    none, full = pl.col("soft").is_null(), pl.col("absent").is_null()
    of_gaps = gaps.select("park", absent=pl.col("units").cast(pl.UInt32), gap=pl.col("effect"))
    joined = every.join(sums, on="number", how="left").join(of_gaps, on="park", how="left")
    counted = joined.with_columns(
        *(pl.when(none).then(0.0).otherwise(c).alias(c) for c in ("effect", "park_effect")),
        pl.when(full).then(0.0).otherwise("gap").alias("gap"),
    ).with_columns(pl.col("soft", "unknown", "absent").fill_null(0))
    by = pl.max_horizontal("effect", "gap")
    unsure = pl.col("unknown") + pl.col("gap").is_null().cast(pl.UInt32)
    return counted.sort(by, unsure, "number", descending=[True, True, False], nulls_last=False)
