"""Records of authorities taken in by the statistician 部门记录: tried first, kept on the person's word, withdrawn with a reason.

A trial puts the two files into the vault and shows what they would give. The button below it names them by their hashes and what was
read from them, sealed for this person and one hour: what is kept is what was shown, and nothing is uploaded twice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from starlette.responses import Response

from pipelines.administrative_records import (
    RecordsPlan,
    commit_records,
    listed,
    plan_records,
    withdraw_records,
)
from pipelines.checking import IncomingBook
from schemas.canonical import frame_bytes
from schemas.errors import RefusalError, StatisticsError
from schemas.records_map import RecordsMap, read_records_map
from warehouse.ledger import trail
from warehouse.ledger.columns import read_instant, stored_instant
from warehouse.ledger.intake import clean_file_name
from ytb.portal import pages
from ytb.portal.visit import UploadedFile, Visit

ROWS_SHOWN = 50
OF_MAP = ".toml"
UNMAPPED_HEADS = (
    ("kind", "种类"),
    ("text", "文字"),
    ("cells", "格数"),
    ("first", "首见"),
    ("why", "原因"),
    ("suggestion", "可能是"),
)
KIND_WORDS = {"period": "报告期", "park": "园区", "unit": "单位", "indicator": "指标", "unit_measure": "计量单位"}
CONVERSION_HEADS = (
    ("indicator", "代码"), ("name", "指标"), ("from", "表里单位"), ("to", "保存单位"), ("factor", "乘"), ("cells", "格数"), ("rounded", "四舍五入"),
)  # fmt: skip


VALID_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class Tried:
    """What a trial read: the files in the vault, their names, and the hash of the records; ``until`` it may be kept."""

    book: str
    book_name: str
    mapping: str
    mapping_name: str
    records: str
    until: str

    def seal(self, visit: Visit) -> str:
        """What only this portal can write, for this person."""
        text = json.dumps([*vars(self).values(), visit.who.name], ensure_ascii=False)
        return hmac.new(visit.portal.key, f"records|{text}".encode(), hashlib.sha256).hexdigest()


def page(visit: Visit) -> Response:
    """The form, and what has been taken in."""
    return _page(visit, None)


def _page(visit: Visit, plan: RecordsPlan | None, tried: Tried | None = None) -> Response:
    return pages.page(
        visit, "records_import", plan=plan, tried=tried, seal=tried.seal(visit) if tried else "", imports=list(listed(visit.office, withdrawn=True)),
        rows_shown=ROWS_SHOWN, kind_words=KIND_WORDS,
        unmapped_heads=UNMAPPED_HEADS, conversion_heads=CONVERSION_HEADS,
    )  # fmt: skip


def take(visit: Visit) -> Response:
    """Read a file of an authority by its mapping and show what it would give. The files stay in the vault; no record is kept."""
    book, of_map = _files(visit)
    plan = _planned(visit, book, of_map)
    vault = visit.office.vault
    tried = Tried(
        vault.put(book.data).sha256, book.name, vault.put(of_map.data).sha256, of_map.name, _digest(plan),
        stored_instant(visit.now + VALID_FOR),
    )  # fmt: skip
    with visit.office.ledger.write() as session:
        trail.append(
            session, at=visit.now, actor=visit.who.name, action="records_tried", subject="records",
            payload={"files": [tried.book, tried.mapping], "rows": plan.records.height},
        )  # fmt: skip
    return _page(visit, plan, tried)


def keep(visit: Visit) -> Response:
    """Keep what a trial showed: the same files, read to the same records, by the same person, within the hour."""
    form = visit.form
    tried = Tried(*(form.get(name) for name in Tried.__dataclass_fields__))
    if not secrets.compare_digest(form.get("seal").encode(), tried.seal(visit).encode()):
        raise RefusalError("没有可以确认的试运行,请先试运行。")
    if visit.now > read_instant(tried.until):
        raise RefusalError("试运行已超过一小时,请再试运行一次后确认。")
    vault = visit.office.vault
    book = IncomingBook(tried.book_name, vault.read(tried.book))
    plan = _planned(visit, book, IncomingBook(tried.mapping_name, vault.read(tried.mapping)))
    if _digest(plan) != tried.records:
        raise RefusalError("试运行以后名录或制度有变化,读出的数与试运行的不同,请再试运行一次。")
    if plan.problems.height and not form.get("without"):
        return _page(
            replace(visit, error=f"有 {plan.problems.height} 格不能采用;确认不要这些格的,勾选后再导入。"), plan, tried
        )
    commit_records(visit.office, plan, now=visit.now, actor=visit.who.name)
    return pages.go("/records/import", "records_kept")


def _planned(visit: Visit, book: IncomingBook, of_map: IncomingBook) -> RecordsPlan:
    return plan_records(visit.office, book, of_map, _mapping(of_map), visit.portal.pool)


def _digest(plan: RecordsPlan) -> str:
    """The hash of everything a trial shows that keeping depends on."""
    parts = (frame_bytes(one) for one in (plan.records, plan.problems, plan.unmapped))
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _files(visit: Visit) -> tuple[IncomingBook, IncomingBook]:
    """The file of the authority and the mapping: a file of its own, or that of an earlier import."""
    maps = [one for one in visit.form.files if one.name.lower().endswith(OF_MAP)]
    books = [one for one in visit.form.files if one not in maps]
    if len(books) != 1:
        raise RefusalError("请选择一个部门的表(Excel、CSV 等)。")
    if len(maps) > 1:
        raise RefusalError("请只选择一个映射文件(.toml)。")
    if maps:
        return _book(books[0]), _book(maps[0])
    text = visit.form.get("map_of")
    kept = next((one for one in listed(visit.office) if str(one.id) == text), None)
    if kept is None:
        raise RefusalError("请选择映射文件(.toml),或选用以前某次导入的映射。")
    return _book(books[0]), IncomingBook(f"第{kept.id}号导入的映射{OF_MAP}", visit.office.vault.read(kept.mapping))


def _book(file: UploadedFile) -> IncomingBook:
    return IncomingBook(clean_file_name(file.name), file.read())


def _mapping(of_map: IncomingBook) -> RecordsMap:
    """The mapping, read as from a file of its name: messages name the file, not where it lay."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "映射.toml"
        path.write_bytes(of_map.data)
        try:
            return read_records_map(path)
        except StatisticsError as error:
            raise RefusalError(str(error).replace(str(path), of_map.name)) from None


def withdraw(visit: Visit) -> Response:
    """Take an import back; its files stay in the vault."""
    text = visit.request.path_params["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    withdraw_records(visit.office, number, reason=visit.form.get("reason"), now=visit.now, actor=visit.who.name)
    return pages.go("/records/import", "records_withdrawn")
