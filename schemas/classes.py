"""Classes derived from what a unit reports: industry section, size class and high-tech industry class.

All three are driven by code lists; nothing about an industry is written here. Source: survey_system.md 4.1, 4.5
(统计上大中小微型企业划分办法 2017, whose amounts are in 万元 where forms report 千元).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_

import polars as pl

from schemas.errors import DefinitionError

SIZES = ("1", "2", "3", "4")
LIMITS = SIZES[:3]
NO_LIMITS = (None, None, None)
THOUSANDS_IN_TEN_THOUSAND = 10


@dataclass(frozen=True)
class SizeRule:
    """One line of the size table. ``industries`` are section letters with digits (``G591``); a limit holds what large,
    medium and small need at least, in the unit of the forms (persons, 千元), or None where it does not count."""

    name: str
    industries: tuple[str, ...]
    staff: tuple[int, int, int] | None
    revenue: tuple[int, int, int] | None
    assets: tuple[int, int, int] | None

    @property
    def limits(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Staff, revenue, assets: the order of the arguments of ``size_class``."""
        return (self.staff, self.revenue, self.assets)


def size_rules(rows: pl.DataFrame) -> tuple[SizeRule, ...]:
    """The size table from the code list ``size_class``. Raises DefinitionError for a limit that is no whole number."""

    def limit(row: Mapping[str, str], name: str, factor: int) -> tuple[int, int, int] | None:
        written = [row[f"{name}_{size}"] for size in SIZES[:3]]
        if not any(written):
            return None
        if not all(w.isdigit() for w in written):
            raise DefinitionError(
                f"“{row['name']}”的 {name} 门槛不全", where="size_class.csv", remedy="三档都要写整数。"
            )
        large, medium, small = (int(w) * factor for w in written)
        return (large, medium, small)

    return tuple(
        SizeRule(
            row["name"],
            tuple(row["industries"].split()),
            limit(row, "staff", 1),
            limit(row, "revenue", THOUSANDS_IN_TEN_THOUSAND),
            limit(row, "assets", THOUSANDS_IN_TEN_THOUSAND),
        )
        for row in rows.iter_rows(named=True)
    )


def sections_by_division(classes: pl.DataFrame) -> dict[str, str]:
    """Division (first two digits) → section letter, from the code list of industry classes."""
    pairs = classes.select(pl.col("code").str.slice(0, 2).alias("division"), "section").unique()
    return dict(sorted(pairs.iter_rows()))


def section(code: pl.Expr, industries: Mapping[str, str]) -> pl.Expr:
    """The section letter 门类 of an industry class; null where the code is null or of no known division."""
    return code.str.slice(0, 2).replace_strict(
        pl.Series(list(industries), dtype=pl.String),
        pl.Series(list(industries.values()), dtype=pl.String),
        default=None,
        return_dtype=pl.String,
    )


def in_industries(code: pl.Expr, prefixes: Iterable[str], industries: Mapping[str, str]) -> pl.Expr:
    """Whether a class belongs to one of ``prefixes`` (section letter and leading digits); null as ``section``."""
    letter = section(code, industries)
    tests = [
        (letter == prefix[0]) & code.str.starts_with(prefix[1:]) if prefix[1:] else letter == prefix[0]
        for prefix in prefixes
    ]
    return reduce(or_, tests)


def hightech_class(code: pl.Expr, hightech: Mapping[str, str], industries: Mapping[str, str]) -> pl.Expr:
    """High-tech class 高技术产业类别 of an industry class: 1 manufacturing, 2 services, 0 neither.

    Null where the code is null or of no known division.
    """
    listed = code.replace_strict(
        pl.Series(list(hightech), dtype=pl.String),
        pl.Series(list(hightech.values()), dtype=pl.String),
        default=None,
        return_dtype=pl.String,
    )
    return pl.coalesce(listed, pl.when(section(code, industries).is_not_null()).then(pl.lit("0")))


def size_class(
    code: pl.Expr,
    staff: pl.Expr,
    revenue: pl.Expr,
    assets: pl.Expr,
    rules: Sequence[SizeRule],
    industries: Mapping[str, str],
) -> pl.Expr:
    """Size 规模: 1 large, 2 medium, 3 small, 4 micro; amounts in 千元, staff in persons.

    Large, medium and small need all limits of the line at once, else the next class below. Null where a quantity the
    line asks for is not reported, and for industries outside the method (finance, education, public administration …).
    """
    asked = pl.struct(code.alias("code"), staff.alias("staff"), revenue.alias("revenue"), assets.alias("assets"))
    return asked.map_batches(
        partial(_size_classes, tuple(rules), industries), return_dtype=pl.String, is_elementwise=True
    )


def _size_classes(rules: Sequence[SizeRule], industries: Mapping[str, str], asked: pl.Series) -> pl.Series:
    """``size_class`` over (code, staff, revenue, assets): the line of the table is looked up once a row, then its limits."""
    lined = asked.struct.unnest().with_columns(_line_of(pl.col("code"), rules, industries).alias("line"))
    known, reached = pl.lit(True), [pl.lit(True)] * len(LIMITS)
    for at, quantity in enumerate(map(pl.col, ("staff", "revenue", "assets"))):
        for size in range(len(LIMITS)):
            # null where the line does not ask for the quantity
            limits = pl.Series([(rule.limits[at] or NO_LIMITS)[size] for rule in rules], dtype=pl.Int64)
            limit = pl.lit(limits).gather(pl.col("line"))
            reached[size] = reached[size] & (quantity >= limit).fill_null(True)
        known = known & (quantity.is_not_null() | limit.is_null())
    result = pl.lit(SIZES[-1])
    for size in reversed(range(len(LIMITS))):
        result = pl.when(reached[size]).then(pl.lit(SIZES[size])).otherwise(result)
    found = pl.when(pl.col("line").is_not_null() & known).then(result)
    return lined.select(found.alias(asked.name)).to_series()


def _line_of(code: pl.Expr, rules: Sequence[SizeRule], industries: Mapping[str, str]) -> pl.Expr:
    """The number of the first line of the size table an industry class belongs to; null where it belongs to none."""
    lines: dict[str, int] = {}
    for number, rule in enumerate(rules):
        for prefix in rule.industries:
            lines.setdefault(prefix, number)
    with_letter = pl.concat_str(section(code, industries), code)
    found: list[pl.Expr] = []
    for length in sorted({len(prefix) for prefix in lines}):
        prefixes = [prefix for prefix in lines if len(prefix) == length]
        found.append(
            with_letter.str.slice(0, length).replace_strict(
                pl.Series(prefixes, dtype=pl.String),
                pl.Series([lines[p] for p in prefixes], dtype=pl.Int64),
                default=None,
                return_dtype=pl.Int64,
            )
        )
    return pl.min_horizontal(found) if found else pl.lit(None, dtype=pl.Int64)
