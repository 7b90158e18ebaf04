"""The command line: exit codes, JSON, shared options anywhere, no traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer

from ytb.cli.help_lines import HELP_LINES
from ytb.cli.main import COMMANDS, app_for, main, shared_options
from ytb.cli.session import CALL

ROOT = Path(__file__).resolve().parents[3]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_lint_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--json", "programme", "lint")
    found = json.loads(out)
    assert code == 0 and found["ok"] is True
    assert {"indicators", "rules", "tables", "targets"} <= found["counts"].keys()
    assert found["problems"] == []


def test_shared_options_stand_anywhere() -> None:
    rest = shared_options(["check", "a.xlsx", "--json", "--home=/h", "--lang", "en", "--user", "张三"])
    assert rest == ["check", "a.xlsx"]
    assert (CALL.json, str(CALL.home_option), CALL.lang, CALL.actor) == (True, "/h", "en", "张三")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["check", "no-such-file.xlsx"], 2),
        (["programme", "show", "Z99"], 2),
        (["programme", "diff", "2015", "1999"], 2),
        (["nonsense"], 2),
        (["--lang", "fr", "status"], 2),
        (["--home", "/nonexistent/home", "status"], 3),
    ],
)
def test_exit_codes_without_a_traceback(capsys: pytest.CaptureFixture[str], words: list[str], code: int) -> None:
    found, out, err = run(capsys, *words)
    assert found == code
    assert "Traceback" not in out + err


def test_a_text_file_named_xlsx_is_refused_with_a_word(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "报表.xlsx"
    path.write_text("这不是工作簿", encoding="utf-8")
    code, out, _ = run(capsys, "--json", "--home", str(tmp_path / "none"), "check", str(path))
    (file,) = json.loads(out)["files"]
    assert code == 2
    assert file["status"] == "unreadable"
    assert file["findings"][0]["code"]
    assert "报表.xlsx" in file["findings"][0]["message"]


def test_every_command_has_help_and_the_readme_names_only_real_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for names in COMMANDS.values():
        for name in names:
            assert name in out
    known = {name for names in COMMANDS.values() for name in names}
    for page in ("README.md", "docs/cli.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for line in re.findall(r"^ytb (?:--home \S+ )?([a-z]+)", text, re.MULTILINE):
            assert line in known, f"{page}: ytb {line}"


def test_only_the_module_asked_for_is_loaded() -> None:
    names = {group.name for group in app_for(["programme", "lint"]).registered_groups}
    assert names == {"programme"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["series", "adjust", "--data"], "选项 --data 后面要写值。"),
        (["series", "adjust", "--data", "x", "--degree", "7"], "--degree 的值不对:不能大于 1"),
        (["series", "adjust", "--data", "x", "--degree", "q"], "--degree 的值不对:应为整数"),
        (["series", "adjust", "--dat", "x"], "没有选项 --dat(相近的有 --data)"),
        (["series", "deflate", "--data", "x", "--price-base", "q"], "“q”不在 'fixed', 'year-earlier', 'previous' 之中"),
        (["series", "adjust", "--data", "x", "--column", "valeu=y"], "--column 不认识“valeu”"),
        (["index", "score"], "缺少选项 --system。"),
        (["run"], "缺少参数 product。"),
        (["park", "list", "x"], "多出参数 x"),
        (["register", "move", "X", "LBGX", "--effective", "2020-02-31", "--basis", "b"], "日期“2020-02-31”无效"),
        (["sql", " "], "SQL 是空的。"),
        (["serie"], "没有命令“serie”。"),
        (["index", "score", "--system", "/", "--data", "x", "-o", "y"], "这是文件夹,不是文件"),
        (["--lang", "fr", "status"], "--lang 只能是 zh 或 en。"),
    ],
)
def test_a_complaint_is_chinese_and_one_json_document(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "") and said in err.replace(" (相近", "(相近")
    code, out, err = run(capsys, "--json", *words)
    told = json.loads(out)
    assert (code, told["ok"], told["exit"]) == (2, False, 2)
    assert said in told["error"].replace(" (相近", "(相近") and "用法" not in told["error"]


def test_a_complaint_in_english(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--lang", "en", "series", "adjust", "--dat", "x")
    assert code == 2 and err.endswith("Error: No such option: --dat (Possible options: --data)\n")


def test_a_template_is_not_written_over_another_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("--home", str(tmp_path / "none"), "template", "--period", "2015-Q2", "-o", str(tmp_path / "a.xlsx"))
    assert run(capsys, *words, "--park", "LBGX")[0] == 0
    assert run(capsys, *words, "--park", "LBGX")[0] == 0  # the same bytes
    code, _, said = run(capsys, *words, "--park", "LBXQ")
    assert code == 1 and "已经存在" in said and "--force" in said
    assert run(capsys, *words, "--park", "LBXQ", "--force")[0] == 0


def test_a_path_that_is_in_the_way_is_the_callers_matter(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    (tmp_path / "s.toml").write_text(
        'title = "x"\n[[group]]\nid = "T"\n[[indicator]]\nid = "a"\nparent = "T"\nweight = 1\n'
    )
    (tmp_path / "d.csv").write_text("unit,a\nx,1\ny,2\n")
    words = ["index", "score", "--system", str(tmp_path / "s.toml"), "--data", str(tmp_path / "d.csv"), "-o"]
    code, _, err = run(capsys, *words, str(tmp_path / "out"))
    assert code == 2 and "已有同名的文件" in err
    code, out, _ = run(capsys, *words, str(tmp_path / "results"))
    assert code == 0 and "None" not in out and "1  y  100" in out and out.startswith("x:2 个单位,1 项指标\n")


def test_a_period_nobody_reported_has_no_products_and_the_complaint_says_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home = ("--home", str(tmp_path / "home"))
    assert run(capsys, *home, "init")[0] == 0
    for period in ("2019-Q2", "2019"):
        code, out, err = run(capsys, *home, "run", "all", "--period", period)
        assert code == 1 and "已计算" not in out
        assert f"{period} 没有在册的报送" in err and "请先接收本期的报送" in err and "还没有任何报告期的报送" in err
    code, _, err = run(capsys, *home, "period", "open", "2019", "--deadline", "2019-04-15")
    assert code == 1 and "已过,请另定截止日期。截止时间用 --deadline 写明。" in err
    words = ("evaluation", "appeal", "LBGX", "--reason", "r")
    code, _, err = run(capsys, *home, "--user", "nobody", *words)
    assert code == 1 and "没有用户“nobody”" in err and "--user" in err and "ytb user list" in err


def test_the_list_of_commands_says_what_they_say_and_loads_none(capsys: pytest.CaptureFixture[str]) -> None:
    everything = typer.main.get_command(app_for(["completion"])).commands  # type: ignore[attr-defined]
    said = {name: everything[name].help.strip() for name in HELP_LINES}
    assert said == HELP_LINES, "a docstring has changed: put its new first words into ytb/cli/help_lines.py"
    listed = typer.main.get_command(app_for(["--help"])).commands  # type: ignore[attr-defined]
    assert listed.keys() == everything.keys() == HELP_LINES.keys(), (
        "a new command: give it a line in ytb/cli/help_lines.py"
    )
    assert all(listed[name].help.strip() == everything[name].help.strip() for name in everything)
    code, out, _ = run(capsys, "--help")
    assert code == 0 and "check" in out and "serve" in out
