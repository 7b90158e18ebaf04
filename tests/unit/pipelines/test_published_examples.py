"""Commands on any table against figures others have published: from files to files, as a reader of the docs would run them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.methods.change_outliers import hidiroglou_berthelot
from pipelines.methods.clusters import cluster_figures
from pipelines.methods.series.imputing import imputed_units
from pipelines.methods.series.links import Overlap
from pipelines.methods.series.structure import diffusion
from pipelines.scoring import score
from pipelines.series_tables import benchmark, link

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "index"

# Human Development Report 2001, technical note 2: (group, worst, best, in logarithms)
GOALPOSTS = {
    "patents": ("creation", 0, 994, False),
    "royalties": ("creation", 0, 272.6, False),
    "hosts": ("recent", 0, 232.4, False),
    "exports": ("recent", 0, 80.8, False),
    "telephones": ("old", 1, 901, True),
    "electricity": ("old", 22, 6969, True),
    "schooling": ("skills", 0.8, 12.0, False),
    "science": ("skills", 0.1, 27.4, False),
}


def test_the_technology_achievement_index_of_2001(tmp_path: Path) -> None:
    """Published 0.744 (Finland) … 0.514 (Israel); the worked example of the note: New Zealand 0.548."""
    text = 'title = "TAI"\n[weights]\nmethod = "equal"\n[[group]]\nid = "TAI"\n'
    text += "".join(f'[[group]]\nid = "{g}"\nparent = "TAI"\n' for g in ("creation", "recent", "old", "skills"))
    for code, (group, worst, best, log) in GOALPOSTS.items():
        text += (
            f'[[indicator]]\nid = "{code}"\nparent = "{group}"\nnormalisation = {{ method = "goalposts", worst = {worst}, '
            f"best = {best}, low = 0, high = 1, log = {str(log).lower()} }}\n"
        )
    (tmp_path / "tai.toml").write_text(text)
    score(tmp_path / "tai.toml", GOLDEN / "tai_2001.csv", out=tmp_path)
    scores = pl.read_csv(tmp_path / "scores.csv").filter(node="TAI").select("unit", "score", "rank")
    both = scores.join(pl.read_csv(GOLDEN / "tai_2001.csv").select("unit", "published"), on="unit")
    assert both.height == 17
    assert (both["score"] - both["published"]).abs().max() <= 0.0015  # type: ignore[operator]
    assert both.sort("rank")["published"].is_sorted(descending=True)
    parts = pl.read_csv(tmp_path / "scores.csv").filter(unit="New Zealand").rows_by_key("node", named=True, unique=True)
    printed = {
        "patents": 0.103,
        "royalties": 0.048,
        "hosts": 0.631,
        "exports": 0.191,
        "telephones": 0.967,
        "schooling": 0.973,
    }
    assert {code: round(parts[code]["score"], 3) for code in printed} == pytest.approx(printed, abs=0.0011)
    assert parts["electricity"]["score"] == 1.0


def test_condorcets_cycle_as_young_ranks_it(tmp_path: Path) -> None:
    """Young (1988), Condorcet's Theory of Voting: 60 voters in a cycle; the likeliest order is b c a, by 104 pairwise votes."""
    ballots = {"abc": 23, "bca": 17, "bac": 2, "cab": 10, "cba": 8}
    text = 'title = "votes"\n[normalisation]\nmethod = "rank"\n[[group]]\nid = "T"\n[ranking]\norders = ["kemeny", "borda"]\n'
    text += "".join(f'[[indicator]]\nid = "{b}"\nparent = "T"\nweight = {n}\n' for b, n in ballots.items())
    (tmp_path / "v.toml").write_text(text)
    rows = [f"{c}," + ",".join(str(3 - b.index(c)) for b in ballots) for c in "abc"]
    (tmp_path / "v.csv").write_text("unit," + ",".join(ballots) + "\n" + "\n".join(rows) + "\n")
    score(tmp_path / "v.toml", tmp_path / "v.csv", out=tmp_path)
    orders = pl.read_csv(tmp_path / "orders.csv").sort("rank")
    kemeny = orders.filter(order="kemeny")
    assert kemeny["unit"].to_list() == ["b", "c", "a"]
    assert kemeny["score"][0] * 60 == pytest.approx(104)
    borda = orders.filter(order="borda")
    assert [(u, round(v * 60)) for u, v in borda.select("unit", "score").iter_rows()] == [
        ("b", 69),
        ("a", 58),
        ("c", 53),
    ]


