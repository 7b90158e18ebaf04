"""Template → filled → reader gives back the same figures, for every form of every round; also after marking."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas.catalog import programme
from schemas.findings import as_findings
from schemas.layout import printed_period, workbook_layout
from schemas.model import Edition, Form, FormKind, Indicator, ValueType
from schemas.period import Period
from sources.marked import mark
from sources.reader import read_file
from sources.template import write_template
from sources.template_codes import Choice, choices_of, list_key

PROGRAMME = programme()
NAMES = {"91620100224369270Y": "甲公司", "91620100MA72PQRT0X": "乙公司"}
UNITS = pl.DataFrame({"unit_id": list(NAMES), "name": list(NAMES.values()), "sub_park": ["LBGX01", "LBGX02"]})


def figure(indicator: Indicator, choices: Mapping[str, tuple[Choice, ...]], chance: random.Random) -> object:
    key = list_key(indicator)
    match indicator.type:
        case ValueType.BOOLEAN:
            return chance.choice([True, False])
        case ValueType.NUMBER:
            number = chance.randrange(10**6)
            return Decimal(number).scaleb(-indicator.decimals) if indicator.decimals else number
        case ValueType.DATE:
            return date(2010, 3, chance.randrange(1, 28))
    listed = key if isinstance(key, tuple) else choices.get(str(key), ())
    return chance.choice(listed)[0] if listed else f"文{chance.randrange(99)}"


def filled(form: Form, period: Period, park: str, choices: Mapping[str, tuple[Choice, ...]]) -> pl.DataFrame:
    """A form frame with something in every cell (a few blanks)."""
    chance = random.Random(form.code)
    rows = []
    for n, unit in enumerate(list(NAMES) if form.kind is FormKind.ROSTER else [park]):
        row = {i.code: figure(i, choices, chance) if chance.random() < 0.9 else None for i in form.asked(period)}
        row |= {f"{i.code}_yoy": figure(i, choices, chance) for i in form.with_year_earlier(period)}
        stated = {"B01": unit, "B02": NAMES.get(unit), "B03": printed_period(period), "B04": park}
        keys = {"J01": f"P{n}", "H01": f"H{n}", "K39": choices["task"][n][0], "G06": None, "Y01": park, "Y02": 2020}
        row |= {code: value for code, value in (stated | keys).items() if code in row}
        parts = [row.get(code) for code in form.key]
        row["unit_id"] = unit if form.roster in ("enterprise", "park") else "|".join(str(p or "") for p in parts)
        rows.append(row)
    types = {i.code: i.dtype for i in form.asked(period)}
    types |= {f"{i.code}_yoy": i.dtype for i in form.with_year_earlier(period)}
    return pl.DataFrame(rows, schema={"unit_id": pl.String()} | types)


def filed(edition: Edition, period: Period, park: str, kinds: tuple[FormKind, ...]) -> dict[str, pl.DataFrame]:
    choices = choices_of(PROGRAMME, edition, period, park)
    return {
        code: filled(layout.form, period, park, choices)
        for code, layout in workbook_layout(edition, period, kinds).items()
    }


@pytest.mark.parametrize(
    ("period", "park"),
    [("2025-Q1", "LBGX"), ("2025", "LBGX"), ("2014-Q3", "LBGX"), ("2014", "LBGX"), ("2025", "620000")],
)
def test_what_is_filled_in_is_what_is_read(period: str, park: str) -> None:
    at = Period.parse(period)
    edition = PROGRAMME.edition_for(at)
    kinds = (FormKind.ROSTER, FormKind.SHEET) if park == "LBGX" else (FormKind.CONTEXT,)
    values = filed(edition, at, park, kinds)
    data = write_template(edition, PROGRAMME, at, park, units=UNITS, values=values)
    layout = next(iter(workbook_layout(edition, at, kinds).values()))
    finding = {"severity": "hard", "outcome": "failed", "sheet": layout.name, "cell": "C8", "message": "请核实"}
    for book in (data, mark(data, as_findings([finding])).data):
        reading = read_file(book, "book.xlsx")
        assert (reading.status, reading.park, reading.period) == ("readable", park, at)
        assert reading.findings.is_empty() and reading.normalised.is_empty()
        frames = reading.observations.frames
        assert set(frames) == set(values)
        for code, frame in values.items():
            assert_frame_equal(frames[code].select(frame.columns).sort("unit_id"), frame.sort("unit_id"))
