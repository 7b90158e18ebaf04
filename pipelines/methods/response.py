"""Response 报送与覆盖: who had to answer, who did, and what became of the parks' submissions.

Answer statuses and their place in rate and weighting: survey_system.md 2.1. Counts of the register and of the ledger are
known without any answer, so they pass disclosure control as administrative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import polars as pl

from pipelines.methods.area_figures import BREAKDOWNS, KEYS, TOTAL, Breakdown, classified
from pipelines.methods.areas import Area, areas_of, memberships
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.monitoring_sides import sub_park_codes
from pipelines.methods.product import Product, administrative_parts, product_of
from schemas.environment import environment_for
from schemas.marts import row_key
from schemas.model import Programme
from schemas.period_data import ENTERPRISE, PeriodData
from schemas.structural_zeros import NON_RESPONSE

TABLE: Final = "response"
UNITS: Final = "户"
PARKS: Final = "个"
PERCENT: Final = "%"
STATUS_MEASURES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    # measure: (name, answer statuses it counts)
    "units_due": ("应报单位数", ("0", "1", "2", "3", "4")),
    "units_reported": ("已报单位数", ("0", "1")),
    "units_valid": ("有效单位数", ("0",)),
    "units_failed": ("已报未通过", ("1",)),
    "units_refused": ("拒报", ("2",)),
    "units_unreachable": ("联系不上或尚未处理", ("3",)),
    "units_dormant": ("停业未报", ("4",)),
    "units_closed": ("已关闭、破产、注销或吊销", ("5",)),
    "units_moved": ("已迁出", ("6",)),
    "units_duplicate": ("重复单位", ("7",)),
    "units_out_of_scope": ("不属调查范围", ("8",)),
}
RATES: Final = {
    "response_rate": ("报送率", "units_reported"),
    "valid_rate": ("回答率", "units_valid"),
}
FILED_STATES: Final = ("reported", "reopened", "accepted")
PARK_MEASURES: Final = {
    "parks_due": "应报园区数",
    "parks_reported": "已报送园区数",
    "parks_accepted": "已验收园区数",
    "parks_returned": "退回待重报园区数",
    "parks_missing": "未报送园区数",
    "parks_late": "迟报园区数",
    "park_response_rate": "园区报送率",
}
NOBODY_DUE: Final = "没有应报单位"
NO_DEADLINE: Final = "没有截止时间,不能判断是否迟报"


class Filing(Protocol):
    """What counts of a submission: ``warehouse.ledger.submissions.Submission`` is one."""

    @property
    def park(self) -> str:
        """Who filed."""

    @property
    def revision(self) -> int:
        """1 is the first."""

    @property
    def state(self) -> str:
        """Where it stands, as the ledger names it."""

    @property
    def received_at(self) -> datetime:
        """When it came in."""


def monitoring_response(
    data: PeriodData,
    programme: Programme,
    filings: Iterable[Filing] = (),
    deadlines: Mapping[str, datetime] | None = None,
) -> Product:
    """Cells of the mart ``monitoring_response``: units by answer status, response rates, parks by state.

    ``data`` has one row a unit of the register with its ``answer_status``; blank means nobody dealt with it yet and counts
    as unreachable. ``deadlines``: park → its own deadline; a park is late whose first submission came after it. Without
    deadlines lateness is missing, not zero.
    """
    period = data.period
    edition = programme.edition_for(period)
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    env = environment_for(programme, period)
    ready = classified(data, env, sub_park_codes(edition))
    roster = ready.rosters.get(ENTERPRISE, pl.DataFrame(schema={"unit_id": pl.String, "park": pl.String}))
    chosen = [areas[code] for code in areas_present(data, programme)]
    cells = [
        *(unit_cells(roster, BREAKDOWNS[name], chosen, str(period)) for name in BREAKDOWNS if name != "division"),
        park_cells(sorted(data.parks["park"].to_list()), list(filings), deadlines, chosen, str(period)),
    ]
    names = names_of(programme, edition, areas, period)
    named = [names.named(c) for c in cells if c.height]
    return product_of(named, [administrative_parts(c, "response") for c in named])


def answer_counts(roster: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """by…, one column a measure of ``STATUS_MEASURES`` and of ``RATES`` (percent; null where nobody is due)."""
    status = pl.col("answer_status").fill_null("3") if "answer_status" in roster.columns else pl.lit("0")
    counts = (
        roster.with_columns(status.alias("#status"))
        .group_by(by)
        .agg(pl.col("#status").is_in(codes).sum().cast(pl.Int64).alias(m) for m, (_, codes) in STATUS_MEASURES.items())
    )
    due = pl.col("units_due")
    return counts.with_columns(
        pl.when(due > 0).then(pl.col(above) / due * 100).alias(m) for m, (_, above) in RATES.items()
    )


def unit_cells(roster: pl.DataFrame, breakdown: Breakdown, areas: Sequence[Area], period: str) -> pl.DataFrame:
    """Units by answer status for one breakdown of every area of its kinds."""
    if breakdown.column and breakdown.column not in roster.columns:
        return pl.DataFrame()
    category = pl.col(breakdown.column) if breakdown.column else pl.lit(TOTAL)
    member = memberships([a for a in areas if a.kind in breakdown.kinds]).select("park", "area")
    rows = roster.with_columns(category.alias("category")).join(member, on="park", how="inner")
    keyed = rows.filter(pl.col("category").is_not_null()).with_columns(pl.lit(breakdown.name).alias("breakdown"))
    wide = answer_counts(keyed, KEYS)
    measures = {m: (name, UNITS, 0) for m, (name, _) in STATUS_MEASURES.items()}
    measures |= {m: (name, PERCENT, 1) for m, (name, _) in RATES.items()}
    return _cells(wide, measures, "units", "调查单位", period, NOBODY_DUE)


def park_cells(
    parks: Sequence[str],
    filings: Sequence[Filing],
    deadlines: Mapping[str, datetime] | None,
    areas: Sequence[Area],
    period: str,
) -> pl.DataFrame:
    """Parks by what became of their newest submission, for every area."""
    rows = []
    for area in areas:
        members = [z for z in area.zones if z in parks]
        counts = park_counts(members, filings, deadlines)
        rows.append({"area": area.code, "breakdown": "total", "category": TOTAL, **counts})
    schema = {**dict.fromkeys(KEYS, pl.String()), **dict.fromkeys(PARK_MEASURES, pl.Float64())}
    wide = pl.DataFrame(rows, schema=schema, orient="row")
    units = {m: (name, PERCENT, 1) if m.endswith("rate") else (name, PARKS, 0) for m, name in PARK_MEASURES.items()}
    return _cells(wide, units, "parks", "报送园区", period, NO_DEADLINE)


def park_counts(
    parks: Sequence[str], filings: Sequence[Filing], deadlines: Mapping[str, datetime] | None
) -> dict[str, float | None]:
    """Measures of ``PARK_MEASURES`` over some parks. The newest revision says where a park stands; a park that filed a
    first time before its deadline is in time, whatever was returned later."""
    newest: dict[str, Filing] = {}
    first: dict[str, datetime] = {}
    for filing in filings:
        if filing.park in parks:
            if filing.park not in newest or filing.revision > newest[filing.park].revision:
                newest[filing.park] = filing
            first[filing.park] = min(first.get(filing.park, filing.received_at), filing.received_at)
    states = {park: str(filing.state) for park, filing in newest.items()}
    reported = sum(state in FILED_STATES for state in states.values())
    late = None
    if deadlines is not None:
        late = float(sum(park in deadlines and at > deadlines[park] for park, at in first.items()))
    return {
        "parks_due": float(len(parks)),
        "parks_reported": float(reported),
        "parks_accepted": float(sum(state == "accepted" for state in states.values())),
        "parks_returned": float(sum(state == "returned" for state in states.values())),
        "parks_missing": float(len(parks) - len(states)),
        "parks_late": late,
        "park_response_rate": reported / len(parks) * 100 if parks else None,
    }


def _cells(
    wide: pl.DataFrame,
    measures: Mapping[str, tuple[str, str, int]],
    indicator: str,
    name: str,
    period: str,
    missing: str,
) -> pl.DataFrame:
    long = wide.select(*KEYS, *(pl.col(m).cast(pl.Float64) for m in measures)).unpivot(
        index=list(KEYS), variable_name="measure", value_name="value"
    )
    named = pl.DataFrame(
        [(m, n, unit, decimals) for m, (n, unit, decimals) in measures.items()],
        schema=["measure", "measure_name", "unit_measure", "decimals"],
        orient="row",
    )
    unknown = pl.col("value").is_null()
    return (
        long.join(named, on="measure")
        .with_columns(
            pl.lit(TABLE).alias("table"),
            pl.lit(period).alias("period"),
            pl.lit(indicator).alias("indicator"),
            pl.lit(name).alias("indicator_name"),
            pl.when(unknown).then(pl.lit("M")).otherwise(pl.lit("A")).alias("status"),
            pl.when(unknown).then(pl.lit(missing)).otherwise(pl.lit("")).alias("note"),
        )
        .with_columns(row_key(*KEYS, "indicator", "measure"))
    )


def response_rates(data: PeriodData, areas: Sequence[Area]) -> dict[str, tuple[float | None, int]]:
    """Area → (reported units as percent of those due, number due), for the warning on response (W14)."""
    roster = data.rosters.get(ENTERPRISE)
    if roster is None or roster.is_empty():
        return {}
    rows = roster.join(memberships(areas).select("park", "area"), on="park", how="inner")
    found = answer_counts(rows, ["area"])
    return {area: (rate, due) for area, rate, due in found.select("area", "response_rate", "units_due").iter_rows()}


def silent_and_estimated(data: PeriodData, areas: Sequence[Area]) -> dict[str, tuple[int, int]]:
    """Area → (due enterprises without a report or an estimate, those with estimates)."""
    roster = data.rosters.get(ENTERPRISE)
    if roster is None or "answer_status" not in roster.columns:
        return {}
    put_in = pl.col("imputed").fill_null(False) if "imputed" in roster.columns else pl.lit(False)
    silent = pl.col("answer_status").is_in(NON_RESPONSE).fill_null(False)
    units = roster.select("park", silent=silent & ~put_in, estimated=silent & put_in)
    counts = units.join(memberships(areas).select("park", "area"), on="park", how="inner").group_by("area")
    return {a: (s, e) for a, s, e in counts.agg(pl.col("silent", "estimated").sum().cast(pl.Int64)).iter_rows()}
