"""Two workbooks full of faults, and every finding they give: a change in reader or audit that alters one shows as a diff.

The figures are made here, from code, row and unit alone, so that nothing but reader, rules and code lists decides. After a change
that is meant: ``pytest … --rewrite-golden``, and read the diff.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from openpyxl.cell.cell import Cell
from openpyxl.workbook import Workbook
from polars.testing import assert_frame_equal

from pipelines.checking import Checked, check
from schemas.catalog import programme
from schemas.layout import is_code_row, printed_period
from schemas.model import Form, FormKind, Indicator, ValueType
from schemas.period import Period
from schemas.uscc import check_character, organisation_check_character
from sources.reader import read_file
from sources.template import write_template

GOLDEN = Path(__file__).parents[1] / "golden" / "audit"
PROGRAMME = programme()
PARK = "LBGX"
FROZEN = ("rule", "severity", "form", "unit_id", "sheet", "cell", "found", "expected", "code", "outcome", "absorbed_by")


def credit_code(n: int) -> str:
    organisation = f"{70_000_000 + 7919 * n:08d}"
    body = f"91620102{organisation}{organisation_check_character(organisation)}"
    return body + check_character(body)


UNITS = [credit_code(n) for n in range(12)]
DIVISIONS, CLASSES = ("620102", "620105", "999999"), ("3921", "6513", "7320", "0000")


def number_of(*parts: object) -> int:
    """A number that depends on nothing but its parts."""
    return zlib.crc32("|".join(map(str, parts)).encode())


def figure(indicator: Indicator, unit: str, period: Period) -> object:
    """Something of the indicator's type; about one cell in ten is blank, one amount in thirty negative."""
    drawn = number_of(indicator.code, unit)
    fixed: dict[str, object] = {
        "B01": unit, "B02": f"企业{unit[-4:]}", "B03": printed_period(period), "B04": PARK,
        "B06": DIVISIONS[drawn % 3], "B07": CLASSES[drawn % 4], "B08": "110", "J01": f"J{unit[-3:]}", "H01": f"H{unit[-3:]}",
    }  # fmt: skip
    if indicator.code in fixed:
        return fixed[indicator.code]
    if drawn % 10 == 0:
        return None
    match indicator.type:
        case ValueType.BOOLEAN:
            return drawn % 3 == 1
        case ValueType.DATE:
            return date(2008 + drawn % 9, 1 + drawn % 12, 1 + drawn % 28)
        case ValueType.NUMBER:
            amount = drawn // 10 % 10 ** (2 + drawn % 4) * (-1 if drawn % 30 == 1 else 1)
            return Decimal(amount).scaleb(-indicator.decimals) if indicator.decimals else amount
    return list(indicator.options)[drawn % len(indicator.options)] if indicator.options else str(1 + drawn % 40)


def form_frame(form: Form, period: Period) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for unit in [PARK] if form.kind is FormKind.SHEET else UNITS:
        row = {i.code: figure(i, unit, period) for i in form.asked(period)}
        row |= {f"{i.code}_yoy": figure(i, f"{unit} yoy", period) for i in form.with_year_earlier(period)}
        key = [unit if form.roster in ("enterprise", "park") else str(row.get(c) or "") for c in form.key or ("",)]
        rows.append(row | {"unit_id": "|".join(key)})
    types = {i.code: i.dtype for i in form.asked(period)}
    types |= {f"{i.code}_yoy": i.dtype for i in form.with_year_earlier(period)}
    return pl.DataFrame(rows, schema={"unit_id": pl.String()} | types)


def _as_text(change: Callable[[object], object]) -> Callable[[Cell], None]:
    def apply(cell: Cell) -> None:
        cell.value = change(cell.value)  # type: ignore[assignment]

    return apply


def _error(cell: Cell) -> None:
    cell.value, cell.data_type = "#DIV/0!", "e"


FAULTS: list[Callable[[Cell], None]] = [
    _as_text(lambda v: f"{v:,}" if isinstance(v, int | float) else f" {v}"),
    _as_text(lambda v: f"({v})"),
    _as_text(lambda _: "—"),
    _as_text(lambda _: None),
    _as_text(lambda v: f"{v}万"),
    _as_text(lambda v: f"{v}%"),
    _as_text(lambda v: v * 1000 if isinstance(v, int | float) else 12345),
    _as_text(lambda v: v + 0.123 if isinstance(v, int | float) else "无"),
    _as_text(lambda _: "=1+1"),
    _as_text(lambda _: 1e17),
    _as_text(lambda v: f"\u200b{v}"),
    _as_text(lambda _: date(2014, 5, 1)),
    _error,
]


