"""What a table of figures may not hold, refused with file, line and column; draws that are too few or too many."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.scoring import score
from pipelines.scoring_draws import draws_needed
from schemas.errors import DefinitionError

SYSTEM = """
title = "试"
[data]
year = "year"
[normalisation]
method = "none"
[uncertainty]
errors = { imputed = 0.1, E = 0.1, late = 0.2 }
[[group]]
id = "T"
[[indicator]]
id = "a"
parent = "T"
weight = 1
[[indicator]]
id = "b"
parent = "T"
weight = 2
"""


def files(folder: Path, rows: str) -> tuple[Path, Path]:
    (folder / "s.toml").write_text(SYSTEM, encoding="utf-8")
    (folder / "d.csv").write_text("unit,year,a,b,a.status\n" + rows, encoding="utf-8")
    return folder / "s.toml", folder / "d.csv"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("U,2016,1,2,A\nV,2016,1,2,Q\n", r"d\.csv:3 列 a\.status.*没有“Q”这种状态.*A、E、P、M、Z、C、late"),
        ("U,2016,1,2,e\n", r"d\.csv:2 列 a\.status.*没有“e”这种状态.*区分大小写"),
        ("U,2016,,2,missing\n", r"d\.csv:2 列 a\.status.*没有“missing”"),
        ("U,2016,1,2,imputed\n", r"d\.csv:2 列 a\.status.*没有“imputed”"),
        ("U,2016,1,2,Z\n", r"d\.csv:2 列 a\.status.*状态为 Z"),
        ("U,2016,1,2,\nV,20X0,1,2,\n", r"d\.csv:3 列 year.*“20X0”不是年份"),
        ("U,2016,1,2,\nV,,1,2,\n", r"d\.csv:3 列 year.*年份为空"),
        ("U,2016,1,2,\nV,2016,1,2,\nU, 2016,1,3,\n", r"d\.csv:4 列 unit.*U 在 2016 年出现多次:第 2 行和第 4 行"),
    ],
)
def test_faults_of_a_table_name_file_line_and_column(tmp_path: Path, rows: str, said: str) -> None:
    system, data = files(tmp_path, rows)
    with pytest.raises(DefinitionError, match=said):
        score(system, data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


GOOD = "U,2016,1,2,E\nV,2016,3,2,late\nW,2016,2,5,\n"


def test_more_draws_than_fit_are_refused_with_the_bound(tmp_path: Path) -> None:
    system, data = files(tmp_path, GOOD)
    with pytest.raises(DefinitionError, match=r"draws 为 10000000000.*3 个单位,2 项指标.*最多 1000000"):
        score(system, data, draws=10_000_000_000, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_few_draws_for_the_interval_are_said(tmp_path: Path) -> None:
    assert [draws_needed(level) for level in (0.9, 0.95, 0.5)] == [20, 40, 4]
    system, data = files(tmp_path, GOOD)
    few, enough = (score(system, data, draws=n, out=tmp_path / "out").findings for n in (19, 20))
    assert any(f.startswith("19 次抽样太少:90% 区间") and "至少 20 次" in f for f in few)
    assert not any("太少" in f for f in enough)
