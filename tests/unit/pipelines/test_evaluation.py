"""Evaluation schemes: what is shipped, a published efficacy coefficient, and small classes worked by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.areas import Area
from pipelines.methods.disclosure.rules import Rules
from pipelines.methods.evaluation import SUBJECT_COLUMNS, VALUE_COLUMNS, Evaluated, evaluate, full_share, standings
from pipelines.methods.evaluation_cells import evaluation_product
from pipelines.methods.evaluation_disclosure import sensitive, with_sums_kept_back
from pipelines.methods.evaluation_doubts import DOUBT_COLUMNS, doubted
from pipelines.methods.evaluation_scheme import Scheme, parse_scheme
from pipelines.methods.evaluation_units import unit_cells
from pipelines.methods.index.definition import Leaf
from pipelines.methods.index.normalise import Reference, normalised
from pipelines.methods.index.steps import Step
from pipelines.methods.target_progress import is_about
from pipelines.methods.target_scores import target_scores
from pipelines.scoring import score
from schemas.catalog import programme
from schemas.definitions import Definition, read_toml
from schemas.dictionary import mart_list
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.marts import MARTS, PUBLISHED_MARTS
from schemas.period import Period
from schemas.period_data import PeriodData

EDITION = programme().editions["2015"]
SCHEMES = {name: parse_scheme(definition) for name, definition in EDITION.schemes.items()}

HEAD = """
id = "s"
title = "评价"
[subject]
kind = "zone"
class_name = "甲类"
years = 2
draws = 200
seed = 3
[ranking]
within = "class"
minimum_class_size = 5
[data]
class = "class"
[grades]
minimum_coverage = 0.8
[[grades.grade]]
name = "优秀"
at_least = 90
[[grades.grade]]
name = "合格"
at_least = 60
[[grades.grade]]
name = "差"
at_least = 0
"""
TWO = (
    HEAD
    + """