def test_denton_as_in_the_manual_of_2001(tmp_path: Path) -> None:
    """IMF, Quarterly National Accounts Manual (2001), example 6.2: 969.8, 998.4, …; the last year by the last ratio."""
    indicator = [98.2, 100.8, 102.2, 100.8, 99.0, 101.6, 102.7, 101.5, 100.5, 103.0, 103.5, 101.5]
    periods = [f"{1998 + k // 4}Q{k % 4 + 1}" for k in range(12)]
    (tmp_path / "i.csv").write_text(
        "period,value\n" + "".join(f"{p},{v}\n" for p, v in zip(periods, indicator, strict=True))
    )
    (tmp_path / "a.csv").write_text("period,value\n1998,4000.0\n1999,4161.4\n")
    made = benchmark(tmp_path / "i.csv", tmp_path / "a.csv", named={}, mean=False).table
    printed = [969.8, 998.4, 1018.3, 1013.4, 1007.2, 1042.9, 1060.3, 1051.0, 1040.6, 1066.5, 1071.7, 1051.0]
    assert made["benchmarked"].to_list() == pytest.approx(printed, abs=0.055)  # 1042.85 is printed 1042.9
    assert made["ratio"].tail(5).n_unique() <= 5 and made["ratio"][8:].to_list() == pytest.approx(
        [10.3547] * 4, abs=1e-4
    )


# IMF, Quarterly National Accounts Manual (2001), examples 9.4: two products, four years; quantities by quarter, prices by year.
QUANTITIES = {
    "A": [[62.75] * 4, [67.4, 69.4, 71.5, 73.7], [76.0, 78.3, 80.6, 83.1], [85.5, 88.2, 90.8, 93.5]],
    "B": [[59.0] * 4, [57.6, 57.1, 56.5, 55.8], [55.4, 54.8, 54.2, 53.6], [53.2, 52.7, 52.1, 52.0]],
}
PRICES = {"A": [7.0, 6.0, 5.0, 4.5], "B": [6.0, 8.0, 9.0, 10.0]}


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        # (76 × 6 + 55.4 × 8) / (877.00) × 105.137 and so on
        (Overlap.ANNUAL, {"1998Q1": 103.04, "1998Q4": 107.24, "1999Q1": 107.80, "1999Q4": 111.18, "2000Q1": 111.71}),
        (Overlap.QUARTER, {"1998Q1": 103.04, "1998Q4": 107.24, "1999Q1": 108.52, "1999Q4": 111.92, "2000Q1": 112.97}),
        (Overlap.YEAR, {"1998Q1": 103.04, "1998Q4": 107.24, "1999Q1": 107.09, "1999Q4": 111.92, "2000Q1": 110.47}),
    ],
)
def test_three_overlaps_over_three_links(tmp_path: Path, overlap: Overlap, expected: dict[str, float]) -> None:
    rows = ["period,item,value,price"]
    for year in range(4):
        for quarter in range(4):
            for item, by_year in QUANTITIES.items():
                price = PRICES[item][year]
                rows.append(f"{1997 + year}Q{quarter + 1},{item},{by_year[year][quarter] * price},{price}")
    (tmp_path / "c.csv").write_text("\n".join(rows) + "\n")
    made = link(tmp_path / "c.csv", named={}, overlap=overlap, reference="", lag=1, links=False).table
    index = dict(made.select("period", "index").iter_rows())
    assert {p: round(index[p], 2) for p in expected} == pytest.approx(expected, abs=0.011)
    if overlap is Overlap.ANNUAL:  # quarters average to the annual chain, 3336 / 3173
        assert sum(index[f"1998Q{q}"] for q in range(1, 5)) / 4 == pytest.approx(100 * 3336 / 3173)


