"""Merged and split units continue: by hand, as identities on any roster, and computed a second time by plain SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.areas import areas_of
from pipelines.methods.monitoring import monitoring_figures
from pipelines.methods.monitoring_perimeter import effects, monitoring_perimeter
from pipelines.methods.monitoring_sides import SUCCESSIONS, MonitoringRound, sides_of
from pipelines.methods.product import Product
from pipelines.methods.successions import linked_units, shared, went_into
from schemas.catalog import programme
from schemas.environment import environment_for
from schemas.period import Period
from schemas.period_data import PeriodData

PROGRAMME = programme()
ROSTER = dict.fromkeys(("unit_id", "park", "B07", "B10", "answer_status"), pl.String) | {
    "weight": pl.Float64, "imputed": pl.Boolean, "F01": pl.Int64, "F01_yoy": pl.Int64,
}  # fmt: skip
SPRING = date(2016, 5, 1)


def quarter(period: str, rows: list[dict[str, Any]]) -> PeriodData:
    plain = {"park": "LBXQ", "B07": "2710", "B10": "3", "answer_status": "0", "weight": 1.0, "imputed": False}
    frame = pl.DataFrame([{**dict.fromkeys(ROSTER), **plain, **r} for r in rows], schema=ROSTER, orient="row")
    return PeriodData(Period.parse(period), {"enterprise": frame}, pl.DataFrame(schema={"park": pl.String}))


def links(*pairs: tuple[str, str], day: date = SPRING) -> pl.DataFrame:
    return pl.DataFrame([(day, *pair) for pair in pairs], schema=SUCCESSIONS, orient="row")


def told(product: Product, area: str) -> dict[str, Any]:
    found = product.cells.filter(area=area, indicator="F01", breakdown="total", category="T")
    return dict(found.select("measure", "value").iter_rows())


def causes(product: Product, table: str, area: str, *, units: bool = False) -> dict[str, float]:
    found = product.cells.filter(table=table, area=area, indicator="F01")
    rows = found.filter(pl.col("measure").str.ends_with("_units") == units)
    return {m.removesuffix("_units"): v for m, v in rows.select("measure", "value").iter_rows() if v}


def computed(
    now: list[dict[str, Any]], then: list[dict[str, Any]], linked: pl.DataFrame
) -> tuple[Product, Product, MonitoringRound]:
    """Figures and perimeter of 2016-Q2, the same units a year and a quarter earlier."""
    year, last = quarter("2015-Q2", then), quarter("2016-Q1", then)
    round_ = MonitoringRound(quarter("2016-Q2", now), last, last, year, year, successions=linked)
    return monitoring_figures(round_, PROGRAMME), monitoring_perimeter(round_, PROGRAMME), round_


def test_a_merger_within_a_park_is_continuing_activity() -> None:
    then = [{"unit_id": "a", "F01": 100}, {"unit_id": "b", "F01": 50}, {"unit_id": "x", "F01": 10}]
    now = [{"unit_id": "c", "F01": 165}, {"unit_id": "x", "F01": 11}]
    figures, perimeter, _ = computed(now, then, links(("a", "c"), ("b", "c")))
    # c 165 after 100 + 50, x 11 after 10: 176 after 160, in growth of the matched as in the whole
    cells = told(figures, "LBXQ")
    assert cells["growth_matched"] == cells["growth_nominal"] == pytest.approx(10.0)
    assert cells["year_earlier_matched"] == 160 and cells["discrete_quarter"] == 16 and not cells.get("perimeter")
    for table in ("quarter", "year"):
        assert causes(perimeter, table, "LBXQ") == {"continuing": 16}
        assert causes(perimeter, table, "LBXQ", units=True) == {"continuing": 2}
    # without the record: c enters, a and b leave
    _, unknown, _ = computed(now, then, links())
    assert causes(unknown, "year", "LBXQ") == {"continuing": 1, "entry": 165, "exit": -150}


def test_what_an_unchanged_figure_of_the_year_before_is_restated_to() -> None:
    """b takes a over. The blank 上年同期 was filled with b's own 50: no restatement; 150 stated by b itself stands."""
    then = [{"unit_id": "a", "F01": 100}, {"unit_id": "b", "F01": 50}]
    taken = links(("a", "b"), ("b", "b"))
    for stated, base in ((50, 150), (None, 150), (140, 140)):
        figures, _, _ = computed([{"unit_id": "b", "F01": 165, "F01_yoy": stated}], then, taken)
        cells = told(figures, "LBXQ")
        assert (cells["year_earlier_restated"], cells["year_earlier_matched"]) == (base, 150)


