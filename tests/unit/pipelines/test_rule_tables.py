"""Files of any shape: encodings, separators, headers, what a rule file says wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.rule_tables import read_rule_file, read_table, read_tables
from schemas.errors import DefinitionError
from schemas.rule_file import RuleFile
from schemas.table_check import check_tables

RULES = """
[table]
key = ["代码"]
missing = ["缺"]

[columns."收入 (千元)"]
type = "number"
decimals = 1

[[rule]]
id = "R1"
expression = "`收入 (千元)` >= 0"
message = "收入不能为负"

[[rule]]
id = "R2"
severity = "soft"
expression = "in_codelist(类别, '类别')"

[[codelist]]
name = "类别"
codes = ["甲", "乙"]
"""


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_in_either_encoding_with_any_separator(tmp_path: Path, encoding: str, separator: str) -> None:
    rules = read_rule_file(written(tmp_path, "rules.toml", RULES))
    lines = ["代码,类别,收入 (千元)", '001,甲,"1.5"', "002,丙,-3", "003,缺,缺", "004,乙,1.25", "005,乙,x"]
    data = written(tmp_path, "data.csv", "\n".join(lines).replace(",", separator), encoding)
    tables = read_tables(rules, data)
    result = check_tables(rules, tables)
    assert [tuple(o.counts.values()) for o in result.outcomes] == [(5, 1, 1, 3, 0), (5, 3, 1, 1, 0)]
    assert [(u.row, u.line, u.column, u.found, u.expected) for u in tables.data.unreadable] == [
        (4, 5, "收入 (千元)", "1.25", "数字,至多 1 位小数"),
        (5, 6, "收入 (千元)", "x", "数字,至多 1 位小数"),
    ]
    assert result.hard_failures == 3
    assert tables.data.raw["代码"].to_list() == ["001", "002", "003", "004", "005"]


def test_line_numbers_count_the_lines_of_cells_with_line_breaks(tmp_path: Path) -> None:
    data = written(tmp_path, "d.csv", 'a,b\n"one\ntwo",1\nthree,2\n')
    table = read_table(data, RuleFile(()))
    assert table.lines == (2, 4)
    assert table.raw["a"].to_list() == ["one\ntwo", "three"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "是空的"),
        ("a,a\n1,2\n", "列名重复:a"),
        ("a,b\n1\n", "d.csv:2:这一行只有 1 格"),
        ("a,b\n1,2,3\n", "d.csv:2:这一行有 3 格"),
        ('a,b\n"1,2\n', "引号"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_table(written(tmp_path, "d.csv", text), RuleFile(()))
    assert said in str(caught.value)


def test_the_row_names_r_writes_are_a_column(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "d.csv", '"","x"\n"1",5\n'), RuleFile(()))
    assert list(table.columns) == ["row", "x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rule]]\nid = 'a'\n", "expression"),
        ("[[rule]]\nid = 'a'\nexpression = 'x >'\n", "规则 a"),
        (
            '[[rule]]\nid = "a"\nexpression = "x > 1"\n[[rule]]\nid = "a"\nexpression = "x > 2"\n',
            "规则号 a 在这个文件里用了不止一次",
        ),
        ('[[rule]]\nid = "a"\nexpression = "x > 1"\nseverity = "hart"\n', "severity"),
        ("rule = [", "TOML 语法错误"),
    ],
)
def test_a_wrong_rule_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_rule_file(written(tmp_path, "rules.toml", text))
    assert said in str(caught.value)
    assert "rules.toml" in str(caught.value)


def test_every_wrong_rule_is_named_at_once(tmp_path: Path) -> None:
    text = "".join(f'[[rule]]\nid = "r{n}"\nexpression = "{e}"\n' for n, e in enumerate(["x >", "x > 1", "y = 2"]))
    with pytest.raises(DefinitionError) as caught:
        read_rule_file(written(tmp_path, "rules.toml", text))
    assert "rules.toml:2:规则 r0" in str(caught.value)
    assert "rules.toml:8:规则 r2" in str(caught.value)


def test_code_lists_and_key_sets_stand_in_files_beside_the_rules(tmp_path: Path) -> None:
    written(tmp_path, "nace.csv", "Code,Parent\n01,\n01.1,01\n01.2,01\n")
    written(tmp_path, "years.csv", "year\n2023\n2024\n")
    rules = read_rule_file(
        written(
            tmp_path,
            "rules.toml",
            """
[[codelist]]
name = "nace"
file = "nace.csv"
code = "Code"
parent = "Parent"
[[keys]]
name = "years"
file = "years.csv"
[[rule]]
id = "sum"
expression = "hierarchy(v, nace, 'nace', by = year)"
[[rule]]
id = "years"
expression = "contains_exactly('years', by = nace)"
""",
        )
    )
    rows = ["year,nace,v", "2023,01,5", "2023,01.1,2", "2023,01.2,3", "2024,01,5", "2024,01.1,2", "2024,01.2,4"]
    result = check_tables(rules, read_tables(rules, written(tmp_path, "d.csv", "\n".join(rows))))
    assert [tuple(o.counts.values()) for o in result.outcomes] == [(6, 3, 3, 0, 0), (6, 6, 0, 0, 0)]
