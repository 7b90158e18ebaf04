"""Documents as files: data (JSON), a page to read (HTML) and a document to sign (Word), the same bytes for the same release."""

from __future__ import annotations

import html
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl

from exports.documents.assessment import assessment
from exports.documents.bulletin import bulletin
from exports.documents.published import Document, Grid, Published, Section, capitals
from exports.documents.survey import survey_document
from exports.manifest import ReleaseMeta
from exports.ordering import ordering_of

FOLDER: Final = "documents"
MADE: Final = (2000, 1, 1, 0, 0, 0)  # no clock in outputs
_STYLE: Final = (
    "body{font:16px/1.8 'Songti SC',SimSun,serif;max-width:52em;margin:2em auto;padding:0 1em;color:#222}"
    "h1{font-size:1.7em;text-align:center}h2{font-size:1.2em;margin-top:1.6em}p{text-indent:2em;margin:.5em 0}"
    ".sub{text-align:center;text-indent:0;color:#555}table{border-collapse:collapse;width:100%;font-size:.85em;margin:.6em 0}"
    "caption{text-align:left;font-weight:bold;padding:.3em 0}th,td{border:1px solid #999;padding:.25em .5em;text-align:left}"
    "td:not(:first-child){font-variant-numeric:tabular-nums}footer{border-top:1px solid #999;margin-top:2em;font-size:.85em}"
)
_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_LINK: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_TYPES: Final = (
    f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    + "".join(
        f'<Override PartName="/word/{part}.xml" ContentType="{_MAIN}.{kind}+xml"/>'
        for part, kind in (
            ("document", "document.main"), ("styles", "styles"), ("settings", "settings"), ("odd", "footer"), ("even", "footer"),
        )
    )
    + "</Types>"
)  # fmt: skip


class _Face(NamedTuple):
    """A typeface and its size in half points."""

    font: str
    half_points: int


# GB/T 9704-2012: text 3号仿宋, headings 黑体, title 2号小标宋, page number 4号; tables are smaller.
_BODY, _HEADING, _TITLE = _Face("仿宋", 32), _Face("黑体", 32), _Face("方正小标宋简体", 44)
_NOTE, _NUMBER, _CAPTION, _CELL = _Face("仿宋", 24), _Face("宋体", 28), _Face("黑体", 21), _Face("宋体", 18)
# Its page: A4, 37 mm above, 28 mm left, a type area of 156 × 225 mm with 22 lines of 28 characters.
# In twentieths of a point. The 28 characters come from text set a fifth of a point closer: of a grid of characters programs make different things.
_PAGE: Final = (
    '<w:sectPr><w:footerReference w:type="default" r:id="rId3"/><w:footerReference w:type="even" r:id="rId4"/>'
    '<w:pgSz w:w="11906" w:h="16838"/>'
    '<w:pgMar w:top="2098" w:right="1464" w:bottom="1984" w:left="1588" w:header="851" w:footer="1304" w:gutter="0"/>'
    '<w:docGrid w:type="lines" w:linePitch="579"/></w:sectPr>'
)


def documents_of(marts: Mapping[str, pl.DataFrame], meta: ReleaseMeta) -> list[Document]:
    """The documents a release comes with, from its published marts."""
    published = Published(marts, ordering_of(meta.programme))
    found = (bulletin(published, meta), assessment(published, meta), survey_document(published, meta))
    return [d for d in found if d is not None and d.sections]


def write_documents(marts: Mapping[str, pl.DataFrame], target: Path, meta: ReleaseMeta) -> None:
    """Write every document of the release below ``target``/documents; without one no folder is made."""
    found = documents_of(marts, meta)
    if not found:
        return
    folder = target / FOLDER
    folder.mkdir()
    for document in found:
        data = json.dumps(_data(document, meta), ensure_ascii=False, indent=1, sort_keys=True)
        (folder / f"{document.name}.json").write_text(data + "\n", encoding="utf-8", newline="\n")
        (folder / f"{document.name}.html").write_text(html_page(document, meta), encoding="utf-8", newline="\n")
        write_word(document, meta, folder / f"{document.name}.docx")


def _data(document: Document, meta: ReleaseMeta) -> dict[str, Any]:
    return {
        "format": "yitaobiao-document/1",
        "release": meta.release,
        "period": str(meta.period),
        "title": document.title,
        "subtitle": document.subtitle,
        "sections": [asdict(section) for section in document.sections],
        "notes": list(document.notes),
    }


def _colophon(meta: ReleaseMeta) -> list[str]:
    made = f"发布单位:{meta.issuer}  发布号:{meta.release}  发布时间:{meta.released_text}(北京时间)"
    return [made, *filter(None, [meta.feedback_text])]


def html_page(document: Document, meta: ReleaseMeta) -> str:
    """One page that needs nothing from outside."""
    body = [f"<h1>{_safe(document.title)}</h1>", f'<p class="sub">{_safe(document.subtitle)}</p>']
    for number, section in enumerate(document.sections, 1):
        body.append(f"<h2>{capitals(number)}、{_safe(section.title)}</h2>")
        body += [f"<p>{_safe(sentence.text)}</p>" for sentence in section.sentences]
        body += [_html_grid(grid) for grid in section.grids]
    notes = "".join(f"<p>{_safe(note)}</p>" for note in (*document.notes, *_colophon(meta)))
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_safe(document.title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(body)
        + f"\n<footer>{notes}</footer>\n</body></html>\n"
    )


