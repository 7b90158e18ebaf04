"""Published results: "The Data Validation Cookbook" (M.P.J. van der Loo, 2020, R validate 1.0) and the package's own tests.

The cookbook's table of retailers is under a licence of its own and not copied: a table of ours of the same shape goes through
the same rules, with faults put in by hand, so that the counts are known.
"""

from __future__ import annotations

import pytest

from schemas.table_check import check_tables, hits
from schemas.table_model import CodeList, Table, Tables
from tests.unit.schemas.rule_tables import counts, rules_of, table, value


def shops() -> Table:
    """Sixty shops in four size classes, fifteen each; figures grow with the number of the shop, costs are nine tenths.

    Faults: turnover of shops 5, 20 and 35 in the wrong unit, blank for 8, 9, 10 and 11; staff blank for 1 to 6, staff costs
    for 7 to 10, zero for 40; the sum of shop 50 off by two.
    """
    size = [f"sc{n // 15}" for n in range(60)]
    staff: list[object] = [None if 1 <= n <= 6 else 2 + n for n in range(60)]
    true = [1000 + 100 * n for n in range(60)]
    turnover: list[object] = [None if 8 <= n <= 11 else t * 1000 if n in (5, 20, 35) else t for n, t in enumerate(true)]
    other = [n % 7 for n in range(60)]
    total = [t + o + (2 if n == 50 else 0) for n, (t, o) in enumerate(zip(true, other, strict=True))]
    staff_costs: list[object] = [None if 7 <= n <= 10 else 0 if n == 40 else 20 * (2 + n) for n in range(60)]
    costs = [t * 9 // 10 for t in total]
    columns: dict[str, list[object]] = {
        "id": [f"S{n:02}" for n in range(60)], "size": [*size], "staff": staff, "turnover": turnover, "other.rev": [*other],
        "total.rev": [*total], "staff.costs": staff_costs, "total.costs": [*costs],
        "profit": [t - c for t, c in zip(total, costs, strict=True)],
    }  # fmt: skip
    return table(columns)


SHOPS = shops()


def samplonomy() -> Table:
    """The samplonomy table of R validate, rebuilt from its regularity and the five faults the cookbook finds in it.

    Four national figures a year; regions have a fixed share of them, quarters a fixed share of the year.
    """
    spring, even = (1, 2, 5, 2), (2, 3, 3, 2)
    regions = {
        "Agria": (30, spring), "Crowdon": (4, even), "Greenham": (12, spring), "Induston": (70, even), "Mudwater": (20, even),
        "Newbay": (8, spring), "Oakdale": (1, even), "Smokely": (45, even), "Wheaton": (10, spring),
    }  # fmt: skip
    national = {
        2014: (2000000, 700000, 740000), 2015: (1940000, 690000, 750000), 2016: (1880000, 660000, 760000),
        2017: (1860000, 630000, 800000), 2018: (1840000, 600000, 790000), 2019: (1860000, 620000, 790000),
    }  # fmt: skip
    rows: list[tuple[str, str, str, str, object]] = []
    for year, (gdp, imports, exports) in national.items():
        for region in sorted([*regions, "Samplonia"]):
            for quarter in (None, 0, 1, 2, 3):
                for measure, amount in (
                    ("gdp", gdp),
                    ("import", imports),
                    ("export", exports),
                    ("balance", exports - imports),
                ):
                    parts = ["Agria", "Induston"] if region == "Samplonia" else [region]
                    shares = [(regions[p][0], 10 if quarter is None else regions[p][1][quarter]) for p in parts]
                    figure = sum(amount * share * season for share, season in shares) // 1000
                    period = str(year) if quarter is None else f"{year}Q{quarter + 1}"
                    rows.append((region, "A" if quarter is None else "Q", period, measure, figure))
    faults: dict[tuple[str, str, str], list[object]] = {
        ("Agria", "2015", "gdp"): [],
        ("Induston", "2018Q2", "export"): [165900, 170000],
        ("Induston", "2018Q3", "export"): [],
        ("Crowdon", "2014Q1", "balance"): [None],
        ("Wheaton", "2019Q2", "import"): [None],
    }
    found = [(*r[:4], v) for r in rows for v in faults.get((r[0], r[2], r[3]), [r[4]])]
    return table(dict(zip(("region", "freq", "period", "measure", "value"), zip(*found, strict=True), strict=True)))


SAMPLONOMY = samplonomy()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("turnover <= 10 * group_median(turnover, size, missing = 'skip')", (60, 53, 3, 4)),
        ("cor(profit, staff, missing = 'skip') > 0", (1, 1, 0, 0)),
        ("if staff > 0 then staff.costs > 0", (60, 55, 1, 4)),
        ("is_unique(id)", (60, 60, 0, 0)),
        ("turnover + other.rev == total.rev", (60, 52, 4, 4)),
        ("total.rev - total.costs == profit", (60, 60, 0, 0)),
        ("turnover >= 0", (60, 56, 0, 4)),
        ("profit <= 0.6 * total.rev", (60, 60, 0, 0)),
        ("n_distinct(size) == 4", (1, 1, 0, 0)),
        ("mean(profit, missing = 'skip') >= 1", (1, 1, 0, 0)),
    ],
)
def test_a_table_of_shops(expression: str, expected: tuple[int, ...]) -> None:
    assert counts(expression, SHOPS)[:4] == expected


