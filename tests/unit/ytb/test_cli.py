"""The command line: exit codes, JSON, shared options anywhere, no traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

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