def spoil(workbook: Workbook) -> None:
    """A fault in about one filled cell of twenty-five below every code row, a unit twice, a total row."""
    for sheet in workbook.worksheets:
        rows = list(sheet.iter_rows())
        head = next((n for n, row in enumerate(rows[:20]) if is_code_row([c.value for c in row])), None)
        if head is None:
            continue
        for row in rows[head + 1 : head + 1 + 60]:
            for cell in row:
                drawn = number_of(sheet.title, cell.coordinate)
                if cell.value not in (None, "") and drawn % 25 == 0:
                    FAULTS[drawn // 25 % len(FAULTS)](cell)  # type: ignore[arg-type]
        if rows[head][0].value == "B01":
            for first, last in zip(rows[head + 1], rows[head + len(UNITS)], strict=True):
                if first.column == 1:
                    last.value = first.value
    personnel = workbook["从业人员情况"]
    personnel.append(["合计", None, 1000])


def faulty(period: Period) -> bytes:
    edition = PROGRAMME.edition_for(period)
    forms = [f for f in edition.forms.values() if f.asked(period) and f.kind is not FormKind.CONTEXT]
    units = pl.DataFrame({"unit_id": UNITS, "name": [f"企业{u[-4:]}" for u in UNITS]})
    values = {form.code: form_frame(form, period) for form in forms}
    issued = {
        code: frame.select(
            "unit_id", *(pl.col(c).alias(c.removesuffix("_yoy")) for c in frame.columns if c.endswith("_yoy"))
        )
        for code, frame in values.items()
        if any(c.endswith("_yoy") for c in frame.columns)
    }
    data = write_template(edition, PROGRAMME, period, PARK, units=units, values=values, year_earlier=issued)
    workbook = openpyxl.load_workbook(io.BytesIO(data))
    spoil(workbook)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module", params=["2014", "2015-Q2"])
def checked(request: pytest.FixtureRequest) -> Checked:
    reading = read_file(faulty(Period.parse(request.param)), "报表.xlsx")
    assert reading.status == "readable", reading.message
    return check([reading], PROGRAMME)


def test_every_finding_is_as_it_was(checked: Checked, request: pytest.FixtureRequest) -> None:
    golden = GOLDEN / f"findings_{checked.period}.csv"
    found = checked.findings.select(FROZEN).fill_null("").sort(FROZEN)
    if request.config.getoption("--rewrite-golden", default=False):
        golden.parent.mkdir(parents=True, exist_ok=True)
        found.write_csv(golden)
    assert_frame_equal(found, pl.read_csv(golden, infer_schema=False).fill_null(""))


def test_every_cell_taken_otherwise_is_as_it_was(checked: Checked, request: pytest.FixtureRequest) -> None:
    golden = GOLDEN / f"normalised_{checked.period}.csv"
    columns = ("form", "sheet", "cell", "column", "code", "found", "value")
    taken = checked.normalised.select(columns).fill_null("").sort(columns)
    if request.config.getoption("--rewrite-golden", default=False):
        golden.parent.mkdir(parents=True, exist_ok=True)
        taken.write_csv(golden)
    assert_frame_equal(taken, pl.read_csv(golden, infer_schema=False).fill_null(""))


def test_outcomes_add_up_to_the_units_of_each_form(checked: Checked) -> None:
    assert checked.period is not None
    edition = PROGRAMME.edition_for(checked.period)
    rules = {r.id: r for r in edition.rules_for(checked.period)}
    totals = checked.outcomes.with_columns(total=pl.sum_horizontal("holds", "failed", "undetermined", "not_applicable"))
    by_roster: dict[str, set[int]] = {}
    for rule, total in totals.select("rule", "total").iter_rows():
        by_roster.setdefault(edition.forms[rules[rule].form].roster, set()).add(total)
    assert all(len(found) == 1 for found in by_roster.values()), by_roster
    assert by_roster["park"] == {1}


def test_a_finding_stands_where_its_unit_and_column_stand(checked: Checked) -> None:
    """The address of every finding on a roster is the unit's row and the column's letter."""
    rows = pl.concat(
        frame.select(pl.lit(code).alias("form"), "unit_id", "_row")
        for code, frame in checked.observations.frames.items()
    ).unique(["form", "unit_id"], keep="none")
    letters = checked.observations.cell_map.filter(pl.col("row").is_null()).select("form", "column", "letter")
    placed = (
        checked.findings.filter(pl.col("cell").is_not_null())
        .join(rows, on=["form", "unit_id"])
        .join(letters, on=["form", "column"])
    )
    assert placed.height > 100
    assert (placed["cell"] == placed["letter"] + placed["_row"].cast(pl.String)).all()
