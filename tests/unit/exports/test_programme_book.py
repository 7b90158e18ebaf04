"""The programme book: hard rules with sentence and examples for everybody, soft ones in the internal pages only."""

from __future__ import annotations

from pathlib import Path

import pytest

from exports.programme_book import write_book
from schemas.catalog import programme
from schemas.model import Severity

PROGRAMME = programme()
EDITION = PROGRAMME.editions["2025"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    write_book(PROGRAMME, EDITION, folder, internal=True)
    return folder


def test_hard_rules_are_printed_as_sentences_with_examples(folder: Path) -> None:
    text = (folder / "form_finance.md").read_text(encoding="utf-8")
    assert "主营业务收入 ≤ 营业收入" in text and "资产总计 = 负债合计 + 所有者权益合计(容许相差 5)" in text
    assert "| AF02 | 主营业务收入(F02)=1,营业收入(F01)=1 | 主营业务收入(F02)=2,营业收入(F01)=1 |" in text


def test_bounds_of_soft_rules_stand_in_the_internal_pages_only(folder: Path) -> None:
    public = "".join(p.read_text(encoding="utf-8") for p in folder.glob("*.md") if p.name != "rules_internal.md")
    internal = (folder / "rules_internal.md").read_text(encoding="utf-8")
    soft = [r for r in EDITION.rules if r.severity is Severity.SOFT and len(r.expression) > 20]
    assert soft
    for rule in soft:
        assert f"`{rule.expression}`" in internal and f"`{rule.expression}`" not in public, rule.id
    assert all(f"### {rule.id} " in internal for rule in EDITION.rules)


def test_the_rules_as_vtl_name_what_is_left_out(folder: Path) -> None:
    text = (folder / "rules_internal.vtl").read_text(encoding="utf-8")
    assert "define datapoint ruleset finance_rules (variable" in text and "  AF02: (F02 <= F01) errorcode" in text
    assert "// AB01: " in text and text.count("define datapoint ruleset") == text.count("end datapoint ruleset;")


def test_without_internal_pages_none_are_written(tmp_path: Path) -> None:
    assert not [p for p in write_book(PROGRAMME, EDITION, tmp_path) if "internal" in p.name]