def test_the_table_of_age_and_income() -> None:
    """R errorlocate, vignette: the table that confront prints."""
    data = table({"age": [-10, 15, 25, None], "income": [0, 2000, 3000, 1000]})
    assert counts("age > 0", data)[:4] == (4, 2, 1, 1)
    assert counts("if income > 0 then age > 16", data)[:4] == (4, 2, 1, 1)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("is_unique(region, period, measure)", (1199, 1197, 2, 0)),
        ("exists_one(region == 'Samplonia', by = (period, measure))", (1199, 1199, 0, 0)),
        ("part_whole(value, region, 'Samplonia', ('Agria', 'Induston'), by = (measure, period))", (1199, 1191, 8, 0)),
        ("part_whole(value, period, rx('^[0-9]{4}$'), by = (region, substr(period, 1, 4), measure))", (1199, 1180, 9, 10)),
    ],
)  # fmt: skip
def test_samplonomy(expression: str, expected: tuple[int, ...]) -> None:
    assert counts(expression, SAMPLONOMY)[:4] == expected


def test_the_records_of_the_cookbook_are_found() -> None:
    rules = rules_of(
        {
            "id": "sum",
            "expression": "part_whole(value, region, 'Samplonia', ('Agria', 'Induston'), by = (measure, period))",
        }
    )
    tables = Tables(SAMPLONOMY)
    found = [h.row for h in hits(check_tables(rules, tables))]
    assert [tuple(SAMPLONOMY.raw.row(r - 1)) for r in found if r] == [
        ("Induston", "A", "2015", "gdp", "1358000"),
        ("Samplonia", "A", "2015", "gdp", "1940000"),
        ("Agria", "Q", "2018Q2", "export", "47400"),
        ("Agria", "Q", "2018Q3", "export", "118500"),
        ("Induston", "Q", "2018Q2", "export", "165900"),
        ("Induston", "Q", "2018Q2", "export", "170000"),
        ("Samplonia", "Q", "2018Q2", "export", "213300"),
        ("Samplonia", "Q", "2018Q3", "export", "284400"),
    ]
    # the published numbers of these records, counted from 1
    assert found == [260, 340, 810, 814, 870, 871, 950, 954]


def test_one_head_of_household() -> None:
    data = table({"hhid": [1, 1, 2, 1, 2, 2, 3], "person": range(1, 8), "hhrole": list("hhmmhmm")})
    assert counts("exists_one(hhrole == 'h', by = hhid)", data)[:4] == (7, 3, 4, 0)
    assert value("exists_any(hhrole == 'h', by = hhid)", data) == [True] * 6 + [False]
    assert counts("exists_one(hhrole == 'h', by = hhid)", data, each=["hhid"])[:4] == (3, 1, 2, 0)


def test_sums_of_the_nace_hierarchy() -> None:
    nace = CodeList("nace", ("01.1", "01.2", "01.11", "01.12"), {"parent": ("01", "01", "01.1", "01.1")})
    data = table({"nace": ["01", "01.1", "01.11", "01.12", "01.2"], "volume": [100, 70, 30, 40, 25]})
    # 30 + 40 = 70 holds, 70 + 25 = 100 does not: what takes part in a sum that fails is marked
    assert value("hierarchy(volume, nace, 'nace')", data, codelists=[nace]) == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([], "", True),
        ([0], "", True),
        ([0, 1], "", True),
        (["3.14159", "2.71828", "7"], "", False),
        ([3, 4, 2, 1, 5], "", True),
        ([1, None, 2], "", None),
        ([1, 2, 3, 4, 5], ", begin = 2", False),
        ([1, 2, 3, 4, 5], ", end = 7", False),
        ([1, 2, 3, 4, 5], ", begin = 1, end = 6", False),
        ([1, 2, 3, 4, 5], ", begin = 1, end = 5", True),
        (["2015-12-17", "2015-12-19"], "", True),
        (["2015-12-17", "2015-12-19", "2015-12-20"], "", False),
        (["2015-12-17", "2015-12-19", "2015-12-21"], ", begin = date('2015-12-17'), end = date('2015-12-21')", True),
        (["2012M01", "2012M02", "2012M03"], "", True),
        (["2012Q1", "2012Q2", "2012Q3"], ", begin = '2012Q1'", True),
        (["2012Q1", "2012Q2", "2012Q3"], ", end = '2012Q4'", False),
    ],
)  # fmt: skip
def test_linear_sequences(values: list[object], options: str, expected: bool | None) -> None:
    data = table({"x": values}) if values else table({"x": [1]})
    if values:
        assert value(f"is_linear_sequence(x{options})", data) == [expected]
    else:
        empty = table({"x": []})
        assert value("is_linear_sequence(number(x))", empty) == [True]


