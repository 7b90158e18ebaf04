"""The attack files of the reliability notes, section 2.2, and more of their kind: name → (file name, bytes, code of the refusal)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from tests.unit.sources.books import (
    CONTENT_TYPES,
    MAIN,
    OFFICE,
    PACKAGE_RELS,
    WORKBOOK,
    WORKBOOK_RELS,
    biff,
    compound,
    deflated,
    ods,
    ordinary,
    package,
    raw_zip,
    record,
    sheet_xml,
    strings_xml,
    zipped,
)

Attack = tuple[str, bytes, str]
ATTACKS: dict[str, Callable[[], Attack]] = {}
MIB = 1 << 20


def attack(build: Callable[[], Attack]) -> Callable[[], Attack]:
    """Register an attack under its function's name."""
    ATTACKS[build.__name__] = build
    return build


def _sheet(name: str, data: str, code: str, *, tail: str = "", strings: str = "") -> None:
    def build() -> Attack:
        return "a.xlsx", package(sheet_xml(data, tail=tail), strings), code

    ATTACKS[name] = build


def _cell(reference: str, content: str = "<v>1</v>", attributes: str = "") -> str:
    return f'<c r="{reference}"{attributes}>{content}</c>'


_sheet("two_far_cells", f'<row r="1">{_cell("A1")}</row><row r="1048576">{_cell("XFD1048576")}</row>', "sparse_box")
_sheet("a1_and_z1048576", f'<row r="1">{_cell("A1")}</row><row r="1048576">{_cell("Z1048576")}</row>', "sparse_box")
_sheet("far_cell_with_entity_in_reference", f"<row>{_cell('&#88;FD1048576')}</row>", "sparse_box")
_sheet("far_row_in_one_column", f'<row r="900000">{_cell("A900000")}</row>', "too_many_rows")
_sheet("far_column_in_one_row", f'<row r="1">{_cell("XFD1")}</row>', "too_many_columns")
_sheet("row_beyond_the_sheet", f'<row r="1">{_cell("A99999999999")}</row>', "bad_cell_ref")
_sheet("row_number_beyond_the_sheet", f'<row r="4294967297">{_cell("A1")}</row>', "bad_cell_ref")
_sheet("row_zero", f'<row r="1">{_cell("A0")}</row>', "bad_cell_ref")
_sheet("column_beyond_the_sheet", f'<row r="1">{_cell("XFE1")}</row>', "bad_cell_ref")
_sheet("column_that_wraps", f'<row r="1">{_cell("ZZZZZZZZZZ1")}</row>', "bad_cell_ref")
_sheet("cells_without_reference_past_the_last_column", "<row>" + "<c><v>1</v></c>" * 16_385 + "</row>", "bad_cell_ref")
_sheet("absolute_reference", f'<row r="1">{_cell("$A$1")}</row>', "bad_cell_ref")
_sheet("string_index_out_of_range", '<row r="1"><c r="A1" t="s"><v>7</v></c></row>', "bad_string_index")
_sheet("string_index_negative", '<row r="1"><c r="A1" t="s"><v>-1</v></c></row>', "bad_string_index")
_sheet("sst_unique_count", "", "sst_count", strings=strings_xml("甲", counts='count="1" uniqueCount="4294967295"'))
_sheet("sst_count_no_number", "", "sst_count", strings=strings_xml("甲", counts='count="1" uniqueCount="-5"'))
_sheet("one_merge_over_the_sheet", f'<row r="1">{_cell("A1")}</row>', "merge_area", tail='<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>')  # fmt: skip
_sheet("many_wide_merges", f'<row r="1">{_cell("A1")}</row>', "merge_area", tail="<mergeCells>" + "".join(f'<mergeCell ref="A{i}:XFD{i}"/>' for i in range(1, 2001)) + "</mergeCells>")  # fmt: skip
_sheet("many_merges", f'<row r="1">{_cell("A1")}</row>', "merge_count", tail="<mergeCells>" + "".join(f'<mergeCell ref="A{i}:B{i}"/>' for i in range(1, 20_003)) + "</mergeCells>")  # fmt: skip
_sheet("merge_outside_the_sheet", f'<row r="1">{_cell("A1")}</row>', "bad_cell_ref", tail='<mergeCells><mergeCell ref="A1:XFE9"/></mergeCells>')  # fmt: skip
_sheet("dde_in_a_formula", f'<row r="1">{_cell("A1", "<f>cmd|&apos;/C calc&apos;!A0</f><v>1</v>")}</row>', "dde")
_sheet("deep_nesting", "<row>" * 80 + "</row>" * 80, "too_deep")
_sheet("many_attributes", "<row " + " ".join(f'a{i}="1"' for i in range(300)) + "/>", "too_many_attributes")
_sheet("broken_xml", '<row r="1"><c r="A1"><v>1</v></row>', "bad_xml")
_sheet("undefined_entity", f'<row r="1">{_cell("A1", "<v>&x;</v>")}</row>', "bad_xml")

LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
XXE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
BODY = f'<worksheet {MAIN}><sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>'


def _with_prolog(name: str, prolog: str, encoding: str = "utf-8") -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{prolog}{BODY}'
    ATTACKS[name] = lambda: ("a.xlsx", package(text.encode(encoding)), "doctype")


_with_prolog("billion_laughs_in_a_sheet", LAUGHS)
_with_prolog("external_entity_in_a_sheet", XXE)
_with_prolog("external_entity_in_utf16", XXE, "utf-16")
_with_prolog("quadratic_blowup", f'<!DOCTYPE x [<!ENTITY a "{"x" * 50_000}">]>')
_with_prolog("plain_doctype", "<!DOCTYPE worksheet>")
_with_prolog("parameter_entity", '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]>')


@attack
def doctype_in_a_large_sheet() -> Attack:
    rows = "".join(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c></row>' for i in range(1, 3000))
    return "a.xlsx", package(sheet_xml(rows).replace("<worksheet", XXE + "<worksheet", 1)), "doctype"


@attack
def external_entity_in_strings() -> Attack:
    return "a.xlsx", package(strings=strings_xml("&f;").replace("<sst", XXE + "<sst", 1)), "doctype"


@attack
def doctype_in_a_part_nobody_reads() -> Attack:
    return "a.xlsx", package(extra={"customXml/item1.xml": LAUGHS + "<x/>"}), "doctype"


@attack
def doctype_in_a_part_without_extension() -> Attack:
    return "a.xlsx", package(extra={"xl/hidden": XXE + "<x/>"}), "doctype"


@attack
def sheet_under_an_odd_name() -> Attack:
    far = sheet_xml(f'<row r="1">{_cell("A1")}</row><row r="1048576">{_cell("XFD1048576")}</row>')
    return "a.xlsx", package(extra={"xl/theme/theme9.xml": far}), "sparse_box"


@attack
def prefixed_far_cell_in_a_large_sheet() -> Attack:
    rows = "".join(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c></row>' for i in range(1, 3000))
    far = '<x:row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>'
    xml = sheet_xml(rows + far).replace(
        "<worksheet ", '<worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    )
    return "a.xlsx", package(xml), "sparse_box"


@attack
def far_cell_hidden_by_a_comment_in_a_large_sheet() -> Attack:
    rows = "".join(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c></row>' for i in range(1, 3000))
    return "a.xlsx", package(sheet_xml(rows + '<!-- </sheetData> --><row><c r="XFD1048576"><v>1</v></c></row>')), "sparse_box"  # fmt: skip


@attack
def far_cell_in_a_second_sheet_data() -> Attack:
    rows = "".join(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c></row>' for i in range(1, 3000))
    tail = '<sheetData><row><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    return "a.xlsx", package(sheet_xml(rows, tail=tail)), "sparse_box"


@attack
def far_cells_on_many_sheets() -> Attack:
    names = "".join(f'<sheet name="s{i}" sheetId="{i}" r:id="rId{i}"/>' for i in range(1, 30))
    rels = "".join(f'<Relationship Id="rId{i}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>' for i in range(1, 30))  # fmt: skip
    far = sheet_xml(f'<row r="1">{_cell("A1")}</row><row r="6000">{_cell("ABC6000")}</row>')
    return (
        "a.xlsx",
        package(
            extra={f"xl/worksheets/sheet{i}.xml": far for i in range(1, 30)},
            workbook=WORKBOOK.split("<sheets>")[0] + f"<sheets>{names}</sheets></workbook>",
            workbook_rels=WORKBOOK_RELS.split("<Relationship ")[0] + rels + "</Relationships>",
        ),
        "sparse_box",
    )


@attack
def too_many_sheets() -> Attack:
    names = "".join(f'<sheet name="s{i}" sheetId="{i}" r:id="rId1"/>' for i in range(1, 300))
    return "a.xlsx", package(workbook=WORKBOOK.split("<sheets>")[0] + f"<sheets>{names}</sheets></workbook>"), "too_many_sheets"  # fmt: skip


@attack
def one_long_string_many_times() -> Attack:
    rows = "".join(
        f'<row r="{r}">' + "".join(_cell(f"{c}{r}", "<v>0</v>", ' t="s"') for c in "ABCDEFGHIJ") + "</row>"
        for r in range(1, 1001)
    )
    return "a.xlsx", package(sheet_xml(rows), strings_xml("长" * 32_767)), "string_amplification"


@attack
def one_long_string_many_times_with_types_in_front() -> Attack:
    rows = "".join(
        f'<row r="{r}">' + "".join(_cell(f"{c}{r}", "<v>0</v>", ' t="s" t2="" s="1"') for c in "ABCDEFGHIJ") + "</row>"
        for r in range(1, 1001)
    )
    return "a.xlsx", package(sheet_xml(rows), strings_xml("长" * 32_767)), "string_amplification"


@attack
def spaces_in_a_sheet() -> Attack:
    return "a.xlsx", package(sheet_xml(" " * (40 * MIB))), "ratio"


@attack
def spaces_in_a_string() -> Attack:
    return "a.xlsx", package(strings=strings_xml(" " * (40 * MIB))), "ratio"


@attack
def entry_beyond_the_limit() -> Attack:
    packed = deflated(b" " * MIB) * 10
    return "a.xlsx", raw_zip([("[Content_Types].xml", packed, 600 * MIB, 0, 8)]), "expands_too_much"


@attack
def all_entries_beyond_the_limit() -> Attack:
    packed = bytes(700_000)
    return "a.xlsx", raw_zip([(f"p{i}", packed, 100 * MIB, 0, 8) for i in range(3)]), "expands_too_much"


@attack
def bomb_with_a_falsified_size() -> Attack:
    content = sheet_xml(" " * (20 * MIB)).encode()
    parts = _parts()
    packed = deflated(content)
    parts[3] = ("xl/worksheets/sheet1.xml", packed, 1000, zlib.crc32(content), 8)
    return "a.xlsx", raw_zip(parts), "zip_size_lie"


@attack
def wrong_checksum() -> Attack:
    parts = _parts()
    name, packed, size, crc, method = parts[3]
    parts[3] = (name, packed, size, crc ^ 1, method)
    return "a.xlsx", raw_zip(parts), "damaged"


def _parts() -> list[tuple[str, bytes, int, int, int]]:
    parts = {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": PACKAGE_RELS,
        "xl/workbook.xml": WORKBOOK,
        "xl/worksheets/sheet1.xml": sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>'),
        "xl/_rels/workbook.xml.rels": WORKBOOK_RELS,
        "xl/sharedStrings.xml": strings_xml("甲"),
    }
    return [(n, deflated(t.encode()), len(t.encode()), zlib.crc32(t.encode()), 8) for n, t in parts.items()]


@attack
def overlapping_entries() -> Attack:
    content = b"x" * 100
    entries = [(f"p{i}", content, 100, zlib.crc32(content), 0) for i in range(50)]
    return "a.xlsx", raw_zip(entries, headers_at=[0] * 50), "zip_overlap"


@attack
def quoted_overlap() -> Attack:
    inner = raw_zip([("b", b"y" * 50, 50, zlib.crc32(b"y" * 50), 0)])[:81]
    entries = [("a", inner, len(inner), zlib.crc32(inner), 0), ("b", b"y" * 50, 50, zlib.crc32(b"y" * 50), 0)]
    return "a.xlsx", raw_zip(entries, headers_at=[0, 31]), "zip_overlap"


@attack
def duplicate_entry() -> Attack:
    entries = _parts()
    return "a.xlsx", raw_zip([*entries, entries[3]]), "zip_duplicate"


@attack
def duplicate_entry_in_another_case() -> Attack:
    entries = _parts()
    name, packed, size, crc, method = entries[3]
    return "a.xlsx", raw_zip([*entries, (name.upper(), packed, size, crc, method)]), "zip_duplicate"


def _extra_name(name: str, entry: str) -> None:
    ATTACKS[name] = lambda: ("a.xlsx", package(extra={entry: "x"}), "zip_traversal")


_extra_name("traversal", "../../etc/cron.d/x")
_extra_name("traversal_with_backslashes", "xl\\..\\..\\x")
_extra_name("absolute_name", "/etc/passwd")
_extra_name("drive_name", "C:/windows/x")


@attack
def seventy_thousand_entries() -> Attack:
    return "a.xlsx", raw_zip([(f"p{i}", b"", 0, 0, 0) for i in range(3_000)]), "zip_entries"


@attack
def program_before_the_zip() -> Attack:
    return "a.xlsx", b"MZ" + bytes(500) + package(), "zip_prefix"


@attack
def bytes_after_the_zip() -> Attack:
    return "a.xlsx", package() + b"more", "zip_trailing"


@attack
def comment_longer_than_declared() -> Attack:
    data = bytearray(package())
    data[-2:] = struct.pack("<H", 500)
    return "a.xlsx", bytes(data), "truncated"


@attack
def multi_disk() -> Attack:
    data = bytearray(package())
    data[-18:-16] = struct.pack("<H", 1)
    return "a.xlsx", bytes(data), "zip_multidisk"


@attack
def unknown_method() -> Attack:
    return "a.xlsx", raw_zip([("a", b"x", 1, 0, 99)]), "zip_method"


@attack
def encrypted_zip() -> Attack:
    data = bytearray(package())
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    return "a.xlsx", bytes(data), "encrypted"


@attack
def dde_link() -> Attack:
    link = f'<externalLink {MAIN}><ddeLink ddeService="cmd" ddeTopic="/c calc"><ddeItems/></ddeLink></externalLink>'
    return "a.xlsx", package(extra={"xl/externalLinks/externalLink1.xml": link}), "dde"


@attack
def macro_sheet() -> Attack:
    return "a.xlsm", package(extra={"xl/macrosheets/sheet1.xml": "<x/>"}), "xlm_macro"


@attack
def macro_sheet_by_its_root() -> Attack:
    return "a.xlsm", package(extra={"xl/other.xml": "<xm:macrosheet xmlns:xm='urn:x'/>"}), "xlm_macro"


@attack
def word_document() -> Attack:
    rels = f'<Relationships><Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
    parts = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": rels,
        "word/document.xml": "<w:document xmlns:w='urn:w'/>",
    }
    return "a.xlsx", zipped(parts), "not_a_workbook"


@attack
def zip_of_workbooks() -> Attack:
    return "a.xlsx", zipped({"甲.xlsx": package(), "乙.xlsx": package()}), "archive"


@attack
def quine_like_archive() -> Attack:
    return "a.xlsx", zipped({"r/r.zip": zipped({"r/r.zip": b"PK"})}), "not_a_workbook"


@attack
def empty_file() -> Attack:
    return "a.xlsx", b"", "empty"


@attack
def huge_file() -> Attack:
    return "a.xlsx", bytes(20 * MIB + 1), "too_large"


@attack
def html_named_xls() -> Attack:
    return "a.xls", "<html><table><tr><td>营业收入</td></tr></table></html>".encode(), "html_as_xls"


@attack
def xml_spreadsheet_named_xls() -> Attack:
    return (
        "a.xls",
        b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
        "xml_as_xls",
    )


@attack
def pdf_named_xlsx() -> Attack:
    return "a.xlsx", b"%PDF-1.7\n...", "pdf"


@attack
def csv_in_gbk_named_xlsx() -> Attack:
    return "a.xlsx", "企业名称,营业收入\n某公司,12\n".encode("gbk"), "text_as_workbook"


@attack
def picture_named_xlsx() -> Attack:
    return "a.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "wrong_type"


@attack
def program_by_name() -> Attack:
    return "a.exe", package(), "wrong_type"


@attack
def old_text_by_name() -> Attack:
    return "a.docx", "文字".encode(), "wrong_type"


@attack
def rar() -> Attack:
    return "a.xlsx", b"Rar!\x1a\x07\x01\0" + bytes(50), "archive"


@attack
def truncated_workbook() -> Attack:
    data = ordinary()
    return "a.xlsx", data[: len(data) // 2], "truncated"


@attack
def encrypted_package() -> Attack:
    return "a.xlsx", compound({"EncryptionInfo": b"\4\0\4\0", "EncryptedPackage": bytes(5000)}), "encrypted"


@attack
def encrypted_xls() -> Attack:
    return "a.xls", biff(b"", before=record(0x2F, b"\1\0\1\0\1\0" + bytes(48))), "encrypted"


@attack
def word_document_in_ole() -> Attack:
    return "a.xls", compound({"WordDocument": bytes(5000)}), "not_a_workbook"


@attack
def ole_with_absurd_counts() -> Attack:
    data = bytearray(biff(record(0x203, struct.pack("<HHHd", 0, 0, 0, 1.0))))
    data[44:48] = struct.pack("<L", 0x7FFFFFFF)
    return "a.xls", bytes(data), "truncated"


@attack
def ole_with_a_looping_chain() -> Attack:
    data = bytearray(biff(record(0x203, struct.pack("<HHHd", 0, 0, 0, 1.0))))
    # the FAT is the first sector, the directory the second: let the directory follow itself
    data[512 + 4 : 512 + 8] = struct.pack("<L", 1)
    return "a.xls", bytes(data), "damaged"


@attack
def truncated_xls() -> Attack:
    data = biff(record(0x203, struct.pack("<HHHd", 0, 0, 0, 1.0)))
    return "a.xls", data[: len(data) - 4000], "truncated"


@attack
def macro_sheet_in_xls() -> Attack:
    return "a.xls", biff(b"", kind=1), "xlm_macro"


@attack
def dde_in_xls() -> Attack:
    path = b"cmd\x03/c calc"
    link = record(0x1AE, struct.pack("<HHB", 0, len(path), 0) + path) + record(
        0x23, struct.pack("<HHHB", 2, 0, 0, 1) + b"\0A"
    )
    return "a.xls", biff(b"", before=link), "dde"


@attack
def sparse_xls() -> Attack:
    cells = record(0x203, struct.pack("<HHHd", 0, 0, 0, 1.0)) + record(0x203, struct.pack("<HHHd", 65_535, 255, 0, 1.0))
    return "a.xls", biff(cells), "sparse_box"


@attack
def strings_in_xls_many_times() -> Attack:
    text = "长" * 4000
    strings = struct.pack("<LLHB", 9000, 1, len(text), 1) + text.encode("utf-16-le")
    cells = b"".join(record(0xFD, struct.pack("<HHHL", r, c, 0, 0)) for r in range(300) for c in range(250))
    return "a.xls", biff(cells, strings=strings), "string_amplification"


@attack
def string_index_in_xls() -> Attack:
    return "a.xls", biff(record(0xFD, struct.pack("<HHHL", 0, 0, 0, 9))), "bad_string_index"


@attack
def sst_count_in_xls() -> Attack:
    return "a.xls", biff(b"", strings=struct.pack("<LL", 1, 0x7FFFFFFF)), "sst_count"


@attack
def ods_repeated_string() -> Attack:
    cell = '<table:table-cell office:value-type="string" table:number-columns-repeated="1000"><text:p>' + "x" * 10_000 + "</text:p></table:table-cell>"  # fmt: skip
    return "a.ods", ods(f'<table:table-row table:number-rows-repeated="10000">{cell}</table:table-row>'), "string_amplification"  # fmt: skip


@attack
def ods_repeated_cells() -> Attack:
    cell = '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="65536"/>'
    return "a.ods", ods(f'<table:table-row table:number-rows-repeated="65536">{cell}</table:table-row>'), "repeat"


@attack
def ods_far_cell() -> Attack:
    cell = '<table:table-cell table:number-columns-repeated="16000"/><table:table-cell office:value-type="float" office:value="1"/>'
    return "a.ods", ods(f'<table:table-row table:number-rows-repeated="900000"/><table:table-row>{cell}</table:table-row>'), "sparse_box"  # fmt: skip


@attack
def ods_merge() -> Attack:
    cell = '<table:table-cell table:number-columns-spanned="16384" table:number-rows-spanned="1048576" office:value-type="float" office:value="1"/>'  # fmt: skip
    return "a.ods", ods(f"<table:table-row>{cell}</table:table-row>"), "merge_area"


@attack
def ods_doctype() -> Attack:
    return (
        "a.ods",
        ods("", extra={"content.xml": LAUGHS + "<office:document-content xmlns:office='urn:o'/>"}),
        "doctype",
    )


@attack
def ods_encrypted() -> Attack:
    manifest = '<manifest xmlns="urn:m"><file-entry full-path="content.xml"><encryption-data/></file-entry></manifest>'
    return "a.ods", ods("", extra={"META-INF/manifest.xml": manifest}), "encrypted"


@attack
def ods_dde() -> Attack:
    source = '<office:dde-source office:dde-application="soffice" office:dde-topic="x" office:dde-item="y"/>'
    return "a.ods", ods(source), "dde"


@attack
def text_document_named_ods() -> Attack:
    return "a.ods", ods("", extra={"mimetype": "application/vnd.oasis.opendocument.text"}), "not_a_workbook"


def xlsb(sheet: bytes, strings: bytes = b"") -> bytes:
    def wide(text: str) -> bytes:
        return struct.pack("<I", len(text)) + text.encode("utf-16-le")

    listed = record12(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("表"))
    workbook = record12(131, b"") + record12(153, bytes(12)) + record12(143, b"") + listed
    workbook += record12(144, b"") + record12(157, bytes(26)) + record12(132, b"")
    extent = record12(148, struct.pack("<4I", 0, 0, 0, 0))
    rels = WORKBOOK_RELS.replace(".xml", ".bin")
    root = f'<Relationships><Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.bin"/></Relationships>'
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": root,
            "xl/workbook.bin": workbook,
            "xl/_rels/workbook.bin.rels": rels,
            "xl/worksheets/sheet1.bin": record12(129, b"") + extent + record12(145, b"") + sheet + record12(146, b""),
            "xl/sharedStrings.bin": strings or record12(159, bytes(8)) + record12(160, b""),
        }
    )


def record12(kind: int, body: bytes) -> bytes:
    """One BIFF12 record."""
    head = bytes([kind]) if kind < 128 else bytes([(kind & 0x7F) | 0x80, kind >> 7])
    length = len(body)
    size = bytes([length]) if length < 128 else bytes([(length & 0x7F) | 0x80, length >> 7])
    return head + size + body


def row12(row: int) -> bytes:
    """A row header of BIFF12."""
    return record12(0, struct.pack("<IIHBBB", row, 0, 300, 0, 0, 0))


@attack
def xlsb_far_cell() -> Attack:
    sheet = (
        row12(0)
        + record12(5, struct.pack("<IId", 0, 0, 1.0))
        + row12(1_048_575)
        + record12(5, struct.pack("<IId", 16_383, 0, 1.0))
    )
    return "a.xlsb", xlsb(sheet), "sparse_box"


@attack
def xlsb_sst_count() -> Attack:
    return "a.xlsb", xlsb(row12(0), record12(159, struct.pack("<II", 1, 0xFFFFFFF0))), "sst_count"


@attack
def xlsb_string_index() -> Attack:
    return "a.xlsb", xlsb(row12(0) + record12(7, struct.pack("<III", 0, 0, 5))), "bad_string_index"


@attack
def xlsb_truncated_record() -> Attack:
    return "a.xlsb", xlsb(row12(0) + bytes([5, 127])), "truncated"


@attack
def csv_with_dde() -> Attack:
    return "a.csv", "企业,数\n=cmd|'/C calc'!A0,1\n".encode(), "dde"


@attack
def csv_in_no_encoding() -> Attack:
    return "a.csv", b"\xff\xa0abc,1\n\x80\xff", "encoding"


@attack
def csv_with_nul() -> Attack:
    return "a.csv", b"a,b\n1,\0\n", "binary_text"


@attack
def csv_with_an_open_quote() -> Attack:
    return "a.csv", b'a,b\n"1,2\n3,4', "csv_shape"


@attack
def csv_too_wide() -> Attack:
    return "a.csv", b"1," * 3000, "too_many_columns"
