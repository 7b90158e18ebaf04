from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.safe_text import for_xml, is_dangerous, safe_csv
from exports.tables import write_csv
from exports.writer import Book, Style

HOSTILE = (
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠x", " =1", "\u00a0=1",
    "\u200b=1", "\ufeff=cmd|'/C calc'!A0", "-SUM(F01)", "=HYPERLINK(\"http://x\")", "\x00=1",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_spreadsheet_program_would_run_is_found(text: str) -> None:
    assert is_dangerous(text)
    assert safe_csv(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "营业收入", "—", "-", "…", "*", "-3.25", "12", "F01|T|a", "R&D经费", "'quoted'"])
def test_figures_marks_and_names_stay_as_they_are(text: str) -> None:
    assert safe_csv(text) == text


@given(st.text())
def test_a_safe_cell_starts_nothing_and_can_be_turned_back(text: str) -> None:
    safe = safe_csv(text)
    assert not is_dangerous(safe)
    restored = safe[1:] if safe.startswith("'") and is_dangerous(safe.lstrip("'")) else safe
    assert restored == text


@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text()), min_size=1, max_size=5))
def test_no_cell_of_a_csv_file_starts_a_formula(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    clean = [t.replace("\x00", "").encode("utf-8", "ignore").decode() for t in texts]
    write_csv(pl.DataFrame({"text": clean, "value": [-1.5] * len(clean)}), path)
    body = path.read_bytes()
    assert body.startswith(b"\xef\xbb\xbftext,value\r\n")
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))[1:]
    assert [row[1] for row in rows] == ["-1.5"] * len(clean)
    assert not any(is_dangerous(row[0]) for row in rows)


@given(
    st.lists(
        st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]))), min_size=1, max_size=6
    )
)
def test_no_text_becomes_a_live_formula_or_link_in_a_workbook(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("book") / "t.xlsx"
    with Book(path, "t") as book:
        sheet = book.sheet("表")
        for n, text in enumerate(texts):
            sheet.text(n, 0, text, Style())
            sheet.merged(n, 2, n, 4, text, Style())
    with zipfile.ZipFile(path) as parts:
        body = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in body and "<f " not in body and "<hyperlink" not in body


def test_the_writer_leaves_no_trace_of_person_machine_or_clock(tmp_path: Path) -> None:
    with Book(tmp_path / "t.xlsx", "标题") as book:
        book.sheet("表").text(0, 0, "x", Style())
    with zipfile.ZipFile(tmp_path / "t.xlsx") as parts:
        core = parts.read("docProps/core.xml").decode()
        app = parts.read("docProps/app.xml").decode()
        stamps = {info.date_time for info in parts.infolist()}
    assert "<dc:creator></dc:creator>" in core and "<cp:lastModifiedBy></cp:lastModifiedBy>" in core
    assert core.count("2000-01-01T00:00:00Z") == 2
    assert "<Company></Company>" in app
    assert stamps == {(1980, 1, 1, 0, 0, 0)}


@given(st.text())
def test_text_for_a_workbook_holds_only_what_xml_allows(text: str) -> None:
    assert not any(ord(c) < 32 and c not in "\t\n\r" for c in for_xml(text))
