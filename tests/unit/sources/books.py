"""Builders of workbooks for the tests: ordinary ones by xlsxwriter and openpyxl, hostile ones part by part."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

import xlsxwriter

CONTENT_TYPES = """<?xml version="1.0" encoding="UTF-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>
<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>
</Types>"""
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_RELS = f"""<?xml version="1.0" encoding="UTF-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>"""
WORKBOOK_RELS = f"""<?xml version="1.0" encoding="UTF-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>"""
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
WORKBOOK = f"""<?xml version="1.0" encoding="UTF-8"?>
<workbook {MAIN} xmlns:r="{OFFICE}"><sheets><sheet name="表一" sheetId="1" r:id="rId1"/></sheets></workbook>"""

AWAITING = WORKBOOK.replace("</workbook>", '<calcPr calcId="1" fullCalcOnLoad="1"/></workbook>')


def sheet_xml(data: str, *, head: str = "", tail: str = "") -> str:
    """A worksheet part around rows."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<worksheet {MAIN}>{head}<sheetData>{data}</sheetData>{tail}</worksheet>'


def strings_xml(*strings: str, counts: str | None = None) -> str:
    """A shared string table."""
    declared = counts if counts is not None else f'count="{len(strings)}" uniqueCount="{len(strings)}"'
    items = "".join(f"<si><t>{text}</t></si>" for text in strings)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<sst {MAIN} {declared}>{items}</sst>'


def package(
    sheet: str | bytes = "", strings: str | bytes = "", extra: Mapping[str, str | bytes] | None = None, **replaced: str
) -> bytes:
    """A minimal .xlsx of these parts. ``extra`` adds or replaces parts by their name."""
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": PACKAGE_RELS,
        "xl/_rels/workbook.xml.rels": replaced.get("workbook_rels", WORKBOOK_RELS),
        "xl/workbook.xml": replaced.get("workbook", WORKBOOK),
        "xl/worksheets/sheet1.xml": sheet or sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>'),
        "xl/sharedStrings.xml": strings or strings_xml("甲"),
    }
    parts.update(extra or {})
    return zipped(parts)


def zipped(parts: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, method)
    return buffer.getvalue()


def raw_zip(entries: list[tuple[str, bytes, int, int, int]], *, headers_at: list[int] | None = None) -> bytes:
    """A zip by hand: (name, packed bytes, declared size, crc, method); ``headers_at`` lets the directory point elsewhere."""
    body, places = b"", []
    for name, packed, size, crc, method in entries:
        places.append(len(body))
        raw = name.encode()
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, method, 0, 33, crc, len(packed), size, len(raw), 0)
        body += raw + packed
    directory = b""
    for (name, packed, size, crc, method), place in zip(entries, headers_at or places, strict=True):
        raw = name.encode()
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, method, 0, 33, crc, len(packed), size, len(raw), 0, 0, 0, 0, 0, place
        )
        directory += raw
    count = len(entries)
    return body + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)


def deflated(content: bytes) -> bytes:
    """Raw deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def book(fill: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    """A workbook written by xlsxwriter."""
    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(buffer, {"in_memory": True})
    fill(workbook)
    workbook.close()
    return buffer.getvalue()


def ordinary(rows: int = 30, columns: int = 12) -> bytes:
    """An ordinary workbook: text, figures, formulas with results, merges, formats, a comment, a hidden sheet."""

    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet("财务状况")
        money = workbook.add_format({"num_format": "#,##0"})
        sheet.merge_range(0, 0, 0, columns - 1, "企业财务状况表", money)
        for column in range(columns):
            sheet.write_string(1, column, f"指标{column}(千元)")
        for row in range(2, rows + 2):
            sheet.write_string(row, 0, f"91620100MA{row:08d}")
            for column in range(1, columns - 1):
                sheet.write_number(row, column, row * 1000 + column, money)
            sheet.write_formula(row, columns - 1, f"=SUM(B{row + 1}:C{row + 1})", money, row * 2000 + 3)
        sheet.write_comment("A2", "统一社会信用代码")
        sheet.protect()
        sheet.data_validation(
            "B3:B20", {"validate": "integer", "criteria": ">=", "value": 0, "input_message": "整数\n千元"}
        )
        sheet.conditional_format("B3:B20", {"type": "cell", "criteria": "<", "value": 0})
        hidden = workbook.add_worksheet("_meta")
        hidden.write_string("A1", "2025-Q1")
        hidden.very_hidden()

    return book(fill)


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file (version 3) of streams below the root; each at least 4,096 bytes long, else padded with zeros."""
    sector, end, free, fat_mark = 512, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
    contents = [content.ljust(4096, b"\0") for content in streams.values()]
    lengths = [-(-len(content) // sector) for content in contents]
    directory_sectors = -(-(len(streams) + 1) // 4)
    used = directory_sectors + sum(lengths)
    fat_sectors = 1
    while fat_sectors * 128 < used + fat_sectors:
        fat_sectors += 1
    fat = [fat_mark] * fat_sectors
    place = fat_sectors
    fat += [*range(place + 1, place + directory_sectors), end]
    place += directory_sectors
    starts = []
    for length in lengths:
        starts.append(place)
        fat += [*range(place + 1, place + length), end]
        place += length
    fat += [free] * (fat_sectors * 128 - len(fat))

    def item(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
        raw = name.encode("utf-16-le") + b"\0\0"
        head = raw.ljust(64, b"\0") + struct.pack("<HBB3L", len(raw), kind, 1, free, right, child)
        return head + bytes(16 + 4 + 16) + struct.pack("<LLL", start, size, 0)

    items = [item("Root Entry", 5, free, 1 if streams else free, end, 0)]
    for number, (name, content) in enumerate(zip(streams, contents, strict=True), 1):
        items.append(
            item(name, 2, number + 1 if number < len(streams) else free, free, starts[number - 1], len(content))
        )
    directory = b"".join(items).ljust(directory_sectors * sector, b"\0")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 62, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<9L", 0, fat_sectors, fat_sectors, 0, 4096, end, 0, end, 0)
    header += struct.pack("<109L", *range(fat_sectors), *([free] * (109 - fat_sectors)))
    return (
        header
        + struct.pack(f"<{len(fat)}L", *fat)
        + directory
        + b"".join(c.ljust(n * sector, b"\0") for c, n in zip(contents, lengths, strict=True))
    )


def record(kind: int, body: bytes) -> bytes:
    """One BIFF record."""
    return struct.pack("<HH", kind, len(body)) + body


def biff(cells: bytes, *, before: bytes = b"", kind: int = 0, strings: bytes | None = None) -> bytes:
    """An .xls file of one sheet: ``cells`` are its records, ``before`` records of the workbook."""
    bof = struct.pack("<HHHHLL", 0x600, 5, 0x0DBB, 0x07CC, 0, 6)
    name = "表".encode("utf-16-le")
    table = record(0xFC, strings) if strings is not None else b""
    head = record(0x809, bof) + before
    offset = len(head) + 4 + 8 + len(name) + len(table) + 4
    head += record(0x85, struct.pack("<LBBBB", offset, 0, kind, 1, 1) + name) + table + record(0x0A, b"")
    sheet = record(0x809, struct.pack("<HHHHLL", 0x600, 0x10, 0x0DBB, 0x07CC, 0, 6)) + cells + record(0x0A, b"")
    return compound({"Workbook": head + sheet})


def ods(table: str, *, extra: Mapping[str, str | bytes] | None = None, styles: str = "") -> bytes:
    """An .ods file of one sheet named 表."""
    names = {
        "office": "office:1.0", "table": "table:1.0", "text": "text:1.0", "style": "style:1.0",
        "calcext": "calcext", "dc": "dc",
    }  # fmt: skip
    spaces = " ".join(
        f'xmlns:{key}="urn:oasis:names:tc:opendocument:xmlns:{value}"' for key, value in names.items()
    ).replace(
        '"urn:oasis:names:tc:opendocument:xmlns:calcext"',
        '"urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"',
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.3">'
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>"
        f'<table:table table:name="表">{table}</table:table></office:spreadsheet></office:body></office:document-content>'
    )
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?><manifest:manifest '
        'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">'
        '<manifest:file-entry manifest:full-path="/" '
        'manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    parts: dict[str, str | bytes] = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": content,
        "META-INF/manifest.xml": manifest,
    }
    parts.update(extra or {})
    return zipped(parts)