def test_outlying_changes_of_171_rice_farms() -> None:
    """M. D'Orazio, README of the R package univOutl: ``HBmethod`` on net rice output in years 5 and 6 of plm's RiceFarms
    (U 0.5, A 0.05, C 4): bounds −44.10808 and 44.39336, 26 farms outside, the scores of the first six."""
    farms = pl.read_csv(Path(__file__).parent / "rice_farms.csv")
    found = hidiroglou_berthelot(farms.select(before="year5", now="year6"))
    assert (round(found["low"][0], 5), round(found["high"][0], 5)) == (-44.10808, 44.39336)
    outside = [n for n, flag in enumerate(found["is_outlier"], start=1) if flag]
    assert outside == [
        18, 21, 22, 24, 25, 26, 37, 39, 69, 77, 79, 82, 90, 93, 99, 101, 102, 103, 108, 110, 116, 129, 134, 138, 145, 168,
    ]  # fmt: skip
    printed = [-103.58001, -58.125, -65.04205, -283.11879, -276.25379, -60.77502]
    assert [found["effect"][n - 1] for n in outside[:6]] == pytest.approx(printed, abs=5.1e-6)


# Office for National Statistics, statistical-methods-library, ratio of means, scenario 25: reference, group, January, February,
# March 2020, auxiliary figure; two references never answer
CONTRIBUTORS = [
    ("10001", "1", 547, 362, 895, 10), ("10002", "1", 381, 573, 214, 50), ("10003", "2", 961, 267, 314, 12),
    ("10004", "2", 555, 628, 736, 9), ("10006", "1", None, None, None, 22), ("10007", "2", None, None, None, 52),
]  # fmt: skip


def test_ratio_imputation_as_the_office_for_national_statistics_prints_it() -> None:
    """First month from the auxiliary figure (construction), later ones from the month before (forward): 289.948718, 292.135831,
    346.5012157 and 3753.904762; reference 10005 moves from group 1 to 2 in February, where the Office leaves it out of the link."""

    def month(n: int, base: dict[str, float], moved: tuple[str, float, float]) -> dict[str, float]:
        rows = [(u, g, r[n], base[u]) for u, g, *r in CONTRIBUTORS] + [("10005", *moved)]
        schema = {"unit": pl.String, "industry": pl.String, "value": pl.Float64, "base": pl.Float64}
        made = imputed_units(pl.DataFrame(rows, schema=schema, orient="row"), others=("ratio",), top=0, donors=2)
        return dict(made.select("unit", "value").iter_rows())

    first = month(0, {u: float(r[-1]) for u, _, *r in CONTRIBUTORS}, ("1", 100.0, 18.0))
    assert (round(first["10006"], 6), round(first["10007"], 6)) == (289.948718, 3753.904762)
    second = month(1, first, ("3", 310.0, 100.0))
    assert (round(second["10006"], 6), round(second["10007"], 6)) == (292.135831, 2216.190476)
    third = month(2, second, ("2", 240.0, 310.0))
    assert (round(third["10006"], 7), round(third["10007"], 6)) == (346.5012157, 2372.519265)


def test_a_location_quotient_of_farhauer_and_kroell() -> None:
    """O. Farhauer and A. Kröll, Standorttheorien (2013), as in the help of the R package REAT (``locq``): 0.3847623."""

    def share(own: int, whole: int) -> float:
        units = pl.DataFrame({"now": [own, whole - own], "base": [None, None], "own": [True, False]}, schema_overrides={"base": pl.Int64})  # fmt: skip
        found = cluster_figures(units, "own")["share"]
        assert found is not None
        return found

    assert round(share(1714, 79006) / share(879213, 15593224), 7) == 0.3847623


def test_a_diffusion_index_as_the_purchasing_managers_count_it() -> None:
    """Supply Chain Digest, 13 April 2010, on the index of new orders: 40 % up, 32 % the same, 28 % down give 56."""
    now = [2.0] * 40 + [1.0] * 32 + [0.5] * 28
    assert diffusion(now, [1.0] * 100)["diffusion"] == pytest.approx(56)
