"""All 34 innovation tables on a made-up survey: margins, ratios and equal figures agree with each other, whatever was answered.

``complete`` is a survey as the gate lets it in (what a unit owes is there, parts add up); ``patchy`` leaves answers and class codes open.
"""

from __future__ import annotations

import random
from functools import cache
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from pipelines.methods.innovation import InnovationTables, innovation_tables
from pipelines.methods.innovation_definition import columns_of, innovation_definitions
from schemas.catalog import programme
from schemas.period import Period
from schemas.period_data import PeriodData

PERIOD = Period(2015)
EDITION = programme().edition_for(PERIOD)
DEFINITIONS = innovation_definitions(EDITION)
COLUMNS = {c.indicator: c for c in columns_of(DEFINITIONS)}
ADDED_UP = [c for c, one in COLUMNS.items() if one.kind in ("count", "sum") or (one.kind == "response" and not one.denominator)]  # fmt: skip
DIVIDES = ("section", "size", "registration", "zone", "high_tech", "hnte")  # breakdowns whose rows are all the units
Key = tuple[str, str, str]


def unit(rng: random.Random, number: int) -> dict[str, Any]:
    """One enterprise that answered everything it owes; those under ten persons are not asked the questions."""
    staff = rng.choice((4, 8, 12, 40, 150, 600))
    revenue = int(rng.lognormvariate(9, 1.2)) + 1000
    row: dict[str, Any] = {
        "unit_id": f"U{number:03d}", "park": rng.choice(("LBXQ", "LBGX", "LBJJ", "LBBY")), "answer_status": "0", "imputed": False,
        "weight": rng.choice((1.0, 1.0, 1.25, 3.0)), "B07": rng.choice(("3911", "2710", "1310", "4411", "6510", "7310")),
        "B08": rng.choice(("173", "210", "310")), "B10": rng.choice("1234"), "B11": rng.random() < 0.2, "B16": rng.random() < 0.3,
        "B27": rng.choice("012"), "P01": staff + 1, "P02": staff, "F01": revenue, "F01_yoy": revenue,
    }  # fmt: skip
    for code in ("I01", "I02", "I03", "I04", "I05", "I07", "I08", "I10", "I11", "I12", "I13", "I14", "I15", "I16", "I17", "R28", "R29", "R30", "R31", "O04", "O05"):  # fmt: skip
        row[code] = rng.randrange(0, 60)
    research(rng, row)
    if staff >= 10:
        questions(rng, row)
    return row


