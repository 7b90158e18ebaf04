"""Gate rules 关口规则: what must hold of a mart or a release as a whole, whatever it contains. Pure; the wording is for the operator.

Findings about submissions live in tables of their own; these rules are few and judge our own work. A verdict names rows and
counts, never a figure: a mart before disclosure control may hold figures of single units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pandera.errors as pe
import polars as pl

from schemas.frame import frame_schema
from schemas.marts import PUBLISHED_COLUMNS, STATUSES
from schemas.model import Edition, Programme
from schemas.observations import frame_columns
from schemas.period import Period

ADDITIVE_MEASURES: Final = ("cumulative", "units_reported", "units_due")
# Float sums of the same figures in another order differ in the last digits.
RELATIVE_TOLERANCE: Final = 1e-9
SHOWN: Final = 20
_MARKED: Final = [status for status, (mark, _) in STATUSES.items() if mark]


@dataclass(frozen=True)
class Verdict:
    """Whether a rule holds; ``problems`` says where it does not (at most ``SHOWN`` of ``count``)."""

    count: int
    checked: int
    problems: tuple[str, ...] = ()
    facts: Mapping[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """No problem was found."""
        return self.count == 0


def _verdict(checked: int, problems: list[str]) -> Verdict:
    return Verdict(len(problems), checked, tuple(problems[:SHOWN]))


def cells_are_sound(cells: pl.DataFrame) -> Verdict:
    """Row keys are unique, values finite, statuses known, and a value is there exactly where the status says so."""
    unmarked = ~pl.col("status").is_in(_MARKED)
    rules = {
        "row_key 重复": pl.col("row_key").is_duplicated(),
        "值不是有限数": pl.col("value").is_not_null() & ~pl.col("value").is_finite(),
        "状态没有定义": ~pl.col("status").is_in(list(STATUSES)),
        "标为有数但没有值": unmarked & pl.col("value").is_null(),
        "标为无数、不适用或不公布但有值": ~unmarked & pl.col("value").is_not_null(),
    }
    problems = [
        f"{key}:{name}"
        for name, broken in rules.items()
        for key in cells.filter(broken)["row_key"].unique(maintain_order=True).to_list()
    ]
    return _verdict(cells.height, problems)


def totals_equal_zones(cells: pl.DataFrame) -> Verdict:
    """Of every additive measure the total of an area is the sum over its zones, as far as zones have a value."""
    additive = cells.filter(pl.col("measure").is_in(ADDITIVE_MEASURES))
    keys = ["table", "area", "indicator", "measure"]
    zones = (
        additive.filter(pl.col("breakdown") == "zone")
        .group_by(keys)
        .agg(total_of_zones=pl.col("value").sum(), valued=pl.col("value").is_not_null().sum())
    )
    totals = additive.filter((pl.col("breakdown") == "total") & pl.col("value").is_not_null())
    both = totals.join(zones, on=keys, how="inner").filter(pl.col("valued") > 0)
    problems = [
        f"{row['row_key']}:合计与各园区之和不符"
        for row in both.iter_rows(named=True)
        if not math.isclose(row["value"], row["total_of_zones"], rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-6)
    ]
    return _verdict(both.height, sorted(problems))


def response_is_stated(cells: pl.DataFrame) -> Verdict:
    """Every area has a response rate over all its units: a publication without one cannot be judged by its reader."""
    rates = cells.filter((pl.col("measure") == "response_rate") & (pl.col("breakdown") == "total"))
    areas = cells["area"].unique().sort().to_list()
    stated = set(rates["area"].to_list())
    problems = [f"{area}:没有报送率" for area in areas if area not in stated]
    return _verdict(len(areas), problems if areas else ["没有任何区域的报送率"])


def published_cells_are_sound(marts: Mapping[str, pl.DataFrame]) -> dict[str, Verdict]:
    """Of all published marts together: rule → verdict."""
    frames = [f.select(pl.lit(name).alias("mart"), *PUBLISHED_COLUMNS) for name, f in sorted(marts.items())]
    cells = pl.concat(frames) if frames else pl.DataFrame(schema={"mart": pl.String, **PUBLISHED_COLUMNS})

    def broken(rule: pl.Expr, words: str) -> Verdict:
        rows = cells.filter(rule).select("mart", "row_key").iter_rows()
        return _verdict(cells.height, [f"{mart} {key}:{words}" for mart, key in rows])

    marks = {status: mark for status, (mark, _) in STATUSES.items()}
    hidden = pl.col("status") == "C"
    return {
        "every_cell_is_displayed": broken(pl.col("display").fill_null("") == "", "没有显示文本"),
        "suppressed_cells_are_empty": broken(
            hidden & (pl.col("value").is_not_null() | (pl.col("display") != marks["C"])), "不公布的数仍可见"
        ),
    }


def gate_holds(programme: Programme, period: Period, facts: Mapping[str, pl.DataFrame]) -> Verdict:
    """Accepted facts of a period still fit the generated schema of their form: types, ranges, code lists, one row a unit.

    The load has let them in through the same gate, hard rules included; this proves it of what lies in the warehouse.
    """
    edition = programme.edition_for(period)
    codelists = {
        name: frozenset(codes.valid(period.end)["code"].to_list())
        for name, codes in programme.codelists.items()
        if name in ("gbt4754_class4", "reg_category")
    }
    problems = [
        f"{code}:{problem}"
        for code, frame in sorted(facts.items())
        for problem in _schema_problems(edition, code, period, codelists, frame)
    ]
    return Verdict(
        len(problems), sum(f.height for f in facts.values()), tuple(problems[:SHOWN]), {c: f.height for c, f in facts.items()}
    )  # fmt: skip


def _schema_problems(
    edition: Edition, code: str, period: Period, codelists: dict[str, frozenset[str]], frame: pl.DataFrame
) -> list[str]:
    form = edition.forms[code]
    columns = frame_columns(form, period)
    body = frame.select(pl.col(c).cast(t) for c, t in columns.items() if c in frame.columns)
    lacking = [c for c in columns if c not in frame.columns]
    if lacking:
        return [f"缺列 {'、'.join(lacking)}"]
    schema = frame_schema(form, period, codelists)
    # Sheets and contexts of all parks lie in one table; their unit is the park itself, so uniqueness is that of the pair.
    problems = []
    for (park,), own in body.filter(pl.col("unit_id").is_not_null()).group_by(["park"], maintain_order=True):
        try:
            schema.validate(own, lazy=True)
        except (pe.SchemaErrors, pe.SchemaError) as error:
            cases = getattr(error, "failure_cases", None)
            pairs = (
                cases.select(pl.col("column").fill_null("整表"), "check").unique(maintain_order=True).iter_rows()
                if isinstance(cases, pl.DataFrame)
                else [("整表", "结构")]
            )
            problems += [f"{park}:{column} {check}" for column, check in pairs]
    return problems
