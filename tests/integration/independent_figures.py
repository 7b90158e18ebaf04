"""Published figures worked out a second time, by plain SQL and arithmetic: nothing here comes from the code that published them.

Formulas are written by hand from the domain texts (survey_system 8.4 and 8.6, index_system 4.0 and 5, innovation_survey 3
and 5), structural zeros and the same-unit rule included. Everybody answered in 2014, so every weight is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

AREA = "LBSYQ"
PARKS = ("LBXQ", "LBGX", "LBJJ", "LBBY")
FORMS = ("finance", "personnel", "operations", "ip", "investment", "energy_land", "rd", "innovation")
# GB/T 4754: the letter of each first two digits, as printed in survey_system 4.1
SECTIONS = (
    ("A", 5), ("B", 12), ("C", 43), ("D", 46), ("E", 50), ("F", 52), ("G", 60), ("H", 62), ("I", 65), ("J", 69), ("K", 70),
    ("L", 72), ("M", 75), ("N", 79), ("O", 82), ("P", 83), ("Q", 85), ("R", 90), ("S", 96), ("T", 97),
)  # fmt: skip
STOCKS = ("F22", "F25", "F28", "P01", "P02")


class Place(NamedTuple):
    """A group of units: its place in the marts."""

    area: str
    breakdown: str
    category: str


def snapshot(home: Path) -> duckdb.DuckDBPyConnection:
    """The current read-only snapshot of a home."""
    folder = home / "warehouse" / "snapshots"
    return duckdb.connect(str(folder / (folder / "current").read_text(encoding="utf-8").strip()), read_only=True)


def section(industry: str) -> str:
    return next(letter for letter, last in SECTIONS if int(industry[:2]) <= last)


# ── quarterly monitoring ───────────────────────────────────────────────────────────────────────────────────────────
class Unit(NamedTuple):
    now: float | None
    year_earlier: float | None
    before: float | None


def quarterly_columns(con: duckdb.DuckDBPyConnection, indicators: set[str]) -> dict[str, tuple[str, bool]]:
    """Code → (form, whether it has a 上年同期 column) of the enterprises' figures among ``indicators``."""
    found: dict[str, tuple[str, bool]] = {}
    for form in FORMS:
        columns = {row[0] for row in con.execute(f"DESCRIBE effective.{form}").fetchall()}
        found |= {c: (form, f"{c}_yoy" in columns) for c in sorted(columns & indicators)}
    return found


def quarter_groups(
    con: duckdb.DuckDBPyConnection, code: str, form: str, has_yoy: bool, now: str, before: str
) -> dict[Place, list[Unit]]:
    """Every group of one indicator with the figures of its units; a unit outside industry has no industrial output."""
    earlier = f'a."{code}_yoy"' if has_yoy else "NULL"
    rows = con.execute(
        f"""SELECT b.park, b.B07, a."{code}", {earlier}, p."{code}" FROM effective.basic b
        LEFT JOIN effective.{form} a ON a.unit_id = b.unit_id AND a.period = b.period
        LEFT JOIN effective.{form} p ON p.unit_id = b.unit_id AND p.period = ? WHERE b.period = ?""",
        [before, now],
    ).fetchall()
    groups: dict[Place, list[Unit]] = defaultdict(list)
    for park, industry, *figures in rows:
        letter = section(industry)
        zero = code == "O01" and letter not in "BCD"
        unit = Unit(*((0.0 if zero else None) if v is None else float(v) for v in figures))
        for area in (AREA, park):
            groups[Place(area, "total", "T")].append(unit)
            groups[Place(area, "section", letter)].append(unit)
        groups[Place(AREA, "zone", park)].append(unit)
    return groups


def quarter_figures(code: str, units: list[Unit]) -> dict[str, float | None]:
    """Measure → value of one group (survey_system 8.6); None where no unit has a figure."""
    known = [u.now for u in units if u.now is not None]
    pairs = [(u.now, u.year_earlier) for u in units if u.now is not None and u.year_earlier is not None]
    quarters = [u.now - u.before for u in units if u.now is not None and u.before is not None]
    base = sum(b for _, b in pairs)
    found = {
        "cumulative": sum(known) if known else None,
        "units_reported": float(len(known)),
        "year_earlier_restated": base if pairs else None,
        "growth_restated": (sum(n for n, _ in pairs) / base - 1) * 100 if base > 0 else None,
    }
    if code not in STOCKS:
        found["discrete_quarter"] = sum(quarters) if quarters else None
    return found


