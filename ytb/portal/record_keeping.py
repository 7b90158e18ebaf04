"""Records of authorities taken in by the statistician 部门记录: tried first, kept when complete, withdrawn with a reason."""

from __future__ import annotations

import tempfile
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
from schemas.errors import RefusalError, StatisticsError
from schemas.records_map import RecordsMap, read_records_map
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


def page(visit: Visit) -> Response:
    """The form, and what has been taken in."""
    return _page(visit, None)


def _page(visit: Visit, plan: RecordsPlan | None) -> Response:
    return pages.page(
        visit, "records_import", plan=plan, imports=list(listed(visit.office, withdrawn=True)),
        rows_shown=ROWS_SHOWN, kind_words=KIND_WORDS,
        unmapped_heads=UNMAPPED_HEADS, conversion_heads=CONVERSION_HEADS,
    )  # fmt: skip


def take(visit: Visit) -> Response:
    """Read a file of an authority by its mapping; keep it where that is asked for and nothing is left open."""
    book, of_map = _files(visit)
    plan = plan_records(visit.office, book, of_map, _mapping(of_map), visit.portal.pool)
    if visit.form.get("step") != "keep":
        return _page(visit, plan)
    if plan.problems.height and not visit.form.get("without"):
        raise RefusalError(
            f"有 {plan.problems.height} 格不能采用。请先试运行看清是哪些;确认不要这些格的,勾选后再导入。"
        )
    commit_records(visit.office, plan, now=visit.now, actor=visit.who.name)
    return pages.go("/records/import", "records_kept")


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
