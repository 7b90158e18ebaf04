"""The antivirus hook: clean goes in, infected and no verdict do not; the command is limited."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from schemas.errors import StorageError, SubmissionError
from sources.antivirus import Scanner

STAND_IN = "import sys; sys.exit(1 if b'EICAR' in open(sys.argv[-1], 'rb').read() else 0)"


def scanner(code: str = STAND_IN, *words: str, seconds: float = 30, cpu_seconds: int = 20) -> Scanner:
    return Scanner([sys.executable, "-c", code, *words], seconds, cpu_seconds)


@pytest.mark.parametrize("words", [(), ("{file}",), ("--fdpass", "{file}")])
def test_a_clean_file_passes_and_an_infected_one_is_refused_by_its_name(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "a b.part"
    file.write_bytes(b"clean")
    scanner(STAND_IN, *words).look_at(file, "表.xlsx")
    file.write_bytes(b"x EICAR x")
    with pytest.raises(SubmissionError, match=r"《表\.xlsx》没有通过病毒检查") as refused:
        scanner(STAND_IN, *words).look_at(file, "表.xlsx")
    assert refused.value.code == "infected"


@pytest.mark.parametrize(
    "code", ["import sys; sys.exit(2)", "import os; os.kill(os.getpid(), 9)", "import time; time.sleep(60)", "while True: pass"]
)  # fmt: skip
def test_a_scanner_without_a_verdict_lets_nothing_in(tmp_path: Path, code: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"clean")
    with pytest.raises(StorageError, match="暂时不能进行"):
        scanner(code, seconds=2, cpu_seconds=1).look_at(file, "表.xlsx")


def test_a_scanner_that_is_not_there_lets_nothing_in(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="暂时不能进行"):
        Scanner(["/nonexistent/clamdscan"]).look_at(tmp_path, "表.xlsx")


def test_a_name_is_a_word_and_never_a_command(tmp_path: Path) -> None:
    file = tmp_path / "x; touch y"
    file.write_bytes(b"clean")
    scanner().look_at(file, "表.xlsx")
    assert [one.name for one in tmp_path.iterdir()] == ["x; touch y"]