def test_a_predecessor_from_another_park_brings_its_figure_along() -> None:
    stays = {"unit_id": "z", "F01": 0, "park": "LBGX"}
    then = [{"unit_id": "a", "F01": 100}, {"unit_id": "b", "F01": 50, "park": "LBGX"}, stays]
    _, perimeter, _ = computed([{"unit_id": "c", "F01": 165}, stays], then, links(("a", "c"), ("b", "c")))
    assert causes(perimeter, "year", "LBXQ") == {"moved_in": 50, "continuing": 15}  # 165 − 100 = 65
    assert causes(perimeter, "year", "LBGX") == {"moved_out": -50}
    assert causes(perimeter, "year", "LBSYQ") == {"continuing": 15}  # all within the area


def test_a_part_that_is_split_off_to_another_park_leaves_with_its_share() -> None:
    then = [{"unit_id": "a", "F01": 100}]
    now = [{"unit_id": "d", "F01": 66}, {"unit_id": "e", "F01": 44, "park": "LBGX"}]
    figures, perimeter, _ = computed(now, then, links(("a", "d"), ("a", "e")))
    # 100 in proportion to 66 and 44: 60 and 40
    assert causes(perimeter, "year", "LBXQ") == {"moved_out": -40, "continuing": 6}
    assert causes(perimeter, "year", "LBGX") == {"moved_in": 40, "continuing": 4}
    assert causes(perimeter, "year", "LBSYQ") == {"continuing": 10}
    assert told(figures, "LBXQ")["growth_matched"] == told(figures, "LBSYQ")["growth_matched"] == pytest.approx(10.0)


def test_a_group_that_did_not_answer_as_a_whole_is_not_compared() -> None:
    then = [{"unit_id": "a", "F01": 100}, {"unit_id": "x", "F01": 10}]
    now = [{"unit_id": "a", "F01": 60}, {"unit_id": "d", "answer_status": "2"}, {"unit_id": "x", "F01": 11}]
    figures, perimeter, _ = computed(now, then, links(("a", "a"), ("a", "d")))
    cells = told(figures, "LBXQ")
    assert cells["growth_matched"] == pytest.approx(10.0) and cells["year_earlier_matched"] == 10
    assert causes(perimeter, "year", "LBXQ") == {"continuing": 1, "restructured": -40}
    assert cells["perimeter"] == -40 == causes(perimeter, "quarter", "LBXQ")["restructured"]


def test_only_what_happened_between_the_two_periods_links_units() -> None:
    at = links(("a", "c"), day=date(2015, 6, 30)), links(("a", "c"), day=date(2015, 7, 1)), links(("a", "c"), day=date(2016, 7, 1))  # fmt: skip
    found = [linked_units(frame, Period.parse("2015-Q2"), Period.parse("2016-Q2")) for frame in at]
    assert found == [{}, {"a": "a", "c": "a"}, {}]
    chain = pl.concat([links(("b", "c")), links(("a", "b")), links(("d", "e"))])
    assert linked_units(chain, Period.parse("2015-Q2"), Period.parse("2016-Q2")) == {
        "a": "a", "b": "a", "c": "a", "d": "d", "e": "d",
    }  # fmt: skip


def test_a_figure_passes_only_to_what_its_unit_went_into() -> None:
    """a merges into c; d splits into c and e, elsewhere: a's 100 is none of e's; d's 60 stands 2 : 1 in c and e."""
    then = [{"unit_id": "a", "F01": 100}, {"unit_id": "d", "F01": 60}]
    now = [{"unit_id": "c", "F01": 120}, {"unit_id": "e", "F01": 60, "park": "LBGX"}]
    _, perimeter, _ = computed(now, then, links(("a", "c"), ("d", "c"), ("d", "e")))
    assert causes(perimeter, "year", "LBXQ") == {"moved_out": -20, "continuing": -20}  # 120 after 100 + 40
    assert causes(perimeter, "year", "LBGX") == {"moved_in": 20, "continuing": 40}
    chain = pl.concat([links(("b", "c")), links(("a", "b")), links(("c", "c"))])
    found = went_into(chain, Period.parse("2015-Q2"), Period.parse("2016-Q2"))
    assert found == {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset("c")}


@given(st.integers(-(10**12), 10**12), st.dictionaries(st.sampled_from("abcde"), st.integers(-9, 10**9), min_size=1))
def test_shares_are_whole_and_sum_to_what_is_shared(amount: int, heirs: dict[str, int]) -> None:
    parts = shared(amount, heirs)
    assert sum(parts.values()) == amount and parts.keys() == heirs.keys()
    if min(heirs.values()) >= 0 and sum(heirs.values()):
        assert all(abs(parts[u] - amount * w / sum(heirs.values())) < 1.001 for u, w in heirs.items())


