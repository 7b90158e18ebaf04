"""An Office package opened for small repairs: parts are replaced or added, every other member is copied byte for byte."""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any, TypeAlias

from lxml import etree

from schemas.errors import SubmissionError
from sources.writer import clean

Element: TypeAlias = Any

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
CONTENT_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
WORKBOOK_TYPES = frozenset(
    {
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
        "application/vnd.ms-excel.template.macroEnabled.main+xml",
    }
)

TYPES_PART = "[Content_Types].xml"
STAMP = (1980, 1, 1, 0, 0, 0)
LEVEL = 4
"""Deflate level of rewritten parts: level 6 takes twice the time for three percent less."""

_ESCAPE = re.compile(r"_(x[0-9A-Fa-f]{4}_)")
LARGEST_TREE = 64 * 1024 * 1024


def cannot_mark(reason: str) -> SubmissionError:
    """The refusal to edit a workbook in place; the caller hands out a list of findings instead."""
    return SubmissionError("cannot_mark", f"该工作簿不能直接标注:{reason}。请对照问题清单修改原工作簿。")


@dataclass(frozen=True)
class Relationship:
    """One relationship of a part; ``target`` is a part name without leading slash, or the address outside."""

    id: str
    type: str
    target: str
    is_external: bool

    @property
    def kind(self) -> str:
        """Last word of the type: worksheet, comments, vmlDrawing."""
        return self.type.rsplit("/", 1)[-1]


