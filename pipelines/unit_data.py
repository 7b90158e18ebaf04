"""Unit data for who may have them 个体数据提供: asked for, approved by another person, served as files that run nothing.

Every row carries the number of the request. Only figures in force are served, only the forms asked for.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from datetime import datetime

import polars as pl

from exports.safe_text import safe_csv_columns
from pipelines.intake import Office, observations_of
from schemas.errors import RefusalError
from schemas.model import FormKind
from schemas.period import Period
from warehouse.ledger import data_requests, trail
from warehouse.ledger.columns import shown_instant
from warehouse.ledger.data_requests import DataRequest, Standing
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submissions

_STAMP = (1980, 1, 1, 0, 0, 0)
_INTERNAL = ("_file", "_sheet", "_row")


def ask(
    office: Office, period: Period, park: str, forms: Sequence[str], purpose: str, *, now: datetime, actor: str
) -> DataRequest:
    """Ask for unit data of some forms. Raises RefusalError for a form or park there is not, and as ``data_requests.ask``."""
    known = [
        code for code, form in office.programme.edition_for(period).forms.items() if form.kind is not FormKind.CONTEXT
    ]
    unknown = [form for form in forms if form not in known]
    if unknown:
        raise RefusalError(f"{period} 没有表“{unknown[0][:40]}”,可选:{'、'.join(known)}。")
    with office.ledger.write() as session:
        if park:
            park_on(session, park, period.end)
        return data_requests.ask(session, period, park, forms, purpose, now=now, actor=actor)


def serve(office: Office, number: int, *, now: datetime, actor: str) -> bytes:
    """The data of an approved request as a zip of CSV files, for the person who asked and nobody else.

    Raises RefusalError for anybody else, while it is not approved, and once the approval has run out.
    """
    with office.ledger.read() as session:
        found = data_requests.data_request(session, number)
        if found.by != actor:
            raise RefusalError("只有申请人本人可以下载。")
        if found.standing(now) is not Standing.APPROVED:
            raise RefusalError(f"申请 {number} 现在是“{found.standing(now).label}”,不能下载。")
        listed = [
            s
            for s in submissions(session, park=found.park or None, period=found.period, states={State.ACCEPTED})
            if s.check and s.check.observations_blob
        ]
    frames: dict[str, list[pl.DataFrame]] = {form: [] for form in found.forms}
    for one in listed:
        observed = observations_of(office.vault, one).frames
        for form in found.forms:
            if form in observed:
                own = observed[form].drop(*_INTERNAL, strict=False)
                frames[form].append(own.with_columns(pl.lit(one.number).alias("submission")))
    data = _package(found, {form: pl.concat(parts, how="diagonal_relaxed") for form, parts in frames.items() if parts})
    with office.ledger.write() as session:
        trail.append(
            session, at=now, actor=actor, action="unit_data_served", subject=f"unit_data/{found.period}/{found.park or '*'}",
            payload={"request": number, "sha256": hashlib.sha256(data).hexdigest(), "submissions": [s.number for s in listed]},
        )  # fmt: skip
    return data


def _package(found: DataRequest, frames: dict[str, pl.DataFrame]) -> bytes:
    """One CSV a form and a note; same data, same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(zipfile.ZipInfo("说明.txt", _STAMP), _note(found).encode("utf-8-sig"))
        for form in sorted(frames):
            frame = frames[form].sort("park", "unit_id", nulls_last=True)
            marked = safe_csv_columns(frame.with_columns(request=pl.lit(f"申请{found.id}")))
            text = b"\xef\xbb\xbf" + marked.write_csv().encode()
            package.writestr(zipfile.ZipInfo(f"{found.period}_{form}.csv", _STAMP), text)
    return target.getvalue()


def _note(found: DataRequest) -> str:
    assert found.until is not None
    return "\n".join(
        [
            f"个体数据使用申请 {found.id}",
            f"申请人:{found.by}    批准人:{found.decided_by}    使用期限:{shown_instant(found.until)}(北京时间)",
            f"用途:{found.purpose}",
            f"范围:{found.period} {found.park or '全部园区'},表 {'、'.join(found.forms)};只含已验收的数。",
            "能够识别或推断单个统计调查对象身份的资料,任何单位和个人不得对外提供、泄露,不得用于统计以外的目的。",
            "到期后请删除;结果对外使用前须经统计机构作披露检查。每行的 request 列是本申请的编号。",
            "",
        ]
    )
