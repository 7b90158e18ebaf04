"""Our own sheet 审核结果 inside a park's workbook: written as XML, read again when the workbook comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from sources.marked_list import (
    GUIDE,
    KEYS,
    MOST_ROWS,
    TITLES,
    WIDTHS,
    Explanation,
    FindingKey,
    Group,
    Listed,
    beyond,
    counted,
)
from sources.marked_package import MAIN, Element, Package, cell_text, plain_text
from sources.marked_sheet import address, place_of
from sources.marked_styles import FILLS, Styles
from sources.problems import SOFT
from sources.writer import lines_of, quoted

HEAD_ROW = 5
PLACE, KIND = TITLES.index("位置"), TITLES.index("类型")
REASON, TEXT = TITLES.index("原因码"), TITLES.index("情况说明")
MOST_LINKS = 60_000
LINE_HEIGHT, MOST_LINES = 14, 8


@dataclass(frozen=True)
class Earlier:
    """What our sheet said when it went out: how to undo the marks, and what the park has explained since."""

    origins: Mapping[tuple[str, str], str] = field(default_factory=dict)
    explanations: Mapping[FindingKey, Explanation] = field(default_factory=dict)


@dataclass(frozen=True)
class MarkedLine:
    """One line with the cell that carries its mark (none where it has no place) and the fill that was there."""

    line: Listed
    cell: str = ""
    origin: str = ""


def findings_sheet(
    groups: Sequence[Group],
    marked: Mapping[int, MarkedLine],
    styles: Styles,
    told: Mapping[FindingKey, Explanation],
    heading: str,
    reasons: Sequence[tuple[str, str]],
) -> bytes:
    """The worksheet part: the lines under the headings of their causes. Text is written inline; links lead to the marked
    cells. ``marked``: ``id`` of a line → the line with its cell."""
    title = styles.own("<b/>", "", "", border=False, size=14)
    strong = styles.own("<b/>", "", "", border=False)
    plain_text = styles.own("", "", "", border=False)
    head = styles.own("<b/>", "FFDCE6F1", ' horizontal="center" wrapText="1"')
    rows = [
        _row(1, [(0, heading or "审核结果", title)]).replace('<row r="1">', '<row r="1" ht="24" customHeight="1">'),
        _row(2, [(0, counted(groups), strong)]),
        _row(3, [(0, GUIDE, plain_text)]),
        _row(HEAD_ROW, [(n, text, head) for n, text in enumerate((*TITLES, *KEYS))]),
    ]
    listed, links = _lines(groups, marked, styles, told)
    last = HEAD_ROW + max(len(listed), 1)
    total = sum(len(group.lines) for group in groups)
    if total > MOST_ROWS:
        listed.append(_row(last + 1, [(0, beyond(total), strong)]))
    return _part([*rows, *listed], links, last, [code for code, _ in reasons])


def _lines(
    groups: Sequence[Group],
    marked: Mapping[int, MarkedLine],
    styles: Styles,
    told: Mapping[FindingKey, Explanation],
) -> tuple[list[str], list[str]]:
    """Rows and links: under the heading of each cause its findings."""
    wrapped = ' wrapText="1"'
    plain_text = styles.own("", "", "", border=False)
    body = styles.own("", "", wrapped)
    above = styles.own("<b/>", "FFEDEDED", wrapped)
    link = styles.own('<u/><color rgb="FF1F4E79"/>', "", wrapped)
    tinted = {kind: styles.own("", FILLS["soft" if kind == SOFT else "hard"], wrapped) for kind in ("错误", SOFT)}
    rows: list[str] = []
    links: list[str] = []
    count = 0
    for group in groups:
        if count >= MOST_ROWS:
            break
        if heading := group.heading():
            rows.append(_row(HEAD_ROW + 1 + len(rows), [(n, text, above) for n, text in enumerate(heading)]))
        for line in group.lines[: MOST_ROWS - count]:
            count, number = count + 1, HEAD_ROW + 1 + len(rows)
            place = marked.get(id(line), MarkedLine(line))
            looks = [body] * len(TITLES)
            looks[KIND] = tinted[line.kind]
            if place.cell and len(links) < MOST_LINKS:
                looks[PLACE] = link
                location = f"{quoted(line.sheet)}!{place.cell}"
                links.append(f"<hyperlink ref={quoteattr(address(number, PLACE))} location={quoteattr(location)}/>")
            hidden = (*line.key, line.sheet if place.cell else "", place.cell, place.origin)
            printed = line.printed(count, group.label, told.get(line.key, ("", "")))
            cells = [*zip(printed, looks, strict=True), *((text, plain_text) for text in hidden)]
            lines = max(lines_of(text, width) for text, width in zip(printed, WIDTHS, strict=True))
            rows.append(_row(number, [(column, text, style) for column, (text, style) in enumerate(cells)], lines))
    return rows, links


def _part(rows: Sequence[str], links: Sequence[str], last: int, reasons: Sequence[str]) -> bytes:
    widths = "".join(f'<col min="{n}" max="{n}" width="{w}" customWidth="1"/>' for n, w in enumerate(WIDTHS, start=1))
    first_hidden, last_hidden = len(TITLES) + 1, len(TITLES) + len(KEYS)
    hidden = f'<col min="{first_hidden}" max="{last_hidden}" width="9" hidden="1" customWidth="1"/>'
    listed = ",".join(reasons)
    validations = ""
    if reasons and len(listed) <= 250:
        area = f"{address(HEAD_ROW + 1, REASON)}:{address(last, REASON)}"
        validations = (
            f'<dataValidations count="1"><dataValidation type="list" allowBlank="1" showErrorMessage="1" '
            f'errorTitle="原因码无效" error="请从下拉框选择。" sqref="{area}"><formula1>"{escape(listed)}"</formula1>'
            "</dataValidation></dataValidations>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<worksheet xmlns="{MAIN}"><sheetPr><tabColor rgb="FFC00000"/><pageSetUpPr fitToPage="1"/></sheetPr>'
        f'<sheetViews><sheetView tabSelected="1" workbookViewId="0"><pane ySplit="{HEAD_ROW}" '
        f'topLeftCell="A{HEAD_ROW + 1}" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="{LINE_HEIGHT}"/><cols>{widths}{hidden}</cols>'
        f"<sheetData>{''.join(rows)}</sheetData>"
        f'<autoFilter ref="{address(HEAD_ROW, 0)}:{address(last, len(TITLES) - 1)}"/>{validations}'
        + (f"<hyperlinks>{''.join(links)}</hyperlinks>" if links else "")
        + '<pageMargins left="0.5" right="0.5" top="0.6" bottom="0.6" header="0.3" footer="0.3"/>'
        '<pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/>'
        "<headerFooter><oddFooter>&amp;C第 &amp;P 页 共 &amp;N 页</oddFooter></headerFooter></worksheet>"
    ).encode()


def _row(number: int, cells: Sequence[tuple[int, str, int]], lines: int = 1) -> str:
    inside = "".join(
        f'<c r="{address(number, column)}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape(cell_text(text))}'
        "</t></is></c>"
        if text
        else f'<c r="{address(number, column)}" s="{style}"/>'
        for column, text, style in cells
    )
    height = f' ht="{LINE_HEIGHT * min(lines, MOST_LINES)}" customHeight="1"' if lines > 1 else ""
    return f'<row r="{number}"{height}>{inside}</row>'


def read_earlier(package: Package, part: str, shared_strings: str) -> Earlier:
    """What our sheet says in a workbook that came back, whatever program saved it; nothing where it cannot be read."""
    texts = _shared(package, shared_strings)
    root = package.tree(part)
    rows = [_texts(row, texts) for row in root.iter(f"{{{MAIN}}}row")]
    head = next((row for row in rows if {TITLES[0], TITLES[TEXT], KEYS[-1]} <= set(row.values())), None)
    if head is None:
        return Earlier()
    column = {title: at for at, title in head.items()}
    origins: dict[tuple[str, str], str] = {}
    explanations: dict[FindingKey, Explanation] = {}
    for row in rows[rows.index(head) + 1 :]:
        keys = [row.get(column.get(title, -1), "") for title in KEYS]
        if keys[4] and keys[5]:
            origins.setdefault((keys[4], keys[5]), keys[6])
        reason, text = (row.get(column.get(title, -1), "").strip() for title in ("原因码", "情况说明"))
        if keys[0] and (reason or text):
            explanations[(keys[0], keys[1], keys[2], keys[3])] = (reason, text)
    return Earlier(origins, explanations)


def _shared(package: Package, part: str) -> list[str]:
    if not part or not package.has(part):
        return []
    root = package.tree(part)
    return [_joined(item) for item in root.iter(f"{{{MAIN}}}si")]


def _joined(element: Element) -> str:
    skipped = {id(t) for phonetic in element.iter(f"{{{MAIN}}}rPh") for t in phonetic.iter(f"{{{MAIN}}}t")}
    return "".join(t.text or "" for t in element.iter(f"{{{MAIN}}}t") if id(t) not in skipped)


def _texts(row: Element, shared: Sequence[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    column = -1
    for cell in row.iter(f"{{{MAIN}}}c"):
        place = place_of(cell.get("r") or "")
        column = place[1] if place else column + 1
        value = cell.find(f"{{{MAIN}}}v")
        text = (value.text or "") if value is not None else ""
        if cell.get("t") == "s":
            text = shared[int(text)] if text.isdigit() and int(text) < len(shared) else ""
        elif cell.get("t") == "inlineStr":
            text = _joined(cell)
        if text:
            found[column] = plain_text(text)
    return found
