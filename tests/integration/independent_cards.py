"""Diagnosis cards, response and states of projects a second time, by plain SQL and arithmetic (see ``independent_figures``).

Written by hand from docs/methods/monitoring.md (Response; Internal), structure.md, what-matters.md (robust z) and projects.md.
"""

from __future__ import annotations

import math
import sqlite3
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from tests.integration.independent_figures import SECTIONS

CARDS = ("F01", "F13", "F21")
_LETTERS = " ".join(f"WHEN CAST(left(b.B07, 2) AS INT) <= {last} THEN '{letter}'" for letter, last in SECTIONS)
TOP, FAR = 20, 3.5


def unit_pairs(con: duckdb.DuckDBPyConnection, code: str, period: str) -> list[tuple[str, str, str, float, float]]:
    """(park, enterprise, section, now, year earlier as restated) of every enterprise with a figure; all have both in the story."""
    rows = con.execute(
        f"""SELECT b.park, b.unit_id, CASE {_LETTERS} END, CAST({code} AS DOUBLE), CAST({code}_yoy AS DOUBLE)
        FROM effective.basic b JOIN effective.finance f ON f.unit_id = b.unit_id AND f.period = b.period
        WHERE b.period = ? AND {code} IS NOT NULL ORDER BY b.park, b.unit_id""",
        [period],
    ).fetchall()
    assert all(base is not None for *_, base in rows)
    return rows


# 统计上大中小微型企业划分办法(2017), the lines the story's industries fall under: divisions, then what large, medium and small
# need at least of (staff in persons, revenue, assets in 万元)
SIZE_LINES: Sequence[tuple[range, tuple[tuple[int, int, int] | None, ...]]] = (
    (range(6, 47), ((1000, 300, 20), (40000, 2000, 300), None)),  # industry
    (range(51, 52), ((200, 20, 5), (40000, 5000, 1000), None)),  # wholesale
    (range(54, 59), ((1000, 300, 20), (30000, 3000, 200), None)),  # transport
    (range(63, 65), ((2000, 100, 10), (100000, 1000, 100), None)),  # information transmission
    (range(65, 66), ((300, 100, 10), (10000, 1000, 50), None)),  # software
    (range(71, 73), ((300, 100, 10), None, (120000, 8000, 100))),  # leasing and business services
    (range(73, 76), ((300, 100, 10), None, None)),  # research and technical services: other
)


def sizes(con: duckdb.DuckDBPyConnection, year: str) -> dict[str, str]:
    """Enterprise → size by its own annual report: a class needs every limit of its line, micro is the rest."""
    rows = con.execute(
        """SELECT b.unit_id, CAST(left(b.B07, 2) AS INT), CAST(P02 AS DOUBLE), CAST(F01 AS DOUBLE) / 10, CAST(F22 AS DOUBLE) / 10
        FROM in_force.basic b LEFT JOIN in_force.personnel p USING (unit_id, period) LEFT JOIN in_force.finance f USING (unit_id, period)
        WHERE b.period = ?""",
        [year],
    ).fetchall()
    found = {}
    for unit, division, *figures in rows:
        (limits,) = [line for divisions, line in SIZE_LINES if division in divisions]
        asked = [(figure, bounds) for figure, bounds in zip(figures, limits, strict=True) if bounds is not None]
        if all(figure is not None for figure, _ in asked):
            reached = [all(figure >= bounds[n] for figure, bounds in asked) for n in range(3)]
            found[unit] = str(reached.index(True) + 1) if any(reached) else "4"
    return found


def card_of_group(pairs: Sequence[tuple[str, str, str, float, float]]) -> dict[str, float | None]:
    """Measure → value of the units of one area, or of one section of it."""
    now, base = [p[3] for p in pairs], [p[4] for p in pairs]
    moves = [0.5 if abs(n - b) <= abs(b) * 0.005 else float(n > b) for n, b in zip(now, base, strict=True)]
    growths = [(n / b - 1) * 100 for n, b in zip(now, base, strict=True) if b > 0]
    shares = [n / sum(now) * 100 for n in sorted(now, reverse=True)] if min(now) >= 0 and sum(now) > 0 else None
    return {
        "concentration_cr4": None if shares is None else sum(shares[:4]),
        "concentration_hhi": None if shares is None else sum(s * s for s in shares),
        "growth_median": statistics.median(growths) if growths else None,
        "diffusion": sum(moves) / len(moves) * 100,
    }


def shifts(
    pairs: Sequence[tuple[str, str, str, float, float]], size_of: Mapping[str, str] | None = None
) -> dict[str, float | None]:
    """Section, or size where ``size_of`` tells it, → change of its share in points, and under the empty name half the sum of the
    absolute changes."""
    sums: dict[str, list[float]] = {}
    for _, unit, letter, now, base in pairs:
        both = sums.setdefault(letter if size_of is None else size_of.get(unit, "_"), [0.0, 0.0])
        both[0], both[1] = both[0] + now, both[1] + base
    whole, earlier = (sum(s[n] for s in sums.values()) for n in (0, 1))
    if whole <= 0 or earlier <= 0 or min(min(s) for s in sums.values()) < 0:
        return dict.fromkeys([*sums, ""])
    found: dict[str, float | None] = {s: (n / whole - b / earlier) * 100 for s, (n, b) in sums.items()}
    return found | {"": sum(abs(v) for v in found.values() if v is not None) / 2}