UNITS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.sampled_from(["LBXQ", "LBGX"]), st.none() | st.integers(0, 99)),
    min_size=1,
)
# what a second person would write: components by recursion, whole groups only, no shares, so areas that hold the whole group
PLAIN_SQL = """
WITH RECURSIVE edges AS (SELECT p AS u, s AS v FROM link UNION SELECT s, p FROM link),
reach AS (SELECT u, u AS v FROM edges UNION SELECT r.u, e.v FROM reach r JOIN edges e ON e.u = r.v),
member AS (SELECT u AS unit, min(v) AS g FROM reach GROUP BY u),
keyed AS (
    SELECT 'now' AS side, coalesce(g, t.unit) AS g, amount FROM t_now t LEFT JOIN member USING (unit)
    UNION ALL SELECT 'then', coalesce(g, t.unit), amount FROM t_then t LEFT JOIN member USING (unit)),
grouped AS (
    SELECT g, sum(amount) FILTER (side = 'now') AS n, sum(amount) FILTER (side = 'then') AS b,
        bool_or(amount IS NULL) AS open FROM keyed GROUP BY g)
SELECT coalesce(sum(n) FILTER (NOT open AND n IS NOT NULL AND b IS NOT NULL), 0),
    coalesce(sum(b) FILTER (NOT open AND n IS NOT NULL AND b IS NOT NULL), 0),
    coalesce(sum(n), 0) - coalesce(sum(b), 0) FROM grouped
"""


@settings(max_examples=8, deadline=None)
@given(UNITS, UNITS, st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=4))
def test_parts_sum_to_the_change_in_every_area_and_agree_with_plain_sql(
    now: dict[str, tuple[str, int | None]], then: dict[str, tuple[str, int | None]], pairs: list[tuple[str, str]]
) -> None:
    this, last = (
        quarter(p, [{"unit_id": u, "park": park, "F01": v} for u, (park, v) in side.items()])
        for p, side in (("2016-Q2", now), ("2016-Q1", then))
    )
    year = replace(last, period=Period.parse("2015-Q2"))
    round_ = MonitoringRound(this, last, last, year, year, successions=links(*pairs))
    edition = PROGRAMME.edition_for(this.period)
    env = environment_for(PROGRAMME, this.period)
    sides = sides_of(round_, edition, env, {"enterprise": (edition.indicators["F01"],)})
    areas = areas_of(PROGRAMME.codelists["parks"].valid(this.period.end))
    found: dict[tuple[str, str], dict[str, int]] = {}
    for table, (term, before) in {"quarter": ("previous", last), "year": ("published", year)}.items():
        handed = sides.compared[term]
        chosen = [areas[a] for a in ("LBSYQ", "LBXQ", "LBGX")]
        rows = effects(sides.units, handed.amounts, this, before, chosen, handed.apart)
        for area, cause, amount in rows.select("area", "cause", "amount").iter_rows():
            found.setdefault((table, area), {})[cause] = amount
    for area, parks in (("LBXQ", ["LBXQ"]), ("LBGX", ["LBGX"]), ("LBSYQ", ["LBXQ", "LBGX"])):
        change = sum(v or 0 for p, v in now.values() if p in parks) - sum(
            v or 0 for p, v in then.values() if p in parks
        )
        assert sum(found.get(("year", area), {}).values()) == change == sum(found.get(("quarter", area), {}).values())
        inside = sides.units.filter(pl.col("park").is_in(parks))
        discrete = inside.filter(pl.col("before").is_not_null()).select(pl.col("amount") - pl.col("before"))
        assert found.get(("quarter", area), {}).get("continuing", 0) == (discrete["amount"].sum() or 0)
        perimeter = sides.others["perimeter"].filter(pl.col("park").is_in(parks))["amount"].sum() or 0
        assert sum(v for c, v in found.get(("quarter", area), {}).items() if c != "continuing") == perimeter
    known = all(v is not None for side in (now, then) for _, v in side.values())
    for table in ("year", "quarter") if known else ():  # what leaves one park for another comes there
        zones = [found.get((table, a), {}) for a in ("LBXQ", "LBGX")]
        assert sum(z.get(c, 0) for z in zones for c in ("moved_in", "moved_out")) == 0
        assert sum(z.get("continuing", 0) for z in zones) == found.get((table, "LBSYQ"), {}).get("continuing", 0)
    with duckdb.connect() as con:
        con.execute("CREATE TABLE link (p VARCHAR, s VARCHAR); CREATE TABLE t_now (unit VARCHAR, amount BIGINT); CREATE TABLE t_then (unit VARCHAR, amount BIGINT)")  # fmt: skip
        for name, values in (("link", pairs), ("t_now", [(u, v) for u, (_, v) in now.items()]), ("t_then", [(u, v) for u, (_, v) in then.items()])):  # fmt: skip
            if values:
                con.executemany(f"INSERT INTO {name} VALUES (?, ?)", values)
        ((matched, matched_base, whole),) = con.sql(PLAIN_SQL).fetchall()
    pairs_of = sides.units.filter(pl.col("amount").is_not_null() & pl.col("accepted").is_not_null())
    assert (pairs_of["amount"].sum() or 0, pairs_of["accepted"].sum() or 0) == (matched, matched_base)
    assert found.get(("year", "LBSYQ"), {}).get("continuing", 0) == matched - matched_base
    assert sum(found.get(("year", "LBSYQ"), {}).values()) == whole
