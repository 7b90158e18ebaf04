"""Every function of the table vocabulary: its example reads, means something and is computed; docs print the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.table_calls import CALLS
from schemas.table_model import CodeList
from schemas.table_parser import parse_table, table_text
from schemas.table_vocabulary import GROUPED, SYNONYMS, TABLE_FUNCTIONS, TableFunction
from tests.unit.schemas.rule_tables import table, value

DOCS = Path(__file__).resolve().parents[3] / "docs" / "rules.md"
SHOP = table(
    {
        "id": ["RET01", "RET02", "RET03", "RET04", "RET05"],
        "group": [None, "RET01", "RET01", "RET02", "X"],
        "size": ["sc0", "sc1", "sc1", "sc0", "sc1"],
        "staff": [75, 9, None, 3, 5],
        "turnover": [1130, 1607, 6886, None, 25],
        "other.rev": [None, 1, -33, 13, 37],
        "profit": [200, 63, 426, 274, 72],
        "vat": [100, 200, 300, None, 20],
        "incl.prob": ["0.02", "0.14", "0.14", "0.14", "0.05"],
        "employees": [100, 60, 40, 60, 5],
        "uscc": ["91350100M000100Y43", None, "x", None, None],
        "founded": ["1999-01-01", "2001-02-28", None, "2010-12-31", "2020-02-29"],
        "role": ["h", "m", "h", "m", "m"],
        "household": [1, 1, 2, 2, 3],
        "year_no": [2020, 2021, 2022, 2020, 2021],
        "region": ["Total", "a", "b", "a", "b"],
        "measure": ["gdp", "gdp", "gdp", "export", "export"],
        "period": ["2014", "2014", "2014", "2014Q1", "2014Q2"],
        "value": [100, 60, 40, 5, 6],
    },
    key=["id"],
    parent="group",
)
EARLIER = table({"id": ["RET01", "RET02"], "turnover": [1000, 500]}, "previous", key=["id"])
REGISTER = table({"id": ["RET01", "RET02", "RET03"], "size": ["sc0", "sc1", "sc2"]}, "register", key=["id"])
TAX = table({"id": ["RET01", "RET02"], "turnover": [1130, 1]}, "tax", key=["id"])
LINES = table({"id": ["RET01", "RET01", "RET02"], "amount": [3, 4, 5]}, "lines", key=["id"])
KEYS = table({"measure": ["gdp", "export"]}, "keys")
FORBIDDEN = table({"region": ["T*"]}, "forbidden")
LISTS = (CodeList("size", ("sc0", "sc1")), CodeList("regions", ("a", "b"), {"parent": ("Total", "Total")}))


@pytest.mark.parametrize("function", TABLE_FUNCTIONS.values(), ids=lambda f: f.name)
def test_every_example_is_computed(function: TableFunction) -> None:
    node = parse_table(function.example)
    assert parse_table(table_text(node)) == node
    found = value(function.example, SHOP, EARLIER, REGISTER, TAX, LINES, KEYS, FORBIDDEN, codelists=LISTS)
    assert len(found) in (1, 5)
    assert set(found) <= {True, False, None}


def test_the_two_lists_of_functions_are_one() -> None:
    assert CALLS.keys() == TABLE_FUNCTIONS.keys()
    assert set(SYNONYMS.values()) | set(GROUPED) <= TABLE_FUNCTIONS.keys()
    assert not SYNONYMS.keys() & TABLE_FUNCTIONS.keys()


@pytest.mark.parametrize("function", TABLE_FUNCTIONS.values(), ids=lambda f: f.name)
def test_the_guide_lists_every_function(function: TableFunction) -> None:
    line = next(
        (line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{function.name}` (")),
        "",
    )
    assert f"`{function.example}`" in line
    assert all(option in line for option in function.options)
