"""The example of docs/rules.md, followed to the letter: every kind of rule on files copied from the page."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from ytb.cli.main import main

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
SECTION = GUIDE.split("## Every kind of rule, to run\n")[1].split("\n## ")[0]
FILES = dict(re.findall(r"```(?:csv|toml) (\S+)\n(.*?)```", SECTION, re.DOTALL))
COMMANDS = re.findall(r"```sh\nytb (.*?)\n```", SECTION)
TABLES = [
    {row[0]: tuple(map(int, row[1:])) for row in re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", part, re.MULTILINE)}
    for part in SECTION.split("```sh\n")[1:]
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), list(zip(COMMANDS, TABLES, strict=True)), ids=["firms", "series"])
def test_the_example_of_the_guide(
    command: str,
    expected: dict[str, tuple[int, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["--json", *shlex.split(command)]) == 1
    answer = json.loads(capsys.readouterr().out)
    kept = ("holds", "fails", "undetermined", "not_applicable")
    assert {rule["rule"]: tuple(rule[k] for k in kept) for rule in answer["rules"]} == expected
    assert not any(rule["reason"] for rule in answer["rules"])


def test_the_example_covers_what_the_guide_lists() -> None:
    assert len(TABLES[0]) >= 19 and len(TABLES[1]) == 3
    rules = FILES["every.toml"]
    for asked in ("in_range", "==", "if ", "is_unique", "is_complete", "in_codelist", "growth", "register(", "parent(parent(",
                  "children_sum", "sum(", "mean(", "count(", "share(", "top_share", "robust_z", "other_sum"):  # fmt: skip
        assert asked in rules
