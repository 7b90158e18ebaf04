"""One submission for a reviewer 审核卷: against last year, outliers, the points of a scatter, the history of one unit, and what
to look at on the spot. For province roles only. Nobody here changes a figure; predictions leave this module in no list.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import polars as pl

from pipelines.intake import Office
from pipelines.matters import Matters, broad_codes
from pipelines.methods.signs import Sign
from pipelines.operands import History
from schemas import reserved
from schemas.model import Edition, FormKind
from schemas.period import Period
from schemas.period_data import PARK
from warehouse.ledger.periods import rounds
from warehouse.ledger.submissions import Submission, latest_reported

PERIODS_SHOWN: Final = 12
UNITS_ON_SITE: Final = 20
CELLS_OF_A_UNIT: Final = 8
EVIDENCE: Final = Path(__file__).with_name("onsite_evidence.toml")


def is_weighed(office: Office, found: Submission) -> bool:
    """Whether the figures of ``Matters`` are those of this submission: it is the newest its park has reported."""
    with office.ledger.read() as session:
        return any(one.number == found.number for one in latest_reported(session, found.period))


def against_last_year(matters: Matters, park: str) -> pl.DataFrame:
    """Each indicator of a park as it adds up: ``code, units, now, both, matched, base, growth_pct``.

    ``now`` sums all units that reported; ``matched`` and ``base`` only the ``both`` units with a figure this year and last
    (restated where the park restated it), and growth is on those: a new unit is no growth. Null where the base is not
    positive. In the order of the values.
    """
    both = pl.col("now").is_not_null() & pl.col("base").is_not_null()
    own = matters.values.filter((pl.col("park") == park) & ~pl.col("is_missing"))
    sums = own.group_by("code", maintain_order=True).agg(
        units=pl.col("now").is_not_null().sum(),
        now=pl.col("now").sum(),
        both=both.sum(),
        matched=pl.col("now").filter(both).sum(),
        base=pl.col("base").filter(both).sum(),
    )
    growth = (pl.col("matched") / pl.col("base") - 1) * 100
    return sums.filter(pl.col("units") > 0).with_columns(growth_pct=pl.when(pl.col("base") > 0).then(growth))


def points(matters: Matters, park: str, code: str) -> pl.DataFrame:
    """Every unit of a park with one indicator this year and last: ``unit_id, now, base, ratio, is_suspicious, is_outlier``,
    the largest change first."""
    own = matters.values.filter(
        (pl.col("park") == park)
        & (pl.col("code") == code)
        & ~pl.col("is_missing")
        & pl.col("now").is_not_null()
        & pl.col("base").is_not_null()
    )
    outside = matters.outliers().filter((pl.col("park") == park) & (pl.col("code") == code))["unit_id"].implode()
    ratio = pl.when((pl.col("base") > 0) & (pl.col("now") > 0)).then(pl.col("now") / pl.col("base"))
    found = own.with_columns(ratio=ratio, is_outlier=pl.col("unit_id").is_in(outside))
    wanted = ("unit_id", "now", "base", "ratio", "is_suspicious", "is_outlier")
    return found.sort(pl.col("ratio").log().abs(), "unit_id", descending=[True, False], nulls_last=True).select(wanted)


def first_code(matters: Matters, park: str) -> str:
    """The indicator to look at first: of the weightiest finding, else of the first outlier, else what most units report."""
    findings = matters.findings.filter((pl.col("park") == park) & pl.col("code").is_not_null())
    outliers = matters.outliers().filter(park=park)
    for frame in (findings, outliers):
        if frame.height:
            return str(frame["code"][0])
    codes = broad_codes(matters.values.filter(park=park))
    return codes[0] if codes else ""


@dataclass(frozen=True)
class UnitHistory:
    """One unit across periods. ``values``: code → period → figure as text, None where not reported; ``sources``: period →
    (submission, park). Periods in order; codes in the order of the edition, only those ever reported."""

    unit_id: str
    name: str
    periods: Sequence[Period]
    sources: Mapping[Period, tuple[str, str]]
    values: Mapping[str, Mapping[Period, object]]


def unit_history(office: Office, unit_id: str, found: Submission) -> UnitHistory | None:
    """A unit of a submission through the last ``PERIODS_SHOWN`` rounds up to it, in whatever park it was; None where the
    submission has no such unit."""
    edition = office.programme.edition_for(found.period)
    with office.ledger.read() as session:
        history = History(office.vault, session, office.programme)
        history.take(found.period, {found.park: found})
        roster = _roster_of(history, edition, found, unit_id)
        if roster is None:
            return None
        asked = [p for p in rounds(session) if p <= found.period and p.round == found.period.round]
        rows: dict[Period, dict[str, object]] = {}
        sources: dict[Period, tuple[str, str]] = {}
        for period in asked[-PERIODS_SHOWN:]:
            frame = history.units_at(period, found.park, roster, pl.Series([unit_id]))
            if frame is None or frame.is_empty():
                continue
            row = frame.row(0, named=True)
            park = str(row.get("park") or found.park)
            rows[period] = row
            standing = history.standing(period).get(park)
            sources[period] = (standing.number if standing else "", park)
    codes = [c for c in edition.indicators if any(row.get(c) is not None for row in rows.values())]
    name = next((str(row[reserved.NAME]) for row in reversed(rows.values()) if row.get(reserved.NAME)), "")
    values = {c: {p: row.get(c) for p, row in rows.items()} for c in codes}
    return UnitHistory(unit_id, name, list(rows), sources, values)


def _roster_of(history: History, edition: Edition, found: Submission, unit_id: str) -> str | None:
    rosters = {
        PARK if f.kind is FormKind.SHEET else f.roster for f in edition.forms.values() if f.kind is not FormKind.CONTEXT
    }
    for roster in sorted(rosters):
        frame = history.roster(found.period, found.park, roster)
        if frame is not None and unit_id in set(frame["unit_id"].drop_nulls()):
            return roster
    return None


# ── on the spot ────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class OnSiteUnit:
    """One unit to visit: its cells in question with what was reported, and the papers to be asked for."""

    unit_id: str
    is_missing: bool
    effect: float | None
    cells: Sequence[Mapping[str, Any]]
    evidence: Sequence[str]
    signs: Sequence[Sign]


def on_site(matters: Matters, edition: Edition, park: str, signs: Sequence[Sign] = ()) -> list[OnSiteUnit]:
    """The units of a park to look at on the spot, the largest effect on what is published first, then the largest change; at most
    ``UNITS_ON_SITE``.

    A cell is in question by a soft finding, as an outlier, or because the unit has not reported. ``cells``: ``code, now,
    base, why``. Predictions are left out: the list goes along to the unit, which must not learn what is expected.
    """
    rows = [*_asked_cells(matters, park), *_outlying_cells(matters, park)]
    effects: dict[str, float] = {}
    changes: dict[str, float] = {}
    cells: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        changes[row["unit_id"]] = max(changes.get(row["unit_id"], 0.0), abs(row.get("change") or 0.0))
        effects[row["unit_id"]] = max(effects.get(row["unit_id"], 0.0), row["effect"] or 0.0)
        cell = cells.setdefault(row["unit_id"], {}).setdefault(row["code"], {**row, "why": []})
        cell["why"] += [why for why in [row["why"]] if why not in cell["why"]]
    missing = {r["unit_id"]: r for r in matters.missing.filter(park=park).to_dicts()}
    by_unit: dict[str, list[Sign]] = {}
    for sign in signs:
        for unit in sign.units if sign.park == park else ():
            by_unit.setdefault(unit, []).append(sign)
    effects |= {unit: float(row["effect"] or 0.0) for unit, row in missing.items()}
    order = sorted({*effects, *by_unit}, key=lambda unit: (-effects.get(unit, 0.0), -changes.get(unit, 0.0), unit))
    found = []
    for unit in order[:UNITS_ON_SITE]:
        own = sorted(cells.get(unit, {}).values(), key=lambda c: (-(c["effect"] or 0.0), c["code"]))[:CELLS_OF_A_UNIT]
        codes = [*(c["code"] for c in own), *(s.code for s in by_unit.get(unit, ()))]
        forms = list(dict.fromkeys(edition.indicators[c].form for c in codes if c in edition.indicators))
        papers = [paper for form in forms or [reserved.BASIC] for paper in evidence()[form]]
        found.append(
            OnSiteUnit(
                unit, unit in missing, effects.get(unit), own, list(dict.fromkeys(papers)), by_unit.get(unit, [])
            )
        )
    return found


def _asked_cells(matters: Matters, park: str) -> list[dict[str, Any]]:
    """Cells with a soft finding: the indicator it weighs most on, else the column it stands in."""
    base = {(r["unit_id"], r["code"]): r["base"] for r in matters.values.filter(park=park).to_dicts()}
    now = {(r["unit_id"], r["code"]): r["now"] for r in matters.values.filter(park=park).to_dicts()}
    rows = []
    for row in matters.findings.filter(park=park).to_dicts():
        code = row["code"] or str(row["column"] or "").split("_")[0]
        at = (row["unit_id"], code)
        why = f"核实性问题 {row['rule']}:{row['message']}"
        rows.append(
            {
                "unit_id": at[0],
                "code": code,
                "now": now.get(at),
                "base": base.get(at),
                "effect": row["effect"],
                "why": why,
            }
        )
    return rows


def _outlying_cells(matters: Matters, park: str) -> list[dict[str, Any]]:
    rows = matters.outliers().filter(park=park).to_dicts()
    # The E of Hidiroglou and Berthelot is no effect on a total: it orders units only where nothing weighs on one.
    return [
        {
            "unit_id": r["unit_id"], "code": r["code"], "now": r["now"], "base": r["before"], "effect": None,
            "change": r["effect"], "why": "与往期相比变动较大",
        }
        for r in rows
    ]  # fmt: skip


@cache
def evidence() -> Mapping[str, Sequence[str]]:
    """Form → papers that show whether its figures are right (``onsite_evidence.toml``)."""
    document = tomllib.loads(EVIDENCE.read_text(encoding="utf-8"))
    return {form: tuple(papers) for form, papers in document["evidence"].items()}
