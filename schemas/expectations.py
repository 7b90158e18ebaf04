"""The Great Expectations suites of the marts, generated from ``schemas.marts``: data only, the library is not imported here.

pandera and our own rules look at rows while they are made; these suites judge a mart as a whole, by a second engine. They
name no indicator: what a mart must be follows from the one shape all marts have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from schemas.marts import CELL_COLUMNS, MARTS, STATUSES, Mart
from schemas.period import Period

CRITICAL, WARNING = "critical", "warning"
MOST_DECIMALS: Final = 6
# A mart most of whose cells say nothing is suspicious, not wrong: the first quarters of a new indicator look like that.
LEAST_WITH_VALUE: Final = 0.05
# No finding at all, or no fourth quarter to be revised, is an ordinary state of affairs.
MAY_BE_EMPTY: Final = (
    "quality_findings",
    "monitoring_revisions",
    "projects_rates",
    "projects_risks",
    "targets_lists",
    "targets_breakdown",
)

_WITH_VALUE: Final = tuple(code for code, (mark, _) in STATUSES.items() if not mark)
_WITHOUT_VALUE: Final = tuple(code for code, (mark, _) in STATUSES.items() if mark)


@dataclass(frozen=True)
class Expectation:
    """One expectation: ``type`` is its name in Great Expectations, ``note`` says in Chinese what it is for.

    ``where`` restricts it to the rows in which a text column has one of some values.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: str
    note: str
    where: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Suite:
    """The suite of one mart in one period."""

    name: str
    mart: str
    expectations: tuple[Expectation, ...] = field(default_factory=tuple)


def suite_of(mart: Mart, period: Period) -> Suite:
    """What ``mart`` must be in ``period``; the same arguments give the same suite."""
    text = [n for n, dtype in CELL_COLUMNS.items() if dtype == pl.String()]
    found = [
        Expectation("expect_table_columns_to_match_set", {"column_set": list(CELL_COLUMNS), "exact_match": True}, CRITICAL, "列固定"),
        Expectation("expect_column_values_to_be_unique", {"column": "row_key"}, CRITICAL, "row_key 唯一标识一个数"),
        *(Expectation("expect_column_values_to_not_be_null", {"column": c}, CRITICAL, f"{c} 不空") for c in text),
        *(
            Expectation("expect_column_value_lengths_to_be_between", {"column": c, "min_value": 1}, CRITICAL, f"{c} 有内容")
            for c in ("row_key", "indicator", "measure", "period")
        ),
        Expectation("expect_column_values_to_be_in_set", {"column": "status", "value_set": list(STATUSES)}, CRITICAL, "状态有定义"),
        Expectation(
            "expect_column_values_to_be_between",
            {"column": "decimals", "min_value": 0, "max_value": MOST_DECIMALS},
            CRITICAL,
            "小数位数合理",
        ),
        Expectation(
            "expect_column_values_to_not_be_null",
            {"column": "value"},
            CRITICAL,
            "标为有数的单元格须有数",
            where=("status", _WITH_VALUE),
        ),
        Expectation(
            "expect_column_values_to_be_null",
            {"column": "value"},
            CRITICAL,
            "标为无数、不适用、不公布的单元格不得有数",
            where=("status", _WITHOUT_VALUE),
        ),
        Expectation(
            "expect_column_values_to_not_be_null",
            {"column": "value", "mostly": LEAST_WITH_VALUE},
            WARNING,
            "多数单元格无数,请核对报送是否齐全",
        ),
        *_of_mart(mart, period),
    ]  # fmt: skip
    return Suite(f"{mart.name}-{period}", mart.name, tuple(found))


def suites(period: Period) -> dict[str, Suite]:
    """The suites of all marts due in a period, by mart."""
    return {name: suite_of(mart, period) for name, mart in MARTS.items() if period.round in mart.rounds}


def _of_mart(mart: Mart, period: Period) -> list[Expectation]:
    """What only some marts have: a fixed period, rates between 0 and 100, counts that are not negative."""
    found = []
    if mart.name not in MAY_BE_EMPTY:
        found.append(
            Expectation("expect_table_row_count_to_be_between", {"min_value": 1}, WARNING, "本期应有数据")
        )  # fmt: skip
    if mart.product != "index":  # an index carries the whole chain of years
        found.append(
            Expectation("expect_column_values_to_be_in_set", {"column": "period", "value_set": [str(period)]}, CRITICAL, "只含本期")
        )  # fmt: skip
    if mart.name == "monitoring_response":
        found += [
            Expectation(
                "expect_column_values_to_be_between",
                {"column": "value", "min_value": 0, "max_value": 100},
                CRITICAL,
                "报送率、回答率在 0 至 100 之间",
                where=("measure", ("response_rate", "valid_rate", "park_response_rate")),
            ),
            Expectation(
                "expect_column_distinct_values_to_contain_set",
                {"column": "measure", "value_set": ["response_rate", "valid_rate"]},
                CRITICAL,
                "有报送率和回答率",
            ),
        ]
    if mart.name in ("monitoring_response", "quality_findings"):
        found.append(
            Expectation("expect_column_values_to_be_between", {"column": "value", "min_value": 0}, CRITICAL, "计数不为负")
        )  # fmt: skip
    return found