# ── annual: one row a unit ─────────────────────────────────────────────────────────────────────────────────────────
def annual_units(con: duckdb.DuckDBPyConnection, year: str) -> None:
    """The view ``units`` with structural zeros (survey_system 8.4): no research form means no research, no industry no output."""
    con.execute("SET memory_limit = '1GB'")
    joins, columns = [], ["b.*"]
    for form in FORMS:
        codes = [r[0] for r in con.execute(f"DESCRIBE in_force.{form}").fetchall() if len(r[0]) == 3]
        columns += [f'{form}."{c}"' for c in codes]
        joins.append(f"LEFT JOIN in_force.{form} {form} ON {form}.unit_id = b.unit_id AND {form}.period = b.period")
    con.execute(
        f"""CREATE TEMP VIEW plain AS SELECT {", ".join(columns)}, CAST(left(b.B07, 2) AS INT) BETWEEN 6 AND 46 AS industrial
        FROM in_force.basic b {" ".join(joins)} WHERE b.period = '{year}'"""
    )
    research = [r[0] for r in con.execute("DESCRIBE in_force.rd").fetchall() if len(r[0]) == 3]
    asked = "(B16 OR B19 OR industrial OR coalesce(F07, 0) > 0 OR coalesce(R04, 0) > 0)"
    zeros = [f"coalesce({c}, CASE WHEN NOT {asked} THEN 0 END) AS {c}" for c in research]
    zeros += [f"coalesce({c}, CASE WHEN NOT industrial THEN 0 END) AS {c}" for c in ("O01", "O02")]
    con.execute(
        f"""CREATE TEMP VIEW zeros AS SELECT * REPLACE ({", ".join(zeros)}), N01 OR N02 AS PROD,
        N09 OR N10 OR N11 OR N12 AS PROC, N13 OR N14 AS ORG, N15 AS MKT FROM plain"""
    )
    con.execute(
        """CREATE TEMP VIEW units AS SELECT *, PROD OR PROC OR ORG OR MKT AS INNO,
        PROD OR PROC OR ORG OR MKT OR N17 OR N18 OR (R04 > 0 AND (N01 IS NOT NULL OR N17 IS NOT NULL)) AS ACT FROM zeros"""
    )


def _ratio(above: str, below: str, scale: str) -> str:
    """Over the units that have both sides (the same-unit rule)."""
    both = f"FILTER (({above}) IS NOT NULL AND ({below}) IS NOT NULL)"
    return f"CAST(sum({above}) {both} AS DOUBLE) / nullif(sum({below}) {both}, 0) * {scale}"


def _percent(yes: str, base: str = "true") -> str:
    return f"count(*) FILTER (({base}) AND ({yes})) * 100.0 / nullif(count(*) FILTER (({base}) AND ({yes}) IS NOT NULL), 0)"


INDEX_OF_UNITS = {
    "X02": _ratio("R04", "F01", "100"),
    "X03": _ratio("R03", "P02", "100"),
    "X04": _ratio("P06 + P09", "P01", "100"),
    "X05": _percent("R24 > 0", "B11"),
    "X06": _ratio("I08", "P01", "10000"),
    "X07": _ratio("I02", "R04", "100000"),
    "X08": _ratio("O05", "F01", "100"),
    "X10": _ratio("O06", "F01", "100"),
    "X13": _ratio("O03", "P02", "0.1"),  # prices of the base year are those of the year itself
    "X14": _ratio("F01 - F13", "F01", "100"),
    "X16": _ratio("O03", "F01", "100"),
    "X17": "sum(L01) FILTER (B11 AND O02 IS NOT NULL) / (sum(O02) FILTER (B11 AND L01 IS NOT NULL) / 10.0)",
    "X18": "sum(L04) FILTER (O03 IS NOT NULL) / (sum(O03) FILTER (L04 IS NOT NULL) / 10.0)",
    "X21": _ratio("O12", "F01", "100"),
    "X24": _percent("N23"),
}
INDEX_OF_PARKS = {
    "X01": "sum(K26) / sum(K04) * 100",
    "X11": "sum(K29) / sum(K44) * 100",
    "X12": "sum(K30) / sum(K04) * 100",
    "X15": "sum(K09) * 100.0 / sum(K05)",
    "X22": "sum(K08) * 100.0 / sum(K05)",
    # both forms in one: the enterprises' sum over the parks' land
    "X19": "max((SELECT sum(O01) FROM units WHERE park IN (SELECT unnest(?))) / 100000.0) / (sum(K03) / 100)",
    "X20": "max((SELECT sum(F16) FILTER (industrial) FROM units WHERE park IN (SELECT unnest(?))) / 10.0) / (sum(K03) * 15)",
}
INDEX_OF_THREE_YEARS = ("X09", "X23")  # a window of three years cannot be filled in the first


def index_figures(con: duckdb.DuckDBPyConnection, parks: list[str], year: str) -> dict[str, float | None]:
    """X01–X24 of the units and sheets of some parks together."""
    found: dict[str, Any] = dict.fromkeys(INDEX_OF_THREE_YEARS)
    for code, text in INDEX_OF_UNITS.items():
        found[code] = _one(con, f"SELECT {text} FROM units WHERE park IN (SELECT unnest(?))", [parks])
    for code, text in INDEX_OF_PARKS.items():
        given: list[Any] = [parks] * text.count("?") + [year, parks]
        found[code] = _one(
            con, f"SELECT {text} FROM in_force.park WHERE period = ? AND park IN (SELECT unnest(?))", given
        )
    return found


