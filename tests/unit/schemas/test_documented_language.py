"""The documents tell the truth: every function is in the table, and the rule of the guide works as it says."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

from schemas.catalog import PROGRAMMES, load_programme
from schemas.chinese_text import to_chinese
from schemas.compile_targets import targets_of
from schemas.environment import Environment
from schemas.lint import lint
from schemas.period import Period
from schemas.rule_examples import examples_of
from schemas.syntax import FUNCTIONS
from tests.generated_expressions import VARIABLES

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_every_function_is_documented_with_its_arguments() -> None:
    text = (DOCS / "formats" / "expression.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
    said = {
        f.name: f"{f.least} or more" if f.most is None else ", ".join(map(str, range(f.least, f.most + 1)))
        for f in FUNCTIONS.values()
    }
    assert {name: arguments.strip() for name, arguments in table.items()} == said


def test_the_expressions_of_the_page_are_in_the_language() -> None:
    env = Environment(Period(2025, 2), VARIABLES)
    for text in ("B16 == 1", "B16 != 1", "B09 in (1, 2)", "B09 > 2", "B12 <= '2025-03-31'", "yoy(F01 / P01) > 1"):
        env.typed(text)


def test_a_newcomers_rule_is_checked_read_back_and_explained(tmp_path: Path) -> None:
    guide = (DOCS / "rules.md").read_text(encoding="utf-8")
    written = re.search(r"```toml\n(   \[\[rule\]\]\n   id = \"AP90\".*?)```", guide, re.DOTALL)
    assert written is not None
    lines = re.sub(r"^   ", "", written[1], flags=re.MULTILINE)
    assert tomllib.loads(lines)["rule"][0]["severity"] == "trial"
    root = tmp_path / "park"
    shutil.copytree(PROGRAMMES / "park", root)
    file = root / "2015" / "rules" / "personnel.toml"
    file.write_text(file.read_text(encoding="utf-8") + "\n" + lines, encoding="utf-8")
    programme = load_programme(root)
    edition = programme.editions["2025"]
    assert lint(programme, edition).ok
    rule = next(r for r in edition.rules if r.id == "AP90")
    sentence = to_chinese(rule.expression, edition.indicators)
    assert sentence == "留学归国人员(空作0) + 外籍常驻人员(空作0) ≤ 从业人员期末人数"
    assert sentence in guide
    assert examples_of(rule, programme, edition).keys() == {"holds", "fails", "undetermined"}
    assert not any(targets_of(rule, programme, edition).values())