def _html_grid(grid: Grid) -> str:
    head = "".join(f"<th>{_safe(h)}</th>" for h in grid.head)
    rows = "".join("<tr>" + "".join(f"<td>{_safe(c)}</td>" for c in row) + "</tr>\n" for row in grid.rows)
    return f"<table><caption>{_safe(grid.title)}</caption><tr>{head}</tr>\n{rows}</table>"


def _safe(text: str) -> str:
    """Text for markup, without the control characters XML refuses."""
    return html.escape("".join(c for c in text if c >= " " or c in "\t\n"))


def write_word(document: Document, meta: ReleaseMeta, path: Path) -> None:
    """A Word document (ECMA-376 WordprocessingML, the least there is) laid out as official documents are (GB/T 9704-2012)."""
    body = [_paragraph(document.title, _TITLE, centred=True), _paragraph(document.subtitle, centred=True)]
    for number, section in enumerate(document.sections, 1):
        body += _word_section(number, section)
    body += [_paragraph(note, _NOTE) for note in (*document.notes, *_colophon(meta))]
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _links({"rId1": ("officeDocument", "word/document.xml")}),
        "word/document.xml": f'<w:document xmlns:w="{_WORD}" xmlns:r="{_LINK}"><w:body>{"".join(body)}{_PAGE}</w:body></w:document>',
        "word/_rels/document.xml.rels": _links(
            {
                "rId1": ("styles", "styles.xml"),
                "rId2": ("settings", "settings.xml"),
                "rId3": ("footer", "odd.xml"),
                "rId4": ("footer", "even.xml"),
            }
        ),
        "word/styles.xml": f'<w:styles xmlns:w="{_WORD}"><w:docDefaults><w:rPrDefault>{_look(_BODY)}</w:rPrDefault></w:docDefaults><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>{_look(_BODY)}</w:style></w:styles>',
        "word/settings.xml": f'<w:settings xmlns:w="{_WORD}"><w:evenAndOddHeaders/></w:settings>',
        "word/odd.xml": _foot("right"),
        "word/even.xml": _foot("left"),
    }
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            entry = zipfile.ZipInfo(name, MADE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            book.writestr(entry, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + text)


def _links(targets: Mapping[str, tuple[str, str]]) -> str:
    found = (f'<Relationship Id="{n}" Type="{_LINK}/{kind}" Target="{at}"/>' for n, (kind, at) in targets.items())
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{"".join(found)}</Relationships>'


def _foot(side: str) -> str:
    """The page number between dashes, a character in from the outer edge."""
    field = "".join(f'<w:r>{_look(_NUMBER)}{part}</w:r>' for part in (
        '<w:t xml:space="preserve">— </w:t>', '<w:fldChar w:fldCharType="begin"/>',
        '<w:instrText xml:space="preserve"> PAGE </w:instrText>', '<w:fldChar w:fldCharType="end"/>',
        '<w:t xml:space="preserve"> —</w:t>',
    ))  # fmt: skip
    place = f'<w:pPr><w:snapToGrid w:val="0"/><w:ind w:{side}Chars="100" w:{side}="280"/><w:jc w:val="{side}"/></w:pPr>'
    return f'<w:ftr xmlns:w="{_WORD}"><w:p>{place}{field}</w:p></w:ftr>'


def _word_section(number: int, section: Section) -> list[str]:
    found = [_paragraph(f"{capitals(number)}、{section.title}", _HEADING, indented=True)]
    found += [_paragraph(sentence.text, indented=True) for sentence in section.sentences]
    for grid in section.grids:
        found += [_paragraph(grid.title, _CAPTION), _word_grid(grid), _paragraph("")]
    return found


def _paragraph(text: str, face: _Face | None = None, *, centred: bool = False, indented: bool = False) -> str:
    layout = (
        '<w:jc w:val="center"/>' if centred else '<w:ind w:firstLineChars="200" w:firstLine="640"/>' if indented else ""
    )
    return f"<w:p><w:pPr>{layout}</w:pPr>{_run(text, face or _BODY)}</w:p>"


def _run(text: str, face: _Face) -> str:
    return f'<w:r>{_look(face)}<w:t xml:space="preserve">{_safe(text)}</w:t></w:r>'


def _look(face: _Face) -> str:
    closer = '<w:spacing w:val="-4"/>' if face.half_points == _BODY.half_points else ""
    return f'<w:rPr><w:rFonts w:ascii="Times New Roman" w:hAnsi="Times New Roman" w:eastAsia="{face.font}"/>{closer}<w:sz w:val="{face.half_points}"/></w:rPr>'


def _word_grid(grid: Grid) -> str:
    sides = "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="808080"/>'
        for side in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    columns = "".join(f'<w:gridCol w:w="{8840 // max(len(grid.head), 1)}"/>' for _ in grid.head)
    rows = _word_row(grid.head, head=True) + "".join(_word_row(row) for row in grid.rows)
    look = f'<w:tblPr><w:tblW w:w="5000" w:type="pct"/><w:tblBorders>{sides}</w:tblBorders></w:tblPr>'
    return f"<w:tbl>{look}<w:tblGrid>{columns}</w:tblGrid>{rows}</w:tbl>"


def _word_row(cells: Sequence[str], *, head: bool = False) -> str:
    repeated = "<w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>" if head else "<w:trPr><w:cantSplit/></w:trPr>"
    face = _CAPTION if head else _CELL
    filled = "".join(f'<w:tc><w:p><w:pPr><w:snapToGrid w:val="0"/></w:pPr>{_run(c, face)}</w:p></w:tc>' for c in cells)
    return f"<w:tr>{repeated}{filled}</w:tr>"
