"""The audit cells of a filled template, recalculated, say row by row what the rules say of the same figures."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from python_calamine import CalamineWorkbook, load_workbook

from schemas.catalog import programme
from schemas.environment import environment_for
from schemas.layout import AUDIT, FIRST_ROW, INDEX_SHEET, SheetLayout, printed_period, workbook_layout
from schemas.model import AuditRule, FormKind, Severity
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.polars_rows import columns_of
from schemas.polars_target import evaluate_rows
from sources.audit import audit
from sources.reader import read_file
from sources.template import write_template
from sources.template_audit import OPEN, PASSED, UNTOUCHED, failing_text, template_rules
from tests.generated_rows import records
from tests.worksheets import needs_libreoffice, saved

pytestmark = [*needs_libreoffice, pytest.mark.slow]

PROGRAMME = programme()
PARK = "LBGX"
CASES = [Period(2025), Period(2025, 2), Period(2014)]
ENTERPRISES = 40


class Filled:
    """A template filled with generated figures, as it comes back from LibreOffice."""

    def __init__(self, period: Period, folder: Path) -> None:
        self.period = period
        self.edition = PROGRAMME.edition_for(period)
        self.env = environment_for(PROGRAMME, period, edition=self.edition)
        self.layouts = workbook_layout(self.edition, period)
        codes = {name: sorted(found) for name, found in self.env.codelists.items()}
        ids = [row["B01"] for row in records(self.edition, ["B01"], codes, 2 * ENTERPRISES, seed=1)]
        self.ids = list(dict.fromkeys(ids))[:ENTERPRISES]
        self.frames = {form: self._frame(layout, codes) for form, layout in self.layouts.items()}
        units = pl.DataFrame({"unit_id": self.ids, "name": self.ids, "sub_park": ["LBGX01"] * ENTERPRISES})
        template = write_template(self.edition, PROGRAMME, period, PARK, units=units, values=self.frames)
        self.data = saved(template, folder).read_bytes()
        self.book: CalamineWorkbook = load_workbook(str(folder / "book.xlsx"))

    def _frame(self, layout: SheetLayout, codes: dict[str, list[str]]) -> pl.DataFrame:
        asked = [i.code for i in layout.asked]
        count = {FormKind.SHEET: 1}.get(layout.form.kind, ENTERPRISES if layout.is_enterprise else 15)
        rows = records(self.edition, asked, codes, count, seed=len(asked))
        for n, row in enumerate(rows):
            stated = {
                "B01": self.ids[n],
                "B03": printed_period(self.period),
                "B04": PARK,
                "J01": f"J{n}",
                "H01": f"H{n}",
            }
            row |= {code: value for code, value in stated.items() if code in row}
            if n == 3 and layout.form.code not in ("basic", "projects", "incubators", "tasks", "park"):
                row |= dict.fromkeys(row)
            parts = [str(row.get(code) or "") for code in layout.form.key]
            row["unit_id"] = self.ids[n] if layout.is_enterprise else PARK if count == 1 else "|".join(parts)
        types = {i.code: i.dtype for i in layout.asked}
        frame = pl.DataFrame(rows, schema={"unit_id": pl.String()} | types)
        return frame.unique("unit_id", keep="first", maintain_order=True)  # as a template states units

    def said(self, layout: SheetLayout) -> dict[str, str]:
        """unit_id → what its audit cell says; on a sheet form all cells together under the park."""
        rows = self.book.get_sheet_by_name(layout.name).to_python(skip_empty_area=False)[FIRST_ROW - 1 :]
        at = layout.column(AUDIT).index
        if layout.form.kind is FormKind.SHEET:
            return {PARK: "".join(str(row[at]) for row in rows[: len(layout.asked)])}
        keys = [[layout.column(code).index for code in layout.form.key] for _ in rows]
        return {"|".join(str(row[k]) for k in key): str(row[at]) for row, key in zip(rows, keys, strict=True) if row[0]}

    def owed(self, layout: SheetLayout) -> list[bool]:
        """Row by row whether the unit owes the form, as the rules say it over all its forms; unknown is not owed."""
        frame = self.frames[layout.form.code]
        if not layout.form.applies_if or not layout.is_enterprise:
            return [True] * frame.height
        for form, other in self.frames.items():
            if self.layouts[form].is_enterprise and form != layout.form.code:
                own = other.select("unit_id", *(c for c in other.columns if c not in frame.columns))
                frame = frame.join(own, on="unit_id", how="left", maintain_order="left")
        return [bool(x) for x in evaluate_rows(layout.form.applies_if, frame, self.env)]

    def rules(self, form: str) -> list[AuditRule]:
        return template_rules(self.edition.rules_for(self.period), form)


@pytest.fixture(scope="module", params=CASES, ids=str)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return Filled(request.param, tmp_path_factory.mktemp("template"))


def test_each_cell_names_the_rules_that_fail_and_those_that_are_open(filled: Filled) -> None:
    failing = opened = passed = not_owed = 0
    for form, layout in filled.layouts.items():
        frame = filled.frames[form]
        said = filled.said(layout)
        asked = [i.code for i in layout.asked if i.code not in ("B01", "B03", "B04")]
        started = frame.select(pl.any_horizontal(pl.col(asked).is_not_null()).alias("x"))["x"].to_list()
        data = PeriodData(filled.period, {}, pl.DataFrame({"park": [PARK]}), pl.DataFrame())
        with_park = frame.with_columns(park=pl.lit(PARK), B03=pl.lit(str(filled.period)))
        outcomes = {
            rule: evaluate_rows(rule.expression, with_park, filled.env.with_data(data)).to_list()
            for rule in filled.rules(form)
        }
        owed = filled.owed(layout)
        for at, (unit, row) in enumerate(zip(frame["unit_id"], frame.iter_rows(named=True), strict=True)):
            text = said[unit]
            if not started[at]:
                assert text in (UNTOUCHED, ""), text
                continue
            if not owed[at]:
                assert text == PASSED or not filled.rules(form), (form, text, row)
                not_owed += 1
                continue
            for rule, results in outcomes.items():
                own = [c for c, lag in columns_of(filled.env.typed(rule.expression)) if not lag]
                some = any(row.get(code) is not None for code in own)
                is_open = results[at] is None and some and rule.kind != "conditional_required"
                assert (failing_text(rule) in text) == (results[at] is False), (rule.id, text, row)
                assert (f"{rule.id}{OPEN}" in text) == is_open, (rule.id, text, row)
                failing, opened = failing + (results[at] is False), opened + is_open
            passed += text == PASSED
    assert failing > 100 and opened > 5 and passed > 0
    assert not_owed > 5 or filled.period.quarter, "no form with a condition was tried"


def test_the_front_sheet_counts_the_cells(filled: Filled) -> None:
    rows = filled.book.get_sheet_by_name(INDEX_SHEET).to_python(skip_empty_area=False)
    told = {str(row[0]): row for row in rows}
    for form, layout in filled.layouts.items():
        texts = list(filled.said(layout).values())
        for rule in filled.rules(form):
            assert told[rule.id][3] == sum(failing_text(rule) in text for text in texts), rule.id
            assert told[rule.id][4] == sum(f"{rule.id}{OPEN}" in text for text in texts), rule.id
        if layout.form.kind is FormKind.ROSTER and filled.rules(form):
            line = told[layout.form.number]
            assert line[5] == sum(" " in text for text in texts)
            assert line[6] == sum(OPEN in text for text in texts)


def test_the_reader_takes_no_audit_cell_for_a_figure_and_the_server_finds_what_the_cells_say(filled: Filled) -> None:
    reading = read_file(filled.data, "book.xlsx")
    assert reading.status == "readable"
    found = reading.findings.filter(pl.col("code") != "duplicate")
    assert found.filter(pl.col("code").is_in(["uncalculated", "error_cell", "type"])).is_empty(), found
    result = audit(reading.observations, PROGRAMME, filled.period, park=PARK).findings
    failed = result.filter(pl.col("outcome").is_in(["failed", "absorbed"]))
    for form in ("finance", "personnel", "rd", "innovation"):
        if form in filled.layouts:
            said = filled.said(filled.layouts[form])
            ours = {r.id for r in filled.rules(form)}
            server = set(failed.filter(pl.col("rule").is_in(list(ours))).select("unit_id", "rule").iter_rows())
            cells = {(u, r) for u, text in said.items() for r in re.findall(r"(A[A-Z]\d\d) ", text) if r in ours}
            assert server == cells and (server or filled.period.quarter)
    assert all(r.severity is Severity.HARD for form in filled.layouts for r in filled.rules(form))


def test_figures_of_earlier_periods_are_looked_up_by_unit(tmp_path: Path) -> None:
    period = Period(2025, 2)
    edition = PROGRAMME.edition_for(period)
    by_id = {rule.id: rule for rule in edition.rules}
    more = (
        replace(by_id["AF01"], id="AF90", expression="F01 >= prev(F01)", message="少于上季;请核对"),
        replace(by_id["AF01"], id="AF91", expression="nz(prev(F01)) <= 100", message="上季过大;请核对"),
        replace(by_id["AK01"], id="AK90", expression="K05 >= prev(K05)", message="少于上季;请核对"),
    )
    asked = replace(edition, rules=(*edition.rules, *more))
    ids = ["91620100224369270Y", "91620100MA72PQRT0X", "91350100M000100Y43"]
    units = pl.DataFrame({"unit_id": ids, "name": ["甲", "乙", "丙"], "sub_park": ["LBGX01"] * 3})
    figures = pl.DataFrame({"unit_id": ids, "F01": [5, 5, 5]})
    park = pl.DataFrame({"unit_id": [PARK], "K05": [3]})
    earlier = {
        # the order of the units is not that of the form, and one has no figure
        "enterprise": pl.DataFrame({"unit_id": [ids[1], ids[0]], "F01_prev": [700, 4]}),
        "park": pl.DataFrame({"unit_id": [PARK], "K05_prev": [4]}),
    }
    values = {"finance": figures, "park": park}
    template = write_template(asked, PROGRAMME, period, PARK, units=units, values=values, other_periods=earlier)
    book = load_workbook(str(saved(template, tmp_path)))
    layouts = workbook_layout(asked, period)
    rows = book.get_sheet_by_name(layouts["finance"].name).to_python(skip_empty_area=False)[FIRST_ROW - 1 :]
    said = {row[0]: str(row[layouts["finance"].column(AUDIT).index]) for row in rows[:3]}
    assert "AF9" not in said[ids[0]]
    assert "AF90 少于上季;AF91 上季过大;" in said[ids[1]]
    assert "AF90待核;" in said[ids[2]] and "AF91" not in said[ids[2]]
    sheet = book.get_sheet_by_name(layouts["park"].name).to_python(skip_empty_area=False)
    assert "AK90 少于上季;" in str(sheet[layouts["park"].indicator_rows["K05"] - 1][-1])
