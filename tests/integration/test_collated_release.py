"""A published figure is traced to the workbook that the enterprise filled in itself."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from pipelines.checking import IncomingBook
from pipelines.collating_returns import collate_returns
from pipelines.own_returns import confirm_own, explain_return, hand_in, keys_to_explain
from pipelines.reporting import explain, report_submission, to_explain
from pipelines.review import accept
from pipelines.templates import template_for, unit_templates
from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import ACTOR, SHANGHAI, ZONES, TinyOffice, tiny_office
from warehouse.ledger.signatories import Signatories
from ytb.cli.main import main
from ytb.cli.session import CALL, system_clock
from ytb.demo.filling import fill, saved

pytestmark = pytest.mark.slow
Q2 = Period(2014, quarter=2)
NOW = datetime(2014, 7, 2, 9, 0, tzinfo=SHANGHAI)
PARK, OTHER = "LBGX", "LBJJ"


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    CALL.clock = lambda: NOW + timedelta(hours=5)
    yield
    CALL.clock = system_clock


def ytb(tiny: TinyOffice, *words: str) -> tuple[int, Any, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["--home", str(tiny.home.root), "--json", *words])
    return code, json.loads(out.getvalue()) if out.getvalue().strip() else None, err.getvalue()


def own_workbooks(tiny: TinyOffice, folder: Path) -> dict[str, Path]:
    """Each enterprise's template as the command gives it, filled in, and the park's own forms."""
    code, made, said = ytb(tiny, "template", "--park", PARK, "--period", str(Q2), "--each", "-o", str(folder))
    assert code == 0, said
    frames = dict(tiny.figures.enterprises(PARK, Q2))
    paths = {one["unit_id"]: Path(one["file"]) for one in made["units"]}
    for path in paths.values():
        path.write_bytes(saved(fill(path.read_bytes(), frames, {})))
    template = template_for(tiny.office, tiny.office.programme, Q2, PARK, as_of=Q2.end)
    (folder / "园区表.xlsx").write_bytes(saved(fill(template, {}, tiny.figures.sheet(PARK, Q2))))
    return paths


def collated(tiny: TinyOffice, folder: Path) -> dict[str, Any]:
    """The submission made of the folder, its soft findings explained."""
    _, made, said = ytb(tiny, "collate", str(folder))
    assert made is not None and made["missing"] == [], said
    soft = [f for f in made["check"]["findings"] if f["severity"] == "soft"]
    lines = ["rule,form,unit_id,column,reason_code,text"]
    lines += [
        f"{f['rule']},{f['form']},{f['unit_id'] or ''},{f['indicator'] or ''},07,经与企业核对系新产品投产所致"
        for f in soft
    ]
    told = folder.parent / "说明.csv"
    told.write_text("\n".join(lines), encoding="utf-8")
    code, made, said = ytb(tiny, "collate", str(folder), "--explain", str(told))
    assert (code, made["state"]) == (0, "reported"), (said, made["check"])
    return dict(made)


def handed_in(tiny: TinyOffice, pool: Pool) -> dict[str, bytes]:
    """Another park: its enterprises hand in and confirm under their own accounts, the park collates, explains and reports."""
    of, at = tiny.office, NOW + timedelta(hours=1)
    frames = dict(tiny.figures.enterprises(OTHER, Q2))
    books = {u: saved(fill(d, frames, {})) for u, d in unit_templates(of, of.programme, Q2, OTHER, as_of=Q2.end)}
    signed = Signatories("王负责", "李统计", "张填表", "0931-8888888")
    for unit, data in books.items():
        book = IncomingBook("报表.xlsx", data)
        found = hand_in(of, book, pool, park=OTHER, period=Q2, unit=unit, now=at, actor=unit)
        told = {key: ("07", f"经核对系{unit[-4:]}号厂房{key[:4]}项目投产所致") for key in keys_to_explain(of, found)}
        if told:
            explain_return(of, found.number, told, now=at, actor=unit)
        confirm_own(of, found.number, signed, on=at.date(), now=at, actor=unit)
    template = template_for(of, of.programme, Q2, OTHER, as_of=Q2.end)
    sheets = IncomingBook("园区表.xlsx", saved(fill(template, {}, tiny.figures.sheet(OTHER, Q2))))
    made = collate_returns(of, [sheets], pool, park=OTHER, period=Q2, now=at, actor=OTHER)
    number = made.outcome.submission.number
    left = to_explain(of, made.outcome.submission)
    if left.height:
        explain(of, number, dict.fromkeys(left["key"], ("07", "经与企业核对系新产品投产所致")), now=at, actor=OTHER)
    report_submission(of, number, signed, now=at, actor=OTHER)
    accept(of, number, now=at + timedelta(hours=1), actor=ACTOR)
    return books


def test_a_published_figure_is_traced_to_the_enterprises_own_file_and_cell(tmp_path: Path) -> None:
    tiny = tiny_office(tmp_path / "home", enterprises=24)
    tiny.open_round(Q2, NOW)
    paths = own_workbooks(tiny, tmp_path / "企业")
    made = collated(tiny, tmp_path / "企业")
    accept(tiny.office, made["submission"], now=NOW + timedelta(hours=6), actor=ACTOR)
    with Pool(workers=1, preload=("sources.reader",)) as pool:
        handed = handed_in(tiny, pool)
        for zone in ZONES:
            if zone not in (PARK, OTHER) and tiny.figures.year(2014).filter(park=zone).height:
                tiny.file_and_accept(zone, Q2, pool, NOW + timedelta(hours=1))
    tiny.office.ledger.engine.dispose()
    code, _, said = ytb(tiny, "publish", "--period", str(Q2))
    assert code == 0, said
    figures = pl.read_parquet(tiny.home.root / "releases" / "2014-Q2.r1" / "tables" / "monitoring_figures.parquet")
    one = figures.filter(
        pl.col("value").is_not_null(), breakdown="total", indicator="F01", measure="cumulative", area="LBSYQ"
    )
    code, found, said = ytb(tiny, "trace", "2014-Q2.r1", "monitoring_figures", f"{one['row_key'][0]}:value")
    assert code == 0, said
    cells = [c for c in found["sources"] if c["park"] == PARK and c["column"] == "F01"]
    assert {(c["unit_id"], c["file_name"]) for c in cells} == {(u, p.name) for u, p in paths.items()}
    assert {c["owner"] for c in cells} == set(paths)
    of_other = [c for c in found["sources"] if c["park"] == OTHER and c["column"] == "F01"]
    assert {c["owner"] for c in of_other} == set(handed)
    for cell in of_other:
        assert cell["file"] == hashlib.sha256(handed[cell["owner"]]).hexdigest() and cell["unit_id"] == cell["owner"]
        own = openpyxl.load_workbook(io.BytesIO(handed[cell["owner"]]), data_only=True)
        assert str(own[cell["sheet"]][cell["cell"]].value) == cell["value"]
    for cell in cells:
        book = openpyxl.load_workbook(paths[cell["unit_id"]], data_only=True)
        assert str(book[cell["sheet"]][cell["cell"]].value) == cell["value"]
    code, proof, said = ytb(tiny, "verify")
    assert (code, proof["problems"]) == (0, []), said
    code, again, said = ytb(tiny, "rebuild", "--reread")
    assert (code, again["differing"]) == (0, []), said