def _one(con: duckdb.DuckDBPyConnection, sql: str, given: list[Any]) -> float | None:
    row = con.execute(sql, given).fetchone()
    return None if row is None or row[0] is None else float(row[0])


INNOVATION = {
    "T02.c1": "count(INNO)",
    "T02.c2": "count(*) FILTER (ACT)",
    "T02.c3": _percent("ACT"),
    "T02.c4": "count(*) FILTER (INNO)",
    "T02.c5": _percent("INNO"),
    "T02.c6": _percent("PROD AND PROC AND ORG AND MKT"),
    "T08.c1": "sum(F01 * N05 / 100) FILTER (PROD) * 100.0 / sum(F01) FILTER (NOT PROD OR N05 + N06 IS NOT NULL)",
    "T08.c3": "sum(F01 * (N05 + N06) / 100) FILTER (PROD) * 100.0 / sum(F01) FILTER (NOT PROD OR N05 + N06 IS NOT NULL)",
    "T13.c1": "sum(N22) / 100000.0",
    "T13.c2": "sum(coalesce(R04, 0)) FILTER (N22 IS NOT NULL) * 100.0 / nullif(sum(N22), 0)",
    "T13.c3": "sum(coalesce(N19, 0)) FILTER (N22 IS NOT NULL) * 100.0 / nullif(sum(N22), 0)",
    "T15.c1": "sum(R04) / 100000.0",
    "T15.c2": _ratio("R05", "R04", "100"),
    "T15.c3": _ratio("R06", "R04", "100"),
    "T15.c8": _ratio("R11", "R04", "100"),
    "T20.c1": _percent("R04 > 0"),
    "T20.c2": _percent("R24 > 0"),
    "T20.c3": "sum(R24)",
    "T21.c1": "count(N23)",
    "T21.c2": _percent("N23"),
    "T21.c3": _percent("N23", "ACT"),
    "T21.c5": _percent("N23 AND N31", "ACT"),
    "T33.c1": _percent("ACT"),
    "T33.c2": _percent("INNO"),
    "T33.c3": _ratio("R04", "F01", "100"),
    "T33.c4": _ratio("O05", "F01", "100"),
    "T33.c5": _ratio("I08", "P01", "10000"),
}
ROW_GROUPS = {"total": "'T'", "zone": "park", "hnte": "CAST(B16::INT AS VARCHAR)"}


def innovation_figures(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str, float | None]]:
    """(column, breakdown, category, value) of a dozen columns."""
    for column, text in INNOVATION.items():
        for breakdown, group in ROW_GROUPS.items():
            if column.startswith("T33") == (breakdown == "hnte"):
                for category, value in con.execute(f"SELECT {group} AS g, {text} FROM units GROUP BY g").fetchall():
                    yield column, breakdown, category, None if value is None else float(value)


TARGETS = {
    # row of the plan: (value by hand, baseline, target, lower is better); progress due at the end of 2014 is 0 for all
    "LB.108": ("SELECT sum(K04) / 10000 FROM sheets", 552.4, 1377, False),
    "LB.109": ("SELECT sum(K26) / sum(K04) * 100 FROM sheets", 2.3, 2.9, False),
    "LB.110": ("SELECT sum(K22) / sum(K21) * 100 FROM sheets", 0.9, 2.1, False),
    "LB.115": ("SELECT (SELECT sum(I08) FROM units) / sum(K28) * 10000 FROM sheets", 6.6, 17.5, False),
    "LB.116": ("SELECT sum(I17) / 100000.0 FROM units", 24, 60, False),
    "LB.117": ("SELECT sum(K33) / sum(K04) FROM sheets", 2.17, 1.7, True),
    "LB.118": ("SELECT 0", None, 800, False),  # increment since 2014, at the end of 2014; stage path
    "LB.123": ("SELECT sum(K12) FROM sheets", None, 500, False),
    "LB.126": (f"SELECT {_percent('R24 > 0', 'industrial')} FROM units", None, 25, False),
    "LB.129": ("SELECT NULL", None, 800, False),  # cumulative from 2015: nothing yet
    "LB.130": ("SELECT sum(K05) FROM sheets", 4674, 6200, False),
    "LB.141": ("SELECT (sum(P12) + sum(P13)) * 100.0 / sum(P11) FROM units", None, 25, False),
}


def target_figures(con: duckdb.DuckDBPyConnection, year: str) -> Iterator[tuple[str, float | None, float | None]]:
    """(row, value, completion in percent) of a dozen rows, by index_system 5."""
    con.execute(f"CREATE TEMP VIEW sheets AS SELECT * FROM in_force.park WHERE period = '{year}'")
    for row, (sql, base, aim, lower) in TARGETS.items():
        value = _one(con, sql, [])
        if value is None:
            yield row, None, None
        elif base is None:
            yield row, value, value / aim * 100
        else:
            yield row, value, (base - value) / (base - aim) * 100 if lower else (value - base) / (aim - base) * 100