class Package:
    """A zip container being edited in memory. Raises SubmissionError ``cannot_mark`` for what cannot be edited safely."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise cannot_mark("不是 .xlsx 工作簿,或已加密") from error
        infos = self._zip.infolist()
        self._names = {info.filename.lstrip("/").lower(): info.filename for info in infos}
        if len(self._names) != len(infos):
            raise cannot_mark("压缩包内有重名的部件")
        if any(
            info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos
        ):
            raise cannot_mark("压缩包已加密,或用了不常见的压缩方法")
        if any(name.startswith(("_xmlsignatures/", "xl/revisions/")) for name in self._names):
            raise cannot_mark("工作簿带有数字签名或共享修订记录,改动会使其失效")
        self._changed: dict[str, bytes] = {}
        self._added: dict[str, bytes] = {}

    def has(self, part: str) -> bool:
        """Whether the part exists; part names do not distinguish case."""
        return part in self._added or part.lower() in self._names

    def read(self, part: str) -> bytes:
        """The content of a part as it now is."""
        if part in self._added:
            return self._added[part]
        name = self._names.get(part.lower())
        if name is None:
            raise cannot_mark(f"缺少部件 {part}")
        if name in self._changed:
            return self._changed[name]
        try:
            return self._zip.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise cannot_mark(f"部件 {part} 损坏") from error

    def head(self, part: str, size: int = 20_000) -> bytes:
        """The first bytes of a part."""
        name = self._names.get(part.lower())
        if name is None or name in self._changed:
            return self.read(part)[:size]
        try:
            with self._zip.open(name) as stream:
                return stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise cannot_mark(f"部件 {part} 损坏") from error

    def write(self, part: str, content: bytes) -> None:
        """Replace or add a part; equal content leaves the member as it is."""
        name = self._names.get(part.lower())
        if name is None:
            self._added[part] = content
        elif content != self.read(part):
            self._changed[name] = content

    def tree(self, part: str) -> Element:
        """The part as an XML tree, without entities and network."""
        return parse(self.read(part), part)

    def write_tree(self, part: str, root: Element) -> None:
        """Replace a part by a tree."""
        self.write(part, serialise(root))

    def parts(self) -> list[str]:
        """All part names, in the order of the container."""
        return [*(name.lstrip("/") for name in self._names.values()), *self._added]

    def unused_name(self, pattern: str) -> str:
        """The first part name of ``pattern`` (with one ``{}``) that is not taken."""
        n = 1
        while self.has(pattern.format(n)):
            n += 1
        return pattern.format(n)

    def relationships(self, part: str) -> list[Relationship]:
        """The relationships of a part, targets resolved."""
        source = relationships_part(part)
        if not self.has(source):
            return []
        found = []
        for element in self.tree(source).iter(f"{{{PACKAGE_RELATIONSHIPS}}}Relationship"):
            target, external = element.get("Target", ""), element.get("TargetMode") == "External"
            if not external:
                base = "" if target.startswith("/") else posixpath.dirname(part)
                target = posixpath.normpath(posixpath.join(base, target.lstrip("/")))
            found.append(Relationship(element.get("Id", ""), element.get("Type", ""), target, external))
        return found

    def relate(self, part: str, kind: str, target: str) -> str:
        """Add a relationship from ``part`` to another part; returns its id."""
        source = relationships_part(part)
        if self.has(source):
            root = self.tree(source)
        else:
            root = etree.fromstring(f'<Relationships xmlns="{PACKAGE_RELATIONSHIPS}"/>')
        taken = {element.get("Id") for element in root}
        n = 1
        while f"rIdYtb{n}" in taken:
            n += 1
        etree.SubElement(
            root,
            f"{{{PACKAGE_RELATIONSHIPS}}}Relationship",
            {"Id": f"rIdYtb{n}", "Type": f"{RELATIONSHIPS}/{kind}", "Target": f"/{target}"},
        )
        self.write_tree(source, root)
        return f"rIdYtb{n}"

    def declare(self, *, part: str = "", extension: str = "", content_type: str) -> None:
        """State the content type of one part, or of an extension, where it is not stated yet."""
        root = self.tree(TYPES_PART)
        tag, key, value = ("Override", "PartName", f"/{part}") if part else ("Default", "Extension", extension)
        if any((e.get(key) or "").lower() == value.lower() for e in root.iter(f"{{{CONTENT_TYPES}}}{tag}")):
            return
        element = etree.Element(f"{{{CONTENT_TYPES}}}{tag}", {key: value, "ContentType": content_type})
        root.insert(0 if extension else len(root), element)
        self.write_tree(TYPES_PART, root)

    def content_type(self, part: str) -> str:
        """The stated content type of a part, empty where none is."""
        root = self.tree(TYPES_PART)
        for element in root.iter(f"{{{CONTENT_TYPES}}}Override"):
            if (element.get("PartName") or "").lower() == f"/{part}".lower():
                return element.get("ContentType") or ""
        extension = part.rsplit(".", 1)[-1].lower()
        for element in root.iter(f"{{{CONTENT_TYPES}}}Default"):
            if (element.get("Extension") or "").lower() == extension:
                return element.get("ContentType") or ""
        return ""

    def to_bytes(self) -> bytes:
        """The container: members in their old order, untouched ones byte for byte, new ones at the end."""
        out, directory = io.BytesIO(), io.BytesIO()
        infos = self._zip.infolist()
        for info in infos:
            name = _encoded(info)
            if info.filename in self._changed:
                content = self._changed[info.filename]
                _append(out, directory, name, 0x800, info.date_time, info.external_attr, *_deflated(content))
            else:
                raw = self._raw(info)
                facts = (info.compress_type, info.CRC, info.file_size, raw)
                _append(out, directory, name, info.flag_bits & 0x800, info.date_time, info.external_attr, *facts)
        for part, content in self._added.items():
            _append(out, directory, part.encode(), 0x800, STAMP, 0, *_deflated(content))
        count, start, entries = len(infos) + len(self._added), out.tell(), directory.getvalue()
        out.write(entries)
        out.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0))
        return out.getvalue()

    def _raw(self, info: zipfile.ZipInfo) -> bytes:
        start = info.header_offset
        if self._data[start : start + 4] != b"PK\x03\x04":
            raise cannot_mark("压缩包结构损坏")
        name_length, extra_length = struct.unpack("<HH", self._data[start + 26 : start + 30])
        begin = start + 30 + name_length + extra_length
        raw = self._data[begin : begin + info.compress_size]
        if len(raw) != info.compress_size:
            raise cannot_mark("压缩包不完整")
        return raw


def relationships_part(part: str) -> str:
    """Where the relationships of a part stand; of the package itself for an empty name."""
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def parse(content: bytes, part: str) -> Element:
    """A tree of one part. Raises ``cannot_mark`` for what is not plain XML."""
    if len(content) > LARGEST_TREE:
        raise cannot_mark(f"部件 {part} 过大")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise cannot_mark(f"部件 {part} 不是有效的 XML") from error
    tree: Any = root.getroottree()
    if tree.docinfo.doctype:
        raise cannot_mark(f"部件 {part} 含文档类型声明")
    return root


def serialise(root: Element) -> bytes:
    """A tree as the bytes of a part."""
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))


def cell_text(text: str) -> str:
    """Text as a part may hold it: printable, and ``_x0041_`` spelt so that it is not read as the letter A."""
    return _ESCAPE.sub("_x005F_\\1", clean(text))


def plain_text(text: str) -> str:
    """The way back from ``cell_text``."""
    return text.replace("_x005F_x", "_x")


def _encoded(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")


def _deflated(content: bytes) -> tuple[int, int, int, bytes]:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    return zipfile.ZIP_DEFLATED, zlib.crc32(content), len(content), packer.compress(content) + packer.flush()


def _append(
    out: io.BytesIO,
    directory: io.BytesIO,
    name: bytes,
    flags: int,
    when: tuple[int, int, int, int, int, int],
    attributes: int,
    method: int,
    crc: int,
    size: int,
    raw: bytes,
) -> None:
    day = (max(when[0], 1980) - 1980) << 9 | when[1] << 5 | when[2]
    clock = when[3] << 11 | when[4] << 5 | when[5] // 2
    offset = out.tell()
    facts = (20, flags, method, clock, day, crc, len(raw), size, len(name))
    out.write(struct.pack("<4s5H3L2H", b"PK\x03\x04", *facts, 0))
    out.write(name)
    out.write(raw)
    directory.write(struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *facts, 0, 0, 0, 0, attributes, offset))
    directory.write(name)