def cards_of_units(
    pairs: Sequence[tuple[str, str, str, float, float]],
) -> dict[tuple[str, str], dict[str, Any]]:
    """(park, enterprise) → its card, of the enterprises that have one: first ``TOP`` by base, or far from their section."""
    logs: dict[str, list[float]] = {}
    for _, _, letter, now, base in pairs:
        if now > 0 and base > 0:
            logs.setdefault(letter, []).append(math.log(now / base))
    found = {}
    for park in {p[0] for p in pairs}:
        own = [p for p in pairs if p[0] == park]
        first = sorted(own, key=lambda p: -p[4])[:TOP]
        for pair in own:
            _, unit, letter, now, base = pair
            known = logs.get(letter, [])
            middle = statistics.median(known) if len(known) >= 5 else None
            z = None
            if middle is not None and now > 0 and base > 0:
                spread = max(1.4826 * statistics.median([abs(v - middle) for v in known]), 0.05)
                z = (math.log(now / base) - middle) / spread
            if pair in first or (z is not None and abs(z) > FAR):
                whole, earlier = sum(p[3] for p in own), sum(p[4] for p in own)
                found[park, unit] = {
                    "unit_growth": (now / base - 1) * 100 if now > 0 and base > 0 else None,
                    "industry_median": None if middle is None else math.expm1(middle) * 100,
                    "unit_share": now / whole * 100 if whole > 0 else None,
                    "unit_points": (now - base) / earlier * 100 if earlier > 0 else None,
                    "far": z is not None and abs(z) > FAR,
                }
    return found


# ── response ────────────────────────────────────────────────────────────────────────────────────────────────────────
# the last event of every unit up to a day: where it is then, unless it left
REGISTER = """
SELECT unit_id, park FROM (SELECT *, row_number() OVER (PARTITION BY unit_id ORDER BY effective DESC, id DESC) AS last
    FROM unit_events WHERE effective <= :day) WHERE last = 1 AND kind <> 'exit'
"""
ANSWERS = """
SELECT unit_id, status FROM (SELECT *, row_number() OVER (PARTITION BY unit_id ORDER BY id DESC) AS last
    FROM answer_statuses WHERE period = :period) WHERE last = 1
"""
STANDING = """
SELECT park, state, first FROM (SELECT *, row_number() OVER (PARTITION BY park ORDER BY revision DESC) AS last,
    min(received_at) OVER (PARTITION BY park) AS first FROM submissions WHERE period = :period) WHERE last = 1
"""


def statuses(home: Path, con: duckdb.DuckDBPyConnection, period: str, day: str) -> dict[str, list[int]]:
    """Park → the answer status of each of its units: filed 0, else as recorded, a filed one without figures or nothing: 3."""
    filed = dict(con.execute("SELECT unit_id, park FROM effective.basic WHERE period = ?", [period]).fetchall())
    with sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True) as ledger:
        listed = dict(ledger.execute(REGISTER, {"day": day}).fetchall())
        said = dict(ledger.execute(ANSWERS, {"period": period}).fetchall())
    found: dict[str, list[int]] = {}
    for unit in {*filed, *listed}:
        status = said.get(unit)
        if unit in filed:
            status = status if status is not None and status >= 5 else 0
        elif not status:
            status = 3
        found.setdefault(filed.get(unit) or listed[unit], []).append(status)
    return found


def response(codes: Sequence[int]) -> dict[str, float]:
    """Counts and rates of some units by answer status."""
    due, reported = sum(c <= 4 for c in codes), sum(c <= 1 for c in codes)
    named = {
        "units_valid": 0, "units_failed": 1, "units_refused": 2, "units_unreachable": 3, "units_dormant": 4,
        "units_closed": 5, "units_moved": 6, "units_duplicate": 7, "units_out_of_scope": 8,
    }  # fmt: skip
    return {
        "units_due": due, "units_reported": reported, "response_rate": reported / due * 100,
        "valid_rate": codes.count(0) / due * 100, **{m: codes.count(c) for m, c in named.items()},
    }  # fmt: skip


def filing(home: Path, period: str, parks: Sequence[str], deadline: str) -> dict[str, float]:
    """Counts of parks by the newest revision; late is who came the first time after the deadline."""
    with sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True) as ledger:
        rows = [r for r in ledger.execute(STANDING, {"period": period}) if r[0] in parks]
    states = [state for _, state, _ in rows]
    filed = sum(s in ("reported", "reopened", "accepted") for s in states)
    return {
        "parks_due": len(parks), "parks_reported": filed, "parks_accepted": states.count("accepted"),
        "parks_returned": states.count("returned"), "parks_missing": len(parks) - len(rows),
        "parks_late": sum(first > deadline for _, _, first in rows), "park_response_rate": filed / len(parks) * 100,
    }  # fmt: skip


# ── states of projects ──────────────────────────────────────────────────────────────────────────────────────────────
RISKS = {
    "R1": "J14 = '1' AND NOT J07 AND 2015 - year(J03) > 1",
    "R2": "J14 IN ('1', '2') AND NOT J08 AND 2015 - year(J03) > 1",
    "R3": "J14 IN ('1', '2', '3') AND J06 * 2 < J05",
    "R4": "J14 = '5'",
}


def risks(con: duckdb.DuckDBPyConnection, period: str) -> set[tuple[str, str, str]]:
    """(condition, park, project) of every project a condition holds for."""
    query = "SELECT park, unit_id FROM effective.projects WHERE period = ? AND "
    return {(code, *row) for code, test in RISKS.items() for row in con.execute(query + f"({test})", [period]).fetchall()}  # fmt: skip
