"""Early warning, clusters and revisions worked out a second time, by plain SQL and arithmetic (see ``independent_figures``).

Written by hand from docs/methods/warnings.md, clusters.md and monitoring.md (Revisions); bounds and weights as printed in index_system 5.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb

from tests.integration.independent_figures import AREA, SECTIONS

QUARTERS = ("2014-Q4", "2015-Q1", "2015-Q2")
_FORMS = ("finance", "personnel", "operations", "investment", "energy_land")
_LETTERS = " ".join(f"WHEN CAST(left(b.B07, 2) AS INT) <= {last} THEN '{letter}'" for letter, last in SECTIONS)


def quarters(con: duckdb.DuckDBPyConnection) -> None:
    """The table ``firms``: every enterprise of every quarter, all forms beside each other; no output outside industry."""
    joins = " ".join(
        f"LEFT JOIN effective.{f} {f} ON {f}.unit_id = b.unit_id AND {f}.period = b.period" for f in _FORMS
    )
    con.execute(
        f"""CREATE TEMP TABLE firms AS SELECT b.period, b.park, b.unit_id, b.B07, CASE {_LETTERS} END AS letter,
        F01, F01_yoy, F03, F03_yoy, F13, F13_yoy, F16, F16_yoy, F22, F22_yoy, F25, F25_yoy, P01, P01_yoy, V01, V01_yoy, O12, O12_yoy, L01, L01_yoy,
        coalesce(O01, CASE WHEN letter NOT IN ('B', 'C', 'D') THEN 0 END) AS O01,
        coalesce(O01_yoy, CASE WHEN letter NOT IN ('B', 'C', 'D') THEN 0 END) AS O01_yoy FROM effective.basic b {joins}"""
    )


def _growth(code: str) -> str:
    both = f"FILTER ({code} IS NOT NULL AND {code}_yoy IS NOT NULL)"
    return f"(CAST(sum({code}) {both} AS DOUBLE) / nullif(sum({code}_yoy) {both}, 0) - 1) * 100"


def _all(*codes: str) -> str:
    return f"FILTER ({' AND '.join(f'{c} IS NOT NULL' for c in codes)})"


_MARGIN = _all("F13", "F01", "F13_yoy", "F01_yoy")
_LOSS = _all("F13", "F13_yoy")
_ENERGY = _all("L01", "O01", "L01_yoy", "O01_yoy")
_DEBT = _all("F22", "F25")
# indicator → (roster, figure); W08 and W09 need last year's quarter, which is not on file
VALUES = {
    "W01": ("firms", _growth("F01")),
    "W02": ("firms", _growth("O01")),
    "W03": ("firms", f"(sum(F13) {_MARGIN} / CAST(sum(F01) {_MARGIN} AS DOUBLE) - sum(F13_yoy) {_MARGIN} / CAST(sum(F01_yoy) {_MARGIN} AS DOUBLE)) * 100"),
    "W04": ("firms", f"(count(CASE WHEN F13 < 0 THEN 1 END) {_LOSS} - count(CASE WHEN F13_yoy < 0 THEN 1 END) {_LOSS}) * 100.0 / count(*) {_LOSS}"),
    "W05": ("firms", _growth("P01")),
    "W06": ("firms", _growth("V01")),
    "W07": ("firms", _growth("O12")),
    "W10": ("firms", f"sum(F25) {_DEBT} / CAST(sum(F22) {_DEBT} AS DOUBLE) * 100"),
    "W11": ("firms", f"(sum(L01) {_ENERGY} / CAST(sum(O01) {_ENERGY} AS DOUBLE) / (sum(L01_yoy) {_ENERGY} / CAST(sum(O01_yoy) {_ENERGY} AS DOUBLE)) - 1) * 100"),
    "W12": ("effective.projects", f"sum(J06) {_all('J05', 'J06')} / CAST(sum(J05) {_all('J05', 'J06')} AS DOUBLE) * 100"),
    "W13": ("effective.projects", "count(*) FILTER (J03 IS NOT NULL AND CAST(J08 AS INT) = 1) * 100.0 / nullif(count(J03), 0)"),
}  # fmt: skip
# blue, yellow, orange, red; below (True) or above
BOUNDS = {
    "W01": (True, 5, 0, -5, -10), "W02": (True, 5, 0, -5, -10), "W03": (True, -0.5, -1, -2, -4), "W04": (False, 3, 5, 8, 12),
    "W05": (True, 0, -3, -6, -10), "W06": (True, 0, -10, -20, -30), "W07": (True, 0, -10, -20, -30), "W10": (False, 60, 65, 70, 80),
    "W11": (False, 0, 3, 6, 10), "W12": (True, 90, 80, 65, 50), "W13": (True, 80, 70, 60, 50), "W14": (True, 100, 98, 95, 90),
    "W15": (True, 0, -5, -10, -20), "W16": (False, 30, 50, 70, 90),
}  # fmt: skip


# the units behind a warning: the most that stand, with a figure other than zero, behind one of its sums
BEHIND = {
    "W01": ("F01", "F01_yoy"), "W02": ("O01", "O01_yoy"), "W03": ("F01", "F13"), "W05": ("P01", "P01_yoy"), "W06": ("V01", "V01_yoy"),
    "W07": ("O12", "O12_yoy"), "W10": ("F22", "F25"), "W11": ("L01", "L01_yoy"), "W12": ("J05", "J06"),
}  # fmt: skip
COUNTED = {"W04": "count(F13)", "W13": "count(J03)"}
FEWEST = 10


class Told(NamedTuple):
    """A warning: value, and the units behind it where their number counts."""

    value: float | None
    units: int


def readings(con: duckdb.DuckDBPyConnection, parks: Sequence[str], quarter: str) -> dict[str, Told]:
    """The warnings by formula and W16 of some parks together in one quarter."""
    found = {}
    for code, (roster, sql) in VALUES.items():
        sizes = [f"count(CASE WHEN {c} <> 0 THEN 1 END)" for c in BEHIND.get(code, ())] or [COUNTED[code]]
        row = con.execute(
            f"SELECT {sql}, greatest({', '.join(sizes)}) FROM {roster} WHERE period = ? AND park IN (SELECT unnest(?))",
            [quarter, list(parks)],
        ).fetchone()
        assert row is not None
        found[code] = Told(None if row[0] is None else float(row[0]), row[1])
    found["W16"] = _leader(con, parks, quarter)
    return found


def _leader(con: duckdb.DuckDBPyConnection, parks: Sequence[str], quarter: str) -> Told:
    row = con.execute(
        """SELECT CAST(sum(F01 - F01_yoy) AS DOUBLE), CAST(sum(F01_yoy) AS DOUBLE), CAST(max(F01 - F01_yoy) AS DOUBLE),
        CAST(min(F01 - F01_yoy) AS DOUBLE), count(*) FROM firms WHERE F01 IS NOT NULL AND F01_yoy IS NOT NULL
        AND period = ? AND park IN (SELECT unnest(?))""",
        [quarter, list(parks)],
    ).fetchone()
    assert row is not None
    change, base, up, down, units = row
    if not units or abs(change) < abs(base) / 100 or change == 0:
        return Told(None, units)
    return Told((up if change > 0 else down) / change * 100, units)


def level(code: str, told: Told) -> int | None:
    """The worst bound the value breaks; a bound itself is not broken. None for a value of few units."""
    value = told.value
    if value is None or told.units < FEWEST:
        return None
    below, *bounds = BOUNDS[code]
    return sum((round(value, 9) < bound) if below else (round(value, 9) > bound) for bound in bounds)


def standing(levels: Sequence[int | None]) -> int | None:
    """The level that stands in the last of some quarters: raised after two at it or above, lifted after two within bounds."""
    stood, calm = 0, 2
    told: int | None = None
    for n, now in enumerate(levels):
        if now is None:
            told, calm = None, 0
            continue
        calm = calm + 1 if now == 0 else 0
        before = levels[n - 1] if n else None
        if now == 0 and stood and calm < 2:
            told = stood
            continue
        told = now
        if now and before:
            told = max(now, min(min(now, before) + 1, 4))
        stood = told
    return told


def whole(levels: dict[str, int | None]) -> tuple[int, float]:
    """Combined level and score: W01 and W02 count twice; any red makes the whole at least orange."""
    known = {code: found for code, found in levels.items() if found is not None}
    weights = {code: 2 if code in ("W01", "W02") else 1 for code in known}
    score = sum(weights[c] * known[c] for c in known) / sum(weights.values())
    reached = sum(round(score, 9) >= bound for bound in (0.5, 1.0, 2.0, 3.0))
    return max(reached, 3 if 4 in known.values() else 0), score


# ── clusters and leading industries ─────────────────────────────────────────────────────────────────────────────────
CLUSTERS = {
    "petrochemical": "left(B07, 2) IN ('25', '26')",
    "metals": "left(B07, 2) IN ('31', '32')",
    "equipment": "left(B07, 2) IN ('33', '34', '35', '36', '37', '38')",
    "drugs": "left(B07, 2) = '27'",
    "information": "left(B07, 2) = '39' OR letter = 'I'",
}


def cluster(
    con: duckdb.DuckDBPyConnection, test: str, parks: Sequence[str], everybody: Sequence[str]
) -> dict[str, float | None]:
    """Measure → value of one cluster in some parks, beside the area of ``everybody``."""
    query = f"""SELECT count(*) FILTER ({test}), CAST(sum(F01) FILTER ({test}) AS DOUBLE), CAST(sum(F01) AS DOUBLE),
        CAST(sum(F01) FILTER (({test}) AND F01_yoy IS NOT NULL) AS DOUBLE), CAST(sum(F01_yoy) FILTER (({test}) AND F01 IS NOT NULL) AS DOUBLE),
        CAST(sum(F01) FILTER (F01_yoy IS NOT NULL) AS DOUBLE), CAST(sum(F01_yoy) FILTER (F01 IS NOT NULL) AS DOUBLE)
        FROM firms WHERE F01 IS NOT NULL AND period = '2015-Q2' AND park IN (SELECT unnest(?))"""
    units, level_, all_, now, base, now_all, base_all = con.execute(query, [list(parks)]).fetchone() or ()
    if not units:
        return {}
    wide = con.execute(query, [list(everybody)]).fetchone()
    assert wide is not None
    sizes = con.execute(
        f"SELECT CAST(F01 AS DOUBLE) FROM firms WHERE ({test}) AND period = '2015-Q2' AND park IN (SELECT unnest(?)) ORDER BY 1 DESC", [list(parks)]
    ).fetchall()  # fmt: skip
    shares = [size / level_ * 100 for (size,) in sizes if size is not None]
    return {
        "cluster_units": units,
        "cumulative": level_,
        "share": level_ / all_ * 100,
        "location_quotient": (level_ / all_) / (wide[1] / wide[2]),
        "growth_restated": (now / base - 1) * 100,
        "contribution_points": (now - base) / base_all * 100,
        "contribution_rate": (now - base) / (now_all - base_all) * 100,
        "concentration_cr1": shares[0],
        "concentration_cr4": sum(shares[:4]),
        "concentration_hhi": sum(s * s for s in shares),
    }


# ── revisions: fourth quarter against the year ──────────────────────────────────────────────────────────────────────
def revisions(con: duckdb.DuckDBPyConnection, code: str, form: str, parks: Sequence[str]) -> dict[str, Any]:
    """Preliminary figure, final figure and revision of one enterprise indicator."""
    zero = f'coalesce(a."{code}", CASE WHEN NOT CAST(left(b.B07, 2) AS INT) BETWEEN 6 AND 46 THEN 0 END)'
    figure = zero if code == "O01" else f'a."{code}"'
    early, final = (
        con.execute(
            f"""SELECT CAST(sum({figure}) AS DOUBLE) FROM {schema}.basic b LEFT JOIN {schema}.{form} a
            ON a.unit_id = b.unit_id AND a.period = b.period WHERE b.period = ? AND b.park IN (SELECT unnest(?))""",
            [period, list(parks)],
        ).fetchall()[0][0]
        for schema, period in (("effective", "2014-Q4"), ("in_force", "2014"))
    )
    known = early is not None and final is not None
    return {
        "preliminary": early,
        "final": final,
        "revision": final - early if known else None,
        "revision_pct": (final - early) / early * 100 if known and early > 0 else None,
    }


def mean_revision(percents: Sequence[float]) -> float:
    """Mean absolute revision of an area."""
    return statistics.fmean(abs(p) for p in percents)


def areas(parks: Sequence[str]) -> list[tuple[str, list[str]]]:
    """(area, its parks): the whole and every park."""
    return [(AREA, list(parks)), *((p, [p]) for p in parks)]


# ── ratios, shares and contributions of the quarter ──────────────────────────────────────────────────────────────────
def _same_units(above: str, below: str, scale: str) -> tuple[str, str]:
    """(now, a year earlier) of a ratio over the units that report both sides."""

    def one(suffix: str) -> str:
        top, bottom = f"{above}{suffix}", f"{below}{suffix}"
        both = f"FILTER ({top} IS NOT NULL AND {bottom} IS NOT NULL)"
        return f"CAST(sum({top}) {both} AS DOUBLE) / nullif(sum({bottom}) {both}, 0) * {scale}"

    return one(""), one("_yoy")


RATIOS = {
    "M02.profit": _same_units("F13", "F01", "100"),
    "M02.cost": _same_units("F03", "F01", "100"),
    "M02.debt": _same_units("F25", "F22", "100"),
    "M02.tax": _same_units("F16", "F01", "100"),
    "M02.export": _same_units("O12", "F01", "100"),
    "M02.energy": _same_units("L01", "O01", "10"),
    "M02.loss": (
        "count(CASE WHEN F13 < 0 THEN 1 END) * 100.0 / nullif(count(F13), 0)",
        "count(CASE WHEN F13_yoy < 0 THEN 1 END) * 100.0 / nullif(count(F13_yoy), 0)",
    ),
}


def ratios(
    con: duckdb.DuckDBPyConnection, parks: Sequence[str], letter: str | None
) -> dict[tuple[str, str], float | None]:
    """(indicator, measure) → value for some parks together, or for one industry section of them."""
    found: dict[tuple[str, str], float | None] = {}
    for code, (now, earlier) in RATIOS.items():
        row = con.execute(
            f"SELECT {now}, {earlier} FROM firms WHERE period = '2015-Q2' AND park IN (SELECT unnest(?)) AND (? IS NULL OR letter = ?)",
            [list(parks), letter, letter],
        ).fetchone()
        assert row is not None
        found[code, "ratio"], found[code, "ratio_year_earlier"] = row
        found[code, "ratio_change"] = None if None in row else row[0] - row[1]
    return found


def parts_of_growth(con: duckdb.DuckDBPyConnection, code: str, parks: Sequence[str]) -> dict[tuple[str, str], float]:
    """(section, measure) → share of the total, pull in points, contribution rate, of one indicator of some parks."""
    rows = con.execute(
        f"""SELECT letter, CAST(sum({code}) AS DOUBLE), CAST(sum({code}) FILTER ({code}_yoy IS NOT NULL) AS DOUBLE),
        CAST(sum({code}_yoy) FILTER ({code} IS NOT NULL) AS DOUBLE) FROM firms
        WHERE period = '2015-Q2' AND park IN (SELECT unnest(?)) GROUP BY letter HAVING sum({code}) IS NOT NULL""",
        [list(parks)],
    ).fetchall()
    level, now, base = (sum(r[n] or 0.0 for r in rows) for n in (1, 2, 3))
    found = {}
    for letter, own, own_now, own_base in rows:
        found[letter, "share"] = own / level * 100
        found[letter, "contribution_points"] = (own_now - own_base) / base * 100
        if abs(now - base) >= 0.01 * base:
            found[letter, "contribution_rate"] = (own_now - own_base) / (now - base) * 100
    return found
