"""Documents in words: every figure is the published one, nothing hidden is said, same release same bytes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from exports.display import with_display
from exports.documents.assessment import figures_of
from exports.documents.published import Document, Grid, Section, Sentence, capitals
from exports.documents.write import documents_of, html_page, write_documents, write_word
from exports.manifest import ReleaseMeta
from schemas.marts import conform
from schemas.period import Period


def cell(**given: Any) -> dict[str, Any]:
    names = {"LBSYQ": "兰白试验区", "LBGX": "兰州高新技术产业开发区"}
    row = {
        "table": "figures", "period": "2015-Q2", "area": "LBSYQ", "breakdown": "total", "category": "T", "category_name": "合计",
        "indicator": "F01", "indicator_name": "营业收入", "unit_measure": "千元", "measure": "cumulative",
        "measure_name": "本年累计", "value": 1.0, "decimals": 0, "status": "A", **given,
    }  # fmt: skip
    keys = ("table", "period", "area", "breakdown", "category", "indicator", "measure")
    return {"area_name": names[row["area"]], "row_key": "|".join(row[k] for k in keys), **row}


def published(cells: list[dict[str, Any]]) -> pl.DataFrame:
    return with_display(conform(pl.DataFrame(cells, infer_schema_length=None))).with_columns(release=pl.lit("r"))


def monitoring(**more: Any) -> list[dict[str, Any]]:
    base = {"period": "2015-Q2", **more}
    return [
        cell(**base, value=1234.0),
        cell(**base, measure="growth_restated", measure_name="同比", unit_measure="%", value=-3.25, decimals=1),
        cell(**base, breakdown="zone", category="LBGX", category_name="兰州高新区", measure="contribution_points",
             measure_name="拉动", unit_measure="百分点", value=1.5, decimals=2),
        cell(**base, breakdown="zone", category="LBBY", category_name="白银高新区", measure="contribution_points",
             measure_name="拉动", unit_measure="百分点", value=-4.75, decimals=2),
        cell(**base, area="LBGX", value=None, status="C"),
        cell(**base, area="LBGX", measure="growth_restated", measure_name="同比", unit_measure="%", value=None, status="C"),
    ]  # fmt: skip


def warning(area: str, level: float, note: str, indicator: str = "W01") -> dict[str, Any]:
    return cell(table="warnings", area=area, indicator=indicator, indicator_name="营业收入同比", measure="level",
                measure_name="预警等级", unit_measure="级", value=level, decimals=0, note=note)  # fmt: skip


def table(code: str, name: str, value: float | None, unit: str = "%", **more: Any) -> dict[str, Any]:
    return cell(table=code.partition(".")[0], period="2016", indicator=code, indicator_name=name, unit_measure=unit,
                measure="value", measure_name="数值", value=value, decimals=1, status="A" if value is not None else "C", **more)  # fmt: skip


def annual() -> dict[str, pl.DataFrame]:
    index = {
        "table": "scores",
        "indicator": "TOTAL",
        "indicator_name": "总指数",
        "unit_measure": "base=100",
        "measure": "index",
        "decimals": 1,
    }
    standing = {"table": "targets", "period": "2016", "measure": "standing", "unit_measure": "-"}
    share = {"table": "province", "period": "2016", "indicator": "C01", "indicator_name": "生产总值", "decimals": 2}
    return {
        "index_scores": published([cell(**index, period="2015", value=102.0), cell(**index, period="2016", value=104.26)]),
        "targets_progress": published(
            [
                cell(**standing, indicator="LB.1", indicator_name="甲", value=4.0),
                cell(**standing, indicator="LB.2", indicator_name="乙", value=1.0),
                cell(**standing, indicator="LB.3", indicator_name="丙", value=None, status="Z"),
                cell(**{**standing, "measure": "gap"}, indicator="LB.2", indicator_name="乙", value=-20.5, decimals=1),
            ]
        ),
        "contribution_figures": published(
            [
                cell(**share, measure="share", measure_name="占全省比重", unit_measure="%", value=8.0),
                cell(**share, measure="contribution_rate", measure_name="贡献率", unit_measure="%", value=7.5),
                cell(**share, measure="contribution_points", measure_name="拉动", unit_measure="百分点", value=0.6),
            ]
        ),
        "innovation_tables": published(
            [
                table("T02.c3", "有创新活动企业占比", 86.25),
                table("T02.c5", "实现创新企业占比", None),
                table("T02.c3", "有创新活动企业占比", 95.0, breakdown="zone", category="LBGX", category_name="兰州高新区"),
                table("T02.c3", "有创新活动企业占比", 76.0, breakdown="zone", category="LBBY", category_name="白银高新区"),
                table("T24.c1", "缺乏内部资金占比", 40.0),
                table("T24.c2", "缺乏外部融资占比", 30.0),
                table("T24.c3", "创新成本过高占比", 20.0),
                table("T24.c4", "缺乏技术人才占比", 20.0),
                table("T24.c5", "缺乏合作伙伴占比", 10.0),
                table("T27.c1", "增加品种提高质量占比", 50.0),
                table("T27.c2", "开拓市场占比", None),
            ]
        ),
    }  # fmt: skip


@pytest.fixture
def quarter(meta: ReleaseMeta) -> dict[str, Document]:
    marts = {
        "monitoring_figures": published(monitoring()),
        "monitoring_warnings": published(
            [warning("LBSYQ", 0.0, ""), warning("LBGX", 4.0, "下降12.5%,低于红色界限−10%")]
        ),
    }
    return {d.name: d for d in documents_of(marts, meta)}


@pytest.fixture
def year(meta: ReleaseMeta) -> dict[str, Document]:
    return {d.name: d for d in documents_of(annual(), replace(meta, period=Period(2016), release="2016.r1"))}


def sentences(document: Document, title: str) -> list[str]:
    return [s.text for section in document.sections if section.title == title for s in section.sentences]


def test_the_half_yearly_bulletin(quarter: dict[str, Document]) -> None:
    said = quarter["半年检查通报"]
    assert said.subtitle == "2015年上半年"
    assert sentences(said, "总体运行情况") == [
        "兰白试验区营业收入本年累计1234千元,同比下降3.3%,其中白银高新区下拉4.75百分点。"
    ]
    assert sentences(said, "预警信号") == ["公布的预警信号共1项,其中红色预警1项。"]
    grid = next(s for s in said.sections if s.title == "预警信号").grids[0]
    assert grid.rows == (("兰州高新技术产业开发区", "营业收入同比", "红色预警", "下降12.5%,低于红色界限−10%"),)
    growth = next(s for s in said.sections if s.title == "各园区主要指标").grids[0]
    assert growth.rows == (("兰白试验区", "-3.3"), ("兰州高新技术产业开发区", "*"))


def test_the_bulletin_says_whose_figures_are_missing(meta: ReleaseMeta) -> None:
    rows = [
        cell(indicator=c, measure="units_unknown", unit_measure="户", value=n) for c, n in (("F01", 1.0), ("P01", 3.0))
    ]
    marts = {"monitoring_figures": published([*monitoring(), *rows])}
    said = sentences(documents_of(marts, meta)[0], "总体运行情况")
    assert said[-1] == "有应报单位未报送、也没有作估算,以上合计数未含其资料:兰白试验区3户。"


def test_there_is_no_bulletin_of_a_first_quarter(meta: ReleaseMeta) -> None:
    marts = {"monitoring_figures": published(monitoring())}
    assert documents_of(marts, replace(meta, period=Period(2015, 1))) == []


def test_the_yearly_assessment(year: dict[str, Document]) -> None:
    said = year["年度评估"]
    assert sentences(said, "发展指数") == ["兰白试验区发展指数为104.3(上年102.0)。"]
    assert sentences(said, "规划目标完成情况") == ["兰白试验区可判定的目标2项:已达成1项、严重滞后1项。"]
    assert sentences(said, "对全省和所在市的贡献") == [
        "兰白试验区生产总值占全省的8.00%,对全省增长的贡献率为7.50%,拉动全省增长0.60百分点。"
    ]
    behind = next(s for s in said.sections if s.title == "规划目标完成情况").grids[0]
    assert behind.rows == (("兰白试验区", "乙", "", "—", "—", "—", "—", "-20.5"),)


def test_key_findings_leave_out_what_is_hidden(year: dict[str, Document]) -> None:
    found = year["创新调查要点"]
    assert sentences(found, "创新活动与创新类型") == [
        "开展创新活动的企业占86.3%。",  # the second clause is suppressed and left out
        "分园区看,开展创新活动的企业占比兰州高新区(95.0%)最高,白银高新区(76.0%)最低。",
    ]
    assert sentences(found, "合作、阻碍与政策") == [
        "企业反映程度为中等以上的阻碍因素中,占比最高的是缺乏内部资金(40.0%)、缺乏外部融资(30.0%)、创新成本过高(20.0%)、缺乏技术人才(20.0%)。"
    ]
    assert sentences(found, "创新产出") == []  # which effect is the largest cannot be said: one is hidden


def test_every_figure_is_the_published_one(quarter: dict[str, Document], year: dict[str, Document]) -> None:
    marts = {**annual(), "monitoring_figures": published(monitoring())}
    shown = {(m, k): d for m, f in marts.items() for k, d in f.select("row_key", "display").iter_rows()}
    for document in (*quarter.values(), *year.values()):
        for figure in figures_of(document):
            if figure.mart in marts:
                assert figure.display == shown[figure.mart, figure.row_key] and figure.display not in ("*", "—", "…")
    for section in year["创新调查要点"].sections:
        for sentence in section.sentences:
            numbers = re.findall(r"\d+(?:\.\d+)?", sentence.text)
            assert numbers == [f.display for f in sentence.figures]


def test_files_are_the_same_again_and_can_be_opened(tmp_path: Path, meta: ReleaseMeta) -> None:
    marts = {"monitoring_figures": published(monitoring(indicator_name="营业收入<&>"))}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_documents(marts, tmp_path / folder, meta)
    names = sorted(p.name for p in (tmp_path / "a" / "documents").iterdir())
    assert names == ["半年检查通报.docx", "半年检查通报.html", "半年检查通报.json"]
    for name in names:
        assert (tmp_path / "a" / "documents" / name).read_bytes() == (tmp_path / "b" / "documents" / name).read_bytes()
    with zipfile.ZipFile(tmp_path / "a" / "documents" / "半年检查通报.docx") as book:
        text = "".join(ElementTree.fromstring(book.read("word/document.xml")).itertext())
        for part in book.namelist():
            ElementTree.fromstring(book.read(part))
    assert "营业收入<&>本年累计1234千元" in text
    page = (tmp_path / "a" / "documents" / "半年检查通报.html").read_text(encoding="utf-8")
    assert "营业收入&lt;&amp;&gt;" in page and "http" not in page
    data = json.loads((tmp_path / "a" / "documents" / "半年检查通报.json").read_text(encoding="utf-8"))
    assert data["sections"][0]["sentences"][0]["figures"][0]["display"] == "1234"


def test_a_page_of_a_document_without_tables(meta: ReleaseMeta) -> None:
    page = html_page(Document("甲", "乙", "丙", (), ("注",)), meta)
    assert "<h1>乙</h1>" in page and meta.release in page


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "一"),
        (9, "九"),
        (10, "十"),
        (11, "十一"),
        (20, "二十"),
        (23, "二十三"),
        (100, "一百"),
        (101, "一百零一"),
        (110, "一百一十"),
        (178, "一百七十八"),
        (1001, "一千零一"),
    ],
)
def test_sections_are_numbered_in_chinese(number: int, text: str) -> None:
    assert capitals(number) == text


def has_writer() -> bool:
    """Whether there is a LibreOffice with Writer, and a program that reads the PDF it makes."""
    office = shutil.which("soffice")
    return (
        office is not None
        and Path(office).resolve().with_name("libswlo.so").exists()
        and bool(shutil.which("pdftotext"))
    )


@pytest.mark.libreoffice
@pytest.mark.skipif(not has_writer(), reason="LibreOffice Writer or pdftotext is not installed")
def test_a_page_has_twenty_two_lines_of_twenty_eight_characters(tmp_path: Path, meta: ReleaseMeta) -> None:
    """GB/T 9704-2012, as LibreOffice lays the document out."""
    text = (Sentence("甲" * 28 * 60),)
    grid = Grid("表1 主要指标", ("园区", "收入"), (("甲高新区", "1234"), ("乙高新区", "5678")))
    document = Document("半年检查通报", "2015年上半年检查通报", "二〇一五年七月", (Section("总体", text, (grid,)),), ())
    write_word(document, meta, tmp_path / "a.docx")
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "pdf"]
    subprocess.run([*command, "--outdir", tmp_path, tmp_path / "a.docx"], check=True, capture_output=True, timeout=180)
    shown = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "a.pdf", "-"], check=True, capture_output=True, text=True
    )
    pages = [[line.replace(" ", "") for line in page.split("\n") if line.strip()] for page in shown.stdout.split("\f")]
    *lines, number = pages[1]
    assert [len(line) for line in lines] == [28] * 22 and number == "—2—"
    assert pages[0][-1] == "—1—" and "甲高新区1234" in pages[2] + pages[3]