[uncertainty]
weights = "share"
errors = { E = 0.1 }
[[group]]
id = "T"
aggregation = { method = "arithmetic", MISSING }
[[group]]
id = "D1"
parent = "T"
weight = 60
[[group]]
id = "D2"
parent = "T"
weight = 40
[[indicator]]
id = "a"
parent = "D1"
weight = 1
formula = "SUM(R04)/SUM(F01)*100"
normalisation = { method = "efficacy", worst = 0, best = 10 }
[[indicator]]
id = "b"
parent = "D2"
weight = 1
provided = true
normalisation = { method = "efficacy", worst = 0, best = 10 }
"""
)


def scheme(text: str = TWO, missing: str = "minimum_coverage = 0.5") -> Scheme:
    text = text.replace("MISSING", missing)
    return parse_scheme(Definition(Path("x/index/s.toml"), text, tomllib.loads(text)))


def evaluated(
    own: Scheme, rows: list[tuple[str, int, str, float | None]], classes: dict[str, str] | None = None, error: str = "A"
) -> Evaluated:
    values = pl.DataFrame([(*row, "A", "", error) for row in rows], schema=VALUE_COLUMNS, orient="row")
    pairs = sorted({(unit, year) for unit, year, _, _ in rows})
    named = classes or {}
    subjects = pl.DataFrame(
        [(unit, year, unit, named.get(f"{unit}{year}", "甲类")) for unit, year in pairs],
        schema=SUBJECT_COLUMNS,
        orient="row",
    )
    found = evaluate(own, values, subjects)
    assert found is not None
    return found


def test_the_published_efficacy_coefficient_is_reproduced() -> None:
    # examination question on 功效系数法: total-asset contribution 5.81 %, satisfactory 12 %, not permitted 6 % → 58.73
    step = Step("efficacy", {"worst": 6, "best": 12})
    leaf = Leaf("r", "r", "T", "r", "%", 1, 1.0, "", 1.0, Step("none"), Step("none"), step)
    assert normalised(np.array([5.81]), leaf, Reference(("",))).values[0] == pytest.approx(58.73, abs=0.005)


# -- what is shipped ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SCHEMES)
def test_every_shipped_scheme_says_where_each_figure_comes_from(name: str) -> None:
    own = SCHEMES[name]
    for item in EDITION.schemes[name].data["indicator"]:
        assert ("formula" in item) != bool(item.get("provided"))
        assert item.get("weight_source") or item["id"] == "M0"
    assert own.is_internal == (own.purpose in ("reference", "points"))


def test_the_national_scheme_has_official_first_level_weights_and_says_which_others_are_ours() -> None:
    data = EDITION.schemes["national_2021"].data
    first = [g for g in data["group"] if g.get("parent") == "T"]
    assert [(g["weight"], g["weight_source"]) for g in first] == [(w, "official") for w in (20, 20, 15, 15, 30)]
    assert len(data["indicator"]) == 46
    official = {i["id"]: i["weight"] for i in data["indicator"] if i["weight_source"] == "official"}
    assert official == {"N1.1": 0.8, "N1.2": 1.2}
    qualitative = [i["id"] for i in data["indicator"] if "定性" in i.get("note", "")]
    assert qualitative == ["N1.10", "N2.10", "N3.9", "N5.9", "N5.10"]


def test_the_eleven_items_weigh_one_hundred_and_keep_the_weight_of_missing_ones() -> None:
    items = [g for g in EDITION.schemes["qinghai_eleven"].data["group"] if g.get("parent") == "T"]
    assert [g["weight"] for g in items] == [15, 5, 12, 12, 12, 8, 8, 7, 7, 8, 6]
    assert SCHEMES["qinghai_eleven"].shows_missing


def test_the_evaluation_takes_the_indicators_of_the_development_index_and_none_by_growth() -> None:
    parks, development = EDITION.schemes["parks"].data, EDITION.indexes["development"]
    assert [(i["id"], i["formula"], i["weight"]) for i in parks["indicator"]] == [
        (i.id, i.formula, i.weight) for i in development.indicators
    ]
    assert {leaf.normalisation.method for leaf in SCHEMES["parks"].system.leaves} == {"efficacy"}


def test_internal_marts_are_in_no_dictionary_of_a_release() -> None:
    assert MARTS.keys() - PUBLISHED_MARTS.keys() == {
        "evaluation_reference", "evaluation_units", "monitoring_estimates", "monitoring_series", "monitoring_diagnosis",
        "monitoring_clusters", "monitoring_imputations", "monitoring_perimeter", "projects_risks", "records_reconciliation", "targets_lists",
    }  # fmt: skip
    assert set(mart_list()["mart"]) == set(PUBLISHED_MARTS)


def test_a_scheme_of_enterprises_cannot_be_made_public() -> None:
    definition = EDITION.schemes["innovation_points"]
    with pytest.raises(DefinitionError, match="个体数据"):
        parse_scheme(Definition(definition.path, definition.text, {**definition.data, "internal": False}))


def test_a_shipped_scheme_scores_any_table_by_the_command(tmp_path: Path) -> None:
    columns = [leaf.id for leaf in SCHEMES["land"].system.leaves]
    rows = [
        ["A", "甲", "甲类", "2016", "320", "75", "30", "150", "2.0", "100"],
        ["B", "乙", "甲类", "2016", "100", "20", "5", "400", "", ""],
    ]
    text = "\n".join(",".join(r) for r in [["unit", "name", "class", "year", *columns], *rows])
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    found = score(EDITION.schemes["land"].path, tmp_path / "d.csv", out=tmp_path / "o")
    # the second has every worst value (60) and no figure for half of item 3 and for item 4: 25·60 + 40·60 + 12.5·60
    assert [row["score"] for row in found.ranking] == [100.0, 46.5]


# -- small tables -----------------------------------------------------------------------------------------------------------
SIX = [("P1", 10.0), ("P2", 8.0), ("P3", 8.0), ("P4", 5.0), ("P5", 2.0)]


def two_years(missing: str = "minimum_coverage = 0.5") -> Evaluated:
    now = [(u, 2016, i, v) for u, v in SIX for i in ("a", "b")]
    before = [
        (u, 2015, i, v)
        for u, v in zip(("P5", "P1", "P2", "P3", "P4"), (9.0, 7, 6, 5, 4), strict=True)
        for i in ("a", "b")
    ]
    return evaluated(scheme(missing=missing), [*now, *before])


def test_ranks_ties_and_progress_against_last_year() -> None:
    found = {s.unit: s for s in standings(two_years())}
    assert {u: s.rank for u, s in found.items()} == {"P1": 1, "P2": 2, "P3": 2, "P4": 4, "P5": 5}
    assert {u: s.rank_change for u, s in found.items()} == {"P1": 1, "P2": 1, "P3": 2, "P4": 1, "P5": -4}
    assert found["P1"].score == pytest.approx(100.0)
    assert found["P5"].score == pytest.approx(60 + 0.2 * 40)  # 2 of 10 above the not permitted 60
    assert [found[u].grade_note for u in ("P1", "P4", "P5")] == ["优秀", "合格", "合格"]


def test_a_class_of_four_has_grades_and_no_ranks() -> None:
    rows = [(u, 2016, i, v) for u, v in SIX[:4] for i in ("a", "b")]
    found = standings(evaluated(scheme(), rows))
    assert {(s.rank, s.class_size) for s in found} == {(None, 4)}
    assert all(s.grade > 0 for s in found)


def test_a_unit_without_a_score_does_not_make_a_class_large_enough() -> None:
    rows = [(u, 2016, i, v) for u, v in SIX[:4] for i in ("a", "b")] + [("P9", 2016, "b", 1.0)]
    own = scheme(missing="minimum_coverage = 0.9")
    found = {s.unit: s for s in standings(evaluated(own, rows))}
    assert found["P9"].score is None and found["P9"].grade_note == "没有得分,不定等级。"
    assert found["P1"].rank is None and found["P1"].class_size == 4


def test_a_change_of_class_gives_no_progress() -> None:
    now = [(u, 2016, i, v) for u, v in SIX for i in ("a", "b")]
    before = [(u, 2015, i, v) for u, v in SIX for i in ("a", "b")]
    others = [(f"Q{n}", y, i, 1.0 * n) for n in range(5) for y in (2015, 2016) for i in ("a", "b")]
    classes = {f"Q{n}{y}": "乙类" for n in range(5) for y in (2015, 2016)} | {"P12015": "乙类"}
    found = {s.unit: s for s in standings(evaluated(scheme(), [*now, *before, *others], classes))}
    assert found["P1"].rank == 1 and found["P1"].rank_before == 1 and found["P1"].rank_change is None
    assert found["P2"].rank_change is None  # four were left in its class last year


def test_missing_items_keep_their_weight_and_are_named() -> None:
    rows = [(u, 2016, "a", v) for u, v in SIX] + [(u, 2016, "b", v) for u, v in SIX[1:]]
    found = evaluated(scheme(missing='missing = "base"'), rows)
    first = standings(found)[0]
    assert first.score == pytest.approx(60.0)  # full marks in 60 of 100, nothing for the rest
    assert full_share(found.scheme, found.latest)[0] == pytest.approx(0.6)
    assert first.grade == 0 and "60%" in first.grade_note


def test_a_veto_holds_the_grade_down_and_its_absence_is_said() -> None:
    text = TWO + '\n[[grades.veto]]\nindicator = "b"\nabove = 9.5\nat_most = "合格"\nreason = "事故"\n'
    own = scheme(text)
    found = {s.unit: s for s in standings(evaluated(own, [(u, 2016, i, v) for u, v in SIX for i in ("a", "b")]))}
    assert found["P1"].grade_note == "合格;事故,不高于合格"
    alone = standings(evaluated(own, [(u, 2016, "a", v) for u, v in SIX]))
    assert alone[0].grade == 0  # 60 % of the weight is too little for a grade


def test_rank_intervals_hold_the_rank_and_come_again_with_the_same_seed() -> None:
    one, other = two_years(), two_years()
    assert one.spread is not None and other.spread is not None
    for s, low, high in zip(standings(one), one.spread.rank_low, one.spread.rank_high, strict=True):
        assert s.rank is not None and low <= s.rank <= high
    assert np.array_equal(one.spread.score_low, other.spread.score_low)


def test_doubtful_figures_widen_the_intervals_and_change_no_score() -> None:
    rows = [(u, 2016, i, v) for u, v in SIX for i in ("a", "b")]
    own = scheme(TWO.replace('weights = "share"', 'weights = "none"'))
    sure, doubtful = evaluated(own, rows), evaluated(own, rows, error="E")
    assert [s.score for s in standings(sure)] == [s.score for s in standings(doubtful)]
    assert sure.spread is not None and doubtful.spread is not None
    assert (sure.spread.score_high - sure.spread.score_low == 0).all()
    assert (doubtful.spread.score_high - doubtful.spread.score_low > 0).all()


def test_a_value_is_doubtful_where_enough_units_are_and_by_the_gravest_kind() -> None:
    units = pl.DataFrame(
        [(f"u{n}", "P1", "S1" if n < 4 else "S2", n == 9) for n in range(20)],
        schema={"unit_id": pl.String, "park": pl.String, "sub_park": pl.String, "estimated": pl.Boolean}, orient="row",
    )  # fmt: skip
    rows = [("P1", 2016, "u1", "R04", "soft"), ("P1", 2015, "u2", "R04", "soft"), ("P2", 2016, "", "", "late")]
    doubts = pl.DataFrame(rows, schema=DOUBT_COLUMNS, orient="row")
    areas = {
        c: Area(c, c, c, k, z, "P1", (c,))
        for c, k, z in (("P1", "zone", ("P1",)), ("S1", "sub_park", ()), ("S2", "sub_park", ()))
    }
    read = {"rd": frozenset({"R04", "F01"}), "staff": frozenset({"P01"})}

    def found(share: float, *chosen: str) -> dict[tuple[str, str], str]:
        frame = doubted(units, doubts, 2016, read, areas, chosen, share)
        return {(a, i): e for a, i, e in frame.iter_rows()}

    assert found(0.05, "P1") == {("P1", "rd"): "E", ("P1", "staff"): "E"}  # one estimated of twenty
    assert found(0.06, "P1") == {("P1", "rd"): "A", ("P1", "staff"): "A"}
    assert found(0.25, "S1") == {("S1", "rd"): "soft", ("S1", "staff"): "A"}  # one of four explained
    late = pl.concat([doubts, pl.DataFrame([("P1", 2016, "", "", "late")], schema=DOUBT_COLUMNS, orient="row")])
    assert set(doubted(units, late, 2016, read, areas, ["S2"], 0.9)["error"]) == {"late"}


def test_incubators_are_scored_within_type_and_level_and_lists_hold_who_meets_the_condition() -> None:
    period = Period(2016)
    env = environment_for(programme(), period, edition=EDITION)
    incubators = pl.DataFrame(
        [("I1", "P1", "1", "2", 5000.0, 40, 6, 600), ("I2", "P1", "1", "2", None, 10, 0, 30)],
        schema={"unit_id": pl.String, "park": pl.String, "H03": pl.String, "H04": pl.String, "H05": pl.Float64,
                "H06": pl.Int64, "H08": pl.Int64, "H10": pl.Int64}, orient="row",
    )  # fmt: skip
    firms = pl.DataFrame(
        [("E1", "P1", 400_000, 30_000, "0"), ("E2", "P1", 400_000, 20_000, "0"), ("E3", "P1", 400_000, 30_000, "2"), ("E4", "P1", None, 30_000, "0")],
        schema={"unit_id": pl.String, "park": pl.String, "F01": pl.Int64, "R17": pl.Int64, "B24": pl.String}, orient="row",
    )  # fmt: skip
    parks = pl.DataFrame({"park": ["P1"], "park_name": ["一区"]})
    data = PeriodData(period, {"incubators": incubators, "enterprise": firms}, parks, pl.DataFrame())
    cells = unit_cells(SCHEMES["incubators"], data, env, EDITION)
    points = dict(cells.filter(measure="points").select("category", "value").iter_rows())
    # density 8 → 100, graduation 15 % → 100, jobs 15 → 100; without area and graduates: (0 + 52.3 + 60) / 3
    assert points["I1"] == pytest.approx(100.0)
    assert points["I2"] == pytest.approx((0 + (60 - 2 / 13 * 40) + 60) / 3)
    listed = unit_cells(SCHEMES["innovation_points"], data, env, EDITION).filter(measure="listed", indicator="listing")
    assert listed["category"].to_list() == [
        "E1"
    ]  # 7.5 % and 400 million; 5 % exactly is not above; listed already; unknown


# -- cells and disclosure ---------------------------------------------------------------------------------------------------
AREAS = {u: Area(u, f"{u}园区", u, "zone", (u,), u, (u,)) for u, _ in SIX}
RULES = Rules()
STATISTICS = {"area": pl.String, "year": pl.Int64, "indicator": pl.String, "part": pl.String, "role": pl.String, "n": pl.Int64,
              "max1": pl.Float64, "max2": pl.Float64, "total": pl.Float64, "administrative": pl.Boolean}  # fmt: skip


def parts(n: int) -> pl.DataFrame:
    rows = [(u, 2016, "a", "SUM(R04)", "numerator", n if u == "P1" else 9, 1.0, 1.0, 9.0, False) for u, _ in SIX]
    return pl.DataFrame(rows, schema=STATISTICS, orient="row")


def hide(cells: pl.DataFrame, area: str, *leaves: str) -> pl.DataFrame:
    """What disclosure control would do to the cells of some indicators."""
    mine = (pl.col("area") == area) & pl.col("indicator").is_in(leaves)
    return cells.with_columns(
        value=pl.when(mine).then(None).otherwise("value"), status=pl.when(mine).then(pl.lit("C")).otherwise("status")
    )


def hidden_in(cells: pl.DataFrame, area: str) -> set[tuple[str, str]]:
    return set(cells.filter(area=area, status="C").select("indicator", "measure").iter_rows())


def test_a_value_is_judged_by_its_parts_and_a_total_of_last_year_by_those_of_last_year() -> None:
    assert sensitive(parts(2), RULES) == {("P1", 2016, "a")}
    late = pl.concat([parts(9), parts(2).with_columns(year=pl.lit(2015, dtype=pl.Int64))])
    product = evaluation_product(two_years(), AREAS, late, RULES)
    told = product.parts.filter(~pl.col("administrative"), pl.col("n") == 2)["row_key"].to_list()
    assert {tuple(k.split("|")[3:]) for k in told} == {("T", "score_before"), ("T", "score_change")}


def test_a_hidden_indicator_takes_the_sums_that_would_give_it_away_along() -> None:
    found = two_years()
    cells = hide(evaluation_product(found, AREAS, parts(9), RULES).cells, "P1", "a")
    kept = with_sums_kept_back(cells, [found.scheme])
    told = hidden_in(kept, "P1")
    assert {("D1", "score"), ("T", "total"), ("T", "score_lower"), ("T", "score_upper"), ("T", "score_before")} <= told
    assert not {m for _, m in told} & {"rank", "rank_lower", "rank_upper", "grade", "rank_change", "class_size"}
    assert ("D2", "score") not in told
    assert hidden_in(kept, "P2") == set()
    assert kept.filter(status="C")["value"].null_count() == kept.filter(status="C").height


def test_nothing_is_kept_back_where_all_figures_may_be_shown() -> None:
    product = evaluation_product(two_years(), AREAS, parts(9), RULES)
    assert with_sums_kept_back(product.cells, [two_years().scheme]).equals(product.cells)


FOUR = (
    HEAD
    + '[[group]]\nid = "T"\n[[group]]\nid = "D1"\nparent = "T"\nweight = 1\n[[group]]\nid = "D2"\nparent = "T"\nweight = 2\n'
)


def four(weight: int, name: str = "s") -> Scheme:
    """Four indicators in two groups; in every scheme an indicator has the same formula and another weight."""
    text = FOUR.replace('id = "s"', f'id = "{name}"')
    for n, (leaf, group) in enumerate(zip("abcd", ("D1", "D1", "D2", "D2"), strict=True)):
        text += (
            f'[[indicator]]\nid = "{leaf}"\nparent = "{group}"\nweight = {n * weight + 1}\nformula = "SUM(R0{n + 1})"\n'
        )
        text += 'normalisation = { method = "efficacy", worst = 0, best = 10 }\n'
    return scheme(text)


def test_a_score_over_estimated_figures_is_marked_at_every_level() -> None:
    rows = [("P1", 2016, i, None if i == "b" else 5.0, "E" if i in "ab" else "A", "", "A") for i in "abcd"]
    subjects = pl.DataFrame([("P1", 2016, "P1", "甲类")], schema=SUBJECT_COLUMNS, orient="row")
    found = evaluate(four(1), pl.DataFrame(rows, schema=VALUE_COLUMNS, orient="row"), subjects)
    assert found is not None
    cells = evaluation_product(found, AREAS, parts(9), RULES).cells
    scores = cells.filter(pl.col("measure").is_in(["score", "total"]))
    told = dict(scores.select("indicator", "status").iter_rows())
    assert (told["a"], told["D1"], told["D2"], told["T"]) == ("E", "E", "A", "E")


def test_what_is_computed_from_scores_of_either_year_follows_their_status() -> None:
    """Last year P2's figures held an estimate, this year P1's: totals, changes, intervals and places within the class say so."""
    own = scheme(missing="minimum_coverage = 0.5")
    rows = [
        (u, y, i, v, "E" if (u, y, i) in {("P2", 2015, "a"), ("P1", 2016, "b")} else "A", "", "A")
        for y, more in ((2015, 1.0), (2016, 0.0))
        for u, v in ((u, float(v) / 2 + more) for u, v in SIX)
        for i in ("a", "b")
    ]
    pairs = sorted({(r[0], r[1]) for r in rows})
    subjects = pl.DataFrame([(u, y, u, "甲类") for u, y in pairs], schema=SUBJECT_COLUMNS, orient="row")
    found = evaluate(own, pl.DataFrame(rows, schema=VALUE_COLUMNS, orient="row"), subjects)
    assert found is not None
    cells = evaluation_product(found, AREAS, parts(9), RULES).cells.filter(pl.col("value").is_not_null())
    told = {(a, m): s for a, m, s in cells.filter(indicator="T").select("area", "measure", "status").iter_rows()}
    of_own = ("total", "score_lower", "score_upper", "grade")
    assert ({told["P1", m] for m in of_own}, {told["P2", m] for m in of_own}) == ({"E"}, {"A"})
    assert [told[u, "score_before"] for u in ("P1", "P2", "P3")] == ["A", "E", "A"]
    assert [told[u, "score_change"] for u in ("P1", "P2", "P3")] == ["E", "E", "A"]
    for measure in ("rank", "rank_before", "rank_change", "rank_lower"):  # a place hangs on all scores of the class
        assert {s for (_, m), s in told.items() if m == measure} == {"E"}, measure
    assert {s for (_, m), s in told.items() if m in ("weight_share", "class_size")} == {"A"}


def plain_rows(weight: int) -> dict[str, dict[str, float]]:
    own = {leaf: n * weight + 1.0 for n, leaf in enumerate("abcd")}
    share = {g: {i: own[i] / sum(own[k] for k in inside) for i in inside} for g, inside in (("D1", "ab"), ("D2", "cd"))}
    return {
        "T": {**{i: s / 3 for i, s in share["D1"].items()}, **{i: s * 2 / 3 for i, s in share["D2"].items()}},
        **share,
    }


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.sampled_from(["a", "b", "c", "d"]), min_size=1),
    st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
)
def test_no_hidden_indicator_follows_from_the_sums_shown(hidden: set[str], weights: list[int]) -> None:
    schemes = [four(w, f"s{w}") for w in weights]
    tables = [
        evaluation_product(evaluated(s, [("P1", 2016, i, 5.0) for i in "abcd"]), AREAS, parts(9), RULES).cells
        for s in schemes
    ]
    kept = with_sums_kept_back(hide(pl.concat(tables), "P1", *hidden), schemes)
    sums = kept.filter(pl.col("measure").is_in(["total", "score"]), pl.col("value").is_not_null())
    shown = [
        plain_rows(w)[node]
        for w in weights
        for node in sums.filter(table=f"s{w}")["indicator"].to_list()
        if node in ("T", "D1", "D2")
    ]
    # an outsider solves the sums shown for the hidden scores: other values must fit as well, for each of them
    unknown = sorted(hidden)
    matrix = np.array([[row.get(i, 0.0) for i in unknown] for row in shown] or [[0.0] * len(unknown)])
    _, sizes, vectors = np.linalg.svd(matrix)
    free = vectors[np.sum(sizes > 1e-9) :]
    assert all(np.abs(free[:, n]).max(initial=0.0) > 1e-9 for n in range(len(unknown)))


def test_target_scores_run_against_the_path_and_leave_out_what_has_none() -> None:
    first, second, third = [t for t in EDITION.targets if t.tracking == "computed" and not is_about(t)][:3]
    near = next(t for t in EDITION.targets if t.tracking == "computed" and is_about(t))
    figures = {first: (50.0, 40.0), second: (10.0, 40.0), third: (30.0, None), near: (96.0, 100.0)}
    rows = [
        (f"{t.plan_id}.{t.row_no}", measure, value, "E" if t is third and measure == "completion" else "A")
        for t, pair in figures.items()
        for measure, value in zip(("completion", "expected"), pair, strict=True)
    ]
    columns = ["indicator", "measure", "value", "status"]
    cells = pl.DataFrame(rows, schema=columns, orient="row").with_columns(area=pl.lit("P1"))
    final, period = target_scores(cells, EDITION).rows(named=True)
    assert (period["status"], final["status"]) == ("A", "E")  # the estimated one has no period score yet
    assert (period["score"], period["value"]) == ("target_score", (120.0 + 25.0 + 96.0) / 3)
    assert period["basis"] == "规划目标4项,其中有得分3项"
    assert f"{third.plan_id}.{third.row_no}" not in period["targets"]
    assert (final["score"], final["value"]) == ("target_final_score", (50.0 + 10.0 + 30.0 + 100.0) / 4)  # 96 % of 左右


def test_the_assessment_of_a_year_is_half_the_evaluation_and_half_the_targets() -> None:
    own = SCHEMES["assessment_annual"]
    assert own.reads_totals == {"Y1": "parks"} and own.is_internal
    found = standings(evaluated(own, [("P1", 2016, "Y1", 80.0), ("P1", 2016, "Y2", 110.0), ("P2", 2016, "Y1", 80.0)]))
    assert [s.score for s in found] == [95.0, None]
    final = SCHEMES["assessment_final"]
    assert [final.is_due(y) for y in (2019, 2020, 2025)] == [False, True, True]
    last = standings(evaluated(final, [("P1", 2020, "Y1", 80.0), ("P1", 2020, "Y2", 100.0)]))
    assert last[0].score == pytest.approx(0.4 * 80 + 0.6 * 100)


def test_a_scheme_that_copies_a_total_cannot_be_made_public() -> None:
    definition = EDITION.schemes["assessment_annual"]
    with pytest.raises(DefinitionError, match="只供内部"):
        parse_scheme(Definition(definition.path, definition.text, {**definition.data, "internal": False}))


def test_the_shipped_definitions_are_read_with_their_own_format() -> None:
    for definition in EDITION.schemes.values():
        assert read_toml(definition.path, "index-system").data == definition.data
    assert [e.id for s in SCHEMES.values() for e in s.lists] == ["gazelle", "specialised", "listing"]