def test_sequences_in_groups() -> None:
    data = table({"time": [2012, 2013, 2012, 2013, 2015], "type": ["hi", "hi", "ha", "ha", "ha"]})
    assert value("in_linear_sequence(time, by = type)", data) == [True, True, False, False, False]
    assert value("is_linear_sequence(time, by = type)", data) == [False]
    assert value("no_gaps(time, by = type)", data) == [True, True, False, False, False]


def test_parts_and_wholes_of_a_year() -> None:
    labels = ["2018Q1", "2018Q2", "2018Q3", "2018Q4", "2018"] * 2
    data = table({"v": [1, 2, 3, 4, 10, 2, 2, 3, 4, 10], "l": labels, "d": ["import"] * 5 + ["export"] * 5})
    assert value("part_whole(v, l, rx('^[0-9]{4}$'), by = d)", data) == [True] * 5 + [False] * 5
    gap = table({"v": [None, 2, 3, 4, 10, 2, 2, 3, 4, 10], "l": labels, "d": ["import"] * 5 + ["export"] * 5})
    assert value("part_whole(v, l, rx('^[0-9]{4}$'), by = d)", gap) == [None] * 5 + [False] * 5
    skipped = "part_whole(v, l, rx('^[0-9]{4}$'), by = d, missing = 'skip')"
    assert value(skipped, gap) == [False] * 10
    regions = table({"r": ["foo", "bar", "baz", "bur", "boo", "fu"], "a": [10, 4, 3, 2, 1, 25]})
    assert value("part_whole(a, r, 'foo', ('bar', 'bur', 'baz', 'boo'))", regions) == [True] * 6


def test_key_sets() -> None:
    years = [y for y in (2018, 2019) for _ in range(4)]
    quarters = ["Q1", "Q2", "Q3", "Q4"] * 2
    data = table({"year": years, "quarter": quarters})
    keys = table({"year": years, "quarter": quarters}, "keys")
    fewer = table({"year": years[1:], "quarter": quarters[1:]}, "keys")
    short = table({"year": years[1:], "quarter": quarters[1:]})
    assert value("contains_exactly('keys')", data, keys) == [True] * 8
    assert value("contains_exactly('keys')", data, fewer) == [False] * 8
    assert value("contains_at_most('keys')", short, keys) == [True] * 7
    assert value("contains_at_most('keys')", data, fewer) == [False] + [True] * 7
    assert value("contains_at_least('keys')", data, keys) == [True] * 8
    assert value("contains_at_least('keys')", short, keys) == [False] * 7
    assert value("does_not_contain('keys')", data, keys) == [False] * 8


def test_key_sets_in_groups_and_with_wildcards() -> None:
    variables = [v for v in ("import", "export") for _ in range(4)]
    data = table({"quarter": ["Q1", "Q2", "Q3", "Q4"] * 2, "variable": variables})
    keys = table({"quarter": ["Q1", "Q2", "Q3", "Q4"]}, "keys")
    assert value("contains_exactly('keys', by = variable)", data, keys) == [True] * 8
    short = table({"quarter": ["Q1", "Q2", "Q3", "Q4", "Q1", "Q2", "Q3"], "variable": variables[:7]})
    assert value("contains_exactly('keys', by = variable)", short, keys) == [True] * 4 + [False] * 3
    sent = table({"sender": ["S1", "S2", "S3", "R1"], "receiver": ["R1", "S1", "R1", "S1"]})
    forbidden = table({"sender": ["S*"], "receiver": ["S*"]}, "forbidden")
    assert value("does_not_contain('forbidden')", sent, forbidden) == [True, False, True, True]


def test_formats() -> None:
    one = table({"x": ["X0Y", "X12"], "n": ["12.34", "12.345"], "s": ["abc", "ab"]})
    assert value("matches(x, '^X[0-9]Y')", one) == [True, False]
    assert value("field_format(x, 'X*')", one) == [True, True]
    assert value("number_format(n, 'dd.dd')", one) == [True, False]
    assert value("field_length(s, 3)", one) == [True, False]
    assert value("field_length(s, 1, 2)", one) == [False, True]
    assert value("number_format(n, '0.d*Edd')", table({"n": ["0.123E45"]})) == [True]
    assert value("in_range(n, 0, 12.34)", one) == [True, False]
    assert value("in_range(n, 0, 12.34, strict = true)", one) == [False, False]
    assert value("in_range(p, '2020Q1', '2020Q4')", table({"p": ["2020Q1", "2021Q2", "2020Q3"]})) == [True, False, True]


def test_aggregates_repeated_in_groups() -> None:
    data = table({"x": range(1, 11), "y": ["a", "b"] * 5})
    assert value("sum_by(x, y) == 25", data) == [True, False] * 5
    gap = table({"x": [None, *range(2, 11)], "y": ["a", "b"] * 5})
    assert value("max_by(x, y) == 10", gap) == [None, True] * 5
    assert value("group_max(x, y, missing = 'skip') == 9", gap) == [True, False] * 5
