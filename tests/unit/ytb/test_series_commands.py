"""``ytb series`` on files: columns by other names, several series, refusals, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from ytb.cli.main import main

HEAD = "报告期,营业收入,园区\n"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def table(tmp_path: Path, text: str, name: str = "data.csv") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_short_series_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{y}年{q}季度,{100 + 10 * q + y - 2019},长" for y in range(2019, 2024) for q in range(1, 5)]
    rows += ["2024Q1,1,短", "2024Q2,2,短"]
    data, out = table(tmp_path, HEAD + "\n".join(rows)), tmp_path / "out" / "adjusted.csv"
    names = ["--column", "period=报告期", "--column", "value=营业收入", "--column", "series=园区"]
    code, said, _ = run(capsys, "series", "adjust", "--data", data, *names, "-o", str(out))
    assert code == 0
    assert "短:序列只有 2 期" in said
    made = pl.read_csv(out)
    assert made["series"].unique().to_list() == ["长"] and made.height == 20
    code, _, err = run(capsys, "series", "adjust", "--data", table(tmp_path, "period,value\n2024Q1,3\n", "short.csv"))
    assert code == 2 and "少于 3 个整年" in err


def test_prices_of_another_file_and_growth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """110 at an index of 104 is 105.77 at prices of 2023: real growth 5.77 %, nominal 10 %."""
    data = table(tmp_path, "period,value\n2023,100\n2024,110\n")
    prices = table(tmp_path, "period,price\n2024,104\n2023,\n", "prices.csv")
    arguments = ["series", "deflate", "--data", data, "--prices", prices, "--price-base", "year-earlier", "--json"]
    code, out, _ = run(capsys, *arguments)
    last = json.loads(out)["rows"][1]
    assert code == 0
    assert (round(last["growth_real"], 2), round(last["growth_nominal"], 2)) == (5.77, 10.0)


def test_the_reference_is_named_where_none_was_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{s},{y}Q{q},{100 + q},{q + 1}\n" for s in "甲乙" for y in (2020, 2021) for q in range(1, 5))
    data = table(tmp_path, f"series,period,value,price\n{rows}")
    _, out, _ = run(capsys, "series", "deflate", "--data", data)
    assert out.splitlines()[0] == "不变价:按 2020Q1 的价格计算(价格指数以它为 100)"
    _, out, _ = run(capsys, "series", "deflate", "--data", data, "--reference", "2021")
    assert out.splitlines()[0] == "不变价:按 2021年 的价格计算(价格指数以它为 100)"
    one = table(tmp_path, "series,period,value,price\n甲,2020Q1,1,1\n甲,2020Q2,1,1\n乙,2021Q1,1,1\n", "two.csv")
    _, out, _ = run(capsys, "series", "deflate", "--data", one, "--json")
    assert json.loads(out)["reference"] == {"甲": "2020Q1", "乙": "2021Q1"}


def test_shares_of_units_up_and_down_leave_no_rest_below_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path, "unit,value,before\nA,50,40\nB,30,35\nC,20,25\n")
    _, out, _ = run(capsys, "series", "structure", "--data", data, "--json")
    assert json.loads(out)["rows"][0]["level"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unit,value\n", "表里只有表头"),
        ("unit,period,value\nA,2024,1\nA,2025,2\n", "单位 A 有几行"),
    ],
)
def test_a_structure_is_one_period_of_units(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "series", "structure", "--data", table(tmp_path, text))
    assert code == 2 and said in err
    code, out, _ = run(capsys, "series", "structure", "--data", table(tmp_path, "unit,value\nA,-1\nB,2\n"))
    assert code == 0 and "有负数或合计为 0,集中度没有意义" in out


def test_a_result_is_not_written_over_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = table(tmp_path, "period,value,price\n2024,1,1\n2025,2,1\n")
    code, _, err = run(capsys, "series", "deflate", "--data", data, "-o", data)
    assert code == 2 and "结果文件就是数据文件" in err
    assert Path(data).read_text(encoding="utf-8").startswith("period,value,price\n2024,1,1")


def test_links_and_cells_that_are_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = table(tmp_path, 'period,link\n2023Q4,\n2024Q1,102\n2024Q2,"1,00"\n')
    code, out, _ = run(capsys, "series", "link", "--links", "--data", data, "--json")
    assert code == 0
    assert [row["index"] for row in json.loads(out)["rows"]] == pytest.approx([100, 102, 102])
    code, _, err = run(capsys, "series", "link", "--links", "--data", table(tmp_path, "period,link\n2024Q1,一\n"))
    assert code == 2 and "不是数字" in err and ":2" in err


def test_an_early_estimate_prints_nominal_and_achieved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["unit,period,value"]
    for k in range(8):
        for year in range(2010, 2021):
            silent = year == 2020 and k == 0
            rows.append(f"u{k},{year},{'' if silent else (k + 1) * (year - 2000) + (k * year) % 3}")
    data = table(tmp_path, "\n".join(rows))
    code, out, _ = run(capsys, "series", "estimate", "--data", data, "--period", "2020")
    assert code == 0
    assert "名义把握" in out and "实际覆盖" in out


@pytest.mark.parametrize(
    ("command", "rows", "said"),
    [
        ("growth-accounting", "year,output,labour,capital", "只有表头"),
        ("deflate", "period,value,price\n2014,1,\n2015,2,100", "2014 缺数值或价格指数"),
        ("adjust", "period,value\n2014-Q1,1\n2014-Q2,", "没有数值"),
    ],
)
def test_what_a_method_finds_wrong_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, rows: str, said: str
) -> None:
    code, _, err = run(capsys, "series", command, "--data", table(tmp_path, rows + "\n", "数据.csv"))
    assert code == 2
    assert "数据.csv" in err
    assert said in err