def research(rng: random.Random, row: dict[str, Any]) -> None:
    """Research figures whose parts add up; most do none."""
    does = rng.random() < 0.4
    parts = [rng.randrange(0, 90) if does else 0 for _ in range(8)]
    row |= dict(zip(("R05", "R06", "R07", "R08", "R09", "R10", "R11", "R16"), parts, strict=True), R04=sum(parts))
    abroad = [row["R11"] // 5] * 4
    row |= dict(zip(("R12", "R13", "R14", "R15"), abroad, strict=True))
    for codes in (("R18", "R19", "R20"), ("R21", "R22", "R23")):
        split = [row["R04"] // 3, row["R04"] // 4]
        row |= dict(zip(codes, [*split, row["R04"] - sum(split)], strict=True))
    row |= {
        "R17": row["R04"],
        "R01": 3 if does else 0,
        "R02": 2 if does else 0,
        "R03": 3 if does else 0,
        "R24": int(does),
    }
    row |= {"R25": 0, "R26": int(does and rng.random() < 0.5), "F20": row["R04"] // 8}


def questions(rng: random.Random, row: dict[str, Any]) -> None:
    """The questionnaire with its routing."""
    for code in ("N01", "N02"):
        row[code] = rng.random() < 0.3
    for code in ("N09", "N10", "N11", "N12", "N13", "N14", "N15", "N17", "N18", "N23"):
        row[code] = rng.random() < 0.2
    if row["N01"] or row["N02"]:
        market = rng.randrange(0, 50)
        row |= {"N03": rng.random() < 0.5, "N04": rng.random() < 0.5, "N05": market, "N06": 30, "N07": 70 - market, "N08": rng.choice("1234")}  # fmt: skip
    if any(row[f"N{n:02d}"] for n in range(9, 16)):
        row["N16"] = rng.choice("1234")
    for n in range(24, 32):
        if row["N23"]:
            row[f"N{n}"] = rng.random() < 0.5
    for n in range(32, 45):
        row[f"N{n}"] = rng.choice("0123")
    row |= {"N19": rng.randrange(0, 50), "N20": 7, "N21": 5, "N45": rng.choice("0123")}
    row["N22"] = row["R04"] + row["N19"] + row["N20"] + row["N21"]


@cache
def survey(kind: str) -> InnovationTables:
    rng = random.Random(20150331)
    rows = [unit(rng, n) for n in range(140)]
    if kind == "patchy":
        kept = {"unit_id", "park", "answer_status", "imputed", "weight", "B07", "B16", "P02"}
        rows = [{c: None if c not in kept and rng.random() < 0.08 else v for c, v in row.items()} for row in rows]
    codes = {code: i.dtype for code, i in EDITION.indicators.items()}
    more: dict[str, Any] = {"unit_id": pl.String(), "park": pl.String(), "answer_status": pl.String(), "imputed": pl.Boolean(), "weight": pl.Float64(), "F01_yoy": pl.Int64()}  # fmt: skip
    used = {name for row in rows for name in row}
    schema = {name: kind_ for name, kind_ in {**more, **codes}.items() if name in used}
    frame = pl.DataFrame([{n: row.get(n) for n in schema} for row in rows], schema=schema, orient="row", strict=False)
    return innovation_tables(PeriodData(PERIOD, {"enterprise": frame}), programme())


@cache
def shown(kind: str) -> dict[Key, float | None]:
    """(column, breakdown, category) → value."""
    cells = survey(kind).product.cells
    return {(i, b, c): v for i, b, c, v in cells.select("indicator", "breakdown", "category", "value").iter_rows()}


def rows_of(kind: str, *indicators: str) -> list[tuple[str, str]]:
    """Rows in which all these columns have a value."""
    own = [{(b, c) for (i, b, c), v in shown(kind).items() if i == one and v is not None} for one in indicators]
    return sorted(set.intersection(*own))


@pytest.mark.parametrize("kind", ["complete", "patchy"])
@pytest.mark.parametrize("breakdown", DIVIDES)
def test_every_margin_is_the_sum_of_its_categories(kind: str, breakdown: str) -> None:
    found, compared = shown(kind), 0
    for indicator in ADDED_UP:
        own = [v for (i, b, _), v in found.items() if (i, b) == (indicator, breakdown)]
        if own:
            assert sum(v or 0.0 for v in own) == pytest.approx(found[indicator, "total", "T"] or 0.0), indicator
            compared += 1
    assert compared >= 35


@pytest.mark.parametrize("kind", ["complete", "patchy"])
def test_the_sums_behind_every_ratio_add_up_and_the_ratio_is_their_quotient(kind: str) -> None:
    made = survey(kind).product
    sides = made.parts.filter(pl.col("role").is_in(["numerator", "denominator"]))
    behind = made.cells.join(sides, on="row_key").select(
        "indicator", "breakdown", "category", "value", "role", pl.col("total").alias("side")
    )
    whole = behind.filter(breakdown="total").select("indicator", "role", pl.col("side").alias("whole"))
    added = (
        behind.filter(pl.col("breakdown").is_in(DIVIDES))
        .group_by("indicator", "breakdown", "role")
        .agg(pl.col("side").sum())
        .join(whole, on=["indicator", "role"])
    )
    assert added.height > 1000
    assert added.filter((pl.col("side") - pl.col("whole")).abs() > 1e-6 * (1 + pl.col("whole").abs())).is_empty()
    scales = pl.DataFrame([(c, one.scale) for c, one in COLUMNS.items()], schema=["indicator", "scale"], orient="row")
    wide = behind.pivot("role", index=["indicator", "breakdown", "category", "value"], values="side")
    quotients = wide.join(scales, on="indicator").drop_nulls("value")
    quotient = pl.col("numerator") / pl.col("denominator") * pl.col("scale")
    assert quotients.height > 2000
    assert quotients.filter((pl.col("value") - quotient).abs() > 1e-9 * (1 + quotient.abs())).is_empty()


@pytest.mark.parametrize("kind", ["complete", "patchy"])
def test_the_same_figure_in_two_tables_is_the_same_number(kind: str) -> None:
    cells = survey(kind).product.cells.filter(pl.col("formula") != "")
    same = cells.group_by("formula", "breakdown", "category").agg(
        tables=pl.col("table").n_unique(), values=pl.col("value").n_unique(), states=pl.col("status").n_unique()
    )
    twice = same.filter(pl.col("tables") > 1)
    assert twice.height >= 50
    assert twice.filter((pl.col("values") > 1) | (pl.col("states") > 1)).is_empty()


@pytest.mark.parametrize("kind", ["complete", "patchy"])
def test_the_crossed_table_adds_up_to_both_margins(kind: str) -> None:
    made = survey(kind).product
    behind = made.cells.join(made.parts, on="row_key").select("indicator", "breakdown", "category", "role", "total")
    crossed = behind.filter(indicator="T34.c1").with_columns(side=pl.col("category").str.split("|"))
    for n, breakdown in enumerate(("section", "size")):
        margin = behind.filter(indicator="T02.c5", breakdown=breakdown)
        for role in ("numerator", "denominator"):
            added = crossed.filter(role=role).group_by(pl.col("side").list.get(n)).agg(pl.col("total").sum())
            told = dict(margin.filter(role=role).select("category", "total").iter_rows())
            assert dict(added.iter_rows()) == pytest.approx(told)


# column = scale × above / below, as a reader of the tables can check it
QUOTIENTS = {
    "T01.c4": ("T01.c3", "T01.c1", 100), "T01.c5": ("T01.c3", "T01.c2", 100), "T02.c3": ("T02.c2", "T02.c1", 100),
    "T02.c5": ("T02.c4", "T02.c1", 100), "T15.c8": ("T18.c1", "T15.c1", 100), "T19.c5": ("T16.c1", "T19.c3", 10_000),
    "T30.c8": ("T30.c2", "T30.c1", 100),
}  # fmt: skip


@pytest.mark.parametrize("indicator", QUOTIENTS)
def test_a_ratio_is_the_quotient_of_the_sums_that_are_shown(indicator: str) -> None:
    above, below, scale = QUOTIENTS[indicator]
    found = shown("complete")
    rows = rows_of("complete", indicator, above, below)
    assert len(rows) >= 15
    for row in rows:
        quotient = (found[above, *row] or 0.0) / (found[below, *row] or 1.0) * scale
        assert found[indicator, *row] == pytest.approx(quotient), row


# sums of columns that are equal in every row of a complete survey: (+ columns, − columns) on the left, columns or 100 on the right
LEFT, RIGHT = tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...] | float
EQUAL: dict[str, tuple[LEFT, RIGHT]] = {
    "only unfinished": ((("T02.c3",), ("T02.c5",)), ("T12.c3",)),
    "technical or other": ((("T04.c1", "T04.c2", "T04.c3"), ()), ("T02.c5",)),
    "nobody left out": ((("T04.c1", "T04.c2", "T04.c3", "T04.c4"), ()), 100),
    "product, two editions": ((("T05.c3", "T05.c5"), ()), ("T03.c1",)),
    "product or process": ((("T05.c1", "T05.c4"), ()), ("T02.c5",)),
    "goods or services": ((("T06.c1", "T06.c2"), ("T06.c3",)), ("T03.c1",)),
    "sales of the new": ((("T08.c1", "T08.c2"), ()), ("T08.c3",)),
    "developers of products": ((tuple(f"T09.c{n}" for n in range(1, 5)), ()), 100),
    "developers of processes": ((tuple(f"T11.c{n}" for n in range(1, 5)), ()), 100),
    "expenditure": ((tuple(f"T13.c{n}" for n in range(2, 6)), ()), 100),
    "research by kind": ((tuple(f"T15.c{n}" for n in range(2, 10)), ()), 100),
    "research by activity": ((tuple(f"T16.c{n}" for n in range(2, 5)), ()), 100),
    "research by source": ((tuple(f"T17.c{n}" for n in range(2, 5)), ()), 100),
    "one total": ((("T16.c1",), ()), ("T17.c1",)),
    "degrees": ((tuple(f"T26.c{n}" for n in range(1, 5)), ()), 100),
    "medium and high": ((("T26.c3", "T26.c4"), ()), ("T24.c1",)),
}


@pytest.mark.parametrize("name", EQUAL)
def test_columns_that_say_the_same_are_equal_in_every_row(name: str) -> None:
    (plus, minus), right = EQUAL[name]
    found = shown("complete")
    if name == "medium and high":  # the distribution of a question against the share of those it hampers
        sides = [
            (sum(found[c, "factor", f"N{32 + n}"] or 0.0 for c in plus), found[f"T24.c{n + 1}", "total", "T"])
            for n in range(8)
        ]
    else:
        others = right if isinstance(right, tuple) else ()
        sides = [
            (
                sum(found[c, *row] or 0.0 for c in plus) - sum(found[c, *row] or 0.0 for c in minus),
                float(right) if not isinstance(right, tuple) else sum(found[c, *row] or 0.0 for c in right),
            )
            for row in rows_of("complete", *plus, *minus, *others)
        ]
    assert len(sides) >= 8
    for left, told in sides:
        assert left == pytest.approx(told, abs=1e-9)


def test_tables_of_one_question_by_another_breakdown_agree() -> None:
    found, compared = shown("complete"), 0
    pairs = {"T33.c1": "T02.c3", "T33.c2": "T02.c5", "T33.c3": "T14.c2", "T33.c4": "T29.c3", "T33.c5": "T30.c9"}
    pairs |= {f"T23.c{n}": f"T22.c{n}" for n in range(1, 8)}
    for one, other in pairs.items():
        for (indicator, breakdown, category), value in found.items():
            if indicator == one:
                assert value == pytest.approx(found[other, breakdown, category]), (one, category)
                compared += 1
    assert compared == 5 * 2 + 7 * 4


@pytest.mark.parametrize("kind", ["complete", "patchy"])
def test_a_part_is_never_more_than_its_whole(kind: str) -> None:
    found = shown(kind)
    for chain in (("T02.c4", "T02.c2"), ("T20.c4", "T20.c3"), ("T20.c5", "T20.c3"), ("T01.c3", "T01.c2", "T01.c1")):
        for small, large in pairwise(chain):
            for row in rows_of("complete" if small.startswith("T20") else kind, small, large):
                values = found if not small.startswith("T20") else shown("complete")
                assert (values[small, *row] or 0.0) <= (values[large, *row] or 0.0) + 1e-9, (small, row)
    percent = {c for c, one in COLUMNS.items() if one.kind == "percent"}
    assert all(0 <= v <= 100 + 1e-9 for (i, _, _), v in found.items() if i in percent and v is not None)


def test_who_was_not_asked_is_on_neither_side_of_an_activity() -> None:
    """A firm of four persons with research is not asked the questions; counted as active it would come in without its peers."""
    asked = {
        "P02": 20,
        "N01": False,
        "N02": False,
        **{f"N{n:02d}": False for n in range(9, 16)},
        "N17": False,
        "N18": False,
    }
    start = {"park": "LBGX", "answer_status": "0", "weight": 1.0, "imputed": False, "B07": "3911", "F01": 9}
    rows = [{**start, **asked, "R04": 5}, {**start, **asked, "R04": 0}, {**start, "P02": 4, "R04": 5}, {**start, "P02": 4, "R04": 0}]  # fmt: skip
    frame = pl.DataFrame([{"unit_id": f"U{n}", **row} for n, row in enumerate(rows)], infer_schema_length=None)
    found = innovation_tables(PeriodData(PERIOD, {"enterprise": frame}), programme(), only=("T02", "T20"))
    told = {
        i: v for i, b, v in found.product.cells.select("indicator", "breakdown", "value").iter_rows() if b == "total"
    }
    assert (told["T02.c1"], told["T02.c2"], told["T02.c3"]) == (2.0, 1.0, 50.0)
    assert told["T20.c1"] == 50.0  # research itself is a figure of everybody
