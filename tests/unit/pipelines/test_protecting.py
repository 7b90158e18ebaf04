"""``ytb protect``: files in, files out; two tables of a published vignette."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.methods.disclosure.generic import Dimension, TableSpec, protect_table
from pipelines.methods.disclosure.rules import Rules
from pipelines.protecting import protect_file
from schemas.errors import DefinitionError

GOLDEN = Path("tests/golden/protect")


def with_rows(folder: Path) -> Path:
    """The vignette's data, a row a contribution: every row its own unit."""
    path = folder / "rows.csv"
    pl.read_csv(GOLDEN / "magnitude1.csv").with_row_index("row").write_csv(path)
    return path


def test_vignette_table_2_is_reproduced_cell_by_cell(tmp_path: Path) -> None:
    run = protect_file(with_rows(tmp_path), GOLDEN / "few_contributors.toml", tmp_path / "out.csv")
    assert_frame_equal(pl.read_csv(tmp_path / "out.csv"), pl.read_csv(GOLDEN / "few_contributors.csv"))
    assert run.summary["primary"] == 2 and run.exposed.height == 0
    audit = pl.read_csv(run.audit)
    primary = audit.filter(kind="primary").select("sector4", "geo").rows()
    assert primary == [("Entertainment", "Iceland"), ("Industry", "Spain")]


def test_vignette_table_3_dominance_of_one_unit_over_80_percent(tmp_path: Path) -> None:
    run = protect_file(with_rows(tmp_path), GOLDEN / "dominance.toml", tmp_path / "out.csv")
    audit = pl.read_csv(run.audit)
    assert audit.filter(kind="primary").select("sector4", "geo").rows() == [
        ("Entertainment", "Iceland"),
        ("Governmental", "Portugal"),
        ("Industry", "Portugal"),
        ("Industry", "Spain"),
    ]
    hidden = set(audit.filter(pl.col("kind") != "").select("sector4", "geo").rows())
    # The vignette hides Entertainment/Portugal, Governmental/Spain and Industry/Iceland; so does the exact method.
    assert hidden == set(audit.filter(kind="primary").select("sector4", "geo").rows()) | {
        ("Entertainment", "Portugal"),
        ("Governmental", "Spain"),
        ("Industry", "Iceland"),
    }


def hierarchy_spec(**more: object) -> TableSpec:
    geo = Dimension(
        "geo", "Total", (("Total", ("EU", "nonEU")), ("EU", ("Portugal", "Spain")), ("nonEU", ("Iceland",)))
    )
    sector = Dimension("sector4", "Total", (("Total", ("Agriculture", "Entertainment", "Governmental", "Industry")),))
    return TableSpec((sector, geo), "value", unit="company", rules=Rules(), **more)  # type: ignore[arg-type]


def test_hierarchies_and_holdings_company_a_is_one_unit() -> None:
    rows = pl.read_csv(GOLDEN / "magnitude1.csv")
    found = protect_table(rows, hierarchy_spec())
    cells = {(r["sector4"], r["geo"]): r for r in found.audit.iter_rows(named=True)}
    assert cells["Agriculture", "EU"]["n"] == 2 and cells["Agriculture", "EU"]["kind"] == "primary"
    assert cells["Total", "Total"]["n"] == 4
    for row in found.audit.filter(kind="primary").iter_rows(named=True):
        if row["value"] and row not in found.exposed.to_dicts():
            assert (
                row["high"] - row["value"] >= 0.149 * row["value"] and row["value"] - row["low"] >= 0.149 * row["value"]
            )


def test_an_aggregated_table_takes_its_contributors_from_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "industry,value,n,max1,max2\nT,150,30,20,10\n03,10,1,10,0\n05,60,15,10,9\n07,80,14,20,10\n"
    )
    (tmp_path / "s.toml").write_text(
        'value = "value"\n[[dimension]]\ncolumn = "industry"\ncodes = ["03", "05", "07"]\n'
    )
    run = protect_file(tmp_path / "t.csv", tmp_path / "s.toml", tmp_path / "o.csv")
    out = pl.read_csv(run.output, infer_schema=False)
    assert out.columns == ["industry", "value", "status", "display"]
    assert dict(zip(out["industry"], out["display"], strict=True)) == {"03": "*", "05": "*", "07": "80", "T": "150"}


def test_cells_that_are_public_already_are_not_used_and_exposure_is_reported(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "industry,value,n,max1,max2,out\nT,150,30,20,10,1\n03,10,1,10,0,0\n05,60,15,10,9,1\n07,80,14,20,10,1\n"
    )
    (tmp_path / "s.toml").write_text(
        'value = "value"\npublished = "out"\n[[dimension]]\ncolumn = "industry"\ncodes = ["03", "05", "07"]\n'
    )
    run = protect_file(tmp_path / "t.csv", tmp_path / "s.toml", tmp_path / "o.csv")
    assert run.exposed["industry"].to_list() == ["03"] and run.as_dict()["exposed"] == 1


@pytest.mark.parametrize(
    ("table", "spec", "message"),
    [
        ("industry,value,n,max1,max2\n99,1,1,1,0\n", "", "不在层级中"),
        ("industry,value,n\n03,1,1\n", "", "缺列"),
        ("industry,value,n,max1,max2\n03,x,1,1,0\n", "", "不是数字"),
        ("industry,value,n,max1,max2\n03,inf,1,1,0\n", "", "t.csv:2:“value”列填的是“inf”,不是数字"),
        ("industry,value,n,max1,max2\n03,1,-2,1,0\n", "", "“n”列填的是“-2”,不是不小于 0 的整数"),
        ("industry,value,n,max1,max2\n03,1,2.5,1,0\n", "", "“n”列填的是“2.5”,不是不小于 0 的整数"),
        ("industry,value,n,max1,max2\n03,1,2,-1,0\n", "", "“max1”列填的是“-1”,不是不小于 0 的数"),
        ("industry,value,n,n\n03,1,1,1\n", "", "列名重复:n"),
        ("industry,value,n,max1,max2\n03,1,1,1,0\n03,1,1,1,0\n", "", "出现两次"),
        ("industry,value,n,max1,max2\n03,1,1,1,0\n", "colour = 1\n", "colour"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, table: str, spec: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(table)
    (tmp_path / "s.toml").write_text(
        f'{spec}value = "value"\n[[dimension]]\ncolumn = "industry"\ncodes = ["03", "05"]\n'
    )
    with pytest.raises(DefinitionError, match=message):
        protect_file(tmp_path / "t.csv", tmp_path / "s.toml", tmp_path / "o.csv")


def test_a_hierarchy_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("code,parent\n03,T\n05,T\n07,T\n")
    (tmp_path / "t.csv").write_text(
        "industry,value,n,max1,max2\nT,150,30,20,10\n03,10,1,10,0\n05,60,15,10,9\n07,80,14,20,10\n"
    )
    (tmp_path / "s.toml").write_text(
        'value = "value"\n[[dimension]]\ncolumn = "industry"\n[[dimension.hierarchy]]\nfile = "h.csv"\n'
    )
    assert protect_file(tmp_path / "t.csv", tmp_path / "s.toml", tmp_path / "o.csv").summary["hidden"] == 2
